//! What is on a connection, and what came of it.

use crate::base::outcome::{At, Outcome};
use crate::base::seed::Seed;
use crate::base::shared::Text;
use crate::mesh::Cause;
use crate::outside::wire::{Header, HttpVersion, Request, Response, Scheme};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// A value that an exchange drew by lot. What it is follows from the seed and its number, so it is worked out when somebody reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    seed: Seed,
    nth: u64,
    serial: u64,
}

impl Draw {
    /// The draw with this number of the `nth` exchange.
    pub fn new(seed: Seed, nth: u64, serial: u64) -> Draw {
        Draw { seed, nth, serial }
    }

    /// Where nothing is drawn.
    pub fn none() -> Draw {
        Draw { seed: Seed(0), nth: 0, serial: 0 }
    }

    /// As an ephemeral port.
    pub fn port(self) -> u16 {
        let parts = ["port", &self.nth.to_string(), &self.serial.to_string()];
        32_768 + (self.seed.hash(&parts) % 28_000) as u16
    }

    /// As a request id.
    pub fn request_id(self) -> Text {
        Text::late(move || self.seed.uuid(&["request-id", &self.nth.to_string(), &self.serial.to_string()]))
    }
}

/// One end of a connection as a proxy logs it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Address {
    /// None, or none that is known.
    #[default]
    Unknown,
    At(IpAddr, u16),
    /// At a port that the system gave.
    Ephemeral(IpAddr, Draw),
}

impl Address {
    /// The end at which a connection was opened.
    pub fn of((ip, draw): Source) -> Address {
        ip.map_or(Address::Unknown, |ip| Address::Ephemeral(ip, draw))
    }

    /// The address and the port; `None` when they are not known.
    pub fn parts(self) -> Option<(IpAddr, u16)> {
        match self {
            Address::Unknown => None,
            Address::At(ip, port) => Some((ip, port)),
            Address::Ephemeral(ip, draw) => Some((ip, draw.port())),
        }
    }
}

impl fmt::Display for Address {
    /// `IP:PORT`, nothing when it is not known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().map_or(Ok(()), |(ip, port)| write!(f, "{}", SocketAddr::new(ip, port)))
    }
}

/// Where a connection comes from: an address, when it is known, and the port that the system gave.
pub type Source = (Option<IpAddr>, Draw);

/// A connection's two ends.
#[derive(Debug, Clone, Copy)]
pub struct Connection {
    pub source: Source,
    pub target: (IpAddr, u16),
}

impl Connection {
    /// The client's end.
    pub fn remote(&self) -> Address {
        Address::of(self.source)
    }

    pub fn local(&self) -> Address {
        Address::At(self.target.0, self.target.1)
    }
}

/// `IP:PORT`.
pub fn socket(ip: IpAddr, port: u16) -> Text {
    Text::late(move || SocketAddr::new(ip, port).to_string())
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
    pub fn names(&self) -> impl Iterator<Item = &Text> {
        let server_names = self.layers.iter().filter_map(|l| l.sni.as_ref());
        server_names.chain(self.http.as_ref().map(|m| &m.authority))
    }

    /// The server name that a TLS inspector reads.
    pub fn sni(&self) -> Option<&Text> {
        self.layers.first()?.sni.as_ref()
    }

    /// Whether the HTTP inspector sees HTTP/1.1 or HTTP/2 in the clear (HTTP/1.0 is not offered to HTTP chains).
    pub fn is_sniffed_http(&self) -> bool {
        self.layers.is_empty() && self.http.as_ref().is_some_and(|m| m.version != HttpVersion::Http10)
    }
}

/// One TLS session, as the side that opened it wants it.
#[derive(Debug, Clone)]
pub struct Layer {
    pub sni: Option<Text>,
    /// Workload certificates of the mesh on both sides.
    pub mesh: bool,
    /// The client's identity in its workload certificate, `spiffe://..`; `None` for other certificates.
    pub principal: Option<Text>,
    /// Takes any certificate.
    pub insecure: bool,
    /// Names it accepts; empty: none is checked.
    pub names: Vec<Text>,
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
            names: vec![request.sni.as_ref().unwrap_or(&request.host).clone()],
            own_names: false,
            private_ca: false,
            http2: request.version == HttpVersion::Http2,
            by_client: true,
        }
    }
}

/// An HTTP request on its way. Its texts are shared with the client's request, its headers with every line that tells of them.
#[derive(Debug, Clone)]
pub struct Message {
    pub method: Text,
    pub path: Text,
    /// The path as first sent, when a proxy rewrote it.
    pub original_path: Option<Text>,
    pub authority: Text,
    /// All headers but Host; copied when one of several holders writes ([`Message::edit`]).
    pub headers: Arc<Vec<Header>>,
    pub version: HttpVersion,
    pub body_len: u64,
    /// Inside the client's TLS, so no proxy can read it.
    pub secure: bool,
}

/// How many headers a proxy adds at most, so that a list seldom grows.
const ADDED: usize = 6;

impl Message {
    /// The request as the pod's client sends it.
    pub fn of_client(request: &Request, authority: Text) -> Message {
        let secure = request.scheme == Scheme::Https;
        let version = match request.version {
            HttpVersion::Http2 if !secure => HttpVersion::Http11,
            version => version,
        };
        let mut headers = Vec::with_capacity(request.headers.len() + if secure { 0 } else { ADDED });
        headers.extend(request.headers.iter().filter(|(n, _)| !n.eq_ignore_ascii_case("host")).cloned());
        Message {
            method: request.method.clone(),
            path: request.path.clone(),
            original_path: None,
            authority,
            headers: Arc::new(headers),
            version,
            body_len: request.body_len,
            secure,
        }
    }

    pub fn header(&self, name: &str) -> Option<&Text> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }

    /// The headers for writing: copied when others hold them too, with room for what is written.
    pub fn edit(&mut self) -> &mut Vec<Header> {
        if Arc::get_mut(&mut self.headers).is_none() {
            let mut own = Vec::with_capacity(self.headers.len() + ADDED);
            own.extend_from_slice(&self.headers);
            self.headers = Arc::new(own);
        }
        Arc::make_mut(&mut self.headers)
    }

    /// Where headers are that are in lower case, the first of each name: one look through all of them. Adding others at the end
    /// moves none.
    pub fn positions<const N: usize>(&self, names: [&'static str; N]) -> [Option<usize>; N] {
        let mut found = [None; N];
        for (i, (header, _)) in self.headers.iter().enumerate() {
            let header = header.as_str();
            if let Some(which) = names.iter().position(|name| name.len() == header.len() && *name == header) {
                found[which].get_or_insert(i);
            }
        }
        found
    }

    /// Sets a header to a word that it mostly has already: then nothing is copied.
    pub fn keep(&mut self, (name, at): (&'static str, Option<usize>), value: &'static str) {
        if at.is_none_or(|at| self.headers[at].1 != value) {
            self.put((name, at), value.into());
        }
    }

    /// Sets the header at a place, or adds it where it is not there yet.
    pub fn put(&mut self, (name, at): (&'static str, Option<usize>), value: Text) {
        match at {
            Some(at) => self.edit()[at].1 = value,
            None => self.edit().push((Text::fixed(name), value)),
        }
    }

    /// Sets a header, lower case, replacing what was there.
    pub fn set(&mut self, name: &'static str, value: Text) {
        let at = self.headers.iter().position(|(n, _)| n.eq_ignore_ascii_case(name));
        self.put((name, at), value);
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
