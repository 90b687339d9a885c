//! Roles, bindings, tokens.

use super::{Made, name};
use crate::base::duration::go_duration_ms;
use crate::kubectl::error::{Error, Result};
use crate::kubectl::flags::Parsed;
use crate::kubectl::print::output::Output;
use crate::kubectl::select;
use crate::kubectl::session::{Ask, Session};
use serde_json::{Value, json};

const ROOT: &str = "/apis/rbac.authorization.k8s.io/v1";
const GROUP: &str = "rbac.authorization.k8s.io";

/// Rules, one for each API group among the types.
async fn rules(s: &mut Session<'_>, p: &Parsed) -> Result<Vec<Value>> {
    let mut verbs: Vec<&String> = Vec::new();
    for verb in p.list("verb") {
        // "*" takes every other verb in.
        if verb == "*" {
            verbs = vec![verb];
            break;
        }
        if !verbs.contains(&verb) {
            verbs.push(verb);
        }
    }
    if verbs.is_empty() {
        return Err(Error::plain("at least one verb must be specified"));
    }
    if p.list("resource").is_empty() {
        return Err(Error::plain("at least one resource must be specified"));
    }
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for word in p.list("resource") {
        let (word, sub) = word.split_once('/').map_or((word.as_str(), None), |(w, s)| (w, Some(s)));
        let resource = select::one_type(s, word).await?;
        let plural = sub.map_or(resource.plural.clone(), |sub| format!("{}/{sub}", resource.plural));
        match groups.iter_mut().find(|(group, _)| *group == resource.group) {
            Some((_, plurals)) => plurals.push(plural),
            None => groups.push((resource.group.clone(), vec![plural])),
        }
    }
    let rule = |(group, plurals): (String, Vec<String>)| {
        let mut rule = json!({"verbs": verbs, "apiGroups": [group], "resources": plurals});
        if !p.list("resource-name").is_empty() {
            rule["resourceNames"] = json!(p.list("resource-name"));
        }
        rule
    };
    Ok(groups.into_iter().map(rule).collect())
}

pub async fn role(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let object = json!({"apiVersion": format!("{GROUP}/v1"), "kind": "Role", "metadata": {"name": name(&p.operands, &s.verb)?}, "rules": rules(s, p).await?});
    let printed = "role.rbac.authorization.k8s.io";
    Made { object, root: ROOT, plural: "roles", printed, namespaced: true, failed: "failed to create role:" }.post(s, p).await
}

/// Rules on types and on plain paths.
async fn cluster_rules(s: &mut Session<'_>, p: &Parsed) -> Result<Vec<Value>> {
    let paths = p.list("non-resource-url");
    if p.list("verb").is_empty() {
        return Err(Error::plain("at least one verb must be specified"));
    }
    if p.list("resource").is_empty() && paths.is_empty() {
        return Err(Error::plain("one of resource or nonResourceURL must be specified"));
    }
    let mut found = Vec::new();
    if !p.list("resource").is_empty() {
        found.extend(rules(s, p).await?);
    }
    if !paths.is_empty() {
        const VERBS: [&str; 8] = ["*", "get", "post", "put", "delete", "patch", "head", "options"];
        if let Some(verb) = p.list("verb").iter().find(|verb| !VERBS.contains(&verb.as_str())) {
            return Err(Error::plain(format!("invalid verb: '{verb}' for nonResourceURL")));
        }
        for path in paths {
            if path.is_empty() || path != "*" && !path.starts_with('/') {
                return Err(Error::plain("nonResourceURL should start with /"));
            }
            if path.contains('*') && path.find('*') != Some(path.len() - 1) {
                return Err(Error::plain("nonResourceURL only supports wildcard matches when '*' is at the end"));
            }
        }
        found.push(json!({"verbs": p.list("verb"), "nonResourceURLs": paths}));
    }
    Ok(found)
}

fn collected(p: &Parsed, labels: &str) -> Result<Value> {
    if ["verb", "resource", "resource-name", "non-resource-url"].iter().any(|flag| p.given(flag)) {
        return Err(Error::plain(
            "aggregation rule must be specified without nonResourceURLs, verbs, resources or resourceNames",
        ));
    }
    let mut chosen = json!({});
    for pair in labels.split(',') {
        let (key, value) = pair.split_once('=').ok_or_else(|| Error::plain(format!("{pair} must be formatted as key=value")))?;
        chosen["matchLabels"][key] = json!(value);
    }
    Ok(chosen)
}

pub async fn clusterrole(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let mut object = json!({"apiVersion": format!("{GROUP}/v1"), "kind": "ClusterRole",
        "metadata": {"name": name(&p.operands, &s.verb)?}, "rules": null});
    match p.str("aggregation-rule") {
        "" => object["rules"] = json!(cluster_rules(s, p).await?),
        labels => object["aggregationRule"] = json!({"clusterRoleSelectors": [collected(p, labels)?]}),
    }
    let printed = "clusterrole.rbac.authorization.k8s.io";
    Made { object, root: ROOT, plural: "clusterroles", printed, namespaced: false, failed: "failed to create clusterrole:" }
        .post(s, p)
        .await
}

fn binding(s: &Session<'_>, p: &Parsed, kind: &str) -> Result<Value> {
    let role = match (p.text("role"), p.text("clusterrole")) {
        (Some(role), None) => json!({"apiGroup": GROUP, "kind": "Role", "name": role}),
        (None, Some(role)) => json!({"apiGroup": GROUP, "kind": "ClusterRole", "name": role}),
        _ => return Err(Error::plain("exactly one of clusterrole or role must be specified")),
    };
    let mut subjects = Vec::new();
    subjects.extend(p.list("user").iter().map(|u| json!({"kind": "User", "apiGroup": GROUP, "name": u})));
    subjects.extend(p.list("group").iter().map(|g| json!({"kind": "Group", "apiGroup": GROUP, "name": g})));
    for account in p.list("serviceaccount") {
        let (namespace, name) =
            account.split_once(':').ok_or_else(|| Error::plain("serviceaccount must be <namespace>:<name>"))?;
        subjects.push(json!({"kind": "ServiceAccount", "name": name, "namespace": namespace}));
    }
    let mut object = json!({"apiVersion": format!("{GROUP}/v1"), "kind": kind,
        "metadata": {"name": name(&p.operands, &s.verb)?}, "roleRef": role});
    if !subjects.is_empty() {
        object["subjects"] = json!(subjects);
    }
    Ok(object)
}

pub async fn rolebinding(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let object = binding(s, p, "RoleBinding")?;
    let printed = "rolebinding.rbac.authorization.k8s.io";
    Made { object, root: ROOT, plural: "rolebindings", printed, namespaced: true, failed: "failed to create rolebinding:" }
        .post(s, p)
        .await
}

pub async fn clusterrolebinding(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let object = binding(s, p, "ClusterRoleBinding")?;
    let printed = "clusterrolebinding.rbac.authorization.k8s.io";
    let failed = "failed to create clusterrolebinding:";
    Made { object, root: ROOT, plural: "clusterrolebindings", printed, namespaced: false, failed }.post(s, p).await
}

pub async fn token(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let account = name(&p.operands, &s.verb)?;
    let mut spec = json!({"audiences": p.list("audience")});
    if p.list("audience").is_empty() {
        spec = json!({});
    }
    if let Some(text) = p.text("duration") {
        let ms = go_duration_ms(text).ok_or_else(|| {
            Error::usage(&s.verb, format!("invalid argument {text:?} for \"--duration\" flag: time: invalid duration {text:?}"))
        })?;
        match (ms, ms % 1000) {
            (ms, _) if ms < 0 => return Err(Error::plain("--duration must be greater than or equal to 0")),
            (_, rest) if rest != 0 => return Err(Error::plain("--duration cannot be expressed in units less than seconds")),
            (ms, _) if ms > 0 => spec["expirationSeconds"] = json!(ms / 1000),
            _ => (),
        }
    }
    if let Some(bound) = bound(p)? {
        spec["boundObjectRef"] = bound;
    }
    let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec});
    let path = format!("/api/v1/namespaces/{}/serviceaccounts/{account}/token", s.namespace);
    let failed = |error: Error| match error {
        Error::Status(_) => Error::plain(format!("failed to create token: {}", error.message())),
        other => other,
    };
    let made = s.json(Ask::post(path, &body)).await.map_err(failed)?;
    let output = Output::parse(p)?;
    if !output.is_human() {
        let text = output.print(&made, &[], true)?;
        s.io.write(text.as_bytes());
        return Ok(0);
    }
    let token =
        made["status"]["token"].as_str().ok_or_else(|| Error::plain("failed to create token: no token in server response"))?;
    s.say(token);
    Ok(0)
}

/// What the token stands and falls with.
fn bound(p: &Parsed) -> Result<Option<Value>> {
    let (kind, name, uid) = (p.str("bound-object-kind"), p.str("bound-object-name"), p.str("bound-object-uid"));
    match (kind, name) {
        ("", "") if uid.is_empty() => return Ok(None),
        ("", "") => return Err(Error::plain("--bound-object-uid can only be set if --bound-object-kind is provided")),
        ("", _) => return Err(Error::plain("--bound-object-name can only be set if --bound-object-kind is provided")),
        (_, "") => return Err(Error::plain("--bound-object-name is required if --bound-object-kind is provided")),
        ("Pod" | "Secret" | "Node", _) => (),
        _ => return Err(Error::plain("supported --bound-object-kind values are Node, Pod, Secret")),
    }
    let mut bound = json!({"apiVersion": "v1", "kind": kind, "name": name});
    if !uid.is_empty() {
        bound["uid"] = json!(uid);
    }
    Ok(Some(bound))
}
