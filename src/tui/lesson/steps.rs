//! The list of steps, by stage.

use crate::base::text::clip;
use crate::session::{Session, StepState};
use crate::tui::theme::{Theme, Tone};
use ratatui::text::{Line, Span};

/// Columns of the word for a step's state.
const WORD: usize = 10;

/// The list's lines, and the line of each step.
pub fn lines(session: &Session, marked: Option<usize>, columns: usize, theme: Theme) -> (Vec<Line<'static>>, Vec<usize>) {
    let (mut lines, mut places) = (Vec::new(), Vec::new());
    let lesson = session.lesson();
    let mut stage = "";
    for (nth, step) in lesson.steps.iter().enumerate() {
        if step.stage != stage {
            stage = &step.stage;
            let title = lesson.stage(stage).map_or(stage, |stage| stage.title.as_str());
            lines.push(Line::styled(clip(title, columns, theme.ascii), theme.style(Tone::Strong)));
        }
        places.push(lines.len());
        lines.push(row(session, nth, marked == Some(nth), columns, theme));
    }
    (lines, places)
}

fn row(session: &Session, nth: usize, marked: bool, columns: usize, theme: Theme) -> Line<'static> {
    let step = &session.lesson().steps[nth];
    let run = &session.steps()[nth];
    let (mark, word, style) = match (run.state, nth > session.front()) {
        (StepState::NotStarted, false) => theme.state(StepState::Active),
        (StepState::NotStarted, true) => (" ", "later", theme.style(Tone::Quiet)),
        (state, _) => theme.state(state),
    };
    let room = columns.saturating_sub(WORD + 7).max(8);
    let title = clip(&step.title, room, theme.ascii);
    let pad = " ".repeat(room.saturating_sub(crate::base::text::width(&title)) + 1);
    let here = if nth == session.shown() { Tone::Strong } else { Tone::Plain };
    let text = theme.style(if marked { Tone::Focus } else { here });
    Line::from(vec![
        Span::styled(format!("{mark} "), style),
        Span::styled(format!("{:>2} {title}", nth + 1), text),
        Span::raw(pad),
        Span::styled(word, style),
    ])
}
