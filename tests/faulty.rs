//! A bad day of an API server as a tool for tests: a proxy that ends TLS before a real one (here: a served sandbox) and adds latency,
//! cut connections, refusals, short watches, forbidden verbs, expired tokens, webhooks that are not ready. Seeded. Upgrades (exec)
//! pass through. It counts what it did, so that a test can see that there was something to survive.

mod door;
mod rules;
mod tests;
mod way;

pub use rules::{Fault, Faults, Planned};

use rules::Rules;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// The proxy, in this process. Dropping it cuts every connection.
pub struct Faulty {
    folder: tempfile::TempDir,
    state: Arc<State>,
    serving: tokio::task::JoinHandle<()>,
}

/// What connections share.
pub struct State {
    rules: Rules,
    upstream: Upstream,
    /// The token that clients must show.
    token: Mutex<String>,
    seen: Mutex<Seen>,
}

/// The server behind the proxy.
struct Upstream {
    address: String,
    tls: tokio_rustls::TlsConnector,
    token: String,
}

/// What went through, and what was done to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    pub requests: u64,
    /// Connections cut before the server had the request, after it, in the middle of the answer.
    pub cut: (u64, u64, u64),
    /// Answered 429 or 503.
    pub refused: u64,
    pub watches_cut: u64,
    /// Commands in pods that were cut.
    pub streams_cut: u64,
    pub gone: u64,
    pub webhooks: u64,
    pub expired: u64,
    /// `create pods`, for each request that the access rules refused.
    pub forbidden: Vec<String>,
    /// `create pods NAME`, for each write that reached the server.
    pub writes: Vec<String>,
}

impl Faulty {
    /// A proxy before the server of a kubeconfig's first cluster. Its own kubeconfig has one context, `faulty`.
    pub async fn before(kubeconfig: &Path, faults: Faults) -> Faulty {
        let upstream = door::upstream(kubeconfig);
        let (acceptor, ca) = door::acceptor();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let token = "first".to_string();
        let folder = tempfile::tempdir().unwrap();
        door::write_kubeconfig(&folder.path().join("kubeconfig"), &url, &ca, &token);
        let state = Arc::new(State { rules: Rules::new(faults), upstream, token: Mutex::new(token), seen: Mutex::default() });
        let serving = tokio::spawn(way::serve(listener, acceptor, state.clone()));
        Faulty { folder, state, serving }
    }

    /// For KUBECONFIG.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    pub fn seen(&self) -> Seen {
        self.state.seen.lock().unwrap().clone()
    }

    /// From now on only this token is taken. The kubeconfig gets it if `written`.
    pub fn change_token(&self, token: &str, written: bool) {
        let old = std::mem::replace(&mut *self.state.token.lock().unwrap(), token.to_string());
        if written {
            let text = std::fs::read_to_string(self.kubeconfig()).unwrap();
            let (from, to) = (format!("token: {old}\n"), format!("token: {token}\n"));
            assert!(text.contains(&from));
            std::fs::write(self.kubeconfig(), text.replace(&from, &to)).unwrap();
        }
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
