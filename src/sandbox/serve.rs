//! The door to the world: HTTPS on loopback, and the same without a socket.
//!
//! [`owner::Handle`] is a world in its own task; [`listen`] puts HTTPS with a credential in front of one; [`http::serve_connection`]
//! answers on any byte stream (the lab joins its client to forks that way).

pub mod http;
pub mod identity;
pub mod owner;
mod websocket;

pub use identity::{Identity, kubeconfig, write_private};
pub use owner::{Handle, Keeper};

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Connections served at the same time.
const CONNECTIONS: usize = 512;

/// Why a world could not be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("port {port} on 127.0.0.1 is in use")]
    PortInUse { port: u16 },
    #[error("127.0.0.1:{port} could not be opened")]
    Listen { port: u16, source: std::io::Error },
    #[error("the sandbox's certificate could not be made: {0}")]
    Certificate(String),
}

/// A served world. Dropping it stops the server, not the world.
pub struct Server {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// `https://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves a world over HTTPS on loopback. Port 0 takes a free one.
///
/// # Errors
/// The port is in use, or the system or the certificate refuses.
pub async fn listen(handle: Handle, identity: &Identity, port: u16) -> Result<Server, Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => Error::PortInUse { port },
        _ => Error::Listen { port, source },
    })?;
    let address = listener.local_addr().map_err(|source| Error::Listen { port, source })?;
    let acceptor = tokio_rustls::TlsAcceptor::from(identity.server_config()?);
    let token: Arc<str> = identity.token.as_str().into();
    let task = tokio::spawn(accept(listener, acceptor, handle, token));
    Ok(Server { address, task })
}

async fn accept(listener: TcpListener, acceptor: tokio_rustls::TlsAcceptor, handle: Handle, token: Arc<str>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    // The set ends its connections when the server is dropped.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, _)) = stream else {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (acceptor, handle, token) = (acceptor.clone(), handle.clone(), token.clone());
        connections.spawn(async move {
            let _slot = slot;
            let handshake = tokio::time::timeout(std::time::Duration::from_secs(10), acceptor.accept(stream));
            if let Ok(Ok(tls)) = handshake.await {
                http::serve_connection(tls, handle, http::Guard::Token(token)).await;
            }
        });
    }
}
