//! A Deployment's counters and conditions, from which `kubectl rollout status` reads.

use super::{Roll, replicas};
use crate::base::clock::Time;
use crate::k8s::Object;
use crate::sandbox::Action;
use crate::sandbox::controllers::owners::{number, set_condition};
use serde_json::{Map, Value, json};

/// The status write that is due, if any.
pub fn update(roll: &Roll<'_>, now: Time) -> impl Iterator<Item = Action> + use<> {
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
            // A pointer in Go: written also when nothing terminates.
            0 if key != "terminatingReplicas" => drop(status.remove(key)),
            n => drop(status.insert(key.into(), json!(n))),
        }
    }
    let at = now.rfc3339();
    set_condition(&mut status, availability(d, wanted, available), &at);
    let mut alarm = None;
    if let Some(condition) = progress(roll, wanted, updated, available, total) {
        let moved = ["updatedReplicas", "readyReplicas", "availableReplicas", "replicas"]
            .iter()
            .any(|key| d.status()[key].as_i64().unwrap_or(0) != status.get(*key).and_then(Value::as_i64).unwrap_or(0));
        let (condition, due) = in_time(roll, condition, moved, now);
        alarm = due.map(Action::Alarm);
        set_condition(&mut status, condition, &at);
        if moved {
            touch(&mut status, &at);
        }
    }
    failure(roll, &mut status, &at);
    written(roll, status).into_iter().chain(alarm)
}

/// The write, if status or revision are not what the Deployment has.
fn written(roll: &Roll<'_>, status: Map<String, Value>) -> Option<Action> {
    let d = roll.deployment;
    let current = roll.new.filter(|_| d.at(&["spec", "paused"]) != true);
    let number = current.map(|current| {
        let next = roll.old.iter().map(|rs| super::revision(rs)).max().unwrap_or(0) + 1;
        super::revision(current).max(next).to_string()
    });
    let same_number = number.as_deref().is_none_or(|number| d.annotation(super::REVISION) == Some(number));
    if same_number && d.status().as_object().is_some_and(|old| *old == status) {
        return None;
    }
    let mut new = d.clone();
    new.set(&["status"], Value::Object(status));
    if let Some(number) = number {
        new.set(&["metadata", "annotations", super::REVISION], json!(number));
    }
    Some(Action::UpdateStatus(new))
}

/// Notes that the rollout went on.
fn touch(status: &mut Map<String, Value>, now: &str) {
    let list = status.get_mut("conditions").and_then(Value::as_array_mut);
    for condition in list.into_iter().flatten().filter(|c| c["type"] == "Progressing") {
        condition["lastUpdateTime"] = json!(now);
    }
}

/// A rollout that stands still for `progressDeadlineSeconds` has failed; one that may still do so is looked at again then.
fn in_time(roll: &Roll<'_>, wanted: Value, moved: bool, now: Time) -> (Value, Option<Time>) {
    let d = roll.deployment;
    let old = d.at(&["status", "conditions"]).as_array().into_iter().flatten().find(|c| c["type"] == "Progressing");
    let going = wanted["reason"] == "ReplicaSetUpdated";
    let (Some(old), Some(new), true) = (old, roll.new, going) else { return (wanted, None) };
    let template = number(d, &["metadata", "generation"], 1) != number(d, &["status", "observedGeneration"], 0);
    let seconds = number(d, &["spec", "progressDeadlineSeconds"], 600);
    let since =
        if moved || template || old["reason"] == "NewReplicaSetAvailable" { None } else { old["lastUpdateTime"].as_str() };
    let due = since.and_then(Time::parse).unwrap_or(now).plus_ms(seconds * 1000);
    let failed = old["reason"] == "ProgressDeadlineExceeded" && !moved && !template;
    if !failed && due > now {
        return (wanted, Some(due));
    }
    let message = format!("ReplicaSet \"{}\" has timed out progressing.", new.name());
    (json!({"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": message}), None)
}

/// What a ReplicaSet says of refused pods, the Deployment says too.
fn failure(roll: &Roll<'_>, status: &mut Map<String, Value>, now: &str) {
    let said = roll.sets().find_map(|rs| {
        let conditions = rs.at(&["status", "conditions"]).as_array()?;
        conditions.iter().find(|c| c["type"] == "ReplicaFailure").cloned()
    });
    match said {
        Some(condition) => drop(set_condition(status, condition, now)),
        None => {
            if let Some(Value::Array(list)) = status.get_mut("conditions") {
                list.retain(|c| c["type"] != "ReplicaFailure");
            }
        }
    }
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
