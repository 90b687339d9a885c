//! From what came back to what the client sees, the log lines and the record.

use super::wire::{Got, TlsWhy, What};
use super::{Ctx, Written};
use crate::base::outcome::{At, Outcome, Path, TlsBy};
use crate::mesh::telemetry::Sink;
use crate::mesh::{Cause, Record, Trace};
use crate::outside::wire::{DnsAnswer, Failure, LogLine, Reply, Request, Response, Scheme};
use std::net::IpAddr;

/// A client that nothing ends waits this long, in milliseconds, before the trace gives up for it.
const FOREVER_MS: u64 = 3_600_000;
/// How long a client tries to connect when it says nothing: Linux's SYN retries.
const CONNECT_MS: u64 = 134_000;
/// How long a resolver tries (two times five seconds).
const RESOLVE_MS: u64 = 10_000;

/// The client could not even resolve the name.
pub fn name_failed(ctx: &Ctx<'_>, request: &Request, why: (DnsAnswer, Option<Cause>)) -> Trace {
    let (answer, blocked) = why;
    let text = match answer {
        DnsAnswer::TimedOut => "The name server did not answer, before any proxy was asked.",
        _ => "The pod's own resolver does not know the name; no proxy was asked, and a ServiceEntry would not change that.",
    };
    let cause = blocked.unwrap_or_else(|| Cause::new("default", format!("DNS {}", request.host), text));
    let failure = Failure::NameNotResolved;
    let delay_ms = if answer == DnsAnswer::TimedOut { RESOLVE_MS } else { 2 };
    let record = Record {
        outcome: Outcome::DnsFailed,
        path: Path::None,
        tls: ctx.tls,
        at: At::Client,
        status: None,
        exit_code: failure.exit_code(),
        hops: Vec::new(),
        cause,
    };
    Trace { record, reply: Reply::Failure(failure), delay_ms, logs: Vec::new() }
}

/// Puts the trace together.
pub fn finish(mut ctx: Ctx<'_>, request: &Request, address: IpAddr, got: Got) -> Trace {
    if let What::NotModelled(cause) = got.what {
        return not_modelled(request, cause);
    }
    if let Some(cause) = super::patched::touched(&ctx) {
        return not_modelled(request, cause);
    }
    let mut got = got;
    let gave_up = limit(request, &got).filter(|limit| waited(&got) > *limit);
    let reply = match gave_up {
        Some(limit) => give_up(&mut ctx, &mut got, limit),
        None => reply(&mut got, request, address),
    };
    let status = match &reply {
        Reply::Response(r) => Some(r.status),
        Reply::Failure(_) => None,
    };
    let exit_code = match &reply {
        Reply::Response(_) => 0,
        // Who sends a datagram is not told what became of it.
        Reply::Failure(_) if request.scheme == Scheme::Udp => 0,
        Reply::Failure(_) if request.scheme == Scheme::Tcp && got.outcome == Outcome::Delivered => 0,
        Reply::Failure(f) => f.exit_code(),
    };
    let logs = match log_lines(&mut ctx) {
        Ok(logs) => logs,
        Err(cause) => return not_modelled(request, cause),
    };
    let delivered = matches!(got.outcome, Outcome::Delivered | Outcome::DeliveredElsewhere);
    let cause = ctx.decided.take().filter(|_| delivered).unwrap_or(got.cause);
    let record =
        Record { outcome: got.outcome, path: ctx.path, tls: ctx.tls, at: got.at, status, exit_code, hops: ctx.hops, cause };
    Trace { record, reply, delay_ms: got.ms, logs }
}

/// Nothing is known: the trace says what decides.
pub fn not_modelled(request: &Request, cause: Cause) -> Trace {
    let failure = Failure::NotModelled { object: cause.object.clone(), field: cause.field.clone() };
    let record = Record {
        outcome: Outcome::NotModelled,
        path: Path::None,
        tls: if request.scheme == Scheme::Https { TlsBy::Client } else { TlsBy::None },
        at: At::Client,
        status: None,
        exit_code: failure.exit_code(),
        hops: Vec::new(),
        cause,
    };
    Trace { record, reply: Reply::Failure(failure), delay_ms: 0, logs: Vec::new() }
}

/// How long the exchange would go on by itself.
fn waited(got: &Got) -> u64 {
    match got.what {
        What::Hang => FOREVER_MS,
        What::Dropped => CONNECT_MS,
        _ => got.ms,
    }
}

fn limit(request: &Request, got: &Got) -> Option<u64> {
    let connect = request.connect_timeout_ms.filter(|_| got.what == What::Dropped);
    let own = match got.what {
        What::Hang => Some(FOREVER_MS - 1),
        What::Dropped => Some(CONNECT_MS - 1),
        _ => None,
    };
    [request.max_time_ms, connect, own].into_iter().flatten().min()
}

/// The client stops waiting: HTTP hops that were still open log its going.
fn give_up(ctx: &mut Ctx<'_>, got: &mut Got, limit: u64) -> Reply {
    let connecting = got.what == What::Dropped;
    for written in ctx.written.iter_mut().filter(|w| w.http) {
        let entry = &mut written.entry;
        (entry.code, entry.sent, entry.service_time) = (0, 0, None);
        (entry.flags, entry.details) = ("DC".into(), "downstream_remote_disconnect".into());
        entry.duration = limit;
        if let Some(hop) = ctx.hops.get_mut(written.hop) {
            hop.flags = "DC".into();
        }
    }
    got.ms = limit;
    if got.outcome == Outcome::BlockedNetworkPolicy {
        return Reply::Failure(if connecting { Failure::ConnectTimedOut } else { Failure::TimedOut });
    }
    got.outcome = Outcome::TimedOut;
    got.at = if ctx.path == Path::Uncaptured { At::Network } else { At::Origin };
    if !connecting {
        let text = "The client stopped waiting before the answer came.";
        got.cause = Cause::new("default", "client time limit", text);
    }
    Reply::Failure(if connecting { Failure::ConnectTimedOut } else { Failure::TimedOut })
}

/// What the client sees of it; the answer is taken out, there is only this one reader.
fn reply(got: &mut Got, request: &Request, address: IpAddr) -> Reply {
    let https = request.scheme == Scheme::Https;
    Reply::Failure(match std::mem::replace(&mut got.what, What::Closed) {
        What::Response(response) => return Reply::Response(Response { peer: Some((address, request.port)), ..response }),
        What::Refused => Failure::ConnectionRefused { address, port: request.port },
        What::Dropped => Failure::ConnectTimedOut,
        What::Closed if https && got.outcome == Outcome::BlockedPolicy => Failure::TlsHandshakeClosed { reset: false },
        What::Closed | What::Reset if https => Failure::TlsHandshakeClosed { reset: true },
        What::Closed => Failure::EmptyReply,
        What::Reset | What::StreamReset => Failure::ReceiveReset,
        What::Tls { why: TlsWhy::WrongVersion, .. } => Failure::TlsWrongVersion,
        What::Tls { why: TlsWhy::Name(names), .. } => {
            Failure::CertificateName { wanted: names.first().cloned().unwrap_or_else(|| request.host.to_string()) }
        }
        What::Tls { why: TlsWhy::UnknownIssuer, .. } => Failure::CertificateUnknownIssuer,
        What::Tls { why: TlsWhy::Reset, .. } => Failure::TlsHandshakeClosed { reset: true },
        What::Hang => Failure::TimedOut,
        What::NotModelled(cause) => Failure::NotModelled { object: cause.object.clone(), field: cause.field.clone() },
    })
}

/// The lines in the order in which they are written; each hop keeps its own too.
///
/// # Errors
/// What of a log's format or filter is not modelled.
fn log_lines(ctx: &mut Ctx<'_>) -> Result<Vec<LogLine>, Cause> {
    let listener_off = ctx.model.mesh_config().listener_log_off;
    let mut lines = Vec::with_capacity(ctx.written.len());
    for Written { hop, namespace, pod, entry, sinks, .. } in std::mem::take(&mut ctx.written) {
        if listener_off && entry.details == "filter_chain_not_found" {
            continue;
        }
        let mut left = Some(entry);
        for at in 0..sinks.len() {
            // Mostly there is one log, and its line keeps the entry that it will be made of.
            let own = if at + 1 == sinks.len() { left.take() } else { left.clone() };
            let Some(own) = own else { break };
            let Some(text) = Sink::line(&sinks, at, own)? else { continue };
            if let Some(h) = ctx.hops.get_mut(hop) {
                h.log.get_or_insert_with(|| text.clone());
            }
            let (namespace, pod) = (namespace.clone(), pod.clone());
            lines.push(LogLine { namespace, pod, container: "istio-proxy".into(), text });
        }
    }
    Ok(lines)
}
