//! Subresources and the kinds that are questions rather than objects.

use crate::k8s::Object;
use crate::sandbox::api::owners::{self, By};
use crate::sandbox::api::rbac;
use crate::sandbox::api::route::Target;
use crate::sandbox::api::status::{self, Cause};
use crate::sandbox::api::{apply, body, columns, ephemeral, eviction, logs, negotiate, patch, read, write};
use crate::sandbox::call::{Answer, Call, Refusal};
use crate::sandbox::node::exec::Start;
use crate::sandbox::world::World;
use serde_json::{Value, json};

/// Answers a subresource; `None` for `status`, which the ordinary verbs handle.
pub fn subresource(world: &mut World, call: &Call, target: &Target) -> Option<Result<Answer, Refusal>> {
    Some(match (target.subresource.as_str(), call.method.as_str()) {
        ("status", _) => return None,
        ("scale", "GET" | "PUT" | "PATCH") => scale(world, call, target),
        ("log", "GET") => logs::read_all(world, call, target),
        ("exec" | "attach" | "portforward", _) => exec_refused(world, target),
        ("binding", "POST") => bind(world, call, target),
        ("eviction", "POST") => eviction::evict(world, call, target),
        ("token", "POST") => rbac::token::request(world, call, target),
        ("finalize", "PUT") => return None,
        ("ephemeralcontainers", "GET") => return None,
        ("ephemeralcontainers", "PUT" | "PATCH") => ephemeral::change(world, call, target),
        ("resize" | "approval", _) => Err(Refusal::not_simulated(&format!("{}/{}", target.resource.plural, target.subresource))),
        _ => Err(status::method_not_allowed()),
    })
}

/// What `pods/exec` and `pods/attach` ask for.
pub fn exec_start(call: &Call, target: &Target) -> Start {
    let attach = target.subresource == "attach";
    let command = call.query.iter().filter(|(name, _)| name == "command").map(|(_, value)| value.clone());
    Start {
        namespace: target.namespace.clone(),
        pod: target.name.clone(),
        container: call.param("container").filter(|c| !c.is_empty()).map(String::from),
        command: if attach { Vec::new() } else { command.collect() },
        stdin: call.flag("stdin"),
        stdout: call.flag("stdout"),
        stderr: call.flag("stderr"),
        tty: call.flag("tty"),
    }
}

/// A call that came without an upgrade: says what would be wrong, or that an upgrade is needed.
fn exec_refused(world: &mut World, target: &Target) -> Result<Answer, Refusal> {
    read::find(world, target)?;
    Err(Refusal::bad_request("Upgrade request required"))
}

/// The autoscaling/v1 Scale of a workload.
fn scale_of(object: &Object, replicas_path: &[&str]) -> Object {
    let replicas = object.at(replicas_path).as_i64().unwrap_or(0);
    let current = object.at(&["status", "replicas"]).as_i64().unwrap_or(0);
    let metadata = ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"];
    let metadata: serde_json::Map<String, Value> = metadata
        .iter()
        .map(|key| (key.to_string(), object.at(&["metadata", key]).clone()))
        .filter(|(_, v)| !v.is_null())
        .collect();
    let selector = match columns::label_selector(object.at(&["spec", "selector"])) {
        text if text == "<none>" => String::new(),
        text => text,
    };
    Object(json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata,
                  "spec": {"replicas": replicas}, "status": {"replicas": current, "selector": selector}}))
}

fn scale(world: &mut World, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let old = read::find(world, target)?;
    let path = replicas_path(target);
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let mut scale = scale_of(&old, &path);
    let mut by = By::call(call, "scale");
    match call.method.as_str() {
        "PUT" => scale = Object(body::read_value(call, "Scale")?.0),
        "PATCH" if patch::is_apply(call, target) => {
            let (replicas, applied) = apply::scale(world, call, target, &old, &path)?;
            scale.set(&["spec", "replicas"], json!(replicas));
            by = applied;
        }
        "PATCH" => patch::apply_to(&mut scale, call, target)?,
        _ => return Ok(negotiate::value(call, 200, &scale.0)),
    }
    let version = scale.str_at(&["metadata", "resourceVersion"]);
    if !version.is_empty() && version != old.str_at(&["metadata", "resourceVersion"]) {
        return Err(status::conflict(&target.resource, &target.name, status::MODIFIED));
    }
    let wanted = scale.at(&["spec", "replicas"]).as_i64().unwrap_or(0);
    if wanted < 0 {
        let cause = Cause::invalid("spec.replicas", &json!(wanted), "must be greater than or equal to 0");
        return Err(status::invalid("autoscaling", "Scale", &target.name, vec![cause]));
    }
    let mut next = (*old).clone();
    next.set(&path, json!(wanted));
    let dry_run = body::dry_run(call, "PatchOptions")?;
    let written = write::update_object(world, &target.resource, &old, next, &by, dry_run)?;
    Ok(negotiate::value(call, 200, &scale_of(&written.object, &path).0))
}

fn replicas_path(target: &Target) -> Vec<String> {
    let custom = target.resource.custom.as_ref().and_then(|c| c.version(&target.resource.version)).and_then(|v| v.scale.clone());
    let path = custom.and_then(|scale| scale["specReplicasPath"].as_str().map(String::from));
    path.unwrap_or_else(|| ".spec.replicas".into()).split('.').filter(|p| !p.is_empty()).map(String::from).collect()
}

fn bind(world: &mut World, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    let (binding, _) = body::read_value(call, "Binding")?;
    let old = read::find(world, target)?;
    let mut next = (*old).clone();
    next.set(&["spec", "nodeName"], binding["target"]["name"].clone());
    let by = By { applied: Some(owners::stored(&old)), ..By::default() };
    write::update_object(world, &target.resource, &old, next, &by, false)?;
    Ok(Answer::json(201, &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})))
}
