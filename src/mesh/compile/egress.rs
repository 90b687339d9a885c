//! What a Sidecar resource says about the way out: egress listeners, the hosts they import, and what becomes of hosts that nothing
//! names (Istio: model/sidecar.go, core/listener.go).

use super::clusters;
use super::registry::{Protocol, Service, by_word};
use super::rules::{VirtualService, covers, overlaps, strings};
use super::scope::Base;
use crate::k8s::Object;
use crate::mesh::Cause;
use serde_json::Value;
use std::net::IpAddr;
use std::sync::Arc;

/// One egress listener of a Sidecar.
#[derive(Debug, Clone, PartialEq)]
pub struct Egress {
    /// Number and protocol; `None`: every port that no listener before it has.
    pub port: Option<(u16, Protocol)>,
    /// HTTP_PROXY: every port of every imported service behind this one port.
    pub is_proxy: bool,
    pub bind: Option<IpAddr>,
    /// Opened at its own address rather than redirected to (`captureMode: NONE`).
    pub bound: bool,
    pub imports: Imports,
    pub cause: Cause,
}

/// `NAMESPACE/PATTERN` pairs, with `.` resolved; `*` is any namespace.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Imports {
    included: Vec<(String, String)>,
    /// Written with `~`.
    excluded: Vec<(String, String)>,
}

impl Imports {
    fn read(hosts: &[String], namespace: &str) -> Imports {
        let mut imports = Imports::default();
        for host in hosts {
            let (ns, dns) = host.split_once('/').unwrap_or(("*", host));
            let (out, ns) = match ns.strip_prefix('~') {
                Some("") => (&mut imports.excluded, "*"),
                Some(rest) => (&mut imports.excluded, rest),
                None => (&mut imports.included, ns),
            };
            let ns = if ns == "." { namespace } else { ns };
            out.push((ns.to_string(), dns.to_ascii_lowercase()));
        }
        imports
    }

    /// Whether a service of this namespace comes in.
    pub fn service(&self, namespace: &str, host: &str) -> bool {
        let named = |all: &[(String, String)]| {
            all.iter().any(|(ns, dns)| (ns == "*" || ns == namespace) && (dns == host || covers(dns, host)))
        };
        !named(&self.excluded) && named(&self.included)
    }

    /// Whether a VirtualService comes in: its hosts need only overlap, and exclusions are not looked at.
    pub fn rule(&self, vs: &VirtualService) -> bool {
        let here = |ns: &str| ns == "*" || ns == vs.namespace;
        self.included.iter().any(|(ns, dns)| here(ns) && vs.hosts.iter().any(|h| overlaps(dns, h)))
    }
}

/// The egress listeners of a Sidecar; empty when it names none, which means one for everything.
pub fn listeners(sidecar: &Object, namespace: &str) -> Vec<Egress> {
    let object = sidecar.key().to_string();
    let all = sidecar.at(&["spec", "egress"]).as_array().map_or(&[][..], Vec::as_slice);
    let one = |(i, value): (usize, &Value)| {
        let text = |path: &str| value.pointer(path).and_then(Value::as_str).unwrap_or("");
        let word = text("/port/protocol").to_ascii_lowercase();
        let protocol = if word == "http_proxy" { Some(Protocol::Http) } else { by_word(&word) };
        let number = value.pointer("/port/number").and_then(Value::as_u64).filter(|n| *n > 0).map(|n| n as u16);
        Egress {
            port: number.map(|n| (n, protocol.unwrap_or(Protocol::Tcp))),
            is_proxy: word == "http_proxy",
            bind: text("/bind").parse().ok(),
            bound: text("/captureMode") == "NONE",
            imports: Imports::read(&strings(value.get("hosts").unwrap_or(&Value::Null)), namespace),
            cause: Cause::new(&*object, format!("spec.egress[{i}]"), "This egress listener of the Sidecar takes the connection."),
        }
    };
    all.iter().enumerate().map(one).collect()
}

/// Whether no egress listener of a Sidecar imports a service.
pub fn leaves_out(sidecar: &Object, namespace: &str, service: &Service) -> bool {
    let all = listeners(sidecar, namespace);
    !all.is_empty() && !all.iter().any(|l| l.imports.service(&service.namespace, &service.host))
}

impl Egress {
    /// The part of a service that this listener has: the whole, or its one port.
    pub fn part(&self, service: &Arc<Service>) -> Option<Arc<Service>> {
        match self.port {
            Some((number, _)) if !self.is_proxy => {
                let port = service.port(number)?.clone();
                Some(Arc::new(Service { ports: vec![port], ..Service::clone(service) }))
            }
            _ => Some(service.clone()),
        }
    }

    /// The address this listener opens by itself.
    pub fn address(&self) -> Option<IpAddr> {
        self.bind.or_else(|| self.bound.then_some(IpAddr::from([127, 0, 0, 1])))
    }
}

/// What becomes of hosts that nothing names.
#[derive(Debug, Clone, PartialEq)]
pub struct Beyond {
    /// Name of the catch-all virtual host and its cluster; `None`: `block_all`, which refuses.
    pub http: Option<(&'static str, String)>,
    /// The cluster of connections that are not routed as HTTP.
    pub tcp: String,
    /// Whether plain HTTP on any port goes through the dynamic forward proxy.
    pub dynamic: bool,
    pub cause: Cause,
    pub not_modelled: Option<Cause>,
}

/// The dynamic forward proxy's cluster of the mode ALLOW_ANY_DYNAMIC_DNS.
pub const DYNAMIC: &str = "AllowAnyDynamicDNSCluster";

impl Beyond {
    pub fn blocks(cause: Cause) -> Beyond {
        Beyond { http: None, tcp: "BlackHoleCluster".into(), dynamic: false, cause, not_modelled: None }
    }

    fn lets_out(cluster: String, cause: Cause) -> Beyond {
        Beyond { http: Some(("allow_any", cluster.clone())), tcp: cluster, dynamic: false, cause, not_modelled: None }
    }

    fn of_mesh(base: &Base) -> Beyond {
        let cause = base.config.policy.clone();
        let not_modelled = base.config.not_modelled.clone();
        let all = match (base.config.registry_only, base.config.dynamic_dns) {
            (true, _) => Beyond::blocks(cause),
            (false, false) => Beyond::lets_out("PassthroughCluster".into(), cause),
            (false, true) => Beyond {
                http: Some(("allow_any_dynamic_dns", DYNAMIC.into())),
                dynamic: true,
                ..Beyond::lets_out("PassthroughCluster".into(), cause)
            },
        };
        Beyond { not_modelled, ..all }
    }

    /// The Sidecar's policy when it has one, even an empty one; else the mesh's.
    pub fn of(base: &Base, sidecar: Option<&Object>) -> Beyond {
        let Some(sidecar) = sidecar.filter(|s| s.at(&["spec", "outboundTrafficPolicy"]).is_object()) else {
            return Beyond::of_mesh(base);
        };
        let policy = sidecar.at(&["spec", "outboundTrafficPolicy"]);
        let object = sidecar.key().to_string();
        let field = "spec.outboundTrafficPolicy.mode";
        let cause = |text: &str| Cause::new(&*object, field, text);
        match policy.get("mode").and_then(Value::as_str) {
            Some("ALLOW_ANY") => {
                let to = policy.get("egressProxy").filter(|p| p.is_object());
                match to.map(proxy_cluster) {
                    Some(cluster) => {
                        let text = "The Sidecar sends unregistered hosts to its egress proxy.";
                        Beyond::lets_out(cluster, Cause::new(&*object, "spec.outboundTrafficPolicy.egressProxy", text))
                    }
                    None => {
                        let text = "The Sidecar lets unregistered hosts out (ALLOW_ANY).";
                        Beyond::lets_out("PassthroughCluster".into(), cause(text))
                    }
                }
            }
            Some(_) => Beyond::blocks(cause("The Sidecar lets only registered hosts out (REGISTRY_ONLY).")),
            None => Beyond::blocks(cause("The policy is present without a mode, and the enum's zero value is REGISTRY_ONLY.")),
        }
    }
}

/// `outbound|PORT|SUBSET|HOST` of an egress proxy. The host stays as written: it is not expanded here.
fn proxy_cluster(proxy: &Value) -> String {
    let text = |key: &str| proxy.get(key).and_then(Value::as_str).unwrap_or("");
    let port = proxy.pointer("/port/number").and_then(Value::as_u64).unwrap_or(0) as u16;
    clusters::name(port, text("subset"), text("host"))
}
