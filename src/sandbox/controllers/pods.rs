//! Pods as their owners make them and count them.

use super::owners::{condition_is_true, controller_ref};
use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::k8s::{Object, Snapshot};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Objects of one kind by the uid of their managing controller: one pass over them instead of one for each owner.
pub struct Children<'a>(BTreeMap<&'a str, Vec<&'a Arc<Object>>>);

impl<'a> Children<'a> {
    /// The controlled objects of a kind.
    pub fn of(state: &'a Snapshot, group: &str, kind: &str) -> Children<'a> {
        let mut map: BTreeMap<&str, Vec<&Arc<Object>>> = BTreeMap::new();
        for object in state.list(group, kind) {
            let owner = super::owners::references(object).find(|r| r["controller"] == true);
            if let Some(uid) = owner.and_then(|r| r["uid"].as_str()) {
                map.entry(uid).or_default().push(object);
            }
        }
        Children(map)
    }

    /// Those that `owner` controls, by namespace and name.
    pub fn under(&self, owner: &Object) -> &[&'a Arc<Object>] {
        self.0.get(owner.uid()).map_or(&[], Vec::as_slice)
    }
}

/// A pod of a template: its labels, annotations, finalizers and spec under a name, controlled by `owner`.
pub fn from_template(owner: &Object, template: &Value, name: &str) -> Object {
    let mut meta: Map<String, Value> = template["metadata"].as_object().cloned().unwrap_or_default();
    meta.retain(|key, value| matches!(key.as_str(), "labels" | "annotations" | "finalizers") && !value.is_null());
    meta.insert("name".into(), json!(name));
    meta.insert("generateName".into(), json!(format!("{}-", owner.name())));
    meta.insert("namespace".into(), json!(owner.namespace()));
    meta.insert("ownerReferences".into(), json!([controller_ref(owner)]));
    Object(json!({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}))
}

/// Names for new pods: by hash of the owner, the moment and a number, so that a replacement never takes its predecessor's name.
pub fn free_names(state: &Snapshot, owner: &Object, prefix: &str, count: usize, now: Time) -> Vec<String> {
    let moment = now.0.to_string();
    let name = |n: u64| format!("{prefix}-{}", Seed(0).suffix(&["Pod", owner.uid(), &moment, &n.to_string()], 5));
    let free = |name: &String| state.find("", "Pod", owner.namespace(), name).is_none();
    (0..count as u64 + 1000).map(name).filter(free).take(count).collect()
}

/// Whether a pod has been ready for `minReadySeconds`, and if not yet, when it will have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Available {
    Yes,
    No,
    At(Time),
}

/// Whether a pod counts as available for an owner (pkg/api/v1/pod of Kubernetes, IsPodAvailable).
pub fn available(pod: &Object, owner: &Object, now: Time) -> Available {
    if !condition_is_true(pod, "Ready") {
        return Available::No;
    }
    let wanted = super::owners::number(owner, &["spec", "minReadySeconds"], 0);
    if wanted <= 0 {
        return Available::Yes;
    }
    let conditions = pod.at(&["status", "conditions"]).as_array().into_iter().flatten();
    let since = conditions.into_iter().find(|c| c["type"] == "Ready").and_then(|c| c["lastTransitionTime"].as_str());
    match since.and_then(Time::parse).map(|t| t.plus_ms(wanted * 1000)) {
        Some(due) if due > now => Available::At(due),
        Some(_) => Available::Yes,
        None => Available::No,
    }
}

/// Kubernetes' short hash of a template: the decimal digits of a 32-bit number in an alphabet without vowels.
pub fn template_hash(template: &Value, nth: u32) -> String {
    let letter = |digit: u8| b"456789bcdf"[usize::from(digit - b'0')] as char;
    let number = (Seed(0).hash(&["pod-template-hash", &template.to_string(), &nth.to_string()]) as u32).to_string();
    number.bytes().map(letter).collect()
}

/// Puts a number that is left out at 0, as fields with `omitempty` are.
pub fn count(status: &mut Map<String, Value>, key: &str, n: usize) {
    match n {
        0 => drop(status.remove(key)),
        n => drop(status.insert(key.into(), json!(n))),
    }
}

/// Whether the namespace takes new objects.
pub fn is_open(state: &Snapshot, namespace: &str) -> bool {
    state.find("", "Namespace", "", namespace).is_none_or(|ns| !ns.is_terminating())
}
