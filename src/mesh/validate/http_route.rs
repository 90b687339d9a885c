//! One http rule of a VirtualService (S: pkg/config/validation/virtualservice.go).

use super::virtual_service::{common_match, destination, destinations};
use super::{Validation, filled, items, names, string_match, text};
use serde_json::Value;

const RETRY_ON: [&str; 16] = [
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "envoy-ratelimited",
    "http3-post-connect-failure",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
];

/// Checks a rule; `delegate`: the object is one that others delegate to.
pub fn validate(rule: &Value, delegate: bool, found: &mut Validation) {
    conflicts(rule, delegate, found);
    items(&rule["match"]).iter().for_each(|one| request_match(one, found));
    headers(&rule["headers"], found);
    for origin in items(&rule["corsPolicy"]["allowOrigins"]) {
        string_match::validate(found, origin, "corsPolicy.allowOrigins");
    }
    if let Some(age) = rule["corsPolicy"]["maxAge"].as_str() {
        found.check(names::duration(age));
    }
    fault(&rule["fault"], found);
    mirrors(rule, found);
    redirect(&rule["redirect"], found);
    if rule["directResponse"].is_object()
        && let Some(status) = rule["directResponse"]["status"].as_i64().filter(|s| !(200..=599).contains(s))
    {
        found.error(format!("HTTP status {status} is not in range 200-599"));
    }
    retries(&rule["retries"], found);
    rewrite(rule, found);
    destinations(items(&rule["route"]), found);
    items(&rule["route"]).iter().for_each(|route| headers(&route["headers"], found));
    if let Some(timeout) = rule["timeout"].as_str() {
        found.check(names::duration(timeout));
    }
}

fn conflicts(rule: &Value, delegate: bool, found: &mut Validation) {
    let has = |field: &str| !rule[field].is_null();
    let routes = filled(&rule["route"]);
    if has("delegate") {
        if delegate {
            found.error("delegate HTTP route cannot contain delegate");
        } else if routes {
            found.error(format!("root HTTP route {} must not specify route", text(&rule["name"])));
        }
        return;
    }
    let rows = [
        (has("redirect") && routes, "HTTP route cannot contain both route and redirect"),
        (has("redirect") && has("fault"), "HTTP route cannot contain both fault and redirect"),
        (has("redirect") && has("rewrite"), "HTTP route rule cannot contain both rewrite and redirect"),
        (has("redirect") && has("directResponse"), "HTTP route rule cannot contain both direct_response and redirect"),
        (has("directResponse") && routes, "HTTP route cannot contain both route and direct_response"),
        (has("directResponse") && has("fault"), "HTTP route cannot contain both fault and direct_response"),
        (has("directResponse") && has("rewrite"), "HTTP route rule cannot contain both rewrite and direct_response"),
        (!has("redirect") && !has("directResponse") && !routes, "HTTP route, redirect or direct_response is required"),
    ];
    rows.into_iter().for_each(|(wrong, text)| found.error_if(wrong, text));
}

fn request_match(one: &Value, found: &mut Validation) {
    for field in ["headers", "withoutHeaders"] {
        for (name, value) in one[field].as_object().into_iter().flatten() {
            if !name.starts_with("@request.auth.claims") {
                found.check(header_name(name));
            }
            string_match::validate(found, value, "headers");
        }
    }
    for (_, value) in one["queryParams"].as_object().into_iter().flatten() {
        string_match::validate(found, value, "queryParams");
    }
    for field in ["uri", "scheme", "method", "authority"] {
        string_match::validate(found, &one[field], field);
    }
    common_match(one, found);
}

fn header_name(name: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match name {
        "" => Err("header name cannot be empty".into()),
        name if name.chars().all(good) => Ok(()),
        name => Err(format!("header name {name} is not a valid header name")),
    }
}

/// Operations on headers: only requests may have their Host set.
fn headers(headers: &Value, found: &mut Validation) {
    for (side, operation) in [("request", "add"), ("request", "set"), ("response", "add"), ("response", "set")] {
        for name in headers[side][operation].as_object().into_iter().flatten().map(|(name, _)| name) {
            found.check(operated(name, side == "request"));
        }
    }
    for side in ["request", "response"] {
        for name in items(&headers[side]["remove"]).iter().map(text) {
            found.check(operated(name, false));
        }
    }
}

fn operated(name: &str, may_set_host: bool) -> Result<(), String> {
    let host = name.eq_ignore_ascii_case("host") || name == ":authority";
    match () {
        () if name.is_empty() => Err("header name cannot be empty".into()),
        () if host && may_set_host => Ok(()),
        () if name.eq_ignore_ascii_case("host") => Err(format!("invalid header {name:?}: cannot set Host header")),
        () if name.starts_with(':') => Err(format!("invalid header {name:?}: header cannot have \":\" prefix")),
        () => header_name(name),
    }
}

fn percentage(value: &Value, found: &mut Validation) {
    if let Some(percent) = value["value"].as_f64().filter(|p| *p != 0.0 && !(0.0001..=100.0).contains(p)) {
        found.error(format!("percentage {percent} is neither 0.0, nor in range [0.0001, 100.0]"));
    }
}

fn fault(fault: &Value, found: &mut Validation) {
    if fault.is_null() {
        return;
    }
    let (abort, delay) = (&fault["abort"], &fault["delay"]);
    found.error_if(abort.is_null() && delay.is_null(), "HTTP fault injection must have an abort and/or a delay");
    percentage(&abort["percentage"], found);
    if let Some(status) = abort["httpStatus"].as_i64().filter(|s| !(200..=599).contains(s)) {
        found.error(format!("HTTP status {status} is not in range 200-599"));
    }
    percentage(&delay["percentage"], found);
    if let Some(fixed) = delay["fixedDelay"].as_str() {
        found.check(names::duration(fixed));
    }
}

fn mirrors(rule: &Value, found: &mut Validation) {
    let mirrors = items(&rule["mirrors"]);
    found.error_if(!rule["mirror"].is_null() && !mirrors.is_empty(), "HTTP route cannot contain both mirror and mirrors");
    if let Some(percent) = rule["mirrorPercent"].as_i64().filter(|p| *p > 100) {
        found.error(format!("mirror_percent must have a max value of 100 (it has {percent})"));
    }
    percentage(&rule["mirrorPercentage"], found);
    if !rule["mirror"].is_null() {
        destination(&rule["mirror"], found);
    }
    for mirror in mirrors {
        match mirror["destination"].is_object() {
            true => destination(&mirror["destination"], found),
            false => found.error("destination is required for mirrors"),
        }
        percentage(&mirror["percentage"], found);
    }
}

fn redirect(redirect: &Value, found: &mut Validation) {
    if redirect.is_null() {
        return;
    }
    let fields = ["uri", "authority", "scheme", "port", "derivePort", "prefixRewrite", "uriRegexRewrite"];
    found.error_if(fields.iter().all(|f| redirect[*f].is_null()), "redirect must specify URI, authority, scheme, or port");
    if let Some(code) = redirect["redirectCode"].as_i64().filter(|c| *c != 0 && !(300..=399).contains(c)) {
        found.error(format!("{code} is not a valid redirect code, must be 3xx"));
    }
    found.error_if(
        !matches!(text(&redirect["scheme"]), "" | "http" | "https"),
        "invalid redirect scheme, must be \"http\" or \"https\"",
    );
    found.error_if(
        filled(&redirect["uri"]) && filled(&redirect["prefixRewrite"]),
        "redirect may only specify one of uri or prefix_rewrite",
    );
}

fn retries(retries: &Value, found: &mut Validation) {
    if retries.is_null() {
        return;
    }
    let attempts = retries["attempts"].as_i64().unwrap_or(0);
    found.error_if(attempts < 0, "attempts cannot be negative");
    let configured = ["perTryTimeout", "retryOn", "retryRemoteLocalities", "backoff"].iter().any(|f| !retries[*f].is_null());
    found.error_if(attempts == 0 && configured, "http retry policy configured when attempts are set to 0 (disabled)");
    for field in ["perTryTimeout", "backoff"] {
        if let Some(duration) = retries[field].as_str() {
            found.check(names::duration(duration));
        }
    }
    for policy in text(&retries["retryOn"]).split(',').map(str::trim).filter(|p| !p.is_empty()) {
        if policy.parse::<u16>().is_err() && !RETRY_ON.contains(&policy) {
            found.error(format!("{policy:?} is not a valid retryOn policy"));
        }
    }
}

fn rewrite(rule: &Value, found: &mut Validation) {
    let rewrite = &rule["rewrite"];
    if rewrite.is_null() {
        return;
    }
    let has = |field: &str| filled(&rewrite[field]);
    if !has("uri") && !has("authority") && !has("uriRegexRewrite") {
        found.error("rewrite must specify at least one of URI, UriRegexRewrite, or authority. Only one of URI or UriRegexRewrite may be specified");
    }
    found.error_if(has("uri") && has("uriRegexRewrite"), "rewrite may only contain one of URI or UriRegexRewrite");
    if let Some(pattern) = rewrite["uriRegexRewrite"]["match"].as_str() {
        string_match::regex(found, pattern, "uriRegexRewrite");
    }
    let set = &rule["headers"]["request"]["set"];
    let second =
        set.as_object().into_iter().flatten().find(|(name, _)| name.eq_ignore_ascii_case("host") || *name == ":authority");
    if let Some((_, value)) = second.filter(|_| has("authority")) {
        let (first, second) = (text(&rewrite["authority"]), text(value));
        found.error(format!("authority header cannot be set multiple times: have {first:?}, attempting to set {second:?}"));
    }
}

/// Routing by JWT claims needs a real gateway.
pub fn jwt_claims(rules: &[Value], gateways: &[&str], found: &mut Validation) {
    let gateways = if gateways.is_empty() { vec!["mesh"] } else { gateways.to_vec() };
    for one in rules.iter().flat_map(|rule| items(&rule["match"])) {
        let keys = ["headers", "withoutHeaders"].into_iter().flat_map(|f| one[f].as_object().into_iter().flatten());
        for (key, _) in keys.filter(|(key, _)| key.starts_with("@request.auth.claims")) {
            found.error(format!(
                "JWT claim based routing (key: {key}) is only supported for gateway, found no gateways: [{}]",
                gateways.join(" ")
            ));
        }
    }
}
