//! What clients of the origins may cost.

use std::time::Duration;

/// What clients may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at the same time; more wait in the system's queue. Below the 1,024 files that a process may usually open.
    pub connections: usize,
    /// How long TLS may take to be agreed on, and how long a first byte may take.
    pub greeting: Duration,
    /// How long a request's head may take from its first byte on.
    pub head: Duration,
    /// How long a request's body may take.
    pub body: Duration,
    /// How long a connection may wait for its next request, or a byte to echo.
    pub idle: Duration,
    /// How long a client may take to read an answer.
    pub stall: Duration,
    /// How long a connection may live at all.
    pub life: Duration,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// Headers of a request.
    pub headers: usize,
    /// Bytes of a request's body; nobody reads them.
    pub body_bytes: u64,
    /// Requests on one connection.
    pub requests: usize,
    /// HTTP/2 streams of one connection at the same time.
    pub streams: u32,
    /// Bytes echoed on one connection.
    pub echo_bytes: u64,
    /// How long what is under way may go on after the order to end.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        let seconds = Duration::from_secs;
        Limits {
            connections: 768,
            greeting: seconds(10),
            head: seconds(10),
            body: seconds(30),
            idle: seconds(60),
            stall: seconds(30),
            life: seconds(900),
            head_bytes: 32 << 10,
            headers: 100,
            body_bytes: 8 << 20,
            requests: 1_000,
            streams: 100,
            echo_bytes: 64 << 20,
            grace: seconds(8),
        }
    }
}
