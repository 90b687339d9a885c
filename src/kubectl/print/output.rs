//! `-o`: the forms in which objects are printed.

use super::columns::{self, Column};
use super::{go_json, pretty_json};
use crate::base::yaml;
use crate::k8s::jsonpath::JsonPath;
use crate::kubectl::discovery::{self, Resource};
use crate::kubectl::error::{Error, Result};
use crate::kubectl::flags::Parsed;
use serde_json::Value;

/// How to print.
#[derive(Debug, Clone)]
pub enum Output {
    /// The command's own words or the server's table.
    Human {
        wide: bool,
    },
    Yaml,
    Json,
    Name,
    JsonPath(String, JsonPath),
    JsonPathAsJson(JsonPath),
    Columns(Vec<Column>),
}

const FORMATS: &str = "custom-columns,custom-columns-file,go-template,go-template-file,json,jsonpath,jsonpath-as-json,jsonpath-file,kyaml,name,template,templatefile,wide,yaml";

impl Output {
    /// Reads `-o`; none is [`Output::Human`].
    ///
    /// # Errors
    /// Unknown forms, and templates that cannot be read.
    pub fn parse(parsed: &Parsed) -> Result<Output> {
        let text = parsed.str("output");
        let (form, rest) = match text.split_once('=') {
            Some((form, rest)) => (form, rest),
            None => (text, parsed.str("template")),
        };
        Ok(match form {
            "" => Output::Human { wide: false },
            "wide" => Output::Human { wide: true },
            "yaml" => Output::Yaml,
            "json" => Output::Json,
            "name" => Output::Name,
            "jsonpath" => Output::JsonPath(rest.to_string(), jsonpath(rest)?),
            "jsonpath-as-json" => Output::JsonPathAsJson(jsonpath(rest)?),
            "custom-columns" => Output::Columns(columns::parse(rest)?),
            "go-template" | "template" | "go-template-file" | "templatefile" => {
                return Err(Error::not_simulated("output as go-template; use jsonpath"));
            }
            "jsonpath-file" | "custom-columns-file" | "kyaml" => {
                return Err(Error::not_simulated(&format!("output as {form}")));
            }
            other => {
                return Err(Error::plain(format!(
                    "unable to match a printer suitable for the output format {other:?}, allowed formats are: {FORMATS}"
                )));
            }
        })
    }

    pub fn is_human(&self) -> bool {
        matches!(self, Output::Human { .. })
    }

    /// The text for one object (or a List).
    ///
    /// # Errors
    /// What a template finds wrong with it.
    pub fn print(&self, object: &Value, resources: &[Resource], headers: bool) -> Result<String> {
        match self {
            Output::Human { .. } => Ok(String::new()),
            Output::Yaml => Ok(yaml::write(object)),
            Output::Json => Ok(pretty_json(object)),
            Output::Name => Ok(items(object).iter().map(|o| name(o, resources) + "\n").collect()),
            Output::JsonPath(text, path) => path
                .print(object)
                .map_err(|e| Error::plain(format!("error executing jsonpath {text:?}: Error executing template: {e}."))),
            Output::JsonPathAsJson(path) => {
                let found: Vec<Value> = path.find(object).map_err(Error::Plain)?.into_iter().cloned().collect();
                Ok(pretty_json(&Value::Array(found)))
            }
            Output::Columns(columns) => columns::print(columns, &items(object), headers),
        }
    }
}

fn jsonpath(template: &str) -> Result<JsonPath> {
    if template.is_empty() {
        return Err(Error::plain("template format specified but no template given"));
    }
    JsonPath::parse(template).map_err(|e| Error::plain(format!("error parsing jsonpath {template}, {e}")))
}

/// The members of a List, or the object itself.
fn items(object: &Value) -> Vec<Value> {
    match object["items"].as_array().filter(|_| object["kind"].as_str().is_some_and(|k| k.ends_with("List"))) {
        Some(items) => items.clone(),
        None => vec![object.clone()],
    }
}

/// `pod/x`, `deployment.apps/x`.
pub fn name(object: &Value, resources: &[Resource]) -> String {
    let (api_version, kind) = (object["apiVersion"].as_str().unwrap_or(""), object["kind"].as_str().unwrap_or(""));
    let name = object["metadata"]["name"].as_str().unwrap_or("");
    match discovery::of_kind(resources, api_version, kind) {
        Some(resource) => format!("{}/{name}", resource.printed()),
        None => match api_version.split_once('/') {
            Some((group, _)) => format!("{}.{group}/{name}", kind.to_lowercase()),
            None => format!("{}/{name}", kind.to_lowercase()),
        },
    }
}

/// The object without what kubectl hides.
pub fn without_managed_fields(mut object: Value) -> Value {
    if let Some(items) = object.get_mut("items").and_then(Value::as_array_mut) {
        for item in items {
            *item = without_managed_fields(item.take());
        }
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    object
}

/// The annotation text that `apply` keeps: compact JSON and a newline.
pub fn last_applied(object: &Value) -> String {
    go_json(object) + "\n"
}
