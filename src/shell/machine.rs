//! Runs one script, step by step. The host runs the commands, keeps the files and tells the time; the machine only decides what is
//! next. A pipeline's stages run one after the other, each on the whole output of the one before it.

use crate::base::io::Stream;
use crate::shell::Files;
use crate::shell::ast::Script;
use std::collections::BTreeMap;
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
        }
    }
}

/// One script being run.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The shell's state, to be carried to the next line.
    pub shell: Shell,
    script: Arc<Script>,
}

impl Machine {
    /// A machine at the start of a script.
    pub fn new(shell: Shell, script: Script) -> Machine {
        Machine { shell, script: Arc::new(script) }
    }

    /// Takes what the host has, says what is next.
    pub fn poll(&mut self, files: &mut dyn Files, input: Input) -> Step {
        let _ = (files, input, &self.script);
        Step::Done { exit_code: 0 }
    }
}
