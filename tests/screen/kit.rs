//! The program on a pseudo terminal, as a person would see it.

use crate::pty::Pty;
use portable_pty::CommandBuilder;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

/// Slow machines under load; a screen that comes is never waited for so long.
const LIMIT: Duration = Duration::from_secs(60);
/// A screen that shows nothing new for so long is at rest.
const REST: Duration = Duration::from_millis(120);

/// What the terminal is told when a screen takes it, each with what gives it back.
const TAKEN: [(&str, &str); 3] =
    [("\u{1b}[?1049h", "\u{1b}[?1049l"), ("\u{1b}[?2004h", "\u{1b}[?2004l"), ("\u{1b}[?1000h", "\u{1b}[?1000l")];

pub struct Screen {
    pub pty: Pty,
    parser: vt100::Parser,
    raw: Vec<u8>,
    home: tempfile::TempDir,
}

fn cells(n: u16) -> NonZero<u16> {
    NonZero::new(n).expect("more than none")
}

impl Screen {
    pub fn start(argv: &[&str], cols: u16, rows: u16) -> Screen {
        Screen::start_with(argv, cols, rows, &[])
    }

    /// With more of an environment.
    pub fn start_with(argv: &[&str], cols: u16, rows: u16, more: &[(&str, &str)]) -> Screen {
        let home = tempfile::tempdir().unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_egress-lab"));
        command.args(argv);
        command.env_clear();
        for (name, value) in [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("PATH", "/nonexistent")].iter().chain(more) {
            command.env(name, value);
        }
        command.env("HOME", home.path());
        command.env("EGRESS_LAB_HOME", home.path().join("state"));
        let parser = vt100::Parser::new(cells(rows), cells(cols), 0);
        Screen { pty: Pty::open(command, cols, rows), parser, raw: Vec::new(), home }
    }

    /// Where the program keeps its state.
    pub fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    pub fn text(&self) -> String {
        self.parser.screen().contents()
    }

    /// Everything that was written so far.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    pub fn resize(&mut self, cols: u16, rows: u16) {
        self.pty.resize(cols, rows);
        self.parser.screen_mut().set_size(cells(rows), cells(cols));
    }

    /// Takes what comes within the time; false when nothing did.
    pub fn take(&mut self, limit: Duration) -> bool {
        match self.pty.read(limit) {
            Ok(bytes) => {
                self.parser.process(&bytes);
                self.raw.extend(bytes);
                true
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => false,
        }
    }

    /// Waits until the screen shows the text.
    pub fn shows(&mut self, text: &str) {
        self.shows_any(&[text]);
    }

    /// What stands right of the last vertical rule, its wrapped rows joined.
    fn beside(&self) -> String {
        let text = self.text();
        let right = text.lines().map(|row| row.rsplit('│').next().unwrap_or(row).trim());
        right.collect::<Vec<_>>().join(" ")
    }

    /// Waits until the screen shows one of the texts; which.
    pub fn shows_any(&mut self, texts: &[&str]) -> usize {
        loop {
            let (seen, beside) = (self.text(), self.beside());
            if let Some(nth) = texts.iter().position(|text| seen.contains(text) || beside.contains(text)) {
                return nth;
            }
            assert!(self.take(LIMIT), "never shown: {texts:?}\n{}", self.text());
        }
    }

    /// Waits until nothing new comes and none of these texts is on the screen.
    pub fn rests(&mut self, but_not_with: &[&str]) {
        let end = Instant::now() + LIMIT;
        loop {
            while self.take(REST) {}
            let seen = self.text();
            if !but_not_with.iter().any(|text| seen.contains(text)) {
                return;
            }
            assert!(Instant::now() < end, "still at work:\n{seen}");
        }
    }

    pub fn press(&mut self, keys: &str) {
        self.pty.keys(keys);
    }

    /// Pastes a text as a terminal does.
    pub fn paste(&mut self, text: &str) {
        self.pty.keys(&format!("\u{1b}[200~{text}\u{1b}[201~"));
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let pid = self.pid();
        assert!(std::process::Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    pub fn pid(&self) -> String {
        self.pty.child.process_id().unwrap().to_string()
    }

    /// The exit code, and everything that was written.
    pub fn end(mut self) -> (u32, Vec<u8>) {
        let code = self.pty.child.wait().unwrap().exit_code();
        while self.take(Duration::from_millis(300)) {}
        (code, self.raw)
    }
}

/// Where a sequence stands last.
fn last(raw: &[u8], sequence: &str) -> Option<usize> {
    raw.windows(sequence.len()).rposition(|w| w == sequence.as_bytes())
}

/// Whether every mode that was set is unset at the end of what was written, and the cursor is shown.
pub fn assert_given_back(raw: &[u8]) {
    assert_eq!(not_given_back(raw), None);
}

/// What of the terminal is still taken, if anything is.
pub fn not_given_back(raw: &[u8]) -> Option<String> {
    let still_set = |(taken, given_back): &&(&str, &str)| {
        let (on, off) = (last(raw, taken), last(raw, given_back));
        on.is_some() && off < on
    };
    let hidden_cursor = ("\u{1b}[?25l", "\u{1b}[?25h");
    TAKEN.iter().chain([&hidden_cursor]).find(still_set).map(|(taken, _)| format!("{taken:?} stays set"))
}

/// The colour sequences in what was written: selective graphic renditions that name a colour.
pub fn colours(raw: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(raw);
    let mut found = Vec::new();
    for piece in text.split("\u{1b}[").skip(1) {
        let end = piece.find(|c: char| !(c.is_ascii_digit() || c == ';' || c == ':')).unwrap_or(piece.len());
        if piece[end..].starts_with('m') && names_a_colour(&piece[..end]) {
            found.push(piece[..end].to_string());
        }
    }
    found
}

fn names_a_colour(codes: &str) -> bool {
    codes.split([';', ':']).filter_map(|code| code.parse().ok()).any(|code: u16| matches!(code, 30..=38 | 40..=48 | 90..=107))
}
