//! LimitRanges: defaults and bounds of containers, pods and claims (plugin/pkg/admission/limitranger of Kubernetes).

use crate::k8s::Object;
use crate::k8s::quantity::Quantity;
use crate::sandbox::api::registry::Resource;
use crate::sandbox::api::status;
use crate::sandbox::call::Refusal;
use crate::sandbox::controllers::requests;
use crate::sandbox::world::World;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Requests and limits that the namespace's ranges give to containers which name none.
pub fn fill_in(world: &World, resource: &Resource, object: &mut Object) {
    if resource.kind != "Pod" || !resource.group.is_empty() {
        return;
    }
    let mut notes = Vec::new();
    for range in items(world, object.namespace()).into_iter().filter(|item| item["type"] == "Container") {
        for (list, kind) in [("containers", "container"), ("initContainers", "init container")] {
            let containers = object.0.pointer_mut(&format!("/spec/{list}")).and_then(Value::as_array_mut);
            for container in containers.into_iter().flatten() {
                for (from, to, word) in [("defaultRequest", "requests", "request"), ("default", "limits", "limit")] {
                    let set = merge(container, &range[from], to);
                    if !set.is_empty() {
                        let name = container["name"].as_str().unwrap_or("");
                        notes.push(format!("{} {word} for {kind} {name}", set.join(", ")));
                    }
                }
            }
        }
    }
    if !notes.is_empty() {
        let text = format!("LimitRanger plugin set: {}", notes.join("; "));
        object.set(&["metadata", "annotations", "kubernetes.io/limit-ranger"], json!(text));
    }
}

/// Adds what is missing to one list; the names of what was added.
fn merge(container: &mut Value, defaults: &Value, list: &str) -> Vec<String> {
    let mut added = Vec::new();
    for (key, value) in defaults.as_object().into_iter().flatten() {
        if container["resources"][list][key].is_null() {
            container["resources"][list][key] = value.clone();
            added.push(key.clone());
        }
    }
    added
}

/// The items of the namespace's ranges.
fn items(world: &World, namespace: &str) -> Vec<Value> {
    let ranges = world.store.snapshot().list_in("", "LimitRange", namespace);
    ranges.flat_map(|range| range.at(&["spec", "limits"]).as_array().cloned().unwrap_or_default()).collect()
}

/// Refuses what is outside the bounds.
///
/// # Errors
/// 403 that lists everything found.
pub fn check(world: &World, resource: &Resource, object: &Object) -> Result<(), Refusal> {
    let mut found = Vec::new();
    let kind = match (resource.group.as_str(), resource.kind.as_str()) {
        ("", kind @ ("Pod" | "PersistentVolumeClaim")) => kind,
        _ => return Ok(()),
    };
    for item in items(world, object.namespace()) {
        match item["type"].as_str() {
            Some("PersistentVolumeClaim") if kind == "PersistentVolumeClaim" => {
                let own = Amounts::read(object.at(&["spec", "resources"]));
                found.extend(own.request_bounds(&item, "PersistentVolumeClaim"));
            }
            Some("Container") if kind == "Pod" => {
                for list in ["containers", "initContainers"] {
                    for container in object.at(&["spec", list]).as_array().into_iter().flatten() {
                        found.extend(Amounts::read(&container["resources"]).bounds(&item, "Container"));
                    }
                }
            }
            Some("Pod") if kind == "Pod" => {
                let own = Amounts { requests: requests(object, "requests"), limits: requests(object, "limits") };
                found.extend(own.bounds(&item, "Pod"));
            }
            _ => (),
        }
    }
    match found.len() {
        0 => Ok(()),
        1 => Err(status::forbidden(resource, object.name(), &found[0])),
        _ => Err(status::forbidden(resource, object.name(), &format!("[{}]", found.join(", ")))),
    }
}

/// What a container, pod or claim asks for.
struct Amounts {
    requests: BTreeMap<String, Quantity>,
    limits: BTreeMap<String, Quantity>,
}

impl Amounts {
    fn read(resources: &Value) -> Amounts {
        let list = |key: &str| -> BTreeMap<String, Quantity> {
            resources[key].as_object().into_iter().flatten().map(|(k, v)| (k.clone(), Quantity::of(v))).collect()
        };
        Amounts { requests: list("requests"), limits: list("limits") }
    }

    fn bounds(&self, item: &Value, what: &str) -> Vec<String> {
        let mut found = Vec::new();
        for (key, bound) in bounds(item, "min") {
            found.extend(self.least(&key, bound, what));
        }
        for (key, bound) in bounds(item, "max") {
            found.extend(self.most(&key, bound, what));
        }
        for (key, bound) in bounds(item, "maxLimitRequestRatio") {
            found.extend(self.ratio(&key, bound, what));
        }
        found
    }

    /// Claims have no limits: only what they request counts.
    fn request_bounds(&self, item: &Value, what: &str) -> Vec<String> {
        let mut found = Vec::new();
        for (key, bound) in bounds(item, "min") {
            found.extend(self.least(&key, bound, what));
        }
        for (key, bound) in bounds(item, "max") {
            let (words, text) = (format!("maximum {key} usage per {what} is {}", bound.canonical()), |q: Quantity| q.canonical());
            match self.requests.get(&key) {
                None => found.push(format!("{words}.  No request is specified")),
                Some(request) if request.nano > bound.nano => found.push(format!("{words}, but request is {}", text(*request))),
                Some(_) => (),
            }
        }
        found
    }

    fn least(&self, key: &str, bound: Quantity, what: &str) -> Option<String> {
        let words = format!("minimum {key} usage per {what} is {}", bound.canonical());
        let Some(request) = self.requests.get(key) else { return Some(format!("{words}.  No request is specified")) };
        if request.nano < bound.nano {
            return Some(format!("{words}, but request is {}", request.canonical()));
        }
        let limit = self.limits.get(key).filter(|limit| limit.nano < bound.nano)?;
        Some(format!("{words}, but limit is {}", limit.canonical()))
    }

    fn most(&self, key: &str, bound: Quantity, what: &str) -> Option<String> {
        let words = format!("maximum {key} usage per {what} is {}", bound.canonical());
        let Some(limit) = self.limits.get(key) else { return Some(format!("{words}.  No limit is specified")) };
        if limit.nano > bound.nano {
            return Some(format!("{words}, but limit is {}", limit.canonical()));
        }
        let request = self.requests.get(key).filter(|request| request.nano > bound.nano)?;
        Some(format!("{words}, but request is {}", request.canonical()))
    }

    fn ratio(&self, key: &str, bound: Quantity, what: &str) -> Option<String> {
        let words = format!("{key} max limit to request ratio per {what} is {}", bound.canonical());
        let positive = |list: &BTreeMap<String, Quantity>| list.get(key).map(|q| q.nano).filter(|n| *n > 0);
        let Some(request) = positive(&self.requests) else {
            return Some(format!("{words}, but no request is specified or request is 0"));
        };
        let Some(limit) = positive(&self.limits) else {
            return Some(format!("{words}, but no limit is specified or limit is 0"));
        };
        let (ratio, most) = (limit as f64 / request as f64, bound.nano as f64 / 1e9);
        (ratio > most).then(|| format!("{words}, but provided ratio is {ratio:.6}"))
    }
}

fn bounds(item: &Value, list: &str) -> Vec<(String, Quantity)> {
    item[list].as_object().into_iter().flatten().map(|(key, value)| (key.clone(), Quantity::of(value))).collect()
}
