//! Paths into objects and what is asserted of the values found there. Pure; the checks use it.

use serde_json::Value;
use std::fmt;

/// A path of fields: `spec.hosts[0]`, `spec.ports[*].protocol`, `spec.ports[number=80].protocol`, `metadata.labels["a/b"]`.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldPath {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Key(String),
    Index(usize),
    /// Every item of a list, or every value of an object.
    All,
    /// The items whose member has this value (compared as text).
    Where(String, String),
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FieldPath {
    /// Reads a path.
    ///
    /// # Errors
    /// A sentence that says which part cannot be read.
    pub fn parse(text: &str) -> Result<FieldPath, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('[') {
                let end = after.find(']').ok_or_else(|| format!("`{text}`: a `[` without its `]`"))?;
                parts.push(bracket(&after[..end]).ok_or_else(|| format!("`{text}`: cannot read `[{}]`", &after[..end]))?);
                rest = &after[end + 1..];
                rest = rest.strip_prefix('.').unwrap_or(rest);
            } else {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                if end == 0 {
                    return Err(format!("`{text}`: a field name is missing"));
                }
                parts.push(Part::Key(rest[..end].to_string()));
                rest = &rest[end..];
                rest = rest.strip_prefix('.').unwrap_or(rest);
            }
        }
        match parts.is_empty() {
            true => Err("an empty path".into()),
            false => Ok(FieldPath { text: text.into(), parts }),
        }
    }

    /// All values at the path; none when a part is missing or null.
    pub fn select<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        let mut here = vec![value];
        for part in &self.parts {
            here = here.into_iter().flat_map(|v| part.step(v)).collect();
        }
        here.retain(|v| !v.is_null());
        here
    }

    /// Takes away everything that the path selects; whether anything was there.
    pub fn remove(&self, value: &mut Value) -> bool {
        remove(&self.parts, value)
    }
}

fn remove(parts: &[Part], value: &mut Value) -> bool {
    let Some((part, rest)) = parts.split_first() else { return false };
    if rest.is_empty() {
        return part.take_from(value);
    }
    match (part, value) {
        (Part::Key(key), value) => value.get_mut(key).is_some_and(|v| remove(rest, v)),
        (Part::Index(i), value) => value.get_mut(i).is_some_and(|v| remove(rest, v)),
        (Part::All, Value::Array(items)) => items.iter_mut().fold(false, |any, item| remove(rest, item) | any),
        (Part::All, Value::Object(members)) => members.values_mut().fold(false, |any, item| remove(rest, item) | any),
        (Part::Where(key, wanted), Value::Array(items)) => {
            let fits = |item: &&mut Value| item.get(key).is_some_and(|v| text_of(v) == *wanted);
            items.iter_mut().filter(fits).fold(false, |any, item| remove(rest, item) | any)
        }
        _ => false,
    }
}

impl Part {
    /// Removes what this last part selects.
    fn take_from(&self, value: &mut Value) -> bool {
        let fits = |item: &Value, key: &str, wanted: &str| item.get(key).is_some_and(|v| text_of(v) == wanted);
        match (self, value) {
            (Part::Key(key), Value::Object(members)) => members.remove(key).is_some(),
            (Part::Index(i), Value::Array(items)) if *i < items.len() => {
                items.remove(*i);
                true
            }
            (Part::All, Value::Array(items)) => !std::mem::take(items).is_empty(),
            (Part::All, Value::Object(members)) => !std::mem::take(members).is_empty(),
            (Part::Where(key, wanted), Value::Array(items)) => {
                let before = items.len();
                items.retain(|item| !fits(item, key, wanted));
                items.len() < before
            }
            _ => false,
        }
    }

    fn step<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        match self {
            Part::Key(key) => value.get(key).into_iter().collect(),
            Part::Index(i) => value.get(i).into_iter().collect(),
            Part::All => match value {
                Value::Array(items) => items.iter().collect(),
                Value::Object(members) => members.values().collect(),
                _ => Vec::new(),
            },
            Part::Where(key, wanted) => {
                let items = value.as_array().into_iter().flatten();
                items.filter(|item| item.get(key).is_some_and(|v| text_of(v) == *wanted)).collect()
            }
        }
    }
}

fn bracket(inner: &str) -> Option<Part> {
    if inner == "*" {
        return Some(Part::All);
    }
    if let Some(key) = inner.strip_prefix('"').and_then(|k| k.strip_suffix('"')) {
        return Some(Part::Key(key.into()));
    }
    if let Some((key, value)) = inner.split_once('=') {
        return (!key.is_empty()).then(|| Part::Where(key.into(), value.trim_matches('"').into()));
    }
    inner.parse().ok().map(Part::Index)
}

/// A scalar as people write it; anything else as JSON.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

/// What is to hold of the values at a path.
#[derive(Debug, Clone, PartialEq)]
pub struct Assert {
    pub path: FieldPath,
    pub test: Test,
}

/// One test of the values that a path selects.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Exactly one value, equal to this.
    Equals(Value),
    /// Exactly one value, one of these.
    OneOf(Vec<Value>),
    /// At least one of the values (or an item of a list, or a part of a string) is this.
    Contains(Value),
    /// At least one of the values, as text, matches.
    Matches(Pattern),
    Present,
    Absent,
    /// The values (or the items of the one list) are these, in any order.
    SetEqual(Vec<Value>),
    /// So many values (or items of the one list).
    Count(u64),
}

/// A regular expression that can be compared and cloned.
#[derive(Debug, Clone)]
pub struct Pattern(regex::Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Pattern {
    /// Compiles an expression (size limited).
    ///
    /// # Errors
    /// What the engine says of the expression.
    pub fn parse(text: &str) -> Result<Pattern, String> {
        regex::RegexBuilder::new(text).size_limit(1 << 20).multi_line(true).build().map(Pattern).map_err(|e| e.to_string())
    }

    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// The first group of each match, or the whole match when there is no group.
    pub fn captures(&self, text: &str) -> Vec<String> {
        let found = self.0.captures_iter(text);
        found.filter_map(|c| c.get(1).or_else(|| c.get(0))).map(|m| m.as_str().to_string()).collect()
    }

    pub fn groups(&self) -> usize {
        self.0.captures_len() - 1
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Assert {
    /// Whether it holds of an object (or any JSON value).
    pub fn holds(&self, value: &Value) -> bool {
        self.test.holds(&self.path.select(value))
    }

    /// What is expected and what is there, as two short texts.
    pub fn explain(&self, value: &Value) -> (String, String) {
        let found = self.path.select(value);
        let there = match found.as_slice() {
            [] => "absent".to_string(),
            values => values.iter().map(|v| text_of(v)).collect::<Vec<_>>().join(", "),
        };
        (format!("{} {}", self.path, self.test), format!("{} is {there}", self.path))
    }
}

impl Test {
    /// Whether it holds of the values that a path selected.
    pub fn holds(&self, found: &[&Value]) -> bool {
        match self {
            Test::Equals(wanted) => matches!(found, [one] if same(one, wanted)),
            Test::OneOf(wanted) => matches!(found, [one] if wanted.iter().any(|w| same(one, w))),
            Test::Contains(wanted) => spread(found).any(|v| same(v, wanted) || part_of(v, wanted)),
            Test::Matches(pattern) => spread(found).any(|v| pattern.is_match(&text_of(v))),
            Test::Present => !found.is_empty(),
            Test::Absent => found.is_empty(),
            Test::SetEqual(wanted) => {
                let items: Vec<&Value> = spread(found).collect();
                items.len() == wanted.len()
                    && wanted.iter().all(|w| items.iter().any(|i| same(i, w)))
                    && items.iter().all(|i| wanted.iter().any(|w| same(i, w)))
            }
            Test::Count(n) => spread(found).count() as u64 == *n,
        }
    }
}

/// The values, or the items of the one list.
fn spread<'a>(found: &[&'a Value]) -> impl Iterator<Item = &'a Value> {
    let items: Vec<&'a Value> = match found {
        [Value::Array(items)] => items.iter().collect(),
        values => values.to_vec(),
    };
    items.into_iter()
}

fn same(a: &Value, b: &Value) -> bool {
    a == b || (a.as_f64().is_some() && a.as_f64() == b.as_f64())
}

fn part_of(value: &Value, wanted: &Value) -> bool {
    matches!((value, wanted), (Value::String(v), Value::String(w)) if v.contains(w.as_str()))
}

impl fmt::Display for Test {
    /// `equals DNS`, `one of HTTPS, TLS`: in the words of a report.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |values: &[Value]| values.iter().map(text_of).collect::<Vec<_>>().join(", ");
        match self {
            Test::Equals(v) => write!(f, "equals {}", text_of(v)),
            Test::OneOf(v) => write!(f, "is one of {}", list(v)),
            Test::Contains(v) => write!(f, "contains {}", text_of(v)),
            Test::Matches(p) => write!(f, "matches {}", p.as_str()),
            Test::Present => f.write_str("is set"),
            Test::Absent => f.write_str("is absent"),
            Test::SetEqual(v) => write!(f, "is exactly {}", list(v)),
            Test::Count(n) => write!(f, "has {n} values"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removal_takes_what_is_selected() {
        let object = serde_json::json!({"spec": {"hosts": ["a", "b"], "ports": [{"name": "x", "number": 80}, {"name": "y", "number": 443}]}});
        for (path, left) in [
            ("spec.hosts[0]", serde_json::json!({"spec": {"hosts": ["b"], "ports": object["spec"]["ports"]}})),
            (
                "spec.ports[number=80]",
                serde_json::json!({"spec": {"hosts": ["a", "b"], "ports": [{"name": "y", "number": 443}]}}),
            ),
            (
                "spec.ports[name=y].number",
                serde_json::json!({"spec": {"hosts": ["a", "b"], "ports": [{"name": "x", "number": 80}, {"name": "y"}]}}),
            ),
            ("spec.hosts", serde_json::json!({"spec": {"ports": object["spec"]["ports"]}})),
        ] {
            let mut value = object.clone();
            assert!(FieldPath::parse(path).unwrap().remove(&mut value), "{path}");
            assert_eq!(value, left, "{path}");
        }
        assert!(!FieldPath::parse("spec.nothing[*].x").unwrap().remove(&mut object.clone()));
    }
    use serde_json::json;

    #[test]
    fn paths_select() {
        let v = json!({"metadata": {"labels": {"istio.io/rev": "default"}}, "spec": {"hosts": ["a", "b"],
            "ports": [{"number": 80, "protocol": "HTTP"}, {"number": 443, "protocol": "TLS"}]}});
        for (path, expected) in [
            ("spec.hosts", "[[\"a\",\"b\"]]"),
            ("spec.hosts[1]", "[\"b\"]"),
            ("spec.ports[*].protocol", "[\"HTTP\",\"TLS\"]"),
            ("spec.ports[number=443].protocol", "[\"TLS\"]"),
            ("metadata.labels[\"istio.io/rev\"]", "[\"default\"]"),
            ("spec.none.here", "[]"),
        ] {
            let found = FieldPath::parse(path).unwrap().select(&v).into_iter().cloned().collect::<Vec<_>>();
            assert_eq!(Value::from(found).to_string(), expected, "{path}");
        }
    }

    #[test]
    fn unreadable_paths_are_refused() {
        for path in ["", "a..b", "a[", "a[x]", "[=1]"] {
            assert!(FieldPath::parse(path).is_err(), "{path}");
        }
    }

    #[test]
    fn tests_hold_or_not() {
        let v = json!({"n": 80, "s": "/dev/stdout", "l": ["x", "y"], "e": []});
        let cases = [
            ("n", Test::Equals(json!(80)), true),
            ("n", Test::Equals(json!("80")), false),
            ("s", Test::OneOf(vec![json!("a"), json!("/dev/stdout")]), true),
            ("s", Test::Contains(json!("stdout")), true),
            ("l", Test::Contains(json!("y")), true),
            ("l", Test::Contains(json!("z")), false),
            ("l", Test::SetEqual(vec![json!("y"), json!("x")]), true),
            ("l", Test::SetEqual(vec![json!("y")]), false),
            ("l", Test::Count(2), true),
            ("e", Test::Count(0), true),
            ("q", Test::Absent, true),
            ("n", Test::Absent, false),
            ("q", Test::Present, false),
            ("s", Test::Matches(Pattern::parse("^/dev").unwrap()), true),
        ];
        for (path, test, expected) in cases {
            let assert = Assert { path: FieldPath::parse(path).unwrap(), test };
            assert_eq!(assert.holds(&v), expected, "{assert:?}");
        }
    }
}
