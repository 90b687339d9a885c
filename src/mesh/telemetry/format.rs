//! Access-log formats as Envoy reads them: text with `%OPERATOR%`s, and JSON whose values are such texts.

use crate::mesh::Cause;
use crate::mesh::trace::log::{Entry, text_format};
use serde_json::{Map, Value};

/// How one log writes its lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Format {
    shape: Shape,
    /// `omitEmptyValues`: nothing instead of `-`, no key instead of `null`.
    omit: bool,
    /// An operator that this program cannot fill in.
    unknown: Option<Cause>,
}

#[derive(Debug, Clone, PartialEq)]
enum Shape {
    Text(Vec<Piece>),
    Json(Node),
}

/// A JSON value of a format.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    Object(Vec<(String, Node)>),
    List(Vec<Node>),
    Text(Vec<Piece>),
    Literal(Value),
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Literal(String),
    Operator(Operator),
}

/// `%NAME(ARGUMENT):LIMIT%`.
#[derive(Debug, Clone, PartialEq)]
pub struct Operator {
    pub name: String,
    pub argument: String,
    /// The most bytes that are kept.
    pub limit: Option<usize>,
}

impl Format {
    /// A text format; an empty one is Istio's default. `place`: the object and the field where it stands.
    pub fn text(format: &str, omit: bool, place: (&str, &str)) -> Format {
        let format = text_format(format);
        let pieces = pieces(format.strip_suffix('\n').unwrap_or(&format));
        let unknown = unknown(&pieces, place);
        Format { shape: Shape::Text(pieces), omit, unknown }
    }

    /// A JSON format.
    pub fn json(format: &Value, omit: bool, place: (&str, &str)) -> Format {
        let mut found = None;
        let node = node(format, &mut |pieces| found = found.take().or_else(|| unknown(pieces, place)));
        Format { shape: Shape::Json(node), omit, unknown: found }
    }

    /// Whether this program can fill in all of it.
    ///
    /// # Errors
    /// The operator that is not modelled.
    pub fn modelled(&self) -> Result<(), Cause> {
        self.unknown.clone().map_or(Ok(()), Err)
    }

    /// The line without its end; of formats that are [`Format::modelled`].
    pub fn line(&self, entry: &Entry) -> String {
        match &self.shape {
            Shape::Text(pieces) => fill(pieces, entry, if self.omit { "" } else { "-" }),
            Shape::Json(node) => node.value(entry, self.omit).unwrap_or(Value::Null).to_string(),
        }
    }
}

fn node(format: &Value, look: &mut impl FnMut(&[Piece])) -> Node {
    match format {
        Value::Object(map) => Node::Object(map.iter().map(|(k, v)| (k.clone(), node(v, look))).collect()),
        Value::Array(list) => Node::List(list.iter().map(|v| node(v, look)).collect()),
        Value::String(text) => {
            let pieces = pieces(text);
            look(&pieces);
            Node::Text(pieces)
        }
        other => Node::Literal(other.clone()),
    }
}

impl Node {
    /// `None` for what is empty and to be omitted.
    fn value(&self, entry: &Entry, omit: bool) -> Option<Value> {
        let found = match self {
            Node::Literal(value) => value.clone(),
            Node::List(all) => Value::Array(all.iter().filter_map(|n| n.value(entry, omit)).collect()),
            Node::Object(all) => {
                let pairs = all.iter().filter_map(|(k, n)| Some((k.clone(), n.value(entry, omit)?)));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
            Node::Text(pieces) => match pieces.as_slice() {
                [Piece::Operator(one)] => typed(one, entry),
                several => Value::String(fill(several, entry, if omit { "" } else { "-" })),
            },
        };
        Some(found).filter(|v| !(omit && v.is_null()))
    }
}

/// An operator alone keeps its type: numbers stay numbers, what is not there is `null`.
fn typed(operator: &Operator, entry: &Entry) -> Value {
    let text = operator.limited(entry);
    match operator.name.as_str() {
        "RESPONSE_FLAGS" if text.is_empty() => "-".into(),
        _ if text.is_empty() => Value::Null,
        "RESPONSE_CODE" | "BYTES_RECEIVED" | "BYTES_SENT" | "DURATION" | "ATTEMPT_COUNT" | "UPSTREAM_REQUEST_ATTEMPT_COUNT" => {
            text.parse::<u64>().map_or(Value::Null, Value::from)
        }
        _ if operator.is_port() => text.parse::<u64>().map_or(Value::Null, Value::from),
        "RESP" => text.parse::<u64>().map_or_else(|_| text.clone().into(), Value::from),
        _ => text.into(),
    }
}

fn fill(pieces: &[Piece], entry: &Entry, empty: &str) -> String {
    let mut out = String::with_capacity(384);
    for piece in pieces {
        match piece {
            Piece::Literal(text) => out.push_str(text),
            Piece::Operator(operator) => {
                let before = out.len();
                match operator.limit {
                    None => entry.put(&operator.name, &operator.argument, &mut out),
                    Some(_) => out.push_str(&operator.limited(entry)),
                }
                if out.len() == before {
                    out.push_str(empty);
                }
            }
        }
    }
    out
}

impl Operator {
    fn limited(&self, entry: &Entry) -> String {
        let mut text = String::new();
        entry.put(&self.name, &self.argument, &mut text);
        if let Some(limit) = self.limit {
            let end = (0..=limit.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
            text.truncate(end);
        }
        text
    }

    fn is_port(&self) -> bool {
        self.name.ends_with("_PORT")
    }
}

/// Splits a text at its operators; `%%` is a percent sign.
fn pieces(format: &str) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::new();
    let mut literal = String::new();
    let mut rest = format;
    while let Some(start) = rest.find('%') {
        literal.push_str(&rest[..start]);
        let tail = &rest[start + 1..];
        if let Some(after) = tail.strip_prefix('%') {
            literal.push('%');
            rest = after;
            continue;
        }
        let Some(end) = end_of(tail) else {
            literal.push('%');
            rest = tail;
            continue;
        };
        if !literal.is_empty() {
            out.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        out.push(Piece::Operator(operator(&tail[..end])));
        rest = &tail[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        out.push(Piece::Literal(literal));
    }
    out
}

/// Where an operator ends; its argument may hold percent signs (`%START_TIME(%s)%`).
fn end_of(tail: &str) -> Option<usize> {
    match (tail.find('('), tail.find('%')?) {
        (Some(open), end) if open < end => {
            let close = open + tail[open..].find(')')?;
            Some(close + tail[close..].find('%')?)
        }
        (_, end) => Some(end),
    }
}

fn operator(text: &str) -> Operator {
    let (name, rest) = text.split_once('(').unwrap_or((text, ""));
    let (argument, rest) = rest.rsplit_once(')').unwrap_or(("", rest));
    let limit = rest.strip_prefix(':').and_then(|n| n.parse().ok());
    Operator { name: name.into(), argument: argument.into(), limit }
}

fn unknown(pieces: &[Piece], place: (&str, &str)) -> Option<Cause> {
    let strange = pieces.iter().find_map(|p| match p {
        Piece::Operator(o) if !Entry::knows(&o.name, &o.argument) => Some(o),
        _ => None,
    })?;
    Some(Cause::new(place.0, place.1, format!("What %{}% prints is not modelled.", strange.name)))
}
