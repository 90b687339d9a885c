//! The manifest editor: a screen over the lesson's. Knows nothing of clusters: what is wrong, what fits and what a change would do it
//! asks the lab; what is written is kept as a draft until it is saved.

pub mod buffer;
pub mod colors;
pub mod complete;
mod draw;
mod keys;
mod lab;
mod menu;

use super::editor::Reply;
use super::keymap::{Command, Scope};
use super::over::{Over, Reach, Then};
use super::theme::Theme;
use crate::k8s::shape::Shape;
use crate::session::Session;
use crate::session::desk::manifest::{Checked, Names, Problem};
use crate::session::desk::{Answer, AskId};
use buffer::Buffer;
use crossterm::event::KeyEvent;
use menu::Menu;
use ratatui::Frame;
use ratatui::layout::Rect;
use std::collections::BTreeMap;

/// Whose text it is.
pub enum Origin {
    /// A file of the lab's folder.
    File,
    /// A command waits for it (`kubectl edit`); answered once.
    Command(Option<Reply>),
}

/// What follows when a file was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Stay,
    Close,
    Preview,
}

/// A text that is being written.
pub struct Editor {
    name: String,
    origin: Origin,
    buffer: Buffer,
    /// What is in the file.
    saved: String,
    menu: Menu,
    /// What was searched for last.
    wanted: String,
    /// The first row that is shown.
    top: usize,
    opening: Option<AskId>,
    saving: Option<(AskId, After, String)>,
    checked: Option<(u64, Checked)>,
    checking: Option<(AskId, u64)>,
    /// The revision whose draft is kept.
    drafted: u64,
    shapes: BTreeMap<(String, String), Option<Box<Shape>>>,
    shaping: Vec<(AskId, (String, String))>,
    names: Names,
    naming: Option<AskId>,
    /// Ctrl-X was pressed: Ctrl-E may follow.
    chord: bool,
    /// What is to happen once an answer came.
    next: Option<Then>,
    /// The kind whose template goes in once the file is read.
    put_in: Option<&'static str>,
}

impl Editor {
    /// A file of the lab's folder; it is read when the screen opens.
    pub fn file(name: &str) -> Editor {
        Editor::new(name, "", Origin::File)
    }

    /// A new file, or one that goes on, with a template put in once it is read.
    pub fn template_of(kind: &'static str) -> Editor {
        let name = format!("{}.yaml", kind.to_lowercase());
        let mut editor = Editor::file(&name);
        editor.put_in = Some(kind);
        editor
    }

    /// A text that a command wants edited.
    pub fn command(name: &str, text: &str, reply: Reply) -> Editor {
        Editor::new(name, text, Origin::Command(Some(reply)))
    }

    fn new(name: &str, text: &str, origin: Origin) -> Editor {
        Editor {
            name: name.into(),
            origin,
            buffer: Buffer::of(text),
            saved: text.into(),
            menu: Menu::None,
            wanted: String::new(),
            top: 0,
            opening: None,
            saving: None,
            checked: None,
            checking: None,
            drafted: 0,
            shapes: BTreeMap::new(),
            shaping: Vec::new(),
            names: Names::default(),
            naming: None,
            chord: false,
            next: None,
            put_in: None,
        }
    }

    fn is_changed(&self) -> bool {
        self.buffer.revision > 0 && !self.buffer.is(&self.saved)
    }

    /// What is wrong, as the server said last.
    fn problems(&self) -> &[Problem] {
        self.checked.as_ref().map_or(&[], |(_, checked)| checked.problems.as_slice())
    }

    /// The first problem of the cursor's line, else the first of all.
    fn problem(&self) -> Option<&Problem> {
        let line = self.buffer.cursor().0 + 1;
        self.problems().iter().find(|p| p.line == line).or(self.problems().first())
    }
}

/// A screen that goes without an answer leaves the text as it was: the command that waits is told so.
impl Drop for Editor {
    fn drop(&mut self) {
        let text = std::mem::take(&mut self.saved);
        self.give(text);
    }
}

impl Over for Editor {
    fn title(&self, _session: &Session) -> String {
        let state = match (self.opening.is_some(), self.is_changed()) {
            (true, _) => "opening",
            (_, true) => "changed",
            _ => "",
        };
        format!("edit {}  {state}", self.name).trim_end().to_string()
    }

    fn scope(&self) -> Scope {
        Scope::Editor
    }

    fn types(&self) -> bool {
        true
    }

    fn offers(&self) -> Vec<Command> {
        let apply = if matches!(self.origin, Origin::File) { Command::PreviewChange } else { Command::Complete };
        vec![
            Command::Help,
            Command::Save,
            apply,
            Command::Complete,
            Command::NextProblem,
            Command::Template,
            Command::Find,
            Command::CloseEditor,
        ]
    }

    fn opened(&mut self, reach: &mut Reach<'_>) {
        self.open(reach);
    }

    fn holds(&self) -> Option<String> {
        let what = &self.name;
        self.is_changed()
            .then(|| format!("{what} has changes that are not saved: Ctrl-S saves them, Esc asks what to do with them."))
    }

    fn key(&mut self, key: &KeyEvent, command: Option<Command>, reach: &mut Reach<'_>) -> Then {
        let then = self.press(key, command, reach);
        self.settle(reach);
        then
    }

    fn paste(&mut self, text: &str, reach: &mut Reach<'_>) -> Then {
        let then = self.pasted(text);
        self.settle(reach);
        then
    }

    fn answered(&mut self, id: AskId, answer: &Result<Answer, String>, reach: &mut Reach<'_>) -> bool {
        let taken = self.take_answer(id, answer);
        if taken {
            self.settle(reach);
        }
        taken
    }

    fn next(&mut self) -> Then {
        self.next.take().unwrap_or(Then::Stay)
    }

    fn edited(&mut self, result: Result<String, String>, reach: &mut Reach<'_>) -> Then {
        let then = self.came_back(result);
        self.settle(reach);
        then
    }

    fn draw(&self, _session: &Session, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
        draw::draw(self, area, theme, frame);
    }
}
