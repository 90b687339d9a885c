//! Names, labels and annotations (k8s.io/apimachinery/pkg/util/validation).

use crate::k8s::Object;
use crate::sandbox::api::registry::Resource;
use crate::sandbox::api::status::Cause;
use serde_json::{Value, json};

const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an \
                     alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
                     '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start \
                         and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
                         '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, \
                          and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is \
                          '[a-z]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start \
                           and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for \
                           validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const NAME_PART: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric \
                         character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
                         '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

/// What is wrong with an object's metadata.
pub fn metadata(resource: &Resource, object: &Object) -> Vec<Cause> {
    let mut causes = Vec::new();
    if let Some(why) = object_name(resource, object.name()) {
        causes.push(Cause::invalid("metadata.name", &json!(object.name()), &why));
    }
    causes.extend(labels(object.at(&["metadata", "labels"]), "metadata.labels"));
    for (key, _) in object.at(&["metadata", "annotations"]).as_object().into_iter().flatten() {
        if let Some(why) = qualified(&key.to_lowercase()) {
            causes.push(Cause::invalid("metadata.annotations", &json!(key), &why));
        }
    }
    let annotations = object.at(&["metadata", "annotations"]).as_object().into_iter().flatten();
    let size: usize = annotations.map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum();
    if size > ANNOTATIONS_LIMIT {
        let message = format!("Too long: may not be more than {ANNOTATIONS_LIMIT} bytes");
        causes.push(Cause { field: "metadata.annotations".into(), reason: "FieldValueTooLong", message });
    }
    causes.extend(owners(object.at(&["metadata", "ownerReferences"])));
    causes.extend(finalizers(resource, object));
    causes
}

/// How large all annotations may be together, in bytes.
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

fn owners(references: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let list = references.as_array().map(Vec::as_slice).unwrap_or_default();
    for reference in list {
        for (field, why) in [
            ("apiVersion", "version must not be empty"),
            ("kind", "kind must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ] {
            if reference[field].as_str().is_none_or(str::is_empty) {
                causes.push(Cause::invalid(format!("metadata.ownerReferences.{field}"), &json!(""), why));
            }
        }
    }
    let controllers: Vec<&str> =
        list.iter().filter(|reference| reference["controller"] == true).filter_map(|r| r["name"].as_str()).collect();
    if let [first, second, ..] = controllers.as_slice() {
        let why =
            format!("Only one reference can have Controller set to true. Found \"true\" in references for {first} and {second}");
        causes.push(Cause::invalid("metadata.ownerReferences", references, &why));
    }
    causes
}

/// What is going takes no new finalizers.
pub fn new_finalizers(old: &Object, object: &Object) -> Option<Cause> {
    let list = |object: &Object| object.at(&["metadata", "finalizers"]).as_array().cloned().unwrap_or_default();
    let known = list(old);
    let mut fresh: Vec<String> = list(object).iter().filter(|f| !known.contains(f)).map(Value::to_string).collect();
    fresh.sort();
    let why = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        fresh.join(", ")
    );
    (old.is_terminating() && !fresh.is_empty()).then(|| Cause::forbidden("metadata.finalizers", &why))
}

fn finalizers(resource: &Resource, object: &Object) -> Vec<Cause> {
    let standard = |name: &str| matches!(name, "kubernetes" | "orphan" | "foregroundDeletion");
    let mut causes = Vec::new();
    for finalizer in object.at(&["metadata", "finalizers"]).as_array().into_iter().flatten() {
        let name = finalizer.as_str().unwrap_or("");
        if let Some(why) = qualified(name) {
            causes.push(Cause::invalid("metadata.finalizers", finalizer, &why));
        } else if !name.contains('/') && !standard(name) && resource.custom.is_none() {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            causes.push(Cause::invalid("metadata.finalizers", finalizer, why));
        }
    }
    causes
}

/// What is wrong with a map of labels at a field.
pub fn labels(labels: &Value, field: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (key, value) in labels.as_object().into_iter().flatten() {
        if let Some(why) = qualified(key) {
            causes.push(Cause::invalid(field, &json!(key), &why));
        }
        if let Some(why) = label_value(value.as_str().unwrap_or("")) {
            causes.push(Cause::invalid(field, value, &why));
        }
    }
    causes
}

fn object_name(resource: &Resource, name: &str) -> Option<String> {
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Namespace") => label(name),
        ("", "Service") => label(name).and(label_1035(name)).or_else(|| label_1035(name)),
        ("rbac.authorization.k8s.io", _) => path_segment(name),
        _ => subdomain(name),
    }
}

fn path_segment(name: &str) -> Option<String> {
    match name {
        "." | ".." => Some(format!("may not be '{name}'")),
        name if name.contains('/') => Some("may not contain '/'".into()),
        name if name.contains('%') => Some("may not contain '%'".into()),
        _ => None,
    }
}

fn lower(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}

fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = bytes.first().is_some_and(|b| lower(*b)) && bytes.last().is_some_and(|b| lower(*b));
    ends && bytes.iter().all(|b| lower(*b) || *b == b'-')
}

/// What is wrong with an RFC 1123 label.
pub fn label(text: &str) -> Option<String> {
    match text {
        text if text.len() > 63 => Some("must be no more than 63 bytes".into()),
        text => (!is_label(text)).then(|| LABEL.to_string()),
    }
}

fn label_1035(text: &str) -> Option<String> {
    if text.len() > 63 {
        return Some("must be no more than 63 bytes".into());
    }
    let good = is_label(text) && text.starts_with(|c: char| c.is_ascii_lowercase());
    (!good).then(|| LABEL_1035.to_string())
}

/// What is wrong with an RFC 1123 subdomain.
pub fn subdomain(text: &str) -> Option<String> {
    match text {
        text if text.len() > 253 => Some("must be no more than 253 bytes".into()),
        text => (!text.split('.').all(is_label)).then(|| SUBDOMAIN.to_string()),
    }
}

fn is_name_part(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
}

/// What is wrong with a label or annotation key.
fn qualified(key: &str) -> Option<String> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if name.contains('/') {
        let form = "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric \
                    character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
                    '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
        return Some(form.into());
    }
    if let Some(prefix) = prefix {
        if prefix.is_empty() {
            return Some("prefix part must be non-empty".into());
        }
        if let Some(why) = subdomain(prefix) {
            return Some(format!("prefix part {why}"));
        }
    }
    match name {
        "" => Some("name part must be non-empty".into()),
        name if name.len() > 63 => Some("name part must be no more than 63 bytes".into()),
        name => (!is_name_part(name)).then(|| NAME_PART.to_string()),
    }
}

fn label_value(value: &str) -> Option<String> {
    match value {
        "" => None,
        value if value.len() > 63 => Some("must be no more than 63 bytes".into()),
        value => (!is_name_part(value)).then(|| LABEL_VALUE.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_keys() {
        for (text, good) in [("a", true), ("my-name", true), ("Bad_Name", false), ("-a", false), ("a-", false), ("", false)] {
            assert_eq!(label(text).is_none(), good, "{text}");
        }
        assert!(subdomain("a.b-c.d").is_none() && subdomain("a..b").is_some());
        assert!(qualified("istio.io/rev").is_none() && qualified("a b").is_some() && qualified("/x").is_some());
        assert!(label_value("a b").is_some() && label_value("MESH_External.1").is_none());
    }
}
