//! A finding as plain text: at most [`MAX_LINES`] lines of at most 80 columns.

use super::{Finding, Verdict};
use crate::base::text::{clip, wrap};

/// Lines of one rendered finding.
pub const MAX_LINES: usize = 12;
/// Columns unless the screen is narrower.
pub const COLUMNS: usize = 80;

/// Below this many columns what is not to be cut may take two lines.
const NARROW: usize = 70;

/// One rendered line: what it is, and its text without the label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub label: &'static str,
    pub text: String,
}

impl Verdict {
    /// The word for it on screens.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Met => "PASS",
            Verdict::NotYet => "FAIL",
            Verdict::WrongTurn => "FAIL",
            Verdict::EnvironmentFault => "UNSURE",
        }
    }
}

/// The finding as rows of at most `columns` (label and all), at most [`MAX_LINES`] of them. The first has the verdict as label.
pub fn rows(finding: &Finding, columns: usize) -> Vec<Row> {
    let evidence = &finding.evidence;
    let met = finding.verdict == Verdict::Met;
    let mut out = Rows { rows: Vec::new(), width: columns.saturating_sub(LABEL).max(20) };
    out.add(finding.verdict.word(), &finding.title, if columns < NARROW { 2 } else { 1 });
    if !met || evidence.observed.is_empty() {
        out.add("", &finding.message, 2);
    }
    if !met {
        out.add("expected", &evidence.expected, 2);
    }
    out.add("observed", &evidence.observed, 2);
    out.add("probe", &evidence.probe, 1);
    evidence.log.iter().take(2).for_each(|line| out.add("log", line, 1));
    if let Some((object, field)) = &evidence.decided_by {
        out.add("decided", &format!("{object} {field}"), if columns < NARROW { 2 } else { 1 });
    }
    if let Some((observed, predicted)) = finding.disagreement() {
        out.add("model", &format!("said {predicted}; seen {observed}"), 1);
    }
    match (&finding.wrong_turn, evidence.suspects.first()) {
        (None, Some(suspect)) if !met => {
            let text = format!("{} {}: the smallest change that would do it is there", suspect.object, suspect.field);
            out.add("look at", &text, 2);
        }
        _ => (),
    }
    if let Some(turn) = &finding.wrong_turn {
        out.add("hint", &turn.hint, 3);
    }
    out.fit();
    out.rows
}

/// The finding as text, one line per row, 80 columns.
pub fn text(finding: &Finding) -> String {
    let rows = rows(finding, COLUMNS);
    rows.iter().map(|row| format!("{:<LABEL$}{}\n", row.label, row.text).trim_end().to_string() + "\n").collect()
}

/// Columns of the label and the space after it.
pub const LABEL: usize = 10;

struct Rows {
    rows: Vec<Row>,
    width: usize,
}

impl Rows {
    fn add(&mut self, label: &'static str, text: &str, most: usize) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let mut lines = if most == 1 { vec![clip(text, self.width, true)] } else { wrap(text, self.width, 0) };
        if lines.len() > most {
            lines.truncate(most);
            if let Some(last) = lines.last_mut() {
                *last = clip(&format!("{last} ..."), self.width, true);
            }
        }
        for (nth, text) in lines.into_iter().enumerate() {
            self.rows.push(Row { label: if nth == 0 { label } else { "" }, text: clip(&text, self.width, true) });
        }
    }

    /// Keeps within the limit: log lines go first, then what follows the first line of a text.
    fn fit(&mut self) {
        for label in ["log", "probe", "log", ""] {
            while self.rows.len() > MAX_LINES {
                let Some(at) = self.rows.iter().rposition(|row| row.label == label) else { break };
                self.rows.remove(at);
                if !label.is_empty() {
                    break;
                }
            }
        }
        self.rows.truncate(MAX_LINES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::width;
    use crate::finding::{Evidence, WrongTurn};

    fn long(what: &str) -> String {
        format!("{what} ").repeat(60)
    }

    fn full(verdict: Verdict) -> Finding {
        Finding {
            check: "c".into(),
            title: long("title"),
            verdict,
            message: long("message"),
            evidence: Evidence {
                expected: long("expected"),
                observed: long("observed"),
                probe: long("probe"),
                log: vec![long("sidecar"), long("gateway"), long("more")],
                decided_by: Some(("ConfigMap istio-system/istio".into(), "data.mesh outboundTrafficPolicy.mode".into())),
                ..Evidence::default()
            },
            wrong_turn: Some(WrongTurn { id: "M17".into(), hint: long("hint") }),
            revision: None,
        }
    }

    #[test]
    fn the_fullest_finding_stays_within_twelve_lines_of_eighty_columns() {
        for verdict in [Verdict::Met, Verdict::NotYet, Verdict::WrongTurn, Verdict::EnvironmentFault] {
            let text = text(&full(verdict));
            assert!(text.lines().count() <= MAX_LINES, "{text}");
            assert!(text.lines().all(|line| width(line) <= COLUMNS), "{text}");
            assert!(text.contains("decided   ConfigMap istio-system/istio data.mesh outbound"), "{text}");
            assert!(text.contains("hint      hint"), "{text}");
        }
    }

    #[test]
    fn a_failed_check_reads_as_expected_against_observed() {
        let mut finding = full(Verdict::NotYet);
        finding.title = "The pod cannot reach en.wikipedia.org".into();
        finding.message = "The request left the mesh.".into();
        finding.evidence.expected = "blocked-registry-only".into();
        finding.evidence.observed = "delivered, path passthrough, at origin, status 301".into();
        finding.evidence.probe = String::new();
        finding.evidence.log.clear();
        finding.wrong_turn = None;
        assert_eq!(
            text(&finding),
            "FAIL      The pod cannot reach en.wikipedia.org\n\
             \x20         The request left the mesh.\n\
             expected  blocked-registry-only\n\
             observed  delivered, path passthrough, at origin, status 301\n\
             decided   ConfigMap istio-system/istio data.mesh outboundTrafficPolicy.mode\n"
        );
    }
}
