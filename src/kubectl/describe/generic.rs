//! Custom resources: every field, keys in words.

use super::text::Page;
use crate::kubectl::print::scalar;
use serde_json::{Map, Value};

const SKIPPED: &[&str] =
    &[".metadata.managedFields", ".metadata.name", ".metadata.namespace", ".metadata.labels", ".metadata.annotations"];

pub fn describe(page: &mut Page, object: &Value) {
    let metadata = &object["metadata"];
    page.field("Name", &metadata["name"]);
    page.field("Namespace", &metadata["namespace"]);
    page.labels("Labels", &metadata["labels"]);
    page.annotations("Annotations", &metadata["annotations"]);
    if let Some(members) = object.as_object() {
        content(page, 0, members, "");
    }
}

fn content(page: &mut Page, level: usize, members: &Map<String, Value>, prefix: &str) {
    for (key, value) in members {
        let path = format!("{prefix}.{key}");
        if SKIPPED.contains(&path.as_str()) {
            continue;
        }
        match value {
            Value::Object(inner) => {
                page.line(level, &format!("{}:", label(key)));
                content(page, level + 1, inner, &path);
            }
            Value::Array(items) => {
                page.line(level, &format!("{}:", label(key)));
                for item in items {
                    match item {
                        Value::Object(inner) => content(page, level + 1, inner, &path),
                        other => page.line(level + 1, &text(other)),
                    }
                }
            }
            other => page.line(level, &format!("{}:\t{}", label(key), text(other))),
        }
    }
}

fn text(value: &Value) -> String {
    if value.is_null() { "<nil>".into() } else { scalar(value) }
}

/// `creationTimestamp` to `Creation Timestamp`, `apiVersion` to `API Version`.
fn label(key: &str) -> String {
    if !key.chars().all(|c| c.is_alphabetic() || c == '-') {
        return key.to_string();
    }
    let acronyms = ["API", "URL", "UID", "OSB", "GUID"];
    let words = split_camel(key).into_iter().map(|word| match acronyms.contains(&word.to_uppercase().as_str()) {
        true => word.to_uppercase(),
        false => {
            let mut chars = word.chars();
            chars.next().map(|c| c.to_uppercase().collect::<String>() + chars.as_str()).unwrap_or_default()
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Runs of one class (lower, upper, other); the last upper-case letter of a run goes with the lower-case ones after it.
fn split_camel(key: &str) -> Vec<String> {
    let class = |c: char| if c.is_lowercase() { 1 } else { 2 + i32::from(!c.is_uppercase()) };
    let mut runs: Vec<(i32, String)> = Vec::new();
    for c in key.chars() {
        match runs.last_mut().filter(|(of, _)| *of == class(c)) {
            Some((_, run)) => run.push(c),
            None => runs.push((class(c), c.to_string())),
        }
    }
    for at in 0..runs.len().saturating_sub(1) {
        if runs[at].0 == 2 && runs[at + 1].0 == 1 {
            let moved = runs[at].1.pop().map(String::from).unwrap_or_default();
            runs[at + 1].1.insert_str(0, &moved);
        }
    }
    runs.into_iter().map(|(_, run)| run).filter(|run| !run.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::tabs;
    use serde_json::json;

    #[test]
    fn keys_become_words() {
        let rows = [
            ("creationTimestamp", "Creation Timestamp"),
            ("apiVersion", "API Version"),
            ("uid", "UID"),
            ("meshMTLS", "Mesh MTLS"),
            ("caCertificates", "Ca Certificates"),
            ("x-y", "X - Y"),
            ("a_b", "a_b"),
            ("v1", "v1"),
        ];
        for (key, want) in rows {
            assert_eq!(label(key), want);
        }
    }

    #[test]
    fn a_service_entry_as_recorded() {
        let object = json!({"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
            "metadata": {"name": "ext", "namespace": "lab", "creationTimestamp": "2026-11-23T04:34:41Z", "generation": 2,
                "resourceVersion": "417", "uid": "06d4278a", "managedFields": []},
            "spec": {"hosts": ["api.example.com", "www.example.com"], "location": "MESH_EXTERNAL",
                "ports": [{"name": "https", "number": 443, "protocol": "TLS"}], "resolution": "STATIC"}});
        let mut page = Page::default();
        describe(&mut page, &object);
        page.line(0, "Events:\t<none>");
        let want = "\
Name:         ext
Namespace:    lab
Labels:       <none>
Annotations:  <none>
API Version:  networking.istio.io/v1
Kind:         ServiceEntry
Metadata:
  Creation Timestamp:  2026-11-23T04:34:41Z
  Generation:          2
  Resource Version:    417
  UID:                 06d4278a
Spec:
  Hosts:
    api.example.com
    www.example.com
  Location:  MESH_EXTERNAL
  Ports:
    Name:      https
    Number:    443
    Protocol:  TLS
  Resolution:  STATIC
Events:        <none>
";
        assert_eq!(tabs::describe(&page.take()), want);
    }
}
