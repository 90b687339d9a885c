//! The sentence above the prompt: a question to the learner, what runs, how the step stands, what to do next. One at a time, the
//! most urgent first.

use super::{LessonScreen, Side, evidence};
use crate::base::text::{clip, wrap};
use crate::finding::Verdict;
use crate::lesson::model::{Expected, StepKind};
use crate::session::{Ask, ResetScope, Session, StepState};
use crate::tui::layout::{self, Focus};
use crate::tui::theme::{Theme, Tone};
use ratatui::text::Line;

/// Rows that it may take.
const MAX_ROWS: usize = 3;

/// The sentence, wrapped; at least one line.
pub fn lines(screen: &LessonScreen, columns: usize, theme: Theme) -> Vec<Line<'static>> {
    let (tone, text) = sentence(screen);
    let mut rows = wrap(&text, columns.saturating_sub(1), 0);
    if rows.len() > MAX_ROWS {
        rows.truncate(MAX_ROWS);
        if let Some(last) = rows.last_mut() {
            *last = clip(&format!("{last} ..."), columns.saturating_sub(1), true);
        }
    }
    rows.into_iter().map(|row| Line::styled(row, theme.style(tone))).collect()
}

fn sentence(screen: &LessonScreen) -> (Tone, String) {
    let session = &screen.session;
    if let Some(search) = &screen.typing.search {
        return (Tone::Strong, search.sentence(session.history()));
    }
    if let Some(ask) = session.asking() {
        return (Tone::Focus, question(ask));
    }
    if screen.view.search.as_ref().is_some_and(|search| search.open) {
        return (Tone::Strong, "Search: Enter keeps the matches marked, Up and Down go through them, Esc clears.".into());
    }
    if let Some(waiting) = session.waiting() {
        return (Tone::Unsure, waiting.into());
    }
    if let Some(notice) = screen.view.notice.as_deref().or(session.notice()) {
        return (Tone::Strong, notice.into());
    }
    if let Some(running) = session.running() {
        return (Tone::Quiet, screen.working(&running.what));
    }
    if session.is_judging() {
        return (Tone::Quiet, screen.judging());
    }
    if session.is_saving() {
        return (Tone::Quiet, "Saving ...".into());
    }
    match standing(screen).filter(|_| screen.view.focus == Focus::Prompt) {
        Some(standing) => standing,
        None => (Tone::Quiet, next(screen)),
    }
}

fn question(ask: Ask) -> String {
    let others = match ask {
        Ask::Solution | Ask::Skip => "",
        Ask::Reset(ResetScope::Step) => "   (g: the stage   l: the lesson)",
        Ask::Reset(ResetScope::Stage) => "   (s: this step   l: the lesson)",
        Ask::Reset(ResetScope::Lesson) => "   (s: this step   g: the stage)",
    };
    format!("{}  y: yes   n: no{others}", ask.question())
}

/// How the step stands, if there is something to say.
fn standing(screen: &LessonScreen) -> Option<(Tone, String)> {
    let session = &screen.session;
    let run = session.step_run();
    if run.is_done() {
        let last = session.shown() + 1 == session.lesson().steps.len();
        let next = match (session.is_finished(), last) {
            (true, true) => "The lesson is finished; the text above says what came of it.",
            _ if last => "It was the last one; earlier steps are still open (F3).",
            _ => "Enter goes on.",
        };
        let (tone, word) = match run.state {
            StepState::Assisted => (Tone::Unsure, "ASSISTED"),
            StepState::Skipped => (Tone::Unsure, "SKIPPED"),
            _ => (Tone::Good, "PASS"),
        };
        return Some((tone, format!("{word}  Step {} is done. {next}", session.shown() + 1)));
    }
    let bad = session.findings().iter().find(|finding| finding.verdict != Verdict::Met)?;
    let (met, all) = evidence::met(session);
    if is_on_the_way(session) {
        return Some((Tone::Quiet, format!("Not done yet: {met} of {all} checks met. Tab has the step's next command.")));
    }
    let tone = if bad.verdict == Verdict::EnvironmentFault { Tone::Unsure } else { Tone::Bad };
    let count = if all > 1 { format!("{met} of {all} checks met. ") } else { String::new() };
    let what = if bad.message.trim().is_empty() { &bad.title } else { &bad.message };
    let shown = layout::has_aside(screen.view.size) || screen.view.side == Side::Evidence;
    let look = if shown { "" } else { " F4 shows the evidence." };
    Some((tone, format!("{}  {count}{}{look}", bad.verdict.word(), sentence_of(what))))
}

/// Whether nothing is wrong but that commands which the step shows were not run yet.
fn is_on_the_way(session: &Session) -> bool {
    let was_run = |action: &String| session.ran().iter().any(|ran| ran.line.trim() == action.trim());
    let actions = &session.step().actions;
    let some = actions.iter().any(was_run) && !actions.iter().all(was_run);
    some && session.findings().iter().all(|finding| matches!(finding.verdict, Verdict::Met | Verdict::NotYet))
}

fn sentence_of(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.ends_with(['.', '?', ':']) { text.to_string() } else { format!("{text}.") }
}

/// What could be done next.
fn next(screen: &LessonScreen) -> String {
    let session = &screen.session;
    if screen.on_steps() {
        return "Up and Down choose a step, Enter shows it, Esc closes the list.".into();
    }
    if screen.view.focus != Focus::Prompt {
        return "Single keys are commands here (? lists them). i or Esc goes back to the prompt.".into();
    }
    if screen.present.is_some_and(|presenting| !presenting.stands) && session.next_scripted().is_some() {
        return "Presenting: any key types on, Enter runs, Esc gives the keyboard back.".into();
    }
    match &session.step().question {
        Some(question) => match &question.answer {
            Expected::Options(_) => {
                "Type the letter of your answer and press Enter; 1, 2 or 3 behind it says how sure you are (b 3).".into()
            }
            Expected::Entry { label, .. } => {
                format!("Find it out, then type `answer` and the {label}. Tab puts the shown command here.")
            }
        },
        None if matches!(session.step().kind, StepKind::Read | StepKind::Explore) => "Enter goes on.".into(),
        None if session.suggestion().is_some() => {
            "Type commands here. Tab puts the step's command on the prompt, Enter runs it.".into()
        }
        None => "Type commands here. `hint` helps, F1 lists all keys.".into(),
    }
}
