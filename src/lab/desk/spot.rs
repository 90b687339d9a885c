//! Where in a manifest's text the field is that a server's message is about.

use crate::base::yaml::{Document, Places, places};

/// A document with the places of its values.
pub struct Spots {
    first_line: usize,
    places: Places,
}

impl Spots {
    pub fn of(document: &Document) -> Spots {
        Spots { first_line: document.line, places: places(&document.text) }
    }

    /// Line and column in the whole text of a field as servers name it (`spec.ports[0].protocol`, `metadata.labels[a/b]`): its key,
    /// or that of the nearest field above that is written.
    pub fn field(&self, field: &str) -> (usize, usize) {
        let mut path = field.trim().trim_start_matches('.').replace("[*]", "[0]");
        loop {
            if let Some((line, column)) = self.written(&path) {
                return (self.first_line + line - 1, *column);
            }
            match path.rfind(['.', '[']) {
                Some(at) => path.truncate(at),
                None => return self.top(),
            }
        }
    }

    fn written(&self, path: &str) -> Option<(&usize, &usize)> {
        let map_entry = path.strip_suffix(']').and_then(|p| p.rsplit_once('[')).map(|(base, key)| format!("{base}.{key}"));
        let tries = [Some(format!("{path}!")), map_entry.map(|p| format!("{p}!")), Some(path.to_string())];
        tries.into_iter().flatten().filter(|_| !path.is_empty()).find_map(|p| self.places.get(&p)).map(|(l, c)| (l, c))
    }

    /// Where the object begins.
    fn top(&self) -> (usize, usize) {
        let at = self.places.get("kind!").or_else(|| self.places.get("")).copied().unwrap_or((1, 1));
        (self.first_line + at.0 - 1, at.1)
    }

    /// The field that a message is about, where it names one that is written: the longest path, else a key, else "".
    pub fn named_in(&self, message: &str) -> String {
        let pieces = message.split(|c: char| c.is_whitespace() || "\"'`,;()".contains(c));
        let words: Vec<&str> = pieces.map(|w| w.trim_matches([':', '.'])).filter(|w| w.len() > 2).collect();
        let written = |word: &&&str| word.contains(['.', '[']) && (self.written(word).is_some() || self.within(word));
        if let Some(path) = words.iter().filter(written).max_by_key(|w| w.len()) {
            return (*path).to_string();
        }
        let paths = || self.places.keys().filter_map(|p| p.strip_suffix('!')).filter(|p| p.starts_with("spec."));
        let last = |path: &str| path.rsplit(['.', ']']).next().unwrap_or("").to_string();
        words.iter().rev().find_map(|word| paths().find(|p| last(p) == **word)).map(str::to_string).unwrap_or_default()
    }

    /// Whether the parent of a path is written: an unknown or missing field of something that is there.
    fn within(&self, path: &str) -> bool {
        path.starts_with("spec.") && path.rfind(['.', '[']).is_some_and(|at| self.written(&path[..at]).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::yaml::each_document;

    const TEXT: &str = "# first\n---\nkind: Namespace\n---\napiVersion: v1\nkind: ServiceEntry\nmetadata:\n  name: x\n  labels:\n    \
                        a/b: c\nspec:\n  hosts:\n  - x.example\n  ports:\n  - number: 80\n    protocl: HTTP\n";

    #[test]
    fn fields_as_servers_name_them_have_lines() {
        let documents: Vec<_> = each_document(TEXT).into_iter().map(Result::unwrap).collect();
        let spots = Spots::of(&documents[1]);
        for (field, at) in [
            ("spec.ports[0].protocl", (16, 5)),
            ("spec.ports[0].name", (15, 5)),
            ("spec.hosts", (12, 3)),
            ("spec.hosts[0]", (13, 5)),
            ("metadata.labels[a/b]", (10, 5)),
            ("spec.resolution", (11, 1)),
            ("", (6, 1)),
            ("nosuch.thing", (6, 1)),
        ] {
            assert_eq!(spots.field(field), at, "{field}");
        }
        assert_eq!(spots.named_in("unknown field \"spec.ports[0].protocl\""), "spec.ports[0].protocl");
        assert_eq!(spots.named_in("resolution of hosts must be set"), "spec.hosts");
        assert_eq!(spots.named_in("the server is on fire"), "");
    }
}
