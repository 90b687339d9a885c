//! Where a key or a paste goes: to a question, to a program, to the prompt or to a command of the keymap.

use super::output::{self, Bottom};
use super::typing::Want;
use super::{LessonScreen, Side, document, evidence, steps};
use crate::base::io::Input;
use crate::lesson::model::Expected;
use crate::progress::Sure;
use crate::session::{Ask, Event, ResetScope, Wish};
use crate::tui::Reads;
use crate::tui::browser::Browser;
use crate::tui::diff::Diff;
use crate::tui::help::Sheet;
use crate::tui::keymap::{self, Command, Place};
use crate::tui::layout::{self, Focus};
use crate::tui::picture::PictureScreen;
use crate::tui::reading::{Debrief, Glossary};
use crate::tui::scroll::Scroll;
use crate::tui::theme::Theme;
use crate::tui::timeline::TimeLineScreen;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

const PLAIN: Theme = Theme::PLAIN;

impl LessonScreen {
    /// Takes a key.
    pub fn key(&mut self, key: &KeyEvent) {
        if self.over_key(key) || self.typing_key(key) {
            return;
        }
        if self.present_key(key) {
            return;
        }
        let asked = self.session.asking();
        if let Some(ask) = asked
            && self.prompt.is_empty()
            && self.confirm(ask, key)
        {
            return;
        }
        let place = self.place_of_keys();
        let had_notice = self.view.notice.take().is_some();
        if self.output_search_key(key) {
            return;
        }
        match keymap::find(key, place) {
            Some(command) => self.command(command, had_notice),
            None if place == Place::Keys => self.send_to_program(key),
            None if place == Place::Prompt => self.typed(key),
            None => (),
        }
    }

    /// A question of the program: `y` is yes, `n` and Esc are no, anything else is not for it.
    fn confirm(&mut self, ask: Ask, key: &KeyEvent) -> bool {
        let wish = match (key.code, ask) {
            (KeyCode::Char('y' | 'Y'), Ask::Solution) => Wish::Solution { confirmed: true },
            (KeyCode::Char('y' | 'Y'), Ask::Skip) => Wish::Skip { confirmed: true },
            (KeyCode::Char('y' | 'Y'), Ask::Reset(scope)) => Wish::Reset { scope, confirmed: true },
            (KeyCode::Char('s'), Ask::Reset(_)) => Wish::Reset { scope: ResetScope::Step, confirmed: false },
            (KeyCode::Char('g'), Ask::Reset(_)) => Wish::Reset { scope: ResetScope::Stage, confirmed: false },
            (KeyCode::Char('l'), Ask::Reset(_)) => Wish::Reset { scope: ResetScope::Lesson, confirmed: false },
            (KeyCode::Char('n' | 'N') | KeyCode::Esc | KeyCode::Enter, _) => Wish::Cancel,
            (KeyCode::Char('c'), _) if key.modifiers == KeyModifiers::CONTROL => Wish::Cancel,
            _ => return false,
        };
        self.tell(Event::Wish(wish));
        true
    }

    /// Takes a paste: one edit at the prompt, or input of the program that has the keyboard.
    pub fn paste(&mut self, text: &str) {
        if self.over_paste(text) {
            return;
        }
        if self.has_program() {
            let bytes = text.replace("\r\n", "\r").replace('\n', "\r").into_bytes();
            return self.tell(Event::Input(Input::Bytes(bytes)));
        }
        self.typing.completion = None;
        if let Some(search) = self.typing.search.take() {
            self.prompt.set(&search.draft());
        }
        self.view.focus = Focus::Prompt;
        let one_line = text.trim_end_matches(['\n', '\r']);
        let text = if one_line.contains(['\n', '\r']) { text } else { one_line };
        self.prompt.insert(text);
        if self.prompt.text().contains('\n') {
            let lines = self.prompt.text().lines().count();
            self.view.notice = Some(match is_manifest(self.prompt.text()) {
                true => {
                    format!("A manifest of {lines} lines was pasted; nothing has run. Enter puts it into `kubectl apply -f -`.")
                }
                false => format!("{lines} lines were pasted as one edit; nothing has run. Enter runs them, Ctrl-C drops them."),
            });
        }
    }

    fn send_to_program(&mut self, key: &KeyEvent) {
        if let Some(bytes) = bytes_of(key) {
            self.view.output = Bottom::Follow;
            self.tell(Event::Input(Input::Bytes(bytes)));
        }
    }

    fn typed(&mut self, key: &KeyEvent) {
        match key.code {
            KeyCode::Enter if key.modifiers.is_empty() => self.enter(),
            KeyCode::Right if self.prompt.is_empty() => self.take(),
            _ => {
                self.prompt.key(key, self.session.history());
            }
        }
    }

    /// Enter at the prompt.
    pub(super) fn enter(&mut self) {
        let text = self.prompt.text().to_string();
        let word = text.trim();
        if word.starts_with(':') && self.reads().is_none() {
            self.prompt.take();
            return self.said(&text);
        }
        if word.is_empty() {
            self.prompt.take();
            return self.empty_enter();
        }
        if self.session.running().is_none() && matches!(word, "exit" | "logout") {
            self.prompt.take();
            self.view.notice = Some("`quit` or Ctrl-D leaves the lab; progress is saved. `exit` ends a shell in a pod.".into());
            return;
        }
        if self.session.running().is_none() && is_manifest(&text) {
            return self.wrap_manifest(&text);
        }
        if self.reads().is_none() && !(self.rules.is_complete)(&text) {
            return self.prompt.insert("\n");
        }
        if word == "shell" && self.session.running().is_none() {
            self.prompt.take();
            return self.open_shell();
        }
        if let Some(wish) = self.answer(word).or_else(|| (self.rules.wish)(word)) {
            self.prompt.take();
            return self.wished(wish);
        }
        if self.session.running().is_some() && self.reads() != Some(Reads::Lines) {
            self.view.notice = Some("Something is still running; Ctrl-C ends it. What you typed waits here.".into());
            return;
        }
        self.prompt.take();
        match edited_file(&text) {
            Some(name) if self.session.running().is_none() => self.edit_file(&name),
            _ => self.run(text),
        }
    }

    pub(super) fn run(&mut self, text: String) {
        self.view.output = Bottom::Follow;
        if self.is_covered() {
            self.view.side = Side::Text;
        }
        self.tell(Event::Line(text));
        self.tell_size();
    }

    /// Enter on an empty prompt goes on where that is all that is left to do.
    fn empty_enter(&mut self) {
        if self.reads() == Some(Reads::Lines) {
            return self.tell(Event::Line(String::new()));
        }
        use crate::lesson::model::StepKind;
        let goes_on = self.session.step_run().is_done() || matches!(self.session.step().kind, StepKind::Read | StepKind::Explore);
        let last = self.session.shown() + 1 == self.session.lesson().steps.len();
        if goes_on && !(last && self.session.step_run().is_done()) && self.session.running().is_none() {
            self.tell(Event::Wish(Wish::Next));
        }
    }

    /// A pasted manifest is no command; this makes it one, to be looked at and then run.
    fn wrap_manifest(&mut self, text: &str) {
        let end = if text.lines().any(|line| line == "EOF") { "MANIFEST" } else { "EOF" };
        self.prompt.set(&format!("kubectl apply -f - <<'{end}'\n{}\n{end}", text.trim_end()));
        self.view.notice = Some("Enter applies it as it stands here; Ctrl-C drops it.".into());
    }

    /// Words that are no commands: a letter answers a question of choices, perhaps with how sure one is behind it.
    pub(super) fn answer(&self, word: &str) -> Option<Wish> {
        self.session.as_choice(word).map(|_| Wish::Answer(word.strip_prefix("answer ").unwrap_or(word).trim().to_string()))
    }

    /// Does a wish: what is to be read is a screen here.
    pub(super) fn wished(&mut self, wish: Wish) {
        match wish {
            Wish::Glossary(word) => self.lay(Box::new(Glossary::new(&self.session, &word))),
            Wish::Debrief(stage) => match self.session.debrief(&stage).map(Debrief::new) {
                Ok(debrief) => self.lay(Box::new(debrief)),
                Err(sentence) => self.view.notice = Some(sentence),
            },
            Wish::Picture => self.lay(Box::new(PictureScreen::default())),
            wish => self.tell(Event::Wish(wish)),
        }
    }

    /// One degree surer than before, from the least again after the last.
    fn surer(&mut self) {
        let next = match self.session.step_run().sure {
            None | Some(Sure::High) => Sure::Low,
            Some(Sure::Low) => Sure::Middle,
            Some(Sure::Middle) => Sure::High,
        };
        self.tell(Event::Wish(Wish::Sure(next)));
    }

    fn choose(&mut self, nth: u8) {
        let choice = match self.session.step().question.as_ref().map(|question| &question.answer) {
            Some(Expected::Options(choices)) => choices.get(usize::from(nth)).map(|choice| choice.id.clone()),
            _ => None,
        };
        match choice {
            Some(id) => self.tell(Event::Wish(Wish::Answer(id))),
            None => self.view.notice = Some("There is no such answer to choose in this step.".into()),
        }
    }

    pub(super) fn command(&mut self, command: Command, had_notice: bool) {
        match command {
            Command::Next => self.tell(Event::Wish(Wish::Next)),
            Command::Previous => self.tell(Event::Wish(Wish::Previous)),
            Command::Hint => self.tell(Event::Wish(Wish::Hint)),
            Command::Solution => self.tell(Event::Wish(Wish::Solution { confirmed: false })),
            Command::Skip => self.tell(Event::Wish(Wish::Skip { confirmed: false })),
            Command::Reset => self.tell(Event::Wish(Wish::Reset { scope: ResetScope::Step, confirmed: false })),
            Command::Clear => self.tell(Event::Wish(Wish::Clear)),
            Command::Kill => self.tell(Event::Wish(Wish::Cancel)),
            Command::Quit => self.tell(Event::Wish(Wish::Quit)),
            Command::Check => {
                self.view.side = Side::Evidence;
                self.view.aside = Scroll(0);
                self.tell(Event::Wish(Wish::Check));
            }
            Command::WhatNow => self.tell(Event::Wish(Wish::WhatNow)),
            Command::Glossary => self.wished(Wish::Glossary(String::new())),
            Command::Debrief => self.wished(Wish::Debrief(String::new())),
            Command::Sure => self.surer(),
            Command::Shell => self.open_shell(),
            Command::Take => self.take(),
            Command::OpenFile => self.open_file(),
            Command::LastChange => self.lay(Box::new(Diff::last_change())),
            Command::Steps => self.side(Side::Steps),
            Command::Evidence => self.side(Side::Evidence),
            Command::Trace => self.lay(Box::new(PictureScreen::default())),
            Command::Copy => self.copy_focused(),
            Command::Mouse => self.toggle_mouse = true,
            Command::Search => self.open_search(),
            Command::FindNext => self.find(true),
            Command::FindBack => self.find(false),
            Command::Help => self.sheet = Some(Sheet::Keys),
            Command::CommandLine => self.wants.push(Want::CommandLine),
            Command::Theme => self.wants.push(Want::Theme(String::new())),
            Command::SearchHistory => self.begin_search(),
            Command::TimeLine => self.lay(Box::new(TimeLineScreen::new())),
            Command::Browse => self.lay(Box::new(Browser::new(""))),
            Command::Home => self.home = true,
            Command::Choose(nth) => self.choose(nth),
            Command::Leave => self.leave(had_notice),
            Command::Focus => self.next_focus(),
            Command::ToPrompt if self.on_steps() => self.go_to_marked(),
            Command::ToPrompt => self.view.focus = Focus::Prompt,
            Command::Interrupt => self.interrupt(),
            Command::EndOfInput => self.end_of_input(),
            _ => self.scroll(command),
        }
    }

    /// Tab: on an empty prompt the step's next command; on one of them the one after it; else it completes.
    fn take(&mut self) {
        let actions = &self.session.step().actions;
        let here = actions.iter().position(|action| action.trim() == self.prompt.text().trim());
        if here.is_none() && !self.prompt.is_empty() {
            return match self.view.focus {
                Focus::Prompt => self.complete(),
                _ => self.view.notice = Some("The prompt is not empty; Ctrl-C there empties it.".into()),
            };
        }
        let next = match here {
            Some(nth) => actions.get((nth + 1) % actions.len()).map(String::as_str),
            None => self.session.suggestion(),
        };
        match next.map(str::to_string) {
            Some(line) => {
                self.prompt.set(line.trim_end());
                self.view.focus = Focus::Prompt;
            }
            None => self.view.notice = Some("This step shows no command to take.".into()),
        }
    }

    fn open_file(&mut self) {
        match self.session.step().files.first().cloned() {
            Some(name) if self.session.running().is_none() => self.edit_file(&name),
            Some(_) => self.view.notice = Some("Something is still running. Ctrl-C ends it.".into()),
            None => self.view.notice = Some("This step is about no file. `edit FILE` opens any.".into()),
        }
    }

    /// Opens a file where the learner wants it: here, or in their own editor.
    fn edit_file(&mut self, name: &str) {
        match self.rules.own_editor {
            true => self.open_editor(name),
            false => self.run(format!("edit {name}")),
        }
    }

    fn side(&mut self, side: Side) {
        let open = self.view.side == side;
        self.view.side = if open { Side::Text } else { side };
        self.view.aside = Scroll(0);
        self.view.selected = self.session.shown();
        self.view.focus = match (open, side) {
            (true, _) => Focus::Prompt,
            (false, Side::Steps) => self.side_focus(),
            (false, _) => self.view.focus,
        };
    }

    fn side_focus(&self) -> Focus {
        if layout::has_aside(self.view.size) { Focus::Aside } else { Focus::Text }
    }

    pub(super) fn on_steps(&self) -> bool {
        match self.view.focus {
            Focus::Aside => self.aside() == Side::Steps,
            Focus::Text => self.is_covered() && self.view.side == Side::Steps,
            _ => false,
        }
    }

    fn go_to_marked(&mut self) {
        self.view.focus = Focus::Prompt;
        self.view.side = Side::Text;
        self.tell(Event::Wish(Wish::GoTo(self.view.selected)));
    }

    fn leave(&mut self, had_notice: bool) {
        if self.view.search.take().is_some() {
            return;
        }
        if self.view.side != Side::Text {
            self.view.side = Side::Text;
            self.view.focus = Focus::Prompt;
        } else if self.view.focus != Focus::Prompt {
            self.view.focus = Focus::Prompt;
        } else if !had_notice {
            self.view.focus = Focus::Text;
        }
    }

    fn next_focus(&mut self) {
        let aside = layout::has_aside(self.view.size);
        self.view.focus = match self.view.focus {
            Focus::Prompt => Focus::Text,
            Focus::Text if aside => Focus::Aside,
            Focus::Text | Focus::Aside => Focus::Output,
            Focus::Output => Focus::Prompt,
        };
        self.view.selected = self.session.shown();
    }

    /// Ctrl-C: what runs, else what is typed, else how to leave.
    fn interrupt(&mut self) {
        if self.session.running().is_some() {
            self.tell(Event::Wish(Wish::Cancel));
        } else if !self.prompt.is_empty() {
            self.prompt.take();
        } else if self.view.again.pressed() {
            self.tell(Event::Wish(Wish::Quit));
        } else {
            self.view.focus = Focus::Prompt;
            self.view.notice = Some("Ctrl-C again within 2 seconds leaves, as Ctrl-D and `quit` do; progress is saved.".into());
        }
    }

    fn end_of_input(&mut self) {
        if self.session.running().is_some() {
            self.tell(Event::Input(Input::Eof));
        } else if self.prompt.is_empty() {
            self.tell(Event::Wish(Wish::Quit));
        } else {
            self.view.notice = Some("The prompt is not empty. Ctrl-C empties it; then Ctrl-D leaves.".into());
        }
    }

    pub(super) fn scroll(&mut self, command: Command) {
        let panes = self.panes(PLAIN);
        let text_keys = matches!(command, Command::TextUp | Command::TextDown);
        let target = match self.view.focus {
            _ if text_keys => Focus::Text,
            Focus::Prompt if panes.output.is_none() => Focus::Text,
            Focus::Prompt => Focus::Output,
            focus => focus,
        };
        if self.on_steps() && !text_keys {
            return self.mark_step(command);
        }
        let area = match target {
            Focus::Output => panes.output,
            Focus::Aside => panes.aside,
            _ => panes.text,
        };
        let Some(area) = area else { return };
        let (columns, height) = (usize::from(area.width), usize::from(area.height.saturating_sub(1)));
        if target == Focus::Output {
            let transcript = self.session.transcript();
            let to = output::moved(transcript, self.view.output, command, (columns, height), self.rules.is_complete);
            self.view.output = to.unwrap_or(self.view.output);
            return;
        }
        let side = match target {
            Focus::Aside => self.aside(),
            _ if self.is_covered() => self.view.side,
            _ => Side::Text,
        };
        let lines = match side {
            Side::Text => document::lines(&self.session, columns, PLAIN).len(),
            Side::Steps => steps::lines(&self.session, None, columns, PLAIN).0.len(),
            Side::Evidence => evidence::lines(&self.session, columns, PLAIN).len(),
        };
        let scroll = if side == Side::Text { &mut self.view.text } else { &mut self.view.aside };
        scroll.moved(command, lines, height);
    }

    fn mark_step(&mut self, command: Command) {
        let mut mark = Scroll(self.view.selected);
        mark.moved(command, self.session.steps().len(), 1);
        self.view.selected = mark.0;
    }
}

/// The file of a line that is nothing but `edit FILE`.
fn edited_file(line: &str) -> Option<String> {
    let name = line.trim().strip_prefix("edit ")?.trim();
    let plain = |c: char| c.is_alphanumeric() || "-_./+@".contains(c);
    (!name.is_empty() && !name.starts_with('-') && name.chars().all(plain)).then(|| name.to_string())
}

/// Whether a text is a manifest that was pasted where a command belongs.
fn is_manifest(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let first = lines.next().unwrap_or("");
    let begins = |line: &str| line.starts_with("apiVersion:") || line.starts_with("kind:");
    begins(first) || (first == "---" && lines.next().is_some_and(begins))
}

/// What a terminal sends for a key.
fn bytes_of(key: &KeyEvent) -> Option<Vec<u8>> {
    let text = match key.code {
        KeyCode::Char(c) if key.modifiers.contains(KeyModifiers::CONTROL) => {
            let c = c.to_ascii_lowercase();
            let byte = match c {
                'a'..='z' => c as u8 - b'a' + 1,
                '[' | '3' => 0x1b,
                ']' | '5' => 0x1d,
                ' ' | '2' | '@' => 0,
                _ => return None,
            };
            return Some(vec![byte]);
        }
        KeyCode::Char(c) if key.modifiers.contains(KeyModifiers::ALT) => format!("\u{1b}{c}"),
        KeyCode::Char(c) => c.to_string(),
        KeyCode::Enter => "\r".into(),
        KeyCode::Tab => "\t".into(),
        KeyCode::Backspace => "\u{7f}".into(),
        KeyCode::Esc => "\u{1b}".into(),
        KeyCode::Up => "\u{1b}[A".into(),
        KeyCode::Down => "\u{1b}[B".into(),
        KeyCode::Right => "\u{1b}[C".into(),
        KeyCode::Left => "\u{1b}[D".into(),
        KeyCode::Home => "\u{1b}[H".into(),
        KeyCode::End => "\u{1b}[F".into(),
        KeyCode::Delete => "\u{1b}[3~".into(),
        _ => return None,
    };
    Some(text.into_bytes())
}
