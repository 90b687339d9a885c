//! kubectl's command line: a table of flags and a small parser with kubectl's spellings and sentences.

use super::error::{Error, Result};
use std::collections::BTreeMap;

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// `--watch`, `--watch=false`.
    Bool,
    /// `-n lab`, `-nlab`, `--namespace=lab`; the last one counts.
    Text,
    /// Like `Text`, may be given several times; commas separate values.
    List,
    /// Like `List`, but a comma is part of the value.
    Array,
    /// `--dry-run` alone means the value given here; `--dry-run=server` another. Never takes the next word.
    Or(&'static str),
    /// A whole number.
    Int,
}

/// A flag: long name, letter, what it takes, and one line of help.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    pub name: &'static str,
    pub short: Option<char>,
    pub takes: Takes,
    pub help: &'static str,
}

/// A row of a flag table.
pub const fn flag(name: &'static str, takes: Takes, help: &'static str) -> Flag {
    Flag { name, short: None, takes, help }
}

/// A row of a flag table with a letter.
pub const fn short(name: &'static str, letter: char, takes: Takes, help: &'static str) -> Flag {
    Flag { name, short: Some(letter), takes, help }
}

/// A parsed command line.
#[derive(Debug, Clone, Default)]
pub struct Parsed {
    /// Everything that is no flag, in order.
    pub operands: Vec<String>,
    /// How many operands stood before `--`, if it was there.
    pub dash: Option<usize>,
    values: BTreeMap<&'static str, Vec<String>>,
}

impl Parsed {
    /// Whether the flag was given at all.
    pub fn given(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Names of the flags that were given.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.values.keys().copied()
    }

    /// A boolean flag, false when absent.
    pub fn on(&self, name: &str) -> bool {
        self.on_or(name, false)
    }

    /// A boolean flag with a default.
    pub fn on_or(&self, name: &str, default: bool) -> bool {
        self.text(name).map_or(default, |v| matches!(v, "true" | "1" | "t" | "T" | "TRUE" | "True"))
    }

    /// The flag's last value.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.last().map(String::as_str)
    }

    /// The flag's last value, "" when absent.
    pub fn str(&self, name: &str) -> &str {
        self.text(name).unwrap_or("")
    }

    /// A number.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    /// All values of a flag.
    pub fn list(&self, name: &str) -> &[String] {
        self.values.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The operands before `--`.
    pub fn before_dash(&self) -> &[String] {
        &self.operands[..self.dash.unwrap_or(self.operands.len())]
    }

    /// The operands after `--`.
    pub fn after_dash(&self) -> &[String] {
        &self.operands[self.dash.unwrap_or(self.operands.len())..]
    }

    /// Gives a text flag another value.
    pub fn replace(&mut self, name: &'static str, value: String) {
        self.values.insert(name, vec![value]);
    }

    fn put(&mut self, flag: &Flag, value: &str) {
        let values = self.values.entry(flag.name).or_default();
        match flag.takes {
            Takes::List => values.extend(value.split(',').map(str::to_string)),
            Takes::Array => values.push(value.to_string()),
            _ => *values = vec![value.to_string()],
        }
    }
}

/// Reads a command line by its flag table. `verb` is the verb's full name for the sentences (`rollout status`).
///
/// # Errors
/// kubectl's sentence about the flag that is wrong.
pub fn parse(verb: &str, tables: &[&[Flag]], argv: &[String]) -> Result<Parsed> {
    let mut parsed = Parsed::default();
    let mut words = argv.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            parsed.dash = Some(parsed.operands.len());
            parsed.operands.extend(words.cloned());
            break;
        }
        let outcome = match word.strip_prefix("--") {
            Some(long) => read_long(tables, long, &mut words, &mut parsed),
            None if word.len() > 1 && word.starts_with('-') => read_short(tables, &word[1..], &mut words, &mut parsed),
            None => {
                parsed.operands.push(word.clone());
                Ok(())
            }
        };
        outcome.map_err(|text| Error::usage(verb, text))?;
    }
    Ok(parsed)
}

type Words<'a> = std::slice::Iter<'a, String>;

fn read_long(tables: &[&[Flag]], long: &str, words: &mut Words<'_>, parsed: &mut Parsed) -> std::result::Result<(), String> {
    let (name, value) = match long.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (long, None),
    };
    let name = name.replace('_', "-");
    let Some(flag) = tables.iter().flat_map(|t| t.iter()).find(|f| f.name == name) else {
        return Err(format!("unknown flag: --{name}"));
    };
    let value = match (value, flag.takes) {
        (Some(value), _) => value,
        (None, Takes::Bool) => "true",
        (None, Takes::Or(default)) => default,
        (None, _) => words.next().ok_or_else(|| format!("flag needs an argument: --{name}"))?,
    };
    check(flag, value)?;
    parsed.put(flag, value);
    Ok(())
}

fn read_short(tables: &[&[Flag]], letters: &str, words: &mut Words<'_>, parsed: &mut Parsed) -> std::result::Result<(), String> {
    let mut rest = letters;
    while let Some(letter) = rest.chars().next() {
        rest = &rest[letter.len_utf8()..];
        let Some(flag) = tables.iter().flat_map(|t| t.iter()).find(|f| f.short == Some(letter)) else {
            return Err(format!("unknown shorthand flag: {letter:?} in -{letters}"));
        };
        let value = match flag.takes {
            _ if rest.starts_with('=') => std::mem::take(&mut rest).trim_start_matches('=').to_string(),
            Takes::Bool => "true".to_string(),
            Takes::Or(default) => default.to_string(),
            _ if !rest.is_empty() => std::mem::take(&mut rest).to_string(),
            _ => words.next().ok_or_else(|| format!("flag needs an argument: {letter:?} in -{letters}"))?.clone(),
        };
        check(flag, &value)?;
        parsed.put(flag, &value);
    }
    Ok(())
}

fn check(flag: &Flag, value: &str) -> std::result::Result<(), String> {
    let shown = match flag.short {
        Some(letter) => format!("-{letter}, --{}", flag.name),
        None => format!("--{}", flag.name),
    };
    match flag.takes {
        Takes::Bool if !matches!(value.to_ascii_lowercase().as_str(), "true" | "false" | "1" | "0" | "t" | "f") => {
            Err(format!("invalid argument {value:?} for {shown:?} flag: strconv.ParseBool: parsing {value:?}: invalid syntax"))
        }
        Takes::Int if value.parse::<i64>().is_err() => {
            Err(format!("invalid argument {value:?} for {shown:?} flag: strconv.ParseInt: parsing {value:?}: invalid syntax"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Flag] = &[
        short("output", 'o', Takes::Text, ""),
        short("namespace", 'n', Takes::Text, ""),
        short("watch", 'w', Takes::Bool, ""),
        short("all-namespaces", 'A', Takes::Bool, ""),
        short("stdin", 'i', Takes::Bool, ""),
        short("tty", 't', Takes::Bool, ""),
        short("filename", 'f', Takes::List, ""),
        flag("dry-run", Takes::Or("unchanged"), ""),
        flag("tail", Takes::Int, ""),
        flag("env", Takes::Array, ""),
    ];

    fn parsed(line: &str) -> Result<Parsed> {
        let argv: Vec<String> = line.split_whitespace().map(str::to_string).collect();
        parse("get", &[TABLE], &argv)
    }

    #[test]
    fn spellings() {
        for line in ["pods -ojson", "pods -o=json", "pods -o json", "-o json pods", "pods --output=json", "--output json pods"] {
            let p = parsed(line).unwrap();
            assert_eq!((p.str("output"), p.operands.as_slice()), ("json", &["pods".to_string()][..]), "{line}");
        }
        let p = parsed("-Aowide -it p --watch=false -f a -f b,c --dry-run x --env=A=1,2 -- ls -l").unwrap();
        assert!(p.on("all-namespaces") && p.on("stdin") && p.on("tty") && !p.on("watch"));
        assert_eq!(p.str("output"), "wide");
        assert_eq!(p.list("filename"), ["a", "b", "c"]);
        assert_eq!(p.list("env"), ["A=1,2"]);
        assert_eq!(p.str("dry-run"), "unchanged");
        assert_eq!(p.before_dash(), ["p", "x"]);
        assert_eq!(p.after_dash(), ["ls", "-l"]);
    }

    #[test]
    fn sentences() {
        let rows = [
            ("--nope", "error: unknown flag: --nope\nSee 'kubectl get --help' for usage."),
            ("-z", "error: unknown shorthand flag: 'z' in -z\nSee 'kubectl get --help' for usage."),
            ("-n", "error: flag needs an argument: 'n' in -n\nSee 'kubectl get --help' for usage."),
            (
                "--tail=x",
                "error: invalid argument \"x\" for \"--tail\" flag: strconv.ParseInt: parsing \"x\": invalid syntax\nSee 'kubectl get --help' for usage.",
            ),
        ];
        for (line, want) in rows {
            assert_eq!(parsed(line).unwrap_err().text(), want);
        }
    }
}
