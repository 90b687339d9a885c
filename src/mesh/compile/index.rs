//! What is asked of the mesh's objects again and again, without going through all of them.

use super::destination::DestinationRule;
use super::hosts::Hosts;
use super::order::{Seat, in_order};
use super::registry::{From, Protocol, Resolution, Service};
use super::rules::{VirtualService, covers};
use crate::k8s::tree::Tree;
use crate::mesh::proxy::EndpointHost;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

/// Added to the sort of a service where its own namespace looks: what is a namespace's own stands before what others export to it.
pub const OWN: u8 = 0x80;

/// Port, what sort of service, and who sees it.
type Door = (u16, u8, Option<Arc<str>>);

/// How many services of a sort are tried at most, see `slice`.
pub const TRIED: usize = 64;

/// The indexes. Copies share what they have in common.
#[derive(Debug, Clone, Default)]
pub struct Index {
    pub services: Hosts<Service>,
    pub rules: Hosts<VirtualService>,
    pub destination_rules: Hosts<DestinationRule>,
    /// VirtualServices by the gateway that they name.
    bound: Under<Arc<str>, VirtualService>,
    objects: Under<Arc<str>, Service>,
    /// By the addresses that a service has for itself, its endpoints' for headless ones.
    addresses: Under<IpAddr, Service>,
    /// Services with networks for addresses.
    networks: Under<(), Service>,
    doors: Tree<(Door, Seat<Service>), ()>,
    /// Ports of hosts that several services have.
    shared: Tree<(u16, Arc<str>), ()>,
    /// How many things there are that these indexes do not find for sure.
    odd: usize,
}

/// Items under keys, in no particular order.
#[derive(Debug)]
struct Under<K, T>(Tree<(K, usize), Arc<T>>);

impl<K: Ord + Clone, T> Clone for Under<K, T> {
    fn clone(&self) -> Under<K, T> {
        Under(self.0.clone())
    }
}

impl<K, T> Default for Under<K, T> {
    fn default() -> Under<K, T> {
        Under(Tree::default())
    }
}

impl<K: Ord + Clone, T> Under<K, T> {
    fn put(&mut self, key: K, item: &Arc<T>) {
        self.0.insert((key, Arc::as_ptr(item).addr()), item.clone());
    }

    fn take(&mut self, key: K, item: &Arc<T>) {
        let key = (key, Arc::as_ptr(item).addr());
        self.0.remove(|there| there.cmp(&key));
    }

    fn at(&self, order: impl Fn(&K) -> Ordering) -> impl Iterator<Item = &Arc<T>> {
        let from = self.0.starting(|(key, _)| order(key).then(Ordering::Greater));
        from.take_while(move |((key, _), _)| order(key) == Ordering::Equal).map(|(_, item)| item)
    }
}

/// A number for services that get the same sort of listener.
pub fn sort_of(service: &Service, protocol: Protocol) -> u8 {
    let protocol = match protocol {
        Protocol::Http | Protocol::Http2 => 0,
        Protocol::Tls => 1,
        Protocol::Tcp => 2,
        Protocol::Auto => 3,
        Protocol::Udp => 4,
    };
    let places = if service.vips.is_empty() { 0 } else { 1 + u8::from(has_network(service)) };
    protocol * 6 + u8::from(service.from == From::Entry) * 3 + places
}

/// Whose eyes something is for: everybody's (`None`), or those of the namespaces it is exported to.
fn eyes(export: &Option<Vec<String>>, default: &[String], owner: &str) -> Vec<Option<Arc<str>>> {
    let set: &[String] = export.as_deref().unwrap_or(default);
    if set.is_empty() || set.iter().any(|s| s == "*") {
        return vec![None];
    }
    let mut all: Vec<_> = set.iter().map(|s| Some(Arc::from(if s == "." { owner } else { s.as_str() }))).collect();
    all.sort();
    all.dedup();
    all
}

/// The addresses that are looked for to find a service, networks by the address that names them.
pub fn own_addresses(service: &Service) -> Vec<IpAddr> {
    let mut all: Vec<IpAddr> = service.vips.iter().map(|(ip, _)| *ip).collect();
    if service.from == From::Kubernetes && service.vips.is_empty() {
        all.extend(service.ports.iter().flat_map(|p| &p.endpoints).filter_map(|e| match e.host {
            EndpointHost::Address(ip) => Some(ip),
            EndpointHost::Name(_) => None,
        }));
    }
    all.sort();
    all.dedup();
    all
}

fn has_network(service: &Service) -> bool {
    service.vips.iter().any(|(ip, bits)| *bits != if ip.is_ipv4() { 32 } else { 128 })
}

/// A host that is no name and no `*SUFFIX`: prefixes match other things than these indexes find.
fn is_odd(host: &str) -> bool {
    match host.strip_prefix('*') {
        Some("") => false,
        Some(rest) => !rest.starts_with('.') || rest.contains('*'),
        None => host.is_empty() || host.contains('*'),
    }
}

fn odd_rule(rule: &VirtualService) -> bool {
    if rule.hosts.iter().any(|h| is_odd(h)) {
        return true;
    }
    let mut names = rule.tls.iter().chain(&rule.tcp).flat_map(|r| &r.matches).flat_map(|m| m.sni_hosts.iter()).peekable();
    if names.peek().is_none() {
        return false;
    }
    let exact: HashSet<&str> = rule.hosts.iter().map(String::as_str).collect();
    let suffixes: HashSet<&str> = rule.hosts.iter().filter_map(|h| h.strip_prefix('*')).collect();
    // A wildcard that is not odd is `*`, or begins with `*.`.
    let below = |sni: &str| sni.match_indices('.').any(|(at, _)| at > 0 && suffixes.contains(&sni[at..]));
    let covered = |sni: &str| exact.contains(sni) || suffixes.contains("") || below(sni);
    names.any(|sni| is_odd(sni) || !covered(&sni.to_ascii_lowercase()))
}

impl Index {
    /// Takes in a service.
    pub fn add_service(&mut self, service: &Arc<Service>, default_export: &[String]) {
        self.services.add(&service.host, service);
        self.note_shared(&service.host);
        self.objects.put(service.object.as_str().into(), service);
        own_addresses(service).into_iter().for_each(|ip| self.addresses.put(ip, service));
        if has_network(service) {
            self.networks.put((), service);
        }
        for door in doors(service, default_export) {
            self.doors.insert((door, Seat::first(service)), ());
        }
        self.odd += usize::from(is_odd(&service.host));
    }

    /// Takes a service out again.
    pub fn remove_service(&mut self, service: &Arc<Service>, default_export: &[String]) {
        let others: Vec<Arc<Service>> = self.services.exactly(&service.host).into_iter().cloned().collect();
        for port in others.iter().flat_map(|s| &s.ports) {
            self.shared.remove(|(p, host)| (*p, &**host).cmp(&(port.number, service.host.as_str())));
        }
        self.services.remove(&service.host, service);
        self.note_shared(&service.host);
        self.objects.take(service.object.as_str().into(), service);
        own_addresses(service).into_iter().for_each(|ip| self.addresses.take(ip, service));
        if has_network(service) {
            self.networks.take((), service);
        }
        for door in doors(service, default_export) {
            let key = (door, Seat::first(service));
            self.doors.remove(|there| there.cmp(&key));
        }
        self.odd -= usize::from(is_odd(&service.host));
    }

    /// Notes the ports of a host that several services have.
    fn note_shared(&mut self, host: &str) {
        let same: Vec<Arc<Service>> = self.services.exactly(host).into_iter().cloned().collect();
        if same.len() < 2 {
            return;
        }
        let host: Arc<str> = host.into();
        for port in same.iter().flat_map(|s| &s.ports) {
            self.shared.insert((port.number, host.clone()), ());
        }
    }

    /// The hosts that several services have, of which one has this port.
    pub fn shared_on(&self, port: u16) -> impl Iterator<Item = &str> {
        let from = self.shared.starting(move |(p, _)| p.cmp(&port).then(Ordering::Greater));
        from.take_while(move |((p, _), ())| *p == port).map(|((_, host), ())| &**host)
    }

    /// Whether another service may have the host of this one.
    pub fn may_be_shared(&self, service: &Service) -> bool {
        let here = |(p, host): &(u16, Arc<str>), port: u16| (*p, &**host).cmp(&(port, service.host.as_str()));
        !self.shared.is_empty()
            && (service.ports.is_empty() || service.ports.iter().any(|p| self.shared.find(|k| here(k, p.number)).is_some()))
    }

    /// Takes in a VirtualService.
    pub fn add_rule(&mut self, rule: &Arc<VirtualService>) {
        rule.hosts.iter().for_each(|host| self.rules.add(host, rule));
        rule.gateways.iter().for_each(|gateway| self.bound.put(gateway.as_str().into(), rule));
        self.odd += usize::from(odd_rule(rule));
    }

    /// Takes a VirtualService out again.
    pub fn remove_rule(&mut self, rule: &Arc<VirtualService>) {
        rule.hosts.iter().for_each(|host| self.rules.remove(host, rule));
        rule.gateways.iter().for_each(|gateway| self.bound.take(gateway.as_str().into(), rule));
        self.odd -= usize::from(odd_rule(rule));
    }

    /// Whether every host is one that these indexes find.
    pub fn is_sure(&self) -> bool {
        self.odd == 0
    }

    /// The services of one object.
    pub fn of_object(&self, object: &str) -> Vec<&Arc<Service>> {
        in_order(self.objects.at(|there| (**there).cmp(object)).collect())
    }

    /// The services with exactly this host.
    pub fn of_host(&self, host: &str) -> Vec<&Arc<Service>> {
        in_order(self.services.exactly(host).into_iter().filter(|s| s.host == host).collect())
    }

    /// The services whose host covers a name.
    pub fn covering(&self, name: &str) -> Vec<&Arc<Service>> {
        let mut found = Vec::new();
        self.services.covering(name, &mut found);
        found.retain(|s| covers(&s.host, name));
        in_order(found)
    }

    /// The services that have an address for themselves, or a network that holds it.
    pub fn at_address(&self, ip: IpAddr) -> Vec<&Arc<Service>> {
        in_order(self.holding(ip).collect())
    }

    /// Whether any service has it, or a network that holds it.
    pub fn has_address(&self, ip: IpAddr) -> bool {
        self.holding(ip).next().is_some()
    }

    fn holding(&self, ip: IpAddr) -> impl Iterator<Item = &Arc<Service>> {
        let exact = self.addresses.at(move |there| there.cmp(&ip));
        let within = move |s: &&Arc<Service>| s.vips.iter().any(|net| super::registry::contains(*net, ip));
        exact.chain(self.networks.at(|()| Ordering::Equal).filter(within))
    }

    /// The sorts of services that have this port, as far as `eye` says who may see them: everybody (`None`) or one namespace.
    pub fn sorts(&self, port: u16, eye: Option<&str>) -> Vec<u8> {
        let mut sorts = Vec::new();
        let mut next = 0;
        loop {
            let mut from = self.doors.starting(|(door, _)| (door.0, door.1).cmp(&(port, next)));
            let Some(sort) = from.next().map(|((door, _), ())| (door.0, door.1)).filter(|door| door.0 == port).map(|door| door.1)
            else {
                return sorts;
            };
            if self.behind(port, sort, eye).next().is_some() {
                sorts.push(sort);
            }
            let Some(after) = sort.checked_add(1) else { return sorts };
            next = after;
        }
    }

    /// The services of one sort that have this port, in order.
    pub fn behind<'a>(&'a self, port: u16, sort: u8, eye: Option<&'a str>) -> impl Iterator<Item = &'a Arc<Service>> {
        let meant = (port, sort, eye);
        let from = self.doors.starting(move |((p, s, e), _)| (*p, *s, e.as_deref()).cmp(&meant).then(Ordering::Greater));
        let here = from.take_while(move |(((p, s, e), _), ())| (*p, *s, e.as_deref()) == meant);
        here.map(|((_, seat), ())| &seat.0)
    }

    /// The VirtualServices that name a gateway (`mesh` or `NAMESPACE/NAME`).
    pub fn bound_to(&self, gateway: &str) -> Vec<&Arc<VirtualService>> {
        in_order(self.bound.at(|there| (**there).cmp(gateway)).collect())
    }

    /// The VirtualServices with a host that covers a name.
    pub fn rules_covering(&self, name: &str) -> Vec<&Arc<VirtualService>> {
        let mut found = Vec::new();
        self.rules.covering(name, &mut found);
        found.retain(|vs| vs.hosts.iter().any(|h| covers(h, name)));
        in_order(found)
    }

    /// The DestinationRules whose host covers a service's.
    pub fn destination_rules_for(&self, host: &str) -> Vec<&Arc<DestinationRule>> {
        let mut found = Vec::new();
        self.destination_rules.covering(host, &mut found);
        found.retain(|rule| covers(&rule.host, host));
        in_order(found)
    }
}

impl Index {
    /// The ports of a service, with its place among the services of its sort; places beyond [`TRIED`] are not told apart.
    pub fn places(&self, service: &Arc<Service>, default_export: &[String]) -> Vec<(u16, usize)> {
        let place = |(port, sort, eye): Door| {
            let mut there = self.behind(port, sort, eye.as_deref()).take(TRIED + 1);
            (port, there.position(|s| Arc::ptr_eq(s, service)).unwrap_or(TRIED + 1))
        };
        doors(service, default_export).into_iter().map(place).collect()
    }
}

/// An alias has no listener and stands at no door.
fn doors(service: &Service, default_export: &[String]) -> Vec<Door> {
    if service.resolution == Resolution::Alias {
        return Vec::new();
    }
    let eyes = eyes(&service.export, default_export, &service.namespace);
    let mut all: Vec<Door> = Vec::new();
    for port in &service.ports {
        let sort = sort_of(service, port.protocol);
        let own = |eye: &Option<Arc<str>>| if eye.as_deref() == Some(&*service.namespace) { OWN } else { 0 };
        all.extend(eyes.iter().map(|eye| (port.number, sort | own(eye), eye.clone())));
    }
    all.sort();
    all.dedup();
    all
}
