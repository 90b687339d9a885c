//! HTTP/1 as a server reads and writes it, one piece at a time. Bodies of requests are counted, not kept.

use crate::outside::wire::Response;

/// Bytes of a request's head (line and headers); Envoy's and nginx's limits are of this order.
const HEAD_LIMIT: usize = 64 * 1024;
/// Bytes that may wait to be read.
const INPUT_LIMIT: usize = 1 << 20;

/// A request, without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub http10: bool,
    pub headers: Vec<(String, String)>,
    pub body_len: u64,
    /// The client wants the connection closed afterwards.
    pub close: bool,
}

/// What reading came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing whole yet.
    More,
    /// The client waits for `100 Continue` before it sends the body.
    Continue,
    Asked(Asked),
    /// No HTTP/1: what it is instead.
    NotHttp(&'static str),
}

/// Where the reader stands.
#[derive(Debug, Default)]
enum At {
    #[default]
    Head,
    Body(u64),
    ChunkSize,
    Chunk(u64),
    Trailers,
    Done,
}

/// Reads requests off a stream of bytes.
#[derive(Debug, Default)]
pub struct Reader {
    bytes: Vec<u8>,
    at: At,
    asked: Option<Asked>,
    /// Nothing more will come.
    pub ended: bool,
}

impl Reader {
    /// Takes bytes; false when too many wait already.
    pub fn take(&mut self, bytes: &[u8]) -> bool {
        let fits = self.bytes.is_empty() || self.bytes.len() + bytes.len() <= INPUT_LIMIT;
        if fits {
            self.bytes.extend_from_slice(bytes);
        }
        fits
    }

    /// The next thing that can be said. Call until it is [`Step::More`].
    pub fn step(&mut self) -> Step {
        // Each turn takes bytes off or changes the place; no input is longer than its limit.
        for _ in 0..INPUT_LIMIT {
            match self.at {
                At::Head => match self.head() {
                    Some(step) => return step,
                    None => continue,
                },
                At::Body(left) | At::Chunk(left) => {
                    let n = (self.bytes.len() as u64).min(left);
                    self.bytes.drain(..n as usize);
                    let rest = left - n;
                    if rest > 0 {
                        self.at = if matches!(self.at, At::Body(_)) { At::Body(rest) } else { At::Chunk(rest) };
                        return Step::More;
                    }
                    self.at = if matches!(self.at, At::Body(_)) { At::Done } else { At::ChunkSize };
                }
                At::ChunkSize => match self.line() {
                    Ok(None) => return Step::More,
                    Ok(Some(line)) if line.is_empty() && self.asked.as_ref().is_some_and(|a| a.body_len > 0) => (),
                    Ok(Some(line)) => {
                        let Ok(size) = u64::from_str_radix(line.split(';').next().unwrap_or("").trim(), 16) else {
                            return Step::NotHttp("a chunked body with a broken length");
                        };
                        if let Some(asked) = &mut self.asked {
                            asked.body_len = asked.body_len.saturating_add(size);
                        }
                        self.at = if size == 0 { At::Trailers } else { At::Chunk(size) };
                    }
                    Err(what) => return Step::NotHttp(what),
                },
                At::Trailers => match self.line() {
                    Ok(None) => return Step::More,
                    Ok(Some(line)) if line.is_empty() => self.at = At::Done,
                    Ok(Some(_)) => (),
                    Err(what) => return Step::NotHttp(what),
                },
                At::Done => {
                    self.at = At::Head;
                    if let Some(asked) = self.asked.take() {
                        return Step::Asked(asked);
                    }
                }
            }
        }
        Step::More
    }

    /// A line without its end, when it is whole.
    fn line(&mut self) -> Result<Option<String>, &'static str> {
        let Some(end) = self.bytes.iter().position(|b| *b == b'\n') else {
            return if self.bytes.len() > HEAD_LIMIT { Err("a line without end") } else { Ok(None) };
        };
        let line = String::from_utf8_lossy(&self.bytes[..end]).trim_end_matches('\r').to_string();
        self.bytes.drain(..=end);
        Ok(Some(line))
    }

    /// The request's line and headers; `None`: the body is next.
    fn head(&mut self) -> Option<Step> {
        let blank = self.bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        self.bytes.drain(..blank);
        let Some(first) = self.bytes.first().copied() else { return Some(Step::More) };
        if first == 0x16 {
            return Some(Step::NotHttp("TLS"));
        }
        if !first.is_ascii_uppercase() && !first.is_ascii_lowercase() {
            return Some(Step::NotHttp("bytes that are no HTTP request"));
        }
        let Some(end) = self.bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
            return Some(match self.bytes.len() > HEAD_LIMIT {
                true => Step::NotHttp("a request head of more than 64 KiB"),
                false => Step::More,
            });
        };
        let head = String::from_utf8_lossy(&self.bytes[..end]).into_owned();
        self.bytes.drain(..end + 4);
        match read_head(&head) {
            Err(what) => Some(Step::NotHttp(what)),
            Ok((asked, body)) => {
                let expects = asked.headers.iter().any(|(n, v)| n.eq_ignore_ascii_case("expect") && v.starts_with("100"));
                self.at = match body {
                    Body::None => At::Done,
                    Body::Length(n) => At::Body(n),
                    Body::Chunked => At::ChunkSize,
                };
                let waits = expects && !matches!(body, Body::None) && self.bytes.is_empty();
                self.asked = Some(asked);
                waits.then_some(Step::Continue)
            }
        }
    }
}

enum Body {
    None,
    Length(u64),
    Chunked,
}

fn read_head(head: &str) -> Result<(Asked, Body), &'static str> {
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or("");
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next()) else {
        return Err("bytes that are no HTTP request");
    };
    let http10 = match version {
        "HTTP/1.1" => false,
        "HTTP/1.0" => true,
        "HTTP/2.0" => return Err("HTTP/2"),
        _ => return Err("bytes that are no HTTP request"),
    };
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or("a request with a broken header")?;
        headers.push((name.to_string(), value.trim().to_string()));
    }
    let header = |name: &str| headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_ascii_lowercase());
    let body = match (header("transfer-encoding"), header("content-length")) {
        (Some(coding), _) if coding.contains("chunked") => Body::Chunked,
        (_, Some(length)) => match length.parse().map_err(|_| "a request with a broken length")? {
            0 => Body::None,
            n => Body::Length(n),
        },
        _ => Body::None,
    };
    let wants = header("connection").unwrap_or_default();
    let close = wants.contains("close") || (http10 && !wants.contains("keep-alive"));
    // A client that takes this for a proxy names the whole URL.
    let path = match target.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| rest[at..].to_string())) {
        Some(path) if !target.starts_with('/') => path,
        _ => target.to_string(),
    };
    let body_len = if let Body::Length(n) = body { n } else { 0 };
    Ok((Asked { method: method.to_string(), path, http10, headers, body_len, close }, body))
}

/// An answer as bytes; the flag says that the connection ends with it.
pub fn write(response: &Response, head: bool, http10: bool) -> (Vec<u8>, bool) {
    let has = |name: &str| response.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
    let chunked = response.headers.iter().any(|(n, v)| n.eq_ignore_ascii_case("transfer-encoding") && v.contains("chunked"));
    let bodyless = head || response.status < 200 || response.status == 204 || response.status == 304;
    let version = if http10 { "1.0" } else { "1.1" };
    let mut out = format!("HTTP/{version} {} {}\r\n", response.status, response.reason).into_bytes();
    for (name, value) in &response.headers {
        if !(http10 && name.eq_ignore_ascii_case("transfer-encoding")) {
            out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
    }
    if !chunked && !has("content-length") && !bodyless {
        out.extend_from_slice(format!("content-length: {}\r\n", response.body.len()).as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    let closes = response.headers.iter().any(|(n, v)| n.eq_ignore_ascii_case("connection") && v.eq_ignore_ascii_case("close"));
    if bodyless {
        return (out, closes);
    }
    match chunked && !http10 {
        true => {
            if !response.body.is_empty() {
                out.extend_from_slice(format!("{:x}\r\n", response.body.len()).as_bytes());
                out.extend_from_slice(&response.body);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(b"0\r\n\r\n");
        }
        false => out.extend_from_slice(&response.body),
    }
    (out, closes || (http10 && chunked))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<Step> {
        let mut reader = Reader::default();
        let mut steps = Vec::new();
        for piece in pieces {
            assert!(reader.take(piece));
            loop {
                match reader.step() {
                    Step::More => break,
                    step @ Step::NotHttp(_) => {
                        steps.push(step);
                        return steps;
                    }
                    step => steps.push(step),
                }
            }
        }
        steps
    }

    fn said(steps: &[Step]) -> Vec<String> {
        let word = |step: &Step| match step {
            Step::Asked(a) => format!("{} {} {}{}", a.method, a.path, a.body_len, if a.close { " close" } else { "" }),
            other => format!("{other:?}"),
        };
        steps.iter().map(word).collect()
    }

    #[test]
    fn requests_are_read_however_they_are_cut() {
        let whole = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nPOST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\nPUT /c HTTP/1.0\r\nContent-Length: 4\r\n\r\n1234";
        let wanted = ["GET /a 0", "POST /b 5", "PUT /c 4 close"];
        assert_eq!(said(&read(&[whole])), wanted);
        let bytes: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(said(&read(&bytes)), wanted);
    }

    #[test]
    fn what_is_no_http_is_named() {
        for (bytes, what) in [
            (&b"\x16\x03\x01\x02"[..], "TLS"),
            (b"\x00\x01", "bytes that are no HTTP request"),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2"),
            (b"hello there\r\n\r\n", "bytes that are no HTTP request"),
            (b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", "a request with a broken length"),
            (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "a chunked body with a broken length"),
        ] {
            assert_eq!(read(&[bytes]), [Step::NotHttp(what)]);
        }
        let long = [b"GET / HTTP/1.1\r\nA: ".to_vec(), vec![b'a'; HEAD_LIMIT]].concat();
        assert_eq!(read(&[&long]), [Step::NotHttp("a request head of more than 64 KiB")]);
    }

    #[test]
    fn a_client_that_waits_is_told_to_go_on() {
        let head = b"POST /x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
        assert_eq!(said(&read(&[head, b"ab"])), ["Continue", "POST /x 2"]);
    }
}
