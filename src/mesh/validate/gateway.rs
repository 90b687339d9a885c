//! Gateway (S: pkg/config/validation/validation.go ValidateGateway).

use super::names::{self, Class};
use super::{Validation, filled, items, text, texts};
use crate::k8s::Object;
use serde_json::Value;
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
    let before = found.errors.len();
    port(server, found);
    let port_is_right = found.errors.len() == before;
    bind(server, found);
    tls_options(&server["tls"], found);
    let tls = &server["tls"];
    if !port_is_right {
        return;
    }
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

fn bind(server: &Value, found: &mut Validation) {
    let bind = text(&server["bind"]);
    if let Some(path) = bind.strip_prefix("unix://") {
        found.check(names::unix_path(path));
        if server["port"]["number"].as_i64().is_some_and(|n| n != 0) {
            found.error(format!("port number must be 0 for unix domain socket: {}", printed(&server["port"])));
        }
    } else if !bind.is_empty() {
        found.check(names::address(bind));
    }
}

/// A port as protobuf prints it.
fn printed(port: &Value) -> String {
    let mut parts = Vec::new();
    parts.extend(port["number"].as_i64().filter(|n| *n != 0).map(|n| format!("number:{n}")));
    for field in ["protocol", "name"] {
        parts.extend(port[field].as_str().filter(|v| !v.is_empty()).map(|v| format!("{field}:{v:?}")));
    }
    parts.extend(port["targetPort"].as_i64().filter(|n| *n != 0).map(|n| format!("target_port:{n}")));
    parts.join(" ")
}

/// A mode that passes through, and no certificates.
fn only_redirects(tls: &Value) -> bool {
    let passes = matches!(text(&tls["mode"]), "" | "PASSTHROUGH" | "AUTO_PASSTHROUGH");
    passes && !["caCertificates", "privateKey", "serverCertificate"].iter().any(|field| filled(&tls[*field]))
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
    if number > 0 || !text(&server["bind"]).starts_with("unix://") {
        found.check(names::port(number));
    }
    found.error_if(port["targetPort"].as_i64().is_some_and(|t| t > 0), "targetPort has no impact on Gateways");
    if !filled(&port["name"]) {
        found.error(format!("port name must be set: {}", printed(port)));
    }
}

/// The cipher suites that Envoy is told of; names that begin with a sign are passed on.
const CIPHERS: [&str; 15] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA",
    "AES256-SHA",
    "DES-CBC3-SHA",
];

fn ciphers(tls: &Value, found: &mut Validation) {
    let suites = texts(&tls["cipherSuites"]);
    if matches!(text(&tls["minProtocolVersion"]), "TLSV1_0" | "TLSV1_1") && suites.is_empty() {
        found.warn("TLS version below TLSV1_2 require setting compatible ciphers as by default they no longer include compatible ciphers.");
    }
    let valid = |suite: &str| {
        suite.is_empty() || suite == "ALL" || !suite.starts_with(|c: char| c.is_alphanumeric()) || CIPHERS.contains(&suite)
    };
    let (mut seen, mut wrong, mut twice) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for suite in suites {
        if !valid(suite) {
            wrong.insert(suite);
        } else if !seen.insert(suite) {
            twice.insert(suite);
        }
    }
    for (set, what) in [(wrong, "invalid"), (twice, "duplicate")] {
        if !set.is_empty() {
            found.warn(format!("ignoring {what} cipher suites: [{}]", set.into_iter().collect::<Vec<_>>().join(" ")));
        }
    }
}

/// TLS settings of a server or of a Sidecar's ingress listener (S: ValidateTLSOptions).
pub fn tls_options(tls: &Value, found: &mut Validation) {
    if tls.is_null() {
        return;
    }
    ciphers(tls, found);
    let mode = match text(&tls["mode"]) {
        "" => "PASSTHROUGH",
        mode => mode,
    };
    let has = |field: &str| filled(&tls[field]);
    if mode == "ISTIO_MUTUAL" {
        let own = [
            ("serverCertificate", "server certificate"),
            ("privateKey", "private key"),
            ("caCertificates", "CA bundle"),
            ("tlsCertificates", "tlsCertificates"),
            ("credentialName", "credentialName"),
            ("credentialNames", "credentialNames"),
        ];
        for (_, words) in own.iter().filter(|(field, _)| has(field)) {
            found.error(format!("ISTIO_MUTUAL TLS cannot have associated {words}"));
        }
        return;
    }
    let all =
        ["caCrl", "serverCertificate", "privateKey", "caCertificates", "tlsCertificates", "credentialName", "credentialNames"];
    if matches!(mode, "PASSTHROUGH" | "AUTO_PASSTHROUGH") && all.into_iter().any(has) {
        found.warn(format!("{mode} mode does not use certificates, they will be ignored"));
    }
    certificates(tls, mode, found);
}

fn certificates(tls: &Value, mode: &str, found: &mut Validation) {
    let has = |field: &str| filled(&tls[field]);
    let files = has("serverCertificate") && has("privateKey");
    let sources = [files, has("credentialName"), has("credentialNames"), has("tlsCertificates")];
    found.error_if(
        sources.iter().filter(|set| **set).count() > 1,
        "only one of credential_name, credential_names, server_certificate/private_key, tls_certificates should be specified",
    );
    let terminates = matches!(mode, "SIMPLE" | "MUTUAL" | "OPTIONAL_MUTUAL");
    if terminates && (has("credentialName") || has("credentialNames")) {
        return;
    }
    if terminates {
        let prefix = if mode == "SIMPLE" { "SIMPLE TLS" } else { "MUTUAL TLS" };
        if mode != "SIMPLE" && !has("caCertificates") {
            found.error(format!("{prefix} requires a client CA bundle"));
        }
        let listed = items(&tls["tlsCertificates"]);
        if listed.len() > 2 {
            found.warn(format!("{prefix} can support up to 2 server certificates"));
        }
        let own = [tls.clone()];
        for certificate in if listed.is_empty() { &own[..] } else { listed } {
            if !filled(&certificate["serverCertificate"]) {
                found.error(format!("{prefix} requires a server certificate"));
            }
            if !filled(&certificate["privateKey"]) {
                found.error(format!("{prefix} requires a private key"));
            }
        }
    }
    if has("caCrl") {
        found.error_if(
            has("credentialName"),
            "CRL is not supported with credentialName. CRL has to be specified in the credential",
        );
        found.error_if(mode == "SIMPLE", "CRL is not supported with SIMPLE TLS");
    }
}
