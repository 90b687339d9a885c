//! One look at a step: every check judged, the wrong turn recognised.

use super::condition::Facts;
use super::ctx::Ctx;
use super::expect::{expected_words, first_miss, observed_words, outcomes};
use super::objects::{self, Holds};
use super::probe::{Probed, Prober, Refused};
use super::reader::{Error, Reader};
use super::suspects::suspects;
use super::{compiled, curl, question};
use crate::base::outcome::Outcome;
use crate::finding::{Evidence, Exchanged, Finding, Ran, Verdict, WrongTurn};
use crate::k8s::{Kind, Snapshot};
use crate::lesson::model::{
    Check, CheckKind, Condition, Control, Controls, Expected, Lesson, ProbeCheck, ProbeRequest, Step, Workload,
};
use std::borrow::Cow;

/// A check with its finding.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    pub finding: Finding,
}

/// What a judge says of one check.
#[derive(Debug, Clone, PartialEq)]
struct Said {
    verdict: Verdict,
    evidence: Evidence,
    /// One more sentence; may be empty.
    detail: String,
}

/// The checks of a step; a question that no check names has one of its own, called `answer`.
pub fn checks_of(step: &Step) -> Cow<'_, [Check]> {
    let named = step.checks.iter().any(|check| check.kind == CheckKind::Answer);
    if step.question.is_none() || named {
        return Cow::Borrowed(&step.checks);
    }
    let answer = Check {
        id: "answer".into(),
        title: "The answer is right".into(),
        kind: CheckKind::Answer,
        message: String::new(),
        hints: Vec::new(),
        within: 0,
    };
    Cow::Owned(step.checks.iter().cloned().chain([answer]).collect())
}

/// Whether a check of the step may look at the control workloads: those that send requests or look at proxies. What is only read must
/// not see objects that the learner's world does not have.
pub fn needs_controls(step: &Step) -> bool {
    step.checks.iter().any(|check| matches!(check.kind, CheckKind::Probe(_) | CheckKind::Compiled(_)))
}

/// What is judged: a step of a lesson, with what was answered and run.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    pub lesson: &'a Lesson,
    pub step: &'a Step,
    pub answer: Option<&'a str>,
    pub ran: &'a [Ran],
}

/// Judges every check of a step as the world is now. Never waits for the world to change (see [`super::judge`]). `last`: nobody looks
/// again, so that what does not hold is also searched for where it could be mended.
pub async fn evaluate(ctx: &Ctx, work: Work<'_>, last: bool) -> Vec<Finding> {
    let Work { lesson, step, answer, ran } = work;
    let checks = checks_of(step);
    let reader = Reader::new(ctx.client.clone());
    let snapshot = match reader.snapshot(&kinds_of(step)).await {
        Ok(snapshot) => snapshot,
        Err(error) => return checks.iter().map(|check| finding(ctx, check, fault(&error))).collect(),
    };
    let mut said: Vec<Option<Said>> = Vec::new();
    // Objects and logs first: the probes below write log lines of their own.
    for check in checks.iter() {
        said.push(match &check.kind {
            CheckKind::Probe(_) => None,
            kind => Some(plain(&reader, &snapshot, step, kind, answer, ran).await),
        });
    }
    let mut prober = Prober::new(ctx, &reader, &snapshot);
    for (check, said) in checks.iter().zip(&mut said) {
        match &check.kind {
            CheckKind::Probe(probe) => {
                let mut judged = probed(&mut prober, &lesson.world.controls, probe).await;
                if last && ctx.mends && judged.verdict == Verdict::NotYet {
                    judged.evidence.suspects = suspects(ctx, prober.model(), probe);
                }
                *said = Some(judged);
            }
            CheckKind::Compiled(check) => *said = Some(holds(compiled::judge(prober.model(), &snapshot, check))),
            _ => (),
        }
    }
    let pairs = checks.iter().zip(said.into_iter().flatten());
    let judged = pairs.map(|(check, said)| Judged { finding: finding(ctx, check, said) }).collect();
    hinted(&reader, &snapshot, (step, &checks), ran, judged).await
}

/// Checks that need no request.
async fn plain(reader: &Reader, snapshot: &Snapshot, step: &Step, kind: &CheckKind, answer: Option<&str>, ran: &[Ran]) -> Said {
    let judged = match kind {
        CheckKind::Object(check) => Ok(objects::object(snapshot, check)),
        CheckKind::MeshConfig(check) => Ok(objects::mesh(snapshot, check)),
        CheckKind::Log(check) => objects::log(reader, snapshot, check).await,
        CheckKind::Ran { pattern, exit_code } => Ok(typed(ran, pattern, *exit_code)),
        CheckKind::Answer => match &step.question {
            Some(asked) => question::judge(reader, snapshot, asked, answer).await,
            None => Ok(Holds::default()),
        },
        CheckKind::Probe(_) | CheckKind::Compiled(_) => Ok(Holds::default()),
    };
    judged.map_or_else(|error| fault(&error), holds)
}

fn typed(ran: &[Ran], pattern: &crate::lesson::field::Pattern, exit_code: i32) -> Holds {
    let fitting: Vec<&Ran> = ran.iter().filter(|ran| pattern.is_match(&ran.line)).collect();
    let observed = match fitting.last() {
        None => "no such line was run in this step yet".to_string(),
        Some(last) => format!("{} ended with exit code {}", last.line, last.exit_code),
    };
    let expected = format!("a line like {} that ends with exit code {exit_code}", pattern.as_str());
    let evidence = Evidence { expected, observed, ..Evidence::default() };
    Holds { holds: fitting.iter().any(|ran| ran.exit_code == exit_code), evidence, detail: String::new() }
}

fn holds(holds: Holds) -> Said {
    let verdict = if holds.holds { Verdict::Met } else { Verdict::NotYet };
    Said { verdict, evidence: holds.evidence, detail: holds.detail }
}

fn fault(error: &Error) -> Said {
    let evidence = Evidence { observed: error.to_string(), ..Evidence::default() };
    Said { verdict: Verdict::EnvironmentFault, evidence, detail: "The environment could not be asked.".into() }
}

fn refused(error: Refused, expected: String) -> Said {
    match error {
        Refused::NotReady(sentence) => {
            let evidence = Evidence { expected, observed: sentence, ..Evidence::default() };
            Said { verdict: Verdict::NotYet, evidence, detail: String::new() }
        }
        Refused::Environment(error) => fault(&error),
    }
}

/// A probe, its blocked pair, its controls.
async fn probed(prober: &mut Prober<'_>, controls: &Controls, check: &ProbeCheck) -> Said {
    let expected = expected_words(&check.expect);
    let main = match prober.send(&check.from, &check.request).await {
        Ok(probed) => probed,
        Err(error) => return refused(error, expected),
    };
    let miss = first_miss(&check.expect, &main.exchanges);
    let mut said = weigh(check, &main, miss);
    for pair in &check.blocked {
        match prober.send(&check.from, &pair.request).await {
            Ok(seen) => {
                if said.verdict == Verdict::Met {
                    leaks(&mut said, &pair.request, &pair.outcome, &seen);
                }
                said.evidence.exchanges.extend(seen.exchanges);
            }
            Err(error) => return refused(error, expected),
        }
    }
    for control in &check.controls {
        if let Err(reason) = controlled(prober, controls, *control, check).await {
            said.verdict = Verdict::EnvironmentFault;
            said.detail = reason;
        }
    }
    said
}

/// The main request against what was expected of it.
fn weigh(check: &ProbeCheck, main: &Probed, miss: Option<usize>) -> Said {
    let wants_way = check.expect.iter().any(|expect| expect.path.is_some() || !expect.outcome.is_empty());
    let mut evidence = Evidence {
        expected: expected_words(&check.expect),
        observed: observed_words(&main.exchanges),
        probe: curl::as_typed(&check.request),
        log: main.log.clone(),
        exchanges: main.exchanges.clone(),
        ..Evidence::default()
    };
    let at = miss.unwrap_or(main.exchanges.len()).min(main.exchanges.len().saturating_sub(1));
    decide(&mut evidence, main.exchanges.get(at));
    let not_modelled = main.exchanges.iter().any(|e| e.observation.outcome == Outcome::NotModelled);
    let (verdict, detail) = match miss {
        _ if not_modelled => (Verdict::EnvironmentFault, main.stderr.clone()),
        Some(_) => (Verdict::NotYet, String::new()),
        None if wants_way && !main.certain => {
            let detail = "The sidecar wrote no access-log line, so the way of the request cannot be told. Is access logging on?";
            (Verdict::NotYet, detail.to_string())
        }
        None => (Verdict::Met, String::new()),
    };
    Said { verdict, evidence, detail }
}

/// A request that had to stay stopped.
fn leaks(said: &mut Said, request: &ProbeRequest, allowed: &[Outcome], seen: &Probed) {
    let Some(first) = seen.exchanges.first() else { return };
    let stopped = allowed.contains(&first.observation.outcome) && seen.certain;
    if stopped {
        return;
    }
    let modelled = first.observation.outcome != Outcome::NotModelled;
    said.verdict = if modelled { Verdict::NotYet } else { Verdict::EnvironmentFault };
    said.detail = format!("{} must stay stopped.", request.url);
    said.evidence.expected = format!("{} for {}", outcomes(allowed), request.url);
    said.evidence.observed = observed_words(&seen.exchanges);
    said.evidence.probe = curl::as_typed(request);
    said.evidence.log = seen.log.clone();
    decide(&mut said.evidence, Some(first));
}

/// The exchange that decided, and the object and field that the model names for it where the model agrees.
fn decide(evidence: &mut Evidence, exchange: Option<&Exchanged>) {
    let Some(exchange) = exchange else { return };
    evidence.observation = Some(exchange.observation.clone());
    evidence.prediction = exchange.prediction.clone();
    let cause = exchange.prediction.as_ref().filter(|_| !exchange.disagrees()).map(|predicted| &predicted.cause);
    evidence.decided_by = cause.filter(|c| !c.object.is_empty()).map(|cause| (cause.object.clone(), cause.field.clone()));
}

/// A control probe. Its failure says that something else than the learner's work is at fault.
async fn controlled(prober: &mut Prober<'_>, controls: &Controls, control: Control, check: &ProbeCheck) -> Result<(), String> {
    let request = |url: &str| ProbeRequest { method: "HEAD".into(), url: url.into(), follow: false, headers: Vec::new() };
    let (from, request, what): (&Workload, ProbeRequest, &str) = match control {
        Control::Mesh => (&check.from, request(&controls.mesh_url), "A service inside the mesh"),
        Control::Origin => (&controls.outside, request(&check.request.url), "The site itself"),
    };
    let failed = |seen: String| format!("{what} did not answer a control request ({}): {seen}", request.url);
    match prober.send(from, &request).await {
        Err(error) => Err(failed(error.to_string())),
        Ok(seen) => match seen.exchanges.first() {
            Some(first) if first.observation.status.is_some_and(|status| status < 500) => Ok(()),
            _ => Err(failed(observed_words(&seen.exchanges))),
        },
    }
}

fn finding(ctx: &Ctx, check: &Check, said: Said) -> Finding {
    let message = match said.verdict {
        Verdict::Met => said.detail,
        Verdict::EnvironmentFault => format!("{} This is not about your work.", said.detail),
        _ => format!("{} {}", check.message.trim(), said.detail).trim().to_string(),
    };
    Finding {
        check: check.id.clone(),
        title: check.title.clone(),
        verdict: said.verdict,
        message,
        evidence: said.evidence,
        wrong_turn: None,
        revision: ctx.revision,
    }
}

/// Adds the checks' own conditional hints and the first wrong turn that fits.
async fn hinted(
    reader: &Reader,
    snapshot: &Snapshot,
    (step, checks): (&Step, &[Check]),
    ran: &[Ran],
    judged: Vec<Judged>,
) -> Vec<Finding> {
    let open = |finding: &Finding| matches!(finding.verdict, Verdict::NotYet);
    if !judged.iter().any(|j| open(&j.finding)) {
        return judged.into_iter().map(|j| j.finding).collect();
    }
    let facts = Facts { reader, snapshot, ran, judged: &judged };
    let mut findings: Vec<Finding> = judged.iter().map(|j| j.finding.clone()).collect();
    for (check, finding) in checks.iter().zip(&mut findings).filter(|(_, finding)| open(finding)) {
        for hint in &check.hints {
            // A hint that cannot be weighed is left out: it decides nothing.
            if facts.holds(&hint.when).await.unwrap_or(false) {
                finding.message = format!("{} {}", finding.message, hint.hint).trim().to_string();
                break;
            }
        }
    }
    for turn in &step.wrong_turns {
        if facts.holds(&turn.when).await.unwrap_or(false) {
            if let Some(finding) = findings.iter_mut().find(|finding| open(finding)) {
                finding.verdict = Verdict::WrongTurn;
                finding.wrong_turn = Some(WrongTurn { id: turn.id.clone(), hint: turn.hint.clone() });
            }
            break;
        }
    }
    findings
}

/// The kinds that the step's checks and conditions name.
fn kinds_of(step: &Step) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for check in &step.checks {
        if let CheckKind::Object(object) = &check.kind {
            kinds.push(object.kind.clone());
        }
        check.hints.iter().for_each(|hint| kinds_in(&hint.when, &mut kinds));
    }
    step.wrong_turns.iter().for_each(|turn| kinds_in(&turn.when, &mut kinds));
    if let Some(Expected::Entry { take, .. }) = step.question.as_ref().map(|question| &question.answer) {
        kinds.extend(question::kinds(take));
    }
    kinds
}

fn kinds_in(condition: &Condition, kinds: &mut Vec<Kind>) {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => parts.iter().for_each(|part| kinds_in(part, kinds)),
        Condition::Not(part) => kinds_in(part, kinds),
        Condition::Object(check) => kinds.push(check.kind.clone()),
        _ => (),
    }
}

#[cfg(test)]
mod tests;
