//! Waiting for the control workloads on a cluster, and why pods do not run, in the words of whoever holds them up: the scheduler, the
//! node, the image's registry, a controller that may not make them (Kubernetes documentation, "Pod lifecycle").

use super::path::Place;
use super::scribe::{meta, read};
use crate::check::controls;
use crate::k8s::object::{items, text};
use crate::lab::retry::Tiding;
use crate::lab::target::Target;
use anyhow::bail;
use serde_json::Value;
use std::time::Duration;

/// The control workloads are waited for at most so long.
pub(super) const WITHIN: Duration = Duration::from_secs(120);
pub(super) const PAUSE: Duration = Duration::from_millis(200);
/// After this time people are told what is waited for, and again when that is something else.
const TOLD_AFTER: Duration = Duration::from_secs(10);
/// Pods that are named.
const NAMED: usize = 3;

/// Waits until the control workloads run.
///
/// # Errors
/// They do not in time: says which pod, and why. The server cannot be read.
pub async fn for_controls(target: &Target) -> anyhow::Result<()> {
    let client = &target.client;
    let pod = Place::all("", "v1", "pods").within(controls::NAMESPACE).named(controls::OUTSIDE_POD);
    let echo = Place::all("apps", "v1", "deployments").within(controls::NAMESPACE).named(controls::ECHO);
    let (mut waited, mut told, mut waits) = (Duration::ZERO, String::new(), None);
    loop {
        let runs = read(client, &pod).await?.is_some_and(|pod| pod["status"]["phase"] == "Running");
        let echo = read(client, &echo).await?.unwrap_or_default();
        if runs && echo["status"]["availableReplicas"].as_u64().unwrap_or(0) > 0 {
            return Ok(());
        }
        let late = waited >= WITHIN;
        // Reading all pods is for whoever waits long.
        if late || (waited >= TOLD_AFTER && waited.as_millis().is_multiple_of(1_000)) {
            let why = held_up(client, controls::NAMESPACE, &echo).await?;
            if late {
                bail!(
                    "the control workloads in namespace {} do not start within {} s: {why}",
                    controls::NAMESPACE,
                    WITHIN.as_secs()
                );
            }
            if why != told {
                let _ = waits.get_or_insert_with(|| target.tidings.waits());
                target.tidings.say(Tiding::Waiting(format!("waiting for the control workloads: {why}")));
                told = why;
            }
        }
        tokio::time::sleep(PAUSE).await;
        waited += PAUSE;
    }
}

/// What holds up the pods of a namespace, and the deployment.
async fn held_up(client: &kube::Client, namespace: &str, deployment: &Value) -> anyhow::Result<String> {
    let pods = read(client, &Place::all("", "v1", "pods").within(namespace)).await?.unwrap_or_default();
    let mut why: Vec<String> = items(&pods["items"])
        .iter()
        .filter_map(|pod| Some(format!("pod {namespace}/{}: {}", meta(pod, "name"), of_pod(pod)?)))
        .collect();
    why.extend(of_deployment(deployment).map(|reason| format!("deployment {namespace}/{}: {reason}", meta(deployment, "name"))));
    let more = why.len().saturating_sub(NAMED);
    why.truncate(NAMED);
    why.extend((more > 0).then(|| format!("and {more} more")));
    Ok(if why.is_empty() { "no pod has been made yet".into() } else { why.join("; ") })
}

/// Why a pod does not run or is not ready; `None` when it is.
pub fn of_pod(pod: &Value) -> Option<String> {
    let status = &pod["status"];
    let condition = |kind: &str| items(&status["conditions"]).iter().find(|condition| condition["type"] == kind);
    if condition("Ready").is_some_and(|ready| ready["status"] == "True") {
        return None;
    }
    let containers = ["initContainerStatuses", "containerStatuses"].iter().flat_map(|field| items(&status[*field]));
    if let Some(reason) = containers.filter_map(of_container).next() {
        return Some(reason);
    }
    if let Some(refused) = condition("PodScheduled").filter(|condition| condition["status"] == "False") {
        return Some(format!("not scheduled: {}", sentence(refused)));
    }
    let node = text(&pod["spec"]["nodeName"]);
    Some(match (text(&status["phase"]), node) {
        ("Pending" | "", "") => "no scheduler has looked at it".into(),
        ("Pending" | "", node) => format!("node {node} has not started it"),
        ("Running", _) => "runs and is not ready".into(),
        (phase, _) => format!("{phase} {}", sentence(status)).trim_end().to_string(),
    })
}

fn of_container(container: &Value) -> Option<String> {
    let name = text(&container["name"]);
    let (waiting, ended) = (&container["state"]["waiting"], &container["state"]["terminated"]);
    match (waiting.is_object(), ended.is_object()) {
        // These are on their way.
        (true, _) if matches!(text(&waiting["reason"]), "ContainerCreating" | "PodInitializing") => None,
        (true, _) => Some(format!("container {name}: {}", sentence(waiting))),
        (_, true) if ended["exitCode"] != 0 => Some(format!("container {name} ended with exit code {}", ended["exitCode"])),
        _ => None,
    }
}

/// Why a deployment's controller makes no pods.
fn of_deployment(deployment: &Value) -> Option<String> {
    let failed =
        items(&deployment["status"]["conditions"]).iter().find(|c| c["type"] == "ReplicaFailure" && c["status"] == "True")?;
    Some(sentence(failed))
}

/// `REASON: MESSAGE`, as far as there are any.
fn sentence(value: &Value) -> String {
    match (text(&value["reason"]), text(&value["message"])) {
        ("", message) => message.to_string(),
        (reason, "") => reason.to_string(),
        (reason, message) => format!("{reason}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(node: &str, status: Value) -> Option<String> {
        of_pod(&json!({"metadata": {"name": "p"}, "spec": {"nodeName": node}, "status": status}))
    }

    #[test]
    fn a_pod_is_held_up_by_whoever_says_so() {
        let unscheduled = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "no nodes available to schedule pods"}]});
        assert_eq!(pod("", unscheduled).unwrap(), "not scheduled: Unschedulable: no nodes available to schedule pods");
        assert_eq!(pod("", json!({"phase": "Pending"})).unwrap(), "no scheduler has looked at it");
        assert_eq!(pod("n1", json!({"phase": "Pending"})).unwrap(), "node n1 has not started it");
        let state = |state: Value| json!({"phase": "Pending", "containerStatuses": [{"name": "c", "state": state}]});
        let pulling = state(json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"x\""}}));
        assert_eq!(pod("n1", pulling).unwrap(), "container c: ImagePullBackOff: Back-off pulling image \"x\"");
        assert_eq!(pod("n1", state(json!({"waiting": {"reason": "ContainerCreating"}}))).unwrap(), "node n1 has not started it");
        assert_eq!(pod("n1", state(json!({"terminated": {"exitCode": 137}}))).unwrap(), "container c ended with exit code 137");
        let evicted = json!({"phase": "Failed", "reason": "Evicted", "message": "the node was low on memory"});
        assert_eq!(pod("n1", evicted).unwrap(), "Failed Evicted: the node was low on memory");
    }

    #[test]
    fn a_ready_pod_is_not_held_up() {
        let ready = |status: &str| json!({"phase": "Running", "conditions": [{"type": "Ready", "status": status}]});
        assert_eq!(pod("n1", ready("True")), None);
        assert_eq!(pod("n1", ready("False")).unwrap(), "runs and is not ready");
    }

    #[test]
    fn a_controller_that_may_make_no_pods_says_so() {
        let conditions =
            json!([{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: q"}]);
        let deployment = json!({"status": {"conditions": conditions}});
        assert_eq!(of_deployment(&deployment).unwrap(), "FailedCreate: exceeded quota: q");
        assert_eq!(of_deployment(&json!({})), None);
    }
}
