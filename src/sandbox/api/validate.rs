//! What the API server refuses about built-in kinds, and the hand-over to the schemas of custom ones.

pub mod crd;
mod names;
mod pods;
mod rbac;
mod webhooks;

use crate::base::clock::Zone;
use crate::k8s::Object;
use crate::k8s::selector::LabelSelector;
use crate::sandbox::api::registry::Resource;
use crate::sandbox::api::status::Cause;
use crate::sandbox::controllers;
use crate::sandbox::world::World;
use serde_json::{Value, json};

/// What is wrong with a new object.
pub fn create(world: &World, resource: &Resource, object: &Object) -> Vec<Cause> {
    let mut causes = names::metadata(resource, object);
    match &resource.custom {
        Some(custom) => causes.extend(custom.validate(object, None, &resource.version)),
        None => causes.extend(builtin(world, resource, object)),
    }
    causes
}

/// What is wrong with a changed object.
pub fn update(world: &World, resource: &Resource, old: &Object, object: &Object, subresource: &str) -> Vec<Cause> {
    let mut causes = names::metadata(resource, object);
    causes.extend(names::new_finalizers(old, object));
    match &resource.custom {
        Some(custom) => causes.extend(custom.validate(object, Some(old), &resource.version)),
        None if subresource == "status" => (),
        None => {
            causes.extend(builtin(world, resource, object));
            causes.extend(immutable(resource, old, object));
            if resource.kind == "Pod" && subresource != "ephemeralcontainers" {
                causes.extend(pods::ephemeral_changed(old, object));
            }
        }
    }
    causes
}

/// Texts for `Warning` headers on a create.
pub fn warnings(resource: &Resource, object: &Object) -> Vec<String> {
    let deprecated = resource.kind == "Pod"
        && !object.str_at(&["metadata", "annotations", "scheduler.alpha.kubernetes.io/critical-pod"]).is_empty();
    deprecated.then(|| "metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in v1.16+; use the \"priorityClassName\" field instead".to_string()).into_iter().collect()
}

fn builtin(world: &World, resource: &Resource, object: &Object) -> Vec<Cause> {
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Pod") => pods::spec(object.spec(), "spec"),
        ("apps", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet") => workload(resource, object),
        ("", "ReplicationController") => replicas(object),
        ("batch", "Job") => pods::template(object.at(&["spec", "template"]), "spec.template", &["OnFailure", "Never"]),
        ("batch", "CronJob") => cron_job(object),
        ("", "Service") => service(world, object),
        ("", "ConfigMap") => config_map(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => crd::definition(object),
        ("rbac.authorization.k8s.io", "Role" | "ClusterRole") => rbac::role(object, resource.namespaced),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => rbac::binding(object, resource.namespaced),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration") => {
            webhooks::configuration(object)
        }
        ("networking.k8s.io", "NetworkPolicy") if object.at(&["spec"]).is_null() => Vec::new(),
        _ => Vec::new(),
    }
}

/// The first field of an object that asks for what is not simulated here.
pub fn not_simulated(resource: &Resource, object: &Object) -> Option<String> {
    let (path, fields): (&[&str], &[&str]) = match (resource.group.as_str(), resource.kind.as_str()) {
        ("batch", "Job") => (&["spec"], JOB_FIELDS),
        ("batch", "CronJob") => (&["spec", "jobTemplate", "spec"], JOB_FIELDS),
        _ => return None,
    };
    let set = fields.iter().find(|field| !object.at(path)[**field].is_null())?;
    Some(format!("{} {}.{set}", resource.kind, path.join(".")))
}

/// Ways to end a Job that its controller does not know here.
const JOB_FIELDS: &[&str] = &["podFailurePolicy", "successPolicy", "backoffLimitPerIndex", "maxFailedIndexes"];

/// A CronJob's schedule and the template of its jobs (S: pkg/apis/batch/validation ValidateCronJobSpec).
fn cron_job(object: &Object) -> Vec<Cause> {
    let schedule = object.at(&["spec", "schedule"]);
    let mut causes = match schedule.as_str().unwrap_or("") {
        "" => vec![Cause::required("spec.schedule", "")],
        text => match controllers::Schedule::parse(text) {
            Ok(_) => Vec::new(),
            Err(why) => vec![Cause::invalid("spec.schedule", schedule, &why)],
        },
    };
    let zone = object.str_at(&["spec", "timeZone"]);
    if !zone.is_empty() && Zone::find(zone).is_none() {
        let why = format!("unknown time zone {zone}");
        causes.push(Cause::invalid("spec.timeZone", object.at(&["spec", "timeZone"]), &why));
    }
    let template = object.at(&["spec", "jobTemplate", "spec", "template"]);
    causes.extend(pods::template(template, "spec.jobTemplate.spec.template", &["OnFailure", "Never"]));
    causes
}

fn replicas(object: &Object) -> Vec<Cause> {
    let value = object.at(&["spec", "replicas"]);
    match value.as_i64() {
        Some(n) if n < 0 => vec![Cause::invalid("spec.replicas", value, "must be greater than or equal to 0")],
        _ => Vec::new(),
    }
}

fn workload(resource: &Resource, object: &Object) -> Vec<Cause> {
    let mut causes = replicas(object);
    let selector = object.at(&["spec", "selector"]);
    if selector.is_null() {
        causes.push(Cause::required("spec.selector", ""));
    } else if is_empty_selector(selector) {
        let why = format!("empty selector is invalid for {}", resource.kind.to_lowercase());
        causes.push(Cause::invalid("spec.selector", selector, &why));
    }
    let labels = object.at(&["spec", "template", "metadata", "labels"]);
    let carried = crate::k8s::object::strings(labels);
    if !LabelSelector::from_object(selector).matches(&carried) || selector.is_null() {
        let shown = if labels.is_null() { json!({}) } else { labels.clone() };
        let why = "`selector` does not match template `labels`";
        causes.push(Cause::invalid("spec.template.metadata.labels", &shown, why));
    }
    causes.extend(pods::template(object.at(&["spec", "template"]), "spec.template", &["Always"]));
    if resource.kind == "Deployment" {
        causes.extend(strategy(object));
    }
    causes
}

fn is_empty_selector(selector: &Value) -> bool {
    let empty = |value: &Value| match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        value => value.is_null(),
    };
    empty(&selector["matchLabels"]) && empty(&selector["matchExpressions"])
}

fn strategy(object: &Object) -> Vec<Cause> {
    let kind = object.at(&["spec", "strategy", "type"]);
    match kind.as_str() {
        Some("RollingUpdate") => Vec::new(),
        Some("Recreate") if object.at(&["spec", "strategy", "rollingUpdate"]).is_null() => Vec::new(),
        Some("Recreate") => {
            vec![Cause::forbidden("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")]
        }
        _ => vec![Cause::unsupported("spec.strategy.type", kind, &["Recreate", "RollingUpdate"])],
    }
}

fn service(world: &World, object: &Object) -> Vec<Cause> {
    let mut causes = Vec::new();
    let kind = object.at(&["spec", "type"]);
    let kinds = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    if !kinds.iter().any(|k| kind == k) {
        causes.push(Cause::unsupported("spec.type", kind, &kinds));
    }
    let ip = object.str_at(&["spec", "clusterIP"]);
    let ports = object.at(&["spec", "ports"]).as_array().cloned().unwrap_or_default();
    if ports.is_empty() && kind != "ExternalName" && ip != "None" {
        causes.push(Cause::required("spec.ports", ""));
    }
    if kind == "ExternalName" && object.str_at(&["spec", "externalName"]).is_empty() {
        causes.push(Cause::required("spec.externalName", ""));
    }
    for (i, port) in ports.iter().enumerate() {
        let at = |field: &str| format!("spec.ports[{i}].{field}");
        causes.extend(port_number(&port["port"], &at("port")));
        let name = port["name"].as_str().unwrap_or("");
        if name.is_empty() && ports.len() > 1 {
            causes.push(Cause::required(at("name"), ""));
        } else if !name.is_empty() {
            causes.extend(names::label(name).map(|why| Cause::invalid(at("name"), &json!(name), &why)));
        }
        let protocols = ["SCTP", "TCP", "UDP"];
        if !protocols.iter().any(|p| port["protocol"] == *p) {
            causes.push(Cause::unsupported(at("protocol"), &port["protocol"], &protocols));
        }
        if !port["targetPort"].is_string() {
            causes.extend(port_number(&port["targetPort"], &at("targetPort")));
        }
        let same = |other: &Value, field: &str| other[field] == port[field];
        if ports[..i].iter().any(|o| same(o, "port") && same(o, "protocol")) {
            causes
                .push(Cause::duplicate(format!("spec.ports[{i}]"), &json!({"port": port["port"], "protocol": port["protocol"]})));
        }
        if !name.is_empty() && ports[..i].iter().any(|o| same(o, "name")) {
            causes.push(Cause::duplicate(at("name"), &json!(name)));
        }
    }
    causes.extend(taken(world, object, ip));
    if matches!(object.str_at(&["spec", "type"]), "NodePort" | "LoadBalancer") {
        let wrong = controllers::wrong_node_ports(world.store.snapshot(), object).into_iter();
        causes.extend(wrong.map(|(i, n, why)| Cause::invalid(format!("spec.ports[{i}].nodePort"), &json!(n), why)));
    } else {
        let given = |port: &Value| port["nodePort"].as_i64().is_some_and(|n| n > 0);
        let why = format!("may not be used when `type` is '{}'", object.str_at(&["spec", "type"]));
        let named = ports.iter().enumerate().filter(|(_, port)| given(port));
        causes.extend(named.map(|(i, _)| Cause::forbidden(format!("spec.ports[{i}].nodePort"), &why)));
    }
    causes
}

/// A cluster address that another Service has.
fn taken(world: &World, object: &Object, ip: &str) -> Option<Cause> {
    if ip.is_empty() || ip == "None" {
        return None;
    }
    let all = world.store.snapshot().list("", "Service");
    let other = all.filter(|s| s.key() != object.key()).any(|s| s.str_at(&["spec", "clusterIP"]) == ip);
    let why = "failed to allocate IP: provided IP is already allocated".replace("IP:", &format!("IP {ip}:"));
    other.then(|| Cause::invalid("spec.clusterIPs", &json!([ip]), &why))
}

/// A port outside 1 to 65535.
fn port_number(value: &Value, field: &str) -> Option<Cause> {
    let good = value.as_i64().is_some_and(|n| (1..=65_535).contains(&n));
    let shown = if value.is_null() { json!(0) } else { value.clone() };
    (!good).then(|| Cause::invalid(field, &shown, "must be between 1 and 65535, inclusive"))
}

fn config_map(object: &Object) -> Vec<Cause> {
    let keys = |field: &'static str| object.at(&[field]).as_object().into_iter().flatten().map(move |(key, _)| (field, key));
    let why = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or \
               'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
    let good = |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    let bad = keys("data").chain(keys("binaryData")).filter(|(_, key)| !good(key));
    bad.map(|(field, key)| Cause::invalid(format!("{field}[{key}]"), &json!(key), why)).collect()
}

/// Fields that never change.
fn immutable(resource: &Resource, old: &Object, object: &Object) -> Vec<Cause> {
    let fixed = |path: &[&str]| {
        let (before, after) = (old.at(path), object.at(path));
        (before != after).then(|| Cause::invalid(path.join("."), after, "field is immutable"))
    };
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("apps", "Deployment" | "ReplicaSet" | "DaemonSet") => fixed(&["spec", "selector"]).into_iter().collect(),
        ("batch", "Job") => fixed(&["spec", "selector"]).into_iter().chain(fixed(&["spec", "template"])).collect(),
        ("", "Pod") => pods::changed(old, object).into_iter().collect(),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => crd::changed(old, object),
        ("", "Secret") => fixed(&["type"]).into_iter().collect(),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding")
            if old.at(&["roleRef"]) != object.at(&["roleRef"]) =>
        {
            vec![Cause::invalid("roleRef", object.at(&["roleRef"]), "cannot change roleRef")]
        }
        ("", "Service")
            if old.str_at(&["spec", "type"]) != "ExternalName" && object.str_at(&["spec", "type"]) != "ExternalName" =>
        {
            let (before, after) = (old.at(&["spec", "clusterIP"]), object.at(&["spec", "clusterIP"]));
            let fixed = before != "" && !before.is_null() && before != after;
            let shown = object.at(&["spec", "clusterIPs"]);
            fixed.then(|| Cause::invalid("spec.clusterIPs[0]", shown, "may not change once set")).into_iter().collect()
        }
        ("", "ConfigMap") if old.at(&["immutable"]) == true && old.at(&["data"]) != object.at(&["data"]) => {
            vec![Cause::forbidden("data", "field is immutable when `immutable` is set")]
        }
        _ => Vec::new(),
    }
}
