//! exec and attach over a websocket: `v5.channel.k8s.io` and `v4.channel.k8s.io`. First byte of a message = channel: 0 input,
//! 1 output, 2 errors, 3 the final Status, 4 resize, 255 (v5) "this channel's input ends".

use super::actor::{Handle, failure, stop};
use super::forward::{self, Forward};
use super::http::{Body, answer, empty};
use super::pump;
use crate::sandbox::call::{Answer, Call, Refusal, StreamId, StreamInput, StreamOutput};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use hyper::Response;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::time::Duration;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};

/// The largest message taken; kubectl sends 32 KiB.
const MESSAGE_LIMIT: usize = 1 << 20;
/// The largest payload sent in one message (kubectl reads 32 KiB and one byte).
const PAYLOAD: usize = 32 * 1024;
const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

/// Clients of Kubernetes' Go library read from the connection before they have made the streams that they read for, and give up at a
/// message of a stream that they do not know yet. A kubelet is never so quick.
const HEAD_START: Duration = Duration::from_millis(20);

pub type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Answers a request that asks for another protocol.
pub async fn upgrade(call: Call, protocol: &str, upgrade: OnUpgrade, handle: Handle) -> Response<Body> {
    let kind = call.path.rsplit('/').next().unwrap_or("").to_string();
    if !call.is_stream() {
        return answer(Refusal::bad_request("this path does not upgrade").answer());
    }
    if !matches!(kind.as_str(), "exec" | "attach" | "portforward") {
        return answer(Refusal::not_simulated(&format!("{kind} over a websocket")).answer());
    }
    if protocol != "websocket" {
        return answer(refuse_plain(call, &handle).await);
    }
    // What is wrong with the pod or container is said first, as the POST that follows a refusal will say it.
    let checked = call.clone();
    match handle.with(move |world| world.preflight(&checked)).await {
        Ok(Ok(())) => (),
        Ok(Err(refusal)) => return answer(refusal),
        Err(gone) => return answer(failure(&gone)),
    }
    let shaken = match shake(&call, &kind) {
        Ok(shaken) => shaken,
        Err(why) => return answer(Refusal::bad_request(why).answer()),
    };
    let task = match begin(&call, &kind, shaken.protocol, handle).await {
        Ok(task) => task,
        Err(refusal) => return answer(refusal),
    };
    // As client-go names itself: `kubectl/v1.33.0 (linux/amd64) kubernetes/COMMIT`.
    let needs_start = call.header_value("user-agent").is_some_and(|agent| agent.contains(" kubernetes/"));
    tokio::spawn(async move {
        let upgraded = upgrade.await.ok();
        if needs_start {
            tokio::time::sleep(HEAD_START).await;
        }
        let mut socket = None;
        if let Some(upgraded) = upgraded {
            let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_LIMIT)).max_frame_size(Some(MESSAGE_LIMIT));
            socket = Some(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await);
        }
        task.run(socket).await;
    });
    Response::builder()
        .status(101)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-accept", shaken.accept)
        .header("sec-websocket-protocol", shaken.protocol)
        .body(empty())
        .unwrap_or_else(|_| Response::new(empty()))
}

/// An agreed handshake.
struct Shaken {
    protocol: &'static str,
    accept: String,
}

/// Agrees on a protocol.
///
/// # Errors
/// What is wrong with the request.
fn shake(call: &Call, kind: &str) -> Result<Shaken, String> {
    let header = |name: &str| call.header_value(name).unwrap_or("");
    let words = |text: &str| text.split(',').map(|w| w.trim().to_string()).filter(|w| !w.is_empty()).collect::<Vec<_>>();
    if call.method != "GET" {
        return Err(format!("unable to upgrade: a websocket is opened with GET, not {}", call.method));
    }
    if !words(header("connection")).iter().any(|w| w.eq_ignore_ascii_case("upgrade")) {
        return Err("unable to upgrade: missing upgrade headers in request".into());
    }
    if header("sec-websocket-version") != "13" {
        return Err(format!("unable to upgrade: websocket version {:?}, only 13 is spoken", header("sec-websocket-version")));
    }
    let key = header("sec-websocket-key");
    if crate::k8s::base64::decode(key).map_or(true, |bytes| bytes.len() != 16) {
        return Err("unable to upgrade: Sec-WebSocket-Key is missing or not 16 bytes in base64".into());
    }
    let accepted: &[&'static str] = if kind == "portforward" { &[forward::SPDY, PROTOCOLS[0], PROTOCOLS[1]] } else { &PROTOCOLS };
    let offered = words(header("sec-websocket-protocol"));
    let protocol = accepted.iter().find(|p| offered.iter().any(|o| o == *p)).ok_or_else(|| {
        let (offered, accepted) = (offered.join(" "), accepted.join(" "));
        format!("unable to upgrade: unable to negotiate protocol: client supports [{offered}], server accepts [{accepted}]")
    })?;
    Ok(Shaken { protocol, accept: derive_accept_key(key.as_bytes()) })
}

/// What runs on the socket.
enum Task {
    Talk { handle: Handle, id: StreamId },
    Forward(Box<Forward>),
}

/// Opens what the call asks for.
///
/// # Errors
/// The answer to give instead.
async fn begin(call: &Call, kind: &str, protocol: &str, handle: Handle) -> Result<Task, Answer> {
    let copy = call.clone();
    if kind != "portforward" {
        let id = handle.with(move |world| world.open(&copy)).await.map_err(|gone| failure(&gone))??;
        return Ok(Task::Talk { handle, id });
    }
    let ports = match protocol {
        forward::SPDY => None,
        _ => Some(forward::ports(call).map_err(|why| Refusal::bad_request(why).answer())?),
    };
    let uid = handle.with(move |world| world.forwarded_pod(&copy)).await.map_err(|gone| failure(&gone))??;
    Ok(Task::Forward(Box::new(Forward::new(handle, uid, ports))))
}

impl Task {
    async fn run(self, socket: Option<Socket>) {
        match (self, socket) {
            (Task::Talk { handle, id }, socket) => {
                if let Some(mut socket) = socket {
                    let mut stopped = handle.stopped();
                    tokio::select! {
                        () = talk(&mut socket, &handle, id) => (),
                        () = stop(&mut stopped) => close(&mut socket).await,
                    }
                }
                let _ = handle.with(move |world| world.close(id)).await;
            }
            (Task::Forward(forward), Some(mut socket)) => forward.run(&mut socket).await,
            (Task::Forward(_), None) => (),
        }
    }
}

/// What SPDY and plain requests get: the reason why it would not work anyway (the text that kubectl shows), else that only
/// websockets are spoken here.
pub async fn refuse_plain(call: Call, handle: &Handle) -> Answer {
    let kind = call.path.rsplit('/').next().unwrap_or("").to_string();
    let spdy = call.header_value("upgrade").is_some_and(|u| u.to_ascii_lowercase().starts_with("spdy"));
    match handle.with(move |world| world.preflight(&call)).await {
        Err(gone) => failure(&gone),
        Ok(Err(refusal)) => refusal,
        Ok(Ok(())) if spdy => {
            let variable = match kind.as_str() {
                "portforward" => "KUBECTL_PORT_FORWARD_WEBSOCKETS",
                _ => "KUBECTL_REMOTE_COMMAND_WEBSOCKETS",
            };
            Refusal::not_simulated(&format!(
                "{kind} over SPDY; use kubectl 1.31 or newer, kubectl 1.30 with {variable}=true, or egress-lab kubectl"
            ))
            .answer()
        }
        Ok(Ok(())) => Refusal::bad_request("Upgrade request required").answer(),
    }
}

/// Carries bytes both ways until the process ends or the client is gone.
async fn talk(socket: &mut Socket, handle: &Handle, id: StreamId) {
    let mut news = handle.news();
    let mut held: Option<StreamInput> = None;
    let mut held_for = 0u32;
    loop {
        news.borrow_and_update();
        if let Some(input) = held.take() {
            let copy = input.clone();
            match handle.with(move |world| world.input(id, input)).await {
                Ok(true) => (),
                Ok(false) => held = Some(copy),
                Err(_) => return,
            }
        }
        let Some(turn) = pump::turn(handle, id).await else { return };
        for output in turn.outputs {
            match send(socket, output).await {
                Ok(true) => (),
                Ok(false) => return close(socket).await,
                Err(_) => return,
            }
        }
        let Some(left) = turn.pending else { continue };
        tokio::select! {
            message = socket.next(), if held.is_none() => match message {
                Some(Ok(Message::Binary(bytes))) => held = read(&bytes),
                Some(Ok(Message::Close(_))) | Some(Err(_)) | None => return,
                Some(Ok(_)) => (),
            },
            changed = news.changed() => if changed.is_err() { return },
            () = pump::pause(left) => (),
            () = tokio::time::sleep(Duration::from_millis(20)), if held.is_some() => {
                // Nothing is read meanwhile: only a ping tells whether the client is still there.
                held_for += 1;
                if held_for.is_multiple_of(100) && socket.send(Message::Ping(Bytes::new())).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// What a message of the client means; unknown channels are ignored.
fn read(bytes: &[u8]) -> Option<StreamInput> {
    let (channel, rest) = bytes.split_first()?;
    match channel {
        0 if rest.is_empty() => None,
        0 => Some(StreamInput::Bytes(rest.to_vec())),
        4 => {
            let size: Value = serde_json::from_slice(rest).ok()?;
            let side = |key: &str| u16::try_from(size[key].as_u64()?).ok();
            Some(StreamInput::Resize { cols: side("Width")?, rows: side("Height")? })
        }
        255 if rest.first() == Some(&0) => Some(StreamInput::Eof),
        _ => None,
    }
}

/// Sends an output; false after the last one.
async fn send(socket: &mut Socket, output: StreamOutput) -> Result<bool, tokio_tungstenite::tungstenite::Error> {
    let (channel, bytes) = match output {
        StreamOutput::Stdout(bytes) | StreamOutput::Body(bytes) => (1, bytes),
        StreamOutput::Stderr(bytes) => (2, bytes),
        StreamOutput::Pending { .. } => return Ok(true),
        StreamOutput::End => return Ok(false),
        StreamOutput::Exit(code) => {
            message(socket, 3, exit_status(code).to_string().as_bytes()).await?;
            return Ok(false);
        }
        StreamOutput::Failed(refusal) => {
            message(socket, 3, refusal.status().to_string().as_bytes()).await?;
            return Ok(false);
        }
    };
    for part in bytes.chunks(PAYLOAD) {
        message(socket, channel, part).await?;
    }
    Ok(true)
}

async fn message(socket: &mut Socket, channel: u8, bytes: &[u8]) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let mut whole = Vec::with_capacity(bytes.len() + 1);
    whole.push(channel);
    whole.extend_from_slice(bytes);
    socket.send(Message::Binary(Bytes::from(whole))).await
}

/// The Status of channel 3.
fn exit_status(code: i32) -> Value {
    match code {
        0 => json!({"metadata": {}, "status": "Success"}),
        code => json!({
            "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
            "message": format!("command terminated with non-zero exit code: exit status {code}"),
            "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
        }),
    }
}

/// The mandatory end: a Close frame with code 1000, then the client's own for a moment.
pub async fn close(socket: &mut Socket) {
    let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    let ending = async {
        if socket.close(Some(frame)).await.is_ok() {
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), ending).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_by_channel() {
        for (bytes, input) in [
            (&b"\x00ab"[..], Some(StreamInput::Bytes(b"ab".to_vec()))),
            (b"\x04{\"Width\":80,\"Height\":24}\n", Some(StreamInput::Resize { cols: 80, rows: 24 })),
            (b"\xff\x00", Some(StreamInput::Eof)),
            (b"\xff\x01", None),
            (b"\x04junk", None),
            (b"", None),
        ] {
            assert_eq!(read(bytes), input);
        }
    }
}
