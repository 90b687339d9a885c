//! Sidecar (S: pkg/config/validation/validation.go ValidateSidecar).

use super::destination_rule::connection_pool;
use super::names::{self, Class};
use super::{Validation, filled, gateway, items, selector, text, texts, virtual_service};
use crate::k8s::Object;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const UNIQUE: &str = "sidecar: ports on IP bound listeners must be unique";

/// Checks one.
pub fn validate(object: &Object, found: &mut Validation) {
    let spec = object.spec();
    let (egress, ingress) = (items(&spec["egress"]), items(&spec["ingress"]));
    let policy = &spec["outboundTrafficPolicy"];
    let before = found.warnings.len();
    if !selector::workloads(&spec["workloadSelector"], "sidecar", found) {
        return;
    }
    if egress.is_empty() && ingress.is_empty() && policy.is_null() && spec["inboundConnectionPool"].is_null() {
        found.warnings.truncate(before);
        return found.error("sidecar: empty configuration provided");
    }
    let mut ports = BTreeSet::new();
    ingress.iter().for_each(|listener| ingress_listener(listener, &mut ports, found));
    connection_pool(&spec["inboundConnectionPool"], found);
    egress_listeners(object.namespace(), egress, found);
    outbound(policy, found);
}

fn ingress_listener(listener: &Value, ports: &mut BTreeSet<i64>, found: &mut Validation) {
    let port = &listener["port"];
    if port.is_null() {
        return found.error("sidecar: port is required for ingress listeners");
    }
    found.error_if(port["targetPort"].as_i64().is_some_and(|t| t > 0), "targetPort has no impact on Sidecars");
    if filled(&port["name"]) {
        found.check(names::port_name(text(&port["name"])));
    }
    let number = port["number"].as_i64().unwrap_or(0);
    found.check(names::protocol_name(text(&port["protocol"])));
    found.check(names::port(number));
    if filled(&listener["bind"]) {
        found.check(names::address(text(&listener["bind"])));
    }
    found.error_if(!ports.insert(number), UNIQUE);
    default_endpoint(text(&listener["defaultEndpoint"]), found);
    ingress_tls(listener, found);
    let pool = &listener["connectionPool"];
    connection_pool(pool, found);
    let protocol = text(&port["protocol"]);
    if !pool["http"].is_null() && names::protocol(protocol) != Some(Class::Http) {
        found.warn(format!(
            "sidecar: HTTP connection pool settings are configured for port {number} ({:?}) but its protocol is not HTTP ({protocol}); only \
             TCP settings will apply",
            text(&port["name"])
        ));
    }
}

fn default_endpoint(endpoint: &str, found: &mut Validation) {
    if endpoint.is_empty() {
        return;
    }
    if let Some(path) = endpoint.strip_prefix("unix://") {
        return found.check(names::unix_path(path));
    }
    let (host, port) = match endpoint.rsplit_once(':') {
        Some((host, port)) => (host.trim_start_matches('[').trim_end_matches(']'), port),
        None => {
            found.error(format!("address {endpoint}: missing port in address"));
            ("", "")
        }
    };
    if !matches!(host, "" | "127.0.0.1" | "0.0.0.0" | "::1" | "::") {
        found.error(
            "sidecar: defaultEndpoint must be of form 127.0.0.1:<port>,0.0.0.0:<port>,[::1]:port,[::]:port,unix://filepath or unset",
        );
    }
    match port.parse::<i64>() {
        Ok(number) => found.check(names::port(number)),
        Err(_) => found.error(format!(
            "sidecar: defaultEndpoint port ({port}) is not a number: strconv.Atoi: parsing {port:?}: invalid syntax"
        )),
    }
}

fn ingress_tls(listener: &Value, found: &mut Validation) {
    let tls = &listener["tls"];
    if tls.is_null() {
        return;
    }
    let rows = [
        (filled(&tls["subjectAltNames"]), "sidecar: subjectAltNames is not supported in ingress tls"),
        (tls["httpsRedirect"] == true, "sidecar: httpsRedirect is not supported"),
        (filled(&tls["credentialName"]), "sidecar: credentialName is not currently supported"),
        (filled(&tls["credentialNames"]), "sidecar: credentialNames is not currently supported"),
        (filled(&tls["tlsCertificates"]), "sidecar: tls_certificates is not currently supported"),
    ];
    rows.into_iter().for_each(|(wrong, words)| found.error_if(wrong, words));
    let mode = text(&tls["mode"]);
    if matches!(mode, "ISTIO_MUTUAL" | "AUTO_PASSTHROUGH") {
        found.error(format!("configuration is invalid: cannot set mode to {mode} in sidecar ingress tls"));
    }
    let encrypted = names::protocol(text(&listener["port"]["protocol"])) == Some(Class::Tls);
    found.error_if(!encrypted, "server cannot have TLS settings for non HTTPS/TLS ports");
    gateway::tls_options(tls, found);
}

fn egress_listeners(namespace: &str, egress: &[Value], found: &mut Validation) {
    let (mut without_port, mut bound, mut sockets) = (false, BTreeSet::new(), BTreeSet::new());
    for (i, listener) in egress.iter().enumerate() {
        let port = &listener["port"];
        if port.is_null() {
            if without_port {
                found.error("sidecar: egress can have only one listener with empty port");
                continue;
            }
            match i + 1 == egress.len() {
                true => without_port = true,
                false => {
                    found.error("sidecar: the egress listener with empty port should be the last listener in the list");
                }
            }
        } else {
            found.error_if(port["targetPort"].as_i64().is_some_and(|t| t > 0), "targetPort has no impact on Sidecars");
            egress_port(listener, found);
            let number = port["number"].as_i64().unwrap_or(0);
            match number {
                0 => found.error_if(
                    !sockets.insert(text(&listener["bind"])),
                    "sidecar: unix domain socket values for listeners must be unique",
                ),
                number => found.error_if(!bound.insert(number), UNIQUE),
            }
        }
        hosts(namespace, &texts(&listener["hosts"]), found);
    }
}

fn egress_port(listener: &Value, found: &mut Validation) {
    let (port, bind) = (&listener["port"], text(&listener["bind"]));
    if filled(&port["name"]) {
        found.check(names::port_name(text(&port["name"])));
    }
    found.check(names::protocol_name(text(&port["protocol"])));
    let number = port["number"].as_i64().unwrap_or(0);
    if number != 0 {
        found.check(names::port(number));
        if !bind.is_empty() {
            found.check(names::address(bind));
        }
        return;
    }
    match bind.strip_prefix("unix://") {
        None => found.error("sidecar: ports with 0 value must have a unix domain socket bind address"),
        Some(path) => found.check(names::unix_path(path)),
    }
    found.error_if(
        text(&listener["captureMode"]) == "IPTABLES",
        "sidecar: captureMode must be DEFAULT/NONE for unix domain socket listeners",
    );
}

fn hosts(namespace: &str, hosts: &[&str], found: &mut Validation) {
    found.error_if(hosts.is_empty(), "sidecar: egress listener must contain at least one host");
    let mut seen: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for host in hosts {
        if let Some((ns, name)) = host.split_once('/').filter(|(ns, _)| !ns.starts_with('~')) {
            let names = seen.entry(if ns == "." { namespace } else { ns }).or_default();
            let repeated = if name == "*" { !names.is_empty() } else { names.contains(name) || names.contains("*") };
            if repeated {
                found.warn(format!("duplicated egress host: {host}"));
            }
            names.insert(name);
        }
        names::namespaced_host(host, false).into_iter().for_each(|e| found.error(e));
    }
    if seen.len() > 1 && seen.get("*").is_some_and(|names| names.contains("*")) {
        found.warn("`*/*` host select all resources, no other hosts can be added");
    }
}

fn outbound(policy: &Value, found: &mut Validation) {
    let (mode, proxy) = (text(&policy["mode"]), &policy["egressProxy"]);
    if mode == "ALLOW_ANY_DYNAMIC_DNS" {
        return found.error("sidecar: ALLOW_ANY_DYNAMIC_DNS mode is only supported in MeshConfig, not in Sidecar resource");
    }
    if proxy.is_null() {
        return;
    }
    if mode != "ALLOW_ANY" {
        return found.error("sidecar: egress_proxy must be set only with ALLOW_ANY outbound_traffic_policy mode");
    }
    found.check(names::fqdn(text(&proxy["host"])));
    match proxy["port"].is_null() {
        true => found.error("sidecar: egress_proxy port must be non-nil"),
        false => virtual_service::destination(proxy, found),
    }
}
