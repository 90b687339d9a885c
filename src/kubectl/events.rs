//! `kubectl events`.

use super::error::{Error, Result};
use super::fetch::{self, Filter};
use super::flags::{Flag, Parsed, Takes, flag, short};
use super::print::output::{Output, without_managed_fields};
use super::print::{table, time};
use super::select;
use super::session::Session;
use serde_json::{Value, json};

pub const FLAGS: &[Flag] = &[
    flag("for", Takes::Text, "only events about TYPE/NAME"),
    flag("types", Takes::List, "only events of these types: Normal, Warning"),
    short("all-namespaces", 'A', Takes::Bool, "every namespace"),
    short("watch", 'w', Takes::Bool, "go on printing (not simulated here; use get events -w)"),
    flag("no-headers", Takes::Bool, "leave the header line out"),
    flag("chunk-size", Takes::Int, "objects a page"),
];

/// Runs `kubectl events`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    if p.on("watch") {
        return Err(Error::not_simulated("events -w; use get events -w"));
    }
    let resource = select::one_type(s, "events").await?;
    let mut filter = Filter::of(s, p);
    if let Some(operand) = p.text("for") {
        let target = select::pod_like(s, operand).await?;
        filter.fields = format!(
            "involvedObject.kind={},involvedObject.apiVersion={},involvedObject.name={}",
            target.resource.kind,
            target.resource.api_version(),
            target.name
        );
    }
    let mut events = fetch::objects(s, &resource, &filter).await?;
    if p.given("types") {
        let wanted = p.list("types");
        events.retain(|e| wanted.iter().any(|t| e["type"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(t))));
    }
    fetch::sort_events(&mut events);
    let output = Output::parse(p)?;
    if !output.is_human() {
        let list = json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": events});
        let resources = s.resources().await?;
        let text = output.print(&without_managed_fields(list), &resources, true)?;
        s.io.write(text.as_bytes());
        return Ok(0);
    }
    if events.is_empty() {
        match p.on("all-namespaces") {
            true => s.warn("No events found."),
            false => s.warn(&format!("No events found in {} namespace.", s.namespace.clone())),
        }
        return Ok(0);
    }
    let mut lines: Vec<Vec<String>> = Vec::new();
    if !p.on("no-headers") {
        lines.push(["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"].map(String::from).to_vec());
    }
    lines.extend(events.iter().map(|e| row(s, e)));
    if p.on("all-namespaces") {
        let names = std::iter::once("NAMESPACE").filter(|_| !p.on("no-headers"));
        let names = names.chain(events.iter().map(|e| e["metadata"]["namespace"].as_str().unwrap_or("")));
        for (line, name) in lines.iter_mut().zip(names.map(String::from).collect::<Vec<_>>()) {
            line.insert(0, name);
        }
    }
    let text = table::rows(&lines);
    s.io.write(text.as_bytes());
    Ok(0)
}

fn row(s: &Session<'_>, event: &Value) -> Vec<String> {
    let text = |v: &Value| v.as_str().unwrap_or("").to_string();
    let about = &event["involvedObject"];
    let name = format!("{}/{}", text(&about["kind"]), text(&about["name"]));
    vec![seen(s, event), text(&event["type"]), text(&event["reason"]), name, text(&event["message"]).trim().to_string()]
}

/// `62s`, `62s (x3 over 4m)`.
pub fn seen(s: &Session<'_>, event: &Value) -> String {
    let last = time::since(s.now(), fetch::event_time(event));
    let count = event["series"]["count"].as_i64().or_else(|| event["count"].as_i64()).unwrap_or(1);
    match event["firstTimestamp"].as_str().filter(|_| count > 1) {
        Some(first) => format!("{last} (x{count} over {})", time::since(s.now(), first)),
        None => last,
    }
}
