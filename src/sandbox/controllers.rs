//! The control loops of a cluster, as pure steps.

use crate::sandbox::Controller;
use std::sync::Arc;

/// The loops of a plain cluster in the order in which the world runs them.
pub fn all() -> Vec<Arc<dyn Controller>> {
    Vec::new()
}
