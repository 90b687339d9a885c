//! Clusters of a proxy: one per service port, one more per subset (Istio: core/cluster.go).

use super::destination::{Applied, Subset, applied};
use super::registry::{From, Protocol, Resolution, Service, ServicePort};
use super::routes::Builder;
use super::scope::{Base, Identity, Scope};
use crate::base::shared::Text;
use crate::mesh::Cause;
use crate::mesh::policy::peer::Mtls;
use crate::mesh::proxy::{Action, Cluster, ClusterKind, Endpoint, Filter, Listener, RouteConfig};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// `outbound|80|subset|host`.
pub fn name(port: u16, subset: &str, host: &str) -> String {
    format!("outbound|{port}|{subset}|{host}")
}

/// Which clusters of a scope are needed: where there is a question, those that listeners and routes name, and those of the services
/// that it may mean.
pub struct Named<'p>(Option<BTreeSet<(&'p str, u16)>>);

impl<'p> Named<'p> {
    /// Goes through listeners and routes.
    pub fn by(scope: &Scope<'_>, listeners: &'p [Listener], routes: &'p BTreeMap<Text, RouteConfig>) -> Named<'p> {
        if scope.question.is_none() {
            return Named(None);
        }
        let mut named = BTreeSet::new();
        let mut add = |cluster: &'p str| {
            let mut parts = cluster.splitn(4, '|').skip(1);
            let port = parts.next().and_then(|port| port.parse().ok());
            if let (Some(port), Some(host)) = (port, parts.nth(1)) {
                named.insert((host, port));
            }
        };
        let chains = listeners.iter().flat_map(|l| l.chains.iter().chain(&l.default_chain));
        for filter in chains.map(|chain| &chain.filter) {
            if let Filter::Tcp(to) = filter {
                to.iter().for_each(|weighted| add(&weighted.cluster));
            }
        }
        for route in routes.values().flat_map(|config| &config.virtual_hosts).flat_map(|host| &host.routes) {
            if let Action::Forward(to) = &route.action {
                to.iter().for_each(|weighted| add(&weighted.cluster));
            }
            route.mirrors.iter().for_each(|mirror| add(&mirror.cluster));
        }
        Named(Some(named))
    }

    fn has(&self, service: &Service, port: u16) -> bool {
        self.0.as_ref().is_none_or(|named| named.contains(&(service.host.as_str(), port)))
    }
}

/// All clusters of a proxy but Passthrough and BlackHole.
pub fn all(b: &Builder<'_>, named: &Named<'_>) -> BTreeMap<Text, Cluster> {
    let (base, id, scope) = (b.base, b.id, b.scope);
    let mut clusters = BTreeMap::new();
    let concrete = |s: &&Arc<Service>| s.resolution != Resolution::Alias;
    for service in scope.services.iter().chain(&scope.destinations).filter(concrete) {
        let meant = scope.may_mean(service, &id.namespace);
        let wanted = |p: &&ServicePort| !p.orphan && p.protocol != Protocol::Udp && (meant || named.has(service, p.number));
        let ports: Vec<&ServicePort> = service.ports.iter().filter(wanted).collect();
        if ports.is_empty() {
            continue;
        }
        let rule = applied(base, id, service);
        for port in ports {
            let whole = cluster(base, id, service, port, rule.as_ref(), None);
            clusters.insert(whole.name.clone(), whole);
            for subset in rule.iter().flat_map(|r| &r.subsets).filter(|_| service.resolution != Resolution::Dynamic) {
                let one = cluster(base, id, service, port, rule.as_ref(), Some(subset));
                clusters.insert(one.name.clone(), one);
            }
        }
    }
    clusters
}

fn cluster(
    base: &Base,
    id: &Identity,
    service: &Service,
    port: &ServicePort,
    rule: Option<&Applied>,
    subset: Option<&Subset>,
) -> Cluster {
    let policy = rule.map(|r| r.policy_for(port.number, subset)).unwrap_or_default();
    let kind = if policy.passes_through { ClusterKind::OriginalDst } else { kind(service.resolution, id.gateway) };
    let in_subset = |e: &&Endpoint| subset.is_none_or(|s| s.labels.iter().all(|(k, v)| e.labels.get(k) == Some(v)));
    let mut endpoints: Vec<Endpoint> = match (kind, service.resolution) {
        (ClusterKind::Eds, Resolution::None) if service.from == From::Entry => Vec::new(),
        _ => port.endpoints.iter().filter(in_subset).cloned().collect(),
    };
    let peers = &base.policies.peers;
    if !peers.is_empty() {
        let refuses = |e: &Endpoint| peers.mode(&service.namespace, &e.labels).at(e.port).0 == Mtls::Disable;
        endpoints.iter_mut().filter(|e| e.mtls && refuses(e)).for_each(|e| e.mtls = false);
    }
    let said_tls = policy.tls.is_some();
    let endpoints_count = endpoints.len();
    Cluster {
        name: name(port.number, subset.map_or("", |s| &s.name), &service.host).into(),
        kind,
        host: Text::new(&service.host),
        port: port.number,
        endpoints,
        override_port: port.target,
        http2: port.protocol == Protocol::Http2 || policy.upgrades_to_http2(),
        auto_mtls: base.config.auto_mtls && !service.external && !said_tls,
        tls: policy.upstream_tls(id.gateway),
        client_protocol: policy.uses_client_protocol(),
        pool: policy.pool(),
        tunnel: policy.tunnel.clone(),
        connect_timeout_ms: policy.connect_timeout_ms().unwrap_or(base.config.connect_timeout_ms),
        cause: port.cause.clone(),
        shaped_by: shaped_by(rule, subset),
        not_modelled: policy.not_modelled(endpoints_count).or_else(|| service.not_modelled.clone()),
    }
}

/// The dynamic forward proxy of the mode ALLOW_ANY_DYNAMIC_DNS.
pub fn dynamic(base: &Base, cause: Cause) -> Cluster {
    Cluster {
        name: super::egress::DYNAMIC.into(),
        kind: ClusterKind::Dynamic,
        host: Text::default(),
        port: 0,
        endpoints: Vec::new(),
        override_port: None,
        http2: false,
        auto_mtls: false,
        tls: None,
        connect_timeout_ms: base.config.connect_timeout_ms,
        client_protocol: false,
        pool: None,
        tunnel: None,
        cause,
        shaped_by: None,
        not_modelled: None,
    }
}

fn kind(resolution: Resolution, gateway: bool) -> ClusterKind {
    match resolution {
        Resolution::Eds | Resolution::Static | Resolution::Alias => ClusterKind::Eds,
        Resolution::Dns => ClusterKind::StrictDns,
        Resolution::DnsRoundRobin => ClusterKind::LogicalDns,
        Resolution::Dynamic => ClusterKind::Dynamic,
        Resolution::None if gateway => ClusterKind::Eds,
        Resolution::None => ClusterKind::OriginalDst,
    }
}

fn shaped_by(rule: Option<&Applied>, subset: Option<&Subset>) -> Option<Cause> {
    match subset {
        Some(subset) => Some(subset.cause.clone()),
        None => rule.map(|r| Cause::new(&r.object, "spec.host", "The DestinationRule applies to this host.")),
    }
}
