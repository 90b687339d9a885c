//! Streams by hand: handshakes that are wrong, old protocols, clients that vanish or never read.

use crate::serve::{WALL, handle, local};
use egress_lab::sandbox::serve::{Handle, Local};
use futures::{SinkExt, StreamExt};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

const EXEC: &str =
    "/api/v1/namespaces/default/pods/test/exec?command=sh&command=-c&command=echo+hi%3B+exit+3&stdout=true&stderr=true";
const KEY: &str = "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n";
const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
const UPGRADE: &str = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n";

async fn ready() -> Handle {
    let handle = handle(WALL);
    crate::serve::pods::ready_pod(&local(&handle)).await;
    handle
}

/// Sends a head; gives the answer's head and the connection.
async fn ask(handle: &Handle, method: &str, path: &str, headers: &str) -> (String, DuplexStream) {
    let mut io = Local::new(handle.clone()).connect();
    io.write_all(format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n").as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tokio::time::timeout(Duration::from_secs(10), io.read_u8()).await.expect("an answer").unwrap());
    }
    (String::from_utf8(head).unwrap(), io)
}

/// The same, with the answer's body.
async fn refused(handle: &Handle, method: &str, path: &str, headers: &str) -> (u16, String) {
    let (head, mut io) = ask(handle, method, path, &format!("{headers}Content-Length: 0\r\n")).await;
    let length = head.to_ascii_lowercase();
    let length = length.lines().find_map(|l| l.strip_prefix("content-length: ")).and_then(|l| l.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    io.read_exact(&mut body).await.unwrap();
    (head[9..12].parse().unwrap(), String::from_utf8(body).unwrap())
}

async fn open(handle: &Handle, path: &str, protocol: &str) -> WebSocketStream<DuplexStream> {
    let headers = format!("{UPGRADE}{VERSION}{KEY}Sec-WebSocket-Protocol: {protocol}\r\n");
    let (head, io) = ask(handle, "GET", path, &headers).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let chosen = protocol.split(',').next().unwrap().trim();
    assert!(
        head.to_ascii_lowercase().contains(&format!("sec-websocket-protocol: {}\r\n", chosen.to_ascii_lowercase())),
        "{head}"
    );
    WebSocketStream::from_raw_socket(io, Role::Client, None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_handshake_is_told_what_is_wrong() {
    let handle = ready().await;
    let forward = "/api/v1/namespaces/default/pods/test/portforward";
    let v5 = "Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n";
    for (method, path, headers, why) in [
        (
            "GET",
            EXEC,
            format!("{UPGRADE}{VERSION}{KEY}"),
            "unable to negotiate protocol: client supports [], server accepts [v5.channel.k8s.io v4.channel.k8s.io]",
        ),
        ("GET", EXEC, format!("{UPGRADE}{VERSION}{KEY}Sec-WebSocket-Protocol: soup\r\n"), "client supports [soup]"),
        ("GET", EXEC, format!("{UPGRADE}{VERSION}{v5}"), "Sec-WebSocket-Key is missing"),
        (
            "GET",
            EXEC,
            format!("{UPGRADE}{VERSION}{v5}Sec-WebSocket-Key: short\r\n"),
            "Sec-WebSocket-Key is missing or not 16 bytes",
        ),
        ("GET", EXEC, format!("{UPGRADE}{KEY}{v5}Sec-WebSocket-Version: 8\r\n"), "only 13 is spoken"),
        ("POST", EXEC, format!("{UPGRADE}{VERSION}{KEY}{v5}"), "opened with GET, not POST"),
        ("GET", EXEC, String::new(), "Upgrade request required"),
        ("GET", EXEC, "Connection: Upgrade\r\nUpgrade: h2c\r\n".into(), "Upgrade request required"),
        ("GET", forward, format!("{UPGRADE}{VERSION}{KEY}{v5}"), "query parameter \\\"port\\\" is required"),
        ("GET", "/api/v1/pods", format!("{UPGRADE}{VERSION}{KEY}{v5}"), "this path does not upgrade"),
    ] {
        let (code, body) = refused(&handle, method, path, &headers).await;
        assert_eq!(code, 400, "{headers}: {body}");
        assert!(body.contains(why) && body.contains("\"reason\":\"BadRequest\""), "{headers}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_is_refused_before_every_upgrade() {
    let handle = ready().await;
    let spdy = "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n";
    let websocket = format!("{UPGRADE}{VERSION}{KEY}Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n");
    for (path, code, why) in [
        ("pods/nosuch/exec?command=ls", 404, "pods \\\"nosuch\\\" not found"),
        ("pods/test/exec?command=ls&container=zz", 400, "container zz is not valid for pod test"),
        ("pods/nosuch/attach", 404, "pods \\\"nosuch\\\" not found"),
        ("pods/nosuch/portforward", 404, "pods \\\"nosuch\\\" not found"),
    ] {
        let path = format!("/api/v1/namespaces/default/{path}");
        let by_websocket = refused(&handle, "GET", &path, &websocket).await;
        assert_eq!(by_websocket.0, code, "{path}: {}", by_websocket.1);
        assert!(by_websocket.1.contains(why), "{path}: {}", by_websocket.1);
        assert_eq!(refused(&handle, "POST", &path, spdy).await, by_websocket, "{path}");
    }
    for (kind, variable) in [("exec?command=ls", "REMOTE_COMMAND"), ("attach", "REMOTE_COMMAND"), ("portforward", "PORT_FORWARD")]
    {
        let (code, body) = refused(&handle, "POST", &format!("/api/v1/namespaces/default/pods/test/{kind}"), spdy).await;
        assert_eq!(code, 501);
        assert!(
            body.contains("use kubectl 1.31 or newer") && body.contains(&format!("KUBECTL_{variable}_WEBSOCKETS=true")),
            "{body}"
        );
        assert!(body.contains("egress-lab kubectl") && body.contains("\"reason\":\"NotImplemented\""), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_protocols_end_with_a_status_and_a_close() {
    let handle = ready().await;
    for protocol in ["v4.channel.k8s.io", "v5.channel.k8s.io", "v5.channel.k8s.io, v4.channel.k8s.io"] {
        let mut socket = open(&handle, EXEC, protocol).await;
        let (mut out, mut status, mut closed) = (Vec::new(), serde_json::Value::Null, None);
        while let Some(Ok(message)) = socket.next().await {
            match message {
                Message::Binary(bytes) if bytes[0] == 1 => out.extend_from_slice(&bytes[1..]),
                Message::Binary(bytes) if bytes[0] == 3 => status = serde_json::from_slice(&bytes[1..]).unwrap(),
                Message::Close(frame) => closed = frame.map(|f| u16::from(f.code)),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((out.as_slice(), closed), (&b"hi\n"[..], Some(1000)), "{protocol}");
        assert_eq!(status["details"]["causes"][0]["message"], "3", "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_vanish_or_never_read_harm_nobody() {
    let handle = ready().await;
    let path = "/api/v1/namespaces/default/pods/test/exec?stdin=true&stdout=true&command=sh&command=-c&command=";
    let mut kept = Vec::new();
    for script in ["while+true%3B+do+echo+x%3B+done", "sleep+100000", "cat"] {
        for vanish in [true, false] {
            let mut socket = open(&handle, &format!("{path}{script}"), "v5.channel.k8s.io").await;
            let piece = [&[0][..], &[b'y'; 32 * 1024]].concat();
            for _ in 0..20 {
                let sent =
                    tokio::time::timeout(Duration::from_millis(20), socket.send(Message::Binary(piece.clone().into()))).await;
                if sent.is_err() {
                    break;
                }
            }
            if !vanish {
                kept.push(socket);
            }
        }
    }
    let mut socket = open(&handle, &format!("{path}echo+alive"), "v5.channel.k8s.io").await;
    let first = tokio::time::timeout(Duration::from_secs(10), socket.next()).await.expect("an answer").unwrap().unwrap();
    assert_eq!(first, Message::Binary(b"\x01alive\n".to_vec().into()));
    drop(kept);
    // Junk on every channel is passed over.
    let mut socket = open(&handle, &format!("{path}read+x%3B+echo+got+%24x"), "v5.channel.k8s.io").await;
    for junk in [&b""[..], b"\x04{}", b"\x04{\"Width\":99999,\"Height\":-1}", b"\xff", b"\xff\x07", b"\x63?", b"\x00"] {
        socket.send(Message::Binary(junk.to_vec().into())).await.unwrap();
    }
    socket.send(Message::Text("text".into())).await.unwrap();
    socket.send(Message::Binary(b"\x00line\n".to_vec().into())).await.unwrap();
    let first = tokio::time::timeout(Duration::from_secs(10), socket.next()).await.expect("an answer").unwrap().unwrap();
    assert_eq!(first, Message::Binary(b"\x01got line\n".to_vec().into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_instead_of_spdy_ends_its_own_connection_only() {
    let handle = ready().await;
    let path = "/api/v1/namespaces/default/pods/test/portforward";
    for garbage in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 64], &[0x80, 3, 0, 1, 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], &[0x80; 4096]]
    {
        let mut socket = open(&handle, path, "SPDY/3.1+portforward.k8s.io").await;
        socket.send(Message::Binary(garbage.to_vec().into())).await.unwrap();
        socket.send(Message::Binary(vec![0; 40].into())).await.unwrap();
        let _ = tokio::time::timeout(Duration::from_millis(300), socket.next()).await;
    }
    let mut socket = open(&handle, path, "SPDY/3.1+portforward.k8s.io").await;
    // A ping comes back as it was.
    let ping = vec![0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 7];
    for part in ping.chunks(5) {
        socket.send(Message::Binary(part.to_vec().into())).await.unwrap();
    }
    let back = tokio::time::timeout(Duration::from_secs(10), socket.next()).await.expect("a ping").unwrap().unwrap();
    assert_eq!(back, Message::Binary(ping.into()));
}
