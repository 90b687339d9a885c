//! `/clusters`, `/listeners`, `/server_info`, `/certs`, `/help` (S: envoy source/server/admin).

use super::{Desk, Page, bootstrap, dump, inbound};
use crate::mesh::capture;
use crate::mesh::envoy::{self, bootstrap::own_listeners};
use crate::mesh::proxy::{ClusterKind, EndpointHost};
use crate::outside::wire::DnsAnswer;
use serde_json::{Value, json};

/// A cluster with its addresses.
struct Row {
    name: String,
    /// From istiod rather than from the bootstrap.
    told: bool,
    eds: bool,
    hosts: Vec<Host>,
}

struct Host {
    address: Value,
    text: String,
    /// The name that it was resolved from.
    hostname: String,
}

fn socket(address: &str, port: u16) -> Host {
    let text = if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") };
    Host { address: envoy::socket(address, port), text, hostname: String::new() }
}

fn rows(desk: &Desk<'_>) -> Vec<Row> {
    let Some(proxy) = desk.model.proxy(desk.pod) else { return Vec::new() };
    let told = envoy::Told { proxy: &proxy, mesh: desk.model.mesh_config() };
    let seen = |name: &str| -> Vec<Host> {
        let counts = desk.memory.clusters.get(name);
        let addresses = counts.into_iter().flat_map(|c| &c.addresses);
        let split = addresses
            .filter_map(|a| a.rsplit_once(':').and_then(|(ip, port)| Some((ip.trim_matches(['[', ']']), port.parse().ok()?))));
        split.map(|(ip, port)| socket(ip, port)).collect()
    };
    let mut rows = Vec::new();
    for cluster in proxy.clusters.values() {
        let hosts = match cluster.kind {
            ClusterKind::OriginalDst => seen(&cluster.name),
            kind => {
                let first = if kind == ClusterKind::LogicalDns { 1 } else { usize::MAX };
                cluster.endpoints.iter().flat_map(|e| resolved(desk, &e.host, e.port, first)).collect()
            }
        };
        rows.push(Row { name: cluster.name.clone().into(), told: true, eds: cluster.kind == ClusterKind::Eds, hosts });
    }
    for cluster in envoy::clusters::built_in(&told) {
        let name = cluster["name"].as_str().unwrap_or("").to_string();
        let hosts = seen(&name);
        rows.push(Row { name, told: true, eds: false, hosts });
    }
    if !capture::is_gateway(desk.pod) {
        for port in inbound::served(desk.model, desk.pod) {
            let name = format!("inbound|{}||", port.target);
            let hosts = seen(&name);
            rows.push(Row { name, told: true, eds: false, hosts });
        }
    }
    for cluster in bootstrap::own_clusters() {
        let address = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"].clone();
        let host = match address["socket_address"]["port_value"].as_u64().and_then(|p| u16::try_from(p).ok()) {
            Some(port) => socket(address["socket_address"]["address"].as_str().unwrap_or(""), port),
            None => {
                let text = address["pipe"]["path"].as_str().unwrap_or("").to_string();
                Host { address, text, hostname: String::new() }
            }
        };
        rows.push(Row { name: cluster["name"].as_str().unwrap_or("").into(), told: false, eds: false, hosts: vec![host] });
    }
    rows
}

fn resolved(desk: &Desk<'_>, host: &EndpointHost, port: u16, most: usize) -> Vec<Host> {
    match host {
        EndpointHost::Address(ip) => vec![socket(&ip.to_string(), port)],
        EndpointHost::Name(name) => match desk.model.resolve(desk.pod, name, desk.outside) {
            DnsAnswer::Addresses { addresses, .. } => {
                let v4 = addresses.iter().filter(|ip| ip.is_ipv4()).take(most);
                v4.map(|ip| Host { hostname: name.clone(), ..socket(&ip.to_string(), port) }).collect()
            }
            _ => Vec::new(),
        },
    }
}

/// `/clusters`.
pub fn clusters(desk: &Desk<'_>, as_json: bool) -> Page {
    let rows = rows(desk);
    if as_json {
        let statuses: Vec<Value> = rows.iter().map(|row| status(desk, row)).collect();
        return Page::json(dump::printed("Clusters", &json!({ "cluster_statuses": statuses })));
    }
    let mut text = String::new();
    for row in rows {
        let name = &row.name;
        let most = if row.told && name != "BlackHoleCluster" { u32::MAX } else { 1024 };
        text.push_str(&format!("{name}::observability_name::{name};\n"));
        for limit in ["max_connections", "max_pending_requests", "max_requests"] {
            text.push_str(&format!("{name}::default_priority::{limit}::{most}\n"));
        }
        let retries = if most == 1024 { 3 } else { most };
        text.push_str(&format!("{name}::default_priority::max_retries::{retries}\n"));
        for limit in ["max_connections", "max_pending_requests", "max_requests", "max_retries"] {
            text.push_str(&format!("{name}::high_priority::{limit}::{}\n", if limit == "max_retries" { 3 } else { 1024 }));
        }
        text.push_str(&format!("{name}::added_via_api::{}\n", row.told));
        if row.eds {
            text.push_str(&format!("{name}::eds_service_name::{name}\n"));
        }
        for host in &row.hosts {
            let mut stats = numbers(desk, name, &host.text).to_vec();
            stats.extend([("hostname", host.hostname.clone()), ("health_flags", "healthy".into()), ("weight", "1".into())]);
            stats.extend(["region", "zone", "sub_zone"].map(|part| (part, String::new())));
            stats.extend([("canary", "false".into()), ("priority", "0".into())]);
            stats.extend(["success_rate", "local_origin_success_rate"].map(|rate| (rate, "-1".into())));
            for (stat, value) in stats {
                text.push_str(&format!("{name}::{}::{stat}::{value}\n", host.text));
            }
        }
    }
    Page::text(200, text)
}

/// Counters of one address. Which of several had how many is not remembered: they stand at a cluster's only address.
fn numbers(desk: &Desk<'_>, cluster: &str, address: &str) -> [(&'static str, String); 9] {
    let counts = desk.memory.clusters.get(cluster).filter(|c| c.addresses.len() == 1 && c.addresses.contains(address));
    let counts = counts.cloned().unwrap_or_default();
    let good: u64 = counts.by_class.iter().filter(|(class, _)| **class < 5).map(|(_, n)| n).sum();
    let bad = counts.requests.saturating_sub(good);
    [
        ("cx_active", 0),
        ("cx_connect_fail", counts.connect_failures),
        ("cx_total", counts.connections),
        ("rq_active", 0),
        ("rq_error", bad),
        ("rq_pending_active", 0),
        ("rq_success", good),
        ("rq_timeout", 0),
        ("rq_total", counts.requests),
    ]
    .map(|(name, value)| (name, value.to_string()))
}

fn status(desk: &Desk<'_>, row: &Row) -> Value {
    let hosts: Vec<Value> = row
        .hosts
        .iter()
        .map(|host| {
            let numbers = numbers(desk, &row.name, &host.text);
            let (gauges, counters): (Vec<_>, Vec<_>) = numbers.into_iter().partition(|(name, _)| name.ends_with("active"));
            let counters = counters.into_iter().map(|(name, value)| json!({ "name": name, "value": value }));
            let gauges = gauges.into_iter().map(|(name, value)| json!({ "name": name, "type": "GAUGE", "value": value }));
            let stats: Vec<Value> = counters.chain(gauges).collect();
            json!({
                "address": host.address,
                "stats": stats,
                "health_status": { "eds_health_status": "HEALTHY" },
                "weight": 1,
                "hostname": host.hostname,
                "locality": {},
            })
        })
        .collect();
    let most = u32::MAX;
    let threshold = |priority: &str, n: u32, retries: u32| json!({ "priority": priority, "max_connections": n, "max_pending_requests": n, "max_requests": n, "max_retries": retries });
    let default = if row.told && row.name != "BlackHoleCluster" { (most, most) } else { (1024, 3) };
    json!({
        "name": row.name,
        "added_via_api": row.told,
        "host_statuses": hosts,
        "circuit_breakers": { "thresholds": [threshold("DEFAULT", default.0, default.1), threshold("HIGH", 1024, 3)] },
        "observability_name": format!("{};", row.name),
        "eds_service_name": if row.eds { row.name.as_str() } else { "" },
    })
}

/// `/listeners`.
pub fn listeners(desk: &Desk<'_>, as_json: bool) -> Page {
    let Some(proxy) = desk.model.proxy(desk.pod) else { return Page::text(200, String::new()) };
    let told = envoy::Told { proxy: &proxy, mesh: desk.model.mesh_config() };
    let mut all: Vec<Value> = own_listeners();
    all.extend(envoy::listeners(&told));
    if !told.proxy.gateway {
        all.push(inbound::listener(&told, &[]));
    }
    let place = |l: &Value| {
        let socket = &l["address"]["socket_address"];
        (socket["address"].as_str().unwrap_or("").to_string(), socket["port_value"].as_u64().unwrap_or(0))
    };
    if as_json {
        let status = |l: &Value| {
            let (address, port) = place(l);
            let name = l["name"].as_str().map_or_else(|| desk.name(&format!("listener-{port}")), str::to_string);
            json!({ "name": name, "local_address": { "socket_address": { "address": address, "port_value": port } } })
        };
        let statuses: Vec<Value> = all.iter().map(status).collect();
        return Page::json(dump::printed("Listeners", &json!({ "listener_statuses": statuses })));
    }
    let line = |l: &Value| {
        let (address, port) = place(l);
        let name = l["name"].as_str().map_or_else(|| desk.name(&format!("listener-{port}")), str::to_string);
        format!("{name}::{address}:{port}\n")
    };
    Page::text(200, all.iter().map(line).collect())
}

/// `/server_info`, as far as it is known.
pub fn server_info(desk: &Desk<'_>) -> Page {
    let bootstrap = bootstrap::bootstrap(desk.pod);
    let version = &bootstrap["node"]["user_agent_build_version"]["version"];
    let text = format!("{}.{}.0/Clean/RELEASE/BoringSSL", version["major_number"], version["minor_number"]);
    let mut options = json!({ "concurrency": 2, "config_path": "etc/istio/proxy/envoy-rev.json", "log_level": "warning" });
    options["component_log_level"] = json!("misc:error");
    let up = desk.uptime();
    Page::json(dump::printed(
        "ServerInfo",
        &json!({
            "version": text,
            "state": "LIVE",
            "hot_restart_version": "disabled",
            "command_line_options": options,
            "node": bootstrap["node"],
            "uptime_current_epoch": up,
            "uptime_all_epochs": up,
        }),
    ))
}

/// `/help`, and what follows the words about a page that there is not: Envoy 1.40's own text.
pub const HELP: &str = include_str!("../../../assets/envoy/admin-help.txt");

/// Whether Envoy has this page.
pub fn is_page(path: &str) -> bool {
    pages().any(|(name, _)| name == path)
}

/// Whether the page changes something, so that it has to be asked for with POST.
pub fn changes(path: &str) -> bool {
    pages().any(|(name, posted)| name == path && posted)
}

fn pages() -> impl Iterator<Item = (&'static str, bool)> {
    let lines = HELP.lines().filter(|line| line.starts_with("  /")).map(str::trim);
    lines.map(|line| {
        let head = line.split(": ").next().unwrap_or(line);
        head.strip_suffix(" (POST)").map_or((head, false), |name| (name, true))
    })
}
