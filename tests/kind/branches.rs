//! Every tool by every way in which it can fail people: none of the cells is empty.

use super::faults::{hanging, machine, rows};
use super::preflight::{holds, refused};
use super::world::{There, WITH_DOCKER, WITH_PODMAN, World};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const TOOLS: [&str; 4] = ["docker", "podman", "kind", "istioctl"];
const MISSING: &str = "missing";
const TOO_OLD: &str = "too old";
const HALF_WAY: &str = "fails half-way";
const HANGS: &str = "hangs";
const CTRL_C: &str = "Ctrl-C";
const AFTER_A_CRASH: &str = "second run after a crash";

/// What is looked at before anything is made.
struct Look {
    tool: &'static str,
    branch: &'static str,
    installed: &'static [&'static str],
    /// A file of the world, a text in it, and what stands there instead.
    changed: (&'static str, &'static str, &'static str),
    /// Whether nothing can be made.
    refused: bool,
    said: &'static [&'static str],
}

const fn look(tool: &'static str, branch: &'static str, installed: &'static [&'static str]) -> Look {
    Look { tool, branch, installed, changed: ("kind-version", "", ""), refused: true, said: &[] }
}

const fn old(
    tool: &'static str,
    installed: &'static [&'static str],
    changed: (&'static str, &'static str, &'static str),
) -> Look {
    Look { changed, ..look(tool, TOO_OLD, installed) }
}

const LOOKS: &[Look] = &[
    Look {
        said: &["engine MISSING", "docker was not found", "podman was not found", "next"],
        ..look("docker", MISSING, &["kind", "istioctl", "df"])
    },
    Look { said: &["engine MISSING", "podman was not found", "kind MISSING", "next"], ..look("podman", MISSING, &[]) },
    Look { said: &["kind MISSING", "kind 0.32.0 or newer", "next"], ..look("kind", MISSING, &["docker", "istioctl", "df"]) },
    Look {
        refused: false,
        said: &["istioctl note not found", "is run instead"],
        ..look("istioctl", MISSING, &["docker", "kind", "df"])
    },
    Look {
        said: &["docker 19.03.15, too old", "docker 20.10.0 or newer", "next"],
        ..old("docker", WITH_DOCKER, ("docker-info.json", "\"28.2.2\",\"Sec", "\"19.03.15\",\"Sec"))
    },
    Look {
        said: &["podman 1.6.4, too old", "podman 1.8.0 or newer", "next"],
        ..old("podman", WITH_PODMAN, ("podman-info.json", "\"Version\": \"5.4.2\"", "\"Version\": \"1.6.4\""))
    },
    Look {
        said: &["0.20.0, too old", "kind 0.32.0 or newer", "next"],
        ..old("kind", WITH_DOCKER, ("kind-version", "0.33.0", "0.20.0"))
    },
    Look {
        refused: false,
        said: &["1.20.3, the lessons are for 1.30", "is run instead"],
        ..old("istioctl", WITH_DOCKER, ("istio-version", "1.30.0", "1.20.3"))
    },
];

/// Command lines that hang when Ctrl-C comes.
const HANG: [&str; 4] =
    ["docker build --tag localhost/egress-lab/curl", "podman pull", "kind create cluster", "istioctl install"];

fn tool(begins: &str) -> &str {
    begins.split(' ').next().unwrap()
}

#[test]
fn every_tool_is_tried_in_every_branch() {
    let looked = LOOKS.iter().map(|look| (look.tool.to_string(), look.branch));
    let gone_wrong = rows().into_iter().filter_map(|row| {
        let branch = match row.mode.as_str() {
            "half" | "fails" => HALF_WAY,
            "hangs" => HANGS,
            "crashes" | "crash-before" => AFTER_A_CRASH,
            _ => return None,
        };
        Some((tool(&row.begins).to_string(), branch))
    });
    let interrupted = HANG.iter().map(|begins| (tool(begins).to_string(), CTRL_C));
    let tried: BTreeSet<(String, &str)> = looked.chain(gone_wrong).chain(interrupted).collect();
    for tool in TOOLS {
        for branch in [MISSING, TOO_OLD, HALF_WAY, HANGS, CTRL_C, AFTER_A_CRASH] {
            assert!(tried.contains(&(tool.to_string(), branch)), "{tool}: {branch} is not tried");
        }
    }
}

#[test]
fn what_is_missing_or_too_old_is_named_with_what_to_type() {
    for look in LOOKS {
        let world = World::with(look.installed);
        let (file, before, after) = look.changed;
        let text = world.get(file);
        assert!(text.contains(before), "{} {}: {file} has no {before}", look.tool, look.branch);
        world.set(file, &text.replace(before, after));
        match look.refused {
            true => refused(&world, look.said),
            false => goes_on(&world, look.said),
        }
    }
}

/// Something else is used instead: the cluster is made, with Istio by the pinned image.
fn goes_on(world: &World, words: &[&str]) {
    let said = World::said(&world.up(&["--with-istio"]), 0);
    holds(&said, words);
    let lines = world.log();
    assert!(lines.iter().any(|line| line.contains(" run --rm --network kind ")), "{lines:?}");
    assert!(lines.iter().all(|line| !line.starts_with("istioctl install")), "{lines:?}");
}

fn interrupted(begins: &str) {
    let world = machine(begins);
    let program = world.origin_program();
    let child = hanging(&world, begins, &["--with-istio", "--origin-program", &program]);
    let grandchild = world.get("hanging").trim().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let watch = Instant::now();
    let said = World::said(&child.wait_with_output().unwrap(), 130);
    assert!(watch.elapsed() < Duration::from_secs(10) && said.contains("was interrupted"), "{begins}: {said}");
    assert!(said.contains("`egress-lab kind up` goes on from here; `egress-lab kind down` removes"), "{begins}: {said}");
    std::thread::sleep(Duration::from_millis(100));
    let alive = std::fs::read_to_string(format!("/proc/{grandchild}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    assert!(!alive, "{begins}: its child is still alive");
    world.unset("fault");
    World::said(&world.up(&["--with-istio"]), 0);
    World::said(&world.run(&["down", "--images"]), 0);
    assert_eq!(world.there(), There::new(), "{begins}");
}

#[test]
fn ctrl_c_ends_the_tool_and_its_children_and_a_second_run_goes_on() {
    HANG.iter().for_each(|begins| interrupted(begins));
}
