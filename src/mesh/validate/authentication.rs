//! PeerAuthentication and RequestAuthentication.

use super::{Validation, filled, items, names, selector, text};
use crate::k8s::Object;
use serde_json::Value;

/// Checks a PeerAuthentication.
pub fn peer(object: &Object, found: &mut Validation) {
    let spec = object.spec();
    let ports = &spec["portLevelMtls"];
    let selecting = filled(&spec["selector"]["matchLabels"]);
    found.error_if(!selecting && filled(ports), "mesh/namespace peer authentication cannot have port level mTLS");
    found.error_if(
        ports.as_object().is_some_and(serde_json::Map::is_empty),
        "port level mTLS, if defined, must have at least one element",
    );
    for port in ports.as_object().into_iter().flatten().map(|(port, _)| port) {
        found.error_if(!port.parse::<u32>().is_ok_and(|p| (1..=65_535).contains(&p)), "port must be in range 1..65535");
    }
    selector::matching(&spec["selector"], found);
}

/// Checks a RequestAuthentication.
pub fn request(object: &Object, found: &mut Validation) {
    let spec = object.spec();
    selector::one_of(spec, found);
    selector::matching(&spec["selector"], found);
    selector::targets(spec, found);
    items(&spec["jwtRules"]).iter().for_each(|rule| jwt(rule, found));
}

fn jwt(rule: &Value, found: &mut Validation) {
    for _ in items(&rule["audiences"]).iter().filter(|a| text(a).is_empty()) {
        found.listed("audience must be non-empty string");
    }
    if text(&rule["issuer"]).is_empty() && text(&rule["jwksUri"]).is_empty() {
        found.listed("issuer or jwksUri must be non-empty string");
    }
    let uri = text(&rule["jwksUri"]);
    if !uri.is_empty() {
        let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme).to_lowercase();
        if !matches!(scheme.as_str(), "http" | "https") {
            found.listed(format!("URI scheme {scheme:?} is not supported"));
        }
    }
    let jwks = text(&rule["jwks"]);
    if !jwks.is_empty() && serde_json::from_str::<Value>(jwks).is_err() {
        found.listed(format!("jwks parse error: {}", jwks_complaint(jwks)));
    }
    for header in items(&rule["fromHeaders"]) {
        if text(&header["name"]).is_empty() {
            found.listed("location header name must be non-empty string");
        }
    }
    for (field, words) in
        [("fromParams", "location query must be non-empty string"), ("fromCookies", "cookie name must be non-empty string")]
    {
        items(&rule[field]).iter().filter(|v| text(v).is_empty()).for_each(|_| found.listed(words));
    }
    for output in items(&rule["outputClaimToHeaders"]) {
        let (claim, header) = (text(&output["claim"]), text(&output["header"]));
        if claim.is_empty() || header.is_empty() {
            found.listed("outputClaimToHeaders header and claim value must be non-empty string");
        } else if !header.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
            found.listed(format!("header name {header} is not a valid header name"));
        }
    }
    if let Some(Err(error)) = rule["timeout"].as_str().map(names::duration) {
        found.listed(error);
    }
}

/// What the key library says of a text that is no JSON.
fn jwks_complaint(text: &str) -> String {
    let first = text.trim_start().chars().next().map(|c| format!("invalid character '{c}' looking for beginning of value"));
    format!("failed to unmarshal JWK set: {}", first.unwrap_or_else(|| "unexpected end of JSON input".into()))
}
