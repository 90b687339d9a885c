//! Gateway (S: pkg/config/validation/validation.go ValidateGateway).

use super::names::{self, Class};
use super::{Validation, filled, items, text, texts};
use crate::k8s::Object;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

const PROTOCOLS: &str = "HTTP, HTTP2, GRPC, GRPC-WEB, MONGO, REDIS, MYSQL, TCP";

/// Checks one.
pub fn validate(object: &Object, found: &mut Validation) {
    if !names::is_label(object.name()) {
        found.error(format!("invalid gateway name: {:?}", object.name()));
    }
    let servers = items(&object.spec()["servers"]);
    found.error_if(servers.is_empty(), "gateway must have at least one server");
    servers.iter().for_each(|s| server(s, found));
    let mut seen = BTreeSet::new();
    for server in servers.iter().filter(|s| s["port"].is_object()) {
        let name = text(&server["port"]["name"]);
        if !seen.insert(name) {
            found.error(format!("port names in servers must be unique: duplicate name {name}"));
        }
        let http = names::protocol(text(&server["port"]["protocol"])) == Some(Class::Http);
        if !http && server["tls"]["httpsRedirect"] == true {
            found.warn("tls.httpsRedirect should only be used with http servers");
        }
    }
}

fn server(server: &Value, found: &mut Validation) {
    let hosts = texts(&server["hosts"]);
    found.error_if(hosts.is_empty(), "server config must contain at least one host");
    hosts.iter().for_each(|host| found.errors.extend(names::namespaced_host(host, true)));
    port(server, found);
    let bind = text(&server["bind"]);
    if !bind.is_empty() && !bind.starts_with("unix://") && !names::is_ip(bind) {
        found.error(format!("{bind} is not a valid IP"));
    }
    tls_options(&server["tls"], found);
    let tls = &server["tls"];
    match names::protocol(text(&server["port"]["protocol"])) {
        Some(Class::Tls) if tls.is_null() => found.error("server must have TLS settings for HTTPS/TLS protocols"),
        Some(Class::Tls) | None => (),
        Some(Class::Http) if !tls.is_null() && !only_redirects(tls) => {
            found.error("server cannot have TLS settings for plain text HTTP ports");
        }
        Some(Class::Other) if !tls.is_null() => found.error("server cannot have TLS settings for non HTTPS/TLS ports"),
        _ => (),
    }
}

fn only_redirects(tls: &Value) -> bool {
    let others = |members: &Map<String, Value>| members.keys().any(|key| key != "httpsRedirect");
    tls["httpsRedirect"] == true && !tls.as_object().is_some_and(others)
}

fn port(server: &Value, found: &mut Validation) {
    let port = &server["port"];
    if !port.is_object() {
        return found.error("port is required");
    }
    let protocol = text(&port["protocol"]);
    if names::protocol(protocol).is_none() {
        found.error(format!("invalid protocol {protocol:?}, supported protocols are {PROTOCOLS}"));
    }
    let number = port["number"].as_i64().unwrap_or(0);
    if number > 0 || !filled(&server["bind"]) {
        found.check(names::port(number));
    }
    if !filled(&port["name"]) {
        found.error(format!("port name must be set: number:{number} protocol:{protocol:?}"));
    }
    found.error_if(port["targetPort"].as_i64().is_some_and(|t| t > 0), "targetPort has no impact on Gateways");
}

/// TLS settings of a server or of a Sidecar's ingress listener (S: ValidateTLSOptions).
fn tls_options(tls: &Value, found: &mut Validation) {
    if tls.is_null() {
        return;
    }
    let mode = match text(&tls["mode"]) {
        "" => "PASSTHROUGH",
        mode => mode,
    };
    let has = |field: &str| filled(&tls[field]);
    let own = [
        ("serverCertificate", "server certificate"),
        ("privateKey", "private key"),
        ("caCertificates", "CA bundle"),
        ("credentialName", "credentialName"),
        ("credentialNames", "credentialNames"),
        ("tlsCertificates", "tlsCertificates"),
        ("caCrl", "CA CRL"),
    ];
    match mode {
        "ISTIO_MUTUAL" => {
            for (_, words) in own.iter().filter(|(field, _)| has(field)) {
                found.error(format!("ISTIO_MUTUAL TLS cannot have associated {words}"));
            }
        }
        "PASSTHROUGH" | "AUTO_PASSTHROUGH" => {
            if own.iter().any(|(field, _)| has(field)) {
                found.warn(format!("{mode} mode does not use certificates, they will be ignored"));
            }
        }
        _ => certificates(tls, mode, found),
    }
}

fn certificates(tls: &Value, mode: &str, found: &mut Validation) {
    let has = |field: &str| filled(&tls[field]);
    let files = has("serverCertificate") || has("privateKey");
    let sources = [has("credentialName"), has("credentialNames"), files, has("tlsCertificates")];
    if sources.iter().filter(|set| **set).count() > 1 {
        return found.error(
            "only one of credential_name, credential_names, server_certificate/private_key, tls_certificates should be specified",
        );
    }
    if has("credentialName") || has("credentialNames") || has("tlsCertificates") {
        return;
    }
    if !has("serverCertificate") {
        found.error(format!("{mode} TLS requires a server certificate"));
    }
    if !has("privateKey") {
        found.error(format!("{mode} TLS requires a private key"));
    }
    if mode.ends_with("MUTUAL") && !has("caCertificates") {
        found.error(format!("{mode} TLS requires a client CA bundle"));
    }
}
