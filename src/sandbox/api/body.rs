//! Request bodies: JSON, YAML or protobuf to an object, with what is wrong about its fields.

use crate::base::yaml;
use crate::k8s::{Object, kinds};
use crate::sandbox::api::registry::Resource;
use crate::sandbox::api::status::{self, Cause};
use crate::sandbox::api::{go_json, protobuf, strict};
use crate::sandbox::call::{Call, Refusal};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};

/// How a write treats unknown and duplicate fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

/// The `fieldValidation` of a call.
///
/// # Errors
/// 422 about the options.
pub fn field_validation(call: &Call, options: &str) -> Result<FieldValidation, Refusal> {
    match call.param("fieldValidation").unwrap_or("") {
        "" | "Warn" => Ok(FieldValidation::Warn),
        "Strict" => Ok(FieldValidation::Strict),
        "Ignore" => Ok(FieldValidation::Ignore),
        other => {
            let cause = Cause::unsupported("fieldValidation", &json!(other), &["", "Ignore", "Strict", "Warn"]);
            Err(status::invalid_options(options, vec![cause]))
        }
    }
}

/// Whether a call asks for a dry run.
///
/// # Errors
/// 422 when it asks for something else.
pub fn dry_run(call: &Call, options: &str) -> Result<bool, Refusal> {
    let asked: Vec<&str> = call.query.iter().filter(|(name, _)| name == "dryRun").map(|(_, value)| value.as_str()).collect();
    match asked.iter().find(|value| **value != "All") {
        Some(_) => Err(status::invalid_options(options, vec![Cause::unsupported("dryRun", &json!(asked), &["All"])])),
        None => Ok(!asked.is_empty()),
    }
}

/// Reads the object of a create or update.
///
/// # Errors
/// 400 for what cannot be read or has other types, 415 for other media, 400 for strict field errors.
pub fn read_object(call: &Call, resource: &Resource, validation: FieldValidation) -> Result<(Object, Vec<String>), Refusal> {
    let (value, duplicates) = read_value(call, &resource.kind)?;
    let object = typed(value, resource)?;
    fields(object, resource, duplicates, validation)
}

/// A body as JSON, with the paths of duplicate fields.
///
/// # Errors
/// As [`read_object`].
pub fn read_value(call: &Call, kind: &str) -> Result<(Value, Vec<String>), Refusal> {
    let media = call.header_value("content-type").unwrap_or("application/json");
    match media.split(';').next().unwrap_or("").trim() {
        "application/json" | "" => read_json(&call.body, kind),
        "application/yaml" | "text/yaml" => {
            let text = String::from_utf8_lossy(&call.body);
            let value = yaml::parse(&text).map_err(|e| unreadable(kind, &e.to_string(), &call.body))?;
            object_or_nothing(value, kind, &call.body).map(|value| (value, Vec::new()))
        }
        "application/vnd.kubernetes.protobuf" => {
            protobuf::decode(&call.body).map(|value| (value, Vec::new())).map_err(Refusal::bad_request)
        }
        _ => Err(status::unsupported_media("application/json, application/yaml, application/vnd.kubernetes.protobuf")),
    }
}

fn unreadable(kind: &str, why: &str, body: &[u8]) -> Refusal {
    let shown = go_json::summary(body);
    let message = format!(
        "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: {why} ({shown})"
    );
    Refusal::bad_request(message)
}

/// A body that is JSON, but no object: the words are those of Go's reader.
fn no_object(kind: &str, value: &Value, body: &[u8]) -> Refusal {
    let found = json_type(value);
    let of = "struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }";
    unreadable(kind, &format!("json: cannot unmarshal {found} into Go value of type {of}"), body)
}

fn read_json(body: &[u8], kind: &str) -> Result<(Value, Vec<String>), Refusal> {
    let (value, duplicates) = json_with_duplicates(body).map_err(|e| match go_json::problem(body, &e) {
        // Not the client's mistake: a real server reads this.
        why if why.starts_with(&crate::base::not_simulated("")) => Refusal::new(501, "NotImplemented", why),
        why => unreadable(kind, &why, body),
    })?;
    object_or_nothing(value, kind, body).map(|value| (value, duplicates))
}

/// JSON with the paths of the members that occur twice; the last one wins.
///
/// # Errors
/// What is no JSON.
pub fn json_with_duplicates(body: &[u8]) -> Result<(Value, Vec<String>), serde_json::Error> {
    let mut duplicates = Vec::new();
    let seed = Watcher { path: String::new(), duplicates: &mut duplicates };
    // Bytes that are no text stand for U+FFFD, as in Go.
    let text = String::from_utf8_lossy(body);
    let mut reader = serde_json::Deserializer::from_str(&text);
    let value = seed.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map(|value| (value, duplicates))
}

/// `null` reads as an object without fields, as in Go.
fn object_or_nothing(value: Value, kind: &str, body: &[u8]) -> Result<Value, Refusal> {
    match value {
        Value::Null => Ok(json!({})),
        Value::Object(_) => Ok(value),
        other => Err(no_object(kind, &other, body)),
    }
}

/// A JSON type in Go's words.
fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::Object(_) => "object",
        Value::Null => "null",
    }
}

/// Refuses a built-in kind in a version that nobody serves.
fn known_version(kind: &str, version: &str, resource: &Resource) -> Result<(), Refusal> {
    let short = version.rsplit('/').next().unwrap_or("");
    let handled = format!("{kind} in version {short:?} cannot be handled as a {}", resource.kind);
    if version.matches('/').count() > 1 {
        return Err(Refusal::bad_request(format!("{handled}: unexpected GroupVersion string: {version}")));
    }
    let group = version.rsplit_once('/').map_or("", |(group, _)| group);
    // Lists are not in the table of kinds, and a custom kind's versions are in its definition.
    let named = |info: &kinds::KindInfo| info.kind == kind || kind.strip_suffix("List") == Some(info.kind);
    let served = |info: &&kinds::KindInfo| info.group == group && info.versions.contains(&short) && named(info);
    if resource.custom.is_some() || kinds::KINDS.iter().any(|info| served(&info)) {
        return Ok(());
    }
    let scheme = "pkg/api/legacyscheme/scheme.go:30";
    let message = format!("{handled}: no kind {kind:?} is registered for version {version:?} in scheme {scheme:?}");
    Err(Refusal::bad_request(message))
}

/// The object with its kind and version filled in or compared.
fn typed(value: Value, resource: &Resource) -> Result<Object, Refusal> {
    if !value.is_object() {
        let message = format!("the object provided is unrecognized (must be of type {})", resource.kind);
        return Err(Refusal::bad_request(message));
    }
    for (field, go) in [("apiVersion", "apiVersion"), ("kind", "kind")] {
        let of = json_type(&value[field]);
        if !matches!(of, "string" | "null") {
            let why = format!("json: cannot unmarshal {of} into Go struct field .{go} of type string");
            return Err(unreadable(&resource.kind, &why, value.to_string().as_bytes()));
        }
    }
    let mut object = Object(value);
    let (kind, version) = (object.kind().to_string(), object.api_version().to_string());
    if !version.is_empty() && !kind.is_empty() {
        known_version(&kind, &version, resource)?;
    }
    if !kind.is_empty() && kind != resource.kind {
        let hub = resource.group.split('.').next().filter(|g| !g.is_empty()).unwrap_or("core");
        let short = version.rsplit('/').next().unwrap_or("");
        let message = format!(
            "{kind} in version \"{short}\" cannot be handled as a {0}: converting ({short}.{kind}) to ({hub}.{0}): unknown conversion",
            resource.kind
        );
        return Err(Refusal::bad_request(message));
    }
    if !version.is_empty() && version != resource.api_version() {
        let message = format!(
            "the API version in the data ({version}) does not match the expected API version ({})",
            resource.api_version()
        );
        return Err(Refusal::bad_request(message));
    }
    object.set(&["apiVersion"], json!(resource.api_version()));
    object.set(&["kind"], json!(resource.kind));
    Ok(object)
}

/// Drops unknown fields and complains about them as asked.
///
/// # Errors
/// 400 for wrong types, and for any complaint when strict.
pub fn fields(
    mut object: Object,
    resource: &Resource,
    duplicates: Vec<String>,
    validation: FieldValidation,
) -> Result<(Object, Vec<String>), Refusal> {
    let handled = |why: String| {
        let (kind, version) = (&resource.kind, &resource.version);
        Refusal::bad_request(format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"))
    };
    let unknown = match (resource.message(), &resource.custom) {
        (Some(message), _) => strict::check(&mut object.0, &message).map_err(handled)?,
        (None, Some(custom)) => custom.prune(&mut object, &resource.version).map_err(handled)?,
        _ => Vec::new(),
    };
    let complaints: Vec<String> = duplicates
        .into_iter()
        .map(|path| format!("duplicate field {path:?}"))
        .chain(unknown.into_iter().map(|path| format!("unknown field {path:?}")))
        .collect();
    match validation {
        FieldValidation::Strict if !complaints.is_empty() => {
            Err(handled(format!("strict decoding error: {}", complaints.join(", "))))
        }
        FieldValidation::Warn => Ok((object, complaints)),
        _ => Ok((object, Vec::new())),
    }
}

/// Builds a JSON value and notes which members occur twice (the last one wins).
struct Watcher<'a> {
    path: String,
    duplicates: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Watcher<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Watcher<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(json!(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(json!(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(json!(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(json!(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(json!(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        Value::deserialize(reader)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let path = format!("{}[{}]", self.path, list.len());
            match seq.next_element_seed(Watcher { path, duplicates: self.duplicates })? {
                Some(value) => list.push(value),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let path = if self.path.is_empty() { key.clone() } else { format!("{}.{key}", self.path) };
            if map.contains_key(&key) {
                self.duplicates.push(path.clone());
            }
            let value = access.next_value_seed(Watcher { path, duplicates: self.duplicates })?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_found_with_their_paths() {
        let (value, duplicates) = read_json(br#"{"spec": {"a": 1, "a": 2, "l": [{"x": 1, "x": 1}]}}"#, "Pod").expect("json");
        assert_eq!(value, json!({"spec": {"a": 2, "l": [{"x": 1}]}}));
        assert_eq!(duplicates, ["spec.a", "spec.l[0].x"]);
        assert!(read_json(b"{bad", "Pod").is_err());
    }
}
