//! Lessons as they are written. These types are the published format: the JSON Schema comes from them, unknown fields are refused.

use super::model::LogField;
use crate::base::outcome::{At, Outcome, TlsBy};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The newest format that this program reads.
pub const FORMAT: u32 = 1;

/// `TRACK/track.yaml`: a course.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Track {
    /// Version of the lesson format, 1.
    pub format: u32,
    /// Slug; also the folder's name.
    pub id: String,
    pub title: String,
    pub summary: String,
    pub licence: String,
    pub authors: Vec<String>,
    /// The Istio versions that the texts are written for.
    pub istio: String,
    /// Folders of the lessons, in order.
    pub lessons: Vec<String>,
}

/// `TRACK/LESSON/lesson.yaml`: the head of a lesson. Each stage has its own `STAGE.yaml` and `STAGE.md` beside it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lesson {
    /// Slug, never reused; also the folder's name.
    pub id: String,
    /// Raised when the content changes so that earlier progress no longer counts.
    pub version: u32,
    pub title: String,
    /// Markdown.
    pub summary: String,
    pub objectives: Vec<String>,
    pub minutes: u32,
    #[serde(default)]
    pub world: World,
    /// Starter files: names of files under `files/`.
    #[serde(default)]
    pub files: Vec<String>,
    /// Ids of the stages, in order.
    pub stages: Vec<String>,
    /// Name of a Markdown file.
    pub debrief: String,
    #[serde(default)]
    pub further: Vec<Link>,
    #[serde(default)]
    pub glossary: Vec<Term>,
}

/// What exists before the first step.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct World {
    #[serde(default)]
    pub namespaces: Vec<Namespace>,
    /// Names of manifest files.
    #[serde(default)]
    pub objects: Vec<String>,
    #[serde(default)]
    pub controls: Option<Controls>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Namespace {
    pub name: String,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// Control workloads that tell a broken environment from a mistake.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Controls {
    /// URL of a service inside the mesh that every workload may reach (never on port 80 or 443).
    pub mesh_url: String,
    /// The pod without a sidecar that asks the origin itself.
    pub outside: Workload,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    pub label: String,
    /// https only.
    pub url: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Term {
    pub term: String,
    /// Markdown.
    pub meaning: String,
}

/// `TRACK/LESSON/STAGE.yaml`. Its texts are in `STAGE.md`: the introduction, then one `# STEP-ID` section for each step.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    pub title: String,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    Read,
    Predict,
    Observe,
    Do,
    Fix,
    Explore,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Slug, unique in the lesson, never numbered.
    pub id: String,
    pub title: String,
    pub kind: StepKind,
    #[serde(default)]
    pub question: Option<Question>,
    /// Names of starter files that this step is about.
    #[serde(default)]
    pub files: Vec<String>,
    /// What the lab does before a fix step.
    #[serde(default)]
    pub setup: Vec<Action>,
    #[serde(default)]
    pub checks: Vec<Check>,
    /// Markdown; three tiers: where to look, what decides it, nearly the shape.
    pub hints: Vec<String>,
    #[serde(default)]
    pub wrong_turns: Vec<WrongTurn>,
    #[serde(default)]
    pub solution: Vec<Action>,
    #[serde(default)]
    pub accepts: Vec<Variant>,
    #[serde(default)]
    pub mutants: Vec<Mutant>,
    #[serde(default)]
    pub removals: Vec<Removal>,
    #[serde(default)]
    pub docs: Vec<Link>,
    #[serde(default)]
    pub points: u32,
    pub seconds: u32,
    /// Speaker notes.
    #[serde(default)]
    pub say: String,
}

/// Either `options`, or `entry`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Markdown.
    pub prompt: String,
    #[serde(default)]
    pub options: Option<Vec<Choice>>,
    #[serde(default)]
    pub entry: Option<Entry>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    pub id: String,
    pub text: String,
    /// True for exactly one option.
    #[serde(default)]
    pub right: bool,
    /// Markdown; said when this option is chosen.
    pub feedback: String,
}

/// A typed answer, compared with a value of this run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub label: String,
    pub take: Take,
    /// So many first characters are enough.
    #[serde(default)]
    pub prefix: Option<usize>,
    pub right: String,
    pub wrong: String,
}

/// Where a value is taken from.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Take {
    /// A line is run and an expression finds the value in its output (solutions only).
    Output(TakeOutput),
    Object(TakeObject),
    Labelled(TakeLabelled),
    Log(TakeLog),
}

/// A field of every object with these labels.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeLabelled {
    pub kind: String,
    pub namespace: String,
    pub labels: BTreeMap<String, String>,
    pub path: String,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeOutput {
    pub line: String,
    /// The first group of each match is a value.
    pub regex: String,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeObject {
    /// `KIND NAME` or `KIND NAMESPACE/NAME`.
    pub object: String,
    pub path: String,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeLog {
    pub from: Workload,
    pub field: LogField,
    /// Only lines in which these fields match these expressions.
    #[serde(rename = "where", default)]
    pub fields: BTreeMap<LogField, String>,
    /// The first group is the value.
    #[serde(default)]
    pub regex: Option<String>,
    #[serde(default = "tail")]
    pub tail: usize,
}

/// A pod: by name, or all (for a probe the first ready one) with these labels.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    pub namespace: String,
    #[serde(default)]
    pub pod: Option<String>,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    #[serde(default)]
    pub container: Option<String>,
}

/// The closed set of what a lesson may have done.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A line of the lab prompt.
    Line(String),
    File(FileAction),
    Answer(AnswerAction),
    Fault(Fault),
    InstallIstio(Install),
}

/// Writes a file of the lab's folder: `content`, or the text of the lesson's file `from`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileAction {
    pub name: String,
    #[serde(default)]
    pub content: Option<String>,
    #[serde(default)]
    pub from: Option<String>,
    /// Replacements made in the text, each exactly once: how a near miss differs from the solution.
    #[serde(default)]
    pub replace: Vec<Replace>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replace {
    pub old: String,
    pub new: String,
}

/// One of `choice`, `text` and `take`. `step` is the step itself when absent.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerAction {
    #[serde(default)]
    pub step: Option<String>,
    #[serde(default)]
    pub choice: Option<String>,
    #[serde(default)]
    pub text: Option<String>,
    #[serde(default)]
    pub take: Option<Take>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Name of a manifest file; its objects are created or replaced.
    Apply(String),
    Patch(PatchFault),
    Delete(DeleteFault),
    Dns(DnsFault),
    Origin(OriginFault),
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchFault {
    pub object: String,
    /// A merge patch.
    pub patch: Value,
}

/// With a name, or all in whose spec a string contains `mentions`; without a namespace: everywhere.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteFault {
    pub kind: String,
    #[serde(default)]
    pub namespace: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub mentions: Option<String>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsFault {
    pub host: String,
    pub resolves: bool,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OriginFault {
    pub host: String,
    pub port: u16,
    pub up: bool,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Install {
    pub profile: String,
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    pub id: String,
    pub title: String,
    pub actions: Vec<Action>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mutant {
    pub id: String,
    pub title: String,
    pub actions: Vec<Action>,
    /// Id of a check of the step, or `answer`.
    pub caught_by: String,
    /// A part of what the finding says.
    #[serde(default)]
    pub message: Option<String>,
    /// Id of a wrong turn of the step.
    #[serde(default)]
    pub wrong_turn: Option<String>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Removal {
    pub object: String,
    #[serde(default)]
    pub field: Option<String>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrongTurn {
    /// As the catalogue of mistakes has it: `M17`.
    pub id: String,
    pub when: Condition,
    pub hint: String,
}

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

fn tail() -> usize {
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
