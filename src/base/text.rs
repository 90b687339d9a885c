//! Text on a terminal: width, wrapping, and the excerpt with a caret that every error about a file shows.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns that a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Cuts a text to at most `columns`, ending in `…` (or `...` when `ascii`) if anything was cut.
pub fn clip(text: &str, columns: usize, ascii: bool) -> String {
    if width(text) <= columns {
        return text.to_string();
    }
    let mark = if ascii { "..." } else { "…" };
    let room = columns.saturating_sub(width(mark));
    let mut used = 0;
    let kept: String = text
        .chars()
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= room
        })
        .collect();
    format!("{kept}{mark}")
}

/// Breaks a text into lines of at most `columns`, at spaces where there are any, keeping its own line breaks. Continuation lines
/// start with `hang` spaces.
pub fn wrap(text: &str, columns: usize, hang: usize) -> Vec<String> {
    let columns = columns.max(hang + 8);
    text.split('\n').flat_map(|line| wrap_line(line, columns, hang)).collect()
}

fn wrap_line(line: &str, columns: usize, hang: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut here = String::new();
    for word in line.split_inclusive(' ') {
        let mut word = word;
        if !here.trim().is_empty() && width(&here) + width(word.trim_end()) > columns {
            lines.push(here.trim_end().to_string());
            here = " ".repeat(hang);
        }
        while width(&here) + width(word.trim_end()) > columns {
            let at = fitting(word, columns - width(&here));
            let (head, rest) = word.split_at(at);
            lines.push(format!("{here}{head}"));
            here = " ".repeat(hang);
            word = rest;
        }
        here.push_str(word);
    }
    lines.push(here.trim_end().to_string());
    lines
}

/// How many bytes of `text` fit into `columns`, at least one character.
fn fitting(text: &str, columns: usize) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > columns && at > 0 {
            return at;
        }
    }
    text.len()
}

/// `file:line:column: message`, the line itself and a caret under the column (both 1-based; column in characters).
pub fn caret(file: &str, source: &str, line: usize, column: usize, message: &str) -> String {
    let text = source.lines().nth(line.saturating_sub(1)).unwrap_or("").replace('\t', " ");
    let text = clip(&text, 120, true);
    let before: usize = text.chars().take(column.saturating_sub(1)).map(|c| c.width().unwrap_or(0)).sum();
    let number = line.to_string();
    let gutter = " ".repeat(number.len());
    format!("{file}:{line}:{column}: {message}\n{gutter} |\n{number} | {text}\n{gutter} | {}^", " ".repeat(before))
}

/// `1 step`, `2 steps`.
pub fn count(n: usize, one: &str) -> String {
    match n {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    }
}

/// The candidate that is nearest to a mistyped word, if it is near enough to be worth naming.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = 1 + word.chars().count() / 4;
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(d, _)| *d <= limit)
        .min_by_key(|(d, _)| *d)
        .map(|(_, candidate)| candidate)
}

/// Edits (insert, delete, replace, swap of neighbours) from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_wrapped_at_spaces_and_long_words_are_cut() {
        assert_eq!(wrap("one two three", 9, 2), ["one two", "  three"]);
        assert_eq!(wrap("abcdefghijkl mn", 10, 0), ["abcdefghij", "kl mn"]);
        assert_eq!(wrap("a\n\nb", 20, 0), ["a", "", "b"]);
        assert!(wrap("ä日本語 日本語 日本語", 10, 0).iter().all(|l| width(l) <= 10));
    }

    #[test]
    fn the_caret_stands_under_wide_characters_too() {
        assert_eq!(caret("f.yaml", "a: 1\nÜ日: x\n", 2, 3, "bad"), "f.yaml:2:3: bad\n  |\n2 | Ü日: x\n  |    ^");
    }

    #[test]
    fn the_nearest_word_is_offered_only_if_near() {
        assert_eq!(nearest("gte", ["get", "delete"]), Some("get"));
        assert_eq!(nearest("helm", ["get", "delete"]), None);
    }

    #[test]
    fn clipping_says_so() {
        assert_eq!(clip("abcdef", 4, false), "abc…");
        assert_eq!(clip("abcdef", 4, true), "a...");
        assert_eq!(clip("abc", 4, true), "abc");
    }
}
