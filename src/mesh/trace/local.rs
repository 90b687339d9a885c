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

/// Whether a header, its name in lower case, speaks of one connection only. Told by its length first: hardly any has one of these.
fn is_hop_by_hop(name: &str) -> bool {
    match name.len() {
        7 => name == "upgrade",
        10 => matches!(name, "connection" | "keep-alive"),
        16 => name == "proxy-connection",
        17 => name == "transfer-encoding",
        _ => false,
    }
}

/// What a proxy makes of an upstream's answer: lower-case names, its own `server`, no connection headers, the time that the upstream
/// took, a date when there was none, Envoy's own reason phrase.
pub fn relay(mut response: Response, server: &'static str, service_ms: u64, now: Time, message: &Message) -> Response {
    let empty = response.status == 204;
    let (mut dated, mut served, mut timed) = (false, false, false);
    response.headers.retain_mut(|(name, value)| {
        lower_name(name);
        match name.as_str() {
            "content-length" => return !empty,
            "date" => dated = true,
            // Of several the first is the one that is replaced.
            "server" if !served => (served, *value) = (true, server.into()),
            "x-envoy-upstream-service-time" if !timed => (timed, *value) = (true, Text::number(service_ms)),
            name => return !is_hop_by_hop(name),
        }
        true
    });
    if !timed {
        response.headers.push(("x-envoy-upstream-service-time".into(), Text::number(service_ms)));
    }
    if !dated {
        response.headers.push(("date".into(), date(now)));
    }
    if !served {
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
    headers.iter_mut().for_each(|(name, _)| lower_name(name));
}

fn lower_name(name: &mut Text) {
    if has_capitals(name) {
        let known = NAMES.iter().find(|known| known.eq_ignore_ascii_case(name));
        *name = known.map_or_else(|| name.to_ascii_lowercase().into(), |known| Text::fixed(known));
    }
}

/// The framing header that HTTP/1.1 needs and the answer does not have yet.
pub fn encode(mut response: Response, message: &Message) -> Response {
    let framed = |(n, _): &Header| match n.len() {
        14 => n.eq_ignore_ascii_case("content-length"),
        17 => n.eq_ignore_ascii_case("transfer-encoding"),
        _ => false,
    };
    let bodyless = response.status < 200 || response.status == 204 || response.status == 304;
    if response.version == HttpVersion::Http2 || bodyless || response.headers.iter().any(framed) {
        return response;
    }
    let header = match (message.method.as_str(), response.body.is_empty()) {
        ("HEAD", _) | (_, false) => ("transfer-encoding", "chunked"),
        _ => ("content-length", "0"),
    };
    response.headers.push((header.0.into(), header.1.into()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outside::wire::headers;

    fn relayed(status: u16, all: &[(&'static str, &'static str)]) -> Vec<(String, String)> {
        let request = crate::mesh::follow::request_for("http://a.org/", "GET", "curl/8.1.2").expect("a URL");
        let message = Message::of_client(&request, "a.org".into());
        let (version, reason) = (HttpVersion::Http11, Text::default());
        let response = Response { version, status, reason, headers: headers(all.iter().copied()), body: Vec::new(), peer: None };
        let after = relay(response, "envoy", 12, Time::LOGICAL_START, &message);
        after.headers.into_iter().map(|(n, v)| (n.into(), v.into())).collect()
    }

    #[test]
    fn an_answer_keeps_the_order_of_its_headers_and_loses_those_of_one_connection() {
        let date = ("Date", "Thu, 01 Jan 2026 00:00:00 GMT");
        let all = [
            ("X-Own", "1"),
            ("Connection", "keep-alive"),
            ("Keep-Alive", "timeout=5"),
            ("SERVER", "nginx"),
            ("server", "second"),
            ("Transfer-Encoding", "chunked"),
            ("Upgrade", "h2c"),
            ("Proxy-Connection", "close"),
            ("X-Envoy-Upstream-Service-Time", "7"),
            date,
            ("Content-Length", "3"),
        ];
        let wanted = |length: bool| {
            let mut wanted = vec![
                ("x-own", "1"),
                ("server", "envoy"),
                ("server", "second"),
                ("x-envoy-upstream-service-time", "12"),
                ("date", date.1),
            ];
            wanted.extend(length.then_some(("content-length", "3")));
            wanted.into_iter().map(|(n, v)| (n.to_string(), v.to_string())).collect::<Vec<_>>()
        };
        assert_eq!(relayed(200, &all), wanted(true));
        assert_eq!(relayed(204, &all), wanted(false));
    }

    #[test]
    fn what_an_answer_lacks_comes_at_its_end_in_envoys_order() {
        let names: Vec<String> = relayed(200, &[("Content-Type", "text/plain")]).into_iter().map(|(n, _)| n).collect();
        assert_eq!(names, ["content-type", "x-envoy-upstream-service-time", "date", "server"]);
    }
}
