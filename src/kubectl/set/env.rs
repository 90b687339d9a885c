//! `kubectl set env`.

use super::{change, fits, no_template, pod_spec, split};
use crate::kubectl::error::{Error, Result};
use crate::kubectl::fetch;
use crate::kubectl::flags::{Flag, Parsed, Takes, flag, short};
use crate::kubectl::select;
use crate::kubectl::session::Session;
use crate::kubectl::subject;
use serde_json::{Value, json};

pub const FLAGS: &[Flag] = &[
    flag("list", Takes::Bool, "print the variables instead"),
    flag("resolve", Takes::Bool, "with --list: print what references stand for"),
    short("env", 'e', Takes::Array, "NAME=VALUE, as an operand too"),
    flag("from", Takes::Text, "all keys of configmap/NAME or secret/NAME"),
    flag("keys", Takes::List, "with --from: only these keys"),
    flag("prefix", Takes::Text, "with --from: put before the names"),
    flag("overwrite", Takes::Bool, "change variables that are set already (default true)"),
];

/// Variables to set and to remove.
#[derive(Debug, Default)]
struct Changes {
    set: Vec<Value>,
    remove: Vec<String>,
}

pub async fn run(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let (operands, words) = split(p);
    let operands = operands.to_vec();
    let mut changes = read(words, p.list("env"))?;
    if p.given("from") {
        changes.set.extend(from(s, p).await?);
    }
    if operands.is_empty() && !p.given("filename") && !p.given("kustomize") {
        return Err(Error::plain("one or more resources must be specified as <resource> <name> or <resource>/<name>"));
    }
    if p.on("list") {
        return list(s, p, &operands).await;
    }
    let pattern = p.text("containers").unwrap_or("*").to_string();
    let overwrite = p.on_or("overwrite", true);
    change(s, p, &operands, "env updated", |subject, object| {
        let spec = pod_spec(object).ok_or_else(|| no_template(subject))?;
        for container in spec["containers"].as_array_mut().into_iter().flatten() {
            if fits(container["name"].as_str().unwrap_or(""), &pattern) {
                update(container, &changes, overwrite)?;
            }
        }
        Ok(())
    })
    .await
}

fn read(words: &[String], more: &[String]) -> Result<Changes> {
    let mut changes = Changes::default();
    for word in words.iter().chain(more) {
        match (word.split_once('='), word.strip_suffix('-')) {
            (Some((name, value)), _) => changes.set.push(json!({"name": name, "value": value})),
            (None, Some(name)) => changes.remove.push(name.to_string()),
            (None, None) => return Err(Error::plain(format!("environment variables must be of the form key=value: {word}"))),
        }
    }
    match changes.set.iter().find(|entry| changes.remove.iter().any(|name| entry["name"] == **name)) {
        Some(both) => Err(Error::plain(format!(
            "can not both modify and remove the following environment variable(s) in the same command: {}",
            both["name"].as_str().unwrap_or("")
        ))),
        None => Ok(changes),
    }
}

/// `--from`: a reference for each key.
async fn from(s: &mut Session<'_>, p: &Parsed) -> Result<Vec<Value>> {
    let (word, name) = p.str("from").split_once('/').ok_or_else(|| Error::plain("--from takes configmap/NAME or secret/NAME"))?;
    let resource = select::one_type(s, word).await?;
    let reference = match resource.kind.as_str() {
        "ConfigMap" => "configMapKeyRef",
        "Secret" => "secretKeyRef",
        _ => return Err(Error::plain(format!("unsupported resource specified in --from: {}", resource.plural))),
    };
    let namespace = s.namespace.clone();
    let object = fetch::object(s, &resource, &namespace, name).await?;
    let wanted = |key: &String| p.list("keys").is_empty() || p.list("keys").contains(key);
    let keys = object["data"].as_object().into_iter().flat_map(|data| data.keys()).filter(|key| wanted(key));
    let mut transferred = Vec::new();
    let mut variable = |key: &String| {
        let name: String = key.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
        if name != key.to_ascii_uppercase() {
            transferred.push(format!("Warning: key {key} transferred to {name}"));
        }
        json!({"name": format!("{}{name}", p.str("prefix")), "valueFrom": {reference: {"name": object["metadata"]["name"], "key": key}}})
    };
    let found = keys.map(&mut variable).collect();
    for warning in transferred {
        s.warn(&warning);
    }
    Ok(found)
}

fn update(container: &mut Value, changes: &Changes, overwrite: bool) -> Result<()> {
    let mut env = container["env"].as_array().cloned().unwrap_or_default();
    let clash = changes.set.iter().find(|new| env.iter().any(|old| old["name"] == new["name"]));
    if let Some(clash) = clash.filter(|_| !overwrite) {
        let name = clash["name"].as_str().unwrap_or("");
        return Err(Error::plain(format!("'{name}' already has a value, and --overwrite is false")));
    }
    for entry in &changes.set {
        match env.iter_mut().find(|old| old["name"] == entry["name"]) {
            Some(old) => *old = entry.clone(),
            None => env.push(entry.clone()),
        }
    }
    env.retain(|entry| !changes.remove.iter().any(|name| entry["name"] == **name));
    match env.is_empty() {
        true => drop(container.as_object_mut().and_then(|c| c.remove("env"))),
        false => container["env"] = json!(env),
    }
    Ok(())
}

async fn list(s: &mut Session<'_>, p: &Parsed, operands: &[String]) -> Result<i32> {
    for subject in subject::subjects(s, p, operands).await? {
        let mut object = subject.object.clone();
        let Some(spec) = pod_spec(&mut object) else { return Err(no_template(&subject)) };
        for container in spec["containers"].as_array().into_iter().flatten() {
            let text = |value: &Value| value.as_str().unwrap_or("").to_string();
            s.say(&format!("# {} {}, container {}", subject.resource.kind, subject.name(), text(&container["name"])));
            for entry in container["env"].as_array().into_iter().flatten() {
                let name = text(&entry["name"]);
                let from = &entry["valueFrom"];
                match [("configMapKeyRef", "configmap"), ("secretKeyRef", "secret")].iter().find(|(f, _)| from[f].is_object()) {
                    Some((field, what)) => {
                        let (object, key) = (text(&from[field]["name"]), text(&from[field]["key"]));
                        s.say(&format!("# {name} from {what} {object}, key {key}"));
                    }
                    None if from["fieldRef"].is_object() => {
                        s.say(&format!("# {name} from field path {}", text(&from["fieldRef"]["fieldPath"])));
                    }
                    None => s.say(&format!("{name}={}", text(&entry["value"]))),
                }
            }
        }
    }
    Ok(0)
}
