//! Keys of the editor.

use super::complete::{Candidate, Wants, candidates, spot};
use super::draw;
use super::menu::Menu;
use super::{After, Editor, Origin};
use crate::k8s::templates;
use crate::session::desk::Request;
use crate::tui::keymap::Command;
use crate::tui::manifest::buffer::Buffer;
use crate::tui::over::{Reach, Then};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Size;

const FULL: &str = "That does not fit: the editor takes 4 MiB and 60,000 lines. Nothing was changed.";

impl Editor {
    pub(super) fn press(&mut self, key: &KeyEvent, command: Option<Command>, reach: &mut Reach<'_>) -> Then {
        if self.opening.is_some() {
            return if key.code == KeyCode::Esc { Then::Close } else { Then::Stay };
        }
        if std::mem::take(&mut self.chord) && key.code == KeyCode::Char('e') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return self.elsewhere();
        }
        if let Some(then) = self.menu_key(key, command, reach) {
            return then;
        }
        match command {
            Some(Command::Save) => self.save(After::Stay, reach),
            Some(Command::PreviewChange) => self.preview(reach),
            Some(Command::External) => self.elsewhere(),
            Some(Command::Complete) => self.complete(true),
            Some(Command::Template) => self.menu(Menu::Templates { at: 0 }),
            Some(Command::Find) => self.menu(Menu::Find { text: String::new() }),
            Some(Command::FindNext) => self.find(),
            Some(Command::NextProblem) => self.next_problem(),
            Some(Command::Undo) if !self.buffer.undo() => Then::Say("Nothing is left to undo.".into()),
            Some(Command::Redo) if !self.buffer.redo() => Then::Say("Nothing is left to do again.".into()),
            Some(Command::CloseEditor) => self.leave(),
            Some(Command::Undo | Command::Redo) => Then::Stay,
            _ => self.text_key(key, reach.size),
        }
    }

    fn menu(&mut self, menu: Menu) -> Then {
        self.menu = menu;
        Then::Stay
    }

    /// A key while something lies over the text; `None` when it is the text's.
    fn menu_key(&mut self, key: &KeyEvent, command: Option<Command>, reach: &mut Reach<'_>) -> Option<Then> {
        let plain = !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        match (&mut self.menu, key.code) {
            (Menu::None, _) => return None,
            (Menu::Find { .. }, _) => return Some(self.find_key(key, command)),
            (Menu::Leaving, KeyCode::Char('s' | 'y')) => {
                self.menu = Menu::None;
                return Some(self.save(After::Close, reach));
            }
            (Menu::Leaving, KeyCode::Char('d')) => {
                reach.ask(Request::KeepDraft { name: self.name.clone(), text: None });
                return Some(Then::Close);
            }
            (Menu::Draft { text }, KeyCode::Char('y')) => {
                let draft = Buffer::of(text);
                self.buffer = Buffer::of(&self.saved);
                self.buffer.replace_all(&draft.text());
                return Some(self.menu(Menu::None));
            }
            (Menu::Draft { .. }, KeyCode::Char('n')) => {
                reach.ask(Request::KeepDraft { name: self.name.clone(), text: None });
                return Some(self.menu(Menu::None));
            }
            (Menu::Draft { .. }, KeyCode::Esc) => return Some(Then::Close),
            (_, KeyCode::Esc) => return Some(self.menu(Menu::None)),
            (Menu::Leaving | Menu::Draft { .. }, _) => return Some(Then::Stay),
            (Menu::Complete { .. } | Menu::Templates { .. }, KeyCode::Up) => self.menu.step(-1),
            (Menu::Complete { .. } | Menu::Templates { .. }, KeyCode::Down) => self.menu.step(1),
            (Menu::Complete { found, at, .. }, KeyCode::Tab) => {
                let taken = found.get(*at).cloned();
                return Some(self.take(taken));
            }
            (Menu::Complete { found, at, chosen: true }, KeyCode::Enter) => {
                let taken = found.get(*at).cloned();
                return Some(self.take(taken));
            }
            (Menu::Complete { .. }, KeyCode::Char(_) | KeyCode::Backspace) if plain => {
                self.text_key(key, reach.size);
                return Some(self.complete(false));
            }
            (Menu::Complete { .. }, _) => {
                self.menu = Menu::None;
                return None;
            }
            (Menu::Templates { at }, KeyCode::Enter | KeyCode::Tab) => {
                let kind = templates::kinds().get(*at).copied().unwrap_or("");
                return Some(self.template(kind));
            }
            (Menu::Templates { .. }, _) => (),
        }
        Some(Then::Stay)
    }

    fn find_key(&mut self, key: &KeyEvent, command: Option<Command>) -> Then {
        let Menu::Find { text } = &mut self.menu else { return Then::Stay };
        match key.code {
            KeyCode::Esc => self.menu = Menu::None,
            KeyCode::Enter => {
                self.wanted = std::mem::take(text);
                self.menu = Menu::None;
                return self.find();
            }
            KeyCode::Backspace => drop(text.pop()),
            KeyCode::Char(c) if command.is_none() && text.len() < 200 => text.push(c),
            _ => (),
        }
        Then::Stay
    }

    fn find(&mut self) -> Then {
        let wanted = self.wanted.clone();
        match (wanted.is_empty(), self.buffer.find(&wanted, false)) {
            (true, _) => self.menu(Menu::Find { text: String::new() }),
            (_, true) => Then::Stay,
            (_, false) => Then::Say(format!("`{wanted}` is nowhere in this text.")),
        }
    }

    /// A key that the text takes.
    fn text_key(&mut self, key: &KeyEvent, size: Size) -> Then {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let page = draw::rows(size).max(2) as isize - 1;
        let mut fits = true;
        match key.code {
            KeyCode::Char('x') if control => self.chord = true,
            KeyCode::Char('k') if control => self.buffer.kill(),
            KeyCode::Char('y') if control => self.buffer.yank(),
            KeyCode::Char('w') if control => self.buffer.delete_word(),
            KeyCode::Char('a') if control => self.buffer.home(),
            KeyCode::Char('e') if control => self.buffer.end(),
            KeyCode::Char('c') if control => {
                return Then::Say("Esc closes the editor; it asks when something is not saved.".into());
            }
            KeyCode::Char(_) if control || key.modifiers.contains(KeyModifiers::ALT) => (),
            KeyCode::Char(c) => fits = self.typed(c),
            KeyCode::Enter => fits = self.buffer.newline(),
            KeyCode::Backspace => self.buffer.backspace(),
            KeyCode::Delete => self.buffer.delete(),
            KeyCode::Tab => fits = self.tab(),
            KeyCode::Left if control => self.buffer.word_left(),
            KeyCode::Right if control => self.buffer.word_right(),
            KeyCode::Left => self.buffer.left(),
            KeyCode::Right => self.buffer.right(),
            KeyCode::Up => self.buffer.rows(-1),
            KeyCode::Down => self.buffer.rows(1),
            KeyCode::PageUp => self.buffer.rows(-page),
            KeyCode::PageDown => self.buffer.rows(page),
            KeyCode::Home if control => self.buffer.go(0, 0),
            KeyCode::End if control => self.buffer.go(usize::MAX, usize::MAX),
            KeyCode::Home => self.buffer.home(),
            KeyCode::End => self.buffer.end(),
            _ => (),
        }
        if fits { Then::Stay } else { Then::Say(FULL.into()) }
    }

    /// A character: on a blank it takes the blank's place. Completion opens by itself where a word begins.
    fn typed(&mut self, c: char) -> bool {
        if self.buffer.blank_here().is_some() && c != '<' {
            self.buffer.fill_blank(&c.to_string());
            return true;
        }
        let fits = self.buffer.insert(&c.to_string());
        if c.is_alphanumeric() && self.menu == Menu::None {
            self.complete(false);
        }
        fits
    }

    /// Tab: the next blank where one is open; else two spaces in the indentation, completion behind a word.
    fn tab(&mut self) -> bool {
        let before = self.buffer.before();
        if !before.trim().is_empty() && self.buffer.next_blank() {
            return true;
        }
        if before.trim().is_empty() || before.ends_with(' ') {
            if before.trim().is_empty() && self.buffer.line().trim().is_empty() && self.buffer.next_blank() {
                return true;
            }
            return self.buffer.insert("  ");
        }
        self.complete(true);
        true
    }

    pub(super) fn pasted(&mut self, text: &str) -> Then {
        if let Menu::Find { text: wanted } = &mut self.menu {
            wanted.push_str(text.lines().next().unwrap_or(""));
            return Then::Stay;
        }
        if !matches!(self.menu, Menu::None | Menu::Complete { .. }) || self.opening.is_some() {
            return Then::Stay;
        }
        self.menu = Menu::None;
        let lines = text.lines().count();
        match self.buffer.insert(text) {
            false => Then::Say(FULL.into()),
            true if lines > 1 => Then::Say(format!("{lines} lines were pasted as one edit; Ctrl-U takes it back.")),
            true => Then::Stay,
        }
    }

    /// Opens the list of what fits at the cursor. `asked`: by key, so that nothing found is told.
    fn complete(&mut self, asked: bool) -> Then {
        let (row, column) = self.buffer.cursor();
        let here = spot(self.buffer.lines(), row, column);
        let shape = self.shapes.get(&(here.api_version.clone(), here.kind.clone())).and_then(Option::as_deref);
        let found = candidates(&here, shape, &self.names);
        self.menu = match found.is_empty() {
            true => Menu::None,
            false => Menu::Complete { found, at: 0, chosen: false },
        };
        match self.menu == Menu::None && asked {
            true => Then::Say(nothing_fits(here.wants, &here.kind, shape.is_some())),
            false => Then::Stay,
        }
    }

    fn take(&mut self, candidate: Option<Candidate>) -> Then {
        let (row, column) = self.buffer.cursor();
        let typed = spot(self.buffer.lines(), row, column).typed;
        self.menu = Menu::None;
        if let Some(candidate) = candidate {
            self.buffer.replace_before(typed.chars().count(), &candidate.insert);
        }
        Then::Stay
    }

    /// Puts a template in: as a document of its own where something is written already.
    pub(super) fn template(&mut self, kind: &str) -> Then {
        self.menu = Menu::None;
        let Some(text) = templates::find(kind) else { return Then::Stay };
        let empty = self.buffer.text().trim().is_empty();
        self.buffer.go(usize::MAX, usize::MAX);
        let text = text.trim_end();
        let fits = match (empty, self.buffer.line().is_empty()) {
            (true, _) => self.buffer.insert(text),
            (false, true) => self.buffer.insert(&format!("---\n{text}")),
            (false, false) => self.buffer.insert(&format!("\n---\n{text}")),
        };
        if !fits {
            return Then::Say(FULL.into());
        }
        let first = self.buffer.cursor().0 + 1 - text.lines().count();
        self.buffer.go(first, 0);
        self.buffer.next_blank();
        Then::Say("Type over a blank; Tab goes to the next one.".into())
    }

    fn next_problem(&mut self) -> Then {
        let (row, _) = self.buffer.cursor();
        let problems = self.problems();
        let next = problems.iter().find(|p| p.line > row + 1).or(problems.first());
        match next.map(|p| (p.line, p.column)) {
            Some((line, column)) => {
                self.buffer.go(line.saturating_sub(1), column.saturating_sub(1));
                Then::Stay
            }
            None if self.checking.is_some() => Then::Say("Still being checked ..".into()),
            None => Then::Say("Nothing is wrong that the server knows of.".into()),
        }
    }

    /// Writes the file, or hands the text to the command that waits for it.
    fn save(&mut self, after: After, reach: &mut Reach<'_>) -> Then {
        match self.origin {
            Origin::File => {
                self.write(after, reach);
                Then::Stay
            }
            Origin::Command(_) => {
                self.give(self.buffer.text());
                Then::Close
            }
        }
    }

    /// Gives a text to the command that waits for one, if it still does.
    pub(super) fn give(&mut self, text: String) {
        if let Origin::Command(reply) = &mut self.origin
            && let Some(reply) = reply.take()
        {
            reply.give(Ok(text));
        }
    }

    fn preview(&mut self, reach: &mut Reach<'_>) -> Then {
        match self.origin {
            Origin::File => {
                self.write(After::Preview, reach);
                Then::Stay
            }
            Origin::Command(_) => Then::Say("Ctrl-S hands the text to the command that waits for it, which applies it.".into()),
        }
    }

    fn leave(&mut self) -> Then {
        match self.is_changed() {
            true => self.menu(Menu::Leaving),
            false => Then::Close,
        }
    }

    /// The learner's own editor on the text as it is.
    fn elsewhere(&mut self) -> Then {
        Then::Edit { name: self.name.clone(), text: self.buffer.text() }
    }

    pub(super) fn came_back(&mut self, result: Result<String, String>) -> Then {
        match result {
            Err(sentence) => return Then::Say(sentence),
            Ok(text) if self.buffer.is(&text) => return Then::Stay,
            Ok(text) => {
                if !self.buffer.replace_all(&text) {
                    return Then::Say(FULL.into());
                }
            }
        }
        Then::Say("The text came back from your editor; it is not saved yet.".into())
    }

    /// Keeps the cursor in the window.
    pub(super) fn follow(&mut self, size: Size) {
        self.top = draw::window(self.top, self.buffer.cursor().0, draw::rows(size));
    }
}

fn nothing_fits(wants: Wants, kind: &str, known: bool) -> String {
    match (wants, kind.is_empty(), known) {
        (Wants::Nothing, ..) => "Nothing is completed in comments and texts.".into(),
        (_, true, _) => "Write `kind:` and `apiVersion:` first; Ctrl-T has templates.".into(),
        (_, _, false) => format!("The server has not told the fields of {kind} (yet)."),
        _ => "Nothing more fits here; look at the indentation if something is missing.".into(),
    }
}
