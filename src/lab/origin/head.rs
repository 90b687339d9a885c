//! The head of an HTTP/1 request, from bytes. No I/O.

use super::limits::Limits;
use crate::base::shared::Text;
use crate::outside::wire::{Header, HttpVersion};

/// A request without its body.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    pub method: String,
    /// The Host header, or the authority of an absolute target.
    pub authority: String,
    /// Path and query.
    pub path: String,
    pub version: HttpVersion,
    /// As sent, Host among them.
    pub headers: Vec<Header>,
    pub body: Body,
    /// Whether the client will send another request.
    pub keep: bool,
    /// Whether the client waits for 100 Continue before it sends the body.
    pub waits: bool,
}

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    Length(u64),
    Chunked,
}

/// What bytes are.
#[derive(Debug, Clone, PartialEq)]
pub enum Read {
    /// A head, and how many bytes it took.
    Head(Box<Head>, usize),
    /// The start of one.
    More,
    /// The answer to bytes that are none.
    Wrong(u16),
}

/// Reads a head.
pub fn read(bytes: &[u8], limits: &Limits) -> Read {
    let mut headers = vec![httparse::EMPTY_HEADER; limits.headers];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= limits.head_bytes => match head(&request) {
            Ok(head) => Read::Head(Box::new(head), length),
            Err(status) => Read::Wrong(status),
        },
        Ok(httparse::Status::Partial) if bytes.len() < limits.head_bytes => Read::More,
        Ok(_) | Err(httparse::Error::TooManyHeaders) => Read::Wrong(431),
        Err(httparse::Error::Version) => Read::Wrong(505),
        Err(_) => Read::Wrong(400),
    }
}

fn head(request: &httparse::Request<'_, '_>) -> Result<Head, u16> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers: Vec<Header> = request.headers.iter().map(|h| (Text::new(h.name), text(h.value).into())).collect();
    let version = if request.version == Some(0) { HttpVersion::Http10 } else { HttpVersion::Http11 };
    let (method, target) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
    // RFC 9112 section 3.2: none or several of them are a 400.
    let host = match all(&headers, "host").collect::<Vec<_>>().as_slice() {
        [host] => host.to_string(),
        [] if version == HttpVersion::Http10 => String::new(),
        _ => return Err(400),
    };
    let (authority, path) = match split(target) {
        Some((authority, path)) => (authority.to_string(), path),
        None => (host, target.to_string()),
    };
    let body = body(&headers)?;
    let waits = all(&headers, "expect").any(|v| v.eq_ignore_ascii_case("100-continue")) && version == HttpVersion::Http11;
    let keep = match version {
        HttpVersion::Http10 => says(&headers, "keep-alive"),
        _ => !says(&headers, "close"),
    };
    Ok(Head { method: method.into(), authority, path, version, headers, body, keep, waits })
}

/// The authority and path of an absolute target, as sent to a proxy.
fn split(target: &str) -> Option<(&str, String)> {
    let rest = target.split_once("://").filter(|(scheme, _)| scheme.bytes().all(|b| b.is_ascii_alphanumeric()))?.1;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    Some((authority, if path.starts_with('/') { path.to_string() } else { format!("/{path}") }))
}

/// RFC 9112 section 6.3: what cannot be told apart for sure is refused, never guessed.
fn body(headers: &[Header]) -> Result<Body, u16> {
    let coded: Vec<&str> = all(headers, "transfer-encoding").collect();
    let lengths: Vec<&str> = all(headers, "content-length").collect();
    match (coded.as_slice(), lengths.as_slice()) {
        ([], []) => Ok(Body::Length(0)),
        ([one], []) if one.eq_ignore_ascii_case("chunked") => Ok(Body::Chunked),
        ([], [first, rest @ ..]) if rest.iter().all(|length| length == first) => digits(first).map(Body::Length).ok_or(400),
        _ => Err(400),
    }
}

fn digits(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// The size in a chunk's first line, without its extensions.
pub fn chunk(line: &[u8]) -> Option<u64> {
    let size = line.split(|byte| *byte == b';').next()?.trim_ascii();
    if size.is_empty() || size.len() > 15 || !size.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()
}

/// The values of a header.
pub fn all<'a>(headers: &'a [Header], name: &'a str) -> impl Iterator<Item = &'a str> {
    headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// Whether `Connection` has this word.
pub fn says(headers: &[Header], word: &str) -> bool {
    all(headers, "connection").flat_map(|value| value.split(',')).any(|said| said.trim().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> Read {
        read(text.as_bytes(), &Limits::default())
    }

    fn good(text: &str) -> Head {
        match of(text) {
            Read::Head(head, length) => {
                assert!(length <= text.len());
                *head
            }
            other => panic!("{text:?}: {other:?}"),
        }
    }

    #[test]
    fn a_head_says_what_was_asked_and_what_follows() {
        let head = good("HEAD /a?b HTTP/1.1\r\nHost: www.wikipedia.org:80\r\nUser-Agent: curl/8.1.2\r\n\r\nrest");
        assert_eq!((&*head.method, &*head.authority, &*head.path), ("HEAD", "www.wikipedia.org:80", "/a?b"));
        assert_eq!((head.version, head.body, head.keep, head.waits), (HttpVersion::Http11, Body::Length(0), true, false));
        let head = good(
            "POST http://example.com?x HTTP/1.1\r\nHost: other\r\nTransfer-Encoding: Chunked\r\nConnection: a, Close\r\n\r\n",
        );
        assert_eq!((&*head.authority, &*head.path, head.body, head.keep), ("example.com", "/?x", Body::Chunked, false));
        let head = good("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n");
        assert_eq!((head.body, head.waits), (Body::Length(5), true));
        let head = good("GET / HTTP/1.0\r\n\r\n");
        assert_eq!((&*head.authority, head.keep), ("", false));
        assert!(good("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep);
    }

    #[test]
    fn the_start_of_a_head_waits_and_what_is_none_is_refused() {
        let whole = "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";
        (0..whole.len()).for_each(|n| assert_eq!(of(&whole[..n]), Read::More, "{n} bytes"));
        let host = "GET / HTTP/1.1\r\nHost: h\r\n";
        for (rest, status) in [
            ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            ("Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
            ("Content-Length: +5\r\n\r\n", 400),
            ("Content-Length: 99999999999999999999999\r\n\r\n", 400),
            ("Transfer-Encoding: gzip, chunked\r\n\r\n", 400),
            ("Host: again\r\n\r\n", 400),
            ("No colon\r\n\r\n", 400),
        ] {
            assert_eq!(of(&format!("{host}{rest}")), Read::Wrong(status), "{rest}");
        }
        assert_eq!(of("GET / HTTP/1.1\r\n\r\n"), Read::Wrong(400));
        assert_eq!(of("GET / HTTP/3.0\r\nHost: h\r\n\r\n"), Read::Wrong(505));
        assert_eq!(of("\x16\x03\x01\x02\x00"), Read::Wrong(400));
        assert_eq!(of(&format!("{host}{}\r\n", "A: b\r\n".repeat(200))), Read::Wrong(431));
        assert_eq!(of(&format!("{host}A: {}", "b".repeat(40_000))), Read::Wrong(431));
        assert_eq!(of(&format!("{host}A: {}\r\n\r\n", "b".repeat(40_000))), Read::Wrong(431));
    }

    #[test]
    fn chunks_are_hexadecimal_and_nothing_else() {
        assert_eq!(chunk(b"1f;name=value"), Some(31));
        assert_eq!(chunk(b"0"), Some(0));
        for wrong in ["", "g", "-1", "+1", "0x1", "ffffffffffffffff", " "] {
            assert_eq!(chunk(wrong.as_bytes()), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_more_bytes_never_undo_a_refusal(bytes: Vec<u8>, more: Vec<u8>) {
            let limits = Limits { head_bytes: 64, headers: 3, ..Limits::default() };
            let first = read(&bytes, &limits);
            let longer = read(&[bytes, more].concat(), &limits);
            if matches!(first, Read::Wrong(400)) {
                prop_assert!(!matches!(longer, Read::Head(..) | Read::More));
            }
        }
    }
}
