//! Telemetry, ProxyConfig, WasmPlugin and TrafficExtension.

use super::{Validation, cel, items, selector, text};
use crate::k8s::Object;
use serde_json::Value;
use std::collections::BTreeSet;

/// Checks a Telemetry.
pub fn telemetry(object: &Object, found: &mut Validation) {
    let spec = object.spec();
    selector::one_of(spec, found);
    selector::matching(&spec["selector"], found);
    selector::targets(spec, found);
    items(&spec["metrics"]).iter().for_each(|metrics| metric(metrics, found));
    tracing(items(&spec["tracing"]), found);
    for logging in items(&spec["accessLogging"]) {
        if !logging["filter"].is_null()
            && let Err(error) = cel::parse(text(&logging["filter"]["expression"]))
        {
            found.error(format!("must be a valid CEL expression, {error}"));
        }
        providers(&logging["providers"], found);
    }
}

fn providers(list: &Value, found: &mut Validation) {
    found.error_if(items(list).iter().any(|p| text(&p["name"]).is_empty()), "providers.name may not be empty");
}

fn tracing(list: &[Value], found: &mut Validation) {
    if list.len() > 1 {
        found.warn("multiple tracing is not currently supported");
    }
    for one in list {
        if items(&one["providers"]).len() > 1 {
            found.warn("multiple providers is not currently supported");
        }
        providers(&one["providers"], found);
        let out_of_range = one["randomSamplingPercentage"].as_f64().is_some_and(|p| !(0.0..=100.0).contains(&p));
        found.error_if(out_of_range, "randomSamplingPercentage must be in range [0.0, 100.0]");
        for (name, tag) in one["customTags"].as_object().into_iter().flatten() {
            found.error_if(name.is_empty(), "tag name may not be empty");
            let rows = [
                ("literal", "value", "literal tag value may not be empty"),
                ("header", "name", "header tag name may not be empty"),
                ("environment", "name", "environment tag name may not be empty"),
            ];
            for (kind, field, words) in rows {
                found.error_if(!tag[kind].is_null() && text(&tag[kind][field]).is_empty(), words);
            }
        }
    }
}

fn metric(metrics: &Value, found: &mut Validation) {
    providers(&metrics["providers"], found);
    for one in items(&metrics["overrides"]) {
        for (name, tag) in one["tagOverrides"].as_object().into_iter().flatten() {
            if name.is_empty() {
                found.warn("tagOverrides.name may not be empty");
            }
            let value = text(&tag["value"]);
            match text(&tag["operation"]) {
                "REMOVE" => {
                    found.error_if(!value.is_empty(), "tagOverrides.value may only be set when operation is UPSERT");
                }
                _ => found.error_if(value.is_empty(), "tagOverrides.value must be set when operation is UPSERT"),
            }
        }
        let custom = &one["match"]["customMetric"];
        found.error_if(!custom.is_null() && text(custom).is_empty(), "customMetric may not be empty");
    }
}

/// Checks a ProxyConfig.
pub fn proxy_config(object: &Object, found: &mut Validation) {
    let spec = object.spec();
    selector::matching(&spec["selector"], found);
    found.error_if(spec["concurrency"].as_i64().is_some_and(|c| c < 0), "concurrency must be greater than or equal to 0");
}

/// Checks a WasmPlugin.
pub fn wasm_plugin(object: &Object, found: &mut Validation) {
    let spec = object.spec();
    selector::one_of(spec, found);
    selector::matching(&spec["selector"], found);
    selector::targets(spec, found);
    module(spec, "pluginName field must be less than 255 characters long", found);
    ports(spec, found);
}

/// Checks a TrafficExtension.
pub fn traffic_extension(object: &Object, found: &mut Validation) {
    let spec = object.spec();
    let (wasm, lua) = (&spec["wasm"], &spec["lua"]);
    found.error_if(wasm.is_null() == lua.is_null(), "exactly one of wasm or lua must be set");
    selector::one_of(spec, found);
    selector::matching(&spec["selector"], found);
    selector::targets(spec, found);
    if !lua.is_null() {
        match text(&lua["inlineCode"]).len() {
            0 => found.error("lua.inlineCode cannot be empty"),
            65_537.. => found.error("lua.inlineCode exceeds maximum size of 64KB"),
            _ => (),
        }
    }
    if !wasm.is_null() {
        module(wasm, "pluginName field must be less than 256 characters long", found);
    }
    ports(spec, found);
}

fn module(module: &Value, long_name: &str, found: &mut Validation) {
    let url = text(&module["url"]);
    if url.is_empty() {
        found.error("url field needs to be set");
    } else if let Some((scheme, _)) = url.split_once("://")
        && !matches!(scheme, "file" | "http" | "https" | "oci")
    {
        found.error(format!("url contains unsupported scheme: {}", scheme.to_lowercase()));
    }
    let sum = text(&module["sha256"]);
    if !sum.is_empty() && sum.len() != 64 {
        found.error("sha256 field must be 64 characters long");
    } else if !sum.bytes().all(|b| matches!(b, b'a'..=b'f' | b'0'..=b'9')) {
        found.error("sha256 field must match [a-f0-9]{64} pattern");
    }
    let long = text(&module["imagePullSecret"]).len() > 253;
    found.error_if(long, "imagePullSecret field must be less than 253 characters long");
    found.error_if(text(&module["pluginName"]).len() > 256, long_name);
    found.check(environment(items(&module["vmConfig"]["env"])));
}

fn environment(list: &[Value]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for one in list {
        let name = text(&one["name"]);
        let inline = matches!(text(&one["valueFrom"]), "" | "INLINE");
        match () {
            () if name.is_empty() => return Err("spec.vmConfig.env invalid".into()),
            () if name.len() > 256 => return Err("env.name field must be less than 255 characters long".into()),
            () if !seen.insert(name) => return Err("duplicate env".into()),
            () if !inline && !text(&one["value"]).is_empty() => {
                return Err("value may only be set when valueFrom is INLINE".into());
            }
            () => (),
        }
    }
    Ok(())
}

fn ports(spec: &Value, found: &mut Validation) {
    for (i, one) in items(&spec["match"]).iter().enumerate() {
        for (j, port) in items(&one["ports"]).iter().enumerate() {
            let number = port["number"].as_i64().unwrap_or(0);
            if !(1..=65_535).contains(&number) {
                return found.error(format!("spec.Match[{i}].Ports[{j}] is out of range: {number}"));
            }
        }
    }
}
