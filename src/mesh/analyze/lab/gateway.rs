//! The way through an egress gateway: rules at the sidecar and at the gateway, the Gateway's servers, the DestinationRule between.

use super::service_entry::{is_http, is_tls};
use super::view::{Rule, View, ZONE, on_mesh, real_gateways, rules};
use super::{Check, Report};
use crate::k8s::Object;
use crate::mesh::analyze::{Level, hosts, items, selects, text, texts};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

const fn check(
    id: &'static str,
    about: &'static str,
    mistakes: &'static [&'static str],
    run: fn(&View<'_>, &mut Report<'_>),
) -> Check {
    Check { id, level: Level::Warning, about, mistakes, run }
}

pub const CHECKS: &[Check] = &[
    check("EGL401", "a VirtualService for an egress gateway that no sidecar reads", &["M42"], no_mesh),
    check("EGL402", "a rule that sends to a gateway which has no route for the host", &["M43", "M48"], no_gateway_rule),
    check("EGL403", "a gateway's name without its namespace", &["M44"], short_gateway),
    check("EGL404", "a rule to the gateway that also applies at the gateway", &["M45"], to_itself),
    check("EGL405", "a gateway that serves nothing on the port it is sent to", &["M46", "M47", "M49"], not_listening),
    check("EGL406", "a destination's short name that means a service of another namespace", &["M52"], short_destination),
    check("EGL407", "a DestinationRule where the client's proxy does not look", &["M50"], rule_elsewhere),
    check("EGL408", "several DestinationRules for one host", &["M51"], shadowed),
    check("EGL409", "a rule of another kind than the gateway's server", &["M54"], wrong_kind),
    check("EGL410", "two ends of the way to the gateway that disagree about mTLS", &["M57"], mtls),
    check("EGL411", "an object about a host that nobody registers", &["M58", "M53"], left_over),
    check("EGL412", "a match on a port that clients do not use", &["M49"], wrong_port),
    check("EGL413", "an egress gateway that is not installed", &["M06"], not_installed),
];

/// Whether a host is one outside the cluster.
fn is_external(host: &str) -> bool {
    host.contains('.') && !host.ends_with(ZONE)
}

/// The rules of the mesh that send to a gateway's Service.
fn to_gateways<'v>(view: &View<'_>, object: &'v Object) -> Vec<(Rule<'v>, String, &'v Value)> {
    let gateways = texts(object.at(&["spec", "gateways"]));
    let mut found = Vec::new();
    for rule in rules(object).into_iter().filter(|r| r.applies_to("mesh", &gateways)) {
        let first = items(&rule.value["route"]).first().map(|r| &r["destination"]);
        if let Some(destination) = first.filter(|d| view.to_gateway(object.namespace(), text(&d["host"]))) {
            let field = format!("{}.route[0].destination", rule.field);
            found.push((rule, field, destination));
        }
    }
    found
}

fn no_mesh(view: &View<'_>, report: &mut Report<'_>) {
    for object in view.virtual_services.iter().filter(|v| !real_gateways(v).is_empty()) {
        let listed = on_mesh(object);
        let gateways = texts(object.at(&["spec", "gateways"]));
        let applies = rules(object).iter().any(|r| r.applies_to("mesh", &gateways));
        for host in texts(object.at(&["spec", "hosts"])).into_iter().filter(|h| is_external(h) && !view.entries_of(h).is_empty())
        {
            let sent = view.virtual_services.iter().any(|other| {
                let names = texts(other.at(&["spec", "hosts"]));
                names.iter().any(|n| crate::mesh::validate::overlap(n, host)) && !to_gateways(view, other).is_empty()
            });
            if sent {
                continue;
            }
            let (field, text) = match (listed, applies) {
                (false, _) => ("spec.gateways", format!("mesh is not among the gateways, so sidecars go to {host} directly.")),
                (true, false) => ("spec.http", format!("No rule applies to mesh, so sidecars go to {host} directly.")),
                (true, true) => ("spec.http", format!("No rule for mesh sends {host} to the gateway's Service.")),
            };
            report.add(
                object,
                field,
                &text,
                "add mesh to gateways and a rule with match.gateways: [mesh] whose destination is the gateway's Service",
            );
        }
    }
}

/// The Gateways whose pods are behind a Service's host.
fn gateways_behind<'v>(view: &'v View<'_>, namespace: &str, host: &str) -> Vec<&'v Arc<Object>> {
    let Some(service) = view.service(namespace, host) else { return Vec::new() };
    let pods = view.behind(service);
    view.gateways.iter().filter(|g| pods.iter().any(|p| selects(g.at(&["spec", "selector"]), p))).collect()
}

fn no_gateway_rule(view: &View<'_>, report: &mut Report<'_>) {
    for object in &view.virtual_services {
        for (rule, field, destination) in to_gateways(view, object) {
            let found = gateways_behind(view, object.namespace(), text(&destination["host"]));
            for host in texts(object.at(&["spec", "hosts"])).into_iter().filter(|h| is_external(h)) {
                let served = view.virtual_services.iter().any(|other| {
                    let listed = texts(other.at(&["spec", "gateways"]));
                    let names = texts(other.at(&["spec", "hosts"]));
                    names.iter().any(|n| crate::mesh::validate::overlap(n, host))
                        && real_gateways(other).into_iter().any(|g| {
                            let here =
                                view.gateway(other.namespace(), g).is_some_and(|g| found.iter().any(|f| f.key() == g.key()));
                            here && rules(other).iter().any(|r| r.applies_to(g, &listed))
                        })
                });
                if !served && !found.is_empty() {
                    let field = if real_gateways(object).is_empty() { "spec.gateways".into() } else { field.clone() };
                    let text = format!(
                        "{} sends {host} to the gateway, but no rule is bound to a Gateway there: it answers 404 NR.",
                        rule.field
                    );
                    report.add(
                        object,
                        &field,
                        &text,
                        "name the Gateway (NAMESPACE/NAME) in gateways and add a rule with match.gateways for it",
                    );
                }
            }
        }
    }
}

fn short_gateway(view: &View<'_>, report: &mut Report<'_>) {
    for object in &view.virtual_services {
        for (i, name) in texts(object.at(&["spec", "gateways"])).into_iter().enumerate().filter(|(_, n)| *n != "mesh") {
            if view.gateway(object.namespace(), name).is_some() {
                continue;
            }
            let bare = name.rsplit('/').next().unwrap_or(name).split('.').next().unwrap_or(name);
            if let Some(other) = view.gateways.iter().find(|g| g.name() == bare) {
                let right = format!("{}/{}", other.namespace(), other.name());
                let text =
                    format!("{name} means a Gateway in namespace {}; the one of that name is {right}.", object.namespace());
                report.add(object, &format!("spec.gateways[{i}]"), &text, &format!("write {right}, in match.gateways too"));
            }
        }
        let listed = texts(object.at(&["spec", "gateways"]));
        for rule in rules(object) {
            for (i, one) in items(&rule.value["match"]).iter().enumerate() {
                for (j, name) in texts(&one["gateways"]).into_iter().enumerate() {
                    if !(listed.contains(&name) || listed.is_empty() && name == "mesh") {
                        let field = format!("{}.match[{i}].gateways[{j}]", rule.field);
                        let text = format!("{name} is not in spec.gateways (written the same way), so this match never applies.");
                        report.add(object, &field, &text, "write the entry exactly as in spec.gateways");
                    }
                }
            }
        }
    }
}

fn to_itself(view: &View<'_>, report: &mut Report<'_>) {
    for object in &view.virtual_services {
        let listed = texts(object.at(&["spec", "gateways"]));
        for (rule, field, _) in to_gateways(view, object) {
            if let Some(gateway) = real_gateways(object).into_iter().find(|g| rule.applies_to(g, &listed)) {
                let text = format!(
                    "This rule sends to the gateway and, without match.gateways, also applies at {gateway}: it sends to itself."
                );
                let field = field.trim_end_matches(".route[0].destination").to_string() + ".match";
                report.add(object, &field, &text, "add match.gateways: [mesh] to this rule and the Gateway's name to the other");
            }
        }
    }
}

fn not_listening(view: &View<'_>, report: &mut Report<'_>) {
    for object in &view.virtual_services {
        for (_, field, destination) in to_gateways(view, object) {
            let host = text(&destination["host"]);
            let Some(service) = view.service(object.namespace(), host) else { continue };
            let ports = items(service.at(&["spec", "ports"]));
            let asked =
                destination["port"]["number"].as_u64().or_else(|| ports.first().filter(|_| ports.len() == 1)?["port"].as_u64());
            let Some(asked) = asked else { continue };
            let target =
                ports.iter().find(|p| p["port"].as_u64() == Some(asked)).and_then(|p| p["targetPort"].as_u64()).unwrap_or(asked);
            let found = gateways_behind(view, object.namespace(), host);
            let listens = |g: &Object| {
                items(g.at(&["spec", "servers"]))
                    .iter()
                    .filter_map(|s| s["port"]["number"].as_u64())
                    .any(|n| n == asked || n == target)
            };
            if found.iter().any(|g| listens(g)) {
                continue;
            }
            let nearby = real_gateways(object).into_iter().find_map(|g| view.gateway(object.namespace(), g));
            match (found.first(), nearby) {
                (Some(gateway), _) => {
                    let text = format!("No server of {} is on port {asked}, to which {} sends.", gateway.key(), object.key());
                    report.add(
                        gateway,
                        "spec.servers",
                        &text,
                        "add a server with that port number, or send to a port that it has",
                    );
                }
                (None, Some(gateway)) => {
                    let text = format!("The selector fits no pod behind {host}, so the gateway listens on nothing for it.");
                    report.add(gateway, "spec.selector", &text, "copy a label of the gateway's pods into the selector");
                }
                (None, None) => {
                    let text = format!(
                        "No Gateway selects the pods behind {host}: they listen on nothing, the connection is refused (503 UF)."
                    );
                    report.add(
                        object,
                        &format!("{field}.host"),
                        &text,
                        "create a Gateway whose selector fits the gateway's pods",
                    );
                }
            }
        }
    }
}

fn short_destination(view: &View<'_>, report: &mut Report<'_>) {
    for object in &view.virtual_services {
        for rule in rules(object) {
            for (destination, field) in rule.destinations() {
                let host = text(&destination["host"]);
                let bare = host.split('.').next().unwrap_or("");
                let full = !host.ends_with(ZONE) && (!host.contains('.') || view.entries_of(host).is_empty());
                if !full || view.service(object.namespace(), host).is_some() && !host.contains('.') {
                    continue;
                }
                if let Some(service) = view.services.iter().find(|s| s.name() == bare) {
                    let right = hosts::full_host(service.namespace(), service.name());
                    let means = if host.contains('.') { host.to_string() } else { hosts::full_host(object.namespace(), host) };
                    let text = format!("{host} means {means}, which does not exist; the service is {right}.");
                    report.add(object, &format!("{field}.host"), &text, &format!("write {right}"));
                }
            }
        }
    }
}

/// Rules for the host of a destination, from wherever.
fn rules_for<'v>(view: &'v View<'_>, namespace: &str, host: &str) -> Vec<&'v Arc<Object>> {
    let full = hosts::full_host(namespace, host);
    view.rules.iter().filter(|r| hosts::full_host(r.namespace(), text(r.at(&["spec", "host"]))) == full).collect()
}

/// Namespaces with sidecars, those of the rule's own at least.
fn clients(view: &View<'_>, own: &str) -> Vec<String> {
    let mut all: Vec<String> = view.pods.iter().filter(|p| view.has_sidecar(p)).map(|p| p.namespace().to_string()).collect();
    if all.is_empty() {
        all.push(own.to_string());
    }
    all.sort();
    all.dedup();
    all
}

/// The DestinationRules a proxy of a namespace uses for a host: of its own namespace, else the service's, else the root's.
fn in_force<'v>(view: &'v View<'_>, client: &str, namespace: &str, host: &str) -> Vec<&'v Arc<Object>> {
    let (of_service, _) = hosts::name_of(namespace, &hosts::full_host(namespace, host));
    let of_service = match view.entries_of(host).first() {
        Some(entry) if !host.ends_with(ZONE) => entry.namespace().to_string(),
        _ => of_service,
    };
    let all = rules_for(view, namespace, host);
    let of = |ns: &str| -> Vec<&'v Arc<Object>> {
        all.iter().copied().filter(|r| r.namespace() == ns && view.exported(r, client)).collect()
    };
    [client, of_service.as_str(), view.root()].into_iter().map(of).find(|found| !found.is_empty()).unwrap_or_default()
}

fn has_subset(rule: &Object, name: &str) -> bool {
    items(rule.at(&["spec", "subsets"])).iter().any(|s| text(&s["name"]) == name)
}

fn rule_elsewhere(view: &View<'_>, report: &mut Report<'_>) {
    for object in &view.virtual_services {
        let gateways = texts(object.at(&["spec", "gateways"]));
        for rule in rules(object).into_iter().filter(|r| r.applies_to("mesh", &gateways)) {
            for (destination, _) in rule.destinations() {
                let (host, subset) = (text(&destination["host"]), text(&destination["subset"]));
                let known: Vec<_> =
                    rules_for(view, object.namespace(), host).into_iter().filter(|r| has_subset(r, subset)).collect();
                for client in clients(view, object.namespace()) {
                    let there = in_force(view, &client, object.namespace(), host);
                    if subset.is_empty() || there.iter().any(|r| has_subset(r, subset)) || !view.exported(object, &client) {
                        continue;
                    }
                    if let Some(found) = known.first() {
                        let hidden = !view.exported(found, &client);
                        let field = if hidden { "spec.exportTo" } else { "metadata.namespace" };
                        let text = format!(
                            "Proxies of namespace {client} do not use this rule for {host}, so subset {subset} is unknown to them (503 NC)."
                        );
                        report.add(
                            found,
                            field,
                            &text,
                            "put the rule into the client's or the service's namespace, and export it there",
                        );
                    }
                }
            }
        }
    }
}

fn shadowed(view: &View<'_>, report: &mut Report<'_>) {
    let mut by_host: BTreeMap<String, Vec<&Arc<Object>>> = BTreeMap::new();
    for rule in view.rules.iter().filter(|r| r.at(&["spec", "workloadSelector"]).is_null()) {
        by_host.entry(hosts::full_host(rule.namespace(), text(rule.at(&["spec", "host"])))).or_default().push(rule);
    }
    for (host, list) in by_host.iter().filter(|(_, list)| list.len() > 1) {
        for rule in list {
            let others: Vec<String> = list.iter().filter(|o| o.key() != rule.key()).map(|o| o.key().to_string()).collect();
            let text = format!(
                "{} is for {host} too: rules of two namespaces are not merged, the first namespace on a client's path wins.",
                others.join(", ")
            );
            report.add(rule, "spec.host", &text, "keep one DestinationRule for the host, with all its subsets");
        }
    }
}

/// What a server wants of the rules that are bound to it.
fn wanted(server: &Value) -> &'static str {
    let protocol = text(&server["port"]["protocol"]).to_ascii_uppercase();
    let mode = text(&server["tls"]["mode"]);
    match () {
        () if is_http(&protocol) => "http",
        () if is_tls(&protocol) && matches!(mode, "" | "PASSTHROUGH" | "AUTO_PASSTHROUGH") => "tls",
        () if protocol == "HTTPS" => "http",
        () => "tcp",
    }
}

fn wrong_kind(view: &View<'_>, report: &mut Report<'_>) {
    for object in &view.virtual_services {
        let listed = texts(object.at(&["spec", "gateways"]));
        let names = texts(object.at(&["spec", "hosts"]));
        for name in real_gateways(object) {
            let Some(gateway) = view.gateway(object.namespace(), name) else { continue };
            let fits = |s: &&Value| {
                let served = texts(&s["hosts"]);
                served.iter().any(|s| names.iter().any(|n| crate::mesh::validate::overlap(s.rsplit('/').next().unwrap_or(s), n)))
            };
            let servers: Vec<&Value> = items(gateway.at(&["spec", "servers"])).iter().filter(fits).collect();
            let bound: Vec<Rule<'_>> = rules(object).into_iter().filter(|r| r.applies_to(name, &listed)).collect();
            if servers.is_empty() || bound.is_empty() {
                continue;
            }
            for rule in &bound {
                let kinds: Vec<&str> = servers.iter().map(|s| wanted(s)).collect();
                if !kinds.contains(&rule.kind) {
                    let server = servers[0];
                    let mode = server["tls"]["mode"].as_str().map(|m| format!(" with tls mode {m}")).unwrap_or_default();
                    let text = format!(
                        "{} serves this host as {}{mode}, which takes {} rules: a {} rule has no effect there.",
                        gateway.key(),
                        text(&server["port"]["protocol"]),
                        kinds[0],
                        rule.kind
                    );
                    report.add(
                        object,
                        &rule.field,
                        &text,
                        "PASSTHROUGH takes tls rules with sniHosts, terminated TLS and HTTP take http rules, else tcp",
                    );
                }
            }
        }
    }
}

/// The TLS mode of a rule for a subset and port, with its field.
fn mode_for<'r>(rule: &'r Object, subset: &str, port: u64) -> (&'r str, String) {
    let subsets = items(rule.at(&["spec", "subsets"])).iter().enumerate();
    let of_subset = subsets
        .filter(|(_, s)| text(&s["name"]) == subset)
        .map(|(i, s)| (format!("spec.subsets[{i}].trafficPolicy"), &s["trafficPolicy"]));
    let top = ("spec.trafficPolicy".to_string(), rule.at(&["spec", "trafficPolicy"]));
    for (prefix, policy) in of_subset.chain(std::iter::once(top)) {
        for (i, one) in
            items(&policy["portLevelSettings"]).iter().enumerate().filter(|(_, p)| p["port"]["number"].as_u64() == Some(port))
        {
            if !one["tls"].is_null() {
                return (text(&one["tls"]["mode"]), format!("{prefix}.portLevelSettings[{i}].tls.mode"));
            }
        }
        if !policy["tls"].is_null() {
            return (text(&policy["tls"]["mode"]), format!("{prefix}.tls.mode"));
        }
    }
    ("", "spec.trafficPolicy.tls".to_string())
}

fn mtls(view: &View<'_>, report: &mut Report<'_>) {
    for object in &view.virtual_services {
        for (_, field, destination) in to_gateways(view, object) {
            let (host, port) = (text(&destination["host"]), destination["port"]["number"].as_u64().unwrap_or(0));
            let client = clients(view, object.namespace()).into_iter().next().unwrap_or_default();
            let rule = in_force(view, &client, object.namespace(), host).into_iter().next();
            let (mode, place) = rule.map_or(("", String::new()), |r| mode_for(r, text(&destination["subset"]), port));
            for gateway in gateways_behind(view, object.namespace(), host) {
                let servers = items(gateway.at(&["spec", "servers"])).iter().enumerate();
                for (i, server) in servers.filter(|(_, s)| s["port"]["number"].as_u64() == Some(port)) {
                    let theirs = text(&server["tls"]["mode"]);
                    let mutual = theirs == "ISTIO_MUTUAL";
                    if mutual && mode != "ISTIO_MUTUAL" {
                        let text = format!(
                            "{} wants mTLS on port {port} (ISTIO_MUTUAL), but the client's rule does not open it.",
                            gateway.key()
                        );
                        match rule {
                            Some(rule) => report.add(rule, &place, &text, "set tls mode ISTIO_MUTUAL (and sni) for that port"),
                            None => report.add(
                                object,
                                &format!("{field}.host"),
                                &text,
                                "add a DestinationRule with tls mode ISTIO_MUTUAL and sni",
                            ),
                        }
                    } else if !mutual && mode == "ISTIO_MUTUAL" {
                        let what = if theirs.is_empty() { "no tls".to_string() } else { format!("mode {theirs}") };
                        let by = rule.map(|r| r.key().to_string()).unwrap_or_default();
                        let text = format!("{by} opens mTLS to port {port}, but this server has {what}.");
                        report.add(
                            gateway,
                            &format!("spec.servers[{i}].tls"),
                            &text,
                            "use ISTIO_MUTUAL on both sides, or on none",
                        );
                    }
                }
            }
        }
    }
}

fn left_over(view: &View<'_>, report: &mut Report<'_>) {
    let unknown = |host: &str| is_external(host) && !host.contains('*') && view.entries_of(host).is_empty();
    for object in &view.virtual_services {
        for (i, host) in texts(object.at(&["spec", "hosts"])).into_iter().enumerate().filter(|(_, h)| unknown(h)) {
            let text = format!("No ServiceEntry that is here registers {host}.");
            report.add(
                object,
                &format!("spec.hosts[{i}]"),
                &text,
                "register the host, or delete the object if it is left over from something else",
            );
        }
    }
    for rule in view.rules.iter().filter(|r| unknown(text(r.at(&["spec", "host"])))) {
        let text = format!("No ServiceEntry that is here registers {}.", text(rule.at(&["spec", "host"])));
        report.add(rule, "spec.host", &text, "register the host, or delete the object if it is left over from something else");
    }
}

fn wrong_port(view: &View<'_>, report: &mut Report<'_>) {
    for object in &view.virtual_services {
        let listed = texts(object.at(&["spec", "gateways"]));
        let names = texts(object.at(&["spec", "hosts"]));
        let ports: Vec<u64> = names
            .iter()
            .flat_map(|h| view.entries_of(h))
            .flat_map(|e| items(e.at(&["spec", "ports"])))
            .filter_map(|p| p["number"].as_u64())
            .collect();
        for rule in rules(object) {
            for (i, one) in items(&rule.value["match"]).iter().enumerate() {
                let Some(port) = one["port"].as_u64() else { continue };
                let here = texts(&one["gateways"]);
                let field = format!("{}.match[{i}].port", rule.field);
                let mesh = (here.is_empty() || here.contains(&"mesh")) && (listed.is_empty() || listed.contains(&"mesh"));
                if mesh && !ports.is_empty() && !ports.contains(&port) {
                    let text =
                        format!("Port {port} is no port of this host's ServiceEntry, so at sidecars this match never applies.");
                    report.add(object, &field, &text, "match the port that clients use, or register it");
                }
                for name in real_gateways(object).into_iter().filter(|g| here.contains(g)) {
                    let Some(gateway) = view.gateway(object.namespace(), name) else { continue };
                    let mut served = items(gateway.at(&["spec", "servers"])).iter().filter_map(|s| s["port"]["number"].as_u64());
                    if !served.any(|n| n == port) {
                        let text =
                            format!("No server of {} is on port {port}, so this match never applies there.", gateway.key());
                        report.add(object, &field, &text, "match the port number of the Gateway's server");
                    }
                }
            }
        }
    }
}

fn not_installed(view: &View<'_>, report: &mut Report<'_>) {
    for object in &view.virtual_services {
        for rule in rules(object) {
            for (destination, field) in rule.destinations() {
                let host = text(&destination["host"]);
                let meant = host.ends_with(ZONE) && host.contains("egressgateway");
                if meant && view.service(object.namespace(), host).is_none() {
                    let text = format!("There is no Service {host}: the egress gateway is not installed.");
                    report.add(
                        object,
                        &format!("{field}.host"),
                        &text,
                        "install it: istioctl install --set profile=demo, or enable the egress gateway component",
                    );
                }
            }
        }
    }
}
