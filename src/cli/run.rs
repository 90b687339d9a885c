//! `egress-lab run` and `prove`: lessons without a learner.

use super::{End, FAILED, GOOD, INTERRUPTED, Trouble, UNAVAILABLE, args, cluster, lessons, print, runtime};
use crate::author::bench::InTurn;
use crate::author::prove;
use crate::author::worlds::Sandboxes;
use crate::author::worlds::cluster::OnCluster;
use crate::base::clock::Stopwatch;
use crate::base::seed::Seed;
use crate::finding::Verdict;
use crate::lab::headless::{self, Report, StepRun};
use crate::lesson::model::Lesson;
use crate::mesh::versions;
use std::sync::Arc;

pub(super) fn run(a: &args::Run) -> End {
    let lesson = cluster::fitting(&a.at, &a.from_dir, a.to.as_deref(), lessons::find(&a.from_dir, &a.lesson)?)?;
    let last = match &a.to {
        None => lesson.steps.len(),
        Some(step) => lessons::step_index(&lesson, step)? + 1,
    };
    release(&a.istio)?;
    let runtime = runtime()?;
    let report = runtime.block_on(report(a, &lesson, last));
    runtime.shutdown_background();
    let (report, trouble) = report?;
    if a.json {
        print(&format!("{}\n", serde_json::to_string_pretty(&report).unwrap_or_default()));
    } else {
        let passed = report.steps.iter().filter(|s| s.passed).count();
        print(&format!("{passed} of {} steps passed in {} ms\n", report.steps.len(), report.elapsed_ms));
    }
    Ok(match (report.passed, trouble) {
        (true, _) => GOOD,
        (false, true) => UNAVAILABLE,
        (false, false) => FAILED,
    })
}

/// Whether a step that did not pass says that it was not judged: a control or the environment failed.
fn is_unjudged(step: &StepRun) -> bool {
    !step.passed && step.findings.iter().any(|finding| finding.verdict == Verdict::EnvironmentFault)
}

/// Runs in the environment that the flags name, and leaves a cluster as it was; also whether what did not pass was the environment's
/// fault.
async fn report(a: &args::Run, lesson: &Arc<Lesson>, last: usize) -> Result<(Report, bool), Trouble> {
    let told = |step: &StepRun| {
        if !a.json {
            print(&line(lesson, step));
        }
    };
    let Some(on) = cluster::open(&a.at).await? else {
        let report = headless::run(lesson.clone(), (Seed(a.seed), &a.istio), last, told).await.map_err(Trouble::from)?;
        let trouble = report.steps.iter().any(is_unjudged);
        return Ok((report, trouble));
    };
    cluster::begin(&on, &a.at, lesson, last).await?;
    let run = headless::run_on(Arc::new(on.clone()), lesson.clone(), Seed::fresh(), last, told);
    let report = tokio::select! {
        report = run => report,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    // What the API server would not do ended the run, where nothing was found wrong.
    let remained = on.target().tidings.remained() > 0;
    cluster::clean(&on).await?;
    let report = report.map_err(Trouble::from)?;
    let trouble = report.steps.iter().any(|step| is_unjudged(step) || (remained && step.error.is_some()));
    Ok((report, trouble))
}

/// Whether a release can be imitated.
pub(super) fn release(istio: &str) -> Result<(), Trouble> {
    match versions::find(istio) {
        Some(_) => Ok(()),
        None => Err(Trouble::usage(format!("--istio is {}, not {istio}", versions::lines().join(" or ")))),
    }
}

fn line(lesson: &Lesson, step: &StepRun) -> String {
    let word = if step.passed { "PASS" } else { "FAIL" };
    let nth = lesson.steps.iter().position(|s| s.id == step.id).map_or(0, |n| n + 1);
    let mut text = format!("{word}  {nth:>2}  {:<28} {}\n", step.id, step.title);
    if !step.passed {
        step.findings.iter().for_each(|finding| text.push_str(&crate::finding::render::text(finding)));
        if let Some(error) = &step.error {
            text.push_str(&format!("      {error}\n"));
        }
    }
    text
}

pub(super) fn prove(a: &args::Prove) -> End {
    let all = lessons::all(&a.from_dir)?;
    let wanted: Vec<Arc<Lesson>> = match a.lesson.is_empty() {
        true => all,
        false => a.lesson.iter().map(|id| lessons::find(&a.from_dir, id)).collect::<Result<_, _>>()?,
    };
    let wanted = fitting(a, wanted)?;
    if let Some(step) = a.step.iter().find(|step| !wanted.iter().any(|lesson| lesson.step(step).is_some())) {
        return Err(Trouble::usage(format!("no lesson has a step {step} (`list --json` shows the ids)")));
    }
    release(&a.istio)?;
    let runtime = runtime()?;
    let report = runtime.block_on(proven(a, &wanted));
    runtime.shutdown_background();
    let report = report?;
    match (a.json, a.junit) {
        (true, _) => print(&format!("{}\n", serde_json::to_string_pretty(&report).unwrap_or_default())),
        (_, true) => print(&report.junit()),
        _ => print(&report.text()),
    }
    Ok(if report.failures.is_empty() { GOOD } else { report.exit_code() })
}

/// The lessons to prove in the environment of the flags, each once.
fn fitting(a: &args::Prove, wanted: Vec<Arc<Lesson>>) -> Result<Vec<Arc<Lesson>>, Trouble> {
    let mut fitting: Vec<Arc<Lesson>> = Vec::new();
    for lesson in wanted {
        let lesson = cluster::fitting(&a.at, &a.from_dir, a.step.first().map(String::as_str), lesson)?;
        if fitting.iter().all(|other| other.id != lesson.id) {
            fitting.push(lesson);
        }
    }
    Ok(fitting)
}

/// Proves in the environment that the flags name, and leaves a cluster as it was.
async fn proven(a: &args::Prove, lessons: &[Arc<Lesson>]) -> Result<prove::Report, Trouble> {
    let Some(on) = cluster::open(&a.at).await? else {
        let bench = Sandboxes { istio: a.istio.clone(), ..Sandboxes::default() };
        return Ok(prove::prove_steps(&bench, lessons, &a.step).await);
    };
    let watch = Stopwatch::start();
    // Standard output is the report's.
    let told = move |line: &str| eprintln!("{:>6.1} s  {line}", watch.elapsed_ms() as f64 / 1_000.0);
    for lesson in lessons {
        cluster::begin(&on, &a.at, lesson, prove::built(lesson, &a.step)).await?;
    }
    let bench = OnCluster::new(on.clone(), InTurn { all: a.all }, Box::new(told));
    let report = tokio::select! {
        report = prove::prove_steps(&bench, lessons, &a.step) => Ok(report),
        _ = tokio::signal::ctrl_c() => Err(Trouble { code: INTERRUPTED, sentence: "interrupted".into() }),
    };
    cluster::clean(&on).await?;
    report
}
