//! What a sidecar was told about connections to its own pod: `virtualInbound`, the clusters and routes behind it (Istio:
//! core/listener_inbound.go, filterchain_options.go). Peer metadata and statistics filters of Istio's own build are left out.

use crate::k8s::Object;
use crate::mesh::Model;
use crate::mesh::compile::registry::{From, Protocol};
use crate::mesh::envoy::{Told, extension, filters, socket, typed};
use crate::mesh::proxy::EndpointHost;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The port that the redirect leads inbound connections to.
const INBOUND: u16 = 15006;
const ALL_ALPN: &[&str] = &["istio", "istio-peer-exchange", "istio-http/1.0", "istio-http/1.1", "istio-h2"];
const HTTP_ALPN: &[&str] = &["istio-http/1.0", "istio-http/1.1", "istio-h2"];
const TCP_ALPN: &[&str] = &["istio-peer-exchange", "istio"];
const PLAIN_ALPN: &[&str] = &["http/1.1", "h2c"];

/// A port of the pod that a Service leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The port in the pod.
    pub target: u16,
    /// The port of the first Service.
    pub port: u16,
    pub protocol: Protocol,
    /// `reviews.default.svc.cluster.local`, and all further hosts.
    pub hosts: Vec<String>,
}

/// The ports of the pod that Services lead to, by port.
pub fn served(model: &Model, pod: &Object) -> Vec<Served> {
    let Ok(ip) = pod.str_at(&["status", "podIP"]).parse::<IpAddr>() else { return Vec::new() };
    let mut found: BTreeMap<u16, Served> = BTreeMap::new();
    let services = model.base().services.iter().filter(|s| s.from == From::Kubernetes);
    for service in services.filter(|s| s.namespace == pod.namespace()) {
        for port in &service.ports {
            for endpoint in port.endpoints.iter().filter(|e| e.host == EndpointHost::Address(ip)) {
                let new = || Served { target: endpoint.port, port: port.number, protocol: port.protocol, hosts: Vec::new() };
                let entry = found.entry(endpoint.port).or_insert_with(new);
                if !entry.hosts.contains(&service.host) {
                    entry.hosts.push(service.host.clone());
                }
            }
        }
    }
    found.into_values().filter(|s| s.protocol != Protocol::Udp).collect()
}

/// One chain's conditions and what it ends in.
struct Chain {
    alpn: &'static [&'static str],
    transport: &'static str,
    http: bool,
    /// Mesh TLS ends here.
    mtls: bool,
}

/// The chains of a port in mode PERMISSIVE.
fn permissive(protocol: Option<Protocol>) -> Vec<Chain> {
    let chain = |alpn, transport, http, mtls| Chain { alpn, transport, http, mtls };
    match protocol {
        Some(Protocol::Http | Protocol::Http2) => {
            vec![chain(ALL_ALPN, "tls", true, true), chain(&[], "raw_buffer", true, false)]
        }
        Some(Protocol::Tcp | Protocol::Tls) => {
            vec![chain(ALL_ALPN, "tls", false, true), chain(&[], "tls", false, false), chain(&[], "raw_buffer", false, false)]
        }
        _ => vec![
            chain(HTTP_ALPN, "tls", true, true),
            chain(PLAIN_ALPN, "raw_buffer", true, false),
            chain(TCP_ALPN, "tls", false, true),
            chain(&[], "raw_buffer", false, false),
            chain(&[], "tls", false, false),
        ],
    }
}

/// `virtualInbound`.
pub fn listener(told: &Told<'_>, ports: &[Served]) -> Value {
    let to_nowhere = json!({ "stat_prefix": "BlackHoleCluster", "cluster": "BlackHoleCluster" });
    let tcp = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
    let mut chains = vec![json!({
        "name": "virtualInbound-blackhole",
        "filter_chain_match": { "destination_port": INBOUND },
        "filters": [extension("envoy.filters.network.tcp_proxy", tcp, to_nowhere)],
    })];
    chains.extend(permissive(None).iter().map(|c| chain(told, None, c)));
    for port in ports {
        chains.extend(permissive(Some(port.protocol)).iter().map(|c| chain(told, Some(port), c)));
    }
    let kinds = [("original_dst", "OriginalDst"), ("tls_inspector", "TlsInspector"), ("http_inspector", "HttpInspector")];
    let inspectors = kinds.map(|(name, kind)| {
        let kind = format!("envoy.extensions.filters.listener.{name}.v3.{kind}");
        extension(&format!("envoy.filters.listener.{name}"), &kind, json!({}))
    });
    json!({
        "name": "virtualInbound",
        "address": socket("0.0.0.0", INBOUND),
        "filter_chains": chains,
        "listener_filters": inspectors,
        "listener_filters_timeout": "0s",
        "continue_on_listener_filters_timeout": true,
        "traffic_direction": "INBOUND",
        "access_log": filters::listener_access_log(told),
        "max_connections_to_accept_per_socket_event": 1,
    })
}

fn chain(told: &Told<'_>, port: Option<&Served>, of: &Chain) -> Value {
    let cluster = port.map_or_else(|| "InboundPassthroughCluster".to_string(), |p| format!("inbound|{}||", p.target));
    let mut wanted = json!({ "transport_protocol": of.transport });
    if !of.alpn.is_empty() {
        wanted["application_protocols"] = json!(of.alpn);
    }
    match port {
        Some(port) => wanted["destination_port"] = json!(port.target),
        None => wanted["prefix_ranges"] = json!([{ "address_prefix": "0.0.0.0", "prefix_len": 0 }]),
    }
    let filter = match of.http {
        true => {
            let kind = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
            extension("envoy.filters.network.http_connection_manager", kind, manager(told, port, &cluster))
        }
        false => {
            let proxy = json!({ "stat_prefix": cluster, "cluster": cluster, "access_log": filters::access_log(told) });
            extension("envoy.filters.network.tcp_proxy", "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", proxy)
        }
    };
    let name = match port {
        Some(port) => format!("0.0.0.0_{}", port.target),
        None if of.http => "virtualInbound-catchall-http".into(),
        None => "virtualInbound".into(),
    };
    let mut written = json!({ "name": name, "filter_chain_match": wanted, "filters": [filter] });
    if of.mtls {
        written["transport_socket"] = mesh_tls(of.http);
    }
    written
}

fn manager(told: &Told<'_>, port: Option<&Served>, cluster: &str) -> Value {
    let router = extension("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router", json!({}));
    json!({
        "stat_prefix": format!("inbound_0.0.0.0_{};", port.map_or(0, |p| p.target)),
        "route_config": routes(port, cluster),
        "http_filters": [router],
        "server_name": "istio-envoy",
        "use_remote_address": false,
        "forward_client_cert_details": "APPEND_FORWARD",
        "set_current_client_cert_details": { "subject": true, "dns": true, "uri": true },
        "upgrade_configs": [{ "upgrade_type": "websocket" }],
        "stream_idle_timeout": "0s",
        "normalize_path": true,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "access_log": filters::access_log(told),
    })
}

/// The routes that stand in a chain itself.
fn routes(port: Option<&Served>, cluster: &str) -> Value {
    let number = port.map_or(0, |p| p.port);
    let host = port.and_then(|p| p.hosts.first()).map_or("", String::as_str);
    let never = json!({ "max_stream_duration": "0s", "grpc_timeout_header_max": "0s" });
    json!({
        "name": cluster,
        "virtual_hosts": [{
            "name": format!("inbound|http|{number}"),
            "domains": ["*"],
            "routes": [{
                "match": { "prefix": "/" },
                "route": { "cluster": cluster, "timeout": "0s", "max_stream_duration": never },
                "decorator": { "operation": format!("{host}:{number}/*") },
                "name": "default",
            }],
        }],
        "validate_clusters": false,
    })
}

/// The route configurations of the chains: what `static_route_configs` holds of them.
pub fn route_configs(ports: &[Served]) -> Vec<Value> {
    let mut all = vec![routes(None, "InboundPassthroughCluster")];
    for port in ports {
        let http = permissive(Some(port.protocol)).iter().filter(|c| c.http).count();
        let name = format!("inbound|{}||", port.target);
        all.extend(std::iter::repeat_n(routes(Some(port), &name), http));
    }
    all.insert(1, all[0].clone());
    all
}

/// The clusters towards the pod's own ports.
pub fn clusters(told: &Told<'_>, ports: &[Served]) -> Vec<Value> {
    ports.iter().map(|port| cluster(told, port)).collect()
}

fn cluster(told: &Told<'_>, port: &Served) -> Value {
    let name = format!("inbound|{}||", port.target);
    let most = u32::MAX;
    let service = |host: &String| {
        let mut parts = host.split('.');
        let (name, namespace) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        json!({ "host": host, "name": name, "namespace": namespace })
    };
    let http2 = port.protocol == Protocol::Http2;
    let mut written = json!({
        "name": name,
        "type": "ORIGINAL_DST",
        "connect_timeout": crate::mesh::envoy::duration(told.mesh.connect_timeout_ms),
        "lb_policy": "CLUSTER_PROVIDED",
        "circuit_breakers": { "thresholds": [{
            "max_connections": most, "max_pending_requests": most, "max_requests": most, "max_retries": most, "track_remaining": true,
        }] },
        "cleanup_interval": "60s",
        "upstream_bind_config": { "source_address": { "address": "127.0.0.6", "port_value": 0 } },
        "metadata": { "filter_metadata": { "istio": { "services": port.hosts.iter().map(service).collect::<Vec<_>>() } } },
        "common_lb_config": {},
        "alt_stat_name": format!("{name};"),
    });
    if http2 {
        let kind = crate::mesh::envoy::clusters::HTTP_OPTIONS;
        let options = json!({ "explicit_http_config": { "http2_protocol_options": {} } });
        written["typed_extension_protocol_options"] = json!({ kind: typed(kind, options) });
    }
    written
}

fn mesh_tls(http: bool) -> Value {
    let secret = |name: &str| {
        json!({ "name": name, "sds_config": { "api_config_source": {
            "api_type": "GRPC", "transport_api_version": "V3", "set_node_on_first_message_only": true,
            "grpc_services": [{ "envoy_grpc": { "cluster_name": "sds-grpc" } }],
        }, "initial_fetch_timeout": "0s", "resource_api_version": "V3" } })
    };
    let protocols: &[&str] = if http { &["h2", "http/1.1"] } else { &["istio-peer-exchange", "h2", "http/1.1"] };
    let context = json!({
        "common_tls_context": {
            "tls_params": { "tls_minimum_protocol_version": "TLSv1_2" },
            "alpn_protocols": protocols,
            "tls_certificate_sds_secret_configs": [secret("default")],
            "combined_validation_context": { "default_validation_context": {}, "validation_context_sds_secret_config": secret("ROOTCA") },
        },
        "require_client_certificate": true,
    });
    extension("envoy.transport_sockets.tls", "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", context)
}
