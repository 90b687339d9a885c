//! Opens a lesson for a learner: the saved world, the lab's folder, the journal, a session and its driver.

use crate::base::clock::SystemClock;
use crate::base::files::{Files, Folder, MemoryFiles};
use crate::base::io::Editor;
use crate::base::paths::Paths;
use crate::base::seed::Seed;
use crate::lab::driver::{Driver, Parts};
use crate::lab::env::Environment;
use crate::lab::env::sandbox::{Refusal, Serve, Served, serve_new, serve_saved};
use crate::lab::prompt::Prompt;
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
    pub editor: Option<Arc<dyn Editor>>,
    /// Columns and rows of the output.
    pub terminal: Option<(u16, u16)>,
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
    let mut notes = Vec::new();
    let (served, files) = world(paths, &wanted, &mut notes).await?;
    let journal = journal(paths).map_err(|note| notes.push(note)).ok();
    let summary = journal.as_ref().map(Journal::summary).unwrap_or_default();
    let env: Arc<dyn Environment> = Arc::new(served.sandbox);
    start::prepare(&env.client(), &wanted.lesson, &*files).await?;
    if let Some(step) = wanted.from {
        env.rebuild(&wanted.lesson, step).await?;
    }
    let options = Options { auto_advance: false, unsaved: journal.is_none(), from: wanted.from };
    let session = Session::new(wanted.lesson.clone(), &summary, options);
    let prompt = Prompt::new(env, files.clone(), wanted.editor);
    let clock = Arc::new(SystemClock);
    let parts = Parts { lesson: wanted.lesson, prompt, seed: Seed::fresh(), journal, clock, terminal: wanted.terminal };
    let (driver, events) = Driver::new(parts);
    Ok(Opened { session, driver, events, notes, kubeconfig: served.kubeconfig, files })
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
    let files: Arc<dyn Files> = match Folder::open(&paths.files(&wanted.world)) {
        Ok(folder) => Arc::new(folder),
        Err(error) => {
            notes.push(format!("the lab's folder cannot be used ({error}); files are kept in memory only"));
            Arc::new(MemoryFiles::default())
        }
    };
    Ok((served, files))
}
