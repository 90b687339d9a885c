//! `kubectl delete`.

use super::apply::DryRun;
use super::discovery::Resource;
use super::error::{Error, Result};
use super::fetch::{self, Filter, Seen};
use super::flags::{Flag, Parsed, Takes, flag, short};
use super::manifest;
use super::print::output::Output;
use super::select;
use super::session::{Ask, JSON, Session};
use crate::base::duration::go_duration_ms;
use serde_json::{Value, json};

pub const FLAGS: &[Flag] = &[
    flag("all", Takes::Bool, "every object of the type in the namespace"),
    short("all-namespaces", 'A', Takes::Bool, "every namespace"),
    flag("now", Takes::Bool, "give pods one second to stop"),
    flag("force", Takes::Bool, "with --grace-period=0: forget pods at once"),
    flag("grace-period", Takes::Int, "seconds a pod has to stop"),
    flag("wait", Takes::Bool, "wait until the objects are gone (default true)"),
    flag("timeout", Takes::Text, "how long to wait, e.g. 30s"),
    flag("cascade", Takes::Or("background"), "background, foreground or orphan: what happens to what the object owns"),
    flag("ignore-not-found", Takes::Bool, "no error when an object does not exist"),
    short("interactive", 'i', Takes::Bool, "ask first (not simulated here)"),
    flag("raw", Takes::Text, "delete a path"),
];

const AT_ONCE: &str = "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.";

/// What is to go.
struct Victim {
    resource: Resource,
    namespace: String,
    name: String,
    /// The file that named it.
    source: Option<String>,
}

/// Runs `kubectl delete`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    if p.on("interactive") {
        return Err(Error::not_simulated("delete --interactive"));
    }
    if p.given("raw") {
        let body = s.text(Ask::delete(p.str("raw"), &json!({}))).await?;
        s.io.write(body.as_bytes());
        return Ok(0);
    }
    if p.on("all") && p.given("selector") {
        return Err(Error::plain("setting 'all' parameter but found a non empty selector. "));
    }
    let options = options(p)?;
    let dry_run = DryRun::of(p)?;
    let by_name = matches!(Output::parse(p)?, Output::Name);
    let mut errors = Vec::new();
    if p.on("force") && grace(p)? == Some(0) && dry_run == DryRun::None {
        s.warn(AT_ONCE);
    }
    // Type by type: what the first deletions took along (a deployment its replica sets) is not listed any more.
    let (mut gone, mut seen) = (Vec::new(), 0);
    for source in sources(s, p, &mut errors).await? {
        for victim in victims(s, p, source).await? {
            seen += 1;
            match delete(s, p, &victim, &options, dry_run, by_name).await {
                Ok(uid) => gone.push((victim, uid)),
                Err(error) if error.is_not_found() && (p.on("ignore-not-found") || p.on("all") || p.given("selector")) => (),
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(error) => errors.push(error),
            }
        }
    }
    if seen == 0 && errors.is_empty() {
        s.say("No resources found");
        return Ok(0);
    }
    if p.on_or("wait", true) && dry_run == DryRun::None {
        let limit = p.text("timeout").and_then(go_duration_ms).filter(|ms| *ms > 0);
        for (victim, uid) in gone {
            if let Err(error) = wait_gone(s, &victim.resource, &victim.namespace, &victim.name, &uid, limit).await {
                match error {
                    Error::Interrupted => return Err(Error::Interrupted),
                    other => errors.push(other),
                }
            }
        }
    }
    Error::all(errors).map(|()| 0)
}

/// The grace period that the flags mean.
fn grace(p: &Parsed) -> Result<Option<i64>> {
    let given = p.int("grace-period").filter(|n| *n >= 0);
    match (given, p.on("now"), p.on("force")) {
        (Some(_), true, _) => Err(Error::plain("--now and --grace-period cannot be specified together")),
        (None, true, _) => Ok(Some(1)),
        (None, false, true) => Ok(Some(0)),
        (Some(0), false, false) => Ok(Some(1)),
        (given, ..) => Ok(given),
    }
}

fn options(p: &Parsed) -> Result<Value> {
    let policy = match p.text("cascade") {
        None | Some("background" | "true") => "Background",
        Some("foreground") => "Foreground",
        Some("orphan" | "false") => "Orphan",
        Some(other) => {
            return Err(Error::plain(format!(
                "invalid cascade value ({other}). Must be \"background\", \"foreground\", or \"orphan\""
            )));
        }
    };
    let mut options = json!({"propagationPolicy": policy});
    if let Some(seconds) = grace(p)? {
        options["gracePeriodSeconds"] = json!(seconds);
    }
    if DryRun::of(p)? == DryRun::Server {
        options["dryRun"] = json!(["All"]);
    }
    Ok(options)
}

/// What the command line names, before lists are read.
enum Source {
    One(Victim),
    /// All of a type that match.
    List(Resource),
}

async fn sources(s: &mut Session<'_>, p: &Parsed, errors: &mut Vec<Error>) -> Result<Vec<Source>> {
    if p.given("filename") || p.given("kustomize") {
        let (items, unplaced) = manifest::read(s, p).await?;
        errors.extend(unplaced.into_iter().filter(|_| !p.on("ignore-not-found")));
        let victim = |item: manifest::Item| {
            let name = item.name().to_string();
            Source::One(Victim { name, source: Some(item.source), resource: item.resource, namespace: item.namespace })
        };
        return Ok(items.into_iter().map(victim).collect());
    }
    if p.operands.is_empty() {
        return Err(Error::plain(
            "You must provide one or more resources by argument or filename.\nExample resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   '<resource> <name>'\n   '<resource>'",
        ));
    }
    let targets = select::targets(s, &p.operands).await?;
    select::no_name_with_selector(p, &targets)?;
    let listing = p.on("all") || p.given("selector") || p.given("field-selector");
    if !listing && targets.items.iter().any(|t| t.name.is_empty()) {
        return Err(Error::plain("resource(s) were provided, but no name was specified"));
    }
    let namespace = s.namespace.clone();
    let source = |target: select::Target| match target.name.is_empty() {
        true => Source::List(target.resource),
        false => {
            let namespace = if target.resource.namespaced { namespace.clone() } else { String::new() };
            Source::One(Victim { resource: target.resource, namespace, name: target.name, source: None })
        }
    };
    Ok(targets.items.into_iter().map(source).collect())
}

async fn victims(s: &mut Session<'_>, p: &Parsed, source: Source) -> Result<Vec<Victim>> {
    let resource = match source {
        Source::One(victim) => return Ok(vec![victim]),
        Source::List(resource) => resource,
    };
    let filter = Filter { limit: 0, ..Filter::of(s, p) };
    let victim = |object: Value| {
        let text = |key: &str| object["metadata"][key].as_str().unwrap_or("").to_string();
        Victim { resource: resource.clone(), namespace: text("namespace"), name: text("name"), source: None }
    };
    Ok(fetch::objects(s, &resource, &filter).await?.into_iter().map(victim).collect())
}

/// Deletes one object, says so, and gives its uid.
async fn delete(
    s: &mut Session<'_>,
    p: &Parsed,
    victim: &Victim,
    options: &Value,
    dry_run: DryRun,
    by_name: bool,
) -> Result<String> {
    let path = victim.resource.object_path(&victim.namespace, &victim.name);
    let answered = match dry_run {
        DryRun::Client => s.json(Ask::get(path)).await,
        _ => s.json(Ask::delete(path, options)).await,
    };
    let answered = answered.map_err(|error| match &victim.source {
        Some(source) => error.prefixed(&format!("error when deleting {source:?}")),
        None => error,
    })?;
    if by_name {
        s.say(&format!("{}/{}", victim.resource.printed(), victim.name));
    } else {
        s.say(&deleted_line(victim, p, dry_run)?);
    }
    let uid = answered["metadata"]["uid"].as_str().or_else(|| answered["details"]["uid"].as_str());
    Ok(uid.unwrap_or("").to_string())
}

fn deleted_line(victim: &Victim, p: &Parsed, dry_run: DryRun) -> Result<String> {
    let word = if grace(p)? == Some(0) { "force deleted" } else { "deleted" };
    let place = match victim.resource.namespaced {
        true => format!(" from {} namespace", victim.namespace),
        false => String::new(),
    };
    Ok(format!("{} {:?} {word}{place}{}", victim.resource.printed(), victim.name, dry_run.suffix()))
}

/// Waits until an object with this uid no longer exists.
///
/// # Errors
/// When time is up, on Ctrl-C, and what the server says.
pub async fn wait_gone(
    s: &mut Session<'_>,
    resource: &Resource,
    namespace: &str,
    name: &str,
    uid: &str,
    limit: Option<i64>,
) -> Result<()> {
    let other = |object: &Value| !uid.is_empty() && object["metadata"]["uid"].as_str().is_some_and(|u| u != uid);
    let mut deadline = limit.map(|ms| s.ctx.pause.pause(ms.max(0) as u64));
    loop {
        let object = match s.json(Ask::get(resource.object_path(namespace, name))).await {
            Err(error) if error.is_not_found() => return Ok(()),
            other => other?,
        };
        if other(&object) {
            return Ok(());
        }
        let filter = Filter { namespace: namespace.to_string(), fields: format!("metadata.name={name}"), ..Filter::default() };
        let version = object["metadata"]["resourceVersion"].as_str().unwrap_or("").to_string();
        let mut watch = fetch::watch(s, resource, &filter, &version, JSON).await?;
        loop {
            match watch.next(s, deadline.as_mut()).await? {
                Seen::Event(kind, object) if kind == "DELETED" || other(&object) => return Ok(()),
                Seen::Event(..) => (),
                Seen::Ended | Seen::Stale(_) => break,
                Seen::TimedOut => {
                    return Err(Error::plain(format!("timed out waiting for the condition on {}/{name}", resource.plural)));
                }
            }
        }
    }
}
