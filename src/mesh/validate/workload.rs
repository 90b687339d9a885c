//! WorkloadEntry, the endpoints of a ServiceEntry, WorkloadGroup.

use super::{Validation, filled, items, names, text};
use crate::k8s::Object;
use serde_json::Value;
use std::collections::BTreeSet;

/// Checks a WorkloadEntry.
pub fn entry(object: &Object, found: &mut Validation) {
    endpoint(object.spec(), None, true, found);
}

/// Checks an endpoint; `ports`: the names of the ports of its ServiceEntry.
pub fn endpoint(endpoint: &Value, ports: Option<&BTreeSet<&str>>, names_allowed: bool, found: &mut Validation) {
    let address = text(&endpoint["address"]);
    if address.is_empty() {
        let network = text(&endpoint["network"]);
        if network.is_empty() {
            return found.error("address is required");
        }
        found.warn(format!("address is unset with network {network:?}"));
    }
    let socket = address.strip_prefix("unix://");
    if let Some(path) = socket {
        found.check(names::unix_path(path));
        if filled(&endpoint["ports"]) {
            found.error(format!("unix endpoint {address} must not include ports"));
        }
    } else if !address.is_empty() && !names::is_ip(address) {
        if !names_allowed {
            found.error(format!("endpoint address {address:?} is not a valid IP address"));
        } else if names::fqdn(address).is_err() {
            found.error(format!("endpoint address {address:?} is not a valid FQDN or an IP address"));
        }
    }
    endpoint_ports(endpoint, ports, found);
    names::labels(&endpoint["labels"]).into_iter().for_each(|e| found.listed(e));
    if socket.is_some() && ports.is_some_and(|ports| ports.len() != 1) {
        found.error("exactly 1 service port required for unix endpoints");
    }
}

/// The ports of an endpoint by the names of the service's.
pub fn endpoint_ports(endpoint: &Value, ports: Option<&BTreeSet<&str>>, found: &mut Validation) {
    for (name, port) in endpoint["ports"].as_object().into_iter().flatten() {
        let number = port.as_i64().unwrap_or(0);
        if ports.is_some_and(|ports| !ports.contains(name.as_str())) {
            found.error(format!("endpoint port {number} is not defined by the service entry"));
        }
        found.check(names::port_name(name));
        found.check(names::port(number));
    }
}

/// Checks a WorkloadGroup.
pub fn group(object: &Object, found: &mut Validation) {
    let spec = object.spec();
    if spec["template"].is_null() {
        return found.error("template is required");
    }
    let mut labels = Validation::default();
    names::labels(&spec["metadata"]["labels"]).into_iter().for_each(|e| labels.listed(e));
    if !labels.errors.is_empty() {
        return found.error(format!("invalid labels: {}", labels.joined()));
    }
    if !spec["probe"].is_null() {
        probe(&spec["probe"], found);
    }
}

fn probe(probe: &Value, found: &mut Validation) {
    for field in ["periodSeconds", "initialDelaySeconds", "timeoutSeconds", "successThreshold", "failureThreshold"] {
        if probe[field].as_i64().is_some_and(|n| n < 0) {
            found.error(format!("{field} must be non-negative"));
        }
    }
    let (http, tcp, exec) = (&probe["httpGet"], &probe["tcpSocket"], &probe["exec"]);
    let port = |value: &Value| names::port(value["port"].as_i64().unwrap_or(0));
    if !http.is_null() {
        found.check(port(http));
        if !matches!(text(&http["scheme"]), "" | "HTTP" | "HTTPS") {
            found.error("httpGet.scheme must be one of \"HTTPS\", \"HTTP\"");
        }
        for name in items(&http["httpHeaders"]).iter().map(|h| text(&h["name"])) {
            match name {
                "" => found.error("header name cannot be empty"),
                name if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => (),
                name => found.error(format!("header name {name} is not a valid header name")),
            }
        }
    } else if !tcp.is_null() {
        found.check(port(tcp));
    } else if !exec.is_null() {
        found.error_if(items(&exec["command"]).is_empty(), "exec.command is required");
    } else {
        found.error("unknown health check method <nil>");
    }
}
