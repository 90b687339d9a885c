//! What the API server's schemas say of the objects of `tests/data/mesh/validation`, in a world that has Istio's CRDs and nothing else
//! of Istio: the first of the two gates.

use crate::rows::refusals::{self, Rules, Written};
use crate::serve;
use egress_lab::mesh::{install::crds, versions};
use egress_lab::sandbox::Pace;
use egress_lab::sandbox::call::Call;
use egress_lab::sandbox::world::World;
use serde_json::Value;

/// A world in which Istio's kinds are known.
fn with_kinds(version: &str) -> World {
    let mut world = serve::world(Pace::Instant);
    for definition in crds::render(versions::find(version).expect("a release")) {
        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let made = world.handle(&Call::new("POST", path).json(&definition.0));
        assert!(made.is_success(), "{}: {}", definition.name(), made.value());
    }
    world
}

fn plural(kind: &str) -> String {
    match kind.strip_suffix('y') {
        Some(stem) if kind != "Gateway" => format!("{}ies", stem.to_lowercase()),
        _ => format!("{}s", kind.to_lowercase()),
    }
}

/// What the schema says: `FIELD: TEXT` of each cause, or the message.
fn schema_says(world: &mut World, written: &Written) -> Vec<String> {
    let object = written.object();
    let version = object["apiVersion"].as_str().expect("a version");
    let path = format!("/apis/{version}/namespaces/default/{}?fieldValidation=Strict&dryRun=All", plural(&written.kind));
    let answer = world.handle(&Call::new("POST", &path).json(&object));
    if answer.is_success() {
        return Vec::new();
    }
    let status = answer.value();
    match status["details"]["causes"].as_array() {
        Some(causes) => {
            causes.iter().map(|c| format!("{}: {}", c["field"].as_str().unwrap_or(""), text(&c["message"]))).collect()
        }
        None => vec![text(&status["message"])],
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or("").to_string()
}

fn faults(world: &mut World, version: &str, rules: &Rules) -> Vec<String> {
    let mut wrong = Vec::new();
    for written in &rules.objects {
        let said = schema_says(world, written);
        if said != written.schema_in(version) {
            wrong.push(format!("{} {}: {said:?}, not {:?}", written.kind, written.spec, written.schema_in(version)));
        }
    }
    wrong
}

#[test]
fn the_schemas_say_what_the_api_server_says() {
    let mut failed = Vec::new();
    for version in versions::lines() {
        let mut world = with_kinds(&version);
        for rules in refusals::rules() {
            let wrong = faults(&mut world, &version, &rules);
            if !wrong.is_empty() {
                failed.push(format!("row {} in {version}: {}\n    {}", rules.row, rules.title, wrong.join("\n    ")));
            }
        }
    }
    assert!(failed.is_empty(), "{} failures:\n{}", failed.len(), failed.join("\n"));
}
