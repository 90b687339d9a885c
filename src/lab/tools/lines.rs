//! What a tool prints, cut into lines as it arrives, with limits: a tool that prints without end or without line feeds costs no more
//! memory than one that does not.

use std::collections::VecDeque;

/// Bytes of standard output that are kept.
pub const KEPT: usize = 4 << 20;
/// Lines of standard error that are kept.
pub const TAIL: usize = 50;
/// Bytes of a line; the rest of a longer one is dropped.
pub const LONGEST: usize = 4 << 10;

/// Cuts bytes into lines. A line ends with a line feed or a carriage return (progress bars draw over themselves with it); escapes for
/// colours and cursor are taken out.
#[derive(Debug, Default)]
pub struct Cutter {
    line: Vec<u8>,
}

impl Cutter {
    /// Takes in a piece, tells the lines that it ends.
    pub fn feed(&mut self, piece: &[u8], mut tell: impl FnMut(&str)) {
        for &byte in piece {
            match byte {
                b'\n' | b'\r' => self.end(&mut tell),
                _ if self.line.len() < LONGEST => self.line.push(byte),
                _ => (),
            }
        }
    }

    /// Tells what stands without a line end.
    pub fn end(&mut self, mut tell: impl FnMut(&str)) {
        let line = plain(&String::from_utf8_lossy(&self.line));
        self.line.clear();
        if !line.trim().is_empty() {
            tell(line.trim_end());
        }
    }
}

/// A line without escape sequences and control characters.
fn plain(line: &str) -> String {
    let mut out = String::new();
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' if chars.peek() == Some(&'[') => {
                chars.next();
                while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
            }
            '\t' => out.push_str("    "),
            c if !c.is_control() => out.push(c),
            _ => (),
        }
    }
    out
}

/// The last lines of something.
#[derive(Debug, Default)]
pub struct Tail(VecDeque<String>);

impl Tail {
    pub fn push(&mut self, line: &str) {
        if self.0.len() == TAIL {
            self.0.pop_front();
        }
        self.0.push_back(line.to_string());
    }

    pub fn into_lines(self) -> Vec<String> {
        self.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pieces: &[&[u8]]) -> Vec<String> {
        let (mut cutter, mut lines) = (Cutter::default(), Vec::new());
        pieces.iter().for_each(|piece| cutter.feed(piece, |line| lines.push(line.to_string())));
        cutter.end(|line| lines.push(line.to_string()));
        lines
    }

    #[test]
    fn lines_are_whole_wherever_the_pieces_end() {
        assert_eq!(cut(&[b"one\ntw", b"o\r\n", b"", b"three"]), ["one", "two", "three"]);
        assert_eq!(cut(&["Gr\u{fc}".as_bytes(), b"\xff\n"]), ["Gr\u{fc}\u{fffd}"]);
        assert_eq!(cut(&["\u{2713}".as_bytes().split_at(1).0, "\u{2713}".as_bytes().split_at(1).1]), ["\u{2713}"]);
    }

    #[test]
    fn a_line_is_free_of_escapes_and_has_a_limit() {
        assert_eq!(cut(&[b"\x1b[32mgood\x1b[0m\x07\n 50%\r100%\n\n"]), ["good", " 50%", "100%"]);
        assert_eq!(cut(&[b"\x1b[", b"\nafter\n"]), ["after"]);
        let long = vec![b'a'; 10 * LONGEST];
        assert_eq!(cut(&[&long, b"\nb\n"]).iter().map(String::len).collect::<Vec<_>>(), [LONGEST, 1]);
    }

    #[test]
    fn a_tail_is_the_end() {
        let mut tail = Tail::default();
        (0..TAIL + 5).for_each(|n| tail.push(&n.to_string()));
        let lines = tail.into_lines();
        assert_eq!((lines.len(), lines[0].as_str()), (TAIL, "5"));
    }
}
