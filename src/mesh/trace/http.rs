//! A request in a proxy's HTTP connection manager: virtual host, route, fault, cluster, upstream.

mod cors;
mod edits;
mod forward;
mod matching;
mod mirror;

use super::local::{encode, lower_names, relay, reply};
use super::log::Entry;
use super::wire::{Connection, Got, Message, What};
use super::{Ctx, Place, guard, why};
use crate::base::outcome::{At as Gate, Outcome, Path};
use crate::base::shared::Text;
use crate::mesh::Cause;
use crate::mesh::compile::rules::Edits;
use crate::mesh::policy::{Stop, values};
use crate::mesh::proxy::{Action, Route};
use crate::outside::answer::has_capitals;
use crate::outside::wire::{Header, HttpVersion, Response};

/// Where the request stands.
pub struct At<'x> {
    pub place: &'x Place,
    pub hop: usize,
    pub connection: Connection,
    /// The server name of TLS that ended here.
    pub sni: Option<Text>,
    /// The client's identity on TLS that ended here.
    pub principal: Option<Text>,
    pub config: &'x Text,
}

impl At<'_> {
    fn seen<'m>(&'m self, message: &'m Message) -> guard::Seen<'m> {
        let (principal, sni) = (self.principal.as_deref(), self.sni.as_deref());
        guard::Seen { connection: self.connection, principal, sni, message: Some(message) }
    }

    fn gate(&self) -> Gate {
        if self.place.proxy.gateway { Gate::Gateway } else { Gate::Sidecar }
    }
}

/// An answer of the proxy itself.
struct Own<'t> {
    status: u16,
    body: &'t str,
    extra: Vec<Header>,
    flags: Text,
    details: Text,
    outcome: Outcome,
    cause: Cause,
}

/// Takes the request through this proxy.
pub fn hop(ctx: &mut Ctx<'_>, at: &At<'_>, mut message: Message) -> Got {
    ctx.hops[at.hop].route_config = Some(at.config.clone());
    if at.place.proxy.gateway && message.version == HttpVersion::Http10 {
        return too_old(ctx, at, &message);
    }
    prepare(ctx, at, &mut message);
    let entry = entry(ctx, at, &message);
    let proxy = &at.place.proxy;
    let host = proxy.routes.get(at.config).and_then(|config| matching::virtual_host(config, &message.authority));
    ctx.hops[at.hop].virtual_host = host.map(|h| h.name.clone());
    ctx.hops[at.hop].why.virtual_host = host.map(|h| h.cause.clone());
    let route = host.and_then(|h| h.routes.iter().find(|r| matching::fits(&r.matcher, &message)));
    if at.place.proxy.gateway
        && let Some(stop) = guard::stops(at.place, &at.seen(&message))
    {
        return stopped(ctx, at, entry, &message, (stop, route));
    }
    let Some(route) = route else {
        return no_route(ctx, at, entry, &message);
    };
    if let Some(cause) = route.not_modelled.clone().or_else(|| matching::unknown(route)) {
        return Got::not_modelled(cause);
    }
    ctx.hops[at.hop].route = Some(route.name.clone()).filter(|n| !n.is_empty());
    ctx.hops[at.hop].why.route = Some(route.cause.clone());
    take(ctx, at, entry, message, route)
}

fn take(ctx: &mut Ctx<'_>, at: &At<'_>, mut entry: Box<Entry>, mut message: Message, route: &Route) -> Got {
    entry.route.clone_from(&route.name);
    let mut delay = 0;
    if let Some(fault) = &route.fault {
        let hit = |ctx: &Ctx<'_>, what: &str, share: u64| ctx.chance(what) % 10_000 < share;
        if let Some((ms, _)) = fault.delay.filter(|(_, share)| hit(ctx, "fault-delay", *share)) {
            delay = ms;
            entry.flags = "DI".into();
        }
        if let Some((status, _)) = fault.abort.filter(|(_, share)| hit(ctx, "fault-abort", *share)) {
            return abort(ctx, at, entry, &message, (status, delay), route);
        }
    }
    let said = cors::ask(route.cors.as_ref(), &message);
    if let cors::Says::Answers(extra) = said {
        let cause = rule_part(route, "corsPolicy").saying("The rule's CORS policy answers preflights.");
        let outcome = Outcome::AnsweredByProxy;
        let (flags, details) = (entry.flags.clone(), "cors_response".into());
        let own = Own { status: 200, body: "", extra, flags, details, outcome, cause };
        entry.duration = delay;
        name_cluster(ctx, at, &mut entry, route);
        return at_once(ctx, at, entry, &message, own).after(delay);
    }
    let got = match &route.action {
        Action::Direct(status, body) => direct(ctx, at, Delayed { entry, delay }, &message, route, (*status, body)),
        Action::Redirect(redirect) => {
            let location = edits::location(redirect, &message, route);
            entry.duration = delay;
            let own = Own {
                status: redirect.code,
                body: "",
                extra: vec![("location".into(), location.into())],
                flags: entry.flags.clone(),
                details: "direct_response".into(),
                outcome: Outcome::AnsweredByProxy,
                cause: route.cause.clone(),
            };
            led(at_once(ctx, at, entry, &message, own).after(delay), &[&route.headers.response])
        }
        Action::Forward(targets) => {
            matching::rewrite(route, &mut message);
            forward::forward(ctx, &forward::Job { at, route, targets, delay }, entry, message)
        }
    };
    match said {
        cors::Says::Adds(headers) => permitted(got, headers),
        _ => got,
    }
}

/// The proxy's own answer with edits of the route in it.
fn led(mut got: Got, edits: &[&Edits]) -> Got {
    if let What::Response(response) = &mut got.what {
        edits::lead(&mut response.headers, edits);
    }
    got
}

/// An answer with the permissions of the CORS filter: in the place of the origin's own where it has them.
fn permitted(mut got: Got, permissions: Vec<Header>) -> Got {
    if let What::Response(response) = &mut got.what {
        for (name, value) in permissions {
            match response.headers.iter_mut().find(|(n, _)| *n == name) {
                Some((_, own)) => *own = value,
                None => response.headers.push((name, value)),
            }
        }
    }
    got
}

/// A line in the making, and how long a fault held the request back.
struct Delayed {
    entry: Box<Entry>,
    delay: u64,
}

fn direct(ctx: &mut Ctx<'_>, at: &At<'_>, from: Delayed, message: &Message, route: &Route, answered: (u16, &str)) -> Got {
    let Delayed { mut entry, delay } = from;
    entry.duration = delay;
    let blocked = route.name == "block_all";
    let cause =
        if blocked { why::blocked(ctx, at.place, &message.authority, at.connection.target.1) } else { route.cause.clone() };
    let own = Own {
        status: answered.0,
        body: answered.1,
        extra: Vec::new(),
        flags: entry.flags.clone(),
        details: "direct_response".into(),
        outcome: if blocked { Outcome::BlockedRegistryOnly } else { Outcome::AnsweredByProxy },
        cause,
    };
    led(at_once(ctx, at, entry, message, own).after(delay), &[&route.headers.response])
}

fn abort(ctx: &mut Ctx<'_>, at: &At<'_>, mut entry: Box<Entry>, message: &Message, fault: (u16, u64), route: &Route) -> Got {
    let flags = if fault.1 > 0 { "DI,FI" } else { "FI" };
    let cause = rule_part(route, "fault.abort").saying("The rule injects an abort.");
    let (body, details) = ("fault filter abort", "fault_filter_abort".into());
    let own =
        Own { status: fault.0, body, extra: Vec::new(), flags: flags.into(), details, outcome: Outcome::AnsweredByProxy, cause };
    entry.duration = fault.1;
    name_cluster(ctx, at, &mut entry, route);
    led(at_once(ctx, at, entry, message, own).after(fault.1), &[&route.headers.response])
}

/// A setting of the route's rule. The Gateway API has other names for some.
fn rule_part(route: &Route, name: &str) -> Cause {
    if let Some((_, elsewhere)) = route.inherited.iter().find(|(n, _)| *n == name) {
        return elsewhere.clone();
    }
    let of_gateway_api = route.rule.object.starts_with("HTTPRoute ");
    route.rule.within(match name {
        "timeout" if of_gateway_api => "timeouts.request",
        "retries.perTryTimeout" if of_gateway_api => "timeouts.backendRequest",
        other => other,
    })
}

/// HTTP/1.0 at a gateway.
fn too_old(ctx: &mut Ctx<'_>, at: &At<'_>, message: &Message) -> Got {
    let entry = Box::new(Entry {
        start: ctx.started(),
        protocol: "HTTP/1.1",
        downstream_local: at.connection.local(),
        downstream_remote: at.connection.remote(),
        ..Entry::default()
    });
    let message = Message { version: HttpVersion::Http11, ..message.clone() };
    let own = Own {
        status: 426,
        body: "Upgrade Required",
        extra: Vec::new(),
        flags: "DPE".into(),
        details: "low_version".into(),
        outcome: Outcome::ProtocolMismatch,
        cause: Cause::new("default", "HTTP/1.0", "Envoy takes no HTTP/1.0 at a gateway."),
    };
    let got = answer(ctx, at, entry, &message, own);
    match got.what {
        What::Response(mut r) => {
            r.headers.push(("connection".into(), "close".into()));
            Got { what: What::Response(r), ..got }
        }
        _ => got,
    }
}

/// What the proxy adds to a request before it looks at it.
fn prepare(ctx: &mut Ctx<'_>, at: &At<'_>, message: &mut Message) {
    if message.headers.iter().any(|(name, _)| has_capitals(name)) {
        lower_names(message.edit());
    }
    if let Some(path) = values::normal(&message.path) {
        message.path = path.into();
    }
    let renews = at.place.proxy.gateway && ctx.model.options().facts.gateway_renews_request_id;
    let [scheme, id, attempts] = message.positions(["x-forwarded-proto", "x-request-id", "x-envoy-attempt-count"]);
    message.keep(("x-forwarded-proto", scheme), if at.sni.is_some() { "https" } else { "http" });
    if renews || id.is_none() {
        message.put(("x-request-id", id), ctx.draw().request_id());
    }
    message.keep(("x-envoy-attempt-count", attempts), "1");
    if let Some(ip) = at.connection.source.0.filter(|_| at.place.proxy.gateway) {
        let own = Text::late(move || ip.to_string());
        let [list, external] = message.positions(["x-forwarded-for", "x-envoy-external-address"]);
        let longer = list.map(|at| format!("{},{ip}", message.headers[at].1).into());
        message.put(("x-forwarded-for", list), longer.unwrap_or_else(|| own.clone()));
        message.put(("x-envoy-external-address", external), own);
    }
}

fn entry(ctx: &Ctx<'_>, at: &At<'_>, message: &Message) -> Box<Entry> {
    Box::new(Entry {
        start: ctx.started(),
        method: message.method.clone(),
        path: message.original_path.as_ref().unwrap_or(&message.path).clone(),
        protocol: if message.version == HttpVersion::Http2 { "HTTP/2" } else { "HTTP/1.1" },
        received: message.body_len,
        forwarded_for: message.header("x-forwarded-for").cloned().unwrap_or_default(),
        headers: message.headers.clone(),
        authority: message.authority.clone(),
        downstream_local: at.connection.local(),
        downstream_remote: at.connection.remote(),
        sni: at.sni.clone().unwrap_or_default(),
        ..Entry::default()
    })
}

fn no_route(ctx: &mut Ctx<'_>, at: &At<'_>, entry: Box<Entry>, message: &Message) -> Got {
    let cause = why::no_route(ctx, at.place, at.config, message);
    let (flags, details) = ("NR".into(), "route_not_found".into());
    let own = Own { status: 404, body: "", extra: Vec::new(), flags, details, outcome: Outcome::NoRoute, cause };
    at_once(ctx, at, entry, message, own)
}

/// A policy ends the request, before the route does anything; the line names the route and its cluster all the same.
fn stopped(ctx: &mut Ctx<'_>, at: &At<'_>, mut entry: Box<Entry>, message: &Message, by: (Stop, Option<&Route>)) -> Got {
    let (stop, route) = by;
    if let Some(route) = route {
        entry.route.clone_from(&route.name);
        ctx.hops[at.hop].route = Some(route.name.clone()).filter(|n| !n.is_empty());
        name_cluster(ctx, at, &mut entry, route);
    }
    let (status, body, extra, details, cause) = match stop {
        Stop::NotModelled(cause) => return Got::not_modelled(cause),
        Stop::Denied(details, cause) => (403, guard::DENIED, Vec::new(), details, cause),
        Stop::Token(no) => (no.status, no.body, vec![("www-authenticate".into(), no.challenge.into())], no.details, no.cause),
    };
    let own =
        Own { status, body, extra, flags: Text::default(), details: details.into(), outcome: Outcome::BlockedPolicy, cause };
    at_once(ctx, at, entry, message, own)
}

/// A filter that ends a request before it is routed has looked the route's cluster up: the line names it, if there is one.
fn name_cluster(ctx: &mut Ctx<'_>, at: &At<'_>, entry: &mut Entry, route: &Route) {
    if let Action::Forward(targets) = &route.action
        && let Some(chosen) = forward::choose(ctx, targets)
        && let Some(cluster) = at.place.proxy.clusters.get(&chosen.cluster)
    {
        entry.cluster.clone_from(&chosen.cluster);
        ctx.hops[at.hop].why.cluster = Some(cluster.cause.clone());
        ctx.hops[at.hop].cluster = Some(chosen.cluster.clone());
    }
}

/// Ends the request here when its head has come: of its body nothing counts, and the connection cannot be used again.
fn at_once(ctx: &mut Ctx<'_>, at: &At<'_>, mut entry: Box<Entry>, message: &Message, own: Own<'_>) -> Got {
    entry.received = 0;
    let mut got = answer(ctx, at, entry, message, own);
    if let (What::Response(r), true) = (&mut got.what, message.body_len > 0 && message.version == HttpVersion::Http11)
        && !r.headers.iter().any(|(n, _)| n == "connection")
    {
        r.headers.push(("connection".into(), "close".into()));
    }
    got
}

/// Ends the request here with the proxy's own answer.
fn answer(ctx: &mut Ctx<'_>, at: &At<'_>, mut entry: Box<Entry>, message: &Message, own: Own<'_>) -> Got {
    let response = encode(reply(own.status, own.body, &own.extra, at.place.server(), ctx.inputs.now, message), message);
    entry.code = own.status;
    entry.flags = own.flags;
    entry.details = own.details;
    entry.sent = response.body.len() as u64;
    ctx.write(at.hop, at.place, entry, true);
    Got::end(What::Response(response), own.outcome, at.gate(), own.cause)
}

/// An upstream's answer as this proxy hands it on.
fn hand_on(ctx: &Ctx<'_>, at: &At<'_>, response: Response, service_ms: u64, message: &Message, edits: &[&Edits]) -> Response {
    let mut response = relay(response, at.place.server(), service_ms, ctx.inputs.now, message);
    for one in edits {
        edits::apply(&mut response.headers, one);
    }
    encode(response, message)
}

/// Which way a cluster leads.
fn way(ctx: &Ctx<'_>, cluster: &str, host: &str) -> Path {
    match cluster {
        "PassthroughCluster" | "AllowAnyDynamicDNSCluster" => Path::Passthrough,
        _ => ctx.model.gateway_behind(host).map_or(Path::Direct, Path::Gateway),
    }
}

/// See [`way`].
pub fn way_of(ctx: &Ctx<'_>, cluster: &str, host: &str) -> Path {
    way(ctx, cluster, host)
}

pub use forward::{beyond, choose, failure_body, mesh_name, tls_words};
