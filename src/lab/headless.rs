//! A whole lesson without a learner: every step set up, solved and judged, on a throw-away world behind HTTPS.

use crate::base::clock::Stopwatch;
use crate::base::files::{Files, MemoryFiles};
use crate::base::seed::Seed;
use crate::check;
use crate::finding::Finding;
use crate::lab::actions::{self, OnError};
use crate::lab::env::Environment;
use crate::lab::env::sandbox::throw_away;
use crate::lab::ground::EnvGround;
use crate::lab::prompt::Prompt;
use crate::lab::start;
use crate::lesson::model::{Lesson, Step};
use crate::mesh::Record;
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What a run found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub lesson: String,
    pub passed: bool,
    pub steps: Vec<StepRun>,
    pub elapsed_ms: u64,
}

/// One step of it.
#[derive(Debug, Clone, Serialize)]
pub struct StepRun {
    pub id: String,
    pub title: String,
    pub kind: &'static str,
    pub passed: bool,
    /// The outcome records of the step's probes, in order.
    pub outcomes: Vec<Record>,
    pub findings: Vec<Finding>,
    /// Why the step could not be run at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Runs the first `steps` steps of a lesson; `told` hears of each as it ends. Stops at the first step that does not pass.
///
/// # Errors
/// The world cannot be made or served.
pub async fn run(
    lesson: Arc<Lesson>,
    (seed, istio): (Seed, &str),
    steps: usize,
    told: impl FnMut(&StepRun),
) -> anyhow::Result<Report> {
    let served = throw_away(seed, istio).await?;
    run_on(served.env.clone(), lesson, seed, steps, told).await
}

/// The same in an environment that is there already, without cleaning up.
///
/// # Errors
/// The lesson's start cannot be made.
pub async fn run_on(
    env: Arc<dyn Environment>,
    lesson: Arc<Lesson>,
    seed: Seed,
    steps: usize,
    mut told: impl FnMut(&StepRun),
) -> anyhow::Result<Report> {
    let watch = Stopwatch::start();
    let files: Arc<dyn Files> = Arc::new(MemoryFiles::default());
    start::prepare(&env, &lesson, &*files).await?;
    let prompt = Prompt::new(env.clone(), files, None);
    let ground = EnvGround { env, seed, mends: true };
    let mut report = Report { lesson: lesson.id.clone(), passed: true, steps: Vec::new(), elapsed_ms: 0 };
    for step in lesson.steps.iter().take(steps) {
        let ran = run_step(&prompt, &ground, &lesson, step).await;
        told(&ran);
        report.passed &= ran.passed;
        report.steps.push(ran);
        if !report.passed {
            break;
        }
    }
    report.elapsed_ms = watch.elapsed_ms();
    Ok(report)
}

async fn run_step(prompt: &Prompt, ground: &EnvGround, lesson: &Lesson, step: &Step) -> StepRun {
    let mut run = StepRun {
        id: step.id.clone(),
        title: step.title.clone(),
        kind: step.kind.word(),
        passed: step.checks.is_empty(),
        outcomes: Vec::new(),
        findings: Vec::new(),
        error: None,
    };
    match judged(prompt, ground, lesson, step).await {
        Ok(findings) => {
            run.passed = step.checks.is_empty() || check::all_met(&findings);
            run.outcomes = findings.iter().filter_map(|f| f.evidence.observation.clone()).collect();
            run.findings = findings;
        }
        Err(error) => {
            run.passed = false;
            run.error = Some(crate::lab::words::line(&error));
        }
    }
    run
}

async fn judged(prompt: &Prompt, ground: &EnvGround, lesson: &Lesson, step: &Step) -> anyhow::Result<Vec<Finding>> {
    let (quiet, _) = mpsc::channel(1);
    actions::apply(prompt, &step.setup, OnError::Stop, &quiet).await?;
    let applied = actions::apply(prompt, &step.solution, OnError::Stop, &quiet).await?;
    let answer = applied.answers.get(&step.id).map(String::as_str);
    if step.checks.is_empty() && step.question.is_none() {
        return Ok(Vec::new());
    }
    check::judge(ground, lesson, step, answer, &applied.ran).await.map_err(anyhow::Error::msg)
}
