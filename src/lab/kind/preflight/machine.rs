//! Memory, disk, kernel limits and ports of this machine.

use super::{ANSWER, INOTIFY, LEAST, Row, State, gigabytes};
use crate::lab::kind::engine::Engine;
use crate::lab::tools::{Line, Tools, ask};
use std::path::PathBuf;

/// The files in which the kernel tells about itself.
#[derive(Debug, Clone)]
pub struct Machine {
    proc: PathBuf,
}

impl Machine {
    pub fn here() -> Machine {
        Machine::at("/proc".into())
    }

    /// With the kernel's files in this folder.
    pub fn at(proc: PathBuf) -> Machine {
        Machine { proc }
    }

    /// On Linux what is free now; else what the engine's virtual machine has.
    pub(super) fn memory(&self, engine: &Engine) -> Row {
        let needed = format!("{} free", gigabytes(LEAST));
        let free = self.available().filter(|_| !is_elsewhere(engine));
        let (bytes, found) = match free {
            Some(bytes) => (bytes, format!("{} free", gigabytes(bytes))),
            None => (engine.memory, format!("{} in all on {}", gigabytes(engine.memory), engine.system)),
        };
        match bytes >= LEAST {
            true => Row::new("memory", State::Good, found),
            false => Row::new("memory", State::Low, found).needs(needed).next(match is_elsewhere(engine) {
                true => "give the engine's virtual machine more memory (its settings: Resources, Memory)",
                false => "close what uses memory (`ps aux --sort=-rss | head`)",
            }),
        }
    }

    /// MemAvailable of /proc/meminfo, in bytes.
    fn available(&self) -> Option<u64> {
        let text = std::fs::read_to_string(self.proc.join("meminfo")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    }

    /// What `df -Pk` says of the engine's folder: POSIX prints the available 1024-byte blocks as the fourth of six words.
    pub(super) async fn disk(&self, tools: &dyn Tools, engine: &Engine) -> Row {
        let unknown = |why: String| Row::new("disk", State::Note, format!("not known: {why}"));
        if is_elsewhere(engine) {
            return unknown(format!("images are kept on {}", engine.system));
        }
        let root = engine.root.display().to_string();
        let text = match ask(tools, Line::new("df", &["-Pk", &root]).within(ANSWER)).await {
            Ok(text) => text,
            Err(failure) => return unknown(failure.to_string()),
        };
        let blocks = text.lines().nth(1).and_then(|line| line.split_whitespace().nth(3)).and_then(|n| n.parse::<u64>().ok());
        let Some(bytes) = blocks.and_then(|blocks| blocks.checked_mul(1024)) else {
            return unknown(format!("`df -Pk {root}` printed no number"));
        };
        let found = format!("{} free in {root}", gigabytes(bytes));
        match bytes >= LEAST {
            true => Row::new("disk", State::Good, found),
            false => Row::new("disk", State::Low, found)
                .needs(format!("{} free", gigabytes(LEAST)))
                .next(format!("{} system df, then {} system prune", engine.program, engine.program)),
        }
    }

    pub(super) fn inotify(&self) -> Row {
        let read = |name: &str| {
            let text = std::fs::read_to_string(self.proc.join("sys/fs/inotify").join(name)).ok()?;
            text.trim().parse::<u64>().ok()
        };
        let found: Vec<(&str, u64, u64)> =
            INOTIFY.iter().filter_map(|(name, least)| Some((*name, read(name)?, *least))).collect();
        if found.is_empty() {
            return Row::new("inotify limits", State::Note, "not known here (they count where the containers run)");
        }
        let text: Vec<String> = found.iter().map(|(name, has, _)| format!("{name} {has}")).collect();
        let low: Vec<String> = found
            .iter()
            .filter(|(_, has, least)| has < least)
            .map(|(name, _, least)| format!("fs.inotify.{name}={least}"))
            .collect();
        match low.is_empty() {
            true => Row::new("inotify limits", State::Good, text.join(", ")),
            false => Row::new("inotify limits", State::Note, text.join(", "))
                .needs("more, if pods end with \"too many open files\"")
                .next(format!("sudo sysctl {}", low.join(" "))),
        }
    }

    /// kind takes a free port on 127.0.0.1 for the API server, and no other.
    pub(super) fn port(&self) -> Row {
        match std::net::TcpListener::bind(("127.0.0.1", 0)) {
            Ok(_) => Row::new("ports", State::Good, "a free one on 127.0.0.1 for the API server; no other is taken"),
            Err(e) => Row::new("ports", State::Missing, format!("127.0.0.1: {e}"))
                .needs("one free port on 127.0.0.1")
                .next("allow programs to listen on 127.0.0.1"),
        }
    }
}

/// Whether containers run on another machine than this: on macOS and Windows a virtual one, with DOCKER_HOST perhaps a far one. The
/// engine's own folder is then not one of ours.
fn is_elsewhere(engine: &Engine) -> bool {
    !cfg!(target_os = "linux") || engine.root.as_os_str().is_empty() || engine.system.contains("Docker Desktop") || {
        let host = std::env::var("DOCKER_HOST").unwrap_or_default();
        engine.program == "docker" && !host.is_empty() && !host.starts_with("unix:")
    }
}
