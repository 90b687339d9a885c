//! What a proof needs of an environment. Worlds are forked where they can be, never built twice.

use crate::base::seed::Seed;
use crate::finding::{Finding, Ran};
use crate::lesson::model::{Action, Lesson, Removal, Step};
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Makes worlds.
pub trait Bench: Send + Sync {
    /// A new world in the lesson's start state.
    fn start<'a>(&'a self, lesson: &'a Arc<Lesson>, seed: Seed) -> BoxFuture<'a, Result<Box<dyn World>, String>>;
    /// Runs something beside what runs already.
    fn spawn(&self, work: BoxFuture<'static, ()>);
    /// `Some` where there is one world for all proofs, which cannot be forked (a cluster): they are then made one after the other.
    fn in_turn(&self) -> Option<InTurn> {
        None
    }
    /// Hears what is being proven: one line for each proof.
    fn told(&self, _line: &str) {}
    /// What the environment would not do since this was asked last, in words: then a failure is not the lesson's.
    fn trouble(&self) -> Option<String> {
        None
    }
}

/// How much is proven where every proof costs time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InTurn {
    /// Every mutant, accepted variant, wrong answer and removal; else one mutant and one wrong answer for each step.
    pub all: bool,
}

/// What actions left behind besides the changed world.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Applied {
    /// The prompt lines that were run.
    pub ran: Vec<Ran>,
    /// Answers that were given, by step.
    pub answers: BTreeMap<String, String>,
}

/// How actions are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Every line is to work.
    Right,
    NearMiss,
}

/// One world of a proof, with the lab's files in it.
pub trait World: Send + Sync {
    /// An independent copy. A world that cannot be forked says so.
    fn fork(&self) -> BoxFuture<'_, Result<Box<dyn World>, String>>;
    /// Does a step's actions, in order, and waits until the world has settled. A line that ends with an error ends it with `Err`,
    /// unless the actions are a `Manner::NearMiss`, which may well be refused: what was done stays, and the rest is tried.
    fn apply<'a>(&'a self, actions: &'a [Action], manner: Manner) -> BoxFuture<'a, Result<Applied, String>>;
    /// Takes away one part of the finished state.
    fn remove<'a>(&'a self, part: &'a Removal) -> BoxFuture<'a, Result<(), String>>;
    /// Judges a step.
    fn evaluate<'a>(&'a self, step: &'a Step, answer: Option<&'a str>, ran: &'a [Ran]) -> BoxFuture<'a, Vec<Finding>>;
    /// Marks the present state.
    fn mark(&self) -> BoxFuture<'_, Result<u64, String>>;
    /// Brings a marked state back.
    fn reset(&self, mark: u64) -> BoxFuture<'_, Result<(), String>>;
    /// Builds the marked state, the start of the step of this index, anew from the solutions before it, where a reset does not bring it
    /// back: a pod without a sidecar, say, in a namespace that has since been labelled.
    fn rebuild(&self, _step: usize, _mark: u64) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { Err("this world is not built anew".to_string()) })
    }
    /// The state in a form that can be compared: one text for each object, without versions and the times of managed fields.
    fn state(&self) -> BoxFuture<'_, Result<BTreeMap<String, String>, String>>;
}
