//! Resources and ports of a node.

use super::Misfit;
use crate::k8s::Object;
use crate::k8s::quantity::Quantity;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Resources by name.
pub type Load = BTreeMap<String, Quantity>;

/// What a pod asks for: the sum over its containers and sidecars, or what an init container needs beside them, whichever is more, and
/// the pod's overhead. `list`: `requests` or `limits`.
pub fn requests(pod: &Object, list: &str) -> Load {
    let mut total = Load::new();
    let of = |key: &str| pod.at(&["spec", key]).as_array().cloned().unwrap_or_default();
    for container in of("containers") {
        add(&mut total, &container["resources"][list]);
    }
    let (mut sidecars, mut peak) = (Load::new(), Load::new());
    for container in of("initContainers") {
        let own = &container["resources"][list];
        if container["restartPolicy"] == "Always" {
            add(&mut sidecars, own);
            continue;
        }
        let mut during = sidecars.clone();
        add(&mut during, own);
        raise(&mut peak, &during);
    }
    sum(&mut total, &sidecars);
    raise(&mut total, &peak);
    let whole = pod.at(&["spec", "resources", list]);
    for (key, value) in whole.as_object().into_iter().flatten() {
        total.insert(key.clone(), Quantity::of(value));
    }
    add(&mut total, pod.at(&["spec", "overhead"]));
    total
}

fn raise(total: &mut Load, least: &Load) {
    for (key, value) in least {
        let there = total.entry(key.clone()).or_insert(Quantity::ZERO);
        if there.nano < value.nano {
            *there = *value;
        }
    }
}

/// Adds one load to another.
pub fn sum(total: &mut Load, other: &Load) {
    for (key, value) in other {
        let there = total.entry(key.clone()).or_insert(Quantity::ZERO);
        *there = there.plus(*value);
    }
}

fn add(total: &mut Load, resources: &Value) {
    for (key, value) in resources.as_object().into_iter().flatten() {
        let there = total.entry(key.clone()).or_insert(Quantity::ZERO);
        *there = there.plus(Quantity::of(value));
    }
}

/// What the node has too little of.
pub fn lacking(pod: &Object, node: &Object, others: &[&Arc<Object>]) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    let allocatable = node.at(&["status", "allocatable"]);
    let slots = &allocatable["pods"];
    if !slots.is_null() && Quantity::whole(others.len() as i64 + 1).nano > Quantity::of(slots).nano {
        misfits.push(Misfit::room("Too many pods"));
    }
    let wanted: Load = requests(pod, "requests").into_iter().filter(|(_, n)| n.nano > 0).collect();
    if wanted.is_empty() || !allocatable.is_object() {
        return misfits;
    }
    let mut used = Load::new();
    for other in others {
        sum(&mut used, &requests(other, "requests"));
    }
    for (key, value) in wanted {
        if used.get(&key).map_or(0, |q| q.nano) + value.nano > Quantity::of(&allocatable[&key]).nano {
            misfits.push(Misfit::room(format!("Insufficient {key}")));
        }
    }
    misfits
}

/// Whether a host port of the pod is taken on the node.
pub fn ports_clash(pod: &Object, others: &[&Arc<Object>]) -> bool {
    let wanted = host_ports(pod);
    !wanted.is_empty() && others.iter().any(|other| host_ports(other).iter().any(|p| wanted.contains(p)))
}

fn host_ports(pod: &Object) -> Vec<(i64, String)> {
    let containers = pod.at(&["spec", "containers"]).as_array().into_iter().flatten();
    let ports = containers.flat_map(|c| c["ports"].as_array().into_iter().flatten());
    let taken = |p: &Value| Some((p["hostPort"].as_i64().filter(|n| *n > 0)?, p["protocol"].as_str().unwrap_or("TCP").into()));
    ports.filter_map(taken).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_asks_for_its_containers_or_its_largest_init_container() {
        let pod = Object(json!({"spec": {
            "containers": [{"resources": {"requests": {"cpu": "100m", "memory": "1Gi"}}}, {"resources": {"requests": {"cpu": "0.2"}}}],
            "initContainers": [
                {"restartPolicy": "Always", "resources": {"requests": {"cpu": "50m"}}},
                {"resources": {"requests": {"cpu": "400m"}}}]}}));
        let load = requests(&pod, "requests");
        assert_eq!((load["cpu"].canonical(), load["memory"].canonical()), ("450m".to_string(), "1Gi".to_string()));
    }

    #[test]
    fn a_full_node_says_what_it_lacks() {
        let node = Object(json!({"status": {"allocatable": {"cpu": "1", "memory": "1Gi", "pods": "2"}}}));
        let pod = |cpu: &str| Arc::new(Object(json!({"spec": {"containers": [{"resources": {"requests": {"cpu": cpu}}}]}})));
        let (half, other) = (pod("500m"), pod("501m"));
        assert_eq!(lacking(&half, &node, &[&half]), []);
        let reasons = |found: Vec<Misfit>| found.into_iter().map(|m| m.reason).collect::<Vec<_>>();
        assert_eq!(reasons(lacking(&other, &node, &[&half, &half])), ["Too many pods", "Insufficient cpu"]);
        let gpu = Object(json!({"spec": {"containers": [{"resources": {"requests": {"nvidia.com/gpu": "1"}}}]}}));
        assert_eq!(reasons(lacking(&gpu, &node, &[])), ["Insufficient nvidia.com/gpu"]);
    }
}
