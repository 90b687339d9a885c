//! `sh` on a terminal: bytes from the keyboard in, bytes for the screen and commands for the host out.

use crate::base::io::Stream;
use crate::shell::Files;
use crate::shell::line::{Editor, Outcome};
use crate::shell::machine::{Input, Machine, Shell, Step, Variable};
use crate::shell::parse::{ErrorKind, parse};
use std::collections::VecDeque;

/// Keys that wait while a command runs.
const MAX_KEYS: usize = 64 << 10;
/// Lines of one unfinished command.
const MAX_OPEN: usize = 256 << 10;

/// What the terminal or the host hands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Keys. While a command runs they wait, except Ctrl-C.
    Keys(Vec<u8>),
    /// The other end closed its input.
    Eof,
    /// An answer to the last step.
    Machine(Input),
}

/// An interactive shell. Poll with [`Event::Machine`]`(Input::Next)` first: it prints the prompt.
#[derive(Debug, Clone)]
pub struct Session {
    shell: Shell,
    editor: Editor,
    machine: Option<Machine>,
    /// The lines of a command that is not whole yet.
    open: String,
    keys: Vec<u8>,
    eof: bool,
    queue: VecDeque<Step>,
    prompted: bool,
    /// `read` waits for a line.
    reading: bool,
    /// Shells started inside this one.
    depth: usize,
    done: Option<i32>,
}

impl Session {
    /// A shell at its first prompt.
    pub fn new(shell: Shell) -> Session {
        Session {
            shell,
            editor: Editor::default(),
            machine: None,
            open: String::new(),
            keys: Vec::new(),
            eof: false,
            queue: VecDeque::new(),
            prompted: false,
            reading: false,
            depth: 0,
            done: None,
        }
    }

    /// The shell's state as of the last finished line.
    pub fn shell(&self) -> &Shell {
        &self.shell
    }

    /// Whether a command is running (its own input should go to it, not to the line editor).
    pub fn busy(&self) -> bool {
        self.machine.is_some() && !self.reading
    }

    /// The terminal's size changed (SIGWINCH): a shell that waits for a line shows it again; bash notes the size in COLUMNS and LINES.
    /// `again`: not the size that the terminal began with. Poll afterwards.
    pub fn resize(&mut self, cols: u16, rows: u16, again: bool) {
        if self.shell.name.rsplit('/').next() == Some("bash") {
            for (name, value) in [("COLUMNS", cols), ("LINES", rows)] {
                let value = Variable { value: value.to_string(), exported: false };
                self.shell.variables.insert(name.to_string(), value);
            }
        }
        if again && self.prompted && self.machine.is_none() {
            let bytes = self.editor.show_again();
            self.show(&bytes);
        }
    }

    /// Takes an event, says what is next. [`Step::Waiting`]: nothing until the next key or the rest of a call;
    /// [`Step::Done`]: the shell has ended. Newlines on the way out are `\r\n`. A Ctrl-C while a command runs ends it: the host
    /// drops the call it was running when it sees the next prompt ([`Session::busy`] turns false).
    pub fn poll(&mut self, files: &mut dyn Files, event: Event) -> Step {
        self.take(files, event);
        for _ in 0..1_000_000 {
            if let Some(step) = self.queue.pop_front() {
                return step;
            }
            if let Some(exit_code) = self.done {
                return Step::Done { exit_code };
            }
            if !self.advance(files) {
                return Step::Waiting;
            }
        }
        Step::Waiting
    }

    fn take(&mut self, files: &mut dyn Files, event: Event) {
        match event {
            Event::Keys(keys) => {
                if self.busy() && keys.contains(&3) {
                    self.keys.clear();
                    return self.interrupt(files);
                }
                self.keys.extend_from_slice(&keys);
                self.keys.truncate(MAX_KEYS);
            }
            Event::Eof => self.eof = true,
            Event::Machine(Input::Next) => (),
            Event::Machine(input) => self.run(files, input),
        }
    }

    /// Ctrl-C while something runs.
    fn interrupt(&mut self, files: &mut dyn Files) {
        self.queue.clear();
        self.show(b"^C\r\n");
        self.run(files, Input::Interrupt);
    }

    /// One thing on; false when there is nothing to do.
    fn advance(&mut self, files: &mut dyn Files) -> bool {
        if self.machine.is_some() && !self.reading {
            return self.step(files, Input::Next);
        }
        if !self.prompted && !self.reading {
            self.prompt();
            return true;
        }
        if self.keys.is_empty() {
            return self.eof && self.end_of_input(files);
        }
        let keys = std::mem::take(&mut self.keys);
        let (outcomes, rest) = self.editor.keys(&keys);
        self.keys = rest;
        for outcome in outcomes {
            match outcome {
                Outcome::Echo(bytes) => self.show(&bytes),
                Outcome::Line(line) => self.line(files, &line),
                Outcome::Interrupt => self.give_up(files),
                Outcome::EndOfInput => drop(self.end_of_input(files)),
            }
        }
        true
    }

    fn run(&mut self, files: &mut dyn Files, input: Input) {
        self.step(files, input);
    }

    /// Polls the machine once; false when it waits for the host.
    fn step(&mut self, files: &mut dyn Files, input: Input) -> bool {
        let Some(machine) = &mut self.machine else {
            return true;
        };
        match machine.poll(files, input) {
            Step::Waiting => return false,
            Step::NeedLine => {
                self.reading = true;
                self.editor.start("");
            }
            Step::Output { stream, bytes } => self.queue.push_back(Step::Output { stream, bytes: with_returns(&bytes) }),
            Step::Call(call) if matches!(call.argv.as_slice(), [one] if is_shell(one)) => {
                self.depth += 1;
                return self.step(files, Input::Returned { exit_code: 0, read_stdin: false });
            }
            Step::Done { exit_code } => self.finish(exit_code),
            step => self.queue.push_back(step),
        }
        true
    }

    fn finish(&mut self, exit_code: i32) {
        self.reading = false;
        self.prompted = false;
        let Some(machine) = self.machine.take() else {
            return;
        };
        let ends = machine.exited();
        self.shell = machine.shell;
        self.shell.last_status = exit_code;
        if ends {
            self.leave(exit_code);
        }
    }

    fn leave(&mut self, exit_code: i32) {
        match self.depth {
            0 => self.done = Some(exit_code),
            _ => self.depth -= 1,
        }
    }

    fn prompt(&mut self) {
        self.prompted = true;
        let prompt = match self.open.is_empty() {
            true => prompt(&self.shell),
            false => "> ".to_string(),
        };
        let bytes = self.editor.start(&prompt);
        self.show(&bytes);
    }

    fn line(&mut self, files: &mut dyn Files, line: &str) {
        if self.reading {
            self.reading = false;
            return self.run(files, Input::Line(Some(line.to_string())));
        }
        self.prompted = false;
        self.open.push_str(line);
        self.open.push('\n');
        match parse(&self.open) {
            Err(error) if error.kind == ErrorKind::Incomplete && self.open.len() < MAX_OPEN => (),
            Err(error) => {
                self.open.clear();
                self.shell.last_status = 2;
                let text = format!("{}: {}\r\n", self.shell.name, error.message);
                self.queue.push_back(Step::Output { stream: Stream::Err, bytes: text.into_bytes() });
            }
            Ok(script) => {
                self.open.clear();
                if !script.items.is_empty() {
                    self.machine = Some(Machine::new(self.shell.clone(), script));
                }
            }
        }
    }

    /// Ctrl-C at the prompt.
    fn give_up(&mut self, files: &mut dyn Files) {
        self.open.clear();
        self.prompted = false;
        self.shell.last_status = 130;
        if self.reading {
            self.reading = false;
            self.run(files, Input::Interrupt);
        }
    }

    fn end_of_input(&mut self, files: &mut dyn Files) -> bool {
        if self.reading {
            self.reading = false;
            self.run(files, Input::Line(None));
            return true;
        }
        if !self.open.is_empty() {
            self.open.clear();
            let text = format!("{}: syntax error: unexpected end of file\r\n", self.shell.name);
            self.queue.push_back(Step::Output { stream: Stream::Err, bytes: text.into_bytes() });
        }
        self.prompted = false;
        if self.depth == 0 {
            self.show(b"\r\n");
        }
        self.leave(self.shell.last_status);
        true
    }

    fn show(&mut self, bytes: &[u8]) {
        self.queue.push_back(Step::Output { stream: Stream::Out, bytes: bytes.to_vec() });
    }
}

fn is_shell(name: &str) -> bool {
    ["sh", "ash", "/bin/sh", "/bin/ash"].contains(&name)
}

/// busybox's prompt: the folder, `~` for home, `#` for root. `PS1` wins when it is set.
pub fn prompt(shell: &Shell) -> String {
    let value = |name: &str| shell.variables.get(name).map(|v| v.value.as_str()).unwrap_or_default();
    let home = value("HOME");
    let folder = match shell.cwd.strip_prefix(home).filter(|rest| home.len() > 1 && (rest.is_empty() || rest.starts_with('/'))) {
        Some(rest) => format!("~{rest}"),
        None => shell.cwd.clone(),
    };
    let sign = if shell.root { '#' } else { '$' };
    match value("PS1") {
        "" | "\\w \\$ " => format!("{folder} {sign} "),
        custom => custom.replace("\\w", &folder).replace("\\$", &sign.to_string()),
    }
}

/// A terminal turns newlines into carriage return and newline.
fn with_returns(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 16);
    for byte in bytes {
        if *byte == b'\n' {
            out.push(b'\r');
        }
        out.push(*byte);
    }
    out
}

#[cfg(test)]
mod tests;
