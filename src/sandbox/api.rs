//! The Kubernetes API as functions on a world: requests in, answers out.

pub mod admission;
pub mod apply;
pub mod body;
pub mod columns;
pub mod crd;
pub mod defaults;
pub mod delete;
pub mod discovery;
pub mod ephemeral;
pub mod establish;
pub mod eviction;
pub mod go_json;
pub mod logs;
pub mod negotiate;
pub mod openapi;
pub mod owners;
pub mod patch;
pub mod plugins;
pub mod protobuf;
pub mod rbac;
pub mod read;
pub mod registry;
pub mod route;
pub mod schema;
pub mod shown;
pub mod special;
pub mod status;
pub mod strict;
pub mod table;
pub mod validate;
pub mod watch;
pub mod write;

use crate::sandbox::call::{Answer, Call, Refusal};
use crate::sandbox::node;
use crate::sandbox::node::exec::Start;
use crate::sandbox::node::logs::LogQuery;
use crate::sandbox::world::{View, World};
use route::{Route, Target};
use serde_json::json;

/// The largest request body, in bytes, as a real API server has it.
pub const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// A stream that a call opens.
pub enum Opened {
    Watch(Box<watch::Watch>),
    Exec(Start),
    Log(LogQuery),
    /// port-forward to a pod: namespace and name.
    Forward(String, String),
}

/// Answers one request that is not a stream.
pub fn handle(world: &mut World, call: &Call) -> Answer {
    if call.body.len() > BODY_LIMIT {
        let message = format!("Request entity too large: limit is {BODY_LIMIT}");
        return Refusal::new(413, "RequestEntityTooLarge", message).answer();
    }
    world.know_kinds();
    let answer = match route::route(world, call) {
        Err(answer) => answer,
        Ok(Route::Document(parts)) => match rbac::authorize_path(world, call) {
            Ok(()) => document(world, call, &parts),
            Err(refusal) => unauthorized(&refusal),
        },
        Ok(Route::Resource(target)) => resource(world, call, &target).unwrap_or_else(|refusal| refusal.answer()),
    };
    world.actor = None;
    answer
}

/// A refusal of the authorizer.
fn unauthorized(refusal: &Refusal) -> Answer {
    let mut answer = refusal.answer();
    answer.headers.push(("x-content-type-options".into(), "nosniff".into()));
    answer
}

/// An answer, and the pieces that follow it when it is a long list.
pub type Looked = (Answer, Option<shown::Pieces>);

/// Answers what a committed state is enough for: documents, single objects, lists. `None`: the world itself has to be asked.
pub fn look(view: &View, call: &Call) -> Option<Looked> {
    if !matches!(call.method.as_str(), "GET" | "HEAD") || call.is_stream() {
        return None;
    }
    match route::route(view, call) {
        Err(answer) => Some((answer, None)),
        Ok(Route::Document(parts)) => match rbac::authorize_path(view, call) {
            Ok(()) => published(view, call, &parts).map(|answer| (answer, None)),
            Err(refusal) => Some((unauthorized(&refusal), None)),
        },
        Ok(Route::Resource(target)) if matches!(target.subresource.as_str(), "" | "status") => {
            let read = may(view, call, &target).and_then(|_| read(view, call, &target).map_err(|refusal| refusal.answer()));
            Some(read.unwrap_or_else(|answer| (answer, None)))
        }
        Ok(Route::Resource(_)) => None,
    }
}

/// `GET` of an object or a collection.
fn read(view: &View, call: &Call, target: &Target) -> Result<Looked, Refusal> {
    let verb = if target.name.is_empty() { "list" } else { "get" };
    if !target.resource.verbs.contains(&verb) {
        return Err(status::method_not_allowed());
    }
    match verb {
        "get" => Ok((read::get(view, call, target)?, None)),
        _ => read::list(view, call, target),
    }
}

/// An answer in one piece.
pub fn whole((mut answer, pieces): Looked) -> Answer {
    answer.body.extend(pieces.into_iter().flatten().flatten());
    answer
}

/// A watch over committed states.
///
/// # Errors
/// The refusal to answer instead.
pub fn watch(view: &View, call: &Call) -> Result<watch::Watch, Answer> {
    let target = streamed(view, call)?;
    may(view, call, &target)?;
    watch::open(view, call, &target).map_err(|refusal| refusal.answer())
}

/// Lets a call pass or not, in the answer that a real server gives.
fn may(view: &View, call: &Call, target: &Target) -> Result<rbac::User, Answer> {
    rbac::authorize(view, call, target).map_err(|refusal| unauthorized(&refusal))
}

fn document(world: &mut World, call: &Call, parts: &[String]) -> Answer {
    if call.method != "GET" && call.method != "HEAD" {
        return status::method_not_allowed().answer();
    }
    match parts {
        [first, second] if first == ".well-known" && second == "egress-lab" && rbac::is_master(world, call) => mark(world),
        _ => published(world, call, parts).unwrap_or_else(route::page_not_found),
    }
}

/// The documents that depend on nothing but the kinds there are.
fn published(view: &View, call: &Call, parts: &[String]) -> Option<Answer> {
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    Some(match parts.as_slice() {
        ["version"] => discovery::version(),
        ["healthz" | "livez" | "readyz", ..] => Answer::text(200, "ok"),
        ["openapi", "v2"] => openapi::v2(view, call),
        ["openapi", "v3", rest @ ..] => openapi::v3(view, call, rest),
        ["api" | "apis", ..] => discovery::answer(view, call, &parts),
        [] => discovery::paths(view),
        _ => return None,
    })
}

/// The sandbox's mark: how a client that holds the credential knows that this is no cluster.
fn mark(world: &World) -> Answer {
    let version = env!("CARGO_PKG_VERSION");
    Answer::json(
        200,
        &json!({"name": "egress-lab", "version": version, "world": {
            "revision": world.revision(), "settled": world.settled(), "seed": world.seed().0.to_string(), "now_ms": world.now().0}}),
    )
}

fn resource(world: &mut World, call: &Call, target: &Target) -> Result<Answer, Refusal> {
    match may(world, call, target) {
        Ok(user) => world.actor = Some(user),
        Err(answer) => return Ok(answer),
    }
    if !target.subresource.is_empty()
        && let Some(answer) = special::subresource(world, call, target)
    {
        return answer;
    }
    let verb = match (call.method.as_str(), target.name.is_empty()) {
        ("GET" | "HEAD", false) => "get",
        ("GET" | "HEAD", true) => "list",
        ("POST", true) => "create",
        ("PUT", false) => "update",
        ("PATCH", false) => "patch",
        ("DELETE", false) => "delete",
        ("DELETE", true) => "deletecollection",
        _ => return Err(status::method_not_allowed()),
    };
    if !target.resource.verbs.contains(&verb) {
        return Err(status::method_not_allowed());
    }
    match verb {
        "get" | "list" => read(world, call, target).map(whole),
        "create" => rbac::review(world, call, target).unwrap_or_else(|| write::create(world, call, target)),
        "update" => write::update(world, call, target),
        "patch" => patch::patch(world, call, target),
        "delete" => delete::delete(world, call, target),
        _ => delete::delete_collection(world, call, target),
    }
}

/// What stream a call asks for.
///
/// # Errors
/// The refusal to answer instead.
pub fn open(world: &mut World, call: &Call) -> Result<Opened, Refusal> {
    world.know_kinds();
    let target = streamed(world, call).map_err(|answer| Refusal::of(&answer))?;
    rbac::authorize(world, call, &target)?;
    match target.subresource.as_str() {
        "" => watch::open(world, call, &target).map(|watch| Opened::Watch(Box::new(watch))),
        "exec" | "attach" => Ok(Opened::Exec(special::exec_start(call, &target))),
        "portforward" => Ok(Opened::Forward(target.namespace.clone(), target.name.clone())),
        "log" => Ok(Opened::Log(logs::query(call, &target)?)),
        other => Err(Refusal::not_simulated(other)),
    }
}

/// The resource of a call that asks for a stream.
fn streamed(view: &View, call: &Call) -> Result<Box<Target>, Answer> {
    match route::route(view, call)? {
        Route::Resource(target) => Ok(target),
        Route::Document(_) => Err(status::no_such_resource().answer()),
    }
}

/// A refusal of the node in the API server's form.
pub fn node_refusal(refusal: node::Refusal, pod: &str) -> Refusal {
    let (reason, details) = match refusal.code {
        404 => ("NotFound", json!({"name": pod, "kind": "pods"})),
        400 => ("BadRequest", serde_json::Value::Null),
        501 => ("NotImplemented", serde_json::Value::Null),
        _ => ("InternalError", serde_json::Value::Null),
    };
    Refusal { code: refusal.code, reason: reason.into(), message: refusal.message, details }
}
