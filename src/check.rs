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
pub mod evaluate;
pub mod expect;
pub mod objects;
pub mod probe;
pub mod question;
pub mod reader;
pub mod suspects;
pub mod workload;

pub use ctx::{Ctx, Ground, Patience, all_met};
pub use evaluate::{Work, checks_of, evaluate};

use crate::finding::{Finding, Ran};
use crate::lesson::model::{Lesson, Step, Take};

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
    loop {
        let ctx = ground.look(controls).await?;
        let Patience { within, poll, most, settled } = ctx.patience;
        let longest = step.checks.iter().map(|check| u64::from(check.within) * 1000).max().unwrap_or(0);
        let within = within.max(longest.min(most));
        let asks_only = answer.is_none() && step.question.is_some();
        let last = settled || asks_only || waited >= within;
        let findings = evaluate(&ctx, Work { lesson, step, answer, ran }, last).await;
        if last || all_met(&findings) {
            return Ok(findings);
        }
        // A poll of 0 would look for ever.
        let pause = poll.max(50);
        ground.wait(pause).await;
        waited += pause;
    }
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
