//! What a check found, as values: a verdict, and the evidence for it.

pub mod picture;
pub mod render;

use crate::mesh::Record;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Met,
    /// Not so yet; nothing says that it never will be.
    NotYet,
    /// A known mistake; its hint is in the finding.
    WrongTurn,
    /// A control probe failed or something is not modelled: nobody is blamed.
    EnvironmentFault,
}

/// The answer of one check.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Finding {
    /// The check's id within its step.
    pub check: String,
    /// What was to be shown, in the learner's words.
    pub title: String,
    pub verdict: Verdict,
    /// One sentence: what is so, and for a failed check what to look at.
    pub message: String,
    pub evidence: Evidence,
    /// The id of the mistake that this looks like (`M17`), with the hint that goes with it.
    pub wrong_turn: Option<WrongTurn>,
    /// The store revision that was judged (sandbox only).
    pub revision: Option<u64>,
}

/// A line that the learner ran in a step. What was typed may choose a hint, and nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    pub line: String,
    pub exit_code: i32,
    /// Both streams, in the order in which they came; cut at a limit.
    pub output: String,
}

/// A recognised mistake.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct WrongTurn {
    pub id: String,
    pub hint: String,
}

/// What the verdict rests on.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
pub struct Evidence {
    pub expected: String,
    pub observed: String,
    /// The request that was sent, as a command line; empty for checks of objects.
    pub probe: String,
    /// The access-log lines that belong to the probe, `sidecar: ..`, `gateway: ..`.
    pub log: Vec<String>,
    /// Object and field that decided, as the trace names them.
    pub decided_by: Option<(String, String)>,
    /// Where the smallest edits are that would make it so, the likeliest first, as the model finds them.
    pub suspects: Vec<Suspect>,
    /// Observation decoded from the wire, and the model's prediction beside it, of the exchange that decided.
    pub observation: Option<Record>,
    pub prediction: Option<Record>,
    /// Every exchange of the probe, in order.
    pub exchanges: Vec<Exchanged>,
}

/// A place whose change would make a failed check pass. What to write there is the learner's part.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Suspect {
    pub object: String,
    pub field: String,
}

/// One exchange of a probe.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Exchanged {
    pub url: String,
    pub observation: Record,
    /// What the model says it would be, where there is a model.
    pub prediction: Option<Record>,
}

impl Exchanged {
    /// Whether the model said something else than what was seen.
    pub fn disagrees(&self) -> bool {
        self.prediction.as_ref().is_some_and(|predicted| words(predicted) != words(&self.observation))
    }
}

impl Finding {
    /// What was observed and what had been predicted, when they are not the same.
    pub fn disagreement(&self) -> Option<(String, String)> {
        let exchange = self.evidence.exchanges.iter().find(|exchange| exchange.disagrees())?;
        Some((words(&exchange.observation), exchange.prediction.as_ref().map(words).unwrap_or_default()))
    }
}

/// `delivered, gateway istio-system/istio-egressgateway, at origin, status 301`: what two records are compared by.
pub fn words(record: &Record) -> String {
    let status = record.status.map(|status| format!(", status {status}")).unwrap_or_default();
    let exit = if record.exit_code == 0 { String::new() } else { format!(", curl exit {}", record.exit_code) };
    format!("{}, path {}, at {}{status}{exit}", record.outcome, record.path, record.at)
}
