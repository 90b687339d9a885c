//! Help, made from the tables.

mod examples;

use super::error::Result;
use super::flags::{Flag, Parsed, Takes};
use super::session::Session;
use super::verbs::{Command, GLOBAL, VERBS};
use examples::{EXAMPLES, GROUPS};
use std::fmt::Write as _;

/// `kubectl` alone.
pub fn overview() -> String {
    let mut text = String::from(
        "kubectl, built in: speaks the flags and sentences of kubectl 1.36 and 1.37 (see `kubectl version`).\n`kubectl VERB --help` says more.\n",
    );
    for (group, names) in GROUPS {
        let _ = writeln!(text, "\n{group}:");
        for verb in names.iter().filter_map(|name| VERBS.iter().find(|verb| verb.name == *name)) {
            let _ = writeln!(text, "  {:<14} {}", verb.name, verb.about);
        }
    }
    text
}

/// `kubectl get --help`.
pub fn of(command: &Command) -> String {
    let verb = command.verb;
    let mut text =
        format!("kubectl {}: {}\n\nUsage:\n  kubectl {} {}\n", command.full_name(), verb.about, command.full_name(), verb.usage);
    if !verb.subs.is_empty() {
        text += "\nAlso:\n";
        for sub in verb.subs {
            let _ = writeln!(text, "  kubectl {} {:<16} {}", verb.name, sub.name, sub.about);
        }
    }
    let name = command.full_name();
    let examples: String = EXAMPLES
        .iter()
        .filter(|(verb, ..)| *verb == name)
        .map(|(_, what, line)| format!("  # {what}\n  kubectl {line}\n"))
        .collect();
    if !examples.is_empty() {
        let _ = write!(text, "\nExamples:\n{examples}");
    }
    let own = verb.tables.iter().flat_map(|t| t.iter()).filter(|f| GLOBAL.iter().all(|g| g.name != f.name));
    let lines: String = own.map(line).collect();
    if !lines.is_empty() {
        let _ = write!(text, "\nFlags:\n{lines}");
    }
    text += "\nAlways:\n";
    text.extend(GLOBAL.iter().take(2).map(line));
    text
}

fn line(flag: &Flag) -> String {
    let letter = flag.short.filter(|l| l.to_string() != flag.name).map_or("    ".into(), |l| format!("-{l}, "));
    let value = match flag.takes {
        Takes::Bool => "",
        Takes::Int => "=N",
        Takes::List | Takes::Array => "=VALUE...",
        Takes::Text => "=VALUE",
        Takes::Or(_) => "[=VALUE]",
    };
    format!("  {letter}{:<28} {}\n", format!("--{}{value}", flag.name), flag.help)
}

/// A verb that only has sub-verbs; reached when a flag stands where one should.
pub async fn of_subs(s: &mut Session<'_>, _p: &Parsed) -> Result<i32> {
    s.io.write(overview().as_bytes());
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubectl::restrict::Restrictions;
    use crate::kubectl::verbs::resolve;

    #[test]
    fn every_verb_is_in_one_group_and_has_an_example() {
        for verb in VERBS {
            let places = GROUPS.iter().flat_map(|(_, names)| names.iter()).filter(|name| **name == verb.name).count();
            assert_eq!(places, 1, "groups of {}", verb.name);
            assert!(EXAMPLES.iter().any(|(name, ..)| *name == verb.name), "{} has no example", verb.name);
        }
    }

    /// Words of an example: quotes hold a word together.
    fn words(line: &str) -> Vec<String> {
        let parsed: Vec<&str> = line.split('\'').collect();
        let mut words = vec![String::new()];
        for (n, part) in parsed.iter().enumerate() {
            let pieces: Vec<&str> = if n % 2 == 1 { vec![part] } else { part.split(' ').collect() };
            for (m, piece) in pieces.iter().enumerate() {
                if m > 0 {
                    words.push(String::new());
                }
                words.last_mut().unwrap().push_str(piece);
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    #[test]
    fn examples_are_lines_that_run() {
        for (verb, _, line) in EXAMPLES {
            let found = resolve(&words(line), &Restrictions::none());
            let command = found.unwrap_or_else(|e| panic!("{line}: {}", e.text())).command;
            let name = command.unwrap_or_else(|| panic!("{line} is only help")).full_name();
            assert!(name == *verb || name.starts_with(&format!("{verb} ")), "{line} is {name}, not {verb}");
        }
    }
}
