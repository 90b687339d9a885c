//! DestinationRule (S: pkg/config/validation/validation.go ValidateDestinationRule).

use super::{Validation, export, filled, items, load_balancer, names, selector, text};
use crate::k8s::Object;
use serde_json::Value;
use std::collections::BTreeSet;

const CONSECUTIVE: &str =
    "outlier detection consecutive errors is deprecated, use consecutiveGatewayErrors or consecutive5xxErrors instead";

/// Checks one.
pub fn validate(object: &Object, found: &mut Validation) {
    let spec = object.spec();
    found.check(names::wildcard_domain(text(&spec["host"])));
    let namespace = object.namespace();
    traffic_policy(&spec["trafficPolicy"], namespace, found);
    let mut seen = BTreeSet::new();
    for subset in items(&spec["subsets"]) {
        let name = text(&subset["name"]);
        if !seen.insert(name) {
            found.error(format!("duplicate subset names: {name}"));
        }
        found.check(subset_name(name));
        names::labels(&subset["labels"]).into_iter().for_each(|e| found.listed(e));
        let mut inner = Validation::default();
        traffic_policy(&subset["trafficPolicy"], namespace, &mut inner);
        found.take_errors(inner);
    }
    let owner = if spec["workloadSelector"].is_null() { export::Owner::Rule } else { export::Owner::Selecting };
    export::validate(object.namespace(), &spec["exportTo"], owner, found);
    selector::matching(&spec["workloadSelector"], found);
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

fn traffic_policy(policy: &Value, namespace: &str, found: &mut Validation) {
    if policy.is_null() {
        return;
    }
    let ports = items(&policy["portLevelSettings"]);
    let more = ["tunnel", "proxyProtocol", "retryBudget"];
    if ports.is_empty() && PARTS.iter().chain(&more).all(|part| policy[*part].is_null()) {
        return found.error("traffic policy must have at least one field");
    }
    if !policy["tunnel"].is_null() && !policy["proxyProtocol"].is_null() {
        return found.error("tunnel and proxyProtocol must not be set together");
    }
    parts(policy, namespace, found);
    for port in ports {
        // Its number is nothing that is looked at.
        found.error_if(port["port"].is_null(), "portTrafficPolicy must have valid port");
        match PARTS.iter().all(|part| port[*part].is_null()) {
            true => found.error("port traffic policy must have at least one field"),
            false => {
                let mut inner = Validation::default();
                parts(port, namespace, &mut inner);
                found.take_errors(inner);
            }
        }
    }
    tunnel(&policy["tunnel"], found);
}

fn parts(policy: &Value, namespace: &str, found: &mut Validation) {
    outlier(&policy["outlierDetection"], found);
    connection_pool(&policy["connectionPool"], found);
    load_balancer::validate(&policy["loadBalancer"], !policy["outlierDetection"].is_null(), found);
    tls(&policy["tls"], namespace, found);
}

/// Connection pools of DestinationRules and Sidecars.
pub fn connection_pool(pool: &Value, found: &mut Validation) {
    if pool.is_null() {
        return;
    }
    let (http, tcp) = (&pool["http"], &pool["tcp"]);
    if http.is_null() && tcp.is_null() {
        return found.error("connection pool must have at least one field");
    }
    let negative = |value: &Value| value.as_i64().is_some_and(|n| n < 0);
    let counts = [
        ("http1MaxPendingRequests", "http1 max pending requests must be non-negative"),
        ("http2MaxRequests", "http2 max requests must be non-negative"),
        ("maxRequestsPerConnection", "max requests per connection must be non-negative"),
        ("maxRetries", "max retries must be non-negative"),
    ];
    counts.iter().for_each(|(field, words)| found.error_if(negative(&http[*field]), words));
    duration(&http["idleTimeout"], found);
    found.error_if(
        text(&http["h2UpgradePolicy"]) == "UPGRADE" && http["useClientProtocol"] == true,
        "use client protocol must not be true when H2UpgradePolicy is UPGRADE",
    );
    found.error_if(negative(&http["maxConcurrentStreams"]), "max concurrent streams must be non-negative");
    let alive = &http["http2KeepAlive"];
    if !alive.is_null() {
        for (field, words) in
            [("interval", "http2 keepalive interval is required"), ("timeout", "http2 keepalive timeout is required")]
        {
            found.error_if(alive[field].is_null(), words);
            duration(&alive[field], found);
        }
    }
    found.error_if(negative(&tcp["maxConnections"]), "max connections must be non-negative");
    duration(&tcp["connectTimeout"], found);
    duration(&tcp["maxConnectionDuration"], found);
    if names::milliseconds(text(&tcp["idleTimeout"])) != Some(0) {
        duration(&tcp["idleTimeout"], found);
    }
    duration(&tcp["tcpKeepalive"]["time"], found);
    duration(&tcp["tcpKeepalive"]["interval"], found);
}

fn duration(value: &Value, found: &mut Validation) {
    if let Some(text) = value.as_str() {
        found.check(names::duration(text));
    }
}

fn outlier(outlier: &Value, found: &mut Validation) {
    if outlier.is_null() {
        return;
    }
    duration(&outlier["baseEjectionTime"], found);
    if outlier["consecutiveErrors"].as_i64().is_some_and(|n| n != 0) {
        found.warn(CONSECUTIVE);
    }
    found.error_if(
        outlier["splitExternalLocalOriginErrors"] != true
            && outlier["consecutiveLocalOriginFailures"].as_i64().is_some_and(|n| n > 0),
        "outlier detection consecutive local origin failures is specified, but split external local origin errors is set to false",
    );
    duration(&outlier["interval"], found);
    for field in ["maxEjectionPercent", "minHealthPercent"] {
        if let Some(percent) = outlier[field].as_i64().filter(|p| !(0..=100).contains(p)) {
            found.error(format!("percentage {percent} is not in range 0..100"));
        }
    }
}

fn tls(tls: &Value, namespace: &str, found: &mut Validation) {
    if tls.is_null() {
        return;
    }
    let has = |field: &str| filled(&tls[field]);
    let mode = text(&tls["mode"]);
    let name = text(&tls["credentialName"]);
    match name.strip_prefix("configmap://").map(|rest| rest.split_once('/')) {
        Some(None) => found
            .error(format!("invalid configmap:// credentialName: invalid resource name {name:?}. Expected namespace and name")),
        Some(Some((there, _))) if there != namespace => found.error(format!(
            "invalid configmap:// credentialName: namespace must match the configuration namespace {namespace:?}"
        )),
        _ => (),
    }
    let insecure = tls["insecureSkipVerify"] == true;
    found.error_if(
        insecure && mode == "SIMPLE" && (has("caCertificates") || has("credentialName") || has("subjectAltNames")),
        "cannot specify CaCertificates or CredentialName or SubjectAltNames when InsecureSkipVerify is set true",
    );
    found.error_if(
        insecure && mode == "MUTUAL" && (has("caCertificates") || has("subjectAltNames")),
        "cannot specify CaCertificates or SubjectAltNames when InsecureSkipVerify is set true",
    );
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
    if let (Err(name), Err(address)) = (names::fqdn(host), names::address(host)) {
        found.error(format!("tunnel target host must be valid FQDN or IP address: {name}; {address}"));
    }
    if let Err(error) = names::port(tunnel["targetPort"].as_i64().unwrap_or(0)) {
        found.error(format!("tunnel target port is invalid: {error}"));
    }
}
