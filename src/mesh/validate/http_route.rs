//! One http rule of a VirtualService (S: pkg/config/validation/virtualservice.go).

use super::virtual_service::{destination, destinations, gateway_names};
use super::{Validation, filled, headers, items, names, string_match, text, texts};
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
    items(&rule["match"]).iter().for_each(|one| match_scope(one, found));
    headers::operations(&rule["headers"], found);
    cors(&rule["corsPolicy"], found);
    fault(&rule["fault"], found);
    mirrors(rule, found);
    found.check(redirect(rule));
    direct_response(&rule["directResponse"], found);
    retries(&rule["retries"], found);
    rewrite(rule, found);
    destinations(items(&rule["route"]), true, found);
    if let Some(timeout) = rule["timeout"].as_str() {
        found.check(names::duration(timeout));
    }
}

fn conflicts(rule: &Value, delegate: bool, found: &mut Validation) {
    let has = |field: &str| !rule[field].is_null();
    let routes = filled(&rule["route"]);
    let name = text(&rule["name"]);
    if has("delegate") && !delegate {
        if has("redirect") {
            found.error(format!("root HTTP route {name} must not specify redirect"));
        }
        if routes {
            found.error(format!("root HTTP route {name} must not specify route"));
        }
        return;
    }
    found.error_if(has("delegate"), "delegate HTTP route cannot contain delegate");
    let rows: &[(bool, &str)] = if has("redirect") {
        &[
            (routes, "HTTP route cannot contain both route and redirect"),
            (has("fault"), "HTTP route cannot contain both fault and redirect"),
            (has("rewrite"), "HTTP route rule cannot contain both rewrite and redirect"),
            (has("directResponse"), "HTTP route rule cannot contain both direct_response and redirect"),
        ]
    } else if has("directResponse") {
        &[
            (routes, "HTTP route cannot contain both route and direct_response"),
            (has("fault"), "HTTP route cannot contain both fault and direct_response"),
            (has("rewrite"), "HTTP route rule cannot contain both rewrite and direct_response"),
        ]
    } else {
        &[(!routes, "HTTP route, redirect or direct_response is required")]
    };
    rows.iter().for_each(|(wrong, text)| found.error_if(*wrong, text));
    found.error_if(has("mirror") && filled(&rule["mirrors"]), "HTTP route cannot contain both mirror and mirrors");
}

fn request_match(one: &Value, found: &mut Validation) {
    for (name, value) in one["headers"].as_object().into_iter().flatten() {
        found.check(headers::matched(name));
        string_match::validate(found, value, "headers");
    }
    for (name, value) in one["withoutHeaders"].as_object().into_iter().flatten() {
        found.check(headers::matched(name));
        // `*` stands for any value here.
        if value["regex"] != "*" {
            string_match::validate(found, value, "withoutHeaders");
        }
    }
    string_match::only_regex(found, &one["uri"], "uri");
    for field in ["scheme", "method", "authority"] {
        string_match::validate(found, &one[field], field);
    }
    for (_, value) in one["queryParams"].as_object().into_iter().flatten() {
        string_match::validate(found, value, "queryParams");
    }
}

/// Port, labels, gateways and source namespace of a match.
fn match_scope(one: &Value, found: &mut Validation) {
    if let Some(number) = one["port"].as_i64().filter(|n| *n != 0) {
        found.check(names::port(number));
    }
    names::labels(&one["sourceLabels"]).into_iter().for_each(|e| found.listed(e));
    let mut gateways = Validation::default();
    gateway_names(&texts(&one["gateways"]), &mut gateways);
    found.take_errors(gateways);
    let namespace = text(&one["sourceNamespace"]);
    if !namespace.is_empty() && !names::is_label(namespace) {
        found.error(format!("sourceNamespace match {namespace} is invalid"));
    }
}

const METHODS: [&str; 10] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"];

fn cors(policy: &Value, found: &mut Validation) {
    for origin in items(&policy["allowOrigins"]) {
        if ["exact", "prefix", "regex"].iter().all(|kind| text(&origin[*kind]).is_empty()) {
            found.error("'' is not a valid match type for CORS allow origins");
        } else {
            string_match::only_regex(found, origin, "corsPolicy.allowOrigins");
        }
    }
    for method in texts(&policy["allowMethods"]).into_iter().filter(|m| !METHODS.contains(m)) {
        found.error(format!("{method:?} is not a supported HTTP method"));
    }
    for name in texts(&policy["allowHeaders"]).into_iter().chain(texts(&policy["exposeHeaders"])) {
        match name {
            "" => found.error("header name cannot be empty"),
            name if name == "*" || headers::is_token(name) => (),
            name => found.error(format!("header name {name} is not a valid header name")),
        }
    }
    if let Some(age) = policy["maxAge"].as_str() {
        found.check(names::duration(age));
        if names::has_fraction(age) {
            found.listed("max_age duration is accurate only to seconds precision");
        }
    }
}

fn percentage(value: &Value, found: &mut Validation) {
    if let Some(percent) = value["value"].as_f64().filter(|p| *p != 0.0 && !(0.0001..=100.0).contains(p)) {
        found.error(format!("percentage {} is neither 0.0, nor in range [0.0001, 100.0]", go_number(percent)));
    }
}

/// A number as Go's `%v` prints it.
fn go_number(number: f64) -> String {
    if number.abs() >= 1e-4 && number.abs() < 1e21 {
        return number.to_string();
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((digits, power)) => {
            let (sign, power) = power.strip_prefix('-').map_or(('+', power), |power| ('-', power));
            format!("{digits}e{sign}{power:0>2}")
        }
        None => text,
    }
}

fn status(status: i64) -> Result<(), String> {
    match status {
        200..=600 => Ok(()),
        _ => Err(format!("HTTP status {status} is not in range 200-599")),
    }
}

const GRPC: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

fn fault(fault: &Value, found: &mut Validation) {
    if fault.is_null() {
        return;
    }
    let (abort, delay) = (&fault["abort"], &fault["delay"]);
    if abort.is_null() && delay.is_null() {
        found.listed("HTTP fault injection must have an abort and/or a delay");
    }
    if !abort.is_null() {
        percentage(&abort["percentage"], found);
        let grpc = abort["grpcStatus"].as_str();
        match (grpc, abort["http2Error"].as_str(), abort["httpStatus"].as_i64()) {
            (Some(code), ..) if !GRPC.contains(&code) => found.error(format!(
                "gRPC status {code:?} is not supported. See https://github.com/grpc/grpc/blob/master/doc/statuscodes.md for a list of supported \
                 codes, for example 'NOT_FOUND'"
            )),
            (Some(_), ..) => (),
            (_, Some(_), _) => found.error("HTTP/2 abort fault injection not supported yet"),
            (.., Some(code)) => found.check(status(code)),
            // Istio's warning of an abort without a kind gets lost.
            _ => (),
        }
    }
    percentage(&delay["percentage"], found);
    if let Some(fixed) = delay["fixedDelay"].as_str() {
        found.check(names::duration(fixed));
    } else if let Some(exponential) = delay["exponentialDelay"].as_str() {
        found.check(names::duration(exponential));
        found.listed("exponentialDelay not supported yet");
    }
}

fn mirrors(rule: &Value, found: &mut Validation) {
    if let Some(percent) = rule["mirrorPercent"].as_i64() {
        if percent > 100 {
            found.error(format!("mirror_percent must have a max value of 100 (it has {percent})"));
        }
        found.warn("using deprecated setting \"mirrorPercent\", use \"mirrorPercentage\" instead");
    }
    mirror_percentage(&rule["mirrorPercentage"], "mirror_percentage", found);
    if !rule["mirror"].is_null() {
        destination(&rule["mirror"], found);
    }
    for mirror in items(&rule["mirrors"]) {
        match mirror["destination"].is_object() {
            true => destination(&mirror["destination"], found),
            false => {
                found.error("destination is required for mirrors");
                continue;
            }
        }
        mirror_percentage(&mirror["percentage"], "mirror percentage", found);
    }
}

fn mirror_percentage(percentage: &Value, name: &str, found: &mut Validation) {
    match percentage["value"].as_f64() {
        Some(value) if value > 100.0 => found.error(format!("{name} must have a max value of 100 (it has {value:.6})")),
        Some(value) if value < 0.0 => found.error(format!("{name} must have a min value of 0 (it has {value:.6})")),
        _ => (),
    }
}

/// The first thing that is wrong with a redirect.
fn redirect(rule: &Value) -> Result<(), String> {
    let redirect = &rule["redirect"];
    if redirect.is_null() {
        return Ok(());
    }
    let has = |field: &str| filled(&redirect[field]);
    if has("uri") && has("prefixRewrite") {
        return Err("redirect may only specify one of uri or prefix_rewrite".into());
    }
    let other = |one: &Value| !one["uri"].is_null() && one["uri"]["prefix"].is_null();
    if has("prefixRewrite") && items(&rule["match"]).iter().any(other) {
        return Err("redirect prefix_rewrite requires all URI matches to use prefix match type".into());
    }
    let port = !redirect["port"].is_null() || !redirect["derivePort"].is_null();
    if !(has("uri") || has("prefixRewrite") || has("authority") || has("scheme") || port) {
        return Err("redirect must specify URI, authority, scheme, or port".into());
    }
    if let Some(code) = redirect["redirectCode"].as_i64().filter(|c| *c != 0 && !(300..=399).contains(c)) {
        return Err(format!("{code} is not a valid redirect code, must be 3xx"));
    }
    if !matches!(text(&redirect["scheme"]), "" | "http" | "https") {
        return Err("invalid redirect scheme, must be \"http\" or \"https\"".into());
    }
    redirect["port"].as_i64().filter(|p| *p > 0).map_or(Ok(()), names::port)
}

fn direct_response(response: &Value, found: &mut Validation) {
    if response.is_null() {
        return;
    }
    let size = match response["body"]["bytes"].as_str() {
        Some(bytes) => crate::k8s::base64::decode(bytes).map_or(0, |b| b.len()),
        None => text(&response["body"]["string"]).len(),
    };
    if size > 1024 * 1024 {
        found.error("large direct_responses may impact control plane performance, must be less than 1MB");
    } else if size > 100 * 1024 {
        found.warn("large direct_responses may impact control plane performance");
    }
    found.check(status(response["status"].as_i64().unwrap_or(0)));
}

fn retries(retries: &Value, found: &mut Validation) {
    if retries.is_null() {
        return;
    }
    let attempts = retries["attempts"].as_i64().unwrap_or(0);
    if attempts < 0 {
        found.listed("attempts cannot be negative");
    }
    let configured = ["perTryTimeout", "retryRemoteLocalities"].iter().any(|f| !retries[*f].is_null());
    let configured = configured || filled(&retries["retryOn"]);
    found.error_if(attempts == 0 && configured, "http retry policy configured when attempts are set to 0 (disabled)");
    if let Some(duration) = retries["perTryTimeout"].as_str() {
        found.check(names::duration(duration));
    }
    let retry_on = text(&retries["retryOn"]);
    for policy in retry_on.split(',').filter(|_| !retry_on.is_empty()) {
        if !policy.parse().is_ok_and(is_status) && !RETRY_ON.contains(&policy) {
            found.error(format!("{policy:?} is not a valid retryOn policy"));
        }
    }
    if let Some(duration) = retries["backoff"].as_str() {
        found.check(names::duration(duration));
    }
}

/// Whether Go knows a text for an HTTP status.
fn is_status(code: u16) -> bool {
    matches!(code, 100..=103 | 200..=208 | 226 | 300..=305 | 307 | 308 | 400..=418 | 421..=426 | 428 | 429 | 431 | 451 | 500..=508 | 510 | 511)
}

fn rewrite(rule: &Value, found: &mut Validation) {
    let rewrite = &rule["rewrite"];
    if !rewrite.is_null() {
        let regex = &rewrite["uriRegexRewrite"];
        let has = |field: &str| filled(&rewrite[field]);
        if has("uri") && !regex.is_null() {
            found.error("rewrite may only contain one of URI or UriRegexRewrite");
        } else if !has("uri") && regex.is_null() && !has("authority") {
            found.error("rewrite must specify at least one of URI, UriRegexRewrite, or authority. Only one of URI or UriRegexRewrite may be specified");
        } else if !regex.is_null() {
            let wrong = match text(&regex["match"]) {
                pattern if pattern.is_empty() || !filled(&regex["rewrite"]) => {
                    Err("UriRegexRewrite requires both Rewrite and Match fields to be specified".to_string())
                }
                pattern => string_match::regex(pattern, "HTTPRewrite.UriRegexRewrite.Match"),
            };
            found.check(wrong.map_err(|e| format!("UriRegexRewrite has errors\n{e}")));
        }
    }
    found.check(authority(rule));
}

/// The authority may be set once.
fn authority(rule: &Value) -> Result<(), String> {
    let mut current = text(&rule["rewrite"]["authority"]);
    for operation in ["set", "add"] {
        let members = rule["headers"]["request"][operation].as_object().into_iter().flatten();
        for (_, value) in members.filter(|(name, _)| headers::is_authority(name)) {
            if !current.is_empty() {
                let second = text(value);
                return Err(format!(
                    "authority header cannot be set multiple times: have {current:?}, attempting to set {second:?}"
                ));
            }
            current = text(value);
        }
    }
    Ok(())
}

/// Routing by JWT claims needs a real gateway.
pub fn jwt_claims(rules: &[Value], gateways: &[&str], found: &mut Validation) {
    for one in rules.iter().flat_map(|rule| items(&rule["match"])) {
        let keys = ["headers", "withoutHeaders"].into_iter().flat_map(|f| one[f].as_object().into_iter().flatten());
        for (key, _) in keys.filter(|(key, _)| headers::is_claim(key)) {
            found.error(format!(
                "JWT claim based routing (key: {key}) is only supported for gateway, found no gateways: [{}]",
                gateways.join(" ")
            ));
        }
    }
}
