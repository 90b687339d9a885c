//! Cells of Services and their endpoints.

use super::{label_selector, or, plain};
use crate::base::clock::Time;
use crate::k8s::Object;
use crate::sandbox::api::table::age;
use serde_json::{Value, json};

/// Name, Type, Cluster-IP, External-IP, Port(s), Age, Selector.
pub fn service(o: &Object, now: Time) -> Vec<Value> {
    let kind = o.str_at(&["spec", "type"]);
    let cluster = or(o.str_at(&["spec", "clusterIP"]), "<none>");
    let listed: Vec<String> = o.at(&["spec", "externalIPs"]).as_array().into_iter().flatten().map(plain).collect();
    let ingress = o.at(&["status", "loadBalancer", "ingress"]).as_array();
    let balanced: Vec<String> =
        ingress.into_iter().flatten().map(|i| or(&plain(&i["ip"]), i["hostname"].as_str().unwrap_or(""))).collect();
    let external = match kind {
        "ExternalName" => o.str_at(&["spec", "externalName"]).to_string(),
        "LoadBalancer" if balanced.is_empty() && listed.is_empty() => "<pending>".into(),
        "LoadBalancer" => [balanced, listed].concat().join(","),
        _ => or(&listed.join(","), "<none>"),
    };
    let ports: Vec<String> = o
        .at(&["spec", "ports"])
        .as_array()
        .into_iter()
        .flatten()
        .map(|p| {
            let node = p["nodePort"].as_i64().filter(|n| *n > 0).map_or(String::new(), |n| format!(":{n}"));
            format!("{}{node}/{}", plain(&p["port"]), or(&plain(&p["protocol"]), "TCP"))
        })
        .collect();
    vec![
        json!(o.name()),
        json!(kind),
        json!(cluster),
        json!(external),
        json!(or(&ports.join(","), "<none>")),
        json!(age(o.str_at(&["metadata", "creationTimestamp"]), now)),
        json!(label_selector(o.at(&["spec", "selector"]))),
    ]
}

/// At most three, then how many more.
fn shortened(all: &[String], none: &str) -> String {
    match all.len() {
        0 => none.to_string(),
        n if n > 3 => format!("{} + {} more...", all[..3].join(","), n - 3),
        _ => all.join(","),
    }
}

/// The Endpoints column of Endpoints: `ip:port`.
pub fn endpoints(o: &Object) -> String {
    let mut all = Vec::new();
    for subset in o.at(&["subsets"]).as_array().into_iter().flatten() {
        let addresses = || subset["addresses"].as_array().into_iter().flatten();
        let ports = subset["ports"].as_array().cloned().unwrap_or_default();
        if ports.is_empty() {
            all.extend(addresses().map(|a| plain(&a["ip"])));
        }
        for port in &ports {
            all.extend(addresses().map(|a| format!("{}:{}", plain(&a["ip"]), plain(&port["port"]))));
        }
    }
    shortened(&all, "<none>")
}

/// The Ports and Endpoints columns of an EndpointSlice.
pub fn slice(o: &Object) -> (String, String) {
    let ports: Vec<String> = o.at(&["ports"]).as_array().into_iter().flatten().map(|p| or(&plain(&p["port"]), "*")).collect();
    let endpoints = o.at(&["endpoints"]).as_array().into_iter().flatten();
    let addresses: Vec<String> =
        endpoints.flat_map(|e| e["addresses"].as_array().into_iter().flatten().map(plain).collect::<Vec<_>>()).collect();
    (shortened(&ports, "<unset>"), shortened(&addresses, "<unset>"))
}
