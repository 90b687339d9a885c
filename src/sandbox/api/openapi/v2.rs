//! OpenAPI v2 as protobuf (`openapi.v2.Document`): every kind as a schema that takes anything, named by its group, version and kind.

use crate::sandbox::api::registry;
use crate::sandbox::call::{Answer, Call};
use crate::sandbox::world::View;
use serde_json::json;

const MEDIA: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// The document, as protobuf or as JSON.
pub fn answer(world: &View, call: &Call) -> Answer {
    let kinds: Vec<(String, String, String)> = registry::groups(&world.crds)
        .into_iter()
        .flat_map(|(_, versions)| versions.into_iter().flat_map(|(_, resources)| resources))
        .map(|resource| (resource.group, resource.version, resource.kind))
        .collect();
    let protobuf = call.header_value("accept").is_some_and(|accept| accept.contains("protobuf"));
    if !protobuf {
        let definitions: serde_json::Map<String, serde_json::Value> = kinds
            .iter()
            .map(|(group, version, kind)| {
                let gvk = json!([{"group": group, "version": version, "kind": kind}]);
                (format!("{group}.{version}.{kind}"), json!({"x-kubernetes-group-version-kind": gvk}))
            })
            .collect();
        let info = json!({"title": "Kubernetes", "version": "v1.36.2"});
        return Answer::json(200, &json!({"swagger": "2.0", "info": info, "paths": {}, "definitions": definitions}));
    }
    Answer { status: 200, headers: vec![("content-type".into(), MEDIA.into())], body: document(&kinds) }
}

fn document(kinds: &[(String, String, String)]) -> Vec<u8> {
    let info = [bytes(1, b"Kubernetes"), bytes(2, b"v1.36.2")].concat();
    let definitions: Vec<u8> =
        kinds.iter().flat_map(|(group, version, kind)| bytes(1, &definition(group, version, kind))).collect();
    [bytes(1, b"2.0"), bytes(2, &info), bytes(8, &[]), bytes(9, &definitions)].concat()
}

/// NamedSchema{1 name, 2 Schema{31 NamedAny{1 name, 2 Any{2 yaml}}}}.
fn definition(group: &str, version: &str, kind: &str) -> Vec<u8> {
    let yaml = format!("- group: {group:?}\n  kind: {kind}\n  version: {version}\n");
    let any = bytes(2, yaml.as_bytes());
    let extension = [bytes(1, b"x-kubernetes-group-version-kind"), bytes(2, &any)].concat();
    let schema = bytes(31, &extension);
    [bytes(1, format!("{group}.{version}.{kind}").as_bytes()), bytes(2, &schema)].concat()
}

/// A length-delimited field.
fn bytes(number: u64, content: &[u8]) -> Vec<u8> {
    let mut out = varint(number << 3 | 2);
    out.extend(varint(content.len() as u64));
    out.extend_from_slice(content);
    out
}

fn varint(mut n: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while n >= 0x80 {
        out.push((n as u8 & 0x7f) | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
    out
}
