//! Requests that are no requests.

use super::{Target, rest};
use crate::serve::{WALL, handle, server_with};
use egress_lab::sandbox::serve::Limits;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn garbage_ends_its_own_connection_only() {
    let target = Target::start().await;
    let long = "x".repeat(200_000);
    let many = (0..400).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("no HTTP", b"\x00\x01\x02\xff\xfe garbage \r\n\r\n".to_vec()),
        ("another protocol", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00".to_vec()),
        ("TLS in TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        ("a header without colon", target.head("GET /api", "broken\r\n").into_bytes()),
        ("a long path", target.head(&format!("GET /{long}"), "").into_bytes()),
        ("a long header", target.head("GET /api", &format!("x: {long}\r\n")).into_bytes()),
        ("many headers", target.head("GET /api", &many).into_bytes()),
        ("a negative length", target.head("POST /api/v1/namespaces", "Content-Length: -5\r\n").into_bytes()),
        ("two lengths", target.head("POST /api/v1/namespaces", "Content-Length: 5\r\nContent-Length: 7\r\n").into_bytes()),
        (
            "a broken chunk",
            [target.head("POST /api/v1/namespaces", "Transfer-Encoding: chunked\r\n").as_bytes(), b"zz\r\n"].concat(),
        ),
        ("a body that is no text", {
            let head = target.head("POST /api/v1/namespaces", "Content-Length: 4\r\nConnection: close\r\n");
            [head.as_bytes(), b"\xff\xfe\x00\x01"].concat()
        }),
        ("a path that is no text", target.head("GET /api/v1/%ff%00%fe/..%2f..", "Connection: close\r\n").into_bytes()),
    ];
    for (what, bytes) in cases {
        let mut stream = target.connect().await;
        // It may have been refused, and closed, before all of it was sent.
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        let answer = rest(&mut stream, 5).await.unwrap_or_else(|| panic!("{what}: the connection stays open"));
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{what}: {answer}");
    }
    target.ordinary().await;
    assert!(target.runs());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_request_is_not_carried_out() {
    let target = Target::start().await;
    let body = r#"{"metadata":{"name":"cut"}}"#;
    let whole = target.head("POST /api/v1/namespaces", &format!("Content-Length: {}\r\n", body.len())) + body;
    for cut in (0..whole.len()).step_by(7) {
        let mut stream = target.connect().await;
        stream.write_all(&whole.as_bytes()[..cut]).await.unwrap();
        drop(stream);
    }
    let mut stream = target.connect().await;
    stream.write_all(target.head("GET /api/v1/namespaces/cut", "Connection: close\r\n").as_bytes()).await.unwrap();
    let answer = rest(&mut stream, 5).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_one_piece_are_answered_in_order() {
    let target = Target::start().await;
    let mut stream = target.connect().await;
    let names = ["default", "kube-system", "nowhere", "kube-public"];
    let requests: String = (0..100).map(|n| target.head(&format!("GET /api/v1/namespaces/{}", names[n % 4]), "")).collect();
    stream.write_all(requests.as_bytes()).await.unwrap();
    stream.write_all(target.head("GET /version", "Connection: close\r\n").as_bytes()).await.unwrap();
    let answers = rest(&mut stream, 10).await.expect("all is answered, then closed");
    let codes: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    let wanted: Vec<&str> = (0..101).map(|n| if n < 100 && n % 4 == 2 { "404" } else { "200" }).collect();
    assert_eq!(codes, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_credential_no_path_answers_and_nothing_upgrades() {
    let target = Target::start().await;
    let upgrades = [
        "",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n",
        "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n",
    ];
    let pod = "/api/v1/namespaces/default/pods/x";
    let paths = ["/healthz", "/.well-known/egress-lab/forks/1/api", "/apis?watch=1", "/openapi/v2", "/nowhere"].map(String::from);
    let below = ["exec?command=id", "attach", "portforward?ports=80", "log?follow=true"].map(|tail| format!("{pod}/{tail}"));
    for path in paths.iter().chain(&below) {
        for (n, upgrade) in upgrades.iter().enumerate() {
            for method in ["GET", "POST"] {
                for credential in [
                    "",
                    "Authorization: Bearer x\r\n",
                    "Authorization: bearer\r\n",
                    "Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.eA\r\n",
                ] {
                    let mut stream = target.connect().await;
                    let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{credential}{upgrade}\r\n");
                    stream.write_all(request.as_bytes()).await.unwrap();
                    let mut start = [0; 12];
                    stream.read_exact(&mut start).await.unwrap();
                    assert_eq!(&start, b"HTTP/1.1 401", "{method} {path} upgrade {n}");
                }
            }
        }
    }
}

fn short() -> Limits {
    let ms = Duration::from_millis;
    Limits { connections: 64, greeting: ms(300), head: ms(500), body: ms(500), stall: ms(700) }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_senders_are_cut_off() {
    let handle = handle(WALL);
    let (server, identity, connector) = server_with(&handle, short()).await;
    // Says nothing at all, and says nothing that is TLS.
    for greeting in [&b""[..], b"GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(greeting).await.unwrap();
        assert!(rest(&mut stream, 5).await.is_some(), "it is closed");
    }
    let connect = async || {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        connector.connect("127.0.0.1".try_into().unwrap(), stream).await.unwrap()
    };
    // A head that comes byte by byte.
    let mut stream = connect().await;
    let slowly = async {
        for byte in b"GET /api HTTP/1.1\r\nHost: x\r\nA: b\r\nC: d\r\nE: f\r\nG: h\r\n".iter().cycle() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), slowly).await.expect("the connection is closed");
    // A body that never comes whole.
    let mut stream = connect().await;
    let head = format!(
        "POST /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 100\r\n\r\n{{",
        identity.token()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = rest(&mut stream, 5).await.expect("it is closed");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_reads_is_dropped_and_places_come_free() {
    let handle = handle(WALL);
    for n in 0..200 {
        let body = serde_json::json!({"metadata": {"name": format!("m{n}")}, "data": {"text": "x".repeat(20_000)}});
        let call = egress_lab::sandbox::call::Call::new("POST", "/api/v1/namespaces/default/configmaps").json(&body);
        assert_eq!(handle.handle(call).await.status, 201);
    }
    let (server, identity, connector) = server_with(&handle, short()).await;
    let mut streams = Vec::new();
    for n in 0..64 {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        let mut stream = connector.connect("127.0.0.1".try_into().unwrap(), stream).await.unwrap();
        let query = if n % 2 == 0 { "?watch=1" } else { "" };
        let request = format!(
            "GET /api/v1/namespaces/default/configmaps{query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
            identity.token()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        streams.push(stream);
    }
    // All places are taken: the next one waits until those who do not read have gone.
    let late = async {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        let mut stream = connector.connect("127.0.0.1".try_into().unwrap(), stream).await.unwrap();
        let request = format!(
            "GET /version HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
            identity.token()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        rest(&mut stream, 10).await.unwrap()
    };
    let answer = tokio::time::timeout(Duration::from_secs(15), late).await.expect("a place comes free");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
