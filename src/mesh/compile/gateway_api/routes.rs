//! Routes to rules: one VirtualService for each parent and host, those with the same key merged (route_collections.go).

use super::parents::{self, Parent, Taker};
use super::{GROUP, Listener, http};
use crate::k8s::{Object, Snapshot};
use crate::mesh::Cause;
use crate::mesh::compile::rules::{
    Destination, HeaderEdits, HttpRule, L4Rule, Match, ValueMatch, VirtualService, list, overlaps, text,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// A route that is being converted for one sort of parent.
pub struct Source<'s> {
    pub snapshot: &'s Snapshot,
    pub route: &'s Object,
    pub object: String,
    /// For sidecars: references to other namespaces need no grant.
    pub mesh: bool,
}

/// What a `backendRef` means.
#[derive(Debug, PartialEq)]
pub enum Backend {
    Host(String, u16),
    /// Not allowed or of an unknown kind: the rule stays, and leads nowhere.
    Unknown,
    /// The whole route is refused.
    Refused,
}

impl Source<'_> {
    pub fn backend(&self, reference: &Value) -> Backend {
        let group = text(reference, "group");
        let kind = reference.get("kind").and_then(Value::as_str).unwrap_or("Service");
        let own = self.route.namespace();
        let written = reference.get("namespace").and_then(Value::as_str);
        let namespace = written.unwrap_or(own);
        let name = text(reference, "name");
        let granted = || parents::is_granted(self.snapshot, self.route, (&group, kind, namespace, &name));
        if !self.mesh && namespace != own && !granted() {
            return Backend::Unknown;
        }
        let host = match (group.as_str(), kind) {
            ("" | "core", "Service") if name.contains('.') => return Backend::Refused,
            ("" | "core", "Service") => format!("{name}.{namespace}.svc.cluster.local"),
            ("networking.istio.io", "Hostname") if written.is_some() => return Backend::Refused,
            ("networking.istio.io", "Hostname") => name.to_ascii_lowercase(),
            _ => return Backend::Unknown,
        };
        match reference.get("port").and_then(Value::as_u64) {
            Some(port) => Backend::Host(host, port as u16),
            None => Backend::Refused,
        }
    }
}

/// The rules of all routes.
pub fn all(snapshot: &Snapshot, listeners: &[Listener]) -> Vec<VirtualService> {
    let mut rules = merged(snapshot, listeners);
    for kind in ["TLSRoute", "TCPRoute"] {
        for route in snapshot.list(GROUP, kind) {
            l4(snapshot, listeners, route, kind, &mut rules);
        }
    }
    rules
}

/// A VirtualService for one host of one route.
fn draft(route: &Object, name: String, host: &str, parent: &Parent<'_>) -> VirtualService {
    VirtualService {
        object: route.key().to_string(),
        namespace: route.namespace().into(),
        name,
        hosts: vec![host.to_string()],
        gateways: vec![match &parent.kind {
            Taker::Mesh(_) => "mesh".into(),
            Taker::Listener(l) => l.gateway.reference(),
        }],
        export: Some(vec!["*".into()]),
        created: route.str_at(&["metadata", "creationTimestamp"]).into(),
        http: Vec::new(),
        tls: Vec::new(),
        tcp: Vec::new(),
        of_gateway_api: true,
    }
}

/// HTTPRoutes (and GRPCRoutes, of which this program only knows that they are there), those of one key as one.
fn merged(snapshot: &Snapshot, listeners: &[Listener]) -> Vec<VirtualService> {
    let mut by_key: BTreeMap<String, Vec<VirtualService>> = BTreeMap::new();
    let routes = ["HTTPRoute", "GRPCRoute"].into_iter().flat_map(|kind| snapshot.list(GROUP, kind));
    for route in routes {
        for parent in parents::of(snapshot, listeners, route) {
            for (key, rule) in of_route(snapshot, listeners, route, &parent) {
                by_key.entry(key).or_default().push(rule);
            }
        }
    }
    let mut all = Vec::new();
    for (key, mut same) in by_key {
        same.sort_by(|a, b| (&a.created, &a.namespace, &a.object).cmp(&(&b.created, &b.namespace, &b.object)));
        let mut first = same.remove(0);
        first.http.extend(same.into_iter().flat_map(|vs| vs.http));
        first.http.sort_by_key(rank);
        first.name = key.replace('/', "~");
        all.push(first);
    }
    all
}

/// More exact conditions first: path (exact, prefix, expression, then length), method, headers, parameters.
fn rank(rule: &HttpRule) -> std::cmp::Reverse<(bool, i8, usize, bool, usize, usize)> {
    let Some(m) = rule.matches.first().map(|m| &m.run_time) else {
        return std::cmp::Reverse((false, 0, 0, false, 0, 0));
    };
    let (kind, length) = match m.uri.as_ref().map(|u| &u.kind) {
        Some(ValueMatch::Exact(t)) => (3, t.len()),
        Some(ValueMatch::Prefix(t)) => (2, t.len()),
        Some(ValueMatch::Regex(t)) => (1, t.as_str().len()),
        _ => (-1, 0),
    };
    std::cmp::Reverse((true, kind, length, m.method.is_some(), m.headers.len(), m.query.len()))
}

fn of_route(snapshot: &Snapshot, listeners: &[Listener], route: &Object, parent: &Parent<'_>) -> Vec<(String, VirtualService)> {
    let mesh = matches!(parent.kind, Taker::Mesh(_));
    let source = Source { snapshot, route, object: route.key().to_string(), mesh };
    let Some(mut rules) = http_rules(&source) else { return Vec::new() };
    let (key, hosts) = match &parent.kind {
        Taker::Mesh(hosts) => {
            let port = parent.port.map(|p| format!("/{p}")).unwrap_or_default();
            rules.iter_mut().flat_map(|r| &mut r.matches).for_each(|m| m.port = parent.port.or(m.port));
            (format!("{}{port}", route.namespace()), hosts.clone())
        }
        Taker::Listener(listener) => {
            let own = parents::hostnames(route).into_iter().filter(|h| parents::is_own(listener, listeners, h));
            (listener.gateway.reference(), own.collect())
        }
    };
    let one = |host: String| {
        let mut vs = draft(route, String::new(), &host, parent);
        vs.http.clone_from(&rules);
        (format!("{key}/{host}"), vs)
    };
    hosts.into_iter().filter(|_| !rules.is_empty()).map(one).collect()
}

fn http_rules(source: &Source<'_>) -> Option<Vec<HttpRule>> {
    let all = source.route.at(&["spec", "rules"]).as_array().cloned().unwrap_or_default();
    if source.route.kind() == "GRPCRoute" {
        let unknown = Cause::new(&*source.object, "spec.rules", "GRPCRoutes are not modelled.");
        let rules = http::rules(source, &Value::Object(Default::default()), 0)?;
        return Some(rules.into_iter().map(|r| HttpRule { not_modelled: Some(unknown.clone()), ..r }).collect());
    }
    let mut rules = Vec::new();
    for (n, rule) in all.iter().enumerate() {
        rules.extend(http::rules(source, rule, n)?);
    }
    Some(rules)
}

/// TLSRoutes and TCPRoutes.
fn l4(snapshot: &Snapshot, listeners: &[Listener], route: &Object, kind: &str, all: &mut Vec<VirtualService>) {
    let mut count = 0;
    for parent in parents::of(snapshot, listeners, route) {
        let mesh = matches!(parent.kind, Taker::Mesh(_));
        let source = Source { snapshot, route, object: route.key().to_string(), mesh };
        let Some(destinations) = l4_destinations(&source) else { continue };
        let names = parents::hostnames(route);
        let hosts = match &parent.kind {
            Taker::Mesh(hosts) => hosts.clone(),
            Taker::Listener(l) if kind == "TLSRoute" && !l.hostname.is_empty() => {
                let both = names.iter().filter(|h| overlaps(h, &l.hostname));
                both.map(|h| crate::mesh::compile::rules::narrower(h, &l.hostname).to_string()).collect()
            }
            Taker::Listener(_) => names.clone(),
        };
        for host in &hosts {
            let mut vs = draft(route, format!("{}~{}~{count}", route.name(), kind.to_ascii_lowercase()), host, &parent);
            count += 1;
            let cause = |n: usize| Cause::new(&*source.object, format!("spec.rules[{n}]"), "This rule of the route takes it.");
            let sni = match (&parent.kind, names.as_slice()) {
                (Taker::Mesh(_), [any]) if any == "*" => hosts.clone(),
                (Taker::Mesh(_), several) if several.len() > 1 => several.iter().filter(|h| overlaps(h, host)).cloned().collect(),
                (Taker::Listener(l), _) if !l.hostname.is_empty() => hosts.clone(),
                _ => names.clone(),
            };
            let of = |n: usize, sni_hosts: Vec<String>| Match {
                port: parent.port,
                sni_hosts: sni_hosts.into(),
                ..Match::anything(cause(n))
            };
            for (n, to) in destinations.iter().enumerate() {
                let rule = |m: Match| L4Rule { matches: vec![m], destinations: to.clone() };
                match kind {
                    "TLSRoute" => vs.tls.push(rule(of(n, sni.clone()))),
                    _ => vs.tcp.push(rule(of(n, Vec::new()))),
                }
            }
            all.push(vs);
        }
    }
}

/// The destinations of each rule; without any weight a cluster that is not there. `None`: the route is refused.
fn l4_destinations(source: &Source<'_>) -> Option<Vec<Vec<Destination>>> {
    let mut all = Vec::new();
    for (n, rule) in source.route.at(&["spec", "rules"]).as_array().into_iter().flatten().enumerate() {
        let mut some = Vec::new();
        for (i, backend) in list(rule, "backendRefs").iter().enumerate() {
            let weight = backend.get("weight").and_then(Value::as_u64).unwrap_or(1);
            let (host, port) = match source.backend(backend) {
                Backend::Host(host, port) => (host, port),
                Backend::Unknown => ("UnknownService".into(), 0),
                Backend::Refused => return None,
            };
            let field = format!("spec.rules[{n}].backendRefs[{i}]");
            let to = Destination {
                host,
                subset: String::new(),
                port: Some(port),
                weight: Some(weight),
                headers: HeaderEdits::default(),
                field,
            };
            some.extend((weight > 0).then_some(to));
        }
        if some.is_empty() {
            let field = format!("spec.rules[{n}].backendRefs");
            let host = "internal.cluster.local".to_string();
            some.push(Destination {
                host,
                subset: "zero-weight".into(),
                port: Some(65535),
                weight: None,
                headers: HeaderEdits::default(),
                field,
            });
        }
        all.push(some);
    }
    Some(all)
}
