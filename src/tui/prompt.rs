//! The prompt: one edit of one or more lines, with history, a search through it, and completion.

pub mod complete;
pub mod search;

use crate::base::text::width;
use crate::session::History;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::{Input, InputRequest};
use unicode_width::UnicodeWidthChar;

/// Characters that one edit may have; a paste is cut there.
pub const MAX_CHARS: usize = 256 << 10;
/// Columns of the mark before a line.
pub const MARK: usize = 2;

/// What is typed and where the cursor is.
#[derive(Debug, Default)]
pub struct Prompt {
    input: Input,
    /// How far back in the history the shown line is, 0 for none.
    back: usize,
    /// What was typed before history was walked.
    draft: String,
}

/// The prompt as rows of at most a width: text with the marks before it, and where the cursor stands.
pub struct Rows {
    pub rows: Vec<String>,
    /// Column and row.
    pub cursor: (usize, usize),
}

impl Prompt {
    pub fn text(&self) -> &str {
        self.input.value()
    }

    pub fn is_empty(&self) -> bool {
        self.input.value().is_empty()
    }

    /// Whether the cursor stands behind the last character.
    pub fn at_end(&self) -> bool {
        self.input.cursor() == self.input.value().chars().count()
    }

    /// Where the cursor is, in characters.
    pub fn cursor(&self) -> usize {
        self.input.cursor()
    }

    /// Puts a text in the place of the characters from `from` to the cursor.
    pub fn replace(&mut self, from: usize, text: &str) {
        let all: Vec<char> = self.text().chars().collect();
        let at = self.input.cursor().min(all.len());
        let from = from.min(at);
        let put: Vec<char> = text.chars().collect();
        let cursor = from + put.len();
        let whole: String = all[..from].iter().chain(&put).chain(&all[at..]).take(MAX_CHARS).collect();
        self.input = Input::new(whole).with_cursor(cursor);
    }

    /// Replaces everything; the cursor goes to the end.
    pub fn set(&mut self, text: &str) {
        self.input = Input::new(text.to_string());
        self.back = 0;
    }

    /// Gives the text out and starts anew.
    pub fn take(&mut self) -> String {
        let text = self.input.value().to_string();
        self.set("");
        text
    }

    /// Puts text in at the cursor, as one edit: line ends are kept, other control characters are not.
    pub fn insert(&mut self, text: &str) {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let at = self.input.cursor();
        let (before, after): (String, String) = (self.text().chars().take(at).collect(), self.text().chars().skip(at).collect());
        let room = MAX_CHARS.saturating_sub(self.text().chars().count());
        let kept = |c: &char| !c.is_control() || *c == '\n' || *c == '\t';
        let piece: String = text.chars().filter(kept).map(|c| if c == '\t' { ' ' } else { c }).take(room).collect();
        let cursor = at + piece.chars().count();
        self.input = Input::new(format!("{before}{piece}{after}")).with_cursor(cursor);
    }

    /// Edits and history; false when the key means nothing here.
    pub fn key(&mut self, key: &KeyEvent, history: &History) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Up => self.up(history),
            KeyCode::Down => self.down(history),
            KeyCode::Char('p') if control => self.older(history),
            KeyCode::Char('n') if control => self.newer(history),
            KeyCode::Char(c) if !control && !alt => self.insert(c.encode_utf8(&mut [0; 4])),
            KeyCode::Enter if alt => self.insert("\n"),
            KeyCode::Home => self.go(self.line_start()),
            KeyCode::End => self.go(self.line_end()),
            KeyCode::Char('a') if control => self.go(self.line_start()),
            KeyCode::Char('e') if control => self.go(self.line_end()),
            code => match request(code, control || alt) {
                Some(request) => {
                    self.input.handle(request);
                }
                None => return false,
            },
        }
        true
    }

    fn go(&mut self, to: usize) {
        self.input.handle(InputRequest::SetCursor(to));
    }

    fn line_start(&self) -> usize {
        let before: Vec<char> = self.text().chars().take(self.input.cursor()).collect();
        before.iter().rposition(|c| *c == '\n').map_or(0, |at| at + 1)
    }

    fn line_end(&self) -> usize {
        let at = self.input.cursor();
        self.text().chars().skip(at).position(|c| c == '\n').map_or(self.text().chars().count(), |n| at + n)
    }

    fn up(&mut self, history: &History) {
        let start = self.line_start();
        if start == 0 {
            return self.older(history);
        }
        let column = self.input.cursor() - start;
        self.go(start - 1);
        let (from, to) = (self.line_start(), self.line_end());
        self.go((from + column).min(to));
    }

    fn down(&mut self, history: &History) {
        let (start, end) = (self.line_start(), self.line_end());
        if end == self.text().chars().count() {
            return self.newer(history);
        }
        let column = self.input.cursor() - start;
        self.go(end + 1);
        let to = self.line_end();
        self.go((end + 1 + column).min(to));
    }

    fn older(&mut self, history: &History) {
        if self.back == 0 {
            self.draft = self.text().to_string();
        }
        if let Some(line) = history.back(self.back + 1) {
            self.input = Input::new(line.to_string());
            self.back += 1;
        }
    }

    fn newer(&mut self, history: &History) {
        if self.back == 0 {
            return;
        }
        self.back -= 1;
        let line = if self.back == 0 { self.draft.clone() } else { history.back(self.back).unwrap_or("").to_string() };
        self.input = Input::new(line);
    }

    /// The rows at a width.
    pub fn rows(&self, columns: usize) -> Rows {
        let room = columns.saturating_sub(MARK).max(8);
        let (mut rows, mut cursor) = (vec![String::from("$ ")], (MARK, 0));
        let mut used = 0;
        for (nth, c) in self.text().chars().chain(std::iter::once(' ')).enumerate() {
            let wide = c.width().unwrap_or(0);
            if used + wide > room {
                rows.push("  ".into());
                used = 0;
            }
            if nth == self.input.cursor() {
                cursor = (MARK + used, rows.len() - 1);
            }
            if c == '\n' {
                rows.push("> ".into());
                used = 0;
                continue;
            }
            if let Some(row) = rows.last_mut() {
                row.push(c);
            }
            used += wide;
        }
        rows.iter_mut().for_each(|row| row.truncate(row.trim_end().len().max(MARK)));
        debug_assert!(rows.iter().all(|row| width(row) <= columns.max(MARK + 8)));
        Rows { rows, cursor }
    }
}

fn request(code: KeyCode, by_word: bool) -> Option<InputRequest> {
    Some(match (code, by_word) {
        (KeyCode::Backspace, false) | (KeyCode::Char('h'), true) => InputRequest::DeletePrevChar,
        (KeyCode::Backspace, true) | (KeyCode::Char('w'), true) => InputRequest::DeletePrevWord,
        (KeyCode::Delete, false) => InputRequest::DeleteNextChar,
        (KeyCode::Delete, true) => InputRequest::DeleteNextWord,
        (KeyCode::Left, false) => InputRequest::GoToPrevChar,
        (KeyCode::Right, false) => InputRequest::GoToNextChar,
        (KeyCode::Left, true) => InputRequest::GoToPrevWord,
        (KeyCode::Right, true) => InputRequest::GoToNextWord,
        (KeyCode::Char('u'), true) => InputRequest::DeleteFromStart,
        (KeyCode::Char('k'), true) => InputRequest::DeleteTillEnd,
        (KeyCode::Char('y'), true) => InputRequest::Yank,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(prompt: &mut Prompt, history: &History, code: KeyCode) {
        prompt.key(&KeyEvent::new(code, KeyModifiers::NONE), history);
    }

    #[test]
    fn a_paste_is_one_edit_and_runs_nothing() {
        let mut prompt = Prompt::default();
        prompt.insert("kind: Pod\r\nmetadata:\r\n\tname: x\u{1b}[31m\r");
        assert_eq!(prompt.text(), "kind: Pod\nmetadata:\n name: x[31m\n");
        assert_eq!(prompt.rows(40).rows, ["$ kind: Pod", "> metadata:", ">  name: x[31m", "> "]);
        assert_eq!(prompt.rows(40).cursor, (2, 3));
        prompt.set("");
        prompt.insert(&"x".repeat(MAX_CHARS + 10));
        assert_eq!(prompt.text().len(), MAX_CHARS);
    }

    #[test]
    fn history_is_walked_and_what_was_typed_comes_back() {
        let mut history = History::default();
        ["one", "two\nlines"].iter().for_each(|line| history.push(line));
        let mut prompt = Prompt::default();
        prompt.insert("dra");
        let mut seen = Vec::new();
        for code in [KeyCode::Up, KeyCode::Up, KeyCode::Up, KeyCode::Up, KeyCode::Down, KeyCode::Down, KeyCode::Down] {
            press(&mut prompt, &history, code);
            seen.push(prompt.text().to_string());
        }
        assert_eq!(seen, ["two\nlines", "two\nlines", "one", "one", "two\nlines", "dra", "dra"]);
    }

    #[test]
    fn long_lines_wrap_and_the_cursor_follows() {
        let mut prompt = Prompt::default();
        prompt.insert("abcdefghijkl");
        let rows = prompt.rows(10);
        assert_eq!(rows.rows, ["$ abcdefgh", "  ijkl"]);
        assert_eq!(rows.cursor, (6, 1));
        press(&mut prompt, &History::default(), KeyCode::Home);
        assert_eq!(prompt.rows(10).cursor, (2, 0));
        prompt.set("日本日本日本");
        assert!(prompt.rows(10).rows.iter().all(|row| width(row) <= 10));
    }
}
