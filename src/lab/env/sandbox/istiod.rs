//! Istio's control plane in the sandbox: the mesh room's rules behind the traits of the sandbox.

use crate::sandbox::{Controller, Program, Webhook};
use std::sync::Arc;

/// The webhook server that runs in istiod's pod.
pub fn webhooks() -> Vec<Arc<dyn Webhook>> {
    Vec::new()
}

/// istiod's control loops.
pub fn controllers() -> Vec<Arc<dyn Controller>> {
    Vec::new()
}

/// What the images pilot and proxyv2 do.
pub fn programs() -> Vec<Arc<dyn Program>> {
    Vec::new()
}
