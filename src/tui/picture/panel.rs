//! What the marked station says about the request, line by line, and why the request ended as it did.

use crate::base::text::wrap;
use crate::finding::picture::{Part, Picture, look_at};
use crate::tui::frame::{self, Pane};
use crate::tui::scroll::Scroll;
use crate::tui::theme::{Theme, Tone};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Columns before a value.
const LABEL: usize = 16;

/// Draws it; `marked` is a station and one of its parts.
pub fn draw(picture: &Picture, marked: (usize, usize), scroll: Scroll, area: Rect, theme: Theme, frame: &mut Frame<'_>) {
    let Some(station) = picture.stations.get(marked.0) else { return };
    let (lines, at) = lines(picture, marked, usize::from(area.width), theme);
    let title = format!("{} {}", station.kind.word(), station.name);
    let height = usize::from(area.height.saturating_sub(1));
    // The marked line stays in sight; scrolling goes on from there.
    let top = Scroll((at + 3).saturating_sub(height).saturating_add(scroll.0));
    frame::pane(frame, area, &Pane { title: &title, focused: true, lines: &lines, scroll: top, keys: Some("PageDown") }, theme);
}

/// The lines, and which of them the marked part begins with.
fn lines(picture: &Picture, marked: (usize, usize), columns: usize, theme: Theme) -> (Vec<Line<'static>>, usize) {
    let mut page = Page { lines: Vec::new(), columns: columns.max(40), theme };
    let station = &picture.stations[marked.0];
    let mut at = 0;
    for (nth, part) in station.parts.iter().enumerate() {
        if nth == marked.1 {
            at = page.lines.len();
        }
        page.part(part, nth == marked.1);
    }
    if station.parts.is_empty() {
        page.text(if station.kind.is_proxy() {
            "No proxy here told anything about this request."
        } else {
            "No proxy stands here."
        });
    }
    page.lines.push(Line::default());
    page.row("outcome", &picture.seen, Tone::Plain);
    if !picture.why.object.is_empty() {
        page.row("decided by", &format!("{} {}", picture.why.object, picture.why.field), Tone::Plain);
    }
    if let Some(model) = &picture.model {
        page.row("model", &format!("said {model}; what was seen counts"), Tone::Unsure);
    }
    if !picture.probe.is_empty() {
        page.row("sent as", &picture.probe, Tone::Plain);
    }
    if let Some(command) = look_at(&picture.why) {
        page.row("at the prompt", &command, Tone::Command);
    }
    (page.lines, at)
}

struct Page {
    lines: Vec<Line<'static>>,
    columns: usize,
    theme: Theme,
}

impl Page {
    fn text(&mut self, text: &str) {
        self.lines.extend(wrap(text, self.columns, 0).into_iter().map(Line::from));
    }

    fn row(&mut self, label: &str, value: &str, tone: Tone) {
        for (nth, text) in wrap(value, self.columns - LABEL - 2, 0).into_iter().enumerate() {
            let label = format!("  {:<LABEL$}", if nth == 0 { label } else { "" });
            self.lines.push(Line::from(vec![
                Span::styled(label, self.theme.style(Tone::Quiet)),
                Span::styled(text, self.theme.style(tone)),
            ]));
        }
    }

    /// `* virtual host    block_all`, below it who said so.
    fn part(&mut self, part: &Part, marked: bool) {
        let first = self.lines.len();
        self.row(part.name, &part.value, if part.key { Tone::Strong } else { Tone::Plain });
        if let Some(decided) = &part.decided {
            // A line that only stands for the cause has the field as its value.
            let (word, field) = match (decided.field == part.value, part.key) {
                (true, _) => ("of", ""),
                (false, true) => ("this decided:", decided.field.as_str()),
                (false, false) => ("from", decided.field.as_str()),
            };
            let text = format!("{word} {} {field}", decided.object);
            self.row("", text.trim_end(), if part.key { Tone::Bad } else { Tone::Quiet });
        }
        let Some(line) = self.lines.get_mut(first) else { return };
        if marked {
            let label = format!("> {:<LABEL$}", part.name);
            line.spans[0] = Span::styled(label, self.theme.style(Tone::Focus));
        }
    }
}
