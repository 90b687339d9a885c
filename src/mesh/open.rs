//! What a mesh lets through beyond the hosts that it names: for each opening of each proxy a request that shows it. Openings are read
//! off the compiled proxies (and off the pod, for what no proxy sees); only requests that the model delivers count.

mod candidates;

use super::reach::{Ask, Client};
use super::survey::{Cell, Group, groups};
use super::{Cause, Inputs, Model};
use crate::base::order::Order;
use crate::base::outcome::{Outcome, Path};
use std::collections::BTreeMap;

/// Witnesses that are kept.
pub const MAX_WITNESSES: usize = 1_000;
/// Candidates that are tried for one client.
const MAX_CANDIDATES: usize = 5_000;

/// By what a request gets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Opening {
    /// No sidecar sees the pod's traffic.
    Uncaptured,
    /// A port or range is left out of redirection.
    Excluded,
    /// Unregistered hosts are let out.
    AllowAny,
    /// A wildcard among the hosts of HTTP.
    WildcardHost,
    /// A wildcard among TLS server names.
    WildcardServerName,
    /// A TCP port without addresses takes every connection to it.
    AnyAddress,
    /// A network of more than one address.
    Network,
    /// The name is checked, the address is whatever the client dials.
    ClientsAddress,
    /// A host that another namespace registers for everybody.
    Export,
}

impl Opening {
    /// All, the wider ones first.
    pub const ALL: [Opening; 9] = [
        Opening::Uncaptured,
        Opening::Excluded,
        Opening::AllowAny,
        Opening::AnyAddress,
        Opening::Network,
        Opening::WildcardHost,
        Opening::WildcardServerName,
        Opening::ClientsAddress,
        Opening::Export,
    ];

    /// The word that JSON and people use.
    pub fn word(self) -> &'static str {
        match self {
            Opening::Uncaptured => "no-sidecar",
            Opening::Excluded => "excluded-from-capture",
            Opening::AllowAny => "allow-any",
            Opening::WildcardHost => "wildcard-host",
            Opening::WildcardServerName => "wildcard-server-name",
            Opening::AnyAddress => "port-without-addresses",
            Opening::Network => "network",
            Opening::ClientsAddress => "any-address",
            Opening::Export => "export",
        }
    }
}

/// A request that gets through, and what lets it.
#[derive(Debug, Clone, PartialEq)]
pub struct Witness {
    pub opening: Opening,
    /// The workloads that get through in the same way; the request is the first one's.
    pub clients: Vec<String>,
    pub client: Client,
    pub ask: Ask,
    pub cell: Cell,
    /// The object and field that open.
    pub cause: Cause,
}

/// All that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// By opening, then by object.
    pub witnesses: Vec<Witness>,
    pub clients: usize,
    pub tried: usize,
    pub cut: bool,
    /// What is not modelled and may open more.
    pub unknown: Vec<Cause>,
}

/// A request to try.
pub struct Candidate {
    pub opening: Opening,
    pub ask: Ask,
    /// The object and field; `None`: what the trace names.
    pub cause: Option<Cause>,
}

/// Looks for openings from every workload, or from those of one name only.
pub fn find_open(model: &Model, inputs: &Inputs<'_>, only: Option<&Client>) -> Found {
    let all = groups(model);
    let wanted = |g: &&Group| only.is_none_or(|c| g.client == *c || g.name == c.to_string());
    let groups: Vec<&Group> = all.iter().filter(wanted).collect();
    let mut found = Found { witnesses: Vec::new(), clients: groups.len(), tried: 0, cut: false, unknown: Vec::new() };
    let mut known: BTreeMap<(Opening, String, String), usize> = BTreeMap::new();
    for group in groups {
        let Ok(pod) = group.client.find(model.snapshot()) else { continue };
        let mut candidates = candidates::of(model, &pod, inputs);
        found.cut |= candidates.len() > MAX_CANDIDATES;
        candidates.truncate(MAX_CANDIDATES);
        for Candidate { opening, ask, cause } in candidates {
            let Ok(request) = ask.request() else { continue };
            found.tried += 1;
            let record = model.trace(&pod, &request, inputs).record;
            if record.outcome == Outcome::NotModelled && !found.unknown.contains(&record.cause) {
                found.unknown.push(record.cause.clone());
            }
            let Some(opening) = opening_of(opening, &record.path, record.outcome, group.sidecar) else { continue };
            let cause =
                cause.filter(|_| opening != Opening::AllowAny && !is_beside(opening)).unwrap_or_else(|| record.cause.clone());
            let key = (opening, cause.object.to_string(), cause.field.to_string());
            match known.get(&key) {
                Some(at) => {
                    let clients = &mut found.witnesses[*at].clients;
                    if !clients.contains(&group.name) {
                        clients.push(group.name.clone());
                    }
                }
                None if found.witnesses.len() >= MAX_WITNESSES => found.cut = true,
                None => {
                    known.insert(key, found.witnesses.len());
                    let (clients, client, cell) = (vec![group.name.clone()], group.client.clone(), Cell::of(&record));
                    found.witnesses.push(Witness { opening, clients, client, ask, cell, cause });
                }
            }
        }
    }
    let rank = |o: Opening| Opening::ALL.iter().position(|all| *all == o);
    found.witnesses.order_by_key(|w| (rank(w.opening), w.cause.object.to_string(), w.cause.field.to_string()));
    found
}

/// Whether no proxy had a say.
fn is_beside(opening: Opening) -> bool {
    matches!(opening, Opening::Uncaptured | Opening::Excluded)
}

/// What a delivered candidate shows: the way it took says more than the way it was thought to take.
fn opening_of(thought: Opening, path: &Path, outcome: Outcome, sidecar: bool) -> Option<Opening> {
    if !matches!(outcome, Outcome::Delivered | Outcome::DeliveredElsewhere) {
        return None;
    }
    match path {
        Path::Uncaptured if sidecar && is_beside(thought) => Some(Opening::Excluded),
        // Without a sidecar everything is open: one witness is enough.
        Path::Uncaptured => (thought == Opening::Uncaptured).then_some(Opening::Uncaptured),
        Path::Passthrough => (thought == Opening::Uncaptured).then_some(Opening::AllowAny),
        _ if is_beside(thought) => None,
        _ => Some(thought),
    }
}

#[cfg(test)]
mod tests;
