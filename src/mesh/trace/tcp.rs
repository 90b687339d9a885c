//! A connection that a proxy splices: TLS passthrough, TCP, PassthroughCluster and BlackHoleCluster.

use super::http::way_of;
use super::log::{self, Entry};
use super::upstream::{Asks, Target, target};
use super::wire::{Address, Connection, Got, Layer, TlsWhy, What, Wire, socket};
use super::{Ctx, Place, guard, http, network, why};
use crate::base::outcome::{At as Gate, Outcome};
use crate::base::shared::Text;
use crate::mesh::Cause;
use crate::mesh::policy::Stop;
use crate::mesh::proxy::{Cluster, ClusterKind, FilterChain, Weighted};
use std::net::IpAddr;

/// Where the connection stands.
pub struct At<'x> {
    pub place: &'x Place,
    pub hop: usize,
    pub connection: Connection,
    /// The server name, where the listener read it.
    pub sni: Option<Text>,
    /// The client's identity on TLS that ended here.
    pub principal: Option<Text>,
    pub chain: &'x FilterChain,
    /// Whether the chain was chosen after reading bytes: a refusal is then a reset.
    pub inspected: bool,
}

impl At<'_> {
    fn seen(&self) -> guard::Seen<'_> {
        let (principal, sni) = (self.principal.as_deref(), self.sni.as_deref());
        guard::Seen { connection: self.connection, principal, sni, message: None }
    }
}

/// The built-in cluster that leads to where the client wanted to go.
pub fn passthrough(place: &Place, target: (IpAddr, u16)) -> Cluster {
    Cluster {
        name: "PassthroughCluster".into(),
        kind: ClusterKind::OriginalDst,
        host: Text::late(move || target.0.to_string()),
        port: target.1,
        endpoints: Vec::new(),
        override_port: None,
        http2: false,
        auto_mtls: false,
        tls: None,
        connect_timeout_ms: 10_000,
        client_protocol: false,
        pool: None,
        tunnel: None,
        cause: place.proxy.policy.clone(),
        shaped_by: None,
        not_modelled: None,
    }
}

/// Splices the connection to one of the clusters.
pub fn hop(ctx: &mut Ctx<'_>, at: &At<'_>, to: &[Weighted], wire: Wire) -> Got {
    let mut entry = Box::new(Entry {
        start: ctx.started(),
        method: "-".into(),
        downstream_local: at.connection.local(),
        downstream_remote: at.connection.remote(),
        sni: at.sni.clone().unwrap_or_default(),
        ..Entry::default()
    });
    let gate = if at.place.proxy.gateway { Gate::Gateway } else { Gate::Sidecar };
    let chosen = match to {
        [one] => Some(one),
        several => http::choose(ctx, several),
    };
    let Some(chosen) = chosen else {
        entry.flags = "NC".into();
        return end(ctx, at, entry, Outcome::NoCluster, gate, at.chain.cause.clone());
    };
    if chosen.cluster == "BlackHoleCluster" {
        let cause = why::blocked(ctx, at.place, wire.sni().unwrap_or(&ctx.intended), at.connection.target.1);
        ctx.hops[at.hop].cluster = Some(chosen.cluster.clone());
        ctx.hops[at.hop].why.cluster = Some(cause.clone());
        (entry.flags, entry.cluster) = ("UH".into(), chosen.cluster.clone());
        return end(ctx, at, entry, Outcome::BlockedRegistryOnly, gate, cause);
    }
    let proxy = &at.place.proxy;
    let owned;
    let cluster = match proxy.clusters.get(&chosen.cluster) {
        Some(cluster) => cluster,
        None if chosen.cluster == "PassthroughCluster" => {
            owned = passthrough(at.place, at.connection.target);
            &owned
        }
        None => {
            let cause = why::no_cluster(ctx, at.place, &chosen.cluster, &chosen.cause);
            entry.flags = "NC".into();
            return end(ctx, at, entry, Outcome::NoCluster, gate, cause);
        }
    };
    if let Some(cause) = cluster.not_modelled.as_ref().or(cluster.tunnel.as_ref()) {
        return Got::not_modelled(cause.clone());
    }
    ctx.hops[at.hop].cluster = Some(cluster.name.clone());
    ctx.hops[at.hop].why.cluster = Some(cluster.cause.clone());
    ctx.note_choice(&chosen.cause);
    entry.cluster.clone_from(&cluster.name);
    splice(ctx, at, entry, cluster, wire)
}

/// Ends the connection without an upstream.
fn end(ctx: &mut Ctx<'_>, at: &At<'_>, entry: Box<Entry>, outcome: Outcome, gate: Gate, cause: Cause) -> Got {
    ctx.write(at.hop, at.place, entry, false);
    let reset = at.inspected || ctx.chance("close").is_multiple_of(3);
    Got::end(if reset { What::Reset } else { What::Closed }, outcome, gate, cause)
}

fn splice(ctx: &mut Ctx<'_>, at: &At<'_>, mut entry: Box<Entry>, cluster: &Cluster, mut wire: Wire) -> Got {
    let gate = if at.place.proxy.gateway { Gate::Gateway } else { Gate::Sidecar };
    let host = wire.sni().cloned();
    let asks = Asks { dialled: at.connection.target, host: host.as_deref(), http: false, hop: at.hop };
    let to = match target(ctx, at.place, cluster, &asks) {
        Ok(to) => to,
        Err(missing) => {
            let cause = why::no_address(ctx, cluster, missing);
            entry.flags = "UH".into();
            return end(ctx, at, entry, Outcome::NoHealthyUpstream, gate, cause);
        }
    };
    let path = way_of(ctx, &cluster.name, &cluster.host);
    ctx.leaves_by(path, &at.chain.cause);
    let hello = wire.is_tls();
    if at.place.proxy.gateway
        && let Some(stop) = guard::stops(at.place, &at.seen())
    {
        return stopped(ctx, at, entry, (&to, stop), &wire);
    }
    let sent = 80 + wire.http.as_ref().map_or(0, |m| m.path.len() as u64 + m.body_len) + if hello { 517 + 200 } else { 0 };
    let wrapped = wrap(ctx, at.place, cluster, &to, &mut wire);
    ctx.hops[at.hop].endpoint = Some(socket(to.address, to.port));
    entry.upstream_host = Address::At(to.address, to.port);
    if ctx.full(at.place, cluster) {
        let cause = cluster.pool.as_ref().map_or_else(|| cluster.cause.clone(), |p| p.cause.clone());
        (entry.flags, entry.upstream_host) = ("UO".into(), Address::Unknown);
        return end(ctx, at, entry, Outcome::Overflow, gate, cause);
    }
    let source = (at.place.who.ip, ctx.draw());
    let got = network::reach(ctx, source, to.address, to.port, wire);
    let failed = |text: &str, mut entry: Box<Entry>| {
        (entry.flags, entry.transport_failure) = ("UF,URX".into(), Text::new(text));
        entry
    };
    match &got.what {
        What::NotModelled(_) => got,
        What::Refused => {
            let entry = failed("delayed_connect_error:_Connection_refused", entry);
            end(ctx, at, entry, got.outcome, http::beyond(&got), got.cause)
        }
        What::Dropped => {
            let mut entry = failed("", entry);
            entry.duration = cluster.connect_timeout_ms;
            end(ctx, at, entry, got.outcome, http::beyond(&got), got.cause).after(cluster.connect_timeout_ms)
        }
        What::Tls { depth: 0, why } if wrapped => {
            let text = log::spaceless(&http::tls_words(why));
            let cause = cluster.tls.as_ref().map_or(got.cause.clone(), |tls| tls.cause.clone());
            end(ctx, at, failed(&text, entry), got.outcome, http::beyond(&got), cause)
        }
        _ => {
            let mut got = got;
            if let (What::Tls { .. }, true, Some(tls)) = (&got.what, wrapped, &cluster.tls) {
                got.cause = tls.cause.clone();
            }
            entry.upstream_local = Address::of(source);
            through(ctx, at, entry, got, (sent, wrapped, hello))
        }
    }
}

/// A policy closes the connection at its first bytes; by then the upstream is being dialled.
fn stopped(ctx: &mut Ctx<'_>, at: &At<'_>, mut entry: Box<Entry>, by: (&Target, Stop), wire: &Wire) -> Got {
    let (to, stop) = by;
    let (details, cause) = match stop {
        Stop::Denied(details, cause) => (details, cause),
        Stop::Token(refusal) => (refusal.details, refusal.cause),
        Stop::NotModelled(cause) => return Got::not_modelled(cause),
    };
    ctx.hops[at.hop].endpoint = Some(socket(to.address, to.port));
    entry.upstream_host = Address::At(to.address, to.port);
    entry.upstream_local = Address::of((at.place.who.ip, ctx.draw()));
    entry.received = first_bytes(wire);
    entry.termination = details.into();
    ctx.write(at.hop, at.place, entry, false);
    Got::end(What::Closed, Outcome::BlockedPolicy, Gate::Gateway, cause)
}

/// About how long what a client says first is, in bytes.
fn first_bytes(wire: &Wire) -> u64 {
    match (&wire.http, wire.is_tls()) {
        (_, true) => 517,
        (Some(message), false) => 80 + message.path.len() as u64 + message.body_len,
        (None, false) => 0,
    }
}

/// A connection that was made: bytes went both ways, or the other side hung up.
fn through(ctx: &mut Ctx<'_>, at: &At<'_>, mut entry: Box<Entry>, got: Got, how: (u64, bool, bool)) -> Got {
    let (sent, wrapped, hello) = how;
    entry.received = sent;
    entry.duration = got.ms;
    let what = match got.what {
        What::Response(r) => {
            let head: usize = r.headers.iter().map(|(n, v)| n.len() + v.len() + 4).sum();
            entry.sent = (r.body.len() + head + 20) as u64 + if hello { 1180 } else { 0 };
            What::Response(r)
        }
        What::Tls { depth, why } => {
            (entry.received, entry.sent) = (517, if why == TlsWhy::WrongVersion { 309 } else { 1270 });
            What::Tls { depth: depth - usize::from(wrapped), why }
        }
        What::Closed | What::Reset if hello => {
            // A policy closes in order, and what is closed in order is no reset.
            let orderly = got.outcome == Outcome::BlockedPolicy;
            (entry.received, entry.sent) = (517, 0);
            entry.flags = if orderly { Text::default() } else { "UR".into() };
            if orderly { What::Closed } else { What::Reset }
        }
        other => other,
    };
    ctx.write(at.hop, at.place, entry, false);
    Got { what, ..got }
}

/// Puts the cluster's own TLS around the connection.
fn wrap(ctx: &Ctx<'_>, place: &Place, cluster: &Cluster, to: &Target, wire: &mut Wire) -> bool {
    let (mesh, tls) = match &cluster.tls {
        Some(tls) => (tls.mesh, Some(tls)),
        None if cluster.auto_mtls && to.mtls => (true, None),
        None => return false,
    };
    let names = tls.iter().flat_map(|t| &t.san).map(Text::from).collect();
    let layer = Layer {
        sni: tls.and_then(|t| t.sni.clone()).or_else(|| mesh.then(|| http::mesh_name(&cluster.name))),
        mesh,
        principal: mesh.then(|| place.principal(ctx)),
        insecure: tls.is_some_and(|t| t.insecure),
        names,
        own_names: true,
        private_ca: tls.is_some_and(|t| t.private_ca),
        http2: false,
        by_client: false,
    };
    wire.layers.insert(0, layer);
    true
}
