//! A pod.

use super::container::{Place, containers, tolerations, volumes};
use super::text::{Page, controller, each, or_none};
use crate::kubectl::print::{scalar, time};
use serde_json::Value;

pub fn describe(page: &mut Page, pod: &Value) {
    let (metadata, spec, status) = (&pod["metadata"], &pod["spec"], &pod["status"]);
    let text = |v: &Value| v.as_str().unwrap_or("").to_string();
    page.field("Name", &metadata["name"]);
    page.field("Namespace", &metadata["namespace"]);
    if let Some(priority) = spec["priority"].as_i64() {
        page.line(0, &format!("Priority:\t{priority}"));
        if let Some(class) = spec["priorityClassName"].as_str() {
            page.line(0, &format!("Priority Class Name:\t{class}"));
        }
    }
    if let Some(class) = spec["runtimeClassName"].as_str() {
        page.line(0, &format!("Runtime Class Name:\t{class}"));
    }
    page.line(0, &format!("Service Account:\t{}", text(&spec["serviceAccountName"])));
    match text(&spec["nodeName"]) {
        node if node.is_empty() => page.line(0, "Node:\t<none>"),
        node => page.line(0, &format!("Node:\t{node}/{}", text(&status["hostIP"]))),
    }
    if let Some(start) = status["startTime"].as_str() {
        page.line(0, &format!("Start Time:\t{}", time::date(start)));
    }
    page.labels("Labels", &metadata["labels"]);
    page.annotations("Annotations", &metadata["annotations"]);
    match metadata["deletionTimestamp"].is_null() {
        true => page.line(0, &format!("Status:\t{}", text(&status["phase"]))),
        false => {
            page.line(0, "Status:\tTerminating");
            page.line(0, &format!("Termination Grace Period:\t{}s", scalar(&metadata["deletionGracePeriodSeconds"])));
        }
    }
    for (title, field) in [("Reason", "reason"), ("Message", "message")] {
        if let Some(value) = status[field].as_str().filter(|v| !v.is_empty()) {
            page.line(0, &format!("{title}:\t{value}"));
        }
    }
    page.line(0, &format!("IP:\t{}", text(&status["podIP"])));
    match each(&status["podIPs"]) {
        [] => page.line(0, "IPs:\t<none>"),
        ips => {
            page.line(0, "IPs:");
            ips.iter().for_each(|ip| page.line(1, &format!("IP:\t{}", text(&ip["ip"]))));
        }
    }
    if let Some(owner) = controller(pod) {
        page.line(0, &format!("Controlled By:\t{owner}"));
    }
    if !each(&spec["initContainers"]).is_empty() {
        containers(page, "Init Containers", &spec["initContainers"], &status["initContainerStatuses"], pod, Place::Pod);
    }
    containers(page, "Containers", &spec["containers"], &status["containerStatuses"], pod, Place::Pod);
    if !each(&spec["ephemeralContainers"]).is_empty() {
        let statuses = &status["ephemeralContainerStatuses"];
        containers(page, "Ephemeral Containers", &spec["ephemeralContainers"], statuses, pod, Place::Pod);
    }
    if !each(&status["conditions"]).is_empty() {
        page.line(0, "Conditions:\n  Type\tStatus");
        for condition in each(&status["conditions"]) {
            page.line(0, &format!("  {} \t{} ", text(&condition["type"]), text(&condition["status"])));
        }
    }
    volumes(page, &spec["volumes"], Place::Pod);
    page.line(0, &format!("QoS Class:\t{}", or_none(&text(&status["qosClass"]))));
    page.labels("Node-Selectors", &spec["nodeSelector"]);
    tolerations(page, "Tolerations", &spec["tolerations"]);
}
