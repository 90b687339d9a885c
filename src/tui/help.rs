//! Sheets that lie over a screen: the keys, and the trace of the last probe.

use super::keymap::{ROWS, Row};
use super::scroll::Scroll;
use super::theme::{Theme, Tone};
use crate::base::text::{width, wrap};
use ratatui::text::{Line, Span};

/// What a sheet shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sheet {
    Keys,
    Trace,
}

/// A sheet and where it is scrolled to.
#[derive(Debug, Clone, Copy)]
pub struct Overlay {
    pub sheet: Sheet,
    pub scroll: Scroll,
}

impl Overlay {
    pub fn new(sheet: Sheet) -> Overlay {
        Overlay { sheet, scroll: Scroll(0) }
    }
}

/// Columns of the keys before what they do.
const KEYS: usize = 24;

/// The page of keys.
pub fn keys(columns: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = vec![
        Line::styled(
            "The prompt takes commands as a shell does: kubectl, istioctl, pipes, here-documents.",
            theme.style(Tone::Plain),
        ),
        Line::styled(
            "`help` typed there lists its words; hint, check, next, back, solution and quit are words too.",
            theme.style(Tone::Plain),
        ),
        Line::default(),
        Line::from(format!("{:<KEYS$}{}", "At the prompt, or Esc first", "")),
    ];
    lines[3] = Line::styled("Keys (single letters: after Esc, or with Alt at the prompt)", theme.style(Tone::Strong));
    let mut wrapped: Vec<Line<'static>> = lines.drain(..3).flat_map(|line| rewrap(&line, columns)).collect();
    wrapped.append(&mut lines);
    wrapped.extend(ROWS.iter().flat_map(|row| key_lines(row, columns, theme)));
    wrapped
}

fn rewrap(line: &Line<'static>, columns: usize) -> Vec<Line<'static>> {
    wrap(&line.to_string(), columns, 0).into_iter().map(Line::from).collect()
}

fn key_lines(row: &Row, columns: usize, theme: Theme) -> Vec<Line<'static>> {
    let keys = match row.pane {
        [first, .., last] if row.pane.len() > 4 => format!("{first}..{last}"),
        keys => row.anywhere.iter().chain(keys).copied().collect::<Vec<_>>().join("  "),
    };
    let room = columns.saturating_sub(KEYS).max(20);
    let mut lines = Vec::new();
    for (nth, text) in wrap(row.help, room, 0).into_iter().enumerate() {
        let head = if nth == 0 { format!("  {keys}") } else { String::new() };
        let pad = " ".repeat(KEYS.saturating_sub(width(&head)));
        lines.push(Line::from(vec![Span::styled(head, theme.style(Tone::Command)), Span::raw(pad), Span::raw(text)]));
    }
    lines
}
