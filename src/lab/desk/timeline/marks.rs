//! Bookmarks of points in time. Those of a saved world are kept with it, one file each: the whole state, so that it can be compared with,
//! looked at and returned to when the world is opened again.

use crate::base::clock::Time;
use crate::k8s::Snapshot;
use crate::lab::env::Environment;
use anyhow::bail;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// How many are kept.
const LIMIT: usize = 50;
/// Characters of a name.
const NAME: usize = 40;
/// Bytes of a file.
const MOST_BYTES: u64 = 64 << 20;
/// How the names of files end.
const END: &str = "json";

/// A point with a name.
#[derive(Debug, Clone)]
pub struct Mark {
    pub name: String,
    pub revision: Option<u64>,
    pub at: Time,
    /// The objects, where the environment keeps no revisions.
    pub objects: Option<Snapshot>,
    /// It was made when the world was open before.
    pub recalled: bool,
}

/// A bookmark's file.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    name: String,
    at_ms: i64,
    revision: u64,
    /// As [`Environment::saved_at`] gave it.
    world: serde_json::Value,
}

/// The bookmarks of a prompt. Copies share them.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    all: Arc<Mutex<Vec<Mark>>>,
    /// Where they are kept; `None`: nowhere.
    folder: Option<PathBuf>,
}

impl Marks {
    /// All, oldest first.
    pub fn all(&self) -> Vec<Mark> {
        self.all.lock().unwrap_or_else(|p| p.into_inner()).clone()
    }

    /// The one of this name.
    pub fn find(&self, name: &str) -> Option<Mark> {
        self.all().into_iter().find(|mark| mark.name == name)
    }

    /// The name of a revision.
    pub fn at_revision(&self, revision: u64) -> Option<String> {
        self.all().into_iter().find(|mark| mark.revision == Some(revision)).map(|mark| mark.name)
    }

    /// Adds one; one of the same name goes.
    ///
    /// # Errors
    /// There are too many.
    pub fn put(&self, mark: Mark) -> anyhow::Result<()> {
        let mut marks = self.all.lock().unwrap_or_else(|p| p.into_inner());
        marks.retain(|there| there.name != mark.name);
        if marks.len() >= LIMIT {
            bail!("there are {LIMIT} bookmarks already; `timeline mark NAME` with a name of before moves that one");
        }
        marks.push(mark);
        Ok(())
    }

    /// The bookmarks that are kept in a folder; the environment keeps their revisions again. And what is to be said about those that
    /// cannot be read.
    pub async fn kept_in(folder: &Path, env: &dyn Environment) -> (Marks, Vec<String>) {
        let marks = Marks { all: Arc::default(), folder: Some(folder.to_path_buf()) };
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        files.retain(|file| file.extension().is_some_and(|end| end == END));
        files.sort();
        let mut notes = Vec::new();
        for file in files.iter().take(LIMIT) {
            if let Err(error) = marks.recall(file, env).await {
                notes.push(format!("the bookmark in {} cannot be used: {}", file.display(), crate::lab::words::line(&error)));
            }
        }
        marks.all.lock().unwrap_or_else(|p| p.into_inner()).sort_by_key(|mark| mark.revision);
        (marks, notes)
    }

    async fn recall(&self, file: &Path, env: &dyn Environment) -> anyhow::Result<()> {
        if std::fs::metadata(file)?.len() > MOST_BYTES {
            bail!("it is larger than {MOST_BYTES} bytes");
        }
        let kept: Kept = serde_json::from_slice(&std::fs::read(file)?)?;
        check_name(&kept.name)?;
        env.recall(kept.world).await?;
        // What it was opened with is of this time, too.
        let recalled = env.kept(1).await?.last().copied() != Some(kept.revision);
        let (name, revision) = (kept.name, Some(kept.revision));
        self.put(Mark { name, revision, at: Time(kept.at_ms), objects: None, recalled })
    }

    /// Keeps a bookmark of a revision for the next time, where there is a place for it.
    ///
    /// # Errors
    /// The state is gone, or the file cannot be written.
    pub async fn keep(&self, env: &dyn Environment, name: &str, at: Time, revision: u64) -> anyhow::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let kept = Kept { name: name.into(), at_ms: at.0, revision, world: env.saved_at(revision).await? };
        let bytes = serde_json::to_vec(&kept)?;
        crate::base::files::make_private(folder)?;
        let file = folder.join(format!("{name}.{END}"));
        let new = folder.join(format!("{name}.new"));
        std::fs::write(&new, bytes)?;
        Ok(std::fs::rename(new, file)?)
    }

    /// The revisions that are known from the last time only.
    pub fn recalled(&self) -> BTreeSet<u64> {
        self.all().iter().filter(|mark| mark.recalled).filter_map(|mark| mark.revision).collect()
    }
}

/// Whether a name can be told from revisions and words.
///
/// # Errors
/// It cannot; says what can.
pub fn check_name(name: &str) -> anyhow::Result<()> {
    let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let starts = name.chars().next().is_some_and(char::is_alphabetic);
    match starts && name != "now" && name.chars().count() <= NAME && name.chars().all(plain) {
        true => Ok(()),
        false => bail!("a bookmark's name begins with a letter and has letters, digits, `-`, `_` and `.` only, at most {NAME}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_from_a_revision() {
        for good in ["start", "vor-dem-Gateway", "a1", "größe.2"] {
            check_name(good).unwrap();
        }
        for bad in ["", "12", "now", "-3", "a b", "a/b", "a\u{1b}[m", &"x".repeat(41)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_mark_of_the_same_name_moves_and_there_is_a_limit() {
        let marks = Marks::default();
        let mark = |name: &str, n| Mark { name: name.into(), revision: Some(n), at: Time(0), objects: None, recalled: false };
        marks.put(mark("a", 1)).unwrap();
        marks.put(mark("a", 2)).unwrap();
        assert_eq!((marks.all().len(), marks.at_revision(2).as_deref(), marks.at_revision(1)), (1, Some("a"), None));
        (1..LIMIT).for_each(|n| marks.put(mark(&format!("b{n}"), 9)).unwrap());
        assert!(marks.put(mark("c", 3)).is_err() && marks.put(mark("a", 3)).is_ok());
    }
}
