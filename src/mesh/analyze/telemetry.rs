//! Telemetry objects (S: analyzers/telemetry).

use super::{Context, items, quoted, sidecar, text};
use crate::k8s::Object;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

fn all(context: &Context<'_>) -> Vec<Arc<Object>> {
    context.each("telemetry.istio.io", "Telemetry")
}

/// DefaultSelectorAnalyzer.
pub fn without_selector(context: &mut Context<'_>) {
    let mut of_namespace: BTreeMap<String, Vec<Arc<Object>>> = BTreeMap::new();
    for object in all(context).into_iter().filter(|o| o.at(&["spec", "selector"]).is_null()) {
        of_namespace.entry(object.namespace().into()).or_default().push(object);
    }
    for (namespace, list) in of_namespace.iter().filter(|(_, list)| list.len() > 1) {
        for object in list {
            let text = format!(
                "The Telemetries {} in namespace {} have no workload selector, which can lead to undefined behavior.",
                sidecar::names(list),
                quoted(namespace)
            );
            context.report(object, "IST0160", text);
        }
    }
}

/// SelectorAnalyzer.
pub fn selectors(context: &mut Context<'_>) {
    let (of_pod, _) = sidecar::by_pod(context, all(context), ["spec", "selector", "matchLabels"]);
    for ((namespace, pod), list) in of_pod.iter().filter(|(_, list)| list.len() > 1) {
        for object in list {
            let text = format!(
                "The Telemetries {} in namespace {} select the same workload pod {}, which can lead to undefined behavior.",
                sidecar::names(list),
                quoted(namespace),
                quoted(pod)
            );
            context.report_at(object, "IST0159", text, "metadata.name");
        }
    }
}

/// ProviderAnalyzer.
pub fn providers(context: &mut Context<'_>) {
    let defaults = context.mesh.get("defaultProviders").and_then(|d| d.get("accessLogging")).unwrap_or(&Value::Null);
    if !items(defaults).is_empty() {
        return;
    }
    for object in all(context) {
        for _ in items(object.at(&["spec", "accessLogging"]))
            .iter()
            .filter(|l| l["disabled"] != true && items(&l["providers"]).is_empty())
        {
            let text = format!(
                "The Telemetry {} in namespace {} with empty providers will be ignored.",
                object.name(),
                quoted(object.namespace())
            );
            context.report(&object, "IST0157", text);
        }
    }
}

/// LightstepAnalyzer.
pub fn lightstep(context: &mut Context<'_>) {
    let known = context.mesh.get("extensionProviders").unwrap_or(&Value::Null);
    let names: Vec<String> =
        items(known).iter().filter(|p| p["lightstep"].is_object()).map(|p| text(&p["name"]).to_string()).collect();
    for object in all(context) {
        let used = items(object.at(&["spec", "tracing"])).iter().flat_map(|t| items(&t["providers"])).map(|p| text(&p["name"]));
        for name in used.filter(|name| names.iter().any(|n| n == name)) {
            let text =
                format!("Deprecated: The Lightstep provider {name} is deprecated, please migrate to OpenTelemetry provider.");
            context.report(&object, "IST0002", text);
        }
    }
}
