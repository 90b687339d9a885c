//! With a real kubectl of this machine, where there is one.

use super::{POD, WALL, handle, server};
use crate::seed::kit::Terminal;
use egress_lab::sandbox::serve::{Handle, Server};
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A served sandbox and a real kubectl.
pub struct Lab {
    kubectl: PathBuf,
    server: Server,
    folder: tempfile::TempDir,
    _handle: Handle,
}

/// `None`, and a line that says why, where there is no kubectl.
pub async fn lab() -> Option<Lab> {
    let kubectl = match crate::real::kubectl() {
        Ok(kubectl) => kubectl,
        Err(why) => {
            println!("SKIPPED kubectl: {why}");
            return None;
        }
    };
    let handle = handle(WALL);
    let (server, folder) = server(&handle).await;
    Some(Lab { kubectl, server, folder, _handle: handle })
}

impl Lab {
    fn command(&self, args: &[&str]) -> Command {
        self.program(&self.kubectl, args)
    }

    /// A program that talks to the sandbox.
    pub fn program(&self, program: impl AsRef<OsStr>, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).env("KUBECONFIG", self.server.kubeconfig()).env("KUBECACHEDIR", self.folder.path().join("cache"));
        command.env("HOME", self.folder.path()).env_remove("HTTPS_PROXY").env_remove("https_proxy");
        command
    }

    fn terminal(&self, args: &[&str]) -> Terminal {
        let cache = self.folder.path().join("cache");
        let environment =
            [("KUBECONFIG", self.server.kubeconfig().into()), ("KUBECACHEDIR", cache), ("HOME", self.folder.path().into())];
        Terminal::open(&self.kubectl, args, &environment)
    }

    pub fn run(&self, args: &[&str], stdin: &str) -> Output {
        let piped = self.command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = piped.unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// Standard output of a command that has to succeed.
    pub fn ok(&self, args: &[&str], stdin: &str) -> String {
        let output = self.run(args, stdin);
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {args:?}: {err}");
        String::from_utf8(output.stdout).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_makes_runs_and_deletes_a_pod() {
    let Some(lab) = lab().await else { return };
    tokio::task::spawn_blocking(move || {
        assert!(lab.ok(&["version"], "").contains("Server Version: v1.36.2"));
        assert_eq!(lab.ok(&["apply", "-f", "-"], POD), "pod/test created\n");
        assert_eq!(lab.ok(&["wait", "--for=condition=Ready", "pod/test", "--timeout=10s"], ""), "pod/test condition met\n");
        let table = lab.ok(&["get", "pods"], "");
        assert!(table.lines().nth(1).unwrap().starts_with("test   1/1     Running   0 "), "{table}");
        assert_eq!(lab.ok(&["exec", "test", "--", "echo", "hi"], ""), "hi\n");
        assert_eq!(lab.ok(&["exec", "-i", "test", "--", "sh"], "echo piped\n"), "piped\n");
        let failed = lab.run(&["exec", "test", "--", "sh", "-c", "echo bad >&2; exit 7"], "");
        assert_eq!(failed.status.code(), Some(7));
        assert_eq!(String::from_utf8_lossy(&failed.stderr), "bad\ncommand terminated with exit code 7\n");
        let missing = lab.run(&["exec", "test", "--", "bash"], "");
        assert_eq!(missing.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&missing.stderr).contains("exec: \"bash\": executable file not found in $PATH"));
        let nowhere = lab.run(&["exec", "nosuch", "--", "sh"], "");
        assert!(String::from_utf8_lossy(&nowhere.stderr).contains("pods \"nosuch\" not found"));
        lab.ok(&["exec", "test", "--", "curl", "-s", "http://a.test"], "");
        assert_eq!(lab.ok(&["logs", "test"], ""), "request 1 to a.test\n");
        let begun = Instant::now();
        let gone = lab.ok(&["delete", "pod", "test", "--now"], "");
        // From 1.34 on kubectl also says from where.
        assert_eq!(gone.replace(" from default namespace", ""), "pod \"test\" deleted\n");
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    })
    .await
    .unwrap();
}

const WEB: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "nginx:1.29"}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80}]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_rolls_a_deployment() {
    let Some(lab) = lab().await else { return };
    tokio::task::spawn_blocking(move || {
        assert_eq!(lab.ok(&["apply", "-f", "-"], WEB), "deployment.apps/web created\nservice/web created\n");
        assert!(lab.ok(&["rollout", "status", "deploy/web", "--timeout=20s"], "").ends_with("successfully rolled out\n"));
        assert_eq!(lab.ok(&["apply", "-f", "-"], WEB), "deployment.apps/web unchanged\nservice/web unchanged\n");
        lab.ok(&["set", "image", "deploy/web", "web=nginx:1.30"], "");
        lab.ok(&["rollout", "status", "deploy/web", "--timeout=20s"], "");
        let history = lab.ok(&["rollout", "history", "deploy/web"], "");
        assert!(history.contains("\n1 ") && history.contains("\n2 "), "{history}");
        lab.ok(&["rollout", "undo", "deploy/web"], "");
        lab.ok(&["rollout", "status", "deploy/web", "--timeout=20s"], "");
        assert_eq!(lab.ok(&["get", "deploy", "web", "-ojsonpath={.spec.template.spec.containers[0].image}"], ""), "nginx:1.29");
        lab.ok(&["scale", "deploy/web", "--replicas=3"], "");
        lab.ok(&["wait", "--for=jsonpath={.status.readyReplicas}=3", "deploy/web", "--timeout=20s"], "");
        let addresses = lab.ok(&["get", "endpoints", "web", "-ojsonpath={.subsets[0].addresses[*].ip}"], "");
        assert_eq!(addresses.split(' ').count(), 3, "{addresses}");
        lab.ok(&["delete", "deploy/web"], "");
        lab.ok(&["wait", "--for=delete", "pod", "-lapp=web", "--timeout=20s"], "");
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_follows_and_watches() {
    let Some(lab) = lab().await else { return };
    tokio::task::spawn_blocking(move || {
        lab.ok(&["apply", "-f", "-"], POD);
        lab.ok(&["wait", "--for=condition=Ready", "pod/test", "--timeout=10s"], "");
        let mut follow = lab.command(&["logs", "-f", "test"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut watch = lab.command(&["get", "pods", "-w"]).stdout(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(500));
        lab.ok(&["exec", "test", "--", "curl", "-s", "http://a.test"], "");
        lab.ok(&["delete", "pod", "test"], "");
        let mut text = String::new();
        follow.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), follow.wait().unwrap().success()), ("request 1 to a.test\n", true));
        std::thread::sleep(Duration::from_millis(500));
        watch.kill().unwrap();
        let mut text = String::new();
        watch.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(text.contains("Running") && text.contains("Terminating"), "{text}");
        watch.wait().unwrap();
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_opens_a_shell_on_a_terminal() {
    let Some(lab) = lab().await else { return };
    tokio::task::spawn_blocking(move || {
        lab.ok(&["apply", "-f", "-"], POD);
        lab.ok(&["wait", "--for=condition=Ready", "pod/test", "--timeout=10s"], "");
        let mut terminal = lab.terminal(&["exec", "-ti", "test", "--", "sh"]);
        terminal.see("$ ");
        terminal.keys("echo a$((40+2))b\r");
        terminal.see("a42b");
        terminal.see("$ ");
        terminal.keys("sleep 60\r");
        std::thread::sleep(Duration::from_millis(300));
        terminal.keys("\u{3}");
        terminal.see("$ ");
        terminal.keys("exit 3\r");
        assert_eq!(terminal.end().1, 3);
        let mut terminal = lab.terminal(&["exec", "-ti", "test", "--", "bash"]);
        terminal.see("executable file not found in $PATH");
        assert_eq!(terminal.end().1, 1);
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_runs_a_pod_on_a_terminal_and_removes_it() {
    let Some(lab) = lab().await else { return };
    tokio::task::spawn_blocking(move || {
        let run = ["run", "tmp", "--image=busybox", "-it", "--rm", "--restart=Never", "--", "sh"];
        let mut terminal = lab.terminal(&run);
        terminal.see("# ");
        terminal.keys("echo a$((40+2))b\r");
        terminal.see("a42b");
        terminal.see("# ");
        terminal.keys("exit\r");
        terminal.see("pod \"tmp\" deleted");
        assert_eq!(terminal.end().1, 0);
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_empties_a_namespace_and_waits_for_a_node() {
    let Some(lab) = lab().await else { return };
    tokio::task::spawn_blocking(move || {
        lab.ok(&["create", "namespace", "lab"], "");
        assert!(lab.ok(&["get", "serviceaccounts,configmaps", "-n", "lab", "-oname"], "").contains("kube-root-ca.crt"));
        lab.ok(&["apply", "-n", "lab", "-f", "-"], WEB);
        lab.ok(&["rollout", "-n", "lab", "status", "deploy/web", "--timeout=20s"], "");
        lab.ok(&["delete", "namespace", "lab", "--timeout=20s"], "");
        assert!(!lab.run(&["get", "namespace", "lab"], "").status.success());

        lab.ok(&["cordon", "sandbox-node"], "");
        lab.ok(&["apply", "-f", "-"], POD);
        let why = lab.ok(&["get", "events", "--field-selector=reason=FailedScheduling", "-ojsonpath={.items[*].message}"], "");
        assert!(why.starts_with("0/1 nodes are available: 1 node(s) were unschedulable."), "{why}");
        lab.ok(&["uncordon", "sandbox-node"], "");
        lab.ok(&["wait", "--for=condition=Ready", "pod/test", "--timeout=10s"], "");
    })
    .await
    .unwrap();
}
