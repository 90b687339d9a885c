//! Cells of pods (pkg/printers/internalversion of Kubernetes).

use super::{or, plain};
use crate::base::clock::Time;
use crate::k8s::Object;
use crate::sandbox::api::table::age;
use serde_json::{Value, json};

/// Name, Ready, Status, Restarts, Age, IP, Node, Nominated Node, Readiness Gates.
pub fn cells(o: &Object, now: Time) -> Vec<Value> {
    let statuses = array(o.at(&["status", "containerStatuses"]));
    let init = array(o.at(&["status", "initContainerStatuses"]));
    let sidecars = sidecars(o, init);
    let counted = || statuses.iter().chain(sidecars.iter().copied());
    let total = array(o.at(&["spec", "containers"])).len() + restartable(o).len();
    let ready = counted().filter(|c| c["ready"] == true && !c["state"]["running"].is_null()).count();
    let restarts: i64 = counted().map(|c| c["restartCount"].as_i64().unwrap_or(0)).sum();
    let last = counted().filter_map(|c| c["lastState"]["terminated"]["finishedAt"].as_str()).max();
    let restarts = match last {
        Some(at) if restarts > 0 => format!("{restarts} ({} ago)", age(at, now)),
        _ => restarts.to_string(),
    };
    let none = |path: &[&str]| json!(or(&plain(o.at(path)), "<none>"));
    let gates = array(o.at(&["spec", "readinessGates"]));
    vec![
        json!(o.name()),
        json!(format!("{ready}/{total}")),
        json!(status(o, statuses, init)),
        json!(restarts),
        json!(age(o.str_at(&["metadata", "creationTimestamp"]), now)),
        none(&["status", "podIP"]),
        none(&["spec", "nodeName"]),
        none(&["status", "nominatedNodeName"]),
        json!(if gates.is_empty() { "<none>".to_string() } else { readiness(o, gates) }),
    ]
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Names of init containers that keep running (native sidecars).
fn restartable(o: &Object) -> Vec<&str> {
    let all = array(o.at(&["spec", "initContainers"])).iter();
    all.filter(|c| c["restartPolicy"] == "Always").filter_map(|c| c["name"].as_str()).collect()
}

fn sidecars<'a>(o: &Object, init: &'a [Value]) -> Vec<&'a Value> {
    let names = restartable(o);
    init.iter().filter(|c| c["name"].as_str().is_some_and(|name| names.contains(&name))).collect()
}

fn readiness(o: &Object, gates: &[Value]) -> String {
    let conditions = array(o.at(&["status", "conditions"]));
    let met =
        gates.iter().filter(|g| conditions.iter().any(|c| c["type"] == g["conditionType"] && c["status"] == "True")).count();
    format!("{met}/{}", gates.len())
}

fn condition(o: &Object, kind: &str) -> bool {
    array(o.at(&["status", "conditions"])).iter().any(|c| c["type"] == kind && c["status"] == "True")
}

fn status(o: &Object, statuses: &[Value], init: &[Value]) -> String {
    let phase = o.str_at(&["status", "phase"]);
    let mut reason = or(o.str_at(&["status", "reason"]), phase);
    let gated =
        array(o.at(&["status", "conditions"])).iter().any(|c| c["type"] == "PodScheduled" && c["reason"] == "SchedulingGated");
    if gated {
        reason = "SchedulingGated".into();
    }
    match initializing(o, init) {
        Some(text) => reason = text,
        None => {
            let mut running = false;
            for container in statuses.iter().rev() {
                let state = &container["state"];
                let text = waiting(state).or_else(|| terminated(state, ""));
                running |= container["ready"] == true && !state["running"].is_null();
                reason = text.unwrap_or(reason);
            }
            if reason == "Completed" && running {
                reason = if condition(o, "Ready") { "Running" } else { "NotReady" }.into();
            }
        }
    }
    match o.is_terminating() {
        true if o.str_at(&["status", "reason"]) == "NodeLost" => "Unknown".into(),
        true if !matches!(phase, "Succeeded" | "Failed") => "Terminating".into(),
        _ => reason,
    }
}

/// What the first init container that is not through says.
fn initializing(o: &Object, init: &[Value]) -> Option<String> {
    let total = array(o.at(&["spec", "initContainers"])).len();
    let restartable = restartable(o);
    for (i, container) in init.iter().enumerate() {
        let state = &container["state"];
        let sidecar = container["name"].as_str().is_some_and(|name| restartable.contains(&name));
        if state["terminated"]["exitCode"] == 0 && !state["terminated"].is_null() || sidecar && container["started"] == true {
            continue;
        }
        if let Some(text) = terminated(state, "Init:") {
            return Some(text);
        }
        let why = state["waiting"]["reason"].as_str().unwrap_or("");
        return Some(match why {
            "" | "PodInitializing" => format!("Init:{i}/{total}"),
            why => format!("Init:{why}"),
        });
    }
    None
}

fn waiting(state: &Value) -> Option<String> {
    state["waiting"]["reason"].as_str().filter(|reason| !reason.is_empty()).map(String::from)
}

fn terminated(state: &Value, prefix: &str) -> Option<String> {
    let ended = state.get("terminated").filter(|t| t.is_object())?;
    let text = match (ended["reason"].as_str().unwrap_or(""), ended["signal"].as_i64().unwrap_or(0)) {
        ("", 0) => format!("ExitCode:{}", ended["exitCode"].as_i64().unwrap_or(0)),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_string(),
    };
    Some(format!("{prefix}{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_cell_says_what_a_real_server_says() {
        let running = json!({"name": "a", "ready": true, "state": {"running": {}}});
        let done = json!({"name": "b", "ready": false, "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}});
        let crash = json!({"name": "b", "state": {"waiting": {"reason": "CrashLoopBackOff"}}});
        let pod = |status: Value, meta: Value| {
            Object(json!({"metadata": meta, "spec": {"initContainers": [{"name": "i"}]}, "status": status}))
        };
        for (status, meta, expected) in [
            (json!({"phase": "Pending"}), json!({}), "Pending"),
            (
                json!({"phase": "Pending", "initContainerStatuses": [{"name": "i", "state": {"waiting": {"reason": "PodInitializing"}}}]}),
                json!({}),
                "Init:0/1",
            ),
            (
                json!({"phase": "Pending", "initContainerStatuses": [{"name": "i", "state": {"terminated": {"exitCode": 3}}}]}),
                json!({}),
                "Init:ExitCode:3",
            ),
            (json!({"phase": "Running", "containerStatuses": [running]}), json!({}), "Running"),
            (json!({"phase": "Running", "containerStatuses": [running, crash]}), json!({}), "CrashLoopBackOff"),
            (json!({"phase": "Running", "containerStatuses": [running, done]}), json!({}), "NotReady"),
            (json!({"phase": "Succeeded", "containerStatuses": [done]}), json!({}), "Completed"),
            (json!({"phase": "Running"}), json!({"deletionTimestamp": "x"}), "Terminating"),
        ] {
            assert_eq!(cells(&pod(status.clone(), meta), Time(0))[2], expected, "{status}");
        }
    }
}
