//! The learner's own shell in a pane: a terminal within the terminal. What programs show is parsed into a grid and drawn from it; keys
//! go to them as a terminal sends them. Closing the pane hides it; the shell runs on until it ends or the lesson does.

mod encode;
mod grid;

use super::keymap::{Command, Scope};
use super::over::{Over, Reach, Then};
use super::theme::Theme;
use crate::session::own_shell::{ShellCall, ShellNews};
use crate::session::{Effect, Session};
use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::{Position, Rect, Size};
use std::num::NonZeroU16;

/// Rows kept above the screen.
const SCROLLBACK: usize = 5_000;
/// Bytes of one paste.
const MAX_PASTE: usize = 1 << 20;
/// Bytes of answers to a program's questions that may wait.
const MAX_REPLIES: usize = 4_096;

/// The pane.
pub struct Shell {
    parser: vt100::Parser<Replies>,
    /// The program's name, empty until it runs.
    program: String,
}

/// What programs ask a terminal and wait for: where the cursor is, what it is.
#[derive(Debug, Default)]
struct Replies(Vec<u8>);

impl vt100::Callbacks for Replies {
    fn unhandled_csi(&mut self, screen: &mut vt100::Screen, first: Option<u8>, _: Option<u8>, params: &[&[u16]], last: char) {
        let asked = params.first().and_then(|param| param.first()).copied().unwrap_or(0);
        let reply = match (first, last, asked) {
            (None, 'n', 5) => "\u{1b}[0n".to_string(),
            (None, 'n', 6) => {
                let (row, column) = screen.cursor_position();
                format!("\u{1b}[{};{}R", row + 1, column + 1)
            }
            (None, 'c', 0) => "\u{1b}[?62;22c".to_string(),
            (Some(b'>'), 'c', 0) => "\u{1b}[>0;10;0c".to_string(),
            _ => return,
        };
        if self.0.len() < MAX_REPLIES {
            self.0.extend(reply.into_bytes());
        }
    }
}

/// Columns and rows of the pane on a terminal.
fn room(size: Size) -> (u16, u16) {
    (size.width.max(8), size.height.saturating_sub(3).max(2))
}

fn at_least_one(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).unwrap_or(NonZeroU16::MIN)
}

impl Shell {
    /// A pane for a terminal of this size; the shell is started when it is opened.
    pub fn new(size: Size) -> Shell {
        let (cols, rows) = room(size);
        let parser = vt100::Parser::new_with_callbacks(at_least_one(rows), at_least_one(cols), SCROLLBACK, Replies::default());
        Shell { parser, program: String::new() }
    }

    fn send(&mut self, bytes: Vec<u8>, reach: &mut Reach<'_>) {
        self.parser.screen_mut().set_scrollback(0);
        (reach.effects)(Effect::Shell(ShellCall::Input(bytes)));
    }

    fn scroll(&mut self, up: bool) {
        let page = usize::from(self.parser.screen().size().0.get()).saturating_sub(1).max(1);
        let now = self.parser.screen().scrollback();
        self.parser.screen_mut().set_scrollback(if up { now + page } else { now.saturating_sub(page) });
    }
}

impl Over for Shell {
    fn title(&self, _session: &Session) -> String {
        let program = if self.program.is_empty() { "starting ..." } else { self.program.as_str() };
        match self.parser.screen().scrollback() {
            0 => format!("Your shell: {program}"),
            back => format!("Your shell: {program}, {back} rows back"),
        }
    }

    fn scope(&self) -> Scope {
        Scope::Shell
    }

    fn offers(&self) -> Vec<Command> {
        vec![Command::Shell, Command::PageUp, Command::PageDown]
    }

    fn opened(&mut self, reach: &mut Reach<'_>) {
        let (cols, rows) = room(reach.size);
        (reach.effects)(Effect::Shell(ShellCall::Open { cols, rows }));
    }

    fn key(&mut self, key: &KeyEvent, command: Option<Command>, reach: &mut Reach<'_>) -> Then {
        match command {
            Some(Command::Shell) => return Then::Hide,
            Some(Command::PageUp) => self.scroll(true),
            Some(Command::PageDown) => self.scroll(false),
            _ => {
                if let Some(bytes) = encode::bytes(key, self.parser.screen().application_cursor()) {
                    self.send(bytes, reach);
                }
            }
        }
        Then::Stay
    }

    fn has_program(&self) -> bool {
        true
    }

    fn paste(&mut self, text: &str, reach: &mut Reach<'_>) -> Then {
        if text.len() > MAX_PASTE {
            return Then::Say("That is too much to paste at once; put it into a file.".into());
        }
        let bracketed = self.parser.screen().bracketed_paste();
        self.send(encode::paste(text, bracketed), reach);
        Then::Stay
    }

    fn news(&mut self, news: &ShellNews, reach: &mut Reach<'_>) {
        match news {
            ShellNews::Opened(program) => self.program = program.clone(),
            ShellNews::Output(bytes) => {
                self.parser.process(bytes);
                let replies = std::mem::take(&mut self.parser.callbacks_mut().0);
                (reach.effects)(Effect::Shell(ShellCall::Taken));
                if !replies.is_empty() {
                    (reach.effects)(Effect::Shell(ShellCall::Input(replies)));
                }
            }
            ShellNews::Ended(_) => (),
        }
    }

    fn resized(&mut self, reach: &mut Reach<'_>) {
        let (cols, rows) = room(reach.size);
        self.parser.set_size(at_least_one(rows), at_least_one(cols));
        (reach.effects)(Effect::Shell(ShellCall::Resize { cols, rows }));
    }

    fn draw(&self, _session: &Session, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
        let screen = self.parser.screen();
        grid::draw(screen, area, theme, frame.buffer_mut());
        let (row, column) = screen.cursor_position();
        if !screen.hide_cursor() && screen.scrollback() == 0 && row < area.height && column < area.width {
            frame.set_cursor_position(Position { x: area.x + column, y: area.y + row });
        }
    }
}

#[cfg(test)]
mod tests;
