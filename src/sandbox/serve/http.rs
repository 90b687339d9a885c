//! HTTP/1.1 on any stream of bytes: a request becomes a [`Call`], an [`Answer`] a response; streams are pumped.

use super::actor::{Handle, failure, stop};
use super::limits::Limits;
use super::{pump, socket, visitors};
use crate::sandbox::api::rbac::token::authenticate;
use crate::sandbox::api::shown::Pieces;
use crate::sandbox::call::{Answer, Call, Refusal};
use bytes::Bytes;
use futures::StreamExt;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// The largest request body, in bytes (a real API server's limit).
pub const BODY_LIMIT: usize = 3 * 1024 * 1024;
/// What is still taken, and thrown away, of a body that was refused: a client that is cut off while it sends never reads the answer.
const REFUSED_BODY: usize = 64 * 1024 * 1024;
/// How long that may take.
const REFUSED_FOR: Duration = Duration::from_secs(2);
/// The largest request line with headers, in bytes. A real API server takes 1 MiB; clients of ours need a few KiB.
const HEAD_LIMIT: usize = 128 * 1024;
/// The most headers (impersonated groups and extras are headers).
const HEADERS: usize = 256;

/// Every response's body.
pub type Body = BoxBody<Bytes, Infallible>;

/// Who may come in.
#[derive(Clone)]
pub enum Door {
    /// The stream itself is trusted: requests are made by this user.
    Open(Arc<str>),
    /// Requests must carry this bearer token.
    Token { token: Arc<str>, user: Arc<str> },
}

impl Door {
    /// The user of a request, `None` when it may not come in.
    fn user(&self, request: &Request<Incoming>) -> Option<Arc<str>> {
        match self {
            Door::Open(user) => Some(user.clone()),
            Door::Token { token, user } => {
                let given = request.headers().get("authorization")?.to_str().ok()?;
                let (scheme, given) = given.split_once(' ')?;
                (scheme.eq_ignore_ascii_case("bearer") && same(given.trim().as_bytes(), token.as_bytes())).then(|| user.clone())
            }
        }
    }
}

/// Compares in a time that depends on the length of `given` only.
fn same(given: &[u8], wanted: &[u8]) -> bool {
    let mut difference = u8::from(given.len() != wanted.len());
    for (i, byte) in given.iter().enumerate() {
        difference |= byte ^ wanted[i % wanted.len().max(1)];
    }
    !wanted.is_empty() && difference == 0
}

/// Serves one connection until it ends. The server half of [`super::Local`], and what stands behind TLS in [`super::Server`].
pub async fn connection(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, handle: Handle, door: Door, limits: Limits) {
    let mut stopped = handle.stopped();
    let service = service_fn(move |request| {
        let (handle, door) = (handle.clone(), door.clone());
        async move { Ok::<_, Infallible>(respond(request, handle, door, limits).await) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(HEAD_LIMIT).max_headers(HEADERS);
    let serving = http.serve_connection(TokioIo::new(io), service).with_upgrades();
    tokio::pin!(serving);
    tokio::select! {
        // What goes wrong on a connection is between it and its client.
        _ = serving.as_mut() => (),
        () = stop(&mut stopped) => {
            serving.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(Duration::from_millis(500), serving).await;
        }
    }
}

/// The user behind a bearer token of a service account in the world.
async fn account(request: &Request<Incoming>, handle: &Handle) -> Option<Arc<str>> {
    let given = request.headers().get("authorization")?.to_str().ok()?;
    let (scheme, token) = given.split_once(' ')?;
    let token = scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_string())?;
    let user = handle.with(move |world| authenticate(world, &token)).await.ok()??;
    Some(user.into())
}

async fn respond(mut request: Request<Incoming>, handle: Handle, door: Door, limits: Limits) -> Response<Body> {
    let known = match door.user(&request) {
        Some(user) => Some(user),
        None => account(&request, &handle).await,
    };
    let Some(user) = known else {
        return answer(Refusal::new(401, "Unauthorized", "Unauthorized").answer());
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    let mut call = Call::new(parts.method.as_str(), target);
    call.user = user.to_string();
    call.headers = headers(&parts.headers);
    let (mut call, handle) = match visitors::route(call, handle) {
        Ok(routed) => routed,
        Err(refusal) => return answer(refusal),
    };
    if let Some(protocol) = call.header_value("upgrade").map(str::to_ascii_lowercase) {
        return socket::upgrade(call, &protocol, upgrade, handle).await;
    }
    call.body = match tokio::time::timeout(limits.body, whole(body)).await {
        Ok(Some(whole)) => whole,
        Ok(None) => {
            let message = format!("Request entity too large: limit is {BODY_LIMIT}");
            return answer(Refusal::new(413, "RequestEntityTooLarge", message).answer());
        }
        Err(_) => return too_slow(),
    };
    if let Some(answered) = visitors::answer(&call, &handle).await {
        return answer(answered);
    }
    if !call.is_stream() {
        return match handle.look(&call) {
            Some((first, Some(pieces))) => in_pieces(first, pieces),
            Some((whole, None)) => answer(whole),
            None => answer(handle.act(call).await),
        };
    }
    let tail = call.path.rsplit('/').next().unwrap_or("").to_string();
    if matches!(tail.as_str(), "exec" | "attach" | "portforward") {
        return answer(socket::refuse_plain(call, &handle).await);
    }
    if tail != "log" {
        return match handle.watch(&call) {
            Ok(watch) => streaming("application/json", pump::watch(handle, watch)),
            Err(refusal) => answer(refusal),
        };
    }
    let opened = handle.with(move |world| world.open(&call)).await;
    match opened {
        Ok(Ok(id)) => streaming("text/plain", pump::body(handle, id)),
        Ok(Err(refusal)) => answer(refusal),
        Err(gone) => answer(failure(&gone)),
    }
}

/// A body that does not come: the connection ends with the answer, what still comes is not the next request.
fn too_slow() -> Response<Body> {
    let mut response = answer(Refusal::new(408, "Timeout", "the request's body did not arrive in time").answer());
    response.headers_mut().insert("connection", hyper::header::HeaderValue::from_static("close"));
    response
}

/// A long list: its pieces are made as the client takes them.
fn in_pieces(mut first: Answer, pieces: Pieces) -> Response<Body> {
    let pieces = std::iter::once(std::mem::take(&mut first.body)).chain(pieces).map(Bytes::from);
    answer(first).map(|_| pump::stream(futures::stream::iter(pieces).boxed()))
}

fn streaming(kind: &str, body: Body) -> Response<Body> {
    let response = Response::builder().status(200).header("content-type", kind).header("cache-control", "no-cache, private");
    response.body(body).unwrap_or_else(|_| Response::new(empty()))
}

/// A body, or `None` when it is too large: when that was announced, before it is sent.
async fn whole(mut body: Incoming) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let announced = hyper::body::Body::size_hint(&body).lower();
    let mut fits = announced <= BODY_LIMIT as u64;
    while fits {
        match body.frame().await {
            None => return Some(bytes),
            // The client went away while it sent: nobody reads the answer, and what came is not to be taken for the whole.
            Some(Err(_)) => return None,
            Some(Ok(frame)) => bytes.extend_from_slice(&frame.into_data().unwrap_or_default()),
        }
        fits = bytes.len() <= BODY_LIMIT;
    }
    tokio::spawn(tokio::time::timeout(REFUSED_FOR, async move {
        let mut left = REFUSED_BODY;
        while let Some(Ok(frame)) = body.frame().await {
            let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else { return };
            left = rest;
        }
    }));
    None
}

fn headers(map: &hyper::HeaderMap) -> Vec<(String, String)> {
    map.iter().map(|(n, v)| (n.as_str().to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned())).collect()
}

/// An answer as an HTTP response.
pub fn answer(answer: Answer) -> Response<Body> {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    if !answer.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("cache-control")) {
        response = response.header("cache-control", "no-cache, private");
    }
    let body = Full::new(Bytes::from(answer.body)).boxed();
    response.body(body).unwrap_or_else(|_| {
        let mut response = Response::new(empty());
        *response.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

/// A body without bytes.
pub fn empty() -> Body {
    Full::new(Bytes::new()).boxed()
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn only_the_whole_token_fits() {
        assert!(same(b"abc", b"abc"));
        for given in ["", "ab", "abcd", "abcabc", "abd"] {
            assert!(!same(given.as_bytes(), b"abc"), "{given}");
        }
        assert!(!same(b"", b""));
    }
}
