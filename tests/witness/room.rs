//! The network of a job: which rules stand, who listens.

use super::job::Job;
use super::origins::open_ports;
use egress_lab::k8s::{Object, Snapshot};
use egress_lab::mesh::proxy::EndpointHost;
use egress_lab::outside::OriginFault;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// The mark of the proxies' own connections.
pub const MARK: u32 = 1337;
/// An address where nobody listens.
const NOBODY: &str = "10.244.255.254 1";

/// The rules for a job: the sidecar's redirect, cluster addresses, broken origins, what can be reached at all.
pub fn rules(job: &Job) -> String {
    let mut lines = Vec::new();
    if job.captured {
        lines.push(format!("dnat {0} - - {MARK} {0} 15001", job.from));
    }
    for service in job.model.snapshot().list("", "Service") {
        lines.extend(service_rules(job, service));
    }
    let outside = &job.outside;
    for (ip, port) in open_ports(outside) {
        match outside.fault_at(ip, port) {
            Some(OriginFault::Drop) => {}
            Some(OriginFault::Refuse) => lines.push(format!("dnat - {ip} {port} - {NOBODY}")),
            _ => lines.push(format!("accept {ip} {port}")),
        }
    }
    lines.extend(["accept 127.0.0.0/8 -".into(), "accept 10.244.0.0/16 -".into(), "drop".into()]);
    lines.join("\n")
}

/// kube-proxy: a port of a Service leads to an endpoint, or is refused when it has none.
fn service_rules(job: &Job, service: &Object) -> Vec<String> {
    let object = service.key().to_string();
    let ip = service.str_at(&["spec", "clusterIP"]);
    let ports = service.at(&["spec", "ports"]).as_array().cloned().unwrap_or_default();
    if ip.parse::<std::net::IpAddr>().is_err() {
        return Vec::new();
    }
    let rule = |port: &Value| {
        let number = port.get("port")?.as_u64()? as u16;
        let mut endpoints = Vec::new();
        for of in job.model.services_of(&object) {
            endpoints.extend(of.port(number).map(|p| p.endpoints.clone()).unwrap_or_default());
        }
        let to = endpoints.iter().find_map(|e| match e.host {
            EndpointHost::Address(address) => Some(format!("{address} {}", e.port)),
            EndpointHost::Name(_) => None,
        });
        Some(format!("dnat - {ip} {number} - {}", to.unwrap_or_else(|| NOBODY.into())))
    };
    ports.iter().filter_map(rule).collect()
}

/// Puts rules in force.
pub fn apply(rules: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/witness/netns.py");
    let mut child = Command::new("python3").arg(script).arg("rules").stdin(Stdio::piped()).spawn().expect("python3 runs");
    child.stdin.take().expect("a pipe").write_all(rules.as_bytes()).expect("python3 reads");
    assert!(child.wait().expect("python3 ends").success(), "rules are refused:\n{rules}");
}

/// The gateways' pods.
pub fn gateways(snapshot: &Snapshot) -> Vec<Object> {
    let pods = snapshot.list("", "Pod").filter(|p| egress_lab::mesh::capture::is_gateway(p));
    pods.map(|p| (**p).clone()).collect()
}
