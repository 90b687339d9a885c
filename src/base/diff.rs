//! What differs between two texts. One comparison of numbers for lines and letters alike: the library's own ways make its search anew
//! for each kind of text, and for algorithms that nobody asks for.

use similar::algorithms::{Capture, Compact, Replace, myers};
use similar::{DiffOp, DiffTag};
use std::collections::HashMap;
use std::fmt::Write;
use std::hash::Hash;

/// How a difference is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown<'a> {
    /// Lines around a change that are shown too.
    pub around: usize,
    /// What the texts are called, if that is said.
    pub names: Option<(&'a str, &'a str)>,
    /// Whether a last line without an end is told from one with an end.
    pub tells_end: bool,
}

/// A unified difference, as `diff -u` writes it; "" for equal texts.
pub fn unified(old: &str, new: &str, shown: Shown<'_>) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let mut out = String::new();
    for group in similar::group_diff_ops(operations(&old, &new), shown.around) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        if let (true, Some((from, to))) = (out.is_empty(), shown.names) {
            let _ = write!(out, "--- {from}\n+++ {to}\n");
        }
        let before = range(first.old_range().start, last.old_range().end);
        let after = range(first.new_range().start, last.new_range().end);
        let _ = writeln!(out, "@@ -{before} +{after} @@");
        for op in &group {
            let (gone, come) = match op.tag() {
                DiffTag::Equal => {
                    lines(&mut out, ' ', &old[op.old_range()], shown);
                    continue;
                }
                _ => (&old[op.old_range()], &new[op.new_range()]),
            };
            lines(&mut out, '-', gone, shown);
            lines(&mut out, '+', come, shown);
        }
    }
    out
}

/// How much two texts have in common, letter by letter: from 0 to 1.
pub fn likeness(old: &str, new: &str) -> f32 {
    let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
    similar::diff_ratio(&operations(&old, &new), old.len(), new.len())
}

/// First line and count, as the head of a hunk has them.
fn range(start: usize, end: usize) -> String {
    match end.saturating_sub(start) {
        1 => (start + 1).to_string(),
        // An empty range is named by the line before it.
        0 => format!("{start},0"),
        count => format!("{},{count}", start + 1),
    }
}

fn lines(out: &mut String, mark: char, lines: &[&str], shown: Shown<'_>) {
    for line in lines {
        out.push(mark);
        out.push_str(line);
        if !line.ends_with('\n') {
            out.push_str(if shown.tells_end { "\n\\ No newline at end of file\n" } else { "\n" });
        }
    }
}

/// The steps from one list to the other.
fn operations<T: Hash + Eq + Copy>(old: &[T], new: &[T]) -> Vec<DiffOp> {
    let mut known = HashMap::new();
    let mut numbers = |list: &[T]| -> Vec<u32> {
        let number = |item: &T| {
            let next = known.len() as u32;
            *known.entry(*item).or_insert(next)
        };
        list.iter().map(number).collect()
    };
    let (old, new) = (numbers(old), numbers(new));
    of_numbers(&old, &new)
}

fn of_numbers(old: &[u32], new: &[u32]) -> Vec<DiffOp> {
    let mut found = Compact::new(Replace::new(Capture::new()), old, new);
    match myers::diff(&mut found, old, 0..old.len(), new, 0..new.len()) {
        Ok(()) => found.into_inner().into_inner().into_ops(),
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_change_is_shown_with_the_lines_around_it() {
        let shown = Shown { around: 1, names: Some(("a", "b")), tells_end: true };
        let text = unified("1\n2\n3\n4\n", "1\n2\nx\n4", shown);
        assert_eq!(text, "--- a\n+++ b\n@@ -2,3 +2,3 @@\n 2\n-3\n-4\n+x\n+4\n\\ No newline at end of file\n");
        assert_eq!(unified("1\n", "1\n", shown), "");
        assert_eq!(unified("", "1\n", Shown { names: None, ..shown }), "@@ -0,0 +1 @@\n+1\n");
        assert!(likeness("wikipedia", "wikipedia") == 1.0 && likeness("abc", "xyz") == 0.0);
    }

    proptest! {
        #[test]
        fn it_is_what_the_library_finds(old in "([a-d]{0,2}\n){0,150}[a-c]?", new in "([a-d]{0,2}\n){0,150}[a-c]?", around in 0_usize..8) {
            for tells_end in [true, false] {
                let ours = unified(&old, &new, Shown { around, names: Some(("a", "b")), tells_end });
                let theirs = similar::TextDiff::from_lines(&old, &new);
                let mut theirs = theirs.unified_diff();
                let theirs = theirs.context_radius(around).header("a", "b").missing_newline_hint(tells_end).to_string();
                prop_assert_eq!(ours, theirs);
            }
            prop_assert_eq!(likeness(&old, &new), similar::TextDiff::from_chars(&old, &new).ratio());
        }
    }
}
