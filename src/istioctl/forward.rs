//! A plain HTTP request to a port of a pod through port-forward, as istioctl asks proxies and istiod.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The largest answer that is read, in bytes.
const LIMIT: usize = 256 * 1024 * 1024;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends a request and answers the body.
///
/// # Errors
/// A sentence: the pod cannot be reached, nothing listens, another status than 200.
pub async fn fetch(
    client: &kube::Client,
    namespace: &str,
    pod: &str,
    port: u16,
    method: &str,
    path: &str,
) -> Result<Vec<u8>, String> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let asked = tokio::time::timeout(PATIENCE, ask(&api, namespace, pod, port, method, path));
    let (status, body) = match asked.await {
        Ok(answer) => answer.map_err(|why| format!("failure running port forward process: {why}"))?,
        Err(_) => return Err("failure running port forward process: no answer within 30s".into()),
    };
    if status == 200 { Ok(body) } else { Err(format!("unexpected status code: {status}")) }
}

/// What istioctl says about a pod that it cannot look up.
fn missing(words: &str, namespace: &str) -> String {
    let why = format!("failed retrieving: {words} in the {namespace:?} namespace");
    format!("failure running port forward process: building port forwarded: {why}")
}

async fn ask(api: &Api<Pod>, namespace: &str, pod: &str, port: u16, method: &str, path: &str) -> Result<(u16, Vec<u8>), String> {
    let refused = |error: kube::Error| match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    };
    let mut forwarder = match api.portforward(pod, &[port]).await {
        Ok(forwarder) => forwarder,
        Err(error) => {
            // The upgrade hides what the server said about the pod; asking for its name tells. (For no more: the whole type of a pod
            // takes 400 kB of program.)
            return Err(match api.get_metadata(pod).await.err().map(refused) {
                Some(words) => missing(&words, namespace),
                None => error.to_string(),
            });
        }
    };
    let (error, stream) = (forwarder.take_error(port), forwarder.take_stream(port));
    let mut stream = stream.ok_or("the port was not opened")?;
    let head = format!(
        "{method} /{} HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: istioctl\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        path.trim_start_matches('/')
    );
    let mut bytes = Vec::new();
    let read = async {
        stream.write_all(head.as_bytes()).await?;
        stream.flush().await?;
        let mut buffer = vec![0; 64 * 1024];
        while !complete(&bytes) && bytes.len() < LIMIT {
            match stream.read(&mut buffer).await? {
                0 => break,
                n => bytes.extend_from_slice(&buffer[..n]),
            }
        }
        Ok::<(), std::io::Error>(())
    };
    let outcome = read.await;
    drop(stream);
    if let Some(answer) = parse(&bytes) {
        forwarder.abort();
        return Ok(answer);
    }
    let said = match error {
        Some(error) => tokio::time::timeout(Duration::from_secs(2), error).await.ok().flatten(),
        None => None,
    };
    forwarder.abort();
    Err(said.or(outcome.err().map(|e| e.to_string())).unwrap_or_else(|| "EOF".into()))
}

/// Whether the answer is whole, as far as its length is known.
fn complete(bytes: &[u8]) -> bool {
    let Some((head, body)) = split(bytes) else { return false };
    match framing(&head) {
        Framing::Length(length) => body.len() >= length,
        Framing::Chunked => body.ends_with(b"0\r\n\r\n"),
        Framing::ToTheEnd => false,
    }
}

enum Framing {
    Length(usize),
    Chunked,
    ToTheEnd,
}

fn split(bytes: &[u8]) -> Option<(String, &[u8])> {
    let end = bytes.windows(4).take(64 * 1024).position(|w| w == b"\r\n\r\n")?;
    Some((String::from_utf8_lossy(&bytes[..end]).into_owned(), &bytes[end + 4..]))
}

fn framing(head: &str) -> Framing {
    let header = |name: &str| {
        head.lines().filter_map(|line| line.split_once(':')).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim())
    };
    match (header("transfer-encoding"), header("content-length").and_then(|length| length.parse().ok())) {
        (Some(coding), _) if coding.eq_ignore_ascii_case("chunked") => Framing::Chunked,
        (_, Some(length)) => Framing::Length(length),
        _ => Framing::ToTheEnd,
    }
}

/// Status and body of a whole answer.
fn parse(bytes: &[u8]) -> Option<(u16, Vec<u8>)> {
    let (head, body) = split(bytes)?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let body = match framing(&head) {
        Framing::Length(length) => body.get(..length)?.to_vec(),
        Framing::ToTheEnd => body.to_vec(),
        Framing::Chunked => {
            let (mut whole, mut rest) = (Vec::new(), body);
            loop {
                let end = rest.windows(2).position(|w| w == b"\r\n")?;
                let size = std::str::from_utf8(&rest[..end]).ok()?.split(';').next()?.trim();
                let size = usize::from_str_radix(size, 16).ok()?;
                rest = rest.get(end + 2..)?;
                if size == 0 {
                    break whole;
                }
                whole.extend_from_slice(rest.get(..size)?);
                rest = rest.get(size.checked_add(2)?..)?;
            }
        }
    };
    Some((status, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whatever_their_framing() {
        let text = |bytes: &[u8]| parse(bytes).map(|(status, body)| format!("{status} {}", String::from_utf8_lossy(&body)));
        assert_eq!(text(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc").as_deref(), Some("200 ab"));
        assert_eq!(text(b"HTTP/1.1 404 Not Found\r\n\r\nx").as_deref(), Some("404 x"));
        let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1;x\r\nd\r\n0\r\n\r\n";
        assert_eq!(text(chunked).as_deref(), Some("200 abcd"));
        assert!(complete(chunked) && !complete(&chunked[..60]));
        assert_eq!(text(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), None);
        assert_eq!(text(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nab"), None);
    }
}
