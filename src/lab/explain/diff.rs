//! `--diff`: what changed between two worlds, as text and as JSON.

use super::matrix::cell;
use super::text::{self, row};
use super::world::World;
use crate::base::text::count;
use crate::mesh::compare::{Change, Comparison, Difference};
use crate::mesh::survey::Cell;
use serde_json::{Value, json};

/// Requests that are shown for each sort of change.
const SHOWN: usize = 100;

fn title(change: Change) -> &'static str {
    match change {
        Change::Allowed => "became allowed",
        Change::Denied => "became denied",
        Change::Way => "takes another way",
        Change::Outcome => "ends otherwise, still not delivered",
        Change::Cause => "the same, decided by something else",
    }
}

fn word(change: Change) -> &'static str {
    match change {
        Change::Allowed => "allowed",
        Change::Denied => "denied",
        Change::Way => "way",
        Change::Outcome => "outcome",
        Change::Cause => "cause",
    }
}

/// What changed, the graver first; the same change of one request is told once with all its clients.
pub fn text(old: &World, new: &World, found: &Comparison) -> String {
    format!("{}\n-> {}\n{}", old.name, new.name, changes(new, found))
}

/// The same without the names of the two worlds: how much was compared, and what changed.
pub fn changes(new: &World, found: &Comparison) -> String {
    let mut out = format!("{} x {}\n", count(found.clients, "client"), count(found.requests, "request"));
    for change in Change::ALL {
        let all: Vec<&Difference> = found.differences.iter().filter(|d| d.change == change).collect();
        if all.is_empty() {
            continue;
        }
        out.push_str(&format!("\n{}\n", title(change)));
        let together = gather(&all);
        for (difference, clients) in together.iter().take(SHOWN) {
            out.push_str(&one(difference, clients));
        }
        if together.len() > SHOWN {
            out.push_str(&format!("  and {} more (--json lists all)\n", together.len() - SHOWN));
        }
    }
    if found.differences.is_empty() {
        out.push_str("\nNothing changed for any of them.\n");
    }
    if found.unknown {
        out.push_str("\nSomething is not modelled in one of the two: `--matrix` shows where.\n");
    }
    if found.cut {
        out.push_str("\nThere is more than was compared; name smaller folders.\n");
    }
    out + &text::notes(new)
}

/// Differences that are alike but for the client.
pub fn gather<'a>(all: &[&'a Difference]) -> Vec<(&'a Difference, Vec<&'a str>)> {
    let mut together: Vec<(&Difference, Vec<&str>)> = Vec::new();
    for difference in all {
        let same = |have: &&Difference| {
            (&have.probe, &have.before, &have.after) == (&difference.probe, &difference.before, &difference.after)
        };
        match together.iter_mut().rev().take(64).find(|(have, _)| same(have)) {
            Some((_, clients)) => clients.push(&difference.client),
            None => together.push((difference, vec![&difference.client])),
        }
    }
    together
}

fn one(difference: &Difference, clients: &[&str]) -> String {
    let mut out = format!("  {}\n", difference.probe.ask.url);
    out.push_str(&row("from", &clients.join(", ")));
    out.push_str(&row("was", &brief(difference.before.as_ref())));
    out.push_str(&row("is", &brief(difference.after.as_ref())));
    let decided = |cell: &Cell| format!("{}, {}", cell.cause.object, cell.cause.field);
    let (before, after) = (difference.before.as_ref().map(decided), difference.after.as_ref().map(decided));
    match (before, after) {
        (Some(before), Some(after)) if before != after => {
            out.push_str(&row("decided by", &format!("{after} (before: {before})")))
        }
        (_, Some(after)) => out.push_str(&row("decided by", &after)),
        (Some(before), None) => out.push_str(&row("decided by", &format!("before: {before}"))),
        (None, None) => {}
    }
    out
}

/// What became of a request, in a few words.
pub fn brief(cell: Option<&Cell>) -> String {
    let Some(cell) = cell else { return "no such client".into() };
    let status = cell.status.map(|s| format!(", HTTP {s}")).unwrap_or_default();
    match cell.path {
        crate::base::outcome::Path::None => format!("{}{status}", cell.outcome),
        ref path => format!("{}, {path}{status}", cell.outcome),
    }
}

/// The same for programs.
pub fn to_json(old: &World, new: &World, found: &Comparison) -> Value {
    let one = |d: &Difference| {
        json!({
            "change": word(d.change), "client": d.client, "request": text::request(&d.probe.ask), "object": d.probe.object,
            "before": d.before.as_ref().map(cell), "after": d.after.as_ref().map(cell),
        })
    };
    let side = |world: &World| {
        json!({"world": world.name, "assumptions": world.assumptions, "refused": world.refused, "ignored": world.ignored,
            "unreadable": text::unreadable_json(world)})
    };
    json!({
        "old": side(old), "new": side(new), "clients": found.clients, "requests": found.requests, "cut": found.cut,
        "not-modelled": found.unknown, "differences": found.differences.iter().map(one).collect::<Vec<_>>(),
    })
}
