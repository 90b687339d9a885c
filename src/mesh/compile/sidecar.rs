//! A sidecar's whole configuration.

use super::listeners;
use super::registry::Protocol;
use super::routes::Builder;
use super::scope::{Base, Identity, Offer, Scope, sidecar_scope};
use super::{clusters, routes};
use crate::mesh::proxy::{Proxy, RouteConfig};
use std::collections::BTreeMap;

/// Derives the configuration of a sidecar from what is offered to it.
pub fn proxy(base: &Base, id: &Identity, offer: &Offer<'_>) -> Proxy {
    let scope = sidecar_scope(base, id, offer);
    let builder = Builder { base, id, scope: &scope };
    Proxy {
        gateway: false,
        namespace: id.namespace.clone(),
        listeners: listeners::outbound(&builder),
        routes: route_configs(&builder, &scope),
        clusters: clusters::all(base, id, &scope),
        registry_only: scope.registry_only,
        policy: scope.policy.clone(),
        not_modelled: scope.not_modelled.clone(),
        guard: base.policies.guard(id, &base.config),
    }
}

fn route_configs(builder: &Builder<'_>, scope: &Scope<'_>) -> BTreeMap<String, RouteConfig> {
    let mut configs = BTreeMap::new();
    for service in &scope.services {
        for port in &service.ports {
            if routes::routed_on(service, port.number) {
                let name = port.number.to_string();
                configs.entry(name).or_insert_with(|| builder.sidecar_config(port.number));
            } else if port.protocol == Protocol::Auto {
                let name = format!("{}:{}", service.host, port.number);
                configs.entry(name).or_insert_with(|| builder.sniffed_config(service, port.number));
            }
        }
    }
    configs
}
