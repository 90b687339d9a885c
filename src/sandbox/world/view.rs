//! What can be read of a world without its node, streams and controllers: reads and watches are answered from a copy of this.

use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::k8s::Snapshot;
use crate::sandbox::Pace;
use crate::sandbox::api::registry::CrdCache;
use crate::sandbox::store::{Change, Store};
use crate::sandbox::world::Config;
use std::sync::Arc;

/// The readable part of a world. A copy is cheap, shares everything and never changes: the state at one moment.
#[derive(Debug, Clone)]
pub struct View {
    pub(in crate::sandbox) seed: Seed,
    pub(in crate::sandbox) pace: Pace,
    pub(in crate::sandbox) now: Time,
    pub(in crate::sandbox) store: Store,
    pub(in crate::sandbox) crds: CrdCache,
    /// What nobody outside knows: tokens are signed with it. "" until somebody serves the world.
    pub(in crate::sandbox) secret: Arc<str>,
}

impl View {
    pub(in crate::sandbox) fn new(config: Config, store: Store) -> View {
        View { seed: config.seed, pace: config.pace, now: config.start, store, crds: CrdCache::default(), secret: "".into() }
    }

    /// The same state seen at a later moment (ages, ends of watches); never earlier.
    pub fn at(mut self, now: Time) -> View {
        self.now = self.now.max(now);
        self
    }

    /// Brings what is known of custom kinds up to date with their definitions.
    pub(in crate::sandbox) fn know_kinds(&mut self) {
        self.crds.refresh(self.store.snapshot());
    }

    /// The newest revision: the number that `World::fork` takes, and every object's upper bound of `resourceVersion`.
    pub fn revision(&self) -> u64 {
        self.store.version()
    }

    /// The objects at the newest revision.
    pub fn snapshot(&self) -> &Snapshot {
        self.store.snapshot()
    }

    /// The moment of the state.
    pub fn now(&self) -> Time {
        self.now
    }

    /// What names, uids and addresses derive from.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// What was changed after a revision, oldest first; `None` when that is forgotten.
    pub fn changes_since(&self, revision: u64) -> Option<impl Iterator<Item = &Arc<Change>>> {
        self.store.since(revision)
    }

    /// How the world's time passes.
    pub fn pace(&self) -> Pace {
        self.pace
    }
}
