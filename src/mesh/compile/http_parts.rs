//! Parts of an HTTP rule of a VirtualService: retries, faults, CORS, bodies, and what of it is not modelled.

use super::rules::{Fault, list, some_text, strings, text, value_match};
use crate::mesh::Cause;
use crate::mesh::config::duration_ms;
use crate::mesh::proxy::{Cors, Retries};
use serde_json::Value;

/// `retries` (Istio: route/retry/retry.go): numbers in `retryOn` are statuses; `attempts: 0` switches retries off.
pub fn retries(value: &Value) -> Retries {
    let on = text(value, "retryOn");
    let words: Vec<&str> = on.split(',').map(str::trim).filter(|w| !w.is_empty()).collect();
    let statuses: Vec<u16> = words.iter().filter_map(|w| w.parse().ok()).filter(|n| (100..=511).contains(n)).collect();
    let has = |some: &[&str]| words.iter().any(|w| some.contains(w));
    let attempts = value.get("attempts").and_then(Value::as_i64).unwrap_or(0).clamp(0, 1000) as u32;
    let mut all = statuses.clone();
    if has(&["gateway-error"]) {
        all.extend([502, 503, 504]);
    }
    if has(&["retriable-4xx"]) {
        all.push(409);
    }
    let mut told: Vec<&str> = words.iter().copied().filter(|w| w.parse::<u16>().is_err()).collect();
    if !statuses.is_empty() && !told.contains(&"retriable-status-codes") {
        told.push("retriable-status-codes");
    }
    Retries {
        attempts,
        per_try_timeout_ms: value.get("perTryTimeout").and_then(Value::as_str).and_then(duration_ms),
        on_connect_failure: words.is_empty() || has(&["connect-failure", "5xx", "gateway-error", "reset"]),
        on_5xx: has(&["5xx"]),
        on_reset: has(&["5xx", "gateway-error", "reset"]),
        statuses: all,
        words: (!words.is_empty()).then(|| told.join(",")),
        same_host: value.get("retryIgnorePreviousHosts").and_then(Value::as_bool) == Some(false),
        backoff_ms: value.get("backoff").and_then(Value::as_str).and_then(duration_ms),
    }
}

/// `{value: 12.5}` in hundredths of a percent.
pub fn percent(value: &Value) -> u64 {
    let percent = value.get("value").and_then(Value::as_f64).unwrap_or(0.0);
    (percent * 100.0).round().clamp(0.0, 10_000.0) as u64
}

/// A fault without a percentage never happens.
fn share(value: &Value) -> u64 {
    match value.get("percentage").filter(|p| p.is_object()) {
        Some(exact) => percent(exact),
        None => value.get("percent").and_then(Value::as_u64).unwrap_or(0).min(100) * 100,
    }
}

/// `fault`: only fixed delays and HTTP statuses; an abort has no whole `percent`.
pub fn fault(value: &Value) -> Fault {
    let delay = value.get("delay").filter(|v| v.is_object());
    let abort = value.get("abort").filter(|v| v.is_object());
    Fault {
        delay: delay.and_then(|d| Some((duration_ms(&text(d, "fixedDelay"))?, share(d)))),
        abort: abort.and_then(|a| {
            let share = a.get("percentage").map_or(0, percent);
            Some((a.get("httpStatus")?.as_u64()? as u16, share))
        }),
    }
}

/// `corsPolicy`.
pub fn cors(value: &Value) -> Cors {
    let joined = |key: &str| strings(value.get(key).unwrap_or(&Value::Null)).join(",");
    let new: Vec<_> = list(value, "allowOrigins").iter().filter_map(value_match).collect();
    let old = strings(value.get("allowOrigin").unwrap_or(&Value::Null)).into_iter().map(super::rules::ValueMatch::Exact);
    Cors {
        origins: if new.is_empty() { old.collect() } else { new },
        methods: joined("allowMethods"),
        headers: joined("allowHeaders"),
        expose: joined("exposeHeaders"),
        max_age: some_text(value, "maxAge").and_then(|t| duration_ms(&t)).map(|ms| ms / 1000),
        credentials: value.get("allowCredentials").and_then(Value::as_bool),
        ignores_others: value.get("unmatchedPreflights").and_then(Value::as_str) == Some("IGNORE"),
    }
}

/// `directResponse.body`: a text, or bytes in base64.
pub fn body(value: &Value) -> String {
    let bytes = value.get("bytes").and_then(Value::as_str);
    match bytes.and_then(|b| crate::k8s::base64::decode(b).ok()) {
        Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        None => text(value, "string"),
    }
}

/// The first field of a rule whose effect on a trace is not modelled.
pub fn unmodelled(rule: &Value, own: &Cause) -> Option<Cause> {
    let told = |field: &str, text: &str| Some(own.within(field).saying(text));
    for (j, entry) in list(rule, "match").iter().enumerate() {
        for key in ["headers", "withoutHeaders"] {
            let names = entry.get(key).and_then(Value::as_object);
            if let Some(name) = names.and_then(|n| n.keys().find(|k| k.starts_with("@request.auth.claims"))) {
                let field = format!("match[{j}].{key}[{name}]");
                return told(&field, "Conditions on the claims of a token are not modelled.");
            }
        }
    }
    if rule.pointer("/fault/abort/grpcStatus").is_some() {
        return told("fault.abort.grpcStatus", "Aborts with a gRPC status are not modelled.");
    }
    let code = rule.pointer("/redirect/redirectCode").and_then(Value::as_u64);
    if code.is_some_and(|c| !matches!(c, 0 | 301 | 302 | 303 | 307 | 308)) {
        let text = "Istio makes a route without an action of this code, and the proxy refuses all routes of the port.";
        return told("redirect.redirectCode", text);
    }
    None
}
