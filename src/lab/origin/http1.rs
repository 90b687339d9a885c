//! HTTP/1 with a client who may be slow, talkative or confused.

use super::head::{self, Body, Head, Read};
use super::http2;
use super::limits::Limits;
use super::reader::Reader;
use super::rewind::Rewind;
use super::talk::{Answered, Question, Talk};
use crate::base::clock::Stopwatch;
use crate::outside::answer::reason;
use crate::outside::wire::{HttpVersion, Response};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// How an HTTP/2 client that expects no negotiation begins (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes of a chunk's first line, or of a trailer.
const LINE: usize = 4 << 10;
/// Trailers of a chunked body.
const TRAILERS: usize = 32;

/// Where HTTP/1 is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Plain,
    InTls,
    /// In the clear on a port for TLS.
    Misplaced,
}

/// What comes next on a connection.
enum Next {
    Head(Box<Head>),
    /// It is HTTP/2.
    Preface,
    /// Bytes that are answered with this status, and then nothing more.
    Wrong(u16),
    Over,
}

/// Serves one request after the other until either side ends.
pub async fn serve<S>(mut reader: Reader<S>, talk: &Talk, manner: Manner)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    for n in 0..talk.house.limits.requests {
        let next = next(&mut reader, talk, n == 0, manner).await;
        let took = Stopwatch::start();
        let keep = match next {
            Next::Over => break,
            Next::Preface => {
                let first = reader.have.split().freeze();
                return http2::serve(Rewind::new(first, reader.stream), talk).await;
            }
            Next::Wrong(_) if manner == Manner::Misplaced => {
                talk.note("tcp", "neither TLS nor HTTP came", took);
                break;
            }
            Next::Wrong(status) => refuse(&mut reader, talk, status, took).await,
            Next::Head(head) if manner == Manner::Misplaced => misplaced(&mut reader, talk, &head, took).await,
            Next::Head(head) => exchange(&mut reader, talk, &head, took).await,
        };
        if !keep || talk.house.stop.is_cancelled() {
            break;
        }
    }
    reader.part().await;
}

/// Waits for a request's head. The order to end is obeyed between requests.
async fn next<S>(reader: &mut Reader<S>, talk: &Talk, first: bool, manner: Manner) -> Next
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limits = &talk.house.limits;
    if reader.have.is_empty() {
        let patience = if first { limits.greeting } else { limits.idle };
        let more = tokio::select! {
            more = timeout(patience, reader.more()) => more,
            () = talk.house.stop.cancelled() => return Next::Over,
        };
        if !matches!(more, Ok(Ok(true))) {
            return Next::Over;
        }
    }
    let preface = first && manner == Manner::Plain;
    timeout(limits.head, whole_head(reader, limits, preface)).await.unwrap_or(Next::Wrong(408))
}

async fn whole_head<S>(reader: &mut Reader<S>, limits: &Limits, preface: bool) -> Next
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let have = &reader.have[..];
        if preface && have.starts_with(PREFACE) {
            return Next::Preface;
        }
        if !(preface && PREFACE.starts_with(have)) {
            match head::read(have, limits) {
                Read::Head(head, length) => {
                    let _ = reader.have.split_to(length);
                    return Next::Head(head);
                }
                Read::Wrong(status) => return Next::Wrong(status),
                Read::More => {}
            }
        }
        if !matches!(reader.more().await, Ok(true)) {
            return Next::Over;
        }
    }
}

/// One request and its answer. Says whether another may follow.
async fn exchange<S>(reader: &mut Reader<S>, talk: &Talk, head: &Head, took: Stopwatch) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limits = &talk.house.limits;
    if head.waits && head.body != Body::Length(0) && !send(reader, limits, b"HTTP/1.1 100 Continue\r\n\r\n").await {
        return false;
    }
    match timeout(limits.body, leave_out(reader, head.body, limits.body_bytes)).await {
        Ok(Ok(())) => {}
        Ok(Err(status)) => return refuse(reader, talk, status, took).await,
        Err(_) => return refuse(reader, talk, 408, took).await,
    }
    let reply = talk.reply(&question(head));
    tokio::time::sleep(reply.wait).await;
    let keep = head.keep && framed(head, &reply.response) && !head::says(&reply.response.headers, "close");
    let sent = send(reader, limits, &bytes(&reply.response)).await;
    let answered = Answered {
        status: if sent { reply.response.status } else { 0 },
        bytes: reply.response.body.len() as u64,
        took,
        user_agent: head::all(&head.headers, "user-agent").next().unwrap_or_default(),
    };
    talk.tell(&reply.site.id, protocol(head), &[&head.method, &head.authority, &head.path], answered);
    keep && sent
}

/// Reads past the body.
///
/// # Errors
/// The status for a body that is too long, damaged or cut off.
async fn leave_out<S>(reader: &mut Reader<S>, body: Body, most: u64) -> Result<(), u16>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match body {
        Body::Length(length) if length > most => Err(413),
        Body::Length(length) => {
            if matches!(reader.skip(length).await, Ok(true)) {
                Ok(())
            } else {
                Err(400)
            }
        }
        Body::Chunked => leave_out_chunks(reader, most).await,
    }
}

async fn leave_out_chunks<S>(reader: &mut Reader<S>, most: u64) -> Result<(), u16>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut all = 0u64;
    loop {
        let Ok(Some(line)) = reader.line(LINE).await else { return Err(400) };
        let size = head::chunk(&line).ok_or(400u16)?;
        if size == 0 {
            break;
        }
        // Each chunk counts for its own line too: a body of a million chunks of one byte is no small body.
        all = all.saturating_add(size).saturating_add(line.len() as u64);
        if all > most {
            return Err(413);
        }
        if !matches!(reader.skip(size).await, Ok(true)) || !matches!(reader.line(2).await, Ok(Some(end)) if end.is_empty()) {
            return Err(400);
        }
    }
    for _ in 0..TRAILERS {
        match reader.line(LINE).await {
            Ok(Some(line)) if line.is_empty() => return Ok(()),
            Ok(Some(_)) => {}
            _ => return Err(400),
        }
    }
    Err(431)
}

/// Answers what is no proper request; nothing may follow it.
async fn refuse<S>(reader: &mut Reader<S>, talk: &Talk, status: u16, took: Stopwatch) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let text = format!("HTTP/1.1 {status} {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", reason(status));
    send(reader, &talk.house.limits, text.as_bytes()).await;
    talk.tell(&talk.here().id, "http/1.1", &["no proper request"], Answered { status, bytes: 0, took, user_agent: "" });
    false
}

/// Plain HTTP on a port for TLS.
async fn misplaced<S>(reader: &mut Reader<S>, talk: &Talk, head: &Head, took: Stopwatch) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let response = talk.misplaced(&question(head));
    let answered = Answered {
        status: response.as_ref().map_or(0, |response| response.status),
        bytes: response.as_ref().map_or(0, |response| response.body.len() as u64),
        took,
        user_agent: head::all(&head.headers, "user-agent").next().unwrap_or_default(),
    };
    if let Some(response) = &response {
        send(reader, &talk.house.limits, &bytes(response)).await;
    }
    talk.tell(
        &talk.door.first().id,
        "http/1.1",
        &[&head.method, &head.authority, &head.path, "(plain HTTP, TLS expected)"],
        answered,
    );
    false
}

fn question(head: &Head) -> Question<'_> {
    let Head { method, authority, path, headers, version, .. } = head;
    Question { method, authority, path, headers, version: *version }
}

fn protocol(head: &Head) -> &'static str {
    if head.version == HttpVersion::Http10 { "http/1.0" } else { "http/1.1" }
}

/// Whether the client can tell where the answer ends without the connection's end.
fn framed(head: &Head, response: &Response) -> bool {
    let none = head.method == "HEAD" || matches!(response.status, 204 | 304);
    none || head::all(&response.headers, "content-length").next().is_some()
}

/// The answer as it stands on the wire: names, their case and their order as the data has them.
fn bytes(response: &Response) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {} {}\r\n", response.status, response.reason.as_str()).into_bytes();
    for (name, value) in &response.headers {
        out.extend_from_slice(format!("{}: {}\r\n", one_line(name), one_line(value)).as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&response.body);
    out
}

/// Values may repeat what the client sent.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect()
}

async fn send<S>(reader: &mut Reader<S>, limits: &Limits, bytes: &[u8]) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stream = &mut reader.stream;
    let sent = timeout(limits.stall, async {
        stream.write_all(bytes).await?;
        stream.flush().await
    });
    matches!(sent.await, Ok(Ok(())))
}
