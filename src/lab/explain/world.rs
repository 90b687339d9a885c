//! A world to ask about - a sandbox, a cluster, a folder - as a model and what is known about it.

use super::cluster;
use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::k8s::{Object, Snapshot};
use crate::mesh::compile::scope::istiod_env;
use crate::mesh::draft::{Draft, Suppose, Written, draft};
use crate::mesh::reach::{Ask, Client, REDIRECTS};
use crate::mesh::versions::{self, Release};
use crate::mesh::{Cause, Explanation, Inputs, Model, Options, capture};
use crate::outside::Outside;
use serde_json::{Value, json};
use std::sync::Arc;

/// Settings of istiod that change what a trace shows.
const SETTINGS: [&str; 5] = [
    "PILOT_SCOPE_GATEWAY_TO_NAMESPACE",
    "ENABLE_NATIVE_SIDECARS",
    "PILOT_ENABLE_ALPHA_GATEWAY_API",
    "PILOT_SIDECAR_USE_REMOTE_ADDRESS",
    "ENABLE_EXTERNAL_NAME_ALIAS",
];

/// Something that this user may not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// `ServiceEntry.networking.istio.io`.
    pub kind: String,
    pub verb: String,
    /// As RBAC names it: `serviceentries.networking.istio.io`.
    pub resource: String,
    /// `None`: the whole cluster.
    pub namespace: Option<String>,
    /// Whether an answer is uncertain without it.
    pub decides: bool,
}

impl Denied {
    /// As the cause of an answer that cannot be given.
    fn cause(&self) -> Cause {
        let place = self.namespace.as_ref().map_or("in all namespaces".to_string(), |ns| format!("in namespace {ns}"));
        let text = format!("This user may not {} {} {place}, and they can decide.", self.verb, self.resource);
        Cause::new(&self.kind, format!("RBAC {} {}", self.verb, self.resource), &text)
    }
}

/// The commands that let a user read what was denied.
pub fn grant(denied: &[Denied]) -> Option<String> {
    let names = |wanted: &dyn Fn(&Denied) -> bool| {
        let names: Vec<&str> = denied.iter().filter(|d| wanted(d)).map(|d| d.resource.as_str()).collect();
        names.join(",")
    };
    let wide = names(&|d| d.namespace.is_none());
    let maps = names(&|d| d.namespace.is_some());
    let mut lines = Vec::new();
    if !wide.is_empty() {
        lines.push(format!("kubectl create clusterrole egress-lab-explain --verb=get,list --resource={wide}"));
        lines.push("kubectl create clusterrolebinding egress-lab-explain --clusterrole=egress-lab-explain --user=USER".into());
    }
    if !maps.is_empty() {
        lines.push(format!("kubectl create role egress-lab-explain -n istio-system --verb=get,list --resource={maps}"));
        lines.push("kubectl create rolebinding egress-lab-explain -n istio-system --role=egress-lab-explain --user=USER".into());
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// A world that can be asked.
pub struct World {
    /// `sandbox, revision 812`, `context kind-a`, `folder manifests`.
    pub name: String,
    pub model: Model,
    /// The release that is imitated, and what says so.
    pub release: String,
    pub outside: Outside,
    pub now: Time,
    pub assumptions: Vec<String>,
    pub ignored: Vec<String>,
    pub refused: Vec<String>,
    pub denied: Vec<Denied>,
}

impl World {
    /// A world of manifests.
    ///
    /// # Errors
    /// A sentence: an installation file that cannot be read, an unknown release.
    pub fn of_manifests(name: &str, written: Vec<Written>, suppose: &Suppose, now: Time) -> Result<World, String> {
        let Draft { snapshot, assumptions, ignored, refused } = draft(written, suppose)?;
        let client = suppose.clients.first().map(|stand| &stand.client);
        let (options, release) = options(&snapshot, client, &suppose.version);
        let model = Model::compile(&snapshot, &options);
        let outside = Outside::assumed();
        let (release, unlike) = release.told();
        let assumptions = assumptions.into_iter().chain(unlike).collect();
        Ok(World { name: name.into(), model, release, outside, now, assumptions, ignored, refused, denied: Vec::new() })
    }

    /// A world behind a client; `known`: the outside world is the sandbox's own.
    ///
    /// # Errors
    /// The API cannot be read.
    pub async fn of_client(
        name: &str,
        client: &kube::Client,
        asker: &Client,
        known: bool,
        (version, now): (&str, Time),
    ) -> anyhow::Result<World> {
        let seen = cluster::read(client, &asker.namespace).await?;
        Ok(World::of_seen(name, seen, asker, known, (version, now)))
    }

    /// A world of objects that are known whole; `known`: the outside world is the sandbox's own.
    pub fn of_snapshot(name: &str, snapshot: Snapshot, asker: &Client, known: bool, now: Time) -> World {
        World::of_seen(name, cluster::Seen { snapshot, denied: Vec::new() }, asker, known, ("", now))
    }

    fn of_seen(name: &str, seen: cluster::Seen, asker: &Client, known: bool, (version, now): (&str, Time)) -> World {
        let cluster::Seen { snapshot, denied } = seen;
        let (mut options, release) = options(&snapshot, Some(asker), version);
        let (release, unlike) = release.told();
        options.secrets_unread = true;
        options.unknown = denied.iter().map(Denied::cause).collect();
        World {
            name: name.into(),
            model: Model::compile(&snapshot, &options),
            release,
            outside: if known { Outside::standard() } else { Outside::assumed() },
            now,
            assumptions: unlike.into_iter().collect(),
            ignored: Vec::new(),
            refused: Vec::new(),
            denied,
        }
    }

    /// The same world with objects put over those that are there.
    pub fn with(&self, name: &str, objects: impl Iterator<Item = Object>) -> World {
        let mut snapshot = self.model.snapshot().clone();
        objects.for_each(|object| snapshot.put(Arc::new(object)));
        World {
            name: name.into(),
            model: Model::compile(&snapshot, self.model.options()),
            release: self.release.clone(),
            outside: self.outside.clone(),
            now: self.now,
            assumptions: self.assumptions.clone(),
            ignored: self.ignored.clone(),
            refused: self.refused.clone(),
            denied: self.denied.clone(),
        }
    }

    /// What a trace depends on besides the model.
    pub fn inputs(&self) -> Inputs<'_> {
        Inputs { outside: &self.outside, now: self.now, seed: Seed(0), nth: 1 }
    }

    /// What becomes of a request, with this world's assumptions.
    ///
    /// # Errors
    /// A sentence: no such client, or a request that cannot be made.
    pub fn explain(&self, from: &Client, ask: &Ask) -> Result<Explanation, String> {
        let pod = from.find(self.model.snapshot())?;
        let limit = if ask.follow { REDIRECTS } else { 0 };
        let mut explanation = self.model.trace_follow(&pod, &ask.request()?, &self.inputs(), limit);
        explanation.assumptions.splice(0..0, self.assumptions.iter().cloned());
        Ok(explanation)
    }

    /// What is worth knowing about the control plane as this pod meets it: label and text.
    pub fn facts(&self, pod: &Object) -> Vec<(&'static str, String)> {
        let snapshot = self.model.snapshot();
        let options = self.model.options();
        let mut facts = Vec::new();
        let name = options.of_revision("istio");
        let map = format!("ConfigMap {}/{name}", options.root_namespace);
        let config = self.model.mesh_config();
        let mode = if config.registry_only { "REGISTRY_ONLY" } else { "ALLOW_ANY" };
        let revision = if options.revision.is_empty() { "default" } else { &options.revision };
        let sidecar = match capture::proxy_container(pod) {
            None => "no sidecar".to_string(),
            Some(_) if capture::is_gateway(pod) => format!("a gateway, revision {revision}"),
            Some(_) => format!("with a sidecar, revision {revision}"),
        };
        facts.push(("client", format!("{}/{}, {sidecar}", pod.namespace(), pod.name())));
        facts.push(("Istio", self.release.clone()));
        match snapshot.find("", "ConfigMap", &options.root_namespace, &name) {
            Some(_) => facts.push(("mesh", format!("{map}, {mode}"))),
            None => facts.push(("mesh", format!("no {map}: Istio's defaults, {mode}"))),
        }
        let set: Vec<String> =
            SETTINGS.iter().filter_map(|n| Some(format!("{n}={}", istiod_env(snapshot, options, n)?))).collect();
        if !set.is_empty() {
            facts.push(("istiod", set.join(", ")));
        }
        if let Some(on) = dns_capture(pod, snapshot, options) {
            facts.push(("DNS", on));
        }
        let filters: Vec<String> = snapshot.list("networking.istio.io", "EnvoyFilter").map(|o| o.key().to_string()).collect();
        if !filters.is_empty() {
            facts.push(("filters", filters.join(", ")));
        }
        let ambient = |o: &Object| o.label("istio.io/dataplane-mode").is_some_and(|mode| mode == "ambient");
        if snapshot.find("", "Namespace", "", pod.namespace()).is_some_and(|ns| ambient(ns)) || ambient(pod) {
            facts.push((
                "ambient",
                format!("namespace {} or the pod is labelled istio.io/dataplane-mode=ambient", pod.namespace()),
            ));
        }
        facts
    }

    /// The same as JSON.
    pub fn facts_json(&self, pod: &Object) -> Value {
        let facts: serde_json::Map<String, Value> = self.facts(pod).into_iter().map(|(k, v)| (k.to_string(), json!(v))).collect();
        json!({"name": self.name, "facts": facts})
    }
}

/// Every object that decides about traffic, as this client may read them.
///
/// # Errors
/// The API cannot be read.
pub async fn seen(client: &kube::Client) -> anyhow::Result<Snapshot> {
    Ok(cluster::read(client, "default").await?.snapshot)
}

/// Where DNS capture is switched on, if anywhere.
fn dns_capture(pod: &Object, snapshot: &Snapshot, options: &Options) -> Option<String> {
    let map = options.of_revision("istio");
    let text = snapshot.find("", "ConfigMap", &options.root_namespace, &map)?.str_at(&["data", "mesh"]);
    let own = pod.annotation("proxy.istio.io/config").unwrap_or("");
    let on = |text: &str| {
        let value = crate::base::yaml::parse(text).unwrap_or_default();
        let metadata = |v: &Value| v.get("proxyMetadata").and_then(|m| m.get("ISTIO_META_DNS_CAPTURE")).cloned();
        let set = value.get("defaultConfig").and_then(metadata).or_else(|| metadata(&value));
        set.is_some_and(|v| v.as_str() == Some("true") || v == true)
    };
    match (on(own), on(text)) {
        (true, _) => Some("captured by the sidecar (the pod's proxy.istio.io/config)".into()),
        (_, true) => Some(format!("captured by sidecars (proxyMetadata in ConfigMap {map})")),
        _ => None,
    }
}

/// Which release is imitated, and why.
struct Chosen {
    release: &'static Release,
    asked: bool,
    /// The tag of the installed istiod's image, "" when there is none.
    installed: String,
}

impl Chosen {
    /// For people: the release, and an assumption when another one is installed.
    fn told(&self) -> (String, Option<String>) {
        let line = &self.release.line;
        let same = versions::find(&self.installed).is_some_and(|r| r.line == *line);
        match (self.installed.as_str(), self.asked) {
            ("", true) => (format!("{line}, as asked"), None),
            ("", false) => (format!("{line}: nothing names another"), None),
            (tag, _) if same => (format!("{tag}, the tag of istiod's image"), None),
            (tag, asked) => {
                let as_asked = if asked { ", as asked" } else { "" };
                (
                    format!("{line}{as_asked}; the tag of istiod's image is {tag}"),
                    Some(format!("Istio {tag} decides as {line} does")),
                )
            }
        }
    }
}

/// The control plane that is responsible for a client, and the release that is imitated: the one that was asked for, else the one
/// that the objects name, else the default.
fn options(snapshot: &Snapshot, client: Option<&Client>, version: &str) -> (Options, Chosen) {
    let pod = client.and_then(|c| c.find(snapshot).ok());
    let revision = pod.and_then(|pod| revision(&pod)).or_else(|| only_revision(snapshot)).unwrap_or_default();
    let revision = if revision == "default" { String::new() } else { revision };
    let options = Options { revision, ..Options::default() };
    let installed = versions::installed_tag(snapshot, &options).to_string();
    let asked = !version.is_empty();
    let release = versions::find(if asked { version } else { &installed }).unwrap_or_else(versions::default_release);
    (Options { facts: release.facts.clone(), ..options }, Chosen { release, asked, installed })
}

/// The revision that injected a pod.
fn revision(pod: &Object) -> Option<String> {
    let status: Option<Value> = pod.annotation("sidecar.istio.io/status").and_then(|text| serde_json::from_str(text).ok());
    let own = status.and_then(|s| Some(s.get("revision")?.as_str()?.to_string())).filter(|r| !r.is_empty());
    own.or_else(|| pod.label("istio.io/rev").map(String::from).filter(|_| capture::proxy_container(pod).is_some()))
}

/// The one revision of a cluster without an unnamed control plane.
fn only_revision(snapshot: &Snapshot) -> Option<String> {
    if snapshot.find("", "ConfigMap", "istio-system", "istio").is_some() {
        return None;
    }
    let maps = snapshot.list_in("", "ConfigMap", "istio-system").filter(|m| m.at(&["data", "mesh"]).is_string());
    let mut named = maps.filter_map(|m| m.name().strip_prefix("istio-"));
    let first = named.next()?.to_string();
    named.next().is_none().then_some(first)
}
