//! `check` and `reset` from another terminal: the saved world is opened when nobody holds it, and visited where it is served otherwise.

use crate::base::paths::Paths;
use crate::base::seed::Seed;
use crate::check;
use crate::finding::Finding;
use crate::lab::env::Environment;
use crate::lab::env::sandbox::{Refusal, Serve, serve_saved};
use crate::lab::env::visited::Visited;
use crate::lab::ground::EnvGround;
use crate::lab::target;
use crate::lesson::model::Lesson;
use anyhow::{Context, bail};
use std::sync::Arc;

/// Judges a step of the saved world.
///
/// # Errors
/// The world cannot be opened, nor reached where it is served.
pub async fn check(
    paths: &Paths,
    world: &str,
    lesson: &Lesson,
    step: usize,
    answer: Option<&str>,
) -> anyhow::Result<Vec<Finding>> {
    let env = open(paths, world).await?;
    let ground = EnvGround { env, seed: Seed::fresh(), mends: true };
    check::judge(&ground, lesson, &lesson.steps[step], answer, &[]).await.map_err(anyhow::Error::msg)
}

/// Puts the saved world back to the start of a step, with this Istio release ("" for the default) where one is installed by then.
///
/// # Errors
/// As [`check`].
pub async fn reset(paths: &Paths, (world, istio): (&str, &str), lesson: &Lesson, step: usize) -> anyhow::Result<()> {
    opened(paths, world, istio).await?.rebuild(lesson, step).await
}

/// The saved world, opened or visited.
///
/// # Errors
/// There is no such world, or it cannot be opened nor reached.
pub async fn open(paths: &Paths, world: &str) -> anyhow::Result<Arc<dyn Environment>> {
    opened(paths, world, "").await
}

async fn opened(paths: &Paths, world: &str, istio: &str) -> anyhow::Result<Arc<dyn Environment>> {
    if !paths.world(world).exists() {
        bail!("there is no world {world} yet; `egress-lab learn` makes one");
    }
    let serve = Serve { port: 0, seed: Seed::fresh(), instant: false, real_time: false };
    match serve_saved(paths, world, serve).await {
        Ok(served) => Ok(Arc::new(served.sandbox.imitating(istio))),
        Err(Refusal::Locked { pid, .. }) => {
            let target = target::saved_world(world).await;
            let target =
                target.with_context(|| format!("the world {world} is open in process {pid}, and cannot be reached there"))?;
            Ok(Arc::new(Visited::new(target, istio)))
        }
        Err(refusal) => Err(refusal.into()),
    }
}
