//! The files of containers: what the image brings, what the pod mounts, and what was written since (copied on write).

use crate::base::clock::Time;
use crate::shell::{FileError, FileInfo};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Bytes that one container or volume may hold beyond its image.
pub const BYTES_LIMIT: usize = 4 << 20;
/// Files and folders that one container or volume may hold beyond its image.
pub const ENTRIES_LIMIT: usize = 2_000;

/// A file or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `None`: a folder.
    pub bytes: Option<Arc<Vec<u8>>>,
    pub mode: u32,
    pub uid: u32,
    pub modified: Time,
}

impl Entry {
    /// A read-only file of root.
    pub fn file(bytes: impl Into<Vec<u8>>, at: Time) -> Entry {
        Entry { bytes: Some(Arc::new(bytes.into())), mode: 0o644, uid: 0, modified: at }
    }

    /// A program.
    pub fn program(at: Time) -> Entry {
        Entry { mode: 0o755, ..Entry::file(b"\x7fELF".to_vec(), at) }
    }

    /// A folder of root.
    pub fn folder(at: Time) -> Entry {
        Entry { bytes: None, mode: 0o755, uid: 0, modified: at }
    }
}

/// Files by path. In an overlay `None` hides what lies below. Cloning is cheap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overlay(Arc<BTreeMap<String, Option<Entry>>>);

impl Overlay {
    pub fn get(&self, path: &str) -> Option<&Option<Entry>> {
        self.0.get(path)
    }

    pub fn entries(&self) -> impl Iterator<Item = (&String, &Option<Entry>)> {
        self.0.iter()
    }

    /// Sets an entry.
    ///
    /// # Errors
    /// `NoSpace` at the limits.
    pub fn set(&mut self, path: &str, entry: Option<Entry>) -> Result<(), FileError> {
        let size = |e: &Option<Entry>| e.as_ref().and_then(|e| e.bytes.as_ref()).map_or(0, |b| b.len());
        let others: usize = self.0.iter().filter(|(p, _)| *p != path).map(|(_, e)| size(e)).sum();
        if others + size(&entry) > BYTES_LIMIT || (self.0.len() >= ENTRIES_LIMIT && !self.0.contains_key(path)) {
            return Err(FileError::NoSpace);
        }
        Arc::make_mut(&mut self.0).insert(path.to_string(), entry);
        Ok(())
    }

    /// Takes over stored entries.
    pub fn load(entries: BTreeMap<String, Option<Entry>>) -> Overlay {
        Overlay(Arc::new(entries))
    }
}

/// A place of the tree that is not the container's own layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where: `/etc/istio/proxy`, without trailing slash.
    pub at: String,
    pub source: Source,
    pub read_only: bool,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The pod's volume of this name (emptyDir): shared by its containers.
    Volume(String),
    /// Files made from objects, by name relative to the mount.
    Given(BTreeMap<String, Vec<u8>>),
}

/// The tree of one container, put together for one step.
pub struct Tree<'a> {
    /// What the image and the kubelet bring.
    pub base: BTreeMap<String, Entry>,
    pub mounts: Vec<Mount>,
    pub layer: &'a mut Overlay,
    pub volumes: &'a mut BTreeMap<String, Overlay>,
    pub uid: u32,
    pub read_only_root: bool,
    pub now: Time,
}

impl Tree<'_> {
    fn mount_of(&self, path: &str) -> Option<&Mount> {
        let inside = |m: &&Mount| path == m.at || path.strip_prefix(m.at.as_str()).is_some_and(|rest| rest.starts_with('/'));
        self.mounts.iter().filter(inside).max_by_key(|m| m.at.len())
    }

    /// The entry at a clean absolute path.
    pub fn find(&self, path: &str) -> Option<Entry> {
        if path == "/" {
            return Some(Entry::folder(Time(0)));
        }
        if let Some(mount) = self.mount_of(path) {
            let inner = path[mount.at.len()..].trim_start_matches('/');
            return match &mount.source {
                _ if inner.is_empty() => Some(Entry { mode: 0o777, ..Entry::folder(self.now) }),
                Source::Volume(name) => self.volumes.get(name)?.get(inner)?.clone(),
                Source::Given(files) => given(files, inner, self.now),
            };
        }
        match self.layer.get(path) {
            Some(entry) => entry.clone(),
            None => self.base.get(path).cloned().or_else(|| self.implied(path)),
        }
    }

    /// A folder that is there because something lies or is mounted below it.
    fn implied(&self, path: &str) -> Option<Entry> {
        let below = format!("{path}/");
        let base = self.base.range(below.clone()..).next().is_some_and(|(p, _)| p.starts_with(&below));
        let mount = self.mounts.iter().any(|m| m.at.starts_with(&below));
        (base || mount).then(|| Entry::folder(self.now))
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// `NotFound`, `IsFolder`, `Denied`.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        let entry = self.find(path).ok_or(FileError::NotFound)?;
        let open = self.uid == 0 || entry.uid == self.uid || entry.mode & 0o004 != 0;
        match entry.bytes {
            None => Err(FileError::IsFolder),
            Some(_) if !open => Err(FileError::Denied),
            Some(bytes) => Ok(bytes.to_vec()),
        }
    }

    /// Whether this user may make or remove names in the folder.
    fn may_change(&self, folder: &str) -> Result<(), FileError> {
        if let Some(mount) = self.mount_of(folder) {
            let fixed = mount.read_only || matches!(mount.source, Source::Given(_));
            return if fixed { Err(FileError::ReadOnly) } else { Ok(()) };
        }
        if self.read_only_root {
            return Err(FileError::ReadOnly);
        }
        let entry = self.find(folder).ok_or(FileError::NotFound)?;
        match self.uid == 0 || entry.uid == self.uid || entry.mode & 0o002 != 0 {
            true if entry.bytes.is_none() => Ok(()),
            true => Err(FileError::NotFolder),
            false => Err(FileError::Denied),
        }
    }

    fn put(&mut self, path: &str, entry: Option<Entry>) -> Result<(), FileError> {
        match self.mount_of(path).cloned() {
            Some(Mount { at, source: Source::Volume(name), .. }) => {
                let inner = path[at.len()..].trim_start_matches('/').to_string();
                self.volumes.entry(name).or_default().set(&inner, entry)
            }
            Some(_) => Err(FileError::ReadOnly),
            None => self.layer.set(path, entry),
        }
    }

    /// Writes a file whole or adds to its end.
    ///
    /// # Errors
    /// As the system would refuse it.
    pub fn write(&mut self, path: &str, bytes: &[u8], append: bool) -> Result<(), FileError> {
        if path == "/dev/null" {
            return Ok(());
        }
        let old = self.find(path);
        if old.as_ref().is_some_and(|e| e.bytes.is_none()) {
            return Err(FileError::IsFolder);
        }
        let parent = parent(path);
        match &old {
            Some(e) if self.uid == 0 || e.uid == self.uid || e.mode & 0o002 != 0 => {
                if self.read_only_root && self.mount_of(path).is_none() {
                    return Err(FileError::ReadOnly);
                }
            }
            Some(_) => return Err(FileError::Denied),
            None => self.may_change(parent)?,
        }
        let mut all = match (append, old.as_ref().and_then(|e| e.bytes.as_ref())) {
            (true, Some(before)) => before.to_vec(),
            _ => Vec::new(),
        };
        all.extend_from_slice(bytes);
        let (mode, uid) = old.map_or((0o644, self.uid), |e| (e.mode, e.uid));
        self.put(path, Some(Entry { bytes: Some(Arc::new(all)), mode, uid, modified: self.now }))
    }

    /// Makes a folder.
    ///
    /// # Errors
    /// As the system would refuse it.
    pub fn make_folder(&mut self, path: &str) -> Result<(), FileError> {
        if self.find(path).is_some() {
            return Err(FileError::Exists);
        }
        self.may_change(parent(path))?;
        let entry = Entry { uid: self.uid, ..Entry::folder(self.now) };
        self.put(path, Some(entry))
    }

    /// Sets the mode and, if it is given, when it was last changed: its owner may, and root.
    ///
    /// # Errors
    /// As the system would refuse it.
    pub fn set_facts(&mut self, path: &str, mode: u32, modified: Option<Time>) -> Result<(), FileError> {
        let entry = self.find(path).ok_or(FileError::NotFound)?;
        let root = self.read_only_root && self.mount_of(path).is_none();
        if root || self.mount_of(path).is_some_and(|m| m.read_only || matches!(m.source, Source::Given(_))) {
            return Err(FileError::ReadOnly);
        }
        if self.uid != 0 && entry.uid != self.uid {
            return Err(FileError::Other("Operation not permitted".into()));
        }
        if self.mounts.iter().any(|m| m.at == path) {
            return Ok(());
        }
        let modified = modified.unwrap_or(entry.modified);
        self.put(path, Some(Entry { mode, modified, ..entry }))
    }

    /// Removes a file or an empty folder.
    ///
    /// # Errors
    /// As the system would refuse it.
    pub fn remove(&mut self, path: &str) -> Result<(), FileError> {
        let entry = self.find(path).ok_or(FileError::NotFound)?;
        self.may_change(parent(path))?;
        if entry.bytes.is_none() && !self.list(path)?.is_empty() {
            return Err(FileError::NotEmpty);
        }
        self.put(path, None)
    }

    /// Names directly under a folder, sorted.
    ///
    /// # Errors
    /// `NotFound`, `NotFolder`.
    pub fn list(&self, folder: &str) -> Result<Vec<String>, FileError> {
        let entry = self.find(folder).ok_or(FileError::NotFound)?;
        if entry.bytes.is_some() {
            return Err(FileError::NotFolder);
        }
        let mut names = BTreeSet::new();
        let prefix = if folder == "/" { "/".to_string() } else { format!("{folder}/") };
        if let Some(mount) = self.mount_of(folder) {
            let inner = folder[mount.at.len()..].trim_start_matches('/');
            let prefix = if inner.is_empty() { String::new() } else { format!("{inner}/") };
            match &mount.source {
                Source::Volume(name) => {
                    let entries = self.volumes.get(name).into_iter().flat_map(Overlay::entries).filter(|(_, e)| e.is_some());
                    names.extend(entries.filter_map(|(p, _)| first(p, &prefix)));
                }
                Source::Given(files) => names.extend(files.keys().filter_map(|p| first(p, &prefix))),
            }
        } else {
            names.extend(self.base.range(prefix.clone()..).map_while(|(p, _)| first(p, &prefix)));
            for (path, entry) in self.layer.entries() {
                if let Some(name) = first(path, &prefix) {
                    match entry {
                        Some(_) => drop(names.insert(name)),
                        None if path[prefix.len()..] == *name => drop(names.remove(&name)),
                        None => (),
                    }
                }
            }
        }
        names.extend(self.mounts.iter().filter_map(|m| first(&m.at, &prefix)));
        Ok(names.into_iter().collect())
    }

    /// Facts about a file or folder.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn stat(&self, path: &str, user_of: impl Fn(u32) -> String) -> Result<FileInfo, FileError> {
        let entry = self.find(path).ok_or(FileError::NotFound)?;
        let size = entry.bytes.as_ref().map_or(4096, |b| b.len()) as u64;
        let owner = user_of(entry.uid);
        Ok(FileInfo {
            folder: entry.bytes.is_none(),
            size,
            mode: entry.mode,
            group: owner.clone(),
            owner,
            modified: entry.modified,
        })
    }
}

fn given(files: &BTreeMap<String, Vec<u8>>, inner: &str, now: Time) -> Option<Entry> {
    if let Some(bytes) = files.get(inner) {
        return Some(Entry::file(bytes.clone(), now));
    }
    let below = format!("{inner}/");
    files.keys().any(|k| k.starts_with(&below)).then(|| Entry::folder(now))
}

/// The first part of `path` below `prefix`.
fn first(path: &str, prefix: &str) -> Option<String> {
    let rest = path.strip_prefix(prefix)?;
    let name = rest.split('/').next().unwrap_or("");
    (!name.is_empty()).then(|| name.to_string())
}

fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(uid: u32, f: impl FnOnce(&mut Tree<'_>) -> T) -> T {
        let now = Time(0);
        let base = BTreeMap::from([
            ("/etc/passwd".to_string(), Entry::file("root:x:0", now)),
            ("/tmp".to_string(), Entry { mode: 0o777, ..Entry::folder(now) }),
        ]);
        let given = BTreeMap::from([("a.txt".to_string(), b"A".to_vec())]);
        let mounts = vec![
            Mount { at: "/etc/conf".into(), source: Source::Given(given), read_only: true },
            Mount { at: "/data".into(), source: Source::Volume("d".into()), read_only: false },
        ];
        let (mut layer, mut volumes) = (Overlay::default(), BTreeMap::new());
        f(&mut Tree { base, mounts, layer: &mut layer, volumes: &mut volumes, uid, read_only_root: false, now })
    }

    #[test]
    fn files_are_written_where_the_user_may() {
        with(100, |t| {
            assert_eq!(t.write("/etc/passwd", b"x", false), Err(FileError::Denied));
            assert_eq!(t.write("/new", b"x", false), Err(FileError::Denied));
            assert_eq!(t.write("/etc/conf/b", b"x", false), Err(FileError::ReadOnly));
            assert_eq!(t.write("/nosuch/x", b"x", false), Err(FileError::NotFound));
            t.write("/tmp/x", b"1", false).unwrap();
            t.write("/tmp/x", b"2", true).unwrap();
            assert_eq!(t.read("/tmp/x").unwrap(), b"12");
            t.write("/data/y", b"3", false).unwrap();
            assert_eq!(t.list("/data").unwrap(), ["y"]);
            assert_eq!(t.list("/").unwrap(), ["data", "etc", "tmp"]);
            assert_eq!(t.list("/etc").unwrap(), ["conf", "passwd"]);
            t.remove("/tmp/x").unwrap();
            assert_eq!(t.read("/tmp/x"), Err(FileError::NotFound));
            assert_eq!(t.list("/tmp").unwrap(), Vec::<String>::new());
        });
    }

    #[test]
    fn space_ends() {
        with(0, |t| {
            assert_eq!(t.write("/big", &vec![0; BYTES_LIMIT + 1], false), Err(FileError::NoSpace));
        });
    }
}
