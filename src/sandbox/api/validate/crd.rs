//! What the API server refuses about CustomResourceDefinitions (apiextensions-apiserver/pkg/apis/apiextensions/validation).

use crate::k8s::Object;
use crate::sandbox::api::status::Cause;
use kube_cel::compile_schema;
use serde_json::{Value, json};
use std::collections::HashMap;

/// How deep schemas are looked at.
const DEPTH_LIMIT: usize = 64;
const COLUMN_TYPES: &[&str] = &["boolean", "date", "integer", "number", "string"];

/// What is wrong with a definition.
pub fn definition(object: &Object) -> Vec<Cause> {
    let mut causes = Vec::new();
    let (plural, group) = (object.str_at(&["spec", "names", "plural"]), object.str_at(&["spec", "group"]));
    let kind = object.str_at(&["spec", "names", "kind"]);
    for (field, value) in [("spec.names.plural", plural), ("spec.group", group), ("spec.names.kind", kind)] {
        if value.is_empty() {
            causes.push(Cause::required(field, ""));
        }
    }
    if object.name() != format!("{plural}.{group}") {
        causes.push(Cause::invalid("metadata.name", &json!(object.name()), "must be spec.names.plural+\".\"+spec.group"));
    }
    if !group.is_empty() && !group.contains('.') {
        causes.push(Cause::invalid("spec.group", &json!(group), "should be a domain with at least one dot"));
    }
    let list_kind = object.at(&["spec", "names", "listKind"]);
    if !kind.is_empty() && list_kind == kind {
        causes.push(Cause::invalid("spec.names.listKind", list_kind, "kind and listKind may not be the same"));
    }
    let scope = object.at(&["spec", "scope"]);
    if scope != "Namespaced" && scope != "Cluster" {
        causes.push(Cause::unsupported("spec.scope", scope, &["Cluster", "Namespaced"]));
    }
    causes.extend(versions(object));
    causes
}

fn versions(object: &Object) -> Vec<Cause> {
    let mut causes = Vec::new();
    let versions = object.at(&["spec", "versions"]).as_array().cloned().unwrap_or_default();
    let mut known = Rules::default();
    for (i, version) in versions.iter().enumerate() {
        let at = format!("spec.versions[{i}]");
        if versions[..i].iter().any(|other| other["name"] == version["name"]) {
            causes.push(Cause::duplicate(format!("{at}.name"), &version["name"]));
        }
        let root = &version["schema"]["openAPIV3Schema"];
        let path = format!("{at}.schema.openAPIV3Schema");
        match root.is_null() {
            true => causes.push(Cause::required(path, "schemas are required")),
            false => {
                structural(root, &path, true, 0, &mut causes);
                known.check(root, &path, 0, &mut causes);
            }
        }
        for (c, column) in version["additionalPrinterColumns"].as_array().into_iter().flatten().enumerate() {
            causes.extend(printer_column(column, &format!("{at}.additionalPrinterColumns[{c}]")));
        }
    }
    if versions.iter().filter(|v| v["storage"] == true).count() != 1 {
        let names: Vec<&Value> = versions.iter().map(|v| &v["name"]).collect();
        causes.push(Cause::invalid("spec.versions", &json!(names), "must have exactly one version marked as storage version"));
    }
    causes
}

/// The rules that were read: definitions repeat them in every version.
#[derive(Default)]
struct Rules(HashMap<String, Option<String>>);

impl Rules {
    /// Finds the rules of a schema that are no expressions.
    fn check(&mut self, schema: &Value, path: &str, depth: usize, causes: &mut Vec<Cause>) {
        if depth > DEPTH_LIMIT || !schema.is_object() {
            return;
        }
        for (i, rule) in schema["x-kubernetes-validations"].as_array().into_iter().flatten().enumerate() {
            let text = rule["rule"].as_str().unwrap_or("");
            let at = format!("{path}.x-kubernetes-validations[{i}].rule");
            if text.trim().is_empty() {
                causes.push(Cause::required(at, "rule is not specified"));
            } else if let Some(why) = self.problem(text) {
                causes.push(Cause::invalid(at, rule, &format!("compilation failed: {why}")));
            }
        }
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            self.check(member, &format!("{path}.properties[{name}]"), depth + 1, causes);
        }
        self.check(&schema["items"], &format!("{path}.items"), depth + 1, causes);
        self.check(&schema["additionalProperties"], &format!("{path}.additionalProperties"), depth + 1, causes);
    }

    fn problem(&mut self, rule: &str) -> Option<String> {
        let read = || {
            let compiled = compile_schema(&json!({"x-kubernetes-validations": [{"rule": rule}]}));
            let error = compiled.validations.into_iter().find_map(Result::err)?;
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            Some(cause.unwrap_or_else(|| error.to_string()))
        };
        self.0.entry(rule.to_string()).or_insert_with(read).clone()
    }
}

fn printer_column(column: &Value, at: &str) -> Vec<Cause> {
    let empty = |field: &str| column[field].as_str().is_none_or(str::is_empty);
    let mut causes = Vec::new();
    if empty("name") {
        causes.push(Cause::required(format!("{at}.name"), ""));
    }
    if empty("type") {
        let why = format!("must be one of {}", COLUMN_TYPES.join(","));
        causes.push(Cause::required(format!("{at}.type"), &why));
    } else if !COLUMN_TYPES.iter().any(|kind| column["type"] == *kind) {
        let why = format!("must be one of {}", COLUMN_TYPES.join(","));
        causes.push(Cause::invalid(format!("{at}.type"), &column["type"], &why));
    }
    match column["jsonPath"].as_str().unwrap_or("") {
        "" => causes.push(Cause::required(format!("{at}.jsonPath"), "")),
        path if !path.starts_with('.') => {
            causes.push(Cause::invalid(format!("{at}.jsonPath"), &json!(path), "must be a simple json path starting with ."));
        }
        _ => (),
    }
    causes
}

/// Structural schemas: every part has a type, unless it takes anything.
fn structural(schema: &Value, path: &str, root: bool, depth: usize, causes: &mut Vec<Cause>) {
    if depth > DEPTH_LIMIT || !schema.is_object() {
        return;
    }
    let free = schema["x-kubernetes-int-or-string"] == true || schema["x-kubernetes-preserve-unknown-fields"] == true && !root;
    match schema["type"].as_str() {
        None | Some("") if free => (),
        None | Some("") if root => causes.push(Cause::required(format!("{path}.type"), "must not be empty at the root")),
        None | Some("") => {
            causes.push(Cause::required(format!("{path}.type"), "must not be empty for specified object fields"));
        }
        Some("object") => (),
        Some(_) if root => causes.push(Cause::invalid(format!("{path}.type"), &schema["type"], "must be object at the root")),
        Some("array") if schema["items"].is_null() => {
            causes.push(Cause::required(format!("{path}.items"), "must be specified"));
        }
        Some(_) => (),
    }
    if schema["properties"].is_object() && schema["additionalProperties"].is_object() {
        let why = "additionalProperties and properties are mutual exclusive";
        causes.push(Cause::forbidden(format!("{path}.additionalProperties"), why));
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        structural(member, &format!("{path}.properties[{name}]"), false, depth + 1, causes);
    }
    structural(&schema["items"], &format!("{path}.items"), false, depth + 1, causes);
    structural(&schema["additionalProperties"], &format!("{path}.additionalProperties"), false, depth + 1, causes);
}

/// What may not change in a definition.
pub fn changed(old: &Object, object: &Object) -> Vec<Cause> {
    let fixed = |path: &[&str]| {
        let after = object.at(path);
        (old.at(path) != after).then(|| Cause::invalid(path.join("."), after, "field is immutable"))
    };
    let mut causes: Vec<Cause> = Vec::new();
    if is_established(old) {
        causes.extend(fixed(&["spec", "scope"]));
        causes.extend(fixed(&["spec", "names", "kind"]));
    }
    causes.extend(fixed(&["spec", "group"]));
    causes.extend(fixed(&["spec", "names", "plural"]));
    let has = |name: &Value| object.at(&["spec", "versions"]).as_array().into_iter().flatten().any(|v| v["name"] == *name);
    for (i, stored) in old.at(&["status", "storedVersions"]).as_array().into_iter().flatten().enumerate() {
        if !has(stored) {
            let name = stored.as_str().unwrap_or("");
            let why = format!(
                "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until a storage \
                 migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"
            );
            causes.push(Cause::invalid(format!("status.storedVersions[{i}]"), stored, &why));
        }
    }
    causes
}

/// Whether a definition's kind is served.
pub fn is_established(definition: &Object) -> bool {
    let conditions = definition.at(&["status", "conditions"]).as_array().into_iter().flatten();
    conditions.into_iter().any(|c| c["type"] == "Established" && c["status"] == "True")
}
