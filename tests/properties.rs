//! Properties of what reads and changes objects: whatever comes in, nothing panics, and the laws of applies hold.

use egress_lab::k8s::fields::Set;
use egress_lab::k8s::managed::{Managed, Scope, Writer};
use egress_lab::k8s::selector::{FieldSelector, LabelSelector};
use egress_lab::k8s::typed::{self, Type};
use egress_lab::k8s::{patch, strategic};
use egress_lab::sandbox::api::protobuf;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Any JSON, with the names that patches and schemas know among its members.
fn anything() -> impl Strategy<Value = Value> {
    let names = prop_oneof![
        Just("spec"),
        Just("metadata"),
        Just("containers"),
        Just("name"),
        Just("ports"),
        Just("finalizers"),
        Just("$patch"),
        Just("$retainKeys"),
        Just("$setElementOrder/containers"),
        Just("$deleteFromPrimitiveList/finalizers"),
        Just("template"),
        Just("x"),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z]{0,3}".prop_map(Value::from),
        Just(json!("delete")),
        Just(json!("replace")),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            btree_map(names.clone(), inner, 0..5).prop_map(|map| map.into_iter().map(|(k, v)| (k.to_string(), v)).collect()),
        ]
    })
}

/// A pod as somebody applies it.
fn pod() -> impl Strategy<Value = Value> {
    let texts = || btree_map("[a-d]", "[x-z]", 0..4);
    let container = (texts(), proptest::option::of("[i-k]"), vec("[p-q]", 0..3));
    (texts(), btree_map("[a-d]", container, 0..4), vec("[f-h]", 0..3)).prop_map(|(labels, containers, tolerations)| {
        let containers: Vec<Value> = containers
            .into_iter()
            .map(|(name, (env, image, args))| {
                let env: Vec<Value> = env.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
                json!({"name": name, "image": image.unwrap_or_else(|| "i".into()), "args": args, "env": env})
            })
            .collect();
        let tolerations: Vec<Value> = tolerations.into_iter().map(|key| json!({"key": key})).collect();
        json!({"metadata": {"labels": labels}, "spec": {"containers": containers, "tolerations": tolerations}})
    })
}

fn of() -> Type<'static> {
    Type::kind("core.v1.Pod").expect("known")
}

fn by(manager: &str) -> Writer<'_> {
    Writer { manager, api_version: "v1", subresource: "", now: "2026-01-01T00:00:00Z" }
}

fn apply(managed: &mut Managed, live: &Value, config: &Value, manager: &str) -> Value {
    let merged = managed.apply(live, config, of(), &by(manager), Scope::Main, true).expect("forced");
    merged.unwrap_or_else(|| live.clone())
}

/// A length-delimited field of a protobuf message.
pub fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut len = content.len();
    while len > 127 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
    out.extend_from_slice(content);
    out
}

/// Without empty maps and lists: what nobody owns leaves no trace, but an empty list that was applied does.
fn full(value: &Value) -> Value {
    let empty = |v: &Value| v.is_null() || v.as_array().is_some_and(Vec::is_empty) || v.as_object().is_some_and(|m| m.is_empty());
    match value {
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), full(v))).filter(|(_, v)| !empty(v)).collect(),
        Value::Array(list) => Value::Array(list.iter().map(full).collect()),
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn an_apply_again_changes_nothing(first in pod(), second in pod()) {
        let mut managed = Managed::default();
        let live = apply(&mut managed, &Value::Null, &first, "a");
        let live = apply(&mut managed, &live, &second, "b");
        let (before, owners) = (live.clone(), managed.clone());
        let live = apply(&mut managed, &live, &second, "b");
        prop_assert_eq!(&live, &before);
        prop_assert!(managed.same_but_times(&owners));
        // What was applied is there.
        prop_assert_eq!(typed::merge(&live, &second, of()), live);
    }

    #[test]
    fn an_apply_taken_back_leaves_what_was_there(first in pod(), extra in "[m-o]") {
        let mut managed = Managed::default();
        let start = apply(&mut managed, &Value::Null, &first, "a");
        let more = json!({"metadata": {"labels": {&extra: "1"}}, "spec": {"containers": [{"name": &extra, "image": "z"}]}});
        let live = apply(&mut managed, &start, &more, "b");
        let live = apply(&mut managed, &live, &json!({}), "b");
        prop_assert_eq!(full(&live), full(&start));
        prop_assert!(managed.entries().iter().all(|entry| entry.manager == "a"));
    }

    #[test]
    fn patches_of_anything_do_not_panic(mut target in anything(), change in anything(), list in vec(anything(), 0..4)) {
        let mut other = target.clone();
        let _ = strategic::apply(&mut other, &change, "core.v1.Pod");
        let _ = strategic::apply(&mut target.clone(), &json!({"spec": change}), "apps.v1.Deployment");
        let _ = patch::json_patch(&mut target.clone(), &list);
        let merged = typed::merge(&target, &change, of());
        let changes = typed::compare(&target, &merged, of());
        let _ = typed::without(&merged, &changes.added, of());
        let _ = typed::check(&change, of());
        patch::merge_patch(&mut target, &change);
        let once = target.clone();
        patch::merge_patch(&mut target, &change);
        prop_assert_eq!(target, once);
    }

    #[test]
    fn operations_of_a_json_patch_do_not_panic(
        mut target in anything(),
        steps in vec(("add|remove|replace|move|copy|test|x", "(/(spec|x|0|-|~1|name)){0,4}", "(/(spec|x|0|name)){0,3}", anything()), 0..6),
    ) {
        let steps: Vec<Value> =
            steps.into_iter().map(|(op, path, from, value)| json!({"op": op, "path": path, "from": from, "value": value})).collect();
        let _ = patch::json_patch(&mut target, &steps);
    }

    #[test]
    fn sets_are_read_as_they_were_written(value in pod(), other in pod()) {
        let (a, b) = (typed::field_set(&value, of()), typed::field_set(&other, of()));
        prop_assert_eq!(Set::read(&a.value()), Ok(a.clone()));
        let mut both = a.clone();
        both.union(&b);
        prop_assert_eq!(Set::read(&both.value()), Ok(both.clone()));
        prop_assert!(both.difference(&a).difference(&b).is_empty());
        let mut parts = a.difference(&b);
        parts.union(&a.intersection(&b));
        prop_assert_eq!(parts, a);
    }

    #[test]
    fn protobuf_bodies_of_any_bytes_do_not_panic(
        bytes in vec(any::<u8>(), 0..200),
        kind in prop_oneof![Just("Namespace"), Just("Pod"), Just("ConfigMap"), Just("DeleteOptions")],
    ) {
        let _ = protobuf::decode(&bytes);
        let meta = [field(1, b"v1"), field(2, kind.as_bytes())].concat();
        let body = [b"k8s\0".to_vec(), field(1, &meta), field(2, &bytes)].concat();
        let _ = protobuf::decode(&body);
        let _ = protobuf::decode(&body[..body.len() / 2]);
    }

    #[test]
    fn selectors_of_any_text_do_not_panic(text in "[a-z0-9!=<>,()\\. /inot-]{0,40}") {
        let _ = LabelSelector::parse(&text).map(|s| s.matches(&Default::default()));
        let _ = FieldSelector::parse(&text);
    }
}
