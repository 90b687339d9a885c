//! Which theme a terminal gets: what was asked for, else what the terminal tells about itself.

use super::{Palette, Theme};

/// What was asked for; `None` leaves it to the terminal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    pub palette: Option<Palette>,
    pub ascii: Option<bool>,
    pub motion: Option<bool>,
}

/// What a terminal tells by environment variables.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// `TERM`, `COLORTERM`, `COLORFGBG`.
    pub term: String,
    pub colorterm: String,
    pub colorfgbg: String,
    /// `NO_COLOR` is set to anything, or `CLICOLOR` to 0.
    pub no_color: bool,
    /// `LC_ALL`, else `LC_CTYPE`, else `LANG`.
    pub locale: String,
}

impl Told {
    /// Of this process.
    pub fn by_environment() -> Told {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let clicolor = set("CLICOLOR").is_some_and(|value| value == "0");
        let forced = set("CLICOLOR_FORCE").is_some_and(|value| value != "0");
        Told {
            term: set("TERM").unwrap_or_default(),
            colorterm: set("COLORTERM").unwrap_or_default(),
            colorfgbg: set("COLORFGBG").unwrap_or_default(),
            no_color: set("NO_COLOR").is_some() || (clicolor && !forced),
            locale: set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default(),
        }
    }

    /// Whether its paper is light, as far as it says.
    fn is_light(&self) -> bool {
        matches!(self.colorfgbg.rsplit(';').next(), Some("7" | "15"))
    }

    fn has_256_colors(&self) -> bool {
        let known = ["256color", "direct", "kitty", "alacritty", "ghostty", "foot", "wezterm"];
        matches!(self.colorterm.as_str(), "truecolor" | "24bit") || known.iter().any(|part| self.term.contains(part))
    }

    fn has_no_color(&self) -> bool {
        self.no_color || self.term == "dumb" || self.term.starts_with("vt1") || self.term.starts_with("vt2")
    }
}

impl Theme {
    /// The theme of a terminal. `NO_COLOR` gives way only to a palette that was asked for.
    pub fn choose(look: Look, told: &Told) -> Theme {
        let palette = look.palette.unwrap_or(match (told.has_no_color(), told.is_light()) {
            (true, _) => Palette::None,
            (false, true) => Palette::Light,
            (false, false) => Palette::Dark,
        });
        let locale = told.locale.to_lowercase();
        Theme {
            palette,
            deep: told.has_256_colors(),
            ascii: look.ascii.unwrap_or(!(locale.contains("utf-8") || locale.contains("utf8"))),
            motion: look.motion.unwrap_or(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(term: &str, colorfgbg: &str, no_color: bool) -> Told {
        Told { term: term.into(), colorfgbg: colorfgbg.into(), no_color, locale: "C.UTF-8".into(), ..Told::default() }
    }

    #[test]
    fn a_terminal_gets_what_it_can_show() {
        let rows = [
            ("xterm-256color", "", false, Palette::Dark, true),
            ("xterm-256color", "0;15", false, Palette::Light, true),
            ("xterm", "15;default;0", false, Palette::Dark, false),
            ("linux", "", false, Palette::Dark, false),
            ("xterm-kitty", "", true, Palette::None, true),
            ("dumb", "", false, Palette::None, false),
            ("vt100", "", false, Palette::None, false),
        ];
        for (term, colorfgbg, no_color, palette, deep) in rows {
            let theme = Theme::choose(Look::default(), &told(term, colorfgbg, no_color));
            assert_eq!((theme.palette, theme.deep, theme.ascii), (palette, deep, false), "{term} {colorfgbg}");
        }
    }

    #[test]
    fn what_is_asked_for_wins() {
        let look = Look { palette: Some(Palette::Light), ascii: Some(true), motion: Some(false) };
        let theme = Theme::choose(look, &told("xterm-256color", "", true));
        assert_eq!(theme, Theme { palette: Palette::Light, deep: true, ascii: true, motion: false });
        assert!(Theme::choose(Look::default(), &Told::default()).ascii, "no locale, no UTF-8");
    }
}
