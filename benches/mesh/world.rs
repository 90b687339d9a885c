//! The mesh that is measured, and what its workloads ask.

use egress_lab::k8s::{Object, Snapshot};
use egress_lab::mesh::follow;
use egress_lab::outside::wire::Request;
use serde_json::{Value, json};

pub const ENTRIES: usize = 10_000;
pub const RULES: usize = 1_000;
pub const WORKLOADS: usize = 200;
const NAMESPACES: usize = 20;
const NETWORKING: &str = "networking.istio.io/v1";

/// The sorts of requests, see [`request`].
pub const NAMES: [&str; 7] = [
    "http, registered",
    "https, registered",
    "http, with a VirtualService",
    "http, through the gateway",
    "https, through the gateway",
    "http, not registered",
    "https, not registered",
];
pub const KINDS: usize = NAMES.len();

fn meta(namespace: &str, name: &str) -> Value {
    json!({"name": name, "namespace": namespace, "creationTimestamp": "2026-01-01T00:00:00Z"})
}

fn host(i: usize) -> String {
    format!("api-{i}.vendor-{}.example.com", i % 97)
}

fn team(i: usize) -> String {
    format!("team-{}", i % NAMESPACES)
}

fn entry(i: usize) -> Value {
    json!({"apiVersion": NETWORKING, "kind": "ServiceEntry", "metadata": meta(&team(i), &format!("entry-{i}")), "spec": {
        "hosts": [host(i)], "resolution": "DNS", "location": "MESH_EXTERNAL", "ports": [
            {"number": 80, "name": "http", "protocol": "HTTP"}, {"number": 443, "name": "tls", "protocol": "TLS"}]}})
}

/// A rule for the i-th host: every fifth leads through the gateway.
fn rule(i: usize) -> Value {
    let host = host(i);
    let spec = match i % 5 {
        0 => through_gateway(&host),
        _ => json!({"hosts": [&host], "http": [
            {"match": [{"uri": {"prefix": "/v2/"}, "headers": {"x-tier": {"exact": "gold"}}}], "route": [{"destination": {"host": &host, "port": {"number": 80}}}], "timeout": "2s"},
            {"match": [{"uri": {"regex": "/old/[a-z]+/.*"}}], "redirect": {"uri": "/new"}},
            {"route": [{"destination": {"host": &host, "port": {"number": 80}}}], "retries": {"attempts": 3, "perTryTimeout": "1s"}}]}),
    };
    json!({"apiVersion": NETWORKING, "kind": "VirtualService", "metadata": meta(&team(i), &format!("rule-{i}")), "spec": spec})
}

fn through_gateway(host: &str) -> Value {
    let gateway = "istio-system/egress";
    let inner = "egress.istio-system.svc.cluster.local";
    let to = |host: &str, port: u16| json!([{"destination": {"host": host, "port": {"number": port}}}]);
    json!({"hosts": [host], "gateways": ["mesh", gateway],
        "http": [
            {"match": [{"gateways": ["mesh"], "port": 80}], "route": to(inner, 80)},
            {"match": [{"gateways": [gateway], "port": 80}], "route": to(host, 80)}],
        "tls": [
            {"match": [{"gateways": ["mesh"], "port": 443, "sniHosts": [host]}], "route": to(inner, 443)},
            {"match": [{"gateways": [gateway], "port": 443, "sniHosts": [host]}], "route": to(host, 443)}]})
}

fn destination_rule(i: usize) -> Value {
    json!({"apiVersion": NETWORKING, "kind": "DestinationRule", "metadata": meta(&team(i), &format!("to-{i}")), "spec": {
        "host": host(i), "trafficPolicy": {"connectionPool": {"tcp": {"connectTimeout": "3s"}}}}})
}

fn workload(i: usize) -> [Value; 2] {
    let (name, labels) =
        (format!("app-{i}"), json!({"app": format!("app-{i}"), "version": "v1", "security.istio.io/tlsMode": "istio"}));
    let ip = format!("10.244.{}.{}", i / 200, i % 200 + 10);
    let init = json!({"name": "istio-init", "args": ["istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT",
        "-i", "*", "-x", "", "-b", "*", "-d", "15090,15021,15020"]});
    let spec = json!({"initContainers": [init], "containers": [{"name": "app", "image": "docker.io/kennethreitz/httpbin",
        "ports": [{"containerPort": 80}]}, {"name": "istio-proxy", "image": "proxyv2", "args": ["proxy", "sidecar"]}]});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": team(i), "labels": labels},
        "spec": spec, "status": {"phase": "Running", "podIP": ip}});
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": meta(&team(i), &name), "spec": {
        "clusterIP": format!("10.96.{}.{}", 10 + i / 200, i % 200 + 10), "selector": {"app": name},
        "ports": [{"name": "http", "port": 8000, "targetPort": 80}]}});
    [pod, service]
}

fn control_plane() -> Vec<Value> {
    let labels = json!({"istio": "egress"});
    let container = json!({"name": "istio-proxy", "image": "proxyv2", "args": ["proxy", "router"]});
    let server = |port: u16, protocol: &str, tls: Value| {
        let mut server = json!({"port": {"number": port, "name": format!("p{port}"), "protocol": protocol}, "hosts": ["*"]});
        if tls.is_object() {
            server["tls"] = tls;
        }
        server
    };
    vec![
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta("istio-system", "istio"), "data": {
            "mesh": "accessLogFile: /dev/stdout\noutboundTrafficPolicy: {mode: REGISTRY_ONLY}\n"}}),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "egress", "namespace": "istio-system", "labels": labels},
            "spec": {"containers": [container]}, "status": {"phase": "Running", "podIP": "10.244.9.9"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": meta("istio-system", "egress"), "spec": {"clusterIP": "10.96.9.9",
            "selector": labels, "ports": [{"name": "http2", "port": 80, "targetPort": 8080}, {"name": "https", "port": 443, "targetPort": 8443}]}}),
        json!({"apiVersion": NETWORKING, "kind": "Gateway", "metadata": meta("istio-system", "egress"), "spec": {"selector": labels,
            "servers": [server(80, "HTTP", Value::Null), server(443, "TLS", json!({"mode": "PASSTHROUGH"}))]}}),
    ]
}

/// All objects.
pub fn snapshot() -> Snapshot {
    let mut all: Vec<Value> = control_plane();
    all.extend((0..ENTRIES).map(entry));
    all.extend((0..RULES).map(rule));
    all.extend((0..100).map(destination_rule));
    all.extend((0..WORKLOADS).flat_map(workload));
    all.into_iter().map(Object).collect()
}

/// Objects of each kind, not as they were.
pub fn changed() -> [(&'static str, Object); 9] {
    let mut entry_80 = entry(4_711);
    entry_80["spec"]["ports"][0]["protocol"] = json!("TCP");
    let mut entry_host = entry(4_711);
    entry_host["spec"]["hosts"] = json!(["moved.example.com"]);
    let mut rule_42 = rule(42);
    rule_42["spec"]["http"][2]["timeout"] = json!("5s");
    let mut through = rule(40);
    through["spec"]["http"][1]["timeout"] = json!("5s");
    let mut to = destination_rule(42);
    to["spec"]["trafficPolicy"] = json!({"tls": {"mode": "SIMPLE"}});
    let [mut pod, mut service] = workload(7);
    pod["metadata"]["labels"]["version"] = json!("v2");
    service["spec"]["ports"][0]["port"] = json!(8_001);
    let policy = json!({"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": meta(&team(3), "deny"),
        "spec": {"action": "DENY", "rules": [{"to": [{"operation": {"methods": ["DELETE"]}}]}]}});
    let peers = json!({"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": meta(&team(3), "own"),
        "spec": {"mtls": {"mode": "STRICT"}}});
    [
        ("a ServiceEntry", entry_80),
        ("a VirtualService", rule_42),
        ("a DestinationRule", to),
        ("a ServiceEntry's host", entry_host),
        ("a rule of the gateway", through),
        ("a pod", pod),
        ("a Service", service),
        ("an AuthorizationPolicy", policy),
        ("a PeerAuthentication", peers),
    ]
    .map(|(name, object)| (name, Object(object)))
}

/// The i-th request: sorts take turns, hosts too.
pub fn request(i: usize) -> Request {
    let n = i / KINDS;
    let url = match i % KINDS {
        0 => format!("http://{}/v1/items", host(2_000 + n)),
        1 => format!("https://{}/v1/items", host(3_000 + n)),
        2 => format!("http://{}/v1/items", host(n * 5 + 2)),
        3 => format!("http://{}/v1/items", host(n * 5)),
        4 => format!("https://{}/v1/items", host(n * 5)),
        5 => format!("http://other-{n}.example.net/"),
        _ => format!("https://other-{n}.example.net/"),
    };
    follow::request_for(&url, "GET", "curl/8.1.2").expect("a URL")
}
