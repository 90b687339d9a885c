//! The palettes: which colour says what. Two versions of each: of the 240 colours above the first sixteen, whose values every terminal
//! shares, and of the sixteen, whose values a terminal chooses (the test takes the worse of xterm's and the VGA's).

use ratatui::style::{Color, Modifier};

/// A set of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Palette {
    Dark,
    Light,
    /// White on black; nothing below ten to one.
    HighContrast,
    /// Good and bad are blue and orange.
    ColourBlind,
    /// No colours at all.
    None,
}

/// The colours of a palette: paper, ink, and one for each meaning with what it is set in besides.
#[derive(Debug, Clone, Copy)]
pub struct Colors {
    pub paper: Color,
    pub ink: Ink,
    pub quiet: Ink,
    pub strong: Ink,
    pub good: Ink,
    pub bad: Ink,
    pub unsure: Ink,
    pub command: Ink,
    pub code: Ink,
}

/// A colour and what it is set in.
pub type Ink = (Color, Modifier);

const PLAIN: Modifier = Modifier::empty();
const BOLD: Modifier = Modifier::BOLD;
const MARKED: Modifier = Modifier::BOLD.union(Modifier::UNDERLINED);

const fn fixed(number: u8, modifier: Modifier) -> Ink {
    (Color::Indexed(number), modifier)
}

impl Palette {
    pub const ALL: [Palette; 5] = [Palette::Dark, Palette::Light, Palette::HighContrast, Palette::ColourBlind, Palette::None];

    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Palette::Dark => "dark",
            Palette::Light => "light",
            Palette::HighContrast => "high-contrast",
            Palette::ColourBlind => "colour-blind",
            Palette::None => "none",
        }
    }

    /// In a few words.
    pub fn about(self) -> &'static str {
        match self {
            Palette::Dark => "light letters on dark",
            Palette::Light => "dark letters on white",
            Palette::HighContrast => "white on black, ten to one",
            Palette::ColourBlind => "blue and orange for good and bad",
            Palette::None => "no colours",
        }
    }

    /// The palette of a name; `color-blind` is one too.
    pub fn named(name: &str) -> Option<Palette> {
        let name = name.replace("color", "colour");
        Palette::ALL.into_iter().find(|palette| palette.name() == name)
    }

    /// Its colours on a terminal of 256 (`deep`) or sixteen.
    pub fn colors(self, deep: bool) -> Option<Colors> {
        Some(match (self, deep) {
            (Palette::None, _) => return None,
            (Palette::Dark, true) => DARK,
            (Palette::Dark, false) => DARK_16,
            (Palette::Light, true) => LIGHT,
            (Palette::Light, false) => LIGHT_16,
            (Palette::HighContrast, true) => HIGH_CONTRAST,
            (Palette::HighContrast, false) => Colors { ink: (Color::White, PLAIN), quiet: (Color::White, PLAIN), ..DARK_16 },
            (Palette::ColourBlind, true) => COLOUR_BLIND,
            (Palette::ColourBlind, false) => {
                Colors { good: (Color::LightCyan, BOLD), command: (Color::White, MARKED), code: (Color::White, PLAIN), ..DARK_16 }
            }
        })
    }
}

const DARK: Colors = Colors {
    paper: Color::Indexed(233),
    ink: fixed(252, PLAIN),
    quiet: fixed(248, PLAIN),
    strong: fixed(255, BOLD),
    good: fixed(114, BOLD),
    bad: fixed(210, BOLD),
    unsure: fixed(177, BOLD),
    command: fixed(80, BOLD),
    code: fixed(116, PLAIN),
};

/// No red of the sixteen reaches seven to one on black, so bad is yellow.
const DARK_16: Colors = Colors {
    paper: Color::Black,
    ink: (Color::Gray, PLAIN),
    quiet: (Color::Gray, PLAIN),
    strong: (Color::White, BOLD),
    good: (Color::LightGreen, BOLD),
    bad: (Color::LightYellow, BOLD),
    unsure: (Color::White, MARKED),
    command: (Color::LightCyan, BOLD),
    code: (Color::LightCyan, PLAIN),
};

const LIGHT: Colors = Colors {
    paper: Color::Indexed(231),
    ink: fixed(235, PLAIN),
    quiet: fixed(239, PLAIN),
    strong: fixed(16, BOLD),
    good: fixed(22, BOLD),
    bad: fixed(124, BOLD),
    unsure: fixed(90, BOLD),
    command: fixed(19, BOLD),
    code: fixed(23, PLAIN),
};

/// Of the sixteen only black and blue reach seven to one on white.
const LIGHT_16: Colors = Colors {
    paper: Color::White,
    ink: (Color::Black, PLAIN),
    quiet: (Color::Black, PLAIN),
    strong: (Color::Black, BOLD),
    good: (Color::Blue, BOLD),
    bad: (Color::Black, MARKED),
    unsure: (Color::Black, Modifier::BOLD.union(Modifier::ITALIC)),
    command: (Color::Blue, MARKED),
    code: (Color::Blue, PLAIN),
};

const HIGH_CONTRAST: Colors = Colors {
    paper: Color::Indexed(16),
    ink: fixed(231, PLAIN),
    quiet: fixed(254, PLAIN),
    strong: fixed(231, BOLD),
    good: fixed(120, BOLD),
    bad: fixed(217, MARKED),
    unsure: fixed(219, BOLD),
    command: fixed(123, BOLD),
    code: fixed(159, PLAIN),
};

const COLOUR_BLIND: Colors = Colors {
    good: fixed(117, BOLD),
    bad: fixed(215, BOLD),
    unsure: fixed(255, MARKED),
    command: fixed(229, BOLD),
    code: fixed(153, PLAIN),
    ..DARK
};

#[cfg(test)]
mod tests {
    use super::*;

    type Rgb = (u8, u8, u8);

    /// The colours from 16 on: a cube of six steps a side, then grey in 24 steps (xterm's ctlseqs; every terminal has the same).
    fn fixed_rgb(number: u8) -> Rgb {
        let step = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
        match number {
            232.. => {
                let grey = 8 + 10 * (number - 232);
                (grey, grey, grey)
            }
            _ => {
                let n = number - 16;
                (step(n / 36), step(n / 6 % 6), step(n % 6))
            }
        }
    }

    /// A colour's usual values: one where they are fixed; xterm's default and the VGA's where the terminal chooses.
    fn usual(color: Color) -> Vec<Rgb> {
        match color {
            Color::Indexed(number) if number >= 16 => vec![fixed_rgb(number)],
            Color::Black => vec![(0, 0, 0); 2],
            Color::Blue => vec![(0, 0, 0xee), (0, 0, 0xaa)],
            Color::Gray => vec![(0xe5, 0xe5, 0xe5), (0xaa, 0xaa, 0xaa)],
            Color::LightGreen => vec![(0, 0xff, 0), (0x55, 0xff, 0x55)],
            Color::LightYellow => vec![(0xff, 0xff, 0), (0xff, 0xff, 0x55)],
            Color::LightCyan => vec![(0, 0xff, 0xff), (0x55, 0xff, 0xff)],
            Color::White => vec![(0xff, 0xff, 0xff); 2],
            other => panic!("{other:?} has no usual value here"),
        }
    }

    /// Relative luminance (WCAG 2.2).
    fn luminance((r, g, b): Rgb) -> f64 {
        let linear = |c: u8| match f64::from(c) / 255.0 {
            c if c <= 0.04045 => c / 12.92,
            c => ((c + 0.055) / 1.055).powf(2.4),
        };
        0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
    }

    fn contrast(a: Rgb, b: Rgb) -> f64 {
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        a.max(b) / a.min(b)
    }

    #[test]
    fn the_formula_is_the_one_that_everybody_uses() {
        assert!((contrast((0, 0, 0), (255, 255, 255)) - 21.0).abs() < 0.01);
        assert!((contrast((0x77, 0x77, 0x77), (255, 255, 255)) - 4.48).abs() < 0.01);
        assert_eq!((fixed_rgb(16), fixed_rgb(210), fixed_rgb(231)), ((0, 0, 0), (255, 135, 135), (255, 255, 255)));
    }

    #[test]
    fn text_of_every_tone_stands_out_from_its_paper() {
        for palette in Palette::ALL {
            for deep in [true, false] {
                let Some(c) = palette.colors(deep) else { continue };
                let least = if palette == Palette::HighContrast { 10.0 } else { 7.0 };
                let inks = [c.ink, c.quiet, c.strong, c.good, c.bad, c.unsure, c.command, c.code];
                for (nth, (ink, _)) in inks.into_iter().enumerate() {
                    let pairs = usual(ink).into_iter().zip(usual(c.paper));
                    let worst = pairs.map(|(ink, paper)| contrast(ink, paper)).fold(f64::MAX, f64::min);
                    assert!(worst >= least, "{} {deep}: tone {nth} has {worst:.2} to one", palette.name());
                }
            }
        }
    }

    #[test]
    fn good_bad_and_unsure_differ_without_their_hue() {
        for palette in Palette::ALL {
            for deep in [true, false] {
                let Some(c) = palette.colors(deep) else { continue };
                assert!(c.good != c.bad && c.bad != c.unsure && c.good != c.unsure, "{} {deep}", palette.name());
            }
        }
        // Blue and orange: what a deuteranope confuses is red and green, here blue decides.
        let (good, bad) = (fixed_rgb(117), fixed_rgb(215));
        assert!(good.2 > good.0 && bad.0 > bad.2);
    }

    #[test]
    fn names_lead_back() {
        for palette in Palette::ALL {
            assert_eq!(Palette::named(palette.name()), Some(palette));
        }
        assert_eq!(Palette::named("color-blind"), Some(Palette::ColourBlind));
        assert_eq!(Palette::named("solarized"), None);
    }
}
