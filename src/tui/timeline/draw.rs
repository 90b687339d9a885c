//! Draws the time-line.

use super::pages;
use super::{Detail, TimeLineScreen, Typing};
use crate::base::clock::Time;
use crate::base::duration;
use crate::base::text::{clip, count, width, wrap};
use crate::session::desk::timeline::{Moment, Past};
use crate::tui::frame::{self, Pane};
use crate::tui::scroll::Scroll;
use crate::tui::theme::{Theme, Tone};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

/// Below this many columns who did it is told of the marked change only.
const NARROW: u16 = 76;
/// Rows below the list for the marked change.
const FOOT: u16 = 3;
const WHEN: usize = 6;

/// Draws what is up.
pub fn draw(screen: &TimeLineScreen, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
    if let Some(detail) = &screen.detail {
        return draw_detail(detail, area, theme, frame);
    }
    let list = Rect { height: area.height.saturating_sub(FOOT), ..area };
    draw_list(screen, list, theme, frame);
    let foot = Rect { y: area.y + list.height, height: area.height - list.height, ..area };
    draw_foot(screen, foot, theme, frame);
}

fn draw_detail(detail: &Detail, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
    let lines = pages::lines(detail, usize::from(area.width), theme);
    let (title, scroll) = match detail {
        Detail::Change(told, scroll) => (format!("Revision {}", told.moment.revision), *scroll),
        Detail::Compared(_, scroll) => ("Compared".to_string(), *scroll),
        Detail::Return(_, scroll) => ("Return here".to_string(), *scroll),
    };
    frame::pane(frame, area, &Pane { title: &title, focused: true, lines: &lines, scroll, keys: Some("Space") }, theme);
}

fn draw_list(screen: &TimeLineScreen, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
    let shown = screen.shown();
    let now = screen.line.as_ref().map_or(Time(0), |line| line.now);
    let columns = usize::from(area.width);
    let who = if area.width < NARROW { 0 } else { (columns / 4).clamp(16, 30) };
    let number = shown.iter().map(|m| m.revision.to_string().len()).max().unwrap_or(3).max(3);
    let place = screen.place();
    let mut lines = vec![Line::styled(head(number, who), theme.style(Tone::Quiet))];
    match (&screen.line, &screen.trouble) {
        (_, Some(trouble)) => lines.extend(wrap(trouble, columns, 0).into_iter().map(Line::from)),
        (None, _) => lines.push(Line::from("  Reading the time-line ...")),
        (Some(line), _) => {
            if let Past::MarksOnly(why) = &line.past {
                lines.extend(wrap(why, columns.saturating_sub(1), 0).into_iter().map(Line::from));
            }
            let above = lines.len();
            if shown.is_empty() {
                lines.push(Line::from("  Nothing passes the filter."));
            }
            lines.extend(
                shown
                    .iter()
                    .enumerate()
                    .map(|(nth, moment)| row(screen, moment, nth == place, (number, who, columns), now, theme)),
            );
            let height = usize::from(area.height.saturating_sub(1));
            let top = (above + place + 2).saturating_sub(height.saturating_sub(2)).min(lines.len().saturating_sub(height));
            return list_pane(screen, area, lines, top, theme, frame);
        }
    }
    list_pane(screen, area, lines, 0, theme, frame);
}

fn list_pane(screen: &TimeLineScreen, area: Rect, lines: Vec<Line<'static>>, top: usize, theme: Theme, frame: &mut Frame<'_>) {
    let all = screen.line.as_ref().map_or(0, |line| line.moments.len());
    let shown = screen.shown().len();
    let own = if screen.own { ", your own" } else { "" };
    let filter = if screen.filter.is_empty() { String::new() } else { format!(", filter {}", screen.filter) };
    let title = match shown == all {
        true => format!("{}, the newest first{own}", count(all, "change")),
        false => format!("{shown} of {}{own}{filter}", count(all, "change")),
    };
    frame::pane(frame, area, &Pane { title: &title, focused: true, lines: &lines, scroll: Scroll(top), keys: None }, theme);
}

fn head(number: usize, who: usize) -> String {
    let who = if who == 0 { String::new() } else { format!("{:<who$} ", "WHO") };
    format!("  {:>number$} {:>WHEN$} {who}WHAT", "REV", "AGO")
}

fn row(
    screen: &TimeLineScreen,
    moment: &Moment,
    marked: bool,
    (number, who, columns): (usize, usize, usize),
    now: Time,
    theme: Theme,
) -> Line<'static> {
    let mark = match (marked, screen.from == Some(moment.revision)) {
        (true, _) => "> ",
        (_, true) => "* ",
        _ => "  ",
    };
    let name = if who == 0 {
        String::new()
    } else {
        let name = clip(&moment.who, who, theme.ascii);
        format!("{name}{} ", " ".repeat(who.saturating_sub(width(&name))))
    };
    let ago = duration::human(now.since(moment.at).max(0));
    let left = format!("{mark}{:>number$} {ago:>WHEN$} {name}", moment.revision);
    let tag = moment.mark.as_ref().map(|mark| format!(" [{mark}]")).unwrap_or_default();
    let more = if moment.more > 0 { format!(" +{}", moment.more) } else { String::new() };
    let room = columns.saturating_sub(width(&left) + width(&tag) + width(&more));
    let what = format!("{}{more}", clip(&moment.what, room.max(8), theme.ascii));
    let tone = match (marked, moment.own) {
        (true, _) => Tone::Focus,
        (_, true) => Tone::Strong,
        _ => Tone::Quiet,
    };
    Line::from(vec![Span::styled(format!("{left}{what}"), theme.style(tone)), Span::styled(tag, theme.style(Tone::Command))])
}

/// The marked change whole, or what is being typed.
fn draw_foot(screen: &TimeLineScreen, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
    let columns = usize::from(area.width);
    if let Some(typing) = &screen.typing {
        let (label, field) = match typing {
            Typing::Filter(field) => ("Filter: ".to_string(), field),
            Typing::Name(revision, field) => (format!("Bookmark for revision {revision}: "), field),
        };
        let text = clip(&format!(" {label}{}", field.text()), columns, theme.ascii);
        let row = area.height.saturating_sub(1);
        frame::line(frame, area, usize::from(row), &Line::styled(text.clone(), theme.style(Tone::Strong)));
        let x = area.x + (width(&text) as u16).min(area.width.saturating_sub(1));
        return frame.set_cursor_position(Position::new(x, area.y + row));
    }
    if screen.is_waiting() {
        return frame::line(frame, area, 1, &Line::styled(" Working ...", theme.style(Tone::Quiet)));
    }
    let Some(moment) = screen.marked() else { return };
    let more = if moment.more > 0 { format!(", and {} more (Enter shows them)", moment.more) } else { String::new() };
    let text = format!("{}: {}{more}", moment.who, moment.what);
    let rows = wrap(&text, columns.saturating_sub(2), 2);
    for (nth, row) in rows.iter().take(usize::from(area.height.saturating_sub(1))).enumerate() {
        frame::line(frame, area, nth + 1, &Line::from(format!(" {row}")));
    }
}
