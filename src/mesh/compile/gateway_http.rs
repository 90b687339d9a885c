//! HTTP at a gateway: one virtual host per host that a server and a VirtualService share.

use super::gateway::{Bound, bound_rules, host_for};
use super::routes::Builder;
use super::rules::{Redirect, narrower, overlaps};
use crate::mesh::Cause;
use crate::mesh::proxy::{Action, Retries, Route, RouteConfig, VirtualHost};
use std::collections::HashMap;

/// The route configuration of HTTP servers that share a port.
pub fn config(b: &Builder<'_>, servers: &[&Bound<'_>]) -> RouteConfig {
    let mut hosts: Vec<VirtualHost> = Vec::new();
    let mut places = HashMap::new();
    for bound in servers {
        add_server(b, bound, &mut hosts, &mut places);
    }
    for host in &mut hosts {
        let (last, first): (Vec<Route>, Vec<Route>) =
            std::mem::take(&mut host.routes).into_iter().partition(|r| r.matcher.is_catch_all());
        host.routes = first.into_iter().chain(last).collect();
    }
    if hosts.is_empty() {
        hosts.extend(servers.first().map(|bound| blackhole(bound)));
    }
    hosts.sort_by(|a, b| a.name.cmp(&b.name));
    RouteConfig { virtual_hosts: hosts }
}

/// `places`: where the virtual hosts are, by name.
fn add_server(b: &Builder<'_>, bound: &Bound<'_>, hosts: &mut Vec<VirtualHost>, places: &mut HashMap<String, usize>) {
    let port = bound.server.port;
    for vs in bound_rules(b, bound) {
        let routes = b.routes(vs, port, &bound.gateway.reference());
        if routes.is_empty() {
            continue;
        }
        let allowed: Vec<&str> = bound.server.hosts.iter().filter_map(|h| host_for(h, bound.gateway, &vs.namespace)).collect();
        for wanted in &vs.hosts {
            for host in allowed.iter().filter(|h| overlaps(h, wanted)).map(|h| narrower(h, wanted)) {
                let name = format!("{host}:{port}");
                match places.get(&name) {
                    Some(at) => hosts[*at].routes.extend(routes.clone()),
                    None => {
                        places.insert(name.clone(), hosts.len());
                        hosts.push(virtual_host(bound, host, name, routes.clone(), &vs.object));
                    }
                }
            }
        }
    }
}

fn virtual_host(bound: &Bound<'_>, host: &str, name: String, routes: Vec<Route>, object: &str) -> VirtualHost {
    let mut domains = vec![host.to_string()];
    if !host.starts_with('*') {
        domains.push(format!("{host}."));
    }
    let cause = Cause::new(object, "spec.hosts", "The VirtualService brings the host to the gateway.");
    let routes = if bound.server.https_redirect { vec![to_https(bound)] } else { routes };
    VirtualHost { name: name.into(), domains, routes, cause }
}

fn to_https(bound: &Bound<'_>) -> Route {
    let scheme = Some("https".into());
    let redirect = Redirect { code: 301, uri: None, prefix: None, authority: None, scheme, port: None, from_request_port: false };
    let cause = bound.cause(".tls.httpsRedirect", "The server redirects plain HTTP to https.");
    Route::plain("", Action::Redirect(redirect), Retries::none(), cause)
}

fn blackhole(bound: &Bound<'_>) -> VirtualHost {
    VirtualHost {
        name: format!("blackhole:{}", bound.server.port).into(),
        domains: vec!["*".into()],
        routes: Vec::new(),
        cause: bound.cause(".hosts", "No VirtualService gives this server any route."),
    }
}
