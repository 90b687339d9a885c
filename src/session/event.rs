//! Everything that can happen to a session, and everything that it can ask for. Both are closed and derive Debug, so that a
//! session can be logged and replayed.

use super::desk::{Answer, AskId, Request};
use super::own_shell::{ShellCall, ShellNews};
use super::story::Story;
use crate::base::io::{Input, Stream};
use crate::finding::{Finding, Ran};
use crate::progress::{Entry, Sure};

/// Names one thing that runs: a prompt line, a solution, a set-up or a reset. Never reused within a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// Names one evaluation. An answer with another tag than the running one's is stale and ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(pub u64);

/// Names one journal entry on its way to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId(pub u64);

/// What can happen.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The learner entered a line at the prompt; here-documents come whole, with their newlines.
    Line(String),
    /// A line that the screen itself did (`edit FILE`): kept as typed, nothing runs.
    Shown(String),
    /// What the learner types while a line runs, and end of input.
    Input(Input),
    /// The size of the pane in which commands are shown changed.
    Resized { cols: u16, rows: u16 },
    /// A piece of output of something that runs.
    Output { ticket: Ticket, stream: Stream, bytes: Vec<u8> },
    /// A prompt line ended.
    Ran { ticket: Ticket, exit_code: i32 },
    /// A prompt line ended with a word that asks for something (`next`, `hint`): both at once, so that nothing comes in between.
    RanAsking { ticket: Ticket, exit_code: i32, wish: Wish },
    /// A set-up, solution or reset ended; an error is a sentence for people. `answer` is what a solution's `answer` action took
    /// from this run's output.
    Done { ticket: Ticket, result: Result<(), String>, answer: Option<String> },
    /// An evaluation ended.
    Evaluated { tag: Tag, findings: Vec<Finding> },
    /// An evaluation could not be made (no environment); a sentence for people.
    EvaluationFailed { tag: Tag, reason: String },
    /// The entry is on disk.
    Recorded(RecordId),
    /// The entry could not be written. Told once; the session goes on unsaved.
    RecordFailed { id: RecordId, reason: String },
    /// The learner's wish, by key, by plain-mode word or by command.
    Wish(Wish),
    /// The driver has something to tell (a warning of the environment).
    Told(String),
    /// How it stands with the API server of a cluster.
    Reach(Reach),
    /// The answer to [`Effect::Ask`]; an error is a sentence for people. For the one who asked: the session keeps nothing of it.
    Answered { id: AskId, answer: Result<Answer, String> },
    /// What becomes of the learner's own shell. For the screen that shows it.
    Shell(ShellNews),
}

/// What an API server with a bad moment means for those who work there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Something is asked again after a pause; a sentence on why.
    Waiting(String),
    /// Nobody waits any more.
    Clear,
    /// A request ended in trouble for good; a sentence on which.
    Failed(String),
}

/// What a learner can ask for besides typing a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Go on; closes a read step; refused on other steps that are not done.
    Next,
    /// Look at the step before.
    Previous,
    /// Look at this step (index); refused past the first step that is not done.
    GoTo(usize),
    /// Show the next hint tier.
    Hint,
    /// Judge the step now.
    Check,
    /// Tell the way of the last check's request.
    Picture,
    /// Close an observe or predict step with this answer.
    Answer(String),
    /// Say how sure one is of the answer that comes next.
    Sure(Sure),
    /// Say in a sentence what is missing now.
    WhatNow,
    /// Look a word up; without one: list them, those of the page first.
    Glossary(String),
    /// Look back at a stage that is done; without a name: at the newest.
    Debrief(String),
    /// Apply the solution and mark the step assisted. Asks first unless `confirmed`.
    Solution { confirmed: bool },
    /// Apply the solution and mark the step skipped. Asks first unless `confirmed`.
    Skip { confirmed: bool },
    /// Put the world back to the start of the step, its stage or the lesson. Asks first unless `confirmed`.
    Reset { scope: ResetScope, confirmed: bool },
    /// Write a file with which somebody else can go on from here.
    Share(String),
    /// Withdraw a question, or interrupt what runs.
    Cancel,
    /// Empty the scrollback.
    Clear,
    /// Leave. Progress is on disk already.
    Quit,
}

/// How far back a reset goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetScope {
    Step,
    /// To the start of the first step of the step's stage.
    Stage,
    Lesson,
}

/// What the driver is to do. Each answered as its comment says.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Run a prompt line; answered by `Output`s, then `Ran`.
    Run { ticket: Ticket, line: String },
    /// Hand input to the line that runs.
    Input { ticket: Ticket, input: Input },
    /// Interrupt what runs; it still ends with `Ran` or `Done`.
    Cancel { ticket: Ticket },
    /// Make the step's start: do its set-up actions, then take the checkpoint to which `Reset` returns; answered by `Done`.
    SetUp { ticket: Ticket, step: usize },
    /// Apply the step's solution; answered by `Output`s, then `Done`.
    ApplySolution { ticket: Ticket, step: usize },
    /// Bring the world back to the step's start; answered by `Done`.
    Reset { ticket: Ticket, step: usize },
    /// Write the file for somebody else; answered by `Done`, whose answer is what was written, in a sentence.
    Share { ticket: Ticket, file: String, story: Box<Story> },
    /// Judge a step; answered by `Evaluated` or `EvaluationFailed` with the tag. `ran`: the lines run in the step so far.
    Evaluate { tag: Tag, step: usize, answer: Option<String>, ran: Vec<Ran> },
    /// Give up an evaluation whose answer is no longer wanted; needs no answer.
    Forget { tag: Tag },
    /// Write an entry; answered by `Recorded` or `RecordFailed`.
    Record { id: RecordId, entry: Entry },
    /// Look something up; answered by `Answered` with the same number.
    Ask { id: AskId, request: Request },
    /// A step was shown as done: drivers without a screen tell it.
    StepDone { step: usize },
    /// Something for the learner's own shell; answered by [`Event::Shell`] as [`ShellCall`] says.
    Shell(ShellCall),
    /// The learner looks at another step: for notes in a second terminal. Needs no answer.
    Shown { step: usize },
    /// End the program.
    Quit,
}
