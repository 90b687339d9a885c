//! `kubectl cordon` and `uncordon`, and the nodes that `drain` means.

use super::apply::DryRun;
use super::error::{Error, Result};
use super::fetch::{self, Filter};
use super::flags::Parsed;
use super::select;
use super::session::{Ask, STRATEGIC, Session};
use serde_json::json;

/// Runs `kubectl cordon`.
pub async fn cordon(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let nodes = named(s, p).await?;
    mark(s, p, &nodes, true).await.map(|()| 0)
}

/// Runs `kubectl uncordon`.
pub async fn uncordon(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let nodes = named(s, p).await?;
    mark(s, p, &nodes, false).await.map(|()| 0)
}

/// The nodes that operands or `-l` name.
///
/// # Errors
/// None named, or both ways at once, and what the server says.
pub async fn named(s: &mut Session<'_>, p: &Parsed) -> Result<Vec<String>> {
    let usage = |text: String| Error::Said(format!("error: {text}\nSee 'kubectl {} -h' for help and examples", s.verb));
    match (p.operands.is_empty(), p.given("selector")) {
        (true, false) => return Err(usage(format!("USAGE: {} NODE [flags]", s.verb))),
        (false, true) => return Err(Error::plain("error: cannot specify both a node name and a --selector option")),
        (false, false) => {
            return Ok(p
                .operands
                .iter()
                .map(|o| o.trim_start_matches("node/").trim_start_matches("nodes/").to_string())
                .collect());
        }
        (true, true) => (),
    }
    let nodes = select::one_type(s, "nodes").await?;
    let filter = Filter { labels: p.str("selector").into(), limit: 500, ..Filter::default() };
    let found = fetch::objects(s, &nodes, &filter).await?;
    let names: Vec<String> = found.iter().filter_map(|node| node["metadata"]["name"].as_str().map(str::to_string)).collect();
    if names.is_empty() {
        s.say("No resources found");
    }
    Ok(names)
}

/// Keeps new pods off nodes, or lets them on again.
///
/// # Errors
/// What the server says.
pub async fn mark(s: &mut Session<'_>, p: &Parsed, names: &[String], unschedulable: bool) -> Result<()> {
    let word = if unschedulable { "cordoned" } else { "uncordoned" };
    let dry_run = DryRun::of(p)?;
    let nodes = select::one_type(s, "nodes").await?;
    let mut found = Vec::new();
    for name in names {
        found.push((name, fetch::object(s, &nodes, "", name).await?));
    }
    for (name, node) in found {
        if (node["spec"]["unschedulable"] == true) == unschedulable {
            s.say(&format!("node/{name} already {word}{}", dry_run.suffix()));
            continue;
        }
        if dry_run != DryRun::Client {
            let value = if unschedulable { json!(true) } else { json!(null) };
            let ask = Ask::patch(nodes.object_path("", name), STRATEGIC, &json!({"spec": {"unschedulable": value}}));
            s.json(ask.query("dryRun", dry_run.query())).await?;
        }
        s.say(&format!("node/{name} {word}{}", dry_run.suffix()));
    }
    Ok(())
}
