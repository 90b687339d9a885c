//! The inbound side of a sidecar: mutual TLS, the policies, then the server behind it.

use super::local::{encode, relay, reply};
use super::log::Entry;
use super::wire::{Address, Connection, Got, Message, TlsWhy, What, Wire, socket};
use super::{Ctx, Place, guard, http, server};
use crate::base::outcome::{At, Outcome};
use crate::base::shared::Text;
use crate::mesh::Cause;
use crate::mesh::compile::registry::{From, Protocol};
use crate::mesh::compile::scope::pick_sidecar;
use crate::mesh::compile::slice::Question;
use crate::mesh::model::resident::Resident;
use crate::mesh::policy::peer::Mtls;
use crate::mesh::policy::{Stop, values};
use crate::mesh::proxy::EndpointHost;
use crate::outside::wire::HttpVersion;
use std::net::IpAddr;
use std::sync::Arc;

/// A connection on its way into the pod, as the proxy takes it.
struct Entering<'x> {
    place: &'x Place,
    hop: usize,
    connection: Connection,
    entry: Entry,
}

/// A pod with a sidecar: its inbound side, then the server.
pub fn injected(ctx: &mut Ctx<'_>, who: &Arc<Resident>, connection: Connection, mut wire: Wire) -> Got {
    let pod = &*who.pod;
    let Some(place) = ctx.model.place(who, Question::default()) else {
        return server::plain(ctx, pod, connection, wire);
    };
    if let Some(cause) = own_ingress(ctx, who) {
        return Got::not_modelled(cause);
    }
    let port = connection.target.1;
    let sni = wire.sni().cloned();
    let hop = ctx.hop(&place);
    ctx.hops[hop].listener = Some("virtualInbound".into());
    if let Some(got) = refused_transport(ctx, &place, hop, connection, &wire) {
        return got;
    }
    let mtls = wire.layers.first().is_some_and(|l| l.mesh);
    let principal = if mtls { wire.layers.remove(0).principal } else { None };
    ctx.hops[hop].cluster = Some(format!("inbound|{port}||").into());
    if let Some(message) = wire.http.as_mut().filter(|_| wire.layers.is_empty()) {
        message.path = values::normal(&message.path).map_or_else(|| message.path.clone(), Text::from);
    }
    if wire.http.as_ref().is_some_and(|m| wire.layers.is_empty() && m.header("x-request-id").is_none()) {
        let id = ctx.draw().request_id();
        wire.http.iter_mut().for_each(|m| m.set("x-request-id", id.clone()));
    }
    let message = wire.http.clone();
    let mut entry = inbound_entry(ctx, connection, port, message.as_ref());
    entry.sni = sni.clone().unwrap_or_default();
    let mut entering = Entering { place: &place, hop, connection, entry };
    if !place.proxy.guard.is_empty() {
        let http = message.as_ref().filter(|_| wire.layers.is_empty() && !is_declared_tcp(ctx, connection.target));
        let seen = guard::Seen { connection, principal: principal.as_deref(), sni: sni.as_deref(), message: http };
        if let Some(stop) = guard::stops(&place, &seen) {
            return stopped(ctx, entering, stop, http);
        }
    }
    ctx.hops[hop].endpoint = Some(socket(connection.target.0, connection.target.1));
    let got = server::plain(ctx, pod, connection, wire.clone());
    let Entering { entry, .. } = &mut entering;
    match (got.what, message) {
        (What::Response(response), Some(message)) if wire.layers.is_empty() => {
            entry.code = response.status;
            entry.details = "via_upstream".into();
            entry.service_time = Some(got.ms);
            entry.duration = got.ms + 1;
            entry.sent = response.body.len() as u64;
            entry.route = "default".into();
            let response = encode(relay(response, "istio-envoy", got.ms, ctx.inputs.now, &message), &message);
            ctx.write(hop, &place, entering.entry, true);
            Got { what: What::Response(response), ..got }
        }
        (What::Refused, Some(message)) if wire.layers.is_empty() => {
            let facts = &ctx.model.options().facts;
            let transport = "delayed connect error: Connection refused";
            let body = http::failure_body(facts, false, "remote connection failure", transport);
            let response = reply(503, &body, &[], "istio-envoy", ctx.inputs.now, &message);
            let detail = "remote_connection_failure|delayed_connect_error:_Connection_refused";
            entry.code = 503;
            entry.flags = "UF".into();
            entry.details = format!("upstream_reset_before_response_started{{{detail}}}").into();
            entry.sent = response.body.len() as u64;
            ctx.write(hop, &place, entering.entry, true);
            Got { what: What::Response(encode(response, &message)), ..got }
        }
        (what, _) => {
            ctx.write(hop, &place, Entry { method: "-".into(), protocol: "", ..entering.entry }, false);
            let what = if what == What::Refused { What::Closed } else { what };
            Got { what, ..got }
        }
    }
}

/// Whether PeerAuthentication leaves a filter chain for this connection (Istio: core/listener_inbound.go).
fn refused_transport(ctx: &mut Ctx<'_>, place: &Place, hop: usize, connection: Connection, wire: &Wire) -> Option<Got> {
    let (mode, cause) = place.proxy.guard.mode.at(connection.target.1);
    let mtls = wire.layers.first().is_some_and(|l| l.mesh);
    let cause = cause.cloned();
    let because = |text: &str| {
        let said = cause.clone().unwrap_or_else(|| Cause::new("default", "PeerAuthentication", ""));
        Cause::new(said.object.clone(), said.field.clone(), text)
    };
    match (mode, wire.layers.first()) {
        (Mtls::Strict, None) => {
            let entry = Entry {
                start: ctx.inputs.now,
                method: "-".into(),
                flags: "NR".into(),
                details: "filter_chain_not_found".into(),
                downstream_local: connection.local(),
                downstream_remote: connection.remote(),
                ..Entry::default()
            };
            ctx.write(hop, place, entry, false);
            let cause = because("The workload takes only mutual TLS, and plain text came.");
            Some(Got::end(What::Reset, Outcome::NoFilterChain, At::Sidecar, cause))
        }
        (Mtls::Strict, Some(own)) if !mtls => {
            let cause = because("The workload takes only mutual TLS of the mesh, and another TLS session came.");
            if own.insecure {
                return Some(Got::not_modelled(cause));
            }
            let what = What::Tls { depth: 0, why: TlsWhy::UnknownIssuer };
            Some(Got::end(what, Outcome::TlsFailed, At::Sidecar, cause))
        }
        (Mtls::Disable, Some(_)) if mtls => {
            let what = What::Tls { depth: 0, why: TlsWhy::WrongVersion };
            let cause = because("The workload takes no mutual TLS, and the client's proxy opened it.");
            Some(Got::end(what, Outcome::ProtocolMismatch, At::Sidecar, cause))
        }
        _ => None,
    }
}

/// Whether a Service says that the port is not HTTP; otherwise the proxy looks at the bytes.
fn is_declared_tcp(ctx: &Ctx<'_>, target: (IpAddr, u16)) -> bool {
    let services = ctx.model.base().services.iter().filter(|s| s.from == From::Kubernetes);
    let mut ports = services.flat_map(|s| &s.ports).filter(|p| matches!(p.protocol, Protocol::Tcp | Protocol::Tls));
    ports.any(|p| p.endpoints.iter().any(|e| e.host == EndpointHost::Address(target.0) && e.port == target.1))
}

/// A policy ends it.
fn stopped(ctx: &mut Ctx<'_>, entering: Entering<'_>, stop: Stop, message: Option<&Message>) -> Got {
    let Entering { place, hop, connection, mut entry } = entering;
    let (status, body, extra, details, cause) = match stop {
        Stop::NotModelled(cause) => return Got::not_modelled(cause),
        Stop::Denied(details, cause) => (403, guard::DENIED, Vec::new(), details, cause),
        Stop::Token(no) => (no.status, no.body, vec![("www-authenticate".into(), no.challenge.into())], no.details, no.cause),
    };
    let Some(message) = message else {
        ctx.hops[hop].endpoint = Some(socket(connection.target.0, connection.target.1));
        let entry = Entry { method: "-".into(), protocol: "", termination: details.into(), ..entry };
        ctx.write(hop, place, entry, false);
        return Got::end(What::Closed, Outcome::BlockedPolicy, At::Sidecar, cause);
    };
    let mut response = encode(reply(status, body, &extra, "istio-envoy", ctx.inputs.now, message), message);
    if message.body_len > 0 && message.version == HttpVersion::Http11 {
        response.headers.push(("connection".into(), "close".into()));
    }
    entry.code = status;
    entry.details = details.into();
    entry.route = "default".into();
    entry.sent = response.body.len() as u64;
    (entry.upstream_host, entry.upstream_local) = Default::default();
    ctx.write(hop, place, entry, true);
    Got::end(What::Response(response), Outcome::BlockedPolicy, At::Sidecar, cause)
}

fn inbound_entry(ctx: &mut Ctx<'_>, connection: Connection, port: u16, message: Option<&Message>) -> Entry {
    let local = ctx.draw();
    Entry {
        start: ctx.inputs.now,
        method: message.map_or("-".into(), |m| m.method.clone()),
        path: message.map(|m| m.original_path.as_ref().unwrap_or(&m.path).clone()).unwrap_or_default(),
        protocol: message.map_or("", |m| if m.version == HttpVersion::Http2 { "HTTP/2" } else { "HTTP/1.1" }),
        received: message.map_or(0, |m| m.body_len),
        headers: message.map(|m| m.headers.clone()).unwrap_or_default(),
        authority: message.map(|m| m.authority.clone()).unwrap_or_default(),
        upstream_host: connection.local(),
        cluster: format!("inbound|{port}||").into(),
        upstream_local: Address::Ephemeral(IpAddr::from([127, 0, 0, 6]), local),
        downstream_local: connection.local(),
        downstream_remote: connection.remote(),
        ..Entry::default()
    }
}

/// A Sidecar that says itself what the pod listens on.
fn own_ingress(ctx: &Ctx<'_>, who: &Resident) -> Option<Cause> {
    let sidecar = pick_sidecar(ctx.model.base(), &who.id)?;
    let some = sidecar.at(&["spec", "ingress"]).as_array().is_some_and(|all| !all.is_empty());
    let text = "Ingress listeners of a Sidecar are not modelled.";
    some.then(|| Cause::new(sidecar.key().to_string(), "spec.ingress", text))
}
