//! Defaults of pods and pod templates, and what admission adds to pods.

use super::{fill, set_missing};
use crate::k8s::Object;
use crate::k8s::quantity::Quantity;
use crate::sandbox::api::plugins::priority::class_of;
use crate::sandbox::world::World;
use serde_json::{Map, Value, json};

const TOKEN_MOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// A pod: its spec's defaults; on create also service account, token volume, tolerations, priority, phase.
pub fn pod(world: &World, object: &mut Object, old: Option<&Object>) {
    set_missing(object, &["spec", "enableServiceLinks"], json!(true));
    if let Some(spec) = object.0.get_mut("spec").and_then(Value::as_object_mut) {
        spec_defaults(spec);
    }
    if old.is_none() {
        set_missing(object, &["spec", "serviceAccountName"], json!("default"));
        token(world, object);
        tolerations(object);
        priority(world, object);
        set_missing(object, &["status", "phase"], json!("Pending"));
    }
    let account = object.at(&["spec", "serviceAccountName"]).clone();
    set_missing(object, &["spec", "serviceAccount"], account);
    let class = qos(object);
    set_missing(object, &["status", "qosClass"], json!(class));
}

/// A pod with its spec's defaults only.
pub fn decoded(object: &Object) -> Object {
    let mut decoded = object.clone();
    set_missing(&mut decoded, &["spec", "enableServiceLinks"], json!(true));
    if let Some(spec) = decoded.0.get_mut("spec").and_then(Value::as_object_mut) {
        spec_defaults(spec);
    }
    decoded
}

/// A template at a path.
pub fn template(object: &mut Object, path: &[&str]) {
    let pointer = format!("/{}/spec", path.join("/"));
    if let Some(spec) = object.0.pointer_mut(&pointer).and_then(Value::as_object_mut) {
        spec_defaults(spec);
        if let Some(account) = spec.get("serviceAccountName").cloned() {
            fill(spec, "serviceAccount", account);
        }
    }
}

fn spec_defaults(spec: &mut Map<String, Value>) {
    fill(spec, "restartPolicy", json!("Always"));
    fill(spec, "dnsPolicy", json!("ClusterFirst"));
    fill(spec, "schedulerName", json!("default-scheduler"));
    fill(spec, "securityContext", json!({}));
    fill(spec, "terminationGracePeriodSeconds", json!(30));
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            container.as_object_mut().map(container_defaults).unwrap_or_default();
        }
    }
    for volume in spec.get_mut("volumes").and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut) {
        volume_defaults(volume);
    }
}

fn container_defaults(container: &mut Map<String, Value>) {
    let image = container.get("image").and_then(Value::as_str).unwrap_or("").to_string();
    fill(container, "imagePullPolicy", json!(pull_policy(&image)));
    fill(container, "resources", json!({}));
    fill(container, "terminationMessagePath", json!("/dev/termination-log"));
    fill(container, "terminationMessagePolicy", json!("File"));
    for port in container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut) {
        fill(port, "protocol", json!("TCP"));
    }
    for (probe, success) in [("livenessProbe", true), ("readinessProbe", true), ("startupProbe", true)] {
        if let Some(Value::Object(probe)) = container.get_mut(probe) {
            probe_defaults(probe, success);
        }
    }
    for variable in container.get_mut("env").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(Value::Object(reference)) = variable.pointer_mut("/valueFrom/fieldRef") {
            fill(reference, "apiVersion", json!("v1"));
        }
    }
    resources(container);
}

fn pull_policy(image: &str) -> &'static str {
    let last = image.rsplit('/').next().unwrap_or("");
    let tag = last.split_once(':').map(|(_, tag)| tag);
    match (image.contains('@'), tag) {
        (true, _) => "IfNotPresent",
        (_, None | Some("latest")) => "Always",
        _ => "IfNotPresent",
    }
}

fn probe_defaults(probe: &mut Map<String, Value>, success: bool) {
    for (key, value) in [("timeoutSeconds", 1), ("periodSeconds", 10), ("failureThreshold", 3)] {
        fill(probe, key, json!(value));
    }
    if success {
        fill(probe, "successThreshold", json!(1));
    }
    if let Some(Value::Object(get)) = probe.get_mut("httpGet") {
        fill(get, "scheme", json!("HTTP"));
        fill(get, "path", json!("/"));
    }
}

/// Quantities in their canonical form; requests follow limits.
fn resources(container: &mut Map<String, Value>) {
    let Some(Value::Object(resources)) = container.get_mut("resources") else { return };
    for list in ["limits", "requests"] {
        for value in resources.get_mut(list).and_then(Value::as_object_mut).into_iter().flat_map(|map| map.values_mut()) {
            let text = value.as_str().map_or_else(|| value.to_string(), String::from);
            if let Some(quantity) = Quantity::parse(&text) {
                *value = json!(quantity.canonical());
            }
        }
    }
    let limits = resources.get("limits").and_then(Value::as_object).cloned().unwrap_or_default();
    if !limits.is_empty() {
        let requests = resources.entry("requests").or_insert_with(|| json!({}));
        for (key, value) in limits {
            requests.as_object_mut().map(|map| fill(map, &key, value)).unwrap_or_default();
        }
    }
}

fn volume_defaults(volume: &mut Map<String, Value>) {
    for kind in ["configMap", "secret", "projected", "downwardAPI"] {
        if let Some(Value::Object(source)) = volume.get_mut(kind) {
            fill(source, "defaultMode", json!(420));
        }
    }
    for source in volume.get_mut("projected").and_then(|p| p["sources"].as_array_mut()).into_iter().flatten() {
        if let Some(Value::Object(token)) = source.get_mut("serviceAccountToken") {
            fill(token, "expirationSeconds", json!(3600));
        }
    }
    for path in ["/projected/sources", ""] {
        let lists: Vec<&mut Value> = match path {
            "" => volume.get_mut("downwardAPI").into_iter().collect(),
            _ => volume.get_mut("projected").and_then(|p| p["sources"].as_array_mut()).into_iter().flatten().collect(),
        };
        for source in lists {
            let source = if path.is_empty() { Some(source) } else { source.get_mut("downwardAPI") };
            for item in source.and_then(|s| s.get_mut("items")).and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(Value::Object(reference)) = item.get_mut("fieldRef") {
                    fill(reference, "apiVersion", json!("v1"));
                }
            }
        }
    }
}

/// The projected token volume that the ServiceAccount admission adds.
fn token(world: &World, object: &mut Object) {
    let account = object.str_at(&["spec", "serviceAccountName"]).to_string();
    let sa = world.store.snapshot().find("", "ServiceAccount", object.namespace(), &account);
    let refused = |value: &Value| value.as_bool() == Some(false);
    let own = object.at(&["spec", "automountServiceAccountToken"]);
    if refused(own) || own.is_null() && sa.is_some_and(|sa| refused(sa.at(&["automountServiceAccountToken"]))) {
        return;
    }
    let suffix = world.seed.suffix(&["token", object.uid()], 5);
    let volume = format!("kube-api-access-{suffix}");
    let has = object.at(&["spec", "volumes"]).as_array().into_iter().flatten();
    let existing = has.filter_map(|v| v["name"].as_str()).find(|name| name.starts_with("kube-api-access-")).map(String::from);
    let name = existing.clone().unwrap_or(volume);
    let mut mounted = false;
    for list in ["containers", "initContainers"] {
        let containers = object.0.pointer_mut(&format!("/spec/{list}")).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
            mounted |= mount(container, &name);
        }
    }
    if !mounted || existing.is_some() {
        return;
    }
    let mut volumes = object.at(&["spec", "volumes"]).as_array().cloned().unwrap_or_default();
    volumes.push(token_volume(&name));
    object.set(&["spec", "volumes"], json!(volumes));
}

fn mount(container: &mut Map<String, Value>, volume: &str) -> bool {
    let mounts = container.entry("volumeMounts").or_insert_with(|| json!([]));
    let Value::Array(mounts) = mounts else { return false };
    if mounts.iter().any(|m| m["mountPath"] == TOKEN_MOUNT) {
        return false;
    }
    mounts.push(json!({"mountPath": TOKEN_MOUNT, "name": volume, "readOnly": true}));
    true
}

fn token_volume(name: &str) -> Value {
    json!({"name": name, "projected": {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"items": [{"key": "ca.crt", "path": "ca.crt"}], "name": "kube-root-ca.crt"}},
        {"downwardAPI": {"items": [{"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}, "path": "namespace"}]}},
    ]}})
}

fn tolerations(object: &mut Object) {
    let mut list = object.at(&["spec", "tolerations"]).as_array().cloned().unwrap_or_default();
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        if !list.iter().any(|t| t["key"] == key || t["key"].is_null() && t["operator"] == "Exists") {
            list.push(json!({"effect": "NoExecute", "key": key, "operator": "Exists", "tolerationSeconds": 300}));
        }
    }
    object.set(&["spec", "tolerations"], json!(list));
}

/// The number of the pod's class, or of the global default one, which it then names.
fn priority(world: &World, object: &mut Object) {
    let name = object.str_at(&["spec", "priorityClassName"]).to_string();
    let class = class_of(world.store.snapshot(), &name).cloned();
    let field = |key: &str| class.as_ref().map(|class| class.at(&[key]).clone()).filter(|value| !value.is_null());
    if let Some(class) = class.as_ref().filter(|_| name.is_empty()) {
        object.set(&["spec", "priorityClassName"], json!(class.name()));
    }
    set_missing(object, &["spec", "priority"], field("value").unwrap_or(json!(0)));
    set_missing(object, &["spec", "preemptionPolicy"], field("preemptionPolicy").unwrap_or(json!("PreemptLowerPriority")));
}

fn qos(object: &Object) -> &'static str {
    let containers = || {
        ["containers", "initContainers"].into_iter().flat_map(|list| object.at(&["spec", list]).as_array().into_iter().flatten())
    };
    let set = |c: &Value, list: &str| c["resources"][list].as_object().is_some_and(|map| !map.is_empty());
    let guaranteed = |c: &Value| {
        ["cpu", "memory"]
            .iter()
            .all(|r| !c["resources"]["limits"][r].is_null() && c["resources"]["limits"][r] == c["resources"]["requests"][r])
    };
    if !containers().any(|c| set(c, "limits") || set(c, "requests")) {
        "BestEffort"
    } else if containers().all(guaranteed) {
        "Guaranteed"
    } else {
        "Burstable"
    }
}
