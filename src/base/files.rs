//! The files a lab line may read and write: a folder on disk for people, an in-memory one for `run` and `prove`.

mod disk;

pub use disk::{Folder, WholeDisk, make_private};

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Mutex;

/// A folder. Names are relative paths with `/`; implementations refuse to leave the folder.
pub trait Files: Send + Sync {
    /// The bytes of a file.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied` (outside the folder), `FileTooLarge`, or what the system says.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// Writes a file whole, making its parent folders.
    ///
    /// # Errors
    /// As [`Files::read`].
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// As [`Files::read`].
    fn remove(&self, name: &str) -> io::Result<()>;
    /// The names of files directly under `folder` ("" is the root), folders with a trailing `/`, sorted.
    ///
    /// # Errors
    /// `NotFound` when there is no such folder, `NotADirectory` when it is a file.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;
    /// Where the folder is on this machine, for people; `None` when it is only in memory.
    fn location(&self) -> Option<PathBuf>;
}

/// Files that live in memory.
#[derive(Debug, Default)]
pub struct MemoryFiles(Mutex<BTreeMap<String, Vec<u8>>>);

impl Files for MemoryFiles {
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let name = inside(name)?;
        self.lock().get(&name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let name = inside(name)?;
        self.lock().insert(name, bytes.to_vec());
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let name = inside(name)?;
        self.lock().remove(&name).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let folder = inside(folder)?;
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let files = self.lock();
        let mut names: Vec<String> = files
            .keys()
            .filter_map(|name| name.strip_prefix(&prefix))
            .map(|rest| match rest.split_once('/') {
                Some((dir, _)) => format!("{dir}/"),
                None => rest.to_string(),
            })
            .collect();
        names.dedup();
        match names.is_empty() && !folder.is_empty() {
            true => Err(io::ErrorKind::NotFound.into()),
            false => Ok(names),
        }
    }

    fn location(&self) -> Option<PathBuf> {
        None
    }
}

impl MemoryFiles {
    /// An independent copy.
    pub fn fork(&self) -> MemoryFiles {
        MemoryFiles(Mutex::new(self.lock().clone()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The name with `.` removed and `..` resolved, refused when it leaves the folder.
///
/// # Errors
/// `PermissionDenied` for absolute paths, drive prefixes and paths that climb out.
pub fn inside(name: &str) -> io::Result<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in Path::new(name).components() {
        match part {
            Component::Normal(p) => parts.push(p.to_string_lossy().into_owned()),
            Component::CurDir => (),
            Component::ParentDir if !parts.is_empty() => drop(parts.pop()),
            _ => return Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("{name} is outside the lab's folder"))),
        }
    }
    Ok(parts.join("/"))
}
