//! Services: cluster addresses, and endpoints where the workload behind one is not written.

use super::{Addresses, Draft, is_dump, list, selector};
use crate::k8s::{Object, Snapshot};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;

/// Settles all Services.
pub fn settle(draft: &mut Draft) {
    let mut addresses = Addresses::of(&draft.snapshot);
    let services: Vec<Arc<Object>> = draft.snapshot.list("", "Service").cloned().collect();
    let (mut numbered, mut supplied) = (Vec::new(), Vec::new());
    for service in services {
        if service.str_at(&["spec", "type"]) == "ExternalName" {
            continue;
        }
        if service.str_at(&["spec", "clusterIP"]).is_empty() {
            let ip = addresses.next([10, 96], &["service", service.namespace(), service.name()]);
            let mut with_ip = (*service).clone();
            with_ip.set(&["spec", "clusterIP"], json!(ip.to_string()));
            with_ip.set(&["spec", "clusterIPs"], json!([ip.to_string()]));
            draft.put(with_ip);
            if !super::is_installed(&service) {
                numbered.push(service.key().to_string());
            }
        }
        if lacks_workload(&draft.snapshot, &service) {
            let ip = addresses.next([10, 244], &["endpoint", service.namespace(), service.name()]);
            draft.put(slice(&service, ip));
            draft.put(stand_in(&service, ip));
            supplied.push(service.key().to_string());
        }
    }
    if !numbered.is_empty() {
        draft.assume(format!("cluster addresses of our choice for {}", list(&numbered)));
    }
    if !supplied.is_empty() {
        let names = list(&supplied);
        draft.assume(format!("one ready endpoint for {names}: nothing that it could select is written in its namespace"));
    }
}

/// Whether a Service selects pods of a namespace about whose workloads nothing is written.
fn lacks_workload(snapshot: &Snapshot, service: &Object) -> bool {
    let namespace = service.namespace();
    let kinds = [("", "Pod"), ("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "DaemonSet"), ("apps", "ReplicaSet")];
    let silent = kinds.iter().all(|(group, kind)| snapshot.list_in(group, kind, namespace).next().is_none());
    let slices = snapshot.list_in("discovery.k8s.io", "EndpointSlice", namespace);
    let listed = slices.into_iter().any(|s| s.label("kubernetes.io/service-name") == Some(service.name()));
    silent && !listed && !is_dump(snapshot) && !selector(service, &["spec", "selector"]).is_empty()
}

/// The port of a pod that a Service port leads to, named ports by the Service's own number.
fn target(port: &Value) -> Value {
    match port.get("targetPort") {
        Some(Value::Number(n)) => json!(n),
        _ => port.get("port").cloned().unwrap_or(Value::Null),
    }
}

fn ports(service: &Object) -> Vec<Value> {
    service.at(&["spec", "ports"]).as_array().cloned().unwrap_or_default()
}

fn slice(service: &Object, ip: IpAddr) -> Object {
    let listed: Vec<Value> =
        ports(service).iter().map(|p| json!({"name": p.get("name").cloned().unwrap_or(json!("")), "port": target(p)})).collect();
    Object(json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": format!("{}-assumed", service.name()), "namespace": service.namespace(),
            "labels": {"kubernetes.io/service-name": service.name()}},
        "ports": listed,
        "endpoints": [{"addresses": [ip.to_string()], "conditions": {"ready": true},
            "targetRef": {"kind": "Pod", "name": format!("{}-assumed", service.name())}}]}))
}

/// The pod behind it, without a sidecar.
fn stand_in(service: &Object, ip: IpAddr) -> Object {
    let open: Vec<Value> = ports(service).iter().map(|p| json!({"containerPort": target(p)})).collect();
    Object(json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("{}-assumed", service.name()), "namespace": service.namespace(),
            "labels": service.at(&["spec", "selector"])},
        "spec": {"containers": [{"name": "server", "image": "echo", "ports": open}]},
        "status": super::ready_status(ip)}))
}
