mod world;

use super::*;
use crate::base::clock::Time;
use crate::mesh::install::{InstallOptions, render};
use crate::outside::wire::{HttpVersion, Reply, Response};
use crate::sandbox::{Action, Admission, Review};
use serde_json::json;

fn pod(namespace: &str, name: &str, app: &str, image: &str, ready: bool) -> Object {
    let status = if ready { "True" } else { "False" };
    Object(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace, "labels": {"app": app}},
        "spec": {"containers": [{"name": "istio-proxy", "image": image, "args": ["proxy", "sidecar"]}]},
        "status": {"podIP": "10.244.0.9", "conditions": [{"type": "Ready", "status": status}]},
    }))
}

fn world(istiod_ready: bool) -> Snapshot {
    let options = InstallOptions { profile: "demo".into(), ..InstallOptions::default() };
    let mut objects = render(&options).expect("demo renders");
    objects.push(pod("istio-system", "istiod-1", "istiod", "docker.io/istio/pilot:1.30.0", istiod_ready));
    for name in ["default", "kube-system"] {
        objects.push(Object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})));
    }
    objects.into_iter().collect()
}

/// Runs the loops until they rest, as the world does.
fn settle(mut state: Snapshot) -> (Snapshot, usize) {
    let mut written = 0;
    for _ in 0..20 {
        let actions: Vec<Action> = controllers().iter().flat_map(|c| c.reconcile(&state, Time(0))).collect();
        if actions.is_empty() {
            return (state, written);
        }
        written += actions.len();
        for action in actions {
            match action {
                Action::Create(object) | Action::Update(object) => state.put(Arc::new(object)),
                other => panic!("not expected: {other:?}"),
            }
        }
    }
    panic!("the loops do not come to rest");
}

#[test]
fn nothing_happens_while_istiod_is_not_ready() {
    assert_eq!(settle(world(false)).1, 0);
}

#[test]
fn the_loops_make_certificates_and_arm_the_webhooks() {
    let (state, _) = settle(world(true));
    let has = |namespace: &str| state.find("", "ConfigMap", namespace, "istio-ca-root-cert").is_some();
    assert_eq!([has("default"), has("istio-system"), has("kube-system")], [true, true, false]);
    assert!(state.find("", "Secret", "istio-system", "istio-ca-secret").is_some());
    let group = "admissionregistration.k8s.io";
    let validator = state.find(group, "ValidatingWebhookConfiguration", "", "istiod-default-validator").expect("the validator");
    assert_eq!(validator.at(&["webhooks"])[0]["failurePolicy"], "Fail");
    let injector = state.find(group, "MutatingWebhookConfiguration", "", "istio-revision-tag-default").expect("the injector");
    for webhook in injector.at(&["webhooks"]).as_array().expect("entries") {
        assert!(
            webhook["clientConfig"]["caBundle"].as_str().is_some_and(|b| b.starts_with("LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t"))
        );
    }
}

#[test]
fn the_proxy_is_ready_once_it_had_an_istiod() {
    let programs = programs();
    let proxy = programs.iter().find(|p| p.runs("registry.istio.io/release/proxyv2:1.30.0")).expect("proxyv2 is known");
    let fresh = pod("default", "test", "test", "istio/proxyv2:1.30.0", false);
    assert!(proxy.ready(&fresh, "istio-proxy", &world(true)).is_ok());
    assert!(proxy.ready(&fresh, "istio-proxy", &world(false)).is_err());
    let running = pod("default", "test", "test", "istio/proxyv2:1.30.0", true);
    assert!(proxy.ready(&running, "istio-proxy", &world(false)).is_ok(), "it keeps its configuration");
    let lines = proxy.start_logs(&fresh, "istio-proxy", &world(false), Time::LOGICAL_START).join("\n");
    assert!(lines.contains("Envoy proxy is NOT ready: config not received from XDS server"), "{lines}");
}

#[test]
fn requests_of_istios_own_commands_go_to_their_pods_ports() {
    let programs = programs();
    let asked = |nth: usize, line: &str| {
        let argv: Vec<String> = line.split(' ').map(str::to_string).collect();
        programs[nth].request("any", &argv).map(|r| format!("{} {}:{}{}", r.method, r.host, r.port, r.path))
    };
    assert_eq!(asked(1, "pilot-agent request GET clusters").as_deref(), Some("GET localhost:15000/clusters"));
    assert_eq!(
        asked(1, "pilot-agent request post /logging?level=info").as_deref(),
        Some("POST localhost:15000/logging?level=info")
    );
    assert_eq!(asked(0, "pilot-discovery request GET /debug/mesh").as_deref(), Some("GET localhost:8080/debug/mesh"));
    assert_eq!(asked(1, "curl localhost:15000/clusters"), None, "the pod's own curl asks");
    assert_eq!(asked(1, "pilot-agent request GET"), None);
    let answer = |status: u16, body: &str| {
        let response = Response {
            version: HttpVersion::Http11,
            status,
            reason: "".into(),
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
            peer: None,
        };
        let printed = programs[1].printed(&Reply::Response(response));
        (printed.exit_code, String::from_utf8_lossy(&[printed.stdout, printed.stderr].concat()).into_owned())
    };
    assert_eq!(answer(200, "LIVE\n"), (0, "LIVE\n\n".into()));
    assert_eq!(answer(404, "invalid path. "), (0, "invalid path. \n".into()));
    assert_eq!(answer(405, "no"), (1, "Error: received unsuccessful status code 405: no\n".into()));
}

#[test]
fn reviews_reach_injection_and_validation() {
    let state = world(true);
    let webhook = &webhooks()[0];
    assert!(webhook.runs_in("docker.io/istio/pilot:1.26.8") && !webhook.runs_in("docker.io/istio/proxyv2:1.26.8"));
    let app =
        Object(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "t"}, "spec": {"containers": [{"name": "a"}]}}));
    let ask = |path, operation, object| {
        webhook.review(&Review { path, operation, object, old: None, namespace: "default", snapshot: &state })
    };
    assert!(matches!(ask("/inject", "CREATE", &app), Admission::Allow { object: Some(_), .. }));
    let mut other = app.clone();
    other.set(&["metadata", "annotations"], json!({"inject.istio.io/templates": "gateway"}));
    assert!(matches!(ask("/inject", "CREATE", &other), Admission::Deny { code: 501, .. }));
}
