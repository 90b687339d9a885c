//! Searching the step's text and the output. While the search is typed it owns the keyboard: Enter keeps the matches marked, Esc clears them.

use super::output::{self, Bottom};
use super::{LessonScreen, Side, document};
use crate::session::{Session, Transcript};
use crate::tui::frame;
use crate::tui::keymap::{self, Command, Place};
use crate::tui::layout::{self, Focus};
use crate::tui::scroll::Scroll;
use crate::tui::theme::Theme;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Size;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use std::ops::Range;

/// Characters of a search.
const LONGEST: usize = 200;
/// Rows of text above a match.
const ABOVE: usize = 2;

/// What is searched for.
#[derive(Debug, Clone, Default)]
pub struct Search {
    pub text: String,
    /// It is still typed.
    pub open: bool,
    /// The present match.
    pub at: Option<Hit>,
}

/// A line that matches. What is in the text comes before what is in the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hit {
    /// A row of the step's text, as it is wrapped now.
    Text(usize),
    /// A line of the output, counted from the session's first.
    Output(u64),
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

    /// The lines of the output that match.
    fn lines(&self, transcript: &Transcript) -> Vec<Hit> {
        let open = transcript.open_line().map(|(line, _)| line);
        let lines = transcript.lines().chain(open.as_ref()).enumerate();
        let found = lines.filter(|(_, line)| !self.matches(&line.text).is_empty());
        found.map(|(nth, _)| Hit::Output(transcript.dropped() + nth as u64)).collect()
    }

    /// A row of text with its matches standing out: reversed, those of the present match underlined too.
    pub fn mark(&self, nth: usize, line: Line<'static>) -> Line<'static> {
        let found = self.matches(&line.to_string());
        if found.is_empty() {
            return line;
        }
        let more = self.weight(Hit::Text(nth));
        let (mut spans, mut at) = (Vec::new(), 0);
        for span in line.spans {
            let end = at + span.content.len();
            let edges = found.iter().flat_map(|range| [range.start, range.end]).filter(|edge| (at..end).contains(edge));
            let edges: Vec<usize> = std::iter::once(at).chain(edges).chain([end]).collect();
            for (from, to) in edges.iter().zip(&edges[1..]).filter(|(from, to)| from < to) {
                let inside = found.iter().any(|range| range.contains(from));
                let style = if inside { span.style.add_modifier(more) } else { span.style };
                spans.push(Span::styled(span.content[from - at..to - at].to_string(), style));
            }
            at = end;
        }
        Line { spans, ..line }
    }

    /// How a match on a line stands out.
    pub fn weight(&self, hit: Hit) -> Modifier {
        match self.at == Some(hit) {
            true => Modifier::REVERSED | Modifier::UNDERLINED | Modifier::BOLD,
            false => Modifier::REVERSED,
        }
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
        let hits = hits(&self.session, self.view.size, search);
        search.at = match (search.at, below) {
            (Some(at), true) => hits.iter().find(|hit| **hit > at).or(hits.first()),
            (Some(at), false) => hits.iter().rev().find(|hit| **hit < at).or(hits.last()),
            // The newest line of the output; where there is none, the text from its beginning.
            (None, false) => hits.last().filter(|hit| matches!(hit, Hit::Output(_))).or(hits.first()),
            (None, true) => hits.first(),
        }
        .copied();
        match search.at {
            Some(Hit::Text(row)) => {
                self.view.side = Side::Text;
                self.view.focus = Focus::Text;
                self.view.text = Scroll(row.saturating_sub(ABOVE));
            }
            Some(Hit::Output(line)) => {
                self.view.focus = Focus::Output;
                self.reveal(line);
            }
            None => (),
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

    /// `/envoy  line 3 of 17`, for the pane with the present match; where there is none, for the output's.
    pub(super) fn search_title(&self, of: Focus) -> Option<String> {
        let search = self.view.search.as_ref()?;
        let place = if matches!(search.at, Some(Hit::Text(_))) { Focus::Text } else { Focus::Output };
        if place != of {
            return None;
        }
        let hits = hits(&self.session, self.view.size, search);
        let count = match search.at.and_then(|at| hits.iter().position(|hit| *hit == at)) {
            _ if search.text.is_empty() => "type what to look for".to_string(),
            _ if hits.is_empty() => "no line has it".to_string(),
            Some(nth) => format!("line {} of {}", nth + 1, hits.len()),
            None => format!("{} lines", hits.len()),
        };
        let cursor = if search.open { "_" } else { "" };
        Some(format!("/{}{cursor}  {count}", search.text))
    }
}

/// Everything that matches: first in the text, then in the output.
fn hits(session: &Session, size: Size, search: &Search) -> Vec<Hit> {
    let rows = document::lines(session, usize::from(layout::text_width(size)), Theme::PLAIN);
    let in_text = rows.iter().enumerate().filter(|(_, row)| !search.matches(&row.to_string()).is_empty());
    in_text.map(|(nth, _)| Hit::Text(nth)).chain(search.lines(session.transcript())).collect()
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

    #[test]
    fn a_match_across_spans_keeps_their_styles() {
        let bold = ratatui::style::Style::default().add_modifier(Modifier::BOLD);
        let line = Line::from(vec![Span::raw("only hosts in "), Span::styled("Istio's", bold), Span::raw(" registry")]);
        let search = Search { text: "in istio's r".into(), at: Some(Hit::Text(7)), open: false };
        let marked = search.mark(8, line.clone());
        let texts: Vec<&str> = marked.spans.iter().map(|span| span.content.as_ref()).collect();
        assert_eq!(texts, ["only hosts ", "in ", "Istio's", " r", "egistry"]);
        let reversed =
            |line: &Line| line.spans.iter().map(|s| s.style.add_modifier.contains(Modifier::REVERSED)).collect::<Vec<_>>();
        assert_eq!(reversed(&marked), [false, true, true, true, false]);
        assert!(
            marked.spans[2].style.add_modifier.contains(Modifier::BOLD)
                && !marked.spans[1].style.add_modifier.contains(Modifier::UNDERLINED)
        );
        assert!(search.mark(7, line.clone()).spans[1].style.add_modifier.contains(Modifier::UNDERLINED));
        assert_eq!(Search::default().mark(0, line.clone()), line);
    }
}
