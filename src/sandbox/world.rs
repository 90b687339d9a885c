//! One world: objects, node, data plane and clock as a synchronous value. `serve` owns it; nothing here waits.
//!
//! A write is admitted, committed, followed by the controllers until they rest, then the data plane is updated, and only then is it
//! answered. Reads and watches see committed states only.

mod act;
mod history;
mod moments;
mod saved;
mod settle;
mod start;
mod streams;
#[cfg(test)]
pub(in crate::sandbox) mod tests;
mod view;

pub use moments::{Hand, Moment, Occasion};
pub use saved::{Record, Saved};
pub use view::View;

use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::k8s::Key;
use crate::k8s::tree::Tree;
use crate::sandbox::api;
use crate::sandbox::call::{Answer, Call, Refusal, StreamId};
use crate::sandbox::node::Node;
use crate::sandbox::store::Store;
use crate::sandbox::{Controller, Dataplane, Pace, Parts, Program, Webhook, controllers};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// At how many moments [`World::advance`] stops on its way; what falls due after them happens at its end.
const STOP_LIMIT: usize = 1_000;

/// How a world begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    pub seed: Seed,
    pub pace: Pace,
    /// Where the clock stands: [`Time::LOGICAL_START`] for instant worlds, the system's now for wall ones.
    pub start: Time,
}

/// A world. See the module's text.
pub struct World {
    /// What readers see once it is committed.
    view: View,
    pub(in crate::sandbox) node: Node,
    pub(in crate::sandbox) webhooks: Vec<Arc<dyn Webhook>>,
    /// How often each key was created: the n-th of a name has its own uid.
    pub(in crate::sandbox) created: Tree<Arc<Key>, u32>,
    dataplane: Box<dyn Dataplane>,
    programs: Vec<Arc<dyn Program>>,
    controllers: Vec<Arc<dyn Controller>>,
    /// The moment at which each controller wants to run again.
    wakes: Vec<Option<Time>>,
    /// The schedule or deadline that each controller waits for.
    alarms: Vec<Option<Time>>,
    /// The version at which each controller last had nothing to do.
    rested: Vec<Option<u64>>,
    exchanges: u64,
    /// Where the event with a mark is: the same event again raises its count. `None`: to be built from the store.
    events: Option<BTreeMap<u64, Key>>,
    /// The version up to which the data plane was updated and history is written.
    sealed: u64,
    history: BTreeMap<u64, history::Settled>,
    pins: BTreeSet<u64>,
    streams: BTreeMap<StreamId, streams::Stream>,
    next_stream: u64,
    /// `Some` while a saved world is being kept: what was committed since the last take.
    records: Option<Vec<Record>>,
    trouble: Option<String>,
    /// Who did what since the last seal.
    signatures: moments::Signatures,
    /// Who makes the present request; nobody while controllers write.
    pub(in crate::sandbox) actor: Option<api::rbac::User>,
}

impl World {
    /// A world in its start state: four namespaces, Service kubernetes, node sandbox-node.
    pub fn new(config: Config, parts: Parts) -> World {
        let mut world = World::empty(config, parts);
        world.signatures.ask(Occasion::Begun, Some(Hand::Lab));
        start::populate(&mut world);
        world.signatures.sign(world.view.store.version(), Hand::Lab);
        world.settle();
        world.seal();
        world
    }

    fn empty(config: Config, parts: Parts) -> World {
        let mut loops: Vec<Arc<dyn Controller>> =
            vec![Arc::new(api::establish::Establish), Arc::new(api::rbac::aggregate::Aggregate)];
        loops.extend(controllers::all(config.seed));
        loops.extend(parts.controllers);
        World {
            view: View::new(config, Store::default()),
            node: Node::new(config.seed, config.pace),
            webhooks: parts.webhooks,
            created: Tree::default(),
            dataplane: parts.dataplane,
            programs: parts.programs,
            wakes: vec![None; loops.len()],
            alarms: vec![None; loops.len()],
            rested: vec![None; loops.len()],
            controllers: loops,
            exchanges: 0,
            events: None,
            sealed: 0,
            history: BTreeMap::new(),
            pins: BTreeSet::new(),
            streams: BTreeMap::new(),
            next_stream: 1,
            records: None,
            trouble: None,
            signatures: moments::Signatures::default(),
            actor: None,
        }
    }

    /// Answers one request. Streams ([`Call::is_stream`]) go to [`World::open`] instead.
    pub fn handle(&mut self, call: &Call) -> Answer {
        let before = self.store.version();
        let answer = api::handle(self, call);
        if self.store.version() == before {
            return answer;
        }
        let hand = Hand::of(call);
        self.signatures.sign(self.view.store.version(), hand.clone());
        self.signatures.ask(Occasion::Call, Some(hand));
        if self.pace == Pace::Instant {
            self.now = self.now.plus_ms(1000);
        }
        self.settle();
        self.seal();
        match self.trouble.take() {
            Some(trouble) => Refusal::new(500, "InternalError", format!("Internal error occurred: {trouble}")).answer(),
            None => answer,
        }
    }

    /// Tells a wall world the time: due transitions and timers fire. Instant and frozen worlds keep their own clock.
    pub fn tick(&mut self, now: Time) {
        if !matches!(self.pace, Pace::Wall { .. }) {
            return;
        }
        self.now = self.now.max(now);
        if self.next_due().is_some_and(|due| due <= self.now) {
            self.settle();
            self.seal();
        }
    }

    /// When [`World::tick`] will next have something to do.
    pub fn next_due(&self) -> Option<Time> {
        match self.pace {
            Pace::Frozen => None,
            _ => self.next_transition().into_iter().chain(self.node.next_timer()).chain(self.next_alarm()).min(),
        }
    }

    /// Whether no transition (pod start or stop, rollout, install) is pending.
    pub fn settled(&self) -> bool {
        self.next_transition().is_none()
    }

    /// Signs the tokens of service accounts with this from now on: two worlds of one seed do not take each other's.
    pub fn keep_secret(&mut self, secret: &str) {
        self.secret = secret.into();
    }

    /// What readers may see: the committed state, with the kinds that its definitions make.
    pub fn view(&mut self) -> &View {
        self.view.know_kinds();
        &self.view
    }

    /// Moves an instant world's clock on (a foreground wait of the lab); timers that pass fire. Other paces: nothing.
    pub fn advance(&mut self, ms: i64) {
        if self.pace != Pace::Instant {
            return;
        }
        let end = self.now.plus_ms(ms);
        // Schedules on the way, and ends of processes between them, happen at their own moments, as for a clock that runs.
        for _ in 0..STOP_LIMIT {
            let Some(alarm) = self.next_alarm() else { break };
            let stop = self.node.next_timer().map_or(alarm, |timer| timer.min(alarm));
            if stop > end || stop <= self.now {
                break;
            }
            self.now = stop;
            self.settle();
            self.seal();
        }
        self.now = self.now.max(end);
        self.settle();
        self.seal();
    }

    /// How often an object was made under a key.
    pub(in crate::sandbox) fn times_created(&self, key: &Key) -> u32 {
        self.created.find(|there| (**there).cmp(key)).copied().unwrap_or(0)
    }

    /// Counts that an object was made under a key.
    pub(in crate::sandbox) fn count_created(&mut self, key: Key) {
        let before = self.times_created(&key);
        self.created.insert(Arc::new(key), before.saturating_add(1));
    }

    /// The data plane, for the lab that made it.
    pub fn dataplane(&mut self) -> &mut dyn Dataplane {
        &mut *self.dataplane
    }
}

/// A world reads as its view does.
impl Deref for World {
    type Target = View;

    fn deref(&self) -> &View {
        &self.view
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut View {
        &mut self.view
    }
}
