//! What a client may see of a cluster: every kind that decides, tolerating servers that do not have a kind, and noting what may not be
//! read together with what would allow it.

use super::world::Denied;
use crate::k8s::{Object, Snapshot};
use anyhow::Context;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use serde_json::Value;
use std::sync::Arc;

/// Lists read at the same time.
const AT_ONCE: usize = 6;
const ROOT: &str = "istio-system";

/// A kind that is read.
struct Row {
    group: &'static str,
    /// Newest first: the first that the server has is read.
    versions: &'static [&'static str],
    kind: &'static str,
    plural: &'static str,
    namespaced: bool,
    /// Whether an answer is uncertain without it.
    decides: bool,
}

const fn row(
    group: &'static str,
    versions: &'static [&'static str],
    kind: &'static str,
    plural: &'static str,
    namespaced: bool,
    decides: bool,
) -> Row {
    Row { group, versions, kind, plural, namespaced, decides }
}

const NET: &str = "networking.istio.io";
const SEC: &str = "security.istio.io";
const GW: &str = "gateway.networking.k8s.io";
const ISTIO: &[&str] = &["v1", "v1beta1", "v1alpha3"];

#[rustfmt::skip]
const ROWS: &[Row] = &[
    row("", &["v1"], "Namespace", "namespaces", false, true),
    row("", &["v1"], "Pod", "pods", true, true),
    row("", &["v1"], "Service", "services", true, true),
    row("", &["v1"], "Node", "nodes", false, false),
    row("discovery.k8s.io", &["v1"], "EndpointSlice", "endpointslices", true, true),
    row("apps", &["v1"], "Deployment", "deployments", true, true),
    row("apps", &["v1"], "ReplicaSet", "replicasets", true, false),
    row("networking.k8s.io", &["v1"], "NetworkPolicy", "networkpolicies", true, true),
    row(NET, ISTIO, "ServiceEntry", "serviceentries", true, true),
    row(NET, ISTIO, "Gateway", "gateways", true, true),
    row(NET, ISTIO, "VirtualService", "virtualservices", true, true),
    row(NET, ISTIO, "DestinationRule", "destinationrules", true, true),
    row(NET, ISTIO, "Sidecar", "sidecars", true, true),
    row(NET, ISTIO, "WorkloadEntry", "workloadentries", true, true),
    row(NET, &["v1beta1"], "ProxyConfig", "proxyconfigs", true, false),
    row(NET, &["v1alpha3"], "EnvoyFilter", "envoyfilters", true, true),
    row("extensions.istio.io", &["v1alpha1"], "WasmPlugin", "wasmplugins", true, true),
    row("telemetry.istio.io", &["v1", "v1alpha1"], "Telemetry", "telemetries", true, true),
    row(SEC, &["v1", "v1beta1"], "AuthorizationPolicy", "authorizationpolicies", true, true),
    row(SEC, &["v1", "v1beta1"], "PeerAuthentication", "peerauthentications", true, true),
    row(SEC, &["v1", "v1beta1"], "RequestAuthentication", "requestauthentications", true, true),
    row(GW, &["v1", "v1beta1"], "Gateway", "gateways", true, true),
    row(GW, &["v1", "v1beta1"], "HTTPRoute", "httproutes", true, true),
    row(GW, &["v1", "v1alpha3", "v1alpha2"], "TLSRoute", "tlsroutes", true, true),
    row(GW, &["v1", "v1alpha2"], "TCPRoute", "tcproutes", true, true),
    row(GW, &["v1", "v1beta1"], "ReferenceGrant", "referencegrants", true, true),
    row("admissionregistration.k8s.io", &["v1"], "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", false, false),
];

/// A cluster as this client sees it.
pub struct Seen {
    pub snapshot: Snapshot,
    pub denied: Vec<Denied>,
}

/// One list's answer.
enum Listed {
    Objects(Vec<Object>),
    /// Kinds and namespaces in which they may not be read.
    Denied(Vec<Object>, Denied),
}

/// Reads everything that decides; `namespace` is the client's, which is tried where the whole cluster may not be read.
///
/// # Errors
/// The server cannot be reached, or refuses for another reason than missing rights.
pub async fn read(client: &kube::Client, namespace: &str) -> anyhow::Result<Seen> {
    let asked: Vec<BoxFuture<'_, _>> = ROWS.iter().map(|row| list(client, row, namespace).boxed()).collect();
    let lists: Vec<Listed> = stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
    let mut seen = Seen { snapshot: Snapshot::default(), denied: Vec::new() };
    let maps = config_maps(client).await?;
    for listed in lists.into_iter().chain([maps]) {
        let objects = match listed {
            Listed::Objects(objects) => objects,
            Listed::Denied(objects, denied) => {
                seen.denied.push(denied);
                objects
            }
        };
        objects.into_iter().for_each(|object| seen.snapshot.put(Arc::new(object)));
    }
    seen.denied.retain(|denied| denied.decides);
    Ok(seen)
}

fn path(row: &Row, version: &str, namespace: Option<&str>) -> String {
    let base = if row.group.is_empty() { format!("/api/{version}") } else { format!("/apis/{}/{version}", row.group) };
    match namespace {
        Some(namespace) => format!("{base}/namespaces/{namespace}/{}", row.plural),
        None => format!("{base}/{}", row.plural),
    }
}

async fn list(client: &kube::Client, row: &Row, namespace: &str) -> anyhow::Result<Listed> {
    for version in row.versions {
        match get(client, &path(row, version, None)).await? {
            Got::Value(value) => return Ok(Listed::Objects(items(value, row, version))),
            Got::Missing => {}
            Got::Forbidden => return narrower(client, row, version, namespace).await,
        }
    }
    Ok(Listed::Objects(Vec::new()))
}

/// The client's namespace and the control plane's, where the whole cluster may not be read.
async fn narrower(client: &kube::Client, row: &Row, version: &str, namespace: &str) -> anyhow::Result<Listed> {
    let mut objects = Vec::new();
    let places = [namespace, ROOT];
    for place in places.iter().filter(|_| row.namespaced) {
        if let Got::Value(value) = get(client, &path(row, version, Some(place))).await? {
            objects.extend(items(value, row, version));
        }
    }
    let resource = if row.group.is_empty() { row.plural.to_string() } else { format!("{}.{}", row.plural, row.group) };
    let kind = if row.group.is_empty() { row.kind.to_string() } else { format!("{}.{}", row.kind, row.group) };
    Ok(Listed::Denied(objects, Denied { kind, verb: "list".into(), resource, namespace: None, decides: row.decides }))
}

/// The ConfigMaps of the control plane: by list, else the one that most meshes have.
async fn config_maps(client: &kube::Client) -> anyhow::Result<Listed> {
    let row = row("", &["v1"], "ConfigMap", "configmaps", true, true);
    let all = path(&row, "v1", Some(ROOT));
    match get(client, &all).await? {
        Got::Value(value) => return Ok(Listed::Objects(items(value, &row, "v1"))),
        Got::Missing => return Ok(Listed::Objects(Vec::new())),
        Got::Forbidden => {}
    }
    let mut found = Vec::new();
    for name in ["istio", "istio-sidecar-injector"] {
        match get(client, &format!("{all}/{name}")).await? {
            Got::Value(value) => found.push(typed(value, &row, "v1")),
            Got::Missing => {}
            Got::Forbidden if name == "istio" => {
                let namespace = Some(ROOT.to_string());
                let denied = Denied {
                    kind: "ConfigMap".into(),
                    verb: "get".into(),
                    resource: "configmaps".into(),
                    namespace,
                    decides: true,
                };
                return Ok(Listed::Denied(found, denied));
            }
            Got::Forbidden => {}
        }
    }
    Ok(Listed::Objects(found))
}

enum Got {
    Value(Value),
    /// The server has no such kind or object.
    Missing,
    Forbidden,
}

async fn get(client: &kube::Client, path: &str) -> anyhow::Result<Got> {
    let request = http::Request::get(path).body(Vec::new())?;
    match client.request(request).await {
        Ok(value) => Ok(Got::Value(value)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Got::Missing),
        Err(kube::Error::Api(status)) if status.code == 403 => Ok(Got::Forbidden),
        Err(error) => Err(error).with_context(|| format!("reading {path}")),
    }
}

fn items(mut list: Value, row: &Row, version: &str) -> Vec<Object> {
    let Some(Value::Array(items)) = list.get_mut("items").map(Value::take) else { return Vec::new() };
    items.into_iter().map(|item| typed(item, row, version)).collect()
}

/// Items of a list do not name their kind; a model reads Istio's kinds by group, in whatever version.
fn typed(item: Value, row: &Row, version: &str) -> Object {
    let mut object = Object(item);
    let api_version = if row.group.is_empty() { version.to_string() } else { format!("{}/{version}", row.group) };
    object.set(&["apiVersion"], api_version.into());
    object.set(&["kind"], row.kind.into());
    object
}
