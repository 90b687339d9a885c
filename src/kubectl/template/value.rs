//! Values while a template runs, and how Go prints them.

use serde_json::{Map, Value};
use std::fmt::Write as _;

/// A value: of the object, or made by the template.
#[derive(Debug, Clone, PartialEq)]
pub enum Val<'v> {
    /// What a missing key gives.
    Missing,
    Of(&'v Value),
    Bool(bool),
    /// Go's `int`.
    Int(i64),
    Float(f64),
    Text(String),
    /// Part of a list.
    Slice(&'v [Value]),
}

/// What a value is when it is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum View<'a> {
    Missing,
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
    List(&'a [Value]),
    Map(&'a Map<String, Value>),
}

impl<'v> Val<'v> {
    pub fn view(&self) -> View<'_> {
        match self {
            Val::Missing => View::Missing,
            Val::Bool(b) => View::Bool(*b),
            Val::Int(n) => View::Int(*n),
            Val::Float(n) => View::Float(*n),
            Val::Text(text) => View::Text(text),
            Val::Slice(items) => View::List(items),
            Val::Of(value) => view(value),
        }
    }

    /// Go's name of the type.
    pub fn type_name(&self) -> &'static str {
        match (self, self.view()) {
            (Val::Int(_), _) => "int",
            (_, View::Missing | View::Nil) => "<nil>",
            (_, View::Bool(_)) => "bool",
            (_, View::Int(_)) => "int64",
            (_, View::Float(_)) => "float64",
            (_, View::Text(_)) => "string",
            (_, View::List(_)) => "[]interface {}",
            (_, View::Map(_)) => "map[string]interface {}",
        }
    }

    pub fn is_nil(&self) -> bool {
        matches!(self.view(), View::Missing | View::Nil)
    }

    /// Whether `if` takes it for true.
    pub fn is_true(&self) -> bool {
        match self.view() {
            View::Missing | View::Nil => false,
            View::Bool(b) => b,
            View::Int(n) => n != 0,
            View::Float(n) => n != 0.0,
            View::Text(text) => !text.is_empty(),
            View::List(items) => !items.is_empty(),
            View::Map(map) => !map.is_empty(),
        }
    }

    /// `%v`.
    pub fn shown(&self) -> String {
        let mut out = String::new();
        show(self.view(), &mut out);
        out
    }
}

/// A part of the object.
pub fn view(value: &Value) -> View<'_> {
    match value {
        Value::Null => View::Nil,
        Value::Bool(b) => View::Bool(*b),
        Value::Number(n) => n.as_i64().map_or_else(|| View::Float(n.as_f64().unwrap_or(f64::NAN)), View::Int),
        Value::String(text) => View::Text(text),
        Value::Array(items) => View::List(items),
        Value::Object(map) => View::Map(map),
    }
}

fn show(value: View<'_>, out: &mut String) {
    match value {
        View::Missing | View::Nil => out.push_str("<nil>"),
        View::Bool(b) => out.push_str(if b { "true" } else { "false" }),
        View::Int(n) => drop(write!(out, "{n}")),
        View::Float(n) => out.push_str(&float(n)),
        View::Text(text) => out.push_str(text),
        View::List(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(' ');
                }
                show(view(item), out);
            }
            out.push(']');
        }
        View::Map(map) => {
            out.push_str("map[");
            for (n, (key, item)) in map.iter().enumerate() {
                if n > 0 {
                    out.push(' ');
                }
                out.push_str(key);
                out.push(':');
                show(view(item), out);
            }
            out.push(']');
        }
    }
}

/// `%v` of a part of the object.
pub fn shown(value: &Value) -> String {
    Val::Of(value).shown()
}

/// `%#v`: Go's own syntax for the value.
pub fn go_syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".into(),
        Value::String(text) => go_quoted(text),
        Value::Array(items) => {
            format!("[]interface {{}}{{{}}}", items.iter().map(go_syntax).collect::<Vec<_>>().join(", "))
        }
        Value::Object(map) => {
            let members: Vec<String> = map.iter().map(|(k, v)| format!("{}:{}", go_quoted(k), go_syntax(v))).collect();
            format!("map[string]interface {{}}{{{}}}", members.join(", "))
        }
        other => shown(other),
    }
}

/// A float in Go's shortest form.
pub fn float(n: f64) -> String {
    if !n.is_finite() {
        return if n.is_nan() {
            "NaN".into()
        } else if n > 0.0 {
            "+Inf".into()
        } else {
            "-Inf".into()
        };
    }
    let text = format!("{n:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    match (-4..21).contains(&exponent) {
        true => format!("{n}"),
        false => format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs()),
    }
}

/// A string in Go's double quotes.
pub fn go_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if (c as u32) < 0x80 && c.is_control() => drop(write!(out, "\\x{:02x}", c as u32)),
            c if c.is_control() => drop(write!(out, "\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
