//! `kubectl apply`: client-side with the last-applied annotation, or `--server-side`.

pub mod patch;
mod server_side;

use super::error::{Error, Result};
use super::fetch;
use super::flags::{Flag, Parsed, Takes, flag, short};
use super::manifest::{self, Item};
use super::print::output::{Output, last_applied, without_managed_fields};
use super::session::{Ask, MERGE, STRATEGIC, Session};
use serde_json::{Value, json};

pub const FLAGS: &[Flag] = &[
    flag("server-side", Takes::Bool, "let the server merge, and own the fields you send"),
    flag("force-conflicts", Takes::Bool, "with --server-side: take fields over from other owners"),
    flag("force", Takes::Bool, "delete and create again when a change is refused (not simulated here)"),
    flag("prune", Takes::Bool, "delete what is no longer in the manifests (not simulated here)"),
    flag("overwrite", Takes::Bool, "the manifest wins over changes made since (always so)"),
    flag("wait", Takes::Bool, "wait for deletions to end"),
    flag("timeout", Takes::Text, "how long to wait"),
    short("selector", 'l', Takes::Text, "only objects of the manifests with these labels"),
    flag("all", Takes::Bool, "with --prune: all of a namespace"),
];

/// The annotation that remembers the manifest.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// `--dry-run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DryRun {
    None,
    Client,
    Server,
}

impl DryRun {
    /// Reads `--dry-run`.
    ///
    /// # Errors
    /// For a value that is none of kubectl's.
    pub fn of(p: &Parsed) -> Result<DryRun> {
        match p.text("dry-run") {
            None | Some("none" | "false") => Ok(DryRun::None),
            Some("client" | "unchanged" | "true") => Ok(DryRun::Client),
            Some("server") => Ok(DryRun::Server),
            Some(other) => {
                Err(Error::plain(format!("Invalid dry-run value ({other}). Must be \"none\", \"server\", or \"client\".")))
            }
        }
    }

    /// The query value.
    pub fn query(self) -> &'static str {
        if self == DryRun::Server { "All" } else { "" }
    }

    /// What is added to messages.
    pub fn suffix(self) -> &'static str {
        match self {
            DryRun::None => "",
            DryRun::Client => " (dry run)",
            DryRun::Server => " (server dry run)",
        }
    }
}

/// The query value for `--validate`.
///
/// # Errors
/// For a value that is none of kubectl's.
pub fn field_validation(p: &Parsed) -> Result<&'static str> {
    match p.text("validate") {
        None | Some("strict" | "true") => Ok("Strict"),
        Some("warn") => Ok("Warn"),
        Some("ignore" | "false") => Ok("Ignore"),
        Some(other) => Err(Error::plain(format!("invalid validate option {other:?}"))),
    }
}

/// Runs `kubectl apply`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    if let Some(what) = ["prune", "force", "all"].into_iter().find(|f| p.on(f)) {
        return Err(Error::not_simulated(&format!("apply --{what}")));
    }
    if !p.operands.is_empty() {
        return Err(Error::Said(format!(
            "error: Unexpected args: [{}]\nSee 'kubectl apply -h' for help and examples",
            p.operands.join(" ")
        )));
    }
    if !p.given("filename") && !p.given("kustomize") {
        return Err(Error::plain("must specify one of -f and -k"));
    }
    let dry_run = DryRun::of(p)?;
    if p.on("server-side") && dry_run == DryRun::Client {
        return Err(Error::plain("--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)"));
    }
    if p.on("force-conflicts") && !p.on("server-side") {
        return Err(Error::plain("--force-conflicts only works with --server-side"));
    }
    let output = Output::parse(p)?;
    let (items, mut errors) = manifest::read(s, p).await?;
    let items: Vec<Item> = match p.text("selector") {
        Some(selector) => items.into_iter().filter(|i| matches(selector, &i.object)).collect(),
        None => items,
    };
    if items.is_empty() && errors.is_empty() {
        return Err(Error::plain("no objects passed to apply"));
    }
    let mut printed = Vec::new();
    for item in &items {
        let outcome = match p.on("server-side") {
            true => server_side::apply(s, p, item, dry_run).await,
            false => client_side(s, p, item, dry_run).await,
        };
        match outcome {
            Ok((word, object)) if output.is_human() => {
                let _ = object;
                s.say(&format!("{} {word}{}", item.printed(), dry_run.suffix()));
            }
            Ok((_, object)) => printed.push(object),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => errors.push(error),
        }
        if item.resource.plural == "customresourcedefinitions" {
            s.forget_resources();
        }
    }
    print_objects(s, p, &output, printed).await?;
    Error::all(errors).map(|()| 0)
}

/// `-o yaml` and the like: one object as itself, several as a List.
pub async fn print_objects(s: &mut Session<'_>, p: &Parsed, output: &Output, mut objects: Vec<Value>) -> Result<()> {
    let whole = match objects.len() {
        0 => return Ok(()),
        1 => objects.remove(0),
        _ => json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": objects}),
    };
    let whole = if p.on("show-managed-fields") { whole } else { without_managed_fields(whole) };
    let resources = s.resources().await?;
    let text = output.print(&whole, &resources, true)?;
    s.io.write(text.as_bytes());
    Ok(())
}

/// Equality selectors only: what manifests are filtered by.
pub fn matches(selector: &str, object: &Value) -> bool {
    selector.split(',').all(|term| match term.split_once("!=") {
        Some((key, value)) => object["metadata"]["labels"][key.trim()] != value.trim(),
        None => match term.split_once('=') {
            Some((key, value)) => object["metadata"]["labels"][key.trim()] == value.trim_start_matches('=').trim(),
            None => !object["metadata"]["labels"][term.trim()].is_null(),
        },
    })
}

/// The manifest with the annotation that remembers it.
fn with_last_applied(object: &Value) -> Value {
    let mut bare = object.clone();
    if !bare["metadata"]["annotations"].is_object() {
        bare["metadata"]["annotations"] = json!({});
    }
    if let Some(annotations) = bare["metadata"]["annotations"].as_object_mut() {
        annotations.remove(LAST_APPLIED);
    }
    let text = last_applied(&bare);
    bare["metadata"]["annotations"][LAST_APPLIED] = json!(text);
    bare
}

async fn client_side(s: &mut Session<'_>, p: &Parsed, item: &Item, dry_run: DryRun) -> Result<(&'static str, Value)> {
    let name = item.name().to_string();
    if name.is_empty() {
        return Err(Error::plain("from: cannot use generate name with apply"));
    }
    let current = match s.json(Ask::get(item.resource.object_path(&item.namespace, &name))).await {
        Ok(current) => current,
        Err(error) if error.is_not_found() => return create(s, p, item, dry_run).await,
        Err(Error::Interrupted) => return Err(Error::Interrupted),
        Err(error) => return Err(error.prefixed(&format!("error when retrieving current configuration of {:?}", item.source))),
    };
    let modified = with_last_applied(&item.object);
    let original = current["metadata"]["annotations"][LAST_APPLIED].as_str().and_then(|text| serde_json::from_str(text).ok());
    if original.is_none() && dry_run != DryRun::Client {
        missing_annotation(s, item);
    }
    let original = original.unwrap_or_else(|| json!({}));
    let (kind, body) = match is_builtin(&item.resource.group) {
        true => (STRATEGIC, patch::strategic(&original, &modified, &current)),
        false => (MERGE, patch::merge(&original, &modified, &current)),
    };
    if body.as_object().is_none_or(|b| b.is_empty()) {
        return Ok(("unchanged", current));
    }
    if dry_run == DryRun::Client {
        return Ok(("configured", item.object.clone()));
    }
    let ask = Ask::patch(item.resource.object_path(&item.namespace, &name), kind, &body)
        .query("dryRun", dry_run.query())
        .query("fieldManager", manager(p, "kubectl-client-side-apply"))
        .query("fieldValidation", field_validation(p)?);
    let object = s.json(ask).await.map_err(|error| patch_error(error, item, &body))?;
    Ok(("configured", object))
}

/// kubectl names the patch and the object when a change is refused.
fn patch_error(error: Error, item: &Item, body: &Value) -> Error {
    match error.reason() {
        "Invalid" => error,
        "" if !matches!(error, Error::Status(_)) => error,
        _ => error.prefixed(&format!(
            "error when applying patch:\n{body}\nto:\nResource: {:?}, GroupVersionKind: {:?}\nName: {:?}, Namespace: {:?}\nfor: {:?}: error when patching {:?}",
            format!("{}, Resource={}", slashed(item), item.resource.plural),
            format!("{}, Kind={}", slashed(item), item.resource.kind),
            item.name(),
            item.namespace,
            item.source,
            item.source
        )),
    }
}

fn slashed(item: &Item) -> String {
    format!("{}/{}", item.resource.group, item.resource.version)
}

async fn create(s: &mut Session<'_>, p: &Parsed, item: &Item, dry_run: DryRun) -> Result<(&'static str, Value)> {
    if dry_run == DryRun::Client {
        return Ok(("created", item.object.clone()));
    }
    if item.resource.namespaced {
        match s.json(Ask::get(format!("/api/v1/namespaces/{}", item.namespace))).await {
            Err(error) if error.is_not_found() => return Err(error.prefixed(&format!("error when creating {:?}", item.source))),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            _ => (),
        }
    }
    let ask = Ask::post(item.resource.path(&item.namespace), &with_last_applied(&item.object))
        .query("dryRun", dry_run.query())
        .query("fieldManager", manager(p, "kubectl-client-side-apply"))
        .query("fieldValidation", field_validation(p)?);
    let object = s.json(ask).await.map_err(|e| e.prefixed(&format!("error when creating {:?}", item.source)))?;
    Ok(("created", object))
}

fn missing_annotation(s: &mut Session<'_>, item: &Item) {
    s.warn(&format!(
        "Warning: resource {}/{} is missing the {LAST_APPLIED} annotation which is required by kubectl apply. kubectl apply should only be used on resources created declaratively by either kubectl create --save-config or kubectl apply. The missing annotation will be patched automatically.",
        item.resource.plural,
        item.name()
    ));
}

/// `--field-manager`, or the verb's own.
pub fn manager(p: &Parsed, default: &str) -> String {
    p.text("field-manager").unwrap_or(default).to_string()
}

/// Whether kubectl knows the group's types and so patches them strategically.
pub fn is_builtin(group: &str) -> bool {
    matches!(group, "" | "apps" | "batch" | "autoscaling" | "policy")
        || group.ends_with(".k8s.io")
            && !group.starts_with("gateway.")
            && !group.starts_with("apiextensions.")
            && !group.ends_with(".x-k8s.io")
}

/// The manifest with its annotation, for `create --save-config`.
pub fn saved(object: &Value) -> Value {
    with_last_applied(object)
}

/// Reads an object again, for verbs that change one in place.
///
/// # Errors
/// What the server says.
pub async fn live(s: &mut Session<'_>, item: &Item) -> Result<Value> {
    fetch::object(s, &item.resource, &item.namespace, item.name()).await
}
