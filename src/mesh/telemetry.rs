//! Which access-log lines a proxy writes where `kubectl logs` shows them: Telemetry over providers over the mesh's `accessLogFile`
//! (Istio: model/telemetry.go, model/telemetry_logging.go).

pub mod filter;
pub mod format;
mod merge;

use super::compile::scope::{Base, Identity};
use super::config::MeshConfig;
use super::policy::attach::Target;
use super::trace::log::Entry;
use crate::base::order::Order;
use crate::base::shared::Text;
use crate::k8s::{Object, Snapshot};
use crate::mesh::Cause;
use filter::Filter;
use format::Format;
use merge::Spec;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The provider that Istio brings along, writing to the container's output.
const BUILT_IN: &str = "envoy";

/// All Telemetry resources by namespace, oldest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Telemetries {
    resources: BTreeMap<String, Vec<Arc<Object>>>,
    /// What is written where no resource says anything: `accessLogFile`.
    legacy: Arc<Vec<Sink>>,
}

/// Which side of a proxy writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Sidecar outbound and gateways.
    Client,
    /// Sidecar inbound.
    Server,
}

/// What the sides of a proxy write to the container's output.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Logging {
    client: Arc<Vec<Sink>>,
    server: Arc<Vec<Sink>>,
}

impl Logging {
    /// What one side writes.
    pub fn of(&self, side: Side) -> &Arc<Vec<Sink>> {
        if side == Side::Client { &self.client } else { &self.server }
    }
}

/// One log.
#[derive(Debug, Clone, PartialEq)]
pub struct Sink {
    pub format: Format,
    pub filter: Option<Filter>,
}

impl Sink {
    /// The line that one of several logs writes, if its filter lets it through. It is made when somebody reads it.
    ///
    /// # Errors
    /// What of the format or of the filter is not modelled.
    pub fn line(all: &Arc<Vec<Sink>>, at: usize, entry: Box<Entry>) -> Result<Option<Text>, Cause> {
        let sink = &all[at];
        if let Some(filter) = &sink.filter
            && !filter.takes(&entry)?
        {
            return Ok(None);
        }
        sink.format.modelled()?;
        let all = all.clone();
        Ok(Some(Text::late(move || all[at].format.line(&entry))))
    }
}

impl Telemetries {
    /// Reads the resources of a moment.
    pub fn read(snapshot: &Snapshot, config: &MeshConfig) -> Telemetries {
        let mut all: Vec<&Arc<Object>> = snapshot.list("telemetry.istio.io", "Telemetry").collect();
        all.order_by_key(|o| (o.str_at(&["metadata", "creationTimestamp"]), o.name(), o.namespace()));
        let mut resources: BTreeMap<String, Vec<Arc<Object>>> = BTreeMap::new();
        for object in all {
            resources.entry(object.namespace().to_string()).or_default().push(object.clone());
        }
        Telemetries { resources, legacy: Arc::new(legacy(config)) }
    }

    /// What a proxy writes.
    pub fn logging(&self, id: &Identity, base: &Base) -> Logging {
        let levels = self.levels(id, &base.root);
        if levels.is_empty() && base.config.default_log_providers.is_empty() {
            return Logging { client: self.legacy.clone(), server: self.legacy.clone() };
        }
        let side = |side| sinks(&levels, side, base).map_or_else(|| self.legacy.clone(), Arc::new);
        Logging { client: side(Side::Client), server: side(Side::Server) }
    }

    /// The resources that say something about access logs, the widest first: mesh, namespace, workload.
    fn levels(&self, id: &Identity, root: &str) -> Vec<&Object> {
        let of = |namespace: &str| self.resources.get(namespace).into_iter().flatten();
        let general = |namespace: &str| of(namespace).find(|t| Target::of(t).is_general());
        let own = general(&id.namespace).filter(|_| id.namespace != root);
        let workload = of(&id.namespace).filter(|t| !Target::of(t).is_general() && Target::of(t).takes(id));
        let all = general(root).into_iter().chain(own).chain(workload);
        all.map(|t| &**t).filter(|t| t.at(&["spec", "accessLogging"]).as_array().is_some_and(|l| !l.is_empty())).collect()
    }
}

/// `accessLogFile` and what belongs to it.
fn legacy(config: &MeshConfig) -> Vec<Sink> {
    match config.logs_to_the_container() {
        true => vec![Sink { format: of_mesh(config, &config.object), filter: None }],
        false => Vec::new(),
    }
}

fn of_mesh(config: &MeshConfig, object: &str) -> Format {
    let field = "data.mesh accessLogFormat";
    match config.access_log_json {
        true => Format::json(&super::trace::log::json_format(&config.access_log_format), false, (object, field)),
        false => Format::text(&config.access_log_format, false, (object, field)),
    }
}

/// One side's logs by what Telemetry says; `None`, the mesh's own setting, when no provider of the list is one.
fn sinks(levels: &[&Object], side: Side, base: &Base) -> Option<Vec<Sink>> {
    let merged = merge::merge(levels, &base.config.default_log_providers, side);
    let mut named = 0;
    let mut sinks = Vec::new();
    for (name, spec) in &merged {
        let Some(provider) = provider(name, base) else { continue };
        named += 1;
        if let (Some(format), false) = (provider, spec.disabled) {
            sinks.push(Sink { format, filter: spec.filter.as_ref().map(|(text, cause)| Filter::new(text, cause)) });
        }
    }
    (named > 0).then_some(sinks)
}

/// A provider that can log: the format when it writes to the container's output, `Some(None)` when it logs elsewhere.
fn provider(name: &str, base: &Base) -> Option<Option<Format>> {
    let config = &base.config;
    let called = |p: &&Value| p.get("name").and_then(Value::as_str).is_some_and(|n| n.eq_ignore_ascii_case(name));
    let object = config.object.as_str();
    let Some(own) = config.extension_providers.iter().find(called) else {
        return name.eq_ignore_ascii_case(BUILT_IN).then(|| Some(of_mesh(config, object)));
    };
    if let Some(file) = own.get("envoyFileAccessLog") {
        return Some(of_file(own, file, config));
    }
    let remote = ["envoyHttpAls", "envoyTcpAls", "envoyOtelAls"].into_iter().find_map(|kind| own.get(kind))?;
    let host = remote.get("service").and_then(Value::as_str).unwrap_or("");
    let host = host.rsplit('/').next().unwrap_or(host);
    base.services.iter().any(|s| s.host == host).then_some(None)
}

/// A file provider: only the container's output is read by anybody.
fn of_file(own: &Value, file: &Value, config: &MeshConfig) -> Option<Format> {
    let path = file.get("path").and_then(Value::as_str).filter(|p| !p.is_empty()).unwrap_or("/dev/stdout");
    if !matches!(path, "/dev/stdout" | "/dev/stderr") {
        return None;
    }
    let omit = file.get("omitEmptyValues").and_then(Value::as_bool).unwrap_or(false);
    let written = file.get("logFormat").filter(|f| f.is_object());
    let name = own.get("name").and_then(Value::as_str).unwrap_or("");
    let object = config.object.as_str();
    let field = format!("data.mesh extensionProviders[{name}].envoyFileAccessLog.logFormat");
    Some(match written {
        None if name == BUILT_IN && !omit => of_mesh(config, object),
        None => Format::text("", omit, (object, &field)),
        Some(format) => match format.get("labels") {
            Some(labels) if labels.as_object().is_some_and(|l| !l.is_empty()) => Format::json(labels, omit, (object, &field)),
            Some(_) => Format::json(&super::trace::log::json_format(""), omit, (object, &field)),
            None => Format::text(format.get("text").and_then(Value::as_str).unwrap_or(""), omit, (object, &field)),
        },
    })
}

/// A provider's part in the result.
type Merged = BTreeMap<String, Spec>;

#[cfg(test)]
mod tests;
