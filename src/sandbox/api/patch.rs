//! `PATCH`.

use crate::base::yaml;
use crate::k8s::strategic::{self, Trouble};
use crate::k8s::{Object, patch as patches};
use crate::sandbox::api::owners::{self, By};
use crate::sandbox::api::registry::Resource;
use crate::sandbox::api::route::Target;
use crate::sandbox::api::status::{self, Cause};
use crate::sandbox::api::write::{self, Written};
use crate::sandbox::api::{apply, body, go_json, negotiate, read, strict};
use crate::sandbox::call::{Answer, Call, Refusal};
use crate::sandbox::world::World;
use serde_json::{Value, json};

const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// `PATCH` of the resource or its status.
///
/// # Errors
/// Whatever the API server refuses, in its words.
pub fn patch(world: &mut World, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let form = negotiate::form(call)?;
    write::refuse_not_simulated(&target.resource)?;
    let media = accepted(call, target)?;
    let (written, code) = match media {
        APPLY => apply::apply(world, call, target)?,
        _ => match change(world, call, target, media)? {
            Ok(written) => (written, 200),
            Err(refused) => return Ok(refused),
        },
    };
    let mut answer = negotiate::object(world, &target.resource, &written.object, form, call, code);
    read::warn(&mut answer, &written.warnings);
    Ok(answer)
}

/// A patch that changes what is there. A refusal after warnings is an answer already.
fn change(world: &mut World, call: &Call, target: &Target, media: &str) -> Result<Result<Written, Answer>, Refusal> {
    let validation = body::field_validation(call, "PatchOptions")?;
    let dry_run = body::dry_run(call, "PatchOptions")?;
    owners::check_manager(call, "PatchOptions")?;
    apply::refuse_force(call)?;
    let old = read::find(world, target)?;
    let mut patched = target.resource.shown(&old);
    modify(&mut patched.0, &call.body, media, target)?;
    if patched.name() != old.name() {
        let message = format!("the name of the object ({}) does not match the name on the URL ({})", patched.name(), target.name);
        return Err(Refusal::bad_request(message));
    }
    let (patched, mut warnings) = write::patched_fields(patched, &target.resource, validation)?;
    let by = By::call(call, &target.subresource);
    Ok(match write::update_object(world, &target.resource, &old, patched, &by, dry_run) {
        Ok(mut written) => {
            warnings.append(&mut written.warnings);
            Ok(Written { warnings, ..written })
        }
        Err(refusal) => Err(write::warned(&refusal, &warnings)),
    })
}

/// The patch type, if the kind takes it.
///
/// # Errors
/// 415.
pub fn accepted(call: &Call, target: &Target) -> Result<&'static str, Refusal> {
    match call.header_value("content-type").unwrap_or("").split(';').next().unwrap_or("").trim() {
        JSON => Ok(JSON),
        MERGE => Ok(MERGE),
        STRATEGIC if target.resource.custom.is_none() => Ok(STRATEGIC),
        STRATEGIC => Err(status::unsupported_media(&[JSON, MERGE, APPLY].join(", "))),
        APPLY => Ok(APPLY),
        _ => {
            let message = "415: Unsupported Media Type".to_string();
            Err(Refusal { code: 415, reason: "UnsupportedMediaType".into(), message, details: json!({}) })
        }
    }
}

/// Applies a patch body to the JSON of an object.
///
/// # Errors
/// 400, 422 or 500 as the API server has them.
pub fn modify(target: &mut Value, body: &[u8], media: &str, to: &Target) -> Result<(), Refusal> {
    let bad = |why: String| Refusal::bad_request(format!("error decoding patch: {why}"));
    let patch: Value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(e) if matches!(media, JSON | MERGE) => return Err(bad(go_json::problem(body, &e))),
        Err(e) => yaml::parse(&String::from_utf8_lossy(body)).map_err(|_| bad(go_json::problem(body, &e)))?,
    };
    match media {
        JSON => {
            let Value::Array(operations) = &patch else {
                let kind = if patch.is_object() { "object" } else { "value" };
                return Err(bad(format!("json: cannot unmarshal {kind} into Go value of type []handlers.jsonPatchOp")));
            };
            if operations.len() > patches::OPERATION_LIMIT {
                let (limit, sent) = (patches::OPERATION_LIMIT, operations.len());
                let message = format!("The allowed maximum operations in a JSON patch is {limit}, got {sent}");
                return Err(Refusal::new(413, "RequestEntityTooLarge", message));
            }
            patches::json_patch(target, operations).map_err(|_| {
                let message = "the server rejected our request due to an error in our request".to_string();
                Refusal { code: 422, reason: "Invalid".into(), message, details: json!({}) }
            })?;
        }
        MERGE => {
            if !patch.is_object() {
                let kind = if patch.is_array() { "array" } else { "value" };
                return Err(bad(format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}")));
            }
            patches::merge_patch(target, &patch);
            check_types(target, to, |wrong, value| (value.to_string(), wrong))?;
        }
        APPLY => return Err(Refusal::not_simulated("server-side apply to this subresource")),
        _ => {
            let message = to.resource.message().unwrap_or_default();
            strategic::apply(target, &patch, &message).map_err(|trouble| match trouble {
                Trouble::NoKey(text) => Refusal::new(500, "", text),
                Trouble::Directive(text) => Refusal::bad_request(text),
            })?;
            check_types(target, to, |wrong, _| (strategic::go_map(&patch), converter_words(&wrong)))?;
        }
    }
    if !target.is_object() {
        return Err(Refusal::bad_request("the patch does not leave an object"));
    }
    Ok(())
}

/// A wrong type after a patch: 422 without kind and name.
fn check_types(target: &Value, to: &Target, words: impl Fn(String, &Value) -> (String, String)) -> Result<(), Refusal> {
    let Some(message) = to.resource.message() else { return Ok(()) };
    match strict::check(&mut target.clone(), &message) {
        Ok(_) => Ok(()),
        Err(wrong) => {
            let (value, why) = words(wrong, target);
            Err(status::invalid("", "", "", vec![Cause::invalid("patch", &json!(value), &why)]))
        }
    }
}

/// Go's unstructured converter has other words than its JSON decoder.
fn converter_words(wrong: &str) -> String {
    let of = wrong.rsplit(' ').next().unwrap_or("");
    let from = wrong.trim_start_matches("json: cannot unmarshal ").split(' ').next().unwrap_or("");
    match of {
        of if of.starts_with("map[") => format!("cannot restore map from {from}"),
        of if of.starts_with("[]") => format!("cannot restore slice from {from}"),
        of if of.starts_with("v1.") => format!("cannot restore struct from: {from}"),
        of => format!("unrecognized type: {of}"),
    }
}

/// Whether a call is a server-side apply.
pub fn is_apply(call: &Call, target: &Target) -> bool {
    call.method == "PATCH" && accepted(call, target).is_ok_and(|media| media == APPLY)
}

/// An object with a patch applied, for subresources that are no part of it (scale).
///
/// # Errors
/// As [`patch`].
pub fn apply_to(object: &mut Object, call: &Call, target: &Target) -> Result<(), Refusal> {
    let media = match accepted(call, target)? {
        STRATEGIC => MERGE,
        media => media,
    };
    apply::refuse_force(call)?;
    let plain = Target { resource: Resource { builtin: None, ..target.resource.clone() }, ..target.clone() };
    modify(&mut object.0, &call.body, media, &plain)
}
