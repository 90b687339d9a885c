//! A parsed terminal's cells on ours.

use crate::tui::theme::{Palette, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

/// Draws what fits. Colours are the programs' own; without colours, weight and inversion stay.
pub fn draw(screen: &vt100::Screen, area: Rect, theme: Theme, buffer: &mut Buffer) {
    let colors = theme.palette != Palette::None;
    for row in 0..area.height {
        for column in 0..area.width {
            let Some(cell) = screen.cell(row, column) else { continue };
            if cell.is_wide_continuation() {
                continue;
            }
            // Half a wide character at the edge would stand in the neighbour's place.
            let fits = !cell.is_wide() || column + 1 < area.width;
            let text = if cell.has_contents() && fits { cell.contents() } else { " " };
            if let Some(place) = buffer.cell_mut((area.x + column, area.y + row)) {
                place.set_symbol(text).set_style(style(cell, colors));
            }
        }
    }
}

fn style(cell: &vt100::Cell, colors: bool) -> Style {
    let mut style = Style::default();
    if colors {
        style.fg = color(cell.fgcolor());
        style.bg = color(cell.bgcolor());
    }
    let marks = [
        (cell.bold(), Modifier::BOLD),
        (cell.dim(), Modifier::DIM),
        (cell.italic(), Modifier::ITALIC),
        (cell.underline(), Modifier::UNDERLINED),
        (cell.inverse(), Modifier::REVERSED),
    ];
    marks.into_iter().filter(|(is, _)| *is).fold(style, |style, (_, mark)| style.add_modifier(mark))
}

fn color(color: vt100::Color) -> Option<Color> {
    match color {
        vt100::Color::Default => None,
        vt100::Color::Idx(n) => Some(Color::Indexed(n)),
        vt100::Color::Rgb(r, g, b) => Some(Color::Rgb(r, g, b)),
    }
}
