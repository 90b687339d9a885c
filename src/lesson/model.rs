//! A lesson as it is meant: no option that cannot be absent, every reference resolved, texts already blocks.

mod check;

pub use check::*;

use super::field::{FieldPath, Pattern};
use super::markdown::Block;
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
    /// The lesson of the track that changes nothing for everybody, to be taken instead where that is not allowed.
    pub without_mesh_config: Option<String>,
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
    /// The Istio that is there before the first step.
    pub istio: Option<Istio>,
    pub namespaces: Vec<Namespace>,
    /// Manifests applied at the start.
    pub objects: Vec<Value>,
    /// What the control probes use.
    pub controls: Controls,
}

/// An installation of Istio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Istio {
    pub profile: String,
    pub options: BTreeMap<String, String>,
}

impl Istio {
    /// The mode that its mesh has for hosts that nobody registered (S: pkg/config/mesh/mesh.go for the default).
    pub fn mode(&self) -> &str {
        self.options.get("meshConfig.outboundTrafficPolicy.mode").map_or("ALLOW_ANY", String::as_str)
    }
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
    /// Said when the stage's last step is done: why it worked, and what often goes wrong.
    pub debrief: Vec<Block>,
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
    /// With a question the last one is `answer`, of kind [`CheckKind::Answer`].
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
    InstallIstio(Istio),
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
