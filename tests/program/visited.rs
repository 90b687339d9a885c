//! `check`, `hint` and `reset` from another terminal, while a lesson is open on the same world.

use super::{Home, finish, text};
use std::io::{BufRead, BufReader, Write};
use std::process::{Output, Stdio};

#[test]
fn another_terminal_reaches_the_open_world_and_leaves_no_trace() {
    let home = Home::new();
    let mut learn = home.command(&["learn", "--plain", "--from", "still-closed"]);
    let mut learn = learn.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdin = learn.stdin.take().unwrap();
    let mut out = BufReader::new(learn.stdout.take().unwrap());
    let mut ask = |line: &str| {
        writeln!(stdin, "{line}; echo the-end").unwrap();
        let mut said = String::new();
        loop {
            let mut line = String::new();
            assert!(out.read_line(&mut line).unwrap() > 0, "the lab ended:\n{said}");
            if line.trim() == "the-end" {
                return said;
            }
            said.push_str(&line);
        }
    };
    ask("kubectl get serviceentries");
    let before = ask("kubectl logs test -c istio-proxy");

    let checked = finish(home.command(&["check", "--step", "complete-the-entry"]), "", 60);
    let said = format!("{}{}", text(&checked.stdout), text(&checked.stderr));
    assert_eq!(checked.status.code(), Some(0), "{said}");
    assert!(said.contains("PASS"), "{said}");
    let checked = finish(home.command(&["check", "--step", "route-through-the-gateway", "--json"]), "", 60);
    assert_eq!(checked.status.code(), Some(1), "{}", text(&checked.stderr));
    assert_eq!(ask("kubectl logs test -c istio-proxy"), before, "a check left a line in the learner's log");
    assert!(!ask("kubectl get namespaces").contains("lab-control"));

    let hints: Vec<String> = (0..2).map(|_| text(&finish(home.command(&["hint"]), "", 20).stdout)).collect();
    assert!(hints[0].contains("Hint 1 of 3: where to look") && hints[1].contains("Hint 2 of 3"), "{hints:?}");

    let reset = finish(home.command(&["reset", "--yes", "--step", "run-test-pod"]), "", 60);
    assert!(reset.status.success(), "{}", text(&reset.stderr));
    let left = ask("kubectl get pods; kubectl get serviceentries -A");
    assert!(left.trim().is_empty(), "the world was not put back: {left}");
    assert!(ask("kubectl get pods -n istio-system").contains("istiod"));
    drop(stdin);
    assert!(learn.wait().unwrap().success());
}

/// Each lesson has its world and its place: what is done in one is not seen in the other, and other commands mean the one worked on.
#[test]
fn two_lessons_do_not_meet() {
    let home = Home::new();
    let said = |output: &Output| format!("{}{}", text(&output.stdout), text(&output.stderr));
    let first = home.run(&["learn", "control-external-egress", "--plain", "--from", "allowed-lines"], "quit\n", 120);
    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
    let second = home.run(&["learn", "fence-a-namespace", "--plain"], "next\nkubectl get pods\nquit\n", 60);
    let told = said(&second);
    assert!(told.contains("No resources found in default namespace."), "the pod of the other lesson is not here:\n{told}");
    assert!(
        told.contains("this lesson has a world of its own; other commands reach it with --world fence-a-namespace"),
        "{told}"
    );
    // Of the lesson that was worked on last, in its world.
    let hint = home.run(&["hint"], "", 60);
    assert!(said(&hint).contains("step 2: A sidecar for one pod"), "{}", said(&hint));
    let check = home.run(&["check"], "", 60);
    assert!(check.status.code() == Some(1) && said(&check).contains("There is no running pod `test`"), "{}", said(&check));
    let other = home.run(&["check", "--step", "complete-the-entry"], "", 60);
    assert_eq!(other.status.code(), Some(0), "the other lesson is where it was:\n{}", said(&other));
    let reset = home.run(&["reset", "--step", "close-the-namespace", "--yes"], "", 60);
    assert!(said(&reset).contains("at the start of step 4: A Sidecar closes the namespace"), "{}", said(&reset));
}
