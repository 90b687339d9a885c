//! Nodes: the taints that their state brings, and the pods that taints drive out (pkg/controller/nodelifecycle and tainteviction of
//! Kubernetes); the lease of the one node that has a kubelet.

use super::fit;
use super::owners::{condition_is_true, event, set_condition};
use crate::base::clock::Time;
use crate::k8s::{Object, Snapshot};
use crate::sandbox::store::Change;
use crate::sandbox::{Action, Controller};
use serde_json::{Value, json};
use std::sync::Arc;

/// Keeps nodes' taints and evicts by them.
pub struct Nodes;

const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
const NOT_READY: &str = "node.kubernetes.io/not-ready";
const EVICTION: &str = "taint-eviction-controller";

impl Controller for Nodes {
    fn name(&self) -> &'static str {
        "node lifecycle"
    }

    fn concerns(&self, change: &Change) -> bool {
        // A pod's tolerations count once it is bound.
        let bound = |o: &Option<Arc<Object>>| o.as_ref().is_some_and(|o| !o.str_at(&["spec", "nodeName"]).is_empty());
        match change.key.kind.kind.as_str() {
            "Node" => true,
            "Pod" => bound(&change.after) && !bound(&change.before),
            _ => false,
        }
    }

    fn reconcile(&self, state: &Snapshot, now: Time) -> Vec<Action> {
        let nodes = || state.list("", "Node").filter(|n| !n.is_terminating());
        let mut actions: Vec<Action> = nodes().flat_map(|node| taints(node, now)).collect();
        if actions.is_empty() {
            actions = nodes().flat_map(|node| evictions(state, node, now)).collect();
        }
        actions.extend(nodes().filter(|n| condition_is_true(n, "Ready")).filter_map(|node| lease(state, node, now)));
        actions
    }
}

/// The taints of a cordoned node, and of one without a kubelet that says it is ready; when taints that drive pods out came.
fn taints(node: &Object, now: Time) -> Vec<Action> {
    let ready = condition_is_true(node, "Ready");
    let wanted = [
        (UNSCHEDULABLE, "NoSchedule", node.at(&["spec", "unschedulable"]) == true),
        (NOT_READY, "NoSchedule", !ready),
        (NOT_READY, "NoExecute", !ready),
    ];
    let old = node.at(&["spec", "taints"]).as_array().cloned().unwrap_or_default();
    let mut taints = old.clone();
    for (key, effect, on) in wanted {
        let is = |t: &Value| t["key"] == key && t["effect"] == effect;
        match (on, taints.iter().any(is)) {
            (true, false) => taints.push(json!({"key": key, "effect": effect, "timeAdded": now.rfc3339()})),
            (false, true) => taints.retain(|t| !is(t)),
            _ => (),
        }
    }
    for taint in taints.iter_mut().filter(|t| t["effect"] == "NoExecute" && t["timeAdded"].is_null()) {
        taint["timeAdded"] = json!(now.rfc3339());
    }
    if taints == old {
        return Vec::new();
    }
    let mut new = node.clone();
    match taints.is_empty() {
        true => drop(new.remove(&["spec", "taints"])),
        false => new.set(&["spec", "taints"], json!(taints)),
    }
    let cordoned = |list: &[Value]| list.iter().any(|t| t["key"] == UNSCHEDULABLE);
    let mut actions = vec![Action::Update(new)];
    if cordoned(&taints) != cordoned(&old) {
        let reason = if cordoned(&taints) { "NodeNotSchedulable" } else { "NodeSchedulable" };
        actions.push(event(node, false, reason, format!("Node {} status is now: {reason}", node.name()), "kubelet"));
    }
    actions
}

/// Pods that a NoExecute taint drives out, at once or when their toleration ends.
fn evictions(state: &Snapshot, node: &Object, now: Time) -> Vec<Action> {
    let all = node.at(&["spec", "taints"]).as_array().map_or(&[][..], Vec::as_slice);
    let taints: Vec<&Value> = all.iter().filter(|t| t["effect"] == "NoExecute").collect();
    if taints.is_empty() {
        return Vec::new();
    }
    let mine = |p: &&Arc<Object>| p.str_at(&["spec", "nodeName"]) == node.name() && !p.is_terminating();
    state.list("", "Pod").filter(mine).flat_map(|pod| evicted(pod, &taints, now)).collect()
}

fn evicted(pod: &Object, taints: &[&Value], now: Time) -> Vec<Action> {
    let mut end: Option<Time> = None;
    for taint in taints {
        let since = taint["timeAdded"].as_str().and_then(Time::parse).unwrap_or(now);
        let mut covered = fit::tolerations(pod, taint).peekable();
        if covered.peek().is_none() {
            return evict(pod, now);
        }
        // Of several tolerations the shortest counts; one without an end has none.
        let seconds = covered.filter_map(|t| t["tolerationSeconds"].as_i64()).min();
        if let Some(due) = seconds.map(|s| since.plus_ms(s.max(0) * 1000)) {
            end = Some(end.map_or(due, |other| other.min(due)));
        }
    }
    match end {
        Some(due) if due <= now => evict(pod, now),
        Some(due) => vec![Action::Alarm(due)],
        None => Vec::new(),
    }
}

fn evict(pod: &Object, now: Time) -> Vec<Action> {
    let mut status = pod.status().as_object().cloned().unwrap_or_default();
    let condition = json!({"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager",
                           "message": "Taint manager: deleting due to NoExecute taint", "lastProbeTime": null});
    set_condition(&mut status, condition, &now.rfc3339());
    let mut marked = pod.clone();
    marked.set(&["status"], Value::Object(status));
    let text = format!("Marking for deletion Pod {}/{}", pod.namespace(), pod.name());
    vec![Action::UpdateStatus(marked), event(pod, false, "TaintManagerEviction", text, EVICTION), Action::Delete(pod.key())]
}

/// The lease with which the kubelet shows that it lives.
fn lease(state: &Snapshot, node: &Object, now: Time) -> Option<Action> {
    let open = state.find("", "Namespace", "", "kube-node-lease").is_some_and(|ns| !ns.is_terminating());
    if !open || state.find("coordination.k8s.io", "Lease", "kube-node-lease", node.name()).is_some() {
        return None;
    }
    let owner = json!([{"apiVersion": "v1", "kind": "Node", "name": node.name(), "uid": node.uid()}]);
    Some(Action::Create(Object(json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": node.name(), "namespace": "kube-node-lease", "ownerReferences": owner},
        "spec": {"holderIdentity": node.name(), "leaseDurationSeconds": 40, "renewTime": now.rfc3339_micro()},
    }))))
}
