//! Jobs: pods that run to their end (pkg/controller/job of Kubernetes).

mod pods;
mod status;

use super::owners::{condition_is_true, event, number};
use super::pods::Children;
use crate::base::clock::Time;
use crate::k8s::{Object, Snapshot};
use crate::sandbox::store::Change;
use crate::sandbox::{Action, Controller};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Runs each Job's pods, counts how they end, and ends the Job.
pub struct Jobs;

const SOURCE: &str = "job-controller";
/// Keeps a pod until its end is counted.
pub const TRACKING: &str = "batch.kubernetes.io/job-tracking";
const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// Between failures: 10 s, doubled each time, at most 10 minutes.
const BACKOFF_MS: i64 = 10_000;
const BACKOFF_MOST_MS: i64 = 600_000;
/// The most pods that one step creates.
const BURST: i64 = 500;

impl Controller for Jobs {
    fn name(&self) -> &'static str {
        "job"
    }

    fn concerns(&self, change: &Change) -> bool {
        match (change.key.kind.group.as_str(), change.key.kind.kind.as_str()) {
            ("batch", "Job") | ("", "Namespace") => true,
            ("", "Pod") => super::owners::of_kind(change, "Job"),
            _ => false,
        }
    }

    fn reconcile(&self, state: &Snapshot, now: Time) -> Vec<Action> {
        let mut actions = pods::orphans(state);
        let mut jobs = state.list("batch", "Job").peekable();
        if jobs.peek().is_some() {
            let children = Children::of(state, "", "Pod");
            actions.extend(jobs.flat_map(|job| step(state, &children, job, now)));
        }
        actions
    }
}

/// A Job with its pods sorted out.
pub(super) struct Run<'a> {
    pub job: &'a Object,
    pub pods: &'a [&'a Arc<Object>],
    /// Neither ended nor going.
    pub active: Vec<&'a Arc<Object>>,
    /// Ended well and not yet counted in the status.
    pub succeeded: Vec<&'a Arc<Object>>,
    /// Ended badly, or deleted, and not yet counted.
    pub failed: Vec<&'a Arc<Object>>,
    pub now: Time,
}

impl<'a> Run<'a> {
    fn of(job: &'a Object, pods: &'a [&'a Arc<Object>], now: Time) -> Run<'a> {
        let is = |phase: &'static str| move |p: &&Arc<Object>| p.str_at(&["status", "phase"]) == phase;
        let over = |p: &&Arc<Object>| is("Succeeded")(p) || is("Failed")(p);
        let tracked = |p: &&Arc<Object>| pods::is_tracked(p);
        let active = pods.iter().copied().filter(|p| !over(p) && !p.is_terminating()).collect();
        let succeeded = pods.iter().copied().filter(tracked).filter(is("Succeeded")).collect();
        // A pod that was deleted before it ended counts once it is gone from its node.
        let gone = |p: &&Arc<Object>| p.is_terminating() && number(p, &["metadata", "deletionGracePeriodSeconds"], 1) == 0;
        let failed = pods.iter().copied().filter(tracked).filter(|p| is("Failed")(p) || gone(p) && !over(p)).collect();
        Run { job, pods, active, succeeded, failed, now }
    }

    fn field(&self, name: &str, default: i64) -> i64 {
        number(self.job, &["spec", name], default)
    }

    fn completions(&self) -> Option<i64> {
        self.job.at(&["spec", "completions"]).as_i64()
    }

    fn is_indexed(&self) -> bool {
        self.job.str_at(&["spec", "completionMode"]) == "Indexed"
    }

    /// Indexes that ended well, counted ones and new ones.
    fn done_indexes(&self) -> BTreeSet<i64> {
        let mut done = status::read_indexes(self.job.str_at(&["status", "completedIndexes"]));
        done.extend(self.succeeded.iter().filter_map(|p| index(p)));
        done
    }

    fn total_succeeded(&self) -> i64 {
        match self.is_indexed() {
            true => self.done_indexes().len() as i64,
            false => number(self.job, &["status", "succeeded"], 0) + self.succeeded.len() as i64,
        }
    }

    fn total_failed(&self) -> i64 {
        number(self.job, &["status", "failed"], 0) + self.failed.len() as i64
    }
}

fn index(pod: &Object) -> Option<i64> {
    pod.annotation(INDEX)?.parse().ok()
}

/// Whether a Job has ended, well or not.
pub(super) fn is_finished(job: &Object) -> bool {
    condition_is_true(job, "Complete") || condition_is_true(job, "Failed")
}

fn step(state: &Snapshot, children: &Children<'_>, job: &Object, now: Time) -> Vec<Action> {
    let pods = children.under(job);
    if job.is_terminating() {
        return pods::released(pods.iter().copied());
    }
    if is_finished(job) {
        let mut actions = pods::released(pods.iter().copied().filter(|p| p.is_terminating() || is_over(p)));
        actions.extend(pods.iter().filter(|p| !p.is_terminating() && !is_over(p)).map(|p| Action::Delete(p.key())));
        actions.extend(time_to_live(job, now));
        return actions;
    }
    let run = Run::of(job, pods, now);
    let mut actions = Vec::new();
    let verdict = verdict(&run);
    let (mut status, mut events) = (status::counted(&run), Vec::new());
    let suspended = job.at(&["spec", "suspend"]) == true;
    match &verdict {
        Some(end) => events.extend(status::finish(&run, &mut status, end)),
        None => {
            events.extend(status::suspension(&run, &mut status, suspended));
            let open = super::pods::is_open(state, job.namespace());
            match suspended {
                true => actions.extend(run.active.iter().flat_map(|p| pods::delete(job, p))),
                false if open => actions.extend(pods::manage(state, &run)),
                false => (),
            }
            actions.extend(deadline(&run, suspended).map(Action::Alarm));
        }
    }
    if verdict.is_some() {
        actions.extend(run.active.iter().flat_map(|p| pods::delete(job, p)));
    }
    let mut new = job.clone();
    new.set(&["status"], Value::Object(status));
    // The status goes first: a pod is let go only when it is counted.
    let written = (new != *job).then_some(Action::UpdateStatus(new));
    let released = pods::released(run.succeeded.iter().chain(&run.failed).copied());
    written.into_iter().chain(released).chain(actions).chain(events).collect()
}

fn is_over(pod: &Object) -> bool {
    matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed")
}

/// How a Job ends: the condition, its reason and its message.
pub(super) struct End {
    pub good: bool,
    pub reason: &'static str,
    pub message: &'static str,
}

fn verdict(run: &Run<'_>) -> Option<End> {
    let limit = run.field("backoffLimit", 6);
    let failed = |reason, message| Some(End { good: false, reason, message });
    // What was decided stays decided while the pods go.
    if let Some(end) = decided(run.job) {
        return Some(end);
    }
    if run.total_failed() > limit || restarts(run) {
        return failed("BackoffLimitExceeded", BACKOFF);
    }
    if deadline(run, false).is_some_and(|due| due <= run.now) {
        return failed("DeadlineExceeded", DEADLINE);
    }
    let good = match run.completions() {
        Some(wanted) => run.total_succeeded() >= wanted,
        None => run.total_succeeded() > 0 && run.active.is_empty(),
    };
    good.then_some(End { good: true, reason: "CompletionsReached", message: REACHED })
}

const BACKOFF: &str = "Job has reached the specified backoff limit";
const DEADLINE: &str = "Job was active longer than specified deadline";
const REACHED: &str = "Reached expected number of succeeded pods";

fn decided(job: &Object) -> Option<End> {
    let conditions = job.at(&["status", "conditions"]).as_array().into_iter().flatten();
    let early = conditions.into_iter().find(|c| c["type"] == "FailureTarget" || c["type"] == "SuccessCriteriaMet")?;
    Some(match early["reason"].as_str() {
        Some("BackoffLimitExceeded") => End { good: false, reason: "BackoffLimitExceeded", message: BACKOFF },
        Some("DeadlineExceeded") => End { good: false, reason: "DeadlineExceeded", message: DEADLINE },
        _ => End { good: true, reason: "CompletionsReached", message: REACHED },
    })
}

/// Whether containers that are restarted in place (`restartPolicy: OnFailure`) have failed too often.
fn restarts(run: &Run<'_>) -> bool {
    if run.job.str_at(&["spec", "template", "spec", "restartPolicy"]) != "OnFailure" {
        return false;
    }
    let of = |pod: &Object| -> i64 {
        let lists = ["containerStatuses", "initContainerStatuses"].map(|l| pod.at(&["status", l]).as_array().cloned());
        lists.into_iter().flatten().flatten().filter_map(|c| c["restartCount"].as_i64()).sum()
    };
    let total: i64 = run.active.iter().map(|p| of(p)).sum();
    let limit = run.field("backoffLimit", 6);
    if limit == 0 { total > 0 } else { total >= limit }
}

/// The end of `activeDeadlineSeconds`.
fn deadline(run: &Run<'_>, suspended: bool) -> Option<Time> {
    let seconds = run.job.at(&["spec", "activeDeadlineSeconds"]).as_i64().filter(|_| !suspended)?;
    let start = Time::parse(run.job.str_at(&["status", "startTime"]))?;
    Some(start.plus_ms(seconds * 1000))
}

/// `ttlSecondsAfterFinished`: deleted then.
fn time_to_live(job: &Object, now: Time) -> Option<Action> {
    let seconds = job.at(&["spec", "ttlSecondsAfterFinished"]).as_i64()?;
    let conditions = job.at(&["status", "conditions"]).as_array().into_iter().flatten();
    let ended = conditions.into_iter().find(|c| (c["type"] == "Complete" || c["type"] == "Failed") && c["status"] == "True")?;
    let due = Time::parse(ended["lastTransitionTime"].as_str()?)?.plus_ms(seconds * 1000);
    Some(if due <= now { Action::Delete(job.key()) } else { Action::Alarm(due) })
}

fn told(run: &Run<'_>, warning: bool, reason: &str, message: &str) -> Action {
    event(run.job, warning, reason, message.to_string(), SOURCE)
}

fn condition(kind: &str, good: bool, reason: &str, message: &str, now: &str) -> Value {
    json!({"type": kind, "status": if good { "True" } else { "False" }, "lastProbeTime": now, "lastTransitionTime": now,
           "reason": reason, "message": message})
}
