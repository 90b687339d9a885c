//! Every leaf of the lesson's solution, changed in several ways: what the search says of it.

use super::path::{Path, leaves};
use super::*;
use crate::base::clock::Time;
use crate::base::outcome::{Outcome, Path as Way};
use crate::base::seed::Seed;
use crate::base::yaml;
use crate::mesh::{Model, follow};
use crate::outside::Outside;
use serde_json::{Value, json};

fn world() -> Snapshot {
    let mut all: Snapshot = yaml::parse_documents(include_str!("../../../tests/data/mesh/world.yaml")).expect("YAML").into_iter().map(Object).collect();
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
        snapshot,
        options: &Options::default(),
        inputs: Inputs { outside: &outside, now: Time::LOGICAL_START, seed: Seed(1), nth: 1 },
        wishes: &wishes,
        tries: TRIES,
    })
}

#[test]
fn scratch() {
    let world = world();
    assert_eq!(ask(&world), Answer::Fine);
    let mut n = (0, 0, 0);
    for kind in ["ServiceEntry", "Gateway", "DestinationRule", "VirtualService"] {
        let object = world.list("networking.istio.io", kind).next().expect("one").clone();
        for (path, leaf) in leaves(&object.0, &Path::default()) {
            if ["apiVersion", "kind"].contains(&path.to_string().as_str()) { continue; }
            let mut ways = vec![Change::Remove(leaf.clone())];
            match &leaf {
                Value::String(s) => {
                    ways.push(Change::Set { from: leaf.clone(), to: json!(format!("{s}x")) });
                    ways.push(Change::Set { from: leaf.clone(), to: json!(s.to_uppercase()) });
                }
                Value::Number(_) => {
                    for to in [8080, 443, 81] { ways.push(Change::Set { from: leaf.clone(), to: json!(to) }); }
                }
                _ => (),
            }
            for change in ways {
                let edit = Edit::new(&object.key(), path.clone(), change);
                let Some(mutant) = edit.apply(&world) else { continue };
                let start = std::time::Instant::now();
                let answer = ask(&mutant);
                let ms = start.elapsed().as_millis();
                match answer {
                    Answer::Fine => n.0 += 1,
                    Answer::Repairs(all) => {
                        let same = all[0].edits.iter().any(|e| e.object.kind.kind == kind && (e.path == path || e.path == path.parent()|| e.path.parent() == path));
                        if same { n.1 += 1 } else { n.2 += 1 };
                        println!("{} {ms} ms {edit} => {}", if same {"ok "} else {"BAD"}, all.iter().map(|r| format!("[{}] {}", r.cost, r.edits.iter().map(|e| e.to_string()).collect::<Vec<_>>().join(" AND "))).collect::<Vec<_>>().join("\n       "));
                    }
                    Answer::Nothing { tried } => { n.2 += 1; println!("NONE {ms} ms tried {tried} {edit}") }
                }
            }
        }
    }
    println!("{n:?}");
}
