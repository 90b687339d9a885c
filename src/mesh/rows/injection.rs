//! Injection as data: the files of `tests/data/mesh/injection`, read by the unit tests (the two gates by themselves) and by the
//! integration tests (pods created through the API server).

use super::base::yaml;
use super::file::{files, read};
use super::k8s::Object;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// A file: one row of the injection table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decisions {
    pub row: String,
    pub title: String,
    pub cases: Vec<Decision>,
}

/// A pod in a namespace, and whether it gets a sidecar.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The namespace's labels.
    pub namespace: Map<String, Value>,
    /// The namespace's name.
    #[serde(default = "name")]
    pub name: String,
    /// The pod's own.
    #[serde(default)]
    pub labels: Map<String, Value>,
    #[serde(default)]
    pub annotations: Map<String, Value>,
    /// Laid over the pod's spec.
    #[serde(default)]
    pub spec: Map<String, Value>,
    /// Labels of the Deployment itself; the pod is its template then.
    #[serde(default)]
    pub deployment: Option<Map<String, Value>>,
    /// Labels that the namespace gets after the pod was created.
    #[serde(default)]
    pub after: Option<Map<String, Value>>,
    /// The webhook entries whose selectors choose the pod.
    pub asked: Vec<String>,
    pub injected: bool,
    /// The pod's own container `istio-proxy` is filled in.
    #[serde(default)]
    pub merged: bool,
}

fn name() -> String {
    "ns".into()
}

impl Decision {
    /// The pod as it is sent.
    pub fn pod(&self) -> Object {
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "test", "namespace": self.name, "labels": self.labels, "annotations": self.annotations},
            "spec": {"containers": [{"name": "app", "image": "curlimages/curl:8.1.2", "command": ["sleep", "3600"]}]}});
        for (key, value) in &self.spec {
            pod["spec"][key] = value.clone();
        }
        Object(pod)
    }

    /// What is wrong with the pod as it is stored; empty when nothing is.
    pub fn faults(&self, stored: &Object) -> Vec<String> {
        let lists = ["containers", "initContainers"];
        let all: Vec<&Value> = lists.iter().flat_map(|l| stored.at(&["spec", l]).as_array().into_iter().flatten()).collect();
        let proxies: Vec<&&Value> = all.iter().filter(|c| c["name"] == "istio-proxy").collect();
        let real = |c: &Value| c["image"].as_str().is_some_and(|image| image.contains("/proxyv2:"));
        let mut wrong = Vec::new();
        let injected = proxies.iter().any(|c| real(c)) && stored.annotation("sidecar.istio.io/status").is_some();
        if injected != self.injected {
            wrong.push(format!("injected: {injected}"));
        }
        if self.merged && proxies.len() != 1 {
            wrong.push(format!("{} containers istio-proxy", proxies.len()));
        }
        if !self.injected && !self.spec.contains_key("containers") && all.len() != 1 {
            wrong.push(format!("{} containers in a pod that was to stay as it is", all.len()));
        }
        wrong
    }
}

/// All files.
pub fn decisions() -> Vec<Decisions> {
    let read = |path: &PathBuf| {
        let value = yaml::parse(&read(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        serde_json::from_value(value).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    };
    files("injection").iter().map(read).collect()
}
