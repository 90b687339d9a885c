//! Which workloads or gateways an object is for.

use super::{Validation, filled, items, text};
use serde_json::Value;

/// What labels of a selector may not be.
fn labels(labels: &Value) -> Vec<String> {
    let mut errors = Vec::new();
    for (key, value) in labels.as_object().into_iter().flatten() {
        let pair = format!("{key}={}", text(value));
        if key.is_empty() {
            errors.push(format!("empty key is not supported in selector: {pair:?}"));
        }
        if pair.contains('*') {
            errors.push(format!("wildcard is not supported in selector: {pair:?}"));
        }
    }
    errors
}

/// `selector.matchLabels` of policies, Telemetry and the like.
pub fn matching(selector: &Value, found: &mut Validation) {
    if selector.is_null() {
        return;
    }
    labels(&selector["matchLabels"]).into_iter().for_each(|e| found.error(e));
    if !filled(&selector["matchLabels"]) {
        found.warn("workload selector specified without labels");
    }
}

/// `workloadSelector.labels` of Sidecar, ServiceEntry and EnvoyFilter: errors are all that is said of the object. Answers whether
/// to go on.
pub fn workloads(selector: &Value, what: &str, found: &mut Validation) -> bool {
    let errors = labels(&selector["labels"]);
    if !errors.is_empty() {
        errors.into_iter().for_each(|e| found.error(e));
        return false;
    }
    if !selector.is_null() && !filled(&selector["labels"]) {
        found.warn(format!("{what}: workload selector specified without labels, will be applied to all services in namespace"));
    }
    true
}

/// Selector and targetRefs exclude each other.
pub fn one_of(spec: &Value, found: &mut Validation) {
    let given = [!spec["selector"].is_null(), !spec["targetRef"].is_null(), filled(&spec["targetRefs"])];
    let several = given.iter().filter(|g| **g).count() > 1;
    found.error_if(several, "only one of targetRefs or workloadSelector can be set");
}

/// The kinds a policy may be attached to, as Go prints them.
const ALLOWED: &str = "[core/v1/Service networking.istio.io/v1/ServiceEntry gateway.networking.k8s.io/v1/Gateway \
                       gateway.networking.k8s.io/v1/GatewayClass]";

/// `targetRef` and `targetRefs`.
pub fn targets(spec: &Value, found: &mut Validation) {
    let all = std::iter::once(&spec["targetRef"]).filter(|r| !r.is_null()).chain(items(&spec["targetRefs"]));
    for target in all {
        found.error_if(text(&target["name"]).is_empty(), "targetRef name must be set");
        found.error_if(
            !text(&target["namespace"]).is_empty(),
            "targetRef namespace must not be set; cross namespace referencing is not supported",
        );
        let (group, kind) = (text(&target["group"]), text(&target["kind"]));
        let known = matches!(
            (group, kind),
            ("" | "core", "Service")
                | ("networking.istio.io", "ServiceEntry")
                | ("gateway.networking.k8s.io", "Gateway" | "GatewayClass")
        );
        if !known {
            found.error(format!("targetRef must be to one of {ALLOWED} but was {group}/{kind}"));
        }
    }
}
