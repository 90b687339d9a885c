//! The object and field behind a refusal: of everything that could have let the request through, what is nearest to it.

use super::Ctx;
use super::Place;
use super::upstream::Missing;
use super::wire::Message;
use crate::k8s::Object;
use crate::mesh::Cause;
use crate::mesh::capture::{self, identity};
use crate::mesh::compile::destination;
use crate::mesh::compile::egress::leaves_out;
use crate::mesh::compile::gateway::{Gateway, host_for, listen_port};
use crate::mesh::compile::registry::{From, Service, service_selects};
use crate::mesh::compile::rules::{VirtualService, covers, overlaps};
use crate::mesh::compile::scope::{Identity, export_rank, pick_sidecar};
use crate::mesh::proxy::{Cluster, Listener};
use crate::outside::answer::{bare, bare_host};

/// A host that the outbound policy refused: a ServiceEntry that nearly names it, else the policy.
pub fn blocked(ctx: &Ctx<'_>, place: &Place, authority: &str, port: u16) -> Cause {
    let host = bare(authority);
    ctx.model.refusal(&place.who, &host, port, || nearest(ctx, place, &host, port))
}

fn nearest(ctx: &Ctx<'_>, place: &Place, host: &str, port: u16) -> Cause {
    let base = ctx.model.base();
    let named = base.index.covering(host).into_iter().map(|s| &**s);
    let named: Vec<&Service> = named.filter(|s| s.from == From::Entry).collect();
    let id = &place.who.id;
    let visible =
        |s: &&&Service| export_rank(&s.export, &base.config.default_service_export, &s.namespace, &id.namespace).is_some();
    let Some(first) = named.first() else {
        return hidden_by_sidecar(ctx, id, host, port).unwrap_or_else(|| place.proxy.policy.clone());
    };
    let Some(seen) = named.iter().find(visible) else {
        let text = format!("{} registers {host}, but is not exported to namespace {}.", first.object, id.namespace);
        return Cause::new(&first.object, "spec.exportTo", &text);
    };
    if let Some(declared) = named.iter().filter(visible).find_map(|s| s.port(port)) {
        if let Some(sidecar) = pick_sidecar(base, id).filter(|sidecar| leaves_out(sidecar, &id.namespace, seen)) {
            return not_imported(&sidecar, host);
        }
        if let Some(cause) = suppressed(ctx, host) {
            return cause;
        }
        let text = format!("{host} is registered on port {port}, but not for what was sent there.");
        return Cause::new(&declared.cause.object, format!("{}.protocol", declared.cause.field), &text);
    }
    Cause::new(&seen.object, "spec.ports", format!("{host} is registered, but not on port {port}."))
}

/// A Kubernetes Service that the pod's Sidecar does not import.
fn hidden_by_sidecar(ctx: &Ctx<'_>, id: &Identity, host: &str, port: u16) -> Option<Cause> {
    let sidecar = pick_sidecar(ctx.model.base(), id)?;
    ctx.model.base().index.covering(host).into_iter().find(|service| service.port(port).is_some())?;
    Some(not_imported(&sidecar, host))
}

/// A host that this Sidecar leaves out.
fn not_imported(sidecar: &Object, host: &str) -> Cause {
    let text = format!("The Sidecar does not import {host}.");
    Cause::new(sidecar.key().to_string(), "spec.egress", &text)
}

/// Why a pod has no sidecar, where the pod or its namespace says so; else that it has none.
pub fn without_sidecar(ctx: &Ctx<'_>, pod: &Object, none: Cause) -> Cause {
    let (label, object) = ("sidecar.istio.io/inject", pod.key().to_string());
    if capture::proxy_container(pod).is_some() {
        return none;
    }
    if pod.label(label) == Some("false") {
        let text = "The label keeps the injector away from this pod.";
        return Cause::new(&object, format!("metadata.labels[{label}]"), text);
    }
    if pod.label(label).is_none() && pod.annotation(label) == Some("false") {
        let text = "The annotation makes the injector leave this pod as it is.";
        return Cause::new(&object, format!("metadata.annotations[{label}]"), text);
    }
    let Some(namespace) = ctx.model.snapshot().find("", "Namespace", "", pod.namespace()) else { return none };
    let key = "istio-injection";
    let field = format!("metadata.labels[{key}]");
    match namespace.label(key) {
        Some("enabled") => none,
        Some(_) => Cause::new(namespace.key().to_string(), &field, "Only the value `enabled` has sidecars injected."),
        None if namespace.label("istio.io/rev").is_none() && istio_is_there(ctx) => {
            let text = "The namespace is not labelled for injection, so its pods have no sidecar.";
            Cause::new(namespace.key().to_string(), &field, text)
        }
        None => none,
    }
}

fn istio_is_there(ctx: &Ctx<'_>) -> bool {
    ctx.model.snapshot().find("", "ConfigMap", &ctx.model.options().root_namespace, "istio").is_some()
}

/// A VirtualService whose `tls` rules leave the host out: it then has no chain of its own either (`core/tls.go`).
fn suppressed(ctx: &Ctx<'_>, host: &str) -> Option<Cause> {
    let rules = ctx.model.base().index.rules_covering(host);
    let leaves_out = |vs: &VirtualService| {
        let takes = vs.tls.iter().flat_map(|r| &r.matches).flat_map(|m| m.sni_hosts.iter()).any(|sni| covers(sni, host));
        !vs.tls.is_empty() && !takes && vs.gateways.iter().any(|g| g == "mesh")
    };
    let vs = rules.iter().find(|vs| leaves_out(vs))?;
    let text = format!("The VirtualService has tls rules, none of them for {host}; the host's own chain is left out then.");
    Some(Cause::new(&vs.object, "spec.tls[0].match[0].sniHosts", &text))
}

/// A cluster that this proxy does not have.
pub fn no_cluster(ctx: &Ctx<'_>, place: &Place, name: &str, chosen: &Cause) -> Cause {
    let parts: Vec<&str> = name.split('|').collect();
    let [_, port, subset, host] = parts.as_slice() else { return chosen.clone() };
    let base = ctx.model.base();
    let id = &place.who.id;
    let whole = format!("outbound|{port}||{host}");
    if !subset.is_empty() && place.proxy.clusters.contains_key(whole.as_str()) {
        return missing_subset(ctx, id, host, subset, chosen);
    }
    let named: Vec<&Service> = base.index.of_host(host).into_iter().map(|s| &**s).collect();
    let default = &base.config.default_service_export;
    let visible = |s: &&&Service| export_rank(&s.export, default, &s.namespace, &id.namespace).is_some();
    let number = port.parse().unwrap_or(0);
    if let Some(later) = named.iter().filter(visible).skip(1).find(|s| s.port(number).is_some()) {
        let text = format!("An older ServiceEntry of {host} resolves in another way, so this one gives no cluster.");
        return Cause::new(&later.object, "spec.resolution", &text);
    }
    match (named.first(), named.iter().find(visible)) {
        (Some(first), None) => {
            let text = format!("{host} is not exported to namespace {}, where {} runs.", id.namespace, place.who.full);
            Cause::new(&first.object, "spec.exportTo", &text)
        }
        (_, Some(seen)) => {
            let text = format!("{} has no port {port}.", seen.object);
            Cause::new(&chosen.object, format!("{}.port", chosen.field), &text)
        }
        (None, None) => {
            let text = format!("No service in the registry has the host {host}.");
            Cause::new(
                &chosen.object,
                format!("{}.{}", chosen.field, if chosen.field.contains("backendRef") { "name" } else { "host" }),
                &text,
            )
        }
    }
}

fn missing_subset(ctx: &Ctx<'_>, id: &Identity, host: &str, subset: &str, chosen: &Cause) -> Cause {
    let base = ctx.model.base();
    let namespace = &id.namespace;
    let rules = base.index.destination_rules_for(host);
    let service = base.index.of_host(host).into_iter().next();
    let applied = service.and_then(|service| destination::applied(base, id, service));
    let declares = rules.iter().find(|r| r.subsets.iter().any(|s| s.name == subset));
    match (declares, applied) {
        (Some(rule), Some(nearer)) => {
            let text =
                format!("This rule applies in namespace {namespace}, and not {}, which declares subset {subset}.", rule.object);
            Cause::new(&nearer.object, "spec.subsets", &text)
        }
        (Some(rule), None) => {
            let text = format!(
                "Subset {subset} is declared in namespace {}; a proxy in {namespace} looks in its own namespace, the service's and the \
                 root namespace only.",
                rule.namespace
            );
            Cause::new(&rule.object, "metadata.namespace", &text)
        }
        (None, _) => {
            let text = format!("No DestinationRule declares subset {subset} of {host}.");
            Cause::new(&chosen.object, format!("{}.subset", chosen.field), &text)
        }
    }
}

/// A cluster that gave no address.
pub fn no_address(ctx: &Ctx<'_>, cluster: &Cluster, missing: Missing) -> Cause {
    match missing {
        Missing::Empty => no_endpoint(ctx, cluster),
        Missing::NoFilter(cause) | Missing::Blocked(cause) => cause,
        Missing::Unresolved | Missing::UnresolvedLate => {
            let text = "The proxy asked for the request's host by itself, and the name does not resolve.";
            Cause::new(&*cluster.cause.object, "spec.resolution", text)
        }
    }
}

/// A cluster without endpoints.
pub fn no_endpoint(ctx: &Ctx<'_>, cluster: &Cluster) -> Cause {
    let object = cluster.cause.object.clone();
    let service = ctx.model.base().index.of_object(&object).first().copied();
    match (&cluster.shaped_by, service.map(|s| s.from)) {
        (Some(subset), _) if subset.field.contains("subsets") && !ctx.model.has_endpoints(&cluster.host, cluster.port) => {
            no_pod(ctx, &object)
        }
        (Some(subset), _) if subset.field.contains("subsets") => {
            Cause::new(&subset.object, format!("{}.labels", subset.field), "No ready endpoint has the subset's labels.")
        }
        (_, Some(From::Kubernetes)) => no_pod(ctx, &object),
        (_, Some(From::Entry)) if service.is_some_and(|s| s.selector != "null") => {
            Cause::new(&*object, "spec.workloadSelector", "No ready workload of the namespace has these labels.")
        }
        _ => Cause::new(&object, "spec.resolution", "This way of resolving gives the proxy no address for the host."),
    }
}

/// A Service without a ready pod: its Deployment asks for none, else its selector finds none.
fn no_pod(ctx: &Ctx<'_>, object: &str) -> Cause {
    let snapshot = ctx.model.snapshot();
    let key = object.strip_prefix("Service ").and_then(|name| name.split_once('/'));
    let service = key.and_then(|(namespace, name)| snapshot.find("", "Service", namespace, name));
    let Some(service) = service else { return Cause::new(object, "spec", "The service has no ready endpoint.") };
    let none = |d: &&std::sync::Arc<Object>| {
        let template = Object(d.at(&["spec", "template"]).clone());
        d.at(&["spec", "replicas"]).as_u64() == Some(0) && service_selects(service, &template.labels())
    };
    match snapshot.list_in("apps", "Deployment", service.namespace()).find(none) {
        Some(d) => {
            Cause::new(d.key().to_string(), "spec.replicas", "The Deployment asks for no pod, so the service has no endpoint.")
        }
        None => Cause::new(object, "spec.selector", "No ready pod has the labels that the Service selects."),
    }
}

/// A gateway that refuses connections on a port.
pub fn not_listening(ctx: &Ctx<'_>, pod: &Object, port: u16) -> Cause {
    let base = ctx.model.base();
    let id = identity(pod);
    let opens = |g: &&Gateway| g.servers.iter().any(|s| listen_port(&id, ctx.model.snapshot(), s.port) == Some(port));
    let selected: Vec<&Gateway> = base.gateways.iter().map(|g| &**g).filter(|g| g.selects(&id)).collect();
    let meant = |g: &&Gateway| {
        g.servers.iter().any(|s| s.hosts.iter().any(|h| overlaps(h.rsplit('/').next().unwrap_or(h), &ctx.intended)))
    };
    if let Some(gateway) = selected.iter().find(|g| base.scoped_gateways && g.namespace != id.namespace) {
        let text = "PILOT_SCOPE_GATEWAY_TO_NAMESPACE lets a gateway read only the resources of its own namespace.";
        return Cause::new(&gateway.object, "metadata.namespace", text);
    }
    if let Some(gateway) = selected.iter().copied().filter(|g| !opens(g)).find(meant).or_else(|| selected.first().copied()) {
        let field = if opens(&gateway) { "spec.servers" } else { "spec.servers[0].port.number" };
        let text = format!("The Gateway does not open port {port} of {}/{}.", pod.namespace(), pod.name());
        return Cause::new(&gateway.object, field, &text);
    }
    match base.gateways.iter().map(|g| &**g).find(|g| !g.selects(&id) && meant(g)).or_else(|| base.gateways.first().map(|g| &**g))
    {
        Some(gateway) => {
            let text = format!(
                "The selector does not fit the labels of {}/{}, so that pod listens on nothing.",
                pod.namespace(),
                pod.name()
            );
            Cause::new(&gateway.object, "spec.selector", &text)
        }
        None => {
            let text =
                format!("No Gateway selects {}/{}; without one a gateway listens on nothing.", pod.namespace(), pod.name());
            Cause::new("default", "Gateway", &text)
        }
    }
}

/// A gateway listener without a chain for the connection.
pub fn no_chain(_: &Ctx<'_>, listener: &Listener, sni: Option<&str>) -> Cause {
    let cause = &listener.cause;
    match sni {
        Some(sni) => {
            Cause::new(&cause.object, format!("{}.hosts", cause.field), format!("No server takes the server name {sni}."))
        }
        None => Cause::new(&cause.object, format!("{}.tls", cause.field), "The server takes TLS only, and plain text came."),
    }
}

/// No virtual host or route for a request.
pub fn no_route(ctx: &Ctx<'_>, place: &Place, config: &str, message: &Message) -> Cause {
    let host = bare_host(&message.authority);
    let base = ctx.model.base();
    let candidates: Vec<&VirtualService> = base.index.rules_covering(&host).into_iter().map(|vs| &**vs).collect();
    if !place.proxy.gateway {
        let text = "The VirtualService has no rule for this request, and nothing else is tried.";
        return candidates.first().map_or_else(|| place.proxy.policy.clone(), |vs| Cause::new(&vs.object, "spec.http", text));
    }
    let id = &place.who.id;
    let port: u16 = config.strip_prefix("http.").and_then(|p| p.parse().ok()).unwrap_or(0);
    let snapshot = ctx.model.snapshot();
    let serves =
        |g: &&Gateway| g.selects(id) && g.servers.iter().any(|s| port == 0 || listen_port(id, snapshot, s.port) == Some(port));
    let gateways: Vec<&Gateway> = base.gateways.iter().map(|g| &**g).filter(serves).collect();
    let Some(gateway) = gateways.first() else { return place.proxy.policy.clone() };
    if candidates.is_empty() {
        let text = format!("No VirtualService brings {host} to this gateway.");
        return Cause::new(&gateway.object, "spec.servers[0].hosts", &text);
    }
    let bound = candidates.iter().find(|vs| gateways.iter().any(|g| vs.gateways.contains(&g.reference())));
    let Some(vs) = bound else { return not_bound(&candidates, gateway) };
    let default = &base.config.default_virtual_service_export;
    if export_rank(&vs.export, default, &vs.namespace, &id.namespace).is_none() {
        let text = format!("The VirtualService is not exported to namespace {}, where the gateway runs.", id.namespace);
        return Cause::new(&vs.object, "spec.exportTo", &text);
    }
    let own: Vec<&Gateway> = gateways.iter().copied().filter(|g| vs.gateways.contains(&g.reference())).collect();
    for gateway in &own {
        for (i, server) in gateway.servers.iter().enumerate() {
            let for_host = |h: &String| host_for(h, gateway, &vs.namespace).is_some_and(|h| covers(h, &host));
            if !server.hosts.iter().any(for_host) {
                let text = format!("The server's hosts do not let {} bind {host}.", vs.object);
                return Cause::new(&gateway.object, format!("spec.servers[{i}].hosts"), &text);
            }
        }
    }
    no_rule(vs, &own)
}

/// VirtualServices for the host exist, but none names the gateway.
fn not_bound(candidates: &[&VirtualService], gateway: &Gateway) -> Cause {
    let vs = candidates.iter().find(|vs| vs.gateways.iter().any(|g| g != "mesh")).unwrap_or(&candidates[0]);
    let text = format!("The VirtualService is bound to {}, not to {}.", vs.gateways.join(", "), gateway.reference());
    Cause::new(&vs.object, "spec.gateways", &text)
}

/// Bound, visible, allowed, and still no rule: the first condition that keeps a rule away from this gateway.
fn no_rule(vs: &VirtualService, gateways: &[&Gateway]) -> Cause {
    let references: Vec<String> = gateways.iter().map(|g| g.reference()).collect();
    let ports: Vec<u16> = gateways.iter().flat_map(|g| g.servers.iter().map(|s| s.port)).collect();
    let mut by_gateway = None;
    for (i, rule) in vs.http.iter().enumerate() {
        for (j, entry) in rule.matches.iter().enumerate() {
            let here = entry.gateways.is_empty() || entry.gateways.iter().any(|g| references.contains(g));
            let port = entry.port.is_none_or(|p| p == 0 || ports.contains(&p));
            let at = |field: &str, text: &str| Cause::new(&vs.object, format!("spec.http[{i}].match[{j}].{field}"), text);
            if here && !port {
                return at("port", "The rule is for a port that the Gateway's server does not have.");
            }
            if !here && !entry.gateways.iter().all(|g| g == "mesh") {
                return at("gateways", "The rule names another gateway than the one that asks.");
            }
            if !here {
                by_gateway = Some(at("gateways", "No rule is for the gateway; this one is for the mesh only."));
            }
        }
    }
    by_gateway.unwrap_or_else(|| Cause::new(&vs.object, "spec.http", "No rule of the VirtualService takes this request."))
}
