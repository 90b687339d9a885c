//! OpenAPI v2 as protobuf (`openapi.v2.Document`): every kind as a schema that takes anything, named by its group, version and kind.

use crate::sandbox::api::discovery;
use crate::sandbox::api::openapi::{described, unchanged};
use crate::sandbox::api::registry::{self, Resource};
use crate::sandbox::call::{Answer, Call};
use crate::sandbox::world::View;
use serde_json::{Map, Value, json};

const MEDIA: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// A kind as the document lists it.
struct Kind {
    group: String,
    version: String,
    kind: String,
    about: String,
}

impl Kind {
    fn read(resource: Resource) -> Kind {
        let builtin = resource.message().and_then(|message| described::message(&message));
        let version = resource.custom.as_ref().and_then(|custom| custom.version(&resource.version));
        let own = version.and_then(|version| version.schema["description"].as_str());
        let about = builtin.or(own).unwrap_or("").to_string();
        Kind { group: resource.group, version: resource.version, kind: resource.kind, about }
    }

    fn name(&self) -> String {
        format!("{}.{}.{}", self.group, self.version, self.kind)
    }
}

/// The document, as protobuf or as JSON, with a tag that changes when it does.
pub fn answer(world: &View, call: &Call) -> Answer {
    let groups = registry::groups(&world.crds).into_iter();
    let resources = groups.flat_map(|(_, versions)| versions.into_iter().flat_map(|(_, resources)| resources));
    let kinds: Vec<Kind> = resources.map(Kind::read).collect();
    let protobuf = call.header_value("accept").is_some_and(|accept| accept.contains("protobuf"));
    let mut answer = match protobuf {
        true => Answer { status: 200, headers: vec![("content-type".into(), MEDIA.into())], body: document(&kinds) },
        false => Answer::json(200, &json(&kinds)),
    };
    let tag = format!("\"{}\"", discovery::digest(&answer.body));
    answer.headers.extend([("etag".into(), tag.clone()), ("vary".into(), "Accept".into())]);
    if call.header_value("if-none-match") == Some(tag.as_str()) { unchanged(answer) } else { answer }
}

fn json(kinds: &[Kind]) -> Value {
    let definition = |kind: &Kind| {
        let gvk = json!([{"group": kind.group, "version": kind.version, "kind": kind.kind}]);
        (kind.name(), json!({"description": kind.about, "x-kubernetes-group-version-kind": gvk}))
    };
    let definitions: Map<String, Value> = kinds.iter().map(definition).collect();
    json!({"swagger": "2.0", "info": {"title": "Kubernetes", "version": "v1.36.2"}, "paths": {}, "definitions": definitions})
}

fn document(kinds: &[Kind]) -> Vec<u8> {
    let info = [bytes(1, b"Kubernetes"), bytes(2, b"v1.36.2")].concat();
    let definitions: Vec<u8> = kinds.iter().flat_map(|kind| bytes(1, &definition(kind))).collect();
    [bytes(1, b"2.0"), bytes(2, &info), bytes(8, &[]), bytes(9, &definitions)].concat()
}

/// NamedSchema{1 name, 2 Schema{4 description, 31 NamedAny{1 name, 2 Any{2 yaml}}}}.
fn definition(kind: &Kind) -> Vec<u8> {
    let yaml = format!("- group: {:?}\n  kind: {}\n  version: {}\n", kind.group, kind.kind, kind.version);
    let any = bytes(2, yaml.as_bytes());
    let extension = [bytes(1, b"x-kubernetes-group-version-kind"), bytes(2, &any)].concat();
    let schema = [bytes(4, kind.about.as_bytes()), bytes(31, &extension)].concat();
    [bytes(1, kind.name().as_bytes()), bytes(2, &schema)].concat()
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
