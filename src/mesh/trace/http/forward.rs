//! From a route to an upstream and back: choice of cluster and endpoint, tries, timeouts, the answer or the failure.

use super::{At, Own, answer, at_once, edits, hand_on, led, mirror, rule_part, way};
use crate::base::outcome::{At as Gate, Outcome, TlsBy};
use crate::base::shared::Text;
use crate::mesh::proxy::{Cluster, Route, Weighted};
use crate::mesh::trace::log::{self, Entry};
use crate::mesh::trace::tcp::passthrough;
use crate::mesh::trace::upstream::{Asks, Missing, Target, other_target, target};
use crate::mesh::trace::wire::{Address, Draw, Got, Layer, Message, TlsWhy, What, Wire, socket};
use crate::mesh::trace::{Ctx, bare_text, network, why};
use crate::mesh::{Cause, Facts};
use crate::outside::wire::HttpVersion;
use std::net::IpAddr;

/// The resolver's words for a name that does not exist.
const NO_SUCH_NAME: &str = "dns_resolution_failure{cares_norecords:Domain_name_not_found}";

/// What is to be done.
pub struct Job<'x> {
    pub at: &'x At<'x>,
    pub route: &'x Route,
    pub targets: &'x [Weighted],
    /// Delay that a fault put in before.
    pub delay: u64,
}

/// The tries together.
struct Tried {
    got: Got,
    upstream: (IpAddr, u16),
    local: Address,
    /// Whether retries were used up.
    exhausted: bool,
    /// The last try ran into the per-try limit.
    per_try: bool,
}

/// One of several clusters, by weight.
pub fn choose<'w>(ctx: &Ctx<'_>, targets: &'w [Weighted]) -> Option<&'w Weighted> {
    if let [only] = targets {
        return (only.weight > 0).then_some(only);
    }
    let total: u64 = targets.iter().map(|w| w.weight).sum();
    let mut left = ctx.chance(&ctx.at_depth("weight")) % total.max(1);
    targets.iter().find(|w| {
        let hit = left < w.weight;
        left = left.saturating_sub(w.weight);
        hit
    })
}

/// Sends the request on.
pub fn forward(ctx: &mut Ctx<'_>, job: &Job<'_>, mut entry: Box<Entry>, mut message: Message) -> Got {
    let at = job.at;
    let Some(chosen) = choose(ctx, job.targets) else {
        return no_cluster(ctx, job, entry, &message, &job.route.cause.clone(), "");
    };
    edits::request(job.route, chosen, job.targets.len() == 1, &mut message);
    let proxy = &at.place.proxy;
    let owned;
    let cluster = match proxy.clusters.get(&chosen.cluster) {
        Some(cluster) => cluster,
        None if chosen.cluster == "PassthroughCluster" && !proxy.gateway => {
            owned = passthrough(at.place, at.connection.target);
            &owned
        }
        None => return no_cluster(ctx, job, entry, &message, &chosen.cause, &chosen.cluster),
    };
    if let Some(cause) = &cluster.not_modelled {
        return Got::not_modelled(cause.clone());
    }
    ctx.hops[at.hop].cluster = Some(cluster.name.clone());
    ctx.hops[at.hop].why.cluster = Some(cluster.cause.clone());
    entry.cluster.clone_from(&cluster.name);
    entry.authority.clone_from(&message.authority);
    ctx.note_choice(&chosen.cause);
    let asks = Asks { dialled: at.connection.target, host: Some(&message.authority), http: true, hop: at.hop };
    let to = match target(ctx, at.place, cluster, &asks) {
        Ok(to) => to,
        Err(missing) => return no_address(ctx, job, entry, &message, (cluster, missing)),
    };
    let path = way(ctx, &cluster.name, &cluster.host);
    ctx.leaves_by(path, &job.route.cause);
    let Some(waited) = ctx.wait(at.place, cluster) else {
        return full(ctx, job, entry, &message, cluster);
    };
    let mut tried = tries(ctx, job, cluster, to, &message);
    tried.got.ms += waited;
    ctx.gave_back(at.place, cluster, tried.got.ms);
    if let Some(cause) = mirror::send(ctx, job, &message) {
        return Got::not_modelled(cause);
    }
    settle(ctx, job, entry, message, (cluster, chosen, tried))
}

/// An answer of the router itself: the route's edits of answers are in it, too.
fn own_answer(ctx: &mut Ctx<'_>, job: &Job<'_>, entry: Box<Entry>, message: &Message, own: Own<'_>) -> Got {
    let got = answer(ctx, job.at, entry, message, own);
    edited(ctx, job, got)
}

fn edited(ctx: &Ctx<'_>, job: &Job<'_>, got: Got) -> Got {
    match choose(ctx, job.targets) {
        Some(chosen) => led(got, &edits::response(job.route, chosen, job.targets.len() == 1)),
        None => led(got, &[&job.route.headers.response]),
    }
}

fn no_cluster(ctx: &mut Ctx<'_>, job: &Job<'_>, entry: Box<Entry>, message: &Message, cause: &Cause, name: &str) -> Got {
    let own = Own {
        status: if job.route.missing_is_500 { 500 } else { 503 },
        body: "",
        extra: Vec::new(),
        flags: "NC".into(),
        details: "cluster_not_found".into(),
        outcome: Outcome::NoCluster,
        cause: why::no_cluster(ctx, job.at.place, name, cause),
    };
    let got = at_once(ctx, job.at, entry, message, own);
    edited(ctx, job, got)
}

/// The cluster's pool is full: see [`crate::mesh::trace::burst`].
fn full(ctx: &mut Ctx<'_>, job: &Job<'_>, entry: Box<Entry>, message: &Message, cluster: &Cluster) -> Got {
    let own = Own {
        status: 503,
        body: "upstream connect error or disconnect/reset before headers. reset reason: overflow",
        extra: vec![("x-envoy-overloaded".into(), "true".into())],
        flags: "UO".into(),
        details: "upstream_reset_before_response_started{overflow}".into(),
        outcome: Outcome::Overflow,
        cause: cluster.pool.as_ref().map_or_else(|| cluster.cause.clone(), |p| p.cause.clone()),
    };
    own_answer(ctx, job, entry, message, own)
}

fn no_address(ctx: &mut Ctx<'_>, job: &Job<'_>, entry: Box<Entry>, message: &Message, at: (&Cluster, Missing)) -> Got {
    let (cluster, missing) = at;
    let (body, flags, details) = match missing {
        Missing::Unresolved => ("DNS resolution failure", "DF", NO_SUCH_NAME),
        Missing::UnresolvedLate => ("no healthy upstream", "UH", NO_SUCH_NAME),
        _ => ("no healthy upstream", "UH", "no_healthy_upstream"),
    };
    let own = Own {
        status: 503,
        body,
        extra: Vec::new(),
        flags: flags.into(),
        details: details.into(),
        outcome: Outcome::NoHealthyUpstream,
        cause: why::no_address(ctx, cluster, missing),
    };
    let got = at_once(ctx, job.at, entry, message, own);
    edited(ctx, job, got)
}

/// The server name that a proxy of the mesh sends to a cluster (Istio: model.BuildDNSSrvSubsetKey).
pub fn mesh_name(cluster: &str) -> Text {
    let parts: Vec<&str> = cluster.split('|').collect();
    format!("outbound_.{}_.{}_.{}", parts[1], parts[2], parts[3]).into()
}

/// The request with the TLS that the cluster asks for around it.
pub fn dressed(ctx: &mut Ctx<'_>, job: &Job<'_>, cluster: &Cluster, to: &Target, message: &Message) -> Wire {
    let mut layers = Vec::new();
    if let Some(tls) = &cluster.tls {
        let host = || bare_text(&message.authority);
        if !tls.mesh {
            ctx.tls = if job.at.place.proxy.gateway { TlsBy::Gateway } else { TlsBy::Sidecar };
        }
        layers.push(Layer {
            sni: tls.sni.clone().or_else(|| Some(if tls.mesh { mesh_name(&cluster.name) } else { host() })),
            mesh: tls.mesh,
            principal: tls.mesh.then(|| job.at.place.principal(ctx)),
            insecure: tls.insecure,
            names: if tls.mesh {
                Vec::new()
            } else if tls.san.is_empty() {
                vec![host()]
            } else {
                tls.san.iter().map(Text::from).collect()
            },
            own_names: !tls.san.is_empty(),
            private_ca: tls.private_ca,
            http2: cluster.http2,
            by_client: false,
        });
    } else if cluster.auto_mtls && to.mtls {
        let sni = format!("outbound_.{}_._.{}", cluster.port, cluster.host).into();
        layers.push(Layer {
            sni: Some(sni),
            mesh: true,
            principal: Some(job.at.place.principal(ctx)),
            insecure: false,
            names: Vec::new(),
            own_names: false,
            private_ca: false,
            http2: true,
            by_client: false,
        });
    }
    let version = match (cluster.client_protocol, cluster.http2) {
        (true, _) => message.version,
        (false, true) => HttpVersion::Http2,
        (false, false) => HttpVersion::Http11,
    };
    let mut message = Message { version, ..message.clone() };
    // HTTP/1.1 frames an empty body of methods that may have one.
    let may_have_body = !matches!(message.method.as_str(), "GET" | "HEAD" | "DELETE" | "TRACE" | "CONNECT");
    if version == HttpVersion::Http11 && may_have_body && message.body_len == 0 && message.header("content-length").is_none() {
        message.set("content-length", "0".into());
    }
    Wire { layers, http: Some(message) }
}

/// The first try and the retries that the route allows.
fn tries(ctx: &mut Ctx<'_>, job: &Job<'_>, cluster: &Cluster, first: Target, message: &Message) -> Tried {
    let retries = &job.route.retries;
    let mut to = first;
    let mut failed: Vec<Target> = Vec::new();
    let limit = retries.per_try_timeout_ms;
    let (mut spent, mut n) = (0, 0);
    let hops = ctx.hops.len();
    loop {
        let wire = dressed(ctx, job, cluster, &to, message);
        let source = (job.at.place.who.ip, if job.at.place.who.ip.is_some() { ctx.draw() } else { Draw::none() });
        let own_tls = wire.is_tls();
        let mut got = network::reach(ctx, source, to.address, to.port, wire);
        if own_tls && matches!(got.what, What::Closed | What::Reset) {
            got.what = What::Tls { depth: 0, why: TlsWhy::Reset };
        }
        let cost = match &got.what {
            What::Dropped => cluster.connect_timeout_ms,
            What::Hang => limit.unwrap_or(0),
            _ => got.ms,
        };
        let late = limit.is_some_and(|limit| cost > limit || got.what == What::Hang);
        spent += limit.map_or(cost, |limit| cost.min(limit));
        let again = match &got.what {
            What::NotModelled(_) => false,
            _ if late => retries.on_reset,
            What::Refused | What::Dropped => retries.on_connect_failure,
            What::Tls { depth: 0, .. } => retries.on_connect_failure,
            What::Response(r) => retries.on_5xx && r.status >= 500 || retries.statuses.contains(&r.status),
            What::Closed | What::Reset => retries.on_reset,
            _ => false,
        };
        if !again || n >= retries.attempts {
            let connected = !matches!(got.what, What::Refused | What::Dropped | What::Tls { depth: 0, .. });
            let local = if connected { Address::of(source) } else { Address::Unknown };
            let got = Got { ms: spent, ..got };
            return Tried { got, upstream: (to.address, to.port), local, exhausted: again && n > 0, per_try: late };
        }
        n += 1;
        let base = retries.backoff_ms.unwrap_or(25).max(1);
        spent += base / 5 + ctx.chance(&format!("backoff-{n}")) % (base * u64::from(n)).clamp(1, base * 10);
        failed.push(to.clone());
        if !retries.same_host
            && let Some(other) = other_target(ctx, (job.at.place, cluster), &failed, n)
        {
            to = other;
        }
        ctx.forget_retry(hops, n);
    }
}

fn settle(ctx: &mut Ctx<'_>, job: &Job<'_>, mut entry: Box<Entry>, message: Message, end: (&Cluster, &Weighted, Tried)) -> Got {
    let (cluster, chosen, tried) = end;
    let at = job.at;
    let (ip, port) = tried.upstream;
    ctx.hops[at.hop].endpoint = Some(socket(ip, port));
    entry.upstream_host = Address::At(ip, port);
    entry.upstream_local = tried.local;
    let total = tried.got.ms;
    let timeout = job.route.timeout_ms;
    if matches!(tried.got.what, What::NotModelled(_)) {
        return tried.got;
    }
    let hangs = tried.got.what == What::Hang;
    if tried.per_try || timeout.is_some_and(|t| total > t || hangs) {
        return too_late(ctx, job, entry, &message, &tried);
    }
    match tried.got.what {
        What::Response(response) => {
            entry.code = response.status;
            entry.details = "via_upstream".into();
            entry.service_time = Some(total);
            entry.duration = total + 1 + job.delay;
            entry.sent = response.body.len() as u64;
            if tried.exhausted {
                entry.flags = "URX".into();
            }
            let edits = edits::response(job.route, chosen, job.targets.len() == 1);
            let response = hand_on(ctx, at, response, total, &message, &edits);
            ctx.write(at.hop, at.place, entry, true);
            Got { what: What::Response(response), ms: total + 1 + job.delay, ..tried.got }
        }
        What::Hang => {
            ctx.write(at.hop, at.place, entry, true);
            Got { ms: job.delay, ..tried.got }
        }
        _ => failed(ctx, job, entry, &message, (cluster, tried)),
    }
}

fn too_late(ctx: &mut Ctx<'_>, job: &Job<'_>, mut entry: Box<Entry>, message: &Message, tried: &Tried) -> Got {
    let capped = job.route.timeout_ms.is_some_and(|t| tried.got.ms >= t || !tried.per_try);
    let (field, details) = match capped {
        true => ("timeout", "response_timeout"),
        false => ("retries.perTryTimeout", "upstream_per_try_timeout"),
    };
    let ms = if capped { job.route.timeout_ms.unwrap_or(tried.got.ms) } else { tried.got.ms };
    let cause = rule_part(job.route, field).saying("The answer did not come within the rule's limit.");
    let flags = match (tried.exhausted && !capped, ctx.model.options().facts.retry_flag_first) {
        (true, true) => "URX,UT",
        (true, false) => "UT,URX",
        _ => "UT",
    };
    entry.duration = ms + job.delay;
    let own = Own {
        status: 504,
        body: "upstream request timeout",
        extra: Vec::new(),
        flags: flags.into(),
        details: details.into(),
        outcome: Outcome::TimedOut,
        cause,
    };
    Got { at: Gate::Origin, ..own_answer(ctx, job, entry, message, own).after(ms + job.delay) }
}

/// What Envoy writes for a failed connection: the reason in the body, in the details, and the transport's own words.
fn words(what: &What) -> (&'static str, String, String) {
    match what {
        What::Refused => {
            let text = "delayed connect error: Connection refused";
            ("remote connection failure", format!("remote_connection_failure|{}", log::spaceless(text)), text.into())
        }
        What::Dropped => ("connection timeout", "connection_timeout".into(), String::new()),
        What::Tls { why, .. } => {
            let text = tls_words(why);
            ("remote connection failure", format!("remote_connection_failure|{}", log::spaceless(&text)), text)
        }
        What::StreamReset => ("remote reset", "remote_reset".into(), String::new()),
        _ => ("connection termination", "connection_termination".into(), String::new()),
    }
}

/// BoringSSL's words as Envoy puts them together. Logs print them without blanks ([`log::spaceless`]).
pub fn tls_words(why: &TlsWhy) -> String {
    let verify = "TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify cert failed:";
    match why {
        TlsWhy::WrongVersion => "TLS_error:|268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end".into(),
        TlsWhy::UnknownIssuer => format!(
            "{verify} X509_verify_cert: certificate verification error at depth 0: unable to get local issuer certificate:TLS_error_end"
        ),
        TlsWhy::Name(names) => format!("{verify} {}:TLS_error_end", names.join(", ")),
        TlsWhy::Reset => "TLS_error:|33554536:system library:OPENSSL_internal:Connection reset by peer:TLS_error_end".into(),
    }
}

/// The body of a 503 for an upstream that could not be reached.
pub fn failure_body(facts: &Facts, retried: bool, reason: &str, transport: &str) -> String {
    let mut body = String::from("upstream connect error or disconnect/reset before headers. ");
    if retried {
        body.push_str("retried and the latest ");
    }
    body.push_str(&format!("reset reason: {reason}"));
    if !facts.hides_transport_failure && !transport.is_empty() {
        body.push_str(&format!(", transport failure reason: {transport}"));
    }
    body
}

/// Where a failure to reach an upstream lies: at the gateway that refused, else at the origin.
pub fn beyond(got: &Got) -> Gate {
    match (got.outcome, got.at) {
        (Outcome::BlockedNetworkPolicy, _) => Gate::Network,
        (Outcome::GatewayNotListening, _) | (_, Gate::Gateway) => Gate::Gateway,
        _ => Gate::Origin,
    }
}

fn failed(ctx: &mut Ctx<'_>, job: &Job<'_>, mut entry: Box<Entry>, message: &Message, end: (&Cluster, Tried)) -> Got {
    let (cluster, tried) = end;
    let (reason, detail, transport) = words(&tried.got.what);
    let connection = matches!(tried.got.what, What::Refused | What::Dropped | What::Tls { .. });
    let facts = &ctx.model.options().facts;
    let body = failure_body(facts, tried.exhausted, reason, &transport);
    let flags = match (connection, tried.exhausted, facts.retry_flag_first) {
        (false, ..) if tried.got.what == What::StreamReset => "UR",
        (false, ..) => "UC",
        (true, false, _) => "UF",
        (true, true, true) => "URX,UF",
        (true, true, false) => "UF,URX",
    };
    let own_tls = matches!(tried.got.what, What::Tls { .. }) && tried.got.outcome != Outcome::NoFilterChain;
    let cause = match &cluster.tls {
        Some(tls) if own_tls => tls.cause.clone(),
        _ => tried.got.cause.clone(),
    };
    entry.transport_failure = log::spaceless(&transport).into();
    entry.duration = tried.got.ms + 1 + job.delay;
    let details = format!("upstream_reset_before_response_started{{{detail}}}").into();
    let flags = flags.into();
    let own = Own { status: 503, body: &body, extra: Vec::new(), flags, details, outcome: tried.got.outcome, cause };
    let ms = tried.got.ms + 1 + job.delay;
    let gate = beyond(&tried.got);
    Got { at: gate, ..own_answer(ctx, job, entry, message, own).after(ms) }
}
