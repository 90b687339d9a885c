//! What was found of this machine, as a table of 80 columns and as JSON.

use super::{End, GOOD, UNAVAILABLE, print};
use crate::base::text::wrap;
use crate::lab::kind::preflight::{Row, State};
use serde_json::{Value, json};

/// The column in which texts begin, and the width.
const TEXT: usize = 25;
const WIDTH: usize = 80;

/// Prints the rows; good when nothing is low or missing.
pub(super) fn show(rows: &[Row], as_json: bool) -> End {
    match as_json {
        true => print(&format!("{}\n", serde_json::to_string_pretty(&json(rows)).unwrap_or_default())),
        false => print(&table(rows)),
    }
    Ok(if rows.iter().all(|row| row.state < State::Low) { GOOD } else { UNAVAILABLE })
}

/// A row a line, what is needed and what to type below it. Commands are broken only where a shell reads on, and stand at the left
/// edge so that they can be copied.
pub(super) fn table(rows: &[Row]) -> String {
    let mut out = String::new();
    for row in rows {
        out.push_str(&lines(row.name, row.state.word(), &row.found));
        if !row.needed.is_empty() {
            out.push_str(&lines("", "needed", &row.needed));
        }
        if !row.next.is_empty() {
            let short = TEXT + row.next.chars().count() <= WIDTH;
            match short {
                true => out.push_str(&lines("", "next", &row.next)),
                false => out.push_str(&format!("{:<16}next\n{}\n", "", broken(&row.next).join("\n"))),
            }
        }
    }
    out
}

fn lines(name: &str, word: &str, text: &str) -> String {
    let text: Vec<&str> = text.split_whitespace().collect();
    let wrapped = wrap(&text.join(" "), WIDTH - TEXT, 0);
    let first = format!("{name:<16}{word:<9}");
    let out: Vec<String> = wrapped
        .iter()
        .enumerate()
        .map(|(n, line)| format!("{:<TEXT$}{line}", if n == 0 { first.as_str() } else { "" }).trim_end().to_string())
        .collect();
    out.join("\n") + "\n"
}

/// A command on several lines that a shell reads as one: broken after `&&` and `|`, and only where a part is too long between words,
/// with a `\`.
fn broken(command: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for part in command.replace(" && ", " &&\n").replace(" | ", " |\n").split('\n') {
        let mut begins = true;
        for word in part.split(' ') {
            let room = if begins { part.len().min(WIDTH - 4) } else { word.len() };
            match out.last_mut() {
                Some(last) if last.len() + 1 + room < WIDTH - 2 => *last = format!("{last} {word}"),
                Some(last) if !begins => {
                    last.push_str(" \\");
                    out.push(format!("  {word}"));
                }
                _ => out.push(format!("  {word}")),
            }
            begins = false;
        }
    }
    out
}

/// The rows of a JSON document.
fn json(rows: &[Row]) -> Value {
    let one = |row: &Row| {
        json!({
            "name": row.name, "good": row.state < State::Low, "state": row.state.word().to_lowercase(), "found": row.found,
            "needed": row.needed, "next": row.next,
        })
    };
    rows.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_80_columns_but_what_cannot_be_broken() {
        let long = "word ".repeat(40);
        let get = "curl -fLo kind https://kind.sigs.k8s.io/dl/v0.33.0/kind-linux-amd64 && chmod +x kind && sudo mv kind /usr/local/bin/";
        let rows =
            [Row::new("kind", State::Missing, &long).needs(&long).next(get), Row::new("a", State::Good, "b").next("short")];
        let text = table(&rows);
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert!(text.contains("next\n  curl -fLo kind"), "{text}");
        assert!(text.ends_with("a               good     b\n                next     short\n"), "{text}");
        let joined = broken(get).iter().map(|line| line.trim().trim_end_matches(" \\")).collect::<Vec<_>>().join(" ");
        assert_eq!(joined, get, "broken, and nothing lost");
    }

    #[test]
    fn json_says_the_same() {
        let rows = json(&[Row::new("disk", State::Low, "1 GB").needs("4 GB").next("df")]);
        assert_eq!(
            rows[0],
            serde_json::json!({"name": "disk", "good": false, "state": "low", "found": "1 GB", "needed": "4 GB", "next": "df"})
        );
    }
}
