//! Draws the browser.

use super::{Browser, Level, Typing};
use crate::base::text::{clip, width, wrap};
use crate::session::desk::browse::{KindRow, View};
use crate::tui::frame::{self, Pane};
use crate::tui::scroll::Scroll;
use crate::tui::theme::{Theme, Tone};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;

/// What a text is called in the path.
pub fn view_name(view: &View) -> String {
    match view {
        View::Describe => "describe".into(),
        View::Yaml => "YAML".into(),
        View::Events => "events".into(),
        View::Logs { container, previous } => {
            let before = if *previous { "log before the restart" } else { "log" };
            if container.is_empty() { before.into() } else { format!("{before} of {container}") }
        }
    }
}

/// Draws the level that is up, and what is asked or typed below it.
pub fn draw(screen: &Browser, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
    let foot = u16::from(screen.typing.is_some()) + 2 * u16::from(screen.confirm.is_some());
    let body = Rect { height: area.height.saturating_sub(foot), ..area };
    match screen.level {
        Level::Kinds => kinds(screen, body, theme, frame),
        Level::Objects => objects(screen, body, theme, frame),
        Level::Text => text(screen, body, theme, frame),
    }
    let below = Rect { y: area.y + body.height, height: foot, ..area };
    if let Some(confirm) = &screen.confirm {
        let question = format!(" {}   y: yes   n: no", confirm.question);
        frame::line(
            frame,
            below,
            0,
            &Line::styled(clip(&question, usize::from(area.width), theme.ascii), theme.style(Tone::Focus)),
        );
        let line = format!(" runs: {}", confirm.line);
        frame::line(
            frame,
            below,
            1,
            &Line::styled(clip(&line, usize::from(area.width), theme.ascii), theme.style(Tone::Command)),
        );
    }
    if let Some(typing) = &screen.typing {
        let (label, field) = match typing {
            Typing::Filter(field) => ("Filter: ", field),
            Typing::Explain(field) => ("Explain as of then, [FROM] URL: ", field),
        };
        let text = clip(&format!(" {label}{}", field.text()), usize::from(area.width), theme.ascii);
        frame::line(frame, below, 0, &Line::styled(text.clone(), theme.style(Tone::Strong)));
        frame.set_cursor_position(Position::new(below.x + (width(&text) as u16).min(below.width.saturating_sub(1)), below.y));
    }
}

/// A list with a header line and a marked row, scrolled so that the row is seen.
fn list(
    (title, header): (&str, String),
    rows: Vec<String>,
    (place, said): (usize, &str),
    area: Rect,
    theme: Theme,
    frame: &mut Frame<'_>,
) {
    let columns = usize::from(area.width);
    let mut lines = vec![Line::styled(clip(&format!("  {header}"), columns, theme.ascii), theme.style(Tone::Quiet))];
    for (nth, row) in rows.iter().enumerate() {
        let (mark, tone) = if nth == place { ("> ", Tone::Focus) } else { ("  ", Tone::Plain) };
        lines.push(Line::styled(clip(&format!("{mark}{row}"), columns, theme.ascii), theme.style(tone)));
    }
    if !said.is_empty() {
        lines.extend(wrap(said, columns.saturating_sub(3), 0).into_iter().map(|row| Line::from(format!("  {row}"))));
    }
    let height = usize::from(area.height.saturating_sub(1));
    let top = (place + 3).saturating_sub(height).min(lines.len().saturating_sub(height));
    frame::pane(frame, area, &Pane { title, focused: true, lines: &lines, scroll: Scroll(top), keys: None }, theme);
}

fn filtered(screen: &Browser, title: &str) -> String {
    let then = screen.at.map(|revision| format!(" as of revision {revision}, read-only")).unwrap_or_default();
    let filter = if screen.filter().is_empty() { String::new() } else { format!(", filter {}", screen.filter()) };
    format!("{title}{then}{filter}")
}

fn kinds(screen: &Browser, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
    let shown = screen.kinds_shown();
    let longest =
        |of: fn(&KindRow) -> &str, least: usize| shown.iter().map(|k| width(of(k))).chain([least]).max().unwrap_or(least);
    let short = longest(|k| &k.short, 5);
    // Mark, short name, count, `of the cluster`, and what is between them.
    let rest = 2 + 2 + short + 2 + 5 + 2 + 14;
    let name = longest(|k| &k.resource, 4).min(usize::from(area.width).saturating_sub(rest).max(20));
    let row = |kind: &&KindRow| {
        let resource = clip(&kind.resource, name, theme.ascii);
        let count = kind.count.map_or("-".to_string(), |count| count.to_string());
        format!("{resource:<name$}  {:<short$}  {count:>5}  {}", kind.short, if kind.namespaced { "" } else { "of the cluster" })
    };
    let said = match (&screen.kinds, &screen.trouble) {
        (_, Some(trouble)) => trouble.as_str(),
        (None, _) => "Reading the kinds ...",
        (Some(_), _) if shown.is_empty() => "Nothing passes the filter.",
        _ => "",
    };
    let header = format!("{:<name$}  {:<short$}  {:>5}", "KIND", "SHORT", "COUNT");
    let title = filtered(screen, &format!("{} kinds", shown.len()));
    list((&title, header), shown.iter().map(row).collect(), (screen.place(), said), area, theme, frame);
}

fn objects(screen: &Browser, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
    let shown = screen.rows_shown();
    let namespaced = screen.kind.as_ref().is_some_and(|kind| kind.namespaced);
    let place = match (namespaced, screen.everywhere) {
        (false, _) => "of the cluster".to_string(),
        (_, true) => "in all namespaces".into(),
        _ => format!("in namespace {}", screen.home),
    };
    let all = screen.table.as_ref().map_or(0, |table| table.rows.len());
    let number = if shown.len() == all { all.to_string() } else { format!("{} of {all}", shown.len()) };
    let kind = screen.kind.as_ref().map_or("", |kind| kind.kind.as_str());
    let title = filtered(screen, &format!("{kind}: {number} {place}"));
    let said = match (&screen.table, &screen.trouble) {
        (_, Some(trouble)) => trouble.clone(),
        (None, _) => "Reading ...".into(),
        (Some(table), _) if !table.said.is_empty() => table.said.clone(),
        (Some(table), _) if shown.is_empty() && !table.rows.is_empty() => "Nothing passes the filter.".into(),
        _ => String::new(),
    };
    let header = screen.table.as_ref().map(|table| table.header.clone()).unwrap_or_default();
    let rows = shown.iter().map(|row| row.text.clone()).collect();
    list((&title, header), rows, (screen.place(), &said), area, theme, frame);
}

fn text(screen: &Browser, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
    let columns = usize::from(area.width).saturating_sub(1);
    let mut lines: Vec<Line<'static>> = Vec::new();
    let shown = screen.lines_shown();
    let height = usize::from(area.height.saturating_sub(1));
    let is_log = matches!(screen.view, View::Logs { .. });
    let name = screen.row().map(|row| row.name).unwrap_or_default();
    let follow = match (is_log, screen.follow && screen.at.is_none()) {
        (true, true) => ", following",
        (true, false) => ", not following",
        _ => "",
    };
    let title = filtered(screen, &format!("{name}: {}{follow}", view_name(&screen.view)));
    // Scrolling counts lines of the text; each is wrapped only where it is seen.
    let first = match is_log && screen.follow {
        true => shown.len().saturating_sub(height),
        false => screen.scroll.top(shown.len(), height),
    };
    for line in shown.iter().skip(first).take(height) {
        lines.extend(wrap(line, columns, 4).into_iter().map(Line::from));
    }
    if is_log && screen.follow && lines.len() > height {
        lines.drain(..lines.len() - height);
    }
    let said = match (&screen.text, &screen.trouble) {
        (_, Some(trouble)) => trouble.as_str(),
        (None, _) => "Reading ...",
        (Some(text), _) if !text.said.is_empty() => &text.said,
        (Some(text), _) if text.lines.is_empty() => "It is empty.",
        _ => "",
    };
    lines.extend(
        wrap(said, columns, 0).into_iter().filter(|row| !row.is_empty()).map(|row| Line::styled(row, theme.style(Tone::Strong))),
    );
    let rest = shown.len().saturating_sub(first + height);
    let title = if rest > 0 { format!("{title} ({rest} more below)") } else { title };
    lines.truncate(height);
    frame::pane(frame, area, &Pane { title: &title, focused: true, lines: &lines, scroll: Scroll(0), keys: None }, theme);
}
