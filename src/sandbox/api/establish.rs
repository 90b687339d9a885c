//! CustomResourceDefinitions: accepted and established after they were written, emptied before they go.

use crate::base::clock::Time;
use crate::k8s::{Object, Snapshot};
use crate::sandbox::store::Change;
use crate::sandbox::{Action, Controller};
use serde_json::{Value, json};

/// The finalizer that keeps a definition until its objects are gone.
pub const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Sets a definition's conditions, accepted names and stored versions; empties terminating ones.
pub struct Establish;

impl Controller for Establish {
    fn name(&self) -> &'static str {
        "custom resource definitions"
    }

    fn component(&self) -> &'static str {
        "kube-apiserver"
    }

    fn concerns(&self, change: &Change) -> bool {
        // A terminating definition waits for the last object of its kind.
        change.key.kind.kind == "CustomResourceDefinition" || change.after.is_none()
    }

    fn reconcile(&self, state: &Snapshot, now: Time) -> Vec<Action> {
        let all = state.list("apiextensions.k8s.io", "CustomResourceDefinition");
        all.flat_map(|definition| match definition.is_terminating() {
            true => empty(state, definition),
            false => establish(definition, now),
        })
        .collect()
    }
}

fn establish(definition: &Object, now: Time) -> Vec<Action> {
    let storage = definition.at(&["spec", "versions"]).as_array().into_iter().flatten().find(|v| v["storage"] == true);
    let storage = storage.map(|v| v["name"].clone()).unwrap_or(Value::Null);
    let names = definition.at(&["spec", "names"]);
    let stored = definition.at(&["status", "storedVersions"]).as_array().cloned().unwrap_or_default();
    if definition.at(&["status", "acceptedNames"]) == names && stored.contains(&storage) {
        return Vec::new();
    }
    let mut stored = stored;
    if !stored.contains(&storage) {
        stored.push(storage);
    }
    let at = now.rfc3339();
    let condition = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "lastTransitionTime": at, "reason": reason, "message": message});
    let mut next = definition.clone();
    let conditions = definition.at(&["status", "conditions"]).as_array().filter(|list| !list.is_empty()).cloned();
    let conditions = conditions.unwrap_or_else(|| {
        vec![
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ]
    });
    next.set(&["status"], json!({"conditions": conditions, "acceptedNames": names, "storedVersions": stored}));
    vec![Action::UpdateStatus(next)]
}

fn empty(state: &Snapshot, definition: &Object) -> Vec<Action> {
    let (group, kind) = (definition.str_at(&["spec", "group"]), definition.str_at(&["spec", "names", "kind"]));
    let mut left = state.list(group, kind).peekable();
    if left.peek().is_some() {
        return left.filter(|object| !object.is_terminating()).map(|object| Action::Delete(object.key())).collect();
    }
    let finalizers = definition.at(&["metadata", "finalizers"]).as_array().cloned().unwrap_or_default();
    if !finalizers.iter().any(|f| f == CLEANUP) {
        return Vec::new();
    }
    let mut free = definition.clone();
    let rest: Vec<Value> = finalizers.into_iter().filter(|f| f != CLEANUP).collect();
    free.set(&["metadata", "finalizers"], json!(rest));
    vec![Action::Update(free)]
}
