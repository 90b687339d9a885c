//! What was proven, for people and programs.

use crate::base::outcome::Outcome;
use crate::finding::{Finding, Verdict};
use serde::Serialize;
use std::fmt::Write as _;

/// Whether a proof held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Held {
    Pass,
    Fail,
    NotApplicable,
}

/// Everything that was proven.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub lessons: Vec<LessonReport>,
    /// Steps of which every proof held.
    pub steps_proven: usize,
    pub failures: Vec<Failure>,
    pub elapsed_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LessonReport {
    pub id: String,
    /// All steps but those that are only read.
    pub steps: Vec<StepReport>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepReport {
    pub id: String,
    pub kind: &'static str,
    /// Do and fix: the start state does not pass. Questions: no answer, wrong answers and the answer of another run do not pass.
    pub untouched: Held,
    pub solution: Held,
    pub reset: Held,
    pub accepted: Vec<Accepted>,
    pub mutants: Vec<Caught>,
    pub removals: Vec<Removed>,
    /// What the checks found in the untouched world.
    pub start: Vec<Seen>,
    /// What they found after the solution.
    pub solved: Vec<Seen>,
}

/// What one check found: the same on every environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    pub check: String,
    pub verdict: Verdict,
    /// Of the exchange that decided; `None` for checks that send nothing.
    pub outcome: Option<Outcome>,
    /// Object and field that decided it.
    pub cause: Option<(String, String)>,
}

impl Seen {
    /// The essence of findings, in order.
    pub fn of(findings: &[Finding]) -> Vec<Seen> {
        let seen = |finding: &Finding| Seen {
            check: finding.check.clone(),
            verdict: finding.verdict,
            outcome: finding.evidence.observation.as_ref().map(|record| record.outcome),
            cause: finding.evidence.decided_by.clone(),
        };
        findings.iter().map(seen).collect()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Accepted {
    pub id: String,
    pub passed: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Caught {
    pub id: String,
    pub caught: bool,
    pub check: String,
    /// What the learner is told.
    pub message: String,
    pub seen: Vec<Seen>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Removed {
    pub part: String,
    /// The first check that failed; `None` when nothing noticed.
    pub caught_by: Option<String>,
}

/// A proof that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    pub lesson: String,
    pub step: String,
    /// `untouched`, `solution`, `reset`, `accepts ID`, `mutant ID`, `removal PART`, `answer ANSWER`, `build`.
    pub proof: String,
    pub message: String,
    /// The environment failed, not the lesson: a check could not be made.
    pub environment: bool,
}

impl Report {
    /// Whether everything held and there was something to prove.
    pub fn holds(&self) -> bool {
        self.failures.is_empty() && self.steps_proven > 0
    }

    /// 0 when everything held, 4 when the environment alone kept proofs from holding, else 1.
    pub fn exit_code(&self) -> u8 {
        match self.failures.is_empty() {
            true => u8::from(self.steps_proven == 0),
            false if self.failures.iter().all(|failure| failure.environment) => 4,
            false => 1,
        }
    }

    /// One line a step, then what did not hold.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for lesson in &self.lessons {
            let _ = writeln!(out, "{}", lesson.id);
            let width = lesson.steps.iter().map(|step| step.id.len()).max().unwrap_or(0);
            for step in &lesson.steps {
                let mutants = step.mutants.iter().filter(|mutant| mutant.caught).count();
                let accepts = step.accepted.iter().filter(|accept| accept.passed).count();
                let removals = step.removals.iter().filter(|removal| removal.caught_by.is_some()).count();
                let _ = writeln!(
                    out,
                    "  {:<width$}  {:<7}  {:<4}  accepts {accepts}/{}  mutants {mutants}/{}  removals {removals}/{}",
                    step.id,
                    step.kind,
                    if self.failures.iter().any(|f| f.lesson == lesson.id && f.step == step.id) { "FAIL" } else { "PASS" },
                    step.accepted.len(),
                    step.mutants.len(),
                    step.removals.len(),
                );
            }
        }
        for failure in &self.failures {
            let _ = writeln!(out, "FAIL {}/{}: {}: {}", failure.lesson, failure.step, failure.proof, failure.message);
        }
        let failures = crate::base::text::count(self.failures.len(), "failure");
        let proven = crate::base::text::count(self.steps_proven, "step");
        let _ = writeln!(out, "{proven} proven, {failures}, {} ms", self.elapsed_ms);
        out
    }

    /// The same for continuous integration: a test case for each step, named by lesson.
    pub fn junit(&self) -> String {
        let tests: usize = self.lessons.iter().map(|lesson| lesson.steps.len()).sum();
        let seconds = self.elapsed_ms as f64 / 1000.0;
        let mut out = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"{tests}\" failures=\"{}\" time=\"{seconds:.3}\">\n",
            self.failures.len()
        );
        for lesson in &self.lessons {
            let of_lesson: Vec<&Failure> = self.failures.iter().filter(|f| f.lesson == lesson.id).collect();
            let (name, steps) = (escape(&lesson.id), lesson.steps.len());
            let _ = writeln!(out, "  <testsuite name=\"{name}\" tests=\"{steps}\" failures=\"{}\">", of_lesson.len());
            for step in &lesson.steps {
                let _ = writeln!(out, "    <testcase classname=\"{name}\" name=\"{}\">", escape(&step.id));
                for failure in of_lesson.iter().filter(|f| f.step == step.id) {
                    let (proof, message) = (escape(&failure.proof), escape(&failure.message));
                    let _ = writeln!(out, "      <failure type=\"{proof}\" message=\"{message}\"/>");
                }
                out.push_str("    </testcase>\n");
            }
            out.push_str("  </testsuite>\n");
        }
        out.push_str("</testsuites>\n");
        out
    }
}

/// Text as an XML attribute's value; control characters, which XML 1.0 cannot hold, become spaces.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
