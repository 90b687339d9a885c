//! Draws the application, and the pieces that every screen is made of.

use super::app::{App, Layer};
use super::help::{self, Sheet};
use super::keymap::{self, Command, Place, Scope};
use super::layout::{self, LEAST};
use super::lesson;
use super::scroll::Scroll;
use super::theme::{Theme, Tone};
use crate::base::text::{clip, width, wrap};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Color;
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;

/// A titled list of lines.
pub struct Pane<'a> {
    pub title: &'a str,
    pub focused: bool,
    pub lines: &'a [Line<'static>],
    pub scroll: Scroll,
    /// The key that scrolls it from where the learner is.
    pub keys: Option<&'static str>,
}

/// Draws one frame. Changes nothing.
pub fn draw(app: &App, frame: &mut Frame<'_>) {
    drawn(app, frame);
    let area = frame.area();
    paint(frame, area, app.theme);
}

/// Gives what has no colour of its own the theme's ink and paper.
fn paint(frame: &mut Frame<'_>, area: Rect, theme: Theme) {
    let base = theme.base();
    let (Some(ink), Some(paper)) = (base.fg, base.bg) else { return };
    let buffer = frame.buffer_mut();
    for position in area.positions() {
        let cell = &mut buffer[position];
        if cell.fg == Color::Reset {
            cell.fg = ink;
        }
        if cell.bg == Color::Reset {
            cell.bg = paper;
        }
    }
}

fn drawn(app: &App, frame: &mut Frame<'_>) {
    let area = frame.area();
    if !layout::fits(area.as_size()) {
        return too_small(frame, area);
    }
    match &app.layer {
        Layer::Home => home(app, frame),
        Layer::Opening(nth) => opening(app, *nth, frame),
        Layer::Lesson(screen) => lesson::draw::draw(screen, app.overlay.is_none(), app.theme, frame),
    }
    if let Some(overlay) = &app.overlay {
        let (over, foot) = (overlay_area(area), Rect { y: area.height - 1, height: 1, ..area });
        frame.render_widget(Clear, over);
        frame.render_widget(Clear, foot);
        let (title, lines) = sheet(app, overlay.sheet, over);
        let keys = Some("PageDown");
        pane(frame, over, &Pane { title, focused: true, lines: &lines, scroll: overlay.scroll, keys }, app.theme);
        hints(frame, foot, &[("Esc", "close"), ("Up Down", "scroll"), ("PageUp PageDown", "page")], app.theme);
    }
    if let Some(command) = &app.command {
        command.draw(area, app.theme, frame);
    }
}

fn too_small(frame: &mut Frame<'_>, area: Rect) {
    let (w, h) = (area.width, area.height);
    let text = format!(
        "{w}x{h} is too small: the lab needs at least {}x{}; `learn --plain` works in any size.",
        LEAST.width, LEAST.height
    );
    for (nth, row) in wrap(&text, usize::from(area.width), 0).into_iter().enumerate() {
        line(frame, area, nth, &Line::from(row));
    }
}

fn home(app: &App, frame: &mut Frame<'_>) {
    let area = frame.area();
    let body = Rect { y: 1, height: area.height - 3, ..area };
    header(frame, Rect { height: 1, ..area }, "egress-lab", &app.start.environment, app.theme);
    let lines = app.home.lines(&app.start, usize::from(area.width), app.theme);
    for (nth, text) in lines.iter().take(usize::from(body.height)).enumerate() {
        line(frame, body, nth, text);
    }
    let text = app.notice.as_deref().unwrap_or("Enter opens the marked lesson.");
    let rows = wrap(text, usize::from(area.width).saturating_sub(4), 0);
    let tone = if app.notice.is_some() { Tone::Strong } else { Tone::Quiet };
    let first = usize::from(area.height - 2).saturating_sub(rows.len() - 1);
    for (nth, row) in rows.into_iter().enumerate() {
        let place = Rect { y: (first + nth) as u16, height: 1, ..area };
        frame.render_widget(Clear, place);
        line(frame, place, 0, &Line::styled(format!("  {row}"), app.theme.style(tone)));
    }
    let offers = [Command::Open, Command::Focus, Command::Help, Command::Quit, Command::CommandLine, Command::Theme];
    footer(frame, Rect { y: area.height - 1, height: 1, ..area }, &offers, Place::Over(Scope::Home), app.theme);
}

fn opening(app: &App, nth: usize, frame: &mut Frame<'_>) {
    let area = frame.area();
    let Some(wanted) = app.start.lessons.get(nth) else { return };
    header(frame, Rect { height: 1, ..area }, &wanted.title, &app.start.environment, app.theme);
    let mut lines = vec![Line::default()];
    lines.extend(super::home::about(wanted, usize::from(area.width).saturating_sub(4).min(76), app.theme));
    lines.push(Line::default());
    lines.push(Line::styled("  Making the lab ready ...", app.theme.style(Tone::Strong)));
    let body = Rect { y: 1, height: area.height - 2, ..area };
    for (nth, text) in lines.iter().take(usize::from(body.height)).enumerate() {
        line(frame, body, nth, text);
    }
    hints(frame, Rect { y: area.height - 1, height: 1, ..area }, &[("Esc", "back"), ("q", "leave")], app.theme);
}

fn overlay_area(area: Rect) -> Rect {
    Rect { y: area.y + 1, height: area.height.saturating_sub(2), ..area }
}

fn sheet(app: &App, sheet: Sheet, area: Rect) -> (&'static str, Vec<Line<'static>>) {
    let columns = usize::from(area.width).saturating_sub(1);
    match sheet {
        Sheet::Topic(topic) => (topic.title(), help::page(topic, app.scope(), columns, app.theme)),
        Sheet::Keys => {
            let here = help::Here { place: app.place(), works: &|command| app.works(command) };
            ("Help: keys here", help::keys(columns, here, app.theme))
        }
    }
}

/// Lines of the sheet that is up, and how many of them are visible.
pub fn overlay_size(app: &App) -> (usize, usize) {
    let area = overlay_area(Rect::new(0, 0, app.size.width, app.size.height));
    let lines = app.overlay.as_ref().map_or(0, |overlay| sheet(app, overlay.sheet, area).1.len());
    (lines, usize::from(inner(area).height))
}

/// A pane without its title.
pub fn inner(area: Rect) -> Rect {
    Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }
}

/// One line of an area.
pub fn line(frame: &mut Frame<'_>, area: Rect, row: usize, text: &Line<'_>) {
    if row < usize::from(area.height) && area.width > 0 {
        frame.buffer_mut().set_line(area.x, area.y + row as u16, text, area.width);
    }
}

/// A pane: its title with a rule, then the lines from where it is scrolled to.
pub fn pane(frame: &mut Frame<'_>, area: Rect, pane: &Pane<'_>, theme: Theme) {
    let inner = inner(area);
    let height = usize::from(inner.height);
    let top = pane.scroll.top(pane.lines.len(), height);
    let rest = pane.lines.len().saturating_sub(top + height);
    let more = match (top, rest) {
        (0, 0) => String::new(),
        (_, 0) => " end ".to_string(),
        (_, n) => format!(" {n} more lines{} ", pane.keys.map(|key| format!(": {key}")).unwrap_or_default()),
    };
    let columns = usize::from(area.width);
    let title = format!(" {} ", clip(pane.title, columns.saturating_sub(4 + width(&more)), theme.ascii));
    let fill = columns.saturating_sub(2 + width(&title) + width(&more));
    let rule = |n: usize| Span::styled(theme.rule().repeat(n), theme.style(Tone::Quiet));
    let tone = if pane.focused { Tone::Focus } else { Tone::Strong };
    let tail = columns.saturating_sub(1 + width(&title) + fill + width(&more));
    let head = vec![
        rule(1),
        Span::styled(title, theme.style(tone)),
        rule(fill),
        Span::styled(more, theme.style(Tone::Strong)),
        rule(tail),
    ];
    line(frame, area, 0, &Line::from(head));
    for (nth, text) in pane.lines.iter().skip(top).take(height).enumerate() {
        line(frame, inner, nth, text);
    }
}

/// The bar at the top.
pub fn header(frame: &mut Frame<'_>, area: Rect, left: &str, right: &str, theme: Theme) {
    let columns = usize::from(area.width);
    let room = columns.saturating_sub(width(right) + 3).max(columns / 2);
    let left = clip(&format!(" {left}"), room, theme.ascii);
    let room = columns.saturating_sub(width(&left) + 3);
    let right = if room >= 8 { clip(right, room, theme.ascii) } else { String::new() };
    let pad = " ".repeat(columns.saturating_sub(width(&left) + width(&right) + 1));
    line(frame, area, 0, &Line::styled(format!("{left}{pad}{right} "), theme.style(Tone::Bar)));
}

/// The line at the bottom: keys that work now, most useful first; what does not fit is left out.
pub fn footer(frame: &mut Frame<'_>, area: Rect, commands: &[Command], place: Place, theme: Theme) {
    let key = |command: &Command| Some((keymap::key_of(*command, place)?, keymap::row_at(*command, place.scope())?.label));
    let keys: Vec<(&str, &str)> = commands.iter().filter_map(key).collect();
    hints(frame, area, &keys, theme);
}

fn hints(frame: &mut Frame<'_>, area: Rect, keys: &[(&str, &str)], theme: Theme) {
    let mut spans = Vec::new();
    let mut used = 1;
    for (key, label) in keys {
        let taken = width(key) + width(label) + 3;
        if used + taken > usize::from(area.width) {
            break;
        }
        used += taken;
        spans.push(Span::styled(format!(" {key}"), theme.style(Tone::Strong)));
        spans.push(Span::styled(format!(" {label} "), theme.style(Tone::Quiet)));
    }
    line(frame, area, 0, &Line::from(spans));
}

/// A vertical rule.
pub fn vertical(frame: &mut Frame<'_>, x: u16, area: Rect, theme: Theme) {
    for row in 0..area.height {
        let place = Rect { x, y: area.y + row, width: 1, height: 1 };
        line(frame, place, 0, &Line::styled(theme.bar(), theme.style(Tone::Quiet)));
    }
}
