//! `proxy-config listeners` (S: istioctl/pkg/writer/envoy/configdump/listener.go).

use super::dump::{at, list, number, text};
use crate::istioctl::go_sort;
use serde_json::Value;

const HTTP: &str = "envoy.filters.network.http_connection_manager";
const TCP: &str = "envoy.filters.network.tcp_proxy";

/// Sets of protocols that have a name.
const PROTOCOLS: &[(&str, &[&str])] = &[
    ("App: HTTP TLS", &["http/1.0", "http/1.1", "h2c", "istio-http/1.0", "istio-http/1.1", "istio-h2"]),
    ("App: Istio HTTP Plain", &["istio", "istio-http/1.0", "istio-http/1.1", "istio-h2"]),
    ("App: TCP TLS", &["istio-peer-exchange", "istio"]),
    ("App: HTTP", &["http/1.0", "http/1.1", "h2c"]),
];

/// Which listeners are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub address: String,
    pub port: u64,
    pub kind: String,
    /// Whether matches and destinations are shown rather than the type.
    pub verbose: bool,
}

impl Filter {
    /// Whether this listener is wanted.
    pub fn takes(&self, listener: &Value) -> bool {
        let addressed = self.address.is_empty() || addresses(listener).iter().any(|a| a.eq_ignore_ascii_case(&self.address));
        let kind = self.kind.is_empty() || kind(listener).eq_ignore_ascii_case(&self.kind);
        addressed && kind && (self.port == 0 || port(listener) == self.port)
    }
}

/// The table's rows, its head first; `named`: with the column of `proxy-config all`.
pub fn rows(listeners: &[&Value], filter: &Filter, named: bool) -> Vec<Vec<String>> {
    let mut wanted: Vec<&Value> = listeners.iter().copied().filter(|l| filter.takes(l)).collect();
    go_sort::slice(&mut wanted, |a, b| (port(a), address(a), kind(a)) < (port(b), address(b), kind(b)));
    let head = if filter.verbose { vec!["ADDRESSES", "PORT", "MATCH", "DESTINATION"] } else { vec!["ADDRESSES", "PORT", "TYPE"] };
    let mut rows = vec![head.into_iter().map(str::to_string).collect::<Vec<_>>()];
    for listener in wanted {
        let place = [addresses(listener).join(","), port(listener).to_string()];
        match filter.verbose {
            false => rows.push([place.to_vec(), vec![kind(listener).to_string()]].concat()),
            true => {
                let mut pairs: Vec<(String, String)> = chains(listener).map(|c| (matches(c), destination(c))).collect();
                go_sort::slice(&mut pairs, |a, b| a.1 > b.1);
                rows.extend(pairs.into_iter().map(|(matches, to)| [place.to_vec(), vec![matches, to]].concat()));
            }
        }
        if named {
            let name = format!("listener/{}", text(listener, "name"));
            rows.iter_mut().filter(|row| row.len() < if filter.verbose { 5 } else { 4 }).skip(1).for_each(|row| {
                row.insert(0, name.clone());
            });
        }
    }
    if named && let Some(head) = rows.first_mut() {
        head.insert(0, "NAME".into());
    }
    rows
}

fn chains(listener: &Value) -> impl Iterator<Item = &Value> {
    let default = Some(at(listener, "default_filter_chain")).filter(|chain| !chain.is_null());
    list(listener, "filter_chains").chain(default)
}

fn socket(address: &Value) -> &Value {
    at(address, "socket_address")
}

fn address(listener: &Value) -> &str {
    let address = at(listener, "address");
    match socket(address) {
        Value::Null => text(at(address, "pipe"), "path"),
        socket => text(socket, "address"),
    }
}

fn addresses(listener: &Value) -> Vec<&str> {
    let more = list(listener, "additional_addresses").map(|a| text(socket(at(a, "address")), "address"));
    std::iter::once(address(listener)).chain(more).collect()
}

fn port(listener: &Value) -> u64 {
    number(socket(at(listener, "address")), "port_value")
}

/// HTTP, TCP, HTTP+TCP or UNKNOWN; chains that lead nowhere do not count as TCP.
fn kind(listener: &Value) -> &'static str {
    let filters = || chains(listener).flat_map(|chain| list(chain, "filters"));
    let http = filters().any(|f| f["name"] == HTTP);
    let tcp = filters().any(|f| f["name"] == TCP && !leads_nowhere(f));
    match (http, tcp) {
        (true, true) => "HTTP+TCP",
        (true, false) => "HTTP",
        (false, true) => "TCP",
        (false, false) => "UNKNOWN",
    }
}

fn leads_nowhere(filter: &Value) -> bool {
    at(filter, "typed_config").to_string().contains("BlackHoleCluster")
}

fn matches(chain: &Value) -> String {
    let wanted = at(chain, "filter_chain_match");
    let texts = |name: &str| list(wanted, name).filter_map(Value::as_str).collect::<Vec<_>>();
    let mut parts = Vec::new();
    let (names, protocols) = (texts("server_names"), texts("application_protocols"));
    if !names.is_empty() {
        parts.push(format!("SNI: {}", names.join(",")));
    }
    let transport = text(wanted, "transport_protocol");
    if !transport.is_empty() {
        parts.push(format!("Trans: {transport}"));
    }
    if !protocols.is_empty() {
        let known = PROTOCOLS.iter().find(|(_, set)| *set == protocols.as_slice());
        parts.push(known.map_or_else(|| format!("App: {}", protocols.join(",")), |(name, _)| name.to_string()));
    }
    let port = match at(wanted, "destination_port") {
        Value::Null => String::new(),
        _ => format!(":{}", number(wanted, "destination_port")),
    };
    let range = |r: &Value| format!("{}/{}", text(r, "address_prefix"), number(r, "prefix_len"));
    let ranges: Vec<String> = list(wanted, "prefix_ranges").map(range).collect();
    match (ranges.is_empty(), port.is_empty()) {
        (false, _) => parts.push(format!("Addr: {}{port}", ranges.join(","))),
        (true, false) => parts.push(format!("Addr: *{port}")),
        (true, true) => (),
    }
    if parts.is_empty() { "ALL".into() } else { parts.join("; ") }
}

fn destination(chain: &Value) -> String {
    for filter in list(chain, "filters") {
        let config = at(filter, "typed_config");
        match filter["name"].as_str() {
            Some(HTTP) if !at(config, "route_config").is_null() => return inline(at(config, "route_config")),
            Some(HTTP) => {
                return match text(at(config, "rds"), "route_config_name") {
                    "" => "HTTP".into(),
                    name => format!("Route: {name}"),
                };
            }
            Some(TCP) if !leads_nowhere(filter) => return cluster(text(config, "cluster")),
            _ => (),
        }
    }
    "Non-HTTP/Non-TCP".into()
}

fn cluster(name: &str) -> String {
    if name.contains("Cluster") { name.to_string() } else { format!("Cluster: {name}") }
}

/// A route configuration that stands in the listener itself.
fn inline(routes: &Value) -> String {
    let hosts: Vec<&Value> = list(routes, "virtual_hosts").collect();
    if let [host] = hosts.as_slice()
        && let [domain] = list(host, "domains").collect::<Vec<_>>().as_slice()
        && let [route] = list(host, "routes").collect::<Vec<_>>().as_slice()
        && **domain == "*"
        && text(at(route, "match"), "prefix") == "/"
        && let Some(name) = at(at(route, "route"), "cluster").as_str()
    {
        return cluster(name);
    }
    let host = |host: &&Value| {
        let domains: Vec<&str> = list(host, "domains").filter_map(Value::as_str).collect();
        let routes: Vec<String> = list(host, "routes").map(|r| path(at(r, "match"))).collect();
        match domains.as_slice() {
            ["*"] | [] => routes.join(", "),
            domains => format!("{} {}", domains.join("/"), routes.join(", ")),
        }
    };
    format!("Inline Route: {}", hosts.iter().map(host).collect::<Vec<_>>().join("; "))
}

/// A route's condition on the path: `/*`, `/exact`, `PathPrefix:/x`, `regex ..`.
pub fn path(wanted: &Value) -> String {
    let mut parts = Vec::new();
    for (name, before, after) in [("prefix", "", "*"), ("path_separated_prefix", "PathPrefix:", ""), ("path", "", "")] {
        match text(wanted, name) {
            "" => (),
            path => parts.push(format!("{before}{path}{after}")),
        }
    }
    if !at(wanted, "safe_regex").is_null() {
        parts.push(format!("regex {}", text(at(wanted, "safe_regex"), "regex")));
    }
    parts.join(" ")
}
