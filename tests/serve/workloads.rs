//! Workloads, budgets, quotas and drains with a real kubectl of this machine, where there is one.

use super::kubectl::{Lab, lab};

/// What a command that has to succeed prints.
#[track_caller]
fn good(lab: &Lab, args: &[&str], stdin: &str) -> String {
    let output = lab.run(args, stdin);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "kubectl {args:?}: {out}{err}");
    out.into_owned()
}

/// What a command that has to fail says.
#[track_caller]
fn bad(lab: &Lab, args: &[&str]) -> String {
    let output = lab.run(args, "");
    assert!(!output.status.success(), "kubectl {args:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const SETS: &str = "
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  serviceName: web
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: 'nginx:1.27'}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: c, image: 'nginx:1.27'}]}
";

#[tokio::test(flavor = "multi_thread")]
async fn sets_roll_out_and_jobs_complete() {
    let Some(lab) = lab().await else { return };
    good(&lab, &["apply", "-f", "-"], SETS);
    assert!(good(&lab, &["rollout", "status", "sts/web", "--timeout=30s"], "").contains("2 new pods have been updated"));
    let said = good(&lab, &["rollout", "status", "ds/agent", "--timeout=30s"], "");
    assert!(said.contains("daemon set \"agent\" successfully rolled out"), "{said}");
    good(&lab, &["set", "image", "sts/web", "c=nginx:1.28"], "");
    good(&lab, &["rollout", "status", "sts/web", "--timeout=30s"], "");
    let history = good(&lab, &["rollout", "history", "sts/web"], "");
    assert!(history.contains("1         <none>\n2         <none>"), "{history}");
    let cron = ["create", "cronjob", "tick", "--image=busybox", "--schedule=0 0 1 1 *", "--", "echo", "hi"];
    good(&lab, &cron, "");
    good(&lab, &["create", "job", "now", "--from=cronjob/tick"], "");
    good(&lab, &["wait", "--for=condition=complete", "job/now", "--timeout=30s"], "");
    assert_eq!(good(&lab, &["logs", "job/now"], ""), "hi\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn quotas_and_budgets_refuse_and_drains_empty_the_node() {
    let Some(lab) = lab().await else { return };
    good(&lab, &["create", "quota", "q1", "--hard=pods=2"], "");
    good(&lab, &["create", "deployment", "web", "--image=nginx:1.27", "--replicas=2"], "");
    good(&lab, &["rollout", "status", "deploy/web", "--timeout=30s"], "");
    let why = bad(&lab, &["run", "third", "--image=nginx"]);
    let words = "pods \"third\" is forbidden: exceeded quota: q1, requested: pods=1, used: pods=2, limited: pods=2";
    assert!(why.contains(words), "{why}");
    good(&lab, &["delete", "quota", "q1"], "");
    good(&lab, &["apply", "-f", "-"], &SETS[SETS.find("---").unwrap_or(0)..]);
    good(&lab, &["rollout", "status", "ds/agent", "--timeout=30s"], "");
    good(&lab, &["create", "pdb", "keep", "--selector=app=web", "--min-available=2"], "");
    let why = bad(&lab, &["drain", "sandbox-node", "--ignore-daemonsets", "--timeout=3s"]);
    assert!(why.contains("Cannot evict pod as it would violate the pod's disruption budget."), "{why}");
    assert!(why.contains("Warning: ignoring DaemonSet-managed Pods: default/agent-"), "{why}");
    good(&lab, &["delete", "pdb", "keep"], "");
    let said = good(&lab, &["drain", "sandbox-node", "--ignore-daemonsets", "--timeout=30s"], "");
    assert!(said.contains("evicting pod default/web-") && said.ends_with("node/sandbox-node drained\n"), "{said}");
    let pods = good(&lab, &["get", "pods", "--no-headers"], "");
    assert!(pods.lines().all(|l| l.starts_with("agent-") == l.contains("Running")), "{pods}");
    let events = good(&lab, &["get", "events"], "");
    assert!(events.contains("0/1 nodes are available: 1 node(s) were unschedulable."), "{events}");
    good(&lab, &["uncordon", "sandbox-node"], "");
    good(&lab, &["rollout", "status", "deploy/web", "--timeout=30s"], "");
}
