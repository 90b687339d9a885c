//! CronJobs: Jobs by a schedule in the world's clock (pkg/controller/cronjob of Kubernetes).

pub mod schedule;

use super::jobs::is_finished;
use super::owners::{condition_is_true, controller_ref, event, number};
use super::pods::{Children, is_open};
use crate::base::clock::{Time, Zone};
use crate::base::order::Order;
use crate::k8s::{Object, Snapshot};
use crate::sandbox::store::Change;
use crate::sandbox::{Action, Controller};
use schedule::Schedule;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Starts each CronJob's Jobs when the clock passes their moment, and forgets old ones.
pub struct CronJobs;

const SOURCE: &str = "cronjob-controller";
const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

impl Controller for CronJobs {
    fn name(&self) -> &'static str {
        "cronjob"
    }

    fn concerns(&self, change: &Change) -> bool {
        match change.key.kind.kind.as_str() {
            "CronJob" | "Namespace" => true,
            "Job" => super::owners::of_kind(change, "CronJob"),
            _ => false,
        }
    }

    fn reconcile(&self, state: &Snapshot, now: Time) -> Vec<Action> {
        let mut all = state.list("batch", "CronJob").peekable();
        if all.peek().is_none() {
            return Vec::new();
        }
        let jobs = Children::of(state, "batch", "Job");
        all.filter(|c| !c.is_terminating() && is_open(state, c.namespace())).flat_map(|c| step(state, &jobs, c, now)).collect()
    }
}

fn step(state: &Snapshot, jobs: &Children<'_>, cron: &Object, now: Time) -> Vec<Action> {
    let jobs = jobs.under(cron);
    let mut status = cron.status().as_object().cloned().unwrap_or_default();
    let mut actions = follow(cron, jobs, &mut status);
    actions.extend(forget(cron, jobs));
    let zone = cron.str_at(&["spec", "timeZone"]);
    let zone = if zone.is_empty() { Some(Zone::utc()) } else { Zone::find(zone) };
    let schedule = Schedule::parse(cron.str_at(&["spec", "schedule"])).ok();
    if let (Some(schedule), Some(zone), false) = (schedule, zone, cron.at(&["spec", "suspend"]) == true) {
        actions.extend(due(state, cron, jobs, &mut status, &Clock { schedule, zone, now }));
    }
    let mut new = cron.clone();
    new.set(&["status"], Value::Object(status));
    if new != *cron {
        actions.push(Action::UpdateStatus(new));
    }
    actions
}

struct Clock {
    schedule: Schedule,
    zone: Zone,
    now: Time,
}

/// Keeps `status.active`: started Jobs come in, ended and lost ones go.
fn follow(cron: &Object, jobs: &[&Arc<Object>], status: &mut Map<String, Value>) -> Vec<Action> {
    let mut actions = Vec::new();
    let mut active = status.get("active").and_then(Value::as_array).cloned().unwrap_or_default();
    active.retain(|reference| {
        let Some(job) = jobs.iter().find(|j| reference["uid"] == j.uid()) else {
            let name = reference["name"].as_str().unwrap_or("");
            actions.push(told(cron, true, "MissingJob", format!("Active job went missing: {name}")));
            return false;
        };
        if !is_finished(job) {
            return true;
        }
        let end = if condition_is_true(job, "Complete") { "Complete" } else { "Failed" };
        if end == "Complete" {
            status.insert("lastSuccessfulTime".into(), job.at(&["status", "completionTime"]).clone());
        }
        actions.push(told(cron, false, "SawCompletedJob", format!("Saw completed job: {}, condition: {end}", job.name())));
        false
    });
    for job in jobs.iter().filter(|j| j.annotation(SCHEDULED).is_some() && !is_finished(j) && !j.is_terminating()) {
        if !active.iter().any(|reference| reference["uid"] == job.uid()) {
            active.push(json!({"apiVersion": "batch/v1", "kind": "Job", "name": job.name(), "namespace": job.namespace(),
                               "uid": job.uid(), "resourceVersion": job.at(&["metadata", "resourceVersion"])}));
        }
    }
    match active.is_empty() {
        true => drop(status.remove("active")),
        false => drop(status.insert("active".into(), json!(active))),
    }
    actions
}

/// Ended Jobs beyond the history limits are deleted, the oldest first.
fn forget(cron: &Object, jobs: &[&Arc<Object>]) -> Vec<Action> {
    let mut actions = Vec::new();
    for (condition, limit, default) in [("Complete", "successfulJobsHistoryLimit", 3), ("Failed", "failedJobsHistoryLimit", 1)] {
        let limit = number(cron, &["spec", limit], default).max(0) as usize;
        let mut ended: Vec<_> = jobs.iter().filter(|j| condition_is_true(j, condition) && !j.is_terminating()).collect();
        ended.order_by_key(|j| (j.str_at(&["status", "startTime"]).to_string(), j.name().to_string()));
        let extra = ended.len().saturating_sub(limit);
        for job in ended.into_iter().take(extra) {
            actions.push(Action::Delete(job.key()));
            actions.push(told(cron, false, "SuccessfulDelete", format!("Deleted job {}", job.name())));
        }
    }
    actions
}

/// Starts the Job of the latest moment that has passed; waits for the next.
fn due(state: &Snapshot, cron: &Object, jobs: &[&Arc<Object>], status: &mut Map<String, Value>, clock: &Clock) -> Vec<Action> {
    let now = clock.now;
    let mut actions: Vec<Action> = clock.schedule.next(now, &clock.zone).map(Action::Alarm).into_iter().collect();
    let last = status.get("lastScheduleTime").and_then(Value::as_str).and_then(Time::parse);
    let since = last.or_else(|| Time::parse(cron.str_at(&["metadata", "creationTimestamp"]))).unwrap_or(now);
    let Some(scheduled) = clock.schedule.latest(since, now, &clock.zone) else { return actions };
    let active: Vec<_> =
        jobs.iter().filter(|j| !is_finished(j) && !j.is_terminating() && j.annotation(SCHEDULED).is_some()).collect();
    let deadline = cron.at(&["spec", "startingDeadlineSeconds"]).as_i64();
    if deadline.is_some_and(|seconds| scheduled.plus_ms(seconds * 1000) < now) {
        let text = format!("Missed scheduled time to start a job: {}", scheduled.http_date().replace("GMT", "UTC"));
        actions.extend(once(state, cron, scheduled, true, "MissSchedule", text));
        return actions;
    }
    match cron.str_at(&["spec", "concurrencyPolicy"]) {
        "Forbid" if !active.is_empty() => {
            let text = "Not starting job because prior execution is running and concurrency policy is Forbid".to_string();
            actions.extend(once(state, cron, scheduled, false, "JobAlreadyActive", text));
            return actions;
        }
        "Replace" => {
            for job in &active {
                actions.push(Action::Delete(job.key()));
                actions.push(told(cron, false, "SuccessfulDelete", format!("Deleted job {}", job.name())));
            }
        }
        _ => (),
    }
    let job = job(cron, scheduled);
    if state.get(&job.key()).is_none() {
        let text = format!("Created job {}", job.name());
        actions.push(Action::Create(job));
        actions.push(told(cron, false, "SuccessfulCreate", text));
    }
    status.insert("lastScheduleTime".into(), json!(scheduled.rfc3339()));
    actions
}

fn told(cron: &Object, warning: bool, reason: &str, message: String) -> Action {
    event(cron, warning, reason, message, SOURCE)
}

/// An event that is said once for a moment, however often the loop runs.
fn once(state: &Snapshot, cron: &Object, moment: Time, warning: bool, reason: &str, message: String) -> Option<Action> {
    let said = |e: &&Arc<Object>| {
        e.str_at(&["involvedObject", "uid"]) == cron.uid()
            && e.str_at(&["reason"]) == reason
            && Time::parse(e.str_at(&["lastTimestamp"])).is_some_and(|at| at >= moment)
    };
    let known = state.list_in("", "Event", cron.namespace()).any(|e| said(&e));
    (!known).then(|| told(cron, warning, reason, message))
}

/// The Job of one moment: its name ends in the minutes since 1970.
fn job(cron: &Object, scheduled: Time) -> Object {
    let template = cron.at(&["spec", "jobTemplate"]);
    let mut metadata = template["metadata"].as_object().cloned().unwrap_or_default();
    metadata.retain(|key, value| matches!(key.as_str(), "labels" | "annotations") && !value.is_null());
    metadata.insert("name".into(), json!(format!("{}-{}", cron.name(), scheduled.0 / 60_000)));
    metadata.insert("namespace".into(), json!(cron.namespace()));
    metadata.insert("ownerReferences".into(), json!([controller_ref(cron)]));
    let mut job = Object(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]}));
    job.set(&["metadata", "annotations", SCHEDULED], json!(scheduled.rfc3339()));
    job
}
