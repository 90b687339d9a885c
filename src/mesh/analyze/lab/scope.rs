//! Who sees what: exportTo, Sidecars, discovery selectors.

use super::view::{View, ZONE, on_mesh, real_gateways, rules};
use super::{Check, Report};
use crate::k8s::Object;
use crate::mesh::analyze::{Level, items, selector_fits, text, texts};
use std::collections::BTreeSet;

pub const CHECKS: &[Check] = &[
    Check {
        id: "EGL501",
        level: Level::Warning,
        about: "an exportTo that leaves out who needs it",
        mistakes: &["M30", "M53"],
        run: not_exported,
    },
    Check {
        id: "EGL502",
        level: Level::Warning,
        about: "a Sidecar whose hosts leave out a registered one",
        mistakes: &["M63"],
        run: hidden_hosts,
    },
    Check {
        id: "EGL503",
        level: Level::Warning,
        about: "a Sidecar that leaves out the gateway its namespace is sent to",
        mistakes: &["M64"],
        run: hidden_gateway,
    },
    Check {
        id: "EGL504",
        level: Level::Info,
        about: "a Sidecar's hosts that block nothing because unregistered hosts are let out",
        mistakes: &["M66"],
        run: blocks_nothing,
    },
    Check {
        id: "EGL505",
        level: Level::Info,
        about: "an object that is in force in every namespace",
        mistakes: &["M67"],
        run: for_everyone,
    },
    Check {
        id: "EGL506",
        level: Level::Warning,
        about: "a namespace that discovery selectors leave out",
        mistakes: &["M68"],
        run: not_discovered,
    },
    Check {
        id: "EGL507",
        level: Level::Error,
        about: "several Sidecars without selector in a namespace",
        mistakes: &["M65"],
        run: several,
    },
];

/// Namespaces with a proxy.
fn namespaces(view: &View<'_>) -> BTreeSet<String> {
    view.pods.iter().filter(|p| view.has_sidecar(p)).map(|p| p.namespace().to_string()).collect()
}

fn not_exported(view: &View<'_>, report: &mut Report<'_>) {
    let clients = namespaces(view);
    for entry in &view.entries {
        for host in texts(entry.at(&["spec", "hosts"])) {
            for object in view.virtual_services.iter().filter(|v| !real_gateways(v).is_empty()) {
                let named = texts(object.at(&["spec", "hosts"])).into_iter().any(|h| crate::mesh::validate::overlap(h, host));
                let pods = real_gateways(object)
                    .into_iter()
                    .filter_map(|g| view.gateway(object.namespace(), g))
                    .flat_map(|g| view.pods_of(g));
                let lacking: BTreeSet<&str> = pods.map(|p| p.namespace()).filter(|ns| !view.exported(entry, ns)).collect();
                for ns in lacking.into_iter().filter(|_| named) {
                    let text = format!(
                        "{host} is not exported to namespace {ns}, where the gateway of {} runs: it has no cluster for it.",
                        object.key()
                    );
                    report.add(entry, "spec.exportTo", &text, &format!("add {ns} to exportTo, or export to *"));
                }
            }
        }
        let hidden: Vec<&String> = clients.iter().filter(|ns| !view.exported(entry, ns)).collect();
        if !hidden.is_empty() && hidden.len() < clients.len() + 1 {
            let names = hidden.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(", ");
            let text = format!("Pods with sidecars in {names} do not see this entry.");
            report.add(entry, "spec.exportTo", &text, "export it to the namespaces of the clients and of the gateway");
        }
    }
    for object in view.virtual_services.iter().filter(|v| on_mesh(v) && !items(v.at(&["spec", "exportTo"])).is_empty()) {
        let hidden: Vec<&str> = clients.iter().map(String::as_str).filter(|ns| !view.exported(object, ns)).collect();
        if !hidden.is_empty() {
            let text = format!("Sidecars in {} do not see this VirtualService.", hidden.join(", "));
            report.add(object, "spec.exportTo", &text, "export it to the namespaces of the clients");
        }
    }
}

/// Whether a Sidecar's egress hosts let a namespace's proxy see a host of another namespace.
fn sees(sidecar: &Object, namespace: &str, host: &str) -> bool {
    let egress = items(sidecar.at(&["spec", "egress"]));
    egress.is_empty()
        || egress.iter().flat_map(|e| texts(&e["hosts"])).any(|entry| {
            let (ns, name) = entry.split_once('/').unwrap_or(("", entry));
            let place = match ns {
                "*" => true,
                "." => sidecar.namespace() == namespace,
                ns => ns == namespace,
            };
            place && (name == "*" || crate::mesh::validate::overlap(name, host))
        })
}

/// Where a Sidecar says what its proxies see.
const EGRESS: &str = "spec.egress[0].hosts";

fn hidden_hosts(view: &View<'_>, report: &mut Report<'_>) {
    for sidecar in view.sidecars.iter().filter(|s| !items(s.at(&["spec", "egress"])).is_empty()) {
        for entry in view.entries.iter().filter(|e| view.exported(e, sidecar.namespace())) {
            for host in texts(entry.at(&["spec", "hosts"])) {
                if !sees(sidecar, entry.namespace(), host) {
                    let text = format!(
                        "{host} of {} is not among the hosts, so it is unregistered for the proxies of this Sidecar.",
                        entry.key()
                    );
                    let next = format!("add \"{}/{host}\" (or \"./*\" for the own namespace)", entry.namespace());
                    report.add(sidecar, EGRESS, &text, &next);
                }
            }
        }
    }
}

fn hidden_gateway(view: &View<'_>, report: &mut Report<'_>) {
    for sidecar in view.sidecars.iter().filter(|s| !items(s.at(&["spec", "egress"])).is_empty()) {
        let mut told = BTreeSet::new();
        for object in view.virtual_services.iter().filter(|v| on_mesh(v) && view.exported(v, sidecar.namespace())) {
            let listed = texts(object.at(&["spec", "gateways"]));
            for rule in rules(object).into_iter().filter(|r| r.applies_to("mesh", &listed)) {
                let host = rule.first_host().to_string();
                let (ns, _) = crate::mesh::analyze::hosts::name_of(object.namespace(), &host);
                let gateway = host.ends_with(ZONE) && (view.to_gateway(object.namespace(), &host) || host.contains("gateway"));
                if gateway && !sees(sidecar, &ns, &host) && told.insert(host.clone()) {
                    let text =
                        format!("{} sends to {host}, which the proxies of this Sidecar do not see (503 NC).", object.key());
                    report.add(sidecar, EGRESS, &text, &format!("add \"{ns}/*\" or \"{ns}/{host}\""));
                }
            }
        }
    }
}

fn blocks_nothing(view: &View<'_>, report: &mut Report<'_>) {
    for sidecar in &view.sidecars {
        let mode = sidecar.at(&["spec", "outboundTrafficPolicy"]);
        if view.allows_any() && mode.is_null() && !items(sidecar.at(&["spec", "egress"])).is_empty() {
            let text =
                "Hosts that are not listed are unregistered, not blocked: the mesh lets unregistered hosts out (ALLOW_ANY).";
            report.add(sidecar, "spec.outboundTrafficPolicy.mode", text, "add outboundTrafficPolicy.mode: REGISTRY_ONLY");
        }
    }
}

fn for_everyone(view: &View<'_>, report: &mut Report<'_>) {
    let several = namespaces(view).len() > 1;
    let rules = view.rules.iter().filter(|r| {
        let host = text(r.at(&["spec", "host"]));
        !host.ends_with(ZONE) && host.contains('.')
    });
    let objects = view.virtual_services.iter().filter(|v| on_mesh(v)).chain(rules).chain(&view.entries);
    for object in objects.filter(|o| several && o.namespace() != view.root() && items(o.at(&["spec", "exportTo"])).is_empty()) {
        let text = "Without exportTo it is in force in every namespace, those of others too.";
        report.add(
            object,
            "spec.exportTo",
            text,
            "set exportTo: [\".\", \"istio-system\"] if it is only for this namespace and the gateway",
        );
    }
}

fn not_discovered(view: &View<'_>, report: &mut Report<'_>) {
    let selectors = items(view.mesh().get("discoverySelectors").unwrap_or(&serde_json::Value::Null));
    for namespace in view.namespaces.iter().filter(|_| !selectors.is_empty()) {
        if !selectors.iter().any(|s| selector_fits(s, &namespace.labels())) {
            let text = format!(
                "discoverySelectors leave out namespace {}: istiod knows none of its services, pods and rules.",
                namespace.name()
            );
            report.add(
                &view.mesh_map(),
                "data.mesh discoverySelectors",
                &text,
                &format!("label namespace {} as a selector wants it", namespace.name()),
            );
        }
    }
}

fn several(view: &View<'_>, report: &mut Report<'_>) {
    let plain = |s: &Object| s.at(&["spec", "workloadSelector", "labels"]).as_object().is_none_or(serde_json::Map::is_empty);
    for sidecar in view.sidecars.iter().filter(|s| plain(s)) {
        let others: Vec<String> = view
            .sidecars
            .iter()
            .filter(|o| plain(o) && o.namespace() == sidecar.namespace() && o.key() != sidecar.key())
            .map(|o| o.key().to_string())
            .collect();
        if !others.is_empty() {
            let text = format!("{} is for the whole namespace too: which one is in force is not defined.", others.join(", "));
            report.add(sidecar, "spec.workloadSelector", &text, "keep one Sidecar without workloadSelector in the namespace");
        }
    }
}
