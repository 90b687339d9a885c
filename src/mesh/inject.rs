//! Sidecar injection: whether a pod gets a proxy, and the pod with it.
//!
//! Two gates, as in a cluster: the API server asks istiod only where the selectors of a webhook configuration choose the pod
//! ([`selected`]); istiod then decides by the pod itself ([`inject`]). Rules from Istio's pkg/kube/inject.

mod placement;
mod probes;
mod selector;
mod settings;
mod template;

use crate::k8s::{Object, Snapshot};
use crate::mesh::install::fill::fill;
use serde_json::Value;
use settings::Settings;
use template::Facts;

/// Namespaces in which istiod never injects (S: pkg/kube/inject IgnoredNamespaces).
const IGNORED: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "local-path-storage"];
const INJECT: &str = "sidecar.istio.io/inject";
const TEMPLATES: &str = "inject.istio.io/templates";

/// The pod with its sidecar as istiod's webhook would answer, `None` when it is admitted unchanged. Looks only at what istiod
/// looks at (the pod, the namespace of the request, its own configuration in the snapshot): whether the API server asks at all is
/// decided by the webhook configuration's selectors, see [`selected`].
///
/// # Errors
/// What the pod or the installation asks of injection that this program does not do.
pub fn inject(pod: &Object, namespace: &str, snapshot: &Snapshot) -> Result<Option<Object>, String> {
    let settings = Settings::read(snapshot);
    if !required(pod, namespace, &settings) {
        return Ok(None);
    }
    if let Some(what) = unsupported(pod, &settings) {
        return Err(what);
    }
    let facts = Facts::of(pod, namespace, &settings);
    let added = fill(&settings.template, &|name| facts.get(name));
    let mut injected = pod.clone();
    placement::add(&mut injected, added, &facts, &settings);
    Ok(Some(injected))
}

/// What a pod or the installation asks of injection that this program does not do; `None` when there is nothing of the sort.
fn unsupported(pod: &Object, settings: &Settings) -> Option<String> {
    let templates = pod.annotation(TEMPLATES).unwrap_or("sidecar");
    match templates {
        "sidecar" | "" if settings.foreign_template => {
            Some(crate::base::not_simulated("the changed injection template `sidecar` of ConfigMap istio-sidecar-injector"))
        }
        "sidecar" | "" => None,
        other => Some(crate::base::not_simulated(&format!("{TEMPLATES}: {other}"))),
    }
}

/// The names of the webhook entries in the snapshot whose selectors choose this pod (S: mutatingwebhook.yaml); empty = istiod is
/// never asked.
pub fn selected(pod: &Object, namespace: &str, snapshot: &Snapshot) -> Vec<String> {
    let none = Object::default();
    let namespace = snapshot.find("", "Namespace", "", namespace).map_or(&none, |n| n);
    let configurations = snapshot.list("admissionregistration.k8s.io", "MutatingWebhookConfiguration");
    let entries = configurations.flat_map(|c| c.at(&["webhooks"]).as_array().into_iter().flatten());
    entries
        .filter(|entry| entry.pointer("/clientConfig/service/path").and_then(Value::as_str) == Some("/inject"))
        .filter(|entry| selector::matches(&entry["namespaceSelector"], &namespace.labels()))
        .filter(|entry| selector::matches(&entry["objectSelector"], &pod.labels()))
        .filter_map(|entry| entry["name"].as_str().map(str::to_string))
        .collect()
}

/// Whether creating the pod now would give it a sidecar: both gates.
pub fn would_inject(pod: &Object, namespace: &str, snapshot: &Snapshot) -> bool {
    !selected(pod, namespace, snapshot).is_empty() && required(pod, namespace, &Settings::read(snapshot))
}

/// istiod's own decision (S: injectRequired).
fn required(pod: &Object, namespace: &str, settings: &Settings) -> bool {
    if pod.at(&["spec", "hostNetwork"]) == &Value::Bool(true) || IGNORED.contains(&namespace) {
        return false;
    }
    match pod.label(INJECT).or_else(|| pod.annotation(INJECT)) {
        Some("true") => true,
        Some("false") => false,
        _ if settings.never.iter().any(|s| selector::matches(s, &pod.labels())) => false,
        _ if settings.always.iter().any(|s| selector::matches(s, &pod.labels())) => true,
        _ => settings.policy != "disabled",
    }
}

#[cfg(test)]
mod tests;
