//! exec and attach over a websocket: `v5.channel.k8s.io` (and v4 for older clients). The first byte of a message names its channel.

use super::http::{Body, plain};
use super::owner::Handle;
use crate::sandbox::call::{Call, Refusal, StreamId, StreamInput, StreamOutput};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};

/// Channels of the remote command protocol.
const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;

/// In order of preference.
const PROTOCOLS: &[&str] = &["v5.channel.k8s.io", "v4.channel.k8s.io"];
/// kubectl reads messages of at most 32 KiB and one byte.
const PAYLOAD: usize = 32 * 1024;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Whether a request asks for a websocket.
pub(super) fn is_upgrade(request: &Request<Incoming>) -> bool {
    request.headers().get(UPGRADE).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Opens the stream first: what is wrong with the request is answered as a plain Status, as kubectl expects it.
pub(super) async fn accept(mut request: Request<Incoming>, call: Call, handle: Handle) -> Response<Body> {
    let offered = call.header_value("sec-websocket-protocol").unwrap_or("").to_string();
    let Some(protocol) = PROTOCOLS.iter().find(|p| offered.split(',').any(|o| o.trim() == **p)) else {
        let what = if call.path.ends_with("/portforward") {
            "kubectl port-forward".to_string()
        } else {
            format!("the protocol {offered}")
        };
        return plain(Refusal::not_simulated(&what).answer());
    };
    let Some(key) = call.header_value("sec-websocket-key").map(|key| derive_accept_key(key.as_bytes())) else {
        return plain(Refusal::bad_request("Upgrade request required").answer());
    };
    if !call.is_stream() {
        return plain(Refusal::bad_request("this resource cannot be upgraded").answer());
    }
    let (stdin, tty) = (call.flag("stdin"), call.flag("tty"));
    let id = match handle.open(call).await {
        Ok(id) => id,
        Err(answer) => return plain(answer),
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => {
                let config = WebSocketConfig::default().max_message_size(Some(4 << 20));
                let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
                converse(socket, &handle, id, stdin, tty).await;
            }
            Err(_) => handle.close(id).await,
        }
    });
    switching(&key, protocol)
}

fn switching(key: &str, protocol: &'static str) -> Response<Body> {
    let mut response = Response::new(Empty::<Bytes>::new().boxed());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Ok(key) = HeaderValue::from_str(key) {
        headers.insert("sec-websocket-accept", key);
    }
    headers.insert("sec-websocket-protocol", HeaderValue::from_static(protocol));
    response
}

/// Both directions until the process ends or the client leaves.
async fn converse(socket: Socket, handle: &Handle, id: StreamId, stdin: bool, tty: bool) {
    let (mut out, mut messages) = socket.split();
    if !stdin && !tty {
        let _ = handle.input(id, StreamInput::Eof).await;
    }
    // Kept over the turns of the loop: a poll that was asked for must not lose its output.
    let mut next = Box::pin(handle.output(id));
    loop {
        tokio::select! {
            output = &mut next => {
                let last = matches!(output, StreamOutput::Exit(_) | StreamOutput::Failed(_) | StreamOutput::End);
                for message in outgoing(output) {
                    if out.send(message).await.is_err() {
                        return handle.close(id).await;
                    }
                }
                if last {
                    let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
                    let _ = out.send(Message::Close(Some(frame))).await;
                    drain(&mut messages).await;
                    return;
                }
                next = Box::pin(handle.output(id));
            }
            message = messages.next() => match message {
                Some(Ok(Message::Binary(bytes))) => {
                    let Some(input) = incoming(&bytes) else { continue };
                    if handle.input(id, input).await.is_err() {
                        return;
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return handle.close(id).await,
                Some(Ok(_)) => (),
            }
        }
    }
}

/// Lets the client answer the close frame, for a moment.
async fn drain(messages: &mut futures::stream::SplitStream<Socket>) {
    let rest = async { while let Some(Ok(_)) = messages.next().await {} };
    let _ = tokio::time::timeout(std::time::Duration::from_secs(2), rest).await;
}

fn outgoing(output: StreamOutput) -> Vec<Message> {
    let on = |channel: u8, bytes: &[u8]| -> Vec<Message> {
        bytes.chunks(PAYLOAD).map(|chunk| Message::Binary([&[channel], chunk].concat().into())).collect()
    };
    match output {
        StreamOutput::Stdout(bytes) => on(STDOUT, &bytes),
        StreamOutput::Stderr(bytes) => on(STDERR, &bytes),
        StreamOutput::Exit(code) => on(STATUS, status(code).to_string().as_bytes()),
        StreamOutput::Failed(refusal) => on(STATUS, refusal.status().to_string().as_bytes()),
        StreamOutput::Body(_) | StreamOutput::Pending { .. } | StreamOutput::End => Vec::new(),
    }
}

/// The Status that carries an exit code.
fn status(code: i32) -> Value {
    if code == 0 {
        return json!({"metadata": {}, "status": "Success"});
    }
    json!({"metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": format!("command terminated with non-zero exit code: exit status {code}"),
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]}})
}

fn incoming(bytes: &[u8]) -> Option<StreamInput> {
    let (channel, payload) = bytes.split_first()?;
    match *channel {
        STDIN if payload.is_empty() => None,
        STDIN => Some(StreamInput::Bytes(payload.to_vec())),
        CLOSE if payload.first() == Some(&STDIN) => Some(StreamInput::Eof),
        RESIZE => {
            let size: Value = serde_json::from_slice(payload).ok()?;
            let number = |name: &str| size[name].as_u64().map(|n| n.min(u64::from(u16::MAX)) as u16);
            Some(StreamInput::Resize { cols: number("Width")?, rows: number("Height")? })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_become_input() {
        assert_eq!(incoming(b"\x00ls\n"), Some(StreamInput::Bytes(b"ls\n".to_vec())));
        assert_eq!(incoming(&[255, 0]), Some(StreamInput::Eof));
        assert_eq!(incoming(b"\x04{\"Width\":100,\"Height\":30}\n"), Some(StreamInput::Resize { cols: 100, rows: 30 }));
        assert_eq!(incoming(b""), None);
        assert_eq!(incoming(b"\x04rubbish"), None);
        assert_eq!(incoming(b"\x09x"), None);
    }

    #[test]
    fn exit_codes_travel_in_the_status() {
        assert_eq!(status(7)["details"]["causes"][0]["message"], "7");
        assert_eq!(status(0)["status"], "Success");
        let long = outgoing(StreamOutput::Stdout(vec![b'x'; PAYLOAD + 1]));
        assert_eq!(long.len(), 2);
    }
}
