//! The messages of Envoy's API, as far as proxies of Istio use them: which fields they have, in which order, of which kind. The table
//! is `assets/envoy/messages.txt`; its head says how to read it.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The prefix of every type URL.
pub const TYPE_PREFIX: &str = "type.googleapis.com/";

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(include_str!("../../../assets/envoy/messages.txt")));

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Bool,
    Int,
    /// 64 bits: a text in JSON.
    Long,
    Float,
    /// With the name of its zero value.
    Enum(&'static str),
    Duration,
    Timestamp,
    /// google.protobuf.Empty.
    Empty,
    /// google.protobuf.Struct, Value or ListValue.
    Free,
    Any,
    Message(&'static Message),
}

/// How often a field holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    Once,
    Repeated,
    Map,
}

/// A field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// As in the .proto file (`route_config`).
    pub name: &'static str,
    pub number: u32,
    times: Times,
    /// Whether it is there also with its zero value: messages, wrappers, members of a oneof.
    pub presence: bool,
    code: &'static str,
}

/// A message: its fields in the order in which they are declared; members of a oneof share a place.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    pub name: &'static str,
    pub places: Vec<Vec<Field>>,
}

struct Table {
    messages: Vec<Message>,
    by_name: HashMap<&'static str, usize>,
}

impl Table {
    fn read(text: &'static str) -> Table {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let messages: Vec<Message> = lines
            .map(|line| {
                let mut words = line.split(' ');
                let name = words.next().unwrap_or("");
                Message { name, places: words.map(|word| word.split('/').filter_map(Field::read).collect()).collect() }
            })
            .collect();
        let by_name = messages.iter().enumerate().map(|(at, message)| (message.name, at)).collect();
        Table { messages, by_name }
    }
}

impl Field {
    fn read(text: &'static str) -> Option<Field> {
        let mut parts = text.splitn(3, ':');
        let (name, number, kind) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
        let (times, code) = match kind.split_at_checked(1)? {
            ("*", code) => (Times::Repeated, code),
            ("%", code) => (Times::Map, code),
            _ => (Times::Once, kind),
        };
        let member = code.strip_prefix('|');
        let code = member.unwrap_or(code);
        let wrapper = code.strip_prefix('w');
        let code = wrapper.unwrap_or(code);
        let message = code.starts_with(|c: char| c.is_ascii_digit() || matches!(c, 'D' | 'T' | 'E' | 'V' | 'A'));
        Some(Field { name, number, times, presence: member.is_some() || wrapper.is_some() || message, code })
    }

    /// What it holds, each time.
    pub fn kind(&self) -> Kind {
        match self.code.as_bytes().first() {
            Some(b's') => Kind::Text,
            Some(b'b') => Kind::Bool,
            Some(b'i') => Kind::Int,
            Some(b'l') => Kind::Long,
            Some(b'f') => Kind::Float,
            Some(b'e') => Kind::Enum(&self.code[1..]),
            Some(b'D') => Kind::Duration,
            Some(b'T') => Kind::Timestamp,
            Some(b'E') => Kind::Empty,
            Some(b'A') => Kind::Any,
            Some(digit) if digit.is_ascii_digit() => match self.code.parse().ok().and_then(|at: usize| TABLE.messages.get(at)) {
                Some(message) => Kind::Message(message),
                None => Kind::Free,
            },
            _ => Kind::Free,
        }
    }

    /// How often it holds it.
    pub fn times(&self) -> Times {
        self.times
    }

    /// Its name in JSON (`routeConfig`).
    pub fn json_name(&self) -> String {
        let mut name = String::with_capacity(self.name.len());
        let mut upper = false;
        for c in self.name.chars() {
            match c {
                '_' => upper = true,
                c if upper => {
                    name.extend(c.to_uppercase());
                    upper = false;
                }
                c => name.push(c),
            }
        }
        name
    }
}

/// The message of a full name (`envoy.config.route.v3.Route`).
pub fn message(name: &str) -> Option<&'static Message> {
    TABLE.by_name.get(name).map(|at| &TABLE.messages[*at])
}

/// The message of a type URL (`type.googleapis.com/..`).
pub fn of_url(url: &str) -> Option<&'static Message> {
    message(url.rsplit('/').next().unwrap_or(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_that_is_a_message_leads_to_one() {
        let mut seen = 0;
        for message in &TABLE.messages {
            assert!(!message.name.is_empty());
            for field in message.places.iter().flatten() {
                seen += 1;
                let numbered = field.code.starts_with(|c: char| c.is_ascii_digit());
                assert_eq!(matches!(field.kind(), Kind::Message(_)), numbered, "{} {}", message.name, field.name);
                assert!(
                    numbered || field.kind() != Kind::Free || field.code == "V",
                    "{} {}: {}",
                    message.name,
                    field.name,
                    field.code
                );
            }
        }
        assert!(seen > 1500, "{seen}");
    }

    #[test]
    fn fields_are_known_by_their_message() {
        let route = message("envoy.config.route.v3.RouteMatch").expect("a message");
        assert_eq!(route.places[0].iter().map(|f| f.name).collect::<Vec<_>>()[..3], ["prefix", "path", "safe_regex"]);
        assert!(route.places[0][0].presence && route.places[0][4].json_name() == "pathSeparatedPrefix");
        let listener = of_url("type.googleapis.com/envoy.config.listener.v3.Listener").expect("a message");
        let chains = listener.places.iter().flatten().find(|f| f.name == "filter_chains").expect("a field");
        assert_eq!(chains.times(), Times::Repeated);
        assert!(matches!(chains.kind(), Kind::Message(m) if m.name == "envoy.config.listener.v3.FilterChain"));
        assert_eq!(of_url("type.googleapis.com/none"), None);
    }
}
