//! The list of steps, by stage.

use crate::base::text::clip;
use crate::session::{Session, StepState};
use crate::tui::theme::{Theme, Tone};
use ratatui::text::{Line, Span};

/// Columns of the word for a step's state.
const WORD: usize = 10;

/// The list's lines, and the line of each step.
pub fn lines(session: &Session, marked: Option<usize>, columns: usize, theme: Theme) -> (Vec<Line<'static>>, Vec<usize>) {
    let (mut lines, mut places) = (vec![progress(session, columns, theme)], Vec::new());
    let lesson = session.lesson();
    let mut stage = "";
    for (nth, step) in lesson.steps.iter().enumerate() {
        if step.stage != stage {
            stage = &step.stage;
            let title = lesson.stage(stage).map_or(stage, |stage| stage.title.as_str());
            let of = stage_done(session, stage);
            let title = clip(title, columns.saturating_sub(of.len() + 2), theme.ascii);
            lines.push(Line::styled(format!("{title}  {of}"), theme.style(Tone::Strong)));
        }
        places.push(lines.len());
        lines.push(row(session, nth, marked == Some(nth), columns, theme));
    }
    (lines, places)
}

/// `[######......]  5 of 10 steps done`.
fn progress(session: &Session, columns: usize, theme: Theme) -> Line<'static> {
    let (done, all) = (session.done(), session.steps().len().max(1));
    let words = format!("  {done} of {all} steps done");
    let cells = columns.saturating_sub(words.len() + 2).min(30);
    let full = cells * done / all;
    Line::from(vec![
        Span::styled("[", theme.style(Tone::Quiet)),
        Span::styled("#".repeat(full), theme.style(Tone::Good)),
        Span::styled(format!("{}]", ".".repeat(cells - full)), theme.style(Tone::Quiet)),
        Span::raw(words),
    ])
}

/// `2/3`: how many steps of a stage are done.
fn stage_done(session: &Session, stage: &str) -> String {
    let steps = session.lesson().steps.iter().zip(session.steps()).filter(|(step, _)| step.stage == stage);
    let (done, all) = steps.fold((0, 0), |(done, all), (_, run)| (done + usize::from(run.is_done()), all + 1));
    format!("{done}/{all}")
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
