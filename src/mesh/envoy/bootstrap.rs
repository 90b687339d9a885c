//! A static bootstrap of a proxy's resources: route configurations inline, endpoints and certificates in the file, nothing fetched. With
//! it a plain Envoy behaves as the proxy would in its pod, in a network namespace that has the pod's addresses.

use super::{Told, clusters, endpoints, extension, listeners, socket, typed};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Certificates in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Secrets {
    /// The workload's certificate and key.
    pub workload: (String, String),
    /// The mesh's roots.
    pub mesh_roots: String,
    /// What the proxy's image trusts.
    pub public_roots: String,
    /// A certificate and key of a gateway's own.
    pub own: (String, String),
}

/// Where the proxy runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Room<'a> {
    /// `sidecar~IP~POD.NS~NS.svc.cluster.local`.
    pub node: &'a str,
    /// The pod's address: listeners bind to it, and connections leave from it.
    pub ip: IpAddr,
    /// The administration interface, at 127.0.0.1.
    pub admin_port: u16,
    /// Where the access log goes, in place of standard output.
    pub log: &'a str,
    /// Name server for clusters whose endpoints are names.
    pub resolver: (IpAddr, u16),
    /// Socket mark of the proxy's own connections, by which the redirect leaves them alone.
    pub mark: u32,
    /// In place of every connect timeout, in milliseconds.
    pub connect_timeout_ms: Option<u64>,
    pub secrets: &'a Secrets,
}

/// The bootstrap.
pub fn fixed(told: &Told<'_>, room: &Room<'_>) -> Value {
    let mut listeners = listeners(told);
    for listener in &mut listeners {
        settle_listener(told, room, listener);
    }
    let mut clusters = clusters(told);
    let endpoints = endpoints(told);
    for cluster in &mut clusters {
        settle_cluster(room, cluster, &endpoints);
    }
    let mut named = BTreeSet::new();
    listeners.iter_mut().for_each(|l| walk(l, &mut |member| named.extend(credential(member))));
    let mark =
        json!({ "description": "not redirected", "level": 1, "name": 36, "int_value": room.mark, "state": "STATE_PREBIND" });
    let mut bootstrap = json!({
        "node": { "id": room.node, "cluster": "lab" },
        "admin": { "address": socket("127.0.0.1", room.admin_port) },
        "static_resources": { "listeners": listeners, "clusters": clusters, "secrets": secrets(room.secrets, &named) },
        "cluster_manager": {
            "upstream_bind_config": { "source_address": { "address": room.ip.to_string(), "port_value": 0 }, "socket_options": [mark] },
        },
    });
    walk(&mut bootstrap, &mut |member| settle_member(room, member));
    bootstrap
}

/// Applies a change to every object of a document, the outer ones first.
fn walk(value: &mut Value, change: &mut impl FnMut(&mut Value)) {
    if value.is_object() {
        change(value);
    }
    match value {
        Value::Object(members) => members.values_mut().for_each(|v| walk(v, change)),
        Value::Array(list) => list.iter_mut().for_each(|v| walk(v, change)),
        _ => {}
    }
}

/// What stands anywhere in the resources: secrets by name become the file's own, standard output a file.
fn settle_member(room: &Room<'_>, member: &mut Value) {
    let Value::Object(members) = member else { return };
    if members.contains_key("sds_config") && members.contains_key("name") {
        members.remove("sds_config");
    }
    if let Some(Value::Object(cache)) = members.get_mut("dns_cache_config") {
        cache.insert("typed_dns_resolver_config".into(), resolver(room));
    }
    if members.get("path").is_some_and(|p| p == "/dev/stdout" || p == "/dev/stderr") {
        members.insert("path".into(), json!(room.log));
    }
    if let (true, Some(ms)) = (members.contains_key("connect_timeout"), room.connect_timeout_ms) {
        members.insert("connect_timeout".into(), json!(super::duration(ms)));
    }
}

/// Listeners that the kernel knows bind to the pod's address; route configurations stand in place.
fn settle_listener(told: &Told<'_>, room: &Room<'_>, listener: &mut Value) {
    if listener.get("bind_to_port").is_none()
        && let Some(address) = listener.pointer_mut("/address/socket_address/address")
        && *address == "0.0.0.0"
    {
        *address = json!(room.ip.to_string());
    }
    walk(listener, &mut |member| {
        let Some(name) = member.pointer("/rds/route_config_name").and_then(Value::as_str) else { return };
        let config = told.proxy.routes.get(name).cloned().unwrap_or_default();
        let config = super::routes::config(told, name, &config);
        if let Value::Object(members) = member {
            members.remove("rds");
            members.insert("route_config".into(), config);
        }
    });
}

fn settle_cluster(room: &Room<'_>, cluster: &mut Value, endpoints: &[Value]) {
    let Value::Object(members) = cluster else { return };
    if members.remove("eds_cluster_config").is_some() {
        let name = members.get("name").cloned().unwrap_or_default();
        let found = endpoints.iter().find(|e| e.get("cluster_name") == Some(&name)).cloned();
        members.insert("type".into(), json!("STATIC"));
        members.insert("load_assignment".into(), found.unwrap_or_else(|| json!({ "cluster_name": name })));
    }
    if members.remove("typed_dns_resolver_config").is_some() {
        members.insert("typed_dns_resolver_config".into(), resolver(room));
    }
}

/// Names are looked up at the room's name server, as they are written.
fn resolver(room: &Room<'_>) -> Value {
    let kind = "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig";
    let server = socket(&room.resolver.0.to_string(), room.resolver.1);
    let config = json!({ "resolvers": [server], "dns_resolver_options": { "no_default_search_domain": true } });
    extension("envoy.network.dns_resolver.cares", kind, config)
}

/// The name of a gateway's own certificate, where a member asks for one.
fn credential(member: &Value) -> Option<String> {
    let name = member.get("sds_config").and(member.get("name"))?.as_str()?;
    name.starts_with("kubernetes://").then(|| name.to_string())
}

/// Every secret that a resource may name.
fn secrets(of: &Secrets, named: &BTreeSet<String>) -> Value {
    let inline = |text: &str| json!({ "inline_string": text });
    let pair = |name: &str, (certificate, key): &(String, String)| json!({ "name": name, "tls_certificate": { "certificate_chain": inline(certificate), "private_key": inline(key) } });
    let roots = |name: &str, pem: &str| json!({ "name": name, "validation_context": { "trusted_ca": inline(pem) } });
    let own = named.iter().map(|n| if n.ends_with("-cacert") { roots(n, &of.public_roots) } else { pair(n, &of.own) });
    let every = [
        pair("default", &of.workload),
        pair("file-cert:client", &of.workload),
        roots("ROOTCA", &of.mesh_roots),
        roots("file-root:system", &of.public_roots),
        roots("file-root:private", &of.mesh_roots),
    ];
    every.into_iter().chain(own).collect()
}

/// What the agent puts into every bootstrap beside the resources: stats at 15090 and readiness at 15021, listened for by the proxy itself.
pub fn own_listeners() -> Vec<Value> {
    let ready = [("/healthz/ready", "agent", 15021), ("/stats/prometheus", "prometheus_stats", 15090)];
    ready.into_iter().map(|(prefix, cluster, port)| own_listener(prefix, cluster, port)).collect()
}

fn own_listener(prefix: &str, cluster: &str, port: u16) -> Value {
    let router = extension("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router", json!({}));
    let manager = json!({
        "stat_prefix": if port == 15021 { "agent" } else { "stats" },
        "route_config": {
            "virtual_hosts": [{
                "name": "backend",
                "domains": ["*"],
                "routes": [{ "match": { "prefix": prefix }, "route": { "cluster": cluster } }],
            }],
        },
        "http_filters": [router],
    });
    let kind = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    let filter = json!({ "name": "envoy.filters.network.http_connection_manager", "typed_config": typed(kind, manager) });
    json!({ "address": socket("0.0.0.0", port), "filter_chains": [{ "filters": [filter] }] })
}
