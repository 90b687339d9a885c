//! A DaemonSet's counters, from which `kubectl rollout status` reads.

use super::Roll;
use crate::k8s::Object;
use crate::sandbox::Action;
use crate::sandbox::controllers::owners::condition_is_true;
use crate::sandbox::controllers::pods::count;
use serde_json::{Value, json};
use std::sync::Arc;

/// The status write that is due, if any.
pub fn update(roll: &Roll<'_>) -> Option<Action> {
    let set = roll.set;
    // Of several pods on a node the oldest speaks for it.
    let speaker = |pods: &[&Arc<Object>]| -> Option<Arc<Object>> {
        pods.iter()
            .min_by_key(|p| (p.str_at(&["metadata", "creationTimestamp"]).to_string(), p.name().to_string()))
            .map(|p| (*p).clone())
    };
    let wanted = roll.nodes.iter().filter(|p| p.should_run).count();
    let placed: Vec<Arc<Object>> = roll.nodes.iter().filter(|p| p.should_run).filter_map(|p| speaker(&p.pods)).collect();
    let misplaced = roll.nodes.iter().filter(|p| !p.should_run && !p.pods.is_empty()).count();
    let ready = placed.iter().filter(|p| condition_is_true(p, "Ready")).count();
    let available = placed.iter().filter(|p| roll.is_available(p)).count();
    let fresh = |p: &&super::Place<'_>| p.should_run && p.pods.iter().any(|pod| roll.is_new(pod));
    let updated = roll.nodes.iter().filter(fresh).count();
    let mut status = set.status().as_object().cloned().unwrap_or_default();
    for (key, n) in [
        ("currentNumberScheduled", placed.len()),
        ("desiredNumberScheduled", wanted),
        ("numberMisscheduled", misplaced),
        ("numberReady", ready),
    ] {
        status.insert(key.into(), json!(n));
    }
    status.insert("observedGeneration".into(), set.at(&["metadata", "generation"]).clone());
    count(&mut status, "updatedNumberScheduled", updated);
    count(&mut status, "numberAvailable", available);
    count(&mut status, "numberUnavailable", wanted - available.min(wanted));
    let mut new = set.clone();
    new.set(&["status"], Value::Object(status));
    (new != *set).then_some(Action::UpdateStatus(new))
}
