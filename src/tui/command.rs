//! What `:` takes: a command's word of the keymap, else a line of the lab prompt. The words complete, and a wrong one is told its
//! nearest.

pub mod line;

use super::help;
use super::keymap::{self, Command, ROWS, Row, Scope};
use super::theme::Palette;
use crate::base::text::nearest;
use crate::k8s::templates;
use crate::session::desk::{Candidate, Completions};

/// What a line after `:` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Nothing,
    /// A command, the screen whose row it is, and what follows its word.
    Command {
        command: Command,
        scope: Scope,
        operand: String,
    },
    /// A line for the lab prompt.
    Line(String),
    /// No such word; a sentence.
    Unknown(String),
}

/// Reads a line, with or without its colon, on a screen. `lab` are the words of the lab prompt.
pub fn read(text: &str, scope: Scope, lab: &[&str]) -> Said {
    let text = text.trim().trim_start_matches(':').trim();
    let (word, operand) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    if word.is_empty() {
        return Said::Nothing;
    }
    if let Some(row) = keymap::row_of_word(word, scope) {
        return Said::Command { command: row.command, scope: row.scope, operand: operand.trim().to_string() };
    }
    match lab.contains(&word) {
        true => Said::Line(text.to_string()),
        false => Said::Unknown(unknown(word, scope, lab)),
    }
}

fn unknown(word: &str, scope: Scope, lab: &[&str]) -> String {
    let words: Vec<&str> = rows(scope).flat_map(|row| row.words().collect::<Vec<_>>()).chain(lab.iter().copied()).collect();
    let starts = words.iter().copied().find(|known| word.len() > 1 && known.starts_with(word));
    match nearest(word, words.iter().copied()).or(starts) {
        Some(near) => format!("There is no `:{word}`; did you mean `:{near}`? `:help commands` lists them."),
        None => format!("There is no `:{word}`. Tab after `:` lists the words, `:help commands` says what they do."),
    }
}

/// The rows whose words work on a screen, each word once.
pub fn rows(scope: Scope) -> impl Iterator<Item = &'static Row> {
    let taken = move |row: &Row| {
        row.scope != scope && row.words().all(|word| keymap::row_of_word(word, scope).is_some_and(|r| r.scope == scope))
    };
    let own = ROWS.iter().filter(move |row| row.scope == scope);
    own.chain(ROWS.iter().filter(move |row| scope != Scope::Lesson && row.scope == Scope::Lesson && !taken(row)))
}

/// What could stand at the end of a line (with its colon); `from` counts characters of that line.
pub fn complete(text: &str, scope: Scope, lab: &[&str]) -> Completions {
    let start = text.chars().take_while(|c| *c == ':' || *c == ' ').count();
    let rest: String = text.chars().skip(start).collect();
    match rest.split_once(char::is_whitespace) {
        None => Completions { from: start, candidates: words(&rest, scope, lab), missing: None },
        Some((word, operand)) => {
            let operand = operand.trim_start();
            let from = text.chars().count() - operand.chars().count();
            let row = keymap::row_of_word(word, scope);
            Completions { from, candidates: operands(row.map(|row| row.command), operand), missing: None }
        }
    }
}

fn words(start: &str, scope: Scope, lab: &[&str]) -> Vec<Candidate> {
    let shown = |row: &'static Row| {
        let mut names = row.words();
        let first = names.next().filter(|name| name.starts_with(start));
        // Another name is offered only to those who began to type it.
        first.or_else(|| names.find(|name| start.len() > 1 && name.starts_with(start))).map(|name| Candidate::new(name, row.help))
    };
    let mut found: Vec<Candidate> = rows(scope).filter_map(shown).collect();
    let of_the_lab = lab.iter().filter(|word| word.starts_with(start) && !start.is_empty());
    found.extend(
        of_the_lab
            .filter(|word| keymap::row_of_word(word, scope).is_none())
            .map(|word| Candidate::new(*word, "a line of the lab prompt")),
    );
    found.sort();
    found.dedup_by(|a, b| a.text == b.text);
    found
}

fn operands(command: Option<Command>, start: &str) -> Vec<Candidate> {
    let all: Vec<Candidate> = match command {
        Some(Command::Theme) => std::iter::once(Candidate::new("auto", "as the terminal tells"))
            .chain(Palette::ALL.into_iter().map(|palette| Candidate::new(palette.name(), palette.about())))
            .collect(),
        Some(Command::Template) => templates::kinds().iter().map(|kind| Candidate::new(*kind, "")).collect(),
        Some(Command::Help) => help::topics().map(|(name, title)| Candidate::new(name, title)).collect(),
        _ => Vec::new(),
    };
    all.into_iter().filter(|candidate| candidate.text.starts_with(start)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAB: &[&str] = &["kubectl", "hint", "goto", "explain"];

    fn command(text: &str, scope: Scope) -> Option<(Command, String)> {
        match read(text, scope, LAB) {
            Said::Command { command, operand, .. } => Some((command, operand)),
            _ => None,
        }
    }

    #[test]
    fn words_lead_to_commands_and_the_rest_is_a_line() {
        for (text, want, operand) in [
            (":q", Command::Quit, ""),
            ("  : theme   dark ", Command::Theme, "dark"),
            (":edit web.yaml", Command::OpenFile, "web.yaml"),
            ("help themes", Command::Help, "themes"),
            (":hint", Command::Hint, ""),
        ] {
            assert_eq!(command(text, Scope::Lesson), Some((want, operand.to_string())), "{text}");
        }
        assert_eq!(read(":kubectl get pods", Scope::Lesson, LAB), Said::Line("kubectl get pods".into()));
        assert_eq!(read(":", Scope::Lesson, LAB), Said::Nothing);
        assert_eq!(command(":open", Scope::Home).map(|(c, _)| c), Some(Command::Open), "a screen's own word comes first");
    }

    #[test]
    fn a_wrong_word_is_told_its_nearest() {
        for (typed, near) in
            [("them", "theme"), ("evidnce", "evidence"), ("kubctl", "kubectl"), ("hepl", "help"), ("sol", "solution")]
        {
            let Said::Unknown(sentence) = read(typed, Scope::Lesson, LAB) else { panic!("{typed} is a word") };
            assert!(sentence.contains(&format!("`:{near}`")), "{sentence}");
        }
        let Said::Unknown(sentence) = read("zzzzzz", Scope::Lesson, LAB) else { panic!("a word") };
        assert!(sentence.contains("`:help commands`") && !sentence.contains("did you mean"), "{sentence}");
    }

    #[test]
    fn words_and_what_they_take_complete() {
        let texts = |line: &str| -> (usize, Vec<String>) {
            let found = complete(line, Scope::Lesson, LAB);
            (found.from, found.candidates.into_iter().map(|candidate| candidate.text).collect())
        };
        assert_eq!(texts(":th"), (1, vec!["theme".to_string()]));
        assert_eq!(texts(":theme li"), (7, vec!["light".to_string()]));
        assert_eq!(texts(":kub"), (1, vec!["kubectl".to_string()]));
        assert!(texts(":").1.len() > 20 && texts(":help ").1.contains(&"commands".to_string()));
        assert_eq!(texts(":hint x").1, Vec::<String>::new());
    }
}
