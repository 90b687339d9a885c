//! `kubectl auth reconcile`: roles get the rules they lack, bindings the subjects.

use crate::kubectl::apply::DryRun;
use crate::kubectl::error::{Error, Result};
use crate::kubectl::flags::{Flag, Parsed, Takes, flag};
use crate::kubectl::manifest::{self, Item};
use crate::kubectl::print::output::Output;
use crate::kubectl::session::{Ask, Session};
use serde_json::{Value, json};

pub const FLAGS: &[Flag] = &[
    flag("remove-extra-permissions", Takes::Bool, "take away rules that the file does not have"),
    flag("remove-extra-subjects", Takes::Bool, "take away subjects that the file does not have"),
    flag("show-managed-fields", Takes::Bool, "keep metadata.managedFields in yaml and json"),
];

/// Runs `kubectl auth reconcile`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    if !p.operands.is_empty() {
        return Err(Error::plain("no arguments are allowed"));
    }
    if !p.given("filename") && !p.given("kustomize") {
        return Err(Error::plain("must specify one of -f and -k"));
    }
    let dry_run = DryRun::of(p)?;
    let output = Output::parse(p)?;
    let (items, errors) = manifest::read(s, p).await?;
    if let Some(error) = errors.into_iter().next() {
        return Err(decoding(p, error));
    }
    let mut printed = Vec::new();
    for item in &items {
        let lists = match (item.resource.group.as_str(), item.resource.kind.as_str()) {
            ("rbac.authorization.k8s.io", "Role" | "ClusterRole") => "rules",
            ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => "subjects",
            // kubectl passes over everything else.
            _ => continue,
        };
        let object = reconcile(s, p, item, lists, dry_run).await?;
        match output.is_human() {
            true => s.say(&format!("{} reconciled{}", item.printed(), dry_run.suffix())),
            false => printed.push(object),
        }
    }
    crate::kubectl::apply::print_objects(s, p, &output, printed).await?;
    Ok(0)
}

/// kubectl reads these files with the types it was built with.
fn decoding(p: &Parsed, error: Error) -> Error {
    let text = error.message();
    let part = |start: &str| text.split_once(start).and_then(|(_, rest)| rest.split('"').next()).map(str::to_string);
    match (part("no matches for kind \""), part("in version \"")) {
        (Some(kind), Some(version)) => Error::plain(format!(
            "unable to decode {:?}: no kind {kind:?} is registered for version {version:?} in scheme \"pkg/scheme/scheme.go:28\"",
            p.str("filename")
        )),
        _ => error,
    }
}

async fn reconcile(s: &mut Session<'_>, p: &Parsed, item: &Item, lists: &str, dry_run: DryRun) -> Result<Value> {
    if dry_run == DryRun::Client {
        return Ok(item.object.clone());
    }
    let path = item.resource.object_path(&item.namespace, item.name());
    let live = match s.json(Ask::get(path.clone())).await {
        Ok(live) => live,
        Err(error) if error.is_not_found() => {
            let ask = Ask::post(item.resource.path(&item.namespace), &item.object);
            return s.json(ask.query("dryRun", dry_run.query())).await;
        }
        Err(error) => return Err(error),
    };
    if lists == "subjects" && live["roleRef"] != item.object["roleRef"] {
        // A binding's role cannot change: it is made anew.
        s.json(Ask::delete(path, &json!({"preconditions": {"uid": live["metadata"]["uid"]}}))).await?;
        let ask = Ask::post(item.resource.path(&item.namespace), &item.object);
        return s.json(ask.query("dryRun", dry_run.query())).await;
    }
    let extra = p.on(if lists == "rules" { "remove-extra-permissions" } else { "remove-extra-subjects" });
    let mut after = live.clone();
    let entries = |object: &Value| object[lists].as_array().cloned().unwrap_or_default();
    let wanted = entries(&item.object);
    let missing: Vec<Value> = wanted.iter().filter(|entry| !covered(&entries(&live), entry, lists)).cloned().collect();
    let mut kept = entries(&live);
    if extra {
        kept.retain(|entry| covered(&wanted, entry, lists));
    }
    if missing.is_empty() && kept.len() == entries(&live).len() && metadata_kept(&live, &item.object) {
        return Ok(live);
    }
    kept.extend(missing);
    after[lists] = json!(kept);
    for field in ["labels", "annotations"] {
        for (key, value) in item.object["metadata"][field].as_object().into_iter().flatten() {
            after["metadata"][field][key] = value.clone();
        }
    }
    s.json(Ask::put(path, &after).query("dryRun", dry_run.query())).await
}

fn metadata_kept(live: &Value, wanted: &Value) -> bool {
    ["labels", "annotations"].iter().all(|field| {
        wanted["metadata"][field].as_object().into_iter().flatten().all(|(key, value)| live["metadata"][field][key] == *value)
    })
}

/// Whether a subject is among others, or what a rule allows is allowed by one of them.
fn covered(all: &[Value], entry: &Value, lists: &str) -> bool {
    if lists == "subjects" {
        let same = |a: &Value, b: &Value| ["kind", "name", "namespace"].iter().all(|field| a[field] == b[field]);
        return all.iter().any(|known| same(known, entry));
    }
    let within = |known: &Value, field: &str| {
        let (Some(wanted), known) = (entry[field].as_array(), known[field].as_array()) else { return true };
        known.is_some_and(|known| known.iter().any(|k| k == "*") || wanted.iter().all(|w| known.contains(w)))
    };
    let fields = ["verbs", "apiGroups", "resources", "nonResourceURLs"];
    let named =
        |known: &Value| known["resourceNames"].is_null() || within(known, "resourceNames") && !entry["resourceNames"].is_null();
    all.iter().any(|known| fields.iter().all(|field| within(known, field)) && named(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wider_rules_cover_narrower_ones() {
        let rule = |verbs: &[&str]| json!({"apiGroups": [""], "resources": ["pods"], "verbs": verbs});
        assert!(covered(&[rule(&["get", "list"])], &rule(&["get"]), "rules"));
        assert!(covered(&[rule(&["*"])], &rule(&["get"]), "rules"));
        assert!(!covered(&[rule(&["get"])], &rule(&["get", "list"]), "rules"));
        let mut named = rule(&["get"]);
        named["resourceNames"] = json!(["x"]);
        assert!(!covered(&[named.clone()], &rule(&["get"]), "rules"));
        assert!(covered(&[rule(&["get"])], &named, "rules"));
    }
}
