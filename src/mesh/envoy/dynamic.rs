//! Dynamic forward proxies: clusters whose address is looked up when a request comes, and the filters that do it (Istio:
//! core/networkfilter.go, core/cluster_builder.go, xds/filters).

use super::{Told, extension, put, typed};
use crate::mesh::compile::egress::DYNAMIC;
use crate::mesh::proxy::{Cluster, ClusterKind, FilterChain, Listener, Weighted};
use serde_json::{Value, json};

/// The virtual host, route and inline route configuration of the mode ALLOW_ANY_DYNAMIC_DNS.
pub const EVERYWHERE: &str = "allow_any_dynamic_dns";

/// The addresses that a filter and its cluster share. Both have to say the same of a cache of one name.
fn cache(of: &Cluster) -> Value {
    match of.name == DYNAMIC {
        true => json!({ "name": "allow_any_dfp_dns_cache", "dns_lookup_family": "V4_ONLY", "max_hosts": 1024 }),
        false => json!({ "name": format!("{}_dfp_dns_cache", of.host), "dns_lookup_family": "V4_ONLY" }),
    }
}

/// The cluster, which has a type of its own.
pub fn cluster(written: &mut Value, of: &Cluster) {
    let kind = "envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig";
    let mut config = json!({ "dns_cache_config": cache(of) });
    let insecure = of.tls.as_ref().map_or(of.name == DYNAMIC, |t| t.insecure || t.sni.is_some());
    put(&mut config, "allow_insecure_cluster_options", insecure.then_some(json!(true)));
    let custom = json!({ "name": "envoy.clusters.dynamic_forward_proxy", "typed_config": typed(kind, config) });
    if let Some(members) = written.as_object_mut() {
        members.remove("type");
    }
    put(written, "cluster_type", Some(custom));
}

/// The filters that a sidecar's HTTP chain has before its router: the one of the service that opened the listener, and the one for
/// every host.
pub fn http_filters(told: &Told<'_>, of: &Listener) -> Vec<Value> {
    if told.proxy.gateway {
        return Vec::new();
    }
    let clusters = told.proxy.clusters.values().filter(|c| c.kind == ClusterKind::Dynamic);
    let own = |c: &&Cluster| c.name == DYNAMIC || c.host.starts_with('*') && c.cause.object == of.cause.object;
    let kind = "envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig";
    let filter =
        |c: &Cluster| extension("envoy.filters.http.dynamic_forward_proxy", kind, json!({ "dns_cache_config": cache(c) }));
    let mut filters: Vec<Value> = Vec::new();
    for one in clusters.filter(own).map(filter) {
        if !filters.contains(&one) {
            filters.push(one);
        }
    }
    filters
}

/// The filter that looks a server name up, before the TCP proxy of the service's own chain.
pub fn by_server_name(told: &Told<'_>, chain: &FilterChain, to: &[Weighted]) -> Option<Value> {
    let [one] = to else { return None };
    let cluster = told.proxy.clusters.get(&one.cluster).filter(|c| c.kind == ClusterKind::Dynamic && !told.proxy.gateway)?;
    let own = cluster.host.starts_with('*') && cluster.cause.object == chain.cause.object;
    let kind = "envoy.extensions.filters.network.sni_dynamic_forward_proxy.v3.FilterConfig";
    let config = json!({ "dns_cache_config": cache(cluster), "port_value": cluster.port });
    own.then(|| extension("envoy.filters.network.sni_dynamic_forward_proxy", kind, config))
}
