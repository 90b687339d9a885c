//! A real folder as [`Files`], and the whole file system for a command line of the caller's own.

use super::{Files, inside};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes: more than any manifest the API server takes (3 MiB).
const LIMIT: u64 = 16 << 20;

/// One folder of this machine; nothing outside it is read or written, also not through symbolic links.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Opens a folder, making it when it is not there (mode 0700 on Unix).
    ///
    /// # Errors
    /// What the system says.
    pub fn open(root: &Path) -> io::Result<Folder> {
        make_private(root)?;
        Ok(Folder { root: root.canonicalize()? })
    }

    /// The path of a name, refused when it leaves the folder.
    fn path(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.root.join(inside(name)?);
        let mut there = path.as_path();
        while fs::symlink_metadata(there).is_err() {
            there = there.parent().unwrap_or(&self.root);
        }
        match there.canonicalize()?.starts_with(&self.root) {
            true => Ok(path),
            false => Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("{name} is outside the lab's folder"))),
        }
    }
}

impl Files for Folder {
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        read(&self.path(name)?)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        write(&self.path(name)?, bytes)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name)?)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        list(&self.path(folder)?)
    }

    fn location(&self) -> Option<PathBuf> {
        Some(self.root.clone())
    }
}

/// The caller's own file system, relative names from the working folder: only for `egress-lab kubectl` on a command line.
#[derive(Debug, Clone, Copy, Default)]
pub struct WholeDisk;

impl Files for WholeDisk {
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        read(Path::new(name))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        write(Path::new(name), bytes)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(name)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        list(Path::new(if folder.is_empty() { "." } else { folder }))
    }

    fn location(&self) -> Option<PathBuf> {
        std::env::current_dir().ok()
    }
}

/// Makes a folder and its parents, readable by their owner only.
///
/// # Errors
/// What the system says.
pub fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let meta = fs::metadata(path)?;
    if meta.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if meta.len() > LIMIT {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    fs::read(path)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, bytes)
}

fn list(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let slash = if entry.path().is_dir() { "/" } else { "" };
        names.push(format!("{name}{slash}"));
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(&dir.path().join("files")).unwrap();
        folder.write("a/b.yaml", b"x").unwrap();
        assert_eq!(folder.read("./a/../a/b.yaml").unwrap(), b"x");
        assert_eq!(folder.list("").unwrap(), ["a/"]);
        fs::write(dir.path().join("secret"), "s").unwrap();
        for name in ["../secret", "/etc/passwd", "a/../../secret"] {
            assert_eq!(folder.read(name).unwrap_err().kind(), io::ErrorKind::PermissionDenied, "{name}");
            assert_eq!(folder.write(name, b"").unwrap_err().kind(), io::ErrorKind::PermissionDenied, "{name}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(dir.path().join("secret"), dir.path().join("files/link")).unwrap();
            std::os::unix::fs::symlink(dir.path(), dir.path().join("files/up")).unwrap();
            assert_eq!(folder.read("link").unwrap_err().kind(), io::ErrorKind::PermissionDenied);
            assert_eq!(folder.write("up/new", b"").unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        }
    }
}
