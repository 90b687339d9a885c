//! A sidecar's whole configuration.

use super::clusters::Named;
use super::listeners;
use super::registry::Protocol;
use super::routes::Builder;
use super::scope::{Offer, Scope, sidecar_scope};
use super::standing::Viewer;
use super::{clusters, routes};
use crate::base::shared::Text;
use crate::mesh::proxy::{Cluster, Proxy, RouteConfig};
use std::collections::BTreeMap;

/// Derives the configuration of a sidecar from what is offered to it.
pub fn proxy(viewer: Viewer<'_>, offer: &Offer<'_>) -> Proxy {
    let Viewer { base, id, standing } = viewer;
    let scope = sidecar_scope(viewer, offer);
    let builder = Builder { base, id, scope: &scope };
    let (listeners, routes) = (listeners::outbound(&builder), route_configs(&builder, &scope));
    Proxy {
        gateway: false,
        namespace: id.namespace.clone(),
        clusters: all_clusters(&builder, &Named::by(&scope, &listeners, &routes)),
        listeners,
        routes,
        registry_only: scope.beyond.http.is_none(),
        policy: scope.beyond.cause.clone(),
        not_modelled: scope.beyond.not_modelled.iter().cloned().collect(),
        guard: standing.guard.clone(),
    }
}

fn all_clusters(builder: &Builder<'_>, named: &Named<'_>) -> BTreeMap<Text, Cluster> {
    let scope = builder.scope;
    let mut all = clusters::all(builder, named);
    if scope.beyond.dynamic {
        let one = clusters::dynamic(builder.base, scope.beyond.cause.clone());
        all.insert(one.name.clone(), one);
    }
    all
}

fn route_configs(builder: &Builder<'_>, scope: &Scope<'_>) -> BTreeMap<Text, RouteConfig> {
    let mut configs = BTreeMap::new();
    if scope.parts.is_empty() {
        add_configs(builder, &mut configs);
    }
    for part in &scope.parts {
        let builder = Builder { scope: &part.scope, ..*builder };
        match part.egress.port {
            Some((number, _)) if part.egress.is_proxy => {
                configs.entry(number.to_string().into()).or_insert_with(|| builder.proxy_config(&part.egress.cause));
            }
            Some((number, protocol)) => {
                if protocol.is_http() || protocol == Protocol::Auto {
                    configs.entry(number.to_string().into()).or_insert_with(|| builder.sidecar_config(number));
                }
            }
            None => add_configs(&builder, &mut configs),
        }
    }
    if scope.beyond.dynamic {
        configs.insert("allow_any_dynamic_dns".into(), RouteConfig { virtual_hosts: vec![builder.catch_all()] });
    }
    configs
}

fn add_configs(builder: &Builder<'_>, configs: &mut BTreeMap<Text, RouteConfig>) {
    for service in &builder.scope.services {
        for port in service.ports.iter().filter(|p| builder.scope.wants(p.number)) {
            if routes::routed_on(service, port.number) {
                let name = port.number.to_string();
                configs.entry(name.into()).or_insert_with(|| builder.sidecar_config(port.number));
            } else if port.protocol == Protocol::Auto {
                let name = format!("{}:{}", service.host, port.number);
                configs.entry(name.into()).or_insert_with(|| builder.sniffed_config(service, port.number));
            }
        }
    }
}
