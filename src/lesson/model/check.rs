//! What must be so for a step to pass, and what hints depend on.

use super::{FieldTest, LogRef, Workload};
use crate::base::outcome::{At, Outcome, Path, TlsBy};
use crate::k8s::Kind;
use crate::lesson::field::{Assert, FieldPath, Pattern, Test};
use std::collections::BTreeMap;

/// What a hint may depend on. Only hints: never a verdict of its own.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// The check of this id is not met.
    Failed(String),
    /// A probe check observed this (`check` `None`: any of the step's; `exchange`: counted from 0, `None`: any).
    Observed {
        check: Option<String>,
        exchange: Option<usize>,
        expect: Expect,
    },
    /// Objects are so.
    Object(ObjectCheck),
    MeshConfig(MeshConfigCheck),
    Log(LogCheck),
    /// A line typed in this step matches.
    Typed(Pattern),
    /// Output (either stream) of a line run in this step matches.
    Output(Pattern),
}

/// Something that must be so for a step to pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    pub id: String,
    /// What is to be shown, in the learner's words.
    pub title: String,
    pub kind: CheckKind,
    /// Said when it is not so.
    pub message: String,
    /// Extra hints that depend on what was found.
    pub hints: Vec<ConditionalHint>,
    /// How long it may take on a cluster, in seconds.
    pub within: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ConditionalHint {
    pub when: Condition,
    pub hint: String,
}

#[derive(Debug, Clone, PartialEq)]
pub enum CheckKind {
    Probe(ProbeCheck),
    Object(ObjectCheck),
    MeshConfig(MeshConfigCheck),
    Log(LogCheck),
    /// The step's question was answered right.
    Answer,
    Compiled(CompiledCheck),
    /// A line that matches was typed in this step and ended with exit code 0 (or the one given). For steps whose effect is only seen
    /// by the learner; never for a do or fix step alone.
    Ran {
        pattern: Pattern,
        exit_code: i32,
    },
}

/// Real requests from a workload.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeCheck {
    pub from: Workload,
    pub request: ProbeRequest,
    /// One for each exchange, in order; a different number of exchanges fails.
    pub expect: Vec<Expect>,
    /// Requests from the same workload that must stay stopped.
    pub blocked: Vec<Blocked>,
    pub controls: Vec<Control>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeRequest {
    /// `HEAD` (curl --head) or `GET`.
    pub method: String,
    pub url: String,
    /// Follow redirects (curl -L).
    pub follow: bool,
    /// Extra request headers.
    pub headers: Vec<(String, String)>,
}

/// What one exchange must have been; an empty list or `None` asks nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expect {
    /// One of these.
    pub outcome: Vec<Outcome>,
    /// One of these.
    pub status: Vec<u16>,
    pub path: Option<Path>,
    pub tls: Option<TlsBy>,
    pub at: Option<At>,
    /// The host that was asked.
    pub host: Option<String>,
    /// curl's exit code, one of these.
    pub exit_code: Vec<i32>,
}

/// A request that must stay stopped, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Blocked {
    pub request: ProbeRequest,
    /// One of these; never empty.
    pub outcome: Vec<Outcome>,
}

/// What is tried beside a probe, so that nobody is blamed for a broken environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// The in-mesh echo answers the same workload.
    Mesh,
    /// The origin answers the pod outside the mesh.
    Origin,
}

/// Objects, where traffic cannot tell.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectCheck {
    pub kind: Kind,
    /// `None`: any namespace, or a cluster-scoped kind.
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub labels: BTreeMap<String, String>,
    /// Only objects of which all these hold are looked at.
    pub select: Vec<Assert>,
    /// All must hold of every object looked at.
    pub asserts: Vec<Assert>,
    pub count: Count,
    /// Only objects that are visible (exportTo) to proxies of this namespace are looked at.
    pub visible_from: Option<String>,
}

/// How many objects must be found by the selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    AtLeast(usize),
    Exactly(usize),
}

impl Count {
    pub fn holds(self, n: usize) -> bool {
        match self {
            Count::AtLeast(wanted) => n >= wanted,
            Count::Exactly(wanted) => n == wanted,
        }
    }
}

/// The mesh's effective configuration: the text under `data.mesh` of ConfigMap `istio`, parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct MeshConfigCheck {
    pub path: FieldPath,
    pub test: Test,
}

/// Access-log lines that must be there (or must not).
#[derive(Debug, Clone, PartialEq)]
pub struct LogCheck {
    pub log: LogRef,
    /// All of one line.
    pub fields: Vec<FieldTest>,
    /// At least so many such lines; 0: none may be there.
    pub at_least: usize,
}

/// What a proxy would be configured with, from the objects as they are (the mesh model, not a request).
#[derive(Debug, Clone, PartialEq)]
pub enum CompiledCheck {
    /// Proxies of this namespace have a cluster for the host, port and subset (`subset` `None`: without; the DestinationRule lookup
    /// decides). `exists` false: must not have it.
    Cluster { namespace: String, host: String, port: u16, subset: SubsetRef, exists: bool },
    /// The workload's proxy opens a listener on this port (the container's port, as bound).
    Listener { workload: Workload, port: u16, exists: bool },
    /// The workload's proxy has a virtual host for this authority on the port, with at least one route.
    Route { workload: Workload, port: u16, host: String, exists: bool },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubsetRef {
    None,
    Named(String),
    /// Any subset at all.
    Any,
}
