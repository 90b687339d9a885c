//! DestinationRule (S: pkg/config/validation/validation.go ValidateDestinationRule).

use super::{Validation, export, filled, items, names, text};
use crate::k8s::Object;
use serde_json::Value;
use std::collections::BTreeSet;

const CONSECUTIVE: &str =
    "outlier detection consecutive errors is deprecated, use consecutiveGatewayErrors or consecutive5xxErrors instead";

/// Checks one.
pub fn validate(object: &Object, found: &mut Validation) {
    let spec = object.spec();
    found.check(names::wildcard_domain(text(&spec["host"])));
    traffic_policy(&spec["trafficPolicy"], found);
    let mut seen = BTreeSet::new();
    for subset in items(&spec["subsets"]) {
        if subset.is_null() {
            found.error("subset may not be null");
            continue;
        }
        let name = text(&subset["name"]);
        if !seen.insert(name) {
            found.error(format!("duplicate subset names: {name}"));
        }
        found.check(subset_name(name));
        traffic_policy(&subset["trafficPolicy"], found);
    }
    let owner = if spec["workloadSelector"].is_null() { export::Owner::Rule } else { export::Owner::Selecting };
    export::validate(object.namespace(), &spec["exportTo"], owner, found);
}

/// A subset's name.
pub fn subset_name(name: &str) -> Result<(), String> {
    match name {
        "" => Err("subset name cannot be empty".into()),
        name if names::is_label(name) => Ok(()),
        name => Err(format!("subset name is invalid: {name}")),
    }
}

/// The parts that may stand at the top and per port.
const PARTS: [&str; 4] = ["loadBalancer", "connectionPool", "outlierDetection", "tls"];

fn traffic_policy(policy: &Value, found: &mut Validation) {
    if policy.is_null() {
        return;
    }
    let more = ["portLevelSettings", "tunnel", "proxyProtocol", "retryBudget"];
    if PARTS.iter().chain(&more).all(|part| policy[*part].is_null()) {
        found.error("traffic policy must have at least one field");
    }
    parts(policy, found);
    for port in items(&policy["portLevelSettings"]) {
        let number = port["port"]["number"].as_i64();
        match number {
            Some(number) => found.check(names::port(number)),
            None => found.error("portTrafficPolicy must have valid port"),
        }
        if PARTS.iter().all(|part| port[*part].is_null()) {
            found.error("port traffic policy must have at least one field");
        }
        parts(port, found);
    }
    tunnel(&policy["tunnel"], found);
}

fn parts(policy: &Value, found: &mut Validation) {
    outlier(&policy["outlierDetection"], found);
    let pool = &policy["connectionPool"];
    if !pool.is_null() && pool["http"].is_null() && pool["tcp"].is_null() {
        found.error("connection pool must have at least one field");
    }
    for field in [&pool["tcp"]["connectTimeout"], &pool["tcp"]["maxConnectionDuration"], &pool["http"]["idleTimeout"]] {
        if let Some(duration) = field.as_str() {
            found.check(names::duration(duration));
        }
    }
    tls(&policy["tls"], found);
}

fn outlier(outlier: &Value, found: &mut Validation) {
    for field in ["interval", "baseEjectionTime"] {
        if let Some(duration) = outlier[field].as_str() {
            found.check(names::duration(duration));
        }
    }
    if outlier["consecutiveErrors"].as_i64().is_some_and(|n| n != 0) {
        found.warn(CONSECUTIVE);
    }
    for field in ["maxEjectionPercent", "minHealthPercent"] {
        if let Some(percent) = outlier[field].as_i64().filter(|p| !(0..=100).contains(p)) {
            found.error(format!("percentage {percent} is not in range 0..100"));
        }
    }
}

fn tls(tls: &Value, found: &mut Validation) {
    if tls.is_null() {
        return;
    }
    let has = |field: &str| filled(&tls[field]);
    if tls["insecureSkipVerify"] == true && (has("caCertificates") || has("credentialName") || has("subjectAltNames")) {
        found.error("cannot specify CaCertificates or CredentialName or SubjectAltNames when InsecureSkipVerify is set true");
    }
    let mode = text(&tls["mode"]);
    if matches!(mode, "SIMPLE" | "MUTUAL") && has("credentialName") {
        let files = ["clientCertificate", "caCertificates", "privateKey", "caCrl"].into_iter().any(has);
        return found.error_if(files, "cannot specify client certificates or CA certificate or CA CRL If credentialName is set");
    }
    if mode == "MUTUAL" {
        found.error_if(!has("clientCertificate"), "client certificate required for mutual tls");
        found.error_if(!has("privateKey"), "private key required for mutual tls");
    }
}

fn tunnel(tunnel: &Value, found: &mut Validation) {
    if tunnel.is_null() {
        return;
    }
    if !matches!(text(&tunnel["protocol"]), "" | "CONNECT" | "POST") {
        found.error("tunnel protocol must be \"CONNECT\" or \"POST\"");
    }
    let host = text(&tunnel["targetHost"]);
    if let Err(error) = names::fqdn(host)
        && !names::is_ip(host)
    {
        found.error(format!("tunnel target host must be valid FQDN or IP address: {error}"));
    }
    if let Err(error) = names::port(tunnel["targetPort"].as_i64().unwrap_or(0)) {
        found.error(format!("tunnel target port is invalid: {error}"));
    }
}
