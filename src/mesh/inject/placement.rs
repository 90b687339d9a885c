//! Putting what the template gives into the pod: order of containers, labels, annotations, volumes.

use super::probes;
use super::settings::Settings;
use super::template::Facts;
use crate::k8s::Object;
use crate::mesh::install::lay_over;
use serde_json::{Map, Value, json};

const PROXY: &str = "istio-proxy";

/// Adds the filled template to the pod.
pub fn add(pod: &mut Object, mut added: Value, facts: &Facts, settings: &Settings) {
    if !added["spec"].is_object() {
        added = json!({"metadata": added["metadata"], "spec": {}}); // a template that somebody broke adds nothing
    }
    leave_out_volumes(&mut added, &settings.release.absent_volumes);
    let probers = match settings.values["sidecarInjectorWebhook"]["rewriteAppHTTPProbe"] == true {
        true => probes::rewrite(pod),
        false => Map::new(),
    };
    let spec = &mut added["spec"];
    let mut inits: Vec<Value> = if facts.captures { take_list(&mut spec["initContainers"]) } else { Vec::new() };
    let (mut proxies, mut rest): (Vec<Value>, Vec<Value>) =
        take_list(&mut spec["containers"]).into_iter().partition(|c| c["name"] == PROXY);
    for proxy in &mut proxies {
        finish_proxy(proxy, pod, &probers, facts);
    }
    let volumes = take_list(&mut spec["volumes"]);
    let status = status(&inits, &proxies, &rest, &volumes, facts);
    metadata(pod, &added["metadata"], settings, &status);
    match facts.native {
        true => {
            inits.append(&mut proxies);
            splice(pod, "initContainers", |own| inits.into_iter().chain(own).collect());
        }
        false => {
            splice(pod, "initContainers", |own| own.into_iter().chain(inits).collect());
            match facts.hold {
                true => splice(pod, "containers", |own| proxies.into_iter().chain(own).collect()),
                false => rest.append(&mut proxies),
            }
        }
    }
    splice(pod, "containers", |own| own.into_iter().chain(rest).collect());
    splice(pod, "volumes", |own| own.into_iter().chain(volumes).collect());
}

fn take_list(value: &mut Value) -> Vec<Value> {
    match value.take() {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}

/// Rebuilds a list of the pod's spec; leaves it out when it stays empty.
fn splice(pod: &mut Object, list: &str, build: impl FnOnce(Vec<Value>) -> Vec<Value>) {
    let own = pod.remove(&["spec", list]).and_then(|v| v.as_array().cloned()).unwrap_or_default();
    let built = build(own);
    if !built.is_empty() {
        pod.set(&["spec", list], Value::Array(built));
    }
}

fn leave_out_volumes(added: &mut Value, absent: &[String]) {
    let named = |v: &Value| absent.iter().any(|a| v["name"] == a.as_str());
    if let Some(volumes) = added["spec"].get_mut("volumes").and_then(Value::as_array_mut) {
        volumes.retain(|v| !named(v));
    }
    for container in added["spec"].get_mut("containers").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(mounts) = container.get_mut("volumeMounts").and_then(Value::as_array_mut) {
            mounts.retain(|v| !named(v));
        }
    }
}

/// The proxy's container as it goes into this pod: a container of that name in the pod is merged over it (image `auto` gives way).
fn finish_proxy(proxy: &mut Value, pod: &mut Object, probers: &Map<String, Value>, facts: &Facts) {
    let mut extra = Vec::new();
    if !probers.is_empty() {
        extra.push(json!({"name": "ISTIO_KUBE_APP_PROBERS", "value": Value::Object(probers.clone()).to_string()}));
    }
    if let Some(scrape) = prometheus(pod) {
        extra.push(json!({"name": "ISTIO_PROMETHEUS_ANNOTATIONS", "value": scrape}));
    }
    if let Some(env) = proxy.get_mut("env").and_then(Value::as_array_mut) {
        env.extend(extra);
    }
    let containers = pod.remove(&["spec", "containers"]).and_then(|v| v.as_array().cloned()).unwrap_or_default();
    let (own, others): (Vec<Value>, Vec<Value>) = containers.into_iter().partition(|c| c["name"] == PROXY);
    pod.set(&["spec", "containers"], Value::Array(others));
    if let Some(own) = own.into_iter().next() {
        merge_container(proxy, own);
    }
    if facts.native {
        proxy["restartPolicy"] = json!("Always");
    }
    if facts.hold {
        proxy["lifecycle"] = json!({"postStart": {"exec": {"command": ["pilot-agent", "wait"]}}});
    }
}

fn merge_container(proxy: &mut Value, mut own: Value) {
    if own["image"] == "auto"
        && let Some(members) = own.as_object_mut()
    {
        members.remove("image");
    }
    for list in ["env", "volumeMounts", "ports"] {
        let mine = take_list(&mut own[list]);
        let same = |a: &Value| mine.iter().any(|b| a["name"] == b["name"]);
        let mut merged: Vec<Value> = take_list(&mut proxy[list]).into_iter().filter(|item| !same(item)).collect();
        merged.extend(mine.clone());
        own[list] = Value::Array(merged);
    }
    lay_over(proxy, &own);
}

/// The application's own scraping annotations, which the proxy takes over.
fn prometheus(pod: &Object) -> Option<String> {
    let get = |key: &str| pod.annotation(&format!("prometheus.io/{key}")).unwrap_or("");
    let (scrape, path, port) = (get("scrape"), get("path"), get("port"));
    if [scrape, path, port] == ["", "", ""] {
        return None;
    }
    Some(json!({"scrape": scrape, "path": path, "port": port}).to_string())
}

fn metadata(pod: &mut Object, added: &Value, settings: &Settings, status: &str) {
    for (key, value) in added["labels"].as_object().into_iter().flatten() {
        if pod.label(key).is_none() {
            pod.set(&["metadata", "labels", key], value.clone());
        }
    }
    let scraped = pod.annotation("prometheus.io/scrape") != Some("false");
    for (key, value) in added["annotations"].as_object().into_iter().flatten() {
        let merged = key.starts_with("prometheus.io/");
        let set = if merged { scraped } else { pod.annotation(key).is_none() };
        if set {
            pod.set(&["metadata", "annotations", key], value.clone());
        }
    }
    for (key, value) in settings.annotations.as_object().into_iter().flatten() {
        pod.set(&["metadata", "annotations", key], value.clone());
    }
    pod.set(&["metadata", "annotations", "sidecar.istio.io/status"], json!(status));
}

/// The annotation that says what was added, in istiod's field order.
fn status(inits: &[Value], proxies: &[Value], rest: &[Value], volumes: &[Value], facts: &Facts) -> String {
    let names = |lists: &[&[Value]]| -> Value {
        let names: Vec<Value> = lists.iter().flat_map(|l| l.iter()).map(|c| c["name"].clone()).collect();
        if names.is_empty() { Value::Null } else { Value::Array(names) }
    };
    let (inits, containers) = match facts.native {
        true => (names(&[inits, proxies]), names(&[rest])),
        false => (names(&[inits]), names(&[rest, proxies])),
    };
    let volumes = names(&[volumes]);
    format!(
        "{{\"initContainers\":{inits},\"containers\":{containers},\"volumes\":{volumes},\"imagePullSecrets\":null,\"revision\":\"default\"}}"
    )
}
