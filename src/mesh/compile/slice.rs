//! The part of a large mesh that matters to one request. Deriving a proxy from this part only gives the same listener chain, virtual
//! host and cluster for that request as deriving it from everything (a property test compares them), in a time that does not grow
//! with the mesh. Where that is not sure the answer is `None`, and everything is taken.

use super::delegate;
use super::gateway::{Gateway, listen_port};
use super::index::{OWN, TRIED};
use super::order::in_order;
use super::registry::{Resolution, Service};
use super::rules::{VirtualService, covers, overlaps};
use super::scope::{Base, Identity, Offer, export_rank, sidecar_scope};
use super::standing::Viewer;
use super::touched::{LEADING, Reads};
use crate::base::shared::Text;
use crate::base::spread::Spread;
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
    known: HashSet<usize, Spread>,
    reads: Reads,
}

impl<'a> Picked<'a> {
    fn new(base: &'a Base) -> Picked<'a> {
        Picked { base, services: Vec::new(), rules: Vec::new(), known: HashSet::default(), reads: Reads::default() }
    }

    fn services(&mut self, found: impl IntoIterator<Item = &'a Arc<Service>>) {
        for service in found {
            if self.known.insert(Arc::as_ptr(service).addr()) {
                self.services.push(service);
            }
        }
    }

    fn rules(&mut self, found: impl IntoIterator<Item = &'a Arc<VirtualService>>) {
        for rule in found {
            if self.known.insert(Arc::as_ptr(rule).addr()) {
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
        self.reads.host(host);
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
                self.reads.host(host);
                self.services(self.base.index.of_host(host));
            }
        }
    }

    /// The services that every picked rule sends to, and those of the same hosts as picked ones: they are merged.
    fn complete(mut self, question: &'a Question) -> Option<(Offer<'a>, Reads)> {
        let base = self.base;
        for i in 0..self.rules.len() {
            for host in delegate::destinations(base, self.rules[i]) {
                self.services(base.index.of_host(&host));
                self.reads.host(&host);
            }
            self.fits()?;
        }
        self.follow();
        for i in 0..self.services.len() {
            let service = self.services[i];
            self.reads.host(&service.host);
            if base.index.may_be_shared(service) {
                self.services(base.index.of_host(&service.host));
            }
            self.fits()?;
        }
        self.reads.hosts.sort_unstable();
        self.reads.hosts.dedup();
        let (services, rules) = (in_order(self.services), in_order(self.rules));
        Some((Offer { services, rules, question: Some(question) }, self.reads))
    }
}

/// The part of the mesh that matters to a sidecar for a question; `heads` are those of its port.
pub fn for_sidecar<'a>(viewer: Viewer<'a>, heads: &'a Heads, question: &'a Question) -> Option<(Offer<'a>, Reads)> {
    let Viewer { base, id, standing } = viewer;
    if !base.index.is_sure() || standing.has_parts() {
        return None;
    }
    let mut picked = Picked::new(base);
    let names = &*question.names;
    for name in names {
        picked.services(base.index.covering(name));
        for host in inside(name, &id.namespace) {
            picked.services(base.index.of_host(&host));
        }
        picked.rules(base.index.rules_covering(name));
    }
    let literal = names.iter().filter_map(|n| n.parse().ok());
    for ip in question.ip.into_iter().chain(literal) {
        picked.services(base.index.at_address(ip));
    }
    picked.services(&heads.services);
    picked.rules(&heads.rules);
    picked.reads.tried = heads.tried;
    picked.fits()?;
    // A wildcard rule is used up by the registered hosts under it, and each registered host of a rule brings all server names of the
    // rule to its ports.
    let asked = |host: &str| names.iter().any(|n| covers(host, n));
    for i in 0..picked.rules.len() {
        let rule = picked.rules[i];
        let all = !rule.tls.is_empty() && rule.hosts.iter().any(|h| asked(h));
        for host in rule.hosts.iter().filter(|h| all || h.starts_with('*') && asked(h)) {
            let mut found = Vec::new();
            picked.reads.host(host);
            base.index.services.overlapping(host, LARGEST, &mut found).then_some(())?;
            picked.services(found);
        }
        picked.fits()?;
    }
    picked.follow();
    for i in 0..picked.services.len() {
        let service = picked.services[i];
        let asked = names.iter().any(|n| *n == service.host) || heads.has(service);
        match asked {
            true => picked.reads.host(&service.host),
            false => picked.rules_for(&service.host)?,
        }
    }
    picked.complete(question)
}

/// Whether something with this host, or wildcard, is looked for because of the names of a question alone.
pub fn finds_by_name(namespace: &str, question: &Question, host: &str) -> bool {
    let tail = |name: &str, end: &str| name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let short = host.strip_suffix(ZONE);
    let own = short.and_then(|s| s.strip_suffix(namespace)?.strip_suffix('.'));
    question.names.iter().any(|name| {
        let within =
            |short: &str| tail(name, host) || tail(name, short) || name.strip_suffix(".svc").is_some_and(|n| tail(n, short));
        overlaps(name, host) || short.is_some_and(within) || own.is_some_and(|own| tail(name, own))
    })
}

const ZONE: &str = ".svc.cluster.local";

/// The hosts of Kubernetes services that a name, or the end of it, may stand for: headless ones answer to every name below theirs.
fn inside(name: &str, namespace: &str) -> Vec<String> {
    let mut all = Vec::new();
    for part in std::iter::once(name).chain(name.match_indices('.').map(|(at, _)| &name[at + 1..])) {
        match part.bytes().filter(|b| *b == b'.').count() {
            0 => all.push(format!("{part}.{namespace}{ZONE}")),
            1 => all.push(format!("{part}{ZONE}")),
            2 if part.ends_with(".svc") => all.push(format!("{part}.cluster.local")),
            _ if part.ends_with(ZONE) => all.push(part.to_string()),
            _ => {}
        }
    }
    all
}

/// The first services of each sort that listen on a port: they name the listener, and take what has no name. And their rules.
#[derive(Debug, Clone)]
pub struct Heads {
    services: Vec<Arc<Service>>,
    rules: Vec<Arc<VirtualService>>,
    /// How many of a sort were tried at most, until one stood.
    pub tried: usize,
}

impl Heads {
    /// Those that a sidecar sees; `None` when they are too many to tell.
    pub fn of(viewer: Viewer<'_>, port: u16) -> Option<Heads> {
        let (base, eye) = (viewer.base, viewer.id.namespace.as_str());
        let mut picked = Picked::new(base);
        // A host has the place of the first service that has it, whichever of them brings the port.
        for host in base.index.shared_on(port).take(LARGEST) {
            picked.services(base.index.of_host(host));
            picked.fits()?;
        }
        for eye in [None, Some(eye)] {
            for sort in base.index.sorts(port, eye) {
                first_of(viewer, (port, sort), eye, &mut picked)?;
            }
        }
        for i in 0..picked.services.len() {
            picked.rules_for(&picked.services[i].host)?;
        }
        let services = picked.services.into_iter().cloned().collect();
        Some(Heads { services, rules: picked.rules.into_iter().cloned().collect(), tried: picked.reads.tried })
    }

    fn has(&self, service: &Arc<Service>) -> bool {
        self.services.iter().any(|s| Arc::ptr_eq(s, service))
    }

    /// Their hosts.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.services.iter().map(|s| s.host.as_str())
    }
}

/// Tries the services of a sort until one stands at the head of the port.
fn first_of<'a>(viewer: Viewer<'a>, door: (u16, u8), eye: Option<&'a str>, picked: &mut Picked<'a>) -> Option<()> {
    let index = &viewer.base.index;
    for (before, service) in index.behind(door.0, door.1, eye).enumerate() {
        if before >= TRIED {
            return None;
        }
        picked.reads.tried = picked.reads.tried.max(before + 1);
        let same = index.of_host(&service.host);
        let stands = stands(viewer, &same, door);
        picked.services(same);
        if stands {
            break;
        }
    }
    Some(())
}

/// Whether the proxy sees a service of this sort on the port, when services of one host are merged.
fn stands(viewer: Viewer<'_>, same: &[&Arc<Service>], door: (u16, u8)) -> bool {
    let offer = Offer { services: same.to_vec(), rules: Vec::new(), question: None };
    let scope = sidecar_scope(viewer, &offer);
    let sort = |s: &Service| s.port(door.0).map(|p| super::index::sort_of(s, p.protocol));
    scope.services.iter().any(|s| s.resolution != Resolution::Alias && sort(s) == Some(door.1 & !OWN))
}

/// The part of the mesh that matters to a gateway for a question.
pub fn for_gateway<'a>(viewer: Viewer<'a>, snapshot: &Snapshot, question: &'a Question) -> Option<(Offer<'a>, Reads)> {
    let Viewer { base, id, .. } = viewer;
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
        picked.rules(bound.iter().copied().filter(|vs| !vs.tcp.is_empty()));
        picked.rules(bound.iter().copied().filter(|vs| !vs.http.is_empty()).take(LEADING));
        picked.rules(bound.iter().copied().filter(|vs| !vs.tls.is_empty()).take(LEADING));
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
    picked.complete(question)
}

fn listens(id: &Identity, snapshot: &Snapshot, server_port: u16, question: &Question) -> bool {
    listen_port(id, snapshot, server_port) == Some(question.port)
}

/// Whether an address is one that listeners are made for.
pub fn is_known_address(base: &Base, ip: IpAddr) -> bool {
    base.index.has_address(ip)
}
