//! Listening, receiving, ending.

use super::ca::Certificates;
use super::doors::{Door, Mapping};
use super::greet::receive;
use super::limits::Limits;
use super::log::{Log, Writer};
use super::talk::{House, Talk};
use crate::outside::site::{Site, Speaks};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the server is to be.
pub struct Options {
    pub doors: Vec<Door>,
    pub mapping: Mapping,
    pub certificates: Certificates,
    /// Milliseconds that front ends take in place of those in the data, by id.
    pub delays: BTreeMap<String, u64>,
    pub limits: Limits,
}

/// Why it could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{address} port {port} cannot be listened at: {why}{hint}", hint = hint(.why, *.port))]
    Listen { address: IpAddr, port: u16, why: io::Error },
    #[error("TLS of {site} cannot be set up: {why}")]
    Tls { site: String, why: String },
}

fn hint(why: &io::Error, port: u16) -> String {
    match why.kind() {
        io::ErrorKind::PermissionDenied => format!(" (ports below 1024 need rights; --map {port}={} takes another)", 8000 + port),
        io::ErrorKind::AddrInUse => format!(" (--map {port}=N takes another)"),
        _ => String::new(),
    }
}

/// A running server.
pub struct Server {
    house: Arc<House>,
    open: Vec<(Arc<Door>, SocketAddr)>,
    writer: Writer,
}

impl Server {
    /// Listens at every door and serves from then on.
    ///
    /// # Errors
    /// [`Error`]; nothing is listened at then.
    pub async fn start(options: Options, log: Log, writer: Writer) -> Result<Server, Error> {
        let mut open = Vec::new();
        for door in &options.doors {
            let (address, port) = (door.address, options.mapping.real(door.port));
            let fail = |why| Error::Listen { address, port, why };
            let listener = TcpListener::bind((address, port)).await.map_err(fail)?;
            let real = listener.local_addr().map_err(fail)?;
            open.push((listener, Arc::new(door.clone()), real));
        }
        let house = Arc::new(House {
            limits: options.limits,
            tls: tls(&options)?,
            delays: options.delays,
            log,
            stop: CancellationToken::new(),
            kill: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        let places = Arc::new(Semaphore::new(options.limits.connections));
        let mut doors = Vec::new();
        for (listener, door, real) in open {
            house.tasks.spawn(accept(listener, house.clone(), door.clone(), places.clone()));
            doors.push((door, real));
        }
        Ok(Server { house, open: doors, writer })
    }

    /// What it listens at: one line per door, `listening at ADDRESS:PORT as port 443 (tls): wikimedia, example`.
    pub fn listening(&self) -> Vec<String> {
        let line = |(door, real): &(Arc<Door>, SocketAddr)| {
            let speaks = match door.speaks {
                Speaks::Http => "http",
                Speaks::Tls => "tls",
                Speaks::Bytes => "bytes",
            };
            format!("listening at {real} as port {} ({speaks}): {}", door.port, door.ids().join(", "))
        };
        self.open.iter().map(line).collect()
    }

    /// Ends: nothing new is begun, what is under way may finish for a while, the log is written.
    pub async fn end(self) {
        let Server { house, writer, .. } = self;
        house.stop.cancel();
        house.tasks.close();
        let _ = tokio::time::timeout(house.limits.grace, house.tasks.wait()).await;
        house.kill.cancel();
        house.tasks.wait().await;
        drop(house);
        writer.finish(Duration::from_secs(1));
    }
}

async fn accept(listener: TcpListener, house: Arc<House>, door: Arc<Door>, places: Arc<Semaphore>) {
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = house.stop.cancelled() => return,
        };
        // Out of file descriptors, or the client left at once: neither ends the server.
        let Ok((stream, from)) = accepted else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let talk = Talk { house: house.clone(), door: door.clone(), from, secure: false, met: None };
        house.tasks.spawn(async move {
            live(stream, talk).await;
            drop(place);
        });
    }
}

/// A connection's whole life.
async fn live(stream: TcpStream, talk: Talk) {
    let (kill, life) = (talk.house.kill.clone(), talk.house.limits.life);
    tokio::select! {
        () = receive(stream, talk) => {}
        () = tokio::time::sleep(life) => {}
        () = kill.cancelled() => {}
    }
}

/// TLS for every front end that speaks it, with and without a certificate of the client as its ports want it.
fn tls(options: &Options) -> Result<BTreeMap<(String, bool), Arc<ServerConfig>>, Error> {
    let mut all = BTreeMap::new();
    for door in options.doors.iter().filter(|door| door.speaks == Speaks::Tls) {
        for site in door.sites() {
            let asks = door.open(site).is_some_and(|port| port.client_certificate);
            if let Entry::Vacant(place) = all.entry((site.id.clone(), asks)) {
                let config = config(site, asks, &options.certificates);
                let config = config.map_err(|why| Error::Tls { site: site.id.clone(), why })?;
                place.insert(Arc::new(config));
            }
        }
    }
    Ok(all)
}

fn config(site: &Site, asks: bool, certificates: &Certificates) -> Result<ServerConfig, String> {
    let identity = certificates.sites.get(&site.id).ok_or("it has no certificate")?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().map_err(|e| e.to_string())?;
    let builder = match asks {
        true => {
            let mut roots = RootCertStore::empty();
            roots.add(certificates.ca.clone()).map_err(|e| e.to_string())?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|e| e.to_string())?)
        }
        false => builder.with_no_client_auth(),
    };
    let built = builder.with_single_cert(identity.chain.clone(), identity.key.clone_key());
    let mut config = built.map_err(|e| e.to_string())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    if site.http2 {
        config.alpn_protocols.insert(0, b"h2".to_vec());
    }
    Ok(config)
}
