//! `DELETE`: at once, gracefully, held by finalizers, collections.

use crate::k8s::{Key, Object};
use crate::sandbox::api::admission::{self, Operation};
use crate::sandbox::api::read::{self, Selection};
use crate::sandbox::api::registry::{self, Resource};
use crate::sandbox::api::route::Target;
use crate::sandbox::api::status::{self, Cause};
use crate::sandbox::api::{body, establish, negotiate, strict, write};
use crate::sandbox::call::{Answer, Call, Refusal};
use crate::sandbox::world::World;
use serde_json::{Value, json};
use std::sync::Arc;

/// Options of a delete.
#[derive(Debug, Clone, Default)]
struct Options {
    grace: Option<i64>,
    propagation: String,
    uid: Option<String>,
    version: Option<String>,
    dry_run: bool,
}

fn options(call: &Call) -> Result<Options, Refusal> {
    let mut body = match call.body.is_empty() {
        true => Value::Null,
        false => body::read_value(call, "DeleteOptions")?.0,
    };
    let kind = body["kind"].as_str().unwrap_or("");
    if !matches!(kind, "" | "DeleteOptions") {
        return Err(Refusal::bad_request(format!("decoded object cannot be converted to DeleteOptions: it is a {kind}")));
    }
    // Options that cannot be read must not pass for none: what was to be tried would be done.
    strict::check(&mut body, "meta.v1.DeleteOptions").map_err(|why| {
        let handled = "DeleteOptions in version \"v1\" cannot be handled as a DeleteOptions";
        Refusal::bad_request(format!("{handled}: {why}"))
    })?;
    let modes = body["dryRun"].as_array().cloned().unwrap_or_default();
    if modes.iter().any(|mode| mode != "All") {
        let cause = Cause::unsupported("dryRun", &json!(modes), &["All"]);
        return Err(status::invalid_options("DeleteOptions", vec![cause]));
    }
    if !body["orphanDependents"].is_null() && !body["propagationPolicy"].is_null() {
        let why = "orphanDependents and deletionPropagation cannot be both set";
        let cause = Cause::invalid("propagationPolicy", &body["propagationPolicy"], why);
        return Err(status::invalid_options("DeleteOptions", vec![cause]));
    }
    let text = |value: &Value| value.as_str().map(String::from);
    let propagation = text(&body["propagationPolicy"]).or(call.param("propagationPolicy").map(String::from)).unwrap_or_default();
    if !matches!(propagation.as_str(), "" | "Foreground" | "Background" | "Orphan") {
        let cause = Cause::unsupported("propagationPolicy", &json!(propagation), &["Foreground", "Background", "Orphan", "nil"]);
        return Err(status::invalid_options("DeleteOptions", vec![cause]));
    }
    let asked = read::page::number(call, "gracePeriodSeconds")?;
    let dry_run = !modes.is_empty() || body::dry_run(call, "DeleteOptions")?;
    Ok(Options {
        grace: body["gracePeriodSeconds"].as_i64().or(asked),
        propagation,
        uid: text(&body["preconditions"]["uid"]),
        version: text(&body["preconditions"]["resourceVersion"]),
        dry_run,
    })
}

/// `DELETE` of one object.
///
/// # Errors
/// Whatever the API server refuses, in its words.
pub fn delete(world: &mut World, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let options = options(call)?;
    let old = read::find(world, target)?;
    check(&target.resource, &old, &options)?;
    let warnings = admission::validate(world, &target.resource, &old, Some(&old), Operation::Delete, "")?;
    let form = negotiate::form(call)?;
    let mut answer = match remove(world, &old, &options) {
        Gone::Later(object) => negotiate::object(world, &target.resource, &object, form, call, 200),
        // Pods show their last state, everything else a Status.
        Gone::Now(object) if target.resource.kind == "Pod" => {
            negotiate::object(world, &target.resource, &object, form, call, 200)
        }
        Gone::Now(object) => Answer::json(200, &success(&target.resource, &object)),
    };
    read::warn(&mut answer, &warnings);
    Ok(answer)
}

fn success(resource: &Resource, object: &Object) -> Value {
    let mut details = json!({"name": object.name(), "kind": resource.plural, "uid": object.uid()});
    if !resource.group.is_empty() {
        details["group"] = json!(resource.group);
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}

fn check(resource: &Resource, old: &Object, options: &Options) -> Result<(), Refusal> {
    if resource.kind == "Namespace" && matches!(old.name(), "default" | "kube-system" | "kube-public") {
        return Err(status::forbidden(resource, old.name(), "this namespace may not be deleted"));
    }
    let precondition = |what: &str, asked: &str, found: &str| {
        let why = format!(
            "the {what} in the precondition ({asked}) does not match the {what} in record ({found}). The object might have been deleted and then recreated"
        );
        let shown = Resource { plural: resource.kind.clone(), ..resource.clone() };
        status::conflict(&shown, old.name(), &why)
    };
    if let Some(uid) = options.uid.as_deref().filter(|uid| *uid != old.uid()) {
        return Err(precondition("UID", uid, old.uid()));
    }
    let version = old.str_at(&["metadata", "resourceVersion"]);
    if let Some(asked) = options.version.as_deref().filter(|asked| *asked != version) {
        return Err(precondition("ResourceVersion", asked, version));
    }
    Ok(())
}

/// What became of a deleted object.
enum Gone {
    Now(Arc<Object>),
    Later(Arc<Object>),
}

fn remove(world: &mut World, old: &Arc<Object>, options: &Options) -> Gone {
    let mut object = (**old).clone();
    let grace = grace(old, options.grace);
    let again = old.is_terminating();
    let before = old.at(&["metadata", "deletionGracePeriodSeconds"]).as_i64().unwrap_or(0);
    if again && grace >= before && grace != 0 {
        return Gone::Later(old.clone());
    }
    mark(world, &mut object, grace, again);
    add_finalizer(&mut object, &options.propagation, again);
    if write::may_go(&object) {
        let last = Arc::new(object);
        if !options.dry_run {
            world.store.remove(&old.key());
        }
        return Gone::Now(last);
    }
    if options.dry_run || object == **old {
        return Gone::Later(Arc::new(object));
    }
    Gone::Later(world.store.put(object))
}

/// Seconds of grace: pods that run have some, everything else goes at once.
fn grace(old: &Object, asked: Option<i64>) -> i64 {
    let is_pod = old.kind() == "Pod" && old.group().is_empty();
    let finished = matches!(old.str_at(&["status", "phase"]), "Succeeded" | "Failed");
    if !is_pod || old.str_at(&["spec", "nodeName"]).is_empty() || finished && asked.is_none() {
        return 0;
    }
    let own = old.at(&["spec", "terminationGracePeriodSeconds"]).as_i64().unwrap_or(30);
    match asked.unwrap_or(own) {
        // Too little is a second, as the API server has it.
        i64::MIN..0 => 1,
        seconds => seconds,
    }
}

fn mark(world: &World, object: &mut Object, grace: i64, again: bool) {
    let is_pod = object.kind() == "Pod" && object.group().is_empty();
    if is_pod {
        object.set(&["metadata", "deletionGracePeriodSeconds"], json!(grace));
    }
    if !again || is_pod {
        let at = world.now().plus_ms(grace * 1000);
        object.set(&["metadata", "deletionTimestamp"], json!(at.rfc3339()));
    }
    if !again && !object.at(&["metadata", "generation"]).is_null() {
        let generation = object.at(&["metadata", "generation"]).as_i64().unwrap_or(0) + 1;
        object.set(&["metadata", "generation"], json!(generation));
    }
    if object.kind() == "Namespace" {
        object.set(&["status", "phase"], json!("Terminating"));
    } else if !is_pod && object.at(&["metadata", "deletionGracePeriodSeconds"]).is_null() {
        object.set(&["metadata", "deletionGracePeriodSeconds"], json!(0));
    }
}

fn add_finalizer(object: &mut Object, propagation: &str, again: bool) {
    let finalizer = match propagation {
        _ if again => return,
        // A definition waits for its objects.
        _ if object.kind() == "CustomResourceDefinition" => establish::CLEANUP,
        "Foreground" => "foregroundDeletion",
        "Orphan" => "orphan",
        _ => return,
    };
    let mut list = object.at(&["metadata", "finalizers"]).as_array().cloned().unwrap_or_default();
    if !list.iter().any(|f| f == finalizer) {
        list.push(json!(finalizer));
        object.set(&["metadata", "finalizers"], json!(list));
    }
}

/// `DELETE` of a collection.
///
/// # Errors
/// The first refusal.
pub fn delete_collection(world: &mut World, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let options = options(call)?;
    let selection = Selection::read(call, target)?;
    let objects = read::select(world, &target.resource, &selection);
    let version = world.revision();
    for object in &objects {
        check(&target.resource, object, &options)?;
        admission::validate(world, &target.resource, object, Some(object), Operation::Delete, "")?;
        remove(world, object, &options);
    }
    let meta = json!({"resourceVersion": version.to_string()});
    Ok(negotiate::value(call, 200, &read::list_value(&target.resource, &objects, meta)))
}

/// Deletes an object for a controller: in the background; a pod that is already terminating goes for good.
///
/// # Errors
/// What the API server would refuse.
pub fn delete_internal(world: &mut World, key: &Key) -> Result<(), Refusal> {
    world.know_kinds();
    let Some(old) = world.store.snapshot().get(key).cloned() else { return Ok(()) };
    let grace = (key.kind.kind == "Pod" && old.is_terminating()).then_some(0);
    if let Some(resource) = registry::by_kind(&world.crds, &key.kind) {
        admission::validate(world, &resource, &old, Some(&old), Operation::Delete, "")?;
    }
    remove(world, &old, &Options { grace, ..Options::default() });
    Ok(())
}

/// Deletes a pod as `pods/eviction` asks; `asked` are its delete options.
///
/// # Errors
/// 404, 409.
pub fn evict(world: &mut World, target: &Target, asked: &Value, dry_run: bool) -> Result<(), Refusal> {
    let old = read::find(world, target)?;
    let text = |value: &Value| value.as_str().map(String::from);
    let options = Options {
        grace: asked["gracePeriodSeconds"].as_i64(),
        uid: text(&asked["preconditions"]["uid"]),
        version: text(&asked["preconditions"]["resourceVersion"]),
        dry_run: dry_run || asked["dryRun"].as_array().is_some_and(|list| !list.is_empty()),
        ..Options::default()
    };
    check(&target.resource, &old, &options)?;
    remove(world, &old, &options);
    Ok(())
}
