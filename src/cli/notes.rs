//! `egress-lab notes`: speaker notes, printed whole or following the step that a presentation is at.

use super::{End, GOOD, Trouble, args, learn, lessons, print};
use crate::base::files::make_private;
use crate::base::paths::Paths;
use crate::lesson::notes;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Columns of the notes.
const COLUMNS: usize = 80;
/// How often the presentation's step is looked at.
const POLL: Duration = Duration::from_millis(300);
/// A file larger than this is none of ours.
const MAX_BYTES: u64 = 4_096;

pub(super) fn run(a: &args::Notes) -> End {
    if a.follow {
        return follow(a);
    }
    let lesson = match &a.lesson {
        Some(id) => lessons::find(&a.from_dir, id)?,
        None => learn::choose(&args::Learn { from_dir: a.from_dir.clone(), ..args::Learn::default() })?,
    };
    match a.json {
        true => print(&format!("{}\n", serde_json::to_string_pretty(&notes::json(&lesson)).unwrap_or_default())),
        false => print(&notes::text(&lesson, COLUMNS)),
    }
    Ok(GOOD)
}

/// Where a presentation says at which step it is.
fn places() -> Vec<PathBuf> {
    let mut folders = Paths::from_environment().runtime();
    // The last one is everybody's.
    folders.pop();
    folders.into_iter().map(|folder| folder.join("presenting.json")).collect()
}

/// A presentation's mark; gone when it is dropped.
pub(super) struct Presenting {
    path: PathBuf,
}

impl Presenting {
    /// The first place that can be written; `None` when there is none, and then nobody can follow.
    pub(super) fn begin() -> Option<Presenting> {
        let usable = |path: &PathBuf| path.parent().is_some_and(|folder| make_private(folder).is_ok());
        places().into_iter().find(usable).map(|path| Presenting { path })
    }

    /// Notes the step (an index) for those who follow. Written beside, then renamed: a reader sees a whole one.
    pub(super) fn at(&self, lesson: &str, step: usize) {
        let text = json!({"pid": std::process::id(), "lesson": lesson, "step": step}).to_string();
        let beside = self.path.with_extension("new");
        let _ = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, &self.path));
    }
}

impl Drop for Presenting {
    fn drop(&mut self) {
        let own = read(&self.path).is_some_and(|mark| mark.0 == u64::from(std::process::id()));
        if own {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Process, lesson and step of a presentation.
fn read(path: &Path) -> Option<(u64, String, usize)> {
    if std::fs::metadata(path).ok()?.len() > MAX_BYTES {
        return None;
    }
    let value: Value = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
    let step = usize::try_from(value["step"].as_u64()?).ok()?;
    Some((value["pid"].as_u64()?, value["lesson"].as_str()?.to_string(), step))
}

/// Prints the notes of the step that a presentation is at, anew whenever it changes, until interrupted.
fn follow(a: &args::Notes) -> End {
    let all = lessons::all(&a.from_dir)?;
    let screen = std::io::stdout().is_terminal();
    let mut shown = None;
    loop {
        let mark = places().iter().find_map(|path| read(path)).filter(|(_, id, _)| a.lesson.as_ref().is_none_or(|l| l == id));
        if shown.as_ref() != Some(&mark) {
            let clear = if screen { "\u{1b}[H\u{1b}[2J" } else { "" };
            print(&match &mark {
                None if shown.is_none() => {
                    "Waiting for `egress-lab learn --present` in another terminal. Ctrl-C ends this.\n".into()
                }
                None => format!("{clear}The presentation has ended.\n"),
                Some((_, id, step)) => {
                    let lesson = all.iter().find(|lesson| lesson.id == *id);
                    let lesson =
                        lesson.ok_or_else(|| Trouble::usage(format!("the lesson {id} is not in this folder; use --lessons")))?;
                    let rule = if screen { "" } else { "\n----\n" };
                    format!("{clear}{rule}{}", notes::page(lesson, *step, COLUMNS))
                }
            });
            shown = Some(mark);
        }
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_read_as_it_was_written_and_goes_with_the_presentation() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("presenting.json");
        let mark = Presenting { path: path.clone() };
        assert_eq!(read(&path), None);
        mark.at("control-external-egress", 7);
        assert_eq!(read(&path), Some((u64::from(std::process::id()), "control-external-egress".into(), 7)));
        drop(mark);
        assert!(!path.exists());
        std::fs::write(&path, "{\"pid\": 1, \"lesson\": 3").unwrap();
        assert_eq!(read(&path), None, "a torn or foreign file is nobody's step");
        std::fs::write(&path, vec![b' '; 5_000]).unwrap();
        assert_eq!(read(&path), None);
    }
}
