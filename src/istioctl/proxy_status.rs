//! `istioctl proxy-status`: whether proxies have what istiod sent (S: istioctl/pkg/{proxystatus,writer/pilot,writer/compare}). Read from
//! istiod's debug page through port-forward; istioctl itself asks the same over XDS.

use super::args::{self, Flag, valued};
use super::proxy_config::dump::{Dump, at, list, message, text};
use super::{Context, Stop, api, forward, pods, table};
use crate::base::clock::Time;
use crate::base::diff;
use crate::base::duration::human;
use crate::base::io::Io;
use crate::base::not_simulated;
use crate::base::order::Order;
use crate::mesh::admin::json::{Style, write};
use crate::mesh::versions;
use serde_json::{Value, json};

const FLAGS: &[Flag] = &[
    valued("output", Some('o')),
    valued("verbosity", Some('v')),
    valued("file", None),
    valued("proxy-admin-port", None),
    valued("revision", Some('r')),
    valued("timeout", None),
    valued("xds-address", None),
    valued("xds-label", None),
    valued("xds-port", None),
    valued("cert-dir", None),
];

/// Short names of the types in the order of the columns that releases before 1.27 print.
const COLUMNS: &[&str] = &["CDS", "LDS", "EDS", "RDS", "ECDS"];
const SHORT: &[(&str, &str, &str)] = &[
    ("CDS", "cluster", "type.googleapis.com/envoy.config.cluster.v3.Cluster"),
    ("LDS", "listener", "type.googleapis.com/envoy.config.listener.v3.Listener"),
    ("EDS", "endpoint", "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"),
    ("RDS", "route", "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"),
    ("ECDS", "extensionconfig", "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"),
];

/// What one proxy has.
struct Row {
    proxy: String,
    cluster: String,
    istiod: String,
    version: String,
    /// State by short name; none: never asked for.
    states: Vec<(&'static str, String)>,
}

/// Runs the command.
pub async fn run(context: &Context, io: &mut Io, words: &[&str]) -> Result<(), Stop> {
    let parsed = args::parse(words, FLAGS)?;
    if let Some(flag) = ["xds-address", "cert-dir", "xds-label", "xds-port"].into_iter().find(|f| parsed.last(f).is_some()) {
        return Err(Stop::failed(not_simulated(&format!("istioctl proxy-status --{flag}"))));
    }
    if let Some(pod) = parsed.operands.first() {
        return compare(context, io, pod, &parsed).await;
    }
    let namespace = parsed.last("namespace").unwrap_or("");
    let output = parsed.last("output").unwrap_or("table");
    match output {
        "table" => (),
        "json" | "yaml" => return Err(Stop::failed(not_simulated(&format!("istioctl proxy-status -o {output}")))),
        other => return Err(Stop::failed(format!("output format {other:?} not supported"))),
    }
    let mut rows = Vec::new();
    for (istiod, namespace_of) in istiods(context).await? {
        let page = format!("debug/syncz?namespace={}", api::encode(namespace));
        let bytes = forward::fetch(&context.client, &namespace_of, &istiod, 8080, "GET", &page).await;
        let bytes = bytes.map_err(|why| Stop::failed(format!("could not get XDS from discovery pod {istiod:?}: {why}")))?;
        let all: Value = serde_json::from_slice(&bytes).map_err(|e| Stop::failed(format!("istiod's answer is no JSON: {e}")))?;
        rows.extend(all.as_array().into_iter().flatten().map(|synced| row(synced, &istiod, api::now())));
    }
    rows.order_by(|a: &Row, b| a.proxy.cmp(&b.proxy));
    let release = versions::find(&context.version).unwrap_or_else(versions::default_release);
    let verbose = parsed.last("verbosity").is_some_and(|v| v != "0");
    let lines = match (release.proxy_status_columns.as_str(), verbose) {
        ("types", _) => by_type(&rows, COLUMNS),
        (_, true) => by_type(&rows, &["CDS", "ECDS", "EDS", "LDS", "RDS"]),
        _ => subscribed(&rows),
    };
    io.write(table::write(&lines, 5).as_bytes());
    Ok(())
}

/// The running pods of istiod.
async fn istiods(context: &Context) -> Result<Vec<(String, String)>, Stop> {
    let selector = api::encode("app=istiod");
    let path = format!("/api/v1/namespaces/istio-system/pods?labelSelector={selector}&fieldSelector=status.phase%3DRunning");
    let found = api::read(&context.client, &path).await?.unwrap_or(Value::Null);
    let name = |pod: &Value| (text(&pod["metadata"], "name").to_string(), text(&pod["metadata"], "namespace").to_string());
    let all: Vec<_> = list(&found, "items").map(name).collect();
    match all.is_empty() {
        true => Err(Stop::failed("no running Istio pods in \"istio-system\"")),
        false => Ok(all),
    }
}

fn row(synced: &Value, istiod: &str, now: Time) -> Row {
    let state = |(short, word, url): &(&'static str, &str, &str)| {
        let resource = &at(synced, "resources")[*url];
        let sent = text(synced, &format!("{word}_sent"));
        let acked = text(synced, &format!("{word}_acked"));
        if resource.is_null() && sent.is_empty() {
            return None;
        }
        let name = match (sent.is_empty(), sent == acked) {
            (true, _) => return Some((*short, "NOT SENT".to_string())),
            (_, true) => "SYNCED",
            _ => "STALE",
        };
        let age = Time::parse(text(resource, "sentTime")).map(|then| human(now.since(then)));
        Some((*short, age.map_or_else(|| name.to_string(), |age| format!("{name} ({age})"))))
    };
    Row {
        proxy: text(synced, "proxy").to_string(),
        cluster: text(synced, "cluster_id").to_string(),
        istiod: istiod.to_string(),
        version: text(synced, "istio_version").to_string(),
        states: SHORT.iter().filter_map(state).collect(),
    }
}

/// One column for each type; a proxy that never asked for one (a gateway without any Gateway for routes) ignores it.
fn by_type(rows: &[Row], columns: &[&str]) -> Vec<Vec<String>> {
    let head = [&["NAME", "CLUSTER"], columns, &["ISTIOD", "VERSION"]].concat();
    let mut lines = vec![head.into_iter().map(str::to_string).collect::<Vec<_>>()];
    for row in rows {
        let mut cells = vec![row.proxy.clone(), row.cluster.clone()];
        for column in columns {
            let state = row.states.iter().find(|(short, _)| short == column).map(|(_, state)| state.clone());
            cells.push(state.unwrap_or_else(|| "IGNORED".into()));
        }
        cells.extend([row.istiod.clone(), row.version.clone()]);
        lines.push(cells);
    }
    lines
}

fn subscribed(rows: &[Row]) -> Vec<Vec<String>> {
    let mut lines = vec![table::row(["NAME", "CLUSTER", "ISTIOD", "VERSION", "SUBSCRIBED TYPES"])];
    for row in rows {
        let types: Vec<&str> = row.states.iter().map(|(short, _)| *short).collect();
        let last = if types.is_empty() { "0".into() } else { format!("{} ({})", types.len(), types.join(",")) };
        lines.push(vec![row.proxy.clone(), row.cluster.clone(), row.istiod.clone(), row.version.clone(), last]);
    }
    lines
}

/// `proxy-status POD`: what istiod would send against what the proxy has.
async fn compare(context: &Context, io: &mut Io, operand: &str, parsed: &args::Parsed) -> Result<(), Stop> {
    let namespace = parsed.last("namespace").unwrap_or(&context.namespace);
    let (pod, namespace) = pods::find(context, operand, namespace).await?;
    let port = parsed.last("proxy-admin-port").and_then(|p| p.parse().ok()).unwrap_or(15000);
    let envoy = match parsed.last("file") {
        Some(file) => io.files.read(file).map_err(|e| Stop::failed(format!("open {file}: {}", super::file_words(&e))))?,
        None => forward::fetch(&context.client, &namespace, &pod, port, "GET", "config_dump")
            .await
            .map_err(|why| Stop::failed(format!("could not contact sidecar: {why}")))?,
    };
    let mut found = None;
    for (istiod, of) in istiods(context).await? {
        let page = format!("debug/config_dump?proxyID={pod}.{namespace}");
        if let Ok(bytes) = forward::fetch(&context.client, &of, &istiod, 8080, "GET", &page).await {
            found = Some(bytes);
            break;
        }
    }
    let Some(istiod) = found else {
        return Err(Stop::failed(
            "Proxy is not connected to any Pilot instance. Perhaps the proxy has been disconnected or the pod is not part of the mesh.",
        ));
    };
    let (envoy, istiod) = (Dump::read(&envoy)?, Dump::read(&istiod)?);
    for (part, what) in [("ClustersConfigDump", "Clusters"), ("ListenersConfigDump", "Listeners"), ("RoutesConfigDump", "Routes")]
    {
        let loaded = if what == "Routes" { last_loaded(&envoy) } else { String::new() };
        let texts = [&istiod, &envoy].map(|dump| comparable(dump, part));
        if texts[0] == texts[1] {
            io.say(&format!("{what} Match{loaded}"));
            continue;
        }
        io.say(&format!("{what} Don't Match{loaded}"));
        let (from, to) = (format!("Istiod {what}"), format!("Envoy {what}"));
        let shown = diff::Shown { around: 7, names: Some((&from, &to)), tells_end: true };
        io.say(&diff::unified(&texts[0], &texts[1], shown));
    }
    Ok(())
}

/// ` (RDS last loaded at ..)`: the newest of the dynamic route configurations.
fn last_loaded(envoy: &Dump) -> String {
    let Ok(section) = envoy.section("RoutesConfigDump") else { return String::new() };
    let newest = list(section, "dynamic_route_configs").filter_map(|r| Time::parse(text(r, "last_updated"))).max();
    // RFC 1123 with the name of the zone, which http dates have too.
    newest.map_or_else(String::new, |at| format!(" (RDS last loaded at {})", at.http_date().replace("GMT", "UTC")))
}

/// The dynamic members without versions and times, by name.
fn comparable(dump: &Dump, part: &str) -> String {
    let section = match dump.section(part) {
        Ok(section) => section,
        Err(stop) => return stop.message,
    };
    let (name, inner) = match part {
        "ClustersConfigDump" => ("dynamic_active_clusters", "cluster"),
        "ListenersConfigDump" => ("dynamic_listeners", "listener"),
        _ => ("dynamic_route_configs", "route_config"),
    };
    let mut all: Vec<Value> = list(section, name)
        .map(|member| {
            let holder = if part == "ListenersConfigDump" { at(member, "active_state") } else { member };
            at(holder, inner).clone()
        })
        .filter(|value| !value.is_null())
        .collect();
    all.order_by_key(|value| text(value, "name").to_string());
    for route in &mut all {
        if let Some(hosts) = route.get_mut("virtual_hosts").and_then(Value::as_array_mut) {
            hosts.order_by_key(|host| text(host, "name").to_string());
        }
    }
    let wrapped: Vec<Value> = match part {
        "ListenersConfigDump" => all.into_iter().map(|l| json!({ "active_state": { "listener": l } })).collect(),
        _ => all.into_iter().map(|v| json!({ inner: v })).collect(),
    };
    write(message(&format!("envoy.admin.v3.{part}")), &json!({ name: wrapped }), Style::Go, "    ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn synced() -> Value {
        json!({"cluster_id": "Kubernetes", "proxy": "a.default", "istio_version": "1.30.0",
            "cluster_sent": "x", "cluster_acked": "x", "listener_sent": "x", "listener_acked": "y", "endpoint_sent": "z", "endpoint_acked": "z",
            "resources": {"type.googleapis.com/envoy.config.cluster.v3.Cluster": {"sent": "x", "sentTime": "2026-01-01T09:00:00Z"},
                "type.googleapis.com/envoy.config.route.v3.RouteConfiguration": {}}})
    }

    #[test]
    fn the_table_has_the_columns_of_the_release() {
        let now = Time::parse("2026-01-01T09:05:13Z").expect("a time");
        let rows = [row(&synced(), "istiod-1", now)];
        assert_eq!(
            table::write(&subscribed(&rows), 5),
            "NAME          CLUSTER        ISTIOD       VERSION     SUBSCRIBED TYPES\n\
             a.default     Kubernetes     istiod-1     1.30.0      4 (CDS,LDS,EDS,RDS)\n"
        );
        assert_eq!(
            table::write(&by_type(&rows, COLUMNS), 5),
            "NAME          CLUSTER        CDS                LDS       EDS        RDS          ECDS        ISTIOD       VERSION\n\
             a.default     Kubernetes     SYNCED (5m13s)     STALE     SYNCED     NOT SENT     IGNORED     istiod-1     1.30.0\n"
        );
    }
}
