//! Properties of selectors and queries, and the queries that were once worth a thought (tests/data/api/queries.txt).

use egress_lab::k8s::selector::{FieldSelector, LabelSelector, Requirement};
use egress_lab::sandbox::Pace;
use egress_lab::sandbox::call::Call;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::json;
use std::collections::BTreeMap;

const CORPUS: &str = include_str!("../data/api/queries.txt");

fn name() -> impl Strategy<Value = String> {
    "[a-z]{1,3}"
}

fn requirement() -> impl Strategy<Value = Requirement> {
    let values = || proptest::collection::btree_set(name(), 1..4).prop_map(|set| set.into_iter().collect::<Vec<_>>());
    prop_oneof![
        (name(), values()).prop_map(|(key, values)| Requirement::In(key, values)),
        (name(), values()).prop_map(|(key, values)| Requirement::NotIn(key, values)),
        name().prop_map(Requirement::Exists),
        name().prop_map(Requirement::Missing),
        (name(), -9_i64..9).prop_map(|(key, n)| Requirement::GreaterThan(key, n)),
        (name(), -9_i64..9).prop_map(|(key, n)| Requirement::LessThan(key, n)),
    ]
}

fn written(requirement: &Requirement, spaces: &str) -> String {
    match requirement {
        Requirement::In(key, values) => format!("{key} {spaces}in{spaces} ({})", values.join(&format!("{spaces},"))),
        Requirement::NotIn(key, values) => format!("{key} notin{spaces}({})", values.join(",")),
        Requirement::Exists(key) => key.clone(),
        Requirement::Missing(key) => format!("!{spaces}{key}"),
        Requirement::GreaterThan(key, n) => format!("{key}{spaces}>{spaces}{n}"),
        Requirement::LessThan(key, n) => format!("{key}<{n}"),
    }
}

/// What a condition means, said once more.
fn holds(requirement: &Requirement, labels: &BTreeMap<&str, &str>) -> bool {
    let number = |key: &String| labels.get(key.as_str()).and_then(|v| v.parse::<i64>().ok());
    match requirement {
        Requirement::In(key, values) => labels.get(key.as_str()).is_some_and(|v| values.contains(&v.to_string())),
        Requirement::NotIn(key, values) => !labels.get(key.as_str()).is_some_and(|v| values.contains(&v.to_string())),
        Requirement::Exists(key) => labels.contains_key(key.as_str()),
        Requirement::Missing(key) => !labels.contains_key(key.as_str()),
        Requirement::GreaterThan(key, n) => number(key).is_some_and(|v| v > *n),
        Requirement::LessThan(key, n) => number(key).is_some_and(|v| v < *n),
    }
}

proptest! {
    #[test]
    fn label_selectors_are_read_as_they_are_written(
        all in proptest::collection::vec(requirement(), 0..5), spaces in "[ \t]{0,2}",
        labels in proptest::collection::btree_map(name(), "[a-c]|[0-9]", 0..4),
    ) {
        let text = all.iter().map(|r| written(r, &spaces)).collect::<Vec<_>>().join(&format!("{spaces},{spaces}"));
        let read = LabelSelector::parse(&text);
        prop_assert_eq!(read.as_ref(), Ok(&LabelSelector(all.clone())), "{}", text);
        let labels: BTreeMap<&str, &str> = labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        prop_assert_eq!(read.unwrap().matches(&labels), all.iter().all(|r| holds(r, &labels)));
    }

    #[test]
    fn field_values_survive_their_backslashes(value in "[ -~]{0,12}", equal in any::<bool>()) {
        let escaped: String = value.chars().flat_map(|c| match c {
            '\\' | ',' | '=' => vec!['\\', c],
            c => vec![c],
        }).collect();
        let operator = if equal { "=" } else { "!=" };
        let read = FieldSelector::parse(&format!("metadata.name{operator}{escaped},a.b=c")).expect("good");
        prop_assert_eq!(read.0.len(), 2);
        prop_assert_eq!((read.0[0].value.as_str(), read.0[0].equal), (value.trim(), equal));
    }

    #[test]
    fn no_text_is_too_strange_for_a_selector(text in "\\PC{0,40}", signs in "[a(),!=<> in]{0,30}") {
        for text in [text, signs] {
            let _ = (LabelSelector::parse(&text), FieldSelector::parse(&text));
        }
    }
}

/// Asks everything of a world; the answers have to be ones that a server gives.
fn ask(world: &mut egress_lab::sandbox::world::World, query: &str) {
    let maps = "/api/v1/namespaces/default/configmaps";
    let targets = [
        ("GET", maps.to_string()),
        ("GET", format!("{maps}/kube-root-ca.crt")),
        ("GET", "/api/v1/pods".into()),
        ("DELETE", format!("{maps}/nosuch")),
        ("DELETE", "/api/v1/namespaces/default/secrets".into()),
        ("POST", maps.into()),
        ("PATCH", format!("{maps}/nosuch")),
    ];
    for (method, target) in targets {
        let call = Call::new(method, &format!("{target}?{query}")).json(&json!({}));
        let status = match call.is_stream() {
            true => match world.open(&call) {
                Ok(id) => {
                    let _ = world.poll(id);
                    world.close(id);
                    200
                }
                Err(answer) => answer.status,
            },
            false => world.handle(&call).status,
        };
        assert!([200, 201, 400, 404, 405, 409, 410, 415, 422, 501, 504].contains(&status), "{method} {target}?{query}: {status}");
    }
}

#[test]
fn queries_are_answered_whatever_they_are() {
    let mut world = crate::serve::world(Pace::Instant);
    for query in CORPUS.lines().filter(|line| !line.starts_with('#')) {
        ask(&mut world, query);
    }
    let names = [
        "labelSelector",
        "fieldSelector",
        "limit",
        "continue",
        "resourceVersion",
        "resourceVersionMatch",
        "watch",
        "timeoutSeconds",
        "dryRun",
        "sendInitialEvents",
        "x",
    ];
    let pair = (proptest::sample::select(names.to_vec()), "[a-z0-9%=,()! .\\\\+-]{0,16}");
    let queries = proptest::collection::vec(pair, 0..4);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..200 {
        let pairs = queries.new_tree(&mut runner).unwrap().current();
        let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        ask(&mut world, &query.join("&"));
    }
}
