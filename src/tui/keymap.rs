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
    Choose(u8),
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The lesson's screen; the rows that [`is_common`] names work on every screen.
    Lesson,
}

/// Commands that mean the same on every screen.
pub fn is_common(command: Command) -> bool {
    matches!(
        command,
        Command::Help
            | Command::Leave
            | Command::Up
            | Command::Down
            | Command::PageUp
            | Command::PageDown
            | Command::Top
            | Command::Bottom
    )
}

/// One command: its keys and what help says about it.
pub struct Row {
    pub scope: Scope,
    pub command: Command,
    /// At the prompt and everywhere else.
    pub anywhere: &'static [&'static str],
    /// Outside the prompt; single characters also work at the prompt with Alt.
    pub pane: &'static [&'static str],
    /// A word for the footer.
    pub label: &'static str,
    pub help: &'static str,
}

const fn row(
    command: Command,
    anywhere: &'static [&'static str],
    pane: &'static [&'static str],
    label: &'static str,
    help: &'static str,
) -> Row {
    Row { scope: Scope::Lesson, command, anywhere, pane, label, help }
}

/// Every command, in the order of help.
pub const ROWS: &[Row] = &[
    row(Command::Take, &["Tab"], &["x"], "take command", "put the step's next command on the prompt; again: the one after it"),
    row(Command::Next, &["F8"], &["n"], "next", "go on to the next step (also Enter on an empty prompt, once the step is done)"),
    row(Command::Previous, &["F7"], &["p"], "back", "look at the step before"),
    row(Command::Hint, &["F2"], &["h"], "hint", "show the next of three hints"),
    row(Command::Check, &["F5"], &["c"], "check", "judge the step now"),
    row(Command::Evidence, &["F4"], &["e"], "evidence", "what the checks expected and what they saw"),
    row(Command::Trace, &["F6"], &["t"], "trace", "the way of the last probe: listener, route, cluster, endpoint"),
    row(Command::Steps, &["F3"], &["l"], "steps", "the list of steps"),
    row(Command::OpenFile, &["F9"], &["o"], "open file", "open the step's file in your editor"),
    row(Command::Solution, &[], &["s"], "solution", "apply the step's solution (asks first; marks the step assisted)"),
    row(Command::Skip, &[], &["S"], "skip", "apply the solution and go on (asks first; marks the step skipped)"),
    row(Command::Reset, &[], &["R"], "reset", "put the world back to the start of the step (asks first)"),
    row(Command::Choose(0), &[], &["1", "2", "3", "4", "5", "6", "7", "8", "9"], "choose", "answer the step's question"),
    row(Command::Leave, &["Esc"], &[], "keys", "close what is open; else go between the prompt and single keys"),
    row(Command::Focus, &["Shift-Tab"], &["Tab"], "focus", "move between text, output and prompt"),
    row(Command::ToPrompt, &[], &["i", "Enter", ":"], "prompt", "back to the prompt"),
    row(Command::PageUp, &["PageUp"], &["b"], "scroll", "scroll up; at the prompt: the output"),
    row(Command::PageDown, &["PageDown"], &["Space"], "scroll", "scroll down"),
    row(Command::TextUp, &["Ctrl-Up", "Alt-Up"], &[], "text", "scroll the lesson's text up without leaving the prompt"),
    row(Command::TextDown, &["Ctrl-Down", "Alt-Down"], &[], "text", "scroll the lesson's text down"),
    row(Command::Up, &[], &["Up", "k"], "up", "scroll up one line"),
    row(Command::Down, &[], &["Down", "j"], "down", "scroll down one line"),
    row(Command::Top, &[], &["Home", "g"], "top", "to the beginning"),
    row(Command::Bottom, &[], &["End", "G"], "end", "to the end"),
    row(Command::Clear, &["Ctrl-L"], &[], "clear", "empty the output"),
    row(Command::Interrupt, &["Ctrl-C"], &[], "stop", "end what runs, else empty the prompt; never leaves"),
    row(Command::Kill, &["Ctrl-\\"], &[], "end", "end a program that keeps Ctrl-C for itself"),
    row(Command::EndOfInput, &["Ctrl-D"], &[], "leave", "end of input for what runs; on an empty prompt: leave"),
    row(Command::Suspend, &["Ctrl-Z"], &[], "suspend", "nothing: the lab stays on the screen"),
    row(Command::Home, &["F10"], &["H"], "lessons", "back to the list of lessons"),
    row(Command::Quit, &[], &["q"], "leave", "leave; progress is saved"),
    row(Command::Help, &["F1"], &["?"], "help", "this page"),
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
            | Command::Suspend
    )
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

    #[test]
    fn every_key_of_the_table_leads_to_its_row() {
        for row in ROWS {
            assert!(!row.anywhere.is_empty() || !row.pane.is_empty(), "{:?} has no key", row.command);
            assert!(row.help.len() > 8 && row.help.len() <= 84 && !row.label.is_empty(), "{:?}", row.command);
            for name in row.anywhere {
                assert_eq!(find(&event(name), Place::Prompt), Some(row.command), "{name}");
            }
            for name in row.pane {
                let found = find(&event(name), Place::Pane);
                let same = matches!((found, row.command), (Some(Command::Choose(_)), Command::Choose(_)));
                assert!(same || found == Some(row.command), "{name}: {found:?}");
            }
        }
    }

    #[test]
    fn no_key_means_two_things_in_one_place() {
        let mut seen = BTreeSet::new();
        for row in ROWS {
            row.anywhere.iter().for_each(|name| assert!(seen.insert(*name), "{name} twice"));
        }
        let mut seen = BTreeSet::new();
        for name in ROWS.iter().flat_map(|row| row.pane) {
            assert!(seen.insert(*name), "{name} twice in panes");
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
