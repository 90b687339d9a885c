//! Proofs on a cluster, through its API alone: one world, proofs in turn, back by reset.

use super::{Standing, text};
use crate::author::bench::{Applied, Bench, InTurn, Manner, World};
use crate::author::prove::SEEDS;
use crate::author::worlds::Sandboxes;
use crate::base::files::MemoryFiles;
use crate::base::seed::Seed;
use crate::finding::{Finding, Ran};
use crate::k8s::Object;
use crate::lab::env::cluster::{Cluster, state};
use crate::lab::env::{Checkpoint, Environment};
use crate::lesson::model::{Action, Lesson, Removal, Step};
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Kinds that the cluster itself makes and changes: no part of "as it was".
const ITS_OWN: [&str; 4] = ["EndpointSlice", "Endpoints", "Node", "ReplicaSet"];

/// The world of a named cluster.
pub struct OnCluster {
    cluster: Cluster,
    how: InTurn,
    told: Box<dyn Fn(&str) + Send + Sync>,
    /// Troubles of the API server that have been told.
    known: AtomicU64,
}

impl OnCluster {
    /// `told` hears a line for each proof.
    pub fn new(cluster: Cluster, how: InTurn, told: Box<dyn Fn(&str) + Send + Sync>) -> OnCluster {
        OnCluster { cluster, how, told, known: AtomicU64::new(0) }
    }

    async fn begin(&self, lesson: &Arc<Lesson>) -> anyhow::Result<Turns> {
        let files = Arc::new(MemoryFiles::default());
        self.cluster.begin_anew(lesson, &*files).await?;
        let env: Arc<dyn Environment> = Arc::new(self.cluster.clone());
        // Log lines outlive a run here: its probes are told from those of every other.
        let standing = Standing::new(env, files, lesson.clone(), Seed::fresh());
        Ok(Turns { standing: Mutex::new(Arc::new(standing)), marked: Mutex::default() })
    }
}

impl Bench for OnCluster {
    fn start<'a>(&'a self, lesson: &'a Arc<Lesson>, seed: Seed) -> BoxFuture<'a, Result<Box<dyn World>, String>> {
        // Another run is one elsewhere: this cluster has one world.
        if seed != SEEDS.0 {
            return Box::pin(async move { Sandboxes::default().start(lesson, seed).await });
        }
        Box::pin(async move { Ok(Box::new(self.begin(lesson).await.map_err(text)?) as Box<dyn World>) })
    }

    fn spawn(&self, work: BoxFuture<'static, ()>) {
        tokio::spawn(work);
    }

    fn in_turn(&self) -> Option<InTurn> {
        Some(self.how)
    }

    fn told(&self, line: &str) {
        (self.told)(line);
    }

    fn trouble(&self) -> Option<String> {
        let tidings = &self.cluster.target().tidings;
        let remained = tidings.remained();
        let known = self.known.swap(remained, Ordering::Relaxed);
        tidings.newest().filter(|_| remained > known)
    }
}

/// The one world, with its files; marks bring both back.
struct Turns {
    standing: Mutex<Arc<Standing>>,
    marked: Mutex<BTreeMap<u64, MemoryFiles>>,
}

impl Turns {
    fn now(&self) -> Arc<Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the files of a mark.
    fn files_of(&self, mark: u64) -> Result<(), String> {
        let now = self.now();
        let files = self.marked.lock().unwrap_or_else(PoisonError::into_inner).get(&mark).map(MemoryFiles::fork);
        let files = Arc::new(files.ok_or("that state was never marked")?);
        let back = Standing::new(now.env.clone(), files, now.lesson.clone(), now.seed);
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(back);
        Ok(())
    }
}

impl World for Turns {
    fn fork(&self) -> BoxFuture<'_, Result<Box<dyn World>, String>> {
        Box::pin(async { Err("a cluster has no independent copies".to_string()) })
    }

    fn apply<'a>(&'a self, actions: &'a [Action], manner: Manner) -> BoxFuture<'a, Result<Applied, String>> {
        Box::pin(async move { self.now().apply(actions, manner).await })
    }

    fn remove<'a>(&'a self, part: &'a Removal) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move { self.now().remove(part).await })
    }

    fn evaluate<'a>(&'a self, step: &'a Step, answer: Option<&'a str>, ran: &'a [Ran]) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move { self.now().evaluate(step, answer, ran).await })
    }

    fn mark(&self) -> BoxFuture<'_, Result<u64, String>> {
        Box::pin(async move {
            let now = self.now();
            let mark = now.env.checkpoint().await.map_err(text)?.0;
            self.marked.lock().unwrap_or_else(PoisonError::into_inner).insert(mark, now.files.fork());
            Ok(mark)
        })
    }

    fn reset(&self, mark: u64) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            self.now().env.reset(&Checkpoint(mark)).await.map_err(text)?;
            self.files_of(mark)
        })
    }

    fn rebuild(&self, step: usize, mark: u64) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let now = self.now();
            now.env.rebuild(&now.lesson, step).await.map_err(text)?;
            self.files_of(mark)
        })
    }

    /// Content and labels of what decides about traffic: what a cluster chooses anew (addresses, uids) is no part of it.
    fn state(&self) -> BoxFuture<'_, Result<BTreeMap<String, String>, String>> {
        Box::pin(async move {
            let (_, objects) = self.now().env.objects(None).await.map_err(text)?;
            let lasting = |object: &&Arc<Object>| {
                let owned = object.at(&["metadata", "ownerReferences"]).as_array().is_some_and(|owners| !owners.is_empty());
                !owned && !ITS_OWN.contains(&object.kind())
            };
            let line =
                |object: &Arc<Object>| (format!("{} {}", object.key().kind, object.key()), state::content(&object.0).to_string());
            Ok(objects.all().filter(lasting).map(line).collect())
        })
    }
}
