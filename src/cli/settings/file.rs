//! Reads the settings file: the part of TOML that flat settings need (`key = "text"`, `key = true`, comments, both kinds of quotes).
//! Everything else is refused with its place. A whole TOML reader would be a dependency for a few keys.

use super::{KEYS, Key, Takes, canonical};
use crate::base::text::{caret, nearest};
use std::path::Path;

/// Bytes of a settings file.
const MOST: usize = 64 << 10;

/// A line that sets something.
#[derive(Debug)]
pub struct Entry {
    pub key: &'static Key,
    pub value: String,
    pub line: usize,
}

/// A part of a line: where it begins (in characters, from 1) and its text.
struct Part<'a> {
    column: usize,
    text: &'a str,
}

type Wrong = (usize, String);

/// Every line that sets something.
///
/// # Errors
/// The first thing that is wrong, with file, line, column and the line itself.
pub fn read(path: &Path, text: &str) -> Result<Vec<Entry>, String> {
    if text.len() > MOST {
        return Err(format!("the settings file {} is larger than {MOST} bytes", path.display()));
    }
    let mut entries: Vec<Entry> = Vec::new();
    for (nth, source) in text.lines().enumerate() {
        let line = nth + 1;
        let told = |(column, message): Wrong| {
            let clean: String = text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
            caret(&path.display().to_string(), &clean, line, column, &message.replace(|c: char| c.is_control(), " "))
        };
        let Some((key, column, value)) = read_line(source).map_err(&told)? else { continue };
        if let Some(first) = entries.iter().find(|entry| entry.key.name == key.name) {
            return Err(told((column, format!("{} is set in line {} already", key.name, first.line))));
        }
        entries.push(Entry { key, value, line });
    }
    Ok(entries)
}

fn read_line(source: &str) -> Result<Option<(&'static Key, usize, String)>, Wrong> {
    let indent = source.chars().take_while(|c| c.is_whitespace()).count();
    let text = source.trim();
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let column = indent + 1;
    if text.starts_with('[') {
        return Err((column, "settings have no tables: write `key = value`".into()));
    }
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let key = KEYS.iter().find(|key| key.name == name).ok_or_else(|| (column, unknown(name)))?;
    let gap = rest.chars().take_while(|c| c.is_whitespace()).count();
    let at = column + name.chars().count() + gap;
    let Some(rest) = rest.trim_start().strip_prefix('=') else {
        return Err((at, format!("an `=` is wanted here: {name} = {}", example(key))));
    };
    let gap = rest.chars().take_while(|c| c.is_whitespace()).count();
    let value = value(key, Part { column: at + 1 + gap, text: rest.trim_start() })?;
    Ok(Some((key, column, value)))
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
    match nearest(name, names.iter().copied()) {
        Some(near) => format!("there is no setting {name:?}; did you mean `{near}`?"),
        None => format!("there is no setting {name:?}; there are {}", names.join(", ")),
    }
}

fn example(key: &Key) -> String {
    match key.takes {
        Takes::Bool => "true".into(),
        Takes::OneOf(words) => format!("{:?}", words.get(1).unwrap_or(&key.default)),
        Takes::Text => "\"vim\"".into(),
    }
}

fn value(key: &Key, part: Part<'_>) -> Result<String, Wrong> {
    let wrong = |message: String| Err((part.column, message));
    let quote = part.text.chars().next().filter(|c| matches!(c, '"' | '\''));
    let (value, after) = match quote {
        Some(quote) => match part.text[1..].find(quote) {
            Some(end) => (&part.text[1..=end], &part.text[end + 2..]),
            None => return wrong(format!("the closing {quote} is missing")),
        },
        None => {
            let end = part.text.find(|c: char| c.is_whitespace() || c == '#').unwrap_or(part.text.len());
            part.text.split_at(end)
        }
    };
    match (key.takes, quote) {
        _ if quote.is_none() && value.is_empty() => return wrong(format!("a value is missing: {} = {}", key.name, example(key))),
        (Takes::Bool, Some(_)) => return wrong(format!("{} is true or false, without quotes", key.name)),
        (Takes::Bool, None) if !matches!(value, "true" | "false") => return wrong(format!("{} is true or false", key.name)),
        (Takes::OneOf(_) | Takes::Text, None) => return wrong(format!("it stands in quotes: {} = {:?}", key.name, value)),
        _ => (),
    }
    let kept = canonical(key, value).or_else(wrong)?;
    let rest = after.trim_start();
    if !rest.is_empty() && !rest.starts_with('#') {
        let read = part.text.chars().count() - rest.chars().count();
        return Err((part.column + read, "nothing more is wanted on this line; a comment begins with #".into()));
    }
    Ok(kept)
}
