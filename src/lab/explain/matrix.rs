//! `--matrix`: every client against every registered host, as a table of letters and as JSON.

use super::text::{WIDTH, unreadable_json};
use super::world::World;
use crate::base::outcome::{Outcome, Path};
use crate::base::text::{clip, count, width};
use crate::mesh::survey::{Cell, Group, Probe, Survey};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Columns of clients side by side.
const ABREAST: usize = 12;

/// A letter and what it stands for.
fn letter(cell: &Cell) -> (char, String) {
    let (letter, word) = match (&cell.outcome, &cell.path) {
        (Outcome::Delivered, Path::Gateway(_)) => ('G', "delivered, through a gateway"),
        (Outcome::Delivered, Path::Uncaptured) => ('u', "delivered, no sidecar sees it"),
        (Outcome::Delivered, Path::Passthrough) => ('p', "delivered, unregistered (passthrough)"),
        (Outcome::Delivered, _) => ('d', "delivered, direct"),
        (outcome, _) => return (code(*outcome), outcome.to_string()),
    };
    (letter, word.to_string())
}

fn code(outcome: Outcome) -> char {
    match outcome {
        Outcome::Delivered => 'd',
        Outcome::DeliveredElsewhere => 'e',
        Outcome::AnsweredByProxy => 'a',
        Outcome::BlockedRegistryOnly => '-',
        Outcome::BlockedPolicy => 'x',
        Outcome::BlockedNetworkPolicy => 'n',
        Outcome::DnsFailed => '0',
        Outcome::GatewayNotListening => 'l',
        Outcome::NoFilterChain => 'f',
        Outcome::NoRoute => 'r',
        Outcome::NoCluster => 'c',
        Outcome::NoHealthyUpstream => 'h',
        Outcome::ProtocolMismatch => 'm',
        Outcome::TlsFailed => 't',
        Outcome::UpstreamUnavailable => 'w',
        Outcome::Overflow => 'o',
        Outcome::TimedOut => 's',
        Outcome::Loop => 'L',
        Outcome::NotModelled => '?',
    }
}

/// Whether something in the table is not modelled.
pub fn is_uncertain(survey: &Survey) -> bool {
    survey.cells.iter().flatten().any(|c| c.outcome == Outcome::NotModelled)
}

/// The table at 80 columns.
pub fn text(world: &World, survey: &Survey) -> String {
    let size = format!("{} x {}", count(survey.groups.len(), "client"), count(survey.probes.len(), "request"));
    let mut out = format!("{}: {size}\n", world.name);
    if survey.groups.is_empty() || survey.probes.is_empty() {
        out.push_str("\nThere is nothing to show: no workload outside the system's namespaces, or no registered host.\n");
        return out;
    }
    let mut legend: BTreeMap<char, String> = BTreeMap::new();
    for start in (0..survey.groups.len()).step_by(ABREAST) {
        let end = (start + ABREAST).min(survey.groups.len());
        out.push_str(&block(survey, start, end, &mut legend));
    }
    out.push('\n');
    for (letter, word) in legend {
        out.push_str(&format!("  {letter}  {word}\n"));
    }
    if survey.cut {
        out.push_str("\nThere is more than this table holds; `explain FROM URL` answers for one request.\n");
    }
    out
}

fn block(survey: &Survey, start: usize, end: usize, legend: &mut BTreeMap<char, String>) -> String {
    let mut out = String::from("\n");
    for (n, group) in survey.groups.iter().enumerate().take(end).skip(start) {
        out.push_str(&format!("  {:>3}  {}\n", n + 1, client(group)));
    }
    let numbers: String = (start..end).map(|n| format!("{:>3}", n + 1)).collect();
    let room = WIDTH - 3 * (end - start) - 3;
    let names: Vec<String> = survey.probes.iter().map(name).collect();
    let column = names.iter().map(|n| width(n)).max().unwrap_or(0).min(room);
    out.push_str(&format!("\n  {:<column$}{numbers}\n", ""));
    for (name, cells) in names.iter().zip(&survey.cells) {
        let shown = clip(name, column, true);
        let pad = " ".repeat(column - width(&shown));
        let mut line = format!("  {shown}{pad}");
        for cell in &cells[start..end] {
            let (letter, word) = letter(cell);
            legend.insert(letter, word);
            line.push_str(&format!("  {letter}"));
        }
        out.push_str(&line);
        out.push('\n');
    }
    out
}

fn client(group: &Group) -> String {
    let sidecar = if group.sidecar { "sidecar" } else { "no sidecar" };
    let line = format!("{}  {}, {sidecar}", group.name, count(group.pods, "pod"));
    clip(&line, WIDTH - 8, true)
}

fn name(probe: &Probe) -> String {
    match &probe.pattern {
        Some(pattern) => format!("{} ({pattern})", probe.ask.url),
        None if probe.object.is_empty() => format!("{} (unregistered)", probe.ask.url),
        None => probe.ask.url.clone(),
    }
}

/// A result for programs.
pub fn cell(cell: &Cell) -> Value {
    json!({"outcome": cell.outcome, "path": cell.path.to_string(), "status": cell.status, "cause": cell.cause})
}

/// The table for programs.
pub fn to_json(world: &World, survey: &Survey) -> Value {
    let request = |(probe, cells): (&Probe, &Vec<Cell>)| {
        let results: Vec<Value> = survey
            .groups
            .iter()
            .zip(cells)
            .map(|(group, result)| {
                let mut value = cell(result);
                value["client"] = json!(group.name);
                value
            })
            .collect();
        json!({"url": probe.ask.url, "object": probe.object, "wildcard": probe.pattern, "results": results})
    };
    let client = |g: &Group| json!({"name": g.name, "pods": g.pods, "sidecar": g.sidecar, "pod": g.client.to_string()});
    json!({
        "world": world.name,
        "clients": survey.groups.iter().map(client).collect::<Vec<_>>(),
        "requests": survey.probes.iter().zip(&survey.cells).map(request).collect::<Vec<_>>(),
        "cut": survey.cut,
        "assumptions": world.assumptions,
        "refused": world.refused,
        "ignored": world.ignored,
        "unreadable": unreadable_json(world),
    })
}
