//! Keys and commands as one table: lookup, footer and help are made from it.

mod keys;
mod table;

pub use keys::is_text;
pub use table::ROWS;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use keys::{normal, parse};

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
    /// Opens the marked thing.
    Open,
    /// Searches what was typed before.
    SearchHistory,
    TimeLine,
    Browse,
    /// Enter on a marked row.
    Show,
    /// The world as it was.
    View,
    Compare,
    Return,
    Bookmark,
    Filter,
    Own,
    Newer,
    Older,
    Describe,
    Yaml,
    Events,
    Logs,
    PreviousLog,
    Container,
    Follow,
    Namespaces,
    /// Explains a request in a world of the past.
    Explain,
    EditObject,
    Delete,
    /// Copies what has the focus.
    Copy,
    /// Lets the mouse scroll, or hands it back to the terminal.
    Mouse,
    /// Searches the output.
    Search,
    FindNext,
    FindBack,
    /// In the traffic picture: from station to station, from request to request, into the object that decided.
    HopNext,
    HopBack,
    RequestNext,
    RequestBack,
    Object,
    LastChange,
    Save,
    PreviewChange,
    External,
    Complete,
    Template,
    Find,
    NextProblem,
    Undo,
    Redo,
    CloseEditor,
    ApplyChange,
    CloseDiff,
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
    /// The learner's own shell; in it: back to the lesson.
    Shell,
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

impl Scope {
    /// What help and the manual page call the screen.
    pub fn title(self) -> &'static str {
        match self {
            Scope::Lesson => "In a lesson",
            Scope::Home => "In the list of lessons",
            Scope::Reading => "In a text to read",
            Scope::Glossary => "In the glossary",
            Scope::TimeLine => "In the time-line",
            Scope::Browser => "In the objects",
            Scope::Picture => "In the traffic picture",
            Scope::Editor => "In the editor",
            Scope::Diff => "On a change",
            Scope::Shell => "In your own shell",
        }
    }
}

impl Place {
    /// Whether a key of the row does something here.
    pub fn reaches(self, row: &Row) -> bool {
        match self {
            Place::Keys => keeps(row.command) && !row.anywhere.is_empty(),
            _ => true,
        }
    }

    /// The screen that the place is on.
    pub fn scope(self) -> Scope {
        match self {
            Place::Over(scope) => scope,
            _ => Scope::Lesson,
        }
    }
}

/// Which screen a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// The lesson's screen; the rows that [`is_common`] names work on every screen.
    Lesson,
    /// A text to read.
    Reading,
    Glossary,
    /// The list of lessons.
    Home,
    /// What happened to the world.
    TimeLine,
    /// The objects of the world.
    Browser,
    /// The traffic picture and the object that it opens.
    Picture,
    /// The manifest editor.
    Editor,
    /// What a change does.
    Diff,
    /// The learner's own shell: it gets every other key.
    Shell,
}

/// Commands that mean the same on every screen.
pub fn is_common(command: Command) -> bool {
    matches!(
        command,
        Command::Help
            | Command::CommandLine
            | Command::Theme
            | Command::Leave
            | Command::Up
            | Command::Down
            | Command::PageUp
            | Command::PageDown
            | Command::Top
            | Command::Bottom
            | Command::Copy
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

impl Row {
    /// The words that `:` takes for it, the shown one first.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        self.word.split_whitespace().next().unwrap_or("").split('|')
    }

    /// The shown word with what it takes.
    pub fn word_shown(&self) -> String {
        let word = self.words().next().unwrap_or("");
        match self.operand() {
            "" => word.to_string(),
            operand => format!("{word} {operand}"),
        }
    }

    /// What its word takes, empty for nothing.
    pub fn operand(&self) -> &'static str {
        self.word.split_once(' ').map_or("", |(_, operand)| operand)
    }
}

/// The command of a key at a place.
pub fn find(key: &KeyEvent, place: Place) -> Option<Command> {
    let (code, modifiers) = normal(key);
    let is = |name: &&str| parse(name) == Some((code, modifiers));
    if let Place::Over(scope) = place {
        let keys = |row: &&Row| row.anywhere.iter().chain(row.pane).any(&is);
        let own = ROWS.iter().filter(|row| row.scope == scope).find(keys);
        if scope == Scope::Shell {
            return own.map(|row| row.command);
        }
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
            | Command::Shell
    )
}

/// The key that the footer names for a command: the first that works at the place.
pub fn key_of(command: Command, place: Place) -> Option<&'static str> {
    let row = row_at(command, place.scope())?;
    match place {
        Place::Pane | Place::Over(_) => row.pane.first().or(row.anywhere.first()).copied(),
        _ => row.anywhere.first().copied(),
    }
}

/// The row of a command on a screen: its own, else the lesson's.
pub fn row_at(command: Command, scope: Scope) -> Option<&'static Row> {
    let of = |scope: Scope| ROWS.iter().find(move |row| row.scope == scope && row.command == command);
    of(scope).or_else(|| of(Scope::Lesson)).or_else(|| ROWS.iter().find(|row| row.command == command))
}

/// The rows that work on a screen: its own, then those that every screen has.
pub fn rows_of(scope: Scope) -> impl Iterator<Item = &'static Row> {
    let own = move |command: Command| ROWS.iter().any(|row| row.scope == scope && row.command == command);
    let common =
        move |row: &&Row| scope != Scope::Lesson && row.scope == Scope::Lesson && is_common(row.command) && !own(row.command);
    ROWS.iter().filter(move |row| row.scope == scope).chain(ROWS.iter().filter(common))
}

/// The row that a word names on a screen: its own words, then the lesson's.
pub fn row_of_word(word: &str, scope: Scope) -> Option<&'static Row> {
    let of = |scope: Scope| ROWS.iter().find(move |row| row.scope == scope && row.words().any(|w| w == word));
    of(scope).or_else(|| of(Scope::Lesson))
}

#[cfg(test)]
mod tests;
