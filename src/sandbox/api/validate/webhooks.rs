//! What the API server refuses about webhook configurations (kubernetes/pkg/apis/admissionregistration/validation).

use crate::k8s::Object;
use crate::sandbox::api::status::Cause;
use serde_json::Value;

/// What is wrong with a configuration.
pub fn configuration(object: &Object) -> Vec<Cause> {
    let hooks: Vec<&Value> = object.at(&["webhooks"]).as_array().into_iter().flatten().collect();
    let mut causes = Vec::new();
    for (i, hook) in hooks.iter().enumerate() {
        causes.extend(one(hook, &format!("webhooks[{i}]")));
        if hooks[..i].iter().any(|other| other["name"] == hook["name"]) {
            causes.push(Cause::duplicate(format!("webhooks[{i}].name"), &hook["name"]));
        }
    }
    causes
}

fn one(hook: &Value, at: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    let name = hook["name"].as_str().unwrap_or("");
    if name.is_empty() {
        causes.push(Cause::required(format!("{at}.name"), ""));
    } else if name.split('.').count() < 3 {
        let why = "should be a domain with at least three segments separated by dots";
        causes.push(Cause::invalid(format!("{at}.name"), &hook["name"], why));
    }
    if hook["admissionReviewVersions"].as_array().is_none_or(Vec::is_empty) {
        causes.push(Cause::required(format!("{at}.admissionReviewVersions"), "must specify one of v1, v1beta1"));
    }
    if hook["sideEffects"].is_null() {
        causes.push(Cause::required(format!("{at}.sideEffects"), "must specify one of None, NoneOnDryRun"));
    } else if !matches!(hook["sideEffects"].as_str(), Some("None" | "NoneOnDryRun")) {
        causes.push(Cause::unsupported(format!("{at}.sideEffects"), &hook["sideEffects"], &["None", "NoneOnDryRun"]));
    }
    if !matches!(hook["failurePolicy"].as_str(), None | Some("Fail" | "Ignore")) {
        causes.push(Cause::unsupported(format!("{at}.failurePolicy"), &hook["failurePolicy"], &["Fail", "Ignore"]));
    }
    let client = &hook["clientConfig"];
    if client["url"].is_null() == client["service"].is_null() {
        causes.push(Cause::required(format!("{at}.clientConfig"), "exactly one of url or service is required"));
    }
    causes
}
