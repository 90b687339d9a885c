//! What `kind up` has begun, made and finished, on disk before the next thing is done: so that a second run goes on where the first was
//! cut off, and `kind down` removes exactly what was made.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A journal longer than this is none of ours: a run writes some forty lines.
const LONGEST: u64 = 1 << 20;

/// A part of `kind up` that is finished as a whole or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The images of an archive are in the container engine.
    Archive,
    Cluster,
    /// The lab's images are built, and in the node.
    Images,
    Origins,
    Dns,
    Istio,
    /// The kubeconfig is merged into the user's own.
    Merge,
}

impl Phase {
    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Phase::Archive => "load the images of the archive",
            Phase::Cluster => "make the cluster",
            Phase::Images => "build the lab's images and load them into the node",
            Phase::Origins => "start the outside world",
            Phase::Dns => "tell the cluster's DNS the names of the outside world",
            Phase::Istio => "install Istio",
            Phase::Merge => "merge the kubeconfig into your own",
        }
    }
}

/// Something outside the state folder that `kind up` makes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Thing {
    Container(String),
    Cluster(String),
    Image(String),
    /// A context in the user's own kubeconfig.
    Context(String),
}

impl std::fmt::Display for Thing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Thing::Container(name) => write!(f, "container {name}"),
            Thing::Cluster(name) => write!(f, "kind cluster {name}"),
            Thing::Image(tag) => write!(f, "image {tag}"),
            Thing::Context(name) => write!(f, "context {name} in your own kubeconfig"),
        }
    }
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Entry {
    /// The container engine, and whether the outside world is the Internet.
    With {
        engine: String,
        internet: bool,
    },
    /// Written before it is made.
    Making {
        thing: Thing,
    },
    /// It is there; the container engine's id where it has one.
    Made {
        thing: Thing,
        id: String,
    },
    Gone {
        thing: Thing,
    },
    Done {
        phase: Phase,
    },
    /// A finished phase has to be done anew.
    Again {
        phase: Phase,
    },
}

/// The journal and what it adds up to.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    with: Option<(String, bool)>,
    things: BTreeMap<Thing, Option<String>>,
    done: BTreeSet<Phase>,
}

impl Journal {
    /// Reads the journal of this folder; none is an empty one. A torn last line is dropped.
    ///
    /// # Errors
    /// A file that cannot be read or holds something else.
    pub fn open(folder: &Path) -> io::Result<Journal> {
        let path = folder.join("journal.jsonl");
        let mut journal = Journal { path, with: None, things: BTreeMap::new(), done: BTreeSet::new() };
        let text = match std::fs::metadata(&journal.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(journal),
            Err(e) => return Err(e),
            Ok(meta) if meta.len() > LONGEST => return Err(io::Error::other("the journal is too long to be the lab's")),
            Ok(_) => std::fs::read_to_string(&journal.path)?,
        };
        let end = text.rfind('\n').map_or(0, |end| end + 1);
        for line in text[..end].lines() {
            let entry = serde_json::from_str(line).map_err(|e| io::Error::other(format!("{}: {e}", journal.path.display())))?;
            journal.take(entry);
        }
        if end < text.len() {
            OpenOptions::new().write(true).open(&journal.path)?.set_len(end as u64)?;
        }
        Ok(journal)
    }

    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::With { engine, internet } => self.with = Some((engine, internet)),
            Entry::Making { thing } => drop(self.things.insert(thing, None)),
            Entry::Made { thing, id } => drop(self.things.insert(thing, Some(id))),
            Entry::Gone { thing } => drop(self.things.remove(&thing)),
            Entry::Done { phase } => drop(self.done.insert(phase)),
            Entry::Again { phase } => drop(self.done.remove(&phase)),
        }
    }

    fn write(&mut self, entry: Entry) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            crate::base::files::make_private(folder)?;
        }
        let mut file: File = OpenOptions::new().create(true).append(true).open(&self.path)?;
        let line = serde_json::to_string(&entry).map_err(io::Error::other)?;
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_data()?;
        self.take(entry);
        Ok(())
    }

    /// Notes what this run works with.
    ///
    /// # Errors
    /// As writing a file.
    pub fn with(&mut self, engine: &str, internet: bool) -> io::Result<()> {
        match self.with.as_ref().is_some_and(|(e, i)| e == engine && *i == internet) {
            true => Ok(()),
            false => self.write(Entry::With { engine: engine.into(), internet }),
        }
    }

    /// To be called before something is made.
    ///
    /// # Errors
    /// As writing a file; it must then not be made.
    pub fn making(&mut self, thing: &Thing) -> io::Result<()> {
        self.write(Entry::Making { thing: thing.clone() })
    }

    /// To be called when it is there.
    ///
    /// # Errors
    /// As writing a file.
    pub fn made(&mut self, thing: &Thing, id: &str) -> io::Result<()> {
        self.write(Entry::Made { thing: thing.clone(), id: id.into() })
    }

    /// To be called when it was removed.
    ///
    /// # Errors
    /// As writing a file.
    pub fn gone(&mut self, thing: &Thing) -> io::Result<()> {
        self.write(Entry::Gone { thing: thing.clone() })
    }

    /// A phase is finished.
    ///
    /// # Errors
    /// As writing a file.
    pub fn done(&mut self, phase: Phase) -> io::Result<()> {
        self.write(Entry::Done { phase })
    }

    /// A phase has to be done anew.
    ///
    /// # Errors
    /// As writing a file.
    pub fn again(&mut self, phase: Phase) -> io::Result<()> {
        if self.is_done(phase) { self.write(Entry::Again { phase }) } else { Ok(()) }
    }

    pub fn is_done(&self, phase: Phase) -> bool {
        self.done.contains(&phase)
    }

    /// Whether nothing was begun.
    pub fn is_empty(&self) -> bool {
        self.things.is_empty() && self.done.is_empty()
    }

    /// The engine of the earlier run.
    pub fn engine(&self) -> Option<&str> {
        self.with.as_ref().map(|(engine, _)| engine.as_str())
    }

    /// Whether the earlier run took the Internet as the outside world.
    pub fn internet(&self) -> Option<bool> {
        self.with.as_ref().map(|(_, internet)| *internet)
    }

    /// Whether it was begun or made.
    pub fn knows(&self, thing: &Thing) -> bool {
        self.things.contains_key(thing)
    }

    /// Its id; `None` when it was not finished.
    pub fn id(&self, thing: &Thing) -> Option<&str> {
        self.things.get(thing)?.as_deref()
    }

    /// What was begun or made: containers, cluster, images, contexts.
    pub fn things(&self) -> Vec<Thing> {
        self.things.keys().cloned().collect()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container() -> Thing {
        Thing::Container("one".into())
    }

    #[test]
    fn what_was_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path()).unwrap();
        assert!(journal.is_empty());
        journal.with("docker", false).unwrap();
        journal.making(&container()).unwrap();
        let half = Journal::open(folder.path()).unwrap();
        assert!(half.knows(&container()) && half.id(&container()).is_none());
        journal.made(&container(), "abc").unwrap();
        journal.done(Phase::Origins).unwrap();
        let again = Journal::open(folder.path()).unwrap();
        assert_eq!((again.id(&container()), again.is_done(Phase::Origins)), (Some("abc"), true));
        assert_eq!((again.engine(), again.internet()), (Some("docker"), Some(false)));
        journal.gone(&container()).unwrap();
        journal.again(Phase::Origins).unwrap();
        assert!(Journal::open(folder.path()).unwrap().is_empty());
    }

    #[test]
    fn every_cut_of_the_file_reads_as_a_moment_of_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path()).unwrap();
        journal.making(&container()).unwrap();
        journal.made(&container(), "abc").unwrap();
        journal.done(Phase::Origins).unwrap();
        let whole = std::fs::read(journal.path()).unwrap();
        for end in 0..=whole.len() {
            std::fs::write(journal.path(), &whole[..end]).unwrap();
            let mut cut = Journal::open(folder.path()).unwrap();
            cut.done(Phase::Dns).unwrap();
            let again = Journal::open(folder.path()).unwrap();
            assert!(again.is_done(Phase::Dns), "cut at {end}");
            assert!(!again.is_done(Phase::Origins) || again.id(&container()) == Some("abc"), "cut at {end}");
        }
    }

    #[test]
    fn another_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("journal.jsonl"), "{\"other\":1}\n").unwrap();
        assert!(Journal::open(folder.path()).unwrap_err().to_string().contains("journal.jsonl"));
    }
}
