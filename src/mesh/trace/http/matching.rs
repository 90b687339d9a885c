//! Envoy's choice of virtual host and route, and path rewriting.

use crate::mesh::Cause;
use crate::mesh::compile::rules::{UriMatch, ValueMatch};
use crate::mesh::proxy::{Matcher, Route, RouteConfig, VirtualHost};
use crate::mesh::trace::wire::Message;
use crate::outside::answer::bare;
use regex::Regex;
use std::sync::LazyLock;

/// How RE2 refers to a group in a replacement.
static GROUP: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\\(\d)").expect("a valid pattern"));

/// The virtual host for an authority: exact, longest suffix wildcard, longest prefix wildcard, `*`. The port is ignored.
pub fn virtual_host<'c>(config: &'c RouteConfig, authority: &str) -> Option<&'c VirtualHost> {
    let dotted = match authority.as_bytes().contains(&b':') {
        false => authority.ends_with('.'),
        true => authority.split(':').next().is_some_and(|h| h.ends_with('.')),
    };
    let host = if dotted { format!("{}.", bare(authority)).into() } else { bare(authority) };
    // Mostly one has the host itself. Should several, the last of them is taken, as below.
    let exact = config.virtual_hosts.iter().rfind(|vh| vh.domains.iter().any(|d| *d == host));
    if exact.is_some() {
        return exact;
    }
    let rank = |domain: &str| match domain {
        "*" => Some((0, 0)),
        d if d.starts_with('*') => (host.len() > d.len() - 1 && host.ends_with(&d[1..])).then_some((2, d.len())),
        d if d.ends_with('*') => host.starts_with(&d[..d.len() - 1]).then_some((1, d.len())),
        _ => None,
    };
    let best = config.virtual_hosts.iter().filter_map(|vh| Some((vh.domains.iter().filter_map(|d| rank(d)).max()?, vh)));
    best.max_by_key(|(rank, _)| *rank).map(|(_, vh)| vh)
}

pub fn value_fits(wanted: &ValueMatch, value: &str) -> bool {
    match wanted {
        ValueMatch::Exact(text) => value == text,
        ValueMatch::Prefix(text) => value.starts_with(text.as_str()),
        ValueMatch::Regex(pattern) => pattern.is_match(value),
        ValueMatch::Present => true,
    }
}

fn is_unknown(wanted: &ValueMatch) -> bool {
    matches!(wanted, ValueMatch::Regex(pattern) if pattern.is_unknown())
}

/// Whether a value may fit: what this program cannot compile may fit anything.
fn may_fit(wanted: &ValueMatch, value: &str) -> bool {
    value_fits(wanted, value) || is_unknown(wanted)
}

/// The expression of a route that this program cannot compile, by its field.
pub fn unknown(route: &Route) -> Option<Cause> {
    let matcher = &route.matcher;
    if matcher.is_empty() && route.rewrite.regex.is_none() && route.cors.is_none() {
        return None;
    }
    let told = |at: &Cause, field: &str| Some(at.within(field).saying("This program cannot compile this regular expression."));
    let single = [
        ("uri.regex", matcher.uri.as_ref().map(|u| &u.kind)),
        ("scheme.regex", matcher.scheme.as_ref()),
        ("method.regex", matcher.method.as_ref()),
        ("authority.regex", matcher.authority.as_ref()),
    ];
    if let Some((field, _)) = single.iter().find(|(_, wanted)| wanted.is_some_and(is_unknown)) {
        return told(&route.cause, field);
    }
    let named = [("headers", &matcher.headers), ("withoutHeaders", &matcher.without_headers), ("queryParams", &matcher.query)];
    for (field, wanted) in named {
        if let Some((name, _)) = wanted.iter().find(|(_, wanted)| is_unknown(wanted)) {
            return told(&route.cause, &format!("{field}[{name}].regex"));
        }
    }
    if route.rewrite.regex.as_ref().is_some_and(|(pattern, _)| pattern.within().is_none()) {
        return told(&route.rule, "rewrite.uriRegexRewrite.match");
    }
    let origins = route.cors.iter().flat_map(|c| &c.origins).position(is_unknown);
    origins.and_then(|i| told(&route.rule, &format!("corsPolicy.allowOrigins[{i}].regex")))
}

fn uri_fits(wanted: &UriMatch, path: &str, ignore_case: bool) -> bool {
    if let (ValueMatch::Prefix(prefix), true) = (&wanted.kind, wanted.elements) {
        let prefix = prefix.trim_end_matches('/');
        return path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    }
    match (&wanted.kind, ignore_case) {
        (ValueMatch::Exact(t), true) => path.eq_ignore_ascii_case(t),
        (ValueMatch::Prefix(t), true) => path.to_ascii_lowercase().starts_with(&t.to_ascii_lowercase()),
        (kind, _) => may_fit(kind, path),
    }
}

/// Whether every condition of a route holds; one that cannot be told counts as one that does (see [`unknown`]).
pub fn fits(matcher: &Matcher, message: &Message) -> bool {
    if matcher.is_empty() {
        return true;
    }
    let (path, query) = message.path.split_once('?').unwrap_or((&message.path, ""));
    let optional = |wanted: &Option<ValueMatch>, value: &str| wanted.as_ref().is_none_or(|w| may_fit(w, value));
    let header = |(name, wanted): &(String, ValueMatch)| message.header(name).is_some_and(|v| may_fit(wanted, v));
    // A header that is not there counts as an empty one, unless presence is asked for.
    let absent = |(name, unwanted): &(String, ValueMatch)| match unwanted {
        ValueMatch::Present => message.header(name).is_some(),
        other => value_fits(other, message.header(name).map_or("", |v| v)),
    };
    let parameter = |(name, wanted): &(String, ValueMatch)| {
        let mut pairs = query.split('&').map(|p| p.split_once('=').unwrap_or((p, "")));
        pairs.any(|(n, v)| n == name && may_fit(wanted, v))
    };
    matcher.uri.as_ref().is_none_or(|u| uri_fits(u, path, matcher.ignore_case))
        && (matcher.scheme.is_none() || optional(&matcher.scheme, message.header("x-forwarded-proto").map_or("http", |v| v)))
        && optional(&matcher.method, &message.method)
        && optional(&matcher.authority, &message.authority)
        && matcher.headers.iter().all(header)
        && !matcher.without_headers.iter().any(absent)
        && matcher.query.iter().all(parameter)
}

/// Replaces the matched prefix, or the whole path for exact and regular expressions.
pub fn replace_prefix(matcher: &Matcher, path: &str, with: &str) -> String {
    if let Some(UriMatch { kind: ValueMatch::Prefix(prefix), elements: true }) = &matcher.uri {
        // Taking the prefix away leaves one slash; otherwise only the elements are replaced.
        let rest = path.strip_prefix(prefix.trim_end_matches('/')).unwrap_or(path);
        let joined = format!("{}{rest}", with.trim_end_matches('/'));
        return if joined.is_empty() { "/".into() } else { joined };
    }
    match matcher.uri.as_ref().map(|u| &u.kind) {
        Some(ValueMatch::Prefix(prefix)) if path.len() >= prefix.len() => format!("{with}{}", &path[prefix.len()..]),
        Some(ValueMatch::Exact(_) | ValueMatch::Regex(_)) => with.to_string(),
        _ => format!("{with}{}", path.strip_prefix('/').unwrap_or(path)),
    }
}

/// Applies `rewrite`.
pub fn rewrite(route: &Route, message: &mut Message) {
    if route.rewrite.uri.is_none() && route.rewrite.regex.is_none() {
        return;
    }
    let (path, query) = match message.path.split_once('?') {
        Some((path, query)) => (path.to_string(), format!("?{query}")),
        None => (message.path.to_string(), String::new()),
    };
    let new = match (&route.rewrite.uri, &route.rewrite.regex) {
        (Some(uri), _) => Some(replace_prefix(&route.matcher, &path, uri)),
        (None, Some((pattern, with))) => {
            let with = GROUP.replace_all(with, "$${${1}}");
            pattern.within().map(|r| r.replace_all(&path, &*with).into_owned())
        }
        (None, None) => None,
    };
    if let Some(new) = new {
        message.original_path.get_or_insert_with(|| message.path.clone());
        message.set("x-envoy-original-path", message.path.clone());
        message.path = format!("{new}{query}").into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::shared::Text;

    fn config(domains: &[&str]) -> RouteConfig {
        let host = |d: &&str| VirtualHost {
            name: Text::new(d),
            domains: vec![d.to_string()],
            routes: Vec::new(),
            cause: Cause::new("default", "", ""),
        };
        RouteConfig { virtual_hosts: domains.iter().map(host).collect() }
    }

    #[test]
    fn an_expression_that_cannot_be_compiled_is_named_rather_than_never_fitting() {
        use crate::mesh::pattern::Pattern;
        use crate::mesh::proxy::{Action, Retries};
        let cause = Cause::new("VirtualService a/b", "spec.http[0].match[0]", "");
        let mut route = Route::plain("", Action::Direct(200, Text::default()), Retries::none(), cause);
        let large = ValueMatch::Regex(Pattern::new(r"(\w{500}){20}"));
        route.matcher.without_headers.push(("x-a".into(), large.clone()));
        let request = crate::mesh::follow::request_for("http://a.org/", "GET", "curl/8.1.2").expect("a URL");
        let message = Message::of_client(&request, "a.org".into());
        assert!(fits(&route.matcher, &message));
        assert_eq!(unknown(&route).expect("a cause").field, "spec.http[0].match[0].withoutHeaders[x-a].regex");
        route.matcher = Matcher { uri: Some(UriMatch { kind: large, elements: false }), ..Matcher::default() };
        assert!(fits(&route.matcher, &message));
        assert_eq!(unknown(&route).expect("a cause").field, "spec.http[0].match[0].uri.regex");
        route.matcher.uri = Some(UriMatch { kind: ValueMatch::Regex(Pattern::new("/x")), elements: false });
        assert!(!fits(&route.matcher, &message));
        assert_eq!(unknown(&route), None);
    }

    #[test]
    fn the_most_specific_virtual_host_wins_and_the_port_does_not_count() {
        let config = config(&["*", "*.wiki.org", "*.b.wiki.org", "en.wiki.org"]);
        for (authority, wanted) in [
            ("en.wiki.org", "en.wiki.org"),
            ("EN.wiki.ORG:80", "en.wiki.org"),
            ("de.wiki.org", "*.wiki.org"),
            ("a.b.wiki.org", "*.b.wiki.org"),
            ("wiki.org", "*"),
            ("1.2.3.4", "*"),
        ] {
            assert_eq!(virtual_host(&config, authority).map(|h| h.name.as_str()), Some(wanted), "{authority}");
        }
    }
}
