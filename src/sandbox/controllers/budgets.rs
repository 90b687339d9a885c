//! PodDisruptionBudgets: how many pods may be evicted now (pkg/controller/disruption of Kubernetes).

use super::owners::{condition_is_true, number, references, set_condition, status_write};
use crate::base::clock::Time;
use crate::k8s::selector::LabelSelector;
use crate::k8s::{Object, Snapshot};
use crate::sandbox::store::Change;
use crate::sandbox::{Action, Controller};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Keeps the status of each budget.
pub struct Budgets;

impl Controller for Budgets {
    fn name(&self) -> &'static str {
        "disruption"
    }

    fn concerns(&self, change: &Change) -> bool {
        matches!(
            change.key.kind.kind.as_str(),
            "PodDisruptionBudget" | "Pod" | "ReplicaSet" | "Deployment" | "StatefulSet" | "ReplicationController"
        )
    }

    fn reconcile(&self, state: &Snapshot, now: Time) -> Vec<Action> {
        let all = state.list("policy", "PodDisruptionBudget").filter(|b| !b.is_terminating());
        all.filter_map(|budget| update(state, budget, now)).collect()
    }
}

/// Whether a budget is about a pod: an empty selector is about all, none about none.
pub fn covers(budget: &Object, pod: &Object) -> bool {
    let selector = budget.at(&["spec", "selector"]);
    budget.namespace() == pod.namespace() && selector.is_object() && LabelSelector::from_object(selector).matches(&pod.labels())
}

fn update(state: &Snapshot, budget: &Object, now: Time) -> Option<Action> {
    let over = |p: &Object| matches!(p.str_at(&["status", "phase"]), "Succeeded" | "Failed");
    let mine = |p: &&Arc<Object>| covers(budget, p) && !over(p);
    let pods: Vec<&Arc<Object>> = state.list_in("", "Pod", budget.namespace()).filter(mine).collect();
    let (expected, desired) = wanted(state, budget, &pods);
    let healthy = pods.iter().filter(|p| !p.is_terminating() && condition_is_true(p, "Ready")).count() as i64;
    let allowed = if expected > 0 { (healthy - desired).max(0) } else { 0 };
    let mut status = budget.status().as_object().cloned().unwrap_or_default();
    for (key, n) in
        [("currentHealthy", healthy), ("desiredHealthy", desired), ("disruptionsAllowed", allowed), ("expectedPods", expected)]
    {
        status.insert(key.into(), json!(n));
    }
    let generation = budget.at(&["metadata", "generation"]).clone();
    status.insert("observedGeneration".into(), generation.clone());
    let (value, reason) = if allowed > 0 { ("True", "SufficientPods") } else { ("False", "InsufficientPods") };
    let condition =
        json!({"type": "DisruptionAllowed", "status": value, "reason": reason, "message": "", "observedGeneration": generation});
    set_condition(&mut status, condition, &now.rfc3339());
    status_write(budget, status)
}

/// How many pods there should be, and how many of them healthy.
fn wanted(state: &Snapshot, budget: &Object, pods: &[&Arc<Object>]) -> (i64, i64) {
    let share = |value: &Value, of: i64| match value {
        Value::String(text) => text.trim_end_matches('%').parse::<i64>().map_or(0, |p| (of * p + 99) / 100),
        value => value.as_i64().unwrap_or(0),
    };
    let (least, most) = (budget.at(&["spec", "minAvailable"]), budget.at(&["spec", "maxUnavailable"]));
    if !most.is_null() {
        let expected = scale(state, pods);
        return (expected, (expected - share(most, expected)).max(0));
    }
    if least.is_string() {
        let expected = scale(state, pods);
        return (expected, share(least, expected));
    }
    // Neither is given: one pod has to stay.
    (pods.len() as i64, if least.is_null() { 1 } else { share(least, 0) })
}

/// The replicas that the pods' controllers are to have, each counted once.
fn scale(state: &Snapshot, pods: &[&Arc<Object>]) -> i64 {
    let mut scales: BTreeMap<String, i64> = BTreeMap::new();
    for pod in pods {
        let Some(owner) = references(pod).find(|r| r["controller"] == true) else { continue };
        let (kind, name) = (owner["kind"].as_str().unwrap_or(""), owner["name"].as_str().unwrap_or(""));
        let group = if kind == "ReplicationController" { "" } else { "apps" };
        let Some(mut top) = state.find(group, kind, pod.namespace(), name) else { continue };
        if kind == "ReplicaSet"
            && let Some(above) = references(top).find(|r| r["controller"] == true && r["kind"] == "Deployment")
        {
            top = state.find("apps", "Deployment", pod.namespace(), above["name"].as_str().unwrap_or("")).unwrap_or(top);
        }
        scales.insert(top.uid().to_string(), number(top, &["spec", "replicas"], 0));
    }
    scales.values().sum()
}
