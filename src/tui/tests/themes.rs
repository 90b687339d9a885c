//! Every theme on every size: which runs of which row look different from plain text, and how.

use super::*;
use ratatui::style::{Color, Modifier};

/// The rows of a screen with the runs that are not plain: columns, text, colours and weights.
fn runs(play: &Play) -> String {
    let size = play.app.size;
    let mut terminal = Terminal::new(TestBackend::new(size.width, size.height)).expect("a screen in memory");
    terminal.draw(|frame| crate::tui::frame::draw(&play.app, frame)).expect("drawn");
    let buffer = terminal.backend().buffer();
    let base = play.app.theme.base();
    let plain = (base.fg.unwrap_or(Color::Reset), base.bg.unwrap_or(Color::Reset), Modifier::empty());
    let mut out = format!("plain is {}\n", look(plain));
    for y in 0..size.height {
        let mut x = 0;
        while x < size.width {
            let style = |x: u16| (buffer[(x, y)].fg, buffer[(x, y)].bg, buffer[(x, y)].modifier);
            let (from, here) = (x, style(x));
            while x < size.width && style(x) == here {
                x += 1;
            }
            let text: String = (from..x).map(|x| buffer[(x, y)].symbol()).collect();
            if here != plain && !text.trim().is_empty() {
                out += &format!("{y}:{from}..{x} {} | {}\n", look(here), text.trim());
            }
        }
    }
    out
}

fn look((ink, paper, modifier): (Color, Color, Modifier)) -> String {
    let weight = format!("{modifier:?}").to_lowercase();
    format!("{ink} on {paper} {}", weight.trim_start_matches("none").trim_start_matches("modifier"))
}

#[test]
fn every_theme_at_the_three_sizes() {
    for palette in Palette::ALL {
        for (width, height) in [(120, 40), (80, 24), (60, 20)] {
            let name = |what: &str| format!("{what}-{}-{width}x{height}", palette.name());
            let mut play = Play::home(width, height);
            play.app.theme = Theme::of(palette);
            insta::assert_snapshot!(name("theme-home"), runs(&play));
            let mut play = failed(width, height);
            play.app.theme = Theme::of(palette);
            insta::assert_snapshot!(name("theme-lesson"), runs(&play));
        }
    }
}

#[test]
fn without_colours_no_cell_has_one_and_with_them_every_cell_has() {
    for palette in Palette::ALL {
        for deep in [true, false] {
            let mut play = failed(80, 24);
            play.app.theme = Theme { palette, deep, ..Theme::PLAIN };
            play.keys("<F1>");
            let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("a screen in memory");
            terminal.draw(|frame| crate::tui::frame::draw(&play.app, frame)).expect("drawn");
            let wanted = palette == Palette::None;
            for cell in terminal.backend().buffer().content() {
                assert_eq!(
                    (cell.fg == Color::Reset, cell.bg == Color::Reset),
                    (wanted, wanted),
                    "{} {deep}: {cell:?}",
                    palette.name()
                );
            }
        }
    }
}

#[test]
fn a_theme_is_changed_by_its_word_and_by_its_key() {
    let mut play = Play::doing(80, 24);
    play.keys(":theme lig<Tab><Enter>");
    assert_eq!(play.app.theme.palette, Palette::Light);
    assert!(play.notice().contains("theme = \"light\""), "{}", play.notice());
    play.keys("<Esc><Esc>:theme drak<Enter>");
    assert_eq!(play.app.theme.palette, Palette::Light);
    assert!(play.notice().contains("no theme `drak`"), "{}", play.notice());
    play.keys("T");
    assert_eq!(play.app.theme.palette, Palette::HighContrast, "{}", play.screen());
    let mut play = Play::home(80, 24);
    play.keys("T:theme none<Enter>");
    assert_eq!(play.app.theme.palette, Palette::None);
}
