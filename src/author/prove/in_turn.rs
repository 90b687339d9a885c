//! Proofs on a world that cannot be forked: one after the other, and back to the step's start after each one that leaves something.

use super::said::{StepProofs, is_judged_untouched};
use super::{SEEDS, answers_of_another_run, built, is_wanted};
use crate::author::bench::{Applied, Bench, InTurn, Manner, World};
use crate::finding::Finding;
use crate::lesson::model::{Action, Lesson, Step};
use std::sync::Arc;

/// Proves the steps of these ids (all when there is none); the solutions of the others are only applied.
pub async fn prove_lesson(bench: &dyn Bench, lesson: &Arc<Lesson>, only: &[String], how: InTurn) -> Vec<StepProofs> {
    let last = built(lesson, only);
    if last == 0 {
        return Vec::new();
    }
    let answers = answers_of_another_run(bench, lesson).await;
    let world = match bench.start(lesson, SEEDS.0).await {
        Ok(world) => world,
        Err(reason) => return vec![StepProofs::unbuilt(lesson, 0, &reason, bench.trouble())],
    };
    let mut done = Vec::new();
    for nth in 0..last {
        let mut turn = Turn {
            bench,
            world: &*world,
            lesson,
            nth,
            how,
            other: answers.get(&lesson.steps[nth].id).map(String::as_str),
            start: Start::default(),
            proofs: StepProofs::new(lesson, nth),
        };
        let wanted = is_wanted(&lesson.steps[nth], only);
        let ended = match wanted {
            true => turn.prove().await,
            false => turn.pass_by().await,
        };
        if let Err(reason) = &ended {
            turn.proofs.stop(reason, bench.trouble());
        }
        if ended.is_err() || wanted {
            done.push(turn.proofs);
        }
        if ended.is_err() {
            break;
        }
    }
    done
}

/// One step's proofs.
struct Turn<'a> {
    bench: &'a dyn Bench,
    world: &'a dyn World,
    lesson: &'a Arc<Lesson>,
    nth: usize,
    how: InTurn,
    /// The answer of another run.
    other: Option<&'a str>,
    start: Start,
    proofs: StepProofs,
}

/// The step's start.
#[derive(Default)]
struct Start {
    mark: u64,
    state: std::collections::BTreeMap<String, String>,
    /// Whether a way back has been compared with it.
    compared: bool,
}

impl<'a> Turn<'a> {
    fn step(&self) -> &'a Step {
        &self.lesson.steps[self.nth]
    }

    fn told(&self, what: &str) {
        self.bench.told(&format!("step {} of {} {}: {what}", self.nth + 1, self.lesson.steps.len(), self.step().id));
    }

    /// Only what the steps after it build on.
    async fn pass_by(&mut self) -> Result<(), String> {
        self.told("applied, not proven");
        self.world.apply(&self.step().setup, Manner::Right).await?;
        self.world.apply(&self.step().solution, Manner::Right).await.map(drop)
    }

    async fn prove(&mut self) -> Result<(), String> {
        self.world.apply(&self.step().setup, Manner::Right).await?;
        let (mark, state) = (self.world.mark().await?, self.world.state().await?);
        self.start = Start { mark, state, compared: false };
        if is_judged_untouched(self.step()) {
            self.told("untouched");
            self.proofs.untouched(&self.world.evaluate(self.step(), None, &[]).await);
        }
        self.other_ways().await?;
        let mut applied = self.solve().await?;
        if self.proofs.has_checks() {
            self.proofs.solution(&self.judge(&applied).await);
        }
        self.answers(&applied).await;
        if self.how.all {
            for removal in &self.step().removals {
                self.told("a part of the solution removed");
                let findings = match self.world.remove(removal).await {
                    Ok(()) => Ok(self.judge(&applied).await),
                    Err(reason) => Err(reason),
                };
                self.proofs.removal(removal, findings);
                self.back().await?;
                applied = self.solve().await?;
            }
            if !self.start.compared {
                self.back().await?;
                self.solve().await?;
            }
        }
        Ok(())
    }

    /// Near misses and accepted variants, each on the step's start.
    async fn other_ways(&mut self) -> Result<(), String> {
        let step = self.step();
        let all = self.how.all;
        let some = if all { usize::MAX } else { 1 };
        for mutant in step.mutants.iter().take(some) {
            self.told(&format!("mutant {}", mutant.id));
            let findings = self.tried(&mutant.actions, Manner::NearMiss).await;
            self.proofs.mutant(mutant, findings);
            self.back().await?;
        }
        for variant in step.accepts.iter().filter(|_| all) {
            self.told(&format!("accepts {}", variant.id));
            let findings = self.tried(&variant.actions, Manner::Right).await;
            self.proofs.accepts(variant, findings);
            self.back().await?;
        }
        Ok(())
    }

    async fn answers(&mut self, applied: &Applied) {
        // The one of another run is the hardest, and the last.
        let wrong = self.proofs.wrong_answers(self.other);
        let skip = if self.how.all { 0 } else { wrong.len().saturating_sub(1) };
        for answer in wrong.iter().skip(skip) {
            self.told("a wrong answer");
            let findings = self.world.evaluate(self.step(), Some(answer), &applied.ran).await;
            self.proofs.answer(answer, self.other, &findings);
        }
    }

    async fn tried(&self, actions: &[Action], manner: Manner) -> Result<Vec<Finding>, String> {
        let applied = self.world.apply(actions, manner).await?;
        Ok(self.judge(&applied).await)
    }

    async fn solve(&mut self) -> Result<Applied, String> {
        self.told("solution");
        self.world.apply(&self.step().solution, Manner::Right).await
    }

    async fn judge(&self, applied: &Applied) -> Vec<Finding> {
        let answer = applied.answers.get(&self.step().id).map(String::as_str);
        self.world.evaluate(self.step(), answer, &applied.ran).await
    }

    /// Back to the step's start; the first time it is compared with what it was.
    async fn back(&mut self) -> Result<(), String> {
        if let Err(reason) = self.world.reset(self.start.mark).await {
            self.told(&format!("the step's start is built anew, since {reason}"));
            self.world.rebuild(self.nth, self.start.mark).await.map_err(|anew| format!("{reason}; {anew}"))?;
        }
        if !self.start.compared {
            self.start.compared = true;
            let there = self.world.state().await;
            self.proofs.reset(there.map(|there| (self.start.state.clone(), there)));
        }
        Ok(())
    }
}
