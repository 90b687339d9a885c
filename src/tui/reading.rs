//! Screens to read in, over the lesson's: looking back at a stage, and the glossary. The same texts as plain mode prints.

mod glossary;

pub use glossary::Glossary;

use super::frame::{self, Pane};
use super::keymap::{Command, Scope};
use super::over::{Over, Reach, Then};
use super::scroll::Scroll;
use super::theme::Theme;
use crate::lesson::layout::layout;
use crate::lesson::model::Stage;
use crate::session::Session;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::{Rect, Size};
use ratatui::text::{Line, Span};

/// Columns that read well.
const MEASURE: usize = 76;

/// What worked in a stage and why, and what often goes wrong.
pub struct Debrief {
    stage: Stage,
    scroll: Scroll,
}

impl Debrief {
    pub fn new(stage: &Stage) -> Debrief {
        Debrief { stage: stage.clone(), scroll: Scroll(0) }
    }

    fn lines(&self, columns: usize, theme: Theme) -> Vec<Line<'static>> {
        let text = layout(&self.stage.debrief, columns.min(MEASURE));
        text.into_iter()
            .map(|line| line.into_iter().map(|run| Span::styled(run.text, theme.mark(run.mark))).collect::<Vec<_>>().into())
            .collect()
    }
}

/// Columns and rows of an [`Over`]'s text on a terminal.
fn room(size: Size) -> (usize, usize) {
    (usize::from(size.width).saturating_sub(1), usize::from(size.height).saturating_sub(4))
}

impl Over for Debrief {
    fn title(&self, _session: &Session) -> String {
        format!("Looking back: {}", self.stage.title)
    }

    fn scope(&self) -> Scope {
        Scope::Reading
    }

    fn offers(&self) -> Vec<Command> {
        vec![Command::Leave, Command::Down, Command::PageDown, Command::Help]
    }

    fn key(&mut self, key: &KeyEvent, command: Option<Command>, reach: &mut Reach<'_>) -> Then {
        let (columns, rows) = room(reach.size);
        let lines = self.lines(columns, Theme::PLAIN).len();
        match command {
            Some(Command::Leave) => Then::Close,
            Some(command) if self.scroll.moved(command, lines, rows) => Then::Stay,
            _ if matches!(key.code, KeyCode::Enter | KeyCode::Char('q')) => Then::Close,
            _ => Then::Stay,
        }
    }

    fn draw(&self, _session: &Session, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
        let lines = self.lines(usize::from(area.width).saturating_sub(1), theme);
        let keys = Some("PageDown");
        let title = "Why it worked, and what often goes wrong";
        frame::pane(frame, area, &Pane { title, focused: true, lines: &lines, scroll: self.scroll, keys }, theme);
    }
}
