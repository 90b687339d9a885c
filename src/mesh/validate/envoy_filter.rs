//! EnvoyFilter (S: pkg/config/validation/envoyfilter). What the patch's value holds is Envoy's own configuration: only that a
//! filter has its typed configuration is looked at.

use super::{Validation, items, selector, string_match, text};
use crate::k8s::Object;
use serde_json::Value;

const EXPOSED: &str = "EnvoyFilter exposes internal implementation details that may change at any time. Prefer other APIs if possible, and \
                       exercise extreme caution, especially around upgrades.";
const MANAGER: &str = "envoy.filters.network.http_connection_manager";

/// The longest expression for proxy versions that is compiled.
const MAX_VERSION: usize = 1024;

/// Checks one.
pub fn validate(object: &Object, found: &mut Validation) {
    let spec = object.spec();
    let before = found.warnings.len();
    found.warn(EXPOSED);
    if !selector::workloads(&spec["workloadSelector"], "Envoy filter", found) {
        return found.warnings.truncate(before);
    }
    items(&spec["configPatches"]).iter().for_each(|patch| config_patch(patch, found));
}

fn config_patch(patch: &Value, found: &mut Validation) {
    let (apply, matches) = (text(&patch["applyTo"]), &patch["match"]);
    if text(&matches["context"]) == "WAYPOINT" {
        return;
    }
    let operation = text(&patch["patch"]["operation"]);
    let missing = match () {
        () if matches!(apply, "" | "INVALID") => "Envoy filter: missing applyTo",
        () if patch["patch"].is_null() => "Envoy filter: missing patch",
        () if matches!(operation, "" | "INVALID") => "Envoy filter: missing patch operation",
        () if operation != "REMOVE" && patch["patch"]["value"].is_null() => {
            "Envoy filter: missing patch value for non-remove operation"
        }
        () => "",
    };
    if !missing.is_empty() {
        return found.error(missing);
    }
    let version = text(&matches["proxy"]["proxyVersion"]);
    if version.len() > MAX_VERSION {
        found.warn(format!("Envoy filter: proxyVersion match exceeds {MAX_VERSION} characters and will be ignored"));
    } else if let Some(complaint) = string_match::complaint_of(version) {
        return found.error(format!("Envoy filter: invalid regex for proxy version, [error parsing regexp: {complaint}]"));
    }
    if fits(apply, matches, found) {
        typed(apply, &patch["patch"]["value"], found);
    }
}

/// Whether the match is of the kind that applyTo needs.
fn fits(apply: &str, matches: &Value, found: &mut Validation) -> bool {
    let has = |kind: &str| !matches[kind].is_null();
    let any = has("listener") || has("routeConfiguration") || has("cluster");
    match apply {
        "LISTENER" | "FILTER_CHAIN" | "NETWORK_FILTER" | "HTTP_FILTER" if any && !has("listener") => {
            found.error("Envoy filter: applyTo for listener class objects cannot have non listener match");
            false
        }
        "LISTENER" | "FILTER_CHAIN" | "NETWORK_FILTER" | "HTTP_FILTER" => {
            let filter = &matches["listener"]["filterChain"]["filter"];
            filter.is_null() || filter_match(apply, filter, found)
        }
        "ROUTE_CONFIGURATION" | "VIRTUAL_HOST" | "HTTP_ROUTE" => {
            found.error_if(
                any && !has("routeConfiguration"),
                "Envoy filter: applyTo for http route class objects cannot have non route configuration match",
            );
            true
        }
        "CLUSTER" => {
            found.error_if(
                any && !has("cluster"),
                "Envoy filter: applyTo for cluster class objects cannot have non cluster match",
            );
            true
        }
        _ => true,
    }
}

fn filter_match(apply: &str, filter: &Value, found: &mut Validation) -> bool {
    if matches!(apply, "LISTENER" | "FILTER_CHAIN") {
        found.warn(format!("Envoy filter: filter match has no effect when used with {apply}"));
    }
    let (name, sub) = (text(&filter["name"]), &filter["subFilter"]);
    let wrong = match () {
        () if name.is_empty() => "Envoy filter: filter match has no name to match on".to_string(),
        () if sub.is_null() => String::new(),
        () if apply != "HTTP_FILTER" => "Envoy filter: subfilter match can be used with applyTo HTTP_FILTER only".into(),
        () if name != MANAGER && name != "envoy.http_connection_manager" => {
            format!("Envoy filter: subfilter match requires filter match with {MANAGER}")
        }
        () if text(&sub["name"]).is_empty() => "Envoy filter: subfilter match has no name to match on".into(),
        () => String::new(),
    };
    if !wrong.is_empty() {
        found.error(wrong);
        return false;
    }
    for name in [name, text(&sub["name"])] {
        if let Some((_, new)) = DEPRECATED.iter().find(|(old, _)| *old == name) {
            found.warn(format!("using deprecated filter name {name:?}; use {new:?} instead"));
        }
    }
    true
}

/// Names that filters once had (S: pkg/config/xds filter_types, wellknown).
const DEPRECATED: [(&str, &str); 14] = [
    ("envoy.buffer", "envoy.filters.http.buffer"),
    ("envoy.cors", "envoy.filters.http.cors"),
    ("envoy.csrf", "envoy.filters.http.csrf"),
    ("envoy.ext_authz", "envoy.filters.http.ext_authz"),
    ("envoy.fault", "envoy.filters.http.fault"),
    ("envoy.grpc_web", "envoy.filters.http.grpc_web"),
    ("envoy.gzip", "envoy.filters.http.gzip"),
    ("envoy.health_check", "envoy.filters.http.health_check"),
    ("envoy.http_connection_manager", MANAGER),
    ("envoy.lua", "envoy.filters.http.lua"),
    ("envoy.mongo_proxy", "envoy.filters.network.mongo_proxy"),
    ("envoy.rate_limit", "envoy.filters.http.ratelimit"),
    ("envoy.router", "envoy.filters.http.router"),
    ("envoy.tcp_proxy", "envoy.filters.network.tcp_proxy"),
];

/// A filter that is given by name only.
fn typed(apply: &str, value: &Value, found: &mut Validation) {
    if !matches!(apply, "HTTP_FILTER" | "NETWORK_FILTER") || value.is_null() {
        return;
    }
    let given = ["typed_config", "typedConfig", "config_discovery", "configDiscovery"];
    if !given.iter().any(|field| !value[*field].is_null()) {
        found.warn(format!("using deprecated types by name without typed_config; {}", text(&value["name"])));
    }
}
