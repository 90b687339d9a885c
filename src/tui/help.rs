//! Sheets that lie over a screen: the keys that work there, a topic.

mod topics;

pub use topics::{Topic, topic, topics};

use super::keymap::{self, Command, Place, ROWS, Row, Scope};
use super::scroll::Scroll;
use super::theme::{Theme, Tone};
use crate::base::text::{width, wrap};
use ratatui::text::{Line, Span};

/// What a sheet shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sheet {
    Keys,
    Topic(Topic),
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

/// The screen that help is asked on.
#[derive(Clone, Copy)]
pub struct Here<'a> {
    pub place: Place,
    /// Whether a command does anything now.
    pub works: &'a dyn Fn(Command) -> bool,
}

/// Columns of the keys before what they do.
const KEYS: usize = 24;

/// The page of keys: what works now on this screen.
pub fn keys(columns: usize, here: Here<'_>, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = paragraphs(intro(here.place), columns);
    let works = |row: &&Row| (here.works)(row.command) && here.place.reaches(row);
    let (first, then): (Vec<&Row>, Vec<&Row>) =
        keymap::rows_of(here.place.scope()).filter(works).partition(|row| reached_at_once(row, here.place));
    let head = |text: &str| Line::styled(text.to_string(), theme.style(Tone::Strong));
    lines.push(head("Keys that work now"));
    lines.extend(first.iter().flat_map(|row| key_lines(&keys_of(row, here.place), row.help, columns, theme)));
    if !then.is_empty() {
        lines.push(Line::default());
        lines.push(head("After Esc, or with Alt"));
        lines.extend(then.iter().flat_map(|row| key_lines(&keys_of(row, Place::Pane), row.help, columns, theme)));
    }
    lines.push(Line::default());
    lines.extend(paragraphs(
        &["Every command has a word too: `:` outside the prompt, or a line that begins with `:` at it; Tab completes. `:help \
           commands` lists them, `:help TOPIC` explains one."],
        columns,
    ));
    let names: Vec<&str> = topics().map(|(name, _)| name).collect();
    lines.extend(paragraphs(&[&format!("Topics: {}.", names.join(", "))], columns));
    lines
}

fn intro(place: Place) -> &'static [&'static str] {
    match place {
        Place::Over(_) => &[],
        Place::Keys => &["A program in the pod has the keyboard; these keys stay with the lab."],
        _ => &[
            "The prompt takes commands as a shell does: kubectl, istioctl, pipes, here-documents. `help` typed there lists its words; \
             hint, check, next, back, solution and quit are words too.",
        ],
    }
}

/// Whether one of a row's keys works without Esc or Alt.
fn reached_at_once(row: &Row, place: Place) -> bool {
    place != Place::Prompt || !row.anywhere.is_empty()
}

fn keys_of(row: &Row, place: Place) -> String {
    let keys: Vec<&str> = match place {
        Place::Prompt | Place::Keys => row.anywhere.to_vec(),
        _ if row.anywhere.iter().any(|key| row.pane.contains(key)) => row.pane.to_vec(),
        _ => row.anywhere.iter().chain(row.pane).copied().collect(),
    };
    match keys.as_slice() {
        [] => row.pane.first().map(|key| format!("Alt-{key}")).unwrap_or_default(),
        [first, .., last] if keys.len() > 5 => format!("{first}..{last}"),
        keys => keys.join("  "),
    }
}

/// Paragraphs, each followed by an empty line.
fn paragraphs(texts: &[&str], columns: usize) -> Vec<Line<'static>> {
    let lines =
        |text: &&str| wrap(text, columns.min(100), 0).into_iter().chain([String::new()]).map(Line::from).collect::<Vec<_>>();
    texts.iter().flat_map(lines).collect()
}

fn key_lines(head: &str, help: &str, columns: usize, theme: Theme) -> Vec<Line<'static>> {
    let room = columns.saturating_sub(KEYS).max(20);
    let head = format!("  {head}");
    let mut lines = Vec::new();
    // A head that is too long for its column stands alone.
    let alone = width(&head) + 1 > KEYS;
    if alone {
        lines.push(Line::styled(head.clone(), theme.style(Tone::Command)));
    }
    for (nth, text) in wrap(help, room, 0).into_iter().enumerate() {
        let head = if nth == 0 && !alone { head.clone() } else { String::new() };
        let pad = " ".repeat(KEYS.saturating_sub(width(&head)));
        lines.push(Line::from(vec![Span::styled(head, theme.style(Tone::Command)), Span::raw(pad), Span::raw(text)]));
    }
    lines
}

/// The page of a topic.
pub fn page(topic: Topic, scope: Scope, columns: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = paragraphs(topic.paragraphs(), columns);
    match topic {
        Topic::Row(nth) => lines.extend(ROWS.get(nth).map(|row| about_row(row, columns, theme)).unwrap_or_default()),
        Topic::Text(nth) if topics::is_commands(nth) => {
            lines.extend(
                super::command::rows(scope)
                    .flat_map(|row| key_lines(&format!(":{}", row.word_shown()), row.help, columns, theme)),
            );
        }
        Topic::Text(nth) if topics::is_all_keys(nth) => lines.extend(all_keys(columns, theme)),
        Topic::Text(_) => (),
    }
    lines
}

fn about_row(row: &Row, columns: usize, theme: Theme) -> Vec<Line<'static>> {
    let words: Vec<String> = row.words().map(|word| format!(":{word}")).collect();
    let operand = if row.operand().is_empty() { String::new() } else { format!(" {}", row.operand()) };
    let keys: Vec<&str> = row.anywhere.iter().chain(row.pane).copied().collect();
    let keys = if keys.is_empty() { "none".to_string() } else { keys.join("  ") };
    let mut lines = key_lines("what it does", row.help, columns, theme);
    lines.extend(key_lines("keys", &keys, columns, theme));
    lines.extend(key_lines("words", &format!("{}{operand}", words.join("  ")), columns, theme));
    lines
}

fn all_keys(columns: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut scope = None;
    for row in ROWS {
        if scope != Some(row.scope) {
            lines.extend(scope.map(|_| Line::default()));
            lines.push(Line::styled(row.scope.title(), theme.style(Tone::Strong)));
            scope = Some(row.scope);
        }
        lines.extend(key_lines(&keys_of(row, Place::Pane), row.help, columns, theme));
    }
    lines
}
