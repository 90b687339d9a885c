//! The network between pods and the world: who receives a connection to an address.

use super::wire::{Connection, Got, What, Wire};
use super::{Ctx, inbound, server};
use crate::base::outcome::{At, Outcome};
use crate::k8s::Object;
use crate::mesh::{Cause, capture, resolve};
use serde_json::Value;
use std::net::IpAddr;

/// Opens a connection to an address and sends what is on the wire.
pub fn reach(ctx: &mut Ctx<'_>, source: (Option<IpAddr>, u16), ip: IpAddr, port: u16, wire: Wire) -> Got {
    let snapshot = ctx.model.snapshot();
    if ip.is_loopback() {
        let pod = ctx.client;
        return server::own_pod(ctx, pod, Connection { source, target: (ip, port) }, wire);
    }
    if let Some(service) = resolve::service_at(snapshot, ip) {
        let service = service.clone();
        return to_service(ctx, &service, source, port, wire);
    }
    if let Some(pod) = resolve::pod_at(snapshot, ip) {
        let pod = pod.clone();
        let connection = Connection { source, target: (ip, port) };
        return match capture::proxy_container(&pod) {
            Some(_) if capture::is_gateway(&pod) => server::gateway(ctx, &pod, connection, wire),
            Some(_) => inbound::injected(ctx, &pod, connection, wire),
            None => server::plain(ctx, &pod, connection, wire),
        };
    }
    server::outside(ctx, Connection { source, target: (ip, port) }, wire)
}

/// kube-proxy: a cluster address to one of the ready endpoints.
fn to_service(ctx: &mut Ctx<'_>, service: &Object, source: (Option<IpAddr>, u16), port: u16, wire: Wire) -> Got {
    let object = service.key().to_string();
    let ports = service.at(&["spec", "ports"]).as_array().cloned().unwrap_or_default();
    let Some(i) = ports.iter().position(|p| p.get("port").and_then(Value::as_u64) == Some(u64::from(port))) else {
        let cause = Cause::new(&object, "spec.ports", &format!("The Service has no port {port}; nothing answers there."));
        return Got::end(What::Dropped, Outcome::UpstreamUnavailable, At::Network, cause);
    };
    let mut endpoints = Vec::new();
    for service in ctx.model.services_of(&object) {
        endpoints.extend(service.port(port).map(|p| p.endpoints.clone()).unwrap_or_default());
    }
    let pick = ctx.chance("kube-proxy") as usize % endpoints.len().max(1);
    match endpoints.get(pick).map(|e| (e.host.clone(), e.port)) {
        Some((crate::mesh::proxy::EndpointHost::Address(ip), target)) => reach(ctx, source, ip, target, wire),
        _ if service.name() == "kubernetes" && service.namespace() == "default" => server::api_server(ctx, wire),
        _ => {
            let field = format!("spec.ports[{i}]");
            let cause = Cause::new(&object, &field, "The Service has no ready endpoint.");
            Got::end(What::Refused, Outcome::UpstreamUnavailable, At::Network, cause)
        }
    }
}

/// Whether a NetworkPolicy selects the pod for egress; such policies are not modelled.
pub fn policy_for<'a>(snapshot: &'a crate::k8s::Snapshot, pod: &Object) -> Option<&'a Object> {
    let mut policies = snapshot.list_in("networking.k8s.io", "NetworkPolicy", pod.namespace()).filter(|p| {
        let types = limits_egress(p);
        let wanted = crate::k8s::object::strings(p.at(&["spec", "podSelector", "matchLabels"]));
        types && wanted.iter().all(|(k, v)| pod.label(k) == Some(v))
    });
    // The borrow is of the snapshot, which outlives the namespace text of the pod.
    let found = policies.next()?.key();
    snapshot.get(&found).map(|o| &**o)
}

fn limits_egress(policy: &Object) -> bool {
    let types = crate::mesh::compile::rules::strings(policy.at(&["spec", "policyTypes"]));
    types.iter().any(|t| t == "Egress") || !policy.at(&["spec", "egress"]).is_null()
}
