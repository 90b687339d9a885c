//! Pods: written ones made complete, one for each workload that has none, each with the sidecar that it would get.

use super::installation::Workings;
use super::{Addresses, Draft, Stand, Suppose, When, is_dump, list, ready_status, selector, selects};
use crate::k8s::{Object, Snapshot};
use crate::mesh::reach::Client;
use crate::mesh::{capture, inject};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Kinds that make pods, with the path of the template.
const WORKLOADS: [(&str, &str, &[&str]); 7] = [
    ("apps", "Deployment", &["spec", "template"]),
    ("apps", "ReplicaSet", &["spec", "template"]),
    ("apps", "StatefulSet", &["spec", "template"]),
    ("apps", "DaemonSet", &["spec", "template"]),
    ("", "ReplicationController", &["spec", "template"]),
    ("batch", "Job", &["spec", "template"]),
    ("batch", "CronJob", &["spec", "jobTemplate", "spec", "template"]),
];
/// Namespaces whose pods are not taken to be injected when no Namespace object says so.
const SYSTEM: [&str; 4] = ["istio-system", "kube-system", "kube-public", "kube-node-lease"];
const TEMPLATES: &str = "inject.istio.io/templates";
const REVISION: &str = "istio.io/rev";

/// Settles all pods.
pub fn settle(draft: &mut Draft, workings: &Workings, suppose: &Suppose) {
    let dump = is_dump(&draft.snapshot);
    let mut addresses = Addresses::of(&draft.snapshot);
    let injection = Injection::of(&draft.snapshot, workings);
    let mut told = Told::default();
    let mut pods: Vec<Object> = Vec::new();
    for pod in draft.snapshot.list("", "Pod").filter(|pod| pod.str_at(&["status", "podIP"]).is_empty()) {
        let over = matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed" | "Pending");
        if !(over || dump && !pod.uid().is_empty()) {
            pods.push((**pod).clone());
        }
    }
    if !dump {
        pods.extend(model_pods(&draft.snapshot, &mut told));
    }
    for stand in &suppose.clients {
        pods.extend(client(&draft.snapshot, &pods, stand, &mut told));
    }
    for pod in pods {
        let mut pod = injection.inject(pod, &mut told);
        let ip = addresses.next([10, 244], &["pod", pod.namespace(), pod.name()]);
        pod.set(&["status"], ready_status(ip));
        draft.put(pod);
    }
    told.tell(draft);
}

/// What was assumed on the way.
#[derive(Default)]
struct Told {
    workloads: Vec<String>,
    namespaces: BTreeSet<String>,
    standard_webhooks: bool,
    clients: Vec<String>,
    templates: BTreeSet<String>,
}

impl Told {
    fn tell(self, draft: &mut Draft) {
        self.clients.into_iter().for_each(|client| draft.assume(client));
        if !self.workloads.is_empty() {
            draft.assume(format!("one pod each runs and is ready for {}", list(&self.workloads)));
        }
        if !self.namespaces.is_empty() {
            let names: Vec<String> = self.namespaces.into_iter().collect();
            draft.assume(format!("pods of namespace {} get a sidecar: no Namespace object says otherwise", list(&names)));
        }
        if self.standard_webhooks {
            draft.assume("injection follows the webhooks of a standard installation: none are written");
        }
        for template in self.templates {
            draft.assume(format!("injection template {template} is taken as the standard one"));
        }
    }
}

/// A pod for each workload that has none and wants one.
fn model_pods(snapshot: &Snapshot, told: &mut Told) -> Vec<Object> {
    let mut made = Vec::new();
    for (group, kind, path) in WORKLOADS {
        for workload in snapshot.list(group, kind) {
            let owned = workload.at(&["metadata", "ownerReferences"]).as_array().is_some_and(|o| !o.is_empty());
            let none =
                workload.at(&["spec", "replicas"]).as_u64() == Some(0) || workload.at(&["spec", "suspend"]) == &json!(true);
            let template = Object(workload.at(path).clone());
            let wanted = match kind {
                "Job" | "CronJob" => BTreeMap::new(),
                "ReplicationController" => selector(workload, &["spec", "selector"]),
                _ => selector(workload, &["spec", "selector", "matchLabels"]),
            };
            let there = snapshot.list_in("", "Pod", workload.namespace()).any(|p| selects(&wanted, &p.labels()));
            if owned || none || there || !template.0.is_object() {
                continue;
            }
            let name = if kind == "StatefulSet" { format!("{}-0", workload.name()) } else { workload.name().to_string() };
            if snapshot.find("", "Pod", workload.namespace(), &name).is_some() {
                continue;
            }
            if !super::is_installed(workload) {
                told.workloads.push(workload.key().to_string());
            }
            made.push(from_template(workload, &template, &name));
        }
    }
    made
}

fn from_template(workload: &Object, template: &Object, name: &str) -> Object {
    let mut metadata = template.at(&["metadata"]).clone();
    if !metadata.is_object() {
        metadata = json!({});
    }
    metadata["name"] = json!(name);
    metadata["namespace"] = json!(workload.namespace());
    metadata["creationTimestamp"] = workload.at(&["metadata", "creationTimestamp"]).clone();
    metadata["ownerReferences"] = json!([{
        "apiVersion": workload.api_version(), "kind": workload.kind(), "name": workload.name(), "controller": true,
    }]);
    Object(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template.spec()}))
}

/// A pod for a client that was asked for, when nothing written is it.
fn client(snapshot: &Snapshot, made: &[Object], stand: &Stand, told: &mut Told) -> Option<Object> {
    let Stand { client, labels, when } = stand;
    let all: Snapshot = made.iter().cloned().collect();
    let inhabited = |s: &Snapshot| s.list_in("", "Pod", &client.namespace).next().is_some();
    let anybody = |s: &Snapshot| s.list("", "Pod").any(|p| !SYSTEM.contains(&p.namespace()) && !capture::is_gateway(p));
    let wanted = match when {
        When::Always => true,
        When::Uninhabited => !inhabited(snapshot) && !inhabited(&all),
        When::Alone => !anybody(snapshot) && !anybody(&all),
    };
    if !wanted || client.find(snapshot).is_ok() || client.find(&all).is_ok() {
        return None;
    }
    let shown: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let with = if shown.is_empty() { "without labels".to_string() } else { format!("with labels {}", shown.join(",")) };
    told.clients.push(format!("a pod {with} stands for the client {client}: no such pod or workload is written"));
    Some(test_pod(client, labels))
}

fn test_pod(client: &Client, labels: &BTreeMap<String, String>) -> Object {
    Object(json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": client.namespace, "name": client.name, "labels": labels},
        "spec": {"containers": [{"name": "test", "image": "curlimages/curl"}]}}))
}

/// How pods are injected.
struct Injection {
    /// The objects with what a standard installation adds.
    view: Snapshot,
    own_webhooks: bool,
    /// The standard injector's configuration.
    injector: Option<Arc<Object>>,
}

impl Injection {
    fn of(snapshot: &Snapshot, workings: &Workings) -> Injection {
        let mut view = snapshot.clone();
        let own_webhooks = snapshot.list("admissionregistration.k8s.io", "MutatingWebhookConfiguration").any(|c| asks_istiod(c));
        for object in &workings.injection {
            let webhook = object.kind() == "MutatingWebhookConfiguration";
            if !(webhook && own_webhooks) && view.get(&object.key()).is_none() {
                view.put(Arc::new(object.clone()));
            }
        }
        let injector = workings.injection.iter().find(|o| o.kind() == "ConfigMap").map(|o| Arc::new(o.clone()));
        Injection { view, own_webhooks, injector }
    }

    /// The pod as the API server would store it.
    fn inject(&self, mut pod: Object, told: &mut Told) -> Object {
        if capture::proxy_container(&pod).is_some_and(|c| c.get("args").is_some()) || !self.decides(&pod, told) {
            return pod;
        }
        let namespace = pod.namespace().to_string();
        let templates = pod.annotation(TEMPLATES).unwrap_or("").to_string();
        if templates.split(',').any(|t| t.trim() == "gateway") {
            return router(pod);
        }
        if let Ok(injected) = inject::inject(&pod, &namespace, &self.view) {
            return injected.unwrap_or(pod);
        }
        told.templates.insert(if templates.is_empty() { "sidecar".into() } else { templates });
        pod.remove(&["metadata", "annotations", TEMPLATES]);
        let mut standard = self.view.clone();
        self.injector.iter().for_each(|injector| standard.put(injector.clone()));
        inject::inject(&pod, &namespace, &standard).ok().flatten().unwrap_or(pod)
    }

    /// Whether a webhook asks istiod about the pod, and istiod says yes.
    fn decides(&self, pod: &Object, told: &mut Told) -> bool {
        let namespace = pod.namespace();
        let object = self.view.find("", "Namespace", "", namespace);
        if self.own_webhooks && object.is_some() {
            return inject::would_inject(pod, namespace, &self.view);
        }
        let mut labels = object.map(|o| selector(o, &["metadata", "labels"])).unwrap_or_default();
        let assumed = object.is_none() && !SYSTEM.contains(&namespace);
        let revision = pod.label(REVISION).map(String::from).or_else(|| labels.get(REVISION).cloned());
        if assumed || (!self.own_webhooks && revision.is_some() && !labels.contains_key("istio-injection")) {
            labels.insert("istio-injection".into(), "enabled".into());
        }
        let mut view = self.view.clone();
        view.put(Arc::new(Object(
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}),
        )));
        let mut plain = pod.clone();
        if !self.own_webhooks {
            plain.remove(&["metadata", "labels", REVISION]);
        }
        let injected = inject::would_inject(&plain, namespace, &view);
        if assumed && injected {
            told.namespaces.insert(namespace.to_string());
        }
        told.standard_webhooks |= injected && !self.own_webhooks && !assumed;
        injected
    }
}

fn asks_istiod(configuration: &Object) -> bool {
    let entries = configuration.at(&["webhooks"]).as_array().into_iter().flatten();
    entries
        .into_iter()
        .any(|e| e.pointer("/clientConfig/service/path").and_then(Value::as_str).is_some_and(|p| p.starts_with("/inject")))
}

/// A pod of the gateway chart: its proxy routes.
fn router(mut pod: Object) -> Object {
    let own = pod.at(&["spec", "containers"]).as_array().cloned().unwrap_or_default();
    let routed = own.into_iter().map(|mut container| {
        if container["name"] == "istio-proxy" {
            container["args"] = json!(["proxy", "router", "--domain", "$(POD_NAMESPACE).svc.cluster.local"]);
        }
        container
    });
    let routed: Vec<Value> = routed.collect();
    pod.set(&["spec", "containers"], json!(routed));
    pod
}
