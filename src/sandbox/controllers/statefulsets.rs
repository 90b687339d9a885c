//! StatefulSets: numbered pods that start, stop and change one after the other (pkg/controller/statefulset of Kubernetes).

mod claims;
mod status;

use super::owners::{condition_is_true, event, number};
use super::pods::{Available, Children, available, from_template, is_open};
use super::revisions::{self, History};
use crate::base::clock::Time;
use crate::base::order::Order;
use crate::k8s::{Object, Snapshot};
use crate::sandbox::store::Change;
use crate::sandbox::{Action, Controller};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Keeps each StatefulSet's pods, claims and revisions.
pub struct StatefulSets;

const SOURCE: &str = "statefulset-controller";
const HASH: &str = "controller-revision-hash";
/// The most pods that one step creates or deletes where the order does not matter.
const BURST: usize = 500;

impl Controller for StatefulSets {
    fn name(&self) -> &'static str {
        "statefulset"
    }

    fn concerns(&self, change: &Change) -> bool {
        let kind = &change.key.kind;
        matches!((kind.group.as_str(), kind.kind.as_str()), ("apps", "StatefulSet" | "ControllerRevision"))
            || kind.kind == "Namespace"
            || kind.kind == "Pod" && super::owners::of_kind(change, "StatefulSet")
            || kind.kind == "PersistentVolumeClaim" && change.after.is_none()
    }

    fn reconcile(&self, state: &Snapshot, now: Time) -> Vec<Action> {
        revisions::each(state, "StatefulSet", |pods, kept, set| step(state, pods, kept, set, now))
    }
}

/// A StatefulSet with its pods sorted out.
pub(super) struct Roll<'a> {
    pub set: &'a Object,
    /// Of the wanted ordinals.
    pub replicas: BTreeMap<i64, &'a Arc<Object>>,
    /// Beyond them, highest ordinal first.
    pub condemned: Vec<&'a Arc<Object>>,
    pub current: String,
    pub update: String,
    pub now: Time,
}

impl Roll<'_> {
    fn start(&self) -> i64 {
        number(self.set, &["spec", "ordinals", "start"], 0)
    }

    fn wanted(&self) -> i64 {
        number(self.set, &["spec", "replicas"], 1).max(0)
    }

    fn ordinals(&self) -> std::ops::Range<i64> {
        self.start()..self.start() + self.wanted()
    }

    fn ordered(&self) -> bool {
        self.set.str_at(&["spec", "podManagementPolicy"]) != "Parallel"
    }
}

fn step(state: &Snapshot, pods: &Children<'_>, kept: &Children<'_>, set: &Object, now: Time) -> Vec<Action> {
    let history = History::of(kept, set);
    if let Some(action) = history.advance(set, "controller.kubernetes.io/hash") {
        return if is_open(state, set.namespace()) { vec![action] } else { Vec::new() };
    }
    let update = history.update.map_or(String::new(), |r| r.name().to_string());
    let current = match set.str_at(&["status", "currentRevision"]) {
        known if history.named(known).is_some() => known.to_string(),
        _ => update.clone(),
    };
    let mut roll = Roll { set, replicas: BTreeMap::new(), condemned: Vec::new(), current, update: update.clone(), now };
    let mut numbered: Vec<(i64, &Arc<Object>)> = pods.under(set).iter().filter_map(|p| Some((ordinal(set, p)?, *p))).collect();
    numbered.order_by_key(|(n, _)| -*n);
    for (n, pod) in numbered {
        match roll.ordinals().contains(&n) {
            true => drop(roll.replicas.insert(n, pod)),
            false => roll.condemned.push(pod),
        }
    }
    let mut actions = match is_open(state, set.namespace()) {
        true => manage(state, &roll, &history),
        false => Vec::new(),
    };
    actions.extend(status::update(&roll));
    if actions.is_empty() {
        let live = |r: &Object| r.name() == roll.current || pods.under(set).iter().any(|p| p.label(HASH) == Some(r.name()));
        actions = history.forget(set, &live);
    }
    actions.extend(waits(&roll));
    actions
}

/// When a pod that is ready will count as available.
fn waits(roll: &Roll<'_>) -> impl Iterator<Item = Action> {
    roll.replicas.values().filter_map(|pod| match available(pod, roll.set, roll.now) {
        Available::At(due) => Some(Action::Wake(due)),
        _ => None,
    })
}

/// The number at the end of a pod's name.
fn ordinal(set: &Object, pod: &Object) -> Option<i64> {
    pod.name().strip_prefix(set.name())?.strip_prefix('-')?.parse().ok()
}

fn is_healthy(pod: &Object, roll: &Roll<'_>) -> bool {
    !pod.is_terminating() && available(pod, roll.set, roll.now) == Available::Yes && condition_is_true(pod, "Ready")
}

fn is_over(pod: &Object) -> bool {
    matches!(pod.str_at(&["status", "phase"]), "Failed" | "Succeeded")
}

/// The next pods to create or delete.
fn manage(state: &Snapshot, roll: &Roll<'_>, history: &History<'_>) -> Vec<Action> {
    let mut actions = Vec::new();
    for n in roll.ordinals() {
        match roll.replicas.get(&n) {
            None => actions.extend(create(state, roll, history, n)),
            Some(pod) if is_over(pod) && !pod.is_terminating() => {
                let text =
                    format!("StatefulSet {}/{} is recreating failed Pod {}", roll.set.namespace(), roll.set.name(), pod.name());
                actions.push(Action::Delete(pod.key()));
                actions.push(event(roll.set, true, "RecreatingFailedPod", text, SOURCE));
            }
            Some(pod) if is_healthy(pod, roll) || !roll.ordered() => continue,
            Some(_) => return actions,
        }
        if roll.ordered() || actions.len() > 2 * BURST {
            return actions;
        }
    }
    if actions.is_empty() {
        actions = shrink(state, roll);
    }
    if actions.is_empty() && roll.condemned.is_empty() && roll.set.str_at(&["spec", "updateStrategy", "type"]) != "OnDelete" {
        actions = replace(roll);
    }
    actions
}

/// Pods beyond the wanted number go, the highest first.
fn shrink(state: &Snapshot, roll: &Roll<'_>) -> Vec<Action> {
    let mut actions = Vec::new();
    for pod in &roll.condemned {
        match pod.is_terminating() {
            true if roll.ordered() => return actions,
            true => continue,
            false => actions.extend(delete(roll, pod)),
        }
        if roll.ordered() {
            return actions;
        }
    }
    actions.extend(claims::let_go(state, roll));
    actions
}

/// A rolling update: from the highest ordinal down to the partition, each only when those above it are healthy.
fn replace(roll: &Roll<'_>) -> Vec<Action> {
    let least = roll.start() + number(roll.set, &["spec", "updateStrategy", "rollingUpdate", "partition"], 0);
    for n in roll.ordinals().rev().filter(|n| *n >= least) {
        let Some(pod) = roll.replicas.get(&n) else { return Vec::new() };
        if pod.label(HASH) != Some(&roll.update) && !pod.is_terminating() {
            return delete(roll, pod);
        }
        if !is_healthy(pod, roll) {
            return Vec::new();
        }
    }
    Vec::new()
}

fn delete(roll: &Roll<'_>, pod: &Object) -> Vec<Action> {
    let text = format!("delete Pod {} in StatefulSet {} successful", pod.name(), roll.set.name());
    vec![Action::Delete(pod.key()), event(roll.set, false, "SuccessfulDelete", text, SOURCE)]
}

fn create(state: &Snapshot, roll: &Roll<'_>, history: &History<'_>, n: i64) -> Vec<Action> {
    let mut actions = claims::missing(state, roll.set, n);
    let partition = number(roll.set, &["spec", "updateStrategy", "rollingUpdate", "partition"], 0);
    let old = n < roll.start() + partition && roll.set.str_at(&["spec", "updateStrategy", "type"]) == "RollingUpdate";
    let name = if old { &roll.current } else { &roll.update };
    let Some(revision) = history.named(name) else { return Vec::new() };
    let pod = pod(roll.set, revision, n);
    let text = format!("create Pod {} in StatefulSet {} successful", pod.name(), roll.set.name());
    actions.push(Action::Create(pod));
    actions.push(event(roll.set, false, "SuccessfulCreate", text, SOURCE));
    actions
}

fn pod(set: &Object, revision: &Object, n: i64) -> Object {
    let name = format!("{}-{n}", set.name());
    let mut pod = from_template(set, &revisions::template(revision), &name);
    for (key, value) in [
        ("apps.kubernetes.io/pod-index", n.to_string()),
        (HASH, revision.name().to_string()),
        ("statefulset.kubernetes.io/pod-name", name.clone()),
    ] {
        pod.set(&["metadata", "labels", key], json!(value));
    }
    pod.set(&["spec", "hostname"], json!(name));
    let service = set.str_at(&["spec", "serviceName"]);
    if !service.is_empty() {
        pod.set(&["spec", "subdomain"], json!(service));
    }
    let mut volumes = pod.at(&["spec", "volumes"]).as_array().cloned().unwrap_or_default();
    for claim in set.at(&["spec", "volumeClaimTemplates"]).as_array().into_iter().flatten() {
        let of = claim["metadata"]["name"].as_str().unwrap_or("");
        volumes.retain(|v: &Value| v["name"] != of);
        volumes.push(json!({"name": of, "persistentVolumeClaim": {"claimName": claims::name(set, of, n)}}));
    }
    if !volumes.is_empty() {
        pod.set(&["spec", "volumes"], json!(volumes));
    }
    pod
}
