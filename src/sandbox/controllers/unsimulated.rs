//! Workload kinds that are stored but not run here: each says so once, by an event.

use super::owners::event;
use crate::base::clock::Time;
use crate::base::not_simulated;
use crate::k8s::Snapshot;
use crate::sandbox::{Action, Controller};

/// Tells the learner that nothing will come of these objects.
pub struct Unsimulated;

const KINDS: [(&str, &str); 4] = [("apps", "StatefulSet"), ("apps", "DaemonSet"), ("batch", "Job"), ("batch", "CronJob")];

impl Controller for Unsimulated {
    fn name(&self) -> &'static str {
        "unsimulated kinds"
    }

    fn reconcile(&self, state: &Snapshot, _now: Time) -> Vec<Action> {
        let objects = KINDS.iter().flat_map(|(group, kind)| state.list(group, kind));
        let told = |uid: &str| {
            state
                .list("", "Event")
                .any(|e| e.str_at(&["reason"]) == "NotSimulated" && e.str_at(&["involvedObject", "uid"]) == uid)
        };
        objects
            .filter(|o| !o.is_terminating() && !told(o.uid()))
            .map(|o| event(o, true, "NotSimulated", not_simulated(&format!("the pods of a {}", o.kind())), "sandbox"))
            .collect()
    }
}
