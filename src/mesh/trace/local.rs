//! Answers that a proxy makes itself, and what it does to those of others: header for header as Envoy writes them (appendix A.1).

use super::wire::Message;
use crate::base::clock::Time;
use crate::base::shared::Text;
use crate::outside::answer::{date, has_capitals, reason};
use crate::outside::wire::{Header, HttpVersion, Response};

/// How many headers an answer of a proxy has, so that the list need not grow.
const USUAL: usize = 4;

/// An answer of the proxy itself. Its length header is added by [`encode`] when it has no body.
pub fn reply(status: u16, body: &str, extra: &[Header], server: &'static str, now: Time, message: &Message) -> Response {
    let mut headers: Vec<Header> = Vec::with_capacity(extra.len() + USUAL);
    headers.extend_from_slice(extra);
    if !body.is_empty() {
        headers.push(("content-length".into(), Text::number(body.len() as u64)));
        headers.push(("content-type".into(), "text/plain".into()));
    }
    headers.push(("date".into(), date(now)));
    headers.push(("server".into(), server.into()));
    if body.is_empty() && message.body_len > 0 && message.version == HttpVersion::Http11 {
        headers.push(("connection".into(), "close".into()));
    }
    let body = if message.method == "HEAD" { Vec::new() } else { body.as_bytes().to_vec() };
    Response { version: message.version, status, reason: reason(status).into(), headers, body, peer: None }
}

/// What a proxy makes of an upstream's answer: lower-case names, its own `server`, no connection headers, the time that the upstream
/// took, a date when there was none, Envoy's own reason phrase.
pub fn relay(mut response: Response, server: &'static str, service_ms: u64, now: Time, message: &Message) -> Response {
    let hop_by_hop = ["connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection"];
    lower_names(&mut response.headers);
    let empty = response.status == 204;
    response.headers.retain(|(name, _)| !hop_by_hop.contains(&name.as_str()) && (!empty || name != "content-length"));
    let has = |r: &Response, name: &str| r.headers.iter().any(|(n, _)| n == name);
    if let Some((_, value)) = response.headers.iter_mut().find(|(n, _)| n == "server") {
        *value = server.into();
    }
    match response.headers.iter_mut().find(|(n, _)| n == "x-envoy-upstream-service-time") {
        Some((_, value)) => *value = Text::number(service_ms),
        None => response.headers.push(("x-envoy-upstream-service-time".into(), Text::number(service_ms))),
    }
    if !has(&response, "date") {
        response.headers.push(("date".into(), date(now)));
    }
    if !has(&response, "server") {
        response.headers.push(("server".into(), server.into()));
    }
    response.reason = reason(response.status).into();
    response.version = message.version;
    response
}

/// Names that clients and servers write in their own way and proxies in lower case, so that no text is made for them.
const NAMES: [&str; 10] = [
    "user-agent",
    "accept",
    "content-length",
    "content-type",
    "date",
    "server",
    "location",
    "connection",
    "host",
    "access-control-allow-origin",
];

/// Header names as proxies write them.
pub fn lower_names(headers: &mut [Header]) {
    for (name, _) in headers.iter_mut().filter(|(name, _)| has_capitals(name)) {
        let known = NAMES.iter().find(|known| known.eq_ignore_ascii_case(name));
        *name = known.map_or_else(|| name.to_ascii_lowercase().into(), |known| Text::fixed(known));
    }
}

/// The framing header that HTTP/1.1 needs and the answer does not have yet.
pub fn encode(mut response: Response, message: &Message) -> Response {
    let framed = response
        .headers
        .iter()
        .any(|(n, _)| n.eq_ignore_ascii_case("content-length") || n.eq_ignore_ascii_case("transfer-encoding"));
    let bodyless = response.status < 200 || response.status == 204 || response.status == 304;
    if response.version == HttpVersion::Http2 || framed || bodyless {
        return response;
    }
    let header = match (message.method.as_str(), response.body.is_empty()) {
        ("HEAD", _) | (_, false) => ("transfer-encoding", "chunked"),
        _ => ("content-length", "0"),
    };
    response.headers.push((header.0.into(), header.1.into()));
    response
}
