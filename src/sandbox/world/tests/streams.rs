//! Watches, forks, resets, saved worlds.

use super::*;
use crate::sandbox::call::{StreamId, StreamOutput};

fn events(world: &mut World, id: StreamId) -> Vec<(String, String)> {
    let mut seen = Vec::new();
    while let StreamOutput::Body(bytes) = world.poll(id) {
        for line in String::from_utf8_lossy(&bytes).lines() {
            let event: Value = serde_json::from_str(line).expect("one JSON object per line");
            let text = |value: &Value| value.as_str().unwrap_or("").to_string();
            seen.push((text(&event["type"]), text(&event["object"]["metadata"]["name"])));
        }
    }
    seen
}

fn pair(kind: &str, name: &str) -> (String, String) {
    (kind.to_string(), name.to_string())
}

#[test]
fn a_watch_tells_what_happens_to_what_it_selects() {
    let mut world = world();
    let id = world.open(&Call::new("GET", &format!("{MAPS}?watch=true&labelSelector=x"))).expect("opens");
    assert_eq!(events(&mut world, id), []);
    ok(post(&mut world, MAPS, json!({"metadata": {"name": "other"}})));
    ok(post(&mut world, MAPS, json!({"metadata": {"name": "a", "labels": {"x": "1"}}})));
    ok(patch(&mut world, &format!("{MAPS}/a"), "merge-patch+json", json!({"data": {"k": "v"}})));
    ok(patch(&mut world, &format!("{MAPS}/a"), "merge-patch+json", json!({"metadata": {"labels": {"x": null}}})));
    assert_eq!(events(&mut world, id), [pair("ADDED", "a"), pair("MODIFIED", "a"), pair("DELETED", "a")]);
    world.close(id);
    assert_eq!(world.poll(id), StreamOutput::End);
}

#[test]
fn a_watch_list_ends_its_first_part_with_a_bookmark_and_a_watch_resumes() {
    let mut world = world();
    ok(post(&mut world, MAPS, json!({"metadata": {"name": "a"}})));
    let query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&fieldSelector=metadata.name%3Da";
    let id = world.open(&Call::new("GET", &format!("{MAPS}?{query}"))).expect("opens");
    assert_eq!(events(&mut world, id), [pair("ADDED", "a"), pair("BOOKMARK", "")]);
    let from = world.revision();
    ok(delete(&mut world, &format!("{MAPS}/a")));
    let id = world.open(&Call::new("GET", &format!("{MAPS}?watch=1&resourceVersion={from}"))).expect("opens");
    assert_eq!(events(&mut world, id), [pair("DELETED", "a")]);
    let refusal = world.open(&Call::new("GET", &format!("{MAPS}?watch=1&sendInitialEvents=true"))).expect_err("422");
    assert_eq!(refusal.status, 422);
}

#[test]
fn a_fork_is_independent_and_a_reset_is_written_forward() {
    let mut world = world();
    ok(post(&mut world, DEPLOYMENTS, deployment("web", 1)));
    let mark = world.pin();
    let before: Vec<Value> = world.snapshot().all().map(|o| o.0.clone()).collect();
    let mut fork = world.fork(mark, Pace::Instant).expect("kept");
    ok(delete(&mut fork, &format!("{DEPLOYMENTS}/web")));
    ok(get(&mut world, &format!("{DEPLOYMENTS}/web")));
    ok(delete(&mut world, &format!("{DEPLOYMENTS}/web")));
    ok(post(&mut world, MAPS, json!({"metadata": {"name": "later"}})));
    let dirty = world.revision();
    assert!(world.reset_to(mark));
    assert!(world.revision() > dirty);
    let strip = |mut o: Value| {
        o["metadata"]["resourceVersion"] = Value::Null;
        o
    };
    let after: Vec<Value> = world.snapshot().all().map(|o| strip(o.0.clone())).collect();
    assert_eq!(after, before.into_iter().map(strip).collect::<Vec<_>>());
}

#[test]
fn a_fork_at_the_head_equals_the_world_and_stays_equal() {
    let mut world = world();
    ok(post(&mut world, PODS, pod("a")));
    let mut fork = world.fork(world.revision(), Pace::Instant).expect("kept");
    for side in [&mut world, &mut fork] {
        ok(post(side, DEPLOYMENTS, deployment("web", 2)));
    }
    let all = |world: &World| world.snapshot().all().map(|o| o.0.clone()).collect::<Vec<_>>();
    assert_eq!(all(&world), all(&fork));
}

#[test]
fn a_saved_world_comes_back_from_snapshot_and_records() {
    let mut world = world();
    ok(post(&mut world, MAPS, json!({"metadata": {"name": "a"}})));
    let saved = world.save();
    world.keep_records();
    ok(post(&mut world, DEPLOYMENTS, deployment("web", 1)));
    ok(delete(&mut world, &format!("{MAPS}/a")));
    let records = world.take_records();
    assert!(records.len() >= 2);
    let text = serde_json::to_string(&(saved, records)).expect("serialises");
    let (saved, records) = serde_json::from_str(&text).expect("reads back");
    let mut back = World::restore(saved, records, Pace::Instant, world.now(), parts(Vec::new()));
    let names_of = |world: &World| world.snapshot().all().map(|o| o.key().to_string()).collect::<Vec<_>>();
    assert_eq!(names_of(&back), names_of(&world));
    assert!(back.revision() >= world.revision());
    assert_eq!(ok(get(&mut back, &format!("{DEPLOYMENTS}/web")))["status"]["readyReplicas"], 1);
}
