//! A pod's status as the kubelet writes it.

use super::HOST_IP;
use super::images;
use super::life::{Ended, PodLife, Run, State};
use super::spec::{self, Container, Role};
use crate::base::clock::Time;
use crate::k8s::Object;
use serde_json::{Map, Value, json};

/// The status that the pod should have now.
pub fn status(life: &PodLife, pod: &Object, now: Time) -> Value {
    let mut status = Map::new();
    let old = pod.status();
    for kept in ["qosClass", "conditions", "nominatedNodeName", "resourceClaimStatuses"] {
        if !old[kept].is_null() {
            status.insert(kept.into(), old[kept].clone());
        }
    }
    status.entry("qosClass").or_insert_with(|| json!(qos(pod)));
    status.insert("phase".into(), json!(phase(life, pod)));
    status.insert("startTime".into(), json!(life.seen.rfc3339()));
    status.insert("hostIP".into(), json!(HOST_IP));
    status.insert("hostIPs".into(), json!([{"ip": HOST_IP}]));
    status.insert("observedGeneration".into(), pod.at(&["metadata", "generation"]).clone());
    if let Some(ip) = &life.ip {
        status.insert("podIP".into(), json!(ip));
        status.insert("podIPs".into(), json!([{"ip": ip}]));
    }
    let all = spec::containers(pod);
    let of = |roles: &[Role]| -> Vec<Value> {
        all.iter().filter(|c| roles.contains(&c.role)).map(|c| container(c, life.run(c.name()), now)).collect()
    };
    status.insert("containerStatuses".into(), json!(of(&[Role::App])));
    for (key, list) in
        [("initContainerStatuses", of(&[Role::Init, Role::Sidecar])), ("ephemeralContainerStatuses", of(&[Role::Ephemeral]))]
    {
        if !list.is_empty() {
            status.insert(key.into(), json!(list));
        }
    }
    if status["observedGeneration"].is_null() {
        status.remove("observedGeneration");
    }
    conditions(life, pod, &mut status, now);
    Value::Object(status)
}

fn phase(life: &PodLife, pod: &Object) -> &'static str {
    match life.finished {
        Some(true) => return "Succeeded",
        Some(false) => return "Failed",
        None => (),
    }
    let started = life
        .runs
        .values()
        .any(|r| r.role == Role::App && (r.is_running() || r.restarts > 0 || matches!(r.state, State::Ended(_))));
    if started && super::life::initialized(life, pod) || pod.str_at(&["status", "phase"]) == "Running" {
        "Running"
    } else {
        "Pending"
    }
}

/// Guaranteed, Burstable or BestEffort by requests and limits.
fn qos(pod: &Object) -> &'static str {
    let all = spec::containers(pod);
    let has = |c: &Container<'_>, k: &str| c.spec["resources"][k].as_object().is_some_and(|m| !m.is_empty());
    if !all.iter().any(|c| has(c, "requests") || has(c, "limits")) {
        return "BestEffort";
    }
    let full = |c: &Container<'_>| {
        let (limits, requests) = (&c.spec["resources"]["limits"], &c.spec["resources"]["requests"]);
        ["cpu", "memory"].iter().all(|k| !limits[k].is_null() && (requests[k].is_null() || requests[k] == limits[k]))
    };
    if all.iter().all(full) { "Guaranteed" } else { "Burstable" }
}

fn conditions(life: &PodLife, pod: &Object, status: &mut Map<String, Value>, now: Time) {
    let counted = |c: &&Container<'_>| matches!(c.role, Role::App | Role::Sidecar);
    let all = spec::containers(pod);
    let unready: Vec<&str> =
        all.iter().filter(counted).filter(|c| !life.run(c.name()).is_some_and(|r| r.ready)).map(|c| c.name()).collect();
    let waiting: Vec<&str> = all
        .iter()
        .filter(|c| match (c.role, life.run(c.name())) {
            (Role::Init, run) => !run.is_some_and(Run::succeeded),
            (Role::Sidecar, run) => !run.is_some_and(|r| r.started) && life.finished.is_none(),
            _ => false,
        })
        .map(|c| c.name())
        .collect();
    let network = life.ip.is_some() && life.finished.is_none();
    let mut set = |kind: &str, ok: bool, reason: &str, message: String| {
        let mut condition = json!({"type": kind, "status": if ok { "True" } else { "False" }, "lastProbeTime": null});
        if !ok && !reason.is_empty() {
            condition["reason"] = json!(reason);
            if !message.is_empty() {
                condition["message"] = json!(message);
            }
        }
        put(status, condition, &now.rfc3339());
    };
    set("PodReadyToStartContainers", network, "", String::new());
    let incomplete = format!("containers with incomplete status: [{}]", waiting.join(" "));
    set("Initialized", waiting.is_empty(), "ContainersNotInitialized", incomplete);
    let (reason, message) = match life.finished {
        Some(true) => ("PodCompleted", String::new()),
        Some(false) => ("PodFailed", String::new()),
        None => ("ContainersNotReady", format!("containers with unready status: [{}]", unready.join(" "))),
    };
    let ready = unready.is_empty() && life.finished.is_none() && waiting.is_empty();
    set("Ready", ready, reason, message.clone());
    set("ContainersReady", ready, reason, message);
    set("PodScheduled", true, "", String::new());
}

fn put(status: &mut Map<String, Value>, mut wanted: Value, now: &str) {
    let list = status.entry("conditions").or_insert_with(|| json!([]));
    let Some(list) = list.as_array_mut() else { return };
    let old = list.iter().position(|c| c["type"] == wanted["type"]);
    wanted["lastTransitionTime"] = match old {
        Some(i) if list[i]["status"] == wanted["status"] => list[i]["lastTransitionTime"].clone(),
        _ => json!(now),
    };
    match old {
        Some(i) => list[i] = wanted,
        None => list.push(wanted),
    }
}

fn container(container: &Container<'_>, run: Option<&Run>, _now: Time) -> Value {
    let image = container.image();
    let fresh = Run::new(container.role);
    let run = run.unwrap_or(&fresh);
    let known = run.pulled;
    let mut status = json!({
        "name": container.name(),
        "image": if known { images::full_name(image) } else { image.to_string() },
        "imageID": if known { image_id(image) } else { String::new() },
        "restartCount": run.restarts,
        "ready": run.ready || (container.role == Role::Init && run.succeeded()),
        "started": run.started,
        "state": state(&run.state),
        "lastState": run.last.as_ref().map_or(json!({}), |e| json!({"terminated": terminated(e)})),
    });
    if !run.id.is_empty() {
        status["containerID"] = json!(format!("containerd://{}", run.id));
    }
    status
}

/// A digest made of the name: the same image is the same everywhere.
fn image_id(image: &str) -> String {
    let full = images::full_name(image);
    let repository = full.rsplit_once(':').map_or(full.as_str(), |(r, _)| r);
    let part = |n: &str| format!("{:016x}", crate::base::seed::Seed(0).hash(&["image", &full, n]));
    format!("{repository}@sha256:{}", ["1", "2", "3", "4"].map(part).concat())
}

fn state(state: &State) -> Value {
    match state {
        State::Waiting { reason, message } if message.is_empty() => json!({"waiting": {"reason": reason}}),
        State::Waiting { reason, message } => json!({"waiting": {"reason": reason, "message": message}}),
        State::Running { since } => json!({"running": {"startedAt": since.rfc3339()}}),
        State::Ended(ended) => json!({"terminated": terminated(ended)}),
    }
}

fn terminated(ended: &Ended) -> Value {
    let mut value = json!({
        "exitCode": ended.code, "reason": ended.reason,
        "startedAt": ended.started.unwrap_or(Time(0)).rfc3339(), "finishedAt": ended.finished.rfc3339(),
    });
    if !ended.id.is_empty() {
        value["containerID"] = json!(format!("containerd://{}", ended.id));
    }
    if !ended.message.is_empty() {
        value["message"] = json!(ended.message);
    }
    value
}
