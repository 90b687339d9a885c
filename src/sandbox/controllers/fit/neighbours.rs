//! Pods that want to be near others, or far from them.

use super::Misfit;
use crate::k8s::selector::LabelSelector;
use crate::k8s::{Object, Snapshot};
use crate::sandbox::controllers::owners::is_active;
use serde_json::Value;
use std::sync::Arc;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

/// What spread constraints and required pod affinities have against the node.
pub fn misfit(state: &Snapshot, pod: &Object, node: &Object) -> Option<Misfit> {
    let spread = pod.at(&["spec", "topologySpreadConstraints"]).as_array().into_iter().flatten();
    for constraint in spread.filter(|c| c["whenUnsatisfiable"] == "DoNotSchedule") {
        let key = constraint["topologyKey"].as_str().unwrap_or("");
        if node.label(key).is_none() {
            let words = "node(s) didn't match pod topology spread constraints (missing required label)";
            return Some(Misfit::fixed(words));
        }
        if is_skewed(state, pod, node, constraint, key) {
            return Some(Misfit::room("node(s) didn't match pod topology spread constraints"));
        }
    }
    let terms = |kind: &str| pod.at(&["spec", "affinity", kind, REQUIRED]).as_array().cloned().unwrap_or_default();
    let near = |term: &Value| near(state, pod, node, term).next().is_some();
    let (together, apart) = (terms("podAffinity"), terms("podAntiAffinity"));
    // The first pod of a group that wants to be together may start it.
    let lonely = |term: &Value| !anywhere(state, pod, term) && selects(term, pod, pod);
    if together.iter().any(|term| !near(term) && !lonely(term)) {
        return Some(Misfit::fixed("node(s) didn't match pod affinity rules"));
    }
    if apart.iter().any(near) {
        return Some(Misfit::room("node(s) didn't match pod anti-affinity rules"));
    }
    let refuses = |other: &Arc<Object>| {
        let theirs = other.at(&["spec", "affinity", "podAntiAffinity", REQUIRED]).as_array().into_iter().flatten();
        theirs.into_iter().any(|term| same_domain(state, other, node, term) && selects(term, other, pod))
    };
    let placed = |other: &&Arc<Object>| is_placed(other) && other.uid() != pod.uid();
    state
        .list("", "Pod")
        .filter(placed)
        .any(refuses)
        .then(|| Misfit::room("node(s) didn't satisfy existing pods anti-affinity rules"))
}

fn is_placed(pod: &Object) -> bool {
    is_active(pod) && !pod.str_at(&["spec", "nodeName"]).is_empty()
}

/// Placed pods in the node's domain that a term of `of` selects.
fn near<'a>(state: &'a Snapshot, of: &'a Object, node: &'a Object, term: &'a Value) -> impl Iterator<Item = &'a Arc<Object>> {
    let all = state.list("", "Pod").filter(move |other| is_placed(other) && other.uid() != of.uid());
    all.filter(move |other| selects(term, of, other) && same_domain(state, other, node, term))
}

fn anywhere(state: &Snapshot, of: &Object, term: &Value) -> bool {
    state.list("", "Pod").any(|other| is_placed(other) && other.uid() != of.uid() && selects(term, of, other))
}

/// Whether the node is in the same domain as the node of a placed pod.
fn same_domain(state: &Snapshot, placed: &Object, node: &Object, term: &Value) -> bool {
    let key = term["topologyKey"].as_str().unwrap_or("");
    let theirs = state.find("", "Node", "", placed.str_at(&["spec", "nodeName"]));
    node.label(key).is_some() && theirs.is_some_and(|n| n.label(key) == node.label(key))
}

/// Whether a term of `of` is about this pod: its labels, and its namespace (that of `of` unless the term names some).
fn selects(term: &Value, of: &Object, pod: &Object) -> bool {
    let named = term["namespaces"].as_array().map_or(&[][..], Vec::as_slice);
    let everywhere = term["namespaceSelector"].is_object();
    let here = if named.is_empty() && !everywhere {
        pod.namespace() == of.namespace()
    } else {
        everywhere || named.iter().any(|n| n == pod.namespace())
    };
    here && term["labelSelector"].is_object() && LabelSelector::from_object(&term["labelSelector"]).matches(&pod.labels())
}

fn is_skewed(state: &Snapshot, pod: &Object, node: &Object, constraint: &Value, key: &str) -> bool {
    let selector = LabelSelector::from_object(&constraint["labelSelector"]);
    let count = |domain: Option<&str>| {
        let inside = |other: &&Arc<Object>| {
            let theirs = state.find("", "Node", "", other.str_at(&["spec", "nodeName"]));
            other.uid() != pod.uid()
                && is_placed(other)
                && selector.matches(&other.labels())
                && theirs.is_some_and(|n| n.label(key) == domain)
        };
        state.list_in("", "Pod", pod.namespace()).filter(inside).count() as i64
    };
    let nodes = state.list("", "Node").filter(|n| n.label(key).is_some() && super::matches_node(pod, n));
    let least = nodes.map(|n| count(n.label(key))).min().unwrap_or(0);
    let own = i64::from(selector.matches(&pod.labels()));
    count(node.label(key)) + own - least > constraint["maxSkew"].as_i64().unwrap_or(1)
}
