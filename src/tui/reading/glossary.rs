//! The glossary: a list of words, those of the page first, and what the marked one means. Typing narrows the list.

use crate::base::text::clip;
use crate::lesson::glossary::{Entry, Found, Words};
use crate::session::Session;
use crate::tui::frame::{self, Pane};
use crate::tui::keymap::{Command, Scope, is_text};
use crate::tui::over::{Over, Reach, Then};
use crate::tui::scroll::Scroll;
use crate::tui::theme::{Theme, Tone};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// From so many columns on, the list stands beside the text.
const BESIDE: u16 = 72;
/// Characters of a filter.
const MAX_FILTER: usize = 40;
/// Words that can be gone back to.
const MAX_BACK: usize = 50;

/// The screen.
pub struct Glossary {
    words: Words,
    /// How many of the first words stand on the page.
    here: usize,
    filter: String,
    /// The marked row of those that the filter leaves.
    selected: usize,
    scroll: Scroll,
    /// Ids of the words that led here by "see also".
    back: Vec<String>,
    /// Said above the list: a word that there is not.
    note: String,
}

impl Glossary {
    /// The words of a session's lesson, those of its shown step first; the mark on `word` if there is one.
    pub fn new(session: &Session, word: &str) -> Glossary {
        let (words, page) = session.glossary();
        let first: Vec<Entry> = words.on_page(&page).into_iter().cloned().collect();
        let here = first.len();
        let mut rest: Vec<Entry> =
            words.0.iter().filter(|entry| !first.iter().any(|known| known.id == entry.id)).cloned().collect();
        rest.sort_by_key(|entry| entry.term.to_lowercase());
        let words = Words(first.into_iter().chain(rest).collect());
        let (filter, note, back) = (String::new(), String::new(), Vec::new());
        let mut screen = Glossary { words, here, filter, selected: 0, scroll: Scroll(0), back, note };
        if !word.trim().is_empty() {
            screen.look_up(word.trim());
        }
        screen
    }

    fn look_up(&mut self, word: &str) {
        let id = match self.words.find(word) {
            Found::Entry(entry) => Some(entry.id.clone()),
            Found::Nearest(near) => {
                let near = near.map(str::to_string);
                self.note = match &near {
                    Some(near) => format!("There is no \"{word}\"; the nearest is \"{near}\"."),
                    None => format!("There is no \"{word}\"."),
                };
                match near.as_deref().map(|near| self.words.find(near)) {
                    Some(Found::Entry(entry)) => Some(entry.id.clone()),
                    _ => None,
                }
            }
        };
        if let Some(id) = id {
            self.mark(&id);
        }
    }

    fn mark(&mut self, id: &str) {
        self.filter.clear();
        self.scroll = Scroll(0);
        self.selected = self.listed().iter().position(|(_, entry)| entry.id == id).unwrap_or(0);
    }

    /// The words that the filter leaves, with their place in the whole list.
    fn listed(&self) -> Vec<(usize, &Entry)> {
        let filter = self.filter.to_lowercase();
        let fits = |entry: &Entry| {
            let mut names = std::iter::once(&entry.term).chain(&entry.also);
            names.any(|name| name.to_lowercase().contains(&filter))
        };
        self.words.0.iter().enumerate().filter(|(_, entry)| fits(entry)).collect()
    }

    fn marked(&self) -> Option<&Entry> {
        self.listed().get(self.selected).map(|(_, entry)| *entry)
    }

    /// Goes to the first word that the marked one names; `None` when it names none.
    fn follow(&mut self) -> Option<()> {
        let (from, to) = {
            let entry = self.marked()?;
            (entry.id.clone(), entry.see.first()?.clone())
        };
        if self.back.len() < MAX_BACK {
            self.back.push(from);
        }
        self.mark(&to);
        Some(())
    }

    fn narrow(&mut self, key: &KeyEvent) -> bool {
        match key.code {
            KeyCode::Char(c) if is_text(key) && self.filter.chars().count() < MAX_FILTER => self.filter.push(c),
            KeyCode::Backspace => drop(self.filter.pop()),
            _ => return false,
        }
        self.note.clear();
        self.selected = 0;
        self.scroll = Scroll(0);
        true
    }

    fn list_lines(&self, columns: usize, theme: Theme) -> Vec<Line<'static>> {
        let listed = self.listed();
        if listed.is_empty() {
            return vec![Line::styled(format!("  nothing with \"{}\"", self.filter), theme.style(Tone::Quiet))];
        }
        let row = |(nth, (place, entry)): (usize, &(usize, &Entry))| {
            let mark = if nth == self.selected { "> " } else { "  " };
            let tone = match (nth == self.selected, *place < self.here) {
                (true, _) => Tone::Focus,
                (false, true) => Tone::Strong,
                (false, false) => Tone::Plain,
            };
            let term = clip(&entry.term, columns.saturating_sub(3), theme.ascii);
            Line::styled(format!("{mark}{term}"), theme.style(tone))
        };
        listed.iter().enumerate().map(row).collect()
    }

    fn entry_lines(&self, columns: usize, theme: Theme) -> Vec<Line<'static>> {
        let Some(entry) = self.marked() else { return Vec::new() };
        let text = self.words.lines(entry, columns);
        let tone = |nth: usize| if nth == 0 { Tone::Strong } else { Tone::Plain };
        let line = |(nth, text): (usize, String)| Line::styled(text, theme.style(tone(nth)));
        text.into_iter().enumerate().map(line).collect()
    }

    /// Where the list and the text are.
    fn areas(area: Rect) -> (Rect, Rect) {
        if area.width >= BESIDE {
            let list = (area.width / 3).min(34);
            return (Rect { width: list, ..area }, Rect { x: area.x + list + 1, width: area.width - list - 1, ..area });
        }
        let list = (area.height / 2).max(3);
        (Rect { height: list, ..area }, Rect { y: area.y + list, height: area.height.saturating_sub(list), ..area })
    }

    /// The list is scrolled so far that the marked row is in its middle.
    fn list_scroll(&self, height: usize) -> Scroll {
        Scroll(self.selected.saturating_sub(height / 2))
    }
}

impl Over for Glossary {
    fn title(&self, _session: &Session) -> String {
        "Glossary".into()
    }

    fn scope(&self) -> Scope {
        Scope::Glossary
    }

    fn offers(&self) -> Vec<Command> {
        vec![Command::Leave, Command::Down, Command::SeeAlso, Command::SeeBack, Command::PageDown, Command::Help]
    }

    fn key(&mut self, key: &KeyEvent, command: Option<Command>, reach: &mut Reach<'_>) -> Then {
        if self.narrow(key) {
            return Then::Stay;
        }
        let area = Rect::new(0, 1, reach.size.width, reach.size.height.saturating_sub(3));
        let (list, text) = Glossary::areas(area);
        let page = usize::from(list.height).saturating_sub(2).max(1);
        let last = self.listed().len().saturating_sub(1);
        let before = self.selected;
        match command {
            Some(Command::Leave) if !self.filter.is_empty() => self.narrow_to_nothing(),
            Some(Command::Leave) => return Then::Close,
            Some(Command::SeeAlso) if self.follow().is_none() => return Then::Say("This word names no other.".into()),
            Some(Command::SeeAlso) => (),
            Some(Command::SeeBack) => match self.back.pop() {
                Some(id) => self.mark(&id),
                None => return Then::Say("No word led here.".into()),
            },
            Some(Command::Up) => self.selected = before.saturating_sub(1),
            Some(Command::Down) => self.selected = (before + 1).min(last),
            Some(Command::Top) => self.selected = 0,
            Some(Command::Bottom) => self.selected = last,
            Some(command @ (Command::PageUp | Command::PageDown)) => {
                let lines = self.entry_lines(usize::from(text.width).saturating_sub(1), Theme::PLAIN).len();
                let rows = usize::from(text.height).saturating_sub(1);
                if lines > rows {
                    self.scroll.moved(command, lines, rows);
                } else {
                    let up = command == Command::PageUp;
                    self.selected = if up { before.saturating_sub(page) } else { (before + page).min(last) };
                }
            }
            _ => (),
        }
        if self.selected != before {
            self.scroll = Scroll(0);
        }
        Then::Stay
    }

    fn draw(&self, _session: &Session, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
        let (list, text) = Glossary::areas(area);
        let lines = self.list_lines(usize::from(list.width), theme);
        let title = match self.filter.is_empty() {
            false => format!("with \"{}\"", self.filter),
            true if self.here == 0 => "Words".into(),
            true => "Words".into(),
        };
        let rows = usize::from(list.height).saturating_sub(1);
        let scroll = self.list_scroll(rows);
        frame::pane(frame, list, &Pane { title: &title, focused: true, lines: &lines, scroll, keys: None }, theme);
        if text.x > area.x {
            frame::vertical(frame, text.x - 1, text, theme);
        }
        let lines = self.entry_lines(usize::from(text.width).saturating_sub(1), theme);
        let title = if self.note.is_empty() { "What it means" } else { self.note.as_str() };
        let keys = Some("PageDown");
        frame::pane(frame, text, &Pane { title, focused: false, lines: &lines, scroll: self.scroll, keys }, theme);
    }
}

impl Glossary {
    /// Every word is listed again, the mark on the one that has it.
    fn narrow_to_nothing(&mut self) {
        match self.marked().map(|entry| entry.id.clone()) {
            Some(id) => self.mark(&id),
            None => self.filter.clear(),
        }
    }
}
