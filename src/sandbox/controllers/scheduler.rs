//! The scheduler: binds pods to a node that will have them.

mod preempt;

use super::fit::{self, Misfit};
use super::owners::{event, number, set_condition};
use crate::base::clock::Time;
use crate::base::order::Order;
use crate::k8s::{Object, Snapshot};
use crate::sandbox::store::Change;
use crate::sandbox::{Action, Controller};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Binds each pod without a node to the first node that fits, those of higher priority first; says why when none does.
pub struct Scheduler;

/// The most pods that one round binds: each binding counts for the next.
const BURST: usize = 500;

impl Controller for Scheduler {
    fn name(&self) -> &'static str {
        "scheduler"
    }

    fn component(&self) -> &'static str {
        ""
    }

    fn concerns(&self, change: &Change) -> bool {
        matches!(change.key.kind.kind.as_str(), "Pod" | "Node" | "PersistentVolumeClaim")
    }

    fn reconcile(&self, state: &Snapshot, now: Time) -> Vec<Action> {
        let mut waiting: Vec<_> = state.list("", "Pod").filter(|p| is_waiting(p)).collect();
        if waiting.is_empty() {
            return Vec::new();
        }
        waiting.order_by_key(|p| -number(p, &["spec", "priority"], 0));
        let mut nodes: BTreeMap<&str, Vec<&Arc<Object>>> = state.list("", "Node").map(|n| (n.name(), Vec::new())).collect();
        for pod in state.list("", "Pod").filter(|p| !is_over(p)) {
            if let Some(pods) = nodes.get_mut(pod.str_at(&["spec", "nodeName"])) {
                pods.push(pod);
            }
        }
        let mut actions = Vec::new();
        for pod in waiting.into_iter().take(BURST) {
            let (placed, own) = place(state, pod, &nodes, now);
            actions.extend(own);
            if let Some(pods) = placed.and_then(|node| nodes.get_mut(node.as_str())) {
                pods.push(pod);
            }
        }
        actions
    }
}

fn is_over(pod: &Object) -> bool {
    matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed")
}

fn is_waiting(pod: &Object) -> bool {
    let gated = pod.at(&["spec", "schedulingGates"]).as_array().is_some_and(|g| !g.is_empty());
    let mine = matches!(pod.str_at(&["spec", "schedulerName"]), "" | "default-scheduler");
    pod.str_at(&["spec", "nodeName"]).is_empty() && !pod.is_terminating() && !is_over(pod) && !gated && mine
}

type Nodes<'a> = BTreeMap<&'a str, Vec<&'a Arc<Object>>>;

fn place(state: &Snapshot, pod: &Object, nodes: &Nodes<'_>, now: Time) -> (Option<String>, Vec<Action>) {
    let claims = fit::unbound_claims(state, pod);
    let mut misfits: Vec<Vec<Misfit>> = Vec::new();
    for (name, others) in nodes.iter().filter(|_| claims.is_none()) {
        let Some(node) = state.find("", "Node", "", name) else { continue };
        let found = fit::misfits(state, pod, node, others);
        if found.is_empty() {
            return (Some(name.to_string()), bind(pod, name));
        }
        misfits.push(found);
    }
    let message = words(pod, nodes.len(), claims.as_deref(), &misfits);
    let mut actions = Vec::new();
    let help = if claims.is_none() { preempt::victims(state, pod, nodes) } else { None };
    if let Some((node, victims)) = &help {
        actions.extend(victims.iter().flat_map(|victim| preempt::evict(pod, victim, node, now)));
    }
    actions.extend(wait(pod, message, help.map(|(node, _)| node), now));
    (None, actions)
}

fn bind(pod: &Object, node: &str) -> Vec<Action> {
    let mut bound = pod.clone();
    bound.set(&["spec", "nodeName"], json!(node));
    let message = format!("Successfully assigned {}/{} to {node}", pod.namespace(), pod.name());
    vec![Action::Update(bound), event(pod, false, "Scheduled", message, "default-scheduler")]
}

/// `0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption
/// victims found for incoming pod.` (as kube-scheduler 1.34 and later words it).
fn words(pod: &Object, nodes: usize, claims: Option<&str>, misfits: &[Vec<Misfit>]) -> String {
    if nodes == 0 {
        return "no nodes available to schedule pods".to_string();
    }
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for misfit in misfits.iter().flatten() {
        *reasons.entry(&misfit.reason).or_default() += 1;
    }
    let mut parts: Vec<String> = reasons.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
    parts.sort();
    let why = claims.map_or_else(|| parts.join(", "), String::from);
    let hopeless = misfits.iter().filter(|m| m.iter().any(|m| !m.room)).count() + if claims.is_some() { nodes } else { 0 };
    let crowded = nodes - hopeless.min(nodes);
    let mut preemption = Vec::new();
    if crowded > 0 {
        preemption.push(format!("{crowded} No preemption victims found for incoming pod"));
    }
    if hopeless > 0 {
        preemption.push(format!("{hopeless} Preemption is not helpful for scheduling"));
    }
    preemption.sort();
    let preemption = match pod.str_at(&["spec", "preemptionPolicy"]) {
        "Never" => "not eligible due to preemptionPolicy=Never".to_string(),
        _ => format!("0/{nodes} nodes are available: {}", preemption.join(", ")),
    };
    format!("0/{nodes} nodes are available: {why}. no new claims to deallocate, preemption: {preemption}.")
}

fn wait(pod: &Object, message: String, nominated: Option<String>, now: Time) -> Vec<Action> {
    let mut status = pod.status().as_object().cloned().unwrap_or_default();
    let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": &message,
                           "lastProbeTime": Value::Null});
    let mut changed = set_condition(&mut status, condition, &now.rfc3339());
    if let Some(node) = nominated {
        changed |= status.insert("nominatedNodeName".into(), json!(node)) != Some(json!(node));
    }
    if !changed {
        return Vec::new();
    }
    let mut new = pod.clone();
    new.set(&["status"], Value::Object(status));
    vec![Action::UpdateStatus(new), event(pod, true, "FailedScheduling", message, "default-scheduler")]
}
