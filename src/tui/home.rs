//! The first screen: the lessons and how far each is.

use super::Start;
use super::keymap::Command;
use super::theme::{Theme, Tone};
use crate::base::text::{count, wrap};
use crate::lesson::layout::{layout, text_of};
use crate::lesson::model::Lesson;
use crate::progress::Calibration;
use crate::session::Session;
use ratatui::text::{Line, Span};
use std::collections::BTreeMap;

/// Which lesson is marked, and what was done since the start.
#[derive(Debug, Default)]
pub struct Home {
    pub selected: usize,
    /// Steps done of lessons that were opened, by id: newer than the journal that the screen started with.
    done: BTreeMap<String, usize>,
    /// The same of predictions.
    judged: BTreeMap<String, Calibration>,
}

impl Home {
    /// Marks the first lesson that was begun and not finished, else the first.
    pub fn at(start: &Start) -> Home {
        let begun = |lesson: &Lesson| (1..lesson.steps.len()).contains(&start.progress.done_in(&lesson.id, lesson.version));
        Home { selected: start.lessons.iter().position(|lesson| begun(lesson)).unwrap_or(0), ..Home::default() }
    }

    /// Takes note of how far a session came.
    pub fn went_through(&mut self, session: &Session) {
        self.done.insert(session.lesson().id.clone(), session.done());
        self.judged.insert(session.lesson().id.clone(), session.calibration());
    }

    /// Moves the mark; false when the command does not move.
    pub fn moved(&mut self, command: Command, lessons: usize) -> bool {
        let last = lessons.saturating_sub(1);
        self.selected = match command {
            Command::Up => self.selected.saturating_sub(1),
            Command::Down | Command::Focus => (self.selected + 1).min(last),
            Command::Top | Command::PageUp => 0,
            Command::Bottom | Command::PageDown => last,
            _ => return false,
        };
        true
    }

    fn done(&self, start: &Start, lesson: &Lesson) -> usize {
        self.done.get(&lesson.id).copied().unwrap_or_else(|| start.progress.done_in(&lesson.id, lesson.version))
    }

    fn calibration(&self, start: &Start, lesson: &Lesson) -> Calibration {
        self.judged.get(&lesson.id).copied().unwrap_or_else(|| start.progress.calibration(&lesson.id, lesson.version))
    }

    /// The screen's lines.
    pub fn lines(&self, start: &Start, columns: usize, theme: Theme) -> Vec<Line<'static>> {
        let measure = columns.saturating_sub(4).min(76);
        let mut lines = vec![Line::default()];
        let welcome = "Learn to control the traffic that leaves an Istio service mesh. Everything runs inside this program: a small \
                       cluster, the outside world, kubectl and istioctl. Nothing on this machine is changed.";
        lines.extend(wrap(welcome, measure, 0).into_iter().map(|text| Line::from(format!("  {text}"))));
        lines.push(Line::default());
        for (nth, lesson) in start.lessons.iter().enumerate() {
            lines.extend(self.entry(start, lesson, nth == self.selected, columns, theme));
        }
        if let Some(lesson) = start.lessons.get(self.selected) {
            lines.push(Line::default());
            lines.extend(about(lesson, measure, theme));
        }
        lines
    }

    fn entry(&self, start: &Start, lesson: &Lesson, selected: bool, columns: usize, theme: Theme) -> Vec<Line<'static>> {
        let (done, all) = (self.done(start, lesson), lesson.steps.len());
        let state = match done {
            0 => "not begun".to_string(),
            n if n == all => "finished".to_string(),
            n => format!("{n} of {all} steps done"),
        };
        let mark = if selected { "> " } else { "  " };
        let style = theme.style(if selected { Tone::Focus } else { Tone::Strong });
        let facts = format!("    {}, about {} min, {state}", count(all, "step"), lesson.minutes);
        let mut lines = vec![
            Line::from(vec![Span::raw(mark), Span::styled(format!(" {} ", lesson.title), style)]),
            Line::styled(facts, theme.style(Tone::Plain)),
        ];
        let judged = self.calibration(start, lesson).sentences().join(" ");
        if !judged.is_empty() {
            let room = columns.saturating_sub(6).min(76);
            lines.extend(
                wrap(&judged, room, 0).into_iter().map(|text| Line::styled(format!("    {text}"), theme.style(Tone::Quiet))),
            );
        }
        lines
    }
}

/// What a lesson is about.
pub fn about(lesson: &Lesson, measure: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut lines: Vec<Line<'static>> =
        text_of(&layout(&lesson.summary, measure)).into_iter().map(|text| Line::from(format!("  {text}"))).collect();
    if !lesson.objectives.is_empty() {
        lines.push(Line::default());
        lines.push(Line::styled("  You will", theme.style(Tone::Strong)));
        for objective in &lesson.objectives {
            lines.extend(wrap(&format!("- {objective}"), measure, 2).into_iter().map(|text| Line::from(format!("  {text}"))));
        }
    }
    lines
}
