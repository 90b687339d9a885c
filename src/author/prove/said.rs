//! What findings say about a proof: the same wherever they come from.

use super::report::{Accepted, Caught, Failure, Held, Removed, Seen, StepReport};
use crate::base::order::Order;
use crate::check::{all_met, checks_of};
use crate::finding::{Finding, Verdict};
use crate::lesson::model::{CheckKind, Choice, Expected, Lesson, Mutant, Removal, Step, StepKind, Variant};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An answer that no world holds.
const NONSENSE: &str = "no-such-value-0";

/// What came of a step's proofs.
#[derive(Debug, Clone)]
pub struct StepProofs {
    lesson: Arc<Lesson>,
    nth: usize,
    pub report: StepReport,
    pub failures: Vec<Failure>,
}

/// What an action and a look after it gave: findings, or why there are none.
type Outcome = Result<Vec<Finding>, String>;

/// A state as it was, and as it is.
type States = (BTreeMap<String, String>, BTreeMap<String, String>);

/// Whether the world before anything is done must fail the step.
pub fn is_judged_untouched(step: &Step) -> bool {
    matches!(step.kind, StepKind::Do | StepKind::Fix) || step.question.is_some()
}

impl StepProofs {
    pub fn new(lesson: &Arc<Lesson>, nth: usize) -> StepProofs {
        let step = &lesson.steps[nth];
        let report = StepReport {
            id: step.id.clone(),
            kind: step.kind.word(),
            untouched: Held::NotApplicable,
            solution: Held::NotApplicable,
            reset: Held::NotApplicable,
            accepted: Vec::new(),
            mutants: Vec::new(),
            removals: Vec::new(),
            start: Vec::new(),
            solved: Vec::new(),
        };
        StepProofs { lesson: lesson.clone(), nth, report, failures: Vec::new() }
    }

    /// A step of which no proof could be made; see [`StepProofs::stop`].
    pub fn unbuilt(lesson: &Arc<Lesson>, nth: usize, reason: &str, trouble: Option<String>) -> StepProofs {
        let mut proofs = StepProofs::new(lesson, nth);
        proofs.stop(reason, trouble);
        proofs
    }

    /// The world could not be brought where a proof begins; `trouble` of the environment, if that is why.
    pub fn stop(&mut self, reason: &str, trouble: Option<String>) {
        self.report.solution = Held::Fail;
        let because = trouble.as_ref().map(|trouble| format!(" ({trouble})")).unwrap_or_default();
        let message = format!("the step's start or solution cannot be built: {reason}{because}");
        self.add_failure("build", message, trouble.is_some());
    }

    fn step(&self) -> &Step {
        &self.lesson.steps[self.nth]
    }

    fn fail(&mut self, proof: &str, message: impl Into<String>) {
        self.add_failure(proof, message.into(), false);
    }

    fn fail_by(&mut self, proof: &str, message: impl Into<String>, findings: &[Finding]) {
        let environment = findings.iter().any(|finding| finding.verdict == Verdict::EnvironmentFault);
        self.add_failure(proof, message.into(), environment);
    }

    fn add_failure(&mut self, proof: &str, message: String, environment: bool) {
        let (lesson, step) = (self.lesson.id.clone(), self.step().id.clone());
        self.failures.push(Failure { lesson, step, proof: proof.into(), message, environment });
    }

    pub fn untouched(&mut self, findings: &[Finding]) {
        let held = findings.iter().any(is_caught);
        self.report.untouched = if held { Held::Pass } else { Held::Fail };
        self.report.start = Seen::of(findings);
        if !held {
            let message = format!("the step passes, or cannot be judged, before anything is done: {}", told(findings));
            self.fail_by("untouched", message, findings);
        }
    }

    /// Whether the solution can be judged. A step of work or a question without a check fails.
    pub fn has_checks(&mut self) -> bool {
        let step = self.step();
        let has = !checks_of(step).is_empty();
        if !has && matches!(step.kind, StepKind::Do | StepKind::Fix | StepKind::Observe | StepKind::Predict) {
            self.report.solution = Held::Fail;
            self.fail("solution", "the step has no check");
        }
        has
    }

    pub fn solution(&mut self, findings: &[Finding]) {
        self.report.solution = if all_met(findings) { Held::Pass } else { Held::Fail };
        self.report.solved = Seen::of(findings);
        if !all_met(findings) {
            self.fail_by("solution", told(findings), findings);
        }
    }

    pub fn accepts(&mut self, variant: &Variant, outcome: Outcome) {
        let (passed, message) = match &outcome {
            Ok(findings) => (all_met(findings), told(findings)),
            Err(reason) => (false, reason.clone()),
        };
        self.report.accepted.push(Accepted { id: variant.id.clone(), passed });
        if !passed {
            self.fail_by(&format!("accepts {}", variant.id), message, &outcome.unwrap_or_default());
        }
    }

    pub fn mutant(&mut self, mutant: &Mutant, outcome: Outcome) {
        let (caught, message) = match &outcome {
            Ok(findings) => catches(self.step(), mutant, findings),
            Err(reason) => (Err(reason.clone()), reason.clone()),
        };
        let findings = outcome.unwrap_or_default();
        let (check, seen) = (mutant.caught_by.clone(), Seen::of(&findings));
        self.report.mutants.push(Caught { id: mutant.id.clone(), caught: caught.is_ok(), check, message, seen });
        if let Err(reason) = caught {
            self.fail_by(&format!("mutant {}", mutant.id), reason, &findings);
        }
    }

    /// What must not be taken for the answer: every wrong choice, or nonsense and the answer of another run.
    pub fn wrong_answers(&mut self, other: Option<&str>) -> Vec<String> {
        let Some(question) = &self.step().question else { return Vec::new() };
        match &question.answer {
            Expected::Options(choices) => choices.iter().filter(|c| !c.right).map(|c: &Choice| c.id.clone()).collect(),
            Expected::Entry { .. } => {
                if other.is_none() {
                    self.report.untouched = Held::Fail;
                    self.fail("answer of another run", "another run's answer could not be had");
                }
                std::iter::once(NONSENSE.to_string()).chain(other.map(str::to_string)).collect()
            }
        }
    }

    pub fn answer(&mut self, answer: &str, other: Option<&str>, findings: &[Finding]) {
        let step = self.step();
        let caught = findings.iter().find(|finding| is_caught(finding) && is_answer(step, &finding.check)).cloned();
        let shown = if other == Some(answer) { "of another run" } else { answer };
        self.report.mutants.push(Caught {
            id: format!("answer {shown}"),
            caught: caught.is_some(),
            check: caught.as_ref().map_or("answer".into(), |finding| finding.check.clone()),
            message: caught.as_ref().map(|finding| finding.message.clone()).unwrap_or_default(),
            seen: Seen::of(findings),
        });
        if caught.is_none() {
            self.report.untouched = Held::Fail;
            self.fail_by(&format!("answer {shown}"), format!("the wrong answer {answer} is taken for right"), findings);
        }
    }

    pub fn removal(&mut self, removal: &Removal, outcome: Outcome) {
        let part = part_name(removal);
        let caught = |findings: &[Finding]| findings.iter().find(|f| is_caught(f)).map(|f| f.check.clone());
        let caught_by = outcome.as_ref().map(|findings| caught(findings));
        match &caught_by {
            Err(reason) => self.fail(&format!("removal {part}"), reason.as_str()),
            Ok(None) => {
                let findings = outcome.as_deref().unwrap_or_default();
                self.fail_by(&format!("removal {part}"), "every check still passes without it", findings);
            }
            Ok(Some(_)) => (),
        }
        let caught_by = caught_by.unwrap_or(None);
        self.report.removals.push(Removed { part, caught_by });
    }

    /// Whether a reset brought the state back.
    pub fn reset(&mut self, states: Result<States, String>) {
        let message = match states {
            Ok((wanted, there)) => {
                let differs = |key: &&String| wanted.get(*key) != there.get(*key);
                match wanted.keys().chain(there.keys()).find(differs) {
                    None => {
                        self.report.reset = Held::Pass;
                        return;
                    }
                    Some(key) => format!("{key} is not as it was at the step's start"),
                }
            }
            Err(reason) => reason,
        };
        self.report.reset = Held::Fail;
        self.fail("reset", message);
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
pub(super) fn part_name(removal: &Removal) -> String {
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
