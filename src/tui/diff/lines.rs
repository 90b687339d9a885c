//! A change as lines: signs for what is new and gone, the words that differ marked in them, requests, openings, notes.

use crate::base::text::{width, wrap};
use crate::session::desk::manifest::{Moved, ObjectDiff, Opened, Preview, Problem, Shift, Turn};
use crate::tui::theme::{Theme, Tone};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use similar::{ChangeTag, TextDiff};

/// Lines of one object that are shown.
const MOST: usize = 2_000;
/// Columns of labels.
const LABEL: usize = 14;

/// What of an object's text is told, around what changed.
pub enum Part {
    /// Lines that are left out.
    Gap,
    /// Too many lines: the rest is left out.
    Cut,
    /// A line in pieces; those that are marked differ.
    Text { tag: ChangeTag, pieces: Vec<(bool, String)> },
}

/// Compares the texts of an object: the lines around what changed, and the words that differ in them. Nothing where nothing changed.
pub fn compared(object: &ObjectDiff) -> Vec<Part> {
    let mut parts = Vec::new();
    if object.turn == Turn::Unchanged {
        return parts;
    }
    let diff = TextDiff::from_lines(&object.before, &object.after);
    let whole = object.before.is_empty() || object.after.is_empty();
    let mut told = 0;
    for (nth, group) in diff.grouped_ops(3).iter().enumerate() {
        if nth > 0 {
            parts.push(Part::Gap);
        }
        for change in group.iter().flat_map(|op| diff.iter_inline_changes(op)) {
            told += 1;
            if told > MOST {
                parts.push(Part::Cut);
                return parts;
            }
            let pieces =
                change.iter_strings_lossy().map(|(mark, text)| (mark && !whole, text.trim_end_matches('\n').to_string()));
            parts.push(Part::Text { tag: change.tag(), pieces: pieces.collect() });
        }
    }
    parts
}

/// Everything below the sum. `texts`: what [`compared`] found of each object.
pub fn lines(preview: &Preview, texts: &[Vec<Part>], columns: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut out = Vec::new();
    preview.problems.iter().for_each(|p| problem(p, columns, theme, &mut out));
    // What gets through matters more than how the objects look, and is shorter.
    traffic(preview, columns, theme, &mut out);
    for (object, parts) in preview.objects.iter().zip(texts) {
        out.push(Line::default());
        let tone = if object.turn == Turn::Unchanged { Tone::Quiet } else { Tone::Strong };
        out.push(Line::styled(format!(" {} {}", object.turn.word(), object.name), theme.style(tone)));
        parts.iter().for_each(|part| out.extend(part.lines(columns, theme)));
    }
    if !preview.notes.is_empty() {
        out.push(Line::default());
    }
    preview.notes.iter().for_each(|note| labelled("note", note, Tone::Quiet, columns, theme, &mut out));
    out
}

fn problem(problem: &Problem, columns: usize, theme: Theme, out: &mut Vec<Line<'static>>) {
    let tone = if problem.grade == crate::session::desk::manifest::Grade::Unsure { Tone::Unsure } else { Tone::Bad };
    labelled(&format!("line {}", problem.line), &problem.what, tone, columns, theme, out);
    if !problem.next.is_empty() {
        labelled("", &problem.next, Tone::Plain, columns, theme, out);
    }
}

/// A label and a text that wraps beside it.
fn labelled(label: &str, text: &str, tone: Tone, columns: usize, theme: Theme, out: &mut Vec<Line<'static>>) {
    let room = columns.saturating_sub(LABEL + 1).max(16);
    for (nth, row) in wrap(text, room, 0).into_iter().enumerate() {
        let head = if nth == 0 { label } else { "" };
        let pad = " ".repeat(LABEL.saturating_sub(width(head) + 1));
        out.push(Line::from(vec![
            Span::styled(format!(" {head}{pad}"), theme.style(Tone::Quiet)),
            Span::styled(row, theme.style(tone)),
        ]));
    }
}

fn traffic(preview: &Preview, columns: usize, theme: Theme, out: &mut Vec<Line<'static>>) {
    if preview.compared.is_empty() {
        return;
    }
    out.push(Line::default());
    out.push(Line::styled(format!(" Requests: {} compared", preview.compared), theme.style(Tone::Strong)));
    preview.moved.iter().for_each(|m| moved(m, columns, theme, out));
    if preview.moved.is_empty() {
        labelled("", "Nothing changes for any of them.", Tone::Plain, columns, theme, out);
    }
    preview.opened.iter().for_each(|o| opened(o, columns, theme, out));
    preview.closed.iter().for_each(|closed| labelled("closes", closed, Tone::Good, columns, theme, out));
}

/// `+` is let through now, `-` no more, `~` otherwise.
fn moved(moved: &Moved, columns: usize, theme: Theme, out: &mut Vec<Line<'static>>) {
    let (sign, tone) = match moved.shift {
        Shift::Allowed => ("+", Tone::Good),
        Shift::Denied => ("-", Tone::Bad),
        _ => ("~", Tone::Unsure),
    };
    let head = format!("{sign} {}: {}", moved.shift.word(), moved.url);
    for (nth, row) in wrap(&head, columns.saturating_sub(4), 0).into_iter().enumerate() {
        let row = if nth == 0 { row } else { format!("  {row}") };
        out.push(Line::styled(format!(" {row}"), theme.style(tone)));
    }
    labelled("  from", &moved.from.join(", "), Tone::Plain, columns, theme, out);
    labelled("  was", &moved.was, Tone::Plain, columns, theme, out);
    labelled("  is", &moved.is, Tone::Plain, columns, theme, out);
    labelled("  decided by", &moved.decided, Tone::Plain, columns, theme, out);
}

fn opened(opened: &Opened, columns: usize, theme: Theme, out: &mut Vec<Line<'static>>) {
    let head = format!("also opens: {}", opened.why);
    for (nth, row) in wrap(&head, columns.saturating_sub(4), 0).into_iter().enumerate() {
        let sign = if nth == 0 { "!" } else { " " };
        out.push(Line::styled(format!(" {sign} {row}"), theme.style(Tone::Unsure)));
    }
    labelled("  by", &opened.by, Tone::Plain, columns, theme, out);
    labelled("  lets out", &opened.from.join(", "), Tone::Plain, columns, theme, out);
    labelled("  witness", &opened.witness, Tone::Code, columns, theme, out);
    labelled("", &opened.result, Tone::Plain, columns, theme, out);
}

impl Part {
    fn lines(&self, columns: usize, theme: Theme) -> Vec<Line<'static>> {
        let quiet = |text: &'static str| vec![Line::styled(text, theme.style(Tone::Quiet))];
        match self {
            Part::Gap => quiet("   .."),
            Part::Cut => quiet("   .. and more"),
            Part::Text { tag, pieces } => {
                let (sign, tone) = match tag {
                    ChangeTag::Equal => (" ", Tone::Quiet),
                    ChangeTag::Insert => ("+", Tone::Good),
                    ChangeTag::Delete => ("-", Tone::Bad),
                };
                signed(sign, theme.style(tone).remove_modifier(Modifier::BOLD), pieces, columns)
            }
        }
    }
}

/// One line with its sign; the words that differ reversed. What is longer than the screen goes on below, with the sign.
fn signed(sign: &str, style: Style, pieces: &[(bool, String)], columns: usize) -> Vec<Line<'static>> {
    let room = columns.saturating_sub(4).max(8);
    let mut rows = vec![vec![Span::styled(format!(" {sign} "), style)]];
    let mut used = 0;
    for (marked, text) in pieces {
        let style = if *marked { style.add_modifier(Modifier::REVERSED) } else { style };
        let mut piece = String::new();
        for c in text.chars() {
            let wide = width(c.encode_utf8(&mut [0; 4]));
            if used + wide > room {
                rows.last_mut().into_iter().for_each(|row| row.push(Span::styled(std::mem::take(&mut piece), style)));
                rows.push(vec![Span::styled(format!(" {sign} "), style.remove_modifier(Modifier::REVERSED))]);
                used = 0;
            }
            piece.push(c);
            used += wide;
        }
        rows.last_mut().into_iter().for_each(|row| row.push(Span::styled(std::mem::take(&mut piece), style)));
    }
    rows.into_iter().map(Line::from).collect()
}
