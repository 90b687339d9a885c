//! `kubectl auth can-i`, `auth whoami` and `auth reconcile`.

mod reconcile;

use super::discovery;
use super::error::{Error, Result};
use super::flags::{Flag, Parsed, Takes, flag, short};
use super::print::output::Output;
use super::print::{scalar, table};
use super::session::{Ask, Session};
use super::verbs::{DRY_RUN, FILES, GLOBAL, OUTPUT, Verb, verb};
use serde_json::{Value, json};

const CAN_I: &[Flag] = &[
    flag("subresource", Takes::Text, "e.g. exec, log"),
    flag("list", Takes::Bool, "list all that you may do"),
    short("quiet", 'q', Takes::Bool, "only the exit code"),
    short("all-namespaces", 'A', Takes::Bool, "in every namespace"),
    flag("no-headers", Takes::Bool, "leave the header line out"),
];

const KNOWN_VERBS: [&str; 15] = [
    "*",
    "get",
    "list",
    "create",
    "update",
    "patch",
    "watch",
    "proxy",
    "redirect",
    "delete",
    "deletecollection",
    "use",
    "bind",
    "escalate",
    "impersonate",
];

/// What can be asked.
pub const SUBS: &[Verb] = &[
    verb!("can-i", [], "ask whether you may do something", "VERB TYPE[/NAME]", [CAN_I], can_i),
    verb!(
        "reconcile",
        [],
        "make roles and bindings as a file says, without taking anything away",
        "-f FILE",
        [reconcile::FLAGS, FILES, OUTPUT, DRY_RUN],
        reconcile::run
    ),
    verb!("whoami", [], "ask who you are", "", [OUTPUT], whoami),
];

async fn can_i(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    if p.on("list") {
        return list(s, p).await;
    }
    let [verb, what, rest @ ..] = p.operands.as_slice() else {
        return Err(Error::plain(
            "you must specify two arguments: verb resource or verb resource/resourceName.\nSee 'kubectl auth can-i -h' for help and examples.",
        ));
    };
    if !KNOWN_VERBS.contains(&verb.as_str()) && !what.starts_with('/') {
        s.warn(&format!("Warning: verb '{verb}' is not a known verb\n"));
    }
    let spec = match what.starts_with('/') {
        true => json!({"nonResourceAttributes": {"verb": verb, "path": what}}),
        false => {
            let (word, name) = what.split_once('/').unwrap_or((what, rest.first().map_or("", String::as_str)));
            let resources = s.resources().await?;
            let (group, plural, namespaced) = match discovery::find(&resources, word) {
                Some(r) => (r.group.clone(), r.plural.clone(), r.namespaced),
                None => {
                    if word != "*" {
                        s.warn(&format!("Warning: the server doesn't have a resource type '{word}'\n"));
                    }
                    (String::new(), word.to_string(), true)
                }
            };
            let namespace = if p.on("all-namespaces") || !namespaced { String::new() } else { s.namespace.clone() };
            json!({"resourceAttributes": {"namespace": namespace, "verb": verb, "group": group, "resource": plural,
                "subresource": p.str("subresource"), "name": name}})
        }
    };
    let body = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec});
    let answer = s.json(Ask::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &body)).await?;
    let allowed = answer["status"]["allowed"] == true;
    if !p.on("quiet") {
        let reason = answer["status"]["reason"].as_str().filter(|r| !r.is_empty() && !allowed);
        let word = if allowed { "yes" } else { "no" };
        s.say(&reason.map_or(word.to_string(), |r| format!("{word} - {r}")));
    }
    Ok(i32::from(!allowed))
}

/// A rule about one type or one path, in the order in which kubectl compares rules.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rule {
    verbs: String,
    group: String,
    resource: String,
    names: String,
    url: String,
}

fn rules(status: &Value) -> Vec<Rule> {
    let texts = |v: &Value| -> Vec<String> { v.as_array().into_iter().flatten().map(scalar).collect() };
    let mut found: Vec<(Vec<String>, Rule)> = Vec::new();
    for rule in status["resourceRules"].as_array().into_iter().flatten() {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                let names = texts(&rule["resourceNames"]).join(" ");
                let new = Rule { verbs: String::new(), group: group.clone(), resource, names, url: String::new() };
                let verbs = texts(&rule["verbs"]);
                // What several rules allow on one type is one line.
                match found.iter_mut().find(|(_, known)| *known == new) {
                    Some((all, _)) => all.extend(verbs),
                    None => found.push((verbs, new)),
                }
            }
        }
    }
    for rule in status["nonResourceRules"].as_array().into_iter().flatten() {
        for url in texts(&rule["nonResourceURLs"]) {
            let empty = String::new;
            found.push((texts(&rule["verbs"]), Rule { verbs: empty(), group: empty(), resource: empty(), names: empty(), url }));
        }
    }
    let with_verbs = |(mut verbs, rule): (Vec<String>, Rule)| {
        let mut seen = std::collections::BTreeSet::new();
        verbs.retain(|verb| seen.insert(verb.clone()));
        Rule { verbs: verbs.join(" "), ..rule }
    };
    found.into_iter().map(with_verbs).collect()
}

async fn list(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let body =
        json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": s.namespace}});
    let answer = s.json(Ask::post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", &body)).await?;
    let mut lines: Vec<Vec<String>> = Vec::new();
    if !p.on("no-headers") {
        lines.push(["Resources", "Non-Resource URLs", "Resource Names", "Verbs"].map(String::from).to_vec());
    }
    let mut rules = rules(&answer["status"]);
    rules.sort();
    for Rule { verbs, group, resource, names, url } in rules {
        let name = if group.is_empty() { resource } else { format!("{resource}.{group}") };
        lines.push(vec![name, format!("[{url}]"), format!("[{names}]"), format!("[{verbs}]")]);
    }
    let text = table::rows(&lines);
    s.io.write(text.as_bytes());
    Ok(0)
}

async fn whoami(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let answer = s.json(Ask::post("/apis/authentication.k8s.io/v1/selfsubjectreviews", &body)).await?;
    let output = Output::parse(p)?;
    if !output.is_human() {
        let text = output.print_own(&answer)?;
        s.io.write(text.as_bytes());
        return Ok(0);
    }
    let user = &answer["status"]["userInfo"];
    let mut lines = vec![vec!["ATTRIBUTE".to_string(), "VALUE".to_string()], vec!["Username".into(), scalar(&user["username"])]];
    if let Some(uid) = user["uid"].as_str().filter(|u| !u.is_empty()) {
        lines.push(vec!["UID".into(), uid.into()]);
    }
    let groups: Vec<String> = user["groups"].as_array().into_iter().flatten().map(scalar).collect();
    if !groups.is_empty() {
        lines.push(vec!["Groups".into(), format!("[{}]", groups.join(" "))]);
    }
    for (key, values) in user["extra"].as_object().into_iter().flatten() {
        let values: Vec<String> = values.as_array().into_iter().flatten().map(scalar).collect();
        lines.push(vec![format!("Extra: {key}"), format!("[{}]", values.join(" "))]);
    }
    let text = table::rows(&lines);
    s.io.write(text.as_bytes());
    Ok(0)
}
