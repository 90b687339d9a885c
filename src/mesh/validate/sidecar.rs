//! Sidecar (S: pkg/config/validation/validation.go ValidateSidecar).

use super::{Validation, filled, items, names, text, texts};
use crate::k8s::Object;
use serde_json::Value;
use std::collections::BTreeSet;

/// Checks one.
pub fn validate(object: &Object, found: &mut Validation) {
    let spec = object.spec();
    let selector = &spec["workloadSelector"];
    if !selector.is_null() && !filled(&selector["labels"]) {
        found.warn("sidecar: workload selector specified without labels, will be applied to all services in namespace");
    }
    let egress = items(&spec["egress"]);
    let policy = &spec["outboundTrafficPolicy"];
    if egress.is_empty() && !filled(&spec["ingress"]) && policy.is_null() && spec["inboundConnectionPool"].is_null() {
        return found.error("sidecar: empty configuration provided");
    }
    for listener in items(&spec["ingress"]) {
        match listener["port"]["number"].as_i64() {
            Some(number) => found.check(names::port(number)),
            None => found.error("sidecar: port is required for ingress listeners"),
        }
    }
    egress_listeners(egress, found);
    outbound(policy, found);
}

fn egress_listeners(egress: &[Value], found: &mut Validation) {
    let (mut without_port, mut bound) = (false, BTreeSet::new());
    for (i, listener) in egress.iter().enumerate() {
        match listener["port"]["number"].as_i64().filter(|n| *n != 0) {
            None => {
                found.error_if(without_port, "sidecar: egress can have only one listener with empty port");
                without_port = true;
                found.error_if(
                    i + 1 != egress.len(),
                    "sidecar: the egress listener with empty port should be the last listener in the list",
                );
            }
            Some(number) => {
                found.check(names::port(number));
                let fresh = bound.insert((number, text(&listener["bind"])));
                found.error_if(!fresh, "sidecar: ports on IP bound listeners must be unique");
            }
        }
        hosts(&texts(&listener["hosts"]), found);
    }
}

fn hosts(hosts: &[&str], found: &mut Validation) {
    found.error_if(hosts.is_empty(), "sidecar: egress listener must contain at least one host");
    let mut seen = BTreeSet::new();
    for host in hosts {
        if !seen.insert(*host) {
            found.warn(format!("duplicated egress host: {host}"));
        }
        found.errors.extend(names::namespaced_host(host, false));
    }
    if seen.contains("*/*") && seen.len() > 1 {
        found.warn("`*/*` host select all resources, no other hosts can be added");
    }
}

fn outbound(policy: &Value, found: &mut Validation) {
    let (mode, proxy) = (text(&policy["mode"]), &policy["egressProxy"]);
    if mode == "ALLOW_ANY_DYNAMIC_DNS" {
        found.error("sidecar: ALLOW_ANY_DYNAMIC_DNS mode is only supported in MeshConfig, not in Sidecar resource");
    }
    if proxy.is_null() {
        return;
    }
    if mode != "ALLOW_ANY" {
        return found.error("sidecar: egress_proxy must be set only with ALLOW_ANY outbound_traffic_policy mode");
    }
    found.check(names::fqdn(text(&proxy["host"])));
    match proxy["port"]["number"].as_i64() {
        Some(number) => found.check(names::port(number)),
        None => found.error("sidecar: egress_proxy port must be non-nil"),
    }
}
