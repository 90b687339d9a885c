//! Completion at a prompt: what fits stands above it, Tab goes through it, Esc gives back what was typed.

use super::Prompt;
use crate::base::text::{clip, width};
use crate::session::desk::{Candidate, Completions};
use crate::tui::theme::{Theme, Tone};
use ratatui::text::{Line, Span};

/// Rows of candidates that are shown at once.
pub const MAX_ROWS: usize = 8;

/// Candidates above a prompt.
#[derive(Debug)]
pub struct Completion {
    from: usize,
    /// What stood at `from` when the list was opened.
    typed: String,
    items: Vec<Candidate>,
    selected: Option<usize>,
}

impl Completion {
    /// Takes what fits: the only candidate is put in, of several what they begin with; then they are listed.
    pub fn offer(prompt: &mut Prompt, found: Completions) -> Option<Completion> {
        let typed: String = prompt.text().chars().take(prompt.cursor()).skip(found.from).collect();
        let mut items = found.candidates;
        if let [only] = items.as_slice() {
            let text = finished(&only.text);
            prompt.replace(found.from, &text);
            return None;
        }
        items.dedup_by(|a, b| a.text == b.text);
        let shared = common_start(&items);
        if shared.chars().count() > typed.chars().count() {
            prompt.replace(found.from, &shared);
        }
        let typed = if shared.is_empty() { typed } else { shared };
        (!items.is_empty()).then_some(Completion { from: found.from, typed, items, selected: None })
    }

    /// Puts the next (or the one before) candidate in.
    pub fn step(&mut self, prompt: &mut Prompt, back: bool) {
        let last = self.items.len() - 1;
        let next = match (self.selected, back) {
            (None, false) => 0,
            (None, true) => last,
            (Some(n), false) => (n + 1) % self.items.len(),
            (Some(n), true) => n.checked_sub(1).unwrap_or(last),
        };
        self.selected = Some(next);
        prompt.replace(self.from, &self.items[next].text);
    }

    /// Whether one of the candidates is marked.
    pub fn is_marked(&self) -> bool {
        self.selected.is_some()
    }

    /// What stands between the marked candidate and what comes next.
    pub fn separator(&self) -> &'static str {
        match self.selected.is_some_and(|nth| finished(&self.items[nth].text).ends_with(' ')) {
            true => " ",
            false => "",
        }
    }

    /// Gives back what was typed.
    pub fn withdraw(self, prompt: &mut Prompt) {
        prompt.replace(self.from, &self.typed);
    }

    /// The list, at most [`MAX_ROWS`] rows of at most `columns`.
    pub fn lines(&self, columns: usize, theme: Theme) -> Vec<Line<'static>> {
        match self.items.len() <= MAX_ROWS && self.items.iter().any(|item| !item.note.is_empty()) {
            true => self.with_notes(columns, theme),
            false => self.in_columns(columns, theme),
        }
    }

    fn with_notes(&self, columns: usize, theme: Theme) -> Vec<Line<'static>> {
        let name = self.items.iter().map(|item| width(&item.text)).max().unwrap_or(0).min(columns / 2);
        let row = |(nth, item): (usize, &Candidate)| {
            let (mark, style) = self.look(nth, theme);
            let text = clip(&item.text, columns.saturating_sub(4), theme.ascii);
            let pad = " ".repeat((name + 2).saturating_sub(width(&text)));
            let note = clip(&item.note, columns.saturating_sub(4 + name), theme.ascii);
            Line::from(vec![
                Span::raw(mark),
                Span::styled(text, style),
                Span::raw(pad),
                Span::styled(note, theme.style(Tone::Quiet)),
            ])
        };
        self.items.iter().enumerate().map(row).collect()
    }

    fn in_columns(&self, columns: usize, theme: Theme) -> Vec<Line<'static>> {
        let cell = self.items.iter().map(|item| width(&item.text) + 4).max().unwrap_or(4).clamp(8, columns.max(8));
        let across = (columns / cell).max(1);
        let rows = self.items.len().div_ceil(across);
        // The last row says how many are left.
        let shown = if rows > MAX_ROWS { MAX_ROWS - 1 } else { rows };
        let at = self.selected.unwrap_or(0) / across;
        let top = at.saturating_sub(shown - 1).min(rows - shown);
        let mut lines: Vec<Line<'static>> = (top..top + shown).map(|row| self.row_of_columns(row, across, cell, theme)).collect();
        let hidden = self.items.len().saturating_sub((top + shown) * across);
        if hidden > 0 {
            let note = format!("  and {hidden} more (Tab)");
            lines.push(Line::styled(clip(&note, columns, theme.ascii), theme.style(Tone::Quiet)));
        }
        lines
    }

    fn row_of_columns(&self, row: usize, across: usize, cell: usize, theme: Theme) -> Line<'static> {
        let mut spans = Vec::new();
        for (nth, item) in self.items.iter().enumerate().skip(row * across).take(across) {
            let (mark, style) = self.look(nth, theme);
            let text = clip(&item.text, cell.saturating_sub(4), theme.ascii);
            let pad = " ".repeat(cell.saturating_sub(2 + width(&text)));
            spans.extend([Span::raw(mark), Span::styled(text, style), Span::raw(pad)]);
        }
        Line::from(spans)
    }

    fn look(&self, nth: usize, theme: Theme) -> (&'static str, ratatui::style::Style) {
        match self.selected == Some(nth) {
            true => ("> ", theme.style(Tone::Focus)),
            false => ("  ", theme.style(Tone::Strong)),
        }
    }
}

/// A word that is whole is followed by a space; one that goes on (`folder/`, `--output=`) is not.
fn finished(text: &str) -> String {
    match text.ends_with(['/', '=', ':', ',']) {
        true => text.to_string(),
        false => format!("{text} "),
    }
}

/// What all candidates begin with.
fn common_start(items: &[Candidate]) -> String {
    let Some(first) = items.first() else { return String::new() };
    let mut end = first.text.len();
    for item in &items[1..] {
        let same = first.text.char_indices().zip(item.text.chars()).take_while(|((_, a), b)| a == b).last();
        end = end.min(same.map_or(0, |((at, c), _)| at + c.len_utf8()));
    }
    first.text[..end].to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(from: usize, texts: &[&str]) -> Completions {
        let candidates = texts.iter().map(|text| Candidate::new(*text, "")).collect();
        Completions { from, candidates, missing: None }
    }

    fn prompt(text: &str) -> Prompt {
        let mut prompt = Prompt::default();
        prompt.set(text);
        prompt
    }

    #[test]
    fn the_only_candidate_is_put_in_and_followed_by_a_space_unless_it_goes_on() {
        for (typed, from, only, after) in [
            ("k get po", 6, "pods", "k get pods "),
            ("cat ma", 4, "manifests/", "cat manifests/"),
            ("ключ x", 5, "xy", "ключ xy "),
        ] {
            let mut prompt = prompt(typed);
            assert!(Completion::offer(&mut prompt, found(from, &[only])).is_none());
            assert_eq!(prompt.text(), after);
            assert_eq!(prompt.cursor(), after.chars().count());
        }
    }

    #[test]
    fn several_are_listed_after_what_they_share_and_tab_goes_round() {
        let mut prompt = prompt("k get s");
        let mut list = Completion::offer(&mut prompt, found(6, &["services", "serviceentries"])).expect("two");
        assert_eq!(prompt.text(), "k get service");
        let mut seen = Vec::new();
        for back in [false, false, false, true, true] {
            list.step(&mut prompt, back);
            seen.push(prompt.text()[6..].to_string());
        }
        assert_eq!(seen, ["services", "serviceentries", "services", "serviceentries", "services"]);
        list.withdraw(&mut prompt);
        assert_eq!(prompt.text(), "k get service");
        assert!(Completion::offer(&mut prompt, found(6, &[])).is_none());
    }

    #[test]
    fn lists_fit_and_the_chosen_one_is_always_in_sight() {
        let names: Vec<String> = (0..100).map(|n| format!("name-of-an-object-{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for columns in [20, 60, 120] {
            let mut prompt = prompt("x ");
            let mut list = Completion::offer(&mut prompt, found(2, &names)).expect("many");
            for nth in 0..100 {
                list.step(&mut prompt, false);
                let lines = list.lines(columns, Theme::PLAIN);
                assert!(lines.len() <= MAX_ROWS && lines.iter().all(|line| line.width() <= columns + 2), "{columns}: {lines:?}");
                let marked = lines.iter().any(|line| line.to_string().contains("> "));
                assert!(marked, "{columns} {nth}: {lines:?}");
            }
        }
    }
}
