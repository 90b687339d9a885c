//! Objects as people write them, made into the world that a cluster would make of them: pods for workloads, sidecars where a
//! namespace asks for them, addresses and endpoints for Services, the mesh configuration of an installation file. Everything that
//! was not written is listed as an assumption.

mod installation;
mod pods;
mod services;

use crate::k8s::{Key, Object, Snapshot, kinds};
use crate::mesh::reach::Client;
use crate::mesh::validate::validate;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Groups of Istio's kinds and of the Gateway API.
const MESH_GROUPS: [&str; 6] = [
    "networking.istio.io",
    "security.istio.io",
    "telemetry.istio.io",
    "extensions.istio.io",
    "gateway.networking.k8s.io",
    "networking.k8s.io",
];
/// Names listed in one assumption.
const SHOWN: usize = 5;
/// When what an installation brings was created: before everything that is written.
const EARLIER: &str = "2000-01-01T00:00:00Z";
/// The first moment of a draft: objects without a creation time are created one second after the other.
const START: &str = "2026-01-01T00:00:00Z";

/// An object and where it was written (`gateway.yaml:12`).
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    pub object: Object,
    pub at: String,
}

/// What to assume where the objects say nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Suppose {
    /// The namespace of objects that name none; "" is `default`.
    pub namespace: String,
    /// The Istio release to imitate, "" for the default.
    pub version: String,
    /// Add what the demo profile installs; the value is the outbound mode, "" for the profile's own.
    pub demo: Option<String>,
    /// Who asks, and what stands for it when nothing written is it.
    pub clients: Vec<Stand>,
}

/// A client for which a pod may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stand {
    pub client: Client,
    pub labels: BTreeMap<String, String>,
    pub when: When,
}

/// When a pod stands for a client that is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Always,
    /// Only in a namespace for which no workloads are written: a client that was named may be misspelt.
    Uninhabited,
    /// Only when no workload is written at all.
    Alone,
}

/// A drafted world.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    pub snapshot: Snapshot,
    pub assumptions: Vec<String>,
    /// Objects of kinds that do not matter to the mesh, and documents that are no objects.
    pub ignored: Vec<String>,
    /// Objects that a cluster would not take, with its words.
    pub refused: Vec<String>,
}

impl Draft {
    fn assume(&mut self, text: impl Into<String>) {
        self.assumptions.push(text.into());
    }

    fn put(&mut self, object: Object) {
        self.snapshot.put(Arc::new(object));
    }
}

/// Makes a world of what was written, in the order in which it was written.
///
/// # Errors
/// A sentence: an installation file that cannot be read, an unknown release.
pub fn draft(written: Vec<Written>, suppose: &Suppose) -> Result<Draft, String> {
    let mut draft = Draft::default();
    let (files, objects): (Vec<Written>, Vec<Written>) = written.into_iter().partition(installation::is_settings);
    take_over(&mut draft, objects, suppose);
    let workings = installation::settle(&mut draft, &files, suppose)?;
    pods::settle(&mut draft, &workings, suppose);
    services::settle(&mut draft);
    Ok(draft)
}

/// Puts the objects into the snapshot: namespaces and times where they are missing, later ones over earlier ones.
fn take_over(draft: &mut Draft, objects: Vec<Written>, suppose: &Suppose) {
    let latest = objects.iter().map(|w| w.object.str_at(&["metadata", "creationTimestamp"])).max().unwrap_or("");
    let start = if latest.is_empty() { START } else { latest }.to_string();
    let mut seen: BTreeMap<Key, String> = BTreeMap::new();
    let mut untimed = 0;
    for Written { mut object, at } in objects {
        if let Some(what) = ignorable(&object) {
            draft.ignored.push(format!("{what} ({at})"));
            continue;
        }
        if is_namespaced(&object) && object.namespace().is_empty() {
            let own = if suppose.namespace.is_empty() { "default" } else { &suppose.namespace };
            object.set(&["metadata", "namespace"], json!(own));
        }
        let errors = validate(&object, &draft.snapshot);
        if !errors.errors.is_empty() {
            draft.refused.push(format!("{} ({at}): {}", object.key(), errors.joined().trim()));
            continue;
        }
        if object.str_at(&["metadata", "creationTimestamp"]).is_empty() {
            untimed += 1;
            object.set(&["metadata", "creationTimestamp"], json!(later(&start, untimed)));
        }
        if let Some(before) = seen.insert(object.key(), at.clone()) {
            draft.assume(format!("{} of {at} counts, not the one of {before}", object.key()));
        }
        draft.put(object);
    }
    if untimed > 1 {
        draft.assume("objects without a creation time were created in the order in which they are written");
    }
}

/// Why an object does not matter; `None` when it does.
fn ignorable(object: &Object) -> Option<String> {
    let (group, kind) = (object.group(), object.kind());
    if !object.0.is_object() || kind.is_empty() || object.api_version().is_empty() {
        return Some("a document that is no Kubernetes object: no apiVersion or no kind".into());
    }
    if kind == "Kustomization" {
        return Some("Kustomization: render it first with `kubectl kustomize DIR | egress-lab explain -f - ..`".into());
    }
    if kinds::find(group, kind).is_none() && !MESH_GROUPS.contains(&group) {
        return Some(format!("{kind}.{group}: a kind that does not matter here"));
    }
    match object.at(&["metadata", "name"]).as_str() {
        None | Some("") => Some(format!("{kind} without metadata.name")),
        Some(_) => None,
    }
}

fn is_namespaced(object: &Object) -> bool {
    match kinds::find(object.group(), object.kind()) {
        Some(info) => info.namespaced,
        None => object.kind() != "GatewayClass",
    }
}

/// A moment so many seconds after another, in the API's form; the same moment when it cannot be read.
fn later(moment: &str, seconds: i64) -> String {
    let time = crate::base::clock::Time::parse(moment);
    time.map_or_else(|| moment.to_string(), |t| t.plus_ms(seconds * 1000).rfc3339())
}

/// Addresses by a hash of what they are for, the next free one on a clash.
struct Addresses {
    taken: BTreeSet<IpAddr>,
}

impl Addresses {
    /// Those that the objects already have.
    fn of(snapshot: &Snapshot) -> Addresses {
        let services = snapshot.list("", "Service").map(|s| s.str_at(&["spec", "clusterIP"]));
        let pods = snapshot.list("", "Pod").map(|p| p.str_at(&["status", "podIP"]));
        Addresses { taken: services.chain(pods).filter_map(|ip| ip.parse().ok()).collect() }
    }

    /// A free address in a /16 (`[10, 244]`).
    fn next(&mut self, net: [u8; 2], parts: &[&str]) -> IpAddr {
        let start = crate::base::seed::Seed(0).hash(parts) as u16;
        for step in 0..=u16::MAX {
            let [high, low] = start.wrapping_add(step).to_be_bytes();
            let ip = IpAddr::V4(Ipv4Addr::new(net[0], net[1], high, low));
            if !matches!(low, 0 | 255) && self.taken.insert(ip) {
                return ip;
            }
        }
        IpAddr::V4(Ipv4Addr::new(net[0], net[1], 0, 1))
    }
}

/// `a, b and 3 more`.
fn list(names: &[String]) -> String {
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..SHOWN].join(", ")),
    }
}

/// The labels that a selector asks for.
fn selector(object: &Object, path: &[&str]) -> BTreeMap<String, String> {
    let labels = crate::k8s::object::strings(object.at(path));
    labels.into_iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
}

fn selects(selector: &BTreeMap<String, String>, labels: &BTreeMap<&str, &str>) -> bool {
    !selector.is_empty() && selector.iter().all(|(k, v)| labels.get(k.as_str()) == Some(&v.as_str()))
}

/// Whether an installation brought an object that nobody wrote.
fn is_installed(object: &Object) -> bool {
    object.str_at(&["metadata", "creationTimestamp"]) == EARLIER
}

/// Whether the objects come from a cluster that also gave its pods: then what is not there is not there.
fn is_dump(snapshot: &Snapshot) -> bool {
    snapshot.list("", "Pod").any(|pod| !pod.uid().is_empty())
}

fn ready_status(ip: IpAddr) -> Value {
    json!({"phase": "Running", "podIP": ip.to_string(), "podIPs": [{"ip": ip.to_string()}],
        "conditions": [{"type": "Ready", "status": "True"}]})
}

#[cfg(test)]
mod tests;
