//! Reads a template.

use super::{Compare, Error, Expr, Node, Operand, Step};
use serde_json::Value;

/// How deep `{range}` may nest and paths may be.
const DEPTH: usize = 64;

/// Reads a whole template.
pub(super) fn template(text: &str) -> Result<Vec<Node>, Error> {
    let mut pieces = pieces(text)?.into_iter().peekable();
    let nodes = block(&mut pieces, 0)?;
    match pieces.next() {
        Some(_) => Err("not in range, nothing to end".into()),
        None => Ok(nodes),
    }
}

enum Piece {
    Text(String),
    Action(String),
}

/// Splits a template at its braces; quotes inside an action protect braces.
fn pieces(text: &str) -> Result<Vec<Piece>, Error> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        if start > 0 {
            found.push(Piece::Text(rest[..start].to_string()));
        }
        let inside = &rest[start + 1..];
        let end = action_end(inside).ok_or_else(|| "unclosed action".to_string())?;
        found.push(Piece::Action(inside[..end].trim().to_string()));
        rest = &inside[end + 1..];
    }
    if !rest.is_empty() {
        found.push(Piece::Text(rest.to_string()));
    }
    Ok(found)
}

fn action_end(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (_, '\\') => escaped = true,
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => (),
            (None, '"' | '\'') => quote = Some(c),
            (None, '}') => return Some(at),
            (None, _) => (),
        }
    }
    None
}

type Pieces = std::iter::Peekable<std::vec::IntoIter<Piece>>;

fn block(pieces: &mut Pieces, depth: usize) -> Result<Vec<Node>, Error> {
    if depth > DEPTH {
        return Err("the template is nested too deeply".into());
    }
    let mut nodes = Vec::new();
    while let Some(piece) = pieces.peek() {
        if matches!(piece, Piece::Action(action) if action == "end") {
            return Ok(nodes);
        }
        match pieces.next() {
            Some(Piece::Text(text)) => nodes.push(Node::Text(text)),
            Some(Piece::Action(action)) => match action.strip_prefix("range ") {
                Some(path) => {
                    let steps = path_of(path.trim())?;
                    let body = block(pieces, depth + 1)?;
                    pieces.next().ok_or_else(|| "unclosed range".to_string())?;
                    nodes.push(Node::Range(steps, body));
                }
                None => nodes.push(Node::Paths(exprs(&action)?)),
            },
            None => break,
        }
    }
    match depth {
        0 => Ok(nodes),
        _ => Err("unclosed range, no end".into()),
    }
}

/// An action holds paths and quoted texts, separated by blanks.
fn exprs(action: &str) -> Result<Vec<Expr>, Error> {
    let mut found = Vec::new();
    let mut reader = Reader { rest: action };
    loop {
        reader.skip_blanks();
        match reader.peek() {
            None => return Ok(found),
            Some(quote @ ('"' | '\'')) => found.push(Expr::Literal(reader.quoted(quote)?)),
            Some(_) => found.push(Expr::Path(reader.path(0)?)),
        }
    }
}

fn path_of(text: &str) -> Result<Vec<Step>, Error> {
    let mut reader = Reader { rest: text };
    let steps = reader.path(0)?;
    match reader.rest.is_empty() {
        true => Ok(steps),
        false => Err(format!("unrecognized character in action: {:?}", reader.rest)),
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (head, tail) = self.rest.split_at(bytes);
        self.rest = tail;
        head
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// A quoted text with Go's escapes.
    fn quoted(&mut self, quote: char) -> Result<String, Error> {
        let mut out = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                c if c == quote => {
                    self.take(at + 1);
                    return Ok(out);
                }
                '\\' => match chars.next().map(|(_, c)| c) {
                    Some('n') => out.push('\n'),
                    Some('t') => out.push('\t'),
                    Some('r') => out.push('\r'),
                    Some(c) => out.push(c),
                    None => break,
                },
                c => out.push(c),
            }
        }
        Err("unterminated quoted string".into())
    }

    fn path(&mut self, depth: usize) -> Result<Vec<Step>, Error> {
        if depth > DEPTH {
            return Err("the path is nested too deeply".into());
        }
        let mut steps = Vec::new();
        while let Some(c) = self.peek() {
            match c {
                '$' | '@' => {
                    self.take(1);
                    steps.push(Step::Root);
                }
                '.' if self.rest.starts_with("..") => {
                    self.take(2);
                    steps.push(Step::Descend);
                    if self.peek().is_some_and(|c| c != '[' && c != '.') {
                        steps.push(self.field());
                    }
                }
                '.' => {
                    self.take(1);
                    if self.peek().is_some_and(|c| c != '[' && !c.is_whitespace()) {
                        steps.push(self.field());
                    }
                }
                '[' => steps.push(self.bracket(depth)?),
                '*' => {
                    self.take(1);
                    steps.push(Step::Wildcard);
                }
                c if c.is_whitespace() => break,
                c if steps.is_empty() && (c.is_alphanumeric() || c == '_') => {
                    return Err(format!("unrecognized identifier {}", self.word()));
                }
                c => return Err(format!("unrecognized character in action: U+{:04X} '{c}'", c as u32)),
            }
        }
        Ok(steps)
    }

    fn word(&mut self) -> String {
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        self.take(end).to_string()
    }

    /// A field's name up to the next unescaped `.`, `[`, blank or operator.
    fn field(&mut self) -> Step {
        let mut name = String::new();
        let mut chars = self.rest.char_indices();
        let mut end = self.rest.len();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => name.extend(chars.next().map(|(_, c)| c)),
                '.' | '[' | ']' | '}' | ')' | '|' | ',' | '=' | '!' | '<' | '>' | '$' | '@' | '{' | '&' => {
                    end = at;
                    break;
                }
                c if c.is_whitespace() => {
                    end = at;
                    break;
                }
                c => name.push(c),
            }
        }
        self.take(end);
        match name.as_str() {
            "*" => Step::Wildcard,
            _ => Step::Field(name),
        }
    }

    fn bracket(&mut self, depth: usize) -> Result<Step, Error> {
        let inside = self.inside_brackets()?;
        if let Some(filter) = inside.strip_prefix("?(") {
            let filter = filter.strip_suffix(')').ok_or_else(|| "unterminated filter".to_string())?;
            return filter_of(filter, depth);
        }
        if inside == "*" {
            return Ok(Step::Wildcard);
        }
        let parts = split_commas(inside);
        if parts.len() > 1 {
            let branches: Result<Vec<Vec<Step>>, Error> = parts.iter().map(|part| single(part.trim(), depth)).collect();
            return Ok(Step::Union(branches?));
        }
        let mut steps = single(inside.trim(), depth)?;
        match steps.len() {
            1 => Ok(steps.remove(0)),
            _ => Ok(Step::Union(vec![steps])),
        }
    }

    fn inside_brackets(&mut self) -> Result<&'a str, Error> {
        let (mut quote, mut escaped, mut level) = (None, false, 0usize);
        for (at, c) in self.rest.char_indices() {
            match (quote, c) {
                _ if escaped => escaped = false,
                (_, '\\') => escaped = true,
                (Some(q), c) if c == q => quote = None,
                (Some(_), _) => (),
                (None, '"' | '\'') => quote = Some(c),
                (None, '[') => level += 1,
                (None, ']') if level == 1 => return Ok(&self.take(at + 1)[1..at]),
                (None, ']') => level -= 1,
                (None, _) => (),
            }
        }
        Err("unterminated array".into())
    }
}

fn split_commas(text: &str) -> Vec<&str> {
    let (mut quote, mut start, mut parts) = (None, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, ',') => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => (),
        }
    }
    parts.push(&text[start..]);
    parts
}

/// One part of a bracket: a quoted key (dots in it split), a number or a slice.
fn single(text: &str, depth: usize) -> Result<Vec<Step>, Error> {
    let quoted = |q: char| text.len() > 1 && text.starts_with(q) && text.ends_with(q);
    if quoted('\'') || quoted('"') {
        return Reader { rest: &format!(".{}", &text[1..text.len() - 1]) }.path(depth + 1);
    }
    let number = |part: &str| match part.trim() {
        "" => Ok(None),
        n => n.parse::<i64>().map(Some).map_err(|_| format!("invalid array index {text}")),
    };
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        [one] => Ok(vec![Step::Index(number(one)?.ok_or_else(|| format!("invalid array index {text}"))?)]),
        [from, to] => Ok(vec![Step::Slice(number(from)?, number(to)?, None)]),
        [from, to, step] => Ok(vec![Step::Slice(number(from)?, number(to)?, number(step)?)]),
        _ => Err(format!("invalid array index {text}")),
    }
}

fn filter_of(text: &str, depth: usize) -> Result<Step, Error> {
    let mut reader = Reader { rest: text.trim() };
    let left = reader.operand(depth)?;
    reader.skip_blanks();
    let operators = [
        ("==", Compare::Eq),
        ("!=", Compare::Ne),
        ("<=", Compare::Le),
        (">=", Compare::Ge),
        ("<", Compare::Lt),
        (">", Compare::Gt),
    ];
    let Some((sign, compare)) = operators.into_iter().find(|(sign, _)| reader.rest.starts_with(sign)) else {
        return match reader.rest.is_empty() {
            true => Ok(Step::Filter(left, Compare::Exists, Operand::Value(Value::Null))),
            false => Err(format!("unrecognized filter operator in {text:?}")),
        };
    };
    reader.take(sign.len());
    reader.skip_blanks();
    let right = reader.operand(depth)?;
    reader.skip_blanks();
    match reader.rest.is_empty() {
        true => Ok(Step::Filter(left, compare, right)),
        false => Err(format!("unrecognized text in filter: {:?} (one comparison only)", reader.rest)),
    }
}

impl Reader<'_> {
    fn operand(&mut self, depth: usize) -> Result<Operand, Error> {
        match self.peek() {
            Some(quote @ ('"' | '\'')) => Ok(Operand::Value(Value::String(self.quoted(quote)?))),
            Some('@' | '.' | '$') => Ok(Operand::Path(self.filter_path(depth)?)),
            _ => {
                let end = self.rest.find(|c: char| c.is_whitespace() || "=!<>&|)".contains(c)).unwrap_or(self.rest.len());
                let word = self.take(end);
                serde_json::from_str(word).map(Operand::Value).map_err(|_| format!("unrecognized value {word:?} in filter"))
            }
        }
    }

    /// A path that ends at a blank or an operator.
    fn filter_path(&mut self, depth: usize) -> Result<Vec<Step>, Error> {
        let mut level = 0usize;
        let end = self.rest.char_indices().find(|(_, c)| {
            match c {
                '[' => level += 1,
                ']' => level = level.saturating_sub(1),
                _ => (),
            }
            level == 0 && (c.is_whitespace() || "=!<>&|".contains(*c))
        });
        let end = end.map_or(self.rest.len(), |(at, _)| at);
        let text = self.take(end);
        let mut inner = Reader { rest: text };
        let steps = inner.path(depth + 1)?;
        match inner.rest.is_empty() {
            true => Ok(steps),
            false => Err(format!("unrecognized text in filter: {:?}", inner.rest)),
        }
    }
}
