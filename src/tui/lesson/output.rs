//! The output pane: the session's transcript, wrapped, seen from its end or from where the learner scrolled to.

use crate::session::Transcript;
use crate::session::transcript::{Line, Sort};
use crate::tui::keymap::Command;
use unicode_width::UnicodeWidthChar;

/// Which line is the lowest on screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bottom {
    /// The newest, whatever comes.
    Follow,
    /// This one, counted from the session's first.
    At(u64),
}

/// Bytes of the mark before a typed line.
const MARK: usize = 2;

/// What is visible.
#[derive(Debug, Default)]
pub struct Shown {
    /// Top to bottom.
    pub rows: Vec<Row>,
    /// Column and row of the cursor of the open line, if that is visible.
    pub cursor: Option<(usize, usize)>,
    /// Lines below the last visible one.
    pub below: usize,
}

/// One row of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub sort: Sort,
    pub text: String,
    /// The line it belongs to, counted from the session's first.
    pub line: u64,
    /// How many bytes of the line's text are on the rows above it; negative by the mark before a typed line.
    pub before: isize,
}

/// The transcript as one list, the open line last.
struct Lines<'a> {
    lines: Vec<&'a Line>,
    dropped: u64,
    /// How many of them are not being written to any more.
    closed: usize,
    columns: usize,
    is_complete: fn(&str) -> bool,
}

/// The part of a transcript that fits.
pub fn shown(transcript: &Transcript, bottom: Bottom, size: (usize, usize), is_complete: fn(&str) -> bool) -> Shown {
    let (columns, height) = (size.0.max(8), size.1);
    let open = transcript.open_line();
    let lines = Lines::of(transcript, open.as_ref().map(|(line, _)| line), columns, is_complete);
    let Some(last) = lines.bottom(bottom) else { return Shown::default() };
    let mut rows: Vec<Row> = Vec::new();
    let mut cursor = None;
    for at in (0..=last).rev() {
        let (sort, wrapped) = lines.rows(at);
        if let Some((_, column)) = open.as_ref().filter(|_| at + 1 == lines.lines.len()) {
            cursor = Some(column_of(&lines.lines[at].text, *column, columns, wrapped.len()));
        }
        let mut before = if sort == Sort::Typed { -(MARK as isize) } else { 0 };
        let line = lines.dropped + at as u64;
        let made: Vec<Row> = wrapped
            .into_iter()
            .map(|text| {
                let row = Row { sort, line, before, text };
                before += row.text.len() as isize;
                row
            })
            .collect();
        rows.extend(made.into_iter().rev());
        if rows.len() >= height {
            break;
        }
    }
    rows.truncate(height);
    rows.reverse();
    let cursor = cursor.and_then(|(column, up)| rows.len().checked_sub(up + 1).map(|row| (column, row)));
    Shown { rows, cursor, below: lines.lines.len() - 1 - last }
}

/// Where the view goes.
pub fn moved(
    transcript: &Transcript,
    bottom: Bottom,
    command: Command,
    size: (usize, usize),
    is_complete: fn(&str) -> bool,
) -> Option<Bottom> {
    let open = transcript.open_line();
    let lines = Lines::of(transcript, open.as_ref().map(|(line, _)| line), size.0.max(8), is_complete);
    let Some(here) = lines.bottom(bottom) else { return Some(Bottom::Follow) };
    let page = size.1.saturating_sub(1).max(1);
    let least = lines.down(0, size.1.max(1) - 1);
    let to = match command {
        Command::PageUp => lines.up(here, page).max(least),
        Command::Up => here.saturating_sub(1).max(least),
        Command::PageDown => lines.down(here, page),
        Command::Down => here + 1,
        Command::Top => least,
        Command::Bottom => return Some(Bottom::Follow),
        _ => return None,
    };
    Some(match to + 1 >= lines.lines.len() {
        true => Bottom::Follow,
        false => Bottom::At(lines.dropped + to as u64),
    })
}

impl<'a> Lines<'a> {
    fn of(transcript: &'a Transcript, open: Option<&'a Line>, columns: usize, is_complete: fn(&str) -> bool) -> Lines<'a> {
        let lines: Vec<&Line> = transcript.lines().chain(open).collect();
        let closed = lines.len() - usize::from(open.is_some());
        Lines { lines, dropped: transcript.dropped(), closed, columns, is_complete }
    }

    fn bottom(&self, bottom: Bottom) -> Option<usize> {
        let last = self.lines.len().checked_sub(1)?;
        Some(match bottom {
            Bottom::Follow => last,
            Bottom::At(line) => (line.saturating_sub(self.dropped) as usize).min(last),
        })
    }

    fn rows(&self, at: usize) -> (Sort, Vec<String>) {
        let line = self.lines[at];
        let text = match line.sort {
            Sort::Typed => format!("{}{}", self.mark(at), line.text),
            _ => line.text.clone(),
        };
        let rows = match at < self.closed {
            true => softly(&text, self.columns),
            false => cut(&text, self.columns),
        };
        (line.sort, rows)
    }

    /// `$ ` before the first line of an entry, `> ` before the others: entries that follow each other directly are told apart by
    /// being whole.
    fn mark(&self, at: usize) -> &'static str {
        let first = (0..at).rev().take_while(|i| self.lines[*i].sort == Sort::Typed).last().unwrap_or(at);
        let mut entry = String::new();
        let mut starts = true;
        for line in &self.lines[first..at] {
            if !entry.is_empty() {
                entry.push('\n');
            }
            entry.push_str(&line.text);
            starts = (self.is_complete)(&entry);
            if starts {
                entry.clear();
            }
        }
        if starts { "$ " } else { "> " }
    }

    /// The line that is the lowest when the window is moved up by so many rows.
    fn up(&self, from: usize, rows: usize) -> usize {
        let mut left = rows;
        for at in (0..=from).rev() {
            let taken = self.rows(at).1.len();
            if taken > left {
                return at.min(from.saturating_sub(1));
            }
            left -= taken;
        }
        0
    }

    fn down(&self, from: usize, rows: usize) -> usize {
        let mut left = rows;
        for at in from..self.lines.len() {
            let taken = self.rows(at).1.len();
            if taken > left {
                return at;
            }
            left -= taken;
        }
        self.lines.len().saturating_sub(1)
    }
}

/// How far before the edge a space is looked for.
const NEAR: usize = 20;

/// A line cut into rows, at a space where one is near the edge: nothing is lost but where the row ends.
fn softly(text: &str, columns: usize) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    let mut rest = text;
    while let [first, _, ..] = cut(rest, columns).as_slice() {
        let near = first.rfind(' ').map(|at| at + 1).filter(|at| at + NEAR > first.len() && *at > columns / 2);
        let (row, after) = rest.split_at(near.unwrap_or(first.len()).max(1));
        rows.push(row.to_string());
        rest = after;
    }
    rows.push(rest.to_string());
    rows
}

/// A line cut into rows, as terminals do it.
fn cut(text: &str, columns: usize) -> Vec<String> {
    let (mut rows, mut used) = (vec![String::new()], 0);
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > columns {
            rows.push(String::new());
            used = 0;
        }
        if let Some(row) = rows.last_mut() {
            row.push(c);
        }
        used += wide;
    }
    rows
}

/// The column of a character, and how many rows its row is above the line's last.
fn column_of(text: &str, at: usize, columns: usize, rows: usize) -> (usize, usize) {
    let before: String = text.chars().take(at).collect();
    let wrapped = cut(&before, columns);
    let column = wrapped.last().map_or(0, |row| crate::base::text::width(row)).min(columns - 1);
    (column, rows.saturating_sub(wrapped.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::io::Stream;

    fn whole(_: &str) -> bool {
        true
    }

    fn numbers(n: usize) -> Transcript {
        let mut transcript = Transcript::default();
        (0..n).for_each(|n| transcript.say(Sort::Out, &n.to_string()));
        transcript
    }

    fn texts(shown: &Shown) -> Vec<&str> {
        shown.rows.iter().map(|row| row.text.as_str()).collect()
    }

    #[test]
    fn the_end_is_followed_until_the_learner_scrolls() {
        let mut transcript = numbers(10);
        assert_eq!(texts(&shown(&transcript, Bottom::Follow, (20, 3), whole)), ["7", "8", "9"]);
        let up = moved(&transcript, Bottom::Follow, Command::PageUp, (20, 3), whole).unwrap();
        transcript.say(Sort::Out, "10");
        assert_eq!(texts(&shown(&transcript, up, (20, 3), whole)), ["5", "6", "7"], "new output does not move the view");
        let top = moved(&transcript, up, Command::Top, (20, 3), whole).unwrap();
        assert_eq!(texts(&shown(&transcript, top, (20, 3), whole)), ["0", "1", "2"]);
        assert_eq!(moved(&transcript, top, Command::Up, (20, 3), whole), Some(top));
        let mut view = top;
        (0..10).for_each(|_| view = moved(&transcript, view, Command::PageDown, (20, 3), whole).unwrap());
        assert_eq!(view, Bottom::Follow);
    }

    #[test]
    fn long_lines_wrap_and_typed_ones_are_marked() {
        let mut transcript = Transcript::default();
        transcript.say(Sort::Typed, "cat <<EOF\nx\nEOF");
        transcript.say(Sort::Typed, "abcdefghij");
        let is_complete = |text: &str| !text.starts_with("cat") || text.ends_with("\nEOF");
        assert_eq!(
            texts(&shown(&transcript, Bottom::Follow, (8, 9), is_complete)),
            ["$ cat ", "<<EOF", "> x", "> EOF", "$ abcdef", "ghij"]
        );
    }

    #[test]
    fn the_cursor_of_a_program_is_where_it_writes() {
        let mut transcript = numbers(2);
        transcript.write(Stream::Out, b"/ $ ls");
        let shown = shown(&transcript, Bottom::Follow, (20, 5), whole);
        assert_eq!(texts(&shown), ["0", "1", "/ $ ls"]);
        assert_eq!(shown.cursor, Some((6, 2)));
        assert_eq!(texts(&super::shown(&Transcript::default(), Bottom::Follow, (20, 5), whole)), Vec::<&str>::new());
    }
}
