//! Regular expressions of the mesh's objects: compiled once, when a request first needs them. Most of a mesh's never are.

use regex::{Error, Regex};
use std::sync::{Arc, OnceLock};

/// A regular expression. Copies share what was compiled.
#[derive(Debug, Clone)]
pub struct Pattern(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    text: String,
    whole: OnceLock<Option<Regex>>,
    within: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// The pattern with this text, which need not be a valid one.
    pub fn new(text: impl Into<String>) -> Pattern {
        Pattern(Arc::new(Inner { text: text.into(), whole: OnceLock::new(), within: OnceLock::new() }))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    fn whole(&self) -> Option<&Regex> {
        self.0.whole.get_or_init(|| Regex::new(&format!("^(?:{})$", self.0.text)).ok()).as_ref()
    }

    /// The pattern for places inside of a text; `None` when it cannot be compiled.
    pub fn within(&self) -> Option<&Regex> {
        self.0.within.get_or_init(|| Regex::new(&self.0.text).ok()).as_ref()
    }

    /// Whether the whole of a text fits, as RE2's full match; nothing fits what cannot be compiled.
    pub fn is_match(&self, text: &str) -> bool {
        self.whole().is_some_and(|r| r.is_match(text))
    }

    /// Whether it cannot be compiled, so that nobody knows what fits.
    pub fn is_unknown(&self) -> bool {
        self.whole().is_none()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

/// Whether a text is no regular expression at all; one that is merely too large for this program is one.
pub fn is_refused(text: &str) -> bool {
    Regex::new(text).is_err_and(|e| !matches!(e, Error::CompiledTooBig(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_text_must_fit_and_copies_share_what_was_compiled() {
        let pattern = Pattern::new("a|bc");
        let copy = pattern.clone();
        assert!(pattern.is_match("bc") && !pattern.is_match("abc"));
        assert!(copy.0.whole.get().is_some());
        assert_eq!(pattern, Pattern::new("a|bc"));
        assert_ne!(pattern, Pattern::new("a|b"));
    }

    #[test]
    fn what_is_too_large_is_unknown_and_not_refused() {
        let large = r"(\w{500}){20}";
        assert!(Pattern::new(large).is_unknown() && !is_refused(large));
        assert!(Pattern::new("(").is_unknown() && is_refused("("));
    }
}
