//! A Deployment's counters and conditions, from which `kubectl rollout status` reads.

use super::{Roll, replicas};
use crate::base::clock::Time;
use crate::k8s::Object;
use crate::sandbox::Action;
use crate::sandbox::controllers::owners::{number, set_condition};
use serde_json::{Value, json};

/// The status write that is due, if any.
pub fn update(roll: &Roll<'_>, now: Time) -> Option<Action> {
    let d = roll.deployment;
    let sum = |field: &str| -> i64 { roll.sets().map(|rs| number(rs, &["status", field], 0)).sum() };
    let wanted = number(d, &["spec", "replicas"], 1);
    let available = sum("availableReplicas");
    let total = sum("replicas");
    let updated = roll.new.map_or(0, |rs| number(rs, &["status", "replicas"], 0));
    let mut status = d.status().as_object().cloned().unwrap_or_default();
    status.insert("observedGeneration".into(), d.at(&["metadata", "generation"]).clone());
    for (key, n) in [
        ("replicas", total),
        ("updatedReplicas", updated),
        ("readyReplicas", sum("readyReplicas")),
        ("availableReplicas", available),
        ("unavailableReplicas", (wanted - available).max(0)),
        ("terminatingReplicas", sum("terminatingReplicas")),
    ] {
        match n {
            0 => drop(status.remove(key)),
            n => drop(status.insert(key.into(), json!(n))),
        }
    }
    let at = now.rfc3339();
    set_condition(&mut status, availability(d, wanted, available), &at);
    if let Some(condition) = progress(roll, wanted, updated, available, total) {
        set_condition(&mut status, condition, &at);
    }
    let mut new = d.clone();
    new.set(&["status"], Value::Object(status));
    (new != *d).then_some(Action::UpdateStatus(new))
}

fn availability(d: &Object, wanted: i64, available: i64) -> Value {
    match available >= wanted - super::unavailable(d) {
        true => json!({
            "type": "Available", "status": "True", "reason": "MinimumReplicasAvailable",
            "message": "Deployment has minimum availability.",
        }),
        false => json!({
            "type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable",
            "message": "Deployment does not have minimum availability.",
        }),
    }
}

fn progress(roll: &Roll<'_>, wanted: i64, updated: i64, available: i64, total: i64) -> Option<Value> {
    let d = roll.deployment;
    if d.at(&["spec", "paused"]) == true {
        return Some(json!({
            "type": "Progressing", "status": "Unknown", "reason": "DeploymentPaused", "message": "Deployment is paused",
        }));
    }
    let new = roll.new?;
    let done = updated == wanted && available >= wanted && total == updated && replicas(new) == wanted;
    let (reason, words) = match done {
        true => ("NewReplicaSetAvailable", "has successfully progressed"),
        false => ("ReplicaSetUpdated", "is progressing"),
    };
    let message = format!("ReplicaSet \"{}\" {words}.", new.name());
    Some(json!({"type": "Progressing", "status": "True", "reason": reason, "message": message}))
}
