//! The way of a request through the proxy.

use super::State;
use super::rules::{Fault, Subject};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::{Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// A watch that is cut in its middle has lived so long.
const BEGUN_MS: u64 = 50;

type Reply = Response<UnsyncBoxBody<Bytes, io::Error>>;

/// Takes connections until it is dropped, and its connections with it.
pub async fn serve(listener: tokio::net::TcpListener, acceptor: tokio_rustls::TlsAcceptor, state: Arc<State>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((tcp, _)) = listener.accept().await else { return };
        let (acceptor, state) = (acceptor.clone(), state.clone());
        connections.spawn(async move {
            let _ = tcp.set_nodelay(true);
            let Ok(tls) = acceptor.accept(tcp).await else { return };
            let service = hyper::service::service_fn(move |request| pass(request, state.clone()));
            // An error of the service is a connection that is cut: nothing more is written to it.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tls), service).with_upgrades().await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn pass(request: Request<Incoming>, state: Arc<State>) -> io::Result<Reply> {
    let nth = {
        let mut seen = state.seen.lock().unwrap();
        seen.requests += 1;
        seen.requests
    };
    tokio::time::sleep(Duration::from_millis(state.rules.faults.latency_ms)).await;
    if !knows(&state, &request) {
        state.seen.lock().unwrap().expired += 1;
        return Ok(status(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized", None));
    }
    let upgrade = request.headers().contains_key(header::UPGRADE);
    let uri = request.uri().clone();
    let subject = Subject::of(request.method().as_str(), uri.path(), uri.query().unwrap_or(""), upgrade);
    let Some(subject) = subject else { return forward(request, &state, None, None).await };
    if state.rules.is_forbidden(&subject.verb, &subject.resource) {
        state.seen.lock().unwrap().forbidden.push(format!("{} {}", subject.verb, subject.resource));
        return Ok(status(StatusCode::FORBIDDEN, "Forbidden", &subject.forbidden(), None));
    }
    let fault = state.rules.fault(nth, &subject);
    match fault {
        Some(Fault::CutBefore) => {
            state.seen.lock().unwrap().cut.0 += 1;
            Err(cut())
        }
        Some(fault) if is_answer(fault) => Ok(answered(&state, fault, &subject)),
        fault => forward(request, &state, Some(subject), fault).await,
    }
}

fn cut() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionReset)
}

fn knows(state: &State, request: &Request<Incoming>) -> bool {
    let wanted = format!("Bearer {}", state.token.lock().unwrap());
    request.headers().get(header::AUTHORIZATION).is_some_and(|given| given.as_bytes() == wanted.as_bytes())
}

fn is_answer(fault: Fault) -> bool {
    matches!(fault, Fault::TooMany(_) | Fault::Unavailable | Fault::Gone | Fault::GoneLater | Fault::Webhook)
}

/// A fault that the proxy answers itself.
fn answered(state: &State, fault: Fault, subject: &Subject) -> Reply {
    let mut seen = state.seen.lock().unwrap();
    match fault {
        Fault::TooMany(after) => {
            seen.refused += 1;
            let words = "the server has received too many requests and has asked us to try again later";
            status(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", words, Some(after))
        }
        Fault::Gone => {
            seen.gone += 1;
            status(StatusCode::GONE, "Expired", "too old resource version: 1 (2)", None)
        }
        Fault::GoneLater => {
            seen.gone += 1;
            let object = status_object(StatusCode::GONE, "Expired", "too old resource version: 1 (2)");
            whole(StatusCode::OK, format!("{}\n", json!({"type": "ERROR", "object": object})).into())
        }
        Fault::Webhook => {
            seen.webhooks += 1;
            let words = "Internal error occurred: failed calling webhook \"namespace.sidecar-injector.istio.io\": failed to call \
                         webhook: Post \"https://istiod.istio-system.svc:443/inject?timeout=10s\": no endpoints available for \
                         service \"istiod\"";
            status(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", words, None)
        }
        _ => {
            seen.refused += 1;
            let words = format!("the server is currently unable to handle the request ({} {})", subject.verb, subject.resource);
            status(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", &words, None)
        }
    }
}

fn status_object(code: StatusCode, reason: &str, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason,
        "code": code.as_u16()})
}

fn status(code: StatusCode, reason: &str, message: &str, after: Option<u64>) -> Reply {
    let mut reply = whole(code, status_object(code, reason, message).to_string().into());
    if let Some(after) = after {
        reply.headers_mut().insert(header::RETRY_AFTER, after.into());
    }
    reply
}

fn whole(code: StatusCode, bytes: Bytes) -> Reply {
    let mut reply = Response::new(Full::new(bytes).map_err(|never| match never {}).boxed_unsync());
    *reply.status_mut() = code;
    reply.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    reply
}

/// Sends a request on, and does to the answer what is to be done.
async fn forward(
    mut request: Request<Incoming>,
    state: &Arc<State>,
    subject: Option<Subject>,
    fault: Option<Fault>,
) -> io::Result<Reply> {
    let client_side = request.headers().contains_key(header::UPGRADE).then(|| hyper::upgrade::on(&mut request));
    let (mut head, body) = request.into_parts();
    let bytes = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let review = subject.as_ref().is_some_and(|s| s.resource == "selfsubjectaccessreviews.authorization.k8s.io");
    if review
        && let Ok(review) = serde_json::from_slice::<Value>(&bytes)
        && state.rules.denies(&review)
    {
        return Ok(whole(StatusCode::CREATED, denied(review).to_string().into()));
    }
    if let Some(subject) = subject.as_ref().filter(|subject| subject.is_write()) {
        state.seen.lock().unwrap().writes.push(format!("{} {} {}", subject.verb, subject.resource, subject.name));
    }
    head.headers.insert(header::AUTHORIZATION, format!("Bearer {}", state.upstream.token).parse().unwrap());
    let watch = subject.is_some_and(|subject| subject.verb == "watch");
    let mut answer = ask(state, Request::from_parts(head, Full::new(bytes))).await?;
    match fault {
        Some(Fault::CutAfter) => {
            state.seen.lock().unwrap().cut.1 += 1;
            return Err(cut());
        }
        Some(Fault::CutAmid) if watch => {
            state.seen.lock().unwrap().cut.2 += 1;
            return Ok(answer.map(|body| lived(body, BEGUN_MS, || ())));
        }
        Some(Fault::CutAmid) if answer.status() != StatusCode::SWITCHING_PROTOCOLS => {
            state.seen.lock().unwrap().cut.2 += 1;
            return Ok(halved(answer).await);
        }
        _ => (),
    }
    if let Some(client_side) = client_side.filter(|_| answer.status() == StatusCode::SWITCHING_PROTOCOLS) {
        let server_side = hyper::upgrade::on(&mut answer);
        let amid = fault == Some(Fault::CutAmid);
        tokio::spawn(pump(client_side, server_side, state.clone(), amid));
        return Ok(answer.map(|_| Full::default().map_err(|never| match never {}).boxed_unsync()));
    }
    Ok(match state.rules.faults.watches_ms.filter(|_| watch) {
        Some(life_ms) => {
            let state = state.clone();
            answer.map(|body| lived(body, life_ms, move || state.seen.lock().unwrap().watches_cut += 1))
        }
        None => answer.map(|body| StreamBody::new(pieces(body)).boxed_unsync()),
    })
}

fn denied(mut review: Value) -> Value {
    review["status"] = json!({"allowed": false, "reason": "no rule of this user allows it"});
    review
}

/// One request to the server behind, on a connection of its own.
async fn ask(state: &State, request: Request<Full<Bytes>>) -> io::Result<Response<Incoming>> {
    let tcp = tokio::net::TcpStream::connect(&state.upstream.address).await?;
    tcp.set_nodelay(true)?;
    let name = rustls::pki_types::ServerName::try_from("127.0.0.1").unwrap();
    let tls = state.upstream.tls.connect(name, tcp).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls)).await.map_err(io::Error::other)?;
    tokio::spawn(connection.with_upgrades());
    sender.send_request(request).await.map_err(io::Error::other)
}

/// The first half of an answer, then nothing more. The whole length was promised.
async fn halved(answer: Response<Incoming>) -> Reply {
    let (mut head, body) = answer.into_parts();
    let bytes = body.collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    head.headers.remove(header::TRANSFER_ENCODING);
    head.headers.insert(header::CONTENT_LENGTH, bytes.len().to_string().parse().unwrap());
    let half = bytes.slice(..bytes.len() / 2);
    let pieces = futures::stream::iter([Ok(Frame::data(half)), Err(cut())]);
    Response::from_parts(head, StreamBody::new(pieces).boxed_unsync())
}

fn pieces(body: Incoming) -> impl Stream<Item = io::Result<Frame<Bytes>>> + Send {
    body.into_data_stream().map(|piece| piece.map(Frame::data).map_err(io::Error::other))
}

/// An answer as it comes, cut after its time.
fn lived(body: Incoming, life_ms: u64, at_end: impl FnOnce() + Send + 'static) -> UnsyncBoxBody<Bytes, io::Error> {
    let end = async move {
        tokio::time::sleep(Duration::from_millis(life_ms)).await;
        at_end();
    };
    let cut_off = futures::stream::once(async { Err(cut()) });
    StreamBody::new(pieces(body).take_until(Box::pin(end)).chain(cut_off)).boxed_unsync()
}

/// Carries an upgraded connection; `amid`: cuts it when the command has said something or has ended.
async fn pump(client: hyper::upgrade::OnUpgrade, server: hyper::upgrade::OnUpgrade, state: Arc<State>, amid: bool) {
    let (Ok(client), Ok(server)) = (client.await, server.await) else { return };
    let (mut client, mut server) = (TokioIo::new(client), TokioIo::new(server));
    if !amid {
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        return;
    }
    let mut begun = [0; 1];
    let _ = tokio::io::AsyncReadExt::read(&mut server, &mut begun).await;
    state.seen.lock().unwrap().streams_cut += 1;
    let _ = client.flush().await;
}
