//! Objects from the text of files, with their lines (S: pilot/pkg/config/file store.go, util/kubeyaml).

use super::{Origin, Origins};
use crate::base::yaml;
use crate::k8s::{Object, Snapshot};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Kinds with no namespace among those that are read.
const CLUSTER_SCOPED: [&str; 5] =
    ["CustomResourceDefinition", "GatewayClass", "MutatingWebhookConfiguration", "Namespace", "ValidatingWebhookConfiguration"];

/// Adds the objects of a file to those of the cluster, in whose place they stand. Answers what could not be read, in Istio's
/// words (the YAML engine's own complaint excepted).
///
/// # Errors
/// One text for each document that is no object.
pub fn add(snapshot: &mut Snapshot, origins: &mut Origins, file: &str, text: &str, namespace: &str) -> Result<(), Vec<String>> {
    let mut problems = Vec::new();
    for (n, (line, chunk)) in chunks(text).into_iter().enumerate() {
        let chunk = chunk.trim();
        if chunk.is_empty() {
            continue;
        }
        if let Err(problem) = document(snapshot, origins, &Place { file, line, namespace }, chunk) {
            problems.push(format!("error processing {file}[{n}]: {problem}"));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

struct Place<'a> {
    file: &'a str,
    line: usize,
    namespace: &'a str,
}

fn document(snapshot: &mut Snapshot, origins: &mut Origins, place: &Place<'_>, chunk: &str) -> Result<(), String> {
    let value = yaml::parse(bare(chunk)).map_err(|e| format!("failed converting YAML to JSON: {e}"))?;
    if value.is_null() {
        return Ok(());
    }
    let object = Object(value);
    let places = yaml::places(chunk);
    if object.kind() == "List" {
        for (i, item) in object.0["items"].as_array().into_iter().flatten().enumerate() {
            let prefix = format!("items[{i}]");
            let line = places.get(&prefix).map_or(1, |(line, _)| *line) + place.line;
            // Istio writes an item anew and counts from the line after it.
            let inner =
                places.iter().filter_map(|(path, at)| Some((path.strip_prefix(&prefix)?.strip_prefix('.')?, at.0 + place.line)));
            let fields = inner.map(|(path, line)| (path.to_string(), line)).collect();
            put(snapshot, origins, place, Object(item.clone()), line, fields)
                .map_err(|e| format!("failed parsing resource chunk: {e}"))?;
        }
        return Ok(());
    }
    let fields = places.into_iter().map(|(path, (line, _))| (path, line + place.line - 1)).collect();
    put(snapshot, origins, place, object, place.line, fields)
}

fn put(
    snapshot: &mut Snapshot,
    origins: &mut Origins,
    place: &Place<'_>,
    object: Object,
    line: usize,
    mut fields: BTreeMap<String, usize>,
) -> Result<(), String> {
    if object.kind().is_empty() && object.api_version().is_empty() {
        return Err("unable to parse resource with no group, version and kind".into());
    }
    let object = settled(object, place.namespace);
    fields.retain(|path, _| !path.ends_with('!'));
    origins.insert(object.key(), Origin { file: place.file.to_string(), line, fields });
    snapshot.put(Arc::new(object));
    Ok(())
}

/// The text without separators before it: they count as lines, but hold nothing.
fn bare(chunk: &str) -> &str {
    let mut rest = chunk;
    while let Some(after) = rest.strip_prefix("---").filter(|after| after.starts_with(['\n', '\r', ' ', '\t'])) {
        rest = after.trim_start();
    }
    rest
}

/// The object with the namespace it is meant for.
fn settled(mut object: Object, namespace: &str) -> Object {
    if CLUSTER_SCOPED.contains(&object.kind()) {
        object.remove(&["metadata", "namespace"]);
    } else if object.namespace().is_empty() && !namespace.is_empty() {
        object.set(&["metadata", "namespace"], Value::from(namespace));
    }
    object
}

/// The documents of a stream and the line each starts on, counted as Istio counts: empty lines and separators before the first
/// other line do not count, comments do. A separator with nothing before it stays part of the text.
fn chunks(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let (mut buffer, mut start, mut started) = (String::new(), 1, false);
    for (n, line) in text.lines().enumerate() {
        if !started && !line.is_empty() && line != "---" {
            (start, started) = (n + 1, true);
        }
        let separator = line.strip_prefix("---").is_some_and(|rest| rest.trim_end().is_empty());
        if separator && !buffer.is_empty() {
            found.push((start, std::mem::take(&mut buffer)));
            (start, started) = (n + 2, false);
            continue;
        }
        buffer.push_str(line);
        buffer.push('\n');
    }
    if !buffer.is_empty() {
        found.push((start, buffer));
    }
    found
}
