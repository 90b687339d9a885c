//! A server among people who mean it ill, or whose programs are broken: nothing they send ends it, fills it or slows the others down.
//!
//! The program runs as a process of its own, so that its memory can be measured. `EGRESS_LAB_LONG=1` asks for the full numbers.

mod many;
mod requests;

use crate::program::{Home, Served};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A server and the way to it.
pub struct Target {
    served: std::sync::Mutex<Served>,
    pub address: SocketAddr,
    connector: tokio_rustls::TlsConnector,
    token: String,
    _home: Home,
}

impl Target {
    pub async fn start() -> Target {
        let home = Home::new();
        let served = Served::start(&home, &[], 2);
        let (address, connector, token) = way(served.kubeconfig()).await;
        Target { served: served.into(), address, connector, token, _home: home }
    }

    pub async fn connect(&self) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        self.connector.connect("127.0.0.1".try_into().unwrap(), stream).await.unwrap()
    }

    /// The head of a request with the credential.
    pub fn head(&self, line: &str, more: &str) -> String {
        format!("{line} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n{more}\r\n", self.token)
    }

    /// Resident memory of the server, in MiB.
    pub fn memory(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/statm", self.served.lock().unwrap().id())).unwrap_or_default();
        text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) / 256
    }

    /// How long an ordinary request on a new connection takes. Fails the test when it is not answered well.
    pub async fn ordinary(&self) -> Duration {
        let start = Instant::now();
        let mut stream = self.connect().await;
        let request = self.head("GET /api/v1/namespaces/default", "Connection: close\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = rest(&mut stream, 10).await.expect("an ordinary request is answered");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        start.elapsed()
    }

    pub fn runs(&self) -> bool {
        self.served.lock().unwrap().runs()
    }
}

async fn way(path: &Path) -> (SocketAddr, tokio_rustls::TlsConnector, String) {
    let kubeconfig = kube::config::Kubeconfig::read_from(path).unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    let token = text.lines().find_map(|line| line.trim().strip_prefix("token: ")).unwrap().to_string();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await.unwrap();
    let mut roots = rustls::RootCertStore::empty();
    for der in config.root_cert.unwrap() {
        roots.add(der.into()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let tls = tls.with_root_certificates(roots).with_no_client_auth();
    let address = config.cluster_url.authority().unwrap().as_str().parse().unwrap();
    (address, Arc::new(tls).into(), token)
}

/// What comes until the other side closes, `None` when it does not within so many seconds.
pub async fn rest(stream: &mut (impl AsyncReadExt + Unpin), seconds: u64) -> Option<String> {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(seconds), stream.read_to_end(&mut bytes)).await;
    read.is_ok().then(|| String::from_utf8_lossy(&bytes).into_owned())
}

/// The full number when it is asked for, a small one otherwise.
pub fn number(full: usize, small: usize) -> usize {
    if std::env::var_os("EGRESS_LAB_LONG").is_some() { full } else { small }
}
