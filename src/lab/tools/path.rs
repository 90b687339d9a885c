//! Where programs are.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The first program of this name in the folders of a search path; a name with a `/` is a path already.
pub fn find(name: &str, path: &OsStr) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|file| is_program(file));
    }
    let folders = std::env::split_paths(path).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join(name)).find_map(|file| with_ending(&file))
}

/// The file if it can be run, on Windows also with `.exe`.
fn with_ending(file: &Path) -> Option<PathBuf> {
    let ended = cfg!(windows).then(|| file.with_extension("exe"));
    std::iter::once(file.to_path_buf()).chain(ended).find(|file| is_program(file))
}

/// Whether a file can be run.
#[cfg(unix)]
pub fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Whether a file can be run.
#[cfg(not(unix))]
pub fn is_program(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|ext| ext == "exe")
}
