//! Manifests: what is wrong with one, what applying it would make, what the last change made. Plain values for screens and words.

use std::collections::BTreeMap;

/// How sure a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// It is no YAML.
    Syntax,
    /// The API server does not take it.
    Refused,
    /// It could not be checked, or works and is warned about.
    Unsure,
}

/// Something wrong with a manifest, at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// 1-based line of the text.
    pub line: usize,
    /// 1-based column, in characters.
    pub column: usize,
    pub grade: Grade,
    /// The field as the server names it (`spec.ports[0].protocol`), "" when none is named.
    pub field: String,
    /// What is wrong, in the server's own words where it is the server's.
    pub what: String,
    /// What to do about it, "" when the words say it.
    pub next: String,
}

/// What the server says to a manifest without taking it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// By line.
    pub problems: Vec<Problem>,
    /// Objects that the server would take.
    pub good: usize,
    /// Blanks (`<..>`) that are still open: 1-based line, and what stands there.
    pub blanks: Vec<(usize, String)>,
}

/// A file of the lab's folder for the editor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenFile {
    pub name: String,
    /// `None`: there is no such file yet.
    pub text: Option<String>,
    /// What was being written when the program ended, if it differs.
    pub draft: Option<String>,
}

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Created,
    Changed,
    Unchanged,
    Deleted,
}

impl Turn {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Turn::Created => "created",
            Turn::Changed => "changed",
            Turn::Unchanged => "unchanged",
            Turn::Deleted => "deleted",
        }
    }
}

/// One object before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectDiff {
    /// `ServiceEntry default/wikipedia`.
    pub name: String,
    pub turn: Turn,
    /// YAML; "" when it was not there.
    pub before: String,
    /// YAML; "" when it is gone.
    pub after: String,
}

/// What changes for a request. Ordered: the graver first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shift {
    Allowed,
    Denied,
    Way,
    Outcome,
    Cause,
}

impl Shift {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Shift::Allowed => "allowed",
            Shift::Denied => "denied",
            Shift::Way => "another way",
            Shift::Outcome => "ends otherwise",
            Shift::Cause => "decided by something else",
        }
    }
}

/// A request that fares differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    pub shift: Shift,
    /// `https://www.wikipedia.org/`.
    pub url: String,
    /// Workloads for which it is so.
    pub from: Vec<String>,
    /// `blocked-registry-only, HTTP 502`.
    pub was: String,
    pub is: String,
    /// Object and field that decide afterwards (or decided, where nothing does any more).
    pub decided: String,
}

/// Something that is open beyond the named hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// `wildcard-host`.
    pub opening: String,
    /// Object and field.
    pub by: String,
    pub why: String,
    /// Workloads that get out.
    pub from: Vec<String>,
    /// A request that shows it, as people would type it, and where.
    pub witness: String,
    /// What it gets.
    pub result: String,
}

/// A change: of objects, and of what gets through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preview {
    /// What changes: `gateway.yaml`, `kubectl apply -f gateway.yaml`.
    pub name: String,
    /// Whether it has happened.
    pub done: bool,
    pub problems: Vec<Problem>,
    pub objects: Vec<ObjectDiff>,
    pub moved: Vec<Moved>,
    /// Openings that were not there before.
    pub opened: Vec<Opened>,
    /// Openings that are gone, as `opening: object, field`.
    pub closed: Vec<String>,
    /// `2 clients x 6 requests`, "" when traffic was not compared.
    pub compared: String,
    /// What should be known: assumptions, what was not compared.
    pub notes: Vec<String>,
}

/// Names that fields want, by what they are of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// `namespaces`, `hosts`, `gateways`, `subsets`, ..: sorted names.
    pub of: BTreeMap<String, Vec<String>>,
}
