//! Laws of the compiled mesh: whatever is in it, compiling ends; a change of a few objects gives what compiling everything gives; a
//! part of a proxy answers a request as the whole does; the order of the input does not matter.

mod hostile;
mod kept;
mod meshes;
mod shapes;

use super::Parts;
use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::k8s::{Key, Object, Snapshot};
use crate::mesh::{Inputs, Model, Options, Trace, follow};
use crate::outside::Outside;
use crate::outside::wire::{HttpVersion, Request, Scheme};
use meshes::{Step, change, narrow_change, narrow_world, world};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use std::sync::Arc;

/// `EGRESS_LAB_LONG=1` asks for many more cases.
fn cases(short: u32) -> ProptestConfig {
    let long = std::env::var_os("EGRESS_LAB_LONG").is_some();
    ProptestConfig { cases: if long { short * 50 } else { short }, max_shrink_iters: 4_000, ..ProptestConfig::default() }
}

/// The requests that are compared: names and addresses, known and not, in the clear, inside TLS, bare.
fn probes() -> Vec<Request> {
    let urls = [
        "http://a.org/",
        "http://b.org/x",
        "http://x.a.org:8080/",
        "https://a.org/",
        "https://b.org/",
        "https://x.a.org/",
        "http://unknown.test/",
        "https://unknown.test/",
        "http://web.default/",
        "http://web:8080/",
        "http://db.foo.svc.cluster.local/",
        "http://10.96.0.7/",
        "http://10.1.2.3:9000/",
        "https://10.96.0.8/",
        "http://old.default/",
        "http://p.head.default:8080/",
    ];
    let mut all: Vec<Request> = urls.iter().map(|url| follow::request_for(url, "GET", "curl/8.1.2").expect("a URL")).collect();
    for request in &mut all {
        if request.address.is_none() && request.host.ends_with(".org") {
            // Whether the name resolves does not matter here.
            request.address = Some(std::net::IpAddr::from([198, 18, 0, 7]));
        }
    }
    let tcp = Request { scheme: Scheme::Tcp, port: 9000, sni: None, version: HttpVersion::Http11, ..all[11].clone() };
    all.push(tcp);
    all
}

fn traces(model: &Model) -> Vec<(String, Trace)> {
    let outside = Outside::assumed();
    let inputs = Inputs { outside: &outside, now: Time::LOGICAL_START, seed: Seed(1), nth: 3 };
    let mut all = Vec::new();
    for pod in model.snapshot().list("", "Pod") {
        for request in probes() {
            let name = format!("{}/{} {}:{}", pod.namespace(), pod.name(), request.host, request.port);
            all.push((name, model.trace(pod, &request, &inputs)));
        }
    }
    all
}

fn take(snapshot: &mut Snapshot, step: &Step) -> Key {
    match step {
        Step::Put(object) => {
            snapshot.put(Arc::new(Object(object.clone())));
            Object(object.clone()).key()
        }
        Step::Delete(key) => {
            snapshot.remove(key);
            key.clone()
        }
    }
}

fn same_traces(a: &Model, b: &Model) -> Result<(), TestCaseError> {
    for ((name, one), (_, other)) in traces(a).into_iter().zip(traces(b)) {
        prop_assert_eq!(one, other, "{}", name);
    }
    Ok(())
}

fn same_proxies(a: &Model, b: &Model) -> Result<(), TestCaseError> {
    for pod in a.snapshot().list("", "Pod") {
        prop_assert_eq!(a.proxy(pod), b.proxy(pod), "{}/{}", pod.namespace(), pod.name());
    }
    Ok(())
}

/// The law about changes would hold if nothing were ever kept.
#[test]
fn parts_outlive_the_change_of_an_object_that_has_nothing_to_do_with_them() {
    let (mut runner, options) = (proptest::test_runner::TestRunner::deterministic(), Options::default());
    let (mut kept, mut all) = (0, 0);
    for _ in 0..100 {
        let mut snapshot = narrow_world();
        let steps = vec(narrow_change(), 10..20).new_tree(&mut runner).expect("a tree").current();
        steps.iter().for_each(|step| drop(take(&mut snapshot, step)));
        let model = Model::compile(&snapshot, &options).with_parts(Parts::Always);
        traces(&model);
        let key = take(&mut snapshot, &narrow_change().new_tree(&mut runner).expect("a tree").current());
        all += model.inner.derived.parts();
        kept += model.update(&snapshot, &[key], &options).inner.derived.parts();
    }
    assert!(kept * 20 > all, "{kept} of {all}");
}

/// The chain for a.org is there because c.test, another host of the rule, is registered on 443: a.org itself is not.
#[test]
fn a_rule_brings_its_server_names_to_the_ports_of_its_other_hosts() {
    let entry = |name: &str, host: &str, port: u16, protocol: &str, born: u8| {
        let ports = serde_json::json!([{"name": "p", "number": port, "protocol": protocol}]);
        serde_json::json!({"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
            "metadata": {"name": name, "namespace": "default", "creationTimestamp": format!("2026-01-0{born}T00:00:00Z")},
            "spec": {"hosts": [host], "resolution": "DNS", "ports": ports}})
    };
    let rule = serde_json::json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": "a", "namespace": "default"}, "spec": {"hosts": ["a.org", "c.test"], "tls": [
            {"match": [{"sniHosts": ["a.org", "c.test"]}], "route": [{"destination": {"host": "a.org"}}]}]}});
    let mut snapshot = world();
    let first = entry("b", "b.org", 443, "HTTPS", 1);
    for object in [first, entry("a", "a.org", 80, "HTTP", 2), entry("c", "c.test", 443, "HTTPS", 3), rule] {
        take(&mut snapshot, &Step::Put(object));
    }
    let model = Model::compile(&snapshot, &Options::default());
    same_traces(&model.with_parts(Parts::Always), &model.with_parts(Parts::Whole)).expect("a part answers as the whole does");
    let pod = snapshot.find("", "Pod", "default", "test").expect("the client");
    let whole = model.proxy(pod).expect("a sidecar");
    let listener = whole.listeners.iter().find(|l| l.port == 443 && l.address.is_none()).expect("a listener");
    assert!(listener.chains.iter().any(|chain| chain.sni.iter().any(|name| name == "a.org")));
}

/// A new entry and a new pod that it selects: the entry is read for its own sake and for the pod's, and is there once.
#[test]
fn an_entry_that_comes_with_its_pod_is_there_once() {
    let options = Options::default();
    let old = Model::compile(&world(), &options);
    old.base();
    let mut snapshot = world();
    let entry = serde_json::json!({"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
        "metadata": {"name": "a", "namespace": "foo"}, "spec": {"hosts": ["a.org"], "resolution": "STATIC",
            "ports": [{"name": "http", "number": 80, "protocol": "HTTP"}], "workloadSelector": {"labels": {"app": "late"}}}});
    let pod = serde_json::json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "app", "image": "i"}]},
        "metadata": {"name": "late", "namespace": "foo", "labels": {"app": "late"}},
        "status": {"phase": "Running", "podIP": "10.244.0.4"}});
    let keys = [entry, pod].map(|object| take(&mut snapshot, &Step::Put(object)));
    let model = old.update(&snapshot, &keys, &options);
    assert_eq!(model.services_of("ServiceEntry foo/a").count(), 1);
    assert_eq!(model.base().services.len(), Model::compile(&snapshot, &options).base().services.len());
}

/// An older alias with the same port opens no listener: the part has to hold the service that does.
#[test]
fn an_alias_does_not_stand_for_the_services_of_its_port() {
    let service = |name: &str, born: u8, how: serde_json::Value| {
        let mut service = serde_json::json!({"apiVersion": "v1", "kind": "Service", "spec": how,
            "metadata": {"name": name, "namespace": "default", "creationTimestamp": format!("2026-01-0{born}T00:00:00Z")}});
        service["spec"]["ports"] = serde_json::json!([{"name": "http", "port": 9000, "targetPort": 80}]);
        Arc::new(Object(service))
    };
    let mut snapshot = world();
    snapshot.put(service("web", 1, serde_json::json!({"type": "ExternalName", "externalName": "a.org"})));
    snapshot.put(service("db", 2, serde_json::json!({"clusterIP": "None", "selector": {}})));
    let model = Model::compile(&snapshot, &Options::default()).with_parts(Parts::Always);
    let (outside, pod) = (Outside::assumed(), snapshot.find("", "Pod", "default", "test").expect("the client"));
    let inputs = Inputs { outside: &outside, now: Time::LOGICAL_START, seed: Seed(1), nth: 1 };
    let request = follow::request_for("http://10.1.2.3:9000/", "GET", "curl/8.1.2").expect("a URL");
    let trace = model.trace(pod, &request, &inputs);
    assert_eq!(trace.record.hops[0].listener.as_deref(), Some("0.0.0.0_9000"));
}

/// The laws above would hold for meshes that refuse everything, too.
#[test]
fn the_meshes_lead_to_many_ends() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut ends = std::collections::BTreeMap::new();
    for _ in 0..60 {
        let mut snapshot = world();
        let steps = vec(change(), 25..40).new_tree(&mut runner).expect("a tree").current();
        steps.iter().for_each(|step| drop(take(&mut snapshot, step)));
        for (_, trace) in traces(&Model::compile(&snapshot, &Options::default())) {
            *ends.entry(trace.record.outcome.to_string()).or_insert(0) += 1;
        }
    }
    let many = ["delivered", "blocked-registry-only", "gateway-not-listening", "no-route", "no-cluster", "no-healthy-upstream"];
    let rare: Vec<_> = many.iter().filter(|end| ends.get(**end).is_none_or(|n| *n < 5)).collect();
    assert!(rare.is_empty(), "{rare:?} {ends:?}");
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn a_change_gives_what_compiling_everything_gives(start in vec(change(), 0..20), batches in vec(vec(change(), 1..3), 1..8)) {
        let mut snapshot = world();
        start.iter().for_each(|step| drop(take(&mut snapshot, step)));
        let mut model = Model::compile(&snapshot, &Options::default());
        let mut parts = model.with_parts(Parts::Always);
        model.base();
        for batch in &batches {
            let keys: Vec<Key> = batch.iter().map(|step| take(&mut snapshot, step)).collect();
            model = model.update(&snapshot, &keys, &Options::default());
            let whole = Model::compile(&snapshot, &Options::default());
            same_proxies(&model, &whole)?;
            same_traces(&model, &whole)?;
            // What is kept of parts from one change to the next is still right.
            traces(&parts);
            parts = parts.update(&snapshot, &keys, &Options::default());
            same_traces(&parts, &whole)?;
        }
    }

    #[test]
    fn what_is_kept_of_parts_is_what_would_be_derived(start in vec(narrow_change(), 0..12), batches in vec(vec(narrow_change(), 1..3), 1..8)) {
        let mut snapshot = narrow_world();
        start.iter().for_each(|step| drop(take(&mut snapshot, step)));
        let mut parts = Model::compile(&snapshot, &Options::default()).with_parts(Parts::Always);
        for batch in &batches {
            traces(&parts);
            let keys: Vec<Key> = batch.iter().map(|step| take(&mut snapshot, step)).collect();
            parts = parts.update(&snapshot, &keys, &Options::default());
            same_traces(&parts, &Model::compile(&snapshot, &Options::default()))?;
        }
    }

    #[test]
    fn a_part_answers_as_the_whole_does(steps in vec(change(), 0..40)) {
        let mut snapshot = world();
        steps.iter().for_each(|step| drop(take(&mut snapshot, step)));
        let model = Model::compile(&snapshot, &Options::default());
        same_traces(&model.with_parts(Parts::Always), &model.with_parts(Parts::Whole))?;
    }

    #[test]
    fn the_order_of_the_input_does_not_matter(steps in vec(change(), 0..30)) {
        let mut snapshot = world();
        steps.iter().for_each(|step| drop(take(&mut snapshot, step)));
        let mut turned: Vec<Object> = snapshot.all().map(|o| Object::clone(o)).collect();
        turned.reverse();
        let (one, other) = (Model::compile(&snapshot, &Options::default()), Model::compile(&turned.into_iter().collect(), &Options::default()));
        same_proxies(&one, &other)?;
        same_traces(&one, &other)?;
    }

    #[test]
    fn compiling_ends_whatever_is_there(objects in vec(shapes::object(), 1..8)) {
        let mut snapshot = world();
        for object in objects {
            snapshot.put(Arc::new(Object(object)));
        }
        let model = Model::compile(&snapshot, &Options::default());
        same_proxies(&model, &model)?;
        traces(&model);
        traces(&model.with_parts(Parts::Always));
    }
}

/// Two entries of one moment, on one port without addresses: which of them has the port does not depend on what came later.
#[test]
fn of_two_entries_of_one_moment_the_same_has_the_port_after_a_change() {
    let entry = |namespace: &str, name: &str, host: &str, port: u16, protocol: &str, export: &str| {
        Step::Put(serde_json::json!({"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
            "metadata": {"name": name, "namespace": namespace, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"hosts": [host], "exportTo": [export], "resolution": "DNS",
                "ports": [{"name": "p0", "number": port, "protocol": protocol}]}}))
    };
    let (mut snapshot, options) = (world(), Options::default());
    take(&mut snapshot, &entry("default", "b", "b.org", 9000, "TCP", "foo"));
    take(&mut snapshot, &entry("foo", "a", "x.a.org", 9000, "TCP", "."));
    let start = Model::compile(&snapshot, &options);
    let parts = start.with_parts(Parts::Always);
    let key = take(&mut snapshot, &entry("istio-system", "a", "a.org", 80, "HTTP", "*"));
    let whole = Model::compile(&snapshot, &options);
    let ends = |model: &Model| {
        let found = traces(model).into_iter().filter(|(name, _)| name == "foo/test 10.1.2.3:9000");
        found.map(|(_, trace)| trace.record.hops[0].cluster.clone()).collect::<Vec<_>>()
    };
    let keys = [key];
    let all = [&start, &parts, &start.update(&snapshot, &keys, &options), &parts.update(&snapshot, &keys, &options), &whole];
    let names: Vec<_> = all.iter().map(|model| ends(model)).collect();
    assert!(names.windows(2).all(|two| two[0] == two[1]), "{names:?}");
}
