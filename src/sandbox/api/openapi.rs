//! OpenAPI documents: what `apply`, `create -f` and `explain` of kubectl read.

mod v2;

use crate::k8s::types::{self, Field, Shape};
use crate::sandbox::api::registry::{self, Group, Resource};
use crate::sandbox::api::{discovery, route};
use crate::sandbox::call::{Answer, Call};
use crate::sandbox::world::View;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// `/openapi/v2`: the smallest document that lets kubectl read lists.
pub fn v2(world: &View, call: &Call) -> Answer {
    v2::answer(world, call)
}

/// `/openapi/v3` and the documents it names.
pub fn v3(world: &View, rest: &[&str]) -> Answer {
    let groups = registry::groups(&world.crds);
    match rest {
        [] => {
            let mut paths = BTreeMap::new();
            for (group, versions) in &groups {
                for (version, resources) in versions {
                    let path = path(group, version);
                    let url = format!("/openapi/v3/{path}?hash={}", hash(group, version, resources));
                    paths.insert(path, json!({"serverRelativeURL": url}));
                }
            }
            Answer::json(200, &json!({"paths": paths}))
        }
        ["api", version] => document(&groups, "", version),
        ["apis", group, version] => document(&groups, group, version),
        _ => route::page_not_found(),
    }
}

fn path(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// Changes when the document does: built-in documents change with the program, custom ones with their definitions.
fn hash(group: &str, version: &str, resources: &[Resource]) -> String {
    let mut text = format!("{group}/{version} {}", env!("CARGO_PKG_VERSION"));
    for custom in resources.iter().filter_map(|resource| resource.custom.as_ref()) {
        text.push_str(custom.digest());
    }
    discovery::digest(text.as_bytes())
}

fn document(groups: &[Group], group: &str, version: &str) -> Answer {
    let found = groups.iter().find(|(g, _)| g == group).and_then(|(_, versions)| versions.iter().find(|(v, _)| v == version));
    let Some((_, resources)) = found else { return route::page_not_found() };
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    let mut wanted: BTreeSet<&'static str> = ["meta.v1.ObjectMeta"].into();
    for resource in resources {
        let scope = if resource.namespaced { "/namespaces/{namespace}" } else { "" };
        let path = format!("/{}{scope}/{}/{{name}}", path(group, version), resource.plural);
        paths.insert(path, operations(resource));
        match (&resource.custom, resource.message()) {
            (Some(_), _) => drop(schemas.insert(custom_name(resource), custom_schema(resource))),
            (None, Some(message)) => wanted.extend(types::names().into_iter().filter(|name| *name == message)),
            _ => (),
        }
    }
    let kinds: BTreeMap<String, &Resource> = resources.iter().filter_map(|r| Some((r.message()?, r))).collect();
    for name in reachable(wanted) {
        let mut schema = message_schema(name);
        if let Some(resource) = kinds.get(name) {
            schema["x-kubernetes-group-version-kind"] = json!([gvk(resource)]);
        }
        schemas.insert(definition_name(name), schema);
    }
    let info = json!({"title": "Kubernetes", "version": "v1.36.2"});
    let document = json!({"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}});
    let mut answer = Answer::json(200, &document);
    answer.headers.push(("cache-control".into(), "public, immutable".into()));
    answer
}

fn gvk(resource: &Resource) -> Value {
    json!({"group": resource.group, "version": resource.version, "kind": resource.kind})
}

fn operations(resource: &Resource) -> Value {
    let query = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}});
    let parameters: Vec<Value> = ["dryRun", "fieldManager", "fieldValidation"].into_iter().map(query).collect();
    let operation = |action: &str| {
        json!({"x-kubernetes-action": action, "x-kubernetes-group-version-kind": gvk(resource), "parameters": parameters,
               "responses": {"200": {"description": "OK"}}})
    };
    json!({"patch": operation("patch"), "put": operation("put")})
}

/// `io.istio.networking.v1.ServiceEntry`.
fn custom_name(resource: &Resource) -> String {
    let reversed: Vec<&str> = resource.group.split('.').rev().collect();
    format!("{}.{}.{}", reversed.join("."), resource.version, resource.kind)
}

fn custom_schema(resource: &Resource) -> Value {
    let version = resource.custom.as_ref().and_then(|custom| custom.version(&resource.version));
    let mut schema = version.map(|v| v.schema.clone()).unwrap_or_else(|| json!({"type": "object"}));
    let meta = json!({"$ref": format!("#/components/schemas/{}", definition_name("meta.v1.ObjectMeta"))});
    let text = |description: &str| json!({"type": "string", "description": description});
    schema["properties"]["apiVersion"] = text(API_VERSION);
    schema["properties"]["kind"] = text(KIND);
    let about = "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";
    schema["properties"]["metadata"] = json!({"allOf": [meta], "description": about});
    schema["x-kubernetes-group-version-kind"] = json!([gvk(resource)]);
    schema
}

const API_VERSION: &str = "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources";
const KIND: &str = "Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";

/// All messages that these use, themselves included.
fn reachable(start: BTreeSet<&'static str>) -> BTreeSet<&'static str> {
    let mut found = start.clone();
    let mut todo: Vec<&'static str> = start.into_iter().collect();
    while let Some(name) = todo.pop() {
        for field in types::message(name).into_iter().flat_map(|m| &m.fields) {
            if types::message(field.of).is_some() && found.insert(field.of) {
                todo.push(field.of);
            }
        }
    }
    found
}

/// `core.v1.Pod` is `io.k8s.api.core.v1.Pod`, `meta.v1.ObjectMeta` is in apimachinery.
fn definition_name(message: &str) -> String {
    match message.split('.').next() {
        Some("meta") => format!("io.k8s.apimachinery.pkg.apis.{message}"),
        Some("apiextensions") => format!("io.k8s.apiextensions-apiserver.pkg.apis.{message}"),
        _ => format!("io.k8s.api.{message}"),
    }
}

fn message_schema(name: &str) -> Value {
    let mut properties = Map::new();
    let Some(message) = types::message(name) else { return json!({"type": "object"}) };
    let is_kind = message.field("metadata").is_some_and(|f| f.of == "meta.v1.ObjectMeta");
    if is_kind {
        properties.insert("apiVersion".into(), json!({"type": "string", "description": API_VERSION}));
        properties.insert("kind".into(), json!({"type": "string", "description": KIND}));
    }
    for field in &message.fields {
        properties.insert(field.name.into(), field_schema(field));
    }
    json!({"type": "object", "properties": properties})
}

fn field_schema(field: &Field) -> Value {
    let one = scalar(field.of);
    let mut schema = match field.shape {
        Shape::One => one,
        Shape::List => json!({"type": "array", "items": one}),
        Shape::Map => json!({"type": "object", "additionalProperties": one}),
    };
    let merge = field.merge;
    if merge.merge || merge.retain_keys {
        let words: Vec<&str> =
            [(merge.merge, "merge"), (merge.retain_keys, "retainKeys")].iter().filter(|(on, _)| *on).map(|(_, w)| *w).collect();
        schema["x-kubernetes-patch-strategy"] = json!(words.join(","));
    }
    if let Some(key) = merge.key {
        schema["x-kubernetes-patch-merge-key"] = json!(key);
    }
    schema
}

fn scalar(of: &str) -> Value {
    match of {
        "string" => json!({"type": "string"}),
        "bytes" => json!({"type": "string", "format": "byte"}),
        "int32" | "int64" => json!({"type": "integer", "format": of}),
        "double" => json!({"type": "number", "format": "double"}),
        "bool" => json!({"type": "boolean"}),
        "meta.v1.Time" | "meta.v1.MicroTime" => json!({"type": "string", "format": "date-time"}),
        "api.resource.Quantity" => json!({"type": "string"}),
        "util.intstr.IntOrString" => json!({"type": "string", "format": "int-or-string"}),
        of if types::message(of).is_some() => {
            json!({"allOf": [{"$ref": format!("#/components/schemas/{}", definition_name(of))}]})
        }
        _ => json!({"type": "object"}),
    }
}
