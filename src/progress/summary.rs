//! What the entries of a journal add up to.

use super::{Calibration, Entry, Guess, How, StepKey};
use std::collections::BTreeMap;

/// Where a learner is with one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StepProgress {
    pub started: bool,
    /// How it was done, `None` while it is open.
    pub done: Option<How>,
    pub attempts: u32,
    /// Highest hint tier shown.
    pub hints: u8,
    /// The first answer to the step's question of choices.
    pub guess: Option<Guess>,
}

/// All steps that the journal knows, by lesson, step and content version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    steps: BTreeMap<StepKey, StepProgress>,
}

impl Summary {
    /// Adds up entries in the order in which they were written.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Summary {
        let mut summary = Summary::default();
        entries.into_iter().for_each(|entry| summary.add(entry));
        summary
    }

    /// Takes one more entry into account.
    pub fn add(&mut self, entry: &Entry) {
        let step = self.steps.entry(entry.key().clone()).or_default();
        match entry {
            Entry::Started { .. } => step.started = true,
            Entry::Done { how, attempts, hints, .. } => {
                let hints = (*hints).max(step.hints);
                *step = StepProgress { started: true, done: Some(*how), attempts: *attempts, hints, ..*step };
            }
            Entry::Hint { tier, .. } => step.hints = step.hints.max(*tier),
            Entry::Guessed { right, sure, .. } => {
                step.guess.get_or_insert(Guess { right: *right, sure: *sure });
            }
            Entry::Reset { .. } => step.done = None,
            Entry::Disagreement { .. } => (),
        }
    }

    /// Progress of a step in this content version.
    pub fn step(&self, key: &StepKey) -> StepProgress {
        self.steps.get(key).copied().unwrap_or_default()
    }

    /// Whether the step was done in another version of the content.
    pub fn done_in_another_version(&self, key: &StepKey) -> bool {
        self.steps
            .iter()
            .any(|(k, p)| k.lesson == key.lesson && k.step == key.step && k.version != key.version && p.done.is_some())
    }

    /// Every step known, sorted by lesson, step, version.
    pub fn steps(&self) -> impl Iterator<Item = (&StepKey, &StepProgress)> {
        self.steps.iter()
    }

    /// How right the first answers in a lesson were, and how right the learner was about that.
    pub fn calibration(&self, lesson: &str, version: u32) -> Calibration {
        let of_lesson = self.steps.iter().filter(|(k, _)| k.lesson == lesson && k.version == version);
        Calibration::of(of_lesson.filter_map(|(_, progress)| progress.guess))
    }

    /// How many steps of a lesson are done in a version.
    pub fn done_in(&self, lesson: &str, version: u32) -> usize {
        self.steps.iter().filter(|(k, p)| k.lesson == lesson && k.version == version && p.done.is_some()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(step: &str, version: u32) -> StepKey {
        StepKey { lesson: "l".into(), step: step.into(), version }
    }

    #[test]
    fn later_entries_win_and_versions_are_apart() {
        let entries = [
            Entry::Started { key: key("a", 1) },
            Entry::Hint { key: key("a", 1), tier: 2 },
            Entry::Done { key: key("a", 1), how: How::Own, attempts: 3, hints: 0 },
            Entry::Done { key: key("b", 1), how: How::Assisted, attempts: 0, hints: 3 },
            Entry::Reset { key: key("b", 1) },
        ];
        let sum = Summary::of(&entries);
        let expected = StepProgress { started: true, done: Some(How::Own), attempts: 3, hints: 2, guess: None };
        assert_eq!(sum.step(&key("a", 1)), expected);
        assert_eq!(sum.step(&key("b", 1)).done, None);
        assert_eq!(sum.step(&key("a", 2)), StepProgress::default());
        assert!(sum.done_in_another_version(&key("a", 2)));
        assert!(!sum.done_in_another_version(&key("a", 1)));
        assert_eq!(sum.done_in("l", 1), 1);
    }

    #[test]
    fn only_the_first_answer_is_a_prediction() {
        use crate::progress::Sure;
        let guess = |right, sure| Entry::Guessed { key: key("a", 1), right, sure };
        let sum = Summary::of(&[
            guess(false, Some(Sure::High)),
            guess(true, None),
            Entry::Done { key: key("a", 1), how: How::Own, attempts: 1, hints: 0 },
            Entry::Reset { key: key("a", 1) },
        ]);
        assert_eq!(sum.step(&key("a", 1)).guess, Some(Guess { right: false, sure: Some(Sure::High) }));
        assert_eq!(sum.calibration("l", 1).total.all, 1);
        assert_eq!(sum.calibration("l", 2).total.all, 0);
    }
}
