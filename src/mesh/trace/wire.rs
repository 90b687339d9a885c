//! What is on a connection, and what came of it.

use crate::base::outcome::{At, Outcome};
use crate::mesh::Cause;
use crate::outside::wire::{HttpVersion, Request, Response, Scheme};
use std::net::IpAddr;

/// A connection's two ends as a proxy logs them.
#[derive(Debug, Clone, Copy)]
pub struct Connection {
    pub source: (Option<IpAddr>, u16),
    pub target: (IpAddr, u16),
}

impl Connection {
    /// `IP:PORT` of the client, empty when its address is not known.
    pub fn remote(&self) -> String {
        self.source.0.map(|ip| socket(ip, self.source.1)).unwrap_or_default()
    }

    pub fn local(&self) -> String {
        socket(self.target.0, self.target.1)
    }
}

/// `IP:PORT`.
pub fn socket(ip: IpAddr, port: u16) -> String {
    std::net::SocketAddr::new(ip, port).to_string()
}

/// Bytes on a connection: TLS layers, the outermost first, around HTTP or something else.
#[derive(Debug, Clone)]
pub struct Wire {
    pub layers: Vec<Layer>,
    /// `None`: bytes that are not HTTP.
    pub http: Option<Message>,
}

impl Wire {
    pub fn is_tls(&self) -> bool {
        !self.layers.is_empty()
    }

    /// Every name by which a proxy on the way may choose: server names and the host of HTTP.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let server_names = self.layers.iter().filter_map(|l| l.sni.as_deref());
        server_names.chain(self.http.as_ref().map(|m| m.authority.as_str()))
    }

    /// The server name that a TLS inspector reads.
    pub fn sni(&self) -> Option<&str> {
        self.layers.first()?.sni.as_deref()
    }

    /// Whether the HTTP inspector sees HTTP/1.1 or HTTP/2 in the clear (HTTP/1.0 is not offered to HTTP chains).
    pub fn is_sniffed_http(&self) -> bool {
        self.layers.is_empty() && self.http.as_ref().is_some_and(|m| m.version != HttpVersion::Http10)
    }
}

/// One TLS session, as the side that opened it wants it.
#[derive(Debug, Clone)]
pub struct Layer {
    pub sni: Option<String>,
    /// Workload certificates of the mesh on both sides.
    pub mesh: bool,
    /// The client's identity in its workload certificate, `spiffe://..`; `None` for other certificates.
    pub principal: Option<String>,
    /// Takes any certificate.
    pub insecure: bool,
    /// Names it accepts; empty: none is checked.
    pub names: Vec<String>,
    /// The names were given by a DestinationRule rather than taken from the request.
    pub own_names: bool,
    /// Trusts a CA other than the public ones.
    pub private_ca: bool,
    pub http2: bool,
    pub by_client: bool,
}

impl Layer {
    /// The TLS that the pod's own client opens.
    pub fn of_client(request: &Request) -> Layer {
        Layer {
            sni: request.sni.clone(),
            mesh: false,
            principal: None,
            insecure: request.insecure,
            names: vec![request.sni.clone().unwrap_or_else(|| request.host.clone())],
            own_names: false,
            private_ca: false,
            http2: request.version == HttpVersion::Http2,
            by_client: true,
        }
    }
}

/// An HTTP request on its way.
#[derive(Debug, Clone)]
pub struct Message {
    pub method: String,
    pub path: String,
    /// The path as first sent, when a proxy rewrote it.
    pub original_path: Option<String>,
    pub authority: String,
    /// All headers but Host.
    pub headers: Vec<(String, String)>,
    pub version: HttpVersion,
    pub body_len: u64,
    /// Inside the client's TLS, so no proxy can read it.
    pub secure: bool,
}

impl Message {
    /// The request as the pod's client sends it.
    pub fn of_client(request: &Request, authority: String) -> Message {
        let secure = request.scheme == Scheme::Https;
        let version = match request.version {
            HttpVersion::Http2 if !secure => HttpVersion::Http11,
            version => version,
        };
        Message {
            method: request.method.clone(),
            path: request.path.clone(),
            original_path: None,
            authority,
            headers: request.headers.iter().filter(|(n, _)| !n.eq_ignore_ascii_case("host")).cloned().collect(),
            version,
            body_len: request.body_len,
            secure,
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// Sets a header, lower case, replacing what was there.
    pub fn set(&mut self, name: &str, value: &str) {
        match self.headers.iter_mut().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
            Some((_, v)) => *v = value.to_string(),
            None => self.headers.push((name.to_string(), value.to_string())),
        }
    }
}

/// What the side that opened a connection gets.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    Response(Response),
    /// RST to the SYN.
    Refused,
    /// No answer to the SYN.
    Dropped,
    /// Closed before any byte.
    Closed,
    /// Reset before any byte.
    Reset,
    /// The other side resets the HTTP/2 stream and keeps the connection.
    StreamReset,
    /// The TLS session at this depth (0 the outermost) failed.
    Tls {
        depth: usize,
        why: TlsWhy,
    },
    /// Taken and never answered.
    Hang,
    NotModelled(Cause),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsWhy {
    /// The other side does not speak TLS.
    WrongVersion,
    /// The certificate's names, none of which was wanted.
    Name(Vec<String>),
    UnknownIssuer,
    /// Closed during the handshake.
    Reset,
}

/// What came of a connection, how long it took, and which gate ended the request.
#[derive(Debug, Clone)]
pub struct Got {
    pub what: What,
    pub ms: u64,
    pub outcome: Outcome,
    pub at: At,
    pub cause: Cause,
}

impl Got {
    /// An end without delay.
    pub fn end(what: What, outcome: Outcome, at: At, cause: Cause) -> Got {
        Got { what, ms: 0, outcome, at, cause }
    }

    pub fn not_modelled(cause: Cause) -> Got {
        Got::end(What::NotModelled(cause.clone()), Outcome::NotModelled, At::Network, cause)
    }

    pub fn after(self, ms: u64) -> Got {
        Got { ms: self.ms + ms, ..self }
    }
}
