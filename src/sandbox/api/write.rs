//! Creating and updating objects.

use crate::k8s::Object;
use crate::sandbox::call::Refusal;
use crate::sandbox::world::World;
use std::sync::Arc;

/// Creates an object for a controller.
///
/// # Errors
/// What the API server would refuse.
pub fn create_internal(world: &mut World, object: Object) -> Result<Arc<Object>, Refusal> {
    Ok(world.store.put(object))
}

/// Updates an object, or one of its subresources, for a controller.
///
/// # Errors
/// What the API server would refuse.
pub fn update_internal(world: &mut World, object: Object, subresource: Option<&str>) -> Result<Arc<Object>, Refusal> {
    let _ = subresource;
    Ok(world.store.put(object))
}
