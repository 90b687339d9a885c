//! Evaluates a template.

use super::{Compare, Error, Expr, Node, Operand, Step};
use serde_json::Value;
use std::cmp::Ordering;

/// More results than any lab object has: a runaway `..`.
const RESULTS: usize = 1_000_000;

pub(super) fn print(nodes: &[Node], root: &Value, here: &Value, out: &mut String) -> Result<(), Error> {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Paths(exprs) => {
                for expr in exprs {
                    match expr {
                        Expr::Literal(text) => out.push_str(text),
                        Expr::Path(steps) => {
                            let texts: Vec<String> = walk(steps, root, vec![here])?.into_iter().map(text_of).collect();
                            out.push_str(&texts.join(" "));
                        }
                    }
                }
            }
            Node::Range(steps, body) => {
                for item in walk(steps, root, vec![here])? {
                    print(body, root, item, out)?;
                }
            }
        }
    }
    Ok(())
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Follows the steps from every value of `here`.
pub(super) fn walk<'v>(steps: &[Step], root: &'v Value, here: Vec<&'v Value>) -> Result<Vec<&'v Value>, Error> {
    let mut current = here;
    for (position, step) in steps.iter().enumerate() {
        let after_descent = position > 0 && steps[position - 1] == Step::Descend;
        let mut next = Vec::new();
        if let Step::Union(branches) = step {
            for branch in branches {
                next.extend(walk(branch, root, current.clone())?);
            }
        } else {
            for value in current {
                take(step, root, value, after_descent, &mut next)?;
            }
        }
        if next.len() > RESULTS {
            return Err("the path finds too many values".into());
        }
        current = next;
    }
    Ok(current)
}

fn take<'v>(step: &Step, root: &'v Value, value: &'v Value, lenient: bool, out: &mut Vec<&'v Value>) -> Result<(), Error> {
    match step {
        Step::Root => out.push(value),
        Step::Field(name) => out.extend(value.get(name)),
        Step::Descend => descend(value, out),
        Step::Wildcard => match value {
            Value::Array(items) => out.extend(items),
            Value::Object(members) => out.extend(members.values()),
            _ => (),
        },
        Step::Index(index) => match value {
            Value::Array(items) => out.push(&items[position(*index, items.len())?]),
            _ if lenient || value.is_null() => (),
            other => return Err(format!("{} is not array or slice", type_of(other))),
        },
        Step::Slice(from, to, step) => match value {
            Value::Array(items) => slice(items, *from, *to, *step, out)?,
            _ if lenient || value.is_null() => (),
            other => return Err(format!("{} is not array or slice", type_of(other))),
        },
        Step::Filter(left, compare, right) => {
            let items: Vec<&Value> = match value {
                Value::Array(items) => items.iter().collect(),
                Value::Object(_) if lenient => Vec::new(),
                Value::Object(members) => members.values().collect(),
                _ => Vec::new(),
            };
            for item in items {
                if holds(left, *compare, right, root, item)? {
                    out.push(item);
                }
            }
        }
        Step::Union(branches) => {
            for branch in branches {
                out.extend(walk(branch, root, vec![value])?);
            }
        }
    }
    Ok(())
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Object(_) => "map[string]interface {}",
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "bool",
        _ => "nil",
    }
}

fn position(index: i64, length: usize) -> Result<usize, Error> {
    let at = if index < 0 { index + length as i64 } else { index };
    match at {
        at if at < 0 || at >= length as i64 => Err(format!("array index out of bounds: index {at}, length {length}")),
        at => Ok(at as usize),
    }
}

fn slice<'v>(
    items: &'v [Value],
    from: Option<i64>,
    to: Option<i64>,
    step: Option<i64>,
    out: &mut Vec<&'v Value>,
) -> Result<(), Error> {
    let length = items.len() as i64;
    let clamp = |at: i64| if at < 0 { (at + length).max(0) } else { at.min(length) };
    let (start, end) = (clamp(from.unwrap_or(0)), clamp(to.unwrap_or(length)));
    let step = step.unwrap_or(1);
    if step < 1 {
        return Err("step must be > 0".into());
    }
    if start < end {
        out.extend(items[start as usize..end as usize].iter().step_by(step as usize));
    }
    Ok(())
}

/// The value itself and everything below it.
fn descend<'v>(value: &'v Value, out: &mut Vec<&'v Value>) {
    out.push(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| descend(item, out)),
        Value::Object(members) => members.values().for_each(|member| descend(member, out)),
        _ => (),
    }
}

fn holds(left: &Operand, compare: Compare, right: &Operand, root: &Value, item: &Value) -> Result<bool, Error> {
    let lefts = values(left, root, item)?;
    if compare == Compare::Exists {
        return Ok(!lefts.is_empty());
    }
    let rights = values(right, root, item)?;
    let (Some(left), Some(right)) = (lefts.first(), rights.first()) else { return Ok(false) };
    let order = order(left, right)?;
    Ok(match compare {
        Compare::Exists | Compare::Eq => order == Ordering::Equal,
        Compare::Ne => order != Ordering::Equal,
        Compare::Lt => order == Ordering::Less,
        Compare::Le => order != Ordering::Greater,
        Compare::Gt => order == Ordering::Greater,
        Compare::Ge => order != Ordering::Less,
    })
}

fn values(operand: &Operand, root: &Value, item: &Value) -> Result<Vec<Value>, Error> {
    match operand {
        Operand::Value(value) => Ok(vec![value.clone()]),
        Operand::Path(steps) => Ok(walk(steps, root, vec![item])?.into_iter().cloned().collect()),
    }
}

fn order(left: &Value, right: &Value) -> Result<Ordering, Error> {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => {
            Ok(a.as_f64().unwrap_or(0.0).partial_cmp(&b.as_f64().unwrap_or(0.0)).unwrap_or(Ordering::Equal))
        }
        (Value::String(a), Value::String(b)) => Ok(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Ok(a.cmp(b)),
        _ => Err("incompatible types for comparison".into()),
    }
}
