//! Words to a tree. After text/template/parse/parse.go.

use super::lex::{self, Kind, Number, Token};
use std::collections::BTreeMap;

/// How deep actions and brackets may nest.
const DEPTH: usize = 100;

/// Functions that templates can call.
pub const FUNCTIONS: &[&str] = &[
    "and",
    "base64decode",
    "call",
    "eq",
    "exists",
    "ge",
    "gt",
    "html",
    "index",
    "js",
    "le",
    "len",
    "lt",
    "ne",
    "not",
    "or",
    "print",
    "printf",
    "println",
    "slice",
    "urlquery",
];

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    Text(String),
    Action(Pipe),
    If(Pipe, Vec<Node>, Vec<Node>),
    With(Pipe, Vec<Node>, Vec<Node>),
    Range(Pipe, Vec<Node>, Vec<Node>),
    /// Name, argument, place, as written.
    Template(String, Option<Pipe>, usize, String),
    Break,
    Continue,
}

/// `$x := a | b c`.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipe {
    pub declared: Vec<String>,
    /// `=` instead of `:=`.
    pub assigns: bool,
    pub commands: Vec<Command>,
}

/// A function and its arguments, or a single value.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    pub at: usize,
    pub words: Vec<Operand>,
}

/// A value or a function's name, with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Operand {
    pub at: usize,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    Dot,
    Nil,
    Bool(bool),
    Number(Number, String),
    /// The value, and as written.
    Text(String, String),
    Field(Vec<String>),
    Variable(String, Vec<String>),
    Function(String),
    Pipe(Box<Pipe>),
    /// `(pipe).a.b`
    Chain(Box<Operand>, Vec<String>),
}

/// A template: itself, and those it defines.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    pub nodes: Vec<Node>,
    pub defined: BTreeMap<String, Vec<Node>>,
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    vars: Vec<String>,
    defined: BTreeMap<String, Vec<Node>>,
    depth: usize,
    ranges: usize,
}

/// How a list of nodes ended.
#[derive(Debug, Clone, PartialEq)]
enum Ended {
    File,
    End,
    Else,
}

type Parsed<T> = Result<T, String>;

/// Reads a template.
///
/// # Errors
/// Go's sentence, from `template: output:LINE: ` on.
pub fn parse(text: &str) -> Parsed<Tree> {
    let mut parser =
        Parser { tokens: lex::tokens(text), next: 0, vars: vec!["$".into()], defined: BTreeMap::new(), depth: 0, ranges: 0 };
    let outcome = parser.list(true);
    let line = parser.tokens[parser.next.saturating_sub(1).min(parser.tokens.len() - 1)].line;
    let nodes = outcome.and_then(|(nodes, ended)| match ended {
        Ended::File => Ok(nodes),
        Ended::End => Err("unexpected {{end}}".into()),
        Ended::Else => Err("unexpected {{else}}".into()),
    });
    let nodes = nodes.map_err(|what| format!("template: output:{line}: {what}"))?;
    Ok(Tree { nodes, defined: parser.defined })
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    fn skip_space(&mut self) {
        while self.peek().kind == Kind::Space {
            self.next += 1;
        }
    }

    fn take_word(&mut self) -> Token {
        self.skip_space();
        self.take()
    }

    fn unexpected<T>(&self, token: &Token, place: &str) -> Parsed<T> {
        match token.kind {
            Kind::Wrong => Err(token.text.clone()),
            _ => Err(format!("unexpected {} in {place}", token.shown())),
        }
    }

    fn deeper<T>(&mut self, work: impl FnOnce(&mut Parser) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(format!("nested deeper than {DEPTH}"));
        }
        let outcome = work(self);
        self.depth -= 1;
        outcome
    }

    /// Nodes up to an `end`, an `else` or the end of the file.
    fn list(&mut self, top: bool) -> Parsed<(Vec<Node>, Ended)> {
        let mut nodes = Vec::new();
        loop {
            let token = self.take();
            match token.kind {
                Kind::Text => nodes.push(Node::Text(token.text)),
                Kind::End if top => return Ok((nodes, Ended::File)),
                Kind::Open => {
                    self.skip_space();
                    let word = self.peek().clone();
                    match (word.kind.clone(), word.text.as_str()) {
                        (Kind::Keyword, "end") => {
                            self.take();
                            self.close("end")?;
                            return Ok((nodes, Ended::End));
                        }
                        (Kind::Keyword, "else") => {
                            self.take();
                            return Ok((nodes, Ended::Else));
                        }
                        _ => nodes.extend(self.deeper(|p| p.action())?),
                    }
                }
                Kind::End => return Err("unexpected EOF".into()),
                _ => return self.unexpected(&token, "input"),
            }
        }
    }

    fn close(&mut self, place: &str) -> Parsed<()> {
        let token = self.take_word();
        if token.kind == Kind::Close { Ok(()) } else { self.unexpected(&token, place) }
    }

    fn action(&mut self) -> Parsed<Option<Node>> {
        let word = self.peek().clone();
        if word.kind == Kind::Keyword && word.text != "." && word.text != "nil" {
            self.take();
            return match word.text.as_str() {
                "if" => self.control("if").map(|(p, a, b)| Some(Node::If(p, a, b))),
                "with" => self.control("with").map(|(p, a, b)| Some(Node::With(p, a, b))),
                "range" => self.control("range").map(|(p, a, b)| Some(Node::Range(p, a, b))),
                "template" => self.template().map(Some),
                "block" => self.block().map(Some),
                "define" => self.define().map(|()| None),
                "break" | "continue" => {
                    self.close(&word.text)?;
                    match (self.ranges, word.text.as_str()) {
                        (0, word) => Err(format!("{{{{{word}}}}} outside {{{{range}}}}")),
                        (_, "break") => Ok(Some(Node::Break)),
                        _ => Ok(Some(Node::Continue)),
                    }
                }
                _ => self.unexpected(&word, "command"),
            };
        }
        Ok(Some(Node::Action(self.pipe("command", &Kind::Close)?)))
    }

    fn control(&mut self, word: &str) -> Parsed<(Pipe, Vec<Node>, Vec<Node>)> {
        let scope = self.vars.len();
        let pipe = self.pipe(word, &Kind::Close)?;
        self.ranges += usize::from(word == "range");
        let body = self.list(false);
        self.ranges -= usize::from(word == "range");
        let (body, ended) = body?;
        let mut other = Vec::new();
        if ended == Ended::Else {
            self.skip_space();
            // `{{else if x}}` is an if of its own that shares the end.
            let next = self.peek().text.clone();
            if self.peek().kind == Kind::Keyword && (next == "if" && word == "if" || next == "with" && word == "with") {
                self.take();
                let (pipe, body, rest) = self.deeper(|p| p.control(word))?;
                other.push(if word == "if" { Node::If(pipe, body, rest) } else { Node::With(pipe, body, rest) });
            } else {
                self.close("else")?;
                let (nodes, ended) = self.list(false)?;
                if ended == Ended::Else {
                    return Err("expected end; found {{else}}".into());
                }
                other = nodes;
            }
        }
        self.vars.truncate(scope);
        Ok((pipe, body, other))
    }

    fn name(&mut self, place: &str) -> Parsed<(String, Token)> {
        let token = self.take_word();
        match token.kind.clone() {
            Kind::Text2(name) => Ok((name, token)),
            _ => self.unexpected(&token, place),
        }
    }

    fn template(&mut self) -> Parsed<Node> {
        let (name, written) = self.name("template clause")?;
        self.skip_space();
        let mut pipe = None;
        if self.peek().kind == Kind::Close {
            self.take();
        } else {
            pipe = Some(self.pipe("template clause", &Kind::Close)?);
        }
        let argument = pipe.as_ref().map(|pipe| format!(" {}", pipe_text(pipe))).unwrap_or_default();
        let shown = format!("{{{{template {}{argument}}}}}", written.text);
        Ok(Node::Template(name, pipe, written.at, shown))
    }

    /// A template that is defined where it is used.
    fn block(&mut self) -> Parsed<Node> {
        let (name, written) = self.name("block clause")?;
        let pipe = self.pipe("block clause", &Kind::Close)?;
        let outer = std::mem::replace(&mut self.vars, vec!["$".into()]);
        let (nodes, _) = self.list(false)?;
        self.vars = outer;
        self.defined.insert(name.clone(), nodes);
        let shown = format!("{{{{template {} {}}}}}", written.text, pipe_text(&pipe));
        Ok(Node::Template(name, Some(pipe), written.at, shown))
    }

    fn define(&mut self) -> Parsed<()> {
        let (name, _) = self.name("define clause")?;
        self.close("define clause")?;
        let outer = std::mem::replace(&mut self.vars, vec!["$".into()]);
        let (nodes, ended) = self.list(false)?;
        self.vars = outer;
        if ended == Ended::Else {
            return Err("unexpected {{else}} in define clause".into());
        }
        self.defined.insert(name, nodes);
        Ok(())
    }

    fn pipe(&mut self, place: &str, end: &Kind) -> Parsed<Pipe> {
        let mut pipe = Pipe { declared: Vec::new(), assigns: false, commands: Vec::new() };
        self.declarations(place, &mut pipe)?;
        loop {
            let token = self.take_word();
            if token.kind == *end {
                break;
            }
            let value = matches!(
                token.kind,
                Kind::Bool
                    | Kind::Char
                    | Kind::Field
                    | Kind::Identifier
                    | Kind::Number
                    | Kind::Text2(_)
                    | Kind::Variable
                    | Kind::LeftParen
            );
            if value || token.kind == Kind::Keyword && matches!(token.text.as_str(), "." | "nil") {
                self.next -= 1;
                let command = self.deeper(|p| p.command())?;
                pipe.commands.push(command);
            } else {
                return self.unexpected(&token, place);
            }
        }
        if pipe.commands.is_empty() {
            return Err(format!("missing value for {place}"));
        }
        let constant = |command: &Command| {
            matches!(command.words[0].what, What::Bool(_) | What::Dot | What::Nil | What::Number(..) | What::Text(..))
        };
        match pipe.commands.iter().skip(1).position(constant) {
            Some(at) => Err(format!("non executable command in pipeline stage {}", at + 2)),
            None => Ok(pipe),
        }
    }

    fn declarations(&mut self, place: &str, pipe: &mut Pipe) -> Parsed<()> {
        loop {
            self.skip_space();
            let start = self.next;
            if self.peek().kind != Kind::Variable {
                return Ok(());
            }
            let variable = self.take();
            self.skip_space();
            match (self.peek().kind.clone(), self.peek().text.as_str()) {
                (Kind::Assign | Kind::Declare, _) => {
                    pipe.assigns = self.take().kind == Kind::Assign;
                    if pipe.assigns && !self.vars.contains(&variable.text) {
                        return Err(format!("undefined variable {:?}", variable.text));
                    }
                    pipe.declared.push(variable.text.clone());
                    self.vars.push(variable.text);
                    return Ok(());
                }
                (Kind::Other, ",") => {
                    self.take();
                    pipe.declared.push(variable.text.clone());
                    self.vars.push(variable.text);
                    if place != "range" || pipe.declared.len() > 1 {
                        return Err(format!("too many declarations in {place}"));
                    }
                    self.skip_space();
                    if self.peek().kind != Kind::Variable {
                        return Err("range can only initialize variables".into());
                    }
                }
                _ => {
                    self.next = start;
                    return Ok(());
                }
            }
        }
    }

    fn command(&mut self) -> Parsed<Command> {
        self.skip_space();
        let mut command = Command { at: self.peek().at, words: Vec::new() };
        loop {
            self.skip_space();
            command.words.extend(self.operand()?);
            let token = self.take();
            match token.kind {
                Kind::Space => (),
                Kind::Close | Kind::RightParen => {
                    self.next -= 1;
                    break;
                }
                Kind::Pipe => break,
                _ => return self.unexpected(&token, "operand"),
            }
        }
        if command.words.is_empty() { Err("empty command".into()) } else { Ok(command) }
    }

    fn operand(&mut self) -> Parsed<Option<Operand>> {
        let Some(mut operand) = self.term()? else { return Ok(None) };
        if self.peek().kind != Kind::Field {
            return Ok(Some(operand));
        }
        let at = self.peek().at;
        let mut names = Vec::new();
        while self.peek().kind == Kind::Field {
            names.push(self.take().text[1..].to_string());
        }
        operand = match operand.what {
            What::Field(mut first) => {
                first.extend(names);
                Operand { at, what: What::Field(first) }
            }
            What::Variable(name, mut first) => {
                first.extend(names);
                Operand { at, what: What::Variable(name, first) }
            }
            What::Bool(_) | What::Text(..) | What::Number(..) | What::Nil | What::Dot => {
                return Err(format!("unexpected . after term {:?}", text(&operand)));
            }
            _ => Operand { at, what: What::Chain(Box::new(operand), names) },
        };
        Ok(Some(operand))
    }

    fn term(&mut self) -> Parsed<Option<Operand>> {
        let token = self.take_word();
        let what = match (token.kind.clone(), token.text.as_str()) {
            (Kind::Identifier, name) if FUNCTIONS.contains(&name) => What::Function(name.into()),
            (Kind::Identifier, name) => return Err(format!("function {name:?} not defined")),
            (Kind::Keyword, ".") => What::Dot,
            (Kind::Keyword, "nil") => What::Nil,
            (Kind::Bool, value) => What::Bool(value == "true"),
            (Kind::Variable, name) if self.vars.iter().any(|v| v == name) => What::Variable(name.into(), Vec::new()),
            (Kind::Variable, name) => return Err(format!("undefined variable {name:?}")),
            (Kind::Field, name) => What::Field(vec![name[1..].into()]),
            (Kind::Number, text) => {
                let number = lex::number(text).ok_or_else(|| format!("bad number syntax: {text:?}"))?;
                What::Number(number, text.into())
            }
            (Kind::Char, text) => {
                let value = lex::unquote(&text[1..text.len() - 1]).unwrap_or_default();
                let mut chars = value.chars();
                match (chars.next(), chars.next()) {
                    (Some(c), None) => What::Number(Number::Whole(c as i64), text.into()),
                    _ => return Err(format!("malformed character constant: {text}")),
                }
            }
            (Kind::Text2(value), written) => What::Text(value, written.into()),
            (Kind::LeftParen, _) => What::Pipe(Box::new(self.deeper(|p| p.pipe("parenthesized pipeline", &Kind::RightParen))?)),
            _ => {
                self.next -= 1;
                return Ok(None);
            }
        };
        Ok(Some(Operand { at: token.at, what }))
    }
}

/// An operand as messages show it.
pub fn text(operand: &Operand) -> String {
    let dotted = |names: &[String]| names.iter().map(|name| format!(".{name}")).collect::<String>();
    match &operand.what {
        What::Dot => ".".into(),
        What::Nil => "nil".into(),
        What::Bool(value) => value.to_string(),
        What::Number(_, text) | What::Text(_, text) => text.clone(),
        What::Field(names) => dotted(names),
        What::Variable(name, names) => format!("{name}{}", dotted(names)),
        What::Function(name) => name.clone(),
        What::Pipe(pipe) => format!("({})", pipe_text(pipe)),
        What::Chain(inner, names) => format!("{}{}", text(inner), dotted(names)),
    }
}

/// A command as messages show it.
pub fn command_text(command: &Command) -> String {
    command.words.iter().map(text).collect::<Vec<_>>().join(" ")
}

fn pipe_text(pipe: &Pipe) -> String {
    let declared = match pipe.declared.is_empty() {
        true => String::new(),
        false => format!("{} {} ", pipe.declared.join(", "), if pipe.assigns { "=" } else { ":=" }),
    };
    declared + &pipe.commands.iter().map(command_text).collect::<Vec<_>>().join(" | ")
}
