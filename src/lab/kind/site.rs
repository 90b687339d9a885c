//! The building site: the state folder, its journal, the engine, and how commands are run and told.

use super::coredns;
use super::engine::Engine;
use super::journal::{Journal, Phase, Thing};
use super::pins::{CLUSTER, NODE};
use crate::lab::tools::{self, Failure, Line, News, Ran, Tools};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Commands that only look answer in less.
pub(super) const LOOK: Duration = Duration::from_secs(20);

/// What is told to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told<'a> {
    /// A phase: its number, how many there are, whether it was finished by an earlier run.
    Phase { nth: usize, of: usize, phase: Phase, finished: bool },
    /// A command that is about to run.
    Command(&'a str),
    /// A line of its output.
    Output(&'a str),
    /// A sentence of ours.
    Note(&'a str),
}

/// Who is told.
pub type Say<'a> = &'a mut (dyn FnMut(Told<'_>) + Send);

/// Why something of the lab's kind cluster could not be made or removed.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error("{0}")]
    Tool(#[from] Failure),
    #[error("{path}: {source}")]
    File { path: String, source: io::Error },
    /// Something of that name that this state folder did not make.
    #[error("{0}")]
    Foreign(String),
    #[error("the cluster's DNS is left as it is: {0}")]
    Dns(#[from] coredns::Refusal),
    #[error("{0}")]
    Unexpected(String),
    #[error("another `egress-lab kind` is at work on {0}; wait for it, or stop it with Ctrl-C there")]
    Busy(String),
}

impl Trouble {
    /// Whether somebody pressed Ctrl-C.
    pub fn is_interrupt(&self) -> bool {
        matches!(self, Trouble::Tool(Failure::Interrupted { .. }))
    }
}

/// Everything that a phase works with.
pub struct Site<'a> {
    pub tools: &'a dyn Tools,
    pub folder: PathBuf,
    pub journal: Journal,
    pub engine: Engine,
    /// How long a command that pulls, builds or installs may take.
    pub patience: Duration,
    pub say: Say<'a>,
    /// Held for as long as the site is there.
    _lock: File,
}

/// A container as the engine knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    pub id: String,
    pub status: String,
    pub is_ours: bool,
}

/// The journal of a state folder, and the lock that keeps a second run out.
///
/// # Errors
/// [`Trouble::Busy`], [`Trouble::File`].
pub fn enter(folder: &Path) -> Result<(Journal, File), Trouble> {
    let file = |source| Trouble::File { path: folder.display().to_string(), source };
    crate::base::files::make_private(folder).map_err(file)?;
    let lock = File::options().create(true).write(true).truncate(false).open(folder.join("lock")).map_err(file)?;
    match lock.try_lock() {
        Ok(()) => Ok((Journal::open(folder).map_err(file)?, lock)),
        Err(std::fs::TryLockError::WouldBlock) => Err(Trouble::Busy(folder.display().to_string())),
        Err(std::fs::TryLockError::Error(e)) => Err(file(e)),
    }
}

impl<'a> Site<'a> {
    pub fn new(
        tools: &'a dyn Tools,
        (folder, engine, patience): (&Path, Engine, Duration),
        (journal, lock): (Journal, File),
        say: Say<'a>,
    ) -> Site<'a> {
        Site { tools, folder: folder.into(), journal, engine, patience, say, _lock: lock }
    }

    /// A path in the state folder.
    pub fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    pub fn note(&mut self, text: &str) {
        (self.say)(Told::Note(text));
    }

    /// Runs a line that has to end well; people see it and its output.
    pub async fn run(&mut self, line: Line) -> Result<Ran, Trouble> {
        let say = &mut *self.say;
        let mut ear = |news: News<'_>| match news {
            News::Command(line) => say(Told::Command(line)),
            News::Out(line) | News::Err(line) => say(Told::Output(line)),
        };
        Ok(tools::must(self.tools, &line, &mut ear).await?)
    }

    /// A line that may take long.
    pub async fn work(&mut self, line: Line) -> Result<Ran, Trouble> {
        let patience = self.patience;
        self.run(line.within(patience)).await
    }

    /// The engine with these arguments, which may take long.
    pub async fn engine(&mut self, args: Vec<String>) -> Result<Ran, Trouble> {
        let line = self.engine.line(args);
        self.work(line).await
    }

    /// kind with these arguments, which may take long.
    pub async fn kind(&mut self, args: &[&str]) -> Result<Ran, Trouble> {
        let line = self.engine.kind(words(args));
        self.work(line).await
    }

    /// What a line that only looks prints.
    pub async fn ask(&self, line: Line) -> Result<String, Trouble> {
        Ok(tools::ask(self.tools, line.within(LOOK)).await?)
    }

    /// The node's own kubectl, with something to read.
    pub fn kubectl(&self, args: &[&str], stdin: &[u8]) -> Line {
        let mut argv = words(&["exec"]);
        if !stdin.is_empty() {
            argv.push("--interactive".into());
        }
        argv.extend(words(&[NODE, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf"]));
        argv.extend(words(args));
        self.engine.line(argv).stdin(stdin)
    }

    /// Looks for a container; `None` when there is none of that name.
    pub async fn container(&self, name: &str) -> Result<Option<Container>, Trouble> {
        let format = r#"{{.Id}} {{.State.Status}} {{index .Config.Labels "io.github.egress-lab"}}"#;
        let line = self.engine.line(words(&["inspect", "--type", "container", "--format", format, name]));
        let text = match tools::ask(self.tools, line.within(LOOK)).await {
            Ok(text) => text,
            Err(Failure::Ended { stderr, .. }) if says_no_such(&stderr) => return Ok(None),
            Err(failure) => return Err(failure.into()),
        };
        let mut words = text.split_whitespace();
        let (id, status) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        Ok(Some(Container { id: id.into(), status: status.into(), is_ours: words.next() == Some("kind") }))
    }

    /// Whether the engine has an image.
    pub async fn has_image(&self, image: &str) -> Result<bool, Trouble> {
        let line = self.engine.line(words(&["image", "inspect", "--format", "{{.Id}}", image]));
        match tools::ask(self.tools, line.within(LOOK)).await {
            Ok(_) => Ok(true),
            Err(Failure::Ended { .. }) => Ok(false),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Whether a kind cluster of the lab's name is there.
    pub async fn has_cluster(&self) -> Result<bool, Trouble> {
        let clusters = self.ask(self.engine.kind(words(&["get", "clusters"]))).await?;
        Ok(clusters.lines().any(|line| line.trim() == CLUSTER))
    }

    /// Writes a file of the state folder.
    pub fn write(&self, name: &str, text: &str) -> Result<(), Trouble> {
        std::fs::write(self.folder.join(name), text).map_err(|source| Trouble::File { path: self.path(name), source })
    }

    /// Removes a file or folder of the state folder, if it is there.
    pub fn clear(&self, name: &str) -> Result<(), Trouble> {
        let path = self.folder.join(name);
        let end = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        match end {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Trouble::File { path: self.path(name), source }),
            _ => Ok(()),
        }
    }

    /// Notes in the journal.
    pub fn noted(&mut self, write: impl FnOnce(&mut Journal) -> io::Result<()>) -> Result<(), Trouble> {
        let path = self.journal.path().display().to_string();
        write(&mut self.journal).map_err(|source| Trouble::File { path, source })
    }

    /// Pulls an image that is not there, and notes that it was.
    pub async fn pull(&mut self, image: &str) -> Result<(), Trouble> {
        if self.has_image(image).await? {
            return Ok(());
        }
        let thing = Thing::Image(image.into());
        self.noted(|journal| journal.making(&thing))?;
        self.engine(words(&["pull", image])).await?;
        self.noted(|journal| journal.made(&thing, ""))
    }
}

/// What docker ("No such container") and podman ("no such container") say of what is not there.
pub(super) fn says_no_such(stderr: &[String]) -> bool {
    stderr.iter().any(|line| line.to_lowercase().contains("no such"))
}

pub(super) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}
