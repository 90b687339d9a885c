//! Requests that a client sends at the same time: what they fill up at the proxies on their way (connection pools of
//! DestinationRules; Envoy's circuit breakers). A single trace never fills anything.

use super::Place;
use crate::mesh::proxy::{Cluster, Pool};
use std::collections::BTreeMap;

/// More requests than this are not traced together.
pub const MAX_BURST: usize = 1_000;

/// What the requests of one burst have taken so far.
#[derive(Debug, Default)]
pub struct Burst {
    /// When each connection of a proxy's cluster is free again, in milliseconds after the burst; and how many requests wait for one.
    taken: BTreeMap<(String, String), Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    free_at: Vec<u64>,
    waiting: u64,
    active: u64,
}

/// What the pool says to one more request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// It is sent after so many milliseconds.
    After(u64),
    /// It is refused.
    Full,
}

fn key(place: &Place, cluster: &Cluster) -> (String, String) {
    (place.who.full.to_string(), cluster.name.to_string())
}

impl Burst {
    /// Asks for a place in the cluster's pool. `shared`: HTTP/2, where requests share a connection.
    pub fn ask(&mut self, place: &Place, cluster: &Cluster, shared: bool) -> Says {
        let Some(pool) = &cluster.pool else { return Says::After(0) };
        let taken = self.taken.entry(key(place, cluster)).or_default();
        if taken.active >= pool.requests {
            return Says::Full;
        }
        if shared || (taken.free_at.len() as u64) < pool.connections {
            taken.active += 1;
            return Says::After(0);
        }
        if taken.waiting >= pool.pending {
            return Says::Full;
        }
        taken.waiting += 1;
        let first = taken.free_at.iter().enumerate().min_by_key(|(_, at)| **at).map(|(i, at)| (i, *at));
        let (i, at) = first.unwrap_or((0, 0));
        if i < taken.free_at.len() {
            taken.free_at.remove(i);
        }
        Says::After(at)
    }

    /// Notes when the request that got a place is over.
    pub fn done(&mut self, place: &Place, cluster: &Cluster, at: u64) {
        if cluster.pool.is_some() {
            self.taken.entry(key(place, cluster)).or_default().free_at.push(at);
        }
    }
}

impl Pool {
    /// No limit that a trace could reach.
    pub fn is_endless(&self) -> bool {
        let most = u64::from(u32::MAX);
        self.connections >= most && self.requests >= most
    }
}
