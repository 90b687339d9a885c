//! Config maps and secrets.

use super::{Made, name};
use crate::k8s::base64::encode as base64;
use crate::kubectl::error::{Error, Result};
use crate::kubectl::flags::Parsed;
use crate::kubectl::session::Session;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

type Data = BTreeMap<String, Vec<u8>>;

pub async fn configmap(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name(p, &p.operands)?}});
    let (mut texts, mut binary) = (Map::new(), Map::new());
    for (key, bytes) in data(s, p)? {
        match String::from_utf8(bytes) {
            Ok(text) => texts.insert(key, json!(text)),
            Err(bytes) => binary.insert(key, json!(base64(bytes.as_bytes()))),
        };
    }
    for (field, members) in [("data", texts), ("binaryData", binary)] {
        if !members.is_empty() {
            object[field] = Value::Object(members);
        }
    }
    let failed = "failed to create configmap:";
    Made { object, root: "/api/v1", plural: "configmaps", printed: "configmap", namespaced: true, failed }.post(s, p).await
}

pub async fn secret(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let Some((kind, rest)) = p.operands.split_first() else {
        return Err(Error::plain("which secret: generic, tls or docker-registry?"));
    };
    let name = name(p, rest)?;
    let (kind, data) = match kind.as_str() {
        "generic" => (p.str("type").to_string(), data(s, p)?),
        "tls" => ("kubernetes.io/tls".to_string(), tls(s, p)?),
        "docker-registry" => ("kubernetes.io/dockerconfigjson".to_string(), registry(p)),
        other => return Err(Error::plain(format!("unknown command {other:?} for \"kubectl create secret\""))),
    };
    let members: Map<String, Value> = data.into_iter().map(|(key, bytes)| (key, json!(base64(&bytes)))).collect();
    let mut object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}});
    if !members.is_empty() {
        object["data"] = Value::Object(members);
    }
    if !kind.is_empty() {
        object["type"] = json!(kind);
    }
    let failed = "failed to create secret";
    Made { object, root: "/api/v1", plural: "secrets", printed: "secret", namespaced: true, failed }.post(s, p).await
}

fn file(s: &Session<'_>, path: &str) -> Result<Vec<u8>> {
    s.io.files.read(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::plain(format!("error reading {path}: no such file or directory")),
        _ => Error::plain(format!("error reading {path}: {e}")),
    })
}

fn tls(s: &Session<'_>, p: &Parsed) -> Result<Data> {
    if p.str("key").is_empty() || p.str("cert").is_empty() {
        return Err(Error::plain("key and cert must be specified"));
    }
    Ok(BTreeMap::from([("tls.crt".to_string(), file(s, p.str("cert"))?), ("tls.key".to_string(), file(s, p.str("key"))?)]))
}

fn registry(p: &Parsed) -> Data {
    let server = p.text("docker-server").unwrap_or("https://index.docker.io/v1/");
    let (user, password) = (p.str("docker-username"), p.str("docker-password"));
    let auth = base64(format!("{user}:{password}").as_bytes());
    let mut entry = json!({"username": user, "password": password, "auth": auth});
    if p.given("docker-email") {
        entry["email"] = json!(p.str("docker-email"));
    }
    BTreeMap::from([(".dockerconfigjson".to_string(), json!({"auths": {server: entry}}).to_string().into_bytes())])
}

fn data(s: &Session<'_>, p: &Parsed) -> Result<Data> {
    if p.on("append-hash") {
        return Err(Error::not_simulated("--append-hash"));
    }
    let mut found = Data::new();
    for literal in p.list("from-literal") {
        let (key, value) = literal
            .split_once('=')
            .ok_or_else(|| Error::plain(format!("invalid literal source {literal}, expected key=value")))?;
        let value = value.strip_prefix(['"', '\'']).and_then(|v| v.strip_suffix(['"', '\''])).unwrap_or(value);
        add(&mut found, key, value.as_bytes().to_vec())?;
    }
    for source in p.list("from-file") {
        from_file(s, source, &mut found)?;
    }
    for path in p.list("from-env-file") {
        let text = String::from_utf8_lossy(&file(s, path)?).into_owned();
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            let (key, value) = line.split_once('=').unwrap_or((line, ""));
            add(&mut found, key, value.as_bytes().to_vec())?;
        }
    }
    Ok(found)
}

fn from_file(s: &Session<'_>, source: &str, found: &mut Data) -> Result<()> {
    if let Some((key, path)) = source.split_once('=') {
        return add(found, key, file(s, path)?);
    }
    let folder = source.trim_end_matches('/');
    if let Ok(bytes) = s.io.files.read(source) {
        return add(found, folder.rsplit('/').next().unwrap_or(folder), bytes);
    }
    let entries =
        s.io.files.list(folder).map_err(|_| Error::plain(format!("error reading {source}: no such file or directory")))?;
    for entry in entries.iter().filter(|e| !e.ends_with('/')) {
        add(found, entry, file(s, &format!("{folder}/{entry}"))?)?;
    }
    Ok(())
}

fn add(found: &mut Data, key: &str, bytes: Vec<u8>) -> Result<()> {
    let good = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !good {
        return Err(Error::plain(format!(
            "{key:?} is not a valid key name: a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
        )));
    }
    match found.insert(key.to_string(), bytes) {
        Some(_) => Err(Error::plain(format!("cannot add key {key:?}, another key by that name already exists in data"))),
        None => Ok(()),
    }
}
