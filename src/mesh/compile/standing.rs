//! What a proxy is told whatever hosts there are: its Sidecar, what becomes of hosts that nothing names, what guards it. It is the same
//! for every part of the proxy, and stays so while only hosts and their rules change.

use super::egress::{self, Beyond, Egress};
use super::scope::{Base, Identity, pick_sidecar};
use crate::k8s::Object;
use crate::mesh::Cause;
use crate::mesh::policy::Guard;
use std::sync::Arc;

/// See the module.
#[derive(Debug)]
pub struct Standing {
    /// The Sidecar resource that narrows the view.
    pub sidecar: Option<Arc<Object>>,
    /// Its egress listeners; empty when it names none, which means one for everything.
    pub egress: Vec<Egress>,
    pub beyond: Beyond,
    pub guard: Arc<Guard>,
}

impl Standing {
    /// Sorts it out for one proxy.
    pub fn of(base: &Base, id: &Identity) -> Standing {
        let guard = Arc::new(base.policies.guard(id, base));
        if id.gateway {
            let cause = Cause::new("default", "gateway", "A gateway has no outbound traffic policy.");
            return Standing { sidecar: None, egress: Vec::new(), beyond: Beyond::blocks(cause), guard };
        }
        let sidecar = pick_sidecar(base, id);
        let egress = sidecar.as_ref().map(|s| egress::listeners(s, &id.namespace)).unwrap_or_default();
        Standing { beyond: Beyond::of(base, sidecar.as_deref()), sidecar, egress, guard }
    }

    /// Whether the egress listeners have views of their own: there are several, or one has a port or an address of its own.
    pub fn has_parts(&self) -> bool {
        self.egress.len() > 1 || self.egress.iter().any(|l| l.port.is_some() || l.bind.is_some() || l.bound)
    }
}

/// For whom something is derived.
#[derive(Clone, Copy)]
pub struct Viewer<'a> {
    pub base: &'a Base,
    pub id: &'a Identity,
    pub standing: &'a Standing,
}
