//! HTTP/2, by ALPN inside TLS or with prior knowledge in the clear.

use super::limits::Limits;
use super::talk::{Answered, Question, Talk};
use crate::base::clock::Stopwatch;
use crate::base::shared::Text;
use crate::outside::wire::{Header, HttpVersion, Response};
use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};

/// Headers that belong to one connection of HTTP/1 and may not stand in HTTP/2 (RFC 9113 section 8.2.2).
const OF_CONNECTION: [&str; 5] = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// Serves streams until either side ends.
pub async fn serve<S>(stream: S, talk: &Talk)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let limits = &talk.house.limits;
    let mut builder = Builder::new();
    builder.max_concurrent_streams(limits.streams).max_header_list_size(limits.head_bytes as u32);
    builder.max_send_buffer_size(256 << 10);
    let took = Stopwatch::start();
    let mut connection = match timeout(limits.greeting, builder.handshake::<_, Bytes>(stream)).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(why)) => return talk.note("h2", &format!("HTTP/2 failed: {why}"), took),
        Err(_) => return talk.note("h2", "HTTP/2 failed: it took too long", took),
    };
    let busy = Arc::new(AtomicUsize::new(0));
    let (mut requests, mut ending) = (0, false);
    loop {
        let next = tokio::select! {
            next = connection.accept() => next,
            () = talk.house.stop.cancelled(), if !ending => { connection.graceful_shutdown(); ending = true; continue }
            () = sleep(limits.idle) => match busy.load(Ordering::Relaxed) {
                0 if ending => return,
                0 => { connection.graceful_shutdown(); ending = true; continue }
                _ => continue,
            },
        };
        let (request, respond) = match next {
            Some(Ok(stream)) => stream,
            Some(Err(why)) if !why.is_io() => return talk.note("h2", &format!("HTTP/2 ended: {why}"), took),
            _ => return,
        };
        requests += 1;
        if requests == limits.requests && !ending {
            connection.graceful_shutdown();
            ending = true;
        }
        let (talk, guard) = (talk.clone(), Busy::one_more(&busy));
        let tasks = talk.house.tasks.clone();
        tasks.spawn(async move {
            let kill = talk.house.kill.clone();
            tokio::select! {
                () = exchange(request, respond, &talk) => {}
                () = kill.cancelled() => {}
            }
            drop(guard);
        });
    }
}

/// Counts a stream while it is served.
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn one_more(count: &Arc<AtomicUsize>) -> Busy {
        count.fetch_add(1, Ordering::Relaxed);
        Busy(count.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn exchange(request: http::Request<RecvStream>, mut respond: SendResponse<Bytes>, talk: &Talk) {
    let (took, limits) = (Stopwatch::start(), &talk.house.limits);
    let (parts, body) = request.into_parts();
    match timeout(limits.body, leave_out(body, limits)).await {
        Ok(true) => {}
        _ => return respond.send_reset(Reason::CANCEL),
    }
    let headers: Vec<Header> = parts.headers.iter().map(|(name, value)| (Text::new(name.as_str()), text(value))).collect();
    let host = || super::head::all(&headers, "host").next().unwrap_or_default().to_string();
    let authority = parts.uri.authority().map_or_else(host, |authority| authority.to_string());
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let method = parts.method.as_str();
    let question = Question { method, authority: &authority, path, headers: &headers, version: HttpVersion::Http2 };
    let reply = talk.reply(&question);
    sleep(reply.wait).await;
    let sent = send(&mut respond, &reply.response);
    let answered = Answered {
        status: if sent { reply.response.status } else { 0 },
        bytes: reply.response.body.len() as u64,
        took,
        user_agent: super::head::all(&headers, "user-agent").next().unwrap_or_default(),
    };
    talk.tell(&reply.site.id, "h2", &[method, &authority, path], answered);
}

/// Reads past the body. `false`: it is too long or cut off.
async fn leave_out(mut body: RecvStream, limits: &Limits) -> bool {
    let mut all = 0u64;
    while let Some(piece) = body.data().await {
        let Ok(piece) = piece else { return false };
        all += piece.len() as u64;
        if all > limits.body_bytes || body.flow_control().release_capacity(piece.len()).is_err() {
            return false;
        }
    }
    true
}

fn send(respond: &mut SendResponse<Bytes>, response: &Response) -> bool {
    let mut head = http::Response::builder().status(response.status);
    for (name, value) in &response.headers {
        let name = name.to_ascii_lowercase();
        // What cannot stand in a header comes from the client's own request; leaving it out is all that can be done.
        if let Ok(value) = http::HeaderValue::from_bytes(value.as_bytes())
            && !OF_CONNECTION.contains(&name.as_str())
        {
            head = head.header(name, value);
        }
    }
    let Ok(head) = head.body(()) else { return false };
    let body = Bytes::copy_from_slice(&response.body);
    match respond.send_response(head, body.is_empty()) {
        Ok(_) if body.is_empty() => true,
        Ok(mut stream) => stream.send_data(body, true).is_ok(),
        Err(_) => false,
    }
}

fn text(value: &http::HeaderValue) -> Text {
    String::from_utf8_lossy(value.as_bytes()).into_owned().into()
}
