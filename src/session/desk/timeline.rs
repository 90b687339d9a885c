//! The time-line as values: what happened to a world, what it was at some moment, how two moments differ.

use crate::base::clock::Time;
use crate::k8s::Key;

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    Created,
    Changed,
    /// Only its status, or what belongs to the server alone.
    Status,
    Deleted,
}

impl Verb {
    /// For a line of text.
    pub fn word(self) -> &'static str {
        match self {
            Verb::Created => "created",
            Verb::Changed => "changed",
            Verb::Status => "status of",
            Verb::Deleted => "deleted",
        }
    }
}

/// One object's part in a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub verb: Verb,
    pub thing: Key,
    /// `learner (kubectl-create)`, `deployment`.
    pub who: String,
}

/// One revision of a world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    pub revision: u64,
    pub at: Time,
    /// Who asked for it; the components alone where nobody did.
    pub who: String,
    /// Whether a person or a command asked for it, not a controller or the clock.
    pub own: bool,
    /// `created ServiceEntry default/wikipedia`, `exec default/test: curl ..`.
    pub what: String,
    /// Changes besides the one that `what` names.
    pub more: usize,
    /// The name of the bookmark.
    pub mark: Option<String>,
}

/// What an environment can do with its past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Past {
    /// Every recent change can be looked at and returned to.
    Kept,
    /// Only points that were marked can be compared; why, in a sentence.
    MarksOnly(String),
}

/// The newest changes, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeLine {
    pub past: Past,
    pub now: Time,
    pub moments: Vec<Moment>,
}

/// A line of a comparison of two texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sign {
    Same,
    Added,
    Removed,
    /// A title between the lines.
    Title,
}

/// Signed lines.
pub type Lines = Vec<(Sign, String)>;

/// One change, told in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub moment: Moment,
    pub parts: Vec<Part>,
    /// Parts that are not listed.
    pub unlisted: usize,
    /// Each object before and after, as lines that went and came.
    pub lines: Lines,
}

/// Two points compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// `revision 812 (bookmark start)`.
    pub from: String,
    pub to: String,
    pub added: Vec<Key>,
    pub removed: Vec<Key>,
    pub changed: Vec<Key>,
    /// Each changed object's lines that went and came.
    pub lines: Lines,
    /// What became allowed or denied, as `explain --diff` says it.
    pub traffic: Vec<String>,
    /// Requests that became allowed, and denied.
    pub reach: (usize, usize),
}

/// What going back would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Undone {
    pub revision: u64,
    /// Own changes after that revision.
    pub own: Vec<String>,
    /// All changes after it.
    pub all: usize,
    pub created: Vec<Key>,
    pub changed: Vec<Key>,
    pub deleted: Vec<Key>,
}
