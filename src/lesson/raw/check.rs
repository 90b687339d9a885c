//! Checks and conditions as they are written.

use super::Workload;
use crate::base::outcome::{At, Outcome, TlsBy};
use crate::lesson::model::LogField;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// Id of a check that is not met.
    Failed(String),
    Observed(Observed),
    Object(ObjectCheck),
    MeshConfig(Assert),
    Log(LogCheck),
    /// An expression for a line typed in this step.
    Typed(String),
    /// An expression for the output of a line run in this step.
    Output(String),
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    #[serde(default)]
    pub check: Option<String>,
    #[serde(default)]
    pub exchange: Option<usize>,
    pub expect: Expect,
}

/// Exactly one of the kinds.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    pub id: String,
    pub title: String,
    pub message: String,
    #[serde(default)]
    pub hints: Vec<ConditionalHint>,
    #[serde(default = "within")]
    pub within: u32,
    #[serde(default)]
    pub probe: Option<Probe>,
    #[serde(default)]
    pub object: Option<ObjectCheck>,
    #[serde(default)]
    pub mesh_config: Option<Assert>,
    #[serde(default)]
    pub log: Option<LogCheck>,
    #[serde(default)]
    pub compiled: Option<Compiled>,
    #[serde(default)]
    pub ran: Option<Ran>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConditionalHint {
    pub when: Condition,
    pub hint: String,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ran {
    pub line: String,
    #[serde(default)]
    pub exit_code: i32,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    pub from: Workload,
    pub url: String,
    #[serde(default = "head")]
    pub method: String,
    #[serde(default)]
    pub follow: bool,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// One for each exchange.
    pub expect: Vec<Expect>,
    #[serde(default)]
    pub blocked: Vec<Blocked>,
    #[serde(default = "controls")]
    pub controls: Vec<Control>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Control {
    Mesh,
    Origin,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// One outcome, or several of which one must be.
    #[serde(default)]
    pub outcome: Vec<Outcome>,
    #[serde(default)]
    pub status: Vec<u16>,
    /// `none`, `uncaptured`, `direct`, `passthrough` or `gateway NAMESPACE/NAME`.
    #[serde(default)]
    pub path: Option<String>,
    #[serde(default)]
    pub tls: Option<TlsBy>,
    #[serde(default)]
    pub at: Option<At>,
    #[serde(default)]
    pub host: Option<String>,
    #[serde(default)]
    pub exit_code: Vec<i32>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Blocked {
    pub url: String,
    #[serde(default = "head")]
    pub method: String,
    pub outcome: Vec<Outcome>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectCheck {
    /// `Pod`, `Deployment.apps`, `ServiceEntry.networking.istio.io`.
    pub kind: String,
    #[serde(default)]
    pub namespace: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    #[serde(default)]
    pub select: Vec<Assert>,
    #[serde(default)]
    pub asserts: Vec<Assert>,
    #[serde(default)]
    pub at_least: Option<usize>,
    #[serde(default)]
    pub exactly: Option<usize>,
    #[serde(default)]
    pub visible_from: Option<String>,
}

/// A path and exactly one test.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assert {
    pub path: String,
    #[serde(default)]
    pub equals: Option<Value>,
    #[serde(default)]
    pub one_of: Option<Vec<Value>>,
    #[serde(default)]
    pub contains: Option<Value>,
    #[serde(default)]
    pub matches: Option<String>,
    #[serde(default)]
    pub present: Option<bool>,
    #[serde(default)]
    pub absent: Option<bool>,
    #[serde(default)]
    pub set_equal: Option<Vec<Value>>,
    #[serde(default)]
    pub count: Option<u64>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogCheck {
    pub from: Workload,
    #[serde(rename = "where")]
    pub fields: BTreeMap<LogField, String>,
    #[serde(default = "one")]
    pub at_least: usize,
    #[serde(default = "tail")]
    pub tail: usize,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Compiled {
    Cluster(ClusterCheck),
    Listener(ListenerCheck),
    Route(RouteCheck),
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterCheck {
    /// Of the proxies in this namespace.
    pub namespace: String,
    pub host: String,
    pub port: u16,
    /// A name, `*` for any subset at all; absent: without a subset.
    #[serde(default)]
    pub subset: Option<String>,
    #[serde(default = "yes")]
    pub exists: bool,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenerCheck {
    pub workload: Workload,
    pub port: u16,
    #[serde(default = "yes")]
    pub exists: bool,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteCheck {
    pub workload: Workload,
    pub port: u16,
    pub host: String,
    #[serde(default = "yes")]
    pub exists: bool,
}

pub(super) fn tail() -> usize {
    200
}

fn within() -> u32 {
    20
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}

fn head() -> String {
    "HEAD".into()
}

fn controls() -> Vec<Control> {
    vec![Control::Mesh, Control::Origin]
}
