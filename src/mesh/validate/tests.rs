//! The rows of the validation tables are data too, see `mesh::rows::validation`.

use super::*;
use crate::base::yaml;
use serde_json::json;

const CASES: &str = include_str!("../../../tests/data/validation/cases.yaml");
const ANSWERS: &str = include_str!("../../../tests/data/validation/answers.jsonl");

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

/// Protobuf prints one or two spaces between fields, as the program that prints them was built.
fn one_space(text: &str) -> String {
    text.replace("  ", " ")
}

/// CEL expressions of which only the parser's own library says just this: known gaps.
const GAPS: [&str; 2] = ["has(request.headers['x'])", "a == = b"];

/// The answers are those of Istio's own validation (tests/peers/validation.sh).
#[test]
fn every_case_is_judged_as_istio_judges_it() {
    let cases = yaml::parse_documents(CASES).expect("the cases are YAML");
    let answers: Vec<Value> = ANSWERS.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(cases.len() >= 1000 && cases.len() == answers.len(), "{} cases, {} answers", cases.len(), answers.len());
    let mut wrong = Vec::new();
    for (case, answer) in cases.into_iter().zip(answers) {
        let found = validate(&Object(case.clone()), &Snapshot::default());
        let ours = json!({"text": if found.errors.is_empty() { String::new() } else { one_space(&found.joined()) },
            "errors": found.errors.iter().map(|e| one_space(e)).collect::<Vec<_>>(), "warnings": found.warnings});
        let theirs = json!({"text": one_space(text(&answer["text"])),
            "errors": texts(&answer["errors"]).into_iter().map(one_space).collect::<Vec<_>>(), "warnings": answer["warnings"]});
        let expression = text(&case["spec"]["accessLogging"][0]["filter"]["expression"]);
        if GAPS.contains(&expression) {
            assert_ne!(ours, theirs, "{expression} is no gap any more: take it off the list");
        } else if ours != theirs {
            wrong.push(format!("{} {}\n  ours   {ours}\n  theirs {theirs}", case["kind"], case["spec"]));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn odd_values_do_no_harm() {
    let kinds = [
        "ServiceEntry",
        "VirtualService",
        "Gateway",
        "DestinationRule",
        "Sidecar",
        "WorkloadEntry",
        "WorkloadGroup",
        "EnvoyFilter",
        "ProxyConfig",
    ];
    for kind in kinds {
        for spec in [
            Value::Null,
            json!(1),
            json!([]),
            json!({"hosts": 1, "http": [1], "tls": ["x"], "servers": [null], "egress": [null], "configPatches": [1],
            "ports": [[]], "subsets": ["x"], "host": 7, "trafficPolicy": "x", "outboundTrafficPolicy": [], "template": 1, "probe": []}),
        ] {
            check(kind, spec);
        }
    }
}

#[test]
fn a_large_direct_response_is_warned_of() {
    let body = |size: usize| json!({"hosts": ["a.com"], "http": [{"directResponse": {"status": 200, "body": {"string": "x".repeat(size)}}}]});
    assert_eq!(check("VirtualService", body(102_401)).warnings, ["large direct_responses may impact control plane performance"]);
    assert_eq!(check("VirtualService", body(102_400)), Validation::default());
    assert_eq!(check("VirtualService", body(1024 * 1024 + 1)).errors.len(), 1);
}
