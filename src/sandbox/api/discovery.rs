//! Discovery: which groups, versions and resources there are, aggregated and one by one; the version.

use crate::k8s::base64;
use crate::k8s::digest::sha256;
use crate::sandbox::api::registry::{self, Group, Resource};
use crate::sandbox::api::route;
use crate::sandbox::call::{Answer, Call};
use crate::sandbox::world::View;
use serde_json::{Map, Value, json};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// `/version`: what the sandbox imitates.
pub fn version() -> Answer {
    Answer::json(
        200,
        &json!({
            "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36", "minCompatibilityMajor": "1",
            "minCompatibilityMinor": "35", "gitVersion": "v1.36.2", "gitCommit": "8e16b12fda5b1dccc41a6de48b3e356cc7d5048b",
            "gitTreeState": "", "buildDate": "1970-01-01T00:00:00Z", "goVersion": "go1.27.3", "compiler": "gc",
            "platform": "linux/amd64",
        }),
    )
}

/// `/`: the paths.
pub fn paths(world: &View) -> Answer {
    let mut paths = vec!["/api".to_string(), "/api/v1".into(), "/apis".into()];
    for (group, versions) in registry::groups(&world.crds).into_iter().filter(|(group, _)| !group.is_empty()) {
        paths.push(format!("/apis/{group}"));
        paths.extend(versions.into_iter().map(|(version, _)| format!("/apis/{group}/{version}")));
    }
    paths.extend(["/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"].map(String::from));
    Answer::json(200, &json!({"paths": paths}))
}

/// `/api`, `/apis` and what is below them.
pub fn answer(world: &View, call: &Call, parts: &[&str]) -> Answer {
    let groups = registry::groups(&world.crds);
    let aggregated =
        call.header_value("accept").is_some_and(|accept| accept.contains("as=APIGroupDiscoveryList") && accept.contains("v=v2;"));
    match parts {
        ["api" | "apis"] if aggregated => {
            let core = parts[0] == "api";
            let items: Vec<Value> = groups.iter().filter(|(group, _)| group.is_empty() == core).map(aggregate).collect();
            let list =
                json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items});
            tagged(call, &list)
        }
        ["api"] => Answer::json(200, &json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})),
        ["api", version] => legacy(&groups, "", version),
        ["apis"] => {
            let list: Vec<Value> = groups.iter().filter(|(group, _)| !group.is_empty()).map(group_value).collect();
            Answer::json(200, &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": list}))
        }
        ["apis", group] => match groups.iter().find(|(g, _)| g == group && !g.is_empty()) {
            Some(found) => {
                let mut value = group_value(found);
                value["kind"] = json!("APIGroup");
                value["apiVersion"] = json!("v1");
                Answer::json(200, &value)
            }
            None => route::page_not_found(),
        },
        ["apis", group, version] => legacy(&groups, group, version),
        _ => route::page_not_found(),
    }
}

/// The aggregated list with an ETag that changes exactly when the list does.
fn tagged(call: &Call, list: &Value) -> Answer {
    let body = serde_json::to_vec(list).unwrap_or_default();
    let tag = format!("\"{}\"", digest(&body));
    let mut headers = vec![
        ("content-type".to_string(), AGGREGATED.to_string()),
        ("etag".into(), tag.clone()),
        ("vary".into(), "Accept".into()),
        ("cache-control".into(), "public".into()),
    ];
    if call.header_value("if-none-match") == Some(tag.as_str()) {
        headers.remove(0);
        return Answer { status: 304, headers, body: Vec::new() };
    }
    Answer { status: 200, headers, body }
}

/// A hash of bytes as hexadecimal text: names a document's content.
pub fn digest(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let part = |salt: &str| crate::base::seed::Seed(0).hash(&[salt, &text]);
    format!("{:016X}{:016X}", part("a"), part("b"))
}

fn aggregate((group, versions): &Group) -> Value {
    let metadata = if group.is_empty() { json!({}) } else { json!({"name": group}) };
    let versions: Vec<Value> = versions
        .iter()
        .map(|(version, resources)| {
            let resources: Vec<Value> = resources.iter().map(aggregated_resource).collect();
            json!({"version": version, "freshness": "Current", "resources": resources})
        })
        .collect();
    json!({"metadata": metadata, "versions": versions})
}

fn aggregated_resource(resource: &Resource) -> Value {
    let custom = resource.custom.is_some();
    let own = |kind: &str| match custom {
        true => json!({"group": resource.group, "version": resource.version, "kind": kind}),
        false => json!({"group": "", "version": "", "kind": kind}),
    };
    let mut value = json!({
        "resource": resource.plural, "responseKind": own(&resource.kind), "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.singular, "verbs": resource.verbs,
    });
    names(resource, value.as_object_mut());
    let subresources: Vec<Value> = resource
        .subresources
        .iter()
        .map(|sub| {
            let (group, version, kind) = sub_kind(resource, sub);
            let response =
                if kind == resource.kind { own(kind) } else { json!({"group": group, "version": version, "kind": kind}) };
            json!({"subresource": sub, "responseKind": response, "verbs": sub_verbs(sub)})
        })
        .collect();
    if !subresources.is_empty() {
        value["subresources"] = json!(subresources);
    }
    value
}

fn names(resource: &Resource, value: Option<&mut Map<String, Value>>) {
    let Some(map) = value else { return };
    if !resource.short_names.is_empty() {
        map.insert("shortNames".into(), json!(resource.short_names));
    }
    if !resource.categories.is_empty() {
        map.insert("categories".into(), json!(resource.categories));
    }
}

/// The group, version and kind that a subresource speaks.
pub fn sub_kind<'a>(resource: &'a Resource, sub: &str) -> (&'a str, &'a str, &'a str) {
    match sub {
        "scale" => ("autoscaling", "v1", "Scale"),
        "token" => ("authentication.k8s.io", "v1", "TokenRequest"),
        "eviction" => ("policy", "v1", "Eviction"),
        "binding" => ("", "v1", "Binding"),
        "exec" => ("", "v1", "PodExecOptions"),
        "attach" => ("", "v1", "PodAttachOptions"),
        "portforward" => ("", "v1", "PodPortForwardOptions"),
        _ => (&resource.group, &resource.version, &resource.kind),
    }
}

/// What can be done with a subresource.
pub fn sub_verbs(sub: &str) -> &'static [&'static str] {
    match sub {
        "status" | "scale" | "ephemeralcontainers" | "resize" | "approval" => &["get", "patch", "update"],
        "exec" | "attach" | "portforward" => &["create", "get"],
        "log" => &["get"],
        "finalize" => &["update"],
        _ => &["create"],
    }
}

fn group_value((group, versions): &Group) -> Value {
    let version = |version: &str| json!({"groupVersion": format!("{group}/{version}"), "version": version});
    let all: Vec<Value> = versions.iter().map(|(v, _)| version(v)).collect();
    json!({"name": group, "versions": all, "preferredVersion": all[0]})
}

/// Names the version in which objects are stored (apiserver/pkg/endpoints/discovery/storageversionhash.go).
fn storage_hash(resource: &Resource) -> String {
    let stored = resource.stored_kind();
    let text = format!("{}/{}/{}", stored.group, resource.storage, stored.kind);
    base64::encode(&sha256(text.as_bytes())[..8])
}

fn legacy(groups: &[Group], group: &str, version: &str) -> Answer {
    let found = groups.iter().find(|(g, _)| g == group).and_then(|(_, versions)| versions.iter().find(|(v, _)| v == version));
    let Some((_, resources)) = found else { return route::page_not_found() };
    let mut list = Vec::new();
    for resource in resources {
        let mut value = json!({
            "name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced, "kind": resource.kind,
            "verbs": resource.verbs,
        });
        names(resource, value.as_object_mut());
        if resource.verbs.contains(&"watch") {
            value["storageVersionHash"] = json!(storage_hash(resource));
        }
        list.push(value);
        for sub in &resource.subresources {
            let (sub_group, sub_version, kind) = sub_kind(resource, sub);
            let mut value = json!({
                "name": format!("{}/{sub}", resource.plural), "singularName": "", "namespaced": resource.namespaced, "kind": kind,
                "verbs": sub_verbs(sub),
            });
            if (sub_group, sub_version) != (resource.group.as_str(), resource.version.as_str()) {
                value["group"] = json!(sub_group);
                value["version"] = json!(sub_version);
            }
            list.push(value);
        }
    }
    let group_version = if group.is_empty() { version.to_string() } else { format!("{group}/{version}") };
    Answer::json(200, &json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list}))
}
