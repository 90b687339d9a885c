//! A small POSIX shell without I/O: text goes in, steps come out. It does not know where commands run: in a pod (`sandbox::node`) or
//! at the lab prompt. Errors are worded as busybox's ash words them, because learners meet that shell in the test pod.
//!
//! - [`parse::parse`] reads a script; an [`parse::Error`] says whether more lines are wanted.
//! - [`machine::Machine`] runs one script: `poll(files, input) -> Step`.
//! - [`session::Session`] is `sh` on a terminal: bytes in, bytes out, one machine per line.
//! - [`rules::Rules`] narrows what a line may use (the lab prompt takes no assignments and no loops).

pub mod arith;
pub mod ast;
pub mod builtin;
pub mod expand;
pub mod glob;
pub mod line;
pub mod machine;
pub mod parse;
pub mod rules;
pub mod session;

use crate::base::clock::Time;

/// Why a file operation did not work, as the system's error numbers would say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileError {
    NotFound,
    Denied,
    IsFolder,
    NotFolder,
    Exists,
    NotEmpty,
    ReadOnly,
    NoSpace,
    /// Anything else, in words.
    Other(String),
}

impl std::fmt::Display for FileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            FileError::NotFound => "No such file or directory",
            FileError::Denied => "Permission denied",
            FileError::IsFolder => "Is a directory",
            FileError::NotFolder => "Not a directory",
            FileError::Exists => "File exists",
            FileError::NotEmpty => "Directory not empty",
            FileError::ReadOnly => "Read-only file system",
            FileError::NoSpace => "No space left on device",
            FileError::Other(text) => text,
        })
    }
}

/// What `ls -l` and `test` want to know of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    pub folder: bool,
    /// Bytes.
    pub size: u64,
    /// Permission bits, e.g. 0o644.
    pub mode: u32,
    pub owner: String,
    pub group: String,
    pub modified: Time,
}

/// The files a script sees. Paths are absolute and without `.` and `..` when the machine's folder is absolute; at the lab prompt
/// (folder "") they arrive as written.
pub trait Files {
    /// The bytes of a file.
    ///
    /// # Errors
    /// As the system would refuse it.
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError>;
    /// Writes a file: replaces it, or adds to its end.
    ///
    /// # Errors
    /// As the system would refuse it.
    fn write(&mut self, path: &str, bytes: &[u8], append: bool) -> Result<(), FileError>;
    /// Names directly under a folder, sorted, without slashes.
    ///
    /// # Errors
    /// As the system would refuse it.
    fn list(&self, folder: &str) -> Result<Vec<String>, FileError>;
    /// Facts about a file or folder.
    ///
    /// # Errors
    /// As the system would refuse it.
    fn stat(&self, path: &str) -> Result<FileInfo, FileError>;
    /// Where a command that is not built into the shell lives (`/usr/bin/curl`), `None` when there is no such command.
    fn command_path(&self, name: &str) -> Option<String>;
}

/// Joins a path to the working folder: absolute and clean when `cwd` is absolute, as written when `cwd` is "".
pub fn join(cwd: &str, path: &str) -> String {
    if cwd.is_empty() {
        return path.to_string();
    }
    let whole = if path.starts_with('/') { path.to_string() } else { format!("{cwd}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => (),
            ".." => drop(parts.pop()),
            p => parts.push(p),
        }
    }
    format!("/{}", parts.join("/"))
}
