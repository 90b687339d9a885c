//! Which services the analyzers think there are (S: analyzers/util hosts.go, service_lookup.go).

use super::{Context, items, text, texts};
use serde_json::Value;
use std::collections::BTreeMap;

const ZONE: &str = "svc.cluster.local";

/// A service as the analyzers see it.
#[derive(Debug, Clone)]
pub struct Known {
    pub ports: Vec<u64>,
    /// `workloadSelector.labels` of a ServiceEntry.
    pub selector: Value,
}

/// Services by scope (`*` or a namespace) and host.
pub type Services = BTreeMap<(String, String), Known>;

/// A short name made full with the namespace; names with a dot and wildcards stay as they are.
pub fn full_host(namespace: &str, host: &str) -> String {
    match host.starts_with('*') || host.contains('.') {
        true => host.to_string(),
        false => format!("{host}.{namespace}.{ZONE}"),
    }
}

/// Namespace and name that a host stands for: of a full cluster name, else the text in the given namespace.
pub fn name_of(namespace: &str, host: &str) -> (String, String) {
    let parts = host.strip_suffix(".svc.cluster.local").and_then(|rest| rest.rsplit_once('.'));
    match parts.filter(|(name, ns)| !name.is_empty() && !ns.is_empty()) {
        Some((name, ns)) => (ns.to_string(), name.to_string()),
        None => (namespace.to_string(), host.to_string()),
    }
}

/// Whether `exportTo` means everyone.
pub fn to_all(export: &Value) -> bool {
    let list = texts(export);
    list.is_empty() || list.contains(&"*")
}

/// The scopes of an `exportTo`.
pub fn scopes(export: &Value, namespace: &str) -> Vec<String> {
    if to_all(export) {
        return vec!["*".into()];
    }
    let mut scopes: Vec<String> =
        texts(export).into_iter().map(|e| if e == "." { namespace.to_string() } else { e.to_string() }).collect();
    scopes.sort();
    scopes.dedup();
    scopes
}

/// All services of the mesh.
pub fn services(context: &Context<'_>) -> Services {
    let mut found = Services::new();
    for entry in context.networking("ServiceEntry") {
        let spec = entry.spec();
        let ports = items(&spec["ports"]).iter().filter_map(|p| p["number"].as_u64()).collect();
        let known = Known { ports, selector: spec["workloadSelector"]["labels"].clone() };
        for host in texts(&spec["hosts"]) {
            for scope in scopes(&spec["exportTo"], entry.namespace()) {
                found.insert((scope, full_host(entry.namespace(), host)), known.clone());
            }
        }
    }
    for service in context.core("Service") {
        let ports = items(service.at(&["spec", "ports"])).iter().filter_map(|p| p["port"].as_u64()).collect();
        let known = Known { ports, selector: Value::Null };
        let annotation = service.annotation("networking.istio.io/exportTo").unwrap_or("");
        let annotation = if annotation.is_empty() { "*" } else { annotation };
        for scope in annotation.split(',').map(str::trim) {
            let scope = if scope == "." { service.namespace() } else { scope };
            found.insert((scope.to_string(), full_host(service.namespace(), service.name())), known.clone());
        }
    }
    found
}

/// The service a rule of a namespace means by a host: exported to all, then to the namespace (or to those the rule is exported
/// to), then by wildcard.
pub fn find<'s>(services: &'s Services, namespace: &str, export: &Value, host: &str) -> Option<&'s Known> {
    let full = full_host(namespace, host);
    let at = |scope: &str| services.get(&(scope.to_string(), full.clone()));
    if let Some(known) = at("*") {
        return Some(known);
    }
    let exact = match items(export) {
        [] => at(namespace),
        list => list.iter().map(text).map(|e| if e == "." { namespace } else { e }).find_map(at),
    };
    exact.or_else(|| {
        let visible = services.iter().filter(|((scope, _), _)| scope == "*" || scope == namespace);
        let bare = host.strip_prefix('*').unwrap_or(host);
        visible
            .filter_map(|((_, known), service)| Some((known.strip_prefix('*')?, service)))
            .find(|(suffix, _)| bare.ends_with(suffix))
            .map(|(_, service)| service)
    })
}
