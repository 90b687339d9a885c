//! How sure a learner was of an answer, and how right: what the first answers to predict questions add up to.

use serde::{Deserialize, Serialize};

/// How sure a learner said to be of an answer, before it was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sure {
    Low,
    Middle,
    High,
}

impl Sure {
    pub const ALL: [Sure; 3] = [Sure::Low, Sure::Middle, Sure::High];

    /// `unsure`, `fairly sure`, `sure`.
    pub fn words(self) -> &'static str {
        match self {
            Sure::Low => "unsure",
            Sure::Middle => "fairly sure",
            Sure::High => "sure",
        }
    }

    /// From what people type: `1`, `low`, `unsure`, `2`, `middle`, `3`, `high`, ..
    pub fn parse(text: &str) -> Option<Sure> {
        Some(match text.trim().to_lowercase().as_str() {
            "1" | "low" | "unsure" | "guess" => Sure::Low,
            "2" | "middle" | "medium" | "fairly" => Sure::Middle,
            "3" | "high" | "sure" | "certain" => Sure::High,
            _ => return None,
        })
    }

    /// The chance of being right that the word is taken for, in hundredths.
    fn chance(self) -> u32 {
        match self {
            Sure::Low => 40,
            Sure::Middle => 65,
            Sure::High => 90,
        }
    }
}

/// The first answer to a predict question. Later ones are learning, not predicting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Guess {
    pub right: bool,
    /// `None`: not said.
    pub sure: Option<Sure>,
}

/// Counts of right answers and of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    pub right: usize,
    pub all: usize,
}

impl Tally {
    fn add(&mut self, right: bool) {
        self.right += usize::from(right);
        self.all += 1;
    }
}

/// So many statements say something about how well they fit.
const ENOUGH: usize = 3;

/// How right first answers were, and how right the learner was about that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Calibration {
    pub total: Tally,
    /// By [`Sure::ALL`].
    pub stated: [Tally; 3],
}

impl Calibration {
    pub fn of(guesses: impl IntoIterator<Item = Guess>) -> Calibration {
        let mut sum = Calibration::default();
        for guess in guesses {
            sum.total.add(guess.right);
            if let Some(sure) = guess.sure {
                sum.stated[sure as usize].add(guess.right);
            }
        }
        sum
    }

    /// 0 to 100: a hundred minus the mean squared distance between the chance that was stated (40, 65, 90) and what came of it. `None`
    /// below three statements.
    pub fn score(&self) -> Option<u32> {
        let said: usize = self.stated.iter().map(|tally| tally.all).sum();
        if said < ENOUGH {
            return None;
        }
        let squares = |(sure, tally): (Sure, &Tally)| {
            let (chance, right, wrong) = (sure.chance(), tally.right as u32, (tally.all - tally.right) as u32);
            right * (100 - chance).pow(2) + wrong * chance.pow(2)
        };
        let sum: u32 = Sure::ALL.into_iter().zip(&self.stated).map(squares).sum();
        Some(100 - (sum / said as u32).div_ceil(100))
    }

    /// What to say about it: one to three sentences, none without an answer.
    pub fn sentences(&self) -> Vec<String> {
        if self.total.all == 0 {
            return Vec::new();
        }
        let mut out = vec![format!("Predictions: {} of {} right with the first answer.", self.total.right, self.total.all)];
        let said: Vec<String> = Sure::ALL
            .into_iter()
            .rev()
            .filter(|sure| self.stated[*sure as usize].all > 0)
            .map(|sure| {
                let tally = self.stated[sure as usize];
                format!("{}: {} of {} right", sure.words(), tally.right, tally.all)
            })
            .collect();
        if !said.is_empty() {
            out.push(format!("When you said how sure you were: {}.", said.join("; ")));
        }
        if let Some(score) = self.score() {
            out.push(format!("Calibration {score} of 100: {}", self.judgement()));
        }
        out
    }

    fn judgement(&self) -> &'static str {
        let [low, _, high] = self.stated;
        match (high.all > 0 && high.right * 5 < high.all * 4, low.all > 0 && low.right * 3 > low.all * 2) {
            (true, false) => "you were surer than right. Before a firm answer, ask which log line would prove it.",
            (false, true) => "you know more than you think.",
            _ => "how sure you are tells well how right you are.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(sure: Sure, right: usize, all: usize) -> impl Iterator<Item = Guess> {
        (0..all).map(move |n| Guess { right: n < right, sure: Some(sure) })
    }

    #[test]
    fn the_score_falls_with_confident_mistakes_and_rises_with_confident_truths() {
        let score = |guesses: Vec<Guess>| Calibration::of(guesses).score();
        assert_eq!(score(said(Sure::High, 4, 4).collect()), Some(99));
        assert_eq!(score(said(Sure::High, 0, 4).collect()), Some(19));
        assert_eq!(score(said(Sure::Low, 0, 3).collect()), Some(84));
        assert!(score(said(Sure::High, 2, 4).collect()) < score(said(Sure::Low, 2, 4).collect()));
        assert_eq!(score(said(Sure::High, 2, 2).collect()), None, "two statements say nothing");
        assert_eq!(score(vec![Guess { right: true, sure: None }; 9]), None);
    }

    #[test]
    fn the_words_follow_the_counts() {
        assert!(Calibration::default().sentences().is_empty());
        let quiet = Calibration::of([Guess { right: true, sure: None }, Guess { right: false, sure: None }]);
        assert_eq!(quiet.sentences(), ["Predictions: 1 of 2 right with the first answer."]);
        let bold = Calibration::of(said(Sure::High, 1, 3).chain(said(Sure::Low, 0, 1)));
        let text = bold.sentences().join(" ");
        assert!(text.contains("sure: 1 of 3 right; unsure: 0 of 1 right") && text.contains("surer than right"), "{text}");
        let modest = Calibration::of(said(Sure::Low, 3, 3)).sentences().join(" ");
        assert!(modest.contains("more than you think"), "{modest}");
        let good = Calibration::of(said(Sure::High, 4, 4).chain(said(Sure::Low, 0, 2))).sentences().join(" ");
        assert!(good.contains("tells well"), "{good}");
    }

    #[test]
    fn words_are_read_and_anything_else_is_not() {
        for (text, sure) in [("1", Sure::Low), (" HIGH ", Sure::High), ("middle", Sure::Middle), ("3", Sure::High)] {
            assert_eq!(Sure::parse(text), Some(sure), "{text}");
        }
        assert!(["", "0", "4", "very", "b"].iter().all(|text| Sure::parse(text).is_none()));
    }
}
