//! VirtualServices that hand part of their rules to others (Istio: model/virtualservice.go): the rules of the delegate, narrowed by
//! the conditions of the root's rule and filled up with its settings. One level only.

use super::rules::{HttpRule, Match, Rewrite, UriMatch, ValueMatch, VirtualService};
use super::scope::{Base, export_rank};
use crate::mesh::proxy::{Action, Matcher};
use std::borrow::Cow;

/// The HTTP rules of a VirtualService with those of its delegates in their places. A delegate that is missing, or that is not
/// exported to the root's namespace, gives none.
pub fn rules<'a>(base: &Base, vs: &'a VirtualService) -> Cow<'a, [HttpRule]> {
    if vs.http.iter().all(|rule| rule.delegate.is_none()) {
        return Cow::Borrowed(&vs.http);
    }
    let mut all = Vec::new();
    for root in &vs.http {
        match &root.delegate {
            None => all.push(root.clone()),
            Some((namespace, name)) => {
                let found = find(base, namespace, name, &vs.namespace);
                all.extend(found.into_iter().flat_map(|d| &d.http).filter_map(|rule| merged(root, rule)));
            }
        }
    }
    Cow::Owned(all)
}

fn find<'b>(base: &'b Base, namespace: &str, name: &str, root_namespace: &str) -> Option<&'b VirtualService> {
    let found = base.virtual_services.iter().find(|vs| vs.namespace == namespace && vs.name == name && vs.hosts.is_empty())?;
    let default = &base.config.default_virtual_service_export;
    export_rank(&found.export, default, &found.namespace, root_namespace).map(|_| &**found)
}

/// Every host that a VirtualService sends to, through its delegates too.
pub fn destinations(base: &Base, vs: &VirtualService) -> Vec<String> {
    let rules = rules(base, vs);
    let http = rules.iter().flat_map(|r| r.destinations.iter().chain(r.mirrors.iter().map(|(to, _)| to)));
    let l4 = vs.tls.iter().chain(&vs.tcp).flat_map(|r| &r.destinations);
    http.chain(l4).map(|d| d.host.clone()).collect()
}

fn merged(root: &HttpRule, own: &HttpRule) -> Option<HttpRule> {
    let mut rule = own.clone();
    rule.matches = matches(&root.matches, &own.matches)?;
    rule.name = joined(&root.name, &own.name);
    if rule.rewrite == Rewrite::default() {
        rule.rewrite = root.rewrite.clone();
    }
    if let (Action::Forward(_), Action::Direct(..)) = (&rule.action, &root.action) {
        rule.action = root.action.clone();
    }
    let absent = [
        ("timeout", rule.timeout_ms.is_none()),
        ("retries.perTryTimeout", rule.retries.is_none()),
        ("fault.abort", rule.fault.is_none()),
        ("corsPolicy", rule.cors.is_none()),
    ];
    rule.inherited = absent.into_iter().filter(|(_, gone)| *gone).map(|(name, _)| (name, root.rule.within(name))).collect();
    rule.timeout_ms = rule.timeout_ms.or(root.timeout_ms);
    rule.retries = rule.retries.or_else(|| root.retries.clone());
    rule.fault = rule.fault.or_else(|| root.fault.clone());
    rule.cors = rule.cors.or_else(|| root.cors.clone());
    if rule.mirrors.is_empty() {
        rule.mirrors.clone_from(&root.mirrors);
    }
    if rule.headers == Default::default() {
        rule.headers = root.headers.clone();
    }
    rule.not_modelled = rule.not_modelled.or_else(|| root.not_modelled.clone());
    Some(rule)
}

fn joined(root: &str, own: &str) -> String {
    match (root.is_empty(), own.is_empty()) {
        (_, true) => root.to_string(),
        (true, false) => own.to_string(),
        (false, false) => format!("{root}-{own}"),
    }
}

/// Each condition of the delegate with each of the root that it does not contradict; `None` when one fits none.
fn matches(root: &[Match], own: &[Match]) -> Option<Vec<Match>> {
    if root.is_empty() || own.is_empty() {
        return Some(if root.is_empty() { own.to_vec() } else { root.to_vec() });
    }
    let mut all = Vec::new();
    for entry in own {
        let before = all.len();
        all.extend(root.iter().filter(|r| !contradict(r, entry)).map(|r| both(r, entry)));
        if all.len() == before {
            return None;
        }
    }
    Some(all)
}

fn both(root: &Match, own: &Match) -> Match {
    let mut entry = own.clone();
    let (r, o) = (&root.run_time, &own.run_time);
    entry.name = joined(&root.name, &own.name);
    entry.run_time = Matcher {
        uri: o.uri.clone().or_else(|| r.uri.clone()),
        scheme: o.scheme.clone().or_else(|| r.scheme.clone()),
        method: o.method.clone().or_else(|| r.method.clone()),
        authority: o.authority.clone().or_else(|| r.authority.clone()),
        headers: united(&r.headers, &o.headers),
        without_headers: united(&r.without_headers, &o.without_headers),
        query: united(&r.query, &o.query),
        ignore_case: o.ignore_case,
    };
    entry.port = own.port.filter(|p| *p != 0).or(root.port);
    entry.source_namespace = own.source_namespace.clone().or_else(|| root.source_namespace.clone());
    for (key, value) in &root.source_labels {
        entry.source_labels.entry(key.clone()).or_insert_with(|| value.clone());
    }
    if entry.gateways.is_empty() {
        entry.gateways.clone_from(&root.gateways);
    }
    entry
}

type Named = Vec<(String, ValueMatch)>;

fn united(root: &Named, own: &Named) -> Named {
    let more = root.iter().filter(|(name, _)| !own.iter().any(|(n, _)| n == name));
    own.iter().chain(more).cloned().collect()
}

fn contradict(root: &Match, own: &Match) -> bool {
    let (r, o) = (&root.run_time, &own.run_time);
    let kind = |uri: &Option<UriMatch>| uri.as_ref().map(|u| u.kind.clone());
    let single = [
        (kind(&r.uri), kind(&o.uri)),
        (r.scheme.clone(), o.scheme.clone()),
        (r.method.clone(), o.method.clone()),
        (r.authority.clone(), o.authority.clone()),
    ];
    let named = [(&r.headers, &o.headers), (&r.without_headers, &o.without_headers), (&r.query, &o.query)];
    let of = |all: &Named, name: &str| all.iter().find(|(n, _)| n == name).map(|(_, m)| m.clone());
    let mut pairs = named.iter().flat_map(|(r, o)| o.iter().map(|(name, m)| (of(r, name), Some(m.clone()))));
    let port = |m: &Match| m.port.filter(|p| *p != 0);
    single.iter().any(|(r, o)| differ(r, o))
        || pairs.any(|(r, o)| differ(&r, &o))
        || r.ignore_case != o.ignore_case
        || matches!((port(root), port(own)), (Some(a), Some(b)) if a != b)
        || root.source_namespace.as_ref().is_some_and(|ns| own.source_namespace.as_ref() != Some(ns))
        || own.source_labels.iter().any(|(k, v)| root.source_labels.get(k).is_some_and(|have| have != v))
        || (!root.gateways.is_empty() && own.gateways.iter().any(|g| !root.gateways.contains(g)))
}

/// Whether the delegate's condition is not part of the root's. Regular expressions are never part of anything.
fn differ(root: &Option<ValueMatch>, own: &Option<ValueMatch>) -> bool {
    let (Some(root), Some(own)) = (root, own) else { return false };
    match (root, own) {
        (ValueMatch::Exact(a), ValueMatch::Exact(b)) => a != b,
        (ValueMatch::Prefix(a), ValueMatch::Prefix(b) | ValueMatch::Exact(b)) => !b.starts_with(a.as_str()),
        _ => true,
    }
}
