//! DestinationRules: subsets, hosts, server verification (S: analyzers/destinationrule).

use super::{Context, full_name, hosts, items, selects, text};
use crate::k8s::Object;
use serde_json::{Map, Value};

/// CaCertificateAnalyzer.
pub fn ca_certificates(context: &mut Context<'_>) {
    for object in context.networking("DestinationRule") {
        let spec = object.spec();
        let selecting = !spec["workloadSelector"].is_null();
        let policy = &spec["trafficPolicy"];
        if let Some(mode) = unverified(&policy["tls"], selecting) {
            let text = sentence(&object, mode);
            context.report_at(&object, "IST0128", text, "spec.trafficPolicy.tls.caCertificates");
        }
        for (i, port) in items(&policy["portLevelSettings"]).iter().enumerate() {
            let Some(mode) = unverified(&port["tls"], selecting) else { continue };
            let number = match (port["port"].is_object(), port["port"]["number"].as_u64()) {
                (false, _) => "<nil>".to_string(),
                (true, number) => number.map(|n| format!("number:{n}")).unwrap_or_default(),
            };
            let text = format!("{} at port {number}", sentence(&object, mode));
            context.report_at(&object, "IST0129", text, &format!("spec.trafficPolicy.portLevelSettings[{i}].tls.caCertificates"));
        }
    }
}

/// The mode when it verifies nobody as far as the analyzer knows.
fn unverified(tls: &Value, selecting: bool) -> Option<&str> {
    let mode = Some(text(&tls["mode"])).filter(|mode| matches!(*mode, "SIMPLE" | "MUTUAL"))?;
    let credential = selecting && !text(&tls["credentialName"]).is_empty();
    (text(&tls["caCertificates"]).is_empty() && !credential).then_some(mode)
}

fn sentence(object: &Object, mode: &str) -> String {
    format!(
        "DestinationRule {} in namespace {} has TLS mode set to {mode} but no caCertificates are set to validate server identity for \
         host: {}",
        full_name(object),
        object.namespace(),
        text(object.at(&["spec", "host"]))
    )
}

/// SubsetSelectPodAnalyzer.
pub fn subsets(context: &mut Context<'_>) {
    let services = hosts::services(context);
    let pods: Vec<Object> = context.core("Pod").iter().map(|pod| augmented(context, pod)).collect();
    for object in context.networking("DestinationRule") {
        let host = text(object.at(&["spec", "host"]));
        let Some(known) = hosts::find(&services, object.namespace(), object.at(&["spec", "exportTo"]), host) else {
            let text = format!("The host {host} defined in the DestinationRule does not match any services in the mesh.");
            context.report(&object, "IST0174", text);
            continue;
        };
        for subset in items(object.at(&["spec", "subsets"])) {
            let mut labels: Map<String, Value> = known.selector.as_object().cloned().unwrap_or_default();
            labels.extend(subset["labels"].as_object().cloned().unwrap_or_default());
            let labels = Value::Object(labels);
            if !pods.iter().any(|pod| selects(&labels, pod)) {
                let text = format!(
                    "The Subset {} defined in the DestinationRule does not select any pods. Which may lead to 503 UH (NoHealthyUpstream).",
                    super::text(&subset["name"])
                );
                context.report(&object, "IST0173", text);
            }
        }
    }
}

/// The pod with the labels that its node lends it (S: serviceregistry/util/label AugmentLabels).
fn augmented(context: &Context<'_>, pod: &Object) -> Object {
    let mut pod = pod.clone();
    let node = pod.str_at(&["spec", "nodeName"]).to_string();
    if node.is_empty() {
        return pod;
    }
    let mut labels = pod.at(&["metadata", "labels"]).as_object().cloned().unwrap_or_default();
    labels.insert("kubernetes.io/hostname".into(), node.clone().into());
    if let Some(node) = context.input.snapshot.find("", "Node", "", &node) {
        for label in ["topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"] {
            if let Some(value) = node.label(label) {
                labels.insert(label.into(), value.into());
            }
        }
    }
    pod.set(&["metadata", "labels"], Value::Object(labels));
    pod
}
