//! A cluster that the learner named, as an environment (`--env context:NAME`). Knows only its API: a sandbox that another process
//! serves is a cluster like any other, but for what installs Istio: there the built-in istioctl, elsewhere the one of this machine.
//!
//! Everything that the lab writes goes through [`scribe`], which notes it in the [`record`] of the cluster before it goes out; cleaning
//! up deletes what is recorded and nothing else, and puts back what was changed. There are no forks here: probes are sent in the
//! cluster itself, and nothing is ever known to be settled. What checks look at is kept up by watches ([`watched`]).

pub mod consent;
mod echo;
pub mod facts;
pub mod kinds;
pub mod marker;
pub mod merge;
pub mod path;
pub mod plan;
pub mod record;
pub mod report;
pub mod rights;
pub mod scribe;
pub mod state;
pub mod strangers;
pub mod sweep;
pub mod waiting;
pub mod watched;

use self::path::Place;
use self::record::{Made, Record};
use self::scribe::{Rules, Scribe, meta, read};
use self::state::{Keeper, Mark};
use self::sweep::{Sweeper, Swept};
use self::watched::Watched;
use crate::base::clock::{Clock, SystemClock, Time};
use crate::base::files::{Files, MemoryFiles};
use crate::base::paths::Paths;
use crate::check::{Patience, Restless, controls};
use crate::finding::Finding;
use crate::k8s::object::text;
use crate::lab::actions;
use crate::lab::env::{Checkpoint, Environment, Probe};
use crate::lab::own_istioctl::OwnIstioctl;
use crate::lab::prompt::Prompt;
use crate::lab::retry;
use crate::lab::start;
use crate::lab::target::{Target, is_sandbox, named_context};
use crate::lab::tools::Host;
use crate::lab::words::line;
use crate::lesson::model::{Fault, Lesson, Workload};
use anyhow::{Context, bail};
use futures::future::BoxFuture;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How a lesson is run on a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How long a check waits for what it expects, in milliseconds; `None` is 20 s, or what the lesson says where that is more.
    pub within: Option<u64>,
    /// Whether lessons may change what concerns everybody on the cluster.
    pub allow_mesh_config: bool,
}

/// See the module's text. Cheap to clone.
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    name: String,
    target: Target,
    /// Notes what goes through it.
    client: kube::Client,
    /// Gives checks the objects that watches keep up.
    reads: kube::Client,
    record: Arc<Mutex<Record>>,
    /// What was put aside, or is left of an earlier run: sentences for people.
    notes: Vec<String>,
    /// Where disagreements of observation and model are kept.
    reports: PathBuf,
    options: Options,
    /// What installs Istio; none where the server is a sandbox, which the built-in istioctl suits.
    istioctl: Option<OwnIstioctl>,
    /// Whether it is known which cluster this is; where it is not, nothing is written.
    known: bool,
    marks: tokio::sync::Mutex<Vec<Arc<Mark>>>,
    controls: tokio::sync::Mutex<Controls>,
}

impl Inner {
    fn new(name: String, mut target: Target, record: Record, options: Options) -> kube::Result<Inner> {
        let watched = Watched::new(retry::direct(target.connection.clone())?);
        target.client = watched.noticing(target.client);
        let reads = watched.reading(target.client.clone());
        let reports = record.path().with_file_name("reports");
        let record = Arc::new(Mutex::new(record));
        let rules = Rules { mesh_wide: options.allow_mesh_config };
        let client = Scribe::client(target.client.clone(), record.clone(), rules);
        let (marks, controls) = (tokio::sync::Mutex::default(), tokio::sync::Mutex::default());
        let (notes, istioctl, known) = (Vec::new(), None, true);
        Ok(Inner { name, target, client, reads, record, notes, reports, options, istioctl, known, marks, controls })
    }
}

impl Cluster {
    /// Connects to a context of the user's kubeconfigs and opens the record of what the lab's runs made there. Writes nothing.
    ///
    /// # Errors
    /// There is no such context, the server does not answer, another run works there.
    pub async fn open(paths: &Paths, context: &str, options: Options) -> anyhow::Result<Cluster> {
        Cluster::on(paths, &format!("context:{context}"), named_context(context).await?, options).await
    }

    /// The same for a target that is known already; `name` is what people call the environment.
    ///
    /// # Errors
    /// As [`Cluster::open`].
    pub async fn on(paths: &Paths, name: &str, target: Target, options: Options) -> anyhow::Result<Cluster> {
        let identity = identity(&target.client).await.with_context(|| format!("asking the cluster of {name}"))?;
        let mut record = Record::open(&paths.cluster(name))?;
        let mut notes = Vec::new();
        if let Some(here) = identity.as_deref().filter(|here| record.cluster() != Some(*here)) {
            if record.cluster().is_some() {
                let aside = record.put_aside()?;
                notes.push(format!(
                    "{name} is another cluster than last time; the record of that one is kept in {}",
                    aside.display()
                ));
            }
            record.begin(here)?;
        }
        if !record.is_empty() {
            let made = crate::base::text::count(record.made().len(), "object");
            notes.push(format!("an earlier run left {made} on {name}; they are known and go with the next cleanup"));
        }
        let istioctl = match is_sandbox(&target.client).await {
            true => None,
            false => Some(OwnIstioctl {
                tools: Arc::new(Host::new(Some(paths.tools_log()), CancellationToken::new())),
                kubeconfigs: target.files().to_vec(),
                context: target.config.current.clone(),
                allowed: options.allow_mesh_config,
            }),
        };
        let inner = Inner::new(name.into(), target, record, options)?;
        Ok(Cluster(Arc::new(Inner { notes, istioctl, known: identity.is_some(), ..inner })))
    }

    /// Looks at the cluster of a context on which another process may have a lesson open: what is made there is known, nothing can be
    /// written.
    ///
    /// # Errors
    /// As [`Cluster::open`].
    pub async fn visit(paths: &Paths, context: &str, options: Options) -> anyhow::Result<Cluster> {
        let name = format!("context:{context}");
        let target = named_context(context).await?;
        let record = Record::look(&paths.cluster(&name))?;
        let here = identity(&target.client).await.with_context(|| format!("asking the cluster of {name}"))?;
        let here = here.context(UNKNOWN)?;
        if record.cluster().is_none_or(|known| known != here) {
            bail!("no lesson was begun on {name}: `egress-lab learn LESSON --env {name}` begins one");
        }
        // Whoever has the lesson open has placed them and takes care of them; where nobody has, placing is refused and says why.
        let has_controls = record.made().iter().any(is_control);
        let controls = tokio::sync::Mutex::new(if has_controls { Controls::Joined } else { Controls::Missing });
        Ok(Cluster(Arc::new(Inner { controls, ..Inner::new(name, target, record, options)? })))
    }

    /// What people should know before they begin.
    pub fn notes(&self) -> &[String] {
        &self.0.notes
    }

    /// Refuses to go on where this user may not see which cluster it is.
    ///
    /// # Errors
    /// The sentence for that.
    pub fn must_be_known(&self) -> anyhow::Result<()> {
        if self.0.known { Ok(()) } else { bail!(UNKNOWN) }
    }

    /// The connection.
    pub fn target(&self) -> &Target {
        &self.0.target
    }

    /// How it is used.
    pub fn options(&self) -> Options {
        self.0.options
    }

    /// What the lab made and changed here.
    pub fn record(&self) -> MutexGuard<'_, Record> {
        self.0.record.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Where that is written down.
    pub fn record_path(&self) -> PathBuf {
        self.record().path().to_path_buf()
    }

    fn sweeper(&self) -> Sweeper<'_> {
        Sweeper { client: &self.0.target.client, record: &self.0.record }
    }

    fn keeper(&self) -> Keeper<'_> {
        Keeper { client: &self.0.client, sweeper: self.sweeper() }
    }

    /// Notes what is where the lesson will write, so that what comes from elsewhere can be told later.
    ///
    /// # Errors
    /// The server cannot be read, or the record cannot be written.
    pub async fn watch(&self, plan: &plan::Plan) -> anyhow::Result<()> {
        self.must_be_known()?;
        // Kinds without a namespace are everybody's: what appears there says nothing about this lesson.
        let places = plan.fresh.iter().chain(&plan.applied).chain(&plan.changed).filter(|place| !place.is_cluster_scoped());
        strangers::note(&self.0.target.client, &self.0.record, places.map(|place| place.named(""))).await
    }

    /// What appeared since where lessons work, and was not made by the lab.
    ///
    /// # Errors
    /// The server cannot be read.
    pub async fn strangers(&self) -> anyhow::Result<Vec<Made>> {
        strangers::found(&self.0.target.client, &self.0.record).await
    }

    /// Takes strangers for the lab's own from now on: somebody has said that they may go.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn adopt(&self, strangers: Vec<Made>) -> anyhow::Result<()> {
        let mut record = self.record();
        strangers.into_iter().try_for_each(|made| record.makes(made))
    }

    /// What requests whose answer was lost may have made and is there: to be asked about.
    ///
    /// # Errors
    /// The server cannot be read, or the record cannot be written.
    pub async fn doubtful(&self) -> anyhow::Result<Vec<Made>> {
        let intended = self.record().intended().to_vec();
        let mut found = Vec::new();
        for (place, _) in intended {
            let there = if place.name.is_empty() { None } else { read(&self.0.target.client, &place).await? };
            match there {
                Some(object) if !self.is_ours(meta(&object, "uid")) => {
                    let kind = text(&object["kind"]).to_string();
                    let uid = meta(&object, "uid").to_string();
                    found.push(Made { place, kind, uid, body: serde_json::Value::Null });
                }
                _ => self.record().nothing(&place)?,
            }
        }
        Ok(found)
    }

    /// Removes everything that is recorded and puts back what was changed.
    ///
    /// # Errors
    /// The server cannot be reached, or the record cannot be written.
    pub async fn cleanup(&self) -> anyhow::Result<Swept> {
        *self.0.controls.lock().await = Controls::Missing;
        self.sweeper().sweep(|_| false).await
    }

    /// Removes the lesson's objects and keeps the control workloads.
    ///
    /// # Errors
    /// As [`Cluster::cleanup`].
    pub async fn to_base(&self) -> anyhow::Result<Swept> {
        self.sweeper().sweep(is_control).await
    }

    /// Removes the control workloads and nothing else.
    ///
    /// # Errors
    /// As [`Cluster::cleanup`].
    pub async fn remove_controls(&self) -> anyhow::Result<Swept> {
        *self.0.controls.lock().await = Controls::Missing;
        let made = self.record().made().to_vec();
        let mut swept = Swept::default();
        self.sweeper().delete_all(made.into_iter().filter(is_control).collect(), &mut swept).await?;
        Ok(swept)
    }

    /// Puts the control workloads there, once, and waits until they run; once Istio is there, the echo gets its sidecar.
    ///
    /// # Errors
    /// The server refuses, or they do not start.
    pub async fn place_controls(&self) -> anyhow::Result<()> {
        let mut controls = self.0.controls.lock().await;
        if *controls == Controls::Missing {
            self.place_missing_controls().await?;
            *controls = Controls::Placed;
        }
        if *controls == Controls::Placed && echo::joins(&self.0.target.client).await? {
            *controls = Controls::Joined;
        }
        Ok(())
    }

    async fn place_missing_controls(&self) -> anyhow::Result<()> {
        for object in controls::objects() {
            crate::lab::env::place_missing(&self.0.client, &object).await.context("placing the control workloads")?;
        }
        waiting::for_controls(&self.0.target).await
    }

    /// Removes the lesson's objects and makes its start, with these files.
    ///
    /// # Errors
    /// Something of an earlier run cannot be removed, or the server refuses.
    pub async fn begin_anew(&self, lesson: &Lesson, files: &dyn Files) -> anyhow::Result<()> {
        let swept = self.to_base().await?;
        if let Some((what, why)) = swept.left.first() {
            bail!("the lesson's start cannot be made: {what} {why}");
        }
        self.place_controls().await?;
        let env: Arc<dyn Environment> = Arc::new(self.clone());
        start::prepare(&env, lesson, files).await
    }

    async fn build(&self, lesson: &Lesson, step: usize) -> anyhow::Result<()> {
        let files: Arc<dyn Files> = Arc::new(MemoryFiles::default());
        self.begin_anew(lesson, &*files).await?;
        actions::to_start_of(&Prompt::new(Arc::new(self.clone()), files, None), lesson, step).await
    }
}

/// How far the control workloads are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Controls {
    #[default]
    Missing,
    /// They run; the echo may have been made before Istio.
    Placed,
    /// The echo has its sidecar.
    Joined,
}

/// Whether the lab made it for its controls.
fn is_control(made: &Made) -> bool {
    made.place.namespace == controls::NAMESPACE || (made.place.plural == "namespaces" && made.place.name == controls::NAMESPACE)
}

const UNKNOWN: &str = "you may not get namespaces kube-system: the lab tells one cluster from another by its uid";

/// What tells one cluster from another: the uid of its first namespace. `None` where this user may not see it.
async fn identity(client: &kube::Client) -> anyhow::Result<Option<String>> {
    let place = Place::all("", "v1", "namespaces").named("kube-system");
    let found = match read(client, &place).await {
        Err(error) if matches!(error.downcast_ref(), Some(kube::Error::Api(status)) if status.code == 403) => return Ok(None),
        found => found?.context("the cluster has no namespace kube-system")?,
    };
    Ok(Some(found["metadata"]["uid"].as_str().context("namespace kube-system has no uid")?.to_string()))
}

impl Environment for Cluster {
    fn name(&self) -> String {
        self.0.name.clone()
    }

    fn own_istioctl(&self) -> Option<&OwnIstioctl> {
        self.0.istioctl.as_ref()
    }

    fn url(&self) -> Option<String> {
        Some(self.0.target.connection.cluster_url.to_string())
    }

    fn client(&self) -> kube::Client {
        self.0.client.clone()
    }

    fn probe(&self, controls: bool) -> BoxFuture<'_, anyhow::Result<Probe>> {
        Box::pin(async move {
            if controls {
                self.place_controls().await?;
            }
            Ok(Probe { client: self.0.reads.clone(), revision: None })
        })
    }

    fn look(&self, revision: Option<u64>) -> BoxFuture<'_, anyhow::Result<Probe>> {
        Box::pin(async move {
            match revision {
                Some(_) => bail!("a cluster keeps no earlier states to look at"),
                None => Ok(Probe { client: self.0.reads.clone(), revision: None }),
            }
        })
    }

    fn patience(&self) -> Patience {
        match self.0.options.within {
            None => Patience::CLUSTER,
            Some(within) => Patience { within, poll: (within / 4).clamp(50, 1_000), most: within, settled: false },
        }
    }

    fn restless(&self) -> Option<&dyn Restless> {
        Some(self)
    }

    fn is_ours(&self, uid: &str) -> bool {
        self.record().is_ours(uid)
    }

    fn settled(&self) -> BoxFuture<'_, bool> {
        Box::pin(async { false })
    }

    fn checkpoint(&self) -> BoxFuture<'_, anyhow::Result<Checkpoint>> {
        Box::pin(async {
            let mark = Arc::new(self.keeper().mark().await?);
            let mut marks = self.0.marks.lock().await;
            marks.push(mark);
            Ok(Checkpoint(marks.len() as u64 - 1))
        })
    }

    fn reset<'a>(&'a self, to: &'a Checkpoint) -> BoxFuture<'a, anyhow::Result<()>> {
        Box::pin(async move {
            let mark = self.0.marks.lock().await.get(to.0 as usize).cloned();
            self.keeper().reset(&*mark.context("that state was never marked")?).await
        })
    }

    fn rebuild<'a>(&'a self, lesson: &'a Lesson, step: usize) -> BoxFuture<'a, anyhow::Result<()>> {
        Box::pin(self.build(lesson, step))
    }

    fn fault<'a>(&'a self, _fault: &'a Fault) -> BoxFuture<'a, anyhow::Result<()>> {
        Box::pin(async {
            bail!("the outside world of a cluster is as it is: this step breaks a name or a site, and is for the sandbox")
        })
    }

    fn now(&self) -> BoxFuture<'_, Time> {
        Box::pin(async { SystemClock.now() })
    }

    fn wait(&self, ms: u64) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(ms)))
    }

    fn kubeconfig(&self) -> Option<PathBuf> {
        None
    }
}

impl Restless for Cluster {
    fn mark(&self) -> BoxFuture<'_, Option<u64>> {
        Box::pin(async {
            let mark = SystemClock.now().0.unsigned_abs();
            // Without it checks wait for their time.
            marker::apply(&self.0.client, mark).await.ok().map(|()| mark)
        })
    }

    fn in_force<'a>(&'a self, mark: u64, from: &'a [&'a Workload]) -> BoxFuture<'a, bool> {
        Box::pin(async move { marker::in_force(&self.0.reads, mark, from).await.unwrap_or(false) })
    }

    fn unmark(&self, mark: u64) -> BoxFuture<'_, ()> {
        // What stays behind is in the record and goes with the control workloads.
        Box::pin(async move { drop(marker::remove(&self.0.client, mark).await) })
    }

    fn disagreed<'a>(&'a self, finding: &'a Finding) -> BoxFuture<'a, Option<String>> {
        Box::pin(async move {
            let kept = report::write(&self.0.reports, &self.0.target.client, &self.0.name, finding).await;
            match kept {
                Ok(path) => {
                    path.map(|path| format!("What was seen and what the model says differ; both are in {}.", path.display()))
                }
                Err(error) => {
                    Some(format!("What was seen and what the model says differ; that could not be kept: {}.", line(&error)))
                }
            }
        })
    }
}
