//! The program as people start it: a process with an environment, a home, pipes.

mod alone;
mod broken;
mod explained;
mod input;
mod killed;
mod picture;
mod typed;
mod visited;
mod worlds;

pub use worlds::Served;

use std::io::{Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The program, with a home of its own and nothing else of this machine's environment.
pub struct Home {
    pub folder: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Home {
        Home { folder: tempfile::tempdir().unwrap() }
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_egress-lab"));
        command.args(args).env_clear().env("HOME", self.folder.path()).env("TERM", "xterm").env("PATH", "/nonexistent");
        command.env("EGRESS_LAB_HOME", self.folder.path().join("state"));
        command
    }

    /// Runs to the end with this input; fails the test when it takes longer than `seconds`.
    pub fn run(&self, args: &[&str], input: &str, seconds: u64) -> Output {
        finish(self.command(args), input, seconds)
    }
}

pub fn finish(mut command: Command, input: &str, seconds: u64) -> Output {
    let what = format!("{command:?}");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_string();
    // The program may end before it has read everything.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let out = reader(child.stdout.take().unwrap());
    let err = reader(child.stderr.take().unwrap());
    let status = wait(&mut child, seconds).unwrap_or_else(|| panic!("{what}: still running after {seconds} s"));
    writer.join().unwrap();
    Output { status, stdout: out.join().unwrap(), stderr: err.join().unwrap() }
}

fn reader(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        bytes
    })
}

fn wait(child: &mut Child, seconds: u64) -> Option<std::process::ExitStatus> {
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    None
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
