//! Refusals in the API server's words. `details.kind` is the plural resource for NotFound, AlreadyExists, Conflict and Forbidden,
//! and the kind for Invalid.

use crate::sandbox::api::registry::Resource;
use crate::sandbox::call::Refusal;
use serde_json::{Map, Value, json};

/// One field error of an Invalid answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    pub field: String,
    pub reason: &'static str,
    pub message: String,
}

impl Cause {
    /// `Invalid value: "x": why`; strings are quoted, other values are JSON.
    pub fn invalid(field: impl Into<String>, value: &Value, why: &str) -> Cause {
        Cause { field: field.into(), reason: "FieldValueInvalid", message: format!("Invalid value: {}: {why}", shown(value)) }
    }

    /// `Required value`, with an explanation unless it is empty.
    pub fn required(field: impl Into<String>, why: &str) -> Cause {
        let message = if why.is_empty() { "Required value".to_string() } else { format!("Required value: {why}") };
        Cause { field: field.into(), reason: "FieldValueRequired", message }
    }

    /// `Unsupported value: "x": supported values: "a", "b"`.
    pub fn unsupported(field: impl Into<String>, value: &Value, supported: &[&str]) -> Cause {
        let supported: Vec<String> = supported.iter().map(|s| format!("{s:?}")).collect();
        let message = format!("Unsupported value: {}: supported values: {}", shown(value), supported.join(", "));
        Cause { field: field.into(), reason: "FieldValueNotSupported", message }
    }

    /// `Duplicate value: "x"`.
    pub fn duplicate(field: impl Into<String>, value: &Value) -> Cause {
        Cause { field: field.into(), reason: "FieldValueDuplicate", message: format!("Duplicate value: {}", shown(value)) }
    }

    /// `Forbidden: why`.
    pub fn forbidden(field: impl Into<String>, why: &str) -> Cause {
        Cause { field: field.into(), reason: "FieldValueForbidden", message: format!("Forbidden: {why}") }
    }

    /// `Not found: "x"`.
    pub fn not_found(field: impl Into<String>, value: &Value) -> Cause {
        Cause { field: field.into(), reason: "FieldValueNotFound", message: format!("Not found: {}", shown(value)) }
    }
}

fn shown(value: &Value) -> String {
    value.to_string()
}

/// `pods`, `deployments.apps`.
pub fn qualified(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_string() } else { format!("{name}.{group}") }
}

fn details(name: &str, group: &str, kind: &str) -> Map<String, Value> {
    let mut details = Map::new();
    for (key, value) in [("name", name), ("group", group), ("kind", kind)] {
        if !value.is_empty() {
            details.insert(key.into(), json!(value));
        }
    }
    details
}

fn about(code: u16, reason: &str, resource: &Resource, name: &str, message: String) -> Refusal {
    let details = Value::Object(details(name, &resource.group, &resource.plural));
    Refusal { code, reason: reason.into(), message, details }
}

/// 404: `deployments.apps "x" not found`.
pub fn not_found(resource: &Resource, name: &str) -> Refusal {
    let message = format!("{} \"{name}\" not found", qualified(&resource.plural, &resource.group));
    about(404, "NotFound", resource, name, message)
}

/// 404 for a path below a known group version.
pub fn no_such_resource() -> Refusal {
    Refusal {
        code: 404,
        reason: "NotFound".into(),
        message: "the server could not find the requested resource".into(),
        details: json!({}),
    }
}

/// 405.
pub fn method_not_allowed() -> Refusal {
    let message = "the server does not allow this method on the requested resource".into();
    Refusal { code: 405, reason: "MethodNotAllowed".into(), message, details: json!({}) }
}

/// 409: `namespaces "lab" already exists`.
pub fn already_exists(resource: &Resource, name: &str, terminating: bool) -> Refusal {
    let exists = format!("{} \"{name}\" already exists", qualified(&resource.plural, &resource.group));
    let message = if terminating { format!("object is being deleted: {exists}") } else { exists };
    about(409, "AlreadyExists", resource, name, message)
}

/// 409: `Operation cannot be fulfilled on configmaps "cm": why`.
pub fn conflict(resource: &Resource, name: &str, why: &str) -> Refusal {
    let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", qualified(&resource.plural, &resource.group));
    about(409, "Conflict", resource, name, message)
}

/// The words of a conflict of versions.
pub const MODIFIED: &str = "the object has been modified; please apply your changes to the latest version and try again";

/// 403: `namespaces "default" is forbidden: why`.
pub fn forbidden(resource: &Resource, name: &str, why: &str) -> Refusal {
    let what = qualified(&resource.plural, &resource.group);
    let message = match name {
        "" => format!("{what} is forbidden: {why}"),
        _ => format!("{what} \"{name}\" is forbidden: {why}"),
    };
    about(403, "Forbidden", resource, name, message)
}

/// 422 about an object of a kind.
pub fn invalid(group: &str, kind: &str, name: &str, causes: Vec<Cause>) -> Refusal {
    let texts: Vec<String> = causes.iter().map(|c| format!("{}: {}", c.field, c.message)).collect();
    let text = if texts.len() == 1 { texts[0].clone() } else { format!("[{}]", texts.join(", ")) };
    let mut details = details(name, group, kind);
    let causes: Vec<Value> =
        causes.into_iter().map(|c| json!({"reason": c.reason, "message": c.message, "field": c.field})).collect();
    details.insert("causes".into(), json!(causes));
    let message = format!("{} \"{name}\" is invalid: {text}", qualified(kind, group));
    Refusal { code: 422, reason: "Invalid".into(), message, details: Value::Object(details) }
}

/// 422 about a query's options: `ListOptions.meta.k8s.io "" is invalid: ...`.
pub fn invalid_options(kind: &str, causes: Vec<Cause>) -> Refusal {
    invalid("meta.k8s.io", kind, "", causes)
}

/// 415 with the accepted media types.
pub fn unsupported_media(accepted: &str) -> Refusal {
    let message = format!("the body of the request was in an unknown format - accepted media types include: {accepted}");
    Refusal::new(415, "UnsupportedMediaType", message)
}
