//! Network filters: HTTP connection manager, TCP proxy, their access logs (Istio: listener_builder.go, networkfilter.go, accesslog.go).

use super::{Told, dynamic, extension, from_ads, put, rbac, routes, some, typed};
use crate::mesh::proxy::{FilterChain, Listener, Weighted};
use crate::mesh::trace::log;
use serde_json::{Value, json};

/// The HTTP connection manager of a chain.
pub fn http_manager(told: &Told<'_>, of: &Listener, config: &str) -> Value {
    let gateway = told.proxy.gateway;
    let mut manager = json!({
        "stat_prefix": format!("outbound_{};", of.name),
        "rds": { "config_source": from_ads(), "route_config_name": config },
        "http_filters": http_filters(told, of),
        "normalize_path": true,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "use_remote_address": gateway,
        "stream_idle_timeout": "0s",
        "upgrade_configs": [{ "upgrade_type": "websocket" }],
        "request_id_extension": {
            "typed_config": typed("envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig", json!({ "use_request_id_for_trace_sampling": true })),
        },
    });
    put(&mut manager, "access_log", some(access_log(told)));
    if gateway {
        let details = json!({ "subject": true, "cert": true, "dns": true, "uri": true });
        put(&mut manager, "server_name", Some(json!("istio-envoy")));
        put(&mut manager, "forward_client_cert_details", Some(json!("SANITIZE_SET")));
        put(&mut manager, "set_current_client_cert_details", Some(details));
        put(&mut manager, "http_protocol_options", Some(json!({})));
    }
    if of.name == "virtualOutbound"
        && let (Some(members), Some(own)) = (manager.as_object_mut(), told.proxy.routes.get(config))
    {
        members.remove("rds");
        members.insert("route_config".into(), routes::config(told, config, own));
        members.insert("stat_prefix".into(), json!(format!("outbound_virtualOutbound_{config};")));
    }
    let kind = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    extension("envoy.filters.network.http_connection_manager", kind, manager)
}

/// What stands before the router in every chain.
fn http_filters(told: &Told<'_>, of: &Listener) -> Value {
    let at = |name: &str, kind: &str, config: Value| {
        extension(&format!("envoy.filters.http.{name}"), &format!("envoy.extensions.filters.http.{kind}"), config)
    };
    let mut filters = if told.proxy.gateway { rbac::filters(told, true) } else { Vec::new() };
    filters.extend([
        at("grpc_stats", "grpc_stats.v3.FilterConfig", json!({ "emit_filter_state": true, "stats_for_all_methods": false })),
        at("fault", "fault.v3.HTTPFault", json!({})),
        at("cors", "cors.v3.Cors", json!({})),
    ]);
    filters.extend(dynamic::http_filters(told, of));
    filters.push(at("router", "router.v3.Router", json!({})));
    Value::Array(filters)
}

/// The cluster without endpoints.
const BLACK_HOLE: &str = "BlackHoleCluster";

/// The TCP proxy of a chain: one destination by name, several by weight.
pub fn tcp(told: &Told<'_>, chain: &FilterChain, to: &[Weighted]) -> Value {
    match to {
        // What names no destination (AUTO_PASSTHROUGH, whose cluster the server name chooses) has this one beneath.
        [] => tcp_proxy(told, BLACK_HOLE, json!({ "cluster": BLACK_HOLE }), true),
        [one] => tcp_proxy(told, &one.cluster, json!({ "cluster": one.cluster }), true),
        several => {
            let share = |w: &Weighted| json!({ "name": w.cluster, "weight": w.weight });
            let clusters: Vec<Value> = several.iter().map(share).collect();
            let prefix = chain.cause.object.split_once(' ').and_then(|(_, n)| n.split_once('/'));
            let prefix = prefix.map_or(String::new(), |(ns, name)| format!("{name}.{ns}"));
            tcp_proxy(told, &prefix, json!({ "weighted_clusters": { "clusters": clusters } }), true)
        }
    }
}

/// A TCP proxy; the loop guard of `virtualOutbound` writes no log.
pub fn tcp_proxy(told: &Told<'_>, prefix: &str, to: Value, logs: bool) -> Value {
    let mut proxy = to;
    put(&mut proxy, "stat_prefix", Some(json!(prefix)));
    put(&mut proxy, "access_log", some(if logs { access_log(told) } else { Vec::new() }));
    extension("envoy.filters.network.tcp_proxy", "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", proxy)
}

/// The file access log of the mesh configuration; empty when there is none.
pub fn access_log(told: &Told<'_>) -> Vec<Value> {
    let mesh = told.mesh;
    if mesh.access_log_file.is_empty() {
        return Vec::new();
    }
    let format = match mesh.access_log_json {
        true => {
            json!({ "json_format": log::json_format(&mesh.access_log_format), "json_format_options": { "sort_properties": true } })
        }
        false => json!({ "text_format_source": { "inline_string": log::text_format(&mesh.access_log_format) } }),
    };
    let kind = "envoy.extensions.access_loggers.file.v3.FileAccessLog";
    vec![extension("envoy.access_loggers.file", kind, json!({ "path": mesh.access_log_file, "log_format": format }))]
}

/// The access log of a listener: connections that no chain takes.
pub fn listener_access_log(told: &Told<'_>) -> Vec<Value> {
    let mut logs = access_log(told);
    for log in &mut logs {
        put(log, "filter", Some(json!({ "response_flag_filter": { "flags": ["NR"] } })));
    }
    logs
}
