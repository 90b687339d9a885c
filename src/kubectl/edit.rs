//! `kubectl edit`: an object in the learner's own editor.

use super::apply::{self, is_builtin, manager, patch};
use super::discovery::Resource;
use super::error::{Error, Result};
use super::fetch;
use super::flags::{Flag, Parsed, Takes, flag};
use super::manifest;
use super::print::output::without_managed_fields;
use super::select;
use super::session::{Ask, MERGE, STRATEGIC, Session};
use crate::base::yaml;
use serde_json::{Value, json};

pub const FLAGS: &[Flag] = &[
    flag("output-patch", Takes::Bool, "print the patch that is sent"),
    flag("subresource", Takes::Text, "a subresource (not simulated here)"),
    flag("windows-line-endings", Takes::Bool, "write CRLF (not simulated here)"),
];

const HEAD: &str = "# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
";
const UNCHANGED: &str = "Edit cancelled, no changes made.";
/// How often a refused text is reopened.
const ROUNDS: usize = 50;

/// Runs `kubectl edit`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    if p.operands.is_empty() && !p.given("filename") && !p.given("kustomize") {
        return Err(Error::Said(
            "error: You must provide one or more resources by argument or filename.\nExample resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   '<resource> <name>'\n   '<resource>'"
                .into(),
        ));
    }
    if s.io.editor.is_none() {
        return Err(Error::plain("unable to launch an editor here; use apply or patch"));
    }
    if p.given("subresource") {
        return Err(Error::not_simulated("edit --subresource"));
    }
    let mut subjects: Vec<(Resource, String, Value)> = Vec::new();
    if p.given("filename") {
        let (items, errors) = manifest::read(s, p).await?;
        Error::all(errors)?;
        for item in items {
            let object = apply::live(s, &item).await?;
            subjects.push((item.resource, item.namespace, object));
        }
    } else {
        if p.operands.is_empty() {
            return Err(Error::plain("must specify the type of resource to edit"));
        }
        let targets = select::targets(s, &p.operands).await?;
        for target in targets.items {
            if target.name.is_empty() {
                return Err(Error::not_simulated("edit of a whole list; name one object"));
            }
            let namespace = s.namespace.clone();
            let object = fetch::object(s, &target.resource, &namespace, &target.name).await?;
            let namespace = if target.resource.namespaced { namespace } else { String::new() };
            subjects.push((target.resource, namespace, object));
        }
    }
    let mut code = 0;
    for (resource, namespace, object) in subjects {
        code = code.max(edit(s, p, &resource, &namespace, object).await?);
    }
    Ok(code)
}

/// Opens the editor until the text is taken, given up or left alone.
async fn edit(s: &mut Session<'_>, p: &Parsed, resource: &Resource, namespace: &str, object: Value) -> Result<i32> {
    let original = without_managed_fields(object);
    let name = original["metadata"]["name"].as_str().unwrap_or("").to_string();
    let body = yaml::write(&original);
    let (mut trouble, mut last) = (String::new(), body.clone());
    for _ in 0..ROUNDS {
        let text = open(s, &format!("{HEAD}{trouble}{last}")).await?;
        let edited = without_comments(&text);
        if edited.trim().is_empty() {
            s.warn("Edit cancelled, saved file was empty.");
            return Ok(0);
        }
        if edited.trim() == body.trim() {
            s.warn(UNCHANGED);
            return Ok(0);
        }
        if !trouble.is_empty() && edited.trim() == last.trim() {
            return give_up(s, resource, &name, &text);
        }
        match save(s, p, resource, namespace, &original, &edited).await {
            Ok(true) => {
                s.say(&format!("{}/{name} edited", resource.printed()));
                return Ok(0);
            }
            Ok(false) => {
                s.warn(UNCHANGED);
                return Ok(0);
            }
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => {
                trouble = explain(resource, &name, &error);
                last = edited;
            }
        }
    }
    Err(Error::plain("the text was refused too often"))
}

async fn open(s: &mut Session<'_>, text: &str) -> Result<String> {
    let editor = s.io.editor.clone().ok_or_else(|| Error::plain("unable to launch an editor here"))?;
    let text = text.to_string();
    let done = tokio::task::spawn_blocking(move || editor.edit("kubectl-edit.yaml", &text)).await;
    match done {
        Ok(edited) => edited.map_err(|e| Error::plain(format!("unable to launch the editor: {e}"))),
        Err(_) => Err(Error::plain("the editor ended unexpectedly")),
    }
}

fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
}

/// Sends what changed; false when nothing did.
async fn save(
    s: &mut Session<'_>,
    p: &Parsed,
    resource: &Resource,
    namespace: &str,
    original: &Value,
    edited: &str,
) -> Result<bool> {
    let edited = yaml::parse(edited).map_err(|e| Error::plain(format!("yaml: line {}: {}", e.line, e.message)))?;
    for path in ["/apiVersion", "/kind", "/metadata/name"] {
        if edited.pointer(path) != original.pointer(path) {
            return Err(Error::plain("At least one of apiVersion, kind and name was changed"));
        }
    }
    let (kind, body) = match is_builtin(&resource.group) {
        true => (STRATEGIC, patch::strategic_two_way(original, &edited)),
        false => (MERGE, patch::merge(original, &edited, original)),
    };
    if body == json!({}) {
        return Ok(false);
    }
    if p.on("output-patch") {
        s.say(&format!("Patch: {body}"));
    }
    let name = original["metadata"]["name"].as_str().unwrap_or("");
    let ask = Ask::patch(resource.object_path(namespace, name), kind, &body)
        .query("fieldManager", manager(p, "kubectl-edit"))
        .query("fieldValidation", apply::field_validation(p)?);
    s.json(ask).await.map(|_| true)
}

/// The refusal as comments above the text.
fn explain(resource: &Resource, name: &str, error: &Error) -> String {
    let mut lines = vec![format!("{} {name:?} was not valid:", resource.plural_group())];
    match error {
        Error::Status(status) => {
            let causes = status["details"]["causes"].as_array().map(Vec::as_slice).unwrap_or_default();
            let text = |c: &Value| format!("* {}: {}", c["field"].as_str().unwrap_or(""), c["message"].as_str().unwrap_or(""));
            lines.extend(causes.iter().map(text));
            if causes.is_empty() {
                lines.push(format!("* {}", error.message()));
            }
        }
        other => lines.push(format!("* {}", other.message())),
    }
    lines.iter().flat_map(|l| l.lines()).map(|line| format!("# {line}\n")).collect::<String>() + "#\n"
}

/// The same refused text again: it is kept, and the edit ends.
fn give_up(s: &mut Session<'_>, resource: &Resource, name: &str, text: &str) -> Result<i32> {
    s.warn(&format!("error: {} {name:?} is invalid", resource.plural_group()));
    let copy = format!("kubectl-edit-{name}.yaml");
    if s.io.files.write(&copy, text.as_bytes()).is_ok() {
        s.warn(&format!("A copy of your changes has been stored to {copy:?}"));
    }
    Err(Error::plain("Edit cancelled, no valid changes were saved."))
}
