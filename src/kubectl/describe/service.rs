//! A service with its endpoints.

use super::text::{Page, each};
use crate::kubectl::print::{scalar, table};
use serde_json::Value;

pub fn describe(page: &mut Page, service: &Value, slices: &[Value]) {
    let (metadata, spec) = (&service["metadata"], &service["spec"]);
    page.field("Name", &metadata["name"]);
    page.field("Namespace", &metadata["namespace"]);
    page.labels("Labels", &metadata["labels"]);
    page.annotations("Annotations", &metadata["annotations"]);
    page.line(0, &format!("Selector:\t{}", table::labels(&spec["selector"])));
    page.field("Type", &spec["type"]);
    if spec["ipFamilyPolicy"].is_string() {
        page.field("IP Family Policy", &spec["ipFamilyPolicy"]);
    }
    if !each(&spec["ipFamilies"]).is_empty() {
        page.line(0, &format!("IP Families:\t{}", joined(&spec["ipFamilies"])));
    }
    page.field("IP", &spec["clusterIP"]);
    match each(&spec["clusterIPs"]) {
        [] => page.line(0, "IPs:\t<none>"),
        _ => page.line(0, &format!("IPs:\t{}", joined(&spec["clusterIPs"]))),
    }
    if !each(&spec["externalIPs"]).is_empty() {
        page.line(0, &format!("External IPs:\t{}", joined(&spec["externalIPs"])));
    }
    if spec["externalName"].is_string() {
        page.field("External Name", &spec["externalName"]);
    }
    let ingress = each(&service["status"]["loadBalancer"]["ingress"]);
    if !ingress.is_empty() {
        let address = |i: &Value| i["ip"].as_str().or(i["hostname"].as_str()).unwrap_or("").to_string();
        let mode = ingress[0]["ipMode"].as_str().map(|m| format!(" ({m})")).unwrap_or_default();
        let all: Vec<String> = ingress.iter().map(|i| address(i) + &mode).collect();
        page.line(0, &format!("LoadBalancer Ingress:\t{}", all.join(", ")));
    }
    each(&spec["ports"]).iter().for_each(|port| describe_port(page, port, slices));
    page.field("Session Affinity", &spec["sessionAffinity"]);
    for (title, field) in
        [("External Traffic Policy", "externalTrafficPolicy"), ("Internal Traffic Policy", "internalTrafficPolicy")]
    {
        if spec[field].is_string() {
            page.field(title, &spec[field]);
        }
    }
}

fn describe_port(page: &mut Page, port: &Value, slices: &[Value]) {
    let name = port["name"].as_str().unwrap_or("<unset>");
    let protocol = port["protocol"].as_str().unwrap_or("TCP");
    page.line(0, &format!("Port:\t{name}\t{}/{protocol}", scalar(&port["port"])));
    page.line(0, &format!("TargetPort:\t{}/{protocol}", scalar(&port["targetPort"])));
    if let Some(node) = port["nodePort"].as_i64().filter(|n| *n > 0) {
        page.line(0, &format!("NodePort:\t{name}\t{node}/{protocol}"));
    }
    page.line(0, &format!("Endpoints:\t{}", endpoints(port, slices)));
}

/// Ready addresses, three at most.
fn endpoints(port: &Value, slices: &[Value]) -> String {
    if slices.is_empty() {
        return "<none>".into();
    }
    let mut found = Vec::new();
    for slice in slices {
        let same = |p: &&Value| p["name"].as_str().unwrap_or("") == port["name"].as_str().unwrap_or("");
        for own in each(&slice["ports"]).iter().filter(same) {
            for endpoint in each(&slice["endpoints"]).iter().filter(|e| e["conditions"]["ready"] != false) {
                found.extend(each(&endpoint["addresses"]).iter().map(|a| format!("{}:{}", scalar(a), scalar(&own["port"]))));
            }
        }
    }
    let shown = found.iter().take(3).cloned().collect::<Vec<_>>().join(",");
    match found.len() {
        n if n > 3 => format!("{shown} + {} more...", n - 3),
        _ => shown,
    }
}

fn joined(list: &Value) -> String {
    each(list).iter().map(scalar).collect::<Vec<_>>().join(",")
}
