//! The screen: draws a `&Session`, turns keys into [`Event`]s, hands [`Effect`]s to a driver through a link. Never awaits, never
//! touches a cluster, never evaluates a check.
//!
//! One thread, one channel of [`Message`]s, one loop: take all that waits, then draw once.

pub mod again;
pub mod app;
pub mod browser;
pub mod clipboard;
pub mod command;
pub mod diff;
pub mod editor;
pub mod frame;
pub mod help;
pub mod home;
pub mod keymap;
pub mod layout;
pub mod lesson;
pub mod links;
pub mod manifest;
pub mod over;
pub mod picture;
pub mod prompt;
pub mod reading;
pub mod scroll;
pub mod shell;
pub mod terminal;
pub mod theme;
pub mod timeline;

use crate::lesson::model::Lesson;
use crate::progress::Summary;
use crate::session::{Effect, Event, Session, Wish};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use theme::Theme;

/// Messages that may wait for the terminal thread; senders block beyond.
const QUEUE: usize = 4096;

/// What the screen starts with.
pub struct Start {
    pub lessons: Vec<Arc<Lesson>>,
    pub progress: Summary,
    /// The lesson to open at once; `None` shows the home screen first.
    pub lesson: Option<usize>,
    /// What the status bar calls the environment: `sandbox, Istio 1.30`.
    pub environment: String,
    /// Asks the lab side to open a lesson (an index into `lessons`) for a screen of this many columns and rows. Must return at
    /// once; the answer is [`Inbox::opened`]. Events of the lesson's driver go to the same inbox.
    pub open: Opener,
    pub rules: Rules,
    /// Keys type the lesson's commands, for an audience.
    pub present: bool,
    /// Colours, character set and motion, as flags, environment and settings have them.
    pub look: Theme,
    /// The mouse is taken from the start.
    pub mouse: bool,
    /// The learner's own editor, as the settings have it.
    pub editor: editor::Chosen,
}

/// See [`Start::open`].
pub type Opener = Box<dyn FnMut(usize, (u16, u16), Inbox)>;

/// What the screen asks about lines without knowing the prompt that runs them.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Whether a line is whole, or an open quote or here-document asks for more.
    pub is_complete: fn(&str) -> bool,
    /// What a line reads while it runs.
    pub reads: fn(&str) -> Reads,
    /// The wish that a line of one word stands for (`hint`, `next`).
    pub wish: fn(&str) -> Option<Wish>,
    /// The words that lines of the lab prompt begin with.
    pub words: fn() -> Vec<&'static str>,
    /// Texts are edited on the screen, not in the learner's own editor.
    pub own_editor: bool,
}

/// What a running line takes from the keyboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// Interrupts only.
    Nothing,
    /// Whole lines (`kubectl apply -f -`).
    Lines,
    /// Every key, as a terminal sends it (`kubectl exec -ti`).
    Keys,
}

/// An opened lesson: its session, not yet started, and who performs its effects.
pub struct Link {
    pub session: Session,
    /// Must return at once. Dropping it ends the driver.
    pub effects: Box<dyn FnMut(Effect) + Send>,
    /// What the status bar calls the environment; `None` keeps what [`Start`] said.
    pub environment: Option<String>,
    /// Where the lab's files are, for the learner's own tools.
    pub folder: Option<PathBuf>,
}

/// Everything that can reach the terminal thread.
pub enum Message {
    Terminal(crossterm::event::Event),
    /// The terminal cannot be read any more.
    TerminalGone,
    /// A session's event, and the number of the opening that it belongs to.
    Session(u64, Event),
    Opened(u64, Result<Box<Link>, String>),
    /// Somebody wants a text edited; answered through its reply.
    Edit(editor::Job),
    /// What the learner's own editor gave back to the screen that asked for it.
    Edited(Result<String, String>),
    /// A signal that ends the program, by number.
    Signal(i32),
    /// A signal asks the program to stop (SIGTSTP).
    Stop,
    /// The program goes on after a stop (SIGCONT).
    Continued,
    /// Another thread broke; what it said.
    Broken(String),
}

/// A way to the terminal thread. Cheap to clone; sending to a screen that is gone does nothing.
#[derive(Clone)]
pub struct Inbox {
    sender: SyncSender<Message>,
    /// The opening of a lesson that events belong to; those of another one are dropped.
    opening: u64,
}

/// How the screen ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Left,
    /// The terminal is gone.
    TerminalGone,
    /// By this signal.
    Signal(i32),
}

/// An inbox, and what [`run`] reads it from.
pub fn inbox() -> (Inbox, Receiver<Message>) {
    let (sender, receiver) = sync_channel(QUEUE);
    (Inbox { sender, opening: 0 }, receiver)
}

impl Inbox {
    /// A session's event. False when the screen is gone.
    pub fn event(&self, event: Event) -> bool {
        self.send(Message::Session(self.opening, event))
    }

    /// The answer to [`Start::open`].
    pub fn opened(&self, link: Result<Link, String>) {
        self.send(Message::Opened(self.opening, link.map(Box::new)));
    }

    /// A signal arrived that is to end the program.
    pub fn signal(&self, number: i32) {
        self.send(Message::Signal(number));
    }

    /// A signal arrived that is to stop the program, until it is let go on.
    pub fn stop(&self) {
        self.send(Message::Stop);
    }

    /// The program goes on after a stop.
    pub fn continued(&self) {
        self.send(Message::Continued);
    }

    pub(crate) fn send(&self, message: Message) -> bool {
        self.sender.send(message).is_ok()
    }

    /// As [`Inbox::send`], but drops the message rather than wait.
    pub(crate) fn try_send(&self, message: Message) {
        let _ = self.sender.try_send(message);
    }

    pub(crate) fn for_opening(&self, opening: u64) -> Inbox {
        Inbox { sender: self.sender.clone(), opening }
    }
}

/// Takes the terminal, runs until the learner leaves, gives the terminal back.
///
/// # Errors
/// No terminal, one that can do nothing, or one that cannot be written to; a sentence for people.
pub fn run(inbox: Inbox, messages: &Receiver<Message>, start: Start) -> Result<Ended, String> {
    terminal::usable()?;
    let mut screen = terminal::Screen::enter(&inbox).map_err(|e| format!("the terminal could not be set up: {e}"))?;
    let size = screen.size();
    let look = start.look;
    let mut app = app::App::new(start, inbox, look, size);
    app.links = links::taken(&|name| std::env::var(name).ok());
    app.begin();
    let ended = screen.run(&mut app, messages);
    drop(screen);
    ended.map_err(|e| format!("the terminal could not be written to: {e}"))
}

#[cfg(test)]
mod tests;
