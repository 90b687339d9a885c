//! A world on disk: a snapshot now and then, a log of what was committed since, and a lock.
//!
//! A line of the log is a checksum, a blank and a record as JSON. A last line that is cut short or does not fit its checksum was
//! never answered, and is dropped. The node's part of a record holds only the pods that changed since the record before.

use super::Error;
use super::disk::{Disk, System, holder, is_missing, owner};
use super::keys::write_private;
use crate::sandbox::world::{Record, Saved};
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Records between two snapshots.
const SNAPSHOT_EVERY: usize = 1_000;

/// What a folder holds: the last snapshot and the records after it.
pub type Kept = (Saved, Vec<Record>);

/// The folder of a saved world, locked for this process.
pub struct Folder {
    path: PathBuf,
    disk: Box<dyn Disk>,
    /// Held for its lock.
    _lock: Lock,
    /// What the file system lacks, for the owner to know.
    warnings: Vec<String>,
    log: File,
    /// Bytes of the log that are whole.
    end: u64,
    records: usize,
    /// The node's state as of the last record.
    node: Value,
}

impl Folder {
    /// Locks a folder (made if missing) and reads what is in it: `None` for a new world.
    ///
    /// # Errors
    /// [`Error::Locked`] with the process that has it, [`Error::ReadOnly`], [`Error::Damaged`], other file errors.
    pub fn open(path: &Path) -> Result<(Folder, Option<Kept>), Error> {
        Folder::open_on(Box::new(System), path)
    }

    /// The same on a file system that may lack something.
    ///
    /// # Errors
    /// As [`Folder::open`].
    pub fn open_on(disk: Box<dyn Disk>, path: &Path) -> Result<(Folder, Option<Kept>), Error> {
        fs::create_dir_all(path).map_err(|e| Error::file(path, e))?;
        let mut warnings = Vec::new();
        let lock = Lock::take(&*disk, path, &mut warnings)?;
        let log_path = path.join("log");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let log = options.open(&log_path).map_err(|e| Error::file(&log_path, e))?;
        if disk.sync(&log).is_err_and(|error| is_missing(&error)) {
            warnings.push(format!("{} cannot be synced: after a power cut the last commands may be missing", path.display()));
        }
        let mut folder = Folder { path: path.into(), disk, _lock: lock, warnings, log, end: 0, records: 0, node: Value::Null };
        let Some(saved) = folder.read_snapshot()? else { return Ok((folder, None)) };
        folder.node = saved.node.clone();
        let records = folder.read_log(saved.revision)?;
        Ok((folder, Some((saved, records))))
    }

    /// What the file system lacks, in sentences.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether what lies here can be for its owner only. If not, credentials belong elsewhere.
    pub fn is_private(&self) -> bool {
        self.disk.is_private(&self.path.join("log"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The port that the world was last served on.
    pub fn port(&self) -> Option<u16> {
        fs::read_to_string(self.path.join("port")).ok()?.trim().parse().ok()
    }

    /// Remembers the port of the world in this folder.
    ///
    /// # Errors
    /// File errors.
    pub fn remember_port(folder: &Path, port: u16) -> Result<(), Error> {
        write_private(&folder.join("port"), port.to_string().as_bytes())
    }

    /// Brings the log on disk, where that can be done.
    fn sync(&self) -> std::io::Result<()> {
        self.disk.sync(&self.log).or_else(|error| if is_missing(&error) { Ok(()) } else { Err(error) })
    }

    fn read_snapshot(&self) -> Result<Option<Saved>, Error> {
        let path = self.path.join("snapshot.json");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::file(path, e)),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|e| Error::Damaged { path, why: e.to_string() })
    }

    /// The whole records after a revision; what follows the last whole one is cut off.
    fn read_log(&mut self, after: u64) -> Result<Vec<Record>, Error> {
        let path = self.path.join("log");
        let fail = |e| Error::file(&path, e);
        let mut bytes = Vec::new();
        self.log.seek(SeekFrom::Start(0)).map_err(fail)?;
        self.log.read_to_end(&mut bytes).map_err(fail)?;
        let mut records = Vec::new();
        let mut end = 0;
        for line in bytes.split_inclusive(|b| *b == b'\n') {
            let Some(mut record) = parse(line) else { break };
            end += line.len() as u64;
            if record.revision <= after {
                continue;
            }
            merge(&mut self.node, &record.node);
            record.node = self.node.clone();
            records.push(record);
        }
        let whole = bytes[end as usize..].split_inclusive(|b| *b == b'\n').skip(1).any(|line| parse(line).is_some());
        if whole {
            let why = format!("a record in the middle of the log is damaged (byte {end})");
            return Err(Error::Damaged { path, why });
        }
        self.log.set_len(end).map_err(fail)?;
        (self.end, self.records) = (end, records.len());
        Ok(records)
    }

    /// Puts records on disk; `world` gives a snapshot when one is due.
    ///
    /// # Errors
    /// File errors. What was not written whole is cut off.
    pub fn append(&mut self, records: &[Record], world: impl FnOnce() -> Saved) -> Result<(), Error> {
        if self.end == 0 && !self.path.join("snapshot.json").exists() {
            return self.snapshot(&world());
        }
        let mut text = Vec::new();
        for record in records {
            let short = Record { node: difference(&self.node, &record.node), ..record.clone() };
            self.node = record.node.clone();
            let json = serde_json::to_string(&short).map_err(|e| Error::file(&self.path, e.into()))?;
            text.extend_from_slice(format!("{:016x} {json}\n", checksum(json.as_bytes())).as_bytes());
        }
        let path = self.path.join("log");
        let written = self.log.seek(SeekFrom::Start(self.end)).and_then(|_| self.log.write_all(&text)).and_then(|()| self.sync());
        if let Err(error) = written {
            let _ = self.log.set_len(self.end);
            return Err(Error::file(path, error));
        }
        self.end += text.len() as u64;
        self.records += records.len();
        if self.records >= SNAPSHOT_EVERY {
            self.snapshot(&world())?;
        }
        Ok(())
    }

    /// Writes a snapshot and starts the log anew.
    ///
    /// # Errors
    /// File errors.
    pub fn snapshot(&mut self, saved: &Saved) -> Result<(), Error> {
        let json = serde_json::to_vec(saved).map_err(|e| Error::file(&self.path, e.into()))?;
        write_private(&self.path.join("snapshot.json"), &json)?;
        let path = self.path.join("log");
        self.log.set_len(0).and_then(|()| self.sync()).map_err(|e| Error::file(path, e))?;
        (self.end, self.records, self.node) = (0, 0, saved.node.clone());
        Ok(())
    }
}

/// What keeps a second process out.
struct Lock {
    /// The file with the system's lock; it holds the owner's process id.
    held: Option<File>,
    /// A note that is removed at the end, where there are no locks.
    note: Option<PathBuf>,
}

impl Lock {
    fn take(disk: &dyn Disk, folder: &Path, warnings: &mut Vec<String>) -> Result<Lock, Error> {
        let path = folder.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(|e| Error::file(&path, e))?;
        match disk.lock(&file) {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = file.read_to_string(&mut text);
                return Err(Error::Locked { pid: text.trim().parse().unwrap_or(0), folder: folder.into() });
            }
            Err(TryLockError::Error(why)) => {
                warnings.push(format!(
                    "{} has no file locks ({why}): a note with the process id keeps others out instead",
                    folder.display()
                ));
                return Lock::note(folder);
            }
        }
        let pid = std::process::id().to_string();
        file.set_len(0).and_then(|()| file.write_all(pid.as_bytes())).map_err(|e| Error::file(path, e))?;
        Ok(Lock { held: Some(file), note: None })
    }

    fn note(folder: &Path) -> Result<Lock, Error> {
        let path = folder.join("owner");
        let fail = |error| Error::file(folder.join("owner"), error);
        // Twice: a note that was left behind goes first.
        for _ in 0..2 {
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(mut file) => {
                    file.write_all(owner().as_bytes()).map_err(fail)?;
                    return Ok(Lock { held: None, note: Some(path) });
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    if let Some(pid) = holder(&fs::read_to_string(&path).map_err(fail)?) {
                        return Err(Error::Locked { pid, folder: folder.into() });
                    }
                    fs::remove_file(&path).map_err(fail)?;
                }
                Err(error) => return Err(fail(error)),
            }
        }
        Err(fail(ErrorKind::AlreadyExists.into()))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone would not do: a process that is being started at this moment still has a copy of the file.
        if let Some(held) = &self.held {
            let _ = held.unlock();
        }
        if let Some(note) = &self.note {
            let _ = fs::remove_file(note);
        }
    }
}

fn parse(line: &[u8]) -> Option<Record> {
    let line = line.strip_suffix(b"\n")?;
    let (sum, json) = (line.get(..16)?, line.get(17..)?);
    let sum = u64::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
    (sum == checksum(json)).then(|| serde_json::from_slice(json).ok()).flatten()
}

/// FNV-1a, 64 bits.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// What changed in the node: whole pods, `null` for those that went; the rest of the state as it is.
fn difference(old: &Value, new: &Value) -> Value {
    let mut short = new.clone();
    let (Some(before), Some(now)) = (old["pods"].as_object(), new["pods"].as_object()) else { return short };
    let mut pods: serde_json::Map<String, Value> =
        now.iter().filter(|(uid, pod)| before.get(*uid) != Some(pod)).map(|(uid, pod)| (uid.clone(), pod.clone())).collect();
    pods.extend(before.keys().filter(|uid| !now.contains_key(*uid)).map(|uid| (uid.clone(), Value::Null)));
    short["pods"] = json!(pods);
    short
}

fn merge(node: &mut Value, change: &Value) {
    let mut pods = node["pods"].as_object().cloned().unwrap_or_default();
    for (uid, pod) in change["pods"].as_object().into_iter().flatten() {
        match pod.is_null() {
            true => drop(pods.remove(uid)),
            false => drop(pods.insert(uid.clone(), pod.clone())),
        }
    }
    *node = change.clone();
    node["pods"] = json!(pods);
}
