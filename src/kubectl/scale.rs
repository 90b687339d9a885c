//! `kubectl scale`.

use super::apply::DryRun;
use super::error::{Error, Result};
use super::fetch::{self, Filter};
use super::flags::{Flag, Parsed, Takes, flag};
use super::manifest;
use super::select::{self, Target};
use super::session::{Ask, MERGE, Session};
use serde_json::json;

pub const FLAGS: &[Flag] = &[
    flag("replicas", Takes::Int, "how many there shall be"),
    flag("current-replicas", Takes::Int, "only if there are this many now"),
    flag("resource-version", Takes::Text, "only if the object is still at this version"),
    flag("all", Takes::Bool, "every object of the type in the namespace"),
    flag("timeout", Takes::Text, "how long to wait"),
];

/// Runs `kubectl scale`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let Some(replicas) = p.int("replicas") else {
        return Err(Error::plain("required flag(s) \"replicas\" not set"));
    };
    if replicas < 0 {
        return Err(Error::plain("The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0"));
    }
    let dry_run = DryRun::of(p)?;
    let targets = targets(s, p).await?;
    let mut errors = Vec::new();
    for (target, namespace) in targets {
        match scale(s, p, &target, &namespace, replicas, dry_run).await {
            Ok(()) if p.str("output") == "name" => s.say(&format!("{}/{}", target.resource.printed(), target.name)),
            Ok(()) => s.say(&format!("{}/{} scaled{}", target.resource.printed(), target.name, dry_run.suffix())),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => errors.push(error),
        }
    }
    Error::all(errors).map(|()| 0)
}

async fn targets(s: &mut Session<'_>, p: &Parsed) -> Result<Vec<(Target, String)>> {
    if p.given("filename") {
        return manifest::targets(s, p).await;
    }
    if p.operands.is_empty() {
        return Err(Error::plain("resource(s) were provided, but no name was specified"));
    }
    let mut found = Vec::new();
    let filter = Filter::of(s, p);
    for target in select::targets(s, &p.operands).await?.items {
        if !target.name.is_empty() {
            found.push((target, s.namespace.clone()));
            continue;
        }
        if !p.on("all") && !p.given("selector") {
            return Err(Error::plain("resource(s) were provided, but no name was specified"));
        }
        for object in fetch::objects(s, &target.resource, &filter).await? {
            let name = object["metadata"]["name"].as_str().unwrap_or("").to_string();
            found.push((Target { resource: target.resource.clone(), name }, s.namespace.clone()));
        }
    }
    Ok(found)
}

async fn scale(s: &mut Session<'_>, p: &Parsed, target: &Target, namespace: &str, replicas: i64, dry_run: DryRun) -> Result<()> {
    fetch::object(s, &target.resource, namespace, &target.name).await?;
    if !target.resource.subresources.iter().any(|r| r == "scale") {
        return Err(Error::plain("the server could not find the requested resource"));
    }
    let path = format!("{}/scale", target.resource.object_path(namespace, &target.name));
    let mut body = json!({"spec": {"replicas": replicas}});
    if let Some(expected) = p.int("current-replicas").filter(|n| *n >= 0) {
        let now = s.json(Ask::get(path.clone())).await?;
        let current = now["spec"]["replicas"].as_i64().unwrap_or(0);
        if current != expected {
            return Err(Error::plain(format!("Expected replicas to be {expected}, was {current}")));
        }
        body["metadata"] = json!({"resourceVersion": now["metadata"]["resourceVersion"]});
    }
    if dry_run != DryRun::Client {
        s.json(Ask::patch(path, MERGE, &body).query("dryRun", dry_run.query())).await?;
    }
    Ok(())
}
