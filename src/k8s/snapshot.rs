//! A set of objects at one moment: what the mesh compiles, what controllers look at. Cheap to clone.

use super::{Key, Kind, Object};
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// Objects by kind, then by (namespace, name). Look-ups copy no text: controllers make thousands for each write.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Sorted by kind.
    kinds: Vec<(Kind, Arc<BTreeMap<Place, Arc<Object>>>)>,
}

/// Namespace and name of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    namespace: String,
    name: String,
}

/// Namespace and name, owned or borrowed: what a look-up compares.
trait Placed {
    fn parts(&self) -> (&str, &str);
}

impl Placed for Place {
    fn parts(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }
}

impl Placed for (&str, &str) {
    fn parts(&self) -> (&str, &str) {
        *self
    }
}

impl<'a> Borrow<dyn Placed + 'a> for Place {
    fn borrow(&self) -> &(dyn Placed + 'a) {
        self
    }
}

impl PartialEq for dyn Placed + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for dyn Placed + '_ {}

impl PartialOrd for dyn Placed + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for dyn Placed + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl Snapshot {
    /// Adds or replaces an object at its own key.
    pub fn put(&mut self, object: Arc<Object>) {
        let key = object.key();
        let at = match self.at(&key.kind.group, &key.kind.kind) {
            Ok(at) => at,
            Err(at) => {
                self.kinds.insert(at, (key.kind, Arc::default()));
                at
            }
        };
        Arc::make_mut(&mut self.kinds[at].1).insert(Place { namespace: key.namespace, name: key.name }, object);
    }

    /// Removes an object and gives it back.
    pub fn remove(&mut self, key: &Key) -> Option<Arc<Object>> {
        let at = self.at(&key.kind.group, &key.kind.kind).ok()?;
        let place: &dyn Placed = &(key.namespace.as_str(), key.name.as_str());
        Arc::make_mut(&mut self.kinds[at].1).remove(place)
    }

    /// One object.
    pub fn get(&self, key: &Key) -> Option<&Arc<Object>> {
        self.find(&key.kind.group, &key.kind.kind, &key.namespace, &key.name)
    }

    /// One object by the parts of its key.
    pub fn find(&self, group: &str, kind: &str, namespace: &str, name: &str) -> Option<&Arc<Object>> {
        let place: &dyn Placed = &(namespace, name);
        self.of(group, kind)?.get(place)
    }

    /// All objects of a kind, by namespace then name.
    pub fn list(&self, group: &str, kind: &str) -> impl Iterator<Item = &Arc<Object>> {
        self.of(group, kind).into_iter().flat_map(|objects| objects.values())
    }

    /// All objects of a kind in one namespace, by name.
    pub fn list_in<'a>(&'a self, group: &str, kind: &str, namespace: &'a str) -> impl Iterator<Item = &'a Arc<Object>> {
        self.of(group, kind).into_iter().flat_map(move |objects| {
            let first: &dyn Placed = &(namespace, "");
            objects
                .range::<dyn Placed, _>((Bound::Included(first), Bound::Unbounded))
                .take_while(move |(place, _)| place.namespace == namespace)
                .map(|(_, object)| object)
        })
    }

    /// Every object, by kind.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.kinds.iter().flat_map(|(_, objects)| objects.values())
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.kinds.iter().map(|(_, objects)| objects.len()).sum()
    }

    /// Whether there is no object at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn of(&self, group: &str, kind: &str) -> Option<&BTreeMap<Place, Arc<Object>>> {
        self.at(group, kind).ok().map(|at| &*self.kinds[at].1)
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
        assert!(all.remove(&object("Pod", "a", "z").key()).is_some() && all.remove(&object("Pod", "a", "z").key()).is_none());
        assert_eq!((all.len(), before.len()), (3, 4));
    }
}
