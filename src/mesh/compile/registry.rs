//! The service registry: Kubernetes Services and ServiceEntries as one kind of value (Istio: serviceentry/conversion.go,
//! kube/controller, model/service.go).

use super::alias;
use super::rules::{export_of, strings};
use super::workloads::{self, Workload};
use crate::k8s::{Object, Snapshot};
use crate::mesh::Cause;
use crate::mesh::proxy::{Endpoint, EndpointHost};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Where a service comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    Kubernetes,
    Entry,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    Eds,
    Static,
    Dns,
    DnsRoundRobin,
    None,
    /// The proxy resolves each host that a wildcard covers (DYNAMIC_DNS).
    Dynamic,
    /// ExternalName: another name for a host, without listeners, routes and clusters of its own.
    Alias,
}

/// What a port speaks, as far as listeners tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Http,
    /// HTTP/2 and gRPC: HTTP whose upstream is HTTP/2.
    Http2,
    /// HTTPS and TLS: routed by SNI.
    Tls,
    Tcp,
    /// Unset: sniffed.
    Auto,
    Udp,
}

impl Protocol {
    pub fn is_http(self) -> bool {
        matches!(self, Protocol::Http | Protocol::Http2)
    }
}

/// A host with its ports, as one object declares it.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    pub object: String,
    pub from: From,
    pub host: String,
    pub namespace: String,
    pub ports: Vec<ServicePort>,
    /// Virtual addresses with prefix length; empty: none.
    pub vips: Vec<(IpAddr, u8)>,
    pub resolution: Resolution,
    /// MESH_EXTERNAL.
    pub external: bool,
    /// `None`: the mesh default.
    pub export: Option<Vec<String>>,
    pub created: String,
    /// The workload selector as text: services merge only when it agrees.
    pub selector: String,
    /// Hosts of ExternalName services that lead here; of an ExternalName service the host that it leads to.
    pub aliases: Vec<String>,
    pub not_modelled: Option<Cause>,
    /// Which host of its object it is.
    pub nth: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ServicePort {
    pub number: u16,
    pub name: String,
    pub protocol: Protocol,
    /// targetPort of a ServiceEntry, when it is set.
    pub target: Option<u16>,
    pub endpoints: Vec<Endpoint>,
    /// The object and field that declare the port.
    pub cause: Cause,
    /// A merged port whose object disagrees with the first one about resolution: routed, but without a cluster.
    pub orphan: bool,
}

impl Service {
    pub fn port(&self, number: u16) -> Option<&ServicePort> {
        self.ports.iter().find(|p| p.number == number)
    }
}

/// The services that one object declares: a Service or a ServiceEntry. Their endpoints depend on the pods and WorkloadEntries of
/// its namespace, those of a Service also on its EndpointSlices and its Endpoints.
pub fn of(object: &Object, snapshot: &Snapshot) -> Vec<Service> {
    match object.kind() {
        "Service" => vec![kubernetes_service(object, snapshot)],
        _ => entry_services(object, snapshot),
    }
}

/// Every service of the mesh, Kubernetes first, each kind by creation.
pub fn all(snapshot: &Snapshot) -> Vec<Service> {
    let mut kubernetes: Vec<Service> = snapshot.list("", "Service").map(|o| kubernetes_service(o, snapshot)).collect();
    kubernetes.sort_by(|a, b| (&a.created, &a.namespace, &a.host).cmp(&(&b.created, &b.namespace, &b.host)));
    let mut entries: Vec<Service> =
        snapshot.list("networking.istio.io", "ServiceEntry").flat_map(|o| entry_services(o, snapshot)).collect();
    entries.sort_by(|a, b| (&a.created, &a.object).cmp(&(&b.created, &b.object)));
    kubernetes.extend(entries);
    kubernetes
}

fn kubernetes_service(object: &Object, snapshot: &Snapshot) -> Service {
    let (namespace, name) = (object.namespace(), object.name());
    let vips = object.str_at(&["spec", "clusterIP"]).parse().map(|ip| vec![(ip, 32)]).unwrap_or_default();
    let selector = object.at(&["spec", "selector"]).to_string();
    let ports = object.at(&["spec", "ports"]).as_array().into_iter().flatten().enumerate();
    let export = object.annotation("networking.istio.io/exportTo");
    let target = alias::target(object);
    let headless = object.str_at(&["spec", "clusterIP"]) == "None";
    Service {
        object: object.key().to_string(),
        from: From::Kubernetes,
        host: format!("{name}.{namespace}.svc.cluster.local"),
        namespace: namespace.into(),
        ports: ports.map(|(i, port)| kubernetes_port(object, snapshot, port, i)).collect(),
        vips,
        resolution: match target {
            Some(_) => Resolution::Alias,
            None if headless => Resolution::None,
            None => Resolution::Eds,
        },
        external: target.is_some(),
        export: export.map(|text| text.split(',').map(|s| s.trim().to_string()).collect()),
        created: object.str_at(&["metadata", "creationTimestamp"]).into(),
        selector,
        aliases: target.into_iter().collect(),
        not_modelled: None,
        nth: 0,
    }
}

fn kubernetes_port(object: &Object, snapshot: &Snapshot, port: &Value, i: usize) -> ServicePort {
    let text = |key: &str| port.get(key).and_then(Value::as_str).unwrap_or("");
    let number = port.get("port").and_then(Value::as_u64).unwrap_or(0) as u16;
    let by_app = !text("appProtocol").is_empty();
    let protocol = match text("protocol") {
        "UDP" | "SCTP" => Protocol::Udp,
        _ if by_app => by_application(text("appProtocol")),
        _ => by_name(text("name"), number),
    };
    let field = format!("spec.ports[{i}].{}", if by_app { "appProtocol" } else { "name" });
    ServicePort {
        number,
        name: text("name").into(),
        protocol,
        target: None,
        endpoints: kubernetes_endpoints(object, snapshot, port),
        cause: Cause::new(object.key().to_string(), &field, "A Kubernetes Service is part of the registry."),
        orphan: false,
    }
}

fn by_application(app: &str) -> Protocol {
    match app.to_ascii_lowercase().as_str() {
        "kubernetes.io/h2c" => Protocol::Http2,
        "kubernetes.io/ws" => Protocol::Http,
        "kubernetes.io/wss" => Protocol::Tls,
        other => by_word(other).unwrap_or(Protocol::Auto),
    }
}

fn by_name(name: &str, number: u16) -> Protocol {
    let name = name.to_ascii_lowercase();
    if name.starts_with("grpc-web") {
        return Protocol::Http;
    }
    let word = name.split('-').next().unwrap_or("");
    by_word(word).unwrap_or(if matches!(number, 25 | 53 | 3306 | 27017) { Protocol::Tcp } else { Protocol::Auto })
}

/// What a protocol's name means; `None` for a name that is none.
pub fn by_word(word: &str) -> Option<Protocol> {
    Some(match word {
        "http" => Protocol::Http,
        "http2" | "grpc" => Protocol::Http2,
        "grpc-web" => Protocol::Http,
        "https" | "tls" => Protocol::Tls,
        "tcp" | "mongo" | "mysql" | "redis" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => return None,
    })
}

/// The ready endpoints of a Service port: from its EndpointSlices, or where there are none (a folder of manifests) from the pods it
/// selects.
fn kubernetes_endpoints(object: &Object, snapshot: &Snapshot, port: &Value) -> Vec<Endpoint> {
    let (namespace, name) = (object.namespace(), object.name());
    let slices: Vec<_> = snapshot
        .list_in("discovery.k8s.io", "EndpointSlice", namespace)
        .filter(|s| s.label("kubernetes.io/service-name") == Some(name))
        .collect();
    let port_name = port.get("name").and_then(Value::as_str).unwrap_or("");
    let mut found = selected_entries(object, snapshot, port);
    if slices.is_empty() {
        found.extend(match object.at(&["spec", "selector"]).as_object().is_some_and(|s| !s.is_empty()) {
            true => selected_endpoints(object, snapshot, port),
            false => workloads::manual(object, snapshot, port_name),
        });
        return found;
    }
    for slice in slices {
        let ports = slice.at(&["ports"]).as_array().into_iter().flatten();
        let number = ports
            .filter(|p| p.get("name").and_then(Value::as_str).unwrap_or("") == port_name)
            .find_map(|p| p.get("port")?.as_u64());
        let Some(number) = number else { continue };
        let ready = |e: &&Value| e.pointer("/conditions/ready").and_then(Value::as_bool).unwrap_or(true);
        for endpoint in slice.at(&["endpoints"]).as_array().into_iter().flatten().filter(ready) {
            let pod_name = endpoint.pointer("/targetRef/name").and_then(Value::as_str).unwrap_or("");
            let addresses = strings(endpoint.get("addresses").unwrap_or(&Value::Null));
            let at = |p: &&std::sync::Arc<Object>| addresses.iter().any(|a| a == p.str_at(&["status", "podIP"]));
            let pod = snapshot.find("", "Pod", namespace, pod_name).or_else(|| snapshot.list_in("", "Pod", namespace).find(at));
            let addresses = addresses.iter().filter_map(|a| a.parse().ok());
            found.extend(addresses.map(|ip| pod_endpoint(ip, number as u16, pod.map(|p| &**p))));
        }
    }
    found
}

fn selected_endpoints(object: &Object, snapshot: &Snapshot, port: &Value) -> Vec<Endpoint> {
    let selector = crate::k8s::object::strings(object.at(&["spec", "selector"]));
    if selector.is_empty() {
        return Vec::new();
    }
    let pods = snapshot.list_in("", "Pod", object.namespace());
    let pods = pods.filter(|pod| selector.iter().all(|(k, v)| pod.label(k) == Some(v)) && is_ready(pod));
    pods.filter_map(|pod| {
        let ip = pod.str_at(&["status", "podIP"]).parse().ok()?;
        Some(pod_endpoint(ip, target_port(port, pod)?, Some(pod)))
    })
    .collect()
}

/// WorkloadEntries with an address that the Service selects beside pods.
fn selected_entries(object: &Object, snapshot: &Snapshot, port: &Value) -> Vec<Endpoint> {
    let selector = crate::k8s::object::strings(object.at(&["spec", "selector"]));
    if selector.is_empty() {
        return Vec::new();
    }
    let name = port.get("name").and_then(Value::as_str).unwrap_or("");
    let target = port.get("targetPort");
    let number = target.and_then(Value::as_u64).or_else(|| port.get("port")?.as_u64()).unwrap_or(0) as u16;
    let all = workloads::entries(snapshot, object.namespace(), &selector).into_iter().filter(|w| !w.is_named());
    all.map(|w| w.endpoint(target.and_then(Value::as_str).filter(|t| w.ports.contains_key(*t)).unwrap_or(name), number)).collect()
}

/// Whether a pod takes part in Services.
pub fn is_ready(pod: &Object) -> bool {
    let conditions = pod.at(&["status", "conditions"]).as_array();
    let ready = |c: &Value| {
        c.get("type").and_then(Value::as_str) == Some("Ready") && c.get("status").and_then(Value::as_str) == Some("True")
    };
    !pod.is_terminating() && conditions.is_none_or(|all| all.iter().any(ready))
}

/// Whether a Service selects pods of these labels; one without a selector selects none.
pub fn service_selects(service: &Object, labels: &BTreeMap<&str, &str>) -> bool {
    let selector = crate::k8s::object::strings(service.at(&["spec", "selector"]));
    !selector.is_empty() && selector.iter().all(|(k, v)| labels.get(k) == Some(v))
}

/// The container port that a Service port leads to, in this pod.
pub fn target_port(port: &Value, pod: &Object) -> Option<u16> {
    match port.get("targetPort") {
        Some(Value::String(name)) if name.parse::<u16>().is_err() => {
            let containers = pod.at(&["spec", "containers"]).as_array()?;
            let ports = containers.iter().flat_map(|c| c.get("ports").and_then(Value::as_array).into_iter().flatten());
            ports
                .filter(|p| p.get("name").and_then(Value::as_str) == Some(name))
                .find_map(|p| Some(p.get("containerPort")?.as_u64()? as u16))
        }
        Some(Value::String(number)) => number.parse().ok(),
        Some(Value::Number(n)) if n.as_u64() != Some(0) => n.as_u64().map(|n| n as u16),
        _ => port.get("port")?.as_u64().map(|n| n as u16),
    }
}

fn pod_endpoint(ip: IpAddr, port: u16, pod: Option<&Object>) -> Endpoint {
    let labels: BTreeMap<String, String> =
        pod.map(|p| p.labels().into_iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()).unwrap_or_default();
    let mtls = labels.get("security.istio.io/tlsMode").is_some_and(|m| m == "istio");
    Endpoint { host: EndpointHost::Address(ip), port, mtls, labels, weight: 1 }
}

/// One service per host of a ServiceEntry.
fn entry_services(object: &Object, snapshot: &Snapshot) -> Vec<Service> {
    let resolution = match object.str_at(&["spec", "resolution"]) {
        "STATIC" => Resolution::Static,
        "DNS" => Resolution::Dns,
        "DNS_ROUND_ROBIN" => Resolution::DnsRoundRobin,
        "DYNAMIC_DNS" => Resolution::Dynamic,
        _ => Resolution::None,
    };
    let vips: Vec<_> = strings(object.at(&["spec", "addresses"])).iter().filter_map(|a| network(a)).collect();
    let hosts = strings(object.at(&["spec", "hosts"]));
    let workloads = entry_workloads(object, snapshot, resolution);
    let inside = object.str_at(&["spec", "location"]) == "MESH_INTERNAL";
    let names = object.at(&["spec", "subjectAltNames"]).as_array().is_some_and(|n| !n.is_empty());
    let identities = (inside && names && workloads.iter().flatten().any(|w| w.mtls))
        .then(|| Cause::new(object.key().to_string(), "spec.subjectAltNames", "The identities of endpoints are not modelled."));
    let not_modelled = workloads.iter().flatten().find_map(|w| w.not_modelled.clone()).or(identities);
    let one = |(nth, host): (usize, &String)| {
        let host = host.to_ascii_lowercase();
        let ports = object.at(&["spec", "ports"]).as_array().into_iter().flatten().enumerate();
        Service {
            object: object.key().to_string(),
            from: From::Entry,
            namespace: object.namespace().into(),
            ports: ports.map(|(i, port)| entry_port(object, (&host, resolution), port, i, workloads.as_deref())).collect(),
            vips: vips.clone(),
            resolution,
            external: object.str_at(&["spec", "location"]) != "MESH_INTERNAL",
            export: export_of(object),
            created: object.str_at(&["metadata", "creationTimestamp"]).into(),
            selector: object.at(&["spec", "workloadSelector"]).to_string(),
            aliases: Vec::new(),
            not_modelled: not_modelled.clone(),
            host,
            nth,
        }
    };
    hosts.iter().enumerate().map(one).collect()
}

/// What a ServiceEntry says about its endpoints: its own list, or the workloads it selects. `None`: nothing.
fn entry_workloads(object: &Object, snapshot: &Snapshot, resolution: Resolution) -> Option<Vec<Workload>> {
    let selector = object.at(&["spec", "workloadSelector"]);
    if selector.is_object() {
        let labels = crate::k8s::object::strings(selector.get("labels").unwrap_or(&Value::Null));
        let named = matches!(resolution, Resolution::Dns | Resolution::DnsRoundRobin);
        let all = workloads::selected(snapshot, object.namespace(), &labels);
        return Some(all.into_iter().filter(|w| named || !w.is_named()).collect());
    }
    let own = object.at(&["spec", "endpoints"]).as_array().filter(|all| !all.is_empty())?;
    let name = object.key().to_string();
    let one = |(i, value): (usize, &Value)| workloads::written(value, BTreeMap::new(), &name, &format!("spec.endpoints[{i}]"));
    Some(own.iter().enumerate().filter_map(one).collect())
}

/// `10.0.0.0/8` or an address.
pub fn network(text: &str) -> Option<(IpAddr, u8)> {
    match text.split_once('/') {
        Some((ip, bits)) => Some((ip.parse().ok()?, bits.parse().ok()?)),
        None => text.parse::<IpAddr>().ok().map(|ip| (ip, if ip.is_ipv4() { 32 } else { 128 })),
    }
}

/// Whether an address lies in a network.
pub fn contains((net, bits): (IpAddr, u8), ip: IpAddr) -> bool {
    match (net, ip) {
        (IpAddr::V4(n), IpAddr::V4(i)) => bits == 0 || (u32::from(n) ^ u32::from(i)) >> (32 - bits.min(32)) == 0,
        (IpAddr::V6(n), IpAddr::V6(i)) => bits == 0 || (u128::from(n) ^ u128::from(i)) >> (128 - bits.min(128)) == 0,
        _ => false,
    }
}

fn entry_port(
    object: &Object,
    (host, resolution): (&str, Resolution),
    port: &Value,
    i: usize,
    workloads: Option<&[Workload]>,
) -> ServicePort {
    let text = |key: &str| port.get(key).and_then(Value::as_str).unwrap_or("");
    let number = port.get("number").and_then(Value::as_u64).unwrap_or(0) as u16;
    let target = port.get("targetPort").and_then(Value::as_u64).filter(|n| *n != 0).map(|n| n as u16);
    let written = text("protocol").to_ascii_lowercase();
    let protocol = if written.is_empty() { Protocol::Auto } else { by_word(&written).unwrap_or(Protocol::Tcp) };
    let shown = if written.is_empty() { "auto" } else { text("protocol") };
    let told = format!("The ServiceEntry registers {host} on port {number} as {shown}.");
    let cause = Cause::new(object.key().to_string(), format!("spec.ports[{i}]"), &told);
    let otherwise = target.unwrap_or(number);
    let endpoints = match workloads {
        Some(all) => all.iter().map(|w| w.endpoint(text("name"), otherwise)).collect(),
        None if matches!(resolution, Resolution::Dns | Resolution::DnsRoundRobin | Resolution::Dynamic) => {
            let host = EndpointHost::Name(host.to_string());
            vec![Endpoint { host, port: otherwise, mtls: false, labels: BTreeMap::new(), weight: 1 }]
        }
        None => Vec::new(),
    };
    // A dynamic forward proxy is made for these protocols only; others get chains without a cluster.
    let orphan = resolution == Resolution::Dynamic && !matches!(written.as_str(), "http" | "tls" | "grpc" | "http2");
    ServicePort { number, name: text("name").into(), protocol, target, endpoints, cause, orphan }
}
