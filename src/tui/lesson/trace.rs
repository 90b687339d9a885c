//! The way of the newest probe as text: what was seen, and hop by hop why.

use crate::base::text::wrap;
use crate::finding::{Exchanged, Finding, Verdict, words};
use crate::mesh::{Hop, Record};
use crate::session::Session;
use crate::tui::theme::{Theme, Tone};
use ratatui::text::{Line, Span};

/// Columns of the label before a value.
const LABEL: usize = 16;

/// The sheet's lines.
pub fn lines(session: &Session, columns: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut page = Page { lines: Vec::new(), columns, theme };
    let with_way = |finding: &&Finding| !finding.evidence.exchanges.is_empty() || finding.evidence.observation.is_some();
    let findings = session.findings();
    let failed = findings.iter().find(|finding| finding.verdict != Verdict::Met && with_way(finding));
    match failed.or_else(|| findings.iter().find(with_way)) {
        None => page.text("No request was sent by the checks of this step yet. `explain URL` at the prompt traces one of yours."),
        Some(finding) => page.finding(finding),
    }
    page.lines
}

struct Page {
    lines: Vec<Line<'static>>,
    columns: usize,
    theme: Theme,
}

impl Page {
    fn text(&mut self, text: &str) {
        self.lines.extend(wrap(text, self.columns, 0).into_iter().map(Line::from));
    }

    fn row(&mut self, label: &str, value: &str) {
        for (nth, text) in wrap(value, self.columns.saturating_sub(LABEL).max(20), 0).into_iter().enumerate() {
            let label = format!("{:<LABEL$}", if nth == 0 { label } else { "" });
            self.lines.push(Line::from(vec![Span::styled(label, self.theme.style(Tone::Quiet)), Span::raw(text)]));
        }
    }

    fn finding(&mut self, finding: &Finding) {
        let head = format!("{}  {}", finding.verdict.word(), finding.title);
        self.lines.push(Line::styled(head, self.theme.verdict(finding.verdict)));
        if !finding.evidence.probe.is_empty() {
            self.row("probe", &finding.evidence.probe);
        }
        for (nth, exchange) in finding.evidence.exchanges.iter().enumerate() {
            self.lines.push(Line::default());
            let title = format!("Request {}: {}", nth + 1, exchange.url);
            self.lines.push(Line::styled(title, self.theme.style(Tone::Strong)));
            self.exchange(exchange);
        }
        if finding.evidence.exchanges.is_empty()
            && let Some(record) = finding.evidence.prediction.as_ref().or(finding.evidence.observation.as_ref())
        {
            self.lines.push(Line::default());
            self.record(record);
        }
    }

    fn exchange(&mut self, exchange: &Exchanged) {
        self.row("seen", &words(&exchange.observation));
        if exchange.disagrees() {
            let said = exchange.prediction.as_ref().map(words).unwrap_or_default();
            self.row("model", &format!("said {said}; what was seen counts"));
        }
        self.way(exchange.prediction.as_ref().unwrap_or(&exchange.observation), &exchange.observation);
    }

    fn record(&mut self, record: &Record) {
        self.row("seen", &words(record));
        self.way(record, record);
    }

    fn way(&mut self, record: &Record, seen: &Record) {
        let hops = if record.hops.is_empty() { &seen.hops } else { &record.hops };
        if hops.is_empty() {
            self.row("hops", "none: no proxy saw this request");
        }
        hops.iter().enumerate().for_each(|(nth, hop)| self.hop(nth, hop));
        self.row("because", &record.cause.text);
        if !record.cause.object.is_empty() {
            self.row("decided by", &format!("{} {}", record.cause.object, record.cause.field));
        }
    }

    fn hop(&mut self, nth: usize, hop: &Hop) {
        self.row(&format!("hop {}", nth + 1), &hop.proxy);
        let parts = [
            ("  listener", &hop.listener),
            ("  filter chain", &hop.filter_chain),
            ("  routes", &hop.route_config),
            ("  virtual host", &hop.virtual_host),
            ("  route", &hop.route),
            ("  cluster", &hop.cluster),
            ("  endpoint", &hop.endpoint),
        ];
        for (label, value) in parts {
            if let Some(value) = value {
                self.row(label, value);
            }
        }
        if !hop.flags.is_empty() {
            self.row("  flags", &hop.flags);
        }
        if let Some(log) = &hop.log {
            self.row("  log", log);
        }
    }
}
