//! Draws the editor: the text with numbers, marks and colours, what lies over it, and what is wrong below it.

use super::colors::runs;
use super::menu::Menu;
use super::{Editor, Origin};
use crate::base::text::{clip, width, wrap};
use crate::k8s::templates;
use crate::session::desk::manifest::{Grade, Problem};
use crate::tui::frame;
use crate::tui::theme::{Theme, Tone};
use ratatui::Frame;
use ratatui::layout::{Position, Rect, Size};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;

/// Rows of a list over the text.
const LIST: usize = 8;
/// Columns that a tab takes.
const TAB: usize = 2;

/// Rows below the text: a rule with the state, and what is wrong.
fn below(height: u16) -> u16 {
    if height >= 30 { 5 } else { 4 }
}

/// Rows of text on a terminal of a size.
pub fn rows(size: Size) -> usize {
    let area = size.height.saturating_sub(3);
    usize::from(area.saturating_sub(below(size.height))).max(1)
}

/// The first row to show so that the cursor's row is among them.
pub fn window(top: usize, row: usize, height: usize) -> usize {
    match () {
        () if row < top => row,
        () if row >= top + height => row + 1 - height,
        () => top,
    }
}

/// Draws everything.
pub fn draw(editor: &Editor, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
    let under = below(area.height + 3).min(area.height.saturating_sub(1));
    let text = Rect { height: area.height - under, ..area };
    let foot = Rect { y: area.y + text.height, height: under, ..area };
    let cursor = draw_text(editor, text, theme, frame);
    draw_foot(editor, foot, theme, frame);
    if let Some(list) = list(editor) {
        draw_list(&list, cursor, text, theme, frame);
    }
    if !matches!(editor.menu, Menu::Find { .. } | Menu::Leaving | Menu::Draft { .. }) {
        frame.set_cursor_position(cursor);
    }
}

/// Columns of the numbers with the mark and a space.
fn gutter(lines: usize) -> usize {
    lines.max(99).to_string().len() + 3
}

fn draw_text(editor: &Editor, area: Rect, theme: Theme, frame: &mut Frame<'_>) -> Position {
    let (row, column) = editor.buffer.cursor();
    let height = usize::from(area.height);
    let top = window(editor.top, row, height);
    let gutter = gutter(editor.buffer.lines().len());
    let room = usize::from(area.width).saturating_sub(gutter).max(1);
    let at = screen_column(editor.buffer.line(), column);
    let left = if at < room { 0 } else { at + 1 - room + room.min(8) / 2 };
    for (nth, line) in editor.buffer.lines().iter().enumerate().skip(top).take(height) {
        let problem = editor.problems().iter().find(|p| p.line == nth + 1);
        let mut spans = number(nth + 1, gutter, problem, nth == row, theme);
        spans.extend(painted(line, problem, (left, room), theme));
        frame::line(frame, area, nth - top, &Line::from(spans));
    }
    Position::new(area.x + (gutter + at - left) as u16, area.y + (row - top) as u16)
}

fn number(line: usize, gutter: usize, problem: Option<&Problem>, here: bool, theme: Theme) -> Vec<Span<'static>> {
    let (mark, tone) = mark(problem);
    let style = theme.style(if here { Tone::Strong } else { Tone::Quiet });
    vec![
        Span::styled(format!("{line:>width$} ", width = gutter - 3), style),
        Span::styled(mark, theme.style(tone)),
        Span::raw(" "),
    ]
}

/// A mark that reads without colour.
fn mark(problem: Option<&Problem>) -> (&'static str, Tone) {
    match problem.map(|p| p.grade) {
        None => (" ", Tone::Plain),
        Some(Grade::Syntax | Grade::Refused) => ("!", Tone::Bad),
        Some(Grade::Unsure) => ("?", Tone::Unsure),
    }
}

/// The part of a line that is in the window, coloured; what is wrong in it underlined.
fn painted(line: &str, problem: Option<&Problem>, (left, room): (usize, usize), theme: Theme) -> Vec<Span<'static>> {
    let wrong = problem.map(|p| word_at(line, p.column.saturating_sub(1)));
    let mut spans: Vec<Span<'static>> = Vec::new();
    let (mut column, mut nth) = (0, 0);
    let mut chars = line.chars();
    for (count, tone) in runs(line) {
        for c in chars.by_ref().take(count) {
            let tab = c == '\t';
            let text = if tab { " ".repeat(TAB) } else { c.to_string() };
            let wide = width(&text);
            let mut style = theme.style(if tab { Tone::Bad } else { tone });
            if tab {
                style = style.add_modifier(Modifier::REVERSED);
            }
            if wrong.as_ref().is_some_and(|range| range.contains(&nth)) {
                style = style.add_modifier(Modifier::UNDERLINED);
            }
            if column >= left && column + wide <= left + room {
                push(&mut spans, text, style);
            }
            column += wide;
            nth += 1;
        }
    }
    spans
}

fn push(spans: &mut Vec<Span<'static>>, text: String, style: Style) {
    match spans.last_mut() {
        Some(last) if last.style == style => last.content.to_mut().push_str(&text),
        _ => spans.push(Span::styled(text, style)),
    }
}

/// The characters of the word at a column; the whole line where there is none.
fn word_at(line: &str, column: usize) -> std::ops::Range<usize> {
    let chars: Vec<char> = line.chars().collect();
    let is_end = |c: &char| *c == ' ' || *c == ':';
    match chars.get(column) {
        Some(c) if !is_end(c) => {
            let end = chars[column..].iter().position(is_end).map_or(chars.len(), |n| column + n);
            column..end
        }
        _ => line.chars().take_while(|c| *c == ' ').count()..chars.len(),
    }
}

/// The column on the screen of a character.
fn screen_column(line: &str, column: usize) -> usize {
    line.chars().take(column).map(|c| if c == '\t' { TAB } else { width(c.encode_utf8(&mut [0; 4])) }).sum()
}

/// The rule with the place and the state, and below it the sentence that matters now.
fn draw_foot(editor: &Editor, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
    let (row, column) = editor.buffer.cursor();
    let state = state(editor);
    let columns = usize::from(area.width);
    let head = clip(&format!(" {}:{}  {state} ", row + 1, column + 1), columns.saturating_sub(2), theme.ascii);
    let rule = |n: usize| Span::styled(theme.rule().repeat(n), theme.style(Tone::Quiet));
    let rest = columns.saturating_sub(1 + width(&head));
    frame::line(frame, area, 0, &Line::from(vec![rule(1), Span::styled(head, theme.style(Tone::Strong)), rule(rest)]));
    let lines = sentences(editor, columns.saturating_sub(2), theme);
    for (nth, text) in lines.into_iter().take(usize::from(area.height).saturating_sub(1)).enumerate() {
        frame::line(frame, area, nth + 1, &text);
    }
}

fn state(editor: &Editor) -> String {
    if editor.opening.is_some() {
        return "opening ..".into();
    }
    let Some((revision, checked)) = &editor.checked else { return "checking ..".into() };
    let again = if *revision == editor.buffer.revision { "" } else { " (checking ..)" };
    let errors = checked.problems.iter().filter(|p| p.grade != Grade::Unsure).count();
    let notes = checked.problems.len() - errors;
    let word = match (errors, notes, checked.good) {
        (0, 0, 0) => "nothing to check yet".to_string(),
        (0, 0, 1) => "the server would take it".to_string(),
        (0, 0, n) => format!("the server would take all {n} objects"),
        (0, n, _) => format!("no errors, {}", crate::base::text::count(n, "note")),
        (n, _, _) => crate::base::text::count(n, "error"),
    };
    word + again
}

/// What is asked or wrong, or what the field at the mark of a list is.
fn sentences(editor: &Editor, columns: usize, theme: Theme) -> Vec<Line<'static>> {
    let say = |text: &str, tone: Tone| -> Vec<Line<'static>> {
        wrap(text, columns, 0).into_iter().map(|row| Line::styled(format!(" {row}"), theme.style(tone))).collect()
    };
    match &editor.menu {
        Menu::Leaving => {
            let save = if matches!(editor.origin, Origin::File) { "save and close" } else { "hand it over and close" };
            say(&format!("What you wrote is not saved.  s: {save}   d: drop it   Esc: go on writing"), Tone::Strong)
        }
        Menu::Draft { text } => say(
            &format!(
                "A draft of {} lines was kept when the program ended last time; it is not in the file.  y: take it   n: drop it",
                text.lines().count()
            ),
            Tone::Strong,
        ),
        Menu::Find { text } => say(&format!("Find: {text}_   Enter: find   Esc: close"), Tone::Strong),
        Menu::Templates { .. } => say("A manifest with blanks. Enter puts it in, Esc closes the list.", Tone::Plain),
        Menu::Complete { found, at, .. } => match found.get(*at) {
            Some(c) => {
                let about =
                    if c.about.is_empty() { "Tab takes it, Up and Down choose, Esc closes.".into() } else { c.about.clone() };
                say(&format!("{} {}  {about}", c.name, kind(&c.kind)), Tone::Plain)
            }
            None => Vec::new(),
        },
        Menu::None => match editor.problem() {
            Some(problem) => {
                let (_, tone) = mark(Some(problem));
                let more = match editor.problems().len() {
                    0 | 1 => String::new(),
                    n => format!(" (1 of {n}; F4: the next)"),
                };
                let mut lines = say(&format!("line {}: {}{more}", problem.line, problem.what), tone);
                lines.extend(say(&problem.next, Tone::Plain));
                lines
            }
            None => Vec::new(),
        },
    }
}

fn kind(kind: &str) -> String {
    if kind.is_empty() { String::new() } else { format!("<{kind}>") }
}

/// A list over the text: rows of name and kind, and the marked one.
struct List {
    rows: Vec<(String, String)>,
    at: usize,
}

fn list(editor: &Editor) -> Option<List> {
    match &editor.menu {
        Menu::Complete { found, at, .. } => {
            Some(List { rows: found.iter().map(|c| (c.name.clone(), kind(&c.kind))).collect(), at: *at })
        }
        Menu::Templates { at } => {
            let about = |kind: &str| {
                templates::find(kind).and_then(|t| t.lines().next()).unwrap_or("").trim_start_matches("# ").to_string()
            };
            Some(List { rows: templates::kinds().iter().map(|kind| ((*kind).to_string(), about(kind))).collect(), at: *at })
        }
        _ => None,
    }
}

/// Draws a list below the cursor, or above it where there is more room.
fn draw_list(list: &List, cursor: Position, text: Rect, theme: Theme, frame: &mut Frame<'_>) {
    let under = usize::from(text.bottom().saturating_sub(cursor.y + 1));
    let over = usize::from(cursor.y.saturating_sub(text.y));
    let room = under.max(over).min(LIST).min(list.rows.len());
    if room == 0 {
        return;
    }
    let top = window(list.at.saturating_sub(room - 1), list.at, room);
    let shown = &list.rows[top..(top + room).min(list.rows.len())];
    let name = list.rows.iter().map(|(name, _)| width(name)).max().unwrap_or(0).min(40);
    let whole = shown.iter().map(|(_, kind)| name + width(kind) + 4).max().unwrap_or(0).min(usize::from(text.width));
    let x = cursor.x.min(text.right().saturating_sub(whole as u16));
    let y = if under >= room { cursor.y + 1 } else { cursor.y - room as u16 };
    let place = Rect { x, y, width: whole as u16, height: room as u16 };
    frame.render_widget(Clear, place);
    for (nth, (label, kind)) in shown.iter().enumerate() {
        let here = top + nth == list.at;
        let mark = if here { ">" } else { " " };
        let label = clip(label, name, theme.ascii);
        let row = format!("{mark}{label}{}  {kind}", " ".repeat(name.saturating_sub(width(&label))));
        let row = clip(&row, whole, theme.ascii);
        let pad = " ".repeat(whole.saturating_sub(width(&row)));
        let tone = if here { Tone::Focus } else { Tone::Bar };
        frame::line(frame, place, nth, &Line::styled(format!("{row}{pad}"), theme.style(tone)));
    }
}
