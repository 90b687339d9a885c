//! What the API server fills in.

mod pods;

use crate::k8s::quantity::Quantity;
use crate::k8s::{Object, base64};
use crate::sandbox::api::registry::Resource;
use crate::sandbox::controllers;
use crate::sandbox::world::World;
use serde_json::{Map, Value, json};

/// Fills in the defaults of an object; `old` is the stored one of an update.
pub fn apply(world: &mut World, resource: &Resource, object: &mut Object, old: Option<&Object>) {
    if let Some(custom) = &resource.custom {
        custom.apply_defaults(object, &resource.version);
        return;
    }
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Pod") => pods::pod(world, object, old),
        ("", "Service") => service(world, object, old),
        ("", "Namespace") => namespace(object, old),
        ("", "Secret") => secret(object),
        ("", "ReplicationController") => workload(object),
        ("", "Node") if object.status().is_null() => object.set(&["status"], json!({})),
        ("", "PersistentVolumeClaim") => {
            set_missing(object, &["spec", "volumeMode"], json!("Filesystem"));
            set_missing(object, &["status", "phase"], json!("Pending"));
        }
        ("", "ResourceQuota") => set_missing(object, &["status"], json!({})),
        ("", "LimitRange") => limit_range(object),
        ("apps", "Deployment") => {
            workload(object);
            deployment(object);
        }
        ("apps", "ReplicaSet") => {
            workload(object);
            set_missing(object, &["status", "replicas"], json!(0));
        }
        ("apps", "StatefulSet") => {
            workload(object);
            stateful_set(object);
        }
        ("apps", "DaemonSet") => {
            pods::template(object, &["spec", "template"]);
            daemon_set(object, old);
        }
        ("batch", "Job") => job(object),
        ("batch", "CronJob") => cron_job(object),
        ("networking.k8s.io", "NetworkPolicy") => network_policy(object),
        ("networking.k8s.io", "Ingress") => set_missing(object, &["status", "loadBalancer"], json!({})),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => binding(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(object),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration") => webhooks(object, true),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration") => webhooks(object, false),
        ("autoscaling", _) => autoscaler(object),
        ("storage.k8s.io", "StorageClass") => {
            set_missing(object, &["reclaimPolicy"], json!("Delete"));
            set_missing(object, &["volumeBindingMode"], json!("Immediate"));
        }
        ("scheduling.k8s.io", "PriorityClass") => set_missing(object, &["preemptionPolicy"], json!("PreemptLowerPriority")),
        ("policy", "PodDisruptionBudget") if object.status().is_null() => {
            object.set(&["status"], json!({"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0}))
        }
        _ => (),
    }
}

/// A new object as it was decoded: with its type's defaults, without what the server adds to it. `None`: nothing is added to its kind
/// that is not a default of its type.
pub fn decoded(resource: &Resource, object: &Object) -> Option<Object> {
    ((resource.group.as_str(), resource.kind.as_str()) == ("", "Pod")).then(|| pods::decoded(object))
}

/// Sets a field that is not there.
fn set_missing(object: &mut Object, path: &[&str], value: Value) {
    if object.at(path).is_null() {
        object.set(path, value);
    }
}

/// Sets a member that is not there.
fn fill(map: &mut Map<String, Value>, key: &str, value: Value) {
    if map.get(key).is_none_or(Value::is_null) {
        map.insert(key.into(), value);
    }
}

/// Every object of a list at a path.
fn each(object: &mut Object, path: &[&str], mut f: impl FnMut(&mut Map<String, Value>)) {
    let pointer = format!("/{}", path.join("/"));
    let list = object.0.pointer_mut(&pointer).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut).for_each(&mut f);
}

fn workload(object: &mut Object) {
    set_missing(object, &["spec", "replicas"], json!(1));
    if object.at(&["spec", "template"]).is_object() {
        pods::template(object, &["spec", "template"]);
    }
}

fn deployment(object: &mut Object) {
    set_missing(object, &["spec", "strategy", "type"], json!("RollingUpdate"));
    if object.str_at(&["spec", "strategy", "type"]) == "RollingUpdate" {
        set_missing(object, &["spec", "strategy", "rollingUpdate", "maxSurge"], json!("25%"));
        set_missing(object, &["spec", "strategy", "rollingUpdate", "maxUnavailable"], json!("25%"));
    }
    set_missing(object, &["spec", "revisionHistoryLimit"], json!(10));
    set_missing(object, &["spec", "progressDeadlineSeconds"], json!(600));
    set_missing(object, &["status"], json!({}));
}

fn stateful_set(object: &mut Object) {
    set_missing(object, &["spec", "podManagementPolicy"], json!("OrderedReady"));
    set_missing(object, &["spec", "updateStrategy", "type"], json!("RollingUpdate"));
    if object.str_at(&["spec", "updateStrategy", "type"]) == "RollingUpdate" {
        set_missing(object, &["spec", "updateStrategy", "rollingUpdate", "partition"], json!(0));
    }
    each(object, &["spec", "volumeClaimTemplates"], |claim| {
        fill(claim, "apiVersion", json!("v1"));
        fill(claim, "kind", json!("PersistentVolumeClaim"));
        if let Some(Value::Object(spec)) = claim.get_mut("spec") {
            fill(spec, "volumeMode", json!("Filesystem"));
        }
        fill(claim, "status", json!({"phase": "Pending"}));
    });
    set_missing(object, &["spec", "revisionHistoryLimit"], json!(10));
    let retention = json!({"whenDeleted": "Retain", "whenScaled": "Retain"});
    set_missing(object, &["spec", "persistentVolumeClaimRetentionPolicy"], retention);
    set_missing(object, &["status"], json!({"replicas": 0, "availableReplicas": 0}));
}

fn daemon_set(object: &mut Object, old: Option<&Object>) {
    // The API server counts changes of the template in an annotation.
    let key = controllers::DAEMON_GENERATION;
    let count = old.and_then(|old| old.annotation(key)).and_then(|n| n.parse::<i64>().ok()).unwrap_or(0);
    let changed = old.is_none_or(|old| old.at(&["spec", "template"]) != object.at(&["spec", "template"]));
    object.set(&["metadata", "annotations", key], json!((count + i64::from(changed)).to_string()));
    set_missing(object, &["spec", "updateStrategy", "type"], json!("RollingUpdate"));
    if object.str_at(&["spec", "updateStrategy", "type"]) == "RollingUpdate" {
        set_missing(object, &["spec", "updateStrategy", "rollingUpdate", "maxUnavailable"], json!(1));
        set_missing(object, &["spec", "updateStrategy", "rollingUpdate", "maxSurge"], json!(0));
    }
    set_missing(object, &["spec", "revisionHistoryLimit"], json!(10));
    let status = json!({"currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0, "numberReady": 0});
    set_missing(object, &["status"], status);
}

fn job(object: &mut Object) {
    // A Job that names only its parallelism is a work queue: it has no number of completions.
    if object.at(&["spec", "parallelism"]).is_null() {
        set_missing(object, &["spec", "completions"], json!(1));
    }
    for (field, value) in [
        ("parallelism", json!(1)),
        ("backoffLimit", json!(6)),
        ("completionMode", json!("NonIndexed")),
        ("suspend", json!(false)),
        ("podReplacementPolicy", json!("TerminatingOrFailed")),
        ("manualSelector", json!(false)),
    ] {
        set_missing(object, &["spec", field], value);
    }
    pods::template(object, &["spec", "template"]);
    set_missing(object, &["status"], json!({}));
    if object.at(&["spec", "manualSelector"]) == true {
        return;
    }
    let (uid, name) = (object.uid().to_string(), object.name().to_string());
    let own = [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ];
    for (key, value) in own {
        set_missing(object, &["metadata", "labels", key], json!(value));
        set_missing(object, &["spec", "template", "metadata", "labels", key], json!(value));
    }
    set_missing(object, &["spec", "selector", "matchLabels"], json!({"batch.kubernetes.io/controller-uid": uid}));
}

fn cron_job(object: &mut Object) {
    set_missing(object, &["spec", "concurrencyPolicy"], json!("Allow"));
    set_missing(object, &["spec", "suspend"], json!(false));
    set_missing(object, &["spec", "successfulJobsHistoryLimit"], json!(3));
    set_missing(object, &["spec", "failedJobsHistoryLimit"], json!(1));
    set_missing(object, &["status"], json!({}));
    if object.at(&["spec", "jobTemplate", "spec", "template"]).is_object() {
        pods::template(object, &["spec", "jobTemplate", "spec", "template"]);
    }
}

fn service(world: &World, object: &mut Object, old: Option<&Object>) {
    set_missing(object, &["spec", "type"], json!("ClusterIP"));
    set_missing(object, &["spec", "sessionAffinity"], json!("None"));
    if object.str_at(&["spec", "sessionAffinity"]) == "ClientIP" {
        set_missing(object, &["spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds"], json!(10_800));
    }
    let kind = object.str_at(&["spec", "type"]).to_string();
    if let Some(old) = old.filter(|old| old.str_at(&["spec", "type"]) != kind) {
        leave_type(object, old, &kind);
    }
    if kind != "ExternalName" {
        cluster_ip(world, object, old);
        set_missing(object, &["spec", "ipFamilies"], json!(["IPv4"]));
        set_missing(object, &["spec", "ipFamilyPolicy"], json!("SingleStack"));
        set_missing(object, &["spec", "internalTrafficPolicy"], json!("Cluster"));
    }
    each(object, &["spec", "ports"], |port| {
        // Clients that write every field send 0 and "" for what nobody set (S: core/v1 SetDefaults_Service).
        port.retain(|name, value| {
            !matches!(name.as_str(), "protocol" | "targetPort") || (*value != json!(0) && *value != json!(""))
        });
        fill(port, "protocol", json!("TCP"));
        let number = port.get("port").cloned().unwrap_or(Value::Null);
        fill(port, "targetPort", number);
    });
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        set_missing(object, &["spec", "externalTrafficPolicy"], json!("Cluster"));
        if kind == "LoadBalancer" {
            set_missing(object, &["spec", "allocateLoadBalancerNodePorts"], json!(true));
        }
        if let Some(old) = old {
            keep_node_ports(object, old);
        }
        if kind == "NodePort" || object.at(&["spec", "allocateLoadBalancerNodePorts"]) == true {
            controllers::assign_node_ports(world.seed, world.store.snapshot(), object);
        }
    }
    set_missing(object, &["status", "loadBalancer"], json!({}));
}

/// A Service that changes its type loses what only the old type has, unless the write set it anew.
fn leave_type(object: &mut Object, old: &Object, kind: &str) {
    let mut drop_same = |field: &str| {
        if object.at(&["spec", field]) == old.at(&["spec", field]) {
            object.remove(&["spec", field]);
        }
    };
    if kind == "ExternalName" {
        ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"].into_iter().for_each(&mut drop_same);
    }
    if !matches!(kind, "NodePort" | "LoadBalancer") {
        ["externalTrafficPolicy", "healthCheckNodePort"].into_iter().for_each(&mut drop_same);
    }
    if kind != "LoadBalancer" {
        ["allocateLoadBalancerNodePorts", "loadBalancerClass"].into_iter().for_each(&mut drop_same);
    }
    if !matches!(kind, "NodePort" | "LoadBalancer") {
        let before = old.at(&["spec", "ports"]).as_array().cloned().unwrap_or_default();
        each(object, &["spec", "ports"], |port| {
            if before.iter().any(|p| p["nodePort"] == port.get("nodePort").cloned().unwrap_or(Value::Null)) {
                port.remove("nodePort");
            }
        });
    }
}

/// A port that keeps its number and protocol keeps its node port.
fn keep_node_ports(object: &mut Object, old: &Object) {
    let before = old.at(&["spec", "ports"]).as_array().cloned().unwrap_or_default();
    let used: Vec<Value> =
        object.at(&["spec", "ports"]).as_array().into_iter().flatten().map(|p| p["nodePort"].clone()).collect();
    each(object, &["spec", "ports"], |port| {
        let same = |p: &&Value| Some(&p["port"]) == port.get("port") && Some(&p["protocol"]) == port.get("protocol");
        let kept = before.iter().find(same).map(|p| p["nodePort"].clone()).filter(|n| n.is_number() && !used.contains(n));
        if let Some(kept) = kept {
            fill(port, "nodePort", kept);
        }
    });
}

fn cluster_ip(world: &World, object: &mut Object, old: Option<&Object>) {
    if object.str_at(&["spec", "clusterIP"]).is_empty() {
        let kept = old.map(|old| old.str_at(&["spec", "clusterIP"]).to_string()).filter(|ip| !ip.is_empty());
        let ip = kept.unwrap_or_else(|| {
            controllers::free_cluster_ip(world.seed, world.store.snapshot(), object.namespace(), object.name())
        });
        object.set(&["spec", "clusterIP"], json!(ip));
    }
    let ip = object.at(&["spec", "clusterIP"]).clone();
    set_missing(object, &["spec", "clusterIPs"], json!([ip]));
}

fn namespace(object: &mut Object, old: Option<&Object>) {
    let name = object.name().to_string();
    set_missing(object, &["metadata", "labels", "kubernetes.io/metadata.name"], json!(name));
    if old.is_none() {
        object.set(&["spec", "finalizers"], json!(["kubernetes"]));
    }
    set_missing(object, &["status", "phase"], json!("Active"));
}

fn secret(object: &mut Object) {
    set_missing(object, &["type"], json!("Opaque"));
    let Some(Value::Object(plain)) = object.remove(&["stringData"]) else { return };
    for (key, value) in plain {
        let coded = base64::encode(value.as_str().unwrap_or("").as_bytes());
        object.set(&["data", &key], json!(coded));
    }
}

/// What a container range says of limits holds for defaults that it does not name.
fn limit_range(object: &mut Object) {
    each(object, &["spec", "limits"], |item| {
        for list in ["min", "max", "default", "defaultRequest", "maxLimitRequestRatio"] {
            for value in item.get_mut(list).and_then(Value::as_object_mut).into_iter().flat_map(|map| map.values_mut()) {
                *value = json!(Quantity::of(value).canonical());
            }
        }
        if item.get("type").is_none_or(|kind| kind != "Container") {
            return;
        }
        for (from, to) in [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")] {
            for (key, value) in item.get(from).and_then(Value::as_object).cloned().unwrap_or_default() {
                if let Value::Object(map) = item.entry(to).or_insert_with(|| json!({})) {
                    fill(map, &key, value);
                }
            }
        }
    });
}

fn network_policy(object: &mut Object) {
    if object.at(&["spec", "policyTypes"]).is_null() {
        let mut types = vec!["Ingress"];
        if object.at(&["spec", "egress"]).as_array().is_some_and(|list| !list.is_empty()) {
            types.push("Egress");
        }
        object.set(&["spec", "policyTypes"], json!(types));
    }
    for (list, peers) in [("ingress", "ports"), ("egress", "ports")] {
        each(object, &["spec", list], |rule| {
            for port in rule.get_mut(peers).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut) {
                fill(port, "protocol", json!("TCP"));
            }
        });
    }
}

fn binding(object: &mut Object) {
    set_missing(object, &["roleRef", "apiGroup"], json!("rbac.authorization.k8s.io"));
    each(object, &["subjects"], |subject| {
        if matches!(subject.get("kind").and_then(Value::as_str), Some("User" | "Group")) {
            fill(subject, "apiGroup", json!("rbac.authorization.k8s.io"));
        }
    });
}

fn definition(object: &mut Object) {
    let kind = object.str_at(&["spec", "names", "kind"]).to_string();
    set_missing(object, &["spec", "names", "listKind"], json!(format!("{kind}List")));
    set_missing(object, &["spec", "names", "singular"], json!(kind.to_lowercase()));
    set_missing(object, &["spec", "conversion", "strategy"], json!("None"));
}

fn webhooks(object: &mut Object, mutating: bool) {
    each(object, &["webhooks"], |hook| {
        fill(hook, "failurePolicy", json!("Fail"));
        fill(hook, "matchPolicy", json!("Equivalent"));
        fill(hook, "namespaceSelector", json!({}));
        fill(hook, "objectSelector", json!({}));
        fill(hook, "timeoutSeconds", json!(10));
        if mutating {
            fill(hook, "reinvocationPolicy", json!("Never"));
        }
        for rule in hook.get_mut("rules").and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut) {
            fill(rule, "scope", json!("*"));
        }
        if let Some(Value::Object(service)) = hook.get_mut("clientConfig").and_then(|c| c.get_mut("service")) {
            fill(service, "port", json!(443));
        }
    });
}

fn autoscaler(object: &mut Object) {
    set_missing(object, &["spec", "minReplicas"], json!(1));
    // Version 1 names one percentage; version 2, which is stored, a list of metrics.
    let percent = object.remove(&["spec", "targetCPUUtilizationPercentage"]).unwrap_or(json!(80));
    let target = json!({"type": "Utilization", "averageUtilization": percent});
    set_missing(object, &["spec", "metrics"], json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]));
    set_missing(object, &["status"], json!({"desiredReplicas": 0, "currentMetrics": null}));
}
