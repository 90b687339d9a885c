//! Kinds that CustomResourceDefinitions make at run time.

use crate::base::clock::Time;
use crate::k8s::Object;
use crate::sandbox::api::status::Cause;
use crate::sandbox::api::write::NOT_SIMULATED;
use crate::sandbox::api::{discovery, schema, strict, table};
use kube_cel::{CompiledSchema, RootContext, Validator, compile_schema};
use regex::Regex;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// A custom kind as its definition has it.
pub struct CustomKind {
    pub group: String,
    pub kind: String,
    pub list_kind: String,
    pub plural: String,
    pub singular: String,
    pub short_names: Vec<String>,
    pub categories: Vec<String>,
    pub namespaced: bool,
    /// The version in which objects are stored.
    pub storage: String,
    pub versions: Vec<CustomVersion>,
    /// Listed, but writes answer 501.
    pub not_simulated: bool,
    digest: String,
}

impl std::fmt::Debug for CustomKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CustomKind({}.{})", self.plural, self.group)
    }
}

/// One version of a custom kind.
pub struct CustomVersion {
    pub name: String,
    pub served: bool,
    /// Versions with the same schema share it.
    pub schema: Arc<Value>,
    pub status: bool,
    /// The `scale` subresource's paths, if there is one.
    pub scale: Option<Value>,
    pub columns: Vec<Column>,
    /// The fields that field selectors may name: `spec.color`.
    pub selectable: Vec<String>,
    /// A `Warning` header's text for every use.
    pub deprecation: Option<String>,
    has_defaults: bool,
    has_rules: bool,
    compiled: OnceLock<(CompiledSchema, HashMap<String, Regex>)>,
}

/// A printer column.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub kind: String,
    pub format: String,
    pub description: String,
    pub priority: i64,
    path: String,
}

impl Column {
    /// The column's cell for an object.
    pub fn cell(&self, object: &Object, now: Time) -> Value {
        let found = lookup(&object.0, &self.path);
        let Some(value) = found.first() else { return Value::Null };
        match (self.kind.as_str(), value) {
            ("date", Value::String(text)) => json!(table::age(text, now)),
            ("integer" | "number", Value::Number(_)) | ("boolean", Value::Bool(_)) => (*value).clone(),
            ("integer" | "number" | "boolean", _) => Value::Null,
            (_, Value::String(text)) => json!(text),
            (_, Value::Null) => Value::Null,
            (_, other) => json!(other.to_string()),
        }
    }
}

impl CustomKind {
    /// Reads a definition; missing parts are empty.
    pub fn read(object: &Object) -> CustomKind {
        let text = |path: &[&str]| object.str_at(path).to_string();
        let list = |path: &[&str]| {
            object.at(path).as_array().into_iter().flatten().filter_map(Value::as_str).map(String::from).collect()
        };
        let versions: Vec<&Value> = object.at(&["spec", "versions"]).as_array().into_iter().flatten().collect();
        let storage = versions.iter().find(|v| v["storage"] == true).and_then(|v| v["name"].as_str()).unwrap_or("").to_string();
        let (group, kind) = (text(&["spec", "group"]), text(&["spec", "names", "kind"]));
        CustomKind {
            versions: read_versions(&versions, &group, &kind),
            list_kind: text(&["spec", "names", "listKind"]),
            plural: text(&["spec", "names", "plural"]),
            singular: text(&["spec", "names", "singular"]),
            short_names: list(&["spec", "names", "shortNames"]),
            categories: list(&["spec", "names", "categories"]),
            namespaced: object.str_at(&["spec", "scope"]) == "Namespaced",
            storage,
            not_simulated: object.annotation(NOT_SIMULATED) == Some("true"),
            digest: discovery::digest(object.spec().to_string().as_bytes()),
            group,
            kind,
        }
    }

    /// A text that changes when the definition does: names its documents.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// A version by its name.
    pub fn version(&self, name: &str) -> Option<&CustomVersion> {
        self.versions.iter().find(|version| version.name == name)
    }

    /// Drops fields that the schema does not know; gives their paths.
    ///
    /// # Errors
    /// Metadata of a wrong type.
    pub fn prune(&self, object: &mut Object, version: &str) -> Result<Vec<String>, String> {
        let mut unknown = Vec::new();
        if let Some(metadata) = object.0.get_mut("metadata") {
            unknown.extend(strict::check_at(metadata, "meta.v1.ObjectMeta", "metadata")?);
        }
        let Some(version) = self.version(version) else { return Ok(unknown) };
        let Value::Object(map) = &mut object.0 else { return Ok(unknown) };
        let own: Vec<(String, Value)> =
            ["apiVersion", "kind", "metadata"].iter().filter_map(|k| Some((k.to_string(), map.remove(*k)?))).collect();
        schema::prune(&version.schema, &mut object.0, "", &mut unknown);
        if let Value::Object(map) = &mut object.0 {
            map.extend(own);
        }
        Ok(unknown)
    }

    /// Fills in the schema's defaults.
    pub fn apply_defaults(&self, object: &mut Object, version: &str) {
        if let Some(version) = self.version(version).filter(|v| v.has_defaults) {
            schema::defaults(&version.schema, &mut object.0);
        }
    }

    /// What the schema and its rules refuse.
    pub fn validate(&self, object: &Object, old: Option<&Object>, version: &str) -> Vec<Cause> {
        let Some(version) = self.version(version) else { return Vec::new() };
        let (compiled, patterns) = version.compiled.get_or_init(|| version.compile());
        let mut checker = schema::Checker { patterns, causes: Vec::new() };
        for (name, member) in version.schema["properties"].as_object().into_iter().flatten() {
            if !matches!(name.as_str(), "apiVersion" | "kind" | "metadata") && !object.at(&[name]).is_null() {
                checker.check(member, object.at(&[name]), name);
            }
        }
        for name in version.schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if object.at(&[name]).is_null() {
                checker.causes.push(Cause::required(name, ""));
            }
        }
        let mut causes = checker.causes;
        if !version.has_rules {
            return causes;
        }
        if !causes.is_empty() {
            let why = "some validation rules were not checked because the object was invalid; correct the existing errors to complete \
                       validation";
            causes.push(Cause::invalid("<nil>", &Value::Null, why));
            return causes;
        }
        let root =
            RootContext { api_version: object.api_version().into(), api_group: self.group.clone(), kind: self.kind.clone() };
        let result = Validator::new().validate_compiled_with_context(compiled, &object.0, old.map(|o| &o.0), Some(&root));
        causes.extend(
            result
                .err()
                .into_iter()
                .flat_map(|errors| errors.into_vec())
                .map(|error| rule_cause(&error, object, &version.schema)),
        );
        causes
    }
}

/// A failed rule: scalars are shown, lists and objects are not.
fn rule_cause(error: &kube_cel::ValidationError, object: &Object, schema: &Value) -> Cause {
    let field = error.field_path.trim_start_matches('.').to_string();
    let value = lookup(&object.0, &format!(".{field}")).first().map(|v| (*v).clone()).unwrap_or(Value::Null);
    let reason = match error.reason.as_deref() {
        Some("FieldValueForbidden") => "FieldValueForbidden",
        Some("FieldValueRequired") => "FieldValueRequired",
        Some("FieldValueDuplicate") => "FieldValueDuplicate",
        _ => "FieldValueInvalid",
    };
    let text = match error.kind {
        kube_cel::ErrorKind::EvaluationError => not_evaluated(error, schema),
        _ => error.message.clone(),
    };
    let message = match (reason, &value) {
        ("FieldValueForbidden", _) => format!("Forbidden: {text}"),
        ("FieldValueRequired", _) => format!("Required value: {text}"),
        (_, Value::Object(_) | Value::Array(_) | Value::Null) => format!("Invalid value: {text}"),
        (_, value) => format!("Invalid value: {value}: {text}"),
    };
    let field = if field.is_empty() { "<nil>".to_string() } else { field };
    Cause { field, reason, message }
}

/// A rule that ended in an error, in the words of the API server (apiextensions-apiserver, schema/cel/validation.go) and of its CEL.
fn not_evaluated(error: &kube_cel::ValidationError, schema: &Value) -> String {
    let own = error.message.strip_prefix("rule evaluation error: ").unwrap_or(&error.message);
    let why = match own.strip_prefix("No such key") {
        Some(key) => format!("no such key{key}"),
        None if own.contains("'duration'") => "type conversion error from 'string' to 'google.protobuf.Duration'".into(),
        None => own.to_string(),
    };
    format!("{why} evaluating rule: {}", message_of(schema, &error.rule).unwrap_or(&error.rule))
}

/// The message that a schema gives a rule.
fn message_of<'a>(schema: &'a Value, rule: &str) -> Option<&'a str> {
    match schema {
        Value::Object(map) if map.get("rule").is_some_and(|r| r == rule) => map.get("message").and_then(Value::as_str),
        Value::Object(map) => map.values().find_map(|inner| message_of(inner, rule)),
        Value::Array(items) => items.iter().find_map(|inner| message_of(inner, rule)),
        _ => None,
    }
}

/// The versions; those with the same schema share it.
fn read_versions(versions: &[&Value], group: &str, kind: &str) -> Vec<CustomVersion> {
    let mut read: Vec<CustomVersion> = Vec::new();
    for version in versions {
        let schema = &version["schema"]["openAPIV3Schema"];
        let same = read.iter().find(|other| *other.schema == *schema).map(|other| other.schema.clone());
        let schema = same.unwrap_or_else(|| Arc::new(schema.clone()));
        read.push(CustomVersion::read(version, schema, group, kind));
    }
    read
}

impl CustomVersion {
    fn read(version: &Value, schema: Arc<Value>, group: &str, kind: &str) -> CustomVersion {
        let name = version["name"].as_str().unwrap_or("").to_string();
        let columns = version["additionalPrinterColumns"].as_array().filter(|list| !list.is_empty());
        let age = json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"});
        let columns = columns.map_or_else(|| vec![Column::read(&age)], |list| list.iter().map(Column::read).collect());
        let deprecation = (version["deprecated"] == true).then(|| {
            let own = version["deprecationWarning"].as_str().map(String::from);
            own.unwrap_or_else(|| format!("{group}/{name} {kind} is deprecated"))
        });
        CustomVersion {
            served: version["served"] == true,
            status: !version["subresources"]["status"].is_null(),
            scale: version["subresources"].get("scale").cloned(),
            columns,
            selectable: selectable(version),
            deprecation,
            has_defaults: schema::mentions(&schema, "default"),
            has_rules: schema::mentions(&schema, "x-kubernetes-validations"),
            schema,
            name,
            compiled: OnceLock::new(),
        }
    }

    fn compile(&self) -> (CompiledSchema, HashMap<String, Regex>) {
        let mut patterns = HashMap::new();
        schema::patterns(&self.schema, &mut patterns);
        (compile_schema(&self.schema), patterns)
    }
}

fn selectable(version: &Value) -> Vec<String> {
    let fields = version["selectableFields"].as_array().into_iter().flatten();
    fields.filter_map(|field| field["jsonPath"].as_str()).map(|path| path.trim_start_matches('.').to_string()).collect()
}

impl Column {
    fn read(column: &Value) -> Column {
        let text = |key: &str| column[key].as_str().unwrap_or("").to_string();
        Column {
            name: text("name"),
            kind: text("type"),
            format: text("format"),
            description: text("description"),
            priority: column["priority"].as_i64().unwrap_or(0),
            path: text("jsonPath"),
        }
    }
}

/// The values at a simple JSONPath: `.a.b`, `[0]`, `[*]`, `['a.b']`, `[?(@.type=="Ready")]`, `\.` inside a name.
pub fn lookup<'a>(value: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut found = vec![value];
    let mut rest = path.trim_start_matches('{').trim_end_matches('}').trim_start_matches('$');
    while !rest.is_empty() {
        if let Some(tail) = rest.strip_prefix('[') {
            let Some(end) = tail.find(']') else { return Vec::new() };
            found = index(&found, &tail[..end]);
            rest = &tail[end + 1..];
        } else {
            let tail = rest.strip_prefix('.').unwrap_or(rest);
            let (name, after) = name(tail);
            if !name.is_empty() {
                found = found.into_iter().filter_map(|v| v.get(&name)).collect();
            }
            rest = after;
        }
    }
    found
}

/// The name at the start of a path, with `\.` unescaped, and what follows.
fn name(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '\\' => name.extend(chars.next().map(|(_, c)| c)),
            '.' | '[' => return (name, &text[i..]),
            c => name.push(c),
        }
    }
    (name, "")
}

fn index<'a>(found: &[&'a Value], inside: &str) -> Vec<&'a Value> {
    let lists = || found.iter().filter_map(|v| v.as_array());
    if inside == "*" {
        return lists().flatten().collect();
    }
    if let Ok(n) = inside.parse::<usize>() {
        return lists().filter_map(|list| list.get(n)).collect();
    }
    if let Some(condition) = inside.strip_prefix("?(@").and_then(|c| c.strip_suffix(')')) {
        let Some((path, wanted)) = condition.split_once("==") else { return Vec::new() };
        let wanted = wanted.trim().trim_matches(['"', '\'']);
        let fits = |item: &&Value| lookup(item, path.trim()).first().and_then(|v| v.as_str()) == Some(wanted);
        return lists().flatten().filter(fits).collect();
    }
    let name = inside.trim_matches(['"', '\'']);
    found.iter().filter_map(|v| v.get(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_values() {
        let value = json!({"a": {"b.c": 1, "l": [{"type": "Ready", "s": "True"}, {"type": "X", "s": "False"}]}});
        for (path, expected) in [
            (".a.l[0].s", vec![json!("True")]),
            (".a.l[*].s", vec![json!("True"), json!("False")]),
            (".a.l[?(@.type==\"X\")].s", vec![json!("False")]),
            (r".a.b\.c", vec![json!(1)]),
            (".a['b.c']", vec![json!(1)]),
            (".a.none", vec![]),
        ] {
            let found: Vec<Value> = lookup(&value, path).into_iter().cloned().collect();
            assert_eq!(found, expected, "{path}");
        }
    }
}
