//! `proxy-config routes` (S: istioctl/pkg/writer/envoy/configdump/route.go).

use super::dump::{at, list, management, text};
use super::listeners::path;
use serde_json::Value;
use std::collections::BTreeSet;

/// How many domains are shown.
const SHOWN: usize = 2;

/// The table's rows, its head first; `named`: with the prefix of `proxy-config all`.
pub fn rows(routes: &[&Value], name: &str, verbose: bool, named: bool) -> Vec<Vec<String>> {
    let head: &[&str] =
        if verbose { &["NAME", "VHOST NAME", "DOMAINS", "MATCH", "VIRTUAL SERVICE"] } else { &["NAME", "VIRTUAL HOSTS"] };
    let mut rows = vec![head.iter().map(|cell| cell.to_string()).collect::<Vec<_>>()];
    for config in routes.iter().filter(|config| name.is_empty() || text(config, "name") == name) {
        let prefix = if named { "route/" } else { "" };
        let shown = format!("{prefix}{}", text(config, "name"));
        if !verbose {
            rows.push(vec![shown, list(config, "virtual_hosts").count().to_string()]);
            continue;
        }
        for host in list(config, "virtual_hosts") {
            let row =
                |matches: String, from: String| vec![shown.clone(), text(host, "name").to_string(), domains(host), matches, from];
            let all: Vec<&Value> = list(host, "routes").collect();
            if all.is_empty() {
                rows.push(row("/*".into(), "404".into()));
            }
            let wanted = all.into_iter().filter(|route| at(at(route, "route"), "cluster") != "PassthroughCluster");
            rows.extend(wanted.map(|route| row(path(at(route, "match")), management(route))));
        }
    }
    rows
}

fn domains(host: &Value) -> String {
    let all: Vec<&str> = list(host, "domains").filter_map(Value::as_str).collect();
    if let [one] = all.as_slice() {
        return one.to_string();
    }
    let bare = |d: &&str| !d.contains(':') || (d.matches(':').count() > 2 && d.ends_with(']'));
    let without_port: Vec<&str> = all.into_iter().filter(bare).collect();
    let known: BTreeSet<&str> = without_port.iter().copied().collect();
    // Longer forms of a name that is there too.
    let longer =
        |d: &&str| [".svc.cluster.local", ".svc"].iter().any(|end| d.strip_suffix(end).is_some_and(|d| known.contains(d)));
    let short: Vec<&str> = without_port.into_iter().filter(|d| !longer(d)).collect();
    match short.len() {
        n if n > SHOWN => format!("{} + {} more...", short[..SHOWN].join(", "), n - SHOWN),
        _ => short.join(", "),
    }
}
