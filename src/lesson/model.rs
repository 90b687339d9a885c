//! A lesson as it is meant: no option that cannot be absent, every reference resolved, texts already blocks.

use super::field::{Assert, FieldPath, Pattern, Test};
use super::markdown::Block;
use crate::base::outcome::{At, Outcome, Path, TlsBy};
use crate::k8s::Kind;
use serde_json::Value;
use std::collections::BTreeMap;

/// A course: lessons in the order in which they are taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    pub id: String,
    pub title: String,
    pub summary: String,
    pub licence: String,
    pub authors: Vec<String>,
    /// The range of Istio versions the texts are written for, as people read it.
    pub istio: String,
    pub lessons: Vec<Lesson>,
}

impl Track {
    pub fn lesson(&self, id: &str) -> Option<&Lesson> {
        self.lessons.iter().find(|l| l.id == id)
    }
}

/// One lesson.
#[derive(Debug, Clone, PartialEq)]
pub struct Lesson {
    /// Stable slug, never reused.
    pub id: String,
    /// Version of the content; part of the journal's keys.
    pub version: u32,
    pub title: String,
    pub summary: Vec<Block>,
    pub objectives: Vec<String>,
    pub minutes: u32,
    pub world: World,
    /// Starter files, put into the lab's folder before the first step.
    pub files: Vec<File>,
    pub stages: Vec<Stage>,
    pub steps: Vec<Step>,
    pub debrief: Vec<Block>,
    pub further: Vec<Link>,
    pub glossary: Vec<Term>,
}

impl Lesson {
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|s| s.id == id)
    }

    pub fn stage(&self, id: &str) -> Option<&Stage> {
        self.stages.iter().find(|s| s.id == id)
    }

    /// The stage's steps, in order.
    pub fn steps_of<'a>(&'a self, stage: &'a str) -> impl Iterator<Item = &'a Step> {
        self.steps.iter().filter(move |s| s.stage == stage)
    }
}

/// What exists before the first step, besides the start world.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct World {
    pub namespaces: Vec<Namespace>,
    /// Manifests applied at the start.
    pub objects: Vec<Value>,
    /// What the control probes use.
    pub controls: Controls,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    pub name: String,
    pub labels: BTreeMap<String, String>,
}

/// The workloads that tell a broken environment from a learner's mistake (design 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controls {
    /// URL of the in-mesh service that every workload may reach.
    pub mesh_url: String,
    /// The pod without a sidecar that asks the origin itself.
    pub outside: Workload,
}

impl Default for Controls {
    fn default() -> Controls {
        Controls {
            mesh_url: "http://echo.lab-control.svc.cluster.local:7070/".into(),
            outside: Workload { namespace: "lab-control".into(), pod: PodRef::Name("outside-probe".into()), container: None },
        }
    }
}

/// A named part of a lesson.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    pub id: String,
    pub title: String,
    pub intro: Vec<Block>,
}

/// A file of the lab's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub name: String,
    pub content: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub label: String,
    pub url: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    pub term: String,
    pub meaning: Vec<Block>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepKind {
    /// Text only; passed by going on.
    Read,
    /// A question before the fact, answered by choosing.
    Predict,
    /// Only looks: answered with something that only this run's output holds.
    Observe,
    Do,
    /// The lab breaks something first (`setup`); the learner repairs it.
    Fix,
    /// Try things; nothing has to come out. May have checks.
    Explore,
}

impl StepKind {
    /// The word for it on screen.
    pub fn word(self) -> &'static str {
        match self {
            StepKind::Read => "read",
            StepKind::Predict => "predict",
            StepKind::Observe => "observe",
            StepKind::Do => "do",
            StepKind::Fix => "fix",
            StepKind::Explore => "explore",
        }
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub id: String,
    pub stage: String,
    pub title: String,
    pub kind: StepKind,
    pub task: Vec<Block>,
    /// Exactly for predict and observe steps.
    pub question: Option<Question>,
    /// Lines that one key puts on the prompt: the `run` blocks of the task, in order.
    pub actions: Vec<String>,
    /// Names of the lesson's files that this step is about (opened by the edit key).
    pub files: Vec<String>,
    /// Done by the lab before the step begins (fix steps).
    pub setup: Vec<Action>,
    pub checks: Vec<Check>,
    /// Exactly three tiers: where to look, what decides it, nearly the shape.
    pub hints: Vec<Vec<Block>>,
    pub wrong_turns: Vec<WrongTurn>,
    pub solution: Vec<Action>,
    /// Other right answers: each, instead of the solution, passes every check.
    pub accepts: Vec<Variant>,
    /// Near misses: each, instead of the solution, is caught.
    pub mutants: Vec<Mutant>,
    /// Parts of the finished state; without any one of them some check fails.
    pub removals: Vec<Removal>,
    pub docs: Vec<Link>,
    pub points: u32,
    pub seconds: u32,
    /// Speaker notes.
    pub say: String,
}

/// A question and how its right answer is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    pub prompt: Vec<Block>,
    pub answer: Expected,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// One of these is right.
    Options(Vec<Choice>),
    /// Typed by the learner; right when equal to a value taken from this world (case and surrounding space ignored).
    Entry {
        /// What the field is called, as a short prompt: `Pod IP`.
        label: String,
        take: Take,
        /// At least so many first characters of the value are enough (uids, request ids).
        prefix: Option<usize>,
        /// Said when the answer is right, and when it is not.
        right: String,
        wrong: String,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    pub id: String,
    pub text: String,
    pub right: bool,
    pub feedback: Vec<Block>,
}

/// Where a value of this run is taken from. When several are found, any of them is right.
#[derive(Debug, Clone, PartialEq)]
pub enum Take {
    /// Runs a line of the closed set in the learner's environment; the first group of each match of the expression. Only the driver
    /// can do this: it is used by solutions (`Answer::Take`), never as a question's own truth.
    Output { line: String, pattern: Pattern },
    /// A field of an object.
    Object { object: ObjectRef, path: FieldPath },
    /// A field of every object with these labels (pods whose names are made up by a controller).
    Labelled { kind: Kind, namespace: String, labels: BTreeMap<String, String>, path: FieldPath },
    /// A field of the access-log lines that match.
    Log { log: LogRef, field: LogField, fields: Vec<FieldTest>, pattern: Option<Pattern> },
}

/// An object by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRef {
    pub kind: Kind,
    /// Empty for cluster-scoped kinds.
    pub namespace: String,
    pub name: String,
}

/// A pod, by name or as the first ready one with these labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    pub namespace: String,
    pub pod: PodRef,
    /// `None`: the default container.
    pub container: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodRef {
    Name(String),
    Labels(BTreeMap<String, String>),
}

/// Whose access log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRef {
    /// All pods that fit are read; the container is `istio-proxy` unless it says otherwise.
    pub workload: Workload,
    /// Only the newest so many lines.
    pub tail: usize,
}

/// The fields of Istio's default access-log line, named as in its JSON form.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LogField {
    StartTime,
    Method,
    Path,
    Protocol,
    ResponseCode,
    ResponseFlags,
    ResponseCodeDetails,
    ConnectionTerminationDetails,
    UpstreamTransportFailureReason,
    BytesReceived,
    BytesSent,
    Duration,
    UpstreamServiceTime,
    XForwardedFor,
    UserAgent,
    RequestId,
    Authority,
    UpstreamHost,
    UpstreamCluster,
    UpstreamLocalAddress,
    DownstreamLocalAddress,
    DownstreamRemoteAddress,
    RequestedServerName,
    RouteName,
}

/// What a field of a log line must be.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldTest {
    pub field: LogField,
    pub pattern: Pattern,
}

/// What a lesson may have done: the closed set (design, invariant 5).
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// A line of the lab prompt.
    Line(String),
    /// Writes a file of the lab's folder.
    File(File),
    /// Answers a question.
    Answer { step: String, answer: Answer },
    /// Breaks or changes the world outside the learner's prompt; only the runner does it.
    Fault(Fault),
    /// The installation as the built-in installer does it.
    InstallIstio { profile: String, options: BTreeMap<String, String> },
}

#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Choice(String),
    Text(String),
    Take(Take),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Creates the object, or replaces the one of that name.
    Apply(Value),
    /// A merge patch.
    Patch { object: ObjectRef, patch: Value },
    /// Deletes the named object, or those of the kind in whose spec a string contains `mentions` (one of the two is always there, so that
    /// nobody else's objects are touched). `namespace` `None`: everywhere. Nothing to delete is fine.
    Delete { kind: Kind, namespace: Option<String>, name: Option<String>, mentions: Option<String> },
    /// A name of the outside world stops (or starts) resolving.
    Dns { host: String, resolves: bool },
    /// An origin stops (or starts) taking connections.
    Origin { host: String, port: u16, up: bool },
}

/// Another right answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    pub id: String,
    pub title: String,
    pub actions: Vec<Action>,
}

/// A near miss and the check that must catch it.
#[derive(Debug, Clone, PartialEq)]
pub struct Mutant {
    pub id: String,
    pub title: String,
    pub actions: Vec<Action>,
    /// Id of a check of the step; for a question step the word `answer`.
    pub caught_by: String,
    /// A part of the finding's message, observation or hint.
    pub message: Option<String>,
    /// The wrong turn that must be recognised.
    pub wrong_turn: Option<String>,
}

/// A part of the finished state that a removal proof deletes.
#[derive(Debug, Clone, PartialEq)]
pub struct Removal {
    pub object: ObjectRef,
    /// `None`: the whole object. Otherwise what the path selects.
    pub field: Option<FieldPath>,
}

/// A recognised mistake with its own hint.
#[derive(Debug, Clone, PartialEq)]
pub struct WrongTurn {
    /// `M17`, as the catalogue has it; several wrong turns of a step may share one.
    pub id: String,
    pub when: Condition,
    pub hint: String,
}

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
