//! The scrollback: what was typed and what came back, as lines, with limits. Terminal control in the output (carriage return,
//! backspace, erase, cursor moves within a line) is obeyed so that a pod's line editor looks right; colours are dropped.

use crate::base::io::Stream;
use std::collections::VecDeque;

/// Lines kept.
pub const MAX_LINES: usize = 12_000;
/// Bytes kept over all lines.
pub const MAX_BYTES: usize = 2 << 20;
/// Characters kept of one line; the rest is cut.
const MAX_WIDTH: usize = 16_384;
/// Parameters of an escape sequence longer than this end it.
const MAX_ESCAPE: usize = 32;

/// What sort of line it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sort {
    /// A line that the learner entered.
    Typed,
    Out,
    Err,
    /// A remark of the program.
    Note,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub sort: Sort,
    pub text: String,
}

/// The scrollback of a session.
#[derive(Debug, Clone, Default)]
pub struct Transcript {
    lines: VecDeque<Line>,
    bytes: usize,
    dropped: u64,
    open: Option<Open>,
    partial: Vec<u8>,
}

/// The line that is still being written.
#[derive(Debug, Clone)]
struct Open {
    sort: Sort,
    cells: Vec<char>,
    cursor: usize,
    escape: Option<String>,
}

impl Transcript {
    /// The lines, oldest first, without the open one.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &Line> + ExactSizeIterator {
        self.lines.iter()
    }

    /// The line that output is being written to, and the column of the cursor in it (characters).
    pub fn open_line(&self) -> Option<(Line, usize)> {
        self.open.as_ref().map(|open| (Line { sort: open.sort, text: open.cells.iter().collect() }, open.cursor))
    }

    /// How many lines were dropped to stay within the limits.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Adds a whole text of one sort, closing the open line first.
    pub fn say(&mut self, sort: Sort, text: &str) {
        self.close();
        text.lines().for_each(|line| self.push(Line { sort, text: line.to_string() }));
    }

    /// Takes a piece of output.
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let sort = match stream {
            Stream::Out => Sort::Out,
            Stream::Err => Sort::Err,
        };
        if self.open.as_ref().is_some_and(|open| open.sort != sort) {
            self.close();
        }
        self.partial.extend_from_slice(bytes);
        let taken = std::mem::take(&mut self.partial);
        let (text, rest) = decode(&taken);
        self.partial = rest.to_vec();
        text.chars().for_each(|c| self.put(sort, c));
    }

    /// Ends the open line, if there is one.
    pub fn close(&mut self) {
        self.partial.clear();
        if let Some(open) = self.open.take() {
            self.push(Line { sort: open.sort, text: open.cells.into_iter().collect() });
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Transcript::default();
    }

    fn put(&mut self, sort: Sort, c: char) {
        let open = self.open.get_or_insert_with(|| Open { sort, cells: Vec::new(), cursor: 0, escape: None });
        if open.escape.is_some() {
            let wants_clear = open.escaped(c);
            if wants_clear {
                self.lines.clear();
                self.bytes = 0;
            }
            return;
        }
        match c {
            '\n' => self.close(),
            '\r' => open.cursor = 0,
            '\u{8}' => open.cursor = open.cursor.saturating_sub(1),
            '\u{1b}' => open.escape = Some(String::new()),
            '\t' => (0..8 - open.cursor % 8).for_each(|_| open.print(' ')),
            c if c.is_control() => (),
            c => open.print(c),
        }
    }

    fn push(&mut self, line: Line) {
        self.bytes += line.text.len() + 1;
        self.lines.push_back(line);
        while self.lines.len() > MAX_LINES || self.bytes > MAX_BYTES {
            let Some(oldest) = self.lines.pop_front() else { return };
            self.bytes -= oldest.text.len() + 1;
            self.dropped += 1;
        }
    }
}

impl Open {
    fn print(&mut self, c: char) {
        if self.cursor >= MAX_WIDTH {
            return;
        }
        if self.cells.len() < self.cursor {
            self.cells.resize(self.cursor, ' ');
        }
        match self.cells.get_mut(self.cursor) {
            Some(cell) => *cell = c,
            None => self.cells.push(c),
        }
        self.cursor += 1;
    }

    /// One character of an escape sequence; true when the sequence asks for an empty screen.
    fn escaped(&mut self, c: char) -> bool {
        let Some(seen) = self.escape.as_mut() else { return false };
        if seen.is_empty() && c == '[' || (seen.starts_with('[') && !('@'..='~').contains(&c) && seen.len() < MAX_ESCAPE) {
            seen.push(c);
            return false;
        }
        let parameters = seen.trim_start_matches('[').to_string();
        let is_csi = seen.starts_with('[');
        self.escape = None;
        is_csi && self.control(&parameters, c)
    }

    fn control(&mut self, parameters: &str, last: char) -> bool {
        let n = parameters.split(';').next().and_then(|p| p.parse::<usize>().ok());
        let count = n.unwrap_or(1).clamp(1, MAX_WIDTH);
        match (last, n.unwrap_or(0)) {
            ('C', _) => self.cursor = (self.cursor + count).min(MAX_WIDTH),
            ('D', _) => self.cursor = self.cursor.saturating_sub(count),
            ('G', _) => self.cursor = count - 1,
            ('K' | 'J', 0) => self.cells.truncate(self.cursor),
            ('K', 1) => self.cells.iter_mut().take(self.cursor + 1).for_each(|cell| *cell = ' '),
            ('K', _) => self.cells.clear(),
            ('P', _) => drop(self.cells.drain(self.cursor.min(self.cells.len())..(self.cursor + count).min(self.cells.len()))),
            ('J', _) => {
                self.cells.clear();
                self.cursor = 0;
                return true;
            }
            ('H', _) => self.cursor = 0,
            _ => (),
        }
        false
    }
}

/// The text of the bytes, and the start of a character that is not whole yet.
fn decode(bytes: &[u8]) -> (String, &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_string(), &[]),
        Err(e) if e.error_len().is_none() => {
            let (whole, rest) = bytes.split_at(e.valid_up_to());
            (String::from_utf8_lossy(whole).into_owned(), rest)
        }
        Err(_) => (String::from_utf8_lossy(bytes).into_owned(), &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pieces: &[&[u8]]) -> Vec<String> {
        let mut transcript = Transcript::default();
        pieces.iter().for_each(|piece| transcript.write(Stream::Out, piece));
        transcript.close();
        transcript.lines().map(|line| line.text.clone()).collect()
    }

    #[test]
    fn terminal_control_within_a_line_is_obeyed() {
        for (bytes, lines) in [
            ("a\r\nb\n", &["a", "b"][..]),
            ("abc\rX\n", &["Xbc"]),
            ("abc\u{8} \u{8}\n", &["ab "]),
            ("abc\u{1b}[2D\u{1b}[K!\n", &["a!"]),
            ("\u{1b}[31mred\u{1b}[0m\n", &["red"]),
            ("a\tb\n", &["a       b"]),
            ("gone\n\u{1b}[H\u{1b}[2Jnew\n", &["new"]),
            ("bell\u{7}\n", &["bell"]),
            ("ab\u{1b}[1;1H\u{1b}[Pc\n", &["c"]),
        ] {
            assert_eq!(shown(&[bytes.as_bytes()]), lines, "{bytes:?}");
        }
    }

    #[test]
    fn a_character_split_over_pieces_is_put_together() {
        let bytes = "größe\n".as_bytes();
        for cut in 0..bytes.len() {
            assert_eq!(shown(&[&bytes[..cut], &bytes[cut..]]), ["größe"], "cut at {cut}");
        }
        assert_eq!(shown(&[b"a\xffb\n"]), ["a\u{fffd}b"]);
    }

    #[test]
    fn the_limits_hold() {
        let mut transcript = Transcript::default();
        (0..MAX_LINES + 10).for_each(|n| transcript.say(Sort::Out, &n.to_string()));
        assert_eq!(transcript.lines().len(), MAX_LINES);
        assert_eq!(transcript.dropped(), 10);
        assert_eq!(transcript.lines().next().unwrap().text, "10");
        let long = "x".repeat(MAX_BYTES / 4);
        (0..9).for_each(|_| transcript.say(Sort::Note, &long));
        assert!(transcript.lines().map(|line| line.text.len() + 1).sum::<usize>() <= MAX_BYTES);
        transcript.write(Stream::Out, "y".repeat(MAX_WIDTH * 2).as_bytes());
        assert_eq!(transcript.open_line().unwrap().0.text.len(), MAX_WIDTH);
    }

    #[test]
    fn streams_do_not_share_a_line() {
        let mut transcript = Transcript::default();
        transcript.write(Stream::Out, b"half");
        transcript.write(Stream::Err, b"error\n");
        let lines: Vec<Line> = transcript.lines().cloned().collect();
        assert_eq!(lines, [Line { sort: Sort::Out, text: "half".into() }, Line { sort: Sort::Err, text: "error".into() }]);
    }
}
