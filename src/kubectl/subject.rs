//! The objects that a verb changes: of files, by name, by label, or all of a type.

use super::discovery::Resource;
use super::error::{Error, Result};
use super::fetch::{self, Filter};
use super::flags::Parsed;
use super::manifest;
use super::select;
use super::session::Session;
use serde_json::Value;

/// An object, its type and its namespace ("" for cluster-scoped kinds).
#[derive(Debug, Clone)]
pub struct Subject {
    pub resource: Resource,
    pub namespace: String,
    pub object: Value,
}

impl Subject {
    pub fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or("")
    }

    /// `deployment.apps/web`.
    pub fn printed(&self) -> String {
        format!("{}/{}", self.resource.printed(), self.name())
    }

    /// The object's path.
    pub fn path(&self) -> String {
        self.resource.object_path(&self.namespace, self.name())
    }
}

/// What `-f`, `TYPE NAME ..`, `TYPE/NAME`, `-l`, `--field-selector` and `--all` name, as it is now.
///
/// # Errors
/// Nothing named, and what the server says.
pub async fn subjects(s: &mut Session<'_>, p: &Parsed, operands: &[String]) -> Result<Vec<Subject>> {
    if p.given("filename") || p.given("kustomize") {
        let (items, errors) = manifest::read(s, p).await?;
        Error::all(errors)?;
        let mut found = Vec::new();
        for item in items {
            let object = super::apply::live(s, &item).await?;
            found.push(Subject { resource: item.resource, namespace: item.namespace, object });
        }
        return Ok(found);
    }
    if operands.is_empty() {
        return Err(Error::plain("one or more resources must be specified as <resource> <name> or <resource>/<name>"));
    }
    let targets = select::targets(s, operands).await?;
    select::no_name_with_selector(p, &targets)?;
    let filter = Filter::of(s, p);
    let mut found = Vec::new();
    for target in targets.items {
        let objects = match target.name.is_empty() {
            true if p.on("all") || p.given("selector") || p.given("field-selector") => {
                fetch::objects(s, &target.resource, &filter).await?
            }
            true => return Err(Error::plain("resource(s) were provided, but no name was specified")),
            false => vec![fetch::object(s, &target.resource, &filter.namespace, &target.name).await?],
        };
        for object in objects {
            let namespace = object["metadata"]["namespace"].as_str().unwrap_or("").to_string();
            found.push(Subject { resource: target.resource.clone(), namespace, object });
        }
    }
    Ok(found)
}
