//! ServiceEntries: what they name, on which ports, as what, and where to.

use super::mesh::near;
use super::view::{View, real_gateways, rules};
use super::{Check, Report};
use crate::k8s::Object;
use crate::mesh::analyze::{Level, items, text, texts};
use crate::outside::Outside;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub const CHECKS: &[Check] = &[
    Check {
        id: "EGL301",
        level: Level::Warning,
        about: "a host within two letters of another that is meant",
        mistakes: &["M17"],
        run: misspelt,
    },
    Check {
        id: "EGL302",
        level: Level::Info,
        about: "a domain without its www, or the other way round",
        mistakes: &["M17"],
        run: bare_domain,
    },
    Check { id: "EGL303", level: Level::Info, about: "port 80 without 443", mistakes: &["M18"], run: only_http },
    Check { id: "EGL304", level: Level::Info, about: "port 443 without 80", mistakes: &["M19"], run: only_https },
    Check {
        id: "EGL305",
        level: Level::Warning,
        about: "TCP without addresses on a port that others use",
        mistakes: &["M20"],
        run: tcp_on_http,
    },
    Check { id: "EGL306", level: Level::Warning, about: "HTTP on port 443", mistakes: &["M21"], run: http_on_tls },
    Check {
        id: "EGL307",
        level: Level::Warning,
        about: "two TCP entries on one port without addresses",
        mistakes: &["M22"],
        run: tcp_twice,
    },
    Check { id: "EGL308", level: Level::Info, about: "a wildcard host", mistakes: &["M24"], run: wildcard },
    Check { id: "EGL309", level: Level::Warning, about: "STATIC without endpoints", mistakes: &["M25"], run: no_endpoints },
    Check {
        id: "EGL310",
        level: Level::Warning,
        about: "an entry without resolution behind a gateway",
        mistakes: &["M27", "M31"],
        run: unresolved_behind_gateway,
    },
    Check { id: "EGL311", level: Level::Info, about: "no resolution given", mistakes: &["M31"], run: unresolved },
    Check { id: "EGL312", level: Level::Warning, about: "one host in several entries", mistakes: &["M29"], run: same_host },
    Check {
        id: "EGL313",
        level: Level::Warning,
        about: "a port whose name says a protocol that it does not have",
        mistakes: &["M33"],
        run: protocol_by_name,
    },
];

fn hosts(entry: &Object) -> Vec<&str> {
    texts(entry.at(&["spec", "hosts"]))
}

/// Ports with their field.
fn ports(entry: &Object) -> impl Iterator<Item = (&Value, String)> {
    items(entry.at(&["spec", "ports"])).iter().enumerate().map(|(i, p)| (p, format!("spec.ports[{i}]")))
}

fn number(port: &Value) -> u64 {
    port["number"].as_u64().unwrap_or(0)
}

fn protocol(port: &Value) -> String {
    text(&port["protocol"]).to_ascii_uppercase()
}

pub fn is_http(protocol: &str) -> bool {
    matches!(protocol, "HTTP" | "HTTP2" | "GRPC" | "GRPC-WEB" | "HTTP_PROXY")
}

pub fn is_tls(protocol: &str) -> bool {
    matches!(protocol, "HTTPS" | "TLS")
}

fn is_tcp(protocol: &str) -> bool {
    matches!(protocol, "" | "TCP" | "MONGO" | "REDIS" | "MYSQL")
}

/// Hosts that people mean: those of rules and gateways outside the cluster, and the sites that the lab knows.
fn meant(view: &View<'_>) -> BTreeSet<String> {
    let servers = view.gateways.iter().flat_map(|g| items(g.at(&["spec", "servers"])));
    let served = servers.flat_map(|s| texts(&s["hosts"])).map(|h| h.rsplit('/').next().unwrap_or(h));
    let ruled = view.virtual_services.iter().flat_map(|v| texts(v.at(&["spec", "hosts"])));
    let written = served.chain(ruled).filter(|h| h.contains('.') && !h.ends_with("cluster.local")).map(str::to_lowercase);
    written.chain(Outside::standard().names().into_iter().map(|(name, _)| name)).filter(|h| !h.contains('*')).collect()
}

fn misspelt(view: &View<'_>, report: &mut Report<'_>) {
    let meant = meant(view);
    for entry in &view.entries {
        for (i, host) in hosts(entry).into_iter().enumerate().filter(|(_, h)| !h.contains('*') && h.contains('.')) {
            let host = host.to_lowercase();
            let other = meant.iter().find(|m| **m != host && near(m, &host) && first_label(m) == first_label(&host));
            if let Some(other) = other.filter(|_| !meant.contains(&host)) {
                let text = format!("{host} is registered, but {other} is what the rules, the gateways or the lab's world name.");
                report.add(
                    entry,
                    &format!("spec.hosts[{i}]"),
                    &text,
                    "correct the letters: a host must be the very name that clients ask for",
                );
            }
        }
    }
    for rule in &view.virtual_services {
        for (i, host) in
            texts(rule.at(&["spec", "hosts"])).into_iter().enumerate().filter(|(_, h)| !h.contains('*') && h.contains('.'))
        {
            let external = !host.ends_with("cluster.local") && view.entries_of(host).is_empty();
            let registered = view.entries.iter().flat_map(|e| hosts(e));
            let other = registered.into_iter().find(|h| near(h, host) && *h != host);
            if let Some(other) = other.filter(|_| external) {
                let text = format!("{host} is registered by no ServiceEntry; {other} is.");
                report.add(rule, &format!("spec.hosts[{i}]"), &text, "use the same name in the ServiceEntry and in the rule");
            }
        }
    }
}

/// `en` and `de` of two languages are near, and both meant.
fn first_label(host: &str) -> &str {
    let first = host.split('.').next().unwrap_or("");
    if first.len() <= 3 { first } else { "" }
}

fn bare_domain(view: &View<'_>, report: &mut Report<'_>) {
    let all: BTreeSet<&str> = view.entries.iter().flat_map(|e| hosts(e)).collect();
    for entry in &view.entries {
        for (i, host) in hosts(entry).into_iter().enumerate() {
            let labels = host.split('.').count();
            let twin = match host.strip_prefix("www.") {
                Some(_) => continue,
                None if labels == 2 && !host.contains('*') => format!("www.{host}"),
                None => continue,
            };
            let covered =
                all.contains(twin.as_str()) || all.iter().any(|h| h.strip_prefix('*').is_some_and(|s| twin.ends_with(s)));
            if !covered {
                let text = format!("{host} is that one name: {twin} and other names below it are not registered by it.");
                report.add(entry, &format!("spec.hosts[{i}]"), &text, "register every name that clients ask for, or a wildcard");
            }
        }
    }
}

fn only_http(view: &View<'_>, report: &mut Report<'_>) {
    for entry in &view.entries {
        let numbers: Vec<u64> = ports(entry).map(|(p, _)| number(p)).collect();
        let turned = ports(entry).any(|(p, _)| number(p) == 80 && p["targetPort"].as_u64() == Some(443));
        if numbers.contains(&80) && !numbers.contains(&443) && !turned && !elsewhere(view, entry, 443) {
            let text = "Only port 80 is registered: a site that redirects to https needs port 443 too.";
            report.add(entry, "spec.ports", text, "add port 443 with protocol TLS or HTTPS, or originate TLS at the proxy");
        }
    }
}

fn only_https(view: &View<'_>, report: &mut Report<'_>) {
    for entry in &view.entries {
        let numbers: Vec<u64> = ports(entry).map(|(p, _)| number(p)).collect();
        if numbers.contains(&443) && !numbers.contains(&80) && !elsewhere(view, entry, 80) {
            let text = "Only port 443 is registered: http:// to this host is to an unknown one.";
            report.add(entry, "spec.ports", text, "add port 80 with protocol HTTP if clients use http://");
        }
    }
}

/// Whether another entry of the first host has the port.
fn elsewhere(view: &View<'_>, entry: &Object, port: u64) -> bool {
    let first = hosts(entry).first().copied().unwrap_or("").to_string();
    let others = view.entries.iter().filter(|e| e.key() != entry.key() && hosts(e).contains(&first.as_str()));
    others.into_iter().any(|e| ports(e).any(|(p, _)| number(p) == port))
}

fn tcp_on_http(view: &View<'_>, report: &mut Report<'_>) {
    for entry in view.entries.iter().filter(|e| texts(e.at(&["spec", "addresses"])).is_empty()) {
        for (port, field) in ports(entry).filter(|(p, _)| is_tcp(&protocol(p)) && matches!(number(p), 80 | 443)) {
            let given = protocol(port);
            let name = if given.is_empty() { "no protocol".to_string() } else { format!("protocol {given}") };
            let text = format!(
                "Port {} has {name} and the entry no addresses, so it takes whatever goes to that port, of other hosts too.",
                number(port)
            );
            let right = if number(port) == 80 { "HTTP" } else { "TLS or HTTPS" };
            report.add(entry, &format!("{field}.protocol"), &text, &format!("use protocol {right}, or give the entry addresses"));
        }
    }
}

fn http_on_tls(view: &View<'_>, report: &mut Report<'_>) {
    for entry in &view.entries {
        for (port, field) in ports(entry).filter(|(p, _)| is_http(&protocol(p)) && number(p) == 443) {
            let text = format!(
                "Protocol {} on port 443 makes an HTTP listener there: clients that speak TLS end in it, those of other hosts too.",
                protocol(port)
            );
            report.add(
                entry,
                &format!("{field}.protocol"),
                &text,
                "use protocol TLS or HTTPS; for TLS origination take port 80 with targetPort 443",
            );
        }
    }
}

fn tcp_twice(view: &View<'_>, report: &mut Report<'_>) {
    let mut by_port: BTreeMap<u64, Vec<(&Object, String)>> = BTreeMap::new();
    for entry in view.entries.iter().filter(|e| texts(e.at(&["spec", "addresses"])).is_empty()) {
        for (port, field) in ports(entry).filter(|(p, _)| is_tcp(&protocol(p))) {
            by_port.entry(number(port)).or_default().push((entry, field));
        }
    }
    for (port, list) in by_port.iter().filter(|(_, list)| list.len() > 1) {
        for (entry, field) in list {
            let others: Vec<String> =
                list.iter().filter(|(o, _)| o.key() != entry.key()).map(|(o, _)| o.key().to_string()).collect();
            if others.is_empty() {
                continue;
            }
            let text =
                format!("TCP has only port and address: port {port} without addresses is also that of {}.", others.join(", "));
            report.add(entry, field, &text, "give both entries addresses, or turn on DNS capture with address allocation");
        }
    }
}

fn wildcard(view: &View<'_>, report: &mut Report<'_>) {
    for entry in &view.entries {
        for (i, host) in hosts(entry).into_iter().enumerate().filter(|(_, h)| h.starts_with('*')) {
            let free = matches!(text(entry.at(&["spec", "resolution"])), "" | "NONE");
            let more = if free { " With resolution NONE the client also chooses the address." } else { "" };
            let text = format!("{host} lets every name below it through, at any depth.{more}");
            report.add(entry, &format!("spec.hosts[{i}]"), &text, "list the exact hosts if only some are meant");
        }
    }
}

fn no_endpoints(view: &View<'_>, report: &mut Report<'_>) {
    for entry in view.entries.iter().filter(|e| text(e.at(&["spec", "resolution"])) == "STATIC") {
        let spec = entry.spec();
        let selector = &spec["workloadSelector"]["labels"];
        let selected = || {
            let workloads = view.each("networking.istio.io", "WorkloadEntry");
            let here = |o: &Object| o.namespace() == entry.namespace();
            let pods = view.pods.iter().filter(|p| here(p)).any(|p| crate::mesh::analyze::selects(selector, p));
            let fits = |w: &Object| {
                let labels = crate::k8s::object::strings(w.at(&["spec", "labels"]));
                crate::k8s::object::strings(selector).iter().all(|(k, v)| labels.get(k) == Some(v))
            };
            pods || workloads.iter().any(|w| here(w) && fits(w))
        };
        if items(&spec["endpoints"]).is_empty() && (selector.is_null() || !selected()) {
            let field = if selector.is_null() { "spec.endpoints" } else { "spec.workloadSelector" };
            report.add(
                entry,
                field,
                "Resolution STATIC has no endpoint to send to: requests end 503 UH.",
                "add endpoints, or use resolution DNS",
            );
        }
    }
}

fn none(entry: &Object) -> bool {
    matches!(text(entry.at(&["spec", "resolution"])), "" | "NONE")
}

fn unresolved_behind_gateway(view: &View<'_>, report: &mut Report<'_>) {
    for object in view.virtual_services.iter().filter(|v| !real_gateways(v).is_empty()) {
        let gateways = texts(object.at(&["spec", "gateways"]));
        for rule in rules(object) {
            if !real_gateways(object).iter().any(|g| rule.applies_to(g, &gateways)) {
                continue;
            }
            for (destination, _) in rule.destinations() {
                for entry in view.entries_of(text(&destination["host"])).into_iter().filter(|e| none(e)).take(1) {
                    let absent = entry.at(&["spec", "resolution"]).is_null();
                    let how = if absent { "No resolution is given, which means NONE" } else { "Resolution is NONE" };
                    let text = format!(
                        "{how}, and {} sends this host on from a gateway: there the original destination is the gateway itself.",
                        object.key()
                    );
                    report.add(entry, "spec.resolution", &text, "use resolution DNS (or STATIC with endpoints)");
                }
            }
        }
    }
}

fn unresolved(view: &View<'_>, report: &mut Report<'_>) {
    for entry in view.entries.iter().filter(|e| e.at(&["spec", "resolution"]).is_null()) {
        if hosts(entry).iter().any(|h| !h.starts_with('*')) {
            let text = "No resolution is given, which means NONE: the proxy goes to whatever address the client dials.";
            report.add(entry, "spec.resolution", text, "write resolution: DNS for a host that has an address");
        }
    }
}

fn same_host(view: &View<'_>, report: &mut Report<'_>) {
    let mut by_host: BTreeMap<String, Vec<&Object>> = BTreeMap::new();
    for entry in &view.entries {
        let own: BTreeSet<String> = hosts(entry).into_iter().map(str::to_lowercase).collect();
        own.into_iter().for_each(|host| by_host.entry(host).or_default().push(entry));
    }
    for (host, list) in by_host.iter().filter(|(_, list)| list.len() > 1) {
        for entry in list {
            let others: Vec<String> = list.iter().filter(|o| o.key() != entry.key()).map(|o| o.key().to_string()).collect();
            let text =
                format!("{host} is also a host of {}: the oldest entry decides what both say of one port.", others.join(", "));
            report.add(entry, "spec.hosts", &text, "keep one ServiceEntry for each host");
        }
    }
}

fn protocol_by_name(view: &View<'_>, report: &mut Report<'_>) {
    for entry in &view.entries {
        for (port, field) in ports(entry).filter(|(p, _)| p["protocol"].is_null()) {
            let name = text(&port["name"]).to_ascii_lowercase();
            let first = name.split('-').next().unwrap_or("");
            if matches!(first, "http" | "https" | "http2" | "tls" | "grpc") {
                let text = format!(
                    "The port's name {name:?} says a protocol, but a ServiceEntry reads only the field protocol: it is TCP or detected."
                );
                let next = format!("write protocol: {}", first.to_ascii_uppercase());
                report.add(entry, &format!("{field}.protocol"), &text, &next);
            }
        }
    }
}
