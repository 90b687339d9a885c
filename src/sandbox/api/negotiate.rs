//! In which form an answer goes out.

use crate::k8s::Object;
use crate::sandbox::api::registry::Resource;
use crate::sandbox::api::{shown, table};
use crate::sandbox::call::{Answer, Call, Refusal};
use crate::sandbox::world::View;
use serde_json::{Value, json};

/// The form a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Json,
    Yaml,
    Table,
    Metadata,
}

/// The first form of the Accept header that this server has. Protobuf answers are never given: every client lists JSON too.
///
/// # Errors
/// 406 when there is none.
pub fn form(call: &Call) -> Result<Form, Refusal> {
    let accept = call.header_value("accept").unwrap_or("");
    if accept.trim().is_empty() {
        return Ok(Form::Json);
    }
    for choice in accept.split(',') {
        let mut parts = choice.split(';').map(str::trim);
        let media = parts.next().unwrap_or("");
        let parameters: Vec<&str> = parts.collect();
        let parameter = parameters.iter().find_map(|p| p.strip_prefix("as="));
        // What objects are turned into is of a group and version of its own.
        let meta = parameters.contains(&"g=meta.k8s.io") && parameters.iter().any(|p| matches!(*p, "v=v1" | "v=v1beta1"));
        let parameter = if parameter.is_some() && !meta { Some("nothing") } else { parameter };
        match (media, parameter) {
            ("application/json", Some("Table")) => return Ok(Form::Table),
            ("application/json", Some("PartialObjectMetadata" | "PartialObjectMetadataList")) => return Ok(Form::Metadata),
            ("application/json" | "*/*" | "application/*", None) => return Ok(Form::Json),
            ("application/yaml", None) => return Ok(Form::Yaml),
            _ => (),
        }
    }
    if accept.split(',').any(|choice| choice.trim().starts_with("application/vnd.kubernetes.protobuf")) {
        return Err(Refusal::not_simulated("answers in protobuf alone; name application/json beside it"));
    }
    let message = "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf";
    Err(Refusal { code: 406, reason: "NotAcceptable".into(), message: message.into(), details: json!({}) })
}

/// One object in the form asked for.
pub fn object(world: &View, resource: &Resource, object: &Object, form: Form, call: &Call, code: u16) -> Answer {
    if form == Form::Json {
        return shown::json(code, shown::object(resource, object));
    }
    let shown = resource.shown(object);
    match form {
        Form::Json => Answer::json(code, &shown.0),
        Form::Yaml => yaml(code, &shown.0),
        Form::Metadata => Answer::json(code, &metadata_only(&shown)),
        Form::Table => {
            let meta = json!({"resourceVersion": shown.at(&["metadata", "resourceVersion"])});
            Answer::json(code, &table::table(world, resource, &[&shown], meta, call.param("includeObject"), true))
        }
    }
}

/// Any JSON value, as JSON or YAML.
pub fn value(call: &Call, code: u16, value: &Value) -> Answer {
    match form(call) {
        Ok(Form::Yaml) => yaml(code, value),
        _ => Answer::json(code, value),
    }
}

fn yaml(code: u16, value: &Value) -> Answer {
    let headers = vec![("content-type".to_string(), "application/yaml".to_string())];
    Answer { status: code, headers, body: crate::base::yaml::write(value).into_bytes() }
}

/// A PartialObjectMetadata of an object.
pub fn metadata_only(object: &Object) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object.at(&["metadata"])})
}
