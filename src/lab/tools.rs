//! The thin layer through which programs of this machine are run: `kind`, `docker` or `podman`, `istioctl`.
//!
//! Always a program and its arguments, never a shell. The child sees a small environment, runs in a process group of its own and has a
//! deadline; what it prints is told line by line and kept up to a limit; an interrupt ends its whole group. Every command is shown as
//! `$ ..` before it runs and is recorded in a file. Behind the trait [`Tools`], so that tests can replay.

pub mod lines;
pub mod path;
pub mod record;
pub mod replay;
pub mod version;

mod child;

use crate::base::clock::Stopwatch;
use futures::future::BoxFuture;
use record::Record;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A command line that says nothing else may take so long.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// One command line: a program, its arguments, and what it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// A name that is looked up on the search path, or a path.
    pub program: String,
    pub args: Vec<String>,
    /// Variables beside the few that every tool gets. Shown and recorded with the line.
    pub env: Vec<(String, String)>,
    /// What it reads; nothing by default.
    pub stdin: Vec<u8>,
    pub deadline: Duration,
    /// Only looks: recorded, but not told to people.
    pub quiet: bool,
}

impl Line {
    /// A command line with the usual deadline.
    pub fn new(program: &str, args: &[&str]) -> Line {
        Line::of(program, args.iter().map(ToString::to_string).collect())
    }

    /// The same from arguments that are owned.
    pub fn of(program: &str, args: Vec<String>) -> Line {
        Line { program: program.into(), args, env: Vec::new(), stdin: Vec::new(), deadline: DEADLINE, quiet: false }
    }

    /// With a variable.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Line {
        self.env.push((name.into(), value.into()));
        self
    }

    /// With something to read.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Line {
        self.stdin = bytes.into();
        self
    }

    /// With a deadline of its own.
    pub fn within(mut self, deadline: Duration) -> Line {
        self.deadline = deadline;
        self
    }

    /// Recorded only.
    pub fn quiet(mut self) -> Line {
        self.quiet = true;
        self
    }

    /// The line as a person would type it: quoted where a shell needs it, variables in front, without the `$ `.
    pub fn shown(&self) -> String {
        let variables = self.env.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
        let words = std::iter::once(&self.program).chain(&self.args).map(|word| quoted(word));
        variables.chain(words).collect::<Vec<_>>().join(" ")
    }
}

/// A word as a POSIX shell reads it back.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:+,=@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_string() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// What is told while a tool runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News<'a> {
    /// The line that is about to run, as [`Line::shown`].
    Command(&'a str),
    /// A line of its standard output.
    Out(&'a str),
    /// A line of its standard error.
    Err(&'a str),
}

/// Who is told.
pub type Ear<'a> = &'a mut (dyn FnMut(News<'_>) + Send);

/// How a tool ended that ran to its end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ran {
    /// 0 to 255; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it printed, up to [`lines::KEPT`] bytes.
    pub stdout: String,
    /// The last [`lines::TAIL`] lines that it wrote to standard error.
    pub stderr: Vec<String>,
    /// It printed more than is kept.
    pub cut: bool,
}

impl Ran {
    /// Whether it ended with 0.
    pub fn is_good(&self) -> bool {
        self.code == Some(0)
    }
}

/// Why a tool's answer is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("{0} was not found on the search path")]
    Missing(String),
    #[error("{program} could not be started: {reason}")]
    NotStarted { program: String, reason: String },
    #[error("`{shown}` gave no end within {}", seconds(*.within))]
    Late { shown: String, within: Duration },
    #[error("`{shown}` was interrupted")]
    Interrupted { shown: String },
    #[error("`{shown}` ended with {}{}", ended(.code), last(.stderr))]
    Ended { shown: String, code: Option<i32>, stderr: Vec<String> },
}

fn seconds(time: Duration) -> String {
    if time.as_secs() >= 120 { format!("{} minutes", time.as_secs() / 60) } else { format!("{} s", time.as_secs_f32()) }
}

fn ended(code: &Option<i32>) -> String {
    code.map_or_else(|| "a signal".into(), |code| format!("exit code {code}"))
}

/// The last lines that say something, indented.
fn last(stderr: &[String]) -> String {
    let said: Vec<&String> = stderr.iter().filter(|line| !line.trim().is_empty()).collect();
    said[said.len().saturating_sub(6)..].iter().map(|line| format!("\n  {line}")).collect()
}

/// Runs tools.
pub trait Tools: Send + Sync {
    /// Runs a line to its end, whatever its exit code.
    ///
    /// # Errors
    /// Missing, not started, past its deadline, interrupted; never [`Failure::Ended`].
    fn run<'a>(&'a self, line: &'a Line, ear: Ear<'a>) -> BoxFuture<'a, Result<Ran, Failure>>;

    /// Where a program is on the search path.
    fn find(&self, program: &str) -> Option<PathBuf>;
}

/// Runs a line that has to end with 0.
///
/// # Errors
/// As [`Tools::run`], and [`Failure::Ended`] for every other exit code.
pub async fn must(tools: &dyn Tools, line: &Line, ear: Ear<'_>) -> Result<Ran, Failure> {
    let ran = tools.run(line, ear).await?;
    match ran.is_good() {
        true => Ok(ran),
        false => Err(Failure::Ended { shown: line.shown(), code: ran.code, stderr: ran.stderr }),
    }
}

/// What a line that only looks prints, trimmed; it is recorded, but told to nobody.
///
/// # Errors
/// As [`must`].
pub async fn ask(tools: &dyn Tools, line: Line) -> Result<String, Failure> {
    Ok(must(tools, &line.quiet(), &mut |_| ()).await?.stdout.trim().to_string())
}

/// The programs of this machine.
pub struct Host {
    path: OsString,
    record: Record,
    cancel: CancellationToken,
}

impl Host {
    /// Programs of `$PATH`; commands are recorded in this file (`None`: nowhere); the token ends what runs.
    pub fn new(record: Option<PathBuf>, cancel: CancellationToken) -> Host {
        Host { path: std::env::var_os("PATH").unwrap_or_default(), record: Record::new(record), cancel }
    }
}

impl Tools for Host {
    fn run<'a>(&'a self, line: &'a Line, ear: Ear<'a>) -> BoxFuture<'a, Result<Ran, Failure>> {
        Box::pin(async move {
            let program = self.find(&line.program).ok_or_else(|| Failure::Missing(line.program.clone()))?;
            if self.cancel.is_cancelled() {
                return Err(Failure::Interrupted { shown: line.shown() });
            }
            let shown = line.shown();
            if !line.quiet {
                ear(News::Command(&shown));
            }
            self.record.begins(&shown);
            let watch = Stopwatch::start();
            let end = child::run(&program, line, &self.path, &self.cancel, ear).await;
            self.record.ends(&shown, &end, watch.elapsed_ms());
            end
        })
    }

    fn find(&self, program: &str) -> Option<PathBuf> {
        path::find(program, &self.path)
    }
}

#[cfg(test)]
mod tests;
