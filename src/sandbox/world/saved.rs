//! What a saved world consists of: a snapshot now and then, and a record per committed write between them.

use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::k8s::tree::Tree;
use crate::k8s::{Key, Object};
use crate::sandbox::world::{Config, World};
use crate::sandbox::{Changes, Pace, Parts};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// One committed write with everything that the controllers made of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub revision: u64,
    pub now_ms: i64,
    pub exchanges: u64,
    /// Objects written.
    pub put: Vec<Value>,
    /// Objects removed: group, kind, namespace, name.
    pub removed: Vec<(String, String, String, String)>,
    /// The node's own state after the write.
    pub node: Value,
}

/// Group, kind, namespace, name, times.
type Row = (String, String, String, String, u32);

/// A whole world.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    pub seed: u64,
    pub revision: u64,
    pub now_ms: i64,
    pub exchanges: u64,
    pub objects: Vec<Value>,
    /// How often each key was created.
    pub created: Vec<Row>,
    pub node: Value,
}

impl World {
    /// Begins to note records; [`World::take_records`] gives them.
    pub fn keep_records(&mut self) {
        self.records.get_or_insert_default();
    }

    /// What was committed since the last call, oldest first. To be on disk before the write is answered.
    pub fn take_records(&mut self) -> Vec<Record> {
        self.records.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The whole world.
    pub fn save(&self) -> Saved {
        Saved {
            seed: self.seed.0,
            revision: self.revision(),
            now_ms: self.now.0,
            exchanges: self.exchanges,
            objects: self.snapshot().all().map(|object| object.0.clone()).collect(),
            created: rows(&self.created),
            node: self.node.save(),
        }
    }

    /// A world from its last snapshot and the records after it. The clock of the world stood still meanwhile; `start` is where a wall
    /// world goes on.
    pub fn restore(saved: Saved, records: Vec<Record>, pace: Pace, start: Time, parts: Parts) -> World {
        let config = Config { seed: Seed(saved.seed), pace, start };
        let mut world = World::empty(config, parts);
        let (mut revision, mut node, mut now) = (saved.revision, saved.node, saved.now_ms);
        let mut snapshot: crate::k8s::Snapshot = saved.objects.into_iter().map(Object).collect();
        world.exchanges = saved.exchanges;
        world.created = counts(saved.created);
        for record in records.into_iter().filter(|record| record.revision > saved.revision) {
            record.removed.into_iter().for_each(|(group, kind, ns, name)| drop(snapshot.remove(&key(&group, &kind, ns, name))));
            for value in record.put {
                let object = Object(value);
                if snapshot.get(&object.key()).is_none() {
                    world.count_created(object.key());
                }
                snapshot.put(Arc::new(object));
            }
            (revision, node, now, world.exchanges) = (record.revision, record.node, record.now_ms, record.exchanges);
        }
        world.now = start.max(Time(now));
        world.store = crate::sandbox::store::Store::at(snapshot, revision);
        world.node.restore(&node, Time(now), world.now);
        world.dataplane.update(&Changes { snapshot: world.view.snapshot(), changed: &[] });
        world.signatures.ask(super::Occasion::Begun, Some(super::Hand::Lab));
        world.settle();
        world.seal();
        world
    }

    /// Brings the state of a saved world in as new revisions; the newest revision. The clock goes on.
    pub fn adopt_saved(&mut self, saved: Saved) -> u64 {
        let snapshot: crate::k8s::Snapshot = saved.objects.into_iter().map(Object).collect();
        let mut node = crate::sandbox::node::Node::new(self.seed, self.pace);
        node.restore(&saved.node, Time(saved.now_ms), self.now);
        self.created = counts(saved.created);
        self.take_over(&snapshot, node);
        self.revision()
    }

    /// Notes what a seal commits.
    pub(super) fn note_record(&mut self, changed: &[Key]) {
        if self.records.is_none() {
            return;
        }
        let (mut put, mut removed) = (Vec::new(), Vec::new());
        for key in changed {
            match self.store.snapshot().get(key) {
                Some(object) => put.push(object.0.clone()),
                None => removed.push(parts(key)),
            }
        }
        let record = Record {
            revision: self.revision(),
            now_ms: self.now.0,
            exchanges: self.exchanges,
            put,
            removed,
            node: self.node.save(),
        };
        self.records.get_or_insert_default().push(record);
    }
}

/// How often keys were created, as it is saved.
pub(super) fn rows(created: &Tree<Arc<Key>, u32>) -> Vec<Row> {
    let row = |(key, n): (&Arc<Key>, &u32)| {
        let (group, kind, namespace, name) = parts(key);
        (group, kind, namespace, name, *n)
    };
    created.iter().map(row).collect()
}

/// The same, read again.
pub(super) fn counts(rows: Vec<Row>) -> Tree<Arc<Key>, u32> {
    rows.into_iter().map(|(group, kind, namespace, name, n)| (Arc::new(key(&group, &kind, namespace, name)), n)).collect()
}

fn parts(key: &Key) -> (String, String, String, String) {
    (key.kind.group.clone(), key.kind.kind.clone(), key.namespace.clone(), key.name.clone())
}

fn key(group: &str, kind: &str, namespace: String, name: String) -> Key {
    Key { kind: crate::k8s::Kind::new(group, kind), namespace, name }
}
