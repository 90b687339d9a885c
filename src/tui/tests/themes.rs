//! Themes: every cell has a colour or none has, and they are changed by word and by key.

use super::*;
use ratatui::style::Color;

#[test]
fn without_colours_no_cell_has_one_and_with_them_every_cell_has() {
    for palette in Palette::ALL {
        for deep in [true, false] {
            let mut play = failed(80, 24);
            play.app.theme = Theme { palette, deep, ..Theme::PLAIN };
            play.keys("<F1>");
            let wanted = palette == Palette::None;
            for cell in play.buffer().content() {
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
