//! A plain HTTP/1.1 client over TLS: what a server really sends.

use egress_lab::sandbox::serve::Server;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What came back.
#[derive(Debug, Default, Clone)]
pub struct Response {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    pub fn header(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or(serde_json::Value::Null)
    }
}

/// A client of one server.
pub struct Client {
    address: std::net::SocketAddr,
    connector: tokio_rustls::TlsConnector,
    token: String,
}

impl Client {
    pub fn new(server: &Server, token: &str) -> Client {
        let kubeconfig = kube::config::Kubeconfig::read_from(server.kubeconfig()).unwrap();
        let data = kubeconfig.clusters[0].cluster.as_ref().unwrap().certificate_authority_data.clone().unwrap();
        let pem = egress_lab::k8s::base64::decode(&data).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        use rustls::pki_types::pem::PemObject;
        roots.add(rustls::pki_types::CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let tls = tls.with_root_certificates(roots).with_no_client_auth();
        Client {
            address: server.address(),
            connector: tokio_rustls::TlsConnector::from(std::sync::Arc::new(tls)),
            token: token.into(),
        }
    }

    /// The same client with another bearer token.
    pub fn with_token(&self, token: &str) -> Client {
        Client { address: self.address, connector: self.connector.clone(), token: token.into() }
    }

    /// A stream, read to its end.
    pub async fn wait(&self, method: &str, target: &str) -> Response {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n",
            self.token
        );
        self.exchange(head.as_bytes(), Duration::from_secs(20)).await
    }

    /// One request on a connection of its own; a stream is read until nothing has come for a while.
    pub async fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
            head.push_str(&format!("Authorization: Bearer {}\r\n", self.token));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        let mut bytes = (head + "\r\n").into_bytes();
        bytes.extend_from_slice(body);
        self.raw(&bytes).await
    }

    /// Bytes as they are.
    pub async fn raw(&self, request: &[u8]) -> Response {
        self.exchange(request, Duration::from_millis(400)).await
    }

    /// `idle`: how long a stream may be silent.
    async fn exchange(&self, request: &[u8], idle: Duration) -> Response {
        let stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let mut stream = self.connector.connect("127.0.0.1".try_into().unwrap(), stream).await.unwrap();
        stream.write_all(request).await.unwrap();
        let (mut answer, mut buffer) = (Vec::new(), vec![0; 65_536]);
        let mut patience = Duration::from_secs(20);
        while let Ok(Ok(n @ 1..)) = tokio::time::timeout(patience, stream.read(&mut buffer)).await {
            answer.extend_from_slice(&buffer[..n]);
            let text = String::from_utf8_lossy(&answer);
            if text.contains("transfer-encoding: chunked\r\n") {
                patience = idle;
            }
        }
        parse(&answer)
    }
}

fn parse(bytes: &[u8]) -> Response {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(bytes.len());
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|l| l.split(' ').nth(1)).and_then(|s| s.parse().ok()).unwrap_or(0);
    let headers: Vec<(String, String)> =
        lines.filter_map(|l| l.split_once(':')).map(|(n, v)| (n.to_lowercase(), v.trim().to_string())).collect();
    let rest = bytes.get(end + 4..).unwrap_or_default();
    let chunked = headers.iter().any(|(n, v)| n == "transfer-encoding" && v == "chunked");
    let body = if chunked { unchunk(rest) } else { rest.to_vec() };
    Response { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(line) = rest.windows(2).position(|w| w == b"\r\n") {
        let size = std::str::from_utf8(&rest[..line]).ok().and_then(|s| usize::from_str_radix(s, 16).ok()).unwrap_or(0);
        if size == 0 || rest.len() < line + 2 + size {
            break;
        }
        body.extend_from_slice(&rest[line + 2..line + 2 + size]);
        rest = rest.get(line + 4 + size..).unwrap_or_default();
    }
    body
}
