//! The pile of screens over a lesson's: who gets keys, pastes, answers and events, and what becomes of what they want.

use super::LessonScreen;
use super::typing::Want;
use crate::session::Event;
use crate::session::desk::{Answer, AskId, Request};
use crate::session::own_shell::ShellNews;
use crate::tui::editor::Job;
use crate::tui::keymap::{Command, Scope};
use crate::tui::manifest::Editor;
use crate::tui::over::{self, Over, Reach, Then};
use crate::tui::shell::Shell;
use crossterm::event::KeyEvent;

impl LessonScreen {
    /// Lays a screen over what is there.
    pub fn lay(&mut self, mut over: Box<dyn Over>) {
        self.view.notice = None;
        over.opened(&mut self.reach());
        self.over.push(over);
    }

    /// Gives the top screen a key. False when there is none.
    pub(super) fn over_key(&mut self, key: &KeyEvent) -> bool {
        let Some(mut top) = self.over.pop() else { return false };
        self.view.notice = None;
        let command = over::command(&*top, key);
        let mine = match command {
            Some(Command::Help) => self.sheet.replace(crate::tui::help::Sheet::Keys).is_none(),
            Some(Command::CommandLine) => {
                self.wants.push(Want::CommandLine);
                true
            }
            _ => false,
        };
        if mine {
            self.over.push(top);
            return true;
        }
        let then = top.key(key, command, &mut self.reach());
        self.after_over(top, then);
        true
    }

    /// Gives the top screen a command by its word.
    pub(super) fn said_to_top(&mut self, command: Command) {
        let Some(mut top) = self.over.pop() else { return };
        let then = top.said(command, &mut self.reach());
        self.after_over(top, then);
    }

    /// Asks the lab something; its number.
    pub(super) fn ask(&mut self, request: Request) -> AskId {
        self.reach().ask(request)
    }

    /// Gives the top screen a paste. False when there is none.
    pub(super) fn over_paste(&mut self, text: &str) -> bool {
        let Some(mut top) = self.over.pop() else { return false };
        let then = top.paste(text, &mut self.reach());
        self.after_over(top, then);
        true
    }

    fn after_over(&mut self, top: Box<dyn Over>, then: Then) {
        match then {
            Then::Stay => self.over.push(top),
            Then::Close => (),
            Then::Hide => self.kept = Some(top),
            Then::Run(line) => match self.uncover() {
                true => self.run(line),
                false => self.over.push(top),
            },
            Then::Open(another) => {
                self.over.push(top);
                self.lay(another);
            }
            Then::Copy(text) => {
                self.over.push(top);
                self.copy = Some(text);
            }
            Then::Say(sentence) => {
                self.over.push(top);
                self.view.notice = Some(sentence);
            }
            Then::Leave(sentence) => self.view.notice = Some(sentence),
            Then::Edit { name, text } => {
                self.over.push(top);
                self.edit = Some((name, text));
            }
        }
    }

    /// Whether a program gets the keys that the screen has no use for: one in the output, or one on a screen over this.
    pub fn program_has_keys(&self) -> bool {
        self.over.last().map_or_else(|| self.has_program(), |over| over.has_program())
    }

    /// Asks where lines go.
    pub(super) fn ask_place(&mut self) {
        self.placing = Some(self.reach().ask(Request::Place));
    }

    /// Takes the answer to a question of this screen or of one that lies over it.
    pub(super) fn answered(&mut self, id: AskId, answer: &Result<Answer, String>) {
        if self.placing == Some(id) {
            if let Ok(Answer::Place(place)) = answer {
                self.place = place.clone();
            }
            return;
        }
        if self.completed(id, answer) {
            return;
        }
        let mut pile = std::mem::take(&mut self.over);
        let taken = pile.iter_mut().rev().any(|over| over.answered(id, answer, &mut self.reach()));
        if let (false, Err(sentence)) = (taken, answer) {
            self.view.notice = Some(sentence.clone());
        }
        self.over = pile;
        if let Some(mut top) = self.over.pop_if(|_| taken) {
            let then = top.next();
            self.after_over(top, then);
        }
    }

    /// The learner's own editor ended.
    pub fn edited(&mut self, result: Result<String, String>) {
        if let Some(mut top) = self.over.pop() {
            let then = top.edited(result, &mut self.reach());
            self.after_over(top, then);
        }
    }

    /// Opens a file of the lab's folder in the editor of this program; the line counts as typed.
    pub(super) fn open_editor(&mut self, name: &str) {
        self.tell(Event::Shown(format!("edit {name}")));
        self.lay(Box::new(Editor::file(name)));
    }

    /// A command waits for a text: the editor of this program, if that is the one to use.
    pub fn edit_for(&mut self, job: Job) {
        self.lay(Box::new(Editor::command(&job.name, &job.text, job.reply)));
    }

    /// Lays the learner's shell over what is there: the one that runs, or a new one.
    pub(super) fn open_shell(&mut self) {
        match self.kept.take() {
            Some(mut shell) => {
                self.view.notice = None;
                shell.resized(&mut self.reach());
                self.over.push(shell);
            }
            None => self.lay(Box::new(Shell::new(self.view.size))),
        }
    }

    /// Whether the learner's shell runs.
    pub fn has_shell(&self) -> bool {
        self.kept.is_some() || self.over.iter().any(|over| over.scope() == Scope::Shell)
    }

    /// What the learner's shell shows, on screen or hidden; once it ended it is no more.
    pub(super) fn shell_news(&mut self, news: &ShellNews) {
        self.each_layer(|over, reach| over.news(news, reach));
        if let ShellNews::Ended(sentence) = news {
            self.kept = None;
            self.over.retain(|over| over.scope() != Scope::Shell);
            self.view.notice = Some(sentence.clone());
        }
    }

    /// Screens over this one are told that the terminal has another size.
    pub(super) fn resize_layers(&mut self) {
        let mut pile = std::mem::take(&mut self.over);
        pile.iter_mut().for_each(|over| over.resized(&mut self.reach()));
        self.over = pile;
    }

    /// Lets the screens over this one see what happened, the hidden shell too.
    pub(super) fn each_layer(&mut self, mut tell: impl FnMut(&mut dyn Over, &mut Reach<'_>)) {
        let mut pile = std::mem::take(&mut self.over);
        let mut kept = self.kept.take();
        pile.iter_mut().chain(&mut kept).for_each(|over| tell(&mut **over, &mut self.reach()));
        self.kept = kept;
        pile.append(&mut self.over);
        self.over = pile;
    }

    fn reach(&mut self) -> Reach<'_> {
        Reach { session: &self.session, size: self.view.size, asks: &mut self.asks, effects: &mut *self.effects }
    }
}
