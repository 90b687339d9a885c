//! Runs a template on an object. After text/template/exec.go.

use super::functions::{arity, call};
use super::lex::Number;
use super::parse::{Command, Node, Operand, Pipe, Tree, What, command_text, text};
use super::value::{Val, View};
use serde_json::Value;

/// Nodes that one run visits at most.
const STEPS: usize = 1_000_000;
/// How deep templates may call each other.
const CALLS: usize = 100;
/// The most that is written, in bytes.
const OUTPUT: usize = 64 << 20;

/// A run.
pub struct Run<'t, 'v> {
    template: &'t str,
    tree: &'t Tree,
    /// A key that is not there is an error.
    strict: bool,
    vars: Vec<(String, Val<'v>)>,
    /// What messages name: place and text.
    at: (usize, String),
    steps: usize,
    calls: usize,
    pub out: String,
}

/// Why a list of nodes ends early.
enum Stop {
    Break,
    Continue,
    Error(String),
}

impl From<String> for Stop {
    fn from(text: String) -> Stop {
        Stop::Error(text)
    }
}

type Outcome<'v> = Result<Val<'v>, String>;

impl<'t, 'v> Run<'t, 'v> {
    pub fn new(template: &'t str, tree: &'t Tree, object: &'v Value, strict: bool) -> Run<'t, 'v> {
        let vars = vec![("$".to_string(), Val::Of(object))];
        Run { template, tree, strict, vars, at: (0, String::new()), steps: 0, calls: 0, out: String::new() }
    }

    /// Runs the whole; what was written before an error is in `out`.
    ///
    /// # Errors
    /// Go's sentence with the place.
    pub fn whole(&mut self, object: &'v Value) -> Result<(), String> {
        match self.list(&self.tree.nodes, &Val::Of(object)) {
            Err(Stop::Error(text)) => Err(text),
            _ => Ok(()),
        }
    }

    fn here(&mut self, at: usize, text: impl Into<String>) {
        self.at = (at, text.into());
    }

    /// The sentence with the place that was last looked at.
    fn wrong(&self, what: &str) -> String {
        let before = &self.template[..self.at.0.min(self.template.len())];
        let line = 1 + before.matches('\n').count();
        let column = self.at.0 - before.rfind('\n').map_or(0, |n| n + 1);
        format!("template: output:{line}:{column}: executing \"output\" at <{}>: {what}", self.at.1)
    }

    fn list(&mut self, nodes: &'t [Node], dot: &Val<'v>) -> Result<(), Stop> {
        for node in nodes {
            self.steps += 1;
            if self.steps > STEPS || self.out.len() > OUTPUT {
                return Err(Stop::Error(self.wrong("the template runs for too long")));
            }
            self.node(node, dot)?;
        }
        Ok(())
    }

    fn node(&mut self, node: &'t Node, dot: &Val<'v>) -> Result<(), Stop> {
        let scope = self.vars.len();
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Action(pipe) => {
                let value = self.pipe(pipe, dot)?;
                if pipe.declared.is_empty() {
                    match value.is_nil() {
                        true => self.out.push_str("<no value>"),
                        false => self.out.push_str(&value.shown()),
                    }
                }
                return Ok(());
            }
            Node::If(pipe, body, other) => {
                let value = self.pipe(pipe, dot)?;
                self.list(if value.is_true() { body } else { other }, dot)?;
            }
            Node::With(pipe, body, other) => {
                let value = self.pipe(pipe, dot)?;
                match value.is_true() {
                    true => self.list(body, &value)?,
                    false => self.list(other, dot)?,
                }
            }
            Node::Range(pipe, body, other) => self.range(pipe, body, other, dot)?,
            Node::Template(name, pipe, at, shown) => self.template(name, pipe.as_ref(), (*at, shown), dot)?,
            Node::Break => return Err(Stop::Break),
            Node::Continue => return Err(Stop::Continue),
        }
        self.vars.truncate(scope);
        Ok(())
    }

    fn template(&mut self, name: &str, pipe: Option<&'t Pipe>, (at, shown): (usize, &str), dot: &Val<'v>) -> Result<(), Stop> {
        self.here(at, shown);
        let Some(nodes) = self.tree.defined.get(name) else {
            return Err(Stop::Error(self.wrong(&format!("template {name:?} not defined"))));
        };
        if self.calls >= CALLS {
            return Err(Stop::Error(self.wrong(&format!("exceeded maximum template depth ({CALLS})"))));
        }
        let value = pipe.map_or(Ok(Val::Missing), |pipe| self.pipe(pipe, dot))?;
        let outer = std::mem::replace(&mut self.vars, vec![("$".into(), value.clone())]);
        self.calls += 1;
        let outcome = self.list(nodes, &value);
        self.calls -= 1;
        self.vars = outer;
        outcome
    }

    fn range(&mut self, pipe: &'t Pipe, body: &'t [Node], other: &'t [Node], dot: &Val<'v>) -> Result<(), Stop> {
        let value = self.pipe_value(pipe, dot)?;
        let scope = self.vars.len();
        let turns: Vec<(Val<'v>, Val<'v>)> = match (&value, value.view()) {
            (_, View::Missing | View::Nil) => Vec::new(),
            (Val::Of(Value::Array(items)), _) => {
                items.iter().enumerate().map(|(n, item)| (Val::Int(n as i64), Val::Of(item))).collect()
            }
            (Val::Slice(items), _) => items.iter().enumerate().map(|(n, item)| (Val::Int(n as i64), Val::Of(item))).collect(),
            (Val::Of(Value::Object(map)), _) => map.iter().map(|(key, item)| (Val::Text(key.clone()), Val::Of(item))).collect(),
            (_, View::Int(n)) if n > STEPS as i64 => return Err(Stop::Error(self.wrong("the template runs for too long"))),
            (_, View::Int(n)) => (0..n.max(0)).map(|n| (Val::Int(n), Val::Int(n))).collect(),
            _ => return Err(Stop::Error(self.wrong(&format!("range can't iterate over {}", value.shown())))),
        };
        let none = turns.is_empty();
        for (key, item) in turns {
            match pipe.declared.as_slice() {
                [one] => self.declare(one, item.clone(), pipe.assigns),
                [first, second] => {
                    self.declare(first, key, pipe.assigns);
                    self.declare(second, item.clone(), pipe.assigns);
                }
                _ => (),
            }
            let outcome = self.list(body, &item);
            self.vars.truncate(scope);
            match outcome {
                Ok(()) | Err(Stop::Continue) => (),
                Err(Stop::Break) => return Ok(()),
                error => return error,
            }
        }
        if none { self.list(other, dot) } else { Ok(()) }
    }

    fn declare(&mut self, name: &str, value: Val<'v>, assigns: bool) {
        match self.vars.iter_mut().rev().find(|(known, _)| known == name).filter(|_| assigns) {
            Some((_, slot)) => *slot = value,
            None => self.vars.push((name.to_string(), value)),
        }
    }

    fn pipe(&mut self, pipe: &'t Pipe, dot: &Val<'v>) -> Outcome<'v> {
        let value = self.pipe_value(pipe, dot)?;
        for name in &pipe.declared {
            self.declare(name, value.clone(), pipe.assigns);
        }
        Ok(value)
    }

    fn pipe_value(&mut self, pipe: &'t Pipe, dot: &Val<'v>) -> Outcome<'v> {
        self.steps += 1;
        let mut last = None;
        for command in &pipe.commands {
            last = Some(self.command(command, dot, last)?);
        }
        Ok(last.unwrap_or(Val::Missing))
    }

    fn command(&mut self, command: &'t Command, dot: &Val<'v>, last: Option<Val<'v>>) -> Outcome<'v> {
        let first = &command.words[0];
        let alone = command.words.len() == 1 && last.is_none();
        match &first.what {
            What::Function(name) => return self.function(name, command, dot, last),
            What::Nil => {
                self.here(first.at, "nil");
                return Err(self.wrong("nil is not a command"));
            }
            What::Field(names) | What::Variable(_, names) | What::Chain(_, names) if !alone && !names.is_empty() => {
                self.here(first.at, text(first));
                let name = names.last().map_or("", String::as_str);
                return Err(self.wrong(&format!("{name} is not a method but has arguments")));
            }
            _ if !alone => {
                self.here(first.at, text(first));
                return Err(self.wrong(&format!("can't give argument to non-function {}", text(first))));
            }
            _ => (),
        }
        self.operand(first, dot)
    }

    fn operand(&mut self, operand: &'t Operand, dot: &Val<'v>) -> Outcome<'v> {
        match &operand.what {
            What::Pipe(pipe) => return self.pipe(pipe, dot),
            What::Function(name) => {
                let alone = Command { at: operand.at, words: vec![operand.clone()] };
                return self.call(name, &alone, Vec::new());
            }
            _ => self.here(operand.at, text(operand)),
        }
        match &operand.what {
            What::Dot => Ok(dot.clone()),
            What::Nil => Ok(Val::Missing),
            What::Bool(value) => Ok(Val::Bool(*value)),
            What::Number(Number::Whole(n), _) => Ok(Val::Int(*n)),
            What::Number(Number::Fraction(n), _) => Ok(Val::Float(*n)),
            What::Text(value, _) => Ok(Val::Text(value.clone())),
            What::Field(names) => self.fields(dot.clone(), names),
            What::Variable(name, names) => {
                let value = self.vars.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone());
                self.fields(value.unwrap_or(Val::Missing), names)
            }
            What::Chain(inner, names) => {
                let value = self.operand(inner, dot)?;
                self.here(operand.at, text(operand));
                self.fields(value, names)
            }
            What::Pipe(_) | What::Function(_) => Ok(Val::Missing),
        }
    }

    fn fields(&mut self, value: Val<'v>, names: &[String]) -> Outcome<'v> {
        names.iter().try_fold(value, |value, name| match (&value, value.view()) {
            (Val::Of(Value::Object(map)), _) => match map.get(name) {
                Some(member) => Ok(Val::Of(member)),
                None if self.strict => Err(self.wrong(&format!("map has no entry for key {name:?}"))),
                None => Ok(Val::Missing),
            },
            (_, View::Missing) if self.strict => Err(self.wrong(&format!("nil data; no entry for key {name:?}"))),
            (_, View::Missing) => Ok(Val::Missing),
            (_, View::Nil) => Err(self.wrong(&format!("nil pointer evaluating interface {{}}.{name}"))),
            (Val::Of(_), _) => Err(self.wrong(&format!("can't evaluate field {name} in type interface {{}}"))),
            _ => Err(self.wrong(&format!("can't evaluate field {name} in type {}", value.type_name()))),
        })
    }

    fn function(&mut self, name: &'t str, command: &'t Command, dot: &Val<'v>, last: Option<Val<'v>>) -> Outcome<'v> {
        // These two look at an argument only when the ones before it leave the answer open.
        if matches!(name, "and" | "or") {
            let mut value = Val::Missing;
            for (n, operand) in command.words[1..].iter().enumerate() {
                value = self.operand(operand, dot)?;
                if value.is_true() == (name == "or") || last.is_none() && n + 2 == command.words.len() {
                    return Ok(value);
                }
            }
            return match (last, command.words.len()) {
                (Some(last), _) => Ok(last),
                (None, 1) => self.call(name, command, Vec::new()),
                _ => Ok(value),
            };
        }
        let mut args = Vec::new();
        let given = command.words.len() - 1 + usize::from(last.is_some());
        self.check_arity(name, command, given)?;
        for operand in &command.words[1..] {
            args.push(self.operand(operand, dot)?);
        }
        args.extend(last);
        self.call(name, command, args)
    }

    fn check_arity(&mut self, name: &str, command: &Command, given: usize) -> Result<(), String> {
        let (want, exact) = arity(name);
        if given < want || exact && given > want && name != "ne" {
            self.here(command.at, name);
            let least = if exact { "" } else { "at least " };
            return Err(self.wrong(&format!("wrong number of args for {name}: want {least}{want} got {given}")));
        }
        Ok(())
    }

    fn call(&mut self, name: &str, command: &Command, args: Vec<Val<'v>>) -> Outcome<'v> {
        self.check_arity(name, command, args.len())?;
        self.steps += 1;
        call(name, &args).map_err(|what| {
            self.here(command.at, command_text(command));
            match what.starts_with("wrong type") {
                true => self.wrong(&what),
                false => self.wrong(&format!("error calling {name}: {what}")),
            }
        })
    }
}
