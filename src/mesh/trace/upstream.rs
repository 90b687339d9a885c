//! The address of a cluster that a request goes to.

use super::{Ctx, Place, firewall};
use crate::mesh::Cause;
use crate::mesh::proxy::{Cluster, ClusterKind, EndpointHost};
use crate::outside::answer::bare_host;
use crate::outside::wire::DnsAnswer;
use std::net::IpAddr;

/// A chosen upstream address.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    pub address: IpAddr,
    pub port: u16,
    pub mtls: bool,
}

/// What a request asks for, as far as the choice of an address depends on it.
pub struct Asks<'a> {
    /// Where the client wanted to go.
    pub dialled: (IpAddr, u16),
    /// The host that a dynamic forward proxy resolves: the authority of HTTP, the server name of TLS.
    pub host: Option<&'a str>,
    pub http: bool,
    pub hop: usize,
}

/// Why there is no address.
#[derive(Debug, Clone, PartialEq)]
pub enum Missing {
    /// The cluster has no endpoint.
    Empty,
    /// The proxy may not ask for the names; who keeps it from that.
    Blocked(Cause),
    /// The dynamic forward proxy did not resolve the host.
    Unresolved,
    /// The cluster looked the host up, since no filter had, and did not find it.
    UnresolvedLate,
    /// The listener has no dynamic forward proxy for this cluster; why.
    NoFilter(Cause),
}

/// One address of the cluster; of several one by weight, as the seed says.
pub fn target(ctx: &Ctx<'_>, place: &Place, cluster: &Cluster, asks: &Asks<'_>) -> Result<Target, Missing> {
    match cluster.kind {
        ClusterKind::OriginalDst => {
            let (address, port) = asks.dialled;
            Ok(Target { address, port: cluster.override_port.unwrap_or(port), mtls: false })
        }
        ClusterKind::Dynamic => dynamic(ctx, place, cluster, asks),
        _ => listed(ctx, place, cluster),
    }
}

/// Another address for a retry, when the cluster has one that did not fail yet.
pub fn other_target(ctx: &Ctx<'_>, (place, cluster): (&Place, &Cluster), failed: &[Target], nth: u32) -> Option<Target> {
    if matches!(cluster.kind, ClusterKind::OriginalDst | ClusterKind::Dynamic) {
        return None;
    }
    let (all, _) = addresses(ctx, place, cluster);
    let fresh: Vec<_> = all.into_iter().filter(|(to, _)| !failed.contains(to)).collect();
    pick(ctx, &format!("{}-retry-{nth}", cluster.name), fresh)
}

fn listed(ctx: &Ctx<'_>, place: &Place, cluster: &Cluster) -> Result<Target, Missing> {
    let (all, missing) = addresses(ctx, place, cluster);
    pick(ctx, &cluster.name, all).ok_or(missing)
}

/// The cluster's addresses with their weights, and why there is none when there is none.
fn addresses(ctx: &Ctx<'_>, place: &Place, cluster: &Cluster) -> (Vec<(Target, u64)>, Missing) {
    let mut all: Vec<(Target, u64)> = Vec::new();
    let mut missing = Missing::Empty;
    for endpoint in &cluster.endpoints {
        let weight = u64::from(endpoint.weight.max(1));
        let at = |address, mtls| Target { address, port: endpoint.port, mtls };
        match &endpoint.host {
            EndpointHost::Address(ip) => all.push((at(*ip, endpoint.mtls), weight)),
            EndpointHost::Name(name) => {
                if let Some(cause) = firewall::blocks_names(ctx.model, &place.who.pod, name) {
                    missing = Missing::Blocked(cause);
                    continue;
                }
                // LOGICAL_DNS keeps the first address of an answer, STRICT_DNS all of them.
                let kept = if cluster.kind == ClusterKind::LogicalDns { 1 } else { usize::MAX };
                let addresses = ctx.addresses(&place.who, name);
                all.extend(addresses.iter().take(kept).map(|ip| (at(*ip, endpoint.mtls), weight)));
            }
        }
    }
    (all, missing)
}

fn pick(ctx: &Ctx<'_>, what: &str, all: Vec<(Target, u64)>) -> Option<Target> {
    if let [(only, _)] = all.as_slice() {
        return Some(only.clone());
    }
    let total: u64 = all.iter().map(|(_, weight)| weight).sum();
    let mut left = ctx.chance(what) % total.max(1);
    for (target, weight) in all {
        if left < weight {
            return Some(target);
        }
        left -= weight;
    }
    None
}

/// A dynamic forward proxy. Istio puts its filter into the sidecar's listener of the service that opens the listener first, and into
/// none of a gateway's. For HTTP the cluster looks the host up itself where no filter has done it; for spliced connections nobody does.
fn dynamic(ctx: &Ctx<'_>, place: &Place, cluster: &Cluster, asks: &Asks<'_>) -> Result<Target, Missing> {
    let everywhere = cluster.name == "AllowAnyDynamicDNSCluster";
    if place.proxy.gateway && !asks.http {
        let text = "A gateway has no dynamic forward proxy for spliced connections, so DYNAMIC_DNS gives it no address.";
        return Err(Missing::NoFilter(Cause::new(&*cluster.cause.object, "spec.resolution", text)));
    }
    let opened_by = ctx.hops.get(asks.hop).and_then(|h| h.listener.as_ref());
    let listener = opened_by.and_then(|name| place.proxy.listeners.iter().find(|l| l.name == *name));
    let own = listener.is_some_and(|l| l.cause.object == cluster.cause.object) && !place.proxy.gateway;
    let Some(host) = asks.host else { return Err(Missing::Empty) };
    if let Some(cause) = firewall::blocks_names(ctx.model, &place.who.pod, bare_host(host).trim_end_matches('.')) {
        return Err(Missing::Blocked(cause));
    }
    let secure = cluster.tls.is_some();
    let written = host.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    let port = match asks.http {
        true => written.unwrap_or(if secure { 443 } else { 80 }),
        false => cluster.port,
    };
    match ctx.model.resolve_for(&place.who, &format!("{}.", bare_host(host).trim_end_matches('.')), ctx.inputs.outside) {
        DnsAnswer::Addresses { addresses, .. } if !addresses.is_empty() => {
            Ok(Target { address: addresses[0], port, mtls: false })
        }
        _ if asks.http && !own && !everywhere => Err(Missing::UnresolvedLate),
        _ => Err(Missing::Unresolved),
    }
}
