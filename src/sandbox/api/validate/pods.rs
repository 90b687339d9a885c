//! Pods and pod templates.

use super::{names, port_number};
use crate::k8s::Object;
use crate::sandbox::api::status::Cause;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const CHANGE: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,\
                      `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
                      `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// What is wrong with a template; `policies` are the restart policies its owner allows.
pub fn template(template: &Value, path: &str, policies: &[&str]) -> Vec<Cause> {
    let mut causes = names::labels(&template["metadata"]["labels"], &format!("{path}.metadata.labels"));
    let spec = &template["spec"];
    causes.extend(self::spec(spec, &format!("{path}.spec")));
    let policy = &spec["restartPolicy"];
    if !policy.is_null() && !policies.iter().any(|p| policy == p) {
        causes.push(Cause::unsupported(format!("{path}.spec.restartPolicy"), policy, policies));
    }
    causes
}

/// What is wrong with a pod's spec.
pub fn spec(spec: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    let list = |name: &str| spec[name].as_array().cloned().unwrap_or_default();
    if list("containers").is_empty() {
        causes.push(Cause::required(format!("{path}.containers"), ""));
    }
    let volumes = list("volumes");
    let mut known: BTreeSet<String> = BTreeSet::new();
    for (i, volume) in volumes.iter().enumerate() {
        let (at, name) = (format!("{path}.volumes[{i}].name"), volume["name"].as_str().unwrap_or(""));
        match name {
            "" => causes.push(Cause::required(at, "")),
            name if !known.insert(name.into()) => causes.push(Cause::duplicate(at, &json!(name))),
            name => causes.extend(names::label(name).map(|why| Cause::invalid(at, &json!(name), &why))),
        }
    }
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for group in ["initContainers", "containers"] {
        for (i, container) in list(group).iter().enumerate() {
            let at = format!("{path}.{group}[{i}]");
            causes.extend(self::container(container, &at, &known));
            let name = container["name"].as_str().unwrap_or("");
            if !name.is_empty() && !seen.insert(name.into()) {
                causes.push(Cause::duplicate(format!("{at}.name"), &json!(name)));
            }
        }
    }
    for (field, supported) in [
        ("restartPolicy", &["Always", "OnFailure", "Never"][..]),
        ("dnsPolicy", &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"][..]),
    ] {
        let value = &spec[field];
        if !value.is_null() && !supported.iter().any(|s| value == s) {
            causes.push(Cause::unsupported(format!("{path}.{field}"), value, supported));
        }
    }
    causes
}

fn container(container: &Value, at: &str, volumes: &BTreeSet<String>) -> Vec<Cause> {
    let mut causes = Vec::new();
    let text = |field: &str| container[field].as_str().unwrap_or("");
    match text("name") {
        "" => causes.push(Cause::required(format!("{at}.name"), "")),
        name => causes.extend(names::label(name).map(|why| Cause::invalid(format!("{at}.name"), &json!(name), &why))),
    }
    match text("image") {
        "" => causes.push(Cause::required(format!("{at}.image"), "")),
        image if image.trim() != image => {
            causes.push(Cause::invalid(format!("{at}.image"), &json!(image), "must not have leading or trailing whitespace"));
        }
        _ => (),
    }
    let policies = ["Always", "IfNotPresent", "Never"];
    if !policies.contains(&text("imagePullPolicy")) && !text("imagePullPolicy").is_empty() {
        causes.push(Cause::unsupported(format!("{at}.imagePullPolicy"), &container["imagePullPolicy"], &policies));
    }
    for (i, port) in container["ports"].as_array().into_iter().flatten().enumerate() {
        if port["containerPort"].is_null() {
            causes.push(Cause::required(format!("{at}.ports[{i}].containerPort"), ""));
        } else {
            causes.extend(port_number(&port["containerPort"], &format!("{at}.ports[{i}].containerPort")));
        }
        let protocols = ["SCTP", "TCP", "UDP"];
        if !protocols.iter().any(|p| port["protocol"] == *p) && !port["protocol"].is_null() {
            causes.push(Cause::unsupported(format!("{at}.ports[{i}].protocol"), &port["protocol"], &protocols));
        }
    }
    for (i, variable) in container["env"].as_array().into_iter().flatten().enumerate() {
        if variable["name"].as_str().unwrap_or("").is_empty() {
            causes.push(Cause::required(format!("{at}.env[{i}].name"), ""));
        }
    }
    for (i, mount) in container["volumeMounts"].as_array().into_iter().flatten().enumerate() {
        let name = mount["name"].as_str().unwrap_or("");
        if name.is_empty() {
            causes.push(Cause::required(format!("{at}.volumeMounts[{i}].name"), ""));
        } else if !volumes.contains(name) {
            causes.push(Cause::not_found(format!("{at}.volumeMounts[{i}].name"), &json!(name)));
        }
        if mount["mountPath"].as_str().unwrap_or("").is_empty() {
            causes.push(Cause::required(format!("{at}.volumeMounts[{i}].mountPath"), ""));
        }
    }
    causes
}

/// A change of a pod's spec that is not allowed.
pub fn changed(old: &Object, new: &Object) -> Option<Cause> {
    let may_change = |object: &Object| {
        let mut spec = object.spec().clone();
        for list in ["containers", "initContainers"] {
            for container in spec[list].as_array_mut().into_iter().flatten() {
                container["image"] = Value::Null;
            }
        }
        if let Some(map) = spec.as_object_mut() {
            for field in
                ["initContainers", "activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "ephemeralContainers"]
            {
                if map.get(field).is_none_or(|v| v.is_null() || field != "initContainers") {
                    map.remove(field);
                }
            }
            // The scheduler's binding sets the node once.
            if old.str_at(&["spec", "nodeName"]).is_empty() {
                map.remove("nodeName");
            }
        }
        spec
    };
    (may_change(old) != may_change(new)).then(|| Cause::forbidden("spec", CHANGE))
}

/// Ephemeral containers change through their subresource only.
pub fn ephemeral_changed(old: &Object, new: &Object) -> Option<Cause> {
    let list = |object: &Object| object.at(&["spec", "ephemeralContainers"]).as_array().cloned().unwrap_or_default();
    (list(old) != list(new)).then(|| Cause::forbidden("spec", CHANGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_template() {
        let bad =
            json!({"spec": {"containers": [{"name": "C_", "image": "", "volumeMounts": [{"name": "v", "mountPath": "/x"}]}]}});
        let fields: Vec<String> = template(&bad, "t", &["Always"]).into_iter().map(|c| c.field).collect();
        assert_eq!(
            fields,
            ["t.spec.containers[0].name", "t.spec.containers[0].image", "t.spec.containers[0].volumeMounts[0].name"]
        );
    }

    #[test]
    fn only_images_may_change_in_a_pod() {
        let pod = |image: &str, command: &str| {
            Object(json!({"spec": {"nodeName": "n", "containers": [{"name": "c", "image": image, "command": [command]}]}}))
        };
        assert_eq!(changed(&pod("a", "x"), &pod("b", "x")), None);
        assert!(changed(&pod("a", "x"), &pod("a", "y")).is_some());
    }
}
