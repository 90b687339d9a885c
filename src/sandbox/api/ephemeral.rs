//! `pods/NAME/ephemeralcontainers`: containers that `kubectl debug` adds to a pod that runs.

use crate::k8s::Object;
use crate::sandbox::api::owners::By;
use crate::sandbox::api::route::Target;
use crate::sandbox::api::status::{self, Cause};
use crate::sandbox::api::{body, negotiate, patch, read, write};
use crate::sandbox::call::{Answer, Call, Refusal};
use crate::sandbox::world::World;
use serde_json::{Value, json};

const LIST: &str = "spec.ephemeralContainers";
/// What an ephemeral container may not have (k8s.io/kubernetes pkg/apis/core/validation: `allowedEphemeralContainerFields`).
const FORBIDDEN: [&str; 6] = ["ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resizePolicy"];

/// `PUT` and `PATCH`: only the list of ephemeral containers is taken from what is sent.
///
/// # Errors
/// Whatever the API server refuses, in its words.
pub fn change(world: &mut World, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let form = negotiate::form(call)?;
    let old = read::find(world, target)?;
    let options = if call.method == "PUT" { "UpdateOptions" } else { "PatchOptions" };
    let dry_run = body::dry_run(call, options)?;
    let (sent, mut warnings) = match call.method.as_str() {
        "PUT" => body::read_object(call, &target.resource, body::field_validation(call, options)?)?,
        _ => patched(call, target, &old)?,
    };
    if sent.name() != old.name() {
        let message = format!("the name of the object ({}) does not match the name on the URL ({})", sent.name(), target.name);
        return Err(Refusal::bad_request(message));
    }
    let mut next = (*old).clone();
    let version = sent.at(&["metadata", "resourceVersion"]).clone();
    match version.is_null() {
        true => drop(next.remove(&["metadata", "resourceVersion"])),
        false => next.set(&["metadata", "resourceVersion"], version),
    }
    match sent.at(&["spec", "ephemeralContainers"]) {
        Value::Null => drop(next.remove(&["spec", "ephemeralContainers"])),
        list => next.set(&["spec", "ephemeralContainers"], list.clone()),
    }
    let causes = problems(&old, &next);
    if !causes.is_empty() {
        return Err(status::invalid("", "Pod", &target.name, causes));
    }
    let written = write::update_object(world, &target.resource, &old, next, &By::call(call, &target.subresource), dry_run)?;
    warnings.extend(written.warnings);
    let mut answer = negotiate::object(world, &target.resource, &written.object, form, call, 200);
    read::warn(&mut answer, &warnings);
    Ok(answer)
}

fn patched(call: &Call, target: &Target, old: &Object) -> Result<(Object, Vec<String>), Refusal> {
    let validation = body::field_validation(call, "PatchOptions")?;
    let media = patch::accepted(call, target)?;
    let mut patched = target.resource.shown(old);
    patch::modify(&mut patched.0, &call.body, media, target)?;
    write::patched_fields(patched, &target.resource, validation)
}

/// What is wrong with the new list.
fn problems(old: &Object, new: &Object) -> Vec<Cause> {
    let list = |object: &Object, name: &str| object.at(&["spec", name]).as_array().cloned().unwrap_or_default();
    let name = |container: &Value| container["name"].as_str().unwrap_or("").to_string();
    let (before, after) = (list(old, "ephemeralContainers"), list(new, "ephemeralContainers"));
    let others: Vec<String> = ["containers", "initContainers"].iter().flat_map(|l| list(old, l)).map(|c| name(&c)).collect();
    let mut causes = Vec::new();
    for (i, container) in after.iter().enumerate() {
        let at = format!("{LIST}[{i}]");
        let own = name(container);
        if own.is_empty() {
            causes.push(Cause::required(format!("{at}.name"), ""));
        } else if others.contains(&own) || after[..i].iter().any(|c| name(c) == own) {
            causes.push(Cause::duplicate(format!("{at}.name"), &json!(own)));
        }
        if container["image"].as_str().unwrap_or("").is_empty() {
            causes.push(Cause::required(format!("{at}.image"), ""));
        }
        for field in FORBIDDEN.iter().filter(|field| container.get(**field).is_some_and(|v| !v.is_null())) {
            causes.push(Cause::forbidden(format!("{at}.{field}"), "cannot be set for an Ephemeral Container"));
        }
        let aim = container["targetContainerName"].as_str().unwrap_or("");
        if !aim.is_empty() && !others.iter().any(|n| n == aim) {
            causes.push(Cause::not_found(format!("{at}.targetContainerName"), &json!(aim)));
        }
    }
    for container in &before {
        let own = name(container);
        let why = match after.iter().find(|c| name(c) == own) {
            None => format!("existing ephemeral containers {own:?} may not be removed"),
            Some(same) if same != container => format!("existing ephemeral containers {own:?} may not be changed"),
            Some(_) => continue,
        };
        causes.push(Cause::forbidden(LIST, &why));
    }
    causes
}
