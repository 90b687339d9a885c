//! `/stats`: counters of which this program knows the truth, under the names that Istio lets Envoy keep (S: pkg/bootstrap/config.go
//! getStatsOptions). A cluster's own counters are kept only where the pod's annotations ask for them, as in Istio.

use super::{Desk, Page, dump};
use crate::mesh::admin::memory::Answered;
use regex::Regex;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What Istio always keeps.
const PREFIXES: &[&str] =
    &["cluster_manager", "listener_manager", "server", "cluster.xds-grpc", "wasm", "istiocustom", "istio_", "component"];

/// The page: text, JSON, or Prometheus' format.
pub fn page(desk: &Desk<'_>, query: &[(String, String)], prometheus: bool) -> Page {
    let get = |name: &str| query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    let prometheus = prometheus || get("format") == Some("prometheus");
    let filter = match get("filter").map(Regex::new).transpose() {
        Ok(filter) => filter,
        Err(_) => return Page::text(400, "Invalid re2 regex".into()),
    };
    let used = get("usedonly").is_some();
    let wanted = |name: &str, value: u64| (!used || value > 0) && filter.as_ref().is_none_or(|f| f.is_match(name));
    let plain: BTreeMap<String, u64> = all(desk).into_iter().filter(|(name, value)| wanted(name, *value)).collect();
    if prometheus {
        return Page::text(200, as_prometheus(desk, &plain, &wanted));
    }
    let mut rows: BTreeMap<String, u64> = plain;
    for (row, count) in &desk.memory.requests {
        let labels: String = labels(desk, row).iter().map(|(k, v)| format!("{k}.{v}.")).collect();
        let name = format!("istiocustom.{}.{}", metric(row), labels.trim_end_matches('.'));
        if wanted(&name, *count) {
            rows.insert(name, *count);
        }
    }
    match get("format") {
        Some("json") => {
            let list: Vec<Value> = rows.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
            Page::json(json!({ "stats": list }).to_string())
        }
        None | Some("text") => Page::text(200, rows.iter().map(|(name, value)| format!("{name}: {value}\n")).collect()),
        Some("html" | "active-html") => Page { not_simulated: true, ..Page::text(501, String::new()) },
        Some(_) => Page::text(400, "usage: /stats?format=(html|active-html|json|prometheus|text)\n\n".into()),
    }
}

/// Names and values.
fn all(desk: &Desk<'_>) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    let parts = dump::parts(desk, false);
    let part = |name: &str| parts.iter().find(|p| p["@type"].as_str().is_some_and(|t| t.ends_with(name)));
    let length = |part: Option<&Value>, list: &str| part.and_then(|p| p[list].as_array()).map_or(0, |l| l.len() as u64);
    let (clusters, listeners) = (part("ClustersConfigDump"), part("ListenersConfigDump"));
    let active = length(clusters, "dynamic_active_clusters") + length(clusters, "static_clusters");
    let heard = length(listeners, "dynamic_listeners") + length(listeners, "static_listeners");
    all.insert("cluster_manager.active_clusters".into(), active);
    all.insert("cluster_manager.cds.update_success".into(), desk.push.nth);
    all.insert("cluster_manager.cds.update_rejected".into(), 0);
    all.insert("cluster_manager.warming_clusters".into(), 0);
    all.insert("listener_manager.lds.update_success".into(), desk.push.nth);
    all.insert("listener_manager.lds.update_rejected".into(), 0);
    all.insert("listener_manager.total_listeners_active".into(), heard);
    all.insert("listener_manager.workers_started".into(), 1);
    all.insert("server.live".into(), 1);
    all.insert("server.uptime".into(), desk.uptime_seconds());
    for (name, counts) in &desk.memory.clusters {
        let mut put = |stat: &str, value: u64| {
            let name = format!("cluster.{name};.{stat}");
            if kept(desk, &name) {
                all.insert(name, value);
            }
        };
        put("upstream_cx_total", counts.connections);
        put("upstream_cx_connect_fail", counts.connect_failures);
        if counts.http {
            put("upstream_rq_total", counts.requests);
            for (class, n) in &counts.by_class {
                put(&format!("upstream_rq_{class}xx"), *n);
            }
        }
    }
    all
}

/// Whether Istio lets Envoy keep a counter.
fn kept(desk: &Desk<'_>, name: &str) -> bool {
    let list = |what: &str| desk.pod.annotation(&format!("sidecar.istio.io/statsInclusion{what}")).unwrap_or("").to_string();
    let any = |text: &str, test: &dyn Fn(&str) -> bool| text.split(',').map(str::trim).filter(|t| !t.is_empty()).any(test);
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || any(&list("Prefixes"), &|prefix| name.starts_with(prefix))
        || any(&list("Suffixes"), &|suffix| name.ends_with(suffix))
        || any(&list("Regexps"), &|regex| Regex::new(regex).is_ok_and(|r| r.is_match(name)))
}

fn metric(row: &Answered) -> &'static str {
    if row.status > 0 { "istio_requests_total" } else { "istio_tcp_connections_opened_total" }
}

/// The labels of Istio's metrics that are known here.
fn labels(desk: &Desk<'_>, row: &Answered) -> Vec<(&'static str, String)> {
    let workload = desk.pod.label("service.istio.io/canonical-name").unwrap_or("unknown").to_string();
    let side = if row.inbound { "destination" } else { "source" };
    let host = row.cluster.split('|').nth(3).filter(|h| !h.is_empty()).unwrap_or(match row.cluster.as_str() {
        "" => "unknown",
        name => name,
    });
    let names = match row.inbound {
        true => ("destination_workload", "destination_workload_namespace"),
        false => ("source_workload", "source_workload_namespace"),
    };
    let mut all = vec![("reporter", side.to_string()), (names.0, workload)];
    all.push((names.1, desk.pod.namespace().to_string()));
    all.push(("destination_service", host.to_string()));
    all.push(("request_protocol", if row.status > 0 { "http" } else { "tcp" }.to_string()));
    if row.status > 0 {
        all.push(("response_code", row.status.to_string()));
    }
    all.push(("response_flags", row.flags.clone()));
    all
}

fn as_prometheus(desk: &Desk<'_>, plain: &BTreeMap<String, u64>, wanted: &dyn Fn(&str, u64) -> bool) -> String {
    let mut text = String::new();
    for name in ["istio_requests_total", "istio_tcp_connections_opened_total"] {
        let rows: Vec<_> = desk.memory.requests.iter().filter(|(row, n)| metric(row) == name && wanted(name, **n)).collect();
        if rows.is_empty() {
            continue;
        }
        text.push_str(&format!("# TYPE {name} counter\n"));
        for (row, n) in rows {
            let pairs: Vec<String> = labels(desk, row).iter().map(|(k, v)| format!("{k}=\"{v}\"")).collect();
            text.push_str(&format!("{name}{{{}}} {n}\n\n", pairs.join(",")));
        }
    }
    for (name, value) in plain {
        let (base, label) = match name.strip_prefix("cluster.").and_then(|rest| rest.split_once(";.")) {
            Some((cluster, stat)) => (format!("cluster_{stat}"), format!("{{cluster_name=\"{cluster};\"}}")),
            None => (name.clone(), "{}".to_string()),
        };
        let safe: String = base.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
        let gauge = ["active", "live", "uptime", "started", "warming"].iter().any(|word| safe.contains(word));
        let kind = if gauge { "gauge" } else { "counter" };
        text.push_str(&format!("# TYPE envoy_{safe} {kind}\nenvoy_{safe}{label} {value}\n\n"));
    }
    text
}
