//! Commands that the shell runs itself because they change it, or because they need no host.

use crate::base::io::Stream;
use crate::base::not_simulated;
use crate::shell::builtin::{self, duration_ms};
use crate::shell::machine::frames::Frame;
use crate::shell::machine::{Machine, Pending, Reading, Source, Step, Variable};
use crate::shell::parse::command::is_name;
use crate::shell::parse::parse_whole;
use crate::shell::{Files, join};
use std::sync::Arc;

/// Names that the shell answers to itself.
pub const NAMES: [&str; 38] = [
    ":", ".", "[", "[[", "alias", "ash", "bg", "break", "cd", "command", "continue", "echo", "eval", "exec", "exit", "export",
    "false", "fg", "jobs", "let", "local", "printf", "pwd", "read", "readonly", "return", "seq", "set", "sh", "shift", "sleep",
    "source", "test", "trap", "true", "type", "unset", "wait",
];

impl Machine {
    /// Runs a command of the shell's own; false when it has none of that name.
    pub(super) fn run_builtin(&mut self, files: &mut dyn Files, argv: &[String]) -> bool {
        let args = &argv[1..];
        self.shell.last_status = match argv[0].as_str() {
            ":" | "true" => 0,
            "false" => 1,
            "echo" => self.say(files, &builtin::echo(args)),
            "printf" => self.printf(files, args),
            "test" | "[" | "[[" => self.test(files, argv),
            "seq" => match builtin::seq(args) {
                Ok(text) => self.say(files, text.as_bytes()),
                Err(message) => self.applet_error(files, &message),
            },
            "pwd" => {
                let line = format!("{}\n", self.shell.cwd);
                self.say(files, line.as_bytes())
            }
            "cd" => self.cd(files, args),
            "export" | "readonly" => self.export(files, args),
            "unset" => self.unset(args),
            "set" => self.set(files, args),
            "shift" => self.shift(args),
            "eval" => return self.eval(files, &args.join(" ")),
            "exit" => {
                self.exit(files, args);
                return true;
            }
            "break" | "continue" => {
                self.jump(args, argv[0] == "continue");
                return true;
            }
            "sleep" => return self.sleep(files, args),
            "read" => return self.read(files, args),
            "command" | "type" => return self.command(files, argv),
            "exec" => return self.exec(files, args),
            "sh" | "ash" | "/bin/sh" | "/bin/ash" => return self.sub_shell(files, argv),
            "wait" | "trap" | "umask" | "jobs" if args.is_empty() => 0,
            "." | "source" | "alias" | "bg" | "fg" | "jobs" | "let" | "local" | "return" | "trap" | "umask" | "wait"
            | "unalias" => self.refuse(files, &argv[0]),
            _ => return false,
        };
        true
    }

    fn say(&mut self, files: &mut dyn Files, bytes: &[u8]) -> i32 {
        self.emit(files, Stream::Out, bytes);
        0
    }

    fn refuse(&mut self, files: &mut dyn Files, what: &str) -> i32 {
        self.complain(files, &not_simulated(what));
        2
    }

    fn applet_error(&mut self, files: &mut dyn Files, message: &str) -> i32 {
        self.emit(files, Stream::Err, format!("{message}\n").as_bytes());
        1
    }

    fn printf(&mut self, files: &mut dyn Files, args: &[String]) -> i32 {
        let (bytes, trouble) = builtin::printf(args);
        self.emit(files, Stream::Out, &bytes);
        match trouble {
            Some(message) => {
                self.complain(files, &message);
                1
            }
            None => 0,
        }
    }

    fn test(&mut self, files: &mut dyn Files, argv: &[String]) -> i32 {
        let mut args = &argv[1..];
        let closing = match argv[0].as_str() {
            "[" => "]",
            "[[" => "]]",
            _ => "",
        };
        if !closing.is_empty() {
            match args.split_last() {
                Some((last, front)) if last == closing => args = front,
                _ => {
                    self.complain(files, &format!("missing {closing}"));
                    return 2;
                }
            }
        }
        match builtin::test(args, &self.shell.cwd, files) {
            Ok(yes) => i32::from(!yes),
            Err(message) => {
                self.complain(files, &message);
                2
            }
        }
    }

    fn cd(&mut self, files: &mut dyn Files, args: &[String]) -> i32 {
        let value = |name: &str, shell: &crate::shell::machine::Shell| shell.variables.get(name).map(|v| v.value.clone());
        let to = match args.first().map(String::as_str) {
            None => value("HOME", &self.shell).unwrap_or_else(|| "/".to_string()),
            Some("-") => value("OLDPWD", &self.shell).unwrap_or_else(|| self.shell.cwd.clone()),
            Some(path) => path.to_string(),
        };
        let whole = join(&self.shell.cwd, &to);
        match files.stat(&whole) {
            Ok(info) if info.folder => {
                let old = std::mem::replace(&mut self.shell.cwd, whole.clone());
                self.set_variable("OLDPWD", old);
                self.set_variable("PWD", whole.clone());
                if args.first().is_some_and(|a| a == "-") {
                    self.emit(files, Stream::Out, format!("{whole}\n").as_bytes());
                }
                0
            }
            Ok(_) => self.cd_error(files, &to, "Not a directory"),
            Err(error) => self.cd_error(files, &to, &error.to_string()),
        }
    }

    fn cd_error(&mut self, files: &mut dyn Files, to: &str, why: &str) -> i32 {
        self.complain(files, &format!("cd: can't cd to {to}: {why}"));
        2
    }

    fn export(&mut self, files: &mut dyn Files, args: &[String]) -> i32 {
        let names: Vec<&String> = args.iter().filter(|a| *a != "-p").collect();
        if names.is_empty() {
            let exported = self.shell.variables.iter().filter(|(_, v)| v.exported);
            let text: String = exported.map(|(name, v)| format!("export {name}='{}'\n", v.value)).collect();
            return self.say(files, text.as_bytes());
        }
        for arg in names {
            let (name, value) = match arg.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (arg.as_str(), None),
            };
            if !is_name(name) {
                self.complain(files, &format!("export: {name}: bad variable name"));
                return 2;
            }
            let variable = self.shell.variables.entry(name.to_string()).or_default();
            variable.exported = true;
            if let Some(value) = value {
                variable.value = value.to_string();
            }
        }
        0
    }

    fn unset(&mut self, args: &[String]) -> i32 {
        for name in args.iter().filter(|a| !a.starts_with('-')) {
            self.shell.variables.remove(name);
        }
        0
    }

    fn set(&mut self, files: &mut dyn Files, args: &[String]) -> i32 {
        if args.is_empty() {
            let text: String = self.shell.variables.iter().map(|(name, v)| format!("{name}='{}'\n", v.value)).collect();
            return self.say(files, text.as_bytes());
        }
        for (at, arg) in args.iter().enumerate() {
            let on = arg.starts_with('-');
            match arg.as_str() {
                "--" => {
                    self.shell.positional = args[at + 1..].to_vec();
                    return 0;
                }
                "pipefail" | "-o" | "+o" => return self.refuse(files, "set -o"),
                _ if !on && !arg.starts_with('+') => {
                    self.shell.positional = args[at..].to_vec();
                    return 0;
                }
                _ => (),
            }
            for letter in arg.chars().skip(1) {
                match letter {
                    'e' => self.shell.errexit = on,
                    'x' => self.shell.xtrace = on,
                    'u' => self.shell.nounset = on,
                    _ => return self.refuse(files, &format!("set -{letter}")),
                }
            }
        }
        0
    }

    fn shift(&mut self, args: &[String]) -> i32 {
        let count = args.first().and_then(|a| a.parse::<usize>().ok()).unwrap_or(1);
        if count > self.shell.positional.len() {
            return 1;
        }
        self.shell.positional.drain(..count);
        0
    }

    fn eval(&mut self, files: &mut dyn Files, text: &str) -> bool {
        match parse_whole(text) {
            Ok(script) => {
                self.shell.last_status = 0;
                self.push_script(&Arc::new(script));
            }
            Err(error) => self.abort(files, &error.message, 2),
        }
        true
    }

    fn exit(&mut self, files: &mut dyn Files, args: &[String]) {
        match args.first().map(|a| a.parse::<u32>()) {
            None => self.leave(self.shell.last_status),
            Some(Ok(status)) => self.leave((status % 256) as i32),
            Some(Err(_)) => self.abort(files, &format!("exit: Illegal number: {}", args[0]), 2),
        }
    }

    /// `break` and `continue`: back to the nth loop, but never out of a subshell.
    fn jump(&mut self, args: &[String], again: bool) {
        let mut count = args.first().and_then(|a| a.parse::<usize>().ok()).unwrap_or(1).max(1);
        self.shell.last_status = 0;
        let loops = |f: &Frame| matches!(f, Frame::For { .. } | Frame::While { .. });
        let inner = self.frames.iter().rev().take_while(|f| !matches!(f, Frame::Subshell(_))).filter(|f| loops(f)).count();
        if inner == 0 {
            return;
        }
        count = count.min(inner);
        while let Some(frame) = self.frames.pop() {
            if !loops(&frame) {
                self.restore(frame);
                continue;
            }
            count -= 1;
            if count > 0 {
                continue;
            }
            match frame {
                _ if !again => (),
                Frame::While { kind, .. } => self.frames.push(Frame::While { kind, deciding: false }),
                frame => self.frames.push(frame),
            }
            return;
        }
    }

    fn sleep(&mut self, files: &mut dyn Files, args: &[String]) -> bool {
        let mut ms = 0u64;
        for arg in args {
            match duration_ms(arg) {
                Some(more) => ms = ms.saturating_add(more),
                None => {
                    self.shell.last_status = self.applet_error(files, &format!("sleep: invalid number '{arg}'"));
                    return true;
                }
            }
        }
        if args.is_empty() {
            self.shell.last_status = self.applet_error(files, SLEEP_USAGE);
            return true;
        }
        self.shell.last_status = 0;
        self.queue.push_back(Step::Sleep { ms });
        true
    }

    fn read(&mut self, files: &mut dyn Files, args: &[String]) -> bool {
        let mut raw = false;
        let mut names = Vec::new();
        let mut at = 0;
        while let Some(arg) = args.get(at) {
            match arg.as_str() {
                "-r" => raw = true,
                "-p" => {
                    at += 1;
                    let prompt = args.get(at).cloned().unwrap_or_default();
                    self.emit(files, Stream::Err, prompt.as_bytes());
                }
                option if option.starts_with('-') && option.len() > 1 => {
                    self.shell.last_status = self.refuse(files, &format!("read {option}"));
                    return true;
                }
                name => names.push(name.to_string()),
            }
            at += 1;
        }
        if names.is_empty() {
            names.push("REPLY".to_string());
        }
        match self.streams.input {
            Source::Host => {
                self.pending = Pending::Line { names, raw };
                self.queue.push_back(Step::NeedLine);
            }
            Source::Nothing => self.finish_read(&names, None, raw),
            Source::Bytes(at) => {
                let line = self.inputs.get_mut(at).and_then(next_line);
                self.finish_read(&names, line, raw);
            }
        }
        true
    }

    fn finish_read(&mut self, names: &[String], line: Option<(String, bool)>, raw: bool) {
        let complete = line.as_ref().is_some_and(|(_, complete)| *complete);
        self.shell.last_status = i32::from(!complete);
        self.assign_line(names, &line.map(|(text, _)| text).unwrap_or_default(), raw);
    }

    /// Splits a line over variables: the last one takes the rest.
    pub(super) fn assign_line(&mut self, names: &[String], line: &str, raw: bool) {
        let line = if raw { line.to_string() } else { line.replace('\\', "") };
        let separators = self.shell.variables.get("IFS").map_or(" \t\n".to_string(), |v| v.value.clone());
        let blank = |c: char| c.is_whitespace() && separators.contains(c);
        let mut rest = line.trim_matches(blank);
        for (at, name) in names.iter().enumerate() {
            if !is_name(name) {
                continue;
            }
            let end = match at + 1 == names.len() {
                true => rest.len(),
                false => rest.find(|c| separators.contains(c)).unwrap_or(rest.len()),
            };
            let value = rest[..end].to_string();
            rest = rest[end..].trim_start_matches(blank);
            if let Some(after) = rest.strip_prefix(|c: char| separators.contains(c) && !c.is_whitespace()) {
                rest = after.trim_start_matches(blank);
            }
            self.set_variable(name, value);
        }
    }

    /// `command -v NAME`, `command NAME ..`, `type NAME`
    fn command(&mut self, files: &mut dyn Files, argv: &[String]) -> bool {
        let (asks, rest) = match argv.get(1).map(String::as_str) {
            Some("-v" | "-V") if argv[0] == "command" => (true, &argv[2..]),
            _ => (argv[0] == "type", &argv[1..]),
        };
        if !asks {
            if !rest.is_empty() && !self.run_builtin(files, rest) {
                self.call(rest.to_vec());
            }
            return true;
        }
        self.shell.last_status = 0;
        for name in rest {
            let inside = NAMES.contains(&name.as_str());
            let found = if inside { Some(name.clone()) } else { files.command_path(name) };
            let line = match (&found, argv[0] == "type") {
                (Some(path), false) => format!("{path}\n"),
                (Some(_), true) if inside => format!("{name} is a shell builtin\n"),
                (Some(path), true) => format!("{name} is {path}\n"),
                (None, true) => format!("{name}: not found\n"),
                (None, false) => String::new(),
            };
            self.emit(files, Stream::Out, line.as_bytes());
            if found.is_none() {
                self.shell.last_status = 127;
            }
        }
        true
    }

    /// `exec COMMAND`: run it, then end.
    fn exec(&mut self, files: &mut dyn Files, args: &[String]) -> bool {
        if args.is_empty() {
            self.shell.last_status = self.refuse(files, "exec without a command");
            return true;
        }
        if let Ok(script) = parse_whole("exit $?") {
            self.push_script(&Arc::new(script));
        }
        if !self.run_builtin(files, args) {
            self.call(args.to_vec());
        }
        true
    }

    /// `sh -c TEXT [NAME ARG..]`, `sh FILE`, or a script on standard input.
    fn sub_shell(&mut self, files: &mut dyn Files, argv: &[String]) -> bool {
        let mut options = String::new();
        let mut at = 1;
        while let Some(letters) = argv.get(at).and_then(|a| a.strip_prefix('-')).filter(|l| !l.is_empty()) {
            options.push_str(letters);
            at += 1;
        }
        let text = if options.contains('c') {
            at += 1;
            argv.get(at - 1).cloned()
        } else if let Some(path) = argv.get(at) {
            at += 1;
            match files.read(&join(&self.shell.cwd, path)) {
                Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
                Err(_) => {
                    self.complain(files, &format!("can't open '{path}': No such file or directory"));
                    self.shell.last_status = 2;
                    return true;
                }
            }
        } else {
            match self.streams.input {
                Source::Host => return false,
                Source::Nothing => Some(String::new()),
                Source::Bytes(at) => self.inputs.get_mut(at).map(|reading| {
                    let text = String::from_utf8_lossy(&reading.bytes[reading.at..]).into_owned();
                    reading.at = reading.bytes.len();
                    text
                }),
            }
        };
        let Some(text) = text else {
            self.complain(files, "-c requires an argument");
            self.shell.last_status = 2;
            return true;
        };
        self.enter_subshell();
        self.become_child(&options, argv, at);
        self.eval(files, &text)
    }

    /// A new shell knows only what was exported.
    fn become_child(&mut self, options: &str, argv: &[String], at: usize) {
        let shell = &mut self.shell;
        shell.variables.retain(|_, v| v.exported);
        shell.name = argv.get(at).cloned().unwrap_or_else(|| argv[0].clone());
        shell.positional = argv.iter().skip(at + 1).cloned().collect();
        shell.errexit = options.contains('e');
        shell.xtrace = options.contains('x');
        shell.nounset = options.contains('u');
        shell.variables.entry("PWD".to_string()).or_insert(Variable { value: shell.cwd.clone(), exported: true });
    }
}

/// The next line of an input and whether it had its newline; `None` at the end.
fn next_line(reading: &mut Reading) -> Option<(String, bool)> {
    let rest = &reading.bytes[reading.at..];
    if rest.is_empty() {
        return None;
    }
    let end = rest.iter().position(|b| *b == b'\n');
    let line = String::from_utf8_lossy(&rest[..end.unwrap_or(rest.len())]).into_owned();
    reading.at += end.map_or(rest.len(), |n| n + 1);
    Some((line, end.is_some()))
}

const SLEEP_USAGE: &str = "BusyBox v1.36.1 (2023-05-18 19:23:58 UTC) multi-call binary.\n\nUsage: sleep [N]...\n\nPause for a time equal to the total of the args given, where each arg can\nhave an optional suffix of (s)econds, (m)inutes, (h)ours, or (d)ays";
