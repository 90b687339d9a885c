//! `kubectl replace`.

use super::apply::{self, DryRun, field_validation, manager};
use super::delete::wait_gone;
use super::error::{Error, Result};
use super::flags::{Flag, Parsed, Takes, flag};
use super::manifest::{self, Item};
use super::print::output::Output;
use super::session::{Ask, Session};
use serde_json::{Value, json};

pub const FLAGS: &[Flag] = &[
    flag("force", Takes::Bool, "delete the object and create it again"),
    flag("grace-period", Takes::Int, "with --force: seconds a pod has to stop"),
    flag("cascade", Takes::Or("background"), "with --force: background, foreground or orphan"),
    flag("timeout", Takes::Text, "with --force: how long to wait for the deletion"),
    flag("wait", Takes::Bool, "with --force: wait for the deletion"),
];

/// Runs `kubectl replace`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    if !p.given("filename") && !p.given("kustomize") {
        return Err(Error::plain("must specify one of -f and -k"));
    }
    let dry_run = DryRun::of(p)?;
    let output = Output::parse(p)?;
    let (items, mut errors) = manifest::read(s, p).await?;
    let mut printed = Vec::new();
    for item in &items {
        let outcome = match p.on("force") {
            true => forced(s, p, item).await,
            false => replace(s, p, item, dry_run).await,
        };
        match outcome {
            Ok(_) if output.is_human() => s.say(&format!("{} replaced{}", item.printed(), dry_run.suffix())),
            Ok(object) => printed.push(object),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => errors.push(error),
        }
    }
    apply::print_objects(s, p, &output, printed).await?;
    Error::all(errors).map(|()| 0)
}

async fn replace(s: &mut Session<'_>, p: &Parsed, item: &Item, dry_run: DryRun) -> Result<Value> {
    let path = item.resource.object_path(&item.namespace, item.name());
    let wrong = |e: Error| e.prefixed(&format!("error when replacing {:?}", item.source));
    let mut body = item.object.clone();
    if body["metadata"]["resourceVersion"].is_null() {
        match s.json(Ask::get(path.clone())).await {
            Ok(live) => body["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone(),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) if dry_run == DryRun::Client => return Err(wrong(error)),
            // As kubectl does: what is wrong, with the manifest too, is for the server to say.
            Err(_) => (),
        }
    }
    if dry_run == DryRun::Client {
        return Ok(body);
    }
    let ask = Ask::put(path, &body)
        .query("dryRun", dry_run.query())
        .query("fieldManager", manager(p, "kubectl-replace"))
        .query("fieldValidation", field_validation(p)?);
    s.json(ask).await.map_err(wrong)
}

async fn forced(s: &mut Session<'_>, p: &Parsed, item: &Item) -> Result<Value> {
    let path = item.resource.object_path(&item.namespace, item.name());
    let mut options = json!({"propagationPolicy": "Background"});
    if let Some(seconds) = p.int("grace-period").filter(|n| *n >= 0) {
        options["gracePeriodSeconds"] = json!(seconds);
    }
    match s.json(Ask::delete(path, &options)).await {
        Ok(answer) => {
            let place = if item.resource.namespaced { format!(" from {} namespace", item.namespace) } else { String::new() };
            s.say(&format!("{} {:?} deleted{place}", item.resource.printed(), item.name()));
            let uid = answer["metadata"]["uid"].as_str().or_else(|| answer["details"]["uid"].as_str()).unwrap_or("").to_string();
            wait_gone(s, &item.resource, &item.namespace, item.name(), &uid, None).await?;
        }
        Err(error) if error.is_not_found() => (),
        Err(error) => return Err(error),
    }
    let ask = Ask::post(item.resource.path(&item.namespace), &item.object)
        .query("fieldManager", manager(p, "kubectl-replace"))
        .query("fieldValidation", field_validation(p)?);
    s.json(ask).await.map_err(|e| e.prefixed(&format!("error when creating {:?}", item.source)))
}
