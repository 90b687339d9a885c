//! `-o`: the forms in which objects are printed.

use super::columns::{self, Column};
use super::{go_json, pretty_json, typed_json};
use crate::base::yaml;
use crate::k8s::jsonpath::JsonPath;
use crate::kubectl::discovery::{self, Resource};
use crate::kubectl::error::{Error, Result};
use crate::kubectl::flags::Parsed;
use crate::kubectl::template::{Template, value};
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
    /// As written; whether a missing key is an error.
    GoTemplate(String, Template, bool),
}

const FORMATS: &str = "custom-columns,custom-columns-file,go-template,go-template-file,json,jsonpath,jsonpath-as-json,jsonpath-file,kyaml,name,template,templatefile,wide,yaml";

/// The forms of them that only `get` has.
const TABLES: [&str; 3] = ["custom-columns", "custom-columns-file", "wide"];

impl Output {
    /// Reads `-o` of a verb that prints what it made or changed; none is [`Output::Human`].
    ///
    /// # Errors
    /// Unknown forms, tables, and templates that cannot be read.
    pub fn parse(parsed: &Parsed) -> Result<Output> {
        let form = parsed.str("output").split('=').next().unwrap_or("");
        let known = FORMATS.split(',').filter(|form| !TABLES.contains(form)).collect::<Vec<_>>();
        match form.is_empty() || known.contains(&form) {
            true => Output::parse_with_tables(parsed),
            false => Err(unknown(parsed.str("output"), &known.join(","))),
        }
    }

    /// Reads `-o` of `get`, which prints tables too.
    ///
    /// # Errors
    /// As [`Output::parse`], but for tables.
    pub fn parse_with_tables(parsed: &Parsed) -> Result<Output> {
        let text = parsed.str("output");
        let (form, rest) = match text.split_once('=') {
            Some((form, rest)) => (form, rest),
            None => (text, parsed.str("template")),
        };
        Ok(match form {
            "" if parsed.given("template") => Output::go_template(parsed.str("template"), parsed)?,
            "" => Output::Human { wide: false },
            "wide" => Output::Human { wide: true },
            "yaml" => Output::Yaml,
            "json" => Output::Json,
            "name" => Output::Name,
            "jsonpath" => Output::JsonPath(rest.to_string(), jsonpath(rest)?),
            "jsonpath-as-json" => Output::JsonPathAsJson(jsonpath(rest)?),
            "custom-columns" => Output::Columns(columns::parse(rest)?),
            "go-template" | "template" => Output::go_template(rest, parsed)?,
            "kyaml" => return Err(Error::not_simulated("output as kyaml; use yaml")),
            _ => return Err(unknown(text, FORMATS)),
        })
    }

    fn go_template(text: &str, parsed: &Parsed) -> Result<Output> {
        some_template(text)?;
        let template = Template::parse(text).map_err(|e| Error::plain(format!("error parsing template {text}, {e}")))?;
        Ok(Output::GoTemplate(text.to_string(), template, !parsed.on_or("allow-missing-template-keys", true)))
    }

    pub fn is_human(&self) -> bool {
        matches!(self, Output::Human { .. })
    }

    /// The text for an object that kubectl made itself, without asking a server.
    ///
    /// # Errors
    /// As [`Output::print`].
    pub fn print_own(&self, object: &Value) -> Result<String> {
        match self {
            Output::Json => Ok(typed_json(object)),
            other => other.print(object, &[], true),
        }
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
            Output::JsonPath(text, path) => path.print(object).map_err(|e| {
                let shown = details("jsonpath", text, &e, None, &value::go_syntax(object));
                Error::plain(format!("error executing jsonpath {text:?}: {shown}"))
            }),
            Output::GoTemplate(text, template, strict) => template.run(object, *strict).map_err(|(before, e)| {
                let shown = before + &details("template", text, &e, Some(&go_json(object)), &value::shown(object));
                Error::plain(format!("error executing template {}: {e}", value::go_quoted(text))).after(shown)
            }),
            Output::JsonPathAsJson(path) => {
                let found: Vec<Value> = path.find(object).map_err(Error::Plain)?.into_iter().cloned().collect();
                Ok(pretty_json(&Value::Array(found)))
            }
            Output::Columns(columns) => columns::print(columns, &items(object), headers),
        }
    }
}

fn unknown(form: &str, formats: &str) -> Error {
    Error::plain(format!("unable to match a printer suitable for the output format {form:?}, allowed formats are: {formats}"))
}

/// What kubectl prints for whoever writes the template.
fn details(what: &str, template: &str, error: &str, raw: Option<&str>, given: &str) -> String {
    let raw = raw.map_or(String::new(), |raw| format!("\traw data was:\n\t\t{raw}\n"));
    format!(
        "Error executing template: {error}. Printing more information for debugging the template:\n\ttemplate was:\n\t\t{template}\n{raw}\tobject given to {what} engine was:\n\t\t{given}\n\n"
    )
}

fn some_template(template: &str) -> Result<()> {
    match template.is_empty() {
        true => Err(Error::plain("template format specified but no template given")),
        false => Ok(()),
    }
}

/// The forms whose template stands in a file: the form that takes the template itself.
pub fn inline_form(form: &str) -> Option<&'static str> {
    match form {
        "go-template-file" | "templatefile" => Some("go-template"),
        "jsonpath-file" => Some("jsonpath"),
        "custom-columns-file" => Some("custom-columns"),
        _ => None,
    }
}

fn jsonpath(template: &str) -> Result<JsonPath> {
    some_template(template)?;
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
