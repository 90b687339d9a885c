//! The file in which every command stands that was run.

use super::{Failure, Ran};
use crate::base::clock::{Clock, SystemClock};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A file that is longer is put aside as `NAME.1` first.
const LONGEST: u64 = 1 << 20;

/// Appends lines: moment, what, and how it ended. Not being able to write is no reason not to run a command.
#[derive(Debug)]
pub struct Record(Option<PathBuf>);

impl Record {
    pub fn new(file: Option<PathBuf>) -> Record {
        Record(file)
    }

    pub fn begins(&self, shown: &str) {
        self.write(&format!("$ {shown}"));
    }

    pub fn ends(&self, shown: &str, end: &Result<Ran, Failure>, ms: u64) {
        let how = match end {
            Ok(ran) if ran.is_good() => format!("good after {ms} ms: {shown}"),
            Ok(ran) => {
                let stderr = ran.stderr.clone();
                format!("{} (after {ms} ms)", Failure::Ended { shown: shown.into(), code: ran.code, stderr })
            }
            Err(failure) => format!("{failure} (after {ms} ms)"),
        };
        self.write(&how);
    }

    fn write(&self, text: &str) {
        let Some(file) = &self.0 else { return };
        let _ = append(file, &format!("{} {text}\n", SystemClock.now()));
    }
}

fn append(file: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        crate::base::files::make_private(folder)?;
    }
    if std::fs::metadata(file).is_ok_and(|meta| meta.len() > LONGEST) {
        std::fs::rename(file, file.with_extension("log.1"))?;
    }
    std::fs::OpenOptions::new().create(true).append(true).open(file)?.write_all(text.as_bytes())
}
