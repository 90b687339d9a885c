//! What decides about a connection besides routing: authorization, peer and request authentication, network policies, extensions.
//! All of it is read once per model ([`Policies`]) and sorted out once per proxy ([`Guard`]).

mod assumed;
pub mod attach;
pub mod authorize;
pub mod certificates;
pub mod extensions;
pub mod network;
pub mod peer;
pub mod rules;
pub mod token;
pub mod unmodelled;
pub mod values;

use super::Cause;
use super::compile::scope::{Base, Identity};
use super::config::MeshConfig;
use super::telemetry::{Logging, Telemetries};
use crate::k8s::{Object, Snapshot};
use authorize::{Attempt, Authorization, Policy, Verdict};
use extensions::{Extensions, Patches};
use network::Network;
use peer::{Mode, Peers};
use std::collections::BTreeMap;
use std::sync::Arc;
use token::Tokens;

const SECURITY: &str = "security.istio.io";

/// All policies of the mesh.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policies {
    root: String,
    /// By namespace, oldest first.
    authorization: BTreeMap<String, Vec<Arc<Policy>>>,
    pub peers: Peers,
    tokens: Vec<Arc<Object>>,
    pub network: Network,
    pub telemetry: Telemetries,
    extensions: Extensions,
}

/// What stands before one proxy.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Guard {
    pub authorization: Authorization,
    pub tokens: Tokens,
    /// What the proxy's inbound side takes: `STRICT`, and per port.
    pub mode: Mode,
    /// The access-log lines that it writes.
    pub logging: Logging,
    /// What changes the proxy in ways that are not modelled.
    pub patches: Patches,
}

impl Policies {
    /// Reads the policies of a moment.
    pub fn read(snapshot: &Snapshot, root: &str, config: &MeshConfig) -> Policies {
        let mut authorization: BTreeMap<String, Vec<Arc<Policy>>> = BTreeMap::new();
        for object in by_age(snapshot, "AuthorizationPolicy") {
            let policy = Arc::new(Policy::read(&object, config));
            authorization.entry(object.namespace().to_string()).or_default().push(policy);
        }
        Policies {
            root: root.to_string(),
            authorization,
            peers: Peers::read(&by_age(snapshot, "PeerAuthentication"), root),
            tokens: by_age(snapshot, "RequestAuthentication"),
            network: Network::read(snapshot),
            telemetry: Telemetries::read(snapshot, config),
            extensions: Extensions::read(snapshot),
        }
    }

    /// What stands before a proxy.
    pub fn guard(&self, id: &Identity, base: &Base) -> Guard {
        let mut namespaces = vec![self.root.as_str()];
        if id.namespace != self.root {
            namespaces.push(&id.namespace);
        }
        let in_scope = namespaces.iter().filter_map(|ns| self.authorization.get(*ns)).flatten();
        let own = in_scope.filter(|p| p.takes(id)).cloned().collect();
        Guard {
            authorization: Authorization::new(own, &base.config),
            tokens: Tokens::new(self.tokens.iter().filter(|o| namespaces.contains(&o.namespace())), id),
            mode: self.peers.mode(&id.namespace, &id.labels),
            logging: self.telemetry.logging(id, base),
            patches: self.extensions.patches(id, &self.root),
        }
    }
}

/// Objects of a kind by creation, then name, then namespace, as Istio sorts its configuration.
fn by_age(snapshot: &Snapshot, kind: &str) -> Vec<Arc<Object>> {
    let mut all: Vec<Arc<Object>> = snapshot.list(SECURITY, kind).cloned().collect();
    let age = |o: &Object| {
        let created = o.str_at(&["metadata", "creationTimestamp"]).to_string();
        (created, o.name().to_string(), o.namespace().to_string())
    };
    all.sort_by_cached_key(|o| age(o));
    all
}

/// How a guard ends a request or a connection.
#[derive(Debug, Clone, PartialEq)]
pub enum Stop {
    /// RBAC: its detail, who denied.
    Denied(String, Cause),
    /// The token filter's own answer.
    Token(token::Refusal),
    NotModelled(Cause),
}

impl Guard {
    /// Whether nothing here can end anything.
    pub fn is_empty(&self) -> bool {
        self.authorization.is_empty() && self.tokens.is_empty()
    }

    /// What ends this attempt here, in the order of the filters: CUSTOM, tokens, DENY, ALLOW.
    pub fn stops(&self, attempt: &Attempt<'_>) -> Option<Stop> {
        if let Some(stop) = stop(self.authorization.custom(attempt)) {
            return Some(stop);
        }
        if let Some(stop) = attempt.http.and_then(|asked| self.tokens.stops(&asked)) {
            return Some(stop);
        }
        stop(self.authorization.decide(attempt))
    }
}

fn stop(verdict: Verdict) -> Option<Stop> {
    match verdict {
        Verdict::Pass => None,
        Verdict::Deny(detail, cause) => Some(Stop::Denied(detail, cause)),
        Verdict::Unknown(cause) => Some(Stop::NotModelled(cause)),
    }
}

#[cfg(test)]
mod tests;
