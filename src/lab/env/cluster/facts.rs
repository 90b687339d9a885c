//! What a cluster is: shown before anything is written.

use crate::check::objects::mesh_config;
use crate::check::reader::Reader;
use crate::k8s::{Object, Snapshot};
use crate::lesson::model;

/// See the module's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// `v1.36.2`.
    pub version: String,
    /// What stands for Istio, in a sentence's part.
    pub istio: Vec<Istio>,
    /// `REGISTRY_ONLY`, `ALLOW_ANY`; empty where there is no mesh configuration.
    pub mode: String,
}

/// One control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Istio {
    pub namespace: String,
    /// `default`, or the revision's name.
    pub revision: String,
    /// The tag of its image; empty when it has none.
    pub version: String,
    pub ready: bool,
}

/// Asks a cluster.
///
/// # Errors
/// It cannot be read.
pub async fn facts(client: &kube::Client) -> anyhow::Result<Facts> {
    let version = client.apiserver_version().await?.git_version;
    let seen = Reader::new(client.clone()).snapshot(&[]).await?;
    let istio = istiods(&seen);
    let mode = mesh_config(&seen).map(|config| {
        let mode = config["outboundTrafficPolicy"]["mode"].as_str();
        // The default of the mesh (S: pkg/config/mesh/mesh.go).
        mode.unwrap_or("ALLOW_ANY").to_string()
    });
    Ok(Facts { version, istio, mode: mode.unwrap_or_default() })
}

fn istiods(seen: &Snapshot) -> Vec<Istio> {
    let all = seen.list("apps", "Deployment").filter(|deployment| deployment.label("app") == Some("istiod"));
    all.map(|deployment| Istio {
        namespace: deployment.namespace().into(),
        revision: deployment.label("istio.io/rev").unwrap_or("default").into(),
        version: tag(deployment),
        ready: deployment.at(&["status", "availableReplicas"]).as_u64().unwrap_or(0) > 0,
    })
    .collect()
}

fn tag(deployment: &Object) -> String {
    let containers = deployment.at(&["spec", "template", "spec", "containers"]).as_array();
    let image = containers.and_then(|all| all.first()).and_then(|c| c["image"].as_str()).unwrap_or_default();
    let name = image.split('@').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    name.split_once(':').map(|(_, tag)| tag.to_string()).unwrap_or_default()
}

impl Facts {
    /// Why a lesson that begins with this Istio cannot begin here; a sentence.
    pub fn lacks(&self, wanted: &model::Istio, name: &str) -> Option<String> {
        let mode = wanted.mode();
        match self.istio.iter().any(|istio| istio.ready) {
            false => Some(format!("This lesson begins in a mesh, and {name} has no Istio that is ready.")),
            true if self.mode != mode => Some(format!(
                "This lesson begins in a mesh of mode {mode}, and that of {name} is {}: what it shows is the case there already.",
                self.mode
            )),
            true => None,
        }
    }

    /// Lines for people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("Kubernetes   {}", self.version)];
        if self.istio.is_empty() {
            lines.push("Istio        none".into());
        }
        for istio in &self.istio {
            let ready = if istio.ready { "" } else { ", not ready" };
            lines.push(format!("Istio        {} in {}, revision {}{ready}", istio.version, istio.namespace, istio.revision));
        }
        if !self.mode.is_empty() {
            lines.push(format!("Mode         {}", self.mode));
        }
        lines
    }
}
