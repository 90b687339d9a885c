//! Every leaf of a manifest deleted, altered or moved.

use egress_lab::k8s::{Key, Object};
use egress_lab::mesh::fix::path::{Path, Seg, leaves};
use serde_json::{Value, json};

/// A manifest with one leaf changed.
pub struct Mutant {
    /// What it was made from.
    pub object: Key,
    pub path: Path,
    /// `delete`, `alter to X`, `move to PATH`, `swap with PATH`.
    pub how: String,
    pub manifest: Value,
}

/// All mutants of a manifest, in order.
pub fn mutants(manifest: &Value) -> Vec<Mutant> {
    let all = leaves(manifest, &Path::default());
    let object = Object(manifest.clone()).key();
    let mut found: Vec<Mutant> = Vec::new();
    for (path, leaf) in &all {
        let mut keep = |how: String, changed: Value| {
            if changed != *manifest && !found.iter().any(|m| m.manifest == changed) {
                found.push(Mutant { object: object.clone(), path: path.clone(), how, manifest: changed });
            }
        };
        let mut without = manifest.clone();
        path.remove(&mut without);
        keep("delete".into(), without.clone());
        for to in altered(&path.pattern(), leaf) {
            let mut changed = manifest.clone();
            path.set(&mut changed, to.clone());
            keep(format!("alter to {}", plain(&to)), changed);
        }
        if let Some(to) = one_level_up(path) {
            let mut changed = without;
            if to.get(&changed).is_none() && to.set(&mut changed, leaf.clone()) {
                keep(format!("move to {to}"), changed);
            }
        }
        for (other, value) in all.iter().filter(|(other, _)| other.pattern() == path.pattern() && other > path) {
            let mut changed = manifest.clone();
            path.set(&mut changed, value.clone());
            other.set(&mut changed, leaf.clone());
            keep(format!("swap with {other}"), changed);
        }
    }
    found
}

pub fn plain(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

/// The same key beside the leaf's parent.
fn one_level_up(path: &Path) -> Option<Path> {
    let key = path.0.last().filter(|seg| matches!(seg, Seg::Key(_)))?.clone();
    let mut parent = path.parent();
    while matches!(parent.0.last(), Some(Seg::Index(_))) {
        parent = parent.parent();
    }
    let mut up = parent.parent();
    up.0.push(key);
    (up.0.len() > 1 && up != *path).then_some(up)
}

/// Other values for a leaf: slips of the pen, and what people write in its place.
fn altered(pattern: &str, leaf: &Value) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    if let Some(text) = leaf.as_str() {
        all.extend([json!(without_middle(text)), json!(other_case(text))]);
    }
    let words: &[&str] = match pattern {
        "spec.hosts[]" | "spec.servers[].hosts[]" => &["wikipedia.org", "*.wikipedia.org", "*"],
        "spec.resolution" => &["NONE", "STATIC", "DNS_ROUND_ROBIN"],
        "spec.ports[].protocol" | "spec.servers[].port.protocol" => &["HTTP", "HTTPS", "TLS", "TCP", "HTTP2"],
        "metadata.namespace" => &["default", "istio-system", "kube-public"],
        "spec.gateways[]" | "spec.http[].match[].gateways[]" => {
            &["mesh", "istio-egressgateway", "default/istio-egressgateway", "istio-system/istio-egressgateway"]
        }
        "spec.host" | "spec.http[].route[].destination.host" => &[
            "istio-egressgateway",
            "istio-egressgateway.istio-system",
            "istio-ingressgateway.istio-system.svc.cluster.local",
            "en.wikipedia.org",
        ],
        "spec.selector.istio" => &["ingressgateway", "egress"],
        "spec.meshConfig.outboundTrafficPolicy.mode" => &["ALLOW_ANY"],
        "spec.meshConfig.accessLogFile" => &[""],
        "spec.profile" => &["default", "minimal"],
        _ => &[],
    };
    all.extend(words.iter().map(|w| json!(w)));
    if leaf.is_number() {
        all.extend([80, 443, 8080, 81, 0].map(|n| json!(n)));
    }
    all.retain(|value| value != leaf);
    all
}

fn without_middle(text: &str) -> String {
    let middle = text.chars().count() / 2;
    text.chars().enumerate().filter(|(i, _)| *i != middle).map(|(_, c)| c).collect()
}

fn other_case(text: &str) -> String {
    if text.chars().any(char::is_uppercase) { text.to_lowercase() } else { text.to_uppercase() }
}
