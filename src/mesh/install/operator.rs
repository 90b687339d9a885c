//! From profile, files and `--set` to one IstioOperator spec, checked.

use super::{Error, InstallOptions, paths};
use crate::base::{not_simulated, yaml};
use crate::mesh::versions::Release;
use serde_json::{Map, Value, json};

const PROFILES: &str = include_str!("../../../assets/istio/profiles.yaml");
const SHAPE: &str = include_str!("../../../assets/istio/operator.yaml");

/// The settings an installation is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Operator {
    pub profile: String,
    /// The merged spec: profile, then files, then `--set`.
    pub spec: Value,
}

/// Merges and checks. Precedence: default profile < profile < files in order < `--set` in order (S: operator/pkg/render MergeInputs).
///
/// # Errors
/// Whatever the options have wrong, in istioctl's words.
pub fn merge(options: &InstallOptions, release: &Release) -> Result<Operator, Error> {
    let user = user_spec(options)?;
    let asked = user["profile"].as_str().unwrap_or("");
    let profile =
        [asked, options.profile.as_str(), "default"].into_iter().find(|p| !p.is_empty()).unwrap_or("default").to_string();
    let profiles = yaml::parse_documents(PROFILES).map_err(|e| Error::Invalid(e.to_string()))?;
    let find = |name: &str| profiles.iter().find(|p| p["profile"] == name);
    let chosen = find(&profile).ok_or_else(|| Error::UnknownProfile(profile.clone()))?;
    if chosen["not_simulated"] == true {
        return Err(Error::NotSimulated(not_simulated(&format!("profile {profile}"))));
    }
    check(&user, release)?;
    let mut spec = json!({"profile": profile, "hub": release.hub, "tag": release.tag});
    for layer in [&find("default").unwrap_or(chosen)["spec"], &chosen["spec"], &user] {
        lay_over(&mut spec, layer);
    }
    spec["profile"] = json!(profile);
    for (global, top) in [("hub", "hub"), ("tag", "tag")] {
        if let Some(value) = spec.pointer(&format!("/values/global/{global}")).cloned() {
            spec[top] = value;
        }
    }
    Ok(Operator { profile, spec })
}

fn user_spec(options: &InstallOptions) -> Result<Value, Error> {
    let mut user = Value::Object(Map::new());
    for text in &options.files {
        let documents = yaml::parse_documents(text).map_err(|e| Error::Invalid(format!("unable to parse file: {e}")))?;
        let [document] = documents.as_slice() else {
            return Err(Error::Invalid("contains multiple IstioOperator CRs, only one per file is supported".into()));
        };
        check_header(document)?;
        if document["spec"].is_object() {
            lay_over(&mut user, &document["spec"]);
        }
    }
    for text in &options.settings {
        paths::set(&mut user, text)?;
    }
    Ok(user)
}

fn check_header(document: &Value) -> Result<(), Error> {
    let Some(members) = document.as_object() else {
        return Err(Error::Unmarshal("json: cannot unmarshal string into Go value of type apis.IstioOperator".into()));
    };
    for (key, value) in members {
        match key.as_str() {
            "kind" if value != "IstioOperator" => {
                return Err(Error::Invalid(format!("expected kind IstioOperator, the file has {value}")));
            }
            "apiVersion" | "kind" | "metadata" | "spec" | "status" => (),
            other => return Err(Error::Unmarshal(format!("json: unknown field {other:?}"))),
        }
    }
    Ok(())
}

/// Lays `top` over `base`: objects member by member, null removes, all else replaces.
pub fn lay_over(base: &mut Value, top: &Value) {
    match (base, top) {
        (Value::Object(base), Value::Object(top)) => {
            for (key, value) in top {
                match value {
                    Value::Null => drop(base.remove(key)),
                    _ => lay_over(base.entry(key.as_str()).or_insert(Value::Null), value),
                }
            }
        }
        (_, Value::Null) => (),
        (base, top) => *base = top.clone(),
    }
}

fn check(user: &Value, release: &Release) -> Result<(), Error> {
    let shape =
        yaml::parse_documents(SHAPE).map_err(|e| Error::Invalid(e.to_string()))?.into_iter().next().unwrap_or(Value::Null);
    walk(user, &shape, "spec", release)?;
    let revision = user["revision"].as_str().unwrap_or("");
    let elsewhere = |path: &str| user.pointer(path).and_then(Value::as_str).is_some_and(|ns| ns != "istio-system");
    match () {
        () if !matches!(revision, "" | "default") => Err(Error::NotSimulated(not_simulated("istioctl install --revision"))),
        () if elsewhere("/namespace") || elsewhere("/values/global/istioNamespace") => {
            Err(Error::NotSimulated(not_simulated("an istio namespace other than istio-system")))
        }
        () => Ok(()),
    }
}

fn walk(value: &Value, shape: &Value, path: &str, release: &Release) -> Result<(), Error> {
    match shape {
        _ if value.is_null() => Ok(()),
        Value::String(kind) => leaf(value, kind, path, release),
        Value::Array(list) if list.iter().all(Value::is_string) => one_of(value, list, path),
        Value::Array(list) => match value.as_array() {
            Some(items) => items.iter().try_for_each(|item| walk(item, &list[0], path, release)),
            None => Err(wrong_type(value, path, "list")),
        },
        Value::Object(fields) => {
            let Some(members) = value.as_object() else { return Err(wrong_type(value, path, "object")) };
            members.iter().try_for_each(|(name, member)| match fields.get(name).or_else(|| fields.get("*")) {
                Some(inner) => walk(member, inner, &format!("{path}.{name}"), release),
                None => Err(Error::Unmarshal(format!("json: unknown field {name:?}"))),
            })
        }
        _ => Ok(()),
    }
}

fn leaf(value: &Value, kind: &str, path: &str, release: &Release) -> Result<(), Error> {
    let fits = match kind {
        "string" => value.is_string(),
        "bool" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "object" => value.is_object(),
        "list" => value.is_array(),
        "outbound mode" => {
            let modes: Vec<Value> = release.outbound_modes.iter().map(|m| json!(m)).collect();
            return one_of(value, &modes, path);
        }
        "only false" if value == false => true,
        "not simulated" | "only false" => return Err(Error::NotSimulated(not_simulated(&format!("IstioOperator {path}")))),
        _ => true,
    };
    if fits { Ok(()) } else { Err(wrong_type(value, path, kind)) }
}

fn one_of(value: &Value, allowed: &[Value], path: &str) -> Result<(), Error> {
    match value.is_string() && !allowed.contains(value) {
        true => Err(Error::Unmarshal(format!("unknown value {:?} for enum {}", value.to_string(), enum_name(path)))),
        false if value.is_string() => Ok(()),
        false => Err(wrong_type(value, path, "string")),
    }
}

fn enum_name(path: &str) -> String {
    match path {
        "spec.meshConfig.outboundTrafficPolicy.mode" => "istio.mesh.v1alpha1.MeshConfig.OutboundTrafficPolicy.Mode".into(),
        "spec.meshConfig.accessLogEncoding" => "istio.mesh.v1alpha1.MeshConfig.AccessLogEncoding".into(),
        other => other.trim_start_matches("spec.").into(),
    }
}

fn wrong_type(value: &Value, path: &str, wanted: &str) -> Error {
    let found = match value {
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        _ => "object",
    };
    let mesh = path.starts_with("spec.meshConfig");
    Error::Unmarshal(match wanted {
        "object" if mesh => format!("json: cannot unmarshal {found} into Go value of type map[string]json.RawMessage"),
        "string" if mesh => format!("json: cannot unmarshal {found} into Go value of type string"),
        _ => format!("json: cannot unmarshal {found} into Go struct field IstioOperator.{path} of type {wanted}"),
    })
}
