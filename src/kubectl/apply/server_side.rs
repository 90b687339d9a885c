//! `apply --server-side`, with the migration of fields that client-side apply owned.

use super::{DryRun, LAST_APPLIED, field_validation, manager};
use crate::kubectl::error::{Error, Result};
use crate::kubectl::flags::Parsed;
use crate::kubectl::manifest::Item;
use crate::kubectl::print::output::last_applied;
use crate::kubectl::session::{APPLY, Ask, JSON_PATCH, Session};
use serde_json::{Value, json};

const CONFLICT_ADVICE: &str = "
Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the `--force-conflicts` flag.
* If you do not intend to manage all of the fields, please edit your
  manifest to remove references to the fields that should keep their
  current managers.
* You may co-own fields by updating your manifest to match the existing
  value; in this case, you'll become the manager if the other manager(s)
  stop managing the field (remove it from their configuration).
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts";

pub(super) async fn apply(s: &mut Session<'_>, p: &Parsed, item: &Item, dry_run: DryRun) -> Result<(&'static str, Value)> {
    if item.name().is_empty() {
        return Err(Error::plain("metadata.name is required for server-side apply"));
    }
    let object = send(s, p, item, dry_run, &item.object, &manager(p, "kubectl")).await?;
    let object = match dry_run == DryRun::None && needs_migration(&object) {
        true => migrate(s, p, item, object).await?,
        false => object,
    };
    Ok(("serverside-applied", object))
}

async fn send(s: &mut Session<'_>, p: &Parsed, item: &Item, dry_run: DryRun, body: &Value, owner: &str) -> Result<Value> {
    let force = if owner == "kubectl-last-applied" { "" } else { flag(p.on("force-conflicts")) };
    let ask = Ask::patch(item.resource.object_path(&item.namespace, item.name()), APPLY, body)
        .query("dryRun", dry_run.query())
        .query("fieldManager", owner)
        .query("fieldValidation", field_validation(p)?)
        .query("force", force);
    s.json(ask).await.map_err(conflict)
}

fn flag(on: bool) -> &'static str {
    if on { "true" } else { "false" }
}

fn conflict(error: Error) -> Error {
    match error.reason() {
        "Conflict" => Error::Plain(format!("{}{CONFLICT_ADVICE}", error.message())),
        _ => error,
    }
}

fn csa_entry(entry: &Value) -> bool {
    entry["manager"] == "kubectl-client-side-apply" && entry["operation"] == "Update"
}

fn needs_migration(object: &Value) -> bool {
    let owners = object["metadata"]["managedFields"].as_array().map(Vec::as_slice).unwrap_or_default();
    object["metadata"]["annotations"][LAST_APPLIED].is_string() && owners.iter().any(csa_entry)
}

/// Gives what client-side apply owned to server-side apply, as kubectl does.
async fn migrate(s: &mut Session<'_>, p: &Parsed, item: &Item, object: Value) -> Result<Value> {
    let mut kept = json!({"apiVersion": item.object["apiVersion"], "kind": item.object["kind"],
        "metadata": {"name": item.name(), "annotations": {LAST_APPLIED: last_applied(&item.object)}}});
    if !item.namespace.is_empty() {
        kept["metadata"]["namespace"] = json!(item.namespace);
    }
    let _ = object;
    let object = send(s, p, item, DryRun::None, &kept, "kubectl-last-applied").await?;
    let owners = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    if owners.iter().any(csa_entry) {
        let body = json!([
            {"op": "replace", "path": "/metadata/managedFields", "value": merged_owners(owners)},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": object["metadata"]["resourceVersion"]},
        ]);
        let ask = Ask::patch(item.resource.object_path(&item.namespace, item.name()), JSON_PATCH, &body)
            .query("fieldManager", "kubectl")
            .query("fieldValidation", field_validation(p)?);
        s.json(ask).await?;
    }
    send(s, p, item, DryRun::None, &item.object, &manager(p, "kubectl")).await
}

/// The owners with client-side apply's fields given to `kubectl`, but for the annotation, which has its own owner by now.
fn merged_owners(owners: Vec<Value>) -> Vec<Value> {
    let (csa, mut rest): (Vec<Value>, Vec<Value>) = owners.into_iter().partition(csa_entry);
    if let Some(own) = rest.iter_mut().find(|e| e["manager"] == "kubectl" && e["operation"] == "Apply") {
        for entry in csa {
            union(&mut own["fieldsV1"], entry["fieldsV1"].clone());
        }
        if let Some(entry) = own.as_object_mut() {
            entry.remove("time");
        }
    }
    rest
}

fn union(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                union(into.entry(key).or_insert_with(|| json!({})), value);
            }
        }
        (into, from) if into.is_null() => *into = from,
        _ => (),
    }
}
