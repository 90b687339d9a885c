//! An API object and its address.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

/// A kind without its version: `Pod` of group "", `ServiceEntry` of group `networking.istio.io`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind {
    pub group: String,
    pub kind: String,
}

impl Kind {
    /// `Kind::new("networking.istio.io", "ServiceEntry")`.
    pub fn new(group: &str, kind: &str) -> Kind {
        Kind { group: group.into(), kind: kind.into() }
    }
}

impl fmt::Display for Kind {
    /// `Pod`, `ServiceEntry.networking.istio.io`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.group.as_str() {
            "" => f.write_str(&self.kind),
            group => write!(f, "{}.{group}", self.kind),
        }
    }
}

/// Where an object lives. `namespace` is empty for cluster-scoped kinds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub kind: Kind,
    pub namespace: String,
    pub name: String,
}

impl fmt::Display for Key {
    /// `ServiceEntry default/wikipedia-egress`: the form in which causes name objects.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{} {}", self.kind.kind, self.name),
            ns => write!(f, "{} {ns}/{}", self.kind.kind, self.name),
        }
    }
}

/// An API object: a JSON object with `apiVersion`, `kind` and `metadata`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Object(pub Value);

static NULL: Value = Value::Null;

impl Object {
    /// The value at a path of fields, `Null` when any part is missing: `at(&["spec", "hosts"])`.
    pub fn at(&self, path: &[&str]) -> &Value {
        path.iter().fold(&self.0, |v, key| v.get(key).unwrap_or(&NULL))
    }

    /// The string at a path, "" when missing or not a string.
    pub fn str_at(&self, path: &[&str]) -> &str {
        self.at(path).as_str().unwrap_or("")
    }

    /// Sets the value at a path, making objects on the way (replaces what is not an object).
    pub fn set(&mut self, path: &[&str], value: Value) {
        let mut here = &mut self.0;
        for key in path {
            if !here.is_object() {
                *here = Value::Object(Map::new());
            }
            here = here.as_object_mut().expect("made above").entry(*key).or_insert(Value::Null);
        }
        *here = value;
    }

    /// Removes and returns the value at a path.
    pub fn remove(&mut self, path: &[&str]) -> Option<Value> {
        let (last, parents) = path.split_last()?;
        parents.iter().try_fold(&mut self.0, |v, key| v.get_mut(*key))?.as_object_mut()?.remove(*last)
    }

    pub fn api_version(&self) -> &str {
        self.str_at(&["apiVersion"])
    }

    pub fn kind(&self) -> &str {
        self.str_at(&["kind"])
    }

    /// The group part of `apiVersion`, "" for the core group.
    pub fn group(&self) -> &str {
        self.api_version().split_once('/').map_or("", |(group, _)| group)
    }

    pub fn name(&self) -> &str {
        self.str_at(&["metadata", "name"])
    }

    pub fn namespace(&self) -> &str {
        self.str_at(&["metadata", "namespace"])
    }

    pub fn uid(&self) -> &str {
        self.str_at(&["metadata", "uid"])
    }

    /// The object's address.
    pub fn key(&self) -> Key {
        Key { kind: Kind::new(self.group(), self.kind()), namespace: self.namespace().into(), name: self.name().into() }
    }

    /// The labels, sorted by key.
    pub fn labels(&self) -> BTreeMap<&str, &str> {
        strings(self.at(&["metadata", "labels"]))
    }

    pub fn label(&self, key: &str) -> Option<&str> {
        self.at(&["metadata", "labels"]).get(key)?.as_str()
    }

    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.at(&["metadata", "annotations"]).get(key)?.as_str()
    }

    pub fn spec(&self) -> &Value {
        self.at(&["spec"])
    }

    pub fn status(&self) -> &Value {
        self.at(&["status"])
    }

    /// Whether `metadata.deletionTimestamp` is set.
    pub fn is_terminating(&self) -> bool {
        !self.at(&["metadata", "deletionTimestamp"]).is_null()
    }
}

impl From<Value> for Object {
    fn from(value: Value) -> Object {
        Object(value)
    }
}

/// Members of an object's metadata that servers write and nobody else means.
pub const SERVERS_METADATA: [&str; 6] =
    ["managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"];

/// The string members of a JSON object, sorted; empty for anything else.
pub fn strings(value: &Value) -> BTreeMap<&str, &str> {
    let members = value.as_object().into_iter().flatten();
    members.filter_map(|(k, v)| Some((k.as_str(), v.as_str()?))).collect()
}

/// The items of a list, none for anything else.
pub fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text, "" for anything else.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

/// The texts of a list; anything else in it is left out.
pub fn texts(value: &Value) -> Vec<&str> {
    items(value).iter().filter_map(Value::as_str).collect()
}
