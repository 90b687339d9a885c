//! The resource browser: kinds, their objects as kubectl prints them, and what kubectl says about one. Reads only; what changes
//! something is a kubectl line that the learner sees at the prompt.

pub mod draw;

use super::keymap::{Command, Scope};
use super::over::{Over, Reach, Then};
use super::scroll::Scroll;
use super::theme::Theme;
use super::timeline::field::Field;
use crate::session::Session;
use crate::session::desk::browse::{KindRow, RowOf, Subject, Table, Text, View, Which};
use crate::session::desk::{Answer, AskId, Request};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;

/// How deep the learner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Kinds,
    Objects,
    Text,
}

/// What is typed at the foot.
#[derive(Debug)]
pub enum Typing {
    Filter(Field),
    /// Operands of `explain`, for a world of the past.
    Explain(Field),
}

/// A question whose safe answer is no, and the line that yes runs.
#[derive(Debug)]
pub struct Confirm {
    pub question: String,
    pub line: String,
}

/// The screen.
#[derive(Debug)]
pub struct Browser {
    /// The revision that is looked at; `None`: the world as it is.
    pub at: Option<u64>,
    pub level: Level,
    pub kinds: Option<Vec<KindRow>>,
    pub kind: Option<KindRow>,
    /// The namespace of commands that name none.
    pub home: String,
    pub everywhere: bool,
    pub table: Option<Table>,
    pub text: Option<Text>,
    pub view: View,
    pub follow: bool,
    pub scroll: Scroll,
    /// The marked row of the kinds, and of the objects: namespace and name.
    pub marked_kind: usize,
    pub marked: (String, String),
    /// The filter of each level.
    pub filters: [String; 3],
    pub typing: Option<Typing>,
    pub confirm: Option<Confirm>,
    pub trouble: Option<String>,
    /// The kind that was asked for, until the kinds are known.
    wanted: Option<String>,
    placing: Option<AskId>,
    listing: Option<AskId>,
    /// The newest question for a table or a text; answers to others are old.
    reading: Option<AskId>,
}

impl Browser {
    /// The world as it is; at once at a kind, if one is named.
    pub fn new(kind: &str) -> Browser {
        Browser {
            at: None,
            level: Level::Kinds,
            kinds: None,
            kind: None,
            home: "default".into(),
            everywhere: false,
            table: None,
            text: None,
            view: View::Describe,
            follow: true,
            scroll: Scroll(0),
            marked_kind: 0,
            marked: Default::default(),
            filters: Default::default(),
            typing: None,
            confirm: None,
            trouble: None,
            wanted: Some(kind.trim().to_lowercase()).filter(|kind| !kind.is_empty()),
            placing: None,
            listing: None,
            reading: None,
        }
    }

    /// The world as it was at a revision. Nothing can be changed there.
    pub fn at(revision: u64) -> Browser {
        Browser { at: Some(revision), everywhere: true, ..Browser::new("") }
    }

    fn depth(&self) -> usize {
        self.level as usize
    }

    /// The filter in force at this level.
    pub fn filter(&self) -> &str {
        match &self.typing {
            Some(Typing::Filter(field)) => field.text(),
            _ => &self.filters[self.depth()],
        }
    }

    fn passes(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.filter().split_whitespace().all(|word| text.contains(&word.to_lowercase()))
    }

    /// The kinds that pass the filter.
    pub fn kinds_shown(&self) -> Vec<&KindRow> {
        let all = self.kinds.iter().flatten();
        let passes = |kind: &&KindRow| self.passes(&format!("{} {} {}", kind.resource, kind.short, kind.kind));
        let mut shown: Vec<&KindRow> = all.filter(passes).collect();
        // `po` is the pods, though it stands in other words too.
        let wanted = self.filter().trim().to_lowercase();
        shown.sort_by_key(|kind| !named(kind, &wanted));
        shown
    }

    /// The objects that pass the filter.
    pub fn rows_shown(&self) -> Vec<&RowOf> {
        self.table.iter().flat_map(|table| &table.rows).filter(|row| self.passes(&row.text)).collect()
    }

    /// The lines of the text that pass the filter.
    pub fn lines_shown(&self) -> Vec<&str> {
        self.text.iter().flat_map(|text| &text.lines).map(String::as_str).filter(|line| self.passes(line)).collect()
    }

    /// The place of the marked row at this level.
    pub fn place(&self) -> usize {
        match self.level {
            Level::Kinds => self.marked_kind.min(self.kinds_shown().len().saturating_sub(1)),
            _ => {
                let is = |row: &&RowOf| (&row.namespace, &row.name) == (&self.marked.0, &self.marked.1);
                self.rows_shown().iter().position(is).unwrap_or(0)
            }
        }
    }

    /// The marked object.
    pub fn row(&self) -> Option<RowOf> {
        self.rows_shown().get(self.place()).map(|row| (*row).clone())
    }

    fn select(&mut self, place: usize) {
        match self.level {
            Level::Kinds => self.marked_kind = place.min(self.kinds_shown().len().saturating_sub(1)),
            _ => {
                let rows = self.rows_shown();
                let Some(row) = rows.get(place.min(rows.len().saturating_sub(1))) else { return };
                self.marked = (row.namespace.clone(), row.name.clone());
            }
        }
    }

    fn moved(&mut self, command: Command, height: usize) -> bool {
        if self.level == Level::Text {
            let lines = self.lines_shown().len();
            let moved = self.scroll.moved(command, lines, height);
            if moved {
                self.follow = command == Command::Bottom;
            }
            return moved;
        }
        let place = self.place();
        let page = height.saturating_sub(2).max(1);
        match command {
            Command::Up => self.select(place.saturating_sub(1)),
            Command::Down => self.select(place + 1),
            Command::PageUp => self.select(place.saturating_sub(page)),
            Command::PageDown => self.select(place + page),
            Command::Top => self.select(0),
            Command::Bottom => self.select(usize::MAX),
            _ => return false,
        }
        true
    }

    fn which(&self) -> Option<Which> {
        let kind = self.kind.as_ref()?;
        let all = self.everywhere || !kind.namespaced;
        Some(Which { resource: kind.resource.clone(), namespace: (!all).then(|| self.home.clone()), at: self.at })
    }

    fn subject(&self) -> Option<Subject> {
        let (kind, row) = (self.kind.as_ref()?, self.row()?);
        let namespace = if kind.namespaced { row.namespace } else { String::new() };
        Some(Subject { resource: kind.resource.clone(), namespace, name: row.name, at: self.at })
    }

    fn open_kind(&mut self, kind: KindRow, reach: &mut Reach<'_>) {
        self.kind = Some(kind);
        self.level = Level::Objects;
        self.filters[1].clear();
        self.marked = Default::default();
        self.read_table(reach);
    }

    fn read_table(&mut self, reach: &mut Reach<'_>) {
        self.table = None;
        self.trouble = None;
        self.read_again(reach);
    }

    fn open_text(&mut self, view: View, reach: &mut Reach<'_>) -> Then {
        if self.row().is_none() {
            return Then::Say("No object is marked.".into());
        }
        self.follow = matches!(view, View::Logs { .. });
        self.view = view;
        self.level = Level::Text;
        self.filters[2].clear();
        self.scroll = Scroll(0);
        self.text = None;
        self.read_text(reach);
        Then::Stay
    }

    fn read_text(&mut self, reach: &mut Reach<'_>) {
        let view = self.view.clone();
        self.reading = self.subject().map(|subject| reach.ask(Request::Read { subject, view, seen: None }));
    }

    fn logs(&mut self, previous: bool, reach: &mut Reach<'_>) -> Then {
        let is_pod = self.kind.as_ref().is_some_and(|kind| kind.kind == "Pod");
        if !is_pod {
            return Then::Say("Logs are of pods: open the pods first.".into());
        }
        let container = match (&self.view, self.level) {
            (View::Logs { container, .. }, Level::Text) => container.clone(),
            _ => String::new(),
        };
        self.open_text(View::Logs { container, previous }, reach)
    }

    fn next_container(&mut self, reach: &mut Reach<'_>) -> Then {
        let View::Logs { container, previous } = self.view.clone() else {
            return Then::Say("c chooses a container in a log.".into());
        };
        let all = self.text.as_ref().map(|text| text.containers.clone()).unwrap_or_default();
        let here = all.iter().position(|name| *name == container).unwrap_or(0);
        match all.get((here + 1) % all.len().max(1)) {
            Some(next) if all.len() > 1 => {
                let container = next.clone();
                self.open_text(View::Logs { container, previous }, reach)
            }
            _ => Then::Say("The pod has one container.".into()),
        }
    }

    /// A line that changes something: asked about first, then run at the prompt, where it is seen.
    fn change(&mut self, verb: &str, question: &str) -> Then {
        if self.at.is_some() {
            return Then::Say("The past is read-only.".into());
        }
        let Some(subject) = self.subject() else { return Then::Say("No object is marked.".into()) };
        let namespace = if subject.namespace.is_empty() { String::new() } else { format!(" -n {}", subject.namespace) };
        let line = format!("kubectl {verb} {} {}{namespace}", subject.resource, subject.name);
        let kind = self.kind.as_ref().map_or("", |kind| kind.kind.as_str());
        let place = if subject.namespace.is_empty() { subject.name } else { format!("{}/{}", subject.namespace, subject.name) };
        self.confirm = Some(Confirm { question: format!("{question} {kind} {place}?"), line });
        Then::Stay
    }

    fn type_key(&mut self, key: &KeyEvent) -> Then {
        let depth = self.depth();
        match (key.code, &mut self.typing) {
            (KeyCode::Esc, _) => {
                if let Some(Typing::Filter(_)) = self.typing.take() {
                    self.filters[depth].clear();
                }
            }
            (KeyCode::Enter, _) => match self.typing.take() {
                Some(Typing::Filter(field)) => self.filters[depth] = field.text().trim().to_string(),
                Some(Typing::Explain(field)) if !field.text().trim().is_empty() => {
                    let at = self.at.unwrap_or(0);
                    return Then::Run(format!("timeline at {at} explain {}", field.text().trim()));
                }
                _ => (),
            },
            (_, Some(Typing::Filter(field) | Typing::Explain(field))) => field.key(key),
            _ => (),
        }
        Then::Stay
    }

    fn confirm_key(&mut self, key: &KeyEvent) -> Then {
        match (key.code, self.confirm.take()) {
            (KeyCode::Char('y' | 'Y'), Some(confirm)) => Then::Run(confirm.line),
            (KeyCode::Char('n' | 'N') | KeyCode::Esc | KeyCode::Enter, _) => Then::Say("Nothing was changed.".into()),
            (_, confirm) => {
                self.confirm = confirm;
                Then::Stay
            }
        }
    }

    /// Esc: a filter first, then one level up.
    fn leave(&mut self) -> Then {
        let depth = self.depth();
        if !std::mem::take(&mut self.filters[depth]).is_empty() {
            return Then::Stay;
        }
        self.reading = None;
        self.trouble = None;
        match self.level {
            Level::Text => self.level = Level::Objects,
            Level::Objects => self.level = Level::Kinds,
            Level::Kinds => return Then::Close,
        }
        Then::Stay
    }

    fn command(&mut self, command: Command, reach: &mut Reach<'_>) -> Then {
        match (command, self.level) {
            (Command::Leave, _) => {
                let then = self.leave();
                if self.level == Level::Objects && matches!(then, Then::Stay) && self.reading.is_none() {
                    self.read_again(reach);
                }
                return then;
            }
            (Command::Filter, _) => self.typing = Some(Typing::Filter(Field::of(&self.filters[self.depth()]))),
            (Command::Explain, _) if self.at.is_some() => self.typing = Some(Typing::Explain(Field::default())),
            (Command::Explain, _) => return Then::Say("`explain [FROM] URL` at the prompt traces a request of now.".into()),
            (Command::Show, Level::Kinds) => {
                let kind = self.kinds_shown().get(self.place()).map(|kind| (*kind).clone());
                if let Some(kind) = kind {
                    self.open_kind(kind, reach);
                }
            }
            (_, Level::Kinds) => (),
            (Command::Namespaces, Level::Objects) => {
                self.everywhere = !self.everywhere;
                self.read_table(reach);
            }
            (Command::Show, Level::Objects) | (Command::Describe, _) => return self.open_text(View::Describe, reach),
            (Command::Yaml, _) => return self.open_text(View::Yaml, reach),
            (Command::Events, _) => return self.open_text(View::Events, reach),
            (Command::Logs, _) => return self.logs(false, reach),
            (Command::PreviousLog, _) => return self.logs(true, reach),
            (Command::Container, _) => return self.next_container(reach),
            (Command::Follow, Level::Text) => self.follow = !self.follow,
            (Command::Delete, _) => return self.change("delete", "Delete"),
            (Command::EditObject, _) => return self.change("edit", "Edit"),
            _ => (),
        }
        Then::Stay
    }

    /// Looks at the table again, with what is shown in place until the answer is there.
    fn read_again(&mut self, reach: &mut Reach<'_>) {
        self.reading = self.which().map(|which| reach.ask(Request::Table { which, seen: None }));
    }

    fn listed(&mut self, answer: &Result<Answer, String>, reach: &mut Reach<'_>) {
        match answer {
            Ok(Answer::Kinds(kinds)) => {
                self.kinds = Some(kinds.clone());
                let Some(wanted) = self.wanted.take() else { return };
                match kinds.iter().position(|kind| named(kind, &wanted)) {
                    Some(place) => {
                        self.marked_kind = place;
                        self.open_kind(kinds[place].clone(), reach);
                    }
                    None => self.trouble = Some(format!("The server has no kind {wanted}; here are all that it has.")),
                }
            }
            Ok(_) => (),
            Err(sentence) => self.trouble = Some(sentence.clone()),
        }
    }

    /// Takes a table or a text, and asks to be told when it changes.
    fn read(&mut self, answer: &Result<Answer, String>, reach: &mut Reach<'_>) {
        match answer {
            Ok(Answer::Table(table)) => {
                self.table = Some((**table).clone());
                if self.rows_shown().iter().all(|row| (&row.namespace, &row.name) != (&self.marked.0, &self.marked.1)) {
                    self.select(0);
                }
                let again = self.which().filter(|_| self.at.is_none() && self.level == Level::Objects);
                self.reading = again.map(|which| reach.ask(Request::Table { which, seen: Some(table.clone()) }));
            }
            Ok(Answer::Read(text)) => {
                if let (View::Logs { container, .. }, Some(first)) = (&mut self.view, text.containers.first())
                    && container.is_empty()
                {
                    container.clone_from(first);
                }
                self.text = Some((**text).clone());
                let again = self.subject().filter(|_| self.at.is_none() && self.level == Level::Text);
                let view = self.view.clone();
                self.reading = again.map(|subject| reach.ask(Request::Read { subject, view, seen: Some(text.clone()) }));
            }
            Ok(_) => (),
            Err(sentence) => self.trouble = Some(sentence.clone()),
        }
    }
}

/// Whether a word is a kind's name: plural, with its group, singular, or a short name.
fn named(kind: &KindRow, word: &str) -> bool {
    let plural = kind.resource.split('.').next().unwrap_or("");
    [kind.resource.as_str(), plural, &kind.kind.to_lowercase()].contains(&word)
        || kind.short.split(',').any(|short| !short.is_empty() && short == word)
}

impl Over for Browser {
    fn title(&self, _session: &Session) -> String {
        let mut path = vec![match self.at {
            Some(revision) => format!("Objects at {revision}"),
            None => "Objects".to_string(),
        }];
        if self.level != Level::Kinds {
            let kind = self.kind.as_ref().map_or("", |kind| kind.resource.split('.').next().unwrap_or(""));
            path.push(kind.to_string());
        }
        if let (Level::Text, Some(row)) = (self.level, self.row()) {
            path.push(row.name);
            path.push(draw::view_name(&self.view));
        }
        path.join(" > ")
    }

    fn scope(&self) -> Scope {
        Scope::Browser
    }

    fn types(&self) -> bool {
        self.typing.is_some() || self.confirm.is_some()
    }

    fn offers(&self) -> Vec<Command> {
        use Command::{Container, Delete, Describe, EditObject, Events, Explain, Filter, Follow, Help, Leave, Logs};
        use Command::{Namespaces, PreviousLog, Show, Yaml};
        let past = self.at.is_some();
        let is_pod = self.kind.as_ref().is_some_and(|kind| kind.kind == "Pod");
        let mut offers = match self.level {
            _ if self.types() => return vec![Leave],
            Level::Kinds => vec![Show, Filter, Leave],
            Level::Objects if is_pod => vec![Show, Yaml, Events, Logs, PreviousLog, Namespaces, Filter],
            Level::Objects => vec![Show, Yaml, Events, Namespaces, Filter],
            Level::Text if matches!(self.view, View::Logs { .. }) => vec![Follow, Container, PreviousLog, Filter, Leave],
            Level::Text => vec![Describe, Yaml, Events, Filter, Leave],
        };
        if self.level == Level::Objects {
            offers.extend(if past { vec![] } else { vec![EditObject, Delete] });
            offers.push(Leave);
        }
        offers.extend(past.then_some(Explain));
        offers.push(Help);
        offers
    }

    fn opened(&mut self, reach: &mut Reach<'_>) {
        self.placing = Some(reach.ask(Request::Place));
        self.listing = Some(reach.ask(Request::Kinds { at: self.at }));
    }

    fn key(&mut self, key: &KeyEvent, command: Option<Command>, reach: &mut Reach<'_>) -> Then {
        if self.confirm.is_some() {
            return self.confirm_key(key);
        }
        if self.typing.is_some() {
            return self.type_key(key);
        }
        let Some(command) = command else { return Then::Stay };
        let height = usize::from(reach.size.height).saturating_sub(5);
        match self.moved(command, height) {
            true => Then::Stay,
            false => self.command(command, reach),
        }
    }

    fn paste(&mut self, text: &str, _reach: &mut Reach<'_>) -> Then {
        if let Some(Typing::Filter(field) | Typing::Explain(field)) = &mut self.typing {
            field.insert(text);
        }
        Then::Stay
    }

    fn answered(&mut self, id: AskId, answer: &Result<Answer, String>, reach: &mut Reach<'_>) -> bool {
        if self.placing == Some(id) {
            self.placing = None;
            if let Ok(Answer::Place(place)) = answer
                && !place.namespace.is_empty()
            {
                self.home = place.namespace.clone();
            }
            return true;
        }
        if self.listing == Some(id) {
            self.listing = None;
            self.listed(answer, reach);
            return true;
        }
        if self.reading == Some(id) {
            self.reading = None;
            self.read(answer, reach);
            return true;
        }
        matches!(answer, Ok(Answer::Table(_) | Answer::Read(_)))
    }

    fn draw(&self, _session: &Session, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
        draw::draw(self, area, theme, frame);
    }
}
