//! Values of Envoy's messages as JSON text: as Envoy's admin port prints them (names of the .proto file, fields by number, one space
//! for each level), and as Go's istioctl does (lowerCamelCase, fields as declared; S: golang/protobuf jsonpb/encode.go).

use super::fields::{Field, Kind, Message, TYPE_PREFIX, Times, of_url};
use crate::base::order::Order;
use serde_json::Value;
use std::fmt::Write;

/// How deep messages may lie in each other.
const DEPTH_LIMIT: usize = 100;

/// Whose habits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Envoy,
    Go,
}

/// A message as text, with so much added for each level; without, everything is on one line.
///
/// ```text
/// {"name":"80","virtualHosts":[..]}
/// ```
pub fn write(message: Option<&'static Message>, value: &Value, style: Style, indent: &str) -> String {
    let mut writer = Writer { style, indent, out: String::new() };
    writer.message(message, value, "", None, 0);
    writer.out
}

/// A compact JSON text with a line for each member (S: Go's json.Indent).
pub fn indented(compact: &str, indent: &str) -> String {
    let mut out = String::with_capacity(compact.len() * 2);
    let (mut depth, mut in_text, mut escaped, mut opened) = (0usize, false, false, false);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        (0..depth).for_each(|_| out.push_str(indent));
    };
    for c in compact.chars() {
        if in_text {
            out.push(c);
            in_text = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        if opened && !matches!(c, ']' | '}') {
            opened = false;
            depth += 1;
            line(&mut out, depth);
        }
        match c {
            '"' => {
                in_text = true;
                out.push(c);
            }
            '{' | '[' => {
                opened = true;
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            '}' | ']' if opened => {
                opened = false;
                out.push(c);
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            c if c.is_whitespace() => (),
            c => out.push(c),
        }
    }
    out
}

struct Writer<'a> {
    style: Style,
    indent: &'a str,
    out: String,
}

/// A text as JSON, with what HTML gives a meaning to escaped.
pub fn quoted(text: &str, style: Style) -> String {
    let plain = Value::String(text.to_string()).to_string();
    let mut out = String::with_capacity(plain.len());
    for c in plain.chars() {
        match c {
            '<' | '>' => drop(write!(out, "\\u{:04x}", c as u32)),
            '&' | '\u{2028}' | '\u{2029}' if style == Style::Go => drop(write!(out, "\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out
}

impl Writer<'_> {
    fn line(&mut self, indent: &str, levels: usize) {
        if !self.indent.is_empty() {
            self.out.push('\n');
            self.pad(indent, levels);
        }
    }

    fn pad(&mut self, indent: &str, levels: usize) {
        if !self.indent.is_empty() {
            self.out.push_str(indent);
            (0..levels).for_each(|_| self.out.push_str(self.indent));
        }
    }

    fn name(&mut self, name: &str) {
        let quoted = quoted(name, self.style);
        self.out.push_str(&quoted);
        self.out.push_str(if self.indent.is_empty() { ":" } else { ": " });
    }

    /// A message, with its type when it stands in an Any.
    fn message(&mut self, message: Option<&'static Message>, value: &Value, indent: &str, url: Option<&str>, depth: usize) {
        let Some(members) = value.as_object() else { return self.free(value, indent, depth) };
        if depth > DEPTH_LIMIT {
            return self.out.push_str("{}");
        }
        self.out.push('{');
        if !self.indent.is_empty() {
            self.out.push('\n');
        }
        let mut first = true;
        if let Some(url) = url {
            self.pad(indent, 1);
            self.name("@type");
            let text = quoted(url, self.style);
            self.out.push_str(&text);
            first = false;
        }
        let found = match message {
            Some(message) => self.places(message, members),
            None => Vec::new(),
        };
        for (field, value) in found {
            self.comma(&mut first);
            self.pad(indent, 1);
            let name = if self.style == Style::Go { field.json_name() } else { field.name.to_string() };
            self.name(&name);
            self.field(field, value, indent, depth);
        }
        if message.is_none() {
            for (name, value) in members.iter().filter(|(name, _)| *name != "@type") {
                self.comma(&mut first);
                self.pad(indent, 1);
                self.name(name);
                self.free(value, indent, depth + 1);
            }
        }
        self.line(indent, 0);
        self.out.push('}');
    }

    fn comma(&mut self, first: &mut bool) {
        if !std::mem::replace(first, false) {
            self.out.push_str(if self.indent.is_empty() { "," } else { ",\n" });
        }
    }

    /// The fields that the value has, in the style's order.
    fn places<'v>(
        &self,
        message: &'static Message,
        members: &'v serde_json::Map<String, Value>,
    ) -> Vec<(&'static Field, &'v Value)> {
        let get = |field: &Field| members.get(field.name).or_else(|| members.get(&field.json_name()));
        let there = |field: &'static Field| get(field).filter(|value| is_set(field, value)).map(|value| (field, value));
        let mut found: Vec<_> = message.places.iter().filter_map(|place| place.iter().find_map(there)).collect();
        if self.style == Style::Envoy {
            found.order_by_key(|(field, _)| field.number);
        }
        found
    }

    fn field(&mut self, field: &'static Field, value: &Value, indent: &str, depth: usize) {
        let inner = format!("{indent}{}", self.indent);
        match (field.times(), value) {
            (Times::Repeated, Value::Array(items)) => {
                self.out.push('[');
                for (nth, item) in items.iter().enumerate() {
                    self.out.push_str(if nth > 0 { "," } else { "" });
                    self.line(indent, 2);
                    self.one(field.kind(), item, &inner, depth);
                }
                self.line(indent, 1);
                self.out.push(']');
            }
            (Times::Map, Value::Object(entries)) => {
                self.out.push('{');
                for (nth, (key, item)) in entries.iter().enumerate() {
                    self.out.push_str(if nth > 0 { "," } else { "" });
                    self.line(indent, 2);
                    self.name(key);
                    self.one(field.kind(), item, &inner, depth);
                }
                self.line(indent, 1);
                self.out.push('}');
            }
            (_, value) => self.one(field.kind(), value, indent, depth),
        }
    }

    fn one(&mut self, kind: Kind, value: &Value, indent: &str, depth: usize) {
        let inner = format!("{indent}{}", self.indent);
        match (kind, value) {
            (Kind::Message(message), value) => self.message(Some(message), value, &inner, None, depth + 1),
            (Kind::Empty, _) => self.message(None, &Value::Object(Default::default()), &inner, None, depth + 1),
            (Kind::Any, Value::Object(_)) => self.any(value, &inner, depth + 1),
            (Kind::Free | Kind::Any, value) => self.free(value, &inner, depth + 1),
            (Kind::Duration, Value::String(text)) => {
                let text = quoted(&duration(text), self.style);
                self.out.push_str(&text);
            }
            (Kind::Timestamp, Value::String(text)) => {
                let text = quoted(&timestamp(text), self.style);
                self.out.push_str(&text);
            }
            (Kind::Long, Value::Number(number)) => drop(write!(self.out, "\"{number}\"")),
            (Kind::Int, Value::String(text)) if text.parse::<i64>().is_ok() => self.out.push_str(text),
            (Kind::Float, Value::Number(number)) => {
                let text = number.to_string();
                self.out.push_str(text.strip_suffix(".0").unwrap_or(&text));
            }
            (_, Value::String(text)) => {
                let text = quoted(text, self.style);
                self.out.push_str(&text);
            }
            (_, other) => drop(write!(self.out, "{other}")),
        }
    }

    fn any(&mut self, value: &Value, indent: &str, depth: usize) {
        let url = value["@type"].as_str().unwrap_or("");
        match url.strip_prefix(TYPE_PREFIX) {
            // What has a JSON form of its own stands beside its type.
            Some(name) if name.starts_with("google.protobuf.") => {
                self.out.push('{');
                self.line(indent, 1);
                self.name("@type");
                let text = quoted(url, self.style);
                self.out.push_str(&text);
                self.out.push(',');
                self.line(indent, 1);
                self.name("value");
                let inner = format!("{indent}{}", self.indent);
                self.free(&value["value"], &inner, depth + 1);
                self.line(indent, 0);
                self.out.push('}');
            }
            _ => self.message(of_url(url), value, indent, Some(url), depth),
        }
    }

    /// A Struct, Value or list of values.
    fn free(&mut self, value: &Value, indent: &str, depth: usize) {
        let inner = format!("{indent}{0}{0}{0}", self.indent);
        match value {
            _ if depth > DEPTH_LIMIT => self.out.push_str("null"),
            Value::Object(members) => {
                self.out.push('{');
                for (nth, (key, item)) in members.iter().enumerate() {
                    self.out.push_str(if nth > 0 { "," } else { "" });
                    self.line(indent, 2);
                    self.name(key);
                    self.free(item, &inner, depth + 1);
                }
                self.line(indent, 1);
                self.out.push('}');
            }
            Value::Array(items) => {
                self.out.push('[');
                for (nth, item) in items.iter().enumerate() {
                    self.out.push_str(if nth > 0 { "," } else { "" });
                    self.line(indent, 2);
                    self.free(item, &inner, depth + 1);
                }
                self.line(indent, 1);
                self.out.push(']');
            }
            Value::String(text) => {
                let text = quoted(text, self.style);
                self.out.push_str(&text);
            }
            Value::Number(number) => {
                let text = number.to_string();
                self.out.push_str(text.strip_suffix(".0").unwrap_or(&text));
            }
            other => drop(write!(self.out, "{other}")),
        }
    }
}

/// Whether the message holds the field: zero values of plain fields are none.
fn is_set(field: &Field, value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) if field.times() == Times::Map => !entries.is_empty(),
        _ if field.presence => true,
        Value::String(text) => match field.kind() {
            Kind::Enum(zero) => text != zero,
            Kind::Long | Kind::Int => text != "0",
            _ => !text.is_empty(),
        },
        Value::Bool(on) => *on,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Object(_) => true,
    }
}

/// `2026-01-01T09:00:00Z`, `2026-01-01T09:00:00.250Z`: with 0, 3, 6 or 9 digits after the point.
fn timestamp(text: &str) -> String {
    let Some(bare) = text.strip_suffix('Z').filter(|bare| bare.contains('.')) else { return text.to_string() };
    let duration = duration(&format!("{bare}s"));
    format!("{}Z", duration.strip_suffix('s').unwrap_or(bare))
}

/// `10s`, `0.250s`: with 0, 3, 6 or 9 digits after the point.
fn duration(text: &str) -> String {
    let Some((whole, part)) = text.strip_suffix('s').and_then(|text| text.split_once('.')) else { return text.to_string() };
    let mut digits: String = part.chars().chain(std::iter::repeat('0')).take(9).collect();
    while digits.ends_with("000") {
        digits.truncate(digits.len() - 3);
    }
    if digits.is_empty() { format!("{whole}s") } else { format!("{whole}.{digits}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::admin::fields::message;
    use serde_json::json;

    #[test]
    fn a_message_is_written_in_both_styles() {
        let value = json!({"validate_clusters": false, "max_direct_response_body_size_bytes": 0, "name": "80", "ignore_port_in_host_matching": true,
            "virtual_hosts": [{"name": "a&b", "domains": ["*"], "routes": [{"match": {"prefix": ""}, "route": {"timeout": "0.25s", "cluster": "x"}}]}]});
        let route = message("envoy.config.route.v3.RouteConfiguration");
        assert_eq!(
            write(route, &value, Style::Go, ""),
            r#"{"name":"80","virtualHosts":[{"name":"a\u0026b","domains":["*"],"routes":[{"match":{"prefix":""},"route":{"cluster":"x","timeout":"0.250s"}}]}],"validateClusters":false,"maxDirectResponseBodySizeBytes":0,"ignorePortInHostMatching":true}"#
        );
        let envoy = write(route, &value, Style::Envoy, "");
        assert!(envoy.starts_with(r#"{"name":"80","virtual_hosts":[{"name":"a&b","#), "{envoy}");
        assert!(indented(&envoy, " ").starts_with("{\n \"name\": \"80\",\n \"virtual_hosts\": [\n  {\n"));
    }

    #[test]
    fn what_an_any_holds_is_written_by_its_type() {
        let value = json!({"@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", "cluster": "c", "stat_prefix": "p", "none": 1});
        let filter = message("envoy.config.listener.v3.Filter");
        assert_eq!(
            write(filter, &json!({"typed_config": value, "name": "n"}), Style::Go, ""),
            r#"{"name":"n","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy","statPrefix":"p","cluster":"c"}}"#
        );
        let unknown = json!({"name": "n", "typed_config": {"@type": "type.googleapis.com/x.Y", "b": {"c": []}, "a": 1.0}});
        assert_eq!(
            write(filter, &unknown, Style::Go, ""),
            r#"{"name":"n","typedConfig":{"@type":"type.googleapis.com/x.Y","a":1,"b":{"c":[]}}}"#
        );
    }

    #[test]
    fn go_writes_empty_messages_over_two_lines() {
        let value = json!({"drain_type": "DEFAULT", "listener_filters": [], "metadata": {"filter_metadata": {"istio": {"a": [1]}}}, "address": {}});
        let text = write(message("envoy.config.listener.v3.Listener"), &value, Style::Go, "    ");
        let expected = "{\n    \"address\": {\n\n    },\n    \"metadata\": {\n        \"filterMetadata\": {\n";
        assert!(text.starts_with(expected), "{text}");
        assert_eq!(indented("{\"a\":{},\"b\":[],\"c\":\"{\\\"\"}", " "), "{\n \"a\": {},\n \"b\": [],\n \"c\": \"{\\\"\"\n}");
    }
}
