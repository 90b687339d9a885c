//! What traces need to know of a pod, read from its object once: a mesh has few pods and many requests.

use super::derived::Who;
use crate::base::shared::Text;
use crate::k8s::Object;
use crate::mesh::capture;
use crate::mesh::compile::scope::Identity;
use crate::mesh::policy::unmodelled::is_ordinary;
use std::net::IpAddr;
use std::sync::Arc;

/// A pod as the requests meet it that leave it, enter it or pass it.
#[derive(Debug, Clone)]
pub struct Resident {
    /// The pod that the mesh knows by this name, or the one that was asked about.
    pub pod: Arc<Object>,
    pub namespace: Text,
    pub name: Text,
    /// `NAMESPACE/NAME`.
    pub full: Text,
    pub ip: Option<IpAddr>,
    pub role: Role,
    /// See [`is_ordinary`].
    pub ordinary: bool,
    /// Whether its sidecar gets every connection of its application that leaves the pod ([`capture::takes_everything`]).
    pub all_captured: bool,
    /// Who its proxy is.
    pub id: Identity,
    /// The same as far as anything tells proxies apart, and what all proxies that are like it are told in any case.
    pub(super) who: Arc<Who>,
}

/// What stands between a pod's application and the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Plain,
    Sidecar,
    Gateway,
}

impl Resident {
    /// Reads a pod. `known`: the mesh's pod of that name.
    pub(super) fn read(pod: &Object, known: Option<&Arc<Object>>, who: Arc<Who>) -> Resident {
        let id = capture::identity(pod);
        Resident {
            pod: known.cloned().unwrap_or_else(|| Arc::new(pod.clone())),
            namespace: Text::new(pod.namespace()),
            name: Text::new(pod.name()),
            full: format!("{}/{}", pod.namespace(), pod.name()).into(),
            ip: pod.str_at(&["status", "podIP"]).parse().ok(),
            role: match capture::proxy_container(pod) {
                None => Role::Plain,
                Some(_) if id.gateway => Role::Gateway,
                Some(_) => Role::Sidecar,
            },
            ordinary: is_ordinary(pod),
            all_captured: capture::takes_everything(pod),
            id,
            who,
        }
    }
}
