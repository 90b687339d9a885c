//! VirtualService (S: pkg/config/validation/validation.go ValidateVirtualService).

use super::{Validation, destination_rule, export, headers, http_route, items, names, text, texts, unreachable};
use crate::k8s::Object;
use serde_json::Value;

/// Checks one.
pub fn validate(object: &Object, found: &mut Validation) {
    let spec = object.spec();
    let (hosts, gateways) = (texts(&spec["hosts"]), texts(&spec["gateways"]));
    let delegate = hosts.is_empty();
    let [http, tls, tcp] = ["http", "tls", "tcp"].map(|kind| items(&spec[kind]));
    if delegate {
        found.error_if(!gateways.is_empty(), "delegate virtual service must have no gateways specified");
        found.error_if(!tls.is_empty(), "delegate virtual service must have no tls route specified");
        found.error_if(!tcp.is_empty(), "delegate virtual service must have no tcp route specified");
    }
    gateway_names(&gateways, found);
    let on_gateway = !gateways.is_empty() && !gateways.contains(&"mesh");
    if !on_gateway {
        http_route::jwt_claims(http, &gateways, found);
    }
    let sni = tls.iter().flat_map(|r| items(&r["match"])).any(|m| !items(&m["sniHosts"]).is_empty());
    check_hosts(&hosts, on_gateway, sni, found);
    if http.is_empty() && tls.is_empty() && tcp.is_empty() {
        found.error("http, tcp or tls must be provided in virtual service");
    }
    http.iter().for_each(|route| http_route::validate(route, delegate, found));
    tls.iter().for_each(|route| tls_route(route, &hosts, on_gateway, found));
    tcp.iter().for_each(|route| tcp_route(route, found));
    export::validate(object.namespace(), &spec["exportTo"], export::Owner::Rule, found);
    unreachable::warn(http, true, found);
    [tcp, tls].into_iter().for_each(|rules| unreachable::warn(rules, false, found));
}

/// Entries of `gateways`, of the object or of a match.
pub fn gateway_names(gateways: &[&str], found: &mut Validation) {
    for name in gateways {
        let Some((namespace, gateway)) = name.split_once('/') else {
            if let [first, second, ..] = name.split('.').collect::<Vec<_>>().as_slice() {
                let prefer = format!("{second}/{first}");
                found.warn(format!("using legacy gatewayName format {name:?}; prefer the <namespace>/<name> format: {prefer:?}"));
            }
            // The rest of the list is not looked at.
            return found.check(names::fqdn(name));
        };
        if namespace.is_empty() || gateway.is_empty() {
            found.error("config namespace and gateway name cannot be empty");
        }
        if !names::is_label(namespace) {
            found.error(format!("invalid value for namespace: {namespace:?}"));
        }
        if !names::is_label(gateway) {
            found.error(format!("invalid value for gateway name: {gateway:?}"));
        }
    }
}

fn check_hosts(hosts: &[&str], on_gateway: bool, sni: bool, found: &mut Validation) {
    let before = found.errors.len();
    for host in hosts {
        let checked = if on_gateway { names::gateway_host(sni, host) } else { names::wildcard_domain(host) };
        match checked {
            Err(error) if !names::is_ip(host) => found.error(error),
            Ok(()) if !on_gateway && *host == "*" => {
                found.error("wildcard host * is not allowed for virtual services bound to the mesh gateway");
            }
            _ => (),
        }
    }
    if found.errors.len() > before {
        return;
    }
    for (i, a) in hosts.iter().enumerate() {
        for b in hosts[i + 1..].iter().filter(|b| names::overlap(a, b)) {
            found.error(format!("duplicate hosts in virtual service: {a} & {b}"));
        }
    }
}

fn tls_route(route: &Value, hosts: &[&str], on_gateway: bool, found: &mut Validation) {
    let matches = items(&route["match"]);
    found.error_if(matches.is_empty(), "TLS route must have at least one match condition");
    for one in matches {
        let names = texts(&one["sniHosts"]);
        found.error_if(names.is_empty(), "TLS match must have at least one SNI host");
        names.iter().for_each(|name| sni_host(name, hosts, on_gateway, found));
        l4_match(one, found);
    }
    found.error_if(items(&route["route"]).is_empty(), "TLS route is required");
    destinations(items(&route["route"]), false, found);
}

fn sni_host(name: &str, hosts: &[&str], on_gateway: bool, found: &mut Validation) {
    let checked = if on_gateway { names::gateway_host(true, name) } else { names::wildcard_domain(name) };
    if let Err(error) = checked {
        return match names::is_ip(name) {
            true => {
                found.warn(format!("using an IP address ({name:?}) goes against SNI spec and most clients do not support this"))
            }
            false => found.error(error),
        };
    }
    if !hosts.iter().any(|host| names::subset_of(name, host)) {
        let hosts = hosts.join(", ");
        found.error(format!("SNI host {name:?} is not a compatible subset of any of the virtual service hosts: [{hosts}]"));
    }
}

fn tcp_route(route: &Value, found: &mut Validation) {
    let mut matches = Validation::default();
    items(&route["match"]).iter().for_each(|one| l4_match(one, &mut matches));
    found.take_errors(matches);
    found.error_if(items(&route["route"]).is_empty(), "TCP route is required");
    destinations(items(&route["route"]), false, found);
}

fn l4_match(one: &Value, found: &mut Validation) {
    texts(&one["destinationSubnets"]).iter().for_each(|s| found.check(names::subnet(s)));
    if let Some(number) = one["port"].as_i64().filter(|n| *n != 0) {
        found.check(names::port(number));
    }
    names::labels(&one["sourceLabels"]).into_iter().for_each(|e| found.listed(e));
    gateway_names(&texts(&one["gateways"]), found);
}

/// The weighted destinations of a rule; those of http rules may edit headers.
pub fn destinations(routes: &[Value], http: bool, found: &mut Validation) {
    let mut total = 0;
    for route in routes {
        if !route["destination"].is_object() {
            found.listed("destination is required");
        }
        if http {
            headers::operations(&route["headers"], found);
        }
        if route["destination"].is_object() {
            destination(&route["destination"], found);
        }
        let weight = route["weight"].as_i64().unwrap_or(0);
        if weight < 0 {
            found.error(format!("weight {weight} < 0"));
        }
        total += weight;
    }
    found.error_if(routes.len() > 1 && total == 0, "total destination weight = 0");
}

/// One destination.
pub fn destination(destination: &Value, found: &mut Validation) {
    match text(&destination["host"]) {
        "*" => found.error("invalid destination host *"),
        host => found.check(names::wildcard_domain(host)),
    }
    if let Some(subset) = destination["subset"].as_str().filter(|s| !s.is_empty()) {
        found.check(destination_rule::subset_name(subset));
    }
    if destination["port"].is_object() {
        found.check(names::port(destination["port"]["number"].as_i64().unwrap_or(0)));
    }
}
