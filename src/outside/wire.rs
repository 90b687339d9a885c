//! One exchange on the wire: what a client asks for and what it sees. Shared by the pods' curl, the mesh model and the checks.

use crate::base::shared::Text;
use std::net::IpAddr;

/// A header's name and value.
pub type Header = (Text, Text);

/// Headers for keeping.
pub fn headers(all: impl IntoIterator<Item = (impl Into<Text>, impl Into<Text>)>) -> Vec<Header> {
    all.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}

/// How the client opens the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP inside TLS that the client opens itself.
    Https,
    /// A bare TCP connection (nc).
    Tcp,
    /// A datagram (nc -u, a name server, QUIC).
    Udp,
}

/// HTTP's version as the client speaks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpVersion {
    Http10,
    Http11,
    Http2,
}

/// One request of one client. Redirects are further requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub scheme: Scheme,
    pub version: HttpVersion,
    pub method: Text,
    /// The name or address the client connects to (URL host, or `--resolve`/`--connect-to` target).
    pub host: Text,
    /// The port the client connects to.
    pub port: u16,
    /// Path and query, starting with `/`.
    pub path: Text,
    /// Headers as sent, `Host` and `User-Agent` among them (names as written, order kept).
    pub headers: Vec<Header>,
    /// TLS server name; `None` when the host is an address or the scheme is not https.
    pub sni: Option<Text>,
    /// Body length in bytes.
    pub body_len: u64,
    /// The address to dial when the client did not ask DNS (address URL, `--resolve`).
    pub address: Option<IpAddr>,
    /// Container user id 1337 (inside istio-proxy): not captured.
    pub from_proxy_user: bool,
    /// The client's time limit in milliseconds (`curl -m`), if any.
    pub max_time_ms: Option<u64>,
    /// The client's limit for connecting in milliseconds (`--connect-timeout`), if any.
    pub connect_timeout_ms: Option<u64>,
    /// `-k`: the client takes any certificate.
    pub insecure: bool,
}

impl Request {
    /// The value of a header, by name without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.sent(name).map(Text::as_str)
    }

    /// The same for keeping.
    pub fn sent(&self, name: &str) -> Option<&Text> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }
}

/// What the client sees of one exchange.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    Response(Response),
    Failure(Failure),
}

/// An HTTP answer as the client receives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    pub version: HttpVersion,
    pub status: u16,
    /// Reason phrase (HTTP/1.x).
    pub reason: Text,
    /// Header names in the case and order in which they arrive.
    pub headers: Vec<Header>,
    pub body: Vec<u8>,
    /// The address and port that the client was connected to.
    pub peer: Option<(IpAddr, u16)>,
}

/// Why the client got no HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// No such name (curl 6).
    NameNotResolved,
    /// Connection refused at this address (curl 7).
    ConnectionRefused { address: IpAddr, port: u16 },
    /// Nothing answered the SYN (curl 28, after the client's own limit).
    ConnectTimedOut,
    /// The peer closed or reset during the TLS handshake (curl 35). `reset`: RST rather than a clean close.
    TlsHandshakeClosed { reset: bool },
    /// The peer did not speak TLS (curl 35, wrong version number).
    TlsWrongVersion,
    /// The certificate does not fit the name (curl 60).
    CertificateName { wanted: String },
    /// The certificate's issuer is not known (curl 60).
    CertificateUnknownIssuer,
    /// The connection closed before any byte of an answer (curl 52).
    EmptyReply,
    /// The connection was reset while waiting for the answer (curl 56).
    ReceiveReset,
    /// The whole exchange took longer than the client's limit (curl 28).
    TimedOut,
    /// This program does not model what decides here: say so, never guess (exit 125).
    NotModelled { object: String, field: String },
}

impl Failure {
    /// curl's exit code for it (125 for [`Failure::NotModelled`]).
    pub fn exit_code(&self) -> i32 {
        match self {
            Failure::NameNotResolved => 6,
            Failure::ConnectionRefused { .. } => 7,
            Failure::ConnectTimedOut | Failure::TimedOut => 28,
            Failure::TlsHandshakeClosed { .. } | Failure::TlsWrongVersion => 35,
            Failure::CertificateName { .. } | Failure::CertificateUnknownIssuer => 60,
            Failure::EmptyReply => 52,
            Failure::ReceiveReset => 56,
            Failure::NotModelled { .. } => 125,
        }
    }
}

/// What a name resolves to for a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DnsAnswer {
    Addresses { canonical: String, addresses: Vec<IpAddr> },
    NoSuchName,
    TimedOut,
}

/// A line that a proxy (or another container) wrote because of an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub namespace: Text,
    pub pod: Text,
    pub container: Text,
    /// Without the trailing newline.
    pub text: Text,
}

/// An exchange as the sandbox's data plane hands it to the pod's client.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    pub reply: Reply,
    /// Simulated time until the client had its answer, in milliseconds.
    pub delay_ms: u64,
    pub logs: Vec<LogLine>,
}
