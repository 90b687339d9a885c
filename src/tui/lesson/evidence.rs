//! What the checks found: expected against observed, and what decided.

use crate::finding::{Verdict, render};
use crate::session::Session;
use crate::tui::theme::{Theme, Tone};
use ratatui::text::{Line, Span};

/// The pane's lines.
pub fn lines(session: &Session, columns: usize, theme: Theme) -> Vec<Line<'static>> {
    let findings = session.findings();
    if findings.is_empty() {
        let text = match (session.step().checks.is_empty(), session.step().question.is_some()) {
            (_, true) => "This step is closed by an answer; what the check of the answer finds appears here.",
            (true, _) => "This step has nothing to check.",
            (false, _) => "Nothing was checked in this step yet. Each command is followed by a check; F5 asks for one.",
        };
        return crate::base::text::wrap(text, columns, 0).into_iter().map(Line::from).collect();
    }
    let mut lines = Vec::new();
    for finding in findings {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        for (nth, row) in render::rows(finding, columns).into_iter().enumerate() {
            let style = if nth == 0 { theme.verdict(finding.verdict) } else { theme.style(Tone::Quiet) };
            let text = if nth == 0 { theme.style(Tone::Strong) } else { theme.style(Tone::Plain) };
            let label = format!("{:<1$}", row.label, render::LABEL);
            lines.push(Line::from(vec![Span::styled(label, style), Span::styled(row.text, text)]));
        }
    }
    lines
}

/// How many of the findings are met, and how many there are.
pub fn met(session: &Session) -> (usize, usize) {
    let findings = session.findings();
    (findings.iter().filter(|finding| finding.verdict == Verdict::Met).count(), findings.len())
}
