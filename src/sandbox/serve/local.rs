//! The door without a socket: a client service whose connections are pipes in memory. It carries everything, exec included, so that a
//! `kube::Client` can be put on any world: `kube::Client::new(Local::new(handle), "default")`.

use super::actor::Handle;
use super::http::{Door, connection};
use super::limits::Limits;
use hyper::body::{Body, Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::DuplexStream;

/// Bytes that wait in each direction of a pipe.
const PIPE: usize = 256 * 1024;

/// A client service on one world. Every request has a connection of its own.
#[derive(Clone)]
pub struct Local {
    handle: Handle,
    user: std::sync::Arc<str>,
}

impl Local {
    /// A client for requests of the user `learner`.
    pub fn new(handle: Handle) -> Local {
        Local { handle, user: "learner".into() }
    }

    /// The client half of a new connection; the server half runs as a task of the current runtime.
    pub fn connect(&self) -> DuplexStream {
        let (client, server) = tokio::io::duplex(PIPE);
        tokio::spawn(connection(server, self.handle.clone(), Door::Open(self.user.clone()), Limits::default()));
        client
    }

    /// The world behind it.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl<B> tower::Service<Request<B>> for Local
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let io = self.connect();
        request.headers_mut().entry("host").or_insert(hyper::header::HeaderValue::from_static("sandbox"));
        if let Some(path) = request.uri().path_and_query().cloned() {
            *request.uri_mut() = hyper::Uri::from(path);
        }
        Box::pin(async move {
            // Boxed: hyper wants a body that does not move.
            let request = request.map(Box::pin);
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await?;
            tokio::spawn(connection.with_upgrades());
            sender.send_request(request).await
        })
    }
}
