//! `istioctl install` and `uninstall` on a cluster that is not a sandbox: the istioctl of this machine does it, since the built-in
//! equivalent imitates an installation as far as the sandbox needs one and no further.
//!
//! What is passed on is a closed set of flags; the file comes from the lab's folder and goes in through standard input; the exact line
//! is shown before it runs. What istioctl makes is not in the lab's record: a cleanup lists it and asks.

use crate::base::files::Files;
use crate::base::io::{Input, Io, Stream};
use crate::lab::tools::{Failure, Line, News, Tools};
use futures::StreamExt;
use futures::stream::BoxStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Images are pulled and pods started meanwhile.
const INSTALLS_WITHIN: Duration = Duration::from_secs(15 * 60);
/// The exit code after a Ctrl-C.
const INTERRUPTED: i32 = 130;
/// An IstioOperator file is at most so long, in bytes.
const FILE_LIMIT: usize = 1 << 20;
/// Flags that take a value and are passed on.
const VALUED: [&str; 3] = ["--set", "--revision", "--readiness-timeout"];
/// Flags without a value that are passed on.
const BARE: [&str; 5] = ["-y", "--skip-confirmation", "--verify", "--purge", "--force"];
/// A setting that makes istioctl read charts from elsewhere.
const ELSEWHERE: &str = "installPackagePath";

/// How the istioctl of this machine reaches the cluster.
pub struct OwnIstioctl {
    pub tools: Arc<dyn Tools>,
    /// The kubeconfig files, in their order.
    pub kubeconfigs: Vec<PathBuf>,
    pub context: String,
    /// Whether what concerns everybody on the cluster may be changed.
    pub allowed: bool,
}

impl OwnIstioctl {
    /// Whether a line of istioctl changes the cluster, and so is this one's.
    pub fn takes(operands: &[String]) -> bool {
        operands.iter().find(|word| !word.starts_with('-')).is_some_and(|verb| verb == "install" || verb == "uninstall")
            && !operands.iter().any(|word| matches!(word.as_str(), "-h" | "--help" | "--dry-run" | "--dry-run=true"))
    }

    /// Runs a line as a command of the prompt; its exit code.
    pub async fn run(&self, io: &mut Io, operands: &[String]) -> i32 {
        let asked = async {
            let (args, file) = passed(operands)?;
            let bytes = read(io, file.as_deref()).await?;
            let Io { out, stdin, .. } = io;
            let mut tell = |stream, text: &str| out(stream, format!("{text}\n").as_bytes());
            tokio::select! {
                end = self.start(args, bytes, &mut tell) => end,
                () = interrupted(stdin) => Ok(INTERRUPTED),
            }
        };
        match asked.await {
            Ok(code) => code,
            Err(why) => {
                io.warn(&format!("Error: {why}"));
                1
            }
        }
    }

    /// The installation that an action of a lesson asks for.
    ///
    /// # Errors
    /// There is no istioctl, or it fails; its words.
    pub async fn install(&self, profile: &str, options: &[String], tell: Tell<'_>) -> Result<(), String> {
        let set = std::iter::once(format!("profile={profile}")).chain(options.iter().cloned());
        let operands: Vec<String> =
            ["install".to_string(), "-y".into()].into_iter().chain(set.flat_map(|set| ["--set".to_string(), set])).collect();
        let (args, _) = passed(&operands)?;
        match self.start(args, Vec::new(), tell).await? {
            0 => Ok(()),
            code => Err(format!("istioctl ended with exit code {code}")),
        }
    }

    async fn start(&self, mut args: Vec<String>, stdin: Vec<u8>, tell: Tell<'_>) -> Result<i32, String> {
        if !self.allowed {
            return Err(
                "Istio concerns everybody on this cluster; begin the lesson with --allow-mesh-config where that is all right"
                    .into(),
            );
        }
        args.extend(["--context".to_string(), self.context.clone()]);
        let files = std::env::join_paths(&self.kubeconfigs).map_err(|e| e.to_string())?;
        let line = Line::of("istioctl", args).env("KUBECONFIG", files.to_string_lossy()).stdin(stdin).within(INSTALLS_WITHIN);
        let mut ear = |news: News<'_>| match news {
            News::Command(shown) => tell(Stream::Err, &format!("$ {shown}")),
            News::Out(text) => tell(Stream::Out, text),
            News::Err(text) => tell(Stream::Err, text),
        };
        match self.tools.run(&line, &mut ear).await {
            Ok(ran) => Ok(ran.code.unwrap_or(1)),
            Err(Failure::Missing(_)) => {
                Err("this cluster is a real one, and Istio is installed there by a real istioctl, which was not \
                                             found on the search path; `egress-lab doctor` says how to get it, and \
                                             `egress-lab kind up --with-istio` does without"
                    .into())
            }
            Err(failure) => Err(failure.to_string()),
        }
    }
}

/// Who hears what istioctl prints, a line at a time.
pub type Tell<'a> = &'a mut (dyn FnMut(Stream, &str) + Send);

/// Waits for a Ctrl-C; for ever where none can come. Ending the wait for a tool ends its processes.
async fn interrupted(stdin: &mut BoxStream<'static, Input>) {
    while let Some(input) = stdin.next().await {
        if input == Input::Interrupt {
            return;
        }
    }
    futures::future::pending().await
}

/// The arguments that are passed on, and the file that they name. Nothing else of a line reaches the program.
fn passed(operands: &[String]) -> Result<(Vec<String>, Option<String>), String> {
    let (mut args, mut file, mut asked) = (Vec::new(), None, true);
    let mut words = operands.iter();
    while let Some(word) = words.next() {
        let (flag, joined) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, Some(value.to_string())),
            _ => (word.as_str(), None),
        };
        let mut value = || joined.clone().or_else(|| words.next().cloned()).ok_or_else(|| format!("{flag} needs a value"));
        match flag {
            "install" | "uninstall" if args.is_empty() => args.push(word.clone()),
            "-f" | "--filename" if file.is_none() => {
                file = Some(value()?);
                args.extend(["-f".to_string(), "-".into()]);
            }
            "-f" | "--filename" => return Err("one file at a time: put the settings of both into one".into()),
            flag if VALUED.contains(&flag) => {
                let value = value()?;
                if value.contains(ELSEWHERE) {
                    return Err(format!("the lab does not pass {ELSEWHERE} on: it installs what istioctl itself brings"));
                }
                args.extend([flag.to_string(), value]);
            }
            _ if BARE.contains(&word.as_str()) => {
                asked &= !matches!(word.as_str(), "-y" | "--skip-confirmation");
                args.push(word.clone());
            }
            _ => return Err(format!("the lab passes {} to istioctl on a real cluster, and not `{word}`", known())),
        }
    }
    match asked {
        true => Err("say -y: istioctl asks whether to go on, and nobody can answer it here".into()),
        false => Ok((args, file)),
    }
}

fn known() -> String {
    let flags = ["-f FILE"].into_iter().chain(VALUED).chain(BARE);
    flags.collect::<Vec<_>>().join(", ")
}

/// The file's content: of the lab's folder, or with `-` what the line is given.
async fn read(io: &mut Io, file: Option<&str>) -> Result<Vec<u8>, String> {
    let bytes = match file {
        None => return Ok(Vec::new()),
        Some("-") => given(io).await?,
        Some(name) => from_folder(&*io.files, name)?,
    };
    match String::from_utf8_lossy(&bytes).contains(ELSEWHERE) {
        true => Err(format!("the file sets {ELSEWHERE}; the lab installs what istioctl itself brings")),
        false => Ok(bytes),
    }
}

fn from_folder(files: &dyn Files, name: &str) -> Result<Vec<u8>, String> {
    files.read(name).map_err(|why| format!("could not read {name} in the lab's folder: {why}"))
}

async fn given(io: &mut Io) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(input) = io.stdin.next().await {
        match input {
            Input::Bytes(more) if bytes.len() + more.len() <= FILE_LIMIT => bytes.extend(more),
            Input::Bytes(_) => return Err("what the line is given is longer than 1 MiB".into()),
            Input::Eof => break,
            Input::Interrupt => return Err("interrupted".into()),
            Input::Resize { .. } => (),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
