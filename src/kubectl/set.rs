//! `kubectl set image` and `set env`.

use super::apply::{DryRun, manager, patch};
use super::error::{Error, Result};
use super::fetch;
use super::flags::{Flag, Parsed, Takes, flag, short};
use super::select;
use super::session::{Ask, STRATEGIC, Session};
use super::verbs::{DRY_RUN, GLOBAL, OUTPUT, SELECT, Verb, WRITE, verb};
use serde_json::{Value, json};

const FLAGS: &[Flag] = &[
    flag("all", Takes::Bool, "every object of the type (not simulated here)"),
    short("containers", 'c', Takes::Text, "only the container of this name"),
    flag("list", Takes::Bool, "env: print the variables instead"),
];

/// What can be set.
pub const SUBS: &[Verb] = &[
    verb!(
        "image",
        [],
        "change a container's image",
        "TYPE/NAME CONTAINER=IMAGE ...",
        [FLAGS, OUTPUT, SELECT, DRY_RUN, WRITE],
        image
    ),
    verb!(
        "env",
        [],
        "change environment variables",
        "TYPE/NAME NAME=VALUE NAME- ...",
        [FLAGS, OUTPUT, SELECT, DRY_RUN, WRITE],
        env
    ),
];

async fn image(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    change(s, p, "image updated", |containers, changes| {
        for change in changes {
            let (name, image) = change.split_once('=').ok_or_else(|| {
                Error::plain(format!(
                    "one or more resources must be specified as <resource> <name> or <resource>/<name>: {change}"
                ))
            })?;
            let mut found = false;
            for container in containers.iter_mut().filter(|c| name == "*" || c["name"] == name) {
                container["image"] = json!(image);
                found = true;
            }
            if !found {
                return Err(Error::plain(format!("unable to find container named {name:?}")));
            }
        }
        Ok(())
    })
    .await
}

async fn env(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let only = p.text("containers").unwrap_or("*").to_string();
    change(s, p, "env updated", move |containers, changes| {
        for container in containers.iter_mut().filter(|c| only == "*" || c["name"] == only.as_str()) {
            let mut env = container["env"].as_array().cloned().unwrap_or_default();
            for change in changes {
                match change.split_once('=') {
                    Some((name, value)) => match env.iter_mut().find(|e| e["name"] == name) {
                        Some(entry) => *entry = json!({"name": name, "value": value}),
                        None => env.push(json!({"name": name, "value": value})),
                    },
                    None => env.retain(|e| e["name"] != change.trim_end_matches('-')),
                }
            }
            container["env"] = json!(env);
        }
        Ok(())
    })
    .await
}

async fn change(
    s: &mut Session<'_>,
    p: &Parsed,
    said: &str,
    edit: impl Fn(&mut Vec<Value>, &[String]) -> Result<()>,
) -> Result<i32> {
    let is_change = |word: &String| word.contains('=') || word.ends_with('-');
    let first = p.operands.iter().position(is_change).unwrap_or(p.operands.len());
    let (operands, changes) = p.operands.split_at(first);
    if operands.is_empty() || changes.is_empty() && !p.on("list") {
        return Err(Error::plain("name the object (TYPE/NAME) and at least one change"));
    }
    let dry_run = DryRun::of(p)?;
    let namespace = s.namespace.clone();
    for target in select::targets(s, operands).await?.items {
        if target.name.is_empty() {
            return Err(Error::plain("resource(s) were provided, but no name was specified"));
        }
        let before = fetch::object(s, &target.resource, &namespace, &target.name).await?;
        let place = if target.resource.kind == "Pod" { "/spec/containers" } else { "/spec/template/spec/containers" };
        let mut after = before.clone();
        let mut containers = after
            .pointer(place)
            .and_then(Value::as_array)
            .cloned()
            .ok_or_else(|| Error::plain(format!("{} has no containers", target.resource.printed())))?;
        if p.on("list") {
            list(s, &target.resource.plural, &target.name, &containers);
            continue;
        }
        edit(&mut containers, changes)?;
        if let Some(slot) = after.pointer_mut(place) {
            *slot = json!(containers);
        }
        let body = patch::strategic_two_way(&before, &after);
        if body == json!({}) {
            continue;
        }
        if dry_run != DryRun::Client {
            let ask = Ask::patch(target.resource.object_path(&namespace, &target.name), STRATEGIC, &body)
                .query("dryRun", dry_run.query())
                .query("fieldManager", manager(p, "kubectl-set"));
            s.json(ask).await?;
        }
        s.say(&format!("{}/{} {said}{}", target.resource.printed(), target.name, dry_run.suffix()));
    }
    Ok(0)
}

fn list(s: &mut Session<'_>, plural: &str, name: &str, containers: &[Value]) {
    for container in containers {
        s.say(&format!("# {plural} {name}, container {}", container["name"].as_str().unwrap_or("")));
        for entry in container["env"].as_array().into_iter().flatten() {
            s.say(&format!("{}={}", entry["name"].as_str().unwrap_or(""), entry["value"].as_str().unwrap_or("")));
        }
    }
}
