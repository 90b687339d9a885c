//! Outbound listeners of a sidecar (Istio: core/listener.go) and the chains of TLS and TCP ports (core/tls.go).

use super::clusters;
use super::egress::Egress;
use super::registry::{From, Protocol, Resolution, Service, ServicePort, contains, network};
use super::routes::Builder;
use super::rules::{Match, VirtualService};
use crate::base::shared::Text;
use crate::mesh::Cause;
use crate::mesh::proxy::{EndpointHost, Filter, FilterChain, Listener, Transport, Weighted};
use crate::outside::answer::lower;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

/// Where a service port is listened for.
enum Place {
    Wildcard,
    Address(IpAddr),
    /// On the wildcard, for destinations in this network.
    Network(IpAddr, u8),
}

/// Listeners in the making.
#[derive(Default)]
struct Drafts {
    all: Vec<Listener>,
    /// How many at the front are closed to more services: a Sidecar's egress listeners with ports of their own.
    locked: usize,
    at: HashMap<(Option<IpAddr>, u16), usize>,
    /// Conditions that a chain of the listener has.
    taken: HashSet<(usize, Arc<[String]>, Vec<(IpAddr, u8)>, bool, bool)>,
    /// The same by the place of the names, which many chains of one rule share: they are not compared again.
    same: HashMap<(usize, usize, Vec<(IpAddr, u8)>, bool, bool), Arc<[String]>>,
}

impl Drafts {
    /// The listener for an address and port, made when there is none yet; `None` for one that is closed.
    fn open(&mut self, address: Option<IpAddr>, port: &ServicePort) -> Option<usize> {
        let at = *self.at.entry((address, port.number)).or_insert_with(|| {
            let name = match address {
                Some(ip) => format!("{ip}_{}", port.number),
                None => format!("0.0.0.0_{}", port.number),
            };
            let cause = port.cause.clone();
            self.all.push(Listener {
                name: name.into(),
                address,
                port: port.number,
                chains: Vec::new(),
                default_chain: None,
                cause,
            });
            self.all.len() - 1
        });
        (at >= self.locked).then_some(at)
    }

    /// A chain whose conditions an earlier one already has is dropped: the oldest service wins.
    fn chain(&mut self, at: usize, chain: FilterChain) {
        let tls = chain.transport == Transport::Tls;
        let same = (at, Arc::as_ptr(&chain.sni).addr(), chain.networks.clone(), chain.http_only, tls);
        if self.same.insert(same, chain.sni.clone()).is_some() {
            return;
        }
        if self.taken.insert((at, chain.sni.clone(), chain.networks.clone(), chain.http_only, tls)) {
            self.all[at].chains.push(chain);
        }
    }

    /// The chain for plain HTTP, before all others.
    fn http(&mut self, at: usize, chain: FilterChain) {
        let chains = &mut self.all[at].chains;
        if !chains.iter().any(|c| matches!(c.filter, Filter::Http(_))) {
            self.taken.insert((at, Arc::default(), Vec::new(), true, false));
            chains.insert(0, chain);
        }
    }
}

/// All outbound listeners, `virtualOutbound` last.
pub fn outbound(builder: &Builder<'_>) -> Vec<Listener> {
    let mut drafts = Drafts::default();
    if builder.scope.parts.is_empty() {
        every_port(builder, &mut drafts, None);
    }
    for part in &builder.scope.parts {
        let builder = Builder { scope: &part.scope, ..*builder };
        match part.egress.port {
            Some(port) => one_port(&builder, &mut drafts, &part.egress, port),
            None => {
                drafts.locked = drafts.all.len();
                every_port(&builder, &mut drafts, part.egress.address());
            }
        }
    }
    let mut drafts = drafts.all;
    for listener in &mut drafts {
        listener.default_chain = Some(policy_chain(builder, Some("PassthroughFilterChain")));
    }
    drafts.sort_by(|a, b| (a.port, &a.name).cmp(&(b.port, &b.name)));
    drafts.push(virtual_outbound(builder));
    drafts
}

/// Listeners for every port of every service.
fn every_port(builder: &Builder<'_>, drafts: &mut Drafts, bind: Option<IpAddr>) {
    for service in builder.scope.services.iter().filter(|s| s.resolution != Resolution::Alias) {
        for port in service.ports.iter().filter(|p| p.protocol != Protocol::Udp && builder.scope.wants(p.number)) {
            add(builder, drafts, service, port, bind);
        }
    }
}

/// A Sidecar's egress listener with a port of its own: the Sidecar says what it speaks.
fn one_port(builder: &Builder<'_>, drafts: &mut Drafts, egress: &Egress, (number, protocol): (u16, Protocol)) {
    for service in builder.scope.services.iter().filter(|s| s.resolution != Resolution::Alias) {
        let declared = service.port(number).or(service.ports.first());
        let Some(declared) = declared else { continue };
        let port = ServicePort { number, protocol, cause: egress.cause.clone(), ..declared.clone() };
        add(builder, drafts, service, &port, egress.address());
    }
}

/// `bind`: an address in place of the service's own.
fn add(builder: &Builder<'_>, drafts: &mut Drafts, service: &Service, port: &ServicePort, bind: Option<IpAddr>) {
    if port.protocol.is_http() {
        if let Some(at) = drafts.open(bind, port) {
            drafts.http(at, http_chain(port.number.to_string(), &port.cause));
        }
        return;
    }
    let places = bind.map_or_else(|| places(service, port), |ip| vec![Place::Address(ip)]);
    for place in places {
        let own_address = matches!(place, Place::Address(_)) && bind.is_none();
        let mut chains = match port.protocol {
            Protocol::Tls => tls_chains(builder, service, port, own_address),
            _ => tcp_chains(builder, service, port),
        };
        let address = match place {
            Place::Address(ip) => Some(ip),
            _ => None,
        };
        if let Place::Network(ip, bits) = place {
            chains.iter_mut().filter(|c| c.networks.is_empty()).for_each(|c| c.networks = vec![(ip, bits)]);
        }
        if port.protocol == Protocol::Auto {
            let config = match service.vips.is_empty() {
                true => port.number.to_string(),
                false => format!("{}:{}", service.host, port.number),
            };
            chains.insert(0, http_chain(config, &port.cause));
        }
        let Some(at) = drafts.open(address, port) else { continue };
        for chain in chains {
            drafts.chain(at, chain);
        }
    }
}

/// Addresses of their own; headless Kubernetes services listen on each pod's address.
fn places(service: &Service, port: &ServicePort) -> Vec<Place> {
    if service.vips.is_empty() {
        if service.from == From::Entry {
            return vec![Place::Wildcard];
        }
        let address = |e: &crate::mesh::proxy::Endpoint| match e.host {
            EndpointHost::Address(ip) => Some(Place::Address(ip)),
            EndpointHost::Name(_) => None,
        };
        return port.endpoints.iter().filter_map(address).collect();
    }
    let place = |&(ip, bits): &(IpAddr, u8)| match bits == if ip.is_ipv4() { 32 } else { 128 } {
        true => Place::Address(ip),
        false => Place::Network(ip, bits),
    };
    service.vips.iter().map(place).collect()
}

fn http_chain(config: String, cause: &Cause) -> FilterChain {
    FilterChain { transport: Transport::Raw, http_only: true, ..bare(Filter::Http(config.into()), cause.clone()) }
}

/// A chain for any connection.
pub fn bare(filter: Filter, cause: Cause) -> FilterChain {
    FilterChain {
        name: None,
        sni: Arc::default(),
        networks: Vec::new(),
        transport: Transport::Any,
        http_only: false,
        terminates: None,
        own: None,
        filter,
        not_modelled: None,
        cause,
    }
}

fn straight(service: &Service, port: &ServicePort) -> Filter {
    let cluster = clusters::name(port.number, "", &service.host);
    Filter::Tcp(vec![Weighted { cluster: cluster.into(), weight: 1, cause: port.cause.clone(), headers: Default::default() }])
}

/// VirtualServices of the mesh that name the service's host.
fn rules_for<'a>(builder: &'a Builder<'_>, service: &'a Service) -> impl Iterator<Item = &'a VirtualService> {
    let all = builder.scope.rules_overlapping(&service.host).into_iter();
    all.filter(|vs| vs.gateways.iter().any(|g| g == "mesh"))
}

/// All static filters of a TLS or TCP match; unlike for HTTP they are all needed.
fn l4_applies(builder: &Builder<'_>, entry: &Match, port: u16) -> bool {
    let gateway = entry.gateways.is_empty() || entry.gateways.iter().any(|g| g == "mesh");
    gateway && builder.source_fits(entry) && entry.port.is_none_or(|p| p == 0 || p == port)
}

fn tls_chains(builder: &Builder<'_>, service: &Service, port: &ServicePort, own_address: bool) -> Vec<FilterChain> {
    let mut chains = Vec::new();
    for vs in rules_for(builder, service) {
        for (i, rule) in vs.tls.iter().enumerate() {
            for (j, entry) in rule.matches.iter().enumerate().filter(|(_, m)| l4_applies(builder, m, port.number)) {
                let cause = Cause::new(&vs.object, format!("spec.tls[{i}].match[{j}]"), "This TLS rule takes the connection.");
                let filter = Filter::Tcp(builder.weighted(&vs.object, &rule.destinations, port.number));
                let networks = entry.destination_subnets.iter().filter_map(|n| network(n)).collect();
                chains.push(FilterChain {
                    sni: entry.sni_hosts.clone(),
                    networks,
                    transport: Transport::Tls,
                    ..bare(filter, cause)
                });
            }
        }
    }
    if chains.is_empty() {
        let mut sni = Vec::new();
        if !own_address || service.resolution == Resolution::Dynamic {
            sni.push(service.host.clone());
            for alias in &service.aliases {
                sni.push(alias.clone());
                sni.extend(builder.short_forms(alias));
            }
        }
        chains.push(FilterChain { sni: sni.into(), ..bare(straight(service, port), port.cause.clone()) });
    }
    chains
}

/// The first TCP rule without subnets ends the search; those with subnets before it are for their destinations only.
fn tcp_chains(builder: &Builder<'_>, service: &Service, port: &ServicePort) -> Vec<FilterChain> {
    let mut chains = Vec::new();
    for vs in rules_for(builder, service) {
        for (i, rule) in vs.tcp.iter().enumerate().filter(|(_, rule)| !rule.destinations.is_empty()) {
            let fitting: Vec<&Match> = rule.matches.iter().filter(|m| l4_applies(builder, m, port.number)).collect();
            let all = rule.matches.is_empty() || fitting.iter().any(|m| m.destination_subnets.is_empty());
            if !all && fitting.is_empty() {
                continue;
            }
            let cause = Cause::new(&*vs.object, format!("spec.tcp[{i}]"), "This TCP rule takes the connection.");
            let chain = bare(Filter::Tcp(builder.weighted(&vs.object, &rule.destinations, port.number)), cause);
            if all {
                chains.push(chain);
                return chains;
            }
            let networks = fitting.iter().flat_map(|m| &m.destination_subnets).filter_map(|n| network(n)).collect();
            chains.push(FilterChain { networks, ..chain });
        }
    }
    chains.push(bare(straight(service, port), port.cause.clone()));
    chains
}

/// What takes connections that nothing else does.
fn policy_chain(builder: &Builder<'_>, name: Option<&'static str>) -> FilterChain {
    let policy = builder.scope.beyond.cause.clone();
    let to = Weighted {
        cluster: builder.scope.beyond.tcp.clone().into(),
        weight: 1,
        cause: policy.clone(),
        headers: Default::default(),
    };
    FilterChain { name: name.map(Text::fixed), ..bare(Filter::Tcp(vec![to]), policy) }
}

fn virtual_outbound(builder: &Builder<'_>) -> Listener {
    let name = "allow_any_dynamic_dns";
    let chain = || FilterChain { name: Some(name.into()), ..http_chain(name.into(), &builder.scope.beyond.cause) };
    Listener {
        name: "virtualOutbound".into(),
        address: None,
        port: 15001,
        chains: builder.scope.beyond.dynamic.then(chain).into_iter().collect(),
        default_chain: Some(policy_chain(builder, Some("virtualOutbound-catchall-tcp"))),
        cause: builder.scope.beyond.cause.clone(),
    }
}

/// The listener for a destination: its own address, the wildcard on its port, `virtualOutbound`.
pub fn find(listeners: &[Listener], ip: IpAddr, port: u16) -> Option<&Listener> {
    let at = |address: Option<IpAddr>| {
        listeners.iter().find(|l| l.port == port && l.address == address && l.name != "virtualOutbound")
    };
    at(Some(ip)).or_else(|| at(None)).or_else(|| listeners.iter().find(|l| l.name == "virtualOutbound"))
}

/// A connection as the inspectors see it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub ip: IpAddr,
    pub tls: bool,
    pub sni: Option<&'a str>,
    /// Plain HTTP/1.1 or HTTP/2; HTTP/1.0 does not count.
    pub http: bool,
}

/// Envoy's choice of a chain: destination network, then SNI, then transport, then application; no way back; else the default.
pub fn choose<'l>(listener: &'l Listener, seen: &Seen<'_>) -> Option<&'l FilterChain> {
    let chains = || listener.chains.iter();
    let widest = |c: &FilterChain| c.networks.iter().filter(|n| contains(**n, seen.ip)).map(|n| n.1).max();
    let bits = chains().filter_map(widest).max();
    let near = |c: &&FilterChain| if bits.is_some() { widest(c) == bits } else { c.networks.is_empty() };
    let sni = lower(seen.sni.unwrap_or(""));
    let fit = |c: &FilterChain| c.sni.iter().filter_map(|p| sni_fit(p, &sni)).max();
    let best = seen.sni.and_then(|_| chains().filter(near).filter_map(fit).max());
    let named = |c: &&FilterChain| if best.is_some() { fit(c) == best } else { c.sni.is_empty() };
    let left = || chains().filter(near).filter(named);
    let transport = |c: &FilterChain| match c.transport {
        Transport::Any => Some(0),
        Transport::Tls => seen.tls.then_some(1),
        Transport::Raw => (!seen.tls).then_some(1),
    };
    let most = left().filter_map(transport).max();
    let fits = |c: &&FilterChain| transport(c).is_some_and(|t| Some(t) == most || !c.http_only);
    let http = || left().filter(fits).find(|c| c.http_only && seen.http);
    let any = || left().filter(fits).find(|c| !c.http_only);
    http().or_else(any).or(listener.default_chain.as_ref())
}

/// How well a server-name pattern fits a name in lower case: exact over long wildcard over short; `*` fits least.
fn sni_fit(pattern: &str, sni: &str) -> Option<usize> {
    match pattern.strip_prefix('*') {
        Some("") => Some(0),
        Some(suffix) => (sni.len() > suffix.len() && sni.ends_with(suffix)).then_some(suffix.len()),
        None => pattern.eq_ignore_ascii_case(sni).then_some(usize::MAX),
    }
}
