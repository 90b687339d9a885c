//! istiod's configuration of injection, read from the objects of the installation.

use crate::base::yaml;
use crate::k8s::Snapshot;
use crate::mesh::install::{SIDECAR, lay_over};
use crate::mesh::versions::{self, Release};
use serde_json::{Value, json};

/// The kubelet from which on native sidecars are used by default (minor of version 1).
const NATIVE_FROM_MINOR: u32 = 33;

/// What ConfigMaps istio and istio-sidecar-injector and istiod's environment say.
pub struct Settings {
    /// `enabled` or `disabled`.
    pub policy: String,
    pub always: Vec<Value>,
    pub never: Vec<Value>,
    pub annotations: Value,
    /// What is added to a pod, with placeholders.
    pub template: Value,
    /// The installation's template is not the standard one and cannot be filled here.
    pub foreign_template: bool,
    /// `data.values`.
    pub values: Value,
    /// `defaultConfig` of the mesh text.
    pub proxy_config: Value,
    /// Whether istio-proxy becomes a restartable init container unless the pod says otherwise.
    pub native: bool,
    pub release: &'static Release,
}

impl Settings {
    /// Reads them; what is missing or broken counts as empty.
    pub fn read(snapshot: &Snapshot) -> Settings {
        let text = |name: &str, key: &str| {
            let map = snapshot.find("", "ConfigMap", "istio-system", name);
            map.map(|m| m.str_at(&["data", key]).to_string()).unwrap_or_default()
        };
        let document = |text: &str| yaml::parse_documents(text).ok().and_then(|d| d.into_iter().next()).unwrap_or(Value::Null);
        let config = document(&text("istio-sidecar-injector", "config"));
        let values: Value = serde_json::from_str(&text("istio-sidecar-injector", "values")).unwrap_or(Value::Null);
        let sidecar = config["templates"]["sidecar"].as_str().unwrap_or("");
        let list = |key: &str| config[key].as_array().cloned().unwrap_or_default();
        let tag = values["global"]["tag"].as_str().unwrap_or("").to_string();
        let release = versions::find(&tag).unwrap_or_else(versions::default_release);
        let mut proxy_config = document(&text("istio", "mesh"))["defaultConfig"].clone();
        if let Some(members) = proxy_config.as_object_mut() {
            members.retain(|key, value| !(key == "discoveryAddress" && value == "istiod.istio-system.svc:15012"));
        }
        Settings {
            policy: config["policy"].as_str().unwrap_or("enabled").to_string(),
            always: list("alwaysInjectSelector"),
            never: list("neverInjectSelector"),
            annotations: config["injectedAnnotations"].clone(),
            template: document(template(sidecar)),
            foreign_template: is_foreign(sidecar),
            native: native(snapshot, release),
            values,
            proxy_config,
            release,
        }
    }

    /// A value of `global.proxy`.
    pub fn proxy(&self, key: &str) -> &Value {
        &self.values["global"]["proxy"][key]
    }

    /// The proxy configuration of a pod: the mesh's with the pod's annotation `proxy.istio.io/config` over it.
    pub fn proxy_config(&self, annotation: Option<&str>) -> Value {
        let mut config = if self.proxy_config.is_object() { self.proxy_config.clone() } else { json!({}) };
        let own = annotation.and_then(|text| yaml::parse_documents(text).ok()).and_then(|d| d.into_iter().next());
        if let Some(own) = own {
            lay_over(&mut config, &own);
        }
        config
    }
}

/// Whether a template is written in Go's template language, as those of a real istiod are.
fn is_go(template: &str) -> bool {
    template.contains("{{")
}

/// The template to fill. A real istiod's own is Go text that is not run here: the standard one has its rendition in this program.
fn template(text: &str) -> &str {
    if is_go(text) { SIDECAR } else { text }
}

/// Whether a template adds something else than the standard sidecar, so that no rendition of it is at hand.
fn is_foreign(template: &str) -> bool {
    is_go(template) && !(template.contains("- name: istio-proxy") && template.contains("istio-init"))
}

/// ENABLE_NATIVE_SIDECARS of the running istiod, else the release's default; `auto` looks at the nodes.
fn native(snapshot: &Snapshot, release: &Release) -> bool {
    let istiod = snapshot.find("apps", "Deployment", "istio-system", "istiod");
    let env = istiod.and_then(|d| d.0.pointer("/spec/template/spec/containers/0/env")?.as_array().cloned());
    let set = env.into_iter().flatten().find(|e| e["name"] == "ENABLE_NATIVE_SIDECARS");
    let set = set.as_ref().and_then(|e| e["value"].as_str()).unwrap_or(&release.native_sidecars);
    match set {
        "true" => true,
        "auto" => {
            let mut nodes = snapshot.list("", "Node").peekable();
            nodes.peek().is_some()
                && nodes.all(|n| minor(n.str_at(&["status", "nodeInfo", "kubeletVersion"])) >= NATIVE_FROM_MINOR)
        }
        _ => false,
    }
}

/// 36 of `v1.36.2`; 0 when it cannot be read.
fn minor(version: &str) -> u32 {
    version.split('.').nth(1).and_then(|m| m.parse().ok()).unwrap_or(0)
}
