//! One child process: started in a group of its own, read to its end, ended with its whole group when it is late or unwanted.

use super::lines::{Cutter, KEPT, Tail};
use super::{Ear, Failure, Line, News, Ran};
use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio_util::sync::CancellationToken;

/// An interrupted group gets so long to tidy up before it is killed.
const GRACE: Duration = Duration::from_secs(3);
/// What the child's children still print after its end is waited for so long.
const LAST: Duration = Duration::from_millis(300);
/// Bytes of one read.
const PIECE: usize = 16 << 10;

/// What a tool sees of our environment: who and where we are, how to reach a container engine and the network; nothing else, and no
/// kubeconfig unless the line names one.
const PASSED: &[&str] = &[
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "TMP",
    "TEMP",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "DBUS_SESSION_BUS_ADDRESS",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "CONTAINER_HOST",
    "CONTAINERS_CONF",
    "KIND_EXPERIMENTAL_PROVIDER",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SystemRoot",
    "ProgramData",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
];

/// Ends the group when it goes out of scope before the child was waited for: a dropped future leaves nothing behind.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        signal(self.0.id(), true);
        let _ = self.0.start_kill();
    }
}

/// Runs a program to its end.
pub(super) async fn run(
    program: &Path,
    line: &Line,
    path: &OsStr,
    cancel: &CancellationToken,
    ear: Ear<'_>,
) -> Result<Ran, Failure> {
    let mut guard = Guard(start(program, line, path)?);
    let pipes = (guard.0.stdin.take(), guard.0.stdout.take(), guard.0.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr)) = (pipes.0, pipes.1, pipes.2) else {
        return Err(Failure::NotStarted { program: line.program.clone(), reason: "it has no pipes".into() });
    };
    let shown = || line.shown();
    let reader = read(&mut guard.0, (stdin, &line.stdin), stdout, stderr, ear);
    let failure = tokio::select! {
        ran = reader => return ran.map_err(|reason| Failure::NotStarted { program: line.program.clone(), reason }),
        () = cancel.cancelled() => Failure::Interrupted { shown: shown() },
        () = tokio::time::sleep(line.deadline) => Failure::Late { shown: shown(), within: line.deadline },
    };
    end(&mut guard.0).await;
    Err(failure)
}

fn start(program: &Path, line: &Line, path: &OsStr) -> Result<Child, Failure> {
    let mut command = Command::new(program);
    command.args(&line.args).env_clear().env("PATH", path);
    command.envs(PASSED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.envs(line.env.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    command.spawn().map_err(|e| Failure::NotStarted { program: line.program.clone(), reason: e.to_string() })
}

/// Reads both streams until the child has ended and they are closed.
async fn read(
    child: &mut Child,
    (stdin, input): (ChildStdin, &[u8]),
    stdout: ChildStdout,
    stderr: ChildStderr,
    ear: Ear<'_>,
) -> Result<Ran, String> {
    let mut streams = Streams { stdout: Some(stdout), stderr: Some(stderr), ..Streams::default() };
    // The child may end before it has read everything.
    let mut writing = Box::pin(write(stdin, input));
    let mut written = false;
    let status = loop {
        tokio::select! {
            () = &mut writing, if !written => written = true,
            more = streams.next(ear), if streams.is_open() => more,
            status = child.wait() => break status.map_err(|e| e.to_string())?,
        }
    };
    // A child of the child may hold the pipes open for ever.
    let _ = tokio::time::timeout(LAST, async {
        while streams.is_open() {
            streams.next(ear).await;
        }
    })
    .await;
    Ok(streams.finish(status.code(), ear))
}

async fn write(mut stdin: ChildStdin, input: &[u8]) {
    let _ = stdin.write_all(input).await;
    let _ = stdin.shutdown().await;
}

/// What came so far.
#[derive(Default)]
struct Streams {
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    out: (Cutter, Vec<u8>),
    err: (Cutter, Tail),
    cut: bool,
}

impl Streams {
    fn is_open(&self) -> bool {
        self.stdout.is_some() || self.stderr.is_some()
    }

    /// One piece of either stream. Cancelling loses nothing: a read that was not finished has taken nothing.
    async fn next(&mut self, ear: &mut (dyn FnMut(News<'_>) + Send)) {
        let (mut out, mut err) = ([0; PIECE], [0; PIECE]);
        tokio::select! {
            n = piece(&mut self.stdout, &mut out) => match n {
                0 => self.stdout = None,
                n => self.heard_out(&out[..n], ear),
            },
            n = piece(&mut self.stderr, &mut err) => match n {
                0 => self.stderr = None,
                n => self.heard_err(&err[..n], ear),
            },
        }
    }

    fn heard_out(&mut self, piece: &[u8], ear: &mut (dyn FnMut(News<'_>) + Send)) {
        let room = KEPT - self.out.1.len();
        self.cut |= piece.len() > room;
        self.out.1.extend_from_slice(&piece[..piece.len().min(room)]);
        self.out.0.feed(piece, |line| ear(News::Out(line)));
    }

    fn heard_err(&mut self, piece: &[u8], ear: &mut (dyn FnMut(News<'_>) + Send)) {
        let (cutter, tail) = &mut self.err;
        cutter.feed(piece, |line| {
            tail.push(line);
            ear(News::Err(line));
        });
    }

    fn finish(mut self, code: Option<i32>, ear: &mut (dyn FnMut(News<'_>) + Send)) -> Ran {
        self.out.0.end(|line| ear(News::Out(line)));
        let (mut cutter, mut tail) = self.err;
        cutter.end(|line| {
            tail.push(line);
            ear(News::Err(line));
        });
        let stdout = String::from_utf8_lossy(&self.out.1).into_owned();
        Ran { code, stdout, stderr: tail.into_lines(), cut: self.cut }
    }
}

/// Bytes that were read; 0 at the end. A stream that is closed already never answers.
async fn piece(stream: &mut Option<impl AsyncReadExt + Unpin>, buffer: &mut [u8]) -> usize {
    match stream {
        Some(stream) => stream.read(buffer).await.unwrap_or(0),
        None => std::future::pending().await,
    }
}

/// Interrupts the group, a moment later kills what is left of it: the child may be gone and a child of its own not.
async fn end(child: &mut Child) {
    let group = child.id();
    signal(group, false);
    let _ = tokio::time::timeout(GRACE, child.wait()).await;
    signal(group, true);
    let _ = child.start_kill();
    let _ = tokio::time::timeout(GRACE, child.wait()).await;
}

/// SIGINT or SIGKILL to a group. A group keeps its number for as long as somebody is in it.
#[cfg(unix)]
fn signal(group: Option<u32>, kill: bool) {
    use rustix::process::{Pid, Signal, kill_process_group};
    if let Some(pid) = group.and_then(|id| Pid::from_raw(id as i32)) {
        let _ = kill_process_group(pid, if kill { Signal::KILL } else { Signal::INT });
    }
}

#[cfg(not(unix))]
fn signal(_group: Option<u32>, _kill: bool) {}
