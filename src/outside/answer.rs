//! What a server says to an HTTP request, wherever it stands: fixed answers, httpbin, echo, nginx.

use super::site::{Answer, Plain, Port, Program};
use super::wire::{Header, HttpVersion, Response};
use crate::base::clock::Time;
use crate::base::shared::Text;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// An HTTP request as a server reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked<'a> {
    pub method: &'a str,
    /// The Host header as sent, port included.
    pub authority: &'a str,
    pub path: &'a str,
    pub headers: &'a [Header],
    pub version: HttpVersion,
    /// Whether it came inside TLS.
    pub secure: bool,
    /// The address it came from, as text.
    pub from: &'a str,
    pub now: Time,
}

/// A server's answer and how much longer than usual it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    pub response: Response,
    pub extra_ms: u64,
}

impl Said {
    fn now(response: Response) -> Said {
        Said { response, extra_ms: 0 }
    }
}

/// The host part of an authority, without port and trailing dot, in lower case.
pub fn bare_host(authority: &str) -> String {
    bare(authority).into_owned()
}

/// See [`bare_host`]; the authority's own text where that is one.
pub fn bare(authority: &str) -> Cow<'_, str> {
    // Most end with a letter: such a one has neither a port nor a trailing dot.
    if authority.as_bytes().last().is_some_and(u8::is_ascii_alphabetic) {
        return lower(authority);
    }
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !host.ends_with(':') => host,
        _ => authority,
    };
    lower(host.trim_end_matches('.'))
}

/// A name in lower case.
pub fn lower(name: &str) -> Cow<'_, str> {
    if has_capitals(name) { name.to_ascii_lowercase().into() } else { name.into() }
}

/// Whether a name is not in lower case. Looks at eight letters at a time.
#[inline]
pub fn has_capitals(name: &str) -> bool {
    let bytes = name.as_bytes();
    // The last eight stand for those beyond the last whole word; some of them are looked at twice.
    match bytes.last_chunk::<8>() {
        Some(last) => {
            let (words, _) = bytes.as_chunks::<8>();
            words.iter().chain([last]).any(|word| capitals(u64::from_le_bytes(*word)) != 0)
        }
        None => bytes.iter().any(u8::is_ascii_uppercase),
    }
}

/// The top bit of each byte that is a capital letter: with seven bits a sum reaches the eighth from `A` on, another from behind `Z` on.
#[inline]
fn capitals(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const TOP: u64 = EACH << 7;
    let low = word & !TOP;
    let (from_a, behind_z) = (low + EACH * (0x80 - b'A' as u64), low + EACH * (0x7f - b'Z' as u64));
    (from_a ^ behind_z) & !word & TOP
}

/// What an open HTTP port answers.
pub fn at_port(port: &Port, asked: &Asked<'_>) -> Said {
    match port.program {
        Some(Program::Httpbin) => httpbin(asked, "gunicorn/19.9.0"),
        Some(Program::Echo) => Said::now(echo(asked, "echo")),
        None => {
            let host = bare_host(asked.authority);
            match port.answers.iter().find(|a| a.fits(&host, asked.path)) {
                Some(answer) => Said::now(fixed(answer, asked)),
                None => Said::now(text(asked, 404, "text/plain", "not found\n")),
            }
        }
    }
}

/// What plain HTTP gets on a TLS port; `None`: the connection is closed.
pub fn plain_on_tls(plain: Plain, asked: &Asked<'_>) -> Option<Response> {
    const PAGE: &str = "<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>\r\n<body>\r\n<center><h1>400 Bad \
                        Request</h1></center>\r\n<center>The plain HTTP request was sent to HTTPS \
                        port</center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n";
    let headers = || {
        vec![
            ("Server".into(), "nginx/1.22.1".into()),
            ("Date".into(), date(asked.now)),
            ("Content-Type".into(), "text/html".into()),
            ("Content-Length".into(), Text::number(PAGE.len() as u64)),
            ("Connection".into(), "close".into()),
        ]
    };
    (plain == Plain::BadRequest).then(|| build(asked, 400, headers(), PAGE))
}

fn fixed(answer: &Answer, asked: &Asked<'_>) -> Response {
    let fill = |text: &str| {
        text.replace("{host}", strip_default_port(asked)).replace("{path}", asked.path).replace("{date}", &asked.now.http_date())
    };
    let body = answer.body.as_deref().map(fill).unwrap_or_default();
    let mut headers: Vec<Header> = answer.headers.iter().map(|(n, v)| (Text::new(n), fill(v).into())).collect();
    if !body.is_empty() && !headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("content-length")) {
        let name =
            if headers.iter().any(|(n, _)| n.starts_with(char::is_uppercase)) { "Content-Length" } else { "content-length" };
        headers.push((name.into(), Text::number(body.len() as u64)));
    }
    let mut response = build(asked, answer.status, headers, &body);
    if let Some(reason) = &answer.reason {
        response.reason = reason.into();
    }
    response
}

fn strip_default_port<'a>(asked: &Asked<'a>) -> &'a str {
    let suffix = if asked.secure { ":443" } else { ":80" };
    asked.authority.strip_suffix(suffix).unwrap_or(asked.authority)
}

/// A response with these headers and body; HEAD leaves the body out.
pub fn build(asked: &Asked<'_>, status: u16, headers: Vec<Header>, body: &str) -> Response {
    let body = if asked.method == "HEAD" { Vec::new() } else { body.as_bytes().to_vec() };
    let version = if asked.version == HttpVersion::Http10 { HttpVersion::Http11 } else { asked.version };
    Response { version, status, reason: reason(status).into(), headers, body, peer: None }
}

/// A response with a body of this type, length and date.
pub fn text(asked: &Asked<'_>, status: u16, kind: &'static str, body: &str) -> Response {
    let length = Text::number(body.len() as u64);
    let headers = vec![("content-type".into(), kind.into()), ("content-length".into(), length), ("date".into(), date(asked.now))];
    build(asked, status, headers, body)
}

/// The value of a `date` header.
pub fn date(now: Time) -> Text {
    Text::late(move || now.http_date())
}

/// The usual reason phrase of a status, as Envoy writes it.
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        207 => "Multi-Status",
        208 => "Already Reported",
        226 => "IM Used",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        305 => "Use Proxy",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Payload Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Entity",
        423 => "Locked",
        424 => "Failed Dependency",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        506 => "Variant Also Negotiates",
        507 => "Insufficient Storage",
        508 => "Loop Detected",
        510 => "Not Extended",
        511 => "Network Authentication Required",
        _ => "Unknown",
    }
}

/// httpbin: `/headers`, `/get`, `/status/N`, `/delay/N`, `/ip`, `/user-agent`, anything else 404 (`/` is a page).
pub fn httpbin(asked: &Asked<'_>, server: &'static str) -> Said {
    let path = asked.path.split('?').next().unwrap_or("/");
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let respond = |status: u16, kind: &'static str, body: &str| {
        let headers = vec![
            ("Server".into(), server.into()),
            ("Date".into(), date(asked.now)),
            ("Content-Type".into(), kind.into()),
            ("Content-Length".into(), Text::number(body.len() as u64)),
            ("Access-Control-Allow-Origin".into(), "*".into()),
        ];
        build(asked, status, headers, body)
    };
    let ok = |value: Value| respond(200, "application/json", &format!("{value:#}\n"));
    match parts.as_slice() {
        [""] => Said::now(respond(200, "text/html; charset=utf-8", "<html><head><title>httpbin.org</title></head></html>\n")),
        ["headers"] => Said::now(ok(json!({ "headers": headers_of(asked) }))),
        ["get"] | ["anything", ..] => Said::now(ok(all_of(asked))),
        ["ip"] => Said::now(ok(json!({ "origin": asked.from }))),
        ["user-agent"] => Said::now(ok(json!({ "user-agent": header(asked, "user-agent") }))),
        ["status", code] => {
            let status = code.parse().ok().filter(|c| (200..600).contains(c)).unwrap_or(400);
            Said::now(respond(status, "text/html; charset=utf-8", ""))
        }
        ["delay", seconds] => {
            let seconds: u64 = seconds.parse().unwrap_or(0).min(10);
            Said { response: ok(all_of(asked)), extra_ms: seconds * 1000 }
        }
        _ => Said::now(respond(404, "text/html", "<title>404 Not Found</title>\n")),
    }
}

fn header<'a>(asked: &Asked<'a>, name: &str) -> &'a str {
    asked.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or("", |(_, v)| v.as_str())
}

fn headers_of(asked: &Asked<'_>) -> Value {
    let mut all = Map::new();
    all.insert("Host".into(), asked.authority.into());
    for (name, value) in asked.headers.iter().filter(|(n, _)| !n.eq_ignore_ascii_case("host")) {
        all.insert(title_case(name), value.as_str().into());
    }
    Value::Object(all)
}

fn title_case(name: &str) -> String {
    let word = |w: &str| w.chars().take(1).map(|c| c.to_ascii_uppercase()).chain(w.chars().skip(1)).collect::<String>();
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

fn all_of(asked: &Asked<'_>) -> Value {
    let scheme = if asked.secure { "https" } else { "http" };
    json!({ "headers": headers_of(asked), "method": asked.method, "origin": asked.from,
            "url": format!("{scheme}://{}{}", asked.authority, asked.path) })
}

/// An echo server: says who it is and what it was asked.
pub fn echo(asked: &Asked<'_>, name: &str) -> Response {
    let mut body = format!("Hostname={name}\nMethod={}\nURL={}\nHost={}\n", asked.method, asked.path, asked.authority);
    for (n, v) in asked.headers.iter().filter(|(n, _)| !n.eq_ignore_ascii_case("host")) {
        body.push_str(&format!("RequestHeader={}:{v}\n", title_case(n)));
    }
    text(asked, 200, "text/plain", &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every text of these letters up to a length, and each of them at each place of a longer one.
    fn texts(letters: &[&str], longest: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        for from in 0.. {
            let Some(text) = all.get(from).filter(|t| t.chars().count() < longest).cloned() else { break };
            all.extend(letters.iter().map(|letter| format!("{text}{letter}")));
        }
        let long = (5..21).flat_map(|n| (0..n).flat_map(move |at| letters.iter().map(move |letter| (n, at, letter))));
        all.extend(long.map(|(n, at, letter)| format!("{}{letter}{}", "x".repeat(at), "-".repeat(n - at))));
        all
    }

    #[test]
    fn capitals_are_seen_at_any_place_and_nothing_else_is_taken_for_one() {
        for text in texts(&["a", "z", "A", "Z", "@", "[", "`", "{", "É", "\u{7f}", "\0", "Ł"], 3) {
            assert_eq!(has_capitals(&text), text.bytes().any(|b| b.is_ascii_uppercase()), "{text:?}");
            assert_eq!(lower(&text), text.to_ascii_lowercase(), "{text:?}");
        }
    }

    #[test]
    fn a_bare_host_has_no_port_and_no_dot_at_its_end_whatever_it_ends_with() {
        for text in texts(&["a", "B", "7", ".", ":", "]", "-", "é"], 4) {
            let host = match text.rsplit_once(':') {
                Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !host.ends_with(':') => host,
                _ => &text,
            };
            assert_eq!(bare(&text), host.trim_end_matches('.').to_ascii_lowercase(), "{text:?}");
        }
    }
}
