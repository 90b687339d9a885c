//! The start world: what a fresh cluster of one node has.

use crate::base::seed::Seed;
use crate::k8s::Object;
use crate::sandbox::api::rbac::bootstrap;
use crate::sandbox::api::write;
use crate::sandbox::node::HOST_IP;
use crate::sandbox::world::World;
use serde_json::{Value, json};

/// Puts the first objects in. Service accounts, config maps and the node's status come through controllers.
pub(super) fn populate(world: &mut World) {
    for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
        put(world, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
    }
    put(
        world,
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "kubernetes", "namespace": "default",
                         "labels": {"component": "apiserver", "provider": "kubernetes"}},
            "spec": {"clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1"],
                     "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]},
        }),
    );
    for (name, value, global) in
        [("system-cluster-critical", 2_000_000_000, false), ("system-node-critical", 2_000_001_000, false)]
    {
        put(
            world,
            json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": value,
                   "globalDefault": global, "preemptionPolicy": "PreemptLowerPriority"}),
        );
    }
    for object in bootstrap::objects() {
        put(world, object);
    }
    let now = world.now().rfc3339();
    let node = node(world.seed(), &now);
    put(world, node);
}

fn put(world: &mut World, object: Value) {
    // The start objects are ours: a refusal would be a defect that the first test shows.
    if let Err(refusal) = write::create_internal(world, Object(object), "kube-apiserver") {
        world.trouble = Some(refusal.message);
    }
}

fn node(seed: Seed, now: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "sandbox-node", "labels": {
            "beta.kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
            "kubernetes.io/hostname": "sandbox-node", "kubernetes.io/os": "linux", "node-role.kubernetes.io/control-plane": ""},
            "annotations": {"node.alpha.kubernetes.io/ttl": "0"}},
        "spec": {"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24"]},
        "status": node_status(seed, now),
    })
}

fn node_status(seed: Seed, now: &str) -> Value {
    let machine = seed.uuid(&["machine"]);
    let condition = |kind: &str, status: &str, reason: &str, message: &str| json!({"type": kind, "status": status, "reason": reason, "message": message, "lastHeartbeatTime": now, "lastTransitionTime": now});
    let size = json!({"cpu": "4", "memory": "8Gi", "pods": "110", "ephemeral-storage": "61255492Ki"});
    json!({
        "addresses": [{"type": "InternalIP", "address": HOST_IP}, {"type": "Hostname", "address": "sandbox-node"}],
        "capacity": size, "allocatable": size,
        "conditions": [
            condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
        ],
        "nodeInfo": {
            "architecture": "amd64", "operatingSystem": "linux", "osImage": "Sandbox Linux", "kernelVersion": "6.1.0",
            "containerRuntimeVersion": "containerd://2.0.0", "kubeletVersion": "v1.36.2", "kubeProxyVersion": "",
            "machineID": machine.replace('-', ""), "systemUUID": machine, "bootID": seed.uuid(&["boot"]),
        },
    })
}
