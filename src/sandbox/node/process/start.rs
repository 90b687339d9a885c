//! What a command line starts: a shell becomes a new level of the process, anything else runs as a tool.

use super::{DEPTH, Flight, Frame, Process};
use crate::base::clock::Time;
use crate::base::io::Stream;
use crate::sandbox::ExecAnswer;
use crate::sandbox::node::space::Space;
use crate::sandbox::node::spec;
use crate::sandbox::node::tools::{self, Chunk, Ran, Streams};
use crate::shell::machine::{Call, CallInput, Input, Machine, Shell};
use crate::shell::parse::{ErrorKind, parse_whole};
use crate::shell::session::Session;
use crate::shell::{Files, join};

impl Process {
    /// Starts a command: a shell becomes a new level, anything else runs.
    pub(super) fn call(&mut self, space: &mut Space<'_, '_>, call: Call) {
        let name = call.argv.first().map_or("", |n| n.rsplit('/').next().unwrap_or(n)).to_string();
        let present = call.argv.first().is_some_and(|n| space.command_path(n).is_some());
        if name == "entrypoint.sh" && present {
            return self.entrypoint(space, call);
        }
        if matches!(name.as_str(), "sh" | "ash" | "bash") && present {
            return self.shell(space, call);
        }
        if call.stdin == CallInput::Host && tools::wants_stdin(&call) && (self.stdin_open || !self.stdin.is_empty()) {
            self.collecting = Some(call);
            return;
        }
        self.run(space, &call, None);
    }

    /// curlimages/curl: arguments that are options go to curl.
    fn entrypoint(&mut self, space: &mut Space<'_, '_>, mut call: Call) {
        call.argv.remove(0);
        if call.argv.first().is_none_or(|a| a.starts_with('-')) {
            call.argv.insert(0, "curl".into());
        }
        self.call(space, call);
    }

    pub(super) fn run(&mut self, space: &mut Space<'_, '_>, call: &Call, collected: Option<Vec<u8>>) {
        let program = program(space, call);
        let ran = match program {
            Some(answer) => Ran {
                chunks: [(Stream::Out, answer.stdout), (Stream::Err, answer.stderr)]
                    .into_iter()
                    .filter(|(_, bytes)| !bytes.is_empty())
                    .map(|(stream, bytes)| Chunk { at_ms: 0, stream, bytes })
                    .collect(),
                exit_code: answer.exit_code,
                elapsed_ms: 0,
                read_stdin: false,
            },
            None => {
                let stdin = match &call.stdin {
                    CallInput::Bytes(bytes) => Some(bytes.clone()),
                    CallInput::Host => collected,
                };
                let (out_tty, err_tty) = (self.tty && call.out_direct, self.tty && call.err_direct);
                let in_tty = self.tty && call.stdin == CallInput::Host;
                let streams = Streams { stdin, in_tty, out_tty, err_tty, size: self.size };
                space.passed_ms = 0;
                tools::run(space, call, &streams)
            }
        };
        self.flight = Some(Flight {
            start: self.moment(space),
            chunks: ran.chunks.into(),
            elapsed_ms: ran.elapsed_ms,
            exit_code: ran.exit_code,
            read_stdin: ran.read_stdin,
        });
    }

    /// `sh -c TEXT`, `sh FILE`, `sh` on a terminal, `sh` on a pipe.
    fn shell(&mut self, space: &mut Space<'_, '_>, call: Call) {
        if self.frames.len() >= DEPTH {
            return self.fail("sh: too many shells inside shells\n", 2);
        }
        let mut shell = Shell::new(&call.argv[0], &call.env, &call.cwd);
        shell.root = space.tree.uid == 0;
        let mut args = call.argv[1..].iter().peekable();
        let mut text = None;
        while let Some(flag) = args.next_if(|a| a.starts_with('-') && a.len() > 1) {
            shell.errexit |= flag.contains('e');
            shell.xtrace |= flag.contains('x');
            shell.nounset |= flag.contains('u');
            if flag.contains('c') {
                text = args.next().cloned();
                if text.is_none() {
                    return self.fail(&format!("{}: -c requires an argument\n", call.argv[0]), 2);
                }
                break;
            }
        }
        let operand = args.next().cloned();
        shell.positional = args.cloned().collect();
        if let Some(text) = text {
            shell.name = operand.unwrap_or(shell.name);
            return self.script(shell, &text);
        }
        if let Some(file) = operand {
            return match space.read(&join(&call.cwd, &file)) {
                Ok(bytes) => {
                    shell.name = file;
                    self.script(shell, &String::from_utf8_lossy(&bytes))
                }
                Err(error) => self.fail(&format!("{}: can't open '{file}': {error}\n", call.argv[0]), 2),
            };
        }
        match call.stdin {
            CallInput::Bytes(bytes) => self.script(shell, &String::from_utf8_lossy(&bytes)),
            CallInput::Host if self.tty => {
                let mut session = Session::new(shell);
                if let Some((cols, rows)) = self.size {
                    session.resize(cols, rows, false);
                }
                self.push(Frame::Screen(Box::new(session)));
                self.feed = Some(Input::Next);
            }
            CallInput::Host => self.collecting_script = Some(shell),
        }
    }

    pub(super) fn script(&mut self, shell: Shell, text: &str) {
        match parse_whole(text) {
            Ok(script) => {
                self.push(Frame::Script(Box::new(Machine::new(shell, script))));
                self.feed = Some(Input::Next);
            }
            Err(error) if error.kind == ErrorKind::Refused => self.fail(&format!("{}: {}\n", shell.name, error.message), 2),
            Err(error) => self.fail(&format!("{}: {}\n", shell.name, error.message), 2),
        }
    }

    /// A bare command that turns out to be a shell gives its level up to it.
    fn push(&mut self, frame: Frame) {
        if matches!(self.frames.last(), Some(Frame::One(_))) {
            self.frames.pop();
        }
        self.frames.push(frame);
    }

    pub(super) fn fail(&mut self, text: &str, exit_code: i32) {
        let chunk = Chunk { at_ms: 0, stream: Stream::Err, bytes: text.as_bytes().to_vec() };
        self.flight = Some(Flight { start: Time(i64::MIN), chunks: [chunk].into(), elapsed_ms: 0, exit_code, read_stdin: false });
    }
}

fn image_of<'s>(space: &'s Space<'_, '_>) -> &'s str {
    spec::container(space.pod, space.container).map_or("", |c| c.spec["image"].as_str().unwrap_or(""))
}

/// What the image's own program answers to a command, asking the network where it has to.
fn program(space: &mut Space<'_, '_>, call: &Call) -> Option<ExecAnswer> {
    let (pod, container) = (space.pod, space.container);
    let image = image_of(space).to_string();
    for program in space.env.programs.iter().filter(|p| p.runs(&image)) {
        if let Some(request) = program.request(container, &call.argv) {
            return Some(program.printed(&space.env.exchange(pod, &request).reply));
        }
        if let Some(answer) = program.exec(pod, container, &call.argv, space.env.state) {
            return Some(answer);
        }
    }
    None
}
