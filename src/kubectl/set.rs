//! `kubectl set`: images, environment, resources, accounts, selectors and subjects of what is there.

mod env;

use super::apply::{self, DryRun, manager, patch};
use super::create::policy::{label_selector, quantity};
use super::error::{Error, Result};
use super::flags::{Flag, Parsed, Takes, flag, short};
use super::print::output::Output;
use super::session::{Ask, STRATEGIC, Session};
use super::subject::{self, Subject};
use super::verbs::{DRY_RUN, FILES, GLOBAL, OUTPUT, SELECT, Verb, WRITE, verb};
use serde_json::{Value, json};

const ALL: &[Flag] = &[
    flag("all", Takes::Bool, "every object of the type in the namespace"),
    flag("local", Takes::Bool, "do not ask the server (not simulated here)"),
];
const CONTAINERS: &[Flag] = &[short("containers", 'c', Takes::Text, "only containers whose names fit, * for any letters")];
const RESOURCES: &[Flag] = &[
    flag("limits", Takes::Text, "the most it may use, e.g. cpu=200m,memory=512Mi"),
    flag("requests", Takes::Text, "what it is given at least"),
];
const SUBJECTS: &[Flag] = &[
    flag("user", Takes::Array, "a user"),
    flag("group", Takes::Array, "a group"),
    flag("serviceaccount", Takes::Array, "NAMESPACE:NAME"),
];

/// What can be set.
pub const SUBS: &[Verb] = &[
    verb!(
        "image",
        ["images"],
        "change a container's image",
        "TYPE/NAME CONTAINER=IMAGE ...",
        [ALL, FILES, OUTPUT, SELECT, DRY_RUN, WRITE],
        image
    ),
    verb!(
        "env",
        [],
        "change environment variables",
        "TYPE/NAME NAME=VALUE NAME- ...",
        [ALL, CONTAINERS, env::FLAGS, FILES, OUTPUT, SELECT, DRY_RUN, WRITE],
        env::run
    ),
    verb!(
        "resources",
        [],
        "change what containers are given and may use",
        "TYPE/NAME --limits=... --requests=...",
        [ALL, CONTAINERS, RESOURCES, FILES, OUTPUT, SELECT, DRY_RUN, WRITE],
        resources
    ),
    verb!(
        "serviceaccount",
        ["sa"],
        "change the account that pods act as",
        "TYPE/NAME ACCOUNT",
        [ALL, FILES, OUTPUT, DRY_RUN, WRITE],
        serviceaccount
    ),
    verb!(
        "selector",
        [],
        "change which pods a service takes",
        "service/NAME LABELS",
        [ALL, FILES, OUTPUT, DRY_RUN, WRITE],
        selector
    ),
    verb!(
        "subject",
        [],
        "add who a role binding is for",
        "rolebinding/NAME --user=U --group=G --serviceaccount=NS:NAME",
        [ALL, SUBJECTS, FILES, OUTPUT, SELECT, DRY_RUN, WRITE],
        subjects
    ),
];

/// Operands that come before the first with `=` or with `-` at its end, and the others.
fn split(p: &Parsed) -> (&[String], &[String]) {
    let is_change = |word: &String| word.contains('=') || word.ends_with('-');
    p.operands.split_at(p.operands.iter().position(is_change).unwrap_or(p.operands.len()))
}

/// The pod template of a workload, or the pod itself.
fn pod_spec(object: &mut Value) -> Option<&mut Value> {
    let path = match object["kind"].as_str().unwrap_or("") {
        "Pod" => "/spec",
        "CronJob" => "/spec/jobTemplate/spec/template/spec",
        _ => "/spec/template/spec",
    };
    object.pointer_mut(path).filter(|spec| spec["containers"].is_array())
}

/// Edits each object that is meant, sends what changed, and says so.
async fn change(
    s: &mut Session<'_>,
    p: &Parsed,
    operands: &[String],
    said: &str,
    mut edit: impl FnMut(&Subject, &mut Value) -> Result<()>,
) -> Result<i32> {
    if p.on("local") {
        return Err(Error::not_simulated("--local"));
    }
    let dry_run = DryRun::of(p)?;
    let output = Output::parse(p)?;
    let (mut errors, mut printed) = (Vec::new(), Vec::new());
    for subject in subject::subjects(s, p, operands).await? {
        let mut after = subject.object.clone();
        if let Err(error) = edit(&subject, &mut after) {
            errors.push(error);
            continue;
        }
        let body = patch::strategic_two_way(&subject.object, &after);
        // A selector is said to be updated even when it stays the same.
        if body == json!({}) && said != "selector updated" {
            continue;
        }
        if dry_run != DryRun::Client {
            let ask = Ask::patch(subject.path(), STRATEGIC, &body)
                .query("dryRun", dry_run.query())
                .query("fieldManager", manager(p, "kubectl-set"));
            after = s.json(ask).await?;
        }
        match output.is_human() {
            true => s.say(&format!("{} {said}{}", subject.printed(), dry_run.suffix())),
            false => printed.push(after),
        }
    }
    apply::print_objects(s, p, &output, printed).await?;
    Error::all(errors).map(|()| 0)
}

fn no_template(subject: &Subject) -> Error {
    Error::plain(format!("{} {:?} does not have a pod template", subject.resource.plural_group(), subject.name()))
}

async fn image(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let (operands, changes) = split(p);
    let (operands, changes) = (operands.to_vec(), changes.to_vec());
    let mut found = vec![false; changes.len()];
    if operands.is_empty() && !p.given("filename") && !p.given("kustomize") {
        return Err(Error::plain("one or more resources must be specified as <resource> <name> or <resource>/<name>"));
    }
    if changes.is_empty() {
        return Err(Error::plain("at least one image update is required"));
    }
    change(s, p, &operands, "image updated", |subject, object| {
        let spec = pod_spec(object).ok_or_else(|| no_template(subject))?;
        for (n, change) in changes.iter().enumerate() {
            let (name, image) = change.split_once('=').unwrap_or((change, ""));
            for field in ["initContainers", "containers"] {
                for container in spec.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten() {
                    if name == "*" || container["name"] == name {
                        container["image"] = json!(image);
                        found[n] = true;
                    }
                }
            }
            if !found[n] {
                return Err(Error::plain(format!("unable to find container named {name:?}")));
            }
        }
        Ok(())
    })
    .await
}

/// `cpu=200m,memory=512Mi`.
fn amounts(text: &str) -> Result<Vec<(String, Value)>> {
    let pair = |pair: &str| {
        let (name, amount) = pair
            .split_once('=')
            .ok_or_else(|| Error::plain(format!("Invalid argument syntax {pair}, expected <resource>=<value>")))?;
        Ok((name.to_string(), json!(quantity(amount)?)))
    };
    text.split(',').filter(|part| !part.is_empty()).map(pair).collect()
}

async fn resources(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    if !p.given("limits") && !p.given("requests") {
        return Err(Error::plain("you must specify an update to requests or limits (in the form of --requests/--limits)"));
    }
    if p.operands.is_empty() && !p.given("filename") && !p.given("kustomize") {
        return Err(Error::plain("one or more resources must be specified as <resource> <name> or <resource>/<name>"));
    }
    let (limits, requests) = (amounts(p.str("limits"))?, amounts(p.str("requests"))?);
    let pattern = p.text("containers").unwrap_or("*").to_string();
    let operands = p.operands.clone();
    change(s, p, &operands, "resource requirements updated", |subject, object| {
        let spec = pod_spec(object).ok_or_else(|| no_template(subject))?;
        let mut found = false;
        for container in spec["containers"].as_array_mut().into_iter().flatten() {
            if !fits(container["name"].as_str().unwrap_or(""), &pattern) {
                continue;
            }
            found = true;
            for (field, amounts) in [("limits", &limits), ("requests", &requests)] {
                for (name, amount) in amounts {
                    container["resources"][field][name] = amount.clone();
                }
            }
        }
        match found {
            true => Ok(()),
            false => Err(Error::plain(format!("unable to find container named {pattern}"))),
        }
    })
    .await
}

/// Whether a name fits a pattern with `*`.
fn fits(name: &str, pattern: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return name == pattern };
    let Some(mut name) = name.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or("");
    for part in parts {
        let Some(at) = name.find(part) else { return false };
        name = &name[at + part.len()..];
    }
    name.ends_with(end)
}

async fn serviceaccount(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let Some((account, operands)) = p.operands.split_last() else {
        return Err(Error::plain("serviceaccount is required"));
    };
    let (account, operands) = (account.clone(), operands.to_vec());
    change(s, p, &operands, "serviceaccount updated", |subject, object| {
        let spec = pod_spec(object).ok_or_else(|| no_template(subject))?;
        spec["serviceAccountName"] = json!(account);
        if !spec["serviceAccount"].is_null() {
            spec["serviceAccount"] = json!(account);
        }
        Ok(())
    })
    .await
}

async fn selector(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let Some((labels, operands)) = p.operands.split_last().filter(|_| p.operands.len() > 1 || p.given("filename")) else {
        return Err(Error::plain("one or more resources must be specified as <resource> <name> or <resource>/<name>"));
    };
    let labels = label_selector(labels)?;
    if !labels["matchExpressions"].is_null() {
        return Err(Error::plain(format!("match expression {} not supported on this object", labels["matchExpressions"])));
    }
    let operands = operands.to_vec();
    change(s, p, &operands, "selector updated", |subject, object| match subject.resource.kind.as_str() {
        "Service" => {
            object["spec"]["selector"] = labels["matchLabels"].clone();
            Ok(())
        }
        _ => Err(Error::plain("setting a selector is only supported for Services")),
    })
    .await
}

async fn subjects(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    const GROUP: &str = "rbac.authorization.k8s.io";
    let mut added = Vec::new();
    added.extend(p.list("user").iter().map(|u| json!({"kind": "User", "apiGroup": GROUP, "name": u})));
    added.extend(p.list("group").iter().map(|g| json!({"kind": "Group", "apiGroup": GROUP, "name": g})));
    for account in p.list("serviceaccount") {
        match account.split(':').collect::<Vec<_>>().as_slice() {
            [namespace, name] if !namespace.is_empty() && !name.is_empty() => {
                added.push(json!({"kind": "ServiceAccount", "name": name, "namespace": namespace}));
            }
            _ => return Err(Error::plain("serviceaccount must be <namespace>:<name>")),
        }
    }
    if added.is_empty() {
        return Err(Error::plain("you must specify at least one value of user, group or serviceaccount"));
    }
    let operands = p.operands.clone();
    change(s, p, &operands, "subjects updated", |subject, object| {
        if !matches!(subject.resource.kind.as_str(), "RoleBinding" | "ClusterRoleBinding") {
            return Err(Error::plain("setting subjects is only supported for RoleBinding/ClusterRoleBinding"));
        }
        let mut all = object["subjects"].as_array().cloned().unwrap_or_default();
        all.extend(added.iter().filter(|subject| !object["subjects"].as_array().is_some_and(|s| s.contains(subject))).cloned());
        object["subjects"] = json!(all);
        Ok(())
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn container_patterns() {
        for (name, pattern, want) in [
            ("web", "*", true),
            ("web", "web", true),
            ("web", "w*", true),
            ("web", "*b", true),
            ("web", "x*", false),
            ("web", "we", false),
        ] {
            assert_eq!(fits(name, pattern), want, "{name} {pattern}");
        }
    }
}
