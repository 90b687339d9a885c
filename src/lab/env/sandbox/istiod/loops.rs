//! istiod's control loops. They act only while a pod of istiod is ready.

use super::{NAMESPACE, istiod_ready};
use crate::base::clock::Time;
use crate::k8s::{Object, Snapshot, base64};
use crate::sandbox::{Action, Controller};
use serde_json::{Value, json};
use std::sync::LazyLock;

/// What stands where a cluster has the mesh's root certificate: nothing in the sandbox's mesh checks one.
const ROOT_TEXT: &str = "egress-lab sandbox: this stands in for the root certificate of the mesh";

static ROOT_PEM: LazyLock<String> = LazyLock::new(|| pem_of("CERTIFICATE"));
static ROOT_BUNDLE: LazyLock<String> = LazyLock::new(|| base64::encode(ROOT_PEM.as_bytes()));

/// Namespaces that get no root certificate (S: pkg/kube/inject IgnoredNamespaces).
const IGNORED: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "local-path-storage"];

/// Secret istio-ca-secret, and ConfigMap istio-ca-root-cert in every namespace.
pub struct RootCertificate;

/// The webhook configurations that point at istiod: caBundle, and failurePolicy Fail once istiod can serve.
pub struct WebhookConfigurations;

impl Controller for RootCertificate {
    fn name(&self) -> &'static str {
        "istiod-root-certificate"
    }

    fn component(&self) -> &'static str {
        "pilot-discovery"
    }

    fn watches(&self) -> &'static [&'static str] {
        &["Pod", "Namespace", "ConfigMap", "Secret"]
    }

    fn reconcile(&self, state: &Snapshot, _now: Time) -> Vec<Action> {
        if !istiod_ready(state) {
            return Vec::new();
        }
        let mut actions = Vec::new();
        if state.find("", "Secret", NAMESPACE, "istio-ca-secret").is_none() {
            actions.push(Action::Create(ca_secret()));
        }
        let data = json!({"root-cert.pem": *ROOT_PEM});
        for namespace in state.list("", "Namespace").filter(|n| !n.is_terminating() && !IGNORED.contains(&n.name())) {
            match state.find("", "ConfigMap", namespace.name(), "istio-ca-root-cert") {
                None => actions.push(Action::Create(Object(json!({
                    "apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": {"name": "istio-ca-root-cert", "namespace": namespace.name(), "labels": {"istio.io/config": "true"}},
                    "data": data,
                })))),
                Some(map) if map.at(&["data"]) != &data => {
                    let mut map = map.as_ref().clone();
                    map.set(&["data"], data.clone());
                    actions.push(Action::Update(map));
                }
                Some(_) => (),
            }
        }
        actions
    }
}

impl Controller for WebhookConfigurations {
    fn name(&self) -> &'static str {
        "istiod-webhook-configurations"
    }

    fn component(&self) -> &'static str {
        "pilot-discovery"
    }

    fn watches(&self) -> &'static [&'static str] {
        &["Pod", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]
    }

    fn reconcile(&self, state: &Snapshot, _now: Time) -> Vec<Action> {
        if !istiod_ready(state) {
            return Vec::new();
        }
        let kinds = [("MutatingWebhookConfiguration", false), ("ValidatingWebhookConfiguration", true)];
        let configurations = kinds.into_iter().flat_map(|(kind, validating)| {
            state.list("admissionregistration.k8s.io", kind).map(move |object| (object, validating))
        });
        configurations.filter_map(|(object, validating)| patched(object, validating)).map(Action::Update).collect()
    }
}

/// The configuration as istiod wants it, `None` when it already is or does not belong to istiod.
fn patched(configuration: &Object, validating: bool) -> Option<Object> {
    let ours = |webhook: &Value| {
        let service = &webhook["clientConfig"]["service"];
        service["name"] == "istiod" && service["namespace"] == NAMESPACE
    };
    let bundle = json!(*ROOT_BUNDLE);
    let right =
        |webhook: &Value| webhook["clientConfig"]["caBundle"] == bundle && (!validating || webhook["failurePolicy"] == "Fail");
    let webhooks = configuration.at(&["webhooks"]).as_array()?;
    if webhooks.iter().all(|webhook| !ours(webhook) || right(webhook)) {
        return None;
    }
    let mut webhooks = webhooks.clone();
    for webhook in webhooks.iter_mut().filter(|webhook| ours(webhook)) {
        webhook["clientConfig"]["caBundle"] = bundle.clone();
        if validating {
            webhook["failurePolicy"] = json!("Fail");
        }
    }
    let mut object = configuration.clone();
    object.set(&["webhooks"], Value::Array(webhooks));
    Some(object)
}

fn ca_secret() -> Object {
    let pem = &*ROOT_BUNDLE;
    let key = base64::encode(pem_of("PRIVATE KEY").as_bytes());
    Object(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "istio.io/ca-root",
        "metadata": {"name": "istio-ca-secret", "namespace": NAMESPACE},
        "data": {"ca-cert.pem": pem, "ca-key.pem": key, "cert-chain.pem": "", "key.pem": "", "root-cert.pem": ""},
    }))
}

fn pem_of(label: &str) -> String {
    let body = base64::encode(ROOT_TEXT.as_bytes());
    let lines: Vec<&str> = body.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
