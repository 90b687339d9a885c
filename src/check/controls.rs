//! The control workloads: what tells a broken environment from a learner's mistake. On the sandbox they are put into the fork in
//! which a check runs; on a cluster they are made before the first stage, and removed at the end.

use crate::k8s::Object;
use serde_json::json;

/// The namespace of the control workloads. It has no injection label.
pub const NAMESPACE: &str = "lab-control";
/// The pod that asks origins without a sidecar.
pub const OUTSIDE_POD: &str = "outside-probe";
/// The Service that every workload of the mesh may reach.
pub const ECHO: &str = "echo";
/// The echo's port: neither 80 nor 443, which would change the sidecars' listeners.
pub const ECHO_PORT: u16 = 7070;
/// The echo's image.
pub const ECHO_IMAGE: &str = "hashicorp/http-echo:1.0";

/// The objects, in the order in which they are to be created.
pub fn objects() -> Vec<Object> {
    let labels = json!({"app": ECHO, "egress-lab/owner": "controls"});
    let meta = |name: &str| json!({"name": name, "namespace": NAMESPACE, "labels": {"egress-lab/owner": "controls"}});
    let security = json!({"runAsUser": 100});
    let container = |name: &str, image: &str| json!({"name": name, "image": image, "imagePullPolicy": "IfNotPresent"});
    let mut outside = container(OUTSIDE_POD, "curlimages/curl:8.1.2");
    outside["command"] = json!(["sleep", "infinity"]);
    outside["securityContext"] = security;
    let mut echo = container(ECHO, ECHO_IMAGE);
    echo["args"] = json!([format!("-listen=:{ECHO_PORT}"), "-text=echo"]);
    echo["ports"] = json!([{"containerPort": ECHO_PORT, "name": "http-echo"}]);
    let template_labels = {
        let mut labels = labels.clone();
        labels["sidecar.istio.io/inject"] = json!("true");
        labels
    };
    [
        json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": NAMESPACE, "labels": {"egress-lab/owner": "controls"}}}),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": meta(OUTSIDE_POD),
            "spec": {"containers": [outside], "terminationGracePeriodSeconds": 0}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": meta(ECHO),
            "spec": {"selector": {"app": ECHO},
                "ports": [{"name": "http-echo", "port": ECHO_PORT, "targetPort": ECHO_PORT, "protocol": "TCP"}]}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta(ECHO),
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": ECHO}},
                "template": {"metadata": {"labels": template_labels}, "spec": {"containers": [echo]}}}}),
    ]
    .into_iter()
    .map(Object)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_controls_change_no_listener_of_the_lesson() {
        for object in objects() {
            let ports = object.at(&["spec", "ports"]).as_array().cloned().unwrap_or_default();
            assert!(ports.iter().all(|port| port["port"] != 80 && port["port"] != 443), "{}", object.key());
            assert_ne!(object.label("istio-injection"), Some("enabled"));
        }
        assert_eq!(objects()[0].name(), NAMESPACE, "the namespace comes first");
    }
}
