//! Every leaf of the lesson's solution, changed in several ways: what the search says of it.

use super::path::Path;
use super::*;
use crate::base::clock::Time;
use crate::base::outcome::{Outcome, Path as Way};
use crate::base::seed::Seed;
use crate::base::yaml;
use crate::k8s::Snapshot;
use crate::mesh::Options;
use crate::mesh::follow;
use crate::outside::Outside;
use serde_json::{Value, json};

fn world() -> Snapshot {
    let mut all: Snapshot = yaml::parse_documents(include_str!("../../../tests/data/mesh/world.yaml"))
        .expect("YAML")
        .into_iter()
        .map(Object)
        .collect();
    for text in [
        include_str!("../../../lessons/egress/control-external-egress/solution/serviceentry-wikipedia.yaml"),
        include_str!("../../../lessons/egress/control-external-egress/solution/gateway.yaml"),
        include_str!("../../../lessons/egress/control-external-egress/solution/destinationrule.yaml"),
        include_str!("../../../lessons/egress/control-external-egress/solution/vs.yaml"),
    ] {
        all.put(Arc::new(Object(yaml::parse(text).expect("YAML"))));
    }
    all
}

fn via_gateway(records: &[Record]) -> bool {
    matches!(records, [first, second]
        if first.outcome == Outcome::Delivered && first.path == Way::Gateway("istio-system/istio-egressgateway".into())
        && second.outcome == Outcome::Delivered && second.path == Way::Direct)
}

fn blocked(records: &[Record]) -> bool {
    records[0].outcome == Outcome::BlockedRegistryOnly
}

fn wishes(snapshot: &Snapshot) -> Vec<Wish<'static>> {
    let pod = snapshot.find("", "Pod", "default", "test").expect("the pod").clone();
    let wish = |url: &str, holds: &'static (dyn Fn(&[Record]) -> bool + Sync), opens: bool| Wish {
        pod: pod.clone(),
        request: follow::request_for(url, "GET", "curl/8.1.2").expect("a URL"),
        follow: 5,
        holds,
        opens,
    };
    vec![
        wish("http://www.wikipedia.org/", &via_gateway, true),
        wish("http://en.wikipedia.org/", &blocked, false),
        wish("https://en.wikipedia.org/", &blocked, false),
    ]
}

fn ask(snapshot: &Snapshot) -> Answer {
    let outside = Outside::standard();
    let wishes = wishes(snapshot);
    repair(&Question {
        model: &Model::compile(snapshot, &Options::default()),
        inputs: Inputs { outside: &outside, now: Time::LOGICAL_START, seed: Seed(1), nth: 1 },
        wishes: &wishes,
        tries: TRIES,
    })
}

/// A leaf of the solution with another value, and where the search has to mend it.
fn mended(kind: &str, path: Path, to: Value) -> Repair {
    let world = world();
    let object = world.list("networking.istio.io", kind).next().expect("one").clone();
    let from = path.get(&object.0).expect("a leaf").clone();
    let slip = Edit::new(&object.key(), path, Change::Set { from, to });
    match ask(&slip.apply(&world).expect("the slip fits")) {
        Answer::Repairs(all) => all[0].clone(),
        other => panic!("{slip}: {other:?}"),
    }
}

#[test]
fn a_slip_is_mended_where_it_is() {
    let spec = Path::of(&["spec"]);
    let rule = |i: usize| spec.key("http").index(i);
    for (kind, path, to) in [
        ("ServiceEntry", spec.key("hosts").index(0), "www.wikpedia.org"),
        ("ServiceEntry", spec.key("resolution"), "NONE"),
        ("Gateway", spec.key("selector").key("istio"), "egress-gateway"),
        ("Gateway", spec.key("servers").index(0).key("hosts").index(0), "wikipedia.org"),
        ("Gateway", Path::of(&["metadata", "name"]), "egressgateway"),
        ("DestinationRule", spec.key("subsets").index(0).key("name"), "wikiedia"),
        ("DestinationRule", spec.key("host"), "istio-egressgateway"),
        ("VirtualService", spec.key("gateways").index(0), "istio-egressgateway"),
        ("VirtualService", rule(0).key("route").index(0).key("destination").key("subset"), "Wikipedia"),
        ("VirtualService", rule(1).key("match").index(0).key("gateways").index(0), "default/istio-egressgateway"),
    ] {
        let repair = mended(kind, path.clone(), json!(to));
        assert_eq!(repair.edits.len(), 1, "{path}: {:?}", repair.edits);
        assert_eq!((repair.edits[0].object.kind.kind.as_str(), &repair.edits[0].path), (kind, &path));
        assert!(!repair.objects.is_empty());
    }
}

#[test]
fn what_is_missing_is_added() {
    let mut world = world();
    let mut rule = (**world.list("networking.istio.io", "VirtualService").next().expect("one")).clone();
    rule.0["spec"]["gateways"] = json!(["istio-system/istio-egressgateway"]);
    world.put(Arc::new(rule));
    let Answer::Repairs(all) = ask(&world) else { panic!("no repair") };
    let key = "VirtualService default/wikipedia-egress-gateway";
    assert_eq!(all[0].edits[0].to_string(), format!("{key} spec.gateways[1]: add mesh"));
}

#[test]
fn the_text_of_the_mesh_configuration_is_edited_within() {
    let mut world = world();
    let mut map = (**world.find("", "ConfigMap", "istio-system", "istio").expect("it")).clone();
    map.0["data"]["mesh"] = json!("accessLogFile: /dev/stdout\noutboundTrafficPolicy:\n  mode: ALLOW_ANY\n");
    world.put(Arc::new(map));
    let Answer::Repairs(all) = ask(&world) else { panic!("no repair") };
    assert_eq!(all[0].edits[0].field(), "data.mesh outboundTrafficPolicy.mode");
    let text = all[0].objects[0].str_at(&["data", "mesh"]);
    assert_eq!(text, "accessLogFile: /dev/stdout\noutboundTrafficPolicy:\n  mode: REGISTRY_ONLY\n");
}

/// A wildcard would let the request out as well, but other hosts with it.
#[test]
fn a_repair_opens_nothing_else() {
    let mut world = world();
    let mut entry = (**world.list("networking.istio.io", "ServiceEntry").next().expect("one")).clone();
    entry.0["spec"]["hosts"] = json!(["wikipedia.org"]);
    world.put(Arc::new(entry));
    let Answer::Repairs(all) = ask(&world) else { panic!("no repair") };
    for repair in &all {
        assert!(repair.edits.iter().all(|e| !e.words().contains("ALLOW_ANY") && !e.words().contains('*')), "{:?}", repair.edits);
    }
}

#[test]
fn what_no_field_mends_is_said_so_within_the_limit() {
    let mut world = world();
    for kind in ["Gateway", "VirtualService", "ServiceEntry"] {
        let keys: Vec<_> = world.list("networking.istio.io", kind).map(|o| o.key()).collect();
        keys.iter().for_each(|key| drop(world.remove(key)));
    }
    assert!(matches!(ask(&world), Answer::Nothing { tried } if tried <= TRIES));
    assert_eq!(ask(&self::world()), Answer::Fine);
}

/// Two thousand other hosts stand beside the misspelt one.
#[test]
fn a_slip_is_found_in_a_large_mesh() {
    let mut world = world();
    let mut entry = (**world.list("networking.istio.io", "ServiceEntry").next().expect("one")).clone();
    for n in 0..2_000 {
        let mut other = entry.clone();
        other.0["metadata"]["name"] = json!(format!("a-{n:04}"));
        other.0["spec"]["hosts"] = json!([format!("host-{n}.example.com")]);
        world.put(Arc::new(other));
    }
    entry.0["spec"]["hosts"] = json!(["www.wikipedai.org"]);
    world.put(Arc::new(entry));
    let Answer::Repairs(all) = ask(&world) else { panic!("no repair") };
    assert_eq!(
        all[0].edits[0].to_string(),
        "ServiceEntry default/wikipedia-egress spec.hosts[0]: set it to www.wikipedia.org (now www.wikipedai.org)"
    );
}
