//! How answers become text: tables, YAML, JSON, names, templates.

pub mod columns;
pub mod output;
pub mod table;
pub mod tabs;
pub mod time;

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
