//! Screens that lie over the lesson's: the time-line, the browser, the editor. Each is one [`Over`] in a file of its own; the lesson's
//! screen keeps them in a pile, hands the top one keys, pastes and answers, and draws it in its place.

use super::keymap::{self, Command, Place, Scope};
use super::theme::Theme;
use crate::base::clock::Time;
use crate::session::desk::{Answer, AskId, Request};
use crate::session::own_shell::ShellNews;
use crate::session::{Effect, Session};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Frame;
use ratatui::layout::{Rect, Size};

/// What is to happen after a screen took a key.
pub enum Then {
    Stay,
    /// Closes this screen.
    Close,
    /// Takes this screen away and keeps it for later.
    Hide,
    /// Closes this screen and every one below it, and runs a line as if it had been typed.
    Run(String),
    /// Lays another screen over this one.
    Open(Box<dyn Over>),
    /// Copies a text.
    Copy(String),
    /// Says a sentence on the line above the footer until the next key.
    Say(String),
    /// Closes this screen and says a sentence.
    Leave(String),
    /// Opens the learner's own editor on a text; what it gives back comes to [`Over::edited`].
    Edit {
        name: String,
        text: String,
    },
}

/// What a screen reaches while it takes a key or an answer.
pub struct Reach<'a> {
    pub session: &'a Session,
    /// The whole terminal.
    pub size: Size,
    pub asks: &'a mut Asks,
    pub effects: &'a mut (dyn FnMut(Effect) + Send),
}

/// Numbers of questions.
#[derive(Debug, Default)]
pub struct Asks(u64);

impl Asks {
    /// A number that no question of this screen had.
    pub fn fresh(&mut self) -> AskId {
        self.0 += 1;
        AskId(self.0)
    }
}

impl Reach<'_> {
    /// Asks the lab; the answer comes to [`Over::answered`] with this number.
    pub fn ask(&mut self, request: Request) -> AskId {
        let id = self.asks.fresh();
        (self.effects)(Effect::Ask { id, request });
        id
    }
}

/// A screen over the lesson's. Drawn in the whole terminal but for the header, the line of notices and the footer.
pub trait Over: Send {
    /// The header's left side.
    fn title(&self, session: &Session) -> String;
    /// Whose rows of the keymap its keys are.
    fn scope(&self) -> Scope;
    /// Whether plain characters are text here (an editor, a filter that is typed) and so never commands.
    fn types(&self) -> bool {
        false
    }
    /// What the footer offers, most useful first.
    fn offers(&self) -> Vec<Command>;
    /// Called once, before the first frame.
    fn opened(&mut self, _reach: &mut Reach<'_>) {}
    /// Takes a key. `command` is what the keymap has for it at [`Over::scope`].
    fn key(&mut self, key: &KeyEvent, command: Option<Command>, reach: &mut Reach<'_>) -> Then;
    /// Takes a command by its word after `:`.
    fn said(&mut self, command: Command, reach: &mut Reach<'_>) -> Then {
        self.key(&KeyEvent::new(KeyCode::Null, KeyModifiers::NONE), Some(command), reach)
    }
    /// Why this screen may not be closed from outside: a sentence on what would be lost.
    fn holds(&self) -> Option<String> {
        None
    }
    /// Takes a paste as one edit.
    fn paste(&mut self, _text: &str, _reach: &mut Reach<'_>) -> Then {
        Then::Stay
    }
    /// Whether a program reads the keys here, Ctrl-Z among them.
    fn has_program(&self) -> bool {
        false
    }
    /// Takes an answer. False when it did not ask this.
    fn answered(&mut self, _id: AskId, _answer: &Result<Answer, String>, _reach: &mut Reach<'_>) -> bool {
        false
    }
    /// Asked after an answer was taken: what follows from it.
    fn next(&mut self) -> Then {
        Then::Stay
    }
    /// The learner's own editor gave a text back, or could not.
    fn edited(&mut self, _result: Result<String, String>, _reach: &mut Reach<'_>) -> Then {
        Then::Stay
    }
    /// The terminal has another size.
    fn resized(&mut self, _reach: &mut Reach<'_>) {}
    /// The shown step was judged anew: for screens that show what the checks found.
    fn judged(&mut self, _reach: &mut Reach<'_>) {}
    /// The learner's shell began, showed something or ended: for its pane, hidden or not.
    fn news(&mut self, _news: &ShellNews, _reach: &mut Reach<'_>) {}
    /// Whether something on it moves on its own. Asked only where things may.
    fn is_moving(&self) -> bool {
        false
    }
    /// Time has passed; called before each frame while something moves.
    fn tick(&mut self, _now: Time) {}
    /// Draws itself; sets the cursor if it has one.
    fn draw(&self, session: &Session, area: Rect, theme: Theme, frame: &mut Frame<'_>);
}

/// The command of a key on a screen.
pub fn command(over: &dyn Over, key: &KeyEvent) -> Option<Command> {
    if over.types() && keymap::is_text(key) {
        return None;
    }
    keymap::find(key, Place::Over(over.scope()))
}
