//! Revisions: sealing, forking, going back.

use crate::base::clock::Time;
use crate::k8s::tree::Tree;
use crate::k8s::{Key, Object, Snapshot};
use crate::sandbox::node::Node;
use crate::sandbox::store::Store;
use crate::sandbox::world::saved::{self, Saved};
use crate::sandbox::world::{Config, Hand, Moment, Occasion, View, World};
use crate::sandbox::{Changes, Pace};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many settled revisions can be forked or returned to; pinned ones are kept beyond that.
pub const REVISION_LIMIT: usize = 1_024;
/// How many revisions can be pinned.
pub const PIN_LIMIT: usize = 256;

/// The whole state at one revision.
pub(super) struct Settled {
    pub(super) snapshot: Snapshot,
    /// What it came from.
    pub(super) moment: Arc<Moment>,
    node: Node,
    now: Time,
    exchanges: u64,
    created: Tree<Arc<Key>, u32>,
}

impl World {
    /// Ends a write: tells the data plane, notes the record, keeps the revision.
    pub(super) fn seal(&mut self) {
        let version = self.store.version();
        if version == self.sealed && !self.history.is_empty() {
            self.signatures = Default::default();
            return;
        }
        let changed: BTreeSet<Key> =
            self.store.since(self.sealed).map(|changes| changes.map(|change| change.key.clone()).collect()).unwrap_or_default();
        let changed: Vec<Key> = changed.into_iter().collect();
        if !changed.is_empty() {
            self.dataplane.update(&Changes { snapshot: self.view.snapshot(), changed: &changed });
        }
        self.note_record(&changed);
        let moment = self.moment(self.sealed);
        self.sealed = version;
        self.store.seal();
        let settled = Settled {
            snapshot: self.store.snapshot().clone(),
            moment,
            node: self.node.fork(self.pace),
            now: self.now,
            exchanges: self.exchanges,
            created: self.created.clone(),
        };
        self.history.insert(version, settled);
        while self.history.len() > REVISION_LIMIT + self.pins.len() {
            let Some(oldest) = self.history.keys().find(|revision| !self.pins.contains(revision)).copied() else { return };
            self.history.remove(&oldest);
        }
    }

    /// Keeps the present revision for later forks and resets, however many follow. Gives its number; at the limit the oldest pin goes.
    pub fn pin(&mut self) -> u64 {
        let revision = self.revision();
        self.pins.insert(revision);
        while self.pins.len() > PIN_LIMIT {
            self.pins.pop_first();
        }
        revision
    }

    /// Keeps a revision (or the newest one before it) as [`World::pin`] does; `None` when it is gone already.
    pub fn pin_at(&mut self, revision: u64) -> Option<u64> {
        let at = *self.history.range(..=revision).next_back()?.0;
        self.pins.insert(at);
        while self.pins.len() > PIN_LIMIT {
            self.pins.pop_first();
        }
        Some(at)
    }

    /// The whole world as it was at a kept revision; `None` when it is gone.
    pub fn save_at(&self, revision: u64) -> Option<Saved> {
        let settled = self.history.get(&revision)?;
        Some(Saved {
            seed: self.seed.0,
            revision,
            now_ms: settled.now.0,
            exchanges: settled.exchanges,
            objects: settled.snapshot.all().map(|object| object.0.clone()).collect(),
            created: saved::rows(&settled.created),
            node: settled.node.save(),
        })
    }

    /// Keeps an earlier revision again that [`World::save_at`] gave when this world was open before. False when it is none of this
    /// world's past: of another seed, or later than what it was opened with.
    pub fn recall(&mut self, kept: Saved) -> bool {
        if kept.seed == self.seed.0 && self.history.contains_key(&kept.revision) {
            // Nothing has changed since: the world was opened as it was then.
            self.pins.insert(kept.revision);
            return true;
        }
        let begun = self.history.iter().find(|(_, settled)| settled.moment.occasion != Occasion::Kept);
        if kept.seed != self.seed.0 || begun.is_none_or(|(begun, _)| kept.revision > *begun) {
            return false;
        }
        let (revision, at) = (kept.revision, Time(kept.now_ms));
        let mut node = Node::new(self.seed, self.pace);
        node.restore(&kept.node, at, at);
        let (occasion, changes) = (Occasion::Kept, Vec::new());
        let settled = Settled {
            snapshot: kept.objects.into_iter().map(Object).collect(),
            moment: Arc::new(Moment { revision, at, occasion, asked: Some(Hand::Lab), changes, unlisted: 0 }),
            node,
            now: at,
            exchanges: kept.exchanges,
            created: saved::counts(kept.created),
        };
        self.history.insert(revision, settled);
        self.pins.insert(revision);
        true
    }

    /// Lets a pinned revision go.
    pub fn unpin(&mut self, revision: u64) {
        self.pins.remove(&revision);
    }

    /// An independent world at that revision (or the newest one before it), `None` when it is no longer kept. Streams do not come along.
    pub fn fork(&self, revision: u64, pace: Pace) -> Option<World> {
        let (at, settled) = self.history.range(..=revision).next_back()?;
        let mut dataplane = self.dataplane.fork();
        dataplane.update(&Changes { snapshot: &settled.snapshot, changed: &[] });
        let start = settled.now.max(if *at == self.sealed { self.now } else { settled.now });
        let config = Config { seed: self.seed, pace, start };
        let mut fork = World {
            view: View::new(config, Store::at(settled.snapshot.clone(), *at)),
            node: settled.node.fork(pace),
            webhooks: self.webhooks.clone(),
            created: settled.created.clone(),
            dataplane,
            programs: self.programs.clone(),
            controllers: self.controllers.clone(),
            wakes: vec![None; self.wakes.len()],
            alarms: vec![None; self.alarms.len()],
            rested: vec![None; self.rested.len()],
            exchanges: settled.exchanges,
            events: None,
            sealed: 0,
            history: BTreeMap::new(),
            pins: BTreeSet::new(),
            streams: BTreeMap::new(),
            next_stream: 1,
            records: None,
            trouble: None,
            signatures: Default::default(),
            actor: None,
        };
        fork.secret = self.secret.clone();
        fork.crds = self.crds.clone();
        fork.sealed = *at;
        fork.keep(settled.moment.clone());
        Some(fork)
    }

    fn keep(&mut self, moment: Arc<Moment>) {
        let settled = Settled {
            snapshot: self.store.snapshot().clone(),
            moment,
            node: self.node.fork(self.pace),
            now: self.now,
            exchanges: self.exchanges,
            created: self.created.clone(),
        };
        self.history.insert(self.sealed, settled);
    }

    /// Brings the state of a kept revision back as new revisions: versions only grow, watches see every change. The clock goes on.
    /// False when the revision is no longer kept.
    pub fn reset_to(&mut self, revision: u64) -> bool {
        let Some((_, settled)) = self.history.range(..=revision).next_back() else { return false };
        let (target, node) = (settled.snapshot.clone(), settled.node.fork(self.pace));
        self.signatures.ask(Occasion::Return { to: revision }, Some(Hand::Lab));
        self.take_over(&target, node);
        true
    }

    /// Drops what was begun and not committed: a defect stopped a write in its middle. Running execs end.
    pub fn undo(&mut self, committed: View) {
        let version = committed.revision();
        if let Some((_, settled)) = self.history.range(..=version).next_back() {
            self.node = settled.node.fork(self.pace);
            self.created = settled.created.clone();
        }
        let now = self.now;
        self.view = committed.at(now);
        self.sealed = version;
        self.trouble = None;
        self.signatures = Default::default();
        self.wakes.fill(None);
        self.alarms.fill(None);
        self.rested.fill(None);
        self.end_streams_of_node();
        self.dataplane.update(&Changes { snapshot: self.view.snapshot(), changed: &[] });
    }

    /// Brings the newest state of another world into this one as new revisions. The clock goes on.
    pub fn adopt(&mut self, other: &World) {
        let (target, node) = (other.snapshot().clone(), other.node.fork(self.pace));
        self.created = other.created.clone();
        self.take_over(&target, node);
    }

    pub(super) fn take_over(&mut self, target: &Snapshot, node: Node) {
        let gone: Vec<Key> =
            self.store.snapshot().all().map(|object| object.key()).filter(|key| target.get(key).is_none()).collect();
        for key in gone {
            self.store.remove(&key);
        }
        for object in target.all() {
            let same = self.store.snapshot().get(&object.key()).is_some_and(|now| equal_but_version(now, object));
            if !same {
                self.store.put((**object).clone());
            }
        }
        self.node = node;
        self.events = None;
        self.store.touch();
        self.end_streams_of_node();
        self.signatures.ask(Occasion::Adopted, Some(Hand::Lab));
        self.signatures.sign(self.view.store.version(), Hand::Lab);
        self.settle();
        self.seal();
    }
}

/// Equal after removing `resourceVersion` and the times of managed fields.
fn equal_but_version(a: &Object, b: &Object) -> bool {
    let strip = |object: &Object| {
        let mut object = object.clone();
        object.set(&["metadata", "resourceVersion"], json!(""));
        object
    };
    std::ptr::eq(a, b) || strip(a) == strip(b)
}
