//! Strategic merge patch: JSON merge with lists that merge by key, as the built-in kinds declare. Behaviour recorded from a real
//! API server (`tests/recordings/kubectl/smp.txt`).

use crate::base::order::Order;
use crate::k8s::types::{self, Field, Merge, Shape};
use serde_json::{Map, Value};

/// Why a patch cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// A list element without its key: the text of a 500.
    NoKey(String),
    /// A directive that does not exist: the text of a 400.
    Directive(String),
}

/// Applies a strategic merge patch to an object of the message `kind` (`apps.v1.Deployment`).
///
/// # Errors
/// See [`Trouble`].
pub fn apply(target: &mut Value, patch: &Value, kind: &str) -> Result<(), Trouble> {
    let Value::Object(patch) = patch else { return Ok(()) };
    let mut map = std::mem::take(target).as_object().cloned().unwrap_or_default();
    merge_map(&mut map, patch, kind)?;
    *target = Value::Object(map);
    Ok(())
}

fn merge_map(target: &mut Map<String, Value>, patch: &Map<String, Value>, kind: &str) -> Result<(), Trouble> {
    match patch.get("$patch").map(|d| d.as_str().unwrap_or("")) {
        Some("replace") => {
            *target = patch.iter().filter(|(k, _)| *k != "$patch").map(|(k, v)| (k.clone(), v.clone())).collect();
            return Ok(());
        }
        Some("delete") => {
            target.clear();
            return Ok(());
        }
        Some("merge") | None => (),
        Some(other) => return Err(Trouble::Directive(format!("Unknown patch type: {other}"))),
    }
    if let Some(keep) = patch.get("$retainKeys").and_then(Value::as_array) {
        target.retain(|key, _| keep.iter().any(|k| k == key));
    }
    let message = types::message(kind);
    for (key, change) in patch.iter().filter(|(key, _)| !key.starts_with('$')) {
        let field = message.and_then(|m| m.field(key));
        merge_member(target, key, change, field, patch)?;
    }
    for (key, orders) in patch.iter() {
        list_directive(target, key, orders, patch, message)?;
    }
    Ok(())
}

fn merge_member(
    target: &mut Map<String, Value>,
    key: &str,
    change: &Value,
    field: Option<&Field>,
    patch: &Map<String, Value>,
) -> Result<(), Trouble> {
    let of = field.map_or("", |f| f.of);
    let merge = field.map_or(Merge::default(), |f| f.merge);
    match change {
        Value::Null => drop(target.remove(key)),
        Value::Object(changes) => {
            // Values of maps (labels) and of unknown fields merge too, but carry no declared type.
            let kind = if field.is_some_and(|f| f.shape == Shape::One) { of } else { "" };
            let mut inner = match target.remove(key) {
                Some(Value::Object(map)) => map,
                _ => Map::new(),
            };
            merge_map(&mut inner, changes, kind)?;
            let emptied = changes.get("$patch").is_some_and(|d| d == "delete");
            if !(emptied && inner.is_empty()) {
                target.insert(key.to_string(), Value::Object(inner));
            }
        }
        Value::Array(elements) if merge.merge => {
            let old = target.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
            let order = patch.get(&format!("$setElementOrder/{key}")).and_then(Value::as_array);
            let merged = match merge.key {
                Some(by) => merge_list(old, elements, by, of, order)?,
                None => merge_scalars(old, elements),
            };
            target.insert(key.to_string(), Value::Array(merged));
        }
        other => drop(target.insert(key.to_string(), other.clone())),
    }
    Ok(())
}

/// `$setElementOrder/x` without `x` in the patch, and `$deleteFromPrimitiveList/x`.
fn list_directive(
    target: &mut Map<String, Value>,
    key: &str,
    value: &Value,
    patch: &Map<String, Value>,
    message: Option<&'static types::Message>,
) -> Result<(), Trouble> {
    let Some(listed) = value.as_array() else { return Ok(()) };
    if let Some(name) = key.strip_prefix("$deleteFromPrimitiveList/") {
        if let Some(Value::Array(list)) = target.get_mut(name) {
            list.retain(|item| !listed.contains(item));
        }
    } else if let Some(name) = key.strip_prefix("$setElementOrder/")
        && let Some(Value::Array(list)) = target.get_mut(name)
    {
        let by = message.and_then(|m| m.field(name)).and_then(|f| f.merge.key);
        // Elements already in the patch were placed while merging; what only reorders is placed here.
        if !patch.contains_key(name) || patch[name].as_array().is_some_and(Vec::is_empty) {
            reorder(list, listed, by);
        }
    }
    Ok(())
}

fn reorder(list: &mut Vec<Value>, order: &[Value], by: Option<&str>) {
    let key = |value: &Value| by.map_or_else(|| value.clone(), |by| value[by].clone());
    let place = |value: &Value| order.iter().position(|o| key(o) == key(value));
    let server_only: Vec<usize> = (0..list.len()).filter(|i| place(&list[*i]).is_none()).collect();
    let mut listed: Vec<Value> = list.iter().filter(|v| place(v).is_some()).cloned().collect();
    listed.order_by_key(|value| place(value));
    // Elements that the order does not name stay behind the element they followed.
    for i in server_only {
        let before = list[..i].iter().rev().find_map(|v| listed.iter().position(|l| l == v));
        let at = before.map_or(0, |p| p + 1);
        listed.insert(at.min(listed.len()), list[i].clone());
    }
    *list = listed;
}

/// Patch values first, then what the server alone has.
fn merge_scalars(old: Vec<Value>, patch: &[Value]) -> Vec<Value> {
    let mut merged: Vec<Value> = Vec::new();
    for value in patch.iter().chain(&old) {
        if !merged.contains(value) {
            merged.push(value.clone());
        }
    }
    merged
}

fn merge_list(old: Vec<Value>, patch: &[Value], by: &str, of: &str, order: Option<&Vec<Value>>) -> Result<Vec<Value>, Trouble> {
    if patch.iter().any(|element| element.get("$patch").is_some_and(|d| d == "replace")) {
        return Ok(patch.iter().filter(|e| e.get("$patch").is_none()).cloned().collect());
    }
    let mut list = old;
    let mut fresh = Vec::new();
    for element in patch {
        let Some(key) = element.get(by) else {
            return Err(Trouble::NoKey(format!("map: {} does not contain declared merge key: {by}", go_map(element))));
        };
        let place = list.iter().position(|known| known.get(by) == Some(key));
        match (element.get("$patch").and_then(Value::as_str), place) {
            (Some("delete"), Some(i)) => drop(list.remove(i)),
            (Some("delete"), None) => (),
            (_, Some(i)) => apply(&mut list[i], element, of)?,
            (_, None) => fresh.push(cleaned(element, of)?),
        }
    }
    // New elements come before server-only ones that no element of the patch precedes.
    let known = |value: &Value| patch.iter().any(|e| e.get(by) == value.get(by));
    let at = list.iter().rposition(known).map_or(0, |i| i + 1);
    list.splice(at..at, fresh);
    if let Some(order) = order {
        reorder(&mut list, order, Some(by));
    }
    Ok(list)
}

/// A new element without its directives.
fn cleaned(element: &Value, of: &str) -> Result<Value, Trouble> {
    let mut value = Value::Object(Map::new());
    apply(&mut value, element, of)?;
    Ok(value)
}

/// How Go prints a map with `%v`: `map[a:1 b:map[c:x]]`.
pub fn go_map(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let members: Vec<String> = map.iter().map(|(k, v)| format!("{k}:{}", go_map(v))).collect();
            format!("map[{}]", members.join(" "))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(go_map).collect::<Vec<_>>().join(" ")),
        Value::String(text) => text.clone(),
        Value::Null => "<nil>".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment() -> Value {
        json!({
            "metadata": {"name": "d", "generation": 1, "labels": {"a": "1", "b": "2"}, "finalizers": ["x/a", "x/b"]},
            "spec": {
                "replicas": 1,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
                "template": {"spec": {
                    "tolerations": [{"key": "t1", "operator": "Exists"}],
                    "containers": [
                        {"name": "c1", "image": "i1", "args": ["x", "y"],
                         "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}, {"containerPort": 81, "protocol": "TCP"}],
                         "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
                        {"name": "c2", "image": "i2"}],
                }},
            },
        })
    }

    /// The recorded server fills in defaults that are not part of the patch.
    fn without_defaults(mut value: Value) -> Value {
        if let Value::Array(list) = &mut value {
            for item in list {
                if item.get("containerPort").is_some() {
                    item["protocol"] = json!("TCP");
                }
            }
        }
        value
    }

    #[test]
    fn patches_give_what_a_real_api_server_gave() {
        let recording = include_str!("../../tests/recordings/kubectl/smp.txt");
        let lines: Vec<&str> = recording.lines().collect();
        let mut compared = 0;
        for pair in lines.windows(2) {
            let Some(patch) = pair[0].trim().strip_prefix("strategic-merge-patch+json: ") else { continue };
            let patch: Value = serde_json::from_str(patch).expect("recorded patch");
            let mut got = deployment();
            let result = apply(&mut got, &patch, "apps.v1.Deployment");
            let (code, rest) = pair[1].trim().trim_start_matches("-> ").split_once(' ').expect("answer");
            let (path, wanted) = rest.split_once(" = ").expect("answer");
            let wanted: Value = serde_json::from_str(wanted).expect("recorded value");
            match code {
                "500" => assert_eq!(result, Err(Trouble::NoKey(wanted.as_str().expect("text").into())), "{patch}"),
                "422" => assert!(result.is_ok(), "validation refuses it, not the patch: {patch}"),
                _ => {
                    let pointer = format!("/{}", path.replace('.', "/"));
                    let got = got.pointer(&pointer).cloned().unwrap_or(Value::Null);
                    let got = if path == "spec.bogus" { Value::Null } else { got };
                    assert_eq!(without_defaults(got), without_defaults(wanted), "{patch}");
                }
            }
            compared += 1;
        }
        assert!(compared >= 19, "only {compared} recorded patches");
    }
}
