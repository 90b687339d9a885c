//! The istioctl stand-in: its verbs on a `kube::Client`. Installing is creating objects through the API, nothing else.

mod analyze;
mod api;
mod args;
mod describe;
mod forward;
mod generate;
mod go_sort;
mod help;
mod install;
mod options;
mod pods;
mod proxy_config;
mod proxy_status;
mod table;
mod uninstall;
mod version;

use crate::base::files::MemoryFiles;
use crate::base::io::{Input, Io, Stream};
use crate::base::not_simulated;
use futures::StreamExt;
use std::sync::{Arc, Mutex};

/// The exit code for wrong usage (S: istioctl/cmd GetExitCode).
const USAGE: i32 = 64;

/// The largest input that is read from standard input, in bytes.
const MAX_STDIN: usize = 3 * 1024 * 1024;

/// What a run of istioctl knows besides its arguments.
#[derive(Clone)]
pub struct Context {
    pub client: kube::Client,
    /// The namespace of the kubeconfig context.
    pub namespace: String,
    /// The Istio release to imitate (`1.30`, `1.26`, "" = default).
    pub version: String,
    /// How long to wait for workloads to become ready.
    pub readiness: Readiness,
}

/// Polling for readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    pub poll_ms: u64,
    pub limit_ms: u64,
}

impl Default for Readiness {
    /// istioctl's own 300 s; polls more often than its 2 s, since a sandbox is quicker than a cluster.
    fn default() -> Readiness {
        Readiness { poll_ms: 50, limit_ms: 300_000 }
    }
}

/// What ends a command before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stop {
    /// Without `Error: `; empty when everything has been said.
    pub message: String,
    pub code: i32,
}

impl Stop {
    /// A failure, exit code 1.
    pub fn failed(message: impl Into<String>) -> Stop {
        Stop { message: message.into(), code: 1 }
    }

    /// Wrong usage.
    pub fn usage(message: impl Into<String>) -> Stop {
        Stop { message: message.into(), code: USAGE }
    }
}

/// Runs `istioctl ARGV..` (argv without the program's name). Answers the exit code.
pub async fn run(context: &Context, io: &mut Io, argv: &[String]) -> i32 {
    match dispatch(context, io, argv).await {
        Ok(()) => 0,
        Err(stop) => {
            if !stop.message.is_empty() {
                let prefix = if stop.message.starts_with("not simulated here") { "" } else { "Error: " };
                io.warn(&format!("{prefix}{}", stop.message));
            }
            stop.code
        }
    }
}

async fn dispatch(context: &Context, io: &mut Io, argv: &[String]) -> Result<(), Stop> {
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    if let [verb, rest @ ..] = words.as_slice()
        && *verb != "help"
        && rest.iter().take_while(|w| **w != "--").any(|w| matches!(*w, "-h" | "--help"))
    {
        return help::print(io, &words);
    }
    match words.as_slice() {
        [] | ["-h" | "--help"] => help::print(io, &[]),
        ["help", rest @ ..] => help::print(io, rest),
        ["analyze", rest @ ..] => analyze::run(context, io, rest).await,
        ["install" | "apply" | "upgrade", rest @ ..] => install::run(context, io, rest).await,
        ["manifest", "generate", rest @ ..] => generate::run(context, io, rest).await,
        ["manifest", "install" | "apply", rest @ ..] => install::run(context, io, rest).await,
        ["uninstall", rest @ ..] => uninstall::run(context, io, rest).await,
        ["version", rest @ ..] => version::run(context, io, rest).await,
        ["proxy-status" | "ps", rest @ ..] | ["x" | "experimental" | "exp", "proxy-status" | "ps", rest @ ..] => {
            proxy_status::run(context, io, rest).await
        }
        ["x" | "experimental" | "exp", "describe" | "des", rest @ ..] => describe::run(context, io, rest).await,
        ["proxy-config" | "pc", rest @ ..] => proxy_config::run(context, io, rest).await,
        ["x" | "experimental" | "exp", "precheck", ..] => precheck(context, io).await,
        _ => help::unknown(&words),
    }
}

/// `istioctl x precheck`: what it looks for cannot be wrong in the sandbox, so it only makes sure that it talks to one.
async fn precheck(context: &Context, io: &mut Io) -> Result<(), Stop> {
    if api::mark(&context.client).await.is_none() {
        return Err(Stop::failed(not_simulated("istioctl x precheck on a cluster; run Istio's own istioctl x precheck")));
    }
    io.say("✔ No issues found when checking the cluster. Istio is safe to install or upgrade!");
    io.say("  To get started, check out https://istio.io/latest/docs/setup/getting-started/.");
    Ok(())
}

/// The closed action `install-istio` of lessons: installs with a profile and `--set` texts, without a prompt. Answers what
/// istioctl printed.
///
/// # Errors
/// What istioctl printed, its error last.
pub async fn install_action(context: &Context, profile: &str, options: &[String]) -> Result<String, String> {
    let printed = Arc::new(Mutex::new(Vec::new()));
    let sink = printed.clone();
    let mut io = Io {
        stdin: futures::stream::iter([Input::Eof]).boxed(),
        out: Box::new(move |_: Stream, bytes: &[u8]| {
            sink.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).extend_from_slice(bytes);
        }),
        files: Arc::new(MemoryFiles::default()),
        tty: None,
        editor: None,
        raw: None,
    };
    let mut argv = vec!["install".to_string(), "-y".into(), "--set".into(), format!("profile={profile}")];
    argv.extend(options.iter().flat_map(|option| ["--set".to_string(), option.clone()]));
    let code = run(context, &mut io, &argv).await;
    let bytes = printed.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if code == 0 { Ok(text) } else { Err(text) }
}

/// Asks and reads one line. Interrupt and end of input count as no.
async fn confirmed(io: &mut Io, question: &str) -> bool {
    io.write(question.as_bytes());
    let mut line = Vec::new();
    while let Some(input) = io.stdin.next().await {
        match input {
            Input::Bytes(bytes) => line.extend_from_slice(&bytes),
            Input::Resize { .. } => continue,
            Input::Eof => break,
            Input::Interrupt => return false,
        }
        if line.iter().any(|b| matches!(b, b'\n' | b'\r')) || line.len() > 1024 {
            break;
        }
    }
    let answer = String::from_utf8_lossy(&line).trim().to_lowercase();
    matches!(answer.as_str(), "y" | "yes")
}

/// What Go says about a file that cannot be read.
fn file_words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".into(),
        std::io::ErrorKind::PermissionDenied => "permission denied".into(),
        std::io::ErrorKind::IsADirectory => "is a directory".into(),
        _ => error.to_string(),
    }
}

/// All of standard input as text.
async fn read_stdin(io: &mut Io) -> Result<String, Stop> {
    read_stdin_up_to(io, MAX_STDIN).await
}

/// All of standard input as text, if it is not larger than so many bytes.
async fn read_stdin_up_to(io: &mut Io, limit: usize) -> Result<String, Stop> {
    let mut text = Vec::new();
    while let Some(input) = io.stdin.next().await {
        match input {
            Input::Bytes(bytes) => text.extend_from_slice(&bytes),
            Input::Resize { .. } => (),
            Input::Eof => break,
            Input::Interrupt => return Err(Stop { message: String::new(), code: 130 }),
        }
        if text.len() > limit {
            return Err(Stop::failed(format!("standard input is larger than {} MiB", limit / 1024 / 1024)));
        }
    }
    String::from_utf8(text).map_err(|_| Stop::failed("standard input is not text"))
}

#[cfg(test)]
mod tests;
