use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::base::yaml;
use crate::k8s::{Object, Snapshot};
use crate::mesh::{Inputs, Model, Options, follow};
use crate::outside::Outside;
use serde_json::{Value, json};
use std::sync::Arc;

fn world() -> Snapshot {
    let text = include_str!("../../../tests/data/mesh/world.yaml").replace("PROXY_IMAGE", "docker.io/istio/proxyv2:1.30.0");
    let parts = include_str!("../../../tests/data/mesh/parts.yaml");
    let parts = yaml::parse_documents(parts).expect("YAML").into_iter();
    let wanted = parts.filter(|p| ["se", "gw", "dr", "vs"].iter().any(|n| p["metadata"]["labels"]["part"] == *n));
    yaml::parse_documents(&text).expect("YAML").into_iter().chain(wanted).map(Object).collect()
}

fn object(group: &str, kind: &str, namespace: &str, spec: Value) -> Arc<Object> {
    let metadata = json!({"name": "x", "namespace": namespace});
    Arc::new(Object(json!({"apiVersion": format!("{group}/v1"), "kind": kind, "metadata": metadata, "spec": spec})))
}

fn explained(model: &Model, outside: &Outside, url: &str, from: (&str, &str)) -> (String, String, Vec<String>) {
    let pod = model.snapshot().find("", "Pod", from.0, from.1).expect("the pod").clone();
    let mut request = follow::request_for(url, "GET", "curl").expect("a URL");
    request.insecure = true;
    let inputs = Inputs { outside, now: Time::LOGICAL_START, seed: Seed(1), nth: 7 };
    let all = model.trace_follow(&pod, &request, &inputs, 0);
    let record = &all.exchanges[0];
    (record.outcome.to_string(), format!("{} {}", record.cause.object, record.cause.field), all.assumptions)
}

#[test]
fn where_nobody_looked_it_is_assumed_that_policies_are_enforced_and_secrets_are_there() {
    let mut objects = world();
    objects.put(object("networking.k8s.io", "NetworkPolicy", "foo", json!({"podSelector": {}})));
    let tls = json!({"selector": {"istio": "egressgateway"}, "servers": [{"port": {"number": 443, "name": "https", "protocol": "HTTPS"},
        "hosts": ["www.wikipedia.org"], "tls": {"mode": "SIMPLE", "credentialName": "cert"}}]});
    objects.put(object("networking.istio.io", "Gateway", "default", tls));
    let url = "https://istio-egressgateway.istio-system/";
    let ask = |outside: &Outside, unread: bool| {
        let options = Options { secrets_unread: unread, ..Options::default() };
        let model = Model::compile(&objects, &options);
        let pod = model.snapshot().find("", "Pod", "lab-control", "bare").expect("the pod").clone();
        let mut request = follow::request_for(url, "GET", "curl").expect("a URL");
        (request.insecure, request.sni) = (true, Some("www.wikipedia.org".into()));
        let inputs = Inputs { outside, now: Time::LOGICAL_START, seed: Seed(1), nth: 7 };
        let all = model.trace_follow(&pod, &request, &inputs, 0);
        (all.exchanges[0].outcome.to_string(), all.assumptions)
    };
    let (outcome, assumed) = ask(&Outside::assumed(), true);
    assert_eq!(outcome, "no-route", "TLS ends, and no VirtualService is bound to this server");
    let said = |text: &str| assumed.iter().any(|a| a.contains(text));
    assert!(said("enforces NetworkPolicies") && said("Secret istio-system/cert"), "{assumed:?}");
    assert_eq!(ask(&Outside::standard(), true), ("not-modelled".into(), Vec::new()));
    assert_eq!(ask(&Outside::standard(), false), ("tls-failed".into(), Vec::new()));
}

#[test]
fn policies_that_come_and_go_are_seen_by_the_next_model() {
    let outside = Outside::standard();
    let before = world();
    let rules = json!([{"to": [{"operation": {"paths": ["/admin"]}}]}]);
    for (new, outcome, cause) in [
        (
            object("security.istio.io", "AuthorizationPolicy", "istio-system", json!({"action": "DENY", "rules": rules})),
            "blocked-policy",
            "AuthorizationPolicy istio-system/x spec.rules[0].to[0].operation.paths",
        ),
        (
            object("networking.k8s.io", "NetworkPolicy", "default", json!({"podSelector": {}, "policyTypes": ["Egress"]})),
            "dns-failed",
            "NetworkPolicy default/x spec.policyTypes",
        ),
        (
            object("networking.istio.io", "EnvoyFilter", "default", json!({"configPatches": [{"applyTo": "BOOTSTRAP"}]})),
            "not-modelled",
            "EnvoyFilter default/x spec.configPatches[0]",
        ),
    ] {
        let url = "http://www.wikipedia.org/admin";
        let from = ("default", "test");
        let first = Model::compile(&before, &Options::default());
        assert_eq!(explained(&first, &outside, url, from).0, "delivered");
        let mut after = before.clone();
        after.put(new.clone());
        let second = first.update(&after, &[new.key()], &Options::default());
        let (found, why, _) = explained(&second, &outside, url, from);
        assert_eq!((found.as_str(), why.as_str()), (outcome, cause));
        let third = second.update(&before, &[new.key()], &Options::default());
        assert_eq!(explained(&third, &outside, url, from).0, "delivered");
    }
}
