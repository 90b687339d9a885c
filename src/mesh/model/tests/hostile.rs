//! Objects that are made to hurt: each must end in bounded time, and the request gets an answer or a word for what is not modelled.

use super::{Time, world};
use crate::base::outcome::Outcome;
use crate::base::seed::Seed;
use crate::k8s::{Object, Snapshot};
use crate::mesh::{Inputs, Model, Options, Trace, follow};
use crate::outside::Outside;
use serde_json::{Value, json};
use std::sync::Arc;

const NETWORKING: &str = "networking.istio.io/v1";

fn object(kind: &str, name: &str, spec: Value) -> Value {
    let metadata = json!({"name": name, "namespace": "default", "creationTimestamp": "2026-01-01T00:00:00Z"});
    json!({"apiVersion": NETWORKING, "kind": kind, "metadata": metadata, "spec": spec})
}

fn entry(name: &str, hosts: &Value) -> Value {
    let ports = json!([{"number": 80, "name": "http", "protocol": "HTTP"}, {"number": 443, "name": "tls", "protocol": "TLS"}]);
    object("ServiceEntry", name, json!({"hosts": hosts, "ports": ports, "resolution": "DNS"}))
}

fn trace(objects: Vec<Value>, url: &str) -> Trace {
    let mut snapshot: Snapshot = world();
    objects.into_iter().for_each(|o| snapshot.put(Arc::new(Object(o))));
    let model = Model::compile(&snapshot, &Options::default());
    let outside = Outside::assumed();
    let inputs = Inputs { outside: &outside, now: Time::LOGICAL_START, seed: Seed(1), nth: 1 };
    let pod = snapshot.find("", "Pod", "default", "test").expect("the client").clone();
    model.trace(&pod, &follow::request_for(url, "GET", "curl/8.1.2").expect("a URL"), &inputs)
}

#[test]
fn rules_that_delegate_in_a_circle_end() {
    let rule = |name: &str, to: &str, hosts: Value| {
        let mut spec = json!({"http": [{"delegate": {"name": to, "namespace": "default"}}]});
        spec["hosts"] = hosts;
        object("VirtualService", name, spec)
    };
    let all = vec![
        entry("a", &json!(["a.org"])),
        rule("r", "x", json!(["a.org"])),
        rule("x", "y", json!([])),
        rule("y", "x", json!([])),
        rule("s", "s", json!(["a.org"])),
    ];
    let trace = trace(all, "http://a.org/");
    assert!(trace.record.hops.len() <= 2, "{:?}", trace.record);
}

#[test]
fn a_gateway_that_sends_to_itself_is_a_loop_with_a_name() {
    let server = json!({"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]});
    let own = "egw.istio-system.svc.cluster.local";
    let gateway = object("Gateway", "g", json!({"selector": {"istio": "egw"}, "servers": [server]}));
    let route = json!([{"destination": {"host": own, "port": {"number": 80}}}]);
    let rule = object("VirtualService", "r", json!({"hosts": ["a.org"], "gateways": ["mesh", "g"], "http": [{"route": route}]}));
    let trace = trace(vec![entry("a", &json!(["a.org"])), gateway, rule], "http://a.org/");
    assert_eq!(trace.record.outcome, Outcome::Loop, "{:?}", trace.record);
    assert_eq!(trace.record.cause.object, "VirtualService default/r");
    assert!(trace.record.hops.len() <= 16);
}

#[test]
fn ten_thousand_hosts_in_one_object() {
    let hosts: Vec<String> = (0..10_000).map(|i| format!("h{i}.org")).collect();
    let route = json!([{"destination": {"host": "h7.org"}}]);
    let snis = &hosts[..10];
    let rule = object(
        "VirtualService",
        "r",
        json!({"hosts": hosts, "http": [{"route": route}],
        "tls": [{"match": [{"sniHosts": snis, "port": 443}], "route": route}]}),
    );
    let all = vec![entry("a", &json!(hosts)), rule];
    assert_eq!(trace(all.clone(), "http://h9999.org/").record.outcome, Outcome::Delivered);
    assert_eq!(trace(all, "http://other.test/").record.outcome, Outcome::BlockedRegistryOnly);
}

#[test]
fn ten_thousand_server_names_over_ten_thousand_hosts() {
    let hosts: Vec<String> = (0..10_000).map(|i| format!("h{i}.org")).collect();
    let route = json!([{"destination": {"host": "h7.org"}}]);
    let rule = |name: &str| {
        let entry = json!([{"sniHosts": hosts, "port": 443}]);
        object("VirtualService", name, json!({"hosts": hosts, "tls": [{"match": entry, "route": route}]}))
    };
    let all = vec![entry("a", &json!(hosts)), rule("r"), rule("s")];
    let last = trace(all.clone(), "https://h9999.org/").record;
    assert_eq!(last.cause.object, "VirtualService default/r", "{last:?}");
    assert_eq!(trace(all.clone(), "http://h9999.org/").record.outcome, Outcome::Delivered);
    assert_eq!(trace(all.clone(), "https://other.test/").record.outcome, Outcome::BlockedRegistryOnly);
    // A server name that no host covers: every proxy is derived as a whole then.
    let mut odd = all;
    odd.push(object(
        "VirtualService",
        "t",
        json!({"hosts": ["h1.org"], "tls": [{"match": [{"sniHosts": ["else.org"]}], "route": route}]}),
    ));
    assert_eq!(trace(odd, "https://h9999.org/").record.cause.object, "VirtualService default/r");
}

#[test]
fn thousands_of_wildcards_that_overlap() {
    let mut all = Vec::new();
    let mut host = String::from("org");
    for i in 0..1_500 {
        host = if i % 60 == 0 { "org".into() } else { format!("x.{host}") };
        all.push(entry(&format!("e{i}"), &json!([format!("*.{host}")])));
        let route = json!([{"destination": {"host": format!("*.{host}")}}]);
        all.push(object("VirtualService", &format!("r{i}"), json!({"hosts": [format!("*.{host}")], "http": [{"route": route}]})));
    }
    let trace = trace(all, "http://a.x.x.org/");
    assert!(trace.record.hops.len() == 1, "{:?}", trace.record);
}

#[test]
fn regular_expressions_that_explode_do_not() {
    for (pattern, fits) in
        [("(a+)+b", false), ("(a|a)*", true), ("((a{1000}){1000}){1000}", false), ("(", false), ("[a-z]*", true)]
    {
        let to = json!([{"destination": {"host": "a.org"}}]);
        let http = json!([{"match": [{"headers": {"x": {"regex": pattern}}}], "route": to}, {"directResponse": {"status": 418}}]);
        let rule = object("VirtualService", "r", json!({"hosts": ["a.org"], "http": http}));
        let mut snapshot = world();
        for o in [entry("a", &json!(["a.org"])), rule] {
            snapshot.put(Arc::new(Object(o)));
        }
        let model = Model::compile(&snapshot, &Options::default());
        let outside = Outside::assumed();
        let inputs = Inputs { outside: &outside, now: Time::LOGICAL_START, seed: Seed(1), nth: 1 };
        let mut request = follow::request_for("http://a.org/", "GET", "curl/8.1.2").expect("a URL");
        request.headers.push(("x".into(), "a".repeat(20_000).into()));
        let pod = snapshot.find("", "Pod", "default", "test").expect("the client").clone();
        let status = model.trace(&pod, &request, &inputs).record.status;
        assert_eq!(status == Some(200), fits, "{pattern} {status:?}");
    }
}

#[test]
fn a_megabyte_in_a_condition() {
    let long = "y".repeat(1 << 20);
    let to = json!([{"destination": {"host": "a.org"}}]);
    let matches = json!([{"headers": {"x": {"exact": long}}}, {"uri": {"prefix": format!("/{long}")}}]);
    let rule = object(
        "VirtualService",
        "r",
        json!({"hosts": ["a.org"], "http": [{"match": matches, "redirect": {"uri": "/z"}}, {"route": to}]}),
    );
    assert_eq!(trace(vec![entry("a", &json!(["a.org"])), rule], "http://a.org/").record.status, Some(200));
}

#[test]
fn four_thousand_endpoints() {
    let endpoints: Vec<Value> = (0..4_096).map(|i| json!({"address": format!("198.18.{}.{}", i / 256, i % 256)})).collect();
    let ports = json!([{"number": 80, "name": "http", "protocol": "HTTP"}]);
    let spec = json!({"hosts": ["a.org"], "ports": ports, "resolution": "STATIC", "endpoints": endpoints});
    let subsets: Vec<Value> = (0..50).map(|i| json!({"name": format!("s{i}"), "labels": {}})).collect();
    let rule = object("DestinationRule", "d", json!({"host": "a.org", "subsets": subsets}));
    assert!(trace(vec![object("ServiceEntry", "a", spec), rule], "http://a.org/").record.hops.len() == 1);
}

#[test]
fn objects_as_deep_as_they_come() {
    let mut deep = json!("x");
    for _ in 0..100 {
        deep = json!({"match": [deep], "labels": {"a": "b"}});
    }
    let all = vec![
        entry("a", &json!(["a.org"])),
        object("VirtualService", "r", json!({"hosts": ["a.org"], "http": [deep.clone()]})),
        object("Sidecar", "s", json!({"workloadSelector": deep.clone(), "egress": [deep.clone()]})),
        object("DestinationRule", "d", json!({"host": "a.org", "trafficPolicy": deep})),
    ];
    trace(all, "http://a.org/");
}
