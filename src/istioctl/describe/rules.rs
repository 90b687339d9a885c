//! DestinationRules and VirtualServices in words.

use super::{Desk, selects};
use crate::base::io::Io;
use crate::k8s::Object;
use serde_json::Value;

fn say(io: &mut Io, indent: usize, text: &str) {
    io.say(&format!("{}{text}", " ".repeat(indent)));
}

/// Names of subsets that some pod is in, and of those that none is in.
fn subsets(rule: &Object, pods: &[Object]) -> (Vec<String>, Vec<String>) {
    let all = rule.at(&["spec", "subsets"]).as_array().into_iter().flatten();
    let is_in = |subset: &&Value| pods.iter().any(|pod| selects(&subset["labels"], &pod.labels()));
    let (matching, others): (Vec<&Value>, Vec<&Value>) = all.partition(is_in);
    let names = |list: Vec<&Value>| list.iter().filter_map(|s| s["name"].as_str()).map(str::to_string).collect();
    (names(matching), names(others))
}

/// Tells a DestinationRule.
pub fn destination_rule(desk: &Desk<'_>, io: &mut Io, indent: usize, rule: &Object, pods: &[Object]) {
    say(io, indent, &format!("DestinationRule: {} for {:?}", desk.name_of(rule), rule.str_at(&["spec", "host"])));
    let (matching, others) = subsets(rule, pods);
    if !matching.is_empty() || !others.is_empty() {
        if matching.is_empty() {
            let words = format!("WARNING POD DOES NOT MATCH ANY SUBSETS.  (Non matching subsets {})", others.join(","));
            say(io, indent + 3, &words);
        }
        say(io, indent + 3, &format!("Matching subsets: {}", matching.join(",")));
        if !others.is_empty() {
            say(io, indent + 6, &format!("(Non-matching subsets {})", others.join(",")));
        }
    }
    let policy = rule.at(&["spec", "trafficPolicy"]);
    if policy.is_null() {
        return say(io, indent + 3, "No Traffic Policy");
    }
    let mode = |tls: &Value| tls["mode"].as_str().unwrap_or("DISABLE").to_string();
    if !policy["tls"].is_null() {
        say(io, indent + 3, &format!("Traffic Policy TLS Mode: {}", mode(&policy["tls"])));
    }
    if let Some(words) = further(policy) {
        say(io, indent + 3, &words);
    }
    let Some(ports) = policy["portLevelSettings"].as_array() else { return };
    say(io, indent + 3, "Port Level Settings:");
    for port in ports {
        say(io, 4, &format!("{}:", port["port"]["number"]));
        if !port["tls"].is_null() {
            say(io, indent + 6, &format!("TLS Mode: {}", mode(&port["tls"])));
        }
        if let Some(words) = further(port) {
            say(io, indent + 6, &words);
        }
    }
}

fn further(policy: &Value) -> Option<String> {
    let all =
        [("loadBalancer", "load balancer"), ("connectionPool", "connection pool"), ("outlierDetection", "outlier detection")];
    let there: Vec<&str> = all.iter().filter(|(field, _)| !policy[field].is_null()).map(|(_, words)| *words).collect();
    (!there.is_empty()).then(|| format!("Policies: {}", there.join("/")))
}

/// Tells how much of a VirtualService leads to a service.
pub fn virtual_service(
    desk: &Desk<'_>,
    io: &mut Io,
    indent: usize,
    rule: &Object,
    service: &Object,
    destination: Option<&Object>,
    pods: &[Object],
) {
    say(io, indent, &format!("VirtualService: {}", desk.name_of(rule)));
    let routes = |kind: &str| rule.at(&["spec", kind]).as_array().cloned().unwrap_or_default();
    let (http, tls, tcp) = (routes("http"), routes("tls"), routes("tcp"));
    let (mut matches, mut told, mut notes) = (0, 0, Vec::new());
    let found = http.iter().map(|r| http_facts(desk, rule, r, service, destination, pods));
    let found: Vec<(bool, Vec<String>)> = found.chain(tcp.iter().map(|r| tcp_facts(rule, r, service))).collect();
    for (fits, facts) in found {
        match fits {
            true => {
                matches += 1;
                told += facts.len();
                facts.iter().for_each(|fact| say(io, indent + 3, fact));
            }
            false => notes.extend(facts),
        }
    }
    if matches == 0 {
        for (routes, word) in [(&http, "HTTP"), (&tcp, "TCP")] {
            if !routes.is_empty() {
                say(
                    io,
                    indent + 3,
                    &format!("WARNING: No destinations match pod subsets (checked {} {word} routes)", routes.len()),
                );
            }
        }
        return notes.iter().for_each(|note| say(io, indent + 6, note));
    }
    let possible = http.len() + tls.len() + tcp.len();
    if matches < possible {
        say(io, indent + 3, &format!("{} additional destination(s) that will not reach this pod", possible - matches));
        if told == 0 {
            notes.iter().for_each(|note| say(io, indent + 6, note));
        }
        return;
    }
    if told == 0 {
        for (routes, word) in [(&http, "HTTP"), (&tcp, "TCP")] {
            if !routes.is_empty() {
                say(io, indent + 3, &format!("{} {word} route(s)", routes.len()));
            }
        }
    }
}

/// A host as Kubernetes names it in full, when it is short.
fn full(host: &str, namespace: &str) -> String {
    let whole = if host.contains('.') { host.to_string() } else { format!("{host}.{namespace}.svc.cluster.local") };
    match whole.starts_with('*') || whole.ends_with(".svc.cluster.local") {
        true => whole,
        false => format!("{whole}.svc.cluster.local"),
    }
}

fn host_of(service: &Object) -> String {
    format!("{}.{}.svc.cluster.local", service.name(), service.namespace())
}

fn http_facts(
    desk: &Desk<'_>,
    rule: &Object,
    route: &Value,
    service: &Object,
    destination: Option<&Object>,
    pods: &[Object],
) -> (bool, Vec<String>) {
    let (matching, others) = destination.map(|d| subsets(d, pods)).unwrap_or_default();
    let (mut facts, mut notes, mut fits) = (Vec::new(), Vec::new(), false);
    for to in route["route"].as_array().into_iter().flatten() {
        let (host, weight) = (to["destination"]["host"].as_str().unwrap_or(""), to["weight"].as_i64().unwrap_or(0));
        let subset = to["destination"]["subset"].as_str().unwrap_or("");
        if full(host, rule.namespace()) != host_of(service) {
            facts.push(match subset {
                "" => format!("Route to host \"{host}\" with weight {weight}%"),
                _ => format!("Route to {host} with invalid config"),
            });
            continue;
        }
        let listed = |list: &[String]| list.iter().any(|name| name == subset);
        if !subset.is_empty() && listed(&others) {
            notes.push(format!("Route to non-matching subset {subset} for ({})", conditions(&route["match"])));
            continue;
        }
        if !subset.is_empty() && !listed(&matching) {
            notes.push(match destination {
                None => format!("Warning: Route to subset {subset} but NO DESTINATION RULE defining subsets!"),
                Some(d) => format!("Warning: Route to UNKNOWN subset {subset}; check DestinationRule {}", desk.name_of(d)),
            });
            continue;
        }
        fits = true;
        if weight > 0 {
            let of = if subset.is_empty() { String::new() } else { format!(" subset \"{subset}\"") };
            facts.push(format!("Route to host \"{host}\"{of} with weight {weight}%"));
        }
    }
    if fits {
        let mut all = Vec::new();
        if !route["fault"].is_null() {
            all.push(format!("Fault injection {}", route["fault"]));
        }
        all.extend(route["match"].as_array().into_iter().flatten().map(condition));
        if !all.is_empty() {
            facts.push(all.join(", "));
        }
    } else {
        facts.extend(notes);
    }
    (fits, facts)
}

fn tcp_facts(rule: &Object, route: &Value, service: &Object) -> (bool, Vec<String>) {
    let mut all = route["route"].as_array().into_iter().flatten();
    let fits = all.any(|to| full(to["destination"]["host"].as_str().unwrap_or(""), rule.namespace()) == host_of(service));
    let wanted = route["match"].as_array().into_iter().flatten().filter(|_| fits);
    (
        fits,
        wanted
            .map(|m| m.as_object().into_iter().flatten().map(|(k, v)| format!("{k}:{v}")).collect::<Vec<_>>().join(" "))
            .collect(),
    )
}

fn conditions(all: &Value) -> String {
    match all.as_array() {
        Some(all) if !all.is_empty() => all.iter().map(condition).collect::<Vec<_>>().join(", "),
        _ => "everything".into(),
    }
}

fn condition(wanted: &Value) -> String {
    let text = |m: &Value| match (m["exact"].as_str(), m["prefix"].as_str(), m["regex"].as_str()) {
        (Some(exact), ..) => exact.to_string(),
        (_, Some(prefix), _) => format!("{prefix}*"),
        (_, _, Some(regex)) => format!("regex:{regex:?}"),
        _ => String::new(),
    };
    let mut words = "Match: ".to_string();
    if !wanted["uri"].is_null() {
        words.push_str(&text(&wanted["uri"]));
        if wanted["ignoreUriCase"] == true {
            words.push_str(" uncased");
        }
    }
    if let Some(headers) = wanted["headers"].as_object().filter(|h| !h.is_empty()) {
        let all: Vec<String> = headers.iter().map(|(name, m)| format!("{name}={}", text(m))).collect();
        words.push_str(&format!(" when headers are {}", all.join("; ")));
    }
    words.trim().to_string()
}
