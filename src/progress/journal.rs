//! The journal's file: one JSON object a line, appended and synced before the entry counts.
//!
//! A torn last line (the machine stopped while it was written) is dropped when the file is next opened for writing. A line that
//! is whole but not understood is kept and passed over: a newer program may have written it.

use super::{Entry, Summary};
use crate::base::clock::Time;
use serde_json::{Map, Value};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A journal larger than this is not read: 64 MiB is some 300,000 entries.
pub const MAX_BYTES: u64 = 64 << 20;

/// Why the journal cannot be used. Callers say it once and go on without saving.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("progress cannot be saved in {path}: {source}")]
    Unwritable { path: PathBuf, source: io::Error },
    #[error("progress cannot be read from {path}: {source}")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{path} is larger than {MAX_BYTES} bytes: move it away to start anew")]
    TooLarge { path: PathBuf },
    #[error("line {line} is not a journal entry: {reason}")]
    NotAnEntry { line: usize, reason: String },
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    entries: Vec<Entry>,
    /// Lines not understood, kept for compaction.
    foreign: Vec<String>,
}

/// What a text of JSON lines holds.
struct Parsed {
    entries: Vec<Entry>,
    foreign: Vec<String>,
    /// Bytes up to the end of the last whole line.
    whole: usize,
}

impl Journal {
    /// Reads the journal at `path`, making it and its folder when missing, and drops a torn last line.
    ///
    /// # Errors
    /// [`Error::Unwritable`] on a read-only or full disk, [`Error::TooLarge`] past [`MAX_BYTES`].
    pub fn open(path: &Path) -> Result<Journal, Error> {
        let unwritable = |source| Error::Unwritable { path: path.into(), source };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(unwritable)?;
        }
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(unwritable)?;
        let text = bounded_read(&mut file, path)?;
        let parsed = parse(&text);
        if parsed.whole < text.len() {
            file.set_len(parsed.whole as u64).and_then(|()| file.sync_all()).map_err(unwritable)?;
        }
        Ok(Journal { path: path.into(), file, entries: parsed.entries, foreign: parsed.foreign })
    }

    /// Reads entries without opening the file for writing; none when there is no file.
    ///
    /// # Errors
    /// [`Error::Unreadable`], [`Error::TooLarge`].
    pub fn read(path: &Path) -> Result<Vec<Entry>, Error> {
        match File::open(path) {
            Ok(mut file) => Ok(parse(&bounded_read(&mut file, path)?).entries),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(Error::Unreadable { path: path.into(), source }),
        }
    }

    /// Appends an entry and returns once it is on disk.
    ///
    /// # Errors
    /// [`Error::Unwritable`]; the file is then as it was before.
    pub fn append(&mut self, now: Time, entry: &Entry) -> Result<(), Error> {
        let before = self.file.seek(SeekFrom::End(0)).map_err(|source| self.unwritable(source))?;
        let line = line_of(now, entry);
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(source) = written {
            let _ = self.file.set_len(before);
            return Err(self.unwritable(source));
        }
        self.entries.push(entry.clone());
        Ok(())
    }

    /// The entries, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What the entries add up to.
    pub fn summary(&self) -> Summary {
        Summary::of(&self.entries)
    }

    /// Rewrites the file without entries that later ones make moot (hints and starts of steps that are done). Written beside,
    /// synced, then renamed: at every moment one whole journal is there.
    ///
    /// # Errors
    /// [`Error::Unwritable`]; the journal is then unchanged.
    pub fn compact(&mut self, now: Time) -> Result<(), Error> {
        let kept = essential(&self.entries);
        let mut text: String = kept.iter().map(|entry| line_of(now, entry)).collect();
        self.foreign.iter().for_each(|line| text.extend([line, "\n"]));
        let beside = self.path.with_extension("new");
        let replaced = replace(&beside, &self.path, text.as_bytes());
        self.file = replaced.map_err(|source| self.unwritable(source))?;
        self.entries = kept;
        Ok(())
    }

    /// The entries as JSON lines, for another machine.
    pub fn export(&self, now: Time) -> String {
        self.entries.iter().map(|entry| line_of(now, entry)).collect()
    }

    /// Appends the entries of an export that are not here yet and says how many they were.
    ///
    /// # Errors
    /// [`Error::NotAnEntry`] for a line that is not JSON (nothing is taken over then), [`Error::Unwritable`].
    pub fn import(&mut self, now: Time, text: &str) -> Result<usize, Error> {
        let mut fresh = Vec::new();
        for (nth, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let value: Value =
                serde_json::from_str(line).map_err(|e| Error::NotAnEntry { line: nth + 1, reason: e.to_string() })?;
            if let Ok(entry) = serde_json::from_value::<Entry>(value)
                && !self.entries.contains(&entry)
                && !fresh.contains(&entry)
            {
                fresh.push(entry);
            }
        }
        fresh.iter().try_for_each(|entry| self.append(now, entry))?;
        Ok(fresh.len())
    }

    fn unwritable(&self, source: io::Error) -> Error {
        Error::Unwritable { path: self.path.clone(), source }
    }
}

/// `{"at":"..","entry":"done",..}` and a newline.
fn line_of(now: Time, entry: &Entry) -> String {
    let mut members = Map::new();
    members.insert("at".into(), Value::String(now.rfc3339()));
    if let Ok(Value::Object(fields)) = serde_json::to_value(entry) {
        members.extend(fields);
    }
    format!("{}\n", Value::Object(members))
}

fn bounded_read(file: &mut File, path: &Path) -> Result<String, Error> {
    let unreadable = |source| Error::Unreadable { path: path.into(), source };
    if file.metadata().map_err(unreadable)?.len() > MAX_BYTES {
        return Err(Error::TooLarge { path: path.into() });
    }
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).and_then(|_| file.take(MAX_BYTES).read_to_end(&mut bytes)).map_err(unreadable)?;
    // A torn write can end within a character; what is not UTF-8 can only be in the torn last line or in a damaged one.
    Ok(String::from_utf8(bytes).unwrap_or_else(|e| {
        let valid = e.utf8_error().valid_up_to();
        String::from_utf8_lossy(&e.as_bytes()[..valid]).into_owned()
    }))
}

fn parse(text: &str) -> Parsed {
    let whole = text.rfind('\n').map_or(0, |at| at + 1);
    let mut parsed = Parsed { entries: Vec::new(), foreign: Vec::new(), whole };
    for line in text[..whole].lines().filter(|line| !line.trim().is_empty()) {
        match serde_json::from_str(line) {
            Ok(entry) => parsed.entries.push(entry),
            Err(_) => parsed.foreign.push(line.to_string()),
        }
    }
    parsed
}

/// The entries without which the summary would be another one.
fn essential(entries: &[Entry]) -> Vec<Entry> {
    let last_done = |entry: &Entry, after: usize| {
        entries[after + 1..].iter().any(|e| matches!(e, Entry::Done { .. }) && e.key() == entry.key())
    };
    let mut kept: Vec<Entry> = Vec::new();
    for (nth, entry) in entries.iter().enumerate() {
        let moot = match entry {
            Entry::Started { .. } | Entry::Reset { .. } | Entry::Done { .. } => last_done(entry, nth),
            Entry::Guessed { .. } => kept.iter().any(|e| matches!(e, Entry::Guessed { .. }) && e.key() == entry.key()),
            Entry::Hint { .. } | Entry::Disagreement { .. } => kept.contains(entry),
        };
        if !moot {
            kept.push(entry.clone());
        }
    }
    kept
}

fn replace(beside: &Path, path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut file = File::create(beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(beside, path)?;
    if let Some(folder) = path.parent()
        && let Ok(folder) = File::open(folder)
    {
        folder.sync_all()?;
    }
    OpenOptions::new().read(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::{How, StepKey};

    const NOW: Time = Time::LOGICAL_START;

    fn key(step: &str) -> StepKey {
        StepKey { lesson: "l".into(), step: step.into(), version: 1 }
    }

    fn done(step: &str) -> Entry {
        Entry::Done { key: key(step), how: How::Own, attempts: 1, hints: 0 }
    }

    fn place() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/progress.jsonl");
        (folder, path)
    }

    #[test]
    fn what_was_appended_is_there_after_reopening() {
        let (_folder, path) = place();
        let mut journal = Journal::open(&path).unwrap();
        journal.append(NOW, &Entry::Started { key: key("a") }).unwrap();
        journal.append(NOW, &done("a")).unwrap();
        drop(journal);
        let again = Journal::open(&path).unwrap();
        assert_eq!(again.entries(), [Entry::Started { key: key("a") }, done("a")]);
        let first = fs::read_to_string(&path).unwrap().lines().next().unwrap().to_string();
        assert_eq!(first, r#"{"at":"2026-01-01T09:00:00Z","entry":"started","lesson":"l","step":"a","version":1}"#);
    }

    #[test]
    fn a_torn_last_line_is_dropped_at_every_length() {
        let (_folder, path) = place();
        let mut journal = Journal::open(&path).unwrap();
        journal.append(NOW, &done("a")).unwrap();
        journal.append(NOW, &done("b")).unwrap();
        drop(journal);
        let whole = fs::read(&path).unwrap();
        let first = whole.iter().position(|b| *b == b'\n').unwrap() + 1;
        for cut in first..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let mut journal = Journal::open(&path).unwrap();
            assert_eq!(journal.entries(), [done("a")], "cut at {cut}");
            journal.append(NOW, &done("c")).unwrap();
            assert_eq!(Journal::read(&path).unwrap(), [done("a"), done("c")], "cut at {cut}");
        }
    }

    #[test]
    fn entries_of_a_newer_program_are_kept_and_passed_over() {
        let (_folder, path) = place();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let strange = r#"{"at":"2027-01-01T00:00:00Z","entry":"medal","lesson":"l","step":"a","version":1}"#;
        fs::write(&path, format!("{strange}\n")).unwrap();
        let mut journal = Journal::open(&path).unwrap();
        journal.append(NOW, &done("a")).unwrap();
        journal.compact(NOW).unwrap();
        assert_eq!(journal.entries(), [done("a")]);
        assert!(fs::read_to_string(&path).unwrap().contains(strange));
    }

    #[test]
    fn compaction_keeps_the_summary_and_later_appends_work() {
        let (_folder, path) = place();
        let mut journal = Journal::open(&path).unwrap();
        let hint = Entry::Hint { key: key("a"), tier: 2 };
        let guess = |right| Entry::Guessed { key: key("a"), right, sure: Some(crate::progress::Sure::High) };
        [guess(false), guess(true)].iter().for_each(|e| journal.append(NOW, e).unwrap());
        let written =
            [Entry::Started { key: key("a") }, hint.clone(), hint, done("a"), Entry::Reset { key: key("a") }, done("a")];
        written.iter().for_each(|e| journal.append(NOW, e).unwrap());
        let before = journal.summary();
        journal.compact(NOW).unwrap();
        assert_eq!(journal.summary(), before);
        assert_eq!(journal.entries().len(), 3);
        journal.append(NOW, &Entry::Reset { key: key("a") }).unwrap();
        assert_eq!(Summary::of(&Journal::read(&path).unwrap()).step(&key("a")).done, None);
    }

    #[test]
    fn an_export_can_be_imported_once() {
        let (_a, from) = place();
        let (_b, to) = place();
        let mut source = Journal::open(&from).unwrap();
        source.append(NOW, &done("a")).unwrap();
        let mut target = Journal::open(&to).unwrap();
        let text = source.export(NOW);
        assert_eq!(target.import(NOW, &text).unwrap(), 1);
        assert_eq!(target.import(NOW, &text).unwrap(), 0);
        assert!(matches!(target.import(NOW, "{}\nnot json"), Err(Error::NotAnEntry { line: 2, .. })));
    }

    #[test]
    fn a_place_that_cannot_be_written_is_a_typed_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        // The parent is a file: refused for every user, root too.
        assert!(matches!(Journal::open(&file.join("progress.jsonl")), Err(Error::Unwritable { .. })));
    }
}
