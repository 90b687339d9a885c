//! Who speaks TLS, on which port, and whether it fits.

use super::service_entry::{is_http, is_tls};
use super::view::{View, ZONE, on_mesh, rules};
use super::{Check, Report};
use crate::k8s::Object;
use crate::mesh::analyze::{Level, items, text, texts};
use serde_json::Value;
use std::sync::Arc;

pub const CHECKS: &[Check] = &[
    Check {
        id: "EGL351",
        level: Level::Warning,
        about: "an http rule for a host that has only TLS ports",
        mistakes: &["M34"],
        run: http_rule,
    },
    Check {
        id: "EGL352",
        level: Level::Warning,
        about: "TLS origination on a port that goes to a plain one",
        mistakes: &["M32", "M37"],
        run: no_target_port,
    },
    Check {
        id: "EGL353",
        level: Level::Warning,
        about: "TLS at the top of a DestinationRule whose host has a TLS port",
        mistakes: &["M38", "M36"],
        run: every_port,
    },
    Check {
        id: "EGL354",
        level: Level::Warning,
        about: "TLS origination on a port that clients already speak TLS to",
        mistakes: &["M36"],
        run: double,
    },
    Check {
        id: "EGL355",
        level: Level::Warning,
        about: "HTTP sent to a TLS port without origination",
        mistakes: &["M35", "M37"],
        run: missing_origination,
    },
    Check {
        id: "EGL356",
        level: Level::Info,
        about: "verification against the public authorities, or none",
        mistakes: &["M39"],
        run: verification,
    },
    Check {
        id: "EGL357",
        level: Level::Warning,
        about: "a credential that sidecars cannot fetch",
        mistakes: &["M40"],
        run: credential,
    },
    Check {
        id: "EGL358",
        level: Level::Warning,
        about: "server names that a gateway does not take",
        mistakes: &["M41"],
        run: server_names,
    },
];

fn ports(entry: &Object) -> &[Value] {
    items(entry.at(&["spec", "ports"]))
}

fn protocol(port: &Value) -> String {
    text(&port["protocol"]).to_ascii_uppercase()
}

fn http_rule(view: &View<'_>, report: &mut Report<'_>) {
    for object in view.virtual_services.iter().filter(|v| on_mesh(v)) {
        let gateways = texts(object.at(&["spec", "gateways"]));
        for host in texts(object.at(&["spec", "hosts"])) {
            let entries = view.entries_of(host);
            let mut protocols = entries.iter().flat_map(|e| ports(e)).map(protocol).peekable();
            if protocols.peek().is_none() || !protocols.all(|p| is_tls(&p)) {
                continue;
            }
            for rule in rules(object).into_iter().filter(|r| r.kind == "http" && r.applies_to("mesh", &gateways)) {
                let text = format!("{host} has only TLS ports: the sidecar sees no HTTP there, so this rule never applies.");
                report.add(
                    object,
                    &rule.field,
                    &text,
                    "use a tls rule with sniHosts, or let clients use http and originate TLS at the proxy",
                );
            }
        }
    }
}

/// What a DestinationRule originates TLS for: the field of its tls, and the port (`None`: all).
fn originations(rule: &Object) -> Vec<(String, Option<u64>, &Value)> {
    let policy = rule.at(&["spec", "trafficPolicy"]);
    let starts = |tls: &Value| matches!(text(&tls["mode"]), "SIMPLE" | "MUTUAL");
    let mut found = Vec::new();
    if starts(&policy["tls"]) {
        found.push(("spec.trafficPolicy.tls".to_string(), None, &policy["tls"]));
    }
    for (i, port) in items(&policy["portLevelSettings"]).iter().enumerate().filter(|(_, p)| starts(&p["tls"])) {
        found.push((format!("spec.trafficPolicy.portLevelSettings[{i}].tls"), port["port"]["number"].as_u64(), &port["tls"]));
    }
    for (i, subset) in items(rule.at(&["spec", "subsets"])).iter().enumerate() {
        let policy = &subset["trafficPolicy"];
        if starts(&policy["tls"]) {
            found.push((format!("spec.subsets[{i}].trafficPolicy.tls"), None, &policy["tls"]));
        }
        for (j, port) in items(&policy["portLevelSettings"]).iter().enumerate().filter(|(_, p)| starts(&p["tls"])) {
            let field = format!("spec.subsets[{i}].trafficPolicy.portLevelSettings[{j}].tls");
            found.push((field, port["port"]["number"].as_u64(), &port["tls"]));
        }
    }
    found
}

/// The rules for a host outside the cluster, with its entries.
fn external<'v>(view: &'v View<'_>) -> Vec<(&'v Arc<Object>, Vec<&'v Arc<Object>>)> {
    let of = |rule: &'v Arc<Object>| (rule, view.entries_of(text(rule.at(&["spec", "host"]))));
    view.rules.iter().filter(|r| !text(r.at(&["spec", "host"])).ends_with(ZONE)).map(of).collect()
}

fn no_target_port(view: &View<'_>, report: &mut Report<'_>) {
    for (rule, entries) in external(view) {
        for (field, only, _) in originations(rule) {
            for entry in &entries {
                for (i, port) in ports(entry).iter().enumerate() {
                    let number = port["number"].as_u64();
                    let target = port["targetPort"].as_u64().or_else(|| endpoint_port(entry, port)).or(number);
                    let plain = is_http(&protocol(port)) && only.is_none_or(|p| Some(p) == number) && target == Some(80);
                    if plain {
                        let text =
                            format!("{} opens TLS ({field}), but this port still leads to port 80 of the site.", rule.key());
                        report.add(entry, &format!("spec.ports[{i}].targetPort"), &text, "add targetPort: 443 to the port");
                    }
                }
            }
        }
    }
}

/// The port that the entry's endpoints give for one of its ports.
fn endpoint_port(entry: &Object, port: &Value) -> Option<u64> {
    items(entry.at(&["spec", "endpoints"])).iter().find_map(|e| e["ports"][text(&port["name"])].as_u64())
}

fn every_port(view: &View<'_>, report: &mut Report<'_>) {
    for (rule, entries) in external(view) {
        let top = originations(rule).into_iter().find(|(field, only, _)| only.is_none() && field == "spec.trafficPolicy.tls");
        let Some((field, ..)) = top else { continue };
        for port in entries.iter().flat_map(|e| ports(e)).filter(|p| is_tls(&protocol(p))) {
            let text = format!(
                "This tls is for every port of the host, also for port {} on which clients speak TLS themselves: it would be encrypted twice.",
                port["number"].as_u64().unwrap_or(0)
            );
            report.add(rule, &field, &text, "move it to portLevelSettings of the port that clients reach with http");
        }
    }
}

fn double(view: &View<'_>, report: &mut Report<'_>) {
    for (rule, entries) in external(view) {
        for (field, only, _) in originations(rule).into_iter().filter(|(_, only, _)| only.is_some()) {
            let hit = entries.iter().flat_map(|e| ports(e)).find(|p| p["number"].as_u64() == only && is_tls(&protocol(p)));
            if let Some(port) = hit {
                let text = format!(
                    "Port {} is a {} port, so clients speak TLS there already: the proxy would encrypt it twice.",
                    only.unwrap_or(0),
                    protocol(port)
                );
                report.add(rule, &field, &text, "originate TLS on the port that clients reach with http, or drop this tls");
            }
        }
    }
}

fn missing_origination(view: &View<'_>, report: &mut Report<'_>) {
    let originates = |host: &str, port: Option<u64>| {
        let of_host = view.rules.iter().filter(|r| text(r.at(&["spec", "host"])) == host);
        of_host.into_iter().flat_map(|r| originations(r)).any(|(_, only, _)| only.is_none() || only == port)
    };
    for entry in &view.entries {
        for (i, port) in ports(entry).iter().enumerate().filter(|(_, p)| is_http(&protocol(p))) {
            let number = port["number"].as_u64();
            let target = port["targetPort"].as_u64().or_else(|| endpoint_port(entry, port));
            for host in texts(entry.at(&["spec", "hosts"])) {
                if target == Some(443) && !originates(host, number) {
                    let text = format!(
                        "{host} gets plain HTTP on its port 443: no DestinationRule opens TLS for port {}.",
                        number.unwrap_or(0)
                    );
                    report.add(
                        entry,
                        &format!("spec.ports[{i}].targetPort"),
                        &text,
                        "add a DestinationRule with tls mode SIMPLE for this port",
                    );
                }
            }
        }
    }
    for object in &view.virtual_services {
        for rule in rules(object).into_iter().filter(|r| r.kind == "http") {
            for (destination, field) in rule.destinations() {
                let (host, port) = (text(&destination["host"]), destination["port"]["number"].as_u64());
                let entries = view.entries_of(host);
                let tls = |p: &Value| p["number"].as_u64() == port && is_tls(&protocol(p));
                let known = entries.iter().flat_map(|e| ports(e)).any(tls);
                if known && port.is_some() && !originates(host, port) {
                    let text =
                        format!("This http rule sends plain HTTP to port {} of {host}, which speaks TLS.", port.unwrap_or(0));
                    report.add(
                        object,
                        &format!("{field}.port.number"),
                        &text,
                        "add a DestinationRule with tls mode SIMPLE for that port",
                    );
                }
            }
        }
    }
}

fn verification(view: &View<'_>, report: &mut Report<'_>) {
    for (rule, _) in external(view) {
        for (field, _, tls) in originations(rule) {
            if tls["insecureSkipVerify"] == true {
                let text = "The server's certificate is not verified at all.";
                report.add(rule, &format!("{field}.insecureSkipVerify"), text, "remove it and give the right caCertificates");
            } else if text(&tls["caCertificates"]).is_empty() && text(&tls["credentialName"]).is_empty() {
                let text = "Without caCertificates the server must have a certificate of a public authority for the host that is asked for.";
                report.add(
                    rule,
                    &format!("{field}.caCertificates"),
                    text,
                    "for a private authority give caCertificates or credentialName, and sni",
                );
            }
        }
    }
}

fn credential(view: &View<'_>, report: &mut Report<'_>) {
    let secrets = view.each("", "Secret");
    for (rule, _) in external(view) {
        for (field, _, tls) in originations(rule) {
            let name = text(&tls["credentialName"]);
            if name.is_empty() {
                continue;
            }
            let field = format!("{field}.credentialName");
            let selector = rule.at(&["spec", "workloadSelector"]);
            let gateways: Vec<&Arc<Object>> = view.pods.iter().filter(|p| view.is_gateway(p)).collect();
            if selector.is_null() && view.pods.iter().any(|p| view.has_sidecar(p)) && gateways.is_empty() {
                report.add(
                    rule,
                    &field,
                    "Sidecars fetch a credential only for a rule with a workloadSelector.",
                    "add workloadSelector.matchLabels of the client",
                );
                continue;
            }
            let selected =
                view.pods.iter().filter(|p| !selector.is_null() && crate::mesh::analyze::selects(&selector["matchLabels"], p));
            let users: Vec<&Arc<Object>> = if selector.is_null() { gateways } else { selected.collect() };
            let lacking = users.iter().find(|p| !secrets.iter().any(|s| s.name() == name && s.namespace() == p.namespace()));
            if let Some(pod) = lacking {
                let text = format!(
                    "The Secret {name} is not in namespace {}, where the proxy {} looks for it.",
                    pod.namespace(),
                    pod.key()
                );
                report.add(rule, &field, &text, "create the Secret in the namespace of the proxy that uses it");
            }
        }
    }
}

fn server_names(view: &View<'_>, report: &mut Report<'_>) {
    let matches = |a: &str, b: &str| crate::mesh::validate::overlap(a.rsplit('/').next().unwrap_or(a), b);
    for object in &view.virtual_services {
        for name in super::view::real_gateways(object) {
            let Some(gateway) = view.gateway(object.namespace(), name) else { continue };
            let served: Vec<&str> = items(gateway.at(&["spec", "servers"])).iter().flat_map(|s| texts(&s["hosts"])).collect();
            for rule in rules(object).into_iter().filter(|r| r.kind == "tls") {
                for (i, one) in items(&rule.value["match"]).iter().enumerate() {
                    let here = texts(&one["gateways"]);
                    for (j, sni) in texts(&one["sniHosts"]).into_iter().enumerate() {
                        if (here.is_empty() || here.contains(&name)) && !served.iter().any(|s| matches(s, sni)) {
                            let text = format!("{sni} is no host of {}, so connections with that name end there.", gateway.key());
                            let field = format!("{}.match[{i}].sniHosts[{j}]", rule.field);
                            report.add(object, &field, &text, "name the same hosts in sniHosts and in the Gateway's servers");
                        }
                    }
                }
            }
        }
    }
    for rule in &view.rules {
        let host = text(rule.at(&["spec", "host"]));
        let Some(service) = view.service(rule.namespace(), host).filter(|_| view.to_gateway(rule.namespace(), host)) else {
            continue;
        };
        let pods = view.behind(service);
        let of_pods = |g: &&Arc<Object>| pods.iter().any(|p| crate::mesh::analyze::selects(g.at(&["spec", "selector"]), p));
        let served: Vec<&str> = view
            .gateways
            .iter()
            .filter(of_pods)
            .flat_map(|g| items(g.at(&["spec", "servers"])))
            .flat_map(|s| texts(&s["hosts"]))
            .collect();
        for (field, sni) in snis(rule) {
            if !served.is_empty() && !served.iter().any(|s| matches(s, sni)) {
                let text = format!("{sni} is the name that sidecars send, but no server of the gateway has that host.");
                report.add(rule, &field, &text, "use a host of the Gateway's server as sni");
            }
        }
    }
}

/// Fields and values of every sni of a rule.
fn snis(rule: &Object) -> Vec<(String, &str)> {
    let policies = items(rule.at(&["spec", "subsets"])).iter().enumerate();
    let policies = policies.map(|(i, subset)| (format!("spec.subsets[{i}].trafficPolicy"), &subset["trafficPolicy"]));
    let top = ("spec.trafficPolicy".to_string(), rule.at(&["spec", "trafficPolicy"]));
    let mut found = Vec::new();
    for (prefix, policy) in std::iter::once(top).chain(policies) {
        found.push((format!("{prefix}.tls.sni"), text(&policy["tls"]["sni"])));
        for (i, port) in items(&policy["portLevelSettings"]).iter().enumerate() {
            found.push((format!("{prefix}.portLevelSettings[{i}].tls.sni"), text(&port["tls"]["sni"])));
        }
    }
    found.retain(|(_, sni)| !sni.is_empty());
    found
}
