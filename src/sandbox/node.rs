//! The one node of the world: pods' lives, their files, logs and processes. A plain value that the world drives; objects stay in
//! the store, everything else that a pod has is here. Nothing in a pod ever starts a process of this machine.

pub mod exec;
pub mod files;
pub mod forward;
pub mod images;
mod life;
pub mod logs;
mod process;
mod saved;
mod space;
mod spec;
mod status;
pub mod tools;

use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::k8s::{Object, Snapshot};
use crate::outside::wire::{DnsAnswer, Exchange, LogLine, Request};
use crate::sandbox::{Action, Dataplane, Pace, Program};
use life::PodLife;
use life::step::Out;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The node's own address.
pub const HOST_IP: &str = "172.18.0.2";

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

/// How long the parts of a pod's life take, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    pub network_ms: i64,
    pub pull_ms: i64,
    pub start_ms: i64,
    pub init_ms: i64,
    pub ready_ms: i64,
    real: bool,
}

impl Timing {
    /// Short for people at a lesson (an injected pod is ready within 1.5 s), a cluster's own with `real_time`.
    fn of(pace: Pace) -> Timing {
        match pace {
            Pace::Wall { real_time: true } => {
                Timing { network_ms: 1000, pull_ms: 4000, start_ms: 500, init_ms: 1000, ready_ms: 3000, real: true }
            }
            _ => Timing { network_ms: 100, pull_ms: 150, start_ms: 50, init_ms: 100, ready_ms: 200, real: false },
        }
    }

    /// How long a container takes to stop; `deaf`: its first process does not listen to SIGTERM (sleep, a shell).
    pub fn stop_ms(&self, deaf: bool) -> i64 {
        match (self.real, deaf) {
            (false, _) => 600,
            (true, false) => 5_000,
            (true, true) => i64::MAX / 4,
        }
    }
}

/// The node. [`Node::fork`] is cheap: files and logs are shared until written.
pub struct Node {
    seed: Seed,
    pace: Pace,
    /// By uid.
    pods: BTreeMap<String, Arc<PodLife>>,
    sessions: BTreeMap<exec::ProcessId, exec::Session>,
    next_session: u64,
}

impl Node {
    /// A node without pods.
    pub fn new(seed: Seed, pace: Pace) -> Node {
        Node { seed, pace, pods: BTreeMap::new(), sessions: BTreeMap::new(), next_session: 1 }
    }

    /// An independent copy at another pace, without the running exec processes (they belong to their connections).
    pub fn fork(&self, pace: Pace) -> Node {
        let next_session = self.next_session;
        Node { pods: self.pods.clone(), next_session, ..Node::new(self.seed, pace) }
    }

    /// The kubelet's next writes: called in every round after the controllers, until nobody has an action.
    pub fn reconcile(&mut self, env: &mut Env<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut lines = Vec::new();
        let bound: Vec<Arc<Object>> =
            env.state.list("", "Pod").filter(|p| !p.str_at(&["spec", "nodeName"]).is_empty()).cloned().collect();
        let uids: BTreeSet<&str> = bound.iter().map(|p| p.uid()).collect();
        self.pods.retain(|uid, _| uids.contains(uid.as_str()));
        for pod in &bound {
            let taken = self.pods.remove(pod.uid()).unwrap_or_else(|| Arc::new(PodLife::new(pod, *env.now)));
            if life::is_quiet(&taken, pod, env) {
                self.pods.insert(pod.uid().into(), taken);
                continue;
            }
            let mut life = Arc::unwrap_or_clone(taken);
            let timing = Timing::of(self.pace);
            let mut out = Out { seed: self.seed, pace: self.pace, timing, actions: &mut actions, logs: &mut lines };
            let (had_ip, had_due) = (life.ip.is_some(), life.sandbox_due);
            life::advance(&mut life, pod, env, &mut out);
            if !had_ip && had_due.is_some_and(|due| due <= *env.now) && life.sandbox_due.is_none() && life.gone_at.is_none() {
                life.ip = Some(self.free_address(pod));
                life::advance(&mut life, pod, env, &mut out);
            }
            let status = status::status(&life, pod, *env.now);
            let gone = life.told.contains("gone");
            // Nobody reads the last state of a pod that goes at once; one with finalizers stays, and its owner counts how it ended.
            let stays = pod.at(&["metadata", "finalizers"]).as_array().is_some_and(|f| !f.is_empty());
            if status == *pod.status() || gone && !stays {
                life.version = pod.str_at(&["metadata", "resourceVersion"]).to_string();
            } else {
                let mut new = Object::clone(pod);
                new.set(&["status"], status);
                actions.push(Action::UpdateStatus(new));
            }
            if gone && life.told.insert("deleted".into()) {
                actions.push(Action::Delete(pod.key()));
            }
            self.pods.insert(pod.uid().into(), Arc::new(life));
        }
        self.append_at(&lines);
        actions
    }

    /// The moment of the next *transition* (pod start, stop, back-off): instant pace fires these in due order after each write.
    pub fn next_transition(&self) -> Option<Time> {
        self.pods.values().filter_map(|life| life.next_transition()).min()
    }

    /// The moment at which the next main process ends by itself (`sleep 3600`): only the clock's passing ends it.
    pub fn next_timer(&self) -> Option<Time> {
        self.pods.values().filter_map(|life| life.next_timer()).min()
    }

    /// Appends lines to containers' logs (the world calls it for lines of its own; exec appends an exchange's lines itself).
    pub fn append(&mut self, lines: &[LogLine], now: Time) {
        let timed: Vec<_> = lines.iter().map(|line| (now, line.clone())).collect();
        self.append_at(&timed);
    }

    fn append_at(&mut self, lines: &[(Time, LogLine)]) {
        for (at, line) in lines {
            let mine = |l: &&mut Arc<PodLife>| l.name == line.pod && l.namespace == line.namespace;
            if let Some(life) = self.pods.values_mut().find(mine) {
                Arc::make_mut(life).log_line(&line.container, *at, &line.text);
            }
        }
    }

    fn life(&self, uid: &str) -> Option<&PodLife> {
        self.pods.get(uid).map(|life| &**life)
    }

    /// The pod's address by hash, the next free one on a clash. The first 256 addresses are left to the node.
    fn free_address(&self, pod: &Object) -> String {
        if pod.at(&["spec", "hostNetwork"]) == true {
            return HOST_IP.to_string();
        }
        const ROOM: u64 = 65_536 - 512;
        let taken: BTreeSet<&str> = self.pods.values().filter_map(|l| l.ip.as_deref()).collect();
        let start = self.seed.hash(&["Pod", pod.namespace(), pod.name(), pod.uid()]) % ROOM;
        let address = |n: u64| format!("10.244.{}.{}", (n + 256) / 256, n % 256);
        (0..ROOM).map(|i| address((start + i) % ROOM)).find(|ip| !taken.contains(ip.as_str())).unwrap_or_else(|| address(start))
    }
}

#[cfg(test)]
mod tests;
