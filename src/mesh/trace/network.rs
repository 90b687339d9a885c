//! The network between pods and the world: who receives a connection to an address.

use super::wire::{Connection, Got, Source, What, Wire};
use super::{Ctx, firewall, inbound, server};
use crate::base::outcome::{At, Outcome};
use crate::k8s::Object;
use crate::mesh::Cause;
use crate::mesh::model::resident::Role;
use crate::mesh::policy::network::Protocol;
use serde_json::Value;
use std::net::IpAddr;

/// Opens a connection to an address and sends what is on the wire.
pub fn reach(ctx: &mut Ctx<'_>, source: Source, ip: IpAddr, port: u16, wire: Wire) -> Got {
    if ip.is_loopback() {
        let pod = ctx.client;
        return server::own_pod(ctx, pod, Connection { source, target: (ip, port) }, wire);
    }
    if let Some(service) = ctx.model.service_at(ip) {
        let service = service.clone();
        return to_service(ctx, &service, source, port, wire);
    }
    if let Some(cause) = firewall::blocks(ctx, source.0, (ip, port), Protocol::Tcp) {
        return dropped(cause);
    }
    if let Some(pod) = ctx.model.pod_at(ip) {
        let pod = pod.clone();
        let connection = Connection { source, target: (ip, port) };
        let who = ctx.model.resident(&pod);
        return match who.role {
            Role::Gateway => server::gateway(ctx, &who, connection, wire),
            Role::Sidecar => inbound::injected(ctx, &who, connection, wire),
            Role::Plain => match ctx.model.unmodelled_for(&pod) {
                Some(cause) => Got::not_modelled(cause),
                None => server::plain(ctx, &pod, connection, wire),
            },
        };
    }
    server::outside(ctx, Connection { source, target: (ip, port) }, wire)
}

/// What a NetworkPolicy does with a packet: nothing comes back.
fn dropped(cause: Cause) -> Got {
    Got::end(What::Dropped, Outcome::BlockedNetworkPolicy, At::Network, cause)
}

/// kube-proxy: a cluster address to one of the ready endpoints.
fn to_service(ctx: &mut Ctx<'_>, service: &Object, source: Source, port: u16, wire: Wire) -> Got {
    let object = service.key().to_string();
    let ports = service.at(&["spec", "ports"]).as_array().cloned().unwrap_or_default();
    let Some(i) = ports.iter().position(|p| p.get("port").and_then(Value::as_u64) == Some(u64::from(port))) else {
        let cause = Cause::new(&object, "spec.ports", format!("The Service has no port {port}; nothing answers there."));
        return Got::end(What::Dropped, Outcome::UpstreamUnavailable, At::Network, cause);
    };
    let mut endpoints = Vec::new();
    for service in ctx.model.services_of(&object) {
        endpoints.extend(service.port(port).map(|p| p.endpoints.clone()).unwrap_or_default());
    }
    let pick = ctx.chance("kube-proxy") as usize % endpoints.len().max(1);
    match endpoints.get(pick).map(|e| (e.host.clone(), e.port)) {
        Some((crate::mesh::proxy::EndpointHost::Address(ip), target)) => reach(ctx, source, ip, target, wire),
        _ if service.name() == "kubernetes" && service.namespace() == "default" => {
            to_api_server(ctx, service, source, (i, port), wire)
        }
        _ => {
            let field = format!("spec.ports[{i}]");
            let cause = Cause::new(&object, &field, "The Service has no ready endpoint.");
            Got::end(What::Refused, Outcome::UpstreamUnavailable, At::Network, cause)
        }
    }
}

/// The API server runs on a node: a policy sees the node's address and the port behind the Service.
fn to_api_server(ctx: &mut Ctx<'_>, service: &Object, source: Source, at: (usize, u16), wire: Wire) -> Got {
    let (i, port) = at;
    let nodes = ctx.model.snapshot().list("", "Node");
    let addresses = nodes.filter_map(|n| n.at(&["status", "addresses"]).as_array()).flatten();
    let internal = addresses.filter(|a| a.get("type").and_then(Value::as_str) == Some("InternalIP"));
    let mut ips = internal.filter_map(|a| a.get("address")?.as_str()?.parse().ok());
    let own = service.str_at(&["spec", "clusterIP"]).parse().ok();
    let target = service.at(&["spec", "ports"]).get(i).and_then(|p| p.get("targetPort")?.as_u64()).map_or(port, |n| n as u16);
    let blocked = ips.next().or(own).and_then(|ip| firewall::blocks(ctx, source.0, (ip, target), Protocol::Tcp));
    blocked.map_or_else(|| server::api_server(ctx, wire), dropped)
}
