//! How answers become text: tables, YAML, JSON, names, templates.

pub mod columns;
pub mod output;
pub mod table;
pub mod time;

use crate::base::order::Order;
use crate::k8s::kinds;
use crate::k8s::types::{self, Message, Shape};
use serde_json::Value;
use std::fmt::Write as _;

/// JSON as `kubectl get -o json` prints it: four blanks, keys sorted.
pub fn pretty_json(value: &Value) -> String {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut out = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    let written = serde::Serialize::serialize(value, &mut out);
    debug_assert!(written.is_ok(), "a value is always printable");
    go_escaped(&String::from_utf8_lossy(&bytes)) + "\n"
}

/// JSON as kubectl prints an object that it made itself: members in the order of the object's type.
pub fn typed_json(object: &Value) -> String {
    let text = |key: &str| object[key].as_str().unwrap_or("");
    let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", text("apiVersion")));
    let message = kinds::find(group, text("kind")).and_then(|info| types::message(&info.message(version)));
    let mut out = String::new();
    write_typed(object, message, true, 0, &mut out);
    out.push('\n');
    go_escaped(&out)
}

fn write_typed(value: &Value, of: Option<&'static Message>, top: bool, indent: usize, out: &mut String) {
    let pad = |n: usize| " ".repeat(4 * n);
    match value {
        Value::Object(members) if !members.is_empty() => {
            let place = |key: &str| match (top, key) {
                (true, "kind") => 0,
                (true, "apiVersion") => 1,
                (true, "metadata") => 2,
                _ => 3 + of.and_then(|m| m.fields.iter().position(|f| f.name == key)).unwrap_or(usize::MAX - 3),
            };
            let mut keys: Vec<&String> = members.keys().collect();
            keys.order_by_key(|key| place(key));
            out.push_str("{\n");
            for (n, key) in keys.iter().enumerate() {
                let field = of.and_then(|m| m.field(key)).filter(|f| f.shape != Shape::Map);
                let inner = if top && *key == "metadata" {
                    types::message("meta.v1.ObjectMeta")
                } else {
                    field.and_then(|f| types::message(f.of))
                };
                let _ = write!(out, "{}{}: ", pad(indent + 1), Value::String(key.to_string()));
                write_typed(&members[*key], inner, false, indent + 1, out);
                out.push_str(if n + 1 < keys.len() { ",\n" } else { "\n" });
            }
            let _ = write!(out, "{}}}", pad(indent));
        }
        Value::Array(items) if !items.is_empty() => {
            out.push_str("[\n");
            for (n, item) in items.iter().enumerate() {
                out.push_str(&pad(indent + 1));
                write_typed(item, of, false, indent + 1, out);
                out.push_str(if n + 1 < items.len() { ",\n" } else { "\n" });
            }
            let _ = write!(out, "{}]", pad(indent));
        }
        other => out.push_str(&other.to_string()),
    }
}

/// Compact JSON as Go's encoder writes it (`<`, `>` and `&` escaped): the form of the last-applied annotation.
pub fn go_json(value: &Value) -> String {
    go_escaped(&value.to_string())
}

fn go_escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out
}

/// A scalar as Go's `%v` prints it; objects and lists as compact JSON.
pub fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
