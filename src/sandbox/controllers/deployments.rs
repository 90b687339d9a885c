//! Deployments: one ReplicaSet per template, rolled over as the strategy says.

mod status;

use super::owners::{controlled, controller_ref, event, number};
use super::pods::{Children, is_open, template_hash};
use crate::base::clock::Time;
use crate::base::order::Order;
use crate::k8s::{Object, Snapshot};
use crate::sandbox::store::Change;
use crate::sandbox::{Action, Controller};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Keeps each Deployment's ReplicaSets, rolling the new one up and the old ones down.
pub struct Deployments;

pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
const HASH: &str = "pod-template-hash";
const SOURCE: &str = "deployment-controller";

impl Controller for Deployments {
    fn name(&self) -> &'static str {
        "deployment"
    }

    fn watches(&self) -> &'static [&'static str] {
        &["Deployment", "ReplicaSet", "Pod", "Namespace"]
    }

    fn concerns(&self, change: &Change) -> bool {
        match change.key.kind.kind.as_str() {
            "Deployment" | "ReplicaSet" | "Namespace" => true,
            // Recreate waits until the old pods are gone.
            "Pod" => change.after.is_none() && super::owners::of_kind(change, "ReplicaSet"),
            _ => false,
        }
    }

    fn reconcile(&self, state: &Snapshot, now: Time) -> Vec<Action> {
        let mut all = state.list("apps", "Deployment").filter(|d| !d.is_terminating()).peekable();
        if all.peek().is_none() {
            return Vec::new();
        }
        let sets = Children::of(state, "apps", "ReplicaSet");
        all.flat_map(|d| step(state, &sets, d, now)).collect()
    }
}

/// A Deployment with its ReplicaSets sorted out.
pub(super) struct Roll<'a> {
    pub deployment: &'a Object,
    /// The ReplicaSet with the Deployment's template.
    pub new: Option<&'a Arc<Object>>,
    /// The others, oldest revision first.
    pub old: Vec<&'a Arc<Object>>,
}

impl<'a> Roll<'a> {
    fn of(sets: &Children<'a>, deployment: &'a Object) -> Roll<'a> {
        let mut sets = sets.under(deployment).to_vec();
        sets.order_by_key(|rs| revision(rs));
        let new = sets.iter().copied().find(|rs| same_template(rs, deployment));
        let old = sets.into_iter().filter(|rs| new.is_none_or(|n| n.name() != rs.name())).collect();
        Roll { deployment, new, old }
    }

    fn wanted(&self) -> i64 {
        number(self.deployment, &["spec", "replicas"], 1).max(0)
    }

    pub(super) fn sets(&self) -> impl Iterator<Item = &'a Arc<Object>> {
        self.old.iter().copied().chain(self.new)
    }
}

fn step(state: &Snapshot, sets: &Children<'_>, deployment: &Object, now: Time) -> Vec<Action> {
    let roll = Roll::of(sets, deployment);
    let open = is_open(state, deployment.namespace());
    let mut actions = Vec::new();
    if open {
        actions = match deployment.at(&["spec", "paused"]) == true {
            true => proportional(&roll),
            false => roll_on(state, &roll),
        };
    }
    actions.extend(status::update(&roll, now));
    actions
}

fn roll_on(state: &Snapshot, roll: &Roll<'_>) -> Vec<Action> {
    let next = roll.old.iter().map(|rs| revision(rs)).max().unwrap_or(0) + 1;
    let Some(new) = roll.new else {
        let recreate = roll.deployment.str_at(&["spec", "strategy", "type"]) == "Recreate";
        if recreate && roll.old.iter().any(|rs| replicas(rs) > 0) {
            return roll.old.iter().filter(|rs| replicas(rs) > 0).flat_map(|rs| scale(roll, rs, 0)).collect();
        }
        if recreate && old_pods(state, roll) > 0 {
            return Vec::new();
        }
        return create(state, roll, next);
    };
    let mut actions = renumber(new, next);
    if actions.is_empty() {
        actions = match roll.deployment.str_at(&["spec", "strategy", "type"]) {
            "Recreate" => recreate(state, roll, new),
            _ => rolling(roll, new),
        };
    }
    if actions.is_empty() {
        actions = forget(roll);
    }
    actions
}

/// The new ReplicaSet, and the revision on the Deployment.
fn create(state: &Snapshot, roll: &Roll<'_>, next: i64) -> Vec<Action> {
    let d = roll.deployment;
    let hash = free_hash(state, d);
    let name = format!("{}-{hash}", d.name());
    let first = match d.str_at(&["spec", "strategy", "type"]) {
        "Recreate" => roll.wanted(),
        _ => (roll.wanted() + surge(d) - roll.old.iter().map(|rs| replicas(rs)).sum::<i64>()).clamp(0, roll.wanted()),
    };
    let mut template = d.at(&["spec", "template"]).clone();
    let mut selector = d.at(&["spec", "selector"]).clone();
    let mut labels = d.at(&["spec", "template", "metadata", "labels"]).clone();
    for map in [&mut template["metadata"]["labels"], &mut selector["matchLabels"], &mut labels] {
        map[HASH] = json!(hash);
    }
    let mut annotations = carried(d);
    annotations[REVISION] = json!(next.to_string());
    annotations["deployment.kubernetes.io/desired-replicas"] = json!(roll.wanted().to_string());
    annotations["deployment.kubernetes.io/max-replicas"] = json!((roll.wanted() + surge(d)).to_string());
    let rs = Object(json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": name, "namespace": d.namespace(), "labels": labels, "annotations": annotations,
            "ownerReferences": [controller_ref(d)],
        },
        "spec": {"replicas": first, "selector": selector, "template": template},
    }));
    let mut actions = vec![Action::Create(rs)];
    if first > 0 {
        let text = format!("Scaled up replica set {name} from 0 to {first}");
        actions.push(event(d, false, "ScalingReplicaSet", text, SOURCE));
    }
    actions
}

/// The Deployment's annotations as its ReplicaSets carry them.
fn carried(deployment: &Object) -> Value {
    let mut map = deployment.at(&["metadata", "annotations"]).as_object().cloned().unwrap_or_default();
    map.retain(|key, _| key != "kubectl.kubernetes.io/last-applied-configuration" && key != REVISION);
    Value::Object(map)
}

/// Keeps the new ReplicaSet's revision: a template that comes back (rollback) gets a new number. The Deployment's own is written with
/// its status.
fn renumber(new: &Object, next: i64) -> Vec<Action> {
    let mut actions = Vec::new();
    let number = revision(new).max(next).to_string();
    if new.annotation(REVISION) != Some(&number) {
        let mut rs = new.clone();
        rs.set(&["metadata", "annotations", REVISION], json!(number));
        actions.push(Action::Update(rs));
    }
    actions
}

fn rolling(roll: &Roll<'_>, new: &Object) -> Vec<Action> {
    let wanted = roll.wanted();
    let total: i64 = roll.sets().map(|rs| replicas(rs)).sum();
    let have = replicas(new);
    if have > wanted {
        return scale(roll, new, wanted);
    }
    if have < wanted {
        let room = (wanted + surge(roll.deployment) - total).max(0);
        let target = (have + room).min(wanted);
        if target > have {
            return scale(roll, new, target);
        }
    }
    shrink(roll, new)
}

/// Old sets go down as far as availability allows: first pods that never became ready, then the rest.
fn shrink(roll: &Roll<'_>, new: &Object) -> Vec<Action> {
    let wanted = roll.wanted();
    let total: i64 = roll.sets().map(|rs| replicas(rs)).sum();
    let new_unready = replicas(new) - ready(new).min(replicas(new));
    let mut room = total - (wanted - unavailable(roll.deployment)) - new_unready;
    let mut actions = Vec::new();
    let mut left: Vec<i64> = roll.old.iter().map(|rs| replicas(rs)).collect();
    for (rs, left) in roll.old.iter().zip(left.iter_mut()) {
        let unready = (*left - ready(rs)).clamp(0, room.max(0));
        *left -= unready;
        room -= unready;
    }
    let available: i64 = roll.sets().map(|rs| ready(rs)).sum();
    let mut spare = (available - (wanted - unavailable(roll.deployment))).max(0);
    for (rs, left) in roll.old.iter().zip(left.iter_mut()) {
        let gone = (*left).min(spare).min(ready(rs));
        *left -= gone;
        spare -= gone;
        if *left < replicas(rs) {
            actions.extend(scale(roll, rs, *left));
        }
    }
    actions
}

fn recreate(state: &Snapshot, roll: &Roll<'_>, new: &Object) -> Vec<Action> {
    if let Some(rs) = roll.old.iter().find(|rs| replicas(rs) > 0) {
        return scale(roll, rs, 0);
    }
    match replicas(new) != roll.wanted() && old_pods(state, roll) == 0 {
        true => scale(roll, new, roll.wanted()),
        false => Vec::new(),
    }
}

fn old_pods(state: &Snapshot, roll: &Roll<'_>) -> usize {
    roll.old.iter().map(|rs| controlled(state, "", "Pod", rs).len()).sum()
}

/// A paused Deployment still follows its replica count: the newest set takes the difference.
fn proportional(roll: &Roll<'_>) -> Vec<Action> {
    let Some(rs) = roll.new.or(roll.old.last().copied()) else { return Vec::new() };
    let others: i64 = roll.sets().filter(|o| o.name() != rs.name()).map(|o| replicas(o)).sum();
    let target = (roll.wanted() - others).max(0);
    if others == 0 && target != replicas(rs) { scale(roll, rs, target) } else { Vec::new() }
}

/// Old sets beyond the history limit are deleted, oldest first.
fn forget(roll: &Roll<'_>) -> Vec<Action> {
    let limit = number(roll.deployment, &["spec", "revisionHistoryLimit"], 10).max(0) as usize;
    let idle = |rs: &&&Arc<Object>| replicas(rs) == 0 && number(rs, &["status", "replicas"], 0) == 0 && !rs.is_terminating();
    let idle: Vec<_> = roll.old.iter().filter(idle).collect();
    let extra = idle.len().saturating_sub(limit);
    idle.into_iter().take(extra).map(|rs| Action::Delete(rs.key())).collect()
}

fn scale(roll: &Roll<'_>, rs: &Object, to: i64) -> Vec<Action> {
    let from = replicas(rs);
    if from == to {
        return Vec::new();
    }
    let word = if to > from { "up" } else { "down" };
    let mut new = rs.clone();
    new.set(&["spec", "replicas"], json!(to));
    new.set(&["metadata", "annotations", "deployment.kubernetes.io/desired-replicas"], json!(roll.wanted().to_string()));
    let text = format!("Scaled {word} replica set {} from {from} to {to}", rs.name());
    vec![Action::Update(new), event(roll.deployment, false, "ScalingReplicaSet", text, SOURCE)]
}

pub(super) fn replicas(rs: &Object) -> i64 {
    number(rs, &["spec", "replicas"], 0)
}

fn ready(rs: &Object) -> i64 {
    number(rs, &["status", "availableReplicas"], 0)
}

pub(super) fn revision(object: &Object) -> i64 {
    object.annotation(REVISION).and_then(|r| r.parse().ok()).unwrap_or(0)
}

/// `maxSurge` as a number of pods (percentages round up).
fn surge(d: &Object) -> i64 {
    share(d, "maxSurge", true)
}

/// `maxUnavailable` as a number of pods (percentages round down); never 0 together with a surge of 0.
fn unavailable(d: &Object) -> i64 {
    let n = share(d, "maxUnavailable", false);
    if n == 0 && surge(d) == 0 { 1 } else { n.min(number(d, &["spec", "replicas"], 1)) }
}

fn share(d: &Object, field: &str, up: bool) -> i64 {
    let wanted = number(d, &["spec", "replicas"], 1);
    let percent = |p: i64| if up { (wanted * p + 99) / 100 } else { wanted * p / 100 };
    match d.at(&["spec", "strategy", "rollingUpdate", field]) {
        Value::Number(n) => n.as_i64().unwrap_or(0),
        Value::String(s) => s.trim_end_matches('%').parse().map_or(percent(25), percent),
        _ => percent(25),
    }
}

/// The pod template without the label that ReplicaSets add.
fn bare_template(object: &Object) -> Value {
    let mut template = object.at(&["spec", "template"]).clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(HASH);
    }
    template
}

/// Whether two templates are equal but for the label that ReplicaSets add.
fn same_template(set: &Object, deployment: &Object) -> bool {
    let (one, other) = (set.at(&["spec", "template"]), deployment.at(&["spec", "template"]));
    let parts = |path: &str| one.pointer(path)?.as_object().zip(other.pointer(path)?.as_object());
    match (parts(""), parts("/metadata"), parts("/metadata/labels")) {
        (Some(whole), Some(metadata), Some(labels)) => {
            equal_but(whole, "metadata") && equal_but(metadata, "labels") && equal_but(labels, HASH)
        }
        _ => bare_template(set) == bare_template(deployment),
    }
}

fn equal_but((one, other): (&Map<String, Value>, &Map<String, Value>), key: &str) -> bool {
    let rest = |map: &'_ Map<String, Value>| map.len() - usize::from(map.contains_key(key));
    rest(one) == rest(other) && one.iter().all(|(k, value)| k == key || other.get(k) == Some(value))
}

/// A hash of the template that no other ReplicaSet's name has.
fn free_hash(state: &Snapshot, d: &Object) -> String {
    let template = bare_template(d);
    let hash = |n: u32| template_hash(&template, n);
    let free = |h: &String| state.find("apps", "ReplicaSet", d.namespace(), &format!("{}-{h}", d.name())).is_none();
    (0..1000).map(hash).find(free).unwrap_or_else(|| hash(1000))
}
