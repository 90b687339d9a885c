//! exact, prefix and regex matches.

use super::{Validation, text};
use serde_json::Value;

const MAX_REGEX: usize = 1024;

/// Checks one; `place` is the field's name as the errors give it. Only the URI may have an empty prefix.
pub fn validate(found: &mut Validation, matcher: &Value, place: &str) {
    let Some(members) = matcher.as_object() else { return };
    for (kind, value) in members {
        let value = text(value);
        if value.is_empty() {
            if !(kind == "prefix" && place == "uri") {
                found.error(format!("{place:?}: {kind} string match should not be empty"));
            }
        } else if kind == "regex" {
            regex(found, value, place);
        }
    }
}

/// Checks a regular expression in Istio's dialect.
pub fn regex(found: &mut Validation, pattern: &str, place: &str) {
    if pattern.len() > MAX_REGEX {
        return found.error(format!("{place:?}: regex is too large, max length allowed is {MAX_REGEX}"));
    }
    if regex::Regex::new(pattern).is_err() {
        found.error(format!(
            "{place:?}: error parsing regexp: {}; Istio uses RE2 style regex-based match \
             (https://github.com/google/re2/wiki/Syntax)",
            complaint(pattern)
        ));
    }
}

/// What RE2 says of the commonest mistakes, else a plain text.
fn complaint(pattern: &str) -> String {
    let count = |c: char| pattern.matches(c).count();
    match () {
        () if pattern.starts_with(['*', '+', '?']) => format!("missing argument to repetition operator: `{}`", &pattern[..1]),
        () if count('(') > count(')') => format!("missing closing ): `{pattern}`"),
        () if count(')') > count('(') => format!("unexpected ): `{pattern}`"),
        () if count('[') > count(']') => format!("missing closing ]: `{}`", &pattern[pattern.find('[').unwrap_or(0)..]),
        () if pattern.contains("(?!") || pattern.contains("(?=") || pattern.contains("(?<") => {
            let at = pattern.find("(?").unwrap_or(0);
            format!("invalid or unsupported Perl syntax: `{}`", pattern[at..].chars().take(3).collect::<String>())
        }
        () => format!("invalid expression: `{pattern}`"),
    }
}
