//! Opens a lesson for a learner: the saved world, the lab's folder, the journal, a session and its driver.

use crate::base::clock::SystemClock;
use crate::base::files::{Files, Folder, MemoryFiles};
use crate::base::io::Editor;
use crate::base::paths::Paths;
use crate::base::seed::Seed;
use crate::lab::desk::timeline::marks::Marks;
use crate::lab::driver::{Driver, Parts};
use crate::lab::env::Environment;
use crate::lab::env::cluster::Cluster;
use crate::lab::env::sandbox::{Refusal, Sandbox, Serve, Served, serve_new, serve_saved};
use crate::lab::own_shell;
use crate::lab::prompt::Prompt;
use crate::lab::share::Shared;
use crate::lab::start;
use crate::lesson::model::Lesson;
use crate::progress::Journal;
use crate::session::{Event, Options, Session};
use anyhow::bail;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What a learner wants to take.
pub struct Wanted {
    pub lesson: Arc<Lesson>,
    /// The saved world's name.
    pub world: String,
    /// Build the state before this step first.
    pub from: Option<usize>,
    pub real_time: bool,
    /// The Istio release that installing brings; "" for the default. What was shared has its own.
    pub istio: String,
    /// Go on from what somebody shared, in a world that is new.
    pub shared: Option<Arc<Shared>>,
    pub editor: Option<Arc<dyn Editor>>,
    /// Columns and rows of the output.
    pub terminal: Option<(u16, u16)>,
    /// Take it on this cluster, whose owner has been asked; `None` is the sandbox.
    pub cluster: Option<Cluster>,
}

/// A lesson that is open. Dropping it ends the server and closes the world's folder.
pub struct Opened {
    pub session: Session,
    pub driver: Driver,
    pub events: mpsc::Receiver<Event>,
    /// What people should know before they begin: one sentence each.
    pub notes: Vec<String>,
    pub kubeconfig: std::path::PathBuf,
    pub files: Arc<dyn Files>,
}

/// The journal of this machine; `Err` is a sentence on why nothing will be saved.
///
/// # Errors
/// The journal cannot be opened for writing.
pub fn journal(paths: &Paths) -> Result<Journal, String> {
    Journal::open(&paths.journal()).map_err(|error| format!("{error}; progress will not be kept"))
}

/// Opens a lesson. To be called inside a runtime.
///
/// # Errors
/// Another process holds the world, no port can be had, the lesson's start cannot be made.
pub async fn open(paths: &Paths, wanted: Wanted) -> anyhow::Result<Opened> {
    match wanted.cluster.clone() {
        Some(cluster) => on_cluster(paths, wanted, cluster).await,
        None => in_sandbox(paths, wanted).await,
    }
}

/// On a cluster: the lab's folder lies beside the record of what is made there.
async fn on_cluster(paths: &Paths, wanted: Wanted, cluster: Cluster) -> anyhow::Result<Opened> {
    let mut notes = Vec::new();
    let folder = paths.cluster(&cluster.name());
    let files = lab_folder(&folder.join("files"), &mut notes);
    let journal = journal(paths).map_err(|note| notes.push(note)).ok();
    let summary = journal.as_ref().map(Journal::summary).unwrap_or_default();
    cluster.place_controls().await?;
    match wanted.from {
        Some(step) => {
            cluster.rebuild(&wanted.lesson, step).await?;
            start::starter_files(&wanted.lesson, &*files)?;
        }
        None => {
            let env: Arc<dyn Environment> = Arc::new(cluster.clone());
            start::prepare(&env, &wanted.lesson, &*files).await?;
        }
    }
    let options = Options { auto_advance: false, unsaved: journal.is_none(), from: wanted.from };
    let mut session = Session::new(wanted.lesson.clone(), &summary, options);
    let prompt = Prompt::new(Arc::new(cluster.clone()), files.clone(), wanted.editor);
    let clock = Arc::new(SystemClock);
    let parts = Parts { lesson: wanted.lesson, prompt, seed: Seed::fresh(), journal, clock, terminal: wanted.terminal };
    let (mut driver, events) = Driver::new(parts);
    driver.hear(cluster.target().tidings.listen());
    let history = folder.join("history");
    session.remember(&crate::lab::history::load(&history));
    driver.keep_history(history);
    let kubeconfig = cluster.target().files().first().cloned().unwrap_or_default();
    Ok(Opened { session, driver, events, notes, kubeconfig, files })
}

async fn in_sandbox(paths: &Paths, wanted: Wanted) -> anyhow::Result<Opened> {
    let mut notes = Vec::new();
    let (served, files) = world(paths, &wanted, &mut notes).await?;
    if wanted.world == wanted.lesson.id {
        notes.push(format!("this lesson has a world of its own; other commands reach it with --world {}", wanted.world));
    }
    // What somebody shared is not noted in one's own progress.
    let journal = match &wanted.shared {
        Some(_) => None,
        None => journal(paths).map_err(|note| notes.push(note)).ok(),
    };
    let own = || journal.as_ref().map(Journal::summary).unwrap_or_default();
    let summary = wanted.shared.as_ref().map_or_else(own, |shared| shared.summary());
    let sandbox = Arc::new(match &wanted.shared {
        Some(shared) => served.sandbox.imitating(&shared.istio),
        None => served.sandbox.imitating(&wanted.istio),
    });
    let env: Arc<dyn Environment> = sandbox.clone();
    match &wanted.shared {
        Some(shared) => notes.extend(resume(&sandbox, shared, &wanted.lesson, &*files).await?),
        None => start::prepare(&env, &wanted.lesson, &*files).await?,
    }
    if let Some(step) = wanted.from {
        env.rebuild(&wanted.lesson, step).await?;
    }
    let options = Options { auto_advance: false, unsaved: journal.is_none(), from: wanted.from };
    let mut session = Session::new(wanted.lesson.clone(), &summary, options);
    let mut prompt = Prompt::new(env.clone(), files.clone(), wanted.editor);
    if files.location().is_some() {
        let (marks, unread) = Marks::kept_in(&paths.bookmarks(&wanted.world), &*env).await;
        prompt.marks = marks;
        notes.extend(unread);
    }
    prompt.own_shell = Some(own_shell::Place {
        folder: files.location(),
        kubeconfig: served.kubeconfig.clone(),
        cache: served.cache.clone(),
        links: paths.state().join("bin"),
    });
    let clock = Arc::new(SystemClock);
    let parts = Parts { lesson: wanted.lesson, prompt, seed: Seed::fresh(), journal, clock, terminal: wanted.terminal };
    let (mut driver, events) = Driver::new(parts);
    if files.location().is_some() {
        let history = paths.history(&wanted.world);
        session.remember(&crate::lab::history::load(&history));
        driver.keep_history(history);
    }
    Ok(Opened { session, driver, events, notes, kubeconfig: served.kubeconfig, files })
}

/// Brings what somebody shared into a world and the lab's folder; what to know about it.
async fn resume(sandbox: &Sandbox, shared: &Shared, lesson: &Lesson, files: &dyn Files) -> anyhow::Result<Vec<String>> {
    match shared.world.is_null() {
        true => bail!("that lab ran on a cluster: there is no world in the file to go on in"),
        false => sandbox.take_over(shared.world.clone()).await?,
    }
    let mut notes = shared.notes(lesson);
    for file in &shared.files {
        if let Err(error) = files.write(&file.name, file.content.as_bytes()) {
            notes.push(format!("a file of the lab could not be written: {error}"));
        }
    }
    Ok(notes)
}

async fn world(paths: &Paths, wanted: &Wanted, notes: &mut Vec<String>) -> anyhow::Result<(Served, Arc<dyn Files>)> {
    let serve = Serve { port: 0, seed: Seed::fresh(), instant: false, real_time: wanted.real_time };
    let served = match serve_saved(paths, &wanted.world, serve).await {
        Ok(served) => served,
        Err(Refusal::Locked { pid, .. }) => bail!(
            "the world {} is open in process {pid}; close that lesson first, or take another world with `--world NAME`",
            wanted.world
        ),
        Err(refusal @ (Refusal::ReadOnly { .. } | Refusal::Io { .. })) => {
            notes.push(format!("{refusal}; the lesson goes on unsaved"));
            let served = serve_new(paths, serve).await?;
            return Ok((served, Arc::new(MemoryFiles::default())));
        }
        Err(refusal) => return Err(refusal.into()),
    };
    notes.extend(served.warnings.iter().cloned());
    if served.moved {
        notes.push(format!("the port of last time is taken; the sandbox is at {} now", served.url));
    }
    let files = lab_folder(&paths.files(&wanted.world), notes);
    Ok((served, files))
}

/// The lab's folder, or files in memory where it cannot be had.
fn lab_folder(path: &std::path::Path, notes: &mut Vec<String>) -> Arc<dyn Files> {
    match Folder::open(path) {
        Ok(folder) => Arc::new(folder),
        Err(error) => {
            notes.push(format!("the lab's folder cannot be used ({error}); files are kept in memory only"));
            Arc::new(MemoryFiles::default())
        }
    }
}
