//! What a folder's file system can do beyond reading and writing. Mounted Windows disks keep no modes, some network disks have no
//! locks, neither may be able to sync: the world is kept there all the same, and a warning says what is missing.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

/// The parts of a file system that may be missing.
pub trait Disk: Send {
    /// Takes the lock of an open file.
    ///
    /// # Errors
    /// Somebody has it, or there are no locks.
    fn lock(&self, file: &File) -> Result<(), TryLockError>;
    /// Brings a file's bytes on disk.
    ///
    /// # Errors
    /// It cannot be done.
    fn sync(&self, file: &File) -> io::Result<()>;
    /// Whether a file made for its owner only is that.
    fn is_private(&self, path: &Path) -> bool;
}

/// The file system as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Disk for System {
    fn lock(&self, file: &File) -> Result<(), TryLockError> {
        file.try_lock()
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn is_private(&self, path: &Path) -> bool {
        #[cfg(unix)]
        let mode = fs::metadata(path).map(|about| std::os::unix::fs::PermissionsExt::mode(&about.permissions()));
        #[cfg(not(unix))]
        let mode = fs::metadata(path).map(|_| 0);
        mode.is_ok_and(|mode| mode & 0o077 == 0)
    }
}

/// Whether an error says that the file system does not have this at all.
pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput)
}

/// Who has a world in a folder without locks: the process and its machine, one to a line.
pub(super) fn owner() -> String {
    let machine = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}\n{}\n", std::process::id(), machine.trim())
}

/// The process that has a world by such a note, if it may still be there: on this machine one that runs, on another one any.
pub(super) fn holder(note: &str) -> Option<u32> {
    let pid: u32 = note.lines().next()?.trim().parse().ok()?;
    let here = note.lines().nth(1) == owner().lines().nth(1);
    let processes = Path::new("/proc/self").exists();
    let gone = here && processes && !Path::new(&format!("/proc/{pid}")).exists();
    (!gone).then_some(pid)
}
