//! Proves that a lesson judges as it should: what must pass passes, what must fail fails, and with its own words.
//!
//! For every step that is more than read: the untouched world fails (do and fix), the solution passes, each accepted variant passes,
//! each mutant is caught by the check that it names, taking away any one declared part fails a check, wrong answers and the answer
//! of another run fail, and a reset brings the step's start back exactly. Each proof has a fork of the step's start to itself; on a world
//! that cannot be forked they are made in turn.

mod in_turn;
mod report;
mod said;
mod step;
#[cfg(test)]
mod tests;

pub use report::{Accepted, Caught, Failure, Held, LessonReport, Removed, Report, Seen, StepReport};

use crate::author::bench::{Bench, Manner, World};
use crate::base::clock::Stopwatch;
use crate::base::seed::Seed;
use crate::lesson::model::{Expected, Lesson, Step, StepKind};
use futures::channel::oneshot;
use said::StepProofs;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use step::Ground;

/// Steps that are proven at the same time.
const AT_ONCE: usize = 4;
/// The run that is proven, and the one whose answers must not fit it.
pub(super) const SEEDS: (Seed, Seed) = (Seed(1), Seed(2));

/// Proves lessons, in order.
pub async fn prove(bench: &dyn Bench, lessons: &[Arc<Lesson>]) -> Report {
    prove_steps(bench, lessons, &[]).await
}

/// Proves only the steps of these ids (all when there is none); the steps before them are built, not proven.
pub async fn prove_steps(bench: &dyn Bench, lessons: &[Arc<Lesson>], only: &[String]) -> Report {
    let watch = Stopwatch::start();
    let mut report = Report { lessons: Vec::new(), steps_proven: 0, failures: Vec::new(), elapsed_ms: 0 };
    for lesson in lessons {
        let proofs = match bench.in_turn() {
            None => prove_lesson(bench, lesson, only).await,
            Some(how) => in_turn::prove_lesson(bench, lesson, only, how).await,
        };
        let steps = proofs.iter().map(|proof| proof.report.clone()).collect();
        report.steps_proven += proofs.iter().filter(|proof| proof.failures.is_empty()).count();
        report.failures.extend(proofs.into_iter().flat_map(|proof| proof.failures));
        report.lessons.push(LessonReport { id: lesson.id.clone(), steps });
    }
    report.elapsed_ms = watch.elapsed_ms();
    report
}

/// How many of a lesson's steps are built for the proofs of these ids (all when there is none).
pub fn built(lesson: &Lesson, only: &[String]) -> usize {
    lesson.steps.iter().rposition(|step| is_wanted(step, only)).map_or(0, |nth| nth + 1)
}

fn is_wanted(step: &Step, only: &[String]) -> bool {
    is_proven(step) && (only.is_empty() || only.contains(&step.id))
}

/// Whether a step has proofs.
pub fn is_proven(step: &Step) -> bool {
    step.kind != StepKind::Read
}

async fn prove_lesson(bench: &dyn Bench, lesson: &Arc<Lesson>, only: &[String]) -> Vec<StepProofs> {
    let last = built(lesson, only);
    if last == 0 {
        return Vec::new();
    }
    let answers = answers_of_another_run(bench, lesson).await;
    let mut world: Arc<dyn World> = match bench.start(lesson, SEEDS.0).await {
        Ok(world) => world.into(),
        Err(reason) => return vec![StepProofs::unbuilt(lesson, 0, &reason, bench.trouble())],
    };
    let mut done = Vec::new();
    let mut running = VecDeque::new();
    for nth in 0..last {
        let ground = match Ground::prepare(lesson, nth, &*world, answers.get(&lesson.steps[nth].id)).await {
            Ok(ground) => Arc::new(ground),
            Err(reason) => {
                done.extend(settle(&mut running, 0).await);
                done.push(StepProofs::unbuilt(lesson, nth, &reason, bench.trouble()));
                return done;
            }
        };
        world = ground.next.clone();
        if is_wanted(&lesson.steps[nth], only) {
            done.extend(settle(&mut running, AT_ONCE - 1).await);
            running.push_back(beside(bench, ground));
        }
    }
    done.extend(settle(&mut running, 0).await);
    done
}

/// Proves a step beside what runs already.
fn beside(bench: &dyn Bench, ground: Arc<Ground>) -> oneshot::Receiver<StepProofs> {
    let (done, waiting) = oneshot::channel();
    // Nobody waits any more when the proof was given up: then its result is not wanted either.
    bench.spawn(Box::pin(async move { drop(done.send(ground.prove().await)) }));
    waiting
}

/// Waits until at most `left` proofs run; those that ended, in order.
async fn settle(running: &mut VecDeque<oneshot::Receiver<StepProofs>>, left: usize) -> Vec<StepProofs> {
    let mut done = Vec::new();
    while running.len() > left {
        let Some(first) = running.pop_front() else { break };
        done.push(first.await.expect("a proof ends with its result unless it panicked"));
    }
    done
}

/// What the questions that ask for something of this run are answered with in another run.
async fn answers_of_another_run(bench: &dyn Bench, lesson: &Arc<Lesson>) -> BTreeMap<String, String> {
    let asks = |step: &Step| step.question.as_ref().is_some_and(|q| matches!(q.answer, Expected::Entry { .. }));
    let mut answers = BTreeMap::new();
    let Some(last) = lesson.steps.iter().rposition(asks) else { return answers };
    // What goes wrong here goes wrong in the run that is proven, too, and is told there.
    let Ok(world) = bench.start(lesson, SEEDS.1).await else { return answers };
    for step in &lesson.steps[..=last] {
        if world.apply(&step.setup, Manner::Right).await.is_err() {
            break;
        }
        match world.apply(&step.solution, Manner::Right).await {
            Ok(applied) => answers.extend(applied.answers),
            Err(_) => break,
        }
    }
    answers
}
