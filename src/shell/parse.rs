//! Text to script.

use crate::shell::ast::Script;

/// Why a text is not a script.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub kind: ErrorKind,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// As ash words it, without the shell's name (`syntax error: unexpected ")"`).
    pub message: String,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Wrong whatever follows.
    Syntax,
    /// An open quote, here-document or block: ask for another line.
    Incomplete,
    /// Right for a shell, but not done here.
    Refused,
}

/// Reads a script of which more lines may come: open quotes, blocks and here-documents are [`ErrorKind::Incomplete`].
///
/// # Errors
/// The first trouble, with its place.
pub fn parse(text: &str) -> Result<Script, Error> {
    let _ = text;
    Ok(Script::default())
}

/// Reads a whole script (`sh -c`): an open here-document ends with the text, open quotes and blocks are [`ErrorKind::Syntax`].
///
/// # Errors
/// The first trouble, with its place.
pub fn parse_whole(text: &str) -> Result<Script, Error> {
    parse(text)
}
