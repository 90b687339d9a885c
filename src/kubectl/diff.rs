//! `kubectl diff`, with a comparison of our own: no program is started.

use super::apply::{self, patch};
use super::error::{Error, Result};
use super::flags::{Flag, Parsed, Takes, flag, short};
use super::manifest::{self, Item};
use super::print::output::without_managed_fields;
use super::session::{APPLY, Ask, MERGE, STRATEGIC, Session};
use crate::base::diff::{Shown, unified};
use crate::base::yaml;
use serde_json::{Value, json};

pub const FLAGS: &[Flag] = &[
    short("selector", 'l', Takes::Text, "only objects of the manifests with these labels"),
    flag("server-side", Takes::Bool, "compare with what a server-side apply would make"),
    flag("force-conflicts", Takes::Bool, "with --server-side: as if fields of other owners were taken over"),
    flag("field-manager", Takes::Text, "the name under which fields would be owned"),
    flag("show-managed-fields", Takes::Bool, "compare metadata.managedFields too"),
    flag("prune", Takes::Bool, "also what would be deleted (not simulated here)"),
    flag("concurrency", Takes::Int, "takes no effect"),
];

/// What kubectl shows in the place of a secret's values.
const HIDDEN: [&str; 3] = ["***", "*** (before)", "*** (after)"];

/// Runs `kubectl diff`. Exit code 0: no difference; 1: some; 2: it failed.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    compare(s, p).await.map_err(|error| match error {
        Error::Interrupted => error,
        other => Error::Coded(2, Box::new(other)),
    })
}

async fn compare(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    if p.on("prune") {
        return Err(Error::not_simulated("diff --prune"));
    }
    if !p.operands.is_empty() {
        return Err(Error::Said(format!(
            "error: Unexpected args: [{}]\nSee 'kubectl diff -h' for help and examples",
            p.operands.join(" ")
        )));
    }
    if !p.given("filename") && !p.given("kustomize") {
        return Err(Error::plain("must specify one of -f and -k"));
    }
    let (items, errors) = manifest::read(s, p).await?;
    Error::all(errors)?;
    let mut text = String::new();
    for item in items.iter().filter(|item| p.text("selector").is_none_or(|l| apply::matches(l, &item.object))) {
        let live = match s.json(Ask::get(item.resource.object_path(&item.namespace, item.name()))).await {
            Ok(live) => live,
            Err(error) if error.is_not_found() => Value::Null,
            Err(error) => return Err(error),
        };
        let merged = merged(s, p, item, &live, "").await?;
        let keep = p.on("show-managed-fields");
        let shown = |object: &Value| if keep { object.clone() } else { without_managed_fields(object.clone()) };
        let (mut live, mut merged) = (shown(&live), shown(&merged));
        if item.resource.kind == "Secret" && item.resource.group.is_empty() {
            hide(&mut live, &mut merged);
        }
        text += &one(s, item, &live, &merged);
    }
    s.io.write(text.as_bytes());
    Ok(i32::from(!text.is_empty()))
}

/// What the server would store. `validation` is `fieldValidation`'s value, "" for the server's own choice.
pub async fn merged(s: &mut Session<'_>, p: &Parsed, item: &Item, live: &Value, validation: &str) -> Result<Value> {
    let path = item.resource.object_path(&item.namespace, item.name());
    if p.on("server-side") {
        let force = if p.on("force-conflicts") { "true" } else { "false" };
        let ask = Ask::patch(path, APPLY, &item.object)
            .query("dryRun", "All")
            .query("fieldManager", apply::manager(p, "kubectl"))
            .query("force", force);
        return s.json(ask).await;
    }
    let manager = apply::manager(p, "kubectl-client-side-apply");
    if live.is_null() {
        let ask = Ask::post(item.resource.path(&item.namespace), &item.object);
        return s.json(ask.query("dryRun", "All").query("fieldManager", manager).query("fieldValidation", validation)).await;
    }
    let last = live["metadata"]["annotations"][apply::LAST_APPLIED].as_str();
    let original = last.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| json!({}));
    let (kind, mut body) = match apply::is_builtin(&item.resource.group) {
        true => (STRATEGIC, patch::strategic(&original, &item.object, live)),
        false => (MERGE, patch::merge(&original, &item.object, live)),
    };
    // The manifest does not hold the annotation that remembers it.
    if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
        if metadata.get("annotations").is_some_and(|a| a.is_null() || a == &json!({apply::LAST_APPLIED: null})) {
            metadata.remove("annotations");
        }
        if metadata.is_empty() {
            body.as_object_mut().and_then(|body| body.remove("metadata"));
        }
    }
    body["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
    let ask = Ask::patch(path, kind, &body).query("dryRun", "All").query("fieldManager", manager);
    s.json(ask.query("fieldValidation", validation)).await
}

/// Values of secrets are not shown, only whether they differ.
pub fn hide(live: &mut Value, merged: &mut Value) {
    let keys: Vec<String> =
        [&*live, &*merged].iter().flat_map(|o| o["data"].as_object().into_iter().flat_map(|d| d.keys().cloned())).collect();
    for key in keys {
        let (before, after) = (live["data"].get(&key).cloned(), merged["data"].get(&key).cloned());
        let differ = before.is_some() && after.is_some() && before != after;
        for (object, value, words) in [(&mut *live, before, HIDDEN[1]), (&mut *merged, after, HIDDEN[2])] {
            if value.is_some() {
                object["data"][&key] = json!(if differ { words } else { HIDDEN[0] });
            }
        }
    }
}

/// The difference of one object as `diff -u -N` prints it; "" when there is none.
fn one(s: &Session<'_>, item: &Item, live: &Value, merged: &Value) -> String {
    let text = |object: &Value| if object.is_null() { String::new() } else { yaml::write(object) };
    let (old, new) = (text(live), text(merged));
    if old == new {
        return String::new();
    }
    let version = match item.resource.group.as_str() {
        "" => item.resource.version.clone(),
        group => format!("{group}.{}", item.resource.version),
    };
    let file = format!("{version}.{}.{}.{}", item.resource.kind, item.namespace, item.name());
    let now = s.now().rfc3339_micro().replace('T', " ").replace('Z', "000 +0000");
    let mut out = format!("diff -u -N LIVE/{file} MERGED/{file}\n--- LIVE/{file}\t{now}\n+++ MERGED/{file}\t{now}\n");
    out += &unified(&old, &new, Shown { around: 3, names: None, tells_end: false });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        let mut live = json!({"data": {"a": "1", "b": "2", "gone": "3"}});
        let mut merged = json!({"data": {"a": "1", "b": "9", "new": "4"}});
        hide(&mut live, &mut merged);
        assert_eq!(live, json!({"data": {"a": "***", "b": "*** (before)", "gone": "***"}}));
        assert_eq!(merged, json!({"data": {"a": "***", "b": "*** (after)", "new": "***"}}));
    }
}
