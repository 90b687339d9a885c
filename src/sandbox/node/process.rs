//! One process of a container: a command or a shell, run step by step. It never starts a process of this machine.

mod flow;
mod start;

use super::space::Space;
use super::tools::Chunk;
use crate::base::clock::Time;
use crate::base::io::Stream;
use crate::sandbox::Pace;
use crate::shell::machine::{Call, CallInput, Input, Machine, Shell, Step};
use crate::shell::session::{Event, Session};
use std::collections::{BTreeMap, VecDeque};

/// Bytes of input that wait for a process.
pub const INPUT_LIMIT: usize = 64 * 1024;
/// Bytes of input that a command may collect up to its end (`tar`, `cat > file`).
const COLLECT_LIMIT: usize = 4 << 20;
/// Steps taken in one go; a loop that prints nothing goes on at the next poll.
const STEPS: usize = 2_000;
/// Shells inside shells.
const DEPTH: usize = 20;
/// A sleep beyond this is for ever: an instant clock does not run there (ten years, in milliseconds).
const FOREVER_MS: u64 = 10 * 365 * 86_400_000;

/// A process as it stands. Cloned with its world.
#[derive(Debug, Clone)]
pub struct Process {
    frames: Vec<Frame>,
    /// What the top frame is to be told next.
    feed: Option<Input>,
    flight: Option<Flight>,
    sleep: Option<Time>,
    wants_line: bool,
    collecting: Option<Call>,
    /// Reads a whole script from standard input.
    collecting_script: Option<Shell>,
    stdin: VecDeque<u8>,
    stdin_open: bool,
    /// Ctrl-D ended the input of the command that collects it, not the terminal's.
    line_end: bool,
    pub tty: bool,
    /// The terminal's columns and rows, once the client told them.
    size: Option<(u16, u16)>,
    /// A main process: its sleeps end only when the clock passes them.
    background: bool,
    pub out: Vec<u8>,
    pub err: Vec<u8>,
    /// `err` was printed before `out`.
    pub err_first: bool,
    exit: Option<i32>,
    /// Where a main process stands in time: a loop that sleeps 10 s ticks every 10 s even when the clock jumps. `None`: now.
    moment: Option<Time>,
    /// Milliseconds left of a command that was under way when the world was saved, and its exit code.
    resume: Option<(u64, i32)>,
    /// The command line as it began, to begin anew after a restart.
    origin: Box<Call>,
}

/// A level of the process.
#[derive(Debug, Clone)]
enum Frame {
    /// A bare command.
    One(Option<Box<Call>>),
    Script(Box<Machine>),
    Screen(Box<Session>),
}

/// A command that has run but whose output and end lie in the (simulated) future.
#[derive(Debug, Clone)]
struct Flight {
    start: Time,
    chunks: VecDeque<Chunk>,
    elapsed_ms: u64,
    exit_code: i32,
    read_stdin: bool,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    pub exit: Option<i32>,
    /// When to go on; `None`: input or nothing will.
    pub wake: Option<Time>,
    /// A command ended: files, logs or variables may have changed.
    pub commit: bool,
}

enum Next {
    Feed(Input),
    Keys(Vec<u8>),
    KeysEnd,
    Wait(Option<Time>),
    /// The state changed without a step of the top frame.
    Again,
}

impl Process {
    /// A process for a command line; `env` is its environment, `cwd` its folder.
    pub fn new(argv: &[String], env: &BTreeMap<String, String>, cwd: &str, stdin: bool, tty: bool, background: bool) -> Process {
        let call = Call {
            argv: argv.to_vec(),
            env: env.clone(),
            cwd: cwd.to_string(),
            stdin: CallInput::Host,
            out_direct: true,
            err_direct: true,
        };
        Process {
            origin: Box::new(call.clone()),
            moment: None,
            resume: None,
            frames: vec![Frame::One(Some(Box::new(call)))],
            feed: Some(Input::Next),
            flight: None,
            sleep: None,
            wants_line: false,
            collecting: None,
            collecting_script: None,
            stdin: VecDeque::new(),
            stdin_open: stdin,
            line_end: false,
            tty,
            size: None,
            background,
            out: Vec::new(),
            err: Vec::new(),
            err_first: false,
            exit: None,
        }
    }

    /// What it takes to begin anew. A plain command that is under way (`sleep`) keeps its end.
    pub fn save(&self) -> serde_json::Value {
        let plain = matches!(self.frames.as_slice(), [Frame::One(_)]) && self.flight.is_some();
        let flight = self.flight.as_ref().filter(|_| plain).map(|f| f.exit_code);
        serde_json::json!({
            "argv": self.origin.argv, "env": self.origin.env, "cwd": self.origin.cwd, "stdin": self.stdin_open, "tty": self.tty,
            "underway": flight,
        })
    }

    /// A main process from [`Process::save`]; `left_ms`: what was left of the command under way.
    pub fn load(v: &serde_json::Value, left_ms: Option<i64>) -> Process {
        let text = |v: &serde_json::Value| v.as_str().unwrap_or("").to_string();
        let argv: Vec<String> = v["argv"].as_array().into_iter().flatten().map(text).collect();
        let env = v["env"].as_object().into_iter().flatten().map(|(k, v)| (k.clone(), text(v))).collect();
        let mut process = Process::new(&argv, &env, &text(&v["cwd"]), v["stdin"] == true, v["tty"] == true, true);
        if let (Some(code), Some(left)) = (v["underway"].as_i64(), left_ms) {
            process.frames = vec![Frame::One(None)];
            process.feed = None;
            process.resume = Some((left.max(0) as u64, code as i32));
        }
        process
    }

    /// Takes input. False: no room now.
    pub fn input(&mut self, bytes: &[u8]) -> bool {
        if !self.stdin.is_empty() && self.stdin.len() + bytes.len() > self.room() {
            return false;
        }
        self.moment = None;
        if self.tty && bytes.contains(&3) {
            self.interrupt();
        }
        let screen = matches!(self.frames.last(), Some(Frame::Screen(_)));
        if self.tty && (!screen || self.collecting.is_some()) {
            self.cook(bytes);
        } else {
            self.stdin.extend(bytes);
        }
        true
    }

    /// How much input may wait now. Who collects takes a little more than its limit, to see that it is passed.
    fn room(&self) -> usize {
        let collects = self.collecting.as_ref().is_some_and(|call| !flow::passes_on(call)) || self.collecting_script.is_some();
        if collects { COLLECT_LIMIT * 2 } else { INPUT_LIMIT }
    }

    /// The terminal has another size: SIGWINCH.
    pub fn resize(&mut self, cols: u16, rows: u16) {
        if !self.tty || self.size == Some((cols, rows)) || cols == 0 || rows == 0 {
            return;
        }
        let again = self.size.replace((cols, rows)).is_some();
        if let Some(Frame::Screen(session)) = self.frames.last_mut() {
            session.resize(cols, rows, again);
            self.feed.get_or_insert(Input::Next);
        }
    }

    /// Standard input ends.
    pub fn close_input(&mut self) {
        self.stdin_open = false;
    }

    /// A terminal's line discipline for commands that are not a shell: echo, erase, Ctrl-D.
    fn cook(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                3 => (),
                4 if self.collecting.is_some() => self.line_end = true,
                4 => self.stdin_open = false,
                b'\r' | b'\n' => {
                    self.stdin.push_back(b'\n');
                    self.out.extend_from_slice(b"\r\n");
                }
                8 | 0x7f if self.stdin.back().is_some_and(|b| *b != b'\n') => {
                    self.stdin.pop_back();
                    self.out.extend_from_slice(b"\x08 \x08");
                }
                byte if byte >= 0x20 || byte == b'\t' => {
                    self.stdin.push_back(byte);
                    self.out.push(byte);
                }
                _ => (),
            }
        }
    }

    /// Ctrl-C on a terminal: what runs ends with 130; an interactive shell lives on.
    fn interrupt(&mut self) {
        self.flight = None;
        self.sleep = None;
        self.wants_line = false;
        self.collecting = None;
        self.collecting_script = None;
        self.feed = None;
        self.stdin.clear();
        while self.frames.last().is_some_and(|f| !matches!(f, Frame::Screen(_))) {
            self.frames.pop();
        }
        if self.frames.is_empty() {
            self.out.extend_from_slice(b"^C");
            self.exit = Some(130);
        }
    }

    /// Goes on until the process waits, ends, or has `max` bytes of output.
    pub fn advance(&mut self, space: &mut Space<'_, '_>, pace: Pace, max: usize) -> Progress {
        let mut commit = false;
        for _ in 0..STEPS {
            // What is printed in turns on both streams is handed over in turns.
            let both = !self.out.is_empty() && !self.err.is_empty();
            if self.exit.is_some() || both || self.out.len() + self.err.len() >= max {
                break;
            }
            let step = match self.next(space, pace) {
                Next::Feed(input) => {
                    commit |= matches!(input, Input::Returned { .. });
                    self.poll_top(space, input)
                }
                Next::Keys(bytes) => self.poll_screen(space, Event::Keys(bytes)),
                Next::KeysEnd => self.poll_screen(space, Event::Eof),
                Next::Again => continue,
                Next::Wait(wake) => return Progress { exit: None, wake, commit },
            };
            self.take(step, space);
        }
        commit |= self.exit.is_some();
        Progress { exit: self.exit, wake: self.exit.is_none().then_some(*space.env.now), commit }
    }

    fn next(&mut self, space: &mut Space<'_, '_>, pace: Pace) -> Next {
        if let Some((elapsed_ms, exit_code)) = self.resume.take() {
            let chunks = VecDeque::new();
            self.flight = Some(Flight { start: *space.env.now, chunks, elapsed_ms, exit_code, read_stdin: false });
        }
        if let Some(input) = self.feed.take() {
            return Next::Feed(input);
        }
        if let Some(keys) = self.keys_for_screen() {
            return keys;
        }
        if let Some(until) = self.sleep {
            return match self.due(until, space, pace) {
                true => {
                    self.sleep = None;
                    Next::Feed(Input::Next)
                }
                false => Next::Wait(Some(until)),
            };
        }
        if self.flight.is_some() {
            return self.fly(space, pace);
        }
        if self.wants_line {
            return self.line();
        }
        if let Some(call) = self.collecting.take() {
            return self.collect(space, call);
        }
        if let Some(shell) = self.collecting_script.take() {
            return self.collect_script(shell);
        }
        Next::Wait(None)
    }

    /// Keys go to an interactive shell at once (it keeps them while a command runs), and so does the end of input.
    fn keys_for_screen(&mut self) -> Option<Next> {
        let Some(Frame::Screen(session)) = self.frames.last().filter(|_| self.collecting.is_none()) else { return None };
        if !self.stdin.is_empty() {
            return Some(Next::Keys(self.stdin.drain(..).collect()));
        }
        (!self.stdin_open && !session.busy() && self.flight.is_none() && self.sleep.is_none()).then_some(Next::KeysEnd)
    }

    /// Whether the moment has come. A foreground wait ends at once in instant worlds (and moves the clock) and in frozen ones.
    fn due(&mut self, until: Time, space: &mut Space<'_, '_>, pace: Pace) -> bool {
        if *space.env.now >= until {
            self.moment = self.background.then_some(until);
            return true;
        }
        match pace {
            _ if self.background => false,
            _ if until.since(*space.env.now) as u64 > FOREVER_MS => false,
            Pace::Instant => {
                *space.env.now = until;
                true
            }
            Pace::Frozen => true,
            Pace::Wall { .. } => false,
        }
    }

    fn moment(&self, space: &Space<'_, '_>) -> Time {
        self.moment.filter(|m| m.0 > 0).unwrap_or(*space.env.now).min(*space.env.now)
    }

    /// The next piece of a running command.
    fn fly(&mut self, space: &mut Space<'_, '_>, pace: Pace) -> Next {
        let Some(flight) = &self.flight else { return Next::Again };
        let moment = flight.chunks.front().map_or(flight.elapsed_ms, |c| c.at_ms);
        let until = flight.start.plus_ms(i64::try_from(moment).unwrap_or(i64::MAX / 2));
        if !self.due(until, space, pace) {
            return Next::Wait(Some(until));
        }
        let Some(flight) = &mut self.flight else { return Next::Again };
        if let Some(chunk) = flight.chunks.pop_front() {
            return Next::Feed(Input::Output { stream: chunk.stream, bytes: chunk.bytes });
        }
        let (exit_code, read_stdin) = (flight.exit_code, flight.read_stdin);
        self.flight = None;
        Next::Feed(Input::Returned { exit_code, read_stdin })
    }

    /// A line for `read`.
    fn line(&mut self) -> Next {
        let end = self.stdin.iter().position(|b| *b == b'\n');
        let bytes: Vec<u8> = match (end, self.stdin_open) {
            (Some(end), _) => self.stdin.drain(..=end).collect(),
            (None, true) => return Next::Wait(None),
            (None, false) => self.stdin.drain(..).collect(),
        };
        self.wants_line = false;
        let ended = end.is_none() && bytes.is_empty();
        let text = String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_string();
        Next::Feed(Input::Line((!ended).then_some(text)))
    }

    fn poll_top(&mut self, space: &mut Space<'_, '_>, input: Input) -> Step {
        match self.frames.last_mut() {
            Some(frame) => poll(frame, space, input),
            None => Step::Done { exit_code: 0 },
        }
    }

    fn poll_screen(&mut self, space: &mut Space<'_, '_>, event: Event) -> Step {
        match self.frames.last_mut() {
            Some(Frame::Screen(session)) => session.poll(space, event),
            _ => Step::Waiting,
        }
    }

    fn take(&mut self, step: Step, space: &mut Space<'_, '_>) {
        match step {
            Step::Call(call) => self.call(space, call),
            Step::Output { stream, bytes } => {
                let level = self.frames.len() - 1;
                self.emit(level, space, stream, bytes);
                self.feed = Some(Input::Next);
            }
            Step::Sleep { ms } => self.sleep = Some(self.moment(space).plus_ms(i64::try_from(ms).unwrap_or(i64::MAX / 2))),
            Step::NeedLine => self.wants_line = true,
            Step::Waiting => (),
            Step::Done { exit_code } => {
                self.frames.pop();
                match self.frames.is_empty() {
                    true => self.exit = Some(exit_code),
                    false => self.feed = Some(Input::Returned { exit_code, read_stdin: true }),
                }
            }
        }
    }

    /// Hands output of a level to the level below it, or out of the process.
    fn emit(&mut self, level: usize, space: &mut Space<'_, '_>, stream: Stream, bytes: Vec<u8>) {
        if level == 0 {
            let raw = matches!(self.frames.first(), Some(Frame::Screen(_)));
            return self.print(stream, &bytes, raw);
        }
        let mut input = Input::Output { stream, bytes };
        // Each output asks to go on; two steps settle it, the limit guards against a frame that never rests.
        for _ in 0..16 {
            let Some(below) = self.frames.get_mut(level - 1) else { return };
            let Step::Output { stream, bytes } = poll(below, space, input) else { return };
            self.emit(level - 1, space, stream, bytes);
            input = Input::Next;
        }
    }

    fn print(&mut self, stream: Stream, bytes: &[u8], raw: bool) {
        // A main process's streams go to one log.
        let to_out = stream == Stream::Out || self.tty || self.background;
        if self.out.is_empty() && self.err.is_empty() {
            self.err_first = !to_out;
        }
        let into = if to_out { &mut self.out } else { &mut self.err };
        if !self.tty || raw {
            return into.extend_from_slice(bytes);
        }
        for &byte in bytes {
            if byte == b'\n' && into.last() != Some(&b'\r') {
                into.push(b'\r');
            }
            into.push(byte);
        }
    }
}

fn poll(frame: &mut Frame, space: &mut Space<'_, '_>, input: Input) -> Step {
    match frame {
        Frame::Script(machine) => machine.poll(space, input),
        Frame::Screen(session) => session.poll(space, Event::Machine(input)),
        Frame::One(call) => match input {
            Input::Output { stream, bytes } => Step::Output { stream, bytes },
            Input::Returned { exit_code, .. } => Step::Done { exit_code },
            Input::Interrupt => Step::Done { exit_code: 130 },
            Input::Next | Input::Line(_) => call.take().map_or(Step::Waiting, |call| Step::Call(*call)),
        },
    }
}
