//! What is there, and what one proxy may see of it: exportTo, Sidecar, and which service a host name means.

use super::destination::{DestinationRule, destination_rule};
use super::gateway::{Gateway, gateway};
use super::hosts::Hosts;
use super::index::Index;
use super::order::Ordered;
use super::registry::{self, From, Service};
use super::rules::{self, VirtualService, covers, overlaps, strings};
use crate::k8s::{Object, Snapshot};
use crate::mesh::config::MeshConfig;
use crate::mesh::policy::Policies;
use crate::mesh::{Cause, Options};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

const NETWORKING: &str = "networking.istio.io";

/// The objects of the mesh, read once per model. Copies share what they have in common.
#[derive(Debug, Clone)]
pub struct Base {
    pub root: String,
    pub config: MeshConfig,
    pub services: Ordered<Service>,
    /// By creation, then name, then namespace.
    pub virtual_services: Ordered<VirtualService>,
    pub destination_rules: Ordered<DestinationRule>,
    pub gateways: Ordered<Gateway>,
    pub sidecars: Vec<Arc<Object>>,
    /// PILOT_SCOPE_GATEWAY_TO_NAMESPACE of istiod.
    pub scoped_gateways: bool,
    pub index: Index,
    /// What decides besides routing.
    pub policies: Arc<Policies>,
}

impl Base {
    /// Reads the objects of a moment.
    pub fn read(snapshot: &Snapshot, options: &Options) -> Base {
        let root = options.root_namespace.clone();
        let config = MeshConfig::of(snapshot, options);
        let mut base = Base {
            policies: Arc::new(Policies::read(snapshot, &root, &config)),
            config,
            services: registry::all(snapshot).into_iter().map(Arc::new).collect(),
            virtual_services: snapshot.list(NETWORKING, "VirtualService").map(|o| Arc::new(rules::virtual_service(o))).collect(),
            destination_rules: snapshot.list(NETWORKING, "DestinationRule").map(|o| Arc::new(destination_rule(o))).collect(),
            gateways: snapshot.list(NETWORKING, "Gateway").map(|o| Arc::new(gateway(o))).collect(),
            sidecars: snapshot.list(NETWORKING, "Sidecar").cloned().collect(),
            scoped_gateways: istiod_env(snapshot, options, "PILOT_SCOPE_GATEWAY_TO_NAMESPACE").as_deref() == Some("true"),
            index: Index::default(),
            root,
        };
        base.services.iter().for_each(|s| base.index.add_service(s, &base.config.default_service_export));
        base.virtual_services.iter().for_each(|vs| base.index.add_rule(vs));
        base.destination_rules.iter().for_each(|rule| base.index.destination_rules.add(&rule.host, rule));
        base
    }

    /// Services that a namespace may see, private ones first, each group by creation.
    pub fn visible_services(&self, namespace: &str) -> Vec<&Arc<Service>> {
        self.seen_services(self.services.iter(), namespace)
    }

    /// Those of some services that a namespace may see, in the order in which they apply.
    pub fn seen_services<'a>(&self, some: impl Iterator<Item = &'a Arc<Service>>, namespace: &str) -> Vec<&'a Arc<Service>> {
        let default = &self.config.default_service_export;
        ranked(some, |s| export_rank(&s.export, default, &s.namespace, namespace))
    }

    /// VirtualServices that a namespace may see, in the order in which they apply.
    pub fn visible_rules(&self, namespace: &str) -> Vec<&VirtualService> {
        self.seen_rules(self.virtual_services.iter(), namespace)
    }

    /// Those of some VirtualServices that a namespace may see, in the order in which they apply.
    pub fn seen_rules<'a>(
        &self,
        some: impl Iterator<Item = &'a Arc<VirtualService>>,
        namespace: &str,
    ) -> Vec<&'a VirtualService> {
        let default = &self.config.default_virtual_service_export;
        ranked(some.map(|vs| &**vs), |vs| export_rank(&vs.export, default, &vs.namespace, namespace))
    }
}

fn ranked<'a, T>(items: impl Iterator<Item = &'a T>, rank: impl Fn(&'a T) -> Option<u8>) -> Vec<&'a T> {
    let mut all: Vec<(u8, &T)> = items.filter_map(|item| Some((rank(item)?, item))).collect();
    all.sort_by_key(|(rank, _)| *rank);
    all.into_iter().map(|(_, item)| item).collect()
}

/// How a namespace sees something: 0 private of its own, 1 exported to it, 2 public, `None` not at all.
pub fn export_rank(export: &Option<Vec<String>>, default: &[String], owner: &str, namespace: &str) -> Option<u8> {
    let set: &[String] = export.as_deref().unwrap_or(default);
    let has = |word: &str| set.iter().any(|s| s == word);
    match () {
        () if has("*") || set.is_empty() => Some(2),
        () if has("~") => None,
        () if owner == namespace && (has(".") || has(namespace)) => Some(0),
        () if has(namespace) => Some(1),
        () => None,
    }
}

/// A setting in the environment of the control plane's istiod.
pub fn istiod_env(snapshot: &Snapshot, options: &Options, name: &str) -> Option<String> {
    let istiod = snapshot.find("apps", "Deployment", &options.root_namespace, &options.of_revision("istiod"))?;
    let containers = istiod.at(&["spec", "template", "spec", "containers"]).as_array()?;
    let env = containers.iter().flat_map(|c| c.get("env").and_then(Value::as_array).into_iter().flatten());
    let found = env.filter(|e| e.get("name").and_then(Value::as_str) == Some(name)).find_map(|e| e.get("value")?.as_str());
    found.map(String::from)
}

/// Who a proxy is, as far as its configuration depends on it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    pub gateway: bool,
    pub namespace: String,
    pub labels: BTreeMap<String, String>,
}

/// What one proxy sees.
#[derive(Debug)]
pub struct Scope<'a> {
    /// One per host name, merged; with listeners and routes.
    pub services: Vec<Arc<Service>>,
    /// Only reached as destinations of imported VirtualServices: clusters, nothing else.
    pub destinations: Vec<Arc<Service>>,
    pub rules: Vec<&'a VirtualService>,
    pub registry_only: bool,
    pub policy: Cause,
    pub not_modelled: Vec<Cause>,
    /// The Sidecar resource that narrows the view.
    pub sidecar: Option<Arc<Object>>,
    found: Found,
}

/// What a scope is asked for by host.
#[derive(Debug, Default)]
struct Found {
    services: OnceLock<HashMap<String, Arc<Service>>>,
    rules: OnceLock<Hosts<usize>>,
}

/// The objects that a scope is made of: all of them, or those that matter to one question (see `slice`).
pub struct Offer<'a> {
    /// In order.
    pub services: Vec<&'a Arc<Service>>,
    /// In order.
    pub rules: Vec<&'a Arc<VirtualService>>,
}

impl Base {
    /// Everything there is.
    pub fn offer(&self) -> Offer<'_> {
        Offer { services: self.services.iter().collect(), rules: self.virtual_services.iter().collect() }
    }
}

impl<'a> Scope<'a> {
    /// The service with this host, as listeners and routes know it, or as a mere destination.
    pub fn service(&self, host: &str) -> Option<&Arc<Service>> {
        let all = self.services.iter().chain(&self.destinations);
        let by_host = self.found.services.get_or_init(|| {
            let mut by_host = HashMap::new();
            for service in all {
                by_host.entry(service.host.clone()).or_insert_with(|| service.clone());
            }
            by_host
        });
        by_host.get(host)
    }

    /// The rules with a host that has a name in common with this one, in order.
    pub fn rules_overlapping(&self, host: &str) -> Vec<&'a VirtualService> {
        let by_host = self.found.rules.get_or_init(|| {
            let mut by_host = Hosts::default();
            for (i, vs) in self.rules.iter().enumerate() {
                let place = Arc::new(i);
                vs.hosts.iter().for_each(|h| by_host.add(h, &place));
            }
            by_host
        });
        let mut found = Vec::new();
        by_host.overlapping(host, usize::MAX, &mut found);
        let mut places: Vec<usize> = found.into_iter().map(|place| **place).collect();
        places.sort_unstable();
        places.dedup();
        let rules = places.into_iter().filter_map(|i| self.rules.get(i).copied());
        rules.filter(|vs| vs.hosts.iter().any(|h| overlaps(h, host))).collect()
    }
}

/// What a sidecar of this identity sees.
pub fn sidecar_scope<'a>(base: &'a Base, id: &Identity, offer: &Offer<'a>) -> Scope<'a> {
    let sidecar = pick_sidecar(base, id);
    let hosts = sidecar.as_ref().map(|s| egress_hosts(s, &id.namespace));
    let visible = base.seen_services(offer.services.iter().copied(), &id.namespace);
    let rules = base.seen_rules(offer.rules.iter().copied(), &id.namespace);
    let imported = |namespace: &str, host: &str| match &hosts {
        None => true,
        Some(patterns) => patterns.iter().any(|(ns, dns)| (ns == "*" || ns == namespace) && covers(dns, host)),
    };
    let rule_imported = |vs: &VirtualService| match &hosts {
        None => true,
        Some(patterns) => {
            patterns.iter().any(|(ns, dns)| (ns == "*" || *ns == vs.namespace) && vs.hosts.iter().any(|h| overlaps(dns, h)))
        }
    };
    let rules: Vec<_> = rules.into_iter().filter(|vs| rule_imported(vs)).collect();
    let own: Vec<&Arc<Service>> = visible.iter().copied().filter(|s| imported(&s.namespace, &s.host)).collect();
    let services = one_per_host(&own, &id.namespace);
    let (registry_only, policy, not_modelled) = policy(base, sidecar.as_deref());
    let mut scope = Scope {
        destinations: Vec::new(),
        services,
        rules,
        registry_only,
        policy,
        not_modelled,
        sidecar,
        found: Found::default(),
    };
    let named: HashSet<&str> = scope.rules.iter().flat_map(|vs| destination_hosts(vs)).collect();
    let there: HashSet<&str> = scope.services.iter().map(|s| s.host.as_str()).collect();
    let missing = |s: &&Arc<Service>| named.contains(s.host.as_str()) && !there.contains(s.host.as_str());
    let missing: Vec<&Arc<Service>> = visible.iter().copied().filter(missing).collect();
    scope.destinations = one_per_host(&missing, &id.namespace);
    scope
}

/// What a gateway in this namespace sees: everything that is exported to its pod's namespace.
pub fn gateway_scope<'a>(base: &'a Base, id: &Identity, offer: &Offer<'a>) -> Scope<'a> {
    let visible = base.seen_services(offer.services.iter().copied(), &id.namespace);
    Scope {
        services: one_per_host(&visible, &id.namespace),
        destinations: Vec::new(),
        rules: base.seen_rules(offer.rules.iter().copied(), &id.namespace),
        registry_only: false,
        policy: Cause::new("default", "gateway", "A gateway has no outbound traffic policy."),
        not_modelled: Vec::new(),
        sidecar: None,
        found: Found::default(),
    }
}

/// Every host that a rule sends to.
pub fn destination_hosts(vs: &VirtualService) -> impl Iterator<Item = &str> {
    let http = vs.http.iter().flat_map(|r| &r.destinations);
    let l4 = vs.tls.iter().chain(&vs.tcp).flat_map(|r| &r.destinations);
    http.chain(l4).map(|d| d.host.as_str())
}

/// The Sidecar of a workload: its namespace's with a matching selector, its namespace's without one, the root namespace's without
/// one; the oldest of each.
pub fn pick_sidecar(base: &Base, id: &Identity) -> Option<Arc<Object>> {
    let selector = |s: &Object| crate::k8s::object::strings(s.at(&["spec", "workloadSelector", "labels"])).len();
    let fits = |s: &Object| {
        let wanted = crate::k8s::object::strings(s.at(&["spec", "workloadSelector", "labels"]));
        wanted.iter().all(|(k, v)| id.labels.get(*k).is_some_and(|have| have == v))
    };
    let oldest = |namespace: &str, selected: bool| {
        let all = base.sidecars.iter().filter(|s| s.namespace() == namespace && (selector(s) > 0) == selected && fits(s));
        all.min_by_key(|s| (s.str_at(&["metadata", "creationTimestamp"]).to_string(), s.name().to_string())).cloned()
    };
    oldest(&id.namespace, true).or_else(|| oldest(&id.namespace, false)).or_else(|| oldest(&base.root, false))
}

/// `NAMESPACE/PATTERN` of every egress listener, with `.` resolved.
fn egress_hosts(sidecar: &Object, namespace: &str) -> Vec<(String, String)> {
    let egress = sidecar.at(&["spec", "egress"]).as_array();
    let Some(egress) = egress.filter(|e| !e.is_empty()) else { return vec![("*".into(), "*".into())] };
    let hosts = egress.iter().flat_map(|e| strings(e.get("hosts").unwrap_or(&Value::Null)));
    let split = |host: String| match host.split_once('/') {
        Some((".", dns)) => Some((namespace.to_string(), dns.to_string())),
        Some(("~", _)) => None,
        Some((ns, dns)) => Some((ns.to_string(), dns.to_string())),
        None => Some(("*".into(), host)),
    };
    hosts.filter_map(split).collect()
}

fn policy(base: &Base, sidecar: Option<&Object>) -> (bool, Cause, Vec<Cause>) {
    let mut not_modelled: Vec<Cause> = base.config.not_modelled.iter().cloned().collect();
    let mesh = (base.config.registry_only, base.config.policy.clone());
    let Some(sidecar) = sidecar else { return (mesh.0, mesh.1, not_modelled) };
    let object = sidecar.key().to_string();
    let egress = sidecar.at(&["spec", "egress"]).as_array().map_or(&[][..], Vec::as_slice);
    for (i, listener) in egress.iter().enumerate() {
        if let Some(name) = ["port", "bind", "captureMode"].into_iter().find(|k| listener.get(k).is_some_and(|v| !v.is_null())) {
            let field = format!("spec.egress[{i}].{name}");
            not_modelled.push(Cause::new(&object, &field, "Egress listeners with their own port or bind are not modelled."));
        }
    }
    let written = sidecar.at(&["spec", "outboundTrafficPolicy"]);
    if !written.is_object() {
        return (mesh.0, mesh.1, not_modelled);
    }
    if !sidecar.at(&["spec", "outboundTrafficPolicy", "egressProxy"]).is_null() {
        let field = "spec.outboundTrafficPolicy.egressProxy";
        not_modelled.push(Cause::new(&object, field, "An egress proxy for unknown hosts is not modelled."));
    }
    let field = "spec.outboundTrafficPolicy.mode";
    let (registry_only, text) = match written.get("mode").and_then(Value::as_str) {
        Some("ALLOW_ANY") => (false, "The Sidecar lets unregistered hosts out (ALLOW_ANY)."),
        Some(_) => (true, "The Sidecar lets only registered hosts out (REGISTRY_ONLY)."),
        None => (true, "The policy is present without a mode, and the enum's zero value is REGISTRY_ONLY."),
    };
    (registry_only, Cause::new(&object, field, text), not_modelled)
}

/// One service per host name: the proxy's own namespace wins, then Kubernetes, then the first; objects of the winning namespace are
/// merged (Istio: oldest first, ports of the others added when they agree).
fn one_per_host(visible: &[&Arc<Service>], namespace: &str) -> Vec<Arc<Service>> {
    let mut by_host: HashMap<&str, Vec<&Arc<Service>>> = HashMap::new();
    let mut order: Vec<&str> = Vec::new();
    for service in visible {
        let group = by_host.entry(&service.host).or_default();
        if group.is_empty() {
            order.push(&service.host);
        }
        group.push(service);
    }
    let pick = |host: &str| {
        let group = &by_host[host];
        let own = group.iter().find(|s| s.namespace == namespace);
        let winner = own.or_else(|| group.iter().find(|s| s.from == From::Kubernetes)).or_else(|| group.first())?;
        let mut same: Vec<&Arc<Service>> = group.iter().copied().filter(|s| s.namespace == winner.namespace).collect();
        same.sort_by(|a, b| {
            (a.from != From::Kubernetes, &a.created, &a.object).cmp(&(b.from != From::Kubernetes, &b.created, &b.object))
        });
        Some(merge(&same))
    };
    order.into_iter().filter_map(pick).collect()
}

fn merge(same: &[&Arc<Service>]) -> Arc<Service> {
    if let [only] = same {
        return (*only).clone();
    }
    let mut merged = Service::clone(same[0]);
    for other in &same[1..] {
        let agrees = (other.resolution, other.from, &other.selector, &other.export)
            == (merged.resolution, merged.from, &merged.selector, &merged.export);
        for port in &other.ports {
            if merged.port(port.number).is_none() {
                let mut port = port.clone();
                port.orphan = !agrees;
                merged.ports.push(port);
            }
        }
        for vip in &other.vips {
            if !merged.vips.contains(vip) {
                merged.vips.push(*vip);
            }
        }
    }
    Arc::new(merged)
}
