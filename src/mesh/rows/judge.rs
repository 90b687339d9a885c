//! Whether a trace is what a row expects.

use super::base::clock::Time;
use super::base::seed::Seed;
use super::file::{Client, Expect, Row, Shared, Step, in_range};
use super::mesh::{Inputs, Trace};
use super::outside::wire::{LogLine, Reply, Response};
use std::collections::BTreeMap;

/// The names of a default log line's fields in their order, after the start time.
const FIELDS: [&str; 21] = [
    "request",
    "response_code",
    "response_flags",
    "response_code_details",
    "connection_termination_details",
    "upstream_transport_failure_reason",
    "bytes_received",
    "bytes_sent",
    "duration",
    "upstream_service_time",
    "x_forwarded_for",
    "user_agent",
    "request_id",
    "authority",
    "upstream_host",
    "upstream_cluster",
    "upstream_local_address",
    "downstream_local_address",
    "downstream_remote_address",
    "requested_server_name",
    "route_name",
];

/// The fields of a line in the default format by their JSON names; `request` is the quoted start.
pub fn fields(line: &str) -> BTreeMap<&'static str, String> {
    let mut found = Vec::new();
    let mut rest = line.trim_start_matches(|c| c != ']').trim_start_matches(']').trim_start();
    while !rest.is_empty() {
        let (field, tail) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').expect("a closing quote"),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        found.push(field.to_string());
        rest = tail.trim_start();
    }
    assert_eq!(found.len(), FIELDS.len(), "a default line has 21 fields: {line}");
    FIELDS.into_iter().zip(found).collect()
}

/// `CODE FLAGS DETAILS | CLUSTER | ROUTE | UPSTREAM` of a line in the default format.
pub fn shape(line: &str) -> String {
    let f = fields(line);
    let of = |name: &str| f[name].as_str();
    format!(
        "{} {} {} | {} | {} | {}",
        of("response_code"),
        of("response_flags"),
        of("response_code_details"),
        of("upstream_cluster"),
        of("route_name"),
        of("upstream_host")
    )
}

fn fits(wanted: &str, got: &str) -> bool {
    wanted == "*" || wanted == got || wanted.strip_suffix('*').is_some_and(|p| got.starts_with(p))
}

/// What is wrong with a line; empty when it is as wanted.
fn line_faults(wanted: &str, line: &str) -> Vec<String> {
    let (fields, shape) = (fields(line), shape(line));
    let mut parts = shape.split(" | ");
    let mut wrong = Vec::new();
    for part in wanted.split(" | ") {
        match part.split_once('=').filter(|(name, _)| FIELDS.contains(name)) {
            Some((name, value)) => {
                let got = &fields[name];
                let number = got.parse().is_ok_and(|got| value.contains("..") && in_range(value, got));
                if !fits(value, got) && !number {
                    wrong.push(format!("{name}: wanted {value:?}, got {got:?}"));
                }
            }
            None => {
                let got = parts.next().expect("a line has four parts");
                if !fits(part, got) {
                    wrong.push(format!("wanted {part:?}, got {got:?}"));
                }
            }
        }
    }
    wrong
}

fn response_faults(client: &Client, response: &Response, wrong: &mut Vec<String>) {
    let body = String::from_utf8_lossy(&response.body);
    let headers: String = response.headers.iter().map(|(n, v)| format!("{n}: {v}\n")).collect();
    if client.reason.as_ref().is_some_and(|r| *r != response.reason) {
        wrong.push(format!("reason: got {:?}", response.reason));
    }
    for (name, wanted) in &client.headers {
        let got = response.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str());
        let good = match (wanted, got) {
            (None, None) => true,
            (Some(wanted), Some(got)) => fits(wanted, got),
            _ => false,
        };
        if !good {
            wrong.push(format!("header {name}: wanted {wanted:?}, got {got:?}"));
        }
    }
    let order: Vec<&str> = response.headers.iter().map(|(n, _)| n.as_str()).collect();
    if !client.header_order.is_empty() && client.header_order != order {
        wrong.push(format!("header_order: got {order:?}"));
    }
    if client.body.as_ref().is_some_and(|b| *b != body) {
        wrong.push(format!("body: got {body:?}"));
    }
    if client.body_len.is_some_and(|len| len != response.body.len()) {
        wrong.push(format!("body_len: got {}", response.body.len()));
    }
    wrong.extend(client.body_has.iter().filter(|b| !body.contains(*b)).map(|b| format!("the body lacks {b:?}: {body}")));
    let text = format!("{headers}\n{body}");
    wrong.extend(client.lacks.iter().filter(|l| text.contains(*l)).map(|l| format!("the answer has {l:?}: {text}")));
}

fn client_faults(client: &Client, trace: &Trace) -> Vec<String> {
    let mut wrong = Vec::new();
    match (&trace.reply, client.status) {
        (Reply::Response(response), Some(status)) => {
            if response.status != status {
                wrong.push(format!("status: wanted {status}, got {}", response.status));
            }
            response_faults(client, response, &mut wrong);
        }
        (Reply::Failure(failure), None) => {
            let name = format!("{failure:?}");
            if !client.exit.contains(&trace.record.exit_code) {
                wrong.push(format!("exit: wanted {:?}, got {}", client.exit, trace.record.exit_code));
            }
            if client.failure.as_ref().is_some_and(|wanted| !name.starts_with(wanted)) {
                wrong.push(format!("failure: got {name}"));
            }
        }
        (got, _) => wrong.push(format!("client: wanted {client:?}, got {got:?}")),
    }
    wrong
}

/// Whether a log line is a gateway's.
pub fn of_gateway(line: &LogLine) -> bool {
    line.pod == "egw" || line.pod == "igw"
}

/// What is wrong with a trace of a client; empty when nothing is.
pub fn faults(expect: &Expect, trace: &Trace, from: &str) -> Vec<String> {
    let mut wrong = expect.client.as_ref().map(|c| client_faults(c, trace)).unwrap_or_default();
    let own = |l: &&LogLine| !of_gateway(l) && format!("{}/{}", l.namespace, l.pod) == from;
    let sidecar: Vec<&str> = trace.logs.iter().filter(own).map(|l| l.text.as_str()).collect();
    let gateway: Vec<&str> = trace.logs.iter().filter(|l| of_gateway(l)).map(|l| l.text.as_str()).collect();
    for (name, wanted, got) in [("sidecar", &expect.sidecar, sidecar), ("gateway", &expect.gateway, gateway)] {
        let wanted = wanted.as_deref().unwrap_or_default();
        if wanted.len() != got.len() {
            wrong.push(format!("{name}: wanted {wanted:?}, got {:?}", got.iter().map(|g| shape(g)).collect::<Vec<_>>()));
            continue;
        }
        let faults = wanted.iter().zip(&got).flat_map(|(w, g)| line_faults(w, g));
        wrong.extend(faults.map(|f| format!("{name}: {f}")));
    }
    let record = &trace.record;
    let mut word = |name: &str, wanted: &Option<String>, got: String| {
        if wanted.as_ref().is_some_and(|w| *w != got) {
            wrong.push(format!("{name}: wanted {:?}, got {got:?}", wanted.as_deref().unwrap_or("")));
        }
    };
    word("outcome", &expect.outcome, record.outcome.to_string());
    word("path", &expect.path, record.path.to_string());
    word("at", &expect.at, record.at.to_string());
    word("tls", &expect.tls, record.tls.to_string());
    word("cause", &expect.cause, format!("{} {}", record.cause.object, record.cause.field));
    if expect.delay_ms.as_ref().is_some_and(|d| !d.holds(trace.delay_ms)) {
        wrong.push(format!("delay_ms: wanted {:?}, got {}", expect.delay_ms, trace.delay_ms));
    }
    wrong
}

/// Traces a step, with the redirects that it follows.
pub fn traces(shared: &Shared, row: &Row, step: &Step, nth: u64) -> Vec<Trace> {
    let model = shared.model(row, step);
    let outside = shared.outside(row, step);
    let inputs = Inputs { outside: &outside, now: Time::LOGICAL_START, seed: Seed(1), nth };
    let pod = step.pod(model.snapshot());
    model.trace_follow(&pod, &step.request(), &inputs, step.then.len()).traces
}

/// What is wrong with a step of a row under the release of the shared world.
pub fn step_faults(shared: &Shared, row: &Row, step: &Step) -> Vec<String> {
    let version = shared.release.line.as_str();
    if let Some(count) = step.burst {
        let model = shared.model(row, step);
        let outside = shared.outside(row, step);
        let inputs = Inputs { outside: &outside, now: Time::LOGICAL_START, seed: Seed(1), nth: 0 };
        let pod = step.pod(model.snapshot());
        return share_faults(step, model.trace_burst(&pod, &step.request(), &inputs, count as usize));
    }
    if let Some(count) = step.repeat {
        return share_faults(step, (0..count).flat_map(|nth| traces(shared, row, step, nth)).collect());
    }
    let traces = traces(shared, row, step, 7);
    if traces.len() != 1 + step.then.len() {
        return vec![format!("{} exchanges, not {}", traces.len(), 1 + step.then.len())];
    }
    let first = step.expected(version);
    let expected = std::iter::once(&first).chain(&step.then);
    expected.zip(&traces).flat_map(|(expect, trace)| faults(expect, trace, &step.from)).collect()
}

fn share_faults(step: &Step, traces: Vec<Trace>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut counted = 0;
    for share in &step.mix {
        let n = traces.iter().filter(|t| faults(&share.expect, t, &step.from).is_empty()).count() as u64;
        counted += n;
        if !(share.of.0..=share.of.1).contains(&n) {
            wrong.push(format!("{n} of {} are {:?}, wanted {:?}", traces.len(), share.expect.outcome, share.of));
        }
    }
    if counted != traces.len() as u64 {
        wrong.push(format!("the shares of mix describe {counted} of {}", traces.len()));
    }
    wrong
}
