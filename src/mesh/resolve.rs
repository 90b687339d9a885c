//! The pod's resolver: search domains, the cluster's zone, then the public DNS.

use super::compile::registry;
use super::model::resident::Resident;
use crate::k8s::{Object, Snapshot};
use crate::outside::Outside;
use crate::outside::answer::lower;
use crate::outside::wire::DnsAnswer;
use std::net::IpAddr;
use std::sync::Arc;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    pub namespace: &'a str,
    pub name: &'a str,
    pub ip: Option<IpAddr>,
}

impl<'a> Asker<'a> {
    /// A pod as its object has it.
    pub fn pod(pod: &'a Object) -> Asker<'a> {
        Asker { namespace: pod.namespace(), name: pod.name(), ip: pod.str_at(&["status", "podIP"]).parse().ok() }
    }

    /// A pod that was read before.
    pub fn resident(who: &'a Resident) -> Asker<'a> {
        Asker { namespace: &who.namespace, name: &who.name, ip: who.ip }
    }
}

/// Whether two pods may get different answers: names without a dot get the asker's namespace, and a pod's own name stands in its
/// hosts file.
pub fn depends_on_asker(asker: Asker<'_>, name: &str) -> bool {
    !name.contains('.') || name.eq_ignore_ascii_case(asker.name)
}

/// What the resolver of a pod answers.
pub fn resolve(snapshot: &Snapshot, asker: Asker<'_>, name: &str, outside: &Outside) -> DnsAnswer {
    let namespace = asker.namespace;
    let name = &*lower(name);
    if let Some(ip) = literal(name) {
        return found(name, vec![ip]);
    }
    if let Some(answer) = hosts_file(asker, name) {
        return answer;
    }
    let absolute = name.ends_with('.');
    let bare = name.trim_end_matches('.');
    if bare.is_empty() {
        return DnsAnswer::NoSuchName;
    }
    let dots = bare.bytes().filter(|b| *b == b'.').count();
    // The zone's names have two parts before `svc` or `pod`: of the search domains only one can make such a name. Names with the
    // five dots that make a resolver try them as they are first (`ndots:5`) have too many for that.
    let searched = match dots {
        _ if absolute => None,
        0 => Some(format!("{bare}.{namespace}.svc.cluster.local")),
        1 => Some(format!("{bare}.svc.cluster.local")),
        2 => Some(format!("{bare}.cluster.local")),
        _ => None,
    };
    match searched.map(|name| lookup(snapshot, &name, outside, 0)) {
        None | Some(DnsAnswer::NoSuchName) => lookup(snapshot, bare, outside, 0),
        Some(answer) => answer,
    }
}

/// The address that a name is, if it is one.
fn literal(name: &str) -> Option<IpAddr> {
    let may_be = name.bytes().last().is_some_and(|b| b.is_ascii_hexdigit() || b == b':' || b == b'.');
    may_be.then(|| name.parse().ok()).flatten()
}

fn hosts_file(own: Asker<'_>, name: &str) -> Option<DnsAnswer> {
    let ip = match name {
        "localhost" => IpAddr::from([127, 0, 0, 1]),
        _ if name == own.name => own.ip?,
        _ => return None,
    };
    Some(DnsAnswer::Addresses { canonical: name.to_string(), addresses: vec![ip] })
}

/// An absolute name: the cluster's zone or the world outside. `depth` limits chains of aliases.
fn lookup(snapshot: &Snapshot, name: &str, outside: &Outside, depth: u8) -> DnsAnswer {
    let Some(inside) = name.strip_suffix(".cluster.local") else { return outside.resolve(name) };
    let parts: Vec<&str> = inside.split('.').collect();
    match parts.as_slice() {
        [service, namespace, "svc"] => match snapshot.find("", "Service", namespace, service) {
            Some(service) => of_service(snapshot, service, name, outside, depth),
            None => DnsAnswer::NoSuchName,
        },
        [dashed, namespace, "pod"] => match dashed.replace('-', ".").parse::<IpAddr>() {
            Ok(ip) if snapshot.list_in("", "Pod", namespace).next().is_some() => found(name, vec![ip]),
            _ => DnsAnswer::NoSuchName,
        },
        _ => DnsAnswer::NoSuchName,
    }
}

fn of_service(snapshot: &Snapshot, service: &Arc<Object>, name: &str, outside: &Outside, depth: u8) -> DnsAnswer {
    if service.str_at(&["spec", "type"]) == "ExternalName" {
        let target = service.str_at(&["spec", "externalName"]).trim_end_matches('.').to_ascii_lowercase();
        return if depth < 8 { lookup(snapshot, &target, outside, depth + 1) } else { DnsAnswer::NoSuchName };
    }
    match service.str_at(&["spec", "clusterIP"]).parse() {
        Ok(ip) => found(name, vec![ip]),
        Err(_) => found(name, pod_addresses(snapshot, service)),
    }
}

/// The addresses behind a headless service.
fn pod_addresses(snapshot: &Snapshot, service: &Object) -> Vec<IpAddr> {
    let one = Snapshot::from_iter([service.clone()]);
    let mut with_pods = one;
    for kind in [("", "Pod"), ("discovery.k8s.io", "EndpointSlice")] {
        snapshot.list_in(kind.0, kind.1, service.namespace()).for_each(|o| with_pods.put(o.clone()));
    }
    let services = registry::all(&with_pods);
    let endpoints = services.iter().flat_map(|s| &s.ports).flat_map(|p| &p.endpoints);
    let mut addresses: Vec<IpAddr> = endpoints
        .filter_map(|e| match e.host {
            super::proxy::EndpointHost::Address(ip) => Some(ip),
            super::proxy::EndpointHost::Name(_) => None,
        })
        .collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

fn found(name: &str, addresses: Vec<IpAddr>) -> DnsAnswer {
    match addresses.is_empty() {
        true => DnsAnswer::NoSuchName,
        false => DnsAnswer::Addresses { canonical: name.to_string(), addresses },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_gets_the_same_unless_it_is_said_that_it_depends() {
        let service =
            Object(serde_json::json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "a"},
            "spec": {"clusterIP": "10.96.0.7"}}));
        let snapshot = Snapshot::from_iter([service]);
        let asker =
            |namespace: &'static str, name: &'static str, last: u8| Asker { namespace, name, ip: Some([10, 0, 0, last].into()) };
        let (one, other) = (asker("a", "client.a", 1), asker("b", "egress", 2));
        let differs = |name: &str| {
            let of = |asker| resolve(&snapshot, asker, name, &Outside::assumed());
            of(one) != of(other)
        };
        for name in
            ["web", "web.a", "web.a.svc", "WEB.a.svc.cluster.local.", "client.a", "egress", "localhost", "a.org", "1.2.3.4"]
        {
            let said = depends_on_asker(one, name) || depends_on_asker(other, name);
            assert!(said || !differs(name), "{name}");
        }
        assert!(differs("web") && differs("client.a") && !depends_on_asker(one, "web.a.svc"));
    }
}
