//! Protobuf request bodies: kubectl's generators send nothing else. Decoded by the table in `assets/kubernetes/types.txt`.

use crate::base::clock::Time;
use crate::k8s::base64;
use crate::k8s::types::{self, Field, Message, Shape};
use serde_json::{Map, Value, json};

const MAGIC: &[u8] = b"k8s\0";
/// How deep messages may nest.
const DEPTH_LIMIT: usize = 64;

/// Decodes an enveloped object to its JSON form.
///
/// # Errors
/// What is wrong with the bytes, or the kind that is not in the table.
pub fn decode(body: &[u8]) -> Result<Value, String> {
    let rest = body.strip_prefix(MAGIC).ok_or("the body has no protobuf envelope of Kubernetes")?;
    let (mut version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for part in Parts(rest) {
        match part? {
            (1, Part::Bytes(meta)) => {
                for part in Parts(meta) {
                    match part? {
                        (1, Part::Bytes(text)) => version = lossy(text),
                        (2, Part::Bytes(text)) => kind = lossy(text),
                        _ => (),
                    }
                }
            }
            (2, Part::Bytes(bytes)) => raw = bytes,
            _ => (),
        }
    }
    let (group, short) = version.split_once('/').unwrap_or(("", &version));
    let group = group.split('.').next().filter(|g| !g.is_empty()).unwrap_or("core");
    // Options of requests belong to no group of their own.
    let name = if kind.ends_with("Options") { format!("meta.v1.{kind}") } else { format!("{group}.{short}.{kind}") };
    let message =
        types::message(&name).ok_or_else(|| crate::base::not_simulated(&format!("protobuf bodies of {version} {kind}")))?;
    let mut object = Map::new();
    object.insert("apiVersion".into(), json!(version));
    object.insert("kind".into(), json!(kind));
    object.extend(message_value(message, raw, 0)?);
    Ok(Value::Object(object))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

enum Part<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message's bytes.
struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    fn varint(&mut self) -> Result<u64, String> {
        let mut n = 0_u64;
        for i in 0..10 {
            let (byte, rest) = self.0.split_first().ok_or("unexpected end of the message")?;
            self.0 = rest;
            n |= u64::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                return Ok(n);
            }
        }
        Err("a number is too long".into())
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], String> {
        let taken = self.0.get(..len).ok_or("unexpected end of the message")?;
        self.0 = &self.0[len..];
        Ok(taken)
    }

    fn part(&mut self) -> Result<(u32, Part<'a>), String> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).map_err(|_| "a field number is too large")?;
        let part = match tag & 7 {
            0 => Part::Number(self.varint()?),
            1 => Part::Number(u64::from_le_bytes(self.take(8)?.try_into().map_err(|_| "eight bytes")?)),
            2 => {
                let len = usize::try_from(self.varint()?).map_err(|_| "a length is too large")?;
                Part::Bytes(self.take(len)?)
            }
            5 => Part::Number(u64::from(u32::from_le_bytes(self.take(4)?.try_into().map_err(|_| "four bytes")?))),
            other => return Err(format!("wire type {other} is not known")),
        };
        Ok((number, part))
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<(u32, Part<'a>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let part = self.part();
        if part.is_err() {
            self.0 = &[];
        }
        Some(part)
    }
}

fn message_value(message: &Message, bytes: &[u8], depth: usize) -> Result<Map<String, Value>, String> {
    if depth > DEPTH_LIMIT {
        return Err("the message nests too deeply".into());
    }
    let mut object = Map::new();
    for part in Parts(bytes) {
        let (number, part) = part?;
        let Some(field) = message.wire.iter().find(|field| field.number == number && number > 0) else { continue };
        if field.embedded {
            if let (Part::Bytes(inner), Some(of)) = (&part, types::message(field.of)) {
                object.extend(message_value(of, inner, depth + 1)?);
            }
            continue;
        }
        match field.shape {
            Shape::One => {
                let value = value(field.of, &part, depth)?;
                if field.optional || !is_zero(&value, field) {
                    object.insert(field.name.into(), value);
                }
            }
            Shape::List => {
                let list = object.entry(field.name).or_insert_with(|| json!([]));
                list.as_array_mut().map(|list| value(field.of, &part, depth).map(|v| list.push(v))).transpose()?;
            }
            Shape::Map => {
                let (key, value) = entry(field.of, &part, depth)?;
                object.entry(field.name).or_insert_with(|| json!({}))[key] = value;
            }
        }
    }
    Ok(object)
}

/// Zero scalars and absent times, which Go writes although nobody set them. Empty messages are kept: they were set.
fn is_zero(value: &Value, field: &Field) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(b) => !b,
        Value::Number(n) => n.as_i64() == Some(0) && field.of != "util.intstr.IntOrString",
        Value::String(text) => text.is_empty(),
        // Go writes these two structs even when they are empty.
        Value::Object(map) => map.is_empty() && matches!(field.name, "status" | "strategy" | "metadata" | "resources" | "spec"),
        Value::Array(_) => false,
    }
}

fn entry(of: &str, part: &Part<'_>, depth: usize) -> Result<(String, Value), String> {
    let Part::Bytes(bytes) = part else { return Err("a map entry is no message".into()) };
    let (mut key, mut found) = (String::new(), Value::Null);
    for part in Parts(bytes) {
        match part? {
            (1, Part::Bytes(text)) => key = lossy(text),
            (2, part) => found = value(of, &part, depth)?,
            _ => (),
        }
    }
    if found.is_null() && matches!(of, "string" | "bytes") {
        found = json!("");
    }
    Ok((key, found))
}

fn value(of: &str, part: &Part<'_>, depth: usize) -> Result<Value, String> {
    match (of, part) {
        ("bool", Part::Number(n)) => Ok(json!(*n != 0)),
        ("double", Part::Number(n)) => Ok(json!(f64::from_bits(*n))),
        (_, Part::Number(n)) => Ok(json!(*n as i64)),
        ("string", Part::Bytes(bytes)) => Ok(json!(lossy(bytes))),
        ("bytes", Part::Bytes(bytes)) => Ok(json!(base64::encode(bytes))),
        ("meta.v1.Time" | "meta.v1.MicroTime", Part::Bytes(bytes)) => {
            let seconds = numbers(bytes)?.into_iter().find(|(n, _)| *n == 1).map_or(0, |(_, s)| s);
            Ok(if seconds == 0 { Value::Null } else { json!(Time(seconds * 1000).rfc3339()) })
        }
        ("api.resource.Quantity", Part::Bytes(bytes)) => Ok(json!(first_text(bytes)?)),
        ("meta.v1.FieldsV1", Part::Bytes(bytes)) => Ok(serde_json::from_str(&first_text(bytes)?).unwrap_or(Value::Null)),
        ("util.intstr.IntOrString", Part::Bytes(bytes)) => {
            let numbers = numbers(bytes)?;
            let of = |wanted: u32| numbers.iter().find(|(n, _)| *n == wanted).map_or(0, |(_, v)| *v);
            Ok(if of(1) == 0 { json!(of(2)) } else { json!(text_at(bytes, 3)?) })
        }
        (of, Part::Bytes(bytes)) => match types::message(of) {
            Some(message) if of.ends_with(".ExtraValue") => {
                Ok(message_value(message, bytes, depth + 1)?.remove("items").unwrap_or_else(|| json!([])))
            }
            Some(message) => Ok(Value::Object(message_value(message, bytes, depth + 1)?)),
            None => Ok(Value::Null),
        },
    }
}

fn numbers(bytes: &[u8]) -> Result<Vec<(u32, i64)>, String> {
    let mut found = Vec::new();
    for part in Parts(bytes) {
        if let (number, Part::Number(n)) = part? {
            found.push((number, n as i64));
        }
    }
    Ok(found)
}

fn first_text(bytes: &[u8]) -> Result<String, String> {
    text_at(bytes, 1)
}

fn text_at(bytes: &[u8], wanted: u32) -> Result<String, String> {
    for part in Parts(bytes) {
        if let (number, Part::Bytes(text)) = part?
            && number == wanted
        {
            return Ok(lossy(text));
        }
    }
    Ok(String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, content.len() as u8][..], content].concat()
    }

    fn envelope(version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let meta = [field(1, version.as_bytes()), field(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), field(1, &meta), field(2, raw)].concat()
    }

    #[test]
    fn a_namespace_as_kubectl_sends_it() {
        let meta = [field(1, b"lab"), field(2, b""), vec![7 << 3, 0], field(8, b"")].concat();
        let raw = [field(1, &meta), field(2, b""), field(3, &field(1, b""))].concat();
        let decoded = decode(&envelope("v1", "Namespace", &raw)).expect("decodes");
        assert_eq!(decoded, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "lab"}}));
    }

    #[test]
    fn maps_and_optional_zeros_are_kept() {
        let label = field(11, &[field(1, b"a"), field(2, b"")].concat());
        let raw = [field(1, &label), field(2, &[1 << 3, 0])].concat();
        let decoded = decode(&envelope("apps/v1", "Deployment", &raw)).expect("decodes");
        assert_eq!(decoded["metadata"]["labels"], json!({"a": ""}));
        assert_eq!(decoded["spec"]["replicas"], 0);
    }

    #[test]
    fn broken_bodies_are_refused() {
        assert!(decode(b"{}").is_err());
        assert!(decode(&envelope("v1", "Namespace", &[0x0a, 0x7f])).is_err());
        assert!(decode(&envelope("v1", "Nothing", b"")).expect_err("unknown").starts_with("not simulated here"));
    }
}
