//! EnvoyFilter patches that depend on what others did (S: analyzers/envoyfilter).

use super::{Context, items, text};
use crate::k8s::Object;
use serde_json::Value;

/// EnvoyPatchAnalyzer. Names of filters that patches for one proxy version use are collected on the way, as Istio does.
pub fn patches(context: &mut Context<'_>) {
    let mut versioned: Vec<String> = Vec::new();
    for object in context.networking("EnvoyFilter") {
        let priority = object.at(&["spec", "priority"]).as_i64().unwrap_or(0);
        for patch in items(object.at(&["spec", "configPatches"])) {
            if patch["patch"].is_null() {
                break;
            }
            let name = filter_name(patch);
            let relative = priority == 0;
            if let Some(code) = code(patch, relative, versioned.contains(&name)) {
                report(context, &object, code);
            }
            if !text(&patch["match"]["proxy"]["proxyVersion"]).is_empty() {
                versioned.push(name);
            }
        }
    }
}

fn code(patch: &Value, unordered: bool, versioned: bool) -> Option<&'static str> {
    let relative = match (unordered, versioned) {
        (false, _) => None,
        (true, false) => Some("IST0151"),
        (true, true) => Some("IST0155"),
    };
    let apply = text(&patch["applyTo"]);
    let routes = matches!(apply, "ROUTE_CONFIGURATION" | "HTTP_ROUTE");
    match text(&patch["patch"]["operation"]) {
        "ADD" if routes => Some("IST0153"),
        "REMOVE" if routes => Some("IST0154"),
        "REPLACE" if !matches!(apply, "NETWORK_FILTER" | "HTTP_FILTER" | "VIRTUAL_HOST") => Some("IST0152"),
        "REMOVE" | "REPLACE" | "INSERT_BEFORE" | "INSERT_AFTER" => relative,
        _ => None,
    }
}

/// The name in the patch's value as protobuf prints it, else that of the filter it is matched to.
fn filter_name(patch: &Value) -> String {
    let value = &patch["patch"]["value"];
    match &value["name"] {
        Value::Null if value.is_object() => text(&patch["match"]["listener"]["filterChain"]["filter"]["name"]).to_string(),
        Value::String(name) => format!("string_value:{name:?}"),
        other => other.to_string(),
    }
}

fn report(context: &mut Context<'_>, object: &Object, code: &'static str) {
    let text = match code {
        "IST0151" => {
            "This EnvoyFilter does not have a priority and has a relative patch operation set which can cause the EnvoyFilter not to be \
             applied. Using the INSERT_FIRST of ADD option or setting the priority may help in ensuring the EnvoyFilter is applied correctly."
        }
        "IST0152" => "The REPLACE operation is only valid for HTTP_FILTER and NETWORK_FILTER.",
        "IST0153" => "The ADD operation will be ignored when applyTo is set to ROUTE_CONFIGURATION, or HTTP_ROUTE.",
        "IST0154" => "The REMOVE operation will be ignored when applyTo is set to ROUTE_CONFIGURATION, or HTTP_ROUTE.",
        _ => {
            "This EnvoyFilter does not have a priority and has a relative patch operation (NSTERT_BEFORE/AFTER, REPLACE, MERGE, DELETE) and \
             proxyVersion set which can cause the EnvoyFilter not to be applied during an upgrade. Using the INSERT_FIRST or ADD option or \
             setting the priority may help in ensuring the EnvoyFilter is applied correctly."
        }
    };
    // Istio looks for the line of the patch's value, which is a mapping: only fields with one value have lines.
    context.report(object, code, text.into());
}
