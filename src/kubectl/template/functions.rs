//! The functions of templates: Go's own, and kubectl's `exists` and `base64decode`.

use super::printf::{sprint, sprintf, sprintln};
use super::value::{Val, View};
use crate::k8s::base64;
use serde_json::Value;
use std::fmt::Write as _;

type Outcome<'v> = Result<Val<'v>, String>;

/// How many arguments a function takes: exactly so many, or at least.
pub fn arity(name: &str) -> (usize, bool) {
    match name {
        "len" | "not" | "base64decode" => (1, true),
        "lt" | "le" | "gt" | "ge" | "ne" => (2, true),
        "print" | "println" | "html" | "js" | "urlquery" => (0, false),
        _ => (1, false),
    }
}

/// Calls a function.
///
/// # Errors
/// Go's sentence behind `error calling NAME: `.
pub fn call<'v>(name: &str, args: &[Val<'v>]) -> Outcome<'v> {
    Ok(match name {
        "len" => Val::Int(len(&args[0])?),
        "not" => Val::Bool(!args[0].is_true()),
        "index" => args[1..].iter().try_fold(args[0].clone(), |value, at| index(&value, at))?,
        "slice" => slice(&args[0], &args[1..])?,
        "exists" => {
            Val::Bool(args[1..].iter().try_fold(args[0].clone(), |value, at| index(&value, at)).is_ok_and(|v| !v.is_nil()))
        }
        "eq" => Val::Bool(eq(&args[0], &args[1..])?),
        "ne" => Val::Bool(!eq(&args[0], &args[1..])?),
        "lt" => Val::Bool(lt(&args[0], &args[1])?),
        "le" => Val::Bool(lt(&args[0], &args[1])? || eq(&args[0], &args[1..])?),
        "gt" => Val::Bool(!(lt(&args[0], &args[1])? || eq(&args[0], &args[1..])?)),
        "ge" => Val::Bool(!lt(&args[0], &args[1])?),
        "print" => Val::Text(sprint(args)),
        "println" => Val::Text(sprintln(args)),
        "printf" => Val::Text(sprintf(&text(&args[0])?, &args[1..])),
        "html" => Val::Text(html(&sprint(args))),
        "js" => Val::Text(js(&sprint(args))),
        "urlquery" => Val::Text(query(&sprint(args))),
        "base64decode" => Val::Text(decode(&text(&args[0])?)?),
        "call" => return Err("call of nil".into()),
        other => return Err(crate::base::not_simulated(&format!("go-template function {other}"))),
    })
}

fn text(value: &Val<'_>) -> Result<String, String> {
    match value.view() {
        View::Text(text) => Ok(text.to_string()),
        _ => Err(format!("wrong type for value; expected string; got {}", value.type_name())),
    }
}

fn len(value: &Val<'_>) -> Result<i64, String> {
    match value.view() {
        View::Text(text) => Ok(text.len() as i64),
        View::List(items) => Ok(items.len() as i64),
        View::Map(map) => Ok(map.len() as i64),
        View::Missing => Err("reflect: call of reflect.Value.Type on zero Value".into()),
        View::Nil => Err("len of nil pointer".into()),
        _ => Err(format!("len of type {}", value.type_name())),
    }
}

/// A place in a list of `len`: `[0, len)`, or with `end` also `len`.
fn place(at: &Val<'_>, len: usize, end: bool) -> Result<usize, String> {
    let View::Int(n) = at.view() else {
        return Err(match at.is_nil() {
            true => "cannot index slice/array with nil".into(),
            false => format!("cannot index slice/array with type {}", at.type_name()),
        });
    };
    let found = usize::try_from(n).ok().filter(|n| *n < len || end && *n == len);
    found.ok_or_else(|| format!("index out of range: {n}"))
}

fn index<'v>(value: &Val<'v>, at: &Val<'v>) -> Outcome<'v> {
    match (value, value.view()) {
        (_, View::Missing | View::Nil) => Err("index of untyped nil".into()),
        (Val::Of(Value::Array(items)), _) => Ok(Val::Of(&items[place(at, items.len(), false)?])),
        (Val::Slice(items), _) => Ok(Val::Of(&items[place(at, items.len(), false)?])),
        (_, View::Text(text)) => Ok(Val::Int(i64::from(text.as_bytes()[place(at, text.len(), false)?]))),
        (Val::Of(Value::Object(map)), _) => match at.view() {
            View::Text(key) => Ok(map.get(key).map_or(Val::Missing, Val::Of)),
            View::Missing | View::Nil => Err("value is nil; should be of type string".into()),
            _ => Err(format!("value has type {}; should be string", at.type_name())),
        },
        _ => Err(format!("can't index item of type {}", value.type_name())),
    }
}

fn slice<'v>(value: &Val<'v>, at: &[Val<'v>]) -> Outcome<'v> {
    let bounds = |len: usize| -> Result<(usize, usize), String> {
        let from = at.first().map_or(Ok(0), |at| place(at, len, true))?;
        let to = at.get(1).map_or(Ok(len), |at| place(at, len, true))?;
        if at.len() > 3 {
            return Err(format!("too many slice indexes: {}", at.len()));
        }
        match from <= to {
            true => Ok((from, to)),
            false => Err(format!("invalid slice index: {from} > {to}")),
        }
    };
    match (value, value.view()) {
        (_, View::Missing | View::Nil) => Err("slice of untyped nil".into()),
        (Val::Of(Value::Array(items)), _) => bounds(items.len()).map(|(a, b)| Val::Slice(&items[a..b])),
        (Val::Slice(items), _) => bounds(items.len()).map(|(a, b)| Val::Slice(&items[a..b])),
        (_, View::Text(_)) if at.len() == 3 => Err("cannot 3-index slice a string".into()),
        (_, View::Text(text)) => {
            let (a, b) = bounds(text.len())?;
            Ok(Val::Text(String::from_utf8_lossy(&text.as_bytes()[a..b]).into_owned()))
        }
        _ => Err(format!("can't slice item of type {}", value.type_name())),
    }
}

/// What can be compared with what.
fn basic(value: &Val<'_>) -> &'static str {
    match value.view() {
        View::Bool(_) => "bool",
        View::Int(_) => "int",
        View::Float(_) => "float",
        View::Text(_) => "string",
        _ => "",
    }
}

fn incompatible(a: &Val<'_>, b: &Val<'_>) -> String {
    format!("incompatible types for comparison: {} and {}", a.type_name(), b.type_name())
}

fn eq(first: &Val<'_>, others: &[Val<'_>]) -> Result<bool, String> {
    if others.is_empty() {
        return Err("missing argument for comparison".into());
    }
    for other in others {
        let same = match (first.is_nil(), other.is_nil()) {
            (true, true) => true,
            (true, false) | (false, true) => false,
            _ if basic(first) != basic(other) => return Err(incompatible(first, other)),
            _ if basic(first).is_empty() => {
                return Err(format!("non-comparable type {}: {}", other.shown(), other.type_name()));
            }
            _ => first.view() == other.view(),
        };
        if same {
            return Ok(true);
        }
    }
    Ok(false)
}

fn lt(a: &Val<'_>, b: &Val<'_>) -> Result<bool, String> {
    if basic(a).is_empty() || basic(b).is_empty() {
        return Err("invalid type for comparison".into());
    }
    match (a.view(), b.view()) {
        (View::Int(a), View::Int(b)) => Ok(a < b),
        (View::Float(a), View::Float(b)) => Ok(a < b),
        (View::Text(a), View::Text(b)) => Ok(a < b),
        (View::Bool(_), View::Bool(_)) => Err("invalid type for comparison".into()),
        _ => Err(incompatible(a, b)),
    }
}

fn decode(text: &str) -> Result<String, String> {
    match base64::decode(text) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(at) => Err(format!("base64 decode failed: illegal base64 data at input byte {at}")),
    }
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

fn js(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' | '>' | '&' | '=' => drop(write!(out, "\\u{:04X}", c as u32)),
            c if c.is_control() => drop(write!(out, "\\u{:04X}", c as u32)),
            c => out.push(c),
        }
    }
    out
}

fn query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte as char),
            b' ' => out.push('+'),
            other => drop(write!(out, "%{other:02X}")),
        }
    }
    out
}
