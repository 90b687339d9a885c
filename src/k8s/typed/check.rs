//! Whether a value fits its type, in the words of structured-merge-diff.

use crate::k8s::fields;
use crate::k8s::strategic::go_map;
use crate::k8s::typed::{Elements, Form, Scalar, Type, element};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// At most so many troubles are told.
const TOLD: usize = 32;

/// What is wrong with an applied value: undeclared fields, wrong types, elements without identity or that occur twice.
///
/// # Errors
/// `.spec.replicas: expected numeric (int or float), got string`, or several such lines after `errors:`.
pub fn check(value: &Value, of: Type<'_>) -> Result<(), String> {
    let mut troubles = Vec::new();
    walk(value, of, "", &mut troubles);
    match troubles.as_slice() {
        [] => Ok(()),
        [one] => Err(one.clone()),
        many => Err(format!("errors:\n  {}", many.join("\n  "))),
    }
}

fn walk(value: &Value, of: Type<'_>, path: &str, troubles: &mut Vec<String>) {
    if troubles.len() >= TOLD {
        return;
    }
    let mut tell = |why: String| troubles.push(if path.is_empty() { why } else { format!("{path}: {why}") });
    match (of.form(value), value) {
        (_, Value::Null) | (Form::Leaf, _) => (),
        (Form::Scalar(scalar), value) => {
            if let Some(why) = wrong_scalar(scalar, value) {
                tell(why);
            }
        }
        (Form::Map { .. }, Value::Object(map)) => walk_map(map, of, path, troubles),
        (Form::Map { .. }, other) => tell(format!("expected map, got &{{{}}}", go_map(other))),
        (Form::List { item, elements }, Value::Array(list)) => walk_list(list, item, &elements, path, troubles),
        (Form::List { .. }, other) => tell(format!("expected list, got &{{{}}}", go_map(other))),
    }
}

fn wrong_scalar(scalar: Scalar, value: &Value) -> Option<String> {
    match scalar {
        Scalar::Text if !value.is_string() => {
            Some(format!("expected string, got &value.valueUnstructured{{Value:{}}}", go_syntax(value)))
        }
        Scalar::Number if !value.is_number() => Some(format!("expected numeric (int or float), got {}", go_type(value))),
        Scalar::Bool if !value.is_boolean() => Some(format!("expected boolean, got &{{{}}}", go_map(value))),
        Scalar::Any if value.is_object() || value.is_array() => Some(format!("expected any scalar, got &{{{}}}", go_map(value))),
        _ => None,
    }
}

fn walk_map(map: &Map<String, Value>, of: Type<'_>, path: &str, troubles: &mut Vec<String>) {
    for (name, value) in map {
        let here = format!("{path}.{name}");
        match of.member(name) {
            Some(member) => walk(value, member.of, &here, troubles),
            None => troubles.push(format!("{here}: field not declared in schema")),
        }
    }
}

fn walk_list(list: &[Value], item: Type<'_>, elements: &Elements<'_>, path: &str, troubles: &mut Vec<String>) {
    let mut seen = HashSet::new();
    for (i, value) in list.iter().enumerate() {
        if *elements == Elements::Together {
            walk(value, item, &format!("{path}[{i}]"), troubles);
            continue;
        }
        match element(item, elements, value) {
            Err(why) => troubles.push(format!("{path}: element {i}: {why}")),
            Ok(key) => {
                let shown = fields::shown(&key);
                if !seen.insert(key) {
                    troubles.push(format!("{path}: duplicate entries for key {shown}"));
                }
                walk(value, item, &format!("{path}{shown}"), troubles);
            }
        }
    }
}

/// How Go names the type of a decoded value.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(n) if n.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// How Go prints a decoded value with `%#v`.
fn go_syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".into(),
        Value::Array(list) => format!("[]interface {{}}{{{}}}", list.iter().map(go_syntax).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let members: Vec<String> = map.iter().map(|(k, v)| format!("{k:?}:{}", go_syntax(v))).collect();
            format!("map[string]interface {{}}{{{}}}", members.join(", "))
        }
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn troubles_are_told_as_a_real_api_server_tells_them() {
        let config_map = Type::kind("core.v1.ConfigMap").expect("known");
        let deployment = Type::kind("apps.v1.Deployment").expect("known");
        let container = |c: Value| json!({"spec": {"template": {"spec": {"containers": c}}}});
        for (of, value, expected) in [
            (config_map, json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"}}), None),
            (config_map, json!({"bogus": 1}), Some(".bogus: field not declared in schema")),
            (config_map, json!({"data": "x"}), Some(".data: expected map, got &{x}")),
            (config_map, json!({"data": {"a": 1}}), Some(".data.a: expected string, got &value.valueUnstructured{Value:1}")),
            (deployment, json!({"spec": {"replicas": "x"}}), Some(".spec.replicas: expected numeric (int or float), got string")),
            (
                deployment,
                container(json!([{"name": "a"}, {"name": "a"}])),
                Some(".spec.template.spec.containers: duplicate entries for key [name=\"a\"]"),
            ),
            (
                deployment,
                container(json!([{"image": "a"}])),
                Some(
                    ".spec.template.spec.containers: element 0: associative list with keys has an element that omits key field \
                     \"name\" (and doesn't have default value)",
                ),
            ),
            (
                deployment,
                json!({"spec": {"paused": "x", "bogus": 1}}),
                Some("errors:\n  .spec.bogus: field not declared in schema\n  .spec.paused: expected boolean, got &{x}"),
            ),
        ] {
            assert_eq!(check(&value, of).err().as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn custom_kinds_are_checked_by_their_schema() {
        let schema = json!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {"hosts": {"type": "array", "items": {"type": "string"}}}},
            "any": {"x-kubernetes-preserve-unknown-fields": true}}});
        let of = Type::Root(&schema);
        assert_eq!(
            check(&json!({"kind": "X", "metadata": {"labels": {"a": "b"}}, "spec": {"hosts": []}, "any": {"x": [1]}}), of),
            Ok(())
        );
        assert_eq!(check(&json!({"spec": {"hostz": []}}), of), Err(".spec.hostz: field not declared in schema".into()));
        assert_eq!(check(&json!({"spec": {"hosts": {}}}), of), Err(".spec.hosts: expected list, got &{map[]}".into()));
    }
}
