//! Searching the output. While the search is typed it owns the keyboard: Enter keeps the matches marked, Esc clears them.

use super::LessonScreen;
use super::output::{self, Bottom};
use crate::session::Transcript;
use crate::tui::frame;
use crate::tui::keymap::{self, Command, Place};
use crate::tui::layout::Focus;
use crate::tui::theme::Theme;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::ops::Range;

/// Characters of a search.
const LONGEST: usize = 200;

/// What is searched for.
#[derive(Debug, Clone, Default)]
pub struct Search {
    pub text: String,
    /// It is still typed.
    pub open: bool,
    /// The line of the present match, counted from the session's first.
    pub at: Option<u64>,
}

impl Search {
    /// Where in a line it matches (bytes). Capitals count only where the search has some.
    pub fn matches(&self, line: &str) -> Vec<Range<usize>> {
        if self.text.is_empty() {
            return Vec::new();
        }
        let exact = self.text.chars().any(char::is_uppercase);
        let (line, wanted) = match exact {
            true => (line.to_string(), self.text.clone()),
            // Only letters whose small form is as long keep their place.
            false => (line.chars().map(small).collect(), self.text.chars().map(small).collect()),
        };
        line.match_indices(&wanted).map(|(at, found)| at..at + found.len()).collect()
    }

    /// The lines that match.
    pub fn lines(&self, transcript: &Transcript) -> Vec<u64> {
        let open = transcript.open_line().map(|(line, _)| line);
        let lines = transcript.lines().chain(open.as_ref()).enumerate();
        let found = lines.filter(|(_, line)| !self.matches(&line.text).is_empty());
        found.map(|(nth, _)| transcript.dropped() + nth as u64).collect()
    }
}

fn small(c: char) -> char {
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(small), None) if small.len_utf8() == c.len_utf8() => small,
        _ => c,
    }
}

impl LessonScreen {
    pub(super) fn open_search(&mut self) {
        let text = self.view.search.take().map(|search| search.text).unwrap_or_default();
        self.view.search = Some(Search { text, open: true, at: None });
        self.view.focus = Focus::Output;
    }

    /// A key while the search is typed; false when none is.
    pub(super) fn output_search_key(&mut self, key: &KeyEvent) -> bool {
        let Some(search) = self.view.search.as_mut().filter(|search| search.open) else { return false };
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => self.view.search = None,
            KeyCode::Char('c') if control => self.view.search = None,
            KeyCode::Enter if search.text.is_empty() => self.view.search = None,
            KeyCode::Enter => search.open = false,
            KeyCode::Up => self.find(false),
            KeyCode::Down => self.find(true),
            KeyCode::Backspace => {
                search.text.pop();
                self.find_newest();
            }
            KeyCode::Char('u') if control => search.text.clear(),
            KeyCode::Char(_) if keymap::is_text(key) && search.text.chars().count() < LONGEST => {
                if let KeyCode::Char(c) = key.code {
                    search.text.push(c);
                }
                self.find_newest();
            }
            KeyCode::PageUp | KeyCode::PageDown => {
                if let Some(command) = keymap::find(key, Place::Pane) {
                    self.scroll(command);
                }
            }
            _ => (),
        }
        true
    }

    /// While it is typed: the newest match is shown.
    fn find_newest(&mut self) {
        if let Some(search) = &mut self.view.search {
            search.at = None;
        }
        self.find(false);
    }

    /// To the next match below or above; from the last one on to the first.
    pub(super) fn find(&mut self, below: bool) {
        let Some(search) = self.view.search.as_mut() else {
            self.view.notice = Some("Nothing is searched for: / begins.".into());
            return;
        };
        let lines = search.lines(self.session.transcript());
        search.at = match (search.at, below) {
            (Some(at), true) => lines.iter().find(|line| **line > at).or(lines.first()),
            (Some(at), false) => lines.iter().rev().find(|line| **line < at).or(lines.last()),
            (None, true) => lines.first(),
            (None, false) => lines.last(),
        }
        .copied();
        if let Some(line) = search.at {
            self.reveal(line);
        }
    }

    /// Moves the output so that a line is in sight, with some of what follows it.
    fn reveal(&mut self, line: u64) {
        let Some(area) = self.panes(Theme::PLAIN).output else { return };
        let inner = frame::inner(area);
        let size = (usize::from(inner.width), usize::from(inner.height));
        let transcript = self.session.transcript();
        let mut bottom = Bottom::At(line);
        for _ in 0..inner.height / 2 {
            bottom = output::moved(transcript, bottom, Command::Down, size, self.rules.is_complete).unwrap_or(bottom);
        }
        self.view.output = bottom;
    }

    /// `Search: envoy, 3 of 17`.
    pub(super) fn search_title(&self) -> Option<String> {
        let search = self.view.search.as_ref()?;
        let lines = search.lines(self.session.transcript());
        let count = match search.at.and_then(|at| lines.iter().position(|line| *line == at)) {
            _ if search.text.is_empty() => "type what to look for".to_string(),
            _ if lines.is_empty() => "no line has it".to_string(),
            Some(nth) => format!("line {} of {}", nth + 1, lines.len()),
            None => format!("{} lines", lines.len()),
        };
        let cursor = if search.open { "_" } else { "" };
        Some(format!("/{}{cursor}  {count}", search.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, line: &str) -> Vec<Range<usize>> {
        Search { text: text.into(), ..Search::default() }.matches(line)
    }

    #[test]
    fn capitals_count_only_where_they_are_asked_for() {
        assert_eq!(found("http", "HTTP/1.1 http"), [0..4, 9..13]);
        assert_eq!(found("HTTP", "HTTP/1.1 http"), std::slice::from_ref(&(0..4)));
        assert_eq!(found("größe", "die GRÖßE"), std::slice::from_ref(&(4..11)));
        assert_eq!(found("i", "İi"), std::slice::from_ref(&(2..3)), "a letter whose small form is longer stays as it is");
        assert!(found("", "x").is_empty());
    }
}
