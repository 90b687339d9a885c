//! Meanings to styles. Never colour alone: each meaning has a word, a mark or a weight too. A palette paints ink and paper, so that
//! its contrast holds whatever the terminal's own colours are.

mod choose;
mod palette;

pub use choose::{Look, Told};
pub use palette::Palette;

use crate::finding::Verdict;
use crate::lesson::layout::Mark;
use crate::session::StepState;
use crate::session::transcript::Sort;
use ratatui::style::{Modifier, Style};

/// What a piece of the screen means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Plain,
    /// Titles of panes, rules: less than the text.
    Quiet,
    Strong,
    Good,
    Bad,
    Unsure,
    /// Commands that can be run.
    Command,
    Code,
    /// The title of the pane with the focus, the header.
    Bar,
    Focus,
}

/// How meanings look on this terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    pub palette: Palette,
    /// The terminal has 256 colours, whose values are fixed; else sixteen, whose values it chooses.
    pub deep: bool,
    /// Rules and marks in ASCII.
    pub ascii: bool,
    /// Things may move on their own.
    pub motion: bool,
}

impl Theme {
    /// No colours, ASCII, still: what measuring needs.
    pub const PLAIN: Theme = Theme { palette: Palette::None, deep: false, ascii: true, motion: false };

    /// A palette on a terminal that can do everything.
    pub const fn of(palette: Palette) -> Theme {
        Theme { palette, deep: true, ascii: false, motion: true }
    }

    /// Ink and paper of everything that has no meaning of its own; nothing without colours.
    pub fn base(self) -> Style {
        match self.palette.colors(self.deep) {
            Some(colors) => Style::default().fg(colors.ink.0).bg(colors.paper),
            None => Style::default(),
        }
    }

    /// The style of a meaning.
    pub fn style(self, tone: Tone) -> Style {
        let Some(colors) = self.palette.colors(self.deep) else { return Style::default().add_modifier(without_colors(tone)) };
        let (color, modifier) = match tone {
            Tone::Plain => return Style::default(),
            Tone::Bar => return Style::default().add_modifier(Modifier::REVERSED),
            Tone::Focus => return Style::default().add_modifier(Modifier::REVERSED.union(Modifier::BOLD)),
            Tone::Quiet => colors.quiet,
            Tone::Strong => colors.strong,
            Tone::Good => colors.good,
            Tone::Bad => colors.bad,
            Tone::Unsure => colors.unsure,
            Tone::Command => colors.command,
            Tone::Code => colors.code,
        };
        Style::default().fg(color).add_modifier(modifier)
    }

    /// The style of a run of lesson text.
    pub fn mark(self, mark: Mark) -> Style {
        match mark {
            Mark::Text => self.style(Tone::Plain),
            Mark::Heading | Mark::Strong => self.style(Tone::Strong),
            Mark::Code => self.style(Tone::Code),
            Mark::Command => self.style(Tone::Command),
            Mark::Emphasis => Style::default().add_modifier(Modifier::ITALIC),
            Mark::Link => Style::default().add_modifier(Modifier::UNDERLINED),
            Mark::Term => Style::default().add_modifier(Modifier::ITALIC),
            Mark::Label => self.style(Tone::Quiet),
        }
    }

    /// The style of a line of output.
    pub fn sort(self, sort: Sort) -> Style {
        match sort {
            Sort::Typed => self.style(Tone::Strong),
            Sort::Out => self.style(Tone::Plain),
            Sort::Err => match self.palette.colors(self.deep) {
                Some(colors) => Style::default().fg(colors.bad.0),
                None => Style::default(),
            },
            Sort::Note => Style::default().add_modifier(Modifier::ITALIC),
        }
    }

    /// The style of a verdict's word.
    pub fn verdict(self, verdict: Verdict) -> Style {
        self.style(match verdict {
            Verdict::Met => Tone::Good,
            Verdict::NotYet | Verdict::WrongTurn => Tone::Bad,
            Verdict::EnvironmentFault => Tone::Unsure,
        })
    }

    /// A word, its mark and its style for how far a step is.
    pub fn state(self, state: StepState) -> (&'static str, &'static str, Style) {
        match state {
            StepState::NotStarted => (" ", "", self.style(Tone::Quiet)),
            StepState::Active => (">", "open", self.style(Tone::Strong)),
            StepState::Passed => ("+", "passed", self.style(Tone::Good)),
            StepState::Assisted => ("~", "assisted", self.style(Tone::Unsure)),
            StepState::Skipped => ("-", "skipped", self.style(Tone::Quiet)),
        }
    }

    /// The character of horizontal rules.
    pub fn rule(self) -> &'static str {
        if self.ascii { "-" } else { "─" }
    }

    /// The character of vertical rules.
    pub fn bar(self) -> &'static str {
        if self.ascii { "|" } else { "│" }
    }
}

/// What tells meanings apart where there are no colours.
fn without_colors(tone: Tone) -> Modifier {
    match tone {
        Tone::Plain | Tone::Code => Modifier::empty(),
        Tone::Quiet => Modifier::DIM,
        Tone::Strong | Tone::Good | Tone::Bad | Tone::Unsure | Tone::Command => Modifier::BOLD,
        Tone::Bar => Modifier::REVERSED,
        Tone::Focus => Modifier::REVERSED.union(Modifier::BOLD),
    }
}
