//! What a session does about what the learner asks for.

use super::guide::debrief_text;
use super::transcript::Sort;
use super::{Ask, Effect, ResetScope, Session, Task, Wish};
use crate::finding::picture;
use crate::lesson::model::StepKind;
use crate::progress::{Entry, Guess, How, Sure};

/// Columns of what is told in the output.
const TOLD: usize = 78;

impl Session {
    pub(super) fn wish(&mut self, wish: Wish, effects: &mut Vec<Effect>) {
        self.notice = None;
        let asked = self.asking.take();
        match wish {
            Wish::Next => self.next(effects),
            Wish::Previous => self.go_to(self.shown.saturating_sub(1), effects),
            Wish::GoTo(step) => self.go_to(step, effects),
            Wish::Hint => self.hint(effects),
            Wish::Check => self.check(effects),
            Wish::Picture => self.picture(),
            Wish::Answer(answer) => self.answer(answer, effects),
            Wish::Sure(sure) => self.sure(sure),
            Wish::WhatNow => {
                self.asking = asked;
                self.notice = Some(self.what_now());
            }
            Wish::Glossary(word) => {
                let (words, page) = self.glossary();
                let text = words.told(&word, &page, TOLD);
                self.transcript.say(Sort::Note, &text);
            }
            Wish::Debrief(word) => match self.debrief(&word).map(|stage| debrief_text(stage, TOLD).join("\n")) {
                Ok(text) => self.transcript.say(Sort::Note, &text),
                Err(sentence) => self.notice = Some(sentence),
            },
            Wish::Solution { confirmed } => self.solve(How::Assisted, confirmed, effects),
            Wish::Skip { confirmed } => self.solve(How::Skipped, confirmed, effects),
            Wish::Reset { scope, confirmed } => self.reset(scope, confirmed, effects),
            Wish::Share(file) => self.share(file, effects),
            Wish::Cancel if asked.is_some() => (),
            Wish::Cancel => effects.extend(self.running.as_ref().map(|running| Effect::Cancel { ticket: running.ticket })),
            Wish::Clear => self.transcript.clear(),
            Wish::Quit => effects.push(Effect::Quit),
        }
    }

    fn next(&mut self, effects: &mut Vec<Effect>) {
        let (shown, step) = (self.shown, self.step());
        if self.steps[shown].is_done() {
            match shown + 1 < self.steps.len() {
                true => self.go_to(shown + 1, effects),
                false => self.notice = Some("This was the last step.".into()),
            }
        } else if self.is_open_ended() {
            if !self.is_busy() {
                self.leaving = Some(shown);
                self.finish(shown, effects);
            }
        } else {
            let what = if step.question.is_some() { "It waits for an answer." } else { "Its checks are not met yet." };
            self.notice = Some(format!("This step is not done. {what} A hint, or having it done for you, is one key away."));
        }
    }

    /// Whether going on is what closes the step.
    fn is_open_ended(&self) -> bool {
        let step = self.step();
        matches!(step.kind, StepKind::Read | StepKind::Explore) || (step.checks.is_empty() && step.question.is_none())
    }

    fn go_to(&mut self, step: usize, effects: &mut Vec<Effect>) {
        if step > self.front() {
            self.notice = Some("The steps build on each other: this one opens when those before it are done.".into());
        } else if step != self.shown {
            effects.extend(self.judge.forget());
            self.enter(step, effects);
        }
    }

    fn hint(&mut self, effects: &mut Vec<Effect>) {
        let (shown, tiers) = (self.shown, self.step().hints.len() as u8);
        let run = &mut self.steps[shown];
        if run.hints >= tiers {
            self.notice = Some(if tiers == 0 { "This step has no hints." } else { "That was the last hint." }.into());
            return;
        }
        run.hints += 1;
        let tier = run.hints;
        self.record(Entry::Hint { key: self.key(shown), tier }, None, effects);
    }

    fn check(&mut self, effects: &mut Vec<Effect>) {
        match self.is_judged(self.shown) {
            true => self.ask(false, effects),
            false => self.notice = Some("This step has nothing to check.".into()),
        }
    }

    /// The way of the last check's request in words, the one that was stopped first.
    fn picture(&mut self) {
        match picture::of_findings(self.findings()).first() {
            Some(first) => self.transcript.say(Sort::Note, &picture::text(first)),
            None => {
                let text = "No check of this step sent a request yet. `picture URL` tells the way of one of yours.";
                self.notice = Some(text.into());
            }
        }
    }

    fn answer(&mut self, answer: String, effects: &mut Vec<Effect>) {
        match self.step().question {
            None => self.notice = Some("This step asks no question.".into()),
            Some(_) => {
                let answer = self.guess(answer, effects);
                self.steps[self.shown].answer = Some(answer);
                self.ask(false, effects);
            }
        }
    }

    /// Takes note of the first answer to a question of choices; the choice's id where one was meant.
    fn guess(&mut self, answer: String, effects: &mut Vec<Effect>) -> String {
        let Some((id, sure)) = self.as_choice(&answer) else { return answer };
        let right = self.choices().is_some_and(|choices| choices.iter().any(|choice| choice.id == id && choice.right));
        let run = &mut self.steps[self.shown];
        let guess = Guess { right, sure: sure.or(run.sure.take()) };
        if run.guess.is_none() && !run.is_done() {
            run.guess = Some(guess);
            let key = self.key(self.shown);
            self.record(Entry::Guessed { key, right, sure: guess.sure }, None, effects);
        }
        id
    }

    fn sure(&mut self, sure: Sure) {
        let asks = self.choices().is_some();
        let run = &mut self.steps[self.shown];
        self.notice = Some(match (asks, run.guess.is_some()) {
            (false, _) => "This step has no choices to be sure about.".into(),
            (true, true) => "The first answer was given; how sure you are counts before it.".into(),
            (true, false) => {
                run.sure = Some(sure);
                format!("Noted: {}. Now the answer.", sure.words())
            }
        });
    }

    fn solve(&mut self, how: How, confirmed: bool, effects: &mut Vec<Effect>) {
        if self.steps[self.shown].is_done() {
            self.notice = Some("This step is done already.".into());
        } else if self.is_busy() {
        } else if !confirmed {
            self.asking = Some(if how == How::Skipped { Ask::Skip } else { Ask::Solution });
        } else {
            let step = self.shown;
            let ticket = self.run(Task::Solution(step, how));
            effects.push(Effect::ApplySolution { ticket, step });
        }
    }

    fn reset(&mut self, scope: ResetScope, confirmed: bool, effects: &mut Vec<Effect>) {
        if scope == ResetScope::Step && !self.steps[self.shown].started {
            self.notice = Some("This step has not begun: there is nothing to put back.".into());
        } else if self.is_busy() {
        } else if !confirmed {
            self.asking = Some(Ask::Reset(scope));
        } else {
            effects.extend(self.judge.forget());
            let step = self.first_of(scope);
            let ticket = self.run(Task::Reset(step));
            effects.push(Effect::Reset { ticket, step });
        }
    }

    /// The step to whose start a reset goes.
    fn first_of(&self, scope: ResetScope) -> usize {
        let stage = |step: usize| &self.lesson.steps[step].stage;
        match scope {
            ResetScope::Step => self.shown,
            ResetScope::Stage => {
                (0..self.shown).rev().take_while(|step| stage(*step) == stage(self.shown)).last().unwrap_or(self.shown)
            }
            ResetScope::Lesson => 0,
        }
    }

    fn share(&mut self, file: String, effects: &mut Vec<Effect>) {
        if !self.is_busy() {
            let story = Box::new(self.story());
            let ticket = self.run(Task::Share);
            effects.push(Effect::Share { ticket, file, story });
        }
    }
}
