//! A node with the pods on it.

use super::text::{Page, each};
use crate::base::clock::Time;
use crate::kubectl::print::{scalar, time};
use serde_json::Value;

const ROLE: &str = "node-role.kubernetes.io/";

pub fn describe(page: &mut Page, node: &Value, pods: &[Value], lease: &Result<Value, String>, now: Time) {
    let (metadata, spec, status) = (&node["metadata"], &node["spec"], &node["status"]);
    page.field("Name", &metadata["name"]);
    let labels = metadata["labels"].as_object().into_iter().flatten();
    let roles: Vec<&str> = labels.filter_map(|(key, _)| key.strip_prefix(ROLE)).collect();
    page.line(0, &format!("Roles:\t{}", if roles.is_empty() { "<none>".to_string() } else { roles.join(",") }));
    page.labels("Labels", &metadata["labels"]);
    page.annotations("Annotations", &metadata["annotations"]);
    page.line(0, &format!("CreationTimestamp:\t{}", time::date(metadata["creationTimestamp"].as_str().unwrap_or(""))));
    let taint = |t: &Value| {
        let value = t["value"].as_str().filter(|v| !v.is_empty()).map(|v| format!("={v}")).unwrap_or_default();
        format!("{}{value}:{}", scalar(&t["key"]), scalar(&t["effect"]))
    };
    let taints: Vec<String> = each(&spec["taints"]).iter().map(taint).collect();
    page.column("Taints", &taints);
    page.line(0, &format!("Unschedulable:\t{}", spec["unschedulable"] == true));
    describe_lease(page, lease);
    if !each(&status["conditions"]).is_empty() {
        page.line(0, "Conditions:\n  Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage");
        page.line(0, "  ----\t------\t-----------------\t------------------\t------\t-------");
        for c in each(&status["conditions"]) {
            let date = |field: &str| time::date(c[field].as_str().unwrap_or(""));
            page.line(
                0,
                &format!(
                    "  {} \t{} \t{} \t{} \t{} \t{}",
                    scalar(&c["type"]),
                    scalar(&c["status"]),
                    date("lastHeartbeatTime"),
                    date("lastTransitionTime"),
                    scalar(&c["reason"]),
                    scalar(&c["message"])
                ),
            );
        }
    }
    page.line(0, "Addresses:");
    for address in each(&status["addresses"]) {
        page.line(1, &format!("{}:\t{}", scalar(&address["type"]), scalar(&address["address"])));
    }
    for (title, field) in [("Capacity", "capacity"), ("Allocatable", "allocatable")] {
        let Some(members) = status[field].as_object().filter(|m| !m.is_empty()) else { continue };
        page.line(0, &format!("{title}:"));
        members.iter().for_each(|(name, amount)| page.line(1, &format!("{name}:\t{}", scalar(amount))));
    }
    system(page, &status["nodeInfo"]);
    if let Some(range) = spec["podCIDR"].as_str() {
        page.line(0, &format!("PodCIDR:\t{range}"));
        let ranges: Vec<String> = each(&spec["podCIDRs"]).iter().map(scalar).collect();
        page.line(0, &format!("PodCIDRs:\t{}", ranges.join(",")));
    }
    describe_pods(page, pods, now);
    allocated(page);
}

fn describe_lease(page: &mut Page, lease: &Result<Value, String>) {
    match lease {
        Err(message) => page.line(0, &format!("Lease:\tFailed to get lease: {message}")),
        Ok(lease) => {
            let spec = &lease["spec"];
            let text = |v: &Value| v.as_str().unwrap_or("<unset>").to_string();
            page.line(0, "Lease:");
            page.line(1, &format!("HolderIdentity:\t{}", text(&spec["holderIdentity"])));
            page.line(1, &format!("AcquireTime:\t{}", text(&spec["acquireTime"])));
            page.line(1, &format!("RenewTime:\t{}", time::date(spec["renewTime"].as_str().unwrap_or("<unset>"))));
        }
    }
}

fn system(page: &mut Page, info: &Value) {
    page.line(0, "System Info:");
    let rows = [
        ("Machine ID", "machineID"),
        ("System UUID", "systemUUID"),
        ("Boot ID", "bootID"),
        ("Kernel Version", "kernelVersion"),
        ("OS Image", "osImage"),
        ("Operating System", "operatingSystem"),
        ("Architecture", "architecture"),
        ("Container Runtime Version", "containerRuntimeVersion"),
        ("Kubelet Version", "kubeletVersion"),
    ];
    for (title, field) in rows {
        page.line(0, &format!("  {title}:\t{}", scalar(&info[field])));
    }
}

/// Requests and limits of single containers are summed by kubectl; the lab's pods are shown without (0).
fn describe_pods(page: &mut Page, pods: &[Value], now: Time) {
    page.line(0, &format!("Non-terminated Pods:\t({} in total)", pods.len()));
    page.line(1, "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge");
    page.line(1, "---------\t----\t\t------------\t----------\t---------------\t-------------\t---");
    for pod in pods {
        let metadata = &pod["metadata"];
        let age = time::since(now, metadata["creationTimestamp"].as_str().unwrap_or(""));
        let cells = usage(pod).join("\t");
        page.line(1, &format!("{}\t{}\t\t{cells}\t{age}", scalar(&metadata["namespace"]), scalar(&metadata["name"])));
    }
}

/// CPU requests and limits, memory requests and limits, as the containers state them.
fn usage(pod: &Value) -> Vec<String> {
    let cells = [("requests", "cpu"), ("limits", "cpu"), ("requests", "memory"), ("limits", "memory")];
    let stated = |field: &str, name: &str| -> Vec<String> {
        let containers = each(&pod["spec"]["containers"]).iter();
        containers.filter_map(|c| c["resources"][field][name].as_str().map(str::to_string)).collect()
    };
    let cell = |(field, name): (&str, &str)| match stated(field, name) {
        amounts if amounts.is_empty() => "0 (0%)".to_string(),
        amounts => amounts.join("+"),
    };
    cells.into_iter().map(cell).collect()
}

fn allocated(page: &mut Page) {
    page.line(0, "Allocated resources:\n  (not simulated here: sums of requests and limits)");
}
