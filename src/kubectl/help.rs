//! Help, made from the tables.

use super::error::Result;
use super::flags::{Flag, Parsed, Takes};
use super::session::Session;
use super::verbs::{Command, GLOBAL, VERBS};
use std::fmt::Write as _;

/// `kubectl` alone.
pub fn overview() -> String {
    let mut text = String::from("kubectl, built in: the verbs that the lab uses. `kubectl VERB --help` says more.\n\n");
    for verb in VERBS {
        let _ = writeln!(text, "  {:<14} {}", verb.name, verb.about);
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
