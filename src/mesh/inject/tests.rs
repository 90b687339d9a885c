use super::*;
use crate::mesh::install::{InstallOptions, render};
use serde_json::json;

/// What injection makes of a pod that asks for nothing unusual.
fn inject(pod: &Object, namespace: &str, snapshot: &Snapshot) -> Option<Object> {
    super::inject(pod, namespace, snapshot).expect("what the pod asks for is simulated")
}

fn unsupported(pod: &Object, snapshot: &Snapshot) -> Option<String> {
    super::unsupported(pod, &Settings::read(snapshot))
}

fn demo(version: &str, kubelet: &str, namespaces: &[(&str, Value)]) -> Snapshot {
    let options = InstallOptions { profile: "demo".into(), version: version.into(), ..InstallOptions::default() };
    let mut objects = render(&options).expect("the demo profile renders");
    objects.push(Object(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"},
        "status": {"nodeInfo": {"kubeletVersion": kubelet}}})));
    objects.extend(namespaces.iter().map(|(name, labels)| {
        Object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}))
    }));
    objects.into_iter().collect()
}

fn pod(labels: Value, annotations: Value) -> Object {
    Object(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "test", "labels": labels, "annotations": annotations},
        "spec": {"containers": [{"name": "app", "image": "curlimages/curl"}], "initContainers": [{"name": "own", "image": "busybox"}]},
    }))
}

fn list(pod: &Object, key: &str) -> Vec<String> {
    let items = pod.at(&["spec", key]).as_array().into_iter().flatten();
    items.filter_map(|c| c["name"].as_str().map(str::to_string)).collect()
}

/// The decision table of the facts, section 2.3; rows 22 to 24 are about pods that are not created, see the tests below.
#[test]
fn the_decision_table() {
    let inject = |v: &str| json!({"sidecar.istio.io/inject": v});
    let (none, enabled) = (json!({}), json!({"istio-injection": "enabled"}));
    let rows: Vec<(u8, Value, Value, Value, bool)> = vec![
        (1, none.clone(), none.clone(), none.clone(), false),
        (2, none.clone(), none.clone(), inject("true"), false),
        (3, none.clone(), inject("true"), none.clone(), true),
        (4, none.clone(), inject("true"), inject("false"), true),
        (5, none.clone(), json!({"istio.io/rev": "default"}), none.clone(), true),
        (6, enabled.clone(), none.clone(), none.clone(), true),
        (7, enabled.clone(), inject("false"), none.clone(), false),
        (8, enabled.clone(), none.clone(), inject("false"), false),
        (9, enabled.clone(), inject("true"), inject("false"), true),
        (10, enabled.clone(), inject("false"), inject("true"), false),
        (11, enabled.clone(), inject("True"), none.clone(), true),
        (11, enabled.clone(), inject("yes"), none.clone(), true),
        (11, enabled.clone(), inject("1"), none.clone(), true),
        (12, json!({"istio-injection": "disabled"}), inject("true"), none.clone(), false),
        (13, json!({"istio-injection": "true"}), inject("true"), none.clone(), false),
        (13, json!({"istio-injection": "true"}), none.clone(), none.clone(), false),
        (14, json!({"istio-injection": "Enabled"}), inject("true"), none.clone(), false),
        (15, json!({"istio.io/rev": "default"}), none.clone(), none.clone(), true),
        (16, json!({"istio.io/rev": "canary"}), none.clone(), none.clone(), false),
        (17, json!({"istio-injection": "enabled", "istio.io/rev": "canary"}), none.clone(), none.clone(), true),
        (18, json!({"istio-injection": "disabled", "istio.io/rev": "default"}), none.clone(), none.clone(), false),
        (26, json!({"istio.io/dataplane-mode": "ambient"}), none.clone(), none.clone(), false),
    ];
    for (row, namespace, labels, annotations, expected) in rows {
        let snapshot = demo("1.30", "v1.36.2", &[("ns", namespace.clone())]);
        let pod = pod(labels.clone(), annotations.clone());
        assert_eq!(would_inject(&pod, "ns", &snapshot), expected, "row {row}: {namespace} {labels} {annotations}");
        let asked = !selected(&pod, "ns", &snapshot).is_empty();
        assert_eq!(
            asked && super::inject(&pod, "ns", &snapshot).is_ok_and(|pod| pod.is_some()),
            expected,
            "row {row}, as the API server asks"
        );
    }
}

#[test]
fn host_network_and_system_namespaces_are_left_alone() {
    let enabled = json!({"istio-injection": "enabled"});
    let snapshot =
        demo("1.30", "v1.36.2", &[("ns", enabled.clone()), ("kube-system", enabled.clone()), ("istio-system", json!({}))]);
    let mut host = pod(json!({"sidecar.istio.io/inject": "true"}), json!({}));
    host.set(&["spec", "hostNetwork"], json!(true));
    assert!(!would_inject(&host, "ns", &snapshot), "row 19");
    assert!(!would_inject(&pod(json!({}), json!({})), "kube-system", &snapshot), "row 20");
    assert!(!would_inject(&pod(json!({}), json!({})), "istio-system", &snapshot), "row 21");
}

#[test]
fn only_creation_of_pods_is_asked_about() {
    // Rows 22 to 24: labels that come later, or on the Deployment itself, change no pod.
    let snapshot = demo("1.30", "v1.36.2", &[]);
    for configuration in snapshot.list("admissionregistration.k8s.io", "MutatingWebhookConfiguration") {
        for entry in configuration.at(&["webhooks"]).as_array().expect("entries") {
            assert_eq!(entry["rules"][0]["operations"], json!(["CREATE"]));
            assert_eq!(entry["rules"][0]["resources"], json!(["pods"]));
        }
    }
}

#[test]
fn a_container_named_istio_proxy_is_merged_with_the_template() {
    let snapshot = demo("1.26", "v1.30.0", &[("ns", json!({"istio-injection": "enabled"}))]);
    let mut own = pod(json!({}), json!({}));
    own.set(&["spec", "containers"], json!([{"name": "istio-proxy", "image": "auto", "env": [{"name": "MINE", "value": "1"}]}]));
    let injected = inject(&own, "ns", &snapshot).expect("row 25");
    let proxies = injected.at(&["spec", "containers"]).as_array().expect("containers");
    assert_eq!(proxies.len(), 1);
    assert_eq!(proxies[0]["image"], "docker.io/istio/proxyv2:1.26.8");
    assert!(proxies[0]["env"].as_array().is_some_and(|env| env.len() > 5 && env.iter().any(|e| e["name"] == "MINE")));
    assert!(!would_inject(&own, "default", &snapshot), "without the label the image stays auto");
}

#[test]
fn classic_and_native_place_the_proxy_differently() {
    let at = [("ns", json!({"istio-injection": "enabled"}))];
    let native = inject(&pod(json!({}), json!({})), "ns", &demo("1.30", "v1.36.2", &at)).expect("injected");
    assert_eq!(list(&native, "containers"), ["app"]);
    assert_eq!(list(&native, "initContainers"), ["istio-init", "istio-proxy", "own"]);
    assert_eq!(native.at(&["spec", "initContainers"])[1]["restartPolicy"], "Always");
    let classic = inject(&pod(json!({}), json!({})), "ns", &demo("1.26", "v1.36.2", &at)).expect("injected");
    assert_eq!(list(&classic, "containers"), ["app", "istio-proxy"]);
    assert_eq!(list(&classic, "initContainers"), ["own", "istio-init"]);
    let old_node = inject(&pod(json!({}), json!({})), "ns", &demo("1.30", "v1.32.9", &at)).expect("injected");
    assert_eq!(list(&old_node, "containers"), ["app", "istio-proxy"]);
    let by_pod = pod(json!({}), json!({"sidecar.istio.io/nativeSidecar": "false"}));
    assert_eq!(
        list(&inject(&by_pod, "ns", &demo("1.30", "v1.36.2", &at)).expect("injected"), "containers"),
        ["app", "istio-proxy"]
    );
    let by_pod = pod(json!({}), json!({"sidecar.istio.io/nativeSidecar": "true"}));
    assert_eq!(list(&inject(&by_pod, "ns", &demo("1.26", "v1.36.2", &at)).expect("injected"), "containers"), ["app"]);
}

#[test]
fn a_held_application_comes_after_the_proxy() {
    let snapshot = demo("1.26", "v1.36.2", &[("ns", json!({"istio-injection": "enabled"}))]);
    let held = pod(json!({}), json!({"proxy.istio.io/config": "holdApplicationUntilProxyStarts: true"}));
    let injected = inject(&held, "ns", &snapshot).expect("injected");
    assert_eq!(list(&injected, "containers"), ["istio-proxy", "app"]);
    assert_eq!(injected.annotation("kubectl.kubernetes.io/default-container"), Some("app"));
}

#[test]
fn labels_annotations_and_environment() {
    let snapshot = demo("1.26", "v1.36.2", &[("ns", json!({"istio-injection": "enabled"}))]);
    let mut of_deployment = pod(json!({"pod-template-hash": "abc", "version": "v2"}), json!({}));
    of_deployment.set(
        &["metadata", "ownerReferences"],
        json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-abc", "controller": true}]),
    );
    let injected = inject(&of_deployment, "ns", &snapshot).expect("injected");
    assert_eq!(injected.label("service.istio.io/canonical-name"), Some("web"));
    assert_eq!(injected.label("service.istio.io/canonical-revision"), Some("v2"));
    assert_eq!(injected.label("security.istio.io/tlsMode"), Some("istio"));
    for (key, value) in [
        ("istio.io/rev", "default"),
        ("kubectl.kubernetes.io/default-container", "app"),
        ("kubectl.kubernetes.io/default-logs-container", "app"),
        ("prometheus.io/port", "15020"),
    ] {
        assert_eq!(injected.annotation(key), Some(value), "{key}");
    }
    let status: Value = serde_json::from_str(injected.annotation("sidecar.istio.io/status").unwrap_or("")).expect("JSON");
    assert_eq!(status["initContainers"], json!(["istio-init"]));
    assert_eq!(status["containers"], json!(["istio-proxy"]));
    assert!(status["volumes"].as_array().is_some_and(|v| v.iter().any(|v| v == "istio-envoy")));
    let proxy = injected.at(&["spec", "containers"])[1].clone();
    let env = |name: &str| {
        let env = proxy["env"].as_array().expect("env");
        env.iter().find(|e| e["name"] == name).and_then(|e| e["value"].as_str()).unwrap_or("").to_string()
    };
    assert_eq!(env("ISTIO_META_WORKLOAD_NAME"), "web");
    assert_eq!(env("ISTIO_META_OWNER"), "kubernetes://apis/apps/v1/namespaces/ns/deployments/web");
    assert_eq!(env("ISTIO_META_APP_CONTAINERS"), "app");
    assert_eq!(env("PROXY_CONFIG"), "{}\n");
    assert!(!injected.0.to_string().contains("${"), "no placeholder is left");
    let volumes = list(&injected, "volumes");
    assert!(!volumes.contains(&"istio-ca-crl".to_string()), "1.26 has no such volume: {volumes:?}");
}

#[test]
fn capture_follows_the_annotations() {
    let snapshot = demo("1.30", "v1.36.2", &[("ns", json!({"istio-injection": "enabled"}))]);
    let args = |annotations: Value| {
        let injected = inject(&pod(json!({}), annotations), "ns", &snapshot).expect("injected");
        let args = injected.at(&["spec", "initContainers"])[0]["args"].as_array().cloned().unwrap_or_default();
        args.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
    };
    let plain =
        "istio-iptables -p 15001 -z 15006 -u 1337 -m REDIRECT -i * -x  -b * -d 15090,15021,15020 --log_output_level=default:info";
    assert_eq!(args(json!({})), plain);
    let excluded = args(json!({"traffic.sidecar.istio.io/excludeOutboundPorts": "443"}));
    assert!(excluded.contains(" -o 443 "), "{excluded}");
    let none = pod(json!({}), json!({"sidecar.istio.io/interceptionMode": "NONE"}));
    let none = inject(&none, "ns", &snapshot).expect("injected");
    assert_eq!(list(&none, "initContainers"), ["istio-proxy", "own"]);
}

#[test]
fn probes_of_the_application_go_through_the_agent() {
    let snapshot = demo("1.26", "v1.36.2", &[("ns", json!({"istio-injection": "enabled"}))]);
    let mut probed = pod(json!({}), json!({}));
    probed.set(
        &["spec", "containers"],
        json!([{"name": "app", "ports": [{"name": "web", "containerPort": 8080}], "readinessProbe": {"httpGet": {"path": "/x", "port": "web"}}}]),
    );
    let injected = inject(&probed, "ns", &snapshot).expect("injected");
    let app = &injected.at(&["spec", "containers"])[0];
    assert_eq!(app["readinessProbe"]["httpGet"], json!({"path": "/app-health/app/readyz", "port": 15020}));
    assert!(injected.0.to_string().contains("ISTIO_KUBE_APP_PROBERS"));
}

#[test]
fn the_policy_and_the_selectors_of_the_config_map_are_obeyed() {
    let mut snapshot = demo("1.30", "v1.36.2", &[("ns", json!({"istio-injection": "enabled"}))]);
    let map = snapshot.find("", "ConfigMap", "istio-system", "istio-sidecar-injector").expect("the config map").as_ref().clone();
    let with = |from: &str, to: &str| {
        let mut map = map.clone();
        let text = map.str_at(&["data", "config"]).replace(from, to);
        map.set(&["data", "config"], json!(text));
        map
    };
    snapshot.put(std::sync::Arc::new(with("policy: enabled", "policy: disabled")));
    assert!(!would_inject(&pod(json!({}), json!({})), "ns", &snapshot));
    assert!(would_inject(&pod(json!({"sidecar.istio.io/inject": "true"}), json!({})), "ns", &snapshot));
    snapshot.put(std::sync::Arc::new(with("neverInjectSelector: []", "neverInjectSelector:\n- matchLabels:\n    job: x")));
    assert!(!would_inject(&pod(json!({"job": "x"}), json!({})), "ns", &snapshot));
    assert!(would_inject(&pod(json!({"job": "y"}), json!({})), "ns", &snapshot));
}

#[test]
fn other_templates_are_not_simulated() {
    let snapshot = demo("1.30", "v1.36.2", &[]);
    assert_eq!(unsupported(&pod(json!({}), json!({})), &snapshot), None);
    let gateway = pod(json!({}), json!({"inject.istio.io/templates": "gateway"}));
    assert_eq!(unsupported(&gateway, &snapshot).as_deref(), Some("not simulated here: inject.istio.io/templates: gateway"));
}

/// What a real installer leaves in the ConfigMap is Go text, which is not run: the standard one has its rendition here.
#[test]
fn a_go_template_is_the_standard_one_or_not_simulated() {
    let mut snapshot = demo("1.30", "v1.36.2", &[("ns", json!({"istio-injection": "enabled"}))]);
    let mut injector = |template: &str| {
        let config = json!({"policy": "enabled", "templates": {"sidecar": template}}).to_string();
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "istio-sidecar-injector", "namespace": "istio-system"},
            "data": {"config": config, "values": "{\"global\": {\"hub\": \"my.hub/x\", \"tag\": \"latest\"}}"}});
        snapshot.put(std::sync::Arc::new(Object(map)));
        snapshot.clone()
    };
    let standard =
        injector("spec:\n  {{ if x }}\n  initContainers:\n  - name: istio-init\n  containers:\n  - name: istio-proxy\n");
    let plain = pod(json!({}), json!({}));
    assert_eq!(unsupported(&plain, &standard), None);
    let injected = inject(&plain, "ns", &standard).expect("the pod is injected");
    assert!(list(&injected, "initContainers").contains(&"istio-proxy".to_string()));
    assert!(injected.0.to_string().contains("my.hub/x/proxyv2:latest"));
    let changed = injector("spec:\n  containers:\n  - name: mine\n    image: {{ .Values.image }}\n");
    let why = unsupported(&plain, &changed).expect("a changed template is refused");
    assert!(why.starts_with("not simulated here: the changed injection template"), "{why}");
}

#[test]
fn a_broken_template_adds_nothing_and_breaks_nothing() {
    let mut snapshot = demo("1.26", "v1.36.2", &[("ns", json!({"istio-injection": "enabled"}))]);
    for text in ["", "templates: {sidecar: just text}", "templates: {sidecar: \"spec: text\"}", ": not yaml ["] {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "istio-sidecar-injector", "namespace": "istio-system"},
            "data": {"config": text}});
        snapshot.put(std::sync::Arc::new(Object(map)));
        let injected = inject(&pod(json!({}), json!({})), "ns", &snapshot).expect("the policy defaults to enabled");
        assert_eq!(list(&injected, "containers"), ["app"], "{text}");
    }
}
