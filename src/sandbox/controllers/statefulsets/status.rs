//! A StatefulSet's counters and revisions, from which `kubectl rollout status` reads.

use super::{HASH, Roll};
use crate::sandbox::Action;
use crate::sandbox::controllers::owners::condition_is_true;
use crate::sandbox::controllers::pods::{Available, available, count};
use serde_json::{Value, json};

/// The status write that is due, if any.
pub fn update(roll: &Roll<'_>) -> Option<Action> {
    let set = roll.set;
    let pods = || roll.replicas.values().chain(&roll.condemned);
    let total = pods().count();
    let ready = pods().filter(|p| condition_is_true(p, "Ready")).count();
    let available = pods().filter(|p| available(p, set, roll.now) == Available::Yes).count();
    let of = |revision: &str| pods().filter(|p| !p.is_terminating() && p.label(HASH) == Some(revision)).count();
    let updated = of(&roll.update);
    let complete =
        set.str_at(&["spec", "updateStrategy", "type"]) != "OnDelete" && updated == total && ready == total && total > 0;
    let current = if complete { &roll.update } else { &roll.current };
    let mut status = set.status().as_object().cloned().unwrap_or_default();
    status.insert("observedGeneration".into(), set.at(&["metadata", "generation"]).clone());
    status.insert("replicas".into(), json!(total));
    status.insert("availableReplicas".into(), json!(available));
    status.insert("currentRevision".into(), json!(current));
    status.insert("updateRevision".into(), json!(roll.update));
    status.entry("collisionCount").or_insert(json!(0));
    count(&mut status, "readyReplicas", ready);
    count(&mut status, "currentReplicas", of(current));
    count(&mut status, "updatedReplicas", updated);
    let mut new = set.clone();
    new.set(&["status"], Value::Object(status));
    (new != *set).then_some(Action::UpdateStatus(new))
}
