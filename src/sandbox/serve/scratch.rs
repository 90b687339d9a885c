//! A folder of this process alone, for the files of an unsaved world: private, under a name nobody else has, gone with its owner.

use super::Error;
use super::disk::{Disk, System};
use crate::base::seed::Seed;
use std::fs::{self, DirBuilder};
use std::io;
use std::path::{Path, PathBuf};

/// How many names are tried in one place.
const TRIES: usize = 16;

/// See the module's text.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes a folder in the first of these places that takes one.
    ///
    /// # Errors
    /// The error of the last place.
    pub fn make(places: &[PathBuf]) -> Result<Scratch, Error> {
        let mut last = Error::file(PathBuf::new(), io::ErrorKind::NotFound.into());
        for place in places {
            match Scratch::make_in(place) {
                Ok(scratch) => return Ok(scratch),
                Err(error) => last = Error::file(place, error),
            }
        }
        Err(last)
    }

    fn make_in(place: &Path) -> io::Result<Scratch> {
        builder().recursive(true).create(place)?;
        let mut taken = io::ErrorKind::AlreadyExists.into();
        for _ in 0..TRIES {
            // Nobody can have made it beforehand: a folder that is there already is not taken.
            let path = place.join(format!("world-{}-{:08x}", std::process::id(), Seed::fresh().0 >> 32));
            match builder().create(&path) {
                Ok(()) => return Ok(Scratch { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => taken = error,
                Err(error) => return Err(error),
            }
        }
        Err(taken)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A folder below the first of these places that can keep files from other users. Where there is none a scratch folder that does not
/// last: it goes when the second value does.
///
/// # Errors
/// No folder can be made at all.
pub fn private_place(places: &[PathBuf], below: &str) -> Result<(PathBuf, Option<Scratch>), Error> {
    let temporary = std::env::temp_dir();
    for place in places.iter().filter(|place| **place != temporary) {
        let folder = place.join(below);
        if builder().recursive(true).create(&folder).is_ok() && keeps_secrets(&folder) {
            return Ok((folder, None));
        }
    }
    let scratch = Scratch::make(places)?;
    Ok((scratch.path().to_path_buf(), Some(scratch)))
}

fn keeps_secrets(folder: &Path) -> bool {
    let probe = folder.join("probe");
    let kept = super::keys::write_private(&probe, b"").is_ok() && System.is_private(&probe);
    let _ = fs::remove_file(probe);
    kept
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left over harms nobody.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Folders for their owner only.
pub(super) fn builder() -> DirBuilder {
    #[allow(unused_mut)]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_private_its_own_and_gone_afterwards() {
        let home = tempfile::tempdir().expect("a folder");
        let file = home.path().join("file");
        fs::write(&file, "").expect("a file");
        let places = [file.join("below"), home.path().join("deep/er")];
        let (one, two) = (Scratch::make(&places).expect("the second place"), Scratch::make(&places).expect("again"));
        assert_ne!(one.path(), two.path());
        #[cfg(unix)]
        for folder in [one.path(), one.path().parent().expect("a parent")] {
            let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(folder).expect("there").permissions());
            assert_eq!(mode & 0o777, 0o700);
        }
        let path = one.path().to_path_buf();
        drop(one);
        assert!(!path.exists() && two.path().exists());
        assert!(Scratch::make(&places[..1]).is_err());
    }
}
