//! The claims that a StatefulSet makes for its pods.

use super::{Roll, SOURCE, ordinal};
use crate::k8s::{Object, Snapshot};
use crate::sandbox::Action;
use crate::sandbox::controllers::owners::{controller_ref, event};
use serde_json::json;

/// `data-web-0`.
pub fn name(set: &Object, claim: &str, n: i64) -> String {
    format!("{claim}-{}-{n}", set.name())
}

/// Creates the claims of a pod that are not there.
pub fn missing(state: &Snapshot, set: &Object, n: i64) -> Vec<Action> {
    let mut actions = Vec::new();
    for template in set.at(&["spec", "volumeClaimTemplates"]).as_array().into_iter().flatten() {
        let name = name(set, template["metadata"]["name"].as_str().unwrap_or(""), n);
        if state.find("", "PersistentVolumeClaim", set.namespace(), &name).is_some() {
            continue;
        }
        let mut metadata = template["metadata"].clone();
        metadata["name"] = json!(name);
        metadata["namespace"] = json!(set.namespace());
        for (key, value) in crate::k8s::object::strings(set.at(&["spec", "selector", "matchLabels"])) {
            metadata["labels"][key] = json!(value);
        }
        if policy(set, "whenDeleted") == "Delete" {
            metadata["ownerReferences"] = json!([controller_ref(set)]);
        }
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": template["spec"]});
        actions.push(Action::Create(Object(claim)));
        let text = format!("create Claim {name} Pod {0}-{n} in StatefulSet {0} success", set.name());
        actions.push(event(set, false, "SuccessfulCreate", text, SOURCE));
    }
    actions
}

/// Deletes the claims of pods beyond the wanted number, where the retention policy says so.
pub fn let_go(state: &Snapshot, roll: &Roll<'_>) -> Vec<Action> {
    let set = roll.set;
    if policy(set, "whenScaled") != "Delete" || !roll.condemned.is_empty() {
        return Vec::new();
    }
    let templates = set.at(&["spec", "volumeClaimTemplates"]).as_array().into_iter().flatten();
    let prefixes: Vec<String> =
        templates.filter_map(|t| t["metadata"]["name"].as_str()).map(|claim| format!("{claim}-")).collect();
    let spare = |claim: &&std::sync::Arc<Object>| {
        let rest = prefixes.iter().find_map(|prefix| claim.name().strip_prefix(prefix.as_str()));
        let numbered = rest.map(|rest| Object(json!({"metadata": {"name": rest}})));
        numbered.and_then(|pod| ordinal(set, &pod)).is_some_and(|n| !roll.ordinals().contains(&n))
    };
    let claims = state.list_in("", "PersistentVolumeClaim", set.namespace()).filter(|c| !c.is_terminating());
    claims.filter(spare).map(|claim| Action::Delete(claim.key())).collect()
}

fn policy<'a>(set: &'a Object, when: &str) -> &'a str {
    set.str_at(&["spec", "persistentVolumeClaimRetentionPolicy", when])
}
