//! The proofs of one step.

use super::said::{StepProofs, is_judged_untouched};
use crate::author::bench::{Applied, Manner, World};
use crate::finding::Finding;
use crate::lesson::model::{Action, Lesson, Removal, Step};
use std::sync::Arc;

/// A step's start and its finished state.
pub struct Ground {
    lesson: Arc<Lesson>,
    nth: usize,
    start: Arc<dyn World>,
    solved: Arc<dyn World>,
    mark: u64,
    applied: Applied,
    /// The finished state, for the steps that follow.
    pub next: Arc<dyn World>,
    other_answer: Option<String>,
}

impl Ground {
    /// Builds the step's start on a fork of the world before it, and its finished state on a fork of that.
    pub async fn prepare(lesson: &Arc<Lesson>, nth: usize, before: &dyn World, other: Option<&String>) -> Result<Ground, String> {
        let step = &lesson.steps[nth];
        let start: Arc<dyn World> = before.fork().await?.into();
        start.apply(&step.setup, Manner::Right).await?;
        let solved: Arc<dyn World> = start.fork().await?.into();
        let mark = solved.mark().await?;
        let applied = solved.apply(&step.solution, Manner::Right).await?;
        let next = solved.fork().await?.into();
        Ok(Ground { lesson: lesson.clone(), nth, start, solved, mark, applied, next, other_answer: other.cloned() })
    }

    fn step(&self) -> &Step {
        &self.lesson.steps[self.nth]
    }

    /// Makes every proof.
    pub async fn prove(&self) -> StepProofs {
        let mut proofs = StepProofs::new(&self.lesson, self.nth);
        self.untouched(&mut proofs).await;
        self.solution(&mut proofs).await;
        self.accepts(&mut proofs).await;
        self.mutants(&mut proofs).await;
        self.answers(&mut proofs).await;
        self.removals(&mut proofs).await;
        self.reset(&mut proofs).await;
        proofs
    }

    async fn untouched(&self, proofs: &mut StepProofs) {
        if is_judged_untouched(self.step()) {
            proofs.untouched(&self.start.evaluate(self.step(), None, &[]).await);
        }
    }

    async fn solution(&self, proofs: &mut StepProofs) {
        if proofs.has_checks() {
            proofs.solution(&self.solved.evaluate(self.step(), self.own_answer(), &self.applied.ran).await);
        }
    }

    fn own_answer(&self) -> Option<&str> {
        self.applied.answers.get(&self.step().id).map(String::as_str)
    }

    async fn accepts(&self, proofs: &mut StepProofs) {
        for variant in &self.step().accepts {
            let outcome = self.tried(&variant.actions, Manner::Right).await;
            proofs.accepts(variant, outcome);
        }
    }

    /// Does other actions than the solution on a fork of the start, and judges.
    async fn tried(&self, actions: &[Action], manner: Manner) -> Result<Vec<Finding>, String> {
        let world = self.start.fork().await?;
        let applied = world.apply(actions, manner).await?;
        let answer = applied.answers.get(&self.step().id).map(String::as_str);
        Ok(world.evaluate(self.step(), answer, &applied.ran).await)
    }

    async fn mutants(&self, proofs: &mut StepProofs) {
        for mutant in &self.step().mutants {
            let outcome = self.tried(&mutant.actions, Manner::NearMiss).await;
            proofs.mutant(mutant, outcome);
        }
    }

    /// Every wrong choice, nonsense, and the answer of another run.
    async fn answers(&self, proofs: &mut StepProofs) {
        for answer in proofs.wrong_answers(self.other_answer.as_deref()) {
            let findings = self.solved.evaluate(self.step(), Some(&answer), &self.applied.ran).await;
            proofs.answer(&answer, self.other_answer.as_deref(), &findings);
        }
    }

    async fn removals(&self, proofs: &mut StepProofs) {
        for removal in &self.step().removals {
            let outcome = self.without(removal).await;
            proofs.removal(removal, outcome);
        }
    }

    async fn without(&self, removal: &Removal) -> Result<Vec<Finding>, String> {
        let world = self.solved.fork().await?;
        world.remove(removal).await?;
        Ok(world.evaluate(self.step(), self.own_answer(), &self.applied.ran).await)
    }

    async fn reset(&self, proofs: &mut StepProofs) {
        let states = async {
            let wanted = self.start.state().await?;
            self.solved.reset(self.mark).await?;
            Ok((wanted, self.solved.state().await?))
        };
        proofs.reset(states.await);
    }
}
