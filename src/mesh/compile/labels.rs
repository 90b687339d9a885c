//! Which labels of a workload its configuration can depend on: workloads that agree in these share what is derived for them.

use super::destination::DestinationRule;
use super::rules::VirtualService;
use super::scope::Identity;
use crate::k8s::{Object, Snapshot};
use serde_json::Value;
use std::collections::BTreeSet;

/// The keys of all labels that something selects proxies by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selected(BTreeSet<String>);

/// Kinds whose selectors are about endpoints, or that are read in their own way.
const OTHERS: [&str; 4] = ["ServiceEntry", "WorkloadEntry", "VirtualService", "DestinationRule"];

impl Selected {
    /// Whatever any object of Istio's kinds says about labels.
    pub fn read(snapshot: &Snapshot) -> Selected {
        let mut selected = Selected::default();
        for object in snapshot.all_of(|kind| kind.group.ends_with("istio.io") && !OTHERS.contains(&kind.kind.as_str())) {
            selected.object(object);
        }
        selected
    }

    /// Adds the labels that an object selects by.
    pub fn object(&mut self, object: &Object) {
        keys(object.spec(), 0, &mut self.0);
    }

    /// Adds the source labels of a rule's conditions.
    pub fn rule(&mut self, rule: &VirtualService) {
        let l4 = rule.tls.iter().chain(&rule.tcp).flat_map(|r| &r.matches);
        let all = rule.http.iter().flat_map(|r| &r.matches).chain(l4);
        all.for_each(|m| self.0.extend(m.source_labels.keys().cloned()));
    }

    /// Adds the labels of the clients that a rule is for.
    pub fn destination_rule(&mut self, rule: &DestinationRule) {
        self.0.extend(rule.selector.keys().cloned());
    }

    /// The workload without the labels that nothing looks at. Gateways keep theirs, and so do labels of Istio and Kubernetes.
    pub fn narrow(&self, id: &Identity) -> Identity {
        let mut id = id.clone();
        if !id.gateway {
            id.labels.retain(|key, _| key.contains("istio.io/") || key.contains("k8s.io/") || self.0.contains(key));
        }
        id
    }
}

/// How deep selectors are looked for.
const DEEPEST: usize = 12;

fn keys(value: &Value, depth: usize, found: &mut BTreeSet<String>) {
    match value {
        _ if depth > DEEPEST => {}
        Value::Array(list) => list.iter().for_each(|v| keys(v, depth + 1, found)),
        Value::Object(map) => {
            for (name, value) in map {
                if matches!(name.as_str(), "matchLabels" | "labels" | "selector" | "sourceLabels") {
                    found.extend(value.as_object().into_iter().flatten().map(|(k, _)| k.clone()));
                }
                if name == "key" {
                    found.extend(value.as_str().map(String::from));
                }
                keys(value, depth + 1, found);
            }
        }
        _ => {}
    }
}
