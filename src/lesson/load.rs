//! Lesson packs: the embedded one and a folder on disk take the same way.

use super::model::Track;
use crate::base::files::Files;
use std::collections::BTreeMap;

/// The files of a lesson folder by path (`TRACK/track.yaml`, `TRACK/LESSON/lesson.yaml`, ..).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pack(pub BTreeMap<String, String>);

/// Something wrong with a pack, with the place where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.to_text())]
pub struct Problem {
    /// Path inside the pack.
    pub file: String,
    /// Counted from 1; 0 when there is no place to point at.
    pub line: usize,
    pub column: usize,
    pub message: String,
    /// What to do about it; may be empty.
    pub advice: String,
    /// The line of the file, for the excerpt.
    pub source_line: String,
}

impl Problem {
    /// `FILE:LINE:COLUMN: message`, the line with a caret, the advice.
    pub fn to_text(&self) -> String {
        let mut out = match self.line {
            0 => format!("{}: {}", self.file, self.message),
            line => format!("{}:{line}:{}: {}", self.file, self.column, self.message),
        };
        if self.line > 0 {
            let number = self.line.to_string();
            let pad = " ".repeat(number.len());
            let before = " ".repeat(self.column.saturating_sub(1));
            out.push_str(&format!("\n {pad} |\n {number} | {}\n {pad} | {before}^", self.source_line));
        }
        if !self.advice.is_empty() {
            out.push_str(&format!("\n  {}", self.advice));
        }
        out
    }
}

impl Pack {
    /// The lessons inside this program.
    pub fn embedded() -> Pack {
        Pack::default()
    }

    /// Reads a folder (limits: depth 4, 1,000 files, 1 MiB each).
    ///
    /// # Errors
    /// What the folder says.
    pub fn read(files: &dyn Files) -> std::io::Result<Pack> {
        let _ = files;
        Ok(Pack::default())
    }

    /// The tracks of the pack, or everything that is wrong with it.
    ///
    /// # Errors
    /// All problems found, in file order.
    pub fn tracks(&self) -> Result<Vec<Track>, Vec<Problem>> {
        Ok(Vec::new())
    }
}
