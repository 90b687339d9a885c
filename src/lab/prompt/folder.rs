//! The lab's folder as the shell sees files.

use crate::base::clock::{Clock, Time};
use crate::base::files::Files as LabFiles;
use crate::shell::{FileError, FileInfo, Files};
use std::io;
use std::sync::Arc;

/// The largest file that a redirection may write.
const LIMIT: usize = 8 << 20;

/// [`crate::shell::Files`] over the lab's folder.
pub struct Folder {
    pub files: Arc<dyn LabFiles>,
    pub clock: Arc<dyn Clock>,
}

impl Files for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        self.files.read(path).map_err(|e| error(&e))
    }

    fn write(&mut self, path: &str, bytes: &[u8], append: bool) -> Result<(), FileError> {
        let mut whole = match append {
            true => self.files.read(path).or_else(|e| match e.kind() {
                io::ErrorKind::NotFound => Ok(Vec::new()),
                _ => Err(error(&e)),
            })?,
            false => Vec::new(),
        };
        whole.extend_from_slice(bytes);
        if whole.len() > LIMIT {
            return Err(FileError::NoSpace);
        }
        self.files.write(path, &whole).map_err(|e| error(&e))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, FileError> {
        let names = self.files.list(folder).map_err(|e| error(&e))?;
        Ok(names.into_iter().map(|name| name.trim_end_matches('/').to_string()).collect())
    }

    fn stat(&self, path: &str) -> Result<FileInfo, FileError> {
        let info = |folder, size, mode| FileInfo {
            folder,
            size,
            mode,
            owner: "learner".into(),
            group: "learner".into(),
            modified: self.modified(),
        };
        match self.files.read(path) {
            Ok(bytes) => Ok(info(false, bytes.len() as u64, 0o644)),
            Err(_) if self.files.list(path).is_ok() => Ok(info(true, 4096, 0o755)),
            Err(e) => Err(error(&e)),
        }
    }

    fn command_path(&self, _name: &str) -> Option<String> {
        None
    }
}

impl Folder {
    fn modified(&self) -> Time {
        self.clock.now()
    }
}

fn error(e: &io::Error) -> FileError {
    match e.kind() {
        io::ErrorKind::NotFound => FileError::NotFound,
        io::ErrorKind::PermissionDenied if e.to_string().contains("outside") => FileError::Other(e.to_string()),
        io::ErrorKind::PermissionDenied => FileError::Denied,
        io::ErrorKind::IsADirectory => FileError::IsFolder,
        io::ErrorKind::NotADirectory => FileError::NotFolder,
        io::ErrorKind::ReadOnlyFilesystem => FileError::ReadOnly,
        io::ErrorKind::StorageFull => FileError::NoSpace,
        _ => FileError::Other(e.to_string()),
    }
}
