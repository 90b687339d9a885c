//! Sidecars that meet at a pod or in a namespace (S: analyzers/sidecar).

use super::{Context, bracketed, quoted, selector_text, selects};
use crate::k8s::Object;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Objects by (namespace, name) of the pods that they select.
pub type ByPod = BTreeMap<(String, String), Vec<Arc<Object>>>;

/// Objects by the pods of their namespace that the labels at `field` select, and those without labels. Labels that select no pod are
/// reported.
pub fn by_pod(context: &mut Context<'_>, objects: Vec<Arc<Object>>, field: [&str; 3]) -> (ByPod, Vec<Arc<Object>>) {
    let pods = context.core("Pod");
    let (mut of_pod, mut general) = (ByPod::new(), Vec::new());
    for object in objects {
        let labels = object.at(&field);
        if labels.as_object().is_none_or(serde_json::Map::is_empty) {
            general.push(object);
            continue;
        }
        let mut found = false;
        for pod in pods.iter().filter(|pod| pod.namespace() == object.namespace() && selects(labels, pod)) {
            found = true;
            of_pod.entry((pod.namespace().into(), pod.name().into())).or_default().push(object.clone());
        }
        if !found {
            let selector = selector_text(labels);
            let label = selector.split_once('=').map_or("", |(label, _)| label);
            let text = format!("Referenced selector not found: {}", quoted(&selector));
            context.report_at(&object, "IST0101", text, &format!("{}.{label}", field.join(".")));
        }
    }
    (of_pod, general)
}

/// SelectorAnalyzer.
pub fn selectors(context: &mut Context<'_>) {
    let pods = context.core("Pod");
    let (of_pod, general) = by_pod(context, context.networking("Sidecar"), ["spec", "workloadSelector", "labels"]);
    let mut of_namespace: BTreeMap<String, Vec<Arc<Object>>> = BTreeMap::new();
    for object in general {
        of_namespace.entry(object.namespace().into()).or_default().push(object);
    }
    for ((namespace, name), list) in of_pod {
        let ambient = pods.iter().any(|p| p.namespace() == namespace && p.name() == name && in_ambient(p));
        at_pod(context, &namespace, &name, &list, ambient);
    }
    for (namespace, list) in of_namespace {
        let ambient = context.core("Namespace").iter().any(|ns| ns.name() == namespace && namespace_in_ambient(ns));
        if ambient {
            list.iter().for_each(|o| ineffective(context, o, "namespace is in ambient mode, the policy has no impact"));
        } else if list.len() > 1 {
            for object in &list {
                let text = format!(
                    "The Sidecars {} in namespace {} have no workload selector, which can lead to undefined behavior.",
                    names(&list),
                    quoted(&namespace)
                );
                context.report(object, "IST0111", text);
            }
        }
    }
}

fn at_pod(context: &mut Context<'_>, namespace: &str, pod: &str, list: &[Arc<Object>], ambient: bool) {
    if ambient {
        return list
            .iter()
            .for_each(|o| ineffective(context, o, "selected workload is in ambient mode, the policy has no impact"));
    }
    for object in list.iter().filter(|_| list.len() > 1) {
        let text = format!(
            "The Sidecars {} in namespace {} select the same workload pod {}, which can lead to undefined behavior.",
            names(list),
            quoted(namespace),
            quoted(pod)
        );
        context.report_at(object, "IST0110", text, "metadata.name");
    }
}

fn ineffective(context: &mut Context<'_>, object: &Object, reason: &str) {
    context.report(object, "IST0167", format!("The policy has no impact: {reason}."));
}

/// The names of objects, sorted, as Go prints a list.
pub fn names(list: &[Arc<Object>]) -> String {
    let mut names: Vec<&str> = list.iter().map(|o| o.name()).collect();
    names.sort_unstable();
    bracketed(&names)
}

/// Whether ztunnel takes the pod's traffic.
pub fn in_ambient(pod: &Object) -> bool {
    pod.annotation("ambient.istio.io/redirection") == Some("enabled")
}

fn namespace_in_ambient(namespace: &Object) -> bool {
    let sidecar =
        namespace.label("istio-injection") == Some("enabled") || namespace.label("istio.io/rev").is_some_and(|r| !r.is_empty());
    !sidecar && namespace.label("istio.io/dataplane-mode") == Some("ambient")
}
