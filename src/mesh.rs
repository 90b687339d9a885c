//! The mesh model: Istio objects to proxy configuration (`compile`), one request to a `Trace` (`trace`), injection, validation,
//! what an installation consists of. Values in, values out: no I/O, no clock, no async.

pub mod admin;
pub mod analyze;
pub mod capture;
pub mod compare;
pub mod compile;
pub mod config;
pub mod envoy;
pub mod draft;
pub mod fix;
pub mod follow;
pub mod inject;
pub mod install;
pub mod model;
pub mod open;
pub mod pattern;
pub mod policy;
pub mod proxy;
pub mod reach;
pub mod resolve;
#[cfg(test)]
mod rows;
pub mod telemetry;
pub mod survey;
pub mod trace;
pub mod validate;
pub mod versions;

pub use model::{Explanation, Inputs, Model, Options};
pub use versions::Facts;

use crate::base::outcome::{At, Outcome, Path, TlsBy};
use crate::base::shared::Text;
use crate::outside::wire::{LogLine, Reply};
use std::sync::Arc;

/// What became of one exchange and why: the record of design 5.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Record {
    pub outcome: Outcome,
    #[serde(serialize_with = "as_words")]
    pub path: Path,
    pub tls: TlsBy,
    pub at: At,
    /// HTTP status as the client saw it; `None` when there was no HTTP answer.
    pub status: Option<u16>,
    /// The client's exit code as curl gives it.
    pub exit_code: i32,
    pub hops: Vec<Hop>,
    pub cause: Cause,
}

fn as_words<S: serde::Serializer>(path: &Path, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(path)
}

/// One proxy on the way, with the names Envoy itself uses; `None` where nothing of that sort was reached or Istio names none.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
pub struct Hop {
    /// `NAMESPACE/POD` of the proxy.
    pub proxy: Text,
    /// `0.0.0.0_80`, `virtualOutbound`.
    pub listener: Option<Text>,
    pub filter_chain: Option<Text>,
    /// `80`, `http.8080`.
    pub route_config: Option<Text>,
    /// `www.wikipedia.org:80`, `block_all`.
    pub virtual_host: Option<Text>,
    pub route: Option<Text>,
    /// `outbound|80||www.wikipedia.org`, `BlackHoleCluster`.
    pub cluster: Option<Text>,
    /// `IP:PORT` of the chosen upstream.
    pub endpoint: Option<Text>,
    /// Response flags as logged, `-` when none.
    pub flags: Text,
    /// What decided each part.
    #[serde(skip)]
    pub why: Why,
    /// The access-log line, `None` when access logging is off.
    pub log: Option<Text>,
}

/// What decided the parts of a [`Hop`]: the object and field behind each; `None` where the part is not there or was only seen in a log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Why {
    pub listener: Option<Cause>,
    pub filter_chain: Option<Cause>,
    pub virtual_host: Option<Cause>,
    pub route: Option<Cause>,
    pub cluster: Option<Cause>,
}

/// The object and field that decided. Cheap to clone: what was derived from an object shares its causes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause(Arc<Said>);

/// What a [`Cause`] says.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Said {
    /// `ServiceEntry default/wikipedia-egress`, `ConfigMap istio-system/istio`, or `default` for a named default.
    pub object: String,
    /// `spec.ports[0].protocol`, `data.mesh outboundTrafficPolicy.mode`.
    pub field: String,
    /// One sentence in our own words.
    pub text: String,
}

impl Cause {
    /// A cause by its parts.
    pub fn new(object: impl Into<String>, field: impl Into<String>, text: impl Into<String>) -> Cause {
        Cause(Arc::new(Said { object: object.into(), field: field.into(), text: text.into() }))
    }

    /// The same at a field below this one.
    pub fn within(&self, field: &str) -> Cause {
        Cause::new(&*self.object, format!("{}.{field}", self.field), &*self.text)
    }

    /// The same place with another sentence.
    pub fn saying(&self, text: &str) -> Cause {
        Cause::new(&*self.object, &*self.field, text)
    }
}

impl std::ops::Deref for Cause {
    type Target = Said;

    fn deref(&self) -> &Said {
        &self.0
    }
}

impl std::ops::DerefMut for Cause {
    fn deref_mut(&mut self) -> &mut Said {
        Arc::make_mut(&mut self.0)
    }
}

impl serde::Serialize for Cause {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        Said::serialize(&self.0, s)
    }
}

/// A traced exchange: the record, and what the client and the log readers see of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    pub record: Record,
    pub reply: Reply,
    pub delay_ms: u64,
    pub logs: Vec<LogLine>,
}
