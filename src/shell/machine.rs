//! Runs one script, step by step. The host runs the commands, keeps the files and tells the time; the machine only decides what is
//! next. A pipeline's stages run one after the other, each on the whole output of the one before it.

mod builtins;
mod frames;
mod simple;

use crate::base::io::Stream;
use crate::shell::Files;
use crate::shell::ast::Script;
use frames::Frame;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What the machine wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Run this command; answer with any number of [`Input::Output`] and one [`Input::Returned`].
    Call(Call),
    /// Show these bytes; answer with [`Input::Next`].
    Output { stream: Stream, bytes: Vec<u8> },
    /// Let this time pass; answer with [`Input::Next`].
    Sleep { ms: u64 },
    /// `read` wants a line of the script's own input; answer with [`Input::Line`].
    NeedLine,
    /// Nothing to do until the host feeds what it owes (the rest of a call).
    Waiting,
    /// The script has ended. Every further poll says so again.
    Done { exit_code: i32 },
}

/// A command for the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub argv: Vec<String>,
    /// Exported variables.
    pub env: BTreeMap<String, String>,
    /// The working folder.
    pub cwd: String,
    pub stdin: CallInput,
    /// Whether standard output goes where the script's own goes (not into a pipe, file or substitution).
    pub out_direct: bool,
    /// The same for standard error.
    pub err_direct: bool,
}

/// What a command can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallInput {
    /// The script's own input (terminal or exec stream).
    Host,
    /// These bytes, then the end.
    Bytes(Vec<u8>),
}

/// What the host hands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Go on: at the start, after `Output`, after `Sleep`.
    Next,
    /// A piece of the running command's output.
    Output { stream: Stream, bytes: Vec<u8> },
    /// The running command has ended. `read_stdin`: it consumed its input.
    Returned { exit_code: i32, read_stdin: bool },
    /// The line for `read`, without its newline; `None` at the end of input.
    Line(Option<String>),
    /// Ctrl-C: the script ends with 130. The host ends the running command itself.
    Interrupt,
}

/// Limits of one script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Rounds of all loops together.
    pub rounds: u32,
    /// Bytes held in one pipe or substitution.
    pub buffer: usize,
    /// Commands inside commands.
    pub depth: usize,
    /// Words that one command may expand to.
    pub words: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { rounds: 10_000, buffer: 4 << 20, depth: 100, words: 10_000 }
    }
}

/// What survives from line to line in one shell: variables, folder, options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shell {
    /// `$0` and the prefix of messages: `sh` or `/bin/sh`.
    pub name: String,
    pub variables: BTreeMap<String, Variable>,
    /// The working folder, "" at the lab prompt.
    pub cwd: String,
    pub positional: Vec<String>,
    pub last_status: i32,
    /// `set -e`
    pub errexit: bool,
    /// `set -x`
    pub xtrace: bool,
    /// `set -u`
    pub nounset: bool,
    pub limits: Limits,
    /// Whether `echo`, `cd` and the rest are built in; the lab prompt registers its own commands and says no.
    pub builtins: bool,
    /// Whether the user is root: `#` rather than `$` in the prompt.
    pub root: bool,
}

/// A variable.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Variable {
    pub value: String,
    pub exported: bool,
}

impl Shell {
    /// A shell of a container: its environment, exported, and its working folder.
    pub fn new(name: &str, env: &BTreeMap<String, String>, cwd: &str) -> Shell {
        let exported = |value: &String| Variable { value: value.clone(), exported: true };
        Shell {
            name: name.to_string(),
            variables: env.iter().map(|(k, v)| (k.clone(), exported(v))).collect(),
            cwd: cwd.to_string(),
            positional: Vec::new(),
            last_status: 0,
            errexit: false,
            xtrace: false,
            nounset: false,
            limits: Limits::default(),
            builtins: true,
            root: false,
        }
    }
}

/// Where an output stream leads.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sink {
    Host(Stream),
    /// A pipe or substitution: index into the machine's buffers.
    Buffer(usize),
    /// A file, by its joined path; bytes are added to its end.
    File(String),
    Nowhere,
}

/// Where input comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Host,
    Nothing,
    /// Index into the machine's inputs.
    Bytes(usize),
}

/// The three streams of the command that runs now.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Streams {
    input: Source,
    out: Sink,
    err: Sink,
    /// How many inputs there were: the rest goes when these streams come back.
    inputs: usize,
}

/// Bytes to be read, and how far.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reading {
    bytes: Vec<u8>,
    at: usize,
}

/// What the host owes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pending {
    Nothing,
    Call { input: Option<usize> },
    Line { names: Vec<String>, raw: bool },
}

/// One script being run.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The shell's state, to be carried to the next line.
    pub shell: Shell,
    frames: Vec<Frame>,
    streams: Streams,
    buffers: Vec<Vec<u8>>,
    inputs: Vec<Reading>,
    queue: VecDeque<Step>,
    pending: Pending,
    rounds: u32,
    done: Option<i32>,
    exited: bool,
}

impl Machine {
    /// A machine at the start of a script.
    pub fn new(shell: Shell, script: Script) -> Machine {
        Machine {
            shell,
            frames: vec![Frame::List { script: Arc::new(script), at: 0 }],
            streams: Streams { input: Source::Host, out: Sink::Host(Stream::Out), err: Sink::Host(Stream::Err), inputs: 0 },
            buffers: Vec::new(),
            inputs: Vec::new(),
            queue: VecDeque::new(),
            pending: Pending::Nothing,
            rounds: 0,
            done: None,
            exited: false,
        }
    }

    /// Whether the script asked the whole shell to end (`exit`, `set -e`), so that a session ends too.
    pub fn exited(&self) -> bool {
        self.exited
    }

    /// Takes what the host has, says what is next.
    pub fn poll(&mut self, files: &mut dyn Files, input: Input) -> Step {
        self.take(files, input);
        loop {
            if let Some(step) = self.queue.pop_front() {
                return step;
            }
            if let Some(exit_code) = self.done {
                return Step::Done { exit_code };
            }
            if self.pending != Pending::Nothing {
                return Step::Waiting;
            }
            self.advance(files);
        }
    }

    fn take(&mut self, files: &mut dyn Files, input: Input) {
        match (input, self.pending.clone()) {
            (Input::Output { stream, bytes }, _) => self.emit(files, stream, &bytes),
            (Input::Returned { exit_code, read_stdin }, Pending::Call { input }) => {
                if let Some(reading) = input.filter(|_| read_stdin).and_then(|at| self.inputs.get_mut(at)) {
                    reading.at = reading.bytes.len();
                }
                self.pending = Pending::Nothing;
                self.shell.last_status = exit_code;
            }
            (Input::Line(line), Pending::Line { names, raw }) => {
                self.pending = Pending::Nothing;
                self.shell.last_status = i32::from(line.is_none());
                self.assign_line(&names, &line.unwrap_or_default(), raw);
            }
            (Input::Interrupt, _) => {
                self.queue.clear();
                self.frames.clear();
                self.pending = Pending::Nothing;
                self.shell.last_status = 130;
                self.done = Some(130);
            }
            _ => (),
        }
    }

    /// Writes to one of the two outputs, wherever it leads now.
    fn emit(&mut self, files: &mut dyn Files, stream: Stream, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let sink = if stream == Stream::Out { self.streams.out.clone() } else { self.streams.err.clone() };
        match sink {
            Sink::Host(stream) => self.queue.push_back(Step::Output { stream, bytes: bytes.to_vec() }),
            Sink::Nowhere => (),
            Sink::Buffer(at) => {
                let limit = self.shell.limits.buffer;
                let Some(buffer) = self.buffers.get_mut(at) else {
                    return;
                };
                let room = limit.saturating_sub(buffer.len());
                buffer.extend_from_slice(&bytes[..bytes.len().min(room)]);
                if bytes.len() > room {
                    self.abort(files, &format!("a pipe holds no more than {limit} bytes here"), 1);
                }
            }
            Sink::File(path) => {
                if let Err(error) = files.write(&path, bytes, true) {
                    self.streams.out = Sink::Nowhere;
                    self.complain(files, &format!("write error: {error}"));
                }
            }
        }
    }

    /// A message of the shell itself on standard error: `sh: MESSAGE`.
    fn complain(&mut self, files: &mut dyn Files, message: &str) {
        let line = format!("{}: {message}\n", self.shell.name);
        self.emit(files, Stream::Err, line.as_bytes());
    }

    /// Says why and ends the shell, or the subshell that runs now.
    fn abort(&mut self, files: &mut dyn Files, message: &str, status: i32) {
        if self.done.is_none() {
            self.complain(files, message);
            self.leave(status);
        }
    }

    /// Ends the innermost subshell, or the script when there is none.
    fn leave(&mut self, status: i32) {
        self.pending = Pending::Nothing;
        self.shell.last_status = status;
        while let Some(frame) = self.frames.pop() {
            let subshell = matches!(frame, Frame::Subshell(_));
            self.restore(frame);
            if subshell {
                return;
            }
        }
        self.exited = true;
        self.done = Some(status);
    }

    /// Undoes what a frame changed.
    fn restore(&mut self, frame: Frame) {
        match frame {
            Frame::Streams(streams) => {
                self.inputs.truncate(streams.inputs);
                self.streams = *streams;
            }
            Frame::Subshell(shell) => {
                let status = self.shell.last_status;
                self.shell = *shell;
                self.shell.last_status = status;
            }
            Frame::Variables(saved) => {
                for (name, old) in saved {
                    match old {
                        Some(variable) => drop(self.shell.variables.insert(name, variable)),
                        None => drop(self.shell.variables.remove(&name)),
                    }
                }
            }
            _ => (),
        }
    }

    /// Puts the streams of now on the stack, to come back when what follows is done.
    fn keep_streams(&mut self) {
        let mut streams = self.streams.clone();
        streams.inputs = self.inputs.len();
        self.frames.push(Frame::Streams(Box::new(streams)));
    }

    fn enter_subshell(&mut self) {
        self.frames.push(Frame::Subshell(Box::new(self.shell.clone())));
    }

    fn push_script(&mut self, script: &Arc<Script>) {
        self.frames.push(Frame::List { script: script.clone(), at: 0 });
    }

    /// Counts a round of a loop; false when the limit is reached (and the script has been ended).
    fn round(&mut self, files: &mut dyn Files) -> bool {
        self.rounds += 1;
        if self.rounds > self.shell.limits.rounds {
            let message = format!("stopped after {} rounds: the limit for one script here", self.shell.limits.rounds);
            self.abort(files, &message, 1);
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests;
