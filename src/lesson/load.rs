//! Lesson packs: the embedded one and a folder on disk take the same way.

use super::clean;
use super::model::{Lesson, Track};
use super::raw;
use crate::base::files::Files;
use crate::base::text;
use std::collections::BTreeMap;

static LESSONS: include_dir::Dir<'static> = include_dir::include_dir!("$CARGO_MANIFEST_DIR/lessons");

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
    /// In characters, counted from 1.
    pub column: usize,
    pub message: String,
    /// What to do about it; may be empty.
    pub advice: String,
    /// The line of the file, for the excerpt.
    pub source_line: String,
}

impl Problem {
    /// A problem of a whole file.
    pub fn of_file(file: &str, message: &str, advice: &str) -> Problem {
        Problem {
            file: file.into(),
            line: 0,
            column: 0,
            message: message.into(),
            advice: advice.into(),
            source_line: String::new(),
        }
    }

    /// A problem at a place of a file's text.
    pub fn at(file: &str, source: &str, place: (usize, usize), message: &str, advice: &str) -> Problem {
        let source_line = source.lines().nth(place.0.saturating_sub(1)).unwrap_or("").to_string();
        Problem { line: place.0, column: place.1, source_line, ..Problem::of_file(file, message, advice) }
    }

    /// `FILE:LINE:COLUMN: message`, the line with a caret, the advice.
    pub fn to_text(&self) -> String {
        let mut out = match self.line {
            0 => format!("{}: {}", self.file, self.message),
            line => format!("{}:{line}:{}: {}", self.file, self.column, self.message),
        };
        if self.line > 0 {
            let number = self.line.to_string();
            let pad = " ".repeat(number.len());
            let before: String = self.source_line.chars().take(self.column.saturating_sub(1)).collect();
            let before = " ".repeat(text::width(&before));
            out.push_str(&format!("\n {pad} |\n {number} | {}\n {pad} | {before}^", self.source_line));
        }
        if !self.advice.is_empty() {
            out.push_str(&format!("\n  {}", self.advice));
        }
        out
    }
}

/// Limits of a folder on disk.
const DEPTH: usize = 4;
const FILES: usize = 1_000;
const BYTES: usize = 1 << 20;

impl Pack {
    /// The lessons inside this program.
    pub fn embedded() -> Pack {
        let mut pack = Pack::default();
        let mut folders = vec![&LESSONS];
        while let Some(folder) = folders.pop() {
            folders.extend(folder.dirs());
            for file in folder.files() {
                if let (Some(path), Some(text)) = (file.path().to_str(), file.contents_utf8()) {
                    pack.0.insert(path.replace('\\', "/"), text.to_string());
                }
            }
        }
        pack
    }

    /// Reads a folder (at most 4 levels, 1,000 files, 1 MiB each); names that start with a dot are left out.
    ///
    /// # Errors
    /// What the folder says, or `InvalidData` beyond a limit and for a file that is not text.
    pub fn read(files: &dyn Files) -> std::io::Result<Pack> {
        let refused = |why: String| std::io::Error::new(std::io::ErrorKind::InvalidData, why);
        let mut pack = Pack::default();
        let mut folders = vec![(String::new(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            for name in files.list(&folder)? {
                let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
                if name.starts_with('.') {
                    continue;
                }
                if let Some(path) = path.strip_suffix('/') {
                    match depth < DEPTH {
                        true => folders.push((path.to_string(), depth + 1)),
                        false => return Err(refused(format!("{path}: lesson folders are at most {DEPTH} deep"))),
                    }
                    continue;
                }
                let bytes = files.read(&path)?;
                if bytes.len() > BYTES || pack.0.len() >= FILES {
                    return Err(refused(format!("{path}: a pack has at most {FILES} files of at most 1 MiB")));
                }
                let text = String::from_utf8(bytes).map_err(|_| refused(format!("{path}: not UTF-8 text")))?;
                pack.0.insert(path, text);
            }
        }
        Ok(pack)
    }

    /// The tracks of the pack, or everything that is wrong with it.
    ///
    /// # Errors
    /// All problems found, in file order.
    pub fn tracks(&self) -> Result<Vec<Track>, Vec<Problem>> {
        let names: Vec<&str> = self.0.keys().filter_map(|p| p.strip_suffix("/track.yaml")).filter(|d| !d.contains('/')).collect();
        if names.is_empty() {
            let advice = "A pack is a folder of tracks: TRACK/track.yaml and TRACK/LESSON/lesson.yaml.";
            return Err(vec![Problem::of_file("track.yaml", "there is no track here", advice)]);
        }
        let mut problems = Vec::new();
        let mut tracks = Vec::new();
        for name in names {
            match self.track(name) {
                Ok(track) => tracks.push(track),
                Err(found) => problems.extend(found),
            }
        }
        match problems.is_empty() {
            true => Ok(tracks),
            false => Err(problems),
        }
    }

    fn track(&self, name: &str) -> Result<Track, Vec<Problem>> {
        let file = format!("{name}/track.yaml");
        let text = self.0.get(&file).map_or("", String::as_str);
        refuse_other_format(&file, text)?;
        let raw: raw::Track = clean::read(&file, text).map_err(|p| vec![p])?;
        if raw.id != name || !clean::is_slug(&raw.id) {
            let place = crate::base::yaml::places(text).get("id").copied().unwrap_or((1, 1));
            let message = format!("the id `{}` is not the folder's name `{name}`, or not a slug", raw.id);
            return Err(vec![Problem::at(&file, text, place, &message, "Rename the folder or the id.")]);
        }
        let mut problems = Vec::new();
        let mut lessons: Vec<Lesson> = Vec::new();
        for lesson in &raw.lessons {
            match clean::lesson(self, &format!("{name}/{lesson}")) {
                Ok(lesson) => lessons.push(lesson),
                Err(found) => problems.extend(found),
            }
        }
        // Where a lesson could not be read, another one may well name it.
        if problems.is_empty() {
            problems.extend(lessons.iter().filter_map(|lesson| self.other_lesson(name, lesson, &lessons)));
        }
        match problems.is_empty() {
            true => Ok(Track {
                id: raw.id,
                title: raw.title,
                summary: raw.summary,
                licence: raw.licence,
                authors: raw.authors,
                istio: raw.istio,
                lessons,
            }),
            false => Err(problems),
        }
    }

    /// What is wrong with the lesson that another one names to be taken instead.
    fn other_lesson(&self, track: &str, lesson: &Lesson, all: &[Lesson]) -> Option<Problem> {
        let other = lesson.without_mesh_config.as_ref()?;
        let message = match all.iter().find(|one| one.id == *other) {
            None => format!("the track has no lesson `{other}`"),
            Some(one) if one.without_mesh_config.is_some() => format!("the lesson `{other}` names another one itself"),
            Some(_) => return None,
        };
        let file = format!("{track}/{}/lesson.yaml", lesson.id);
        let text = self.0.get(&file).map_or("", String::as_str);
        let place = crate::base::yaml::places(text).get("without_mesh_config").copied().unwrap_or((1, 1));
        Some(Problem::at(&file, text, place, &message, "Name a lesson of this track that changes nothing for everybody."))
    }
}

/// A newer format is not an unknown field: it says so before anything else is read.
fn refuse_other_format(file: &str, text: &str) -> Result<(), Vec<Problem>> {
    let value = crate::base::yaml::parse(text).unwrap_or_default();
    let Some(format) = value.get("format").and_then(serde_json::Value::as_u64) else { return Ok(()) };
    let (message, advice) = match format {
        f if f > u64::from(raw::FORMAT) => (
            format!("the lessons are written in format {f}; this program reads format {}", raw::FORMAT),
            "Update egress-lab, or use an older release of the lessons.",
        ),
        0 => ("format 0 never existed".to_string(), "Write `format: 1`."),
        _ => return Ok(()),
    };
    let place = crate::base::yaml::places(text).get("format").copied().unwrap_or((1, 1));
    Err(vec![Problem::at(file, text, place, &message, advice)])
}

#[cfg(test)]
mod tests;
