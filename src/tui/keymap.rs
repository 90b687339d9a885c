//! Keys and commands as one table: lookup, footer and help are made from it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key asks the screen to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    Next,
    Previous,
    Take,
    Hint,
    Check,
    Steps,
    Evidence,
    Trace,
    OpenFile,
    Solution,
    Skip,
    Reset,
    Help,
    Leave,
    Focus,
    ToPrompt,
    Up,
    Down,
    PageUp,
    PageDown,
    Top,
    Bottom,
    TextUp,
    TextDown,
    Clear,
    Home,
    Quit,
    Interrupt,
    EndOfInput,
    Kill,
    Suspend,
    /// Opens the line that takes a command's word.
    CommandLine,
    Theme,
    Choose(u8),
    /// Says what is missing for the step now.
    WhatNow,
    Glossary,
    /// Looks back at the newest stage that is done.
    Debrief,
    /// How sure one is of the answer that comes next; again: the next degree.
    Sure,
    /// In the glossary: to a related word, and back.
    SeeAlso,
    SeeBack,
}

/// Where a key was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The prompt owns plain characters.
    Prompt,
    /// Text, steps, evidence or output has the focus: plain characters are commands.
    Pane,
    /// A program reads every key; a few stay with the screen.
    Keys,
    /// A screen that lies over the lesson's: its own rows first, then those that every screen has.
    Over(Scope),
}

/// Which screen a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// The lesson's screen; the rows that [`is_common`] names work on every screen.
    Lesson,
    /// A text to read.
    Reading,
    Glossary,
}

/// Commands that mean the same on every screen.
pub fn is_common(command: Command) -> bool {
    matches!(
        command,
        Command::Help
            | Command::CommandLine
            | Command::Leave
            | Command::Up
            | Command::Down
            | Command::PageUp
            | Command::PageDown
            | Command::Top
            | Command::Bottom
    )
}

/// One command: its keys, its word and what help says about it.
pub struct Row {
    pub scope: Scope,
    pub command: Command,
    /// What `:` takes: names separated by `|`, then what they take (`theme NAME`). Lower case; the first name is the one shown.
    pub word: &'static str,
    /// At the prompt and everywhere else.
    pub anywhere: &'static [&'static str],
    /// Outside the prompt; single characters also work at the prompt with Alt.
    pub pane: &'static [&'static str],
    /// A word for the footer.
    pub label: &'static str,
    pub help: &'static str,
}

/// A command of the lesson's screen.
const fn row(
    command: Command,
    word: &'static str,
    anywhere: &'static [&'static str],
    pane: &'static [&'static str],
    label: &'static str,
    help: &'static str,
) -> Row {
    over(Scope::Lesson, command, word, anywhere, pane, label, help)
}

/// A command of another screen.
const fn over(
    scope: Scope,
    command: Command,
    word: &'static str,
    anywhere: &'static [&'static str],
    pane: &'static [&'static str],
    label: &'static str,
    help: &'static str,
) -> Row {
    Row { scope, command, word, anywhere, pane, label, help }
}

impl Row {
    /// The words that `:` takes for it, the shown one first.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        self.word.split_whitespace().next().unwrap_or("").split('|')
    }

    /// What its word takes, empty for nothing.
    pub fn operand(&self) -> &'static str {
        self.word.split_once(' ').map_or("", |(_, operand)| operand)
    }
}

/// Every command, in the order of help.
pub const ROWS: &[Row] = &[
    row(
        Command::Take,
        "take",
        &["Tab"],
        &["x"],
        "take command",
        "put the step's next command on the prompt; again: the one after it",
    ),
    row(
        Command::Next,
        "next|n",
        &["F8"],
        &["n"],
        "next",
        "go on to the next step (also Enter on an empty prompt, once the step is done)",
    ),
    row(Command::Previous, "back|previous", &["F7"], &["p"], "back", "look at the step before"),
    row(Command::Hint, "hint", &["F2"], &["h"], "hint", "show the next of three hints"),
    row(Command::Check, "check", &["F5"], &["c"], "check", "judge the step now"),
    row(Command::Evidence, "evidence", &["F4"], &["e"], "evidence", "what the checks expected and what they saw"),
    row(Command::Trace, "trace", &["F6"], &["t"], "trace", "the way of the last probe: listener, route, cluster, endpoint"),
    row(Command::Steps, "steps", &["F3"], &["l"], "steps", "the list of steps"),
    row(Command::OpenFile, "edit|open FILE", &["F9"], &["o"], "open file", "open the step's file in your editor"),
    row(
        Command::Solution,
        "solution",
        &[],
        &["s"],
        "solution",
        "apply the step's solution (asks first; marks the step assisted)",
    ),
    row(Command::Skip, "skip", &[], &["S"], "skip", "apply the solution and go on (asks first; marks the step skipped)"),
    row(Command::Reset, "reset", &[], &["R"], "reset", "put the world back to the start of the step (asks first)"),
    row(
        Command::Choose(0),
        "answer|choose TEXT",
        &[],
        &["1", "2", "3", "4", "5", "6", "7", "8", "9"],
        "choose",
        "answer the step's question",
    ),
    row(Command::WhatNow, "what-now|what", &[], &["w"], "what now?", "say in a sentence what is missing for this step now"),
    row(
        Command::Sure,
        "sure LEVEL",
        &[],
        &["u"],
        "how sure",
        "before an answer: unsure, fairly sure, sure (1, 2, 3); the lab keeps count",
    ),
    row(Command::Glossary, "glossary|word TERM", &[], &["W"], "glossary", "what a word means; those of this page first"),
    row(
        Command::Debrief,
        "debrief STAGE",
        &[],
        &["d"],
        "look back",
        "why the stage worked and what often goes wrong, once it is done",
    ),
    row(Command::Leave, "close", &["Esc"], &[], "keys", "close what is open; else go between the prompt and single keys"),
    row(Command::Focus, "focus", &["Shift-Tab"], &["Tab"], "focus", "move between text, output and prompt"),
    row(Command::ToPrompt, "prompt", &[], &["i", "Enter"], "prompt", "back to the prompt"),
    row(Command::PageUp, "page-up", &["PageUp"], &["b"], "scroll", "scroll up; at the prompt: the output"),
    row(Command::PageDown, "page-down", &["PageDown"], &["Space"], "scroll", "scroll down"),
    row(
        Command::TextUp,
        "text-up",
        &["Ctrl-Up", "Alt-Up"],
        &[],
        "text",
        "scroll the lesson's text up without leaving the prompt",
    ),
    row(Command::TextDown, "text-down", &["Ctrl-Down", "Alt-Down"], &[], "text", "scroll the lesson's text down"),
    row(Command::Up, "up", &[], &["Up", "k"], "up", "scroll up one line"),
    row(Command::Down, "down", &[], &["Down", "j"], "down", "scroll down one line"),
    row(Command::Top, "top", &[], &["Home", "g"], "top", "to the beginning"),
    row(Command::Bottom, "bottom|end", &[], &["End", "G"], "end", "to the end"),
    row(Command::Clear, "clear", &["Ctrl-L"], &[], "clear", "empty the output"),
    row(Command::Interrupt, "stop", &["Ctrl-C"], &[], "stop", "end what runs, else empty the prompt; never leaves"),
    row(Command::Kill, "kill", &["Ctrl-\\"], &[], "end", "end a program that keeps Ctrl-C for itself"),
    row(Command::EndOfInput, "eof", &["Ctrl-D"], &[], "leave", "end of input for what runs; on an empty prompt: leave"),
    row(Command::Suspend, "suspend", &["Ctrl-Z"], &[], "suspend", "stop the lab and go back to the shell; `fg` there goes on"),
    row(Command::Home, "lessons|home", &["F10"], &["H"], "lessons", "back to the list of lessons"),
    row(Command::Quit, "quit|q|q!|wq|x", &[], &["q"], "leave", "leave; progress is saved"),
    row(Command::CommandLine, "commands", &[], &[":"], "command", "type a command's word; Tab completes it, Enter does it"),
    row(
        Command::Theme,
        "theme NAME",
        &[],
        &["T"],
        "theme",
        "change the colours: auto, dark, light, high-contrast, colour-blind, none",
    ),
    over(Scope::Glossary, Command::SeeAlso, "see", &["Tab", "Enter"], &[], "see also", "to the first related word"),
    over(Scope::Glossary, Command::SeeBack, "back", &["Shift-Tab"], &[], "back", "back to the word that led here"),
    row(Command::Help, "help|h TOPIC", &["F1"], &["?"], "help", "this page"),
];

/// The command of a key at a place.
pub fn find(key: &KeyEvent, place: Place) -> Option<Command> {
    let (code, modifiers) = normal(key);
    let is = |name: &&str| parse(name) == Some((code, modifiers));
    if let Place::Over(scope) = place {
        let keys = |row: &&Row| row.anywhere.iter().chain(row.pane).any(&is);
        let own = ROWS.iter().filter(|row| row.scope == scope).find(keys);
        return own.or_else(|| ROWS.iter().filter(|row| is_common(row.command)).find(keys)).map(|row| row.command);
    }
    let stays = |row: &Row| place != Place::Keys || keeps(row.command);
    if let Some(row) = lesson_rows().find(|row| stays(row) && row.anywhere.iter().any(&is) && applies(row, place)) {
        return Some(row.command);
    }
    let wanted = match place {
        Place::Pane => modifiers,
        Place::Prompt if modifiers == KeyModifiers::ALT && matches!(code, KeyCode::Char(_)) => KeyModifiers::NONE,
        _ => return None,
    };
    let found = |row: &&Row| row.pane.iter().any(|name| parse(name) == Some((code, wanted)));
    let command = lesson_rows().find(found)?.command;
    match (command, code) {
        (Command::Choose(_), KeyCode::Char(c)) => Some(Command::Choose(c.to_digit(10).map_or(0, |d| d as u8 - 1))),
        _ => Some(command),
    }
}

fn lesson_rows() -> impl Iterator<Item = &'static Row> {
    ROWS.iter().filter(|row| row.scope == Scope::Lesson)
}

/// Tab means something else outside the prompt.
fn applies(row: &Row, place: Place) -> bool {
    place != Place::Pane || row.command != Command::Take
}

/// Commands whose keys a program that reads every key does not get.
fn keeps(command: Command) -> bool {
    matches!(
        command,
        Command::Help
            | Command::Steps
            | Command::Evidence
            | Command::Trace
            | Command::PageUp
            | Command::PageDown
            | Command::TextUp
            | Command::TextDown
            | Command::Kill
    )
}

/// Whether a key puts a character where text is typed.
pub fn is_text(key: &KeyEvent) -> bool {
    matches!(key.code, KeyCode::Char(_)) && !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT)
}

/// Shift is part of a character, and of BackTab.
fn normal(key: &KeyEvent) -> (KeyCode, KeyModifiers) {
    let mut modifiers = key.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT);
    match key.code {
        KeyCode::BackTab => (KeyCode::BackTab, KeyModifiers::NONE),
        KeyCode::Char('4') if modifiers == KeyModifiers::CONTROL => (KeyCode::Char('\\'), modifiers),
        KeyCode::Char(c) if modifiers.contains(KeyModifiers::CONTROL) => (KeyCode::Char(c.to_ascii_lowercase()), modifiers),
        KeyCode::Char(c) => (KeyCode::Char(c), modifiers),
        code => {
            modifiers |= key.modifiers & KeyModifiers::SHIFT;
            (code, modifiers)
        }
    }
}

/// A key as the table writes it.
fn parse(name: &str) -> Option<(KeyCode, KeyModifiers)> {
    let (modifiers, rest) = match name.split_once('-').filter(|(head, _)| head.len() > 1) {
        Some(("Ctrl", rest)) => (KeyModifiers::CONTROL, rest),
        Some(("Alt", rest)) => (KeyModifiers::ALT, rest),
        Some(("Shift", "Tab")) => return Some((KeyCode::BackTab, KeyModifiers::NONE)),
        _ => (KeyModifiers::NONE, name),
    };
    let code = match rest {
        "Tab" => KeyCode::Tab,
        "Esc" => KeyCode::Esc,
        "Enter" => KeyCode::Enter,
        "Space" => KeyCode::Char(' '),
        "Up" => KeyCode::Up,
        "Down" => KeyCode::Down,
        "Home" => KeyCode::Home,
        "End" => KeyCode::End,
        "PageUp" => KeyCode::PageUp,
        "PageDown" => KeyCode::PageDown,
        _ => match (rest.strip_prefix('F').and_then(|n| n.parse().ok()), rest.chars().next()) {
            (Some(n), _) => KeyCode::F(n),
            (None, Some(c)) if rest.chars().count() == 1 => {
                let c = if modifiers == KeyModifiers::CONTROL { c.to_ascii_lowercase() } else { c };
                KeyCode::Char(c)
            }
            _ => return None,
        },
    };
    Some((code, modifiers))
}

/// The key that the footer names for a command: the first that works at the place.
pub fn key_of(command: Command, place: Place) -> Option<&'static str> {
    let own = |row: &&Row| matches!(place, Place::Over(scope) if row.scope == scope);
    let row = ROWS.iter().filter(own).find(|row| row.command == command).or_else(|| row_of(command))?;
    match place {
        Place::Pane | Place::Over(_) => row.pane.first().or(row.anywhere.first()).copied(),
        _ => row.anywhere.first().copied(),
    }
}

/// The row of a command.
pub fn row_of(command: Command) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.command == command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn event(name: &str) -> KeyEvent {
        let (code, modifiers) = parse(name).unwrap_or_else(|| panic!("{name} is no key"));
        KeyEvent::new(code, modifiers)
    }

    /// Where a row's keys are pressed: at the prompt, and elsewhere.
    fn places(row: &Row) -> (Place, Place) {
        match row.scope == Scope::Lesson {
            true => (Place::Prompt, Place::Pane),
            false => (Place::Over(row.scope), Place::Over(row.scope)),
        }
    }

    #[test]
    fn every_key_of_the_table_leads_to_its_row() {
        for row in ROWS {
            assert!(row.help.len() > 8 && row.help.len() <= 84 && !row.label.is_empty(), "{:?}", row.command);
            let (prompt, pane) = places(row);
            for name in row.anywhere {
                assert_eq!(find(&event(name), prompt), Some(row.command), "{name}");
            }
            for name in row.pane {
                let found = find(&event(name), pane);
                let same = matches!((found, row.command), (Some(Command::Choose(_)), Command::Choose(_)));
                assert!(same || found == Some(row.command), "{name}: {found:?}");
            }
        }
    }

    #[test]
    fn no_key_means_two_things_in_one_place() {
        let (mut anywhere, mut panes) = (BTreeSet::new(), BTreeSet::new());
        for row in ROWS {
            row.anywhere.iter().for_each(|name| assert!(anywhere.insert((row.scope, *name)), "{name} twice in {:?}", row.scope));
            row.pane.iter().for_each(|name| assert!(panes.insert((row.scope, *name)), "{name} twice in {:?}", row.scope));
        }
    }

    #[test]
    fn every_command_has_a_word_and_no_word_means_two_things_on_a_screen() {
        let mut seen = BTreeSet::new();
        for row in ROWS {
            assert!(row.words().next().is_some_and(|word| !word.is_empty()), "{:?} has no word", row.command);
            for word in row.words() {
                let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-!".contains(c);
                assert!(word.chars().all(plain), "{word}");
                assert!(seen.insert((row.scope, word)), "{word} twice in {:?}", row.scope);
            }
            assert_eq!(row.operand(), row.operand().to_uppercase(), "{:?}", row.command);
        }
    }

    #[test]
    fn the_prompt_owns_plain_characters() {
        for c in ' '..='~' {
            let key = KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE);
            assert_eq!(find(&key, Place::Prompt), None, "{c}");
            assert_eq!(find(&key, Place::Keys), None, "{c}");
        }
        let alt = KeyEvent::new(KeyCode::Char('h'), KeyModifiers::ALT);
        assert_eq!(find(&alt, Place::Prompt), Some(Command::Hint));
        assert_eq!(find(&event("Ctrl-C"), Place::Keys), None, "a program gets its own interrupt");
        assert_eq!(find(&event("Ctrl-\\"), Place::Keys), Some(Command::Kill));
    }

    #[test]
    fn digits_choose() {
        assert_eq!(find(&event("3"), Place::Pane), Some(Command::Choose(2)));
    }

    #[test]
    fn what_destroys_is_never_beside_what_does_not() {
        for command in [Command::Solution, Command::Skip, Command::Reset] {
            let row = row_of(command).expect("a row");
            assert!(row.anywhere.is_empty() && row.help.contains("asks first"), "{command:?}");
        }
    }
}
