//! Workloads that a ServiceEntry or a Service selects: pods and WorkloadEntries of its own namespace (Istio:
//! serviceentry/conversion.go, kube/controller/pod.go and controller.go).

use super::registry::is_ready;
use crate::k8s::{Object, Snapshot};
use crate::mesh::Cause;
use crate::mesh::proxy::{Endpoint, EndpointHost};
use serde_json::Value;
use std::collections::BTreeMap;

const TLS_MODE: &str = "security.istio.io/tlsMode";

/// A selected pod or WorkloadEntry, or an endpoint that a ServiceEntry writes itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    pub host: EndpointHost,
    /// Port numbers by port name.
    pub ports: BTreeMap<String, u16>,
    pub labels: BTreeMap<String, String>,
    pub mtls: bool,
    pub weight: u32,
    /// `true` for a WorkloadEntry.
    pub entry: bool,
    pub not_modelled: Option<Cause>,
}

fn text_map(value: &Value) -> BTreeMap<String, String> {
    crate::k8s::object::strings(value).into_iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
}

/// An address with what is written beside it: `spec.endpoints[i]` of a ServiceEntry, `spec` of a WorkloadEntry. `None` without an
/// address. `labels` are those of the object itself; they win over the written ones.
pub fn written(value: &Value, labels: BTreeMap<String, String>, object: &str, field: &str) -> Option<Workload> {
    let address = value.get("address").and_then(Value::as_str).filter(|a| !a.is_empty());
    let unknown = |name: &str, text: &str| Some(Cause::new(object, format!("{field}.{name}"), text));
    let network = value.get("network").and_then(Value::as_str).is_some_and(|n| !n.is_empty());
    let not_modelled = match address {
        _ if network => unknown("network", "Endpoints in another network are not modelled."),
        Some(a) if a.starts_with("unix://") => unknown("address", "Unix domain sockets are not modelled."),
        _ => None,
    };
    let address = address.or(network.then_some("0.0.0.0"))?;
    let mut all = text_map(value.get("labels").unwrap_or(&Value::Null));
    all.extend(labels);
    let account = value.get("serviceAccount").and_then(Value::as_str).is_some_and(|s| !s.is_empty());
    let ports = value.get("ports").and_then(Value::as_object).into_iter().flatten();
    Some(Workload {
        host: address.parse().map_or_else(|_| EndpointHost::Name(address.to_string()), EndpointHost::Address),
        ports: ports.filter_map(|(k, v)| Some((k.clone(), v.as_u64()? as u16))).filter(|(_, n)| *n > 0).collect(),
        mtls: all.get(TLS_MODE).map_or(account, |mode| mode == "istio"),
        weight: value.get("weight").and_then(Value::as_u64).map_or(1, |n| n.clamp(1, u64::from(u32::MAX)) as u32),
        labels: all,
        entry: true,
        not_modelled,
    })
}

/// The workloads of a namespace whose labels hold all of `selector`: ready pods, then WorkloadEntries, each by name.
pub fn selected(snapshot: &Snapshot, namespace: &str, selector: &BTreeMap<&str, &str>) -> Vec<Workload> {
    let pods = snapshot.list_in("", "Pod", namespace);
    let pods = pods.filter(|p| selector.iter().all(|(k, v)| p.label(k) == Some(v)) && is_ready(p));
    let mut all: Vec<Workload> = pods.filter_map(|p| pod(p)).collect();
    all.extend(entries(snapshot, namespace, selector));
    all
}

/// The WorkloadEntries among [`selected`].
pub fn entries(snapshot: &Snapshot, namespace: &str, selector: &BTreeMap<&str, &str>) -> Vec<Workload> {
    let all = snapshot.list_in("networking.istio.io", "WorkloadEntry", namespace).filter(|o| is_healthy(o));
    let fits = |w: &Workload| selector.iter().all(|(k, v)| w.labels.get(*k).is_some_and(|have| have == v));
    all.filter_map(|o| written(o.spec(), text_map(o.at(&["metadata", "labels"])), &o.key().to_string(), "spec"))
        .filter(fits)
        .collect()
}

/// A WorkloadEntry that is health-checked counts only once the check succeeded.
fn is_healthy(object: &Object) -> bool {
    let checked =
        matches!(object.annotation("proxy.istio.io/health-checks-enabled"), Some("true" | "1" | "t" | "T" | "TRUE" | "True"));
    let conditions = object.at(&["status", "conditions"]).as_array();
    let text = |c: &Value, key: &str, wanted: &str| c.get(key).and_then(Value::as_str) == Some(wanted);
    !checked || conditions.is_some_and(|all| all.iter().any(|c| text(c, "type", "Healthy") && text(c, "status", "True")))
}

fn pod(object: &Object) -> Option<Workload> {
    let labels = text_map(object.at(&["metadata", "labels"]));
    Some(Workload {
        host: EndpointHost::Address(object.str_at(&["status", "podIP"]).parse().ok()?),
        ports: BTreeMap::new(),
        mtls: labels.get(TLS_MODE).is_some_and(|mode| mode == "istio"),
        labels,
        weight: 1,
        entry: false,
        not_modelled: None,
    })
}

impl Workload {
    /// The endpoint for a port of that name; `otherwise` is what the service says (targetPort, else the port itself).
    pub fn endpoint(&self, port_name: &str, otherwise: u16) -> Endpoint {
        let port = self.ports.get(port_name).copied().unwrap_or(otherwise);
        Endpoint { host: self.host.clone(), port, mtls: self.mtls, labels: self.labels.clone(), weight: self.weight }
    }

    /// Whether the address must be resolved first.
    pub fn is_named(&self) -> bool {
        matches!(self.host, EndpointHost::Name(_))
    }
}

/// The ready addresses of an Endpoints object that somebody keeps by hand, for a Service without selector.
pub fn manual(service: &Object, snapshot: &Snapshot, port_name: &str) -> Vec<Endpoint> {
    let Some(object) = snapshot.find("", "Endpoints", service.namespace(), service.name()) else { return Vec::new() };
    let mut found = Vec::new();
    let list = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    for subset in object.0.get("subsets").and_then(Value::as_array).into_iter().flatten() {
        let ports = list(subset, "ports");
        let named = ports.iter().find(|p| p.get("name").and_then(Value::as_str).unwrap_or("") == port_name);
        let Some(port) = named.and_then(|p| p.get("port")?.as_u64()) else { continue };
        for address in list(subset, "addresses") {
            if let Some(ip) = address.get("ip").and_then(Value::as_str).and_then(|ip| ip.parse().ok()) {
                let host = EndpointHost::Address(ip);
                found.push(Endpoint { host, port: port as u16, mtls: false, labels: BTreeMap::new(), weight: 1 });
            }
        }
    }
    found
}
