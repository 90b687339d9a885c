//! What the API server refuses about roles and bindings (kubernetes/pkg/apis/rbac/validation).

use crate::k8s::Object;
use crate::sandbox::api::rbac::GROUP;
use crate::sandbox::api::status::Cause;
use serde_json::{Value, json};

/// What is wrong with a role.
pub fn role(object: &Object, namespaced: bool) -> Vec<Cause> {
    let rules = object.at(&["rules"]).as_array().into_iter().flatten();
    rules.enumerate().flat_map(|(i, rule)| one(rule, &format!("rules[{i}]"), namespaced)).collect()
}

fn one(rule: &Value, at: &str, namespaced: bool) -> Vec<Cause> {
    let empty = |field: &str| rule[field].as_array().is_none_or(Vec::is_empty);
    let mut causes = Vec::new();
    if empty("verbs") {
        causes.push(Cause::required(format!("{at}.verbs"), "verbs must contain at least one value"));
    }
    if !empty("nonResourceURLs") {
        let urls = &rule["nonResourceURLs"];
        if namespaced {
            let why = "namespaced rules cannot apply to non-resource URLs";
            causes.push(Cause::invalid(format!("{at}.nonResourceURLs"), urls, why));
        }
        if !empty("apiGroups") || !empty("resources") || !empty("resourceNames") {
            let why = "rules cannot apply to both regular resources and non-resource URLs";
            causes.push(Cause::invalid(format!("{at}.nonResourceURLs"), urls, why));
        }
        return causes;
    }
    if empty("apiGroups") {
        causes.push(Cause::required(format!("{at}.apiGroups"), "resource rules must supply at least one api group"));
    }
    if empty("resources") {
        causes.push(Cause::required(format!("{at}.resources"), "resource rules must supply at least one resource"));
    }
    causes
}

/// What is wrong with a binding.
pub fn binding(object: &Object, namespaced: bool) -> Vec<Cause> {
    let mut causes = Vec::new();
    let reference = object.at(&["roleRef"]);
    if reference["apiGroup"] != GROUP {
        causes.push(Cause::unsupported("roleRef.apiGroup", &reference["apiGroup"], &[GROUP]));
    }
    let kinds: &[&str] = if namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    if !kinds.iter().any(|kind| reference["kind"] == *kind) {
        causes.push(Cause::unsupported("roleRef.kind", &reference["kind"], kinds));
    }
    if reference["name"].as_str().is_none_or(str::is_empty) {
        causes.push(Cause::required("roleRef.name", ""));
    }
    for (i, subject) in object.at(&["subjects"]).as_array().into_iter().flatten().enumerate() {
        causes.extend(one_subject(subject, &format!("subjects[{i}]"), namespaced));
    }
    causes
}

fn one_subject(subject: &Value, at: &str, namespaced: bool) -> Vec<Cause> {
    let text = |field: &str| subject[field].as_str().unwrap_or("");
    let mut causes = Vec::new();
    if text("name").is_empty() {
        causes.push(Cause::required(format!("{at}.name"), ""));
    }
    match text("kind") {
        "ServiceAccount" => {
            if !text("apiGroup").is_empty() {
                causes.push(Cause::unsupported(format!("{at}.apiGroup"), &subject["apiGroup"], &[""]));
            }
            if !namespaced && text("namespace").is_empty() {
                causes.push(Cause::required(format!("{at}.namespace"), ""));
            }
        }
        "User" | "Group" => {
            if text("apiGroup") != GROUP {
                causes.push(Cause::unsupported(format!("{at}.apiGroup"), &json!(text("apiGroup")), &[GROUP]));
            }
        }
        kind => causes.push(Cause::unsupported(format!("{at}.kind"), &json!(kind), &["ServiceAccount", "User", "Group"])),
    }
    causes
}
