//! istiod's validation webhook: what it refuses beyond the CRD schemas, in its words and order (S: pkg/config/validation).
//!
//! References to other objects are never checked here, as istiod does not either.

mod authentication;
mod authorization;
mod cel;
mod destination_rule;
mod envoy_filter;
mod export;
mod gateway;
mod headers;
mod http_route;
mod load_balancer;
mod names;
mod selector;
mod service_entry;
mod sidecar;
mod string_match;
mod telemetry;
mod unreachable;
mod virtual_service;
mod workload;

pub use headers::is_claim;
pub use names::overlap;

use crate::k8s::object::{items, text, texts};
use crate::k8s::{Object, Snapshot};
use serde_json::Value;

/// What the webhook found. Errors refuse the object, warnings are shown and let it pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Validation {
    pub errors: Vec<String>,
    pub warnings: Vec<String>,
    /// The first error came as a list of one, which Istio prints as such.
    listed: bool,
}

impl Validation {
    /// The text after `configuration is invalid: `: one error inline, several as a list (Go's multierror format).
    pub fn joined(&self) -> String {
        match self.errors.as_slice() {
            [one] if !self.listed => one.clone(),
            [one] => format!("1 error occurred:\n\t* {one}\n\n"),
            many => {
                let items: String = many.iter().map(|e| format!("\n\t* {e}")).collect();
                format!("{} errors occurred:{items}\n\n", many.len())
            }
        }
    }

    fn error(&mut self, text: impl Into<String>) {
        self.errors.push(text.into());
    }

    /// An error that Istio appends to a list of its own.
    fn listed(&mut self, text: impl Into<String>) {
        self.listed |= self.errors.is_empty();
        self.errors.push(text.into());
    }

    /// Takes over what a smaller check found.
    fn take(&mut self, other: Validation) {
        self.listed |= self.errors.is_empty() && other.listed;
        self.errors.extend(other.errors);
        self.warnings.extend(other.warnings);
    }

    /// Takes over the errors only: where Istio puts errors together, warnings are lost.
    fn take_errors(&mut self, mut other: Validation) {
        other.warnings.clear();
        self.take(other);
    }

    fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }

    /// Adds an error if the condition holds.
    fn error_if(&mut self, condition: bool, text: &str) {
        if condition {
            self.error(text);
        }
    }

    /// Takes over the error of a smaller check.
    fn check(&mut self, result: Result<(), String>) {
        if let Err(text) = result {
            self.error(text);
        }
    }
}

/// Validates an Istio object as istiod does on create and update. Kinds without rules here are valid.
pub fn validate(object: &Object, _snapshot: &Snapshot) -> Validation {
    let mut found = Validation::default();
    if let Err(error) = annotations(object) {
        found.error(error);
        return found;
    }
    match (object.group(), object.kind()) {
        ("networking.istio.io", "ServiceEntry") => service_entry::validate(object, &mut found),
        ("networking.istio.io", "VirtualService") => virtual_service::validate(object, &mut found),
        ("networking.istio.io", "Gateway") => gateway::validate(object, &mut found),
        ("networking.istio.io", "DestinationRule") => destination_rule::validate(object, &mut found),
        ("networking.istio.io", "Sidecar") => sidecar::validate(object, &mut found),
        ("networking.istio.io", "WorkloadEntry") => workload::entry(object, &mut found),
        ("networking.istio.io", "WorkloadGroup") => workload::group(object, &mut found),
        ("networking.istio.io", "EnvoyFilter") => envoy_filter::validate(object, &mut found),
        ("networking.istio.io", "ProxyConfig") => telemetry::proxy_config(object, &mut found),
        ("security.istio.io", "AuthorizationPolicy") => authorization::validate(object, &mut found),
        ("security.istio.io", "PeerAuthentication") => authentication::peer(object, &mut found),
        ("security.istio.io", "RequestAuthentication") => authentication::request(object, &mut found),
        ("telemetry.istio.io", "Telemetry") => telemetry::telemetry(object, &mut found),
        ("extensions.istio.io", "WasmPlugin") => telemetry::wasm_plugin(object, &mut found),
        ("extensions.istio.io", "TrafficExtension") => telemetry::traffic_extension(object, &mut found),
        _ => (),
    }
    found
}

/// Annotations that decide before anything else (S: validateMetadata).
fn annotations(object: &Object) -> Result<(), String> {
    const DRY_RUN: &str = "istio.io/dry-run";
    let place = format!("{}/{}", object.namespace(), object.name());
    if let Some(value) = object.annotation(DRY_RUN) {
        if object.kind() != "AuthorizationPolicy" {
            return Err(format!("{place} has unsupported annotation {DRY_RUN}, please remove the annotation"));
        }
        let action = text(object.at(&["spec", "action"]));
        if !matches!(action, "" | "ALLOW" | "DENY") {
            return Err(format!(
                "the annotation {DRY_RUN} currently only supports action ALLOW/DENY, found action {action} in {place}"
            ));
        }
        let truths = ["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"];
        if !truths.contains(&value) {
            return Err(format!(
                "{place} has annotation {DRY_RUN} with invalid value ({value}): strconv.ParseBool: parsing {value:?}: invalid syntax"
            ));
        }
    }
    if object.annotation("internal.istio.io/webhook-always-reject").is_some() {
        return Err("\"internal.istio.io/webhook-always-reject\" annotation found, rejecting".into());
    }
    Ok(())
}

/// Whether a list or text has something in it.
fn filled(value: &Value) -> bool {
    match value {
        Value::String(s) => !s.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
