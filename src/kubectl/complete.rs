//! What could stand at the cursor of a kubectl line: verbs, flags and what they take, kinds that the server has, objects, namespaces,
//! containers. [`wanted`] reads the line by the table of verbs; [`candidates`] asks the server.

mod world;

pub use world::candidates;

use super::Context;
use super::flags::{Flag, Takes};
use super::verbs::{GLOBAL, VERBS, Verb};

/// A candidate: the word, and what it is in a few words.
pub type Found = (String, String);

/// What the word at the cursor is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// One of these.
    Words(Vec<Found>),
    /// A kind, or `KIND/NAME`; only these kinds if any are named.
    Kinds(&'static [&'static str]),
    /// An object of this kind.
    Names(String),
    Namespaces,
    /// A container of this pod (`POD` or `KIND/NAME`).
    Containers(String),
    /// A file of the lab's folder.
    Files,
    /// A line of its own, run in a pod; these are its words so far.
    Inner(Vec<String>),
    Nothing,
}

/// What is wanted, and what of the word is there already: it begins behind `head` (`--output=`, `-n`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub wanted: Wanted,
    /// What of the word stands before the part that is completed.
    pub head: String,
    /// The part that is completed.
    pub start: String,
    /// The namespace that the line names; `*` for all.
    pub namespace: Option<String>,
}

/// Verbs whose operands are a kind and then names of it; the kinds, if only some make sense.
const KIND_VERBS: &[(&str, &[&str])] = &[
    ("get", &[]),
    ("describe", &[]),
    ("delete", &[]),
    ("label", &[]),
    ("annotate", &[]),
    ("edit", &[]),
    ("patch", &[]),
    ("wait", &[]),
    ("explain", &[]),
    ("taint", &["nodes"]),
    ("top", &["pods", "nodes"]),
    ("scale", &["deployments", "statefulsets", "replicasets"]),
    ("autoscale", &["deployments", "statefulsets", "replicasets"]),
    ("expose", &["deployments", "services", "pods", "replicasets"]),
    ("rollout", &["deployments", "daemonsets", "statefulsets"]),
    ("set", &["deployments", "daemonsets", "statefulsets", "pods"]),
];
/// Verbs whose first operand is a pod.
const POD_VERBS: &[&str] = &["exec", "attach", "logs", "debug", "port-forward", "cp"];
const NODE_VERBS: &[&str] = &["cordon", "uncordon", "drain"];
/// Flags that name a file.
const FILE_FLAGS: &[&str] = &["filename", "kustomize", "from-file", "from-env-file", "patch-file", "cert", "key"];

/// What the word at the cursor is; `before` are the words between `kubectl` and it.
pub fn wanted(ctx: &Context, before: &[String], word: &str) -> Question {
    let line = Line::read(before);
    let namespace = line.namespace.clone();
    let plain = |wanted: Wanted| Question { wanted, head: String::new(), start: word.to_string(), namespace: namespace.clone() };
    if let Some(inner) = line.inner {
        return plain(Wanted::Inner(inner));
    }
    let tables: Vec<&Flag> = line.flags().collect();
    if let Some(flag) = line.open {
        return plain(value(flag, &line));
    }
    if let Some((head, flag, start)) = joined(word, &tables) {
        return Question { wanted: value(flag, &line), head, start, namespace };
    }
    if word.starts_with('-') {
        return plain(Wanted::Words(flags(ctx, &line, &tables)));
    }
    let Some(verb) = line.verb else {
        // A verb that there is not takes nothing.
        return plain(if line.operands.is_empty() { Wanted::Words(verbs(ctx)) } else { Wanted::Nothing });
    };
    if line.sub.is_none() && !verb.subs.is_empty() {
        let subs = verb.subs.iter().map(|sub| (sub.name.to_string(), sub.about.to_string())).collect();
        return plain(Wanted::Words(subs));
    }
    operand(ctx, &line, verb, word, &tables, namespace)
}

fn operand(ctx: &Context, line: &Line, verb: &Verb, word: &str, tables: &[&Flag], namespace: Option<String>) -> Question {
    let ask = |wanted, head: &str, start: &str| Question {
        wanted,
        head: head.into(),
        start: start.into(),
        namespace: namespace.clone(),
    };
    let kinds = KIND_VERBS.iter().find(|(name, _)| *name == verb.name).map(|(_, kinds)| *kinds);
    let pods = POD_VERBS.contains(&verb.name);
    if (kinds.is_some() || pods)
        && let Some((kind, start)) = word.split_once('/')
    {
        return ask(Wanted::Names(kind.to_string()), &format!("{kind}/"), start);
    }
    match (kinds, line.operands.as_slice()) {
        (Some(kinds), []) => match word.rsplit_once(',') {
            Some((head, start)) => ask(Wanted::Kinds(kinds), &format!("{head},"), start),
            None => ask(Wanted::Kinds(kinds), "", word),
        },
        (Some(_), [first, ..]) if first.contains('/') || first.contains(',') => ask(Wanted::Nothing, "", word),
        // Labels and images follow one name.
        (Some(_), [_, _, ..]) if !matches!(verb.name, "get" | "describe" | "delete") => ask(Wanted::Nothing, "", word),
        (Some(_), _) if verb.name == "explain" => ask(Wanted::Nothing, "", word),
        (Some(_), [kind, ..]) => ask(Wanted::Names(kind.clone()), "", word),
        (None, []) if pods => ask(Wanted::Names("pods".into()), "", word),
        (None, [pod]) if verb.name == "logs" => ask(Wanted::Containers(pod.clone()), "", word),
        (None, []) if NODE_VERBS.contains(&verb.name) => ask(Wanted::Names("nodes".into()), "", word),
        (None, _) if word.is_empty() => ask(Wanted::Words(flags(ctx, line, tables)), "", word),
        _ => ask(Wanted::Nothing, "", word),
    }
}

/// A line of kubectl as far as it is written.
struct Line {
    verb: Option<&'static Verb>,
    sub: Option<&'static Verb>,
    operands: Vec<String>,
    /// The flag whose value comes next.
    open: Option<&'static Flag>,
    namespace: Option<String>,
    /// What follows `--`.
    inner: Option<Vec<String>>,
}

impl Line {
    fn read(before: &[String]) -> Line {
        let mut line = Line { verb: None, sub: None, operands: Vec::new(), open: None, namespace: None, inner: None };
        for word in before {
            if let Some(inner) = &mut line.inner {
                inner.push(word.clone());
            } else if let Some(flag) = line.open.take() {
                line.set(flag, word);
            } else if word == "--" {
                line.inner = Some(Vec::new());
            } else if word.len() > 1 && word.starts_with('-') {
                line.flag(word);
            } else {
                line.operand(word);
            }
        }
        line
    }

    fn operand(&mut self, word: &str) {
        let is = |verb: &&Verb| verb.name == word || verb.aliases.contains(&word);
        match (self.verb, self.sub) {
            (None, _) if self.operands.is_empty() && VERBS.iter().any(|verb| is(&verb)) => self.verb = VERBS.iter().find(is),
            (Some(verb), None) if self.operands.is_empty() && verb.subs.iter().any(|sub| is(&sub)) => {
                self.sub = verb.subs.iter().find(is);
            }
            _ => self.operands.push(word.to_string()),
        }
    }

    fn flags(&self) -> impl Iterator<Item = &'static Flag> {
        let tables = self.sub.or(self.verb).map_or(&[GLOBAL] as &'static [&'static [Flag]], |verb| verb.tables);
        tables.iter().flat_map(|table| table.iter())
    }

    fn flag(&mut self, word: &str) {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let found = match name.strip_prefix("--") {
            Some(long) => self.flags().find(|flag| flag.name == long),
            // Of several letters the last may take a value: `-ti`, `-nlab`.
            None => match name[1..].chars().next() {
                Some(letter) if name.chars().count() > 2 && self.flags().any(|f| f.short == Some(letter) && takes_value(f)) => {
                    let flag = self.flags().find(|flag| flag.short == Some(letter));
                    if let Some(flag) = flag {
                        self.set(flag, &name[1 + letter.len_utf8()..]);
                    }
                    return;
                }
                _ => name.chars().last().and_then(|letter| self.flags().find(|flag| flag.short == Some(letter))),
            },
        };
        match (found, value) {
            (Some(flag), Some(value)) => self.set(flag, value),
            (Some(flag), None) if takes_value(flag) => self.open = Some(flag),
            (Some(flag), None) => self.set(flag, "true"),
            (None, _) => (),
        }
    }

    fn set(&mut self, flag: &Flag, value: &str) {
        match flag.name {
            "namespace" => self.namespace = Some(value.to_string()),
            "all-namespaces" => self.namespace = Some("*".into()),
            _ => (),
        }
    }
}

fn takes_value(flag: &Flag) -> bool {
    !matches!(flag.takes, Takes::Bool | Takes::Or(_))
}

/// A flag with its value in one word: `--output=js`, `-nla`.
fn joined<'a>(word: &str, tables: &[&'a Flag]) -> Option<(String, &'a Flag, String)> {
    if let Some(long) = word.strip_prefix("--") {
        let (name, start) = long.split_once('=')?;
        let flag = tables.iter().find(|flag| flag.name == name)?;
        return Some((format!("--{name}="), flag, start.to_string()));
    }
    let mut letters = word.strip_prefix('-')?.chars();
    let letter = letters.next()?;
    let start = letters.as_str();
    let flag = tables.iter().find(|flag| flag.short == Some(letter) && takes_value(flag) && !start.is_empty())?;
    Some((format!("-{letter}"), flag, start.to_string()))
}

/// What a flag takes.
fn value(flag: &Flag, line: &Line) -> Wanted {
    let words =
        |all: &[(&str, &str)]| Wanted::Words(all.iter().map(|(word, about)| (word.to_string(), about.to_string())).collect());
    match (flag.name, flag.takes) {
        (_, Takes::Bool) => words(&[("true", ""), ("false", "")]),
        ("namespace", _) => Wanted::Namespaces,
        ("container", _) => line.operands.first().map_or(Wanted::Nothing, |pod| Wanted::Containers(pod.clone())),
        (name, _) if FILE_FLAGS.contains(&name) => Wanted::Files,
        ("output", _) => words(&[
            ("wide", "a table with more columns"),
            ("yaml", "the whole object"),
            ("json", "the whole object"),
            ("name", "KIND/NAME only"),
            ("jsonpath=", "fields by a path, e.g. '{.spec.hosts}'"),
            ("custom-columns=", "a table of your own, e.g. NAME:.metadata.name"),
            ("go-template=", "a Go template"),
        ]),
        ("dry-run", _) => words(&[("client", "only print"), ("server", "ask, but store nothing"), ("none", "do it")]),
        ("validate", _) => words(&[("strict", ""), ("warn", ""), ("ignore", "")]),
        ("type", _) if line.verb.is_some_and(|verb| verb.name == "patch") => {
            words(&[("strategic", ""), ("merge", ""), ("json", "")])
        }
        ("for", _) if line.verb.is_some_and(|verb| verb.name == "wait") => {
            words(&[("condition=", "e.g. condition=Ready"), ("delete", ""), ("create", ""), ("jsonpath=", "")])
        }
        ("selector", _) => words(&[("app=", ""), ("istio=", "")]),
        ("cascade", _) => words(&[("background", ""), ("foreground", ""), ("orphan", "")]),
        _ => Wanted::Nothing,
    }
}

fn verbs(ctx: &Context) -> Vec<Found> {
    let open = VERBS.iter().filter(|verb| ctx.restrictions.verb(verb.name).is_none());
    open.map(|verb| (verb.name.to_string(), verb.about.to_string())).collect()
}

fn flags(ctx: &Context, line: &Line, tables: &[&Flag]) -> Vec<Found> {
    let verb = line.verb.map_or("", |verb| verb.name);
    let own = |flag: &Flag| !GLOBAL.iter().any(|global| global.name == flag.name && global.help == flag.help);
    let open = tables.iter().filter(|flag| ctx.restrictions.flag(verb, flag.name, own(flag)).is_none());
    let mut found: Vec<Found> = open
        .map(|flag| {
            let short = flag.short.map(|letter| format!(" (-{letter})")).unwrap_or_default();
            (format!("--{}", flag.name), format!("{}{short}", flag.help))
        })
        .collect();
    found.sort();
    found.dedup_by(|a, b| a.0 == b.0);
    found
}
