//! Listeners and filter chains (Istio: core/listener.go, listener_builder.go, gateway.go).

use super::filters::{self, http_manager, tcp_proxy};
use super::{Told, duration, dynamic, extension, put, rbac, socket, some, tls};
use crate::mesh::proxy::{Filter, FilterChain, Listener, Transport};
use serde_json::{Map, Value, json};

/// The port that the redirect leads outbound connections to.
pub const OUTBOUND: u16 = 15001;

/// One listener as LDS has it.
pub fn listener(told: &Told<'_>, of: &Listener) -> Value {
    if of.name == "virtualOutbound" {
        return virtual_outbound(told, of);
    }
    let gateway = told.proxy.gateway;
    let (chains, default) = chains(told, of);
    let address = of.address.map_or("0.0.0.0".to_string(), |ip| ip.to_string());
    let mut listener = json!({
        "name": of.name,
        "address": socket(&address, of.port),
        "filter_chains": chains,
        "traffic_direction": "OUTBOUND",
    });
    put(&mut listener, "default_filter_chain", default);
    put(&mut listener, "listener_filters", some(inspectors(of)));
    put(&mut listener, "access_log", some(filters::listener_access_log(told)));
    if gateway {
        put(&mut listener, "max_connections_to_accept_per_socket_event", Some(json!(1)));
    } else {
        let timeout = sniffs_http(of).then_some(told.protocol_detection_timeout()).flatten().unwrap_or(0);
        put(&mut listener, "listener_filters_timeout", Some(json!(duration(timeout))));
        put(&mut listener, "continue_on_listener_filters_timeout", Some(json!(true)));
        put(&mut listener, "bind_to_port", Some(json!(false)));
    }
    listener
}

impl Told<'_> {
    /// `protocolDetectionTimeout`, which nobody sets: none.
    fn protocol_detection_timeout(&self) -> Option<u64> {
        None
    }
}

/// The listener that the redirect leads to: hands on to the others by original destination, keeps the rest.
fn virtual_outbound(told: &Told<'_>, of: &Listener) -> Value {
    let guard = json!({
        "name": "virtualOutbound-blackhole",
        "filter_chain_match": { "destination_port": OUTBOUND },
        "filters": [tcp_proxy(told, "BlackHoleCluster", json!({ "cluster": "BlackHoleCluster" }), false)],
    });
    let rest = of.chains.iter().chain(&of.default_chain).map(|c| {
        let mut written = chain(told, of, c);
        if c.http_only {
            // Nothing here reads TLS, so no transport is asked for.
            put(&mut written, "filter_chain_match", Some(json!({ "application_protocols": ["http/1.1", "h2c"] })));
            put(&mut written, "name", Some(json!("virtualOutbound-catchall-tcp-http")));
        }
        written
    });
    let mut listener = json!({
        "name": of.name,
        "address": socket("0.0.0.0", of.port),
        "filter_chains": std::iter::once(guard).chain(rest).collect::<Vec<_>>(),
        "use_original_dst": true,
        "traffic_direction": "OUTBOUND",
        "max_connections_to_accept_per_socket_event": 1,
    });
    put(&mut listener, "listener_filters", some(inspectors(of)));
    put(&mut listener, "access_log", some(filters::listener_access_log(told)));
    listener
}

/// The chains with conditions, and the one for everything else. A chain without any condition takes the place of the default chain; when
/// there is no other it stands alone, as Istio writes it.
fn chains(told: &Told<'_>, of: &Listener) -> (Vec<Value>, Option<Value>) {
    let write = |c: &FilterChain| chain(told, of, c);
    if told.proxy.gateway {
        return (of.chains.iter().map(write).collect(), of.default_chain.as_ref().map(write));
    }
    let all = of.chains.iter().find(|c| matches_all(c));
    let rest: Vec<Value> = of.chains.iter().filter(|c| !matches_all(c)).map(write).collect();
    match (all, rest.is_empty()) {
        (Some(all), true) => (vec![write(all)], None),
        (Some(all), false) => (rest, Some(write(all))),
        (None, _) => {
            let mut default = of.default_chain.as_ref().map(write);
            if let Some(default) = &mut default {
                put(default, "filter_chain_match", Some(json!({})));
            }
            (rest, default)
        }
    }
}

fn matches_all(chain: &FilterChain) -> bool {
    let names = chain.sni.is_empty() || chain.sni.iter().any(|s| s == "*");
    names && !chain.http_only && chain.transport != Transport::Raw && chain.networks.is_empty()
}

fn chain(told: &Told<'_>, of: &Listener, chain: &FilterChain) -> Value {
    let filters: Vec<Value> = match &chain.filter {
        Filter::Http(config) => vec![http_manager(told, of, config)],
        Filter::Tcp(to) => {
            let guard = if told.proxy.gateway { rbac::filters(told, false) } else { Vec::new() };
            let look_up = dynamic::by_server_name(told, chain, to);
            guard.into_iter().chain(look_up).chain([filters::tcp(told, chain, to)]).collect()
        }
    };
    let mut written = json!({ "filters": filters });
    put(&mut written, "name", chain.name.as_ref().map(|n| json!(n)));
    put(&mut written, "filter_chain_match", conditions(chain));
    put(&mut written, "transport_socket", chain.terminates.map(|how| tls::downstream(how, chain.own.as_deref(), &chain.filter)));
    let by_rule = matches!(chain.filter, Filter::Tcp(_)).then(|| super::made_by(&chain.cause.object)).flatten();
    let from_rule = by_rule.filter(|_| chain.cause.object.starts_with("VirtualService "));
    put(&mut written, "metadata", from_rule);
    written
}

/// `filter_chain_match`. Istio asks for a transport only on chains for sniffed plain HTTP.
fn conditions(chain: &FilterChain) -> Option<Value> {
    let mut all = Map::new();
    let names: Vec<&String> = chain.sni.iter().filter(|s| *s != "*").collect();
    if !names.is_empty() && names.len() == chain.sni.len() {
        all.insert("server_names".into(), json!(names));
    }
    if chain.transport == Transport::Raw {
        all.insert("transport_protocol".into(), json!("raw_buffer"));
    }
    if chain.http_only {
        all.insert("application_protocols".into(), json!(["http/1.1", "h2c"]));
    }
    if !chain.networks.is_empty() {
        let range = |(ip, bits): &(std::net::IpAddr, u8)| json!({ "address_prefix": ip.to_string(), "prefix_len": bits });
        all.insert("prefix_ranges".into(), chain.networks.iter().map(range).collect());
    }
    (!all.is_empty()).then_some(Value::Object(all))
}

fn sniffs_http(of: &Listener) -> bool {
    of.chains.iter().any(|c| c.http_only)
}

/// The TLS inspector when a chain asks for a name or ends TLS that negotiates a protocol, the HTTP inspector when one asks for HTTP.
fn inspectors(of: &Listener) -> Vec<Value> {
    let tls = of.chains.iter().any(|c| !c.sni.is_empty() || c.terminates.is_some());
    let mut filters = Vec::new();
    if tls {
        let kind = "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector";
        filters.push(extension("envoy.filters.listener.tls_inspector", kind, json!({ "initial_read_buffer_size": 512 })));
    }
    if sniffs_http(of) {
        let kind = "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector";
        filters.push(extension("envoy.filters.listener.http_inspector", kind, json!({})));
    }
    filters
}
