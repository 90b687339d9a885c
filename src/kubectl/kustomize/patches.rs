//! Patches: strategic merges as kustomize does them (new list elements first), and JSON patches.

use super::read::Kustomization;
use super::{Build, Res};
use crate::base::yaml;
use crate::k8s::kinds;
use crate::k8s::patch as json_patch;
use crate::k8s::selector::LabelSelector;
use crate::k8s::types::{self, Message, Shape};
use crate::kubectl::error::{Error, Result};
use regex::Regex;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// `patchesStrategicMerge`: files or texts, each aimed at the object it names.
///
/// # Errors
/// What cannot be read, and patches for objects that are not there.
pub fn strategic(build: &Build<'_>, folder: &str, from: &Kustomization, all: &mut Vec<Res>) -> Result<()> {
    for entry in &from.strategic {
        let text = match entry.contains('\n') {
            true => entry.clone(),
            false => build.file(folder, entry)?,
        };
        merge_all(&text, all)?;
    }
    Ok(())
}

/// `patches`: by path or in place, with or without a target.
///
/// # Errors
/// As [`strategic`].
pub fn patches(build: &Build<'_>, folder: &str, from: &Kustomization, all: &mut Vec<Res>) -> Result<()> {
    from.patches.iter().try_for_each(|entry| patch(build, folder, entry, all))
}

/// `patchesJson6902`.
///
/// # Errors
/// As [`strategic`].
pub fn json6902(build: &Build<'_>, folder: &str, from: &Kustomization, all: &mut Vec<Res>) -> Result<()> {
    from.json6902.iter().try_for_each(|entry| patch(build, folder, entry, all))
}

fn patch(build: &Build<'_>, folder: &str, entry: &Value, all: &mut Vec<Res>) -> Result<()> {
    let text = match (entry["path"].as_str(), entry["patch"].as_str()) {
        (Some(_), Some(_)) => return Err(Error::plain("patch and path can't be set at the same time")),
        (Some(path), None) => build.file(folder, path)?,
        (None, Some(text)) => text.to_string(),
        (None, None) => return Err(Error::plain("must specify one of patch and path in PatchTransformer")),
    };
    let target = &entry["target"];
    if target.is_null() {
        return merge_all(&text, all);
    }
    let documents =
        yaml::parse_documents(&text).map_err(|e| Error::plain(format!("unable to parse SM or JSON patch from [{text}]: {e}")))?;
    let chosen: Vec<usize> = (0..all.len()).filter(|at| matches(target, &all[*at])).collect();
    for document in documents {
        for at in chosen.iter().rev() {
            match &document {
                Value::Array(operations) => {
                    let (name, namespace) = (all[*at].name().to_string(), all[*at].namespace().to_string());
                    json_patch::json_patch(&mut all[*at].value, operations).map_err(Error::Plain)?;
                    if (all[*at].name(), all[*at].namespace()) != (name.as_str(), namespace.as_str()) {
                        all[*at].known.push((name, namespace));
                    }
                }
                patch => merge_one(*at, patch, entry, all),
            }
        }
    }
    Ok(())
}

/// A strategic merge with a target keeps the object's own name and kind.
fn merge_one(at: usize, patch: &Value, entry: &Value, all: &mut Vec<Res>) {
    let mut patch = patch.clone();
    let (name, kind, api) = (all[at].name().to_string(), all[at].value["kind"].clone(), all[at].value["apiVersion"].clone());
    if entry["options"]["allowNameChange"] != true {
        patch["metadata"]["name"] = Value::String(name);
    }
    if entry["options"]["allowKindChange"] != true {
        patch["kind"] = kind;
        patch["apiVersion"] = api;
    }
    if patch["$patch"] == "delete" {
        all.remove(at);
        return;
    }
    let of = message(&all[at].value);
    merge(&mut all[at].value, &patch, of);
}

fn merge_all(text: &str, all: &mut Vec<Res>) -> Result<()> {
    let wrong = |e: yaml::Error| Error::plain(format!("unable to parse SM or JSON patch from [{text}]: {e}"));
    for patch in yaml::parse_documents(text).map_err(wrong)? {
        if patch.is_array() {
            return Err(Error::plain(format!(
                "unable to find a target for the JSON patch {patch}; must specify a target for JSON patch"
            )));
        }
        let wanted = Res::new(patch.clone());
        let fits = |res: &&Res| {
            res.kind() == wanted.kind()
                && res.group_version().0 == wanted.group_version().0
                && res.was(wanted.name(), wanted.namespace())
        };
        let found: Vec<usize> = all.iter().enumerate().filter(|(_, res)| fits(res)).map(|(at, _)| at).collect();
        let [at] = found.as_slice() else {
            let what = if found.is_empty() { "no matches for Id" } else { "multiple matches for Id" };
            let id = wanted.id();
            return Err(Error::plain(format!(
                "no resource matches strategic merge patch {id:?}: {what} {id}; failed to find unique target for patch {id}"
            )));
        };
        if patch["$patch"] == "delete" {
            all.remove(*at);
            continue;
        }
        let mut patch = patch;
        let of = message(&all[*at].value);
        // The name in the patch is the one in the file; the object may have another by now.
        if let Some(metadata) = patch["metadata"].as_object_mut() {
            metadata.remove("name");
            metadata.remove("namespace");
        }
        merge(&mut all[*at].value, &patch, of);
    }
    Ok(())
}

/// Whether a target's patterns, each for the whole text, and selectors fit an object.
fn matches(target: &Value, res: &Res) -> bool {
    let (group, version) = res.group_version();
    let fits = |field: &str, values: &[&str]| match target[field].as_str().filter(|p| !p.is_empty()) {
        None => true,
        Some(pattern) => {
            let whole = Regex::new(&format!("^(?:{pattern})$"));
            whole.is_ok_and(|whole| values.iter().any(|value| whole.is_match(value)))
        }
    };
    let names: Vec<&str> = res.known.iter().map(|(name, _)| name.as_str()).chain([res.name()]).collect();
    let namespaces: Vec<&str> = res.known.iter().map(|(_, ns)| ns.as_str()).chain([res.namespace()]).collect();
    let selected = |field: &str, members: &Value| match target[field].as_str().filter(|s| !s.is_empty()) {
        None => true,
        Some(selector) => {
            let pairs: BTreeMap<&str, &str> =
                members.as_object().into_iter().flatten().filter_map(|(k, v)| Some((k.as_str(), v.as_str()?))).collect();
            LabelSelector::parse(selector).is_ok_and(|selector| selector.matches(&pairs))
        }
    };
    fits("group", &[group])
        && fits("version", &[version])
        && fits("kind", &[res.kind()])
        && fits("name", &names)
        && fits("namespace", &namespaces)
        && selected("labelSelector", &res.value["metadata"]["labels"])
        && selected("annotationSelector", &res.value["metadata"]["annotations"])
}

fn message(object: &Value) -> Option<&'static Message> {
    let text = object["apiVersion"].as_str()?;
    let (group, version) = text.split_once('/').unwrap_or(("", text));
    types::message(&kinds::find(group, object["kind"].as_str()?)?.message(version))
}

/// Merges a patch into a value: null removes, lists with keys merge by them, other lists are replaced.
fn merge(value: &mut Value, patch: &Value, of: Option<&'static Message>) {
    let Value::Object(patch) = patch else {
        *value = patch.clone();
        return;
    };
    if patch.get("$patch").is_some_and(|d| d == "replace") || !value.is_object() {
        *value = Value::Object(Map::new());
    }
    for (key, change) in patch.iter().filter(|(key, _)| *key != "$patch") {
        let field = of.and_then(|message| message.field(key));
        let inner = field.filter(|field| field.shape != Shape::Map).and_then(|field| types::message(field.of));
        let Some(members) = value.as_object_mut() else { return };
        match (change, field.map(|field| field.merge)) {
            (Value::Null, _) => drop(members.remove(key)),
            (Value::Object(map), _) if map.get("$patch").is_some_and(|d| d == "delete") => drop(members.remove(key)),
            (Value::Object(_), _) => {
                let slot = members.entry(key.clone()).or_insert(Value::Null);
                merge(slot, change, inner);
                // What only removes leaves nothing behind.
                if slot.as_object().is_some_and(Map::is_empty) {
                    members.remove(key);
                }
            }
            (Value::Array(items), Some(rule)) if rule.merge => {
                let old = members.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
                let merged = match rule.key {
                    Some(by) => merge_list(old, items, by, inner),
                    None => items.iter().cloned().chain(old.iter().filter(|o| !items.contains(o)).cloned()).collect(),
                };
                match merged.is_empty() {
                    true => drop(members.remove(key)),
                    false => drop(members.insert(key.clone(), Value::Array(merged))),
                }
            }
            _ => drop(members.insert(key.clone(), change.clone())),
        }
    }
}

/// The patch's elements come first, in its order, then the others.
fn merge_list(old: Vec<Value>, patch: &[Value], by: &str, of: Option<&'static Message>) -> Vec<Value> {
    if patch.iter().any(|item| item["$patch"] == "replace") {
        return patch.iter().filter(|item| item["$patch"].is_null()).cloned().collect();
    }
    let (mut first, mut rest) = (Vec::new(), old);
    for item in patch {
        let known = rest.iter().position(|o| o[by] == item[by]);
        let mut element = known.map_or(Value::Null, |at| rest.remove(at));
        if item["$patch"] == "delete" {
            continue;
        }
        merge(&mut element, item, of);
        first.push(element);
    }
    first.extend(rest);
    first
}
