//! ServiceEntry (S: pkg/config/validation/validation.go ValidateServiceEntry).

use super::names::{self, Class};
use super::{Validation, export, filled, items, text, texts};
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
    let (selects, endpoints) = (!spec["workloadSelector"].is_null(), items(&spec["endpoints"]));
    if selects && filled(&spec["endpoints"]) {
        found.error("only one of WorkloadSelector or Endpoints is allowed in Service Entry");
    }
    hosts(spec, resolution, found);
    addresses(spec, resolution, found);
    ports(spec, resolution, found);
    match resolution {
        "NONE" => {
            found.error_if(!endpoints.is_empty(), "no endpoints should be provided for resolution type none");
            if selects {
                found.warn("workloadSelector should not be set when resolution mode is NONE");
            }
        }
        "STATIC" => endpoints
            .iter()
            .for_each(|e| endpoint(e, spec, &|a| names::is_ip(a), "endpoint address", "is not a valid IP address", found)),
        "DNS" | "DNS_ROUND_ROBIN" => dns(spec, resolution, endpoints, found),
        "DYNAMIC_DNS" => dynamic(spec, endpoints, found),
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

fn ports(spec: &Value, resolution: &str, found: &mut Validation) {
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
        if !filled(&spec["addresses"]) && resolution == "NONE" && (protocol.is_empty() || protocol == "TCP") {
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
    if endpoints.is_empty() {
        for host in texts(&spec["hosts"]) {
            if let Err(error) = names::fqdn(host) {
                found.error(format!(
                    "hosts must be FQDN or contain only prefix wildcards if no endpoints are provided for resolution mode \
                     {resolution}, {error}"
                ));
            }
        }
    }
    if resolution == "DNS_ROUND_ROBIN" && endpoints.len() > 1 {
        found.error("there must only be 0 or 1 endpoint for resolution mode DNS_ROUND_ROBIN");
    }
    let good = |address: &str| names::fqdn(address).is_ok() || names::is_ip(address);
    endpoints.iter().for_each(|e| endpoint(e, spec, &good, "endpoint address", "is not a valid FQDN or an IP address", found));
}

fn endpoint(endpoint: &Value, spec: &Value, good: &dyn Fn(&str) -> bool, what: &str, complaint: &str, found: &mut Validation) {
    let address = text(&endpoint["address"]);
    let elsewhere = address.is_empty() && filled(&endpoint["network"]);
    if !elsewhere && !address.starts_with("unix://") && !good(address) {
        found.error(format!("{what} {address:?} {complaint}"));
    }
    let known: Vec<&str> = items(&spec["ports"]).iter().map(|p| text(&p["name"])).collect();
    for (name, number) in endpoint["ports"].as_object().into_iter().flatten() {
        if !known.contains(&name.as_str()) {
            found.error(format!("endpoint port {name} is not defined by the service entry"));
        }
        found.check(names::port_name(name));
        found.check(names::port(number.as_i64().unwrap_or(0)));
    }
}

fn dynamic(spec: &Value, endpoints: &[Value], found: &mut Validation) {
    let mode = "for resolution mode DYNAMIC_DNS";
    if texts(&spec["hosts"]).iter().any(|host| !host.starts_with('*')) {
        found.error(format!("host must be wildcarded {mode}"));
    }
    if filled(&spec["addresses"]) {
        found.error(format!("addresses cannot be set {mode}"));
    }
    if !endpoints.is_empty() {
        found.error(format!("endpoints cannot be set {mode}"));
    }
    let allowed = |protocol: &str| matches!(protocol.to_ascii_uppercase().as_str(), "HTTP" | "TLS" | "GRPC" | "HTTP2");
    if items(&spec["ports"]).iter().any(|port| !allowed(text(&port["protocol"]))) {
        found.error(format!("only HTTP, TLS, GRPC, and HTTP2 protocols are supported {mode}"));
    }
}
