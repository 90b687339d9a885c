//! What a container's commands do: curl above all, nslookup, and the small tools a learner reaches for. Each is a function on a
//! [`ToolEnv`]; where a request goes is never decided here.

mod base64;
mod curl;
mod files;
mod grep;
mod net;
mod system;
mod tar;
mod terminal;
mod text;
mod text_edit;

use crate::base::clock::Time;
use crate::base::io::Stream;
use crate::outside::wire::{DnsAnswer, Exchange, Request};
use crate::shell::machine::{Call, CallInput};
use crate::shell::{FileError, Files, join};

/// The container as its commands see it.
pub trait ToolEnv: Files {
    /// What the pod's resolver answers.
    fn resolve(&mut self, name: &str) -> DnsAnswer;
    /// One exchange; its log lines are the world's business.
    fn exchange(&mut self, request: &Request) -> Exchange;
    /// Plain facts about the container.
    fn facts(&self) -> Facts;
    /// The moment at which the command starts.
    fn now(&self) -> Time;
    /// Makes a folder (its parent must be there).
    ///
    /// # Errors
    /// As the system would refuse it.
    fn make_folder(&mut self, path: &str) -> Result<(), FileError>;
    /// Removes a file or an empty folder.
    ///
    /// # Errors
    /// As the system would refuse it.
    fn remove(&mut self, path: &str) -> Result<(), FileError>;
    /// Sets the mode of a file or folder and, if it is given, when it was last changed.
    ///
    /// # Errors
    /// As the system would refuse it.
    fn set_facts(&mut self, path: &str, mode: u32, modified: Option<Time>) -> Result<(), FileError>;
}

/// Facts about a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub hostname: String,
    pub user: String,
    pub group: String,
    pub uid: u32,
    pub gid: u32,
    /// The pod's address.
    pub address: String,
    /// First `nameserver` of /etc/resolv.conf.
    pub nameserver: String,
    /// `search` of /etc/resolv.conf.
    pub search: Vec<String>,
    /// `options ndots` of /etc/resolv.conf.
    pub ndots: u8,
    /// What runs in the container: pid, user, seconds running, command line.
    pub processes: Vec<Process>,
    /// `uname -r`
    pub kernel: String,
    /// `uname -m`
    pub machine: String,
}

/// A process of the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    pub user: String,
    pub seconds: u64,
    pub command: String,
}

/// Bytes that a command printed, and when after its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    pub at_ms: u64,
    pub stream: Stream,
    pub bytes: Vec<u8>,
}

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ran {
    /// In the order printed; `at_ms` never falls.
    pub chunks: Vec<Chunk>,
    pub exit_code: i32,
    /// Simulated time until it ended, in milliseconds.
    pub elapsed_ms: u64,
    /// Whether it consumed its input.
    pub read_stdin: bool,
}

/// How the command's streams are connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Streams {
    /// What standard input holds; `None`: nothing was attached.
    pub stdin: Option<Vec<u8>>,
    pub in_tty: bool,
    pub out_tty: bool,
    pub err_tty: bool,
    /// The terminal's columns and rows, where there is one and its size is known.
    pub size: Option<(u16, u16)>,
}

/// Most output of one command, in bytes.
const MAX_OUTPUT: usize = 8 << 20;
/// Commands that run commands (`time`, `xargs`, `env`) inside each other.
const MAX_NESTED: usize = 8;

/// A command being run: its environment, its words, and what it has printed.
pub(crate) struct Tool<'a> {
    pub env: &'a mut dyn ToolEnv,
    pub call: &'a Call,
    pub streams: &'a Streams,
    ran: Ran,
    printed: usize,
    nested: usize,
}

impl Tool<'_> {
    /// Words after the command's name.
    pub fn args(&self) -> &[String] {
        &self.call.argv[1..]
    }

    pub fn put(&mut self, stream: Stream, bytes: &[u8]) {
        let room = MAX_OUTPUT.saturating_sub(self.printed).min(bytes.len());
        self.printed += room;
        if room > 0 {
            self.ran.chunks.push(Chunk { at_ms: self.ran.elapsed_ms, stream, bytes: bytes[..room].to_vec() });
        }
    }

    pub fn out(&mut self, bytes: &[u8]) {
        self.put(Stream::Out, bytes);
    }

    pub fn err(&mut self, text: &str) {
        self.put(Stream::Err, text.as_bytes());
    }

    pub fn err_bytes(&mut self, bytes: &[u8]) {
        self.put(Stream::Err, bytes);
    }

    /// Prints a text; exit code 0.
    pub fn say(&mut self, text: &str) -> i32 {
        self.out(text.as_bytes());
        0
    }

    /// Prints a message on standard error; exit code 1.
    pub fn fail(&mut self, text: &str) -> i32 {
        self.err(&format!("{text}\n"));
        1
    }

    /// Says that something is not imitated; exit code 125.
    pub fn refuse(&mut self, what: &str) -> i32 {
        self.err(&format!("{}\n", crate::base::not_simulated(what)));
        125
    }

    pub fn pass(&mut self, ms: u64) {
        self.ran.elapsed_ms += ms;
    }

    pub fn elapsed(&self) -> u64 {
        self.ran.elapsed_ms
    }

    /// Standard input to its end.
    pub fn stdin(&mut self) -> Vec<u8> {
        self.ran.read_stdin = true;
        match &self.call.stdin {
            CallInput::Bytes(bytes) => bytes.clone(),
            CallInput::Host => self.streams.stdin.clone().unwrap_or_default(),
        }
    }

    /// A file, or standard input for `-`; `None` when it cannot be read.
    pub fn read_argument(&mut self, name: &str) -> Option<Vec<u8>> {
        match name {
            "-" => Some(self.stdin()),
            name => self.env.read(&join(&self.call.cwd, name)).ok(),
        }
    }

    /// The files named, or standard input when none is; complaints as `NAME: can't open 'FILE': ..`.
    pub fn inputs(&mut self, names: &[String]) -> (Vec<(String, Vec<u8>)>, i32) {
        if names.is_empty() {
            return (vec![("-".to_string(), self.stdin())], 0);
        }
        let mut code = 0;
        let mut found = Vec::new();
        for name in names {
            if name == "-" {
                let bytes = self.stdin();
                found.push((name.clone(), bytes));
                continue;
            }
            match self.env.read(&join(&self.call.cwd, name)) {
                Ok(bytes) => found.push((name.clone(), bytes)),
                Err(FileError::IsFolder) => code = self.fail(&format!("{}: read error: Is a directory", self.call.argv[0])),
                Err(error) => code = self.fail(&format!("{}: can't open '{name}': {error}", self.call.argv[0])),
            }
        }
        (found, code)
    }

    /// Runs another command in place of this one, with what follows here as its words.
    pub fn run_nested(&mut self, call: &Call) -> i32 {
        if self.nested >= MAX_NESTED {
            return self.refuse("commands that start commands so deep");
        }
        let ran = run_at(self.env, call, self.streams, self.nested + 1);
        let start = self.ran.elapsed_ms;
        for chunk in ran.chunks {
            self.ran.elapsed_ms = start + chunk.at_ms;
            self.put(chunk.stream, &chunk.bytes);
        }
        self.ran.elapsed_ms = start + ran.elapsed_ms;
        self.ran.read_stdin |= ran.read_stdin;
        ran.exit_code
    }
}

type Run = fn(&mut Tool<'_>) -> i32;

/// Every command, sorted by name.
const TABLE: &[(&str, Run)] = &[
    ("awk", text_edit::awk),
    ("base64", system::base64),
    ("cat", files::cat),
    ("chmod", files::chmod),
    ("clear", system::clear),
    ("cp", files::copy),
    ("curl", curl::run),
    ("cut", text::cut),
    ("date", system::date),
    ("echo", system::shell_word),
    ("env", system::env),
    ("false", system::shell_word),
    ("getent", net::getent),
    ("grep", grep::run),
    ("head", text::head),
    ("hostname", system::hostname),
    ("id", system::id),
    ("ls", files::list),
    ("mkdir", files::make_folder),
    ("mv", files::rename),
    ("nc", net::nc),
    ("nslookup", net::nslookup),
    ("ping", net::ping),
    ("printenv", system::printenv),
    ("printf", system::shell_word),
    ("ps", system::ps),
    ("pwd", system::shell_word),
    ("rm", files::remove),
    ("sed", text_edit::sed),
    ("seq", system::shell_word),
    ("sleep", system::shell_word),
    ("sort", text::sort),
    ("stty", terminal::stty),
    ("tail", text::tail),
    ("tar", tar::run),
    ("tee", files::tee),
    ("test", system::shell_word),
    ("time", system::time),
    ("touch", files::touch),
    ("tr", text::tr),
    ("true", system::shell_word),
    ("tty", terminal::tty),
    ("uname", system::uname),
    ("uniq", text::uniq),
    ("wc", text::wc),
    ("wget", net::wget),
    ("which", system::which),
    ("whoami", system::whoami),
    ("xargs", system::xargs),
];

fn bare(name: &str) -> &str {
    let folders = ["/usr/local/bin/", "/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/"];
    folders.iter().find_map(|folder| name.strip_prefix(folder)).unwrap_or(name)
}

fn find(name: &str) -> Option<Run> {
    TABLE.iter().find(|(known, _)| *known == bare(name)).map(|(_, run)| *run)
}

/// Where a command lives in the image, for [`Files::command_path`].
pub fn path_of(name: &str) -> Option<String> {
    let known = TABLE.iter().find(|(known, _)| *known == bare(name)).map(|(known, _)| *known)?;
    let folder = match known {
        "curl" => "/usr/bin",
        "awk" | "clear" | "cut" | "env" | "getent" | "head" | "id" | "nc" | "nslookup" | "seq" | "sort" | "tail" | "tee"
        | "test" | "tr" | "uniq" | "wc" | "wget" | "which" | "whoami" | "xargs" | "time" => "/usr/bin",
        _ => "/bin",
    };
    Some(format!("{folder}/{known}"))
}

/// Whether the host has to collect standard input up to its end before [`run`] (only asked when `call.stdin` is the host's).
pub fn wants_stdin(call: &Call) -> bool {
    let Some(name) = call.argv.first().map(|name| bare(name)) else {
        return false;
    };
    let args = &call.argv[1..];
    let operands = args.iter().filter(|a| !a.starts_with('-')).count();
    let dash = args.iter().any(|a| a == "-");
    match name {
        "cat" | "sort" | "uniq" | "wc" | "head" | "tail" | "base64" => dash || operands == 0,
        "grep" | "sed" | "awk" | "cut" => dash || operands < 2,
        "tr" | "tee" | "xargs" => true,
        "tar" => tar::reads_stdin(args),
        "curl" => args.iter().any(|a| a == "@-" || a.ends_with("@-")),
        _ => false,
    }
}

/// Runs a command. A name that the image does not have is `sh: NAME: not found`, 127.
pub fn run(env: &mut dyn ToolEnv, call: &Call, streams: &Streams) -> Ran {
    run_at(env, call, streams, 0)
}

fn run_at(env: &mut dyn ToolEnv, call: &Call, streams: &Streams, nested: usize) -> Ran {
    let name = call.argv.first().map(String::as_str).unwrap_or_default();
    let mut tool = Tool { env, call, streams, ran: Ran::default(), printed: 0, nested };
    tool.ran.exit_code = match find(name) {
        Some(run) => run(&mut tool),
        None => {
            tool.err(&format!("sh: {name}: not found\n"));
            127
        }
    };
    tool.ran
}

/// The names that [`run`] knows, sorted.
pub fn names() -> &'static [&'static str] {
    const NAMES: [&str; TABLE.len()] = {
        let mut names = [""; TABLE.len()];
        let mut at = 0;
        while at < TABLE.len() {
            names[at] = TABLE[at].0;
            at += 1;
        }
        names
    };
    &NAMES
}

#[cfg(test)]
mod tests;
