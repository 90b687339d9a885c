//! What is there, and what one proxy may see of it: exportTo, Sidecar, and which service a host name means.

use super::alias;
use super::delegate;
use super::destination::{DestinationRule, destination_rule};
use super::discovery;
use super::egress::{Beyond, Egress};
use super::gateway::{Gateway, gateway};
use super::gateway_api;
use super::hosts::Hosts;
use super::index::Index;
use super::labels::Selected;
use super::order::Ordered;
use super::registry::{self, From, Service};
use super::rules::{self, VirtualService, overlaps};
use super::slice::{self, Question};
use super::standing::Viewer;
use crate::k8s::{Object, Snapshot};
use crate::mesh::Options;
use crate::mesh::config::MeshConfig;
use crate::mesh::policy::Policies;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
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
    /// See [`Options::secrets_unread`].
    pub secrets_unread: bool,
    /// The labels that something selects proxies by.
    pub selected: Selected,
    /// What decides besides routing.
    pub policies: Arc<Policies>,
}

impl Base {
    /// Reads the objects of a moment.
    pub fn read(snapshot: &Snapshot, options: &Options) -> Base {
        let root = options.root_namespace.clone();
        let config = MeshConfig::of(snapshot, options);
        let narrowed = discovery::narrowed(snapshot, &config);
        let whole = snapshot;
        let snapshot = narrowed.as_ref().unwrap_or(whole);
        let converted = gateway_api::read(snapshot);
        let written = snapshot.list(NETWORKING, "VirtualService").map(|o| rules::virtual_service(o));
        let gateways = snapshot.list(NETWORKING, "Gateway").map(|o| gateway(o));
        let mut base = Base {
            secrets_unread: options.secrets_unread,
            policies: Arc::new(Policies::read(snapshot, &root, &config)),
            config,
            services: registry::all(snapshot).into_iter().map(Arc::new).collect(),
            virtual_services: written.chain(converted.rules).map(Arc::new).collect(),
            destination_rules: snapshot.list(NETWORKING, "DestinationRule").map(|o| Arc::new(destination_rule(o))).collect(),
            gateways: gateways.chain(converted.gateways).map(Arc::new).collect(),
            sidecars: snapshot.list(NETWORKING, "Sidecar").cloned().collect(),
            scoped_gateways: istiod_env(whole, options, "PILOT_SCOPE_GATEWAY_TO_NAMESPACE").as_deref() == Some("true"),
            index: Index::default(),
            selected: Selected::read(snapshot),
            root,
        };
        base.services.iter().for_each(|s| base.index.add_service(s, &base.config.default_service_export));
        base.virtual_services.iter().for_each(|vs| base.index.add_rule(vs));
        base.virtual_services.iter().for_each(|vs| base.selected.rule(vs));
        base.destination_rules.iter().for_each(|rule| base.selected.destination_rule(rule));
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// What becomes of hosts that nothing names.
    pub beyond: Beyond,
    /// The Sidecar resource that narrows the view.
    pub sidecar: Option<Arc<Object>>,
    /// Its egress listeners, when there are several or one has a port or an address of its own; else empty.
    pub parts: Vec<Part<'a>>,
    /// See [`Offer::question`].
    pub question: Option<&'a Question>,
    found: Found,
}

/// What one egress listener of a Sidecar sees: its own services and rules, the policy of the whole.
#[derive(Debug)]
pub struct Part<'a> {
    pub egress: Egress,
    pub scope: Scope<'a>,
}

/// What a scope is asked for by host, as soon as there is more than a few of it.
#[derive(Debug, Default)]
struct Found {
    services: OnceLock<HashMap<String, Arc<Service>>>,
    rules: OnceLock<Hosts<usize>>,
}

/// So few things are gone through one by one.
pub const FEW: usize = 12;

/// The objects that a scope is made of: all of them, or those that matter to one question (see `slice`).
pub struct Offer<'a> {
    /// In order.
    pub services: Vec<&'a Arc<Service>>,
    /// In order.
    pub rules: Vec<&'a Arc<VirtualService>>,
    /// The question that they matter to; `None`: to any.
    pub question: Option<&'a Question>,
}

impl Base {
    /// Everything there is.
    pub fn offer(&self) -> Offer<'_> {
        Offer { services: self.services.iter().collect(), rules: self.virtual_services.iter().collect(), question: None }
    }
}

impl<'a> Scope<'a> {
    /// Whether listeners and routes of a port are wanted.
    pub fn wants(&self, port: u16) -> bool {
        self.question.is_none_or(|question| question.port == port)
    }

    /// Whether a service may be what the question means by one of its names, as a proxy of this namespace hears them.
    pub fn may_mean(&self, service: &Service, namespace: &str) -> bool {
        let Some(question) = self.question else { return true };
        let named = |host: &str| slice::finds_by_name(namespace, question, host);
        let literal = |ip: &IpAddr| question.names.iter().any(|n| n.parse() == Ok(*ip));
        named(&service.host) || service.aliases.iter().any(|a| named(a)) || service.vips.iter().any(|(ip, _)| literal(ip))
    }

    /// The service with this host, as listeners and routes know it, or as a mere destination.
    pub fn service(&self, host: &str) -> Option<&Arc<Service>> {
        let mut all = self.services.iter().chain(&self.destinations);
        if self.services.len() + self.destinations.len() <= FEW {
            return all.find(|s| s.host == host);
        }
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
        let fits = |vs: &&VirtualService| vs.hosts.iter().any(|h| overlaps(h, host));
        if self.rules.len() <= FEW && self.rules.iter().map(|vs| vs.hosts.len()).sum::<usize>() <= FEW {
            return self.rules.iter().copied().filter(fits).collect();
        }
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
        places.into_iter().filter_map(|i| self.rules.get(i).copied()).filter(fits).collect()
    }
}

/// What a sidecar sees.
pub fn sidecar_scope<'a>(viewer: Viewer<'a>, offer: &Offer<'a>) -> Scope<'a> {
    let sight = Sight { viewer, offer };
    let listeners = &viewer.standing.egress;
    let mut whole = sight.through(&listeners.iter().collect::<Vec<_>>());
    if viewer.standing.has_parts() {
        whole.parts = listeners.iter().map(|listener| sight.part(listener)).collect();
    }
    whole
}

/// From where a sidecar looks at what is offered.
struct Sight<'s, 'a> {
    viewer: Viewer<'a>,
    offer: &'s Offer<'a>,
}

impl<'a> Sight<'_, 'a> {
    /// What these egress listeners import; all there is without any.
    fn through(&self, listeners: &[&Egress]) -> Scope<'a> {
        let Viewer { base, id, standing } = self.viewer;
        let namespace = &id.namespace;
        let visible = base.seen_services(self.offer.services.iter().copied(), namespace);
        let imported = |s: &Service| listeners.is_empty() || listeners.iter().any(|l| l.imports.service(&s.namespace, &s.host));
        let rule_imported = |vs: &VirtualService| listeners.is_empty() || listeners.iter().any(|l| l.imports.rule(vs));
        let rules = base.seen_rules(self.offer.rules.iter().copied(), namespace);
        let own: Vec<&Arc<Service>> = visible.iter().copied().filter(|s| imported(s)).collect();
        let mut scope = Scope {
            services: one_per_host(&own, namespace),
            destinations: Vec::new(),
            rules: rules.into_iter().filter(|vs| rule_imported(vs)).collect(),
            beyond: standing.beyond.clone(),
            sidecar: standing.sidecar.clone(),
            parts: Vec::new(),
            question: self.offer.question,
            found: Found::default(),
        };
        alias::link(&mut scope.services);
        // Without a Sidecar everything that is seen has come in.
        if !listeners.is_empty() {
            scope.destinations = self.missing(&scope, &visible);
        }
        scope
    }

    /// What rules send to and no listener imports.
    fn missing(&self, scope: &Scope<'a>, visible: &[&Arc<Service>]) -> Vec<Arc<Service>> {
        let Viewer { base, id, .. } = self.viewer;
        let named: HashSet<String> = scope.rules.iter().flat_map(|vs| delegate::destinations(base, vs)).collect();
        let there: HashSet<&str> = scope.services.iter().map(|s| s.host.as_str()).collect();
        let missing = |s: &&Arc<Service>| named.contains(&s.host) && !there.contains(s.host.as_str());
        let missing: Vec<&Arc<Service>> = visible.iter().copied().filter(missing).collect();
        one_per_host(&missing, &id.namespace)
    }

    /// What one egress listener has: of services with its port, the port.
    fn part(&self, listener: &Egress) -> Part<'a> {
        let mut scope = self.through(&[listener]);
        for whole in std::mem::take(&mut scope.services) {
            match listener.part(&whole) {
                Some(part) => scope.services.push(part),
                None => scope.destinations.push(whole),
            }
        }
        Part { egress: listener.clone(), scope }
    }
}

/// What a gateway in this namespace sees: everything that is exported to its pod's namespace.
pub fn gateway_scope<'a>(viewer: Viewer<'a>, offer: &Offer<'a>) -> Scope<'a> {
    let Viewer { base, id, standing } = viewer;
    let visible = base.seen_services(offer.services.iter().copied(), &id.namespace);
    Scope {
        services: one_per_host(&visible, &id.namespace),
        destinations: Vec::new(),
        rules: base.seen_rules(offer.rules.iter().copied(), &id.namespace),
        beyond: standing.beyond.clone(),
        sidecar: None,
        parts: Vec::new(),
        question: offer.question,
        found: Found::default(),
    }
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

/// One service per host name: the proxy's own namespace wins, then Kubernetes, then the first; objects of the winning namespace are
/// merged (Istio: oldest first, ports of the others added when they agree).
fn one_per_host(visible: &[&Arc<Service>], namespace: &str) -> Vec<Arc<Service>> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut groups: Vec<Vec<&Arc<Service>>> = Vec::with_capacity(visible.len());
    for service in visible {
        let known = match visible.len() <= FEW {
            true => groups.iter().position(|group| group[0].host == service.host),
            false => Some(*places.entry(&service.host).or_insert(groups.len())),
        };
        match known.and_then(|at| groups.get_mut(at)) {
            Some(group) => group.push(service),
            None => groups.push(vec![service]),
        }
    }
    groups.into_iter().filter_map(|group| winner(&group, namespace)).collect()
}

fn winner(group: &[&Arc<Service>], namespace: &str) -> Option<Arc<Service>> {
    if let [only] = group {
        return Some((*only).clone());
    }
    let own = group.iter().find(|s| s.namespace == namespace);
    let winner = own.or_else(|| group.iter().find(|s| s.from == From::Kubernetes)).or_else(|| group.first())?;
    let mut same: Vec<&Arc<Service>> = group.iter().copied().filter(|s| s.namespace == winner.namespace).collect();
    same.sort_by(|a, b| {
        (a.from != From::Kubernetes, &a.created, &a.object).cmp(&(b.from != From::Kubernetes, &b.created, &b.object))
    });
    Some(merge(&same))
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
            match merged.ports.iter_mut().find(|p| p.number == port.number) {
                // The endpoints of all objects with this host and namespace are one set, by port name.
                Some(have) if have.name == port.name && other.from == merged.from => {
                    if other.resolution != registry::Resolution::DnsRoundRobin {
                        let fresh: Vec<_> = port.endpoints.iter().filter(|e| !have.endpoints.contains(e)).cloned().collect();
                        have.endpoints.extend(fresh);
                    }
                }
                Some(_) => {}
                None => merged.ports.push(registry::ServicePort { orphan: port.orphan || !agrees, ..port.clone() }),
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
