//! What a container's commands do: curl above all, nslookup, and the small tools a learner reaches for. Each is a function on a
//! [`ToolEnv`]; where a request goes is never decided here.

use crate::base::clock::Time;
use crate::base::io::Stream;
use crate::outside::wire::{DnsAnswer, Exchange, Request};
use crate::shell::machine::{Call, CallInput};
use crate::shell::{FileError, Files};

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
    pub out_tty: bool,
    pub err_tty: bool,
}

/// Whether the host has to collect standard input up to its end before [`run`] (only asked when `call.stdin` is the host's).
pub fn wants_stdin(call: &Call) -> bool {
    let _ = call;
    false
}

/// Runs a command. A name that the image does not have is `sh: NAME: not found`, 127.
pub fn run(env: &mut dyn ToolEnv, call: &Call, streams: &Streams) -> Ran {
    let _ = (env, streams, matches!(call.stdin, CallInput::Host));
    Ran::default()
}

/// The names that [`run`] knows, sorted.
pub fn names() -> &'static [&'static str] {
    &["curl"]
}
