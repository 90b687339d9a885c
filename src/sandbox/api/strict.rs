//! Decoding built-in kinds strictly: unknown fields, wrong types, in the words of Go's JSON decoder.

use crate::k8s::types::{self, Field, Shape};
use serde_json::Value;

/// How deep objects may nest; deeper parts are taken as they are.
const DEPTH_LIMIT: usize = 64;

/// Removes unknown fields and nulls from an object of this message and gives the unknown fields' paths.
///
/// # Errors
/// The first value of a wrong type: `json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`.
pub fn check(value: &mut Value, message: &str) -> Result<Vec<String>, String> {
    check_at(value, message, "")
}

/// The same for a part of an object at a path.
///
/// # Errors
/// As [`check`].
pub fn check_at(value: &mut Value, message: &str, path: &str) -> Result<Vec<String>, String> {
    let mut unknown = Vec::new();
    let mut walk = Walk { unknown: &mut unknown, depth: 0, root: path.is_empty() };
    walk.object(value, message, path, path)?;
    Ok(unknown)
}

struct Walk<'a> {
    unknown: &'a mut Vec<String>,
    depth: usize,
    root: bool,
}

impl Walk<'_> {
    /// `path` has list indexes, `go` is the path as Go prints it, without them.
    fn object(&mut self, value: &mut Value, message: &str, path: &str, go: &str) -> Result<(), String> {
        let Some(known) = types::message(message) else { return Ok(()) };
        let Value::Object(map) = value else { return Ok(()) };
        if self.depth >= DEPTH_LIMIT {
            return Ok(());
        }
        self.depth += 1;
        let top = std::mem::take(&mut self.root);
        let names: Vec<String> = map.keys().cloned().collect();
        for name in names {
            let here = join(path, &name);
            match known.field(&name) {
                Some(field) => {
                    let member = map.get_mut(&name).expect("listed");
                    if member.is_null() && field.of != "any" && field.name != "eventTime" {
                        map.remove(&name);
                    } else {
                        self.field(member, field, message, &here, &join(go, &name))?;
                    }
                }
                None if top && matches!(name.as_str(), "apiVersion" | "kind") => (),
                None => {
                    map.remove(&name);
                    self.unknown.push(here);
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn field(&mut self, value: &mut Value, field: &Field, parent: &str, path: &str, go: &str) -> Result<(), String> {
        let mismatch = |value: &Value, of: &str| {
            let owner = parent.rsplit('.').next().unwrap_or(parent);
            format!("json: cannot unmarshal {} into Go struct field {owner}.{go} of type {of}", json_kind(value, of))
        };
        match (field.shape, &mut *value) {
            (Shape::One, one) => {
                self.one(one, field.of, path, go).map_err(|e| e.unwrap_or_else(|| mismatch(one, &go_type(field.of))))
            }
            (Shape::List, Value::Array(list)) => {
                for (i, item) in list.iter_mut().enumerate() {
                    let here = format!("{path}[{i}]");
                    self.one(item, field.of, &here, go).map_err(|e| e.unwrap_or_else(|| mismatch(item, &go_type(field.of))))?;
                }
                Ok(())
            }
            (Shape::Map, Value::Object(map)) => {
                for (key, item) in map.iter_mut() {
                    let here = format!("{path}.{key}");
                    self.one(item, field.of, &here, go).map_err(|e| e.unwrap_or_else(|| mismatch(item, &go_type(field.of))))?;
                }
                Ok(())
            }
            (Shape::List, Value::String(_)) if field.of == "bytes" => Ok(()),
            (Shape::List, other) => Err(mismatch(other, &format!("[]{}", go_type(field.of)))),
            (Shape::Map, other) => Err(mismatch(other, &format!("map[string]{}", go_type(field.of)))),
        }
    }

    /// One value of a type. `Err(None)`: it has another JSON type.
    fn one(&mut self, value: &mut Value, of: &str, path: &str, go: &str) -> Result<(), Option<String>> {
        let fits = match of {
            "string" | "bytes" => value.is_string(),
            "int32" => value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
            "int64" => value.is_i64() || value.is_u64(),
            "double" => value.is_number(),
            "bool" => value.is_boolean(),
            "meta.v1.Time" | "meta.v1.MicroTime" => value.is_string() || value.is_null(),
            "api.resource.Quantity" | "util.intstr.IntOrString" => value.is_string() || value.is_number(),
            _ => match types::message(of) {
                Some(_) if value.is_object() => return self.object(value, of, path, go).map_err(Some),
                // A null element of a list of objects is an empty object to Go.
                Some(_) => value.is_null(),
                None => true,
            },
        };
        if fits { Ok(()) } else { Err(None) }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}

fn json_kind(value: &Value, of: &str) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "bool".into(),
        Value::Number(n) if of.starts_with("int") => format!("number {n}"),
        Value::Number(_) => "number".into(),
        Value::String(_) => "string".into(),
        Value::Array(_) => "array".into(),
        Value::Object(_) => "object".into(),
    }
}

/// `core.v1.Container` is `v1.Container` in Go's words.
fn go_type(of: &str) -> String {
    match (of.rsplit_once('.'), of) {
        (_, "bytes") => "[]uint8".into(),
        (_, "double") => "float64".into(),
        (Some((package, name)), _) => format!("{}.{name}", package.rsplit('.').next().unwrap_or("")),
        (None, of) => of.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(spec: Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "creationTimestamp": null}, "spec": spec})
    }

    #[test]
    fn unknown_fields_are_dropped_and_named() {
        let mut value = deployment(json!({"replicaz": 1, "template": {"spec": {"containers": [{"name": "c", "imagee": "x"}]}}}));
        let unknown = check(&mut value, "apps.v1.Deployment").expect("types fit");
        assert_eq!(unknown, ["spec.replicaz", "spec.template.spec.containers[0].imagee"]);
        assert_eq!(
            value,
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
                                 "spec": {"template": {"spec": {"containers": [{"name": "c"}]}}}})
        );
    }

    #[test]
    fn wrong_types_are_told_as_go_tells_them() {
        for (spec, text) in [
            (
                json!({"replicas": "x"}),
                "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
            ),
            (
                json!({"template": {"spec": {"containers": [{"image": 5}]}}}),
                "json: cannot unmarshal number into Go struct field Container.spec.template.spec.containers.image of type string",
            ),
            (
                json!({"template": {"spec": {"containers": {}}}}),
                "json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container",
            ),
        ] {
            assert_eq!(check(&mut deployment(spec), "apps.v1.Deployment"), Err(text.to_string()));
        }
    }
}
