//! Proofs on the built-in sandbox: every world is a fork in memory at instant pace.

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
            let env = Sandbox::in_process(Make::instant(seed), self.bend).imitating(&self.istio);
            let files = MemoryFiles::default();
            start::prepare(&env.client(), lesson, &files).await.map_err(text)?;
            Ok(Box::new(ForkWorld { mends: self.mends, ..ForkWorld::new(env, files, lesson.clone(), seed) }) as Box<dyn World>)
        })
    }

    fn spawn(&self, work: BoxFuture<'static, ()>) {
        tokio::spawn(work);
    }
}

/// One world with its files.
struct ForkWorld {
    env: Arc<Sandbox>,
    files: Arc<MemoryFiles>,
    prompt: Prompt,
    lesson: Arc<Lesson>,
    seed: Seed,
    mends: bool,
}

impl ForkWorld {
    fn new(env: Sandbox, files: MemoryFiles, lesson: Arc<Lesson>, seed: Seed) -> ForkWorld {
        let (env, files) = (Arc::new(env), Arc::new(files));
        let prompt = Prompt::new(env.clone(), files.clone() as Arc<dyn Files>, None);
        ForkWorld { env, files, prompt, lesson, seed, mends: false }
    }
}

impl World for ForkWorld {
    fn fork(&self) -> BoxFuture<'_, Result<Box<dyn World>, String>> {
        Box::pin(async {
            let env = self.env.fork_instant().await.map_err(text)?;
            let world = ForkWorld::new(env, self.files.fork(), self.lesson.clone(), self.seed);
            Ok(Box::new(ForkWorld { mends: self.mends, ..world }) as Box<dyn World>)
        })
    }

    fn apply<'a>(&'a self, actions: &'a [Action], manner: Manner) -> BoxFuture<'a, Result<Applied, String>> {
        Box::pin(async move {
            let (quiet, _) = mpsc::channel(1);
            let on_error = match manner {
                Manner::Right => OnError::Stop,
                Manner::NearMiss => OnError::GoOn,
            };
            let applied = actions::apply(&self.prompt, actions, on_error, &quiet).await.map_err(text)?;
            Ok(Applied { ran: applied.ran, answers: applied.answers })
        })
    }

    fn remove<'a>(&'a self, part: &'a Removal) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
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
        })
    }

    fn evaluate<'a>(&'a self, step: &'a Step, answer: Option<&'a str>, ran: &'a [Ran]) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            let ground = EnvGround { env: self.env.clone(), seed: self.seed, mends: self.mends };
            match check::judge(&ground, &self.lesson, step, answer, ran).await {
                Ok(findings) => findings,
                Err(reason) => check::checks_of(step).iter().map(|check| unreachable(check, &reason)).collect(),
            }
        })
    }

    fn mark(&self) -> BoxFuture<'_, Result<u64, String>> {
        Box::pin(async { self.env.checkpoint().await.map(|mark| mark.0).map_err(text) })
    }

    fn reset(&self, mark: u64) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move { self.env.reset(&crate::lab::env::Checkpoint(mark)).await.map_err(text) })
    }

    fn state(&self) -> BoxFuture<'_, Result<BTreeMap<String, String>, String>> {
        Box::pin(async { self.env.state().await.map_err(text) })
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

fn text(error: impl std::fmt::Display) -> String {
    format!("{error:#}")
}

#[cfg(test)]
mod tests;
