//! Istio's control plane in the sandbox: the mesh room's rules behind the traits of the sandbox.

mod loops;
mod programs;
mod webhook;

use crate::k8s::{Object, Snapshot};
use crate::sandbox::{Controller, Program, Webhook};
use serde_json::Value;
use std::sync::Arc;

/// Where the control plane runs.
const NAMESPACE: &str = "istio-system";

/// The webhook server that runs in istiod's pod.
pub fn webhooks() -> Vec<Arc<dyn Webhook>> {
    vec![Arc::new(webhook::Istiod)]
}

/// istiod's control loops.
pub fn controllers() -> Vec<Arc<dyn Controller>> {
    vec![Arc::new(loops::RootCertificate), Arc::new(loops::WebhookConfigurations)]
}

/// What the images pilot and proxyv2 do.
pub fn programs() -> Vec<Arc<dyn Program>> {
    vec![Arc::new(programs::Pilot), Arc::new(programs::Proxy)]
}

/// Whether an image is the one of that name, whatever its registry, tag and digest.
fn is_image(image: &str, name: &str) -> bool {
    let last = image.rsplit('/').next().unwrap_or("");
    last.split(['@', ':']).next() == Some(name)
}

/// The tag of the istiod that runs in a pod, `None` for other pods.
pub(super) fn runs_in(pod: &Object) -> Option<String> {
    let mut containers = pod.at(&["spec", "containers"]).as_array().into_iter().flatten();
    let image = containers.find_map(|c| c["image"].as_str().filter(|image| is_image(image, "pilot")))?;
    let last = image.rsplit('/').next().unwrap_or("").split('@').next().unwrap_or("");
    Some(last.split_once(':').map_or("latest", |(_, tag)| tag).to_string())
}

/// Whether a pod of istiod is ready, so that somebody acts and answers.
fn istiod_ready(state: &Snapshot) -> bool {
    state.list_in("", "Pod", NAMESPACE).any(|pod| pod.label("app") == Some("istiod") && !pod.is_terminating() && is_ready(pod))
}

fn is_ready(pod: &Object) -> bool {
    let conditions = pod.at(&["status", "conditions"]).as_array().into_iter().flatten();
    conditions.into_iter().any(|c: &Value| c["type"] == "Ready" && c["status"] == "True")
}

#[cfg(test)]
mod tests;
