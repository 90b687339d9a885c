//! The part of a large mesh that matters to one request. Deriving a proxy from this part only gives the same listener chain, virtual
//! host and cluster for that request as deriving it from everything (a property test compares them), in a time that does not grow
//! with the mesh. Where that is not sure the answer is `None`, and everything is taken.

use super::delegate;
use super::gateway::{Gateway, listen_port};
use super::index::TRIED;
use super::order::in_order;
use super::registry::{Resolution, Service};
use super::rules::{VirtualService, covers, overlaps};
use super::scope::{Base, Identity, Offer, export_rank, sidecar_scope};
use super::touched::Reads;
use crate::base::shared::Text;
use crate::k8s::Snapshot;
use crate::outside::answer::{bare, lower};
use std::borrow::Cow;
use std::collections::HashSet;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

/// Meshes with fewer services and rules than this are always taken whole.
pub const SMALL: usize = 256;
/// A part that grows beyond this is none.
const LARGEST: usize = 1_024;

/// What a proxy sees of a request that decides which of its parts are needed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Question {
    pub ip: Option<IpAddr>,
    pub port: u16,
    /// Server names and the host of HTTP, in lower case, with and without port.
    pub names: Names,
}

/// The names of a question, each once, sorted. Mostly it is one, which the request holds already.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Names {
    #[default]
    None,
    One(Text),
    Several(Arc<[Text]>),
}

impl Deref for Names {
    type Target = [Text];

    fn deref(&self) -> &[Text] {
        match self {
            Names::None => &[],
            Names::One(name) => std::slice::from_ref(name),
            Names::Several(names) => names,
        }
    }
}

impl<'a> FromIterator<&'a Text> for Names {
    fn from_iter<I: IntoIterator<Item = &'a Text>>(names: I) -> Names {
        let mut plain: Option<&Text> = None;
        let mut all: Vec<Text> = Vec::new();
        for name in names {
            match plain {
                Some(known) if known == name => {}
                None if bare(name).len() == name.len() && matches!(lower(name), Cow::Borrowed(_)) => plain = Some(name),
                _ => all.extend([bare(name), lower(name)].map(|form| Text::new(&form))),
            }
        }
        if all.is_empty() {
            return plain.filter(|name| !name.is_empty()).map_or(Names::None, |name| Names::One(name.clone()));
        }
        all.extend(plain.cloned());
        all.retain(|n| !n.is_empty());
        all.sort();
        all.dedup();
        match all.as_slice() {
            [] => Names::None,
            [one] => Names::One(one.clone()),
            several => Names::Several(several.into()),
        }
    }
}

impl Question {
    /// Everything about a connection by which a proxy may choose.
    pub fn of<'a>(ip: IpAddr, port: u16, names: impl IntoIterator<Item = &'a Text>) -> Question {
        Question { ip: Some(ip), port, names: names.into_iter().collect() }
    }
}

/// What has been picked so far.
struct Picked<'a> {
    base: &'a Base,
    services: Vec<&'a Arc<Service>>,
    rules: Vec<&'a Arc<VirtualService>>,
    known_services: HashSet<usize>,
    known_rules: HashSet<usize>,
    reads: Reads,
}

impl<'a> Picked<'a> {
    fn new(base: &'a Base) -> Picked<'a> {
        let (known_services, known_rules) = (HashSet::new(), HashSet::new());
        Picked { base, services: Vec::new(), rules: Vec::new(), known_services, known_rules, reads: Reads::default() }
    }

    fn services(&mut self, found: Vec<&'a Arc<Service>>) {
        for service in found {
            if self.known_services.insert(Arc::as_ptr(service).addr()) {
                self.services.push(service);
            }
        }
    }

    fn rules(&mut self, found: Vec<&'a Arc<VirtualService>>) {
        for rule in found {
            if self.known_rules.insert(Arc::as_ptr(rule).addr()) {
                self.rules.push(rule);
            }
        }
    }

    fn fits(&self) -> Option<()> {
        (self.services.len() + self.rules.len() <= LARGEST).then_some(())
    }

    /// The rules that have a name in common with a host.
    fn rules_for(&mut self, host: &str) -> Option<()> {
        let mut found = Vec::new();
        self.reads.hosts.push(host.to_string());
        self.base.index.rules.overlapping(host, LARGEST, &mut found).then_some(())?;
        self.rules(found);
        self.fits()
    }

    /// Where aliases lead.
    fn follow(&mut self) {
        let mut at = 0;
        while let Some(service) = self.services.get(at).copied() {
            at += 1;
            for host in service.aliases.iter().filter(|_| service.resolution == Resolution::Alias) {
                self.reads.hosts.push(host.clone());
                self.services(self.base.index.of_host(host));
            }
        }
    }

    /// The services that every picked rule sends to, and those of the same hosts as picked ones: they are merged.
    fn complete(mut self) -> Option<(Offer<'a>, Reads)> {
        let base = self.base;
        for i in 0..self.rules.len() {
            for host in delegate::destinations(base, self.rules[i]) {
                self.services(base.index.of_host(&host));
                self.reads.hosts.push(host);
            }
            self.fits()?;
        }
        self.follow();
        for i in 0..self.services.len() {
            let same = base.index.of_host(&self.services[i].host);
            self.reads.hosts.push(self.services[i].host.clone());
            self.services(same);
            self.fits()?;
        }
        self.reads.hosts.sort_unstable();
        self.reads.hosts.dedup();
        Some((Offer { services: in_order(self.services), rules: in_order(self.rules) }, self.reads))
    }
}

/// The part of the mesh that matters to a sidecar for a question.
pub fn for_sidecar<'a>(base: &'a Base, id: &Identity, question: &Question) -> Option<(Offer<'a>, Reads)> {
    let nobody = Offer { services: Vec::new(), rules: Vec::new() };
    if !base.index.is_sure() || !sidecar_scope(base, id, &nobody).parts.is_empty() {
        return None;
    }
    let mut picked = Picked::new(base);
    let names = &*question.names;
    for name in names {
        picked.services(base.index.covering(name));
        // Headless services answer to every name below theirs.
        for part in suffixes(name) {
            picked.services(base.index.of_host(part));
            for host in short_forms(part, &id.namespace) {
                picked.services(base.index.of_host(&host));
            }
        }
        picked.rules(base.index.rules_covering(name));
    }
    let literal = names.iter().filter_map(|n| n.parse().ok());
    for ip in question.ip.into_iter().chain(literal) {
        picked.services(base.index.at_address(ip));
    }
    heads(base, id, question.port, &mut picked)?;
    picked.fits()?;
    // A wildcard rule is used up by the registered hosts under it.
    for i in 0..picked.rules.len() {
        for host in picked.rules[i].hosts.iter().filter(|h| h.starts_with('*') && names.iter().any(|n| covers(h, n))) {
            let mut found = Vec::new();
            picked.reads.hosts.push(host.clone());
            base.index.services.overlapping(host, LARGEST, &mut found).then_some(())?;
            picked.services(found);
        }
        picked.fits()?;
    }
    picked.follow();
    for i in 0..picked.services.len() {
        picked.rules_for(&picked.services[i].host)?;
    }
    picked.complete()
}

/// Whether something with this host, or wildcard, is looked for because of the names of a question alone.
pub fn finds_by_name(namespace: &str, question: &Question, host: &str) -> bool {
    let part_of = |name: &str| suffixes(name).any(|part| part == host || short_forms(part, namespace).iter().any(|s| s == host));
    question.names.iter().any(|name| overlaps(name, host) || part_of(name))
}

/// A name, and what is left of it after each of its dots.
fn suffixes(name: &str) -> impl Iterator<Item = &str> {
    std::iter::once(name).chain(name.match_indices('.').map(|(at, _)| &name[at + 1..]))
}

/// Hosts of Kubernetes services that a name may stand for.
fn short_forms(name: &str, namespace: &str) -> Vec<String> {
    match name.bytes().filter(|b| *b == b'.').count() {
        0 => vec![format!("{name}.{namespace}.svc.cluster.local")],
        1 => vec![format!("{name}.svc.cluster.local")],
        2 if name.ends_with(".svc") => vec![format!("{name}.cluster.local")],
        _ => Vec::new(),
    }
}

/// The first services of each sort that listen on a port: they name the listener, and take what has no name.
fn heads<'a>(base: &'a Base, id: &Identity, port: u16, picked: &mut Picked<'a>) -> Option<()> {
    // A host has the place of the first service that has it, whichever of them brings the port.
    for host in base.index.shared_on(port).take(LARGEST) {
        picked.services(base.index.of_host(host));
        picked.fits()?;
    }
    for eye in [None, Some(id.namespace.as_str())] {
        for sort in base.index.sorts(port, eye) {
            let mut tried = 0;
            for service in base.index.behind(port, sort, eye) {
                tried += 1;
                if tried > TRIED {
                    return None;
                }
                picked.reads.tried = picked.reads.tried.max(tried);
                let same = base.index.of_host(&service.host);
                let stands = stands(base, id, &same, (port, sort));
                picked.services(same);
                if stands {
                    break;
                }
            }
        }
    }
    Some(())
}

/// Whether the proxy sees a service of this sort on the port, when services of one host are merged.
fn stands(base: &Base, id: &Identity, same: &[&Arc<Service>], door: (u16, u8)) -> bool {
    let offer = Offer { services: same.to_vec(), rules: Vec::new() };
    let scope = sidecar_scope(base, id, &offer);
    scope.services.iter().any(|s| s.port(door.0).is_some_and(|p| super::index::sort_of(s, p.protocol) == door.1))
}

/// The part of the mesh that matters to a gateway for a question.
pub fn for_gateway<'a>(base: &'a Base, id: &Identity, snapshot: &Snapshot, question: &Question) -> Option<(Offer<'a>, Reads)> {
    if !base.index.is_sure() {
        return None;
    }
    let mut picked = Picked::new(base);
    for name in question.names.iter() {
        picked.rules(base.index.rules_covering(name));
    }
    let opens = |g: &&Arc<Gateway>| g.selects(id) && g.servers.iter().any(|s| listens(id, snapshot, s.port, question));
    for gateway in base.gateways.iter().filter(opens) {
        let bound = base.index.bound_to(&gateway.reference());
        let default = &base.config.default_virtual_service_export;
        let visible = |vs: &&Arc<VirtualService>| export_rank(&vs.export, default, &vs.namespace, &id.namespace).is_some();
        let bound: Vec<_> = bound.into_iter().filter(visible).collect();
        // Without names the first rules take everything; a server without any rule answers otherwise than one with some.
        picked.rules(bound.iter().copied().filter(|vs| !vs.tcp.is_empty()).collect());
        picked.rules(bound.iter().copied().filter(|vs| !vs.http.is_empty()).take(4).collect());
        picked.rules(bound.iter().copied().filter(|vs| !vs.tls.is_empty()).take(4).collect());
        picked.fits()?;
    }
    // Server names that rules share keep chains of each other out.
    let mut at = 0;
    while let Some(rule) = picked.rules.get(at).copied() {
        for host in rule.hosts.iter().filter(|_| !rule.tls.is_empty()) {
            picked.rules_for(host)?;
        }
        at += 1;
    }
    picked.complete()
}

fn listens(id: &Identity, snapshot: &Snapshot, server_port: u16, question: &Question) -> bool {
    listen_port(id, snapshot, server_port) == Some(question.port)
}

/// Whether an address is one that listeners are made for.
pub fn is_known_address(base: &Base, ip: IpAddr) -> bool {
    !base.index.at_address(ip).is_empty()
}
