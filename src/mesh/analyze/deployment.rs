//! Deployments and their Services, application user ids, control plane settings, deprecated fields (S: analyzers/deployment,
//! analyzers/deprecation, analyzers/authn).

use super::{Context, bracketed, full_name, injection, items, quoted, selects, text};
use crate::k8s::Object;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// MultiServiceAnalyzer.
pub fn services(context: &mut Context<'_>) {
    let all = context.core("Service");
    for object in context.each("apps", "Deployment") {
        let template = Object(object.at(&["spec", "template"]).clone());
        let waypoint = object.label("gateway.istio.io/managed") == Some("istio.io-mesh-controller");
        // Of a Deployment's template Istio looks at the plain containers only.
        let mut plain = template.clone();
        plain.remove(&["spec", "initContainers"]);
        if waypoint || !injection::in_mesh(context, &object, &plain) {
            continue;
        }
        let fits = |s: &&Arc<Object>| {
            let selector = s.at(&["spec", "selector"]);
            let some = selector.as_object().is_some_and(|m| !m.is_empty());
            some && s.namespace() == object.namespace() && selects(selector, &template)
        };
        let matching: Vec<&Arc<Object>> = all.iter().filter(fits).collect();
        protocols(context, &object, &matching);
        target_ports(context, &object, &matching);
    }
}

fn protocols(context: &mut Context<'_>, object: &Object, services: &[&Arc<Object>]) {
    let mut ports: BTreeMap<i64, BTreeMap<&str, Vec<String>>> = BTreeMap::new();
    for service in services {
        for port in items(service.at(&["spec", "ports"])) {
            let protocol = port["protocol"].as_str().filter(|p| !p.is_empty()).unwrap_or("TCP");
            ports.entry(port["port"].as_i64().unwrap_or(0)).or_default().entry(protocol).or_default().push(full_name(service));
        }
    }
    for (port, by_protocol) in ports.iter().filter(|(_, by)| by.len() > 1) {
        let mut names: Vec<&String> = by_protocol.values().flatten().collect();
        names.sort();
        let text = format!(
            "This deployment {} is associated with multiple services using port {port} but different protocols: {}",
            object.name(),
            bracketed(&names)
        );
        context.report_at(object, "IST0116", text, "metadata.name");
    }
}

fn target_ports(context: &mut Context<'_>, object: &Object, services: &[&Arc<Object>]) {
    let mut targets: BTreeMap<String, BTreeMap<i64, String>> = BTreeMap::new();
    for service in services {
        for port in items(service.at(&["spec", "ports"])) {
            let number = port["port"].as_i64().unwrap_or(0);
            let target = match &port["targetPort"] {
                Value::String(name) if !name.is_empty() => name.clone(),
                Value::Number(n) if n.as_i64() != Some(0) => n.to_string(),
                _ => number.to_string(),
            };
            targets.entry(target).or_default().insert(number, full_name(service));
        }
    }
    for (target, by_port) in targets.iter().filter(|(_, by)| by.len() > 1) {
        let mut names: Vec<&String> = by_port.values().collect();
        names.sort();
        let ports: Vec<&i64> = by_port.keys().collect();
        let text = format!(
            "This deployment {} is associated with multiple services {} using targetPort {} but different ports: {}.",
            object.name(),
            bracketed(&names),
            quoted(target),
            bracketed(&ports)
        );
        context.report_at(object, "IST0137", text, "metadata.name");
    }
}

/// ApplicationUIDAnalyzer.
pub fn user_ids(context: &mut Context<'_>) {
    let pods = context.core("Pod").into_iter().map(|o| (o.clone(), o.spec().clone()));
    let deployments = context.each("apps", "Deployment");
    let deployments = deployments.into_iter().map(|o| (o.clone(), o.at(&["spec", "template", "spec"]).clone()));
    for (object, spec) in pods.chain(deployments).collect::<Vec<_>>() {
        if object.label("istio").is_some() || object.label("release") == Some("istio") {
            continue;
        }
        let reserved = |value: &Value| value["securityContext"]["runAsUser"].as_i64() == Some(1337);
        let applications =
            items(&spec["containers"]).iter().filter(|c| !matches!(text(&c["name"]), "istio-proxy" | "istio-operator"));
        if reserved(&spec) || applications.into_iter().any(reserved) {
            context.report(&object, "IST0144", "User ID (UID) 1337 is reserved for the sidecar proxy.".into());
        }
    }
}

/// BlockedCIDRsAnalyzer.
pub fn jwks(context: &mut Context<'_>) {
    let names: Vec<String> = context.each("security.istio.io", "RequestAuthentication").iter().map(|o| full_name(o)).collect();
    if names.is_empty() {
        return;
    }
    let listed = match names.len() {
        ..=5 => names.join(", "),
        many => format!("{}, and {} more", names[..5].join(", "), many - 5),
    };
    for object in context.each("apps", "Deployment").into_iter().filter(|d| d.label("app") == Some("istiod")) {
        let containers = items(object.at(&["spec", "template", "spec", "containers"]));
        let mut environment = containers.iter().flat_map(|c| items(&c["env"]));
        if environment.any(|e| text(&e["name"]) == "BLOCKED_CIDRS_IN_JWKS_URIS" && !text(&e["value"]).is_empty()) {
            continue;
        }
        let text = format!(
            "BLOCKED_CIDRS_IN_JWKS_URIS is not configured but {} RequestAuthentication resource(s) exist ({listed}). Consider configuring it \
             to restrict JWKS URI fetches to trusted networks.",
            names.len()
        );
        context.report(&object, "IST0175", text);
    }
}

/// DeprecationAnalyzer.
pub fn deprecated(context: &mut Context<'_>) {
    for object in context.networking("VirtualService") {
        let mut rules = items(object.at(&["spec", "http"])).iter();
        if rules.any(|r| r["fault"]["delay"]["percent"].as_i64().is_some_and(|p| p > 0)) {
            let text = "Deprecated: HTTPRoute.fault.delay.percent is deprecated; use HTTPRoute.fault.delay.percentage";
            context.report(&object, "IST0002", text.into());
        }
    }
    for object in context.networking("Sidecar") {
        if !object.at(&["spec", "outboundTrafficPolicy", "egressProxy"]).is_null() {
            context.report(&object, "IST0002", "Deprecated: OutboundTrafficPolicy.EgressProxy ignored".into());
        }
    }
    let removed: BTreeSet<&str> = ["ClusterRbacConfig", "RbacConfig", "ServiceRole", "ServiceRoleBinding"].into();
    for object in context.each("apiextensions.k8s.io", "CustomResourceDefinition") {
        let (group, kind) = (object.str_at(&["spec", "group"]), object.str_at(&["spec", "names", "kind"]));
        if group == "rbac.istio.io" && removed.contains(kind) {
            context.report(&object, "IST0002", format!("Deprecated: Custom resource type {group} {kind} is removed"));
        }
    }
}
