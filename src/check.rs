//! Judging: what a step expects against what is so, on a `kube::Client` and nothing else.
//!
//! Requests are real: a curl in the named pod, the access logs of the proxies it met, one decoder. **Observation decides, the trace
//! explains.** A control that fails says that nobody is to blame. Nothing here knows the sandbox.

pub mod accesslog;
pub mod compiled;
pub mod condition;
pub mod controls;
pub mod ctx;
pub mod curl;
pub mod decode;
pub mod early;
pub mod evaluate;
pub mod expect;
pub mod objects;
pub mod probe;
pub mod question;
pub mod reader;
pub mod suspects;
pub mod workload;

pub use ctx::{Ctx, Ground, Patience, Restless, all_met};
pub use evaluate::{Work, checks_of, evaluate};

use crate::finding::{Finding, Ran};
use crate::lesson::model::{Expected, Lesson, Step, Take};
use early::Early;

/// Looks at a step until it is met, the world has settled, or its time is over; the newest findings.
///
/// # Errors
/// A sentence for people when the environment cannot be looked at.
pub async fn judge(
    ground: &dyn Ground,
    lesson: &Lesson,
    step: &Step,
    answer: Option<&str>,
    ran: &[Ran],
) -> Result<Vec<Finding>, String> {
    let mut waited = 0;
    let controls = evaluate::needs_controls(step);
    let (checks, restless) = (checks_of(step), ground.restless());
    let mut early = Early::default();
    loop {
        let ctx = ground.look(controls).await?;
        let Patience { within, poll, most, settled } = ctx.patience;
        let longest = step.checks.iter().map(|check| u64::from(check.within) * 1000).max().unwrap_or(0);
        let within = waits(step, within.max(longest.min(most)));
        let asks_only = answer.is_none() && step.question.is_some();
        let over = settled || asks_only || waited >= within;
        let in_force = !over && early.in_force(restless, &checks).await;
        let last = over || (in_force && early.has_before());
        let findings = evaluate(&ctx, Work { lesson, step, answer, ran }, last).await;
        if over || all_met(&findings) || (in_force && early.agrees(&findings)) {
            early.end(restless).await;
            return Ok(compared(restless, findings).await);
        }
        early.saw(restless, &checks, &findings, in_force).await;
        let pause = early.pause(poll);
        ground.wait(pause).await;
        waited += pause;
    }
}

/// A question is about what is there already: only log lines may come a moment late.
const QUESTION_MS: u64 = 3_000;

/// How long a step is worth waiting for, in milliseconds.
fn waits(step: &Step, within: u64) -> u64 {
    match step.question.as_ref().filter(|_| step.checks.is_empty()).map(|question| &question.answer) {
        None => within,
        Some(Expected::Options(_)) => 0,
        Some(Expected::Entry { .. }) => within.min(QUESTION_MS),
    }
}

/// The findings, each in which prediction and observation differ with where that is kept.
async fn compared(world: Option<&dyn Restless>, mut findings: Vec<Finding>) -> Vec<Finding> {
    let Some(world) = world else { return findings };
    for finding in findings.iter_mut().filter(|finding| finding.disagreement().is_some()) {
        if let Some(sentence) = world.disagreed(finding).await {
            finding.message = format!("{} {sentence}", finding.message).trim().to_string();
        }
    }
    findings
}

/// The values of this world that a question's answer may be taken from (none for [`Take::Output`], which only a driver can run).
///
/// # Errors
/// What the API says.
pub async fn take(client: &kube::Client, take: &Take) -> Result<Vec<String>, reader::Error> {
    let reader = reader::Reader::new(client.clone());
    let snapshot = reader.snapshot(&question::kinds(take)).await?;
    question::values(&reader, &snapshot, take).await
}
