//! ReplicaSets: as many pods as asked for.

use super::owners::{condition_is_true, controlled, controller_ref, event, is_active, number};
use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::k8s::{Object, Snapshot};
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

    fn watches(&self) -> &'static [&'static str] {
        &["ReplicaSet", "Pod", "Namespace"]
    }

    fn reconcile(&self, state: &Snapshot, now: Time) -> Vec<Action> {
        state.list("apps", "ReplicaSet").flat_map(|rs| step(state, rs, now)).collect()
    }
}

fn step(state: &Snapshot, rs: &Object, now: Time) -> Vec<Action> {
    let pods = controlled(state, "", "Pod", rs);
    let active: Vec<_> = pods.iter().copied().filter(|p| is_active(p)).collect();
    let wanted = number(rs, &["spec", "replicas"], 1).max(0) as usize;
    let open = state.find("", "Namespace", "", rs.namespace()).is_none_or(|ns| !ns.is_terminating());
    let mut actions = Vec::new();
    if !rs.is_terminating() && active.len() < wanted && open {
        let missing = (wanted - active.len()).min(BURST);
        for name in free_names(state, rs, missing, now) {
            actions.push(Action::Create(new_pod(rs, &name)));
            actions.push(event(rs, false, "SuccessfulCreate", format!("Created pod: {name}"), "replicaset-controller"));
        }
    } else if !rs.is_terminating() && active.len() > wanted {
        for pod in spare(&active, active.len() - wanted) {
            actions.push(Action::Delete(pod.key()));
            actions.push(event(rs, false, "SuccessfulDelete", format!("Deleted pod: {}", pod.name()), "replicaset-controller"));
        }
    }
    actions.extend(count(rs, &active, pods.iter().filter(|p| p.is_terminating()).count()));
    actions
}

/// Names for new pods: by hash of the set, the moment and a number, so that a replacement never takes its predecessor's name.
fn free_names(state: &Snapshot, rs: &Object, count: usize, now: Time) -> Vec<String> {
    let moment = now.0.to_string();
    let name = |n: u64| format!("{}-{}", rs.name(), Seed(0).suffix(&["Pod", rs.uid(), &moment, &n.to_string()], 5));
    let free = |name: &String| state.find("", "Pod", rs.namespace(), name).is_none();
    (0..count as u64 + 1000).map(name).filter(free).take(count).collect()
}

fn new_pod(rs: &Object, name: &str) -> Object {
    let template = rs.at(&["spec", "template"]);
    let mut meta = template["metadata"].as_object().cloned().unwrap_or_default();
    meta.retain(|key, _| matches!(key.as_str(), "labels" | "annotations" | "finalizers"));
    meta.insert("name".into(), json!(name));
    meta.insert("generateName".into(), json!(format!("{}-", rs.name())));
    meta.insert("namespace".into(), json!(rs.namespace()));
    meta.insert("ownerReferences".into(), json!([controller_ref(rs)]));
    Object(json!({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}))
}

/// Which pods go first: not yet ready before ready, then the younger, then by name.
fn spare<'a>(active: &[&'a Arc<Object>], count: usize) -> Vec<&'a Arc<Object>> {
    let mut pods = active.to_vec();
    pods.sort_by(|a, b| {
        let ready = condition_is_true(a, "Ready").cmp(&condition_is_true(b, "Ready"));
        let age = b.str_at(&["metadata", "creationTimestamp"]).cmp(a.str_at(&["metadata", "creationTimestamp"]));
        ready.then(age).then(a.name().cmp(b.name()))
    });
    pods.truncate(count.min(BURST));
    pods
}

fn count(rs: &Object, active: &[&Arc<Object>], terminating: usize) -> Option<Action> {
    let ready = active.iter().filter(|p| condition_is_true(p, "Ready")).count();
    let labels = rs.at(&["spec", "template", "metadata", "labels"]);
    let full = active.iter().filter(|p| super::owners::selects(labels, p)).count();
    let mut status = rs.status().as_object().cloned().unwrap_or_default();
    status.insert("replicas".into(), json!(active.len()));
    status.insert("observedGeneration".into(), rs.at(&["metadata", "generation"]).clone());
    for (key, n) in [
        ("fullyLabeledReplicas", full),
        ("readyReplicas", ready),
        ("availableReplicas", ready),
        ("terminatingReplicas", terminating),
    ] {
        match n {
            0 => drop(status.remove(key)),
            n => drop(status.insert(key.into(), json!(n))),
        }
    }
    if status.get("conditions").is_none_or(Value::is_null) {
        status.remove("conditions");
    }
    let mut new = rs.clone();
    new.set(&["status"], Value::Object(status));
    (new != *rs).then_some(Action::UpdateStatus(new))
}
