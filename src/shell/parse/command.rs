//! Commands: simple ones, blocks, redirections.

use crate::shell::ast::{Command, Compound, Part, Redirect, Simple, Target, Word};
use crate::shell::parse::{Error, Parser};
use std::sync::Arc;

/// Words that mean something in command position.
pub(super) const RESERVED: [&str; 15] =
    ["if", "then", "else", "elif", "fi", "do", "done", "case", "esac", "for", "while", "until", "{", "}", "!"];

impl Parser {
    pub(super) fn command(&mut self) -> Result<Command, Error> {
        self.skip_blanks();
        let kind = match (self.peek(), self.bare_word().as_deref()) {
            (Some('('), _) => self.subshell()?,
            (_, Some("{")) => self.group()?,
            (_, Some("if")) => self.if_block()?,
            (_, Some("for")) => self.for_block()?,
            (_, Some(word @ ("while" | "until"))) => self.while_block(word == "until")?,
            (_, Some("case")) => self.case_block()?,
            (_, Some("function")) => return Err(self.refused("shell functions")),
            (_, Some(word)) if RESERVED.contains(&word) => return Err(self.unexpected(None)),
            _ => return Ok(Command::Simple(Arc::new(self.simple()?))),
        };
        let mut redirects = Vec::new();
        loop {
            self.skip_blanks();
            match self.redirect()? {
                Some(redirect) => redirects.push(redirect),
                None => return Ok(Command::Compound { kind: Arc::new(kind), redirects: Arc::new(redirects) }),
            }
        }
    }

    fn subshell(&mut self) -> Result<Compound, Error> {
        self.at += 1;
        let body = self.list(&[])?;
        if self.peek() != Some(')') || body.items.is_empty() {
            return Err(self.unexpected(body.items.is_empty().then_some(")").filter(|_| self.peek().is_none())));
        }
        self.at += 1;
        Ok(Compound::Subshell(Arc::new(body)))
    }

    fn group(&mut self) -> Result<Compound, Error> {
        self.at += 1;
        let body = self.block(&["}"])?;
        self.expect_word("}")?;
        Ok(Compound::Group(body))
    }

    /// A list that must hold a command.
    fn block(&mut self, ends: &[&str]) -> Result<Arc<crate::shell::ast::Script>, Error> {
        let body = self.list(ends)?;
        match body.items.is_empty() {
            true => Err(self.unexpected(None)),
            false => Ok(Arc::new(body)),
        }
    }

    fn if_block(&mut self) -> Result<Compound, Error> {
        let mut arms = Vec::new();
        let mut word = "if".to_string();
        loop {
            self.expect_word(&word)?;
            let condition = self.block(&["then"])?;
            self.expect_word("then")?;
            arms.push((condition, self.block(&["elif", "else", "fi"])?));
            self.skip_lines();
            word = self.bare_word().unwrap_or_default();
            if word != "elif" {
                break;
            }
        }
        let otherwise = match word.as_str() {
            "else" => {
                self.expect_word("else")?;
                Some(self.block(&["fi"])?)
            }
            _ => None,
        };
        self.expect_word("fi")?;
        Ok(Compound::If { arms, otherwise })
    }

    fn for_block(&mut self) -> Result<Compound, Error> {
        self.expect_word("for")?;
        self.skip_blanks();
        let name = self.bare_word().unwrap_or_default();
        if !is_name(&name) {
            return Err(match self.peek() {
                None => self.unexpected(None),
                Some(_) => self.error(crate::shell::parse::ErrorKind::Syntax, "syntax error: bad for loop variable".to_string()),
            });
        }
        self.at += name.chars().count();
        self.skip_lines();
        let mut words = None;
        if self.bare_word().as_deref() == Some("in") {
            self.at += 2;
            words = Some(self.for_words()?);
        } else if self.peek() == Some(';') {
            self.at += 1;
        }
        let body = self.do_block()?;
        Ok(Compound::For { name, words, body })
    }

    fn for_words(&mut self) -> Result<Vec<Word>, Error> {
        let mut words = Vec::new();
        loop {
            self.skip_blanks();
            match self.peek() {
                Some(';') if !self.looking_at(";;") => {
                    self.at += 1;
                    return Ok(words);
                }
                Some('\n') | None => return Ok(words),
                _ => words.push(self.need_word()?),
            }
        }
    }

    fn do_block(&mut self) -> Result<Arc<crate::shell::ast::Script>, Error> {
        self.expect_word("do")?;
        let body = self.block(&["done"])?;
        self.expect_word("done")?;
        Ok(body)
    }

    fn while_block(&mut self, until: bool) -> Result<Compound, Error> {
        self.at += 5;
        let condition = self.block(&["do"])?;
        let body = self.do_block()?;
        Ok(Compound::While { until, condition, body })
    }

    fn case_block(&mut self) -> Result<Compound, Error> {
        self.expect_word("case")?;
        self.skip_blanks();
        let word = self.need_word()?;
        self.expect_word("in")?;
        let mut arms = Vec::new();
        loop {
            self.skip_lines();
            if self.bare_word().as_deref() == Some("esac") {
                self.at += 4;
                return Ok(Compound::Case { word, arms });
            }
            let patterns = self.case_patterns()?;
            let body = Arc::new(self.list(&["esac"])?);
            arms.push((patterns, body));
            self.skip_lines();
            if self.looking_at(";;") {
                self.at += 2;
            } else if self.bare_word().as_deref() != Some("esac") {
                return Err(self.unexpected(Some(";;")));
            }
        }
    }

    fn case_patterns(&mut self) -> Result<Vec<Word>, Error> {
        if self.peek() == Some('(') {
            self.at += 1;
        }
        let mut patterns = Vec::new();
        loop {
            self.skip_blanks();
            patterns.push(self.need_word()?);
            self.skip_blanks();
            match self.peek() {
                Some('|') => self.at += 1,
                Some(')') => {
                    self.at += 1;
                    return Ok(patterns);
                }
                _ => return Err(self.unexpected(Some(")"))),
            }
        }
    }

    fn simple(&mut self) -> Result<Simple, Error> {
        let mut simple = Simple::default();
        loop {
            self.skip_blanks();
            if let Some(redirect) = self.redirect()? {
                simple.redirects.push(redirect);
                continue;
            }
            match self.peek() {
                None | Some('\n' | ';' | '&' | '|' | ')') => break,
                Some('(') => return Err(self.parenthesis(&simple)),
                _ => (),
            }
            let word = self.need_word()?;
            match split_assignment(&word).filter(|_| simple.words.is_empty()) {
                Some(assign) => simple.assigns.push(assign),
                None => simple.words.push(word),
            }
        }
        match simple.words.is_empty() && simple.assigns.is_empty() && simple.redirects.is_empty() {
            true => Err(self.unexpected(None)),
            false => Ok(simple),
        }
    }

    /// `(` after a word: a function, or a slip.
    fn parenthesis(&self, simple: &Simple) -> Error {
        let mut ahead = 1;
        while matches!(self.peek_at(ahead), Some(' ' | '\t')) {
            ahead += 1;
        }
        let names_one = simple.words.len() == 1 && simple.assigns.is_empty();
        match names_one && self.peek_at(ahead) == Some(')') {
            true => self.refused("shell functions"),
            false => self.unexpected(None),
        }
    }

    fn need_word(&mut self) -> Result<Word, Error> {
        match self.word()? {
            Some(word) => Ok(word),
            None => Err(self.unexpected(None)),
        }
    }

    fn redirect(&mut self) -> Result<Option<Redirect>, Error> {
        if self.looking_at("&>") {
            self.at += 2;
            return Ok(Some(Redirect { fd: 1, to: Target::Both(self.redirect_word()?) }));
        }
        let number = self.peek().and_then(|c| c.to_digit(10)).filter(|_| matches!(self.peek_at(1), Some('<' | '>')));
        if number.is_some() {
            self.at += 1;
        }
        let Some(sign @ ('<' | '>')) = self.peek() else {
            return Ok(None);
        };
        let fd = number.unwrap_or(if sign == '<' { 0 } else { 1 }) as u8;
        if fd > 2 {
            return Err(self.refused("descriptors above 2"));
        }
        self.at += 1;
        let to = match (sign, self.peek()) {
            ('<', Some('<')) => self.here_document()?,
            ('<' | '>', Some('(')) => return Err(self.refused("process substitution (<(..) and >(..))")),
            ('<', Some('>')) => return Err(self.refused("redirection for reading and writing (<>)")),
            (_, Some('&')) => self.duplicate()?,
            ('>', Some('>')) => {
                self.at += 1;
                Target::Append(self.redirect_word()?)
            }
            ('>', Some('|')) => {
                self.at += 1;
                Target::Write(self.redirect_word()?)
            }
            ('<', _) => Target::Read(self.redirect_word()?),
            _ => Target::Write(self.redirect_word()?),
        };
        Ok(Some(Redirect { fd, to }))
    }

    fn redirect_word(&mut self) -> Result<Word, Error> {
        self.skip_blanks();
        self.need_word()
    }

    fn duplicate(&mut self) -> Result<Target, Error> {
        self.at += 1;
        match self.peek() {
            Some('-') => {
                self.at += 1;
                Ok(Target::Close)
            }
            Some(c @ '0'..='2') => {
                self.at += 1;
                Ok(Target::Duplicate(c as u8 - b'0'))
            }
            None => Err(self.unexpected(None)),
            Some(_) => Err(self.refused("descriptors other than 0, 1 and 2")),
        }
    }
}

/// Whether a text is a variable's name.
pub(crate) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_') && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// `NAME=value` as an assignment.
fn split_assignment(word: &Word) -> Option<(String, Word)> {
    let Some(Part::Text { text, quoted: false }) = word.0.first() else {
        return None;
    };
    let (name, value) = text.split_once('=')?;
    if !is_name(name) {
        return None;
    }
    let mut parts = Vec::new();
    if value == "~" || value.starts_with("~/") {
        parts.push(Part::Tilde);
        if value.len() > 1 {
            parts.push(Part::Text { text: value[1..].to_string(), quoted: false });
        }
    } else if !value.is_empty() {
        parts.push(Part::Text { text: value.to_string(), quoted: false });
    }
    parts.extend(word.0.iter().skip(1).cloned());
    Some((name.to_string(), Word(parts)))
}
