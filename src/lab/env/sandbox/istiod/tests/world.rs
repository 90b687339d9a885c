//! Istio in a whole world: installed through the API, judged by what the API then does.

use crate::base::seed::Seed;
use crate::istioctl::{self, Context, Readiness};
use crate::lab::env::Environment;
use crate::lab::env::sandbox::{Bend, Make, Sandbox};
use serde_json::{Value, json};

const ISTIO: &str = "/apis/networking.istio.io/v1/namespaces/default";

struct Lab(Sandbox);

impl Lab {
    async fn installed() -> Lab {
        let lab = Lab(Sandbox::in_process(Make::instant(Seed(3)), Bend::Honest));
        let mode = ["meshConfig.outboundTrafficPolicy.mode=REGISTRY_ONLY".to_string()];
        let printed = istioctl::install_action(&lab.context(), "demo", &mode).await.expect("the installation succeeds");
        assert!(printed.ends_with("✔ Installation complete\n"), "{printed}");
        lab
    }

    fn context(&self) -> Context {
        let readiness = Readiness { poll_ms: 10, limit_ms: 5_000 };
        Context { client: self.0.client(), namespace: "default".into(), version: String::new(), readiness }
    }

    /// Answers the object, or the Status of a refusal.
    async fn ask(&self, method: &str, path: &str, body: Value) -> Result<Value, (u16, String)> {
        let content = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = http::Request::builder().method(method).uri(path).header("Content-Type", content).body(bytes);
        match self.0.client().request(request.expect("a request")).await {
            Ok(value) => Ok(value),
            Err(kube::Error::Api(status)) => Err((status.code, status.message.clone())),
            Err(other) => panic!("{method} {path}: {other}"),
        }
    }

    async fn get(&self, path: &str) -> Value {
        self.ask("GET", path, Value::Null).await.unwrap_or_else(|e| panic!("{path}: {e:?}"))
    }

    async fn pod(&self, name: &str) -> Result<Value, (u16, String)> {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"containers": [{"name": "app", "image": "curlimages/curl:8.1.2", "command": ["sleep", "3600"]}]}});
        self.ask("POST", "/api/v1/namespaces/default/pods", pod).await?;
        self.ask("GET", &format!("/api/v1/namespaces/default/pods/{name}"), Value::Null).await
    }
}

fn names(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(|item| item["name"].as_str().map(str::to_string)).collect()
}

fn ready(pod: &Value) -> bool {
    pod["status"]["conditions"].as_array().into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True")
}

#[tokio::test]
async fn a_demo_install_brings_up_three_ready_pods_and_arms_the_webhooks() {
    let lab = Lab::installed().await;
    let pods = lab.get("/api/v1/namespaces/istio-system/pods").await;
    let pods = pods["items"].as_array().expect("pods");
    assert_eq!((pods.len(), pods.iter().all(ready)), (3, true), "{pods:?}");
    let root = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/istiod-default-validator";
    assert_eq!(lab.get(root).await["webhooks"][0]["failurePolicy"], "Fail");
    lab.get("/api/v1/namespaces/default/configmaps/istio-ca-root-cert").await;
    // A second run writes nothing.
    let before = lab.0.handle().revision().await.expect("a revision");
    let again =
        istioctl::install_action(&lab.context(), "demo", &["meshConfig.outboundTrafficPolicy.mode=REGISTRY_ONLY".into()]).await;
    assert!(again.is_ok(), "{again:?}");
    assert_eq!(lab.0.handle().revision().await.expect("a revision"), before);
    // Without the profile the egress gateway goes.
    let printed = istioctl::install_action(&lab.context(), "default", &[]).await.expect("the installation succeeds");
    assert!(printed.contains("Kind=Deployment/istio-egressgateway.istio-system"), "{printed}");
    assert_eq!(lab.get("/api/v1/namespaces/istio-system/pods").await["items"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn pods_are_injected_by_label_and_refused_without_an_istiod() {
    let lab = Lab::installed().await;
    let plain = lab.pod("plain").await.expect("a pod");
    assert!(ready(&plain), "{}", plain["status"]);
    assert_eq!((names(&plain["spec"]["containers"]).len(), names(&plain["spec"]["initContainers"]).len()), (1, 0));
    let label = json!({"metadata": {"labels": {"istio-injection": "enabled"}}});
    lab.ask("PATCH", "/api/v1/namespaces/default", label).await.expect("labelled");
    let injected = lab.pod("test").await.expect("a pod");
    assert_eq!(names(&injected["spec"]["initContainers"]), ["istio-init", "istio-proxy"]);
    assert!(ready(&injected), "{}", injected["status"]);
    let scale = json!({"spec": {"replicas": 0}});
    lab.ask("PATCH", "/apis/apps/v1/namespaces/istio-system/deployments/istiod", scale).await.expect("scaled");
    let (code, message) = lab.pod("late").await.expect_err("nobody answers the webhook");
    let start = "Internal error occurred: failed calling webhook \"namespace.sidecar-injector.istio.io\": failed to call webhook: \
                 Post \"https://istiod.istio-system.svc:443/inject?timeout=10s\"";
    assert!(code == 500 && message.starts_with(start), "{code} {message}");
    let entry = json!({"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": {"name": "x"}, "spec": {"hosts": ["a.b"]}});
    let (_, message) = lab.ask("POST", &format!("{ISTIO}/serviceentries"), entry).await.expect_err("nobody validates");
    assert!(message.contains("failed calling webhook \"validation.istio.io\""), "{message}");
    lab.get("/api/v1/namespaces/default/pods/test").await;
}

#[tokio::test]
async fn objects_are_refused_by_schema_rule_or_webhook() {
    let lab = Lab::installed().await;
    let port = |number: i64, name: &str| json!({"number": number, "name": name, "protocol": "HTTP"});
    let rows = [
        (
            "serviceentries",
            "ServiceEntry",
            json!({"hosts": ["*"]}),
            "spec.hosts[0]: Invalid value: \"*\": hostname cannot be wildcard",
        ),
        (
            "serviceentries",
            "ServiceEntry",
            json!({"hosts": ["a.b"], "ports": [port(80, "a"), port(80, "b")]}),
            "spec.ports: Invalid value: port number cannot be duplicated",
        ),
        (
            "serviceentries",
            "ServiceEntry",
            json!({"hosts": ["a.b"], "ports": [port(80, "a"), port(81, "a")]}),
            "spec.ports[1]: Duplicate value: {\"name\":\"a\"}",
        ),
        (
            "serviceentries",
            "ServiceEntry",
            json!({"hosts": ["a.b"], "resolution": "Dns"}),
            "spec.resolution: Unsupported value: \"Dns\"",
        ),
        (
            "serviceentries",
            "ServiceEntry",
            json!({"hosts": ["a.b"], "ports": [{"number": 80}]}),
            "spec.ports[0].name: Required value",
        ),
        ("serviceentries", "ServiceEntry", json!({"resolution": "DNS"}), "spec.hosts: Required value"),
        (
            "serviceentries",
            "ServiceEntry",
            json!({"hosts": ["a.b"], "ports": [port(70000, "a")]}),
            "port must be between 1-65535",
        ),
        (
            "sidecars",
            "Sidecar",
            json!({"outboundTrafficPolicy": {"mode": "REGISTER_ONLY"}}),
            "spec.outboundTrafficPolicy.mode: Unsupported value: \"REGISTER_ONLY\"",
        ),
        (
            "virtualservices",
            "VirtualService",
            json!({"hosts": ["a.b"], "tls": [{"match": [{"port": 443}], "route": []}]}),
            "spec.tls[0].match[0].sniHosts: Required value",
        ),
        (
            "virtualservices",
            "VirtualService",
            json!({"hosts": ["a.b"], "http": [{"timeout": "0s", "route": [{"destination": {"host": "a.b"}}]}]}),
            "spec.http[0].timeout: Invalid value: \"0s\": must be a valid duration greater than 1ms",
        ),
        (
            "gateways",
            "Gateway",
            json!({"servers": [{"hosts": ["a.b"], "port": {"number": 80, "protocol": "HTTP"}}]}),
            "spec.servers[0].port.name: Required value",
        ),
        (
            "serviceentries",
            "ServiceEntry",
            json!({"hosts": ["*.x.org"], "resolution": "DNS"}),
            "admission webhook \"validation.istio.io\" denied the request: configuration is invalid: hosts must be FQDN",
        ),
        (
            "serviceentries",
            "ServiceEntry",
            json!({"hosts": ["a.b"], "ports": [{"number": 80, "name": "a", "protocol": "HTPP"}]}),
            "admission webhook \"validation.istio.io\" denied the request: configuration is invalid: unsupported protocol: HTPP",
        ),
    ];
    for (plural, kind, spec, expected) in rows {
        let object = json!({"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": {"name": "x"}, "spec": spec});
        let (_, message) = lab.ask("POST", &format!("{ISTIO}/{plural}"), object.clone()).await.expect_err(&object.to_string());
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test]
async fn what_is_valid_is_stored_as_v1_and_other_kinds_are_not_simulated() {
    let lab = Lab::installed().await;
    let old = json!({"apiVersion": "networking.istio.io/v1alpha3", "kind": "ServiceEntry", "metadata": {"name": "w"},
        "spec": {"hosts": ["www.wikipedia.org"], "resolution": "STATIC"}});
    lab.ask("POST", "/apis/networking.istio.io/v1alpha3/namespaces/default/serviceentries", old).await.expect("created");
    assert_eq!(lab.get(&format!("{ISTIO}/serviceentries/w")).await["apiVersion"], "networking.istio.io/v1");
    let proxy =
        json!({"apiVersion": "networking.istio.io/v1beta1", "kind": "ProxyConfig", "metadata": {"name": "x"}, "spec": {}});
    let path = "/apis/networking.istio.io/v1beta1/namespaces/default/proxyconfigs";
    let (_, message) = lab.ask("POST", path, proxy).await.expect_err("not simulated");
    assert!(message.contains("not simulated here: ProxyConfig"), "{message}");
    assert_eq!(lab.get(path).await["items"], json!([]));
}
