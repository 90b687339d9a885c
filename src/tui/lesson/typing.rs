//! What is typed at the prompt beyond plain letters: completion, the search through the history, and the commands after `:`.

use super::LessonScreen;
use crate::k8s::templates;
use crate::lesson::model::Expected;
use crate::progress::Sure;
use crate::session::desk::{Answer, AskId, Completions, Request};
use crate::session::{Event, Wish};
use crate::tui::browser::Browser;
use crate::tui::command::{self, Said};
use crate::tui::diff::Diff;
use crate::tui::help::{Sheet, topic};
use crate::tui::keymap::{self, Command, Place, Scope};
use crate::tui::layout::Focus;
use crate::tui::manifest::Editor;
use crate::tui::prompt::complete::Completion;
use crate::tui::prompt::search::Search;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What stands between the prompt and its line.
#[derive(Debug, Default)]
pub struct Typing {
    /// The candidates above the prompt.
    pub completion: Option<Completion>,
    pub search: Option<Search>,
    /// The question that completes, and what stood on the prompt then: an answer to anything else is stale.
    asked: Option<Asked>,
}

#[derive(Debug)]
struct Asked {
    id: AskId,
    line: String,
    cursor: usize,
    /// Characters before the line that the lab was asked about (a colon).
    offset: usize,
}

/// What only the application can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// Open the line of commands.
    CommandLine,
    /// Other colours: a name, or nothing for the next ones.
    Theme(String),
}

impl LessonScreen {
    /// Gives a key to the search or to the list of candidates. False when it is for somebody else.
    pub(super) fn typing_key(&mut self, key: &KeyEvent) -> bool {
        if let Some(search) = self.typing.search.take() {
            return self.search_key(search, key);
        }
        let Some(mut completion) = self.typing.completion.take() else { return false };
        match key.code {
            KeyCode::Tab | KeyCode::BackTab => {
                completion.step(&mut self.prompt, key.code == KeyCode::BackTab);
                self.typing.completion = Some(completion);
            }
            KeyCode::Esc => completion.withdraw(&mut self.prompt),
            // The line with the marked candidate is looked at before it runs.
            KeyCode::Enter if completion.is_marked() => self.prompt.insert(completion.separator()),
            _ => return false,
        }
        true
    }

    fn search_key(&mut self, mut search: Search, key: &KeyEvent) -> bool {
        let history = self.session.history();
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('r') if control => drop(search.older(history)),
            KeyCode::Char('c' | 'g') if control => return self.end_search(search, None),
            KeyCode::Esc => return self.end_search(search, None),
            KeyCode::Char(c) if !control && !key.modifiers.contains(KeyModifiers::ALT) => search.add(c),
            KeyCode::Backspace => search.shorten(),
            code => {
                let found = search.found(history).map(str::to_string);
                let runs = code == KeyCode::Enter && found.is_some();
                self.end_search(search, found);
                if runs {
                    self.enter();
                }
                return matches!(code, KeyCode::Enter | KeyCode::Tab | KeyCode::Right | KeyCode::End);
            }
        }
        self.typing.search = Some(search);
        true
    }

    fn end_search(&mut self, search: Search, found: Option<String>) -> bool {
        self.prompt.set(&found.unwrap_or_else(|| search.draft()));
        true
    }

    pub(super) fn begin_search(&mut self) {
        match self.session.history().is_empty() {
            true => self.view.notice = Some("Nothing was typed yet.".into()),
            false => {
                self.view.focus = Focus::Prompt;
                self.typing.search = Some(Search::begin(&self.prompt));
            }
        }
    }

    /// What the prompt shows: the line that the search found, else what is typed.
    pub fn searched(&self) -> Option<&str> {
        let search = self.typing.search.as_ref()?;
        Some(search.found(self.session.history()).unwrap_or(""))
    }

    /// Completes the word at the cursor.
    pub(super) fn complete(&mut self) {
        let (line, cursor) = (self.prompt.text().to_string(), self.prompt.cursor());
        let colon = line.starts_with(':');
        let lab = (self.rules.words)();
        if colon {
            let before: String = line.chars().take(cursor).collect();
            let found = command::complete(&before, Scope::Lesson, &lab);
            let word = before.trim_start_matches([':', ' ']).split(' ').next().unwrap_or("").to_string();
            if !found.candidates.is_empty() || keymap::row_of_word(&word, Scope::Lesson).is_some() || !lab.contains(&&*word) {
                return self.offer(found);
            }
        }
        let offset = usize::from(colon);
        let asked: String = line.chars().skip(offset).collect();
        let id = self.ask(Request::Complete { line: asked, cursor: cursor - offset });
        self.typing.asked = Some(Asked { id, line, cursor, offset });
    }

    /// Takes the answer to a completion. False when it was not asked for.
    pub(super) fn completed(&mut self, id: AskId, answer: &Result<Answer, String>) -> bool {
        let Some(asked) = self.typing.asked.take_if(|asked| asked.id == id) else { return false };
        if asked.line != self.prompt.text() || asked.cursor != self.prompt.cursor() || self.typing.search.is_some() {
            return true;
        }
        match answer {
            Ok(Answer::Complete(found)) => self.offer(Completions { from: found.from + asked.offset, ..found.clone() }),
            Ok(_) => self.offer(Completions::default()),
            Err(sentence) => self.view.notice = Some(sentence.clone()),
        }
        true
    }

    fn offer(&mut self, found: Completions) {
        self.view.notice = match (found.candidates.is_empty(), &found.missing) {
            (_, Some(missing)) => Some(missing.clone()),
            (true, None) => Some("Nothing completes this here.".into()),
            (false, None) => None,
        };
        self.typing.completion = Completion::offer(&mut self.prompt, found);
    }

    /// Does what a line after `:` says.
    pub fn said(&mut self, text: &str) {
        let scope = self.scope();
        let lab = (self.rules.words)();
        match command::read(text, scope, &lab) {
            Said::Nothing => (),
            Said::Unknown(sentence) => self.view.notice = Some(sentence),
            Said::Line(line) => {
                if self.uncover() {
                    self.enter_line(&line);
                }
            }
            Said::Command { command, scope, operand } => self.said_command(command, scope, &operand),
        }
    }

    fn said_command(&mut self, command: Command, scope: Scope, operand: &str) {
        let takes = keymap::row_at(command, scope).is_some_and(|row| !row.operand().is_empty());
        if !takes && !operand.is_empty() {
            self.view.notice = Some(format!("This command takes nothing after its word; `{operand}` is too much."));
            return;
        }
        let for_the_top = !self.over.is_empty() && (scope != Scope::Lesson || keymap::is_common(command));
        match (command, operand) {
            (Command::Theme, name) => self.wants.push(Want::Theme(name.to_string())),
            (Command::Help, "") => self.sheet = Some(Sheet::Keys),
            (Command::Help, name) => match topic(name, scope) {
                Ok(topic) => self.sheet = Some(Sheet::Topic(topic)),
                Err(sentence) => self.view.notice = Some(sentence),
            },
            _ if for_the_top => self.said_to_top(command),
            _ if self.uncover() => self.command_with(command, operand),
            _ => (),
        }
    }

    /// A command of this screen by its word, with what follows the word.
    fn command_with(&mut self, command: Command, operand: &str) {
        match (command, operand) {
            (Command::OpenFile, name) if !name.is_empty() => self.enter_line(&format!("edit {name}")),
            (Command::Template, kind) => self.open_template(kind),
            (Command::PreviewChange, name) => self.preview(name),
            (Command::Browse, kind) => self.lay(Box::new(Browser::new(kind))),
            (Command::Glossary, term) if !term.is_empty() => self.wished(Wish::Glossary(term.to_string())),
            (Command::Debrief, stage) if !stage.is_empty() => self.wished(Wish::Debrief(stage.to_string())),
            (Command::Sure, level) if !level.is_empty() => match Sure::parse(level) {
                Some(sure) => self.wished(Wish::Sure(sure)),
                None => self.view.notice = Some("`:sure LEVEL`: 1 (unsure), 2 (fairly sure) or 3 (sure).".into()),
            },
            (Command::Choose(_), "") => {
                self.view.notice = Some("`:answer TEXT`: the letter of your choice, or what you found.".into())
            }
            (Command::Choose(_), text) => {
                let wish = self.answer(text).unwrap_or_else(|| Wish::Answer(text.to_string()));
                self.tell(Event::Wish(wish));
            }
            _ => self.command(command, false),
        }
    }

    /// A template in the editor; with more than a kind behind the word it is a line of the prompt (`template Gateway > web.yaml`).
    fn open_template(&mut self, kind: &str) {
        if kind.contains(['>', '|', ';', '&']) {
            return self.enter_line(&format!("template {kind}"));
        }
        match templates::kinds().iter().copied().find(|known| known.eq_ignore_ascii_case(kind)) {
            Some(kind) => self.lay(Box::new(Editor::template_of(kind))),
            None => {
                let kinds = templates::kinds().join(", ");
                self.view.notice = Some(format!("`:template KIND` opens a manifest with blanks; the kinds are {kinds}."));
            }
        }
    }

    /// What applying a file of the lab's folder would change; without a name the step's first one.
    fn preview(&mut self, name: &str) {
        let name = if name.is_empty() { self.session.step().files.first().map_or("", String::as_str) } else { name };
        match name {
            "" => self.view.notice = Some("This step is about no file: `:preview FILE`. Nothing is applied by it.".into()),
            name => self.lay(Box::new(Diff::file(name))),
        }
    }

    /// Runs a line as if it had been typed; what stands on the prompt stays.
    fn enter_line(&mut self, line: &str) {
        let kept = self.prompt.take();
        self.prompt.set(line);
        self.enter();
        if self.prompt.is_empty() {
            self.prompt.set(&kept);
        }
    }

    /// The screen that is on top.
    pub fn scope(&self) -> Scope {
        self.over.last().map_or(Scope::Lesson, |over| over.scope())
    }

    /// Where a key would be pressed now.
    pub fn place_of_keys(&self) -> Place {
        match (self.over.last(), self.view.focus) {
            (Some(over), _) => Place::Over(over.scope()),
            (None, Focus::Prompt) if self.has_program() => Place::Keys,
            (None, Focus::Prompt) => Place::Prompt,
            _ => Place::Pane,
        }
    }

    /// Whether a command does anything now: for help, which leaves out what does not.
    pub fn works(&self, command: Command) -> bool {
        let session = &self.session;
        let (step, run) = (session.step(), session.step_run());
        match command {
            Command::Take => !step.actions.is_empty() || self.view.focus == Focus::Prompt,
            Command::Hint => !step.hints.is_empty(),
            Command::OpenFile => !step.files.is_empty(),
            Command::Solution | Command::Skip => !step.solution.is_empty() && !run.is_done(),
            Command::Choose(_) => matches!(&step.question, Some(question) if matches!(question.answer, Expected::Options(_))),
            Command::Check => !step.checks.is_empty(),
            Command::Previous => session.shown() > 0,
            Command::Kill => session.running().is_some(),
            Command::SearchHistory => !session.history().is_empty(),
            Command::ToPrompt => self.view.focus != Focus::Prompt,
            _ => true,
        }
    }

    /// Closes the screens over this one. False when one of them holds what would be lost.
    pub(super) fn uncover(&mut self) -> bool {
        if let Some(sentence) = self.over.iter().rev().find_map(|over| over.holds()) {
            self.view.notice = Some(sentence);
            return false;
        }
        self.over.clear();
        true
    }
}
