//! Bookmarks of points in time, kept as long as the lab is open.

use crate::base::clock::Time;
use crate::k8s::Snapshot;
use anyhow::bail;
use std::sync::{Arc, Mutex};

/// How many are kept.
const LIMIT: usize = 50;
/// Characters of a name.
const NAME: usize = 40;

/// A point with a name.
#[derive(Debug, Clone)]
pub struct Mark {
    pub name: String,
    pub revision: Option<u64>,
    pub at: Time,
    /// The objects, where the environment keeps no revisions.
    pub objects: Option<Snapshot>,
}

/// The bookmarks of a prompt. Copies share them.
#[derive(Debug, Clone, Default)]
pub struct Marks(Arc<Mutex<Vec<Mark>>>);

impl Marks {
    /// All, oldest first.
    pub fn all(&self) -> Vec<Mark> {
        self.0.lock().unwrap_or_else(|p| p.into_inner()).clone()
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
        let mut marks = self.0.lock().unwrap_or_else(|p| p.into_inner());
        marks.retain(|there| there.name != mark.name);
        if marks.len() >= LIMIT {
            bail!("there are {LIMIT} bookmarks already; `timeline mark NAME` with a name of before moves that one");
        }
        marks.push(mark);
        Ok(())
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
        let mark = |name: &str, n| Mark { name: name.into(), revision: Some(n), at: Time(0), objects: None };
        marks.put(mark("a", 1)).unwrap();
        marks.put(mark("a", 2)).unwrap();
        assert_eq!((marks.all().len(), marks.at_revision(2).as_deref(), marks.at_revision(1)), (1, Some("a"), None));
        (1..LIMIT).for_each(|n| marks.put(mark(&format!("b{n}"), 9)).unwrap());
        assert!(marks.put(mark("c", 3)).is_err() && marks.put(mark("a", 3)).is_ok());
    }
}
