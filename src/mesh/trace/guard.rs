//! A proxy's policies applied to what it has before it: the questions in the terms of [`crate::mesh::policy`], the answers in Envoy's.

use super::Place;
use super::wire::{Connection, Message};
use crate::mesh::policy::Stop;
use crate::mesh::policy::authorize::{Asked, Attempt};

/// What Envoy's RBAC filter answers with.
pub const DENIED: &str = "RBAC: access denied";

/// A connection as a proxy's policies see it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub connection: Connection,
    pub principal: Option<&'a str>,
    pub sni: Option<&'a str>,
    /// `None` on chains without HTTP.
    pub message: Option<&'a Message>,
}

/// What ends it here.
pub fn stops(place: &Place, seen: &Seen<'_>) -> Option<Stop> {
    let guard = &place.proxy.guard;
    if guard.is_empty() {
        return None;
    }
    let source = seen.connection.source.0;
    // Gateways take the connection's other end for the client; sidecars what the last proxy wrote.
    let forwarded = seen.message.filter(|_| !place.proxy.gateway).and_then(|m| {
        let last = m.header("x-forwarded-for")?.rsplit(',').next()?;
        last.trim().parse().ok()
    });
    let http = seen.message.map(|m| Asked { method: &m.method, authority: &m.authority, path: &m.path, headers: &m.headers });
    guard.stops(&Attempt {
        source,
        remote: forwarded.or(source),
        target: seen.connection.target,
        principal: seen.principal,
        sni: seen.sni,
        http,
    })
}
