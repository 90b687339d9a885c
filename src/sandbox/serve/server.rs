//! HTTPS on loopback.

use super::Error;
use super::actor::{Handle, stop};
use super::http::{Door, connection};
use super::keys::{Identity, write_private};
use super::limits::Limits;
use super::patient::Patient;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

/// How to serve.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// 0: any free port.
    pub port: u16,
    /// Where the kubeconfig is written.
    pub kubeconfig: PathBuf,
    pub limits: Limits,
}

/// A running HTTPS server. It ends with its world or when dropped.
pub struct Server {
    address: SocketAddr,
    kubeconfig: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Listens on 127.0.0.1 and writes the kubeconfig (mode 0600).
    ///
    /// # Errors
    /// [`Error::PortInUse`], [`Error::Listen`], file and certificate errors.
    pub async fn start(handle: Handle, identity: &Identity, options: &Options) -> Result<Server, Error> {
        let port = options.port;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|why| match why.kind() {
            std::io::ErrorKind::AddrInUse => Error::PortInUse { port },
            _ => Error::Listen { port, why },
        })?;
        let address = listener.local_addr().map_err(|why| Error::Listen { port, why })?;
        let acceptor = TlsAcceptor::from(Arc::new(identity.tls(handle.wall())?));
        if let Some(folder) = options.kubeconfig.parent().filter(|f| !f.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|e| Error::file(folder, e))?;
        }
        write_private(&options.kubeconfig, identity.kubeconfig(address.port()).as_bytes())?;
        let secret = identity.token().to_string();
        // A world that is gone already answers nobody.
        let _ = handle.with(move |world| world.keep_secret(&secret)).await;
        let door = Door::Token { token: identity.token().into(), user: "learner".into() };
        let task = tokio::spawn(accept(listener, Guests { acceptor, handle, door, limits: options.limits }));
        Ok(Server { address, kubeconfig: options.kubeconfig.clone(), task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The kubeconfig that leads to it.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How guests are received.
#[derive(Clone)]
struct Guests {
    acceptor: TlsAcceptor,
    handle: Handle,
    door: Door,
    limits: Limits,
}

async fn accept(listener: TcpListener, guests: Guests) {
    let places = Arc::new(Semaphore::new(guests.limits.connections));
    let mut stopped = guests.handle.stopped();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop(&mut stopped) => return,
        };
        // Out of file descriptors, or the client left at once: neither ends the server.
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let guests = guests.clone();
        tokio::spawn(async move {
            greet(stream, guests).await;
            drop(place);
        });
    }
}

async fn greet(stream: TcpStream, guests: Guests) {
    let _ = stream.set_nodelay(true);
    let stream = Patient::new(stream, guests.limits.stall);
    let shaken = tokio::time::timeout(guests.limits.greeting, guests.acceptor.accept(stream)).await;
    if let Ok(Ok(stream)) = shaken {
        connection(stream, guests.handle, guests.door, guests.limits).await;
    }
}
