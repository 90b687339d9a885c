//! `egress-lab kubectl` on a terminal behaves as kubectl does.

use super::kit::Sandbox;
use std::time::Duration;

const RUN: [&str; 7] = ["run", "test", "--image=curlimages/curl:8.1.2", "--restart=Never", "--command", "--", "sh"];

/// A sandbox with a pod `test` whose main process waits.
fn sandbox() -> Option<Sandbox> {
    let lab = Sandbox::start(&["--instant"])?;
    let mut argv = RUN[..6].to_vec();
    argv.extend(["sleep", "3600"]);
    lab.k(&argv);
    lab.k(&["wait", "--for=condition=Ready", "pod/test", "--timeout=20s"]);
    Some(lab)
}

#[test]
fn a_shell_gets_every_key_and_the_terminal_is_given_back() {
    let Some(lab) = sandbox() else { return };
    let mut shell = lab.lab_terminal(&["kubectl", "exec", "-ti", "test", "--", "/bin/sh"]);
    shell.see("$ ");
    assert!(!shell.flags().contains("ICANON"), "{}", shell.flags());
    assert_eq!(shell.line("echo a$((40+2))b", "~ $ "), "a42b\r\n");
    shell.keys("cat\r");
    shell.see("cat\r\n");
    shell.keys("again\r");
    shell.see("again\r\n");
    shell.keys("\u{3}");
    shell.see("^C\r\n");
    shell.see("~ $ ");
    shell.resize(100, 30);
    let seen = shell.line("curl --head -L http://www.wikipedia.org", "~ $ ");
    assert!(seen.contains("HTTP/1.1 301 ") && seen.contains("HTTP/2 200"), "{seen}");
    shell.keys("exit 3\r");
    shell.see("exit 3\r\n");
    let (rest, code) = shell.end();
    assert_eq!((rest.as_str(), code), ("command terminated with exit code 3\r\n", 3));
    assert!(shell.flags().contains("ICANON") && shell.flags().contains("ECHO"), "{}", shell.flags());
}

#[test]
fn a_terminal_is_given_back_on_sigterm() {
    let Some(lab) = sandbox() else { return };
    let mut shell = lab.lab_terminal(&["kubectl", "exec", "-ti", "test", "--", "/bin/sh"]);
    shell.see("$ ");
    shell.terminate();
    let (_, code) = shell.end();
    assert_eq!(code, 143);
    assert!(shell.flags().contains("ICANON"), "{}", shell.flags());
}

#[test]
fn a_wait_ends_with_ctrl_c() {
    let Some(lab) = sandbox() else { return };
    for words in [vec!["logs", "-f", "test"], vec!["get", "pods", "-w"], vec!["exec", "-i", "test", "--", "cat"]] {
        let mut waiting = lab.lab_terminal(&[vec!["kubectl"], words.clone()].concat());
        if words[0] == "get" {
            waiting.see("test   1/1     Running");
        }
        // Until it waits; before that Ctrl-C ends it as well.
        std::thread::sleep(Duration::from_millis(300));
        waiting.keys("\u{3}");
        let (rest, code) = waiting.end();
        assert_eq!(code, 130, "{words:?}: {rest}");
    }
}

#[test]
fn a_pod_is_run_on_a_terminal_and_removed() {
    let Some(lab) = Sandbox::start(&["--instant"]) else { return };
    let run = ["kubectl", "run", "tmp", "--image=busybox", "-it", "--rm", "--restart=Never", "--", "sh"];
    let mut shell = lab.lab_terminal(&run);
    shell.see("# ");
    shell.line("echo a$((40+2))b", "# ");
    shell.keys("exit\r");
    shell.see("pod \"tmp\" deleted from default namespace\r\n");
    assert_eq!(shell.end().1, 0);
}

#[test]
fn what_a_command_changes_in_the_contexts_is_kept() {
    let Some(lab) = Sandbox::start(&["--instant"]) else { return };
    let said = lab.lab(&["kubectl", "config", "set-context", "--current", "--namespace=kube-system"]);
    assert_eq!(said, "Context \"sandbox\" modified.\n");
    assert_eq!(lab.k(&["config", "view", "--minify", "-ojsonpath={..namespace}"]), "kube-system");
    assert!(lab.lab(&["kubectl", "get", "serviceaccounts"]).contains("default"));
    lab.lab(&["kubectl", "create", "configmap", "here"]);
    assert_eq!(lab.k(&["get", "configmap", "here", "-n", "kube-system", "-oname"]), "configmap/here\n");
    lab.k(&["config", "set-context", "--current", "--namespace=default"]);
    assert_eq!(lab.lab(&["kubectl", "get", "configmap", "-oname"]), "configmap/kube-root-ca.crt\n");
}
