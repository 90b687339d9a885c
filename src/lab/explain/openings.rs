//! `--find-open`: what gets through beyond the named hosts, as text and as JSON.

use super::matrix::cell;
use super::text::{self, row};
use super::world::World;
use crate::base::text::count;
use crate::mesh::open::{Found, Opening, Witness};
use crate::mesh::reach::Ask;
use serde_json::{Value, json};

fn title(opening: Opening) -> &'static str {
    match opening {
        Opening::Uncaptured => "pods whose traffic no sidecar sees",
        Opening::Excluded => "traffic that is left out of redirection",
        Opening::AllowAny => "unregistered hosts are let out",
        Opening::WildcardHost => "a wildcard among the hosts of HTTP",
        Opening::WildcardServerName => "a wildcard among TLS server names",
        Opening::AnyAddress => "a TCP port without addresses",
        Opening::Network => "a network of addresses",
        Opening::ClientsAddress => "the client chooses the address",
        Opening::Export => "hosts that another namespace exports to all",
    }
}

/// The witnesses, the wider openings first.
pub fn text(world: &World, found: &Found) -> String {
    let size = format!("{}, {} tried", count(found.clients, "client"), count(found.tried, "request"));
    let mut out = format!("{}: {} ({size})\n", world.name, count(found.witnesses.len(), "opening"));
    let mut last = None;
    for witness in &found.witnesses {
        if last != Some(witness.opening) {
            out.push_str(&format!("\n{}: {}\n", witness.opening.word(), title(witness.opening)));
            last = Some(witness.opening);
        } else {
            out.push('\n');
        }
        out.push_str(&one(witness));
    }
    if found.witnesses.is_empty() {
        out.push_str("\nOnly hosts that are named get through.\n");
    }
    for cause in found.unknown.iter().take(10) {
        out.push_str(&format!("\nnot modelled, so perhaps more is open\n{}", text::cause(cause)));
    }
    if found.cut {
        out.push_str("\nThere is more than was tried.\n");
    }
    out + &text::listed("assumed", &world.assumptions, usize::MAX) + &text::notes(world)
}

fn one(witness: &Witness) -> String {
    let mut out = row("opened by", &format!("{}, {}", witness.cause.object, witness.cause.field));
    out.push_str(&row("why", &witness.cause.text));
    out.push_str(&row("lets out", &witness.clients.join(", ")));
    out.push_str(&row("witness", &format!("in {}: {}", witness.client, command(&witness.ask))));
    let status = witness.cell.status.map(|s| format!(", HTTP {s}")).unwrap_or_default();
    out.push_str(&row("", &format!("{}, {}{status}", witness.cell.outcome, witness.cell.path)));
    out
}

/// The request as people would type it.
pub fn command(ask: &Ask) -> String {
    if let Some(rest) = ask.url.strip_prefix("tcp://") {
        let (host, port) = rest.rsplit_once(':').unwrap_or((rest, ""));
        return format!("nc -vz {} {port}", host.trim_matches(['[', ']']));
    }
    let mut words = vec!["curl -sS".to_string()];
    words.extend(ask.resolve.iter().map(|r| format!("--resolve {r}")));
    words.extend(ask.connect_to.iter().map(|c| format!("--connect-to {c}")));
    words.extend(ask.headers.iter().map(|(n, v)| format!("-H '{n}: {v}'")));
    words.push(ask.url.clone());
    words.join(" ")
}

/// The same for programs.
pub fn to_json(world: &World, found: &Found) -> Value {
    let one = |w: &Witness| {
        json!({
            "opening": w.opening.word(), "clients": w.clients, "from": w.client.to_string(), "request": text::request(&w.ask),
            "command": command(&w.ask), "result": cell(&w.cell), "cause": w.cause,
        })
    };
    json!({
        "world": world.name, "clients": found.clients, "tried": found.tried, "cut": found.cut,
        "witnesses": found.witnesses.iter().map(one).collect::<Vec<_>>(), "not-modelled": found.unknown,
        "assumptions": world.assumptions, "refused": world.refused, "ignored": world.ignored,
        "unreadable": text::unreadable_json(world),
    })
}
