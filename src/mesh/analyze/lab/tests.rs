use super::*;
use crate::base::yaml;
use crate::k8s::Snapshot;
use crate::mesh::analyze::Origins;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const WORLD: &str = include_str!("../../../../tests/data/analyze/lab/world.yaml");
const CASES: &str = include_str!("../../../../tests/data/analyze/lab/cases.yaml");

#[test]
fn every_check_has_an_id_of_its_own() {
    let ids: Vec<&str> = checks().map(|check| check.id).collect();
    let distinct: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), distinct.len());
    assert!(checks().all(|check| check.id.len() == 6 && !check.about.is_empty() && !check.mistakes.is_empty()));
}

/// The world with the objects of a case laid over (`null` fields removed), those under `without` taken away.
fn world(case: &Value) -> Snapshot {
    let mut objects: BTreeMap<String, Value> = BTreeMap::new();
    for object in yaml::parse_documents(WORLD).expect("the world is YAML") {
        objects.insert(Object(object.clone()).key().to_string(), object);
    }
    for gone in case["without"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        objects.remove(gone).expect(gone);
    }
    for object in case["objects"].as_array().into_iter().flatten() {
        let key = Object(object.clone()).key().to_string();
        let slot = objects.entry(key).or_insert_with(|| json!({}));
        crate::k8s::patch::merge_patch(slot, object);
    }
    objects.into_values().map(Object).collect()
}

fn found(case: &Value) -> Vec<Finding> {
    let snapshot = world(case);
    let mesh = snapshot.find("", "ConfigMap", "istio-system", "istio").map(|m| m.str_at(&["data", "mesh"]).to_string());
    let input = Input {
        snapshot: &snapshot,
        origins: &Origins::new(),
        cluster: true,
        root_namespace: "istio-system",
        mesh: mesh.as_deref().unwrap_or(""),
        revision: "default",
    };
    findings(&input, "")
}

#[test]
fn the_lessons_solution_has_nothing_worse_than_notes() {
    let worse: Vec<String> = found(&Value::Null).iter().filter(|f| f.level < Level::Info).map(Finding::line).collect();
    assert!(worse.is_empty(), "{}", worse.join("\n"));
}

#[test]
fn each_mistake_is_named_with_its_object_and_field() {
    let cases = yaml::parse_documents(CASES).expect("the cases are YAML");
    let before: BTreeSet<String> = found(&Value::Null).iter().map(Finding::line).collect();
    let (mut wrong, mut named) = (Vec::new(), BTreeSet::new());
    for case in &cases {
        let all = found(case);
        let new: Vec<&Finding> = all.iter().filter(|f| !before.contains(&f.line())).collect();
        let (id, object, field) = (case["id"].as_str(), case["object"].as_str(), case["field"].as_str());
        named.extend(id.map(String::from));
        if !new.iter().any(|f| Some(f.id) == id && Some(f.object.as_str()) == object && Some(f.field.as_str()) == field) {
            let lines: Vec<String> = new.iter().map(|f| format!("    {}", f.line())).collect();
            wrong.push(format!("{}: {id:?} {object:?} {field:?} not among\n{}", case["mistake"], lines.join("\n")));
        }
    }
    assert!(cases.len() >= 80, "{}", cases.len());
    let untold: Vec<&str> = checks().map(|c| c.id).filter(|id| !named.contains(*id)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(untold.is_empty(), "no case for {untold:?}");
}
