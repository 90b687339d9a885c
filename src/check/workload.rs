//! From a lesson's words for a pod to the pod, its container, and what proxies there are.

use crate::k8s::{Object, Snapshot};
use crate::lesson::model::{PodRef, Workload};
use std::sync::Arc;

/// A pod that a probe can run in.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    pub pod: Arc<Object>,
    pub container: String,
    pub has_sidecar: bool,
}

/// Finds the workload's pod, which must be running and ready.
///
/// # Errors
/// A sentence for the learner: there is no such pod, or it is not ready yet.
pub fn source(snapshot: &Snapshot, workload: &Workload) -> Result<Source, String> {
    let namespace = &workload.namespace;
    let pods = pods(snapshot, workload);
    let Some(pod) = pods.iter().find(|pod| is_ready(pod)).or(pods.first()) else {
        return Err(match &workload.pod {
            PodRef::Name(name) => format!("There is no pod {name} in namespace {namespace}."),
            PodRef::Labels(labels) => {
                let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
                format!("There is no pod with the label {} in namespace {namespace}.", labels.join(","))
            }
        });
    };
    if !is_ready(pod) {
        let phase = match (pod.is_terminating(), pod.str_at(&["status", "phase"])) {
            (true, _) => "being deleted",
            (_, "Running") => "running but not ready",
            (_, "Succeeded") => "completed: its command has ended",
            (_, "Failed") => "failed",
            _ => "not running yet",
        };
        return Err(format!("Pod {} in namespace {namespace} is {phase}.", pod.name()));
    }
    let container = workload.container.clone().unwrap_or_else(|| default_container(pod));
    Ok(Source { container, has_sidecar: is_injected(pod), pod: pod.clone() })
}

/// All pods of the workload.
pub fn pods(snapshot: &Snapshot, workload: &Workload) -> Vec<Arc<Object>> {
    let fits = |pod: &&Arc<Object>| match &workload.pod {
        PodRef::Name(name) => pod.name() == name,
        PodRef::Labels(labels) => labels.iter().all(|(key, value)| pod.label(key) == Some(value)),
    };
    snapshot.list_in("", "Pod", &workload.namespace).filter(fits).cloned().collect()
}

/// Whether the pod runs, is not going, and all its containers are ready.
pub fn is_ready(pod: &Object) -> bool {
    let conditions = pod.at(&["status", "conditions"]).as_array();
    let ready = conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True");
    ready && !pod.is_terminating()
}

/// Whether the pod has Istio's proxy beside its own containers, as a container or as a native sidecar.
pub fn is_injected(pod: &Object) -> bool {
    has_proxy(pod) && !is_gateway(pod)
}

fn has_proxy(pod: &Object) -> bool {
    ["containers", "initContainers"].iter().any(|list| containers(pod, list).any(|c| c["name"] == "istio-proxy"))
}

/// Whether the pod is a gateway: Istio's proxy in the role of a router.
pub fn is_gateway(pod: &Object) -> bool {
    let mut proxies = containers(pod, "containers").filter(|c| c["name"] == "istio-proxy");
    proxies.any(|c| c["args"].as_array().is_some_and(|args| args.iter().any(|arg| arg == "router")))
}

fn containers<'a>(pod: &'a Object, list: &str) -> impl Iterator<Item = &'a serde_json::Value> {
    pod.at(&["spec", list]).as_array().into_iter().flatten()
}

/// The container that kubectl would pick.
fn default_container(pod: &Object) -> String {
    if let Some(name) = pod.annotation("kubectl.kubernetes.io/default-container") {
        return name.to_string();
    }
    let own = containers(pod, "containers").find(|c| c["name"] != "istio-proxy");
    own.and_then(|c| c["name"].as_str()).unwrap_or("istio-proxy").to_string()
}

/// A gateway's pod, and the Service by which it is known.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewayPod {
    /// `NAMESPACE/NAME` of the Service, of the pod when there is none.
    pub name: String,
    pub namespace: String,
    pub pod: String,
}

/// The gateways' pods that are there.
pub fn gateways(snapshot: &Snapshot) -> Vec<GatewayPod> {
    let pods = snapshot.list("", "Pod").filter(|pod| is_gateway(pod) && is_ready(pod));
    let named = |pod: &Arc<Object>| {
        let namespace = pod.namespace();
        let service = snapshot.list_in("", "Service", namespace).find(|service| selects(service, pod));
        let name = format!("{namespace}/{}", service.map_or(pod.name(), |s| s.name()));
        GatewayPod { name, namespace: namespace.to_string(), pod: pod.name().to_string() }
    };
    pods.map(named).collect()
}

/// `NAMESPACE/NAME` of every Service that stands before a gateway, whether or not its pods are there.
pub fn gateway_services(snapshot: &Snapshot) -> Vec<String> {
    let pods: Vec<&Arc<Object>> = snapshot.list("", "Pod").filter(|pod| is_gateway(pod)).collect();
    let of_deployment = |service: &Object| {
        snapshot.list_in("apps", "Deployment", service.namespace()).any(|deployment| {
            let template = Object(deployment.at(&["spec", "template"]).clone());
            is_gateway(&template) && selects(service, &template)
        })
    };
    let fits = |service: &&Arc<Object>| {
        pods.iter().any(|pod| pod.namespace() == service.namespace() && selects(service, pod)) || of_deployment(service)
    };
    let services = snapshot.list("", "Service").filter(fits);
    services.map(|service| format!("{}/{}", service.namespace(), service.name())).collect()
}

fn selects(service: &Object, pod: &Object) -> bool {
    let selector = crate::k8s::object::strings(service.at(&["spec", "selector"]));
    !selector.is_empty() && selector.iter().all(|(key, value)| pod.label(key) == Some(*value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(name: &str, spec: serde_json::Value, ready: &str) -> Object {
        Object(json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "labels": {"app": name}}, "spec": spec,
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}}))
    }

    fn named(name: &str) -> Workload {
        Workload { namespace: "default".into(), pod: PodRef::Name(name.into()), container: None }
    }

    #[test]
    fn the_application_container_is_probed_wherever_the_proxy_stands() {
        for (spec, injected) in [
            (json!({"containers": [{"name": "test"}]}), false),
            (json!({"containers": [{"name": "istio-proxy"}, {"name": "test"}]}), true),
            (json!({"initContainers": [{"name": "istio-proxy"}], "containers": [{"name": "test"}]}), true),
        ] {
            let snapshot = Snapshot::from_iter([pod("test", spec.clone(), "True")]);
            let source = source(&snapshot, &named("test")).unwrap();
            assert_eq!((source.container.as_str(), source.has_sidecar), ("test", injected), "{spec}");
        }
    }

    #[test]
    fn a_pod_that_cannot_be_used_is_told() {
        let snapshot = Snapshot::from_iter([pod("test", json!({"containers": [{"name": "test"}]}), "False")]);
        assert_eq!(source(&snapshot, &named("test")).unwrap_err(), "Pod test in namespace default is running but not ready.");
        assert_eq!(source(&snapshot, &named("other")).unwrap_err(), "There is no pod other in namespace default.");
    }

    #[test]
    fn a_gateway_is_known_by_its_service_even_when_scaled_to_none() {
        let router = json!({"containers": [{"name": "istio-proxy", "args": ["proxy", "router"]}]});
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "egw", "namespace": "default"},
            "spec": {"selector": {"app": "gw"}}});
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "default"},
            "spec": {"template": {"metadata": {"labels": {"app": "gw"}}, "spec": router}}});
        let with_pod = Snapshot::from_iter([pod("gw", router, "True"), Object(service.clone())]);
        assert_eq!(gateways(&with_pod)[0].name, "default/egw");
        assert!(!is_injected(with_pod.find("", "Pod", "default", "gw").unwrap()));
        let without = Snapshot::from_iter([Object(service), Object(deployment)]);
        assert_eq!(gateway_services(&without), ["default/egw"]);
    }
}
