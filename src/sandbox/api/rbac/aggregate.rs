//! ClusterRoles that are made of others (kubernetes/pkg/controller/clusterroleaggregation).

use crate::base::clock::Time;
use crate::k8s::selector::LabelSelector;
use crate::k8s::{Object, Snapshot};
use crate::sandbox::api::rbac::GROUP;
use crate::sandbox::{Action, Controller};
use serde_json::{Value, json};

/// Fills in the rules of ClusterRoles with an `aggregationRule`.
pub struct Aggregate;

impl Controller for Aggregate {
    fn name(&self) -> &'static str {
        "cluster role aggregation"
    }

    fn watches(&self) -> &'static [&'static str] {
        &["ClusterRole"]
    }

    fn reconcile(&self, state: &Snapshot, _: Time) -> Vec<Action> {
        let all = state.list(GROUP, "ClusterRole");
        let aggregated = all.filter(|role| !role.at(&["aggregationRule"]).is_null() && !role.is_terminating());
        aggregated.filter_map(|role| fill(state, role)).collect()
    }
}

fn fill(state: &Snapshot, role: &Object) -> Option<Action> {
    let selectors = role.at(&["aggregationRule", "clusterRoleSelectors"]).as_array().into_iter().flatten();
    let mut rules: Vec<Value> = Vec::new();
    for selector in selectors.map(LabelSelector::from_object) {
        let chosen = state.list(GROUP, "ClusterRole");
        let chosen = chosen.filter(|other| other.name() != role.name() && selector.matches(&other.labels()));
        for rule in chosen.flat_map(|other| other.at(&["rules"]).as_array().cloned().unwrap_or_default()) {
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
    }
    let now = role.at(&["rules"]).as_array().cloned().unwrap_or_default();
    (now != rules).then(|| {
        let mut next = role.clone();
        next.set(&["rules"], json!(rules));
        Action::Update(next)
    })
}
