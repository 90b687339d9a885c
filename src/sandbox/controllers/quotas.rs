//! ResourceQuotas: what a namespace uses of what it may (pkg/controller/resourcequota of Kubernetes).

use crate::base::clock::Time;
use crate::k8s::Snapshot;
use crate::sandbox::api::plugins::quota;
use crate::sandbox::store::Change;
use crate::sandbox::{Action, Controller};
use serde_json::{Map, Value, json};

/// Keeps the status of each quota.
pub struct Quotas;

impl Controller for Quotas {
    fn name(&self) -> &'static str {
        "resource quota"
    }

    fn concerns(&self, change: &Change) -> bool {
        let kind = change.key.kind.kind.as_str();
        let counted = change.before.is_none() || change.after.is_none();
        kind != "Event" && (counted || matches!(kind, "ResourceQuota" | "Pod" | "Service" | "PersistentVolumeClaim"))
    }

    fn reconcile(&self, state: &Snapshot, _now: Time) -> Vec<Action> {
        let mut actions = Vec::new();
        for quota in state.list("", "ResourceQuota").filter(|q| !q.is_terminating()) {
            let used: Map<String, Value> =
                quota::usage(state, quota).into_iter().map(|(key, n)| (key, json!(n.canonical()))).collect();
            let hard = quota.at(&["spec", "hard"]).as_object().cloned().unwrap_or_default();
            let mut new = (**quota).clone();
            new.set(&["status"], json!({"hard": hard, "used": used}));
            if new != **quota {
                actions.push(Action::UpdateStatus(new));
            }
        }
        actions
    }
}
