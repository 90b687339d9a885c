//! What the cells of a screen mean: found by how they look in every theme at once.

use super::*;
use crate::lesson::layout::Mark;
use crate::session::transcript::Sort;
use crate::tui::theme::Tone;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier, Style};

/// Ink, paper and weight.
type Look = (Color, Color, Modifier);

/// Meanings, the letter of each, and its style in a theme.
type Meaning = (char, &'static str, fn(Theme) -> Style);

const MEANINGS: [Meaning; 13] = [
    ('.', "plain", |theme| theme.style(Tone::Plain)),
    ('q', "quiet", |theme| theme.style(Tone::Quiet)),
    ('s', "strong", |theme| theme.style(Tone::Strong)),
    ('g', "good", |theme| theme.style(Tone::Good)),
    ('b', "bad", |theme| theme.style(Tone::Bad)),
    ('u', "unsure", |theme| theme.style(Tone::Unsure)),
    ('c', "command", |theme| theme.style(Tone::Command)),
    ('k', "code", |theme| theme.style(Tone::Code)),
    ('r', "bar", |theme| theme.style(Tone::Bar)),
    ('f', "focus", |theme| theme.style(Tone::Focus)),
    ('i', "emphasis, note", |theme| theme.mark(Mark::Emphasis)),
    ('l', "link", |theme| theme.mark(Mark::Link)),
    ('e', "error output", |theme| theme.sort(Sort::Err)),
];

/// Every palette on terminals of 256 colours and of sixteen.
pub fn looks() -> Vec<Theme> {
    let of = |palette| [Theme::of(palette), Theme { deep: false, ..Theme::of(palette) }];
    Palette::ALL.into_iter().flat_map(of).collect()
}

/// A screen in a theme.
pub fn cells(play: &mut Play, theme: Theme) -> Buffer {
    play.app.theme = theme;
    play.buffer()
}

fn look(cell: &Cell) -> Look {
    (cell.fg, cell.bg, cell.modifier)
}

fn styled(theme: Theme, style: Style) -> Look {
    let style = theme.base().patch(style);
    (style.fg.unwrap_or(Color::Reset), style.bg.unwrap_or(Color::Reset), style.add_modifier)
}

/// How a meaning looks in every theme.
fn shown(style: fn(Theme) -> Style) -> Vec<Look> {
    looks().into_iter().map(|theme| styled(theme, style(theme))).collect()
}

/// The meaning that looks like this in every theme, and what it is set in besides.
fn meaning(seen: &[Look]) -> Option<(char, &'static str, Modifier)> {
    let fits = |(letter, name, style): &Meaning| {
        let shown = shown(*style);
        let more = seen[0].2.difference(shown[0].2);
        let same = seen.iter().zip(&shown).all(|(a, b)| a.0 == b.0 && a.1 == b.1 && a.2 == b.2.union(more));
        same.then_some((*letter, *name, more))
    };
    let all: Vec<_> = MEANINGS.iter().filter_map(fits).collect();
    all.iter().find(|(.., more)| more.is_empty()).or(all.first()).copied()
}

/// The map of letters, and what letters stand for that are of this screen only.
pub fn tones(drawn: &[Buffer]) -> String {
    let area = drawn[0].area;
    let mut letters: Vec<(Vec<Look>, char)> = Vec::new();
    let (mut map, mut own) = (String::new(), String::new());
    for y in 0..area.height {
        let mut row = String::new();
        for x in 0..area.width {
            let seen: Vec<Look> = drawn.iter().map(|buffer| look(&buffer[(x, y)])).collect();
            let letter = letters.iter().find(|(known, _)| *known == seen).map(|(_, letter)| *letter).unwrap_or_else(|| {
                let letter = match meaning(&seen) {
                    Some((letter, _, more)) if more.is_empty() => letter,
                    other => {
                        let next = (b'A' + own.lines().count() as u8) as char;
                        own += &format!("{next}: {}\n", described(other, &seen));
                        next
                    }
                };
                letters.push((seen, letter));
                letter
            });
            row.push(letter);
        }
        map += row.trim_end_matches('.');
        map.push('\n');
    }
    map + &own
}

fn described(meaning: Option<(char, &'static str, Modifier)>, seen: &[Look]) -> String {
    match meaning {
        Some((_, name, more)) => format!("{name} + {}", weight(more)),
        None => {
            let mut all: Vec<String> = seen.iter().map(|look| spelled(*look)).collect();
            all.dedup();
            format!("by its own colours: {}", all.join("; "))
        }
    }
}

fn weight(modifier: Modifier) -> String {
    modifier.iter_names().map(|(name, _)| name.to_lowercase()).collect::<Vec<_>>().join(" ")
}

fn spelled((ink, paper, modifier): Look) -> String {
    format!("{ink} on {paper} {}", weight(modifier)).trim_end().to_string()
}

/// How each meaning looks in each theme.
pub fn legend() -> String {
    let mut out = String::new();
    for (letter, name, style) in MEANINGS {
        out += &format!("{letter} {name}\n");
        for theme in looks() {
            let depth = if theme.deep { 256 } else { 16 };
            out += &format!("  {:<13} {depth:>3}  {}\n", theme.palette.name(), spelled(styled(theme, style(theme))));
        }
    }
    out
}
