//! istiod's debug pages, as far as the model knows what they show (Istio: pilot/pkg/xds/debug.go).

use super::{Page, Push, bootstrap, dump};
use crate::base::order::Order;
use crate::base::yaml;
use crate::k8s::Object;
use crate::mesh::{Model, capture};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Type URLs by the short names that istioctl prints, in its order.
pub const TYPES: &[(&str, &str)] = &[
    ("CDS", "type.googleapis.com/envoy.config.cluster.v3.Cluster"),
    ("LDS", "type.googleapis.com/envoy.config.listener.v3.Listener"),
    ("EDS", "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"),
    ("RDS", "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"),
];

/// Every page of istiod, and whether it is imitated.
const PAGES: &[(&str, bool)] = &[
    ("adsz", true),
    ("ambientz", false),
    ("authorizationz", false),
    ("cachez", false),
    ("clusterz", false),
    ("config_dump", true),
    ("configz", true),
    ("connections", true),
    ("ecdsz", false),
    ("edsz", false),
    ("endpointShardz", false),
    ("endpointz", false),
    ("force_disconnect", false),
    ("inject", false),
    ("instancesz", false),
    ("krtz", false),
    ("list", true),
    ("mcsz", false),
    ("mesh", true),
    ("ndsz", false),
    ("networkz", false),
    ("push_status", false),
    ("pushcontext", false),
    ("registryz", true),
    ("resourcesz", false),
    ("sidecarz", false),
    ("syncz", true),
    ("telemetryz", false),
];

/// What one proxy asked for and got.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Synced {
    cluster_id: &'static str,
    /// `POD.NAMESPACE`.
    pub proxy: String,
    proxy_type: &'static str,
    pub istio_version: String,
    cluster_sent: String,
    cluster_acked: String,
    listener_sent: String,
    listener_acked: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    route_sent: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    route_acked: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    endpoint_sent: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    endpoint_acked: String,
    resources: BTreeMap<&'static str, Resource>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Resource {
    sent: String,
    acked: String,
    #[serde(rename = "sentTime")]
    sent_time: String,
}

/// The pods whose proxies are connected: those that are ready.
fn connected(model: &Model) -> Vec<&Arc<Object>> {
    let ready = |pod: &&Arc<Object>| {
        let lists = ["containerStatuses", "initContainerStatuses"].into_iter();
        let mut all = lists.flat_map(|list| pod.at(&["status", list]).as_array().into_iter().flatten());
        let name = capture::proxy_container(pod).and_then(|c| c["name"].as_str());
        name.is_some_and(|name| all.any(|s| s["name"] == name && s["ready"] == true))
    };
    let mut pods: Vec<_> = model.snapshot().list("", "Pod").filter(ready).collect();
    pods.order_by_key(|pod| (pod.name().to_string(), pod.namespace().to_string()));
    pods
}

/// The state of every connected proxy of a namespace ("" = all): each has what was pushed last.
pub fn synced(model: &Model, push: Push, namespace: &str) -> Vec<Synced> {
    let pods = connected(model).into_iter().filter(|pod| namespace.is_empty() || pod.namespace() == namespace);
    pods.map(|pod| of_pod(model, push, pod)).collect()
}

fn of_pod(model: &Model, push: Push, pod: &Object) -> Synced {
    let proxy = model.proxy(pod);
    let has_routes = proxy.as_ref().is_some_and(|p| !p.routes.is_empty());
    let nonce = |kind: &str| format!("{kind}-{}", push.version());
    let there = |kind: &str, on: bool| if on { nonce(kind) } else { String::new() };
    let on = |short: &str| short != "RDS" || has_routes;
    let resource = |(short, url): &(&str, &'static str)| {
        let sent = nonce(short);
        (*url, Resource { acked: sent.clone(), sent, sent_time: push.at.rfc3339() })
    };
    Synced {
        cluster_id: "Kubernetes",
        proxy: format!("{}.{}", pod.name(), pod.namespace()),
        proxy_type: if capture::is_gateway(pod) { "router" } else { "sidecar" },
        istio_version: bootstrap::version(pod),
        cluster_sent: nonce("CDS"),
        cluster_acked: nonce("CDS"),
        listener_sent: nonce("LDS"),
        listener_acked: nonce("LDS"),
        route_sent: there("RDS", has_routes),
        route_acked: there("RDS", has_routes),
        endpoint_sent: nonce("EDS"),
        endpoint_acked: nonce("EDS"),
        resources: TYPES.iter().filter(|(short, _)| on(short)).map(resource).collect(),
    }
}

/// Answers a path below `/debug/`; `None`: there is no such page.
pub fn page(model: &Model, push: Push, target: &str) -> Option<Page> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let name = path.trim_start_matches('/').strip_prefix("debug/")?;
    let query = super::pairs(query);
    let get = |name: &str| query.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
    let imitated = PAGES.iter().find(|(page, _)| *page == name)?.1;
    if !imitated || !get("push").is_empty() {
        return Some(Page { not_simulated: true, ..Page::text(501, String::new()) });
    }
    let pretty = query.iter().any(|(name, _)| name == "pretty");
    let written = |text: String| Page::json(if pretty { super::json::indented(&text, "  ") } else { text });
    let value = match name {
        "syncz" => {
            let all = synced(model, push, get("namespace"));
            return Some(written(serde_json::to_string(&all).unwrap_or_default()));
        }
        "config_dump" => return Some(dumped(model, push, get("proxyID"))),
        "list" => PAGES.iter().map(|(name, _)| *name).filter(|name| *name != "list").collect(),
        "mesh" => mesh(model),
        "configz" => configs(model),
        "registryz" => registry(model),
        _ => connections(model, push),
    };
    Some(written(value.to_string()))
}

/// The mesh configuration as it is written in the ConfigMap; what is not there has Istio's defaults, which are not listed.
fn mesh(model: &Model) -> Value {
    let map = model.snapshot().find("", "ConfigMap", &model.options().root_namespace, "istio");
    let text = map.map(|map| map.str_at(&["data", "mesh"]).to_string()).unwrap_or_default();
    yaml::parse_documents(&text).ok().and_then(|all| all.into_iter().next()).unwrap_or_else(|| json!({}))
}

fn configs(model: &Model) -> Value {
    let ours =
        |o: &&Arc<Object>| o.api_version().contains("istio.io/") || o.api_version().starts_with("gateway.networking.k8s.io/");
    let one = |o: &Arc<Object>| {
        let metadata = &o.0["metadata"];
        let mut kept = serde_json::Map::new();
        for name in ["name", "namespace", "labels", "annotations", "resourceVersion", "generation", "creationTimestamp"] {
            if let Some(value) = metadata.get(name) {
                kept.insert(name.into(), value.clone());
            }
        }
        json!({ "kind": o.kind(), "apiVersion": o.api_version(), "metadata": kept, "spec": o.0["spec"] })
    };
    model.snapshot().all().filter(ours).map(one).collect()
}

fn registry(model: &Model) -> Value {
    let port = |p: &crate::mesh::compile::registry::ServicePort| json!({ "name": p.name, "port": p.number, "protocol": format!("{:?}", p.protocol).to_uppercase() });
    let services = model.base().services.iter().map(|s| {
        let address = s.vips.first().map_or("0.0.0.0".to_string(), |(ip, _)| ip.to_string());
        let name = s.object.rsplit('/').next().unwrap_or("");
        json!({
            "Attributes": { "Name": name, "Namespace": s.namespace },
            "hostname": s.host,
            "defaultAddress": address,
            "ports": s.ports.iter().map(port).collect::<Vec<_>>(),
            "meshExternal": s.external,
            "creationTime": s.created,
        })
    });
    services.collect()
}

fn connections(model: &Model, push: Push) -> Value {
    let pods = connected(model);
    let client = |(nth, pod): (usize, &&Arc<Object>)| {
        json!({
            "connectionId": format!("{}.{}-{}", pod.name(), pod.namespace(), nth + 1),
            "connectedAt": push.at.rfc3339(),
            "address": format!("{}:0", pod.str_at(&["status", "podIP"])),
        })
    };
    json!({ "totalClients": pods.len(), "clients": pods.iter().enumerate().map(client).collect::<Vec<_>>() })
}

/// What istiod would send to a proxy now, in the form of the proxy's own dump.
fn dumped(model: &Model, push: Push, id: &str) -> Page {
    if id.is_empty() {
        return Page::text(400, "You must provide a proxyID in the query string\n".into());
    }
    let found = connected(model).into_iter().find(|pod| format!("{}.{}", pod.name(), pod.namespace()) == id);
    let Some(pod) = found else {
        let words = "Proxy not connected to this Pilot instance. It may be connected to another instance.\n";
        return Page::text(404, words.into());
    };
    let configs: Vec<Value> = dump::told(model, push, pod);
    Page::json(dump::printed("ConfigDump", &json!({ "configs": configs })))
}
