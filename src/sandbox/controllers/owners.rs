//! Small questions that several loops ask.

use crate::k8s::{Object, Snapshot};
use crate::sandbox::Action;
use crate::sandbox::store::Change;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The `ownerReferences` entry that makes `owner` the managing controller.
pub fn controller_ref(owner: &Object) -> Value {
    json!({
        "apiVersion": owner.api_version(), "kind": owner.kind(), "name": owner.name(), "uid": owner.uid(),
        "controller": true, "blockOwnerDeletion": true,
    })
}

/// Whether `owner` is the managing controller of `object`.
pub fn is_controlled_by(object: &Object, owner: &Object) -> bool {
    references(object).any(|r| r["uid"] == owner.uid() && r["controller"] == true)
}

/// The owner references of an object.
pub fn references(object: &Object) -> impl Iterator<Item = &Value> {
    object.at(&["metadata", "ownerReferences"]).as_array().into_iter().flatten()
}

/// The objects of a kind that `owner` controls, by name.
pub fn controlled<'a>(state: &'a Snapshot, group: &str, kind: &str, owner: &'a Object) -> Vec<&'a Arc<Object>> {
    state.list_in(group, kind, owner.namespace()).filter(|o| is_controlled_by(o, owner)).collect()
}

/// Whether the condition of this type is `True`.
pub fn condition_is_true(object: &Object, kind: &str) -> bool {
    let conditions = object.at(&["status", "conditions"]).as_array();
    conditions.into_iter().flatten().any(|c| c["type"] == kind && c["status"] == "True")
}

/// Whether a pod counts for its owner: not going, not finished.
pub fn is_active(pod: &Object) -> bool {
    !pod.is_terminating() && !matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed")
}

/// An integer field, or a default.
pub fn number(object: &Object, path: &[&str], default: i64) -> i64 {
    object.at(path).as_i64().unwrap_or(default)
}

/// Whether a map selector (a Service's) picks these labels. An empty selector picks nothing.
pub fn selects(selector: &Value, object: &Object) -> bool {
    let Some(wanted) = selector.as_object().filter(|m| !m.is_empty()) else { return false };
    wanted.iter().all(|(key, value)| object.label(key) == value.as_str())
}

/// An event about an object.
pub fn event(about: &Object, warning: bool, reason: &str, message: String, source: &str) -> Action {
    Action::Event { about: about.key(), warning, reason: reason.into(), message, source: source.into(), field: String::new() }
}

/// The write of a status, if it is not what the object has. Loops look far more often than they write: nothing is copied until then.
pub fn status_write(object: &Object, status: Map<String, Value>) -> Option<Action> {
    let same = object.status().as_object().is_some_and(|old| *old == status);
    (!same).then(|| {
        let mut new = object.clone();
        new.set(&["status"], Value::Object(status));
        Action::UpdateStatus(new)
    })
}

/// Sets a condition; `lastTransitionTime` moves only when the status does. Returns whether anything changed.
pub fn set_condition(status: &mut Map<String, Value>, wanted: Value, now: &str) -> bool {
    let list = status.entry("conditions").or_insert_with(|| json!([]));
    if !list.is_array() {
        *list = json!([]);
    }
    let list = list.as_array_mut().expect("made above");
    let place = list.iter().position(|c| c["type"] == wanted["type"]);
    let mut wanted = wanted;
    let old = place.map(|i| &list[i]);
    let same = |key: &str| old.is_some_and(|o| o[key] == wanted[key]);
    if ["status", "reason", "message"].iter().all(|key| same(key)) {
        return false;
    }
    let since = match old {
        Some(o) if same("status") => o["lastTransitionTime"].clone(),
        _ => json!(now),
    };
    wanted["lastTransitionTime"] = since;
    // Deployments' conditions also say when they were last looked at; pods' and nodes' do not.
    if matches!(wanted["type"].as_str(), Some("Available" | "Progressing")) {
        wanted["lastUpdateTime"] = json!(now);
    }
    match place {
        Some(i) => list[i] = wanted,
        None => list.push(wanted),
    }
    true
}

/// Whether a change is about an object that something of this kind controls, or did.
pub fn of_kind(change: &Change, kind: &str) -> bool {
    let owned = |object: &Object| references(object).any(|r| r["controller"] == true && r["kind"] == kind);
    [&change.before, &change.after].into_iter().flatten().any(|object| owned(object))
}
