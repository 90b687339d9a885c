//! ServiceEntry (S: pkg/config/validation/validation.go ValidateServiceEntry).

use super::names::{self, Class};
use super::{Validation, export, filled, items, selector, text, texts, workload};
use crate::k8s::Object;
use serde_json::Value;
use std::collections::BTreeSet;

const ADDRESSES: &str = "addresses are required for ports serving TCP (or unset) protocol when IP Autoallocation is not enabled";

/// Checks one.
pub fn validate(object: &Object, found: &mut Validation) {
    let spec = object.spec();
    let resolution = match text(&spec["resolution"]) {
        "" => "NONE",
        given => given,
    };
    if !selector::workloads(&spec["workloadSelector"], "service entry", found) {
        return;
    }
    let (selects, endpoints) = (!spec["workloadSelector"].is_null(), items(&spec["endpoints"]));
    if selects && filled(&spec["endpoints"]) {
        found.error("only one of WorkloadSelector or Endpoints is allowed in Service Entry");
    }
    hosts(spec, resolution, found);
    addresses(spec, resolution, found);
    ports(object, resolution, found);
    match resolution {
        "NONE" => {
            found.error_if(!endpoints.is_empty(), "no endpoints should be provided for resolution type none");
            if selects {
                found.warn("workloadSelector should not be set when resolution mode is NONE");
            }
        }
        "STATIC" => {
            let names: BTreeSet<&str> = items(&spec["ports"]).iter().map(|p| text(&p["name"])).collect();
            endpoints.iter().for_each(|e| workload::endpoint(e, Some(&names), false, found));
        }
        "DNS" | "DNS_ROUND_ROBIN" => dns(spec, resolution, endpoints, found),
        "DYNAMIC_DNS" => dynamic(object, endpoints, found),
        _ => (),
    }
    let classes: Vec<Option<Class>> = items(&spec["ports"]).iter().map(|p| names::protocol(text(&p["protocol"]))).collect();
    let told_apart = classes.iter().all(|class| matches!(class, Some(Class::Http | Class::Tls)));
    if texts(&spec["hosts"]).len() > 1 && resolution != "NONE" && !told_apart {
        found.error("multiple hosts provided with non-HTTP, non-TLS ports");
    }
    export::validate(object.namespace(), &spec["exportTo"], export::Owner::ServiceEntry, found);
}

fn hosts(spec: &Value, resolution: &str, found: &mut Validation) {
    let hosts = texts(&spec["hosts"]);
    found.error_if(hosts.is_empty(), "service entry must have at least one host");
    for host in hosts {
        if host == "*" {
            found.error(format!("invalid host {host}"));
            continue;
        }
        found.check(names::wildcard_domain(host));
        if let Err(warning) = names::partial_wildcard(host)
            && resolution != "DYNAMIC_DNS"
        {
            found.warn(warning);
        }
    }
}

fn addresses(spec: &Value, resolution: &str, found: &mut Validation) {
    let addresses = texts(&spec["addresses"]);
    addresses.iter().for_each(|address| found.check(names::subnet(address)));
    let blocks = addresses.iter().any(|address| address.contains('/'));
    if blocks && !matches!(resolution, "NONE" | "STATIC") {
        found.error("CIDR addresses are allowed only for NONE/STATIC resolution types");
    }
}

fn ports(object: &Object, resolution: &str, found: &mut Validation) {
    let spec = object.spec();
    // Addresses are allocated unless there is nothing to resolve or the label forbids it.
    let refused = object.label("networking.istio.io/enable-autoallocate-ip").is_some_and(|v| v.eq_ignore_ascii_case("false"));
    let allocates = resolution != "NONE" && !refused;
    let (mut seen_names, mut seen_numbers) = (BTreeSet::new(), BTreeSet::new());
    for port in items(&spec["ports"]) {
        let (name, number) = (text(&port["name"]), port["number"].as_i64().unwrap_or(0));
        if !seen_names.insert(name) {
            found.error(format!("service entry port name {name:?} already defined"));
        }
        if !seen_numbers.insert(number) {
            found.error(format!("service entry port {number} already defined"));
        }
        if let Some(target) = port["targetPort"].as_i64().filter(|t| *t != 0) {
            found.check(names::port(target));
        }
        let protocol = text(&port["protocol"]);
        if !filled(&spec["addresses"]) && !allocates && (protocol.is_empty() || protocol == "TCP") {
            found.warn(ADDRESSES);
        }
        found.check(names::port_name(name));
        if !protocol.is_empty() && names::protocol(protocol).is_none() {
            found.error(format!("unsupported protocol: {protocol}"));
        }
        found.check(names::port(number));
    }
}

fn dns(spec: &Value, resolution: &str, endpoints: &[Value], found: &mut Validation) {
    if endpoints.is_empty()
        && let Some(error) = texts(&spec["hosts"]).into_iter().find_map(|host| names::fqdn(host).err())
    {
        found.error(format!(
            "hosts must be FQDN or contain only prefix wildcards if no endpoints are provided for resolution mode {resolution}, {error}"
        ));
    }
    if resolution == "DNS_ROUND_ROBIN" && endpoints.len() > 1 {
        found.error("there must only be 0 or 1 endpoint for resolution mode DNS_ROUND_ROBIN");
    }
    let known: BTreeSet<&str> = items(&spec["ports"]).iter().map(|p| text(&p["name"])).collect();
    for endpoint in endpoints {
        let address = text(&endpoint["address"]);
        if !names::is_ip(address) && names::fqdn(address).is_err() {
            found.error(format!("endpoint address {address:?} is not a valid FQDN or an IP address"));
        }
        names::labels(&endpoint["labels"]).into_iter().for_each(|e| found.listed(e));
        workload::endpoint_ports(endpoint, Some(&known), found);
    }
    let tcp = |port: &Value| {
        matches!(text(&port["protocol"]).to_ascii_uppercase().as_str(), "TCP" | "HTTPS" | "TLS" | "MONGO" | "REDIS" | "MYSQL")
    };
    let several = texts(&spec["hosts"]).len() > 1;
    if several && filled(&spec["addresses"]) && items(&spec["ports"]).iter().any(tcp) {
        found.warn("service entry can not have more than one host specified simultaneously with address and tcp port");
    }
}

fn dynamic(object: &Object, endpoints: &[Value], found: &mut Validation) {
    let spec = object.spec();
    let hosts = texts(&spec["hosts"]);
    found.error_if(hosts.is_empty(), "at least one wildcard host must be provided for resolution type DYNAMIC_DNS");
    for _ in hosts.iter().filter(|host| !host.starts_with('*')) {
        found.error("host must be wildcarded for resolution mode DYNAMIC_DNS");
    }
    found.error_if(
        filled(&spec["addresses"]),
        "addresses cannot be set for resolution type DYNAMIC_DNS. HTTP route domains will only be generatedfrom the hosts field values",
    );
    found.error_if(
        !endpoints.is_empty(),
        "endpoints cannot be set for resolution type DYNAMIC_DNS. Destination IP address determined from hostsfield values",
    );
    let allowed = |protocol: &str| matches!(protocol.to_ascii_uppercase().as_str(), "HTTP" | "TLS" | "GRPC" | "HTTP2");
    for _ in items(&spec["ports"]).iter().filter(|port| !allowed(text(&port["protocol"]))) {
        found.error("only HTTP, TLS, GRPC, and HTTP2 protocols are supported for resolution type DYNAMIC_DNS");
    }
    let waypoint = object.label("istio.io/use-waypoint").is_some_and(|v| !v.is_empty() && !v.eq_ignore_ascii_case("none"));
    found.error_if(
        text(&spec["location"]) == "MESH_INTERNAL" && waypoint,
        "location MESH_INTERNAL with resolution type DYNAMIC_DNS is not supported when using waypoints",
    );
}
