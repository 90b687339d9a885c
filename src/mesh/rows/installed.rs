//! Over what an installation really consists of: rendered objects, injected client, slices.

use super::file::{Shared, documents, set};
use super::mesh::{Inputs, Model, Options, Trace, follow};
use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::k8s::{Object, Snapshot};
use crate::mesh::compile::registry::target_port;
use crate::mesh::inject::inject;
use crate::mesh::install::{InstallOptions, render};
use crate::outside::Outside;
use serde_json::Value;
use std::sync::Arc;

/// A demo installation as `istioctl install` renders it, with the pods, addresses and slices that a cluster would add, and a client
/// pod that the webhook injected.
fn installed() -> Snapshot {
    let mode = "meshConfig.outboundTrafficPolicy.mode=REGISTRY_ONLY";
    let options = InstallOptions { profile: "demo".into(), settings: vec![mode.into()], ..InstallOptions::default() };
    let mut snapshot: Snapshot = render(&options).expect("demo renders").into_iter().collect();
    let deployments: Vec<Object> = snapshot.list("apps", "Deployment").map(|d| (**d).clone()).collect();
    for (i, deployment) in deployments.iter().enumerate() {
        let mut pod = Object(deployment.at(&["spec", "template"]).clone());
        pod.set(&["apiVersion"], "v1".into());
        pod.set(&["kind"], "Pod".into());
        pod.set(&["metadata", "name"], format!("{}-1", deployment.name()).into());
        pod.set(&["metadata", "namespace"], deployment.namespace().into());
        pod.set(&["status"], serde_json::json!({"phase": "Running", "podIP": format!("10.244.1.{i}")}));
        snapshot.put(Arc::new(pod));
    }
    let services: Vec<Object> = snapshot.list("", "Service").map(|s| (**s).clone()).collect();
    for (i, mut service) in services.into_iter().enumerate() {
        service.set(&["spec", "clusterIP"], format!("10.96.1.{i}").into());
        let name = format!("{}-1", service.name());
        let pod = snapshot.find("", "Pod", service.namespace(), &name).expect("each service has its deployment").clone();
        let port = |p: &Value| {
            let target = target_port(p, &pod);
            serde_json::json!({"name": p["name"], "port": target})
        };
        let ports: Vec<Value> = service.at(&["spec", "ports"]).as_array().into_iter().flatten().map(port).collect();
        snapshot.put(Arc::new(Object(serde_json::json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": service.name(), "namespace": service.namespace(), "labels": {"kubernetes.io/service-name": service.name()}},
            "endpoints": [{"addresses": [pod.str_at(&["status", "podIP"])], "conditions": {"ready": true}}],
            "ports": ports,
        }))));
        snapshot.put(Arc::new(service));
    }
    let client = documents(
        "{apiVersion: v1, kind: Pod, metadata: {name: test, namespace: default}, spec: {containers: [{name: test, image: 'curlimages/curl:8.1.2'}]}}",
        "the client",
    );
    let mut injected = inject(&Object(client[0].clone()), "default", &snapshot).expect("simulated").expect("injected");
    injected.set(&["metadata", "namespace"], "default".into());
    injected.set(&["status"], serde_json::json!({"phase": "Running", "podIP": "10.244.0.5"}));
    snapshot.put(Arc::new(injected));
    snapshot
}

fn ask(snapshot: &Snapshot, outside: &Outside, url: &str) -> Trace {
    let model = Model::compile(snapshot, &Options::default());
    let pod = snapshot.find("", "Pod", "default", "test").expect("the client").clone();
    let inputs = Inputs { outside, now: Time::LOGICAL_START, seed: Seed(1), nth: 1 };
    model.trace(&pod, &follow::request_for(url, "HEAD", "curl/8.1.2").expect("a URL"), &inputs)
}

#[test]
fn the_seed_lesson_over_a_rendered_demo_installation() {
    let shared = Shared::read("1.30");
    let mut snapshot = installed();
    let words = |snapshot: &Snapshot| {
        let record = ask(snapshot, &shared.outside, "http://www.wikipedia.org/").record;
        format!("{} {} {:?}", record.outcome, record.path, record.status)
    };
    assert_eq!(words(&snapshot), "blocked-registry-only none Some(502)");
    let port80 = ask(&snapshot, &shared.outside, "http://www.wikipedia.org/").record.hops[0].listener.clone();
    assert_eq!(port80.as_deref(), Some("0.0.0.0_80"), "the gateways' Services open port 80");
    for (part, wanted) in [
        ("se", "delivered direct Some(301)"),
        ("vs", "no-cluster none Some(503)"),
        ("dr", "gateway-not-listening gateway istio-system/istio-egressgateway Some(503)"),
        ("gw", "delivered gateway istio-system/istio-egressgateway Some(301)"),
    ] {
        snapshot.put(Arc::new(shared.part(part)));
        assert_eq!(words(&snapshot), wanted, "after {part}");
    }
}

/// Generous against a loaded machine: compiling takes a few milliseconds here, a trace well under one.
#[test]
fn compiling_and_tracing_are_quick() {
    let shared = Shared::read("1.30");
    let mut snapshot = installed();
    ["se", "vs", "dr", "gw"].iter().for_each(|part| snapshot.put(Arc::new(shared.part(part))));
    let model = Model::compile(&snapshot, &Options::default());
    let pod = snapshot.find("", "Pod", "default", "test").expect("the client").clone();
    let request = follow::request_for("http://www.wikipedia.org/", "HEAD", "curl/8.1.2").expect("a URL");
    let took = |nth: u64| {
        let watch = crate::base::clock::Stopwatch::start();
        let inputs = Inputs { outside: &shared.outside, now: Time::LOGICAL_START, seed: Seed(1), nth };
        assert_eq!(model.trace(&pod, &request, &inputs).record.status, Some(301));
        watch.elapsed_ms()
    };
    let first = took(0);
    let best = (1..50).map(took).min().expect("runs");
    assert!(first < 200 && best < 10, "{first} ms, {best} ms");
}

#[test]
fn logs_follow_the_mesh_configuration() {
    let shared = Shared::read("1.30");
    let mut world = shared.world.clone();
    let base = "outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n";
    let mut first = |extra: &str| {
        set(&mut world, "ConfigMap istio-system/istio", "/data/mesh", format!("{base}{extra}").into());
        ask(&world, &shared.outside, "http://www.wikipedia.org/").logs.first().map(|l| l.text.clone())
    };
    assert_eq!(first(""), None, "off without accessLogFile");
    let json = first("accessLogFile: /dev/stdout\naccessLogEncoding: JSON\n").expect("a line");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json.as_object().map(|o| o.len()), Some(24));
    assert_eq!(
        (&json["response_code"], &json["route_name"], &json["upstream_cluster"]),
        (&502.into(), &"block_all".into(), &Value::Null)
    );
    let custom = first(
        "accessLogFile: /dev/stdout\naccessLogFormat: \"%REQ(:METHOD)% %REQ(:AUTHORITY)% %RESPONSE_CODE% %REQ(X-NO)%\\n\"\n",
    );
    assert_eq!(custom.as_deref(), Some("HEAD www.wikipedia.org 502 -"));
}
