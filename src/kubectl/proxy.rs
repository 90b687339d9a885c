//! `kubectl proxy`: an HTTP server on this machine that asks the API server with the caller's credential. Only on a command line.

use super::error::{Error, Result};
use super::flags::{Flag, Parsed, Takes, flag, short};
use super::session::Session;
use futures::StreamExt;
use http_body_util::BodyExt;
use regex::Regex;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub const FLAGS: &[Flag] = &[
    short("port", 'p', Takes::Text, "the port to listen on, 0 for any (default 8001)"),
    flag("address", Takes::Text, "the address to listen on (default 127.0.0.1)"),
    flag("accept-hosts", Takes::List, "patterns of host names that may ask"),
    flag("accept-paths", Takes::List, "patterns of paths that may be asked"),
    flag("reject-paths", Takes::List, "patterns of paths that may not"),
    flag("reject-methods", Takes::List, "patterns of methods that may not"),
    flag("disable-filter", Takes::Bool, "let everything through"),
    flag("api-prefix", Takes::Text, "the path under which the API is served (default /)"),
    short("www", 'w', Takes::Text, "a folder to serve (not simulated here)"),
    short("unix-socket", 'u', Takes::Text, "a socket to listen on (not simulated here)"),
];

const CONNECTIONS: usize = 256;
const HEAD: usize = 64 << 10;
const BODY: usize = 64 << 20;
/// How long a client may take for its question.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who may ask what.
struct Filter {
    hosts: Vec<Regex>,
    paths: Vec<Regex>,
    not_paths: Vec<Regex>,
    not_methods: Vec<Regex>,
    prefix: String,
}

impl Filter {
    fn of(p: &Parsed) -> Result<Filter> {
        let patterns = |flag: &str, default: &[&str]| -> Result<Vec<Regex>> {
            let given: Vec<&str> = match p.given(flag) {
                true => p.list(flag).iter().map(String::as_str).collect(),
                false => default.to_vec(),
            };
            let read = |pattern: &str| Regex::new(pattern).map_err(|e| Error::plain(format!("error parsing regexp: {e}")));
            given.into_iter().filter(|text| !text.is_empty()).map(read).collect()
        };
        let open = p.on("disable-filter");
        Ok(Filter {
            hosts: if open { Vec::new() } else { patterns("accept-hosts", &["^localhost$", r"^127\.0\.0\.1$", r"^\[::1\]$"])? },
            paths: if open { Vec::new() } else { patterns("accept-paths", &["^.*"])? },
            not_paths: match open {
                true => Vec::new(),
                false => patterns("reject-paths", &["^/api/.*/pods/.*/exec", "^/api/.*/pods/.*/attach"])?,
            },
            not_methods: if open { Vec::new() } else { patterns("reject-methods", &["^$"])? },
            prefix: format!("/{}", p.text("api-prefix").unwrap_or("/").trim_matches('/')),
        })
    }

    fn lets(&self, method: &str, host: &str, path: &str) -> bool {
        let any = |patterns: &[Regex], text: &str| patterns.iter().any(|pattern| pattern.is_match(text));
        let bare = match host.rsplit_once(':') {
            Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
            _ => host,
        };
        (self.hosts.is_empty() || any(&self.hosts, bare))
            && (self.paths.is_empty() || any(&self.paths, path))
            && !any(&self.not_paths, path)
            && !any(&self.not_methods, method)
    }
}

/// Runs `kubectl proxy` until Ctrl-C.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    for flag in ["www", "unix-socket"] {
        if p.given(flag) {
            return Err(Error::not_simulated(&format!("proxy --{flag}")));
        }
    }
    let filter = Arc::new(Filter::of(p)?);
    let port = p.text("port").unwrap_or("8001");
    let port: u16 = port.parse().map_err(|_| {
        Error::usage(
            "proxy",
            format!("invalid argument {port:?} for \"-p, --port\" flag: strconv.ParseInt: parsing {port:?}: invalid syntax"),
        )
    })?;
    let host = p.text("address").unwrap_or("127.0.0.1");
    let ip = host.parse().map_err(|_| Error::plain(format!("listen tcp: lookup {host}: no such host")))?;
    let address = SocketAddr::new(ip, port);
    let listener = TcpListener::bind(address).await.map_err(|e| Error::plain(format!("listen tcp {address}: bind: {e}")))?;
    let shown = listener.local_addr().unwrap_or(address);
    s.say(&format!("Starting to serve on {shown}"));
    let mut tasks = JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            () = s.interrupted() => return Err(Error::Interrupted),
        };
        while tasks.try_join_next().is_some() {}
        let Ok((stream, _)) = stream else { continue };
        if tasks.len() < CONNECTIONS {
            tasks.spawn(serve(s.ctx.client.clone(), filter.clone(), stream));
        }
    }
}

/// A question as it was read.
struct Question {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Question {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }
}

/// One question on one connection.
async fn serve(client: kube::Client, filter: Arc<Filter>, mut stream: TcpStream) {
    let answer = match tokio::time::timeout(PATIENCE, read(&mut stream)).await {
        Ok(Ok(question)) => pass(&client, &filter, question, &mut stream).await,
        Ok(Err(status)) => Err(status),
        Err(_) => Err((408, "the question took too long")),
    };
    if let Err((code, text)) = answer {
        let reason = http::StatusCode::from_u16(code).ok().and_then(|c| c.canonical_reason()).unwrap_or("");
        let text = format!(
            "HTTP/1.1 {code} {reason}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{text}\n",
            text.len() + 1
        );
        let _ = stream.write_all(text.as_bytes()).await;
    }
    let _ = stream.shutdown().await;
}

type Refused = (u16, &'static str);

async fn read(stream: &mut TcpStream) -> std::result::Result<Question, Refused> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        if bytes.len() > HEAD {
            return Err((431, "the headers are too long"));
        }
        match stream.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return Err((400, "the question broke off")),
            Ok(_) => (),
        }
    };
    let mut question = head(&bytes[..end]).ok_or((400, "this is no HTTP/1.1 question"))?;
    if !question.header("transfer-encoding").is_empty() {
        return Err((411, "a body needs a Content-Length"));
    }
    if !question.header("upgrade").is_empty() {
        return Err((501, "not simulated here: upgrades through kubectl proxy"));
    }
    let length = match question.header("content-length") {
        "" => 0,
        text => text.parse::<usize>().ok().filter(|n| *n <= BODY).ok_or((413, "the body is too long"))?,
    };
    question.body = bytes.split_off(end);
    while question.body.len() < length {
        match stream.read_buf(&mut question.body).await {
            Ok(0) | Err(_) => return Err((400, "the body broke off")),
            Ok(_) => (),
        }
    }
    question.body.truncate(length);
    Ok(question)
}

fn head(bytes: &[u8]) -> Option<Question> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if !version.starts_with("HTTP/1.") || !target.starts_with('/') || words.next().is_some() {
        return None;
    }
    let header = |line: &str| line.split_once(':').map(|(key, value)| (key.trim().to_string(), value.trim().to_string()));
    let headers = lines.filter(|line| !line.is_empty()).map(header).collect::<Option<Vec<_>>>()?;
    Some(Question { method: method.to_string(), target: target.to_string(), headers, body: Vec::new() })
}

async fn pass(
    client: &kube::Client,
    filter: &Filter,
    question: Question,
    stream: &mut TcpStream,
) -> std::result::Result<(), Refused> {
    let path = question.target.split('?').next().unwrap_or("");
    if !filter.lets(&question.method, question.header("host"), path) {
        return Err((403, "Forbidden"));
    }
    let target = match filter.prefix.as_str() {
        "/" => question.target.clone(),
        prefix => question
            .target
            .strip_prefix(prefix)
            .filter(|rest| rest.starts_with('/'))
            .ok_or((404, "404 page not found"))?
            .to_string(),
    };
    let mut request = http::Request::builder().method(question.method.as_str()).uri(target);
    // The connection and the credential are the proxy's own.
    const OWN: [&str; 6] = ["host", "connection", "authorization", "content-length", "accept-encoding", "keep-alive"];
    for (key, value) in question.headers.iter().filter(|(key, _)| !OWN.contains(&key.to_ascii_lowercase().as_str())) {
        request = request.header(key, value);
    }
    let request = request.body(kube::client::Body::from(question.body)).map_err(|_| (400, "this cannot be asked"))?;
    let response = match client.send(request).await {
        Ok(response) => response,
        Err(kube::Error::Api(status)) => return refused(&status, stream).await,
        Err(_) => return Err((502, "the API server does not answer")),
    };
    let (parts, body) = response.into_parts();
    let mut head = format!("HTTP/1.1 {}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n", parts.status);
    for (key, value) in &parts.headers {
        let skipped = ["connection", "transfer-encoding", "content-length"].contains(&key.as_str());
        if let Some(value) = value.to_str().ok().filter(|_| !skipped) {
            head += &format!("{key}: {value}\r\n");
        }
    }
    let gone = |_| (499, "the client went away");
    stream.write_all(format!("{head}\r\n").as_bytes()).await.map_err(gone)?;
    let mut pieces = body.into_data_stream();
    while let Some(Ok(piece)) = pieces.next().await {
        if piece.is_empty() {
            continue;
        }
        stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await.map_err(gone)?;
        stream.write_all(&piece).await.map_err(gone)?;
        stream.write_all(b"\r\n").await.map_err(gone)?;
    }
    stream.write_all(b"0\r\n\r\n").await.map_err(gone)
}

/// A refusal that the client has read already.
async fn refused(status: &kube::core::Status, stream: &mut TcpStream) -> std::result::Result<(), Refused> {
    let body = serde_json::to_string(status).unwrap_or_default();
    let code = http::StatusCode::from_u16(status.code).unwrap_or(http::StatusCode::BAD_GATEWAY);
    let text = format!(
        "HTTP/1.1 {code}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).await.map_err(|_| (499, "the client went away"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_and_only_plain_paths() {
        let filter = Filter::of(&Parsed::default()).unwrap();
        assert!(filter.lets("GET", "127.0.0.1:8001", "/api/v1/pods"));
        assert!(filter.lets("DELETE", "localhost", "/x"));
        assert!(filter.lets("GET", "[::1]:8001", "/x"));
        assert!(!filter.lets("GET", "evil.example:8001", "/api"));
        assert!(!filter.lets("POST", "localhost", "/api/v1/namespaces/a/pods/b/exec"));
    }

    #[test]
    fn heads_are_read_or_refused() {
        let question = head(b"GET /api?x=1 HTTP/1.1\r\nHost: localhost\r\nX-A: b: c\r\n\r\n").unwrap();
        assert_eq!((question.method.as_str(), question.target.as_str()), ("GET", "/api?x=1"));
        assert_eq!(question.header("x-a"), "b: c");
        for bad in [
            &b"GET http://x/ HTTP/1.1\r\n\r\n"[..],
            b"GET\r\n\r\n",
            b"\xff\r\n\r\n",
            b"GET / HTTP/2\r\n\r\n",
            b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        ] {
            assert!(head(bad).is_none());
        }
    }
}
