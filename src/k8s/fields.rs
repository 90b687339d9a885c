//! Sets of fields as server-side apply keeps them (`metadata.managedFields[].fieldsV1`).
//!
//! A set is held in its JSON form, so that reading and writing it costs nothing: `f:NAME` a field, `k:{...}` an element of a keyed
//! list, `v:VALUE` an element of a set, `i:N` one at an index. An empty object is a member; `.` makes a node with children a member
//! too. The rules are those of structured-merge-diff's `fieldpath`.

use serde_json::{Map, Value};

/// How deep sets are followed; deeper ones are refused when read.
pub const DEPTH_LIMIT: usize = 128;

/// A set of fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Set(Map<String, Value>);

/// A place in a set under construction: whether it is a member, and what is below it.
#[derive(Debug, Default)]
pub struct Node {
    pub member: bool,
    pub below: Map<String, Value>,
}

impl Node {
    /// A member without anything below it.
    pub fn leaf() -> Node {
        Node { member: true, below: Map::new() }
    }

    /// Puts a finished node below this one, unless it is empty.
    pub fn put(&mut self, element: String, node: Node) {
        if let Some(value) = node.close() {
            self.below.insert(element, value);
        }
    }

    fn close(mut self) -> Option<Value> {
        match (self.member, self.below.is_empty()) {
            (false, true) => return None,
            (true, false) => drop(self.below.insert(".".into(), Value::Object(Map::new()))),
            _ => (),
        }
        Some(Value::Object(self.below))
    }
}

fn is_member(node: &Map<String, Value>) -> bool {
    node.is_empty() || node.contains_key(".")
}

fn children(node: &Map<String, Value>) -> impl Iterator<Item = (&String, &Map<String, Value>)> {
    node.iter().filter(|(name, _)| *name != ".").filter_map(|(name, node)| Some((name, node.as_object()?)))
}

impl From<Node> for Set {
    /// The set of what is below a root.
    fn from(root: Node) -> Set {
        Set(root.below)
    }
}

impl Set {
    /// Reads `fieldsV1`.
    ///
    /// # Errors
    /// What is no set: another JSON type, an unknown kind of element, too deep a nesting.
    pub fn read(value: &Value) -> Result<Set, String> {
        let Value::Object(map) = value else { return Err("a set of fields is an object".into()) };
        Ok(Set(read_children(map, 0)?))
    }

    /// The set as `fieldsV1`.
    pub fn value(&self) -> Value {
        Value::Object(self.0.clone())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The JSON form: elements at the top and what is below them.
    pub fn top(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Makes the element at a path a member.
    pub fn insert(&mut self, path: &[&str]) {
        let mut single = Value::Object(Map::new());
        for element in path.iter().rev() {
            single = Value::Object(Map::from_iter([(element.to_string(), single)]));
        }
        if let (Value::Object(map), false) = (single, path.is_empty()) {
            self.union(&Set(map));
        }
    }

    /// Removes the element at a path, not what is below it.
    pub fn remove(&mut self, path: &[&str]) {
        let mut single = Set::default();
        single.insert(path);
        *self = self.difference(&single);
    }

    /// Removes an element at the top with everything below it.
    pub fn remove_tree(&mut self, element: &str) {
        self.0.remove(element);
    }

    /// Keeps only some elements at the top.
    pub fn keep_trees(&mut self, kept: &[&str]) {
        self.0.retain(|name, _| kept.contains(&name.as_str()));
    }

    /// Adds another set's members.
    pub fn union(&mut self, other: &Set) {
        unite(&mut self.0, &other.0);
    }

    /// The members that another set lacks.
    pub fn difference(&self, other: &Set) -> Set {
        Set(subtract(&self.0, &other.0).below)
    }

    /// The members that another set has too.
    pub fn intersection(&self, other: &Set) -> Set {
        Set(common(&self.0, &other.0).below)
    }

    /// The paths of all members, as messages write them: `.spec.ports[port=80,protocol="TCP"].name`.
    pub fn paths(&self) -> Vec<String> {
        let mut found = Vec::new();
        list_paths(&self.0, "", &mut found);
        found
    }
}

/// A node's place in a set that is looked at from the top: `None` where the set has nothing.
pub fn below<'a>(node: &'a Map<String, Value>, element: &str) -> Option<&'a Map<String, Value>> {
    node.get(element)?.as_object()
}

/// Whether a node itself is a member of its set.
pub fn has(node: Option<&Map<String, Value>>) -> bool {
    node.is_some_and(is_member)
}

/// Whether a node has anything below it.
pub fn has_children(node: &Map<String, Value>) -> bool {
    node.keys().any(|name| name != ".")
}

fn unite(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (name, theirs) in children(from) {
        match into.get_mut(name).and_then(Value::as_object_mut) {
            Some(ours) => {
                let member = is_member(ours) || is_member(theirs);
                unite(ours, theirs);
                if member && has_children(ours) {
                    ours.insert(".".into(), Value::Object(Map::new()));
                }
            }
            None => drop(into.insert(name.clone(), Value::Object(theirs.clone()))),
        }
    }
}

fn subtract(from: &Map<String, Value>, what: &Map<String, Value>) -> Node {
    let mut node = Node { member: is_member(from) && !is_member(what), below: Map::new() };
    for (name, ours) in children(from) {
        match below(what, name) {
            Some(theirs) => node.put(name.clone(), subtract(ours, theirs)),
            None => drop(node.below.insert(name.clone(), Value::Object(ours.clone()))),
        }
    }
    node
}

fn common(a: &Map<String, Value>, b: &Map<String, Value>) -> Node {
    let mut node = Node { member: is_member(a) && is_member(b), below: Map::new() };
    for (name, ours) in children(a) {
        if let Some(theirs) = below(b, name) {
            node.put(name.clone(), common(ours, theirs));
        }
    }
    node
}

fn list_paths(node: &Map<String, Value>, path: &str, found: &mut Vec<String>) {
    for (name, inner) in children(node) {
        let here = format!("{path}{}", shown(name));
        if is_member(inner) {
            found.push(here.clone());
        }
        list_paths(inner, &here, found);
    }
}

/// An element as messages write it.
pub fn shown(element: &str) -> String {
    let (kind, rest) = element.split_once(':').unwrap_or(("f", element));
    match kind {
        "f" => format!(".{rest}"),
        "k" => {
            let keys: Map<String, Value> = serde_json::from_str(rest).unwrap_or_default();
            let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("[{}]", keys.join(","))
        }
        "v" => format!("[={rest}]"),
        _ => format!("[{rest}]"),
    }
}

fn read_children(map: &Map<String, Value>, depth: usize) -> Result<Map<String, Value>, String> {
    if depth >= DEPTH_LIMIT {
        return Err("a set of fields nests too deeply".into());
    }
    let mut read = Map::new();
    for (name, node) in map {
        let Value::Object(node) = node else { return Err(format!("the field {name} of a set is no object")) };
        // A root cannot be a member of its own set.
        if name == "." && depth == 0 {
            continue;
        }
        read.insert(read_element(name)?, Value::Object(if name == "." { Map::new() } else { read_children(node, depth + 1)? }));
    }
    if read.len() == 1 && read.contains_key(".") {
        read.clear();
    }
    Ok(read)
}

/// An element in its one canonical spelling.
fn read_element(name: &str) -> Result<String, String> {
    let bad = || format!("{name:?} names no element of a set of fields");
    match name.split_once(':') {
        None if name == "." => Ok(name.to_string()),
        Some(("f", _)) => Ok(name.to_string()),
        Some(("k", keys)) => {
            let keys: Map<String, Value> = serde_json::from_str(keys).map_err(|_| bad())?;
            Ok(format!("k:{}", Value::Object(keys)))
        }
        Some(("v", value)) => Ok(format!("v:{}", serde_json::from_str::<Value>(value).map_err(|_| bad())?)),
        Some(("i", index)) => index.parse::<u32>().map(|i| format!("i:{i}")).map_err(|_| bad()),
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(value: Value) -> Set {
        Set::read(&value).expect("a set")
    }

    #[test]
    fn members_with_children_are_told_from_mere_ways_to_children() {
        let a = set(json!({"f:data": {".": {}, "f:a": {}, "f:b": {}}, "f:spec": {"f:x": {}}}));
        let b = set(json!({"f:data": {"f:a": {}}, "f:spec": {}}));
        assert_eq!(a.difference(&b).value(), json!({"f:data": {".": {}, "f:b": {}}, "f:spec": {"f:x": {}}}));
        assert_eq!(b.difference(&a).value(), json!({"f:spec": {}}));
        assert_eq!(a.intersection(&b).value(), json!({"f:data": {"f:a": {}}}));
        let mut both = a.clone();
        both.union(&b);
        assert_eq!(both.value(), json!({"f:data": {".": {}, "f:a": {}, "f:b": {}}, "f:spec": {".": {}, "f:x": {}}}));
        // What is left of a map whose only member moved is the map.
        let map = set(json!({"f:data": {".": {}, "f:a": {}}}));
        assert_eq!(map.difference(&b).value(), json!({"f:data": {}}));
    }

    #[test]
    fn paths_read_as_in_conflicts() {
        let set = set(json!({"f:spec": {"f:ports": {"k:{\"protocol\":\"TCP\",\"port\":80}": {".": {}, "f:name": {}}},
                                        "f:sets": {"v:\"a\"": {}, "v:1": {}}, "f:list": {"i:3": {}}}}));
        assert_eq!(
            set.paths(),
            [
                ".spec.list[3]",
                ".spec.ports[port=80,protocol=\"TCP\"]",
                ".spec.ports[port=80,protocol=\"TCP\"].name",
                ".spec.sets[=\"a\"]",
                ".spec.sets[=1]"
            ]
        );
    }

    #[test]
    fn what_is_no_set_is_refused() {
        let mut deep = json!({});
        for _ in 0..200 {
            deep = json!({"f:x": deep});
        }
        for value in [json!([]), json!({"x": {}}), json!({"f:a": 1}), json!({"k:{": {}}), json!({"i:x": {}}), deep] {
            assert!(Set::read(&value).is_err(), "{value}");
        }
        assert!(set(json!({".": {}})).is_empty());
    }
}
