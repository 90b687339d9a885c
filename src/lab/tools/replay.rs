//! Tools that only play: for tests of what uses them.

use super::{Ear, Failure, Line, News, Ran, Tools};
use futures::future::BoxFuture;
use std::path::PathBuf;
use std::sync::Mutex;

/// What a played tool answers.
pub type Answer = Result<Ran, Failure>;

/// Answers lines by how they begin and notes them. The newest rule that fits wins; a line that no rule fits fails with exit code 99.
#[derive(Default)]
pub struct Replay {
    rules: Vec<(String, Answer)>,
    missing: Vec<String>,
    seen: Mutex<Vec<String>>,
}

impl Replay {
    pub fn new() -> Replay {
        Replay::default()
    }

    /// A line that begins so prints this and ends with 0.
    pub fn prints(mut self, begins: &str, stdout: &str) -> Replay {
        self.rules.push((begins.into(), Ok(Ran { code: Some(0), stdout: stdout.into(), ..Ran::default() })));
        self
    }

    /// A line that begins so writes this to standard error and ends with this code.
    pub fn fails(mut self, begins: &str, code: i32, stderr: &str) -> Replay {
        let stderr = stderr.lines().map(str::to_string).collect();
        self.rules.push((begins.into(), Ok(Ran { code: Some(code), stderr, ..Ran::default() })));
        self
    }

    /// A line that begins so has no end.
    pub fn breaks(mut self, begins: &str, failure: Failure) -> Replay {
        self.rules.push((begins.into(), Err(failure)));
        self
    }

    /// A program that is not there.
    pub fn without(mut self, program: &str) -> Replay {
        self.missing.push(program.into());
        self
    }

    /// The lines that were run, as a person would type them.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    fn answer(&self, line: &Line, ear: Ear<'_>) -> Answer {
        if self.missing.contains(&line.program) {
            return Err(Failure::Missing(line.program.clone()));
        }
        let shown = line.shown();
        if !line.quiet {
            ear(News::Command(&shown));
        }
        self.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(shown.clone());
        let rule = self.rules.iter().rev().find(|(begins, _)| shown.starts_with(begins));
        let stderr = vec![format!("no rule for {shown}")];
        let ran = rule.map_or(Ok(Ran { code: Some(99), stderr, ..Ran::default() }), |(_, answer)| answer.clone())?;
        ran.stdout.lines().for_each(|line| ear(News::Out(line)));
        ran.stderr.iter().for_each(|line| ear(News::Err(line)));
        Ok(ran)
    }
}

impl Tools for Replay {
    fn run<'a>(&'a self, line: &'a Line, ear: Ear<'a>) -> BoxFuture<'a, Answer> {
        Box::pin(async move { self.answer(line, ear) })
    }

    fn find(&self, program: &str) -> Option<PathBuf> {
        (!self.missing.iter().any(|name| name == program)).then(|| PathBuf::from("/played").join(program))
    }
}
