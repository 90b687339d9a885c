//! One request through the gates: name, capture, listener, route or server name, cluster, gateway, origin. Nothing here decides
//! anything by itself; it walks the configuration that `compile` derived and notes who decided.

pub mod burst;
pub mod finish;
pub mod firewall;
pub mod guard;
pub mod http;
pub mod inbound;
pub mod local;
pub mod log;
pub mod network;
pub mod patched;
pub mod server;
pub mod tcp;
pub mod upstream;
pub mod wire;
pub mod why;

use crate::base::outcome::{At, Outcome, Path, TlsBy};
use crate::base::shared::Text;
use crate::k8s::Object;
use crate::mesh::capture::{self, Capture};
use crate::mesh::compile::listeners::{self, Seen};
use crate::mesh::compile::slice::Question;
use crate::mesh::model::resident::Resident;
use crate::mesh::policy::network::Protocol;
use crate::mesh::proxy::{Cluster, Filter, Proxy};
use crate::mesh::resolve::{self, Asker};
use crate::mesh::telemetry::{Side, Sink};
use crate::mesh::{Cause, Hop, Inputs, Model, Trace};
use crate::outside::answer::bare;
use crate::outside::wire::{DnsAnswer, Request, Scheme};
use log::Entry;
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use wire::{Connection, Draw, Got, Layer, Message, What, Wire};

/// How many proxies one request may pass before it counts as a loop.
pub const MAX_HOPS: usize = 8;

/// How many proxies most requests pass at most: a sidecar and a gateway.
const USUAL: usize = 2;

/// A line that a proxy will write, with the hop it belongs to.
#[derive(Debug)]
pub struct Written {
    pub hop: usize,
    pub namespace: Text,
    pub pod: Text,
    pub entry: Box<Entry>,
    pub http: bool,
    /// Where the proxy writes it.
    pub sinks: Arc<Vec<Sink>>,
}

/// What accumulates along the way.
pub struct Ctx<'a> {
    pub model: &'a Model,
    pub inputs: &'a Inputs<'a>,
    /// The client's pod.
    pub client: &'a Object,
    pub who: Arc<Resident>,
    /// The host that the client means.
    pub intended: Text,
    pub hops: Vec<Hop>,
    pub written: Vec<Written>,
    pub path: Path,
    pub tls: TlsBy,
    /// Hops at proxies that something changes in ways that are not modelled.
    pub patched: Vec<(usize, Place)>,
    /// What the first proxy (or its absence) decided by: the cause of a delivery.
    pub decided: Option<Cause>,
    pub depth: usize,
    /// The name that the client looked up and what it got, where any pod gets the same: the proxies on the way mostly ask for it again.
    pub looked_up: Option<(&'a Text, Vec<IpAddr>)>,
    /// The destination that was chosen last: the cause of a loop.
    pub last_choice: Option<Cause>,
    /// The requests that are sent at the same time, when there are several.
    pub burst: Option<&'a mut burst::Burst>,
    /// Inside a copy that a rule mirrors: such copies are not mirrored again.
    pub mirrored: bool,
    serial: u64,
}

/// A proxy in its pod.
#[derive(Clone)]
pub struct Place {
    pub proxy: Arc<Proxy>,
    pub who: Arc<Resident>,
}

impl Place {
    /// The value of the `server` header that this proxy writes.
    pub fn server(&self) -> &'static str {
        if self.proxy.gateway { "istio-envoy" } else { "envoy" }
    }

    /// The identity in the pod's workload certificate (Istio: pkg/spiffe).
    pub fn principal(&self, ctx: &Ctx<'_>) -> Text {
        let account = Some(self.who.pod.str_at(&["spec", "serviceAccountName"])).filter(|a| !a.is_empty()).unwrap_or("default");
        let domain = ctx.model.mesh_config().trust_domains.first().map_or("cluster.local", |d| d.as_str());
        format!("spiffe://{domain}/ns/{}/sa/{account}", self.who.namespace).into()
    }
}

impl Ctx<'_> {
    /// The next value by lot: a fresh ephemeral port or request id.
    pub fn draw(&mut self) -> Draw {
        self.serial += 1;
        Draw::new(self.inputs.seed, self.inputs.nth, self.serial)
    }

    /// A number that depends on this exchange and on what it is for.
    pub fn chance(&self, what: &str) -> u64 {
        self.inputs.seed.hash(&[what, &self.inputs.nth.to_string()])
    }

    /// What a choice is for, told apart by how many gateways the request has passed.
    pub fn at_depth(&self, what: &str) -> String {
        if self.depth == 0 { what.to_string() } else { format!("{what}-{}", self.depth) }
    }

    /// Asks a cluster's pool for a place among the requests of a burst: how long to wait, or nothing when it is full.
    pub fn wait(&mut self, place: &Place, cluster: &Cluster) -> Option<u64> {
        let shared = cluster.http2;
        match self.burst.as_mut().map(|b| b.ask(place, cluster, shared)) {
            None => Some(0),
            Some(burst::Says::After(ms)) => Some(ms),
            Some(burst::Says::Full) => None,
        }
    }

    /// Notes that a request of a burst gave its place back.
    pub fn gave_back(&mut self, place: &Place, cluster: &Cluster, at: u64) {
        if let Some(burst) = self.burst.as_mut() {
            burst.done(place, cluster, at);
        }
    }

    /// Whether a connection of a burst finds the cluster's pool full; nothing waits for a connection that is spliced.
    pub fn full(&mut self, place: &Place, cluster: &Cluster) -> bool {
        let waits = self.wait(place, cluster).is_none_or(|ms| ms > 0);
        if !waits {
            self.gave_back(place, cluster, u64::MAX);
        }
        waits
    }

    /// When the present proxy got the request: a millisecond per gateway after the client sent it.
    pub fn started(&self) -> crate::base::clock::Time {
        self.inputs.now.plus_ms(self.depth as i64)
    }

    /// What a proxy is asked about a connection.
    pub fn question(&self, ip: IpAddr, port: u16, wire: &Wire) -> Question {
        Question::of(ip, port, wire.names().chain([&self.intended]))
    }

    /// The addresses that a pod's resolver gives for a name; none when it knows none.
    pub fn addresses(&self, who: &Resident, name: &str) -> Cow<'_, [IpAddr]> {
        if let Some((known, addresses)) = &self.looked_up
            && ***known == *name
            && !resolve::depends_on_asker(Asker::resident(who), name)
        {
            return Cow::Borrowed(addresses);
        }
        match self.model.resolve_for(who, name, self.inputs.outside) {
            DnsAnswer::Addresses { addresses, .. } => Cow::Owned(addresses),
            DnsAnswer::NoSuchName | DnsAnswer::TimedOut => Cow::Borrowed(&[]),
        }
    }

    /// Notes the way out, unless an earlier proxy already chose it.
    pub fn leaves_by(&mut self, path: Path, cause: &Cause) {
        if self.path == Path::None {
            self.path = path;
        }
        self.decided.get_or_insert_with(|| cause.clone());
    }

    /// Notes which destination a rule chose.
    pub fn note_choice(&mut self, cause: &Cause) {
        self.last_choice = Some(cause.clone());
    }

    /// Before a retry: the hops of the try before it are dropped, its log lines stay.
    pub fn forget_retry(&mut self, hops: usize, _try: u32) {
        for written in &mut self.written {
            if written.hop >= hops {
                written.hop = usize::MAX;
            }
        }
        self.hops.truncate(hops);
    }

    /// A hop of this proxy; its index.
    pub fn hop(&mut self, place: &Place) -> usize {
        if !place.proxy.guard.patches.is_empty() {
            self.patched.push((self.hops.len(), place.clone()));
        }
        self.hops.push(Hop { proxy: place.who.full.clone(), flags: "-".into(), ..Hop::default() });
        self.hops.len() - 1
    }

    /// Keeps the line that a hop writes when it ends.
    pub fn write(&mut self, hop: usize, place: &Place, entry: impl Into<Box<Entry>>, http: bool) {
        let entry: Box<Entry> = entry.into();
        let mut inbound = false;
        if let Some(h) = self.hops.get_mut(hop) {
            if !entry.flags.is_empty() {
                h.flags.clone_from(&entry.flags);
            } else if h.flags != "-" {
                h.flags = "-".into();
            }
            inbound = h.listener.as_deref() == Some("virtualInbound");
        }
        let (namespace, pod) = (place.who.namespace.clone(), place.who.name.clone());
        let side = if inbound { Side::Server } else { Side::Client };
        let sinks = place.proxy.guard.logging.of(side).clone();
        self.written.push(Written { hop, namespace, pod, entry, http, sinks });
    }
}

/// Traces one request of a client in a pod.
pub fn trace(model: &Model, pod: &Object, request: &Request, inputs: &Inputs<'_>) -> Trace {
    among(model, pod, request, inputs, None)
}

/// Traces one request of several that are sent at the same time.
pub fn among(model: &Model, pod: &Object, request: &Request, inputs: &Inputs<'_>, burst: Option<&mut burst::Burst>) -> Trace {
    if let Some(cause) = model.options().unknown.first() {
        return finish::not_modelled(request, cause.clone());
    }
    let authority = request.sent("host").cloned().unwrap_or_else(|| default_authority(request));
    let mut ctx = Ctx {
        model,
        inputs,
        client: pod,
        who: model.resident(pod),
        intended: bare_text(&authority),
        hops: Vec::with_capacity(USUAL),
        written: Vec::with_capacity(USUAL),
        patched: Vec::new(),
        path: Path::None,
        tls: if request.scheme == Scheme::Https { TlsBy::Client } else { TlsBy::None },
        decided: None,
        depth: 0,
        looked_up: None,
        last_choice: None,
        burst,
        mirrored: false,
        serial: 0,
    };
    let address = match dial_address(&mut ctx, request) {
        Ok(address) => address,
        Err(answer) => return finish::name_failed(&ctx, request, answer),
    };
    let wire = client_wire(request, authority);
    let got = leave_pod(&mut ctx, request, address, wire);
    finish::finish(ctx, request, address, got)
}

fn default_authority(request: &Request) -> Text {
    match (request.scheme, request.port) {
        (Scheme::Http, 80) | (Scheme::Https, 443) => request.host.clone(),
        (_, port) => format!("{}:{port}", request.host).into(),
    }
}

/// The host of an authority; the same text where it is nothing else.
pub fn bare_text(authority: &Text) -> Text {
    match bare(authority) {
        Cow::Borrowed(host) if host.len() == authority.len() => authority.clone(),
        host => Text::new(&host),
    }
}

/// What the resolver said, and who kept it from asking.
type Unresolved = (DnsAnswer, Option<Cause>);

fn dial_address<'a>(ctx: &mut Ctx<'a>, request: &'a Request) -> Result<IpAddr, Unresolved> {
    if let Some(address) = request.address {
        return Ok(address);
    }
    if let Some(cause) = firewall::blocks_names(ctx.model, ctx.client, &request.host) {
        return Err((DnsAnswer::TimedOut, Some(cause)));
    }
    match ctx.model.resolve_for(&ctx.who, &request.host, ctx.inputs.outside) {
        DnsAnswer::Addresses { addresses, .. } if !addresses.is_empty() => {
            let first = addresses[0];
            if !resolve::depends_on_asker(Asker::resident(&ctx.who), &request.host) {
                ctx.looked_up = Some((&request.host, addresses));
            }
            Ok(first)
        }
        answer => Err((answer, None)),
    }
}

fn client_wire(request: &Request, authority: Text) -> Wire {
    let mut layers = Vec::new();
    if request.scheme == Scheme::Https {
        layers.push(Layer::of_client(request));
    }
    let http = matches!(request.scheme, Scheme::Http | Scheme::Https).then(|| Message::of_client(request, authority));
    Wire { layers, http }
}

/// Out of the application's container: through the sidecar, or past it.
fn leave_pod(ctx: &mut Ctx<'_>, request: &Request, ip: IpAddr, wire: Wire) -> Got {
    let pod = ctx.client;
    if !ctx.who.ordinary
        && let Some(cause) = ctx.model.unmodelled_for(pod)
    {
        return Got::not_modelled(cause);
    }
    if request.scheme == Scheme::Udp {
        return datagram(ctx, pod, (ip, request.port));
    }
    let source = ctx.who.ip;
    let asked = ctx.question(ip, request.port, &wire);
    let local = ip.is_loopback().then(|| ctx.model.place(&ctx.who, asked.clone())).flatten();
    if let Some(place) = local.filter(|p| opens_locally(p, ip, request.port)) {
        let source = (Some(ip), ctx.draw());
        return through_sidecar(ctx, &place, Connection { source, target: (ip, request.port) }, wire);
    }
    let usual = ctx.who.all_captured && !ip.is_loopback() && !request.from_proxy_user;
    let captured = if usual { Capture::Taken } else { capture::outbound(pod, ip, request.port, request.from_proxy_user) };
    match captured {
        Capture::Unknown(cause) => Got::not_modelled(cause),
        Capture::Not(cause) => {
            ctx.decided = Some(why::without_sidecar(ctx, pod, cause));
            ctx.path = Path::Uncaptured;
            let source = (source, ctx.draw());
            network::reach(ctx, source, ip, request.port, wire)
        }
        Capture::Taken => {
            let Some(place) = ctx.model.place(&ctx.who, asked) else {
                return Got::not_modelled(Cause::new(pod.key().to_string(), "spec", "The pod's proxy has no configuration."));
            };
            let source = (source, ctx.draw());
            through_sidecar(ctx, &place, Connection { source, target: (ip, request.port) }, wire)
        }
    }
}

/// Only TCP is redirected to a sidecar: a datagram leaves the pod as it is. Whether somebody answers it is not known here.
fn datagram(ctx: &mut Ctx<'_>, pod: &Object, to: (IpAddr, u16)) -> Got {
    if let Some(cause) = firewall::blocks(ctx, ctx.who.ip, to, Protocol::Udp) {
        return Got::end(What::Closed, Outcome::BlockedNetworkPolicy, At::Network, cause);
    }
    let text = "Only TCP is redirected to the sidecar; a datagram leaves the pod as it is.";
    let field = if capture::has_sidecar(pod) { "spec.initContainers[istio-init].args" } else { "spec.containers" };
    let cause = Cause::new(pod.key().to_string(), field, text);
    ctx.decided = Some(cause.clone());
    ctx.path = Path::Uncaptured;
    Got::end(What::Closed, Outcome::Delivered, At::Network, cause)
}

/// Whether the pod's own sidecar listens at a loopback address (an egress listener of a Sidecar with `captureMode: NONE`).
fn opens_locally(place: &Place, ip: IpAddr, port: u16) -> bool {
    ip.is_loopback() && !place.proxy.gateway && place.proxy.listeners.iter().any(|l| l.address == Some(ip) && l.port == port)
}

fn through_sidecar(ctx: &mut Ctx<'_>, place: &Place, connection: Connection, wire: Wire) -> Got {
    if let Some(cause) = place.proxy.not_modelled.first() {
        return Got::not_modelled(cause.clone());
    }
    let (ip, port) = connection.target;
    let Some(listener) = listeners::find(&place.proxy.listeners, ip, port) else {
        return Got::not_modelled(Cause::new(ctx.client.key().to_string(), "spec", "The sidecar has no outbound listener."));
    };
    let seen = Seen { ip, tls: wire.is_tls(), sni: wire.sni().map(Text::as_str), http: wire.is_sniffed_http() };
    let hop = ctx.hop(place);
    ctx.hops[hop].listener = Some(listener.name.clone());
    ctx.hops[hop].why.listener = Some(listener.cause.clone());
    let inspected = listener.name != "virtualOutbound";
    if !inspected && port == listener.port {
        return caught(ctx, hop);
    }
    let Some(chain) = listeners::choose(listener, &seen) else {
        return Got::end(What::Reset, Outcome::NoFilterChain, At::Sidecar, listener.cause.clone());
    };
    ctx.hops[hop].filter_chain.clone_from(&chain.name);
    ctx.hops[hop].why.filter_chain = Some(chain.cause.clone());
    match (&chain.filter, wire.http) {
        (Filter::Http(config), Some(message)) if wire.layers.is_empty() => {
            http::hop(ctx, &http::At { place, hop, connection, sni: None, principal: None, config }, message)
        }
        (Filter::Http(_), _) => Got::end(What::Reset, Outcome::ProtocolMismatch, At::Sidecar, chain.cause.clone()),
        (Filter::Tcp(to), http) => {
            let wire = Wire { http, ..wire };
            let sni = wire.sni().filter(|_| inspects_tls(listener)).cloned();
            tcp::hop(ctx, &tcp::At { place, hop, connection, sni, principal: None, chain, inspected }, to, wire)
        }
    }
}

/// A connection to the capture port itself: the first chain of `virtualOutbound` closes it, and writes no log (listener_builder.go).
fn caught(ctx: &mut Ctx<'_>, hop: usize) -> Got {
    ctx.hops[hop].filter_chain = Some("virtualOutbound-blackhole".into());
    ctx.hops[hop].cluster = Some("BlackHoleCluster".into());
    let text = "The port that the redirect leads to takes no connections of its own, so that none goes round in circles.";
    let what = if ctx.chance("close").is_multiple_of(3) { What::Reset } else { What::Closed };
    Got::end(what, Outcome::BlockedRegistryOnly, At::Sidecar, Cause::new("default", "virtualOutbound", text))
}

/// Whether a listener reads the TLS hello: it has a chain that asks for a server name or for TLS, or one that only takes HTTP beside
/// TLS or TCP. Only then is the server name logged.
fn inspects_tls(listener: &crate::mesh::proxy::Listener) -> bool {
    listener.chains.iter().any(|c| !c.sni.is_empty())
}
