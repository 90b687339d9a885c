//! Everything that can go wrong half-way, row by row; two at the same time.

use super::world::{DATA, There, World, is_look};
use crate::program::text;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

pub struct Row {
    pub mode: String,
    pub begins: String,
    code: i32,
    said: String,
}

pub fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(std::path::Path::new(DATA).join("faults.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [mode, begins, code, said] = cells[..] else { panic!("{line}") };
        Row { mode: mode.into(), begins: begins.into(), code: code.parse().unwrap(), said: said.into() }
    };
    lines.map(row).collect()
}

/// A machine with the engine that a command line is about.
pub fn machine(begins: &str) -> World {
    if begins.starts_with("podman ") { World::podman() } else { World::new() }
}

/// What is there after a run in which nothing went wrong.
fn whole() -> (There, Vec<String>) {
    let world = World::new();
    World::said(&world.up(&["--with-istio"]), 0);
    (world.there(), world.names())
}

fn one(row: &Row, whole: &(There, Vec<String>)) {
    let what = format!("{} at {}", row.mode, row.begins);
    let world = machine(&row.begins);
    world.breaks(&row.mode, &row.begins);
    let output = world.up(&["--with-istio", "--deadline", "700ms"]);
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    let code = output.status.code().or_else(|| output.status.signal().map(|signal| 128 + signal));
    assert_eq!(code, Some(row.code), "{what}\n{said}");
    assert!(said.contains(&row.said), "{what}: {:?} was not said\n{said}", row.said);
    assert!(row.code == 137 || said.contains("goes on from here"), "{what}: what next?\n{said}");
    world.unset("fault");
    World::said(&world.up(&["--with-istio"]), 0);
    assert_eq!((world.there(), world.names()), *whole, "{what}: after the second run");
    assert!(!world.state("build").exists() && !world.state("images.tar").exists(), "{what}: keys were left behind");
    World::said(&world.run(&["down", "--images"]), 0);
    assert_eq!(world.there(), There::new(), "{what}: after down");
}

#[test]
fn a_second_run_goes_on_wherever_the_first_was_cut_off() {
    let (rows, whole) = (rows(), whole());
    assert!(rows.len() >= 30 && whole.1.contains(&"www.wikipedia.org".to_string()));
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    one(row, &whole);
                }
            });
        }
    });
}

/// `down` of whatever a run that was cut off has left, without a second `up`.
#[test]
fn down_after_half_an_up_leaves_nothing() {
    for row in rows().iter().filter(|row| matches!(row.mode.as_str(), "half" | "crashes")) {
        let world = machine(&row.begins);
        world.breaks(&row.mode, &row.begins);
        world.up(&["--with-istio"]);
        world.unset("fault");
        World::said(&world.run(&["down", "--images"]), 0);
        assert_eq!(world.there(), There::new(), "{} at {}", row.mode, row.begins);
        let left: Vec<_> = std::fs::read_dir(world.state("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["lock"], "{} at {}", row.mode, row.begins);
    }
}

#[test]
fn a_down_that_is_cut_off_goes_on() {
    let world = World::new();
    World::said(&world.up(&[]), 0);
    world.breaks("fails", "kind delete cluster");
    let said = World::said(&world.run(&["down"]), 4);
    assert!(said.contains("`egress-lab kind down` goes on from here"), "{said}");
    world.unset("fault");
    World::said(&world.run(&["down", "--images"]), 0);
    assert_eq!(world.there(), There::new());
}

#[test]
fn a_second_run_of_what_is_whole_runs_nothing() {
    let world = World::new();
    World::said(&world.up(&["--with-istio"]), 0);
    let before = (world.there(), world.names());
    world.log();
    let said = World::said(&world.up(&["--with-istio"]), 0);
    let ran: Vec<String> = world.log().into_iter().filter(|line| !is_look(line)).collect();
    assert!(
        ran.is_empty() && said.contains("finished earlier") && said.contains("The names stand there already."),
        "{ran:?}\n{said}"
    );
    assert_eq!((world.there(), world.names()), before);
}

#[test]
fn after_a_restart_of_the_machine_node_and_origins_are_started_and_named_anew() {
    let world = World::new();
    World::said(&world.up(&[]), 0);
    let whole = (world.there(), world.names());
    let map = world.get("coredns.json");
    for name in ["egress-lab-control-plane", "egress-lab-origin-wikimedia"] {
        let path = format!("containers/{name}");
        world.set(&path, &world.get(&path).replace("running", "exited"));
    }
    let said = World::said(&world.run(&["status"]), 4);
    assert!(said.contains("its node is exited") && said.contains("egress-lab kind up"), "{said}");
    World::said(&world.up(&[]), 0);
    assert_eq!((world.there(), world.names()), whole);
    assert_ne!(world.get("coredns.json"), map, "the new container has a new address");
    World::said(&world.run(&["status"]), 0);
}

/// Starts `kind up` that hangs where a command line begins so.
pub fn hanging(world: &World, begins: &str, args: &[&str]) -> std::process::Child {
    world.breaks("hangs", begins);
    let mut command = world.command(&[&["up", "--force"], args].concat());
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    while world.get("hanging").trim().is_empty() {
        assert!(Instant::now() < end, "{begins} was never started");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

#[test]
fn two_at_the_same_time_do_not_meet() {
    let world = World::new();
    let child = hanging(&world, "kind create cluster", &["--internet"]);
    for args in [&["up", "--internet", "--force"][..], &["down"], &["status"]] {
        let said = World::said(&world.run(args), 4);
        assert!(said.contains("another `egress-lab kind` is at work"), "{said}");
    }
    let _ = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    World::said(&child.wait_with_output().unwrap(), 130);
}
