//! Manifests: `-f FILE`, `-f FOLDER`, `-f -`; several documents, lists.

use super::discovery::{self, Resource};
use super::error::{Error, Result};
use super::flags::Parsed;
use super::session::Session;
use crate::base::yaml;
use serde_json::{Value, json};
use std::io::ErrorKind;

/// An object of a manifest.
#[derive(Debug, Clone)]
pub struct Item {
    pub object: Value,
    /// The file's name as kubectl's messages give it (`STDIN` for `-`).
    pub source: String,
    pub resource: Resource,
    /// "" for cluster-scoped kinds.
    pub namespace: String,
}

impl Item {
    pub fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or("")
    }

    /// `deployment.apps/web`.
    pub fn printed(&self) -> String {
        format!("{}/{}", self.resource.printed(), self.name())
    }
}

/// An object without a name, in the words of the verb that needs one.
fn nameless(verb: &str, resource: &Resource, namespace: &str, source: &str) -> Error {
    Error::plain(match verb {
        "delete" => format!("error when deleting {source:?}: resource name may not be empty"),
        "replace" => format!("error when replacing {source:?}: resource name may not be empty"),
        _ => {
            let version = if resource.group.is_empty() { format!("/{}", resource.version) } else { resource.api_version() };
            format!(
                "error when retrieving current configuration of:\nResource: {:?}, GroupVersionKind: {:?}\nName: \"\", Namespace: {namespace:?}\nfrom server for: {source:?}: resource name may not be empty",
                format!("{version}, Resource={}", resource.plural),
                format!("{version}, Kind={}", resource.kind)
            )
        }
    })
}

/// The text of a file that has to be one.
fn text(source: &str, bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|e| {
        let read = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = 1 + read.iter().filter(|b| **b == b'\n').count();
        // Where both are wrong the first is told.
        let what = match read.iter().any(|b| yaml::is_control(char::from(*b))) {
            true => "control characters are not allowed",
            false => "invalid leading UTF-8 octet",
        };
        Error::plain(format!("error parsing {source}: error converting YAML to JSON: yaml: line {line}: {what}"))
    })
}

/// What is wrong with a text, in the words and with the lines of the YAML engine that kubectl has. It counts lines from 0 where
/// structure is wrong, from 1 where characters are, and names no line for 0.
fn go_words(error: &yaml::Error, text: &str) -> String {
    let lines = text.lines().count();
    let said = error.message.as_str();
    let (line, what) = if said.contains("did not find expected key") {
        (error.line - 1, "did not find expected key")
    } else if said.starts_with("unclosed bracket '{'") {
        (lines, "did not find expected ',' or '}'")
    } else if said.starts_with("unclosed bracket '['") {
        (lines, "did not find expected ',' or ']'")
    } else if said.starts_with("mismatched bracket '['") {
        (error.line - 1, "did not find expected ',' or ']'")
    } else if said.starts_with("mismatched bracket '{'") {
        (error.line - 1, "did not find expected ',' or '}'")
    } else if said.starts_with("unclosed quote") {
        (lines + 1, "found unexpected end of stream")
    } else if said.starts_with("found character that cannot start any token") {
        (error.line, "found character that cannot start any token")
    } else if error.line == 1 && said.starts_with("mapping values are not allowed") {
        (0, said)
    } else {
        (error.line, said)
    };
    match line {
        0 => what.to_string(),
        line => format!("line {line}: {what}"),
    }
}

/// Reads all `-f` of a command. Items that cannot be read or placed come back as errors beside the good ones.
///
/// # Errors
/// What stops the command as a whole: a missing file, no YAML, a document that is no object.
pub async fn read(s: &mut Session<'_>, parsed: &Parsed) -> Result<(Vec<Item>, Vec<Error>)> {
    if parsed.given("kustomize") {
        if parsed.given("filename") {
            return Err(Error::plain("only one of -f or -k can be specified"));
        }
        let folder = parsed.str("kustomize");
        let made = super::kustomize::build(s, folder)?;
        return place(s, made.into_iter().map(|object| (folder.to_string(), object)).collect()).await;
    }
    let mut documents = Vec::new();
    for name in parsed.list("filename") {
        documents.extend(texts(s, name, parsed.on("recursive")).await?);
    }
    let mut objects = Vec::new();
    for (source, text) in documents {
        let read = yaml::parse_documents(&text).map_err(|e| {
            Error::plain(format!("error parsing {source}: error converting YAML to JSON: yaml: {}", go_words(&e, &text)))
        })?;
        for value in read {
            flatten(&source, value, &mut objects)?;
        }
    }
    place(s, objects).await
}

/// The texts behind one `-f`.
async fn texts(s: &mut Session<'_>, name: &str, recursive: bool) -> Result<Vec<(String, String)>> {
    if name == "-" {
        let bytes = s.read_stdin().await?;
        return Ok(vec![("STDIN".to_string(), text("STDIN", bytes)?)]);
    }
    if name.starts_with("http://") || name.starts_with("https://") {
        return Err(match s.ctx.restrictions.plain_files {
            true => Error::plain("a line of the lab reads manifests from the lab's folder only, not from a URL"),
            false => Error::not_simulated("reading a manifest from a URL; download it first"),
        });
    }
    let mut found = Vec::new();
    walk(s, name, recursive, &mut found)?;
    Ok(found)
}

fn walk(s: &Session<'_>, name: &str, recursive: bool, found: &mut Vec<(String, String)>) -> Result<()> {
    let folder = name.trim_end_matches('/');
    match s.io.files.read(name) {
        Ok(bytes) => {
            found.push((name.to_string(), text(name, bytes)?));
            return Ok(());
        }
        Err(e) if e.kind() == ErrorKind::PermissionDenied => return Err(Error::plain(e.to_string())),
        Err(e) if e.kind() == ErrorKind::FileTooLarge => return Err(Error::plain(format!("{name}: {e}"))),
        Err(_) => (),
    }
    let missing = || Error::plain(format!("the path {name:?} does not exist"));
    let entries = s.io.files.list(if folder == "." { "" } else { folder }).map_err(|_| missing())?;
    for entry in entries {
        let path = if folder == "." { entry.clone() } else { format!("{folder}/{entry}") };
        match entry.ends_with('/') {
            true if recursive => walk(s, path.trim_end_matches('/'), recursive, found)?,
            true => (),
            false if [".yaml", ".yml", ".json"].iter().any(|e| entry.ends_with(e)) => walk(s, &path, recursive, found)?,
            false => (),
        }
    }
    Ok(())
}

/// Takes lists apart and refuses what is no object.
fn flatten(source: &str, value: Value, out: &mut Vec<(String, Value)>) -> Result<()> {
    let invalid = |what: &str| {
        Error::plain(format!(
            "error validating {source:?}: error validating data: {what}; if you choose to ignore these errors, turn validation off with --validate=false"
        ))
    };
    let text = |key: &str| value[key].as_str().unwrap_or("");
    if !value.is_object() {
        return Err(invalid("invalid object to validate"));
    }
    match (text("apiVersion"), text("kind")) {
        ("", "") => return Err(invalid("[apiVersion not set, kind not set]")),
        ("", _) => return Err(invalid("apiVersion not set")),
        (_, "") => return Err(invalid("kind not set")),
        (_, kind) if kind.ends_with("List") && value["items"].is_array() => {
            for item in value["items"].as_array().cloned().unwrap_or_default() {
                flatten(source, item, out)?;
            }
        }
        _ => out.push((source.to_string(), value)),
    }
    Ok(())
}

/// Gives objects their resource and namespace.
///
/// # Errors
/// When discovery fails.
pub async fn place(s: &mut Session<'_>, objects: Vec<(String, Value)>) -> Result<(Vec<Item>, Vec<Error>)> {
    let resources = s.resources().await?;
    let (mut items, mut errors) = (Vec::new(), Vec::new());
    for (source, object) in objects {
        match item(s, &resources, &source, object) {
            Ok(item) => items.push(item),
            Err(error) => errors.push(error),
        }
    }
    Ok((items, errors))
}

fn item(s: &Session<'_>, resources: &[Resource], source: &str, mut object: Value) -> Result<Item> {
    let text = |v: &Value| v.as_str().unwrap_or("").to_string();
    let (api_version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    let (name, own) = (text(&object["metadata"]["name"]), text(&object["metadata"]["namespace"]));
    let Some(resource) = discovery::of_kind(resources, &api_version, &kind) else {
        return Err(Error::plain(format!(
            "resource mapping not found for name: {name:?} namespace: {own:?} from {source:?}: no matches for kind {kind:?} in version {api_version:?}\nensure CRDs are installed first"
        )));
    };
    let mut namespace = String::new();
    if resource.namespaced {
        if s.namespace_given && !own.is_empty() && own != s.namespace {
            return Err(Error::plain(format!(
                "the namespace from the provided object {own:?} does not match the namespace {:?}. You must pass '--namespace={own}' to perform this operation.",
                s.namespace
            )));
        }
        namespace = if own.is_empty() { s.namespace.clone() } else { own };
        if !object["metadata"].is_object() {
            object["metadata"] = json!({});
        }
        object["metadata"]["namespace"] = json!(namespace);
    }
    // A create without a name is refused by the server.
    if name.is_empty() && object["metadata"]["generateName"].as_str().is_none() && s.verb != "create" {
        return Err(nameless(&s.verb, resource, &namespace, source));
    }
    Ok(Item { object, source: source.to_string(), resource: resource.clone(), namespace })
}

/// The objects that `-f` names, with their namespaces, for verbs that only need to know which they are.
///
/// # Errors
/// As [`read`], and the first of the errors that it collects.
pub async fn targets(s: &mut Session<'_>, p: &Parsed) -> Result<Vec<(super::select::Target, String)>> {
    let (items, errors) = read(s, p).await?;
    Error::all(errors)?;
    let target = |item: Item| (super::select::Target { name: item.name().to_string(), resource: item.resource }, item.namespace);
    Ok(items.into_iter().map(target).collect())
}
