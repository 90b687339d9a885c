//! Explanations at 80 columns, and as JSON.

use super::world::{World, grant};
use crate::base::outcome::{At, Outcome, Path};
use crate::base::text::wrap;
use crate::k8s::Object;
use crate::mesh::reach::{Ask, Client};
use crate::mesh::{Cause, Explanation, Record};
use serde_json::{Value, json};

/// Columns of the text.
pub const WIDTH: usize = 80;
/// Columns before a row's text.
const MARGIN: usize = 14;
/// Ignored and refused objects that are shown.
const SHOWN: usize = 10;

/// The whole explanation.
pub fn text(world: &World, from: &Client, ask: &Ask, pod: &Object, explanation: &Explanation) -> String {
    let mut out: String = wrap(&headline(from, ask), WIDTH, 2).iter().map(|line| format!("{line}\n")).collect();
    out.push_str(&exchanges(explanation));
    if !world.denied.is_empty() {
        out.push_str(&unreadable(world));
    }
    out.push('\n');
    out.push_str(&row("world", &world.name));
    for (label, text) in world.facts(pod) {
        out.push_str(&row(label, &text));
    }
    out.push_str(&listed("assumed", &explanation.assumptions, usize::MAX));
    out.push_str(&notes(world));
    out
}

/// What was left out of a world of manifests.
pub fn notes(world: &World) -> String {
    listed("refused", &world.refused, SHOWN) + &listed("ignored", &world.ignored, SHOWN)
}

/// `GET http://www.wikipedia.org/ from default/test`.
pub fn headline(from: &Client, ask: &Ask) -> String {
    let what = match ask.url.split_once("://") {
        Some(("tcp", _)) => "connect",
        Some(("udp", _)) => "send",
        _ => &ask.method,
    };
    format!("{what} {} from {from}", ask.url)
}

/// The exchanges, one below the other.
pub fn exchanges(explanation: &Explanation) -> String {
    let mut out = String::new();
    for (nth, record) in explanation.exchanges.iter().enumerate() {
        if explanation.exchanges.len() > 1 {
            out.push_str(&format!("\nexchange {}\n", nth + 1));
        }
        out.push_str(&exchange(record));
    }
    out
}

/// What the client saw: `502 from the sidecar`, `curl exit 56`.
fn seen(record: &Record) -> String {
    match record.status {
        Some(status) => format!("HTTP {status}"),
        None if record.exit_code == 0 => "connected".into(),
        None => format!("no HTTP answer, curl exit {}", record.exit_code),
    }
}

fn exchange(record: &Record) -> String {
    let mut out = row("outcome", &format!("{} ({})", record.outcome, seen(record)));
    if record.outcome != Outcome::NotModelled {
        out.push_str(&row("path", &format!("{}, TLS by {}, ended at {}", record.path, record.tls, record.at)));
    }
    out.push_str(&cause(&record.cause));
    for hop in &record.hops {
        out.push_str(&row("proxy", &hop.proxy));
        let parts = [
            ("listener", &hop.listener),
            ("chain", &hop.filter_chain),
            ("routes", &hop.route_config),
            ("vhost", &hop.virtual_host),
            ("route", &hop.route),
            ("cluster", &hop.cluster),
            ("endpoint", &hop.endpoint),
        ];
        for (name, value) in parts {
            if let Some(value) = value {
                out.push_str(&row("", &format!("{name:<9} {value}")));
            }
        }
        if hop.flags != "-" && !hop.flags.is_empty() {
            out.push_str(&row("", &format!("{:<9} {}", "flags", hop.flags)));
        }
    }
    out
}

/// Why, and what decided.
pub fn cause(cause: &Cause) -> String {
    row("why", &cause.text) + &row("decided by", &format!("{}, {}", cause.object, cause.field))
}

fn unreadable(world: &World) -> String {
    let mut out = String::from("\nnot readable\n");
    let kinds: Vec<String> = world.denied.iter().map(|d| format!("{} {}", d.verb, d.resource)).collect();
    out.push_str(&row("", &kinds.join(", ")));
    out.push_str(&row("to grant", "somebody who may do that runs:"));
    // Commands are not wrapped: they are there to be copied.
    for line in grant(&world.denied).unwrap_or_default().lines() {
        out.push_str(&format!("{line}\n"));
    }
    out
}

/// A titled list, one row each.
pub fn listed(title: &str, items: &[String], limit: usize) -> String {
    if items.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{title}\n");
    for item in items.iter().take(limit) {
        for (nth, line) in wrap(item, WIDTH - 4, 0).iter().enumerate() {
            out.push_str(&format!("  {} {line}\n", if nth == 0 { "-" } else { " " }));
        }
    }
    if items.len() > limit {
        out.push_str(&format!("  - and {} more (--json lists all)\n", items.len() - limit));
    }
    out
}

/// A label and its text, wrapped.
pub fn row(label: &str, text: &str) -> String {
    let lines = wrap(text, WIDTH - MARGIN, 0);
    let mut out = String::new();
    for (nth, line) in lines.iter().enumerate() {
        let label = if nth == 0 { label } else { "" };
        out.push_str(format!("  {label:<11} {line}").trim_end());
        out.push('\n');
    }
    out
}

/// How a record is told in one line: `delivered, direct, 200`.
pub fn brief(record: &Record) -> String {
    let mut parts = vec![record.outcome.to_string()];
    if !matches!(record.path, Path::None) {
        parts.push(record.path.to_string());
    }
    if record.at != At::Client || record.status.is_some() {
        parts.push(seen(record));
    }
    parts.join(", ")
}

/// The JSON of design 5 with what surrounds it.
pub fn to_json(world: &World, from: &Client, ask: &Ask, pod: &Object, explanation: &Explanation) -> Value {
    json!({
        "from": from.to_string(),
        "request": request(ask),
        "exchanges": explanation.exchanges,
        "assumptions": explanation.assumptions,
        "world": world.facts_json(pod),
        "refused": world.refused,
        "ignored": world.ignored,
        "unreadable": unreadable_json(world),
    })
}

/// What may not be read.
pub fn unreadable_json(world: &World) -> Value {
    let one =
        |d: &super::world::Denied| json!({"kind": d.kind, "verb": d.verb, "resource": d.resource, "namespace": d.namespace});
    json!(world.denied.iter().map(one).collect::<Vec<_>>())
}

/// A request as it was asked for; options that are not set are left out.
pub fn request(ask: &Ask) -> Value {
    let mut value = json!({"url": ask.url, "method": ask.method});
    let headers: Vec<String> = ask.headers.iter().map(|(n, v)| format!("{n}: {v}")).collect();
    for (key, set, it) in [
        ("headers", !headers.is_empty(), json!(headers)),
        ("follow", ask.follow, json!(true)),
        ("insecure", ask.insecure, json!(true)),
        ("http1.0", ask.http10, json!(true)),
        ("sni", ask.sni.is_some(), json!(ask.sni)),
        ("resolve", !ask.resolve.is_empty(), json!(ask.resolve)),
        ("connect-to", !ask.connect_to.is_empty(), json!(ask.connect_to)),
    ] {
        if set {
            value[key] = it;
        }
    }
    value
}
