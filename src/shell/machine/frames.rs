//! The stack of what is under way, and one step of it.

use crate::shell::Files;
use crate::shell::ast::{AndOr, Command, Compound, Link, Pipeline, Redirect, Script, Simple, Target, Word};
use crate::shell::expand::{Scope, substitutions};
use crate::shell::glob;
use crate::shell::machine::{Machine, Reading, Shell, Sink, Source, Streams, Variable};
use std::collections::VecDeque;
use std::sync::Arc;

/// Something begun.
#[derive(Debug, Clone)]
pub(super) enum Frame {
    List {
        script: Arc<Script>,
        at: usize,
    },
    /// `next`: 0 is the first pipeline.
    AndOr {
        script: Arc<Script>,
        item: usize,
        next: usize,
    },
    Negate,
    Stages {
        stages: Arc<Vec<Command>>,
        at: usize,
        outer: Box<Streams>,
    },
    If {
        kind: Arc<Compound>,
        arm: usize,
    },
    While {
        kind: Arc<Compound>,
        deciding: bool,
    },
    For {
        name: String,
        items: VecDeque<String>,
        body: Arc<Script>,
    },
    /// Runs substitutions one after the other, then does the work.
    Prepare {
        work: Work,
        scripts: Arc<Vec<Arc<Script>>>,
        results: Vec<String>,
        outer: Box<Streams>,
    },
    /// Streams to come back to.
    Streams(Box<Streams>),
    /// The shell outside a subshell.
    Subshell(Box<Shell>),
    /// Variables of a command's own environment, to be put back.
    Variables(Vec<(String, Option<Variable>)>),
}

/// What needs expanded words.
#[derive(Debug, Clone)]
pub(super) enum Work {
    Simple(Arc<Simple>),
    Block { kind: Arc<Compound>, redirects: Arc<Vec<Redirect>> },
    For(Arc<Compound>),
    Case(Arc<Compound>),
}

impl Work {
    fn words(&self) -> Vec<&Word> {
        match self {
            Work::Simple(simple) => {
                let targets = simple.redirects.iter().filter_map(target_word);
                simple.words.iter().chain(simple.assigns.iter().map(|(_, w)| w)).chain(targets).collect()
            }
            Work::Block { redirects, .. } => redirects.iter().filter_map(target_word).collect(),
            Work::For(kind) => match kind.as_ref() {
                Compound::For { words: Some(words), .. } => words.iter().collect(),
                _ => Vec::new(),
            },
            Work::Case(kind) => match kind.as_ref() {
                Compound::Case { word, arms } => [word].into_iter().chain(arms.iter().flat_map(|(p, _)| p)).collect(),
                _ => Vec::new(),
            },
        }
    }
}

/// The word of a redirection, if it has one.
pub(super) fn target_word(redirect: &Redirect) -> Option<&Word> {
    match &redirect.to {
        Target::Read(w) | Target::Write(w) | Target::Append(w) | Target::Both(w) | Target::Here(w) => Some(w),
        Target::Duplicate(_) | Target::Close => None,
    }
}

impl Machine {
    /// One step of the topmost frame.
    pub(super) fn advance(&mut self, files: &mut dyn Files) {
        if self.frames.len() > self.shell.limits.depth * 8 {
            return self.abort(files, "commands inside commands too deep", 2);
        }
        match self.frames.pop() {
            None => self.done = Some(self.shell.last_status),
            Some(Frame::List { script, at }) => self.list(script, at),
            Some(Frame::AndOr { script, item, next }) => self.and_or(script, item, next),
            Some(Frame::Negate) => self.shell.last_status = i32::from(self.shell.last_status == 0),
            Some(Frame::Stages { stages, at, outer }) => self.stages(files, stages, at, outer),
            Some(Frame::If { kind, arm }) => self.if_arm(kind, arm),
            Some(Frame::While { kind, deciding }) => self.while_round(files, kind, deciding),
            Some(Frame::For { name, items, body }) => self.for_round(files, name, items, body),
            Some(Frame::Prepare { work, scripts, results, outer }) => self.prepare(files, work, scripts, results, outer),
            Some(frame) => self.restore(frame),
        }
    }

    fn list(&mut self, script: Arc<Script>, at: usize) {
        if at >= script.items.len() {
            return;
        }
        self.frames.push(Frame::List { script: script.clone(), at: at + 1 });
        self.frames.push(Frame::AndOr { script: script.clone(), item: at, next: 1 });
        self.push_pipeline(&script.items[at].first);
    }

    fn and_or(&mut self, script: Arc<Script>, item: usize, next: usize) {
        let list: &AndOr = &script.items[item];
        let last = if next == 1 { &list.first } else { &list.rest[next - 2].1 };
        match list.rest.get(next - 1) {
            Some((link, pipeline)) => {
                self.frames.push(Frame::AndOr { script: script.clone(), item, next: next + 1 });
                if (*link == Link::And) == (self.shell.last_status == 0) {
                    self.push_pipeline(pipeline);
                }
            }
            None if self.shell.errexit && self.shell.last_status != 0 && !last.negated && !self.deciding() => {
                let skipped = next > 1 && list.rest.last().is_some_and(|(link, _)| *link == Link::And);
                if !skipped {
                    self.leave(self.shell.last_status);
                }
            }
            None => (),
        }
    }

    /// Whether what runs now only decides something, so that `set -e` does not count.
    fn deciding(&self) -> bool {
        self.frames.iter().any(|frame| match frame {
            Frame::If { kind, arm } => matches!(kind.as_ref(), Compound::If { arms, .. } if *arm <= arms.len()),
            Frame::While { deciding, .. } => *deciding,
            Frame::Negate => true,
            Frame::AndOr { script, item, next } => *next <= script.items[*item].rest.len(),
            _ => false,
        })
    }

    fn push_pipeline(&mut self, pipeline: &Pipeline) {
        if pipeline.negated {
            self.frames.push(Frame::Negate);
        }
        match pipeline.stages.as_slice() {
            [only] => self.push_command(only),
            stages => {
                let outer = Box::new(self.streams.clone());
                self.frames.push(Frame::Stages { stages: Arc::new(stages.to_vec()), at: 0, outer });
            }
        }
    }

    fn push_command(&mut self, command: &Command) {
        let work = match command {
            Command::Simple(simple) => Work::Simple(simple.clone()),
            Command::Compound { kind, redirects } if redirects.is_empty() => return self.push_compound(kind),
            Command::Compound { kind, redirects } => Work::Block { kind: kind.clone(), redirects: redirects.clone() },
        };
        self.push_work(work);
    }

    fn push_work(&mut self, work: Work) {
        let mut scripts = Vec::new();
        work.words().into_iter().for_each(|word| substitutions(word, &mut scripts));
        let outer = Box::new(self.streams.clone());
        self.frames.push(Frame::Prepare { work, scripts: Arc::new(scripts), results: Vec::new(), outer });
    }

    pub(super) fn push_compound(&mut self, kind: &Arc<Compound>) {
        match kind.as_ref() {
            Compound::Group(body) => self.push_script(body),
            Compound::Subshell(body) => {
                self.enter_subshell();
                self.push_script(body);
            }
            Compound::If { arms, .. } => {
                self.frames.push(Frame::If { kind: kind.clone(), arm: 1 });
                if let Some((condition, _)) = arms.first() {
                    self.push_script(condition);
                }
            }
            Compound::For { .. } => self.push_work(Work::For(kind.clone())),
            Compound::While { condition, .. } => {
                self.frames.push(Frame::While { kind: kind.clone(), deciding: true });
                self.push_script(condition);
            }
            Compound::Case { .. } => self.push_work(Work::Case(kind.clone())),
        }
    }

    /// One stage of a pipeline has ended (or none has begun): what it wrote becomes the next one's input.
    fn stages(&mut self, files: &mut dyn Files, stages: Arc<Vec<Command>>, at: usize, outer: Box<Streams>) {
        self.streams = outer.as_ref().clone();
        if at > 0 && at < stages.len() {
            let bytes = self.buffers.pop().unwrap_or_default();
            self.inputs.push(Reading { bytes, at: 0 });
            self.streams.input = Source::Bytes(self.inputs.len() - 1);
        }
        let Some(stage) = stages.get(at) else {
            self.inputs.truncate(self.inputs.len().saturating_sub(stages.len() - 1));
            return;
        };
        if stages.len() > self.shell.limits.depth {
            return self.abort(files, "pipeline of too many commands", 2);
        }
        if at + 1 < stages.len() {
            self.buffers.push(Vec::new());
            self.streams.out = Sink::Buffer(self.buffers.len() - 1);
        }
        self.frames.push(Frame::Stages { stages: stages.clone(), at: at + 1, outer });
        self.enter_subshell();
        self.push_command(stage);
    }

    /// `arm` counts the conditions that have been run; past the last it means "a body runs".
    fn if_arm(&mut self, kind: Arc<Compound>, arm: usize) {
        let Compound::If { arms, otherwise } = kind.as_ref() else {
            return;
        };
        if arm > arms.len() {
            return;
        }
        if self.shell.last_status == 0 {
            return self.push_script(&arms[arm - 1].1);
        }
        self.shell.last_status = 0;
        match (arms.get(arm), otherwise) {
            (Some((condition, _)), _) => {
                self.frames.push(Frame::If { kind: kind.clone(), arm: arm + 1 });
                self.push_script(condition);
            }
            (None, Some(body)) => self.push_script(body),
            (None, None) => (),
        }
    }

    fn while_round(&mut self, files: &mut dyn Files, kind: Arc<Compound>, deciding: bool) {
        let Compound::While { until, condition, body } = kind.as_ref() else {
            return;
        };
        if deciding && (self.shell.last_status == 0) == *until {
            self.shell.last_status = 0;
            return;
        }
        if deciding && !self.round(files) {
            return;
        }
        self.frames.push(Frame::While { kind: kind.clone(), deciding: !deciding });
        self.push_script(if deciding { body } else { condition });
    }

    fn for_round(&mut self, files: &mut dyn Files, name: String, mut items: VecDeque<String>, body: Arc<Script>) {
        let Some(value) = items.pop_front() else {
            return;
        };
        if !self.round(files) {
            return;
        }
        self.set_variable(&name, value);
        self.frames.push(Frame::For { name, items, body: body.clone() });
        self.push_script(&body);
    }

    fn prepare(
        &mut self,
        files: &mut dyn Files,
        work: Work,
        scripts: Arc<Vec<Arc<Script>>>,
        mut results: Vec<String>,
        outer: Box<Streams>,
    ) {
        self.streams = outer.as_ref().clone();
        self.collect(&mut results);
        if let Some(script) = scripts.get(results.len()) {
            self.buffers.push(Vec::new());
            self.streams.out = Sink::Buffer(self.buffers.len() - 1);
            let script = script.clone();
            results.push(RUNNING.to_string());
            self.frames.push(Frame::Prepare { work, scripts, results, outer });
            self.enter_subshell();
            return self.push_script(&script);
        }
        let substituted = !scripts.is_empty();
        self.work(files, work, results.into(), substituted);
    }

    /// Takes the output of the substitution that has just ended.
    fn collect(&mut self, results: &mut [String]) {
        let Some(slot) = results.last_mut().filter(|slot| slot.as_str() == RUNNING) else {
            return;
        };
        let bytes = self.buffers.pop().unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).replace('\0', "");
        *slot = text.trim_end_matches('\n').to_string();
    }

    fn work(&mut self, files: &mut dyn Files, work: Work, results: VecDeque<String>, substituted: bool) {
        let done = match work {
            Work::Simple(simple) => self.run_simple(files, &simple, results, substituted),
            Work::Block { kind, redirects } => self.run_block(files, &kind, &redirects, results),
            Work::For(kind) => self.begin_for(files, &kind, results),
            Work::Case(kind) => self.choose_case(files, &kind, results),
        };
        if let Err(message) = done {
            self.abort(files, &message, 2);
        }
    }

    fn run_block(
        &mut self,
        files: &mut dyn Files,
        kind: &Arc<Compound>,
        redirects: &[Redirect],
        results: VecDeque<String>,
    ) -> Result<(), String> {
        let targets = self.targets(files, redirects, results)?;
        self.keep_streams();
        match self.redirect(files, &targets) {
            Ok(()) => self.push_compound(kind),
            Err(message) => {
                self.complain(files, &message);
                self.shell.last_status = 1;
            }
        }
        Ok(())
    }

    fn begin_for(&mut self, files: &mut dyn Files, kind: &Compound, results: VecDeque<String>) -> Result<(), String> {
        let Compound::For { name, words, body } = kind else {
            return Ok(());
        };
        let mut items = VecDeque::new();
        match words {
            None => items.extend(self.shell.positional.iter().cloned()),
            Some(words) => {
                let mut scope = Scope { shell: &mut self.shell, files, results };
                for word in words {
                    items.extend(scope.fields(word)?);
                }
            }
        }
        self.shell.last_status = 0;
        self.frames.push(Frame::For { name: name.clone(), items, body: body.clone() });
        Ok(())
    }

    fn choose_case(&mut self, files: &mut dyn Files, kind: &Compound, results: VecDeque<String>) -> Result<(), String> {
        let Compound::Case { word, arms } = kind else {
            return Ok(());
        };
        let mut scope = Scope { shell: &mut self.shell, files, results };
        let text = scope.text(word)?;
        let mut chosen = None;
        'arms: for (patterns, body) in arms {
            for pattern in patterns {
                if glob::matches(&scope.pattern(pattern)?, &text) {
                    chosen = Some(body.clone());
                    break 'arms;
                }
            }
        }
        self.shell.last_status = 0;
        if let Some(body) = chosen {
            self.push_script(&body);
        }
        Ok(())
    }
}

/// Stands in the results for a substitution whose output is still being written.
const RUNNING: &str = "\0";
