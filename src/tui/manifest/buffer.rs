//! The text that is being written: the kept text area's buffer with undo, and what YAML wants of keys.

use crate::k8s::templates::next_blank;
use ratatui_textarea::{CursorMove, TextArea};

/// Bytes that the editor takes; what is longer is refused with a sentence.
pub const MOST_BYTES: usize = 4 << 20;
/// Lines that the editor takes: its positions are 16 bits wide.
pub const MOST_LINES: usize = 60_000;
/// Edits that can be undone.
const UNDO: usize = 1_000;

/// A text and a cursor in it.
pub struct Buffer {
    area: TextArea<'static>,
    bytes: usize,
    /// Grows with every change.
    pub revision: u64,
    /// The text ended without a newline.
    open_end: bool,
}

impl Buffer {
    /// A text with Windows line ends taken off.
    pub fn of(text: &str) -> Buffer {
        let clean = clean(text);
        let mut lines: Vec<String> = clean.split('\n').map(str::to_string).collect();
        let open_end = lines.last().is_some_and(|last| !last.is_empty());
        if lines.len() > 1 && !open_end {
            lines.pop();
        }
        let mut area = TextArea::new(lines);
        area.set_max_histories(UNDO);
        Buffer { area, bytes: clean.len(), revision: 0, open_end: open_end && !clean.is_empty() }
    }

    /// The whole text, ending with a newline unless it is empty.
    pub fn text(&self) -> String {
        self.lines().join("\n") + self.ending()
    }

    /// Whether this is the whole text, without making one.
    pub fn is(&self, text: &str) -> bool {
        text.strip_suffix(self.ending()).is_some_and(|text| text.split('\n').eq(self.lines()))
    }

    /// What stands behind the last line.
    fn ending(&self) -> &'static str {
        let is_empty = self.lines().iter().all(String::is_empty) && self.lines().len() < 2;
        let as_it_came = self.open_end && self.revision == 0;
        if is_empty || as_it_came { "" } else { "\n" }
    }

    pub fn lines(&self) -> &[String] {
        self.area.lines()
    }

    /// Row and column of the cursor, from 0, in characters.
    pub fn cursor(&self) -> (usize, usize) {
        let at = self.area.cursor();
        (at.0, at.1)
    }

    /// The line of the cursor.
    pub fn line(&self) -> &str {
        self.lines().get(self.cursor().0).map_or("", String::as_str)
    }

    /// The line before the cursor.
    pub fn before(&self) -> String {
        self.line().chars().take(self.cursor().1).collect()
    }

    /// Puts the cursor somewhere; kept within the text.
    pub fn go(&mut self, row: usize, column: usize) {
        let row = row.min(self.lines().len().saturating_sub(1));
        let column = column.min(self.lines().get(row).map_or(0, |line| line.chars().count()));
        self.area.move_cursor(CursorMove::Jump(row as u16, column as u16));
    }

    /// Moves by rows, keeping the column as far as the lines are long enough.
    pub fn rows(&mut self, by: isize) {
        let (row, column) = self.cursor();
        let to = row.saturating_add_signed(by);
        match by < 0 && row == 0 {
            true => self.go(0, 0),
            false => self.go(to, column),
        }
    }

    pub fn left(&mut self) {
        self.area.move_cursor(CursorMove::Back);
    }

    pub fn right(&mut self) {
        self.area.move_cursor(CursorMove::Forward);
    }

    pub fn word_left(&mut self) {
        self.area.move_cursor(CursorMove::WordBack);
    }

    pub fn word_right(&mut self) {
        self.area.move_cursor(CursorMove::WordForward);
    }

    /// To the first character of the line that is no space; from there to its beginning.
    pub fn home(&mut self) {
        let (row, column) = self.cursor();
        let indent = indent_of(self.line());
        self.go(row, if column == indent { 0 } else { indent });
    }

    pub fn end(&mut self) {
        self.area.move_cursor(CursorMove::End);
    }

    /// Puts a text in as one edit. False when there is no room.
    pub fn insert(&mut self, text: &str) -> bool {
        let text = clean(text);
        let lines = text.matches('\n').count();
        if self.bytes + text.len() > MOST_BYTES || self.lines().len() + lines > MOST_LINES {
            return false;
        }
        let changed = self.area.insert_str(&text);
        self.changed(changed)
    }

    fn changed(&mut self, changed: bool) -> bool {
        if changed {
            self.revision += 1;
            // Positions are exact where a limit could be met, cheap elsewhere.
            self.bytes = self.area.lines().iter().map(|line| line.len() + 1).sum();
        }
        true
    }

    /// A new line, indented as this one is; deeper after `key:`, and below a list item as its fields are.
    pub fn newline(&mut self) -> bool {
        let before = self.before();
        let mut indent = indent_of(&before);
        let content = before.trim();
        let opens = content.ends_with(':') && !content.starts_with('#');
        if let Some(rest) = content.strip_prefix("- ") {
            if rest.contains(": ") || rest.ends_with(':') {
                indent += 2;
            }
            indent += if opens { 2 } else { 0 };
        } else if opens {
            indent += 2;
        }
        self.insert(&format!("\n{}", " ".repeat(indent)))
    }

    /// Deletes backwards; spaces of the indentation by two.
    pub fn backspace(&mut self) {
        let before = self.before();
        let by_two = !before.is_empty() && before.len().is_multiple_of(2) && before.bytes().all(|b| b == b' ');
        let mut changed = self.area.delete_char();
        if by_two {
            changed |= self.area.delete_char();
        }
        self.changed(changed);
    }

    pub fn delete(&mut self) {
        let changed = self.area.delete_next_char();
        self.changed(changed);
    }

    pub fn delete_word(&mut self) {
        let changed = self.area.delete_word();
        self.changed(changed);
    }

    /// From the cursor to the end of the line; kept for [`Buffer::yank`].
    pub fn kill(&mut self) {
        let changed = self.area.delete_line_by_end();
        self.changed(changed);
    }

    pub fn yank(&mut self) {
        let changed = self.area.paste();
        self.changed(changed);
    }

    /// False when there is nothing to undo.
    pub fn undo(&mut self) -> bool {
        let changed = self.area.undo();
        self.changed(changed);
        changed
    }

    /// False when there is nothing to do again.
    pub fn redo(&mut self) -> bool {
        let changed = self.area.redo();
        self.changed(changed);
        changed
    }

    /// Replaces characters before the cursor, as one deletion and one insertion.
    pub fn replace_before(&mut self, chars: usize, with: &str) {
        let (row, column) = self.cursor();
        self.go(row, column.saturating_sub(chars));
        if chars > 0 {
            let changed = self.area.delete_str(chars.min(column));
            self.changed(changed);
        }
        self.insert(with);
    }

    /// Goes to the next blank (`<HOST>`) after the cursor, around the end; false when none is open. The first character typed there
    /// takes its place.
    pub fn next_blank(&mut self) -> bool {
        let text = self.text();
        let (row, column) = self.cursor();
        let here = offset(self.lines(), row, column);
        let Some(found) = next_blank(&text, here + 1).or_else(|| next_blank(&text, 0)) else { return false };
        let head = &text[..found.start];
        let row = head.matches('\n').count();
        let column = head.rsplit('\n').next().unwrap_or("").chars().count();
        self.go(row, column);
        true
    }

    /// The characters of the blank at whose beginning the cursor is.
    pub fn blank_here(&self) -> Option<usize> {
        let rest: String = self.line().chars().skip(self.cursor().1).collect();
        let found = next_blank(&rest, 0).filter(|range| range.start == 0)?;
        Some(rest[found].chars().count())
    }

    /// Puts a text in the place of the blank here.
    pub fn fill_blank(&mut self, with: &str) {
        if let Some(chars) = self.blank_here() {
            let changed = self.area.delete_str(chars);
            self.changed(changed);
            self.insert(with);
        }
    }

    /// Another text in the place of this one, as an edit that can be undone. False when it is too long.
    pub fn replace_all(&mut self, text: &str) -> bool {
        let text = clean(text);
        if text.len() > MOST_BYTES || text.matches('\n').count() > MOST_LINES {
            return false;
        }
        let (row, column) = self.cursor();
        self.area.select_all();
        self.area.cut();
        self.bytes = 0;
        let changed = self.area.insert_str(text.strip_suffix('\n').unwrap_or(&text));
        self.revision += 1;
        self.changed(changed);
        self.go(row, column);
        true
    }

    /// The next place of a text after the cursor (or before it), around the ends. Case counts only if the text has capitals.
    pub fn find(&mut self, wanted: &str, backwards: bool) -> bool {
        let folds = !wanted.chars().any(char::is_uppercase);
        let fold = |text: &str| if folds { text.to_lowercase() } else { text.to_string() };
        let wanted = fold(wanted);
        let (row, column) = self.cursor();
        let count = self.lines().len();
        if wanted.is_empty() {
            return false;
        }
        for step in 0..=count {
            let at = if backwards { (row + count - step % count.max(1)) % count } else { (row + step) % count };
            let line = fold(&self.lines()[at]);
            let columns: Vec<usize> = line.match_indices(&wanted).map(|(byte, _)| line[..byte].chars().count()).collect();
            let (first, last) = (step == 0, step == count);
            let fits = |c: &&usize| match backwards {
                false => (!first || **c > column) && (!last || **c <= column),
                true => (!first || **c < column) && (!last || **c >= column),
            };
            let found = if backwards { columns.iter().rev().find(fits) } else { columns.iter().find(fits) };
            if let Some(found) = found {
                self.go(at, *found);
                return true;
            }
        }
        false
    }
}

/// Line ends as LF, nothing that a terminal would take for a command, tabs kept: YAML refuses them and the editor says so.
fn clean(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    match text.chars().any(is_unwanted) {
        true => text.chars().filter(|c| !is_unwanted(*c)).collect(),
        false => text,
    }
}

fn is_unwanted(c: char) -> bool {
    c.is_control() && c != '\n' && c != '\t'
}

/// Spaces before the first other character.
pub fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn offset(lines: &[String], row: usize, column: usize) -> usize {
    let above: usize = lines.iter().take(row).map(|line| line.len() + 1).sum();
    above + lines.get(row).map_or(0, |line| line.chars().take(column).map(char::len_utf8).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_line_is_indented_as_yaml_wants_it() {
        for (line, indent) in [
            ("spec:", 2),
            ("  hosts:", 4),
            ("  - port:", 6),
            ("  - number: 80", 4),
            ("  - www.example.org", 2),
            ("  a: b", 2),
            ("# x:", 0),
        ] {
            let mut buffer = Buffer::of(line);
            buffer.end();
            buffer.newline();
            assert_eq!(buffer.cursor(), (1, indent), "{line}");
        }
    }

    #[test]
    fn windows_lines_and_control_characters_are_cleaned_and_a_paste_is_one_edit() {
        let mut buffer = Buffer::of("a: 1\r\nb: 2\r\n");
        assert_eq!(buffer.text(), "a: 1\nb: 2\n");
        buffer.go(2, 0);
        buffer.insert("c: \u{1b}[31m日本\r\nd:\n");
        assert!(buffer.text().contains("c: [31m日本\nd:\n"), "{}", buffer.text());
        assert!(buffer.undo());
        assert_eq!(buffer.text(), "a: 1\nb: 2\n");
        assert!(buffer.redo() && buffer.text().contains("日本"));
    }

    #[test]
    fn a_text_that_is_not_touched_stays_as_it_was() {
        for text in ["", "a: 1", "a: 1\n", "a: 1\n\n"] {
            assert_eq!(Buffer::of(text).text(), text);
            for other in ["", "a: 1", "a: 1\n", "a: 1\n\n", "\n", "a: 12", "a: 12\n", "a:"] {
                assert_eq!(Buffer::of(text).is(other), text == other, "{text:?} {other:?}");
            }
        }
    }

    #[test]
    fn what_is_too_long_is_refused_whole() {
        let mut buffer = Buffer::of("a: 1\n");
        assert!(!buffer.insert(&"x".repeat(MOST_BYTES)));
        assert!(!buffer.insert(&"\n".repeat(MOST_LINES)));
        assert_eq!((buffer.text().as_str(), buffer.revision), ("a: 1\n", 0));
    }

    #[test]
    fn blanks_are_gone_through_and_filled() {
        let mut buffer = Buffer::of("# <NO>\nname: <NAME>\nhosts:\n- <HOST>\n");
        assert!(buffer.next_blank());
        assert_eq!((buffer.cursor(), buffer.blank_here()), ((1, 6), Some(6)));
        buffer.fill_blank("x");
        assert!(buffer.next_blank());
        assert_eq!(buffer.cursor(), (3, 2));
        buffer.fill_blank("é");
        assert!(!buffer.next_blank());
        assert_eq!(buffer.text(), "# <NO>\nname: x\nhosts:\n- é\n");
    }

    #[test]
    fn search_goes_around_and_minds_capitals_only_when_given() {
        let mut buffer = Buffer::of("Host: a\nx: host host\n");
        let mut seen = Vec::new();
        for _ in 0..4 {
            assert!(buffer.find("host", false));
            seen.push(buffer.cursor());
        }
        assert_eq!(seen, [(1, 3), (1, 8), (0, 0), (1, 3)]);
        assert!(buffer.find("host", true) && buffer.cursor() == (0, 0));
        assert!(buffer.find("Host", false) && buffer.cursor() == (0, 0));
        assert!(!buffer.find("nosuch", false) && !buffer.find("", false));
    }
}
