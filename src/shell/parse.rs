//! Text to script: a recursive descent over characters. Here-documents are read when their `<<` is met, from behind the end of the
//! line; the line's newline then jumps over them.

pub(crate) mod command;
mod word;

use crate::shell::ast::{AndOr, Link, Pipeline, Script};

/// Blocks and substitutions inside each other; more is refused.
const MAX_DEPTH: usize = 40;
/// Characters of one script; more is refused.
const MAX_LENGTH: usize = 1 << 20;

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
    Parser::new(text, false, 0)?.whole_script()
}

/// Reads a whole script (`sh -c`): an open here-document ends with the text, open quotes and blocks are [`ErrorKind::Syntax`].
///
/// # Errors
/// The first trouble, with its place.
pub fn parse_whole(text: &str) -> Result<Script, Error> {
    Parser::new(text, true, 0)?.whole_script()
}

/// What has been read and what is still to be read.
struct Parser {
    chars: Vec<char>,
    at: usize,
    /// No more text will come.
    whole: bool,
    depth: usize,
    /// The newline that ends the line of a here-document, and where reading goes on after it.
    here: Option<(usize, usize)>,
}

impl Parser {
    fn new(text: &str, whole: bool, depth: usize) -> Result<Parser, Error> {
        let parser = Parser { chars: text.chars().collect(), at: 0, whole, depth, here: None };
        match parser.chars.len() > MAX_LENGTH {
            true => Err(parser.refused("scripts of more than a million characters")),
            false => Ok(parser),
        }
    }

    fn whole_script(&mut self) -> Result<Script, Error> {
        let script = self.list(&[])?;
        match self.peek() {
            None => Ok(script),
            Some(_) => Err(self.unexpected(None)),
        }
    }

    /// And-or lists up to the end, a closing token, or one of these words in command position (not consumed).
    fn list(&mut self, ends: &[&str]) -> Result<Script, Error> {
        self.deeper()?;
        let mut items = Vec::new();
        loop {
            self.skip_lines();
            if self.peek().is_none() || self.peek() == Some(')') || self.looking_at(";;") {
                break;
            }
            if self.bare_word().is_some_and(|word| ends.contains(&word.as_str())) {
                break;
            }
            items.push(self.and_or()?);
            if !self.separator()? {
                break;
            }
        }
        self.depth -= 1;
        Ok(Script { items })
    }

    /// Consumes `;` or a newline; false when the list ends here instead.
    fn separator(&mut self) -> Result<bool, Error> {
        self.skip_blanks();
        match self.peek() {
            Some('\n') => Ok(true),
            Some(';') if !self.looking_at(";;") => {
                self.at += 1;
                Ok(true)
            }
            Some('&') if !self.looking_at("&&") => Err(self.refused("background commands (&)")),
            _ => Ok(false),
        }
    }

    fn and_or(&mut self) -> Result<AndOr, Error> {
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.skip_blanks();
            let link = if self.looking_at("&&") {
                Link::And
            } else if self.looking_at("||") {
                Link::Or
            } else {
                return Ok(AndOr { first, rest });
            };
            self.at += 2;
            self.skip_lines();
            rest.push((link, self.pipeline()?));
        }
    }

    fn pipeline(&mut self) -> Result<Pipeline, Error> {
        self.skip_blanks();
        let mut negated = false;
        while self.bare_word().as_deref() == Some("!") {
            self.at += 1;
            negated = !negated;
            self.skip_blanks();
        }
        let mut stages = vec![self.command()?];
        loop {
            self.skip_blanks();
            if self.peek() != Some('|') || self.looking_at("||") {
                return Ok(Pipeline { negated, stages });
            }
            self.at += 1;
            if self.peek() == Some('&') {
                return Err(self.refused("pipes of both outputs (|&); write 2>&1 |"));
            }
            self.skip_lines();
            stages.push(self.command()?);
        }
    }

    fn deeper(&mut self) -> Result<(), Error> {
        self.depth += 1;
        match self.depth > MAX_DEPTH {
            true => Err(self.refused("so many blocks inside each other")),
            false => Ok(()),
        }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn peek_at(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn looking_at(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(i, c)| self.peek_at(i) == Some(c))
    }

    /// Skips spaces, tabs, joined lines and a comment.
    fn skip_blanks(&mut self) {
        loop {
            match self.peek() {
                Some(' ' | '\t') => self.at += 1,
                Some('\\') if self.peek_at(1) == Some('\n') => self.at += 2,
                Some('#') if !self.inside_word() => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    /// Whether the character before belongs to a word, so that `#` starts no comment.
    fn inside_word(&self) -> bool {
        self.at > 0 && !matches!(self.chars[self.at - 1], ' ' | '\t' | '\n' | ';' | '&' | '|' | '(' | ')')
    }

    /// Skips blanks and newlines.
    fn skip_lines(&mut self) {
        loop {
            self.skip_blanks();
            if self.peek() != Some('\n') {
                return;
            }
            match self.here {
                Some((newline, resume)) if newline == self.at => {
                    self.at = resume;
                    self.here = None;
                }
                _ => self.at += 1,
            }
        }
    }

    /// The unquoted word at this place without consuming it; `None` for an operator, a quote or an expansion.
    fn bare_word(&self) -> Option<String> {
        let rest = self.chars.get(self.at..)?;
        let end = rest.iter().position(|c| c.is_whitespace() || ";&|<>()".contains(*c)).unwrap_or(rest.len());
        let word: String = rest[..end.min(64)].iter().collect();
        (!word.is_empty() && !word.contains(['\'', '"', '\\', '$', '`'])).then_some(word)
    }

    /// Consumes a reserved word.
    fn expect_word(&mut self, word: &str) -> Result<(), Error> {
        self.skip_lines();
        if self.bare_word().as_deref() != Some(word) {
            return Err(self.unexpected(Some(word)));
        }
        self.at += word.chars().count();
        Ok(())
    }

    fn error(&self, kind: ErrorKind, message: String) -> Error {
        let before = &self.chars[..self.at.min(self.chars.len())];
        let line_start = before.iter().rposition(|c| *c == '\n').map_or(0, |n| n + 1);
        let line = before.iter().filter(|c| **c == '\n').count() + 1;
        Error { kind, line, column: before.len() - line_start + 1, message }
    }

    fn refused(&self, what: &str) -> Error {
        self.error(ErrorKind::Refused, crate::base::not_simulated(what))
    }

    /// Something is open at the end of the text.
    fn open(&self, what: &str) -> Error {
        let kind = if self.whole { ErrorKind::Syntax } else { ErrorKind::Incomplete };
        self.error(kind, format!("syntax error: {what}"))
    }

    /// The token at this place does not belong here.
    fn unexpected(&self, wanted: Option<&str>) -> Error {
        let expecting = wanted.map(|w| format!(" (expecting \"{w}\")")).unwrap_or_default();
        let token = match self.peek() {
            None => return self.open(&format!("unexpected end of file{expecting}")),
            Some('\n') => "newline".to_string(),
            Some('<' | '>') => "redirection".to_string(),
            Some(c @ (';' | '&' | '|')) if self.peek_at(1) == Some(c) => format!("\"{c}{c}\""),
            Some(c @ (';' | '&' | '|' | '(' | ')')) => format!("\"{c}\""),
            Some(_) => match self.bare_word().filter(|word| command::RESERVED.contains(&word.as_str())) {
                Some(word) => format!("\"{word}\""),
                None => "word".to_string(),
            },
        };
        self.error(ErrorKind::Syntax, format!("syntax error: unexpected {token}{expecting}"))
    }
}

#[cfg(test)]
mod tests;
