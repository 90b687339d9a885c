//! The descriptions of Istio's kinds and fields: `assets/crds/descriptions.txt`, put into the schemas.

use serde_json::Value;
use std::collections::HashMap;

const TEXT: &str = include_str!("../../../assets/crds/descriptions.txt");

/// How many sections a path may lead through; more is a cycle in the data.
const MAX_DEPTH: usize = 32;

/// What is written about a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line {
    text: &'static str,
    /// The section that describes what is below; "" for this one.
    section: &'static str,
}

/// All sections: what each is about and its fields by their path.
#[derive(Debug, Default)]
pub struct Words {
    about: HashMap<&'static str, &'static str>,
    fields: HashMap<(&'static str, &'static str), Line>,
}

impl Words {
    /// The embedded descriptions; lines that are none are left out (a test finds them).
    pub fn load() -> Words {
        Words::read(TEXT).0
    }

    /// The sections, and the lines that are none.
    fn read(text: &'static str) -> (Words, Vec<&'static str>) {
        let (mut words, mut wrong, mut section) = (Words::default(), Vec::new(), "");
        for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            let (head, text) = line.split_once(": ").unwrap_or((line, ""));
            match head.strip_prefix("  ") {
                None if text.is_empty() || head.contains(' ') => wrong.push(line),
                None => {
                    section = head;
                    words.about.insert(section, text);
                }
                Some(field) => {
                    let (path, below) = field.split_once(" @").unwrap_or((field, ""));
                    let known = words.fields.insert((section, path), Line { text, section: below });
                    if known.is_some() || path.contains(' ') || text.is_empty() && below.is_empty() {
                        wrong.push(line);
                    }
                }
            }
        }
        (words, wrong)
    }

    /// Puts the descriptions of a kind into its schema.
    pub fn describe(&self, kind: &str, schema: &mut Value) {
        if let Some(about) = self.about.get(kind) {
            schema["description"] = (*about).into();
        }
        self.fields(kind, "", schema, 0);
    }

    fn fields(&self, section: &str, at: &str, schema: &mut Value, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        for inner in ["items", "additionalProperties"] {
            if let Some(inner) = schema.get_mut(inner).filter(|inner| inner.is_object()) {
                self.fields(section, at, inner, depth + 1);
            }
        }
        for (name, field) in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
            let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
            let line = self.fields.iter().find(|((s, p), _)| *s == section && *p == path).map(|(_, line)| *line);
            let Some(line) = line else {
                self.fields(section, &path, field, depth + 1);
                continue;
            };
            let text = if line.text.is_empty() { self.about.get(line.section).copied().unwrap_or("") } else { line.text };
            field["description"] = text.into();
            match line.section {
                "" => self.fields(section, &path, field, depth + 1),
                below => self.fields(below, "", field, depth + 1),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::install::crds;
    use crate::mesh::versions;
    use serde_json::json;
    use std::collections::BTreeSet;

    /// The paths of all fields that have no good description.
    fn lacking(schema: &Value, at: &str, into: &mut Vec<String>) -> usize {
        let mut count = 0;
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{at}.{name}");
            let text = property["description"].as_str().unwrap_or("");
            if !text.ends_with('.') || !text.is_ascii() || text.len() > 400 || text.contains("  ") {
                into.push(format!("{path}: {text:?}"));
            }
            count += 1 + lacking(property, &path, into);
        }
        let inner = ["items", "additionalProperties"].iter().filter_map(|key| schema.get(*key));
        count + inner.map(|inner| lacking(inner, at, into)).sum::<usize>()
    }

    #[test]
    fn every_field_of_every_kind_is_described() {
        for line in versions::lines() {
            let (mut found, mut count) = (Vec::new(), 0);
            for crd in crds::render(versions::find(&line).expect("a release")) {
                for version in crd.0["spec"]["versions"].as_array().expect("versions") {
                    let schema = &version["schema"]["openAPIV3Schema"];
                    assert!(schema["description"].as_str().is_some_and(|text| text.ends_with('.')), "{}", crd.name());
                    count += lacking(schema, crd.name(), &mut found);
                }
            }
            assert!(found.is_empty(), "{line}: {} fields lack a description: {found:#?}", found.len());
            assert!(count > 1000, "{line}: {count} fields");
        }
    }

    /// Which lines a schema makes use of.
    fn used(words: &Words, section: &'static str, at: &str, schema: &Value, into: &mut BTreeSet<(&'static str, &'static str)>) {
        for inner in ["items", "additionalProperties"].iter().filter_map(|key| schema.get(*key)) {
            used(words, section, at, inner, into);
        }
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
            let Some((key, line)) = words.fields.iter().find(|((s, p), _)| *s == section && *p == path) else { continue };
            into.insert(*key);
            match line.section {
                "" => used(words, section, &path, field, into),
                below => used(words, below, "", field, into),
            }
        }
    }

    #[test]
    fn every_line_is_about_a_field() {
        let (words, wrong) = Words::read(TEXT);
        assert_eq!(wrong, [""; 0]);
        let mut found = BTreeSet::new();
        for crd in crds::render(versions::default_release()) {
            let kind = crd.str_at(&["spec", "names", "kind"]).to_string();
            let section = words.about.keys().find(|section| **section == kind).expect("a section for each kind");
            used(&words, section, "", &crd.0["spec"]["versions"][0]["schema"]["openAPIV3Schema"], &mut found);
        }
        let idle: BTreeSet<_> = words.fields.keys().filter(|key| !found.contains(*key)).collect();
        assert!(idle.is_empty(), "{idle:#?}");
    }

    #[test]
    fn sections_are_shared_and_lists_add_nothing() {
        let text = "A: Is A.\n  list: Many.\n  list.x: X.\n  part @P\n  other @P: Own.\n\nP: A part.\n  y: Y.\n";
        let (words, wrong) = Words::read(text);
        assert!(wrong.is_empty());
        let part = json!({"properties": {"y": {}}});
        let mut schema = json!({"properties": {"list": {"items": {"properties": {"x": {}}}}, "part": part, "other": {"additionalProperties": part}}});
        words.describe("A", &mut schema);
        let list = json!({"description": "Many.", "items": {"properties": {"x": {"description": "X."}}}});
        let y = json!({"y": {"description": "Y."}});
        assert_eq!(schema["properties"]["list"], list);
        assert_eq!(schema["properties"]["part"], json!({"description": "A part.", "properties": y}));
        assert_eq!(schema["properties"]["other"], json!({"description": "Own.", "additionalProperties": {"properties": y}}));
        assert_eq!(Words::read("A: a.\n  x y: z.\nno text\n").1, ["  x y: z.", "no text"]);
    }
}
