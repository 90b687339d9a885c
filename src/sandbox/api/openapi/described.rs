//! What the messages and fields of the built-in kinds mean: the texts of `assets/openapi` (see its README.md).

use std::collections::HashMap;
use std::sync::LazyLock;

const FILES: &[&str] = &[
    include_str!("../../../../assets/openapi/common.txt"),
    include_str!("../../../../assets/openapi/pods.txt"),
    include_str!("../../../../assets/openapi/volumes.txt"),
    include_str!("../../../../assets/openapi/core.txt"),
    include_str!("../../../../assets/openapi/workloads.txt"),
    include_str!("../../../../assets/openapi/network.txt"),
    include_str!("../../../../assets/openapi/access.txt"),
    include_str!("../../../../assets/openapi/extend.txt"),
];

/// How many messages a `like` line may lead through; more is a cycle in the data.
const MAX_LIKE: usize = 8;

/// The message whose fields mean the same everywhere.
const EVERYWHERE: &str = "*";

/// What is written about a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    pub text: &'static str,
    pub required: bool,
    /// The allowed values with blanks between, empty when there are others.
    values: &'static str,
    /// The default that the schema names.
    pub default: Option<&'static str>,
}

impl Words {
    /// The allowed values; none when the set is open.
    pub fn values(&self) -> impl Iterator<Item = &'static str> {
        self.values.split(' ').filter(|value| !value.is_empty()).map(|value| if value == "\"\"" { "" } else { value })
    }
}

/// What is written about a message.
#[derive(Debug, Default)]
struct Message {
    about: &'static str,
    like: Option<&'static str>,
    fields: HashMap<&'static str, Words>,
}

static MESSAGES: LazyLock<HashMap<&'static str, Message>> = LazyLock::new(|| {
    let mut messages = HashMap::new();
    for text in FILES {
        if let Err(line) = read(text, &mut messages) {
            debug_assert!(false, "assets/openapi: not a line: {line}");
        }
    }
    messages
});

/// What a message is, `None` if nothing is written about it.
pub fn message(name: &str) -> Option<&'static str> {
    MESSAGES.get(name).map(|message| message.about)
}

/// What a field of a message means: its own line, else that of the message it is like, else the one for every message.
pub fn field(message: &str, name: &str) -> Option<&'static Words> {
    let mut here = MESSAGES.get(message);
    for _ in 0..MAX_LIKE {
        let Some(found) = here else { break };
        if let Some(words) = found.fields.get(name) {
            return Some(words);
        }
        here = found.like.and_then(|like| MESSAGES.get(like));
    }
    MESSAGES.get(EVERYWHERE)?.fields.get(name)
}

/// A text that changes when anything that is written here does.
pub fn all() -> impl Iterator<Item = &'static str> {
    FILES.iter().copied()
}

/// Reads a file; the line that is none is the error.
fn read(text: &'static str, messages: &mut HashMap<&'static str, Message>) -> Result<(), &'static str> {
    let mut name = "";
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        match line.strip_prefix("  ") {
            None => {
                let (message, about) = line.split_once(": ").ok_or(line)?;
                name = message;
                messages.entry(name).or_default().about = about;
            }
            Some(inner) => {
                let message = messages.get_mut(name).ok_or(line)?;
                match inner.strip_prefix("like ") {
                    Some(like) => message.like = Some(like),
                    None => {
                        let (field, words) = read_field(inner).ok_or(line)?;
                        message.fields.insert(field, words);
                    }
                }
            }
        }
    }
    Ok(())
}

/// `protocol* [SCTP TCP UDP] =TCP: The transport protocol.`
fn read_field(line: &'static str) -> Option<(&'static str, Words)> {
    let (head, text) = line.split_once(": ")?;
    let (head, default) = match head.split_once(" =") {
        Some((head, default)) => (head, Some(default)),
        None => (head, None),
    };
    let (name, values) = match head.split_once(" [") {
        Some((name, values)) => (name, values.strip_suffix(']')?),
        None => (head, ""),
    };
    let bare = name.strip_suffix('*').unwrap_or(name);
    let fits = !bare.is_empty() && !bare.contains(' ');
    fits.then_some((bare, Words { text, required: bare != name, values, default }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::types;

    #[test]
    fn every_message_and_field_is_described() {
        let mut missing = Vec::new();
        for name in types::names() {
            if message(name).is_none() {
                missing.push(name.to_string());
            }
            let fields = &types::message(name).expect("listed").fields;
            missing.extend(fields.iter().filter(|f| field(name, f.name).is_none()).map(|f| format!("{name}.{}", f.name)));
        }
        assert!(missing.is_empty(), "{} without a description: {missing:#?}", missing.len());
    }

    #[test]
    fn every_line_is_about_something() {
        let mut idle = Vec::new();
        let mut read_once = HashMap::new();
        for text in FILES {
            let heads = text.lines().filter(|line| !line.starts_with([' ', '#']) && !line.is_empty());
            for head in heads.filter_map(|line| line.split_once(": ")).map(|(name, _)| name) {
                assert!(read_once.insert(head, ()).is_none(), "{head} is described twice");
            }
            read(text, &mut HashMap::new()).expect("lines of the notation");
        }
        for (name, described) in MESSAGES.iter().filter(|(name, _)| **name != EVERYWHERE) {
            let special = crate::sandbox::api::openapi::builtin::special(name).is_some();
            match types::message(name) {
                None if !special => idle.push(name.to_string()),
                None => (),
                Some(message) => {
                    let known = |field: &&&str| message.field(field).is_none() && !["apiVersion", "kind"].contains(field);
                    idle.extend(described.fields.keys().filter(known).map(|field| format!("{name}.{field}")));
                }
            }
            if let Some(like) = described.like {
                assert!(MESSAGES.contains_key(like), "{name} is like {like}, which is not described");
            }
        }
        assert!(idle.is_empty(), "described but unknown: {idle:#?}");
    }

    #[test]
    fn lines_carry_marks() {
        let protocol = field("core.v1.ContainerPort", "protocol").expect("described");
        assert_eq!(protocol.values().collect::<Vec<_>>(), ["SCTP", "TCP", "UDP"]);
        assert_eq!((protocol.default, protocol.required), (Some("TCP"), false));
        assert!(field("core.v1.EphemeralContainer", "name").expect("as in a container").required);
        assert!(field("core.v1.HostPathVolumeSource", "type").expect("described").values().any(str::is_empty));
        assert_eq!(field("apps.v1.Deployment", "metadata"), field(EVERYWHERE, "metadata"));
        assert!(field("core.v1.Pod", "nosuch").is_none());
        let mut none = HashMap::new();
        assert_eq!(read("  name: before any message", &mut none), Err("  name: before any message"));
        assert_eq!(read("a: b\n  no colon", &mut none), Err("  no colon"));
    }

    #[test]
    fn texts_are_plain() {
        for message in MESSAGES.values() {
            for text in message.fields.values().map(|words| words.text).chain([message.about]) {
                assert!(text.ends_with(['.', '?']) && text.is_ascii() && text.len() < 320 && !text.contains("  "), "{text}");
            }
        }
    }
}
