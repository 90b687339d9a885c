//! `kubectl label`, and what it shares with `annotate`.

use super::apply::{DryRun, manager};
use super::error::{Error, Result};
use super::flags::{Flag, Parsed, Takes, flag};
use super::print::output::Output;
use super::session::{Ask, MERGE, Session};
use super::subject::{self, Subject};
use serde_json::{Map, Value, json};

pub const FLAGS: &[Flag] = &[
    flag("overwrite", Takes::Bool, "change values that are already set"),
    flag("all", Takes::Bool, "every object of the type in the namespace"),
    flag("all-namespaces", Takes::Bool, "every namespace"),
    flag("list", Takes::Bool, "print the labels instead"),
    flag("local", Takes::Bool, "do not ask the server (not simulated here)"),
    flag("resource-version", Takes::Text, "only if the object is still at this version"),
];

/// Labels or annotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Labels,
    Annotations,
}

impl Which {
    fn field(self) -> &'static str {
        if self == Which::Labels { "labels" } else { "annotations" }
    }

    fn singular(self) -> &'static str {
        if self == Which::Labels { "label" } else { "annotation" }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Changes {
    set: Vec<(String, String)>,
    remove: Vec<String>,
}

/// Runs `kubectl label`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    run_for(s, p, Which::Labels).await
}

/// Runs `label` or `annotate`.
pub async fn run_for(s: &mut Session<'_>, p: &Parsed, which: Which) -> Result<i32> {
    if p.on("local") {
        return Err(Error::not_simulated("--local"));
    }
    let (operands, changes) = split(&p.operands, which)?;
    if changes == Changes::default() && !p.on("list") {
        return Err(Error::plain(format!("at least one {} update is required", which.singular())));
    }
    let dry_run = DryRun::of(p)?;
    let output = Output::parse(p)?;
    let subjects = subject::subjects(s, p, &operands).await?;
    let mut printed = Vec::new();
    for subject in subjects {
        if p.on("list") {
            for (key, value) in subject.object["metadata"][which.field()].as_object().into_iter().flatten() {
                s.say(&format!("{key}={}", super::print::scalar(value)));
            }
            continue;
        }
        let (word, object) = change(s, p, which, &changes, &subject, dry_run).await?;
        match output.is_human() {
            true => s.say(&format!("{} {word}{}", subject.printed(), dry_run.suffix())),
            false => printed.push(object),
        }
    }
    super::apply::print_objects(s, p, &output, printed).await?;
    Ok(0)
}

/// Operands that look like changes are changes; all that come first name objects.
fn split(operands: &[String], which: Which) -> Result<(Vec<String>, Changes)> {
    let is_change = |word: &String| word.contains('=') || word.ends_with('-') && word.len() > 1;
    let first = operands.iter().position(is_change).unwrap_or(operands.len());
    let mut changes = Changes::default();
    for word in &operands[first..] {
        match (word.split_once('='), word.strip_suffix('-')) {
            (Some((_, value)), _) if which == Which::Labels && value.contains('=') => {
                return Err(Error::plain(format!("invalid label spec: {word}")));
            }
            (Some((key, value)), _) => {
                check(which, key, value)?;
                changes.set.push((key.to_string(), value.to_string()));
            }
            (None, Some(key)) => changes.remove.push(key.to_string()),
            (None, None) => {
                return Err(Error::plain(format!("all resources must be specified before {} changes: {word}", which.singular())));
            }
        }
    }
    match changes.set.iter().find(|(key, _)| changes.remove.contains(key)) {
        Some((key, _)) => {
            Err(Error::plain(format!("can not both modify and remove a {} in the same command", which.singular()) + &key[..0]))
        }
        None => Ok((operands[..first].to_vec(), changes)),
    }
}

/// A label's value is refused before the server sees it.
fn check(which: Which, key: &str, value: &str) -> Result<()> {
    if key.is_empty() {
        return Err(Error::plain(format!("invalid {} spec: ={value}", which.singular())));
    }
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    let good = value.len() <= 63 && value.chars().all(inner) && edge(value.chars().next()) && edge(value.chars().last());
    match which == Which::Annotations || good {
        true => Ok(()),
        false => Err(Error::plain(format!(
            "invalid label value: {:?}: a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
            format!("{key}={value}")
        ))),
    }
}

async fn change(
    s: &mut Session<'_>,
    p: &Parsed,
    which: Which,
    changes: &Changes,
    subject: &Subject,
    dry_run: DryRun,
) -> Result<(&'static str, Value)> {
    let empty = Map::new();
    let present = subject.object["metadata"][which.field()].as_object().unwrap_or(&empty);
    if !p.on("overwrite") {
        let clash = changes.set.iter().find(|(k, v)| present.get(k).is_some_and(|old| old != v));
        if let Some((key, _)) = clash {
            let old = super::print::scalar(&present[key]);
            return Err(Error::plain(match which {
                Which::Labels => format!("'{key}' already has a value ({old}), and --overwrite is false"),
                Which::Annotations => format!(
                    "--overwrite is false but found the following declared annotation(s): '{key}' already has a value ({old})"
                ),
            }));
        }
    }
    if which == Which::Labels {
        for key in changes.remove.iter().filter(|k| !present.contains_key(*k)) {
            s.say(&format!("label {key:?} not found."));
        }
    }
    let mut members = Map::new();
    members.extend(
        changes.set.iter().filter(|(k, v)| present.get(k).is_none_or(|old| old != v)).map(|(k, v)| (k.clone(), json!(v))),
    );
    let added = !members.is_empty();
    members.extend(changes.remove.iter().filter(|k| present.contains_key(*k)).map(|k| (k.clone(), Value::Null)));
    let removed = members.values().any(Value::is_null);
    let word = match (which, added, removed) {
        (Which::Annotations, ..) => "annotated",
        (_, true, true) => "modified",
        (_, true, false) => "labeled",
        (_, false, true) => "unlabeled",
        (_, false, false) => "not labeled",
    };
    if members.is_empty() || dry_run == DryRun::Client {
        return Ok((word, subject.object.clone()));
    }
    let mut body = json!({"metadata": {which.field(): members}});
    if let Some(version) = p.text("resource-version") {
        body["metadata"]["resourceVersion"] = json!(version);
    }
    let default = if which == Which::Labels { "kubectl-label" } else { "kubectl-annotate" };
    let ask =
        Ask::patch(subject.path(), MERGE, &body).query("dryRun", dry_run.query()).query("fieldManager", manager(p, default));
    Ok((word, s.json(ask).await?))
}
