//! Search through the history: letters narrow it, Ctrl-R goes to older lines, Esc gives back what was typed.

use super::Prompt;
use crate::session::History;

/// A search that is going on.
#[derive(Debug)]
pub struct Search {
    pub query: String,
    /// How many matches newer than the shown one were passed over.
    passed: usize,
    /// What was typed before.
    draft: String,
}

/// Characters of a query.
const MAX_QUERY: usize = 200;

impl Search {
    /// Begins a search; what stands on the prompt is kept.
    pub fn begin(prompt: &Prompt) -> Search {
        Search { query: String::new(), passed: 0, draft: prompt.text().to_string() }
    }

    /// The line that is found: the newest that holds the query, after those passed over. Every line once.
    pub fn found<'a>(&self, history: &'a History) -> Option<&'a str> {
        self.matches(history).nth(self.passed)
    }

    fn matches<'a>(&self, history: &'a History) -> impl Iterator<Item = &'a str> {
        let query = self.query.to_lowercase();
        let mut seen = std::collections::BTreeSet::new();
        history.entries().rev().filter(move |line| line.to_lowercase().contains(&query) && seen.insert(*line))
    }

    /// Goes to an older match; false when there is none.
    pub fn older(&mut self, history: &History) -> bool {
        let more = self.matches(history).nth(self.passed + 1).is_some();
        self.passed += usize::from(more);
        more
    }

    /// Adds a character to the query.
    pub fn add(&mut self, c: char) {
        if self.query.chars().count() < MAX_QUERY {
            self.query.push(c);
        }
        self.passed = 0;
    }

    /// Takes the last character of the query away.
    pub fn shorten(&mut self) {
        self.query.pop();
        self.passed = 0;
    }

    /// What was typed before.
    pub fn draft(self) -> String {
        self.draft
    }

    /// The sentence above the prompt.
    pub fn sentence(&self, history: &History) -> String {
        let found = match (self.query.is_empty(), self.found(history).is_some()) {
            (true, _) => "type a part of the line",
            (_, true) => "Ctrl-R: older, Enter: run it, Tab: edit it, Esc: back",
            (_, false) => "no line holds this; Esc: back",
        };
        format!("History: {}_   {found}", self.query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_the_newest_first_and_each_line_once() {
        let mut history = History::default();
        for line in ["kubectl get pods", "ls", "kubectl get svc", "ls", "kubectl get pods", "pwd"] {
            history.push(line);
        }
        let mut prompt = Prompt::default();
        prompt.set("draft");
        let mut search = Search::begin(&prompt);
        "GET".chars().for_each(|c| search.add(c));
        assert_eq!(search.found(&history), Some("kubectl get pods"));
        assert!(search.older(&history));
        assert_eq!(search.found(&history), Some("kubectl get svc"));
        assert!(!search.older(&history), "each line once");
        search.add('x');
        assert_eq!(search.found(&history), None);
        assert!(search.sentence(&history).contains("no line"));
        search.shorten();
        assert_eq!(search.found(&history), Some("kubectl get pods"));
        assert_eq!(search.draft(), "draft");
    }
}
