//! A line editor without a terminal: keys in, echo and finished lines out. What a person sees is what busybox's editor shows.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Lines remembered.
const MAX_HISTORY: usize = 500;
/// Characters of one line.
const MAX_LINE: usize = 16_384;

/// What the keys came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Show these bytes.
    Echo(Vec<u8>),
    /// Enter: a whole line, already echoed with its newline.
    Line(String),
    /// Ctrl-C: the line is given up.
    Interrupt,
    /// Ctrl-D on an empty line.
    EndOfInput,
}

/// The line being typed and the lines before it.
#[derive(Debug, Clone, Default)]
pub struct Editor {
    prompt: String,
    line: Vec<char>,
    at: usize,
    history: Vec<String>,
    /// Place in the history while arrows walk it; the line as it was before.
    browsing: Option<(usize, String)>,
    /// Bytes of an unfinished character or escape sequence.
    partial: Vec<u8>,
    pasting: bool,
    /// The last key was a carriage return, so a newline after it is the same key.
    returned: bool,
}

impl Editor {
    /// Shows a prompt and begins a new line.
    pub fn start(&mut self, prompt: &str) -> Vec<u8> {
        self.prompt = prompt.to_string();
        self.line.clear();
        self.at = 0;
        self.browsing = None;
        prompt.as_bytes().to_vec()
    }

    /// Shows the prompt and the line again (the terminal's size changed).
    pub fn show_again(&mut self) -> Vec<u8> {
        let mut echo = Vec::new();
        self.redraw(0, &mut echo);
        echo
    }

    /// What has been typed so far.
    pub fn text(&self) -> String {
        self.line.iter().collect()
    }

    /// Takes keys up to the first line, interrupt or end; gives back what happened and the keys that are left.
    pub fn keys(&mut self, bytes: &[u8]) -> (Vec<Outcome>, Vec<u8>) {
        let mut input = std::mem::take(&mut self.partial);
        input.extend_from_slice(bytes);
        let mut echo = Vec::new();
        let mut at = 0;
        while at < input.len() {
            let Some((key, length)) = decode(&input[at..]) else {
                self.partial = input[at..].to_vec();
                if self.partial.len() > 32 {
                    self.partial.clear();
                }
                return (flush(echo, None), Vec::new());
            };
            at += length;
            if let Some(outcome) = self.key(key, &mut echo) {
                return (flush(echo, Some(outcome)), input[at..].to_vec());
            }
        }
        (flush(echo, None), Vec::new())
    }

    fn key(&mut self, key: Key, echo: &mut Vec<u8>) -> Option<Outcome> {
        let after_return = std::mem::replace(&mut self.returned, key == Key::Control(b'\r'));
        match key {
            Key::Control(b'\n') if after_return => (),
            Key::Control(b'\r' | b'\n') => return Some(self.enter(echo)),
            Key::Control(3) => {
                echo.extend_from_slice(b"^C\r\n");
                self.line.clear();
                self.at = 0;
                return Some(Outcome::Interrupt);
            }
            Key::Control(4) if self.line.is_empty() => return Some(Outcome::EndOfInput),
            Key::Control(4) | Key::Delete => self.delete(self.at, self.at + 1, echo),
            Key::Control(8 | 127) => self.delete(self.at.saturating_sub(1), self.at, echo),
            Key::Control(21) => self.delete(0, self.at, echo),
            Key::Control(11) => self.delete(self.at, self.line.len(), echo),
            Key::Control(23) => self.delete(self.word_start(), self.at, echo),
            Key::Control(1) | Key::Home => self.go(0, echo),
            Key::Control(5) | Key::End => self.go(self.line.len(), echo),
            Key::Control(2) | Key::Left => self.go(self.at.saturating_sub(1), echo),
            Key::Control(6) | Key::Right => self.go((self.at + 1).min(self.line.len()), echo),
            Key::Control(16) | Key::Up => self.browse(true, echo),
            Key::Control(14) | Key::Down => self.browse(false, echo),
            Key::Control(12) => {
                echo.extend_from_slice(b"\x1b[H\x1b[J");
                self.redraw(0, echo);
            }
            Key::Control(b'\t') if self.pasting => self.insert('\t', echo),
            Key::Paste(on) => self.pasting = on,
            Key::Char(c) => self.insert(c, echo),
            Key::Control(_) | Key::Unknown => (),
        }
        None
    }

    fn enter(&mut self, echo: &mut Vec<u8>) -> Outcome {
        self.go(self.line.len(), echo);
        echo.extend_from_slice(b"\r\n");
        let text = self.text();
        if !text.trim().is_empty() && self.history.last() != Some(&text) {
            self.history.push(text.clone());
            if self.history.len() > MAX_HISTORY {
                self.history.remove(0);
            }
        }
        self.line.clear();
        self.at = 0;
        self.browsing = None;
        Outcome::Line(text)
    }

    fn insert(&mut self, c: char, echo: &mut Vec<u8>) {
        if self.line.len() >= MAX_LINE {
            return;
        }
        self.line.insert(self.at, c);
        self.at += 1;
        let tail: String = self.line[self.at - 1..].iter().collect();
        echo.extend_from_slice(tail.as_bytes());
        self.back(self.width(self.at, self.line.len()), echo);
    }

    fn delete(&mut self, from: usize, to: usize, echo: &mut Vec<u8>) {
        let to = to.min(self.line.len());
        if from >= to {
            return;
        }
        self.go(from, echo);
        self.line.drain(from..to);
        let tail: String = self.line[from..].iter().collect();
        echo.extend_from_slice(tail.as_bytes());
        echo.extend_from_slice(b"\x1b[J");
        self.back(tail.width(), echo);
    }

    fn go(&mut self, to: usize, echo: &mut Vec<u8>) {
        if to < self.at {
            self.back(self.width(to, self.at), echo);
        } else {
            let passed: String = self.line[self.at..to].iter().collect();
            echo.extend_from_slice(passed.as_bytes());
        }
        self.at = to;
    }

    fn back(&self, columns: usize, echo: &mut Vec<u8>) {
        match columns {
            0 => (),
            1..=4 => echo.extend(std::iter::repeat_n(8u8, columns)),
            _ => echo.extend_from_slice(format!("\x1b[{columns}D").as_bytes()),
        }
    }

    fn width(&self, from: usize, to: usize) -> usize {
        self.line[from..to].iter().map(|c| c.width().unwrap_or(0)).sum()
    }

    fn word_start(&self) -> usize {
        let mut at = self.at;
        while at > 0 && self.line[at - 1] == ' ' {
            at -= 1;
        }
        while at > 0 && self.line[at - 1] != ' ' {
            at -= 1;
        }
        at
    }

    fn browse(&mut self, older: bool, echo: &mut Vec<u8>) {
        let (place, typed) = self.browsing.clone().unwrap_or_else(|| (self.history.len(), self.text()));
        let next = if older { place.checked_sub(1) } else { (place < self.history.len()).then_some(place + 1) };
        let Some(next) = next else {
            return;
        };
        let text = self.history.get(next).cloned().unwrap_or_else(|| typed.clone());
        self.browsing = Some((next, typed));
        let old = self.at;
        self.line = text.chars().collect();
        self.at = self.line.len();
        self.redraw(old, echo);
    }

    /// Writes prompt and line anew from the line's start.
    fn redraw(&mut self, _old: usize, echo: &mut Vec<u8>) {
        echo.extend_from_slice(b"\r");
        echo.extend_from_slice(self.prompt.as_bytes());
        echo.extend_from_slice(self.text().as_bytes());
        echo.extend_from_slice(b"\x1b[J");
        self.back(self.width(self.at, self.line.len()), echo);
    }
}

fn flush(echo: Vec<u8>, last: Option<Outcome>) -> Vec<Outcome> {
    let first = (!echo.is_empty()).then_some(Outcome::Echo(echo));
    first.into_iter().chain(last).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Char(char),
    Control(u8),
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    Delete,
    Paste(bool),
    Unknown,
}

/// The first key of the bytes and its length; `None` when more bytes are needed.
fn decode(bytes: &[u8]) -> Option<(Key, usize)> {
    match bytes[0] {
        0x1b => escape(bytes),
        byte @ (0..=31 | 127) => Some((Key::Control(byte), 1)),
        byte @ 32..=126 => Some((Key::Char(byte as char), 1)),
        first => {
            let length = match first {
                0xC0..=0xDF => 2,
                0xE0..=0xEF => 3,
                0xF0..=0xF7 => 4,
                _ => return Some((Key::Unknown, 1)),
            };
            let whole = match bytes.get(..length) {
                Some(whole) => whole,
                None if bytes[1..].iter().all(|b| (0x80..0xC0).contains(b)) => return None,
                None => return Some((Key::Unknown, 1)),
            };
            match std::str::from_utf8(whole).ok().and_then(|s| s.chars().next()) {
                Some(c) => Some((Key::Char(c), length)),
                None => Some((Key::Unknown, 1)),
            }
        }
    }
}

/// `ESC [ ..` and `ESC O ..`
fn escape(bytes: &[u8]) -> Option<(Key, usize)> {
    match bytes.get(1)? {
        b'[' | b'O' => (),
        _ => return Some((Key::Unknown, 2)),
    }
    let length = bytes.iter().skip(2).position(|b| (0x40..=0x7e).contains(b))? + 3;
    let key = match &bytes[2..length] {
        b"A" => Key::Up,
        b"B" => Key::Down,
        b"C" => Key::Right,
        b"D" => Key::Left,
        b"H" | b"1~" | b"7~" => Key::Home,
        b"F" | b"4~" | b"8~" => Key::End,
        b"3~" => Key::Delete,
        b"200~" => Key::Paste(true),
        b"201~" => Key::Paste(false),
        _ => Key::Unknown,
    };
    Some((key, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types keys and gives the lines that came out, with what is left on the last one.
    fn typed(keys: &[u8]) -> (Vec<String>, String) {
        let mut editor = Editor::default();
        let mut lines = Vec::new();
        let mut left = keys.to_vec();
        for _ in 0..100 {
            let (outcomes, rest) = editor.keys(&left);
            for outcome in outcomes {
                match outcome {
                    Outcome::Line(line) => lines.push(line),
                    Outcome::Interrupt => lines.push("^C".to_string()),
                    Outcome::EndOfInput => lines.push("^D".to_string()),
                    Outcome::Echo(_) => (),
                }
            }
            left = rest;
            if left.is_empty() {
                break;
            }
        }
        (lines, editor.text())
    }

    #[test]
    fn keys_edit_the_line() {
        let table: &[(&str, &[&str], &str)] = &[
            ("ls\r", &["ls"], ""),
            ("ls\r\npwd\n", &["ls", "pwd"], ""),
            ("lx\x7fs", &[], "ls"),
            ("one two\x17", &[], "one "),
            ("one two\x15", &[], ""),
            ("bc\x01a", &[], "abc"),
            ("ac\x1b[Db", &[], "abc"),
            ("ac\x1b[D\x1b[Cd", &[], "acd"),
            ("abc\x1b[H\x1b[3~", &[], "bc"),
            ("a\rb\r\x1b[A\x1b[A", &["a", "b"], "a"),
            ("a\rdraft\x1b[A\x1b[B", &["a"], "draft"),
            ("half\x03whole\r", &["^C", "whole"], ""),
            ("\x04", &["^D"], ""),
            ("ab\x01\x04", &[], "b"),
            ("\x1b[200~a\tb\x1b[201~\r", &["a\tb"], ""),
            ("h\u{e9}\u{4e16}x\x7f\x7f", &[], "h\u{e9}"),
            ("ab\x01\x0b", &[], ""),
        ];
        for (keys, lines, text) in table {
            assert_eq!(typed(keys.as_bytes()), (lines.iter().map(|l| l.to_string()).collect(), text.to_string()), "{keys:?}");
        }
    }

    #[test]
    fn characters_may_come_in_pieces() {
        let mut editor = Editor::default();
        let bytes = "\u{4e16}".as_bytes();
        assert_eq!(editor.keys(&bytes[..1]), (Vec::new(), Vec::new()));
        assert_eq!(editor.keys(&bytes[1..]).0, vec![Outcome::Echo(bytes.to_vec())]);
        assert!(editor.keys(b"\x1b").0.is_empty());
        assert_eq!(editor.keys(b"[D").0, vec![Outcome::Echo(vec![8, 8])]);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..60)) {
            let mut editor = Editor::default();
            let mut left = bytes;
            for _ in 0..100 {
                left = editor.keys(&left).1;
            }
            proptest::prop_assert!(left.is_empty());
        }
    }
}
