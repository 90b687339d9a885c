//! Header names and values (S: validation.go, header_value_validator.go).

use super::{Validation, items, text};
use serde_json::Value;

/// A name that a match may use: pseudo headers and claims of a token too.
pub fn matched(name: &str) -> Result<(), String> {
    let pseudo = [":method", ":scheme", ":authority", ":path", ":status"];
    match name {
        "" => Err("header name cannot be empty".into()),
        _ if is_claim(name) || pseudo.contains(&name) || is_token(name) => Ok(()),
        _ => Err(format!("header name {name} is not a valid header name")),
    }
}

/// `@request.auth.claims.x` or `@request.auth.claims[x]` (S: pkg/jwt ToRoutingClaim).
pub fn is_claim(name: &str) -> bool {
    const PREFIX: &str = "@request.auth.claims";
    let rest = name.get(..PREFIX.len()).filter(|start| start.eq_ignore_ascii_case(PREFIX)).map(|_| &name[PREFIX.len()..]);
    rest.is_some_and(|rest| {
        rest.len() > 1 && rest.starts_with('.') || rest.len() > 2 && rest.starts_with('[') && rest.ends_with(']')
    })
}

/// Whether a text is an HTTP token.
pub fn is_token(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
}

/// `headers` of a rule or destination. Only requests may have their authority set.
pub fn operations(headers: &Value, found: &mut Validation) {
    for side in ["request", "response"] {
        for operation in ["add", "set"] {
            for (name, value) in headers[side][operation].as_object().into_iter().flatten() {
                found.check(if side == "request" { with_authority(name) } else { plain(name) });
                found.check(value_of(text(value)));
            }
        }
        for name in items(&headers[side]["remove"]).iter().map(text) {
            found.check(plain(name));
        }
    }
}

fn is_internal(name: &str) -> bool {
    name.starts_with(':') || name.eq_ignore_ascii_case("host")
}

/// Whether a header stands for the request's host.
pub fn is_authority(name: &str) -> bool {
    name.eq_ignore_ascii_case(":authority") || name.eq_ignore_ascii_case("host")
}

fn with_authority(name: &str) -> Result<(), String> {
    match name {
        "" => Err("header name cannot be empty".into()),
        _ if is_internal(name) && !is_authority(name) => Err(format!("invalid header {name:?}: header cannot have \":\" prefix")),
        _ => Ok(()),
    }
}

fn plain(name: &str) -> Result<(), String> {
    match name {
        "" => Err("header name cannot be empty".into()),
        _ if name.eq_ignore_ascii_case("host") => Err(format!("invalid header {name:?}: cannot set Host header")),
        _ if is_internal(name) => Err(format!("invalid header {name:?}: header cannot have \":\" prefix")),
        _ => Ok(()),
    }
}

fn value_of(value: &str) -> Result<(), String> {
    if value.chars().any(|c| c.is_ascii_control() && c != '\t') {
        return Err(format!("header value configuration {value} is invalid"));
    }
    variables(value).map_err(|e| format!("header value configuration: {e}"))
}

/// Where the reader of a value is: outside, in a variable's name, and in the parts of its arguments.
enum State {
    Literal,
    Name,
    Array,
    String,
    Delimiter,
    Element,
    ArgsEnd,
    VariableEnd,
}

/// `%VARIABLE%` and `%VARIABLE(["a"])%` as Envoy reads them.
fn variables(value: &str) -> Result<(), String> {
    let bytes = value.as_bytes();
    let (mut at, mut state) = (0, State::Literal);
    let wrong = |what: &str| Err(format!("invalid header configuration. {what}"));
    while at < bytes.len() {
        let (c, next) = (bytes[at], bytes.get(at + 1));
        state = match (state, c) {
            (State::Literal, b'%') if next.is_none() => return wrong("Un-escaped %"),
            (State::Literal, b'%') if next == Some(&b'%') => {
                at += 1;
                State::Literal
            }
            (State::Literal, b'%') => State::Name,
            (State::Literal, _) => State::Literal,
            (State::Name, b'%') => State::Literal,
            (State::Name, b'(') => State::Array,
            (State::Name, _) => State::Name,
            (State::Array, b'[') => State::String,
            (State::Array, b' ') => State::Array,
            (State::Array, _) => State::Element,
            (State::Delimiter, b',') => State::String,
            (State::Delimiter, b']') => State::ArgsEnd,
            (State::Delimiter, b' ') => State::Delimiter,
            (State::Delimiter, _) => return wrong("Expecting ',', ']', or whitespace"),
            (State::String, b'"') => State::Element,
            (State::String, b' ') => State::String,
            (State::String, _) => return wrong("Expecting '\"'"),
            (State::Element, b'\\') if next.is_none() => return wrong("Un-terminated backslash in JSON string"),
            (State::Element, b'\\') => {
                at += 1;
                State::Element
            }
            (State::Element, b')') => State::VariableEnd,
            (State::Element, b'"') => State::Delimiter,
            (State::Element, _) => State::Element,
            (State::ArgsEnd, b')') => State::VariableEnd,
            (State::ArgsEnd, b' ') => State::ArgsEnd,
            (State::ArgsEnd, _) => return wrong("Expecting ')' or whitespace after '{}', but found '{}'"),
            (State::VariableEnd, b'%') => State::Literal,
            (State::VariableEnd, b' ') => State::VariableEnd,
            (State::VariableEnd, _) => return wrong("Expecting '%' or whitespace after"),
        };
        at += 1;
    }
    match state {
        State::Literal => Ok(()),
        _ => wrong(&format!("Un-terminated variable expression '{value}'")),
    }
}
