//! Lines that the lab runs for the learner: what they change is not the learner's own doing.

use crate::session::desk::timeline::Moment;
use std::sync::{Arc, Mutex};

/// Stretches that are remembered.
const LIMIT: usize = 1_000;

/// Whose lines the lab runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// What makes the start of a step.
    SetUp,
    /// A solution that the learner asked for.
    Solution,
}

impl Whose {
    /// As the time-line names it.
    fn word(self) -> &'static str {
        match self {
            Whose::SetUp => "the lesson",
            Whose::Solution => "the solution",
        }
    }
}

/// Revisions after the first, up to the second.
type Stretch = (u64, u64, Whose);

/// What the lab ran, by the revisions that came of it. Copies share it.
#[derive(Debug, Clone, Default)]
pub struct Hands(Arc<Mutex<Vec<Stretch>>>);

impl Hands {
    /// Everything after one revision, up to another, was the lab's doing.
    pub fn note(&self, after: u64, last: u64, whose: Whose) {
        let mut all = self.0.lock().unwrap_or_else(|p| p.into_inner());
        if after < last {
            all.push((after, last, whose));
            let over = all.len().saturating_sub(LIMIT);
            all.drain(..over);
        }
    }

    fn of(&self, revision: u64) -> Option<Whose> {
        let all = self.0.lock().unwrap_or_else(|p| p.into_inner());
        all.iter().rev().find(|(after, last, _)| (after + 1..=*last).contains(&revision)).map(|(.., whose)| *whose)
    }

    /// Names who did it. A solution counts as the learner's own: they asked for it.
    pub fn sign(&self, moment: &mut Moment) {
        if let Some(whose) = self.of(moment.revision).filter(|_| moment.own) {
            moment.who = self.named(moment.revision, &moment.who);
            moment.own = whose == Whose::Solution;
        }
    }

    /// Who wrote something in a revision, `you (kubectl)` by default.
    pub fn named(&self, revision: u64, who: &str) -> String {
        match (self.of(revision), who.strip_prefix("you")) {
            (Some(whose), Some(with)) => format!("{}{with}", whose.word()),
            _ => who.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Time;

    #[test]
    fn only_what_was_noted_is_not_the_learners() {
        let hands = Hands::default();
        hands.note(10, 12, Whose::SetUp);
        hands.note(15, 15, Whose::SetUp);
        hands.note(20, 22, Whose::Solution);
        let signed = |revision, who: &str, own| {
            let mut moment = Moment { revision, at: Time(0), who: who.into(), own, what: String::new(), more: 0, mark: None };
            hands.sign(&mut moment);
            (moment.who, moment.own)
        };
        for (revision, who, own, want) in [
            (10, "you (kubectl)", true, ("you (kubectl)", true)),
            (11, "you (kubectl)", true, ("the lesson (kubectl)", false)),
            (12, "kubelet", false, ("kubelet", false)),
            (15, "you", true, ("you", true)),
            (21, "you", true, ("the solution", true)),
        ] {
            assert_eq!(signed(revision, who, own), (want.0.to_string(), want.1), "{revision}");
        }
    }
}
