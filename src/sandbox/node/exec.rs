//! Commands run in containers by exec and attach, as streams.

use super::{Env, Node, Refusal};

/// What `pods/exec` or `pods/attach` asks for. An empty command means attach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Start {
    pub namespace: String,
    pub pod: String,
    /// `None`: the default-container annotation, else the only or first container.
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
    /// Set once, with the last bytes.
    pub exit: Option<Exit>,
    /// A line finished (files, logs or exit code changed): the world commits a revision.
    pub commit: bool,
    /// The process sleeps until then (wall pace); `None`: it waits for input or has ended.
    pub wake: Option<crate::base::clock::Time>,
}

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    /// The process could not be started: an InternalError status with this message.
    Failed(String),
}

impl Node {
    /// Starts a stream.
    ///
    /// # Errors
    /// Not found (404), no such container, not running yet (400), in the API server's words.
    pub fn exec(&mut self, start: &Start, env: &mut Env<'_>) -> Result<ProcessId, Refusal> {
        let _ = (start, env);
        Err(Refusal::bad("not simulated here: exec"))
    }

    /// Hands input over. Input beyond the buffer's limit (64 KiB) is answered by `false`: try again after [`Node::run`].
    pub fn input(&mut self, id: ProcessId, input: Input) -> bool {
        let _ = (id, input);
        true
    }

    /// Lets the process go on until it waits, sleeps or ends, or `max` bytes of output are there.
    pub fn run(&mut self, id: ProcessId, env: &mut Env<'_>, max: usize) -> Output {
        let _ = (id, env, max);
        Output::default()
    }

    /// The client is gone: ends the process.
    pub fn close(&mut self, id: ProcessId) {
        let _ = id;
    }
}
