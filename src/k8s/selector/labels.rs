//! The grammar of label selectors, with the words of its errors (k8s.io/apimachinery/pkg/labels/selector.go).

use super::Requirement;

/// How long a selector may be, in bytes; longer ones do not fit in a request's head.
const LENGTH_LIMIT: usize = 64 * 1024;

/// Reads a selector.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, String> {
    if text.len() > LENGTH_LIMIT {
        return Err(format!("the selector is longer than {LENGTH_LIMIT} bytes"));
    }
    let mut words = Words { all: lex(text), at: 0 };
    let mut requirements = Vec::new();
    loop {
        match words.peek() {
            Word::End => return Ok(requirements),
            Word::Name(_) | Word::Sign("!") => (),
            word => return Err(format!("found '{}', expected: !, identifier, or 'end of string'", word.text())),
        }
        requirements.push(requirement(&mut words).map_err(|e| format!("unable to parse requirement: {e}"))?);
        match words.next() {
            Word::End => return Ok(requirements),
            Word::Sign(",") => match words.peek() {
                Word::Name(_) | Word::Sign("!") => (),
                word => return Err(format!("found '{}', expected: identifier after ','", word.text())),
            },
            word => return Err(format!("found '{}', expected: ',' or 'end of string'", word.text())),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word<'a> {
    Name(&'a str),
    Sign(&'a str),
    End,
}

impl<'a> Word<'a> {
    fn text(self) -> &'a str {
        match self {
            Word::Name(text) | Word::Sign(text) => text,
            Word::End => "",
        }
    }
}

const SIGNS: &[&str] = &["==", "!=", "=", "!", "(", ")", ",", ">", "<"];

fn lex(text: &str) -> Vec<Word<'_>> {
    let special = |c: char| "=!(),><".contains(c);
    let blank = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
    let (mut words, mut rest) = (Vec::new(), text.trim_start_matches(blank));
    while !rest.is_empty() {
        let (word, len) = match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            Some(sign) => (Word::Sign(sign), sign.len()),
            None => {
                let len = rest.find(|c| special(c) || blank(c)).unwrap_or(rest.len());
                (Word::Name(&rest[..len]), len)
            }
        };
        words.push(word);
        rest = rest[len..].trim_start_matches(blank);
    }
    words
}

struct Words<'a> {
    all: Vec<Word<'a>>,
    at: usize,
}

impl<'a> Words<'a> {
    fn peek(&self) -> Word<'a> {
        self.all.get(self.at).copied().unwrap_or(Word::End)
    }

    fn next(&mut self) -> Word<'a> {
        let word = self.peek();
        self.at += 1;
        word
    }
}

fn requirement(words: &mut Words<'_>) -> Result<Requirement, String> {
    let missing = words.peek() == Word::Sign("!");
    if missing {
        words.next();
    }
    let key = match words.next() {
        Word::Name(key) => key.to_string(),
        word => return Err(format!("found '{}', expected: identifier", word.text())),
    };
    check_key(&key)?;
    if missing {
        return Ok(Requirement::Missing(key));
    }
    if matches!(words.peek(), Word::End | Word::Sign(",")) {
        return Ok(Requirement::Exists(key));
    }
    match words.next() {
        Word::Sign("=" | "==") => Ok(Requirement::In(key.clone(), checked(&key, vec![value(words)?])?)),
        Word::Sign("!=") => Ok(Requirement::NotIn(key.clone(), checked(&key, vec![value(words)?])?)),
        Word::Name("in") => Ok(Requirement::In(key.clone(), checked(&key, set(words)?)?)),
        Word::Name("notin") => Ok(Requirement::NotIn(key.clone(), checked(&key, set(words)?)?)),
        Word::Sign(">") => Ok(Requirement::GreaterThan(key, whole(&value(words)?)?)),
        Word::Sign("<") => Ok(Requirement::LessThan(key, whole(&value(words)?)?)),
        word => Err(format!("found '{}', expected: in, notin, =, ==, !=, gt, lt", word.text())),
    }
}

/// A value may be empty: `a=`, `a=,b`.
fn value(words: &mut Words<'_>) -> Result<String, String> {
    if matches!(words.peek(), Word::End | Word::Sign(",")) {
        return Ok(String::new());
    }
    match words.next() {
        Word::Name(value) => Ok(value.to_string()),
        word => Err(format!("found '{}', expected: identifier", word.text())),
    }
}

fn whole(text: &str) -> Result<i64, String> {
    text.parse()
        .map_err(|_| format!("values[0]: Invalid value: \"{text}\": for 'Gt', 'Lt' operators, the value must be an integer"))
}

fn set(words: &mut Words<'_>) -> Result<Vec<String>, String> {
    let open = words.next();
    if open != Word::Sign("(") {
        return Err(format!("found '{}' expected: '('", open.text()));
    }
    match words.peek() {
        Word::Name(_) | Word::Sign(",") => list(words),
        Word::Sign(")") => {
            words.next();
            Ok(vec![String::new()])
        }
        word => Err(format!("found '{}', expected: ',', ')' or identifier", word.text())),
    }
}

/// The values up to the closing parenthesis; nothing between two commas is an empty value.
fn list(words: &mut Words<'_>) -> Result<Vec<String>, String> {
    let mut values: Vec<String> = Vec::new();
    loop {
        match words.next() {
            Word::Name(value) => {
                values.push(value.to_string());
                match words.peek() {
                    Word::Sign(",") => (),
                    Word::Sign(")") => break,
                    word => return Err(format!("found '{}', expected: ',' or ')'", word.text())),
                }
            }
            Word::Sign(",") => {
                if values.is_empty() {
                    values.push(String::new());
                }
                match words.peek() {
                    Word::Sign(")") => {
                        values.push(String::new());
                        break;
                    }
                    Word::Sign(",") => {
                        words.next();
                        values.push(String::new());
                    }
                    _ => (),
                }
            }
            word => return Err(format!("found '{}', expected: ',', or identifier", word.text())),
        }
    }
    words.next();
    values.sort();
    values.dedup();
    Ok(values)
}

const NAME: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. \
                    'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and \
                     end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
                     '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start \
                         and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
                         '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

fn is_name(text: &str) -> bool {
    let ends = |c: char| c.is_ascii_alphanumeric();
    let inner = |c: char| ends(c) || "-_.".contains(c);
    text.starts_with(ends) && text.ends_with(ends) && text.chars().all(inner)
}

fn is_subdomain(text: &str) -> bool {
    let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let part = |part: &str| part.starts_with(ends) && part.ends_with(ends) && part.chars().all(|c| ends(c) || c == '-');
    text.split('.').all(part)
}

/// What is wrong with a label's key (IsQualifiedName).
fn check_key(key: &str) -> Result<(), String> {
    let mut why = Vec::new();
    let parts: Vec<&str> = key.split('/').collect();
    let name = match parts.as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                why.push("prefix part must be non-empty".to_string());
            } else if prefix.len() > 253 {
                why.push("prefix part must be no more than 253 bytes".into());
            } else if !is_subdomain(prefix) {
                why.push(format!("prefix part {SUBDOMAIN}"));
            }
            *name
        }
        _ => {
            let why =
                format!("a qualified name {NAME} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')");
            return Err(format!("key: Invalid value: \"{key}\": {why}"));
        }
    };
    if name.is_empty() {
        why.push("name part must be non-empty".into());
    } else if name.len() > 63 {
        why.push("name part must be no more than 63 bytes".into());
    }
    if !is_name(name) {
        why.push(format!("name part {NAME}"));
    }
    if why.is_empty() { Ok(()) } else { Err(format!("key: Invalid value: {key:?}: {}", why.join("; "))) }
}

/// Values that are good label values.
fn checked(key: &str, values: Vec<String>) -> Result<Vec<String>, String> {
    let mut wrong = Vec::new();
    for (i, value) in values.iter().enumerate() {
        let mut why = Vec::new();
        if value.len() > 63 {
            why.push("must be no more than 63 bytes");
        }
        if !value.is_empty() && !is_name(value) {
            why.push(VALUE);
        }
        if !why.is_empty() {
            wrong.push(format!("values[{i}][{key}]: Invalid value: {value:?}: {}", why.join("; ")));
        }
    }
    match wrong.as_slice() {
        [] => Ok(values),
        [one] => Err(one.clone()),
        all => Err(format!("[{}]", all.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_as_the_api_server_tells_it() {
        let unable = |why: &str| format!("unable to parse requirement: {why}");
        for (text, expected) in [
            ("a b", unable("found 'b', expected: in, notin, =, ==, !=, gt, lt")),
            ("a lt 3", unable("found 'lt', expected: in, notin, =, ==, !=, gt, lt")),
            ("a in b", unable("found 'b' expected: '('")),
            ("a in (b", unable("found '', expected: ',' or ')'")),
            ("a in (b c)", unable("found 'c', expected: ',' or ')'")),
            ("a in (", unable("found '', expected: ',', ')' or identifier")),
            ("a in (=)", unable("found '=', expected: ',', ')' or identifier")),
            ("a=b,", "found '', expected: identifier after ','".to_string()),
            ("a=b c", "found 'c', expected: ',' or 'end of string'".into()),
            (",a", "found ',', expected: !, identifier, or 'end of string'".into()),
            ("!", unable("found '', expected: identifier")),
            ("!!a", unable("found '!', expected: identifier")),
            ("a==(b)", unable("found '(', expected: identifier")),
            ("a>b", unable("values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must be an integer")),
            ("a=-b", unable(&format!("values[0][a]: Invalid value: \"-b\": {VALUE}"))),
            ("-a", unable(&format!("key: Invalid value: \"-a\": name part {NAME}"))),
            ("/a", unable("key: Invalid value: \"/a\": prefix part must be non-empty")),
            ("X/a", unable(&format!("key: Invalid value: \"X/a\": prefix part {SUBDOMAIN}"))),
        ] {
            assert_eq!(parse(text), Err(expected), "{text}");
        }
        let long = "a".repeat(64);
        assert!(parse(&long).is_err() && parse(&format!("a={long}")).is_err());
        assert_eq!(parse("a in (c,,b)"), Ok(vec![Requirement::In("a".into(), vec!["".into(), "b".into(), "c".into()])]));
        assert_eq!(parse(" \t"), Ok(Vec::new()));
    }
}
