//! Validation as an analyzer: one message for each error and warning (S: analyzers/schema).

use super::Context;
use crate::k8s::Object;
use crate::mesh::validate;
use std::sync::Arc;

/// Group and kind of what is validated.
const KINDS: &[(&str, &str)] = &[
    ("security.istio.io", "AuthorizationPolicy"),
    ("networking.istio.io", "DestinationRule"),
    ("networking.istio.io", "EnvoyFilter"),
    ("networking.istio.io", "Gateway"),
    ("security.istio.io", "PeerAuthentication"),
    ("networking.istio.io", "ProxyConfig"),
    ("security.istio.io", "RequestAuthentication"),
    ("networking.istio.io", "ServiceEntry"),
    ("networking.istio.io", "Sidecar"),
    ("telemetry.istio.io", "Telemetry"),
    ("extensions.istio.io", "TrafficExtension"),
    ("networking.istio.io", "VirtualService"),
    ("extensions.istio.io", "WasmPlugin"),
    ("networking.istio.io", "WorkloadEntry"),
    ("networking.istio.io", "WorkloadGroup"),
];

/// Configurations without a group that are listed with them.
const UNGROUPED: [&str; 2] = ["MeshConfig", "MeshNetworks"];

const PREFIX: &str = "schema.ValidationAnalyzer.";

/// The names and descriptions of these analyzers.
pub fn listed() -> Vec<(String, String)> {
    let kinds = KINDS.iter().map(|(_, kind)| *kind).chain(UNGROUPED);
    kinds
        .map(|kind| (format!("{PREFIX}{kind}"), format!("Runs schema validation as an analyzer on '{kind}' resources")))
        .collect()
}

/// Whether there is such an analyzer.
pub fn is_analyzer(name: &str) -> bool {
    listed().iter().any(|(known, _)| known == name)
}

/// Validates every object whose analyzer is chosen.
pub fn run(context: &mut Context<'_>, chosen: &dyn Fn(&str) -> bool) {
    for (group, kind) in KINDS.iter().filter(|(_, kind)| chosen(&format!("{PREFIX}{kind}"))) {
        for object in context.each(group, kind) {
            one(context, &object);
        }
    }
}

fn one(context: &mut Context<'_>, object: &Arc<Object>) {
    // Istio hands over name, namespace and spec only.
    let mut bare = Object::clone(object);
    bare.remove(&["metadata", "annotations"]);
    let found = validate::validate(&bare, context.input.snapshot);
    for error in found.errors {
        context.report(object, "IST0106", format!("Schema validation error: {error}"));
    }
    for warning in found.warnings {
        match warning.strip_prefix("virtualService rule ") {
            Some(rest) if rest.contains(" is not used (duplicate/overlapping match in rule ") => {
                context.report(object, "IST0131", format!("VirtualService rule {rest}."));
            }
            Some(rest) if rest.contains(" not used (") => {
                context.report(object, "IST0130", format!("VirtualService rule {rest}."));
            }
            _ => context.report(object, "IST0133", format!("Schema validation warning: {warning}")),
        }
    }
}
