//! What a proxy remembers while it runs: what it answered and sent, to whom, and how much its loggers say.

use super::logging;
use crate::base::clock::Time;
use crate::mesh::{Hop, Trace};
use std::collections::{BTreeMap, BTreeSet};

/// How many proxies, clusters of a proxy and addresses of a cluster are remembered.
const PROXIES: usize = 4096;
const CLUSTERS: usize = 4096;
const ADDRESSES: usize = 256;

/// Everything that the proxies of a world remember, by `NAMESPACE/POD`.
#[derive(Debug, Clone, Default)]
pub struct Memories {
    proxies: BTreeMap<String, Memory>,
}

/// One proxy's.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// Level of each logger that is not at its first level.
    pub levels: BTreeMap<&'static str, &'static str>,
    pub clusters: BTreeMap<String, Counts>,
    /// Answers by what Istio's own metric tells apart.
    pub requests: BTreeMap<Answered, u64>,
}

/// What a cluster did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    pub requests: u64,
    /// By hundreds: 2 is 2xx.
    pub by_class: BTreeMap<u16, u64>,
    pub connections: u64,
    pub connect_failures: u64,
    /// Addresses that were connected to: the hosts of ORIGINAL_DST clusters.
    pub addresses: BTreeSet<String>,
    /// Whether any of it was HTTP.
    pub http: bool,
}

/// A row of `istio_requests_total` or `istio_tcp_connections_opened_total`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answered {
    pub cluster: String,
    /// 0: no HTTP.
    pub status: u16,
    pub flags: String,
    /// Whether the connection came in from another pod.
    pub inbound: bool,
}

impl Memories {
    /// The memory of a proxy; an empty one when it has not done anything.
    pub fn of(&self, proxy: &str) -> Memory {
        self.proxies.get(proxy).cloned().unwrap_or_default()
    }

    /// The memory of a proxy, to change. `None`: too many are remembered.
    pub fn change(&mut self, proxy: &str) -> Option<&mut Memory> {
        if !self.proxies.contains_key(proxy) && self.proxies.len() >= PROXIES {
            return None;
        }
        Some(self.proxies.entry(proxy.to_string()).or_default())
    }

    /// Forgets proxies that are gone.
    pub fn keep(&mut self, lives: impl Fn(&str) -> bool) {
        self.proxies.retain(|name, _| lives(name));
    }

    /// Notes what the proxies on the way of an exchange did.
    pub fn note(&mut self, trace: &Trace) {
        let status = trace.record.status;
        for hop in &trace.record.hops {
            if let Some(memory) = self.change(&hop.proxy) {
                memory.note(hop, status);
            }
        }
    }
}

impl Memory {
    fn note(&mut self, hop: &Hop, status: Option<u16>) {
        let Some(cluster) = hop.cluster.as_deref().filter(|name| !name.is_empty()) else {
            return self.count(hop, "", status);
        };
        let http = hop.route_config.is_some();
        if self.clusters.contains_key(cluster) || self.clusters.len() < CLUSTERS {
            let counts = self.clusters.entry(cluster.to_string()).or_default();
            let failed = hop.flags.split(',').any(|flag| matches!(flag, "UF" | "UH"));
            counts.http |= http;
            if let Some(endpoint) = &hop.endpoint {
                counts.connections += 1;
                counts.connect_failures += u64::from(failed);
                if counts.addresses.len() < ADDRESSES {
                    counts.addresses.insert(endpoint.clone().into());
                }
            }
            if http {
                counts.requests += 1;
                if let Some(status) = status {
                    *counts.by_class.entry(status / 100).or_default() += 1;
                }
            }
        }
        self.count(hop, cluster, status);
    }

    fn count(&mut self, hop: &Hop, cluster: &str, status: Option<u16>) {
        let http = hop.route_config.is_some();
        let row = Answered {
            cluster: cluster.to_string(),
            status: if http { status.unwrap_or(0) } else { 0 },
            flags: hop.flags.clone().into(),
            inbound: cluster.starts_with("inbound|") || cluster == "InboundPassthroughCluster",
        };
        if self.requests.contains_key(&row) || self.requests.len() < CLUSTERS {
            *self.requests.entry(row).or_default() += 1;
        }
    }

    /// The level of a logger.
    pub fn level(&self, logger: &'static str) -> &'static str {
        self.levels.get(logger).copied().unwrap_or(logging::FIRST)
    }
}

/// When a proxy was told what it knows now, and how often before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Push {
    pub at: Time,
    pub nth: u64,
}

impl Push {
    /// `2024-03-04T08:37:44Z/4`: istiod's version of a push.
    pub fn version(&self) -> String {
        format!("{}/{}", self.at.rfc3339(), self.nth)
    }

    /// The moment as Envoy prints it.
    pub fn moment(&self) -> String {
        self.at.envoy()
    }
}
