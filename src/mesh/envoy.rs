//! A [`Proxy`] as Envoy v3 resources, with the names and shapes that istiod pushes (pilot/pkg/networking/core). Values in, JSON out; field
//! names as `/config_dump` prints them. Left out is what only Istio's own build of Envoy knows (peer metadata, `istio.alpn`, `istio.stats`).

pub mod bootstrap;
pub mod clusters;
pub mod dynamic;
pub mod endpoints;
pub mod filters;
pub mod listeners;
pub mod matching;
pub mod rbac;
pub mod routes;
#[cfg(test)]
mod tests;
pub mod tls;

use super::config::MeshConfig;
use super::proxy::Proxy;
use serde_json::{Map, Value, json};

/// What the resources depend on besides the proxy itself.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    pub proxy: &'a Proxy,
    /// Access logging and timeouts of the mesh.
    pub mesh: &'a MeshConfig,
}

/// The listeners of a proxy: LDS.
pub fn listeners(told: &Told<'_>) -> Vec<Value> {
    told.proxy.listeners.iter().map(|l| listeners::listener(told, l)).collect()
}

/// The route configurations of a proxy: RDS, by name.
pub fn routes(told: &Told<'_>) -> Vec<Value> {
    let by_name = told.proxy.routes.iter().filter(|(name, _)| *name != dynamic::EVERYWHERE);
    by_name.map(|(name, config)| routes::config(told, name, config)).collect()
}

/// The clusters of a proxy: CDS, by name; the built-in ones of a sidecar or a gateway last.
pub fn clusters(told: &Told<'_>) -> Vec<Value> {
    let own = told.proxy.clusters.values().map(|c| clusters::cluster(told, c));
    own.chain(clusters::built_in(told)).collect()
}

/// The endpoints of the clusters that are found by EDS.
pub fn endpoints(told: &Told<'_>) -> Vec<Value> {
    told.proxy.clusters.values().filter(|c| clusters::is_eds(c)).map(endpoints::assignment).collect()
}

/// A message with its type: `google.protobuf.Any` as JSON.
pub fn typed(name: &str, value: Value) -> Value {
    let mut all = Map::from_iter([("@type".to_string(), json!(format!("type.googleapis.com/{name}")))]);
    if let Value::Object(members) = value {
        all.extend(members);
    }
    Value::Object(all)
}

/// A named filter or extension.
pub fn extension(name: &str, kind: &str, config: Value) -> Value {
    json!({ "name": name, "typed_config": typed(kind, config) })
}

/// A duration as protobuf's JSON writes it: `10s`, `1.500s`.
pub fn duration(ms: u64) -> String {
    match ms % 1000 {
        0 => format!("{}s", ms / 1000),
        rest => format!("{}.{rest:03}s", ms / 1000),
    }
}

/// Resources come over the stream to istiod.
pub fn from_ads() -> Value {
    json!({ "ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3" })
}

/// An address with its port.
pub fn socket(address: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": address, "port_value": port } })
}

/// The path under which Istio names an object in `metadata.filter_metadata.istio.config` (util.BuildConfigInfoMetadata): `KIND NS/NAME`
/// as our causes write it. `None` for what is not an object of Istio's networking API.
pub fn config_path(object: &str) -> Option<String> {
    let (kind, name) = object.split_once(' ')?;
    let (namespace, name) = name.split_once('/')?;
    let kebab = match kind {
        "VirtualService" => "virtual-service",
        "DestinationRule" => "destination-rule",
        "ServiceEntry" => "service-entry",
        "Gateway" => "gateway",
        "Sidecar" => "sidecar",
        _ => return None,
    };
    Some(format!("/apis/networking.istio.io/v1/namespaces/{namespace}/{kebab}/{name}"))
}

/// Metadata that names the object behind a resource; `None` when there is none.
fn made_by(object: &str) -> Option<Value> {
    config_path(object).map(|path| json!({ "filter_metadata": { "istio": { "config": path } } }))
}

/// Puts a member into an object, unless there is nothing to put.
fn put(into: &mut Value, key: &str, value: Option<Value>) {
    if let (Value::Object(members), Some(value)) = (into, value) {
        members.insert(key.to_string(), value);
    }
}

/// Whether there is something in a list; empty ones are not written.
fn some(list: Vec<Value>) -> Option<Value> {
    (!list.is_empty()).then_some(Value::Array(list))
}
