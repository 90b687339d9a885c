//! Words to fields: parameters, results of substitutions, arithmetic, splitting, patterns.

use crate::shell::ast::{ParameterOp, Part, Script, Word};
use crate::shell::machine::{Shell, Variable};
use crate::shell::{Files, arith, glob};
use std::collections::VecDeque;
use std::sync::Arc;

/// The command substitutions of a word in the order in which [`Scope`] takes their results.
pub fn substitutions(word: &Word, out: &mut Vec<Arc<Script>>) {
    for part in &word.0 {
        match part {
            Part::Command { script, .. } => out.push(script.clone()),
            Part::Arithmetic { text, .. } => substitutions(text, out),
            Part::Parameter { op: Some(op), .. } => match op.as_ref() {
                ParameterOp::Choose { word, .. } | ParameterOp::Trim { word, .. } => substitutions(word, out),
                ParameterOp::Length => (),
            },
            _ => (),
        }
    }
}

/// What expansion reads and changes. The substitutions have been run before.
pub struct Scope<'a> {
    pub shell: &'a mut Shell,
    pub files: &'a dyn Files,
    /// Output of the substitutions, in order.
    pub results: VecDeque<String>,
}

/// A field being built: its text, and the same as a pattern.
#[derive(Default)]
struct Field {
    text: String,
    pattern: String,
    has_pattern: bool,
}

#[derive(Default)]
struct Fields {
    done: Vec<Field>,
    current: Option<Field>,
}

impl Fields {
    fn add(&mut self, text: &str, quoted: bool) {
        let field = self.current.get_or_insert_with(Field::default);
        field.text.push_str(text);
        for c in text.chars() {
            let special = matches!(c, '*' | '?' | '[');
            if (quoted && (special || c == ']' || c == '!' || c == '-')) || c == '\\' {
                field.pattern.push('\\');
            }
            field.pattern.push(c);
            field.has_pattern |= special && !quoted;
        }
    }

    fn end(&mut self) {
        self.done.extend(self.current.take());
    }

    /// Adds an unquoted value, split at the separators: blanks among them fold, each other one ends a field.
    fn split(&mut self, value: &str, separators: &str) {
        let mut blank_before = false;
        for c in value.chars() {
            if !separators.contains(c) {
                blank_before = false;
                self.add(c.encode_utf8(&mut [0; 4]), false);
            } else if c.is_whitespace() {
                blank_before |= self.current.is_some();
                self.end();
            } else if !std::mem::take(&mut blank_before) {
                self.current.get_or_insert_with(Field::default);
                self.end();
            }
        }
    }
}

impl Scope<'_> {
    /// A word as fields: split, patterns expanded.
    ///
    /// # Errors
    /// A message without the shell's name.
    pub fn fields(&mut self, word: &Word) -> Result<Vec<String>, String> {
        let mut fields = Fields::default();
        self.parts(word, &mut fields, true)?;
        fields.end();
        let mut out = Vec::new();
        for field in fields.done {
            let found = if field.has_pattern { glob::expand(&field.pattern, &self.shell.cwd, self.files) } else { Vec::new() };
            match found.is_empty() {
                true => out.push(field.text),
                false => out.extend(found),
            }
            if out.len() > self.shell.limits.words {
                return Err(format!("more than {} words in one command", self.shell.limits.words));
            }
        }
        Ok(out)
    }

    /// A word as one text: not split, no patterns (assignments, redirections, here-documents).
    ///
    /// # Errors
    /// A message without the shell's name.
    pub fn text(&mut self, word: &Word) -> Result<String, String> {
        Ok(self.joined(word)?.text)
    }

    /// A word as a pattern for `case` and `${name#..}`: what was quoted is escaped.
    ///
    /// # Errors
    /// A message without the shell's name.
    pub fn pattern(&mut self, word: &Word) -> Result<String, String> {
        Ok(self.joined(word)?.pattern)
    }

    fn joined(&mut self, word: &Word) -> Result<Field, String> {
        let mut fields = Fields::default();
        self.parts(word, &mut fields, false)?;
        fields.end();
        let mut all = Field::default();
        for (at, field) in fields.done.into_iter().enumerate() {
            if at > 0 {
                all.text.push(' ');
                all.pattern.push(' ');
            }
            all.text.push_str(&field.text);
            all.pattern.push_str(&field.pattern);
        }
        Ok(all)
    }

    fn parts(&mut self, word: &Word, fields: &mut Fields, split: bool) -> Result<(), String> {
        for part in &word.0 {
            match part {
                Part::Text { text, quoted } => fields.add(text, *quoted),
                Part::Tilde => {
                    let home = self.value("HOME").unwrap_or_else(|| "~".to_string());
                    fields.add(&home, true);
                }
                Part::Command { quoted, .. } => {
                    let value = self.results.pop_front().unwrap_or_default();
                    self.put(&value, *quoted, fields, split);
                }
                Part::Arithmetic { text, quoted } => {
                    let text = self.text(text)?;
                    let value = arith::evaluate(&text, self.shell)?.to_string();
                    self.put(&value, *quoted, fields, split);
                }
                Part::Parameter { name, op, quoted } => self.parameter(name, op.as_deref(), *quoted, fields, split)?,
            }
            let size: usize = fields.done.iter().chain(&fields.current).map(|f| f.text.len()).sum();
            if size > self.shell.limits.buffer {
                return Err("a word of this command is too long".to_string());
            }
        }
        Ok(())
    }

    fn put(&self, value: &str, quoted: bool, fields: &mut Fields, split: bool) {
        if quoted || !split {
            fields.add(value, quoted);
        } else {
            let separators = self.value("IFS").unwrap_or_else(|| " \t\n".to_string());
            fields.split(value, &separators);
        }
    }

    fn parameter(
        &mut self,
        name: &str,
        op: Option<&ParameterOp>,
        quoted: bool,
        fields: &mut Fields,
        split: bool,
    ) -> Result<(), String> {
        if name == "@" && op.is_none() {
            for (at, value) in self.shell.positional.clone().iter().enumerate() {
                if at > 0 {
                    fields.end();
                }
                self.put(value, quoted, fields, split);
            }
            return Ok(());
        }
        let value = self.value(name);
        let value = match op {
            None => value,
            Some(ParameterOp::Length) => Some(value.unwrap_or_default().chars().count().to_string()),
            Some(ParameterOp::Choose { sign, or_empty, word }) => {
                let there = value.as_ref().is_some_and(|v| !v.is_empty() || !*or_empty);
                return self.choose(name, value.filter(|_| there), *sign, word, quoted, fields, split);
            }
            Some(ParameterOp::Trim { suffix, longest, word }) => {
                let pattern = self.pattern(word)?;
                Some(trim(&value.unwrap_or_default(), &pattern, *suffix, *longest))
            }
        };
        match value {
            Some(value) => self.put(&value, quoted, fields, split),
            None if self.shell.nounset => return Err(format!("{name}: parameter not set")),
            None if quoted => fields.add("", true),
            None => (),
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments)]
    fn choose(
        &mut self,
        name: &str,
        value: Option<String>,
        sign: char,
        word: &Word,
        quoted: bool,
        fields: &mut Fields,
        split: bool,
    ) -> Result<(), String> {
        match (value, sign) {
            (Some(value), '-' | '=' | '?') => {
                self.skip(word);
                self.put(&value, quoted, fields, split);
            }
            (None, '+') => {
                self.skip(word);
                if quoted {
                    fields.add("", true);
                }
            }
            (Some(_), _) | (None, '-') => self.parts(word, fields, split)?,
            (None, '=') => {
                let value = self.text(word)?;
                if !crate::shell::parse::command::is_name(name) {
                    return Err("bad substitution".to_string());
                }
                self.shell.variables.insert(name.to_string(), Variable { value: value.clone(), exported: false });
                self.put(&value, quoted, fields, split);
            }
            (None, _) => {
                let text = self.text(word)?;
                return Err(format!("{name}: {}", if text.is_empty() { "parameter not set".to_string() } else { text }));
            }
        }
        Ok(())
    }

    /// Drops the results of the substitutions in a word that is not used.
    fn skip(&mut self, word: &Word) {
        let mut unused = Vec::new();
        substitutions(word, &mut unused);
        self.results.drain(..unused.len().min(self.results.len()));
    }

    fn value(&self, name: &str) -> Option<String> {
        let shell = &self.shell;
        match name {
            "?" => Some(shell.last_status.to_string()),
            "$" => Some("1".to_string()),
            "#" => Some(shell.positional.len().to_string()),
            "*" | "@" => Some(shell.positional.join(" ")),
            "!" => None,
            "-" => Some(String::new()),
            "0" => Some(shell.name.clone()),
            "PWD" if !shell.cwd.is_empty() => Some(shell.cwd.clone()),
            _ => match name.parse::<usize>() {
                Ok(at) => shell.positional.get(at.checked_sub(1)?).cloned(),
                Err(_) => shell.variables.get(name).map(|v| v.value.clone()),
            },
        }
    }
}

/// `${value#pattern}` and its kin.
fn trim(value: &str, pattern: &str, suffix: bool, longest: bool) -> String {
    let mut cuts: Vec<usize> = value.char_indices().map(|(at, _)| at).chain([value.len()]).collect();
    if suffix != longest {
        cuts.reverse();
    }
    for cut in cuts {
        let (front, back) = value.split_at(cut);
        if suffix && glob::matches(pattern, back) {
            return front.to_string();
        }
        if !suffix && glob::matches(pattern, front) {
            return back.to_string();
        }
    }
    value.to_string()
}
