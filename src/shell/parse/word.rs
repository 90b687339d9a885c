//! Words: quotes, parameters, substitutions, and the bodies of here-documents.

use crate::shell::ast::{ParameterOp, Part, Target, Word};
use crate::shell::parse::{Error, Parser};
use std::sync::Arc;

/// Collects parts, joining texts of the same kind.
#[derive(Default)]
struct Parts(Vec<Part>);

impl Parts {
    fn text(&mut self, c: char, in_quotes: bool) {
        match self.0.last_mut() {
            Some(Part::Text { text, quoted }) if *quoted == in_quotes => text.push(c),
            _ => self.0.push(Part::Text { text: c.to_string(), quoted: in_quotes }),
        }
    }

    /// Quotes around nothing still make a word.
    fn touch(&mut self) {
        if !matches!(self.0.last(), Some(Part::Text { quoted: true, .. })) {
            self.0.push(Part::Text { text: String::new(), quoted: true });
        }
    }
}

/// What ends a run of parts besides the end of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// Blanks and operators.
    WordEnd,
    /// `}` of `${name-word}`.
    Brace,
    /// The closing `"` (consumed).
    Quote,
    /// Only the end: a here-document's body.
    End,
}

impl Parser {
    /// The word at this place, `None` when there is none.
    pub(super) fn word(&mut self) -> Result<Option<Word>, Error> {
        let mut parts = Parts::default();
        if self.peek() == Some('~') && self.peek_at(1).is_none_or(|c| c == '/' || c.is_whitespace() || ";&|<>()".contains(c)) {
            self.at += 1;
            parts.0.push(Part::Tilde);
        }
        self.parts(&mut parts, Until::WordEnd, false)?;
        Ok((!parts.0.is_empty()).then_some(Word(parts.0)))
    }

    fn parts(&mut self, out: &mut Parts, until: Until, quoted: bool) -> Result<(), Error> {
        let literal_quotes = until == Until::End;
        loop {
            let Some(c) = self.peek() else {
                return match until {
                    Until::WordEnd | Until::End => Ok(()),
                    Until::Brace => Err(self.open("missing '}'")),
                    Until::Quote => Err(self.open("unterminated quoted string")),
                };
            };
            match c {
                '"' if until == Until::Quote => {
                    self.at += 1;
                    return Ok(());
                }
                '}' if until == Until::Brace => return Ok(()),
                c if until == Until::WordEnd && (c.is_whitespace() || ";&|<>()".contains(c)) => return Ok(()),
                '\\' => self.backslash(out, until, quoted)?,
                '\'' if !quoted && !literal_quotes => self.single_quotes(out)?,
                '"' if !literal_quotes => self.double_quotes(out)?,
                '$' => self.dollar(out, quoted)?,
                '`' => self.backquotes(out, quoted)?,
                _ => {
                    self.at += 1;
                    out.text(c, quoted);
                }
            }
        }
    }

    fn backslash(&mut self, out: &mut Parts, until: Until, quoted: bool) -> Result<(), Error> {
        self.at += 1;
        let special = match until {
            Until::End => "$`\\",
            _ => "$`\\\"}",
        };
        match self.peek() {
            None if self.whole || until == Until::End => out.text('\\', true),
            None => return Err(self.open("unterminated quoted string")),
            Some('\n') => self.at += 1,
            Some(c) if quoted && !special.contains(c) => out.text('\\', true),
            Some(c) => {
                self.at += 1;
                out.text(c, true);
            }
        }
        Ok(())
    }

    fn single_quotes(&mut self, out: &mut Parts) -> Result<(), Error> {
        self.at += 1;
        out.touch();
        loop {
            match self.next() {
                None => return Err(self.open("unterminated quoted string")),
                Some('\'') => return Ok(()),
                Some(c) => out.text(c, true),
            }
        }
    }

    fn double_quotes(&mut self, out: &mut Parts) -> Result<(), Error> {
        self.at += 1;
        let before = out.0.len();
        let text_before = matches!(out.0.last(), Some(Part::Text { quoted: true, .. }));
        self.deeper()?;
        self.parts(out, Until::Quote, true)?;
        self.depth -= 1;
        if out.0.len() == before && !text_before {
            out.touch();
        }
        Ok(())
    }

    fn dollar(&mut self, out: &mut Parts, quoted: bool) -> Result<(), Error> {
        self.at += 1;
        let simple = |name: String| Part::Parameter { name, op: None, quoted };
        let part = match self.peek() {
            Some('(') if self.peek_at(1) == Some('(') => self.arithmetic(quoted)?,
            Some('(') => {
                self.at += 1;
                let script = self.list(&[])?;
                if self.peek() != Some(')') {
                    return Err(self.unexpected(Some(")")));
                }
                self.at += 1;
                Part::Command { script: Arc::new(script), quoted }
            }
            Some('{') => self.braces(quoted)?,
            Some(c) if c.is_ascii_alphabetic() || c == '_' => simple(self.name()),
            Some(c) if c.is_ascii_digit() || "?$#@*!-".contains(c) => {
                self.at += 1;
                simple(c.to_string())
            }
            Some('\'') if !quoted => return Err(self.refused("$'..' quotes")),
            _ => {
                out.text('$', quoted);
                return Ok(());
            }
        };
        out.0.push(part);
        Ok(())
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self.peek().filter(|c| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(c);
            self.at += 1;
        }
        name
    }

    /// `$((..))`: texts and expansions up to the matching brackets.
    fn arithmetic(&mut self, quoted: bool) -> Result<Part, Error> {
        self.at += 2;
        self.deeper()?;
        let mut out = Parts::default();
        let mut open = 0usize;
        loop {
            match self.peek() {
                None => return Err(self.open("missing '))'")),
                Some('$') => self.dollar(&mut out, false)?,
                Some('`') => self.backquotes(&mut out, false)?,
                Some(')') if open == 0 => {
                    if self.peek_at(1) != Some(')') {
                        return Err(match self.peek_at(1) {
                            None => self.open("missing '))'"),
                            Some(_) => self.refused("$( (..) ) written without a space"),
                        });
                    }
                    self.at += 2;
                    self.depth -= 1;
                    return Ok(Part::Arithmetic { text: Word(out.0), quoted });
                }
                Some(c) => {
                    match c {
                        '(' => open += 1,
                        ')' => open -= 1,
                        _ => (),
                    }
                    self.at += 1;
                    out.text(c, false);
                }
            }
        }
    }

    /// `${..}`
    fn braces(&mut self, quoted: bool) -> Result<Part, Error> {
        self.at += 1;
        if self.peek() == Some('#') && self.peek_at(1).is_some_and(|c| c != '}') {
            self.at += 1;
            let name = self.brace_name();
            self.close_brace(&name)?;
            return Ok(Part::Parameter { name, op: Some(Box::new(ParameterOp::Length)), quoted });
        }
        let name = self.brace_name();
        if self.peek() == Some('}') && !name.is_empty() {
            self.at += 1;
            return Ok(Part::Parameter { name, op: None, quoted });
        }
        let op = self.parameter_op(&name, quoted)?;
        self.close_brace(&name)?;
        Ok(Part::Parameter { name, op: Some(Box::new(op)), quoted })
    }

    fn brace_name(&mut self) -> String {
        match self.peek() {
            Some(c) if c.is_ascii_digit() || c.is_ascii_alphabetic() || c == '_' => self.name(),
            Some(c) if "?$#@*!-".contains(c) => {
                self.at += 1;
                c.to_string()
            }
            _ => String::new(),
        }
    }

    fn close_brace(&mut self, name: &str) -> Result<(), Error> {
        match self.peek() {
            None => Err(self.open("missing '}'")),
            Some('}') if !name.is_empty() => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(self.error(crate::shell::parse::ErrorKind::Syntax, "syntax error: bad substitution".to_string())),
        }
    }

    fn parameter_op(&mut self, name: &str, quoted: bool) -> Result<ParameterOp, Error> {
        let or_empty = self.peek() == Some(':');
        if or_empty {
            self.at += 1;
        }
        let Some(sign) = self.next() else {
            return Err(self.open("missing '}'"));
        };
        match sign {
            '-' | '=' | '+' | '?' => Ok(ParameterOp::Choose { sign, or_empty, word: self.brace_word(quoted)? }),
            '#' | '%' if !or_empty => {
                let longest = self.peek() == Some(sign);
                if longest {
                    self.at += 1;
                }
                Ok(ParameterOp::Trim { suffix: sign == '%', longest, word: self.brace_word(false)? })
            }
            '/' => Err(self.refused(&format!("${{{name}/..}}"))),
            _ if or_empty => Err(self.refused(&format!("${{{name}:..}}"))),
            _ => Err(self.error(crate::shell::parse::ErrorKind::Syntax, "syntax error: bad substitution".to_string())),
        }
    }

    fn brace_word(&mut self, quoted: bool) -> Result<Word, Error> {
        self.deeper()?;
        let mut out = Parts::default();
        self.parts(&mut out, Until::Brace, quoted)?;
        self.depth -= 1;
        Ok(Word(out.0))
    }

    fn backquotes(&mut self, out: &mut Parts, quoted: bool) -> Result<(), Error> {
        self.at += 1;
        let mut inner = String::new();
        loop {
            match self.next() {
                None => return Err(self.open("EOF in backquote substitution")),
                Some('`') => break,
                Some('\\') => match self.next() {
                    Some(c @ ('`' | '\\' | '$')) => inner.push(c),
                    Some('"') if quoted => inner.push('"'),
                    Some(c) => inner.extend(['\\', c]),
                    None => return Err(self.open("EOF in backquote substitution")),
                },
                Some(c) => inner.push(c),
            }
        }
        self.deeper()?;
        let script = Parser::new(&inner, true, self.depth)?.whole_script().map_err(|e| self.error(e.kind, e.message))?;
        self.depth -= 1;
        out.0.push(Part::Command { script: Arc::new(script), quoted });
        Ok(())
    }

    /// After `<` of `<<`: reads the delimiter here and the body behind the line's end.
    pub(super) fn here_document(&mut self) -> Result<Target, Error> {
        self.at += 1;
        if self.peek() == Some('<') {
            return Err(self.refused("here-strings (<<<); use a here-document, or printf and a pipe"));
        }
        let strip = self.peek() == Some('-');
        if strip {
            self.at += 1;
        }
        self.skip_blanks();
        let start = self.at;
        let Some(delimiter) = self.word()? else {
            return Err(self.unexpected(None));
        };
        let raw: String = self.chars[start..self.at].iter().collect();
        let expands = !raw.contains(['\'', '"', '\\']);
        let Some(delimiter) = delimiter.literal() else {
            return Err(self.refused("expansions in the mark of a here-document"));
        };
        let body = self.here_body(&delimiter, strip)?;
        if !expands {
            return Ok(Target::Here(Word(vec![Part::Text { text: body, quoted: true }])));
        }
        self.deeper()?;
        let mut parts = Parts::default();
        let mut inner = Parser::new(&body, true, self.depth)?;
        inner.parts(&mut parts, Until::End, true).map_err(|e| self.error(e.kind, e.message))?;
        self.depth -= 1;
        Ok(Target::Here(Word(parts.0)))
    }

    fn here_body(&mut self, delimiter: &str, strip: bool) -> Result<String, Error> {
        let newline = match self.here {
            Some((newline, _)) if newline >= self.at => Some(newline),
            _ => self.line_end(),
        };
        let Some(newline) = newline else {
            return if self.whole { Ok(String::new()) } else { Err(self.open("here-document")) };
        };
        let mut at = self.here.filter(|(n, _)| *n == newline).map_or(newline + 1, |(_, resume)| resume);
        let mut body = String::new();
        while at < self.chars.len() {
            let end = self.chars[at..].iter().position(|c| *c == '\n').map_or(self.chars.len(), |n| at + n);
            let line: String = self.chars[at..end].iter().collect();
            let line = if strip { line.trim_start_matches('\t') } else { line.as_str() };
            at = (end + 1).min(self.chars.len());
            if line == delimiter {
                self.here = Some((newline, at));
                return Ok(body);
            }
            body.push_str(line);
            if end < self.chars.len() {
                body.push('\n');
            }
        }
        self.here = Some((newline, self.chars.len()));
        if self.whole { Ok(body) } else { Err(self.open("here-document")) }
    }

    /// The newline that ends this line, quotes skipped.
    fn line_end(&self) -> Option<usize> {
        let mut quote = None;
        let mut at = self.at;
        while let Some(c) = self.chars.get(at).copied() {
            match (quote, c) {
                (None, '\n') => return Some(at),
                (None, '\'' | '"') => quote = Some(c),
                (Some(q), c) if q == c => quote = None,
                (None | Some('"'), '\\') => at += 1,
                _ => (),
            }
            at += 1;
        }
        None
    }
}
