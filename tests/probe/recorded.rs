//! Reading probe.txt: what was asked, what a real API server 1.36 answered. Long bodies are cut there and end in `...`.

use serde_json::Value;

/// One request and its answer.
#[derive(Debug, Clone, Default)]
pub struct Pair {
    pub method: String,
    pub target: String,
    pub content_type: String,
    pub accept: String,
    /// More request headers.
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub status: u16,
    /// Names in lower case.
    pub answered: Vec<(String, String)>,
    pub answer: String,
}

impl Pair {
    /// The values of an answered header.
    pub fn header(&self, name: &str) -> Vec<&str> {
        self.answered.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect()
    }

    /// `METHOD TARGET`.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// All pairs in order.
pub fn read(text: &str) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    let mut in_answer = false;
    for line in text.lines() {
        if let Some(request) = line.strip_prefix("### ") {
            pairs.push(request_line(request));
            in_answer = false;
        } else if let Some(pair) = pairs.last_mut() {
            match line.strip_prefix("    ").unwrap_or("") {
                "" => in_answer = false,
                text if in_answer => {
                    pair.answer.push_str(text);
                    pair.answer.push('\n');
                }
                text => in_answer = describe(pair, text),
            }
        }
    }
    pairs
}

fn request_line(text: &str) -> Pair {
    let (method, rest) = text.split_once(' ').expect("method");
    let (target, rest) = rest.split_once("  [").expect("target");
    let (content_type, rest) = rest.split_once("] accept=").expect("content type");
    let (accept, extra) = rest.trim_end().split_once(" {").unwrap_or((rest.trim_end(), ""));
    let text = |t: &str| t.to_string();
    let headers =
        extra.trim_end_matches('}').split_once(": ").map(|(n, v)| (text(n.trim_matches('\'')), text(v.trim_matches('\''))));
    Pair {
        method: text(method),
        target: text(target),
        content_type: text(content_type),
        accept: text(accept),
        headers: headers.into_iter().collect(),
        ..Pair::default()
    }
}

/// Takes a line before the answer's body; true when the body follows.
fn describe(pair: &mut Pair, text: &str) -> bool {
    if let Some(body) = text.strip_prefix("body: ") {
        pair.body = body.to_string();
    } else if let Some(answer) = text.strip_prefix("-> ") {
        let (status, headers) = answer.split_once(' ').unwrap_or((answer, ""));
        pair.status = status.parse().expect("status");
        let headers = headers.split(" ; ").filter_map(|h| h.split_once(": "));
        pair.answered = headers.map(|(n, v)| (n.to_lowercase(), v.trim().replace("\\\\", "\\"))).collect();
        return true;
    }
    false
}

/// A JSON text that may be cut: what is left of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    Object(Vec<(String, Node)>, Whole),
    Array(Vec<Node>, Whole),
    Leaf(Value),
    /// A cut text's beginning.
    Begun(String),
    /// Nothing is known.
    Cut,
}

/// Whether something came to its end before the cut.
pub type Whole = bool;

impl Node {
    /// The text of a member, "" without it.
    pub fn text(&self, name: &str) -> String {
        let Node::Object(members, _) = self else { return String::new() };
        let found = members.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        if let Some(Node::Leaf(Value::String(text)) | Node::Begun(text)) = found { text.clone() } else { String::new() }
    }
}

/// Reads a JSON text; what follows a cut (`...` at the end) is unknown.
pub fn json(text: &str) -> Option<Node> {
    let text = text.trim_end();
    let text = text.strip_suffix("...").unwrap_or(text);
    let mut reader = Reader { text, at: 0 };
    reader.value()
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn value(&mut self) -> Option<Node> {
        match self.peek() {
            None => Some(Node::Cut),
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => self.string().map(|text| text.map_or_else(Node::Begun, |text| Node::Leaf(Value::String(text)))),
            Some(_) => self.scalar(),
        }
    }

    fn scalar(&mut self) -> Option<Node> {
        let rest = &self.text[self.at..];
        let len = rest.find([',', '}', ']', '\n', ' ']).unwrap_or(rest.len());
        self.at += len;
        match self.at == self.text.len() {
            true => Some(Node::Cut),
            false => serde_json::from_str(&rest[..len]).ok().map(Node::Leaf),
        }
    }

    /// `Err`: what there is of a cut text.
    fn string(&mut self) -> Option<Result<String, String>> {
        let rest = &self.text[self.at..];
        let mut escaped = false;
        for (i, c) in rest.char_indices().skip(1) {
            match c {
                '"' if !escaped => {
                    self.at += i + 1;
                    return serde_json::from_str(&rest[..=i]).ok().map(Ok);
                }
                _ => escaped = c == '\\' && !escaped,
            }
        }
        self.at = self.text.len();
        let whole = rest.trim_end_matches('\\');
        Some(Err(serde_json::from_str::<String>(&format!("{whole}\"")).unwrap_or_default()))
    }

    fn object(&mut self) -> Option<Node> {
        self.at += 1;
        let mut members = Vec::new();
        loop {
            match self.peek() {
                None => return Some(Node::Object(members, false)),
                Some(b'}') => {
                    self.at += 1;
                    return Some(Node::Object(members, true));
                }
                Some(b',') => self.at += 1,
                Some(b'"') => {
                    let Ok(key) = self.string()? else { return Some(Node::Object(members, false)) };
                    if self.peek().is_none() {
                        return Some(Node::Object(members, false));
                    }
                    self.at += 1;
                    members.push((key, self.value()?));
                }
                Some(_) => return None,
            }
        }
    }

    fn array(&mut self) -> Option<Node> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            match self.peek() {
                None => return Some(Node::Array(items, false)),
                Some(b']') => {
                    self.at += 1;
                    return Some(Node::Array(items, true));
                }
                Some(b',') => self.at += 1,
                Some(_) => items.push(self.value()?),
            }
        }
    }
}

#[test]
fn a_cut_body_is_read_as_far_as_it_goes() {
    let node = json(r#"{"a":[1,{"b":"x"},{"c":"be..."#).expect("read");
    let leaf = |v: Value| Node::Leaf(v);
    let b = Node::Object(vec![("b".into(), leaf("x".into()))], true);
    let c = Node::Object(vec![("c".into(), Node::Begun("be".into()))], false);
    assert_eq!(node, Node::Object(vec![("a".into(), Node::Array(vec![leaf(1.into()), b, c], false))], false));
    assert_eq!(json("{bad"), None);
}

#[test]
fn every_pair_of_the_recording_is_read() {
    let pairs = read(super::RECORDING);
    assert_eq!(pairs.len(), super::RECORDING.matches("\n### ").count());
    assert!(pairs.iter().all(|pair| pair.status >= 200));
    assert_eq!(pairs[0].line(), "GET /api/v1/namespaces/probe");
    let warned = pairs.iter().find(|p| p.target.contains("fieldValidation=Warn")).expect("warned");
    assert_eq!(warned.header("warning").len(), 2);
    assert!(pairs.iter().all(|p| p.header("content-type").first() != Some(&"application/json")
        || p.answer.is_empty()
        || json(&p.answer).is_some()));
}
