//! The rows of the validation tables are data, see `mesh::rows::validation`.

use super::*;
use serde_json::json;

fn check(kind: &str, spec: Value) -> Validation {
    let object = Object(json!({"apiVersion": "networking.istio.io/v1", "kind": kind,
        "metadata": {"name": "x", "namespace": "default"}, "spec": spec}));
    validate(&object, &Snapshot::default())
}

#[test]
fn what_the_lesson_applies_is_valid() {
    let egress = "istio-egressgateway.istio-system.svc.cluster.local";
    let rows = [
        (
            "ServiceEntry",
            json!({"hosts": ["www.wikipedia.org"], "resolution": "DNS",
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}, {"number": 443, "name": "https", "protocol": "TLS"}]}),
        ),
        (
            "Gateway",
            json!({"selector": {"istio": "egressgateway"},
            "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["www.wikipedia.org"]}]}),
        ),
        ("DestinationRule", json!({"host": egress, "subsets": [{"name": "wikipedia"}]})),
        (
            "VirtualService",
            json!({"hosts": ["www.wikipedia.org"], "gateways": ["istio-system/istio-egressgateway", "mesh"], "http": [
            {"match": [{"gateways": ["mesh"], "port": 80}],
             "route": [{"destination": {"host": egress, "subset": "wikipedia", "port": {"number": 80}}}]},
            {"match": [{"gateways": ["istio-system/istio-egressgateway"], "port": 80}],
             "route": [{"destination": {"host": "www.wikipedia.org", "port": {"number": 80}}}]}]}),
        ),
    ];
    for (kind, spec) in rows {
        assert_eq!(check(kind, spec), Validation::default(), "{kind}");
    }
}

#[test]
fn several_errors_are_joined_as_a_list() {
    let found =
        check("ServiceEntry", json!({"hosts": ["*", "a_b.com"], "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}]}));
    assert_eq!(
        found.joined(),
        "2 errors occurred:\n\t* invalid host *\n\t* domain name \"a_b.com\" invalid (label \"a_b\" invalid)\n\n"
    );
    assert_eq!(check("Sidecar", json!({})).joined(), "sidecar: empty configuration provided");
}

#[test]
fn odd_values_do_no_harm() {
    for kind in ["ServiceEntry", "VirtualService", "Gateway", "DestinationRule", "Sidecar"] {
        for spec in [
            Value::Null,
            json!(1),
            json!([]),
            json!({"hosts": 1, "http": [1], "tls": ["x"], "servers": [null], "egress": [null],
            "ports": [[]], "subsets": ["x"], "host": 7, "trafficPolicy": "x", "outboundTrafficPolicy": []}),
        ] {
            check(kind, spec);
        }
    }
}
