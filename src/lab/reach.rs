//! The cluster of the user's current context, looked at for `doctor`: does it answer, what is it, is Istio there. Nothing is written, no
//! other context is asked, and no login program is run.

use super::target::{self, Target};
use crate::check::reader::words;
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::ListParams;
use std::time::Duration;

/// Each question may take so long.
const ANSWER: Duration = Duration::from_secs(3);

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Every context of the kubeconfigs.
    pub contexts: Vec<String>,
    pub current: String,
    /// The API server's address.
    pub server: String,
    /// The API server's version, or why it does not answer.
    pub version: Result<String, String>,
    /// Each istiod: `NAMESPACE/NAME TAG, n of m ready`; or why that is not known.
    pub istio: Result<Vec<String>, String>,
}

/// Looks at the current context of `$KUBECONFIG`, else of `~/.kube/config`.
///
/// # Errors
/// A kubeconfig that cannot be read, or that needs a program to log in.
pub async fn look() -> anyhow::Result<Reach> {
    let target = target::current_context().await?;
    let (config, client) = (&target.config, &target.client);
    let late = || format!("no answer within {} s", ANSWER.as_secs());
    let version = tokio::time::timeout(ANSWER, client.apiserver_version()).await;
    let version = version.map_err(|_| late()).and_then(|answer| answer.map(|v| v.git_version).map_err(|e| words(&e)));
    let istio = match &version {
        Ok(_) => tokio::time::timeout(ANSWER, istiods(&target)).await.unwrap_or_else(|_| Err(late())),
        Err(_) => Err("the cluster does not answer".into()),
    };
    let server = config.contexts.iter().find(|context| context.name == config.current).map(|context| context.server.clone());
    Ok(Reach {
        contexts: config.contexts.iter().map(|context| context.name.clone()).collect(),
        current: config.current.clone(),
        server: server.unwrap_or_default(),
        version,
        istio,
    })
}

async fn istiods(target: &Target) -> Result<Vec<String>, String> {
    let api: Api<Deployment> = Api::all(target.client.clone());
    let found = api.list(&ListParams::default().labels("app=istiod").limit(20)).await.map_err(|e| words(&e))?;
    Ok(found.items.iter().map(describe).collect())
}

fn describe(istiod: &Deployment) -> String {
    let meta = &istiod.metadata;
    let (namespace, name) = (meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
    let spec = &istiod.spec;
    let containers = spec.template.spec.as_ref().map(|pod| pod.containers.as_slice()).unwrap_or_default();
    let image = containers.first().and_then(|container| container.image.as_deref()).unwrap_or_default();
    let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
    let ready = istiod.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0);
    format!("{namespace}/{name} {tag}, {ready} of {} ready", spec.replicas.unwrap_or(1))
}
