//! Server-side apply: `PATCH` with `application/apply-patch+yaml`.

use crate::base::yaml;
use crate::k8s::Object;
use crate::k8s::managed::{self, Conflict, Managed, Writer};
use crate::k8s::typed::{self, Type};
use crate::sandbox::api::body::{self, FieldValidation};
use crate::sandbox::api::owners::{self, By};
use crate::sandbox::api::rbac;
use crate::sandbox::api::registry::Resource;
use crate::sandbox::api::route::Target;
use crate::sandbox::api::status::{self, Cause};
use crate::sandbox::api::write::{self, Written};
use crate::sandbox::call::{Call, Refusal};
use crate::sandbox::world::World;
use serde_json::{Value, json};

/// Where client-side apply keeps what it applied last.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The options of an apply.
struct Options<'a> {
    manager: &'a str,
    force: bool,
    validation: FieldValidation,
    dry_run: bool,
}

fn options(call: &Call) -> Result<Options<'_>, Refusal> {
    let validation = body::field_validation(call, "PatchOptions")?;
    let dry_run = body::dry_run(call, "PatchOptions")?;
    let manager = call.param("fieldManager").unwrap_or("");
    if manager.is_empty() {
        let cause = Cause::required("fieldManager", "is required for apply patch");
        return Err(status::invalid_options("PatchOptions", vec![cause]));
    }
    owners::check_manager(call, "PatchOptions")?;
    Ok(Options { manager, force: call.flag("force"), validation, dry_run })
}

/// The options of any other patch: it cannot be forced.
///
/// # Errors
/// 422 about the options.
pub fn refuse_force(call: &Call) -> Result<(), Refusal> {
    match call.param("force") {
        None => Ok(()),
        Some(_) => {
            let cause = Cause::forbidden("force", "may not be specified for non-apply patch");
            Err(status::invalid_options("PatchOptions", vec![cause]))
        }
    }
}

/// Applies a configuration to an object or its status; creates the object when it is not there. Gives the status code too.
///
/// # Errors
/// Whatever the API server refuses, in its words: 409 for fields that others own, 500 for what does not fit the schema.
pub fn apply(world: &mut World, call: &Call, target: &Target) -> Result<(Written, u16), Refusal> {
    let options = options(call)?;
    let resource = &target.resource;
    let (config, warnings) = config(call, &options)?;
    let key = crate::sandbox::api::read::key(target);
    let old = world.store.snapshot().get(&key).cloned();
    let of = type_asked(resource);
    check_config(&config, resource.api_version().as_str(), &resource.kind, of)?;
    let mut written = match old {
        Some(old) => {
            let (object, by) = merged(world, &options, target, Some(&old), &config)?;
            check_place(&object, target)?;
            let written = write::update_object(world, resource, &old, object, &by, options.dry_run)?;
            (written, 200)
        }
        None if !target.subresource.is_empty() => return Err(status::not_found(resource, &target.name)),
        None => {
            let asked = Call { method: "POST".into(), body: Vec::new(), ..call.clone() };
            rbac::authorize(world, &asked, target)?;
            let (object, by) = merged(world, &options, target, None, &config)?;
            check_place(&object, target)?;
            check_new(&object, target)?;
            (write::create_object(world, resource, object, &target.namespace, &by, options.dry_run)?, 201)
        }
    };
    written.0.warnings.splice(0..0, warnings);
    Ok(written)
}

/// The configuration of a body, in YAML or JSON, with warnings about members that occur twice.
fn config(call: &Call, options: &Options<'_>) -> Result<(Object, Vec<String>), Refusal> {
    let text = String::from_utf8_lossy(&call.body);
    let (value, twice) = match text.trim_start().starts_with('{').then(|| body::json_with_duplicates(&call.body)) {
        Some(Ok(read)) => read,
        _ => {
            let value = yaml::parse(&text).map_err(|e| Refusal::bad_request(format!("error decoding YAML: {e}")))?;
            (value, Vec::new())
        }
    };
    if !value.is_object() {
        let kind = match value {
            Value::Array(_) => "array",
            Value::String(_) => "string",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            _ => return Ok((Object(json!({})), Vec::new())),
        };
        let why = format!(
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {kind} into Go value of type \
             map[string]interface {{}}"
        );
        return Err(Refusal::bad_request(why));
    }
    let keys = twice.iter().map(|path| {
        let key = path.rsplit('.').next().unwrap_or(path);
        format!("key {key:?} already set in map")
    });
    let said: Vec<String> = keys.collect();
    match options.validation {
        FieldValidation::Strict if !said.is_empty() => {
            let why = "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:";
            Err(Refusal::bad_request(format!("{why}\n  {}", said.join("\n  "))))
        }
        FieldValidation::Warn => Ok((Object(value), said)),
        _ => Ok((Object(value), Vec::new())),
    }
}

/// The type in the version that a request names.
fn type_asked(resource: &Resource) -> Type<'_> {
    match resource.builtin {
        Some(info) => Type::kind(&info.message(&resource.version)).unwrap_or(Type::Free),
        None => owners::type_of(resource),
    }
}

/// What a configuration has to be before it can be merged.
fn check_config(config: &Object, api_version: &str, kind: &str, of: Type<'_>) -> Result<(), Refusal> {
    let (group, version) = config.api_version().split_once('/').unwrap_or(("", config.api_version()));
    let named = format!("{group}/{version}, Kind={}", config.kind());
    if config.api_version() != api_version || config.kind() != kind {
        return Err(Refusal::bad_request(format!("invalid object type: {named}")));
    }
    if !config.at(&owners::FIELD).is_null() {
        return Err(Refusal::bad_request("metadata.managedFields must be nil"));
    }
    typed::check(&config.0, of).map_err(|why| {
        let named = format!("{}/{}; {named}", config.namespace(), config.name());
        Refusal::new(500, "", format!("failed to create typed patch object ({named}): {why}"))
    })
}

/// The object with the configuration merged in, and who owns what then.
fn merged(
    world: &World,
    options: &Options<'_>,
    target: &Target,
    old: Option<&Object>,
    config: &Object,
) -> Result<(Object, By), Refusal> {
    let resource = &target.resource;
    let of = type_asked(resource);
    let live = old.map(|old| {
        let mut live = resource.shown(old);
        live.remove(&owners::FIELD);
        live
    });
    let mut owned = old.map(owners::stored).unwrap_or_default();
    let now = world.now().rfc3339();
    let api_version = owners::version_of(resource);
    let writer = Writer { manager: options.manager, api_version: &api_version, subresource: &target.subresource, now: &now };
    let scope = owners::scope(resource, &target.subresource);
    let value = live.as_ref().map_or(&Value::Null, |live| &live.0);
    let mut applied = owned.apply(value, &config.0, of, &writer, scope, options.force);
    if let (Err(conflicts), Some(live), "kubectl") = (&applied, &live, options.manager) {
        // What client-side apply applied last is kubectl's own.
        let known = last_applied_fields(live, &api_version, of);
        let left: Vec<Conflict> = conflicts.iter().filter(|c| !known.contains(&c.path)).cloned().collect();
        applied = match left.is_empty() {
            true => owned.apply(value, &config.0, of, &writer, scope, true),
            false => Err(left),
        };
    }
    let merged = applied.map_err(|conflicts| refused(&conflicts))?;
    let mut object = merged.map(Object).or(live).unwrap_or_default();
    if options.manager == "kubectl"
        && target.subresource.is_empty()
        && object.annotation(LAST_APPLIED).is_some_and(|a| !a.is_empty())
    {
        object.set(&["metadata", "annotations", LAST_APPLIED], json!(last_applied(config)));
    }
    let by = By { manager: options.manager.into(), subresource: target.subresource.clone(), applied: Some(owned) };
    Ok((object, by))
}

/// 409 with a cause per field.
fn refused(conflicts: &[Conflict]) -> Refusal {
    let cause = |conflict: &Conflict| json!({"reason": "FieldManagerConflict", "message": format!("conflict with {}", conflict.manager), "field": conflict.path});
    let causes: Vec<Value> = conflicts.iter().map(cause).collect();
    let message = managed::conflict_message(conflicts);
    Refusal { code: 409, reason: "Conflict".into(), message, details: json!({"causes": causes}) }
}

/// The fields that client-side apply applied last and that still have these values.
fn last_applied_fields(live: &Object, api_version: &str, of: Type<'_>) -> Vec<String> {
    let last = live.annotation(LAST_APPLIED).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let Some(last) = last.filter(|last| last["apiVersion"] == api_version) else { return Vec::new() };
    let changes = typed::compare(&last, &live.0, of);
    let fields = typed::field_set(&last, of);
    fields.difference(&changes.modified).difference(&changes.added).difference(&changes.removed).paths()
}

/// A configuration as the annotation of client-side apply keeps it.
fn last_applied(config: &Object) -> String {
    let mut config = config.clone();
    config.remove(&["metadata", "annotations", LAST_APPLIED]);
    if config.at(&["metadata", "annotations"]).as_object().is_some_and(|map| map.is_empty()) {
        config.remove(&["metadata", "annotations"]);
    }
    format!("{}\n", config.0)
}

/// Whether an object lies where the path says.
fn check_place(object: &Object, target: &Target) -> Result<(), Refusal> {
    let name = &target.name;
    if object.name().is_empty() {
        let why = format!("the name of the object ({name} based on URL) was undeterminable: name must be provided");
        return Err(Refusal::bad_request(why));
    }
    if object.name() != name {
        let why = format!("the name of the object ({}) does not match the name on the URL ({name})", object.name());
        return Err(Refusal::bad_request(why));
    }
    if !object.namespace().is_empty() && object.namespace() != target.namespace {
        let why = format!(
            "the namespace of the object ({}) does not match the namespace on the request ({})",
            object.namespace(),
            target.namespace
        );
        return Err(Refusal::bad_request(why));
    }
    Ok(())
}

/// A configuration that names a version or uid means an object that is there.
fn check_new(object: &Object, target: &Target) -> Result<(), Refusal> {
    if !object.uid().is_empty() {
        let why = format!("uid mismatch: the provided object specified uid {}, and no existing object was found", object.uid());
        return Err(status::conflict(&target.resource, &target.name, &why));
    }
    match object.str_at(&["metadata", "resourceVersion"]) {
        "" => Ok(()),
        _ => Err(status::conflict(&target.resource, &target.name, status::MODIFIED)),
    }
}

/// Applies an autoscaling/v1 Scale to the object that it scales: the object's replicas and who owns what then.
///
/// # Errors
/// As [`apply`].
pub fn scale(world: &World, call: &Call, target: &Target, old: &Object, path: &[&str]) -> Result<(i64, By), Refusal> {
    let options = options(call)?;
    let (config, _) = config(call, &options)?;
    let of = Type::kind("autoscaling.v1.Scale").unwrap_or(Type::Free);
    check_config(&config, "autoscaling/v1", "Scale", of)?;
    if !config.name().is_empty() {
        check_place(&config, target)?;
    }
    let current = old.at(path).as_i64().unwrap_or(0);
    let replicas = config.at(&["spec", "replicas"]).as_i64();
    let mut part = Object(json!({}));
    if let Some(replicas) = replicas {
        part.set(path, json!(replicas));
    }
    let mut live = old.clone();
    live.remove(&owners::FIELD);
    let mut owned: Managed = owners::stored(old);
    let now = world.now().rfc3339();
    let api_version = owners::version_of(&target.resource);
    let writer = Writer { manager: options.manager, api_version: &api_version, subresource: "scale", now: &now };
    let scope = owners::scope(&target.resource, "scale");
    let applied = owned.apply(&live.0, &part.0, owners::type_of(&target.resource), &writer, scope, options.force);
    applied.map_err(|mut conflicts| {
        for conflict in &mut conflicts {
            conflict.path = ".spec.replicas".into();
        }
        refused(&conflicts)
    })?;
    Ok((replicas.unwrap_or(current), By { applied: Some(owned), ..By::call(call, "scale") }))
}
