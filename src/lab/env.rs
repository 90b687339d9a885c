//! Where a lesson runs: one trait, two kinds (the sandbox, a cluster).

pub mod cluster;
pub mod sandbox;
pub mod visited;

use crate::base::clock::Time;
use crate::check::{Patience, Restless};
use crate::k8s::{Object, Snapshot};
use crate::lab::objects;
use crate::lab::own_istioctl::OwnIstioctl;
use crate::session::desk::timeline::{Moment, Part, Past};
use anyhow::{Context, bail};
use futures::future::BoxFuture;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Pod, Service};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, PostParams};
use std::sync::Arc;

/// A point to which an environment can be brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint(pub u64);

/// A cluster, real or built in, with what a lesson needs of it besides the API.
pub trait Environment: Send + Sync {
    /// `sandbox`, `context:NAME`: status bar and reports.
    fn name(&self) -> String;
    /// The Istio release that installing brings here (`1.26`); "" for the default. A cluster has what it has.
    fn istio(&self) -> String {
        String::new()
    }
    /// Whether the lab may furnish it with what lessons begin with: the sandbox. On a cluster that has to be there.
    fn is_the_labs_own(&self) -> bool {
        false
    }
    /// What installs Istio here instead of the built-in equivalent: on a cluster that is not a sandbox.
    fn own_istioctl(&self) -> Option<&OwnIstioctl> {
        None
    }
    /// The API server's address as kubectl shows it.
    fn url(&self) -> Option<String>;
    /// A client for the learner's own actions. Speaks HTTPS.
    fn client(&self) -> kube::Client;
    /// A client for checks and probes. On the sandbox: of a fresh fork at the head with frozen clock, with the control workloads in
    /// place if `controls`, so that nothing a check does is seen in the served world. On a cluster: the same as [`Environment::client`].
    fn probe(&self, controls: bool) -> BoxFuture<'_, anyhow::Result<Probe>>;
    /// A client that only looks: at a revision that is still kept (or the newest one before it), or at the newest. Leaves no trace.
    fn look(&self, revision: Option<u64>) -> BoxFuture<'_, anyhow::Result<Probe>>;
    /// What it can do with its past.
    fn past(&self) -> Past {
        Past::MarksOnly(NO_PAST.into())
    }
    /// The newest changes, at most `last`, oldest first; none where no past is kept.
    fn moments(&self, _last: usize) -> BoxFuture<'_, anyhow::Result<Vec<Moment>>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    /// The revisions of the newest changes, at most `last`, oldest first; none where no past is kept.
    fn kept(&self, _last: usize) -> BoxFuture<'_, anyhow::Result<Vec<u64>>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    /// What happened in a revision.
    fn change(&self, _revision: u64) -> BoxFuture<'_, anyhow::Result<Happened>> {
        Box::pin(async { bail!(NO_PAST) })
    }
    /// The objects as of a revision, or now: all of them, or on a cluster those that decide about traffic; and the revision.
    fn objects(&self, revision: Option<u64>) -> BoxFuture<'_, anyhow::Result<(Option<u64>, Snapshot)>> {
        Box::pin(async move {
            match revision {
                Some(_) => bail!(NO_PAST),
                None => Ok((None, crate::lab::explain::world::seen(&self.client()).await?)),
            }
        })
    }
    /// Keeps a revision for later looks and returns, however many follow; its number.
    fn keep(&self, _revision: u64) -> BoxFuture<'_, anyhow::Result<u64>> {
        Box::pin(async { bail!(NO_PAST) })
    }
    /// The whole state at a revision that is kept, for [`Environment::recall`].
    fn saved_at(&self, _revision: u64) -> BoxFuture<'_, anyhow::Result<serde_json::Value>> {
        Box::pin(async { bail!(NO_PAST) })
    }
    /// Keeps a revision again that [`Environment::saved_at`] gave when this world was open before.
    fn recall(&self, _saved: serde_json::Value) -> BoxFuture<'_, anyhow::Result<()>> {
        Box::pin(async { bail!(NO_PAST) })
    }
    /// Everything that another sandbox needs to go on from here; `null` on a cluster.
    fn whole(&self) -> BoxFuture<'_, anyhow::Result<serde_json::Value>> {
        Box::pin(async { Ok(serde_json::Value::Null) })
    }
    /// The newest revision, where states have numbers and earlier ones can be looked at.
    fn revision(&self) -> BoxFuture<'_, Option<u64>> {
        Box::pin(async { None })
    }
    /// How long a check waits here as long as nothing is known to be settled.
    fn patience(&self) -> Patience {
        Patience::CLUSTER
    }
    /// See [`crate::check::Ground::restless`].
    fn restless(&self) -> Option<&dyn Restless> {
        None
    }
    /// Whether a lesson's set-up may delete the object with this uid. On a cluster: only what the lab made.
    fn is_ours(&self, _uid: &str) -> bool {
        true
    }
    /// Whether no transition (pod start, rollout) is pending. Always false on a cluster.
    fn settled(&self) -> BoxFuture<'_, bool>;
    /// Marks the present state.
    fn checkpoint(&self) -> BoxFuture<'_, anyhow::Result<Checkpoint>>;
    /// Brings the state back, written forward as new revisions.
    fn reset<'a>(&'a self, to: &'a Checkpoint) -> BoxFuture<'a, anyhow::Result<()>>;
    /// Brings the state before a step, built anew from the solutions of the steps before it.
    fn rebuild<'a>(&'a self, lesson: &'a crate::lesson::model::Lesson, step: usize) -> BoxFuture<'a, anyhow::Result<()>>;
    /// Makes something of the outside world fail or recover (a name, an origin).
    fn fault<'a>(&'a self, fault: &'a crate::lesson::model::Fault) -> BoxFuture<'a, anyhow::Result<()>>;
    /// The environment's present moment.
    fn now(&self) -> BoxFuture<'_, Time>;
    /// Waits for `ms` of the environment's time: real time at wall pace, logical time at instant pace.
    fn wait(&self, ms: u64) -> BoxFuture<'_, ()>;
    /// Where the kubeconfig for other programs is, if there is one.
    fn kubeconfig(&self) -> Option<std::path::PathBuf>;
}

/// Why there is no time-line.
const NO_PAST: &str = "A cluster keeps no past that can be looked at or returned to: bookmarks (`timeline mark NAME`) keep its objects, \
                       and two of them, or one and `now`, can be compared.";

/// One change in full.
pub struct Happened {
    pub moment: Moment,
    /// In the order in which they were written.
    pub parts: Vec<HappenedPart>,
    /// Parts that are not listed.
    pub unlisted: usize,
}

/// What became of one object.
pub struct HappenedPart {
    pub part: Part,
    pub before: Option<Arc<Object>>,
    pub after: Option<Arc<Object>>,
}

/// A client for checks, and the revision it looks at.
pub struct Probe {
    pub client: kube::Client,
    pub revision: Option<u64>,
}

/// A world that has not come to rest is waited for at most so long before a probe, in milliseconds.
const SETTLE_LIMIT_MS: u64 = 8_000;

/// Waits until no transition is pending; false when that did not happen within the limit.
async fn wait_settled(env: &dyn Environment) -> bool {
    let mut waited = 0;
    while !env.settled().await {
        if waited >= SETTLE_LIMIT_MS {
            return false;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        waited += 50;
    }
    true
}

/// Puts the control workloads into the fork that a probe will look at.
async fn place_controls(fork: &kube::Client) -> anyhow::Result<()> {
    for object in crate::check::controls::objects() {
        place(fork, &object).await.context("placing the control workloads")?;
    }
    Ok(())
}

/// Creates a control object unless something of its name is there: on a cluster, that of an earlier run.
async fn place_missing(client: &kube::Client, object: &Object) -> anyhow::Result<()> {
    let api = control_api(client, object)?;
    match api.get_opt(object.name()).await? {
        Some(_) => Ok(()),
        None => Ok(api.create(&PostParams::default(), &serde_json::from_value(object.0.clone())?).await.map(drop)?),
    }
}

/// Creates a control object, or replaces what has its name.
async fn place(fork: &kube::Client, object: &Object) -> anyhow::Result<()> {
    let api = control_api(fork, object)?;
    match api.create(&PostParams::default(), &serde_json::from_value(object.0.clone())?).await {
        Err(kube::Error::Api(status)) if status.code == 409 => objects::replace(fork, &object.0).await,
        created => Ok(created.map(drop)?),
    }
}

/// The API of a control object. These kinds are the same on every server: nobody is asked for them.
fn control_api(client: &kube::Client, object: &Object) -> anyhow::Result<Api<DynamicObject>> {
    let resource = match object.kind() {
        "Namespace" => ApiResource::erase::<Namespace>(&()),
        "Pod" => ApiResource::erase::<Pod>(&()),
        "Service" => ApiResource::erase::<Service>(&()),
        "Deployment" => ApiResource::erase::<Deployment>(&()),
        kind => anyhow::bail!("a control workload of kind {kind}"),
    };
    Ok(objects::scoped(client, &resource, object.namespace()))
}
