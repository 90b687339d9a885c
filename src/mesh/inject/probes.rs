//! Probes of the application go through the agent's port 15020, since the kubelet cannot reach captured ports with mTLS.

use crate::k8s::Object;
use serde_json::{Map, Value, json};

/// The agent's port.
const STATUS_PORT: u16 = 15020;

/// Rewrites the probes of all containers but the proxy's. Answers what the agent must know, by path.
pub fn rewrite(pod: &mut Object) -> Map<String, Value> {
    let mut probers = Map::new();
    let mut containers = pod.at(&["spec", "containers"]).clone();
    for container in containers.as_array_mut().into_iter().flatten().filter(|c| c["name"] != "istio-proxy") {
        let name = container["name"].as_str().unwrap_or("").to_string();
        for (field, path) in [("readinessProbe", "readyz"), ("livenessProbe", "livez"), ("startupProbe", "startupz")] {
            let ports = container["ports"].clone();
            if let Some(probe) = container.get_mut(field).and_then(Value::as_object_mut) {
                let path = format!("/app-health/{name}/{path}");
                if let Some(old) = redirect(probe, &path, &ports) {
                    probers.insert(path, old);
                }
            }
        }
    }
    if !probers.is_empty() {
        pod.set(&["spec", "containers"], containers);
    }
    probers
}

/// Points a probe at the agent; answers what it was. Probes that run a command stay.
fn redirect(probe: &mut Map<String, Value>, path: &str, ports: &Value) -> Option<Value> {
    let kind = ["httpGet", "tcpSocket", "grpc"].into_iter().find(|kind| probe.contains_key(*kind))?;
    let mut was = probe.remove(kind)?;
    let named = ports.as_array().into_iter().flatten().find(|p| p["name"] == was["port"]).map(|p| p["containerPort"].clone());
    if let Some(number) = named {
        was["port"] = number;
    }
    let mut now = json!({"path": path, "port": STATUS_PORT});
    if kind == "httpGet" && was.get("scheme").is_some() {
        now["scheme"] = json!("HTTP");
    }
    probe.insert("httpGet".into(), now);
    let mut old = json!({kind: was});
    for field in ["timeoutSeconds"] {
        if let Some(value) = probe.get(field) {
            old[field] = value.clone();
        }
    }
    Some(old)
}
