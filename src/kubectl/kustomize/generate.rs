//! Config maps and secrets made from literals and files, and the hashes behind their names.

use super::read::Kustomization;
use super::{Build, Res};
use crate::k8s::base64::encode as base64;
use crate::k8s::digest::name_suffix;
use crate::kubectl::error::{Error, Result};
use crate::kubectl::print::go_json;
use serde_json::{Map, Value, json};

/// Runs a kustomization's generators.
///
/// # Errors
/// Files that cannot be read, sources that cannot be understood, objects to merge with that are not there.
pub fn run(build: &Build<'_>, folder: &str, from: &Kustomization, all: &mut Vec<Res>) -> Result<()> {
    let config_maps = from.config_maps.iter().map(|entry| (entry, "ConfigMap"));
    for (entry, kind) in config_maps.chain(from.secrets.iter().map(|entry| (entry, "Secret"))) {
        let made = generated(build, folder, entry, kind, &from.generator_options)?;
        place(made, entry["behavior"].as_str().unwrap_or("create"), all)?;
    }
    Ok(())
}

fn generated(build: &Build<'_>, folder: &str, entry: &Value, kind: &str, options: &Value) -> Result<Res> {
    let Some(name) = entry["name"].as_str().filter(|name| !name.is_empty()) else {
        return Err(Error::plain("name is required to create a resource with generator"));
    };
    let mut object = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}});
    if let Some(namespace) = entry["namespace"].as_str().filter(|ns| !ns.is_empty()) {
        object["metadata"]["namespace"] = json!(namespace);
    }
    if kind == "Secret" {
        object["type"] = json!(entry["type"].as_str().unwrap_or("Opaque"));
    }
    let (mut data, mut binary) = (Map::new(), Map::new());
    for (key, bytes) in pairs(build, folder, entry)? {
        if data.contains_key(&key) || binary.contains_key(&key) {
            return Err(Error::plain(format!("configmap {name} illegally repeats the key `{key}`")));
        }
        match (kind, String::from_utf8(bytes)) {
            ("Secret", Ok(text)) => data.insert(key, json!(base64(text.as_bytes()))),
            ("Secret", Err(bytes)) => data.insert(key, json!(base64(bytes.as_bytes()))),
            (_, Ok(text)) => data.insert(key, json!(text)),
            (_, Err(bytes)) => binary.insert(key, json!(base64(bytes.as_bytes()))),
        };
    }
    for (field, members) in [("data", data), ("binaryData", binary)] {
        if !members.is_empty() {
            object[field] = Value::Object(members);
        }
    }
    let own = &entry["options"];
    for field in ["labels", "annotations"] {
        for (key, value) in [options, own].into_iter().flat_map(|o| o[field].as_object().into_iter().flatten()) {
            object["metadata"][field][key] = value.clone();
        }
    }
    if options["immutable"] == true || own["immutable"] == true {
        object["immutable"] = json!(true);
    }
    let mut res = Res::new(object);
    res.hashed = options["disableNameSuffixHash"] != true && own["disableNameSuffixHash"] != true;
    Ok(res)
}

fn pairs(build: &Build<'_>, folder: &str, entry: &Value) -> Result<Vec<(String, Vec<u8>)>> {
    let texts = |field: &str| -> Vec<String> {
        entry[field].as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_string)).collect()
    };
    let mut found = Vec::new();
    let mut env_files = texts("envs");
    env_files.extend(entry["env"].as_str().map(str::to_string));
    for name in env_files {
        for line in build.file(folder, &name)?.trim_start_matches('\u{feff}').lines() {
            let line = line.trim_start();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // A name alone would be taken from the environment of whoever builds: nothing is, here.
            let (key, value) = line.split_once('=').unwrap_or((line, ""));
            found.push((key.to_string(), value.as_bytes().to_vec()));
        }
    }
    for literal in texts("literals") {
        let (key, value) = literal.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(|| {
            Error::plain(format!(
                "loading KV pairs: literal sources [{literal}]: invalid literal source {literal}, expected key=value"
            ))
        })?;
        let quoted = value.len() >= 2
            && (value.starts_with('"') && value.ends_with('"') || value.starts_with('\'') && value.ends_with('\''));
        let value = if quoted { &value[1..value.len() - 1] } else { value };
        found.push((key.to_string(), value.as_bytes().to_vec()));
    }
    for source in texts("files") {
        let (key, name) = source.split_once('=').unwrap_or((source.rsplit('/').next().unwrap_or(&source), &source));
        found.push((key.to_string(), build.bytes(folder, name)?));
    }
    Ok(found)
}

fn place(made: Res, behavior: &str, all: &mut Vec<Res>) -> Result<()> {
    let same = |res: &&mut Res| res.kind() == made.kind() && res.was(made.name(), made.namespace());
    let known = all.iter_mut().find(same);
    match (behavior, known) {
        ("create" | "", None) => all.push(made),
        ("create" | "", Some(_)) => {
            return Err(Error::plain(format!("id resid.ResId{{{}}} exists; behavior must be merge or replace", made.id())));
        }
        ("merge" | "replace", None) => {
            return Err(Error::plain(format!("id {} does not exist; cannot merge or replace", made.id())));
        }
        ("merge", Some(known)) => {
            known.hashed |= made.hashed;
            for field in ["data", "binaryData"] {
                for (key, value) in made.value[field].as_object().into_iter().flatten() {
                    known.value[field][key] = value.clone();
                }
            }
            keep_metadata(&made, known);
        }
        ("replace", Some(known)) => {
            known.hashed |= made.hashed;
            for field in ["data", "binaryData", "type", "immutable"] {
                if let Some(object) = known.value.as_object_mut() {
                    object.remove(field);
                }
                if !made.value[field].is_null() {
                    known.value[field] = made.value[field].clone();
                }
            }
            keep_metadata(&made, known);
        }
        (other, _) => return Err(Error::plain(format!("unknown generator behavior {other:?}"))),
    }
    Ok(())
}

fn keep_metadata(made: &Res, known: &mut Res) {
    for field in ["labels", "annotations"] {
        for (key, value) in made.value["metadata"][field].as_object().into_iter().flatten() {
            known.value["metadata"][field][key] = value.clone();
        }
    }
}

/// Puts the hash of what it holds behind the name of each generated object. The name itself does not count: kustomize looks for it
/// in a place where it is not.
pub fn add_hashes(all: &mut [Res]) {
    for res in all.iter_mut().filter(|res| res.hashed) {
        let fields: &[&str] = if res.kind() == "Secret" { &["stringData"] } else { &["binaryData"] };
        let or_empty = |value: &Value| if value.is_null() { json!("") } else { value.clone() };
        let mut hashed = json!({"kind": res.kind(), "name": "", "data": or_empty(&res.value["data"])});
        if res.kind() == "Secret" {
            hashed["type"] = or_empty(&res.value["type"]);
        }
        for field in fields.iter().filter(|field| res.value[**field].is_object()) {
            hashed[*field] = res.value[*field].clone();
        }
        res.remember();
        res.value["metadata"]["name"] = json!(format!("{}-{}", res.name(), name_suffix(&go_json(&hashed))));
    }
}
