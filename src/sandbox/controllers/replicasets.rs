//! ReplicaSets: as many pods as asked for.

use super::owners::{condition_is_true, event, is_active, number, status_write};
use super::pods::{Available, Children, available, free_names, from_template, is_open};
use crate::base::clock::Time;
use crate::base::order::Order;
use crate::k8s::{Object, Snapshot};
use crate::sandbox::store::Change;
use crate::sandbox::{Action, Controller};
use serde_json::{Value, json};
use std::sync::Arc;

/// Creates missing pods, deletes spare ones, counts.
pub struct ReplicaSets;

/// The most pods that one step creates or deletes.
const BURST: usize = 500;

impl Controller for ReplicaSets {
    fn name(&self) -> &'static str {
        "replicaset"
    }

    fn concerns(&self, change: &Change) -> bool {
        match change.key.kind.kind.as_str() {
            "ReplicaSet" | "Namespace" => true,
            "Pod" => super::owners::of_kind(change, "ReplicaSet"),
            _ => false,
        }
    }

    fn reconcile(&self, state: &Snapshot, now: Time) -> Vec<Action> {
        let mut sets = state.list("apps", "ReplicaSet").peekable();
        if sets.peek().is_none() {
            return Vec::new();
        }
        let pods = Children::of(state, "", "Pod");
        sets.flat_map(|rs| step(state, pods.under(rs), rs, now)).collect()
    }
}

fn step(state: &Snapshot, pods: &[&Arc<Object>], rs: &Object, now: Time) -> Vec<Action> {
    let active: Vec<_> = pods.iter().copied().filter(|p| is_active(p)).collect();
    let wanted = number(rs, &["spec", "replicas"], 1).max(0) as usize;
    let open = is_open(state, rs.namespace());
    let mut actions = Vec::new();
    if !rs.is_terminating() && active.len() < wanted && open {
        let missing = (wanted - active.len()).min(BURST);
        // While creations are refused the names stay the same, so that the same event is counted instead of many told.
        let moment = failing(rs).unwrap_or(now);
        for name in free_names(state, rs, rs.name(), missing, moment) {
            actions.push(Action::Create(from_template(rs, rs.at(&["spec", "template"]), &name)));
            actions.push(event(rs, false, "SuccessfulCreate", format!("Created pod: {name}"), "replicaset-controller"));
        }
    } else if !rs.is_terminating() && active.len() > wanted {
        for pod in spare(&active, active.len() - wanted) {
            actions.push(Action::Delete(pod.key()));
            actions.push(event(rs, false, "SuccessfulDelete", format!("Deleted pod: {}", pod.name()), "replicaset-controller"));
        }
    }
    actions.extend(count(rs, &active, pods.iter().filter(|p| p.is_terminating()).count(), now));
    actions.extend(active.iter().filter_map(|pod| match available(pod, rs, now) {
        Available::At(due) => Some(Action::Wake(due)),
        _ => None,
    }));
    actions
}

/// Which pods go first: not yet ready before ready, then the younger, then by name.
fn spare<'a>(active: &[&'a Arc<Object>], count: usize) -> Vec<&'a Arc<Object>> {
    let mut pods = active.to_vec();
    pods.order_by(|a, b| {
        let ready = condition_is_true(a, "Ready").cmp(&condition_is_true(b, "Ready"));
        let age = b.str_at(&["metadata", "creationTimestamp"]).cmp(a.str_at(&["metadata", "creationTimestamp"]));
        ready.then(age).then(a.name().cmp(b.name()))
    });
    pods.truncate(count.min(BURST));
    pods
}

fn count(rs: &Object, active: &[&Arc<Object>], terminating: usize, now: Time) -> Option<Action> {
    let ready = active.iter().filter(|p| condition_is_true(p, "Ready")).count();
    let labels = rs.at(&["spec", "template", "metadata", "labels"]);
    let full = active.iter().filter(|p| super::owners::selects(labels, p)).count();
    let mut status = rs.status().as_object().cloned().unwrap_or_default();
    status.insert("replicas".into(), json!(active.len()));
    status.insert("observedGeneration".into(), rs.at(&["metadata", "generation"]).clone());
    for (key, n) in [
        ("fullyLabeledReplicas", full),
        ("readyReplicas", ready),
        ("availableReplicas", active.iter().filter(|p| available(p, rs, now) == Available::Yes).count()),
        ("terminatingReplicas", terminating),
    ] {
        match n {
            // A pointer in Go: written also when nothing terminates.
            0 if key != "terminatingReplicas" => drop(status.remove(key)),
            n => drop(status.insert(key.into(), json!(n))),
        }
    }
    if active.len() as i64 == number(rs, &["spec", "replicas"], 1)
        && let Some(Value::Array(list)) = status.get_mut("conditions")
    {
        list.retain(|c| c["type"] != "ReplicaFailure");
    }
    if status.get("conditions").is_none_or(|list| list.as_array().is_none_or(Vec::is_empty)) {
        status.remove("conditions");
    }
    status_write(rs, status)
}

/// Since when creations are refused.
fn failing(rs: &Object) -> Option<Time> {
    let conditions = rs.at(&["status", "conditions"]).as_array().into_iter().flatten();
    let failure = conditions.into_iter().find(|c| c["type"] == "ReplicaFailure")?;
    Time::parse(failure["lastTransitionTime"].as_str()?)
}
