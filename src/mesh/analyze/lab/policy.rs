//! Authorization policies about what leaves the mesh.

use super::view::View;
use super::{Check, Report};
use crate::k8s::Object;
use crate::mesh::analyze::{Level, items, selects, text, texts};
use serde_json::Value;
use std::sync::Arc;

pub const CHECKS: &[Check] = &[
    Check {
        id: "EGL601",
        level: Level::Warning,
        about: "a policy about outside hosts that no gateway enforces",
        mistakes: &["M72"],
        run: at_clients,
    },
    Check {
        id: "EGL602",
        level: Level::Warning,
        about: "identities asked for where no mTLS brings any",
        mistakes: &["M73"],
        run: without_identity,
    },
    Check {
        id: "EGL603",
        level: Level::Warning,
        about: "HTTP attributes where only TLS passes through",
        mistakes: &["M74"],
        run: http_on_passthrough,
    },
    Check {
        id: "EGL604",
        level: Level::Warning,
        about: "a policy whose selector fits no pod of its namespace",
        mistakes: &["M74"],
        run: selects_nobody,
    },
];

fn policies(view: &View<'_>) -> Vec<Arc<Object>> {
    view.each("security.istio.io", "AuthorizationPolicy")
}

/// The pods that a policy is enforced at.
fn pods<'v>(view: &'v View<'_>, policy: &Object) -> Vec<&'v Arc<Object>> {
    let labels = policy.at(&["spec", "selector", "matchLabels"]);
    let here = |p: &&Arc<Object>| policy.namespace() == view.root() && labels.is_null() || p.namespace() == policy.namespace();
    view.pods.iter().filter(here).filter(|p| selects(labels, p)).collect()
}

/// Hosts that a rule names: fields and values.
fn named(policy: &Object) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (i, rule) in items(policy.at(&["spec", "rules"])).iter().enumerate() {
        for (j, to) in items(&rule["to"]).iter().enumerate() {
            for field in ["hosts", "notHosts"] {
                let values = texts(&to["operation"][field]);
                found.extend(values.into_iter().map(|h| (format!("spec.rules[{i}].to[{j}].operation.{field}"), h.to_string())));
            }
        }
        for (j, when) in items(&rule["when"]).iter().enumerate().filter(|(_, w)| text(&w["key"]) == "connection.sni") {
            let values = texts(&when["values"]).into_iter().chain(texts(&when["notValues"]));
            found.extend(values.map(|h| (format!("spec.rules[{i}].when[{j}]"), h.to_string())));
        }
    }
    found
}

fn at_clients(view: &View<'_>, report: &mut Report<'_>) {
    for policy in policies(view) {
        let selected = pods(view, &policy);
        if selected.is_empty() || selected.iter().any(|p| view.is_gateway(p)) {
            continue;
        }
        let external = named(&policy).into_iter().find(|(_, host)| {
            let bare = host.split(':').next().unwrap_or(host);
            !view.entries_of(bare).is_empty() || bare.contains('.') && !bare.ends_with("cluster.local")
        });
        if let Some((field, host)) = external {
            let text = format!(
                "{host} is outside, but a sidecar applies policies only to what comes in: the calls of these pods are not affected."
            );
            report.add(&policy, &field, &text, "put the policy into the gateway's namespace with a selector of its pods");
            report.add(&policy, "spec.selector", &text, "select the egress gateway's pods, in their namespace");
        }
    }
}

/// The servers of Gateways at some pods.
fn servers<'v>(view: &'v View<'_>, pods: &[&Arc<Object>]) -> Vec<&'v Value> {
    let at = |g: &&Arc<Object>| pods.iter().any(|p| selects(g.at(&["spec", "selector"]), p));
    view.gateways.iter().filter(at).flat_map(|g| items(g.at(&["spec", "servers"]))).collect()
}

fn without_identity(view: &View<'_>, report: &mut Report<'_>) {
    for policy in policies(view) {
        let selected: Vec<&Arc<Object>> = pods(view, &policy).into_iter().filter(|p| view.is_gateway(p)).collect();
        let servers = servers(view, &selected);
        let plain: Vec<u64> = servers
            .iter()
            .filter(|s| text(&s["tls"]["mode"]) != "ISTIO_MUTUAL")
            .filter_map(|s| s["port"]["number"].as_u64())
            .collect();
        if selected.is_empty() || plain.is_empty() {
            continue;
        }
        let ports = plain.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
        let why =
            format!("The gateway's servers on {ports} take no mTLS (ISTIO_MUTUAL), so they know no identity of the client.");
        let next = "use tls mode ISTIO_MUTUAL in the Gateway's server and in the DestinationRule to it";
        let identities = [
            "principals",
            "notPrincipals",
            "namespaces",
            "notNamespaces",
            "serviceAccounts",
            "notServiceAccounts",
            "trustDomains",
        ];
        for (i, rule) in items(policy.at(&["spec", "rules"])).iter().enumerate() {
            for (j, from) in items(&rule["from"]).iter().enumerate() {
                for field in identities.iter().filter(|f| !items(&from["source"][**f]).is_empty()) {
                    report.add(&policy, &format!("spec.rules[{i}].from[{j}].source.{field}"), &why, next);
                }
            }
            for (j, when) in items(&rule["when"]).iter().enumerate() {
                if matches!(
                    text(&when["key"]),
                    "source.principal" | "source.namespace" | "source.serviceAccount" | "source.trustDomain"
                ) {
                    report.add(&policy, &format!("spec.rules[{i}].when[{j}].key"), &why, next);
                }
            }
        }
    }
}

fn http_on_passthrough(view: &View<'_>, report: &mut Report<'_>) {
    for policy in policies(view) {
        let selected: Vec<&Arc<Object>> = pods(view, &policy).into_iter().filter(|p| view.is_gateway(p)).collect();
        let servers = servers(view, &selected);
        let passes = |s: &&&Value| matches!(text(&s["tls"]["mode"]), "PASSTHROUGH" | "AUTO_PASSTHROUGH");
        let Some(server) = servers.iter().find(passes) else { continue };
        let port = server["port"]["number"].as_u64().unwrap_or(0);
        for (i, rule) in items(policy.at(&["spec", "rules"])).iter().enumerate() {
            for (j, to) in items(&rule["to"]).iter().enumerate() {
                for field in ["hosts", "methods", "paths", "notHosts", "notMethods", "notPaths"] {
                    let limited = items(&to["operation"]["ports"]);
                    let elsewhere = !limited.is_empty() && !limited.iter().any(|p| text(p) == port.to_string());
                    if !items(&to["operation"][field]).is_empty() && !elsewhere {
                        let text = format!(
                            "TLS passes through port {port}: the gateway sees no {field} there, an ALLOW never fits and a DENY denies all."
                        );
                        let place = format!("spec.rules[{i}].to[{j}].operation.{field}");
                        report.add(
                            &policy,
                            &place,
                            &text,
                            "use when with key connection.sni for TLS that passes through, or limit the rule to other ports",
                        );
                    }
                }
            }
        }
    }
}

fn selects_nobody(view: &View<'_>, report: &mut Report<'_>) {
    for policy in policies(view) {
        let labels = policy.at(&["spec", "selector", "matchLabels"]);
        if labels.is_null() || !pods(view, &policy).is_empty() {
            continue;
        }
        if let Some(pod) = view.pods.iter().find(|p| selects(labels, p)) {
            let text =
                format!("No pod of namespace {} has these labels; {} has, in another namespace.", policy.namespace(), pod.key());
            report.add(&policy, "metadata.namespace", &text, &format!("put the policy into namespace {}", pod.namespace()));
        } else {
            let text = format!("No pod of namespace {} has these labels, so the policy is enforced nowhere.", policy.namespace());
            report.add(&policy, "spec.selector.matchLabels", &text, "copy the labels of the gateway's pods");
        }
    }
}
