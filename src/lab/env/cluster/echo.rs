//! The control's echo after Istio has come: what was made before has no sidecar. It is made again once a pod made now would get one,
//! which the API server itself says (a creation with `dryRun`), whatever revision or webhook injects here.

use super::path::Place;
use super::scribe::{delete, meta, read};
use super::waiting::{PAUSE, WITHIN};
use crate::check::controls::{ECHO, NAMESPACE, objects};
use crate::check::workload::is_ready;
use crate::k8s::Object;
use crate::k8s::object::items;
use crate::mesh::capture::has_sidecar;
use anyhow::bail;
use http::Request;
use serde_json::{Value, json};
use std::time::Duration;

/// Makes the echo again if it has no sidecar and would get one now. Whether it has one, and so this need not be asked again.
///
/// # Errors
/// The server cannot be read, or the new pod does not start.
pub async fn joins(client: &kube::Client) -> anyhow::Result<bool> {
    let old = pods(client).await?;
    if old.iter().any(has_sidecar) {
        return Ok(true);
    }
    // A cluster that cannot say is one where nothing can be made now: the next check asks again.
    if old.is_empty() || !would_get_one(client).await.unwrap_or(false) {
        return Ok(false);
    }
    for pod in &old {
        delete(client, &all().named(pod.name()), pod.uid()).await?;
    }
    let mut waited = Duration::ZERO;
    while !pods(client).await?.iter().any(|pod| has_sidecar(pod) && is_ready(pod)) {
        if waited >= WITHIN {
            bail!("the control workload echo does not start with a sidecar: `kubectl get pods -n {NAMESPACE}` shows why");
        }
        tokio::time::sleep(PAUSE).await;
        waited += PAUSE;
    }
    Ok(true)
}

fn all() -> Place {
    Place::all("", "v1", "pods").within(NAMESPACE)
}

/// The echo's pods that are not on their way out.
async fn pods(client: &kube::Client) -> anyhow::Result<Vec<Object>> {
    let list = read(client, &all()).await?.unwrap_or_default();
    let stays = |pod: &&Value| pod["metadata"]["labels"]["app"] == ECHO && meta(pod, "deletionTimestamp").is_empty();
    Ok(items(&list["items"]).iter().filter(stays).cloned().map(Object).collect())
}

/// Whether a pod like the echo's would have a sidecar, if it were made now.
async fn would_get_one(client: &kube::Client) -> anyhow::Result<bool> {
    let deployment =
        objects().into_iter().find(|object| object.kind() == "Deployment").map(|object| object.0).unwrap_or_default();
    let mut pod = deployment["spec"]["template"].clone();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["generateName"] = json!("echo-");
    let request = Request::post(format!("{}?dryRun=All", all().path())).header("content-type", "application/json");
    let made: Value = client.request(request.body(serde_json::to_vec(&pod)?)?).await?;
    Ok(has_sidecar(&Object(made)))
}
