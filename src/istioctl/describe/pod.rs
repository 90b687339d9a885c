//! `x describe pod`.

use super::{Desk, LINE, ingress, named, peer, selects, services};
use crate::base::io::Io;
use crate::istioctl::Stop;
use crate::k8s::Object;
use serde_json::Value;

const REQUIREMENTS: &str = "https://istio.io/docs/setup/kubernetes/additional-setup/requirements/";
const DEPLOYMENTS: &str = "https://istio.io/latest/docs/ops/deployment/requirements/";

/// Describes a pod.
pub async fn run(desk: &Desk<'_>, io: &mut Io, operand: &str) -> Result<(), Stop> {
    let (name, namespace) = named(operand, desk);
    let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
    let pod = desk.get(&path).await?.ok_or_else(|| Stop::failed(format!("pods {name:?} not found")))?;
    head(desk, io, &pod);
    let labels = pod.labels();
    let all = desk.list(&format!("/api/v1/namespaces/{namespace}/services")).await?;
    let selecting = |s: &Object| {
        let selector = s.at(&["spec", "selector"]);
        selector.as_object().is_some_and(|s| !s.is_empty()) && selects(selector, &labels)
    };
    let matching: Vec<Object> = all.into_iter().filter(selecting).collect();
    if matching.is_empty() && !desk.ignore_unmeshed {
        io.say(&format!("Warning: No Kubernetes Services select pod {} (see {REQUIREMENTS} )", desk.name_of(&pod)));
    }
    io.say(LINE);
    let owners = [pod.clone()];
    services::of_pod(desk, io, &pod, &matching, &owners).await?;
    io.say(LINE);
    peer::authentication(desk, io, namespace, &pod).await?;
    ingress::tell(desk, io, &matching, &owners).await
}

/// The revision that injected the pod.
fn revision(pod: &Object) -> String {
    if let Some(revision) = pod.annotation("istio.io/rev") {
        return revision.to_string();
    }
    let status: Option<Value> = pod.annotation("sidecar.istio.io/status").and_then(|text| serde_json::from_str(text).ok());
    status.and_then(|s| s["revision"].as_str().map(str::to_string)).unwrap_or_default()
}

fn containers<'a>(pod: &'a Object, list: &'a str) -> impl Iterator<Item = &'a Value> {
    pod.at(&["spec", list]).as_array().into_iter().flatten()
}

fn head(desk: &Desk<'_>, io: &mut Io, pod: &Object) {
    let mut ports = Vec::new();
    for container in containers(pod, "containers") {
        let name = container["name"].as_str().unwrap_or("");
        for port in container["ports"].as_array().into_iter().flatten() {
            let protocol = port["protocol"].as_str().unwrap_or("TCP");
            let shown = if protocol == "TCP" { String::new() } else { format!("/{protocol}") };
            ports.push(format!("{}{shown} ({name})", port["containerPort"]));
        }
        if !matches!(name, "istio-proxy" | "istio-operator") && container["securityContext"]["runAsUser"] == 1337 {
            io.say("WARNING: User ID (UID) 1337 is reserved for the sidecar proxy.");
        }
    }
    let name = desk.name_of(pod);
    io.say(&format!("Pod: {name}"));
    io.say(&format!("   Pod Revision: {}", revision(pod)));
    match ports.is_empty() {
        true => io.say("   Pod does not expose ports"),
        false => io.say(&format!("   Pod Ports: {}", ports.join(", "))),
    }
    let phase = pod.str_at(&["status", "phase"]);
    if phase != "Running" {
        return io.say(&format!("   Pod is not Running ({phase})"));
    }
    for (list, word) in [("containerStatuses", "Container"), ("initContainerStatuses", "Init Container")] {
        let all = pod.at(&["status", list]).as_array().into_iter().flatten();
        for status in all.filter(|status| status["ready"] != true) {
            io.say(&format!("WARNING: Pod {name} {word} {} NOT READY", status["name"].as_str().unwrap_or("")));
        }
    }
    if desk.ignore_unmeshed {
        return;
    }
    let proxied = ["containers", "initContainers"].iter().any(|list| containers(pod, list).any(|c| c["name"] == "istio-proxy"));
    if !proxied {
        return io.say(&format!("WARNING: {name} is not part of mesh; no Istio sidecar"));
    }
    if pod.at(&["spec", "securityContext", "runAsUser"]) == 1337 {
        io.say("   WARNING: User ID (UID) 1337 is reserved for the sidecar proxy.");
    }
    let has = |labels: [&str; 3]| labels.iter().any(|label| pod.label(label).is_some());
    if !has(["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"]) {
        io.say(&format!("Suggestion: add required service name label for Istio telemetry. See {DEPLOYMENTS}."));
    }
    if !has(["service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"]) {
        io.say(&format!("Suggestion: add required service revision label for Istio telemetry. See {DEPLOYMENTS}."));
    }
}
