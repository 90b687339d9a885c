//! YAML as kubectl reads and writes it. The only user of the YAML engine.
//!
//! Reading follows sigs.k8s.io/yaml (YAML 1.1 booleans, leading-zero octals, last duplicate key wins, merge keys applied);
//! writing follows its emitter (sorted keys, compact lists, its quoting and its folding of long lines).

mod order;
mod places;
mod scalar;
mod write;

pub use places::{Places, places};
pub use write::write;

use serde_json::Value;
use std::fmt;

/// Why a YAML text could not be read, with the place in the whole text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// 1-based.
    pub line: usize,
    /// 1-based, in characters.
    pub column: usize,
    /// What is wrong, without the place.
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "yaml: line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for Error {}

/// One document of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub value: Value,
    /// 1-based line of the stream on which the document's text starts.
    pub line: usize,
    /// The document's own text.
    pub text: String,
}

/// Reads every document of a stream, leaving out empty ones.
///
/// # Errors
/// The first document that is not YAML.
pub fn parse_documents(text: &str) -> Result<Vec<Value>, Error> {
    Ok(documents(text)?.into_iter().map(|document| document.value).collect())
}

/// Reads every document of a stream with its place.
///
/// # Errors
/// The first document that is not YAML.
pub fn documents(text: &str) -> Result<Vec<Document>, Error> {
    let mut found = Vec::new();
    for (line, text) in split(text) {
        let value = parse_at(&text, line)?;
        if !value.is_null() {
            found.push(Document { value, line, text });
        }
    }
    Ok(found)
}

/// Reads every document of a stream on its own, so that one that is no YAML does not hide the others. Leaves out empty ones.
pub fn each_document(text: &str) -> Vec<Result<Document, Error>> {
    let read = |(line, text): (usize, String)| match parse_at(&text, line) {
        Ok(value) if value.is_null() => None,
        Ok(value) => Some(Ok(Document { value, line, text })),
        Err(error) => Some(Err(error)),
    };
    split(text).into_iter().filter_map(read).collect()
}

/// Reads one document.
///
/// # Errors
/// When the text is not YAML.
pub fn parse(text: &str) -> Result<Value, Error> {
    parse_at(text, 1)
}

/// Reads one document into a type, strictly (duplicate keys and YAML 1.1 booleans are errors): for files of our own.
///
/// # Errors
/// When the text is not YAML or does not fit the type.
pub fn from_str_strict<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Error> {
    let mut options = serde_yaml::Options::default();
    options.strict_booleans = true;
    options.with_snippet = false;
    serde_yaml::from_str_with_options(text, options).map_err(|error| place(&error, 1))
}

/// Splits a stream at its `---` lines: (1-based first line, text) of each part.
fn split(text: &str) -> Vec<(usize, String)> {
    let mut parts = vec![(1, String::new())];
    for (n, line) in text.split_inclusive('\n').enumerate() {
        let bare = line.trim_end();
        match bare == "---" || bare.starts_with("--- ") {
            true => {
                let rest = bare.trim_start_matches("---").trim_start();
                let keep = !rest.is_empty() && !rest.starts_with('#');
                parts.push(match keep {
                    true => (n + 1, format!("    {}\n", &bare[4..])),
                    false => (n + 2, String::new()),
                });
            }
            false => parts.last_mut().expect("starts with one part").1.push_str(line),
        }
    }
    parts
}

/// A character that no YAML text holds.
pub fn is_control(c: char) -> bool {
    !matches!(c, '\t' | '\n' | '\r' | '\u{85}') && c.is_control()
}

fn parse_at(text: &str, first_line: usize) -> Result<Value, Error> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Value::Null);
    }
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        return Ok(value);
    }
    if let Some(n) = text.split('\n').position(|line| line.contains(is_control)) {
        return Err(Error { line: first_line + n, column: 1, message: "control characters are not allowed".into() });
    }
    if let Some(n) = text.lines().position(|line| line.starts_with('\t')) {
        let message = "found character that cannot start any token (a tab; YAML is indented with spaces)";
        return Err(Error { line: first_line + n, column: 1, message: message.into() });
    }
    let mut options = serde_yaml::Options::default();
    options.duplicate_keys = serde_yaml::DuplicateKeyPolicy::LastWins;
    options.legacy_octal_numbers = true;
    options.with_snippet = false;
    serde_yaml::from_str_with_options::<Value>(text, options).map_err(|error| place(&error, first_line))
}

fn place(error: &serde_yaml::Error, first_line: usize) -> Error {
    let (line, column) = error.location().map_or((1, 1), |l| (l.line().max(1) as usize, l.column().max(1) as usize));
    let text = error.render();
    let message = text.lines().next().unwrap_or("not YAML");
    Error { line: first_line + line - 1, column, message: without_place(message).to_string() }
}

/// The engine's sentence without its ` at line N, column M` or leading `line N column M: `.
fn without_place(message: &str) -> &str {
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let message = match message.strip_prefix("line ") {
        Some(rest) => rest.split_once(": ").map_or(message, |(_, text)| text),
        None => message,
    };
    message.rfind(" at line ").map_or(message, |at| &message[..at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scalars_are_read_as_kubectl_reads_them() {
        let cases = [
            ("on", json!(true)),
            ("no", json!(false)),
            ("y", json!(true)),
            ("010", json!(8)),
            ("0x10", json!(16)),
            ("12:30:45", json!("12:30:45")),
            ("2001-12-14", json!("2001-12-14")),
            ("\"yes\"", json!("yes")),
            ("~", json!(null)),
            ("1_000", json!(1000)),
        ];
        for (text, want) in cases {
            assert_eq!(parse(&format!("v: {text}")).unwrap()["v"], want, "{text}");
        }
    }

    #[test]
    fn the_last_duplicate_wins_and_merge_keys_apply() {
        assert_eq!(parse("a: 1\na: 2\n").unwrap(), json!({"a": 2}));
        assert_eq!(parse("b: &b {x: 1}\nc: {<<: *b, y: 2}\n").unwrap()["c"], json!({"x": 1, "y": 2}));
    }

    #[test]
    fn documents_know_their_lines() {
        let docs = documents("# head\n---\na: 1\n---\n# nothing\n---\nb: 2\n").unwrap();
        assert_eq!(docs.iter().map(|d| d.line).collect::<Vec<_>>(), [3, 7]);
    }

    #[test]
    fn an_error_names_its_line_in_the_stream() {
        let error = documents("a: 1\n---\nb: [1\nc: 2\n").unwrap_err();
        assert!(error.line >= 3, "{error:?}");
        assert!(!error.message.contains("at line"), "{error:?}");
        assert_eq!(parse("a:\n\tb: 1\n").unwrap_err().line, 2);
        let control = parse("a: 1\nb: \u{1b}[0m\n").unwrap_err();
        assert_eq!((control.line, control.message.as_str()), (2, "control characters are not allowed"));
    }
}
