//! Whether something that is not modelled could have changed what the proxies on the way did.

use super::Ctx;
use crate::k8s::Object;
use crate::mesh::proxy::{FilterChain, Listener};
use crate::mesh::{Cause, capture, policy::extensions::Passed};
use serde_json::Value;

/// The first patch that could touch a hop.
pub fn touched(ctx: &Ctx<'_>) -> Option<Cause> {
    ctx.patched.iter().find_map(|(i, place)| {
        let hop = ctx.hops.get(*i).filter(|hop| hop.proxy == place.who.full)?;
        let name = hop.listener.as_deref();
        let inbound = name == Some("virtualInbound");
        let context = match (place.proxy.gateway, inbound) {
            (true, _) => "GATEWAY",
            (_, true) => "SIDECAR_INBOUND",
            _ => "SIDECAR_OUTBOUND",
        };
        let listener = place.proxy.listeners.iter().find(|l| Some(l.name.as_str()) == name);
        let sni = listener.map(names).unwrap_or_default();
        let http = hop.route_config.as_deref().or(inbound.then_some("inbound"));
        let version = version(&place.who.pod);
        let passed = Passed {
            context,
            listener: name,
            port: listener.map(|l| l.port),
            sni: &sni,
            route_config: http,
            virtual_host: hop.virtual_host.as_deref(),
            route: hop.route.as_deref(),
            cluster: hop.cluster.as_deref(),
            version: version.as_deref(),
        };
        place.proxy.guard.patches.touch(&passed).cloned()
    })
}

/// The server names of a listener's chains: which of them took the connection is not kept.
fn names(listener: &Listener) -> Vec<String> {
    let chains = listener.chains.iter().chain(&listener.default_chain);
    chains.flat_map(|c: &FilterChain| c.sni.iter().cloned()).collect()
}

/// The release of the pod's proxy, by its image's tag.
fn version(pod: &Object) -> Option<String> {
    let image = capture::proxy_container(pod)?.get("image").and_then(Value::as_str)?;
    let tag = image.rsplit_once(':')?.1;
    tag.starts_with(|c: char| c.is_ascii_digit()).then(|| tag.split('-').next().unwrap_or(tag).to_string())
}
