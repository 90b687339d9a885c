//! Proofs on the built-in sandbox: every world is a fork in memory at instant pace. On a cluster: see [`cluster`].

pub mod cluster;

use super::bench::{Applied, Bench, Manner, World};
use crate::base::files::{Files, MemoryFiles};
use crate::base::seed::Seed;
use crate::check;
use crate::finding::{Evidence, Finding, Ran, Verdict};
use crate::lab::actions::OnError;
use crate::lab::env::Environment;
use crate::lab::env::sandbox::{Bend, Make, Sandbox};
use crate::lab::ground::EnvGround;
use crate::lab::prompt::Prompt;
use crate::lab::{actions, objects, start};
use crate::lesson::model::{Action, Check, Lesson, Removal, Step};
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Worlds of the sandbox.
#[derive(Debug, Clone, Default)]
pub struct Sandboxes {
    /// The Istio release that every world imitates; "" for the default.
    pub istio: String,
    /// The network of every world, honest unless a test bends it.
    pub bend: Bend,
    /// Whether findings also say where what does not hold could be mended: slow, and for people.
    pub mends: bool,
}

impl Bench for Sandboxes {
    fn start<'a>(&'a self, lesson: &'a Arc<Lesson>, seed: Seed) -> BoxFuture<'a, Result<Box<dyn World>, String>> {
        Box::pin(async move {
            let env = Arc::new(Sandbox::in_process(Make::instant(seed), self.bend).imitating(&self.istio));
            let files = MemoryFiles::default();
            let own: Arc<dyn Environment> = env.clone();
            start::prepare(&own, lesson, &files).await.map_err(text)?;
            Ok(Box::new(ForkWorld::new(env, files, lesson.clone(), (seed, self.mends))) as Box<dyn World>)
        })
    }

    fn spawn(&self, work: BoxFuture<'static, ()>) {
        tokio::spawn(work);
    }
}

/// An environment with a lesson's files and prompt: what every world does alike.
struct Standing {
    env: Arc<dyn Environment>,
    files: Arc<MemoryFiles>,
    prompt: Prompt,
    lesson: Arc<Lesson>,
    seed: Seed,
    mends: bool,
}

impl Standing {
    fn new(env: Arc<dyn Environment>, files: Arc<MemoryFiles>, lesson: Arc<Lesson>, seed: Seed) -> Standing {
        let prompt = Prompt::new(env.clone(), files.clone() as Arc<dyn Files>, None);
        Standing { env, files, prompt, lesson, seed, mends: false }
    }

    async fn apply(&self, actions: &[Action], manner: Manner) -> Result<Applied, String> {
        let (quiet, _) = mpsc::channel(1);
        let on_error = match manner {
            Manner::Right => OnError::Stop,
            Manner::NearMiss => OnError::GoOn,
        };
        let applied = actions::apply(&self.prompt, actions, on_error, &quiet).await.map_err(text)?;
        Ok(Applied { ran: applied.ran, answers: applied.answers })
    }

    async fn remove(&self, part: &Removal) -> Result<(), String> {
        let api = objects::api_of(&self.env.client(), &part.object).await.map_err(text)?;
        let Some(path) = &part.field else {
            api.delete(&part.object.name, &Default::default()).await.map_err(text)?;
            return Ok(());
        };
        let object = api.get(&part.object.name).await.map_err(text)?;
        let mut value = serde_json::to_value(object).map_err(text)?;
        if !path.remove(&mut value) {
            return Err(format!("{} {} has no {path} to remove", part.object.kind, part.object.name));
        }
        objects::replace(&self.env.client(), &value).await.map_err(text)
    }

    async fn evaluate(&self, step: &Step, answer: Option<&str>, ran: &[Ran]) -> Vec<Finding> {
        let ground = EnvGround { env: self.env.clone(), seed: self.seed, mends: self.mends };
        match check::judge(&ground, &self.lesson, step, answer, ran).await {
            Ok(findings) => findings,
            Err(reason) => check::checks_of(step).iter().map(|check| unreachable(check, &reason)).collect(),
        }
    }
}

/// One world of the sandbox.
struct ForkWorld {
    sandbox: Arc<Sandbox>,
    standing: Standing,
}

impl ForkWorld {
    fn new(sandbox: Arc<Sandbox>, files: MemoryFiles, lesson: Arc<Lesson>, (seed, mends): (Seed, bool)) -> ForkWorld {
        let standing = Standing { mends, ..Standing::new(sandbox.clone(), Arc::new(files), lesson, seed) };
        ForkWorld { sandbox, standing }
    }
}

impl World for ForkWorld {
    fn fork(&self) -> BoxFuture<'_, Result<Box<dyn World>, String>> {
        Box::pin(async {
            let env = self.sandbox.fork_instant().await.map_err(text)?;
            let Standing { files, lesson, seed, mends, .. } = &self.standing;
            Ok(Box::new(ForkWorld::new(Arc::new(env), files.fork(), lesson.clone(), (*seed, *mends))) as Box<dyn World>)
        })
    }

    fn apply<'a>(&'a self, actions: &'a [Action], manner: Manner) -> BoxFuture<'a, Result<Applied, String>> {
        Box::pin(self.standing.apply(actions, manner))
    }

    fn remove<'a>(&'a self, part: &'a Removal) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(self.standing.remove(part))
    }

    fn evaluate<'a>(&'a self, step: &'a Step, answer: Option<&'a str>, ran: &'a [Ran]) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(self.standing.evaluate(step, answer, ran))
    }

    fn mark(&self) -> BoxFuture<'_, Result<u64, String>> {
        Box::pin(async { self.sandbox.checkpoint().await.map(|mark| mark.0).map_err(text) })
    }

    fn reset(&self, mark: u64) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move { self.sandbox.reset(&crate::lab::env::Checkpoint(mark)).await.map_err(text) })
    }

    fn state(&self) -> BoxFuture<'_, Result<BTreeMap<String, String>, String>> {
        Box::pin(async { self.sandbox.state().await.map_err(text) })
    }
}

/// The finding for a world that could not be looked at.
fn unreachable(check: &Check, reason: &str) -> Finding {
    Finding {
        check: check.id.clone(),
        title: check.title.clone(),
        verdict: Verdict::EnvironmentFault,
        message: reason.to_string(),
        evidence: Evidence::default(),
        wrong_turn: None,
        revision: None,
    }
}

fn text(error: impl Into<anyhow::Error>) -> String {
    crate::lab::words::line(&error.into())
}

#[cfg(test)]
mod tests;
