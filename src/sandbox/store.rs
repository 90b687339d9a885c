//! Objects, their versions, and what happened to them: the part of a world that watches and forks read.

use crate::k8s::tree::Tree;
use crate::k8s::{Key, Kind, Object, Snapshot};
use serde_json::json;
use std::sync::{Arc, OnceLock};

/// How many past changes a watch can resume from; older resource versions answer 410 Expired.
pub const EVENT_LIMIT: usize = 16_384;

/// One change of one object.
#[derive(Debug, Clone)]
pub struct Change {
    pub version: u64,
    pub key: Key,
    pub before: Option<Arc<Object>>,
    /// `None`: deleted.
    pub after: Option<Arc<Object>>,
    /// The object after the change as JSON, once somebody who watches has needed it.
    json: OnceLock<Vec<u8>>,
}

impl Change {
    /// A change.
    pub fn new(version: u64, key: Key, before: Option<Arc<Object>>, after: Option<Arc<Object>>) -> Change {
        Change { version, key, before, after, json: OnceLock::new() }
    }

    /// The object after the change in its stored version as JSON: `encode` makes it the first time.
    pub fn encoded(&self, encode: impl FnOnce() -> Vec<u8>) -> &[u8] {
        self.json.get_or_init(encode)
    }
}

/// The objects of a world at their newest version, and the recent changes. Copies are cheap and share everything.
#[derive(Debug, Clone, Default)]
pub struct Store {
    snapshot: Snapshot,
    version: u64,
    /// By version.
    changes: Tree<u64, Arc<Change>>,
    /// The same changes by kind, then by version.
    by_kind: Arc<Vec<(Arc<Kind>, Tree<u64, Arc<Change>>)>>,
    /// Changes up to this version are forgotten.
    forgotten: u64,
    /// Where the present commit began: its changes are kept, however many, until the next one.
    sealed: u64,
}

impl Store {
    /// A store that continues from a state at `version`, without its past.
    pub fn at(snapshot: Snapshot, version: u64) -> Store {
        Store { snapshot, version, forgotten: version, sealed: version, ..Store::default() }
    }

    /// The newest version: the resource version of lists.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The newest state.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Writes an object under the next version, which becomes its `resourceVersion`.
    pub fn put(&mut self, mut object: Object) -> Arc<Object> {
        self.version += 1;
        object.set(&["metadata", "resourceVersion"], json!(self.version.to_string()));
        let (key, after) = (object.key(), Arc::new(object));
        let before = self.snapshot.get(&key).cloned();
        self.snapshot.put(after.clone());
        self.note(Change::new(self.version, key, before, Some(after.clone())));
        after
    }

    /// Removes an object under the next version.
    pub fn remove(&mut self, key: &Key) -> Option<Arc<Object>> {
        let before = self.snapshot.remove(key)?;
        self.version += 1;
        self.note(Change::new(self.version, key.clone(), Some(before.clone()), None));
        Some(before)
    }

    /// Takes the next version without changing an object: something beside the objects changed.
    pub fn touch(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// What happened after `version`, oldest first; `None` when that is forgotten.
    pub fn since(&self, version: u64) -> Option<impl Iterator<Item = &Arc<Change>>> {
        (version >= self.forgotten).then(|| after(&self.changes, version))
    }

    /// What happened to objects of a kind after `version`, oldest first; `None` when that is forgotten.
    pub fn since_of(&self, kind: &Kind, version: u64) -> Option<impl Iterator<Item = &Arc<Change>>> {
        let changes = self.by_kind.iter().find(|(there, _)| **there == *kind).map(|(_, changes)| changes);
        (version >= self.forgotten).then(|| changes.into_iter().flat_map(move |changes| after(changes, version)))
    }

    /// The newest version whose changes are forgotten.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn note(&mut self, change: Change) {
        let (version, change) = (change.version, Arc::new(change));
        self.changes.insert(version, change.clone());
        let by_kind = Arc::make_mut(&mut self.by_kind);
        match by_kind.iter_mut().find(|(kind, _)| **kind == change.key.kind) {
            Some((_, changes)) => drop(changes.insert(version, change)),
            None => by_kind.push((Arc::new(change.key.kind.clone()), Tree::from_iter([(version, change)]))),
        }
        while self.changes.len() > EVENT_LIMIT && self.forget_oldest() {}
    }

    /// Ends a commit: those who watch have been told where to find it.
    pub fn seal(&mut self) {
        self.sealed = self.version;
    }

    /// False when there is none that may be forgotten.
    fn forget_oldest(&mut self) -> bool {
        let oldest = self.changes.first().map(|(version, change)| (*version, change.clone()));
        let Some((oldest, change)) = oldest.filter(|(version, _)| *version <= self.sealed) else { return false };
        self.changes.remove(|version| version.cmp(&oldest));
        let mut kinds = Arc::make_mut(&mut self.by_kind).iter_mut();
        if let Some((_, changes)) = kinds.find(|(kind, _)| **kind == change.key.kind) {
            changes.remove(|version| version.cmp(&oldest));
        }
        self.forgotten = oldest;
        true
    }
}

fn after(changes: &Tree<u64, Arc<Change>>, version: u64) -> impl Iterator<Item = &Arc<Change>> {
    changes.starting(move |there| there.cmp(&version.saturating_add(1))).map(|(_, change)| change)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str, value: i64) -> Object {
        Object(
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "a"}, "data": {"v": value}}),
        )
    }

    #[test]
    fn versions_grow_by_one_per_change_and_the_past_is_readable() {
        let mut store = Store::default();
        assert_eq!(store.put(object("x", 1)).str_at(&["metadata", "resourceVersion"]), "1");
        store.put(object("x", 2));
        store.remove(&object("x", 2).key());
        let seen: Vec<(u64, bool)> = store.since(1).expect("kept").map(|c| (c.version, c.after.is_some())).collect();
        assert_eq!(seen, [(2, true), (3, false)]);
        assert!(store.remove(&object("x", 2).key()).is_none());
        assert_eq!(store.version(), 3);
    }

    #[test]
    fn the_past_is_bounded() {
        let mut store = Store::default();
        for i in 0..EVENT_LIMIT as i64 + 5 {
            store.put(object("x", i));
            store.seal();
        }
        assert!(store.since(4).is_none() && store.since_of(&object("x", 0).key().kind, 4).is_none());
        assert_eq!(store.since_of(&object("x", 0).key().kind, 5).expect("kept").count(), EVENT_LIMIT);
        assert_eq!(store.since(5).expect("kept").count(), EVENT_LIMIT);
    }

    #[test]
    fn a_commit_is_kept_whole_until_the_next_one() {
        let mut store = Store::default();
        store.put(object("x", 0));
        store.seal();
        for i in 0..EVENT_LIMIT as i64 + 100 {
            store.put(object("x", i));
        }
        store.seal();
        assert_eq!(store.since(1).expect("kept").count(), EVENT_LIMIT + 100);
        store.put(object("x", 0));
        assert!(store.since(1).is_none());
        assert_eq!(store.changes.len(), EVENT_LIMIT);
    }
}
