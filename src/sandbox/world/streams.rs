//! Watches, exec and attach, followed logs: cursors that are polled.

use crate::sandbox::api::{self, watch::Watch};
use crate::sandbox::call::{Answer, Call, Refusal, StreamId, StreamInput, StreamOutput};
use crate::sandbox::node;
use crate::sandbox::node::exec::{Exit, Input, Output, ProcessId};
use crate::sandbox::node::forward::Port;
use crate::sandbox::node::logs::LogCursor;
use crate::sandbox::world::moments::{Typed, clipped, command_line};
use crate::sandbox::world::{Hand, Occasion, World};
use std::collections::VecDeque;

/// How many streams one world holds open.
const STREAM_LIMIT: usize = 1_024;
/// How much of a process's output one poll takes, in bytes: a websocket message of kubectl's holds 32 KiB.
const OUTPUT_CHUNK: usize = 32 * 1024;

/// A command in a container, for the time-line.
struct Exec {
    by: Hand,
    namespace: String,
    pod: String,
    container: String,
    /// The command that was asked for.
    line: String,
    typed: Typed,
}

/// One open stream.
pub(super) struct Stream {
    source: Source,
    queue: VecDeque<StreamOutput>,
    over: bool,
}

enum Source {
    Watch(Box<Watch>),
    Exec(ProcessId, Box<Exec>),
    Log(LogCursor),
    Port(Box<Port>),
}

impl Exec {
    fn of(start: node::exec::Start, by: Hand) -> Exec {
        let line = command_line(&start.command);
        let container = start.container.unwrap_or_default();
        Exec { by, namespace: start.namespace, pod: start.pod, container, line, typed: Typed::default() }
    }

    /// What a line that came to its end is to the time-line.
    fn ended(&mut self) -> (Occasion, Hand) {
        let line = match self.typed.line() {
            Some(typed) if self.line.is_empty() => clipped(&typed),
            Some(typed) => clipped(&format!("{}: {typed}", self.line)),
            None => self.line.clone(),
        };
        let (namespace, pod, container) = (self.namespace.clone(), self.pod.clone(), self.container.clone());
        (Occasion::Exec { namespace, pod, container, line }, self.by.clone())
    }
}

impl World {
    /// Opens a stream: watch, exec, attach, followed log.
    ///
    /// # Errors
    /// The answer to give instead.
    pub fn open(&mut self, call: &Call) -> Result<StreamId, Answer> {
        if self.streams.len() >= STREAM_LIMIT {
            let message = "too many open streams, please try again later";
            return Err(Refusal::new(429, "TooManyRequests", message).answer());
        }
        let opened = api::open(self, call).map_err(|refusal| refusal.answer())?;
        self.begin(opened, Hand::of(call))
    }

    /// Whether [`World::open`] would succeed; for exec, attach and port-forward, which leave no trace then.
    ///
    /// # Errors
    /// The answer to give instead.
    pub fn preflight(&mut self, call: &Call) -> Result<(), Answer> {
        let opened = api::open(self, call).map_err(|refusal| refusal.answer())?;
        match opened {
            api::Opened::Exec(start) => {
                let id = self.with_node(|node, env| node.exec(&start, env)).map_err(|r| refused(r, &start.pod))?;
                self.node.forget(id);
                Ok(())
            }
            api::Opened::Forward(namespace, pod) => self.forward_target(&namespace, &pod).map(drop),
            api::Opened::Watch(_) | api::Opened::Log(_) => Ok(()),
        }
    }

    /// The uid of the pod whose ports a call wants forwarded.
    ///
    /// # Errors
    /// The answer to give instead.
    pub fn forwarded_pod(&mut self, call: &Call) -> Result<String, Answer> {
        match api::open(self, call).map_err(|refusal| refusal.answer())? {
            api::Opened::Forward(namespace, pod) => self.forward_target(&namespace, &pod),
            _ => Err(Refusal::bad_request("this is no port-forward").answer()),
        }
    }

    fn forward_target(&mut self, namespace: &str, pod: &str) -> Result<String, Answer> {
        let found = self.with_node(|node, env| node.forward_target(namespace, pod, env));
        found.map_err(|refusal| api::node_refusal(refusal, pod).answer())
    }

    /// Opens a connection to a port of the pod with this uid: its bytes come as `Stdout`, the text for the error stream as `Stderr`,
    /// then `Exit`. `None`: too many streams are open.
    pub fn open_port(&mut self, uid: &str, port: u16) -> Option<StreamId> {
        let source = Source::Port(Box::new(Port::new(uid, port)));
        (self.streams.len() < STREAM_LIMIT).then(|| self.insert(source, VecDeque::new()))
    }

    /// See [`node::Node::log_was_read`].
    pub(in crate::sandbox) fn log_was_read(&mut self, query: &node::logs::LogQuery) {
        self.with_node(|node, env| node.log_was_read(query, env));
    }

    fn insert(&mut self, source: Source, queue: VecDeque<StreamOutput>) -> StreamId {
        let id = StreamId(self.next_stream);
        self.next_stream += 1;
        self.streams.insert(id, Stream { source, queue, over: false });
        id
    }

    fn begin(&mut self, opened: api::Opened, by: Hand) -> Result<StreamId, Answer> {
        let mut queue = VecDeque::new();
        let source = match opened {
            api::Opened::Watch(watch) => Source::Watch(watch),
            api::Opened::Exec(start) => {
                let process = self.with_node(|node, env| node.exec(&start, env)).map_err(|r| refused(r, &start.pod))?;
                Source::Exec(process, Box::new(Exec::of(start, by)))
            }
            api::Opened::Log(query) => {
                let read = self.node.log(&query, self.store.snapshot(), self.now);
                let (text, cursor) = read.map_err(|r| api::node_refusal(r, &query.pod).answer())?;
                queue.extend((!text.is_empty()).then_some(StreamOutput::Body(text)));
                Source::Log(cursor)
            }
            api::Opened::Forward(..) => return Err(Refusal::bad_request("Upgrade request required").answer()),
        };
        Ok(self.insert(source, queue))
    }

    /// Hands input to a process. False: its buffer is full, poll and try again.
    pub fn input(&mut self, id: StreamId, input: StreamInput) -> bool {
        let process = match self.streams.get_mut(&id).map(|stream| &mut stream.source) {
            Some(Source::Exec(process, exec)) => {
                if let StreamInput::Bytes(bytes) = &input {
                    exec.typed.take(bytes);
                }
                *process
            }
            Some(Source::Port(port)) => {
                return match input {
                    StreamInput::Bytes(bytes) => port.input(&bytes),
                    StreamInput::Eof => {
                        port.close_input();
                        true
                    }
                    StreamInput::Resize { .. } => true,
                };
            }
            _ => return true,
        };
        let input = match input {
            StreamInput::Bytes(bytes) => Input::Bytes(bytes),
            StreamInput::Eof => Input::Eof,
            StreamInput::Resize { cols, rows } => Input::Resize { cols, rows },
        };
        self.node.input(process, input)
    }

    /// What the stream has to say. After `Exit`, `Failed` or `End` it is over and forgotten.
    pub fn poll(&mut self, id: StreamId) -> StreamOutput {
        let Some(mut stream) = self.streams.remove(&id) else { return StreamOutput::End };
        let output = match stream.queue.pop_front() {
            Some(output) => output,
            None if stream.over => StreamOutput::End,
            None => self.advance_stream(&mut stream),
        };
        let last = matches!(output, StreamOutput::Exit(_) | StreamOutput::Failed(_) | StreamOutput::End);
        if !last {
            self.streams.insert(id, stream);
        }
        output
    }

    fn advance_stream(&mut self, stream: &mut Stream) -> StreamOutput {
        match &mut stream.source {
            Source::Watch(watch) => watch.poll(self),
            Source::Exec(process, exec) => {
                let process = *process;
                let output = self.with_node(|node, env| node.run(process, env, OUTPUT_CHUNK));
                if output.commit {
                    let (occasion, by) = exec.ended();
                    self.signatures.ask(occasion, Some(by));
                }
                self.after_run(&output);
                queue_output(output, &mut stream.queue)
            }
            Source::Port(port) => {
                let output = self.with_node(|node, env| node.forward(port, env));
                if output.commit {
                    self.signatures.ask(Occasion::Port, None);
                }
                self.after_run(&output);
                queue_output(output, &mut stream.queue)
            }
            Source::Log(cursor) => match self.node.log_more(cursor) {
                (text, ended) if !text.is_empty() => {
                    stream.over = ended;
                    StreamOutput::Body(text)
                }
                (_, true) => StreamOutput::End,
                _ => StreamOutput::Pending { until: None },
            },
        }
    }

    /// A finished line is a revision; time that it took may have ended timers.
    fn after_run(&mut self, output: &Output) {
        if output.commit {
            self.store.touch();
            self.settle();
            self.seal();
        }
    }

    /// The client is gone.
    pub fn close(&mut self, id: StreamId) {
        if let Some(Stream { source: Source::Exec(process, _), .. }) = self.streams.remove(&id) {
            self.node.close(process);
        }
    }

    /// Ends every stream that hangs on a container: the world was reset.
    pub(super) fn end_streams_of_node(&mut self) {
        for stream in self.streams.values_mut() {
            if !matches!(stream.source, Source::Watch(_)) {
                stream.over = true;
                stream.queue.clear();
            }
        }
    }
}

/// What the API server refuses is a Status; what only the kubelet knows arrives as its plain text.
fn refused(refusal: node::Refusal, pod: &str) -> Answer {
    match refusal.code {
        500 => Answer::text(500, &format!("{}\n", refusal.message)),
        _ => api::node_refusal(refusal, pod).answer(),
    }
}

fn queue_output(output: Output, queue: &mut VecDeque<StreamOutput>) -> StreamOutput {
    let mut both = [StreamOutput::Stdout(output.stdout), StreamOutput::Stderr(output.stderr)];
    if output.err_first {
        both.reverse();
    }
    let some = |o: &StreamOutput| matches!(o, StreamOutput::Stdout(b) | StreamOutput::Stderr(b) if !b.is_empty());
    queue.extend(both.into_iter().filter(some));
    match output.exit {
        Some(Exit::Code(code)) => queue.push_back(StreamOutput::Exit(code)),
        Some(Exit::Failed(message)) => {
            queue.push_back(StreamOutput::Failed(Refusal::new(
                500,
                "InternalError",
                format!("Internal error occurred: {message}"),
            )));
        }
        None => (),
    }
    queue.pop_front().unwrap_or(StreamOutput::Pending { until: output.wake })
}
