//! Validation as data: the files of `tests/data/mesh/validation`, read by the unit tests (the webhook's side) and by the integration
//! tests (the API server's side).

use super::base::yaml;
use super::file::{files, read};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A file: one row of the validation tables.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    pub row: String,
    pub title: String,
    pub objects: Vec<Written>,
}

/// An object and what is said when it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    pub kind: String,
    #[serde(default = "name")]
    pub name: String,
    pub spec: Value,
    /// Gate 1, the CRD's schema: `FIELD: TEXT` of each cause, or the whole message where there are none. Empty: it gets by.
    #[serde(default)]
    pub schema: Vec<String>,
    /// What gate 1 says in one release.
    #[serde(default, rename = "in")]
    pub by_version: BTreeMap<String, Own>,
    /// Gate 2 cannot even read it; why.
    #[serde(default)]
    pub decode: Option<String>,
    /// Gate 2, istiod's webhook, asked without gate 1.
    #[serde(default)]
    pub webhook: Vec<String>,
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// What one release says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Own {
    pub schema: Vec<String>,
}

impl Written {
    pub fn object(&self) -> Value {
        let version = match self.kind.as_str() {
            "AuthorizationPolicy" | "PeerAuthentication" | "RequestAuthentication" => "security.istio.io/v1",
            "Telemetry" => "telemetry.istio.io/v1",
            _ => "networking.istio.io/v1",
        };
        json!({"apiVersion": version, "kind": self.kind, "metadata": {"name": self.name, "namespace": "default"}, "spec": self.spec})
    }

    /// What gate 1 says under a release.
    pub fn schema_in(&self, version: &str) -> &[String] {
        self.by_version.get(version).map_or(&self.schema, |own| &own.schema)
    }
}

fn name() -> String {
    "x".into()
}

/// All files.
pub fn rules() -> Vec<Rules> {
    let read = |path: &std::path::PathBuf| {
        let value = yaml::parse(&read(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        serde_json::from_value(value).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    };
    files("validation").iter().map(read).collect()
}
