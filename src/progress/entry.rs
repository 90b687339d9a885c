//! One line of the journal.

use super::calibration::Sure;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What an entry is about: a step of a lesson, as it was written then.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StepKey {
    pub lesson: String,
    pub step: String,
    /// The lesson's content version. A step passed in another version is not passed in this one.
    pub version: u32,
}

impl fmt::Display for StepKey {
    /// `control-external-egress/first-pod/1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.lesson, self.step, self.version)
    }
}

/// How a step came to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// By the learner.
    Own,
    /// The solution was applied for the learner.
    Assisted,
    /// Left out; its solution was applied so that later steps work.
    Skipped,
}

/// Something worth remembering. Kinds unknown to this version are kept in the file and passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum Entry {
    /// A step was entered for the first time.
    Started {
        #[serde(flatten)]
        key: StepKey,
    },
    /// A step is done.
    Done {
        #[serde(flatten)]
        key: StepKey,
        how: How,
        /// Evaluations that did not find it done.
        attempts: u32,
        /// Highest hint tier that was shown, 0 for none.
        hints: u8,
    },
    /// A hint was asked for.
    Hint {
        #[serde(flatten)]
        key: StepKey,
        tier: u8,
    },
    /// A predict question was answered for the first time.
    Guessed {
        #[serde(flatten)]
        key: StepKey,
        right: bool,
        /// How sure the learner said to be, if they did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sure: Option<Sure>,
    },
    /// The step was put back to its start and is open again.
    Reset {
        #[serde(flatten)]
        key: StepKey,
    },
    /// What a request did and what the model said it would do were not the same.
    Disagreement {
        #[serde(flatten)]
        key: StepKey,
        check: String,
        observed: String,
        predicted: String,
    },
}

impl Entry {
    /// The step it is about.
    pub fn key(&self) -> &StepKey {
        match self {
            Entry::Started { key }
            | Entry::Done { key, .. }
            | Entry::Hint { key, .. }
            | Entry::Guessed { key, .. }
            | Entry::Reset { key }
            | Entry::Disagreement { key, .. } => key,
        }
    }
}
