//! The application: which screen is up, what lies over it, and where each message goes. Layers from the top take a key first.

use super::again::Again;
use super::command::line::{CommandLine, Typed};
use super::command::{self, Said};
use super::editor::{Job, Reply};
use super::help::{self, Overlay, Sheet};
use super::home::Home;
use super::keymap::{self, Command, Place, Scope};
use super::lesson::LessonScreen;
use super::lesson::present::Presenting;
use super::lesson::typing::Want;
use super::terminal;
use super::theme::{Look, Palette, Theme, Told};
use super::{Ended, Inbox, Link, Message, Start};
use crate::base::clock::Time;
use crate::session::History;
use crossterm::event::{Event as Input, KeyEvent, KeyEventKind};
use ratatui::layout::Size;
use std::time::Duration;

/// What only the loop can do.
#[derive(Debug)]
pub enum Act {
    Edit(Job),
    /// Copy a text.
    Copy(String),
    /// Take the mouse, or give it back.
    Mouse(bool),
    /// Stop, until somebody lets the program go on.
    Suspend,
    /// The program goes on after a stop.
    TakeAgain,
    End(Ended),
}

/// The lowest layer.
pub enum Layer {
    Home,
    /// The lesson (an index) is being opened.
    Opening(usize),
    Lesson(Box<LessonScreen>),
}

/// Everything that is drawn.
pub struct App {
    pub start: Start,
    pub theme: Theme,
    pub size: Size,
    pub layer: Layer,
    pub overlay: Option<Overlay>,
    pub home: Home,
    /// The line that `:` opened.
    pub command: Option<CommandLine>,
    /// Lines that were typed there.
    said: History,
    /// A sentence for the home screen.
    pub notice: Option<String>,
    /// The terminal makes links of addresses (OSC 8).
    pub links: bool,
    /// The mouse is ours.
    pub mouse: bool,
    again: Again,
    inbox: Inbox,
    /// Number of the newest opening; what belongs to another is dropped.
    opening: u64,
}

impl App {
    pub fn new(start: Start, inbox: Inbox, theme: Theme, size: Size) -> App {
        let (home, mouse) = (Home::at(&start), start.mouse);
        App {
            start,
            theme,
            size,
            layer: Layer::Home,
            overlay: None,
            home,
            command: None,
            said: History::default(),
            notice: None,
            links: false,
            mouse,
            again: Again::default(),
            inbox,
            opening: 0,
        }
    }

    /// Opens the lesson that was asked for, if one was. To be called once.
    pub fn begin(&mut self) {
        if let Some(lesson) = self.start.lesson {
            self.home.selected = lesson;
            self.open(lesson);
        }
    }

    /// Takes a message; what is left to do is the loop's.
    pub fn handle(&mut self, message: Message) -> Option<Act> {
        match message {
            Message::Terminal(input) => return self.input(input),
            Message::TerminalGone => return Some(Act::End(Ended::TerminalGone)),
            Message::Signal(number) => return Some(Act::End(Ended::Signal(number))),
            Message::Edit(job) => return self.edit(job),
            Message::Edited(result) => {
                if let Layer::Lesson(screen) = &mut self.layer {
                    screen.edited(result);
                }
            }
            Message::Stop => return Some(Act::Suspend),
            Message::Continued => return Some(Act::TakeAgain),
            Message::Session(opening, event) => {
                if let Layer::Lesson(screen) = &mut self.layer
                    && opening == self.opening
                {
                    screen.tell(event);
                }
            }
            Message::Opened(opening, link) if opening == self.opening => self.opened(link),
            Message::Opened(..) => (),
            Message::Broken(what) => self.broken(&what),
        }
        self.after()
    }

    /// Time has passed; called before each frame.
    pub fn tick(&mut self, now: Time) {
        if let Layer::Lesson(screen) = &mut self.layer {
            screen.tick(now, self.theme.motion);
        }
    }

    /// After how long the next frame is due though nothing happens; `None`: never.
    pub fn wakes(&self) -> Option<Duration> {
        match &self.layer {
            Layer::Lesson(screen) => screen.wakes(self.theme.motion),
            _ => None,
        }
    }

    /// Says a sentence until the next key.
    pub fn told(&mut self, sentence: String) {
        match &mut self.layer {
            Layer::Lesson(screen) => screen.view.notice = Some(sentence),
            _ => self.notice = Some(sentence),
        }
    }

    /// A command wants a text edited: here, or in the learner's own editor.
    fn edit(&mut self, job: Job) -> Option<Act> {
        match &mut self.layer {
            Layer::Lesson(screen) if self.start.rules.own_editor => {
                self.overlay = None;
                screen.edit_for(job);
                self.after()
            }
            _ => Some(Act::Edit(job)),
        }
    }

    fn broken(&mut self, what: &str) {
        self.told(format!("Something in the lab broke: {what}. Progress is saved; leave and start again."));
    }

    fn open(&mut self, lesson: usize) {
        if lesson >= self.start.lessons.len() {
            return;
        }
        self.opening += 1;
        self.notice = None;
        self.overlay = None;
        self.layer = Layer::Opening(lesson);
        (self.start.open)(lesson, (self.size.width, self.size.height), self.inbox.for_opening(self.opening));
    }

    fn opened(&mut self, link: Result<Box<Link>, String>) {
        match link {
            Ok(link) => {
                let environment = link.environment.clone().unwrap_or_else(|| self.start.environment.clone());
                let mut screen = Box::new(LessonScreen::new(*link, environment, self.start.rules));
                screen.present = self.start.present.then(Presenting::default);
                screen.view.links = self.links;
                screen.resize(self.size);
                screen.start();
                self.layer = Layer::Lesson(screen);
            }
            Err(sentence) => {
                self.layer = Layer::Home;
                self.notice = Some(sentence);
            }
        }
    }

    fn input(&mut self, input: Input) -> Option<Act> {
        match input {
            Input::Resize(width, height) => {
                self.size = Size { width, height };
                if let Layer::Lesson(screen) = &mut self.layer {
                    screen.resize(self.size);
                }
            }
            Input::Key(key) if key.kind != KeyEventKind::Release => return self.key(key),
            Input::Mouse(event) => {
                if let (Layer::Lesson(screen), None) = (&mut self.layer, &self.overlay) {
                    screen.wheel(&event);
                }
            }
            Input::Paste(text) if self.command.is_some() => {
                self.command.iter_mut().for_each(|line| line.paste(&text));
            }
            Input::Paste(text) => {
                if let Layer::Lesson(screen) = &mut self.layer {
                    self.overlay = None;
                    screen.paste(&text);
                }
            }
            _ => (),
        }
        self.after()
    }

    fn key(&mut self, key: KeyEvent) -> Option<Act> {
        if keymap::find(&key, Place::Pane) == Some(Command::Suspend) && !self.program_has_keys() {
            return self.suspend();
        }
        if let Some(line) = self.command.take() {
            return self.command_key(line, &key);
        }
        if self.overlay.is_some() {
            self.overlay_key(&key);
            return None;
        }
        match &mut self.layer {
            Layer::Lesson(screen) => {
                screen.key(&key);
                self.after()
            }
            Layer::Opening(_) => self.waiting_key(&key),
            Layer::Home => self.home_key(&key),
        }
    }

    fn program_has_keys(&self) -> bool {
        matches!(&self.layer, Layer::Lesson(screen) if self.overlay.is_none() && screen.program_has_keys())
    }

    fn suspend(&mut self) -> Option<Act> {
        if terminal::has_shell() {
            return Some(Act::Suspend);
        }
        self.told("No shell started the lab, so there is nothing to go back to; Ctrl-Z does nothing here.".into());
        None
    }

    /// What a lesson's screen left for the application.
    fn after(&mut self) -> Option<Act> {
        let Layer::Lesson(screen) = &mut self.layer else { return None };
        if screen.quit {
            return Some(Act::End(Ended::Left));
        }
        if let Some(text) = screen.copy.take() {
            return Some(Act::Copy(text));
        }
        if std::mem::take(&mut screen.toggle_mouse) {
            self.mouse = !self.mouse;
            screen.view.notice = Some(mouse_sentence(self.mouse).into());
            return Some(Act::Mouse(self.mouse));
        }
        if let Some((name, text)) = screen.edit.take() {
            return Some(Act::Edit(Job { name, text, reply: Reply::Screen }));
        }
        if let Some(sheet) = screen.sheet.take() {
            self.overlay = Some(Overlay::new(sheet));
        }
        for want in std::mem::take(&mut screen.wants) {
            match want {
                Want::CommandLine => self.command = Some(CommandLine::new(screen.scope())),
                Want::Theme(name) => match restyle(&mut self.theme, &name) {
                    Ok(sentence) | Err(sentence) => screen.view.notice = Some(sentence),
                },
            }
        }
        if std::mem::take(&mut screen.home) {
            self.notice = screen.has_shell().then(|| "Your shell was ended with the lesson.".into());
            self.home.went_through(&screen.session);
            self.opening += 1;
            self.layer = Layer::Home;
        }
        None
    }

    fn overlay_key(&mut self, key: &KeyEvent) {
        let command = keymap::find(key, Place::Pane);
        let (lines, height) = super::frame::overlay_size(self);
        if command == Some(Command::CommandLine) {
            self.command = Some(CommandLine::new(self.scope()));
            return;
        }
        let Some(overlay) = &mut self.overlay else { return };
        let moved = command.is_some_and(|command| overlay.scroll.moved(command, lines, height));
        let closes =
            matches!(command, Some(Command::Leave | Command::Quit | Command::ToPrompt | Command::Help | Command::Interrupt));
        if !moved && closes {
            self.overlay = None;
        }
    }

    fn waiting_key(&mut self, key: &KeyEvent) -> Option<Act> {
        match keymap::find(key, Place::Pane) {
            Some(Command::Quit | Command::EndOfInput) => Some(Act::End(Ended::Left)),
            Some(Command::Leave | Command::Interrupt) => {
                self.opening += 1;
                self.layer = Layer::Home;
                None
            }
            _ => None,
        }
    }

    fn home_key(&mut self, key: &KeyEvent) -> Option<Act> {
        let command = keymap::find(key, Place::Over(Scope::Home))?;
        self.home_command(command, "")
    }

    fn home_command(&mut self, command: Command, operand: &str) -> Option<Act> {
        if self.home.moved(command, self.start.lessons.len()) {
            return None;
        }
        match command {
            Command::Open => self.open(self.home.selected),
            Command::Help if operand.is_empty() => self.overlay = Some(Overlay::new(Sheet::Keys)),
            Command::Help => match help::topic(operand, Scope::Home) {
                Ok(topic) => self.overlay = Some(Overlay::new(Sheet::Topic(topic))),
                Err(sentence) => self.notice = Some(sentence),
            },
            Command::CommandLine => self.command = Some(CommandLine::new(Scope::Home)),
            Command::Theme => match restyle(&mut self.theme, operand) {
                Ok(sentence) | Err(sentence) => self.notice = Some(sentence),
            },
            Command::Quit => return Some(Act::End(Ended::Left)),
            Command::Interrupt if self.again.pressed() => return Some(Act::End(Ended::Left)),
            Command::Interrupt => self.notice = Some("Ctrl-C again within 2 seconds leaves, as q does.".into()),
            Command::Leave => self.notice = Some("Enter opens the lesson; q leaves.".into()),
            _ => self.notice = Some("That works in a lesson; Enter opens the marked one.".into()),
        }
        None
    }

    /// The line that `:` opened takes every key.
    fn command_key(&mut self, mut line: CommandLine, key: &KeyEvent) -> Option<Act> {
        let lab = (self.start.rules.words)();
        match line.key(key, &self.said, &lab) {
            Typed::Stay => self.command = Some(line),
            Typed::Close => (),
            Typed::Done(text) => {
                self.said.push(text.trim_end());
                return self.say(&text);
            }
        }
        None
    }

    fn say(&mut self, text: &str) -> Option<Act> {
        self.overlay = None;
        if let Layer::Lesson(screen) = &mut self.layer {
            screen.view.notice = None;
            screen.said(text);
            return self.after();
        }
        let lab = (self.start.rules.words)();
        match command::read(text, Scope::Home, &lab) {
            Said::Nothing => None,
            Said::Command { command, operand, .. } => self.home_command(command, &operand),
            Said::Line(_) => {
                self.notice = Some("Lines run in a lesson; Enter opens the marked one.".into());
                None
            }
            Said::Unknown(sentence) => {
                self.notice = Some(sentence);
                None
            }
        }
    }

    /// The screen that is on top.
    pub fn scope(&self) -> Scope {
        match &self.layer {
            Layer::Lesson(screen) => screen.scope(),
            _ => Scope::Home,
        }
    }

    /// Where a key would be pressed now.
    pub fn place(&self) -> Place {
        match &self.layer {
            Layer::Lesson(screen) => screen.place_of_keys(),
            _ => Place::Over(Scope::Home),
        }
    }

    /// Whether a command does anything now.
    pub fn works(&self, command: Command) -> bool {
        match &self.layer {
            Layer::Lesson(screen) => screen.works(command),
            _ => true,
        }
    }
}

/// Other colours by name; without a name the next ones. What came of it, as a sentence.
fn restyle(theme: &mut Theme, name: &str) -> Result<String, String> {
    let all = Palette::ALL;
    theme.palette = match name {
        "" => {
            let here = all.iter().position(|palette| *palette == theme.palette).unwrap_or(0);
            all[(here + 1) % all.len()]
        }
        "auto" => Theme::choose(Look::default(), &Told::by_environment()).palette,
        name => Palette::named(name).ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|palette| palette.name()).collect();
            format!("There is no theme `{name}`: {}, or auto.", names.join(", "))
        })?,
    };
    let name = theme.palette.name();
    Ok(format!("Theme {name}. To keep it: theme = \"{name}\" in the settings file (`egress-lab settings` names it)."))
}

fn mouse_sentence(on: bool) -> &'static str {
    match on {
        true => "The mouse wheel scrolls now. m hands the mouse back; until then Shift and dragging selects in most terminals.",
        false => "The mouse is the terminal's again.",
    }
}
