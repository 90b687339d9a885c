//! The fields of a value, and what changed between two.

use crate::k8s::fields::{Node, Set};
use crate::k8s::object::items;
use crate::k8s::typed::{Elements, Form, Type, element};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What changed between two values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Comparison {
    pub added: Set,
    pub removed: Set,
    pub modified: Set,
}

/// The fields of an applied value: what its applier owns.
pub fn field_set(value: &Value, of: Type<'_>) -> Set {
    Set::from(tree(value, of, false))
}

/// What changed from `old` to `new`.
pub fn compare(old: &Value, new: &Value, of: Type<'_>) -> Comparison {
    let mut walk = Walk::default();
    walk.both(old, new, of);
    Comparison { added: walk.added.into(), removed: walk.removed.into(), modified: walk.modified.into() }
}

/// The fields of a value. `whole`: also the objects and lists that hold them, as when all of it is new.
fn tree(value: &Value, of: Type<'_>, whole: bool) -> Node {
    match (of.form(value), value) {
        (Form::Map { atomic: false }, Value::Object(map)) if !map.is_empty() => {
            let mut node = Node { member: whole, below: Map::new() };
            for (name, value) in map {
                let member = of.member(name);
                let mut inner = tree(value, member.map_or(Type::Free, |m| m.of), whole);
                let empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
                inner.member |= empty || !member.is_some_and(|m| m.named);
                node.put(format!("f:{name}"), inner);
            }
            node
        }
        (Form::List { item, elements }, Value::Array(list)) if elements != Elements::Together && !list.is_empty() => {
            let mut node = Node { member: whole, below: Map::new() };
            for (key, items) in grouped(list, item, &elements) {
                // Elements that occur twice have no fields of their own.
                let mut inner = if let [only] = items.as_slice() { tree(only, item, whole) } else { Node::default() };
                inner.member = true;
                node.put(key, inner);
            }
            node
        }
        // What is empty has no fields of its own to own, unless it is new.
        (Form::Map { atomic: false }, _) => Node { member: whole, below: Map::new() },
        (Form::List { elements, .. }, Value::Array(_) | Value::Null) if elements != Elements::Together => {
            Node { member: whole, below: Map::new() }
        }
        _ => Node::leaf(),
    }
}

/// A list's elements by their identity; those without one are left out.
fn grouped<'a>(list: &'a [Value], item: Type<'_>, elements: &Elements<'_>) -> BTreeMap<String, Vec<&'a Value>> {
    let mut groups: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for value in list {
        if let Ok(key) = element(item, elements, value) {
            groups.entry(key).or_default().push(value);
        }
    }
    groups
}

#[derive(Debug, Default)]
struct Walk {
    added: Node,
    removed: Node,
    modified: Node,
}

impl Walk {
    fn both(&mut self, old: &Value, new: &Value, of: Type<'_>) {
        if old == new {
            return;
        }
        let empty = |value: &Value| match value {
            Value::Null => true,
            Value::Object(map) => map.is_empty(),
            Value::Array(list) => list.is_empty(),
            _ => false,
        };
        match (of.form(if new.is_null() { old } else { new }), old, new) {
            (Form::Map { atomic: true } | Form::Leaf | Form::Scalar(_), ..) => self.modified.member = true,
            (_, old, new) if empty(old) && empty(new) => self.modified.member = true,
            (Form::Map { .. }, Value::Object(_) | Value::Null, Value::Object(_) | Value::Null) => {
                let nothing = Map::new();
                self.maps(old.as_object().unwrap_or(&nothing), new.as_object().unwrap_or(&nothing), of);
            }
            (Form::List { item, elements }, Value::Array(_) | Value::Null, Value::Array(_) | Value::Null)
                if elements != Elements::Together =>
            {
                self.lists(items(old), items(new), item, &elements);
            }
            _ => {
                // Another JSON type: everything that was there is gone.
                self.removed.below = tree(old, of, true).below;
                self.modified.member = true;
            }
        }
    }

    fn maps<'a>(&mut self, old: &'a Map<String, Value>, new: &'a Map<String, Value>, of: Type<'_>) {
        let (nothing, none) = (Value::Object(Map::new()), Value::Null);
        let gone = old.keys().filter(|name| !new.contains_key(*name));
        for name in new.keys().chain(gone) {
            let member = of.member(name);
            let inner = member.map_or(Type::Free, |m| m.of);
            // What Go always writes is there even when JSON leaves it out.
            let empty = if matches!(inner, Type::Field(_)) { &none } else { &nothing };
            let always = member.is_some_and(|m| m.by_value).then_some(empty);
            // What Go takes for missing is no field of a built-in kind.
            let builtin = matches!(of, Type::Kind(_) | Type::Message(_));
            let there = |map: &'a Map<String, Value>| map.get(name).filter(|v| !(builtin && (v.is_null() || *v == "")));
            self.child(format!("f:{name}"), there(old).or(always), there(new).or(always), inner);
        }
    }

    fn lists(&mut self, old: &[Value], new: &[Value], item: Type<'_>, elements: &Elements<'_>) {
        let (old, new) = (grouped(old, item, elements), grouped(new, item, elements));
        let gone = old.keys().filter(|key| !new.contains_key(*key));
        for key in new.keys().chain(gone) {
            match (old.get(key).map(Vec::as_slice), new.get(key).map(Vec::as_slice)) {
                (Some([a]), Some([b])) => self.child(key.clone(), Some(a), Some(b), item),
                (Some([a]), None) => self.child(key.clone(), Some(a), None, item),
                (None, Some([b])) => self.child(key.clone(), None, Some(b), item),
                (Some(a), Some(b)) if a == b => (),
                (Some(_), Some(_)) => self.modified.put(key.clone(), Node::leaf()),
                (Some(_), None) => self.removed.put(key.clone(), Node::leaf()),
                _ => self.added.put(key.clone(), Node::leaf()),
            }
        }
    }

    fn child(&mut self, element: String, old: Option<&Value>, new: Option<&Value>, of: Type<'_>) {
        match (old, new) {
            (Some(old), Some(new)) => {
                let mut inner = Walk::default();
                inner.both(old, new, of);
                self.added.put(element.clone(), inner.added);
                self.removed.put(element.clone(), inner.removed);
                self.modified.put(element, inner.modified);
            }
            (Some(old), None) => self.removed.put(element, tree(old, of, true)),
            (None, Some(new)) => self.added.put(element, tree(new, of, true)),
            (None, None) => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_created_deployment_is_owned_as_on_a_real_cluster() {
        let of = Type::kind("apps.v1.Deployment").expect("known");
        let new = json!({"metadata": {"labels": {"app": "x"}}, "spec": {"strategy": {"rollingUpdate": {"maxSurge": "25%"}, "type": "RollingUpdate"},
            "selector": {"matchLabels": {"app": "x"}}, "template": {"metadata": {"labels": {"app": "x"}},
            "spec": {"securityContext": {}, "containers": [{"name": "c", "resources": {"limits": {"cpu": "1"}},
                "ports": [{"containerPort": 80, "protocol": "TCP"}]}]}}}});
        let added = compare(&json!({}), &new, of).added;
        // The selector's owner is one: the recording has it so.
        let expected = json!({"f:metadata": {"f:labels": {".": {}, "f:app": {}}}, "f:spec": {
            "f:selector": {}, "f:strategy": {"f:rollingUpdate": {".": {}, "f:maxSurge": {}}, "f:type": {}},
            "f:template": {"f:metadata": {"f:labels": {".": {}, "f:app": {}}}, "f:spec": {"f:securityContext": {}, "f:containers": {
                "k:{\"name\":\"c\"}": {".": {}, "f:name": {}, "f:resources": {".": {}, "f:limits": {".": {}, "f:cpu": {}}},
                    "f:ports": {".": {}, "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}, "f:protocol": {}}}}}}}}});
        assert_eq!(added.value(), expected);
    }

    #[test]
    fn applied_fields_name_no_structs() {
        let of = Type::kind("apps.v1.Deployment").expect("known");
        let config =
            json!({"spec": {"selector": {"matchLabels": {"a": "1"}}, "template": {"spec": {"containers": [{"name": "c1"}]}}}});
        let expected = json!({"f:spec": {"f:selector": {}, "f:template": {"f:spec": {"f:containers": {
            "k:{\"name\":\"c1\"}": {".": {}, "f:name": {}}}}}}});
        assert_eq!(field_set(&config, of).value(), expected);
        let of = Type::kind("core.v1.ConfigMap").expect("known");
        assert_eq!(field_set(&json!({"data": {}}), of).value(), json!({"f:data": {}}));
    }

    #[test]
    fn changes_are_told_apart() {
        let of = Type::kind("core.v1.ConfigMap").expect("known");
        let c = compare(&json!({"data": {"a": "1", "b": "1"}}), &json!({"data": {"a": "2", "c": "1"}}), of);
        assert_eq!(c.added.value(), json!({"f:data": {"f:c": {}}}));
        assert_eq!(c.removed.value(), json!({"f:data": {"f:b": {}}}));
        assert_eq!(c.modified.value(), json!({"f:data": {"f:a": {}}}));
        let c = compare(&json!({"metadata": {"finalizers": ["a", "b"]}}), &json!({"metadata": {"finalizers": ["b", "c"]}}), of);
        assert_eq!(c.added.value(), json!({"f:metadata": {"f:finalizers": {"v:\"c\"": {}}}}));
        assert_eq!(c.removed.value(), json!({"f:metadata": {"f:finalizers": {"v:\"a\"": {}}}}));
        // Only the order changed: nobody's field did.
        let c = compare(&json!({"metadata": {"finalizers": ["a", "b"]}}), &json!({"metadata": {"finalizers": ["b", "a"]}}), of);
        assert_eq!(c, Comparison::default());
    }
}
