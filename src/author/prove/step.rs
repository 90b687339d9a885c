//! The proofs of one step.

use super::report::{Accepted, Caught, Failure, Held, Removed, StepReport};
use crate::author::bench::{Applied, Manner, World};
use crate::base::order::Order;
use crate::check::{all_met, checks_of};
use crate::finding::{Finding, Verdict};
use crate::lesson::model::{Action, CheckKind, Choice, Expected, Lesson, Mutant, Removal, Step, StepKind};
use std::sync::Arc;

/// An answer that no world holds.
const NONSENSE: &str = "no-such-value-0";

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

/// What came of a step's proofs.
#[derive(Debug, Clone, PartialEq)]
pub struct StepProofs {
    pub report: StepReport,
    pub failures: Vec<Failure>,
}

impl StepProofs {
    fn new(step: &Step) -> StepProofs {
        let report = StepReport {
            id: step.id.clone(),
            kind: step.kind.word(),
            untouched: Held::NotApplicable,
            solution: Held::NotApplicable,
            reset: Held::NotApplicable,
            accepted: Vec::new(),
            mutants: Vec::new(),
            removals: Vec::new(),
        };
        StepProofs { report, failures: Vec::new() }
    }

    /// A step of which no proof could be made.
    pub fn unbuilt(lesson: &Lesson, step: &Step, reason: &str) -> StepProofs {
        let mut proofs = StepProofs::new(step);
        proofs.report.solution = Held::Fail;
        proofs.fail(lesson, step, "build", format!("the step's start or solution cannot be built: {reason}"));
        proofs
    }

    fn fail(&mut self, lesson: &Lesson, step: &Step, proof: &str, message: String) {
        let (lesson, step) = (lesson.id.clone(), step.id.clone());
        self.failures.push(Failure { lesson, step, proof: proof.to_string(), message });
    }
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
        let mut proofs = StepProofs::new(self.step());
        self.untouched(&mut proofs).await;
        self.solution(&mut proofs).await;
        self.accepts(&mut proofs).await;
        self.mutants(&mut proofs).await;
        self.answers(&mut proofs).await;
        self.removals(&mut proofs).await;
        self.reset(&mut proofs).await;
        proofs
    }

    fn fail(&self, proofs: &mut StepProofs, proof: &str, message: impl Into<String>) {
        proofs.fail(&self.lesson, self.step(), proof, message.into());
    }

    async fn untouched(&self, proofs: &mut StepProofs) {
        let step = self.step();
        if !matches!(step.kind, StepKind::Do | StepKind::Fix) && step.question.is_none() {
            return;
        }
        let findings = self.start.evaluate(step, None, &[]).await;
        let held = findings.iter().any(is_caught);
        proofs.report.untouched = if held { Held::Pass } else { Held::Fail };
        if !held {
            self.fail(
                proofs,
                "untouched",
                format!("the step passes, or cannot be judged, before anything is done: {}", told(&findings)),
            );
        }
    }

    async fn solution(&self, proofs: &mut StepProofs) {
        let step = self.step();
        if checks_of(step).is_empty() {
            if matches!(step.kind, StepKind::Do | StepKind::Fix | StepKind::Observe | StepKind::Predict) {
                proofs.report.solution = Held::Fail;
                self.fail(proofs, "solution", "the step has no check");
            }
            return;
        }
        let findings = self.solved.evaluate(step, self.own_answer(), &self.applied.ran).await;
        proofs.report.solution = if all_met(&findings) { Held::Pass } else { Held::Fail };
        if !all_met(&findings) {
            self.fail(proofs, "solution", told(&findings));
        }
    }

    fn own_answer(&self) -> Option<&str> {
        self.applied.answers.get(&self.step().id).map(String::as_str)
    }

    async fn accepts(&self, proofs: &mut StepProofs) {
        for variant in &self.step().accepts {
            let outcome = self.tried(&variant.actions, Manner::Right).await;
            let (passed, message) = match outcome {
                Ok(findings) => (all_met(&findings), told(&findings)),
                Err(reason) => (false, reason),
            };
            proofs.report.accepted.push(Accepted { id: variant.id.clone(), passed });
            if !passed {
                self.fail(proofs, &format!("accepts {}", variant.id), message);
            }
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
            let (caught, message) = match self.tried(&mutant.actions, Manner::NearMiss).await {
                Ok(findings) => catches(self.step(), mutant, &findings),
                Err(reason) => (Err(reason.clone()), reason),
            };
            let check = mutant.caught_by.clone();
            proofs.report.mutants.push(Caught { id: mutant.id.clone(), caught: caught.is_ok(), check, message });
            if let Err(reason) = caught {
                self.fail(proofs, &format!("mutant {}", mutant.id), reason);
            }
        }
    }

    /// Every wrong choice, nonsense, and the answer of another run.
    async fn answers(&self, proofs: &mut StepProofs) {
        let step = self.step();
        let Some(question) = &step.question else { return };
        let mut wrong: Vec<String> = match &question.answer {
            Expected::Options(choices) => choices.iter().filter(|c| !c.right).map(|c: &Choice| c.id.clone()).collect(),
            Expected::Entry { .. } => vec![NONSENSE.to_string()],
        };
        if matches!(question.answer, Expected::Entry { .. }) {
            match &self.other_answer {
                Some(other) => wrong.push(other.clone()),
                None => {
                    proofs.report.untouched = Held::Fail;
                    self.fail(proofs, "answer of another run", "another run's answer could not be had");
                }
            }
        }
        for answer in wrong {
            let findings = self.solved.evaluate(step, Some(&answer), &self.applied.ran).await;
            let caught = findings.iter().find(|finding| is_caught(finding) && is_answer(step, &finding.check));
            let shown = if self.other_answer.as_deref() == Some(&answer) { "of another run".to_string() } else { answer.clone() };
            proofs.report.mutants.push(Caught {
                id: format!("answer {shown}"),
                caught: caught.is_some(),
                check: caught.map_or("answer".into(), |finding| finding.check.clone()),
                message: caught.map(|finding| finding.message.clone()).unwrap_or_default(),
            });
            if caught.is_none() {
                proofs.report.untouched = Held::Fail;
                self.fail(proofs, &format!("answer {shown}"), format!("the wrong answer {answer} is taken for right"));
            }
        }
    }

    async fn removals(&self, proofs: &mut StepProofs) {
        for removal in &self.step().removals {
            let part = part_name(removal);
            let caught_by = match self.without(removal).await {
                Ok(findings) => Ok(findings.iter().find(|finding| is_caught(finding)).map(|finding| finding.check.clone())),
                Err(reason) => Err(reason),
            };
            if let Err(reason) = &caught_by {
                self.fail(proofs, &format!("removal {part}"), reason.clone());
            } else if caught_by == Ok(None) {
                self.fail(proofs, &format!("removal {part}"), "every check still passes without it");
            }
            proofs.report.removals.push(Removed { part, caught_by: caught_by.unwrap_or(None) });
        }
    }

    async fn without(&self, removal: &Removal) -> Result<Vec<Finding>, String> {
        let world = self.solved.fork().await?;
        world.remove(removal).await?;
        Ok(world.evaluate(self.step(), self.own_answer(), &self.applied.ran).await)
    }

    async fn reset(&self, proofs: &mut StepProofs) {
        let difference = async {
            let wanted = self.start.state().await?;
            self.solved.reset(self.mark).await?;
            let there = self.solved.state().await?;
            let keys = wanted.keys().chain(there.keys());
            let differs = |key: &&String| wanted.get(*key) != there.get(*key);
            Ok::<Option<String>, String>(keys.into_iter().find(differs).cloned())
        };
        let message = match difference.await {
            Ok(None) => {
                proofs.report.reset = Held::Pass;
                return;
            }
            Ok(Some(key)) => format!("{key} is not as it was at the step's start"),
            Err(reason) => reason,
        };
        proofs.report.reset = Held::Fail;
        self.fail(proofs, "reset", message);
    }
}

/// Whether a finding says no, rather than that it cannot say.
fn is_caught(finding: &Finding) -> bool {
    matches!(finding.verdict, Verdict::NotYet | Verdict::WrongTurn)
}

/// Whether a mutant was caught by the check, with the words and the wrong turn that it names; and what the learner is told.
fn catches(step: &Step, mutant: &Mutant, findings: &[Finding]) -> (Result<(), String>, String) {
    let named = |finding: &&Finding| {
        finding.check == mutant.caught_by || (mutant.caught_by == "answer" && is_answer(step, &finding.check))
    };
    let Some(finding) = findings.iter().find(named) else {
        return (Err(format!("the step has no check {}", mutant.caught_by)), String::new());
    };
    let turn = findings.iter().find_map(|finding| finding.wrong_turn.as_ref());
    let hint = turn.map(|turn| format!(" {}", turn.hint)).unwrap_or_default();
    let message = format!("{}{hint}", finding.message);
    if !is_caught(finding) {
        return (Err(format!("check {} does not fail: {}", mutant.caught_by, told(findings))), message);
    }
    let evidence = &finding.evidence;
    let all = format!("{message}\n{}\n{}\n{}", evidence.expected, evidence.observed, evidence.log.join("\n"));
    if let Some(words) = mutant.message.as_ref().filter(|words| !all.contains(words.as_str())) {
        return (Err(format!("it is caught without the words `{words}`: {}", told(findings))), message);
    }
    if let Some(wanted) = &mutant.wrong_turn
        && turn.map(|turn| &turn.id) != Some(wanted)
    {
        let seen = turn.map_or("none", |turn| turn.id.as_str());
        return (Err(format!("wrong turn {wanted} is not recognised (seen: {seen}): {}", told(findings))), message);
    }
    (Ok(()), message)
}

fn is_answer(step: &Step, check: &str) -> bool {
    checks_of(step).iter().any(|c| c.id == check && c.kind == CheckKind::Answer)
}

/// `ServiceEntry default/wikipedia-egress spec.ports[1]`.
pub fn part_name(removal: &Removal) -> String {
    let object = &removal.object;
    let field = removal.field.as_ref().map(|field| format!(" {field}")).unwrap_or_default();
    match object.namespace.as_str() {
        "" => format!("{} {}{field}", object.kind.kind, object.name),
        namespace => format!("{} {namespace}/{}{field}", object.kind.kind, object.name),
    }
}

/// Findings on one line, those that are not met first.
fn told(findings: &[Finding]) -> String {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.order_by_key(|finding| finding.verdict == Verdict::Met);
    let each = sorted.iter().map(|f| match f.verdict {
        Verdict::Met => format!("{} met", f.check),
        verdict => format!(
            "{} {} (expected {}; observed {}) {}",
            f.check,
            verdict.word(),
            f.evidence.expected,
            f.evidence.observed,
            f.message
        ),
    });
    let text = each.collect::<Vec<_>>().join("; ");
    if text.is_empty() { "there is no finding".into() } else { text }
}
