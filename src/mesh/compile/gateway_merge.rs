//! Servers of several Gateways on one port: which of them count (Istio: model/gateway.go mergeGateways).

use super::gateway::{Bound, ServerKind};
use std::collections::{BTreeMap, BTreeSet};

/// The servers of a port that count, by the address they are bound to (empty: any), in order. Left out are: a TLS server one of
/// whose hosts an earlier one of the same address has; after a plain server of the same address everything but HTTP beside HTTP.
pub fn accepted<'s, 'b>(servers: &'s [Bound<'b>]) -> BTreeMap<&'b str, Vec<&'s Bound<'b>>> {
    let mut by_bind: BTreeMap<&str, Vec<&Bound<'_>>> = BTreeMap::new();
    let mut hosts: BTreeSet<(&str, String)> = BTreeSet::new();
    for bound in servers {
        let bind = bound.server.bind.as_str();
        if bound.server.tls_mode.is_some() {
            let named: Vec<(&str, String)> = bound.server.hosts.iter().map(|h| (bind, written(bound, h))).collect();
            if named.iter().any(|key| hosts.contains(key)) {
                continue;
            }
            hosts.extend(named);
        }
        let there = by_bind.entry(bind).or_default();
        let plain = there.iter().find(|b| is_plain(b)).map(|b| b.server.kind());
        let http = bound.server.kind() == ServerKind::Http;
        if plain.is_none_or(|kind| kind == ServerKind::Http && http) {
            there.push(bound);
        }
    }
    by_bind
}

fn is_plain(bound: &Bound<'_>) -> bool {
    matches!(bound.server.kind(), ServerKind::Http | ServerKind::Tcp)
}

/// A host with its namespace part as Istio compares it: `./h` names the namespace, `*/h` is `h`.
fn written(bound: &Bound<'_>, host: &str) -> String {
    match host.split_once('/') {
        Some(("*", dns)) => dns.to_string(),
        Some((".", dns)) => format!("{}/{dns}", bound.gateway.namespace),
        _ => host.to_string(),
    }
}
