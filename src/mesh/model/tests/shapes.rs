//! Objects of the mesh's kinds with anything in their fields.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

const KINDS: [(&str, &str); 16] = [
    ("networking.istio.io/v1", "ServiceEntry"),
    ("networking.istio.io/v1", "VirtualService"),
    ("networking.istio.io/v1", "DestinationRule"),
    ("networking.istio.io/v1", "Gateway"),
    ("networking.istio.io/v1", "Sidecar"),
    ("networking.istio.io/v1", "WorkloadEntry"),
    ("networking.istio.io/v1alpha3", "EnvoyFilter"),
    ("security.istio.io/v1", "AuthorizationPolicy"),
    ("security.istio.io/v1", "PeerAuthentication"),
    ("security.istio.io/v1", "RequestAuthentication"),
    ("telemetry.istio.io/v1", "Telemetry"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    ("gateway.networking.k8s.io/v1", "Gateway"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
    ("v1", "Service"),
    ("v1", "Pod"),
];

const NAMES: [&str; 52] = [
    "hosts",
    "ports",
    "number",
    "name",
    "protocol",
    "resolution",
    "endpoints",
    "address",
    "addresses",
    "http",
    "tls",
    "tcp",
    "match",
    "route",
    "destination",
    "host",
    "subset",
    "subsets",
    "weight",
    "port",
    "gateways",
    "exportTo",
    "labels",
    "selector",
    "servers",
    "mode",
    "egress",
    "workloadSelector",
    "trafficPolicy",
    "portLevelSettings",
    "uri",
    "regex",
    "prefix",
    "exact",
    "sniHosts",
    "headers",
    "redirect",
    "fault",
    "rewrite",
    "retries",
    "timeout",
    "delegate",
    "mirror",
    "rules",
    "to",
    "from",
    "operation",
    "paths",
    "clusterIP",
    "type",
    "externalName",
    "containers",
];

const WORDS: [&str; 22] = [
    "",
    "*",
    "*.a.org",
    "a.org",
    "web.default",
    "http",
    "HTTPS",
    "DNS",
    "STATIC",
    "NONE",
    "mesh",
    "ISTIO_MUTUAL",
    "SIMPLE",
    "10.0.0.0/99",
    "10.1.2.3",
    "::1",
    "(",
    "~",
    ".",
    "é.ü",
    "-1s",
    "18446744073709551616",
];

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        2 => select(&[0_i64, 1, 80, 443, 8080, 65_535, 65_536, -1, i64::MAX][..]).prop_map(Value::from),
        1 => Just(json!(1.5)),
        6 => select(&WORDS[..]).prop_map(Value::from),
        1 => Just(json!("x".repeat(300))),
    ];
    leaf.prop_recursive(6, 80, 5, |inner| {
        prop_oneof![
            2 => vec(inner.clone(), 0..4).prop_map(Value::Array),
            3 => btree_map(select(&NAMES[..]), inner, 0..6).prop_map(|map| map.into_iter().map(|(k, v)| (k.to_string(), v)).collect()),
        ]
    })
}

/// An object whose `spec` may be anything: known fields in odd places and of odd types.
pub fn object() -> impl Strategy<Value = Value> {
    let spec = btree_map(select(&NAMES[..]), anything(), 0..8);
    (select(&KINDS[..]), select(&["default", "foo", "istio-system"][..]), spec, anything()).prop_map(|((api, kind), namespace, spec, odd)| {
        let spec: Value = spec.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
        json!({"apiVersion": api, "kind": kind, "metadata": {"name": "odd", "namespace": namespace, "labels": odd, "annotations": odd},
            "spec": spec, "endpoints": odd, "ports": odd, "status": {"podIP": "10.244.0.77", "conditions": odd}})
    })
}
