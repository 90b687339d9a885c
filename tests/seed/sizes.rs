//! The sizes of a terminal reach the API server as kubectl sends them.

use super::kit::{Terminal, lab_terminal};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::{Message, accept_hdr};

const POD: &str = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"test","namespace":"default"},
"spec":{"containers":[{"name":"test","image":"i"}]},"status":{"phase":"Running"}}"#;
const RESOURCES: &str = r#"{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","items":[{"metadata":{},"versions":[
{"version":"v1","resources":[{"resource":"pods","responseKind":{"group":"","version":"v1","kind":"Pod"},"scope":"Namespaced",
"singularResource":"pod","verbs":["get"]}]}]}]}"#;
const GROUPS: &str = r#"{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","items":[]}"#;
const WAIT: Duration = Duration::from_secs(20);

/// An API server with one pod; tells every websocket message that it gets.
fn server(told: Sender<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(16) {
            let told = told.clone();
            std::thread::spawn(move || answer(stream.unwrap(), &told));
        }
    });
    format!("http://{address}")
}

fn plain(request: &str) -> String {
    let body = match request.split([' ', '?']).nth(1) {
        Some("/api") => RESOURCES,
        Some("/apis") => GROUPS,
        _ => POD,
    };
    let kind = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn answer(mut stream: TcpStream, told: &Sender<Vec<u8>>) {
    let mut head = [0; 4096];
    let read = stream.peek(&mut head).unwrap();
    let text = String::from_utf8_lossy(&head[..read]).to_lowercase();
    if !text.contains("upgrade: websocket") {
        let _ = stream.read(&mut head).unwrap();
        return stream.write_all(plain(&text).as_bytes()).unwrap();
    }
    #[expect(clippy::result_large_err, reason = "the library's own signature")]
    let protocol = |_: &Request, mut response: Response| {
        response.headers_mut().insert("sec-websocket-protocol", "v5.channel.k8s.io".parse().unwrap());
        Ok(response)
    };
    let mut socket = accept_hdr(stream, protocol).unwrap();
    while let Ok(Message::Binary(bytes)) = socket.read() {
        let over = bytes.first() == Some(&0);
        told.send(bytes.to_vec()).unwrap();
        if over {
            let status = b"\x03{\"status\":\"Success\"}".to_vec();
            socket.send(Message::Binary(status.into())).unwrap();
            return drop(socket.close(None));
        }
    }
}

fn next(heard: &Receiver<Vec<u8>>, shell: &mut Terminal) -> String {
    let bytes = heard.recv_timeout(WAIT).unwrap_or_else(|_| panic!("nothing was sent: {:?}", shell.end()));
    String::from_utf8(bytes).unwrap()
}

#[test]
fn each_size_of_the_terminal_is_sent() {
    let (told, heard) = channel();
    let url = server(told);
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("kubeconfig");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: c, cluster: {{server: '{url}'}}}}]\n\
         users: [{{name: u, user: {{}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n"
    );
    std::fs::write(&file, text).unwrap();
    let mut shell =
        lab_terminal(&["kubectl", "exec", "-ti", "test", "--", "sh"], &[("KUBECONFIG", file), ("HOME", home.path().into())]);
    assert_eq!(next(&heard, &mut shell), "\u{4}{\"Width\":80,\"Height\":24}\n");
    shell.resize(100, 30);
    assert_eq!(next(&heard, &mut shell), "\u{4}{\"Width\":100,\"Height\":30}\n");
    shell.keys("\u{3}");
    assert_eq!(next(&heard, &mut shell), "\0\u{3}");
    assert_eq!(shell.end(), (String::new(), 0));
}
