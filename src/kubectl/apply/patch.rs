//! The three-way difference of `apply`: what was applied last, what is to be, what is. Strategic for the core kinds, JSON merge for
//! custom resources. After k8s.io/apimachinery `strategicpatch` and `jsonmergepatch`.

use crate::k8s::kinds;
use crate::k8s::types::{self, Field, Message, Shape};
use serde_json::{Map, Value, json};

/// How a list is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    /// Replaced as a whole.
    Atomic,
    /// A set of scalars.
    Set,
    /// Objects told apart by this field.
    ByKey(&'static str),
}

/// The type around a field; unknown inside custom data and maps.
type Type = Option<&'static Message>;

/// The merge rule of a list field.
fn list_rule(of: Type, field: &str) -> List {
    match of.and_then(|message| message.field(field)).map(|field| field.merge) {
        Some(merge) if merge.merge => merge.key.map_or(List::Set, List::ByKey),
        _ => List::Atomic,
    }
}

/// The type of a member: of the object itself, or of a list's elements. Maps (labels) have none.
fn inner(of: Type, field: &str) -> Type {
    types::message(of?.field(field).filter(|field| field.shape != Shape::Map)?.of)
}

/// The type of a whole object, by its `apiVersion` and `kind`.
fn type_of(object: &Value) -> Type {
    let (group, version) = match object["apiVersion"].as_str()?.split_once('/') {
        Some((group, version)) => (group, version),
        None => ("", object["apiVersion"].as_str()?),
    };
    types::message(&kinds::find(group, object["kind"].as_str()?)?.message(version))
}

/// Whether keys that a change does not name are dropped (`$retainKeys`).
fn retains_keys(field: Option<&Field>) -> bool {
    field.is_some_and(|field| field.merge.retain_keys)
}

/// Which half of the three-way difference is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    /// Additions and changes from what is to what is to be.
    Changes,
    /// Deletions from what was applied to what is to be.
    Deletions,
}

/// The strategic merge patch that makes `current` be as `modified`, where `original` was applied last. `{}`: nothing to do.
pub fn strategic(original: &Value, modified: &Value, current: &Value) -> Value {
    let of = type_of(modified);
    let changes = diff(of, None, current, modified, Half::Changes);
    let deletions = diff(of, None, original, modified, Half::Deletions);
    Value::Object(combine(of, deletions, changes))
}

/// The strategic merge patch between two versions (edit).
pub fn strategic_two_way(from: &Value, to: &Value) -> Value {
    strategic(from, to, from)
}

fn diff(of: Type, field: Option<&Field>, from: &Value, to: &Value, half: Half) -> Map<String, Value> {
    let empty = Map::new();
    let (from, to) = (from.as_object().unwrap_or(&empty), to.as_object().unwrap_or(&empty));
    let mut patch = Map::new();
    for (key, new) in to {
        match (from.get(key), half) {
            (None, Half::Changes) => {
                patch.insert(key.clone(), new.clone());
            }
            (None, Half::Deletions) => (),
            (Some(old), _) if old == new => (),
            (Some(old), _) => diff_member(of, key, old, new, half, &mut patch),
        }
    }
    if half == Half::Deletions {
        patch.extend(from.keys().filter(|k| !to.contains_key(*k)).map(|k| (k.clone(), Value::Null)));
    }
    if !patch.is_empty() && retains_keys(field) {
        patch.insert("$retainKeys".into(), json!(to.keys().collect::<Vec<_>>()));
    }
    patch
}

fn diff_member(of: Type, key: &str, old: &Value, new: &Value, half: Half, patch: &mut Map<String, Value>) {
    match (old, new) {
        (Value::Object(_), Value::Object(_)) => {
            let sub = diff(inner(of, key), of.and_then(|m| m.field(key)), old, new, half);
            if !sub.is_empty() {
                patch.insert(key.to_string(), Value::Object(sub));
            }
        }
        (Value::Array(old), Value::Array(new)) => match list_rule(of, key) {
            List::ByKey(merge_key) => diff_objects(of, key, merge_key, (old, new), half, patch),
            List::Set => diff_set(key, old, new, half, patch),
            List::Atomic if half == Half::Changes => {
                patch.insert(key.to_string(), json!(new));
            }
            List::Atomic => (),
        },
        _ if half == Half::Changes => {
            patch.insert(key.to_string(), new.clone());
        }
        _ => (),
    }
}

fn diff_objects(
    of: Type,
    key: &str,
    merge_key: &str,
    (old, new): (&[Value], &[Value]),
    half: Half,
    patch: &mut Map<String, Value>,
) {
    let mut list = Vec::new();
    for item in new {
        match old.iter().find(|o| o[merge_key] == item[merge_key]) {
            Some(before) if before == item => (),
            Some(before) => {
                // What a list's elements retain is declared on the list (volumes).
                let mut sub = diff(inner(of, key), of.and_then(|m| m.field(key)), before, item, half);
                if !sub.is_empty() {
                    sub.insert(merge_key.to_string(), item[merge_key].clone());
                    list.push(Value::Object(sub));
                }
            }
            None if half == Half::Changes => list.push(item.clone()),
            None => (),
        }
    }
    if half == Half::Deletions {
        let gone = old.iter().filter(|o| new.iter().all(|n| n[merge_key] != o[merge_key]));
        list.extend(gone.map(|o| json!({"$patch": "delete", merge_key: o[merge_key]})));
    }
    let same_order = old.len() == new.len() && old.iter().zip(new).all(|(o, n)| o[merge_key] == n[merge_key]);
    if !list.is_empty() || half == Half::Changes && !same_order {
        let order: Vec<Value> = new.iter().map(|n| json!({merge_key: n[merge_key]})).collect();
        patch.insert(format!("$setElementOrder/{key}"), json!(order));
    }
    if !list.is_empty() {
        patch.insert(key.to_string(), json!(list));
    }
}

fn diff_set(key: &str, old: &[Value], new: &[Value], half: Half, patch: &mut Map<String, Value>) {
    let missing = |from: &[Value], of: &[Value]| from.iter().filter(|v| !of.contains(v)).cloned().collect::<Vec<_>>();
    let (added, removed) = (missing(new, old), missing(old, new));
    match half {
        Half::Changes if !added.is_empty() => {
            patch.insert(key.to_string(), json!(added));
        }
        Half::Deletions if !removed.is_empty() => {
            patch.insert(format!("$deleteFromPrimitiveList/{key}"), json!(removed));
        }
        _ => return,
    }
    patch.insert(format!("$setElementOrder/{key}"), json!(new));
}

/// Puts the two halves together: both may name the same element of a list.
fn combine(of: Type, mut base: Map<String, Value>, over: Map<String, Value>) -> Map<String, Value> {
    for (key, value) in over {
        match (base.remove(&key), value) {
            (Some(Value::Object(a)), Value::Object(b)) => {
                base.insert(key.clone(), Value::Object(combine(inner(of, &key), a, b)));
            }
            (Some(Value::Array(a)), Value::Array(b)) if !key.starts_with('$') => {
                let merged = match list_rule(of, &key) {
                    List::ByKey(merge_key) => combine_lists(inner(of, &key), merge_key, a, b),
                    _ => b,
                };
                base.insert(key, Value::Array(merged));
            }
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
    base
}

fn combine_lists(of: Type, merge_key: &str, deletions: Vec<Value>, changes: Vec<Value>) -> Vec<Value> {
    let mut out = changes;
    for item in deletions {
        match (out.iter_mut().find(|c| c[merge_key] == item[merge_key]), item) {
            (Some(slot), Value::Object(deletion)) => {
                if let Value::Object(change) = slot.take() {
                    *slot = Value::Object(combine(of, deletion, change));
                }
            }
            (_, item) => out.push(item),
        }
    }
    out
}

/// The JSON merge patch that makes `current` be as `modified`, where `original` was applied last.
pub fn merge(original: &Value, modified: &Value, current: &Value) -> Value {
    let changes = merge_diff(current, modified, Half::Changes);
    let deletions = merge_diff(original, modified, Half::Deletions);
    let mut patch = deletions;
    overlay(&mut patch, changes);
    patch
}

fn merge_diff(from: &Value, to: &Value, half: Half) -> Value {
    let empty = Map::new();
    let (from, to) = (from.as_object().unwrap_or(&empty), to.as_object().unwrap_or(&empty));
    let mut patch = Map::new();
    for (key, new) in to {
        match from.get(key) {
            Some(old) if old == new => (),
            Some(old) if old.is_object() && new.is_object() => {
                let sub = merge_diff(old, new, half);
                if sub.as_object().is_some_and(|s| !s.is_empty()) {
                    patch.insert(key.clone(), sub);
                }
            }
            _ if half == Half::Changes => {
                patch.insert(key.clone(), new.clone());
            }
            _ => (),
        }
    }
    if half == Half::Deletions {
        patch.extend(from.keys().filter(|k| !to.contains_key(*k)).map(|k| (k.clone(), Value::Null)));
    }
    Value::Object(patch)
}

fn overlay(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                overlay(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(containers: Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 2, "template": {"spec": {"containers": containers}}}})
    }

    fn template(patch: Value) -> Value {
        json!({"spec": {"template": {"spec": patch}}})
    }

    #[test]
    fn strategic_patches_are_kubectls() {
        let two =
            json!([{"name": "web", "image": "nginx:1.27", "env": [{"name": "A", "value": "1"}]}, {"name": "side", "image": "b"}]);
        let live = json!([{"name": "web", "image": "nginx:1.27", "imagePullPolicy": "IfNotPresent", "env": [{"name": "A", "value": "1"}]},
                          {"name": "side", "image": "b", "resources": {}}]);
        let mut newer = two.clone();
        newer[0]["image"] = json!("nginx:1.28");
        let mut no_env = two.clone();
        no_env[0].as_object_mut().unwrap().remove("env");
        let mut other_env = two.clone();
        other_env[0]["env"] = json!([{"name": "B", "value": "2"}]);
        let order = json!([{"name": "web"}, {"name": "side"}]);
        let rows = [
            ("same", two.clone(), json!({})),
            (
                "image",
                newer,
                template(json!({"$setElementOrder/containers": order, "containers": [{"image": "nginx:1.28", "name": "web"}]})),
            ),
            (
                "env gone",
                no_env,
                template(json!({"$setElementOrder/containers": order, "containers": [{"env": null, "name": "web"}]})),
            ),
            (
                "env replaced",
                other_env,
                template(json!({"$setElementOrder/containers": order, "containers": [{
                    "$setElementOrder/env": [{"name": "B"}], "name": "web",
                    "env": [{"name": "B", "value": "2"}, {"$patch": "delete", "name": "A"}]}]})),
            ),
            (
                "container gone",
                json!([two[0].clone()]),
                template(
                    json!({"$setElementOrder/containers": [{"name": "web"}], "containers": [{"$patch": "delete", "name": "side"}]}),
                ),
            ),
        ];
        for (what, modified, want) in rows {
            let got = strategic(&deployment(two.clone()), &deployment(modified), &deployment(live.clone()));
            assert_eq!(got, want, "{what}");
        }
    }

    #[test]
    fn what_others_set_stays() {
        let original = json!({"metadata": {"labels": {"a": "1", "b": "2"}}});
        let modified = json!({"metadata": {"labels": {"a": "1"}}});
        let current = json!({"metadata": {"labels": {"a": "9", "b": "2", "theirs": "x"}}, "status": {}});
        let want = json!({"metadata": {"labels": {"a": "1", "b": null}}});
        assert_eq!(strategic(&original, &modified, &current), want);
        assert_eq!(merge(&original, &modified, &current), want);
    }

    #[test]
    fn custom_resources_replace_lists() {
        let was = json!({"spec": {"hosts": ["a"], "location": "MESH_EXTERNAL"}});
        let now = json!({"spec": {"hosts": ["a", "b"]}});
        assert_eq!(merge(&was, &now, &was), json!({"spec": {"hosts": ["a", "b"], "location": null}}));
        assert_eq!(merge(&was, &was, &was), json!({}));
    }

    #[test]
    fn services_merge_ports_by_port_and_strategies_retain_keys() {
        let svc = |port: i64| json!({"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": port, "name": "http"}]}});
        let want = json!({"spec": {"$setElementOrder/ports": [{"port": 81}],
            "ports": [{"name": "http", "port": 81}, {"$patch": "delete", "port": 80}]}});
        assert_eq!(strategic(&svc(80), &svc(81), &svc(80)), want);
        let rolling = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}});
        let recreate = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"strategy": {"type": "Recreate"}}});
        let got = strategic(&json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {}}), &recreate, &rolling);
        assert_eq!(got, json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}));
    }
}
