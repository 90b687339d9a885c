//! Gateways: which resources open which listeners on a gateway's pod (Istio: model/gateway.go, core/gateway.go).

use super::clusters::{self, Named};
use super::listeners::bare;
use super::registry::{network, target_port};
use super::routes::Builder;
use super::rules::{VirtualService, overlaps, strings};
use super::scope::{Base, Identity, Offer, gateway_scope};
use super::standing::Viewer;
use super::{gateway_http, gateway_merge};
use crate::base::shared::Text;
use crate::k8s::{Object, Snapshot};
use crate::mesh::Cause;
use crate::mesh::policy::certificates;
use crate::mesh::proxy::{Filter, FilterChain, Listener, Proxy, RouteConfig, Terminate, Transport};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// A Gateway resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Gateway {
    pub object: String,
    pub namespace: String,
    pub name: String,
    pub created: String,
    pub selector: BTreeMap<String, String>,
    /// Only pods of its own namespace are meant (Gateway API).
    pub own_namespace: bool,
    pub servers: Vec<Server>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Server {
    pub port: u16,
    pub port_name: String,
    /// Upper case.
    pub protocol: String,
    /// As written: `host`, `ns/host`, `./host`, `*/host`.
    pub hosts: Vec<String>,
    /// `tls.mode`; `None` without `tls`.
    pub tls_mode: Option<String>,
    pub https_redirect: bool,
    /// The first setting of TLS that is not modelled.
    pub unknown_tls: Option<&'static str>,
    /// The address to listen on; empty: any.
    pub bind: String,
    /// Where it stands: `spec.servers[0]`, `spec.listeners[0]`.
    pub place: String,
    /// The certificate that the server brings itself.
    pub own: certificates::Written,
}

/// Settings of TLS that ends at a gateway which this program does not follow.
const UNKNOWN_TLS: [&str; 11] = [
    "serverCertificate",
    "caCertificates",
    "caCrl",
    "caCertCredentialName",
    "tlsCertificates",
    "subjectAltNames",
    "verifyCertificateSpki",
    "verifyCertificateHash",
    "minProtocolVersion",
    "maxProtocolVersion",
    "cipherSuites",
];

/// Reads a Gateway.
pub fn gateway(object: &Object) -> Gateway {
    let server = |(i, value): (usize, &Value)| {
        let text = |path: &str| value.pointer(path).and_then(Value::as_str).unwrap_or("").to_string();
        let tls = value.get("tls").filter(|t| t.is_object());
        Server {
            port: value.pointer("/port/number").and_then(Value::as_u64).unwrap_or(0) as u16,
            port_name: text("/port/name"),
            protocol: text("/port/protocol").to_ascii_uppercase(),
            hosts: strings(value.get("hosts").unwrap_or(&Value::Null)),
            tls_mode: tls.map(|t| t.get("mode").and_then(Value::as_str).unwrap_or("PASSTHROUGH").to_string()),
            own: certificates::written(tls),
            https_redirect: tls.and_then(|t| t.get("httpsRedirect")?.as_bool()).unwrap_or(false),
            unknown_tls: tls.and_then(|t| UNKNOWN_TLS.into_iter().find(|name| t.get(*name).is_some_and(|v| !v.is_null()))),
            bind: text("/bind"),
            place: format!("spec.servers[{i}]"),
        }
    };
    Gateway {
        object: object.key().to_string(),
        namespace: object.namespace().into(),
        name: object.name().into(),
        created: object.str_at(&["metadata", "creationTimestamp"]).into(),
        selector: crate::k8s::object::strings(object.at(&["spec", "selector"]))
            .into_iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect(),
        own_namespace: false,
        servers: object.at(&["spec", "servers"]).as_array().into_iter().flatten().enumerate().map(server).collect(),
    }
}

impl Server {
    /// `PASSTHROUGH` without termination, plain HTTP, TLS that ends here, or raw TCP.
    pub fn kind(&self) -> ServerKind {
        let mode = self.tls_mode.as_deref();
        match self.protocol.as_str() {
            "HTTPS" | "TLS" if matches!(mode, Some("PASSTHROUGH" | "AUTO_PASSTHROUGH") | None) => ServerKind::Passthrough,
            "HTTPS" => ServerKind::TerminatedHttp,
            "TLS" => ServerKind::TerminatedTcp,
            "TCP" | "MONGO" | "MYSQL" | "REDIS" => ServerKind::Tcp,
            _ => ServerKind::Http,
        }
    }

    fn ends_tls(&self) -> bool {
        matches!(self.kind(), ServerKind::TerminatedHttp | ServerKind::TerminatedTcp) && self.terminate() == Terminate::Own
    }

    fn terminate(&self) -> Terminate {
        if self.tls_mode.as_deref() == Some("ISTIO_MUTUAL") { Terminate::Mesh } else { Terminate::Own }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerKind {
    Http,
    TerminatedHttp,
    TerminatedTcp,
    Tcp,
    Passthrough,
}

impl Gateway {
    /// `NAMESPACE/NAME`, as VirtualServices refer to it.
    pub fn reference(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether a workload is one of its.
    pub fn selects(&self, id: &Identity) -> bool {
        let here = !self.own_namespace || self.namespace == id.namespace;
        here && self.selector.iter().all(|(k, v)| id.labels.get(k) == Some(v))
    }
}

/// A server host for the VirtualServices of a namespace: the DNS part if the namespace part lets them bind.
pub fn host_for<'h>(host: &'h str, gateway: &Gateway, rule_namespace: &str) -> Option<&'h str> {
    let Some((ns, dns)) = host.split_once('/') else { return Some(host) };
    let fits = match ns {
        "*" => true,
        "." => gateway.namespace == rule_namespace,
        other => other == rule_namespace,
    };
    fits.then_some(dns)
}

/// A server in its place.
pub struct Bound<'a> {
    pub gateway: &'a Gateway,
    pub server: &'a Server,
    /// Index of the server in its resource.
    pub index: usize,
}

impl Bound<'_> {
    pub fn cause(&self, field: &str, text: &str) -> Cause {
        let field = if field == ".hosts" && self.gateway.own_namespace { ".hostname" } else { field };
        Cause::new(&*self.gateway.object, format!("{}{field}", self.server.place), text)
    }
}

/// Derives the configuration of a gateway from what is offered to it. `snapshot` gives the Services in front of the pod.
pub fn proxy(viewer: Viewer<'_>, snapshot: &Snapshot, offer: &Offer<'_>) -> Proxy {
    let Viewer { base, id, standing } = viewer;
    let scope = gateway_scope(viewer, offer);
    let builder = Builder { base, id, scope: &scope };
    let mut listeners = Vec::new();
    let mut routes = BTreeMap::new();
    for (port, servers) in by_target_port(base, id, snapshot).into_iter().filter(|(port, _)| scope.wants(*port)) {
        for (bind, accepted) in gateway_merge::accepted(&servers) {
            let Some(mut listener) = listener(&builder, (bind, port), &accepted, &mut routes) else { continue };
            for chain in listener.chains.iter_mut().filter(|c| c.terminates == Some(Terminate::Own)) {
                let server = servers.iter().find(|s| s.server.ends_tls() && server_names(s.server)[..] == chain.sni[..]);
                chain.own = server.map(|s| Arc::new(certificates::own(s, &id.namespace, snapshot, base.secrets_unread)));
            }
            listeners.push(listener);
        }
    }
    Proxy {
        gateway: true,
        namespace: id.namespace.clone(),
        clusters: clusters::all(&builder, &Named::by(&scope, &listeners, &routes)),
        listeners,
        routes,
        registry_only: false,
        policy: scope.beyond.cause.clone(),
        not_modelled: Vec::new(),
        guard: standing.guard.clone(),
    }
}

/// The servers that bind to this proxy, by the port they listen on, oldest resource first.
fn by_target_port<'b>(base: &'b Base, id: &Identity, snapshot: &Snapshot) -> BTreeMap<u16, Vec<Bound<'b>>> {
    let mut ports: BTreeMap<u16, Vec<Bound<'b>>> = BTreeMap::new();
    let in_scope = |g: &&Gateway| g.selects(id) && (!base.scoped_gateways || g.namespace == id.namespace);
    for gateway in base.gateways.iter().map(|g| &**g).filter(in_scope) {
        for (index, server) in gateway.servers.iter().enumerate() {
            let opened = match gateway.own_namespace {
                true => service_port(id, snapshot, server.port),
                false => listen_port(id, snapshot, server.port),
            };
            if let Some(port) = opened {
                ports.entry(port).or_default().push(Bound { gateway, server, index });
            }
        }
    }
    ports
}

/// The pod's port behind a server's port: by the Services that select the pod; without one as it is, unless it is privileged.
pub fn listen_port(id: &Identity, snapshot: &Snapshot, number: u16) -> Option<u16> {
    service_port(id, snapshot, number).or((number >= 1024).then_some(number))
}

/// The same by the Services alone.
fn service_port(id: &Identity, snapshot: &Snapshot, number: u16) -> Option<u16> {
    let selects = |s: &&std::sync::Arc<Object>| {
        let selector = crate::k8s::object::strings(s.at(&["spec", "selector"]));
        !selector.is_empty() && selector.iter().all(|(k, v)| id.labels.get(*k).is_some_and(|have| have == v))
    };
    let pod = Object::default();
    snapshot.list_in("", "Service", &id.namespace).filter(selects).find_map(|service| {
        let ports = service.at(&["spec", "ports"]).as_array()?;
        let port = ports.iter().find(|p| p.get("port").and_then(Value::as_u64) == Some(u64::from(number)))?;
        target_port(port, &pod)
    })
}

/// One listener for all servers of a port and address; without any chain there is none.
fn listener(
    b: &Builder<'_>,
    (bind, port): (&str, u16),
    servers: &[&Bound<'_>],
    routes: &mut BTreeMap<Text, RouteConfig>,
) -> Option<Listener> {
    let first = servers.first()?;
    let mut chains: Vec<FilterChain> = Vec::new();
    let mut taken: HashSet<String> = HashSet::new();
    for bound in servers {
        for chain in secure_chains(b, bound, routes) {
            let any_name = chain.sni.is_empty() && chains.iter().any(|have| have.sni.is_empty());
            if !any_name && !chain.sni.iter().any(|name| taken.contains(name)) {
                taken.extend(chain.sni.iter().cloned());
                chains.push(chain);
            }
        }
    }
    let http: Vec<&Bound<'_>> = servers.iter().copied().filter(|s| s.server.kind() == ServerKind::Http).collect();
    if let Some(opens) = http.first() {
        let name = if bind.is_empty() { format!("http.{port}") } else { format!("http.{port}.{bind}") };
        routes.insert(name.clone().into(), gateway_http::config(b, &http));
        chains.push(bare(Filter::Http(name.into()), opens.cause("", "This server of the Gateway opens the port for HTTP.")));
    }
    let cause = first.cause("", "This server of the Gateway opens the port.");
    (!chains.is_empty()).then(|| Listener {
        name: format!("{}_{port}", if bind.is_empty() { "0.0.0.0" } else { bind }).into(),
        address: bind.parse().ok(),
        port,
        chains,
        default_chain: None,
        cause,
    })
}

fn secure_chains(b: &Builder<'_>, bound: &Bound<'_>, routes: &mut BTreeMap<Text, RouteConfig>) -> Vec<FilterChain> {
    let server = bound.server;
    let unknown = server.unknown_tls.filter(|_| server.kind() != ServerKind::Passthrough);
    let mut chains = server_chains(b, bound, routes);
    if let Some(name) = unknown {
        let cause = bound.cause(&format!(".tls.{name}"), "This setting of TLS is not modelled.");
        chains.iter_mut().for_each(|c| c.not_modelled = Some(cause.clone()));
    }
    chains
}

fn server_chains(b: &Builder<'_>, bound: &Bound<'_>, routes: &mut BTreeMap<Text, RouteConfig>) -> Vec<FilterChain> {
    let server = bound.server;
    match server.kind() {
        ServerKind::Passthrough if server.tls_mode.as_deref() == Some("AUTO_PASSTHROUGH") => {
            let unknown = bound.cause(".tls.mode", "AUTO_PASSTHROUGH is not modelled.");
            let chain =
                bare(Filter::Tcp(Vec::new()), bound.cause("", "This server of the Gateway takes TLS by its server name."));
            vec![FilterChain { transport: Transport::Tls, not_modelled: Some(unknown), ..chain }]
        }
        ServerKind::Passthrough => passthrough_chains(b, bound),
        ServerKind::TerminatedHttp => {
            let name = format!("https.{}.{}.{}.{}", server.port, server.port_name, bound.gateway.name, bound.gateway.namespace);
            routes.insert(name.clone().into(), gateway_http::config(b, &[bound]));
            let chain = bare(Filter::Http(name.into()), bound.cause("", "This server of the Gateway ends TLS and routes HTTP."));
            vec![FilterChain {
                sni: server_names(server).into(),
                transport: Transport::Tls,
                terminates: Some(server.terminate()),
                ..chain
            }]
        }
        ServerKind::TerminatedTcp => tcp_chains(b, bound)
            .into_iter()
            .map(|c| FilterChain {
                sni: server_names(server).into(),
                transport: Transport::Tls,
                terminates: Some(server.terminate()),
                ..c
            })
            .collect(),
        ServerKind::Tcp => tcp_chains(b, bound),
        ServerKind::Http => Vec::new(),
    }
}

/// SNI conditions of a server that ends TLS: its hosts, none when one of them is `*`.
fn server_names(server: &Server) -> Vec<String> {
    let names: Vec<String> = server.hosts.iter().map(|h| h.rsplit('/').next().unwrap_or(h).to_string()).collect();
    if names.iter().any(|n| n == "*") { Vec::new() } else { names }
}

/// VirtualServices bound to a server, in order.
pub fn bound_rules<'b>(b: &'b Builder<'_>, bound: &'b Bound<'_>) -> impl Iterator<Item = &'b VirtualService> {
    let reference = bound.gateway.reference();
    let fits = move |vs: &&VirtualService| {
        let hosts = bound.server.hosts.iter().filter_map(|h| host_for(h, bound.gateway, &vs.namespace));
        vs.gateways.contains(&reference) && hosts.into_iter().any(|h| vs.hosts.iter().any(|v| overlaps(h, v)))
    };
    b.scope.rules.iter().copied().filter(fits)
}

fn passthrough_chains(b: &Builder<'_>, bound: &Bound<'_>) -> Vec<FilterChain> {
    let reference = bound.gateway.reference();
    let mut chains = Vec::new();
    for vs in bound_rules(b, bound) {
        for (i, rule) in vs.tls.iter().enumerate() {
            let fits = |m: &&super::rules::Match| {
                (m.gateways.is_empty() && b.source_fits(m) || m.gateways.contains(&reference))
                    && m.port.is_none_or(|p| p == 0 || p == bound.server.port)
            };
            for entry in rule.matches.iter().filter(fits) {
                let cause =
                    Cause::new(&vs.object, format!("spec.tls[{i}]"), "This TLS rule takes the connection at the gateway.");
                let filter = Filter::Tcp(b.weighted(&vs.object, &rule.destinations, bound.server.port));
                let networks = entry.destination_subnets.iter().filter_map(|n| network(n)).collect();
                let sni = entry.sni_hosts.clone();
                chains.push(FilterChain { sni, networks, transport: Transport::Tls, ..bare(filter, cause) });
            }
        }
    }
    chains
}

fn tcp_chains(b: &Builder<'_>, bound: &Bound<'_>) -> Vec<FilterChain> {
    let reference = bound.gateway.reference();
    for vs in bound_rules(b, bound) {
        let fits = |m: &super::rules::Match| {
            (m.gateways.is_empty() || m.gateways.contains(&reference)) && m.port.is_none_or(|p| p == 0 || p == bound.server.port)
        };
        if let Some(i) = vs.tcp.iter().position(|r| r.matches.is_empty() || r.matches.iter().any(fits)) {
            let cause = Cause::new(&vs.object, format!("spec.tcp[{i}]"), "This TCP rule takes the connection at the gateway.");
            return vec![bare(Filter::Tcp(b.weighted(&vs.object, &vs.tcp[i].destinations, bound.server.port)), cause)];
        }
    }
    Vec::new()
}
