//! The lab's outside world as a real server, for clusters: one process that answers for the front ends of `assets/outside` over TCP as
//! the sandbox's mesh says they answer, with the same data through the same functions ([`crate::outside::answer`]).
//!
//! HTTP/1.1 is written here and not by a library, because the case and the order of headers are part of what an origin says. HTTP/2 is
//! the crate h2. TLS is rustls; the certificate is chosen by the server name that the client sends (SNI), and with it the front end.
//!
//! Everything that a client can make this process hold has a limit ([`limits::Limits`]).

pub mod ca;
pub mod doors;
pub mod limits;
pub mod log;
pub mod server;

mod echo;
mod greet;
mod head;
mod http1;
mod http2;
mod reader;
mod rewind;
mod talk;
