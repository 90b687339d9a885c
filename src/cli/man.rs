//! `egress-lab man`: the manual page, made from the command line's own tables and the keymap.

use super::args::Cli;
use super::settings::KEYS;
use super::{End, GOOD, print};
use crate::tui::keymap::{ROWS, Row};
use clap::{Arg, Command, CommandFactory};
use std::fmt::Write;

pub(super) fn run() -> End {
    print(&page(&Cli::command()));
    Ok(GOOD)
}

/// The page as roff (man macros).
fn page(cli: &Command) -> String {
    let mut out = String::new();
    let version = cli.get_version().unwrap_or_default();
    let _ = writeln!(out, ".TH EGRESS-LAB 1 \"\" \"egress-lab {}\" \"User Commands\"", text(version));
    let about = cli.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(out, ".SH NAME\negress\\-lab \\- {}", text(about.trim_end_matches('.')));
    let _ = writeln!(out, ".SH SYNOPSIS\n.B egress\\-lab\n[\\fICOMMAND\\fR] [\\fIOPTIONS\\fR]");
    let long = cli.get_long_about().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(out, ".SH DESCRIPTION\n{}", text(&long).replace("\n\n", "\n.PP\n"));
    out.push_str(".SH COMMANDS\n");
    for command in cli.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help") {
        subcommand(&mut out, command, "egress-lab");
    }
    keys(&mut out);
    settings(&mut out);
    let after = cli.get_after_help().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(out, ".SH EXIT STATUS\n{}", text(after.trim_start_matches("Exit codes: ")));
    out
}

fn subcommand(out: &mut String, command: &Command, above: &str) {
    let name = format!("{above} {}", command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(out, ".SS {}{}", text(&name), positionals(command));
    let _ = writeln!(out, "{}", text(&about));
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_positional()) {
        let _ = writeln!(out, ".TP\n{}\n{}", flag(arg), text(&arg.get_help().map(ToString::to_string).unwrap_or_default()));
    }
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        subcommand(out, sub, &name);
    }
}

fn positionals(command: &Command) -> String {
    let shown = |arg: &Arg| {
        format!(" [{}]", text(arg.get_value_names().and_then(|names| names.first()).map_or("ARG", |name| name.as_str())))
    };
    command.get_positionals().map(shown).collect()
}

fn flag(arg: &Arg) -> String {
    let short = arg.get_short().map(|letter| format!("\\fB\\-{letter}\\fR, ")).unwrap_or_default();
    let long = arg.get_long().map(|name| format!("\\fB\\-\\-{}\\fR", text(name))).unwrap_or_default();
    let takes = arg.get_action().takes_values();
    let value = arg.get_value_names().and_then(|names| names.first()).filter(|_| takes);
    format!("{short}{long}{}", value.map(|name| format!(" \\fI{}\\fR", text(name))).unwrap_or_default())
}

fn keys(out: &mut String) {
    out.push_str(".SH KEYS AND COMMANDS\nEvery command has a word: after a colon outside the prompt, or on a line of the prompt that begins with a colon. \
                  Plain keys work outside the prompt (Esc), or at the prompt with Alt.\n");
    let mut scope = None;
    for row in ROWS {
        if scope.replace(row.scope) != Some(row.scope) {
            let _ = writeln!(out, ".SS {}", text(row.scope.title()));
        }
        let _ = writeln!(out, ".TP\n\\fB{}\\fR\n{}", text(&head(row)), text(row.help));
    }
}

fn head(row: &Row) -> String {
    let keys: Vec<&str> = row.anywhere.iter().chain(row.pane).copied().collect();
    match keys.as_slice() {
        [] => format!(":{}", row.word_shown()),
        keys => format!("{}  :{}", keys.join(", "), row.word_shown()),
    }
}

fn settings(out: &mut String) {
    out.push_str(
        ".SH SETTINGS\nA flag wins over a variable of the environment, that over the settings file, that over the default. \
                  egress\\-lab settings prints the file's name and what is in force.\n",
    );
    for key in KEYS {
        let _ = writeln!(
            out,
            ".TP\n\\fB{}\\fR\n{}; {}, {}, default {}",
            text(key.name),
            text(key.about),
            text(key.flag),
            key.variable,
            key.default
        );
    }
}

/// Text as roff wants it: no line begins with a control character, backslashes and dashes stand for themselves.
fn text(plain: &str) -> String {
    let escaped = plain.replace('\\', "\\e").replace('-', "\\-");
    let line = |line: &str| if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_string() };
    escaped.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_key_word_and_setting_is_on_the_page() {
        let cli = Cli::command();
        let page = page(&cli);
        for command in cli.get_subcommands() {
            assert!(page.contains(&format!(".SS egress\\-lab {}", text(command.get_name()))), "{}", command.get_name());
        }
        for row in ROWS {
            assert!(
                page.contains(&text(&format!(":{}", row.word_shown()))) && page.contains(&text(row.help)),
                "{:?}",
                row.command
            );
        }
        KEYS.iter().for_each(|key| assert!(page.contains(key.variable), "{}", key.name));
        let known = [".TH", ".SH", ".SS", ".TP", ".PP", ".B"];
        for line in page.lines().filter(|line| line.starts_with(['.', '\''])) {
            assert!(known.iter().any(|word| line.split(' ').next() == Some(word)), "{line}");
        }
        assert_eq!(text(".x\n'y\\-"), "\\&.x\n\\&'y\\e\\-");
    }
}
