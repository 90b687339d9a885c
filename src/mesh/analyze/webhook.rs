//! Istio's webhook configurations (S: analyzers/webhook, analyzers/externalcontrolplane).

use super::{Context, items, join, selector_fits, text};
use crate::k8s::Object;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const GROUP: &str = "admissionregistration.k8s.io";
const REVISION: &str = "istio.io/rev";

type Labels = BTreeMap<String, String>;

/// Analyzer: every combination of labels must be one webhook's or nobody's.
pub fn injection(context: &mut Context<'_>) {
    let mut hooks: Vec<(Arc<Object>, Value)> = Vec::new();
    let mut revisions = BTreeSet::new();
    for object in context.each(GROUP, "MutatingWebhookConfiguration") {
        let list = items(&object.0["webhooks"]);
        let found = revisions_of(&object);
        if found.is_empty() && !list.iter().any(|w| text(&w["name"]).ends_with("istio.io")) {
            continue;
        }
        hooks.extend(list.iter().map(|w| (object.clone(), w.clone())));
        revisions.extend(found);
    }
    let name = |(object, hook): &(Arc<Object>, Value)| format!("{}/{}", object.name(), text(&hook["name"]));
    for of_namespace in combinations("istio-injection", ["enabled", "disabled"], &revisions) {
        for of_pod in combinations("sidecar.istio.io/inject", ["true", "false"], &revisions) {
            let fits = |selector: &Value, labels: &Labels| {
                selector_fits(selector, &labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect())
            };
            let matching: Vec<&(Arc<Object>, Value)> = hooks
                .iter()
                .filter(|(_, w)| fits(&w["namespaceSelector"], &of_namespace) && fits(&w["objectSelector"], &of_pod))
                .collect();
            let names: BTreeSet<String> = matching.iter().map(|hook| name(hook)).collect();
            for hook in matching.iter().filter(|_| names.len() > 1) {
                let others: Vec<&str> = names.iter().filter(|n| **n != name(hook)).map(String::as_str).collect();
                let text =
                    format!("Webhook overlaps with others: [{}]. This may cause injection to occur twice.", others.join(" "));
                context.report(&hook.0, "IST0139", text);
            }
        }
    }
    let services = context.core("Service");
    for (object, hook) in &hooks {
        let service = &hook["clientConfig"]["service"];
        let (namespace, name) = (text(&service["namespace"]), text(&service["name"]));
        if service.is_object() && !services.iter().any(|s| s.namespace() == namespace && s.name() == name) {
            let text = format!("Injector refers to a control plane service that does not exist: {}.", join(namespace, name));
            context.report(object, "IST0139", text);
        }
    }
}

fn revisions_of(object: &Object) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = object.label(REVISION).map(String::from).into_iter().collect();
    for hook in items(&object.0["webhooks"]) {
        for selector in [&hook["namespaceSelector"], &hook["objectSelector"]] {
            found.extend(selector["matchLabels"][REVISION].as_str().map(String::from));
            let about = items(&selector["matchExpressions"]).iter().filter(|e| text(&e["key"]) == REVISION);
            found.extend(about.flat_map(|e| super::texts(&e["values"])).map(String::from));
        }
    }
    found
}

/// No label, either value of a label, and these together with each revision.
fn combinations(label: &str, values: [&str; 2], revisions: &BTreeSet<String>) -> Vec<Labels> {
    let mut base = vec![Labels::new()];
    base.extend(values.map(|value| Labels::from([(label.to_string(), value.to_string())])));
    let with = |revision: &String| {
        let mut all = base.clone();
        all.iter_mut().for_each(|labels| drop(labels.insert(REVISION.into(), revision.clone())));
        all
    };
    let more: Vec<Labels> = revisions.iter().flat_map(with).collect();
    base.into_iter().chain(more).collect()
}

/// ExternalControlPlaneAnalyzer.
pub fn external(context: &mut Context<'_>) {
    let validating = context.each(GROUP, "ValidatingWebhookConfiguration").into_iter();
    let validating = validating.filter(|o| o.name() == "istiod-default-validator" || o.name().starts_with("istio-validator"));
    let mutating = context.each(GROUP, "MutatingWebhookConfiguration").into_iter();
    let mutating = mutating.filter(|o| o.name().starts_with("istio-sidecar-injector"));
    for object in validating.chain(mutating).collect::<Vec<_>>() {
        for hook in items(&object.0["webhooks"]) {
            let (config, name) = (&hook["clientConfig"], text(&hook["name"]));
            match config["url"].as_str() {
                None if config["service"].is_null() => {
                    context.report(&object, "IST0163", blank(name));
                }
                Some(url) if is_address(url) => {
                    let text = format!(
                        "The address ({url}) that was provided for the webhook ({name}) to reach the ingress gateway on the external control \
                         plane cluster is an IP address. This is not recommended for a production environment."
                    );
                    context.report(&object, "IST0164", text);
                }
                _ => (),
            }
        }
    }
}

fn blank(webhook: &str) -> String {
    format!(
        "The hostname () that was provided for the webhook ({webhook}) to reach the ingress gateway on the external control plane cluster is \
         blank. Traffic may not flow properly."
    )
}

/// Whether a URL's host is an address.
fn is_address(url: &str) -> bool {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    };
    host.parse::<std::net::IpAddr>().is_ok()
}

/// MeshNetworksAnalyzer: networks name service registries that must be known.
pub fn networks(context: &mut Context<'_>) {
    let Some(map) = context.core("ConfigMap").into_iter().find(|m| m.name() == "istio") else { return };
    let value = crate::base::yaml::parse(map.str_at(&["data", "meshNetworks"])).unwrap_or_default();
    let secrets = context.core("Secret");
    let remote = secrets.iter().filter(|s| s.label("istio/multiCluster") == Some("true"));
    let mut known: BTreeSet<String> = ["Mock", "Kubernetes", "External"].map(String::from).into();
    known.extend(remote.filter_map(|s| s.0["data"].as_object()).flat_map(|data| data.keys().cloned()));
    for (network, settings) in value["networks"].as_object().into_iter().flatten() {
        let registries = items(&settings["endpoints"]).iter().filter_map(|e| e["fromRegistry"].as_str());
        for registry in registries.filter(|r| !known.contains(*r)) {
            let object = Object(serde_json::json!({"apiVersion": "v1", "kind": "MeshNetworks",
                "metadata": {"name": "meshnetworks", "namespace": context.input.root_namespace}}));
            context.report(&object, "IST0126", format!("Unknown service registry {registry} in network {network}"));
        }
    }
}
