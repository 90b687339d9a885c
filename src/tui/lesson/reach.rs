//! What leaves the screen and what the mouse does: copying what has the focus, and the wheel.

use super::{LessonScreen, Side, document, evidence, steps};
use crate::session::transcript::Sort;
use crate::tui::keymap::Command;
use crate::tui::layout::Focus;
use crate::tui::theme::Theme;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;

/// Lines that one turn of the wheel moves.
const WHEEL: usize = 3;
/// Columns at which nothing wraps.
const UNWRAPPED: usize = 10_000;

impl LessonScreen {
    /// Copies what has the focus: the output of the last command, the step's text, the steps or the evidence.
    pub(super) fn copy_focused(&mut self) {
        let text = match self.view.focus {
            Focus::Prompt | Focus::Output => self.last_output(),
            Focus::Text if self.is_covered() => self.side_text(self.view.side),
            Focus::Text => self.side_text(Side::Text),
            Focus::Aside => self.side_text(self.aside()),
        };
        match text.trim().is_empty() {
            true => self.view.notice = Some("There is nothing to copy here yet.".into()),
            false => self.copy = Some(text),
        }
    }

    fn side_text(&self, side: Side) -> String {
        let lines: Vec<Line<'static>> = match side {
            Side::Text => document::lines(&self.session, UNWRAPPED, Theme::PLAIN),
            Side::Steps => steps::lines(&self.session, None, 78, Theme::PLAIN).0,
            Side::Evidence => evidence::lines(&self.session, UNWRAPPED, Theme::PLAIN),
        };
        lines.iter().map(|line| format!("{}\n", line.to_string().trim_end())).collect()
    }

    /// What was typed last, and what came of it, as whole lines.
    fn last_output(&self) -> String {
        let transcript = self.session.transcript();
        let open = transcript.open_line().map(|(line, _)| line);
        let lines: Vec<_> = transcript.lines().chain(open.as_ref()).collect();
        let is_typed = |nth: usize| lines[nth].sort == Sort::Typed;
        let last = (0..lines.len()).rev().find(|nth| is_typed(*nth)).unwrap_or(0);
        let first = (0..=last).rev().take_while(|nth| lines.get(*nth).is_some_and(|line| line.sort == Sort::Typed)).last();
        let mark = |nth: usize| if is_typed(nth) && Some(nth) == first { "$ " } else { "" };
        (first.unwrap_or(last)..lines.len()).map(|nth| format!("{}{}\n", mark(nth), lines[nth].text)).collect()
    }

    /// The wheel scrolls what is below the pointer.
    pub fn wheel(&mut self, event: &MouseEvent) {
        let command = match event.kind {
            MouseEventKind::ScrollUp => Command::Up,
            MouseEventKind::ScrollDown => Command::Down,
            _ => return,
        };
        if !self.over.is_empty() {
            let code = if command == Command::Up { KeyCode::Up } else { KeyCode::Down };
            for _ in 0..WHEEL {
                self.over_key(&KeyEvent::new(code, KeyModifiers::NONE));
            }
            return;
        }
        let panes = self.panes(Theme::PLAIN);
        let at = Position::new(event.column, event.row);
        let over = |area: Option<Rect>| area.is_some_and(|area| area.contains(at));
        let target = match () {
            () if over(panes.text) => Focus::Text,
            () if over(panes.aside) => Focus::Aside,
            () if over(panes.output) => Focus::Output,
            () => return,
        };
        let focus = std::mem::replace(&mut self.view.focus, target);
        (0..WHEEL).for_each(|_| self.scroll(command));
        self.view.focus = focus;
    }
}
