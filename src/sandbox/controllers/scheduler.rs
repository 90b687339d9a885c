//! The scheduler: binds pods to a node that will have them.

use super::owners::{event, set_condition};
use crate::base::clock::Time;
use crate::k8s::{Object, Snapshot};
use crate::sandbox::{Action, Controller};
use serde_json::{Value, json};
use std::sync::Arc;

/// Binds each pod without a node to the first node that fits; says why when none does.
pub struct Scheduler;

impl Controller for Scheduler {
    fn name(&self) -> &'static str {
        "scheduler"
    }

    fn component(&self) -> &'static str {
        ""
    }

    fn watches(&self) -> &'static [&'static str] {
        &["Pod", "Node"]
    }

    fn reconcile(&self, state: &Snapshot, now: Time) -> Vec<Action> {
        let nodes: Vec<_> = state.list("", "Node").collect();
        let waiting = |p: &&Arc<Object>| p.str_at(&["spec", "nodeName"]).is_empty() && !p.is_terminating();
        let mine = |p: &&Arc<Object>| matches!(p.str_at(&["spec", "schedulerName"]), "" | "default-scheduler");
        let gated = |p: &&Arc<Object>| p.at(&["spec", "schedulingGates"]).as_array().is_some_and(|g| !g.is_empty());
        let pods = state.list("", "Pod").filter(waiting).filter(mine).filter(|p| !gated(p));
        pods.flat_map(|pod| place(pod, &nodes, now)).collect()
    }
}

fn place(pod: &Object, nodes: &[&Arc<Object>], now: Time) -> Vec<Action> {
    let refusals: Vec<Option<String>> = nodes.iter().map(|n| refusal(pod, n)).collect();
    let Some(fit) = refusals.iter().position(Option::is_none) else { return wait(pod, nodes.len(), &refusals, now) };
    let node = nodes[fit].name();
    let mut bound = pod.clone();
    bound.set(&["spec", "nodeName"], json!(node));
    let message = format!("Successfully assigned {}/{} to {node}", pod.namespace(), pod.name());
    vec![Action::Update(bound), event(pod, false, "Scheduled", message, "default-scheduler")]
}

/// Why this node will not have the pod, in the scheduler's words.
fn refusal(pod: &Object, node: &Object) -> Option<String> {
    if node.at(&["spec", "unschedulable"]) == true {
        return Some("were unschedulable".into());
    }
    let labels = node.labels();
    let selector = pod.at(&["spec", "nodeSelector"]).as_object().into_iter().flatten();
    if selector.into_iter().any(|(k, v)| labels.get(k.as_str()).copied() != v.as_str()) {
        return Some("didn't match Pod's node affinity/selector".into());
    }
    let taints = node.at(&["spec", "taints"]).as_array().into_iter().flatten();
    let hard = |t: &&Value| t["effect"] == "NoSchedule" || t["effect"] == "NoExecute";
    let taint = taints.into_iter().filter(hard).find(|t| !tolerates(pod, t))?;
    let (key, value) = (taint["key"].as_str().unwrap_or(""), taint["value"].as_str().unwrap_or(""));
    Some(format!("had untolerated taint {{{key}: {value}}}"))
}

fn tolerates(pod: &Object, taint: &Value) -> bool {
    let tolerations = pod.at(&["spec", "tolerations"]).as_array().into_iter().flatten();
    tolerations.into_iter().any(|t| {
        let effect = t["effect"].as_str().is_none_or(|e| e.is_empty() || taint["effect"] == e);
        let key = t["key"].as_str().unwrap_or("");
        match t["operator"].as_str().unwrap_or("Equal") {
            "Exists" => effect && (key.is_empty() || taint["key"] == key),
            _ => effect && taint["key"] == key && taint["value"].as_str().unwrap_or("") == t["value"].as_str().unwrap_or(""),
        }
    })
}

fn wait(pod: &Object, nodes: usize, refusals: &[Option<String>], now: Time) -> Vec<Action> {
    let mut reasons: Vec<(usize, &str)> = Vec::new();
    for reason in refusals.iter().flatten() {
        match reasons.iter_mut().find(|(_, r)| r == reason) {
            Some((n, _)) => *n += 1,
            None => reasons.push((1, reason)),
        }
    }
    let parts: Vec<String> = reasons.iter().map(|(n, r)| format!("{n} node(s) {r}")).collect();
    let message = match parts.is_empty() {
        true => "no nodes available to schedule pods".to_string(),
        false => format!("0/{nodes} nodes are available: {}.", parts.join(", ")),
    };
    let mut status = pod.status().as_object().cloned().unwrap_or_default();
    let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": &message});
    if !set_condition(&mut status, condition, &now.rfc3339()) {
        return Vec::new();
    }
    let mut new = pod.clone();
    new.set(&["status"], Value::Object(status));
    vec![Action::UpdateStatus(new), event(pod, true, "FailedScheduling", message, "default-scheduler")]
}
