//! VirtualServices: destinations, subsets, gateways, hosts (S: analyzers/virtualservice).

use super::hosts::{self, Services};
use super::{Context, bracketed, full_name, items, join, quoted, selects, text, texts};
use crate::k8s::Object;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A destination and where it is written.
struct Destination<'a> {
    value: &'a Value,
    /// The field of its host.
    field: String,
}

/// Destinations of routes, tcp before tls before http.
fn routes(spec: &Value) -> Vec<Destination<'_>> {
    let mut found = Vec::new();
    for kind in ["tcp", "tls", "http"] {
        for (i, rule) in items(&spec[kind]).iter().enumerate() {
            for (j, route) in items(&rule["route"]).iter().enumerate() {
                let field = format!("spec.{kind}[{i}].route[{j}].destination.host");
                found.push(Destination { value: &route["destination"], field });
            }
        }
    }
    found
}

/// Destinations of mirrors. The field of `mirrors` is as Istio looks it up, which no file has.
fn mirrors(spec: &Value) -> Vec<Destination<'_>> {
    let mut found = Vec::new();
    for (i, rule) in items(&spec["http"]).iter().enumerate() {
        if rule["mirror"].is_object() {
            found.push(Destination { value: &rule["mirror"], field: format!("spec.http[{i}].mirror.host") });
        }
        for (j, mirror) in items(&rule["mirrors"]).iter().enumerate() {
            found.push(Destination { value: &mirror["destination"], field: format!("spec.http[{i}].mirrors[{j}].host") });
        }
    }
    found
}

/// DestinationHostAnalyzer.
pub fn destinations(context: &mut Context<'_>) {
    let services = hosts::services(context);
    let all = context.networking("VirtualService");
    for object in &all {
        for destination in routes(object.spec()) {
            destination_host(context, object, &services, &destination, "host");
        }
        for destination in mirrors(object.spec()) {
            destination_host(context, object, &services, &destination, "mirror host");
        }
        subsets_elsewhere(context, object, &all);
    }
}

fn destination_host(context: &mut Context<'_>, object: &Object, services: &Services, to: &Destination<'_>, what: &str) {
    let host = text(&to.value["host"]);
    let Some(known) = hosts::find(services, object.namespace(), object.at(&["spec", "exportTo"]), host) else {
        return context.report_at(object, "IST0101", format!("Referenced {what} not found: {}", quoted(host)), &to.field);
    };
    match to.value["port"].is_object() {
        false if known.ports.len() > 1 => {
            let text = format!(
                "This VirtualService routes to a service {} that exposes multiple ports {}. Specifying a port in the destination is required \
                 to disambiguate.",
                quoted(host),
                bracketed(&known.ports)
            );
            context.report_at(object, "IST0112", text, &to.field);
        }
        false => (),
        true => {
            let port = to.value["port"]["number"].as_u64().unwrap_or(0);
            if !known.ports.contains(&port) {
                let text = format!("Referenced host:port not found: {}", quoted(&format!("{host}:{port}")));
                context.report_at(object, "IST0101", text, &to.field);
            }
        }
    }
}

/// A rule without subset for a host that another VirtualService sends to a subset (IST0140).
fn subsets_elsewhere(context: &mut Context<'_>, object: &Object, all: &[Arc<Object>]) {
    if items(object.at(&["spec", "gateways"])).is_empty() {
        return;
    }
    for (i, rule) in items(object.at(&["spec", "http"])).iter().enumerate() {
        for (j, route) in items(&rule["route"]).iter().enumerate() {
            if !text(&route["destination"]["subset"]).is_empty() {
                continue;
            }
            let host = text(&route["destination"]["host"]);
            // The field that Istio looks up has the rule's name where its kind should be.
            let field = format!("spec.{}[{i}].route[{j}].destination.host", text(&rule["name"]));
            for other in all.iter().filter(|other| splits(other.spec(), host)) {
                let text = format!(
                    "Subset in virtual service {} has no effect on ingress gateway {} requests",
                    full_name(other),
                    full_name(object)
                );
                context.report_at(object, "IST0140", text, &field);
            }
        }
    }
}

/// Whether a VirtualService of this host sends it to a subset.
fn splits(spec: &Value, host: &str) -> bool {
    let routes = items(&spec["http"]).iter().flat_map(|rule| items(&rule["route"]));
    let mut to_subset = routes.map(|r| &r["destination"]).filter(|d| !text(&d["subset"]).is_empty());
    texts(&spec["hosts"]).contains(&host) && to_subset.any(|d| text(&d["host"]) == host)
}

/// DestinationRuleAnalyzer.
pub fn subsets(context: &mut Context<'_>) {
    let mut known = BTreeSet::new();
    for rule in context.networking("DestinationRule") {
        let name = hosts::name_of(rule.namespace(), text(rule.at(&["spec", "host"])));
        for subset in items(rule.at(&["spec", "subsets"])) {
            known.insert((name.clone(), text(&subset["name"]).to_string()));
        }
    }
    for object in context.networking("VirtualService") {
        let all = [(routes(object.spec()), "host+subset"), (mirrors(object.spec()), "mirror+subset")];
        for (destination, what) in all.into_iter().flat_map(|(list, what)| list.into_iter().map(move |d| (d, what))) {
            let (host, subset) = (text(&destination.value["host"]), text(&destination.value["subset"]));
            let name = hosts::name_of(object.namespace(), host);
            if subset.is_empty() || known.contains(&(name, subset.to_string())) {
                continue;
            }
            let text = format!("Referenced {what} in destinationrule not found: {}", quoted(&format!("{host}+{subset}")));
            context.report_at(&object, "IST0101", text, &destination.field);
        }
    }
}

/// GatewayAnalyzer.
pub fn gateways(context: &mut Context<'_>) {
    for object in context.networking("VirtualService") {
        let hosts = texts(object.at(&["spec", "hosts"]));
        for (i, name) in texts(object.at(&["spec", "gateways"])).into_iter().enumerate().filter(|(_, name)| *name != "mesh") {
            let field = format!("spec.gateways[{i}]");
            if name.rsplit('/').next().unwrap_or("").contains("~istio-autogenerated-k8s-gateway~") {
                let text = format!(
                    "Gateway reference in VirtualService {} is to an implementation-generated internal Gateway: {name}.",
                    full_name(&object)
                );
                context.report_at(&object, "IST0165", text, &field);
                continue;
            }
            let (namespace, gateway) = name.split_once('/').unwrap_or((object.namespace(), name));
            let found = context.networking("Gateway").into_iter().find(|g| g.namespace() == namespace && g.name() == gateway);
            if found.is_none() {
                let text = format!("Referenced gateway not found: {}", quoted(name));
                context.report_at(&object, "IST0101", text, &field);
            }
            if !found.is_some_and(|g| serves(&g, &hosts, object.namespace())) {
                let text = format!(
                    "one or more host {} defined in VirtualService {} not found in Gateway {}.",
                    bracketed(&hosts),
                    full_name(&object),
                    join(namespace, gateway)
                );
                context.report_at(&object, "IST0132", text, &field);
            }
        }
    }
}

/// Whether any host of a VirtualService is one that the gateway serves for its namespace.
fn serves(gateway: &Object, hosts: &[&str], namespace: &str) -> bool {
    let mut served: Vec<&str> = Vec::new();
    for server in items(gateway.at(&["spec", "servers"])) {
        let of_server = texts(&server["hosts"]);
        if of_server.contains(&"*/*") {
            served.push("*");
            continue;
        }
        for host in of_server {
            match host.split_once('/') {
                None => served.push(host),
                Some(("*", host)) => served.push(host),
                Some((".", host)) if gateway.namespace() == namespace => served.push(host),
                Some((ns, host)) if ns == namespace => served.push(host),
                Some(_) => (),
            }
        }
    }
    served.iter().any(|s| hosts.iter().any(|h| crate::mesh::validate::overlap(s, h)))
}

/// ConflictingMeshGatewayHostsAnalyzer.
pub fn conflicting_hosts(context: &mut Context<'_>) {
    let mut by_host: BTreeMap<(String, String), Vec<Arc<Object>>> = BTreeMap::new();
    for object in context.networking("VirtualService") {
        let gateways = texts(object.at(&["spec", "gateways"]));
        if !gateways.is_empty() && !gateways.contains(&"mesh") {
            continue;
        }
        for scope in hosts::scopes(object.at(&["spec", "exportTo"]), object.namespace()) {
            for host in texts(object.at(&["spec", "hosts"])) {
                let key = (scope.clone(), hosts::full_host(object.namespace(), host));
                by_host.entry(key).or_default().push(object.clone());
            }
        }
    }
    let mut reported = BTreeSet::new();
    for ((scope, host), list) in &by_host {
        let mut list = list.clone();
        if scope != "*" {
            let everywhere = by_host.iter().filter(|((s, h), _)| s == "*" && crate::mesh::validate::overlap(host, h));
            list.extend(everywhere.flat_map(|(_, more)| more.clone()));
        }
        if list.len() < 2 {
            continue;
        }
        let mut names: Vec<String> = list.iter().map(|o| full_name(o)).collect();
        names.sort();
        for object in list.iter().filter(|o| reported.insert(full_name(o))) {
            let text = format!(
                "The VirtualServices {} associated with mesh gateway define the same host {scope}/{host} which can lead to undefined \
                 behavior. This can be fixed by merging the conflicting VirtualServices into a single resource.",
                names.join(",")
            );
            context.report_at(object, "IST0109", text, "metadata.name");
        }
    }
}

/// JWTClaimRouteAnalyzer.
pub fn jwt_claims(context: &mut Context<'_>) {
    let authentications = context.each("security.istio.io", "RequestAuthentication");
    let pods = context.core("Pod");
    for object in context.networking("VirtualService") {
        let Some(claim) = claim(object.spec()) else { continue };
        for name in texts(object.at(&["spec", "gateways"])).into_iter().filter(|name| *name != "mesh") {
            let (namespace, gateway) = name.split_once('/').unwrap_or((object.namespace(), name));
            let all = context.networking("Gateway");
            let Some(found) = all.iter().find(|g| g.namespace() == namespace && g.name() == gateway) else { continue };
            for pod in pods.iter().filter(|pod| selects(found.at(&["spec", "selector"]), pod)) {
                let here = |ns: &str| ns == "istio-system" || ns == pod.namespace();
                let fits = |a: &&Arc<Object>| selects(a.at(&["spec", "selector", "matchLabels"]), pod);
                if authentications.iter().filter(|a| here(a.namespace())).any(|a| fits(&a)) {
                    continue;
                }
                let text = format!(
                    "The virtual service uses the JWT claim based routing (key: {claim}) but found no request authentication for the gateway \
                     ({}) pod ({}). The request authentication must first be applied for the gateway pods to validate the JWT token and \
                     make the claims available for routing.",
                    join(namespace, gateway),
                    pod.name()
                );
                context.report(&object, "IST0149", text);
            }
        }
    }
}

/// A header of a match that stands for a claim.
fn claim(spec: &Value) -> Option<&str> {
    let matches = items(&spec["http"]).iter().flat_map(|rule| items(&rule["match"]));
    let headers = matches.flat_map(|m| [&m["headers"], &m["withoutHeaders"]]);
    let names = headers.filter_map(Value::as_object).flatten().map(|(name, _)| name.as_str());
    names.into_iter().find(|name| crate::mesh::validate::is_claim(name))
}
