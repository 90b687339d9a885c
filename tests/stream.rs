//! Everything that streams: exec, attach, logs, cp, port-forward and debug, by the real kubectl, by kube-rs and by hand.

mod clients;
mod copy;
mod debug;
mod exec;
mod forward;
mod logs;
mod wire;

use crate::seed::kit::Sandbox;

/// Pods of every state: two containers, one that runs no shell, one that is on no node, one that ended, one that restarts for ever.
const PODS: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: two}
spec:
  containers:
  - {name: c, image: busybox, command: [sh, -c, "echo one; echo two >&2; echo three; sleep 100000"]}
  - {name: d, image: nginx}
---
apiVersion: v1
kind: Pod
metadata: {name: bare}
spec: {containers: [{name: bare, image: hashicorp/http-echo}]}
---
apiVersion: v1
kind: Pod
metadata: {name: pp}
spec: {nodeSelector: {disk: none}, containers: [{name: c, image: busybox}]}
---
apiVersion: v1
kind: Pod
metadata: {name: done}
spec: {restartPolicy: Never, containers: [{name: c, image: busybox, command: [sh, -c, "echo bye; exit 3"]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: crash}
spec: {containers: [{name: c, image: busybox, command: [sh, -c, "echo oh; exit 1"]}]}
"#;

/// A sandbox with those pods, each in its state.
fn sandbox() -> Option<Sandbox> {
    let sandbox = Sandbox::start(&[])?;
    sandbox.apply(PODS);
    for pod in ["two", "bare"] {
        sandbox.k(&["wait", "--for=condition=Ready", &format!("pod/{pod}"), "--timeout=20s"]);
    }
    sandbox.until(&["get", "pod", "done", "-ojsonpath={.status.phase}"], |phase| phase == "Failed");
    let path = "-ojsonpath={.status.containerStatuses[0].state.waiting.reason}";
    sandbox.until(&["get", "pod", "crash", path], |reason| reason == "CrashLoopBackOff");
    Some(sandbox)
}

/// What kubectl prints when an upgrade is refused by the API server, which differs between old and new ones.
fn refused(sandbox: &Sandbox, reason: &str, message: &str) -> String {
    match sandbox.is_new() {
        true => format!("error: unable to upgrade connection: {message}\n"),
        false => format!("Error from server ({reason}): {message}\n"),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
