//! A set of objects at one moment: what the mesh compiles, what controllers look at. Cheap to clone.

use super::tree::Tree;
use super::{Key, Kind, Object};
use std::cmp::Ordering;
use std::sync::Arc;

/// Objects by kind, then by (namespace, name). Copies share everything until one is written; look-ups copy no text: controllers
/// make thousands for each write.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Sorted by kind.
    kinds: Arc<Vec<(Arc<Kind>, Objects)>>,
    /// Those with owners: few, and asked for after every write.
    owned: Tree<Arc<Key>, Arc<Object>>,
    /// Those that are being deleted.
    terminating: Tree<Arc<Key>, Arc<Object>>,
}

type Objects = Tree<Arc<Place>, Arc<Object>>;

/// The objects of a kind at one moment, to see whether any has been written since.
#[derive(Debug, Clone, Default)]
pub struct Mark(Objects);

/// Namespace and name of an object.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    namespace: String,
    name: String,
}

impl Place {
    fn against(&self, namespace: &str, name: &str) -> Ordering {
        (self.namespace.as_str(), self.name.as_str()).cmp(&(namespace, name))
    }
}

impl Snapshot {
    /// Adds or replaces an object at its own key.
    pub fn put(&mut self, object: Arc<Object>) {
        let key = object.key();
        self.note(&key, &object);
        let found = self.at(&key.kind.group, &key.kind.kind);
        let kinds = Arc::make_mut(&mut self.kinds);
        let at = match found {
            Ok(at) => at,
            Err(at) => {
                kinds.insert(at, (Arc::new(key.kind), Tree::default()));
                at
            }
        };
        kinds[at].1.insert(Arc::new(Place { namespace: key.namespace, name: key.name }), object);
    }

    /// Removes an object and gives it back.
    pub fn remove(&mut self, key: &Key) -> Option<Arc<Object>> {
        let at = self.at(&key.kind.group, &key.kind.kind).ok()?;
        let gone = Arc::make_mut(&mut self.kinds)[at].1.remove(|place| place.against(&key.namespace, &key.name));
        self.owned.remove(|there| (**there).cmp(key));
        self.terminating.remove(|there| (**there).cmp(key));
        gone
    }

    /// Keeps the lists of special objects.
    fn note(&mut self, key: &Key, object: &Arc<Object>) {
        let has_owners = object.at(&["metadata", "ownerReferences"]).as_array().is_some_and(|owners| !owners.is_empty());
        for (list, special) in [(&mut self.owned, has_owners), (&mut self.terminating, object.is_terminating())] {
            match special {
                true => drop(list.insert(Arc::new(key.clone()), object.clone())),
                false => drop(list.remove(|there| (**there).cmp(key))),
            }
        }
    }

    /// The objects with owners.
    pub fn owned(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.owned.iter().map(|(_, object)| object)
    }

    /// The objects that are being deleted.
    pub fn terminating(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.terminating.iter().map(|(_, object)| object)
    }

    /// Every object in a namespace, by kind.
    pub fn all_in<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a Arc<Object>> {
        let kinds = self.kinds.iter();
        kinds.flat_map(move |(kind, _)| self.list_in(&kind.group, &kind.kind, namespace))
    }

    /// One object.
    pub fn get(&self, key: &Key) -> Option<&Arc<Object>> {
        self.find(&key.kind.group, &key.kind.kind, &key.namespace, &key.name)
    }

    /// One object by the parts of its key.
    pub fn find(&self, group: &str, kind: &str, namespace: &str, name: &str) -> Option<&Arc<Object>> {
        self.of(group, kind)?.find(|place| place.against(namespace, name))
    }

    /// All objects of a kind, by namespace then name.
    pub fn list(&self, group: &str, kind: &str) -> impl Iterator<Item = &Arc<Object>> {
        self.of(group, kind).into_iter().flat_map(|objects| objects.iter().map(|(_, object)| object))
    }

    /// All objects of a kind in one namespace, by name.
    pub fn list_in<'a>(&'a self, group: &str, kind: &str, namespace: &'a str) -> impl Iterator<Item = &'a Arc<Object>> {
        self.list_from(group, kind, namespace, "").take_while(move |(there, _)| *there == namespace).map(|(_, object)| object)
    }

    /// All objects of a kind from a place on, each with its namespace.
    pub fn list_from(&self, group: &str, kind: &str, namespace: &str, name: &str) -> impl Iterator<Item = (&str, &Arc<Object>)> {
        let objects = self.of(group, kind).into_iter();
        objects
            .flat_map(move |objects| objects.starting(|place| place.against(namespace, name)))
            .map(|(place, object)| (place.namespace.as_str(), object))
    }

    /// Every object of the kinds that fit.
    pub fn all_of(&self, fits: impl Fn(&Kind) -> bool) -> impl Iterator<Item = &Arc<Object>> {
        let kinds = self.kinds.iter().filter(move |(kind, _)| fits(kind));
        kinds.flat_map(|(_, objects)| objects.iter().map(|(_, object)| object))
    }

    /// How many objects of a kind there are.
    pub fn count(&self, group: &str, kind: &str) -> usize {
        self.of(group, kind).map_or(0, Tree::len)
    }

    /// The objects of a kind as they are now.
    pub fn mark(&self, group: &str, kind: &str) -> Mark {
        Mark(self.of(group, kind).cloned().unwrap_or_default())
    }

    /// Whether no object of the kind was written since the mark. May say no where nothing changed.
    pub fn is_at(&self, mark: &Mark, group: &str, kind: &str) -> bool {
        self.of(group, kind).is_some_and(|objects| objects.is_copy_of(&mark.0))
    }

    /// Every object, by kind.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.kinds.iter().flat_map(|(_, objects)| objects.iter().map(|(_, object)| object))
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.kinds.iter().map(|(_, objects)| objects.len()).sum()
    }

    /// Whether there is no object at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn of(&self, group: &str, kind: &str) -> Option<&Objects> {
        self.at(group, kind).ok().map(|at| &self.kinds[at].1)
    }

    /// Where a kind is, or where it would be.
    fn at(&self, group: &str, kind: &str) -> Result<usize, usize> {
        self.kinds.binary_search_by(|(there, _)| (there.group.as_str(), there.kind.as_str()).cmp(&(group, kind)))
    }
}

impl FromIterator<Object> for Snapshot {
    fn from_iter<T: IntoIterator<Item = Object>>(objects: T) -> Snapshot {
        let mut snapshot = Snapshot::default();
        objects.into_iter().for_each(|object| snapshot.put(Arc::new(object)));
        snapshot
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(kind: &str, namespace: &str, name: &str) -> Object {
        Object(json!({"apiVersion": "v1", "kind": kind, "metadata": {"namespace": namespace, "name": name}}))
    }

    #[test]
    fn objects_are_found_by_kind_namespace_and_name() {
        let mut all: Snapshot = [("Pod", "b", "x"), ("Pod", "a", "z"), ("Pod", "a", "b"), ("Service", "a", "b")]
            .map(|(k, ns, n)| object(k, ns, n))
            .into_iter()
            .collect();
        let names =
            |snapshot: &Snapshot, ns: &str| snapshot.list_in("", "Pod", ns).map(|o| o.name().to_string()).collect::<Vec<_>>();
        assert_eq!(names(&all, "a"), ["b", "z"]);
        assert_eq!(names(&all, ""), Vec::<String>::new());
        assert_eq!(all.list("", "Pod").count(), 3);
        assert!(all.find("", "Service", "a", "b").is_some() && all.find("", "Service", "b", "x").is_none());
        let before = all.clone();
        assert_eq!(all.all_in("a").map(|o| o.name()).collect::<Vec<_>>(), ["b", "z", "b"]);
        assert!(all.remove(&object("Pod", "a", "z").key()).is_some() && all.remove(&object("Pod", "a", "z").key()).is_none());
        assert_eq!((all.len(), before.len()), (3, 4));
    }

    #[test]
    fn owned_and_terminating_objects_are_listed_while_they_are_that() {
        let mut all = Snapshot::default();
        let plain = object("Pod", "a", "x");
        let (mut owned, mut going) = (plain.clone(), plain.clone());
        owned.set(&["metadata", "ownerReferences"], json!([{"uid": "1"}]));
        going.set(&["metadata", "deletionTimestamp"], json!("2026-01-01T00:00:00Z"));
        let seen = |all: &Snapshot| (all.owned().count(), all.terminating().count());
        for (object, counts) in [(&owned, (1, 0)), (&going, (0, 1)), (&plain, (0, 0)), (&owned, (1, 0))] {
            all.put(Arc::new(object.clone()));
            assert_eq!(seen(&all), counts);
        }
        all.remove(&plain.key());
        assert_eq!(seen(&all), (0, 0));
    }
}
