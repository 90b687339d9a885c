//! Places within an object, and what can be done there.

use serde_json::Value;
use std::fmt;

/// One step down.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seg {
    Key(String),
    Index(usize),
}

/// A place within an object: `spec.http[0].match[0].port`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Path(pub Vec<Seg>);

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, seg) in self.0.iter().enumerate() {
            match seg {
                Seg::Key(key) if key.contains(['.', '/']) => write!(f, "[{key}]")?,
                Seg::Key(key) if nth == 0 => f.write_str(key)?,
                Seg::Key(key) => write!(f, ".{key}")?,
                Seg::Index(i) => write!(f, "[{i}]")?,
            }
        }
        Ok(())
    }
}

impl Path {
    /// The place of keys: `Path::of(&["spec", "hosts"])`.
    pub fn of(keys: &[&str]) -> Path {
        Path(keys.iter().map(|k| Seg::Key((*k).into())).collect())
    }

    /// The place one key further down.
    pub fn key(&self, key: &str) -> Path {
        self.with(Seg::Key(key.into()))
    }

    /// The place of an element.
    pub fn index(&self, i: usize) -> Path {
        self.with(Seg::Index(i))
    }

    fn with(&self, seg: Seg) -> Path {
        let mut segs = self.0.clone();
        segs.push(seg);
        Path(segs)
    }

    /// The place without its last step.
    pub fn parent(&self) -> Path {
        Path(self.0[..self.0.len().saturating_sub(1)].to_vec())
    }

    /// The place with every index written `[]`: `spec.http[].match[].port`. What the table of fields is asked by.
    pub fn pattern(&self) -> String {
        let mut out = String::new();
        for (nth, seg) in self.0.iter().enumerate() {
            match seg {
                Seg::Key(key) if nth == 0 => out.push_str(key),
                Seg::Key(key) => {
                    out.push('.');
                    out.push_str(key);
                }
                Seg::Index(_) => out.push_str("[]"),
            }
        }
        out
    }

    /// The value there.
    pub fn get<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(root, |here, seg| match seg {
            Seg::Key(key) => here.get(key),
            Seg::Index(i) => here.get(i),
        })
    }

    fn get_mut<'v>(&self, root: &'v mut Value) -> Option<&'v mut Value> {
        self.0.iter().try_fold(root, |here, seg| match seg {
            Seg::Key(key) => here.get_mut(key),
            Seg::Index(i) => here.get_mut(i),
        })
    }

    /// Sets the value there; the parent has to exist and be of the right shape. An index equal to the length appends.
    pub fn set(&self, root: &mut Value, value: Value) -> bool {
        let Some(last) = self.0.last() else { return false };
        match (self.parent().get_mut(root), last) {
            (Some(Value::Object(map)), Seg::Key(key)) => {
                map.insert(key.clone(), value);
                true
            }
            (Some(Value::Array(list)), Seg::Index(i)) if *i < list.len() => {
                list[*i] = value;
                true
            }
            (Some(Value::Array(list)), Seg::Index(i)) if *i == list.len() => {
                list.push(value);
                true
            }
            _ => false,
        }
    }

    /// Inserts an element before the one that is there.
    pub fn insert(&self, root: &mut Value, value: Value) -> bool {
        match (self.parent().get_mut(root), self.0.last()) {
            (Some(Value::Array(list)), Some(Seg::Index(i))) if *i <= list.len() => {
                list.insert(*i, value);
                true
            }
            _ => false,
        }
    }

    /// Takes the value there away.
    pub fn remove(&self, root: &mut Value) -> Option<Value> {
        match (self.parent().get_mut(root)?, self.0.last()?) {
            (Value::Object(map), Seg::Key(key)) => map.remove(key),
            (Value::Array(list), Seg::Index(i)) if *i < list.len() => Some(list.remove(*i)),
            _ => None,
        }
    }
}

/// Every leaf of a value (scalars and empty collections), in order, below `at`.
pub fn leaves(value: &Value, at: &Path) -> Vec<(Path, Value)> {
    match value {
        Value::Object(map) if !map.is_empty() => map.iter().flat_map(|(key, v)| leaves(v, &at.key(key))).collect(),
        Value::Array(list) if !list.is_empty() => list.iter().enumerate().flat_map(|(i, v)| leaves(v, &at.index(i))).collect(),
        leaf => vec![(at.clone(), leaf.clone())],
    }
}

/// Every place of a value, inner ones included, below `at`.
pub fn places(value: &Value, at: &Path) -> Vec<Path> {
    let mut all = vec![at.clone()];
    match value {
        Value::Object(map) => map.iter().for_each(|(key, v)| all.extend(places(v, &at.key(key)))),
        Value::Array(list) => list.iter().enumerate().for_each(|(i, v)| all.extend(places(v, &at.index(i)))),
        _ => (),
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn places_are_set_inserted_and_removed() {
        let mut value = json!({"spec": {"hosts": ["a", "b"], "x": 1}});
        let hosts = Path::of(&["spec", "hosts"]);
        assert_eq!(hosts.index(1).to_string(), "spec.hosts[1]");
        assert_eq!(hosts.index(1).pattern(), "spec.hosts[]");
        assert!(hosts.index(2).set(&mut value, json!("c")));
        assert!(!hosts.index(5).set(&mut value, json!("d")));
        assert!(hosts.index(0).insert(&mut value, json!("z")));
        assert_eq!(hosts.index(1).remove(&mut value), Some(json!("a")));
        assert_eq!(value, json!({"spec": {"hosts": ["z", "b", "c"], "x": 1}}));
        let all: Vec<String> = leaves(&value, &Path::default()).iter().map(|(p, _)| p.to_string()).collect();
        assert_eq!(all, ["spec.hosts[0]", "spec.hosts[1]", "spec.hosts[2]", "spec.x"]);
    }
}
