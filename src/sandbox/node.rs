//! The one node of the world: pods' lives, their files, logs and processes. A plain value that the world drives; objects stay in
//! the store, everything else that a pod has is here. Nothing in a pod ever starts a process of this machine.

pub mod exec;
pub mod images;
pub mod logs;
pub mod tools;

use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::k8s::{Object, Snapshot};
use crate::outside::wire::{DnsAnswer, Exchange, LogLine, Request};
use crate::sandbox::{Action, Dataplane, Pace, Program};
use std::sync::Arc;

/// What the node may look at and touch while it works: borrowed from the world for one call.
pub struct Env<'a> {
    /// The state after the last commit.
    pub state: &'a Snapshot,
    /// The world's moment. At instant pace a foreground command's sleep moves it on; the world takes the new value over.
    pub now: &'a mut Time,
    pub dataplane: &'a mut dyn Dataplane,
    pub programs: &'a [Arc<dyn Program>],
    /// Exchanges counted so far in this world.
    pub exchanges: &'a mut u64,
}

impl Env<'_> {
    /// What the pod's resolver answers.
    pub fn resolve(&self, pod: &Object, name: &str) -> DnsAnswer {
        self.dataplane.resolve(pod, name)
    }

    /// One exchange of the pod, counted.
    pub fn exchange(&mut self, pod: &Object, request: &Request) -> Exchange {
        *self.exchanges += 1;
        self.dataplane.exchange(pod, request, *self.now, *self.exchanges)
    }
}

/// Why the node refuses a request: becomes a `Status` with this code (reason BadRequest, NotFound, ...).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: u16,
    pub message: String,
}

impl Refusal {
    /// A 400.
    pub fn bad(message: impl Into<String>) -> Refusal {
        Refusal { code: 400, message: message.into() }
    }
}

/// The node. [`Node::fork`] is cheap: files and logs are shared until written.
pub struct Node {
    seed: Seed,
    pace: Pace,
}

impl Node {
    /// A node without pods.
    pub fn new(seed: Seed, pace: Pace) -> Node {
        Node { seed, pace }
    }

    /// An independent copy at another pace, without the running exec processes (they belong to their connections).
    pub fn fork(&self, pace: Pace) -> Node {
        Node { seed: self.seed, pace }
    }

    /// The kubelet's and scheduler's next writes: called in every round after the controllers, until nobody has an action.
    pub fn reconcile(&mut self, env: &mut Env<'_>) -> Vec<Action> {
        let _ = env;
        Vec::new()
    }

    /// The moment of the next *transition* (pod start, stop, back-off): instant pace fires these in due order after each write.
    pub fn next_transition(&self) -> Option<Time> {
        None
    }

    /// The moment at which the next main process ends by itself (`sleep 3600`): only the clock's passing ends it.
    pub fn next_timer(&self) -> Option<Time> {
        None
    }

    /// Appends lines to containers' logs (the world calls it for lines of its own; exec appends an exchange's lines itself).
    pub fn append(&mut self, lines: &[LogLine], now: Time) {
        let _ = (lines, now);
    }
}

impl Node {
    /// The node's own state for a saved world.
    pub fn save(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// Takes over what [`Node::save`] gave. The clock stood at `then` when it was saved and stands at `now`: processes' clocks stood still.
    pub fn restore(&mut self, saved: &serde_json::Value, then: Time, now: Time) {
        let _ = (saved, then, now);
    }
}
