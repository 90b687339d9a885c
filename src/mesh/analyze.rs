//! What `istioctl analyze` finds, in its words and order (S: pkg/config/analysis): pure over the objects of a moment. What it does
//! not find and a person wants to know all the same is in [`lab`], apart from it.

mod annotations;
mod authorization;
pub mod codes;
mod deployment;
mod destination_rule;
mod envoy_filter;
pub mod files;
mod gateway;
mod hosts;
mod injection;
pub mod lab;
mod schema;
mod service;
mod service_entry;
mod sidecar;
mod status;
mod telemetry;
mod virtual_service;
mod webhook;

use crate::k8s::object::{items, text, texts};
use crate::k8s::selector::LabelSelector;
use crate::k8s::{Key, Object, Snapshot};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How bad a finding is, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Error,
    Warning,
    Info,
}

impl Level {
    /// As printed.
    pub fn name(self) -> &'static str {
        match self {
            Level::Error => "Error",
            Level::Warning => "Warning",
            Level::Info => "Info",
        }
    }

    /// From its name in any case.
    pub fn parse(name: &str) -> Option<Level> {
        [Level::Info, Level::Warning, Level::Error].into_iter().find(|level| level.name().eq_ignore_ascii_case(name))
    }
}

/// Where an object was read: a file, the line it starts on, and the line of each of its fields (`spec.gateways[0]`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    pub file: String,
    pub line: usize,
    pub fields: BTreeMap<String, usize>,
}

impl Origin {
    /// `FILE:LINE`; JSON files have no lines (S: legacy/source/kube Position).
    pub fn at(&self, line: usize) -> String {
        if self.file.ends_with(".json") { self.file.clone() } else { format!("{}:{line}", self.file) }
    }
}

/// The origins of the objects that come from files.
pub type Origins = BTreeMap<Key, Origin>;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub level: Level,
    /// `IST0101`.
    pub code: &'static str,
    pub text: String,
    pub object: Key,
    /// `FILE:LINE` for an object that comes from a file.
    pub reference: Option<String>,
}

impl Message {
    /// `VirtualService default/vs`: how suppressions and output name the object.
    pub fn origin(&self) -> String {
        self.object.to_string()
    }

    /// The line that is printed, without colour.
    pub fn line(&self) -> String {
        let at = self.reference.as_ref().map(|r| format!(" {r}")).unwrap_or_default();
        format!("{} [{}] ({}{at}) {}", self.level.name(), self.code, self.origin(), self.text)
    }

    /// What decides the order: level, code, kind/name/namespace, then the whole line (S: diag/messages.go Sort).
    fn rank(&self) -> (Level, &'static str, String, String) {
        let object = &self.object;
        (self.level, self.code, format!("{}/{}/{}", object.kind.kind, object.name, object.namespace), self.line())
    }
}

/// What is analyzed.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    pub snapshot: &'a Snapshot,
    pub origins: &'a Origins,
    /// `false`: there is only what files hold. Istio then reads no Namespaces, Nodes, Pods, Secrets and Services, and leaves out
    /// the analyzers that need them.
    pub cluster: bool,
    /// The control plane's namespace.
    pub root_namespace: &'a str,
    /// The text of the mesh configuration in force, "" when none.
    pub mesh: &'a str,
    /// The revision whose objects are looked at.
    pub revision: &'a str,
}

/// What to tell of it.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// "" for all namespaces.
    pub namespace: String,
    /// Names of analyzers; empty or unknown ones only: all.
    pub analyzers: Vec<String>,
    /// Code and pattern of `Kind ns/name`.
    pub suppressions: Vec<(String, String)>,
}

/// Kinds that are only read from a cluster (S: kuberesource.DefaultExcludedSchemas).
const CLUSTER_ONLY: [&str; 5] = ["Namespace", "Node", "Pod", "Secret", "Service"];

/// Namespaces that Istio leaves alone (S: inject.IgnoredNamespaces).
const IGNORED: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "local-path-storage"];

/// One of Istio's analyzers.
pub struct Analyzer {
    pub name: &'static str,
    pub description: &'static str,
    /// Whether it needs what only a cluster has.
    pub cluster: bool,
    run: fn(&mut Context<'_>),
}

/// What the analyzers read and where they report.
pub(crate) struct Context<'a> {
    input: Input<'a>,
    mesh: Value,
    messages: Vec<Message>,
}

/// Everything found, sorted, without repetition (S: local/istiod_analyze.go).
pub fn analyze(input: Input<'_>, selection: &Selection) -> Vec<Message> {
    let mesh = crate::base::yaml::parse(input.mesh).unwrap_or_default();
    let mut context = Context { input, mesh, messages: Vec::new() };
    let known = |name: &String| analyzers().iter().any(|a| a.name == name) || schema::is_analyzer(name);
    let all = !selection.analyzers.iter().any(known);
    let chosen = |name: &str| all || selection.analyzers.iter().any(|n| n == name);
    for analyzer in analyzers().iter().filter(|a| chosen(a.name) && (input.cluster || !a.cluster)) {
        (analyzer.run)(&mut context);
    }
    schema::run(&mut context, &chosen);
    let mut kept: Vec<Message> = context.messages.into_iter().filter(|m| keep(m, input.snapshot, selection)).collect();
    kept.sort_by_cached_key(Message::rank);
    kept.dedup_by_key(|m| m.line());
    kept
}

/// The analyzers besides those of the schemas, by name.
pub fn analyzers() -> &'static [Analyzer] {
    codes::ANALYZERS
}

/// Names and descriptions of the schemas' analyzers.
pub fn schema_analyzers() -> Vec<(String, String)> {
    schema::listed()
}

/// Namespace, suppressing annotation, suppressions (S: filterMessages).
fn keep(message: &Message, snapshot: &Snapshot, selection: &Selection) -> bool {
    let key = &message.object;
    let namespace = if key.kind.kind == "Namespace" { &key.name } else { &key.namespace };
    if !selection.namespace.is_empty() && !namespace.is_empty() && *namespace != selection.namespace {
        return false;
    }
    let object = snapshot.get(key);
    let annotation = object.and_then(|o| o.annotation("galley.istio.io/analyze-suppress")).unwrap_or("");
    if annotation.split(',').any(|code| code == "*" || code == message.code) {
        return false;
    }
    let fits = |(code, pattern): &(String, String)| code == message.code && glob(pattern, &message.origin());
    !selection.suppressions.iter().any(fits)
}

/// Whether a text fits a pattern in which `*` stands for anything.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

impl<'a> Context<'a> {
    /// The objects of a kind that Istio would read.
    fn each(&self, group: &str, kind: &'static str) -> Vec<Arc<Object>> {
        let cluster_only = CLUSTER_ONLY.contains(&kind);
        if cluster_only && !self.input.cluster {
            return Vec::new();
        }
        let read = |o: &&Arc<Object>| {
            let place = if kind == "Namespace" { o.name() } else { o.namespace() };
            let hidden = matches!(kind, "Namespace" | "Pod" | "Service") || self.input.origins.contains_key(&o.key());
            let revision = cluster_only || o.label("istio.io/rev").is_none_or(|r| r == self.input.revision);
            let fits = match kind {
                "ConfigMap" => o.namespace() == self.input.root_namespace && o.name().starts_with("istio"),
                "Secret" => !matches!(o.0["type"].as_str(), Some("helm.sh/release.v1" | "kubernetes.io/service-account-token")),
                _ => true,
            };
            revision && fits && !(hidden && IGNORED.contains(&place))
        };
        self.input.snapshot.list(group, kind).filter(read).cloned().collect()
    }

    /// The objects of one of Istio's networking kinds.
    fn networking(&self, kind: &'static str) -> Vec<Arc<Object>> {
        self.each("networking.istio.io", kind)
    }

    /// Pods, Services and other core kinds.
    fn core(&self, kind: &'static str) -> Vec<Arc<Object>> {
        self.each("", kind)
    }

    /// Reports at the object's own line.
    fn report(&mut self, object: &Object, code: &'static str, text: String) {
        self.report_at(object, code, text, "");
    }

    /// Reports at the line of a field when the object comes from a file that has it.
    fn report_at(&mut self, object: &Object, code: &'static str, text: String, field: &str) {
        let key = object.key();
        let origin = self.input.origins.get(&key);
        let reference = origin.map(|o| o.at(o.fields.get(field).copied().unwrap_or(o.line)));
        self.messages.push(Message { level: codes::level(code), code, text, object: key, reference });
    }

    /// A text of the mesh configuration at a path.
    fn mesh_text(&self, path: &[&str]) -> &str {
        path.iter().try_fold(&self.mesh, |v, key| v.get(key)).and_then(Value::as_str).unwrap_or("")
    }
}

/// `ns/name`, or the name alone where there is no namespace.
fn full_name(object: &Object) -> String {
    join(object.namespace(), object.name())
}

fn join(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.to_string() } else { format!("{namespace}/{name}") }
}

/// Labels as a selector's text: `a=b,c=d` in order (S: labels.Set AsSelector).
fn selector_text(labels: &Value) -> String {
    crate::k8s::object::strings(labels).iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",")
}

/// Whether labels (a JSON map) select an object; no labels select everything.
fn selects(labels: &Value, object: &Object) -> bool {
    let have = object.labels();
    crate::k8s::object::strings(labels).iter().all(|(k, v)| have.get(k) == Some(v))
}

/// Whether a `metav1.LabelSelector` fits labels.
fn selector_fits(selector: &Value, labels: &BTreeMap<&str, &str>) -> bool {
    LabelSelector::from_object(selector).matches(labels)
}

/// A list as Go's `%v` prints it.
fn bracketed<T: ToString>(items: &[T]) -> String {
    format!("[{}]", items.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
}

/// A text as Go's `%q` prints it, as far as names go.
fn quoted(text: &str) -> String {
    format!("{text:?}")
}

#[cfg(test)]
mod tests;
