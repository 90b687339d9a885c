//! `check`, `hint` and `reset` from another terminal, while a lesson is open on the same world.

use super::{Home, finish, text};
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

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
