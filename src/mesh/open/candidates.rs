//! Requests that would show an opening, from what a pod and its proxy were told.

use super::{Candidate, Opening};
use crate::k8s::Object;
use crate::mesh::compile::registry::{From, Protocol, Service, network};
use crate::mesh::compile::scope::export_rank;
use crate::mesh::proxy::{Action, Cluster, ClusterKind, Filter, FilterChain, Listener, Proxy, VirtualHost, Weighted};
use crate::mesh::reach::Ask;
use crate::mesh::survey::names::{ELSEWHERE, Names, bracketed, dial};
use crate::mesh::survey::web_url;
use crate::mesh::trace::server::TLS_PORTS;
use crate::mesh::{Cause, Inputs, Model, capture};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Ports in one exclusion that are tried.
const MAX_PORTS: usize = 100;

/// Everything that is worth trying for one pod.
pub fn of(model: &Model, pod: &Object, inputs: &Inputs<'_>) -> Vec<Candidate> {
    let names = Names::of(model, inputs.outside);
    let mut all: Vec<Candidate> = names
        .outside(&[(80, false), (443, true), (8081, false)])
        .into_iter()
        .map(|ask| Candidate { opening: Opening::Uncaptured, ask, cause: None })
        .collect();
    all.extend(exclusions(pod, &names));
    if let Some(proxy) = model.proxy(pod) {
        let maker = Maker { model, proxy: &proxy, names: &names };
        maker.hosts(&mut all);
        proxy.listeners.iter().for_each(|listener| maker.chains(listener, &mut all));
        maker.exports(pod, &mut all);
    }
    all
}

/// What the pod's own annotations leave out of redirection.
fn exclusions(pod: &Object, names: &Names) -> Vec<Candidate> {
    let object = pod.key().to_string();
    let (host, address) = names.host("");
    let mut all = Vec::new();
    let mut add = |ask: Ask, field: &str, text: String| {
        all.push(Candidate { opening: Opening::Excluded, ask, cause: Some(Cause::new(object.as_str(), field, text)) });
    };
    if let Some((text, field)) = capture::redirection(pod, "-o", "excludeOutboundPorts") {
        for port in text.split(',').take(MAX_PORTS).filter_map(|p| p.trim().parse::<u16>().ok()) {
            add(
                dial(&web_url(&host, port, TLS_PORTS.contains(&port)), &host, port, address),
                &field,
                format!("Port {port} is left out."),
            );
        }
    }
    if let Some((text, field)) = capture::redirection(pod, "-x", "excludeOutboundIPRanges") {
        for net in text.split(',').take(MAX_PORTS).filter_map(|n| network(n.trim())) {
            add(dial(&web_url(&host, 443, true), &host, 443, Some(within(net))), &field, format!("{text} is left out."));
        }
    }
    if let Some((text, field)) = capture::redirection(pod, "-i", "includeOutboundIPRanges").filter(|(t, _)| t.trim() != "*") {
        let ask = dial(&web_url(&host, 443, true), &host, 443, Some(address.unwrap_or(ELSEWHERE)));
        add(ask, &field, format!("Only {text} is redirected."));
    }
    all
}

/// An address in a network, not its first.
fn within((ip, bits): (IpAddr, u8)) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if bits < 32 => {
            IpAddr::V4(Ipv4Addr::from((u32::from(ip) & !((1u64 << (32 - bits)) as u32).wrapping_sub(1)).wrapping_add(1)))
        }
        IpAddr::V6(ip) if bits < 128 => IpAddr::V6(Ipv6Addr::from(u128::from(ip) | 1)),
        ip => ip,
    }
}

struct Maker<'a> {
    model: &'a Model,
    proxy: &'a Proxy,
    names: &'a Names,
}

impl Maker<'_> {
    /// Wildcards among the domains of HTTP, and hosts whose address the client chooses.
    fn hosts(&self, all: &mut Vec<Candidate>) {
        for (name, config) in &self.proxy.routes {
            // `80`; a configuration named after a service belongs to that service's address alone.
            let Ok(port) = name.parse::<u16>() else { continue };
            for host in &config.virtual_hosts {
                self.host(host, port, all);
            }
        }
    }

    fn host(&self, host: &VirtualHost, port: u16, all: &mut Vec<Candidate>) {
        if matches!(host.name.as_str(), "block_all" | "allow_any") {
            return;
        }
        for domain in &host.domains {
            let bare = domain.strip_suffix(&format!(":{port}")).unwrap_or(domain);
            if let Some(suffix) = bare.strip_prefix('*') {
                let (sample, address) = self.names.host(suffix);
                let cause = self.naming(&host.cause, bare, "is a wildcard: every host below it gets through");
                let ask = dial(&web_url(&sample, port, false), &sample, port, address);
                all.push(Candidate { opening: Opening::WildcardHost, ask, cause: Some(cause) });
            } else if self.names.registered.contains(bare) && host.routes.iter().any(|r| self.dials_as_told(&r.action)) {
                let ask = dial(&web_url(bare, port, false), bare, port, Some(self.names.elsewhere()));
                let cause = self.addressless(&host.cause);
                all.push(Candidate { opening: Opening::ClientsAddress, ask, cause: Some(cause) });
            }
        }
    }

    fn dials_as_told(&self, action: &Action) -> bool {
        matches!(action, Action::Forward(to) if self.any_original(to))
    }

    fn any_original(&self, to: &[Weighted]) -> bool {
        let original = |c: &Cluster| c.kind == ClusterKind::OriginalDst && c.name != "PassthroughCluster";
        to.iter().any(|w| self.proxy.clusters.get(&w.cluster).is_some_and(&original))
    }

    /// Chains for server names, networks, or everything on a port.
    fn chains(&self, listener: &Listener, all: &mut Vec<Candidate>) {
        if listener.name == "virtualOutbound" {
            return;
        }
        for chain in &listener.chains {
            let Filter::Tcp(to) = &chain.filter else { continue };
            if to.iter().any(|w| matches!(w.cluster.as_str(), "BlackHoleCluster" | "PassthroughCluster")) {
                continue;
            }
            self.server_names(listener, chain, to, all);
            self.networks(listener, chain, all);
            if chain.sni.is_empty() && chain.networks.is_empty() && listener.address.is_none() {
                let cause = Cause::new(
                    chain.cause.object.as_str(),
                    format!("{} (no spec.addresses)", chain.cause.field),
                    format!("TCP port {} has no addresses, so every connection to it is taken.", listener.port),
                );
                let (host, address) = self.names.host("");
                for url in [web_url(&host, listener.port, true), format!("tcp://{host}:{}", listener.port)] {
                    let ask = dial(&url, &host, listener.port, address);
                    all.push(Candidate { opening: Opening::AnyAddress, ask, cause: Some(cause.clone()) });
                }
            }
        }
    }

    fn server_names(&self, listener: &Listener, chain: &FilterChain, to: &[Weighted], all: &mut Vec<Candidate>) {
        let port = listener.port;
        for name in chain.sni.iter() {
            if let Some(suffix) = name.strip_prefix('*') {
                let (sample, address) = self.names.host(suffix);
                let cause = self.naming(&chain.cause, name, "is a wildcard: every server name below it gets through");
                let address = address.or(listener.address);
                let ask = dial(&web_url(&sample, port, true), &sample, port, address);
                all.push(Candidate { opening: Opening::WildcardServerName, ask, cause: Some(cause) });
            } else if self.any_original(to) && chain.networks.is_empty() && listener.address.is_none() {
                let ask = dial(&web_url(name, port, true), name, port, Some(self.names.elsewhere()));
                let cause = self.addressless(&chain.cause);
                all.push(Candidate { opening: Opening::ClientsAddress, ask, cause: Some(cause) });
            }
        }
    }

    fn networks(&self, listener: &Listener, chain: &FilterChain, all: &mut Vec<Candidate>) {
        for net in chain.networks.iter().filter(|(ip, bits)| *bits < if ip.is_ipv4() { 32 } else { 128 }) {
            let ip = within(*net);
            let text = format!("{}/{} is a network: every address in it gets through on port {}.", net.0, net.1, listener.port);
            let field = match chain.cause.object.starts_with("ServiceEntry ") {
                true => "spec.addresses".to_string(),
                false => format!("{}.destinationSubnets", chain.cause.field),
            };
            let cause = Cause::new(chain.cause.object.as_str(), field, text);
            let ask = Ask::get(&format!("tcp://{}:{}", bracketed(ip), listener.port));
            all.push(Candidate { opening: Opening::Network, ask, cause: Some(cause) });
        }
    }

    /// The object and field that hold a pattern.
    fn naming(&self, decided: &Cause, pattern: &str, what: &str) -> Cause {
        let text = format!("{pattern} {what}.");
        let (object, field) = (decided.object.as_str(), decided.field.as_str());
        let field = match (object.split(' ').next(), self.position(object, pattern)) {
            (Some("ServiceEntry" | "VirtualService"), Some(n)) if !field.starts_with("spec.tls") => format!("spec.hosts[{n}]"),
            (Some("VirtualService"), _) if field.starts_with("spec.tls") => format!("{field}.sniHosts"),
            _ => field.to_string(),
        };
        Cause::new(object, field, text)
    }

    /// Where an object lists a host.
    fn position(&self, object: &str, host: &str) -> Option<usize> {
        let (kind, name) = object.split_once(' ')?;
        let (namespace, name) = name.split_once('/')?;
        let object = self.model.snapshot().find("networking.istio.io", kind, namespace, name)?;
        object.at(&["spec", "hosts"]).as_array()?.iter().position(|h| h.as_str() == Some(host))
    }

    fn addressless(&self, decided: &Cause) -> Cause {
        let text = "The name is checked, but the connection goes to whatever address the client dials.";
        let field = if decided.object.starts_with("ServiceEntry ") { "spec.resolution" } else { decided.field.as_str() };
        Cause::new(decided.object.as_str(), field, text)
    }

    /// Hosts that other namespaces register for everybody.
    fn exports(&self, pod: &Object, all: &mut Vec<Candidate>) {
        let base = self.model.base();
        let default = &base.config.default_service_export;
        let public = |s: &Service| export_rank(&s.export, default, &s.namespace, pod.namespace()) == Some(2);
        for service in base.services.iter().filter(|s| s.from == From::Entry && s.namespace != base.root) {
            if service.namespace == pod.namespace() || !public(service) {
                continue;
            }
            let Some(port) = service.ports.iter().find(|p| p.protocol != Protocol::Udp) else { continue };
            let (host, address) = match service.host.strip_prefix('*') {
                Some(suffix) => self.names.host(suffix),
                None => (service.host.clone(), None),
            };
            let tls = port.protocol == Protocol::Tls || TLS_PORTS.contains(&port.number);
            let vip = service.vips.first().map(|(ip, _)| *ip).filter(|_| port.protocol == Protocol::Tcp);
            let text = format!("{host} is registered in namespace {} and exported to every other.", service.namespace);
            let ask = dial(&web_url(&host, port.number, tls), &host, port.number, vip.or(address));
            let cause = Cause::new(service.object.to_string(), "spec.exportTo", text);
            all.push(Candidate { opening: Opening::Export, ask, cause: Some(cause) });
        }
    }
}
