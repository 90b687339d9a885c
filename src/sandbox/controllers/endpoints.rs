//! Endpoints and EndpointSlices of Services with a selector.

use super::owners::{condition_is_true, controller_ref, selects};
use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::k8s::{Object, Snapshot};
use crate::sandbox::{Action, Controller};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Keeps one EndpointSlice and one Endpoints object per Service with a selector.
pub struct Endpoints;

impl Controller for Endpoints {
    fn name(&self) -> &'static str {
        "endpoints"
    }

    fn watches(&self) -> &'static [&'static str] {
        &["Service", "Pod", "Endpoints", "EndpointSlice", "Namespace", "Node"]
    }

    fn reconcile(&self, state: &Snapshot, _now: Time) -> Vec<Action> {
        let mut actions = Vec::new();
        for service in state.list("", "Service").filter(|s| !s.is_terminating() && is_open(state, s.namespace())) {
            if service.at(&["spec", "selector"]).as_object().is_some_and(|m| !m.is_empty()) {
                let pods = backing(state, service);
                actions.extend(put(state, slice(service, &pods)));
                actions.extend(put(state, endpoints(service, &pods)));
            }
        }
        let gone = |e: &&Arc<Object>| {
            e.label("endpoints.kubernetes.io/managed-by").is_some()
                && state.find("", "Service", e.namespace(), e.name()).is_none()
                && !e.is_terminating()
        };
        actions.extend(state.list("", "Endpoints").filter(gone).map(|e| Action::Delete(e.key())));
        actions
    }
}

fn is_open(state: &Snapshot, namespace: &str) -> bool {
    state.find("", "Namespace", "", namespace).is_some_and(|ns| !ns.is_terminating())
}

/// The pods behind a Service that have an address, by name.
fn backing<'a>(state: &'a Snapshot, service: &'a Object) -> Vec<&'a Arc<Object>> {
    let selector = service.at(&["spec", "selector"]);
    let living = |p: &&Arc<Object>| !matches!(p.str_at(&["status", "phase"]), "Succeeded" | "Failed");
    let pods = state.list_in("", "Pod", service.namespace()).filter(|p| selects(selector, p)).filter(living);
    pods.filter(|p| !p.str_at(&["status", "podIP"]).is_empty()).collect()
}

/// Writes the object when it is missing or differs in what this loop owns.
fn put(state: &Snapshot, wanted: Object) -> Option<Action> {
    let Some(old) = state.get(&wanted.key()) else { return Some(Action::Create(wanted)) };
    let fields = ["addressType", "endpoints", "ports", "subsets"];
    if old.is_terminating() || fields.iter().all(|f| old.at(&[f]) == wanted.at(&[f])) {
        return None;
    }
    let mut new = Object::clone(old);
    fields.iter().for_each(|f| match wanted.at(&[f]) {
        Value::Null => drop(new.remove(&[f])),
        value => new.set(&[f], value.clone()),
    });
    Some(Action::Update(new))
}

fn slice(service: &Object, pods: &[&Arc<Object>]) -> Object {
    let suffix = Seed(0).suffix(&["EndpointSlice", service.uid()], 5);
    let endpoints: Vec<Value> = pods.iter().map(|pod| slice_entry(pod)).collect();
    let ports: Vec<Value> = match pods.first() {
        Some(pod) => target_ports(service, pod),
        None => Vec::new(),
    };
    let mut labels = json!({
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "kubernetes.io/service-name": service.name(),
    });
    for (key, value) in service.labels() {
        labels[key] = json!(value);
    }
    Object(json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {
            "name": format!("{}-{suffix}", service.name()), "generateName": format!("{}-", service.name()),
            "namespace": service.namespace(), "labels": labels, "ownerReferences": [controller_ref(service)],
        },
        "endpoints": endpoints, "ports": ports,
    }))
}

fn slice_entry(pod: &Object) -> Value {
    let ready = condition_is_true(pod, "Ready");
    let going = pod.is_terminating();
    json!({
        "addresses": [pod.at(&["status", "podIP"])],
        "conditions": {"ready": ready && !going, "serving": ready, "terminating": going},
        "nodeName": pod.at(&["spec", "nodeName"]),
        "targetRef": target(pod),
    })
}

fn target(pod: &Object) -> Value {
    json!({"kind": "Pod", "name": pod.name(), "namespace": pod.namespace(), "uid": pod.uid()})
}

fn endpoints(service: &Object, pods: &[&Arc<Object>]) -> Object {
    let entry = |pod: &&Arc<Object>| -> Value {
        json!({"ip": pod.at(&["status", "podIP"]), "nodeName": pod.at(&["spec", "nodeName"]), "targetRef": target(pod)})
    };
    type Pods<'a> = Vec<&'a Arc<Object>>;
    let living = pods.iter().copied().filter(|p| !p.is_terminating());
    let (ready, unready): (Pods<'_>, Pods<'_>) = living.partition(|p| condition_is_true(p, "Ready"));
    let mut subset = Map::new();
    let mut put = |key: &str, pods: &[&Arc<Object>]| {
        if !pods.is_empty() {
            subset.insert(key.into(), pods.iter().map(entry).collect());
        }
    };
    put("addresses", &ready);
    put("notReadyAddresses", &unready);
    let mut labels = json!({"endpoints.kubernetes.io/managed-by": "endpoint-controller"});
    for (key, value) in service.labels() {
        labels[key] = json!(value);
    }
    let mut object = Object(json!({
        "apiVersion": "v1", "kind": "Endpoints",
        "metadata": {"name": service.name(), "namespace": service.namespace(), "labels": labels},
    }));
    if let Some(pod) = pods.first().filter(|_| !subset.is_empty()) {
        subset.insert("ports".into(), Value::Array(target_ports(service, pod)));
        object.set(&["subsets"], json!([subset]));
    }
    object
}

/// The Service's ports as the pod opens them: numbers stay, names are looked up in the containers. Unknown names are left out.
fn target_ports(service: &Object, pod: &Object) -> Vec<Value> {
    let ports = service.at(&["spec", "ports"]).as_array().into_iter().flatten();
    ports
        .filter_map(|port| {
            let number = match &port["targetPort"] {
                Value::String(name) => name.parse().ok().or_else(|| named_port(pod, name))?,
                Value::Number(n) => n.as_i64()?,
                _ => port["port"].as_i64()?,
            };
            let mut entry = json!({"port": number, "protocol": port["protocol"].as_str().unwrap_or("TCP")});
            for key in ["name", "appProtocol"] {
                if let Some(text) = port[key].as_str() {
                    entry[key] = json!(text);
                }
            }
            Some(entry)
        })
        .collect()
}

fn named_port(pod: &Object, name: &str) -> Option<i64> {
    let containers = ["containers", "initContainers"].map(|k| pod.at(&["spec", k]).as_array());
    let mut ports = containers.into_iter().flatten().flatten().filter_map(|c| c["ports"].as_array()).flatten();
    ports.find(|p| p["name"] == name)?["containerPort"].as_i64()
}
