//! The state before a step, built anew: an instant world runs the solutions of all earlier steps, and the served world takes it over.

use super::{Bend, Sandbox, spawn, world_at};
use crate::base::clock::{Clock, SystemClock};
use crate::base::files::{Files, MemoryFiles};
use crate::base::seed::Seed;
use crate::lab::actions;
use crate::lab::env::Environment;
use crate::lab::prompt::Prompt;
use crate::lab::start;
use crate::lesson::model::Lesson;
use crate::sandbox::Pace;
use std::sync::Arc;

/// The instant world's clock starts so long before now; it must not end in the future.
const HEADSTART_MS: i64 = 6 * 60 * 1000;

/// Builds the state before `step` (its own set-up included) and brings it into `target` as new revisions.
///
/// # Errors
/// A solution that does not work, or a world that is gone.
pub(super) async fn rebuild(target: &Sandbox, lesson: &Lesson, step: usize) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let seed = target.handle().with(|world| world.seed()).await?;
    let build = built(lesson, step, (seed, &target.istio()), now.plus_ms(-HEADSTART_MS)).await?;
    // The worlds live in tasks of their own: the one that was built is handed over whole.
    let fork = build.handle().with(|world| world.fork(world.revision(), Pace::Instant)).await?;
    let fork = fork.ok_or_else(|| anyhow::anyhow!("the state that was built is not kept"))?;
    target.handle().with(move |world| world.adopt(&fork)).await?;
    Ok(())
}

/// The state before `step` as a text that a served world takes over (`POST .../state`).
///
/// # Errors
/// As [`rebuild`].
pub async fn state_before(lesson: &Lesson, step: usize, seed: Seed) -> anyhow::Result<Vec<u8>> {
    let build = built(lesson, step, (seed, ""), SystemClock.now().plus_ms(-HEADSTART_MS)).await?;
    let saved = build.handle().with(|world| world.save()).await?;
    Ok(serde_json::to_vec(&saved)?)
}

async fn built(
    lesson: &Lesson,
    step: usize,
    (seed, istio): (Seed, &str),
    start: crate::base::clock::Time,
) -> anyhow::Result<Arc<Sandbox>> {
    let env = Arc::new(Sandbox::on(spawn(world_at(seed, Pace::Instant, start, Bend::Honest), None)).imitating(istio));
    let files: Arc<dyn Files> = Arc::new(MemoryFiles::default());
    let own: Arc<dyn Environment> = env.clone();
    start::prepare(&own, lesson, &*files).await?;
    let prompt = Prompt::new(own, files, None);
    actions::to_start_of(&prompt, lesson, step).await?;
    Ok(env)
}
