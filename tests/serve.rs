//! The served sandbox from outside: over HTTPS, over pipes in memory, with kube and with the real kubectl.

mod door;
mod explain;
mod folder;
pub mod kubectl;
pub mod pods;
mod workloads;
mod worlds;

use egress_lab::base::clock::{Clock, SystemClock, Time};
use egress_lab::base::seed::Seed;
use egress_lab::k8s::Object;
use egress_lab::outside::wire::{DnsAnswer, Exchange, HttpVersion, LogLine, Reply, Request, Response};
use egress_lab::sandbox::serve::{Handle, Identity, Limits, Local, Options, Server};
use egress_lab::sandbox::world::{Config, World};
use egress_lab::sandbox::{Changes, Dataplane, Pace, Parts};
use std::sync::Arc;

/// A network in which everything answers `hello from HOST`, and the pod's container `test` logs it.
pub struct Friendly;

impl Dataplane for Friendly {
    fn update(&mut self, _: &Changes<'_>) {}

    fn resolve(&self, _: &Object, name: &str) -> DnsAnswer {
        DnsAnswer::Addresses { canonical: name.into(), addresses: vec![[203, 0, 113, 7].into()] }
    }

    fn exchange(&mut self, pod: &Object, request: &Request, _: Time, nth: u64) -> Exchange {
        let body = format!("hello from {}\n", request.host).into_bytes();
        let log = LogLine {
            namespace: pod.namespace().to_string().into(),
            pod: pod.name().to_string().into(),
            container: pod.at(&["spec", "containers"])[0]["name"].as_str().unwrap_or("").to_string().into(),
            text: format!("request {nth} to {}", request.host).into(),
        };
        let response = Response {
            version: HttpVersion::Http11,
            status: 200,
            reason: "OK".into(),
            headers: vec![("content-length".into(), body.len().to_string().into())],
            body,
            peer: None,
        };
        Exchange { reply: Reply::Response(response), delay_ms: 3, logs: vec![log] }
    }

    fn fork(&self) -> Box<dyn Dataplane> {
        Box::new(Friendly)
    }

    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}

pub fn parts() -> Parts {
    Parts { dataplane: Box::new(Friendly), webhooks: Vec::new(), controllers: Vec::new(), programs: Vec::new() }
}

pub fn world(pace: Pace) -> World {
    let start = if pace == Pace::Instant { Time::LOGICAL_START } else { SystemClock.now() };
    World::new(Config { seed: Seed(7), pace, start }, parts())
}

pub fn handle(pace: Pace) -> Handle {
    Handle::spawn(world(pace), Arc::new(SystemClock), None)
}

pub const WALL: Pace = Pace::Wall { real_time: false };

/// A client without a socket.
pub fn local(handle: &Handle) -> kube::Client {
    kube::Client::new(Local::new(handle.clone()), "default")
}

/// An HTTPS server for a world, with its kubeconfig in a temporary folder.
pub async fn server(handle: &Handle) -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::fresh(SystemClock.now()).unwrap();
    let options = Options { port: 0, kubeconfig: folder.path().join("kubeconfig"), ..Default::default() };
    (Server::start(handle.clone(), &identity, &options).await.unwrap(), folder)
}

/// An HTTPS server with limits of its own, its identity, and a TLS client that knows it.
pub async fn server_with(handle: &Handle, limits: Limits) -> (Server, Identity, tokio_rustls::TlsConnector) {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::fresh(SystemClock.now()).unwrap();
    let options = Options { port: 0, kubeconfig: folder.path().join("kubeconfig"), limits };
    let server = Server::start(handle.clone(), &identity, &options).await.unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::pem::PemObject::from_pem_slice(identity.ca_pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let tls = tls.with_root_certificates(roots).with_no_client_auth();
    (server, identity, Arc::new(tls).into())
}

/// A client as kube makes one from the kubeconfig.
pub async fn remote(server: &Server) -> kube::Client {
    let kubeconfig = kube::config::Kubeconfig::read_from(server.kubeconfig()).unwrap();
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await.unwrap();
    config.proxy_url = None;
    kube::Client::try_from(config).unwrap()
}

pub const POD: &str = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"test","labels":{"app":"test"}},
"spec":{"terminationGracePeriodSeconds":1,"containers":[{"name":"test","image":"curlimages/curl:8.16.0","command":["sleep","infinity"]}]}}"#;
