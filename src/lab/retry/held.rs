//! Whether an object on the server is what was sent.

use crate::k8s::object::SERVERS_METADATA;
use serde_json::Value;

/// Whether everything that was sent is there. Servers add (defaults, addresses, injected containers), and never take away; `null` in a
/// patch means that something is not there.
pub fn holds(sent: &Value, there: &Value) -> bool {
    let (Some(sent), Some(there)) = (sent.as_object(), there.as_object()) else { return false };
    sent.iter().all(|(key, value)| match key.as_str() {
        "apiVersion" | "kind" | "status" => true,
        // Kept under another name: said to be there only if the rest is.
        "stringData" => true,
        "metadata" => value.as_object().is_some_and(|meta| {
            let own = meta.iter().filter(|(key, _)| !SERVERS_METADATA.contains(&key.as_str()));
            own.into_iter().all(|(key, value)| within(value, there.get("metadata").and_then(|meta| meta.get(key))))
        }),
        _ => within(value, there.get(key)),
    })
}

fn within(sent: &Value, there: Option<&Value>) -> bool {
    match (sent, there) {
        (Value::Null, there) => there.is_none_or(Value::is_null),
        // Empty and absent are the same to the API server.
        (Value::Object(sent), None) => sent.values().all(|value| within(value, None)),
        (Value::Array(sent), None) => sent.is_empty(),
        (_, None) => false,
        (Value::Object(sent), Some(Value::Object(there))) => sent.iter().all(|(key, value)| within(value, there.get(key))),
        (Value::Array(sent), Some(Value::Array(there))) => {
            sent.iter().all(|value| there.iter().any(|other| within(value, Some(other))))
        }
        (sent, Some(there)) => sent == there,
    }
}
