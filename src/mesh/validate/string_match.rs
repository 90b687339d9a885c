//! exact, prefix and regex matches.

use super::Validation;
use crate::mesh::pattern;
use serde_json::Value;

const MAX_REGEX: usize = 1024;

/// Checks one; `place` is the field's name as the errors give it.
pub fn validate(found: &mut Validation, matcher: &Value, place: &str) {
    if matcher["prefix"].as_str() == Some("") {
        found.error(format!("{place:?}: prefix string match should not be empty"));
    }
    only_regex(found, matcher, place);
}

/// Checks one that may have an empty prefix.
pub fn only_regex(found: &mut Validation, matcher: &Value, place: &str) {
    match matcher["regex"].as_str() {
        None => (),
        Some("") => found.error(format!("{place:?}: regex string match should not be empty")),
        Some(pattern) => found.check(regex(pattern, place)),
    }
}

/// Checks a regular expression in Istio's dialect.
///
/// # Errors
/// Istio's sentence, with Go's complaint for the commonest mistakes.
pub fn regex(pattern: &str, place: &str) -> Result<(), String> {
    if pattern.len() > MAX_REGEX {
        return Err(format!("{place:?}: regex is too large, max length allowed is {MAX_REGEX}"));
    }
    match complaint_of(pattern) {
        None => Ok(()),
        Some(complaint) => Err(format!(
            "{place:?}: error parsing regexp: {complaint}; Istio uses RE2 style regex-based match \
             (https://github.com/google/re2/wiki/Syntax)"
        )),
    }
}

/// Go's complaint about a pattern, `None` when it is one.
pub fn complaint_of(pattern: &str) -> Option<String> {
    // Looking around, possessive repetition and doubled repetition are this engine's or no one's.
    let doubled = ["**", "++", "*+", "+*", "?*", "?+"].iter().find(|r| plain(pattern).contains(*r));
    if let Some(operator) = doubled {
        return Some(format!("invalid nested repetition operator: `{operator}`"));
    }
    pattern::is_refused(pattern).then(|| complaint(pattern))
}

/// The pattern without escaped characters and classes.
fn plain(pattern: &str) -> String {
    let (mut out, mut class, mut chars) = (String::new(), false, pattern.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
                out.push('\u{1}');
            }
            '[' if !class => class = true,
            ']' if class => {
                class = false;
                out.push('\u{1}');
            }
            _ if class => (),
            c => out.push(c),
        }
    }
    out
}

/// What RE2 says of the commonest mistakes, else a plain text.
fn complaint(pattern: &str) -> String {
    let bare = plain(pattern);
    let count = |c: char| bare.matches(c).count();
    let looks = ["(?=", "(?!", "(?<=", "(?<!"].iter().find_map(|l| Some((pattern.find(l)?, *l)));
    match () {
        () if looks.is_some() => {
            let (_, operator) = looks.unwrap_or((0, ""));
            format!("invalid or unsupported Perl syntax: `{operator}`")
        }
        () if pattern.ends_with('\\') && !pattern.ends_with("\\\\") => "trailing backslash at end of expression: ``".into(),
        () if bare.starts_with(['*', '+', '?']) => format!("missing argument to repetition operator: `{}`", &bare[..1]),
        () if pattern.matches('[').count() > pattern.matches(']').count() => {
            format!("missing closing ]: `{}`", &pattern[pattern.rfind('[').unwrap_or(0)..])
        }
        () if count('(') > count(')') => format!("missing closing ): `{pattern}`"),
        () if count(')') > count('(') => format!("unexpected ): `{pattern}`"),
        () => format!("invalid escape sequence: `{pattern}`"),
    }
}
