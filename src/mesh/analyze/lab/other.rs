//! Tools and other planes: two kinds named gateway, proxies of the application's own, aliases, ambient, the Gateway API.

use super::view::View;
use super::{Check, Report};
use crate::k8s::Object;
use crate::mesh::analyze::{Level, hosts, items, text, texts};
use serde_json::Value;

pub const CHECKS: &[Check] = &[
    Check {
        id: "EGL701",
        level: Level::Info,
        about: "two kinds that kubectl calls gateway",
        mistakes: &["M75"],
        run: two_gateways,
    },
    Check {
        id: "EGL702",
        level: Level::Warning,
        about: "an application that uses an HTTP proxy of its own",
        mistakes: &["M80"],
        run: own_proxy,
    },
    Check {
        id: "EGL703",
        level: Level::Warning,
        about: "a DestinationRule for an ExternalName service",
        mistakes: &["M81"],
        run: alias,
    },
    Check {
        id: "EGL704",
        level: Level::Warning,
        about: "sidecar rules where ambient mode takes the traffic",
        mistakes: &["M82"],
        run: ambient,
    },
    Check {
        id: "EGL705",
        level: Level::Warning,
        about: "a route of the Gateway API whose references do not hold",
        mistakes: &["M83"],
        run: routes,
    },
];

const API: &str = "gateway.networking.k8s.io";

fn two_gateways(view: &View<'_>, report: &mut Report<'_>) {
    let crds = view.each("apiextensions.k8s.io", "CustomResourceDefinition");
    let of = |name: &str| crds.iter().find(|c| c.name() == name).cloned();
    let kinds = (of("gateways.gateway.networking.k8s.io"), of("gateways.networking.istio.io"));
    if let (Some(api), Some(_)) = kinds {
        let text = "kubectl get gateway means this kind, not Istio's: Istio's Gateways seem to be missing.";
        report.add(&api, "spec.names.plural", text, "use gw or gateways.networking.istio.io for Istio's Gateways");
        return;
    }
    // Manifests seldom bring the definitions along.
    if let (Some(_), Some(own)) =
        (view.each("gateway.networking.k8s.io", "Gateway").first(), view.each("networking.istio.io", "Gateway").first())
    {
        let text = "kubectl get gateway means the Gateway API's kind: this Gateway of Istio's seems to be missing there.";
        report.add(own, "apiVersion", text, "use gw or gateways.networking.istio.io for Istio's Gateways");
    }
}

fn own_proxy(view: &View<'_>, report: &mut Report<'_>) {
    for pod in &view.pods {
        for (i, container) in items(pod.at(&["spec", "containers"])).iter().enumerate() {
            for (j, variable) in items(&container["env"]).iter().enumerate() {
                let name = text(&variable["name"]).to_ascii_uppercase();
                if !matches!(name.as_str(), "HTTP_PROXY" | "HTTPS_PROXY" | "ALL_PROXY") || text(&variable["value"]).is_empty() {
                    continue;
                }
                let (host, port) = authority(text(&variable["value"]));
                let tcp = |p: &Value| p["number"].as_u64() == Some(port) && text(&p["protocol"]).eq_ignore_ascii_case("TCP");
                let registered = view.entries_of(&host).iter().any(|e| items(e.at(&["spec", "ports"])).iter().any(tcp))
                    || view.entries.iter().any(|e| {
                        texts(e.at(&["spec", "addresses"])).contains(&host.as_str())
                            && items(e.at(&["spec", "ports"])).iter().any(tcp)
                    });
                let what = if registered {
                    "is registered with TCP, as it should be"
                } else {
                    "is registered by no ServiceEntry with protocol TCP"
                };
                let text = format!(
                    "The application sends its requests to the proxy {host}:{port}, which {what}: ServiceEntries of the targets have no effect."
                );
                let field = format!("spec.containers[{i}].env[{j}]");
                if !registered {
                    report.add(pod, &field, &text, "register the proxy's host or address and port with protocol TCP");
                    for entry in view.entries_of(&host).into_iter().take(1) {
                        report.add(entry, "spec.ports", &text, "use protocol TCP for the proxy's port");
                    }
                }
            }
        }
    }
}

/// Host and port of a proxy's URL.
fn authority(url: &str) -> (String, u64) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split('/').next().unwrap_or("");
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let (host, port) = rest.rsplit_once(':').unwrap_or((rest, "80"));
    (host.to_string(), port.parse().unwrap_or(80))
}

fn alias(view: &View<'_>, report: &mut Report<'_>) {
    for service in view.services.iter().filter(|s| s.str_at(&["spec", "type"]) == "ExternalName") {
        let full = hosts::full_host(service.namespace(), service.name());
        let target = service.str_at(&["spec", "externalName"]);
        for rule in view.rules.iter().filter(|r| hosts::full_host(r.namespace(), text(r.at(&["spec", "host"]))) == full) {
            let text = format!("{} is only an alias of {target}, and rules for aliases are ignored.", service.key());
            report.add(rule, "spec.host", &text, &format!("write the rule for {target}"));
        }
        for (i, port) in items(service.at(&["spec", "ports"])).iter().enumerate() {
            let name = text(&port["name"]);
            if name.is_empty() || name == "tcp" {
                let text = "The port's name does not say its protocol, so the sidecar takes it for TCP.";
                report.add(service, &format!("spec.ports[{i}].name"), text, "name the port http or https after what it serves");
            }
        }
    }
}

fn ambient(view: &View<'_>, report: &mut Report<'_>) {
    const MODE: &str = "istio.io/dataplane-mode";
    for namespace in view.namespaces.iter().filter(|ns| ns.label(MODE) == Some("ambient")) {
        let pods = view.pods.iter().filter(|p| p.namespace() == namespace.name());
        let without = pods.clone().any(|p| !view.has_sidecar(p)) || pods.count() == 0;
        if without {
            let text = "Pods without sidecar here are in ambient mode: ztunnel knows no REGISTRY_ONLY, Sidecar or exportTo.";
            let next = "bind a waypoint (istio.io/use-waypoint) to the ServiceEntry and close the rest with a NetworkPolicy";
            report.add(namespace, "metadata.labels[istio.io/dataplane-mode]", text, next);
        }
    }
}

fn routes(view: &View<'_>, report: &mut Report<'_>) {
    let kinds = ["HTTPRoute", "TLSRoute", "TCPRoute", "GRPCRoute"];
    let gateways = view.each(API, "Gateway");
    let grants = view.each(API, "ReferenceGrant");
    for route in kinds.into_iter().flat_map(|kind| view.each(API, kind)) {
        for (i, parent) in items(route.at(&["spec", "parentRefs"])).iter().enumerate() {
            parent_ref(view, report, &route, &gateways, parent, i);
        }
        for (i, rule) in items(route.at(&["spec", "rules"])).iter().enumerate() {
            for (j, backend) in items(&rule["backendRefs"]).iter().enumerate() {
                let field = format!("spec.rules[{i}].backendRefs[{j}]");
                backend_ref(view, report, &route, &grants, backend, &field);
            }
        }
    }
}

fn parent_ref(
    view: &View<'_>,
    report: &mut Report<'_>,
    route: &Object,
    gateways: &[std::sync::Arc<Object>],
    parent: &Value,
    i: usize,
) {
    let kind = parent["kind"].as_str().unwrap_or("Gateway");
    let namespace = parent["namespace"].as_str().unwrap_or(route.namespace());
    let name = text(&parent["name"]);
    let known = match kind {
        "Gateway" => gateways.iter().any(|g| g.namespace() == namespace && g.name() == name),
        "ServiceEntry" => view.entries.iter().any(|e| e.namespace() == namespace && e.name() == name),
        "Service" => view.services.iter().any(|s| s.namespace() == namespace && s.name() == name),
        _ => true,
    };
    if !known {
        let text = format!("There is no {kind} {namespace}/{name} to attach to.");
        report.add(route, &format!("spec.parentRefs[{i}]"), &text, "name a parent that exists, with its namespace");
    }
    if kind == "ServiceEntry" && text(&parent["group"]) != "networking.istio.io" {
        let text = "A ServiceEntry as parent needs its group.";
        report.add(route, &format!("spec.parentRefs[{i}].group"), text, "add group: networking.istio.io");
    }
}

fn backend_ref(
    view: &View<'_>,
    report: &mut Report<'_>,
    route: &Object,
    grants: &[std::sync::Arc<Object>],
    backend: &Value,
    field: &str,
) {
    let kind = backend["kind"].as_str().unwrap_or("Service");
    let name = text(&backend["name"]);
    let namespace = backend["namespace"].as_str().unwrap_or(route.namespace());
    if kind == "Hostname" {
        if text(&backend["group"]) != "networking.istio.io" {
            report.add(
                route,
                &format!("{field}.group"),
                "A Hostname as backend needs its group.",
                "add group: networking.istio.io",
            );
        }
        if view.entries_of(name).is_empty() {
            let text = format!("No ServiceEntry registers {name}.");
            report.add(route, &format!("{field}.name"), &text, "register the host with a ServiceEntry");
        }
    } else if kind == "Service" {
        let external = name.contains('.');
        if external {
            let text = format!("{name} is a host, but a backend of kind Service names a Service.");
            report.add(route, &format!("{field}.kind"), &text, "use kind: Hostname with group: networking.istio.io");
        } else if !view.services.iter().any(|s| s.namespace() == namespace && s.name() == name) {
            let text = format!("There is no Service {namespace}/{name}.");
            report.add(route, &format!("{field}.name"), &text, "name a Service that exists");
        }
    }
    let granted = grants.iter().any(|g| {
        let from = items(g.at(&["spec", "from"]))
            .iter()
            .any(|f| text(&f["namespace"]) == route.namespace() && text(&f["kind"]) == route.kind());
        g.namespace() == namespace && from && items(g.at(&["spec", "to"])).iter().any(|t| text(&t["kind"]) == kind)
    });
    if namespace != route.namespace() && !granted {
        let text = format!("The backend is in namespace {namespace}, and no ReferenceGrant there allows it.");
        report.add(route, &format!("{field}.namespace"), &text, "add a ReferenceGrant in the backend's namespace");
    }
}
