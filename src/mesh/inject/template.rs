//! The values that the injection template asks for.

use super::settings::Settings;
use crate::k8s::Object;
use serde_json::{Map, Value, json};

/// What is known about one pod when the template is filled.
pub struct Facts {
    values: Map<String, Value>,
    /// Whether istio-proxy becomes a restartable init container.
    pub native: bool,
    /// Whether istio-proxy comes first and the application waits for it (classic mode).
    pub hold: bool,
    /// `NONE`: nothing is captured, no istio-init.
    pub captures: bool,
}

impl Facts {
    /// A placeholder's value.
    pub fn get(&self, name: &str) -> Option<Value> {
        self.values.get(name).cloned()
    }

    /// Gathers them.
    pub fn of(pod: &Object, namespace: &str, settings: &Settings) -> Facts {
        let config = settings.proxy_config(pod.annotation("proxy.istio.io/config"));
        let native = match pod.annotation("sidecar.istio.io/nativeSidecar") {
            Some("true") => true,
            Some("false") => false,
            _ => settings.native,
        };
        let mode =
            pod.annotation("sidecar.istio.io/interceptionMode").or(config["interceptionMode"].as_str()).unwrap_or("REDIRECT");
        let hold = match &config["holdApplicationUntilProxyStarts"] {
            Value::Bool(hold) => *hold,
            _ => settings.proxy("holdApplicationUntilProxyStarts") == true,
        };
        let mut values = Map::new();
        let mut put = |name: &str, value: Value| drop(values.insert(name.to_string(), value));
        let owner = Owner::of(pod, namespace);
        put("revision", json!("default"));
        put("canonical_name", json!(canonical_name(pod, &owner)));
        put("canonical_revision", json!(first_label(pod, &["app.kubernetes.io/version", "version"]).unwrap_or("latest")));
        put("workload_name", json!(owner.workload));
        put("owner", json!(owner.reference));
        put("image", json!(image(pod, settings)));
        put("interception_mode", json!(mode));
        put("proxy_config", json!(format!("{config}\n")));
        put("resources", resources(pod, settings));
        put("privileged", json!(settings.proxy("privileged") == true));
        for (name, annotation, value) in [
            ("log_level", "sidecar.istio.io/logLevel", "logLevel"),
            ("component_log_level", "sidecar.istio.io/componentLogLevel", "componentLogLevel"),
        ] {
            put(name, json!(pod.annotation(annotation).or(settings.proxy(value).as_str()).unwrap_or("")));
        }
        for (name, value) in application(pod).into_iter().chain(capture(pod, settings)) {
            put(name, value);
        }
        Facts { values, native, hold: hold && !native, captures: mode != "NONE" }
    }
}

/// Who made the pod, as istiod names it.
struct Owner {
    workload: String,
    reference: String,
}

impl Owner {
    fn of(pod: &Object, namespace: &str) -> Owner {
        let owners = pod.at(&["metadata", "ownerReferences"]).as_array().into_iter().flatten();
        let text = |v: &Value, key: &str| v[key].as_str().unwrap_or("").to_string();
        let Some(owner) = owners.into_iter().find(|o| o["controller"] == true) else {
            let generated = pod.str_at(&["metadata", "generateName"]).trim_end_matches('-');
            let workload = if pod.name().is_empty() { generated } else { pod.name() }.to_string();
            return Owner { reference: format!("kubernetes://apis/v1/namespaces/{namespace}/pods/{workload}"), workload };
        };
        let (name, kind, api) = (text(owner, "name"), text(owner, "kind"), text(owner, "apiVersion"));
        let hash = pod.label("pod-template-hash").unwrap_or("");
        let (workload, plural) = match name.strip_suffix(&format!("-{hash}")) {
            Some(deployment) if kind == "ReplicaSet" && !hash.is_empty() => (deployment.to_string(), "deployments".to_string()),
            _ => (name, format!("{}s", kind.to_lowercase())),
        };
        Owner { reference: format!("kubernetes://apis/{api}/namespaces/{namespace}/{plural}/{workload}"), workload }
    }
}

fn first_label<'a>(pod: &'a Object, keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| pod.label(key)).filter(|v| !v.is_empty())
}

fn canonical_name(pod: &Object, owner: &Owner) -> String {
    first_label(pod, &["app.kubernetes.io/name", "app"]).unwrap_or(&owner.workload).to_string()
}

fn image(pod: &Object, settings: &Settings) -> String {
    let global = &settings.values["global"];
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_string);
    let name = settings.proxy("image").as_str().unwrap_or("proxyv2");
    match pod.annotation("sidecar.istio.io/proxyImage") {
        Some(image) => image.to_string(),
        None if name.contains('/') => name.to_string(),
        None => format!("{}/{name}:{}", text(&global["hub"]), text(&global["tag"])),
    }
}

/// The proxy's resources: those of the installation, unless an annotation of the pod names its own (then only those).
fn resources(pod: &Object, settings: &Settings) -> Value {
    let own = [
        ("requests", "cpu", "proxyCPU"),
        ("requests", "memory", "proxyMemory"),
        ("limits", "cpu", "proxyCPULimit"),
        ("limits", "memory", "proxyMemoryLimit"),
    ];
    let mut resources = json!({});
    for (group, resource, annotation) in own {
        if let Some(value) = pod.annotation(&format!("sidecar.istio.io/{annotation}")) {
            resources[group][resource] = json!(value);
        }
    }
    if resources.as_object().is_some_and(Map::is_empty) { settings.proxy("resources").clone() } else { resources }
}

/// What the template says about the application's containers.
fn application(pod: &Object) -> Vec<(&'static str, Value)> {
    let containers: Vec<&Value> = pod.at(&["spec", "containers"]).as_array().into_iter().flatten().collect();
    let apps: Vec<&&Value> = containers.iter().filter(|c| c["name"] != "istio-proxy").collect();
    let names: Vec<&str> = apps.iter().filter_map(|c| c["name"].as_str()).collect();
    let ports: Vec<Value> = apps.iter().flat_map(|c| c["ports"].as_array().into_iter().flatten().cloned()).collect();
    vec![
        ("first_container", names.first().map_or(Value::Null, |n| json!(n))),
        ("app_containers", json!(names.join(","))),
        ("pod_ports", json!(Value::Array(ports).to_string())),
    ]
}

/// The arguments of istio-iptables: annotations of the pod, else the installation's values.
fn capture(pod: &Object, settings: &Settings) -> Vec<(&'static str, Value)> {
    let get = |annotation: &str, value: &str| {
        let own = pod.annotation(&format!("traffic.sidecar.istio.io/{annotation}"));
        own.or(settings.proxy(value).as_str()).unwrap_or("").to_string()
    };
    let exclude_inbound = get("excludeInboundPorts", "excludeInboundPorts");
    let exclude_inbound = if exclude_inbound.is_empty() { String::new() } else { format!(",{exclude_inbound}") };
    let mut facts = vec![
        ("include_ranges", json!(get("includeOutboundIPRanges", "includeIPRanges"))),
        ("exclude_ranges", json!(get("excludeOutboundIPRanges", "excludeIPRanges"))),
        ("include_inbound", json!(get("includeInboundPorts", "includeInboundPorts"))),
        ("exclude_inbound", json!(exclude_inbound)),
    ];
    let optional = [
        ("exclude_outbound_flag", "exclude_outbound", "-o", get("excludeOutboundPorts", "excludeOutboundPorts")),
        ("include_outbound_flag", "include_outbound", "-q", get("includeOutboundPorts", "includeOutboundPorts")),
    ];
    for (flag, name, text, ports) in optional {
        let (flag_value, value) = if ports.is_empty() { (Value::Null, Value::Null) } else { (json!(text), json!(ports)) };
        facts.extend([(flag, flag_value), (name, value)]);
    }
    facts
}
