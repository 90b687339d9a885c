//! Namespaces: what every namespace gets, and how a terminating one is emptied.

use super::owners::set_condition;
use crate::base::clock::Time;
use crate::k8s::{Object, Snapshot, kinds};
use crate::sandbox::store::Change;
use crate::sandbox::{Action, Controller};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

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
            // Events come while others go.
            "Namespace" | "Event" => true,
            "ServiceAccount" if change.key.name == "default" => true,
            "ConfigMap" if change.key.name == "kube-root-ca.crt" => true,
            // A terminating namespace waits for its last object, and says which finalizers hold it.
            _ => change.after.as_ref().is_none_or(|o| o.is_terminating()),
        }
    }

    fn reconcile(&self, state: &Snapshot, now: Time) -> Vec<Action> {
        state
            .list("", "Namespace")
            .flat_map(|ns| match ns.is_terminating() {
                true => empty(state, ns, now),
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

fn empty(state: &Snapshot, ns: &Object, now: Time) -> Vec<Action> {
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
    let mut actions: Vec<Action> = going.iter().filter(|o| !o.is_terminating()).map(|o| Action::Delete(o.key())).collect();
    if actions.is_empty() {
        actions.extend(remaining(state, ns, &going, now));
    }
    actions
}

/// Says what keeps the namespace from going (pkg/controller/namespace/deletion of Kubernetes).
fn remaining(state: &Snapshot, ns: &Object, inside: &[&Arc<Object>], now: Time) -> Option<Action> {
    let (mut kinds, mut finalizers): (BTreeMap<String, usize>, BTreeMap<String, usize>) = Default::default();
    for object in inside {
        *kinds.entry(format!("{}.{}", plural(state, object), object.group())).or_default() += 1;
        for name in object.at(&["metadata", "finalizers"]).as_array().into_iter().flatten().filter_map(|f| f.as_str()) {
            *finalizers.entry(name.to_string()).or_default() += 1;
        }
    }
    let list = |map: &BTreeMap<String, usize>, word: &str| {
        map.iter().map(|(key, n)| format!("{key} {word} {n} resource instances")).collect::<Vec<_>>().join(", ")
    };
    let content = format!("Some resources are remaining: {}", list(&kinds, "has"));
    let held = match finalizers.is_empty() {
        true => ("False", "ContentHasNoFinalizers", "All content-preserving finalizers finished".to_string()),
        false => {
            let text = format!("Some content in the namespace has finalizers remaining: {}", list(&finalizers, "in"));
            ("True", "SomeFinalizersRemain", text)
        }
    };
    let mut status = ns.status().as_object().cloned().unwrap_or_default();
    for (kind, (value, reason, message)) in [
        ("NamespaceDeletionDiscoveryFailure", ("False", "ResourcesDiscovered", "All resources successfully discovered".into())),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            ("False", "ParsedGroupVersions", "All legacy kube types successfully parsed".into()),
        ),
        (
            "NamespaceDeletionContentFailure",
            ("False", "ContentDeleted", "All content successfully deleted, may be waiting on finalization".into()),
        ),
        ("NamespaceContentRemaining", ("True", "SomeResourcesRemain", content)),
        ("NamespaceFinalizersRemaining", held),
    ] {
        let condition = json!({"type": kind, "status": value, "reason": reason, "message": message});
        set_condition(&mut status, condition, &now.rfc3339());
    }
    let mut new = ns.clone();
    new.set(&["status"], Value::Object(status));
    (new != *ns).then_some(Action::UpdateStatus(new))
}

fn plural<'a>(state: &'a Snapshot, object: &Object) -> &'a str {
    if let Some(info) = kinds::find(object.group(), object.kind()) {
        return info.plural;
    }
    let mut definitions = state.list("apiextensions.k8s.io", "CustomResourceDefinition");
    let of = |d: &&Arc<Object>| {
        d.str_at(&["spec", "group"]) == object.group() && d.str_at(&["spec", "names", "kind"]) == object.kind()
    };
    definitions.find(of).map_or("", |d| d.str_at(&["spec", "names", "plural"]))
}
