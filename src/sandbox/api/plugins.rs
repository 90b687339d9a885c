//! Admission that is part of the API server: what it adds to objects and refuses beside the webhooks.

pub mod limits;
pub mod priority;
pub mod quota;

use crate::k8s::Object;
use crate::sandbox::api::admission::Operation;
use crate::sandbox::api::registry::Resource;
use crate::sandbox::call::Refusal;
use crate::sandbox::world::World;

/// What is added before the webhooks see an object.
///
/// # Errors
/// 403 in the plugin's words.
pub fn mutate(world: &World, resource: &Resource, object: &mut Object, operation: Operation, sub: &str) -> Result<(), Refusal> {
    if operation == Operation::Create && sub.is_empty() && resource.builtin.is_some() {
        limits::fill_in(world, resource, object);
        priority::resolve(world, resource, object)?;
    }
    Ok(())
}

/// What is refused once the webhooks are done; quotas come last.
///
/// # Errors
/// 403 in the plugin's words.
pub fn validate(
    world: &World,
    resource: &Resource,
    object: &Object,
    old: Option<&Object>,
    operation: Operation,
    sub: &str,
) -> Result<(), Refusal> {
    if operation == Operation::Delete || !sub.is_empty() {
        return Ok(());
    }
    if operation == Operation::Create {
        limits::check(world, resource, object)?;
    }
    quota::check(world, resource, object, old)
}
