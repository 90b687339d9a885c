//! Copies of a request that a rule sends elsewhere. Nobody waits for their answers, and the proxy that sends them logs nothing of
//! them; the proxies that receive them log them as any other request.

use super::At;
use super::forward::{Job, dressed};
use crate::mesh::Cause;
use crate::mesh::proxy::Mirror;
use crate::mesh::trace::upstream::{Asks, target};
use crate::mesh::trace::wire::{Message, What};
use crate::mesh::trace::{Ctx, network};

/// Sends the copies of one request; the first of them that this program cannot follow.
pub fn send(ctx: &mut Ctx<'_>, job: &Job<'_>, message: &Message) -> Option<Cause> {
    job.route.mirrors.iter().enumerate().find_map(|(i, mirror)| one(ctx, job, (i, mirror), message))
}

fn one(ctx: &mut Ctx<'_>, job: &Job<'_>, (i, mirror): (usize, &Mirror), message: &Message) -> Option<Cause> {
    let at: &At<'_> = job.at;
    if ctx.mirrored || ctx.chance(&format!("mirror-{i}")) % 10_000 >= mirror.share {
        return None;
    }
    let proxy = at.place.proxy.clone();
    let cluster = proxy.clusters.get(&mirror.cluster)?;
    if let Some(cause) = &cluster.not_modelled {
        return Some(cause.clone());
    }
    let mut copy = message.clone();
    if ctx.model.options().facts.mirror_host_suffix {
        copy.authority = match copy.authority.rsplit_once(':') {
            Some((host, port)) => format!("{host}-shadow:{port}").into(),
            None => format!("{}-shadow", copy.authority).into(),
        };
    }
    if let Some(ip) = at.place.who.ip {
        let before = copy.header("x-forwarded-for").map(|v| format!("{v},")).unwrap_or_default();
        copy.set("x-forwarded-for", format!("{before}{ip}").into());
    }
    copy.set("x-envoy-internal", "true".into());
    let asks = Asks { dialled: at.connection.target, host: Some(&copy.authority), http: true, hop: at.hop };
    let to = target(ctx, at.place, cluster, &asks).ok()?;
    let kept = (ctx.path.clone(), ctx.tls, ctx.decided.clone(), ctx.last_choice.clone(), ctx.hops.len());
    ctx.mirrored = true;
    let wire = dressed(ctx, job, cluster, &to, &copy);
    let source = (at.place.who.ip, ctx.draw());
    let got = network::reach(ctx, source, to.address, to.port, wire);
    ctx.mirrored = false;
    ctx.forget_retry(kept.4, 0);
    (ctx.path, ctx.tls, ctx.decided, ctx.last_choice) = (kept.0, kept.1, kept.2, kept.3);
    match got.what {
        What::NotModelled(cause) => Some(cause),
        _ => None,
    }
}
