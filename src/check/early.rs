//! When a finding that is not good is final before its time, on a cluster that never says that it has come to rest.
//!
//! A marker is applied after the learner's change and looked for in the proxies that the step's requests pass. Once they have it, two
//! evaluations half a second apart that say the same are final. istiod puts what it hears from the API server into one push queue in
//! the order in which it hears it, and the marker is written later than the change; but each kind has a watch of its own, so the order
//! is likely, not promised. That is why one evaluation is not enough.

use super::ctx::Ground;
use crate::finding::{Finding, Verdict};
use crate::lesson::model::{CheckKind, Step, Workload};

/// Between two evaluations that have to agree, in milliseconds.
pub const APART: u64 = 500;

/// What is known so far in one judging.
#[derive(Default)]
pub struct Early {
    mark: Option<u64>,
    /// A marker was asked for; where there is none, it is not asked for again.
    asked: bool,
    /// What the last evaluation said that began with the marker in force.
    before: Option<Vec<(Verdict, String)>>,
}

impl Early {
    /// Whether the marker is in force in all proxies of the step.
    pub async fn in_force(&self, ground: &dyn Ground, step: &Step) -> bool {
        match self.mark {
            Some(mark) => ground.in_force(mark, &sources(step)).await,
            None => false,
        }
    }

    /// Whether an evaluation with the marker in force has been made.
    pub fn has_before(&self) -> bool {
        self.before.is_some()
    }

    /// Whether this evaluation says what the one before said.
    pub fn agrees(&self, findings: &[Finding]) -> bool {
        self.before.as_ref().is_some_and(|before| *before == said(findings))
    }

    /// Takes note of an evaluation; sets the marker after the first one that only requests can change.
    pub async fn saw(&mut self, ground: &dyn Ground, findings: &[Finding], in_force: bool) {
        self.before = in_force.then(|| said(findings));
        let open = findings.iter().filter(|finding| finding.verdict != Verdict::Met);
        let by_requests = open.clone().all(|finding| !finding.evidence.exchanges.is_empty());
        if !self.asked && by_requests {
            self.asked = true;
            self.mark = ground.mark().await;
        }
    }

    /// Until the next look, in milliseconds.
    pub fn pause(&self, poll: u64) -> u64 {
        // A poll of 0 would look for ever.
        if self.mark.is_some() { APART } else { poll.max(50) }
    }

    /// Takes the marker away.
    pub async fn end(&self, ground: &dyn Ground) {
        if let Some(mark) = self.mark {
            ground.unmark(mark).await;
        }
    }
}

fn said(findings: &[Finding]) -> Vec<(Verdict, String)> {
    findings.iter().map(|finding| (finding.verdict, finding.evidence.observed.clone())).collect()
}

/// Where the step's requests come from.
fn sources(step: &Step) -> Vec<&Workload> {
    let probes = step.checks.iter().filter_map(|check| match &check.kind {
        CheckKind::Probe(probe) => Some(&probe.from),
        _ => None,
    });
    probes.collect()
}
