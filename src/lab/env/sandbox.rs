//! The built-in environment: a sandbox world with the mesh model as its network and Istio's control plane behind the sandbox's
//! traits. The only place that knows both.

mod dataplane;
mod door;
mod past;
mod proxy_ports;
pub mod rebuild;
pub mod istiod;
pub mod text;

use self::dataplane::MeshNetwork;
use crate::base::clock::{Clock, SystemClock, Time};
use crate::base::outcome::Outcome;
use crate::base::paths::Paths;
use crate::base::seed::Seed;
use crate::k8s::{Object, Snapshot};
use crate::lab::env::{Checkpoint, Environment, Happened, Probe, place_controls, wait_settled};
use crate::lesson::model::{Fault, Lesson};
use crate::outside::{Faults, OriginFault};
use crate::sandbox::serve::{self, Folder, Handle, Identity, Local, Scratch, Server};
use crate::sandbox::world::{Config, World};
use crate::sandbox::{Pace, Parts};
use crate::session::desk::timeline::{Moment, Past};
use anyhow::{Context, bail};
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a world cannot be opened or served.
pub type Refusal = serve::Error;

/// How a new world is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Make {
    pub seed: Seed,
    pub pace: Pace,
}

impl Make {
    /// A logical clock, everything happens at once: for `run`, `prove` and tests.
    pub fn instant(seed: Seed) -> Make {
        Make { seed, pace: Pace::Instant }
    }
}

/// The network's answers bent on purpose, to see whether checks notice (tests and `prove`'s own proofs).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bend {
    #[default]
    Honest,
    /// Everything that has an origin is delivered.
    DeliverEverything,
    /// Nothing gets out.
    BlockEverything,
}

/// How a world is served to other programs.
#[derive(Debug, Clone, Copy)]
pub struct Serve {
    /// 0 takes a free one.
    pub port: u16,
    pub seed: Seed,
    /// A logical clock.
    pub instant: bool,
    /// Transitions take as long as on a cluster.
    pub real_time: bool,
}

impl Serve {
    /// The pace that the flags mean.
    pub fn pace(&self) -> Pace {
        match self.instant {
            true => Pace::Instant,
            false => Pace::Wall { real_time: self.real_time },
        }
    }
}

/// A served world, and where other programs find it.
pub struct Served {
    pub sandbox: Sandbox,
    pub url: String,
    pub kubeconfig: PathBuf,
    /// For KUBECACHEDIR: kubectl caches discovery per host and port.
    pub cache: PathBuf,
    /// The port that was kept from last time is taken by another program.
    pub moved: bool,
    /// What the state folder's file system lacks, what is done about it, and other things that are not as usual.
    pub warnings: Vec<String>,
}

/// Serves a new, unsaved world; its kubeconfig lies in a folder of its own that goes with it.
///
/// # Errors
/// The port is in use, or no folder can be written.
pub async fn serve_new(paths: &Paths, options: Serve) -> Result<Served, serve::Error> {
    let scratch = Scratch::make(&paths.runtime())?;
    let folder = scratch.path().to_path_buf();
    let mut served = serve_in(&folder, options, serve::Limits::default().shared_by(1, open_files())).await?;
    served.sandbox.scratch = Some(scratch);
    Ok(served)
}

/// How many files this process may have open.
pub fn open_files() -> Option<usize> {
    serve::open_files().map(|(now, _)| now)
}

async fn serve_in(folder: &Path, options: Serve, limits: serve::Limits) -> Result<Served, serve::Error> {
    let identity = Identity::fresh(SystemClock.now())?;
    let handle = spawn(world(Make { seed: options.seed, pace: options.pace() }, Bend::Honest), None);
    let kubeconfig = folder.join("kubeconfig");
    Served::start(handle, &identity, serve::Options { port: options.port, kubeconfig, limits }).await
}

/// Several unsaved worlds in this process, each with its own port, credential and kubeconfig.
pub struct Several {
    /// By name.
    pub worlds: Vec<(String, Served)>,
    /// For KUBECACHEDIR: kubectl keeps what it learns by host and port, so one folder does for all.
    pub cache: PathBuf,
    _scratch: Scratch,
}

/// Serves so many new worlds, named by a prefix and a number. With a port the first world has it, the others the ones after it.
///
/// # Errors
/// A port is in use, or no folder can be written.
pub async fn serve_several(paths: &Paths, prefix: &str, count: u16, options: Serve) -> Result<Several, serve::Error> {
    let scratch = Scratch::make(&paths.runtime())?;
    let limits = serve::Limits::default().shared_by(usize::from(count), open_files());
    let mut worlds = Vec::new();
    for n in 0..count {
        let name = format!("{prefix}-{}", n + 1);
        let folder = scratch.path().join(&name);
        let port = if options.port == 0 { 0 } else { options.port.saturating_add(n) };
        let seed = Seed(options.seed.0.wrapping_add(u64::from(n)));
        worlds.push((name, serve_in(&folder, Serve { port, seed, ..options }, limits).await?));
    }
    Ok(Several { worlds, cache: scratch.path().join("cache"), _scratch: scratch })
}

/// Serves the saved world of this name, a new one when there is none; at wall pace, on the port of last time if that is free.
///
/// # Errors
/// Another process holds it, the folder cannot be written, the port that was asked for is in use.
pub async fn serve_saved(paths: &Paths, name: &str, options: Serve) -> Result<Served, serve::Error> {
    let path = paths.world(name);
    let (folder, saved) = Folder::open(&path)?;
    let mut warnings = folder.warnings().to_vec();
    let (private, scratch) = private_folder(paths, name, &folder, &mut warnings)?;
    let identity = Identity::kept_in(&private, SystemClock.now())?;
    let last = folder.port().unwrap_or(0);
    let (pace, now) = (options.pace(), SystemClock.now());
    let world = match saved {
        Some((saved, records)) => {
            let seed = Seed(saved.seed);
            World::restore(saved, records, pace, now, parts(seed, Bend::Honest))
        }
        None => world(Make { seed: options.seed, pace }, Bend::Honest),
    };
    let handle = spawn(world, Some(folder));
    let wanted = if options.port == 0 { last } else { options.port };
    let kubeconfig = private.join("kubeconfig");
    let place = |port| serve::Options { port, kubeconfig: kubeconfig.clone(), ..Default::default() };
    let mut served = match Served::start(handle.clone(), &identity, place(wanted)).await {
        Err(serve::Error::PortInUse { .. }) if options.port == 0 => {
            Served { moved: true, ..Served::start(handle, &identity, place(0)).await? }
        }
        served => served?,
    };
    paths.note_kubeconfig(name, &kubeconfig);
    served.sandbox.scratch = scratch;
    served.warnings.extend(warnings);
    if let Some(port) = served.sandbox.port() {
        Folder::remember_port(&path, port)?;
    }
    Ok(served)
}

/// Where the credentials of a saved world lie: beside the world, or with the user's runtime files when the world's file system cannot
/// keep them from others.
fn private_folder(
    paths: &Paths,
    name: &str,
    folder: &Folder,
    warnings: &mut Vec<String>,
) -> Result<(PathBuf, Option<Scratch>), serve::Error> {
    if folder.is_private() {
        return Ok((folder.path().to_path_buf(), None));
    }
    let (private, scratch) = serve::private_place(&paths.runtime(), &format!("worlds/{name}"))?;
    warnings.push(format!(
        "{} cannot keep files from other users; the kubeconfig is at {}",
        folder.path().display(),
        private.join("kubeconfig").display()
    ));
    Ok((private, scratch))
}

/// A throw-away world at instant pace behind HTTPS; its folder goes with it.
pub struct ThrowAway {
    pub env: Arc<Sandbox>,
}

/// Makes a throw-away world that imitates this Istio release ("" for the default).
///
/// # Errors
/// No port, or the temporary folder cannot be written.
pub async fn throw_away(seed: Seed, istio: &str) -> Result<ThrowAway, serve::Error> {
    let options = Serve { port: 0, seed, instant: true, real_time: false };
    let served = serve_new(&Paths::from_environment(), options).await?;
    Ok(ThrowAway { env: Arc::new(served.sandbox.imitating(istio)) })
}

impl Served {
    async fn start(handle: Handle, identity: &Identity, place: serve::Options) -> Result<Served, serve::Error> {
        let kubeconfig = place.kubeconfig.clone();
        let server = Server::start(handle.clone(), identity, &place).await?;
        let url = format!("https://{}", server.address());
        let through = door::through();
        let door = through.map_or_else(|| url.clone(), |address| format!("https://{address}"));
        let client = door::https_client(identity, &door).map_err(|e| serve::Error::Certificate(e.to_string()))?;
        let sandbox = Sandbox { client, server: Some(server), kubeconfig: Some(kubeconfig.clone()), ..Sandbox::on(handle) };
        let cache = kubeconfig.with_file_name("cache");
        let warnings = through.map(door::through_note).into_iter().collect();
        Ok(Served { url, kubeconfig, cache, sandbox, moved: false, warnings })
    }
}

fn spawn(world: World, folder: Option<Folder>) -> Handle {
    Handle::spawn(world, Arc::new(SystemClock), folder)
}

/// The sandbox as an environment.
pub struct Sandbox {
    handle: Handle,
    client: kube::Client,
    server: Option<Server>,
    kubeconfig: Option<PathBuf>,
    /// The folder of an unsaved world, removed with it.
    scratch: Option<Scratch>,
    /// The Istio release that `istioctl install` brings; "" for the default.
    istio: String,
    /// The newest probe base: the revision it was made from, and the frozen world with the control workloads in it.
    base: tokio::sync::Mutex<Option<(u64, Handle)>>,
}

/// A new world in its start state.
pub fn world(make: Make, bend: Bend) -> World {
    let start = match make.pace {
        Pace::Wall { .. } => SystemClock.now(),
        _ => Time::LOGICAL_START,
    };
    world_at(make.seed, make.pace, start, bend)
}

fn world_at(seed: Seed, pace: Pace, start: Time, bend: Bend) -> World {
    World::new(Config { seed, pace, start }, parts(seed, bend))
}

/// What a world is built with.
fn parts(seed: Seed, bend: Bend) -> Parts {
    Parts {
        dataplane: Box::new(MeshNetwork::new(seed, bend)),
        webhooks: istiod::webhooks(),
        controllers: istiod::controllers(),
        programs: istiod::programs(),
    }
}

impl Sandbox {
    /// A world that only this process reaches, without a socket. To be called inside a runtime.
    pub fn in_process(make: Make, bend: Bend) -> Sandbox {
        Sandbox::on(spawn(world(make, bend), None))
    }

    /// An environment on a world that runs already, without a socket.
    pub fn on(handle: Handle) -> Sandbox {
        let client = kube::Client::new(Local::new(handle.clone()), "default");
        let (istio, base) = (String::new(), tokio::sync::Mutex::default());
        Sandbox { handle, client, server: None, kubeconfig: None, scratch: None, istio, base }
    }

    /// The same, imitating this Istio release (`1.26`; "" for the default).
    pub fn imitating(self, istio: &str) -> Sandbox {
        Sandbox { istio: istio.into(), ..self }
    }

    /// The same, its own client being wrapped (to watch what goes through it).
    pub fn reached_through(self, wrap: impl FnOnce(kube::Client) -> kube::Client) -> Sandbox {
        let client = wrap(self.client.clone());
        Sandbox { client, ..self }
    }

    /// The port, if it is served.
    pub fn port(&self) -> Option<u16> {
        self.server.as_ref().map(|server| server.address().port())
    }

    /// The world's task.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// An independent environment at the head, at instant pace, without a socket.
    ///
    /// # Errors
    /// When the world is gone.
    pub async fn fork_instant(&self) -> anyhow::Result<Sandbox> {
        Ok(Sandbox::on(self.fork_handle(Pace::Instant).await?).imitating(&self.istio))
    }

    /// Every object as text by its key, without versions and the times of managed fields: what "reset exactly" compares.
    ///
    /// # Errors
    /// When the world is gone.
    pub async fn state(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let snapshot = self.handle.snapshot().await?;
        Ok(snapshot.all().map(|object| (format!("{} {}", object.key().kind, object.key()), comparable(object))).collect())
    }

    /// Brings a state in that [`Environment::whole`] gave, as new revisions.
    ///
    /// # Errors
    /// It is no state of a world.
    pub async fn take_over(&self, whole: serde_json::Value) -> anyhow::Result<()> {
        let saved = serde_json::from_value(whole).context("the file holds no state of a sandbox world")?;
        self.handle.with(move |world| world.adopt_saved(saved)).await?;
        Ok(())
    }

    async fn fork_handle(&self, pace: Pace) -> anyhow::Result<Handle> {
        self.handle.fork(None, pace).await?.context("the world's present state is not kept")
    }

    /// The frozen world that probes work on: the head with the control workloads running. Made once per revision.
    async fn probe_base(&self) -> anyhow::Result<(u64, Handle)> {
        let settled = wait_settled(self).await;
        let revision = self.handle.revision().await?;
        let mut base = self.base.lock().await;
        if let Some((made, handle)) = base.as_ref().filter(|(made, _)| *made == revision) {
            return Ok((*made, handle.clone()));
        }
        if !settled {
            return Ok((revision, self.fork_handle(Pace::Frozen).await?));
        }
        let work = Sandbox::on(self.fork_handle(Pace::Instant).await?);
        place_controls(&work.client).await?;
        let frozen = work.fork_handle(Pace::Frozen).await?;
        *base = Some((revision, frozen.clone()));
        Ok((revision, frozen))
    }
}

impl Environment for Sandbox {
    fn name(&self) -> String {
        "sandbox".into()
    }

    fn istio(&self) -> String {
        self.istio.clone()
    }

    fn is_the_labs_own(&self) -> bool {
        true
    }

    fn url(&self) -> Option<String> {
        self.server.as_ref().map(|server| format!("https://{}", server.address()))
    }

    fn client(&self) -> kube::Client {
        self.client.clone()
    }

    fn probe(&self, controls: bool) -> BoxFuture<'_, anyhow::Result<Probe>> {
        Box::pin(async move {
            if !controls {
                wait_settled(self).await;
                return self.look(None).await;
            }
            let (revision, base) = self.probe_base().await?;
            let fork = base.fork(None, Pace::Frozen).await?.context("the probe's world is not kept")?;
            Ok(Probe { client: Sandbox::on(fork).client, revision: Some(revision) })
        })
    }

    fn look(&self, revision: Option<u64>) -> BoxFuture<'_, anyhow::Result<Probe>> {
        Box::pin(async move {
            let head = self.handle.revision().await?;
            let wanted = revision.unwrap_or(head);
            if wanted > head {
                bail!("the world is at revision {head}; {wanted} is still to come");
            }
            let fork = self.handle.fork(Some(wanted), Pace::Frozen).await?;
            let fork = fork.with_context(|| format!("revision {wanted} is no longer kept; the newest is {head}"))?;
            let revision = Some(fork.revision().await?);
            Ok(Probe { client: Sandbox::on(fork).client, revision })
        })
    }

    fn past(&self) -> Past {
        Past::Kept
    }

    fn moments(&self, last: usize) -> BoxFuture<'_, anyhow::Result<Vec<Moment>>> {
        Box::pin(async move {
            let kept = self.handle.with(move |world| world.moments(last)).await?;
            Ok(kept.iter().map(|moment| past::moment(moment)).collect())
        })
    }

    fn kept(&self, last: usize) -> BoxFuture<'_, anyhow::Result<Vec<u64>>> {
        let revisions = move |world: &mut World| world.moments(last).iter().map(|moment| moment.revision).collect();
        Box::pin(async move { Ok(self.handle.with(revisions).await?) })
    }

    fn change(&self, revision: u64) -> BoxFuture<'_, anyhow::Result<Happened>> {
        Box::pin(async move {
            let kept = self.handle.with(move |world| world.moment_at(revision)).await?;
            Ok(past::happened(&*kept.with_context(|| format!("revision {revision} is no longer kept"))?))
        })
    }

    fn objects(&self, revision: Option<u64>) -> BoxFuture<'_, anyhow::Result<(Option<u64>, Snapshot)>> {
        Box::pin(async move {
            let kept = self.handle.with(move |world| world.as_of(revision.unwrap_or_else(|| world.revision()))).await?;
            let (at, objects) = kept.with_context(|| format!("revision {} is no longer kept", revision.unwrap_or(0)))?;
            Ok((Some(at), objects))
        })
    }

    fn keep(&self, revision: u64) -> BoxFuture<'_, anyhow::Result<u64>> {
        Box::pin(async move {
            let kept = self.handle.with(move |world| world.pin_at(revision)).await?;
            kept.with_context(|| format!("revision {revision} is no longer kept"))
        })
    }

    fn saved_at(&self, revision: u64) -> BoxFuture<'_, anyhow::Result<serde_json::Value>> {
        Box::pin(async move {
            let saved = self.handle.with(move |world| world.save_at(revision)).await?;
            Ok(serde_json::to_value(saved.with_context(|| format!("revision {revision} is no longer kept"))?)?)
        })
    }

    fn recall(&self, saved: serde_json::Value) -> BoxFuture<'_, anyhow::Result<()>> {
        Box::pin(async move {
            let saved = serde_json::from_value(saved).context("it holds no state of a sandbox world")?;
            match self.handle.with(move |world| world.recall(saved)).await? {
                true => Ok(()),
                false => bail!("it is not of this world's past"),
            }
        })
    }

    fn whole(&self) -> BoxFuture<'_, anyhow::Result<serde_json::Value>> {
        Box::pin(async { Ok(serde_json::to_value(self.handle.with(|world| world.save()).await?)?) })
    }

    fn revision(&self) -> BoxFuture<'_, Option<u64>> {
        Box::pin(async { self.handle.revision().await.ok() })
    }

    fn settled(&self) -> BoxFuture<'_, bool> {
        Box::pin(async { self.handle.settled().await.unwrap_or(true) })
    }

    fn checkpoint(&self) -> BoxFuture<'_, anyhow::Result<Checkpoint>> {
        Box::pin(async { Ok(Checkpoint(self.handle.pin().await?)) })
    }

    fn reset<'a>(&'a self, to: &'a Checkpoint) -> BoxFuture<'a, anyhow::Result<()>> {
        let revision = to.0;
        Box::pin(async move {
            match self.handle.reset_to(revision).await? {
                true => Ok(()),
                false => bail!("the state to go back to is no longer kept; `--from STEP` builds it anew"),
            }
        })
    }

    fn rebuild<'a>(&'a self, lesson: &'a Lesson, step: usize) -> BoxFuture<'a, anyhow::Result<()>> {
        Box::pin(rebuild::rebuild(self, lesson, step))
    }

    fn fault<'a>(&'a self, fault: &'a Fault) -> BoxFuture<'a, anyhow::Result<()>> {
        let fault = fault.clone();
        Box::pin(async move {
            self.handle
                .with(move |world| dataplane::change_faults(world.dataplane(), |faults| apply_fault(faults, &fault)))
                .await?
        })
    }

    fn now(&self) -> BoxFuture<'_, Time> {
        Box::pin(async { self.handle.now().await.unwrap_or_default() })
    }

    fn wait(&self, ms: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let _ = self.handle.wait(ms).await;
        })
    }

    fn kubeconfig(&self) -> Option<PathBuf> {
        self.kubeconfig.clone()
    }
}

fn comparable(object: &Object) -> String {
    let mut object = object.clone();
    object.remove(&["metadata", "resourceVersion"]);
    if let Some(fields) = object.0["metadata"]["managedFields"].as_array_mut() {
        fields.iter_mut().for_each(|entry| drop(entry.as_object_mut().and_then(|e| e.remove("time"))));
    }
    object.0.to_string()
}

fn apply_fault(faults: &mut Faults, fault: &Fault) {
    match fault {
        Fault::Dns { host, resolves: true } => drop(faults.dns_removed.remove(host)),
        Fault::Dns { host, resolves: false } => drop(faults.dns_removed.insert(host.clone())),
        Fault::Origin { host, port, up: true } => drop(faults.origins.remove(&format!("{host}:{port}"))),
        Fault::Origin { host, port, up: false } => drop(faults.origins.insert(format!("{host}:{port}"), OriginFault::Refuse)),
        _ => (),
    }
}

impl Bend {
    /// What the bent network makes of an outcome.
    fn bends(self, outcome: Outcome) -> bool {
        match self {
            Bend::Honest => false,
            Bend::DeliverEverything => !matches!(outcome, Outcome::Delivered | Outcome::DnsFailed),
            Bend::BlockEverything => matches!(outcome, Outcome::Delivered | Outcome::DeliveredElsewhere),
        }
    }
}
