//! A Job's counters and conditions.

use super::{End, Run, condition, told};
use crate::sandbox::Action;
use crate::sandbox::controllers::owners::condition_is_true;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The status with the pods that have ended counted in.
pub fn counted(run: &Run<'_>) -> Map<String, Value> {
    let job = run.job;
    let mut status = job.status().as_object().cloned().unwrap_or_default();
    let suspended = job.at(&["spec", "suspend"]) == true;
    if !suspended && !status.contains_key("startTime") {
        status.insert("startTime".into(), json!(run.now.rfc3339()));
    }
    let ready = run.active.iter().filter(|p| condition_is_true(p, "Ready")).count();
    let going = run.pods.iter().filter(|p| p.is_terminating() && !super::is_over(p)).count();
    status.insert("ready".into(), json!(ready));
    status.insert("terminating".into(), json!(going));
    status.insert("uncountedTerminatedPods".into(), json!({}));
    let mut put = |key: &str, n: i64| match n {
        0 => drop(status.remove(key)),
        n => drop(status.insert(key.into(), json!(n))),
    };
    put("active", run.active.len() as i64);
    put("succeeded", run.total_succeeded());
    put("failed", run.total_failed());
    if run.is_indexed() {
        let done = run.done_indexes();
        if !done.is_empty() {
            status.insert("completedIndexes".into(), json!(write_indexes(&done)));
        }
    }
    status
}

/// The end of the Job: its conditions, its event.
pub fn finish(run: &Run<'_>, status: &mut Map<String, Value>, end: &End) -> Vec<Action> {
    let now = run.now.rfc3339();
    let (early, last) = if end.good { ("SuccessCriteriaMet", "Complete") } else { ("FailureTarget", "Failed") };
    add(status, condition(early, true, end.reason, end.message, &now));
    status.remove("active");
    status.insert("ready".into(), json!(0));
    // The last condition comes only when every pod has ended, as upstream does it.
    let living = run.pods.iter().filter(|p| !super::is_over(p)).count();
    let counted = run.active.is_empty() && living == run.failed.iter().filter(|p| !super::is_over(p)).count();
    if !counted {
        return Vec::new();
    }
    status.insert("terminating".into(), json!(0));
    add(status, condition(last, true, end.reason, end.message, &now));
    match end.good {
        true => {
            status.insert("completionTime".into(), json!(now));
            vec![told(run, false, "Completed", "Job completed")]
        }
        false => vec![told(run, true, end.reason, end.message)],
    }
}

/// The Suspended condition, and the start time that a resumed Job gets anew.
pub fn suspension(run: &Run<'_>, status: &mut Map<String, Value>, suspended: bool) -> Vec<Action> {
    let now = run.now.rfc3339();
    let was = condition_is_true(run.job, "Suspended");
    match (suspended, was) {
        (true, false) => {
            status.remove("startTime");
            add(status, condition("Suspended", true, "JobSuspended", "Job suspended", &now));
            vec![told(run, false, "Suspended", "Job suspended")]
        }
        (false, true) => {
            status.insert("startTime".into(), json!(now));
            add(status, condition("Suspended", false, "JobResumed", "Job resumed", &now));
            vec![told(run, false, "Resumed", "Job resumed")]
        }
        _ => Vec::new(),
    }
}

/// Adds a condition, or replaces the one of its type unless it says the same.
fn add(status: &mut Map<String, Value>, wanted: Value) {
    let list = status.entry("conditions").or_insert_with(|| json!([]));
    let Some(list) = list.as_array_mut() else { return };
    match list.iter_mut().find(|c| c["type"] == wanted["type"]) {
        Some(old) if old["status"] == wanted["status"] => (),
        Some(old) => *old = wanted,
        None => list.push(wanted),
    }
}

/// `1,3-5,7`.
pub fn write_indexes(indexes: &BTreeSet<i64>) -> String {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for n in indexes {
        match runs.last_mut() {
            Some((_, end)) if *end + 1 == *n => *end = *n,
            _ => runs.push((*n, *n)),
        }
    }
    let text = |(a, b): &(i64, i64)| match b - a {
        0 => a.to_string(),
        1 => format!("{a},{b}"),
        _ => format!("{a}-{b}"),
    };
    runs.iter().map(text).collect::<Vec<_>>().join(",")
}

/// Reads what [`write_indexes`] wrote; at most 100,000 indexes.
pub fn read_indexes(text: &str) -> BTreeSet<i64> {
    let mut all = BTreeSet::new();
    for part in text.split(',').filter(|p| !p.is_empty()) {
        let (a, b) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(a), Ok(b)) = (a.parse::<i64>(), b.parse::<i64>()) {
            all.extend((a..=b).take(100_000));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_written_as_upstream_writes_them() {
        for text in ["", "0", "0,2", "0,1", "1,3-5,7", "0-9"] {
            assert_eq!(write_indexes(&read_indexes(text)), text);
        }
    }
}
