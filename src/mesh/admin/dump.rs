//! `/config_dump`: everything that a proxy was told, as Envoy keeps it (S: envoy source/server/admin/config_dump_handler.cc).

use super::{Desk, Memory, Push, bootstrap, fields, inbound, json};
use crate::k8s::Object;
use crate::mesh::Model;
use crate::mesh::capture;
use crate::mesh::envoy::{self, bootstrap::own_listeners, typed};
use serde_json::{Value, json};

const ADMIN: &str = "envoy.admin.v3.";

/// The parts of the dump, in Envoy's order; `eds`: with endpoints.
pub fn parts(desk: &Desk<'_>, eds: bool) -> Vec<Value> {
    let Some(proxy) = desk.model.proxy(desk.pod) else { return Vec::new() };
    let told = envoy::Told { proxy: &proxy, mesh: desk.model.mesh_config() };
    let served = if capture::is_gateway(desk.pod) { Vec::new() } else { inbound::served(desk.model, desk.pod) };
    let part = |name: &str, value: Value| typed(&format!("{ADMIN}{name}"), value);
    let started = desk.started();
    let mut parts = vec![
        part("BootstrapConfigDump", json!({ "bootstrap": bootstrap::bootstrap(desk.pod), "last_updated": started })),
        part("ClustersConfigDump", clusters(desk, &told, &served, &started)),
    ];
    if eds {
        parts.push(part("EndpointsConfigDump", endpoints(&told)));
    }
    parts.push(part("ListenersConfigDump", listeners(desk, &told, &served, &started)));
    parts.push(typed("envoy.admin.v3.ScopedRoutesConfigDump", json!({})));
    parts.push(part("RoutesConfigDump", routes(desk, &told, &served, &started)));
    parts.push(part("SecretsConfigDump", secrets(desk, &started)));
    parts
}

/// What istiod knows of a proxy's configuration: clusters, listeners and routes, dynamic ones only.
pub fn told(model: &Model, push: Push, pod: &Object) -> Vec<Value> {
    let (outside, memory) = (crate::outside::Outside::standard(), Memory::default());
    let desk = Desk { model, outside: &outside, pod, memory: &memory, push, now: push.at, seed: crate::base::seed::Seed(0) };
    let mut all = parts(&desk, false);
    all.retain(|part| {
        ["ClustersConfigDump", "ListenersConfigDump", "RoutesConfigDump"]
            .iter()
            .any(|name| part["@type"].as_str().is_some_and(|t| t.ends_with(name)))
    });
    for part in &mut all {
        if let Some(members) = part.as_object_mut() {
            members.retain(|name, _| !name.starts_with("static_"));
        }
    }
    all
}

fn clusters(desk: &Desk<'_>, told: &envoy::Told<'_>, served: &[inbound::Served], started: &str) -> Value {
    let wrap = |cluster: Value| typed("envoy.config.cluster.v3.Cluster", cluster);
    let (version, moment) = (desk.push.version(), desk.push.moment());
    let dynamic = |c: Value| json!({ "version_info": version, "cluster": wrap(c), "last_updated": moment });
    let all = envoy::clusters(told).into_iter().chain(inbound::clusters(told, served));
    let fixed = bootstrap::own_clusters().into_iter().map(|c| json!({ "cluster": wrap(c), "last_updated": started }));
    json!({
        "version_info": version,
        "static_clusters": fixed.collect::<Vec<_>>(),
        "dynamic_active_clusters": all.map(dynamic).collect::<Vec<_>>(),
    })
}

fn listeners(desk: &Desk<'_>, told: &envoy::Told<'_>, served: &[inbound::Served], started: &str) -> Value {
    let wrap = |listener: Value| typed("envoy.config.listener.v3.Listener", listener);
    let (version, moment) = (desk.push.version(), desk.push.moment());
    let mut all = envoy::listeners(told);
    if !told.proxy.gateway {
        all.push(inbound::listener(told, served));
    }
    let dynamic = |l: Value| {
        let name = l["name"].clone();
        json!({ "name": name, "active_state": { "version_info": version, "listener": wrap(l), "last_updated": moment } })
    };
    let fixed = own_listeners().into_iter().map(|l| json!({ "listener": wrap(l), "last_updated": started }));
    json!({
        "version_info": version,
        "static_listeners": fixed.collect::<Vec<_>>(),
        "dynamic_listeners": all.into_iter().map(dynamic).collect::<Vec<_>>(),
    })
}

fn routes(desk: &Desk<'_>, told: &envoy::Told<'_>, served: &[inbound::Served], started: &str) -> Value {
    let wrap = |route: Value| typed("envoy.config.route.v3.RouteConfiguration", route);
    let (version, moment) = (desk.push.version(), desk.push.moment());
    let dynamic = |r: Value| json!({ "version_info": version, "route_config": wrap(r), "last_updated": moment });
    let inline = if told.proxy.gateway { Vec::new() } else { inbound::route_configs(served) };
    let own = own_listeners().into_iter().map(|l| l["filter_chains"][0]["filters"][0]["typed_config"]["route_config"].clone());
    let fixed = own.map(|r| json!({ "route_config": wrap(r), "last_updated": started }));
    let inline = inline.into_iter().map(|r| json!({ "route_config": wrap(r), "last_updated": moment }));
    json!({
        "static_route_configs": fixed.chain(inline).collect::<Vec<_>>(),
        "dynamic_route_configs": envoy::routes(told).into_iter().map(dynamic).collect::<Vec<_>>(),
    })
}

fn endpoints(told: &envoy::Told<'_>) -> Value {
    let wrap = |assignment: Value| typed("envoy.config.endpoint.v3.ClusterLoadAssignment", assignment);
    let dynamic = envoy::endpoints(told).into_iter().map(|e| json!({ "endpoint_config": wrap(e) }));
    let of_cluster = |c: Value| Some(c.get("load_assignment")?.clone());
    let fixed = envoy::clusters(told).into_iter().chain(bootstrap::own_clusters()).filter_map(of_cluster);
    json!({
        "static_endpoint_configs": fixed.map(|e| json!({ "endpoint_config": wrap(e) })).collect::<Vec<_>>(),
        "dynamic_endpoint_configs": dynamic.collect::<Vec<_>>(),
    })
}

/// The workload's certificate and the mesh's roots. The sandbox has neither; what stands in for them is a text that says so.
fn secrets(desk: &Desk<'_>, started: &str) -> Value {
    let roots = desk.model.snapshot().find("", "ConfigMap", desk.pod.namespace(), "istio-ca-root-cert");
    let pem = roots.map(|map| map.str_at(&["data", "root-cert.pem"]).to_string()).unwrap_or_default();
    let bytes = crate::k8s::base64::encode(pem.as_bytes());
    let secret = |name: &str, value: Value| {
        let mut secret = typed("envoy.extensions.transport_sockets.tls.v3.Secret", value);
        secret["name"] = json!(name);
        json!({ "name": name, "version_info": started, "last_updated": started, "secret": secret })
    };
    let hidden = crate::k8s::base64::encode(b"[redacted]");
    let own = json!({ "tls_certificate": { "certificate_chain": { "inline_bytes": bytes }, "private_key": { "inline_bytes": hidden } } });
    json!({ "dynamic_active_secrets": [
        secret("default", own),
        secret("ROOTCA", json!({ "validation_context": { "trusted_ca": { "inline_bytes": bytes } } })),
    ] })
}

/// The page for a query: `include_eds`, `mask=a,b`, `resource=dynamic_listeners`, `name_regex` is not simulated.
///
/// # Errors
/// Envoy's words for a mask that fits nothing, and for a resource that is none.
pub fn page(desk: &Desk<'_>, query: &[(String, String)]) -> Result<String, String> {
    let get = |name: &str| query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    let all = parts(desk, get("include_eds").is_some());
    let configs = match (get("resource"), get("mask")) {
        (None, None) => all,
        (None, Some(mask)) => masked(all, mask)?,
        (Some(resource), mask) => resources(&all, resource, mask)?,
    };
    Ok(printed("ConfigDump", &json!({ "configs": configs })))
}

/// An admin message as Envoy prints it.
pub fn printed(name: &str, value: &Value) -> String {
    let text = json::write(fields::message(&format!("{ADMIN}{name}")), value, json::Style::Envoy, "");
    json::indented(&text, " ") + "\n"
}

/// The parts that have all the fields of a mask, and of these only them. Only names of fields of the parts themselves are read.
fn masked(all: Vec<Value>, mask: &str) -> Result<Vec<Value>, String> {
    let paths: Vec<&str> = mask.split(',').map(str::trim).filter(|path| !path.is_empty()).collect();
    let fits = |part: &Value| {
        let known = part["@type"].as_str().and_then(fields::of_url);
        known.is_some_and(|m| {
            paths.iter().all(|path| m.places.iter().flatten().any(|f| f.name == path.split('.').next().unwrap_or("")))
        })
    };
    let kept: Vec<Value> = all.into_iter().filter(fits).map(|part| trimmed(&part, &paths)).collect();
    match kept.is_empty() {
        true => Err(format!("FieldMask {mask} could not be successfully applied to any configs.")),
        false => Ok(kept),
    }
}

fn trimmed(part: &Value, paths: &[&str]) -> Value {
    let members = part.as_object().into_iter().flatten();
    let wanted = |name: &str| name == "@type" || paths.iter().any(|path| path.split('.').next() == Some(name));
    Value::Object(members.filter(|(name, _)| wanted(name)).map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// The members of one list of one part.
fn resources(all: &[Value], resource: &str, mask: Option<&str>) -> Result<Vec<Value>, String> {
    let Some((part, found)) = all.iter().find_map(|part| Some((part, part.get(resource)?.as_array()?))) else {
        return Err(format!("{resource} not found in config dump"));
    };
    let message = part["@type"].as_str().and_then(fields::of_url);
    let field = message.and_then(|m| m.places.iter().flatten().find(|f| f.name == resource));
    let kind = match field.map(|f| f.kind()) {
        Some(fields::Kind::Message(message)) => message.name,
        _ => return Err(format!("{resource} not found in config dump")),
    };
    let paths: Vec<&str> = mask.unwrap_or("").split(',').filter(|path| !path.is_empty()).collect();
    let one = |value: &Value| {
        let value = typed(kind, value.clone());
        if paths.is_empty() { value } else { trimmed(&value, &paths) }
    };
    Ok(found.iter().map(one).collect())
}
