//! A Job's pods: made, deleted, let go.

use super::{BACKOFF_MOST_MS, BACKOFF_MS, BURST, INDEX, Run, SOURCE, TRACKING, index};
use crate::base::clock::Time;
use crate::base::order::Order;
use crate::k8s::{Object, Snapshot};
use crate::sandbox::Action;
use crate::sandbox::controllers::owners::{event, references};
use crate::sandbox::controllers::pods::{free_names, from_template};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Whether the Job still has to count the pod.
pub fn is_tracked(pod: &Object) -> bool {
    pod.at(&["metadata", "finalizers"]).as_array().is_some_and(|list| list.iter().any(|f| f == TRACKING))
}

/// Lets counted pods go.
pub fn released<'a>(pods: impl Iterator<Item = &'a Arc<Object>>) -> Vec<Action> {
    let free = |pod: &Arc<Object>| {
        let mut free = Object::clone(pod);
        let rest: Vec<Value> =
            pod.at(&["metadata", "finalizers"]).as_array().into_iter().flatten().filter(|f| *f != TRACKING).cloned().collect();
        free.set(&["metadata", "finalizers"], json!(rest));
        Action::Update(free)
    };
    pods.filter(|p| is_tracked(p)).map(free).collect()
}

/// Pods whose Job is no more are let go.
pub fn orphans(state: &Snapshot) -> Vec<Action> {
    let lost = |pod: &&Arc<Object>| {
        is_tracked(pod)
            && !references(pod).any(|r| {
                let name = r["name"].as_str().unwrap_or("");
                state.find("batch", "Job", pod.namespace(), name).is_some_and(|job| r["uid"] == job.uid())
            })
    };
    released(state.list("", "Pod").filter(lost))
}

/// Deletes a pod and says so.
pub fn delete(job: &Object, pod: &Object) -> Vec<Action> {
    let text = format!("Deleted pod: {}", pod.name());
    vec![Action::Delete(pod.key()), event(job, false, "SuccessfulDelete", text, SOURCE)]
}

/// Creates the pods that are missing, once the back-off after a failure is over; deletes spare ones.
pub fn manage(state: &Snapshot, run: &Run<'_>) -> Vec<Action> {
    let parallel = run.field("parallelism", 1);
    let active = run.active.len() as i64;
    let wanted = match run.completions() {
        Some(total) => (total - run.total_succeeded()).clamp(0, parallel),
        None if run.total_succeeded() > 0 => active.min(parallel),
        None => parallel,
    };
    if active > wanted {
        let mut spare = run.active.clone();
        spare.order_by_key(|p| (p.str_at(&["status", "phase"]) == "Running", p.name().to_string()));
        return spare.iter().take((active - wanted) as usize).flat_map(|p| delete(run.job, p)).collect();
    }
    // podReplacementPolicy Failed: a going pod keeps its place until it has ended.
    let going = run.pods.iter().filter(|p| p.is_terminating() && !super::is_over(p)).count() as i64;
    let held = if run.job.str_at(&["spec", "podReplacementPolicy"]) == "Failed" { going } else { 0 };
    let missing = (wanted - active - held).min(BURST);
    if missing <= 0 {
        return Vec::new();
    }
    if let Some(due) = backoff(run).filter(|due| *due > run.now) {
        return vec![Action::Alarm(due)];
    }
    create(state, run, missing)
}

fn create(state: &Snapshot, run: &Run<'_>, missing: i64) -> Vec<Action> {
    let job = run.job;
    let indexes: Vec<Option<i64>> = match run.is_indexed() {
        true => {
            let mut taken: BTreeSet<i64> = run.done_indexes();
            taken.extend(run.active.iter().filter_map(|p| index(p)));
            (0..run.completions().unwrap_or(0)).filter(|n| !taken.contains(n)).take(missing as usize).map(Some).collect()
        }
        false => vec![None; missing as usize],
    };
    let mut actions = Vec::new();
    let mut names = free_names(state, job, job.name(), indexes.len(), run.now).into_iter();
    for n in indexes {
        let name = match n {
            Some(n) => free_names(state, job, &format!("{}-{n}", job.name()), 1, run.now).into_iter().next(),
            None => names.next(),
        };
        let Some(name) = name else { continue };
        actions.push(Action::Create(pod(job, &name, n)));
        actions.push(event(job, false, "SuccessfulCreate", format!("Created pod: {name}"), SOURCE));
    }
    actions
}

fn pod(job: &Object, name: &str, n: Option<i64>) -> Object {
    let mut pod = from_template(job, job.at(&["spec", "template"]), name);
    let mut finalizers = pod.at(&["metadata", "finalizers"]).as_array().cloned().unwrap_or_default();
    finalizers.push(json!(TRACKING));
    pod.set(&["metadata", "finalizers"], json!(finalizers));
    let Some(n) = n else { return pod };
    pod.set(&["metadata", "generateName"], json!(format!("{}-{n}-", job.name())));
    pod.set(&["metadata", "annotations", INDEX], json!(n.to_string()));
    pod.set(&["metadata", "labels", INDEX], json!(n.to_string()));
    pod.set(&["spec", "hostname"], json!(format!("{}-{n}", job.name())));
    let from = json!({"name": "JOB_COMPLETION_INDEX", "valueFrom": {"fieldRef": {
        "apiVersion": "v1", "fieldPath": format!("metadata.labels['{INDEX}']")}}});
    for list in ["containers", "initContainers"] {
        let containers = pod.0.pointer_mut(&format!("/spec/{list}")).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            let mut env = container["env"].as_array().cloned().unwrap_or_default();
            if !env.iter().any(|e| e["name"] == from["name"]) {
                env.push(from.clone());
            }
            container["env"] = json!(env);
        }
    }
    pod
}

/// When the next pod may be made: after the latest failure, 10 s doubled for each failure since the last success.
fn backoff(run: &Run<'_>) -> Option<Time> {
    let ended = |pod: &&&Arc<Object>| -> Option<Time> {
        let list = pod.at(&["status", "containerStatuses"]).as_array().into_iter().flatten();
        let at = list.filter_map(|c| c["state"]["terminated"]["finishedAt"].as_str()).filter_map(Time::parse).max();
        at.or_else(|| Time::parse(pod.str_at(&["metadata", "deletionTimestamp"])))
    };
    let of = |phase: &'static str| run.pods.iter().filter(move |p| p.str_at(&["status", "phase"]) == phase);
    let success = of("Succeeded").filter_map(|p| ended(&p)).max();
    let failures: Vec<Time> = of("Failed").filter_map(|p| ended(&p)).filter(|t| success.is_none_or(|s| *t > s)).collect();
    let latest = failures.iter().max()?;
    let wait = BACKOFF_MS << (failures.len() as u32 - 1).min(10);
    Some(latest.plus_ms(wait.min(BACKOFF_MOST_MS)))
}
