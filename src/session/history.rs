//! The lines that were entered at the prompt, newest last.

use std::collections::VecDeque;

/// Entries kept.
pub const MAX_ENTRIES: usize = 1_000;

/// The prompt's history.
#[derive(Debug, Clone, Default)]
pub struct History {
    entries: VecDeque<String>,
}

impl History {
    /// Remembers a line unless it is empty or the same as the last.
    pub fn push(&mut self, line: &str) {
        let line = line.trim_end();
        if line.is_empty() || self.entries.back().is_some_and(|last| last == line) {
            return;
        }
        self.entries.push_back(line.to_string());
        if self.entries.len() > MAX_ENTRIES {
            self.entries.pop_front();
        }
    }

    /// The entry `back` lines before the prompt: 1 is the last one entered.
    pub fn back(&self, back: usize) -> Option<&str> {
        let at = self.entries.len().checked_sub(back)?;
        self.entries.get(at).map(String::as_str)
    }

    /// Oldest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.entries.iter().map(String::as_str)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing was entered yet.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_and_blanks_are_not_kept_and_the_oldest_go() {
        let mut history = History::default();
        ["a", "a", "", "  ", "b"].iter().for_each(|line| history.push(line));
        assert_eq!((history.back(1), history.back(2), history.back(3), history.back(0)), (Some("b"), Some("a"), None, None));
        (0..MAX_ENTRIES).for_each(|n| history.push(&n.to_string()));
        assert_eq!(history.len(), MAX_ENTRIES);
        assert_eq!(history.entries().next(), Some("0"));
    }
}
