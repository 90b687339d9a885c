//! The resources of proxies compiled from the rows' world.

use super::*;
use crate::base::yaml;
use crate::k8s::{Object, Snapshot};
use crate::mesh::{Model, Options};

fn model(parts: &[&str]) -> Model {
    let documents = |text: &str| yaml::parse_documents(text).expect("test data is YAML");
    let world = documents(include_str!("../../../tests/data/mesh/world.yaml"));
    let all = documents(include_str!("../../../tests/data/mesh/parts.yaml")).into_iter().map(Object);
    let chosen = all.filter(|o| o.label("part").is_some_and(|p| parts.contains(&p)));
    let snapshot: Snapshot = world.into_iter().map(Object).chain(chosen).collect();
    Model::compile(&snapshot, &Options::default())
}

fn resources(model: &Model, namespace: &str, pod: &str) -> (Vec<Value>, Vec<Value>, Vec<Value>, Vec<Value>) {
    let pod = model.snapshot().find("", "Pod", namespace, pod).expect("the pod").clone();
    let proxy = model.proxy(&pod).expect("a proxy");
    let told = Told { proxy: &proxy, mesh: model.mesh_config() };
    (listeners(&told), routes(&told), clusters(&told), endpoints(&told))
}

fn named<'v>(all: &'v [Value], name: &str) -> &'v Value {
    let found = all.iter().find(|v| v["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} among {:?}", all.iter().map(|v| &v["name"]).collect::<Vec<_>>()))
}

#[test]
fn a_sidecar_listens_as_istio_writes_it() {
    let (listeners, ..) = resources(&model(&["se"]), "default", "test");
    let http = named(&listeners, "0.0.0.0_80");
    let chain = &http["filter_chains"][0];
    let sniffed = json!({ "transport_protocol": "raw_buffer", "application_protocols": ["http/1.1", "h2c"] });
    assert_eq!(chain["filter_chain_match"], sniffed);
    assert_eq!(chain["filters"][0]["typed_config"]["rds"]["route_config_name"], "80");
    assert_eq!(http["listener_filters"][0]["name"], "envoy.filters.listener.http_inspector");
    assert_eq!(http["default_filter_chain"]["filters"][0]["typed_config"]["cluster"], "BlackHoleCluster");
    assert_eq!(http["bind_to_port"], false);
    let tls = named(&listeners, "0.0.0.0_443");
    assert_eq!(tls["filter_chains"][0]["filter_chain_match"], json!({ "server_names": ["www.wikipedia.org"] }));
    assert_eq!(tls["filter_chains"][0]["filters"][0]["typed_config"]["cluster"], "outbound|443||www.wikipedia.org");
    let outbound = listeners.last().expect("listeners");
    assert_eq!(outbound["name"], "virtualOutbound");
    assert_eq!(outbound["filter_chains"][0]["filter_chain_match"], json!({ "destination_port": 15001 }));
    assert_eq!(outbound["use_original_dst"], true);
}

/// A TCP port without addresses takes everything: Istio writes its chain alone, without conditions and without a default.
#[test]
fn a_chain_without_conditions_stands_in_for_the_default() {
    let (listeners, ..) = resources(&model(&["se443"]), "default", "test");
    let vip = named(&listeners, "10.96.0.1_443");
    assert_eq!(vip["filter_chains"].as_array().map(Vec::len), Some(1));
    assert!(vip["filter_chains"][0].get("filter_chain_match").is_none());
    assert!(vip.get("default_filter_chain").is_none());
}

#[test]
fn routes_and_clusters_name_the_objects_that_made_them() {
    let (_, routes, clusters, endpoints) = resources(&model(&["se", "gw", "dr", "vs"]), "default", "test");
    let hosts = named(&routes, "80")["virtual_hosts"].as_array().expect("hosts").clone();
    let route = &named(&hosts, "www.wikipedia.org:80")["routes"][0];
    let subset = "outbound|80|wiki|istio-egressgateway.istio-system.svc.cluster.local";
    assert_eq!(route["route"]["cluster"], subset);
    let by = &route["metadata"]["filter_metadata"]["istio"]["config"];
    assert_eq!(by, "/apis/networking.istio.io/v1/namespaces/default/virtual-service/wiki");
    assert_eq!(route["decorator"]["operation"], "istio-egressgateway.istio-system.svc.cluster.local:80/*");
    assert_eq!(hosts.last().expect("hosts")["routes"][0]["direct_response"], json!({ "status": 502 }));
    let cluster = named(&clusters, subset);
    let by = &cluster["metadata"]["filter_metadata"]["istio"]["config"];
    assert_eq!(by, "/apis/networking.istio.io/v1/namespaces/default/destination-rule/egw");
    assert_eq!(cluster["type"], "EDS");
    let one = endpoints.iter().find(|e| e["cluster_name"] == subset).expect("an assignment");
    let address = &one["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"];
    assert_eq!(address, &json!({ "address": "10.244.0.20", "port_value": 8080 }));
    assert_eq!(named(&clusters, "outbound|80||www.wikipedia.org")["type"], "STRICT_DNS");
    assert_eq!(named(&clusters, "PassthroughCluster")["type"], "ORIGINAL_DST");
}

#[test]
fn a_gateway_binds_its_ports_and_has_no_way_past_the_registry() {
    let (listeners, routes, clusters, _) = resources(&model(&["se", "gw", "dr", "vs"]), "istio-system", "egw");
    let listener = named(&listeners, "0.0.0.0_8080");
    assert!(listener.get("bind_to_port").is_none() && listener.get("default_filter_chain").is_none());
    let manager = &listener["filter_chains"][0]["filters"][0]["typed_config"];
    assert_eq!((&manager["server_name"], &manager["use_remote_address"]), (&json!("istio-envoy"), &json!(true)));
    assert_eq!(named(&routes, "http.8080")["virtual_hosts"][0]["name"], "www.wikipedia.org:80");
    assert!(!clusters.iter().any(|c| c["name"] == "PassthroughCluster"));
}

#[test]
fn a_bootstrap_fetches_nothing() {
    let model = model(&["se", "gw", "dr", "vs"]);
    let pod = model.snapshot().find("", "Pod", "default", "test").expect("the pod").clone();
    let proxy = model.proxy(&pod).expect("a proxy");
    let told = Told { proxy: &proxy, mesh: model.mesh_config() };
    let room = bootstrap::Room {
        node: "sidecar~10.244.0.5~test.default~default.svc.cluster.local",
        ip: "10.244.0.5".parse().expect("an address"),
        admin_port: 15000,
        log: "/tmp/log",
        resolver: ("127.0.0.1".parse().expect("an address"), 53),
        mark: 1337,
        connect_timeout_ms: Some(500),
        secrets: &bootstrap::Secrets::default(),
    };
    let text = bootstrap::fixed(&told, &room).to_string();
    for fetched in ["\"ads\"", "sds_config\"", "\"rds\"", "\"EDS\"", "/dev/stdout", "\"10s\""] {
        assert!(!text.replace("sds_secret_config\"", "").contains(fetched), "{fetched}");
    }
    assert!(text.contains("\"inline_string\"") && text.contains("/tmp/log") && text.contains("0.500s"));
}

#[test]
fn durations_as_protobuf_writes_them() {
    assert_eq!([0, 1500, 10_000, 25].map(duration), ["0s", "1.500s", "10s", "0.025s"]);
}
