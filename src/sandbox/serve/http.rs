//! HTTP to calls and back: credential, bodies, plain answers, streamed answers, upgrades.

use super::owner::Handle;
use super::websocket;
use crate::sandbox::call::{Answer, Call, Refusal, StreamOutput};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

/// More than the API server itself takes (3 MiB): the world answers 413 in the API server's words for what lies between.
const BODY_LIMIT: usize = 4 << 20;
/// Pieces of a streamed answer that may wait for the connection.
const PIECES: usize = 16;

/// An answer's body.
pub type Body = BoxBody<Bytes, Infallible>;

/// Who may come in.
#[derive(Debug, Clone)]
pub enum Guard {
    /// Whoever shows this bearer token; everybody else gets 401 on every path.
    Token(Arc<str>),
    /// Everybody: the other end is in this process.
    Open,
}

/// Answers every request of one connection until it closes.
pub async fn serve_connection<S>(stream: S, handle: Handle, guard: Guard)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(move |request| {
        let (handle, guard) = (handle.clone(), guard.clone());
        async move { Ok::<_, Infallible>(respond(request, handle, &guard).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(60))
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let _ = connection.await;
}

async fn respond(request: Request<Incoming>, handle: Handle, guard: &Guard) -> Response<Body> {
    if !admitted(&request, guard) {
        return plain(Refusal::new(401, "Unauthorized", "Unauthorized").answer());
    }
    let mut call = head(&request);
    if let Some(refusal) = impossible_upgrade(&call) {
        return plain(refusal.answer());
    }
    if websocket::is_upgrade(&request) {
        return websocket::accept(request, call, handle).await;
    }
    match http_body_util::Limited::new(request.into_body(), BODY_LIMIT).collect().await {
        Ok(body) => call.body = body.to_bytes().to_vec(),
        Err(_) => return plain(too_large()),
    }
    match call.is_stream() {
        true => streamed(call, handle).await,
        false => plain(handle.call(call).await),
    }
}

fn admitted(request: &Request<Incoming>, guard: &Guard) -> bool {
    let Guard::Token(token) = guard else { return true };
    let shown = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    same(shown, format!("Bearer {token}").as_bytes())
}

/// Compares without telling by its time where two texts differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |acc, (x, y)| acc | (x ^ y)) == 0
}

/// The call without its body.
pub(super) fn head<B>(request: &Request<B>) -> Call {
    let target = request.uri().path_and_query().map_or("/", |t| t.as_str());
    let mut call = Call::new(request.method().as_str(), target);
    let text = |v: &HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
    call.headers = request.headers().iter().map(|(name, value)| (name.as_str().to_string(), text(value))).collect();
    call
}

/// exec and attach over SPDY: every kubectl since 1.31 tries the websocket first, so only its refusal is seen here; the plain call's
/// own refusal (no such container) must come first, as it is what kubectl prints.
fn impossible_upgrade(call: &Call) -> Option<Refusal> {
    let spdy = call.header_value("upgrade").is_some_and(|u| u.to_ascii_lowercase().starts_with("spdy/"));
    let port_forward = call.path.ends_with("/portforward");
    (spdy && port_forward).then(|| Refusal::not_simulated("kubectl port-forward"))
}

fn too_large() -> Answer {
    Refusal::new(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728").answer()
}

/// An answer that is whole.
pub(super) fn plain(answer: Answer) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)).boxed());
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    add_headers(&mut response, &answer.headers);
    response
}

fn add_headers(response: &mut Response<Body>, headers: &[(String, String)]) {
    for (name, value) in headers {
        let name = hyper::header::HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            response.headers_mut().append(name, value);
        }
    }
}

/// A watch or a followed log: pieces as they come, until either side ends it.
async fn streamed(call: Call, handle: Handle) -> Response<Body> {
    let watch = !call.path.ends_with("/log");
    let id = match handle.open(call).await {
        Ok(id) => id,
        Err(answer) => return plain(answer),
    };
    let (pieces, mut queue) = mpsc::channel::<Bytes>(PIECES);
    tokio::spawn(async move {
        loop {
            let output = tokio::select! {
                output = handle.output(id) => output,
                () = pieces.closed() => break,
            };
            let StreamOutput::Body(bytes) = output else { return };
            if pieces.send(bytes.into()).await.is_err() {
                break;
            }
        }
        handle.close(id).await;
    });
    let frames = futures::stream::poll_fn(move |cx| queue.poll_recv(cx).map(|piece| piece.map(|p| Ok(Frame::data(p)))));
    let mut response = Response::new(StreamBody::new(frames).boxed());
    let kind = if watch { "application/json" } else { "text/plain" };
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
