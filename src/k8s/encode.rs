//! JSON as an API server writes it: the members of built-in kinds in the order of Go's structs, maps and custom kinds sorted, and
//! `<`, `>`, `&` escaped, as Go's encoder does. `kubectl get --raw` shows it verbatim.

use crate::k8s::kinds;
use crate::k8s::types::{self, Field, Message, Shape};
use serde_json::{Map, Value};

/// The members of what is no kind of its own, in Go's order; the rest follows sorted.
const OBJECT: &[&str] = &["kind", "apiVersion", "metadata"];
const STATUS: &[&str] = &["kind", "apiVersion", "metadata", "status", "message", "reason", "details", "code"];
const DETAILS: &[&str] = &["name", "group", "kind", "uid", "causes", "retryAfterSeconds"];
const CAUSE: &[&str] = &["reason", "message", "field"];
const LIST: &[&str] = &["kind", "apiVersion", "metadata", "items"];
const LIST_META: &[&str] = &["selfLink", "resourceVersion", "continue", "remainingItemCount"];
const TABLE: &[&str] = &["kind", "apiVersion", "metadata", "columnDefinitions", "rows"];
const COLUMN: &[&str] = &["name", "type", "format", "description", "priority"];
const ROW: &[&str] = &["cells", "conditions", "object"];

/// The bytes of an answer's body: an object, a list, a table, a Status, a watch's event, or anything else. What has a kind ends in a
/// line feed.
pub fn to_vec(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    body(value, &mut out);
    if value.get("kind").is_some() {
        out.push(b'\n');
    }
    out
}

fn body(value: &Value, out: &mut Vec<u8>) {
    let Value::Object(map) = value else { return plain(value, out) };
    let (kind, version) = (text(map, "kind"), text(map, "apiVersion"));
    match (kind, version) {
        ("", _) if map.len() == 2 && map.contains_key("type") && map.contains_key("object") => {
            members(map, &["type", "object"], out, |_, value, out| body(value, out));
        }
        ("Status", "v1") => members(map, STATUS, out, |name, value, out| match (name, value) {
            ("details", Value::Object(details)) => members(details, DETAILS, out, |_, value, out| {
                let Value::Array(causes) = value else { return plain(value, out) };
                list(causes, out, |cause, out| ordered(cause, CAUSE, out));
            }),
            _ => plain(value, out),
        }),
        ("Table", _) => members(map, TABLE, out, |name, value, out| match (name, value) {
            ("metadata", meta) => ordered(meta, LIST_META, out),
            ("columnDefinitions", Value::Array(columns)) => list(columns, out, |column, out| ordered(column, COLUMN, out)),
            ("rows", Value::Array(rows)) => list(rows, out, |row, out| match row {
                Value::Object(row) => members(row, ROW, out, |_, value, out| body(value, out)),
                other => plain(other, out),
            }),
            _ => plain(value, out),
        }),
        ("PartialObjectMetadata", _) => members(map, OBJECT, out, meta),
        _ => match (message(kind, version), kind.strip_suffix("List")) {
            (Some(known), _) => object(map, known, true, out),
            (None, Some(item)) if map.get("items").is_some_and(Value::is_array) => lists(map, item, version, out),
            _ => plain(value, out),
        },
    }
}

fn text<'a>(map: &'a Map<String, Value>, name: &str) -> &'a str {
    map.get(name).and_then(Value::as_str).unwrap_or("")
}

fn message(kind: &str, api_version: &str) -> Option<&'static Message> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    if (group, kind) == ("autoscaling", "Scale") {
        return types::message("autoscaling.v1.Scale");
    }
    types::message(&kinds::find(group, kind)?.message(version))
}

fn lists(map: &Map<String, Value>, item: &str, version: &str, out: &mut Vec<u8>) {
    let known = message(item, version);
    let partial = item == "PartialObjectMetadata";
    if known.is_none() && !partial {
        return plain_map(map, out);
    }
    members(map, LIST, out, |name, value, out| match (name, value) {
        ("metadata", value) => ordered(value, LIST_META, out),
        ("items", Value::Array(items)) => list(items, out, |item, out| match (item, known) {
            (Value::Object(item), Some(known)) => object(item, known, true, out),
            (item, _) => body(item, out),
        }),
        _ => plain(value, out),
    });
}

fn meta(name: &str, value: &Value, out: &mut Vec<u8>) {
    match (name, value, types::message("meta.v1.ObjectMeta")) {
        ("metadata", Value::Object(map), Some(known)) => object(map, known, false, out),
        _ => plain(value, out),
    }
}

/// An object of a built-in type: its fields in their order, then what the type does not know.
fn object(map: &Map<String, Value>, known: &Message, top: bool, out: &mut Vec<u8>) {
    let mut comma = b'{';
    let mut written = 0;
    let mut put = |name: &str, out: &mut Vec<u8>| {
        out.push(comma);
        comma = b',';
        string(name, out);
        out.push(b':');
    };
    for name in ["kind", "apiVersion"] {
        if let (true, Some(value)) = (top, map.get(name)) {
            put(name, out);
            plain(value, out);
            written += 1;
        }
    }
    for field in &known.fields {
        if let Some(value) = map.get(field.name) {
            put(field.name, out);
            member(value, field, out);
            written += 1;
        }
    }
    if written < map.len() {
        let known = |name: &str| known.field(name).is_some() || top && matches!(name, "kind" | "apiVersion");
        for (name, value) in map.iter().filter(|(name, _)| !known(name)) {
            put(name, out);
            plain(value, out);
        }
    }
    if map.is_empty() {
        out.push(b'{');
    }
    out.push(b'}');
}

fn member(value: &Value, field: &Field, out: &mut Vec<u8>) {
    let Some(known) = types::message(field.of) else { return plain(value, out) };
    let one = |value: &Value, out: &mut Vec<u8>| match value {
        Value::Object(map) => object(map, known, false, out),
        other => plain(other, out),
    };
    match (field.shape, value) {
        (Shape::List, Value::Array(items)) => list(items, out, one),
        (Shape::Map, Value::Object(map)) => members(map, &[], out, |_, value, out| one(value, out)),
        _ => one(value, out),
    }
}

/// Named members first, then the others sorted.
fn members(map: &Map<String, Value>, first: &[&str], out: &mut Vec<u8>, mut write: impl FnMut(&str, &Value, &mut Vec<u8>)) {
    let named = first.iter().filter_map(|name| Some((*name, map.get(*name)?)));
    let others = map.iter().filter(|(name, _)| !first.contains(&name.as_str())).map(|(name, value)| (name.as_str(), value));
    out.push(b'{');
    for (i, (name, value)) in named.chain(others).enumerate() {
        if i > 0 {
            out.push(b',');
        }
        string(name, out);
        out.push(b':');
        write(name, value, out);
    }
    out.push(b'}');
}

fn ordered(value: &Value, first: &[&str], out: &mut Vec<u8>) {
    match value {
        Value::Object(map) => members(map, first, out, |_, value, out| plain(value, out)),
        other => plain(other, out),
    }
}

fn list(items: &[Value], out: &mut Vec<u8>, mut write: impl FnMut(&Value, &mut Vec<u8>)) {
    out.push(b'[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}

fn plain(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(map) => plain_map(map, out),
        Value::Array(items) => list(items, out, plain),
        Value::String(text) => string(text, out),
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
    }
}

fn plain_map(map: &Map<String, Value>, out: &mut Vec<u8>) {
    members(map, &[], out, |_, value, out| plain(value, out));
}

/// A string with Go's escapes.
fn string(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut start = 0;
    let mut i = 0;
    while i < bytes.len() {
        let byte = bytes[i];
        let separator = byte == 0xe2 && bytes.get(i + 1) == Some(&0x80) && matches!(bytes.get(i + 2), Some(0xa8 | 0xa9));
        let escape: Option<&[u8]> = match byte {
            b'"' => Some(b"\\\""),
            b'\\' => Some(b"\\\\"),
            b'\n' => Some(b"\\n"),
            b'\r' => Some(b"\\r"),
            b'\t' => Some(b"\\t"),
            0x08 => Some(b"\\b"),
            0x0c => Some(b"\\f"),
            0..=0x1f | b'<' | b'>' | b'&' => Some(b""),
            _ if separator => Some(if bytes[i + 2] == 0xa8 { b"\\u2028" } else { b"\\u2029" }),
            _ => None,
        };
        if let Some(escape) = escape {
            out.extend_from_slice(&bytes[start..i]);
            match escape {
                b"" => {
                    out.extend_from_slice(b"\\u00");
                    out.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
                }
                escape => out.extend_from_slice(escape),
            }
            i += if separator { 3 } else { 1 };
            start = i;
        } else {
            i += 1;
        }
    }
    out.extend_from_slice(&bytes[start..]);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let value: Value = serde_json::from_str(text).expect("json");
        String::from_utf8(to_vec(&value)).expect("text")
    }

    /// Each text is as a real API server wrote it.
    #[test]
    fn recorded_answers_come_out_byte_by_byte() {
        for text in [
            r#"{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"lab","uid":"U","resourceVersion":"1","creationTimestamp":"T","labels":{"a":"b"},"managedFields":[{"manager":"m","operation":"Update","apiVersion":"v1","time":"T","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:labels":{".":{},"f:a":{}}}}}]},"spec":{"finalizers":["kubernetes"]},"status":{"phase":"Active"}}"#,
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"m","reason":"Conflict","details":{"name":"n","kind":"k","causes":[{"reason":"r","message":"m","field":".data.a"}]},"code":409}"#,
            r#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"5","continue":"c","remainingItemCount":8},"items":[{"metadata":{"name":"a","namespace":"b"},"data":{"x":"1"}}]}"#,
            r#"{"type":"ADDED","object":{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"2"},"columnDefinitions":[{"name":"Name","type":"string","format":"name","description":"d","priority":0}],"rows":[{"cells":["a",1],"object":{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"a","uid":"u"}}}]}}"#,
            r#"{"apiVersion":"networking.istio.io/v1","kind":"ServiceEntry","metadata":{"creationTimestamp":"T","name":"a"},"spec":{}}"#,
            r#"{"kind":"Scale","apiVersion":"autoscaling/v1","metadata":{"name":"a"},"spec":{"replicas":1},"status":{"replicas":1,"selector":"a=b"}}"#,
        ] {
            assert_eq!(written(text).trim_end_matches('\n'), text);
        }
    }

    #[test]
    fn strings_are_escaped_as_go_escapes_them() {
        assert_eq!(written(r#"["<a href=\"x\">&\u2028\u0001\n\\"]"#), r#"["\u003ca href=\"x\"\u003e\u0026\u2028\u0001\n\\"]"#);
        let odd = "{\"\u{7f}é\u{1f600}\":\"\u{8}\u{c}\"}";
        assert_eq!(
            serde_json::from_slice::<Value>(&to_vec(&serde_json::json!({"\u{7f}é\u{1f600}": "\u{8}\u{c}"}))).expect("json"),
            serde_json::from_str::<Value>(&odd.replace('\u{8}', "\\b").replace('\u{c}', "\\f")).expect("json")
        );
    }
}
