//! Meanings to styles. Sixteen colours at most, readable on dark and on light ground; never colour alone.

use crate::finding::Verdict;
use crate::lesson::layout::Mark;
use crate::session::StepState;
use crate::session::transcript::Sort;
use ratatui::style::{Color, Modifier, Style};

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
    /// `NO_COLOR` unset.
    pub color: bool,
    /// The terminal's character set is not UTF-8: rules and marks in ASCII.
    pub ascii: bool,
}

impl Theme {
    /// From `NO_COLOR`, `CLICOLOR` and the locale.
    pub fn from_environment() -> Theme {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default().to_lowercase();
        let color = set("NO_COLOR").is_none() && set("CLICOLOR").is_none_or(|value| value != "0");
        Theme { color, ascii: !(locale.contains("utf-8") || locale.contains("utf8")) }
    }

    /// The style of a meaning.
    pub fn style(self, tone: Tone) -> Style {
        let (color, modifier) = match tone {
            Tone::Plain => (None, Modifier::empty()),
            Tone::Quiet => (None, Modifier::DIM),
            Tone::Strong => (None, Modifier::BOLD),
            Tone::Good => (Some(Color::Green), Modifier::BOLD),
            Tone::Bad => (Some(Color::Red), Modifier::BOLD),
            Tone::Unsure => (Some(Color::Magenta), Modifier::BOLD),
            Tone::Command => (Some(Color::Cyan), Modifier::BOLD),
            Tone::Code => (Some(Color::Cyan), Modifier::empty()),
            Tone::Bar => (None, Modifier::REVERSED),
            Tone::Focus => (None, Modifier::REVERSED.union(Modifier::BOLD)),
        };
        let style = Style::default().add_modifier(modifier);
        match color.filter(|_| self.color) {
            Some(color) => style.fg(color),
            None => style,
        }
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
            Mark::Label => self.style(Tone::Quiet),
        }
    }

    /// The style of a line of output.
    pub fn sort(self, sort: Sort) -> Style {
        match sort {
            Sort::Typed => self.style(Tone::Strong),
            Sort::Out => self.style(Tone::Plain),
            Sort::Err => {
                if self.color {
                    Style::default().fg(Color::Red)
                } else {
                    Style::default()
                }
            }
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
