//! Clusters (Istio: core/cluster.go, cluster_builder.go, cluster_traffic_policy.go).

use super::{Told, config_path, duration, dynamic, endpoints, from_ads, put, tls, typed};
use crate::mesh::proxy::{Cluster, ClusterKind, Pool};
use serde_json::{Map, Value, json};

/// The type of a cluster's options for HTTP, which is also their key.
pub const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// Whether the endpoints of a cluster are found by EDS.
pub fn is_eds(of: &Cluster) -> bool {
    of.kind == ClusterKind::Eds
}

/// One cluster as CDS has it.
pub fn cluster(_told: &Told<'_>, of: &Cluster) -> Value {
    let mut written = json!({
        "name": of.name,
        "type": kind(of.kind),
        "connect_timeout": duration(of.connect_timeout_ms),
        "circuit_breakers": { "thresholds": [thresholds(of.pool.as_ref())] },
        "common_lb_config": { "locality_weighted_lb_config": {} },
        "alt_stat_name": format!("{};", of.name),
        "metadata": metadata(of),
    });
    match of.kind {
        ClusterKind::Eds => {
            put(&mut written, "eds_cluster_config", Some(json!({ "eds_config": from_ads(), "service_name": of.name })))
        }
        ClusterKind::OriginalDst => {
            let port = of.override_port.map(|p| json!({ "upstream_port_override": p }));
            put(&mut written, "original_dst_lb_config", port);
            put(&mut written, "common_lb_config", Some(json!({})));
        }
        ClusterKind::StrictDns | ClusterKind::LogicalDns => by_name(&mut written, of),
        ClusterKind::Static => put(&mut written, "load_assignment", Some(endpoints::assignment(of))),
        ClusterKind::Dynamic => dynamic::cluster(&mut written, of),
    }
    let provided = matches!(of.kind, ClusterKind::OriginalDst | ClusterKind::Dynamic);
    let policy = if provided { "CLUSTER_PROVIDED" } else { "LEAST_REQUEST" };
    put(&mut written, "lb_policy", Some(json!(policy)));
    let options = http_options(of);
    put(&mut written, "typed_extension_protocol_options", options.map(|o| json!({ HTTP_OPTIONS: typed(HTTP_OPTIONS, o) })));
    match &of.tls {
        Some(how) => put(&mut written, "transport_socket", Some(tls::upstream(of, how))),
        None if of.auto_mtls && of.kind != ClusterKind::OriginalDst => {
            put(&mut written, "transport_socket_matches", Some(tls::auto_mtls(of)));
        }
        None => {}
    }
    written
}

fn kind(of: ClusterKind) -> &'static str {
    match of {
        ClusterKind::Eds => "EDS",
        ClusterKind::StrictDns => "STRICT_DNS",
        ClusterKind::LogicalDns => "LOGICAL_DNS",
        ClusterKind::OriginalDst => "ORIGINAL_DST",
        ClusterKind::Static | ClusterKind::Dynamic => "STATIC",
    }
}

/// Clusters whose endpoints the proxy resolves itself.
fn by_name(written: &mut Value, of: &Cluster) {
    put(written, "dns_lookup_family", Some(json!("V4_ONLY")));
    put(written, "dns_refresh_rate", Some(json!("60s")));
    put(written, "dns_jitter", Some(json!("0.100s")));
    put(written, "respect_dns_ttl", Some(json!(true)));
    let kind = "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig";
    let resolver =
        json!({ "name": "envoy.network.dns_resolver.cares", "typed_config": typed(kind, json!({ "udp_max_queries": 100 })) });
    put(written, "typed_dns_resolver_config", Some(resolver));
    put(written, "load_assignment", Some(endpoints::assignment(of)));
}

/// No limit that anybody reaches, unless a DestinationRule sets one.
fn thresholds(pool: Option<&Pool>) -> Value {
    let most = u64::from(u32::MAX);
    let limit = |of: fn(&Pool) -> u64| pool.map_or(most, |p| of(p).min(most));
    json!({
        "max_connections": limit(|p| p.connections),
        "max_pending_requests": limit(|p| p.pending),
        "max_requests": limit(|p| p.requests),
        "max_retries": most,
        "track_remaining": true,
    })
}

/// Which objects made the cluster.
fn metadata(of: &Cluster) -> Value {
    let mut istio = Map::new();
    if let Some(path) = of.shaped_by.as_ref().and_then(|c| config_path(&c.object)) {
        istio.insert("config".into(), json!(path));
    }
    let subset = of.name.split('|').nth(2).unwrap_or("");
    if !subset.is_empty() {
        istio.insert("subset".into(), json!(subset));
    }
    istio.insert("services".into(), json!([service(of)]));
    json!({ "filter_metadata": { "istio": istio } })
}

/// Host, short name and namespace of the service behind a cluster.
fn service(of: &Cluster) -> Value {
    let object = of.cause.object.split_once(' ').and_then(|(_, n)| n.split_once('/'));
    let namespace = object.map_or("", |(ns, _)| ns);
    let kubernetes = of.host.ends_with(".svc.cluster.local");
    let name = if kubernetes { of.host.split('.').next().unwrap_or("") } else { &of.host };
    json!({ "host": of.host, "name": name, "namespace": namespace })
}

/// HTTP/2 towards the endpoints, names from the request for TLS that the proxy opens.
fn http_options(of: &Cluster) -> Option<Value> {
    let mut options = Map::new();
    if of.client_protocol {
        let both = json!({ "http_protocol_options": {}, "http2_protocol_options": {} });
        options.insert("use_downstream_protocol_config".into(), both);
    } else if of.http2 {
        options.insert("explicit_http_config".into(), json!({ "http2_protocol_options": {} }));
    }
    if let Some(how) = of.tls.as_ref().filter(|t| !t.mesh) {
        let mut auto = Map::new();
        if how.sni.is_none() {
            auto.insert("auto_sni".into(), json!(true));
        }
        if how.sni.is_none() && how.san.is_empty() && !how.insecure {
            auto.insert("auto_san_validation".into(), json!(true));
        }
        if !auto.is_empty() {
            options.insert("upstream_http_protocol_options".into(), Value::Object(auto));
        }
    }
    if options.is_empty() {
        return None;
    }
    if of.client_protocol {
        return Some(Value::Object(options));
    }
    options.entry("explicit_http_config").or_insert_with(|| json!({ "http_protocol_options": {} }));
    Some(Value::Object(options))
}

/// `BlackHoleCluster` everywhere; on sidecars also what leads to where the client wanted to go.
pub fn built_in(told: &Told<'_>) -> Vec<Value> {
    let timeout = duration(told.mesh.connect_timeout_ms);
    let black_hole = json!({
        "name": "BlackHoleCluster", "type": "STATIC", "connect_timeout": timeout, "alt_stat_name": "BlackHoleCluster;",
    });
    if told.proxy.gateway {
        return vec![black_hole];
    }
    let options = json!({
        "common_http_protocol_options": { "idle_timeout": "300s" },
        "use_downstream_protocol_config": { "http_protocol_options": {}, "http2_protocol_options": {} },
    });
    let pass = |name: &str| {
        json!({
            "name": name,
            "type": "ORIGINAL_DST",
            "connect_timeout": timeout,
            "lb_policy": "CLUSTER_PROVIDED",
            "circuit_breakers": { "thresholds": [thresholds(None)] },
            "typed_extension_protocol_options": { HTTP_OPTIONS: typed(HTTP_OPTIONS, options.clone()) },
            "alt_stat_name": format!("{name};"),
        })
    };
    let mut inbound = pass("InboundPassthroughCluster");
    put(&mut inbound, "upstream_bind_config", Some(json!({ "source_address": { "address": "127.0.0.6", "port_value": 0 } })));
    vec![black_hole, inbound, pass("PassthroughCluster")]
}
