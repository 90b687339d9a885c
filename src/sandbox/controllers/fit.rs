//! Whether a pod may be on a node, in the scheduler's terms and words (pkg/scheduler/framework/plugins of Kubernetes).

mod neighbours;
mod room;

pub use room::{Load, requests, sum};

use crate::k8s::{Object, Snapshot};
use serde_json::Value;
use std::sync::Arc;

/// Why a node will not have a pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Misfit {
    /// As the scheduler counts it: `Insufficient cpu`, `node(s) were unschedulable`.
    pub reason: String,
    /// Whether other pods' leaving could help.
    pub room: bool,
}

impl Misfit {
    fn fixed(reason: impl Into<String>) -> Misfit {
        Misfit { reason: reason.into(), room: false }
    }

    fn room(reason: impl Into<String>) -> Misfit {
        Misfit { reason: reason.into(), room: true }
    }
}

/// The first filter that refuses the node, with everything that it finds; none: the pod fits. `others`: the pods on the node.
pub fn misfits(state: &Snapshot, pod: &Object, node: &Object, others: &[&Arc<Object>]) -> Vec<Misfit> {
    if node.at(&["spec", "unschedulable"]) == true && !tolerates(pod, &unschedulable()) {
        return vec![Misfit::fixed("node(s) were unschedulable")];
    }
    // Since 1.34 the scheduler does not name the taint.
    if untolerated(pod, node, &["NoSchedule", "NoExecute"]).is_some() {
        return vec![Misfit::fixed("node(s) had untolerated taint(s)")];
    }
    if !matches_node(pod, node) {
        return vec![Misfit::fixed("node(s) didn't match Pod's node affinity/selector")];
    }
    if room::ports_clash(pod, others) {
        return vec![Misfit::room("node(s) didn't have free ports for the requested pod ports")];
    }
    let lacking = room::lacking(pod, node, others);
    if !lacking.is_empty() {
        return lacking;
    }
    neighbours::misfit(state, pod, node).into_iter().collect()
}

/// What keeps a pod from every node: claims that are missing or unbound.
pub fn unbound_claims(state: &Snapshot, pod: &Object) -> Option<String> {
    let volumes = pod.at(&["spec", "volumes"]).as_array().into_iter().flatten();
    let names = volumes.filter_map(|v| v["persistentVolumeClaim"]["claimName"].as_str());
    let mut unbound = None;
    for name in names {
        match state.find("", "PersistentVolumeClaim", pod.namespace(), name) {
            None => return Some(format!("persistentvolumeclaim \"{name}\" not found")),
            Some(claim) if claim.is_terminating() => {
                return Some(format!("persistentvolumeclaim \"{name}\" is being deleted"));
            }
            Some(claim) if claim.str_at(&["status", "phase"]) != "Bound" => {
                unbound = Some("pod has unbound immediate PersistentVolumeClaims".to_string());
            }
            Some(_) => (),
        }
    }
    unbound
}

fn unschedulable() -> Value {
    serde_json::json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"})
}

/// The first taint with one of these effects that the pod does not tolerate.
pub fn untolerated<'a>(pod: &Object, node: &'a Object, effects: &[&str]) -> Option<&'a Value> {
    let taints = node.at(&["spec", "taints"]).as_array().into_iter().flatten();
    let hard = |t: &&Value| t["effect"].as_str().is_some_and(|e| effects.contains(&e));
    taints.into_iter().filter(hard).find(|t| !tolerates(pod, t))
}

/// Whether one of the pod's tolerations covers the taint.
pub fn tolerates(pod: &Object, taint: &Value) -> bool {
    toleration(pod, taint).is_some()
}

/// The tolerations of a pod that cover a taint.
pub fn tolerations<'a>(pod: &'a Object, taint: &Value) -> impl Iterator<Item = &'a Value> {
    let list = pod.at(&["spec", "tolerations"]).as_array().into_iter().flatten();
    list.filter(move |t| {
        let effect = t["effect"].as_str().is_none_or(|e| e.is_empty() || taint["effect"] == e);
        let key = t["key"].as_str().unwrap_or("");
        let value = |v: &'a Value| v.as_str().unwrap_or("");
        match t["operator"].as_str().unwrap_or("Equal") {
            "Exists" => effect && (key.is_empty() || taint["key"] == key),
            "" | "Equal" => effect && taint["key"] == key && taint["value"].as_str().unwrap_or("") == value(&t["value"]),
            _ => false,
        }
    })
}

fn toleration<'a>(pod: &'a Object, taint: &Value) -> Option<&'a Value> {
    let list: Vec<&Value> = tolerations(pod, taint).collect();
    list.into_iter().next()
}

/// Whether the node has what `nodeSelector` and the required node affinity ask for.
pub fn matches_node(pod: &Object, node: &Object) -> bool {
    let labels = node.labels();
    let mut selector = pod.at(&["spec", "nodeSelector"]).as_object().into_iter().flatten();
    if selector.any(|(k, v)| labels.get(k.as_str()).copied() != v.as_str()) {
        return false;
    }
    let path = ["spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"];
    let required = pod.at(&path);
    if !required.is_object() {
        return true;
    }
    required["nodeSelectorTerms"].as_array().into_iter().flatten().any(|term| term_matches(term, node))
}

/// A term matches when all its expressions do; one without any matches nothing.
fn term_matches(term: &Value, node: &Object) -> bool {
    let list = |key: &str| term[key].as_array().map_or(&[][..], Vec::as_slice);
    let (expressions, fields) = (list("matchExpressions"), list("matchFields"));
    let label = |e: &Value| holds(e, e["key"].as_str().and_then(|key| node.label(key)));
    let field = |e: &Value| holds(e, (e["key"] == "metadata.name").then(|| node.name()));
    !(expressions.is_empty() && fields.is_empty()) && expressions.iter().all(label) && fields.iter().all(field)
}

fn holds(expression: &Value, found: Option<&str>) -> bool {
    let mut values = expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let number = |text: Option<&str>| text.and_then(|t| t.parse::<i64>().ok());
    match expression["operator"].as_str().unwrap_or("") {
        "In" => found.is_some_and(|f| values.any(|v| v == f)),
        "NotIn" => found.is_none_or(|f| !values.any(|v| v == f)),
        "Exists" => found.is_some(),
        "DoesNotExist" => found.is_none(),
        "Gt" => number(found).zip(number(values.next())).is_some_and(|(a, b)| a > b),
        "Lt" => number(found).zip(number(values.next())).is_some_and(|(a, b)| a < b),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node() -> Object {
        Object(json!({"metadata": {"name": "n", "labels": {"disk": "ssd", "cores": "8"}}}))
    }

    #[test]
    fn tolerations_cover_taints_as_upstream_says() {
        let taint = json!({"key": "k", "value": "v", "effect": "NoSchedule"});
        for (toleration, covers) in [
            (json!({"operator": "Exists"}), true),
            (json!({"key": "k", "operator": "Exists"}), true),
            (json!({"key": "k", "value": "v", "effect": "NoSchedule"}), true),
            (json!({"key": "k", "operator": "Equal", "value": "w"}), false),
            (json!({"key": "k", "operator": "Exists", "effect": "NoExecute"}), false),
            (json!({"key": "other", "operator": "Exists"}), false),
        ] {
            let pod = Object(json!({"spec": {"tolerations": [toleration]}}));
            assert_eq!(tolerates(&pod, &taint), covers, "{}", pod.0);
        }
    }

    #[test]
    fn node_affinity_is_any_term_of_all_expressions() {
        let pod = |terms: Value| {
            Object(json!({"spec": {"affinity": {"nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}}}))
        };
        let one = |key: &str, operator: &str, values: Value| json!({"key": key, "operator": operator, "values": values});
        for (terms, fits) in [
            (json!([{"matchExpressions": [one("disk", "In", json!(["ssd"]))]}]), true),
            (
                json!([{"matchExpressions": [one("disk", "In", json!(["hdd"]))]}, {"matchFields": [one("metadata.name", "In", json!(["n"]))]}]),
                true,
            ),
            (json!([{"matchExpressions": [one("cores", "Gt", json!(["4"])), one("disk", "NotIn", json!(["ssd"]))]}]), false),
            (json!([{"matchExpressions": [one("cores", "Lt", json!(["9"])), one("gpu", "DoesNotExist", json!([]))]}]), true),
            (json!([{}]), false),
            (json!([]), false),
        ] {
            assert_eq!(matches_node(&pod(terms.clone()), &node()), fits, "{terms}");
        }
        assert!(!matches_node(&Object(json!({"spec": {"nodeSelector": {"disk": "hdd"}}})), &node()));
    }
}
