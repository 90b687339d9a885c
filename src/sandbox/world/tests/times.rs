//! Clocks, and how long calls take.

use super::*;
use crate::base::clock::Stopwatch;

#[test]
fn an_instant_world_moves_a_second_per_write_and_a_frozen_one_stands() {
    let mut world = world();
    let before = world.now();
    ok(get(&mut world, PODS));
    assert_eq!(world.now(), before);
    ok(post(&mut world, MAPS, json!({"metadata": {"name": "a"}})));
    assert_eq!(world.now(), before.plus_ms(1000));
    world.tick(before.plus_ms(3_600_000));
    assert_eq!(world.now(), before.plus_ms(1000));
    let mut frozen = world.fork(world.revision(), Pace::Frozen).expect("kept");
    ok(post(&mut frozen, MAPS, json!({"metadata": {"name": "b"}})));
    assert_eq!(frozen.now(), world.now());
}

#[test]
fn a_wall_world_starts_pods_when_their_time_comes() {
    let config = Config { seed: Seed(1), pace: Pace::Wall { real_time: false }, start: Time(1_000_000) };
    let mut world = World::new(config, parts(Vec::new()));
    while let Some(due) = world.next_due() {
        world.tick(due);
    }
    ok(post(&mut world, PODS, pod("a")));
    assert!(!world.settled());
    assert_ne!(ok(get(&mut world, &format!("{PODS}/a")))["status"]["phase"], "Running");
    let start = world.now();
    for _ in 0..100 {
        match world.next_due() {
            Some(due) => world.tick(due),
            None => break,
        }
    }
    assert_eq!(ok(get(&mut world, &format!("{PODS}/a")))["status"]["phase"], "Running");
    assert!(world.now().since(start) <= 1_500, "took {} ms", world.now().since(start));
}

/// Generous bounds (ten times the target) so that a busy machine does not fail them; they catch a wrong order of growth.
#[test]
fn calls_are_quick() {
    let mut world = world();
    ok(post(&mut world, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", super::custom::definition()));
    let clock = Stopwatch::start();
    for i in 0..100 {
        ok(post(&mut world, MAPS, json!({"metadata": {"name": format!("m{i}")}})));
    }
    assert!(clock.elapsed_ms() < 4_000, "100 writes took {} ms", clock.elapsed_ms());
    let clock = Stopwatch::start();
    for i in 0..100 {
        ok(get(&mut world, &format!("{MAPS}/m{i}")));
    }
    assert!(clock.elapsed_ms() < 1_000, "100 reads took {} ms", clock.elapsed_ms());
    let clock = Stopwatch::start();
    for i in 0..10 {
        let entry = json!({"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": {"name": format!("e{i}")}, "spec": {"hosts": ["a.example"]}});
        ok(post(&mut world, "/apis/networking.istio.io/v1/namespaces/default/serviceentries", entry));
    }
    assert!(clock.elapsed_ms() < 1_000, "10 custom objects took {} ms", clock.elapsed_ms());
}
