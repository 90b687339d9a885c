//! What a run made and changed on a cluster: one JSON object a line, on disk before the request goes out, so that a crash loses
//! nothing. Objects are known by their uid; an object that was there before is kept as it was before its first change.

use super::path::Place;
use crate::base::clock::{Clock, SystemClock};
use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// A record larger than this is not read.
const MAX_BYTES: u64 = 256 << 20;

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    /// The cluster that the record is about: the uid of its namespace kube-system.
    Cluster(String),
    /// What was in the collections that a lesson writes to, before its first write.
    Baseline { collections: Vec<Place>, uids: Vec<String> },
    /// A request is about to go out that may make this.
    Intends { place: Place, at_ms: i64 },
    /// The request made nothing.
    Nothing { place: Place },
    /// It made this; `body` is what was sent.
    Made { place: Place, kind: String, uid: String, body: Value },
    /// Somebody else's object, as it was before the first change.
    Found { place: Place, kind: String, uid: String, before: Value },
    /// What our newest change made of it.
    Changed { place: Place, after: Value },
    /// Ours, and no longer there.
    Gone { uid: String },
    /// Somebody else's object is as it was.
    PutBack { place: Place },
}

/// Something that this lab's runs made.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    pub place: Place,
    pub kind: String,
    pub uid: String,
    /// As it was sent.
    pub body: Value,
}

/// Somebody else's object that was changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    pub kind: String,
    pub uid: String,
    pub before: Value,
    /// As our newest change left it; `None` while the answer is still to come, or was lost.
    pub after: Option<Value>,
}

/// The open record of one cluster. Holds a lock: one run at a time.
pub struct Record {
    path: PathBuf,
    /// `None`: somebody else has it open.
    file: Option<File>,
    cluster: Option<String>,
    /// In the order in which they were made.
    made: Vec<Made>,
    changed: BTreeMap<Place, Changed>,
    /// Collections that lessons write to, and the uids of what was in them before.
    baseline: (BTreeSet<Place>, BTreeSet<String>),
    /// Requests whose answer never came, with the time at which they went out.
    intended: Vec<(Place, i64)>,
}

impl Record {
    /// Opens the record in this folder, making it when missing. A torn last line is dropped.
    ///
    /// # Errors
    /// Another process has it open, or the disk refuses.
    pub fn open(folder: &Path) -> anyhow::Result<Record> {
        crate::base::files::make_private(folder).with_context(|| format!("making {}", folder.display()))?;
        let path = folder.join("record.jsonl");
        let file = OpenOptions::new().read(true).append(true).create(true).open(&path);
        let mut file = file.with_context(|| format!("opening {}", path.display()))?;
        if let Err(fs::TryLockError::WouldBlock) = file.try_lock() {
            bail!("another run of egress-lab works on this cluster ({} is locked); end it first", path.display());
        }
        let (whole, length) = self::read(&mut file, &path)?;
        if whole.len() < length {
            file.set_len(whole.len() as u64).and_then(|()| file.sync_all())?;
        }
        Record::of(path, Some(file), &whole)
    }

    /// Reads the record in this folder beside whoever has it open; it cannot be written. Empty when there is none.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn look(folder: &Path) -> anyhow::Result<Record> {
        let path = folder.join("record.jsonl");
        let whole = match File::open(&path) {
            Ok(mut file) => self::read(&mut file, &path)?.0,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        Record::of(path, None, &whole)
    }

    fn of(path: PathBuf, file: Option<File>, whole: &[u8]) -> anyhow::Result<Record> {
        let (made, changed, baseline, intended) = Default::default();
        let mut record = Record { path, file, cluster: None, made, changed, baseline, intended };
        for (nth, line) in whole.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
            let line = serde_json::from_slice(line);
            let line = line.with_context(|| format!("line {} of {}", nth + 1, record.path.display()))?;
            record.take(line);
        }
        Ok(record)
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The cluster that it is about, once it has been said.
    pub fn cluster(&self) -> Option<&str> {
        self.cluster.as_deref()
    }

    /// What was made and is not known to be gone, in order.
    pub fn made(&self) -> &[Made] {
        &self.made
    }

    /// Somebody else's objects that are not as they were.
    pub fn changed(&self) -> &BTreeMap<Place, Changed> {
        &self.changed
    }

    /// Requests whose answer was lost: what they may have made, with the time at which they went out.
    pub fn intended(&self) -> &[(Place, i64)] {
        &self.intended
    }

    /// Collections that lessons write to, and the uids of what was in them before the first write.
    pub fn baseline(&self) -> (&BTreeSet<Place>, &BTreeSet<String>) {
        (&self.baseline.0, &self.baseline.1)
    }

    /// Notes what is in collections before the first write to them; those that are known are not looked at again.
    ///
    /// # Errors
    /// As [`Record::begin`].
    pub fn sees(&mut self, collections: Vec<Place>, uids: Vec<String>) -> anyhow::Result<()> {
        self.note(Line::Baseline { collections, uids })
    }

    /// Whether an object was made by this lab.
    pub fn is_ours(&self, uid: &str) -> bool {
        self.made.iter().any(|made| made.uid == uid)
    }

    /// Whether nothing is left to clean up.
    pub fn is_empty(&self) -> bool {
        self.made.is_empty() && self.changed.is_empty() && self.intended.is_empty()
    }

    /// Notes which cluster this is.
    ///
    /// # Errors
    /// As every note: the disk refuses; then the write that was to be noted must not go out.
    pub fn begin(&mut self, cluster: &str) -> anyhow::Result<()> {
        self.note(Line::Cluster(cluster.into()))
    }

    /// Notes that a request goes out which may make this.
    ///
    /// # Errors
    /// As [`Record::begin`].
    pub fn intends(&mut self, place: &Place) -> anyhow::Result<()> {
        self.note(Line::Intends { place: place.clone(), at_ms: SystemClock.now().0 })
    }

    /// Notes that it made nothing.
    ///
    /// # Errors
    /// As [`Record::begin`].
    pub fn nothing(&mut self, place: &Place) -> anyhow::Result<()> {
        self.note(Line::Nothing { place: place.clone() })
    }

    /// Notes what was made.
    ///
    /// # Errors
    /// As [`Record::begin`].
    pub fn makes(&mut self, made: Made) -> anyhow::Result<()> {
        let Made { place, kind, uid, body } = made;
        self.note(Line::Made { place, kind, uid, body })
    }

    /// Notes somebody else's object before it is changed for the first time.
    ///
    /// # Errors
    /// As [`Record::begin`].
    pub fn found(&mut self, place: &Place, kind: &str, uid: &str, before: Value) -> anyhow::Result<()> {
        if self.changed.get(place).is_some_and(|changed| changed.uid == uid) {
            return Ok(());
        }
        self.note(Line::Found { place: place.clone(), kind: kind.into(), uid: uid.into(), before })
    }

    /// Notes what a change made of it.
    ///
    /// # Errors
    /// As [`Record::begin`].
    pub fn changes(&mut self, place: &Place, after: Value) -> anyhow::Result<()> {
        self.note(Line::Changed { place: place.clone(), after })
    }

    /// Notes that something of ours is no longer there.
    ///
    /// # Errors
    /// As [`Record::begin`].
    pub fn gone(&mut self, uid: &str) -> anyhow::Result<()> {
        self.note(Line::Gone { uid: uid.into() })
    }

    /// Notes that somebody else's object is as it was.
    ///
    /// # Errors
    /// As [`Record::begin`].
    pub fn put_back(&mut self, place: &Place) -> anyhow::Result<()> {
        self.note(Line::PutBack { place: place.clone() })
    }

    /// Begins anew when nothing is left; the file stays small.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn close_when_empty(&mut self) -> anyhow::Result<()> {
        if self.is_empty() {
            self.empty()?;
            self.baseline = Default::default();
            if let Some(cluster) = self.cluster.clone() {
                self.note(Line::Cluster(cluster))?;
            }
        }
        Ok(())
    }

    /// Puts the record of another cluster aside: a context may name a new cluster now.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn put_aside(&mut self) -> anyhow::Result<PathBuf> {
        let aside = (1..1000).map(|nth| self.path.with_file_name(format!("record-{nth}.jsonl"))).find(|path| !path.exists());
        let aside = aside.context("the folder of the record is full of earlier ones")?;
        fs::copy(&self.path, &aside)?;
        self.empty()?;
        (self.cluster, self.made, self.changed, self.baseline, self.intended) = Default::default();
        Ok(aside)
    }

    fn empty(&self) -> anyhow::Result<()> {
        let file = self.file.as_ref().with_context(|| held(&self.path))?;
        Ok(file.set_len(0).and_then(|()| file.sync_all())?)
    }

    fn note(&mut self, line: Line) -> anyhow::Result<()> {
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        let file = self.file.as_mut().with_context(|| held(&self.path))?;
        let written = file.write_all(&text).and_then(|()| file.sync_data());
        written.with_context(|| format!("what the lab makes cannot be noted in {}", self.path.display()))?;
        self.take(line);
        Ok(())
    }

    fn take(&mut self, line: Line) {
        let answered = |intended: &mut Vec<(Place, i64)>, place: &Place| {
            if let Some(at) = intended.iter().position(|(p, _)| p == place || *p == place.named("")) {
                intended.remove(at);
            }
        };
        match line {
            Line::Cluster(uid) => self.cluster = Some(uid),
            Line::Baseline { collections, uids } => {
                self.baseline.0.extend(collections);
                self.baseline.1.extend(uids);
            }
            Line::Intends { place, at_ms } => self.intended.push((place, at_ms)),
            Line::Nothing { place } => answered(&mut self.intended, &place),
            Line::Made { place, kind, uid, body } => {
                answered(&mut self.intended, &place);
                if !self.is_ours(&uid) {
                    self.made.push(Made { place, kind, uid, body });
                }
            }
            Line::Found { place, kind, uid, before } => {
                self.changed.insert(place, Changed { kind, uid, before, after: None });
            }
            Line::Changed { place, after } => {
                if let Some(changed) = self.changed.get_mut(&place) {
                    changed.after = Some(after);
                }
            }
            Line::Gone { uid } => self.made.retain(|made| made.uid != uid),
            Line::PutBack { place } => drop(self.changed.remove(&place)),
        }
    }
}

/// The whole lines of a record, and how long it is.
fn read(file: &mut File, path: &Path) -> anyhow::Result<(Vec<u8>, usize)> {
    if file.metadata()?.len() > MAX_BYTES {
        bail!("{} is larger than {MAX_BYTES} bytes and cannot be read", path.display());
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    let length = text.len();
    text.truncate(text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
    Ok((text, length))
}

fn held(path: &Path) -> String {
    format!("the lesson is not open in this process: {} was only read", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(name: &str) -> Place {
        let text = str::to_string;
        Place { group: text(""), version: text("v1"), plural: text("pods"), namespace: text("default"), name: text(name) }
    }

    fn made(name: &str, uid: &str) -> Made {
        Made { place: pod(name), kind: "Pod".into(), uid: uid.into(), body: json!({}) }
    }

    #[test]
    fn what_was_noted_is_there_after_a_crash() {
        let folder = tempfile::tempdir().unwrap();
        let mut record = Record::open(folder.path()).unwrap();
        record.begin("c1").unwrap();
        for (name, uid) in [("a", "1"), ("b", "2")] {
            record.intends(&pod(name)).unwrap();
            record.makes(made(name, uid)).unwrap();
        }
        record.intends(&pod("lost")).unwrap();
        record.intends(&pod("refused")).unwrap();
        record.nothing(&pod("refused")).unwrap();
        record.found(&pod("theirs"), "Pod", "9", json!({"a": 1})).unwrap();
        record.changes(&pod("theirs"), json!({"a": 2})).unwrap();
        record.found(&pod("theirs"), "Pod", "9", json!({"a": 2})).unwrap();
        record.gone("1").unwrap();
        drop(record);
        // The machine stopped in the middle of a line.
        let path = folder.path().join("record.jsonl");
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"made\":{\"pla").unwrap();
        let mut record = Record::open(folder.path()).unwrap();
        assert_eq!(record.cluster(), Some("c1"));
        assert_eq!(record.made(), [made("b", "2")]);
        assert_eq!(record.intended().iter().map(|(place, _)| place.name.as_str()).collect::<Vec<_>>(), ["lost"]);
        let theirs = &record.changed()[&pod("theirs")];
        assert_eq!((&theirs.before, &theirs.after), (&json!({"a": 1}), &Some(json!({"a": 2}))), "the first state is kept");
        record.gone("2").unwrap();
        assert!(!record.is_empty());
        record.put_back(&pod("theirs")).unwrap();
        record.nothing(&pod("lost")).unwrap();
        assert!(record.is_empty());
        record.close_when_empty().unwrap();
        drop(record);
        assert!(std::fs::metadata(&path).unwrap().len() < 100);
        assert_eq!(Record::open(folder.path()).unwrap().cluster(), Some("c1"));
    }

    #[test]
    fn two_runs_do_not_write_one_record() {
        let folder = tempfile::tempdir().unwrap();
        let first = Record::open(folder.path()).unwrap();
        let Err(second) = Record::open(folder.path()) else { panic!("the record was opened twice") };
        assert!(second.to_string().contains("another run"), "{second}");
        drop(first);
        assert!(Record::open(folder.path()).is_ok());
    }
}
