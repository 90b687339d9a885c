//! CustomResourceDefinitions: accepted and established after they were written, emptied before they go.

use crate::base::clock::Time;
use crate::k8s::{Object, Snapshot};
use crate::sandbox::api::validate::crd;
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
            false => establish(state, definition, now),
        })
        .collect()
    }
}

fn establish(state: &Snapshot, definition: &Object, now: Time) -> Vec<Action> {
    let storage = definition.at(&["spec", "versions"]).as_array().into_iter().flatten().find(|v| v["storage"] == true);
    let storage = storage.map(|v| v["name"].clone()).unwrap_or(Value::Null);
    let (names, conflict) = names(state, definition);
    let established = crd::is_established(definition) || conflict.is_none();
    let mut stored = definition.at(&["status", "storedVersions"]).as_array().cloned().unwrap_or_default();
    if !stored.contains(&storage) {
        stored.push(storage);
    }
    let before = definition.at(&["status", "conditions"]).as_array().cloned().unwrap_or_default();
    let condition = |kind: &str, good: bool, reason: &str, message: &str| {
        let status = if good { "True" } else { "False" };
        let same = before
            .iter()
            .find(|c| c["type"] == kind && c["status"] == status && c["reason"] == reason && c["message"] == message);
        same.cloned().unwrap_or_else(
            || json!({"type": kind, "status": status, "lastTransitionTime": now.rfc3339(), "reason": reason, "message": message}),
        )
    };
    let accepted = match &conflict {
        None => condition("NamesAccepted", true, "NoConflicts", "no conflicts found"),
        Some((reason, message)) => condition("NamesAccepted", false, reason, message),
    };
    let served = match established {
        true => condition("Established", true, "InitialNamesAccepted", "the initial names have been accepted"),
        false => condition("Established", false, "NotAccepted", "not all names are accepted"),
    };
    let mut conditions: Vec<Value> =
        before.iter().filter(|c| !matches!(c["type"].as_str(), Some("NamesAccepted" | "Established"))).cloned().collect();
    conditions.splice(0..0, [accepted, served]);
    let status = json!({"conditions": conditions, "acceptedNames": names, "storedVersions": stored});
    if *definition.status() == status {
        return Vec::new();
    }
    let mut next = definition.clone();
    next.set(&["status"], status);
    vec![Action::UpdateStatus(next)]
}

/// The names that a definition gets, and which one another definition of the group has already (naming_controller.go).
fn names(state: &Snapshot, definition: &Object) -> (Value, Option<(&'static str, String)>) {
    let wanted = definition.at(&["spec", "names"]);
    let mut accepted = definition.at(&["status", "acceptedNames"]).clone();
    let group = definition.str_at(&["spec", "group"]);
    let others = state.list("apiextensions.k8s.io", "CustomResourceDefinition");
    let others: Vec<&Value> = others
        .filter(|other| other.name() != definition.name() && other.str_at(&["spec", "group"]) == group)
        .map(|other| other.at(&["status", "acceptedNames"]))
        .collect();
    let short = |names: &Value| names["shortNames"].as_array().cloned().unwrap_or_default();
    let is_resource = |name: &Value| {
        others.iter().any(|other| other["plural"] == *name || other["singular"] == *name || short(other).contains(name))
    };
    let is_kind = |name: &Value| others.iter().any(|other| other["kind"] == *name || other["listKind"] == *name);
    let mut conflict = None;
    let mut take = |field: &str, reason: &'static str, used: Option<&Value>| match used {
        Some(name) => conflict = Some((reason, format!("{name} is already in use"))),
        None if wanted[field].is_null() => (),
        None => accepted[field] = wanted[field].clone(),
    };
    let own = definition.at(&["status", "acceptedNames"]);
    let taken = |field: &str, used: &dyn Fn(&Value) -> bool| {
        (wanted[field] != own[field] && used(&wanted[field])).then_some(&wanted[field])
    };
    take("plural", "PluralConflict", taken("plural", &is_resource));
    take("singular", "SingularConflict", taken("singular", &is_resource));
    let shorts = short(wanted);
    let had = short(own);
    take("shortNames", "ShortNamesConflict", shorts.iter().find(|name| !had.contains(name) && is_resource(name)));
    take("kind", "KindConflict", taken("kind", &is_kind));
    take("listKind", "ListKindConflict", taken("listKind", &is_kind));
    take("categories", "", None);
    (accepted, conflict)
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
