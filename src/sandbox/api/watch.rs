//! Watches: cursors over the store's changes.

use crate::sandbox::call::StreamOutput;
use crate::sandbox::world::World;

/// An open watch.
pub struct Watch {
    version: u64,
}

impl Watch {
    /// The next bytes of the answer.
    pub fn poll(&mut self, world: &World) -> StreamOutput {
        self.version = world.revision();
        StreamOutput::Pending { until: None }
    }
}
