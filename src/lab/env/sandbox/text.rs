//! The pods' text tools (`cat`, `grep`, `head`, ..) on the lab's folder: the same code answers at the prompt and in a pod.

use crate::base::clock::Time;
use crate::lab::prompt::folder::Folder;
use crate::outside::wire::{DnsAnswer, Exchange, Failure, Reply, Request};
use crate::sandbox::node::tools::{self, Facts, Streams, ToolEnv};
use crate::shell::machine::Call;
use crate::shell::{FileError, FileInfo, Files};

/// What the prompt lends from the pods' tools: nothing that touches the network or a process.
const LENT: &[&str] = &[
    "awk", "base64", "cat", "cut", "echo", "false", "grep", "head", "ls", "printf", "sed", "sort", "tail", "tee", "tr", "true",
    "uniq", "wc",
];

/// Where the tools find the lab's folder; other absolute paths are outside of it.
const ROOT: &str = "/lab";

/// Runs a text tool; standard output, standard error, exit code.
pub fn run(folder: Folder, call: &Call, stdin: Option<Vec<u8>>) -> (Vec<u8>, Vec<u8>, i32) {
    let name = call.argv.first().map_or("", String::as_str);
    if !LENT.contains(&name) {
        return (Vec::new(), format!("{name} is not lent to the prompt\n").into_bytes(), 127);
    }
    let streams = Streams { stdin, in_tty: false, out_tty: false, err_tty: false, size: None };
    let call = Call { cwd: ROOT.into(), ..call.clone() };
    let ran = tools::run(&mut Desk { folder }, &call, &streams);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    for chunk in ran.chunks {
        match chunk.stream {
            crate::base::io::Stream::Out => out.extend(chunk.bytes),
            crate::base::io::Stream::Err => err.extend(chunk.bytes),
        }
    }
    (out, err, ran.exit_code)
}

/// Whether the command would wait for somebody to type.
pub fn waits(call: &Call) -> bool {
    tools::wants_stdin(call)
}

/// The lab's folder as a container without a network.
struct Desk {
    folder: Folder,
}

/// The path within the lab's folder.
fn within(path: &str) -> Result<&str, FileError> {
    match path.strip_prefix(ROOT).map(|rest| rest.trim_start_matches('/')) {
        Some(rest) => Ok(rest),
        None => Err(FileError::Other(format!("{path} is outside the lab's folder"))),
    }
}

impl Files for Desk {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        self.folder.read(within(path)?)
    }

    fn write(&mut self, path: &str, bytes: &[u8], append: bool) -> Result<(), FileError> {
        self.folder.write(within(path)?, bytes, append)
    }

    fn list(&self, path: &str) -> Result<Vec<String>, FileError> {
        self.folder.list(within(path)?)
    }

    fn stat(&self, path: &str) -> Result<FileInfo, FileError> {
        self.folder.stat(within(path)?)
    }

    fn command_path(&self, name: &str) -> Option<String> {
        tools::path_of(name)
    }
}

impl ToolEnv for Desk {
    fn set_facts(&mut self, _: &str, _: u32, _: Option<Time>) -> Result<(), FileError> {
        Err(FileError::ReadOnly)
    }

    fn resolve(&mut self, _name: &str) -> DnsAnswer {
        DnsAnswer::NoSuchName
    }

    fn exchange(&mut self, _request: &Request) -> Exchange {
        Exchange { reply: Reply::Failure(Failure::NameNotResolved), delay_ms: 0, logs: Vec::new() }
    }

    fn facts(&self) -> Facts {
        Facts {
            hostname: "lab".into(),
            user: "learner".into(),
            group: "learner".into(),
            uid: 1000,
            gid: 1000,
            address: String::new(),
            nameserver: String::new(),
            search: Vec::new(),
            ndots: 1,
            processes: Vec::new(),
            kernel: String::new(),
            machine: String::new(),
        }
    }

    fn now(&self) -> Time {
        self.folder.clock.now()
    }

    fn make_folder(&mut self, _path: &str) -> Result<(), FileError> {
        Ok(())
    }

    fn remove(&mut self, path: &str) -> Result<(), FileError> {
        self.folder.files.remove(within(path)?).map_err(|e| FileError::Other(e.to_string()))
    }
}
