//! Facts about the container, and commands that run commands.

use super::base64::{decode, encode};
use super::files::split;
use super::{Tool, find, path_of};
use crate::shell::builtin;
use crate::shell::machine::{Call, CallInput};

/// Most commands that one `xargs` starts.
const MAX_XARGS: usize = 1000;

pub fn env(tool: &mut Tool<'_>) -> i32 {
    let mut call = tool.call.clone();
    let mut words = tool.args().to_vec();
    while let Some((name, value)) = words.first().and_then(|w| w.split_once('=')).map(|(n, v)| (n.to_string(), v.to_string())) {
        call.env.insert(name, value);
        words.remove(0);
    }
    match words.first() {
        None => {
            let text: String = call.env.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
            tool.say(&text)
        }
        Some(option) if option.starts_with('-') => tool.refuse(&format!("env {option}")),
        Some(_) => {
            call.argv = words;
            tool.run_nested(&call)
        }
    }
}

pub fn printenv(tool: &mut Tool<'_>) -> i32 {
    let names = tool.args().to_vec();
    if names.is_empty() {
        return env(tool);
    }
    let mut code = 0;
    for name in names {
        match tool.call.env.get(&name).cloned() {
            Some(value) => drop(tool.say(&format!("{value}\n"))),
            None => code = 1,
        }
    }
    code
}

pub fn id(tool: &mut Tool<'_>) -> i32 {
    let facts = tool.env.facts();
    let (letters, _) = split(tool.args());
    let text = match letters.as_str() {
        "" => {
            format!("uid={}({}) gid={}({}) groups={}({})", facts.uid, facts.user, facts.gid, facts.group, facts.gid, facts.group)
        }
        "u" => facts.uid.to_string(),
        "g" | "G" => facts.gid.to_string(),
        "un" | "nu" => facts.user,
        "gn" | "ng" => facts.group,
        other => return tool.refuse(&format!("id -{other}")),
    };
    tool.say(&format!("{text}\n"))
}

pub fn whoami(tool: &mut Tool<'_>) -> i32 {
    let user = tool.env.facts().user;
    tool.say(&format!("{user}\n"))
}

pub fn hostname(tool: &mut Tool<'_>) -> i32 {
    let facts = tool.env.facts();
    match tool.args().first().map(String::as_str) {
        None | Some("-s" | "-f") => tool.say(&format!("{}\n", facts.hostname)),
        Some("-i") => tool.say(&format!("{}\n", facts.address)),
        Some(other) => {
            let other = other.to_string();
            tool.refuse(&format!("hostname {other}"))
        }
    }
}

pub fn date(tool: &mut Tool<'_>) -> i32 {
    let now = tool.env.now();
    let stamp = now.http_date();
    let parts: Vec<&str> = stamp.split([' ', ',']).filter(|p| !p.is_empty()).collect();
    let [weekday, day, month, year, clock, _] = parts.as_slice() else {
        return tool.refuse("date at this moment");
    };
    let iso = now.rfc3339();
    let text = match tool.args().iter().find(|a| *a != "-u").map(String::as_str) {
        None => format!("{weekday} {month} {:>2} {clock} UTC {year}", day.trim_start_matches('0')),
        Some("+%s") => (now.0 / 1000).to_string(),
        Some("+%F") => iso[..10].to_string(),
        Some("+%T" | "+%H:%M:%S") => clock.to_string(),
        Some("+%FT%TZ" | "+%Y-%m-%dT%H:%M:%SZ" | "-Iseconds") => iso,
        Some(other) => {
            let other = other.to_string();
            return tool.refuse(&format!("date {other}"));
        }
    };
    tool.say(&format!("{text}\n"))
}

pub fn uname(tool: &mut Tool<'_>) -> i32 {
    let facts = tool.env.facts();
    let text = match tool.args().first().map(String::as_str) {
        None | Some("-s") => "Linux".to_string(),
        Some("-r") => facts.kernel,
        Some("-m") => facts.machine,
        Some("-n") => facts.hostname,
        Some("-a") => format!("Linux {} {} #1 SMP {} Linux", facts.hostname, facts.kernel, facts.machine),
        Some(other) => {
            let other = other.to_string();
            return tool.refuse(&format!("uname {other}"));
        }
    };
    tool.say(&format!("{text}\n"))
}

pub fn ps(tool: &mut Tool<'_>) -> i32 {
    let mut text = "PID   USER     TIME  COMMAND\n".to_string();
    for process in tool.env.facts().processes {
        let time = format!("{}:{:02}", process.seconds / 60, process.seconds % 60);
        text.push_str(&format!("{:5} {:<8.8} {time:>5} {}\n", process.pid, process.user, process.command));
    }
    tool.say(&text)
}

pub fn clear(tool: &mut Tool<'_>) -> i32 {
    tool.say("\x1b[H\x1b[J")
}

pub fn which(tool: &mut Tool<'_>) -> i32 {
    let mut code = 0;
    for name in tool.args().to_vec() {
        match path_of(&name).or_else(|| tool.env.command_path(&name)) {
            Some(path) => drop(tool.say(&format!("{path}\n"))),
            None => code = 1,
        }
    }
    code
}

/// Commands that the shell has built in, when exec or another command starts them.
pub fn shell_word(tool: &mut Tool<'_>) -> i32 {
    let args = tool.args().to_vec();
    let name = tool.call.argv[0].rsplit('/').next().unwrap_or_default().to_string();
    match name.as_str() {
        "true" => 0,
        "false" => 1,
        "echo" => {
            tool.out(&builtin::echo(&args));
            0
        }
        "printf" => {
            let (bytes, trouble) = builtin::printf(&args);
            tool.out(&bytes);
            trouble.map_or(0, |message| tool.fail(&message))
        }
        "pwd" => {
            let line = format!("{}\n", tool.call.cwd);
            tool.say(&line)
        }
        "seq" => match builtin::seq(&args) {
            Ok(text) => tool.say(&text),
            Err(message) => tool.fail(&message),
        },
        "sleep" => match args.iter().map(|a| builtin::duration_ms(a)).collect::<Option<Vec<u64>>>() {
            Some(all) if !all.is_empty() => {
                tool.pass(all.iter().fold(0u64, |sum, ms| sum.saturating_add(*ms)));
                0
            }
            _ => tool.fail(&format!("sleep: invalid number '{}'", args.first().cloned().unwrap_or_default())),
        },
        _ => match builtin::test(&args, &tool.call.cwd.clone(), &Seen(tool)) {
            Ok(yes) => i32::from(!yes),
            Err(message) => {
                tool.fail(&format!("test: {message}"));
                2
            }
        },
    }
}

/// A tool's files, to be looked at only.
struct Seen<'a, 'b>(&'a Tool<'b>);

impl crate::shell::Files for Seen<'_, '_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, crate::shell::FileError> {
        self.0.env.read(path)
    }
    fn write(&mut self, _: &str, _: &[u8], _: bool) -> Result<(), crate::shell::FileError> {
        Err(crate::shell::FileError::ReadOnly)
    }
    fn list(&self, folder: &str) -> Result<Vec<String>, crate::shell::FileError> {
        self.0.env.list(folder)
    }
    fn stat(&self, path: &str) -> Result<crate::shell::FileInfo, crate::shell::FileError> {
        self.0.env.stat(path)
    }
    fn command_path(&self, name: &str) -> Option<String> {
        self.0.env.command_path(name)
    }
}

/// busybox's `time`
pub fn time(tool: &mut Tool<'_>) -> i32 {
    let words: Vec<String> = tool.args().iter().skip_while(|a| *a == "-p").cloned().collect();
    let Some(name) = words.first().cloned() else {
        return tool.refuse("time without a command");
    };
    let start = tool.elapsed();
    let code = match find(&name) {
        Some(_) => {
            let call = Call { argv: words, ..tool.call.clone() };
            tool.run_nested(&call)
        }
        None => {
            tool.err(&format!("time: can't execute '{name}': No such file or directory\n"));
            127
        }
    };
    let ms = tool.elapsed() - start;
    tool.err(&format!("real\t{}m {}.{:02}s\nuser\t0m 0.00s\nsys\t0m 0.00s\n", ms / 60_000, ms / 1000 % 60, ms % 1000 / 10));
    code
}

pub fn xargs(tool: &mut Tool<'_>) -> i32 {
    let (mut each, mut place, mut words) = (None, None, Vec::new());
    let args = tool.args().to_vec();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-n" => each = args.next().and_then(|n| n.parse::<usize>().ok()),
            "-I" => place = args.next().cloned(),
            "-r" | "-t" => (),
            option if option.starts_with('-') && words.is_empty() => match option.strip_prefix("-n").and_then(|n| n.parse().ok())
            {
                Some(n) => each = Some(n),
                None => return tool.refuse(&format!("xargs {option}")),
            },
            _ => {
                words.push(arg.clone());
                words.extend(args.by_ref().cloned());
            }
        }
    }
    if words.is_empty() {
        words.push("echo".to_string());
    }
    let bytes = tool.stdin();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let items: Vec<String> = match place {
        Some(_) => text.lines().map(str::to_string).filter(|l| !l.is_empty()).collect(),
        None => text.split_whitespace().map(|w| w.trim_matches(['"', '\'']).to_string()).collect(),
    };
    let size = if place.is_some() { 1 } else { each.unwrap_or(usize::MAX).max(1) };
    let mut code = 0;
    for batch in items.chunks(size.min(items.len().max(1))).take(MAX_XARGS) {
        let argv = match &place {
            Some(mark) => words.iter().map(|w| w.replace(mark, &batch[0])).collect(),
            None => words.iter().chain(batch).cloned().collect(),
        };
        let call = Call { argv, stdin: CallInput::Bytes(Vec::new()), ..tool.call.clone() };
        if tool.run_nested(&call) != 0 {
            code = 123;
        }
    }
    code
}

pub fn base64(tool: &mut Tool<'_>) -> i32 {
    let (letters, names) = split(tool.args());
    let (inputs, code) = tool.inputs(&names);
    let bytes: Vec<u8> = inputs.into_iter().flat_map(|(_, bytes)| bytes).collect();
    if letters.contains(['d', 'D']) {
        return match decode(&String::from_utf8_lossy(&bytes)) {
            Some(plain) => {
                tool.out(&plain);
                code
            }
            None => tool.fail("base64: truncated input"),
        };
    }
    let coded = encode(&bytes);
    let width = if letters.contains('w') { usize::MAX } else { 76 };
    let text: String =
        coded.as_bytes().chunks(width.min(coded.len().max(1))).map(|l| format!("{}\n", String::from_utf8_lossy(l))).collect();
    tool.say(&text)
}
