//! The values that a mesh itself offers for its fields.

use super::Wish;
use crate::base::diff;
use crate::k8s::{Object, Snapshot};
use crate::mesh::compile::registry::service_selects;
use crate::mesh::{Options, capture};
use crate::outside::wire::Scheme;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What can stand in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// Hosts that are asked for.
    Hosts,
    /// Hosts of services that a rule can lead to: those of gateways, and those asked for.
    Destinations,
    /// Ports that are asked for, that gateways' Services have.
    Ports,
    Protocols,
    Resolutions,
    /// `mesh` and the Gateways there are.
    Gateways,
    Namespaces,
    /// Subsets that rules declare or ask for.
    Subsets,
    /// Values of the label of the key beside it, at gateway pods.
    LabelValues,
    TlsModes,
    ServerModes,
    Exports,
    Policies,
    /// Names of Gateways that VirtualServices ask for, when the object is a Gateway.
    GatewayNames,
    /// Hosts of a Sidecar: `NAMESPACE/*`, `*/*`.
    Imports,
    LogFiles,
}

/// The values of one mesh.
#[derive(Debug, Clone, Default)]
pub struct Pools {
    pub hosts: Vec<String>,
    /// Ports asked for, with whether TLS comes there.
    pub asked: Vec<(u16, bool)>,
    pub ports: Vec<u16>,
    /// Hosts of the Services in front of gateway pods.
    pub gateway_services: Vec<String>,
    pub gateways: Vec<String>,
    pub gateway_names: Vec<String>,
    pub namespaces: Vec<String>,
    pub subsets: Vec<String>,
    pub labels: BTreeMap<String, BTreeSet<String>>,
    /// How often each text stands in the rules of the mesh, alone or as a part of a name.
    words: BTreeMap<String, usize>,
}

/// What it costs to write what fewer objects say in place of what more of them say.
const AGAINST: u32 = 12;

impl Pools {
    /// Reads what a mesh offers for these wishes.
    pub fn of(snapshot: &Snapshot, options: &Options, wishes: &[Wish<'_>]) -> Pools {
        let mut pools = Pools::default();
        for wish in wishes.iter().filter(|w| w.opens) {
            let host = wish.request.header("host").map(crate::outside::answer::bare_host);
            note(&mut pools.hosts, host.unwrap_or_else(|| wish.request.host.clone().into()));
            note(&mut pools.hosts, wish.request.host.clone().into());
            note(&mut pools.asked, (wish.request.port, wish.request.scheme == Scheme::Https));
            note(&mut pools.ports, wish.request.port);
            note(&mut pools.namespaces, wish.pod.namespace().to_string());
        }
        pools.hosts.retain(|host| host.parse::<std::net::IpAddr>().is_err());
        note(&mut pools.namespaces, options.root_namespace.clone());
        pools.read_gateways(snapshot);
        pools.read_rules(snapshot);
        pools.read_words(snapshot);
        for list in [&mut pools.gateways, &mut pools.gateway_names, &mut pools.namespaces, &mut pools.subsets] {
            list.truncate(MOST);
        }
        pools.gateway_services.truncate(MOST);
        pools.ports.truncate(MOST);
        pools
    }

    /// Whether an object has a host that is asked for, or one so like it that a slip of the pen may lie between them.
    pub fn is_near(&self, object: &Object) -> bool {
        let near = |text: &str| self.hosts.iter().any(|host| like(host, text));
        super::path::leaves(object.spec(), &Default::default())
            .iter()
            .take(LEAVES)
            .any(|(_, leaf)| leaf.as_str().is_some_and(near))
    }

    fn read_words(&mut self, snapshot: &Snapshot) {
        for object in super::table::EDITED.iter().flat_map(|kind| snapshot.list("networking.istio.io", kind)) {
            for (_, leaf) in super::path::leaves(&object.0, &Default::default()) {
                let words = leaf.as_str().unwrap_or("").split(['.', '/', '-']).filter(|word| word.len() > 2);
                words.for_each(|word| *self.words.entry(word.to_string()).or_default() += 1);
            }
        }
    }

    /// The price of a text that fewer objects know than the one it replaces: a slip of the pen stands alone.
    pub fn against_the_many(&self, from: &Value, to: &Value) -> u32 {
        let count = |value: &Value| value.as_str().map_or(0, |text| self.words.get(text).copied().unwrap_or(0));
        if count(from) > count(to) { AGAINST } else { 0 }
    }

    fn read_gateways(&mut self, snapshot: &Snapshot) {
        let pods: Vec<&Object> = snapshot.list("", "Pod").map(|p| &**p).filter(|p| capture::is_gateway(p)).collect();
        for pod in &pods {
            note(&mut self.namespaces, pod.namespace().to_string());
            for (key, value) in pod.labels() {
                self.labels.entry(key.to_string()).or_default().insert(value.to_string());
            }
        }
        for service in snapshot.list("", "Service") {
            if pods.iter().any(|pod| pod.namespace() == service.namespace() && service_selects(service, &pod.labels())) {
                note(&mut self.gateway_services, format!("{}.{}.svc.cluster.local", service.name(), service.namespace()));
                let ports = service.at(&["spec", "ports"]).as_array().into_iter().flatten();
                ports.filter_map(|p| p.get("port")?.as_u64()).for_each(|p| note(&mut self.ports, p as u16));
            }
        }
    }

    fn read_rules(&mut self, snapshot: &Snapshot) {
        let group = "networking.istio.io";
        note(&mut self.gateways, "mesh".to_string());
        for gateway in snapshot.list(group, "Gateway") {
            note(&mut self.gateways, format!("{}/{}", gateway.namespace(), gateway.name()));
            note(&mut self.namespaces, gateway.namespace().to_string());
        }
        for rule in snapshot.list(group, "VirtualService") {
            note(&mut self.namespaces, rule.namespace().to_string());
            for (path, leaf) in super::path::leaves(&rule.0, &Default::default()) {
                let Some(text) = leaf.as_str() else { continue };
                let pattern = path.pattern();
                if pattern.ends_with("gateways[]") && text != "mesh" {
                    note(&mut self.gateway_names, text.rsplit('/').next().unwrap_or(text).to_string());
                    if let Some((namespace, _)) = text.split_once('/') {
                        note(&mut self.namespaces, namespace.to_string());
                    }
                }
                if pattern.ends_with("destination.subset") {
                    note(&mut self.subsets, text.to_string());
                }
            }
        }
        for rule in snapshot.list(group, "DestinationRule") {
            let subsets = rule.at(&["spec", "subsets"]).as_array().into_iter().flatten();
            subsets.filter_map(|s| s.get("name")?.as_str()).for_each(|name| note(&mut self.subsets, name.to_string()));
        }
    }

    /// The values for a field of an object; `key` is the last key of its path.
    pub fn values(&self, pool: Pool, key: &str) -> Vec<Value> {
        let texts = |all: &[&str]| all.iter().map(|t| Value::from(*t)).collect();
        let owned = |all: &[String]| all.iter().map(|t| Value::from(t.as_str())).collect();
        match pool {
            Pool::Hosts => owned(&self.hosts),
            Pool::Destinations => self.gateway_services.iter().chain(&self.hosts).map(|t| Value::from(t.as_str())).collect(),
            Pool::Ports => self.ports.iter().map(|p| Value::from(*p)).collect(),
            Pool::Protocols => texts(&["HTTP", "TLS", "HTTPS", "HTTP2", "TCP", "GRPC"]),
            Pool::Resolutions => texts(&["DNS", "NONE", "STATIC"]),
            Pool::Gateways => owned(&self.gateways),
            Pool::Namespaces => owned(&self.namespaces),
            Pool::Subsets => owned(&self.subsets),
            Pool::LabelValues => self.labels.get(key).into_iter().flatten().map(|v| Value::from(v.as_str())).collect(),
            Pool::TlsModes => texts(&["DISABLE", "SIMPLE", "ISTIO_MUTUAL"]),
            Pool::ServerModes => texts(&["PASSTHROUGH", "ISTIO_MUTUAL", "SIMPLE"]),
            Pool::Exports => texts(&["*", "."]),
            Pool::Policies => texts(&["REGISTRY_ONLY", "ALLOW_ANY"]),
            Pool::LogFiles => texts(&["/dev/stdout"]),
            Pool::GatewayNames => owned(&self.gateway_names),
            Pool::Imports => {
                let each = self.namespaces.iter().map(|n| Value::from(format!("{n}/*")));
                each.chain([Value::from("./*"), Value::from("*/*")]).collect()
            }
        }
    }
}

/// Values of one kind that are tried.
const MOST: usize = 16;
/// Leaves of an object that are compared with what is asked for.
const LEAVES: usize = 400;

/// The same host but for a few letters, or one of its domain.
fn like(host: &str, text: &str) -> bool {
    let short = text.len().abs_diff(host.len()) <= 3 && text.len() < 300;
    let domain = host.split_once('.').map_or(host, |(_, domain)| domain);
    text.ends_with(domain) || (short && diff::likeness(host, text) > 0.85)
}

fn note<T: PartialEq>(list: &mut Vec<T>, value: T) {
    if !list.contains(&value) {
        list.push(value);
    }
}
