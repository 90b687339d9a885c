//! A marker of the configuration: a Service of the control namespace, without endpoints, on the port of the controls' echo. It adds one
//! virtual host to a route that the proxies have already, and no listener; a request never goes there. A Service, not an object of
//! Istio, so that no check that counts those sees it. A proxy whose namespace has a Sidecar that hides the control namespace never
//! shows it: then nothing is final early, and checks wait for their time.

use crate::check::controls;
use crate::check::reader::Reader;
use crate::check::workload;
use crate::lesson::model::Workload;
use crate::mesh::capture::has_sidecar;
use http::Request;
use serde_json::{Value, json};

/// The name of a marker.
fn name(mark: u64) -> String {
    format!("marker-{mark}")
}

fn path(mark: Option<u64>) -> String {
    let all = format!("/api/v1/namespaces/{}/services", controls::NAMESPACE);
    mark.map_or(all.clone(), |mark| format!("{all}/{}", name(mark)))
}

/// Applies a marker.
///
/// # Errors
/// The server refuses.
pub async fn apply(client: &kube::Client, mark: u64) -> anyhow::Result<()> {
    let service = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name(mark), "namespace": controls::NAMESPACE, "labels": {"egress-lab/owner": "controls"}},
        "spec": {"ports": [{"name": "http-marker", "port": controls::ECHO_PORT, "protocol": "TCP"}]}});
    let request = Request::post(path(None)).header("content-type", "application/json").body(serde_json::to_vec(&service)?)?;
    client.request::<Value>(request).await?;
    Ok(())
}

/// Takes it away.
///
/// # Errors
/// The server refuses.
pub async fn remove(client: &kube::Client, mark: u64) -> anyhow::Result<()> {
    client.request::<Value>(Request::delete(path(Some(mark))).body(Vec::new())?).await?;
    Ok(())
}

/// Whether the sidecars of these workloads and all gateways have it among their routes. Pods without a proxy have nothing to wait for.
///
/// # Errors
/// The cluster cannot be read.
pub async fn in_force(client: &kube::Client, mark: u64, from: &[&Workload]) -> anyhow::Result<bool> {
    let reader = Reader::new(client.clone());
    let seen = reader.snapshot(&[]).await?;
    let mut proxies: Vec<(String, String)> = Vec::new();
    for pod in from.iter().flat_map(|from| workload::pods(&seen, from)).filter(|pod| has_sidecar(pod)) {
        proxies.push((pod.namespace().into(), pod.name().into()));
    }
    // A gateway has routes of its own only; that it knows the Service is seen in its clusters.
    let gateways =
        workload::gateways(&seen).into_iter().map(|gateway| (gateway.namespace, gateway.pod, "dynamic_active_clusters"));
    let sidecars = proxies.into_iter().map(|(namespace, pod)| (namespace, pod, "dynamic_route_configs"));
    let needle = format!("{}.{}.svc", name(mark), controls::NAMESPACE);
    for (namespace, pod, part) in sidecars.chain(gateways) {
        let argv = ["pilot-agent", "request", "GET", &format!("config_dump?resource={part}")].map(str::to_string);
        if !reader.exec_says(&namespace, &pod, "istio-proxy", &argv, &needle).await? {
            return Ok(false);
        }
    }
    Ok(true)
}
