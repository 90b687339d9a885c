//! Run-time conditions of a route (Istio: route.TranslateRouteMatch).

use super::{put, some};
use crate::base::order::Order;
use crate::mesh::compile::rules::{UriMatch, ValueMatch};
use crate::mesh::proxy::Matcher;
use serde_json::{Value, json};

/// `match` of a route.
pub fn route_match(of: &Matcher) -> Value {
    let mut written = match &of.uri {
        Some(UriMatch { kind: ValueMatch::Prefix(prefix), elements: true }) if prefix != "/" => {
            json!({ "path_separated_prefix": prefix })
        }
        Some(UriMatch { kind: ValueMatch::Exact(path), .. }) => json!({ "path": path }),
        Some(UriMatch { kind: ValueMatch::Regex(regex), .. }) => json!({ "safe_regex": { "regex": regex.as_str() } }),
        Some(UriMatch { kind: ValueMatch::Prefix(prefix), .. }) => json!({ "prefix": prefix }),
        _ => json!({ "prefix": "/" }),
    };
    if *of != Matcher::default() {
        put(&mut written, "case_sensitive", Some(json!(!of.ignore_case)));
    }
    let mut headers: Vec<(&str, Value)> = of.headers.iter().map(|(n, m)| (n.as_str(), header(n, m, false))).collect();
    headers.extend(of.without_headers.iter().map(|(n, m)| (n.as_str(), header(n, m, true))));
    headers.order_by(|a, b| a.0.cmp(b.0));
    let special = [(":method", &of.method), (":authority", &of.authority), (":scheme", &of.scheme)];
    headers.extend(special.iter().filter_map(|(n, m)| Some((*n, header(n, m.as_ref()?, false)))));
    put(&mut written, "headers", some(headers.into_iter().map(|(_, v)| v).collect()));
    put(&mut written, "query_parameters", some(of.query.iter().map(|(n, m)| parameter(n, m)).collect()));
    written
}

/// What Istio writes as presence: nothing said, and the regex `*`, which is none.
fn is_presence(of: &ValueMatch) -> bool {
    matches!(of, ValueMatch::Present) || matches!(of, ValueMatch::Regex(r) if r.as_str() == "*")
}

/// `StringMatcher`.
pub fn string_match(of: &ValueMatch) -> Value {
    match of {
        ValueMatch::Exact(text) => json!({ "exact": text }),
        ValueMatch::Prefix(text) => json!({ "prefix": text }),
        ValueMatch::Regex(text) => json!({ "safe_regex": { "regex": text.as_str() } }),
        ValueMatch::Present => json!({ "prefix": "" }),
    }
}

fn header(name: &str, of: &ValueMatch, inverted: bool) -> Value {
    let mut written = match is_presence(of) {
        true => json!({ "name": name, "present_match": true }),
        false => json!({ "name": name, "string_match": string_match(of) }),
    };
    if inverted {
        put(&mut written, "invert_match", Some(json!(true)));
        put(&mut written, "treat_missing_header_as_empty", (!is_presence(of)).then_some(json!(true)));
    }
    written
}

fn parameter(name: &str, of: &ValueMatch) -> Value {
    match is_presence(of) {
        true => json!({ "name": name, "present_match": true }),
        false => json!({ "name": name, "string_match": string_match(of) }),
    }
}
