//! One edit of one object.

use super::path::Path;
use crate::base::yaml;
use crate::k8s::{Key, Object, Snapshot};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// What is done at a place.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Another value in place of the one that is there.
    Set {
        from: Value,
        to: Value,
    },
    /// A field or element that was not there.
    Add(Value),
    /// An element before the one that is there.
    Insert(Value),
    Remove(Value),
    /// The element comes first in its list.
    ToFront,
    /// The whole object is deleted.
    Delete,
}

/// An edit: an object, a place in it, a change.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    pub object: Key,
    pub path: Path,
    pub change: Change,
    /// The object's place holds YAML text (`data.mesh`); `path` is within that text.
    pub within: Option<Path>,
}

impl Edit {
    /// An edit of a field.
    pub fn new(object: &Key, path: Path, change: Change) -> Edit {
        Edit { object: object.clone(), path, change, within: None }
    }

    /// The field as causes name it: `spec.ports[0].protocol`, `data.mesh outboundTrafficPolicy.mode`.
    pub fn field(&self) -> String {
        match &self.within {
            Some(text) => format!("{text} {}", self.path),
            None => self.path.to_string(),
        }
    }

    /// What the field is to be, as a sentence begins: `set to HTTP (now TCP)`.
    pub fn words(&self) -> String {
        let short = |value: &Value| match value {
            Value::String(s) => s.clone(),
            other => other.to_string(),
        };
        match &self.change {
            Change::Set { from, to } => format!("set it to {} (now {})", short(to), short(from)),
            Change::Add(value) | Change::Insert(value) => format!("add {}", short(value)),
            Change::Remove(value) => format!("take {} away", short(value)),
            Change::ToFront => "put this entry first".into(),
            Change::Delete => "delete the object".into(),
        }
    }

    /// The objects with this edit; `None` when it does not fit them.
    pub fn apply(&self, snapshot: &Snapshot) -> Option<Snapshot> {
        let mut after = snapshot.clone();
        let object = after.get(&self.object)?.clone();
        if self.change == Change::Delete {
            after.remove(&self.object)?;
            return Some(after);
        }
        let edited = self.edited(&object)?;
        if edited.key() != self.object {
            // A rename or move must not run over another object.
            if after.get(&edited.key()).is_some() {
                return None;
            }
            after.remove(&self.object);
        }
        after.put(Arc::new(edited));
        Some(after)
    }

    /// The object after the edit.
    pub fn edited(&self, object: &Object) -> Option<Object> {
        let mut value = object.0.clone();
        let done = match &self.within {
            None => self.change_value(&mut value),
            Some(place) => {
                let text = place.get(&value)?.as_str()?;
                let mut inner =
                    yaml::parse(text).ok().filter(Value::is_object).unwrap_or_else(|| Value::Object(Default::default()));
                let done = self.change_value(&mut inner);
                done && place.set(&mut value, Value::String(yaml::write(&inner)))
            }
        };
        done.then_some(Object(value))
    }

    fn change_value(&self, value: &mut Value) -> bool {
        match &self.change {
            Change::Set { to, .. } => self.path.get(value).is_some() && self.path.set(value, to.clone()),
            Change::Add(new) => self.path.get(value).is_none() && self.path.set(value, new.clone()),
            Change::Insert(new) => self.path.insert(value, new.clone()),
            Change::Remove(_) => self.path.remove(value).is_some(),
            Change::ToFront => match self.path.remove(value) {
                Some(element) => self.path.parent().index(0).insert(value, element),
                None => false,
            },
            Change::Delete => false,
        }
    }

    /// Where an edit moves its object to, when it renames it or changes its namespace.
    pub fn moved_to(&self) -> Option<Key> {
        let Change::Set { to: Value::String(to), .. } = &self.change else { return None };
        match self.path.to_string().as_str() {
            "metadata.name" => Some(Key { name: to.clone(), ..self.object.clone() }),
            "metadata.namespace" => Some(Key { namespace: to.clone(), ..self.object.clone() }),
            _ => None,
        }
    }
}

impl fmt::Display for Edit {
    /// `ServiceEntry default/wiki spec.ports[0].protocol: set it to HTTP (now TCP)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.change {
            Change::Delete => write!(f, "{}: {}", self.object, self.words()),
            _ => write!(f, "{} {}: {}", self.object, self.field(), self.words()),
        }
    }
}
