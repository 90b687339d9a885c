//! A set of objects at one moment: what the mesh compiles, what controllers look at. Cheap to clone.

use super::{Key, Kind, Object};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Objects by kind, then by (namespace, name).
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    kinds: BTreeMap<Kind, Arc<BTreeMap<(String, String), Arc<Object>>>>,
}

impl Snapshot {
    /// Adds or replaces an object at its own key.
    pub fn put(&mut self, object: Arc<Object>) {
        let key = object.key();
        let objects = self.kinds.entry(key.kind).or_default();
        Arc::make_mut(objects).insert((key.namespace, key.name), object);
    }

    /// Removes an object and gives it back.
    pub fn remove(&mut self, key: &Key) -> Option<Arc<Object>> {
        let objects = self.kinds.get_mut(&key.kind)?;
        Arc::make_mut(objects).remove(&(key.namespace.clone(), key.name.clone()))
    }

    /// One object.
    pub fn get(&self, key: &Key) -> Option<&Arc<Object>> {
        self.find(&key.kind.group, &key.kind.kind, &key.namespace, &key.name)
    }

    /// One object by the parts of its key.
    pub fn find(&self, group: &str, kind: &str, namespace: &str, name: &str) -> Option<&Arc<Object>> {
        self.kinds.get(&Kind::new(group, kind))?.get(&(namespace.to_string(), name.to_string()))
    }

    /// All objects of a kind, by namespace then name.
    pub fn list(&self, group: &str, kind: &str) -> impl Iterator<Item = &Arc<Object>> {
        self.kinds.get(&Kind::new(group, kind)).into_iter().flat_map(|objects| objects.values())
    }

    /// All objects of a kind in one namespace, by name.
    pub fn list_in<'a>(&'a self, group: &str, kind: &str, namespace: &'a str) -> impl Iterator<Item = &'a Arc<Object>> {
        self.kinds.get(&Kind::new(group, kind)).into_iter().flat_map(move |objects| {
            objects
                .range((namespace.to_string(), String::new())..)
                .take_while(move |((ns, _), _)| ns == namespace)
                .map(|(_, object)| object)
        })
    }

    /// Every object, by kind.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.kinds.values().flat_map(|objects| objects.values())
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.kinds.values().map(|objects| objects.len()).sum()
    }

    /// Whether there is no object at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl FromIterator<Object> for Snapshot {
    fn from_iter<T: IntoIterator<Item = Object>>(objects: T) -> Snapshot {
        let mut snapshot = Snapshot::default();
        objects.into_iter().for_each(|object| snapshot.put(Arc::new(object)));
        snapshot
    }
}
