//! Schemas of the built-in messages, named and shaped as the API server publishes them.

use crate::k8s::types::{self, Field, Shape};
use crate::sandbox::api::openapi::described::{self, Words};
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

/// How a list or map is merged by server-side apply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Topology {
    list_type: Option<&'static str>,
    /// Field names with commas between.
    keys: Option<&'static str>,
    map_type: Option<&'static str>,
}

/// By `MESSAGE.FIELD`, and by `MESSAGE` for messages that are merged as a whole.
static TOPOLOGIES: LazyLock<HashMap<&'static str, Topology>> =
    LazyLock::new(|| include_str!("../../../../assets/kubernetes/merge-keys.txt").lines().filter_map(read_topology).collect());

/// `core.v1.PodSpec.volumes: smp=merge key=name | ssa list-type=map keys=name`, `TYPE rbac.v1.RoleRef: map-type=atomic`.
fn read_topology(line: &'static str) -> Option<(&'static str, Topology)> {
    let (path, rest) = line.trim_start_matches("TYPE ").split_once(": ")?;
    let word = |name: &str| rest.split(' ').find_map(|word| word.strip_prefix(name)).filter(|value| *value != "-");
    Some((path, Topology { list_type: word("list-type="), keys: word("keys="), map_type: word("map-type=") }))
}

/// `core.v1.Pod` is `io.k8s.api.core.v1.Pod`, `meta.v1.ObjectMeta` is in apimachinery.
pub fn definition_name(message: &str) -> String {
    match message.split('.').next() {
        Some("meta") => format!("io.k8s.apimachinery.pkg.apis.{message}"),
        Some("api" | "util" | "runtime") => format!("io.k8s.apimachinery.pkg.{message}"),
        Some("apiextensions") => format!("io.k8s.apiextensions-apiserver.pkg.apis.{message}"),
        Some("apiregistration") => format!("io.k8s.kube-aggregator.pkg.apis.{message}"),
        _ => format!("io.k8s.api.{message}"),
    }
}

/// `#/components/schemas/...` of a message.
pub fn reference(message: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{}", definition_name(message))})
}

/// The schemas of types that are no messages with fields.
pub fn special(name: &str) -> Option<Value> {
    Some(match name {
        "meta.v1.Time" | "meta.v1.MicroTime" => json!({"type": "string", "format": "date-time"}),
        "api.resource.Quantity" => json!({"oneOf": [{"type": "string"}, {"type": "number"}]}),
        "util.intstr.IntOrString" => json!({"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"}),
        "meta.v1.FieldsV1" | "meta.v1.Patch" | "runtime.RawExtension" | "apiextensions.v1.CustomResourceSubresourceStatus" => {
            json!({"type": "object"})
        }
        "apiextensions.v1.JSON"
        | "apiextensions.v1.JSONSchemaPropsOrArray"
        | "apiextensions.v1.JSONSchemaPropsOrBool"
        | "apiextensions.v1.JSONSchemaPropsOrStringArray" => json!({}),
        _ => return None,
    })
}

/// All messages that these use, themselves included.
pub fn reachable(start: &BTreeSet<String>) -> BTreeSet<String> {
    let mut found = start.clone();
    let mut todo: Vec<String> = start.iter().cloned().collect();
    while let Some(name) = todo.pop() {
        for field in types::message(&name).into_iter().flat_map(|message| &message.fields) {
            let of = target(field);
            if (types::message(of).is_some() || special(of).is_some()) && found.insert(of.to_string()) {
                todo.push(of.to_string());
            }
        }
    }
    found
}

/// The type of a field's values; `any` alone is an object of any kind.
fn target(field: &Field) -> &'static str {
    if field.of == "any" && field.shape == Shape::One { "runtime.RawExtension" } else { field.of }
}

/// A message's schema with its descriptions.
pub fn schema(name: &str) -> Value {
    let mut schema = special(name).unwrap_or_else(|| of_message(name));
    if let Some(about) = described::message(name) {
        schema["description"] = json!(about);
    }
    if let Some(map_type) = TOPOLOGIES.get(name).and_then(|topology| topology.map_type) {
        schema["x-kubernetes-map-type"] = json!(map_type);
    }
    schema
}

fn of_message(name: &str) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    let Some(message) = types::message(name) else { return json!({"type": "object"}) };
    if message.field("metadata").is_some_and(|field| is_kind(name, field)) {
        for own in ["apiVersion", "kind"] {
            properties.insert(own.into(), described(json!({"type": "string"}), described::field(name, own)));
        }
    }
    for field in &message.fields {
        let words = described::field(name, field.name);
        if words.is_some_and(|words| words.required) {
            required.push(field.name);
        }
        properties.insert(field.name.into(), described(of_field(name, field), words));
    }
    let mut schema = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// Kinds carry metadata; templates do so too, but are no kinds.
fn is_kind(name: &str, metadata: &Field) -> bool {
    matches!(metadata.of, "meta.v1.ObjectMeta" | "meta.v1.ListMeta")
        && !name.ends_with("TemplateSpec")
        && !name.ends_with("ClaimTemplate")
}

fn described(mut schema: Value, words: Option<&Words>) -> Value {
    let Some(words) = words else { return schema };
    schema["description"] = json!(words.text);
    let values: Vec<&str> = words.values().collect();
    if !values.is_empty() {
        schema["enum"] = json!(values);
    }
    if let Some(default) = words.default {
        schema["default"] = json!(default);
    }
    schema
}

fn of_field(message: &str, field: &Field) -> Value {
    let one = of_value(field);
    let mut schema = match field.shape {
        Shape::One => one,
        Shape::List => json!({"type": "array", "items": one}),
        Shape::Map => json!({"type": "object", "additionalProperties": one}),
    };
    let merge = field.merge;
    if merge.merge || merge.retain_keys {
        let words: Vec<&str> = [(merge.merge, "merge"), (merge.retain_keys, "retainKeys")]
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, word)| *word)
            .collect();
        schema["x-kubernetes-patch-strategy"] = json!(words.join(","));
    }
    if let Some(key) = merge.key {
        schema["x-kubernetes-patch-merge-key"] = json!(key);
    }
    let topology = TOPOLOGIES.get(format!("{message}.{}", field.name).as_str()).copied().unwrap_or_default();
    if let Some(list_type) = topology.list_type {
        schema["x-kubernetes-list-type"] = json!(list_type);
    }
    if let Some(keys) = topology.keys {
        schema["x-kubernetes-list-map-keys"] = json!(keys.split(',').collect::<Vec<_>>());
    }
    if let Some(map_type) = topology.map_type {
        schema["x-kubernetes-map-type"] = json!(map_type);
    }
    schema
}

fn of_value(field: &Field) -> Value {
    match target(field) {
        "string" => json!({"type": "string"}),
        "bytes" => json!({"type": "string", "format": "byte"}),
        of @ ("int32" | "int64") => json!({"type": "integer", "format": of}),
        "double" => json!({"type": "number", "format": "double"}),
        "bool" => json!({"type": "boolean"}),
        // Only the `extra` of users is a map to anything: to lists of texts.
        "any" => json!({"type": "array", "items": {"type": "string"}}),
        of => json!({"allOf": [reference(of)]}),
    }
}

/// The schema of a kind's list.
pub fn list(kind: &str, item: &Value) -> Value {
    let words = |name: &str| described::field("meta.v1.Status", name);
    json!({
        "type": "object", "description": format!("A list of objects of the kind {kind}."), "required": ["items"],
        "properties": {
            "apiVersion": described(json!({"type": "string"}), words("apiVersion")),
            "items": {"type": "array", "items": {"allOf": [item]}, "description": "The objects."},
            "kind": described(json!({"type": "string"}), words("kind")),
            "metadata": {"allOf": [reference("meta.v1.ListMeta")], "description": described::message("meta.v1.ListMeta")},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_shaped_as_published() {
        let container = schema("core.v1.Container");
        assert_eq!(container["required"], json!(["name"]));
        let ports = &container["properties"]["ports"];
        assert_eq!(ports["items"]["allOf"][0]["$ref"], "#/components/schemas/io.k8s.api.core.v1.ContainerPort");
        assert_eq!(ports["x-kubernetes-list-map-keys"], json!(["containerPort", "protocol"]));
        assert_eq!(
            (&ports["x-kubernetes-patch-merge-key"], &ports["x-kubernetes-patch-strategy"]),
            (&json!("containerPort"), &json!("merge"))
        );
        assert_eq!(container["properties"]["imagePullPolicy"]["enum"], json!(["Always", "IfNotPresent", "Never"]));
        let debug = schema("core.v1.EphemeralContainer");
        assert!(debug["properties"].get("ephemeralContainerCommon").is_none());
        assert_eq!(debug["properties"]["ports"], *ports);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let all: BTreeSet<String> = types::names().into_iter().map(String::from).collect();
        let names: BTreeSet<String> = reachable(&all).iter().map(|name| definition_name(name)).collect();
        fn check(value: &Value, names: &BTreeSet<String>) {
            match value {
                Value::Object(map) => {
                    if let Some(target) = map.get("$ref").and_then(Value::as_str) {
                        assert!(names.contains(target.trim_start_matches("#/components/schemas/")), "{target}");
                    }
                    map.values().for_each(|value| check(value, names));
                }
                Value::Array(items) => items.iter().for_each(|value| check(value, names)),
                _ => (),
            }
        }
        reachable(&all).iter().for_each(|name| check(&schema(name)["properties"], &names));
        assert_eq!(schema("rbac.v1.RoleRef")["x-kubernetes-map-type"], "atomic");
        assert_eq!(schema("core.v1.PodTemplateSpec")["properties"].get("kind"), None);
    }
}
