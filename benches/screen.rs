//! How quick the screen is, through a real pseudo terminal: `cargo bench --bench screen`. One table: first frame, key to frame with
//! 10,000 lines of output and a running watch, the same while the API stalls, processor time while nothing happens. `EGRESS_LAB_PROGRAM` names another build of the
//! program, the shipped one for instance.

#[path = "../tests/pipe.rs"]
mod pipe;
#[path = "../tests/pty.rs"]
#[allow(dead_code)]
mod pty;

use pipe::Pipe;
use portable_pty::CommandBuilder;
use pty::Pty;
use std::num::NonZero;
use std::time::{Duration, Instant};

const COLS: u16 = 120;
const ROWS: u16 = 40;
const STARTS: usize = 20;
const KEYS: usize = 500;
const IDLE: Duration = Duration::from_secs(10);
const LINES: usize = 10_000;
const SHORT_STALLS: usize = 40;
const LIMIT: Duration = Duration::from_secs(30);

struct Screen {
    pty: Pty,
    parser: vt100::Parser,
    home: tempfile::TempDir,
}

impl Screen {
    fn start(argv: &[&str], more: &[(&str, &str)]) -> Screen {
        let home = tempfile::tempdir().expect("a folder");
        let program = std::env::var("EGRESS_LAB_PROGRAM").unwrap_or(env!("CARGO_BIN_EXE_egress-lab").into());
        let mut command = CommandBuilder::new(program);
        command.args(argv);
        command.env_clear();
        for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("PATH", "/nonexistent")].iter().chain(more) {
            command.env(name, value);
        }
        command.env("HOME", home.path());
        command.env("EGRESS_LAB_HOME", home.path().join("state"));
        let cells = |n| NonZero::new(n).expect("more than none");
        Screen { pty: Pty::open(command, COLS, ROWS), parser: vt100::Parser::new(cells(ROWS), cells(COLS), 0), home }
    }

    fn text(&self) -> String {
        self.parser.screen().contents()
    }

    fn shows(&mut self, what: impl Fn(&str) -> bool) {
        while !what(&self.text()) {
            let bytes = self.pty.read(LIMIT).unwrap_or_else(|_| panic!("never shown:\n{}", self.text()));
            self.parser.process(&bytes);
        }
    }

    fn rests(&mut self) {
        while let Ok(bytes) = self.pty.read(Duration::from_millis(200)) {
            self.parser.process(&bytes);
        }
    }

    fn end(mut self) {
        let _ = self.pty.child.kill();
        let _ = self.pty.child.wait();
    }

    /// Processor time used so far, in seconds.
    fn used(&self) -> f64 {
        let pid = self.pty.child.process_id().expect("a process");
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or("").split_whitespace().collect();
        let ticks = |nth: usize| fields.get(nth).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
        (ticks(11) + ticks(12)) / 100.0
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The value that so many of a hundred do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

fn row(name: &str, mut all: Vec<Duration>, goal: &str) {
    all.sort_unstable();
    let (middle, p99, most) = (percentile(&all, 50), percentile(&all, 99), all[all.len() - 1]);
    println!("{name:<58} {:>8.1} {:>8.1} {:>8.1}  {goal}", ms(middle), ms(p99), ms(most));
}

fn first_frames() -> Vec<Duration> {
    let once = |_| {
        let begun = Instant::now();
        let mut screen = Screen::start(&[], &[]);
        screen.shows(|text| text.contains("Enter opens"));
        let took = begun.elapsed();
        screen.end();
        took
    };
    (0..STARTS).map(once).collect()
}

/// A lesson with a long scrollback and a watch that runs.
fn busy() -> Screen {
    let mut screen = second_step(&[], None);
    screen.pty.keys("kubectl get pods -A -w\r");
    screen.rests();
    screen
}

/// The second step of a lesson, with a long scrollback.
fn second_step(more: &[(&str, &str)], pipe: Option<&Pipe>) -> Screen {
    let mut screen = Screen::start(&["learn", "control-external-egress"], more);
    if let Some(pipe) = pipe {
        pipe.leads_to(&screen.home.path().join("state"));
    }
    screen.shows(|text| text.contains("Enter goes on."));
    screen.pty.keys("\r");
    screen.shows(|text| text.contains("step 2/"));
    screen.rests();
    let lines: String = (0..LINES).map(|n| format!("line {n:06} of a long output\n")).collect();
    std::fs::write(screen.home.path().join("state/worlds/default/files/long.txt"), lines).expect("the lab's folder");
    screen.pty.keys("cat long.txt\r");
    screen.shows(|text| text.contains("line 009999"));
    screen.rests();
    screen
}

/// Keys while a command hangs in an API that says nothing, and keys right after commands whose answers the API holds back for 200 ms.
fn stalled() -> [Vec<Duration>; 2] {
    let pipe = Pipe::open();
    let mut screen = second_step(&[(pipe::THROUGH, &pipe.address.to_string())], Some(&pipe));
    screen.pty.keys("kubectl get nodes\r");
    screen.shows(|text| text.contains("sandbox-node"));
    assert!(pipe.passed() > 1000, "the API is behind the pipe");
    let mut short = Vec::new();
    for _ in 0..SHORT_STALLS {
        screen.pty.keys("clear\r");
        screen.rests();
        pipe.hold(Duration::from_millis(200));
        screen.pty.keys("kubectl get nodes\r");
        screen.shows(|text| text.contains("Running: kubectl"));
        short.extend((0..3).map(|_| key(&mut screen, "x")));
        screen.shows(|text| text.contains("sandbox-node"));
        screen.pty.keys("\u{15}");
        screen.rests();
    }
    pipe.hold(Duration::from_secs(600));
    screen.pty.keys("kubectl get pods -A\r");
    screen.shows(|text| text.contains("Running: kubectl"));
    let long = keys(&mut screen);
    assert!(screen.text().contains("Running"), "it stalls to the end:\n{}", screen.text());
    screen.end();
    [short, long]
}

/// From a key to what the terminal gets next.
fn key(screen: &mut Screen, typed: &str) -> Duration {
    let begun = Instant::now();
    screen.pty.keys(typed);
    let bytes = screen.pty.read(LIMIT).expect("a frame");
    let took = begun.elapsed();
    screen.parser.process(&bytes);
    took
}

fn keys(screen: &mut Screen) -> Vec<Duration> {
    let mut all = Vec::new();
    for nth in 0..KEYS {
        let typed = char::from(b'a' + (nth % 26) as u8).to_string();
        all.push(key(screen, &typed));
        // The next key comes at a moment of its own within a frame.
        std::thread::sleep(Duration::from_millis(13 + (nth as u64 * 7) % 20));
        while let Ok(bytes) = screen.pty.read(Duration::ZERO) {
            screen.parser.process(&bytes);
        }
        if nth % 40 == 39 {
            screen.pty.keys("\u{15}");
            screen.rests();
        }
    }
    all
}

fn main() {
    println!("{:<58} {:>8} {:>8} {:>8}", "milliseconds", "middle", "p99", "most");
    row("first frame of the home screen", first_frames(), "goal 100");
    let mut screen = busy();
    row("key to frame, 10,000 lines of output and a running watch", keys(&mut screen), "goal p99 16");
    screen.rests();
    let before = screen.used();
    std::thread::sleep(IDLE);
    let share = (screen.used() - before) / IDLE.as_secs_f64() * 100.0;
    println!("{:<58} {share:>8.2} %                  goal 0.5 %", "processor while nothing is typed, the watch running");
    screen.end();
    let [short, long] = stalled();
    row("key to frame, the API holds an answer back for 200 ms", short, "goal p99 16");
    row("key to frame, a command hangs in an API that is silent", long, "goal p99 16");
}
