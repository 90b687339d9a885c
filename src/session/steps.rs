//! How far each step is, and what screens read of a session.

use super::{Ask, History, Running, Session, Transcript};
use crate::finding::{Finding, Ran, WrongTurn};
use crate::lesson::model::{Lesson, Step};
use crate::progress::{Guess, How, StepProgress, Sure};
use std::sync::Arc;

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum StepState {
    #[default]
    NotStarted,
    Active,
    Passed,
    /// Done by the solution.
    Assisted,
    /// Left out; its solution was applied.
    Skipped,
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StepRun {
    pub state: StepState,
    /// The step's start was made.
    pub started: bool,
    /// The newest findings that were worth telling.
    pub findings: Vec<Finding>,
    /// Evaluations that did not find it done.
    pub attempts: u32,
    /// Hint tiers shown, 0 for none.
    pub hints: u8,
    /// The newest answer given.
    pub answer: Option<String>,
    /// How sure the learner is of the answer that comes next.
    pub sure: Option<Sure>,
    /// The first answer to a question of choices.
    pub guess: Option<Guess>,
    /// The solution was applied.
    pub helped: Option<How>,
}

impl StepRun {
    /// A step as the journal has it.
    pub fn resumed(progress: StepProgress) -> StepRun {
        let state = match progress.done {
            None => StepState::NotStarted,
            Some(How::Own) => StepState::Passed,
            Some(How::Assisted) => StepState::Assisted,
            Some(How::Skipped) => StepState::Skipped,
        };
        let StepProgress { started, attempts, hints, guess, .. } = progress;
        StepRun { state, started, attempts, hints, guess, ..StepRun::default() }
    }

    /// How it came to be done.
    pub fn done(&self) -> Option<How> {
        match self.state {
            StepState::Passed => Some(How::Own),
            StepState::Assisted => Some(How::Assisted),
            StepState::Skipped => Some(How::Skipped),
            StepState::NotStarted | StepState::Active => None,
        }
    }

    /// Passed, assisted or skipped.
    pub fn is_done(&self) -> bool {
        matches!(self.state, StepState::Passed | StepState::Assisted | StepState::Skipped)
    }
}

impl Session {
    pub fn lesson(&self) -> &Arc<Lesson> {
        &self.lesson
    }

    /// The index of the step that is looked at.
    pub fn shown(&self) -> usize {
        self.shown
    }

    /// The index of the first step that is not done; the last step's when all are.
    pub fn front(&self) -> usize {
        self.steps.iter().position(|step| !step.is_done()).unwrap_or(self.steps.len().saturating_sub(1))
    }

    /// The step that is looked at.
    pub fn step(&self) -> &Step {
        &self.lesson.steps[self.shown]
    }

    /// How far the step that is looked at is.
    pub fn step_run(&self) -> &StepRun {
        &self.steps[self.shown]
    }

    /// How far each step is, in the lesson's order.
    pub fn steps(&self) -> &[StepRun] {
        &self.steps
    }

    /// Whether every step is done.
    pub fn is_finished(&self) -> bool {
        self.steps.iter().all(StepRun::is_done)
    }

    /// How many steps are done.
    pub fn done(&self) -> usize {
        self.steps.iter().filter(|step| step.is_done()).count()
    }

    /// The shown step's newest findings.
    pub fn findings(&self) -> &[Finding] {
        &self.step_run().findings
    }

    /// The mistake that the shown step's findings look like, with its hint.
    pub fn wrong_turn(&self) -> Option<&WrongTurn> {
        self.findings().iter().find_map(|finding| finding.wrong_turn.as_ref())
    }

    /// What runs now.
    pub fn running(&self) -> Option<&Running> {
        self.running.as_ref()
    }

    /// Whether an evaluation that will be told is under way.
    pub fn is_judging(&self) -> bool {
        self.judge.running().is_some_and(|question| !question.quiet)
    }

    /// Whether the step is done but that is not on disk yet.
    pub fn is_saving(&self) -> bool {
        self.saving.values().any(|closes| closes.is_some())
    }

    /// Whether nothing is waited for: nothing runs, is judged or is being saved.
    pub fn is_idle(&self) -> bool {
        self.running.is_none() && self.judge.running().is_none() && self.saving.is_empty()
    }

    /// The question that waits for a confirmation.
    pub fn asking(&self) -> Option<Ask> {
        self.asking
    }

    /// A sentence about the last wish; gone with the next one.
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    /// What the API server makes people wait for now: a sentence.
    pub fn waiting(&self) -> Option<&str> {
        self.waiting.as_deref()
    }

    /// Whether progress is kept.
    pub fn is_saved(&self) -> bool {
        !self.unsaved
    }

    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    pub fn history(&self) -> &History {
        &self.history
    }

    /// The lines run since the shown step was entered.
    pub fn ran(&self) -> &[Ran] {
        &self.ran
    }

    /// The step's next line for the prompt: the first that was not run since the step was entered, else the last.
    pub fn suggestion(&self) -> Option<&str> {
        let actions = &self.step().actions;
        let open = actions.iter().find(|action| !self.ran.iter().any(|ran| ran.line.trim() == action.trim()));
        open.or(actions.last()).map(String::as_str)
    }
}
