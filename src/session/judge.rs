//! Which evaluation runs and which waits: one running, at most one pending (the newest), answers with an old tag ignored.

use super::event::{Effect, Tag};
use crate::finding::Ran;

/// What is to be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub step: usize,
    pub answer: Option<String>,
    /// The lines run in the step so far.
    pub ran: Vec<Ran>,
    /// Asked by the program on entering a step: only a pass is told.
    pub quiet: bool,
}

/// The evaluations of a session.
#[derive(Debug, Clone, Default)]
pub struct Judge {
    next: u64,
    running: Option<(Tag, Question)>,
    pending: Option<Question>,
}

impl Judge {
    /// Asks for an evaluation. It starts now if none runs, else it replaces the one that waits.
    pub fn ask(&mut self, question: Question) -> Option<Effect> {
        if self.running.is_some() {
            self.pending = Some(question);
            return None;
        }
        Some(self.start(question))
    }

    /// Takes an answer: the question it belongs to (`None` when stale), and the next evaluation to start. When a newer question
    /// waits, the answer is already out of date and is not given out.
    pub fn answered(&mut self, tag: Tag) -> (Option<Question>, Option<Effect>) {
        if self.running.as_ref().is_none_or(|(running, _)| *running != tag) {
            return (None, None);
        }
        let asked = self.running.take().map(|(_, question)| question);
        match self.pending.take() {
            Some(newer) => (None, Some(self.start(newer))),
            None => (asked, None),
        }
    }

    /// Forgets what runs and what waits.
    pub fn forget(&mut self) -> Option<Effect> {
        self.pending = None;
        self.running.take().map(|(tag, _)| Effect::Forget { tag })
    }

    /// What is being judged.
    pub fn running(&self) -> Option<&Question> {
        self.pending.as_ref().or(self.running.as_ref().map(|(_, question)| question))
    }

    fn start(&mut self, question: Question) -> Effect {
        self.next += 1;
        let tag = Tag(self.next);
        let effect = Effect::Evaluate { tag, step: question.step, answer: question.answer.clone(), ran: question.ran.clone() };
        self.running = Some((tag, question));
        effect
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(answer: &str) -> Question {
        Question { step: 0, answer: Some(answer.into()), ran: Vec::new(), quiet: false }
    }

    fn started(effect: Option<Effect>) -> (Tag, String) {
        match effect {
            Some(Effect::Evaluate { tag, answer, .. }) => (tag, answer.unwrap()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_runs_the_newest_waits_and_old_answers_are_dropped() {
        let mut judge = Judge::default();
        let (first, _) = started(judge.ask(question("a")));
        assert_eq!(judge.ask(question("b")), None);
        assert_eq!(judge.ask(question("c")), None);
        let (asked, next) = judge.answered(first);
        assert_eq!(asked, None, "the answer to a is out of date: c waits");
        let (second, answer) = started(next);
        assert_eq!(answer, "c");
        assert_eq!(judge.answered(first), (None, None));
        assert_eq!(judge.answered(second), (Some(question("c")), None));
        assert_eq!(judge.answered(second), (None, None));
    }

    #[test]
    fn forgetting_makes_the_running_one_stale() {
        let mut judge = Judge::default();
        let (tag, _) = started(judge.ask(question("a")));
        assert_eq!(judge.forget(), Some(Effect::Forget { tag }));
        assert_eq!(judge.answered(tag), (None, None));
        assert!(judge.running().is_none());
    }
}
