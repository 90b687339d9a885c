//! The Kubernetes API as functions on a world: requests in, answers out.

pub mod delete;
pub mod lifecycle;
pub mod registry;
pub mod watch;
pub mod write;

use crate::sandbox::call::{Answer, Call, Refusal};
use crate::sandbox::node;
use crate::sandbox::node::exec::Start;
use crate::sandbox::node::logs::LogQuery;
use crate::sandbox::world::World;
use serde_json::json;

/// A stream that a call opens.
pub enum Opened {
    Watch(Box<watch::Watch>),
    Exec(Start),
    Log(LogQuery),
}

/// Answers one request that is not a stream.
pub fn handle(world: &mut World, call: &Call) -> Answer {
    let _ = (world, call);
    Refusal::new(404, "NotFound", "the server could not find the requested resource").answer()
}

/// What stream a call asks for.
///
/// # Errors
/// The refusal to answer instead.
pub fn open(world: &mut World, call: &Call) -> Result<Opened, Refusal> {
    let _ = (world, call);
    Err(Refusal::new(404, "NotFound", "the server could not find the requested resource"))
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
