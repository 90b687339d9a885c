//! One rule of an HTTPRoute (conversion.go convertHTTPRoute): one HTTP rule for each of its matches.

use super::routes::{Backend, Source};
use crate::base::shared::Text;
use crate::mesh::Cause;
use crate::mesh::compile::http_parts;
use crate::mesh::compile::rules::{
    Destination, Edits, HeaderEdits, HttpRule, Match, Redirect, Rewrite, UriMatch, ValueMatch, list, some_text, text,
};
use crate::mesh::config::duration_ms;
use crate::mesh::pattern::Pattern;
use crate::mesh::proxy::{Action, Cors, Matcher, Retries};
use serde_json::Value;

/// The rules that one rule gives; `None` when Istio refuses the whole route for it.
pub fn rules(source: &Source<'_>, rule: &Value, n: usize) -> Option<Vec<HttpRule>> {
    let field = format!("spec.rules[{n}]");
    let cause = Cause::new(&*source.object, &*field, "This rule of the HTTPRoute takes the request.");
    let base = HttpRule {
        name: some_text(rule, "name").unwrap_or_else(|| format!("{}.{}.{n}", source.route.namespace(), source.route.name())),
        matches: Vec::new(),
        action: Action::Forward(Vec::new()),
        destinations: Vec::new(),
        timeout_ms: None,
        retries: None,
        fault: None,
        rewrite: Rewrite::default(),
        headers: HeaderEdits::default(),
        mirrors: Vec::new(),
        cors: None,
        delegate: None,
        missing_is_500: true,
        not_modelled: None,
        inherited: Vec::new(),
        rule: cause.clone(),
    };
    let mut base = filters(source, rule, base, &field)?;
    times(rule, &mut base);
    backends(source, rule, &mut base, &field)?;
    let written = list(rule, "matches");
    let root = Value::Object(Default::default());
    let matches: Vec<&Value> = if written.is_empty() { vec![&root] } else { written.iter().collect() };
    let one = |(j, m): (usize, &&Value)| {
        let place = if written.is_empty() { cause.clone() } else { cause.within(&format!("matches[{j}]")) };
        Some(HttpRule { matches: vec![matching(m, place)?], ..base.clone() })
    };
    matches.iter().enumerate().map(one).collect()
}

fn backends(source: &Source<'_>, rule: &Value, base: &mut HttpRule, field: &str) -> Option<()> {
    let all = list(rule, "backendRefs");
    let weight = |b: &Value| b.get("weight").and_then(Value::as_u64).unwrap_or(1);
    if matches!(base.action, Action::Redirect(_)) {
        return Some(());
    }
    if all.iter().map(weight).sum::<u64>() == 0 {
        base.action = Action::Direct(500, Text::default());
        return Some(());
    }
    for (i, backend) in all.iter().enumerate().filter(|(_, b)| weight(b) > 0) {
        let place = format!("{field}.backendRefs[{i}]");
        let mut to = destination(source, backend, place)?;
        to.weight = Some(weight(backend));
        for filter in list(backend, "filters") {
            match text(filter, "type").as_str() {
                "RequestHeaderModifier" => to.headers.request = edits(filter.get("requestHeaderModifier")),
                "ResponseHeaderModifier" => to.headers.response = edits(filter.get("responseHeaderModifier")),
                _ => return None,
            }
        }
        base.destinations.push(to);
    }
    Some(())
}

/// A destination; one that is not there, or may not be referred to, leads to no cluster. `None`: the route is refused.
fn destination(source: &Source<'_>, backend: &Value, field: String) -> Option<Destination> {
    let (host, port) = match source.backend(backend) {
        Backend::Host(host, port) => (host, port),
        Backend::Unknown => ("UnknownService".to_string(), 0),
        Backend::Refused => return None,
    };
    Some(Destination { host, subset: String::new(), port: Some(port), weight: None, headers: HeaderEdits::default(), field })
}

fn filters(source: &Source<'_>, rule: &Value, mut base: HttpRule, field: &str) -> Option<HttpRule> {
    for (i, filter) in list(rule, "filters").iter().enumerate() {
        match text(filter, "type").as_str() {
            "RequestHeaderModifier" => base.headers.request = edits(filter.get("requestHeaderModifier")),
            "ResponseHeaderModifier" => base.headers.response = edits(filter.get("responseHeaderModifier")),
            "RequestRedirect" => base.action = Action::Redirect(redirect(filter.get("requestRedirect")?)),
            "URLRewrite" => base.rewrite = rewrite(filter.get("urlRewrite")?),
            "RequestMirror" => {
                let mirror = filter.get("requestMirror")?;
                let place = format!("{field}.filters[{i}].requestMirror.backendRef");
                if let Backend::Host(..) = source.backend(mirror.get("backendRef")?) {
                    let to = destination(source, mirror.get("backendRef")?, place)?;
                    base.mirrors.push((to, share(mirror)));
                }
            }
            "CORS" => base.cors = Some(cors(filter.get("cors")?)),
            _ => return None,
        }
    }
    Some(base)
}

/// Of a mirror: `fraction`, else `percent`, else all; in hundredths of a percent.
fn share(mirror: &Value) -> u64 {
    let number = |path: &str| mirror.pointer(path).and_then(Value::as_u64);
    match (number("/fraction/numerator"), number("/percent")) {
        (Some(n), _) => n * 10_000 / number("/fraction/denominator").unwrap_or(100).max(1),
        (None, Some(percent)) => percent * 100,
        (None, None) => 10_000,
    }
}

/// `set`, `add`, `remove` as lists of `{name, value}`; of equal names the first counts.
fn edits(value: Option<&Value>) -> Edits {
    let value = value.unwrap_or(&Value::Null);
    let pairs = |key: &str| {
        let mut all: Vec<(String, String)> = Vec::new();
        for pair in list(value, key) {
            let name = text(pair, "name").to_ascii_lowercase();
            if !all.iter().any(|(n, _)| *n == name) {
                all.push((name, text(pair, "value")));
            }
        }
        all.sort();
        all
    };
    let remove = list(value, "remove").iter().filter_map(|v| v.as_str().map(String::from)).collect();
    Edits { set: pairs("set"), add: pairs("add"), remove }
}

fn redirect(value: &Value) -> Redirect {
    let path = value.get("path").unwrap_or(&Value::Null);
    let scheme = some_text(value, "scheme");
    let port = value.get("port").and_then(Value::as_u64).map(|n| n as u16);
    Redirect {
        code: value.get("statusCode").and_then(Value::as_u64).unwrap_or(302) as u16,
        uri: some_text(path, "replaceFullPath"),
        prefix: some_text(path, "replacePrefixMatch"),
        authority: some_text(value, "hostname"),
        from_request_port: port.is_none() && scheme.is_none(),
        scheme,
        port,
    }
}

fn rewrite(value: &Value) -> Rewrite {
    let path = value.get("path").unwrap_or(&Value::Null);
    let prefix = path.get("replacePrefixMatch").and_then(Value::as_str).map(|p| p.trim_end_matches('/').to_string());
    Rewrite {
        uri: prefix.map(|p| if p.is_empty() { "/".into() } else { p }),
        authority: some_text(value, "hostname"),
        regex: some_text(path, "replaceFullPath").map(|whole| (Pattern::new("/.*"), whole)),
    }
}

fn cors(value: &Value) -> Cors {
    let mut cors = http_parts::cors(value);
    let origins = list(value, "allowOrigins").iter().filter_map(Value::as_str);
    cors.origins = origins.map(origin).collect();
    cors.max_age = value.get("maxAge").and_then(Value::as_u64).or(cors.max_age);
    cors
}

/// `*`, or one `*` at a place where a label stands.
fn origin(text: &str) -> ValueMatch {
    match text.split_once('*') {
        None => ValueMatch::Exact(text.into()),
        Some(("", "")) => ValueMatch::Regex(Pattern::new(".*")),
        Some((before, after)) => ValueMatch::Regex(Pattern::new(format!("{}.*{}", regex::escape(before), regex::escape(after)))),
    }
}

/// `timeouts` and `retry`.
fn times(rule: &Value, base: &mut HttpRule) {
    let duration = |path: &str| rule.pointer(path).and_then(Value::as_str).and_then(duration_ms).filter(|ms| *ms > 0);
    if let Some(retry) = rule.get("retry").filter(|r| r.is_object()) {
        let codes: Vec<u16> = list(retry, "codes").iter().filter_map(|c| c.as_u64()).map(|n| n as u16).collect();
        let words = "connect-failure,refused-stream,unavailable,cancelled";
        let told = if codes.is_empty() { words.to_string() } else { format!("{words},retriable-status-codes") };
        base.retries = Some(Retries {
            attempts: retry.get("attempts").and_then(Value::as_u64).unwrap_or(2) as u32,
            on_connect_failure: true,
            statuses: codes,
            words: Some(told),
            backoff_ms: retry.get("backoff").and_then(Value::as_str).and_then(duration_ms),
            ..Retries::none()
        });
    }
    base.timeout_ms = duration("/timeouts/request");
    if let Some(backend) = duration("/timeouts/backendRequest") {
        match &mut base.retries {
            Some(retries) => retries.per_try_timeout_ms = Some(backend),
            None => {
                base.timeout_ms = Some(backend);
                base.inherited.push(("timeout", base.rule.within("timeouts.backendRequest")));
            }
        }
    }
}

fn value(entry: &Value) -> Option<ValueMatch> {
    match entry.get("type").and_then(Value::as_str).unwrap_or("Exact") {
        "Exact" => Some(ValueMatch::Exact(text(entry, "value"))),
        "RegularExpression" => Some(ValueMatch::Regex(Pattern::new(text(entry, "value")))),
        _ => None,
    }
}

fn named(entry: &Value, key: &str) -> Option<Vec<(String, ValueMatch)>> {
    let mut all: Vec<(String, ValueMatch)> = Vec::new();
    for one in list(entry, key) {
        let name = if key == "headers" { text(one, "name").to_ascii_lowercase() } else { text(one, "name") };
        if !all.iter().any(|(n, _)| *n == name) {
            all.push((name, value(one)?));
        }
    }
    Some(all)
}

fn matching(entry: &Value, cause: Cause) -> Option<Match> {
    let path = entry.get("path").unwrap_or(&Value::Null);
    let wanted = some_text(path, "value").unwrap_or_else(|| "/".into());
    let uri = match path.get("type").and_then(Value::as_str).unwrap_or("PathPrefix") {
        "PathPrefix" if wanted == "/" => UriMatch { kind: ValueMatch::Prefix(wanted), elements: false },
        "PathPrefix" => UriMatch { kind: ValueMatch::Prefix(wanted.trim_end_matches('/').into()), elements: true },
        "Exact" => UriMatch { kind: ValueMatch::Exact(wanted), elements: false },
        "RegularExpression" => UriMatch { kind: ValueMatch::Regex(Pattern::new(wanted)), elements: false },
        _ => return None,
    };
    let run_time = Matcher {
        uri: Some(uri),
        method: some_text(entry, "method").map(ValueMatch::Exact),
        headers: named(entry, "headers")?,
        query: named(entry, "queryParams")?,
        ..Matcher::default()
    };
    Some(Match { run_time, ..Match::anything(cause) })
}
