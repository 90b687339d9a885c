//! The garbage collector: dependents follow their owners.

use super::owners::references;
use crate::base::clock::Time;
use crate::k8s::{Object, Snapshot};
use crate::sandbox::store::Change;
use crate::sandbox::{Action, Controller};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Deletes objects whose owners are all gone; serves the finalizers `foregroundDeletion` and `orphan`.
pub struct Garbage;

impl Controller for Garbage {
    fn name(&self) -> &'static str {
        "garbage collector"
    }

    /// Most writes have nothing to do with owners: only deletions, new references and owners that wait are looked at.
    fn concerns(&self, change: &Change) -> bool {
        let owners = |o: &Object| o.at(&["metadata", "ownerReferences"]).clone();
        let waits = |o: &Object| o.is_terminating() && (has_finalizer(o, FOREGROUND) || has_finalizer(o, ORPHAN));
        match (&change.before, &change.after) {
            (_, None) => change.key.kind.kind != "Event",
            (None, Some(new)) => references(new).next().is_some(),
            (Some(old), Some(new)) => waits(new) || owners(new) != owners(old),
        }
    }

    fn reconcile(&self, state: &Snapshot, _now: Time) -> Vec<Action> {
        let owned: Vec<_> = state.owned().collect();
        let held = state.terminating().filter(|o| has_finalizer(o, FOREGROUND) || has_finalizer(o, ORPHAN));
        let mut actions: Vec<Action> = held.filter_map(|owner| wind_up(owner, &owned)).collect();
        if owned.is_empty() {
            return actions;
        }
        let lost = owned.iter().filter(|o| !o.is_terminating() && references(o).all(|r| !is_alive(state, o, r)));
        actions.extend(lost.map(|o| Action::Delete(o.key())));
        // A dependent that blocks a foreground deletion goes before its owner.
        let blocked: BTreeSet<&str> = state.terminating().filter(|o| has_finalizer(o, FOREGROUND)).map(|o| o.uid()).collect();
        let dependents = owned.iter().filter(|o| !o.is_terminating() && references(o).any(|r| blocked.contains(text(&r["uid"]))));
        actions.extend(dependents.map(|o| Action::Delete(o.key())));
        actions
    }
}

/// Whether the owner that a reference names is there: in the object's own namespace, or without one.
fn is_alive(state: &Snapshot, object: &Object, reference: &Value) -> bool {
    let group = text(&reference["apiVersion"]).split_once('/').map_or("", |(group, _)| group);
    let (kind, name) = (text(&reference["kind"]), text(&reference["name"]));
    [object.namespace(), ""]
        .iter()
        .filter_map(|namespace| state.find(group, kind, namespace, name))
        .any(|owner| owner.uid() == text(&reference["uid"]))
}

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

fn has_finalizer(object: &Object, name: &str) -> bool {
    object.at(&["metadata", "finalizers"]).as_array().is_some_and(|f| f.iter().any(|x| x == name))
}

/// The next write for an owner that waits for its dependents, if it is due.
fn wind_up(owner: &Object, owned: &[&std::sync::Arc<Object>]) -> Option<Action> {
    let mine = |o: &&&std::sync::Arc<Object>| references(o).any(|r| r["uid"] == owner.uid());
    if has_finalizer(owner, ORPHAN)
        && let Some(dependent) = owned.iter().find(mine)
    {
        let mut free = Object::clone(dependent);
        let rest: Vec<Value> = references(dependent).filter(|r| r["uid"] != owner.uid()).cloned().collect();
        match rest.is_empty() {
            true => drop(free.remove(&["metadata", "ownerReferences"])),
            false => free.set(&["metadata", "ownerReferences"], json!(rest)),
        }
        return Some(Action::Update(free));
    }
    let blocks = |o: &&&std::sync::Arc<Object>| references(o).any(|r| r["uid"] == owner.uid() && r["blockOwnerDeletion"] == true);
    if owned.iter().any(|o| blocks(&o)) && has_finalizer(owner, FOREGROUND) {
        return None;
    }
    let mut free = owner.clone();
    let finalizers = owner.at(&["metadata", "finalizers"]).as_array().into_iter().flatten();
    let rest: Vec<Value> = finalizers.filter(|f| *f != FOREGROUND && *f != ORPHAN).cloned().collect();
    free.set(&["metadata", "finalizers"], json!(rest));
    Some(Action::Update(free))
}
