//! Roles, bindings, tokens.

use super::{Made, name};
use crate::base::duration::go_duration_ms;
use crate::kubectl::error::{Error, Result};
use crate::kubectl::flags::Parsed;
use crate::kubectl::select;
use crate::kubectl::session::{Ask, Session};
use serde_json::{Value, json};

const ROOT: &str = "/apis/rbac.authorization.k8s.io/v1";
const GROUP: &str = "rbac.authorization.k8s.io";

/// Rules, one for each API group among the types.
async fn rules(s: &mut Session<'_>, p: &Parsed) -> Result<Vec<Value>> {
    let verbs = p.list("verb");
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
    let object = json!({"apiVersion": format!("{GROUP}/v1"), "kind": "Role", "metadata": {"name": name(p, &p.operands)?}, "rules": rules(s, p).await?});
    let printed = "role.rbac.authorization.k8s.io";
    Made { object, root: ROOT, plural: "roles", printed, namespaced: true, failed: "failed to create role:" }.post(s, p).await
}

pub async fn clusterrole(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let object = json!({"apiVersion": format!("{GROUP}/v1"), "kind": "ClusterRole", "metadata": {"name": name(p, &p.operands)?}, "rules": rules(s, p).await?});
    let printed = "clusterrole.rbac.authorization.k8s.io";
    Made { object, root: ROOT, plural: "clusterroles", printed, namespaced: false, failed: "failed to create clusterrole:" }
        .post(s, p)
        .await
}

fn binding(p: &Parsed, kind: &str) -> Result<Value> {
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
    Ok(
        json!({"apiVersion": format!("{GROUP}/v1"), "kind": kind, "metadata": {"name": name(p, &p.operands)?}, "roleRef": role, "subjects": subjects}),
    )
}

pub async fn rolebinding(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let object = binding(p, "RoleBinding")?;
    let printed = "rolebinding.rbac.authorization.k8s.io";
    Made { object, root: ROOT, plural: "rolebindings", printed, namespaced: true, failed: "failed to create rolebinding:" }
        .post(s, p)
        .await
}

pub async fn clusterrolebinding(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let object = binding(p, "ClusterRoleBinding")?;
    let printed = "clusterrolebinding.rbac.authorization.k8s.io";
    let failed = "failed to create clusterrolebinding:";
    Made { object, root: ROOT, plural: "clusterrolebindings", printed, namespaced: false, failed }.post(s, p).await
}

pub async fn token(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let account = name(p, &p.operands)?;
    let mut spec = json!({"audiences": p.list("audience")});
    if let Some(ms) = p.text("duration").and_then(go_duration_ms) {
        spec["expirationSeconds"] = json!(ms / 1000);
    }
    let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec});
    let path = format!("/api/v1/namespaces/{}/serviceaccounts/{account}/token", s.namespace);
    let made = s.json(Ask::post(path, &body)).await?;
    let token =
        made["status"]["token"].as_str().ok_or_else(|| Error::plain("failed to create token: no token in server response"))?;
    s.say(token);
    Ok(0)
}
