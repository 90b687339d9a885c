//! ResourceQuotas: what an object counts for, what a namespace uses, what goes too far (pkg/quota/v1 and
//! plugin/pkg/admission/resourcequota of Kubernetes).

use crate::k8s::quantity::Quantity;
use crate::k8s::{Object, Snapshot, kinds};
use crate::sandbox::api::registry::Resource;
use crate::sandbox::api::status;
use crate::sandbox::call::Refusal;
use crate::sandbox::controllers::{Load, requests, sum};
use crate::sandbox::world::World;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What the namespace of a quota uses of each resource that the quota names.
pub fn usage(state: &Snapshot, quota: &Object) -> Load {
    let names: BTreeSet<&str> = hard(quota).collect();
    let mut used: Load = names.iter().map(|name| (name.to_string(), Quantity::ZERO)).collect();
    let kinds = kinds::KINDS.iter().filter(|info| info.namespaced && counts(&names, info.group, info.plural));
    for info in kinds {
        for object in state.list_in(info.group, info.kind, quota.namespace()).filter(|o| in_scope(quota, o)) {
            let mut own = measure(object, info.group, info.plural);
            own.retain(|key, _| names.contains(key.as_str()));
            sum(&mut used, &own);
        }
    }
    for name in names.iter().filter_map(|name| name.strip_prefix("count/")) {
        let (plural, group) = name.split_once('.').unwrap_or((name, ""));
        if kinds::find_plural(group, plural).is_none() {
            let custom = state.all().filter(|o| o.namespace() == quota.namespace() && o.group() == group);
            let n = custom.filter(|o| plural_of(state, o) == Some(plural)).count();
            used.insert(format!("count/{name}"), Quantity::whole(n as i64));
        }
    }
    used
}

fn hard(quota: &Object) -> impl Iterator<Item = &str> {
    quota.at(&["spec", "hard"]).as_object().into_iter().flatten().map(|(key, _)| key.as_str())
}

fn plural_of<'a>(state: &'a Snapshot, object: &Object) -> Option<&'a str> {
    let mut all = state.list("apiextensions.k8s.io", "CustomResourceDefinition");
    let definition =
        all.find(|d| d.str_at(&["spec", "group"]) == object.group() && d.str_at(&["spec", "names", "kind"]) == object.kind())?;
    Some(definition.str_at(&["spec", "names", "plural"]))
}

/// Whether one of the names counts objects of this kind.
fn counts(names: &BTreeSet<&str>, group: &str, plural: &str) -> bool {
    let counted = count_name(group, plural);
    names.iter().any(|name| match (group, plural) {
        _ if *name == counted => true,
        ("", "pods") => is_compute(name),
        ("", "persistentvolumeclaims") => *name == "persistentvolumeclaims" || name.contains("storage"),
        ("", "services") => name.starts_with("services"),
        ("", plural) => *name == plural,
        _ => false,
    })
}

fn count_name(group: &str, plural: &str) -> String {
    if group.is_empty() { format!("count/{plural}") } else { format!("count/{plural}.{group}") }
}

fn is_compute(name: &str) -> bool {
    let of = ["cpu", "memory", "ephemeral-storage", "pods"].contains(&name);
    of || name.starts_with("requests.") && name != "requests.storage"
        || name.starts_with("limits.")
        || name.starts_with("hugepages-")
}

/// What an object counts for.
fn measure(object: &Object, group: &str, plural: &str) -> Load {
    let mut load: Load = BTreeMap::from([(count_name(group, plural), Quantity::whole(1))]);
    let mut put = |key: &str, n: Quantity| {
        load.insert(key.to_string(), n);
    };
    match (group, plural) {
        ("", "pods") if matches!(object.str_at(&["status", "phase"]), "Succeeded" | "Failed") => (),
        ("", "pods") => {
            put("pods", Quantity::whole(1));
            for (key, n) in requests(object, "requests") {
                put(&format!("requests.{key}"), n);
                if matches!(key.as_str(), "cpu" | "memory" | "ephemeral-storage") || key.starts_with("hugepages-") {
                    put(&key, n);
                }
            }
            for (key, n) in requests(object, "limits") {
                put(&format!("limits.{key}"), n);
            }
        }
        ("", "services") => {
            let kind = object.str_at(&["spec", "type"]);
            let ports = object.at(&["spec", "ports"]).as_array().map_or(&[][..], Vec::as_slice);
            put("services", Quantity::whole(1));
            let own = matches!(kind, "NodePort" | "LoadBalancer");
            let open = ports.iter().filter(|p| kind == "NodePort" || p["nodePort"].as_i64().unwrap_or(0) > 0).count();
            put("services.nodeports", Quantity::whole(if own { open as i64 } else { 0 }));
            put("services.loadbalancers", Quantity::whole(i64::from(kind == "LoadBalancer")));
        }
        ("", "persistentvolumeclaims") => {
            let size = Quantity::of(object.at(&["spec", "resources", "requests", "storage"]));
            let class = object.str_at(&["spec", "storageClassName"]).to_string();
            put("persistentvolumeclaims", Quantity::whole(1));
            put("requests.storage", size);
            if !class.is_empty() {
                put(&format!("{class}.storageclass.storage.k8s.io/persistentvolumeclaims"), Quantity::whole(1));
                put(&format!("{class}.storageclass.storage.k8s.io/requests.storage"), size);
            }
        }
        ("", "configmaps" | "secrets" | "replicationcontrollers" | "resourcequotas") => put(plural, Quantity::whole(1)),
        _ => (),
    }
    load
}

/// Whether an object is within a quota's scopes; only pods have any.
fn in_scope(quota: &Object, object: &Object) -> bool {
    let plain = quota.at(&["spec", "scopes"]).as_array().into_iter().flatten();
    let plain = plain.filter_map(Value::as_str).map(|scope| (scope, "Exists", &Value::Null));
    let chosen = quota.at(&["spec", "scopeSelector", "matchExpressions"]).as_array().into_iter().flatten();
    let chosen = chosen.map(|e| (e["scopeName"].as_str().unwrap_or(""), e["operator"].as_str().unwrap_or(""), &e["values"]));
    let mut scopes = plain.chain(chosen).peekable();
    if scopes.peek().is_none() {
        return true;
    }
    object.kind() == "Pod" && object.group().is_empty() && scopes.all(|scope| has_scope(object, scope))
}

fn has_scope(pod: &Object, (scope, operator, values): (&str, &str, &Value)) -> bool {
    let ends = pod.at(&["spec", "activeDeadlineSeconds"]).is_number();
    let best = pod.str_at(&["status", "qosClass"]) == "BestEffort";
    match scope {
        "Terminating" => ends,
        "NotTerminating" => !ends,
        "BestEffort" => best,
        "NotBestEffort" => !best,
        "PriorityClass" => {
            let class = pod.str_at(&["spec", "priorityClassName"]);
            let listed = values.as_array().is_some_and(|list| list.iter().any(|v| v == class));
            match operator {
                "In" => listed,
                "NotIn" => !listed,
                "DoesNotExist" => class.is_empty(),
                _ => !class.is_empty(),
            }
        }
        "CrossNamespacePodAffinity" => false,
        _ => false,
    }
}

/// Refuses an object with which a quota would be exceeded, or that lacks what a quota wants to know.
///
/// # Errors
/// 403.
pub fn check(world: &World, resource: &Resource, object: &Object, old: Option<&Object>) -> Result<(), Refusal> {
    let state = world.store.snapshot();
    let mut quotas = state.list_in("", "ResourceQuota", object.namespace()).peekable();
    if quotas.peek().is_none() || !resource.namespaced || resource.kind == "Event" {
        return Ok(());
    }
    let mut asked = measure(object, &resource.group, &resource.plural);
    for (key, n) in old.map(|old| measure(old, &resource.group, &resource.plural)).unwrap_or_default() {
        let there = asked.entry(key).or_insert(Quantity::ZERO);
        *there = there.minus(n);
    }
    for quota in quotas.filter(|q| in_scope(q, object)) {
        let forbidden = |why: String| Err(status::forbidden(resource, object.name(), &why));
        if old.is_none()
            && resource.kind == "Pod"
            && let Some(missing) = unspecified(quota, object)
        {
            return forbidden(format!("failed quota: {}: must specify {missing}", quota.name()));
        }
        let wanted: Load = asked.iter().filter(|(_, n)| n.nano > 0).map(|(k, n)| (k.clone(), *n)).collect();
        let names: BTreeSet<&str> = hard(quota).filter(|name| wanted.contains_key(*name)).collect();
        if names.is_empty() {
            continue;
        }
        let (used, limit) = (usage(state, quota), |key: &str| Quantity::of(&quota.at(&["spec", "hard"])[key]));
        let is_over = |key: &&str| used.get(*key).copied().unwrap_or(Quantity::ZERO).plus(wanted[*key]).nano > limit(key).nano;
        let over: Vec<&str> = names.into_iter().filter(is_over).collect();
        if over.is_empty() {
            continue;
        }
        let list = |amount: &dyn Fn(&str) -> Quantity| -> String {
            over.iter().map(|key| format!("{key}={}", amount(key).canonical())).collect::<Vec<_>>().join(",")
        };
        let (requested, used) = (list(&|key| wanted[key]), list(&|key| used.get(key).copied().unwrap_or(Quantity::ZERO)));
        let limited = list(&limit);
        return forbidden(format!("exceeded quota: {}, requested: {requested}, used: {used}, limited: {limited}", quota.name()));
    }
    Ok(())
}

/// What containers leave open that the quota counts: `limits.cpu for: c; limits.memory for: c`.
fn unspecified(quota: &Object, pod: &Object) -> Option<String> {
    let mut missing: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let watched = ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];
    for name in hard(quota).filter(|name| watched.contains(name)) {
        let (list, key) = name.split_once('.').unwrap_or(("requests", name));
        for containers in ["containers", "initContainers"] {
            for container in pod.at(&["spec", containers]).as_array().into_iter().flatten() {
                if container["resources"][list][key].is_null() {
                    missing.entry(name).or_default().insert(container["name"].as_str().unwrap_or("").to_string());
                }
            }
        }
    }
    let text = |(name, who): (&str, BTreeSet<String>)| format!("{name} for: {}", who.into_iter().collect::<Vec<_>>().join(","));
    (!missing.is_empty()).then(|| missing.into_iter().map(text).collect::<Vec<_>>().join("; "))
}
