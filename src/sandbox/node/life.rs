//! The life of one pod: from bound to running to gone. Objects are looked at, never changed here; what should be written is returned.

mod end;
mod probe;
pub(super) mod step;

use super::files::Overlay;
use super::logs::Log;
use super::process::Process;
use super::spec::{self, Role};
use crate::base::clock::Time;
use crate::k8s::Object;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub(super) use probe::is_quiet;
pub(super) use step::{advance, initialized};

/// What the node keeps of a pod. Cloned when it is written after a fork.
#[derive(Debug, Clone)]
pub struct PodLife {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    /// When the node first saw it.
    pub seen: Time,
    /// Set once its network is up.
    pub ip: Option<String>,
    /// When its network will be up.
    pub sandbox_due: Option<Time>,
    pub runs: BTreeMap<String, Run>,
    /// emptyDir volumes.
    pub volumes: BTreeMap<String, Overlay>,
    /// When a terminating pod is gone.
    pub gone_at: Option<Time>,
    /// Events that are said once.
    pub told: BTreeSet<String>,
    /// The pod's resourceVersion when its status was last found right.
    pub version: String,
    /// Set when the pod has finished for good: `Succeeded` or `Failed`.
    pub finished: Option<bool>,
}

/// One container.
#[derive(Debug, Clone)]
pub struct Run {
    pub role: Role,
    pub state: State,
    pub last: Option<Ended>,
    pub restarts: u32,
    /// 64 hexadecimal digits.
    pub id: String,
    /// The next transition.
    pub due: Option<Time>,
    /// The end of a back-off: not a transition, the clock has to pass it.
    pub retry: Option<Time>,
    pub pulled: bool,
    pub started: bool,
    pub ready: bool,
    pub log: Log,
    pub previous: Option<Log>,
    pub files: Overlay,
    pub main: Option<Main>,
    pub argv: Vec<String>,
    pub screen: Screen,
    /// Failed attempts so far: the back-off grows with them.
    pub tries: u32,
}

/// The main process of a running container.
#[derive(Debug, Clone)]
pub struct Main {
    /// `None`: a server of the catalogue, which runs until it is stopped.
    pub process: Option<Box<Process>>,
    pub wake: Option<Time>,
    /// Output without its newline yet.
    pub partial: Vec<u8>,
}

/// The last bytes that main processes of a container wrote, for those who attach.
#[derive(Debug, Clone, Default)]
pub struct Screen {
    bytes: VecDeque<u8>,
    /// How many were written before them.
    pub start: u64,
    /// Up to here somebody has read it in the log: it is not shown again.
    pub told: u64,
}

impl Screen {
    fn print(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        while self.bytes.len() > SCREEN_LIMIT {
            self.bytes.pop_front();
            self.start += 1;
        }
    }

    /// How many bytes were written.
    pub fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// What was written after the first `seen` bytes; `seen` moves to the end.
    pub fn after(&self, seen: &mut u64) -> Vec<u8> {
        let skip = seen.saturating_sub(self.start) as usize;
        *seen = self.start + self.bytes.len() as u64;
        self.bytes.iter().skip(skip).copied().collect()
    }
}

/// Bytes of output kept for those who attach.
const SCREEN_LIMIT: usize = 64 * 1024;

impl Main {
    /// A main process that starts now.
    pub fn new(process: Option<Process>, now: Time) -> Main {
        let wake = process.is_some().then_some(now);
        Main { process: process.map(Box::new), wake, partial: Vec::new() }
    }

    /// Takes output over: whole lines to the log, everything to the screen.
    pub fn print(&mut self, bytes: &[u8], log: &mut Log, screen: &mut Screen, at: Time) {
        screen.print(bytes);
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            self.partial.extend_from_slice(part);
            if part.ends_with(b"\n") || self.partial.len() > super::logs::LINE_BYTES {
                let text = String::from_utf8_lossy(&self.partial);
                log.push(at, text.trim_end_matches(['\n', '\r']));
                self.partial.clear();
            }
        }
    }
}

/// What a container is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Waiting { reason: String, message: String },
    Running { since: Time },
    Ended(Ended),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub code: i32,
    pub reason: String,
    pub message: String,
    pub started: Option<Time>,
    pub finished: Time,
    pub id: String,
}

impl Run {
    /// A container that has not started yet.
    pub fn new(role: Role) -> Run {
        Run {
            role,
            state: State::Waiting { reason: "PodInitializing".into(), message: String::new() },
            last: None,
            restarts: 0,
            id: String::new(),
            due: None,
            retry: None,
            pulled: false,
            started: false,
            ready: false,
            log: Log::default(),
            previous: None,
            files: Overlay::default(),
            main: None,
            argv: Vec::new(),
            screen: Screen::default(),
            tries: 0,
        }
    }

    pub fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    /// Why it waits, if it does.
    pub fn waiting(&self) -> Option<&str> {
        match &self.state {
            State::Waiting { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// When the present run began.
    pub fn since(&self) -> Option<Time> {
        match &self.state {
            State::Running { since } => Some(*since),
            _ => None,
        }
    }

    /// Whether it ended well for good.
    pub fn succeeded(&self) -> bool {
        matches!(&self.state, State::Ended(ended) if ended.code == 0)
    }

    pub(super) fn wait(&mut self, reason: &str, message: String) {
        self.state = State::Waiting { reason: reason.into(), message };
        (self.started, self.ready) = (false, false);
    }
}

impl PodLife {
    /// A pod that the node has just been given.
    pub fn new(pod: &Object, now: Time) -> PodLife {
        let initializing = spec::containers(pod).iter().any(|c| matches!(c.role, Role::Init | Role::Sidecar));
        let mut life = PodLife {
            namespace: pod.namespace().into(),
            name: pod.name().into(),
            uid: pod.uid().into(),
            seen: now,
            ip: None,
            sandbox_due: None,
            runs: BTreeMap::new(),
            volumes: BTreeMap::new(),
            gone_at: None,
            told: BTreeSet::new(),
            version: String::new(),
            finished: None,
        };
        for container in spec::containers(pod) {
            let mut run = Run::new(container.role);
            if !initializing {
                run.wait("ContainerCreating", String::new());
            }
            life.runs.insert(container.name().into(), run);
        }
        life
    }

    pub fn run(&self, container: &str) -> Option<&Run> {
        self.runs.get(container)
    }

    pub fn run_mut(&mut self, container: &str) -> Option<&mut Run> {
        self.runs.get_mut(container)
    }

    /// The next transition of this pod.
    pub fn next_transition(&self) -> Option<Time> {
        let dues = self.runs.values().filter_map(|r| r.due);
        dues.chain(self.gone_at).chain(self.sandbox_due).min()
    }

    /// The next moment at which a main process goes on or a back-off ends.
    pub fn next_timer(&self) -> Option<Time> {
        self.runs.values().flat_map(|r| [r.retry, r.main.as_ref().and_then(|m| m.wake)]).flatten().min()
    }
}
