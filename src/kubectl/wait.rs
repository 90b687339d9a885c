//! `kubectl wait`.

use super::discovery::Resource;
use super::error::{Error, Result};
use super::fetch::{self, Filter, Seen};
use super::flags::{Flag, Parsed, Takes, flag, short};
use super::manifest;
use super::print::scalar;
use super::select;
use super::session::{Ask, JSON, Session};
use crate::base::duration::go_duration_ms;
use crate::k8s::jsonpath::JsonPath;
use futures::future::BoxFuture;
use serde_json::Value;

pub const FLAGS: &[Flag] = &[
    flag("for", Takes::Array, "condition=NAME[=VALUE], delete, create or jsonpath={PATH}[=VALUE]"),
    flag("timeout", Takes::Text, "how long to wait (default 30s; 0 looks once, negative waits for a week)"),
    flag("all", Takes::Bool, "every object of the type in the namespace"),
    short("all-namespaces", 'A', Takes::Bool, "every namespace"),
    flag("local", Takes::Bool, "do not ask the server (not simulated here)"),
];

const WEEK: i64 = 7 * 24 * 3_600_000;

/// What is waited for.
#[derive(Debug, Clone)]
enum Goal {
    Condition { name: String, value: String },
    JsonPath { path: JsonPath, value: Option<String> },
    Delete,
    Create,
}

/// One object to wait for.
struct Subject {
    resource: Resource,
    namespace: String,
    name: String,
}

/// Runs `kubectl wait`.
pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let goal = goal(p)?;
    let limit = match p.text("timeout") {
        None => 30_000,
        Some(text) => go_duration_ms(text).ok_or_else(|| {
            Error::usage("wait", format!("invalid argument {text:?} for \"--timeout\" flag: time: invalid duration {text:?}"))
        })?,
    };
    let limit = if limit < 0 { WEEK } else { limit };
    let mut deadline = s.ctx.pause.pause(limit as u64);
    let subjects = subjects(s, p, &goal).await?;
    if subjects.is_empty() && !matches!(goal, Goal::Delete) {
        return Err(Error::plain("no matching resources found"));
    }
    let mut errors = Vec::new();
    for subject in subjects {
        match until(s, &subject, &goal, &mut deadline, limit).await {
            Ok(true) => s.say(&format!("{}/{} condition met", subject.resource.printed(), subject.name)),
            Ok(false) => (),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => errors.push(error),
        }
        if !errors.is_empty() {
            // Time is up for the others as well: a deadline must not be polled again.
            deadline = s.ctx.pause.pause(0);
        }
    }
    Error::all(errors).map(|()| 0)
}

fn goal(p: &Parsed) -> Result<Goal> {
    let text = match p.list("for") {
        [] => return Err(Error::plain("unrecognized condition: []")),
        [one] => one.as_str(),
        _ => return Err(Error::not_simulated("wait with several --for")),
    };
    let unquoted = |text: &str| text.trim_matches(['\'', '"']).to_string();
    if text.eq_ignore_ascii_case("delete") {
        return Ok(Goal::Delete);
    }
    if text.eq_ignore_ascii_case("create") {
        return Ok(Goal::Create);
    }
    if let Some(rest) = text.strip_prefix("condition=") {
        let (name, value) = rest.split_once('=').unwrap_or((rest, "true"));
        return Ok(Goal::Condition { name: name.to_string(), value: unquoted(value) });
    }
    if let Some(rest) = text.strip_prefix("jsonpath=") {
        let end = rest.rfind('}').map_or(rest.len(), |at| at + 1);
        let (path, value) = match rest[end..].strip_prefix('=') {
            Some(value) => (&rest[..end], Some(unquoted(value))),
            None if end == rest.len() && !rest.starts_with('{') => match rest.split_once('=') {
                Some((path, value)) => (path, Some(unquoted(value))),
                None => (rest, None),
            },
            None => (rest, None),
        };
        if value.as_deref() == Some("") {
            return Err(Error::plain("jsonpath wait value cannot be empty"));
        }
        let path = JsonPath::parse_relaxed(path).map_err(Error::Plain)?;
        return Ok(Goal::JsonPath { path, value });
    }
    Err(Error::plain(format!("unrecognized condition: {text:?}")))
}

async fn subjects(s: &mut Session<'_>, p: &Parsed, goal: &Goal) -> Result<Vec<Subject>> {
    if p.given("filename") {
        let (items, errors) = manifest::read(s, p).await?;
        Error::all(errors)?;
        let subject = |i: manifest::Item| Subject { name: i.name().to_string(), resource: i.resource, namespace: i.namespace };
        return Ok(items.into_iter().map(subject).collect());
    }
    if p.operands.is_empty() {
        return Err(Error::plain("You must provide one or more resources by argument or filename."));
    }
    let targets = select::targets(s, &p.operands).await?;
    select::no_name_with_selector(p, &targets)?;
    let filter = Filter::of(s, p);
    let mut found = Vec::new();
    for target in targets.items {
        let namespace = if target.resource.namespaced { filter.namespace.clone() } else { String::new() };
        if !target.name.is_empty() {
            found.push(Subject { resource: target.resource, namespace, name: target.name });
            continue;
        }
        if !p.on("all") && !p.given("selector") && !p.given("field-selector") {
            return Err(Error::plain("resource(s) were provided, but no name was specified"));
        }
        if matches!(goal, Goal::Create) {
            return Err(Error::not_simulated("wait --for=create with a selector"));
        }
        for object in fetch::objects(s, &target.resource, &filter).await? {
            let text = |key: &str| object["metadata"][key].as_str().unwrap_or("").to_string();
            found.push(Subject { resource: target.resource.clone(), namespace: text("namespace"), name: text("name") });
        }
    }
    Ok(found)
}

/// Waits for one object. False: nothing is said (it was gone before it was looked for).
async fn until(
    s: &mut Session<'_>,
    subject: &Subject,
    goal: &Goal,
    deadline: &mut BoxFuture<'static, ()>,
    limit: i64,
) -> Result<bool> {
    let path = subject.resource.object_path(&subject.namespace, &subject.name);
    let late = || Error::plain(format!("timed out waiting for the condition on {}/{}", subject.resource.plural, subject.name));
    let filter =
        Filter { namespace: subject.namespace.clone(), fields: format!("metadata.name={}", subject.name), ..Filter::default() };
    let mut uid = None;
    loop {
        let got = s.json(Ask::get(path.clone())).await;
        let version = match (got, goal) {
            (Err(error), Goal::Delete) if error.is_not_found() => return Ok(uid.is_some()),
            (Err(error), Goal::Create) if error.is_not_found() => String::new(),
            (Err(error), _) if error.is_not_found() => {
                return fetch::named(s, &subject.resource, &subject.namespace, Err(error)).await.map(|_| false);
            }
            (got, _) => {
                let object = got?;
                let id = object["metadata"]["uid"].as_str().unwrap_or("").to_string();
                let known = uid.get_or_insert_with(|| id.clone());
                if met(goal, &object)? || matches!(goal, Goal::Delete) && *known != id {
                    return Ok(true);
                }
                object["metadata"]["resourceVersion"].as_str().unwrap_or("").to_string()
            }
        };
        if limit == 0 {
            return Err(late());
        }
        let mut watch = fetch::watch(s, &subject.resource, &filter, &version, JSON).await?;
        loop {
            match watch.next(s, Some(deadline)).await? {
                Seen::Event(kind, _) if kind == "DELETED" => match goal {
                    Goal::Delete => return Ok(true),
                    Goal::Create => (),
                    _ => return Err(Error::plain(format!("{} {:?} was deleted", subject.resource.plural, subject.name))),
                },
                Seen::Event(_, object) if met(goal, &object)? => return Ok(true),
                Seen::Event(..) => (),
                Seen::Ended | Seen::Stale(_) => break,
                Seen::TimedOut => return Err(late()),
            }
        }
    }
}

fn met(goal: &Goal, object: &Value) -> Result<bool> {
    match goal {
        Goal::Delete => Ok(false),
        Goal::Create => Ok(true),
        Goal::Condition { name, value } => {
            let observed = object["status"]["observedGeneration"].as_i64();
            let generation = object["metadata"]["generation"].as_i64();
            if observed.zip(generation).is_some_and(|(observed, generation)| observed < generation) {
                return Ok(false);
            }
            let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
            let found = conditions.iter().find(|c| c["type"].as_str().is_some_and(|t| t.eq_ignore_ascii_case(name)));
            Ok(found.is_some_and(|c| c["status"].as_str().is_some_and(|v| v.eq_ignore_ascii_case(value))))
        }
        Goal::JsonPath { path, value } => {
            let found = path.find(object).map_err(Error::Plain)?;
            match (found.as_slice(), value) {
                ([], _) => Ok(false),
                ([one], Some(value)) => Ok(scalar(one) == *value),
                ([_, ..], None) => Ok(true),
                (_, Some(_)) => Err(Error::plain("given jsonpath expression matches more than one value")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubectl::{restrict::Restrictions, verbs};
    use serde_json::json;

    fn holds(goal_text: &str) -> std::result::Result<bool, String> {
        let argv = ["wait".to_string(), "pod/x".into(), format!("--for={goal_text}")];
        let line = verbs::resolve(&argv, &Restrictions::none()).unwrap();
        let object = json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 2, "phase": "Running", "replicas": 3,
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "Bad", "status": "False"}]}});
        let goal = goal(&line.parsed).map_err(|e| e.text())?;
        met(&goal, &object).map_err(|e| e.text())
    }

    #[test]
    fn goals() {
        let rows = [
            ("condition=Ready", Ok(true)),
            ("condition=ready=true", Ok(true)),
            ("condition=Bad", Ok(false)),
            ("condition=Bad=false", Ok(true)),
            ("condition=Nope", Ok(false)),
            ("jsonpath={.status.phase}=Running", Ok(true)),
            ("jsonpath={.status.replicas}=3", Ok(true)),
            ("jsonpath={.status.phase}=Failed", Ok(false)),
            ("jsonpath={.status.phase}", Ok(true)),
            ("jsonpath={.status.nothing}", Ok(false)),
            ("create", Ok(true)),
            ("delete", Ok(false)),
            ("nonsense", Err("error: unrecognized condition: \"nonsense\"".to_string())),
        ];
        for (text, want) in rows {
            assert_eq!(holds(text), want, "{text}");
        }
    }
}
