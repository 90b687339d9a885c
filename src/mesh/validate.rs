//! istiod's validation webhook: what it refuses beyond the CRD schemas, in its words and order (S: pkg/config/validation).
//!
//! References to other objects are never checked here, as istiod does not either.

mod destination_rule;
mod export;
mod gateway;
mod http_route;
mod names;
mod service_entry;
mod sidecar;
mod string_match;
mod unreachable;
mod virtual_service;

pub use names::overlap;

use crate::k8s::{Object, Snapshot};
use serde_json::Value;

/// What the webhook found. Errors refuse the object, warnings are shown and let it pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Validation {
    pub errors: Vec<String>,
    pub warnings: Vec<String>,
}

impl Validation {
    /// The text after `configuration is invalid: `: one error inline, several as a list (Go's multierror format).
    pub fn joined(&self) -> String {
        match self.errors.as_slice() {
            [one] => one.clone(),
            many => {
                let items: String = many.iter().map(|e| format!("\n\t* {e}")).collect();
                format!("{} errors occurred:{items}\n\n", many.len())
            }
        }
    }

    fn error(&mut self, text: impl Into<String>) {
        self.errors.push(text.into());
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
    if object.group() == "networking.istio.io" {
        match object.kind() {
            "ServiceEntry" => service_entry::validate(object, &mut found),
            "VirtualService" => virtual_service::validate(object, &mut found),
            "Gateway" => gateway::validate(object, &mut found),
            "DestinationRule" => destination_rule::validate(object, &mut found),
            "Sidecar" => sidecar::validate(object, &mut found),
            _ => (),
        }
    }
    found
}

/// The items of a list, none for anything else.
fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text, "" for anything else.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

/// The texts of a list.
fn texts(value: &Value) -> Vec<&str> {
    items(value).iter().filter_map(Value::as_str).collect()
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
