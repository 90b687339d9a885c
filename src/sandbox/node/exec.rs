//! Commands run in containers by exec and attach, as streams.

use super::life::Run;
use super::life::step::{Place, with_address};
use super::logs::LogQuery;
use super::process::Process;
use super::{Env, Node, Refusal, logs, space, spec};
use crate::base::clock::Time;
use crate::k8s::Object;
use std::sync::Arc;

/// How many streams one node holds.
const STREAM_LIMIT: usize = 256;

/// `run -it` attaches a moment after the start. Commands take no time here, so what a cluster would print after that moment is
/// printed before it: it is shown to those who attach so soon, in milliseconds. kubectl 1.36 reads the log first; what it has from
/// there is not shown twice.
const ATTACH_GRACE_MS: i64 = 3_000;

/// What `pods/exec` or `pods/attach` asks for. An empty command means attach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Start {
    pub namespace: String,
    pub pod: String,
    /// `None`: the only container.
    pub container: Option<String>,
    pub command: Vec<String>,
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
    pub tty: bool,
}

/// Names a running stream of this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId(pub u64);

/// What reaches the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    Bytes(Vec<u8>),
    Eof,
    Resize { cols: u16, rows: u16 },
}

/// What [`Node::run`] brings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// `stderr` came before `stdout`.
    pub err_first: bool,
    /// Set once, with the last bytes.
    pub exit: Option<Exit>,
    /// A line finished (files, logs or exit code changed): the world commits a revision.
    pub commit: bool,
    /// The process sleeps until then (wall pace); `None`: it waits for input or has ended.
    pub wake: Option<Time>,
}

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    /// The process could not be started: an InternalError status with this message.
    Failed(String),
}

/// One stream into a container.
pub(super) struct Session {
    uid: String,
    container: String,
    /// The run of the container it belongs to.
    run: String,
    stdout: bool,
    stderr: bool,
    kind: Kind,
}

enum Kind {
    Exec(Box<Process>),
    /// Attached to the main process; `seen` counts the bytes already shown.
    Attach {
        seen: u64,
        stdin: bool,
        once: bool,
    },
    /// The command is not in the image: why it cannot be started.
    Missing(String),
}

impl Node {
    /// Starts a stream.
    ///
    /// # Errors
    /// Not found (404), no such container, not running yet (400), in the API server's words.
    pub fn exec(&mut self, start: &Start, env: &mut Env<'_>) -> Result<ProcessId, Refusal> {
        let missing = || Refusal { code: 404, message: format!("pods \"{}\" not found", start.pod) };
        let pod = env.state.find("", "Pod", &start.namespace, &start.pod).cloned().ok_or_else(missing)?;
        let name = logs::choose(&pod, start.container.as_deref())?;
        if self.sessions.len() >= STREAM_LIMIT {
            return Err(Refusal { code: 429, message: "too many commands run in this node, please try again later".into() });
        }
        let (uid, run, session) = {
            let unhosted = || Refusal::bad(format!("pod {} does not have a host assigned", start.pod));
            let life = self.life(pod.uid()).ok_or_else(unhosted)?;
            let stopped = || Refusal { code: 500, message: format!("container not found (\"{name}\")") };
            let run = life.run(&name).filter(|r| r.is_running()).ok_or_else(stopped)?;
            let kind = match start.command.is_empty() {
                true => attach(run, &pod, &name, start, *env.now),
                false => command(&pod, &name, life.ip.as_deref(), start, env)?,
            };
            (life.uid.clone(), run.id.clone(), kind)
        };
        let id = ProcessId(self.next_session);
        self.next_session += 1;
        let session = self.named(session, &uid, id);
        let (stdout, stderr) = (start.stdout, start.stderr);
        self.sessions.insert(id, Session { uid, container: name, run, stdout, stderr, kind: session });
        Ok(id)
    }

    /// Hands input over. Input beyond the buffer's limit (64 KiB) is answered by `false`: try again after [`Node::run`].
    pub fn input(&mut self, id: ProcessId, input: Input) -> bool {
        let Some(session) = self.sessions.get_mut(&id) else { return true };
        match (&mut session.kind, input) {
            (Kind::Exec(process), Input::Bytes(bytes)) => process.input(&bytes),
            (Kind::Exec(process), Input::Eof) => {
                process.close_input();
                true
            }
            (Kind::Exec(process), Input::Resize { cols, rows }) => {
                process.resize(cols, rows);
                true
            }
            (Kind::Attach { stdin, once, .. }, input) => {
                let (stdin, once) = (*stdin, *once);
                let (uid, container) = (session.uid.clone(), session.container.clone());
                self.main_input(&uid, &container, input, stdin, once)
            }
            _ => true,
        }
    }

    /// Input for a main process that somebody is attached to. `once`: it ends with the first who was attached (`stdinOnce`).
    fn main_input(&mut self, uid: &str, container: &str, input: Input, stdin: bool, once: bool) -> bool {
        let main = self.pods.get_mut(uid).and_then(|life| Arc::make_mut(life).run_mut(container));
        let Some(main) = main.and_then(|run| run.main.as_mut()) else { return true };
        let Some(process) = &mut main.process else { return true };
        let taken = match input {
            Input::Bytes(bytes) if stdin => process.input(&bytes),
            Input::Eof if stdin && once => {
                process.close_input();
                true
            }
            Input::Resize { cols, rows } => {
                process.resize(cols, rows);
                true
            }
            Input::Bytes(_) | Input::Eof => return true,
        };
        // It goes on at the next look at the pod.
        main.wake = Some(Time(i64::MIN));
        taken
    }

    /// Lets the process go on until it waits, sleeps or ends, or `max` bytes of output are there.
    pub fn run(&mut self, id: ProcessId, env: &mut Env<'_>, max: usize) -> Output {
        let Some(mut session) = self.sessions.remove(&id) else {
            return Output { exit: Some(Exit::Code(137)), ..Output::default() };
        };
        let pod = env.state.list("", "Pod").find(|p| p.uid() == session.uid).cloned();
        let alive = self
            .life(&session.uid)
            .and_then(|l| l.run(&session.container))
            .is_some_and(|r| r.id == session.run && r.is_running());
        let mut output = match (&mut session.kind, pod) {
            (Kind::Missing(text), _) => Output { exit: Some(Exit::Failed(std::mem::take(text))), ..Output::default() },
            (Kind::Attach { seen, .. }, Some(_)) => self.attached(&session.uid, &session.container, seen, alive, env),
            (Kind::Exec(process), Some(pod)) if alive => {
                self.run_process(process, &session.uid, &session.container, &pod, env, max)
            }
            // The container went away: what runs in it is killed.
            _ => Output { exit: Some(Exit::Code(137)), ..Output::default() },
        };
        if !session.stdout {
            output.stdout.clear();
        }
        if !session.stderr {
            output.stderr.clear();
        }
        if output.exit.is_none() {
            self.sessions.insert(id, session);
        }
        output
    }

    /// The client is gone: ends the process. A main process lives on; its input ends if it was for one client only.
    pub fn close(&mut self, id: ProcessId) {
        let Some(session) = self.sessions.remove(&id) else { return };
        if let Kind::Attach { stdin: true, once: true, .. } = session.kind {
            self.main_input(&session.uid, &session.container, Input::Eof, true, true);
        }
    }

    /// Takes a stream back that was opened only to see whether it can be.
    pub fn forget(&mut self, id: ProcessId) {
        self.sessions.remove(&id);
    }

    /// The log of a container was read: whoever attaches next has its lines.
    pub fn log_was_read(&mut self, query: &LogQuery, env: &Env<'_>) {
        let Some(pod) = env.state.find("", "Pod", &query.namespace, &query.pod) else { return };
        let Ok(name) = logs::choose(pod, query.container.as_deref()) else { return };
        let Some(life) = self.pods.get_mut(pod.uid()) else { return };
        let now = *env.now;
        if life.run(&name).and_then(Run::since).is_none_or(|since| now.since(since) >= ATTACH_GRACE_MS) {
            return;
        }
        if let Some(run) = Arc::make_mut(life).run_mut(&name) {
            // The log has whole lines only.
            let rest = run.main.as_ref().map_or(0, |main| main.partial.len() as u64);
            run.screen.told = run.screen.end() - rest.min(run.screen.end());
        }
    }

    /// A command that could not be started is told under the name that the runtime gave to the attempt.
    fn named(&self, kind: Kind, uid: &str, id: ProcessId) -> Kind {
        let Kind::Missing(why) = kind else { return kind };
        let part = |p: &str| format!("{:016x}", self.seed.hash(&["exec", uid, &id.0.to_string(), p]));
        let name = ["a", "b", "c", "d"].map(part).concat();
        Kind::Missing(format!(
            "error executing command in container: failed to exec in container: failed to start exec \"{name}\": {why}"
        ))
    }

    fn run_process(
        &mut self,
        process: &mut Process,
        uid: &str,
        name: &str,
        pod: &Object,
        env: &mut Env<'_>,
        max: usize,
    ) -> Output {
        let pace = self.pace;
        let mut lines = Vec::new();
        let progress = {
            let Some(life) = self.pods.get_mut(uid).map(Arc::make_mut) else { return Output::default() };
            let with_ip = with_address(pod, life.ip.as_deref());
            let Some(container) = spec::container(&with_ip, name) else { return Output::default() };
            let Some(image) = container.known() else { return Output::default() };
            let Some(run) = life.runs.get_mut(name) else { return Output::default() };
            let main = (run.argv.join(" "), run.since().unwrap_or(*env.now));
            let place = Place { pod: &with_ip, container: &container, image, main };
            let mut space = place.space(&mut run.files, &mut life.volumes, env, &mut lines);
            process.advance(&mut space, pace, max)
        };
        self.append_at(&lines);
        Output {
            stdout: std::mem::take(&mut process.out),
            stderr: std::mem::take(&mut process.err),
            err_first: process.err_first,
            exit: progress.exit.map(Exit::Code),
            commit: progress.commit,
            wake: progress.wake,
        }
    }

    /// What the main process has written since.
    fn attached(&mut self, uid: &str, name: &str, seen: &mut u64, alive: bool, env: &mut Env<'_>) -> Output {
        let due = self.life(uid).and_then(|l| l.next_timer()).is_some_and(|t| t <= *env.now);
        let mut output = Output { commit: alive && due, ..Output::default() };
        if due {
            // The world commits, looks at the pod again, and this stream is polled again.
            output.wake = Some(*env.now);
        }
        if let Some(run) = self.life(uid).and_then(|l| l.run(name)) {
            output.stdout = run.screen.after(seen);
        }
        if !alive {
            output.exit = Some(Exit::Code(0));
        }
        output
    }
}

/// Attached to the main process: what it printed before is not shown, unless it has only just begun.
fn attach(run: &Run, pod: &Object, name: &str, start: &Start, now: Time) -> Kind {
    let fresh = run.since().is_some_and(|since| now.since(since) < ATTACH_GRACE_MS);
    let container = spec::container(pod, name);
    let flag = |key: &str| container.is_some_and(|c| c.spec[key] == true);
    let seen = if fresh { run.screen.start.max(run.screen.told) } else { run.screen.end() };
    Kind::Attach { seen, stdin: start.stdin && flag("stdin"), once: flag("stdinOnce") }
}

/// The process of an exec.
fn command(pod: &Object, name: &str, ip: Option<&str>, start: &Start, env: &Env<'_>) -> Result<Kind, Refusal> {
    let with_ip = with_address(pod, ip);
    let container = spec::container(&with_ip, name)
        .ok_or_else(|| Refusal::bad(format!("container {name} is not valid for pod {}", start.pod)))?;
    let image = container.known().ok_or_else(|| Refusal::bad(crate::base::not_simulated(container.image())))?;
    let word = start.command[0].as_str();
    let program = env
        .programs
        .iter()
        .filter(|p| p.runs(container.image()))
        .any(|p| p.request(name, &start.command).is_some() || p.exec(&with_ip, name, &start.command, env.state).is_some());
    if space::command_path(image, word).is_none() && !program {
        let why = match word.contains('/') {
            true => format!("stat {word}: no such file or directory"),
            false => "executable file not found in $PATH".to_string(),
        };
        let text =
            format!("OCI runtime exec failed: exec failed: unable to start container process: exec: \"{word}\": {why}: unknown");
        return Ok(Kind::Missing(text));
    }
    let vars = spec::environment(&with_ip, &container, image, env.state).unwrap_or_default();
    let cwd = container.spec["workingDir"].as_str().unwrap_or(if image.uid == 0 { "/" } else { image.home });
    let mut vars = vars;
    if start.tty {
        vars.insert("TERM".into(), "xterm".into());
    }
    Ok(Kind::Exec(Box::new(Process::new(&start.command, &vars, cwd, start.stdin, start.tty, false))))
}
