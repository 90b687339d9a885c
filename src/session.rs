//! The state machine of a run: `Event` in, `Effect`s out. No I/O, no async, no clock.
//!
//! A driver owns a [`Session`], calls [`Session::start`] once, hands it every [`Event`] and does every [`Effect`]. Screens borrow it
//! and read. A step shows as done only after its journal entry is on disk (or saving was given up, which is told once).

pub mod desk;
pub mod event;
pub mod guide;
pub mod history;
pub mod judge;
pub mod own_shell;
pub mod present;
pub mod steps;
pub mod story;
pub mod transcript;
mod wishes;

pub use event::{Effect, Event, Reach, RecordId, ResetScope, Tag, Ticket, Wish};
pub use history::History;
pub use steps::{StepRun, StepState};
pub use transcript::Transcript;

use crate::base::io::{Input, Stream};
use crate::finding::{Finding, Ran, Verdict};
use crate::lesson::model::{Lesson, Step, StepKind};
use crate::progress::{Entry, How, StepKey, Summary};
use judge::{Judge, Question};
use std::collections::BTreeMap;
use std::sync::Arc;
use transcript::Sort;

/// Lines of one step that are kept for its hints.
const MAX_RAN: usize = 200;
/// Bytes of output kept of one such line.
const MAX_RAN_OUTPUT: usize = 64 << 10;

/// How a session is to behave.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Go on to the next step as soon as one is done.
    pub auto_advance: bool,
    /// Nothing can be saved: record nothing and do not wait for it.
    pub unsaved: bool,
    /// The world was built up to this step (`--from`): earlier open steps show as skipped, unrecorded.
    pub from: Option<usize>,
}

/// What runs now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    pub ticket: Ticket,
    pub what: Task,
}

/// The sorts of things that run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// A prompt line, with what it has printed so far.
    Line(Ran),
    SetUp(usize),
    Solution(usize, How),
    Reset(usize),
    Share,
}

/// A question to the learner that `confirmed: true` answers and [`Wish::Cancel`] withdraws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    Solution,
    Skip,
    Reset(ResetScope),
}

impl Ask {
    /// The question in words, for text without keys.
    pub fn question(self) -> &'static str {
        match self {
            Ask::Solution => "Apply the solution? The step will be marked assisted.",
            Ask::Skip => "Apply the solution and go on? The step will be marked skipped.",
            Ask::Reset(ResetScope::Step) => "Put the world back to the start of this step? What you did since is undone.",
            Ask::Reset(ResetScope::Stage) => "Put the world back to the start of this stage? Its steps are open again.",
            Ask::Reset(ResetScope::Lesson) => "Put the world back to the start of the lesson? All its steps are open again.",
        }
    }
}

/// One learner's run through one lesson.
#[derive(Debug, Clone)]
pub struct Session {
    lesson: Arc<Lesson>,
    options: Options,
    steps: Vec<StepRun>,
    /// The step that is looked at.
    shown: usize,
    running: Option<Running>,
    judge: Judge,
    transcript: Transcript,
    history: History,
    /// Lines run since the shown step was entered.
    ran: Vec<Ran>,
    saving: BTreeMap<RecordId, Option<(usize, How)>>,
    asking: Option<Ask>,
    notice: Option<String>,
    /// What the API server makes people wait for.
    waiting: Option<String>,
    next_id: u64,
    unsaved: bool,
    /// The step after which the learner wants to go on as soon as it is done.
    leaving: Option<usize>,
}

impl Session {
    /// Puts the lines of earlier runs before those of this one.
    pub fn remember(&mut self, lines: &[String]) {
        lines.iter().for_each(|line| self.history.push(line));
    }

    /// A session that goes on where `progress` ends.
    pub fn new(lesson: Arc<Lesson>, progress: &Summary, options: Options) -> Session {
        let mut steps: Vec<StepRun> =
            lesson.steps.iter().map(|step| StepRun::resumed(progress.step(&key_of(&lesson, step)))).collect();
        let from = options.from.unwrap_or(0).min(steps.len());
        steps[..from].iter_mut().filter(|step| !step.is_done()).for_each(|step| step.state = StepState::Skipped);
        steps[from..].iter_mut().filter(|_| options.from.is_some()).for_each(|step| *step = StepRun::default());
        let mut session = Session {
            lesson,
            options,
            steps,
            shown: 0,
            running: None,
            judge: Judge::default(),
            transcript: Transcript::default(),
            history: History::default(),
            ran: Vec::new(),
            saving: BTreeMap::new(),
            asking: None,
            notice: None,
            waiting: None,
            next_id: 0,
            unsaved: options.unsaved,
            leaving: None,
        };
        session.shown = session.front();
        session
    }

    /// Enters the first open step. To be called once, before the first event.
    pub fn start(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.enter(self.front(), &mut effects);
        effects
    }

    /// Takes an event and says what is to be done about it.
    pub fn handle(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Line(line) => self.line(&line, &mut effects),
            Event::Shown(line) => self.shown_line(line),
            Event::Input(input) => effects.extend(self.input(input)),
            Event::Resized { cols, rows } => effects.extend(self.input(Input::Resize { cols, rows })),
            Event::Output { ticket, stream, bytes } => self.output(ticket, stream, &bytes),
            Event::Ran { ticket, exit_code } => self.line_ended(ticket, exit_code, &mut effects),
            Event::RanAsking { ticket, exit_code, wish } => {
                self.line_ended(ticket, exit_code, &mut effects);
                self.wish(wish, &mut effects);
            }
            Event::Done { ticket, result, answer } => self.task_ended(ticket, result, answer, &mut effects),
            Event::Evaluated { tag, findings } => self.evaluated(tag, findings, &mut effects),
            Event::EvaluationFailed { tag, reason } => self.evaluation_failed(tag, reason, &mut effects),
            Event::Recorded(id) => self.recorded(id, &mut effects),
            Event::RecordFailed { id, reason } => self.record_failed(id, &reason, &mut effects),
            Event::Wish(wish) => self.wish(wish, &mut effects),
            Event::Told(text) => self.transcript.say(Sort::Note, &text),
            Event::Reach(reach) => self.reach(reach),
            Event::Answered { .. } | Event::Shell(_) => (),
        }
        effects
    }

    fn reach(&mut self, reach: Reach) {
        self.waiting = match reach {
            Reach::Waiting(sentence) => Some(sentence),
            Reach::Clear => None,
            Reach::Failed(sentence) => {
                self.notice = Some(sentence);
                return;
            }
        };
    }

    fn line(&mut self, line: &str, effects: &mut Vec<Effect>) {
        self.notice = None;
        self.asking = None;
        match &self.running {
            Some(Running { what: Task::Line(_), .. }) => {
                effects.extend(self.input(Input::Bytes(format!("{line}\n").into_bytes())));
            }
            Some(_) => self.notice = Some("The lab is still at work; the line was not run.".into()),
            None if line.trim().is_empty() => (),
            None => {
                self.history.push(line);
                self.transcript.say(Sort::Typed, line);
                let ran = Ran { line: line.to_string(), exit_code: 0, output: String::new() };
                let ticket = self.run(Task::Line(ran));
                effects.push(Effect::Run { ticket, line: line.to_string() });
            }
        }
    }

    fn shown_line(&mut self, line: String) {
        self.notice = None;
        self.history.push(&line);
        self.transcript.say(Sort::Typed, &line);
        self.keep(Ran { line, exit_code: 0, output: String::new() });
    }

    fn keep(&mut self, ran: Ran) {
        self.ran.push(ran);
        if self.ran.len() > MAX_RAN {
            self.ran.remove(0);
        }
    }

    fn input(&mut self, input: Input) -> Option<Effect> {
        match &self.running {
            Some(Running { ticket, what: Task::Line(_) }) => Some(Effect::Input { ticket: *ticket, input }),
            _ => None,
        }
    }

    fn output(&mut self, ticket: Ticket, stream: Stream, bytes: &[u8]) {
        let Some(running) = self.running.as_mut().filter(|running| running.ticket == ticket) else { return };
        self.transcript.write(stream, bytes);
        if let Task::Line(ran) = &mut running.what
            && ran.output.len() < MAX_RAN_OUTPUT
        {
            ran.output.push_str(&String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_RAN_OUTPUT)]));
        }
    }

    fn line_ended(&mut self, ticket: Ticket, exit_code: i32, effects: &mut Vec<Effect>) {
        let Some(Task::Line(mut ran)) = self.ended(ticket) else { return };
        ran.exit_code = exit_code;
        self.keep(ran);
        if !self.steps[self.shown].started {
            return self.set_up(effects);
        }
        let step = &self.steps[self.shown];
        let waits_for_answer = self.step().question.is_some() && step.answer.is_none();
        if !step.is_done() && !waits_for_answer && self.is_judged(self.shown) {
            self.ask(false, effects);
        }
    }

    fn task_ended(&mut self, ticket: Ticket, result: Result<(), String>, answer: Option<String>, effects: &mut Vec<Effect>) {
        let Some(task) = self.ended(ticket) else { return };
        if let Err(reason) = result {
            self.transcript.say(Sort::Note, &reason);
            self.notice = Some(reason);
            return;
        }
        self.task_done(task, answer, effects);
        self.set_up(effects);
    }

    fn task_done(&mut self, task: Task, answer: Option<String>, effects: &mut Vec<Effect>) {
        match task {
            Task::Line(_) => (),
            Task::SetUp(step) => {
                self.steps[step].started = true;
                self.record(Entry::Started { key: self.key(step) }, None, effects);
                self.ask_quietly(effects);
            }
            Task::Solution(step, how) => {
                self.steps[step].answer = answer;
                self.steps[step].helped = Some(how);
                match self.is_judged(step) {
                    true => self.ask(false, effects),
                    false => self.finish(step, effects),
                }
            }
            Task::Reset(step) => self.reopened(step, effects),
            Task::Share => {
                self.transcript.say(Sort::Note, &answer.unwrap_or_default());
            }
        }
    }

    /// The world is as it was when `from` began: that step and all after it are open again.
    fn reopened(&mut self, from: usize, effects: &mut Vec<Effect>) {
        for step in from..self.steps.len() {
            if self.steps[step].is_done() || step == from {
                self.record(Entry::Reset { key: self.key(step) }, None, effects);
            }
            let before = std::mem::take(&mut self.steps[step]);
            self.steps[step] =
                StepRun { hints: before.hints, attempts: before.attempts, guess: before.guess, ..StepRun::default() };
        }
        self.steps[from].state = StepState::Active;
        self.steps[from].started = true;
        self.ran.clear();
        self.shown = from;
        self.notice = Some(format!("Back at the start of step {}.", from + 1));
    }

    fn evaluated(&mut self, tag: Tag, findings: Vec<Finding>, effects: &mut Vec<Effect>) {
        let (asked, next) = self.judge.answered(tag);
        effects.extend(next);
        let Some(question) = asked else { return };
        self.note_disagreements(question.step, &findings, effects);
        let met = findings.iter().all(|finding| finding.verdict == Verdict::Met);
        let faulty = findings.iter().any(|finding| finding.verdict == Verdict::EnvironmentFault);
        let step = &mut self.steps[question.step];
        if met || !question.quiet {
            step.findings = findings;
        }
        if !met && !faulty && !question.quiet && !step.is_done() {
            step.attempts += 1;
        }
        if met && !step.is_done() {
            self.finish(question.step, effects);
        }
    }

    fn note_disagreements(&mut self, step: usize, findings: &[Finding], effects: &mut Vec<Effect>) {
        for finding in findings {
            let Some((observed, predicted)) = finding.disagreement() else { continue };
            let entry = Entry::Disagreement { key: self.key(step), check: finding.check.clone(), observed, predicted };
            self.record(entry, None, effects);
        }
    }

    fn evaluation_failed(&mut self, tag: Tag, reason: String, effects: &mut Vec<Effect>) {
        let (asked, next) = self.judge.answered(tag);
        effects.extend(next);
        if asked.is_some_and(|question| !question.quiet) {
            self.notice = Some(reason);
        }
    }

    fn recorded(&mut self, id: RecordId, effects: &mut Vec<Effect>) {
        if let Some(Some((step, how))) = self.saving.remove(&id) {
            self.close(step, how, effects);
        }
    }

    fn record_failed(&mut self, id: RecordId, reason: &str, effects: &mut Vec<Effect>) {
        if !std::mem::replace(&mut self.unsaved, true) {
            self.transcript.say(Sort::Note, &format!("{reason}. The lesson goes on; progress will not be kept."));
        }
        self.recorded(id, effects);
    }

    /// Shows a step; makes its start when it is entered for the first time.
    fn enter(&mut self, step: usize, effects: &mut Vec<Effect>) {
        self.shown = step;
        self.ran.clear();
        let run = &mut self.steps[step];
        if run.is_done() {
            return;
        }
        run.state = StepState::Active;
        match run.started {
            true => self.ask_quietly(effects),
            false => self.set_up(effects),
        }
    }

    /// Makes the shown step's start, unless that was done or something runs (then it is done when that ends).
    fn set_up(&mut self, effects: &mut Vec<Effect>) {
        let (step, run) = (self.shown, &self.steps[self.shown]);
        if self.running.is_none() && !run.started && !run.is_done() {
            let ticket = self.run(Task::SetUp(step));
            effects.push(Effect::SetUp { ticket, step });
        }
    }

    /// Whether there is something to judge: a check, or a question, which has one of its own.
    fn is_judged(&self, step: usize) -> bool {
        let step = &self.lesson.steps[step];
        !step.checks.is_empty() || step.question.is_some()
    }

    fn is_busy(&mut self) -> bool {
        let busy = self.running.is_some();
        if busy {
            self.notice = Some("Something is still running. Ctrl-C ends it.".into());
        }
        busy
    }

    fn ask(&mut self, quiet: bool, effects: &mut Vec<Effect>) {
        let answer = self.steps[self.shown].answer.clone();
        effects.extend(self.judge.ask(Question { step: self.shown, answer, ran: self.ran.clone(), quiet }));
    }

    /// On entering a do or fix step: perhaps it is done already.
    fn ask_quietly(&mut self, effects: &mut Vec<Effect>) {
        if matches!(self.step().kind, StepKind::Do | StepKind::Fix) && !self.step().checks.is_empty() {
            self.ask(true, effects);
        }
    }

    /// The step is done; it shows so once that is on disk.
    fn finish(&mut self, step: usize, effects: &mut Vec<Effect>) {
        let run = &self.steps[step];
        let how = run.helped.unwrap_or(How::Own);
        if self.saving.values().any(|saved| saved.is_some_and(|(saved, _)| saved == step)) {
            return;
        }
        let entry = Entry::Done { key: self.key(step), how, attempts: run.attempts, hints: run.hints };
        self.record(entry, Some((step, how)), effects);
    }

    fn record(&mut self, entry: Entry, closes: Option<(usize, How)>, effects: &mut Vec<Effect>) {
        if self.unsaved {
            if let Some((step, how)) = closes {
                self.close(step, how, effects);
            }
            return;
        }
        let id = RecordId(self.fresh_id());
        self.saving.insert(id, closes);
        effects.push(Effect::Record { id, entry });
    }

    fn close(&mut self, step: usize, how: How, effects: &mut Vec<Effect>) {
        self.steps[step].state = match how {
            How::Own => StepState::Passed,
            How::Assisted => StepState::Assisted,
            How::Skipped => StepState::Skipped,
        };
        effects.push(Effect::StepDone { step });
        let goes_on = self.options.auto_advance || self.leaving.take() == Some(step);
        if goes_on && self.shown == step && step + 1 < self.steps.len() {
            self.enter(step + 1, effects);
        }
    }

    fn run(&mut self, what: Task) -> Ticket {
        let ticket = Ticket(self.fresh_id());
        self.running = Some(Running { ticket, what });
        ticket
    }

    fn ended(&mut self, ticket: Ticket) -> Option<Task> {
        self.running.as_ref().filter(|running| running.ticket == ticket)?;
        self.transcript.close();
        self.running.take().map(|running| running.what)
    }

    fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn key(&self, step: usize) -> StepKey {
        key_of(&self.lesson, &self.lesson.steps[step])
    }
}

fn key_of(lesson: &Lesson, step: &Step) -> StepKey {
    StepKey { lesson: lesson.id.clone(), step: step.id.clone(), version: lesson.version }
}

#[cfg(test)]
mod tests;
