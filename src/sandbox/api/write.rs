//! Creating and updating objects: the rules every write passes, whoever asks.

use crate::k8s::managed::Managed;
use crate::k8s::{Key, Object};
use crate::sandbox::api::admission::{self, Operation};
use crate::sandbox::api::body::{self, FieldValidation};
use crate::sandbox::api::owners::{self, By};
use crate::sandbox::api::registry::{self, Resource};
use crate::sandbox::api::route::{self, Target};
use crate::sandbox::api::status::{self, Cause};
use crate::sandbox::api::{defaults, negotiate, read, validate};
use crate::sandbox::call::{Answer, Call, Refusal};
use crate::sandbox::world::World;
use serde_json::{Value, json};
use std::sync::Arc;

/// The annotation on a CustomResourceDefinition whose kind is listed but not imitated.
pub const NOT_SIMULATED: &str = "egress-lab/not-simulated";

/// What became of a write.
#[derive(Debug)]
pub struct Written {
    pub object: Arc<Object>,
    pub warnings: Vec<String>,
}

/// `POST`.
///
/// # Errors
/// Whatever the API server refuses, in its words.
pub fn create(world: &mut World, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    if let Some(refusal) = route::needs_namespace(target) {
        return Err(refusal);
    }
    let form = negotiate::form(call)?;
    let validation = body::field_validation(call, "CreateOptions")?;
    let dry_run = body::dry_run(call, "CreateOptions")?;
    owners::check_manager(call, "CreateOptions")?;
    refuse_not_simulated(&target.resource)?;
    let (object, mut warnings) = body::read_object(call, &target.resource, validation)?;
    let by = By::call(call, "");
    let written = match create_object(world, &target.resource, object, &target.namespace, &by, dry_run) {
        Ok(written) => written,
        Err(refusal) => return Ok(warned(&refusal, &warnings)),
    };
    warnings.extend(written.warnings);
    warnings.extend(read::deprecations(&target.resource));
    let mut answer = negotiate::object(world, &target.resource, &written.object, form, call, 201);
    read::warn(&mut answer, &warnings);
    Ok(answer)
}

/// `PUT`, of the resource or its status.
///
/// # Errors
/// Whatever the API server refuses, in its words.
pub fn update(world: &mut World, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let form = negotiate::form(call)?;
    let validation = body::field_validation(call, "UpdateOptions")?;
    let dry_run = body::dry_run(call, "UpdateOptions")?;
    owners::check_manager(call, "UpdateOptions")?;
    refuse_not_simulated(&target.resource)?;
    let (object, mut warnings) = body::read_object(call, &target.resource, validation)?;
    if object.name() != target.name {
        let message = format!("the name of the object ({}) does not match the name on the URL ({})", object.name(), target.name);
        return Err(Refusal::bad_request(message));
    }
    let old = read::find(world, target)?;
    let by = By::call(call, &target.subresource);
    let written = match update_object(world, &target.resource, &old, object, &by, dry_run) {
        Ok(written) => written,
        Err(refusal) => return Ok(warned(&refusal, &warnings)),
    };
    warnings.extend(written.warnings);
    warnings.extend(read::deprecations(&target.resource));
    let mut answer = negotiate::object(world, &target.resource, &written.object, form, call, 200);
    read::warn(&mut answer, &warnings);
    Ok(answer)
}

/// A refusal that still carries the warnings about its body.
pub fn warned(refusal: &Refusal, warnings: &[String]) -> Answer {
    let mut answer = refusal.answer();
    read::warn(&mut answer, warnings);
    answer
}

/// The 501 of a kind that is listed but not imitated.
///
/// # Errors
/// That 501.
pub fn refuse_not_simulated(resource: &Resource) -> Result<(), Refusal> {
    match &resource.custom {
        Some(custom) if custom.not_simulated => Err(Refusal::not_simulated(&resource.kind)),
        _ => Ok(()),
    }
}

fn refuse_fields_not_simulated(resource: &Resource, object: &Object) -> Result<(), Refusal> {
    validate::not_simulated(resource, object).map_or(Ok(()), |what| Err(Refusal::not_simulated(&what)))
}

/// Creates an object for a component of the cluster.
///
/// # Errors
/// What the API server would refuse.
pub fn create_internal(world: &mut World, object: Object, component: &str) -> Result<Arc<Object>, Refusal> {
    let resource = resource_of(world, &object)?;
    let namespace = object.namespace().to_string();
    let status = object.status().clone();
    let by = By::component(component);
    let written = create_object(world, &resource, object, &namespace, &by, false)?.object;
    // Controllers may hand a status over with the object: it is written as its second write.
    if resource.has_status() && !status.is_null() && status != *written.status() {
        let mut with_status = (*written).clone();
        with_status.set(&["status"], status);
        return update_internal(world, with_status, "status", component);
    }
    Ok(written)
}

/// Updates an object, or one of its subresources, for a component of the cluster.
///
/// # Errors
/// What the API server would refuse.
pub fn update_internal(
    world: &mut World,
    mut object: Object,
    subresource: &str,
    component: &str,
) -> Result<Arc<Object>, Refusal> {
    let resource = resource_of(world, &object)?;
    let old = world.store.snapshot().get(&object.key()).cloned();
    let old = old.ok_or_else(|| status::not_found(&resource, object.name()))?;
    object.remove(&["metadata", "resourceVersion"]);
    object.remove(&owners::FIELD);
    if subresource == "status" {
        // Components write a status beside other writes of the same round: only a Deployment's revision goes with it.
        let annotations = object.at(&["metadata", "annotations"]).clone();
        object.set(&["metadata"], old.at(&["metadata"]).clone());
        object.remove(&owners::FIELD);
        object.remove(&["metadata", "resourceVersion"]);
        if object.kind() == "Deployment" {
            object.set(&["metadata", "annotations"], annotations);
        }
    }
    // Bindings, which the scheduler writes, are not noted.
    let applied = component.is_empty().then(|| owners::stored(&old));
    let by = By { subresource: subresource.into(), applied, ..By::component(component) };
    Ok(update_object(world, &resource, &old, object, &by, false)?.object)
}

fn resource_of(world: &mut World, object: &Object) -> Result<Resource, Refusal> {
    world.know_kinds();
    registry::by_kind(&world.crds, &object.key().kind).ok_or_else(status::no_such_resource)
}

/// Creates an object that was read and typed.
///
/// # Errors
/// Whatever the API server refuses.
pub fn create_object(
    world: &mut World,
    resource: &Resource,
    mut object: Object,
    namespace: &str,
    by: &By,
    dry_run: bool,
) -> Result<Written, Refusal> {
    let sent = owners::sent(&mut object);
    prepare_metadata(world, resource, &mut object, namespace)?;
    let key = Key { kind: resource.stored_kind(), namespace: namespace.into(), name: object.name().into() };
    check_namespace(world, resource, &key)?;
    let unchosen = owners::unchosen(resource, &object);
    let decoded = defaults::decoded(resource, &object);
    defaults::apply(world, resource, &mut object, None);
    let managed = owners::created(world, resource, by, sent, decoded.as_ref().unwrap_or(&object), &unchosen);
    owners::put(&mut object, &managed);
    let mut warnings = admission::mutate(world, resource, &mut object, None, Operation::Create, "")?;
    defaults::apply(world, resource, &mut object, None);
    refuse_fields_not_simulated(resource, &object)?;
    let problems = validate::create(world, resource, &object);
    if !problems.is_empty() {
        return Err(status::invalid(&resource.group, &resource.kind, object.name(), problems));
    }
    warnings.extend(validate::warnings(resource, &object));
    warnings.extend(admission::validate(world, resource, &object, None, Operation::Create, "")?);
    if let Some(existing) = world.store.snapshot().get(&key) {
        return Err(status::already_exists(resource, object.name(), existing.is_terminating()));
    }
    object.set(&["apiVersion"], json!(resource.stored_api_version()));
    if dry_run {
        return Ok(Written { object: Arc::new(object), warnings });
    }
    world.count_created(key);
    Ok(Written { object: world.store.put(object), warnings })
}

/// Name, namespace, uid, times: what the server sets on a new object.
fn prepare_metadata(world: &World, resource: &Resource, object: &mut Object, namespace: &str) -> Result<(), Refusal> {
    if !object.namespace().is_empty() && object.namespace() != namespace {
        let message = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Refusal::bad_request(message));
    }
    if !object.str_at(&["metadata", "resourceVersion"]).is_empty() {
        return Err(Refusal::new(500, "", "resourceVersion should not be set on objects to be created"));
    }
    match namespace {
        "" => drop(object.remove(&["metadata", "namespace"])),
        ns => object.set(&["metadata", "namespace"], json!(ns)),
    }
    let generate = object.str_at(&["metadata", "generateName"]).to_string();
    if object.name().is_empty() && !generate.is_empty() {
        object.set(&["metadata", "name"], json!(generated(world, resource, &generate, namespace)));
    }
    if object.name().is_empty() {
        let cause = Cause::required("metadata.name", "name or generateName is required");
        return Err(status::invalid(&resource.group, &resource.kind, "", vec![cause]));
    }
    for field in ["selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "generation", "resourceVersion"]
    {
        object.remove(&["metadata", field]);
    }
    let key = Key { kind: resource.stored_kind(), namespace: namespace.into(), name: object.name().into() };
    let nth = world.times_created(&key).to_string();
    let uid = world.seed.uuid(&["uid", &key.kind.to_string(), namespace, object.name(), &nth]);
    object.set(&["metadata", "uid"], json!(uid));
    object.set(&["metadata", "creationTimestamp"], json!(world.now().rfc3339()));
    let counts = resource.builtin.is_none_or(|info| info.counts_generations);
    if counts {
        object.set(&["metadata", "generation"], json!(1));
    }
    if resource.has_status() {
        object.remove(&["status"]);
    }
    Ok(())
}

/// A free name made of a prefix and five characters.
fn generated(world: &World, resource: &Resource, prefix: &str, namespace: &str) -> String {
    let kind = resource.stored_kind();
    let taken = |name: &str| {
        let key = Key { kind: kind.clone(), namespace: namespace.into(), name: name.into() };
        world.times_created(&key) > 0
    };
    // Names given once are not given again, so a replaced pod has a new name.
    (0_u32..100_000)
        .map(|nth| format!("{prefix}{}", world.seed.suffix(&["name", &kind.to_string(), namespace, prefix, &nth.to_string()], 5)))
        .find(|name| !taken(name))
        .unwrap_or_else(|| prefix.to_string())
}

fn check_namespace(world: &World, resource: &Resource, key: &Key) -> Result<(), Refusal> {
    if key.namespace.is_empty() {
        return Ok(());
    }
    let Some(namespace) = world.store.snapshot().find("", "Namespace", "", &key.namespace) else {
        let message = format!("namespaces \"{}\" not found", key.namespace);
        let details = json!({"name": key.namespace, "kind": "namespaces"});
        return Err(Refusal { code: 404, reason: "NotFound".into(), message, details });
    };
    if namespace.is_terminating() {
        let ns = &key.namespace;
        let why = format!("unable to create new content in namespace {ns} because it is being terminated");
        let mut refusal = status::forbidden(resource, &key.name, &why);
        let message = format!("namespace {ns} is being terminated");
        refusal.details["causes"] =
            json!([{"reason": "NamespaceTerminating", "message": message, "field": "metadata.namespace"}]);
        return Err(refusal);
    }
    Ok(())
}

/// Replaces an object by what was sent for it. Of the writer's subresources `status` changes the status alone; others are only noted.
///
/// # Errors
/// Whatever the API server refuses.
pub fn update_object(
    world: &mut World,
    resource: &Resource,
    old: &Arc<Object>,
    mut sent: Object,
    by: &By,
    dry_run: bool,
) -> Result<Written, Refusal> {
    check_preconditions(resource, old, &sent)?;
    let subresource = match by.subresource.as_str() {
        named @ ("status" | "ephemeralcontainers") => named,
        _ => "",
    };
    let owners_sent = owners::sent(&mut sent);
    let mut object = if subresource == "status" { with_status(resource, old, &sent) } else { sent };
    keep_server_fields(resource, old, &mut object, subresource);
    if (resource.group.as_str(), resource.kind.as_str()) == ("", "Namespace") && by.subresource != "finalize" {
        // A namespace's finalizers are changed through its subresource alone (S: registry/core/namespace PrepareForUpdate).
        object.set(&["spec", "finalizers"], old.at(&["spec", "finalizers"]).clone());
    }
    if subresource != "status" {
        defaults::apply(world, resource, &mut object, Some(old));
    }
    own(world, resource, old, &mut object, by, owners_sent);
    let mut warnings = admission::mutate(world, resource, &mut object, Some(old), Operation::Update, subresource)?;
    refuse_fields_not_simulated(resource, &object)?;
    let problems = validate::update(world, resource, old, &object, subresource);
    if !problems.is_empty() {
        return Err(status::invalid(&resource.group, &resource.kind, object.name(), problems));
    }
    warnings.extend(admission::validate(world, resource, &object, Some(old), Operation::Update, subresource)?);
    object.set(&["apiVersion"], json!(resource.stored_api_version()));
    object.set(&["metadata", "resourceVersion"], old.at(&["metadata", "resourceVersion"]).clone());
    if object == **old || only_times_differ(old, &object) {
        return Ok(Written { object: old.clone(), warnings });
    }
    count_generation(resource, old, &mut object, subresource);
    if dry_run {
        return Ok(Written { object: Arc::new(object), warnings });
    }
    if may_go(&object) {
        let last = Arc::new(object);
        world.store.remove(&old.key());
        return Ok(Written { object: last, warnings });
    }
    Ok(Written { object: world.store.put(object), warnings })
}

/// The stored object with the status that was sent for it, and for built-in kinds what their status strategies let through of the
/// metadata.
fn with_status(resource: &Resource, old: &Object, sent: &Object) -> Object {
    let mut object = old.clone();
    object.remove(&owners::FIELD);
    let through: &[&str] = match resource.kind.as_str() {
        _ if resource.builtin.is_none() => &[],
        "CustomResourceDefinition" => &[],
        "Deployment" => &["annotations", "finalizers"],
        _ => &["labels", "annotations", "finalizers"],
    };
    let paths = through.iter().map(|field| vec!["metadata", *field]).chain([vec!["status"]]);
    for path in paths {
        match sent.at(&path) {
            Value::Null => drop(object.remove(&path)),
            value => object.set(&path, value.clone()),
        }
    }
    object
}

/// Gives a changed object its owners. The comparison is only made when something differs.
fn own(world: &World, resource: &Resource, old: &Object, object: &mut Object, by: &By, sent: Option<Managed>) {
    let before = old.at(&owners::FIELD);
    let given = by.applied.is_some() || sent.is_some();
    if !before.is_null() {
        object.set(&owners::FIELD, before.clone());
    }
    object.set(&["metadata", "resourceVersion"], old.at(&["metadata", "resourceVersion"]).clone());
    if given || object != old {
        let managed = owners::updated(world, resource, by, sent, old, object);
        owners::put(object, &managed);
    }
}

/// Whether a write would change nothing but the times at which managers took fields: then it changes nothing.
fn only_times_differ(old: &Object, new: &Object) -> bool {
    let (a, b) = (old.at(&owners::FIELD), new.at(&owners::FIELD));
    let rest = |object: &Object| {
        let mut object = object.clone();
        object.remove(&owners::FIELD);
        object
    };
    a != b && owners::stored(old).same_but_times(&owners::stored(new)) && rest(old) == rest(new)
}

/// Whether nothing holds a terminating object any more.
pub fn may_go(object: &Object) -> bool {
    let empty = |value: &Value| value.as_array().is_none_or(Vec::is_empty);
    let free = object.is_terminating() && empty(object.at(&["metadata", "finalizers"]));
    let grace = object.at(&["metadata", "deletionGracePeriodSeconds"]).as_i64().unwrap_or(0);
    free && match (object.group(), object.kind()) {
        ("", "Namespace") => empty(object.at(&["spec", "finalizers"])),
        ("", "Pod") => grace == 0,
        _ => true,
    }
}

fn check_preconditions(resource: &Resource, old: &Object, sent: &Object) -> Result<(), Refusal> {
    let version = sent.str_at(&["metadata", "resourceVersion"]);
    let uid = sent.uid();
    if !uid.is_empty() && uid != old.uid() {
        let place = if old.namespace().is_empty() { String::new() } else { format!("{}/", old.namespace()) };
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{}/{place}{}, ResourceVersion: 0, AdditionalErrorMsg: Precondition \
             failed: UID in precondition: {uid}, UID in object meta: {}",
            resource.plural,
            old.name(),
            old.uid()
        );
        return Err(status::conflict(resource, old.name(), &why));
    }
    if !version.is_empty() && version != "0" && version != old.str_at(&["metadata", "resourceVersion"]) {
        return Err(status::conflict(resource, old.name(), status::MODIFIED));
    }
    Ok(())
}

/// What a client cannot change: identity, times, generation; the status in a write of the main resource.
fn keep_server_fields(resource: &Resource, old: &Object, object: &mut Object, subresource: &str) {
    let kept = [
        "uid",
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "namespace",
        "name",
        "generateName",
    ];
    for field in kept {
        match old.at(&["metadata", field]) {
            Value::Null => drop(object.remove(&["metadata", field])),
            value => object.set(&["metadata", field], value.clone()),
        }
    }
    object.remove(&["metadata", "selfLink"]);
    object.set(&["kind"], json!(resource.kind));
    let empty = |object: &Object, field: &str| match object.at(&["metadata", field]) {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        value => value.is_null(),
    };
    for field in ["labels", "annotations", "finalizers", "ownerReferences"] {
        if empty(object, field) {
            object.remove(&["metadata", field]);
        }
    }
    if resource.has_status() && subresource != "status" {
        match old.status() {
            Value::Null => drop(object.remove(&["status"])),
            status => object.set(&["status"], status.clone()),
        }
    }
}

/// The generation grows when the spec changes, for custom kinds when anything but metadata and status does, for Deployments also
/// when somebody changes an annotation (S: registry/apps/deployment PrepareForUpdate).
fn count_generation(resource: &Resource, old: &Object, object: &mut Object, subresource: &str) {
    let counts = resource.builtin.is_none_or(|info| info.counts_generations);
    let changed = match (resource.builtin, old.0.as_object(), object.0.as_object()) {
        (Some(_), ..) if old.spec().is_null() => false,
        // The scheduler's binding is no change of what was asked for.
        (Some(info), ..) if info.kind == "Pod" && old.str_at(&["spec", "nodeName"]).is_empty() => false,
        (Some(info), ..) => {
            let annotations = ["metadata", "annotations"];
            let noted = info.kind == "Deployment" && subresource.is_empty() && old.at(&annotations) != object.at(&annotations);
            noted || old.spec() != object.spec()
        }
        (None, Some(a), Some(b)) => {
            let rest = |map: &serde_json::Map<String, Value>| {
                let skip = ["metadata", "status", "apiVersion", "kind"];
                map.iter().filter(|(k, _)| !skip.contains(&k.as_str())).map(|(k, v)| (k.clone(), v.clone())).collect::<Vec<_>>()
            };
            rest(a) != rest(b)
        }
        _ => false,
    };
    if counts && changed {
        let generation = old.at(&["metadata", "generation"]).as_i64().unwrap_or(0) + 1;
        object.set(&["metadata", "generation"], json!(generation));
    }
}

/// Unknown fields that a patch brought in, dropped and complained about as asked.
///
/// # Errors
/// 400 when strict.
pub fn patched_fields(
    object: Object,
    resource: &Resource,
    validation: FieldValidation,
) -> Result<(Object, Vec<String>), Refusal> {
    body::fields(object, resource, Vec::new(), validation)
}
