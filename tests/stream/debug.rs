use super::{sandbox, text};

#[test]
fn debug_adds_a_container_that_runs() {
    let Some(sandbox) = sandbox() else { return };
    let debug = ["debug", "two", "--profile=general", "--image=busybox"];
    let mut terminal = sandbox.terminal(&[&debug[..], &["-it", "-c", "dbg", "--target=c", "--", "sh"]].concat());
    terminal.see("/ # ");
    assert!(terminal.line("echo in $HOSTNAME", "/ # ").contains("in two"));
    terminal.keys("exit 4\r");
    terminal.end();
    let state = "-ojsonpath={.status.ephemeralContainerStatuses[?(@.name==\"dbg\")].state.terminated.exitCode}";
    sandbox.until(&["get", "pod", "two", state], |code| code == "4");
    assert!(sandbox.k(&["logs", "two", "-c", "dbg"]).contains("in two"));
    let target = "-ojsonpath={.spec.ephemeralContainers[0].targetContainerName} {.spec.ephemeralContainers[0].imagePullPolicy}";
    assert_eq!(sandbox.k(&["get", "pod", "two", target]), "c Always");
    // Without a terminal it runs by itself; its files are its own; it can be joined like any other.
    sandbox.k(&[&debug[..], &["-c", "side", "--", "sleep", "100000"]].concat());
    let running = "-ojsonpath={.status.ephemeralContainerStatuses[?(@.name==\"side\")].state.running.startedAt}";
    sandbox.until(&["get", "pod", "two", running], |at| !at.is_empty());
    assert_eq!(sandbox.k(&["exec", "two", "-c", "side", "--", "sh", "-c", "echo x > /tmp/x; cat /tmp/x"]), "x\n");
    assert!(!sandbox.kubectl(&["exec", "two", "-c", "c", "--", "cat", "/tmp/x"], b"").status.success());
    assert_eq!(
        sandbox.k(&["get", "pod", "two", "-ojsonpath={.status.phase} {.status.containerStatuses[*].ready}"]),
        "Running true true"
    );
    let described = sandbox.k(&["describe", "pod", "two"]);
    assert!(described.contains("Ephemeral Containers:\n  dbg:"), "{described}");
}

#[test]
fn a_debug_container_that_does_not_fit_is_refused() {
    let Some(sandbox) = sandbox() else { return };
    let patch = |list: &str| {
        let path = format!("{{\"spec\":{{\"ephemeralContainers\":[{list}]}}}}");
        let output = sandbox.kubectl(&["patch", "pod", "two", "--subresource=ephemeralcontainers", "-p", &path], b"");
        (output.status.success(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
    };
    let plain = sandbox.refused(
        &["patch", "pod", "two", "-p", "{\"spec\":{\"ephemeralContainers\":[{\"name\":\"x\",\"image\":\"busybox\"}]}}"],
        b"",
    );
    assert!(plain.1.contains("spec: Forbidden: pod updates may not change fields other than"), "{}", plain.1);
    let probe = sandbox.kubectl(&["get", "--raw", "/api/v1/namespaces/default/pods/two/ephemeralcontainers"], b"");
    assert!(text(&probe.stdout).contains("\"kind\":\"Pod\""));
    if !patch("{\"name\":\"ok\",\"image\":\"busybox\",\"command\":[\"sleep\",\"1000\"]}").0 {
        println!("SKIPPED --subresource=ephemeralcontainers: this kubectl's patch does not know it");
        return;
    }
    for (list, why) in [
        ("{\"name\":\"c\",\"image\":\"busybox\"}", "spec.ephemeralContainers[0].name: Duplicate value: \"c\""),
        ("{\"name\":\"n\"}", "image: Required value"),
        ("{\"name\":\"n\",\"image\":\"busybox\",\"targetContainerName\":\"zz\"}", "targetContainerName: Not found: \"zz\""),
        (
            "{\"name\":\"n\",\"image\":\"busybox\",\"ports\":[{\"containerPort\":1}]}",
            "ports: Forbidden: cannot be set for an Ephemeral Container",
        ),
        ("{\"name\":\"ok\",\"image\":\"nginx\"}", "existing ephemeral containers \"ok\" may not be changed"),
    ] {
        let (done, said) = patch(list);
        assert!(!done && said.contains(why), "{list}: {said}");
    }
}

#[test]
fn a_copy_of_a_pod_is_debugged() {
    let Some(sandbox) = sandbox() else { return };
    let mut terminal = sandbox.terminal(&[
        "debug",
        "two",
        "-it",
        "--profile=general",
        "--image=busybox",
        "--copy-to=two-debug",
        "-c",
        "dbg",
        "--share-processes",
        "--",
        "sh",
    ]);
    terminal.see("/ # ");
    terminal.keys("exit\r");
    terminal.end();
    let names = sandbox.k(&["get", "pod", "two-debug", "-ojsonpath={.spec.containers[*].name} {.spec.shareProcessNamespace}"]);
    assert_eq!(names, "c d dbg true");
}
