//! `kubectl explain`, from the server's OpenAPI v3.

use super::discovery::{self, Resource};
use super::error::{Error, Result};
use super::flags::{Flag, Parsed, Takes, flag};
use super::session::{Ask, Session};
use crate::base::text::wrap;
use serde_json::Value;
use std::fmt::Write as _;

pub const FLAGS: &[Flag] = &[
    flag("recursive", Takes::Bool, "all fields below, without descriptions"),
    flag("api-version", Takes::Text, "GROUP/VERSION of the type"),
];

/// How deep fields are followed.
const DEPTH: usize = 40;

/// Runs `kubectl explain`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let [operand] = p.operands.as_slice() else {
        return Err(Error::plain(
            "You must specify the type of resource to explain. Use \"kubectl api-resources\" for a complete list of supported resources.",
        ));
    };
    let resources = s.resources().await?;
    let (resource, fields) = named(&resources, operand, p.text("api-version"))?;
    let path = match resource.group.as_str() {
        "" => format!("/openapi/v3/api/{}", resource.version),
        group => format!("/openapi/v3/apis/{group}/{}", resource.version),
    };
    let document = s.json(Ask::get(path)).await?;
    let root = schema(&document, &resource).ok_or_else(|| {
        Error::plain(format!("couldn't find resource for \"{}, Kind={}\"", resource.api_version(), resource.kind))
    })?;
    let mut head = String::new();
    if !resource.group.is_empty() {
        let _ = writeln!(head, "GROUP:      {}", resource.group);
    }
    let _ = writeln!(head, "KIND:       {}\nVERSION:    {}\n", resource.kind, resource.version);
    s.io.write(head.as_bytes());
    let (mut here, mut required) = (root, false);
    for field in &fields {
        let parent = items(&document, here);
        required = parent["required"].as_array().into_iter().flatten().any(|r| r == field.as_str());
        here = parent["properties"]
            .get(field)
            .or_else(|| Some(&parent["additionalProperties"]).filter(|v| v.is_object()))
            .ok_or_else(|| Error::plain(format!("field {field:?} does not exist")))?;
    }
    let text = page(&document, here, fields.last().map(|f| (f.as_str(), required)), p.on("recursive"));
    s.io.write(text.as_bytes());
    Ok(0)
}

/// The type and the fields of `pods.spec.containers`.
fn named(resources: &[Resource], operand: &str, version: Option<&str>) -> Result<(Resource, Vec<String>)> {
    let parts: Vec<&str> = operand.trim_end_matches('.').split('.').collect();
    let missing = || Error::plain(format!("the server doesn't have a resource type {:?}", parts[0]));
    let found = discovery::find(resources, parts[0]).ok_or_else(missing)?;
    let fields = |from: usize| parts[from..].iter().map(|f| f.to_string()).collect();
    if let Some(version) = version {
        let fits = |r: &&Resource| r.api_version() == version && (r.plural == found.plural || r.kind == found.kind);
        let chosen = resources
            .iter()
            .find(fits)
            .ok_or_else(|| Error::plain(format!("couldn't find resource for \"{version}, Kind={}\"", found.kind)))?;
        return Ok((chosen.clone(), fields(1)));
    }
    // gateways.networking.istio.io.spec: the longest tail that is a group wins.
    for end in (2..=parts.len()).rev() {
        let group = parts[1..end].join(".");
        if let Some(resource) = resources
            .iter()
            .find(|r| r.preferred && r.group == group && !group.is_empty() && (r.plural == parts[0] || r.singular == parts[0]))
        {
            return Ok((resource.clone(), fields(end)));
        }
    }
    Ok((found.clone(), fields(1)))
}

/// The schema that the document marks with the kind.
fn schema<'v>(document: &'v Value, resource: &Resource) -> Option<&'v Value> {
    let schemas = document["components"]["schemas"].as_object()?;
    schemas.values().find(|schema| {
        let kinds = schema["x-kubernetes-group-version-kind"].as_array().into_iter().flatten();
        kinds.into_iter().any(|k| k["kind"] == resource.kind && k["group"] == resource.group && k["version"] == resource.version)
    })
}

/// Follows references (also the one in `allOf`).
fn resolve<'v>(document: &'v Value, mut schema: &'v Value) -> &'v Value {
    for _ in 0..DEPTH {
        let reference = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str());
        match reference.and_then(|r| document.pointer(r.trim_start_matches('#'))) {
            Some(next) => schema = next,
            None => break,
        }
    }
    schema
}

/// The object behind lists.
fn items<'v>(document: &'v Value, schema: &'v Value) -> &'v Value {
    let mut here = resolve(document, schema);
    for _ in 0..DEPTH {
        match here["items"].is_object() {
            true => here = resolve(document, &here["items"]),
            false => break,
        }
    }
    here
}

/// `string`, `[]Container`, `map[string]string`.
fn type_name(document: &Value, schema: &Value) -> String {
    let reference = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str());
    let resolved = resolve(document, schema);
    if let Some(name) = reference.filter(|_| resolved["type"] == "object" || resolved["properties"].is_object()) {
        return name.rsplit(['.', '/']).next().unwrap_or(name).to_string();
    }
    match resolved["type"].as_str().unwrap_or("Object") {
        "array" => format!("[]{}", type_name(document, &resolved["items"])),
        "object" if resolved["additionalProperties"].is_object() => {
            format!("map[string]{}", type_name(document, &resolved["additionalProperties"]))
        }
        "object" => "Object".into(),
        other if resolved["x-kubernetes-int-or-string"] == true => {
            let _ = other;
            "IntOrString".into()
        }
        other => other.to_string(),
    }
}

fn description<'v>(document: &'v Value, schema: &'v Value) -> &'v str {
    schema["description"].as_str().or_else(|| resolve(document, schema)["description"].as_str()).unwrap_or("<empty>")
}

fn page(document: &Value, here: &Value, field: Option<(&str, bool)>, recursive: bool) -> String {
    let mut out = String::new();
    let inner = items(document, here);
    if let Some((field, required)) = field {
        let mark = if required { " -required-" } else { "" };
        let _ = writeln!(out, "FIELD: {field} <{}>{mark}\n", type_name(document, here));
    }
    out += "DESCRIPTION:\n";
    indent(&mut out, description(document, here), 4);
    if let Some(values) = inner["enum"].as_array().filter(|v| !v.is_empty()) {
        out += "\nENUM:\n";
        for value in values {
            let _ = writeln!(out, "    {}", super::print::scalar(value));
        }
    }
    if inner["properties"].as_object().is_some_and(|p| !p.is_empty()) {
        out += "\nFIELDS:\n";
        fields(&mut out, document, inner, recursive, 1);
    }
    out + "\n"
}

fn fields(out: &mut String, document: &Value, schema: &Value, recursive: bool, level: usize) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut members: Vec<(&String, &Value)> = schema["properties"].as_object().into_iter().flatten().collect();
    members.sort_by_key(|(name, _)| name.to_string());
    for (name, member) in members {
        let mark = if required.contains(&name.as_str()) { " -required-" } else { "" };
        let _ = writeln!(out, "{:width$}{name}\t<{}>{mark}", "", type_name(document, member), width = level * 2);
        match recursive {
            true if level < DEPTH / 4 => fields(out, document, items(document, member), true, level + 1),
            true => (),
            false => {
                indent(out, description(document, member), 4);
                out.push('\n');
            }
        }
    }
}

fn indent(out: &mut String, text: &str, by: usize) {
    for line in text.lines().flat_map(|line| wrap(line, 76, 0)) {
        let _ = writeln!(out, "{:by$}{line}", "");
    }
}
