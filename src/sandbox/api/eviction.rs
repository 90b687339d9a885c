//! `pods/eviction`: a deletion that disruption budgets can refuse (pkg/registry/core/pod/storage/eviction.go of Kubernetes).

use crate::k8s::Object;
use crate::sandbox::api::route::Target;
use crate::sandbox::api::{body, delete, read, write};
use crate::sandbox::call::{Answer, Call, Refusal};
use crate::sandbox::controllers::{condition_is_true, covers, set_condition};
use crate::sandbox::world::World;
use serde_json::{Value, json};

/// Evicts a pod.
///
/// # Errors
/// 404, 409 for a failed precondition, 429 when a budget does not allow it, 500 when more than one is about the pod.
pub fn evict(world: &mut World, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let (eviction, _) = body::read_value(call, "Eviction")?;
    let named = eviction["metadata"]["name"].as_str().unwrap_or("");
    if !named.is_empty() && named != target.name {
        return Err(Refusal::bad_request(format!(
            "name in URL does not match name in Eviction object: {} vs {named}",
            target.name
        )));
    }
    let dry_run = body::dry_run(call, "CreateOptions")?;
    let pod = read::find(world, target)?;
    if !ignores_budgets(&pod) {
        allowed(world, &pod)?;
        if !dry_run {
            mark(world, &pod)?;
        }
    }
    delete::evict(world, target, &eviction["deleteOptions"], dry_run)?;
    Ok(Answer::json(201, &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})))
}

/// Pods that serve nobody: ended, not yet running, already going.
fn ignores_budgets(pod: &Object) -> bool {
    pod.is_terminating() || matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed" | "Pending")
}

fn allowed(world: &World, pod: &Object) -> Result<(), Refusal> {
    let all = world.store.snapshot().list_in("policy", "PodDisruptionBudget", pod.namespace());
    let budgets: Vec<_> = all.filter(|budget| covers(budget, pod)).collect();
    let budget = match budgets[..] {
        [] => return Ok(()),
        [one] => one,
        _ => {
            let message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
            return Err(Refusal::new(500, "InternalError", message));
        }
    };
    let number = |field: &str| budget.at(&["status", field]).as_i64().unwrap_or(0);
    let (healthy, desired) = (number("currentHealthy"), number("desiredHealthy"));
    if !condition_is_true(pod, "Ready") {
        // A pod that is not healthy anyway takes nothing away from a budget that is kept.
        match budget.str_at(&["spec", "unhealthyPodEvictionPolicy"]) {
            "AlwaysAllow" => return Ok(()),
            _ if healthy >= desired && desired > 0 => return Ok(()),
            _ => (),
        }
    }
    if number("disruptionsAllowed") > 0 {
        return Ok(());
    }
    let name = budget.name();
    let why = match healthy <= desired {
        true => format!("The disruption budget {name} needs {desired} healthy pods and has {healthy} currently"),
        false => format!("The disruption budget {name} does not allow evicting pods currently"),
    };
    let message = "Cannot evict pod as it would violate the pod's disruption budget.";
    let mut refusal = Refusal::new(429, "TooManyRequests", message);
    refusal.details = json!({"causes": [{"reason": "DisruptionBudget", "message": why}]});
    Err(refusal)
}

/// Notes on the pod why it goes.
fn mark(world: &mut World, pod: &Object) -> Result<(), Refusal> {
    let mut status = pod.status().as_object().cloned().unwrap_or_default();
    let condition = json!({"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
                           "message": "Eviction API: evicting", "lastProbeTime": Value::Null});
    let now = world.now().rfc3339();
    set_condition(&mut status, condition, &now);
    let mut marked = pod.clone();
    marked.set(&["status"], Value::Object(status));
    write::update_internal(world, marked, "status", "kube-apiserver").map(drop)
}
