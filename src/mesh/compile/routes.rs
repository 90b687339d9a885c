//! HTTP rules to routes, and the route configurations of a sidecar (Istio: core/httproute.go, core/route/route.go).

use super::clusters;
use super::delegate;
use super::hosts::Hosts;
use super::registry::{From, Protocol, Resolution, Service};
use super::rules::{Destination, HttpRule, Match, Redirect, VirtualService, covers, overlaps};
use super::scope::{Base, FEW, Identity, Scope};
use super::slice::finds_by_name;
use crate::base::shared::Text;
use crate::mesh::Cause;
use crate::mesh::proxy::{Action, Mirror, Retries, Route, RouteConfig, VirtualHost, Weighted};
use std::collections::HashSet;
use std::sync::Arc;

/// For whom routes are built.
#[derive(Clone, Copy)]
pub struct Builder<'a> {
    pub base: &'a Base,
    pub id: &'a Identity,
    pub scope: &'a Scope<'a>,
}

impl Builder<'_> {
    /// The routes of a VirtualService for one port of one gateway (`mesh` or `NAMESPACE/NAME`).
    pub fn routes(&self, vs: &VirtualService, port: u16, gateway: &str) -> Vec<Route> {
        let mut routes = Vec::new();
        for rule in delegate::rules(self.base, vs).iter() {
            if rule.matches.is_empty() {
                routes.push(self.route(rule, None, port));
                return routes;
            }
            for entry in rule.matches.iter().filter(|entry| self.applies(entry, port, gateway)) {
                let route = self.route(rule, Some(entry), port);
                let catches_all = route.matcher.is_catch_all();
                routes.push(route);
                if catches_all {
                    return routes;
                }
            }
        }
        routes
    }

    /// The static filters of a match entry. With `gateways` the source conditions are not looked at.
    pub fn applies(&self, entry: &Match, port: u16, gateway: &str) -> bool {
        let port_fits = entry.port.is_none_or(|p| p == 0 || p == port);
        let source_fits = match entry.gateways.is_empty() {
            false => entry.gateways.iter().any(|g| g == gateway),
            true => self.source_fits(entry),
        };
        port_fits && source_fits
    }

    pub fn source_fits(&self, entry: &Match) -> bool {
        let labels = entry.source_labels.iter().all(|(k, v)| self.id.labels.get(k) == Some(v));
        labels && entry.source_namespace.as_ref().is_none_or(|ns| *ns == self.id.namespace)
    }

    fn route(&self, rule: &HttpRule, entry: Option<&Match>, port: u16) -> Route {
        let name = match entry.map(|m| m.name.as_str()).filter(|n| !n.is_empty()) {
            Some(part) => format!("{}.{part}", rule.name),
            None => rule.name.clone(),
        };
        let action = match &rule.action {
            Action::Forward(_) => Action::Forward(self.forwards(&rule.rule.object, &rule.destinations, port)),
            Action::Redirect(to) if to.from_request_port => {
                let https = to.scheme.as_deref() == Some("https");
                let shown = Some(port).filter(|p| *p != if https { 443 } else { 80 });
                Action::Redirect(Redirect { port: shown, ..to.clone() })
            }
            other => other.clone(),
        };
        let mirror = |(to, share): &(Destination, u64)| {
            let cluster = self.forwards(&rule.rule.object, std::slice::from_ref(to), port);
            cluster.into_iter().next().map(|w| Mirror { cluster: w.cluster, share: *share, cause: w.cause })
        };
        Route {
            matcher: entry.map(|m| m.run_time.clone()).unwrap_or_default(),
            timeout_ms: rule.timeout_ms,
            fault: rule.fault.clone(),
            rewrite: rule.rewrite.clone(),
            headers: rule.headers.clone(),
            mirrors: rule.mirrors.iter().filter_map(mirror).collect(),
            cors: rule.cors.clone(),
            missing_is_500: rule.missing_is_500,
            not_modelled: rule.not_modelled.clone(),
            inherited: rule.inherited.clone(),
            rule: rule.rule.clone(),
            ..Route::plain(
                &name,
                action,
                rule.retries.clone().unwrap_or_else(|| self.default_retries()),
                entry.map_or_else(|| rule.rule.clone(), |m| m.cause.clone()),
            )
        }
    }

    /// HTTP destinations to clusters. A sidecar builds the routes of a port from the services that have it: elsewhere a destination's
    /// only port, or the host behind an alias, is not looked up.
    fn forwards(&self, object: &str, destinations: &[Destination], port: u16) -> Vec<Weighted> {
        let mut all = self.weighted(object, destinations, port);
        if self.id.gateway {
            return all;
        }
        let kept = destinations.iter().filter(|d| destinations.len() == 1 || d.weight.unwrap_or(0) > 0);
        for (to, d) in all.iter_mut().zip(kept) {
            if self.scope.service(&d.host).is_none_or(|s| s.port(port).is_none()) {
                to.cluster = clusters::name(d.port.unwrap_or(port), &d.subset, &d.host).into();
            }
        }
        all
    }

    fn default_retries(&self) -> Retries {
        Retries { attempts: self.base.config.retry_attempts.unwrap_or(2), ..Retries::usual() }
    }

    /// Destinations to clusters. One destination takes everything; of several those with weight 0 take nothing.
    pub fn weighted(&self, object: &str, destinations: &[Destination], listener_port: u16) -> Vec<Weighted> {
        let alone = destinations.len() == 1;
        let one = |d: &Destination| {
            let service = self.scope.service(&d.host);
            let only = service.filter(|s| s.ports.len() == 1).map(|s| s.ports[0].number);
            let port = d.port.or(only).unwrap_or(listener_port);
            let alias = service.filter(|s| s.resolution == Resolution::Alias).and_then(|s| s.aliases.first());
            Weighted {
                cluster: clusters::name(port, &d.subset, alias.unwrap_or(&d.host)).into(),
                weight: if alone { 1 } else { d.weight.unwrap_or(0) },
                cause: Cause::new(object, &d.field, "The VirtualService sends it to this destination."),
                headers: d.headers.clone(),
            }
        };
        destinations.iter().map(one).filter(|w| w.weight > 0).collect()
    }

    /// A VirtualService that names the host and yet has no part in its routes on this port.
    fn passed_over(&self, service: &Service, port: u16) -> Option<Cause> {
        let vs = self.scope.rules.iter().find(|vs| vs.hosts.iter().any(|h| covers(h, &service.host)))?;
        let (field, text) = match vs.gateways.iter().any(|g| g == "mesh") {
            false => (
                "spec.gateways",
                "The VirtualService for this host is not bound to mesh, so the host's own route is used.".into(),
            ),
            true if vs.http.is_empty() => return None,
            true => (
                "spec.http",
                format!("No rule of the VirtualService is for port {port} in the mesh, so the host's own route is used."),
            ),
        };
        Some(Cause::new(&vs.object, field, &text))
    }

    fn plain_route(&self, service: &Service, port: u16) -> Route {
        let declared =
            service.port(port).map(|p| p.cause.clone()).unwrap_or_else(|| Cause::new(&service.object, "spec.ports", ""));
        let cluster = clusters::name(port, "", &service.host);
        let action = Action::Forward(vec![Weighted {
            cluster: cluster.into(),
            weight: 1,
            cause: declared.clone(),
            headers: Default::default(),
        }]);
        Route::plain("default", action, self.default_retries(), self.passed_over(service, port).unwrap_or(declared))
    }

    /// The route configuration `PORT` of a sidecar.
    pub fn sidecar_config(&self, port: u16) -> RouteConfig {
        let services: Vec<&Service> = self.scope.services.iter().map(|s| &**s).filter(|s| routed_on(s, port)).collect();
        let asked: Vec<&Service> = services.iter().copied().filter(|s| self.scope.may_mean(s, &self.id.namespace)).collect();
        let table = Table::of(self, (&services, &asked), port);
        let mut claimed: HashSet<&str> = HashSet::new();
        let mut hosts: Vec<VirtualHost> = Vec::new();
        for (vs, routes) in &table.rules {
            for host in &vs.hosts {
                let registered = table.registered(host);
                for service in &registered {
                    claimed.insert(&service.host);
                    hosts.push(self.virtual_host(&service.host, Some(service), port, routes.clone(), &vs.object));
                }
                if port == 80 && registered.is_empty() {
                    hosts.push(self.virtual_host(host, None, port, routes.clone(), &vs.object));
                }
            }
        }
        for service in asked.iter().filter(|s| !claimed.contains(s.host.as_str())) {
            let routes = vec![self.plain_route(service, port)];
            hosts.push(self.virtual_host(&service.host, Some(service), port, routes, &service.object));
        }
        let mut config = RouteConfig { virtual_hosts: first_come(hosts) };
        config.virtual_hosts.sort_by(|a, b| a.name.cmp(&b.name));
        config.virtual_hosts.push(self.catch_all());
        config
    }

    /// The routes of a Sidecar's HTTP_PROXY listener, of which this program only knows that they are there.
    pub fn proxy_config(&self, cause: &Cause) -> RouteConfig {
        let mut host = self.catch_all();
        let field = format!("{}.port.protocol", cause.field);
        let unknown = Cause::new(&*cause.object, field, "HTTP_PROXY listeners are not modelled.");
        host.routes.iter_mut().for_each(|r| r.not_modelled = Some(unknown.clone()));
        RouteConfig { virtual_hosts: vec![host] }
    }

    fn virtual_host(&self, host: &str, service: Option<&Service>, port: u16, routes: Vec<Route>, object: &str) -> VirtualHost {
        let mut domains = vec![host.to_string()];
        if !host.starts_with('*') {
            domains.push(format!("{host}."));
        }
        if let Some(service) = service {
            domains.extend(self.short_forms(&service.host));
            for alias in &service.aliases {
                domains.push(alias.clone());
                domains.extend(self.short_forms(alias));
            }
            if service.resolution == Resolution::None && service.from == From::Kubernetes {
                let below: Vec<String> = domains.iter().map(|d| format!("*.{d}")).collect();
                domains.extend(below);
            }
            domains.extend(service.vips.iter().map(|(ip, _)| ip.to_string()));
        }
        let cause = Cause::new(object, "spec.hosts", "The host is known here.");
        VirtualHost { name: format!("{host}:{port}").into(), domains, routes, cause }
    }

    /// The short forms of a name in the cluster's zone, as the proxy's own search domains make them.
    pub fn short_forms(&self, host: &str) -> Vec<String> {
        let Some((name, ns)) = host.strip_suffix(".svc.cluster.local").and_then(|rest| rest.split_once('.')) else {
            return Vec::new();
        };
        let mut names = vec![format!("{name}.{ns}.svc"), format!("{name}.{ns}")];
        if ns == self.id.namespace {
            names.push(name.to_string());
        }
        names
    }

    /// What becomes of hosts that nothing names.
    pub fn catch_all(&self) -> VirtualHost {
        let policy = self.scope.beyond.cause.clone();
        let (name, action) = match &self.scope.beyond.http {
            None => ("block_all", Action::Direct(502, Text::default())),
            Some((name, cluster)) => {
                let to =
                    Weighted { cluster: cluster.clone().into(), weight: 1, cause: policy.clone(), headers: Default::default() };
                (*name, Action::Forward(vec![to]))
            }
        };
        let route = Route::plain(name, action, Retries::none(), policy.clone());
        VirtualHost { name: name.into(), domains: vec!["*".into()], routes: vec![route], cause: policy }
    }

    /// The route configuration of an unset protocol behind an address of its own: every host.
    pub fn sniffed_config(&self, service: &Service, port: u16) -> RouteConfig {
        let mut host =
            self.virtual_host(&service.host, Some(service), port, vec![self.plain_route(service, port)], &service.object);
        host.domains = vec!["*".into()];
        RouteConfig { virtual_hosts: vec![host] }
    }
}

/// The rules of the mesh that have a route on a port, and which registered host belongs to which.
struct Table<'s> {
    services: &'s [&'s Service],
    rules: Vec<(&'s VirtualService, Vec<Route>)>,
    /// Without entries when there are few services.
    by_host: Hosts<usize>,
    /// Hosts of `rules`: `(rule, host)`; without entries when there are few.
    rule_hosts: Hosts<(usize, usize)>,
    few_rules: bool,
}

impl<'s> Table<'s> {
    /// Rules bound to the mesh; on ports other than 80 only those for a host that is registered there. Where there is a question, only
    /// those for what it may mean.
    fn of(b: &'s Builder<'_>, (services, asked): (&'s [&'s Service], &[&Service]), port: u16) -> Table<'s> {
        let few_rules = b.scope.rules.iter().map(|vs| vs.hosts.len().max(1)).sum::<usize>() <= FEW;
        let (by_host, rule_hosts) = (Hosts::default(), Hosts::default());
        let mut table = Table { services, rules: Vec::new(), by_host, rule_hosts, few_rules };
        for (i, service) in services.iter().enumerate().filter(|_| services.len() > FEW) {
            table.by_host.add(&service.host, &Arc::new(i));
        }
        for vs in mattering(b, asked) {
            if port != 80 && !vs.hosts.iter().any(|h| table.knows(h)) {
                continue;
            }
            let own = |s: &&Service| s.namespace == vs.namespace && vs.hosts.contains(&s.host);
            if vs.of_gateway_api && b.id.namespace != vs.namespace && !services.iter().copied().any(|s| own(&s)) {
                continue;
            }
            let routes = b.routes(vs, port, "mesh");
            if routes.is_empty() {
                continue;
            }
            for (i, host) in vs.hosts.iter().enumerate().filter(|_| !few_rules) {
                table.rule_hosts.add(host, &Arc::new((table.rules.len(), i)));
            }
            table.rules.push((vs, routes));
        }
        table
    }

    fn knows(&self, host: &str) -> bool {
        self.near(host).iter().any(|s| overlaps(host, &s.host))
    }

    /// The services that may have a name in common with a host, in order.
    fn near(&self, host: &str) -> Vec<&'s Service> {
        if self.services.len() <= FEW {
            return self.services.to_vec();
        }
        let mut found = Vec::new();
        self.by_host.overlapping(host, usize::MAX, &mut found);
        let mut places: Vec<usize> = found.into_iter().map(|i| **i).collect();
        places.sort_unstable();
        places.dedup();
        places.into_iter().map(|i| self.services[i]).collect()
    }

    /// The registered hosts that belong to a host of a rule, in order.
    fn registered(&self, host: &str) -> Vec<&'s Service> {
        let near = self.near(host).into_iter();
        near.filter(|s| covers(host, &s.host) && self.is_most_specific(host, s)).collect()
    }

    /// A registered host belongs to the most specific host of any VirtualService only.
    fn is_most_specific(&self, host: &str, service: &Service) -> bool {
        let best = |hosts: &mut dyn Iterator<Item = &'s str>| {
            hosts.filter(|h| covers(h, &service.host)).max_by_key(|h| (!h.starts_with('*'), h.len()))
        };
        let best = match self.few_rules {
            true => best(&mut self.rules.iter().flat_map(|(vs, _)| vs.hosts.iter().map(String::as_str))),
            false => {
                let mut found = Vec::new();
                self.rule_hosts.covering(&service.host, &mut found);
                best(&mut found.into_iter().map(|place| self.rules[place.0].0.hosts[place.1].as_str()))
            }
        };
        best.is_none_or(|best| best == host)
    }
}

/// Which rules have a host that the question, if there is one, may mean. A wildcard among them is used up by registered hosts that
/// belong to other rules: then all matter.
fn mattering<'b>(b: &'b Builder<'_>, asked: &[&Service]) -> Vec<&'b VirtualService> {
    let of_mesh: Vec<&VirtualService> =
        b.scope.rules.iter().copied().filter(|vs| vs.gateways.iter().any(|g| g == "mesh")).collect();
    let Some(question) = b.scope.question else { return of_mesh };
    let meant = |host: &String| {
        finds_by_name(&b.id.namespace, question, host) || asked.iter().any(|service| overlaps(host, &service.host))
    };
    let some: Vec<&VirtualService> = of_mesh.iter().copied().filter(|vs| vs.hosts.iter().any(meant)).collect();
    if some.iter().any(|vs| vs.hosts.iter().any(|h| h.starts_with('*'))) { of_mesh } else { some }
}

/// Whether the service has routes in the configuration of this port.
pub fn routed_on(service: &Service, port: u16) -> bool {
    service.resolution != Resolution::Alias
        && service.port(port).is_some_and(|p| p.protocol.is_http() || (p.protocol == Protocol::Auto && service.vips.is_empty()))
}

/// Drops domains that an earlier virtual host has, and hosts that have none left.
pub fn first_come(hosts: Vec<VirtualHost>) -> Vec<VirtualHost> {
    let mut taken = std::collections::BTreeSet::new();
    let mut kept = Vec::new();
    for mut host in hosts {
        host.domains.retain(|d| taken.insert(d.clone()));
        if !host.domains.is_empty() {
            kept.push(host);
        }
    }
    kept
}
