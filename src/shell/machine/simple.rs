//! One simple command: its words, its streams, and whether the shell or the host runs it.

use crate::base::io::Stream;
use crate::shell::ast::{Redirect, Simple, Target};
use crate::shell::expand::Scope;
use crate::shell::machine::frames::{Frame, target_word};
use crate::shell::machine::{Call, CallInput, Machine, Pending, Reading, Sink, Source, Step, Variable};
use crate::shell::{FileError, Files, join};
use std::collections::VecDeque;

/// A redirection with its word expanded.
pub(super) struct Expanded<'a> {
    redirect: &'a Redirect,
    text: String,
}

impl Machine {
    pub(super) fn run_simple(
        &mut self,
        files: &mut dyn Files,
        simple: &Simple,
        mut results: VecDeque<String>,
        substituted: bool,
    ) -> Result<(), String> {
        let mut scope = Scope { shell: &mut self.shell, files, results: std::mem::take(&mut results) };
        let mut argv = Vec::new();
        for word in &simple.words {
            argv.extend(scope.fields(word)?);
        }
        let mut assigns = Vec::new();
        for (name, word) in &simple.assigns {
            let value = scope.text(word)?;
            if argv.is_empty() {
                let exported = scope.shell.variables.get(name).is_some_and(|v| v.exported);
                scope.shell.variables.insert(name.clone(), Variable { value: value.clone(), exported });
            }
            assigns.push((name.clone(), value));
        }
        let results = scope.results;
        let targets = self.targets(files, &simple.redirects, results)?;
        self.trace(files, &assigns, &argv);
        if !targets.is_empty() {
            self.keep_streams();
            if let Err(message) = self.redirect(files, &targets) {
                self.complain(files, &message);
                self.shell.last_status = 1;
                return Ok(());
            }
        }
        if argv.is_empty() {
            if !substituted {
                self.shell.last_status = 0;
            }
            return Ok(());
        }
        self.lend_variables(assigns);
        self.run_command(files, argv);
        Ok(())
    }

    /// `set -x`
    fn trace(&mut self, files: &mut dyn Files, assigns: &[(String, String)], argv: &[String]) {
        if !self.shell.xtrace {
            return;
        }
        let mut line = String::from("+");
        for (name, value) in assigns {
            line.push_str(&format!(" {name}={}", quoted(value)));
        }
        for word in argv {
            line.push(' ');
            line.push_str(&quoted(word));
        }
        line.push('\n');
        self.emit(files, Stream::Err, line.as_bytes());
    }

    /// `A=1 command`: the variable holds for this command only.
    fn lend_variables(&mut self, assigns: Vec<(String, String)>) {
        if assigns.is_empty() {
            return;
        }
        let mut saved = Vec::new();
        for (name, value) in assigns {
            let old = self.shell.variables.insert(name.clone(), Variable { value, exported: true });
            saved.push((name, old));
        }
        saved.reverse();
        self.frames.push(Frame::Variables(saved));
    }

    fn run_command(&mut self, files: &mut dyn Files, argv: Vec<String>) {
        if self.shell.builtins && self.run_builtin(files, &argv) {
            return;
        }
        self.call(argv);
    }

    /// Hands a command to the host.
    pub(super) fn call(&mut self, argv: Vec<String>) {
        let (stdin, input) = match self.streams.input {
            Source::Host => (CallInput::Host, None),
            Source::Nothing => (CallInput::Bytes(Vec::new()), None),
            Source::Bytes(at) => (CallInput::Bytes(self.inputs.get(at).map(rest).unwrap_or_default()), Some(at)),
        };
        let exported = self.shell.variables.iter().filter(|(_, v)| v.exported);
        let call = Call {
            argv,
            env: exported.map(|(name, v)| (name.clone(), v.value.clone())).collect(),
            cwd: self.shell.cwd.clone(),
            stdin,
            out_direct: matches!(self.streams.out, Sink::Host(_)),
            err_direct: matches!(self.streams.err, Sink::Host(_)),
        };
        self.pending = Pending::Call { input };
        self.queue.push_back(Step::Call(call));
    }

    pub(super) fn targets<'a>(
        &mut self,
        files: &dyn Files,
        redirects: &'a [Redirect],
        results: VecDeque<String>,
    ) -> Result<Vec<Expanded<'a>>, String> {
        let mut scope = Scope { shell: &mut self.shell, files, results };
        let mut out = Vec::new();
        for redirect in redirects {
            let text = target_word(redirect).map(|word| scope.text(word)).transpose()?.unwrap_or_default();
            out.push(Expanded { redirect, text });
        }
        Ok(out)
    }

    pub(super) fn redirect(&mut self, files: &mut dyn Files, targets: &[Expanded<'_>]) -> Result<(), String> {
        for Expanded { redirect, text } in targets {
            match &redirect.to {
                Target::Read(_) => self.streams.input = self.open_input(files, text)?,
                Target::Here(_) => self.streams.input = self.input_of(text.clone().into_bytes()),
                Target::Write(_) => {
                    let sink = self.open_output(files, text, false)?;
                    self.connect(redirect.fd, sink);
                }
                Target::Append(_) => {
                    let sink = self.open_output(files, text, true)?;
                    self.connect(redirect.fd, sink);
                }
                Target::Both(_) => {
                    let sink = self.open_output(files, text, false)?;
                    self.connect(1, sink.clone());
                    self.connect(2, sink);
                }
                Target::Duplicate(from) => match (redirect.fd, from) {
                    (0, _) => (),
                    (fd, 1) => self.connect(fd, self.streams.out.clone()),
                    (fd, 2) => self.connect(fd, self.streams.err.clone()),
                    (_, _) => return Err(crate::base::not_simulated("writing to standard input")),
                },
                Target::Close if redirect.fd == 0 => self.streams.input = Source::Nothing,
                Target::Close => self.connect(redirect.fd, Sink::Nowhere),
            }
        }
        Ok(())
    }

    fn connect(&mut self, fd: u8, sink: Sink) {
        match fd {
            1 => self.streams.out = sink,
            2 => self.streams.err = sink,
            _ => (),
        }
    }

    fn input_of(&mut self, bytes: Vec<u8>) -> Source {
        self.inputs.push(Reading { bytes, at: 0 });
        Source::Bytes(self.inputs.len() - 1)
    }

    fn open_input(&mut self, files: &dyn Files, path: &str) -> Result<Source, String> {
        match path {
            "/dev/null" => return Ok(Source::Nothing),
            "/dev/stdin" => return Ok(self.streams.input.clone()),
            _ => (),
        }
        match files.read(&join(&self.shell.cwd, path)) {
            Ok(bytes) => Ok(self.input_of(bytes)),
            Err(FileError::NotFound | FileError::NotFolder) => Err(format!("can't open {path}: no such file")),
            Err(error) => Err(format!("can't open {path}: {error}")),
        }
    }

    fn open_output(&mut self, files: &mut dyn Files, path: &str, append: bool) -> Result<Sink, String> {
        match path {
            "/dev/null" => return Ok(Sink::Nowhere),
            "/dev/stdout" => return Ok(self.streams.out.clone()),
            "/dev/stderr" => return Ok(self.streams.err.clone()),
            _ => (),
        }
        let whole = join(&self.shell.cwd, path);
        match files.write(&whole, b"", append) {
            Ok(()) => Ok(Sink::File(whole)),
            Err(FileError::NotFound | FileError::NotFolder) => Err(format!("can't create {path}: nonexistent directory")),
            Err(error) => Err(format!("can't create {path}: {error}")),
        }
    }

    /// Sets a variable, keeping whether it is exported.
    pub(super) fn set_variable(&mut self, name: &str, value: String) {
        let exported = self.shell.variables.get(name).is_some_and(|v| v.exported);
        self.shell.variables.insert(name.to_string(), Variable { value, exported });
    }
}

/// What has not been read yet.
fn rest(reading: &Reading) -> Vec<u8> {
    reading.bytes[reading.at..].to_vec()
}

/// A word as `set -x` and `export -p` print it.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,=@%+".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', "'\"'\"'")),
    }
}
