//! Takes out what nobody else may see: values of Secrets, keys, tokens, the names of the learner's folders.

use crate::k8s::base64;
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// What stands in place of a secret.
pub const TAKEN: &str = "[taken out]";
/// Shorter values of Secrets are ordinary words in the world's objects: there they are only emptied where they are.
const LEAST_IN_WORLD: usize = 8;
/// Shorter ones cannot be told from chance.
const LEAST: usize = 4;
const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Texts that are secret by how they look; a group that is named `keep` stays.
static PATTERNS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",
        r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?",
        r"(?i)(?P<keep>authorization['\x22]?\s*[:=]\s*['\x22]?(?:bearer|basic|token)\s+)[^\s'\x22]+",
        r"(?i)(?P<keep>\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}",
        r"(?i)(?P<keep>(?:--token|--password|--docker-password|client-key-data|client-secret)['\x22]?[=:\s]\s*['\x22]?)[^\s'\x22]+",
        r"(?i)(?P<keep>(?:^|[\s'\x22])(?:-u|--user)[=\s]['\x22]?[^\s:'\x22]+:)[^\s'\x22]+",
        r"(?P<keep>://[^\s/:@]+:)[^\s/@]+@",
    ]
    .iter()
    .filter_map(|pattern| Regex::new(pattern).ok())
    .collect()
});

/// `create secret .. --from-literal=KEY=VALUE`.
static LITERAL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?P<keep>--from-literal[=\s]['"]?[^\s=]+=)(?:'[^']*'|"[^"]*"|[^\s'"]+)"#).ok());

/// See the module's text.
pub struct Redactor {
    /// Values of Secrets, plain and in base64, the longest first.
    secrets: Vec<String>,
    /// Folders and what stands for them, the longest first.
    folders: Vec<(String, &'static str)>,
    taken: usize,
}

impl Redactor {
    /// Knows the Secrets of a world, and the learner's folders.
    pub fn new(world: &Value, folders: &[(String, &'static str)]) -> Redactor {
        let mut secrets = BTreeSet::new();
        for object in world["objects"].as_array().into_iter().flatten().filter(|object| is_secret(object)) {
            for value in members(&object["data"]) {
                secrets.insert(value.to_string());
                let Ok(bytes) = base64::decode(value) else { continue };
                let Ok(text) = String::from_utf8(bytes) else { continue };
                secrets.extend(text.lines().map(|line| line.trim().to_string()).filter(|line| !is_frame(line)));
                secrets.insert(text);
            }
            secrets.extend(members(&object["stringData"]).map(str::to_string));
        }
        let mut secrets: Vec<String> = secrets.into_iter().filter(|s| s.trim().chars().count() >= LEAST).collect();
        secrets.sort_by_key(|s| std::cmp::Reverse(s.len()));
        let mut folders: Vec<(String, &'static str)> = folders.iter().filter(|(path, _)| path.len() > 1).cloned().collect();
        folders.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        Redactor { secrets, folders, taken: 0 }
    }

    /// How many texts were taken out.
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// A text for people: a line, an output, a file.
    pub fn text(&mut self, text: &str) -> String {
        let mut text = text.to_string();
        // A manifest of a Secret that was written and never applied.
        if text.contains("kind: Secret") || text.contains("\"Secret\"") {
            text = self.manifest(&text);
        }
        if text.contains("secret")
            && let Some(literal) = LITERAL.as_ref()
        {
            text = self.pattern(literal, &text);
        }
        self.plain(&text, LEAST)
    }

    /// The values below `data` and `stringData` of Secrets in YAML: every line that is deeper than those words.
    fn manifest(&mut self, text: &str) -> String {
        let mut out = String::new();
        for document in text.split_inclusive("\n---") {
            match document.contains("kind: Secret") || document.contains("\"Secret\"") {
                true => out.push_str(&self.secret_document(document)),
                false => out.push_str(document),
            }
        }
        out
    }

    fn secret_document(&mut self, document: &str) -> String {
        let indent = |line: &str| line.len() - line.trim_start().len();
        let mut within: Option<usize> = None;
        let mut out = String::new();
        for line in document.split_inclusive('\n') {
            let word = line.trim_start();
            let begins = ["data:", "stringData:", "\"data\"", "\"stringData\""].iter().any(|key| word.starts_with(key));
            if within.is_some_and(|depth| indent(line) <= depth && !word.trim().is_empty()) {
                within = None;
            }
            match (within, begins, line.split_once(": ")) {
                (Some(depth), _, found) if indent(line) > depth && !word.trim().is_empty() => {
                    self.taken += 1;
                    let head = found.map_or(" ".repeat(indent(line)), |(head, _)| format!("{head}: "));
                    out.push_str(&format!("{head}{TAKEN}\n"));
                }
                (_, true, Some((head, rest))) if !rest.trim().is_empty() => {
                    // `data: {a: b}` in one line.
                    self.taken += 1;
                    out.push_str(&format!("{head}: {{}} # {TAKEN}\n"));
                }
                (_, true, _) => {
                    within = Some(indent(line));
                    out.push_str(line);
                }
                _ => out.push_str(line),
            }
        }
        out
    }

    fn plain(&mut self, text: &str, least: usize) -> String {
        let mut text = text.to_string();
        for secret in self.secrets.iter().filter(|secret| secret.chars().count() >= least) {
            if text.contains(secret.as_str()) {
                self.taken += 1;
                text = text.replace(secret.as_str(), TAKEN);
            }
        }
        for pattern in PATTERNS.iter() {
            text = self.pattern(pattern, &text);
        }
        for (folder, instead) in &self.folders {
            if text.contains(folder.as_str()) {
                text = text.replace(folder.as_str(), instead);
            }
        }
        text
    }

    fn pattern(&mut self, pattern: &Regex, text: &str) -> String {
        if !pattern.is_match(text) {
            return text.to_string();
        }
        self.taken += 1;
        let with = |found: &regex::Captures<'_>| {
            let kept = found.name("keep").map_or("", |kept| kept.as_str());
            let at = if found[0].ends_with('@') { "@" } else { "" };
            format!("{kept}{TAKEN}{at}")
        };
        pattern.replace_all(text, with).into_owned()
    }

    /// A whole world: values of Secrets are emptied, everything else is read for what is secret.
    pub fn world(&mut self, world: &mut Value) {
        for object in world["objects"].as_array_mut().into_iter().flatten().filter(|object| is_secret(object)) {
            for part in ["/data", "/stringData"] {
                let values = object.pointer_mut(part).and_then(Value::as_object_mut);
                for value in values.into_iter().flat_map(|all| all.values_mut()) {
                    *value = Value::String(String::new());
                    self.taken += 1;
                }
            }
            if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
                annotations.remove(APPLIED);
            }
        }
        self.value(world);
    }

    fn value(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => {
                let clean = self.plain(text, LEAST_IN_WORLD);
                if clean != *text {
                    *text = clean;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(members) => {
                self.hex(members.get_mut("hex"));
                members.values_mut().for_each(|member| self.value(member));
            }
            _ => (),
        }
    }

    /// Files of pods that are no text are kept in hexadecimal.
    fn hex(&mut self, value: Option<&mut Value>) {
        let Some(Value::String(text)) = value else { return };
        let holds = |secret: &&String| {
            let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
            secret.len() >= LEAST_IN_WORLD && text.contains(&hex)
        };
        if self.secrets.iter().any(|secret| holds(&secret)) {
            text.clear();
            self.taken += 1;
        }
    }
}

fn is_secret(object: &Value) -> bool {
    object["kind"] == "Secret"
}

fn members(value: &Value) -> impl Iterator<Item = &str> {
    value.as_object().into_iter().flat_map(|all| all.values()).filter_map(Value::as_str)
}

/// The frame of a PEM text: no secret, and also around certificates, which stay.
fn is_frame(line: &str) -> bool {
    line.starts_with("-----") || line.is_empty()
}
