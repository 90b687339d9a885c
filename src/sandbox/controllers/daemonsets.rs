//! DaemonSets: one pod on every node that will have it (pkg/controller/daemon of Kubernetes).

mod status;

use super::fit;
use super::owners::event;
use super::pods::{Available, Children, available, free_names, from_template, is_open};
use super::revisions::{self, History};
use crate::base::clock::Time;
use crate::base::order::Order;
use crate::k8s::{Object, Snapshot};
use crate::sandbox::store::Change;
use crate::sandbox::{Action, Controller};
use serde_json::{Value, json};
use std::sync::Arc;

/// Keeps each DaemonSet's pods and revisions.
pub struct DaemonSets;

const SOURCE: &str = "daemonset-controller";
const HASH: &str = "controller-revision-hash";
/// The annotation in which the API server counts template changes.
pub const GENERATION: &str = "deprecated.daemonset.template.generation";

impl Controller for DaemonSets {
    fn name(&self) -> &'static str {
        "daemonset"
    }

    fn concerns(&self, change: &Change) -> bool {
        match (change.key.kind.group.as_str(), change.key.kind.kind.as_str()) {
            ("apps", "DaemonSet" | "ControllerRevision") | ("", "Node" | "Namespace") => true,
            ("", "Pod") => super::owners::of_kind(change, "DaemonSet"),
            _ => false,
        }
    }

    fn reconcile(&self, state: &Snapshot, now: Time) -> Vec<Action> {
        revisions::each(state, "DaemonSet", |pods, kept, set| step(state, pods, kept, set, now))
    }
}

/// A DaemonSet with its pods by node.
pub(super) struct Roll<'a> {
    pub set: &'a Object,
    pub hash: String,
    pub now: Time,
    pub nodes: Vec<Place<'a>>,
}

/// One node, whether a pod should be there, and the pods that are.
pub(super) struct Place<'a> {
    pub node: &'a str,
    pub should_run: bool,
    pub should_stay: bool,
    pub pods: Vec<&'a Arc<Object>>,
}

impl Roll<'_> {
    pub(super) fn is_available(&self, pod: &Object) -> bool {
        !pod.is_terminating() && available(pod, self.set, self.now) == Available::Yes
    }

    pub(super) fn is_new(&self, pod: &Object) -> bool {
        pod.label(HASH) == Some(&self.hash)
    }
}

fn step(state: &Snapshot, pods: &Children<'_>, kept: &Children<'_>, set: &Object, now: Time) -> Vec<Action> {
    let open = is_open(state, set.namespace());
    let history = History::of(kept, set);
    if let Some(action) = history.advance(set, HASH) {
        return if open { vec![action] } else { Vec::new() };
    }
    let hash = history.update.and_then(|r| r.label(HASH)).unwrap_or("").to_string();
    let probe = from_template(set, set.at(&["spec", "template"]), "probe");
    let probe = tolerant(probe);
    let places = state.list("", "Node").map(|node| {
        let mine = |pod: &&&Arc<Object>| node_of(pod) == node.name();
        let fits = fit::matches_node(&probe, node);
        Place {
            node: node.name(),
            should_run: fits && fit::untolerated(&probe, node, &["NoSchedule", "NoExecute"]).is_none(),
            should_stay: fits && fit::untolerated(&probe, node, &["NoExecute"]).is_none(),
            pods: pods.under(set).iter().filter(mine).copied().collect(),
        }
    });
    let roll = Roll { set, hash, now, nodes: places.collect() };
    let mut actions = if open { manage(state, &roll) } else { Vec::new() };
    if actions.is_empty() && open {
        actions = replace(state, &roll);
    }
    actions.extend(status::update(&roll));
    if actions.is_empty() {
        let live = |r: &Object| pods.under(set).iter().any(|p| p.label(HASH) == r.label(HASH));
        actions = history.forget(set, &live);
    }
    let waits = pods.under(set).iter().filter_map(|pod| match available(pod, set, now) {
        Available::At(due) => Some(Action::Wake(due)),
        _ => None,
    });
    actions.extend(waits);
    actions
}

/// The node that a pod is on or meant for.
fn node_of(pod: &Object) -> &str {
    let bound = pod.str_at(&["spec", "nodeName"]);
    if !bound.is_empty() {
        return bound;
    }
    let path = ["spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"];
    pod.at(&path)[0]["matchFields"][0]["values"][0].as_str().unwrap_or("")
}

/// Pods to create where one should be, to delete where none should.
fn manage(state: &Snapshot, roll: &Roll<'_>) -> Vec<Action> {
    let mut actions = Vec::new();
    for place in &roll.nodes {
        let living: Vec<_> = place.pods.iter().filter(|p| !p.is_terminating()).collect();
        if !place.should_stay {
            actions.extend(living.iter().flat_map(|pod| delete(roll, pod)));
            continue;
        }
        let failed: Vec<_> = living.iter().filter(|p| matches!(p.str_at(&["status", "phase"]), "Failed" | "Succeeded")).collect();
        for pod in &failed {
            let text =
                format!("Found failed daemon pod {}/{} on node {}, will try to kill it", pod.namespace(), pod.name(), place.node);
            actions.push(event(roll.set, true, "FailedDaemonPod", text, SOURCE));
            actions.extend(delete(roll, pod));
        }
        if place.pods.is_empty() && place.should_run {
            actions.extend(create(state, roll, place.node));
        }
        // Of several of one revision the oldest stays.
        for new in [true, false] {
            let mut same: Vec<_> = living.iter().filter(|p| roll.is_new(p) == new && failed.is_empty()).collect();
            same.order_by_key(|p| (p.str_at(&["metadata", "creationTimestamp"]).to_string(), p.name().to_string()));
            actions.extend(same.iter().skip(1).flat_map(|pod| delete(roll, pod)));
        }
    }
    actions
}

/// A rolling update: old pods go as far as `maxUnavailable` allows, or, with a surge, once a new one beside them is available.
fn replace(state: &Snapshot, roll: &Roll<'_>) -> Vec<Action> {
    if roll.set.str_at(&["spec", "updateStrategy", "type"]) == "OnDelete" {
        return Vec::new();
    }
    let wanted = roll.nodes.iter().filter(|p| p.should_run).count() as i64;
    let (surge, most) = (share(roll.set, "maxSurge", wanted), share(roll.set, "maxUnavailable", wanted));
    let places: Vec<&Place<'_>> = roll.nodes.iter().filter(|p| p.should_run).collect();
    let new = |p: &Place<'_>| p.pods.iter().any(|pod| roll.is_new(pod) && roll.is_available(pod));
    if surge > 0 {
        return surging(state, roll, &places, surge);
    }
    let served = |p: &&&Place<'_>| p.pods.iter().any(|pod| roll.is_available(pod));
    let mut room = most.max(1) - (wanted - places.iter().filter(served).count() as i64);
    let mut actions = Vec::new();
    for place in places.iter().filter(|p| !new(p)) {
        for pod in place.pods.iter().filter(|p| !roll.is_new(p) && !p.is_terminating()) {
            if roll.is_available(pod) {
                if room <= 0 {
                    continue;
                }
                room -= 1;
            }
            actions.extend(delete(roll, pod));
        }
    }
    actions
}

fn surging(state: &Snapshot, roll: &Roll<'_>, places: &[&Place<'_>], surge: i64) -> Vec<Action> {
    let mut actions = Vec::new();
    let mut room = surge - places.iter().filter(|p| p.pods.len() > 1).count() as i64;
    for place in places {
        let Some(old) = place.pods.iter().find(|p| !roll.is_new(p) && !p.is_terminating()) else { continue };
        match place.pods.iter().find(|p| roll.is_new(p)) {
            Some(new) if roll.is_available(new) => actions.extend(delete(roll, old)),
            Some(_) => (),
            None if !roll.is_available(old) || room > 0 => {
                room -= 1;
                actions.extend(create(state, roll, place.node));
            }
            None => (),
        }
    }
    actions
}

/// A number of pods or a percentage, rounded up.
fn share(set: &Object, field: &str, wanted: i64) -> i64 {
    match set.at(&["spec", "updateStrategy", "rollingUpdate", field]) {
        Value::Number(n) => n.as_i64().unwrap_or(0),
        Value::String(s) => s.trim_end_matches('%').parse().map_or(0, |p: i64| (wanted * p + 99) / 100),
        _ => 0,
    }
}

fn delete(roll: &Roll<'_>, pod: &Object) -> Vec<Action> {
    vec![Action::Delete(pod.key()), event(roll.set, false, "SuccessfulDelete", format!("Deleted pod: {}", pod.name()), SOURCE)]
}

fn create(state: &Snapshot, roll: &Roll<'_>, node: &str) -> Vec<Action> {
    let names = free_names(state, roll.set, roll.set.name(), 1, roll.now);
    let Some(name) = names.first() else { return Vec::new() };
    let mut pod = tolerant(from_template(roll.set, roll.set.at(&["spec", "template"]), name));
    pod.set(&["metadata", "labels", HASH], json!(roll.hash));
    let generation = roll.set.annotation(GENERATION).unwrap_or("1");
    pod.set(&["metadata", "labels", "pod-template-generation"], json!(generation));
    let term = json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]);
    let path = ["spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"];
    pod.set(&path, term);
    vec![Action::Create(pod), event(roll.set, false, "SuccessfulCreate", format!("Created pod: {name}"), SOURCE)]
}

/// Daemon pods stay through what would keep or drive others away.
fn tolerant(mut pod: Object) -> Object {
    let mut list = pod.at(&["spec", "tolerations"]).as_array().cloned().unwrap_or_default();
    let host = pod.at(&["spec", "hostNetwork"]) == true;
    for (key, effect) in [
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
        ("network-unavailable", "NoSchedule"),
    ] {
        let toleration = json!({"effect": effect, "key": format!("node.kubernetes.io/{key}"), "operator": "Exists"});
        if (host || key != "network-unavailable") && !list.contains(&toleration) {
            list.push(toleration);
        }
    }
    pod.set(&["spec", "tolerations"], json!(list));
    pod
}
