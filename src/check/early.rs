//! When a finding that is not good is final before its time, on a cluster that never says that it has come to rest.
//!
//! A marker is applied after the learner's change and looked for in the proxies that the step's requests pass. Once they have it, two
//! evaluations half a second apart that say the same are final. istiod puts what it hears from the API server into one push queue in
//! the order in which it hears it, and the marker is written later than the change; but each kind has a watch of its own, so the order
//! is likely, not promised. That is why one evaluation is not enough.
//!
//! What an object says that only people and commands write (a spec, a label) does not change by itself: there two evaluations that
//! agree are enough. A status, a pod, a log line come late: for those the whole time is waited.

use super::ctx::Restless;
use crate::finding::{Finding, Verdict};
use crate::lesson::model::{Check, CheckKind, ObjectCheck, Workload};

/// Between two evaluations that have to agree, in milliseconds.
pub const APART: u64 = 500;

/// What an open finding waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Waits {
    /// Nothing: it is as people wrote it.
    Nothing,
    /// The proxies' configuration.
    Proxies,
    /// Something of which nobody knows when it comes.
    Time,
}

/// Kinds that controllers make.
const MADE: [&str; 4] = ["Pod", "ReplicaSet", "EndpointSlice", "Event"];

fn waits(check: &Check, finding: &Finding) -> Waits {
    match &check.kind {
        _ if finding.verdict == Verdict::EnvironmentFault => Waits::Time,
        CheckKind::Probe(_) if finding.evidence.exchanges.is_empty() => Waits::Time,
        CheckKind::Probe(_) => Waits::Proxies,
        CheckKind::Object(object) if is_written(object, finding) => Waits::Nothing,
        CheckKind::MeshConfig(_) | CheckKind::Answer | CheckKind::Ran { .. } => Waits::Nothing,
        CheckKind::Object(_) | CheckKind::Log(_) | CheckKind::Compiled(_) => Waits::Time,
    }
}

/// Whether only people and commands write what a check looks at: no status, no kind that comes by itself. An object that is not there
/// at all gets no status either.
fn is_written(check: &ObjectCheck, finding: &Finding) -> bool {
    let mut paths = check.select.iter().chain(&check.asserts).map(|assert| assert.path.to_string());
    let absent = super::objects::is_absent(&finding.evidence.observed);
    !MADE.contains(&check.kind.kind.as_str()) && (absent || !paths.any(|path| path.starts_with("status")))
}

/// What is known so far in one judging.
#[derive(Default)]
pub struct Early {
    mark: Option<u64>,
    /// A marker was asked for; where there is none, it is not asked for again.
    asked: bool,
    /// What the open findings of the last evaluation waited for.
    waits: Option<Waits>,
    /// What the last evaluation said that began with the marker in force.
    before: Option<Vec<(Verdict, String)>>,
}

impl Early {
    /// Whether the marker is in force in all proxies of the step.
    pub async fn in_force(&self, world: Option<&dyn Restless>, checks: &[Check]) -> bool {
        match (self.waits, self.mark, world) {
            (Some(Waits::Nothing), ..) => true,
            (Some(Waits::Proxies), Some(mark), Some(world)) => world.in_force(mark, &sources(checks)).await,
            _ => false,
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

    /// Takes note of an evaluation; sets the marker after the first one that waits for proxies alone.
    pub async fn saw(&mut self, world: Option<&dyn Restless>, checks: &[Check], findings: &[Finding], in_force: bool) {
        self.before = in_force.then(|| said(findings));
        let open = checks.iter().zip(findings).filter(|(_, finding)| finding.verdict != Verdict::Met);
        self.waits = open.map(|(check, finding)| waits(check, finding)).max();
        if let Some(world) = world.filter(|_| !self.asked && self.waits == Some(Waits::Proxies)) {
            self.asked = true;
            self.mark = world.mark().await;
        }
    }

    /// Until the next look, in milliseconds.
    pub fn pause(&self, poll: u64) -> u64 {
        // A poll of 0 would look for ever.
        if self.mark.is_some() || self.waits == Some(Waits::Nothing) { APART } else { poll.max(50) }
    }

    /// Takes the marker away.
    pub async fn end(&self, world: Option<&dyn Restless>) {
        if let Some((world, mark)) = world.zip(self.mark) {
            world.unmark(mark).await;
        }
    }
}

fn said(findings: &[Finding]) -> Vec<(Verdict, String)> {
    findings.iter().map(|finding| (finding.verdict, finding.evidence.observed.clone())).collect()
}

/// Where the requests come from.
fn sources(checks: &[Check]) -> Vec<&Workload> {
    let probes = checks.iter().filter_map(|check| match &check.kind {
        CheckKind::Probe(probe) => Some(&probe.from),
        _ => None,
    });
    probes.collect()
}

#[cfg(test)]
mod tests;
