//! Putting somebody else's object back: what we changed goes back to what it was, what others changed since stays.

use crate::k8s::object::SERVERS_METADATA;
use serde_json::{Map, Value};

/// Parts that the server itself writes.
const SERVERS: [&str; 2] = ["status", "apiVersion"];

/// A JSON merge patch (RFC 7386) that brings `now` to `before` in every place that `ours` changed and nobody else since; `None` when
/// there is nothing to do. And the places that others changed after us.
pub fn restore(before: &Value, ours: &Value, now: &Value) -> (Option<Value>, Vec<String>) {
    let mut kept = Vec::new();
    let patch = step("", before, ours, now, &mut kept);
    (patch.filter(|patch| patch.as_object().is_some_and(|fields| !fields.is_empty())), kept)
}

fn step(path: &str, before: &Value, ours: &Value, now: &Value, kept: &mut Vec<String>) -> Option<Value> {
    let (Some(b), Some(o), Some(n), false) = (fields(before), fields(ours), fields(now), now == ours && before.is_null()) else {
        return leaf(path, before, ours, now, kept);
    };
    let mut patch = Map::new();
    let mut names: Vec<&String> = b.keys().chain(o.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names.into_iter().filter(|name| !is_servers(path, name)) {
        let of = |object: &&Map<String, Value>| object.get(name).cloned().unwrap_or(Value::Null);
        let (b, o, n) = (of(&b), of(&o), of(&n));
        let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if b != o
            && let Some(part) = step(&below, &b, &o, &n, kept)
        {
            patch.insert(name.clone(), part);
        }
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// The fields of an object; none where there is nothing at all.
fn fields(value: &Value) -> Option<&Map<String, Value>> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    if value.is_null() { Some(&NONE) } else { value.as_object() }
}

/// A part that is one thing: a value, a list, or something that only one side has.
fn leaf(path: &str, before: &Value, ours: &Value, now: &Value, kept: &mut Vec<String>) -> Option<Value> {
    if now == before {
        return None;
    }
    if now != ours {
        kept.push(path.to_string());
        return None;
    }
    Some(before.clone())
}

fn is_servers(path: &str, name: &str) -> bool {
    match path {
        "" => SERVERS.contains(&name),
        "metadata" => SERVERS_METADATA.contains(&name) || name == "deletionTimestamp",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_our_own_changes_go_back() {
        for (before, ours, now, patch, kept) in [
            // A label that we added, and one that somebody added later.
            (
                json!({"metadata": {"labels": {"a": "1"}, "resourceVersion": "1"}}),
                json!({"metadata": {"labels": {"a": "1", "istio-injection": "enabled"}, "resourceVersion": "2"}}),
                json!({"metadata": {"labels": {"a": "1", "istio-injection": "enabled", "b": "2"}, "resourceVersion": "3"}}),
                Some(json!({"metadata": {"labels": {"istio-injection": null}}})),
                vec![],
            ),
            // There were no labels at all.
            (
                json!({"metadata": {"name": "x"}}),
                json!({"metadata": {"name": "x", "labels": {"k": "v"}}}),
                json!({"metadata": {"name": "x", "labels": {"k": "v"}}}),
                Some(json!({"metadata": {"labels": null}})),
                vec![],
            ),
            // There were none, and somebody added one after us.
            (
                json!({"metadata": {}}),
                json!({"metadata": {"labels": {"k": "v"}}}),
                json!({"metadata": {"labels": {"k": "v", "theirs": "1"}}}),
                Some(json!({"metadata": {"labels": {"k": null}}})),
                vec![],
            ),
            // Somebody changed the same value after us.
            (json!({"data": {"m": "1"}}), json!({"data": {"m": "2"}}), json!({"data": {"m": "3"}}), None, vec!["data.m"]),
            // It went back already.
            (json!({"spec": {"a": 1}}), json!({"spec": {"a": 2}}), json!({"spec": {"a": 1}}), None, vec![]),
            // A list is one thing; status is the server's.
            (
                json!({"spec": {"l": [1]}, "status": {"x": 1}}),
                json!({"spec": {"l": [1, 2]}, "status": {"x": 2}}),
                json!({"spec": {"l": [1, 2]}, "status": {"x": 3}}),
                Some(json!({"spec": {"l": [1]}})),
                vec![],
            ),
        ] {
            assert_eq!(restore(&before, &ours, &now), (patch, kept.into_iter().map(str::to_string).collect()), "{now}");
        }
    }
}
