//! What an evaluation works with.

use crate::base::clock::Time;
use crate::base::seed::Seed;
use crate::finding::Finding;
use crate::lesson::model::Workload;
use crate::outside::Outside;
use futures::future::BoxFuture;

/// How long a check may wait for the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Milliseconds of the environment's time within which an expectation must have come true.
    pub within: u64,
    /// Milliseconds between two looks.
    pub poll: u64,
    /// What a check may ask for itself is cut to this.
    pub most: u64,
    /// Nothing is under way any more: the first answer is final.
    pub settled: bool,
}

impl Patience {
    /// For a world that has come to rest.
    pub const SETTLED: Patience = Patience { within: 0, poll: 0, most: 0, settled: true };
    /// For a cluster: 20 s, a look each second (curriculum 2.4).
    pub const CLUSTER: Patience = Patience { within: 20_000, poll: 1_000, most: u64::MAX, settled: false };
}

/// One look at the world.
#[derive(Clone)]
pub struct Ctx {
    /// Where checks and probes go: on the sandbox a fork with the control workloads, on a cluster the cluster.
    pub client: kube::Client,
    /// The store revision that the client looks at (sandbox).
    pub revision: Option<u64>,
    pub patience: Patience,
    /// Makes the ids that tell this run's probes from all others.
    pub seed: Seed,
    /// What is known of the world beyond the mesh, for predictions only.
    pub outside: Outside,
    pub now: Time,
    /// What does not hold is also searched for where it could be mended: for people, and slow.
    pub mends: bool,
}

/// Something that can be looked at again and again until it has settled.
pub trait Ground: Send + Sync {
    /// The newest state; `controls`: with the control workloads in place.
    fn look(&self, controls: bool) -> BoxFuture<'_, Result<Ctx, String>>;
    /// Waits for `ms` of the environment's time.
    fn wait(&self, ms: u64) -> BoxFuture<'_, ()>;
    /// What can be told of a world that never says that it has come to rest; `None` where it does.
    fn restless(&self) -> Option<&dyn Restless> {
        None
    }
}

/// A world that never says that it has come to rest (see [`super::early`]), and that no model is a copy of.
pub trait Restless: Send + Sync {
    /// Applies a marker after everything that was written so far; `None` where the world does not take it.
    fn mark(&self) -> BoxFuture<'_, Option<u64>>;
    /// Whether the proxies of these workloads, and the gateways, have a marker.
    fn in_force<'a>(&'a self, mark: u64, from: &'a [&'a Workload]) -> BoxFuture<'a, bool>;
    /// Takes a marker away again.
    fn unmark(&self, mark: u64) -> BoxFuture<'_, ()>;
    /// Keeps what was seen and what the model said, where they differ; what to tell people about it.
    fn disagreed<'a>(&'a self, finding: &'a Finding) -> BoxFuture<'a, Option<String>>;
}

/// Whether every finding is met (and there is at least one).
pub fn all_met(findings: &[Finding]) -> bool {
    !findings.is_empty() && findings.iter().all(|finding| finding.verdict == crate::finding::Verdict::Met)
}
