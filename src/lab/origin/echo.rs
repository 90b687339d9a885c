//! Ports that send back what they get.

use super::talk::{Answered, Talk};
use crate::base::clock::Stopwatch;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Bytes held at a time.
const STEP: usize = 16 << 10;

/// Sends back what comes until the client ends, is silent for too long or has sent too much.
pub async fn serve(mut stream: TcpStream, talk: &Talk) {
    let (took, limits) = (Stopwatch::start(), talk.house.limits);
    let site = talk.door.first().clone();
    tokio::time::sleep(Duration::from_millis(talk.house.latency_ms(&site))).await;
    let (mut buffer, mut bytes) = (vec![0; STEP], 0u64);
    let why = loop {
        let read = tokio::select! {
            read = timeout(limits.idle, stream.read(&mut buffer)) => read,
            () = talk.house.stop.cancelled() => break "echo ended: the server ends",
        };
        let count = match read {
            Ok(Ok(0)) | Ok(Err(_)) => break "echo",
            Ok(Ok(count)) => count,
            Err(_) => break "echo ended: silent for too long",
        };
        if !matches!(timeout(limits.stall, stream.write_all(&buffer[..count])).await, Ok(Ok(()))) {
            break "echo ended: the client does not read";
        }
        bytes += count as u64;
        if bytes >= limits.echo_bytes {
            break "echo ended: too many bytes";
        }
    };
    let _ = stream.shutdown().await;
    talk.tell(&site.id, "bytes", &[why], Answered { status: 0, bytes, took, user_agent: "" });
}
