//! Small sets of objects that Istio takes, full of coincidences: the pattern of an egress gateway with right and wrong names, and single
//! objects beside it.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// One write.
#[derive(Debug, Clone)]
pub enum Step {
    Put(Value),
    /// Plural with its group, namespace, name.
    Delete(&'static str, &'static str, &'static str),
    /// The mesh's outbound mode, and whether sidecars log.
    Mesh(&'static str, bool),
}

/// A world's worth of writes and the requests that are then made.
#[derive(Debug, Clone)]
pub struct Case {
    pub steps: Vec<Step>,
    /// Writes after requests were made once: what is kept from before is still right.
    pub later: Vec<Step>,
    /// `NAMESPACE/POD` and URL.
    pub requests: Vec<(&'static str, String)>,
}

const ISTIO: &str = "networking.istio.io/v1";
const OUTSIDE: [&str; 5] = ["www.wikipedia.org", "en.wikipedia.org", "httpbin.org", "example.com", "tcp-echo.example.net"];
const WEB: &str = "web.other.svc.cluster.local";
const EGRESS: &str = "istio-egressgateway.istio-system.svc.cluster.local";
const NAMESPACES: [&str; 4] = ["default", "other", "plain", "istio-system"];
const NAMES: [&str; 3] = ["a", "b", "c"];
/// The clients: two with sidecars, one without.
pub const CLIENTS: [&str; 3] = ["default/test", "other/test", "plain/test"];

/// A list of texts that `select` draws from.
fn one(all: &[&'static str]) -> impl Strategy<Value = &'static str> {
    select(all.to_vec())
}

fn object(api: &str, kind: &str, namespace: &str, name: &str, spec: &Value) -> Step {
    Step::Put(json!({"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}))
}

fn set(value: &mut Value, key: &str, to: Option<impl Into<Value>>) {
    if let Some(to) = to {
        value[key] = to.into();
    }
}

fn export() -> impl Strategy<Value = Option<Value>> {
    option::weighted(0.25, one(&["*", ".", "default", "istio-system", "~"]).prop_map(|to| json!([to])))
}

/// A port by number, name and protocol, mostly as the number suggests.
fn port() -> impl Strategy<Value = Value> {
    one(&["80 HTTP", "80 HTTP", "443 TLS", "443 HTTPS", "443 TCP", "8080 HTTP", "9000 TCP", "80 TCP", "443 HTTP", "80 HTTP2"])
        .prop_map(|text| {
            let (number, protocol) = text.split_once(' ').expect("two words");
            let number: u16 = number.parse().expect("a number");
            json!({"number": number, "name": format!("{}-{number}", protocol.to_lowercase()), "protocol": protocol})
        })
}

fn entry() -> impl Strategy<Value = Value> {
    let hosts =
        vec(one(&["www.wikipedia.org", "en.wikipedia.org", "httpbin.org", "example.com", "*.wikipedia.org", "gone.test"]), 1..3);
    let shape = one(&["DNS", "DNS", "DNS", "NONE", "STATIC", "DNS ENDPOINT", "DNS_ROUND_ROBIN", "NONE ADDRESS", "SELECTOR"]);
    (hosts, vec(port(), 1..4), shape, export(), any::<bool>()).prop_map(|(mut hosts, mut ports, shape, export, inside)| {
        ports.sort_by_key(|port| port["number"].as_u64());
        ports.dedup_by_key(|port| port["number"].clone());
        hosts.dedup();
        if !shape.starts_with("NONE") {
            hosts.iter_mut().filter(|host| host.starts_with('*')).for_each(|host| *host = "de.wikipedia.org");
        }
        let mut spec = json!({"hosts": hosts, "ports": ports, "resolution": shape.split(' ').next()});
        match shape {
            "STATIC" => spec["endpoints"] = json!([{"address": "198.51.100.224"}, {"address": "203.0.113.33"}]),
            "DNS ENDPOINT" => spec["endpoints"] = json!([{"address": "httpbin.org"}]),
            "NONE ADDRESS" => spec["addresses"] = json!(["198.51.100.0/24"]),
            "SELECTOR" => {
                spec["workloadSelector"] = json!({"labels": {"app": "web"}});
                spec["resolution"] = json!("STATIC");
            }
            _ => {}
        }
        set(&mut spec, "location", inside.then_some("MESH_INTERNAL"));
        set(&mut spec, "exportTo", export);
        spec
    })
}

fn destination() -> impl Strategy<Value = Value> {
    let hosts = one(&["www.wikipedia.org", "httpbin.org", "example.com", WEB, EGRESS, "gone.test"]);
    (hosts, option::of(select(vec![80_u16, 443, 8080])), option::weighted(0.3, one(&["s", "t"]))).prop_map(
        |(host, port, subset)| {
            let mut to = json!({"host": host});
            set(&mut to, "port", port.map(|number| json!({"number": number})));
            set(&mut to, "subset", subset);
            json!({"destination": to})
        },
    )
}

fn virtual_service() -> impl Strategy<Value = Value> {
    let matching = option::weighted(0.4, one(&["/x", "/"]));
    let kind = one(&["route", "route", "route", "redirect", "direct", "rewrite"]);
    let http = vec((matching, kind, destination()), 1..3);
    let tls = option::weighted(0.4, destination());
    (vec(one(&OUTSIDE[..4]), 1..3), http, tls, export()).prop_map(|(mut hosts, http, tls, export)| {
        hosts.dedup();
        let http: Vec<Value> = http.into_iter().map(|(path, kind, to)| http_rule(path, kind, &to)).collect();
        let mut spec = json!({"hosts": hosts, "http": http});
        let sni = json!([{"match": [{"port": 443, "sniHosts": hosts}], "route": tls.iter().collect::<Vec<_>>()}]);
        set(&mut spec, "tls", tls.is_some().then_some(sni));
        set(&mut spec, "exportTo", export);
        spec
    })
}

fn http_rule(path: Option<&str>, kind: &str, to: &Value) -> Value {
    let mut rule = match kind {
        "redirect" => json!({"redirect": {"authority": "httpbin.org"}}),
        "direct" => json!({"directResponse": {"status": 418}}),
        "rewrite" => json!({"route": [to], "rewrite": {"authority": "example.com", "uri": "/y"}}),
        _ => json!({"route": [to]}),
    };
    set(&mut rule, "match", path.map(|path| json!([{"uri": {"prefix": path}}])));
    rule
}

fn destination_rule() -> impl Strategy<Value = Value> {
    let mode = option::of(one(&["DISABLE", "SIMPLE", "ISTIO_MUTUAL"]));
    let subsets = vec(one(&["s", "t"]), 0..3);
    (one(&["www.wikipedia.org", "*.wikipedia.org", "httpbin.org", WEB, EGRESS]), mode, subsets, export()).prop_map(
        |(host, mode, mut subsets, export)| {
            subsets.sort_unstable();
            subsets.dedup();
            let subsets: Vec<Value> = subsets.iter().map(|name| json!({"name": name})).collect();
            let mut spec = json!({"host": host, "subsets": subsets});
            set(&mut spec, "trafficPolicy", mode.map(|mode| json!({"tls": {"mode": mode}})));
            set(&mut spec, "exportTo", export);
            spec
        },
    )
}

fn sidecar() -> impl Strategy<Value = Value> {
    let hosts = vec(one(&["./*", "*/*", "istio-system/*", "~/*", "*/www.wikipedia.org", "default/*", "other/*"]), 1..3);
    let mode = option::of(one(&["ALLOW_ANY", "REGISTRY_ONLY"]));
    (hosts, mode, option::weighted(0.3, one(&["test", "none"]))).prop_map(|(mut hosts, mode, selected)| {
        hosts.dedup();
        let mut spec = json!({"egress": [{"hosts": hosts}]});
        set(&mut spec, "outboundTrafficPolicy", mode.map(|mode| json!({"mode": mode})));
        set(&mut spec, "workloadSelector", selected.map(|app| json!({"labels": {"app": app}})));
        spec
    })
}

fn policy() -> impl Strategy<Value = Value> {
    let operation = one(&["hosts www.wikipedia.org", "paths /x", "methods GET", "ports 8443", "ports 8080"]);
    let selector = option::of(one(&["istio egressgateway", "app web", "app test"]));
    (one(&["ALLOW", "DENY"]), option::weighted(0.8, operation), selector).prop_map(|(action, operation, selector)| {
        let pair = |text: &'static str| text.split_once(' ').expect("two words");
        let rule = operation.map(pair).map(|(field, value)| json!({"to": [{"operation": {field: [value]}}]}));
        let mut spec = json!({"action": action, "rules": [rule.unwrap_or_else(|| json!({}))]});
        set(&mut spec, "selector", selector.map(pair).map(|(key, value)| json!({"matchLabels": {key: value}})));
        spec
    })
}

/// Gateway, DestinationRule and VirtualService that lead a host through the egress gateway, each with a right name or a wrong one.
fn egress() -> impl Strategy<Value = Vec<Step>> {
    let right = |right: &'static str, wrong: &'static str| prop_oneof![9 => Just(right), 1 => Just(wrong)];
    let names = (
        one(&["www.wikipedia.org", "httpbin.org", "example.com"]),
        right("egress", "elsewhere"),
        right("s", "t"),
        right("egressgateway", "ingress"),
        right("*", "example.com"),
        right(EGRESS, "istio-egressgateway"),
    );
    (one(&["http", "tls", "mutual", "originate"]), one(&["default", "istio-system"]), names, 0..16_usize).prop_map(
        |(kind, namespace, (host, gateway, subset, selected, served, service), without)| {
            let server = match kind {
                "http" | "originate" => json!({"port": {"number": 80, "name": "http", "protocol": "HTTP"}}),
                "tls" => json!({"port": {"number": 443, "name": "tls", "protocol": "TLS"}, "tls": {"mode": "PASSTHROUGH"}}),
                _ => json!({"port": {"number": 443, "name": "https", "protocol": "HTTPS"}, "tls": {"mode": "ISTIO_MUTUAL"}}),
            };
            let mut server = server;
            server["hosts"] = json!([if served == "*" { host } else { served }]);
            let (port, out) = match kind {
                "http" => (80, 80),
                "originate" => (80, 443),
                "tls" => (443, 443),
                _ => (443, 80),
            };
            let inward = json!({"destination": {"host": service, "subset": subset, "port": {"number": port}}});
            let outward = json!({"destination": {"host": host, "port": {"number": out}}});
            let mut routes = json!({"hosts": [host], "gateways": [gateway, "mesh"]});
            match kind {
                "tls" => {
                    let row = |via: &str, to: &Value| json!({"match": [{"gateways": [via], "port": 443, "sniHosts": [host]}], "route": [to]});
                    routes["tls"] = json!([row("mesh", &inward), row(gateway, &outward)]);
                }
                _ => {
                    let row = |via: &str, port: u16, to: &Value| json!({"match": [{"gateways": [via], "port": port}], "route": [to]});
                    routes["http"] = json!([row("mesh", 80, &inward), row(gateway, port, &outward)]);
                }
            }
            let mut subsets = json!({"host": EGRESS, "subsets": [{"name": "s"}]});
            set(&mut subsets["subsets"][0], "trafficPolicy", (kind == "mutual").then(|| json!({"tls": {"mode": "ISTIO_MUTUAL"}})));
            let ports = json!([{"number": 80, "name": "http", "protocol": "HTTP"}, {"number": 443, "name": "tls", "protocol": "TLS"}]);
            let mut all = vec![
                object(ISTIO, "ServiceEntry", namespace, "out", &json!({"hosts": [host], "ports": ports, "resolution": "DNS"})),
                object(ISTIO, "DestinationRule", namespace, "egress", &subsets),
                object(ISTIO, "VirtualService", namespace, "egress", &routes),
                object(ISTIO, "Gateway", namespace, "egress", &json!({"selector": {"istio": selected}, "servers": [server]})),
            ];
            if kind == "originate" {
                let tls = json!({"host": host, "trafficPolicy": {"portLevelSettings": [{"port": {"number": 443}, "tls": {"mode": "SIMPLE"}}]}});
                all.push(object(ISTIO, "DestinationRule", namespace, "originate", &tls));
            }
            if without < 2 {
                all.remove(without);
            }
            all
        },
    )
}

fn single() -> impl Strategy<Value = Step> {
    let kinds = prop_oneof![
        5 => entry().prop_map(|spec| (ISTIO, "ServiceEntry", spec)),
        3 => virtual_service().prop_map(|spec| (ISTIO, "VirtualService", spec)),
        3 => destination_rule().prop_map(|spec| (ISTIO, "DestinationRule", spec)),
        2 => sidecar().prop_map(|spec| (ISTIO, "Sidecar", spec)),
        2 => policy().prop_map(|spec| ("security.istio.io/v1", "AuthorizationPolicy", spec)),
        1 => one(&["STRICT", "PERMISSIVE", "DISABLE"])
            .prop_map(|mode| ("security.istio.io/v1", "PeerAuthentication", json!({"mtls": {"mode": mode}}))),
        1 => one(&["db.plain", "example.com"])
            .prop_map(|name| ("v1", "Service", json!({"type": "ExternalName", "externalName": name, "ports": [{"port": 80, "name": "http"}]}))),
    ];
    (select(NAMESPACES.to_vec()), select(NAMES.to_vec()), kinds)
        .prop_map(|(namespace, name, (api, kind, spec))| object(api, kind, namespace, name, &spec))
}

fn part() -> impl Strategy<Value = Vec<Step>> {
    let plurals =
        ["networking.istio.io/v1/serviceentries", "networking.istio.io/v1/virtualservices", "networking.istio.io/v1/gateways"];
    prop_oneof![
        3 => egress(),
        8 => single().prop_map(|step| vec![step]),
        1 => (select(plurals.to_vec()), one(&["default", "istio-system"]), one(&["a", "out", "egress"]))
            .prop_map(|(plural, namespace, name)| vec![Step::Delete(plural, namespace, name)]),
        1 => (one(&["ALLOW_ANY", "REGISTRY_ONLY"]), any::<bool>()).prop_map(|(mode, logs)| vec![Step::Mesh(mode, logs)]),
    ]
}

fn url() -> impl Strategy<Value = String> {
    let host =
        prop_oneof![4 => one(&OUTSIDE), 1 => one(&["gone.test", "de.wikipedia.org", WEB, EGRESS, "198.51.100.224", "a.default"])];
    let shape = one(&[
        "http://H/",
        "http://H/",
        "http://H/x",
        "https://H/",
        "https://H/",
        "http://H:8080/",
        "https://H:8443/",
        "tcp://H:9000",
    ]);
    (host, shape).prop_map(|(host, shape)| shape.replace('H', host))
}

/// A world's worth of writes, and requests.
pub fn case() -> impl Strategy<Value = Case> {
    let requests = vec((prop_oneof![3 => Just(CLIENTS[0]), 2 => Just(CLIENTS[1]), 1 => Just(CLIENTS[2])], url()), 6..14);
    (vec(part(), 1..6), vec(part(), 0..3), requests).prop_map(|(steps, later, requests)| Case {
        steps: steps.into_iter().flatten().collect(),
        later: later.into_iter().flatten().collect(),
        requests,
    })
}
