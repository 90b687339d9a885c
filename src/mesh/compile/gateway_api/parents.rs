//! What a route attaches to, and what it may refer to.

use super::{GROUP, Listener};
use crate::k8s::{Object, Snapshot, object};
use crate::mesh::compile::rules::{covers, overlaps, strings, text};
use serde_json::Value;

/// One parent of a route that takes it.
pub struct Parent<'l> {
    pub kind: Taker<'l>,
    /// `parentRefs[].port` of a mesh parent.
    pub port: Option<u16>,
}

pub enum Taker<'l> {
    Listener(&'l Listener),
    /// The hosts of a Service or ServiceEntry: the route is for sidecars.
    Mesh(Vec<String>),
}

/// The parents that take a route.
pub fn of<'l>(snapshot: &Snapshot, listeners: &'l [Listener], route: &Object) -> Vec<Parent<'l>> {
    let all = route.at(&["spec", "parentRefs"]).as_array().into_iter().flatten();
    let mut found = Vec::new();
    for reference in all {
        let group = reference.get("group").and_then(Value::as_str).unwrap_or(GROUP);
        let kind = reference.get("kind").and_then(Value::as_str).unwrap_or("Gateway");
        let namespace = reference.get("namespace").and_then(Value::as_str).unwrap_or(route.namespace());
        let name = text(reference, "name");
        let port = reference.get("port").and_then(Value::as_u64).map(|n| n as u16);
        let mesh = |hosts: Vec<String>| Parent { kind: Taker::Mesh(hosts), port };
        match (group, kind) {
            (GROUP, "Gateway") => {
                let section = text(reference, "sectionName");
                let here = |l: &&Listener| {
                    l.gateway.namespace == namespace
                        && l.owner == name
                        && (section.is_empty() || l.section == section)
                        && port.is_none_or(|p| p == l.port)
                        && takes(l, route)
                };
                found.extend(listeners.iter().filter(here).map(|l| Parent { kind: Taker::Listener(l), port: None }));
            }
            ("" | "core", "Service") if snapshot.find("", "Service", namespace, &name).is_some() => {
                found.push(mesh(vec![format!("{name}.{namespace}.svc.cluster.local")]));
            }
            ("networking.istio.io", "ServiceEntry") => {
                if let Some(entry) = snapshot.find(group, kind, namespace, &name) {
                    let hosts = strings(entry.at(&["spec", "hosts"]));
                    found.push(mesh(hosts.into_iter().map(|h| h.to_ascii_lowercase()).collect()));
                }
            }
            _ => {}
        }
    }
    found
}

/// Whether a listener lets a route attach: its kind, its namespace, and a host in common.
fn takes(listener: &Listener, route: &Object) -> bool {
    let hosts = hostnames(route);
    let fits = |server_host: &String| {
        let (namespace, host) = server_host.split_once('/').unwrap_or(("*", server_host));
        (namespace == "*" || namespace == route.namespace()) && hosts.iter().any(|h| overlaps(host, h))
    };
    listener.kinds.iter().any(|k| k == route.kind()) && listener.gateway.servers.iter().flat_map(|s| &s.hosts).any(fits)
}

/// `spec.hostnames`; `*` without any.
pub fn hostnames(route: &Object) -> Vec<String> {
    let all: Vec<String> = strings(route.at(&["spec", "hostnames"])).into_iter().map(|h| h.to_ascii_lowercase()).collect();
    if all.is_empty() { vec!["*".into()] } else { all }
}

/// Whether a host of a route belongs to this listener rather than to a more exact one of the same port.
pub fn is_own(listener: &Listener, all: &[Listener], host: &str) -> bool {
    let own = &listener.hostname;
    if !own.is_empty() && !own.starts_with('*') {
        return true;
    }
    let rival = |other: &&Listener| {
        other.gateway.object == listener.gateway.object
            && other.port == listener.port
            && other.protocol == listener.protocol
            && other.hostname != *own
            && other.hostname.len() >= own.len()
            && !other.hostname.is_empty()
    };
    (own.is_empty() || overlaps(own, host)) && !all.iter().filter(rival).any(|o| covers(&o.hostname, host))
}

/// Whether a label selector takes an object.
pub fn selects(selector: &Value, of: &Object) -> bool {
    let wanted = object::strings(selector.get("matchLabels").unwrap_or(&Value::Null));
    let label = |key: &str| of.label(key).or((key == "kubernetes.io/metadata.name").then(|| of.name()));
    let expressions = selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten();
    let holds = |e: &Value| {
        let have = label(e.get("key").and_then(Value::as_str).unwrap_or(""));
        let values = strings(e.get("values").unwrap_or(&Value::Null));
        let among = have.is_some_and(|v| values.iter().any(|w| w == v));
        match e.get("operator").and_then(Value::as_str) {
            Some("In") => among,
            Some("NotIn") => !among,
            Some("Exists") => have.is_some(),
            Some("DoesNotExist") => have.is_none(),
            _ => false,
        }
    };
    wanted.iter().all(|(k, v)| label(k) == Some(v)) && expressions.into_iter().all(holds)
}

/// Whether a ReferenceGrant of the other namespace lets a route refer to an object there.
pub fn is_granted(snapshot: &Snapshot, route: &Object, to: (&str, &str, &str, &str)) -> bool {
    let (group, kind, namespace, name) = to;
    let grants = snapshot.list_in(GROUP, "ReferenceGrant", namespace);
    let list = |o: &Object, key: &str| o.at(&["spec", key]).as_array().cloned().unwrap_or_default();
    let from =
        |f: &Value| text(f, "group") == GROUP && text(f, "kind") == route.kind() && text(f, "namespace") == route.namespace();
    let target = |t: &Value| {
        let named = text(t, "name");
        text(t, "group") == group && text(t, "kind") == kind && (named.is_empty() || named == name)
    };
    grants.into_iter().any(|g| list(g, "from").iter().any(from) && list(g, "to").iter().any(target))
}
