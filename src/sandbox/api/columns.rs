//! The cells of the built-in kinds' tables (printers of the API server), in the order of `assets/kubernetes/table-columns.json`.

mod others;
mod pods;
mod services;

use crate::base::clock::Time;
use crate::base::duration::human;
use crate::k8s::Object;
use crate::sandbox::api::table::age;
use crate::sandbox::world::View;
use serde_json::{Value, json};

/// All cells of an object.
pub fn cells(world: &View, plural: &str, o: &Object) -> Vec<Value> {
    let now = world.now();
    let name = json!(o.name());
    let age_of = json!(age(o.str_at(&["metadata", "creationTimestamp"]), now));
    let created = o.at(&["metadata", "creationTimestamp"]).clone();
    let int = |path: &[&str]| json!(o.at(path).as_i64().unwrap_or(0));
    match plural {
        "pods" => pods::cells(o, now),
        "services" => services::service(o, now),
        "endpoints" => vec![name, json!(services::endpoints(o)), age_of],
        "endpointslices" => {
            let (ports, endpoints) = services::slice(o);
            vec![name, o.at(&["addressType"]).clone(), json!(ports), json!(endpoints), age_of]
        }
        "namespaces" => vec![name, o.at(&["status", "phase"]).clone(), age_of],
        "nodes" => node(o, age_of),
        "events" => event(o, now),
        "configmaps" => vec![name, json!(members(o, "data") + members(o, "binaryData")), age_of],
        "secrets" => vec![name, o.at(&["type"]).clone(), json!(members(o, "data")), age_of],
        "deployments" => {
            let status = |field: &str| int(&["status", field]);
            let ready = format!("{}/{}", status("readyReplicas"), int(&["spec", "replicas"]));
            let mut cells = vec![name, json!(ready), status("updatedReplicas"), status("availableReplicas"), age_of];
            cells.extend(template(o, &["spec", "template", "spec"]));
            cells.push(json!(label_selector(o.at(&["spec", "selector"]))));
            cells
        }
        "replicasets" | "replicationcontrollers" => {
            let status = |field: &str| int(&["status", field]);
            let mut cells = vec![name, int(&["spec", "replicas"]), status("replicas"), status("readyReplicas"), age_of];
            cells.extend(template(o, &["spec", "template", "spec"]));
            cells.push(json!(label_selector(o.at(&["spec", "selector"]))));
            cells
        }
        "statefulsets" => {
            let ready = format!("{}/{}", int(&["status", "readyReplicas"]), int(&["spec", "replicas"]));
            [vec![name, json!(ready), age_of], template(o, &["spec", "template", "spec"])].concat()
        }
        "daemonsets" => daemon_set(o, name, age_of),
        "jobs" => job(o, now),
        "cronjobs" => cron_job(o, now),
        "customresourcedefinitions" | "limitranges" | "roles" | "clusterroles" => vec![name, created],
        "rolebindings" | "clusterrolebindings" => binding(o, name, age_of),
        "ingresses" => ingress(o, name, age_of),
        "networkpolicies" => vec![name, json!(label_selector(o.at(&["spec", "podSelector"]))), age_of],
        "horizontalpodautoscalers" => autoscaler(o, name, age_of),
        "poddisruptionbudgets" => {
            let limit = |field: &str| json!(or(&plain(o.at(&["spec", field])), "N/A"));
            vec![name, limit("minAvailable"), limit("maxUnavailable"), int(&["status", "disruptionsAllowed"]), age_of]
        }
        "resourcequotas" => quota(o, name, age_of),
        "leases" => vec![name, o.at(&["spec", "holderIdentity"]).clone(), age_of],
        "storageclasses" => {
            let field = |key: &str, default: &str| json!(or(&plain(o.at(&[key])), default));
            let expand = o.at(&["allowVolumeExpansion"]).as_bool().unwrap_or(false);
            let (reclaim, binding) = (field("reclaimPolicy", "Delete"), field("volumeBindingMode", "Immediate"));
            vec![name, o.at(&["provisioner"]).clone(), reclaim, binding, json!(expand), age_of]
        }
        "mutatingwebhookconfigurations" | "validatingwebhookconfigurations" => {
            vec![name, json!(o.at(&["webhooks"]).as_array().map_or(0, Vec::len)), age_of]
        }
        "priorityclasses" => {
            let global = o.at(&["globalDefault"]).as_bool().unwrap_or(false);
            vec![name, int(&["value"]), json!(global), age_of, o.at(&["preemptionPolicy"]).clone()]
        }
        "ingressclasses" => vec![name, o.at(&["spec", "controller"]).clone(), json!("<none>"), age_of],
        "persistentvolumes" => others::volume(o, age_of),
        "controllerrevisions" => others::revision(o, age_of),
        "validatingadmissionpolicies" => others::admission_policy(o, age_of),
        "certificatesigningrequests" => others::signing_request(o, age_of),
        "persistentvolumeclaims" => {
            let spec = |field: &str| json!(plain(o.at(&["spec", field])));
            let modes = others::access_modes(o);
            let capacity = json!(plain(o.at(&["status", "capacity", "storage"])));
            let phase = o.at(&["status", "phase"]).clone();
            let mode = spec("volumeMode");
            vec![
                name,
                phase,
                spec("volumeName"),
                capacity,
                json!(modes),
                spec("storageClassName"),
                json!("<unset>"),
                age_of,
                mode,
            ]
        }
        _ => vec![name, age_of],
    }
}

fn members(o: &Object, field: &str) -> usize {
    o.at(&[field]).as_object().map_or(0, serde_json::Map::len)
}

/// A scalar as text, "" for null.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn or(text: &str, default: &str) -> String {
    if text.is_empty() { default.to_string() } else { text.to_string() }
}

fn list(value: &Value) -> String {
    value.as_array().into_iter().flatten().map(plain).collect::<Vec<_>>().join(",")
}

/// Containers' names and images, comma-joined.
fn template(o: &Object, path: &[&str]) -> Vec<Value> {
    let containers = || o.at(path)["containers"].as_array().into_iter().flatten();
    let join = |field: &str| containers().map(|c| plain(&c[field])).collect::<Vec<_>>().join(",");
    vec![json!(join("name")), json!(join("image"))]
}

/// A label selector as text: `a=b,c in (d,e),!f`; `<none>` when it selects everything.
pub fn label_selector(value: &Value) -> String {
    // Replication controllers have a plain map.
    let labels =
        if value.get("matchLabels").is_some() || value.get("matchExpressions").is_some() { &value["matchLabels"] } else { value };
    let mut parts: Vec<String> = crate::k8s::object::strings(labels).into_iter().map(|(k, v)| format!("{k}={v}")).collect();
    for expression in value["matchExpressions"].as_array().into_iter().flatten() {
        let key = plain(&expression["key"]);
        let values = list(&expression["values"]);
        parts.push(match expression["operator"].as_str() {
            Some("In") => format!("{key} in ({values})"),
            Some("NotIn") => format!("{key} notin ({values})"),
            Some("DoesNotExist") => format!("!{key}"),
            _ => key,
        });
    }
    or(&parts.join(","), "<none>")
}

fn node(o: &Object, age_of: Value) -> Vec<Value> {
    let conditions = o.at(&["status", "conditions"]).as_array();
    let ready = conditions.into_iter().flatten().find(|c| c["type"] == "Ready").map(|c| c["status"] == "True");
    let mut status = match ready {
        Some(true) => "Ready".to_string(),
        Some(false) => "NotReady".into(),
        None => "Unknown".into(),
    };
    if o.at(&["spec", "unschedulable"]) == true {
        status.push_str(",SchedulingDisabled");
    }
    let labels = o.labels();
    let roles: Vec<&str> = labels.keys().filter_map(|key| key.strip_prefix("node-role.kubernetes.io/")).collect();
    let address = |kind: &str| {
        let addresses = o.at(&["status", "addresses"]).as_array();
        let found = addresses.into_iter().flatten().find(|a| a["type"] == kind).map(|a| plain(&a["address"]));
        json!(or(&found.unwrap_or_default(), "<none>"))
    };
    let info = |field: &str| or(&plain(o.at(&["status", "nodeInfo", field])), "<unknown>");
    let kernel = match info("architecture").as_str() {
        "<unknown>" => info("kernelVersion"),
        arch => format!("{} ({arch})", info("kernelVersion")),
    };
    vec![
        json!(o.name()),
        json!(status),
        json!(or(&roles.join(","), "<none>")),
        age_of,
        o.at(&["status", "nodeInfo", "kubeletVersion"]).clone(),
        address("InternalIP"),
        address("ExternalIP"),
        json!(info("osImage")),
        json!(kernel),
        json!(info("containerRuntimeVersion")),
    ]
}

fn event(o: &Object, now: Time) -> Vec<Value> {
    let since = |field: &str| {
        let text = [o.str_at(&[field]), o.str_at(&["eventTime"])].into_iter().find(|text| !text.is_empty()).unwrap_or("");
        age(text, now)
    };
    let count = o.at(&["count"]).as_i64().or(o.at(&["series", "count"]).as_i64()).unwrap_or(1).max(1);
    let about = o.at(&["involvedObject"]);
    let object = format!("{}/{}", plain(&about["kind"]).to_lowercase(), plain(&about["name"]));
    let mut source = or(&plain(o.at(&["source", "component"])), o.str_at(&["reportingComponent"]));
    let host = plain(o.at(&["source", "host"]));
    if !host.is_empty() {
        source = format!("{source}, {host}");
    }
    vec![
        json!(since("lastTimestamp")),
        o.at(&["type"]).clone(),
        o.at(&["reason"]).clone(),
        json!(object),
        json!(plain(&about["fieldPath"])),
        json!(source),
        json!(plain(o.at(&["message"])).trim()),
        json!(since("firstTimestamp")),
        json!(count),
        json!(o.name()),
    ]
}

fn daemon_set(o: &Object, name: Value, age_of: Value) -> Vec<Value> {
    let status = |field: &str| json!(o.at(&["status", field]).as_i64().unwrap_or(0));
    let selector = label_selector(o.at(&["spec", "template", "spec", "nodeSelector"]));
    let mut cells = vec![
        name,
        status("desiredNumberScheduled"),
        status("currentNumberScheduled"),
        status("numberReady"),
        status("updatedNumberScheduled"),
        status("numberAvailable"),
        json!(selector),
        age_of,
    ];
    cells.extend(template(o, &["spec", "template", "spec"]));
    cells.push(json!(label_selector(o.at(&["spec", "selector"]))));
    cells
}

fn job(o: &Object, now: Time) -> Vec<Value> {
    let conditions = || o.at(&["status", "conditions"]).as_array().into_iter().flatten();
    let is = |kind: &str| conditions().any(|c| c["type"] == kind && c["status"] == "True");
    let kinds = ["Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet"];
    let status = match kinds.into_iter().find(|kind| is(kind)) {
        Some(kind) => kind,
        None if o.is_terminating() => "Terminating",
        None => "Running",
    };
    let succeeded = o.at(&["status", "succeeded"]).as_i64().unwrap_or(0);
    let completions = o.at(&["spec", "completions"]).as_i64().unwrap_or(1);
    let started = Time::parse(o.str_at(&["status", "startTime"]));
    let ended = Time::parse(o.str_at(&["status", "completionTime"])).unwrap_or(now);
    let duration = started.map_or(String::new(), |start| human(ended.since(start)));
    let mut cells = vec![
        json!(o.name()),
        json!(status),
        json!(format!("{succeeded}/{completions}")),
        json!(duration),
        json!(age(o.str_at(&["metadata", "creationTimestamp"]), now)),
    ];
    cells.extend(template(o, &["spec", "template", "spec"]));
    cells.push(json!(label_selector(o.at(&["spec", "selector"]))));
    cells
}

fn cron_job(o: &Object, now: Time) -> Vec<Value> {
    let last = o.str_at(&["status", "lastScheduleTime"]);
    let mut cells = vec![
        json!(o.name()),
        o.at(&["spec", "schedule"]).clone(),
        json!(or(&plain(o.at(&["spec", "timeZone"])), "<none>")),
        json!(o.at(&["spec", "suspend"]).as_bool().unwrap_or(false)),
        json!(o.at(&["status", "active"]).as_array().map_or(0, Vec::len)),
        json!(if last.is_empty() { "<none>".into() } else { age(last, now) }),
        json!(age(o.str_at(&["metadata", "creationTimestamp"]), now)),
    ];
    cells.extend(template(o, &["spec", "jobTemplate", "spec", "template", "spec"]));
    cells.push(json!("<none>"));
    cells
}

fn binding(o: &Object, name: Value, age_of: Value) -> Vec<Value> {
    let role = format!("{}/{}", o.str_at(&["roleRef", "kind"]), o.str_at(&["roleRef", "name"]));
    let subjects = |kind: &str| {
        let all = o.at(&["subjects"]).as_array().into_iter().flatten().filter(|s| s["kind"] == kind);
        let names: Vec<String> = all
            .map(|s| match kind {
                "ServiceAccount" => format!("{}/{}", plain(&s["namespace"]), plain(&s["name"])),
                _ => plain(&s["name"]),
            })
            .collect();
        json!(names.join(", "))
    };
    vec![name, json!(role), age_of, subjects("User"), subjects("Group"), subjects("ServiceAccount")]
}

fn ingress(o: &Object, name: Value, age_of: Value) -> Vec<Value> {
    let rules = o.at(&["spec", "rules"]).as_array().into_iter().flatten();
    let hosts: Vec<String> = rules.map(|rule| or(&plain(&rule["host"]), "*")).collect();
    let ports = if o.at(&["spec", "tls"]).as_array().is_some_and(|tls| !tls.is_empty()) { "80, 443" } else { "80" };
    let class = or(&plain(o.at(&["spec", "ingressClassName"])), "<none>");
    vec![name, json!(class), json!(or(&hosts.join(","), "*")), json!(""), json!(ports), age_of]
}

fn autoscaler(o: &Object, name: Value, age_of: Value) -> Vec<Value> {
    let target = o.at(&["spec", "scaleTargetRef"]);
    let reference = format!("{}/{}", plain(&target["kind"]), plain(&target["name"]));
    let targets: Vec<String> = o.at(&["spec", "metrics"]).as_array().into_iter().flatten().map(metric).collect();
    let bound = |field: &str| plain(o.at(&["spec", field]));
    let replicas = o.at(&["status", "currentReplicas"]).as_i64().unwrap_or(0);
    let shown = or(&targets.join(", "), "<none>");
    vec![
        name,
        json!(reference),
        json!(shown),
        json!(or(&bound("minReplicas"), "<unset>")),
        json!(bound("maxReplicas")),
        json!(replicas),
        age_of,
    ]
}

fn metric(metric: &Value) -> String {
    let resource = &metric["resource"];
    let target = &resource["target"]["averageUtilization"];
    format!("{}: <unknown>/{}%", plain(&resource["name"]), plain(target))
}

fn quota(o: &Object, name: Value, age_of: Value) -> Vec<Value> {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (key, hard) in crate::k8s::object::strings(o.at(&["spec", "hard"])) {
        let used = or(o.at(&["status", "used"])[key].as_str().unwrap_or(""), "0");
        let text = format!("{key}: {used}/{hard}");
        if key.starts_with("limits") { limits.push(text) } else { requests.push(text) }
    }
    vec![name, json!(requests.join(", ")), json!(limits.join(", ")), age_of]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Time;
    use crate::base::seed::Seed;
    use crate::k8s::kinds;
    use crate::sandbox::Pace;
    use crate::sandbox::store::Store;
    use crate::sandbox::world::Config;

    /// Recorded resources that this server does not list.
    const NOT_SERVED: [&str; 2] = ["apiservices", "componentstatuses"];

    #[test]
    fn every_recorded_table_has_a_cell_for_each_column() {
        let recorded: Value = serde_json::from_str(include_str!("../../../assets/kubernetes/table-columns.json")).expect("json");
        let config = Config { seed: Seed(1), pace: Pace::Instant, start: Time::LOGICAL_START };
        let view = View::new(config, Store::default());
        let mut compared = 0;
        for (name, columns) in recorded.as_object().expect("an object") {
            let plural = match name.as_str() {
                "hpa" => "horizontalpodautoscalers",
                "pdb" => "poddisruptionbudgets",
                "csr" => "certificatesigningrequests",
                "events.k8s.io" => "events",
                other => other,
            };
            if NOT_SERVED.contains(&plural) {
                continue;
            }
            assert!(kinds::KINDS.iter().any(|info| info.plural == plural), "{plural} is not served");
            let object = Object(json!({"metadata": {"name": "x", "creationTimestamp": "2026-01-01T08:00:00Z"}}));
            let cells = cells(&view, plural, &object);
            assert_eq!(cells.len(), columns.as_array().expect("columns").len(), "{plural}: {cells:?}");
            for (cell, column) in cells.iter().zip(columns.as_array().expect("columns")) {
                let age = column["name"] == "Age" && cell != "<unknown>";
                assert!(column["name"] != "Age" || age, "{plural}: {cells:?}");
            }
            compared += 1;
        }
        assert_eq!(compared, recorded.as_object().expect("an object").len() - NOT_SERVED.len());
    }
}
