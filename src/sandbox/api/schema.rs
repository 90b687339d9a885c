//! Structural schemas of custom kinds: pruning, defaulting, validation, in the words of the API server (kube-openapi's validator).

use crate::sandbox::api::status::Cause;
use regex::Regex;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// How deep schemas and objects are followed.
const DEPTH_LIMIT: usize = 64;

/// Removes what the schema does not know and notes the paths.
pub fn prune(schema: &Value, value: &mut Value, path: &str, unknown: &mut Vec<String>) {
    prune_at(schema, value, path, unknown, 0);
}

fn prune_at(schema: &Value, value: &mut Value, path: &str, unknown: &mut Vec<String>, depth: usize) {
    if depth > DEPTH_LIMIT {
        return;
    }
    match value {
        Value::Object(map) => prune_map(schema, map, path, unknown, depth),
        Value::Array(list) => {
            for (i, item) in list.iter_mut().enumerate() {
                prune_at(&schema["items"], item, &format!("{path}[{i}]"), unknown, depth + 1);
            }
        }
        _ => (),
    }
}

fn prune_map(schema: &Value, map: &mut Map<String, Value>, path: &str, unknown: &mut Vec<String>, depth: usize) {
    let keeps = schema["x-kubernetes-preserve-unknown-fields"] == true || schema["x-kubernetes-embedded-resource"] == true;
    let names: Vec<String> = map.keys().cloned().collect();
    for name in names {
        let here = join(path, &name);
        let member = &schema["properties"][&name];
        let other = &schema["additionalProperties"];
        if !member.is_null() {
            prune_at(member, map.get_mut(&name).expect("listed"), &here, unknown, depth + 1);
        } else if other.is_object() {
            prune_at(other, map.get_mut(&name).expect("listed"), &here, unknown, depth + 1);
        } else if !keeps && other != true {
            map.remove(&name);
            unknown.push(here);
        }
    }
}

/// Fills in the schema's defaults; nulls that the schema does not allow give way to them.
pub fn defaults(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, member) in schema["properties"].as_object().into_iter().flatten() {
                let default = &member["default"];
                let missing = match map.get(name) {
                    None => true,
                    Some(v) => v.is_null() && member["nullable"] != true,
                };
                if missing && !default.is_null() {
                    map.insert(name.clone(), default.clone());
                }
                if let Some(inner) = map.get_mut(name) {
                    defaults(member, inner);
                }
            }
            if schema["additionalProperties"].is_object() {
                map.values_mut().for_each(|inner| defaults(&schema["additionalProperties"], inner));
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|item| defaults(&schema["items"], item)),
        _ => (),
    }
}

/// Whether a schema has a key anywhere.
pub fn mentions(schema: &Value, key: &str) -> bool {
    match schema {
        Value::Object(map) => map.contains_key(key) || map.values().any(|inner| mentions(inner, key)),
        Value::Array(list) => list.iter().any(|inner| mentions(inner, key)),
        _ => false,
    }
}

/// The patterns of a schema, compiled. Those that this engine cannot read are left out.
pub fn patterns(schema: &Value, found: &mut HashMap<String, Regex>) {
    match schema {
        Value::Object(map) => {
            if let Some(pattern) = map.get("pattern").and_then(Value::as_str)
                && let Ok(regex) = Regex::new(pattern)
            {
                found.insert(pattern.to_string(), regex);
            }
            map.values().for_each(|inner| patterns(inner, found));
        }
        Value::Array(list) => list.iter().for_each(|inner| patterns(inner, found)),
        _ => (),
    }
}

/// Checks values against a schema.
pub struct Checker<'a> {
    pub patterns: &'a HashMap<String, Regex>,
    pub causes: Vec<Cause>,
}

impl Checker<'_> {
    /// Adds what is wrong with the value at a path.
    pub fn check(&mut self, schema: &Value, value: &Value, path: &str) {
        self.check_at(schema, value, path, 0);
    }

    fn check_at(&mut self, schema: &Value, value: &Value, path: &str, depth: usize) {
        if depth > DEPTH_LIMIT || !schema.is_object() || value.is_null() && schema["nullable"] == true {
            return;
        }
        if !self.check_type(schema, value, path) {
            return;
        }
        if let Some(allowed) = schema["enum"].as_array()
            && !allowed.contains(value)
        {
            let texts: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
            self.causes.push(Cause::unsupported(path, value, &texts));
        }
        match value {
            Value::String(text) => self.check_string(schema, value, text, path),
            Value::Number(_) => self.check_number(schema, value, path),
            Value::Array(list) => self.check_list(schema, value, list, path, depth),
            Value::Object(map) => self.check_map(schema, map, path, depth),
            _ => (),
        }
        self.check_combined(schema, value, path, depth);
    }

    fn body(&mut self, path: &str, value: &Value, why: &str) {
        self.causes.push(Cause::invalid(path, value, &format!("{path} in body {why}")));
    }

    fn check_type(&mut self, schema: &Value, value: &Value, path: &str) -> bool {
        if schema["x-kubernetes-int-or-string"] == true {
            let good = value.is_string() || value.is_i64() || value.is_u64();
            if !good {
                self.body(path, &json!(kind_of(value)), &format!("must be of type integer,string: \"{}\"", kind_of(value)));
            }
            return good;
        }
        let good = match schema["type"].as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("boolean") => value.is_boolean(),
            Some("number") => value.is_number(),
            Some("integer") => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|f| f.fract() == 0.0),
            _ => true,
        };
        if !good {
            let of = schema["type"].as_str().unwrap_or("");
            self.body(path, &json!(kind_of(value)), &format!("must be of type {of}: \"{}\"", kind_of(value)));
        }
        good
    }

    fn check_string(&mut self, schema: &Value, value: &Value, text: &str, path: &str) {
        let length = text.chars().count() as u64;
        if let Some(min) = schema["minLength"].as_u64().filter(|min| length < *min) {
            self.body(path, value, &format!("should be at least {min} chars long"));
        }
        if let Some(max) = schema["maxLength"].as_u64().filter(|max| length > *max) {
            let message = format!("Too long: may not be more than {max} bytes");
            self.causes.push(Cause { field: path.into(), reason: "FieldValueTooLong", message });
        }
        let Some(pattern) = schema["pattern"].as_str() else { return };
        if self.patterns.get(pattern).is_some_and(|regex| !regex.is_match(text)) {
            self.body(path, value, &format!("should match '{pattern}'"));
        }
    }

    fn check_number(&mut self, schema: &Value, value: &Value, path: &str) {
        let number = value.as_f64().unwrap_or(0.0);
        if let Some(min) = schema["minimum"].as_f64().filter(|min| number < *min) {
            self.body(path, value, &format!("should be greater than or equal to {min}"));
        }
        if let Some(max) = schema["maximum"].as_f64().filter(|max| number > *max) {
            self.body(path, value, &format!("should be less than or equal to {max}"));
        }
    }

    fn check_list(&mut self, schema: &Value, value: &Value, list: &[Value], path: &str, depth: usize) {
        let len = list.len() as u64;
        if let Some(min) = schema["minItems"].as_u64().filter(|min| len < *min) {
            self.body(path, &json!(len), &format!("should have at least {min} items"));
        }
        if let Some(max) = schema["maxItems"].as_u64().filter(|max| len > *max) {
            let message = format!("Too many: {len}: must have at most {max} items");
            self.causes.push(Cause { field: path.into(), reason: "FieldValueTooMany", message });
        }
        for (i, item) in list.iter().enumerate() {
            self.check_at(&schema["items"], item, &format!("{path}[{i}]"), depth + 1);
        }
        let keys: Vec<&str> = match schema["x-kubernetes-list-type"].as_str() {
            Some("map") => {
                schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
            }
            Some("set") => Vec::new(),
            _ => return,
        };
        let of = |item: &Value| match keys.as_slice() {
            [] => item.clone(),
            keys => Value::Object(keys.iter().filter_map(|k| Some((k.to_string(), item.get(*k)?.clone()))).collect()),
        };
        for i in 1..list.len() {
            let key = of(&list[i]);
            if list[..i].iter().any(|other| of(other) == key) {
                self.causes.push(Cause::duplicate(format!("{path}[{i}]"), &key));
            }
        }
        let _ = value;
    }

    fn check_map(&mut self, schema: &Value, map: &Map<String, Value>, path: &str, depth: usize) {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !map.contains_key(name) {
                self.causes.push(Cause::required(join(path, name), ""));
            }
        }
        if let Some(max) = schema["maxProperties"].as_u64().filter(|max| map.len() as u64 > *max) {
            let message = format!("Too many: {}: must have at most {max} items", map.len());
            self.causes.push(Cause { field: path.into(), reason: "FieldValueTooMany", message });
        }
        if let Some(min) = schema["minProperties"].as_u64().filter(|min| (map.len() as u64) < *min) {
            self.body(path, &json!(map.len()), &format!("should have at least {min} properties"));
        }
        for (name, value) in map {
            let member = &schema["properties"][name];
            let member = if member.is_null() { &schema["additionalProperties"] } else { member };
            self.check_at(member, value, &join(path, name), depth + 1);
        }
    }

    /// allOf, anyOf, oneOf, not.
    fn check_combined(&mut self, schema: &Value, value: &Value, path: &str, depth: usize) {
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.check_at(part, value, path, depth + 1);
        }
        let fits = |part: &Value| {
            let mut inner = Checker { patterns: self.patterns, causes: Vec::new() };
            inner.check_at(part, value, path, depth + 1);
            inner.causes.is_empty()
        };
        let mut why = Vec::new();
        if let Some(parts) = schema["anyOf"].as_array()
            && !parts.iter().any(fits)
        {
            why.push("must validate at least one schema (anyOf)".to_string());
        }
        if let Some(parts) = schema["oneOf"].as_array() {
            match parts.iter().filter(|part| fits(part)).count() {
                1 => (),
                0 => why.push("must validate one and only one schema (oneOf). Found none valid".into()),
                n => why.push(format!("must validate one and only one schema (oneOf). Found {n} valid alternatives")),
            }
        }
        if schema["not"].is_object() && fits(&schema["not"]) {
            why.push("must not validate the schema (not)".into());
        }
        for why in why {
            self.causes.push(Cause::invalid("<nil>", &json!(""), &format!("\"{path}\" {why}")));
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn causes(schema: Value, value: Value) -> Vec<String> {
        let mut compiled = HashMap::new();
        patterns(&schema, &mut compiled);
        let mut checker = Checker { patterns: &compiled, causes: Vec::new() };
        checker.check(&schema, &value, "spec");
        checker.causes.into_iter().map(|c| format!("{}: {}", c.field, c.message)).collect()
    }

    #[test]
    fn values_are_refused_in_the_words_of_the_api_server() {
        let text = json!({"type": "string", "enum": ["A", "B"]});
        for (schema, value, expected) in [
            (
                json!({"properties": {"r": text}}),
                json!({"r": "C"}),
                "spec.r: Unsupported value: \"C\": supported values: \"A\", \"B\"",
            ),
            (
                json!({"properties": {"h": {"type": "array", "minItems": 1}}}),
                json!({"h": []}),
                "spec.h: Invalid value: 0: spec.h in body should have at least 1 items",
            ),
            (json!({"required": ["h"]}), json!({}), "spec.h: Required value"),
            (
                json!({"properties": {"n": {"type": "integer"}}}),
                json!({"n": "x"}),
                "spec.n: Invalid value: \"string\": spec.n in body must be of type integer: \"string\"",
            ),
            (
                json!({"properties": {"n": {"type": "integer", "maximum": 9}}}),
                json!({"n": 10}),
                "spec.n: Invalid value: 10: spec.n in body should be less than or equal to 9",
            ),
            (
                json!({"properties": {"p": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}}}),
                json!({"p": [{"name": "a"}, {"name": "a"}]}),
                "spec.p[1]: Duplicate value: {\"name\":\"a\"}",
            ),
            (
                json!({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}),
                json!({"c": 1}),
                "<nil>: Invalid value: \"\": \"spec\" must validate one and only one schema (oneOf). Found none valid",
            ),
        ] {
            assert_eq!(causes(schema, value), [expected]);
        }
    }

    #[test]
    fn unknown_fields_go_and_defaults_come() {
        let schema = json!({"properties": {"a": {"type": "array", "items": {"properties": {"x": {"default": 7}}}},
                                           "free": {"x-kubernetes-preserve-unknown-fields": true}}});
        let mut value = json!({"a": [{"y": 1}], "b": 2, "free": {"any": 1}});
        let mut unknown = Vec::new();
        prune(&schema, &mut value, "spec", &mut unknown);
        defaults(&schema, &mut value);
        assert_eq!(unknown, ["spec.a[0].y", "spec.b"]);
        assert_eq!(value, json!({"a": [{"x": 7}], "free": {"any": 1}}));
    }
}
