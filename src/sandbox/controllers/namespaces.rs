//! Namespaces: what every namespace gets, and how a terminating one is emptied.

use crate::base::clock::Time;
use crate::k8s::{Object, Snapshot};
use crate::sandbox::store::Change;
use crate::sandbox::{Action, Controller};
use serde_json::json;

/// Gives each namespace its ServiceAccount `default` and ConfigMap `kube-root-ca.crt`; empties terminating ones and lets go of them
/// by clearing `spec.finalizers`.
pub struct Namespaces;

const ROOT_CA_NOTE: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as \
                            the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of \
                            Kubernetes clusters.";

impl Controller for Namespaces {
    fn name(&self) -> &'static str {
        "namespace"
    }

    fn concerns(&self, change: &Change) -> bool {
        match change.key.kind.kind.as_str() {
            "Namespace" => true,
            "ServiceAccount" => change.key.name == "default",
            "ConfigMap" if change.key.name == "kube-root-ca.crt" => true,
            // A terminating namespace waits for its last object.
            _ => change.after.is_none(),
        }
    }

    fn reconcile(&self, state: &Snapshot, _now: Time) -> Vec<Action> {
        state
            .list("", "Namespace")
            .flat_map(|ns| match ns.is_terminating() {
                true => empty(state, ns),
                false => furnish(state, ns.name()),
            })
            .collect()
    }
}

fn furnish(state: &Snapshot, ns: &str) -> Vec<Action> {
    let mut actions = Vec::new();
    if state.find("", "ServiceAccount", ns, "default").is_none() {
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": ns}});
        actions.push(Action::Create(Object(account)));
    }
    if state.find("", "ConfigMap", ns, "kube-root-ca.crt").is_none() {
        let about = json!({"kubernetes.io/description": ROOT_CA_NOTE});
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "kube-root-ca.crt", "namespace": ns, "annotations": about},
            "data": {"ca.crt": "not simulated here: the cluster's CA bundle inside pods\n"},
        });
        actions.push(Action::Create(Object(map)));
    }
    actions
}

fn empty(state: &Snapshot, ns: &Object) -> Vec<Action> {
    let inside: Vec<_> = state.all_in(ns.name()).collect();
    if inside.is_empty() {
        let held = ns.at(&["spec", "finalizers"]).as_array().is_some_and(|f| !f.is_empty());
        let mut free = ns.clone();
        free.set(&["spec", "finalizers"], json!([]));
        return if held { vec![Action::Update(free)] } else { Vec::new() };
    }
    // Events last: the loops that wind the others up still record some.
    let (events, others): (Vec<_>, Vec<_>) = inside.into_iter().partition(|o| o.kind() == "Event");
    let going = if others.is_empty() { events } else { others };
    going.into_iter().filter(|o| !o.is_terminating()).map(|o| Action::Delete(o.key())).collect()
}
