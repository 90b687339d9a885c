//! Draws a lesson's screen.

use super::output::Row;
use super::search::Hit;
use super::{LessonScreen, Side, bar, document, evidence, output, status, steps};
use crate::base::text::clip;
use crate::session::{StepRun, Task};
use crate::tui::frame::{self, Pane};
use crate::tui::keymap::{self, Command, Place};
use crate::tui::layout::{Focus, Panes};
use crate::tui::over::Over;
use crate::tui::theme::{Palette, Theme, Tone};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;

/// Draws everything; the cursor only if nothing lies over it.
pub fn draw(screen: &LessonScreen, on_top: bool, theme: Theme, frame: &mut Frame<'_>) {
    if let Some(over) = screen.over.last() {
        return draw_over(screen, &**over, theme, frame);
    }
    let panes = screen.panes(theme);
    let vertical = |frame: &mut Frame<'_>, x: u16, area: Rect| frame::vertical(frame, x, area, theme);
    let (left, right) = bar::sides(screen, None, usize::from(panes.header.width));
    frame::header(frame, panes.header, &left, &right, theme);
    if let Some(area) = panes.text {
        side(screen, area, if screen.is_covered() { screen.view.side } else { Side::Text }, Focus::Text, theme, frame);
    }
    if let Some(area) = panes.aside {
        side(screen, area, screen.aside(), Focus::Aside, theme, frame);
    }
    if let Some(area) = panes.output {
        draw_output(screen, area, panes.text.is_none(), theme, frame);
        if area.x > 0 {
            vertical(frame, area.x - 1, Rect { height: panes.footer.y - area.y, ..area });
        }
    }
    for (nth, line) in status::lines(screen, usize::from(panes.notice.width), theme).into_iter().enumerate() {
        frame::line(frame, panes.notice, nth, &line);
    }
    draw_prompt(screen, panes.prompt, theme, frame);
    draw_candidates(screen, panes.prompt, theme, frame);
    if let Some(position) = cursor(screen, &panes).filter(|_| on_top) {
        frame.set_cursor_position(position);
    }
    frame::footer(frame, panes.footer, &footer(screen), screen.place_of_keys(), theme);
}

/// The screen that lies over the lesson's: between the header and the lines of notices and keys.
fn draw_over(screen: &LessonScreen, over: &dyn Over, theme: Theme, frame: &mut Frame<'_>) {
    let area = frame.area();
    let row = |y, height| Rect { y, height, ..area };
    let (left, right) = bar::sides(screen, Some(&over.title(&screen.session)), usize::from(area.width));
    frame::header(frame, row(0, 1), &left, &right, theme);
    over.draw(&screen.session, row(1, area.height.saturating_sub(3)), theme, frame);
    let waiting = screen.session.waiting().map(|sentence| (Tone::Unsure, sentence));
    if let Some((tone, notice)) = waiting.or(screen.view.notice.as_deref().map(|notice| (Tone::Strong, notice))) {
        let text = clip(notice, usize::from(area.width).saturating_sub(2), theme.ascii);
        let line = Line::styled(format!(" {text}"), theme.style(tone));
        frame::line(frame, row(area.height.saturating_sub(2), 1), 0, &line);
    }
    frame::footer(frame, row(area.height.saturating_sub(1), 1), &over.offers(), Place::Over(over.scope()), theme);
}

fn footer(screen: &LessonScreen) -> Vec<Command> {
    let done = screen.session.step_run().is_done();
    match screen.place_of_keys() {
        Place::Keys => vec![Command::Help, Command::PageUp, Command::Evidence, Command::Kill],
        Place::Prompt if screen.present.is_some() => vec![Command::Help, Command::Next, Command::Trace, Command::Leave],
        Place::Prompt => {
            let shows = !screen.session.step().actions.is_empty();
            let first = if done || !shows { Command::Next } else { Command::Take };
            vec![
                Command::Help,
                first,
                Command::Hint,
                Command::Evidence,
                Command::Steps,
                Command::Check,
                Command::Shell,
                Command::Leave,
                Command::EndOfInput,
            ]
        }
        Place::Pane | Place::Over(_) => vec![
            Command::Help,
            Command::ToPrompt,
            Command::Focus,
            Command::Hint,
            Command::Check,
            Command::Evidence,
            Command::Steps,
            Command::Trace,
            Command::Solution,
            Command::Quit,
        ],
    }
}

fn side(screen: &LessonScreen, area: Rect, side: Side, focus: Focus, theme: Theme, frame: &mut Frame<'_>) {
    let session = &screen.session;
    let columns = usize::from(area.width);
    let height = usize::from(area.height.saturating_sub(1));
    let focused = screen.view.focus == focus;
    let mut links = Vec::new();
    let (title, lines, scroll) = match side {
        Side::Text => {
            let stage = session.lesson().stage(&session.step().stage).map_or("", |stage| stage.title.as_str());
            let title = format!("{stage}: {} step", session.step().kind.word());
            let document = document::document(session, columns, theme);
            links = document.links;
            let marked = |(nth, line): (usize, Line<'static>)| match &screen.view.search {
                Some(search) => search.mark(nth, line),
                None => line,
            };
            let lines = document.lines.into_iter().enumerate().map(marked).collect();
            (screen.search_title(Focus::Text).unwrap_or(title), lines, screen.view.text)
        }
        Side::Steps => {
            let marked = (focused || screen.is_covered()).then_some(screen.view.selected);
            let (lines, places) = steps::lines(session, marked, columns, theme);
            let at = places.get(marked.unwrap_or(session.shown())).copied().unwrap_or(0);
            let title = format!("Steps: {} of {} done", session.done(), session.steps().len());
            (title, lines, crate::tui::scroll::Scroll(at.saturating_sub(height / 2)))
        }
        Side::Evidence => {
            let (met, all) = evidence::met(session);
            let title = if all == 0 { "Evidence".to_string() } else { format!("Evidence: {met} of {all} checks met") };
            (title, evidence::lines(session, columns, theme), screen.view.aside)
        }
    };
    let keys = match (focused, screen.view.focus, side, focus) {
        (true, ..) => Some("PageDown"),
        (_, Focus::Prompt, Side::Text, _) | (_, Focus::Prompt, _, Focus::Text) => {
            keymap::key_of(Command::TextDown, Place::Prompt)
        }
        _ => None,
    };
    frame::pane(frame, area, &Pane { title: &title, focused, lines: &lines, scroll, keys }, theme);
    if screen.view.links && !theme.ascii && theme.palette != Palette::None {
        crate::tui::links::mark(frame.buffer_mut(), frame::inner(area), scroll.top(lines.len(), height), &links);
    }
}

/// The output; `alone`: the text is not beside or above it.
fn draw_output(screen: &LessonScreen, area: Rect, alone: bool, theme: Theme, frame: &mut Frame<'_>) {
    let inner = frame::inner(area);
    let size = (usize::from(inner.width), usize::from(inner.height));
    let shown = output::shown(screen.session.transcript(), screen.view.output, size, screen.rules.is_complete);
    let program = screen.has_program();
    let title = match (shown.below, program) {
        (0, true) => "Output: a program has the keyboard".to_string(),
        (0, false) if alone => "Output (Esc: the text)".to_string(),
        (0, false) => "Output".to_string(),
        (n, _) => format!("Output: {n} more below (PageDown)"),
    };
    let title = screen.search_title(Focus::Output).unwrap_or(title);
    let lines: Vec<Line<'static>> = shown.rows.into_iter().map(|row| marked(screen, row, theme)).collect();
    let focused = screen.view.focus == Focus::Output || program;
    frame::pane(frame, area, &Pane { title: &title, focused, lines: &lines, scroll: Default::default(), keys: None }, theme);
}

/// A row of output, matches of the search standing out: reversed, those of the present line underlined too.
fn marked(screen: &LessonScreen, row: Row, theme: Theme) -> Line<'static> {
    let style = theme.sort(row.sort);
    let Some(search) = &screen.view.search else { return Line::styled(row.text, style) };
    let transcript = screen.session.transcript();
    let nth = (row.line - transcript.dropped()) as usize;
    let open = transcript.open_line().map(|(line, _)| line);
    let line = transcript.lines().nth(nth).or(open.as_ref());
    let mut spans = Vec::new();
    let mut done = 0;
    for found in line.map(|line| search.matches(&line.text)).unwrap_or_default() {
        let on_row = |at: usize| (at as isize - row.before).clamp(0, row.text.len() as isize) as usize;
        let (from, to) = (on_row(found.start), on_row(found.end));
        if from >= to || from < done || !row.text.is_char_boundary(from) || !row.text.is_char_boundary(to) {
            continue;
        }
        let weight = search.weight(Hit::Output(row.line));
        spans.push(Span::styled(row.text[done..from].to_string(), style));
        spans.push(Span::styled(row.text[from..to].to_string(), style.add_modifier(weight)));
        done = to;
    }
    spans.push(Span::styled(row.text[done..].to_string(), style));
    Line::from(spans)
}

fn draw_prompt(screen: &LessonScreen, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
    if screen.has_program() {
        return frame::line(frame, area, 0, &Line::styled("(keys go to the program)", theme.style(Tone::Quiet)));
    }
    if let Some(found) = screen.searched() {
        let text = clip(&found.replace('\n', " "), usize::from(area.width).saturating_sub(2), theme.ascii);
        return frame::line(frame, area, 0, &Line::styled(format!("$ {text}"), theme.style(Tone::Strong)));
    }
    let prompt = screen.prompt.rows(usize::from(area.width));
    let height = usize::from(area.height);
    let top = prompt.cursor.1.saturating_sub(height - 1);
    for (nth, row) in prompt.rows.iter().skip(top).take(height).enumerate() {
        frame::line(frame, area, nth, &Line::styled(row.clone(), theme.style(Tone::Strong)));
    }
    if screen.prompt.is_empty()
        && let Some(ghost) = ghost(screen)
    {
        let text = clip(&ghost, usize::from(area.width).saturating_sub(4), theme.ascii);
        let line = Line::styled(text, theme.style(Tone::Quiet));
        frame::line(frame, Rect { x: area.x + 3, width: area.width.saturating_sub(3), ..area }, 0, &line);
    }
}

/// What completes the word at the cursor: above the prompt, over what stands there.
fn draw_candidates(screen: &LessonScreen, prompt: Rect, theme: Theme, frame: &mut Frame<'_>) {
    let Some(completion) = &screen.typing.completion else { return };
    let lines = completion.lines(usize::from(prompt.width), theme);
    let height = (lines.len() as u16).min(prompt.y.saturating_sub(1));
    let area = Rect { y: prompt.y - height, height, ..prompt };
    frame.render_widget(Clear, area);
    for (nth, line) in lines.iter().enumerate() {
        frame::line(frame, area, nth, line);
    }
}

/// Where the cursor is: in the output while a program has the keyboard, else at the prompt if that has the focus.
fn cursor(screen: &LessonScreen, panes: &Panes) -> Option<Position> {
    let at = |area: Rect, column: usize, row: usize| Position::new(area.x + column as u16, area.y + row as u16);
    if screen.has_program() {
        let inner = frame::inner(panes.output?);
        let size = (usize::from(inner.width), usize::from(inner.height));
        let shown = output::shown(screen.session.transcript(), screen.view.output, size, screen.rules.is_complete);
        return shown.cursor.map(|(column, row)| at(inner, column, row));
    }
    if screen.searched().is_some() {
        return None;
    }
    let (column, row) = screen.prompt.rows(usize::from(panes.prompt.width)).cursor;
    let top = row.saturating_sub(usize::from(panes.prompt.height) - 1);
    (screen.view.focus == Focus::Prompt).then(|| at(panes.prompt, column, row - top))
}

/// What an empty prompt offers.
fn ghost(screen: &LessonScreen) -> Option<String> {
    let session = &screen.session;
    if session.running().is_some_and(|running| matches!(running.what, Task::Line(_))) || StepRun::is_done(session.step_run()) {
        return None;
    }
    let action = session.suggestion()?;
    if session.ran().iter().any(|ran| ran.line.trim() == action.trim()) {
        return None;
    }
    let line = action.lines().next()?;
    Some(format!("{line}   (Tab)"))
}
