//! One file that takes a stuck learner's lab to somebody else: the world, the place in the lesson, what was typed last, the lab's
//! files. Secrets and the names of the learner's folders stay behind.

pub mod redact;

use crate::base::clock::Time;
use crate::base::files::Files;
use crate::base::paths;
use crate::finding::Ran;
use crate::lesson::model::Lesson;
use crate::progress::{Entry, How, StepKey, Summary};
use crate::session::story::{Story, StoryStep};
use redact::Redactor;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The first words of the file.
const MAGIC: &str = "egress-lab share";
/// The version of the format that is written; others are refused.
const FORMAT: u32 = 1;
/// The largest file that is written or read.
pub const MAX_BYTES: usize = 32 << 20;
/// The largest file of the lab's folder that goes along, and how many do.
const MAX_FILE: usize = 256 << 10;
const MAX_FILES: usize = 100;
/// How deep the lab's folder is looked through.
const MAX_DEPTH: usize = 4;

/// Why a file cannot be opened or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("this is no file that `share` wrote: its first line does not begin with `{MAGIC}`")]
    Foreign,
    #[error(
        "the file was written in format {0}; this program reads format {FORMAT}: use the version of egress-lab that wrote it"
    )]
    Format(String),
    #[error("the file is damaged: {0}. Ask for it again")]
    Damaged(String),
    #[error("the file has {0} bytes; at most {MAX_BYTES} are read")]
    TooLarge(usize),
    #[error("the file is about lesson {lesson} in version {version}; {has}")]
    Lesson { lesson: String, version: u32, has: String },
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shared {
    /// When, RFC 3339.
    pub made: String,
    /// The version of the program that wrote it.
    pub program: String,
    /// The Istio release that the world imitates, "" for the default.
    pub istio: String,
    pub lesson: String,
    pub lesson_version: u32,
    /// The id of the step that was looked at.
    pub step: String,
    pub steps: Vec<SharedStep>,
    pub lines: Vec<SharedLine>,
    pub findings: Vec<String>,
    pub files: Vec<SharedFile>,
    /// The sandbox's state; `null` where the lesson ran on a cluster.
    pub world: Value,
}

/// See [`StoryStep`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedStep {
    pub id: String,
    pub started: bool,
    pub done: Option<How>,
    pub attempts: u32,
    pub hints: u8,
    pub answer: Option<String>,
}

/// A line that was run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedLine {
    pub line: String,
    pub exit_code: i32,
    pub output: String,
}

/// A file of the lab's folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedFile {
    pub name: String,
    pub content: String,
}

/// What goes into a file.
pub struct Lab<'a> {
    pub story: &'a Story,
    pub files: &'a dyn Files,
    /// `null` on a cluster.
    pub world: Value,
    pub istio: String,
    pub now: Time,
}

/// The file's bytes, and how many secret texts were taken out.
///
/// # Errors
/// It would be too large.
pub fn write(lab: Lab<'_>) -> Result<(Vec<u8>, usize), Refusal> {
    let mut redactor = Redactor::new(&lab.world, &paths::private());
    let mut world = lab.world;
    redactor.world(&mut world);
    let line = |ran: &Ran| (ran.line.clone(), ran.exit_code, ran.output.clone());
    let mut lines = Vec::new();
    for (text, exit_code, output) in lab.story.lines.iter().map(line) {
        lines.push(SharedLine { line: redactor.text(&text), exit_code, output: redactor.text(&output) });
    }
    let step = |s: &StoryStep, redactor: &mut Redactor| SharedStep {
        id: s.id.clone(),
        started: s.started,
        done: s.done,
        attempts: s.attempts,
        hints: s.hints,
        answer: s.answer.as_ref().map(|answer| redactor.text(answer)),
    };
    let shared = Shared {
        made: lab.now.rfc3339(),
        program: env!("CARGO_PKG_VERSION").into(),
        istio: lab.istio,
        lesson: lab.story.lesson.clone(),
        lesson_version: lab.story.version,
        step: lab.story.step.clone(),
        steps: lab.story.steps.iter().map(|s| step(s, &mut redactor)).collect(),
        lines,
        findings: lab.story.findings.iter().map(|finding| redactor.text(finding)).collect(),
        files: files(lab.files, &mut redactor),
        world,
    };
    let bytes = encode(&shared);
    match bytes.len() > MAX_BYTES {
        true => Err(Refusal::TooLarge(bytes.len())),
        false => Ok((bytes, redactor.taken())),
    }
}

fn encode(shared: &Shared) -> Vec<u8> {
    let json = serde_json::to_vec(shared).unwrap_or_default();
    let mut bytes = format!("{MAGIC} {FORMAT} {:016x} {}\n", checksum(&json), json.len()).into_bytes();
    bytes.extend_from_slice(&json);
    bytes.push(b'\n');
    bytes
}

/// Reads a file.
///
/// # Errors
/// It is foreign, damaged, too large, or of another format.
pub fn read(bytes: &[u8]) -> Result<Shared, Refusal> {
    if bytes.len() > MAX_BYTES {
        return Err(Refusal::TooLarge(bytes.len()));
    }
    let rest = bytes.strip_prefix(MAGIC.as_bytes()).ok_or(Refusal::Foreign)?;
    let end = rest.iter().take(120).position(|b| *b == b'\n').ok_or_else(|| damaged("its first line does not end"))?;
    let head = std::str::from_utf8(&rest[..end]).map_err(|_| damaged("its first line is no text"))?;
    let words: Vec<&str> = head.split_whitespace().collect();
    let format = words.first().copied().unwrap_or("");
    if format != FORMAT.to_string() {
        return Err(Refusal::Format(format.chars().take(20).collect()));
    }
    let [_, sum, length] = words.as_slice() else { return Err(damaged("its first line is not whole")) };
    let body = &rest[end + 1..];
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    let wanted: usize = length.parse().map_err(|_| damaged("its first line names no length"))?;
    if body.len() != wanted {
        return Err(Refusal::Damaged(format!("{wanted} bytes were written, {} are there", body.len())));
    }
    if u64::from_str_radix(sum, 16) != Ok(checksum(body)) {
        return Err(damaged("its content does not fit its checksum"));
    }
    serde_json::from_slice(body).map_err(|error| Refusal::Damaged(error.to_string()))
}

fn damaged(why: &str) -> Refusal {
    Refusal::Damaged(why.into())
}

/// FNV-1a, 64 bits: against accidents, not against forgers.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The text files of the lab's folder.
fn files(folder: &dyn Files, redactor: &mut Redactor) -> Vec<SharedFile> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), 0)];
    while let Some((place, depth)) = open.pop() {
        for name in folder.list(&place).unwrap_or_default() {
            let path = if place.is_empty() { name.clone() } else { format!("{place}/{name}") };
            if let Some(inner) = path.strip_suffix('/') {
                if depth < MAX_DEPTH && !name.starts_with('.') {
                    open.push((inner.to_string(), depth + 1));
                }
                continue;
            }
            let Ok(bytes) = folder.read(&path) else { continue };
            // A file that was shared or opened before does not go along again.
            if found.len() >= MAX_FILES || bytes.len() > MAX_FILE || bytes.starts_with(MAGIC.as_bytes()) {
                continue;
            }
            if let Ok(text) = String::from_utf8(bytes) {
                found.push(SharedFile { name: path, content: redactor.text(&text) });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

impl Shared {
    /// The progress that it tells of.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for step in &self.steps {
            let key = || StepKey { lesson: self.lesson.clone(), step: step.id.clone(), version: self.lesson_version };
            if step.started {
                summary.add(&Entry::Started { key: key() });
            }
            if step.hints > 0 {
                summary.add(&Entry::Hint { key: key(), tier: step.hints });
            }
            if let Some(how) = step.done {
                summary.add(&Entry::Done { key: key(), how, attempts: step.attempts, hints: step.hints });
            }
        }
        summary
    }

    /// The lesson among those that are there.
    ///
    /// # Errors
    /// It is not among them, or in another version.
    pub fn lesson<'a>(&self, lessons: &'a [std::sync::Arc<Lesson>]) -> Result<&'a std::sync::Arc<Lesson>, Refusal> {
        let found = lessons.iter().find(|lesson| lesson.id == self.lesson);
        match found {
            Some(lesson) if lesson.version == self.lesson_version => Ok(lesson),
            Some(lesson) => Err(self.no_lesson(&format!("here it is in version {}", lesson.version))),
            None => Err(self.no_lesson("it is not among the lessons here; `--lessons DIR` names others")),
        }
    }

    fn no_lesson(&self, has: &str) -> Refusal {
        let lesson = self.lesson.chars().filter(|c| !c.is_control()).take(80).collect();
        Refusal::Lesson { lesson, version: self.lesson_version, has: has.into() }
    }

    /// What whoever opens it should know first.
    pub fn notes(&self, lesson: &Lesson) -> Vec<String> {
        let nth = lesson.steps.iter().position(|step| step.id == self.step);
        let title = nth.map_or(String::new(), |n| format!(", at step {} ({})", n + 1, lesson.steps[n].title));
        let mut notes = vec![
            format!(
                "this is a lab that somebody shared{title}, made {} with version {}",
                clean(&self.made, 40),
                clean(&self.program, 20)
            ),
            "values of Secrets were left out of it; nothing here is noted in your own progress".to_string(),
        ];
        let hints: usize = self.steps.iter().filter(|step| step.id == self.step).map(|step| usize::from(step.hints)).sum();
        if hints > 0 {
            notes.push(format!("{} of this step's hints were seen", hints));
        }
        for line in self.lines.iter().rev().take(8).rev() {
            notes.push(format!("ran (exit code {}): {}", line.exit_code, clean(&line.line, 200)));
        }
        notes
    }
}

fn clean(text: &str, most: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(most).collect()
}

#[cfg(test)]
mod tests;
