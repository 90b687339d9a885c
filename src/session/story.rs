//! What a session tells somebody who is to go on from here: where the learner is, what was typed last, what the checks said.

use super::{Session, StepRun};
use crate::finding::{Ran, Verdict, render};
use crate::progress::How;

/// Lines that are told.
const LINES: usize = 30;
/// Characters of each line's output.
const OUTPUT: usize = 4_000;

/// A learner's place in a lesson.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    pub lesson: String,
    /// The lesson's content version.
    pub version: u32,
    /// The id of the step that is looked at.
    pub step: String,
    pub steps: Vec<StoryStep>,
    /// The last lines of the step, the newest last.
    pub lines: Vec<Ran>,
    /// What the checks of the step said, in words.
    pub findings: Vec<String>,
}

/// How far one step is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoryStep {
    pub id: String,
    pub started: bool,
    pub done: Option<How>,
    pub attempts: u32,
    pub hints: u8,
    pub answer: Option<String>,
}

impl Session {
    /// What to tell.
    pub fn story(&self) -> Story {
        let lesson = self.lesson();
        let told = |(step, run): (&crate::lesson::model::Step, &StepRun)| StoryStep {
            id: step.id.clone(),
            started: run.started,
            done: run.done(),
            attempts: run.attempts,
            hints: run.hints,
            answer: run.answer.clone(),
        };
        let skip = self.ran().len().saturating_sub(LINES);
        let clipped = |ran: &Ran| {
            let from = ran.output.chars().count().saturating_sub(OUTPUT);
            Ran { output: ran.output.chars().skip(from).collect(), ..ran.clone() }
        };
        let findings = self.findings().iter().filter(|finding| finding.verdict != Verdict::Met);
        Story {
            lesson: lesson.id.clone(),
            version: lesson.version,
            step: self.step().id.clone(),
            steps: lesson.steps.iter().zip(self.steps()).map(told).collect(),
            lines: self.ran().iter().skip(skip).map(clipped).collect(),
            findings: findings.map(render::text).collect(),
        }
    }
}
