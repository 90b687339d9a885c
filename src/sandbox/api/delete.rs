//! Deleting objects.

use crate::k8s::Key;
use crate::sandbox::call::Refusal;
use crate::sandbox::world::World;

/// Deletes an object for a controller: a terminating one for good.
///
/// # Errors
/// What the API server would refuse.
pub fn delete_internal(world: &mut World, key: &Key) -> Result<(), Refusal> {
    world.store.remove(key);
    Ok(())
}
