//! What screens and plain mode ask the lab for besides running lines: questions that change nothing in a session. A question goes
//! down as [`Effect::Ask`](super::Effect::Ask), its answer comes up as [`Event::Answered`](super::Event::Answered) with the same
//! number; a session passes both on and keeps nothing of them.

pub mod browse;
pub mod manifest;
pub mod timeline;

use crate::finding::picture::Picture;
use crate::k8s::shape::Shape;
use browse::{KindRow, Subject, Table, Text, View, Which};
use manifest::{Checked, Names, OpenFile, Preview};
use timeline::{Compared, TimeLine, Told, Undone};

/// Names one question. Never reused by the one who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AskId(pub u64);

/// What can be asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Where lines go: for the status bar.
    Place,
    /// The newest changes; with `after` it waits a while for something newer than that revision.
    TimeLine { last: usize, after: Option<u64> },
    /// One change in full.
    Change { revision: u64 },
    /// Two points compared: revisions, bookmarks, `now`.
    Compare { from: String, to: String },
    /// What a return to this revision would undo. Changes nothing.
    Undone { revision: u64 },
    /// Gives a revision a name.
    Mark { revision: u64, name: String },
    /// The kinds that the server has, now or as of a revision.
    Kinds { at: Option<u64> },
    /// A kind's objects; with `seen` it waits a while until the table says something else.
    Table { which: Which, seen: Option<Box<Table>> },
    /// A text about an object; with `seen` it waits a while until it says something else.
    Read { subject: Subject, view: View, seen: Option<Box<Text>> },
    /// What could stand at the cursor (in characters) of a line of the lab prompt.
    Complete { line: String, cursor: usize },
    /// One object as the environment holds it, named as causes name it.
    Object { kind: String, namespace: String, name: String },
    /// What would become of a request (`[FROM] URL`), as the model sees it. Nothing is sent.
    Way { words: Vec<String> },
    /// A file of the lab's folder, with what was lost of it; changes nothing.
    OpenFile { name: String },
    /// Writes a file of the lab's folder; its draft goes.
    WriteFile { name: String, text: String },
    /// Keeps what is being written in case the program ends; `None`: nothing is being written any more.
    KeepDraft { name: String, text: Option<String> },
    /// What the API server would say to a manifest (dry run).
    Check { text: String },
    /// The fields of a kind, from the server's OpenAPI.
    Shape { api_version: String, kind: String },
    /// Names of the world that fields want.
    Names,
    /// What applying a manifest would change (dry run).
    Preview { name: String, text: String },
    /// What the last line that changed the world changed.
    LastChange,
}

/// The answers, named as their questions.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Place(Place),
    TimeLine(TimeLine),
    Change(Box<Told>),
    Compare(Box<Compared>),
    Undone(Undone),
    /// What was done, in a sentence.
    Mark(String),
    Kinds(Vec<KindRow>),
    Table(Box<Table>),
    Read(Box<Text>),
    Complete(Completions),
    /// Its YAML.
    Object(String),
    /// One for each exchange.
    Way(Vec<Picture>),
    OpenFile(OpenFile),
    /// How many lines were written.
    WriteFile(usize),
    KeepDraft,
    Check(Checked),
    Shape(Box<Shape>),
    Names(Names),
    Preview(Box<Preview>),
}

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The kubeconfig's current context.
    pub context: String,
    /// The namespace of commands that name none.
    pub namespace: String,
}

/// What could stand at the cursor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Completions {
    /// Where the word begins that a candidate takes the place of, in characters.
    pub from: usize,
    /// Sorted; at most [`MAX_CANDIDATES`].
    pub candidates: Vec<Candidate>,
    /// Why there may be more: the cluster did not answer in time. For people.
    pub missing: Option<String>,
}

/// Candidates that are shown; more are cut.
pub const MAX_CANDIDATES: usize = 500;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// What takes the word's place.
    pub text: String,
    /// What it is, in a few words; may be empty.
    pub note: String,
}

impl Candidate {
    /// A candidate.
    pub fn new(text: impl Into<String>, note: impl Into<String>) -> Candidate {
        Candidate { text: text.into(), note: note.into() }
    }
}
