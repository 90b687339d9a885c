//! `kubectl cordon` and `uncordon`.

use super::apply::DryRun;
use super::error::{Error, Result};
use super::fetch;
use super::flags::Parsed;
use super::select;
use super::session::{Ask, STRATEGIC, Session};
use serde_json::json;

/// Runs `kubectl cordon`.
pub async fn cordon(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    set(s, p, true).await
}

/// Runs `kubectl uncordon`.
pub async fn uncordon(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    set(s, p, false).await
}

async fn set(s: &mut Session<'_>, p: &Parsed, unschedulable: bool) -> Result<i32> {
    if p.operands.is_empty() {
        return Err(Error::usage(&s.verb.clone(), "USAGE: name a node"));
    }
    let word = if unschedulable { "cordoned" } else { "uncordoned" };
    let dry_run = DryRun::of(p)?;
    let nodes = select::one_type(s, "nodes").await?;
    for name in &p.operands {
        let node = fetch::object(s, &nodes, "", name).await?;
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
    Ok(0)
}
