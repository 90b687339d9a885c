//! A client that asks and waits, on a pipe in memory or over TLS, on one connection that is kept.

use bytes::Bytes;
use egress_lab::sandbox::serve::{Handle, Local};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::net::SocketAddr;
use std::sync::Arc;

/// How clients reach a world.
#[derive(Clone)]
pub enum Road {
    Pipe(Handle),
    Tls { address: SocketAddr, connector: tokio_rustls::TlsConnector, token: Arc<str> },
}

impl Road {
    /// HTTPS with the world's own CA and token.
    pub fn tls(address: SocketAddr, ca_pem: &str, token: &str) -> Road {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).expect("PEM")).expect("a CA");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("TLS");
        let tls = tls.with_root_certificates(roots).with_no_client_auth();
        Road::Tls { address, connector: Arc::new(tls).into(), token: token.into() }
    }

    /// A new connection.
    pub async fn connect(&self) -> Client {
        let (sender, token) = match self {
            Road::Pipe(handle) => (shake(Local::new(handle.clone()).connect()).await, None),
            Road::Tls { address, connector, token } => {
                let stream = tokio::net::TcpStream::connect(address).await.expect("connects");
                stream.set_nodelay(true).expect("a socket");
                let stream = connector.connect("127.0.0.1".try_into().expect("a name"), stream).await.expect("greets");
                (shake(stream).await, Some(format!("Bearer {token}")))
            }
        };
        Client { sender, token }
    }

    /// So many connections.
    pub async fn clients(&self, count: usize) -> Vec<Client> {
        let mut clients = Vec::new();
        for _ in 0..count {
            clients.push(self.connect().await);
        }
        clients
    }
}

async fn shake<S>(stream: S) -> SendRequest<Full<Bytes>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
    tokio::spawn(connection);
    sender
}

/// What is asked.
pub struct Ask {
    pub method: &'static str,
    pub path: String,
    pub media: &'static str,
    pub body: String,
}

impl Ask {
    /// A GET.
    pub fn get(path: impl Into<String>) -> Ask {
        Ask { method: "GET", path: path.into(), media: "application/json", body: String::new() }
    }

    /// A POST of JSON.
    pub fn post(path: impl Into<String>, body: String) -> Ask {
        Ask { method: "POST", path: path.into(), media: "application/json", body }
    }
}

/// One connection.
pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    token: Option<String>,
}

impl Client {
    /// Asks; the answer's body when it is good.
    pub async fn ask(&mut self, ask: Ask) -> Bytes {
        let path = ask.path.clone();
        let response = self.send(ask).await;
        let status = response.status();
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        assert!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&body));
        body
    }

    /// Asks for a stream.
    pub async fn open(&mut self, path: String) -> Incoming {
        let response = self.send(Ask::get(path)).await;
        assert!(response.status().is_success(), "{}", response.status());
        response.into_body()
    }

    async fn send(&mut self, ask: Ask) -> hyper::Response<Incoming> {
        let mut request = hyper::Request::builder().method(ask.method).uri(ask.path).header("host", "sandbox");
        if let Some(token) = &self.token {
            request = request.header("authorization", token);
        }
        if !ask.body.is_empty() {
            request = request.header("content-type", ask.media);
        }
        self.sender.ready().await.expect("the connection stands");
        self.sender.send_request(request.body(Full::new(Bytes::from(ask.body))).expect("a request")).await.expect("an answer")
    }
}
