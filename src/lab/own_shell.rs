//! The learner's own shell: `$SHELL` on a pseudo terminal, in the lab's folder, with a kubeconfig that leads to the lab. Only a learner's
//! key or word starts it; no line of a lesson reaches it.
//!
//! Three threads for each: one reads, one writes, one waits for the end. What it shows goes up in pieces of which only so many may be
//! under way, so that a program that floods its terminal waits and the screen does not.

use crate::lab::tools::{path, quoted};
use crate::session::own_shell::ShellNews;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Pieces of output that may be under way.
const UNDER_WAY: usize = 16;
/// Bytes of a piece.
const PIECE: usize = 8 << 10;
/// Keys and pastes that may wait for a program that reads nothing.
const INPUTS: usize = 256;
/// How often the end is looked for.
const POLL: Duration = Duration::from_millis(50);
/// What was written last gets so long to arrive.
const LAST: Duration = Duration::from_millis(300);
/// A shell that is hung up gets so long before it is killed, and the kill so long.
const GRACE: Duration = Duration::from_millis(900);

/// Where a shell of the learner runs and what it finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The lab's folder; `None` when its files are in memory only.
    pub folder: Option<PathBuf>,
    pub kubeconfig: PathBuf,
    /// Private: kubectl caches discovery by host and port.
    pub cache: PathBuf,
    /// Where links named kubectl and istioctl may be made.
    pub links: PathBuf,
}

impl Place {
    /// What is different from the lab's own environment: name and value.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let mut out =
            vec![("KUBECONFIG", self.kubeconfig.display().to_string()), ("KUBECACHEDIR", self.cache.display().to_string())];
        out.extend(self.path().map(|path| ("PATH", path)));
        out
    }

    /// `$PATH` with a folder of links behind it to this program, for those of kubectl and istioctl that are missing. `None` when both are
    /// there or no link can be made.
    fn path(&self) -> Option<String> {
        let path = std::env::var("PATH").unwrap_or_default();
        let missing: Vec<&str> =
            ["kubectl", "istioctl"].into_iter().filter(|name| path::find(name, path.as_ref()).is_none()).collect();
        if missing.is_empty() {
            return None;
        }
        crate::base::files::make_private(&self.links).ok()?;
        let program = std::env::current_exe().ok()?;
        for name in missing {
            link(&program, &self.links.join(name)).ok()?;
        }
        let behind = std::env::split_paths(&path).chain([self.links.clone()]);
        std::env::join_paths(behind).ok()?.into_string().ok()
    }

    /// What the word `shell` prints where there is no screen: lines for a terminal of one's own.
    pub fn lines(&self) -> String {
        let mut out = String::from("In a terminal of your own:\n");
        if let Some(folder) = &self.folder {
            out.push_str(&format!("cd {}\n", quoted(&folder.display().to_string())));
        }
        for (name, value) in self.variables() {
            out.push_str(&format!("export {name}={}\n", quoted(&value)));
        }
        out
    }
}

#[cfg(unix)]
fn link(program: &Path, at: &Path) -> std::io::Result<()> {
    if std::fs::read_link(at).is_ok_and(|target| target == program) {
        return Ok(());
    }
    let _ = std::fs::remove_file(at);
    std::os::unix::fs::symlink(program, at)
}

#[cfg(not(unix))]
fn link(program: &Path, at: &Path) -> std::io::Result<()> {
    std::fs::copy(program, at.with_extension("exe")).map(drop)
}

/// Who is told what becomes of the shell; false when nobody listens any more.
pub type Listener = Arc<dyn Fn(ShellNews) -> bool + Send + Sync>;

/// A shell that runs. Dropping it hangs up, and kills what does not go.
pub struct OwnShell {
    master: Box<dyn MasterPty + Send>,
    input: SyncSender<Vec<u8>>,
    taken: Receiver<()>,
    stop: SyncSender<()>,
    ended: Receiver<()>,
}

impl OwnShell {
    /// Starts the learner's shell.
    ///
    /// # Errors
    /// No pseudo terminal, or no such program; a sentence for people.
    pub fn open(place: &Place, (cols, rows): (u16, u16), tell: Listener) -> Result<OwnShell, String> {
        let program = program();
        let pty = native_pty_system().openpty(size(cols, rows)).map_err(|e| format!("No terminal could be made: {e}"))?;
        let mut command = CommandBuilder::new(&program);
        if let Some(folder) = place.folder.as_ref().filter(|folder| folder.is_dir()) {
            command.cwd(folder);
        }
        command.env("TERM", "xterm-256color");
        command.env_remove("COLORTERM");
        place.variables().into_iter().for_each(|(name, value)| command.env(name, value));
        let child = pty.slave.spawn_command(command).map_err(|e| format!("{program} could not be started: {e:#}"))?;
        drop(pty.slave);
        let reader = pty.master.try_clone_reader().map_err(|e| format!("The terminal cannot be read: {e}"))?;
        let writer = pty.master.take_writer().map_err(|e| format!("The terminal cannot be written to: {e}"))?;
        let (input, inputs) = sync_channel(INPUTS);
        let (under_way, taken) = sync_channel(UNDER_WAY);
        let (stop, stopped) = sync_channel(1);
        let (end, ended) = sync_channel(1);
        let (read_out, silent) = sync_channel(1);
        let (up, name) = (tell.clone(), name_of(&program));
        std::thread::spawn(move || {
            up(ShellNews::Opened(name));
            read(reader, &under_way, &up);
            let _ = read_out.try_send(());
        });
        std::thread::spawn(move || write(writer, &inputs));
        std::thread::spawn(move || {
            let sentence = wait(child, &stopped);
            let _ = silent.recv_timeout(LAST);
            tell(ShellNews::Ended(sentence));
            let _ = end.try_send(());
        });
        Ok(OwnShell { master: pty.master, input, taken, stop, ended })
    }

    /// Hands on what a terminal sends. What a program that reads nothing has no room for is dropped.
    pub fn input(&self, bytes: Vec<u8>) {
        let _ = self.input.try_send(bytes);
    }

    /// A piece of output was taken.
    pub fn taken(&self) {
        let _ = self.taken.try_recv();
    }

    pub fn resize(&self, cols: u16, rows: u16) {
        let _ = self.master.resize(size(cols, rows));
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&self) -> bool {
        !matches!(self.ended.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty))
    }
}

impl Drop for OwnShell {
    fn drop(&mut self) {
        let _ = self.stop.try_send(());
        // Whoever waits for room to tell something is let go.
        while self.taken.try_recv().is_ok() {}
        let _ = self.ended.recv_timeout(GRACE);
    }
}

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize { rows: rows.max(2), cols: cols.max(8), ..PtySize::default() }
}

/// `$SHELL`, else what every system has.
fn program() -> String {
    let own = std::env::var("SHELL").ok().filter(|shell| !shell.trim().is_empty() && path::is_program(Path::new(shell)));
    own.unwrap_or_else(|| if cfg!(windows) { "cmd.exe".into() } else { "/bin/sh".into() })
}

fn name_of(program: &str) -> String {
    Path::new(program).file_name().map_or_else(|| program.to_string(), |name| name.to_string_lossy().into_owned())
}

fn read(mut reader: Box<dyn Read + Send>, under_way: &SyncSender<()>, tell: &Listener) {
    let mut buffer = vec![0; PIECE];
    while let Ok(n @ 1..) = reader.read(&mut buffer) {
        if under_way.send(()).is_err() || !tell(ShellNews::Output(buffer[..n].to_vec())) {
            return;
        }
    }
}

fn write(mut writer: Box<dyn Write + Send>, inputs: &Receiver<Vec<u8>>) {
    while let Ok(bytes) = inputs.recv() {
        if writer.write_all(&bytes).and_then(|()| writer.flush()).is_err() {
            return;
        }
    }
}

/// Waits for the end, or hangs up (SIGHUP, a moment later SIGKILL) when told to. A sentence on how it ended.
fn wait(mut child: Box<dyn Child + Send + Sync>, stopped: &Receiver<()>) -> String {
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return "Your shell has ended.".into(),
            Ok(Some(status)) => return format!("Your shell has ended with exit code {}.", status.exit_code()),
            Ok(None) => (),
            Err(e) => return format!("Your shell cannot be watched any more: {e}"),
        }
        match stopped.recv_timeout(POLL) {
            Err(RecvTimeoutError::Timeout) => (),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                let _ = child.kill();
                let _ = child.wait();
                return "Your shell was ended with the lesson.".into();
            }
        }
    }
}

#[cfg(test)]
mod tests;
