//! The receiving side: gateways, pods with and without sidecar, and the origins of the world outside.

use super::log::Entry;
use super::wire::{Connection, Got, Layer, Message, TlsWhy, What, Wire};
use super::{Ctx, MAX_HOPS, Place, http, tcp, why};
use crate::base::outcome::{At, Outcome};
use crate::base::shared::Text;
use crate::k8s::Object;
use crate::mesh::compile::listeners::{self, Seen};
use crate::mesh::model::resident::Resident;
use crate::mesh::policy::certificates::{Client, Found};
use crate::mesh::proxy::{Filter, FilterChain, Terminate};
use crate::mesh::{Cause, capture};
use crate::outside::answer::{self, Asked};
use crate::outside::servers::{self, Container, Listens};
use crate::outside::site::{Site, Speaks};
use crate::outside::wire::{DnsAnswer, HttpVersion, Response};
use crate::outside::{OriginFault, Outside};
use serde_json::Value;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

/// A connection to a gateway's pod.
pub fn gateway(ctx: &mut Ctx<'_>, who: &Arc<Resident>, connection: Connection, wire: Wire) -> Got {
    let (ip, port) = connection.target;
    let pod = &*who.pod;
    let Some(place) = ctx.model.place(who, ctx.question(ip, port, &wire)) else {
        return Got::not_modelled(Cause::new(pod.key().to_string(), "spec", "The gateway has no configuration."));
    };
    let unmodelled = || if who.ordinary { None } else { ctx.model.unmodelled_for(pod) };
    if let Some(cause) = unmodelled().or_else(|| place.proxy.not_modelled.first().cloned()) {
        return Got::not_modelled(cause);
    }
    let at = |address: Option<IpAddr>| place.proxy.listeners.iter().find(|l| l.port == port && l.address == address);
    let any = || at(None).or_else(|| at(Some(IpAddr::from([0, 0, 0, 0]))));
    let Some(listener) = at(Some(ip)).or_else(any) else {
        if let Some(cause) = place.proxy.guard.patches.open("GATEWAY") {
            return Got::not_modelled(cause.clone());
        }
        let cause = why::not_listening(ctx, pod, port);
        return Got::end(What::Refused, Outcome::GatewayNotListening, At::Network, cause);
    };
    if ctx.depth >= MAX_HOPS {
        let cause = ctx.last_choice.clone().unwrap_or_else(|| listener.cause.clone());
        return Got::end(too_long(ctx, &place, connection, &wire), Outcome::Loop, At::Gateway, cause);
    }
    let hop = ctx.hop(&place);
    ctx.hops[hop].listener = Some(listener.name.clone());
    ctx.hops[hop].why.listener = Some(listener.cause.clone());
    let seen = Seen { ip, tls: wire.is_tls(), sni: wire.sni().map(Text::as_str), http: wire.is_sniffed_http() };
    let sni = wire.sni().cloned();
    let now = ctx.inputs.now;
    let entry = || Entry {
        start: now,
        downstream_local: connection.local(),
        downstream_remote: connection.remote(),
        sni: sni.clone().unwrap_or_default(),
        ..Entry::default()
    };
    let Some(chain) = listeners::choose(listener, &seen) else {
        let cause = why::no_chain(ctx, listener, sni.as_deref());
        let details = "filter_chain_not_found".into();
        ctx.write(hop, &place, Entry { method: "-".into(), flags: "NR".into(), details, ..entry() }, false);
        return Got::end(What::Reset, Outcome::NoFilterChain, At::Gateway, cause).after(1);
    };
    ctx.hops[hop].filter_chain.clone_from(&chain.name);
    ctx.hops[hop].why.filter_chain = Some(chain.cause.clone());
    if let Some(cause) = &chain.not_modelled {
        return Got::not_modelled(cause.clone());
    }
    let mut wire = wire;
    let (mut ended, mut principal) = (None, None);
    if let Some(how) = chain.terminates {
        match terminate(ctx, how, &mut wire, chain) {
            Ok(identity) => (ended, principal) = (sni.clone(), identity),
            Err(got) => return *got,
        }
    }
    ctx.depth += 1;
    let got = match &chain.filter {
        Filter::Http(_) if !wire.layers.is_empty() => {
            let details = "http1.codec_error".into();
            let entry = Entry {
                protocol: "HTTP/1.1",
                code: 400,
                flags: "DPE".into(),
                details,
                sent: 11,
                sni: Text::default(),
                ..entry()
            };
            ctx.write(hop, &place, entry, true);
            let what = What::Tls { depth: 0, why: TlsWhy::WrongVersion };
            Got::end(what, Outcome::ProtocolMismatch, At::Gateway, chain.cause.clone()).after(1)
        }
        Filter::Http(config) => match wire.http {
            Some(message) => http::hop(ctx, &http::At { place: &place, hop, connection, sni: ended, principal, config }, message),
            None => Got::end(What::Closed, Outcome::ProtocolMismatch, At::Gateway, chain.cause.clone()),
        },
        Filter::Tcp(to) => {
            let at = tcp::At { place: &place, hop, connection, sni, principal, chain, inspected: true };
            tcp::hop(ctx, &at, to, wire)
        }
    };
    ctx.depth -= 1;
    got
}

/// How a loop ends: with every round `x-forwarded-for` grows, until the header list is longer than a proxy takes (60 KiB, that is
/// thousands of rounds; here after [`MAX_HOPS`]). HTTP/2 says so by resetting the stream.
fn too_long(ctx: &mut Ctx<'_>, place: &Place, connection: Connection, wire: &Wire) -> What {
    if wire.is_tls() || wire.http.as_ref().is_none_or(|m| m.version != HttpVersion::Http2) {
        return What::Closed;
    }
    let entry = Entry {
        start: ctx.inputs.now,
        method: "-".into(),
        protocol: "HTTP/2",
        flags: "DR".into(),
        details: "http2.header_list_size_too_large".into(),
        downstream_local: connection.local(),
        downstream_remote: connection.remote(),
        ..Entry::default()
    };
    ctx.write(usize::MAX, place, entry, true);
    What::StreamReset
}

/// Takes off the TLS that ends at this chain, and gives the client's identity.
fn terminate(ctx: &Ctx<'_>, how: Terminate, wire: &mut Wire, chain: &FilterChain) -> Result<Option<Text>, Box<Got>> {
    let layer = wire.layers.remove(0);
    let cause = &chain.cause;
    match (how, layer.mesh) {
        (Terminate::Mesh, true) => Ok(layer.principal),
        (Terminate::Mesh, false) => {
            // The pod's own client knows nothing of the mesh's roots, and gives up before it is asked for a certificate.
            let why = if layer.by_client && !layer.insecure { TlsWhy::UnknownIssuer } else { TlsWhy::Reset };
            let what = What::Tls { depth: 0, why };
            Err(Box::new(Got::end(what, Outcome::TlsFailed, At::Gateway, cause.clone())))
        }
        (Terminate::Own, _) => match own_certificate(ctx, &layer, chain) {
            None => {
                if let Some(message) = &mut wire.http {
                    message.secure = false;
                }
                Ok(None)
            }
            Some(got) => Err(Box::new(got)),
        },
    }
}

/// How a handshake with a certificate of the gateway's own ends; `None` when it succeeds.
fn own_certificate(ctx: &Ctx<'_>, layer: &Layer, chain: &FilterChain) -> Option<Got> {
    let failed =
        |why: TlsWhy, cause: &Cause| Some(Got::end(What::Tls { depth: 0, why }, Outcome::TlsFailed, At::Gateway, cause.clone()));
    let Some(own) = &chain.own else { return Some(Got::not_modelled(chain.cause.clone())) };
    match &own.found {
        // Where nobody looked at the origins, nobody looked at Secrets either.
        Found::Unknown | Found::No(_) if ctx.inputs.outside.is_assumed() && !own.secret.is_empty() => {}
        Found::Unknown => return Some(Got::not_modelled(own.cause.clone())),
        Found::No(cause) => return failed(TlsWhy::Reset, cause),
        Found::Yes => {}
    }
    let server = |text: &str| Cause::new(own.cause.object.clone(), own.cause.field.clone(), text);
    if layer.mesh {
        return failed(TlsWhy::UnknownIssuer, &server("The client takes only certificates of the mesh."));
    }
    if !layer.insecure {
        return Some(Got::not_modelled(own.cause.clone()));
    }
    let text = "The server asks for a client certificate; what a client without one sees is not modelled.";
    (own.client == Client::Certificate).then(|| Got::not_modelled(server(text)))
}

/// A container of the pod that may listen, and what it does.
fn listener_of(pod: &Object, port: u16) -> (Listens, String) {
    let containers = pod.at(&["spec", "containers"]).as_array().map_or(&[][..], Vec::as_slice);
    for container in containers.iter().filter(|c| c.get("name").and_then(Value::as_str) != Some("istio-proxy")) {
        let image = container.get("image").and_then(Value::as_str).unwrap_or("");
        let ports = container.get("ports").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let ports: Vec<u16> = ports.iter().filter_map(|p| Some(p.get("containerPort")?.as_u64()? as u16)).collect();
        let kind = servers::listens(&Container { image, pod: pod.name(), ports: &ports }, port);
        if kind != Listens::No {
            return (kind, image.to_string());
        }
    }
    (Listens::No, String::new())
}

/// A server container of a pod without a proxy in front.
pub fn plain(ctx: &mut Ctx<'_>, pod: &Object, connection: Connection, wire: Wire) -> Got {
    let object = pod.key().to_string();
    let (kind, image) = listener_of(pod, connection.target.1);
    let cause = Cause::new(&object, "spec.containers", "The pod's own server answers.");
    match kind {
        Listens::No if ctx.inputs.outside.is_assumed() && may_listen(pod) => assumed_server(ctx, pod, connection, wire),
        Listens::No => {
            let text = format!("Nothing in the pod listens on port {}.", connection.target.1);
            Got::end(What::Refused, Outcome::UpstreamUnavailable, At::Network, Cause::new(&object, "spec.containers", &text))
        }
        Listens::Unknown if ctx.inputs.outside.is_assumed() => assumed_server(ctx, pod, connection, wire),
        Listens::Unknown => {
            Got::not_modelled(Cause::new(&object, "spec.containers[0].image", format!("What {image} answers is not known.")))
        }
        _ if !wire.layers.is_empty() => {
            let what = What::Tls { depth: 0, why: TlsWhy::WrongVersion };
            Got::end(what, Outcome::ProtocolMismatch, At::Origin, cause)
        }
        _ => {
            let Some(message) = wire.http else {
                return Got::end(What::Closed, Outcome::Delivered, At::Origin, cause);
            };
            let from = connection.source.0.map(|ip| ip.to_string()).unwrap_or_default();
            let said =
                servers::answer(kind, &Container { image: &image, pod: pod.name(), ports: &[] }, &asked(ctx, &message, &from));
            let Some(said) = said else { return Got::end(What::Closed, Outcome::Delivered, At::Origin, cause) };
            let outcome = delivered(ctx, Some(pod), connection.target.0);
            Got::end(What::Response(said.response), outcome, At::Origin, cause).after(1 + said.extra_ms)
        }
    }
}

/// Whether a container of the pod could listen on ports that it does not declare: it declares none, or its image is not known.
fn may_listen(pod: &Object) -> bool {
    let containers = pod.at(&["spec", "containers"]).as_array().map_or(&[][..], Vec::as_slice);
    containers.iter().filter(|c| c.get("name").and_then(Value::as_str) != Some("istio-proxy")).any(|container| {
        let image = container.get("image").and_then(Value::as_str).unwrap_or("");
        servers::listens(&Container { image, pod: pod.name(), ports: &[1] }, 1) == Listens::Unknown
    })
}

/// A server that this program knows nothing about, where servers are assumed to be in order.
fn assumed_server(ctx: &mut Ctx<'_>, pod: &Object, connection: Connection, mut wire: Wire) -> Got {
    let cause = Cause::new(pod.key().to_string(), "spec.containers", "The pod's own server is assumed to answer.");
    wire.layers.pop();
    let Some(message) = wire.http.filter(|_| wire.layers.is_empty()) else {
        return Got::end(What::Closed, Outcome::Delivered, At::Origin, cause);
    };
    let outcome = delivered(ctx, Some(pod), connection.target.0);
    let response = answer::text(&asked(ctx, &message, ""), 200, "text/plain", "");
    Got::end(What::Response(response), outcome, At::Origin, cause).after(1)
}

/// The client's own pod, over the loopback address.
pub fn own_pod(ctx: &mut Ctx<'_>, pod: &Object, connection: Connection, wire: Wire) -> Got {
    let gateway = capture::is_gateway(pod).then(|| ctx.model.snapshot().get(&pod.key()).cloned()).flatten();
    match gateway {
        Some(pod) => self::gateway(ctx, &ctx.model.resident(&pod), connection, wire),
        None => plain(ctx, pod, connection, wire),
    }
}

fn asked<'a>(ctx: &Ctx<'_>, message: &'a Message, from: &'a str) -> Asked<'a> {
    Asked {
        method: &message.method,
        authority: &message.authority,
        path: &message.path,
        headers: &message.headers,
        version: message.version,
        secure: message.secure,
        from,
        now: ctx.inputs.now,
    }
}

/// Whether who answers is who the client meant.
fn delivered(ctx: &Ctx<'_>, pod: Option<&Object>, ip: IpAddr) -> Outcome {
    let outside = ctx.inputs.outside;
    let meant = match outside.site_at(ip).filter(|_| pod.is_none()) {
        Some(site) => site.serves(&ctx.intended) || site.certified_for(&ctx.intended),
        None => pod.is_none() && outside.is_assumed(),
    };
    let literal = || ctx.intended.parse::<IpAddr>().ok();
    // A name of the cluster may also lead outside: ExternalName, endpoints kept by hand.
    let inside = || pod.is_some() || !matches!(outside.resolve(&ctx.intended), DnsAnswer::Addresses { .. });
    let by_service = || inside() && ctx.model.leads_to(ctx.client, &ctx.intended, ip, outside);
    match meant || literal() == Some(ip) || by_service() {
        true => Outcome::Delivered,
        false => Outcome::DeliveredElsewhere,
    }
}

/// An address outside the cluster.
pub fn outside(ctx: &mut Ctx<'_>, connection: Connection, wire: Wire) -> Got {
    let (ip, port) = connection.target;
    let world: &Outside = ctx.inputs.outside;
    if world.is_assumed() && world.site_at(ip).is_none() {
        return assumed(ctx, (ip, port), wire);
    }
    let unreachable = |field: &str, text: String| {
        let cause = Cause::new("default", field, &text);
        Got::end(What::Dropped, Outcome::UpstreamUnavailable, At::Network, cause)
    };
    let Some(site) = world.site_at(ip) else {
        return unreachable("network", format!("Nothing answers at {ip}."));
    };
    let origin = Cause::new("default", "origin", format!("{} answers.", site.names.first().map_or("the origin", |n| n)));
    let broken = |what: What| {
        let text = format!("The origin {ip}:{port} is out of order.");
        let at = if matches!(what, What::Refused | What::Dropped) { At::Network } else { At::Origin };
        Got::end(what, Outcome::UpstreamUnavailable, at, Cause::new("default", "origin", &text)).after(1)
    };
    let mut slow = 0;
    match world.fault_at(ip, port) {
        Some(OriginFault::Refuse) => return broken(What::Refused),
        Some(OriginFault::Drop) => return broken(What::Dropped),
        Some(OriginFault::Close) => return broken(What::Closed),
        Some(OriginFault::Hang) => return broken(What::Hang),
        Some(OriginFault::Slow(ms)) => slow = ms,
        None => {}
    }
    let Some(open) = site.port(port) else {
        return unreachable("origin", format!("{ip} does not serve port {port}."));
    };
    let latency = site.latency_ms + slow;
    let got = match open.speaks {
        Speaks::Bytes => Got::end(What::Closed, Outcome::Delivered, At::Origin, origin),
        Speaks::Http if wire.is_tls() => mismatch(0, origin),
        Speaks::Http => answer_http(ctx, site, port, connection, wire, false),
        Speaks::Tls => answer_tls(ctx, site, port, connection, wire),
    };
    got.after(latency)
}

fn mismatch(depth: usize, cause: Cause) -> Got {
    Got::end(What::Tls { depth, why: TlsWhy::WrongVersion }, Outcome::ProtocolMismatch, At::Origin, cause)
}

fn answer_http(ctx: &mut Ctx<'_>, site: &Site, port: u16, connection: Connection, wire: Wire, secure: bool) -> Got {
    let cause = Cause::new("default", "origin", "The origin answers.");
    let (Some(open), Some(message)) = (site.port(port), wire.http) else {
        return Got::end(What::Closed, Outcome::Delivered, At::Origin, cause);
    };
    let from = connection.source.0.map(|ip| ip.to_string()).unwrap_or_default();
    let said = answer::at_port(open, &Asked { secure, ..asked(ctx, &message, &from) });
    let outcome = delivered(ctx, None, connection.target.0);
    Got::end(What::Response(said.response), outcome, At::Origin, cause).after(said.extra_ms)
}

fn answer_tls(ctx: &mut Ctx<'_>, site: &Site, port: u16, connection: Connection, mut wire: Wire) -> Got {
    let cause = Cause::new("default", "origin", format!("Port {port} of the origin speaks TLS."));
    if wire.layers.is_empty() {
        let message = wire.http;
        let from = String::new();
        let page = message.and_then(|m| answer::plain_on_tls(site.port(port)?.plain, &asked(ctx, &m, &from)));
        let what = page.map_or(What::Closed, What::Response);
        return Got::end(what, Outcome::ProtocolMismatch, At::Origin, sender(ctx, cause));
    }
    let layer = wire.layers.remove(0);
    if let Some(why) = refusal(&layer, site) {
        return Got::end(What::Tls { depth: 0, why }, Outcome::TlsFailed, At::Origin, cause);
    }
    if !wire.layers.is_empty() {
        return mismatch(1, cause);
    }
    if site.port(port).is_some_and(|open| open.client_certificate) {
        let name = site.names.first().map_or(site.id.as_str(), String::as_str);
        return Got::not_modelled(Cause::new(format!("origin {name}:{port}"), "client certificate", ""));
    }
    let http2 = site.http2 && layer.http2;
    let wire = Wire { http: wire.http.map(|m| Message { version: negotiated(&m, http2, layer.by_client), ..m }), ..wire };
    answer_http(ctx, site, port, connection, wire, true)
}

/// What a rule sends in the clear to a TLS port is the rule's doing; else it is what the client asked for.
fn sender(ctx: &Ctx<'_>, cause: Cause) -> Cause {
    ctx.last_choice.clone().filter(|choice| choice.object.starts_with("VirtualService")).unwrap_or(cause)
}

fn negotiated(message: &Message, http2: bool, by_client: bool) -> HttpVersion {
    match (by_client, http2) {
        (true, true) => HttpVersion::Http2,
        (true, false) if message.version == HttpVersion::Http2 => HttpVersion::Http11,
        _ => message.version,
    }
}

/// Why the side that opened TLS does not take the origin's certificate.
fn refusal(layer: &Layer, site: &Site) -> Option<TlsWhy> {
    if layer.insecure {
        return None;
    }
    if layer.mesh || layer.private_ca {
        return Some(TlsWhy::UnknownIssuer);
    }
    let fits = layer.names.is_empty() || layer.names.iter().any(|n| site.certified_for(n));
    let shown = site.certificate.join(", ");
    // Names that a DestinationRule gives are matchers of the proxy; the request's own host is a list that it verifies.
    let names = match (layer.by_client, layer.own_names) {
        (true, _) => layer.names.iter().map(String::from).collect(),
        (false, true) => vec![format!("SAN matcher, certificate SANs are [{shown}]")],
        (false, false) => {
            vec![format!("verify SAN list, expected SANs: [{}], certificate SANs: [{shown}]", joined(&layer.names))]
        }
    };
    (!fits).then_some(TlsWhy::Name(names))
}

fn joined(names: &[Text]) -> String {
    names.iter().map(Text::as_str).collect::<Vec<_>>().join(", ")
}

/// Ports on which an origin that nobody looked at is taken to speak TLS and nothing else.
pub const TLS_PORTS: [u16; 4] = [443, 6443, 8443, 9443];
/// Ports on which it is taken to speak plain HTTP.
pub const PLAIN_PORTS: [u16; 2] = [80, 8080];

/// The cause of most deliveries in a mesh whose surroundings are not known.
static ASSUMED: LazyLock<Cause> = LazyLock::new(|| Cause::new("default", "origin", "The origin is assumed to answer."));

/// An origin that nobody looked at: it answers 200 to whatever is said to it in the way that is usual on its port.
fn assumed(ctx: &mut Ctx<'_>, (ip, port): (IpAddr, u16), mut wire: Wire) -> Got {
    let cause = ASSUMED.clone();
    if wire.layers.is_empty() && wire.http.is_some() && TLS_PORTS.contains(&port) {
        let text = format!("Plain HTTP came to port {port}, where an origin is assumed to speak TLS only.");
        let cause = sender(ctx, Cause::new("default", "origin", &text));
        return Got::end(What::Closed, Outcome::ProtocolMismatch, At::Origin, cause);
    }
    if !wire.layers.is_empty() && PLAIN_PORTS.contains(&port) {
        let text = format!("TLS came to port {port}, where an origin is assumed to speak plain HTTP.");
        return mismatch(0, Cause::new("default", "origin", &text));
    }
    wire.layers.pop();
    if !wire.layers.is_empty() {
        return mismatch(1, cause);
    }
    if wire.http.is_none() {
        return Got::end(What::Closed, delivered(ctx, None, ip), At::Origin, cause);
    }
    let mut headers = Vec::with_capacity(4);
    headers.extend([("date".into(), answer::date(ctx.inputs.now)), ("content-length".into(), "0".into())]);
    let version = wire.http.as_ref().map_or(HttpVersion::Http11, |m| m.version);
    let response = Response { version, status: 200, reason: "OK".into(), headers, body: Vec::new(), peer: None };
    let outcome = delivered(ctx, None, ip);
    Got::end(What::Response(response), outcome, At::Origin, cause).after(1)
}

/// The API server behind Service default/kubernetes: TLS with the cluster's own CA, and no access without a credential.
pub fn api_server(ctx: &mut Ctx<'_>, mut wire: Wire) -> Got {
    let cause = Cause::new("Service default/kubernetes", "spec.ports[0]", "The API server answers.");
    let Some(layer) = (!wire.layers.is_empty()).then(|| wire.layers.remove(0)) else {
        return Got::end(What::Closed, Outcome::ProtocolMismatch, At::Origin, cause);
    };
    if !layer.insecure {
        return Got::end(What::Tls { depth: 0, why: TlsWhy::UnknownIssuer }, Outcome::TlsFailed, At::Client, cause);
    }
    let body = "{\n  \"kind\": \"Status\",\n  \"apiVersion\": \"v1\",\n  \"metadata\": {},\n  \"status\": \"Failure\",\n  \"message\": \
                \"Unauthorized\",\n  \"reason\": \"Unauthorized\",\n  \"code\": 401\n}\n";
    let Some(message) = wire.http else { return Got::end(What::Closed, Outcome::Delivered, At::Origin, cause) };
    let response = answer::text(&asked(ctx, &message, ""), 401, "application/json", body);
    Got::end(What::Response(response), Outcome::Delivered, At::Origin, cause).after(1)
}
