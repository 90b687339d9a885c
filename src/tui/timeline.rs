//! The time-line: every change of the world, the newest first; one in full, two compared, the world as it was, the way back.

pub mod draw;
pub mod field;
pub mod pages;

use super::browser::Browser;
use super::keymap::{Command, Scope};
use super::over::{Over, Reach, Then};
use super::scroll::Scroll;
use super::theme::Theme;
use crate::session::Session;
use crate::session::desk::timeline::{Compared, Moment, Past, TimeLine, Told, Undone};
use crate::session::desk::{Answer, AskId, Request};
use crossterm::event::{KeyCode, KeyEvent};
use field::Field;
use ratatui::Frame;
use ratatui::layout::Rect;

/// Changes that are shown.
const LAST: usize = 300;

/// What stands in place of the list.
#[derive(Debug)]
pub enum Detail {
    Change(Box<Told>, Scroll),
    Compared(Box<Compared>, Scroll),
    /// The question before a return; `y` does it.
    Return(Undone, Scroll),
}

/// What is typed.
#[derive(Debug)]
pub enum Typing {
    Filter(Field),
    /// A bookmark's name, for this revision.
    Name(u64, Field),
}

/// The screen.
#[derive(Debug, Default)]
pub struct TimeLineScreen {
    pub line: Option<TimeLine>,
    /// The revision that is marked; `None`: the newest, whichever that is.
    pub selected: Option<u64>,
    /// One end of a comparison.
    pub from: Option<u64>,
    pub filter: String,
    /// Only what a person or a command asked for.
    pub own: bool,
    pub typing: Option<Typing>,
    pub detail: Option<Detail>,
    /// A question is open whose answer becomes the detail.
    waiting: Option<AskId>,
    marking: Option<AskId>,
    listing: Option<AskId>,
    /// The list could not be had: why.
    pub trouble: Option<String>,
}

impl TimeLineScreen {
    /// The screen, before anything is known.
    pub fn new() -> TimeLineScreen {
        TimeLineScreen::default()
    }

    /// Whether an answer is awaited that will be shown.
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// The changes that pass the filter, the newest first.
    pub fn shown(&self) -> Vec<&Moment> {
        let moments = self.line.iter().flat_map(|line| line.moments.iter().rev());
        moments.filter(|m| (m.own || !self.own) && self.passes(m)).collect()
    }

    fn passes(&self, moment: &Moment) -> bool {
        let filter = match &self.typing {
            Some(Typing::Filter(field)) => field.text(),
            _ => &self.filter,
        };
        let text = format!("{} {} {} {}", moment.revision, moment.who, moment.what, moment.mark.as_deref().unwrap_or(""));
        filter.split_whitespace().all(|word| text.to_lowercase().contains(&word.to_lowercase()))
    }

    /// The place of the marked change in what is shown.
    pub fn place(&self) -> usize {
        let shown = self.shown();
        let at = |revision: u64| shown.iter().position(|m| m.revision <= revision).unwrap_or(shown.len().saturating_sub(1));
        self.selected.map_or(0, at)
    }

    /// The marked change.
    pub fn marked(&self) -> Option<&Moment> {
        self.shown().get(self.place()).copied()
    }

    fn select(&mut self, place: usize) {
        let shown = self.shown();
        let place = place.min(shown.len().saturating_sub(1));
        self.selected = if place == 0 { None } else { shown.get(place).map(|m| m.revision) };
    }

    fn keeps_past(&self) -> bool {
        self.line.as_ref().is_none_or(|line| line.past == Past::Kept)
    }

    fn ask(&mut self, request: Request, reach: &mut Reach<'_>) -> Then {
        self.waiting = Some(reach.ask(request));
        Then::Stay
    }

    fn list_key(&mut self, command: Option<Command>, reach: &mut Reach<'_>) -> Then {
        let page = usize::from(reach.size.height).saturating_sub(8).max(1);
        let place = self.place();
        let Some(revision) = self.marked().map(|m| m.revision) else {
            return match command {
                Some(Command::Leave) => self.leave(),
                Some(Command::Filter) => self.begin_filter(),
                Some(Command::Own) => self.toggle_own(),
                _ => Then::Stay,
            };
        };
        match command {
            Some(Command::Up | Command::Newer) => self.select(place.saturating_sub(1)),
            Some(Command::Down | Command::Older) => self.select(place + 1),
            Some(Command::PageUp) => self.select(place.saturating_sub(page)),
            Some(Command::PageDown) => self.select(place + page),
            Some(Command::Top) => self.select(0),
            Some(Command::Bottom) => self.select(usize::MAX),
            Some(Command::Leave) => return self.leave(),
            Some(Command::Filter) => return self.begin_filter(),
            Some(Command::Own) => return self.toggle_own(),
            Some(Command::Compare) => return self.compare(revision, reach),
            Some(Command::Show | Command::View | Command::Return) if !self.keeps_past() => {
                return Then::Say("Only comparing works here: a cluster keeps no past.".into());
            }
            Some(Command::Bookmark) if !self.keeps_past() => {
                return Then::Say("`timeline mark NAME` at the prompt keeps the present objects.".into());
            }
            Some(Command::Show) => return self.ask(Request::Change { revision }, reach),
            Some(Command::View) => return Then::Open(Box::new(Browser::at(revision))),
            Some(Command::Return) => return self.ask(Request::Undone { revision }, reach),
            Some(Command::Bookmark) => self.typing = Some(Typing::Name(revision, Field::default())),
            _ => (),
        }
        Then::Stay
    }

    /// Esc: one thing at a time.
    fn leave(&mut self) -> Then {
        if self.from.take().is_some() || !std::mem::take(&mut self.filter).is_empty() {
            return Then::Stay;
        }
        Then::Close
    }

    fn begin_filter(&mut self) -> Then {
        self.typing = Some(Typing::Filter(Field::of(&self.filter)));
        Then::Stay
    }

    fn toggle_own(&mut self) -> Then {
        self.own = !self.own;
        Then::Say(if self.own { "Only your own changes." } else { "All changes." }.into())
    }

    fn compare(&mut self, revision: u64, reach: &mut Reach<'_>) -> Then {
        match self.from.take() {
            None => {
                self.from = Some(revision);
                Then::Say(format!("Revision {revision} is one point. Choose the other and press c again; Esc drops it."))
            }
            Some(from) if from == revision => Then::Say("That is the same point.".into()),
            Some(from) => {
                let word = |revision: u64| self.word(revision);
                let (from, to) = (word(from.min(revision)), word(from.max(revision)));
                self.ask(Request::Compare { from, to }, reach)
            }
        }
    }

    /// A point as the lab takes it: where only bookmarks are kept, their names.
    fn word(&self, revision: u64) -> String {
        let mark = self.line.iter().flat_map(|line| &line.moments).find(|m| m.revision == revision).and_then(|m| m.mark.clone());
        match (self.keeps_past(), mark) {
            (false, Some(name)) => name,
            _ => revision.to_string(),
        }
    }

    fn type_key(&mut self, key: &KeyEvent, reach: &mut Reach<'_>) -> Then {
        let Some(typing) = &mut self.typing else { return Then::Stay };
        let field = match typing {
            Typing::Filter(field) | Typing::Name(_, field) => field,
        };
        match key.code {
            KeyCode::Esc => {
                if let Some(Typing::Filter(_)) = self.typing.take() {
                    self.filter.clear();
                }
            }
            KeyCode::Enter => match self.typing.take() {
                Some(Typing::Filter(field)) => self.filter = field.text().trim().to_string(),
                Some(Typing::Name(revision, field)) if !field.text().trim().is_empty() => {
                    let name = field.text().trim().to_string();
                    self.marking = Some(reach.ask(Request::Mark { revision, name }));
                }
                _ => (),
            },
            _ => field.key(key),
        }
        Then::Stay
    }

    fn detail_key(&mut self, key: &KeyEvent, command: Option<Command>, reach: &mut Reach<'_>) -> Then {
        let size = (usize::from(reach.size.width), usize::from(reach.size.height).saturating_sub(4));
        let lines = self.detail.as_ref().map_or(0, |detail| pages::lines(detail, size.0, Theme::PLAIN).len());
        let Some(detail) = &mut self.detail else { return Then::Stay };
        let (Detail::Change(_, scroll) | Detail::Compared(_, scroll) | Detail::Return(_, scroll)) = detail;
        if let Some(command) = command
            && scroll.moved(command, lines, size.1)
        {
            return Then::Stay;
        }
        match (&*detail, key.code, command) {
            (Detail::Return(undone, _), KeyCode::Char('y' | 'Y'), _) => {
                return Then::Run(format!("timeline return {} --yes", undone.revision));
            }
            (Detail::Return(..), KeyCode::Char('n' | 'N') | KeyCode::Enter, _) => self.detail = None,
            (Detail::Change(..), _, Some(Command::Newer | Command::Older)) => {
                let place = self.place();
                self.select(if command == Some(Command::Newer) { place.saturating_sub(1) } else { place + 1 });
                let revision = self.marked().map_or(0, |m| m.revision);
                return self.ask(Request::Change { revision }, reach);
            }
            (Detail::Change(told, _), _, Some(Command::View)) => {
                return Then::Open(Box::new(Browser::at(told.moment.revision)));
            }
            (Detail::Change(told, _), _, Some(Command::Return)) => {
                let revision = told.moment.revision;
                return self.ask(Request::Undone { revision }, reach);
            }
            (_, _, Some(Command::Leave | Command::Interrupt)) => self.detail = None,
            _ => (),
        }
        Then::Stay
    }

    fn listed(&mut self, answer: &Result<Answer, String>, reach: &mut Reach<'_>) {
        match answer {
            Ok(Answer::TimeLine(line)) => {
                self.trouble = None;
                let after = line.moments.last().map_or(0, |m| m.revision);
                let polls = line.past == Past::Kept;
                self.line = Some(line.clone());
                // Waits for the next change; ends with the lab.
                self.listing = polls.then(|| reach.ask(Request::TimeLine { last: LAST, after: Some(after) }));
            }
            Ok(_) => (),
            Err(sentence) => self.trouble = Some(sentence.clone()),
        }
    }
}

impl Over for TimeLineScreen {
    fn title(&self, _session: &Session) -> String {
        match &self.detail {
            None => "Time-line".into(),
            Some(Detail::Change(told, _)) => format!("Time-line > revision {}", told.moment.revision),
            Some(Detail::Compared(..)) => "Time-line > two points compared".into(),
            Some(Detail::Return(undone, _)) => format!("Time-line > return to revision {}", undone.revision),
        }
    }

    fn scope(&self) -> Scope {
        Scope::TimeLine
    }

    fn types(&self) -> bool {
        self.typing.is_some() || matches!(self.detail, Some(Detail::Return(..)))
    }

    fn offers(&self) -> Vec<Command> {
        use Command::{Bookmark, Compare, Filter, Help, Leave, Newer, Older, Own, Return, Show, View};
        match (&self.typing, &self.detail) {
            (Some(_), _) => vec![Leave],
            (_, Some(Detail::Change(..))) => vec![Leave, Older, Newer, View, Return, Help],
            (_, Some(_)) => vec![Leave, Help],
            _ if !self.keeps_past() => vec![Compare, Filter, Leave, Help],
            _ => vec![Show, View, Compare, Return, Bookmark, Filter, Own, Leave, Help],
        }
    }

    fn opened(&mut self, reach: &mut Reach<'_>) {
        self.listing = Some(reach.ask(Request::TimeLine { last: LAST, after: None }));
    }

    fn key(&mut self, key: &KeyEvent, command: Option<Command>, reach: &mut Reach<'_>) -> Then {
        match (&self.typing, &self.detail) {
            (Some(_), _) => self.type_key(key, reach),
            (_, Some(_)) => self.detail_key(key, command, reach),
            _ => self.list_key(command, reach),
        }
    }

    fn paste(&mut self, text: &str, _reach: &mut Reach<'_>) -> Then {
        if let Some(Typing::Filter(field) | Typing::Name(_, field)) = &mut self.typing {
            field.insert(text);
        }
        Then::Stay
    }

    fn answered(&mut self, id: AskId, answer: &Result<Answer, String>, reach: &mut Reach<'_>) -> bool {
        if self.listing == Some(id) {
            self.listing = None;
            self.listed(answer, reach);
            return true;
        }
        if self.marking == Some(id) {
            self.marking = None;
            if answer.is_ok() {
                self.listing = Some(reach.ask(Request::TimeLine { last: LAST, after: None }));
            }
            return answer.is_ok();
        }
        if self.waiting != Some(id) {
            return false;
        }
        self.waiting = None;
        match answer {
            Ok(Answer::Change(told)) => self.detail = Some(Detail::Change(told.clone(), Scroll(0))),
            Ok(Answer::Compare(found)) => self.detail = Some(Detail::Compared(found.clone(), Scroll(0))),
            Ok(Answer::Undone(undone)) => self.detail = Some(Detail::Return(undone.clone(), Scroll(0))),
            // The sentence is shown by whoever holds the screens.
            _ => return false,
        }
        true
    }

    fn draw(&self, _session: &Session, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
        draw::draw(self, area, theme, frame);
    }
}
