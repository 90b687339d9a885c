//! Lessons as they are written. These types are the published format: the JSON Schema comes from them, unknown fields are refused.

mod check;

pub use check::*;

use super::model::LogField;
use check::tail;
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
    /// Id of the lesson of this track to take instead on a cluster whose mesh must not be changed for everybody (without
    /// `--allow-mesh-config`): one that stays in its namespaces, with a Sidecar where this one changes the mesh.
    #[serde(default)]
    pub without_mesh_config: Option<String>,
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
    /// The Istio that is there before the first step: installed in a sandbox; looked for on a cluster, and never installed there.
    #[serde(default)]
    pub istio: Option<Install>,
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

/// `TRACK/LESSON/STAGE.yaml`. Its texts are in `STAGE.md`: the introduction, then one `# STEP-ID` section for each step, and last a
/// section `# debrief`: why it worked and what often goes wrong, said when the stage's last step is done.
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
