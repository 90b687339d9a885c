//! Merging an applied value into a live one, and taking fields out of a value.

use crate::k8s::fields::{self, Node, Set, below, has};
use crate::k8s::typed::{Elements, Form, Type, element};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// The live value with the applied one merged in.
pub fn merge(live: &Value, config: &Value, of: Type<'_>) -> Value {
    match (of.form(config), live, config) {
        (Form::Map { atomic: false }, Value::Object(old), Value::Object(new)) if !(old.is_empty() && new.is_empty()) => {
            let mut merged = old.clone();
            for (name, value) in new {
                let inner = of.member(name).map_or(Type::Free, |m| m.of);
                let value = old.get(name).map_or_else(|| value.clone(), |live| merge(live, value, inner));
                merged.insert(name.clone(), value);
            }
            Value::Object(merged)
        }
        (Form::List { item, elements }, Value::Array(old), Value::Array(new)) if elements != Elements::Together => {
            merge_lists(old, new, item, &elements)
        }
        // Nothing applied for a whole map or keyed list takes nothing away.
        (_, live @ (Value::Object(_) | Value::Array(_)), Value::Null) if !owned_whole(live, of) => live.clone(),
        _ => config.clone(),
    }
}

/// Whether a value has one owner.
fn owned_whole(value: &Value, of: Type<'_>) -> bool {
    match of.form(value) {
        Form::Map { atomic } => atomic,
        Form::List { elements, .. } => elements == Elements::Together,
        _ => true,
    }
}

/// Elements with their identities; what has none is told apart by its place.
fn identified<'a>(list: &'a [Value], item: Type<'_>, elements: &Elements<'_>) -> Vec<(String, &'a Value)> {
    let key = |(i, value): (usize, &'a Value)| (element(item, elements, value).unwrap_or_else(|_| format!("i:{i}")), value);
    list.iter().enumerate().map(key).collect()
}

/// Elements that both have follow the applied order; elements that only the live list has keep their place among them.
fn merge_lists(live: &[Value], config: &[Value], item: Type<'_>, elements: &Elements<'_>) -> Value {
    let (left, right) = (identified(live, item, elements), identified(config, item, elements));
    let mut lefts: HashMap<&str, Option<&Value>> = HashMap::new();
    for (key, value) in &left {
        // An element that occurs twice is replaced, not merged.
        lefts.entry(key).and_modify(|known| *known = None).or_insert(Some(value));
    }
    let rights: HashMap<&str, &Value> = right.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    let both = |key: &str| match (lefts.get(key).copied().flatten(), rights.get(key)) {
        (Some(live), Some(config)) => merge(live, config, item),
        (_, Some(config)) => (*config).clone(),
        (Some(live), None) => live.clone(),
        (None, None) => Value::Null,
    };
    let mut shared = right.iter().map(|(key, _)| key.as_str()).filter(|key| lefts.contains_key(key));
    let mut next = shared.next();
    let mut merged: HashMap<&str, ()> = HashMap::new();
    let (mut out, mut l, mut r) = (Vec::new(), 0, 0);
    while l < left.len() || r < right.len() {
        if let (Some((a, _)), Some((b, _))) = (left.get(l), right.get(r)) {
            if a == b {
                merged.insert(a, ());
                out.push(both(a));
                (l, r, next) = (l + 1, r + 1, shared.next());
                continue;
            }
            // A shared element, but not the one that comes next.
            if rights.contains_key(a.as_str()) && next.is_some_and(|next| next != a) {
                l += 1;
                continue;
            }
        }
        if let Some((a, value)) = left.get(l) {
            if !rights.contains_key(a.as_str()) {
                out.push((*value).clone());
                l += 1;
                continue;
            }
            if merged.contains_key(a.as_str()) {
                l += 1;
            }
        }
        if let Some((b, _)) = right.get(r) {
            merged.insert(b, ());
            out.push(both(b));
            r += 1;
            if next == Some(b) {
                next = shared.next();
            }
        }
    }
    Value::Array(out)
}

/// A value without the fields of a set; `Null` when nothing is left of it.
pub fn without(value: &Value, set: &Set, of: Type<'_>) -> Value {
    strip(value, set.top(), of).unwrap_or(Value::Null)
}

fn strip(value: &Value, set: &Map<String, Value>, of: Type<'_>) -> Option<Value> {
    match (of.form(value), value) {
        (Form::Map { atomic: false }, Value::Object(map)) => {
            let kept = map.iter().filter_map(|(name, value)| {
                let node = below(set, &format!("f:{name}"));
                let value = match node {
                    Some(_) if has(node) => return None,
                    Some(node) => strip(value, node, of.member(name).map_or(Type::Free, |m| m.of))?,
                    None => value.clone(),
                };
                Some((name.clone(), value))
            });
            let kept: Map<String, Value> = kept.collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        (Form::List { item, elements }, Value::Array(list)) if elements != Elements::Together => {
            let kept = identified(list, item, &elements).into_iter().filter_map(|(key, value)| match below(set, &key) {
                node if has(node) => None,
                Some(node) => strip(value, node, item),
                None => Some(value.clone()),
            });
            let kept: Vec<Value> = kept.collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        (Form::Scalar(_), scalar) => Some(scalar.clone()),
        // Fields inside of what has one owner cannot be taken out singly.
        _ => None,
    }
}

/// A set in which every field that its type names is a member when anything below it is.
pub fn named_members(set: &Set, of: Type<'_>) -> Set {
    Set::from(named(set.top(), of))
}

fn named(set: &Map<String, Value>, of: Type<'_>) -> Node {
    let mut node = Node::default();
    for (key, inner, kind, named_by_type) in steps(set, of) {
        let mut child = named(inner, kind);
        child.member = has(Some(inner)) || named_by_type;
        node.put(key.clone(), child);
    }
    node
}

/// A set read under today's types: fields inside of what has become one field become that field.
pub fn settled(set: &Set, of: Type<'_>) -> Set {
    Set::from(settle(set.top(), of))
}

fn settle(set: &Map<String, Value>, of: Type<'_>) -> Node {
    let mut node = Node::default();
    for (key, inner, kind, _) in steps(set, of) {
        let mut child = settle(inner, kind);
        child.member = has(Some(inner));
        let guess = if inner.keys().any(|k| k.starts_with("f:")) { Value::Object(Map::new()) } else { Value::Array(Vec::new()) };
        if fields::has_children(inner) && owned_whole(&guess, kind) {
            child = Node::leaf();
        }
        node.put(key.clone(), child);
    }
    node
}

/// The elements below a node: the element, its node, its type, whether the type names it.
fn steps<'a>(
    set: &'a Map<String, Value>,
    of: Type<'a>,
) -> impl Iterator<Item = (&'a String, &'a Map<String, Value>, Type<'a>, bool)> {
    let children = set.iter().filter(|(key, _)| *key != ".").filter_map(|(key, node)| Some((key, node.as_object()?)));
    children.map(move |(key, node)| match key.strip_prefix("f:") {
        Some(name) => {
            let member = of.member(name);
            (key, node, member.map_or(Type::Free, |m| m.of), member.is_some_and(|m| m.named))
        }
        None => match of.form(&Value::Array(Vec::new())) {
            Form::List { item, .. } => (key, node, item, false),
            _ => (key, node, Type::Free, false),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod() -> Type<'static> {
        Type::kind("core.v1.Pod").expect("known")
    }

    fn containers(names: &[&str]) -> Value {
        json!({"spec": {"containers": names.iter().map(|n| json!({"name": n})).collect::<Vec<_>>()}})
    }

    #[test]
    fn keyed_lists_merge_in_the_applied_order() {
        for (live, config, expected) in [
            (&["a", "b"][..], &["c"][..], &["a", "b", "c"][..]),
            (&["a", "b"], &["b", "a"], &["b", "a"]),
            (&["a", "x", "b"], &["b", "a"], &["x", "b", "a"]),
            (&["x", "a"], &["a", "b"], &["x", "a", "b"]),
            (&["a", "x", "b"], &["a", "n", "b"], &["a", "x", "n", "b"]),
            (&[], &["a"], &["a"]),
        ] {
            assert_eq!(merge(&containers(live), &containers(config), pod()), containers(expected), "{live:?} + {config:?}");
        }
    }

    #[test]
    fn elements_merge_and_whole_lists_are_replaced() {
        let live = json!({"spec": {"containers": [{"name": "a", "image": "1", "args": ["x", "y"], "env": [{"name": "A", "value": "1"}]}]}});
        let config = json!({"spec": {"containers": [{"name": "a", "args": ["z"], "env": [{"name": "B", "value": "2"}]}]}});
        let expected = json!({"spec": {"containers": [{"name": "a", "image": "1", "args": ["z"],
            "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}]}});
        assert_eq!(merge(&live, &config, pod()), expected);
    }

    #[test]
    fn fields_are_taken_out() {
        let value = json!({"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b"}]}});
        let set = Set::read(&json!({"f:metadata": {"f:labels": {"f:a": {}}},
            "f:spec": {"f:containers": {"k:{\"name\":\"a\"}": {"f:image": {}}, "k:{\"name\":\"b\"}": {".": {}, "f:name": {}}}}}));
        let set = set.expect("a set");
        let expected = json!({"metadata": {"labels": {"b": "2"}}, "spec": {"containers": [{"name": "a"}]}});
        assert_eq!(without(&value, &set, pod()), expected);
        let named = named_members(&set, pod()).value();
        assert_eq!(named["f:metadata"]["f:labels"], json!({".": {}, "f:a": {}}));
        assert_eq!(named["f:spec"]["f:containers"]["k:{\"name\":\"a\"}"], json!({"f:image": {}}));
    }

    #[test]
    fn sets_follow_types_that_became_one_field() {
        let set = Set::read(
            &json!({"f:spec": {"f:nodeSelector": {".": {}, "f:a": {}}, "f:containers": {"k:{\"name\":\"a\"}": {"f:args": {"i:0": {}}}}}}),
        );
        let expected = json!({"f:spec": {"f:nodeSelector": {}, "f:containers": {"k:{\"name\":\"a\"}": {"f:args": {}}}}});
        assert_eq!(settled(&set.expect("a set"), pod()).value(), expected);
    }
}
