//! The program `egress-lab sandbox`, a real kubectl for it, and a terminal to type into.

use crate::pty::Pty;
use portable_pty::CommandBuilder;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(30);
const PROGRAM: &str = env!("CARGO_BIN_EXE_egress-lab");

/// A served sandbox with its own home; ends with this value.
pub struct Sandbox {
    child: Child,
    home: tempfile::TempDir,
    kubectl: PathBuf,
    /// What the first line named.
    pub kubeconfig: PathBuf,
}

/// This program on a terminal, with these variables only.
pub fn lab_terminal(args: &[&str], environment: &[(&str, PathBuf)]) -> Terminal {
    Terminal::open(Path::new(PROGRAM), args, environment)
}

impl Sandbox {
    /// Starts the program; `None`, and says so, where there is no kubectl.
    pub fn start(flags: &[&str]) -> Option<Sandbox> {
        let kubectl = match crate::real::kubectl() {
            Ok(kubectl) => kubectl,
            Err(why) => {
                println!("SKIPPED kubectl: {why}");
                return None;
            }
        };
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(PROGRAM);
        command.arg("sandbox").args(flags).env_clear().env("HOME", home.path()).env("TMPDIR", home.path());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let path = line.strip_prefix("export KUBECONFIG=").unwrap_or_else(|| panic!("first line {line:?}"));
        let kubeconfig = PathBuf::from(path.strip_suffix('\n').unwrap());
        assert!(kubeconfig.is_absolute() && kubeconfig.is_file(), "{line:?}");
        assert_eq!(kubeconfig.file_name().unwrap(), "kubeconfig", "{line:?}");
        assert!(!path.contains(['"', '\'', ' ', ';']), "{line:?}");
        Some(Sandbox { child, home, kubectl, kubeconfig })
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    fn environment(&self) -> [(&'static str, PathBuf); 3] {
        [("KUBECONFIG", self.kubeconfig.clone()), ("KUBECACHEDIR", self.home().join("cache")), ("HOME", self.home().into())]
    }

    fn run(&self, program: &Path, args: &[&str], stdin: &[u8]) -> Output {
        let mut command = Command::new(program);
        command.args(args).env_clear().envs(self.environment());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut input, bytes) = (child.stdin.take().unwrap(), stdin.to_vec());
        // A program that does not read its input closes it: no matter.
        let writer = std::thread::spawn(move || drop(input.write_all(&bytes)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        output
    }

    /// The process of the program.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the real kubectl speaks the newer dialect (1.34 and later).
    pub fn is_new(&self) -> bool {
        let said = Command::new(&self.kubectl).args(["version", "--client", "-ojson"]).output().unwrap();
        let version: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
        version["clientVersion"]["minor"].as_str().unwrap_or("").trim_end_matches('+').parse::<u32>().unwrap() >= 34
    }

    /// The real kubectl, to be started by the caller.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.kubectl);
        command.args(args).env_clear().envs(self.environment());
        command
    }

    /// The real kubectl.
    pub fn kubectl(&self, args: &[&str], stdin: &[u8]) -> Output {
        self.run(&self.kubectl, args, stdin)
    }

    /// The real kubectl's standard output; it has to succeed.
    pub fn k(&self, args: &[&str]) -> String {
        good("kubectl", args, &self.kubectl(args, b""))
    }

    /// `kubectl apply -f -`, which has to succeed.
    pub fn apply(&self, manifest: &str) -> String {
        let args = ["apply", "-f", "-"];
        good("kubectl", &args, &self.kubectl(&args, manifest.as_bytes()))
    }

    /// The real kubectl's exit code and standard error; it has to fail.
    pub fn refused(&self, args: &[&str], stdin: &[u8]) -> (i32, String) {
        let output = self.kubectl(args, stdin);
        assert!(!output.status.success(), "kubectl {args:?} was not refused: {}", text(&output.stdout));
        (output.status.code().unwrap_or(-1), text(&output.stderr))
    }

    /// What `egress-lab kubectl` refuses, as [`Sandbox::refused`].
    pub fn lab_refused(&self, args: &[&str], stdin: &[u8]) -> (i32, String) {
        let output = self.run(Path::new(PROGRAM), &[&["kubectl"], args].concat(), stdin);
        assert!(!output.status.success(), "egress-lab kubectl {args:?} was not refused: {}", text(&output.stdout));
        (output.status.code().unwrap_or(-1), text(&output.stderr))
    }

    /// This program's standard output; it has to succeed.
    pub fn lab(&self, args: &[&str]) -> String {
        good("egress-lab", args, &self.run(Path::new(PROGRAM), args, b""))
    }

    /// The real kubectl on a terminal.
    pub fn terminal(&self, args: &[&str]) -> Terminal {
        Terminal::open(&self.kubectl, args, &self.environment())
    }

    /// This program on a terminal.
    pub fn lab_terminal(&self, args: &[&str]) -> Terminal {
        lab_terminal(args, &self.environment())
    }

    /// Asks until the answer is as wanted.
    pub fn until(&self, args: &[&str], wanted: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let answer = self.k(args);
            if wanted(&answer) {
                return answer;
            }
            assert!(begun.elapsed() < PATIENCE, "kubectl {args:?} still says {answer:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn good(program: &str, args: &[&str], output: &Output) -> String {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{program} {args:?} ended with {}: {err}{out}", output.status);
    out
}

/// A command on a terminal: what it shows, and keys for it.
pub struct Terminal {
    pty: Pty,
    screen: String,
}

impl Terminal {
    pub fn open(program: &Path, args: &[&str], environment: &[(&str, PathBuf)]) -> Terminal {
        let mut command = CommandBuilder::new(program);
        command.env_clear();
        command.args(args);
        command.env("TERM", "xterm");
        environment.iter().for_each(|(name, value)| command.env(name, value));
        Terminal { pty: Pty::open(command, 80, 24), screen: String::new() }
    }

    /// Waits for a text; gives what came before it and forgets both.
    pub fn see(&mut self, wanted: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        while !self.screen.contains(wanted) {
            let left = deadline.saturating_duration_since(Instant::now());
            let bytes = self.pty.read(left).unwrap_or_else(|_| panic!("no {wanted:?} in {:?}", self.screen));
            self.screen.push_str(&text(&bytes));
        }
        let (before, after) = self.screen.split_once(wanted).unwrap();
        let (before, after) = (before.to_string(), after.to_string());
        self.screen = after;
        before
    }

    pub fn keys(&mut self, keys: &str) {
        self.pty.keys(keys);
    }

    pub fn resize(&mut self, cols: u16, rows: u16) {
        self.pty.resize(cols, rows);
    }

    /// Types a line and gives what it printed up to the next prompt.
    pub fn line(&mut self, line: &str, prompt: &str) -> String {
        self.keys(&format!("{line}\r"));
        self.see("\n");
        self.see(prompt)
    }

    /// What the terminal does with keys: `ICANON` for lines, `ECHO`.
    pub fn flags(&self) -> String {
        self.pty.flags()
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let pid = self.pty.child.process_id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// What is left on the terminal when the command has ended, and its exit code.
    pub fn end(&mut self) -> (String, u32) {
        let begun = Instant::now();
        while let Ok(bytes) = self.pty.read(PATIENCE.saturating_sub(begun.elapsed())) {
            self.screen.push_str(&text(&bytes));
        }
        let code = self.pty.child.wait().unwrap().exit_code();
        (std::mem::take(&mut self.screen), code)
    }
}
