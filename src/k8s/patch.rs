//! JSON patch (RFC 6902) and JSON merge patch (RFC 7386). The strategic one is in [`crate::k8s::strategic`].

use serde_json::{Map, Value};

/// So many operations a JSON patch may have, as on a real API server.
pub const OPERATION_LIMIT: usize = 10_000;
/// So many bytes `copy` may add, as on a real API server.
const COPY_LIMIT: usize = 3 * 1024 * 1024;
/// How deep a patched value may nest.
const DEPTH_LIMIT: usize = 256;

/// Applies a JSON patch.
///
/// # Errors
/// What failed: a missing path, a failed test, an unknown operation, copies that grow too large or too deep. The target may be half
/// changed: work on a copy.
pub fn json_patch(target: &mut Value, patch: &[Value]) -> Result<(), String> {
    let mut copied = 0;
    patch.iter().try_for_each(|operation| json_operation(target, operation, &mut copied))
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn json_operation(target: &mut Value, operation: &Value, copied: &mut usize) -> Result<(), String> {
    let text = |key: &str| operation[key].as_str().ok_or_else(|| format!("operation without {key}"));
    let value = || operation.get("value").cloned().ok_or_else(|| "operation without value".to_string());
    let path = text("path")?;
    match text("op")? {
        "add" => add(target, path, value()?),
        "remove" => take(target, path).map(drop),
        "replace" if path.is_empty() => {
            *target = value()?;
            Ok(())
        }
        "replace" => {
            let new = value()?;
            *target.pointer_mut(path).ok_or_else(|| format!("replace operation does not apply: doc is missing key: {path}"))? =
                new;
            Ok(())
        }
        "move" => {
            let value = take(target, text("from")?)?;
            add(target, path, value)
        }
        "copy" => {
            let from = text("from")?;
            let value = target.pointer(from).cloned().ok_or_else(|| format!("copy from a missing path: {from}"))?;
            *copied += value.to_string().len();
            if *copied > COPY_LIMIT {
                return Err("the copies of the patch are too large".into());
            }
            add(target, path, value)
        }
        "test" => match target.pointer(path).unwrap_or(&Value::Null) == &value()? {
            true => Ok(()),
            false => Err(format!("testing value {path} failed")),
        },
        other => Err(format!("Unexpected kind: {other}")),
    }
}

fn add(target: &mut Value, path: &str, value: Value) -> Result<(), String> {
    if path.matches('/').count() + depth(&value) > DEPTH_LIMIT {
        return Err("the patched value nests too deeply".into());
    }
    let Some((parent, last)) = path.rsplit_once('/') else {
        *target = value;
        return Ok(());
    };
    let last = last.replace("~1", "/").replace("~0", "~");
    match target.pointer_mut(parent) {
        Some(Value::Object(map)) => drop(map.insert(last, value)),
        Some(Value::Array(list)) if last == "-" => list.push(value),
        Some(Value::Array(list)) => {
            let index: usize = last.parse().map_err(|_| format!("bad index {last}"))?;
            if index > list.len() {
                return Err(format!("index {index} is out of bounds"));
            }
            list.insert(index, value);
        }
        _ => return Err(format!("add operation does not apply: doc is missing path: {path}")),
    }
    Ok(())
}

fn take(target: &mut Value, path: &str) -> Result<Value, String> {
    let missing = || format!("remove operation does not apply: doc is missing path: {path}");
    let (parent, last) = path.rsplit_once('/').ok_or_else(missing)?;
    let last = last.replace("~1", "/").replace("~0", "~");
    match target.pointer_mut(parent).ok_or_else(missing)? {
        Value::Object(map) => map.remove(&last).ok_or_else(missing),
        Value::Array(list) => match last.parse::<usize>() {
            Ok(index) if index < list.len() => Ok(list.remove(index)),
            _ => Err(missing()),
        },
        _ => Err(missing()),
    }
}

/// Applies a JSON merge patch: null deletes, objects merge, everything else replaces.
pub fn merge_patch(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(map) = target else { return };
    for (key, change) in changes {
        match change {
            Value::Null => drop(map.remove(key)),
            _ => merge_patch(map.entry(key.clone()).or_insert(Value::Null), change),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn merge_patches_as_in_rfc_7386_appendix_a() {
        for (mut target, patch, expected) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            merge_patch(&mut target, &patch);
            assert_eq!(target, expected, "{patch}");
        }
    }

    #[test]
    fn json_patches_as_in_rfc_6902_appendix_a() {
        let cases = [
            (
                json!({"foo": "bar"}),
                json!([{"op": "add", "path": "/baz", "value": "q"}]),
                Some(json!({"baz": "q", "foo": "bar"})),
            ),
            (json!({"foo": [1, 3]}), json!([{"op": "add", "path": "/foo/1", "value": 2}]), Some(json!({"foo": [1, 2, 3]}))),
            (json!({"foo": [1]}), json!([{"op": "add", "path": "/foo/-", "value": 2}]), Some(json!({"foo": [1, 2]}))),
            (json!({"a": 1, "b": 2}), json!([{"op": "remove", "path": "/a"}]), Some(json!({"b": 2}))),
            (json!({"a": 1}), json!([{"op": "replace", "path": "/a", "value": 2}]), Some(json!({"a": 2}))),
            (
                json!({"a": {"x": 1}, "b": {}}),
                json!([{"op": "move", "from": "/a/x", "path": "/b/y"}]),
                Some(json!({"a": {}, "b": {"y": 1}})),
            ),
            (
                json!({"a/b": 1, "m~n": 2}),
                json!([{"op": "test", "path": "/a~1b", "value": 1}, {"op": "remove", "path": "/m~0n"}]),
                Some(json!({"a/b": 1})),
            ),
            (json!({"a": 1}), json!([{"op": "remove", "path": "/b"}]), None),
            (json!({"a": 1}), json!([{"op": "test", "path": "/a", "value": 2}]), None),
            (json!({"a": 1}), json!([{"op": "bogus", "path": "/a"}]), None),
            (json!({"a": [1]}), json!([{"op": "add", "path": "/a/5", "value": 2}]), None),
            // Copies that double or nest without end.
            (json!({"a": {"x": "y"}}), Value::Array(vec![json!({"op": "copy", "from": "", "path": "/b"}); 300]), None),
        ];
        for (mut target, patch, expected) in cases {
            let result = json_patch(&mut target, patch.as_array().expect("list")).ok().map(|()| target);
            assert_eq!(result, expected, "{patch}");
        }
    }
}
