//! OpenAPI documents: what `apply`, `create -f` and `explain` of kubectl read. They are made for each request from constant tables
//! and the definitions in the store; nothing is kept.

mod builtin;
mod described;
mod paths;
mod v2;

use crate::k8s::types;
use crate::sandbox::api::registry::{self, Group, Resource};
use crate::sandbox::api::{discovery, route};
use crate::sandbox::call::{Answer, Call};
use crate::sandbox::world::View;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// What the API server calls itself in its documents.
const TITLE: &str = "Kubernetes";
const VERSION: &str = "v1.36.2";

/// How long an unchanging document may be kept: one year, in milliseconds.
const YEAR_MS: i64 = 31_536_000_000;

/// `/openapi/v2`: the smallest document that lets kubectl read lists.
pub fn v2(world: &View, call: &Call) -> Answer {
    v2::answer(world, call)
}

/// `/openapi/v3` and the documents it names.
pub fn v3(world: &View, call: &Call, rest: &[&str]) -> Answer {
    let groups = registry::groups(&world.crds);
    match rest {
        [] => index(call, &groups),
        ["api", version] => published(call, world, &groups, "", version),
        ["apis", group, version] if !group.is_empty() => published(call, world, &groups, group, version),
        _ => route::page_not_found(),
    }
}

/// The documents there are, each with the hash of its content.
fn index(call: &Call, groups: &[Group]) -> Answer {
    let mut paths = BTreeMap::new();
    for (group, versions) in groups {
        for (version, resources) in versions {
            let url = url(group, version, &hash(group, version, resources));
            paths.insert(path(group, version), json!({"serverRelativeURL": url}));
        }
    }
    let mut answer = Answer::json(200, &json!({"paths": paths}));
    let tag = format!("\"{}\"", discovery::digest(&answer.body));
    answer.headers.extend([("etag".into(), tag.clone()), ("vary".into(), "Accept".into())]);
    if call.header_value("if-none-match") == Some(tag.as_str()) { unchanged(answer) } else { answer }
}

/// 304 with the headers of the full answer.
fn unchanged(full: Answer) -> Answer {
    let headers = full.headers.into_iter().filter(|(name, _)| name != "content-type").collect();
    Answer { status: 304, headers, body: Vec::new() }
}

fn path(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

fn url(group: &str, version: &str, hash: &str) -> String {
    format!("/openapi/v3/{}?hash={hash}", path(group, version))
}

/// Changes with everything that built-in schemas are made from.
static TABLES: LazyLock<String> = LazyLock::new(|| {
    let assets =
        [include_str!("../../../assets/kubernetes/types.txt"), include_str!("../../../assets/kubernetes/merge-keys.txt")];
    let all: String = assets.into_iter().chain(described::all()).chain([env!("CARGO_PKG_VERSION")]).collect();
    discovery::digest(all.as_bytes())
});

/// Changes when the document does: built-in documents change with the tables, custom ones with their definitions.
fn hash(group: &str, version: &str, resources: &[Resource]) -> String {
    let mut text = format!("{group}/{version} {}", *TABLES);
    for custom in resources.iter().filter_map(|resource| resource.custom.as_ref()) {
        text.push_str(custom.digest());
    }
    discovery::digest(text.as_bytes())
}

/// A document with the headers by which clients keep it: for ever under its hash, else with a tag. An old hash is sent on to the new.
fn published(call: &Call, world: &View, groups: &[Group], group: &str, version: &str) -> Answer {
    let found = groups.iter().find(|(g, _)| g == group).and_then(|(_, versions)| versions.iter().find(|(v, _)| v == version));
    let Some((_, resources)) = found else { return route::page_not_found() };
    let hash = hash(group, version, resources);
    let tag = format!("\"{hash}\"");
    let mut headers = vec![
        ("content-type".to_string(), "application/json".to_string()),
        ("etag".into(), tag.clone()),
        ("vary".into(), "Accept".into()),
    ];
    match call.param("hash") {
        Some(asked) if asked != hash => {
            let location = ("location".into(), url(group, version, &hash));
            return Answer { status: 301, headers: vec![location, ("vary".into(), "Accept".into())], body: Vec::new() };
        }
        Some(_) => {
            headers.push(("cache-control".into(), "public, immutable".into()));
            headers.push(("expires".into(), world.now().plus_ms(YEAR_MS).http_date()));
        }
        None => headers.push(("cache-control".into(), "no-cache, private".into())),
    }
    let answer = Answer { status: 200, headers, body: Vec::new() };
    if call.header_value("if-none-match") == Some(tag.as_str()) {
        return unchanged(answer);
    }
    Answer { body: serde_json::to_vec(&document(resources)).unwrap_or_default(), ..answer }
}

/// The document of one group and version.
fn document(resources: &[Resource]) -> Value {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    let always = ["meta.v1.ObjectMeta", "meta.v1.ListMeta", "meta.v1.Status", "meta.v1.DeleteOptions", "meta.v1.Patch"];
    let mut wanted: BTreeSet<String> = always.map(String::from).into();
    let mut kinds: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for resource in resources {
        let name = schema_name(resource);
        let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
        let list = format!("{name}List");
        paths.extend(paths::of(resource, &reference(&name), &reference(&list)));
        if resource.verbs.contains(&"list") {
            let mut schema = builtin::list(&resource.kind, &reference(&name));
            schema["x-kubernetes-group-version-kind"] = json!([gvk(&resource.group, &resource.version, &resource.list_kind)]);
            schemas.insert(list, schema);
        }
        match resource.message() {
            None => drop(schemas.insert(name, custom_schema(resource))),
            Some(message) => {
                kinds.entry(message.clone()).or_default().push(gvk(&resource.group, &resource.version, &resource.kind));
                wanted.insert(message);
            }
        }
        for sub in &resource.subresources {
            let Some(message) = paths::sub_message(sub) else { continue };
            let (group, version, kind) = discovery::sub_kind(resource, sub);
            let spoken = gvk(group, version, kind);
            let known = kinds.entry(message.to_string()).or_default();
            if !known.contains(&spoken) {
                known.push(spoken);
            }
            wanted.insert(message.to_string());
        }
    }
    for message in builtin::reachable(&wanted) {
        let mut schema = builtin::schema(&message);
        if let Some(kinds) = kinds.remove(&message) {
            schema["x-kubernetes-group-version-kind"] = json!(kinds);
        }
        schemas.insert(builtin::definition_name(&message), schema);
    }
    let info = json!({"title": TITLE, "version": VERSION});
    json!({"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}})
}

fn gvk(group: &str, version: &str, kind: &str) -> Value {
    json!({"group": group, "version": version, "kind": kind})
}

/// `io.k8s.api.core.v1.Pod`, `io.istio.networking.v1.ServiceEntry`.
fn schema_name(resource: &Resource) -> String {
    let message = resource.message().filter(|message| types::message(message).is_some());
    message.map(|message| builtin::definition_name(&message)).unwrap_or_else(|| {
        let reversed: Vec<&str> = resource.group.split('.').rev().collect();
        format!("{}.{}.{}", reversed.join("."), resource.version, resource.kind)
    })
}

/// The definition's own schema with what every object has.
fn custom_schema(resource: &Resource) -> Value {
    let version = resource.custom.as_ref().and_then(|custom| custom.version(&resource.version));
    let mut schema =
        version.map(|v| Value::clone(&v.schema)).filter(Value::is_object).unwrap_or_else(|| json!({"type": "object"}));
    if !schema["properties"].is_object() {
        schema["properties"] = json!({});
    }
    let text = |name: &str| described::field("meta.v1.Status", name).map(|words| words.text);
    for own in ["apiVersion", "kind"] {
        schema["properties"][own] = json!({"type": "string", "description": text(own)});
    }
    let meta = builtin::reference("meta.v1.ObjectMeta");
    schema["properties"]["metadata"] = json!({"allOf": [meta], "description": text("metadata")});
    schema["x-kubernetes-group-version-kind"] = json!([gvk(&resource.group, &resource.version, &resource.kind)]);
    schema
}
