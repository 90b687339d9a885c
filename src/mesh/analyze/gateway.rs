//! Gateways: their pods and ports, certificates, conflicts; Kubernetes Gateways (S: analyzers/gateway, analyzers/k8sgateway).

use super::{Context, bracketed, full_name, items, quoted, selector_text, selects, text, texts};
use crate::k8s::{Object, base64};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The field of the first label of a selector's text.
fn selector_field(selector: &str) -> String {
    format!("spec.selector.{}", selector.split_once('=').map_or("", |(label, _)| label))
}

fn no_pod(context: &mut Context<'_>, object: &Object, selector: &str) {
    let text = format!("Referenced selector not found: {}", quoted(selector));
    context.report_at(object, "IST0101", text, &selector_field(selector));
}

/// IngressGatewayPortAnalyzer.
pub fn ports(context: &mut Context<'_>) {
    let (pods, services) = (context.core("Pod"), context.core("Service"));
    for object in context.networking("Gateway") {
        let labels = object.at(&["spec", "selector"]);
        let selector = selector_text(labels);
        let mut offered = BTreeSet::new();
        let mut any = false;
        for pod in pods.iter().filter(|pod| selects(labels, pod)) {
            any = true;
            let here = services.iter().filter(|s| s.namespace() == pod.namespace());
            for service in here.filter(|s| selects(s.at(&["spec", "selector"]), pod)) {
                offered.extend(items(service.at(&["spec", "ports"])).iter().flat_map(service_ports));
            }
        }
        if !any {
            no_pod(context, &object, &selector);
            continue;
        }
        for server in items(object.at(&["spec", "servers"])).iter().filter(|s| s["port"].is_object()) {
            let number = server["port"]["number"].as_u64().unwrap_or(0);
            if !offered.contains(&number) {
                let text = format!(
                    "The gateway is listening on a target port (port {number}) that is not defined in the Service associated with its \
                     workload instances (Pod selector {selector}). If you need to access the gateway port through the gateway Service, it \
                     will not be available."
                );
                context.report_at(&object, "IST0162", text, &selector_field(&selector));
            }
        }
    }
}

/// The numbers by which a Service's port can be meant: port and target port.
fn service_ports(port: &Value) -> Vec<u64> {
    if !matches!(text(&port["protocol"]), "TCP") {
        return Vec::new();
    }
    let target = port["targetPort"].as_u64().or_else(|| text(&port["targetPort"]).parse().ok());
    port["port"].as_u64().into_iter().chain(target.filter(|t| *t != 0)).collect()
}

/// CertificateAnalyzer.
pub fn certificates(context: &mut Context<'_>) {
    let all = context.networking("Gateway");
    for object in &all {
        let labels = crate::k8s::object::strings(object.at(&["spec", "selector"]));
        for other in all.iter().filter(|other| other.key() != object.key()) {
            let theirs = crate::k8s::object::strings(other.at(&["spec", "selector"]));
            if !labels.iter().all(|(k, v)| theirs.get(k) == Some(v)) {
                continue;
            }
            let mine = items(object.at(&["spec", "servers"])).iter().map(|s| &s["tls"]);
            if mine.into_iter().any(|a| items(other.at(&["spec", "servers"])).iter().any(|s| same_certificate(a, &s["tls"]))) {
                let names = bracketed(&[full_name(object), full_name(other)]);
                let text = format!(
                    "Duplicate certificate in multiple gateways {names} may cause 404s if clients re-use HTTP2 connections."
                );
                context.report_at(object, "IST0138", text, "metadata.name");
            }
        }
    }
}

fn same_certificate(a: &Value, b: &Value) -> bool {
    let same = |field: &str| !text(&a[field]).is_empty() && text(&a[field]) == text(&b[field]);
    let unnamed = text(&a["credentialName"]).is_empty() && text(&b["credentialName"]).is_empty();
    same("credentialName") || unnamed && same("serverCertificate") && same("privateKey")
}

/// SecretAnalyzer.
pub fn secrets(context: &mut Context<'_>) {
    let (pods, secrets) = (context.core("Pod"), context.core("Secret"));
    for object in context.networking("Gateway") {
        let labels = object.at(&["spec", "selector"]);
        let Some(pod) = pods.iter().find(|pod| selects(labels, pod)) else {
            no_pod(context, &object, &selector_text(labels));
            continue;
        };
        for (i, server) in items(object.at(&["spec", "servers"])).iter().enumerate() {
            let name = text(&server["tls"]["credentialName"]);
            if name.is_empty() {
                continue;
            }
            let field = format!("spec.servers[{i}].tls.credentialName");
            let (namespace, local) = name.split_once('/').unwrap_or((pod.namespace(), name));
            match secrets.iter().find(|s| s.namespace() == namespace && s.name() == local) {
                None => {
                    let text = format!("Referenced credentialName not found: {}", quoted(name));
                    context.report_at(&object, "IST0101", text, &field);
                }
                Some(secret) if !is_certificate(secret) => {
                    let text = format!(
                        "The credential referenced by the Gateway {} in namespace {} is invalid, which can cause the traffic not to work as \
                         expected.",
                        object.name(),
                        pod.namespace()
                    );
                    context.report_at(&object, "IST0161", text, &field);
                }
                Some(_) => (),
            }
        }
    }
}

/// Whether a Secret holds a key pair in one of the two forms that Istio reads, the certificate as PEM. That the certificate is
/// one inside its PEM armour is not looked at.
fn is_certificate(secret: &Object) -> bool {
    let value = |key: &str| base64::decode(text(&secret.0["data"][key])).unwrap_or_default();
    let pair = |cert: &str, key: &str| {
        let certificate = value(cert);
        let pem = String::from_utf8_lossy(&certificate).contains("-----BEGIN CERTIFICATE-----");
        pem && !value(key).is_empty()
    };
    pair("cert", "key") || pair("tls.crt", "tls.key")
}

/// ConflictingGatewayAnalyzer.
pub fn conflicts(context: &mut Context<'_>) {
    let (all, pods) = (context.networking("Gateway"), context.core("Pod"));
    for object in &all {
        let labels = object.at(&["spec", "selector"]);
        let selector = selector_text(labels);
        let rivals: Vec<&Arc<Object>> = all.iter().filter(|o| same_pods(object, o, &pods)).collect();
        let with_servers = rivals.iter().any(|r| !items(r.at(&["spec", "servers"])).is_empty());
        if !selector.is_empty() && !with_servers {
            no_pod(context, object, &selector);
            continue;
        }
        for server in items(object.at(&["spec", "servers"])) {
            let mut names: Vec<String> = rivals
                .iter()
                .filter(|r| r.key() != object.key())
                .flat_map(|r| clashes(server, r).into_iter().map(|()| full_name(r)))
                .collect();
            if names.is_empty() {
                continue;
            }
            names.sort();
            let text = format!(
                "Conflict with gateways {} (workload selector {selector}, port {}, hosts {}).",
                names.join(","),
                server["port"]["number"].as_u64().unwrap_or(0),
                texts(&server["hosts"]).join(",")
            );
            context.report(object, "IST0145", text);
        }
    }
}

/// Whether two gateways are for the same pods: equal selectors, or one's text within the other's and a pod of both.
fn same_pods(a: &Object, b: &Object, pods: &[Arc<Object>]) -> bool {
    let (one, two) = (a.at(&["spec", "selector"]), b.at(&["spec", "selector"]));
    let (x, y) = (selector_text(one), selector_text(two));
    x == y || (x.contains(&y) || y.contains(&x)) && pods.iter().any(|pod| selects(one, pod) && selects(two, pod))
}

/// Once when the other gateway has a host of this server at the same port and bind. Of several servers at a port the last counts,
/// as in Istio's map.
fn clashes(server: &Value, other: &Object) -> Option<()> {
    let number = server["port"]["number"].as_u64().unwrap_or(0);
    let at_port = |s: &&Value| s["port"]["number"].as_u64().unwrap_or(0) == number;
    let theirs = items(other.at(&["spec", "servers"])).iter().rfind(at_port)?;
    let hosts: BTreeMap<&str, &str> = texts(&theirs["hosts"]).into_iter().map(|h| (h, text(&theirs["bind"]))).collect();
    texts(&server["hosts"]).iter().any(|h| hosts.get(h) == Some(&text(&server["bind"]))).then_some(())
}

/// SelectorAnalyzer for Kubernetes Gateways: policies select their pods by targetRef, not by labels.
pub fn selectors(context: &mut Context<'_>) {
    const LABEL: &str = "gateway.networking.k8s.io/gateway-name";
    let pods = context.core("Pod");
    let kinds = [
        ("security.istio.io", "AuthorizationPolicy"),
        ("security.istio.io", "RequestAuthentication"),
        ("telemetry.istio.io", "Telemetry"),
        ("extensions.istio.io", "WasmPlugin"),
    ];
    let policies: Vec<Arc<Object>> = kinds.into_iter().flat_map(|(group, kind)| context.each(group, kind)).collect();
    for object in policies {
        let spec = object.spec();
        if !spec["targetRef"].is_null() || spec["selector"].is_null() {
            continue;
        }
        let here = pods.iter().filter(|pod| pod.namespace() == object.namespace());
        for (pod, gateway) in here.filter_map(|pod| Some((pod, pod.label(LABEL)?))) {
            if selects(&spec["selector"]["matchLabels"], pod) {
                let text = format!("Ineffective selector on Kubernetes Gateway {gateway}. Use the TargetRef field instead.");
                context.report(&object, "IST0166", text);
            }
        }
    }
}

/// The least Gateway API bundle that Istio reads a kind of (S: schema/gatewayapi/minimumversions.go).
const MINIMUM: [(&str, [u64; 3]); 4] = [
    ("grpcroutes.gateway.networking.k8s.io", [1, 1, 0]),
    ("backendtlspolicies.gateway.networking.k8s.io", [1, 4, 0]),
    ("tlsroutes.gateway.networking.k8s.io", [1, 5, 0]),
    ("tcproutes.gateway.networking.k8s.io", [1, 6, 0]),
];

/// CRDVersionAnalyzer.
pub fn crd_versions(context: &mut Context<'_>) {
    for object in context.each("apiextensions.k8s.io", "CustomResourceDefinition") {
        let Some((name, minimum)) = MINIMUM.iter().find(|(name, _)| *name == object.name()) else { continue };
        let Some(bundle) = object.annotation("gateway.networking.k8s.io/bundle-version") else { continue };
        let bare = bundle.strip_prefix('v').unwrap_or(bundle);
        let core = bare.split(['-', '+']).next().unwrap_or("");
        let mut numbers: Vec<u64> = core.split('.').map_while(|part| part.parse().ok()).collect();
        if numbers.is_empty() {
            continue;
        }
        numbers.resize(3, 0);
        if numbers.as_slice() < minimum.as_slice() {
            let least = minimum.map(|n| n.to_string()).join(".");
            let text = format!(
                "Gateway API CRD {name:?} is at version {bare:?} but Istio requires at least {least:?}; resources of this kind will not be \
                 processed. Upgrade the Gateway API CRDs to satisfy the minimum version."
            );
            context.report(&object, "IST0176", text);
        }
    }
}
