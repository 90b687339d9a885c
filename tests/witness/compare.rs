//! What the model says against what happened. Not compared: times and durations, random ids and ports, the bytes of spliced connections.

use super::client::Seen;
use egress_lab::mesh::Trace;
use egress_lab::outside::wire::{self, Header, HttpVersion, Reply};

/// The fields of a log line in Istio's default format.
const FIELDS: [&str; 22] = [
    "start",
    "request",
    "code",
    "flags",
    "details",
    "termination",
    "transport",
    "received",
    "sent",
    "duration",
    "service",
    "xff",
    "agent",
    "id",
    "authority",
    "upstream",
    "cluster",
    "local",
    "downstream",
    "remote",
    "sni",
    "route",
];

/// The fields of a line in Istio's default format, quotes kept.
fn fields(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let end = match (rest.starts_with('"'), rest.starts_with('[')) {
            (true, _) => rest[1..].find('"').map(|at| at + 2),
            (_, true) => rest.find(']').map(|at| at + 1),
            _ => rest.find(' '),
        };
        let (field, tail) = rest.split_at(end.unwrap_or(rest.len()));
        found.push(field.to_string());
        rest = tail.trim_start();
    }
    found
}

/// A line with what time and chance decide taken out.
pub fn masked(line: &str) -> String {
    let parts = fields(line);
    if parts.len() != FIELDS.len() {
        return line.to_string();
    }
    let spliced = parts[1] == "\"- - -\"";
    let mask = |(name, value): (&&str, &String)| match *name {
        "start" => "[START]".to_string(),
        "duration" => "MS".into(),
        "service" if value != "-" => "MS".into(),
        "id" if value != "\"-\"" => "\"ID\"".into(),
        "local" | "remote" => without_port(value),
        "received" | "sent" if spliced && value != "0" => "BYTES".into(),
        _ => value.clone(),
    };
    FIELDS.iter().zip(&parts).map(mask).collect::<Vec<_>>().join(" ")
}

/// `IP:PORT` with the port masked: it is one that a client is given.
fn without_port(value: &str) -> String {
    value.rsplit_once(':').map_or(value.to_string(), |(ip, _)| format!("{ip}:PORT"))
}

/// A header's value, unless time decides it.
fn masked_header(name: &str, value: &str) -> String {
    match name.to_ascii_lowercase().as_str() {
        "date" => "DATE".into(),
        "x-envoy-upstream-service-time" => "MS".into(),
        _ => value.to_string(),
    }
}

/// A gateway that ends mesh TLS tells the origin about the client's certificate, which the model does not: an origin that repeats its
/// request's headers then says more.
pub fn repeats_certificate(seen: &Seen) -> bool {
    String::from_utf8_lossy(&seen.body).contains("X-Forwarded-Client-Cert")
}

fn masked_body(body: &[u8]) -> String {
    let id = regex::Regex::new(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}").expect("a pattern");
    id.replace_all(&String::from_utf8_lossy(body), "ID").into_owned()
}

/// 52 and 56 are one answer, which of them comes is a race.
fn same_exit(model: i32, real: i32) -> bool {
    model == real || [52, 56].contains(&model) && [52, 56].contains(&real)
}

/// What is different; empty when nothing is.
pub fn differences(trace: &Trace, seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut note = |what: &str, model: String, real: String| {
        if model != real {
            wrong.push(format!("{what}: model {model:?}, Envoy {real:?}"));
        }
    };
    match &trace.reply {
        Reply::Failure(failure) => {
            let exit = failure.exit_code();
            if !same_exit(exit, seen.exit) {
                note("exit", exit.to_string(), format!("{} ({}) status {:?}", seen.exit, seen.error, seen.status));
            }
        }
        Reply::Response(response) => {
            note("exit", "0".into(), seen.exit.to_string());
            note("status", format!("{:?}", Some(response.status)), format!("{:?}", seen.status));
            let over_h2 = response.version == HttpVersion::Http2;
            if !over_h2 {
                note("reason", response.reason.to_string(), seen.reason.clone());
            }
            let list = |all: &[Header]| -> Vec<String> {
                let kept = all.iter().filter(|(n, _)| !over_h2 || !n.eq_ignore_ascii_case("connection"));
                kept.map(|(n, v)| format!("{n}: {}", masked_header(n, v))).collect()
            };
            if repeats_certificate(seen) {
                return wrong;
            }
            note(
                "headers",
                format!("{:?}", list(&response.headers)),
                format!("{:?}", list(&wire::headers(seen.headers.clone()))),
            );
            note("body", masked_body(&response.body), masked_body(&seen.body));
        }
    }
    wrong
}

/// The rounds of a loop are many, and each adds an address to `x-forwarded-for`: every kind of line once.
fn rounds(lines: Vec<String>) -> Vec<String> {
    let list = regex::Regex::new(r#""[0-9.]+(,[0-9.]+)*" "curl"#).expect("a pattern");
    let mut kinds: Vec<String> = lines.iter().map(|l| list.replace(l, "\"ROUNDS\" \"curl").into_owned()).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

/// What is different between the lines of one proxy.
pub fn line_differences(proxy: &str, model: &[String], real: &[String], (is_loop, no_length): (bool, bool)) -> Vec<String> {
    let (mut model, mut real): (Vec<String>, Vec<String>) =
        (model.iter().map(|l| masked(l)).collect(), real.iter().map(|l| masked(l)).collect());
    if no_length {
        let length = regex::Regex::new(r#" "-" (\d+) \d+ MS "#).expect("a pattern");
        let cut = |l: &String| length.replace(l, " \"-\" $1 LENGTH MS ").into_owned();
        (model, real) = (model.iter().map(cut).collect(), real.iter().map(cut).collect());
    }
    if is_loop {
        (model, real) = (rounds(model), rounds(real));
    }
    if model == real {
        return Vec::new();
    }
    let show = |lines: &[String]| lines.iter().map(|l| format!("\n        {l}")).collect::<String>();
    vec![format!("log of {proxy}:\n      model{}\n      Envoy{}", show(&model), show(&real))]
}
