//! Preemption: pods of lower priority make room.

use super::Nodes;
use crate::base::clock::Time;
use crate::base::order::Order;
use crate::k8s::{Object, Snapshot};
use crate::sandbox::Action;
use crate::sandbox::controllers::fit;
use crate::sandbox::controllers::owners::{event, number, set_condition};
use serde_json::{Value, json};
use std::sync::Arc;

/// The first node on which the pod would fit without pods of lower priority, and the fewest of them that have to go: of the lowest
/// priority first, then the youngest. None as long as earlier victims are still going.
pub fn victims<'a>(state: &Snapshot, pod: &Object, nodes: &Nodes<'a>) -> Option<(String, Vec<&'a Arc<Object>>)> {
    if pod.str_at(&["spec", "preemptionPolicy"]) == "Never" {
        return None;
    }
    nodes.iter().find_map(|(name, others)| {
        let node = state.find("", "Node", "", name)?;
        let mine = number(pod, &["spec", "priority"], 0);
        let (mut lower, mut left): (Vec<_>, Vec<_>) =
            others.iter().copied().partition(|p| number(p, &["spec", "priority"], 0) < mine);
        if lower.iter().any(|p| p.is_terminating()) || lower.is_empty() || !fit::misfits(state, pod, node, &left).is_empty() {
            return None;
        }
        // Those that can stay are put back, the highest priority first.
        lower.order_by_key(|p| (-number(p, &["spec", "priority"], 0), p.str_at(&["metadata", "creationTimestamp"])));
        let mut gone = Vec::new();
        for other in lower {
            left.push(other);
            if !fit::misfits(state, pod, node, &left).is_empty() {
                left.pop();
                gone.push(other);
            }
        }
        (!gone.is_empty()).then(|| (name.to_string(), gone))
    })
}

/// Marks a victim and deletes it.
pub fn evict(pod: &Object, victim: &Object, node: &str, now: Time) -> Vec<Action> {
    let mut status = victim.status().as_object().cloned().unwrap_or_default();
    let message = "default-scheduler: preempting to accommodate a higher priority pod";
    let condition = json!({"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler", "message": message,
                           "lastProbeTime": Value::Null});
    set_condition(&mut status, condition, &now.rfc3339());
    let mut marked = victim.clone();
    marked.set(&["status"], Value::Object(status));
    let text = format!("Preempted by pod {} on node {node}", pod.uid());
    vec![Action::UpdateStatus(marked), event(victim, false, "Preempted", text, "default-scheduler"), Action::Delete(victim.key())]
}
