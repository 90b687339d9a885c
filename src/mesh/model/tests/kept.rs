//! How much a change of one object leaves as it was, and that what it leaves is right.

use super::meshes::world;
use super::{same_traces, take};
use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::k8s::{Object, Snapshot};
use crate::mesh::model::Parts;
use crate::mesh::{Inputs, Model, Options, Trace, follow};
use crate::outside::Outside;
use serde_json::{Value, json};

const NETWORKING: &str = "networking.istio.io/v1";
const INNER: &str = "egw.istio-system.svc.cluster.local";

fn meta(namespace: &str, name: &str, born: usize) -> Value {
    json!({"namespace": namespace, "name": name, "creationTimestamp": format!("2026-01-{born:02}T00:00:00Z")})
}

fn put(snapshot: &mut Snapshot, object: Value) -> crate::k8s::Key {
    take(snapshot, &super::Step::Put(object))
}

fn rule(i: usize, timeout: &str) -> Value {
    let host = format!("h{i}.test");
    let to = |host: &str| json!([{"destination": {"host": host, "port": {"number": 80}}}]);
    json!({"apiVersion": NETWORKING, "kind": "VirtualService", "metadata": meta("default", &format!("r{i}"), i + 1), "spec": {
        "hosts": [&host], "gateways": ["mesh", "istio-system/out"], "http": [
            {"match": [{"gateways": ["mesh"]}], "route": to(INNER)},
            {"match": [{"gateways": ["istio-system/out"]}], "route": to(&host), "timeout": timeout}]}})
}

/// Seven hosts, each led through the gateway by a rule, the older ones first; a Service and a policy in each namespace.
fn led() -> Snapshot {
    let mut all = world();
    put(
        &mut all,
        json!({"apiVersion": NETWORKING, "kind": "Gateway", "metadata": meta("istio-system", "out", 1), "spec": {
        "selector": {"istio": "egw"}, "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]}}),
    );
    for i in 0..7 {
        put(&mut all, rule(i, "1s"));
        put(
            &mut all,
            json!({"apiVersion": NETWORKING, "kind": "ServiceEntry", "metadata": meta("default", &format!("e{i}"), i + 1),
            "spec": {"hosts": [format!("h{i}.test")], "resolution": "DNS", "ports": [{"name": "http", "number": 80, "protocol": "HTTP"}]}}),
        );
    }
    put(&mut all, service("foo", "late", 9_000));
    put(&mut all, policy("default", json!({"app": "none", "v": "none"})));
    all
}

fn service(namespace: &str, name: &str, port: u16) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": meta(namespace, name, 20), "spec": {"clusterIP": "10.96.0.77",
        "selector": {"app": "test"}, "ports": [{"name": "http", "port": port, "targetPort": 80}]}})
}

fn policy(namespace: &str, labels: Value) -> Value {
    json!({"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": meta(namespace, "no", 1),
        "spec": {"action": "DENY", "selector": {"matchLabels": labels}, "rules": [{}]}})
}

fn traced(model: &Model, url: &str, pod: (&str, &str)) -> Trace {
    let outside = Outside::assumed();
    let inputs = Inputs { outside: &outside, now: Time::LOGICAL_START, seed: Seed(1), nth: 3 };
    let request = follow::request_for(url, "GET", "curl/8.1.2").expect("a URL");
    model.trace(model.snapshot().find("", "Pod", pod.0, pod.1).expect("the pod"), &request, &inputs)
}

fn asked(model: &Model) {
    for i in 0..7 {
        for namespace in ["default", "foo"] {
            let trace = traced(model, &format!("http://h{i}.test/"), (namespace, "test"));
            assert_eq!(trace.record.hops.len(), 2, "{:?}", trace.record);
        }
    }
}

/// Parts that stay of how many there were, and whether the mesh answers as one that is compiled anew.
fn after(change: Value) -> (usize, usize) {
    let (mut snapshot, options) = (led(), Options::default());
    let model = Model::compile(&snapshot, &options).with_parts(Parts::Always);
    asked(&model);
    let all = model.inner.derived.parts();
    let key = put(&mut snapshot, change);
    let next = model.update(&snapshot, &[key], &options);
    let stays = next.inner.derived.parts();
    assert_eq!(next.catch_up(), Some(all - stays));
    same_traces(&next, &Model::compile(&snapshot, &options)).expect("the same");
    (stays, all)
}

#[test]
fn a_rule_that_does_not_stand_for_its_gateway_touches_only_its_own_host() {
    // A sidecar each in two namespaces, and the gateway.
    assert_eq!(after(rule(6, "9s")), (18, 21));
    assert_eq!(after(rule(4, "9s")), (18, 21));
    // One of the first four is in every part of the gateway.
    assert_eq!(after(rule(3, "9s")), (12, 21));
    let mut older = rule(6, "9s");
    older["metadata"]["creationTimestamp"] = json!("2025-01-01T00:00:00Z");
    assert_eq!(after(older), (12, 21));
}

#[test]
fn a_pod_and_a_service_touch_what_looks_for_them() {
    let pod = |labels: Value| {
        let containers = json!([{"name": "app", "image": "i"}]);
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "foo", "name": "more", "labels": labels},
            "spec": {"containers": containers}, "status": {"phase": "Running", "podIP": "10.244.0.4"}})
    };
    assert_eq!(after(pod(json!({"app": "test"}))), (21, 21));
    assert_eq!(after(service("foo", "late", 9_001)), (21, 21));
    assert_eq!(after(service("foo", "other", 9_002)), (21, 21));
    // One on the port that is asked about may open its listener, and one that selects the gateway gives it its ports.
    assert!(after(service("foo", "late", 80)).0 < 21);
    let mut front = service("istio-system", "front", 80);
    front["spec"]["selector"] = json!({"istio": "egw"});
    front["spec"]["ports"][0]["port"] = json!(9_003);
    assert_eq!(after(front), (14, 21));
}

#[test]
fn a_policy_touches_the_workloads_that_it_selects() {
    assert_eq!(after(policy("foo", json!({"app": "test"}))), (14, 21));
    assert_eq!(after(policy("foo", json!({"app": "nobody"}))), (21, 21));
    assert_eq!(after(policy("istio-system", json!({"app": "test"}))), (7, 21));
    let peers = json!({"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": meta("foo", "p", 1),
        "spec": {"mtls": {"mode": "STRICT"}}});
    assert_eq!(after(peers), (14, 21));
}

/// Nothing had selected by `app` before: the two pods were one and the same to the mesh.
#[test]
fn a_new_policy_tells_workloads_apart_that_were_alike() {
    let (mut snapshot, options) = (world(), Options::default());
    let mut twin = Object::clone(snapshot.find("", "Pod", "default", "test").expect("the client"));
    (twin.0["metadata"]["name"], twin.0["metadata"]["labels"]["app"]) = (json!("twin"), json!("twin"));
    twin.0["status"]["podIP"] = json!("10.244.0.5");
    put(&mut snapshot, twin.0);
    let mut front = service("default", "twin", 80);
    front["spec"]["selector"] = json!({"app": "twin"});
    put(&mut snapshot, front);
    let model = Model::compile(&snapshot, &options);
    let url = "http://twin.default/";
    assert_eq!(traced(&model, url, ("default", "test")).record.status, Some(200));
    let key = put(&mut snapshot, policy("default", json!({"app": "twin"})));
    let (next, whole) = (model.update(&snapshot, &[key], &options), Model::compile(&snapshot, &options));
    assert_eq!(traced(&whole, url, ("default", "test")).record.status, Some(403));
    assert_eq!(traced(&next, url, ("default", "test")), traced(&whole, url, ("default", "test")));
}

/// Two models that come from one: a workload that only one of them knows is nobody to the other.
#[test]
fn branches_of_a_mesh_do_not_take_each_others_workloads_for_their_own() {
    let (snapshot, options) = (led(), Options::default());
    let trunk = Model::compile(&snapshot, &options).with_parts(Parts::Always);
    asked(&trunk);
    let mut one = snapshot.clone();
    let key = put(&mut one, policy("foo", json!({"app": "test"})));
    let one_model = trunk.update(&one, &[key], &options);
    asked_by(&trunk, "egw");
    let mut other = one.clone();
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "foo", "name": "late", "labels": {"v": "2"}},
        "spec": {"containers": [{"name": "app", "image": "i"}, {"name": "istio-proxy", "image": "p", "args": ["proxy", "sidecar"]}]},
        "status": {"phase": "Running", "podIP": "10.244.0.6"}});
    let key = put(&mut other, pod);
    let late = one_model.update(&other, &[key], &options);
    same_traces(&late, &Model::compile(&other, &options)).expect("the same");
    same_traces(&trunk, &Model::compile(&snapshot, &options)).expect("the same");
}

fn asked_by(model: &Model, gateway: &str) {
    traced(model, "http://h0.test/", ("istio-system", gateway));
}
