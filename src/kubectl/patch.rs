//! `kubectl patch`.

use super::apply::{self, DryRun, manager};
use super::error::{Error, Result};
use super::fetch;
use super::flags::{Flag, Parsed, Takes, flag, short};
use super::manifest;
use super::print::output::Output;
use super::select::{self, Target};
use super::session::{Ask, JSON_PATCH, MERGE, STRATEGIC, Session};
use crate::base::yaml;
use serde_json::Value;

pub const FLAGS: &[Flag] = &[
    short("patch", 'p', Takes::Text, "the change, as JSON or YAML"),
    flag("patch-file", Takes::Text, "a file with the change"),
    flag("type", Takes::Text, "strategic (default), merge or json"),
    flag("subresource", Takes::Text, "status or scale"),
    flag("local", Takes::Bool, "do not ask the server (not simulated here)"),
];

/// Runs `kubectl patch`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    if p.on("local") {
        return Err(Error::not_simulated("patch --local"));
    }
    let kind = match p.text("type") {
        None | Some("strategic") => STRATEGIC,
        Some("merge") => MERGE,
        Some("json") => JSON_PATCH,
        Some(other) => return Err(Error::plain(format!("--type must be one of [json merge strategic], not {other:?}"))),
    };
    let body = body(s, p)?;
    let dry_run = DryRun::of(p)?;
    let output = Output::parse(p)?;
    let mut printed = Vec::new();
    for (target, namespace) in targets(s, p).await? {
        let before = fetch::object(s, &target.resource, &namespace, &target.name).await?;
        let mut path = target.resource.object_path(&namespace, &target.name);
        if p.given("subresource") {
            path = format!("{path}/{}", p.str("subresource"));
        }
        let after = match dry_run {
            DryRun::Client => before.clone(),
            _ => {
                let ask = Ask::patch(path, kind, &body)
                    .query("dryRun", dry_run.query())
                    .query("fieldManager", manager(p, "kubectl-patch"));
                s.json(ask).await.map_err(|e| unsupported(e, kind, &target))?
            }
        };
        let same = before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"] && dry_run == DryRun::None;
        match output.is_human() {
            true => {
                let change = if same { " (no change)" } else { "" };
                s.say(&format!("{}/{} patched{}{change}", target.resource.printed(), target.name, dry_run.suffix()));
            }
            false => printed.push(after),
        }
    }
    apply::print_objects(s, p, &output, printed).await?;
    Ok(0)
}

fn body(s: &Session<'_>, p: &Parsed) -> Result<Value> {
    let text = match (p.text("patch"), p.text("patch-file")) {
        (Some(_), Some(_)) => return Err(Error::plain("cannot specify --patch and --patch-file together")),
        (None, None) => return Err(Error::plain("must specify --patch or --patch-file containing the contents of the patch")),
        (Some(text), None) => text.to_string(),
        (None, Some(path)) => {
            let bytes =
                s.io.files
                    .read(path)
                    .map_err(|_| Error::plain(format!("unable to read patch file: open {path}: no such file or directory")))?;
            String::from_utf8_lossy(&bytes).into_owned()
        }
    };
    yaml::parse(&text).map_err(|e| Error::plain(format!("unable to parse {text:?}: yaml: line {}: {}", e.line, e.message)))
}

async fn targets(s: &mut Session<'_>, p: &Parsed) -> Result<Vec<(Target, String)>> {
    if p.given("filename") {
        return manifest::targets(s, p).await;
    }
    if p.operands.is_empty() {
        return Err(Error::plain("must specify the type of resource to patch"));
    }
    let found = select::targets(s, &p.operands).await?;
    if found.items.iter().any(|t| t.name.is_empty()) {
        return Err(Error::plain("resource(s) were provided, but no name was specified"));
    }
    let namespace = s.namespace.clone();
    Ok(found.items.into_iter().map(|t| (t, namespace.clone())).collect())
}

fn unsupported(error: Error, kind: &str, target: &Target) -> Error {
    match error.reason() {
        "UnsupportedMediaType" => Error::plain(format!(
            "{kind} is not supported by {}, Kind={}: {}",
            target.resource.api_version(),
            target.resource.kind,
            error.message()
        )),
        _ => error,
    }
}
