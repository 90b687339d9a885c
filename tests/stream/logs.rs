use super::{sandbox, text};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

#[test]
fn logs_are_cut_as_asked() {
    let Some(sandbox) = sandbox() else { return };
    let logs = |args: &[&str]| sandbox.k(&[&["logs", "two", "-c", "c"], args].concat());
    assert_eq!(logs(&[]), "one\ntwo\nthree\n");
    assert_eq!(logs(&["--tail=1"]), "three\n");
    assert_eq!(logs(&["--tail=0"]), "");
    assert_eq!(logs(&["--limit-bytes=5"]), "one\nt");
    assert_eq!(logs(&["--since=1h"]), "one\ntwo\nthree\n");
    assert_eq!(logs(&["--since-time=2999-01-01T00:00:00Z"]), "");
    let stamped = logs(&["--timestamps"]);
    let (stamp, line) = stamped.lines().next().unwrap().split_once(' ').unwrap();
    assert!(stamp.ends_with('Z') && stamp.len() == "2026-01-01T00:00:00.000000000Z".len(), "{stamp}");
    assert_eq!(line, "one");
    // kubectl asks for them side by side: their order is its own.
    let all = sandbox.k(&["logs", "two", "--all-containers", "--prefix"]);
    assert!(all.contains("[pod/two/c] one\n[pod/two/c] two\n[pod/two/c] three\n"), "{all}");
    assert!(all.contains("[pod/two/d] ") && all.lines().count() == 4, "{all}");
    assert_eq!(sandbox.k(&["logs", "crash"]), "oh\n");
    assert_eq!(sandbox.k(&["logs", "crash", "--previous"]), "oh\n");
    assert_eq!(sandbox.k(&["logs", "done"]), "bye\n");
    assert_eq!(sandbox.k(&["logs", "pp"]), "");
    let defaulted = sandbox.kubectl(&["logs", "two", "--tail=1"], b"");
    assert_eq!(text(&defaulted.stderr), "Defaulted container \"c\" out of: c, d\n");
}

#[test]
fn logs_that_are_not_there_are_refused_in_a_clusters_words() {
    let Some(sandbox) = sandbox() else { return };
    let images = "apiVersion: v1\nkind: Pod\nmetadata: {name: pull}\nspec: {containers: [{name: c, image: nosuch/image}]}\n";
    sandbox.apply(images);
    let path = "-ojsonpath={.status.containerStatuses[0].state.waiting.reason}";
    sandbox.until(&["get", "pod", "pull", path], |reason| reason == "ImagePullBackOff");
    let valid = match sandbox.is_new() {
        true => "error: container zz is not valid for pod two out of: c, d\n",
        false => "error: container zz is not valid for pod two\n",
    };
    for (args, why) in [
        (&["two", "-c", "zz"][..], valid),
        (&["done", "-p"], "Error from server (BadRequest): previous terminated container \"c\" in pod \"done\" not found\n"),
        (
            &["pull"],
            "Error from server (BadRequest): container \"c\" in pod \"pull\" is waiting to start: trying and failing to pull image\n",
        ),
        (&["nosuch"], "error: error from server (NotFound): pods \"nosuch\" not found in namespace \"default\"\n"),
    ] {
        assert_eq!(sandbox.refused(&[&["logs"], args].concat(), b""), (1, why.to_string()), "{args:?}");
    }
    let raw =
        |query: &str| sandbox.refused(&["get", "--raw", &format!("/api/v1/namespaces/default/pods/two/log?{query}")], b"").1;
    for (query, why) in [
        ("", "a container name must be specified for pod two, choose one of: [c d]"),
        ("container=c&tailLines=-1", "tailLines: Invalid value: -1: must be greater than or equal to 0"),
        ("container=c&limitBytes=0", "limitBytes: Invalid value: 0: must be greater than 0"),
        ("container=c&sinceSeconds=0", "sinceSeconds: Invalid value: 0: must be greater than 0"),
        (
            "container=c&sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z",
            "at most one of `sinceTime` or `sinceSeconds` may be specified",
        ),
        ("container=c&tailLines=x", "strconv.ParseInt: parsing \"x\": invalid syntax"),
        ("container=c&stream=Both", "stream: Unsupported value: \"Both\": supported values: \"All\", \"Stderr\", \"Stdout\""),
        ("container=c&stream=Stdout", "not simulated here: logs of Stdout alone"),
    ] {
        let said = raw(query);
        assert!(said.contains(why), "{query}: {said}");
    }
}

#[test]
fn a_followed_log_ends_with_its_container() {
    let Some(sandbox) = sandbox() else { return };
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: slow, labels: {app: slow}}\nspec: {restartPolicy: Never, containers: [{name: c, image: busybox, command: [sh, -c, 'for i in 1 2 3; do echo $i; sleep 1; done']}]}\n";
    sandbox.apply(pod);
    sandbox.k(&["wait", "--for=condition=Ready", "pod/slow", "--timeout=20s"]);
    let mut follow = sandbox.command(&["logs", "-f", "slow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.by_ref().take(2).collect::<Vec<_>>(), ["1", "2"]);
    let phase = sandbox.k(&["get", "pod", "slow", "-ojsonpath={.status.phase}"]);
    assert_eq!(phase, "Running", "lines come while the container runs");
    assert_eq!(lines.collect::<Vec<_>>(), ["3"]);
    assert!(follow.wait().unwrap().success());
    assert_eq!(sandbox.k(&["logs", "-f", "slow", "--tail=1"]), "3\n");
    assert_eq!(sandbox.k(&["logs", "-l", "app=slow", "--prefix", "--tail=1"]), "[pod/slow/c] 3\n");
    // Between two runs there is nothing to follow.
    assert_eq!(sandbox.k(&["logs", "-f", "crash"]), "oh\n");
}
