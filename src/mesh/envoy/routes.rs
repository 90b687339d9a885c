//! Route configurations (Istio: core/httproute.go, core/gateway.go, core/route/route.go).

use super::matching::{route_match, string_match};
use super::{Told, duration, extension, made_by, put, some, typed};
use crate::mesh::compile::rules::{Edits, Fault, HeaderEdits, Redirect, UriMatch, ValueMatch};
use crate::mesh::pattern::Pattern;
use crate::mesh::proxy::{Action, Cors, Mirror, Retries, Route, RouteConfig, VirtualHost, Weighted};
use serde_json::{Map, Value, json};

/// What Istio writes when nobody says otherwise.
const RETRY_ON: &str = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";

/// One route configuration as RDS has it.
pub fn config(told: &Told<'_>, name: &str, config: &RouteConfig) -> Value {
    let gateway = told.proxy.gateway;
    let mut written = json!({
        "name": name,
        "virtual_hosts": config.virtual_hosts.iter().map(|h| virtual_host(h, port_of(name, h))).collect::<Vec<_>>(),
        "validate_clusters": false,
        "ignore_port_in_host_matching": true,
    });
    if !gateway {
        put(&mut written, "max_direct_response_body_size_bytes", Some(json!(1_048_576)));
    }
    written
}

/// The port that a virtual host stands for: the part after the colon of its name, else that of the configuration.
fn port_of(config: &str, host: &VirtualHost) -> u16 {
    let after = |text: &str| text.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    after(&host.name).or_else(|| config.rsplit(['.', ':']).find_map(|p| p.parse().ok())).unwrap_or(0)
}

fn virtual_host(host: &VirtualHost, port: u16) -> Value {
    let mut written = json!({ "name": host.name, "domains": host.domains, "include_request_attempt_count": true });
    put(&mut written, "routes", some(host.routes.iter().map(|r| route(r, port)).collect()));
    written
}

fn route(of: &Route, port: u16) -> Value {
    let by_rule = of.cause.object.starts_with("VirtualService ") && of.name != "default";
    let mut written = json!({ "match": route_match(&of.matcher) });
    put(&mut written, "name", (!of.name.is_empty()).then(|| json!(of.name)));
    let (key, action) = match &of.action {
        Action::Forward(to) => ("route", forward(of, to)),
        Action::Redirect(to) => ("redirect", redirect(to, port)),
        Action::Direct(status, body) => ("direct_response", direct(*status, body)),
    };
    put(&mut written, key, Some(action));
    put(&mut written, "metadata", by_rule.then(|| made_by(&of.cause.object)).flatten());
    if !matches!(of.name.as_str(), "block_all" | "allow_any" | "allow_any_dynamic_dns") {
        put(&mut written, "decorator", Some(json!({ "operation": operation(of, port) })));
    }
    let alone = match &of.action {
        Action::Forward(to) if to.len() == 1 => Some(&to[0].headers),
        _ => None,
    };
    edits(&mut written, [Some(&of.headers), alone].into_iter().flatten());
    put(&mut written, "typed_per_filter_config", per_filter(of));
    written
}

fn per_filter(of: &Route) -> Option<Value> {
    let mut all = Map::new();
    all.extend(of.fault.as_ref().map(|f| ("envoy.filters.http.fault".to_string(), fault(f))));
    all.extend(of.cors.as_ref().map(|c| ("envoy.filters.http.cors".to_string(), cors(c))));
    (!all.is_empty()).then_some(Value::Object(all))
}

fn cors(of: &Cors) -> Value {
    let everyone = json!({ "default_value": { "numerator": 100, "denominator": "HUNDRED" } });
    let mut policy = json!({ "filter_enabled": everyone, "forward_not_matching_preflights": !of.ignores_others });
    put(&mut policy, "allow_origin_string_match", some(of.origins.iter().map(string_match).collect()));
    for (key, text) in [("allow_methods", &of.methods), ("allow_headers", &of.headers), ("expose_headers", &of.expose)] {
        put(&mut policy, key, (!text.is_empty()).then(|| json!(text)));
    }
    put(&mut policy, "max_age", of.max_age.map(|seconds| json!(seconds.to_string())));
    put(&mut policy, "allow_credentials", of.credentials.map(|yes| json!(yes)));
    typed("envoy.extensions.filters.http.cors.v3.CorsPolicy", policy)
}

fn mirror(of: &Mirror) -> Value {
    json!({
        "cluster": of.cluster,
        "runtime_fraction": { "default_value": { "numerator": of.share * 100, "denominator": "MILLION" } },
        "trace_sampled": false,
        "disable_shadow_host_suffix_append": true,
    })
}

/// Where the decorator says the request goes: `host:port/path*`, or the VirtualService when there are several destinations.
fn operation(of: &Route, port: u16) -> String {
    let path = match &of.matcher.uri {
        None => "/*".to_string(),
        Some(UriMatch { kind: ValueMatch::Prefix(p), .. }) => format!("{p}*"),
        Some(UriMatch { kind: ValueMatch::Exact(p), .. }) => p.clone(),
        Some(UriMatch { kind: ValueMatch::Regex(p), .. }) => p.as_str().to_string(),
        Some(_) => "/*".into(),
    };
    if let Action::Forward(to) = &of.action
        && let [one] = to.as_slice()
    {
        let parts: Vec<&str> = one.cluster.split('|').collect();
        if let [_, port, _, host] = parts.as_slice() {
            return format!("{host}:{port}{path}");
        }
    }
    let name = of.cause.object.rsplit('/').next().unwrap_or("");
    format!("{name}:{port}{path}")
}

fn forward(of: &Route, to: &[Weighted]) -> Value {
    let limit = duration(of.timeout_ms.unwrap_or(0));
    let mut action = json!({ "timeout": limit, "max_grpc_timeout": limit });
    match to {
        [one] => put(&mut action, "cluster", Some(json!(one.cluster))),
        several => {
            put(&mut action, "weighted_clusters", Some(json!({ "clusters": several.iter().map(share).collect::<Vec<_>>() })))
        }
    }
    put(&mut action, "retry_policy", retry_policy(of));
    put(&mut action, "request_mirror_policies", some(of.mirrors.iter().map(mirror).collect()));
    put(&mut action, "cluster_not_found_response_code", of.missing_is_500.then_some(json!("INTERNAL_SERVER_ERROR")));
    let rewrite = &of.rewrite;
    let substitution =
        |(pattern, to): &(Pattern, String)| json!({ "pattern": { "regex": pattern.as_str() }, "substitution": to });
    put(&mut action, "regex_rewrite", rewrite.regex.as_ref().map(substitution));
    put(&mut action, "prefix_rewrite", rewrite.uri.as_ref().filter(|_| rewrite.regex.is_none()).map(|u| json!(u)));
    let set = authority(&of.headers.request)
        .or_else(|| to.first().filter(|_| to.len() == 1).and_then(|w| authority(&w.headers.request)));
    let host = rewrite.authority.clone().or(set);
    put(&mut action, "host_rewrite_literal", host.map(|h| json!(h)));
    action
}

fn share(of: &Weighted) -> Value {
    let mut share = json!({ "name": of.cluster, "weight": of.weight });
    edits(&mut share, std::iter::once(&of.headers));
    put(&mut share, "host_rewrite_literal", authority(&of.headers.request).map(|h| json!(h)));
    share
}

/// `set` of `host` or `:authority` replaces the host.
fn authority(edits: &Edits) -> Option<String> {
    edits.set.iter().find(|(name, _)| is_host(name)).map(|(_, value)| value.clone())
}

fn is_host(name: &str) -> bool {
    name.eq_ignore_ascii_case("host") || name == ":authority"
}

/// Only Istio's own routes and those of rules retry; `attempts: 0` writes none.
fn retry_policy(of: &Route) -> Option<Value> {
    let Retries { attempts, per_try_timeout_ms, words, statuses, same_host, backoff_ms, .. } = &of.retries;
    if *attempts == 0 {
        return None;
    }
    let on = words.as_deref().unwrap_or(RETRY_ON);
    let kind = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate";
    let mut policy = json!({
        "num_retries": attempts,
        "retry_on": on,
        "retry_host_predicate": [extension("envoy.retry_host_predicates.previous_hosts", kind, json!({}))],
        "host_selection_retry_max_attempts": "5",
    });
    if on.contains("retriable-status-codes") && !statuses.is_empty() {
        put(&mut policy, "retriable_status_codes", Some(json!(statuses)));
    }
    if *same_host && let Some(members) = policy.as_object_mut() {
        members.remove("retry_host_predicate");
    }
    put(&mut policy, "retry_back_off", backoff_ms.map(|ms| json!({ "base_interval": duration(ms) })));
    put(&mut policy, "per_try_timeout", per_try_timeout_ms.map(|ms| json!(duration(ms))));
    Some(policy)
}

fn redirect(to: &Redirect, port: u16) -> Value {
    let code = match to.code {
        302 => "FOUND",
        303 => "SEE_OTHER",
        307 => "TEMPORARY_REDIRECT",
        308 => "PERMANENT_REDIRECT",
        _ => "MOVED_PERMANENTLY",
    };
    let mut action = json!({ "response_code": code });
    put(&mut action, "host_redirect", to.authority.as_ref().map(|a| json!(a)));
    put(&mut action, "path_redirect", to.uri.as_ref().filter(|_| to.prefix.is_none()).map(|u| json!(u)));
    put(&mut action, "prefix_rewrite", to.prefix.as_ref().map(|p| json!(p)));
    put(&mut action, "scheme_redirect", to.scheme.as_ref().map(|s| json!(s)));
    let https = to.scheme.as_deref().unwrap_or(if port == 443 { "https" } else { "http" }) == "https";
    let usual = if https { 443 } else { 80 };
    put(&mut action, "port_redirect", to.port.filter(|p| *p != usual).map(|p| json!(p)));
    action
}

fn direct(status: u16, body: &str) -> Value {
    let mut action = json!({ "status": status });
    put(&mut action, "body", (!body.is_empty()).then(|| json!({ "inline_string": body })));
    action
}

/// Header edits; later ones come after earlier ones, so a set of a destination outdoes the rule's.
fn edits<'e>(into: &mut Value, all: impl Iterator<Item = &'e HeaderEdits>) {
    let mut lists: Map<String, Value> = Map::new();
    for headers in all {
        for (side, edits) in [("request", &headers.request), ("response", &headers.response)] {
            let option = |(name, value): &(String, String), action: &str| json!({ "header": { "key": name, "value": value }, "append_action": action });
            let set = edits.set.iter().filter(|(n, _)| side == "response" || !is_host(n));
            let set = set.map(|p| option(p, "OVERWRITE_IF_EXISTS_OR_ADD"));
            let add = edits.add.iter().filter(|(n, _)| side == "response" || !is_host(n));
            let add: Vec<Value> = add.map(|p| option(p, "APPEND_IF_EXISTS_OR_ADD")).chain(set).collect();
            let remove: Vec<Value> = edits.remove.iter().map(|n| json!(n)).collect();
            for (key, list) in [(format!("{side}_headers_to_add"), add), (format!("{side}_headers_to_remove"), remove)] {
                if let (false, Value::Array(have)) = (list.is_empty(), lists.entry(key).or_insert_with(|| json!([]))) {
                    have.extend(list);
                }
            }
        }
    }
    for (key, list) in lists {
        put(into, &key, list.as_array().cloned().and_then(some));
    }
}

fn fault(of: &Fault) -> Value {
    let share = |hundredths: u64| json!({ "numerator": hundredths * 100, "denominator": "MILLION" });
    let mut fault = json!({});
    let delay = of.delay.map(|(ms, part)| json!({ "fixed_delay": duration(ms), "percentage": share(part) }));
    put(&mut fault, "delay", delay);
    put(&mut fault, "abort", of.abort.map(|(status, part)| json!({ "http_status": status, "percentage": share(part) })));
    typed("envoy.extensions.filters.http.fault.v3.HTTPFault", fault)
}
