//! The line that `:` opens at the bottom of any screen.

use super::complete;
use crate::session::History;
use crate::tui::frame;
use crate::tui::keymap::Scope;
use crate::tui::prompt::Prompt;
use crate::tui::prompt::complete::Completion;
use crate::tui::theme::{Theme, Tone};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;
use ratatui::widgets::Clear;

/// A line that is being typed.
#[derive(Debug)]
pub struct CommandLine {
    /// With its colon.
    prompt: Prompt,
    completion: Option<Completion>,
    scope: Scope,
}

/// What became of a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    Stay,
    /// The line is given up.
    Close,
    Done(String),
}

impl CommandLine {
    /// An empty line on a screen.
    pub fn new(scope: Scope) -> CommandLine {
        let mut prompt = Prompt::default();
        prompt.set(":");
        CommandLine { prompt, completion: None, scope }
    }

    /// The screen below.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Takes a key; `past` are earlier lines.
    pub fn key(&mut self, key: &KeyEvent, past: &History, lab: &[&str]) -> Typed {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc if self.completion.is_some() => self.withdraw(),
            KeyCode::Esc => return Typed::Close,
            KeyCode::Char('c' | 'd') if control => return Typed::Close,
            KeyCode::Enter => return Typed::Done(self.prompt.take()),
            KeyCode::Tab => self.tab(false, lab),
            KeyCode::BackTab => self.tab(true, lab),
            _ => {
                self.completion = None;
                self.prompt.key(key, past);
                // What is left of the colon is gone: so is the line.
                if !self.prompt.text().starts_with(':') {
                    return Typed::Close;
                }
            }
        }
        Typed::Stay
    }

    /// Takes a paste; only its first line.
    pub fn paste(&mut self, text: &str) {
        self.completion = None;
        self.prompt.insert(text.lines().next().unwrap_or_default());
    }

    fn withdraw(&mut self) {
        if let Some(completion) = self.completion.take() {
            completion.withdraw(&mut self.prompt);
        }
    }

    fn tab(&mut self, back: bool, lab: &[&str]) {
        if let Some(completion) = &mut self.completion {
            return completion.step(&mut self.prompt, back);
        }
        if self.prompt.at_end() {
            let found = complete(self.prompt.text(), self.scope, lab);
            self.completion = Completion::offer(&mut self.prompt, found);
        }
    }

    /// Draws the line in the last row of an area, and its candidates above.
    pub fn draw(&self, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
        let columns = usize::from(area.width);
        let mut lines = self.completion.as_ref().map_or(Vec::new(), |completion| completion.lines(columns, theme));
        let text = self.prompt.text();
        let before: String = text.chars().take(self.prompt.cursor()).collect();
        let cut = crate::base::text::width(&before).saturating_sub(columns.saturating_sub(2));
        let shown: String = text.chars().skip(cut).collect();
        lines.push(Line::styled(shown, theme.style(Tone::Strong)));
        let height = (lines.len() as u16).min(area.height);
        let place = Rect { y: area.bottom() - height, height, ..area };
        frame.render_widget(Clear, place);
        let first = lines.len() - usize::from(height);
        for (nth, line) in lines.iter().skip(first).enumerate() {
            frame::line(frame, place, nth, line);
        }
        let column = crate::base::text::width(&before) - cut;
        frame.set_cursor_position(Position::new(area.x + column as u16, area.bottom() - 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(line: &mut CommandLine, code: KeyCode) -> Typed {
        line.key(&KeyEvent::new(code, KeyModifiers::NONE), &History::default(), &["kubectl"])
    }

    #[test]
    fn a_line_is_typed_completed_and_done() {
        let mut line = CommandLine::new(Scope::Lesson);
        "the".chars().for_each(|c| drop(press(&mut line, KeyCode::Char(c))));
        press(&mut line, KeyCode::Tab);
        "da".chars().for_each(|c| drop(press(&mut line, KeyCode::Char(c))));
        press(&mut line, KeyCode::Tab);
        assert_eq!(press(&mut line, KeyCode::Enter), Typed::Done(":theme dark ".into()));
        let mut line = CommandLine::new(Scope::Lesson);
        assert_eq!(press(&mut line, KeyCode::Backspace), Typed::Close, "without its colon it is over");
        assert_eq!(press(&mut CommandLine::new(Scope::Home), KeyCode::Esc), Typed::Close);
    }

    #[test]
    fn esc_first_gives_back_what_was_typed() {
        let mut line = CommandLine::new(Scope::Lesson);
        press(&mut line, KeyCode::Char('t'));
        press(&mut line, KeyCode::Tab);
        press(&mut line, KeyCode::Tab);
        assert!(line.prompt.text().len() > 2);
        assert_eq!(press(&mut line, KeyCode::Esc), Typed::Stay);
        assert_eq!(line.prompt.text(), ":t");
    }
}
