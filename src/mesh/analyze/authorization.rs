//! AuthorizationPolicies: whom they select, which namespaces they name (S: analyzers/authz).

use super::{Context, injection, items, quoted, selector_text, selects, sidecar, texts};
use crate::k8s::Object;
use std::sync::Arc;

/// AuthorizationPoliciesAnalyzer.
pub fn policies(context: &mut Context<'_>) {
    let members: Vec<Arc<Object>> =
        context.core("Pod").into_iter().filter(|pod| injection::in_mesh(context, pod, pod) || sidecar::in_ambient(pod)).collect();
    let root = match context.mesh_text(&["rootNamespace"]) {
        "" => "istio-system".to_string(),
        given => given.to_string(),
    };
    for object in context.each("security.istio.io", "AuthorizationPolicy") {
        let selector = object.at(&["spec", "selector"]);
        let everywhere = object.namespace() == root;
        let here = |pod: &&Arc<Object>| everywhere || pod.namespace() == object.namespace();
        let labels = &selector["matchLabels"];
        let chosen = members.iter().filter(here).any(|pod| selects(labels, pod));
        // A policy for the whole mesh is never idle; one for a namespace is where there is no pod.
        let is_chosen = chosen || (everywhere && selector.is_null());
        if !is_chosen {
            let labels = if selector.is_null() { String::new() } else { selector_text(labels) };
            let text = format!("No matching workloads for this resource with the following labels: {labels}");
            context.report(&object, "IST0127", text);
        }
        namespaces(context, &object);
    }
}

fn namespaces(context: &mut Context<'_>, object: &Object) {
    let known = context.core("Namespace");
    for (i, rule) in items(object.at(&["spec", "rules"])).iter().enumerate() {
        for (j, from) in items(&rule["from"]).iter().enumerate() {
            let (one, two) = (texts(&from["source"]["namespaces"]), texts(&from["source"]["notNamespaces"]));
            for (k, name) in one.iter().chain(&two).enumerate() {
                if known.iter().any(|ns| fits(ns.name(), name)) {
                    continue;
                }
                let k = if k < one.len() { k } else { k - one.len() };
                let field = format!("spec.rules[{i}].from[{j}].source.namespaces[{k}]");
                context.report_at(object, "IST0101", format!("Referenced namespace not found: {}", quoted(name)), &field);
            }
        }
    }
}

fn fits(namespace: &str, pattern: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(rest), _) => namespace.ends_with(rest),
        (_, Some(rest)) => namespace.starts_with(rest),
        _ => namespace.eq_ignore_ascii_case(pattern),
    }
}
