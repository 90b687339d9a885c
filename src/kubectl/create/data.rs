//! Config maps and secrets.

use super::{Made, name};
use crate::k8s::base64::encode as base64;
use crate::k8s::digest::name_suffix;
use crate::kubectl::error::{Error, Result};
use crate::kubectl::flags::Parsed;
use crate::kubectl::print::go_json;
use crate::kubectl::session::Session;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

type Data = BTreeMap<String, Vec<u8>>;

pub async fn configmap(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let name = name(&p.operands, &s.verb)?;
    let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
    let (mut texts, mut binary) = (Map::new(), Map::new());
    for (key, bytes) in data(s, p, "ConfigMap", name)? {
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
    if p.on("append-hash") {
        object["metadata"]["name"] = json!(format!("{name}-{}", hash(&object, &["data", "binaryData"])));
    }
    let failed = "failed to create configmap:";
    Made { object, root: "/api/v1", plural: "configmaps", printed: "configmap", namespaced: true, failed }.post(s, p).await
}

pub async fn secret(s: &mut Session<'_>, p: &Parsed) -> Result<i32> {
    let Some((kind, rest)) = p.operands.split_first() else {
        return Err(Error::plain("which secret: generic, tls or docker-registry?"));
    };
    if !matches!(kind.as_str(), "generic" | "tls" | "docker-registry") {
        return Err(super::unknown_sort(kind, "secret"));
    }
    let name = name(rest, &format!("create secret {kind}"))?;
    let (kind, data) = match kind.as_str() {
        "generic" => (p.str("type").to_string(), data(s, p, "Secret", name)?),
        "tls" => ("kubernetes.io/tls".to_string(), tls(s, p)?),
        _ => ("kubernetes.io/dockerconfigjson".to_string(), registry(s, p, name)?),
    };
    let members: Map<String, Value> = data.into_iter().map(|(key, bytes)| (key, json!(base64(&bytes)))).collect();
    let mut object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}});
    if !members.is_empty() {
        object["data"] = Value::Object(members);
    }
    if !kind.is_empty() {
        object["type"] = json!(kind);
    }
    if p.on("append-hash") {
        object["metadata"]["name"] = json!(format!("{name}-{}", hash(&object, &["data"])));
    }
    let failed = "failed to create secret";
    Made { object, root: "/api/v1", plural: "secrets", printed: "secret", namespaced: true, failed }.post(s, p).await
}

/// The short hash of what an object holds; a config map has no type.
fn hash(object: &Value, fields: &[&str]) -> String {
    let mut hashed = json!({"kind": object["kind"], "name": object["metadata"]["name"], "data": object["data"]});
    for field in fields.iter().filter(|field| !object[**field].is_null()) {
        hashed[*field] = object[*field].clone();
    }
    if object["kind"] == "Secret" {
        hashed["type"] = json!(object["type"].as_str().unwrap_or(""));
    }
    name_suffix(&go_json(&hashed))
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
    let read = |path: &str| {
        s.io.files.read(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                Error::plain(format!("Cannot read file {path}, open {path}: no such file or directory"))
            }
            _ => Error::plain(format!("Cannot read file {path}, {e}")),
        })
    };
    Ok(BTreeMap::from([("tls.crt".to_string(), read(p.str("cert"))?), ("tls.key".to_string(), read(p.str("key"))?)]))
}

fn registry(s: &Session<'_>, p: &Parsed, name: &str) -> Result<Data> {
    if p.given("from-file") {
        let mut found = Data::new();
        for source in p.list("from-file") {
            from_file(s, source, "Secret", name, &mut found)?;
        }
        return Ok(found);
    }
    let server = p.text("docker-server").unwrap_or("https://index.docker.io/v1/");
    let (user, password) = (p.str("docker-username"), p.str("docker-password"));
    if user.is_empty() || password.is_empty() || server.is_empty() {
        return Err(Error::plain(
            "either --from-file or the combination of --docker-username, --docker-password and --docker-server is required",
        ));
    }
    let auth = base64(format!("{user}:{password}").as_bytes());
    // In the order of the credential's own type, which sorting would not give.
    let email = match p.str("docker-email") {
        "" => String::new(),
        email => format!(",\"email\":{}", json!(email)),
    };
    let text = format!(
        "{{\"auths\":{{{}:{{\"username\":{},\"password\":{}{email},\"auth\":{}}}}}}}",
        json!(server),
        json!(user),
        json!(password),
        json!(auth)
    );
    Ok(BTreeMap::from([(".dockerconfigjson".to_string(), text.into_bytes())]))
}

/// `kind` and `name` are of the object to be, for the sentences.
fn data(s: &Session<'_>, p: &Parsed, kind: &str, name: &str) -> Result<Data> {
    if p.given("from-env-file") && (p.given("from-file") || p.given("from-literal")) {
        return Err(Error::plain("from-env-file cannot be combined with from-file or from-literal"));
    }
    let mut found = Data::new();
    for literal in p.list("from-literal") {
        let (key, value) = literal
            .split_once('=')
            .filter(|(key, _)| !key.is_empty())
            .ok_or_else(|| Error::plain(format!("invalid literal source {literal}, expected key=value")))?;
        let value = value.strip_prefix(['"', '\'']).and_then(|v| v.strip_suffix(['"', '\''])).unwrap_or(value);
        add(&mut found, (kind, name), key, value.as_bytes().to_vec())?;
    }
    for source in p.list("from-file") {
        from_file(s, source, kind, name, &mut found)?;
    }
    for path in p.list("from-env-file") {
        let text = String::from_utf8_lossy(&file(s, path)?).into_owned();
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            let (key, value) = line.split_once('=').unwrap_or((line, ""));
            add(&mut found, (kind, name), key, value.as_bytes().to_vec())?;
        }
    }
    Ok(found)
}

fn from_file(s: &Session<'_>, source: &str, kind: &str, name: &str, found: &mut Data) -> Result<()> {
    let of = (kind, name);
    if let Some((key, path)) = source.split_once('=') {
        return match (key, path) {
            ("", path) => Err(Error::plain(format!("key name for file path {path} missing"))),
            (key, "") => Err(Error::plain(format!("file path for key name {key} missing"))),
            (_, path) if path.contains('=') => Err(Error::plain("key names or file paths cannot contain '='")),
            (key, path) => add(found, of, key, file(s, path)?),
        };
    }
    let folder = source.trim_end_matches('/');
    if let Ok(bytes) = s.io.files.read(source) {
        return add(found, of, folder.rsplit('/').next().unwrap_or(folder), bytes);
    }
    let entries =
        s.io.files.list(folder).map_err(|_| Error::plain(format!("error reading {source}: no such file or directory")))?;
    for entry in entries.iter().filter(|e| !e.ends_with('/')) {
        add(found, of, entry, file(s, &format!("{folder}/{entry}"))?)?;
    }
    Ok(())
}

fn add(found: &mut Data, (kind, name): (&str, &str), key: &str, bytes: Vec<u8>) -> Result<()> {
    let good = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !good {
        return Err(Error::plain(format!(
            "{key:?} is not a valid key name for a {kind}: a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
        )));
    }
    match found.insert(key.to_string(), bytes) {
        Some(_) => Err(Error::plain(format!(
            "cannot add key {key:?}, another key by that name already exists in Data for {kind} {name:?}"
        ))),
        None => Ok(()),
    }
}
